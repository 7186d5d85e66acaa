"""Everything that changes, numbered: the page listens to it, tests wait for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from sandbox.slack.wire import JSON

T = TypeVar("T")
_KEPT = 5000


class Feed:
    """A numbered list of changes. `{"seq": n, "type": TYPE, TYPE: object}` is the form of each."""

    def __init__(self) -> None:
        self.seq = 0
        self._changes: deque[JSON] = deque(maxlen=_KEPT)
        self._waiting: set[asyncio.Future[None]] = set()

    def publish(self, kind: str, changed: Any) -> None:
        self.seq += 1
        self._changes.append({"seq": self.seq, "type": kind, kind: changed})
        self.stir()

    def stir(self) -> None:
        """Wakes those who wait, also for something that the page does not show."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def since(self, seq: int) -> list[JSON]:
        """The changes after `seq`; a single `reload` where they are no longer kept (or never were)."""
        oldest = self._changes[0]["seq"] if self._changes else self.seq + 1
        if seq + 1 < oldest or seq > self.seq:
            return [{"seq": self.seq, "type": "reload", "reload": {}}]
        return [change for change in self._changes if change["seq"] > seq]

    async def follow(self, seq: int) -> AsyncIterator[JSON]:
        """The changes after `seq`, then each new one, without end."""
        while True:
            for change in self.since(seq):
                seq = change["seq"]
                yield change
            await self._next_after(seq)

    async def wait_for(self, predicate: Callable[[], T | None], seconds: float, what: str | Callable[[], str]) -> T:
        """Returns the first true value of the predicate; TimeoutError saying `what` was awaited."""
        try:
            async with asyncio.timeout(seconds):
                return await self._until(predicate)
        except TimeoutError:
            awaited = what if isinstance(what, str) else what()
            raise TimeoutError(f"waited {seconds:g} s for {awaited}") from None

    async def _until(self, predicate: Callable[[], T | None]) -> T:
        while not (value := predicate()):
            await self._stirred()
        return value

    async def _next_after(self, seq: int) -> None:
        while self.seq <= seq:
            await self._stirred()

    async def _stirred(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)
