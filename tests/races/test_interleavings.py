"""Everything that can happen to a question at once, in many orders: one outcome, and everybody is told the truth.

A failure names its seed; SWITCHYARD_SEED=that number plays it alone.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals import Answer, Subject
from bot.domain.policy import EVERYBODY, Rule
from bot.domain.requests import Actor
from bot.usecases.cancel import cancel
from tests.fuzz.effort import effort
from tests.proof import report
from tests.races.play import FEWEST_TURNS, Play, Verdict
from tests.races.stage import ADA, BORA, CHIE, DAN, EVE, OPS, MemoryStore, RacedStore
from tests.races.turns import StillLoop

WITH_EVERY_CHANGE = 500
SHARES, IN_A_SHARE = 100, 1000
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


Make = Callable[[MemoryStore, int], Awaitable[Verdict]]


def play(loop: asyncio.AbstractEventLoop, store: MemoryStore, random: Random) -> Verdict:
    """One interleaving, after which the store is as before."""
    try:
        return loop.run_until_complete(Play(store, random).run())
    finally:
        store.forget()


def play_all(what: str, seeds: Iterable[int], record_property: Any) -> None:
    """One interleaving a seed, of which everything is drawn."""
    run_all(what, seeds, lambda store, seed: Play(store, Random(seed)).run(), record_property)


def run_all(what: str, seeds: Iterable[int], make: Make, record_property: Any) -> None:
    """One interleaving a seed; the counts go into the table."""
    begun, verdicts = time.monotonic(), {}
    with stage() as (loop, store):
        for seed in seeds:
            verdicts[seed] = loop.run_until_complete(make(store, seed))
            store.forget()
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


# -- what seldom comes by chance ----------------------------------------------------------------------------------

ORDERS = 300
NAMED = Rule(approvers=(BORA.user, CHIE.user))
Begin = Callable[[Play], list[Callable[[], None]]]


def in_many_orders(
    what: str,
    rules: tuple[Rule, ...],
    begin: Begin,
    record_property: Any,
    *,
    orders: int = ORDERS,
    subject: Subject = Subject.PROMOTE,
    approved_by: tuple[Actor, ...] = (),
) -> None:
    """The same actors, in as many orders."""

    def make(store: MemoryStore, seed: int) -> Awaitable[Verdict]:
        one = Play(store, Random(seed), rules=rules, subject=subject)
        return one.see(*begin(one), approved_by=approved_by)

    run_all(what, range(orders), make, record_property)


def test_another_rule_for_a_moment_lets_nobody_in(record_property: Any) -> None:
    """A rule that held only while the click was decided, and that the prompt did not show, allows nobody."""
    rules = (NAMED, replace(NAMED, approvers=(EVE.user,)))

    def begin(one: Play) -> list[Callable[[], None]]:
        return [lambda: one.click(EVE, Answer.APPROVE, "train-a"), lambda: one.other_policy(times=2)]

    in_many_orders("rule of a moment", rules, begin, record_property)


def test_a_clock_that_jumps_lets_nobody_in(record_property: Any) -> None:
    """While a click is decided the second group joins and the time runs out: who is only in it came too late."""
    rule = replace(NAMED, second=(EVE.user,), second_after=timedelta(minutes=30), expires_after=timedelta(hours=1))

    def begin(one: Play) -> list[Callable[[], None]]:
        return [lambda: one.click(EVE, Answer.APPROVE, "train-a"), lambda: one.passes(timedelta(hours=1))]

    in_many_orders("clock that jumps", (rule, NAMED), begin, record_property)


def test_members_that_change_while_they_are_read_are_read_again(record_property: Any) -> None:
    """However often Slack tells so, and also at the very first reading."""
    rule = replace(NAMED, approvers=(OPS,))

    def begin(one: Play) -> list[Callable[[], None]]:
        one.is_nudged = True
        changes = [frozenset({CHIE.user}), frozenset({DAN.user})][: one.random.randint(1, 2)]
        return [
            lambda: one.tick("groups"),
            *(partial(one.members, OPS, members, is_told=True) for members in changes),
        ]

    in_many_orders("members that change", (rule, NAMED), begin, record_property, orders=3 * ORDERS)


def test_a_click_that_waits_is_decided_whatever_ends_its_prompt(record_property: Any) -> None:
    """It waits for a group, while somebody who is named approves, who asked withdraws, and the group changes."""
    rule = replace(NAMED, approvers=(OPS, CHIE.user))

    def begin(one: Play) -> list[Callable[[], None]]:
        one.is_nudged = True
        return [
            lambda: one.click(BORA, Answer.APPROVE, "train-a"),
            lambda: one.click(BORA, Answer.REJECT, "train-a"),
            *(partial(one.members, OPS, frozenset({BORA.user}), is_told=True) for _ in range(3)),
            lambda: one.click(*one.random.choice(((CHIE, Answer.APPROVE), (ADA, Answer.WITHDRAW))), "train-a"),
        ]

    in_many_orders("clicks that wait", (rule, NAMED), begin, record_property)


def test_a_lease_that_runs_out_under_its_holder_switches_once(record_property: Any) -> None:
    """The clock jumps while a switch is sent, as on a machine that slept: it is claimed again, and sent once."""

    def begin(one: Play) -> list[Callable[[], None]]:
        jump = partial(one.passes, timedelta(minutes=6))
        return [lambda: one.nudge("promote"), lambda: one.nudge("promote"), jump]

    in_many_orders("lease that runs out", (NAMED, NAMED), begin, record_property, approved_by=(BORA,))


def test_who_asks_to_cancel_at_once_asks_one_question(record_property: Any) -> None:
    """Where cancelling takes an approval, several who ask for it have one question asked; it was rejected before."""
    rule = replace(NAMED, askers=(EVERYBODY,))

    def begin(one: Play) -> list[Callable[[], None]]:
        ask = [partial(one.act, who, cancel, "train-a") for who in (ADA, BORA, EVE)]
        return [lambda: one.click(CHIE, Answer.REJECT, "train-a"), *ask]

    in_many_orders("questions at once", (rule, NAMED), begin, record_property, subject=Subject.CANCEL)


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
