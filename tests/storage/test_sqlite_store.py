"""The store on an SQLite file: the contract, and what holds of this one file, its threads and its processes."""

import asyncio
import gc
import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from bot.domain.changes import NoticeKind
from bot.domain.history import Story
from bot.domain.job_exports import Form
from bot.domain.jobs import Event, Job, JobState
from bot.domain.requests import Payload, Plan
from bot.errors import StoreError
from bot.ports import JobFilter, Work
from bot.sentences import _, pack, speak, speaking
from bot.usecases.export import PAGE, write_stories
from storage.migrations import migrations
from storage.rows import job_row
from storage.sqlite import connect, is_sound
from storage.statements import insert
from storage.store import SAME_DATA, SqliteStore
from tests.contract.audit_contract import AuditContract
from tests.contract.samples import (
    NOW,
    a_click,
    a_job,
    a_notice,
    a_prompt,
    a_wish,
    an_inquiry,
    at,
    birth,
    bookkeeping,
    step,
)
from tests.contract.store_contract import StoreContract
from tests.pseudo import Pseudo

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "switchyard.db"


@asynccontextmanager
async def opened(path: Path, *, read_only: bool = False) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, read_only=read_only)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    async with opened(path) as store:
        yield store


@pytest.fixture
def stores(store: SqliteStore) -> tuple[SqliteStore, SqliteStore]:
    """The same one twice: a second process that writes to the file is refused."""
    return store, store


class TestSqliteStore(StoreContract, AuditContract):
    """The contract, on a file."""


async def keep(store: SqliteStore, *ids: str) -> None:
    for id_ in ids:
        await store.request(birth(a_job(id_)), same_since=NOW, is_exclusive=False, is_again=True)


async def execute(store: SqliteStore, sql: str) -> list[Any]:
    """Run a statement on the connection that writes."""
    return await store._write(lambda db: db.execute(sql).fetchall())


def connection_of(store: SqliteStore) -> Database:
    """The one that writes. Its thread has to be idle, or held by `one_group`."""
    assert store._writer is not None
    return store._writer._db


@asynccontextmanager
async def one_group(store: SqliteStore) -> AsyncIterator[None]:
    """The writer waits until the end of the block, so that what is handed in meanwhile is one group."""
    waits, go = threading.Event(), threading.Event()

    def wait(db: Database) -> None:
        waits.set()
        go.wait(30)

    holding = asyncio.create_task(store._write(wait))
    assert await asyncio.to_thread(waits.wait, 10)
    try:
        yield
        await asyncio.sleep(0)
    finally:
        go.set()
    await holding


async def all_at_once(store: SqliteStore, *works: Awaitable[Any]) -> list[Any]:
    """Hand in several operations as one group; their results or errors."""
    async with one_group(store):
        tasks = [asyncio.ensure_future(work) for work in works]
    return await asyncio.gather(*tasks, return_exceptions=True)


