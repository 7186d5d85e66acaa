"""Backups: one file with the database and with what its trainings will still send, and the way back.

A backup is a tar of `manifest.json`, `switchyard.db` and, below `spool/`, the data files of trainings that have not
started yet, named by their SHA-256. The copy is made by SQLite's online backup (https://sqlite.org/backup.html) in one
step, so it is one moment of the database, and a bot that writes meanwhile is not held up. Addresses for answers
(response_urls), which are secrets, are not in it.

Everything here blocks; callers use a thread.
"""

import contextlib
import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import IO, Annotated

from pydantic import StringConstraints, TypeAdapter, ValidationError
from sqlite_utils import Database
from sqlite_utils.utils import sqlite3

from bot.domain.jobs import ENDS, JobState
from bot.errors import StoreError
from storage import mark, outbox
from storage.migrations import migrations
from storage.sqlite import Writer, connect_read_only
from storage.statements import listed, rows

FORMAT = 1
MANIFEST, DATABASE, SPOOL = "manifest.json", "switchyard.db", "spool"
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
MAY_STILL_START = frozenset({JobState.PROPOSED, JobState.APPROVED, JobState.STARTING, JobState.UNSURE})
_CHUNK = 1 << 20
_FEW = 3
_FORGET = (
    # where to answer
    "UPDATE requests SET url = '' WHERE url != ''",
    "UPDATE schedules SET url = '' WHERE url != ''",
    "UPDATE clicks SET click = json_set(click, '$.url', '')",
    "DELETE FROM inquiries",
    "UPDATE notices SET state = 'dropped', body = '{}', taken_at = NULL, in_doubt = 0 WHERE kind = 'told'",
    # who waits for an export: it was made since, or is asked for anew
    "UPDATE notices SET state = 'dropped', body = '{}', taken_at = NULL WHERE kind = 'export' AND state = 'pending'",
    # what was held for the end of quiet hours, which was told since
    "UPDATE notices SET state = 'dropped', error = 'restored' WHERE state = 'kept'",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a backup holds. `alive` are jobs that had not ended.

    `checksum` is the SHA-256 of the database, `files` are those of the data files, `missing` of those that were needed
    and not there any more.
    """

    format: int
    made_at: datetime
    jobs: int
    alive: int
    checksum: Sha256
    files: tuple[Sha256, ...] = ()
    missing: tuple[Sha256, ...] = ()


CONTENTS = TypeAdapter(Contents)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A backup that was found good, laid out in `folder`; its database is of this version and trusts no message."""

    contents: Contents
    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / DATABASE

    def file(self, sha256: str) -> Path:
        return self.folder / sha256


# -- making one ----------------------------------------------------------------------------------------------------


def back_up(database: Path, spool: Path, target: Path, *, now: datetime, may_replace: bool = False) -> Contents:
    """Write a backup to `target`, which gets its name only once the copy was found good. Raises StoreError."""
    if target.exists() and not may_replace:
        raise StoreError(f"{target} exists already; `--force` replaces it. No backup was made.")
    with _explained("No backup was made"), _folder_in(target.parent) as folder:
        copy = folder / DATABASE
        _copy(database, copy)
        contents = _contents(copy, spool, now)
        part = folder / "part"
        _pack(part, copy, spool, contents)
        part.replace(target)
        _sync_folder(target.parent)
    return contents


def _copy(database: Path, copy: Path) -> None:
    source = connect_read_only(database)
    try:
        with _opened(copy) as db:
            source.conn.backup(db.conn)
            _require_sound(db, database)
            migrations.apply(db)
            _run(db, *_FORGET)
            # What was deleted or overwritten stays in free pages until they are given up.
            _run(db, "PRAGMA journal_mode=DELETE", "VACUUM")
            _require_sound(db, copy)
    finally:
        source.close()


def _contents(copy: Path, spool: Path, now: datetime) -> Contents:
    with _opened(copy) as db:
        needed = _needed_files(db)
        counts = rows(
            db, f"SELECT count(*) AS jobs, coalesce(sum(state NOT IN ({listed(ENDS)})), 0) AS alive FROM jobs"
        )
    there = tuple(name for name in needed if (spool / name).is_file())
    return Contents(
        format=FORMAT,
        made_at=now,
        checksum=_checksum(copy),
        files=there,
        missing=tuple(name for name in needed if name not in there),
        **counts[0],
    )


def _needed_files(db: Database) -> list[str]:
    sql = f"""SELECT DISTINCT plan ->> '$.payload.sha256' AS name FROM jobs
              WHERE state IN ({listed(MAY_STILL_START)}) AND name IS NOT NULL ORDER BY name"""
    return [row["name"] for row in rows(db, sql)]


def _pack(part: Path, copy: Path, spool: Path, contents: Contents) -> None:
    part.touch(mode=0o600)
    with part.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            manifest = CONTENTS.dump_json(contents, indent=2)
            archive.addfile(_entry(MANIFEST, len(manifest), contents), BytesIO(manifest))
            _add(archive, DATABASE, copy, contents)
            for name in contents.files:
                _add(archive, f"{SPOOL}/{name}", spool / name, contents)
        file.flush()
        os.fsync(file.fileno())


def _add(archive: tarfile.TarFile, name: str, path: Path, contents: Contents) -> None:
    with path.open("rb") as file:
        archive.addfile(_entry(name, path.stat().st_size, contents), file)


def _entry(name: str, size: int, contents: Contents) -> tarfile.TarInfo:
    """A plain file that tells nothing of who made the backup."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(contents.made_at.timestamp())
    return entry


# -- the way back --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def alone(database: Path) -> AsyncIterator[None]:
    """Hold what says "a process writes here", without opening the file, which may be damaged. StoreError if taken."""
    writer = Writer(database)
    try:
        yield
    finally:
        await writer.close()


@contextmanager
def unpacked(archive: Path, database: Path) -> Iterator[Unpacked]:
    """Lay a backup out beside the database, check all of it, and bring it up to date. Raises StoreError.

    Messages that waited when it was made may have gone out since: each is looked up before it is sent.
    """
    with _explained("Nothing was changed"), _folder_in(database.parent) as folder:
        made = Unpacked(contents=_extract(archive, folder), folder=folder)
        with _opened(made.database) as db:
            _require_sound(db, archive)
            _require_known(db, archive)
            migrations.apply(db)
            outbox.doubt_waiting(db, made.contents.made_at)
        yield made


def _extract(archive: Path, folder: Path) -> Contents:
    if not archive.is_file():
        raise StoreError(f"There is no backup {archive}. Nothing was changed.")
    try:
        with tarfile.open(archive, "r:") as tar:
            contents = _read_contents(tar)
            _extract_files(tar, contents, folder)
            return contents
    except (tarfile.TarError, ValidationError, KeyError) as error:
        raise StoreError(f"{archive} is no backup that Switchyard made. Nothing was changed.") from error
    except EOFError as error:
        raise StoreError(f"The backup {archive} is damaged: {error}. Nothing was changed.") from error


def _read_contents(tar: tarfile.TarFile) -> Contents:
    first = tar.next()
    file = tar.extractfile(first) if first is not None and first.name == MANIFEST else None
    if file is None:
        raise KeyError(MANIFEST)
    contents = CONTENTS.validate_json(file.read())
    if contents.format > FORMAT:
        raise StoreError("This backup was made by a newer Switchyard: restore it with that. Nothing was changed.")
    return contents


def _extract_files(tar: tarfile.TarFile, contents: Contents, folder: Path) -> None:
    """Only what the manifest names is written, under names of ours, and only as it was."""
    wanted = {DATABASE: (DATABASE, contents.checksum)} | {f"{SPOOL}/{name}": (name, name) for name in contents.files}
    for name, (ours, checksum) in wanted.items():
        try:
            file = tar.extractfile(name)
        except (KeyError, tarfile.TarError) as error:
            raise EOFError(f"{name} is not in it") from error
        if file is None or _write(file, folder / ours) != checksum:
            raise EOFError(f"{name} is not what was put in")


def _write(source: IO[bytes], target: Path) -> str:
    """Copy to a new file, safely on disk; the SHA-256 of what was copied."""
    seen = hashlib.sha256()
    with target.open("xb") as file:
        try:
            while chunk := source.read(_CHUNK):
                seen.update(chunk)
                file.write(chunk)
        except tarfile.TarError as error:
            raise EOFError("it ends too early") from error
        file.flush()
        os.fsync(file.fileno())
    return seen.hexdigest()


def _require_known(db: Database, archive: Path) -> None:
    """Older databases are brought up to date; one with steps that this version does not know is not touched."""
    known = {migration.name for migration in migrations.pending(Database(memory=True))}
    if not {migration.name for migration in migrations.applied(db)} <= known:
        raise StoreError(f"{archive} was made by a newer Switchyard: restore it with that. Nothing was changed.")


def put_in_place(made: Unpacked, database: Path, spool: Path, *, now: datetime) -> Path | None:
    """Let the restored database take the place of the other; where the former one is kept, None if there was none.

    Call it while `alone`. A crash on the way leaves the former database, the restored one, or none; never a mixture.
    """
    with _explained("The database was not replaced"):
        for name in made.contents.files:
            _put_file(made.file(name), spool / name)
        _end_wal(made.database)
        kept = _keep(database, _free_name(database, now))
        made.database.replace(database)
        mark.forget(database)
        _sync_folder(database.parent)
    return kept


def _put_file(source: Path, target: Path) -> None:
    """The spool may be another file system, so what is copied gets its name only when it is complete."""
    with _folder_in(target.parent) as folder, source.open("rb") as file:
        _write(file, folder / target.name)
        (folder / target.name).replace(target)


def _end_wal(database: Path) -> None:
    """Put everything into the one file."""
    with _opened(database) as db:
        _run(db, "PRAGMA journal_mode=DELETE")
    with database.open("rb") as file:
        os.fsync(file.fileno())


def _free_name(database: Path, now: datetime) -> Path:
    """A name with the time, and a number where somebody restores twice within a second."""
    stem = f"{database.stem}-{now:%Y%m%dT%H%M%SZ}"
    names = (f"{stem}{f'-{number}' if number > 1 else ''}{database.suffix}" for number in count(1))
    return next(path for path in map(database.with_name, names) if not path.exists())


def _keep(database: Path, kept: Path) -> Path | None:
    """Give the former database another name.

    A write-ahead log beside a database that it does not belong to would be played into it. So a database takes its log
    in first; where it cannot (it is damaged, or somebody reads it), its log goes along, and for a moment there is no
    database.
    """
    if not database.exists():
        return None
    with contextlib.suppress(sqlite3.Error), _opened(database) as db:
        _run(db, "PRAGMA busy_timeout=0", "PRAGMA wal_checkpoint(TRUNCATE)")
    log, index = _beside(database, "-wal"), _beside(database, "-shm")
    if log.exists():
        database.replace(kept)
        log.replace(_beside(kept, "-wal"))
    else:
        _link(database, kept)
    index.unlink(missing_ok=True)
    return kept


def _link(database: Path, kept: Path) -> None:
    try:
        kept.hardlink_to(database)
    except OSError:  # a file system without links
        shutil.copy2(database, kept)


def _beside(database: Path, ending: str) -> Path:
    return database.with_name(database.name + ending)


# -- looking at a database -----------------------------------------------------------------------------------------


def examine(database: Path) -> None:
    """Raise StoreError where the file is damaged; nothing where it is sound or not there yet. Reads the whole file.

    What cannot be opened at all is left to whoever opens it to write, and says why.
    """
    if not database.exists():
        return
    try:
        db = connect_read_only(database)
        try:
            faults = _faults(db, "quick_check(1)")
        finally:
            db.close()
    except sqlite3.OperationalError:
        return
    except sqlite3.DatabaseError as error:
        faults = [str(error)]
    if faults:
        raise StoreError(
            f"The database {database.name} is damaged ({faults[0]}), so nothing was started. `switchyard restore FILE` "
            "puts a backup in its place and keeps the damaged file beside it."
        )


def _require_sound(db: Database, name: Path) -> None:
    faults = _faults(db, f"integrity_check({_FEW})")
    faults += [f"{row[0]} refers to nothing" for row in db.execute("PRAGMA foreign_key_check").fetchmany(_FEW)]
    if faults:
        raise sqlite3.DatabaseError(f"{name.name} is damaged ({'; '.join(faults)})")


def _faults(db: Database, check: str) -> list[str]:
    """What SQLite finds wrong, without its headings; nothing where all is well."""
    found = [line for (text,) in db.execute(f"PRAGMA {check}").fetchall() for line in text.splitlines()]
    return [line for line in found if line != "ok" and not line.startswith("***")]


@contextmanager
def _opened(path: Path) -> Iterator[Database]:
    """A plain connection in autocommit, closed at the end."""
    db = Database(sqlite3.connect(str(path), isolation_level=None))
    try:
        yield db
    finally:
        db.close()


def _run(db: Database, *statements: str) -> None:
    for statement in statements:
        db.execute(statement).fetchall()


# -- files ---------------------------------------------------------------------------------------------------------


@contextmanager
def _explained(done: str) -> Iterator[None]:
    """What the disk or SQLite says, as a sentence that also tells what became of it."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{done}: {error}.") from error
    except OSError as error:
        raise StoreError(f"{done}: {error.strerror or error}.") from error


@contextmanager
def _folder_in(parent: Path) -> Iterator[Path]:
    """A folder for unfinished files, on the file system of the finished ones, gone at the end."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".part-") as folder:
        yield Path(folder)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    """A rename is on disk once its folder is."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
