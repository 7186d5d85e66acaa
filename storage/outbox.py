"""The outbox: what is to be told, in which order, and what may have been told already."""

from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from bot.domain.changes import OVERTAKEN, Notice, NoticeKind
from bot.domain.jobs import ENDS, JobState
from bot.domain.pace import Allowance
from bot.ports import Undelivered
from storage import homes, paces
from storage.rows import Row, dump_json, notice_row, readable, to_ms, to_notice, to_undelivered
from storage.statements import first, insert, listed, rows, update

TAKEN_FOR = timedelta(minutes=5)
"""A notice that was taken so long ago met something unforeseen: it is taken again, and looked up first."""

_FIRST = (NoticeKind.END, NoticeKind.PROMPT, NoticeKind.REMINDER)
"""What goes out before anything else."""

_TO_SHOW_FIRST = ENDS | {JobState.OFFERED}
"""States whose cards are edited before those of other states."""

UNTAKEN = "state = 'pending' AND try_at <= :now AND (taken_at IS NULL OR taken_at <= :stale)"


def times(now: datetime) -> dict[str, int | None]:
    """The values of UNTAKEN."""
    return {"now": to_ms(now), "stale": to_ms(now - TAKEN_FOR)}


def add(db: Database, notice: Notice) -> None:
    """Put a notice in; one whose key is known stays as it was, a redraw that would be drawn anyway is left out.

    What changes a card or a question changes the Home tabs that show it.
    """
    if notice.kind in homes.DRAWN_BY:
        for drawn in homes.redraws(db, notice):
            _add_home(db, drawn)
    if notice.kind is NoticeKind.HOME:
        _add_home(db, notice)
    elif notice.kind is not NoticeKind.REDRAW or not _will_be_drawn(db, notice):
        insert(db, "notices", notice_row(notice), or_ignore=True)


def _add_home(db: Database, notice: Notice) -> None:
    """One that waits untaken is rendered with what holds by then; it goes out at the earlier of both times."""
    waits = "kind = 'home' AND lane = :lane AND state = 'pending' AND taken_at IS NULL"
    sooner = f"UPDATE notices SET try_at = min(try_at, :at) WHERE {waits}"
    if not db.execute(sooner, {"at": to_ms(notice.try_at), "lane": notice.lane}).rowcount:
        insert(db, "notices", notice_row(notice), or_ignore=True)


def _will_be_drawn(db: Database, redraw: Notice) -> bool:
    """Is the message, or another edit of it, still waiting untaken? Then it is rendered with what holds by then."""
    target = redraw.body["target"]
    waiting = first(
        db,
        """SELECT 1 FROM notices WHERE state IN ('pending', 'held') AND taken_at IS NULL AND in_doubt = 0
           AND lane = :lane AND (key = :target OR (kind = 'redraw' AND body ->> 'target' = :target))""",
        {"lane": redraw.lane, "target": target},
    )
    return waiting is not None


def is_due(db: Database, now: datetime, edits: Allowance | None) -> bool:
    """Is anything waiting that may go? A look beforehand saves most ticks a commit."""
    kinds = "1" if paces.left(db, now, edits) else "kind != 'redraw'"
    return first(db, f"SELECT 1 FROM notices WHERE {UNTAKEN} AND {kinds} LIMIT 1", times(now)) is not None


def take(db: Database, now: datetime, limit: int, edits: Allowance | None) -> list[Notice]:
    """Take what is due, see `bot.ports.Store.take_notices`. The values are those before the taking."""
    due = _posts(db, now, limit)
    drawn = _edits(db, now, min(limit - len(due), paces.left(db, now, edits)))
    paces.spend(db, now, edits, len(drawn))
    for row in (*due, *drawn):
        db.execute(
            """UPDATE notices SET taken_at = :now, attempts = attempts + 1, in_doubt = 1,
               first_tried_at = COALESCE(first_tried_at, :now) WHERE id = :id""",
            {"now": to_ms(now), "id": row["id"]},
        )
    return readable(to_notice, [*due, *drawn])


_EARLIER = """SELECT 1 FROM notices AS o
              WHERE o.lane = n.lane AND o.number < n.number AND o.state IN ('pending', 'held')"""


