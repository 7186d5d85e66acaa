"""The policy file: rules over those of the settings, every mistake with its line, and changes while the bot runs."""

import logging
import os
import re
from collections.abc import AsyncIterator
from datetime import date, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.policy import Act, Policy, Quiet, Reasons, Rule, StandIn
from bot.errors import ConfigurationError
from bot.policy_file import (
    MOST_BYTES,
    PolicyWatch,
    RuleTable,
    digest_of,
    parse_policy,
    provider_names,
    read_policy,
)
from bot.settings import Settings, load

KNOWN = ("aitems", "decthings", "deepopinion", "sestek", "sony")
BASE = Rule(approvers=("U0BASE", "S0BASE"), remind_after=timedelta(hours=4))


def parsed(text: str, base: Rule = BASE) -> Policy:
    """The policy of a file, where starts at Sestek are gated by the settings."""
    return parse_policy(text, "policy.toml", base, ["sestek"], KNOWN)


def mistakes(text: str, base: Rule = BASE) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        parsed(text, base)
    return str(raised.value).splitlines()


# -- what rules say ---------------------------------------------------------------------------------------------------


def test_a_rule_says_everything_that_it_can() -> None:
    """Every key reaches the rule that decides."""
    policy = parsed("""
[[rule]]
name = "production"
providers = ["Sony"]
models = ["prod-*", "live"]
acts = ["switch", "activate"]
ask = ["requester", "S0ASK"]
approve = ["U0A", "W0B", "S0C", "C0D", "G0E", "U0A"]
approvals = 2
requester_counts = true
reason = "always"
expire = "1d12h"
remind = "90m"
remind_factor = 1.5
escalate_to = ["U0F"]
escalate_after = "8h"
quiet = { from = "20:00", to = 08:30:00, zone = "Europe/Berlin", days = ["sun", "sat", "sun"] }
stand_ins = [{ for = "U0A", by = "U0G", from = 2026-12-24, until = 2026-12-24 }]
""")
    assert policy.rule_for(Act.SWITCH, "sony", "Prod-Churn") == Rule(
        name="production",
        approvers=("U0A", "W0B", "S0C", "C0D", "G0E"),
        askers=("requester", "S0ASK"),
        needed=2,
        may_approve_own=True,
        reasons=Reasons.ALWAYS,
        expires_after=timedelta(hours=36),
        remind_after=timedelta(minutes=90),
        remind_factor=1.5,
        second=("U0F",),
        second_after=timedelta(hours=8),
        quiet=Quiet(begins=time(20), ends=time(8, 30), zone="Europe/Berlin", days=(5, 6)),
        stand_ins=(StandIn(absent="U0A", by="U0G", since=date(2026, 12, 24), until=date(2026, 12, 24)),),
    )
    assert policy.clause_for(Act.SWITCH, "sony", "live").line == 2
    assert policy.clause_for(Act.SWITCH, "sony", "test").line == 0
    assert policy.source == "policy.toml"


def test_what_a_rule_leaves_out_is_that_of_the_defaults_and_then_of_the_settings() -> None:
    """The nearest word counts; `never` takes a reminder away."""
    policy = parsed("""
[defaults]
approve = ["U0DEF"]
remind = "never"
[[rule]]
name = "one"
providers = ["sony"]
approve = ["U0ONE"]
[[rule]]
name = "two"
providers = ["decthings"]
remind = "2h"
""")
    one, two = policy.rule_for(Act.SWITCH, "sony", "m"), policy.rule_for(Act.ACTIVATE, "decthings", "m")
    assert (one.approvers, one.remind_after, one.expires_after) == (("U0ONE",), None, BASE.expires_after)
    assert (two.approvers, two.remind_after) == (("U0DEF",), timedelta(hours=2))
    assert policy.rule_for(Act.SWITCH, "aitems", "m") == BASE


