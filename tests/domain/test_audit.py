"""How a row of the audit log is sealed: the same text for ever, whatever the code around it becomes."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bot.domain.audit import BEGINNING, Anchor, AuditKind, Record, hash_of, plain, seal
from bot.domain.audit_check import Damage, verify
from bot.domain.policy import Reasons, Rule, StandIn
from bot.domain.requests import Actor

AT = datetime(2026, 11, 20, 9, 0, 0, 5000, tzinfo=UTC)
DENIED = Record(
    at=AT,
    kind=AuditKind.DENIED,
    actor=Actor(team="T0YARD", user="U0ADA"),
    job_id="j1",
    prompt_id="p1",
    facts={"why": "Nein, „so“ nicht.", "a": [1, None, True]},
)


def test_the_text_that_is_hashed_never_changes() -> None:
    """A log of years is verified by the code of then: this text was written by hand from the page."""
    text = (
        r'[1,2,1795165200005,"denied","T0YARD","U0ADA","j1","p1",'
        r'"{\"a\":[1,null,true],\"why\":\"Nein, \\u201eso\\u201c nicht.\"}","' + BEGINNING + '"]'
    )
    assert seal(DENIED, 2, BEGINNING).hash == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("cell", [b"x", object(), {1, 2}])
def test_a_cell_that_cannot_be_hashed_fits_no_hash(cell: Any) -> None:
    """A damaged cell is a damage that is told, and not a crash of who looks for it."""
    entry = replace(seal(DENIED, 1, BEGINNING), facts=cell)
    assert hash_of(entry) == ""
    assert [one.damage for one in verify([entry]).findings] == [Damage.CHANGED]


def test_facts_are_plain_json() -> None:
    """A rule with all that it holds, times and words of ours."""
    rule = Rule(
        reasons=Reasons.ALWAYS,
        stand_ins=(StandIn(absent="U1", by="U2", since=date(2026, 1, 2), until=date(2026, 1, 3)),),
    )
    read = plain({"rule": rule, "at": AT, "ids": frozenset({"b", "a"}), "every": timedelta(hours=1)})
    assert (read["at"], read["ids"], read["every"]) == (1795165200005, ["a", "b"], "1:00:00")
    assert read["rule"]["reasons"] == "always"
    assert read["rule"]["stand_ins"] == [{"absent": "U1", "by": "U2", "since": "2026-01-02", "until": "2026-01-03"}]


def test_an_empty_log_is_covered_by_nothing_and_cut_where_an_anchor_says_so() -> None:
    """Nothing can be said of what never was; an anchor says that it was."""
    empty = verify([])
    assert (empty.is_sound, empty.head, empty.uncovered) == (True, None, None)
    assert [(one.seq, one.damage) for one in verify([], [Anchor(seq=3, hash="x")]).findings] == [(1, Damage.CUT)]
