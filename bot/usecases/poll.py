"""Looking at the trainings that run: due jobs, one call for many where the service allows it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

from bot.domain.approvals import Outcome, Prompt, Subject
from bot.domain.changes import Change, Notice
from bot.domain.jobs import (
    AT_SERVICE,
    TRAINED_AT,
    TRANSITIONS,
    Event,
    Job,
    JobState,
    Look,
    Phase,
    RemoteStatus,
    observe,
)
from bot.domain.pace import next_look
from bot.domain.text import code
from bot.errors import NotFoundError, ProviderError, RejectedError, UnreachableError
from bot.ports import Deps, Gate, Provider, Work
from bot.sentences import _
from bot.usecases.cards import has_aged
from bot.usecases.health import note_answer, note_failure
from bot.usecases.looking import failed_look, watched, within
from bot.usecases.moves import MOOT, card_key, is_moot, move, note, redraw, tell_line, withdraw_open
from bot.usecases.prompting import ask, ask_gate
from bot.usecases.settle import look_for

AT_ONCE = 500
LOST_AFTER_LOOKS = 3
PASSED_OVER = "passed_over"
"""The note of the words by which a person does not take the training for failed."""


async def poll_due(deps: Deps) -> None:
    """Tick: look at every training whose turn it is."""
    lease = deps.now() + 2 * deps.limits.step
    due = await deps.store.claim_due(Work.POLL, deps.now(), lease, AT_ONCE)
    usable = deps.providers.configured()
    for (provider, group), jobs in _grouped(deps, [job for job in due if job.request.provider in usable]):
        deps.spawn(f"{provider}:{group}", look_at(deps, provider, jobs))
    orphans = [job for job in due if job.request.provider not in usable]
    if orphans:
        await deps.store.apply([failed_look(deps, job, _not_configured(job)) for job in orphans])


def _not_configured(job: Job) -> ProviderError:
    return ProviderError(
        _(
            "The provider {provider} is not configured any more, so it is not looked at.",
            provider=job.request.provider,
        )
    )


def _grouped(deps: Deps, jobs: Sequence[Job]) -> list[tuple[tuple[str, str], list[Job]]]:
    """The jobs that one call can answer together; a job that is not found yet, or is being cancelled, goes alone."""

    def key(job: Job) -> tuple[str, str]:
        provider = deps.providers.get(job.request.provider)
        is_plain = provider.powers.many and job.remote_id is not None and job.state is not JobState.CANCELLING
        return provider.name, provider.group(watched(job)) if is_plain else job.id

    return [(key_, list(group)) for key_, group in groupby(sorted(jobs, key=key), key=key)]


async def look_at(deps: Deps, provider_name: str, jobs: Sequence[Job]) -> None:
    """Look at jobs of one provider and write what moved, all in one transaction."""
    provider = deps.providers.get(provider_name)
    seen = await _ask_service(deps, provider, jobs)
    changes = [await _after_look(deps, provider, job, seen[job.id]) for job in jobs]
    await deps.store.apply(changes)
    await _note_health(deps, provider_name, list(seen.values()))
    deps.nudge("deliver")
    deps.nudge("collect")


Seen = RemoteStatus | ProviderError | str
"""What a look brought: a status, an error, or the id of a training that was accepted without one."""


async def _ask_service(deps: Deps, provider: Provider, jobs: Sequence[Job]) -> Mapping[str, Seen]:
    if len(jobs) == 1:
        return {jobs[0].id: await _ask_about_one(deps, provider, jobs[0])}
    try:
        call = provider.statuses([watched(job) for job in jobs])
        answers = await within(deps.limits.step, provider.title, call)
    except ProviderError as error:
        return {job.id: error for job in jobs}
    forgotten = UnreachableError(_("{service} did not answer for this training.", service=provider.title))
    return {job.id: answers.get(job.id, forgotten) for job in jobs}


async def _ask_about_one(deps: Deps, provider: Provider, job: Job) -> Seen:
    try:
        if job.remote_id is None:
            found = await look_for(deps, job)
            return found.remote_id or _not_found_yet(job)
        await _send_cancel(deps, provider, job)
        return await within(deps.limits.step, provider.title, provider.status(watched(job)))
    except ProviderError as error:
        return error


def _not_found_yet(job: Job) -> RemoteStatus:
    return job.look.status or RemoteStatus(phase=None, word="", detail=_("accepted; waiting for it to appear"))


async def _send_cancel(deps: Deps, provider: Provider, job: Job) -> None:
    """Ask the service to stop; asking twice does no harm, so a crash in between is none."""
    if job.state is JobState.CANCELLING and not job.look.notes.get("cancel_sent"):
        await within(deps.limits.step, provider.title, provider.cancel(watched(job)))


async def _after_look(deps: Deps, provider: Provider, job: Job, seen: Seen) -> Change:
    if isinstance(seen, str):
        look = replace(job.look, at=deps.now(), error="", failures=0)
        return note(deps, job, look=look, remote_id=seen, act_at=deps.now(), notices=_redrawn(deps, job))
    if isinstance(seen, NotFoundError):
        return await _after_not_found(deps, job, seen)
    if isinstance(seen, RejectedError) and _cancel_was_refused(job):
        return move(deps, job, Event.RUN, reason=_("The cancelling was refused: {problem}", problem=str(seen)))
    if isinstance(seen, ProviderError):
        change = failed_look(deps, job, seen)
        return replace(change, job=replace(change.job, act_at=None)) if _is_over(deps, job) else change
    return await _after_status(deps, provider, job, seen)


def _cancel_was_refused(job: Job) -> bool:
    return job.state is JobState.CANCELLING and not job.look.notes.get("cancel_sent")


async def _after_status(deps: Deps, provider: Provider, job: Job, seen: RemoteStatus) -> Change:
    event = observe(job, seen, has_switch=provider.powers.gate is Gate.AFTER)
    looked = replace(job, look=_looked(deps, job, seen))
    if event is None or (event is Event.FAIL and seen.word in job.look.notes.get(PASSED_OVER, ())):
        return await _no_move(deps, looked, seen, before=job)
    closes = withdraw_open(deps, _settled_by(job, event, await deps.store.prompts(job.id)), MOOT)
    opens = [await ask_gate(deps, looked, Subject.PROMOTE)] if event is Event.OFFER else []
    # The counters start anew with the state, what was seen stays.
    change = move(deps, looked, event, reason=_reason(provider, event, seen), opens=opens, closes=closes)
    return replace(change, notices=(*_new_word(deps, job, seen, job), *change.notices))


def _settled_by(job: Job, event: Event, prompts: Sequence[Prompt]) -> list[Prompt]:
    """Whether a training may be cancelled stays a question as long as it waits or runs."""
    state = TRANSITIONS[job.state][event]
    return [one for one in prompts if one.subject is not Subject.CANCEL or is_moot(one, state)]


def _reason(provider: Provider, event: Event, seen: RemoteStatus) -> str:
    """A failure is told in the service's own word: that it stands for one may be our reading."""
    if event is not Event.FAIL:
        return seen.detail
    service, word = provider.title, code(seen.word)
    if seen.detail:
        return _("{service} says {word}: {detail}", service=service, word=word, detail=seen.detail)
    return _("{service} says {word}.", service=service, word=word)


