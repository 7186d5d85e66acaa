"""Who the bot is: asked of Slack at each start, believed from the last one where Slack does not answer."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import RefusedError
from bot.identity import Acquaintance
from handlers.origins import Installation
from sandbox.slack import Slack
from storage.store import SqliteStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path / "switchyard.db")
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack(mode="http", events_url="http://127.0.0.1:9/slack/events", limits="off") as made:
        yield made


@asynccontextmanager
async def acquainted(slack: Slack, store: SqliteStore, token: str = "") -> AsyncIterator[Acquaintance]:
    """A bot that has just been started and remembers the last start."""
    async with ClientSession() as session:
        token = token or slack.bot_token
        client = AsyncWebClient(token=token, base_url=slack.api_url, session=session, retry_handlers=[])
        made = Acquaintance(client, store)
        made.door.patience = 0.05
        await made.recall()
        yield made


@asynccontextmanager
async def asking(one: Acquaintance) -> AsyncIterator[None]:
    """It asks Slack beside everything else."""
    task = asyncio.create_task(one.read())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def told(slack: Slack, store: SqliteStore) -> Installation:
    """What Slack tells a bot, which keeps it."""
    async with acquainted(slack, store) as one:
        await one.read()
        return await one.door.require()


async def refuse(slack: Slack, error: str) -> None:
    await slack.switch("fail", {"method": "auth.test", "times": 100_000, "error": error})


async def test_a_start_during_an_outage_of_slack_lets_people_in(slack: Slack, store: SqliteStore) -> None:
    """What Slack told a former process for the same token holds until Slack tells anew."""
    ours = await told(slack, store)
    await refuse(slack, "internal_error")
    async with acquainted(slack, store) as second, asking(second):
        await slack.wait_for(lambda: len(slack.calls_of("auth.test")) > 1, 10, "Slack to be asked")
        assert await second.door.require() == ours
        assert second.result(None, ours.team).bot_user_id == slack.workspace.app.user_id


async def test_what_was_told_for_another_token_is_not_believed(slack: Slack, store: SqliteStore) -> None:
    """The new token may be that of another workspace: nobody is let in before Slack has said."""
    await told(slack, store)
    async with acquainted(slack, store, "xoxb-another") as second:
        with pytest.raises(RefusedError):
            await second.door.require()


async def test_no_token_is_kept(slack: Slack, store: SqliteStore, tmp_path: Path) -> None:
    """What was told is bound to its token by a digest."""
    await told(slack, store)
    kept = await store.identity()
    assert kept is not None
    assert kept.team == slack.workspace.team.id
    await store.close()
    assert all(slack.bot_token.encode() not in path.read_bytes() for path in tmp_path.iterdir())


async def test_a_token_that_slack_does_not_take_any_more_shuts_the_door(slack: Slack, store: SqliteStore) -> None:
    """That is an answer and no outage: what the token was good for is forgotten, also for the next start."""
    await told(slack, store)
    await refuse(slack, "token_revoked")
    async with acquainted(slack, store) as second, asking(second):
        async with asyncio.timeout(10):
            while await store.identity() is not None:  # noqa: ASYNC110  seen from outside
                await asyncio.sleep(0.01)
        with pytest.raises(RefusedError):
            await second.door.require()


async def test_another_installation_for_the_same_token_takes_the_place_of_the_former(
    slack: Slack, store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Slack's word of now counts, and the operator is warned."""
    ours = await told(slack, store)
    kept = await store.identity()
    assert kept is not None
    await store.keep_identity(replace(kept, team="T0FORMER01"))
    with caplog.at_level(logging.WARNING):
        assert await told(slack, store) == ours
    assert "T0FORMER01" in caplog.text
    assert await store.identity() == kept
