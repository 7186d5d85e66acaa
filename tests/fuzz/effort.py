"""How many inputs are tried: a few with every change, many where HYPOTHESIS_PROFILE=proof asks for them."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings

TIMES_MORE = 6
T = TypeVar("T", bound=Callable[..., Any])


def is_proof() -> bool:
    return os.environ.get("HYPOTHESIS_PROFILE") == "proof"


def effort(examples: int) -> Callable[[T], T]:
    """So many inputs. With every change they are the same ones, so that a change fails by its own fault; a proof takes
    others each time, TIMES_MORE of them."""
    return settings(
        max_examples=examples * TIMES_MORE if is_proof() else examples,
        derandomize=not is_proof(),
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
