"""A server of bare bytes on loopback: it shows what really goes over the wire, and can misbehave in any way."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as it came: first line and headers verbatim, the body decoded from its transfer."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int


Answer = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class RawServer:
    """What arrived is in `seen`. `answer` writes the reply; the connection stays open unless it closes it."""

    answer: Answer
    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while seen := await _read(reader, number):
                self.seen.append(seen)
                await self.answer(seen, writer)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def raw_server(answer: Answer) -> AsyncIterator[RawServer]:
    """Serve on a free port of 127.0.0.1."""
    server = RawServer(answer=answer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server


def replying(status: str, body: bytes = b"", *headers: str) -> Answer:
    """Answer everything with one reply."""
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers))

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{head}\r\n".encode() + body)

    return answer


def writing(raw: bytes) -> Answer:
    """Answer everything with these bytes, then hang up. Nothing at all is a hang-up without an answer."""

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        writer.close()

    return answer


def first(*answers: Answer) -> Answer:
    """One answer after the other, the last one from then on."""
    left = list(answers)

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(seen, writer)

    return answer


async def silence(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """No answer, and the connection stays."""


async def _read(reader: asyncio.StreamReader, connection: int) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first_line, *lines = head.strip().split("\r\n")
    method, target, _ = first_line.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await _read_body(reader, headers)
    return Seen(method=method, target=target, headers=headers, body=body, connection=connection)


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One reply of a script: a status and JSON (or bytes), or with `hangs_up` none at all."""

    status: int = 200
    body: object = b""
    headers: tuple[str, ...] = ()
    hangs_up: bool = False

    def answer(self) -> Answer:
        if self.hangs_up:
            return writing(b"")
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return replying(f"{self.status} Said", raw, *self.headers)


def scripted(script: Mapping[str, Line | Sequence[Line]]) -> Answer:
    """Answer `METHOD target` from a script, one line after the other, the last one from then on; all else with 418."""
    answers = {
        key: first(*(line.answer() for line in ([lines] if isinstance(lines, Line) else lines)))
        for key, lines in script.items()
    }
    unexpected = replying("418 Unexpected")

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await answers.get(f"{seen.method} {seen.target}", unexpected)(seen, writer)

    return answer
