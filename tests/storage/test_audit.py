"""The audit log on a real file, and what somebody may do to it: found, and located."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlite_utils import Database
from sqlite_utils.utils import sqlite3

from bot.domain.approvals import Answer
from bot.domain.audit import Anchor, AuditKind, Entry, Record, hash_of, seal
from bot.domain.audit_check import Damage, Report
from bot.domain.changes import Change
from bot.domain.jobs import TRANSITIONS, Event, JobState
from bot.errors import StoreError
from storage import audit
from storage.audit import COLUMNS, leave, verify_log, waiting
from storage.migrations import migrations
from storage.store import SqliteStore
from tests.contract.samples import NOW, a_job, a_prompt, answered, at, birth, bookkeeping, step
from tests.fuzz.effort import effort

ROWS = 14
LAST = ROWS


async def write_story(path: Path) -> None:
    """A log with rows of every making."""
    store = SqliteStore(path)
    await store.open()
    job, prompt = a_job("j1", JobState.RUNNING), a_prompt()
    await store.request(birth(job), same_since=NOW, is_exclusive=False)
    offered = step(job, Event.OFFER, opens=(prompt,))
    rejected = step(offered.job, Event.REJECT, closes=(replace(answered(prompt, Answer.REJECT), reason="no"),))
    again = step(rejected.job, Event.OFFER_AGAIN, opens=(a_prompt("p2"),))
    for change in (offered, rejected, again):
        assert await store.apply([change]) == [True]
    denied = Record(at=NOW, kind=AuditKind.DENIED, prompt_id="p2", facts={"why": "You may not decide this."})
    await store.record([denied, Record(at=NOW, kind=AuditKind.POLICY, facts={"digest": "d"})])
    closed = step(again.job, Event.PROMOTE, closes=(answered(a_prompt("p2")),))
    sent = bookkeeping(closed.job, switch={"before": {"version": "3"}, "sees": True})
    live = step(sent.job, Event.SEE)
    await store.apply([closed, sent, live])
    await store.close()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that nobody touched; stories copy it."""
    path = tmp_path_factory.mktemp("audit") / "sound.db"
    asyncio.run(write_story(path))
    return path


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    with closing(sqlite3.connect(str(path), isolation_level=None)) as db:
        yield db


@contextmanager
def unguarded(path: Path) -> Iterator[Any]:
    """Write as who owns the file can: without the triggers, which are there again afterwards."""
    with opened(path) as db:
        guards = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            db.execute(f"DROP TRIGGER {name}")
        yield db
        for _, sql in guards:
            db.execute(sql)


def rows_of(db: Any) -> list[Entry]:
    found = db.execute(f"SELECT {', '.join(COLUMNS)} FROM audit ORDER BY seq").fetchall()
    return [Entry(**dict(zip(COLUMNS, row, strict=True))) for row in found]


def head_of(path: Path) -> Anchor:
    with opened(path) as db:
        last = rows_of(db)[-1]
    return Anchor(seq=last.seq, hash=last.hash)


def put(db: Any, rows: list[Entry]) -> None:
    """Write the whole table anew."""
    db.execute("DELETE FROM audit")
    marks = ", ".join("?" * len(COLUMNS))
    db.executemany(f"INSERT INTO audit VALUES ({marks})", [[getattr(row, name) for name in COLUMNS] for row in rows])


def resealed(rows: list[Entry], since: int) -> list[Entry]:
    """The rows as somebody would write them who knows how they are sealed."""
    done: list[Entry] = []
    for row in rows:
        if row.seq >= since:
            row = replace(row, previous=done[-1].hash if done else row.previous)  # noqa: PLW2901
            row = replace(row, hash=hash_of(row))  # noqa: PLW2901
        done.append(row)
    return done


@pytest.fixture
def damage(sound: Path, tmp_path: Path) -> Callable[..., Report]:
    """Do something to a copy of the sound database, and verify that."""

    def done(work: Callable[[Any], object], *anchors: Anchor) -> Report:
        path = tmp_path / "damaged.db"
        shutil.copyfile(sound, path)
        with unguarded(path) as db:
            work(db)
        return verify_log(path, anchors)

    return done


def places(report: Report) -> list[tuple[int, Damage]]:
    return [(one.seq, one.damage) for one in report.findings]


SEQS = st.integers(1, LAST)
CELLS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(max_size=5), st.binary(max_size=5), st.floats())


