"""The sentences that say which rule decides and what a person may."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.approvals import Electorate, Group, Standing, may_ask, may_decide
from bot.domain.explaining import explain, in_plain_text, say_span
from bot.domain.policy import Act, Clause, Policy, Quiet, Reasons, Rule, StandIn, settings_clauses
from bot.domain.requests import Actor

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ADA, BORA, CHIE, DAN, EVE = "UADA", "UBORA", "UCHIE", "UDAN", "UEVE"
RULE = Rule(
    name="production",
    approvers=(BORA, "SOPS"),
    askers=("requester", "CROOM"),
    needed=2,
    reasons=Reasons.ALWAYS,
    remind_after=timedelta(hours=4),
    second=(DAN,),
    second_after=timedelta(hours=36),
    quiet=Quiet(begins=time(20), ends=time(8), zone="Asia/Tokyo", days=(5, 6)),
    stand_ins=(StandIn(absent=BORA, by=EVE, since=date(2026, 7, 1), until=date(2026, 7, 2)),),
)
POLICY = Policy(
    clauses=(Clause(rule=RULE, providers=("sony",), acts=frozenset({Act.SWITCH}), line=12), *settings_clauses()),
    source="policy.toml",
)
OLD = NOW - timedelta(days=3)
GROUPS = {
    "SOPS": Group(id="SOPS", members=frozenset({CHIE}), read_at=OLD),
    "CROOM": Group(id="CROOM", members=frozenset({DAN, CHIE}), read_at=OLD, failing_since=NOW),
}


def told(user: str, *, act: Act = Act.SWITCH, requester: str = "", groups: dict[str, Group] = GROUPS) -> list[str]:
    asked = Actor(user=requester) if requester else None
    said = explain(POLICY, act, "sony", "churn", actor=Actor(user=user), requester=asked, groups=groups, now=NOW)
    return [in_plain_text(one) for one in said]


def test_everything_that_a_rule_demands_is_said() -> None:
    """Whoever reads it needs no look at the file, and sees how old the copies of groups are."""
    assert told(BORA) == [
        "The rule “production” decides (policy.toml line 12). It is about a switch of `churn` at sony.",
        "May ask: who asked for the training, CROOM.",
        "May approve: UBORA, SOPS; 2 have to.",
        "Who asked may not approve.",
        "After 36 hours also: UDAN.",
        "UEVE stands in for UBORA from 2026-07-01 to 2026-07-02.",
        "An approval and a rejection need a reason.",
        "It expires after 7 days; a reminder comes after 4 hours, each further pause is 2 times as long.",
        "Nobody is reminded from 20:00 to 08:00 and on Saturday, Sunday (Asia/Tokyo).",
        "SOPS has 1 member, read 2026-06-28 12:00:00 UTC.",
        "CROOM has 2 members, read 2026-06-28 12:00:00 UTC; since then it cannot be read.",
        "UBORA may not ask for it: neither named, nor in a named group, nor a stand-in.",
        "UBORA may approve it: UBORA is named.",
    ]


def test_what_no_rule_of_the_file_fits_is_decided_by_the_settings() -> None:
    """A start at Sony is free, and it is said why."""
    why = "The settings decide (SWITCHYARD_APPROVALS__…), since no rule of policy.toml fits."
    assert told(DAN, act=Act.START) == [
        f"{why} It is about a start of `churn` at sony.",
        "May ask: everybody.",
        "No approval is needed.",
        "UDAN may ask for it: everybody may.",
    ]


@pytest.mark.parametrize(
    ("user", "requester", "sentence"),
    [
        (CHIE, "", "UCHIE may approve it: UCHIE is in SOPS."),
        (DAN, "", "UDAN may approve it after 36 hours, not before: UDAN is named."),
        (EVE, "", "UEVE may approve it: UEVE stands in for UBORA, who is named."),
        (
            ADA,
            "",
            "UADA may not approve it: neither named, nor in a named group, nor a stand-in.",
        ),
        (BORA, BORA, "UBORA may not approve it: who asked does not count."),
        (
            EVE,
            BORA,
            "UEVE may not approve it: neither named, nor in a named group, nor a stand-in.",
        ),
    ],
)
def test_through_what_a_person_may_approve(user: str, requester: str, sentence: str) -> None:
    """By name, through a group, after a time, as a stand-in; or not, and why."""
    assert told(user, requester=requester)[-1] == sentence


def test_a_group_that_was_never_read_leaves_the_answer_open() -> None:
    """Neither yes nor no is made up."""
    said = told(CHIE, groups={})
    assert "Who is in SOPS was not read yet." in said
    assert said[-1] == "UCHIE may approve it if they are in SOPS, which was not read yet."
    assert told(DAN, groups={})[-1].startswith("UDAN may approve it after 36 hours, before only if they are in SOPS: ")


def test_a_models_name_mentions_nobody() -> None:
    """A name comes from whoever typed it: in Slack it calls nobody, in the shell it is as it was typed."""
    who = Actor(user=BORA)
    said = explain(POLICY, Act.START, "sony", "<!channel>&", actor=who, requester=None, groups={}, now=NOW)[0]
    assert "<!channel>" not in said
    assert in_plain_text(said).endswith("a start of `<!channel>&` at sony.")


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(days=7), "7 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=61.5), "61.5 seconds"),
    ],
)
def test_times_are_told_in_whole_units(span: timedelta, words: str) -> None:
    """7 days, not 168:00:00."""
    assert say_span(span) == words


PEOPLE = st.sampled_from([ADA, BORA, CHIE, DAN, EVE])
VOTERS = st.lists(st.sampled_from([ADA, BORA, CHIE, "SOPS", "CROOM"]), max_size=3).map(tuple)
RULES = st.builds(
    Rule,
    name=st.just("any"),
    approvers=VOTERS,
    askers=st.lists(st.sampled_from(["everybody", "requester", "approvers", ADA, "SOPS"]), max_size=2).map(tuple),
    needed=st.integers(0, 2),
    may_approve_own=st.booleans(),
    second=VOTERS,
    second_after=st.sampled_from([None, timedelta(hours=3)]),
    stand_ins=st.lists(
        st.builds(StandIn, absent=PEOPLE, by=PEOPLE, since=st.just(date(2026, 6, 1)), until=st.just(date(2026, 8, 1)))
    ).map(tuple),
)
CLAUSES = st.builds(
    Clause,
    rule=RULES,
    acts=st.frozensets(st.sampled_from(Act)),
    providers=st.sampled_from([(), ("sony",), ("sestek",)]),
    models=st.sampled_from([(), ("prod-*",), ("churn", "x?")]),
    line=st.integers(1, 99),
)


@settings(deadline=None)
@given(
    st.lists(CLAUSES, max_size=4), st.sampled_from(Act), st.sampled_from(["sony", "sestek"]),
    st.sampled_from(["churn", "prod-1", "xy"]), PEOPLE, PEOPLE, st.sets(st.sampled_from(["SOPS", "CROOM"])),
)  # fmt: skip
def test_what_is_explained_is_what_will_be_decided(
    clauses: list[Clause], act: Act, provider: str, model: str, user: str, requester: str, read: set[str]
) -> None:
    """The rule that is named is the one that `rule_for` gives, and the person may what they are told that they may."""
    policy = Policy(clauses=(*clauses, *settings_clauses()), source="policy.toml")
    known = {id_: GROUPS[id_] for id_ in read}
    fresh = {id_: Group(id=id_, members=GROUPS[id_].members, read_at=NOW) for id_ in read}
    actor, asker = Actor(user=user), Actor(user=requester)
    said = explain(policy, act, provider, model, actor=actor, requester=asker, groups=known, now=NOW)
    clause = policy.clause_for(act, provider, model)
    assert clause.rule == policy.rule_for(act, provider, model)
    assert (f"(policy.toml line {clause.line})" if clause.line else "The settings decide") in said[0]
    voters = Electorate(rule=clause.rule, groups=fresh)
    asks = next(one for one in said if "ask for it" in one)
    agree(asks, may_ask(actor, asker, voters, NOW).standing, f"<@{user}> may ask for it")
    if clause.rule.needed:
        agree(said[-1], may_decide(actor, asker, voters, NOW).standing, f"<@{user}> may approve it")


def agree(sentence: str, standing: Standing, yes: str) -> None:
    heads = {Standing.ALLOWED: (f"{yes}:",), Standing.UNKNOWN: (f"{yes} if ", f"{yes} after "), Standing.DENIED: ()}
    if standing is Standing.DENIED:
        assert " may not " in sentence or sentence.startswith((f"{yes} after ", f"{yes} if "))
    else:
        assert sentence.startswith(heads[standing])
