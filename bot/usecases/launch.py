"""The start of a training: reserve, start once, and afterwards only look.

No service takes an idempotency key. So what the service holds is read first (the claim) and committed together with
STARTING; a start whose answer is lost is never repeated but looked for (`settle`).
"""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.domain.changes import Change
from bot.domain.jobs import Event, Job
from bot.errors import Effect, ProviderError, RejectedError
from bot.ports import Deps, Work
from bot.sentences import _
from bot.usecases.deliver import HOLDING
from bot.usecases.health import note_failure
from bot.usecases.looking import failed_look, wait_after, within
from bot.usecases.moves import card_key, move, note

AT_ONCE = 8


async def launch_due(deps: Deps) -> None:
    """Tick: start the approved jobs."""
    lease = deps.now() + deps.limits.upload
    for job in await deps.store.claim_due(Work.LAUNCH, deps.now(), lease, AT_ONCE):
        deps.spawn(job.id, launch(deps, job))


async def launch(deps: Deps, job: Job) -> None:
    """Start one job, if its card has found its place."""
    wait = await _waits_for_card(deps, job)
    if wait is not None:
        await deps.store.apply([note(deps, job, look=job.look, act_at=deps.now() + wait)])
        return
    started = await _reserve(deps, job)
    if started is not None:
        await _start(deps, started)
    deps.nudge("poll")
    deps.nudge("settle")
    deps.nudge("deliver")


async def _waits_for_card(deps: Deps, job: Job) -> timedelta | None:
    """How long to wait for the card, None to go ahead. A conversation that refuses the card holds the job."""
    card = await deps.store.notice(card_key(job.id))
    if card is None or card.sent_ts:
        return None
    if card.is_held:
        return timedelta(seconds=30)
    # A card that was refused before is no slow one: until it stands somewhere, nothing starts.
    is_slow = card.error not in HOLDING and deps.now() - _waits_since(job) >= deps.limits.card
    return None if is_slow else timedelta(milliseconds=200)


def _waits_since(job: Job) -> datetime:
    """Since when the card may be posted; a job that was held waits anew at its new place."""
    placed_at = job.look.notes.get("placed_at")
    return max(job.state_at, datetime.fromisoformat(placed_at)) if placed_at else job.state_at


async def _reserve(deps: Deps, job: Job) -> Job | None:
    """Read the claim and commit STARTING with it; None where the job does not start now."""
    provider = deps.providers.get(job.request.provider)
    if job.plan is None:
        return None
    try:
        claim = await within(deps.limits.step, provider.title, provider.reserve(job.plan, job.id))
    except RejectedError as error:
        starting = move(deps, job, Event.START)
        refused = move(deps, starting.job, Event.REFUSE, reason=_say_nothing_started(error))
        await deps.store.apply([starting, refused])
        return None
    except ProviderError as error:
        await note_failure(deps, job.request.provider, error)
        await deps.store.apply([failed_look(deps, job, error)])
        return None
    # Should what became of the start never be written, `settle` finds the job by this time.
    overdue = deps.now() + deps.limits.upload + deps.limits.step
    is_first = not _tries(job)
    change = move(deps, job, Event.START, claim=claim, act_at=overdue, is_told=is_first)
    [is_ours] = await deps.store.apply([change])
    return change.job if is_ours else None


async def _start(deps: Deps, job: Job) -> None:
    """Send the start, once, and commit what became of it."""
    provider = deps.providers.get(job.request.provider)
    if job.plan is None or job.claim is None:
        return
    try:
        start = provider.start(job.plan, job.claim, _file(deps, job))
        remote_id = await within(deps.limits.upload, provider.title, start)
    except ProviderError as error:
        await note_failure(deps, job.request.provider, error)
        change = _not_started(deps, job, error)
    else:
        limit_at = deps.now() + deps.limits.watch
        look = replace(job.look, limit_at=limit_at)
        change = move(deps, job, Event.ACCEPT, remote_id=remote_id, look=look)
    await deps.store.apply([change])


def _tries(job: Job) -> int:
    """How often the start was surely not sent."""
    return int(job.look.notes.get("launches", 0))


def _file(deps: Deps, job: Job) -> Path | None:
    payload = job.plan.payload if job.plan else None
    return deps.files.spooled(payload.sha256) if payload else None


def _say_nothing_started(error: ProviderError) -> str:
    return _("{problem} Nothing was started.", problem=str(error))


def _not_started(deps: Deps, job: Job, error: ProviderError) -> Change:
    if error.effect is Effect.REFUSED:
        return move(deps, job, Event.REFUSE, reason=_say_nothing_started(error))
    if error.effect is Effect.NONE:
        tries = _tries(job) + 1
        look = replace(job.look, error=str(error), notes={**job.look.notes, "launches": tries})
        wait = wait_after(deps, tries, error)
        later: dict[str, Any] = {"look": look, "act_at": deps.now() + wait, "claim": None}
        # A service that is down for a day costs a line, not one a try.
        return move(deps, job, Event.NOT_SENT, reason=str(error), is_told=tries == 1, **later)
    return move(deps, job, Event.DOUBT, reason=str(error))
