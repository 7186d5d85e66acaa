"""When to look again."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The shortest and the longest time between two looks."""

    shortest: timedelta
    longest: timedelta


def next_look(pace: Pace, age: timedelta) -> timedelta:
    """A tenth of the training's age, within the pace: short trainings are followed closely, long ones calmly."""
    return min(max(age / 10, pace.shortest), pace.longest)


def after_failure(pace: Pace, failures: int) -> timedelta:
    """Doubles with every failure in a row, up to four times the longest pace."""
    doubled: timedelta = pace.shortest * (1 << min(failures, 16))
    return min(doubled, pace.longest * 4)
