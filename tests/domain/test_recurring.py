"""When a recurring training runs, in local time across every change of the clocks, and what its runs are called."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.arguments import Argument, Arguments
from bot.domain.recurring import (
    Schedule,
    ScheduleState,
    Timetable,
    filled,
    fixed_names,
    next_time,
    next_times,
    parse_every,
    refusal_of_names,
    refuse_every,
    turn_of,
)
from bot.domain.requests import Run
from bot.errors import UsageError
from tests.contract.samples import a_wish
from tests.fuzz.effort import effort

BERLIN = "Europe/Berlin"
ZONES = (
    "UTC", BERLIN, "Europe/Istanbul", "Asia/Seoul", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
    "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu",
)  # fmt: skip
MINUTE = timedelta(minutes=1)


# -- what is typed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("mon 09:00", "mon 09:00"),
        (" Monday  9:05 ", "mon 09:05"),
        ("thu, MON 23:59", "mon,thu 23:59"),
        ("day 06:30", "day 06:30"),
        ("weekday 18:00", "weekday 18:00"),
        ("mon,tue,wed,thu,fri 00:00", "weekday 00:00"),
    ],
)
def test_days_and_a_time_are_read(typed: str, read: str) -> None:
    """In any case and order; what it is read as is read as the same."""
    assert parse_every(typed).text() == read
    assert parse_every(read) == parse_every(typed)


@pytest.mark.parametrize(
    "typed",
    ["", "09:00", "mon", "mon 9am", "mon 24:00", "mon 12:60", "mon,mon 09:00", "1st 09:00", "mon,foo 09:00",
     "mon 09:00 18:00", "mon, 09:00", "every mon 09:00", "0 9 * * 1"],
)  # fmt: skip
def test_other_words_are_answered_with_examples(typed: str) -> None:
    """What is not offered is said, too."""
    sentence = refuse_every(typed)
    assert sentence is not None
    assert 'every="mon 09:00"' in sentence
    assert "not offered" in sentence
    assert "``" not in sentence


# -- when -------------------------------------------------------------------------------------------------------------


def by_watching_the_clock(timetable: Timetable, zone: tzinfo, after: datetime) -> datetime:
    """The oracle: somebody who looks at a clock of that place once a minute, and acts as soon as it shows the time of a
    planned day, or one past it."""
    begun = after.astimezone(zone).date() - timedelta(days=2)
    moments = [
        first_look(datetime.combine(begun + timedelta(days=number), timetable.at), zone)
        for number in range(11)
        if (begun + timedelta(days=number)).weekday() in timetable.days
    ]
    return min(moment for moment in moments if moment > after)


def first_look(wall: datetime, zone: tzinfo) -> datetime:
    # No zone is further than fifteen hours from UTC, and no clock is set by more than a day.
    at = wall.replace(tzinfo=UTC) - timedelta(hours=40)
    while at.astimezone(zone).replace(tzinfo=None) < wall:
        at += MINUTE
    return at


TIMETABLES = st.builds(
    Timetable,
    days=st.frozensets(st.integers(0, 6), min_size=1),
    at=st.builds(time, st.sampled_from([0, 1, 2, 3, 9, 23]), st.sampled_from([0, 15, 30, 59])),
)
CHANGES = [
    datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 23, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 4, 59, tzinfo=UTC), datetime(2026, 4, 4, 14, tzinfo=UTC),
    datetime(2011, 12, 29, 12, tzinfo=UTC), datetime(2026, 2, 14, 22, tzinfo=UTC),
]  # fmt: skip
"""Shortly before clocks change somewhere; at the end of 2011 Samoa left out a whole day."""
MOMENTS = st.one_of(
    st.sampled_from(CHANGES).flatmap(lambda at: st.integers(-300, 300).map(lambda off: at + off * MINUTE)),
    st.integers(0, 3_000_000).map(lambda minute: datetime(2024, 1, 1, tzinfo=UTC) + minute * MINUTE),
)


@effort(24)
@given(timetable=TIMETABLES, zone=st.sampled_from(ZONES), after=MOMENTS)
def test_the_next_time_is_when_a_clock_there_shows_it(timetable: Timetable, zone: str, after: datetime) -> None:
    """In every zone, across summer time in both directions, a half-hour change, and a day that never was."""
    there = ZoneInfo(zone)
    found = next_time(timetable, there, after)
    assert found == by_watching_the_clock(timetable, there, after), found
    assert found > after


@effort(24)
@given(timetable=TIMETABLES, zone=st.sampled_from(ZONES), after=MOMENTS)
def test_each_planned_day_has_one_time(timetable: Timetable, zone: str, after: datetime) -> None:
    """A time that comes twice in a night runs once, one that is left out runs all the same."""
    there = ZoneInfo(zone)
    moments = list(islice(next_times(timetable, there, after), 15))
    assert moments == sorted(set(moments))
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert all(gap <= timedelta(days=8, hours=2) for gap in gaps)
    if len(timetable.days) == 7 and zone != "Pacific/Apia":
        days = [moment.astimezone(there).date() for moment in moments]
        assert days == [days[0] + timedelta(days=number) for number in range(15)]


def test_summer_time_leaves_out_and_repeats() -> None:
    """The two nights that people ask about, in numbers: 02:30 in Berlin."""
    daily, there = parse_every("day 02:30"), ZoneInfo(BERLIN)
    spring = list(islice(next_times(daily, there, datetime(2026, 3, 28, 12, tzinfo=UTC)), 2))
    assert [f"{one.astimezone(there):%d %H:%M}" for one in spring] == ["29 03:00", "30 02:30"]
    autumn = list(islice(next_times(daily, there, datetime(2026, 10, 24, 12, tzinfo=UTC)), 2))
    assert autumn == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 26, 1, 30, tzinfo=UTC)]


# -- whose turn it is -------------------------------------------------------------------------------------------------


def a_schedule(every: str = "mon 09:00", zone: str = BERLIN, **fields: Any) -> Schedule:
    made = Schedule(
        id="r234567", request=a_wish(), timetable=parse_every(every), created_at=datetime(2026, 11, 20, 9, tzinfo=UTC)
    )
    return replace(made.activated(zone, made.created_at), **fields)


def test_nothing_is_due_before_its_time() -> None:
    """The first run is the next planned one, not now."""
    schedule = a_schedule()
    monday = datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert schedule.next_at == monday
    assert turn_of(schedule, monday - MINUTE) is None
    turn = turn_of(schedule, monday)
    assert turn is not None
    assert (turn.planned_at, turn.missed) == (monday, 0)
    assert schedule.local(monday) == "Mon 2026-11-23 09:00"


def test_whatever_was_missed_is_one_turn() -> None:
    """After weeks of nobody looking the latest time counts, and how many went by."""
    schedule = a_schedule()
    turn = turn_of(schedule, datetime(2026, 12, 15, 12, tzinfo=UTC))
    assert turn is not None
    assert (turn.planned_at, turn.missed) == (datetime(2026, 12, 14, 8, tzinfo=UTC), 3)
    assert turn.is_late(datetime(2026, 12, 15, 12, tzinfo=UTC), timedelta(hours=6))
    assert not turn.is_late(datetime(2026, 12, 14, 14, tzinfo=UTC), timedelta(hours=6))


def test_a_turn_is_followed_by_the_next_time() -> None:
    """A training that came of it is counted, a turn that was skipped is not."""
    schedule, now = a_schedule(), datetime(2026, 11, 23, 8, 0, 1, tzinfo=UTC)
    ran, skipped = schedule.passed(now, "j2345ab"), schedule.passed(now)
    assert ran.next_at == skipped.next_at == datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert (ran.runs, ran.last_job, skipped.runs, skipped.last_job) == (1, "j2345ab", 0, "")
    assert ran.version == skipped.version == schedule.version + 1


def test_an_end_has_no_next_time() -> None:
    """And says why it ended."""
    ended = a_schedule().ended("Enough.")
    assert (ended.state, ended.next_at, ended.why) == (ScheduleState.ENDED, None, "Enough.")
    assert turn_of(ended, datetime(2030, 1, 1, tzinfo=UTC)) is None


# -- names ------------------------------------------------------------------------------------------------------------


def test_names_are_filled_as_of_the_planned_time() -> None:
    """The date is that of the place; lists, numbers and parameters that look alike stay."""
    params = {
        "name": "reviews-{date}-{n}", "title": "at {time}, {day}", "project": 7,
        "parameters": {"seed": "{n}"}, "types": ["{n}"],
    }  # fmt: skip
    request = a_wish(model="reviews-{date}-{n}", params=params, data={"data": "calls-{date}.jsonl"})
    run = Run(schedule="r234567", number=12, planned_at=datetime(2026, 11, 22, 15, 30, tzinfo=UTC))
    made = filled(request, run, "Asia/Seoul")
    assert made.model == made.params["name"] == "reviews-2026-11-23-12"
    assert made.params["title"] == "at 0030, {day}"
    assert (made.params["parameters"], made.params["types"]) == ({"seed": "{n}"}, ["{n}"])
    assert made.data == {"data": "calls-2026-11-23.jsonl"}
    assert made.run == run


def test_the_key_of_a_run_is_that_of_its_planned_time() -> None:
    """Whoever tries it, and whatever its number is thought to be: the same time is the same request."""
    planned = datetime(2026, 11, 23, 8, tzinfo=UTC)
    keys = {
        filled(a_wish(), Run(schedule="r1", number=number, planned_at=planned.astimezone(zone)), "UTC").request_key
        for number, zone in ((1, UTC), (2, ZoneInfo("Asia/Seoul")))
    }
    assert keys == {"every:r1:20261123T0800Z"}


def _arguments(**fields: Any) -> Arguments:
    name = Argument(name="name", label="NAME", what="the name", **fields)
    project = Argument(name="project", label="PROJECT", what="the project")
    return Arguments(positionals=(project, name), model="name", examples=(), reference=(), reference_example="")


@pytest.mark.parametrize(
    ("name", "is_fixed"), [("reviews", True), ("r-{time}", True), ("r-{date}", False), ("r{n}", False), ("{x}", True)]
)
def test_a_name_that_has_to_be_unique_varies(name: str, is_fixed: bool) -> None:
    """The time of day alone is the same in each run."""
    request = a_wish(params={"project": "p", "name": name})
    assert bool(fixed_names(_arguments(unique=True), request)) is is_fixed
    assert fixed_names(_arguments(), request) == ()


def test_a_filled_name_is_judged_like_a_typed_one() -> None:
    """A number grows, and with it a name."""
    arguments = _arguments(refuse=lambda text: "Too long." if len(text) > 5 else None)
    found = refusal_of_names(arguments, a_wish(params={"project": "p", "name": "model-100"}))
    assert found is not None
    assert (found[0].name, found[1]) == ("name", "Too long.")
    assert refusal_of_names(arguments, a_wish(params={"project": "p", "name": "m-1"})) is None


def test_equal_wishes_are_known_as_such() -> None:
    """Whatever the delivery; another time or channel is another one."""
    one = a_schedule()
    assert one.fingerprint == replace(one, id="r9", request=a_wish("k2")).fingerprint
    assert one.fingerprint != a_schedule("tue 09:00").fingerprint
    assert one.fingerprint != replace(one, request=a_wish(channel="C0ELSE")).fingerprint


def test_words_are_read_or_answered() -> None:
    """No sentence of a wrong word grows with it."""
    with pytest.raises(UsageError) as refused:
        parse_every("x" * 3000)
    assert len(str(refused.value)) < 400
