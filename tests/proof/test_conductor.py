"""What the conductor says of a commit is what is in it, whatever shares it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils.utils import sqlite3

from tests.proof.conductor import Conductor
from tests.proof.faults import ACCEPTED, DOWN, Cell, Side, Storm
from tests.proof.launcher import Control, announced
from tests.proof.stories import STORIES

TABLES = "CREATE TABLE transitions (new TEXT); CREATE TABLE schedules (act_at INTEGER, url TEXT)"
MOVE = "INSERT INTO transitions (new) VALUES (:new)"
NOTHING_TO_FORGET = "UPDATE schedules SET url = '' WHERE url != ''"
A_TURN = "UPDATE schedules SET act_at = 2 WHERE act_at = 1 RETURNING act_at"


@pytest.fixture
async def conductor() -> AsyncIterator[Conductor]:
    made = Conductor()
    await made.open()
    yield made
    await made.close()


def _commit(conductor: Conductor, path: Path, *statements: str) -> None:
    """As the one thread of a bot that writes."""
    plain = sqlite3.connect(path)
    plain.executescript(f"{TABLES}; INSERT INTO schedules VALUES (1, '')")
    plain.close()
    with (
        closing(Control(conductor.address)) as control,
        closing(announced(sqlite3.Connection, control)(path, isolation_level=None)) as watched,
    ):
        watched.execute("BEGIN IMMEDIATE")
        for statement in statements:
            watched.execute(statement, {"new": "queued"} if statement == MOVE else {}).fetchall()
        watched.execute("COMMIT")


@pytest.mark.parametrize(
    ("statements", "label"),
    [
        ((MOVE,), ACCEPTED),
        ((NOTHING_TO_FORGET, MOVE, NOTHING_TO_FORGET), ACCEPTED),
        ((MOVE, A_TURN), f"{ACCEPTED} with the next time"),
        ((A_TURN, NOTHING_TO_FORGET, MOVE), f"{ACCEPTED} with the next time"),
        ((A_TURN, NOTHING_TO_FORGET), "schedules: update"),
    ],
)
async def test_what_meets_no_row_is_no_part_of_a_commit(
    conductor: Conductor, tmp_path: Path, statements: tuple[str, ...], label: str
) -> None:
    """A tick that had nothing to do, and came to share a commit, makes no other boundary of it."""
    await asyncio.to_thread(_commit, conductor, tmp_path / "one.db", *statements)
    assert [point.label for point in conductor.lives[0]] == [label, label]


@pytest.mark.parametrize("statements", [(MOVE,), (MOVE, A_TURN)])
async def test_a_fault_begins_with_its_move_whatever_is_committed_with_it(
    conductor: Conductor, tmp_path: Path, statements: tuple[str, ...]
) -> None:
    """A fault that begins when a training is queued begins also where the same commit holds something else."""
    storm = Storm(Cell(story=STORIES[0], side=Side.SLACK, fault=DOWN, since=ACCEPTED), conductor)
    storm.meet("slack", "slack chat.postMessage line")
    assert storm.met == 0
    await asyncio.to_thread(_commit, conductor, tmp_path / "one.db", *statements)
    assert {point.move for point in conductor.lives[0]} == {ACCEPTED}
    storm.meet("slack", "slack chat.postMessage line")
    assert storm.met == 1
