"""What the card of a job shows, and which buttons it has: only what its service can do now."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.changes import Button
from bot.domain.contents import Attachment, Card
from bot.domain.forecast import Forecast, accepted_at, began, forecast, took
from bot.domain.jobs import AT_SERVICE, BEFORE_THE_START, ENDS, SWITCHED, Job, JobState, Transition
from bot.domain.pages import page_of
from bot.domain.policy import Act
from bot.domain.recurring import Schedule, ScheduleState
from bot.errors import SwitchyardError
from bot.ports import Deps, Gate, Powers
from bot.sentences import _, joined, unpack
from bot.usecases.former import kept_data, result_key, say_way_back, served_before

_FORETOLD = AT_SERVICE - {JobState.CANCELLING}


async def card(deps: Deps, job: Job) -> Card:
    """The card as of now."""
    title, powers = about(deps, job.request.provider)
    transitions = await deps.store.transitions(job.id)
    is_there = job.state in AT_SERVICE
    twin = await _twin(deps, job)
    schedule = await schedule_of(deps, job)
    result = await result_of(deps, job)
    return Card(
        job=job,
        title=title,
        last=transitions[-1] if transitions else None,
        since=began(transitions) if is_there else None,
        took=None if is_there else took(transitions),
        forecast=await _forecast(deps, job, transitions, deps.now()),
        twin=twin,
        notes=(
            *_recurs(job, schedule),
            *_notes(deps, job, title, powers, is_linked=result is not None),
            *await _shared(deps, job),
            *await _way_back(deps, job),
        ),
        buttons=(
            *await buttons_of(deps, job),
            *_repeats(job),
            *_pictures(job),
            *_story_of(twin),
            *_stops(job, schedule),
        ),
        result=result,
        page=page_of(deps.pages, job) if began(transitions) else "",
    )


async def _forecast(deps: Deps, job: Job, moves: Sequence[Transition], now: datetime) -> Forecast | None:
    since = accepted_at(moves) if job.state in _FORETOLD else None
    return forecast(since, now, await deps.store.earlier(job)) if since else None


async def has_aged(deps: Deps, job: Job, looked_at: datetime | None) -> bool:
    """Is another end foretold by now than at the look before, for no reason but the time that went by?"""
    since = accepted_at(await deps.store.transitions(job.id)) if job.state in _FORETOLD else None
    if since is None:
        return False
    known = await deps.store.earlier(job)
    return forecast(since, looked_at or since, known) != forecast(since, deps.now(), known)


async def _twin(deps: Deps, job: Job) -> Job | None:
    """An earlier training with the same file; where kept data was asked for, the card tells that already."""
    return None if job.request.kept else await deps.store.same_data(job)


def _story_of(twin: Job | None) -> tuple[Button, ...]:
    return (Button(label=_("Story {id}", id=twin.id), action="story", value=twin.id),) if twin else ()


async def buttons_of(deps: Deps, job: Job) -> tuple[Button, ...]:
    """What can be done with a job as it stands."""
    _title, powers = about(deps, job.request.provider)
    return (*_buttons(job, powers), *await retrain_buttons(deps, job))


def _repeats(job: Job) -> tuple[Button, ...]:
    """Ways to ask for the same once more, in any state."""
    again = Button(label=_("Again"), action="again", value=job.id)
    return (again, Button(label=_("Show as command"), action="as_command", value=job.id))


def look_back(job: Job) -> tuple[Button, ...]:
    """What there is to do with a training that has ended: to read how it went, and to ask for the same."""
    again, _as_command = _repeats(job)
    return (Button(label=_("Story"), action="story", value=job.id), again)


def _pictures(job: Job) -> tuple[Button, ...]:
    """What can be drawn of its data."""
    has_labels = job.plan and job.plan.payload and job.plan.payload.balances
    return (Button(label=_("Label balance"), action="labels", value=job.id),) if has_labels else ()


async def schedule_of(deps: Deps, job: Job) -> Schedule | None:
    """The recurring training that a job is a run of."""
    return await deps.store.schedule(job.request.run.schedule) if job.request.run else None


def _recurs(job: Job, schedule: Schedule | None) -> tuple[str, ...]:
    if schedule is None or job.request.run is None:
        return ()
    number, id_, rhythm = job.request.run.number, schedule.id, schedule.rhythm()
    if schedule.last_job != job.id:
        return (_("Run {number} of `{id}`, {rhythm}.", number=number, id=id_, rhythm=rhythm),)
    outlook = schedule.outlook()
    return (_("Run {number} of `{id}`, {rhythm}: {outlook}.", number=number, id=id_, rhythm=rhythm, outlook=outlook),)


def _stops(job: Job, schedule: Schedule | None) -> tuple[Button, ...]:
    """On the card of the latest run."""
    if schedule is None or schedule.state is ScheduleState.ENDED or schedule.last_job != job.id:
        return ()
    return (replace(stop_button(schedule), label=_("Stop recurring")),)


def stop_button(schedule: Schedule) -> Button:
    """The button that ends a recurring training."""
    return Button(label=_("Stop"), action="stop_recurring", value=schedule.id)


async def retrain_buttons(deps: Deps, job: Job) -> tuple[Button, ...]:
    """The prepared way back from a switch that its service cannot take back, where its data is still kept here."""
    if job.state not in SWITCHED or not about(deps, job.request.provider)[1].one_way:
        return ()
    if await kept_data(deps, await served_before(deps, job)) is None:
        return ()
    return (Button(label=_("Retrain with the previous data"), action="retrain", value=job.id),)


async def _way_back(deps: Deps, job: Job) -> tuple[str, ...]:
    """After a switch: what is prepared, or that nothing is."""
    title, powers = about(deps, job.request.provider)
    if job.state not in SWITCHED or not powers.one_way:
        return ()
    former = await served_before(deps, job)
    return (_("Way back: {way}", way=say_way_back(title, former, await kept_data(deps, former))),)


async def result_of(deps: Deps, job: Job) -> Attachment | None:
    """The file that the training left, once it stands in the conversation."""
    notice = await deps.store.notice(result_key(job.id))
    url = notice.body.get("permalink") if notice else None
    if notice is None or not isinstance(url, str):
        return None
    return Attachment(name=str(notice.body.get("name", "")), size=int(notice.body.get("size", 0)), url=url)


async def _shared(deps: Deps, job: Job) -> tuple[str, ...]:
    """Why the result file does not stand in the conversation."""
    notice = await deps.store.notice(result_key(job.id))
    refused = unpack(notice.body.get("refused", "")) if notice else ""
    return (_("It could not be put into this conversation: {problem}", problem=refused),) if refused else ()


def about(deps: Deps, provider: str) -> tuple[str, Powers]:
    """A provider's title and powers; also of one that is no longer configured, whose history stays readable."""
    try:
        found = deps.providers.get(provider)
    except SwitchyardError:
        return provider, Powers(gate=Gate.NONE)
    return found.title, found.powers


