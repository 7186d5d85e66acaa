"""Recurring trainings: which there are, whose turn it is, and what stands in the way of one more."""

from datetime import datetime
from typing import Any

from sqlite_utils import Database

from bot.domain.recurring import Schedule, ScheduleState
from bot.ports import Caps, Planned
from storage.rows import Row, readable, schedule_row, to_ms, to_schedule
from storage.statements import first, insert, rows, update

DUE = "act_at <= :now ORDER BY act_at, rowid LIMIT :limit"
_LIVES = f"state != '{ScheduleState.ENDED}'"


def find(db: Database, schedule_id: str) -> Schedule | None:
    return _read(first(db, "SELECT * FROM schedules WHERE id = :id", {"id": schedule_id}))


def of_delivery(db: Database, key: str) -> Schedule | None:
    return _read(first(db, "SELECT * FROM schedules WHERE key = :key", {"key": key}))


def _read(row: Row | None) -> Schedule | None:
    return to_schedule(row) if row else None


def in_the_way(db: Database, schedule: Schedule, caps: Caps) -> tuple[Planned, Schedule] | None:
    """What keeps a schedule from being made: an equal one, or too many."""
    same = first(
        db,
        f"SELECT * FROM schedules WHERE fingerprint = :fingerprint AND {_LIVES} LIMIT 1",
        {"fingerprint": schedule.fingerprint},
    )
    if same:
        return Planned.SAME, to_schedule(same)
    request = schedule.request
    if caps.schedules is not None and _count(db, "user", request.actor.user) >= caps.schedules:
        return Planned.FULL, schedule
    if caps.schedules_here is not None and _count(db, "place", request.channel) >= caps.schedules_here:
        return Planned.CROWDED, schedule
    return None


def _count(db: Database, column: str, value: str) -> int:
    row = first(db, f"SELECT count(*) AS number FROM schedules WHERE {column} = :value AND {_LIVES}", {"value": value})
    return int(row["number"]) if row else 0


def add(db: Database, schedule: Schedule, url: str) -> None:
    insert(db, "schedules", {**schedule_row(schedule), "act_at": _turn(schedule), "url": url})


def write(db: Database, schedule: Schedule) -> bool:
    """Over the version before; False where another one stands there. An answer is owed only before the first time."""
    columns: dict[str, Any] = {**schedule_row(schedule), "act_at": _turn(schedule), "url": ""}
    return update(
        db,
        "schedules",
        columns,
        "id = :which AND version = :former",
        which=schedule.id,
        former=schedule.version - 1,
    )


def rewrite(db: Database, schedule: Schedule) -> None:
    """Over what was written a moment ago, in the same transaction."""
    columns = {**schedule_row(schedule), "act_at": _turn(schedule)}
    update(db, "schedules", columns, "id = :which", which=schedule.id)


def _turn(schedule: Schedule) -> int | None:
    """A new one has its turn at once."""
    is_new = schedule.state is ScheduleState.NEW
    return to_ms(schedule.created_at if is_new else schedule.next_at)


def put_off(db: Database, schedule_id: str, until: datetime) -> None:
    update(db, "schedules", {"act_at": to_ms(until)}, "id = :which", which=schedule_id)


def resume(db: Database) -> None:
    """Leases of a process that is gone end; a schedule that is new has its turn at once."""
    db.execute(f"UPDATE schedules SET act_at = coalesce(next_at, 0) WHERE {_LIVES}")


def listed(db: Database, team: str, place: str, user: str, limit: int) -> list[Schedule]:
    wanted = {"team": team, "place": place, "user": user}
    which = " AND ".join([_LIVES, *(f"{column} = :{column}" for column, value in wanted.items() if value)])
    sql = f"SELECT * FROM schedules WHERE {which} ORDER BY next_at IS NULL, next_at, rowid LIMIT :limit"
    return readable(to_schedule, rows(db, sql, {**wanted, "limit": limit}))


def count(db: Database, team: str) -> int:
    row = first(db, f"SELECT count(*) AS number FROM schedules WHERE team = :team AND {_LIVES}", {"team": team})
    return int(row["number"]) if row else 0


def url_of(db: Database, schedule_id: str) -> str:
    row = first(db, "SELECT url FROM schedules WHERE id = :id", {"id": schedule_id})
    return str(row["url"]) if row else ""


def forget_urls(db: Database, before: datetime) -> None:
    """A schedule that is new for so long can be answered no more."""
    db.execute("UPDATE schedules SET url = '' WHERE url != '' AND created_at < :before", {"before": to_ms(before)})
