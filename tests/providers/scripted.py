"""A service on loopback that answers as it is told and remembers what it was asked."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web
from aiohttp.test_utils import TestServer

Answer: TypeAlias = web.Response | Callable[[web.Request], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it arrived; `connection` tells the connections of the other side apart."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: Any


def says(body: Any, status: int = 200, **headers: str) -> web.Response:
    """A JSON answer."""
    return web.json_response(body, status=status, headers=headers)


def page(status: int = 200) -> web.Response:
    """A web page where JSON was expected."""
    return web.Response(status=status, text="<html><h1>Maintenance</h1></html>", content_type="text/html")


def hang_up(request: web.Request) -> web.Response:
    """Read the request and cut the connection."""
    assert request.transport is not None
    connection = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, no orderly end
    request.transport.abort()
    return web.Response()


BROKEN: Mapping[str, Answer] = {
    "a web page": page(),
    "half a document": web.Response(text='{"id": 1', content_type="application/json"),
    "nothing": web.Response(),
    "a list": says([1, 2]),
    "no model": says({"ok": True}),
    "bottomless": web.Response(text="[" * 200_000, content_type="application/json"),
    "a redirect": web.Response(status=302, headers={"Location": "/elsewhere"}),
    "HTTP 500": says({"error": {"message": "An internal error occurred during your request!"}}, 500),
    "HTTP 503": page(503),
    "a reset": hang_up,
}
"""What may stand in the place of an answer; in each case the request may have been carried out."""


@dataclass(slots=True)
class Scripted:
    """Answers are given per method and path, one after the other; the last one is repeated."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    _answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)

    def on(self, method: str, path: str, *answers: Answer) -> None:
        self._answers[method, path] = list(answers)

    def count(self, method: str, path: str) -> int:
        return sum((one.method, one.path) == (method, path) for one in self.asked)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked.append(_asked(request, body))
        answers = self._answers.get((request.method, request.path))
        if answers is None:
            return web.Response(status=404, text="<html>no such page</html>", content_type="text/html")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, web.Response):
            return _copy(answer)
        found = answer(request)
        reply: web.StreamResponse = await found if asyncio.iscoroutine(found) else found
        return reply


def _asked(request: web.Request, body: bytes) -> Asked:
    assert request.transport is not None
    return Asked(
        method=request.method,
        path=request.path,
        headers=request.headers,
        body=body,
        connection=request.transport.get_extra_info("peername"),
    )


def _copy(answer: web.Response) -> web.Response:
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def decoded(asked: Asked) -> Any:
    """The JSON that was sent."""
    return json.loads(asked.body)


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    service = Scripted()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", service.serve)
    async with TestServer(app) as server:
        service.url = str(server.make_url("")).rstrip("/")
        yield service
