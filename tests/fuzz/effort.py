"""How many inputs are tried: a few with every change, many where HYPOTHESIS_PROFILE=proof asks for them."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings

TIMES_MORE = 12
FEWEST = 5
T = TypeVar("T", bound=Callable[..., Any])


def is_proof() -> bool:
    return os.environ.get("HYPOTHESIS_PROFILE") == "proof"


def effort(examples: int) -> Callable[[T], T]:
    """So many inputs, halved with every change. There they are the same ones each time, so that a change fails by its
    own fault; a proof takes others, TIMES_MORE of them."""
    few = max(FEWEST, examples // 2)
    return settings(
        max_examples=few * TIMES_MORE if is_proof() else few,
        derandomize=not is_proof(),
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
