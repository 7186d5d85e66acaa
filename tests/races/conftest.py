"""Where the long tests of the races are run, and the table that they end up in."""

import pytest

from tests.proof import report


def pytest_configure(config: pytest.Config) -> None:
    report.pytest_configure(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long ones are run only where they are asked for, with `-m proof`."""
    if report.PROOF in (config.option.markexpr or ""):
        return
    long = [item for item in items if item.get_closest_marker(report.PROOF)]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
