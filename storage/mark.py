"""How far a database had come when something was last sent from here: a file beside it that no copy of it brings back.

It holds the number and the hash of the last row of the audit log, and is written after each commit that lets a start or
a switch be sent, before it is sent. A database that lacks this row is older than what was sent: somebody has put a copy
of the file back. Without the file nothing is known, and the database is believed.
"""

import logging
import os
import re
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from storage.statements import first

log = logging.getLogger(__name__)

_WRITTEN = re.compile(r"([0-9]{1,18}) ([0-9a-f]{64})\n")
_LAST = "SELECT seq, hash, at FROM audit ORDER BY seq DESC LIMIT 1"


def file_of(database: Path) -> Path:
    return database.with_name(f"{database.name}.mark")


def head(db: Database) -> str:
    """The last row of the audit log, as the file holds it."""
    row = first(db, _LAST)
    return f"{row['seq']} {row['hash']}\n" if row else ""


def write(database: Path, text: str) -> None:
    """Safely on disk when it returns. Where it cannot be written that is logged: what is sent is kept all the same.

    Blocks.
    """
    part = database.with_name(f"{database.name}.mark.part")
    try:
        with part.open("w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(file_of(database))
    except OSError as error:
        log.warning("what was sent last cannot be noted beside the database: %s", error.strerror)


def forget(database: Path) -> None:
    """Another database takes its place, and knows that it is older."""
    file_of(database).unlink(missing_ok=True)


def missing_since(db: Database, database: Path) -> datetime | None:
    """The time of the database's last row, where the file knows of a later one; None where the database is believed."""
    found = _WRITTEN.fullmatch(_read(database))
    last = first(db, _LAST)
    if found is None or last is None or first(db, "SELECT 1 FROM jobs LIMIT 1") is None:
        return None
    kept = first(db, "SELECT hash FROM audit WHERE seq = :seq", {"seq": int(found[1])})
    is_there = kept is not None and kept["hash"] == found[2]
    return None if is_there else datetime.fromtimestamp(last["at"] / 1000, UTC)


def _read(database: Path) -> str:
    try:
        return file_of(database).read_text("ascii")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError):
        log.warning("the note beside the database of what was sent last cannot be read, so the database is believed")
        return ""
