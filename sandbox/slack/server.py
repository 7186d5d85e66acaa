"""The whole local Slack: it listens on one port of loopback for the app, and for the page."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from aiohttp import web

from sandbox.slack import manifest as manifests
from sandbox.slack import places
from sandbox.slack.delivery import Courier, Delivery
from sandbox.slack.events import Events
from sandbox.slack.faults import SWITCHES, TIMED, Faults
from sandbox.slack.feed import Feed
from sandbox.slack.http_mode import HttpMode
from sandbox.slack.lab import Lab
from sandbox.slack.limits import Limits
from sandbox.slack.manifest import Manifest
from sandbox.slack.page_api import PageApi
from sandbox.slack.payloads import Payloads
from sandbox.slack.people import Person, Street
from sandbox.slack.response_urls import ResponseUrls
from sandbox.slack.socket_mode import SocketMode
from sandbox.slack.tickets import Responses, Triggers
from sandbox.slack.uploads import Uploads
from sandbox.slack.views import Views
from sandbox.slack.web_api import Call, WebApi
from sandbox.slack.wire import JSON, SlackError
from sandbox.slack.workspace import Channel, Clock, Ephemeral, Message, Workspace

T = TypeVar("T")
Mode = Literal["socket", "http"]
MANIFEST = Path(__file__).parents[2] / "manifest.yml"
ACK_SECONDS = 3.0
PING_SECONDS = 10.0
# Slack repeats an event about at once, after a minute, and after five.
EVENT_RETRIES = (1.0, 60.0, 300.0)
# An app's uploads are read as streams. The page sends files in base64, at most one of 10 MB at a time in a form.
MOST_BYTES = 32 * 1024 * 1024


class Services(Protocol):
    """What the page shows and does beside Slack; the sandbox's own services fit."""

    def snapshot(self) -> list[JSON]: ...

    def act(self, service: str, action: str, **params: Any) -> JSON: ...

    def on_change(self, callback: Callable[[JSON], None]) -> None: ...


class WallClock:
    def time(self) -> float:
        return time.time()


