"""What recurs is asked for when its time has come.

Each run is an ordinary request of whoever planned it, so check, policy and approvals are those of that moment. The key
of the request follows from the schedule and the planned time, and both are written in one transaction: however often a
turn is tried, and by however many processes, it is one training.
"""

from dataclasses import replace
from datetime import timedelta

from bot.domain.approvals import Standing, Verdict
from bot.domain.changes import Notice
from bot.domain.jobs import ENDS, JobState
from bot.domain.policy import Act
from bot.domain.recurring import Schedule, ScheduleState, Turn, filled, turn_of
from bot.domain.requests import SWITCHYARD
from bot.domain.text import code, escape
from bot.errors import DataError, MessengerError, NotConfiguredError, RefusedError, UsageError
from bot.ports import Asked, Deps, DueRun
from bot.sentences import _, joined, ngettext
from bot.usecases.groups import read_now
from bot.usecases.home import answer_at_home
from bot.usecases.moves import body_of, card_key, first_change, redraw, tell_person
from bot.usecases.people import person_called
from bot.usecases.plan import refuse_names
from bot.usecases.request import checked, new_job, standing_of_asker
from bot.usecases.schedules import next_request, say_schedule, tell, tell_planned, title_of
from bot.usecases.stop import end

AT_ONCE = 20
_LEASE = timedelta(minutes=2)
_SOON = timedelta(minutes=1)


async def recur_due(deps: Deps) -> None:
    """Tick: ask for what is due."""
    now = deps.now()
    for schedule in await deps.store.claim_schedules(now, now + _LEASE, AT_ONCE):
        deps.spawn(f"schedule:{schedule.id}", recur(deps, schedule))


async def recur(deps: Deps, schedule: Schedule) -> None:
    """One turn of a schedule. Whoever writes it first has the turn; another one that began beside it writes nothing."""
    if schedule.state is ScheduleState.NEW:
        await _begin(deps, schedule)
    else:
        turn = turn_of(schedule, deps.now())
        if turn is not None:
            await _take_turn(deps, schedule, turn)
    deps.nudge("deliver")


async def _begin(deps: Deps, schedule: Schedule) -> None:
    """The time zone is read; from now on the times are known, and told."""
    actor, url = schedule.request.actor, await deps.store.answer_url(schedule.id)
    try:
        person = await person_called(deps, actor.user)
    except MessengerError:
        await deps.store.put_off(schedule.id, deps.now() + _SOON)
        return
    begun = schedule.activated(person.zone, deps.now())
    said = say_schedule(deps, begun)
    told = [tell_person(deps, url, body_of(said), reader=actor, key=f"schedule:{schedule.id}:begun")] if url else []
    if await deps.store.amend_schedule(begun, notices=[*told, tell_planned(deps, begun)]) and not url:
        await answer_at_home(deps, actor, said)


async def _take_turn(deps: Deps, schedule: Schedule, turn: Turn) -> None:
    ending = await _why_it_ends(deps, schedule)
    if ending:
        await end(deps, schedule, ending)
        return
    hindrance = await _hindrance(deps, schedule, turn)
    if hindrance:
        await _skip(deps, schedule, turn, hindrance)
        return
    try:
        await _ask(deps, schedule, turn)
    except (UsageError, DataError, NotConfiguredError, RefusedError) as error:
        await _skip(deps, schedule, turn, escape(str(error)))


async def _why_it_ends(deps: Deps, schedule: Schedule) -> str:
    """Who planned it has left, or may not start this any more; "" where it goes on."""
    who = schedule.request.actor.user
    if await _has_left(deps, who):
        return _("{who}, who planned it, has left the workspace.", who=f"<@{who}>")
    verdict = await _standing(deps, schedule)
    if verdict.standing is Standing.DENIED:
        rule = deps.policy.rule_for(Act.START, schedule.request.provider, schedule.request.model)
        return _say_forbidden(f"<@{who}>", rule.name)
    return ""


def _say_forbidden(who: str, rule: str) -> str:
    if rule:
        return _(
            "{who}, who planned it, may not start this training any more by the rule “{rule}”.", who=who, rule=rule
        )
    return _("{who}, who planned it, may not start this training any more.", who=who)


async def _has_left(deps: Deps, user: str) -> bool:
    try:
        return (await person_called(deps, user)).has_left
    except MessengerError:
        return False


