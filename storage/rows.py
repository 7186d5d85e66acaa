"""Rows to values and back. JSON columns are validated when read: a damaged row is an error, not a wrong job."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from bot.domain.approvals import Group, Prompt
from bot.domain.changes import Notice, NoticeKind
from bot.domain.health import ServiceHealth
from bot.domain.jobs import Event, Job, JobState, Look, Transition
from bot.domain.requests import Actor, Json, Plan, TrainRequest
from bot.ports import Click, Inquiry

REQUEST = TypeAdapter(TrainRequest)
PLAN = TypeAdapter(Plan)
LOOK = TypeAdapter(Look)
PROMPT = TypeAdapter(Prompt)
CLICK = TypeAdapter(Click)
HEALTH = TypeAdapter(ServiceHealth)
INQUIRY = TypeAdapter(Inquiry)
_JSON: TypeAdapter[Mapping[str, Json]] = TypeAdapter(dict[str, Any])

Row = Mapping[str, Any]


def to_ms(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)


def from_ms(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def dump(adapter: TypeAdapter[Any], value: Any) -> str:
    return adapter.dump_json(value).decode()


def dump_json(value: Mapping[str, Json] | None) -> str | None:
    return None if value is None else _JSON.dump_json(dict(value)).decode()


def load_json(text: str | None) -> Mapping[str, Json] | None:
    return None if text is None else _JSON.validate_json(text)


def job_row(job: Job) -> dict[str, Any]:
    """Every column of a job."""
    return {
        "id": job.id,
        "provider": job.request.provider,
        "model": job.request.model,
        "team": job.request.actor.team,
        "user": job.request.actor.user,
        "fingerprint": job.request.fingerprint(),
        "created_at": to_ms(job.created_at),
        "request": dump(REQUEST, job.request),
        **moved_columns(job),
        **looked_columns(job),
    }


def moved_columns(job: Job) -> dict[str, Any]:
    """The columns that a move writes."""
    return {
        "state": job.state.value,
        "previous": job.previous.value if job.previous else None,
        "version": job.version,
        "state_at": to_ms(job.state_at),
        "place": job.place,
        "plan": dump(PLAN, job.plan) if job.plan else None,
        "claim": dump_json(job.claim),
    }


def looked_columns(job: Job) -> dict[str, Any]:
    """The columns that bookkeeping writes."""
    return {
        "act_at": to_ms(job.act_at),
        "remote_id": job.remote_id,
        "switch": dump_json(job.switch),
        "look": dump(LOOK, job.look),
    }


def to_job(row: Row) -> Job:
    return Job(
        id=row["id"],
        request=REQUEST.validate_json(row["request"]),
        state=JobState(row["state"]),
        previous=JobState(row["previous"]) if row["previous"] else None,
        created_at=_time(row["created_at"]),
        state_at=_time(row["state_at"]),
        version=row["version"],
        place=row["place"],
        plan=PLAN.validate_json(row["plan"]) if row["plan"] else None,
        claim=load_json(row["claim"]),
        remote_id=row["remote_id"],
        switch=load_json(row["switch"]),
        act_at=from_ms(row["act_at"]),
        look=LOOK.validate_json(row["look"]),
    )


def transition_row(transition: Transition) -> dict[str, Any]:
    return {
        "job_id": transition.job_id,
        "seq": transition.seq,
        "at": to_ms(transition.at),
        "old": transition.old.value if transition.old else None,
        "new": transition.new.value,
        "event": transition.event.value if transition.event else None,
        "team": transition.actor.team,
        "user": transition.actor.user,
        "reason": transition.reason,
    }


def to_transition(row: Row) -> Transition:
    return Transition(
        job_id=row["job_id"],
        seq=row["seq"],
        at=_time(row["at"]),
        old=JobState(row["old"]) if row["old"] else None,
        new=JobState(row["new"]),
        event=Event(row["event"]) if row["event"] else None,
        actor=Actor(team=row["team"], user=row["user"]),
        reason=row["reason"],
    )


def prompt_row(prompt: Prompt) -> dict[str, Any]:
    return {
        "id": prompt.id,
        "job_id": prompt.job_id,
        "outcome": prompt.outcome.value,
        "asked_at": to_ms(prompt.asked_at),
        "prompt": dump(PROMPT, prompt),
    }


def notice_row(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "key": notice.key,
        "kind": notice.kind.value,
        "lane": notice.lane,
        "job_id": notice.job_id,
        "channel": notice.channel,
        "body": dump_json(notice.body),
        "state": "pending",
        "try_at": to_ms(notice.try_at),
        "taken_at": None,
        "attempts": notice.attempts,
        "first_tried_at": to_ms(notice.first_tried_at),
        "in_doubt": int(notice.in_doubt),
        "sent_ts": notice.sent_ts,
        "sent_to": notice.sent_to,
        "error": notice.error,
    }


def to_notice(row: Row) -> Notice:
    return Notice(
        id=row["id"],
        key=row["key"],
        kind=NoticeKind(row["kind"]),
        lane=row["lane"],
        job_id=row["job_id"],
        channel=row["channel"],
        body=load_json(row["body"]) or {},
        try_at=_time(row["try_at"]),
        attempts=row["attempts"],
        first_tried_at=from_ms(row["first_tried_at"]),
        in_doubt=bool(row["in_doubt"]),
        is_held=row["state"] == "held",
        sent_ts=row["sent_ts"],
        sent_to=row["sent_to"],
        error=row["error"],
    )


def group_row(group: Group) -> dict[str, Any]:
    return {
        "id": group.id,
        "members": " ".join(sorted(group.members)),
        "read_at": to_ms(group.read_at),
        "failing_since": to_ms(group.failing_since),
    }


def to_group(row: Row) -> Group:
    return Group(
        id=row["id"],
        members=frozenset(row["members"].split()),
        read_at=from_ms(row["read_at"]),
        failing_since=from_ms(row["failing_since"]),
    )
