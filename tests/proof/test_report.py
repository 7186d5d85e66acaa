"""The table of the proof says what was found, and looks clean only where everything is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.proof.report import NUMBERS, PROMISES, Row, gathered, heading, lines, tell, write

MODULE = "tests/proof/test_every_point.py"
README = "# Name\n\n<!-- proof: last -->\nold\n<!-- proof ends -->\n\n<!-- begin: commands -->\nkept\n<!-- end -->\n"
PAGE = "<!-- proof: last -->\n\n<!-- proof ends -->\nwords\n<!-- proof: mutants -->\nold\n<!-- proof ends -->\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """As much of pytest's report as is read."""

    nodeid: str
    when: str = "call"
    failed: bool = False
    duration: float = 0.5
    user_properties: list[tuple[str, Any]] = field(default_factory=list)


def told(row: Row) -> list[tuple[str, Any]]:
    properties: list[tuple[str, Any]] = []
    tell(lambda name, value: properties.append((name, value)), row)
    return properties


def test_shares_of_one_story_become_one_row() -> None:
    """Whichever workers they came from, and in whatever order."""
    shares = [Row(part="crash points", what="sony", runs=3, points=2), Row(part="crash points", what="sony", lost=1)]
    rows = gathered(
        Phase(nodeid=f"{MODULE}::test_it[{number}]", user_properties=told(one)) for number, one in enumerate(shares)
    )
    assert rows == [Row(part="crash points", what="sony", runs=3, points=2, lost=1, seconds=1.0)]


def test_a_row_is_counted_once_however_often_it_is_reported() -> None:
    """A row that is told early is in the reports of later phases as well, one that is told late in the last alone."""
    row = told(Row(part="races", what="clicks", interleavings=7, seconds=2))
    for seen in (["call", "teardown"], ["teardown", "call"]):
        rows = gathered(Phase(nodeid=MODULE, when=when, user_properties=row) for when in seen)
        assert [one.interleavings for one in rows] == [7]
    fuzz = [("fuzz", json.dumps({"what": "files", "inputs": 9, "seconds": 1, "outcomes": {}}))]
    late = [
        Phase(nodeid="tests/fuzz/test_files.py::a"),
        Phase(nodeid="tests/fuzz/test_files.py::a", when="teardown", user_properties=fuzz),
    ]
    assert [(one.part, one.inputs) for one in gathered(late)] == [("inputs", 9)]


@pytest.mark.parametrize("properties", [[], told(Row(part="crash points", what="sony", runs=3))])
def test_a_test_that_fails_is_never_a_clean_row(properties: list[tuple[str, Any]]) -> None:
    """A test may fail before it has told, or by something that it does not count."""
    [row] = gathered([Phase(nodeid=f"{MODULE}::test_it", failed=True, user_properties=properties)])
    assert not row.is_clean
    assert row.wrong == 1


def test_what_did_not_run_is_in_no_row() -> None:
    """A test that was skipped has proved nothing; a test of something else is no part of the proof."""
    assert (
        gathered([Phase(nodeid=f"{MODULE}::test_it", when="setup"), Phase(nodeid="tests/test_cli.py::test_it")]) == []
    )


def test_the_last_line_is_the_sum() -> None:
    """Of every number."""
    rows = [Row(part=part, what="x", **dict.fromkeys(NUMBERS, 2)) for part in ("inputs", "mutants")]
    *_, last = lines(rows)
    assert last.split() == ["all", *["4"] * len(NUMBERS)]


def test_the_documents_get_the_table_and_keep_the_rest(tmp_path: Path) -> None:
    """Between their marks alone; twice is once."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "tests" / "proof" / "mutants").mkdir(parents=True)
    (tmp_path / "tests" / "proof" / "mutants" / "late.patch").write_text("It comes late.\n\nCaught by: x\n")
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "docs" / "proof.md").write_text(PAGE)
    head = heading(datetime(2026, 11, 21, tzinfo=UTC), "abc1234", 90, 2)
    for _ in range(2):
        write(tmp_path, [Row(part="inputs", what="files", inputs=1234)], head)
    readme, page = (tmp_path / "README.md").read_text(), (tmp_path / "docs" / "proof.md").read_text()
    assert "Last run: 2026-11-21 at commit `abc1234`, 1.5 minutes" in readme
    assert "2 tests skipped" in readme
    assert "| inputs |  |  |  | 1,234 |  | 0 | 0 | 0 | 0 |  |" in readme
    assert "old" not in readme + page
    assert readme.endswith("<!-- begin: commands -->\nkept\n<!-- end -->\n")
    assert "| inputs | files |" in page
    assert "words\n<!-- proof: mutants -->\n* `late`: It comes late.\n<!-- proof ends -->" in page


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_counts(promise: str) -> None:
    """A row is clean where nothing was broken."""
    clean = asdict(Row(part="inputs", what="x"))
    assert Row(**clean).is_clean
    assert not Row(**{**clean, promise: 1}).is_clean
