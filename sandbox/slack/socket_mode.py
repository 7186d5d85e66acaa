"""Socket Mode: frames over web sockets, each envelope to exactly one connection.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode; the frames are those of the SDKs' own test fixtures.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from sandbox.slack.delivery import DeliveryError, Envelope
from sandbox.slack.faults import Faults
from sandbox.slack.feed import Feed
from sandbox.slack.tickets import Links
from sandbox.slack.wire import JSON

MOST_CONNECTIONS = 10
# The only reason after which Slack leaves the socket open for a while.
WARNING = "warning"


@dataclass(eq=False, slots=True)
class Connection:
    number: int
    socket: web.WebSocketResponse
    request: web.Request
    is_leaving: bool = False
    waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)


class SocketMode:
    """The app's connections, and the envelopes on their way."""

    def __init__(self, *, app_id: str, feed: Feed, faults: Faults, ack_seconds: float, ping_seconds: float) -> None:
        self._app_id, self._feed, self._faults = app_id, feed, faults
        self._ack_seconds, self._ping_seconds = ack_seconds, ping_seconds
        self._numbers = itertools.count(1)
        self._turn = itertools.count()
        self.links = Links(asyncio.get_running_loop().time)
        self.connections: list[Connection] = []

    @property
    def is_connected(self) -> bool:
        return any(not connection.is_leaving for connection in self.connections)

    async def deliver(self, envelope: Envelope) -> Any:
        connection = self._next_connection()
        connection.waiting[envelope.id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._ack_seconds):
                await self._send(connection, _frame(envelope))
                return await connection.waiting[envelope.id]
        except TimeoutError:
            raise DeliveryError("operation_timeout", "timeout") from None
        except ConnectionError:
            raise DeliveryError("dispatch_failed", "connection_failed") from None
        finally:
            del connection.waiting[envelope.id]

    async def accept(self, request: web.Request) -> web.StreamResponse:
        """One connection, from its upgrade to its end."""
        if not self.links.take(request.query.get("ticket", "")):
            return web.json_response({"ok": False, "error": "invalid_link"}, status=403)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        connection = Connection(next(self._numbers), socket, request)
        if len(self.connections) >= MOST_CONNECTIONS:
            await self._dismiss(connection, "too_many_websockets")
            return socket
        await self._serve(connection)
        return socket

    async def disconnect(self, reason: str) -> None:
        """Sends every connection a disconnect frame; all but a warning close the socket too."""
        for connection in list(self.connections):
            await self._dismiss(connection, reason)

    def abort(self) -> None:
        """Cuts every wire without a word."""
        for connection in list(self.connections):
            if connection.request.transport is not None:
                connection.request.transport.abort()

    async def stop(self) -> None:
        for connection in list(self.connections):
            await connection.socket.close()

    def _next_connection(self) -> Connection:
        """In turn. That one which was told to go gets nothing while there is another is a guess."""
        staying = [connection for connection in self.connections if not connection.is_leaving] or self.connections
        if not staying:
            raise DeliveryError("dispatch_failed", "connection_failed")
        return staying[next(self._turn) % len(staying)]

    async def _serve(self, connection: Connection) -> None:
        self.connections.append(connection)
        pings = asyncio.get_running_loop().create_task(self._ping(connection))
        self._say_connected()
        try:
            with suppress(ConnectionError):
                await self._send(connection, self._hello())
                await self._listen(connection)
        finally:
            pings.cancel()
            self.connections.remove(connection)
            self._say_connected()

    async def _listen(self, connection: Connection) -> None:
        async for received in connection.socket:
            if received.type is WSMsgType.TEXT:
                _take_ack(connection, received.data)
            elif received.type is WSMsgType.PING and not self._faults.silent:
                await connection.socket.pong(received.data)

    async def _ping(self, connection: Connection) -> None:
        with suppress(ConnectionError):
            while not connection.socket.closed:
                await asyncio.sleep(self._ping_seconds)
                if not self._faults.silent:
                    await connection.socket.ping(f"Ping from applink-{connection.number}".encode())

    async def _send(self, connection: Connection, frame: JSON) -> None:
        if not self._faults.silent:
            await connection.socket.send_str(json.dumps(frame))

    async def _dismiss(self, connection: Connection, reason: str) -> None:
        connection.is_leaving = True
        with suppress(ConnectionError):
            await self._send(connection, {"type": "disconnect", "reason": reason, **self._debug(with_build=False)})
        if reason != WARNING:
            await connection.socket.close()

    def _hello(self) -> JSON:
        return {"type": "hello", **self._debug(with_build=True)}

    def _debug(self, *, with_build: bool) -> JSON:
        build = {"build_number": 10, "approximate_connection_time": 18060} if with_build else {}
        return {
            "num_connections": len(self.connections),
            "debug_info": {"host": "applink-sandbox", **build},
            "connection_info": {"app_id": self._app_id},
        }

    def _say_connected(self) -> None:
        self._feed.publish("bot", {"connected": self.is_connected, "connections": len(self.connections)})


def _frame(envelope: Envelope) -> JSON:
    frame = {
        "envelope_id": envelope.id,
        "payload": envelope.payload,
        "type": envelope.kind,
        "accepts_response_payload": envelope.accepts_response,
    }
    if envelope.kind == "events_api":
        frame |= {"retry_attempt": envelope.retry_attempt, "retry_reason": envelope.retry_reason}
    return frame


def _take_ack(connection: Connection, text: str) -> None:
    """An acknowledgement names its envelope; whatever else an app sends is ignored, as Slack does."""
    try:
        frame = json.loads(text)
    except ValueError:
        return
    name = frame.get("envelope_id") if isinstance(frame, dict) else None
    waiting = connection.waiting.get(name) if isinstance(name, str) else None
    if waiting is not None and not waiting.done():
        waiting.set_result(frame.get("payload"))