class TestFile:
    """How the file is opened and left."""

    async def test_what_was_acknowledged_survives_the_loss_of_power(self, store: SqliteStore) -> None:
        """Write-ahead log, and an fsync at each commit: read back, because a pragma may be refused."""
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        assert [(await execute(store, f"PRAGMA {name}"))[0][0] for name in pragmas] == ["wal", 2, 1, 5000]

    async def test_history_cannot_be_rewritten(self, store: SqliteStore) -> None:
        """Transitions are append-only, whoever tries."""
        await keep(store, "j1")
        before = await store.transitions("j1")
        for sql in ("UPDATE transitions SET reason = 'other'", "DELETE FROM transitions"):
            with pytest.raises(StoreError, match="append-only"):
                await execute(store, sql)
        with pytest.raises(StoreError, match="FOREIGN KEY"):
            await execute(store, "DELETE FROM jobs")
        assert await store.transitions("j1") == before

    async def test_a_message_of_no_job_that_exists_is_refused(self, store: SqliteStore) -> None:
        """Rows that refer to each other are there or not there together."""
        with pytest.raises(StoreError, match="FOREIGN KEY"):
            await store.tell([a_notice("n", job_id="j404")])
        assert await store.notice("n") is None

    async def test_a_store_that_was_closed_leaves_one_file(self, store: SqliteStore, path: Path) -> None:
        """Whoever copies the file after a stop has everything."""
        await keep(store, "j1")
        assert await store.job("j1") is not None
        await store.close()
        assert sorted(file.name for file in path.parent.iterdir()) == ["switchyard.db", "switchyard.db.lock"]

    async def test_what_was_kept_is_there_again(self, path: Path) -> None:
        """A restart loses nothing."""
        async with opened(path) as store:
            await keep(store, "j1")
        async with opened(path) as store:
            assert await store.job("j1") == a_job("j1")

    async def test_the_folder_is_made(self, tmp_path: Path) -> None:
        """A new configuration needs no preparation."""
        async with opened(tmp_path / "new" / "folder" / "switchyard.db") as store:
            assert await store.jobs(JobFilter()) == []

    async def test_a_folder_that_cannot_be_made_is_a_sentence(self, tmp_path: Path) -> None:
        """An operator reads what is wrong with the path."""
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match=r"^The database switchyard\.db cannot be used: its folder says"):
            SqliteStore(tmp_path / "file" / "switchyard.db")

    @pytest.mark.parametrize("read_only", [False, True])
    async def test_a_file_that_is_no_database_is_a_sentence(self, path: Path, read_only: bool) -> None:
        """Nothing is written over it, and it is free again afterwards."""
        path.write_bytes(b"Dear diary, " * 1000)
        store = SqliteStore(path, read_only=read_only)
        with pytest.raises(StoreError, match=r"switchyard\.db cannot be .*: file is not a database\.$"):
            await store.open()
        await store.close()
        assert path.read_bytes() == b"Dear diary, " * 1000
        path.unlink()
        async with opened(path) as fresh:
            assert await fresh.jobs(JobFilter()) == []

    async def test_a_damaged_file_is_a_sentence(self, path: Path) -> None:
        """A disk that loses pages is noticed when they are read, at start or later, and never taken for "no jobs"."""
        async with opened(path) as store:
            await keep(store, *(f"j{number}" for number in range(50)))
        content = path.read_bytes()
        path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
        with pytest.raises(StoreError, match=r"switchyard\.db cannot be (used|read): "):
            async with opened(path) as store:
                await store.jobs(JobFilter())

    @pytest.mark.parametrize(
        ("version", "sound"),
        [
            ((3, 44, 5), False),
            ((3, 44, 6), True),
            ((3, 45, 0), False),
            ((3, 50, 6), False),
            ((3, 50, 7), True),
            ((3, 51, 2), False),
            ((3, 51, 3), True),
            ((3, 53, 4), True),
        ],
    )
    def test_an_sqlite_with_the_wal_reset_bug_is_known(self, version: tuple[int, ...], sound: bool) -> None:
        """The versions are those of https://sqlite.org/wal.html#walresetbug."""
        assert is_sound(version) is sound


class TestClosing:
    """A store is closed once, and says so."""

    @pytest.mark.parametrize(
        "use",
        [
            lambda store: store.tell([]),
            lambda store: store.job("j1"),
            lambda store: store.claim_due(Work.CHECK, NOW, NOW, 1),
        ],
    )
    async def test_a_closed_store_refuses_with_a_sentence(
        self, store: SqliteStore, use: Callable[[SqliteStore], Awaitable[object]]
    ) -> None:
        """What comes too late is told so, and waits for nothing."""
        await store.close()
        await store.close()
        with pytest.raises(StoreError, match="closed"):
            await use(store)

    async def test_a_store_that_was_never_opened_can_be_closed(self, path: Path) -> None:
        """And leaves the file to others."""
        await SqliteStore(path).close()
        async with opened(path) as store:
            assert await store.jobs(JobFilter()) == []

    async def test_closing_writes_what_was_handed_in(self, store: SqliteStore, path: Path) -> None:
        """Nobody who waits for an answer is left without one."""
        async with one_group(store):
            telling = [asyncio.create_task(store.tell([a_notice(f"n{number}")])) for number in range(700)]
            await asyncio.sleep(0)
            closing = asyncio.create_task(store.close())
        await asyncio.gather(*telling, closing)
        async with opened(path, read_only=True) as reader:
            assert all([await reader.notice(f"n{number}") for number in range(700)])

    async def test_a_caller_that_goes_does_not_take_its_write_back(self, store: SqliteStore) -> None:
        """A step that is ended at shutdown has written all or nothing, and here it was handed in."""
        async with one_group(store):
            telling = asyncio.create_task(store.tell([a_notice("n")]))
            await asyncio.sleep(0)
            telling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await telling
        await store.tell([])  # comes after it
        assert await store.notice("n") is not None


