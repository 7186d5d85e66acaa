"""The edge between a real Slack and a real store: the ticks stand still until a test lets one run."""

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier

import handlers
from bot.app import TRANSPORT
from bot.domain.jobs import Job
from bot.domain.pace import Pace
from bot.domain.policy import Policy, Rule, settings_clauses
from bot.files import DataFolder
from bot.poller import Crew
from bot.ports import Deps, JobFilter, Limits
from bot.usecases.check import check_due
from bot.usecases.deliver import deliver_due
from bot.usecases.groups import read_groups
from handlers.messenger import SlackMessenger
from handlers.origins import Doorkeeper, Installation
from handlers.views.blocks import Message
from sandbox.slack import Slack
from sandbox.slack.workspace import Ephemeral
from sandbox.slack.workspace import Message as Posted
from sandbox.world import DATA
from storage.store import SqliteStore
from tests.handlers.registered import providers
from tests.sandbox.slack_app import bolt_app, listening

TEAM, CHANNEL = "T0SWITCHYD", "C0TRAIN001"
ADA, BORA, CHIE = "U0ADA00001", "U0BORA0001", "U0CHIE0001"
GATED = Policy(clauses=settings_clauses(Rule(approvers=(BORA, CHIE, "S0MLOPS001")), ["sestek"]))


@dataclass(slots=True, kw_only=True)
class Time:
    """The clock of the engine: real time, moved on by hand."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """`dispatch` sends a payload as Slack does; `run` lets the ticks run until nothing is left to do."""

    slack: Slack
    app: AsyncApp
    deps: Deps
    store: SqliteStore
    crew: Crew
    time: Time
    nudged: list[str] = field(default_factory=list)

    async def dispatch(self, payload: Mapping[str, Any], kind: str = "payload") -> BoltResponse:
        """A click, a form or an event (`kind` "json"), or a command ("form"), signed as Slack signs it."""
        text = {"json": json.dumps(payload), "form": urlencode(payload)}.get(kind)
        body = text if text is not None else urlencode({"payload": json.dumps(payload)})
        stamp = str(int(datetime.now(UTC).timestamp()))
        signature = SignatureVerifier(self.slack.signing_secret).generate_signature(timestamp=stamp, body=body)
        content = "application/json" if kind == "json" else "application/x-www-form-urlencoded"
        headers = {
            "content-type": content,
            "x-slack-request-timestamp": stamp,
            "x-slack-signature": signature or "",
        }
        return await self.app.async_dispatch(AsyncBoltRequest(body=body, headers=dict(headers)))

    async def press(self, action_id: str, value: str, user: str = ADA) -> str:
        """Press a button that Slack may still show; what its presser is told."""
        shown = len(self.slack.ephemerals(user))
        response = await self.dispatch(self.click(action_id, value, user))
        assert response.status == 200, response.body
        await self.run()
        return "\n".join(one.text for one in self.slack.ephemerals(user)[shown:])

    def click(self, action_id: str, value: str, user: str = ADA) -> dict[str, Any]:
        path = self.slack.lab.responses.issue("actions", channel=CHANNEL, user=user)
        return {
            "type": "block_actions",
            "user": {"id": user, "team_id": TEAM},
            "team": {"id": TEAM, "domain": "lab"},
            "channel": {"id": CHANNEL, "name": "trainings"},
            "trigger_id": self.slack.lab.triggers.issue(user),
            "response_url": self.slack.base_url + path,
            "actions": [{"type": "button", "block_id": "b", "action_id": action_id, "value": value}],
        }

    async def type(self, line: str, who: str = "ada") -> str:
        """Type a command; all that can be read in the answer that came with its acknowledgement."""
        outcome = await self.slack.person(who).command(line, CHANNEL)
        assert outcome.ok, outcome
        return Message(text=outcome.response["text"], blocks=tuple(outcome.response["blocks"])).plain()

    async def run(self) -> None:
        """Groups are read, files checked and messages delivered until Slack is told nothing more."""
        await read_groups(self.deps)
        await check_due(self.deps)
        await self.crew.idle()
        calls = -1
        while calls < len(self.slack.calls):
            calls = len(self.slack.calls)
            await deliver_due(self.deps)
            await self.crew.idle()

    async def jobs(self) -> list[Job]:
        return await self.store.jobs(JobFilter(), limit=100)

    def told(self, user: str) -> list[Ephemeral]:
        return self.slack.ephemerals(user)

    async def prompt(self) -> Posted:
        """A training that waits for an approval of its start: the message with the buttons."""
        await self.type("/train sestek my-model en-US")
        await self.run()
        return self.slack.messages(CHANNEL)[-1]


@asynccontextmanager
async def edge(
    folder: Path, *, policy: Policy = GATED, installed: Mapping[str, Any] | None = None, **options: Any
) -> AsyncIterator[Edge]:
    """An edge in HTTP mode, on a database of its own in `folder`; `installed` is what is special of its installation.

    Without a team in it (`{"team": ""}`) the edge does not know yet where it is installed.
    """
    time, crew, nudged = Time(), Crew(), list[str]()
    store = SqliteStore(folder / "switchyard.db")
    await store.open()
    try:
        async with (
            listening() as place,
            ClientSession() as session,
            Slack(mode="http", events_url=place.url, limits="off", **options) as slack,
        ):
            place.app = app = bolt_app(slack, session)
            client = app.client
            client.retry_handlers = []
            deps = Deps(
                store=store,
                providers=providers(),
                messenger=SlackMessenger(client, TRANSPORT, posts_per_second=1000),
                files=DataFolder(DATA, folder / "spool", 1 << 20),
                policies=lambda: policy,
                limits=Limits(pace=Pace(shortest=timedelta(seconds=1), longest=timedelta(seconds=5))),
                now=time.now,
                new_id=lambda: secrets.token_hex(8),
                nudge=nudged.append,
                spawn=crew.spawn,
            )
            door = Doorkeeper(patience=0.05)
            own = {"team": TEAM, **(installed or {})}
            if own["team"]:
                door.learn(Installation(bot=slack.workspace.app.user_id, **own))
            handlers.register(app, deps, door)
            yield Edge(slack=slack, app=app, deps=deps, store=store, crew=crew, time=time, nudged=nudged)
            await crew.close()
    finally:
        await store.close()
