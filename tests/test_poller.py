"""The clock of the product: ticks run, never beside themselves, and no failure stops another."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from bot.errors import SwitchyardError
from bot.poller import Crew, Poller, Tick, contain

SELDOM = 3600.0


class Turnstile:
    """A tick that waits at a gate: how often it began, how often it ended, and how many ran at one time."""

    def __init__(self) -> None:
        self.begun = self.ended = self.inside = self.most_inside = 0
        self._moved = asyncio.Condition()
        self._passes = asyncio.Semaphore(0)

    async def __call__(self) -> None:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        await self._count("begun")
        try:
            await self._passes.acquire()
        finally:
            self.inside -= 1
            await self._count("ended")

    def let_pass(self, count: int = 1) -> None:
        for _ in range(count):
            self._passes.release()

    async def _count(self, what: str) -> None:
        async with self._moved:
            setattr(self, what, getattr(self, what) + 1)
            self._moved.notify_all()

    async def has(self, *, begun: int = 0, ended: int = 0) -> None:
        """Wait until it began and ended so often."""
        async with asyncio.timeout(10), self._moved:
            await self._moved.wait_for(lambda: self.begun >= begun and self.ended >= ended)


async def settled() -> None:
    """Let everything that can go on without anybody's doing go on."""
    for _ in range(50):
        await asyncio.sleep(0)


@asynccontextmanager
async def running(seconds: float = SELDOM, **ticks: Tick) -> AsyncIterator[Poller]:
    poller = Poller(ticks, dict.fromkeys(ticks, seconds))
    poller.start()
    try:
        yield poller
    finally:
        await poller.close()


