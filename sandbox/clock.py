"""The sandbox's own time: it runs with the wall clock, faster, slower, or only by hand."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Time of day in the sandbox. `speed` 1 keeps pace with the wall clock, 0 stands still until `advance`."""

    def __init__(self, start: datetime | None = None, *, speed: float = 1.0) -> None:
        """Start at an aware moment, by default at the real one."""
        self._base = start.timestamp() if start else time.time()
        self._mark = time.monotonic()
        self._speed = speed
        self._jumped = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []

    def time(self) -> float:
        """Seconds since 1970-01-01T00:00Z."""
        return self._base + (time.monotonic() - self._mark) * self._speed

    def now(self) -> datetime:
        """The aware moment, in UTC."""
        return self.moment(self.time())

    @staticmethod
    def moment(seconds: float) -> datetime:
        """The aware moment, in UTC, of seconds since 1970."""
        return datetime.fromtimestamp(seconds, UTC)

    @property
    def speed(self) -> float:
        """Seconds of the sandbox that pass in a second of the wall clock."""
        return self._speed

    @speed.setter
    def speed(self, factor: float) -> None:
        """Go on from the present moment at another pace."""
        if factor < 0:
            raise ValueError("time does not run backwards")
        self._restart(self.time())
        self._speed = factor
        self._jump()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once; whoever sleeps until then wakes up."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self._restart(self.time() + seconds)
        self._jump()

    def on_jump(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each advance and each change of pace."""
        self._listeners.append(listener)

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` of this clock have passed, however they pass."""
        until = self.time() + seconds
        while (remaining := until - self.time()) > 0:
            await self._wait(remaining)

    async def _wait(self, seconds: float) -> None:
        """Wait for a jump, at most as long as `seconds` of this clock take."""
        patience = seconds / self._speed if self._speed else None
        try:
            await asyncio.wait_for(self._jumped.wait(), patience)
        except TimeoutError:
            return

    def _restart(self, moment: float) -> None:
        self._base, self._mark = moment, time.monotonic()

    def _jump(self) -> None:
        self._jumped.set()
        self._jumped = asyncio.Event()
        for listener in self._listeners:
            listener()