class TestSound:
    """What nobody touched is sound."""

    def test_a_log_that_nobody_touched_is_sound(self, sound: Path) -> None:
        """And it says up to which row an anchor from outside covers it."""
        report = verify_log(sound)
        assert (report.is_sound, report.rows, report.uncovered) == (True, ROWS, (1, ROWS))
        anchored = verify_log(sound, [head_of(sound)])
        assert (anchored.is_sound, anchored.outside, anchored.uncovered) == (True, ROWS, None)

    def test_the_file_takes_no_change(self, sound: Path, tmp_path: Path) -> None:
        """Rows and anchors are only added, and only at the end; who drops the guards is told of."""
        path = tmp_path / "guarded.db"
        shutil.copyfile(sound, path)
        marks = ", ".join("?" * len(COLUMNS))
        with opened(path) as db:
            first = [getattr(rows_of(db)[0], name) for name in COLUMNS]
            for sql, values in (
                ("UPDATE audit SET facts = '{}'", []),
                ("DELETE FROM audit", []),
                (f"INSERT OR REPLACE INTO audit VALUES ({marks})", first),
                (f"INSERT INTO audit VALUES ({marks})", [LAST + 2, *first[1:]]),
            ):
                with pytest.raises(sqlite3.IntegrityError):
                    db.execute(sql, values)
            assert verify_log(path).is_sound
            db.execute("DROP TRIGGER audit_stays")
        assert places(verify_log(path)) == [(0, Damage.GUARD)]

    def test_an_older_database_is_covered_from_its_first_move_on(self, tmp_path: Path) -> None:
        """The log of a database that had none begins with a digest over the moves that it held."""
        path = tmp_path / "older.db"
        with closing(sqlite3.connect(str(path), isolation_level=None)) as connection:
            db = Database(connection)
            migrations.apply(db, stop_before="m003_audit_log")
            db.execute("PRAGMA foreign_keys = OFF")
            for number in (1, 2):
                db.execute(
                    "INSERT INTO transitions VALUES ('j1', ?, 5, NULL, 'running', NULL, 'T', 'U', 'why')", [number]
                )
            migrations.apply(db)
        report = verify_log(path)
        assert (report.is_sound, report.rows) == (True, 1)
        with unguarded(path) as db:
            db.execute("UPDATE transitions SET user = 'U0ELSE' WHERE seq = 1")
        assert places(verify_log(path)) == [(1, Damage.HISTORY)]

    def test_a_database_without_a_log_is_a_sentence(self, tmp_path: Path) -> None:
        """Verifying changes nothing, so it does not begin a log either."""
        path = tmp_path / "empty.db"
        with opened(path) as db:
            db.execute("CREATE TABLE t (x)")
        with pytest.raises(StoreError, match="holds no audit log yet"):
            verify_log(path)