def _buttons(job: Job, powers: Powers) -> tuple[Button, ...]:
    if job.state in BEFORE_THE_START or (powers.cancel and job.state in AT_SERVICE - {JobState.CANCELLING}):
        return (Button(label=_("Cancel"), action="cancel", value=job.id),)
    if job.was_offered:
        return (Button(label=_("Offer again"), action="offer_again", value=job.id),)
    if job.state is JobState.FAILED and powers.failed_is_a_reading and job.remote_id:
        return (Button(label=_("Keep watching"), action="keep_watching", value=job.id),)
    return ()


def _notes(deps: Deps, job: Job, title: str, powers: Powers, *, is_linked: bool) -> tuple[str, ...]:
    again = _("With the kept data of training {id}.", id=job.request.kept_from) if job.request.kept_from else ""
    notes = [again, _publishing(deps, job, title, powers), job.look.error, *_left(job, is_linked=is_linked)]
    return tuple(text for text in notes if text)


def _publishing(deps: Deps, job: Job, title: str, powers: Powers) -> str:
    """Said from the first version of the card on, where no further question comes."""
    if job.state in ENDS - {JobState.DONE} or powers.gate is not Gate.BEFORE:
        return ""
    rule = deps.policy.rule_for(Act.START, job.request.provider, job.request.model)
    if powers.look_publishes:
        said = _(
            "{title} publishes a finished model as soon as it is looked at, without another question.", title=title
        )
    else:
        said = _("At {title}, results go live by themselves when the training completes.", title=title)
    return joined(" ", [_("It was approved before the start."), said]) if rule.needed else said


def _left(job: Job, *, is_linked: bool) -> list[str]:
    """What became of the result; a file that the card links is not told a second time."""
    notes = job.look.notes
    size = notes.get("result_bytes")
    is_told = isinstance(size, int) and not is_linked
    kept = _("The service's result file is kept ({size:,} bytes).", size=size) if is_told else ""
    missing = unpack(notes.get("result_missing", ""))
    if job.state is JobState.PROMOTING and (job.switch or {}).get("accepted_at"):
        return [kept, missing, _("The service accepted the switch; it is not seen serving yet.")]
    return [kept, missing]