@pytest.mark.parametrize(
    ("rule", "needed"),
    [
        # settings: start sestek 1, start sony 0, switch 1, cancel 0
        ("", (1, 0, 1, 0)),
        ("approvals = 2", (2, 0, 2, 0)),
        ('acts = ["start", "switch"]\napprovals = 2', (2, 2, 2, 0)),
        ('acts = ["start"]\napprovals = 0', (0, 0, 1, 0)),
        ('acts = ["cancel"]\napprovals = 1', (1, 0, 1, 1)),
        ('acts = ["start"]\nask = ["S0MLOPS"]', (1, 0, 1, 0)),
        ('providers = ["sony"]\nacts = ["start"]\napprovals = 1', (1, 1, 1, 0)),
    ],
)
def test_where_approvals_are_needed(rule: str, needed: tuple[int, ...]) -> None:
    """A number counts where an approval is needed anyway, and for the acts that a rule names; a free act that no rule
    names stays free."""
    policy = parsed(f'[[rule]]\nname = "x"\n{rule}\n')
    acts = ((Act.START, "sestek"), (Act.START, "sony"), (Act.SWITCH, "sony"), (Act.CANCEL, "sony"))
    assert tuple(policy.rule_for(act, provider, "m").needed for act, provider in acts) == needed


def test_usual_numbers_do_not_make_free_acts_cost() -> None:
    """`[defaults]` says how many where somebody has to approve; whether, it does not say."""
    policy = parsed('[defaults]\napprovals = 3\n[[rule]]\nname = "x"\nacts = ["start", "switch"]\n')
    acts = ((Act.START, "sestek"), (Act.START, "sony"), (Act.SWITCH, "sony"), (Act.CANCEL, "sony"))
    assert [policy.rule_for(act, provider, "m").needed for act, provider in acts] == [3, 0, 3, 0]


def test_who_may_ask_is_kept_for_each_act() -> None:
    """A rule about everything that says nothing of who asks leaves starts to everybody, and the rest to the usual."""
    policy = parsed('[[rule]]\nname = "x"\napprove = ["U0A"]\n')
    assert policy.rule_for(Act.START, "sony", "m").askers == ("everybody",)
    assert policy.rule_for(Act.CANCEL, "sony", "m").askers == ("requester", "approvers")
    assert policy.rule_for(Act.CANCEL, "sony", "m").approvers == ("U0A",)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[defaults]\napprovals = 2\n", "rule = []\n"])
def test_a_file_without_a_rule_is_refused(text: str) -> None:
    """A file that lost its content must not leave to the settings what its rules were stricter about."""
    with pytest.raises(ConfigurationError, match=r"line 1: there is no \[\[rule\]\] in it, so it decides nothing"):
        parsed(text)