def _looked(deps: Deps, job: Job, seen: RemoteStatus) -> Look:
    told = job.look.told if seen.is_known else tuple(dict.fromkeys((*job.look.told, seen.word)))
    notes = {**job.look.notes, "cancel_sent": True} if job.state is JobState.CANCELLING else job.look.notes
    if seen.phase is Phase.TRAINED and TRAINED_AT not in notes:
        notes = {**notes, TRAINED_AT: deps.now().isoformat()}
    return replace(
        job.look,
        at=deps.now(),
        looks=job.look.looks + 1,
        failures=0,
        error="",
        lost=0,
        lost_since=None,
        status=seen,
        told=told,
        notes=notes,
    )


async def _no_move(deps: Deps, job: Job, seen: RemoteStatus, *, before: Job) -> Change:
    notices = _new_word(deps, job, seen, before)
    if _shows_news(before.look, job.look) or await has_aged(deps, job, before.look.at):
        notices += _redrawn(deps, job)
    act_at = _next_look(deps, job)
    opens = await _ask_whether_to_go_on(deps, job)
    return note(deps, job, look=job.look, act_at=act_at, notices=notices, opens=opens)


def _new_word(deps: Deps, job: Job, seen: RemoteStatus, before: Job) -> list[Notice]:
    """A word that we do not know is told once, verbatim."""
    if seen.is_known or seen.word in before.look.told:
        return []
    title = deps.providers.get(job.request.provider).title
    return [tell_line(deps, job, f"word:{seen.word}", _say_new_word(title, seen))]


