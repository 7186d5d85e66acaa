"""What is tried with every change, where a test has one case for each of many things that are alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def short(values: Iterable[Any], *kept: Any) -> list[Any]:
    """For `parametrize`: the kept values, and all others as the proof's. A value may be a tuple of arguments."""
    values = list(values)
    assert all(one in values for one in kept), f"no such case in {values}"
    return [value if value in kept else _of_the_proof(value) for value in values]


def _of_the_proof(value: Any) -> Any:
    several = value if isinstance(value, tuple) else (value,)
    return pytest.param(*several, marks=pytest.mark.proof)
