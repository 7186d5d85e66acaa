"""Whole stories of jobs, page by page: a long history is never read at once."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlite_utils import Database

from bot.domain.approvals import Prompt
from bot.domain.history import Story
from bot.domain.jobs import Job, Transition
from storage.rows import to_job, to_ms, to_prompt, to_transition
from storage.statements import rows

_AMONG = "job_id IN (SELECT value FROM json_each(:ids))"


def page(db: Database, conditions: str, values: Mapping[str, Any], after: Job | None, limit: int) -> list[Story]:
    """The stories that follow `after`, newest first, as they stood at one moment."""
    db.execute("BEGIN")
    try:
        jobs = _jobs(db, conditions, values, after, limit)
        return _told(db, jobs)
    finally:
        db.execute("COMMIT")


def _jobs(db: Database, conditions: str, values: Mapping[str, Any], after: Job | None, limit: int) -> list[Job]:
    """By the place in the order and not by a number of rows: what is new meanwhile moves nothing to another page."""
    bound = {**values, "limit": limit}
    if after is not None:
        conditions += " AND created_at <= :after_at AND (created_at < :after_at OR id > :after_id)"
        bound |= {"after_at": to_ms(after.created_at), "after_id": after.id}
    sql = f"SELECT * FROM jobs WHERE {conditions} ORDER BY created_at DESC, id LIMIT :limit"
    return [to_job(row) for row in rows(db, sql, bound)]


def _told(db: Database, jobs: Iterable[Job]) -> list[Story]:
    moves: dict[str, list[Transition]] = {job.id: [] for job in jobs}
    prompts: dict[str, list[Prompt]] = {id_: [] for id_ in moves}
    ids = {"ids": json.dumps(list(moves))}
    for row in rows(db, f"SELECT * FROM transitions WHERE {_AMONG} ORDER BY job_id, seq", ids):
        moves[row["job_id"]].append(to_transition(row))
    for row in rows(db, f"SELECT id, job_id, prompt FROM prompts WHERE {_AMONG} ORDER BY asked_at, rowid", ids):
        prompts[row["job_id"]].append(to_prompt(row))
    return [Story(job=job, moves=tuple(moves[job.id]), prompts=tuple(prompts[job.id])) for job in jobs]
