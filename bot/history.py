"""The history in the shell: read only, also beside a running bot."""

import json
from collections.abc import Sequence
from datetime import datetime

from bot.app import open_store, utc_now
from bot.domain.jobs import Job, Transition
from bot.errors import UsageError
from bot.settings import Settings
from handlers.grammar import parse_history, split
from handlers.views.words import PHRASES


async def list_jobs(settings: Settings, query: Sequence[str], *, limit: int, as_json: bool) -> list[str]:
    """A line a job, newest first."""
    names = list(settings.providers)
    wanted = parse_history(split(" ".join(["all", *query])), providers=names, place="", user="", now=utc_now())
    async with open_store(settings, read_only=True) as store:
        found = await store.jobs(wanted, limit=limit)
    return [_as_json(job) if as_json else _as_line(job) for job in found] or ["No training fits."]


async def tell_job(settings: Settings, job_id: str) -> list[str]:
    """The story of one job."""
    async with open_store(settings, read_only=True) as store:
        job = await store.job(job_id)
        if job is None:
            raise UsageError(f"Switchyard keeps no training `{job_id}`. `switchyard jobs` lists them.", word=job_id)
        transitions = await store.transitions(job_id)
    facts = [f"{label}: {value}" for label, value in (job.plan.summary if job.plan else ())]
    return [_as_line(job), *facts, *(_as_move(one) for one in transitions)]


def _as_line(job: Job) -> str:
    state = PHRASES[job.state]
    return f"{_when(job.created_at)}  {job.id}  {job.request.provider:<12} {job.request.model:<24} {state}"


def _as_move(move: Transition) -> str:
    who = f" by {move.actor.user}" if move.actor.user else ""
    return f"  {_when(move.at)}  {PHRASES[move.new]}{who}{f': {move.reason}' if move.reason else ''}"


def _as_json(job: Job) -> str:
    line = {
        "id": job.id,
        "provider": job.request.provider,
        "model": job.request.model,
        "state": job.state.value,
        "user": job.request.actor.user,
        "place": job.place,
        "created_at": job.created_at.isoformat(),
        "state_at": job.state_at.isoformat(),
        "remote_id": job.remote_id,
        "sha256": job.plan.payload.sha256 if job.plan and job.plan.payload else None,
    }
    return json.dumps(line, ensure_ascii=False)


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