class Slack:
    """Start it with `async with Slack(…) as slack:`; everything is to be used in the same event loop.

    `calls` and `deliveries` hold what came from the app and what went to it. `limits` is "slack" or "off".
    `ack_seconds` is Slack's 3.0; a test that wants to see a time-out may shorten it.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        mode: Mode = "socket",
        events_url: str = "http://127.0.0.1:3000/slack/events",
        clock: Clock | None = None,
        limits: Literal["slack", "off"] = "slack",
        manifest: Manifest | None = None,
        scopes: frozenset[str] | None = None,
        services: Services | None = None,
        ack_seconds: float = ACK_SECONDS,
        ping_seconds: float = PING_SECONDS,
        event_retries: tuple[float, ...] = EVENT_RETRIES,
    ) -> None:
        self.host, self.port, self.mode, self.events_url = host, port, mode, events_url
        self.bot_token, self.app_token, self.signing_secret = places.BOT_TOKEN, places.APP_TOKEN, places.SIGNING_SECRET
        self.clock: Clock = clock or WallClock()
        self.manifest = manifest or manifests.read(MANIFEST)
        self.feed, self.faults = Feed(), Faults()
        self.workspace = Workspace(team=places.team(), app=places.app(), feed=self.feed, clock=self.clock)
        places.fill(self.workspace)
        self.views = Views(self.workspace, self.feed)
        self.lab = self._lab(scopes, limits_on=limits == "slack")
        self.api = WebApi(self.lab)
        self.is_stopping = False
        self._timing = {"ack_seconds": ack_seconds, "ping_seconds": ping_seconds}
        self._event_retries = event_retries
        self._services = services
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Slack:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._connect()
        app = web.Application(client_max_size=MOST_BYTES)
        app.add_routes(self._routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.lab.base_url = self.base_url
        if self._services is not None:
            self._services.on_change(lambda snapshot: self.feed.publish("service", snapshot))

    async def stop(self) -> None:
        self.is_stopping = True
        await self.courier.stop()
        await self.transport.stop()
        self.feed.publish("bot", {"connected": False, "connections": 0})
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def api_url(self) -> str:
        """The value of SLACK_API_URL."""
        return f"{self.base_url}/api/"

    def environment(self) -> dict[str, str]:
        """What the bot needs to find this Slack."""
        tokens = {"SLACK_BOT_TOKEN": self.bot_token, "SLACK_SIGNING_SECRET": self.signing_secret}
        if self.mode == "socket":
            tokens["SLACK_APP_TOKEN"] = self.app_token
        return {**tokens, "SLACK_API_URL": self.api_url}

    # People and what they see

    def person(self, name_or_id: str) -> Person:
        return Person(self.workspace.find_user(name_or_id), self._street)

    def messages(self, channel: str, *, thread: str | None = None) -> list[Message]:
        """Everything in a conversation, oldest first; with `thread`, the root and its replies only."""
        said = list(self.workspace.in_channel(self.workspace.find_channel(channel).id).values())
        return [one for one in said if thread in {None, one.ts, one.thread_ts}]

    def ephemerals(self, user: str, channel: str | None = None) -> list[Ephemeral]:
        return self.person(user).ephemerals(channel)

    async def wait_for(
        self, predicate: Callable[[], T | None], timeout: float = 5.0, what: str | Callable[[], str] = "a change"
    ) -> T:
        """The first true value of `predicate`, which is asked again after each change; TimeoutError naming `what`."""
        return await self.feed.wait_for(predicate, timeout, what)

    async def wait_for_message(
        self,
        channel: str,
        fits: Callable[[Message], bool],
        timeout: float = 5.0,
    ) -> Message:
        """The first message of the conversation that fits, as it stands when it does."""
        return await self.wait_for(
            lambda: next((one for one in self.messages(channel) if fits(one)), None),
            timeout,
            lambda: f"a message in {channel}; there are {[one.text for one in self.messages(channel)]}",
        )

    async def wait_for_ephemeral(
        self,
        user: str,
        fits: Callable[[Ephemeral], bool],
        timeout: float = 5.0,
    ) -> Ephemeral:
        return await self.wait_for(
            lambda: next((one for one in self.ephemerals(user) if fits(one)), None),
            timeout,
            lambda: f"an ephemeral message for {user}; there are {[one.text for one in self.ephemerals(user)]}",
        )

    async def wait_until_connected(self, timeout: float = 5.0) -> None:
        await self.wait_for(lambda: self.is_connected, timeout, "the app to connect")

    # The workspace's own events

    def invite(self, channel: str, user: str, *, by: str | None = None) -> None:
        """Brings a person or the bot (`switchyard`) into a channel."""
        place, member = self.workspace.find_channel(channel), self._member(user)
        if member in place.members:
            raise SlackError("already_in_channel")
        changed = self.workspace.invite(place.id, member)
        self._street.events.joined(changed, member, by)

    def kick(self, channel: str, user: str) -> None:
        place, member = self.workspace.find_channel(channel), self._member(user)
        if member not in place.members:
            raise SlackError("not_in_channel")
        changed = self.workspace.kick(place.id, member)
        self._street.events.left(changed, member)

    def create_channel(self, name: str, *members: str, private: bool = False) -> Channel:
        people = tuple(self._member(member) for member in members)
        return self.workspace.add_channel(name, members=people, kind="private" if private else "channel")

    def change_group(self, group_id: str, *members: str) -> None:
        """Gives a user group these members and no other."""
        group = self.workspace.usergroups.get(group_id)
        if group is None:
            raise SlackError("no_such_subteam")
        self._street.events.change_group(group, tuple(self._member(member) for member in members))

    # The app

    @property
    def calls(self) -> list[Call]:
        """Every call of the app, oldest first; uses of a response_url are calls of the method `response_url`."""
        return list(self.api.calls)

    def calls_of(self, method: str) -> list[Call]:
        return [call for call in self.api.calls if call.method == method]

    @property
    def deliveries(self) -> list[Delivery]:
        return list(self.courier.deliveries)

    @property
    def is_connected(self) -> bool:
        return self.transport.is_connected

    async def verify_url(self) -> bool:
        """HTTP mode: the challenge of the settings page; whether the app gives it back."""
        return isinstance(self.transport, HttpMode) and await self.transport.verify_url()

    async def switch(self, name: str, value: Any = None) -> None:
        """Sets a fault (see sandbox.slack.faults); None takes it back."""
        if name not in SWITCHES:
            raise SlackError("unknown_switch")
        if name in TIMED:
            self.faults.switch(name, value)
        elif name == "refuse":
            self.faults.refuse(value)
        elif name == "silent":
            self.faults.silent = bool(value)
        else:
            await self._disconnect(value or {})

    # The services beside Slack

    def services_snapshot(self) -> list[JSON]:
        return self._services.snapshot() if self._services is not None else []

    def act_on_service(self, service: str, action: str, **params: Any) -> JSON:
        if self._services is None:
            raise SlackError("no_services")
        return self._services.act(service, action, **params)

    # Construction

    def _lab(self, scopes: frozenset[str] | None, *, limits_on: bool) -> Lab:
        granted = self.manifest.scopes if scopes is None else scopes
        return Lab(
            workspace=self.workspace,
            feed=self.feed,
            manifest=self.manifest,
            scopes=granted,
            triggers=Triggers(self.clock.time, self._pace),
            responses=Responses(self.clock.time, self.workspace.team.id),
            views=self.views,
            limits=Limits(time.monotonic, on=limits_on),
            faults=self.faults,
            bot_token=self.bot_token,
            app_token=self.app_token,
        )

    def _pace(self) -> float:
        """How fast the sandbox's clock runs. A person and an app stay as slow as they are."""
        return max(1.0, float(getattr(self.clock, "speed", 1.0)))

    def _connect(self) -> None:
        self.transport = self._transport()
        self.courier = Courier(self.transport, self.feed, self._event_retries)
        payloads = Payloads(self.workspace)
        events = Events(lab=self.lab, payloads=payloads, courier=self.courier)
        self._street = Street(lab=self.lab, payloads=payloads, courier=self.courier, events=events)

    def _transport(self) -> SocketMode | HttpMode:
        ack_seconds = self._timing["ack_seconds"]
        if self.mode == "http":
            return HttpMode(
                events_url=self.events_url,
                signing_secret=self.signing_secret,
                time=time.time,
                feed=self.feed,
                faults=self.faults,
                ack_seconds=ack_seconds,
            )
        socket_mode = SocketMode(app_id=self.workspace.app.id, feed=self.feed, faults=self.faults, **self._timing)
        self.lab.links = socket_mode.links
        return socket_mode

    def _routes(self) -> list[web.RouteDef]:
        responses = ResponseUrls(self.lab, self.api)
        return [
            web.route("*", "/api/{method}", self.api.answer),
            web.post("/{kind:commands|actions|app}/{team}/{number}/{secret}", responses.answer),
            web.get("/link/", self._link),
            *Uploads(self.lab, self.api).routes(),
            *PageApi(self).routes(),
        ]

    async def _link(self, request: web.Request) -> web.StreamResponse:
        if not isinstance(self.transport, SocketMode):
            raise web.HTTPNotFound
        return await self.transport.accept(request)

    async def _disconnect(self, value: JSON) -> None:
        if not isinstance(self.transport, SocketMode):
            raise SlackError("not_in_socket_mode")
        if value.get("abort"):
            self.transport.abort()
        else:
            await self.transport.disconnect(str(value.get("reason", "warning")))

    def _member(self, name_or_id: str) -> str:
        if name_or_id in {self.workspace.app.name, self.lab.bot}:
            return self.lab.bot
        return self.workspace.find_user(name_or_id).id
