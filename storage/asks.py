"""How much one person asks for and has: counted where it is written, in the same transaction."""

from datetime import datetime, timedelta

from sqlite_utils import Database

from bot.domain.jobs import ENDS
from storage.rows import to_ms
from storage.statements import first, insert, listed

MINUTE = timedelta(minutes=1)


def takes(db: Database, key: str, user: str, at: datetime, most: int | None) -> bool:
    """Count one command, once per delivery; False, uncounted, where the person sent `most` within the last minute.

    A person has one id in all workspaces of an organisation, so the id alone counts.
    """
    db.execute("DELETE FROM asks WHERE at <= :since", {"since": to_ms(at - MINUTE)})
    if most is not None and _asked(db, user, at) >= most:
        return first(db, "SELECT 1 FROM asks WHERE key = :key", {"key": key}) is not None
    insert(db, "asks", {"key": key, "user": user, "at": to_ms(at)}, or_ignore=True)
    return True


def _asked(db: Database, user: str, at: datetime) -> int:
    sql = "SELECT count(*) AS number FROM asks WHERE user = :user AND at <= :now"
    row = first(db, sql, {"user": user, "now": to_ms(at)})
    return int(row["number"]) if row else 0


def oldest_of_full(db: Database, user: str, most: int | None) -> str | None:
    """The id of the person's oldest living job, where there are `most` or more of them."""
    if most is None:
        return None
    alive = f"user = :user AND state NOT IN ({listed(ENDS)})"
    sql = f"SELECT id, count(*) OVER () AS number FROM jobs WHERE {alive} ORDER BY created_at, rowid LIMIT 1"
    row = first(db, sql, {"user": user})
    return str(row["id"]) if row and row["number"] >= most else None