def test_the_checksum_covers_what_is_said_and_not_how() -> None:
    """Comments, order of keys, blanks and lines do not count; any other word does, those of the settings too."""
    one = parsed('[[rule]]\nname = "x"\napprove = ["U0A"]\napprovals = 1\n')
    same = parsed('\n# why\n[[ rule ]]\napprovals = 1 # one\n"approve" = [\n  "U0A",\n]\nname = \'x\'\n')
    assert one.digest == same.digest == digest_of(one.clauses)
    others = [
        parsed('[[rule]]\nname = "y"\napprove = ["U0A"]\napprovals = 1\n'),
        parsed('[[rule]]\nname = "x"\napprove = ["U0B"]\napprovals = 1\n'),
        parsed('[[rule]]\nname = "x"\nmodels = ["a"]\napprove = ["U0A"]\napprovals = 1\n'),
        parsed('[[rule]]\nname = "x"\napprove = ["U0A"]\napprovals = 1\n', Rule(approvers=("U0OTHER",))),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == 5


# -- mistakes ---------------------------------------------------------------------------------------------------------

FIRST = '[[rule]]\nname = "first"\n'


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("[[rule]]\nname = 5", 2, "name: has to be a text."),
        ("[[rule]]\nname = '''a\nb'''", 2, "name: has to be 1 to 80 characters"),
        ("\n[[rule]]\nacts = ['start']", 2, "name: is missing."),
        ("[rule]\nname = 'x'", 1, "a rule begins with two brackets: [[rule]]."),
        ("rules = 1", 1, "there is no key “rules” outside of the rules. Did you mean rule?"),
        ("defaults = 1", 1, "defaults: has to be a table of keys."),
        ("[defaults]\nname = 'x'", 2, "there is no key “name” in defaults."),
        (FIRST + "aprove = ['U0A']", 3, "there is no key “aprove” in rule. Did you mean approve?"),
        (FIRST + "approve = ['U0A',\n'@bora']", 4, "approve: “@bora” is not the id of a person"),
        (FIRST + "approve = []", 3, "approve: is an empty list"),
        (FIRST + "approve = 'U0A'", 3, "approve: has to be a list"),
        (FIRST + "approve = ['everybody']", 3, "approve: “everybody” is not the id"),
        (FIRST + "ask = ['everyone']", 3, "ask: “everyone” is neither an id"),
        (FIRST + "ask = ['everyone']", 3, "Did you mean everybody?"),
        (FIRST + "acts = ['swich']", 3, "acts: “swich” is not one of start, switch, activate, cancel. Did you mean"),
        (FIRST + "providers = ['soni']", 3, "there is no provider “soni”; there are aitems, decthings, deepopinion,"),
        (FIRST + "providers = ['soni']", 3, "Did you mean sony?"),
        (FIRST + "models = ['']", 3, "models: is empty."),
        (FIRST + "approvals = true", 3, "approvals: has to be a whole number."),
        (FIRST + "approvals = -1", 3, "approvals: has to be 0 or more."),
        (FIRST + "approvals = 0", 3, "approvals: a switch and an activation always need at least one."),
        (FIRST + "acts = ['start', 'switch']\napprovals = 0", 4, "approvals: a switch and an activation always need"),
        ("[defaults]\napprovals = 0", 2, "approvals: a switch and an activation always need at least one."),
        (FIRST + "approve = ['U0A', 'U0B', 'U0A']\napprovals = 3", 4, "3 have to approve, and only 2 may."),
        (FIRST + "requester_counts = 1", 3, "requester_counts: has to be true or false."),
        (FIRST + "reason = 'maybe'", 3, "reason: “maybe” is not one of never, reject, approve, always."),
        (FIRST + "expire = 7", 3, 'expire: has to be a time like "4h"'),
        (FIRST + "expire = '7 parsecs'", 3, 'expire: has to be a time like "4h"'),
        (FIRST + "expire = '999999999d'", 3, "expire: has to be between a minute and ten years."),
        (FIRST + "expire = '0h'", 3, "expire: has to be between a minute and ten years."),
        (FIRST + "remind = '8h'\nexpire = '2h'", 4, "expire: ends before the first reminder."),
        (FIRST + "remind_factor = 0.5", 3, "remind_factor: has to be 1 or more."),
        (FIRST + "remind_factor = nan", 3, "remind_factor: has to be a number that ends."),
        (FIRST + "escalate_to = ['U0A']", 3, "escalate_to: needs escalate_after too."),
        (FIRST + "escalate_after = '1h'", 3, "escalate_after: needs escalate_to too."),
        (FIRST + "escalate_to = ['U0A']\nescalate_after = '8d'", 4, "escalate_after: comes when the question has exp"),
        (FIRST + "quiet = { from = '20:00', to = '08:00', zone = 'Europe/Berlyn' }", 3, "zone: “Europe/Berlyn” is no"),
        (FIRST + "quiet = { from = '20:00', to = '08:00', zone = '../passwd' }", 3, "zone: “../passwd” is no time"),
        (FIRST + "quiet.from = '20:00'\nquiet.to = '25:00'", 4, "to: has to be a time of day"),
        (FIRST + "quiet = { from = '20:00', to = '20:00' }", 3, "quiet: ends when it begins."),
        (FIRST + "quiet = { from = '20:00' }", 3, "to: is missing."),
        (FIRST + "[rule.quiet]\nfrom = '20:00'\nto = '08:00'\ndays = ['mo']", 6, "days: “mo” is not one of mon, tue"),
        (
            FIRST + "[[rule.stand_ins]]\nfor = 'U0A'\nby = 'U0B'\nfrom = 2026-02-01\nuntil = 2026-01-01",
            7,
            "until: 2026-01-01 is before 2026-02-01, when it begins.",
        ),
        (
            FIRST + "stand_ins = [\n{ for = 'U0A', by = 'U0A', from = 2026-01-01, until = 2026-01-01 },\n]",
            4,
            "by: U0A cannot stand in for themselves.",
        ),
        (
            FIRST + "stand_ins = [{ for = 'S0A', by = 'U0A', from = '2026-01-01', until = 2026-01-01 }]",
            3,
            "for: “S0A” is not the id of a person (U… or W…).",
        ),
        (FIRST + FIRST + "models = ['x']", 4, "the rule of line 1 is called “first” too."),
        (FIRST + "[[rule]]\nname = 'second'", 3, "this rule never decides: “first” fits before it."),
        (
            FIRST + "models = ['prod-*']\n[[rule]]\nname = 'second'\nmodels = ['PROD-a']",
            4,
            "this rule never decides: “first” fits before it.",
        ),
        (
            FIRST + "acts = ['start']\napprove = ['U0A']",
            4,
            "approve: say too how many of them have to approve: approvals = 1, or 0 for nobody.",
        ),
        ("[[rule]\nname = 'x'", 1, "this is not TOML: "),
        (FIRST + "approve = [", 3, "this is not TOML: "),
        (FIRST + "expire = 2026-13-01", 3, "this is not TOML: "),
    ],
)
def test_a_mistake_is_refused_with_its_line(text: str, line: int, sentence: str) -> None:
    """Whoever edits the file is led to the place, and told what may stand there."""
    told = mistakes(text)
    assert any(one.startswith(f"policy.toml line {line}: ") and sentence in one for one in told), told


