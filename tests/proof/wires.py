"""Proxies between a bot and everything it talks to. Each request and each reply is a boundary of the conductor's."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from tests.proof.conductor import Conductor, Moment

OF_ONE_HOP = ("Host", "Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Date", "Server")
AUTOMATIC = ("Content-Type", "User-Agent", "Accept", "Accept-Encoding")
_VARIES = re.compile(r"(?=[^/]*\d)[^/]{5,}|[^/]{25,}")


@dataclass(slots=True)
class Wires:
    """One server with a port for each address behind it."""

    conductor: Conductor
    _behind: dict[int, tuple[str, str]] = field(default_factory=dict)
    _runner: web.ServerRunner = field(init=False)
    _session: aiohttp.ClientSession = field(init=False)

    async def open(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._carry, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        # A kept connection would let aiohttp repeat a request by itself.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0), auto_decompress=False
        )

    async def close(self) -> None:
        await self._session.close()
        await self._runner.cleanup()

    async def lay(self, name: str, origin: str) -> str:
        """A new origin that leads to `origin`."""
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port: int = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]  # the port that was free
        self._behind[port] = (name, origin)
        return f"http://127.0.0.1:{port}"

    async def _carry(self, request: web.BaseRequest) -> web.StreamResponse:
        sock = request.transport.get_extra_info("sockname") if request.transport else ("", 0)
        name, origin = self._behind[sock[1]]
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._carry_frames(request, origin)
        return await self._carry_one(request, name, origin)

    async def _carry_one(self, request: web.BaseRequest, name: str, origin: str) -> web.StreamResponse:
        try:
            body = await request.read()
        except ConnectionError:
            return _cut(request)
        label = self._label(name, request, body)
        if label and self.conductor.reach(Moment.SENT, label):
            return _cut(request)
        try:
            status, headers, reply = await self._ask(request, origin, body)
        except aiohttp.ClientError:
            return _cut(request)
        if label and self.conductor.reach(Moment.DONE, label):
            return _cut(request)
        response = web.Response(status=status, headers=headers, body=self._lead_back(reply))
        try:
            await response.prepare(request)
            await response.write_eof()
        except ConnectionError:
            return response
        if label:
            self.conductor.reach(Moment.READ, label)
        return response

    async def _ask(self, request: web.BaseRequest, origin: str, body: bytes) -> tuple[int, CIMultiDict[str], bytes]:
        async with self._session.request(
            request.method,
            URL(f"{origin}{request.raw_path}", encoded=True),
            headers=_passed_on(request.headers),
            data=body if request.can_read_body or body else None,
            skip_auto_headers=AUTOMATIC,
            allow_redirects=False,
        ) as reply:
            return reply.status, _passed_on(reply.headers), await reply.read()

    def _lead_back(self, body: bytes) -> bytes:
        """Addresses that a reply names lead through the wires as well."""
        for port, (_, origin) in self._behind.items():
            body = body.replace(origin.encode(), f"http://127.0.0.1:{port}".encode())
        return body

    def _label(self, name: str, request: web.BaseRequest, body: bytes) -> str:
        """What a request is, without ids; "" for what is no part of a story."""
        path = urlsplit(request.raw_path).path
        if name == "bot":
            return "" if b"url_verification" in body else f"Slack to bot: {_kind_of_form(body)}"
        if name == "slack" and path.startswith("/api/"):
            return f"slack {path.removeprefix('/api/')}{self._which(body)}"
        if name == "slack":
            return "slack response_url"
        return f"{name} {request.method} {'/'.join(_VARIES.sub('*', part) for part in path.split('/'))}"

    def _which(self, body: bytes) -> str:
        """The kind of the notice that a post carries."""
        found = re.search(rb"switchyard_notice.*?id\W+([0-9a-f]{16})", body)
        return f" {self.conductor.kinds.get(found[1].decode(), 'message')}" if found else ""

    # Socket Mode

    async def _carry_frames(self, request: web.BaseRequest, origin: str) -> web.StreamResponse:
        """Both ways at once, until one side ends."""
        near = web.WebSocketResponse()
        await near.prepare(request)
        async with self._session.ws_connect(URL(f"{origin}{request.raw_path}", encoded=True)) as far:
            ways = [
                asyncio.create_task(self._pump(far, near.send_str, _kind_of_envelope)),
                asyncio.create_task(self._pump(near, far.send_str, _kind_of_ack)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await near.close()
        return near

    async def _pump(self, source: Any, send: Callable[[str], Any], kind_of: Callable[[Mapping[str, Any]], str]) -> None:
        async for frame in source:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            label = kind_of(json.loads(frame.data))
            if label and self.conductor.reach(Moment.SENT, label):
                return
            await send(frame.data)
            if label and self.conductor.reach(Moment.READ, label):
                return


def _kind_of_envelope(frame: Mapping[str, Any]) -> str:
    return "" if frame.get("type") in ("hello", "disconnect") else f"Slack to bot: {frame.get('type')}"


def _kind_of_ack(frame: Mapping[str, Any]) -> str:
    return "bot acknowledges" if "envelope_id" in frame else ""


def _kind_of_form(body: bytes) -> str:
    form = parse_qs(body.decode("utf-8", "replace"))
    if "payload" in form:
        return str(json.loads(form["payload"][0]).get("type"))
    return "slash_commands" if "command" in form else "events_api"


def _passed_on(headers: Any) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.title() not in OF_ONE_HOP)


def _cut(request: web.BaseRequest) -> web.Response:
    """End the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
