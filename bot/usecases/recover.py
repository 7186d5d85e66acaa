"""What a new process does first: what the former one left half done is marked as such, and everything is due."""

from bot.domain.jobs import Event, JobState
from bot.ports import Deps
from bot.sentences import _
from bot.usecases.moves import move

_STARTING = frozenset({JobState.STARTING})


async def recover(deps: Deps) -> None:
    """Free the leases of the former process; a start that was under way is in doubt, and is looked for."""
    await deps.store.resume(deps.now())
    starting = await deps.store.in_states(_STARTING)
    reason = _("Switchyard was stopped while it started.")
    await deps.store.apply([move(deps, job, Event.DOUBT, reason=reason) for job in starting])
