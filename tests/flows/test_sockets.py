"""The whole bot in Socket Mode, while its connections are warned, refreshed, cut, silenced and refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.app import Bot, running
from bot.domain.jobs import JobState
from bot.errors import ConfigurationError
from bot.health_page import Vitals, serving
from bot.ports import JobFilter
from bot.settings import load
from sandbox.slack.socket_mode import Connection, SocketMode
from sandbox.world import World
from storage.sqlite import connect
from tests.flows.lab import Lab, Mode, lab

OPEN = "apps.connections.open"
SILENCE = "3"
"""Seconds. A machine that has much else to do may keep everybody waiting for one of them."""
COMMANDS = (
    "/train sestek my-model en-US",
    "/train sony churn data=churn.csv",
    "/train deepopinion 1 reviews-2026 language=en sessions=1,2",
    "/train aitems svcmovies01 pop",
)


def connections(here: Lab) -> list[Connection]:
    transport = here.world.slack.transport
    assert isinstance(transport, SocketMode)
    return transport.connections


def opens(here: Lab) -> int:
    return len(here.world.slack.calls_of(OPEN))


async def stand(here: Lab, count: int = 2) -> None:
    """Wait until exactly so many connections stand, none of them about to go."""

    def enough() -> bool:
        return len(connections(here)) == count and not any(one.is_leaving for one in connections(here))

    await here.world.slack.wait_for(enough, 10, lambda: f"{count} connections; there are {len(connections(here))}")


async def jobs(here: Lab) -> int:
    return len(await here.bot.deps.store.jobs(JobFilter(), limit=100))


@asynccontextmanager
async def quick(folder: Path, **environ: Any) -> AsyncIterator[Lab]:
    async with lab(folder, SWITCHYARD_SLACK__SILENCE_SECONDS=SILENCE, **environ) as here:
        here.refusals.add("internal_error")
        yield here


async def test_two_connections_stand_side_by_side(tmp_path: Path) -> None:
    """Without any setting there are two, each from one call of apps.connections.open, and both are used."""
    async with lab(tmp_path) as here:
        await stand(here)
        for line in COMMANDS:
            assert "Got it" in await here.type(line)
        assert opens(here) == 2
        assert await jobs(here) == len(COMMANDS)


async def test_as_many_connections_as_are_configured(tmp_path: Path) -> None:
    """One is possible too, for who needs the other nine elsewhere."""
    async with quick(tmp_path, SWITCHYARD_SLACK__SOCKETS="3") as here:
        await stand(here, 3)
        assert opens(here) == 3


async def test_a_warning_leaves_no_gap(tmp_path: Path) -> None:
    """Slack says that all connections are about to end: commands are answered at every moment, each once."""
    async with quick(tmp_path) as here:
        await stand(here)
        await here.type(COMMANDS[0])
        await here.world.slack.switch("disconnect", {"reason": "warning"})
        for line in COMMANDS[1:]:
            await here.type(line)
        await stand(here)
        assert await jobs(here) == len(COMMANDS)
        assert opens(here) == 4


@pytest.mark.parametrize("fault", [{"reason": "refresh_requested"}, {"reason": "link_gone"}, {"abort": True}])
async def test_connections_that_all_end_are_replaced(tmp_path: Path, fault: dict[str, Any]) -> None:
    """Whether Slack says so or only cuts the wires: each has one successor, and the bot needs no restart."""
    async with quick(tmp_path) as here:
        await stand(here)
        await here.type(COMMANDS[0])
        await here.world.slack.switch("disconnect", fault)
        await here.world.slack.wait_for(lambda: opens(here) == 4, 10)
        await stand(here)
        for line in COMMANDS[1:]:
            await here.type(line)
        assert await jobs(here) == len(COMMANDS)
        assert opens(here) == 4


async def test_one_connection_serves_while_the_other_is_replaced(tmp_path: Path) -> None:
    """A single wire is cut, and Slack refuses new addresses for a while: every command is answered all the same."""
    async with quick(tmp_path) as here:
        await stand(here)
        await here.world.slack.switch("refuse", {"times": 3})
        transport = connections(here)[0].request.transport
        assert transport is not None
        transport.abort()
        await stand(here, 1)
        for line in COMMANDS:
            await here.type(line)
        await stand(here)
        assert opens(here) == 2 + 3 + 1
        assert await jobs(here) == len(COMMANDS)


async def test_a_silent_network_is_noticed_and_left(tmp_path: Path) -> None:
    """Sockets stay open and nothing comes: they are thrown away, and new ones serve once the network is back."""
    async with quick(tmp_path) as here:
        await stand(here)
        await here.type(COMMANDS[0])
        first = list(connections(here))
        await here.world.slack.switch("silent", True)
        await here.world.slack.wait_for(lambda: not set(first) & set(connections(here)), 10)
        await here.world.slack.switch("silent", False)
        await stand(here)
        for line in COMMANDS[1:]:
            await here.type(line)
        assert await jobs(here) == len(COMMANDS)


async def test_refused_addresses_are_asked_for_again(tmp_path: Path) -> None:
    """At start and afterwards: each refusal is followed by one more try, until one succeeds; then it is enough."""
    async with quick(tmp_path) as here:
        await stand(here)
        before = opens(here)
        await here.world.slack.switch("refuse", {"times": 6})
        await here.restart()
        await stand(here)
        await here.type(COMMANDS[0])
        assert opens(here) - before == 6 + 2


async def test_slack_cuts_and_loses_the_call_for_an_address(tmp_path: Path) -> None:
    """No answer is as good a reason to try again as a refusal."""
    async with quick(tmp_path) as here:
        await stand(here)
        await here.stop()
        before = opens(here)
        await here.world.slack.switch("drop_request", {"method": OPEN, "times": 2})
        await here.world.slack.switch("drop_reply", {"method": OPEN, "times": 2})
        await here.start()
        await stand(here)
        await here.type(COMMANDS[0])
        assert opens(here) - before == 4 + 2


async def test_trainings_are_watched_while_slack_is_away(tmp_path: Path) -> None:
    """The bot starts without Slack, and a training that runs at its service is followed to its end."""
    async with quick(tmp_path) as here:
        await here.type(COMMANDS[0])
        await here.job(lambda one: one.remote_id is not None)
        await here.stop()
        await here.world.slack.switch("fail", {"method": "*", "times": 100_000, "error": "internal_error"})
        async with running(load(here.environ), now=here.time.now) as here.bot:
            await here.job(lambda one: one.state is JobState.LIVE)
        assert not connections(here)
        await here.world.slack.switch("fail", None)
        await here.start()


# Readiness


async def read(bot: Bot, path: str = "/readyz") -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(bot.health + path) as response:
        return response.status, await response.json()


async def until(bot: Bot, fits: Callable[[int, dict[str, Any]], bool]) -> dict[str, Any]:
    """What /readyz says, as soon as that fits."""
    answer: tuple[int, dict[str, Any]] = (0, {})
    try:
        async with asyncio.timeout(10):
            while not fits(*(answer := await read(bot))):  # noqa: ASYNC110  asked as a machine would ask
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(answer) from None
    return answer[1]


def is_ready(status: int, _: dict[str, Any]) -> bool:
    return status == 200


def lacks(part: str) -> Callable[[int, dict[str, Any]], bool]:
    return lambda status, told: status == 503 and not told["parts"][part]["well"]


async def test_nothing_listens_unless_it_is_configured(tmp_path: Path) -> None:
    """The health page is off by default."""
    async with lab(tmp_path) as here:
        assert here.bot.health == ""


async def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    """The operator reads which setting it is about."""
    async with quick(tmp_path, SWITCHYARD_HEALTH__PORT="0") as here:
        settings = load({"SWITCHYARD_HEALTH__PORT": here.bot.health.rpartition(":")[2]})
        with pytest.raises(ConfigurationError, match=r"SWITCHYARD_HEALTH__PORT: nobody can listen on 127\.0\.0\.1"):
            async with serving(settings.health.host, settings.health.port or 0, never):
                pass


async def never() -> Vitals:
    raise AssertionError


async def test_ready_is_a_bot_that_can_work(tmp_path: Path) -> None:
    """All parts are well, each with a sentence and an age; and the loop answers."""
    async with quick(tmp_path, SWITCHYARD_HEALTH__PORT="0") as here:
        told = await until(here.bot, is_ready)
        assert told["ready"] is True
        assert set(told["parts"]) == {"database", "ticks", "sockets", "answers"}
        for part in told["parts"].values():
            assert part["well"] is True
            assert part["says"].endswith(".")
        assert told["parts"]["answers"]["age_seconds"] is None
        await here.type("/jobs")
        assert (await read(here.bot))[1]["parts"]["answers"]["age_seconds"] >= 0
        assert await read(here.bot, "/healthz") == (200, {"alive": True})


async def test_unready_without_a_connection_and_ready_again(tmp_path: Path) -> None:
    """While Slack gives no address the bot is alive but not ready; afterwards it is, by itself."""
    async with quick(tmp_path, SWITCHYARD_HEALTH__PORT="0") as here:
        await until(here.bot, is_ready)
        await here.world.slack.switch("refuse", {"times": 100_000})
        await here.world.slack.switch("disconnect", {"abort": True})
        await until(here.bot, lacks("sockets"))
        assert (await read(here.bot, "/healthz"))[0] == 200
        await here.world.slack.switch("refuse", None)
        await until(here.bot, is_ready)


async def test_unready_while_the_database_takes_no_write(tmp_path: Path) -> None:
    """Another program holds it: what the database said is told, and when it last took a write."""
    database = tmp_path / "switchyard.db"
    mine = {"SWITCHYARD_DATABASE_URL": f"sqlite:///{database}", "SWITCHYARD_HEALTH__PORT": "0"}
    async with World() as world, running(load(world.environment() | mine)) as bot:
        await until(bot, is_ready)
        store: Any = bot.deps.store
        await store._write(lambda db: db.execute("PRAGMA busy_timeout=1").fetchall())
        with closing(connect(database)) as other:
            other.execute("BEGIN IMMEDIATE")
            told = await until(bot, lacks("database"))
        said = told["parts"]["database"]["says"]
        assert said.startswith("The database takes no write: The database cannot be written: database is locked.")
        assert said.endswith(" s ago.")
        await until(bot, is_ready)


async def test_readiness_in_http_mode_does_not_wait_for_people(tmp_path: Path) -> None:
    """A team that types nothing is no fault; the age of the last accepted request is told."""
    mode: Mode = "http"
    async with lab(tmp_path, mode=mode, SWITCHYARD_HEALTH__PORT="0") as here:
        told = await until(here.bot, is_ready)
        assert set(told["parts"]) == {"database", "ticks", "requests"}
        assert told["parts"]["requests"]["age_seconds"] is None
        async with aiohttp.ClientSession() as session, session.post(here.bot.address, data="forged") as response:
            assert response.status == 401
        assert (await read(here.bot))[1]["parts"]["requests"]["age_seconds"] is None
        await here.type("/jobs")
        assert (await read(here.bot))[1]["parts"]["requests"]["age_seconds"] >= 0