def _say_new_word(service: str, seen: RemoteStatus) -> str:
    if seen.phase is None:
        return _(
            "{service} says {word}, a word that is not documented. It is shown as it is; nothing moves by it.",
            service=service,
            word=code(seen.word),
        )
    return _(
        "{service} says {word}, a word that is not documented. It is shown as it is; it is taken for a training that "
        "runs.",
        service=service,
        word=code(seen.word),
    )


def _shows_news(before: Look, after: Look) -> bool:
    return (before.status, before.error) != (after.status, after.error)


def _redrawn(deps: Deps, job: Job) -> list[Notice]:
    return [redraw(deps, job.id, card_key(job.id))]


def _next_look(deps: Deps, job: Job) -> datetime | None:
    now = deps.now()
    if _is_over(deps, job):
        return None
    age = now - (job.state_at if job.state is JobState.DONE else job.created_at)
    return now + next_look(deps.limits.pace, age)


def _is_over(deps: Deps, job: Job) -> bool:
    """Was it looked for long enough whether the trained model serves?"""
    return job.state is JobState.DONE and deps.now() - job.state_at >= deps.limits.live


async def _ask_whether_to_go_on(deps: Deps, job: Job) -> list[Prompt]:
    """The time limit moves nothing: it asks, once."""
    limit_at = job.look.limit_at
    if job.state not in AT_SERVICE or limit_at is None or deps.now() < limit_at:
        return []
    asked = [prompt for prompt in await deps.store.prompts(job.id) if prompt.subject is Subject.GO_ON]
    is_open = any(prompt.outcome is Outcome.OPEN for prompt in asked)
    return [] if is_open else [ask(deps, job, Subject.GO_ON)]


async def _after_not_found(deps: Deps, job: Job, error: NotFoundError) -> Change:
    """Lost only after the documented not-found on three looks over the time set for it."""
    now, since = deps.now(), job.look.lost_since or deps.now()
    lost = job.look.lost + 1
    if job.state in AT_SERVICE and lost >= LOST_AFTER_LOOKS and now - since >= deps.limits.lost:
        closes = withdraw_open(deps, await deps.store.prompts(job.id), _("The service no longer knows the training."))
        return move(deps, job, Event.LOSE, reason=str(error), closes=closes)
    look = replace(job.look, at=now, lost=lost, lost_since=since, error=str(error), failures=0)
    pause = min(deps.limits.pace.longest, max(deps.limits.lost / LOST_AFTER_LOOKS, timedelta(milliseconds=50)))
    notices = _redrawn(deps, job) if job.look.error != str(error) else []
    return note(deps, job, look=look, act_at=None if _is_over(deps, job) else now + pause, notices=notices)


async def _note_health(deps: Deps, provider: str, seen: Sequence[Seen]) -> None:
    failures = [one for one in seen if isinstance(one, ProviderError)]
    if failures and len(failures) == len(seen):
        await note_failure(deps, provider, failures[0])
    else:
        await note_answer(deps, provider)