def _posts(db: Database, now: datetime, limit: int) -> list[Row]:
    """The next of each lane; an edit that waits for its turn holds nobody up."""
    return rows(
        db,
        f"""SELECT * FROM notices AS n WHERE {UNTAKEN} AND kind != 'redraw'
           AND NOT EXISTS ({_EARLIER} AND o.kind != 'redraw')
           ORDER BY kind NOT IN ({listed(_FIRST)}), number LIMIT :limit""",
        {**times(now), "limit": limit},
    )


def _target(row: str) -> str:
    """The key of what is edited; a damaged row has none."""
    return f"CASE WHEN json_valid({row}.body) THEN {row}.body ->> 'target' END"


def _edits(db: Database, now: datetime, limit: int) -> list[Row]:
    """Edits of what stands there, at most one of each message, once everything has gone that was told before."""
    return rows(
        db,
        f"""SELECT * FROM notices AS n WHERE {UNTAKEN} AND kind = 'redraw'
           AND NOT EXISTS ({_EARLIER} AND (o.kind != 'redraw' OR {_target("o")} = {_target("n")}))
           ORDER BY (SELECT kind FROM notices AS t WHERE t.key = {_target("n")}) IS NOT 'prompt',
                    (SELECT jobs.state FROM jobs WHERE jobs.id = n.job_id) NOT IN ({listed(_TO_SHOW_FIRST)}), number
           LIMIT :limit""",
        {**times(now), "limit": limit},
    )


def find(db: Database, key: str) -> Notice | None:
    row = first(db, "SELECT * FROM notices WHERE key = :key", {"key": key})
    return to_notice(row) if row else None


def end(db: Database, notice: Notice, state: str, **columns: Any) -> None:
    """A notice is sent or dropped. What only its reader should see is not kept, nor that a Home tab was drawn."""
    if notice.kind is NoticeKind.HOME and state == "sent":
        db.execute("DELETE FROM notices WHERE id = :id", {"id": notice.id})
        return
    body = {"body": "{}"} if notice.kind is NoticeKind.TOLD else {}
    update(
        db, "notices", {"state": state, "taken_at": None, "in_doubt": 0, **body, **columns}, "id = :id", id=notice.id
    )


def keep_body(db: Database, notice: Notice) -> None:
    update(db, "notices", {"body": dump_json(notice.body)}, "id = :id", id=notice.id)


def put_back(db: Database, notice: Notice, try_at: datetime, *, in_doubt: bool, error: str) -> None:
    row = {"taken_at": None, "try_at": to_ms(try_at), "in_doubt": int(in_doubt), "error": error}
    update(db, "notices", row, "id = :id", id=notice.id)
    if notice.kind is NoticeKind.REDRAW:
        paces.pause(db, try_at)


def hold(db: Database, notice: Notice, error: str) -> None:
    row = {"state": "held", "taken_at": None, "in_doubt": int(notice.in_doubt), "error": error}
    update(db, "notices", row, "id = :id", id=notice.id)


def release(db: Database, job_ids: list[str]) -> None:
    for job_id in job_ids:
        update(db, "notices", {"state": "pending"}, "job_id = :job AND state = 'held'", job=job_id)


def undelivered(db: Database, limit: int) -> list[Undelivered]:
    found = rows(
        db,
        """SELECT kind, job_id, state, error FROM notices
           WHERE state = 'held' OR (state = 'dropped' AND error != :overtaken) OR (state = 'pending' AND attempts > 0)
           ORDER BY number DESC LIMIT :limit""",
        {"overtaken": OVERTAKEN, "limit": limit},
    )
    return readable(to_undelivered, found)


def forget_told(db: Database, before: datetime) -> int:
    """Answers that were tried in vain since then: their response_urls work no more, and are not kept."""
    return db.execute(
        """UPDATE notices SET state = 'dropped', body = '{}', error = 'too late'
           WHERE kind = 'told' AND state = 'pending' AND first_tried_at < :before""",
        {"before": to_ms(before)},
    ).rowcount


def doubt_waiting(db: Database, made_at: datetime) -> None:
    """What waited in a database of that time may have gone out since: it is looked up before it is sent."""
    db.execute(
        """UPDATE notices SET in_doubt = 1, first_tried_at = COALESCE(first_tried_at, :made)
           WHERE state IN ('pending', 'held') AND kind NOT IN ('redraw', 'told')""",
        {"made": to_ms(made_at)},
    )


def resume(db: Database) -> None:
    """Taken notices of a process that is gone: they may have been sent, so `in_doubt` stays."""
    db.execute("UPDATE notices SET taken_at = NULL WHERE taken_at IS NOT NULL AND state = 'pending'")