def test_a_rule_under_which_nobody_could_approve_is_refused() -> None:
    """Neither the rule nor the defaults nor the settings name anybody; the second group alone is somebody."""
    empty = Rule()
    [told] = mistakes(FIRST + "providers = ['sony']", empty)
    assert told.startswith("policy.toml line 1: nobody may approve: ")
    assert parsed(FIRST + "acts = ['start']\nask = ['U0A']\nproviders = ['sony']", empty).clauses[0].rule.needed == 0
    parsed(FIRST + "escalate_to = ['U0A']\nescalate_after = '1h'", empty)


def test_several_rules_together_can_leave_nothing_to_a_later_one() -> None:
    """Each act of the third is decided by one of the first two."""
    text = """[[rule]]
name = "starts"
acts = ["start", "cancel"]
approvals = 0
[[rule]]
name = "the rest"
acts = ["switch", "activate"]
[[rule]]
name = "third"
acts = ["start", "switch"]
models = ["x"]
approvals = 1
"""
    assert mistakes(text) == ["policy.toml line 8: this rule never decides: “starts” and “the rest” fit before it."]


def test_a_rule_that_decides_something_is_no_mistake() -> None:
    """One act, one provider or one model left is enough."""
    parsed(FIRST + "models = ['a*']\n[[rule]]\nname = 'b'\nmodels = ['a?', '[ab]*']")
    parsed(FIRST + "providers = ['sony']\n[[rule]]\nname = 'b'")
    parsed(FIRST + "acts = ['switch']\n[[rule]]\nname = 'b'\nacts = ['switch', 'cancel']\napprovals = 1")


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines() -> None:
    """Nobody has to start the bot five times."""
    told = mistakes("[[rule]]\nname = 'a'\nexpire = 1\nremnd = 2\n[[rule]]\nname = 'b'\napprovals = 0\n")
    lines = [int(re.match(r"policy\.toml line (\d+): ", one)[1]) for one in told]  # type: ignore[index]
    assert lines == [3, 4, 7]


