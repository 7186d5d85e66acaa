"""A whole bot in one process, in a whole world on loopback: real Bolt, real SQLite, the sandbox."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import sample
from typing import Any, Literal

from bot.app import Bot, running
from bot.domain.jobs import ENDS, Job, JobState
from bot.ports import JobFilter
from bot.settings import load
from sandbox.services import Service
from sandbox.slack import Outcome, Person
from sandbox.slack.web_api import Call
from sandbox.slack.workspace import Ephemeral, Message
from sandbox.world import DATA, World

CHANNEL = "C0TRAIN001"
ADA, BORA, CHIE, DAN = "U0ADA00001", "U0BORA0001", "U0CHIE0001", "U0DAN00001"
Mode = Literal["socket", "http"]

PATIENCE = 30.0
"""Seconds to wait for what is to come: far more than it takes, for machines that have much else to do."""

REFUSALS_THAT_HAPPEN = frozenset(
    {"not_in_channel", "channel_not_found", "is_archived", "ratelimited", "expired_url", "file_not_found"}
)
"""What Slack may answer to a bot that does everything right; any other refusal is a mistake of the bot."""

FAST = {
    "SWITCHYARD_POLL__MIN_SECONDS": "0.05",
    "SWITCHYARD_POLL__MAX_SECONDS": "0.2",
    "SWITCHYARD_POLL__TICK_SECONDS": "0.05",
    "SWITCHYARD_POLL__SETTLE_SECONDS": "0.3",
    "SWITCHYARD_SLACK__POSTS_PER_SECOND": "1000",
    "SWITCHYARD_SLACK__EDITS_PER_MINUTE": "60000",
    "SWITCHYARD_LIMITS__COMMANDS_PER_MINUTE": "1000",
    "SWITCHYARD_AITEMS__PER_SECOND": "200",
    "SWITCHYARD_SONY__PER_SECOND": "200",
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
    refusals: set[str] = field(default_factory=lambda: set(REFUSALS_THAT_HAPPEN))
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

    def later(self, **by: float) -> None:
        """Let time pass for the bot and for the whole world."""
        self.time.advance(**by)
        self.world.clock.advance(timedelta(**by).total_seconds())

    def person(self, name: str) -> Person:
        return self.world.slack.person(name)

    async def type(self, line: str, who: str = "ada", channel: str = CHANNEL) -> str:
        """Type a command; the words that its acknowledgement brought."""
        outcome = await self.person(who).command(line, channel)
        assert outcome.ok, outcome
        return text_of(outcome)

    async def job(self, fits: Callable[[Job], bool] = lambda job: True, *, timeout: float = PATIENCE) -> Job:
        """The newest job that fits, as soon as there is one."""
        found: list[Job] = []

        async def is_there() -> bool:
            found[:] = [job for job in await self.jobs() if fits(job)]
            return bool(found)

        try:
            await until(is_there, timeout)
        except TimeoutError:
            raise AssertionError(f"no job came to it: {await self.states()}") from None
        return found[0]

    async def reaches(self, *states: JobState, timeout: float = PATIENCE) -> Job:
        """The newest job in one of these states, as soon as there is one; and its messages are out."""
        job = await self.job(lambda one: one.state in states, timeout=timeout)
        await self.quiet()
        return job

    async def all_reach(self, *states: JobState, timeout: float = PATIENCE) -> None:
        """Wait until every job is in one of these states, and its messages are out."""

        async def have() -> bool:
            return all(job.state in states for job in await self.jobs())

        try:
            await until(have, timeout)
        except TimeoutError:
            raise AssertionError(f"not all came to {states}: {await self.states()}") from None
        await self.quiet()

    async def all_ended(self) -> None:
        """Wait until every job has ended; also one that may still be seen serving."""
        await self.all_reach(*ENDS)

    async def jobs(self) -> list[Job]:
        """Newest first."""
        return await self.bot.deps.store.jobs(JobFilter(), limit=100)

    async def states(self) -> list[tuple[str, str, str]]:
        return [(job.id, job.state.value, job.look.error) for job in await self.jobs()]

    async def quiet(self, timeout: float = PATIENCE) -> None:
        """Wait until everything that was to be told has been told."""
        await until(self._is_quiet, timeout)

    async def _is_quiet(self) -> bool:
        sql = """SELECT count(*) FROM notices AS n WHERE state = 'pending' AND NOT EXISTS (
                 SELECT 1 FROM notices AS o WHERE o.lane = n.lane AND o.number < n.number AND o.state = 'held')"""
        [(count,)] = await self.rows(sql)
        return not count

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What stands in the database."""
        store: Any = self.bot.deps.store
        found: list[tuple[Any, ...]] = await store._read(lambda db: db.execute(sql).fetchall())
        return found

    async def prompt(
        self, fits: Callable[[Message], bool] = lambda message: True, *, channel: str = CHANNEL
    ) -> Message:
        """The newest message that asks something by its buttons and fits, as it stands."""
        await self.quiet()
        slack = self.world.slack
        return await slack.wait_for_message(channel, lambda one: bool(deeds_of(one)) and fits(one), timeout=PATIENCE)

    async def asked(self, part: str, about: str = "", *, after: Message | None = None) -> Message:
        """The prompt with buttons that shows this, and the job that it is about; one that came `after` another."""
        earliest = after.ts if after else ""
        return await self.prompt(lambda one: part in shown(one) and about in shown(one) and one.ts > earliest)

    def thread(self, channel: str = CHANNEL) -> list[str]:
        """The texts of all thread lines, oldest first."""
        return [one.text for one in self.world.slack.messages(channel) if one.thread_ts and one.thread_ts != one.ts]

    def cards(self, channel: str = CHANNEL) -> list[Message]:
        return [one for one in self.world.slack.messages(channel) if not one.thread_ts or one.thread_ts == one.ts]

    async def told(self, who: str, part: str) -> Ephemeral:
        """The message that only this person sees and that holds `part`."""
        return await self.world.slack.wait_for_ephemeral(who, lambda one: part in shown(one), timeout=PATIENCE)

    async def ask(self, line: str, who: str = "ada", channel: str = CHANNEL) -> Ephemeral:
        """Type a command; the whole message that acknowledged it, with its buttons."""
        return await self._answer_to(who, self.type(line, who, channel))

    async def press(self, message: Message | Ephemeral, label: str, who: str) -> Ephemeral:
        """Press a button; the message that only the one who pressed sees because of it."""
        return await self._answer_to(who, self._press(message, label, who))

    async def _press(self, message: Message | Ephemeral, label: str, who: str) -> None:
        if isinstance(message, Message) and label not in labels_of(message):
            message = await self._with_the_button(message, label)
        outcome = await self.person(who).click(message, button(message, label))
        assert outcome.ok, outcome

    async def _with_the_button(self, message: Message, label: str) -> Message:
        """The message once an edit has brought the button: edits are paced, and come after what is posted."""
        return await self.world.slack.wait_for_message(
            message.channel, lambda one: one.ts == message.ts and label in labels_of(one), timeout=PATIENCE
        )

    async def _answer_to(self, who: str, deed: Any) -> Ephemeral:
        seen = {one.id for one in self.world.slack.ephemerals(who)}
        await deed
        return await self.world.slack.wait_for_ephemeral(who, lambda one: one.id not in seen, timeout=PATIENCE)

    async def reject(self, prompt: Message, who: str, reason: str) -> Outcome:
        """Press Reject, fill in the form that opens, and send it."""
        await self._press(prompt, "Reject", who)
        person = self.person(who)
        await self.world.slack.wait_for(lambda: person.view, timeout=PATIENCE, what="the form to open")
        assert person.view is not None
        return await person.submit(person.view, {"reason": {"reason": {"type": "plain_text_input", "value": reason}}})

    async def changed(self, message: Message, part: str) -> Message:
        """The message as it stands once it shows `part`."""
        return await self.world.slack.wait_for_message(
            message.channel, lambda one: one.ts == message.ts and part in shown(one), timeout=PATIENCE
        )

    async def looked(self, service: Service, count: int = 3, method: str = "", path: str = "") -> None:
        """Wait until the service was asked so many times more: whatever was to move has moved by then."""

        def asked() -> int:
            return sum(method in one.method and path in one.path for one in service.requests)

        enough = asked() + count

        async def are_enough() -> bool:
            return asked() >= enough

        await until(are_enough)

    def starts(self) -> int:
        """How many trainings were started, at all services together."""
        return sum(len(service.starts) for service in self.world.services.all)

    def switches(self) -> int:
        return sum(len(service.switches) for service in self.world.services.all)

    def check(self) -> None:
        """What holds in every world: Slack refused nothing that was said, and nothing was said twice."""
        refused = [call for call in self.world.slack.calls if _is_refused(call, self.refusals)]
        assert not refused, refused
        ids = Counter(_notice(one) for place in self.world.slack.workspace.messages.values() for one in place.values())
        del ids[None]
        assert not [id_ for id_, count in ids.items() if count > 1], "something was posted twice"


