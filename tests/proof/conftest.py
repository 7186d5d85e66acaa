"""The launcher of bots, which of these tests are run when, and the table of what they found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proof import report
from tests.proof.stage import Launcher

PROOF = report.PROOF


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """Forks bots for all tests of a session."""
    made = Launcher()
    yield made
    made.close()


def pytest_configure(config: pytest.Config) -> None:
    report.pytest_configure(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long way is gone only where it is asked for: `-m proof`, which takes the short tests of the proof along."""
    if PROOF in (config.option.markexpr or ""):
        for item in items:
            if item.nodeid.startswith(report.FOLDERS):
                item.add_marker(PROOF)
        return
    long = [item for item in items if item.get_closest_marker(PROOF)]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
