"""The launcher of bots, which of these tests are run when, and the table of what they found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.proof.stage import Launcher

PROOF = "proof"
COLUMNS = ("story", "points", "met", "lost", "doubled", "wrong", "questions", "seconds")


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """Forks bots for all tests of a session."""
    made = Launcher()
    yield made
    made.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long way is gone only where it is asked for: `-m proof`."""
    if PROOF in (config.option.markexpr or ""):
        return
    long = [item for item in items if item.get_closest_marker(PROOF)]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One row a story, put together from the shares in which it was told."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    found = [json.loads(value) for report in reports for name, value in report.user_properties if name == PROOF]
    if not found:
        return
    terminalreporter.section("killed with signal 9 at every boundary")
    rows = _rows(found)
    for row in ({name: name for name in COLUMNS}, *rows, _sum(rows)):
        terminalreporter.write_line(_line(row))


def _line(row: dict[str, Any]) -> str:
    story, *numbers = (row[name] for name in COLUMNS)
    return f"{story:<40}" + "".join(f"{number!s:>10}" for number in numbers)


def _rows(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    stories = dict.fromkeys(one["story"] for one in found)
    return [_sum([one for one in found if one["story"] == story]) | {"story": story} for story in stories]


def _sum(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"story": "all"} | {name: sum(row[name] for row in rows) for name in COLUMNS[1:]}
