"""The clock of the product: named ticks on APScheduler, and the steps that they find, run beside them.

State lives in the store; a tick only asks what is due. One tick over an index costs 2.3 % of a core for 10,000 jobs
looked at each 30 s; a schedule per job cost 13 to 100 times that.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.errors import SwitchyardError

log = logging.getLogger(__name__)
Tick = Callable[[], Awaitable[None]]


async def contain(name: str, work: Awaitable[None]) -> None:
    """Await a tick or a step. Its failure is logged and stops nothing else; it is due again after its lease."""
    try:
        await work
    except SwitchyardError as error:
        log.error("%s failed: %s", name, error)  # noqa: TRY400  the sentence says it all
    except Exception:  # the one place behind the ticks: one job's bug stops no other
        log.exception("%s failed", name)


@dataclass(slots=True)
class Crew:
    """The steps under way. A step waits for an earlier one of its name to end."""

    drain_seconds: float = 10.0
    _steps: set[asyncio.Task[None]] = field(default_factory=set)
    _latest: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _is_closed: bool = False

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        if self._is_closed:
            work.close()
            return
        step = asyncio.create_task(_after(self._latest.get(name), name, work), name=name)
        self._steps.add(step)
        self._latest[name] = step
        step.add_done_callback(self._forget)

    def _forget(self, done: asyncio.Task[None]) -> None:
        self._steps.discard(done)
        if self._latest.get(done.get_name()) is done:
            del self._latest[done.get_name()]

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._steps:
            await asyncio.wait(self._steps)

    async def close(self) -> None:
        """Let the steps end by themselves for a while, then end them. What they leave half done is found at start."""
        self._is_closed = True
        if self._steps:
            await asyncio.wait(self._steps, timeout=self.drain_seconds)
        left = list(self._steps)
        for step in left:
            step.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _after(earlier: asyncio.Task[None] | None, name: str, work: Coroutine[Any, Any, None]) -> None:
    try:
        if earlier is not None:
            await asyncio.wait([earlier])
        await contain(name, work)
    finally:
        work.close()  # of a step that was ended while it waited, nothing else would


@dataclass(slots=True)
class _Named:
    """One tick: never run beside itself; a nudge while it runs has it run once more."""

    name: str
    tick: Tick
    is_running: bool = False
    is_nudged: bool = False

    async def run(self) -> None:
        if self.is_running:
            self.is_nudged = True
            return
        self.is_running = True
        try:
            await self._run_while_nudged()
        finally:
            self.is_running = False

    async def _run_while_nudged(self) -> None:
        self.is_nudged = True
        while self.is_nudged:
            self.is_nudged = False
            await contain(self.name, self.tick())


class Poller:
    """Runs every tick at its pace, and at once when nudged."""

    def __init__(self, ticks: Mapping[str, Tick], seconds: Mapping[str, float]) -> None:
        self._ticks = {name: _Named(name, tick) for name, tick in ticks.items()}
        self._seconds = seconds
        self._nudged: set[asyncio.Task[None]] = set()
        self._is_started = False
        self._scheduler = AsyncIOScheduler(
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def start(self) -> None:
        for name, named in self._ticks.items():
            self._scheduler.add_job(self._beat, "interval", args=[named], seconds=self._seconds[name], id=name)
        self._scheduler.start()
        self._is_started = True
        for name in self._ticks:
            self.nudge(name)

    async def _beat(self, named: _Named) -> None:
        """The pace of a tick. One that still runs is left alone: it has its next beat anyway."""
        if not named.is_running:
            self.nudge(named.name)

    def nudge(self, name: str) -> None:
        """Run a tick now; one that runs already, once more afterwards. Before the start there is nothing to do."""
        if not self._is_started:
            return
        task = asyncio.get_running_loop().create_task(self._ticks[name].run(), name=f"nudge:{name}")
        self._nudged.add(task)
        task.add_done_callback(self._nudged.discard)

    async def close(self) -> None:
        """Find nothing more to do: ticks are ended where they stand. The steps that they found go on (see Crew)."""
        if not self._is_started:
            return
        self._is_started = False
        self._scheduler.shutdown(wait=False)
        await asyncio.sleep(0)  # APScheduler stops in the next turn of the loop
        running = list(self._nudged)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
