"""A whole bot in one process, in a whole world on loopback: real Bolt, real SQLite, the sandbox."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from bot.app import Bot, running
from bot.domain.jobs import Job, JobState
from bot.ports import JobFilter
from bot.settings import load
from sandbox.slack import Outcome, Person
from sandbox.slack.workspace import Ephemeral, Message
from sandbox.world import World

CHANNEL = "C0TRAIN001"
ADA, BORA, CHIE, DAN = "U0ADA00001", "U0BORA0001", "U0CHIE0001", "U0DAN00001"
Mode = Literal["socket", "http"]

FAST = {
    "SWITCHYARD_POLL__MIN_SECONDS": "0.05",
    "SWITCHYARD_POLL__MAX_SECONDS": "0.2",
    "SWITCHYARD_POLL__TICK_SECONDS": "0.05",
    "SWITCHYARD_POLL__SETTLE_SECONDS": "0.3",
    "SWITCHYARD_SLACK__POSTS_PER_SECOND": "1000",
    "SWITCHYARD_AITEMS__PER_SECOND": "200",
}


@dataclass
class Time:
    """The bot's clock: real time, moved on by hand."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, **by: float) -> None:
        self.ahead += timedelta(**by)


@dataclass
class Lab:
    """The world and the bot in it. `restart` ends the bot and starts it anew on the same database."""

    world: World
    environ: dict[str, str]
    time: Time = field(default_factory=Time)
    bot: Bot = field(init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> None:
        self._stack = AsyncExitStack()
        self.bot = await self._stack.enter_async_context(running(load(self.environ), now=self.time.now))
        if self.world.slack.mode == "socket":
            await self.world.slack.wait_until_connected()

    async def stop(self) -> None:
        await self._stack.aclose()

    async def restart(self, **environ: str) -> None:
        await self.stop()
        self.environ |= environ
        await self.start()

    def person(self, name: str) -> Person:
        return self.world.slack.person(name)

    async def type(self, line: str, who: str = "ada", channel: str = CHANNEL) -> str:
        """Type a command; the words that its acknowledgement brought."""
        outcome = await self.person(who).command(line, channel)
        assert outcome.ok, outcome
        return text_of(outcome)

    async def job(self, fits: Callable[[Job], bool] = lambda job: True, *, timeout: float = 10.0) -> Job:
        """The newest job that fits, as soon as there is one."""
        async with asyncio.timeout(timeout):
            while True:
                for job in await self.bot.deps.store.jobs(JobFilter(), limit=100):
                    if fits(job):
                        return job
                await asyncio.sleep(0.02)

    async def reaches(self, *states: JobState, timeout: float = 10.0) -> Job:
        """The newest job in one of these states, as soon as there is one; and its messages are out."""
        try:
            job = await self.job(lambda one: one.state in states, timeout=timeout)
        except TimeoutError:
            raise AssertionError(f"no job came to {states}: {await self.states()}") from None
        await self.quiet()
        return job

    async def states(self) -> list[tuple[str, str, str]]:
        jobs = await self.bot.deps.store.jobs(JobFilter(), limit=100)
        return [(job.id, job.state.value, job.look.error) for job in jobs]

    async def quiet(self, timeout: float = 10.0) -> None:
        """Wait until everything that was to be told has been told."""
        async with asyncio.timeout(timeout):
            while await self._waiting():  # noqa: ASYNC110  the outbox is asked, as an operator would ask it
                await asyncio.sleep(0.02)

    async def _waiting(self) -> int:
        store: Any = self.bot.deps.store
        sql = "SELECT count(*) FROM notices WHERE state = 'pending'"
        count: int = await store._read(lambda db: db.execute(sql).fetchone()[0])
        return count

    async def prompt(
        self, fits: Callable[[Message], bool] = lambda message: True, *, channel: str = CHANNEL
    ) -> Message:
        """The newest message with buttons that fits, as it stands."""
        await self.quiet()
        slack = self.world.slack
        return await slack.wait_for_message(channel, lambda one: bool(buttons_of(one)) and fits(one), timeout=10)

    def thread(self, channel: str = CHANNEL) -> list[str]:
        """The texts of all thread lines, oldest first."""
        return [one.text for one in self.world.slack.messages(channel) if one.thread_ts and one.thread_ts != one.ts]

    def cards(self, channel: str = CHANNEL) -> list[Message]:
        return [one for one in self.world.slack.messages(channel) if not one.thread_ts or one.thread_ts == one.ts]

    async def told(self, who: str, part: str) -> Ephemeral:
        """The message that only this person sees and that holds `part`."""
        return await self.world.slack.wait_for_ephemeral(who, lambda one: part in shown(one), timeout=10)


def text_of(outcome: Outcome) -> str:
    return str((outcome.response or {}).get("text", ""))


def shown(message: Message | Ephemeral) -> str:
    """Everything that can be read of a message."""
    return "\n".join([message.text, *_texts(message.blocks or [])])


def _texts(blocks: Sequence[Any]) -> list[str]:
    found: list[str] = []
    for block in blocks:
        if isinstance(block, dict):
            text = block.get("text")
            found += [text] if isinstance(text, str) else _texts([text] if text else [])
            for key in ("fields", "elements"):
                found += _texts(block.get(key) or [])
    return found


def buttons_of(message: Message | Ephemeral) -> list[dict[str, Any]]:
    actions = [block for block in message.blocks or [] if block["type"] == "actions"]
    return [element for block in actions for element in block["elements"] if element["type"] == "button"]


def button(message: Message | Ephemeral, label: str) -> str:
    """The action id of a button by what stands on it."""
    labels = {element["text"]["text"]: element["action_id"] for element in buttons_of(message)}
    assert label in labels, f"no button {label!r} in {sorted(labels)}"
    return str(labels[label])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def lab(
    folder: Path, *, mode: Mode = "socket", training_seconds: float = 0.3, data: Path | None = None, **environ: str
) -> AsyncIterator[Lab]:
    """A world and a bot in it, with a pace at which nobody has to wait. `environ` are further settings."""
    events_url = f"http://127.0.0.1:{free_port()}/slack/events"
    options: dict[str, Any] = {"data_folder": data} if data else {}
    async with World(
        mode=mode, events_url=events_url, training_seconds=training_seconds, limits="off", **options
    ) as world:
        database = {"SWITCHYARD_DATABASE_URL": f"sqlite:///{folder / 'switchyard.db'}"}
        made = Lab(world=world, environ={**world.environment(), **FAST, **database, **environ})
        await made.start()
        try:
            yield made
        finally:
            await made.stop()