def test_endless_mistakes_are_counted() -> None:
    """A file of another kind does not fill the log."""
    told = mistakes("\n".join(f"k{number} = 1" for number in range(80)))
    assert len(told) == 51
    assert told[-1] == "policy.toml: and 30 mistakes more."


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[[rule]]\nname = '\xff'", "policy.toml line 2: is not text in UTF-8."),
        (b"a = " + b"[" * 5000, "policy.toml line 1: holds more brackets in each other than can be read."),
        (b"# " + b"x" * MOST_BYTES, "policy.toml line 1: the file is larger than 256 KiB."),
        (b"a = " + b"9" * 5000, "policy.toml line 1: this is not TOML: a value that cannot be read."),
    ],
)
def test_a_file_of_another_kind_is_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    """Whatever the path leads to, no traceback."""
    path = tmp_path / "policy.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as raised:
        read_policy(path, BASE, (), KNOWN)
    assert str(raised.value) == sentence


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Some editors write one."""
    path = tmp_path / "policy.toml"
    path.write_bytes(b"\xef\xbb\xbf" + FIRST.replace("\n", "\r\n").encode())
    assert read_policy(path, BASE, (), KNOWN).clauses[0].line == 1


def test_the_installed_providers_are_known() -> None:
    """A rule about a service without credentials is right all the same."""
    assert set(KNOWN) <= set(provider_names())


# -- any text ---------------------------------------------------------------------------------------------------------

IDS = st.sampled_from(["U0A", "W0B", "S0C", "C0D", "everybody", "approvers", "u0a", "", "U0A\x00"])
VALUES = st.one_of(
    st.booleans().map(lambda value: str(value).lower()),
    st.integers(-1, 4).map(str),
    st.sampled_from(
        ["nan", "1e3", "2026-01-01", "20:00:00", "20:00:01", "2026-01-01T00:00:00Z", "[]", "{}", "[[1], {}]"]
    ),
    st.sampled_from(["4h", "7d", "never", "0m", "9999999d", "always", "x", "\\u0000"]).map('"{}"'.format),
    st.lists(IDS.map(repr), max_size=4).map(lambda ids: f"[{', '.join(ids)}]"),
    st.lists(st.sampled_from(["start", "switch", "sony", "sestek", "prod-*", "*"]).map(repr)).map(
        lambda i: f"[{','.join(i)}]"
    ),
    st.sampled_from(
        [
            '{ from = "20:00", to = "08:00" }',
            '{ from = 20:00:00, to = 08:00:00, zone = "Europe/Paris", days = ["mon"] }',
            '[{ for = "U0A", by = "U0B", from = 2026-01-01, until = 2026-02-01 }]',
            '[\n{ for = "U0A", by = "U0A", from = 2026-01-01, until = 2025-02-01 },\n]',
        ]
    ),
)
KEYS = st.sampled_from([*RuleTable.model_fields, *RuleTable.model_fields, "quiet.from", "aproove", "'k_e_y'"])
RIGHT = st.sampled_from(
    (
        "approvals = 1",
        'approve = ["U0A"]\napprovals = 1',
        'acts = ["switch"]',
        'models = ["a*"]',
        'models = ["b"]',
        'remind = "4h"',
        'ask = ["everybody"]',
        'reason = "always"',
        'providers = ["sony"]',
        'providers = ["sestek", "aitems"]',
        'escalate_to = ["S0A"]\nescalate_after = "1h"',
        'expire = "3d"',
    )
)
ROWS = st.tuples(KEYS, VALUES).map(" = ".join)
HEADS = st.sampled_from(
    ["[[rule]]\nname = 'a'", "[[rule]]\nname = 'b'", "[[rule]]", "[defaults]", "[rule]", "[[rule.quiet]]"]
)
FILES = st.lists(st.tuples(HEADS, st.lists(RIGHT | RIGHT | ROWS, max_size=4)), max_size=4).map(
    lambda parts: "\n".join(row for head, rows in parts for row in (head, *rows))
)
GOOD = st.lists(st.lists(RIGHT, max_size=3, unique_by=lambda row: row.split()[0]), max_size=3).map(
    lambda rules: "\n".join("\n".join([f"[[rule]]\nname = 'r{place}'", *rows]) for place, rows in enumerate(rules))
)
MUTATED = st.tuples(FILES | GOOD, st.integers(0, 400), st.text(max_size=3)).map(
    lambda it: it[0][: it[1]] + it[2] + it[0][it[1] :]
)


@settings(deadline=None)
@given(st.one_of(GOOD, FILES, MUTATED, st.text()))
def test_any_text_is_a_policy_or_one_error_with_lines(text: str) -> None:
    """No other exception, whatever stands in the file; and each line is one of the file."""
    try:
        policy = parsed(text)
    except ConfigurationError as error:
        for sentence in str(error).splitlines():
            found = re.match(r"policy\.toml(?: line (\d+): .|: and \d+ mistakes more\.)", sentence)
            assert found, sentence
            assert found[1] is None or 1 <= int(found[1]) <= text.count("\n") + 1
        return
    for act in Act:
        rule = policy.rule_for(act, "sony", "any")
        assert act not in (Act.SWITCH, Act.ACTIVATE) or rule.needed >= 1
    assert all(clause.rule.approvers or clause.rule.second or not clause.rule.needed for clause in policy.clauses)


# -- while the bot runs -----------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A policy file that names U0A."""
    file = tmp_path / "policy.toml"
    file.write_text(naming("U0A"), "utf-8")
    return file


def naming(person: str) -> str:
    return f'[[rule]]\nname = "x"\napprove = ["{person}"]\n'


def configured(path: Path) -> Settings:
    return load({"SWITCHYARD_APPROVALS__POLICY": str(path)})


def approver(watch: PolicyWatch) -> tuple[str, ...]:
    return watch.current().rule_for(Act.SWITCH, "sony", "m").approvers


