"""The whole outside world on loopback: a Slack with its page, and the five services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sandbox.clock import Clock
from sandbox.services import Services
from sandbox.slack import Slack, places

DATA = Path(__file__).parent / "data"
EVENTS_URL = "http://127.0.0.1:3000/slack/events"


class World:
    """Start it with `async with World(port=0) as world:`; port 0 takes a free one.

    `page` is the page's address, `environment()` every variable that the bot needs to live in this world.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        mode: Literal["socket", "http"] = "socket",
        events_url: str = EVENTS_URL,
        data_folder: Path | str = DATA,
        training_seconds: float = 20.0,
        clock: Clock | None = None,
        limits: Literal["slack", "off"] = "slack",
    ) -> None:
        """`limits` "off" lets a test post as fast as it can."""
        self.clock = clock or Clock()
        self.data_folder = Path(data_folder).resolve()
        self.services = Services(clock=self.clock, host=host, training_seconds=training_seconds)
        self.slack = Slack(
            host=host,
            port=port,
            mode=mode,
            events_url=events_url,
            clock=self.clock,
            limits=limits,
            services=self.services,
        )

    async def __aenter__(self) -> World:
        await self.services.start()
        try:
            await self.slack.start()
        except BaseException:
            await self.services.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.slack.stop()
        await self.services.stop()

    @property
    def page(self) -> str:
        return f"{self.slack.base_url}/"

    def environment(self) -> dict[str, str]:
        return {
            **self.slack.environment(),
            **self._listener(),
            "SWITCHYARD_DATA__FOLDER": str(self.data_folder),
            "SWITCHYARD_APPROVALS__APPROVERS": json.dumps(list(places.APPROVERS)),
            "SWITCHYARD_POLL__MIN_SECONDS": "1",
            "SWITCHYARD_POLL__MAX_SECONDS": "5",
            **self.services.environment(),
        }

    def _listener(self) -> dict[str, str]:
        """In HTTP mode the bot listens where Slack calls."""
        if self.slack.mode == "socket":
            return {}
        url = urlsplit(self.slack.events_url)
        return {"SWITCHYARD_HTTP__HOST": url.hostname or "127.0.0.1", "SWITCHYARD_HTTP__PORT": str(url.port or 80)}


def commands() -> list[str]:
    """A few lines to paste into the composer."""
    return [
        "/train help",
        "/train sestek my-model en-US",
        "/train sony churn data=churn.csv",
        "/status aitems svcmovies01 pop v0pop000001",
        "/jobs",
    ]
