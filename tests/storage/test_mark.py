"""The note beside the database of what was sent last, by which a copy that is put back is known."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.domain.jobs import Event, JobState
from storage import mark
from storage.store import SqliteStore
from tests.contract.samples import a_job, at, birth, step

NAME = "switchyard.db"


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(folder / NAME)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with opened(tmp_path) as made:
        yield made


async def start(store: SqliteStore, job_id: str = "j1") -> None:
    """A training that is about to be sent."""
    job = a_job(job_id, JobState.APPROVED)
    await store.request(birth(job), same_since=at(hours=1), is_exclusive=False)
    assert await store.apply([step(job, Event.START)]) == [True]


async def is_believed(store: SqliteStore) -> bool:
    return await store.older_than_sent() is None


async def test_a_database_that_knows_what_was_sent_is_believed(store: SqliteStore) -> None:
    """Also before anything was sent, and with rows that came later."""
    assert await is_believed(store)
    await start(store)
    assert await is_believed(store)
    await store.request(birth(a_job("j2", JobState.CHECKING)), same_since=at(hours=1), is_exclusive=False)
    assert await is_believed(store)


async def test_a_copy_from_before_a_start_is_not_believed(tmp_path: Path) -> None:
    """Until it is settled, and noted how far it is. A copy from after the last start is as good as the file."""
    copy = tmp_path / "copy"
    async with opened(tmp_path) as store:
        await start(store)
    shutil.copy(tmp_path / NAME, copy)
    async with opened(tmp_path) as store:
        assert await is_believed(store)
        await start(store, "j2")
    shutil.copy(copy, tmp_path / NAME)
    async with opened(tmp_path) as store:
        assert await store.older_than_sent() is not None
        await store.note_sent()
        assert await is_believed(store)


@pytest.mark.parametrize("text", ["", "7", "1 abc\n", "\x00" * 100, "9" * 5000])
async def test_without_a_note_that_can_be_read_the_database_is_believed(
    store: SqliteStore, tmp_path: Path, text: str
) -> None:
    """It may have been moved, or the note was lost: nobody is asked about everything for that."""
    await start(store)
    mark.file_of(tmp_path / NAME).write_text(text)
    assert await is_believed(store)
    mark.forget(tmp_path / NAME)
    assert await is_believed(store)


async def test_a_new_database_beside_an_old_note_is_believed(store: SqliteStore, tmp_path: Path) -> None:
    """Who deletes the database begins anew: there is no training to be doubted."""
    mark.file_of(tmp_path / NAME).write_text(f"4711 {'a' * 64}\n")
    assert await is_believed(store)


async def test_a_note_that_cannot_be_written_keeps_nothing_from_being_sent(
    store: SqliteStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It protects from a mistake of somebody's; on a full disk the bot goes on without it."""
    mark.file_of(tmp_path / NAME).mkdir()
    await start(store)
    assert "cannot be noted" in caplog.text
