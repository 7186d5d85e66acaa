"""Who may decide: named people, members of groups as last read, and the requester."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.approvals import (
    ANSWERS,
    GATES,
    Answer,
    Electorate,
    Group,
    Standing,
    Subject,
    is_approver_or,
    may_decide,
)
from bot.domain.policy import Rule
from bot.domain.requests import Actor

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
TEAM = "T0YARD"
ADA, BORA, CHIE = (Actor(team=TEAM, user=user) for user in ("U0ADA", "U0BORA", "U0CHIE"))
GRID = Actor(team=TEAM, user="W0GRID")
ALLOWED, DENIED, UNKNOWN = Standing.ALLOWED, Standing.DENIED, Standing.UNKNOWN


def read(id_: str, *members: str, seconds_ago: float = 0, failing_for: float | None = None) -> Group:
    failing = None if failing_for is None else NOW - timedelta(seconds=failing_for)
    return Group(
        id=id_, members=frozenset(members), read_at=NOW - timedelta(seconds=seconds_ago), failing_since=failing
    )


def never_read(id_: str, failing_for: float | None = None) -> Group:
    return Group(id=id_, failing_since=None if failing_for is None else NOW - timedelta(seconds=failing_for))


def electorate(*approvers: str, own: bool = False, groups: tuple[Group, ...] = ()) -> Electorate:
    known: Mapping[str, Group] = {group.id: group for group in groups}
    return Electorate(rule=Rule(approvers=approvers, may_approve_own=own), groups=known)


FRESH = read("S0OPS", "U0BORA", "W0GRID")
MINE = read("S0OPS", "U0ADA")
OLD, OLD_WITHOUT = read("S0OPS", "U0BORA", seconds_ago=121), read("S0OPS", seconds_ago=121)
FAILING = read("S0OPS", "U0BORA", failing_for=30)
FAILING_LONG = read("S0OPS", "U0BORA", seconds_ago=200, failing_for=80)
GIVEN_UP = read("S0OPS", "U0BORA", seconds_ago=420, failing_for=300)
NEVER_READ, GIVEN_UP_UNREAD, GONE = never_read("S0OPS"), never_read("S0OPS", 300), never_read("S0GONE", 900)
ELSE = read("S0ELSE", "U0BORA")


def through(*groups: Group, own: bool = False) -> Electorate:
    """One group decides, `S0OPS`; `groups` is what is known."""
    return electorate("S0OPS", own=own, groups=groups)


CASES: list[tuple[str, Electorate, Actor, Standing, Standing]] = [
    # what it is about; the rule; who; may decide on what Ada asked for; may act on Ada's job
    ("nobody is named", electorate(), BORA, DENIED, DENIED),
    ("nobody is named, own", electorate(own=True), ADA, DENIED, ALLOWED),
    ("named", electorate("U0BORA"), BORA, ALLOWED, ALLOWED),
    ("named on a grid", electorate("W0GRID"), GRID, ALLOWED, ALLOWED),
    ("not named", electorate("U0BORA"), CHIE, DENIED, DENIED),
    ("own, not allowed", electorate("U0ADA"), ADA, DENIED, ALLOWED),
    ("own, allowed and named", electorate("U0ADA", own=True), ADA, ALLOWED, ALLOWED),
    ("own, allowed but not named", electorate("U0BORA", own=True), ADA, DENIED, ALLOWED),
    ("in a group", through(FRESH), BORA, ALLOWED, ALLOWED),
    ("in a group on a grid", through(FRESH), GRID, ALLOWED, ALLOWED),
    ("not in the group", through(FRESH), CHIE, DENIED, DENIED),
    ("own through a group", through(MINE), ADA, DENIED, ALLOWED),
    ("own through a group, allowed", through(MINE, own=True), ADA, ALLOWED, ALLOWED),
    ("group never heard of", through(), BORA, UNKNOWN, UNKNOWN),
    ("group never read", through(NEVER_READ), BORA, UNKNOWN, UNKNOWN),
    ("old copy has them", through(OLD), BORA, UNKNOWN, UNKNOWN),
    ("old copy lacks them", through(OLD_WITHOUT), BORA, UNKNOWN, UNKNOWN),
    ("named beside an old group", electorate("U0BORA", "S0OPS"), BORA, ALLOWED, ALLOWED),
    ("one fresh group has them", electorate("S0OLD", "S0OPS", groups=(FRESH,)), BORA, ALLOWED, ALLOWED),
    ("one group is still unknown", electorate("S0OLD", "S0OPS", groups=(FRESH,)), CHIE, UNKNOWN, UNKNOWN),
    ("failing, copy fresh", through(FAILING), BORA, ALLOWED, ALLOWED),
    ("failing, copy old", through(FAILING_LONG), BORA, UNKNOWN, UNKNOWN),
    ("given up", through(GIVEN_UP), BORA, DENIED, DENIED),
    ("given up, never read", through(GIVEN_UP_UNREAD), BORA, DENIED, DENIED),
    ("given up, but named", electorate("U0BORA", "S0OPS", groups=(GIVEN_UP,)), BORA, ALLOWED, ALLOWED),
    ("given up, but in another", electorate("S0GONE", "S0OPS", groups=(GONE, FRESH)), BORA, ALLOWED, ALLOWED),
    ("a group that is not of the rule", through(read("S0OPS"), ELSE), BORA, DENIED, DENIED),
]


@pytest.mark.parametrize(("voters", "who", "decides", "acts"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_who_may_decide_and_who_may_act(voters: Electorate, who: Actor, decides: Standing, acts: Standing) -> None:
    """The rule is the configured people and groups; a requester acts on his own job but does not approve it."""
    assert may_decide(who, ADA, voters, NOW).standing is decides
    assert is_approver_or(who, ADA, voters, NOW).standing is acts


@pytest.mark.parametrize("voters", [electorate("U0ADA"), through(MINE)])
def test_a_requester_is_the_same_person_in_every_workspace_of_a_grid(voters: Electorate) -> None:
    """An Enterprise Grid has one id a person and many teams: coming in through another is no way out."""
    elsewhere = Actor(team="T0OTHER", user="U0ADA")
    assert may_decide(elsewhere, ADA, voters, NOW).standing is DENIED


def test_an_empty_list_names_the_setting() -> None:
    """Whoever meets a gate that nobody can open has to learn how it is opened."""
    assert "SWITCHYARD_APPROVALS__APPROVERS" in may_decide(BORA, ADA, electorate(), NOW).why


@pytest.mark.parametrize(("seconds", "standing"), [(119, ALLOWED), (120, ALLOWED), (120.001, UNKNOWN)])
def test_a_copy_of_a_group_decides_for_120_seconds(seconds: float, standing: Standing) -> None:
    """After two minutes a group has to be read again before it decides."""
    voters = electorate("S0OPS", groups=(read("S0OPS", "U0BORA", seconds_ago=seconds),))
    assert may_decide(BORA, ADA, voters, NOW).standing is standing


@pytest.mark.parametrize(("seconds", "standing"), [(299.999, UNKNOWN), (300, DENIED), (301, DENIED)])
def test_a_group_is_given_up_after_five_minutes(seconds: float, standing: Standing) -> None:
    """Nobody waits for ever: a group that cannot be read approves nobody, and the sentence says so."""
    verdict = may_decide(BORA, ADA, electorate("S0OPS", groups=(never_read("S0OPS", seconds),)), NOW)
    assert verdict.standing is standing
    assert "<!subteam^S0OPS>" in verdict.why
    assert ("cannot be read" in verdict.why) is (standing is DENIED)


def test_an_unknown_standing_names_the_groups_to_read() -> None:
    """Only groups whose copy is too old are read: not the fresh ones, not those that were given up."""
    groups = (FRESH, never_read("S0GONE", 900), read("S0OLD", seconds_ago=500))
    verdict = may_decide(CHIE, ADA, electorate("S0OPS", "S0GONE", "S0OLD", "S0NEW", groups=groups), NOW)
    assert (verdict.standing, verdict.stale) == (UNKNOWN, ("S0OLD", "S0NEW"))


def test_a_verdict_that_stands_asks_for_no_reading() -> None:
    """Nothing is read for a click that is decided already."""
    for voters in (electorate("U0BORA", "S0OPS"), electorate("U0CHIE")):
        assert may_decide(BORA, ADA, voters, NOW).stale == ()


def test_a_rule_tells_people_from_groups() -> None:
    """`S…` is a user group; `U…` and, on a grid, `W…` are people."""
    rule = Rule(approvers=("U0BORA", "S0OPS", "W0GRID"))
    assert (rule.people, rule.groups) == (("U0BORA", "W0GRID"), ("S0OPS",))


def test_a_group_id_is_nobody() -> None:
    """Who calls himself like a group is not thereby an approver."""
    voters = electorate("S0OPS", groups=(read("S0OPS"),))
    assert may_decide(Actor(team=TEAM, user="S0OPS"), ADA, voters, NOW).standing is DENIED


def test_every_question_has_answers_of_its_own() -> None:
    """Gates are approved, rejected or taken back; the three other questions offer exactly their documented buttons."""
    assert set(ANSWERS) == set(Subject)
    decisions = (Answer.APPROVE, Answer.REJECT, Answer.WITHDRAW)
    assert {subject: ANSWERS[subject] for subject in GATES} == dict.fromkeys(GATES, decisions)
    assert ANSWERS[Subject.DID_START] == (Answer.RUNS, Answer.AGAIN, Answer.GIVE_UP)
    assert ANSWERS[Subject.DID_SWITCH] == (Answer.APPLIED, Answer.NOT_APPLIED)
    assert ANSWERS[Subject.GO_ON] == (Answer.KEEP, Answer.GIVE_UP)
