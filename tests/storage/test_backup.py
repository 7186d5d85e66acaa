"""Backups of a real database on a real disk: one moment of it, checked, without secrets, and the way back."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils.utils import sqlite3

from bot.domain.changes import NoticeKind
from bot.domain.jobs import TRANSITIONS, JobState
from bot.domain.requests import Payload, Plan
from bot.errors import StoreError
from storage import backup
from storage.backup import MANIFEST, alone, back_up, examine, put_in_place, unpacked
from storage.store import SqliteStore
from tests.contract.samples import NOW, a_click, a_job, a_notice, an_inquiry, at, birth

CANARY = "canary-of-an-answer"
URL = f"https://hooks.example/commands/T0YARD/{CANARY}"
LATER = at(hours=3)


@asynccontextmanager
async def written(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def keep(store: SqliteStore, id_: str, state: JobState = JobState.RUNNING, **fields: Any) -> None:
    change = birth(a_job(id_, state, **fields), a_notice(f"{id_}:card", lane=id_))
    await store.request(change, same_since=NOW, is_exclusive=False, is_again=True, url=URL)


def sending(content: bytes, spool: Path) -> Plan:
    """A plan whose file lies in the spool, as a check leaves it."""
    sha256 = hashlib.sha256(content).hexdigest()
    spool.mkdir(exist_ok=True)
    (spool / sha256).write_bytes(content)
    payload = Payload(name="my-model.jsonl", sha256=sha256, size=len(content), rows=1)
    return Plan(provider="sestek", model="my-model", body={}, payload=payload)


def read(path: Path, sql: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        found: list[tuple[Any, ...]] = db.execute(sql).fetchall()
        return found
    finally:
        db.close()


def jobs(path: Path) -> set[str]:
    return {id_ for (id_,) in read(path, "SELECT id FROM jobs")}


def leave_as_killed(path: Path, folder: Path) -> Path:
    """The files as a process that was killed would leave them, with the last commits in the log alone."""
    folder.mkdir()
    for ending in ("", "-wal", "-shm"):
        shutil.copy(f"{path}{ending}", folder / f"{path.name}{ending}")
    assert (folder / f"{path.name}-wal").stat().st_size > 0
    return folder / path.name


def damage(path: Path) -> None:
    """Overwrite a page in the middle, as a dying disk would."""
    pages = path.stat().st_size // 4096
    with path.open("r+b") as file:
        file.seek(pages // 2 * 4096)
        file.write(b"\xa5" * 4096)


def restore(archive: Path, database: Path, spool: Path | None = None) -> Path | None:
    with unpacked(archive, database) as made:
        return put_in_place(made, database, spool or database.parent / "spool", now=LATER)


# -- making one ----------------------------------------------------------------------------------------------------


async def test_a_backup_beside_a_writing_bot_is_one_moment(tmp_path: Path) -> None:
    """What was acknowledged before it began is in it, and of what comes meanwhile each transaction whole or not."""
    async with written(tmp_path / "switchyard.db") as store:
        for number in range(20):
            await keep(store, f"before{number}")
        busy = True

        async def go_on() -> None:
            number = 0
            while busy:
                number += 1
                await keep(store, f"meanwhile{number}")

        writing = asyncio.create_task(go_on())
        made = await asyncio.to_thread(back_up, tmp_path / "switchyard.db", tmp_path, tmp_path / "a.tar", now=NOW)
        busy = False
        await writing
    restore(tmp_path / "a.tar", tmp_path / "b" / "switchyard.db")
    copy = tmp_path / "b" / "switchyard.db"
    assert {f"before{number}" for number in range(20)} <= jobs(copy)
    assert len(jobs(copy)) == made.jobs == made.alive
    assert jobs(copy) == {id_ for (id_,) in read(copy, "SELECT job_id FROM transitions")}
    assert jobs(copy) == {id_ for (id_,) in read(copy, "SELECT lane FROM notices")}


async def test_a_backup_after_a_kill_holds_the_last_commit(tmp_path: Path) -> None:
    """A killed process leaves its last commits in the log; they are in the backup."""
    async with written(tmp_path / "switchyard.db") as store:
        await keep(store, "j1")
        left = leave_as_killed(tmp_path / "switchyard.db", tmp_path / "left")
    back_up(left, tmp_path, tmp_path / "a.tar", now=NOW)
    restore(tmp_path / "a.tar", tmp_path / "b" / "switchyard.db")
    assert jobs(tmp_path / "b" / "switchyard.db") == {"j1"}


async def test_a_backup_replaces_another_only_when_it_is_told_to(tmp_path: Path) -> None:
    """The backup of yesterday is not lost by a typing mistake."""
    async with written(tmp_path / "switchyard.db") as store:
        await keep(store, "j1")
    target = tmp_path / "a.tar"
    target.write_text("something dear")
    with pytest.raises(StoreError, match="--force"):
        back_up(tmp_path / "switchyard.db", tmp_path, target, now=NOW)
    assert target.read_text() == "something dear"
    back_up(tmp_path / "switchyard.db", tmp_path, target, now=NOW, may_replace=True)
    assert tarfile.is_tarfile(target)


async def test_a_damaged_database_makes_no_backup_and_spares_the_former(tmp_path: Path) -> None:
    """A copy gets its name only after it was found good, and what was unfinished is gone."""
    async with written(tmp_path / "switchyard.db") as store:
        for number in range(40):
            await keep(store, f"j{number}")
    damage(tmp_path / "switchyard.db")
    target = tmp_path / "backups" / "a.tar"
    target.parent.mkdir()
    target.write_text("the last good one")
    with pytest.raises(StoreError, match=r"No backup was made: .*(damaged|malformed)"):
        back_up(tmp_path / "switchyard.db", tmp_path, target, now=NOW, may_replace=True)
    assert [one.name for one in target.parent.iterdir()] == ["a.tar"]
    assert target.read_text() == "the last good one"


def test_without_a_database_there_is_no_backup(tmp_path: Path) -> None:
    """Said in a sentence; nothing is left behind."""
    with pytest.raises(StoreError, match="no database"):
        back_up(tmp_path / "switchyard.db", tmp_path, tmp_path / "a.tar", now=NOW)
    assert list(tmp_path.iterdir()) == []


async def test_no_address_for_answers_is_in_a_backup(tmp_path: Path) -> None:
    """response_urls are secrets: neither a row nor a page that was given up carries one out of the house."""
    async with written(tmp_path / "switchyard.db") as store:
        await keep(store, "j1")
        await store.keep_click(a_click(url=URL))
        await store.inquire(an_inquiry(url=URL))
        told = a_notice("told", kind=NoticeKind.TOLD, body={"url": URL, "text": "hello"})
        sent = a_notice("sent", lane="b", kind=NoticeKind.TOLD, body={"url": URL, "text": "hello"})
        await store.tell([told, sent])
        await store.sent(sent, ts="", channel="")
        await store.forget_urls(at(hours=1))
        assert CANARY.encode() in (tmp_path / "switchyard.db-wal").read_bytes()
        back_up(tmp_path / "switchyard.db", tmp_path, tmp_path / "a.tar", now=NOW)
    assert CANARY.encode() not in (tmp_path / "a.tar").read_bytes()
    assert (tmp_path / "a.tar").stat().st_mode & 0o077 == 0


async def test_an_export_that_waited_is_not_made_by_a_restored_bot(tmp_path: Path, database: Path) -> None:
    """It was made since, or whoever wants it asks anew; one that was made stays what it is."""
    async with written(tmp_path / "switchyard.db") as store:
        waits = a_notice("waits", kind=NoticeKind.EXPORT, body={"form": "csv"})
        made = a_notice("made", lane="b", kind=NoticeKind.EXPORT, body={"form": "csv"})
        await store.tell([waits, made])
        await store.sent(made, ts="1.2", channel="D0ADA")
        back_up(tmp_path / "switchyard.db", tmp_path, tmp_path / "a.tar", now=NOW)
    restore(tmp_path / "a.tar", database)
    async with written(database) as store:
        assert await store.take_notices(at(hours=1), 10) == []
        kept = await store.notice("made")
        assert kept is not None
        assert kept.sent_ts == "1.2"


async def test_the_files_that_will_still_be_sent_are_in_it(tmp_path: Path) -> None:
    """A training that has not started goes on after a restore on an empty machine; of others no file is carried."""
    spool = tmp_path / "spool"
    ready, running, gone = (sending(name, spool) for name in (b"ready", b"running", b"gone"))
    assert ready.payload is not None
    assert gone.payload is not None
    (spool / gone.payload.sha256).unlink()
    async with written(tmp_path / "switchyard.db") as store:
        await keep(store, "j1", JobState.APPROVED, plan=ready)
        await keep(store, "j2", JobState.RUNNING, plan=running)
        await keep(store, "j3", JobState.UNSURE, plan=gone)
        await keep(store, "j4", JobState.LIVE, plan=running)
    made = back_up(tmp_path / "switchyard.db", spool, tmp_path / "a.tar", now=NOW)
    assert (made.files, made.missing) == ((ready.payload.sha256,), (gone.payload.sha256,))
    assert (made.jobs, made.alive) == (4, 3)
    elsewhere = tmp_path / "elsewhere"
    restore(tmp_path / "a.tar", elsewhere / "switchyard.db", elsewhere / "files")
    assert [one.read_bytes() for one in (elsewhere / "files").iterdir()] == [b"ready"]


# -- the way back --------------------------------------------------------------------------------------------------


@pytest.fixture
async def archive(tmp_path: Path) -> Path:
    """A backup of one training with its file, made elsewhere."""
    folder = tmp_path / "former"
    folder.mkdir()
    async with written(folder / "switchyard.db") as store:
        await keep(store, "j1", JobState.APPROVED, plan=sending(b"rows " * 2000, folder / "spool"))
    back_up(folder / "switchyard.db", folder / "spool", folder / "a.tar", now=NOW)
    return folder / "a.tar"


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """The database that is to be replaced, with two trainings, in a folder of its own."""
    path = tmp_path / "here" / "switchyard.db"
    async with written(path) as store:
        await keep(store, "j8")
        await keep(store, "j9")
    return path


async def test_the_former_database_is_kept_with_its_last_commit(tmp_path: Path, archive: Path) -> None:
    """Whoever restores the wrong backup can go back; also when the former process was killed."""
    async with written(tmp_path / "switchyard.db") as store:
        await keep(store, "j9")
        path = leave_as_killed(tmp_path / "switchyard.db", tmp_path / "here")
    kept = restore(archive, path)
    assert kept is not None
    assert kept.name == "switchyard-20261120T120000Z.db"
    assert (jobs(path), jobs(kept)) == ({"j1"}, {"j9"})


def test_each_former_database_is_kept_by_itself(archive: Path, database: Path) -> None:
    """Two restores within a second overwrite nothing."""
    first, second = restore(archive, database), restore(archive, database)
    assert first is not None
    assert second is not None
    assert second.name == "switchyard-20261120T120000Z-2.db"
    assert (jobs(first), jobs(second)) == ({"j8", "j9"}, {"j1"})


async def test_the_log_of_a_damaged_database_is_never_played_into_the_restored_one(
    tmp_path: Path, archive: Path
) -> None:
    """SQLite plays any log that lies beside a file into it; the damaged file takes its own along."""
    async with written(tmp_path / "switchyard.db") as store:
        await keep(store, "j8")
    async with written(tmp_path / "switchyard.db") as store:
        await store.move_to("j8", "C0OTHER")
        path = leave_as_killed(tmp_path / "switchyard.db", tmp_path / "here")
    path.write_bytes(b"not a database at all" * 1000)
    kept = restore(archive, path)
    assert kept is not None
    assert jobs(path) == {"j1"}
    assert read(path, "PRAGMA integrity_check") == [("ok",)]
    names = {one.name for one in path.parent.iterdir()}
    assert names == {kept.name, f"{kept.name}-wal", "spool", "switchyard.db"}


async def test_a_restore_beside_somebody_who_reads_mixes_nothing(tmp_path: Path, archive: Path) -> None:
    """A long look at the history keeps the former log open; the reader goes on reading what it read."""
    path = tmp_path / "here" / "switchyard.db"
    async with written(path) as store:
        await keep(store, "j8")
        reader = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM jobs").fetchone() == (1,)
        await keep(store, "j9")
    kept = restore(archive, path)
    assert kept is not None
    assert reader.execute("SELECT id FROM jobs").fetchall() == [("j8",)]
    assert (jobs(path), jobs(kept)) == ({"j1"}, {"j8", "j9"})
    reader.close()
    assert read(path, "PRAGMA integrity_check") == [("ok",)]


async def test_a_restored_database_opens_as_any_other(archive: Path, database: Path) -> None:
    """It takes writes, and what was in it is read back whole."""
    restore(archive, database)
    async with written(database) as store:
        job = await store.job("j1")
        assert job is not None
        assert job.state is JobState.APPROVED
        await keep(store, "j2")
    assert jobs(database) == {"j1", "j2"}


def test_where_there_was_no_database_nothing_is_kept(tmp_path: Path, archive: Path) -> None:
    """A restore on a new machine makes the folders that it needs."""
    assert restore(archive, tmp_path / "new" / "switchyard.db") is None
    assert jobs(tmp_path / "new" / "switchyard.db") == {"j1"}


async def test_nothing_is_restored_while_a_bot_writes(database: Path) -> None:
    """Who writes holds the lock; whoever restores holds it too, so that no bot starts in the middle."""
    async with written(database):
        with pytest.raises(StoreError, match="Stop it first"):
            async with alone(database):
                pytest.fail("two at once")
    async with alone(database):
        with pytest.raises(StoreError, match="Stop it first"):
            SqliteStore(database)
    async with written(database):
        pass


async def test_messages_that_waited_are_looked_up_before_they_are_sent(tmp_path: Path) -> None:
    """They may have been posted after the backup was made; so each is in doubt, and looked for from then on."""
    async with written(tmp_path / "switchyard.db") as store:
        waits, held, redraw = a_notice("waits"), a_notice("held", lane="b"), NoticeKind.REDRAW
        await store.tell([waits, held, a_notice("drawn", lane="c", kind=redraw, body={"target": "t"})])
        await store.hold(held, "not_in_channel", None)
    back_up(tmp_path / "switchyard.db", tmp_path, tmp_path / "a.tar", now=at(hours=1))
    restore(tmp_path / "a.tar", tmp_path / "switchyard.db")
    async with written(tmp_path / "switchyard.db") as store:
        for key in ("waits", "held"):
            notice = await store.notice(key)
            assert notice is not None
            assert (notice.in_doubt, notice.first_tried_at) == (True, at(hours=1))
        drawn = await store.notice("drawn")
        assert drawn is not None
        assert not drawn.in_doubt


def packed(target: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(target, "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return target


def contents(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {entry.name: file.read() for entry in tar if (file := tar.extractfile(entry)) is not None}


def told(was: Mapping[str, bytes], **fields: object) -> dict[str, bytes]:
    """The same files with another manifest."""
    return {**was, MANIFEST: json.dumps({**json.loads(was[MANIFEST]), **fields}).encode()}


def cut(archive: Path, database: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-14000])


def flip(archive: Path, database: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)


def lose_a_file(archive: Path, database: Path) -> None:
    packed(archive, {name: content for name, content in contents(archive).items() if not name.startswith("spool")})


def name_a_way_out(archive: Path, database: Path) -> None:
    files = contents(archive)
    packed(archive, {**told(files, files=["../../outside"]), "spool/../../outside": b"x"})


def put_a_link(archive: Path, database: Path) -> None:
    files = contents(archive)
    packed(archive, {MANIFEST: files[MANIFEST]})
    with tarfile.open(archive, "a") as tar:
        entry = tarfile.TarInfo("switchyard.db")
        entry.type, entry.linkname = tarfile.SYMTYPE, str(database)
        tar.addfile(entry)


def take_a_database(archive: Path, database: Path) -> None:
    shutil.copy(database, archive)


def take_another_tar(archive: Path, database: Path) -> None:
    packed(archive, {"holiday.jpg": b"beach"})


def take_text(archive: Path, database: Path) -> None:
    archive.write_text("dear diary")


def take_nothing(archive: Path, database: Path) -> None:
    archive.write_bytes(b"")


def tell_of_a_later_form(archive: Path, database: Path) -> None:
    packed(archive, told(contents(archive), format=2))


def bring_a_later_table(archive: Path, database: Path) -> None:
    """A database of a later version, packed as that version would."""
    files, path = contents(archive), archive.with_name("later.db")
    path.write_bytes(files["switchyard.db"])
    db = sqlite3.connect(path)
    row = ("switchyard", "m999_later", "2027")
    db.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)", row)
    db.commit()
    db.close()
    packed(archive, {**told(files, checksum=backup._checksum(path)), "switchyard.db": path.read_bytes()})


def break_a_page(archive: Path, database: Path) -> None:
    """Damaged before it was packed, so that every checksum fits."""
    files, path = contents(archive), archive.with_name("broken.db")
    path.write_bytes(files["switchyard.db"])
    damage(path)
    packed(archive, {**told(files, checksum=backup._checksum(path)), "switchyard.db": path.read_bytes()})


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (cut, "is damaged"),
        (flip, "is damaged"),
        (lose_a_file, "is damaged"),
        (break_a_page, "damaged|malformed"),
        (name_a_way_out, "no backup that Switchyard made"),
        (put_a_link, "is damaged"),
        (take_a_database, "no backup that Switchyard made"),
        (take_another_tar, "no backup that Switchyard made"),
        (take_text, "no backup that Switchyard made"),
        (take_nothing, "no backup that Switchyard made"),
        (tell_of_a_later_form, "newer Switchyard"),
        (bring_a_later_table, "newer Switchyard"),
    ],
)
def test_what_cannot_be_restored_is_refused_and_changes_nothing(
    archive: Path, database: Path, spoil: Any, sentence: str
) -> None:
    """A damaged or foreign file is refused in a sentence; the database stays, and no unfinished file either."""
    spoil(archive, database)
    before = {path: path.read_bytes() for path in database.parent.iterdir() if path.is_file()}
    with pytest.raises(StoreError, match=f"(?s)({sentence}).*Nothing was changed|Nothing was changed.*({sentence})"):
        restore(archive, database)
    assert {path: path.read_bytes() for path in database.parent.iterdir() if path.is_file()} == before
    assert [path for path in database.parent.iterdir() if path.is_dir()] == []
    assert not (archive.parent.parent / "outside").exists()


def test_a_missing_file_is_refused(tmp_path: Path, database: Path) -> None:
    """A path that leads nowhere is a sentence."""
    with pytest.raises(StoreError, match="There is no backup"):
        restore(tmp_path / "nowhere.tar", database)


# -- looking at a database -----------------------------------------------------------------------------------------


async def test_a_sound_database_is_found_sound_and_a_missing_one_is_none(tmp_path: Path) -> None:
    """The look at start-up stands in nobody's way, also beside a process that writes, and after a kill."""
    examine(tmp_path / "switchyard.db")
    assert list(tmp_path.iterdir()) == []
    async with written(tmp_path / "switchyard.db") as store:
        await keep(store, "j1")
        examine(tmp_path / "switchyard.db")
        left = leave_as_killed(tmp_path / "switchyard.db", tmp_path / "left")
    examine(tmp_path / "switchyard.db")
    examine(left)


