"""A world, a bot as a process in it with wires in between, and the people of one story."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from sqlite_utils.utils import sqlite3

from sandbox.slack import Slack
from sandbox.slack.workspace import Ephemeral, Message
from sandbox.world import World
from tests.flows.lab import FAST, buttons_of
from tests.proof.conductor import Conductor
from tests.proof.launcher import AHEAD, CONTROL, JUMP, WRONG
from tests.proof.wires import Address, Wires

ROOT = Path(__file__).parents[2]
ACK_SECONDS = 1.0
CANCEL_TAKES = 1.0
PATIENCE = 45.0
"""Seconds for a story that takes two: on a machine with much else to do, slow is not lost."""
SEEN_EVERY = 0.04
Mode = Literal["socket", "http"]
PACE = {**FAST, "SWITCHYARD_POLL__TICK_SECONDS": "0.1", "SWITCHYARD_LOG__LEVEL": "warning"}


class BotEndedError(AssertionError):
    """A bot ended without having been killed."""


class Starter(Protocol):
    """Starts bots."""

    def launch(self, environ: Mapping[str, str], folder: Path) -> int:
        """A bot's process id; what it says goes to `bot.log` in the folder."""

    def reap(self, pid: int) -> int | None:
        """How a process has ended, -9 for signal 9; None while it runs."""


class PlainStarter:
    """Starts bots as anybody would: nothing of theirs is watched but what goes over the wires."""

    def __init__(self) -> None:
        self._bots: dict[int, subprocess.Popen[bytes]] = {}

    def launch(self, environ: Mapping[str, str], folder: Path) -> int:
        command = [sys.executable, "-m", "bot", "run"]
        with (folder / "bot.log").open("ab") as log:
            bot = subprocess.Popen(command, cwd=ROOT, env=dict(environ), stdout=log, stderr=log)
        self._bots[bot.pid] = bot
        return bot.pid

    def reap(self, pid: int) -> int | None:
        return self._bots[pid].poll()


class Launcher:
    """Forks bots; see tests.proof.launcher. One serves a whole session of tests.

    `within` is a command that runs another one in surroundings of its own; `environ` is added to the environment.
    """

    def __init__(self, *within: str, **environ: str) -> None:
        self._process = subprocess.Popen(
            [*within, sys.executable, "-m", "tests.proof.launcher"],
            cwd=ROOT,
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def launch(self, environ: Mapping[str, str], folder: Path) -> int:
        wish = {"environ": dict(environ), "folder": str(folder), "log": str(folder / "bot.log")}
        return self._ask({"launch": wish})["pid"] or 0

    def reap(self, pid: int) -> int | None:
        return self._ask({"reap": pid})["status"]

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, wish: Mapping[str, Any]) -> dict[str, int | None]:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the launcher has no pipes")
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        answer: dict[str, int | None] = json.loads(self._process.stdout.readline())
        return answer


@dataclass(slots=True)
class Kept:
    """The bot's database, read from outside."""

    path: Path

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Nothing where there is no database yet."""
        with self._open() as db:
            if db is None:
                return []
            try:
                cursor = db.execute(sql, values)
            except sqlite3.OperationalError as error:
                if "no such column" in str(error):
                    raise  # a question that would be answered with nothing for ever
                return []  # not migrated yet, or being recovered
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @contextmanager
    def _open(self) -> Any:
        if not self.path.exists():
            yield None
            return
        db = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            yield db
        finally:
            db.close()

    def jobs(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM jobs ORDER BY created_at, id")

    def state(self) -> str:
        """The state of the newest job; "" where there is none."""
        return next((str(job["state"]) for job in reversed(self.jobs())), "")

    def collects(self) -> bool:
        """Is a result still to be fetched, of which people are told?"""
        return bool(self.rows("SELECT 1 FROM jobs WHERE state = 'offered' AND act_at IS NOT NULL"))

    def waiting(self) -> int:
        """How many messages are on their way; where that cannot be read there may be one."""
        [count] = self.rows("SELECT count(*) AS n FROM notices WHERE state = 'pending'") or [{"n": 1}]
        return int(count["n"])


@dataclass(slots=True)
class Stage:
    """Everything that one story needs. The bot is started again whenever it is gone, until the curtain.

    The bot's clock goes wrong by so many seconds from its start on, until somebody sets it right.
    """

    folder: Path
    launcher: Starter
    world: World
    wires: Wires
    conductor: Conductor
    environ: dict[str, str]
    kept: Kept
    deaths: list[int] = field(default_factory=list)
    ahead: float = 0.0
    wrong: float = 0.0
    _is_over: bool = False

    async def play(self, story: Coroutine[Any, Any, None]) -> None:
        """The story with a bot that is started again by its keeper. Raises BotEndedError, and what the story raises."""
        keeper = asyncio.create_task(self._keep())
        tale = asyncio.create_task(story)
        try:
            await asyncio.wait([keeper, tale], return_when=asyncio.FIRST_COMPLETED)
            if keeper.done():
                await keeper
            await tale
        finally:
            tale.cancel()
            self.end()
            await asyncio.gather(keeper, tale, return_exceptions=True)

    def end(self) -> None:
        """The curtain: the bot does nothing more, and none is started again."""
        self._is_over = True
        self._kill()

    async def _keep(self) -> None:
        """What systemd or Kubernetes would do. A bot that ends by itself is not started again: that is a finding."""
        while not self._is_over:
            environ = {**self.environ, AHEAD: str(self.ahead), WRONG: str(self.wrong)}
            self.conductor.pid = self.launcher.launch(environ, self.folder)
            status = await self._ended()
            self.deaths.append(status)
            if status != -signal.SIGKILL:
                raise BotEndedError(f"the bot ended by itself ({status}):\n{self.log()[-4000:]}")

    async def _ended(self) -> int:
        while (status := self.launcher.reap(self.conductor.pid)) is None:  # noqa: ASYNC110  it is no child of ours
            await asyncio.sleep(SEEN_EVERY)
        return status

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.conductor.pid, signal.SIGKILL)

    def log(self) -> str:
        path = self.folder / "bot.log"
        return path.read_text() if path.exists() else ""

    # -- time and people ---------------------------------------------------------------------------------------------

    def let_time_pass(self) -> None:
        """Half an hour and a minute, for everybody."""
        self.ahead += JUMP.total_seconds()
        self.world.clock.advance(JUMP.total_seconds())
        with suppress(ProcessLookupError):  # the next bot begins with the time as it is
            os.kill(self.conductor.pid, signal.SIGUSR1)

    def set_the_clock(self) -> None:
        """The bot's clock is right from now on."""
        self.wrong = 0.0
        os.kill(self.conductor.pid, signal.SIGUSR2)

    async def connected(self) -> None:
        await self.world.slack.wait_until_connected(PATIENCE)

    def shown(self) -> list[Message]:
        """Every message of the bot, in every conversation."""
        slack = self.world.slack
        bot = slack.workspace.app.user_id
        return [one for channel in slack.workspace.channels for one in slack.messages(channel) if one.user == bot]

    def exports(self) -> list[dict[str, Any]]:
        """The wishes for an export that are kept."""
        return self.kept.rows("SELECT * FROM notices WHERE kind = 'export'")

    def schedules(self) -> list[dict[str, Any]]:
        """The recurring trainings that are kept."""
        return self.kept.rows("SELECT *, schedule ->> 'runs' AS runs, schedule ->> 'last_job' AS last FROM schedules")

    def direct(self, who: str) -> list[Message]:
        """What stands in somebody's direct message with the bot."""
        return self.world.slack.messages(self.world.slack.person(who).dm().id)

    def whispers(self) -> list[Ephemeral]:
        return list(self.world.slack.workspace.ephemerals.values())


