"""The history in the shell: read only, also beside a running bot."""

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any

from bot.app import open_store, utc_now
from bot.audit_log import record_export
from bot.domain.approvals import Prompt
from bot.domain.balances import MOST_KEPT, tell
from bot.domain.history import Story
from bot.domain.job_exports import Form
from bot.domain.jobs import Job, Transition
from bot.domain.text import in_one_line
from bot.errors import StoreError, UsageError
from bot.ports import JobFilter
from bot.settings import Settings
from bot.usecases.export import Written, told_filter, write_stories
from handlers.grammar import parse_history, split
from handlers.views.history import took
from handlers.views.words import PHRASES


async def list_jobs(settings: Settings, query: Sequence[str], *, limit: int, as_json: bool) -> list[str]:
    """A line a job, newest first."""
    async with open_store(settings, read_only=True) as store:
        found = await store.jobs(_wanted(settings, query), limit=limit)
    return [_as_json(job) if as_json else _as_line(job) for job in found] or ["No training fits."]


async def tell_job(settings: Settings, job_id: str) -> list[str]:
    """The story of one job."""
    async with open_store(settings, read_only=True) as store:
        job = await store.job(job_id)
        if job is None:
            raise UsageError(f"Switchyard keeps no training `{job_id}`. `switchyard jobs` lists them.", word=job_id)
        moves, prompts = await store.transitions(job_id), await store.prompts(job_id)
    story = Story(job=job, moves=tuple(moves), prompts=tuple(prompts))
    decisions = [_as_decision(prompt) for prompt in story.decisions()]
    told = [*_facts(settings, job), took(story, utc_now()), *decisions]
    return [_as_line(job), *map(in_one_line, told), *(_as_move(one) for one in moves)]


def _facts(settings: Settings, job: Job) -> Iterator[str]:
    """What was sent, and what came of it."""
    plan, seen = job.plan, job.look.status
    yield from (f"{label}: {value}" for label, value in (plan.summary if plan else ()))
    if plan and plan.payload:
        file = plan.payload
        gone = "" if (settings.spool_folder / file.sha256).is_file() else ", data deleted"
        yield f"Data: {file.name}, {file.rows:,} rows, {file.size:,} bytes, SHA-256 {file.sha256}{gone}"
        yield from (f"{label}: {value}" for label, value in file.facts.items())
        # As people read it in Slack, where it is escaped.
        yield from (f"{heading}: {unescape(told)}" for heading, told in tell(file.balances, MOST_KEPT))
        yield from (f"Warning: {warning}" for warning in file.warnings)
    if job.remote_id:
        yield f"At the service: {job.remote_id}"
    if seen:
        yield f"The service said last: {seen.word}"
        yield from (f"{key}: {value}" for key, value in {**seen.result, **seen.metrics}.items())


def _as_decision(prompt: Prompt) -> str:
    """Who answered what and why, under which rule, and what it was bound to."""
    who = prompt.actor.user if prompt.actor else "nobody"
    rule = f", rule {prompt.rule.name}" if prompt.rule.name else ""
    votes = f", approved by {' '.join(vote.actor.user for vote in prompt.votes)}" if prompt.votes else ""
    reason = f": {prompt.reason}" if prompt.reason else ""
    answer = prompt.answer.value if prompt.answer else ""
    return f"{prompt.subject.value}: {answer} by {who}{rule}{votes}, digest {prompt.digest[:12]}{reason}"


def export_jobs(settings: Settings, query: Sequence[str], target: Path, form: Form, *, may_replace: bool) -> str:
    """Write every training that fits into a file, `-` is the standard output; the sentence that says so.

    The file gets its name, or is printed, once it is complete and its export is on record. Raises StoreError.
    """
    is_printed = str(target) == "-"
    if not is_printed and target.exists() and not may_replace:
        raise StoreError(f"{target} exists already; `--force` replaces it. Nothing was exported.")
    wanted = _wanted(settings, query)
    try:
        with tempfile.TemporaryDirectory(prefix=".switchyard-", dir=None if is_printed else target.parent) as folder:
            part = Path(folder) / "part"
            written = asyncio.run(_write(settings, wanted, form, part))
            facts: dict[str, Any] = {
                "format": form,
                "filter": told_filter(wanted),
                "rows": written.rows,
                "sha256": written.sha256,
            }
            record_export(settings, "jobs", "standard output" if is_printed else target.name, **facts)
            _hand_over(part, target)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}.") from error
    return f"{written.rows:,} training{'' if written.rows == 1 else 's'} exported."


async def _write(settings: Settings, wanted: JobFilter, form: Form, part: Path) -> Written:
    async with open_store(settings, read_only=True) as store:
        return await write_stories(store, wanted, form, part, utc_now)


def _hand_over(part: Path, target: Path) -> None:
    if str(target) != "-":
        part.replace(target)
        return
    with part.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _wanted(settings: Settings, query: Sequence[str]) -> JobFilter:
    words = split(" ".join(["all", *query]))
    return parse_history(words, providers=list(settings.providers), place="", user="", now=utc_now())


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
