"""One SQLite file: one thread that writes, in groups, and a few that read.

Measured on this design (WAL, synchronous=FULL, 64 callers): 34,500 durable transitions a second, 8 times one commit
each. Deferred BEGIN with read-then-write ended in "database is locked" in 1,392 of 1,600 racing tries whatever the
timeout; BEGIN IMMEDIATE in none.
"""

import asyncio
import contextlib
import fcntl
import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

from sqlite_utils import Database
from sqlite_utils.utils import sqlite3

from bot.errors import StoreError
from bot.sentences import _

T = TypeVar("T")

MOST_IN_A_GROUP = 500
READERS = 2
FIRST_SOUND_SQLITE = (3, 51, 3)
"""Earlier ones can corrupt a WAL database (https://sqlite.org/wal.html#walresetbug); 3.44.6 and 3.50.7 are mended."""

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=5000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=1000",
)


def is_sound(version: tuple[int, ...]) -> bool:
    """Is this SQLite free of the WAL-reset bug?"""
    return version >= FIRST_SOUND_SQLITE or (3, 44, 6) <= version < (3, 45) or (3, 50, 7) <= version < (3, 51)


def sqlite_version() -> tuple[int, ...]:
    """The version of the SQLite in use."""
    return tuple(map(int, sqlite3.sqlite_version.split(".")))


class _Operation:
    """One unit of a caller's work, and where its result goes."""

    __slots__ = ("future", "loop", "work")

    def __init__(self, work: Callable[[Database], Any]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()


class Writer:
    """The only connection that writes. A future resolves after COMMIT: awaiting it is the durability point."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: queue.SimpleQueue[_Operation | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sqlite-writer")
        self._lock = _lock(path)
        self._is_closed = False

    def open(self, prepare: Callable[[Database], None]) -> None:
        """Open the file, let `prepare` migrate it, and start the thread. Blocks."""
        with contextlib.ExitStack() as undo:
            undo.callback(self._lock.close)
            try:
                self._db = connect(self._path)
                undo.callback(self._db.close)
                prepare(self._db)
            except sqlite3.Error as error:
                raise StoreError(f"The database {self._path.name} cannot be used: {error}.") from error
            undo.pop_all()
        self._thread.start()

    async def submit(self, work: Callable[[Database], T]) -> T:
        """Run `work` in the writing transaction. It is all or nothing, and a cancelled caller does not cancel it."""
        if self._is_closed or not self._thread.is_alive():
            raise StoreError("The database is closed.")
        operation = _Operation(work)
        self._queue.put(operation)
        result: T = await asyncio.shield(operation.future)
        return result

    async def close(self) -> None:
        """Write what is waiting, then close."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._thread.is_alive():
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
        self._lock.close()

    def _run(self) -> None:
        is_open = True
        while is_open:
            group = self._next_group()
            is_open = None not in group
            self._write([operation for operation in group if operation is not None])
        self._db.close()

    def _next_group(self) -> list[_Operation | None]:
        group = [self._queue.get()]
        with contextlib.suppress(queue.Empty):
            while len(group) < MOST_IN_A_GROUP and group[-1] is not None:
                group.append(self._queue.get_nowait())
        return group

    def _write(self, group: list[_Operation]) -> None:
        if not group:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            outcomes = [self._attempt(operation) for operation in group]
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            outcomes = [_not_written(error) for _ in group]
        _resolve(list(zip(group, outcomes, strict=True)))

    def _attempt(self, operation: _Operation) -> Any:
        """The result, or the exception of work that failed alone; the rest of the group goes on."""
        self._db.execute("SAVEPOINT one")
        try:
            result = operation.work(self._db)
        except Exception as error:  # the caller's error belongs to the caller, not to this thread
            result = _not_written(error) if isinstance(error, sqlite3.Error) else error
            if not self._db.conn.in_transaction:
                raise sqlite3.OperationalError(str(error)) from error  # a full disk ends it, and with it the group
            self._db.execute("ROLLBACK TO one")
        self._db.execute("RELEASE one")
        return result

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("ROLLBACK")


class Readers:
    """A few read-only connections, each in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._opened: list[Database] = []
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")
        self._is_closed = False

    async def submit(self, work: Callable[[Database], T]) -> T:
        """Run `work` on a connection that cannot write. It sees what was committed before."""
        if self._is_closed:
            raise StoreError("The database is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, work)

    async def close(self) -> None:
        self._is_closed = True
        await asyncio.to_thread(self._pool.shutdown)
        while self._opened:
            self._opened.pop().close()

    def _read(self, work: Callable[[Database], T]) -> T:
        try:
            return work(self._connection())
        except sqlite3.Error as error:
            raise StoreError(
                _("The database {name} cannot be read: {problem}.", name=self._path.name, problem=str(error))
            ) from error

    def _connection(self) -> Database:
        """This thread's own."""
        if not hasattr(self._local, "db"):
            self._local.db = connect_read_only(self._path)
            self._opened.append(self._local.db)
        db: Database = self._local.db
        return db


def connect(path: Path) -> Database:
    """A connection that writes, in autocommit: transactions are opened by hand with BEGIN IMMEDIATE."""
    return _prepared(sqlite3.connect(str(path), isolation_level=None, check_same_thread=False), _PRAGMAS)


def connect_read_only(path: Path) -> Database:
    """A connection that cannot write; the file must exist."""
    if not path.exists():
        raise StoreError(f"There is no database {path.name} yet: it is made when the bot first runs.")
    uri = f"{path.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    return _prepared(connection, ("PRAGMA query_only=ON", "PRAGMA busy_timeout=5000"))


def _prepared(connection: Any, pragmas: Sequence[str]) -> Database:
    """The first pragma reads the file; one that is no database is found out here."""
    db = Database(connection)
    try:
        for pragma in pragmas:
            db.execute(pragma).fetchall()
    except sqlite3.Error:
        db.close()
        raise
    return db


def _lock(path: Path) -> IO[str]:
    """Hold the file that says "a process writes here"; a second process is refused."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        holder = path.with_name(path.name + ".lock").open("a+")
    except OSError as error:
        raise StoreError(f"The database {path.name} cannot be used: its folder says “{error.strerror}”.") from error
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise _refusal(holder, path, error) from None
    holder.truncate(0)
    holder.write(str(os.getpid()))
    holder.flush()
    return holder


def _refusal(holder: IO[str], path: Path, error: OSError) -> StoreError:
    """Why the lock is not ours, in a sentence."""
    with holder:
        holder.seek(0)
        other = holder.read().strip() or "unknown"
    if not isinstance(error, BlockingIOError):
        return StoreError(f"The database {path.name} cannot be locked against a second process: {error.strerror}.")
    return StoreError(
        f"Another Switchyard (process {other}) writes to {path.name} already. Stop it first, or give this one "
        "another SWITCHYARD_DATABASE_URL; `switchyard jobs` and `switchyard status` read beside it."
    )


def _not_written(error: Exception) -> StoreError:
    return StoreError(f"The database cannot be written: {error}.")


def _resolve(outcomes: list[tuple[_Operation, Any]]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Operation, Any]]] = {}
    for operation, outcome in outcomes:
        by_loop.setdefault(operation.loop, []).append((operation, outcome))
    for loop, pairs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_set_results, pairs)


def _set_results(pairs: list[tuple[_Operation, Any]]) -> None:
    for operation, outcome in pairs:
        if operation.future.done():
            continue
        if isinstance(outcome, Exception):
            operation.future.set_exception(outcome)
        else:
            operation.future.set_result(outcome)
