"""The whole world: Slack and the services together, in this process and as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from aiohttp import ClientSession

from sandbox.clock import Clock
from sandbox.world import World, commands

ROOT = Path(__file__).parents[2]


async def page(session: ClientSession, world: World, path: str, body: dict[str, Any] | None = None) -> Any:
    method = "GET" if body is None else "POST"
    async with session.request(method, f"{world.page}page/{path}", json=body) as reply:
        return await reply.json()


async def test_the_page_shows_the_services_and_acts_on_them() -> None:
    """A switch on the page reaches the service, and the change comes back as an event."""
    async with World(clock=Clock(speed=0)) as world, ClientSession() as session:
        names = [service["name"] for service in (await page(session, world, "state"))["services"]]
        assert names == ["sestek", "deepopinion", "decthings", "aitems", "sony"]
        seq = world.slack.feed.seq
        assert (await page(session, world, "services/sony/act", {"action": "slow", "seconds": 2}))["ok"]
        changes = [one for one in world.slack.feed.since(seq) if one["type"] == "service"]
        assert changes[-1]["service"]["switches"]["slow"] == 2
        shown = {one["name"]: one for one in await page(session, world, "services")}
        assert shown["sony"]["switches"]["slow"] == 2
        assert not (await page(session, world, "services/nobody/act", {"action": "slow"}))["ok"]


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_the_environment_holds_all_that_the_bot_needs(mode: Literal["socket", "http"], tmp_path: Path) -> None:
    """An app token only in Socket Mode; in HTTP mode the bot listens where Slack calls."""
    async with World(mode=mode, events_url="http://127.0.0.1:3456/slack/events", data_folder=tmp_path) as world:
        env = world.environment()
    assert ("SLACK_APP_TOKEN" in env) == (mode == "socket")
    assert env.get("SWITCHYARD_HTTP__PORT") == (None if mode == "socket" else "3456")
    assert env["SLACK_API_URL"] == f"{world.page}api/"
    assert env["SWITCHYARD_DATA__FOLDER"] == str(tmp_path)
    assert json.loads(env["SWITCHYARD_APPROVALS__APPROVERS"]) == ["U0BORA0001", "U0CHIE0001"]
    assert {name.split("__")[0].removeprefix("SWITCHYARD_") for name in env} >= {
        "SESTEK",
        "DEEPOPINION",
        "DECTHINGS",
        "AITEMS",
        "SONY",
        "POLL",
    }


async def test_a_taken_port_is_said_and_nothing_is_left_behind() -> None:
    """Two worlds cannot share a port; the second gives up whole."""
    async with World() as world:
        with pytest.raises(OSError, match="address already in use"):
            await World(port=world.slack.port).__aenter__()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_as_a_process_it_says_one_line_and_leaves_when_told(stop: signal.Signals) -> None:
    """Standard output holds one line of JSON; a signal ends it with nothing to complain about."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", "--port", "0", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    assert ready["commands"] == commands()
    async with ClientSession() as session, session.get(f"{ready['page']}page/state") as reply:
        assert (await reply.json())["bot"]["connected"] is False
    assert ready["env"]["SLACK_BOT_TOKEN"].startswith("xoxb-")
    process.send_signal(stop)
    assert await process.stdout.read() == b""
    assert await process.wait() == 0
