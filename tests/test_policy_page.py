"""The page on the policy file: every example is loaded, and what is said beside it is so."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.approvals import Electorate, Group, Standing, may_ask, may_decide
from bot.domain.explaining import explain, in_plain_text, say_span
from bot.domain.policy import Act, Policy, end_of_quiet
from bot.domain.requests import Actor
from bot.policy_file import Keys, QuietTable, RuleTable, StandInTable, load_policy
from bot.settings import load

PAGE = (Path(__file__).parents[1] / "docs" / "policy.md").read_text("utf-8")
Row = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Example:
    """A file of the page, and the tables that follow it."""

    title: str
    toml: str
    rows: list[Row] = field(default_factory=list)


def tables(text: str) -> Iterator[Row]:
    """Each row under the heads of its columns."""
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        heads, _, *rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()]
        yield from (dict(zip(heads, row, strict=True)) for row in rows)


def examples() -> list[Example]:
    _, *parts = re.split(r"^### ", PAGE, flags=re.MULTILINE)
    return [
        Example(title=part.splitlines()[0], toml=toml, rows=list(tables(part)))
        for part in parts
        for toml in re.findall(r"^```toml\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
    ]


def places() -> Mapping[str, str]:
    rows = (row for row in tables(PAGE) if "person or place" in row)
    return {row["person or place"]: row["id"].strip("`") for row in rows}


PEOPLE = {name: id_ for name, id_ in places().items() if ":" not in name}
MEMBERS = {
    id_: frozenset(PEOPLE[one.strip()] for one in name.partition(": ")[2].split(","))
    for name, id_ in places().items()
    if ":" in name
}
ASKED = [(example, row) for example in examples() for row in example.rows if "act" in row]
DUE = [(example, row) for example in examples() for row in example.rows if "due" in row]


def loaded(example: Example, folder: Path) -> Policy:
    (folder / "policy.toml").write_text(example.toml, "utf-8")
    environ = {
        "SWITCHYARD_APPROVALS__POLICY": str(folder / "policy.toml"),
        "SWITCHYARD_APPROVALS__APPROVERS": f'["{PEOPLE["Bora"]}"]',
    }
    return load_policy(load(environ))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_page_has_examples_and_each_states_something() -> None:
    """Nothing on it is only decoration: each block of TOML stands in an example, and has a table."""
    assert len(examples()) == PAGE.count("```toml") >= 6
    assert all(example.rows for example in examples())
    assert len(ASKED) > 30
    assert {len(members) for members in MEMBERS.values()} == {2}


@pytest.mark.parametrize("key", sorted({**Keys.model_fields, **RuleTable.model_fields}))
def test_the_page_explains_every_key(key: str) -> None:
    """Each key of a rule stands in the table, and nothing else does."""
    told = {name for row in tables(PAGE) if "key" in row for name in re.findall(r"`(\w+)`", row["key"])}
    assert key in told
    assert told == set(RuleTable.model_fields)


def test_the_page_names_the_keys_of_inner_tables() -> None:
    """`quiet` and `stand_ins` have keys of their own."""
    for table in (QuietTable, StandInTable):
        names = [field.alias or name for name, field in table.model_fields.items()]
        assert re.search(rf"\{{ {', '.join(names)} \}}", PAGE)


@pytest.mark.parametrize(("example", "row"), ASKED, ids=[f"{one.title}-{n}" for n, (one, _) in enumerate(ASKED)])
def test_what_is_said_beside_an_example_is_so(example: Example, row: Row, tmp_path: Path) -> None:
    """Who may ask, who may approve, and how many, by the functions that decide it and by those that explain it."""
    policy, now = loaded(example, tmp_path), moment(row.get("on", "2026-11-16 12:00"))
    act, person, asker = Act(row["act"]), Actor(user=PEOPLE[row["person"]]), Actor(user=PEOPLE[row["who asked"]])
    rule = policy.rule_for(act, row["at"], row["model"])
    groups = {id_: Group(id=id_, members=members, read_at=now) for id_, members in MEMBERS.items()}
    voters = Electorate(rule=rule, groups=groups)
    late = Electorate(rule=rule, groups=groups, asked_at=now - rule.second_after) if rule.second_after else voters
    assert str(rule.needed) == row["approvals"]
    if row.get("may ask"):
        assert may_ask(person, asker, voters, now).standing is STANDINGS[row["may ask"]]
    if row["may approve"]:
        first, later = (may_decide(person, asker, one, now).standing for one in (voters, late))
        after = f"after {say_span(rule.second_after)}" if rule.second_after else ""
        assert (first, later) == SEQUENCES.get(row["may approve"].replace(after or "-", "after"))
        said = explain(policy, act, row["at"], row["model"], actor=person, requester=asker, groups=groups, now=now)
        assert in_plain_text(said[-1]).startswith(f"{person.user} {SAID[row['may approve'].split()[0]]}")


STANDINGS = {"yes": Standing.ALLOWED, "no": Standing.DENIED}
SEQUENCES = {
    "yes": (Standing.ALLOWED, Standing.ALLOWED),
    "no": (Standing.DENIED, Standing.DENIED),
    "after": (Standing.DENIED, Standing.ALLOWED),
}
SAID = {"yes": "may approve it:", "no": "may not approve it:", "after": "may approve it after 8 hours, not before:"}


@pytest.mark.parametrize(("example", "row"), DUE, ids=[row["due"] for _, row in DUE])
def test_reminders_wait_for_the_end_of_quiet_hours(example: Example, row: Row, tmp_path: Path) -> None:
    """When what falls due is told."""
    rule = loaded(example, tmp_path).rule_for(Act.SWITCH, "sony", "churn")
    assert end_of_quiet(rule.quiet, moment(row["due"])) == moment(row["told"])
