"""The judgement of readiness, from what is known at one moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.health_page import Part, Pulse, Vitals, judge
from handlers.sockets import Signs

LAST = "The last thing that Slack sent was answered:"
SIGNS = Signs(wanted=2, silences=(0.5, 4.0), unanswered=0.0, handled=7.0)
WELL = Vitals(
    refusal="",
    written=0.0,
    ticks={"poll": 0.2, "deliver": 3.0},
    late_after=120,
    signs=SIGNS,
    silent_after=30,
    requested=None,
)


def unwell(vitals: Vitals) -> list[Part]:
    return [part for part in judge(vitals) if not part.is_well]


def test_a_bot_that_is_well_is_ready() -> None:
    """Every part is told, with a sentence and the age that it rests on."""
    parts = {part.name: (part.says, part.age) for part in judge(WELL)}
    assert unwell(WELL) == []
    assert parts == {
        "database": ("The database takes writes.", 0.0),
        "ticks": ("Every tick ran lately.", 3.0),
        "sockets": ("Connections to Slack that are alive: 2 of 2.", 0.5),
        "answers": ("The last thing that Slack sent was answered: 7 s ago.", 7.0),
    }


@pytest.mark.parametrize(
    ("change", "name", "says"),
    [
        (
            {"refusal": "database or disk is full.", "written": 40.0},
            "database",
            "The database takes no write: database or disk is full. The last one: 40 s ago.",
        ),
        (
            {"refusal": "database is locked.", "written": None},
            "database",
            "The database takes no write: database is locked. The last one: none yet.",
        ),
        ({"ticks": {"poll": 121.0, "deliver": 1.0}}, "ticks", "Late: poll (121 s ago)."),
        ({"ticks": {"poll": None, "deliver": 500.0}}, "ticks", "Late: poll (none yet), deliver (500 s ago)."),
        ({"signs": replace(SIGNS, silences=())}, "sockets", "Connections to Slack that are alive: 0 of 2."),
        ({"signs": replace(SIGNS, silences=(31.0, 99.0))}, "sockets", "Connections to Slack that are alive: 0 of 2."),
        (
            {"signs": replace(SIGNS, unanswered=3.1)},
            "answers",
            f"Something that Slack sent waits too long for its answer. {LAST} 7 s ago.",
        ),
        (
            {"signs": replace(SIGNS, failures=3, handled=None)},
            "answers",
            f"The 3 things that Slack sent last were not answered. {LAST} none yet.",
        ),
    ],
)
def test_each_part_alone_makes_it_unready(change: dict[str, Any], name: str, says: str) -> None:
    """And its sentence says what is wrong, to somebody who has only that."""
    [part] = unwell(replace(WELL, **change))
    assert (part.name, part.says) == (name, says)


@pytest.mark.parametrize(
    "change",
    [
        {"signs": replace(SIGNS, silences=(29.9, 99.0))},
        {"signs": replace(SIGNS, unanswered=2.9)},
        {"signs": replace(SIGNS, failures=2)},
        {"signs": replace(SIGNS, handled=None)},
        {"signs": replace(SIGNS, handled=1e6)},
        {"ticks": {"poll": 120.0}},
        {"signs": None, "requested": None},
        {"signs": None, "requested": 1e6},
    ],
)
def test_what_is_no_reason(change: dict[str, Any]) -> None:
    """One connection that lives is enough, a command may take its time, one may fail, and people may be quiet."""
    assert unwell(replace(WELL, **change)) == []


def test_the_age_of_what_never_was_is_not_known() -> None:
    """A pulse counts from its last beat."""
    pulse = Pulse()
    assert pulse.age("poll") is None
    pulse.beat("poll")
    age = pulse.age("poll")
    assert age is not None
    assert age >= 0
