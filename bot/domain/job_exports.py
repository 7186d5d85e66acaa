"""Trainings that leave the house: a row each as CSV, or all that is kept of each as a line of JSON.

The columns and keys are stable: a later version adds to them, and neither renames nor moves any.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.approvals import Prompt, Vote
from bot.domain.balances import Balance
from bot.domain.exports import csv_line
from bot.domain.history import Span, Story, spans
from bot.domain.jobs import Job, Transition
from bot.domain.requests import Actor, Json

FORMAT = 1
"""Of a line of JSON; a later one tells that keys were added."""


class Form(StrEnum):
    """How trainings are written."""

    CSV = "csv"
    JSONL = "jsonl"


COLUMNS = (
    "job",
    "provider",
    "model",
    "state",
    "requested_by",
    "team",
    "conversation",
    "requested_at",
    "state_at",
    "ended_at",
    "service_id",
    "parameters",
    "data_name",
    "data_sha256",
    "data_rows",
    "data_columns",
    "data_bytes",
    "plan_digest",
    "service_word",
    "progress",
    "metrics",
    "result",
    "result_bytes",
    "error",
    "decisions",
    "decision_about",
    "decision",
    "decided_by",
    "decided_at",
    "decision_reason",
    "decision_rule",
    "decision_digest",
    "moves",
    "last_reason",
    *(f"seconds_{span}" for span in Span),
)


def head(form: Form) -> str:
    """What stands before the first training."""
    return csv_line(COLUMNS) if form is Form.CSV else ""


def line(form: Form, story: Story, now: datetime) -> str:
    """One training, with its end of line. Times are ISO 8601 in UTC, durations seconds."""
    return _row(story, now) if form is Form.CSV else _object(story, now)


# -- a row of CSV -----------------------------------------------------------------------------------------------------


def _row(story: Story, now: datetime) -> str:
    job = story.job
    cells = {
        **_of_job(job),
        "parameters": _dense(job.request.params) if job.request.params else None,
        **{f"data_{key}": value for key, value in (_of_data(job) or {}).items()},
        **_of_service_cells(job),
        "decisions": len(story.decisions()),
        **_of_last_decision(story),
        "moves": len(story.moves),
        "last_reason": story.moves[-1].reason if story.moves else "",
        **{f"seconds_{span}": _seconds(spent) for span, spent in spans(story, now).items()},
    }
    return csv_line(cells.get(column) for column in COLUMNS)


def _of_service_cells(job: Job) -> dict[str, Json]:
    seen = job.look.status
    return {
        "service_word": seen.word if seen else "",
        "progress": seen.progress if seen else None,
        "metrics": _dense(seen.metrics) if seen and seen.metrics else None,
        "result": _dense(seen.result) if seen and seen.result else None,
    }


def _of_last_decision(story: Story) -> dict[str, Json]:
    decided = story.decisions()
    if not decided:
        return {}
    last = decided[-1]
    return {
        "decision_about": last.subject.value,
        "decision": last.answer.value if last.answer else "",
        "decided_by": last.actor.user if last.actor else "",
        "decided_at": _time(last.closed_at),
        "decision_reason": last.reason,
        "decision_rule": last.rule.name,
        "decision_digest": last.digest,
    }


# -- a line of JSON ---------------------------------------------------------------------------------------------------


def _object(story: Story, now: datetime) -> str:
    job, plan, seen = story.job, story.job.plan, story.job.look.status
    told = {
        "format": FORMAT,
        **_of_job(job),
        "parameters": job.request.params,
        "sources": job.request.data,
        "data_of": job.request.kept_from or None,
        "data": _of_data(job) and {**(_of_data(job) or {}), **_more_of_data(job)},
        "plan": [list(pair) for pair in plan.summary] if plan else [],
        "service": seen
        and {
            "word": seen.word,
            "detail": seen.detail,
            "progress": seen.progress,
            "metrics": seen.metrics,
            "result": seen.result,
            "parts": [list(pair) for pair in seen.parts],
            "seen_at": _time(job.look.at),
        },
        "switch": job.switch,
        "moves": [_of_move(move) for move in story.moves],
        "decisions": [_of_prompt(prompt) for prompt in story.prompts],
        "seconds": {span.value: _seconds(spent) for span, spent in spans(story, now).items()},
    }
    return f"{_dense(told)}\n"


def _more_of_data(job: Job) -> dict[str, Json]:
    payload = job.plan.payload if job.plan else None
    if payload is None:
        return {}
    balances = [_of_balance(one) for one in payload.balances]
    return {"facts": payload.facts, "warnings": list(payload.warnings), "balances": balances}


def _of_balance(balance: Balance) -> dict[str, Json]:
    return {
        "part": balance.part,
        "column": balance.column,
        "labels": [list(pair) for pair in balance.counts],
        "other_labels": balance.others,
        "other_rows": balance.other_rows,
    }


def _of_move(move: Transition) -> dict[str, Json]:
    return {
        "number": move.seq,
        "at": _time(move.at),
        "old": move.old and move.old.value,
        "new": move.new.value,
        "event": move.event and move.event.value,
        "by": _person(move.actor),
        "reason": move.reason,
    }


def _of_prompt(prompt: Prompt) -> dict[str, Json]:
    """A question with what became of it; also one that nobody answered."""
    return {
        "about": prompt.subject.value,
        "asked_at": _time(prompt.asked_at),
        "expires_at": _time(prompt.expires_at),
        "asked_by": prompt.asker and _person(prompt.asker),
        "outcome": prompt.outcome.value,
        "answer": prompt.answer and prompt.answer.value,
        "by": prompt.actor and _person(prompt.actor),
        "closed_at": _time(prompt.closed_at),
        "reason": prompt.reason,
        "rule": prompt.rule.name,
        "approvals_needed": prompt.rule.needed,
        "votes": [_of_vote(vote) for vote in prompt.votes],
        "digest": prompt.digest,
    }


def _of_vote(vote: Vote) -> dict[str, Json]:
    return {"by": _person(vote.actor), "for": vote.seat, "at": _time(vote.at), "reason": vote.reason}


# -- what both tell ---------------------------------------------------------------------------------------------------


def _of_job(job: Job) -> dict[str, Json]:
    return {
        "job": job.id,
        "provider": job.request.provider,
        "model": job.request.model,
        "state": job.state.value,
        "requested_by": job.request.actor.user,
        "team": job.request.actor.team,
        "conversation": job.place,
        "requested_at": _time(job.created_at),
        "state_at": _time(job.state_at),
        "ended_at": _time(job.state_at) if job.has_ended else None,
        "service_id": job.remote_id,
        "plan_digest": job.plan.digest() if job.plan else None,
        "result_bytes": job.look.notes.get("result_bytes"),
        "error": job.look.error,
    }


def _of_data(job: Job) -> dict[str, Json] | None:
    payload = job.plan.payload if job.plan else None
    if payload is None:
        return None
    return {
        "name": payload.name,
        "sha256": payload.sha256,
        "rows": payload.rows,
        "columns": payload.columns,
        "bytes": payload.size,
    }


def _person(actor: Actor) -> str | None:
    """A person's id; None for Switchyard itself."""
    return actor.user or None


def _seconds(spent: timedelta) -> float:
    return round(spent.total_seconds(), 3)


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None


def _dense(value: Json) -> str:
    """JSON in one line: also for readers that take the separators of Unicode for ends of lines."""
    text = json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))
    return "".join(_SEPARATORS.get(sign, sign) for sign in text) if _SEPARATORS.keys() & set(text) else text


_SEPARATORS = {"\u2028": "\\u2028", "\u2029": "\\u2029", "\x85": "\\u0085"}


def _plain(value: Json) -> Json:
    """Without numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, float) and value - value != 0 else value


def lines(form: Form, stories: list[Story], now: datetime) -> Iterator[str]:
    """A page of trainings."""
    return (line(form, story, now) for story in stories)
