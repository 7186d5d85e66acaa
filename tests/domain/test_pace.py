"""When to look again, and how many messages may be edited."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.pace import Allowance, Pace, after_failure, next_look
from tests.contract.samples import NOW, at

PACE = Pace(shortest=timedelta(seconds=15), longest=timedelta(minutes=5))


@pytest.mark.parametrize(
    ("age", "wait"),
    [
        (-60, 15),  # a clock that went back
        (0, 15),
        (149, 15),
        (150, 15),
        (160, 16),
        (600, 60),
        (3000, 300),
        (3001, 300),
        (90 * 24 * 3600, 300),
    ],
)
def test_a_look_follows_after_a_tenth_of_the_age_within_the_pace(age: float, wait: float) -> None:
    """Short trainings are followed closely, long ones calmly, none never."""
    assert next_look(PACE, timedelta(seconds=age)) == timedelta(seconds=wait)


@pytest.mark.parametrize(
    ("failures", "wait"), [(0, 15), (1, 30), (2, 60), (3, 120), (6, 960), (7, 1200), (8, 1200), (10**6, 1200)]
)
def test_failures_double_the_wait_up_to_four_times_the_longest(failures: int, wait: int) -> None:
    """A service that is away is not hammered, and its return is noticed within a bounded time."""
    assert after_failure(PACE, failures) == timedelta(seconds=wait)


SECONDS = st.floats(0.01, 3600).map(lambda seconds: timedelta(seconds=seconds))


@settings(deadline=None)
@given(SECONDS, SECONDS, st.timedeltas(timedelta(days=-1), timedelta(days=400)), st.integers(0, 10**9))
def test_every_wait_stays_within_its_bounds(one: timedelta, other: timedelta, age: timedelta, failures: int) -> None:
    """Whatever the settings, no wait is shorter than the shortest or longer than the longest allows."""
    pace = Pace(shortest=min(one, other), longest=max(one, other))
    assert pace.shortest <= next_look(pace, age) <= pace.longest
    assert pace.shortest <= after_failure(pace, failures) <= pace.longest * 4
    assert after_failure(pace, failures) <= after_failure(pace, failures + 1)


@given(per_minute=st.integers(2, 200), waits=st.lists(st.integers(0, 90_000), max_size=200))
@settings(max_examples=40, deadline=None)
def test_no_minute_has_more_edits_than_allowed(per_minute: int, waits: list[int]) -> None:
    """However often somebody asks, and whatever is taken at once: in no minute are there more."""
    allowance, now = Allowance(per_minute=per_minute), NOW
    kept, gone = NOW, list[datetime]()
    for wait in waits:
        now += timedelta(milliseconds=wait)
        count = allowance.left(kept, now)
        assert count >= 0
        kept = allowance.spend(kept, now, count)
        gone += [now] * count
    assert all(later - one >= timedelta(minutes=1) for one, later in zip(gone, gone[per_minute:], strict=False))


def test_a_few_edits_go_at_once_and_then_one_after_each_pause() -> None:
    """Nobody waits while there is little to do; a long queue moves evenly."""
    allowance = Allowance(per_minute=50)
    assert (allowance.burst, allowance.pause) == (10, timedelta(seconds=1.5))
    kept = allowance.spend(NOW, NOW, 10)
    assert [allowance.left(kept, at(seconds=passed)) for passed in (0, 1.4, 1.5, 3, 15, 600)] == [0, 0, 1, 2, 10, 10]


def test_a_clock_set_back_holds_edits_up_no_longer_than_a_burst_takes() -> None:
    """What was kept may lie far in what is now the future."""
    allowance = Allowance(per_minute=50)
    assert allowance.left(at(days=30), NOW) == 0
    kept = allowance.spend(at(days=30), NOW, 0)
    assert allowance.left(kept, at(seconds=15)) == 10
