"""What happens because time has passed: prompts run out, held jobs end, response_urls are forgotten."""

from datetime import timedelta

import structlog

from bot.domain.approvals import Outcome, Prompt, Subject
from bot.domain.jobs import Event, Job, JobState
from bot.ports import Deps
from bot.sentences import _
from bot.usecases.moves import MOOT, amend, card_key, close, is_moot, move, withdraw_open

log = structlog.get_logger()
_HELD_IN = frozenset({JobState.PROPOSED, JobState.APPROVED})
_URL_LIVES = timedelta(minutes=30)


async def expire_due(deps: Deps) -> None:
    """Tick: end what has run out."""
    for prompt in await deps.store.open_prompts():
        await _end_prompt(deps, prompt)
    for job in await deps.store.in_states(_HELD_IN):
        if deps.now() - job.state_at >= deps.limits.held and await _is_held(deps, job):
            await _expire_held(deps, job)
    given_up = await deps.store.forget_urls(deps.now() - _URL_LIVES)
    if given_up:
        log.warning("answers dropped", count=given_up, error="Slack took none of them for half an hour")


async def _end_prompt(deps: Deps, prompt: Prompt) -> None:
    """Close a question whose time is over, or whose training has moved on without it."""
    job = await deps.store.job(prompt.job_id)
    if job is None:
        return
    if is_moot(prompt, job.state):
        await deps.store.amend(amend(deps, close(prompt, Outcome.WITHDRAWN, deps, reason=MOOT)))
        deps.nudge("deliver")
    elif prompt.expires_at is not None and deps.now() >= prompt.expires_at:
        await _expire(deps, prompt, job)


async def _expire(deps: Deps, prompt: Prompt, job: Job) -> None:
    closed = close(prompt, Outcome.EXPIRED, deps)
    if prompt.subject is Subject.CANCEL:
        # The training goes on, as it did while the question was open.
        await deps.store.amend(amend(deps, closed))
    else:
        reason = _("Nobody answered in time; nothing was done.")
        await deps.store.apply([move(deps, job, Event.EXPIRE, reason=reason, closes=[closed])])
    deps.nudge("deliver")


async def _is_held(deps: Deps, job: Job) -> bool:
    card = await deps.store.notice(card_key(job.id))
    return card is not None and card.is_held


async def _expire_held(deps: Deps, job: Job) -> None:
    closes = withdraw_open(deps, await deps.store.prompts(job.id), _("The training was never started."))
    reason = _("Its card found no place within the time for it; nothing was started.")
    await deps.store.apply([move(deps, job, Event.EXPIRE, reason=reason, closes=closes)])
    deps.nudge("deliver")
