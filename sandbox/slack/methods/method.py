"""One row of the table of methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sandbox.slack.arguments import Arguments
from sandbox.slack.lab import Lab
from sandbox.slack.limits import Tier
from sandbox.slack.wire import JSON

Token = Literal["bot", "app", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """`scopes`: one of them is enough; where the kind of conversation decides, the call itself asks further."""

    call: Callable[[Lab, Arguments], JSON]
    tier: Tier
    required: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    token: Token = "bot"
