"""Counts the boundaries that a bot crosses, seen from outside, and ends it with signal 9 at a chosen one.

A boundary has a label that does not depend on ids or times, and is counted: the second reply to `sestek GET …` of one
story is the same point in the next run of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

HANGS = 0.03


class Moment(StrEnum):
    """When at a boundary."""

    BEFORE_COMMIT = "before the commit"
    AFTER_COMMIT = "after the commit"
    SENT = "sent, not arrived"
    DONE = "arrived, reply not read"
    READ = "reply read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The `nth` time (from 1) that a bot comes to this boundary."""

    moment: Moment
    label: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.label} #{self.nth}, {self.moment}"

    @property
    def move(self) -> str:
        """The label without what is written beside it."""
        return self.label.partition(_WITH)[0]


def is_schema(label: str) -> bool:
    """Is it a commit of a migration?"""
    return label.endswith((": create", ": alter")) or label.startswith("_")


@dataclass(slots=True)
class Conductor:
    """Ends a bot at the first of `targets`, the next one at the second, and so on; `pid` is the one that runs.

    `lives` are the boundaries that each bot crossed, in order; `crossed` are their labels, and whatever was written at
    them. `kinds` are the kinds of the messages that were kept.
    """

    targets: Sequence[Point] = ()
    pid: int = 0
    address: str = ""
    lives: list[list[Point]] = field(default_factory=lambda: [[]])
    crossed: set[str] = field(default_factory=set)
    kinds: dict[str, str] = field(default_factory=dict)
    _seen: Counter[tuple[Moment, str]] = field(default_factory=Counter)
    _server: asyncio.Server | None = None
    _doomed: int = -1

    @property
    def hits(self) -> int:
        """How many targets were met."""
        return len(self.lives) - 1

    async def open(self) -> None:
        """Wait for bots that tell what they commit."""
        self._server = await asyncio.start_server(self._hear, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def reach(self, moment: Moment, label: str) -> bool:
        """A bot comes to a boundary; True if it is ended there."""
        if self.pid == self._doomed:
            return False
        self.crossed.add(label)
        self._seen[moment, label] += 1
        point = Point(moment=moment, label=label, nth=self._seen[moment, label])
        self.lives[-1].append(point)
        if point not in self.targets[self.hits : self.hits + 1]:
            return False
        self._end_life(moment)
        return True

    def _end_life(self, moment: Moment) -> None:
        """A commit that hangs for a moment lets out what does not wait for it, as on a slow disk."""
        self._doomed = self.pid
        self._seen.clear()
        self.lives.append([])
        if moment is Moment.BEFORE_COMMIT:
            asyncio.get_running_loop().call_later(HANGS, _kill, self.pid)
        else:
            _kill(self.pid)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One bot's life, as far as it is told."""
        try:
            while line := await reader.readline():
                told = json.loads(line)
                moment = Moment.BEFORE_COMMIT if told["commit"] == "before" else Moment.AFTER_COMMIT
                names = [self._name(effect) for effect in told["written"]]
                self.crossed.update(names)
                if not self.reach(moment, _label(names)):
                    writer.write(b".")
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _name(self, effect: Mapping[str, Any]) -> str:
        values, sets = effect["values"], effect["sets"]
        match effect["verb"], effect["table"]:
            case "INSERT", "transitions":
                return f"job becomes {values.get('new')}"
            case "INSERT", "prompts":
                return f"prompt is {values.get('outcome')}"
            case "INSERT", "notices":
                self.kinds[str(values.get("id"))] = str(values.get("kind"))
                return f"to tell: {values.get('kind')}"
            case "UPDATE", "notices":
                kind = self.kinds.get(str(values.get("id")), "message")
                return f"{kind} {values['state']}" if "state" in values else f"{kind}: {' '.join(sets[:1])}"
            case "UPDATE", "jobs":
                return "job is claimed" if sets == ["act_at"] else "job is noted"
            case verb, table:
                return f"{table}: {verb.lower()}"


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


_WEIGHTS = ("job becomes", "prompt is", "card", "line", "end", "prompt", "redraw", "told", "to tell", "job is noted")

_WITH = " with "
_BESIDE = {"to tell: news": "news", "schedules": "the next time"}
"""What makes a move another one."""


def _label(names: Sequence[str]) -> str:
    """What a commit is, by the weightiest thing that it writes."""
    more = [f"{_WITH}{said}" for start, said in _BESIDE.items() if any(name.startswith(start) for name in names)]
    weightiest = min(names, key=_weight) if names else "nothing"
    return weightiest + "".join(more) if weightiest.startswith("job becomes") else weightiest


def _weight(name: str) -> int:
    found = [place for place, start in enumerate(_WEIGHTS) if name.startswith(start)]
    return found[0] if found else len(_WEIGHTS)
