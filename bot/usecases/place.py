"""Where a held training goes on: the conversation to which the bot was invited meanwhile, or a direct message."""

from bot.domain.changes import Say
from bot.domain.requests import Actor
from bot.errors import RefusedError
from bot.ports import Deps


async def post_here(deps: Deps, job_id: str, actor: Actor) -> Say:
    """Try the same conversation once more."""
    place = await _held_place(deps, job_id, actor)
    return await _released(deps, await deps.store.release(place, job_id=job_id), "Trying again to post here.")


async def use_dm(deps: Deps, job_id: str, actor: Actor) -> Say:
    """Move the training to the requester's direct message."""
    place = await _held_place(deps, job_id, actor)
    freed = await deps.store.release(place, job_id=job_id, to=actor.user)
    return await _released(deps, freed, "It goes on in your direct messages with Switchyard.")


async def joined(deps: Deps, channel: str) -> None:
    """The bot was invited: what was held for that channel goes on."""
    if await deps.store.release(channel):
        deps.nudge("deliver")


async def _held_place(deps: Deps, job_id: str, actor: Actor) -> str:
    job = await deps.store.job(job_id)
    if job is None or job.request.actor != actor:
        raise RefusedError("Only the person who asked for this training can place it.")
    return job.place


async def _released(deps: Deps, freed: list[str], done: str) -> Say:
    deps.nudge("deliver")
    deps.nudge("launch")
    return Say(text=done if freed else "It is not held any more; look at its card.")
