"""Socket Mode that lasts: several connections, each thrown away and made anew as soon as it cannot be relied on.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode. slack_sdk's client mends itself, but only while its
tasks live, with an address that served already, and on each `disconnect` at once, the old socket closed first
(https://github.com/slackapi/python-slack-sdk/issues/1110). So a client here is one connection and never more: the watch
stands outside of it, and what follows it is a new client.
"""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

log = logging.getLogger(__name__)

ANSWER_WITHIN = 3.0
"""Seconds that Slack waits for the acknowledgement of an envelope."""

STILL_SERVING = frozenset({"warning", "refresh_requested"})
"""Reasons of a `disconnect` that announces an end: the connection may serve until another one has taken its place."""

SHUT_OUT = frozenset({"too_many_websockets", "link_disabled"})
"""Reasons that the next connection would meet too. Slack allows ten; `link_disabled` is a switch on the app's page."""

PROBE = "switchyard_probe"
"""The type and the id of a frame of our own."""

UNREADABLE = "Slack's answer cannot be read"

_MOST_DOUBLINGS = 16
_LONGEST_REQUEST = 3600.0

Contain = Callable[[str, Awaitable[None]], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """The times of a connection, in seconds. All follow from `silence`: how long it may give no sign of life.

    `answer` is how long one that goes is given to answer what it was asked.
    """

    silence: float = 30.0
    answer: float = ANSWER_WITHIN

    @property
    def ping(self) -> float:
        """Between two pings of ours; Slack answers each. Also the time for a new connection's hello."""
        return self.silence / 3

    @property
    def look(self) -> float:
        """Between two looks at it. Also the time for its goodbye, which on a silent network nobody answers."""
        return self.silence / 30

    @property
    def begin(self) -> float:
        """Within which the handling of what came in has to begin."""
        return self.silence / 10

    @property
    def longest_pause(self) -> float:
        return self.silence * 2

    def pause(self, failures: int, chance: float) -> float:
        """How long to wait after so many failures in a row; `chance`, 0 to 1, keeps the connections out of step."""
        if not failures:
            return 0.0
        doubled = self.look * (1 << min(failures - 1, _MOST_DOUBLINGS))
        return min(doubled, self.longest_pause) * (1 + chance) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What the connections show at one moment, in seconds.

    `silences` holds, for each connection that is open, how long ago its last sign of life was; `unanswered` is the age
    of the oldest envelope that has no acknowledgement yet, 0 where there is none. `handled` is how long ago the last
    envelope was acknowledged, None if none ever was, and `failures` are those since then that ended without.
    """

    wanted: int
    silences: tuple[float, ...]
    unanswered: float
    handled: float | None = None
    failures: int = 0


class _RefusedError(Exception):
    """A connection did not come to be. `wait` is how long Slack asked to wait, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.wait = reason, wait


class Connection(SocketModeClient):
    """One web socket to Slack. Where slack_sdk would connect again, it only says that it is over."""

    def __init__(self, client: AsyncWebClient, token: str, address: str, patience: Patience) -> None:
        super().__init__(token, web_client=client, ping_interval=patience.ping)
        self.wss_uri = address
        self.made_at = self._heard_at = time.monotonic()
        self.greeted_or_over, self.over = asyncio.Event(), asyncio.Event()
        self.reason = ""
        self.received: dict[str, float] = {}
        self._patience = patience
        self._pong: float | None = None
        self.on_message_listeners.append(self._hear)

    async def connect_to_new_endpoint(self, force: bool = False) -> None:
        """Called by slack_sdk for a `disconnect`, a closed socket, and pings without an answer."""
        self._end("closed")

    def silent_for(self) -> float:
        """Seconds since the last sign of life: a frame, or the answer to a ping of ours."""
        if self.last_ping_pong_time != self._pong:
            self._pong = self.last_ping_pong_time
            self._heard_at = time.monotonic()
        return time.monotonic() - self._heard_at

    async def trouble(self) -> str:
        """Why it cannot be relied on any more, "" while it can."""
        if self.over.is_set():
            return self.reason
        if not await self.is_connected():
            return "closed"
        if self.silent_for() > self._patience.silence:
            return "silent"
        return "deaf" if self._oldest_received() > self._patience.begin else ""

    async def probe(self) -> None:
        """Hand slack_sdk a frame as if Slack had sent it: one that hands nothing on is found before a click is lost."""
        if PROBE not in self.received:
            self.received[PROBE] = time.monotonic()
            await self.enqueue_message(json.dumps({"type": PROBE, "envelope_id": PROBE, "payload": {}}))

    async def close(self) -> None:
        """Soon, and nothing of it is left."""
        if self.current_session is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience.look):
                    await self.current_session.close()
        await super().close()  # type: ignore[no-untyped-call]  # slack_sdk leaves it untyped

    def _oldest_received(self) -> float:
        """The age of the oldest envelope that came in and was not even begun."""
        now = time.monotonic()
        return max((now - at for at in self.received.values()), default=0.0)

    async def _hear(self, message: Any) -> None:
        self._heard_at = time.monotonic()
        frame = _frame(message.data)
        if frame.get("type") == "hello":
            self.greeted_or_over.set()
        elif frame.get("type") == "disconnect":
            self._end(str(frame.get("reason")))
        elif (envelope := _envelope_of(frame)) is not None:
            self.received[envelope.envelope_id] = time.monotonic()

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.over.set()
        self.greeted_or_over.set()