class TestGroups:
    """Operations that wait together are committed together, and fail apart."""

    async def test_many_operations_share_one_commit(self, store: SqliteStore) -> None:
        """An fsync costs as much for one as for a hundred."""
        statements: list[str] = []
        await store._write(lambda db: db.conn.set_trace_callback(statements.append))
        await all_at_once(store, *(store.tell([a_notice(f"n{number}")]) for number in range(100)))
        await store._write(lambda db: db.conn.set_trace_callback(None))
        inserted = [one for one in statements if one.startswith("INSERT")]
        commits = [one for one in statements if one == "COMMIT"]
        # One is of the operation that held the writer, one of the hundred, one perhaps of setting the trace itself.
        assert len(inserted) == 100
        assert len(commits) <= 3

    async def test_an_operation_that_fails_leaves_the_others_of_its_group(self, store: SqliteStore) -> None:
        """Whatever goes wrong in it: its own words, a rule of the database, SQL that does not stand."""

        def half(db: Database) -> None:
            insert(db, "groups", {"id": "S0HALF", "members": ""})
            raise ValueError("in the middle")

        outcomes = await all_at_once(
            store,
            store.tell([a_notice("first")]),
            store._write(half),
            store.tell([a_notice("n", job_id="j404")]),
            execute(store, "SELECT * FROM nowhere"),
            store.tell([a_notice("last")]),
        )
        assert [type(one) for one in outcomes] == [type(None), ValueError, StoreError, StoreError, type(None)]
        assert [bool(await store.notice(key)) for key in ("first", "n", "last")] == [True, False, True]
        assert await store.groups(["S0HALF"]) == {}

    async def test_where_nothing_can_be_written_every_caller_hears_so(self, store: SqliteStore) -> None:
        """A read-only file: nobody is told a lie, and reading goes on; afterwards writing does too."""
        await keep(store, "j1")
        connection = connection_of(store)
        async with one_group(store):
            connection.execute("PRAGMA query_only=ON").fetchall()
            telling = [asyncio.create_task(store.tell([a_notice(f"n{number}")])) for number in range(5)]
        outcomes = await asyncio.gather(*telling, return_exceptions=True)
        sentence = "The database cannot be written: attempt to write a readonly database."
        assert [str(one) for one in outcomes] == [sentence] * 5
        assert await store.job("j1") is not None
        connection.execute("PRAGMA query_only=OFF").fetchall()
        await store.tell([a_notice("n0")])
        assert await store.notice("n0") is not None

    async def test_a_full_database_is_said_and_can_be_used_again(self, store: SqliteStore) -> None:
        """What did not fit left nothing behind."""
        await keep(store, "j1")
        [[pages]] = await execute(store, "PRAGMA page_count")
        await execute(store, f"PRAGMA max_page_count={pages}")
        large = [a_notice(f"n{number}", body={"text": "x" * 20_000}) for number in range(3)]
        outcomes = await all_at_once(store, *(store.tell([notice]) for notice in large))
        assert [str(one) for one in outcomes] == ["The database cannot be written: database or disk is full."] * 3
        await execute(store, "PRAGMA max_page_count=1000000")
        assert [await store.notice(notice.key) for notice in large] == [None] * 3
        await store.tell(large)
        assert await store.notice("n2") == large[2]