async def until(holds: Callable[[], Awaitable[bool]], timeout: float = PATIENCE) -> None:
    """Ask again and again, until it holds: what is asked here is asked as an operator would, and calls nobody back."""
    async with asyncio.timeout(timeout):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def _is_refused(call: Call, known: set[str]) -> bool:
    return call.dropped is None and call.error is not None and call.error not in known


def _notice(message: Message) -> str | None:
    """What a message may be once: the notice that its metadata name; a file has no metadata, but an id of its own."""
    payload = (message.metadata or {}).get("event_payload") or {}
    return payload.get("id") or (f"file {message.files[0]['id']}" if message.files and message.bot_id else None)


@contextmanager
def unbroken() -> Iterator[None]:
    """Fail where a handler or a step met something that nobody had thought of."""
    met: list[str] = []

    class Record(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            met.append(f"{record.getMessage()}: {record.exc_info[1] if record.exc_info else ''!r}")

    record, watched = Record(logging.ERROR), [logging.getLogger(name) for name in ("bot.poller", "handlers.guard")]
    for logger in watched:
        logger.addHandler(record)
    try:
        yield
        assert not met, met
    finally:
        for logger in watched:
            logger.removeHandler(record)


def data_folder(folder: Path, **files: str | bytes) -> Path:
    """The sandbox's data folder and some files more; `my_model__jsonl` is `my-model.jsonl`."""
    data = folder / "data"
    shutil.copytree(DATA, data)
    for name, content in files.items():
        path = data / name.replace("__", ".").replace("_", "-")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return data


def text_of(outcome: Outcome) -> str:
    return str((outcome.response or {}).get("text", ""))


def shown(message: Message | Ephemeral) -> str:
    """Everything that can be read of a message."""
    return "\n".join([message.text, *_texts(message.blocks or [])])


def _row(cells: Sequence[Any]) -> str:
    """A line of a table, with persons as they are marked elsewhere."""
    runs = [cell["elements"][0]["elements"] if "elements" in cell else [cell] for cell in cells]
    return " ".join("".join(one.get("text") or f"<@{one.get('user_id')}>" for one in cell) for cell in runs)


def _texts(blocks: Sequence[Any]) -> list[str]:
    found: list[str] = []
    for block in blocks:
        if isinstance(block, dict):
            text = block.get("text")
            found += [text] if isinstance(text, str) else _texts([text] if text else [])
            found += map(_row, block.get("rows") or ())
            for key in ("fields", "elements"):
                found += _texts(block.get(key) or [])
    return found


def buttons_of(message: Message | Ephemeral) -> list[dict[str, Any]]:
    actions = [block for block in message.blocks or [] if block["type"] == "actions"]
    return [element for block in actions for element in block["elements"] if element["type"] == "button"]


def deeds_of(message: Message) -> list[dict[str, Any]]:
    """The buttons that not every card has."""
    return [one for one in buttons_of(message) if one["action_id"] not in {"again", "as_command", "labels", "story"}]


def button(message: Message | Ephemeral, label: str) -> str:
    """The action id of a button by what stands on it."""
    labels = labels_of(message)
    assert label in labels, f"no button {label!r} in {sorted(labels)}"
    return labels[label]


def labels_of(message: Message | Ephemeral) -> dict[str, str]:
    """What stands on the buttons, and their action ids."""
    return {element["text"]["text"]: element["action_id"] for element in buttons_of(message)}


def with_button(message: Message, action: str, value: str) -> Message:
    """The message as it may have looked once, or elsewhere: with one button, `Press`."""
    text = {"type": "plain_text", "text": "Press"}
    element = {"type": "button", "text": text, "action_id": action, "value": value}
    return replace(message, blocks=({"type": "actions", "block_id": "old", "elements": [element]},))


def free_port() -> int:
    """A port that nobody listens on, below those that connections to elsewhere are given: it is bound later."""
    for port in sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a hundred ports are taken")


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
        with unbroken():
            await made.start()
            try:
                yield made
            finally:
                await made.stop()
            made.check()
