"""The audit log in the database: rows that are only ever added, and the folder where other processes leave theirs.

Only one process writes to the database. A process that takes data out beside it (a backup, an export) leaves a file in
the folder `NAME.inbox` beside the database before it does so; the process that writes takes it into the log.
"""

import contextlib
import json
import logging
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

from sqlite_utils import Database
from sqlite_utils.utils import sqlite3

from bot.domain.audit import BEGINNING, Anchor, AuditKind, Entry, Record, canonical, plain, seal, to_ms
from bot.domain.audit_check import Damage, Finding, Kept, Move, Report, fold_moves, verify
from bot.domain.requests import Json
from bot.errors import StoreError
from storage.sqlite import connect_read_only

log = logging.getLogger(__name__)

_MOST_LEFT = 64 * 1024
"""Bytes; a record has a few hundred."""

COLUMNS = ("seq", "at", "kind", "team", "user", "job_id", "prompt_id", "facts", "previous", "hash")
_cells = attrgetter(*COLUMNS)
_LISTED = ", ".join(COLUMNS)
_INSERT = f"INSERT INTO audit ({_LISTED}) VALUES ({', '.join('?' * len(COLUMNS))})"
_HEAD = "SELECT seq, CAST(hash AS TEXT) FROM audit ORDER BY seq DESC LIMIT 1"
_MOVES = "SELECT job_id, seq, at, old, new, event, team, user, reason FROM transitions ORDER BY rowid"