def labels(message: Message | Ephemeral) -> dict[str, str]:
    """What stands on the buttons of a message, with their action ids."""
    return {element["text"]["text"]: str(element["action_id"]) for element in buttons_of(message)}


@asynccontextmanager
async def stage(
    folder: Path,
    launcher: Starter,
    conductor: Conductor,
    *,
    mode: Mode = "socket",
    training_seconds: float = 0.4,
    slack_at: Address | None = None,
    services_at: Address | None = None,
) -> AsyncIterator[Stage]:
    """A world with wires around it; no bot runs yet. `slack_at` and `services_at` are how the bot calls them."""
    wires = Wires(conductor)
    await wires.open()
    await conductor.open()
    reserved = _reserve()
    port = reserved.getsockname()[1]
    events_url = f"{await wires.lay('bot', f'http://127.0.0.1:{port}')}/slack/events"
    world = _world(mode, events_url, training_seconds)
    try:
        async with world:
            environ = await _through(wires, world, slack_at, services_at)
            if mode == "http":
                environ["SWITCHYARD_HTTP__PORT"] = str(port)
            environ |= {CONTROL: conductor.address, **_own_corner(folder)}
            kept = Kept(folder / "switchyard.db")
            yield Stage(folder, launcher, world, wires, conductor, environ, kept)
    finally:
        await wires.close()
        await conductor.close()
        reserved.close()


def _reserve() -> socket.socket:
    """A port that stays ours while the bot behind it comes and goes: bound, it is given to nobody else."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


def _world(mode: Mode, events_url: str, training_seconds: float) -> World:
    world = World(mode=mode, events_url=events_url, training_seconds=training_seconds, limits="off")
    # A person whose bot died is told so after a second here, after three at Slack.
    world.slack = Slack(
        mode=mode,
        events_url=events_url,
        clock=world.clock,
        limits="off",
        services=world.services,
        manifest=world.slack.manifest,
        ack_seconds=ACK_SECONDS,
    )
    # However long a training takes, one that is cancelled ends soon.
    decthings = world.services.decthings
    decthings.cancel_share = min(decthings.cancel_share, CANCEL_TAKES / training_seconds)
    _seed_secrets(world)
    return world


def _seed_secrets(world: World) -> None:
    """Some that look different in an address, in JSON and in base64: see tests.proof.leaks."""
    world.services.sestek.client_secret = 'canary+sestek/"secret"=1'
    world.services.aitems.secret_key = "canary+aitems/secret==2"


async def _through(wires: Wires, world: World, slack_at: Address | None, services_at: Address | None) -> dict[str, str]:
    """The bot's environment, in which every address leads through a wire."""
    ways = {world.slack.base_url: await wires.lay("slack", world.slack.base_url, slack_at)}
    world.slack.lab.base_url = ways[world.slack.base_url]
    for service in world.services.all:
        for number, listener in enumerate(service._listeners):
            name = service.name if number == 0 else f"{service.name}'s other host"
            ways[listener.url] = await wires.lay(name, listener.url, services_at)
    environ = {**_plain_environment(), **world.environment(), **PACE}
    for origin, way in ways.items():
        environ = {key: value.replace(origin, way) for key, value in environ.items()}
    return environ


def _own_corner(folder: Path) -> dict[str, str]:
    """A database, and an empty configuration file, so that nobody else's is read."""
    config = folder / "switchyard.toml"
    config.touch()
    return {"SWITCHYARD_CONFIG": str(config), "SWITCHYARD_DATABASE_URL": f"sqlite:///{folder / 'switchyard.db'}"}


def _plain_environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "TZ", "VIRTUAL_ENV", "TMPDIR")
    return {key: os.environ[key] for key in kept if key in os.environ}
