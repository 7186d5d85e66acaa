"""What an approver should know besides what is sent: the model that serves now, and how the new one compares."""

from collections.abc import Sequence
from typing import TypeAlias

from bot.domain.approvals import Answer, Outcome, Prompt, Subject
from bot.domain.jobs import Job, JobState
from bot.ports import Deps, JobFilter

Evidence: TypeAlias = tuple[tuple[str, str], ...]
"""Labels with their texts, as they are shown."""

SWITCHED = frozenset({JobState.PROMOTED, JobState.LIVE})


async def gather(deps: Deps, job: Job, subject: Subject) -> Evidence:
    """What is known at this moment. The same store gives the same lines."""
    if subject is not Subject.PROMOTE:
        return ()
    former = await last_switched(deps, job)
    if former is None:
        return (("Serving now", "not known: no training of this model was switched through Switchyard"),)
    approved = _approval(await deps.store.prompts(former.id))
    by = f", approved by {approved}" if approved else ""
    return (("Last switch", f"{former.state_at:%Y-%m-%d %H:%M} UTC, training {former.id}{by}"),)


async def last_switched(deps: Deps, job: Job) -> Job | None:
    """The training of the same model that was switched to before."""
    wanted = JobFilter(provider=job.request.provider, model=job.request.model, states=SWITCHED)
    switched = [one for one in await deps.store.jobs(wanted, limit=50) if one.id != job.id]
    return max(switched, key=lambda one: (one.state_at, one.id), default=None)


def _approval(prompts: Sequence[Prompt]) -> str:
    answered = [one for one in prompts if one.subject is Subject.PROMOTE and one.outcome is Outcome.ANSWERED]
    approved = [one.actor.user for one in answered if one.answer is Answer.APPROVE and one.actor]
    return approved[-1] if approved else ""