class TestMigrations:
    """A file grows with the product."""

    async def test_migrations_are_applied_once(self, path: Path) -> None:
        """Opening again changes nothing."""
        stories = []
        for _time in range(3):
            async with opened(path) as store:
                stories.append(await execute(store, "SELECT * FROM _sqlite_migrations"))
        assert stories[0] == stories[1] == stories[2]
        assert len(stories[0]) == len(migrations._migrations)

    async def test_a_file_of_the_first_version_is_brought_up_to_date(self, path: Path) -> None:
        """Its jobs are all there, and are found by what the new version searches; a damaged one is in nobody's way."""
        old = connect(path)
        migrations.apply(old, stop_before="m002_words_to_search")
        for id_ in ("j1", "j2"):
            row = job_row(a_job(id_, request=a_wish(id_, model="Über", params={"title": id_ + "-TITLE"})))
            del row["searched"]
            insert(old, "jobs", row)
        old.execute("UPDATE jobs SET request = '{\"half' WHERE id = 'j2'")
        old.close()
        async with opened(path) as store:
            assert [job.id for job in await store.jobs(JobFilter(text="j1-title"))] == ["j1"]
            assert [job.id for job in await store.jobs(JobFilter(text="ÜBER"))] == ["j1"]
            await keep(store, "j3")
            assert [job.id for job in await store.jobs(JobFilter(text="my-model"))] == ["j3"]

    async def test_what_trainings_took_is_read_from_their_moves(self, path: Path) -> None:
        """A forecast begins with the history that there is, and takes of it what it would have kept itself."""
        async with opened(path) as store:
            kept = []
            for id_, start in (("j1", Event.ACCEPT), ("j2", Event.ACCEPT), ("j3", Event.FIND)):
                job = a_job(id_, JobState.UNSURE if start is Event.FIND else JobState.STARTING)
                await store.request(birth(job), same_since=NOW, is_exclusive=False, is_again=True)
                for event, when in ((start, at(minutes=1)), (Event.FINISH, at(minutes=30))):
                    change = step(job, event, when=when)
                    assert await store.apply([change]) == [True]
                    job = change.job
                kept.append(job)
            before = await execute(store, "SELECT * FROM durations ORDER BY job_id")
        db = connect(path)
        db.execute("DROP TABLE durations")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm009_durations'")
        db.close()
        async with opened(path) as store:
            assert await execute(store, "SELECT * FROM durations ORDER BY job_id") == before
            assert [one.took.total_seconds() for one in await store.earlier(kept[0])] == [1740, 1740]

    async def test_a_file_is_looked_up_in_its_index(self, path: Path) -> None:
        """However long the history is: the newest training with the same file is the first that is read."""
        async with opened(path) as store:
            marks = {"sha256": "a", "provider": "p", "model": "m", "team": "t", "at": 1, "id": "j"}
            plan = await store._read(lambda db: db.execute(f"EXPLAIN QUERY PLAN {SAME_DATA}", marks).fetchall())
        [step_] = [row[-1] for row in plan]
        assert step_.startswith(
            "SEARCH jobs USING INDEX jobs_data (data_sha256=? AND provider=? AND model=? AND team=?"
        )

    async def test_files_of_an_earlier_version_are_known(self, path: Path) -> None:
        """The column is worked out of the plans that there are; a damaged one is in nobody's way."""
        payload = Payload(name="a.jsonl", sha256="a" * 64, size=1, rows=1)
        plan = Plan(provider="sestek", model="my-model", body={}, payload=payload)
        old = connect(path)
        migrations.apply(old, stop_before="m012_data_of_trainings")
        for id_ in ("j1", "j2"):
            insert(old, "jobs", job_row(a_job(id_, plan=plan)))
        old.execute("UPDATE jobs SET plan = '{\"half' WHERE id = 'j2'")
        old.close()
        async with opened(path) as store:
            found = await store.same_data(a_job("j3", plan=plan))
        assert found is not None
        assert found.id == "j1"

    async def test_a_migration_that_fails_leaves_the_file_as_it_was(self, path: Path) -> None:
        """Half a migration would never be finished."""
        old = connect(path)
        old.execute("CREATE TABLE clicks (id)")
        old.close()
        store = SqliteStore(path)
        with pytest.raises(StoreError, match="already exists"):
            await store.open()
        db = connect(path)
        assert set(db.table_names()) == {"clicks", "_sqlite_migrations"}
        db.close()

    async def test_a_database_of_an_earlier_version_is_read_once_a_bot_has_run(self, path: Path) -> None:
        """Who only reads may change nothing, and is told so instead of meeting columns that are not there."""
        db = connect(path)
        migrations.apply(db, stop_before="m002_words_to_search")
        db.close()
        reader = SqliteStore(path, read_only=True)
        with pytest.raises(StoreError, match=r"switchyard\.db was written by an earlier Switchyard: it is brought up"):
            await reader.open()
        await reader.close()
        async with opened(path):
            pass
        async with opened(path, read_only=True) as reader:
            assert await reader.jobs(JobFilter(text="churn")) == []

    async def test_a_database_of_something_else_is_no_empty_history(self, path: Path) -> None:
        """Nor is the file that a bot has only just made."""
        connect(path).close()
        reader = SqliteStore(path, read_only=True)
        with pytest.raises(StoreError, match="holds nothing of Switchyard's yet"):
            await reader.open()
        await reader.close()