class TestDamage:
    """Whatever is done to one row is found, with its number."""

    @effort(20)
    @given(seq=SEQS, column=st.sampled_from(COLUMNS[1:]), cell=CELLS)
    def test_a_changed_cell_is_found(self, damage: Any, sound: Path, seq: int, column: str, cell: object) -> None:
        """Every cell of every row, whatever it is changed to; the row before is found too where the hash went."""

        def change(db: Any) -> None:
            try:
                db.execute(f"UPDATE audit SET {column} = ? WHERE seq = ?", [cell, seq])
            except sqlite3.IntegrityError:
                assume(False)  # no cell is ever NULL
            assume(rows_of_raw(db) != before)

        with opened(sound) as db:
            before = rows_of_raw(db)
        report = damage(change)
        assert (seq, Damage.CHANGED) in places(report)
        assert {one.seq for one in report.findings} == {seq}

    @effort(30)
    @given(first=SEQS, count=st.integers(1, 3))
    def test_removed_rows_are_found(self, damage: Any, first: int, count: int) -> None:
        """The numbers that lack are named; a cut tail is found by an anchor alone, and said to be uncovered."""
        remove = f"DELETE FROM audit WHERE seq BETWEEN {first} AND {first + count - 1}"
        report = damage(lambda db: db.execute(remove))
        if first + count - 1 < LAST:
            assert places(report) == [(first, Damage.MISSING)]

    @effort(30)
    @given(one=SEQS, other=SEQS)
    def test_swapped_rows_are_found(self, damage: Any, one: int, other: int) -> None:
        """Both, and each is told as what it was written as."""
        assume(one != other)
        report = damage(lambda db: put(db, [swapped(row, one, other) for row in rows_of(db)]))
        assert {(one, Damage.MOVED), (other, Damage.MOVED)} <= set(places(report))
        assert {seq for seq, _ in places(report)} <= {one, other, one - 1, other - 1, one + 1, other + 1}
        first = min(one, other)
        assert f"Row {first} is what was written as row {max(one, other)}" in report.findings[0].says

    @effort(30)
    @given(seq=st.integers(1, LAST), source=SEQS)
    def test_an_inserted_row_is_found(self, damage: Any, seq: int, source: int) -> None:
        """A copy of another row put in, the rest moved on: the log does not fit from there."""

        def insert(db: Any) -> None:
            rows = rows_of(db)
            later = [replace(row, seq=row.seq + 1) for row in rows if row.seq > seq]
            put(db, [*rows[:seq], replace(rows[source - 1], seq=seq + 1), *later])

        report = damage(insert)
        # A row put in before itself stands where it stood: the second of the two is one too many.
        assert report.findings[0].seq == (seq + 2 if source == seq + 1 else seq + 1)

    @effort(30)
    @given(seq=SEQS)
    def test_a_row_that_was_sealed_anew_is_found_by_the_next(self, damage: Any, sound: Path, seq: int) -> None:
        """Who knows the seal changes a row and its hash: the next row says so, of the last one an anchor."""

        def rewrite(db: Any) -> None:
            rows = rows_of(db)
            row = replace(rows[seq - 1], user="U0ELSE")
            rows[seq - 1] = replace(row, hash=hash_of(row))
            put(db, rows)

        head = head_of(sound)
        report = damage(rewrite, head)
        assert report.findings[0].seq == seq
        assert (seq, Damage.ANCHOR if seq == LAST else Damage.BROKEN) in places(report)

    @effort(20)
    @given(seq=SEQS)
    def test_a_log_that_was_sealed_anew_to_its_end_is_found_by_an_anchor(
        self, damage: Any, sound: Path, seq: int
    ) -> None:
        """Nothing within it can tell: only what was kept elsewhere."""

        def rewrite(db: Any) -> None:
            rows = rows_of(db)
            rows[seq - 1] = replace(rows[seq - 1], team="T0ELSE")
            put(db, resealed(rows, seq))

        within = damage(rewrite)
        assert {one.damage for one in within.findings} <= {Damage.HISTORY}
        assert (LAST, Damage.ANCHOR) in places(damage(rewrite, head_of(sound)))

    @effort(20)
    @given(last=st.integers(0, LAST - 1))
    def test_a_cut_tail_is_found_by_an_anchor(self, damage: Any, sound: Path, last: int) -> None:
        """Without one the log says itself that nothing covers its last rows."""

        def cut(db: Any) -> None:
            db.execute("DELETE FROM audit WHERE seq > ?", [last])

        report = damage(cut, head_of(sound))
        assert (last + 1, Damage.CUT) in places(report)
        blind = damage(cut)
        assert {one.damage for one in blind.findings} <= {Damage.HISTORY}
        assert blind.uncovered == ((1, last) if last else None)


class TestHistory:
    """What the bot shows is compared with what its log tells."""

    @pytest.mark.parametrize(
        ("statement", "says"),
        [
            ("UPDATE transitions SET user = 'U0ELSE' WHERE seq = 3", "tells move 3 of training j1 otherwise than row"),
            ("UPDATE transitions SET reason = 'x' WHERE seq = 1", "tells move 1 of training j1 otherwise than row 2"),
            ("DELETE FROM transitions WHERE seq = 2", "holds move 3 of training j1 where row 3 tells of move 2"),
            ("DELETE FROM transitions WHERE seq = 6", "lacks move 6 of training j1"),
            (
                "INSERT INTO transitions SELECT job_id, 99, 0, old, new, '', '', '', '', NULL FROM transitions LIMIT 1",
                "holds move 99 of training j1, of which no row tells",
            ),
            ("""UPDATE prompts SET prompt = json_set(prompt, '$.actor.user', 'U0X') WHERE id = 'p1'""", "question p1"),
            ("""UPDATE prompts SET prompt = json_set(prompt, '$.answer', 'reject') WHERE id = 'p2'""", "question p2"),
            ("DELETE FROM prompts WHERE id = 'p2'", "The question p2 of row 11 is not kept any more"),
            ("UPDATE prompts SET prompt = 'x' WHERE id = 'p2'", "cannot be compared"),
        ],
    )
    def test_a_history_that_was_changed_is_found(self, damage: Any, statement: str, says: str) -> None:
        """Who changes what people see, and not the log, is found by the log."""
        report = damage(lambda db: db.execute(statement))
        [finding] = report.findings
        assert finding.damage is Damage.HISTORY
        assert says in finding.says


