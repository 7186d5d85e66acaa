"""What served before a training of the same model, and whether its data is still kept here."""

import asyncio
from pathlib import Path

from bot.domain.jobs import SWITCHED, Job
from bot.domain.requests import Payload
from bot.ports import Deps, JobFilter
from bot.sentences import _

_MOST = 200


def result_key(job_id: str) -> str:
    """The key of the notice that puts a training's result file into its conversation."""
    return f"{job_id}:result"


async def served_before(deps: Deps, job: Job) -> Job | None:
    """The training of the same model that was switched to last, before this one where this one was switched to."""
    wanted = JobFilter(provider=job.request.provider, model=job.request.model, states=SWITCHED)
    switched = [one for one in await deps.store.jobs(wanted, limit=_MOST) if one.id != job.id]
    if job.state in SWITCHED:
        switched = [one for one in switched if _order(one) < _order(job)]
    return max(switched, key=_order, default=None)


def _order(job: Job) -> tuple[object, str]:
    return job.state_at, job.id


async def kept_data(deps: Deps, former: Job | None) -> Payload | None:
    """The data of a training, where its bytes still lie in the spool; None where they are gone or never were here."""
    payload = former.plan.payload if former and former.plan else None
    if payload is None:
        return None
    is_there = await asyncio.to_thread(_is_there, deps.files.spooled(payload.sha256), payload.size)
    return payload if is_there else None


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def say_way_back(title: str, former: Job | None, kept: Payload | None) -> str:
    """One sentence on the way back from a switch that its service cannot take back. Nothing in it is a mark."""
    if former is None:
        # NOTE: stands after "Way back: "
        return _(
            "none at {service}, and nothing that served before was trained through Switchyard: no data of it is kept.",
            service=title,
        )
    if kept is None:
        return _(
            "none at {service}, and the data of training {job}, which served before, is not kept here any more.",
            service=title,
            job=former.id,
        )
    return _(
        "none at {service}; prepared: train once more with {file}, the data of training {job}, kept here.",
        service=title,
        file=kept.name,
        job=former.id,
    )
