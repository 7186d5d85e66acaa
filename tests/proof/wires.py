"""Proxies between a bot and everything it talks to. Each request and each reply is a boundary of the conductor's.

A wire may be a bad one: what befalls a request, a reply or a frame on its way is the weather's.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from tests.proof.conductor import Conductor, Moment

OF_ONE_HOP = ("Host", "Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Date", "Server")
SOCKETS = "sockets"
PIECES = 20
AUTOMATIC = ("Content-Type", "User-Agent", "Accept", "Accept-Encoding")
_VARIES = re.compile(r"(?=[^/]*\d)[^/]{5,}|[^/]{25,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accident:
    """What befalls one request, or one frame of a web socket.

    It leaves `late` seconds later than it was sent. Where it does not arrive, the connection is cut. Of the reply, or
    of the frame, only a `part` comes back, over so many `seconds`; then the connection is cut too, unless the part
    `seems_whole`. With `status` the way itself answers, with `words` and `headers`, and not who was asked.
    """

    late: float = 0.0
    arrives: bool = True
    part: float = 1.0
    seconds: float = 0.0
    seems_whole: bool = False
    status: int = 0
    words: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


NOTHING = Accident()


class Weather(Protocol):
    """What befalls whom."""

    def meet(self, name: str, label: str) -> Accident:
        """What befalls the request with this label on the wire of this name, `sockets` for a frame."""


class Calm:
    """Nothing befalls anybody."""

    def meet(self, name: str, label: str) -> Accident:
        return NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """How a wire is called by those who use it."""

    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None

    def origin(self, port: int) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{port}"


_ASIDE = {"upload": "slack upload", "files-pri": "slack download"}
"""What goes beside Slack's API, by the beginning of its path; the rest are answers."""


@dataclass(slots=True)
class Wires:
    """One server with a port for each address behind it."""

    conductor: Conductor
    weather: Weather = field(default_factory=Calm)
    _behind: dict[int, tuple[str, str]] = field(default_factory=dict)
    _ways: dict[str, str] = field(default_factory=dict)
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

    async def lay(self, name: str, origin: str, address: Address | None = None) -> str:
        """A new origin that leads to `origin`."""
        address = address or Address()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=address.tls)
        await site.start()
        port: int = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]  # the port that was free
        self._behind[port] = (name, origin)
        self._ways[origin] = address.origin(port)
        return self._ways[origin]

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
        accident = self.weather.meet(name, label) if label else NOTHING
        if label and self.conductor.reach(Moment.SENT, label):
            return _cut(request)
        await asyncio.sleep(accident.late)
        if not accident.arrives:
            return _own_words(accident) if accident.status else _cut(request)
        try:
            status, headers, reply = await self._ask(request, origin, body)
        except aiohttp.ClientError:
            return _cut(request)
        if label and self.conductor.reach(Moment.DONE, label):
            return _cut(request)
        if accident.status:
            return _own_words(accident)
        answer = web.Response(status=status, headers=headers, body=self._lead_back(reply))
        response = await _bring_back(request, answer, accident)
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
        for origin, way in self._ways.items():
            body = body.replace(origin.encode(), way.encode())
        return body

    def _label(self, name: str, request: web.BaseRequest, body: bytes) -> str:
        """What a request is, without ids; "" for what is no part of a story."""
        path = urlsplit(request.raw_path).path
        if name == "bot":
            return "" if b"url_verification" in body else f"Slack to bot: {_kind_of_form(body)}"
        if name == "slack" and path.startswith("/api/"):
            return f"slack {path.removeprefix('/api/')}{self._which(body)}"
        if name == "slack":
            return _ASIDE.get(path.split("/")[1], "slack response_url")
        return f"{name} {request.method} {'/'.join(_VARIES.sub('*', part) for part in path.split('/'))}"

    def _which(self, body: bytes) -> str:
        """The kind of the notice that a post carries."""
        found = re.search(rb"switchyard_notice.*?id\W+([\w:]+)", body)
        return f" {self.conductor.kinds.get(found[1].decode(), 'message')}" if found else ""

    # Socket Mode

    async def _carry_frames(self, request: web.BaseRequest, origin: str) -> web.StreamResponse:
        """Both ways at once, until one side ends."""
        accident = self.weather.meet(SOCKETS, "upgrade")
        if not accident.arrives:
            return _own_words(accident) if accident.status else _cut(request)
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
            if any(isinstance(end, _CutError) for end in await asyncio.gather(*ways, return_exceptions=True)):
                return _cut(request)
            await near.close()
        return near

    async def _pump(self, source: Any, send: Callable[[str], Any], kind_of: Callable[[Mapping[str, Any]], str]) -> None:
        async for frame in source:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            label = kind_of(json.loads(frame.data))
            accident = self.weather.meet(SOCKETS, label) if label else NOTHING
            if label and self.conductor.reach(Moment.SENT, label):
                return
            await asyncio.sleep(accident.late)
            if accident.arrives:
                await send(frame.data[: round(len(frame.data) * accident.part)])
            if not accident.arrives or accident.part < 1:
                raise _CutError
            if label and self.conductor.reach(Moment.READ, label):
                return


class _CutError(Exception):
    """A wire is cut."""


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


def _own_words(accident: Accident) -> web.Response:
    """What the way says where it does not let anybody through, or lost the answer."""
    return web.Response(status=accident.status, headers=accident.headers, text=accident.words)


async def _bring_back(request: web.BaseRequest, answer: web.Response, accident: Accident) -> web.StreamResponse:
    """The answer, as far as it comes."""
    body = answer.body if isinstance(answer.body, bytes) else b""
    part = body[: round(len(body) * accident.part)]
    if not part and accident.part < 1:
        return _cut(request)
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(part if accident.seems_whole else body)
    try:
        await response.prepare(request)
        await _write(response, part, accident.seconds)
        await response.write_eof()
    except ConnectionError:
        return response
    return response if accident.seems_whole or accident.part == 1 else _cut(request)


async def _write(response: web.StreamResponse, body: bytes, seconds: float) -> None:
    """A little at a time, or all at once."""
    size = -(-len(body) // PIECES) or 1 if seconds else len(body)
    for start in range(0, len(body), size or 1):
        await response.write(body[start : start + size])
        await asyncio.sleep(seconds / PIECES)


def _cut(request: web.BaseRequest) -> web.Response:
    """End the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
