"""Small checks that add up to a description of a JSON object. Each appends what is wrong, with the place, to a list."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Findings:
    """What is wrong, in the order found; the words are those of Slack's own `response_metadata.messages`."""

    messages: list[str] = field(default_factory=list)

    def add(self, what: str, where: str) -> None:
        self.messages.append(f"{what} [json-pointer:{where}]")


Check = Callable[[Any, str, Findings], None]


def string(most: int | None = None, least: int = 0, pattern: str | None = None) -> Check:
    def check(value: Any, where: str, found: Findings) -> None:
        if not isinstance(value, str):
            found.add("must be a string", where)
        elif most is not None and len(value) > most:
            found.add(f"must be less than {most + 1} characters", where)
        elif len(value) < least:
            found.add(f"must be more than {least - 1} characters", where)
        elif pattern is not None and not re.fullmatch(pattern, value):
            found.add(f"does not match {pattern}", where)

    return check


def boolean(value: Any, where: str, found: Findings) -> None:
    if not isinstance(value, bool):
        found.add("must be a boolean", where)


def anything(_value: Any, _where: str, _found: Findings) -> None:
    """For parts whose form Slack does not publish."""


def number(least: float | None = None, most: float | None = None) -> Check:
    def check(value: Any, where: str, found: Findings) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            found.add("must be a number", where)
        elif least is not None and value < least:
            found.add(f"must be at least {least:g}", where)
        elif most is not None and value > most:
            found.add(f"must be at most {most:g}", where)

    return check


def choice(*words: str) -> Check:
    def check(value: Any, where: str, found: Findings) -> None:
        if value not in words:
            found.add(f"must be one of: {', '.join(words)}", where)

    return check


def listing(item: Check, most: int | None = None, least: int = 0) -> Check:
    def check(value: Any, where: str, found: Findings) -> None:
        if not isinstance(value, list):
            found.add("must be an array", where)
            return
        if most is not None and len(value) > most:
            found.add(f"no more than {most} items allowed", where)
        if len(value) < least:
            found.add(f"no fewer than {least} items allowed", where)
        for index, entry in enumerate(value):
            item(entry, f"{where}/{index}", found)

    return check


def record(keys: Mapping[str, Check], required: tuple[str, ...] = ()) -> Check:
    """An object with these keys and no other."""

    def check(value: Any, where: str, found: Findings) -> None:
        if not isinstance(value, dict):
            found.add("must be an object", where)
            return
        for name in required:
            if name not in value:
                found.add(f"missing required field: {name}", where)
        for name, part in value.items():
            if name == "type":
                continue
            if name not in keys:
                found.add(f"invalid additional property: {name}", where)
            else:
                keys[name](part, f"{where}/{name}", found)

    return check


def by_type(kinds: Mapping[str, Check]) -> Check:
    """An object whose `type` says which description holds."""

    def check(value: Any, where: str, found: Findings) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(value, dict):
            found.add("must be an object", where)
        elif kind is None:
            found.add("missing required field: type", where)
        elif kind not in kinds:
            found.add(f"unsupported type: {kind}", f"{where}/type")
        else:
            kinds[kind](value, where, found)

    return check


def both(*checks: Check) -> Check:
    def check(value: Any, where: str, found: Findings) -> None:
        for each in checks:
            each(value, where, found)

    return check


def exactly_one(*names: str) -> Check:
    """Of these keys one is there, never two."""

    def check(value: Any, where: str, found: Findings) -> None:
        present = [name for name in names if isinstance(value, dict) and name in value]
        if len(present) != 1:
            found.add(f"must provide exactly one of: {', '.join(names)}", where)

    return check


def at_least_one(*names: str) -> Check:
    def check(value: Any, where: str, found: Findings) -> None:
        if isinstance(value, dict) and not any(value.get(name) for name in names):
            found.add(f"must provide one of: {', '.join(names)}", where)

    return check
