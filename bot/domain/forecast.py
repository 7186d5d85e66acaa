"""When a training may end, by what earlier trainings like it took. Where there are too few of them, nothing is said."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.jobs import AT_SERVICE, Event, Transition

ENOUGH = 4
"""Fewer earlier trainings foretell nothing."""
MANY = 8
"""From so many on their middle half is told; of fewer, all that they took."""
ALIKE = 2
"""Data is of about the same size from one half to twice as many bytes."""
MOST = 200
"""So many earlier trainings are compared, the latest ones."""

_SHORTEST_STEP, _LONGEST_STEP = timedelta(minutes=1), timedelta(minutes=30)
_NEVER = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What an earlier training at the same service took, from its acceptance to the look that saw it trained.

    Its data was of about the same size, or neither has any.
    """

    took: timedelta
    is_same_model: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When a training may end that was accepted at `since`.

    `count` earlier trainings are compared, of the same model or at least with data of about the same size. `left` of
    them took longer than this one has taken already: these took `shortest` to `longest`, which with `is_half` are the
    bounds of their middle half. With none left, `longest` is what the longest of all took.
    """

    since: datetime
    count: int
    is_same_model: bool
    left: int
    shortest: timedelta
    longest: timedelta
    is_half: bool = False

    @property
    def earliest(self) -> datetime:
        return self.since + self.shortest

    @property
    def latest(self) -> datetime:
        return self.since + self.longest


def began(moves: Sequence[Transition]) -> Transition | None:
    """The move since which the training is known to be at the service: accepted, found there, or born as one there."""
    return next((one for one in reversed(moves) if _begins(one)), None)


def _begins(move: Transition) -> bool:
    return move.event in (Event.ACCEPT, Event.FIND) or (move.old is None and move.new in AT_SERVICE)


def accepted_at(moves: Sequence[Transition]) -> datetime | None:
    """When the service accepted the training that the last start brought; None where that was not seen."""
    start = began(moves)
    return start.at if start and start.event is Event.ACCEPT else None


def trained_at(moves: Iterable[Transition]) -> datetime | None:
    """When a look first saw the training finished."""
    return next((one.at for one in moves if one.event in (Event.OFFER, Event.FINISH)), None)


def took(moves: Sequence[Transition]) -> timedelta | None:
    """From the acceptance of a training to its end; None where one of them was not seen."""
    since, until = accepted_at(moves), trained_at(moves)
    return max(until - since, _NEVER) if since and until else None


def forecast(since: datetime, now: datetime, earlier: Sequence[Earlier]) -> Forecast | None:
    """By trainings of the same model, or if these are too few, by all; None where those are too few as well.

    The age counts in steps, a tenth of what the longest took: between two steps the forecast stays as it is.
    """
    compared = [one for one in earlier if one.is_same_model]
    is_same_model = len(compared) >= ENOUGH
    compared = compared if is_same_model else list(earlier)
    if len(compared) < ENOUGH:
        return None
    took = sorted(one.took for one in compared)
    left = [one for one in took if one > _age(now - since, took[-1])]
    shortest, longest = _bounds(left or took[-1:])
    return Forecast(
        since=since,
        count=len(took),
        is_same_model=is_same_model,
        left=len(left),
        shortest=shortest,
        longest=longest,
        is_half=len(left) >= MANY,
    )


def _age(age: timedelta, longest: timedelta) -> timedelta:
    step = min(max(longest / 10, _SHORTEST_STEP), _LONGEST_STEP)
    return max(age // step * step, _NEVER)


def _bounds(took: Sequence[timedelta]) -> tuple[timedelta, timedelta]:
    """The shortest rounded down and the longest rounded up: no more exact than what is foretold."""
    first, last = (_quartile(took, 1), _quartile(took, 3)) if len(took) >= MANY else (took[0], took[-1])
    return math.floor(first / _unit(first)) * _unit(first), math.ceil(last / _unit(last)) * _unit(last)


def _quartile(took: Sequence[timedelta], number: int) -> timedelta:
    """The nearest rank: what one of them really took."""
    return took[math.ceil(number * len(took) / 4) - 1]


def _unit(span: timedelta) -> timedelta:
    if span < timedelta(minutes=5):
        return timedelta(seconds=1) if span < timedelta(minutes=1) else timedelta(seconds=10)
    return timedelta(minutes=1) if span < timedelta(hours=3) else timedelta(minutes=10)