@pytest.mark.parametrize("how", ["page", "head", "cut"])
async def test_a_damaged_database_is_named_with_the_way_on(tmp_path: Path, how: str) -> None:
    """A page overwritten, another file in its place, or half of it: the sentence names the command that helps."""
    path = tmp_path / "switchyard.db"
    async with written(path) as store:
        for number in range(40):
            await keep(store, f"j{number}")
    content = path.read_bytes()
    if how == "page":
        damage(path)
    else:
        path.write_bytes(b"x" * 8192 if how == "head" else content[: len(content) // 2])
    with pytest.raises(StoreError, match=r"is damaged.*switchyard restore"):
        examine(path)


def test_files_are_carried_for_every_state_from_which_a_start_can_follow() -> None:
    """Read off the table of states: a new way to a start brings its files into the backup, or fails here."""

    def leads_to(state: JobState) -> set[JobState]:
        reached: set[JobState] = set()
        ahead = set(TRANSITIONS[state].values())
        while ahead - reached:
            reached |= ahead
            ahead = {following for one in reached for following in TRANSITIONS[one].values()}
        return reached

    to_be_sent = {one for one in JobState if JobState.STARTING in leads_to(one)}
    # While a job is checked, it has no plan yet; the check makes it of the data folder.
    assert to_be_sent - {JobState.CHECKING} == backup.MAY_STILL_START
