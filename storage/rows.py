"""Rows to values and back. JSON columns are validated when read: a damaged row is an error, not a wrong job."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import TypeAdapter

from bot.domain.approvals import Group, Prompt
from bot.domain.attention import About, Follow, Habits, Topic
from bot.domain.changes import Notice, NoticeKind
from bot.domain.forecast import Earlier
from bot.domain.health import ServiceHealth
from bot.domain.jobs import Event, Job, JobState, Look, Transition
from bot.domain.people import Person
from bot.domain.recurring import Schedule
from bot.domain.requests import Actor, Json, Plan, TrainRequest
from bot.domain.text import cut, in_one_line
from bot.errors import StoreError
from bot.ports import Asked, Click, Identity, Inquiry, Undelivered, Visit
from bot.sentences import Sentence, _, pack, unpack

log = logging.getLogger(__name__)
T = TypeVar("T")

REQUEST = TypeAdapter(TrainRequest)
PLAN = TypeAdapter(Plan)
LOOK = TypeAdapter(Look)
PROMPT = TypeAdapter(Prompt)
CLICK = TypeAdapter(Click)
HEALTH = TypeAdapter(ServiceHealth)
INQUIRY = TypeAdapter(Inquiry)
VISIT = TypeAdapter(Visit)
PERSON = TypeAdapter(Person)
IDENTITY = TypeAdapter(Identity)
HABITS = TypeAdapter(Habits)
SCHEDULE = TypeAdapter(Schedule)
_JSON: TypeAdapter[Mapping[str, Json]] = TypeAdapter(dict[str, Any])

Row = Mapping[str, Any]
_NO_TRAINING = timedelta(days=3660)
"""Added to a time it still is one."""


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


@contextmanager
def _reading(what: str | Callable[[], str], row: Row, *numbers: str) -> Iterator[None]:
    """Turn whatever a damaged cell leads to into a StoreError. `numbers` are columns that nothing else checks.

    What a person may read, in place of an export, is a sentence; it is made only where it is needed.
    """
    try:
        _refuse_odd_cells(row, numbers)
        yield
    except (ValueError, TypeError, OverflowError, RecursionError, OSError) as error:
        name = _name(what) if isinstance(what, str) else what()
        raise StoreError(_("{what} cannot be read: its row in the database is damaged.", what=name)) from error


def _name(cell: object) -> str:
    return cut(in_one_line(str(cell)), 100)


def _refuse_odd_cells(row: Row, numbers: Iterable[str]) -> None:
    """SQLite keeps whatever a cell is given: a column's type turns numbers into texts and back, and no more."""
    if any(isinstance(cell, bytes) for cell in row.values()):
        raise TypeError("bytes where there is never a blob")
    if not all(isinstance(row[name], int) for name in numbers):
        raise TypeError("no number where there always is one")


def readable(convert: Callable[[Row], T], found: Iterable[Row]) -> list[T]:
    """The values of those rows that can be read. A damaged one is logged, and keeps no other from being worked on."""
    values = []
    for row in found:
        try:
            values.append(convert(row))
        except StoreError as error:
            log.error("%s It is left alone.", error)  # noqa: TRY400  the sentence says it all
    return values


def searched(job_id: str, model: str, *texts: Mapping[str, Json]) -> str:
    """What a search of the history looks at: id, model and parameters, in one case."""
    return "\n".join([job_id, model, *(word for text in texts for word in _leaves(text))]).casefold()


def _leaves(value: Json) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value if isinstance(value, str) else json.dumps(value)


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
        "searched": searched(job.id, job.request.model, job.request.params, job.request.data),
        "place": job.place,
        **moved_columns(job),
        **looked_columns(job),
    }


def moved_columns(job: Job) -> dict[str, Any]:
    """The columns that a move writes, besides those of `looked_columns`.

    The place is not among them: a release may have changed it since the job that is moved was read.
    """
    return {
        "state": job.state.value,
        "previous": job.previous.value if job.previous else None,
        "version": job.version,
        "state_at": to_ms(job.state_at),
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
    with _reading(lambda: _("Job {id}", id=_name(row["id"])), row, "version"):
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


def to_wish(row: Row) -> TrainRequest:
    with _reading("The wish of a command", row):
        return REQUEST.validate_json(row["request"])


def to_asked(row: Row) -> Asked:
    with _reading("The answer to a command", row):
        return Asked(row["asked"])


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
        "said": json.dumps(pack(transition.reason)) if isinstance(transition.reason, Sentence) else None,
    }


def _reason(row: Row) -> str:
    """What the reason is made of, where that is kept: it says the same, or somebody changed one of the two."""
    if row["said"] is None:
        return str(row["reason"])
    said = unpack(json.loads(row["said"]))
    if said != row["reason"]:
        raise ValueError("the reason is kept in two ways")
    return said


def _move(row: Row) -> str:
    return _("Move {number} of job {id}", number=_name(row["seq"]), id=_name(row["job_id"]))


def to_transition(row: Row) -> Transition:
    with _reading(lambda: _move(row), row, "seq"):
        return Transition(
            job_id=row["job_id"],
            seq=row["seq"],
            at=_time(row["at"]),
            old=JobState(row["old"]) if row["old"] else None,
            new=JobState(row["new"]),
            event=Event(row["event"]) if row["event"] else None,
            actor=Actor(team=row["team"], user=row["user"]),
            reason=_reason(row),
        )


