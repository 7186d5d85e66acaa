"""When a training may end, by what earlier ones took: nothing that no history bears out."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.forecast import ENOUGH, MANY, Earlier, Forecast, accepted_at, began, forecast, took
from bot.domain.jobs import Event, JobState, Transition
from tests.contract.samples import ADA, NOW, at


def minutes(*numbers: float, is_same_model: bool = True) -> list[Earlier]:
    return [Earlier(took=timedelta(minutes=number), is_same_model=is_same_model) for number in numbers]


def foretold(earlier: Sequence[Earlier], age: float = 0) -> Forecast:
    found = forecast(NOW, at(minutes=age), earlier)
    assert found is not None
    return found


def spans(found: Forecast) -> tuple[timedelta, timedelta]:
    return found.shortest, found.longest


def move(event: Event | None, new: JobState = JobState.QUEUED, old: JobState | None = JobState.STARTING) -> Transition:
    return Transition(job_id="j1", seq=1, at=NOW, old=old, new=new, event=event, actor=ADA)


def test_too_few_foretell_nothing() -> None:
    """Three earlier trainings are no history, neither of this model nor of others."""
    assert forecast(NOW, NOW, []) is None
    assert forecast(NOW, NOW, minutes(20, 21, 22)) is None
    assert foretold(minutes(20, 21, 22, 23)).count == ENOUGH


def test_trainings_of_the_same_model_count_first() -> None:
    """Others are asked only where the model itself has too few, and then all count."""
    others = minutes(90, 91, 92, 93, is_same_model=False)
    own = foretold([*minutes(20, 21, 22, 23), *others])
    assert (own.count, own.is_same_model, spans(own)) == (4, True, (timedelta(minutes=20), timedelta(minutes=23)))
    all_ = foretold([*minutes(20, 21, 22), *others])
    assert (all_.count, all_.is_same_model, spans(all_)) == (7, False, (timedelta(minutes=20), timedelta(minutes=93)))


def test_few_give_all_and_many_their_middle_half() -> None:
    """One that hung for a day does not stretch the range of many."""
    few = foretold(minutes(10, 20, 30, 40, 50, 60, 90))
    assert (few.is_half, spans(few)) == (False, (timedelta(minutes=10), timedelta(minutes=90)))
    many = foretold(minutes(5, 20, 21, 22, 23, 24, 25, 1440))
    assert (many.count, many.is_half, spans(many)) == (MANY, True, (timedelta(minutes=20), timedelta(minutes=24)))


def test_what_is_as_old_as_that_has_not_ended_as_early_as_others() -> None:
    """The age counts: only those are left that took longer than this one has taken already."""
    some = foretold(minutes(10, 20, 30, 40, 50), age=27)
    assert (some.count, some.left, spans(some)) == (5, 3, (timedelta(minutes=30), timedelta(minutes=50)))
    assert (some.earliest, some.latest) == (at(minutes=30), at(minutes=50))


def test_longer_than_all_foretells_no_end() -> None:
    """It says how long the longest took, and none is left to go by."""
    late = foretold(minutes(10, 20, 30, 40, 50), age=55)
    assert (late.left, late.longest) == (0, timedelta(minutes=50))


def test_a_forecast_stays_between_two_steps() -> None:
    """A card would else be edited with every look: a step is a tenth of the longest, from one minute to thirty."""

    def changes(earlier: Sequence[Earlier], step: float, until: float) -> int:
        said = [foretold(earlier, age=number * step) for number in range(int(until / step))]
        return sum(one != other for one, other in pairwise(said))

    hundred = minutes(*range(1, 101))
    assert changes(hundred, 0.25, 120) <= 10
    assert changes(minutes(1, 2, 3, 4), 0.05, 10) == 4
    days = minutes(*(60 * number for number in range(1, 100)))
    assert foretold(days, age=29).left == 99
    assert foretold(days, age=60).left == 98


@pytest.mark.parametrize(
    ("took_", "shortest", "longest"),
    [
        (timedelta(seconds=7.4), timedelta(seconds=7), timedelta(seconds=8)),
        (timedelta(seconds=124), timedelta(seconds=120), timedelta(seconds=130)),
        (timedelta(minutes=20, seconds=31), timedelta(minutes=20), timedelta(minutes=21)),
        (timedelta(hours=5, minutes=4), timedelta(hours=5), timedelta(hours=5, minutes=10)),
        (timedelta(), timedelta(), timedelta()),
    ],
)
def test_a_range_is_no_more_exact_than_it_can_be(took_: timedelta, shortest: timedelta, longest: timedelta) -> None:
    """Rounded outwards, coarser for longer spans."""
    assert spans(foretold([Earlier(took=took_, is_same_model=True)] * 4)) == (shortest, longest)


@given(st.lists(st.integers(0, 10**6), min_size=4, max_size=40), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_a_range_lies_within_what_was_seen(seconds: list[int], age: int) -> None:
    """Whatever the history: the bounds hold at least half of those that are left, and nothing ends before its age."""
    earlier = [Earlier(took=timedelta(seconds=one), is_same_model=True) for one in seconds]
    found = foretold(earlier, age=age / 60)
    left = [one.took for one in earlier if one.took > timedelta(seconds=age)]
    assert found.count == len(seconds)
    assert found.left >= len(left)
    assert found.shortest <= found.longest
    assert found.longest < max(one.took for one in earlier) + timedelta(minutes=10)
    inside = [one for one in earlier if found.shortest <= one.took <= found.longest]
    assert len(inside) * 2 >= found.left


def test_only_a_seen_acceptance_begins_the_count() -> None:
    """What was found after a lost answer, or is watched from elsewhere, began at a time that nobody saw."""
    start, accepted, found_ = move(Event.START, JobState.STARTING), move(Event.ACCEPT), move(Event.FIND)
    elsewhere = move(None, JobState.QUEUED, old=None)
    assert accepted_at([start, accepted]) == NOW
    assert accepted_at([start, found_]) is None
    assert accepted_at([accepted, found_]) is None
    assert began([start, found_]) == found_
    assert began([elsewhere, move(Event.RUN, JobState.RUNNING)]) == elsewhere
    assert (accepted_at([elsewhere]), accepted_at([]), began([start])) == (None, None, None)


def test_what_it_took_needs_both_ends() -> None:
    """From the acceptance to the look that saw it trained; an ending without a model is none."""

    def later(event: Event, passed: float) -> Transition:
        moved: datetime = at(minutes=passed)
        return Transition(job_id="j1", seq=2, at=moved, old=None, new=JobState.DONE, event=event, actor=ADA)

    assert took([move(Event.ACCEPT), later(Event.FINISH, 5)]) == timedelta(minutes=5)
    assert took([move(Event.ACCEPT), later(Event.OFFER, 5), later(Event.REJECT, 9)]) == timedelta(minutes=5)
    assert took([move(Event.ACCEPT), later(Event.FAIL, 5)]) is None
    assert took([move(Event.FIND), later(Event.FINISH, 5)]) is None