class TestTicks:
    """A tick runs at the start, at its pace and when it is nudged, one run at a time."""

    async def test_every_tick_runs_at_the_start(self) -> None:
        """What a former process left is taken up at once, not after the first pace."""
        one, other = Turnstile(), Turnstile()
        async with running(one=one, other=other):
            await one.has(begun=1)
            await other.has(begun=1)

    async def test_a_tick_runs_at_its_pace(self) -> None:
        """Again and again, without anybody's nudge."""
        tick = Turnstile()
        tick.let_pass(5)
        async with running(0.005, tick=tick):
            await tick.has(ended=5)

    async def test_a_nudge_runs_a_tick_and_no_other(self) -> None:
        """What was just written is worked on at once."""
        one, other = Turnstile(), Turnstile()
        one.let_pass(9)
        other.let_pass(9)
        async with running(one=one, other=other) as poller:
            await one.has(ended=1)
            await other.has(ended=1)
            poller.nudge("one")
            await one.has(ended=2)
            await settled()
            assert other.begun == 1

    async def test_nudges_while_it_runs_run_it_once_more_and_only_once(self) -> None:
        """The run under way may have looked too early; ten nudges are one reason to look again."""
        tick = Turnstile()
        async with running(tick=tick) as poller:
            await tick.has(begun=1)
            for _ in range(10):
                poller.nudge("tick")
            await settled()
            assert tick.begun == 1
            tick.let_pass()
            await tick.has(begun=2)
            tick.let_pass()
            await tick.has(ended=2)
            await settled()
            assert tick.begun == 2

    async def test_a_nudge_in_the_second_run_has_a_third(self) -> None:
        """No nudge is lost, however often it happens."""
        tick = Turnstile()
        async with running(tick=tick) as poller:
            for run in range(1, 5):
                await tick.has(begun=run)
                poller.nudge("tick")
                tick.let_pass()
            await tick.has(begun=5)

    async def test_a_tick_never_runs_beside_itself(self) -> None:
        """Neither by its pace nor by nudges."""
        slow, clock = Turnstile(), Turnstile()
        clock.let_pass(20)
        async with running(0.002, slow=slow, clock=clock) as poller:
            await clock.has(ended=20)
            poller.nudge("slow")
            await settled()
            assert (slow.begun, slow.most_inside) == (1, 1)
            slow.let_pass(3)
            await slow.has(ended=3)
            assert slow.most_inside == 1

    async def test_a_slow_tick_fills_no_log(self, caplog: pytest.LogCaptureFixture) -> None:
        """That a tick takes longer than its pace is no news."""
        slow, clock = Turnstile(), Turnstile()
        clock.let_pass(20)
        async with running(0.002, slow=slow, clock=clock):
            await clock.has(ended=20)
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []

    @pytest.mark.parametrize("error", [SwitchyardError("The database is locked."), ZeroDivisionError("a bug")])
    async def test_a_tick_that_raises_stops_neither_the_others_nor_itself(
        self, error: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        """One failure is one line in the log; the next run comes as if nothing had been."""
        other, failures = Turnstile(), asyncio.Semaphore(0)
        other.let_pass(9)

        async def failing() -> None:
            failures.release()
            raise error

        async with running(failing=failing, other=other) as poller:
            await asyncio.wait_for(failures.acquire(), 10)
            for ended in (2, 3):
                poller.nudge("failing")
                poller.nudge("other")
                await asyncio.wait_for(failures.acquire(), 10)
                await other.has(ended=ended)
        assert len([record for record in caplog.records if "failing failed" in record.getMessage()]) == 3

    async def test_nothing_runs_before_the_start_and_after_the_end(self) -> None:
        """Whoever nudges then need not know."""
        tick = Turnstile()
        tick.let_pass(9)
        poller = Poller({"tick": tick}, {"tick": 0.001})
        poller.nudge("tick")
        await poller.close()
        await settled()
        assert tick.begun == 0
        poller.start()
        await tick.has(ended=1)
        await poller.close()
        begun = tick.begun
        poller.nudge("tick")
        await settled()
        await poller.close()
        assert tick.begun == begun

    async def test_the_end_ends_a_tick_where_it_stands_and_waits_for_it(self) -> None:
        """When the poller is closed no tick uses what is closed after it."""
        tick = Turnstile()
        async with running(0.001, tick=tick):
            await tick.has(begun=1)
        assert (tick.begun, tick.ended) == (1, 1)
        assert asyncio.all_tasks() == {asyncio.current_task()}


@asynccontextmanager
async def crew(drain_seconds: float = 10.0) -> AsyncIterator[Crew]:
    made = Crew(drain_seconds=drain_seconds)
    try:
        yield made
    finally:
        await made.close()


class Story:
    """Steps that write down what happens to them."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    def gate(self, name: str) -> asyncio.Event:
        return self.gates.setdefault(name, asyncio.Event())

    async def step(self, name: str, then: Callable[[], None] | None = None) -> None:
        """Begin, wait for the gate of this name, end."""
        self.said.append(f"{name} begins")
        try:
            await self.gate(name).wait()
        except asyncio.CancelledError:
            self.said.append(f"{name} is ended")
            raise
        self.said.append(f"{name} ends")
        if then is not None:
            then()


class TestCrew:
    """Steps run beside the ticks: those of one name one after the other, all others side by side."""

    async def test_steps_of_one_name_wait_for_each_other(self) -> None:
        """Two looks at one training never overtake each other."""
        story = Story()
        async with crew() as steps:
            for name in ("a", "b", "c"):
                steps.spawn("job", story.step(name))
            await settled()
            assert story.said == ["a begins"]
            for name in ("c", "b", "a"):
                story.gate(name).set()
            await steps.idle()
        assert story.said == ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]

    async def test_steps_of_other_names_run_side_by_side(self) -> None:
        """A training whose service hangs holds up no other."""
        story = Story()
        async with crew() as steps:
            steps.spawn("slow", story.step("slow"))
            steps.spawn("quick", story.step("quick", then=story.gate("slow").set))
            story.gate("quick").set()
            await steps.idle()
        assert story.said == ["slow begins", "quick begins", "quick ends", "slow ends"]

    async def test_a_name_is_free_again_when_its_step_has_ended(self) -> None:
        """Nothing is remembered of what is over."""
        story = Story()
        story.gate("a").set()
        async with crew() as steps:
            for _ in range(3):
                steps.spawn("job", story.step("a"))
                await steps.idle()
        assert story.said == ["a begins", "a ends"] * 3

    async def test_a_step_that_fails_lets_the_next_of_its_name_go_on(self, caplog: pytest.LogCaptureFixture) -> None:
        """One job's bug stops neither that job nor another."""
        story = Story()
        story.gate("next").set()

        async def fail() -> None:
            raise KeyError("a bug")

        async with crew() as steps:
            steps.spawn("job", fail())
            steps.spawn("job", story.step("next"))
            await steps.idle()
        assert story.said == ["next begins", "next ends"]
        assert "job failed" in caplog.text

    async def test_idle_waits_for_what_steps_begin(self) -> None:
        """A step may find another one."""
        story = Story()
        for name in ("a", "b"):
            story.gate(name).set()
        async with crew() as steps:
            steps.spawn("a", story.step("a", then=lambda: steps.spawn("b", story.step("b"))))
            await steps.idle()
        assert story.said[-1] == "b ends"

    async def test_closing_lets_steps_end_by_themselves(self) -> None:
        """A start under way is not cut off; also what waits behind it has its turn."""
        story, steps = Story(), Crew()
        steps.spawn("job", story.step("a"))
        steps.spawn("job", story.step("b"))
        await settled()
        closing = asyncio.create_task(steps.close())
        await settled()
        story.gate("a").set()
        story.gate("b").set()
        await closing
        assert story.said == ["a begins", "a ends", "b begins", "b ends"]

    async def test_closing_ends_what_does_not_end(self) -> None:
        """Every step under way, also one behind which others of its name wait; those never begin."""
        story, steps = Story(), Crew(drain_seconds=0.01)
        for name in ("a", "b", "c"):
            steps.spawn("job", story.step(name))
        steps.spawn("other", story.step("d"))
        await settled()
        await steps.close()
        assert sorted(story.said) == ["a begins", "a is ended", "d begins", "d is ended"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_nothing_begins_after_the_end(self) -> None:
        """A tick that is late finds the door closed."""
        story, steps = Story(), Crew()
        await steps.close()
        steps.spawn("job", story.step("a"))
        await settled()
        await steps.idle()
        assert story.said == []


class TestContain:
    """A failure is a line in the log."""

    async def fail(self, error: BaseException) -> None:
        raise error

    async def test_an_error_of_ours_is_logged_as_its_sentence(self, caplog: pytest.LogCaptureFixture) -> None:
        """It explains itself; a traceback would bury it."""
        await contain("poll", self.fail(SwitchyardError("Sestek cannot be reached.")))
        [record] = caplog.records
        assert record.getMessage() == "poll failed: Sestek cannot be reached."
        assert record.exc_info is None

    async def test_a_bug_is_logged_with_its_traceback(self, caplog: pytest.LogCaptureFixture) -> None:
        """Whoever mends it needs to know where it was."""
        await contain("poll", self.fail(ZeroDivisionError("a bug")))
        [record] = caplog.records
        assert record.getMessage() == "poll failed"
        assert record.exc_info is not None
        assert isinstance(record.exc_info[1], ZeroDivisionError)

    async def test_the_end_of_the_process_is_no_failure(self) -> None:
        """Cancellation goes through."""
        with pytest.raises(asyncio.CancelledError):
            await contain("poll", self.fail(asyncio.CancelledError()))
