"""The five training services as loopback servers, with their traps and with switches for faults.

services = Services(Clock())
await services.start()
services.sony.fail_next("reset", path_contains="update_model", after_work=True)
"""

import asyncio
from collections.abc import Callable
from typing import Any

from sandbox.clock import Clock
from sandbox.services.aitems import AiTems
from sandbox.services.decthings import Decthings
from sandbox.services.deepopinion import DeepOpinion
from sandbox.services.service import Json, Service
from sandbox.services.sestek import Sestek
from sandbox.services.sony import Sony

__all__ = ["AiTems", "Decthings", "DeepOpinion", "Service", "Services", "Sestek", "Sony"]

LOOK_SECONDS = 0.5


class Services:
    """All five, started and stopped together; time that passes is told to the watchers every half second."""

    def __init__(self, clock: Clock, host: str = "127.0.0.1", training_seconds: float = 20.0) -> None:
        """Nothing listens before `start`."""
        self.sestek = Sestek(clock, host=host, training_seconds=training_seconds)
        self.deepopinion = DeepOpinion(clock, host=host, training_seconds=training_seconds)
        self.decthings = Decthings(clock, host=host, training_seconds=training_seconds)
        self.aitems = AiTems(clock, host=host, training_seconds=training_seconds)
        self.sony = Sony(clock, host=host, training_seconds=training_seconds)
        self._ticker: asyncio.Task[None] | None = None
        clock.on_jump(self._tell)

    @property
    def all(self) -> tuple[Service, ...]:
        """The five, in the order of the page."""
        return (self.sestek, self.deepopinion, self.decthings, self.aitems, self.sony)

    async def start(self) -> None:
        """Listen on a free port each."""
        for service in self.all:
            await service.start()
        self._ticker = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Close everything."""
        if self._ticker:
            self._ticker.cancel()
            await asyncio.wait([self._ticker])
        for service in self.all:
            await service.stop()

    def environment(self) -> dict[str, str]:
        """The bot's variables for all five."""
        return {key: value for service in self.all for key, value in service.environment().items()}

    def snapshot(self) -> list[Json]:
        """The five as the page shows them.

        Each has `name`, `title`, `base_url`, `switches` {outage, slow, rate_limited, unauthorized}, `trainings`
        [{id, label, status, progress 0..1 or None, facts, actions}], `live` [{id, label, facts}], `actions` [names].
        """
        return [service.snapshot() for service in self.all]

    def act(self, service: str, action: str, **params: Any) -> Json:
        """Carry out an act on a service by name; the reply has `ok`, and where that is false `error` and `message`."""
        for known in self.all:
            if known.name == service:
                return known.act(action, **params)
        return {"ok": False, "error": "refused", "message": f"no service is called {service!r}"}

    def on_change(self, callback: Callable[[Json], None]) -> None:
        """Call `callback` with a service's snapshot whenever something changed there."""
        for service in self.all:
            service.watch(callback)

    def _tell(self) -> None:
        for service in self.all:
            service.tell()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._tell()