DAMAGE = {
    "look": "UPDATE jobs SET look = '{\"looks\": \"many\"}' WHERE id = 'j1'",
    "half a request": "UPDATE jobs SET request = substr(request, 1, 20) WHERE id = 'j1'",
    "a state of a later version": "UPDATE jobs SET state = 'teleported' WHERE id = 'j1'",
    "claim": "UPDATE jobs SET claim = '[1]' WHERE id = 'j1'",
}


class TestDamage:
    """A row that cannot be read is an error, not a wrong value, and stops nothing else."""

    @pytest.mark.parametrize("sql", DAMAGE.values(), ids=DAMAGE)
    async def test_a_damaged_job_is_an_error_with_its_name(self, store: SqliteStore, sql: str) -> None:
        """Nobody acts on half a job; whoever wanted it in an export reads that in their language."""
        await keep(store, "j1", "j2")
        await execute(store, sql)
        with pytest.raises(StoreError, match=r"^Job j1 cannot be read") as caught:
            await store.job("j1")
        with speaking(Pseudo()):
            assert speak(caught.value.args[0]).startswith("Ĵóƀ j1 ")
        assert await store.job("j2") is not None

    async def test_a_damaged_job_is_not_worked_on_and_keeps_no_other_from_it(
        self, store: SqliteStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        """One row must not stop the poller."""
        await keep(store, "j1", "j2", "j3")
        await execute(store, DAMAGE["look"])
        assert [job.id for job in await store.claim_due(Work.CHECK, NOW, at(hours=1), 9)] == ["j2", "j3"]
        assert "Job j1 cannot be read" in caplog.text

    async def test_a_damaged_message_keeps_no_other_from_being_sent(
        self, store: SqliteStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Its own lane waits, the others go on; and a redraw beside it fails alone."""
        await store.tell([a_notice("broken", "a", NoticeKind.REDRAW, body={"target": "x"}), a_notice("whole", "b")])
        await execute(store, "UPDATE notices SET body = '{\"half' WHERE key = 'broken'")
        assert [notice.key for notice in await store.take_notices(NOW, 9)] == ["whole"]
        assert "Message broken cannot be read" in caplog.text
        with pytest.raises(StoreError, match="Message broken"):
            await store.notice("broken")

    async def test_every_kind_of_row_is_checked_when_it_is_read(self, store: SqliteStore) -> None:
        """Prompts, transitions, wishes and health as well as jobs."""
        await store.request(birth(a_job(), opens=[a_prompt()]), same_since=NOW, is_exclusive=False)
        await execute(store, "UPDATE prompts SET prompt = '{}'")
        await execute(store, "UPDATE requests SET request = 'x'")
        await execute(store, "INSERT INTO health VALUES ('sony', '7')")
        await execute(store, "INSERT INTO transitions VALUES ('j1', 2, 0, NULL, 'nowhere', NULL, '', '', '', NULL)")
        readings: list[tuple[str, Callable[[], Awaitable[object]]]] = [
            ("Prompt p1", lambda: store.prompt("p1")),
            ("Prompt p1", lambda: store.prompts("j1")),
            ("Prompt p1", store.open_prompts),
            ("The wish of a command", lambda: store.asked_for("key of j1")),
            ("The health of sony", store.health),
            ("Move 2 of job j1", lambda: store.transitions("j1")),
        ]
        for what, read in readings:
            with pytest.raises(StoreError, match=f"^{what} cannot be read"):
                await read()

    @pytest.mark.parametrize("said", ["[" * 50_000, "{}", '"another"'])
    async def test_a_reason_is_read_as_it_was_written_or_not_at_all(self, store: SqliteStore, said: str) -> None:
        """What it is made of lies beside it; it is nested as deep as somebody likes, or says something else."""
        await keep(store, "j1")
        cancelled = step(a_job("j1"), Event.CANCEL)
        assert cancelled.transition is not None
        reason = _("{count:,} of {what}", count=1234, what="them")
        await store.apply([replace(cancelled, transition=replace(cancelled.transition, reason=reason))])
        assert pack((await store.transitions("j1"))[-1].reason) == pack(reason)
        await execute(store, f"INSERT INTO transitions VALUES ('j1', 9, 0, NULL, 'done', NULL, '', '', 'x', '{said}')")
        with pytest.raises(StoreError, match=r"^Move 9 of job j1 cannot be read"):
            await store.transitions("j1")

    async def test_clicks_and_inquiries_that_can_be_read_are_answered(self, store: SqliteStore) -> None:
        """One that cannot is left out."""
        for number in (1, 2):
            await store.keep_click(a_click(f"c{number}", f"p{number}"))
            await store.inquire(an_inquiry(f"i{number}"))
        await execute(store, "UPDATE clicks SET click = '' WHERE id = 'c1'")
        await execute(store, "UPDATE inquiries SET inquiry = '' WHERE id = 'i1'")
        assert [click.id for click in await store.kept_clicks()] == ["c2"]
        assert [one.id for one in await store.claim_inquiries(NOW, at(hours=1))] == ["i2"]


class TestReading:
    """The shell reads beside a running bot."""

    async def test_a_reader_sees_what_the_writer_committed_and_nothing_else(
        self, store: SqliteStore, path: Path
    ) -> None:
        """Also what was committed after it was opened, in both directions without waiting."""
        async with opened(path, read_only=True) as reader:
            assert await reader.job("j1") is None
            await keep(store, "j1")
            assert await reader.job("j1") == a_job("j1")
            await store.apply([step(a_job("j1"), Event.CANCEL)])
            assert [job.state for job in await reader.jobs(JobFilter())] == [JobState.CANCELLED]
            async with one_group(store):
                assert await reader.job("j1") is not None

    async def test_a_reader_cannot_write(self, store: SqliteStore, path: Path) -> None:
        """By no method and by no statement."""
        await keep(store, "j1")
        async with opened(path, read_only=True) as reader:
            with pytest.raises(StoreError, match="opened to be read only"):
                await reader.apply([bookkeeping(a_job(), act_at=None)])
            for one in (reader, store):
                with pytest.raises(StoreError, match="readonly database"):
                    await one._read(lambda db: db.execute("DELETE FROM requests"))

    async def test_readers_keep_no_writer_out(self, path: Path) -> None:
        """Only writers exclude each other."""
        async with opened(path) as store:
            await keep(store, "j1")
        async with opened(path, read_only=True), opened(path, read_only=True), opened(path) as store:
            assert await store.job("j1") is not None

    async def test_without_a_database_there_is_nothing_to_read(self, path: Path) -> None:
        """And reading makes none."""
        with pytest.raises(StoreError, match=r"^There is no database switchyard\.db yet"):
            async with opened(path, read_only=True):
                pass
        assert list(path.parent.iterdir()) == []


@asynccontextmanager
async def another_process(what: str, path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.storage.writer_process", what, str(path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def lines(process: asyncio.subprocess.Process, most: int | None = None) -> list[str]:
    """The next whole lines of a process, all to the end where it is not said how many."""
    assert process.stdout is not None
    found: list[str] = []
    while most is None or len(found) < most:
        line = (await process.stdout.readline()).decode()
        if not line.endswith("\n"):
            break
        found.append(line.strip())
    return found


class TestProcesses:
    """One process writes; when it dies, nothing that it acknowledged is lost."""

    async def test_a_second_writing_process_is_refused_until_the_first_is_dead(self, path: Path) -> None:
        """The sentence names the other process and the ways on; reading works; a kill -9 leaves no lock behind."""
        async with another_process("hold", path) as other:
            assert await lines(other, 1) == ["ready"]
            with pytest.raises(
                StoreError, match=rf"\(process {other.pid}\) writes to switchyard\.db already"
            ) as raised:
                SqliteStore(path)
            assert "SWITCHYARD_DATABASE_URL" in str(raised.value)
            async with opened(path, read_only=True) as reader:
                assert await reader.job("held") is not None
            other.send_signal(signal.SIGKILL)
            await other.wait()
        async with opened(path) as store:
            assert await store.job("held") is not None

    async def test_a_link_is_no_way_round_the_lock(self, store: SqliteStore, path: Path) -> None:
        """Two names, one file, one writer."""
        link = path.with_name("other.db")
        link.symlink_to(path)
        with pytest.raises(StoreError, match=rf"process {os.getpid()}\)"):
            SqliteStore(link)

    async def test_what_a_killed_process_acknowledged_is_there_and_whole(self, path: Path) -> None:
        """kill -9 between any two instructions: every acknowledged job is kept, and no job is kept in part."""
        async with another_process("write", path) as writer:
            acknowledged = await lines(writer, 150)
            writer.send_signal(signal.SIGKILL)
            acknowledged += await lines(writer)
        assert len(acknowledged) >= 150
        async with opened(path) as store:
            assert await execute(store, "PRAGMA integrity_check") == [("ok",)]
            kept = {row[0] for row in await execute(store, "SELECT id FROM jobs")}
            assert set(acknowledged) <= kept
            for table in ("transitions", "requests", "notices"):
                assert {row[0] for row in await execute(store, f"SELECT job_id FROM {table}")} == kept

    async def test_a_disk_that_takes_no_more_fails_every_caller_and_is_recovered_from(self, path: Path) -> None:
        """A commit that cannot be written is nobody's success; with room again, the same process goes on."""
        async with another_process("fill", path) as process:
            said = await lines(process)
        assert said == ["StoreError"] * 5 + ["written", "0 of the others"]
        async with opened(path) as store:
            assert [job.id for job in await store.jobs(JobFilter())] == ["after"]
            assert await execute(store, "PRAGMA integrity_check") == [("ok",)]


class TestLongHistory:
    """Ten thousand jobs are written out without ever being held."""

    async def test_a_long_history_is_read_and_held_page_by_page(self, store: SqliteStore, tmp_path: Path) -> None:
        """While the ten thousandth is written, the first are long gone from the memory."""
        await keep(store, "j1")
        await store._write(_ten_thousand)
        watched = _Watched(store)
        written = await write_stories(watched, JobFilter(), Form.JSONL, tmp_path / "out", lambda: NOW)
        assert (written.rows, set(watched.pages[:-1]), watched.pages[-1]) == (10_000, {PAGE}, 0)
        assert max(watched.alive) <= 2 * PAGE
        data = (tmp_path / "out").read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (written.size, written.sha256)
        found = [json.loads(line) for line in data.splitlines()]
        assert len({one["job"] for one in found}) == 10_000
        assert all(len(one["moves"]) == 1 for one in found)
        times = [one["requested_at"] for one in found]
        assert times == sorted(times, reverse=True)


class _Watched:
    """A store that counts what it gives out, and now and then what of it is still held."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.pages: list[int] = []
        self.alive: list[int] = []

    async def stories(self, wanted: JobFilter, *, after: Job | None = None, limit: int = 0) -> list[Story]:
        if len(self.pages) % 10 == 9:
            self.alive.append(sum(isinstance(one, Story) for one in gc.get_objects()))
        page = await self._store.stories(wanted, after=after, limit=limit)
        self.pages.append(len(page))
        return page


def _ten_thousand(db: Database) -> None:
    """Copies of one job and of its move; several were made at one moment."""
    numbers = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 9999)"
    for table, changed in (
        ("jobs", {"id": "'c' || n", "created_at": "created_at - 1000 * (n / 3)"}),
        ("transitions", {"job_id": "'c' || n"}),
    ):
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})").fetchall()]
        copied = ", ".join(changed.get(column, column) for column in columns)
        db.execute(f"{numbers} INSERT INTO {table} ({', '.join(columns)}) SELECT {copied} FROM {table}, n")