async def _standing(deps: Deps, schedule: Schedule) -> Verdict:
    """What the policy says of whoever planned it, with its groups read where they have to be; where they cannot be, the
    check of the training decides."""
    request = next_request(schedule)
    verdict = await standing_of_asker(deps, request)
    if verdict.standing is Standing.UNKNOWN:
        await read_now(deps, verdict.stale)
        verdict = await standing_of_asker(deps, request)
    return verdict


async def _hindrance(deps: Deps, schedule: Schedule, turn: Turn) -> str:
    """Why this turn starts nothing; "" where it does."""
    late = deps.limits.late
    if turn.is_late(deps.now(), late):
        hours = late.total_seconds() / 3600
        return _("Switchyard was not there, and a run is made up for {hours:g} hours at most.", hours=hours)
    former = await deps.store.job(schedule.last_job) if schedule.last_job else None
    if former is not None and former.state not in ENDS:
        return _("The run before, {job}, has not ended; its card says what it waits for.", job=code(former.id))
    return ""


async def _ask(deps: Deps, schedule: Schedule, turn: Turn) -> None:
    """Ask for the training, as a command would, together with the next time."""
    provider = deps.providers.get(schedule.request.provider)
    run = schedule.run_at(turn.planned_at)
    request = filled(schedule.request, run, schedule.zone)
    refuse_names(provider, request)
    request = await checked(deps, provider, request)
    now = deps.now()
    job = new_job(deps, request, JobState.CHECKING)
    started, skipped = schedule.passed(now, job.id), schedule.passed(now)
    reason = _(
        "Run {number} of {schedule}, planned for {time}.",
        number=run.number,
        schedule=code(schedule.id),
        time=schedule.local(turn.planned_at),
    )
    due = DueRun(
        change=first_change(deps, job, actor=SWITCHYARD, reason=reason),
        started=started,
        skipped=skipped,
        notices=tuple(_told_with_run(deps, schedule, turn)),
        otherwise={asked: _tell_skipped(deps, skipped, turn, why) for asked, why in _IN_THE_WAY.items()},
    )
    answer = await deps.store.run_schedule(
        due,
        same_since=now - deps.limits.same,
        is_exclusive=provider.powers.one_at_a_time,
        caps=replace(deps.limits.caps, commands=None),
    )
    if answer is not None and answer.asked is Asked.NEW:
        deps.nudge("check")


_IN_THE_WAY = {
    Asked.SAME: _("Exactly this was asked for a moment ago."),
    Asked.BUSY: _("The model is in training already, and the service trains one once at a time."),
    Asked.FULL: _(
        "Who planned it has as many living trainings as one may have (SWITCHYARD_LIMITS__LIVING_PER_PERSON)."
    ),
}


def _told_with_run(deps: Deps, schedule: Schedule, turn: Turn) -> list[Notice]:
    """What went by unused before this run, and the card of the former, which named this time as the next."""
    former = schedule.last_job
    drawn = [redraw(deps, former, card_key(former))] if former else []
    if not turn.missed:
        return drawn
    missed = ngettext(
        "{training}: one planned time went by while Switchyard was not there.",
        "{training}: {count:,} planned times went by while Switchyard was not there.",
        turn.missed,
        training=title_of(deps, schedule),
    )
    only = _("What starts now is one run, and no more of them are made up.")
    return [*drawn, tell(deps, schedule, f"missed:{_stamp(turn)}", joined(" ", [missed, only]))]


def _stamp(turn: Turn) -> str:
    return f"{turn.planned_at:%Y%m%dT%H%M}"


async def _skip(deps: Deps, schedule: Schedule, turn: Turn, why: str) -> None:
    passed = schedule.passed(deps.now())
    await deps.store.amend_schedule(passed, notices=[_tell_skipped(deps, passed, turn, why)])


def _tell_skipped(deps: Deps, passed: Schedule, turn: Turn, why: str) -> Notice:
    skipped = _say_skipped(title_of(deps, passed), passed.local(turn.planned_at), turn.missed)
    following = [_("The next is on {time}.", time=passed.local(passed.next_at))] if passed.next_at else []
    return tell(deps, passed, f"skipped:{_stamp(turn)}", joined(" ", [skipped, why, *following]))


def _say_skipped(training: str, time: str, missed: int) -> str:
    if not missed:
        # NOTE: the reason follows as a sentence of its own
        return _("{training}: the run of {time} was skipped.", training=training, time=time)
    return ngettext(
        "{training}: the run of {time}, and one planned time before it was skipped.",
        "{training}: the run of {time}, and {count:,} planned times before it was skipped.",
        missed,
        training=training,
        time=time,
    )
