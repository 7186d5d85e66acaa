"""Rules that hypothesis puts together: people, time, policies, groups and restarts, in any order and at any step.

What is begun by one rule goes on by another, so that anything comes in between of anything. After each step the store
holds what the model holds, and nothing was approved wrongly, lost or done twice.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from random import Random
from typing import Any, ClassVar, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bot.domain.approvals import Answer
from bot.usecases.cancel import cancel, offer_again
from tests.fuzz.effort import effort
from tests.proof import report
from tests.races.play import FEWEST_TURNS, PEOPLE, TICKS, Play
from tests.races.stage import ADA, BORA, EVE, OPS, SECOND, MemoryStore
from tests.races.turns import StillLoop

MACHINES = 60
STEPS = 30
ANSWERS = (Answer.APPROVE, Answer.APPROVE, Answer.REJECT, Answer.WITHDRAW)


class Question(RuleBasedStateMachine):
    """One question to people, or two about one model."""

    counted: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.loop, self.store = StillLoop(), MemoryStore()
        self.wait(self.store.open())

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize(seed=st.integers(0, 2**32))
    def begins(self, seed: int) -> None:
        self.play = Play(self.store, Random(seed))
        self.wait(self.play.begin())

    @rule(
        who=st.sampled_from(PEOPLE),
        answer=st.sampled_from(ANSWERS),
        is_old=st.booleans(),
        reason=st.sampled_from(("", "as agreed")),
        times=st.integers(1, 2),
        second=st.booleans(),
    )
    def presses(self, *, who: Any, answer: Answer, is_old: bool, reason: str, times: int, second: bool) -> None:
        job = self.play.jobs[-1 if second else 0]
        for _ in range(times):
            self.begin(lambda: self.play.click(who, answer, job, reason=reason, is_old=is_old))

    @rule(who=st.sampled_from((ADA, BORA, EVE)), what=st.sampled_from((cancel, offer_again)))
    def presses_on_the_card(self, who: Any, what: Any) -> None:
        self.begin(lambda: self.play.act(who, what, self.play.jobs[0]))

    @rule(seconds=st.sampled_from((1, 61, 121, 360, 1860, 3600)))
    def time_passes(self, seconds: int) -> None:
        self.begin(lambda: self.play.passes(timedelta(seconds=seconds)))

    @rule(name=st.sampled_from(tuple(TICKS)))
    def ticks(self, name: str) -> None:
        self.begin(lambda: self.play.tick(name))

    @rule()
    def another_policy_holds(self) -> None:
        self.begin(self.play.other_policy)

    @rule(group=st.sampled_from((OPS, SECOND)), members=st.sets(st.sampled_from(PEOPLE)), is_told=st.booleans())
    def a_group_changes(self, group: str, members: set[Any], *, is_told: bool) -> None:
        names = frozenset(one.user for one in members)
        self.begin(lambda: self.play.members(group, names, is_told=is_told))

    @rule(turns=st.lists(st.integers(0, 50), min_size=1, max_size=12))
    def some_go_on(self, turns: list[int]) -> None:
        left = iter(turns)
        self.play.turns.choose = lambda many: next(left) % many
        self.wait(self.play.turns.run(len(turns)))

    @rule()
    def all_go_on(self) -> None:
        self.play.turns.choose = self.play.random.randrange
        self.wait(self.play.turns.run())

    @rule()
    def the_process_dies(self) -> None:
        self.play.turns.choose = self.play.random.randrange
        self.wait(self.play.restart())

    def begin(self, what: Any) -> None:
        async def begin() -> None:
            what()
            await self.play.turns.run(0)

        self.wait(begin())

    @invariant()
    def nothing_is_wrong_lost_or_doubled(self) -> None:
        self.look(self.play.verdict)

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        for id_, prompt in self.play.model.prompts.items():
            assert self.store.stored(id_) == prompt

    def look(self, judge: Any) -> None:
        verdict = judge()
        assert verdict.is_clean, verdict.tell()

    def teardown(self) -> None:
        if hasattr(self, "play"):
            self.all_go_on()
            self.wait(self.play.end())
            self.look(self.play.verdict)
            self.counted["runs"] += 1
            self.counted["interleavings"] += self.play.turns.count >= FEWEST_TURNS
        self.wait(self.store.close())
        self.loop.close()


def test_any_rules_in_any_order_keep_one_outcome(record_property: Any) -> None:
    """A question has one outcome, whatever people, time, policies, groups and restarts do around it."""
    begun, counted = time.monotonic(), Counter[str]()
    Question.counted = counted
    chosen = settings(cast("settings", effort(MACHINES)), stateful_step_count=STEPS)
    run_state_machine_as_test(Question, settings=chosen)
    row = report.Row(
        part="races",
        what="rules",
        runs=counted["runs"],
        interleavings=counted["interleavings"],
        seconds=round(time.monotonic() - begun, 1),
    )
    report.tell(record_property, row)
