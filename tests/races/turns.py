"""Things that happen at once, one step after the other: who goes on is chosen at every point where they wait.

An actor waits for its turn before each transaction of the store and around each call to a service. Whoever chooses
the turns (a seeded random, or hypothesis) chooses the interleaving; the same choices give the same one again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, NamedTuple

ACTOR: ContextVar[str] = ContextVar("actor", default="nobody")
"""Who is acting at this moment. The tasks that an actor makes act in its name."""

Choose = Callable[[int], int]
"""Which of so many goes on."""


class _Waiting(NamedTuple):
    actor: str
    what: str
    turn: asyncio.Future[None]


def _nothing() -> None:
    """Nobody wants to know."""


class Turns:
    """Actors of which one acts at a time. `after` is called when all wait again; `trace` tells who did what."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.after: Callable[[], None] = _nothing
        self.count = 0
        self.trace: list[tuple[str, str]] = []
        self.broken: list[tuple[str, Exception]] = []
        self._waiting: list[_Waiting] = []
        self._acting: dict[str, asyncio.Task[None]] = {}
        self._news: asyncio.Future[None] | None = None

    def start(self, actor: str, work: Coroutine[Any, Any, None]) -> None:
        """One more actor, whose name nobody else has; it begins with its first turn."""
        self._acting[actor] = asyncio.get_running_loop().create_task(self._act(actor, work))

    def is_acting(self, actor: str) -> bool:
        return actor in self._acting

    async def take(self, what: str) -> None:
        """Wait for a turn."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(ACTOR.get(), what, turn))
        self._tell()
        await turn

    async def run(self, most: int | None = None) -> None:
        """Turn after turn until nobody acts any more, or for so many turns."""
        await self._all_wait()
        while self._waiting and most != 0:
            most = None if most is None else most - 1
            self._go_on(self._waiting.pop(self.choose(len(self._waiting))))
            await self._all_wait()
            self.after()

    async def end_all(self) -> None:
        """The process dies here: nobody gets another turn."""
        ended = list(self._acting.values())
        self._waiting.clear()
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    def _go_on(self, one: _Waiting) -> None:
        self.count += 1
        self.trace.append((one.actor, one.what))
        one.turn.set_result(None)

    async def _all_wait(self) -> None:
        while len(self._waiting) < len(self._acting):
            self._news = asyncio.get_running_loop().create_future()
            await self._news

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _act(self, actor: str, work: Coroutine[Any, Any, None]) -> None:
        ACTOR.set(actor)
        try:
            await self.take("begins")
            await work
        except Exception as error:  # noqa: BLE001  whatever an actor meets belongs into the verdict
            self.broken.append((actor, error))
        finally:
            work.close()
            del self._acting[actor]
            self._tell()


class _NoSockets:
    """What a loop waits for where nothing comes from outside."""

    def select(self, timeout: float | None) -> list[Any]:
        if timeout != 0:
            raise RuntimeError("Everybody waits for somebody else.")
        return []


class StillLoop(asyncio.BaseEventLoop):
    """An event loop for whoever waits for each other alone: no sockets, no threads, and its time stands still.

    It costs no system call a turn. Limits on the time of a call never run out in it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._selector = _NoSockets()

    def time(self) -> float:
        return 0.0

    def _process_events(self, events: list[Any]) -> None:
        """None ever comes."""

    def _write_to_self(self) -> None:
        """Nobody else could wake it."""
