"""When to look again."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.pace import Pace, after_failure, next_look

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