class TestInbox:
    """What other processes take out is told by the one that writes."""

    async def test_an_export_beside_the_bot_is_told_once(self, tmp_path: Path) -> None:
        """Also where the process died between taking it in and forgetting the file."""
        path = tmp_path / "switchyard.db"
        store, other = SqliteStore(path), SqliteStore(path, read_only=True)
        await store.open()
        await other.record([Record(at=NOW, kind=AuditKind.EXPORT, facts={"what": "audit log"})])
        [file] = waiting(path)
        kept = file.read_bytes()
        assert await store.take_in() == 1
        file.write_bytes(kept)
        assert await store.take_in() == 1
        assert await store.take_in() == 0
        entries = [one for one in await store.entries() if one.kind == "export"]
        assert [(one.time, one.told()["what"]) for one in entries] == [(NOW, "audit log")]
        await other.close()
        await store.close()
        assert verify_log(path).is_sound

    @pytest.mark.parametrize(
        "content",
        [
            "", "{", "[]", '{"at": "x", "facts": {}}', '{"at": 1e99, "facts": {}}', "ü", "[" * 60_000,
            '{"at": 1, "facts": {"x": ' + "[" * 900 + "]" * 900 + "}}",
            '{"at": 1, "facts": {"x": "' + "x" * 100_000 + '"}}',
        ],
        ids=range(9),
    )  # fmt: skip
    async def test_a_file_that_cannot_be_read_is_put_aside(self, tmp_path: Path, content: str) -> None:
        """It holds up nothing, and is there to be looked at."""
        path = tmp_path / "switchyard.db"
        leave(path, Record(at=NOW, kind=AuditKind.EXPORT, facts={"what": "x"}))
        bad = audit.inbox(path) / "0-bad.json"
        bad.write_text(content)
        store = SqliteStore(path)
        await store.open()
        assert await store.take_in() == 1
        await store.close()
        assert [one.name for one in audit.inbox(path).iterdir()] == ["0-bad.unreadable"]

    async def test_nothing_but_exports_comes_through_the_folder(self, tmp_path: Path) -> None:
        """Whoever may write there cannot make up a decision."""
        with pytest.raises(StoreError):
            leave(tmp_path / "switchyard.db", Record(at=NOW, kind=AuditKind.DECIDED))

    async def test_what_cannot_be_put_on_record_is_not_taken_out(self, tmp_path: Path) -> None:
        """The sentence says so."""
        (tmp_path / "switchyard.db.inbox").write_text("in the way")
        with pytest.raises(StoreError, match="Nothing was taken out"):
            leave(tmp_path / "switchyard.db", Record(at=NOW, kind=AuditKind.EXPORT))


@st.composite
def stories(draw: st.DrawFn) -> list[Change]:
    """Moves of a few jobs in any order that the table of states has, questions asked and answered on the way."""
    jobs = {f"j{number}": a_job(f"j{number}", draw(st.sampled_from(JobState))) for number in range(3)}
    changes = [birth(job) for job in jobs.values()]
    opened_ = 0
    for number in range(draw(st.integers(1, 12))):
        id_ = draw(st.sampled_from(sorted(jobs)))
        events = sorted(TRANSITIONS[jobs[id_].state])
        if not events:
            continue
        prompt = a_prompt(f"p{opened_}", id_)
        opens = (prompt,) if draw(st.booleans()) else ()
        opened_ += len(opens)
        change = step(jobs[id_], draw(st.sampled_from(events)), when=at(seconds=number), opens=opens)
        is_late = draw(st.booleans()) and number % 3 == 0
        changes += [change, change] if is_late else [change]
        jobs[id_] = change.job
        if opens and draw(st.booleans()):
            changes.append(bookkeeping(change.job, closes=(answered(prompt),)))
    return changes


@effort(15)
@given(changes=stories())
async def test_the_log_is_sound_after_any_story(
    tmp_path_factory: pytest.TempPathFactory, changes: list[Change]
) -> None:
    """Whatever is written in whatever order, with late and double changes among it."""
    path = tmp_path_factory.mktemp("story") / "switchyard.db"
    store = SqliteStore(path)
    await store.open()
    for change in changes:
        if change.expected == 0:
            await store.request(change, same_since=NOW, is_exclusive=False, is_again=True)
        else:
            await store.apply([change])
    [(moves,)] = await store._read(lambda db: db.execute("SELECT count(*) FROM transitions").fetchall())
    await store.close()
    report = verify_log(path)
    assert report.findings == ()
    assert report.rows > moves


def rows_of_raw(db: Any) -> list[Any]:
    return [tuple(row) for row in db.execute("SELECT * FROM audit ORDER BY seq").fetchall()]


def swapped(row: Entry, one: int, other: int) -> Entry:
    """The row under the number of the other one of the two."""
    return replace(row, seq={one: other, other: one}.get(row.seq, row.seq))


def test_facts_are_readable_json() -> None:
    """What an auditor exports can be read by any tool."""
    entry = seal(Record(at=NOW, kind=AuditKind.DENIED, facts={"b": "ü", "a": [1, None]}), 1, "0" * 64)
    assert json.loads(entry.facts) == {"a": [1, None], "b": "ü"}
    assert entry.facts.isascii()