@dataclass(slots=True)
class _Slot:
    """A place that always has a connection, or is about to have one."""

    name: str
    connection: Connection | None = None
    failures: int = 0
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class _Handling:
    connection: Connection
    since: float


class Sockets:
    """The app's connections. `async with sockets.open():` begins at once; they come to be beside it, once they can.

    `refusals` are the exceptions of the HTTP client for a call that failed. `contain` awaits one round of a connection
    and logs what nobody foresaw; the next round follows.
    """

    def __init__(
        self,
        app: AsyncApp,
        token: str,
        *,
        count: int,
        patience: Patience,
        refusals: tuple[type[Exception], ...],
        contain: Contain,
    ) -> None:
        self._app, self._token = app, token
        self._patience, self._refusals, self._contain = patience, refusals, contain
        self._slots = [_Slot(f"connection {number} to Slack") for number in range(1, count + 1)]
        self._open: list[Connection] = []
        self._handling: dict[asyncio.Task[Any], _Handling] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._handled_at: float | None = None
        self._failures = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """At the end, what is being answered is answered first, for as long as Slack would wait."""
        keepers = [asyncio.create_task(self._keep(slot), name=slot.name) for slot in self._slots]
        try:
            yield
        finally:
            await _end(keepers)
            for slot in self._slots:
                self._replace(slot, None)
            await asyncio.gather(*self._leaving)
            await _end(list(self._handling))

    def signs(self) -> Signs:
        since = [*self._unbegun(), *(one.since for one in self._handling.values())]
        return Signs(
            wanted=len(self._slots),
            silences=tuple(one.silent_for() for one in self._open),
            unanswered=time.monotonic() - min(since) if since else 0.0,
            handled=None if self._handled_at is None else time.monotonic() - self._handled_at,
            failures=self._failures,
        )

    def _unbegun(self) -> list[float]:
        received = [entry for connection in self._open for entry in connection.received.items()]
        return [at for envelope, at in received if envelope != PROBE]

    async def _keep(self, slot: _Slot) -> None:
        """For ever: one connection after the other."""
        while True:
            pause = self._patience.pause(slot.failures, secrets.SystemRandom().random())
            await asyncio.sleep(max(pause, slot.wait))
            await self._contain(slot.name, self._serve(slot))

    async def _serve(self, slot: _Slot) -> None:
        """One connection, from its making until it cannot be relied on. What dies young counts as a failure."""
        slot.failures, slot.wait = slot.failures + 1, 0.0
        try:
            connection = await self._connect()
        except _RefusedError as error:
            log.warning("%s does not open: %s", slot.name, error)
            _fail(slot, error.reason, error.wait)
            return
        self._replace(slot, connection)
        await self._watch(connection, slot)

    async def _watch(self, connection: Connection, slot: _Slot) -> None:
        while not (reason := await connection.trouble()):
            await connection.probe()
            with suppress(TimeoutError):
                await asyncio.wait_for(connection.over.wait(), self._patience.look)
        log.info("%s is replaced: %s", slot.name, reason)
        if time.monotonic() - connection.made_at >= self._patience.silence:
            slot.failures = 0
        _fail(slot, reason)
        if reason not in STILL_SERVING:
            self._replace(slot, None)

    async def _connect(self) -> Connection:
        """A connection that Slack has greeted, with one call of apps.connections.open."""
        address = await self._address()
        connection = Connection(self._app.client, self._token, address, self._patience)
        connection.socket_mode_request_listeners.append(self._handle)  # type: ignore[arg-type]  # it is a Connection
        try:
            await _greet(connection, self._patience.ping)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _address(self) -> str:
        try:
            answer = await self._app.client.apps_connections_open(app_token=self._token)
            address = answer.get("url")
        except SlackApiError as error:
            raise _refused(error) from None
        except self._refusals as error:
            raise _RefusedError(type(error).__name__) from None
        except (AttributeError, ValueError):
            # slack_sdk takes every answer for a JSON object in UTF-8.
            address = None
        if not isinstance(address, str):
            raise _RefusedError(UNREADABLE)
        return address

    def _replace(self, slot: _Slot, connection: Connection | None) -> None:
        """The new one takes over first; the old one goes when it has answered what it was asked."""
        if slot.connection is not None:
            self._let_go(slot.name, slot.connection)
        if connection is not None:
            self._open.append(connection)
            log.info("%s is open", slot.name)
        slot.connection = connection

    def _let_go(self, name: str, connection: Connection) -> None:
        task = asyncio.create_task(self._contain(f"the end of {name}", self._see_off(connection)))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _see_off(self, connection: Connection) -> None:
        answering = [task for task, one in self._handling.items() if one.connection is connection]
        if answering:
            await asyncio.wait(answering, timeout=self._patience.answer)
        self._open.remove(connection)
        await connection.close()

    async def _handle(self, connection: Connection, request: SocketModeRequest) -> None:
        """One envelope through Bolt. slack_sdk gives each a task of its own and keeps none of them."""
        since = connection.received.pop(request.envelope_id, time.monotonic())
        if request.type == PROBE:
            return
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._handling[task] = _Handling(connection, since)
        try:
            response = await run_async_bolt_app(self._app, request)
            await send_async_response(connection, request, response, time.time())
            self._note(response.status)
        except ConnectionError:
            log.warning("an answer found its connection closed; Slack shows that as a failure")
        finally:
            del self._handling[task]

    def _note(self, status: int) -> None:
        """Only 200 is sent on as an acknowledgement. What nobody listens to says nothing about those who do."""
        if status == 200:
            self._handled_at, self._failures = time.monotonic(), 0
        elif status != 404:
            self._failures += 1


