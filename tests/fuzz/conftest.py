"""Counts the inputs of each test, and shows how many there were."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fuzz.tally import Tally
from tests.proof import report


@pytest.fixture
def tally(request: pytest.FixtureRequest, record_property: Any) -> Iterator[Tally]:
    """Counts what a test tried."""
    counted, begun = Tally(), time.monotonic()
    yield counted
    seconds = round(time.monotonic() - begun, 1)
    row = {"what": request.path.stem.removeprefix("test_"), "inputs": counted.inputs, "seconds": seconds}
    record_property(report.FUZZ, json.dumps({**row, "outcomes": counted.outcomes}))


def pytest_configure(config: pytest.Config) -> None:
    report.pytest_configure(config)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One row a module: what became of the inputs."""
    reports = [one for kind in terminalreporter.stats.values() for one in kind if hasattr(one, "user_properties")]
    found = [json.loads(value) for one in reports for name, value in one.user_properties if name == report.FUZZ]
    if not found:
        return
    terminalreporter.section("any input: a result or a sentence")
    for what in dict.fromkeys(row["what"] for row in found):
        rows = [row for row in found if row["what"] == what]
        outcomes = sum((Counter(row["outcomes"]) for row in rows), Counter[str]())
        kinds = ", ".join(f"{count} {kind}" for kind, count in outcomes.most_common(4))
        terminalreporter.write_line(f"{what:<18}{kinds}")
