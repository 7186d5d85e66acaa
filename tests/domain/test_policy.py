"""Rules in order: which one decides, whom it names, and when it is quiet."""

import re
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.policy import (
    Act,
    Clause,
    Policy,
    Quiet,
    Reasons,
    Rule,
    StandIn,
    covers,
    end_of_quiet,
    settings_clauses,
)

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_settings_gate_switches_and_the_starts_that_they_name() -> None:
    """Without a file a switch needs one yes, a start only at the named providers, and cancelling none."""
    policy = Policy(clauses=settings_clauses(Rule(approvers=("U1",), needed=2), ["sestek"]))
    needed = {act: policy.rule_for(act, "sestek", "m").needed for act in Act}
    assert needed == {Act.START: 2, Act.SWITCH: 2, Act.ACTIVATE: 2, Act.CANCEL: 0}
    assert policy.rule_for(Act.START, "sony", "m").needed == 0
    assert policy.rule_for(Act.START, "sony", "m").askers == ("everybody",)


@pytest.mark.parametrize(
    ("clause", "fits"),
    [
        (Clause(rule=Rule()), True),
        (Clause(rule=Rule(), acts=frozenset({Act.START})), False),
        (Clause(rule=Rule(), acts=frozenset({Act.START, Act.SWITCH})), True),
        (Clause(rule=Rule(), providers=("sony",)), True),
        (Clause(rule=Rule(), providers=("sestek",)), False),
        (Clause(rule=Rule(), models=("PROD-*",)), True),
        (Clause(rule=Rule(), models=("prod",)), False),
        (Clause(rule=Rule(), models=("x", "prod-[cd]hurn")), True),
    ],
)
def test_a_clause_fits_by_act_provider_and_model(clause: Clause, fits: bool) -> None:
    """What is empty fits all; models are compared without case."""
    assert clause.fits(Act.SWITCH, "sony", "Prod-Churn") is fits


@pytest.mark.parametrize(
    ("reasons", "approve", "reject"),
    [(Reasons.NEVER, 0, 0), (Reasons.REJECT, 0, 1), (Reasons.APPROVE, 1, 0), (Reasons.ALWAYS, 1, 1)],
)
def test_which_answers_need_a_reason(reasons: Reasons, approve: bool, reject: bool) -> None:
    """Each word means what it says."""
    rule = Rule(reasons=reasons)
    assert (rule.needs_reason(approves=True), rule.needs_reason(approves=False)) == (approve, reject)


def test_pauses_grow_up_to_the_expiry_and_never_beyond_what_a_date_holds() -> None:
    """4, 8, 16 hours …, and no reminder of any number breaks."""
    rule = Rule(remind_after=timedelta(hours=4), remind_factor=2, expires_after=timedelta(hours=20))
    assert [rule.pause_before(n) for n in range(4)] == [timedelta(hours=h) for h in (4, 8, 16, 20)]
    wild = Rule(remind_after=timedelta(hours=4), remind_factor=100, expires_after=timedelta(days=3660))
    assert wild.pause_before(10_000) == timedelta(days=3660)
    assert Rule(remind_after=None).pause_before(0) is None


@pytest.mark.parametrize(
    ("moment", "is_quiet"),
    [
        ("2026-07-01T17:59:00", False),
        ("2026-07-01T18:00:00", True),  # 20:00 in Berlin in summer
        ("2026-01-07T18:00:00", False),
        ("2026-01-07T19:00:00", True),  # 20:00 in Berlin in winter
        ("2026-07-02T05:59:59", True),
        ("2026-07-02T06:00:00", False),
        ("2026-07-04T10:00:00", True),  # a Saturday
        ("2026-07-05T22:30:00", True),  # Monday in Berlin, 00:30
    ],
)
def test_quiet_hours_follow_the_clock_of_their_zone(moment: str, is_quiet: bool) -> None:
    """Over midnight, over a change of the clock, and on whole days."""
    quiet = Quiet(begins=time(20), ends=time(8), zone=BERLIN, days=(5, 6))
    assert quiet.holds(at(moment)) is is_quiet


CLOCKS = st.builds(time, st.integers(0, 23), st.integers(0, 59))


@settings(max_examples=40, deadline=None)
@given(
    CLOCKS, CLOCKS, st.sampled_from(["UTC", BERLIN, "Asia/Kathmandu", "America/New_York"]),
    st.sets(st.integers(0, 6)), st.integers(0, 365 * 86400),
)  # fmt: skip
def test_the_end_of_quiet_is_not_quiet(begins: time, ends: time, zone: str, days: set[int], moment: int) -> None:
    """A reminder that is put off comes at a moment that is not quiet, the first one to the minute."""
    quiet = Quiet(begins=begins, ends=ends, zone=zone, days=tuple(sorted(days)))
    asked = at("2026-01-01T00:00:00") + timedelta(seconds=moment)
    end = end_of_quiet(quiet, asked)
    if len(days) == 7:
        assert end == asked
    else:
        assert not quiet.holds(end)
        assert end == asked or quiet.holds(end - timedelta(minutes=1))


def test_a_stand_in_counts_on_both_its_last_and_its_first_day() -> None:
    """Days are whole, in UTC."""
    one = StandIn(absent="U1", by="U2", since=date(2026, 12, 24), until=date(2026, 12, 26))
    days = ["2026-12-23T23:59:59", "2026-12-24T00:00:00", "2026-12-26T23:59:59", "2026-12-27T00:00:00"]
    assert [one.holds(at(day)) for day in days] == [False, True, True, False]


@pytest.mark.parametrize(
    ("wide", "narrow", "is_covered"),
    [
        ((), ("a",), True),
        (("a",), (), False),
        (("prod-*",), ("PROD-churn", "prod-a*"), True),
        (("prod-*",), ("prod-a", "test"), False),
        (("a?",), ("a*",), False),
        (("a*b]",), ("a[b]",), False),
        (("*",), ("[!a]*",), True),
        (("a?",), ("a?",), True),
    ],
)
def test_which_patterns_take_in_which(wide: tuple[str, ...], narrow: tuple[str, ...], is_covered: bool) -> None:
    """Only what is sure counts."""
    assert covers(wide, narrow) is is_covered


PATTERNS = st.text(alphabet="ab*?[]!", min_size=1, max_size=6)


@given(PATTERNS, PATTERNS, st.text(alphabet="ab[]!*?", max_size=6))
def test_a_covered_pattern_fits_nothing_that_the_wide_one_does_not(wide: str, narrow: str, model: str) -> None:
    """A rule is called unreachable only if it is."""
    if covers((wide,), (narrow,)) and fnmatchcase(model, narrow):
        assert fnmatchcase(model, wide), re.escape(model)
