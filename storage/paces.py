"""How fast messages are edited: it is kept, so that it holds over a restart."""

from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from bot.domain.pace import Allowance
from storage.rows import to_ms
from storage.statements import first

_NAME = "edits"
_UNLIMITED = 1_000_000
_LONGEST_PAUSE = timedelta(hours=1)
"""Slack asks for less; so a time further ahead is that of a clock that was set back."""


def left(db: Database, now: datetime, edits: Allowance | None) -> int:
    """How many messages may be edited now."""
    spent_until, paused_until = _kept(db, now)
    if now < paused_until:
        return 0
    return edits.left(spent_until, now) if edits else _UNLIMITED


def spend(db: Database, now: datetime, edits: Allowance | None, count: int) -> None:
    """So many are about to be edited."""
    if edits and count:
        spent_until, _ = _kept(db, now)
        _keep(db, "spent_until", edits.spend(spent_until, now, count))


def pause(db: Database, until: datetime) -> None:
    """Slack takes no edit before that."""
    _keep(db, "paused_until", until)


def _kept(db: Database, now: datetime) -> tuple[datetime, datetime]:
    row = first(db, "SELECT spent_until, paused_until FROM paces WHERE name = :name", {"name": _NAME}) or {}
    return _time(row.get("spent_until"), now), _time(row.get("paused_until"), now)


def _time(cell: Any, now: datetime) -> datetime:
    """What is damaged, past or too far ahead holds nothing up."""
    ahead = cell / 1000 - now.timestamp() if isinstance(cell, int) else 0.0
    return now + timedelta(seconds=ahead) if 0 < ahead <= _LONGEST_PAUSE.total_seconds() else now


def _keep(db: Database, column: str, at: datetime) -> None:
    later = f"ON CONFLICT DO UPDATE SET {column} = excluded.{column}"
    fields = {"spent_until": 0, "paused_until": 0, column: to_ms(at)}
    sql = f"INSERT INTO paces (name, spent_until, paused_until) VALUES (:name, :spent_until, :paused_until) {later}"
    db.execute(sql, {"name": _NAME, **fields})
