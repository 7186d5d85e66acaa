"""Pages of a list: a limit, and a cursor that says where the next page begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from sandbox.slack.arguments import Arguments
from sandbox.slack.wire import SlackError

T = TypeVar("T")


def page(entries: Sequence[T], args: Arguments, *, default: int, most: int) -> tuple[list[T], str]:
    """The entries of the asked page, and the cursor of the next one (empty at the end)."""
    start = _start(args.text("cursor"))
    end = start + args.number("limit", default=default, most=most)
    return list(entries[start:end]), _cursor(end) if end < len(entries) else ""


def _cursor(start: int) -> str:
    return base64.b64encode(f"next:{start}".encode()).decode()


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        word, _, start = base64.b64decode(cursor, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise SlackError("invalid_cursor") from None
    if word != "next" or not start.isdecimal():
        raise SlackError("invalid_cursor")
    return int(start)