async def test_a_changed_file_is_taken_over_once_it_stands_still(path: Path) -> None:
    """The first look sees a file that may still be written, the second takes it; then there is no news."""
    watch = PolicyWatch(configured(path))
    before = watch.current()
    assert await watch.look() is None
    path.write_text(naming("U0BB"), "utf-8")
    assert await watch.look() is None
    news = await watch.look()
    assert news is not None
    assert (news.before, news.now, news.mistake, news.is_change) == (before, watch.current(), "", True)
    assert approver(watch) == ("U0BB",)
    assert before.digest[:12] in news.sentence()
    assert "Rules changed: “" in news.sentence()
    assert await watch.look() is None


async def test_a_file_that_is_still_written_is_left_alone(path: Path) -> None:
    """Half of it may be a policy too, with fewer rules: it is read only once two looks see the same."""
    watch = PolicyWatch(configured(path))
    for half in ("", "[[rule]]\n", naming("U0B"), naming("U0B") + '[[rule]]\nname = "y"', naming("U0BB") + "# end\n"):
        path.write_text(half, "utf-8")
        assert await watch.look() is None
        assert approver(watch) == ("U0A",)
    assert await watch.look() is not None
    assert approver(watch) == ("U0BB",)


async def test_a_file_replaced_by_another_is_seen(path: Path, tmp_path: Path) -> None:
    """The usual way of editors, also where size and time are the same."""
    watch = PolicyWatch(configured(path))
    other, stat = tmp_path / "new", path.stat()
    other.write_text(naming("U0B"), "utf-8")
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(path)
    await watch.look()
    assert await watch.look() is not None
    assert approver(watch) == ("U0B",)


async def test_another_wording_of_the_same_rules_is_no_news(path: Path) -> None:
    """A comment changes nothing that has to be told."""
    watch = PolicyWatch(configured(path))
    path.write_text("# why\n" + naming("U0A"), "utf-8")
    assert [await watch.look() for _ in range(3)] == [None, None, None]


async def test_a_mistake_leaves_the_former_policy_in_force_and_is_told_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With its line, in the log and to who asks; another mistake is told again, and that it was mended too."""
    watch = PolicyWatch(configured(path))
    with caplog.at_level(logging.INFO, "bot.policy_file"):
        told = [one async for one in looks(watch, path, naming("U0A") + "x = 1\n")]
        told += [one async for one in looks(watch, path, naming("U0A") + "x = 1\n# more\n")]
        told += [one async for one in looks(watch, path, naming("U0A") + "y = 1\n")]
        told += [one async for one in looks(watch, path, naming("U0A"))]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR", "INFO"]
    assert "the former policy stays in force.\npolicy.toml line 4: there is no key “x” in rule." in told[0]
    assert "“y”" in told[1]
    assert told[2] == "The policy file can be used again; it says what is in force."
    assert approver(watch) == ("U0A",)


async def test_a_file_that_vanishes_leaves_the_former_policy_in_force(path: Path) -> None:
    """And it is said; once it is back, with what it says then."""
    watch = PolicyWatch(configured(path))
    path.unlink()
    assert await watch.look() is None
    news = await watch.look()
    assert news is not None
    assert "cannot be read (No such file or directory)" in news.sentence()
    assert approver(watch) == ("U0A",)
    assert [one async for one in looks(watch, path, naming("U0B"))] != []
    assert approver(watch) == ("U0B",)


async def looks(watch: PolicyWatch, path: Path, text: str) -> AsyncIterator[str]:
    """What three looks tell after the file was written."""
    path.write_text(text, "utf-8")
    for _ in range(3):
        if news := await watch.look():
            yield news.sentence()


async def test_without_a_file_there_is_nothing_to_look_at() -> None:
    """The settings decide, and they change with a restart."""
    watch = PolicyWatch(load({"SWITCHYARD_APPROVALS__APPROVERS": '["U0A"]'}))
    assert await watch.look() is None
    assert approver(watch) == ("U0A",)
    assert watch.current().source == ""
    assert watch.current().digest == digest_of(watch.current().clauses)


def test_a_missing_file_is_refused_at_start(tmp_path: Path) -> None:
    """A wrong path is not silently no policy."""
    with pytest.raises(ConfigurationError, match=r"gone\.toml cannot be read"):
        PolicyWatch(configured(tmp_path / "gone.toml"))