def prompt_row(prompt: Prompt) -> dict[str, Any]:
    return {
        "id": prompt.id,
        "job_id": prompt.job_id,
        "outcome": prompt.outcome.value,
        "asked_at": to_ms(prompt.asked_at),
        "prompt": dump(PROMPT, prompt),
    }


def to_prompt(row: Row) -> Prompt:
    with _reading(lambda: _("Prompt {id}", id=_name(row["id"])), row):
        return PROMPT.validate_json(row["prompt"])


def click_row(click: Click) -> dict[str, Any]:
    return {"id": click.id, "prompt_id": click.prompt_id, "user": click.actor.user, "click": dump(CLICK, click)}


def to_click(row: Row) -> Click:
    with _reading(f"Click {row['id']}", row):
        return CLICK.validate_json(row["click"])


def inquiry_row(inquiry: Inquiry) -> dict[str, Any]:
    return {"id": inquiry.id, "act_at": to_ms(inquiry.asked_at), "inquiry": dump(INQUIRY, inquiry)}


def to_inquiry(row: Row) -> Inquiry:
    with _reading(f"Question {row['id']} to a service", row):
        return INQUIRY.validate_json(row["inquiry"])


def visit_row(visit: Visit) -> dict[str, Any]:
    return {"user": visit.actor.user, "opened_at": to_ms(visit.opened_at), "visit": dump(VISIT, visit)}


def to_visit(row: Row) -> Visit:
    with _reading(f"The Home tab of {row['user']}", row):
        return VISIT.validate_json(row["visit"])


def person_row(person: Person) -> dict[str, Any]:
    return {"id": person.id, "person": dump(PERSON, person)}


def to_person(row: Row) -> Person:
    with _reading(f"What is kept of {row['id']}", row):
        return PERSON.validate_json(row["person"])


def identity_row(identity: Identity) -> dict[str, Any]:
    return {"token": identity.token, "identity": dump(IDENTITY, identity)}


def to_identity(row: Row) -> Identity:
    with _reading("Who the bot is", row):
        return IDENTITY.validate_json(row["identity"])


def follow_row(wish: Follow) -> dict[str, Any]:
    return {
        "id": wish.id,
        "team": wish.team,
        "target": wish.target,
        "provider": wish.about.provider,
        "model": wish.about.model,
        "topic": wish.topic.value,
        "by": wish.by,
        "at": to_ms(wish.at),
    }


def to_follow(row: Row) -> Follow:
    with _reading(f"What {row['target']} follows", row, "at"):
        return Follow(
            id=row["id"],
            team=row["team"],
            target=row["target"],
            about=About(provider=row["provider"], model=row["model"]),
            topic=Topic(row["topic"]),
            by=row["by"],
            at=from_ms(row["at"]),
        )


def habits_row(habits: Habits) -> dict[str, Any]:
    return {"user": habits.user, "habits": dump(HABITS, habits)}


def to_habits(row: Row) -> Habits:
    with _reading(f"What {row['user']} wants to be told", row):
        return HABITS.validate_json(row["habits"])


def schedule_row(schedule: Schedule) -> dict[str, Any]:
    """Every column but the time of its next turn and the url."""
    request = schedule.request
    return {
        "id": schedule.id,
        "key": request.request_key,
        "fingerprint": schedule.fingerprint,
        "team": request.actor.team,
        "user": request.actor.user,
        "place": request.channel,
        "state": schedule.state.value,
        "created_at": to_ms(schedule.created_at),
        "next_at": to_ms(schedule.next_at),
        "version": schedule.version,
        "schedule": dump(SCHEDULE, schedule),
    }


def to_schedule(row: Row) -> Schedule:
    with _reading(f"Recurring training {row['id']}", row):
        return SCHEDULE.validate_json(row["schedule"])


def health_row(health: ServiceHealth) -> dict[str, Any]:
    return {"provider": health.name, "health": dump(HEALTH, health)}


def to_health(row: Row) -> ServiceHealth:
    with _reading(f"The health of {row['provider']}", row):
        return HEALTH.validate_json(row["health"])


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
    with _reading(f"Message {row['key']}", row, "attempts"):
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


def to_undelivered(row: Row) -> Undelivered:
    with _reading(f"A message of {row['job_id'] or 'the outbox'}", row):
        return Undelivered(
            kind=NoticeKind(row["kind"]),
            job_id=row["job_id"],
            is_dropped=row["state"] == "dropped",
            is_held=row["state"] == "held",
            error=row["error"],
        )


def to_earlier(row: Row) -> Earlier:
    with _reading("What an earlier training took", row, "took"):
        took = timedelta(milliseconds=row["took"])
        if not timedelta() <= took < _NO_TRAINING:
            raise ValueError("no training takes that long")
        return Earlier(took=took, is_same_model=bool(row["is_same_model"]))


def group_row(group: Group) -> dict[str, Any]:
    return {
        "id": group.id,
        "members": " ".join(sorted(group.members)),
        "read_at": to_ms(group.read_at),
        "failing_since": to_ms(group.failing_since),
        "changes": group.changes,
    }


def to_group(row: Row) -> Group:
    with _reading(f"Group {row['id']}", row):
        return Group(
            id=row["id"],
            members=frozenset(str.split(row["members"])),
            read_at=from_ms(row["read_at"]),
            failing_since=from_ms(row["failing_since"]),
            changes=int(row["changes"]),
        )
