"""What happens because time has passed: prompts run out, held jobs end, response_urls are forgotten."""

from datetime import timedelta

from bot.domain.approvals import GATES, Outcome, Prompt
from bot.domain.jobs import TRANSITIONS, Event, Job, JobState
from bot.ports import Deps
from bot.usecases.moves import card_key, close, move, withdraw_open

_HELD_IN = frozenset({JobState.PROPOSED, JobState.APPROVED})
_URL_LIVES = timedelta(minutes=30)


async def expire_due(deps: Deps) -> None:
    """Tick: end what has run out."""
    for prompt in await deps.store.open_prompts():
        if prompt.subject in GATES and prompt.expires_at is not None and deps.now() >= prompt.expires_at:
            await _expire_prompt(deps, prompt)
    for job in await deps.store.in_states(_HELD_IN):
        if deps.now() - job.state_at >= deps.limits.held and await _is_held(deps, job):
            await _expire_held(deps, job)
    await deps.store.forget_urls(deps.now() - _URL_LIVES)


async def _expire_prompt(deps: Deps, prompt: Prompt) -> None:
    job = await deps.store.job(prompt.job_id)
    if job is None or Event.EXPIRE not in TRANSITIONS[job.state]:
        return
    closed = close(prompt, Outcome.EXPIRED, deps)
    reason = "Nobody answered in time; nothing was done."
    await deps.store.apply([move(deps, job, Event.EXPIRE, reason=reason, closes=[closed])])
    deps.nudge("deliver")


async def _is_held(deps: Deps, job: Job) -> bool:
    card = await deps.store.notice(card_key(job.id))
    return card is not None and card.is_held


async def _expire_held(deps: Deps, job: Job) -> None:
    closes = withdraw_open(deps, await deps.store.prompts(job.id), "The training was never started.")
    reason = "Its card found no place within the time for it; nothing was started."
    await deps.store.apply([move(deps, job, Event.EXPIRE, reason=reason, closes=closes)])
    deps.nudge("deliver")
