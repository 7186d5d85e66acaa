"""The sandbox's clock."""

import asyncio
from datetime import UTC, datetime

import pytest

from sandbox.clock import Clock

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def test_a_clock_without_speed_stands_still_until_it_is_advanced() -> None:
    """A test's time moves only by hand, so that nothing depends on how fast the machine is."""
    clock = Clock(START, speed=0)

    assert clock.now() == START
    clock.advance(90)
    assert (clock.now() - START).total_seconds() == 90


def test_a_fast_clock_never_goes_back() -> None:
    """A change of pace goes on from the present moment."""
    clock = Clock(START, speed=1000)
    before = clock.time()
    clock.speed = 0

    assert clock.time() >= before
    assert clock.speed == 0


@pytest.mark.parametrize("seconds", [-1, -0.001])
def test_time_does_not_run_backwards(seconds: float) -> None:
    """What has happened in a service stays happened."""
    clock = Clock(START, speed=0)

    with pytest.raises(ValueError, match="backwards"):
        clock.advance(seconds)
    with pytest.raises(ValueError, match="backwards"):
        clock.speed = seconds


async def test_a_sleeper_wakes_when_the_clock_is_advanced_far_enough() -> None:
    """Sleep takes its time from this clock, not from the machine's."""
    clock = Clock(START, speed=0)
    sleeper = asyncio.create_task(clock.sleep(60))
    await asyncio.sleep(0)

    clock.advance(59)
    await asyncio.sleep(0.01)
    assert not sleeper.done()
    clock.advance(1)
    await asyncio.wait_for(sleeper, 2)


async def test_a_sleeper_of_a_running_clock_needs_no_push() -> None:
    """A clock that runs a thousand times faster sleeps a minute in 60 ms."""
    clock = Clock(START, speed=1000)

    await asyncio.wait_for(clock.sleep(60), 2)

    assert (clock.now() - START).total_seconds() >= 60


def test_who_listens_hears_of_each_jump() -> None:
    """The services tell the page at once what an advance has changed."""
    clock = Clock(START, speed=0)
    heard: list[datetime] = []
    clock.on_jump(lambda: heard.append(clock.now()))

    clock.advance(10)
    clock.speed = 2

    assert len(heard) == 2
