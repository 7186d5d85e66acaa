"""Where a held training goes on: the conversation to which the bot was invited meanwhile, or a direct message."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.changes import Button, Change, Say
from bot.domain.jobs import Job, JobState
from bot.domain.requests import Actor
from bot.ports import Deps
from bot.sentences import _
from bot.usecases.auditing import denied
from bot.usecases.moves import note

USE_DM = _("Use my DM")
_POST_HERE = _("Post here")


async def post_here(deps: Deps, job_id: str, actor: Actor) -> Say:
    """Try the same conversation once more."""
    place = await _held_place(deps, job_id, actor)
    trying = _(
        "Trying again to post here. If no card appears, type `/invite @switchyard` first and press *{button}*.",
        button=_POST_HERE,
    )
    ways = (Button(label=_POST_HERE, action="post_here", value=job_id), _use_dm(job_id))
    return await _released(deps, await deps.store.release(place, job_id=job_id), Say(text=trying, buttons=ways))


async def use_dm(deps: Deps, job_id: str, actor: Actor) -> Say:
    """Move the training to the requester's direct message."""
    place = await _held_place(deps, job_id, actor)
    freed = await deps.store.release(place, job_id=job_id, to=actor.user)
    return await _released(deps, freed, Say(text=_("It goes on in your direct messages with Switchyard.")))


def _use_dm(job_id: str) -> Button:
    return Button(label=USE_DM, action="use_dm", value=job_id)


async def joined(deps: Deps, channel: str) -> None:
    """The bot was invited: what was held for that channel goes on."""
    await _go_on(deps, await deps.store.release(channel))


async def _held_place(deps: Deps, job_id: str, actor: Actor) -> str:
    job = await deps.store.job(job_id)
    if job is None or job.request.actor != actor:
        why = _("Only the person who asked for this training can place it.")
        raise await denied(deps, actor, why, job_id=job_id)
    return job.place


async def _released(deps: Deps, freed: list[str], done: Say) -> Say:
    await _go_on(deps, freed)
    return done if freed else Say(text=_("It is not held any more; look at its card."))


async def _go_on(deps: Deps, freed: Sequence[str]) -> None:
    """The freed jobs are due again, and wait for their cards anew: also this place may refuse them."""
    jobs = [await deps.store.job(id_) for id_ in freed]
    await deps.store.apply([_placed(deps, job) for job in jobs if job and job.state is JobState.APPROVED])
    deps.nudge("deliver")
    deps.nudge("launch")


def _placed(deps: Deps, job: Job) -> Change:
    look = replace(job.look, notes={**job.look.notes, "placed_at": deps.now().isoformat()})
    return note(deps, job, look=look, act_at=deps.now())
