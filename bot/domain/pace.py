"""When to look again, and how many messages may be edited."""

from dataclasses import dataclass
from datetime import datetime, timedelta


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """So many in any minute, at least two: a fifth of them at once, the rest evenly spread.

    One time is all that has to be kept: each that goes moves it on by a pause, from now where it is past. As long as it
    is no further ahead than the pauses of a burst, another may go.
    """

    per_minute: int

    @property
    def burst(self) -> int:
        return max(1, self.per_minute // 5)

    @property
    def pause(self) -> timedelta:
        return timedelta(minutes=1) / (self.per_minute - self.burst)

    def left(self, kept: datetime, now: datetime) -> int:
        """How many may go now."""
        return (now + self.burst * self.pause - self._within(kept, now)) // self.pause

    def spend(self, kept: datetime, now: datetime, count: int) -> datetime:
        """What is to be kept after so many have gone."""
        return self._within(kept, now) + count * self.pause

    def _within(self, kept: datetime, now: datetime) -> datetime:
        # A clock that was set back holds nothing up for longer than a burst takes.
        return min(max(kept, now), now + self.burst * self.pause)
