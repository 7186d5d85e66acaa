"""Everything that can happen to a question at once, in many orders: one outcome, and everybody is told the truth.

A failure names its seed; SWITCHYARD_SEED=that number plays it alone.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.effort import effort
from tests.proof import report
from tests.races.play import FEWEST_TURNS, Play, Verdict
from tests.races.stage import MemoryStore, RacedStore
from tests.races.turns import StillLoop

WITH_EVERY_CHANGE = 1000
SHARES, IN_A_SHARE = 110, 1000
ON_A_FILE = 12
SHOWN = 3
"""So many of the plays that went wrong are told in full."""


@contextmanager
def stage() -> Iterator[tuple[asyncio.AbstractEventLoop, MemoryStore]]:
    """A loop that waits for nobody outside, and a store in memory."""
    loop, store = StillLoop(), MemoryStore()
    try:
        loop.run_until_complete(store.open())
        yield loop, store
    finally:
        loop.run_until_complete(store.close())
        loop.close()


def play(loop: asyncio.AbstractEventLoop, store: MemoryStore, random: Random) -> Verdict:
    """One interleaving, after which the store is as before."""
    try:
        return loop.run_until_complete(Play(store, random).run())
    finally:
        store.forget()


def play_all(what: str, seeds: Iterable[int], record_property: Any) -> None:
    """One interleaving a seed; the counts go into the table."""
    begun, verdicts = time.monotonic(), {}
    with stage() as (loop, store):
        for seed in seeds:
            verdicts[seed] = play(loop, store, Random(seed))
    row = report.Row(
        part="races",
        what=what,
        runs=len(verdicts),
        interleavings=sum(one.turns >= FEWEST_TURNS for one in verdicts.values()),
        lost=sum(bool(one.lost) for one in verdicts.values()),
        doubled=sum(bool(one.doubled) for one in verdicts.values()),
        wrong=sum(bool(one.wrong) for one in verdicts.values()),
        seconds=round(time.monotonic() - begun, 1),
    )
    report.tell(record_property, row)
    bad = [f"SWITCHYARD_SEED={seed}\n{one.tell()}" for seed, one in verdicts.items() if not one.is_clean]
    assert not bad, f"{len(bad)} of {len(verdicts)}\n" + "\n\n".join(bad[:SHOWN])
    assert row.interleavings == row.runs, "some had fewer steps than count as an interleaving"


def test_many_orders_have_one_outcome_each(record_property: Any) -> None:
    """Nothing is approved wrongly, lost or done twice, whoever presses what between which two steps of whom."""
    chosen = os.environ.get("SWITCHYARD_SEED")
    play_all("clicks", [int(chosen)] if chosen else range(WITH_EVERY_CHANGE), record_property)


@pytest.mark.proof
@pytest.mark.parametrize("share", range(SHARES))
def test_very_many_orders_have_one_outcome_each(share: int, record_property: Any) -> None:
    """The same, with other orders each time."""
    first = secrets.randbits(48)
    play_all("clicks", range(first, first + IN_A_SHARE), record_property)


@effort(60)
@given(random=st.randoms(use_true_random=False))
def test_chosen_orders_have_one_outcome_each(random: Random) -> None:
    """The same, with choices that are made smaller where something goes wrong."""
    with stage() as (loop, store):
        verdict = play(loop, store, random)
    assert verdict.is_clean, verdict.tell()


def test_a_store_in_memory_shows_what_one_on_a_file_does(tmp_path: Path) -> None:
    """The same choices lead the product's own store, with its threads, through the same steps to the same verdict."""
    with stage() as (loop, store):
        for seed in range(ON_A_FILE):
            in_memory = play(loop, store, Random(seed))
            assert asyncio.run(on_a_file(tmp_path / f"{seed}.db", Random(seed))) == in_memory


async def on_a_file(path: Path, random: Random) -> Verdict:
    store = RacedStore(path)
    await store.open()
    try:
        return await Play(store, random).run()
    finally:
        await store.close()