TABLES = (
    """CREATE TABLE audit (
        seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, team TEXT NOT NULL, user TEXT NOT NULL,
        job_id TEXT NOT NULL, prompt_id TEXT NOT NULL, facts TEXT NOT NULL, previous TEXT NOT NULL,
        hash TEXT NOT NULL)""",
    "CREATE INDEX audit_rare ON audit (kind, seq) WHERE kind IN ('policy', 'export')",
    """CREATE TRIGGER audit_grows BEFORE INSERT ON audit
        WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit)
        BEGIN SELECT RAISE(ABORT, 'the audit log grows at its end'); END""",
    """CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER audit_remains BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    "CREATE TABLE anchors (seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, at INTEGER NOT NULL)",
    """CREATE TRIGGER anchors_stay BEFORE UPDATE ON anchors
        BEGIN SELECT RAISE(ABORT, 'anchors are append-only'); END""",
    """CREATE TRIGGER anchors_remain BEFORE DELETE ON anchors
        BEGIN SELECT RAISE(ABORT, 'anchors are append-only'); END""",
)
GUARDS = (
    "anchors_remain", "anchors_stay", "audit_grows", "audit_remains", "audit_stays",
    "transitions_remain", "transitions_stay",
)  # fmt: skip
"""The triggers that keep rows from being changed by mistake; who may change the file may drop them."""


# -- writing ----------------------------------------------------------------------------------------------------------


def append(db: Database, records: Iterable[Record]) -> None:
    """Seal the records to the last row, in the transaction of what they tell of."""
    rows = list(_sealed(db, records))
    if rows:
        db.conn.executemany(_INSERT, rows)


def _sealed(db: Database, records: Iterable[Record]) -> Iterator[tuple[Any, ...]]:
    head: tuple[int, str] | None = None
    for record in records:
        # The last row is looked up by its number: it is in memory, and right also after a part was rolled back.
        head = head or db.conn.execute(_HEAD).fetchone() or (0, BEGINNING)
        entry = seal(record, head[0] + 1, head[1])
        head = (entry.seq, entry.hash)
        yield _cells(entry)


def begin(db: Database) -> None:
    """The first row: how many moves there are already, and a digest over them."""
    count, folded = fold_moves(db.execute(_MOVES))
    append(db, [Record(at=datetime.now(UTC), kind=AuditKind.BEGIN, facts={"moves": count, "digest": folded})])


def add_anchor(db: Database, anchor: Anchor, now: datetime) -> None:
    db.execute("INSERT INTO anchors (seq, hash, at) VALUES (?, ?, ?)", [anchor.seq, anchor.hash, to_ms(now)])


# -- reading ----------------------------------------------------------------------------------------------------------


def entries(db: Database, after: int, limit: int) -> list[Entry]:
    """The rows that follow a number, in order."""
    found = db.execute(f"SELECT {_LISTED} FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", [after, limit])
    return [to_entry(dict(zip(COLUMNS, row, strict=True))) for row in found]


def latest(db: Database, kind: AuditKind | None) -> Entry | None:
    where = f"WHERE kind = '{kind.value}'" if kind else ""
    row = db.execute(f"SELECT {_LISTED} FROM audit {where} ORDER BY seq DESC LIMIT 1").fetchone()
    return to_entry(dict(zip(COLUMNS, row, strict=True))) if row else None


def last_anchor(db: Database) -> Anchor | None:
    row = db.execute("SELECT seq, hash, at FROM anchors ORDER BY seq DESC LIMIT 1").fetchone()
    return _to_anchor(row) if row else None


def to_entry(row: Mapping[str, Any]) -> Entry:
    """A row as a value; StoreError where a cell holds what it never held."""
    numbers = {"seq", "at"}
    if not all(isinstance(row[name], int if name in numbers else str) for name in COLUMNS):
        raise StoreError(
            f"{_named(row['seq'], 'Row')} of the audit log is damaged; `switchyard audit verify` says more."
        )
    return Entry(**row)


def _to_anchor(row: Sequence[Any]) -> Anchor:
    seq, hash_, ms = row
    try:
        return Anchor(seq=int(seq), hash=str(hash_), at=datetime.fromtimestamp(ms / 1000, UTC), is_outside=False)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise StoreError(f"{_named(seq, 'Anchor')} cannot be read: its row in the database is damaged.") from error


def _named(cell: object, what: str) -> str:
    return f"{what} {cell}" if isinstance(cell, int) else f"A row without a number ({what.lower()})"


# -- verifying --------------------------------------------------------------------------------------------------------


def verify_log(database: Path, anchors: Iterable[Anchor] = ()) -> Report:
    """Read the whole log as of one moment, also beside a bot that writes, and compare it with what it tells of.

    Blocks. Raises StoreError where there is no log, or the file itself cannot be read.
    """
    with _reading(database) as db:
        kept = [_to_anchor(row) for row in db.execute("SELECT seq, hash, at FROM anchors ORDER BY seq").fetchall()]
        report = verify(_stream(db, 0), [*kept, *anchors], _Kept(db))
        return replace(report, findings=(*_gone_guards(db), *report.findings))


@contextmanager
def exported(database: Path, since: datetime | None) -> Iterator[Iterator[Entry]]:
    """The rows from a moment on, one after the other, as of one moment of the database."""
    with _reading(database) as db:
        yield (entry for entry in _stream(db, 0) if since is None or entry.at >= to_ms(since))


@contextmanager
def _reading(database: Path) -> Iterator[Database]:
    """One moment of the database. Texts that are no UTF-8 are read all the same: they are a damage to be told."""
    db = connect_read_only(database)
    db.conn.text_factory = lambda cell: cell.decode("utf-8", "surrogateescape")
    try:
        db.execute("BEGIN")
        _require_log(db, database)
        yield db
    except sqlite3.Error as error:
        raise StoreError(f"The database {database.name} cannot be read: {error}.") from error
    finally:
        db.close()


def _require_log(db: Database, database: Path) -> None:
    if not db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'audit'").fetchone():
        raise StoreError(f"The database {database.name} holds no audit log yet: it begins when the bot next starts.")


def _stream(db: Database, after: int) -> Iterator[Entry]:
    for row in db.execute(f"SELECT {_LISTED} FROM audit WHERE seq > ? ORDER BY seq", [after]):
        yield Entry(**dict(zip(COLUMNS, row, strict=True)))


def _gone_guards(db: Database) -> list[Finding]:
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    gone = [name for name in GUARDS if name not in there]
    says = f"What keeps rows from being changed is gone from the database: {', '.join(gone)}."
    return [Finding(seq=0, damage=Damage.GUARD, says=says)] if gone else []


class _Kept(Kept):
    """What the database shows besides its log."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @property
    def is_compared(self) -> bool:
        return True

    def moves(self) -> Iterator[Move]:
        yield from self._db.execute(_MOVES)

    def prompt(self, prompt_id: str) -> Mapping[str, Json] | None:
        row = self._db.execute("SELECT prompt FROM prompts WHERE id = ?", [prompt_id]).fetchone()
        found: Mapping[str, Json] | None = json.loads(row[0]) if row else None
        return found


# -- what other processes leave ---------------------------------------------------------------------------------------


def inbox(database: Path) -> Path:
    return database.with_name(f"{database.name}.inbox")


def leave(database: Path, record: Record) -> None:
    """Leave an export's record for the process that writes; safely on disk when it returns. Raises StoreError."""
    if record.kind is not AuditKind.EXPORT:
        raise StoreError("Only exports are told by a second process.")
    folder, name = inbox(database), f"{to_ms(record.at)}-{secrets.token_hex(8)}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        part = folder / f"{name}.part"
        with part.open("x", encoding="ascii") as file:
            file.write(canonical({"at": to_ms(record.at), "facts": plain(record.facts)}))
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / f"{name}.json")
    except OSError as error:
        why = error.strerror or error
        raise StoreError(
            f"Nothing was taken out, because it cannot be put on record: {folder} says “{why}”."
        ) from error


def waiting(database: Path) -> dict[Path, Record]:
    """What was left, oldest first. A file that cannot be read is put aside under another name. Blocks."""
    found = {}
    for path in sorted(inbox(database).glob("*.json")):
        try:
            found[path] = _left(path)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            log.exception("%s in the audit log's inbox cannot be read; it is put aside", path.name)
            with contextlib.suppress(OSError):
                path.replace(path.with_suffix(".unreadable"))
    return found


def _left(path: Path) -> Record:
    if not path.is_file() or path.stat().st_size > _MOST_LEFT:
        raise ValueError("nothing of this kind or size is left here")
    read = json.loads(path.read_text("ascii"))
    at = datetime.fromtimestamp(read["at"] / 1000, UTC)
    facts = {**read["facts"], "id": path.stem}
    canonical(plain(facts))  # what cannot be written is found here, where the file can be put aside
    return Record(at=at, kind=AuditKind.EXPORT, facts=facts)


def take_in(db: Database, left: Iterable[Record]) -> None:
    """Append what was left, each once: a file may outlive the commit that took it in."""
    known = "SELECT 1 FROM audit WHERE kind = 'export' AND instr(facts, ?)"
    append(db, [one for one in left if not db.execute(known, [canonical(one.facts["id"])]).fetchone()])