async def _greet(connection: Connection, seconds: float) -> None:
    """Connect and wait for the hello. slack_sdk would try the address again after `seconds`; it serves once."""
    try:
        async with asyncio.timeout(seconds):
            await connection.connect()  # type: ignore[no-untyped-call]  # slack_sdk leaves it untyped
            await connection.greeted_or_over.wait()
    except TimeoutError:
        raise _RefusedError("there is no hello") from None
    if connection.over.is_set():
        raise _RefusedError(connection.reason)


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _fail(slot: _Slot, reason: str, wait: float = 0.0) -> None:
    slot.wait = wait
    if reason in SHUT_OUT:
        slot.failures = _MOST_DOUBLINGS


def _refused(error: SlackApiError) -> _RefusedError:
    """Slack's word for it, and how long it asks to wait (429 with Retry-After)."""
    data = getattr(error.response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    headers = {name.lower(): value for name, value in getattr(error.response, "headers", {}).items()}
    return _RefusedError(str(code or UNREADABLE), _seconds(headers.get("retry-after")))


def _seconds(text: Any) -> float:
    with suppress(TypeError, ValueError):
        return min(max(0.0, float(text)), _LONGEST_REQUEST)
    return 0.0


def _frame(text: Any) -> dict[str, Any]:
    with suppress(TypeError, ValueError):
        frame = json.loads(text)
        return frame if isinstance(frame, dict) else {}
    return {}


def _envelope_of(frame: dict[str, Any]) -> SocketModeRequest | None:
    try:
        return SocketModeRequest.from_dict(frame)
    except (TypeError, ValueError):
        # A payload that is no object; meant is a ValueError, but slack_sdk stumbles on the way to it.
        return None
