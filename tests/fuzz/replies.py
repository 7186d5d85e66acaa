"""Whatever a server may say over HTTP: any status, odd headers, too few or too many bytes, no answer at all."""

import asyncio
import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.shapes import KEY, SIGNATURE, mutated, written
from tests.providers.raw_server import Answer, Seen

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer. `ending` says how it goes wrong on the wire, "" that it does not."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    ending: str = ""

    @property
    def is_whole(self) -> bool:
        return not self.ending

    def wire(self) -> bytes:
        """What is written before the connection is closed."""
        if self.ending == "silent":
            return b""
        if self.ending == "rubbish":
            return self.body or b"\x00"
        head = [
            f"HTTP/1.1 {self.status} Said",
            "Connection: close",
            *(f"{name}: {text}" for name, text in self.headers),
        ]
        return "\r\n".join([*head, *self._length(), "", ""]).encode("latin-1", "replace") + self._body()

    def _length(self) -> Sequence[str]:
        if self.ending == "chunked badly":
            return ("Transfer-Encoding: chunked",)
        more = {"too short": 7, "too long": -1}.get(self.ending, 0)
        return () if self.ending == "no length" else (f"Content-Length: {max(0, len(self.body) + more)}",)

    def _body(self) -> bytes:
        return b"5\r\nabc\r\nzz\r\n" if self.ending == "chunked badly" else self.body


ENDINGS = ("silent", "rubbish", "too short", "too long", "chunked badly")
STATUSES = st.sampled_from([200] * 8 + [201, 202, 204]) | st.sampled_from(
    [200, 206, 300, 301, 302, 304, 307, 400, 400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 418, 422, 423, 425,
     429, 429, 451, 499, 500, 500, 501, 502, 503, 504, 520, 599, 600, 999]
)  # fmt: skip
HEADERS = st.sampled_from(
    [
        ("Retry-After", "0"), ("Retry-After", "-5"), ("Retry-After", "nan"), ("Retry-After", "1e999"),
        ("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"), ("Retry-After", "\u00b2"), ("Retry-After", ""),
        ("Date", "Fri, 31 Dec 1999 23:59:59 GMT"), ("Date", "Fri, 31 Dec 9999 23:59:59 -2359"), ("Date", "x"),
        ("Date", "31 Dec 1999 23:59:59"), ("Location", f"http://127.0.0.1:1/?s={SIGNATURE}"), ("Location", "\u00e9://"),
        ("Set-Cookie", f"session={KEY}"), ("Content-Encoding", "gzip"), ("Content-Encoding", "br"),
        ("Content-Encoding", "deflate, gzip"), ("Content-Type", "text/html"), ("Content-Type", "a/b; charset=utf-9"),
        ("Content-Type", "\u00e9\u00ff"), ("Content-Type", "x" * 200), ("Content-Type", f"a/b {KEY}"),
        ("x-ncp-trace-id", "t-1"), ("x-ncp-trace-id", f"{KEY}\u00ff"), ("WWW-Authenticate", "Bearer"),
        ("Content-Length", "5"), ("X-" + "a" * 900, "b"),
    ]
)  # fmt: skip
PAGES = st.sampled_from(
    [
        b"", b" ", b"<!doctype html><title>Scheduled maintenance</title>", b"\n\n  <html>", b"upstream connect error",
        f"no such key {KEY} in\nthis list".encode(), b"\x00\x01\x02", b"\xff\xfe{", b"OK", b"null", b"[]", b"0",
        b'"text"', b"NaN", b'{"error": null}', b"x" * 20_000, "모델 ".encode() * 400,
        b"retrain job is not finished", b"4001000204", gzip.compress(b"{}"), gzip.compress(b"\x00" * 1_000_000),
    ]
) | st.binary(max_size=60)  # fmt: skip


Frames = Callable[[st.DrawFn, bytes], bytes]


@st.composite
def replies(draw: st.DrawFn, documents: Sequence[Any], *, kind: str = JSON, frame: Frames | None = None) -> Reply:
    """Near one of the documents, or far from all. `frame` puts JSON into what the service wraps it in."""
    is_near = draw(st.integers(0, 4)) > 0
    body = draw(mutated(draw(st.sampled_from(documents))).flatmap(written)) if is_near else draw(PAGES)
    if frame is not None and is_near:
        body = frame(draw, body)
    headers = [("Content-Type", kind)] if is_near or draw(st.booleans()) else []
    return Reply(
        status=draw(STATUSES),
        headers=(*headers, *draw(st.lists(HEADERS, max_size=2, unique_by=lambda header: header[0]))),
        body=body,
        ending=draw(st.sampled_from(["", "", "", "", "", "", "no length", *ENDINGS])) if draw(st.booleans()) else "",
    )


def told(answers: Callable[[Seen], Reply], script: Sequence[Reply | None]) -> Answer:
    """Answer with the script, one line after the other and the last from then on; None is what `answers` says."""
    left = list(script) or [None]

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        line = left.pop(0) if len(left) > 1 else left[0]
        writer.write((line or answers(seen)).wire())
        await writer.drain()
        writer.close()

    return answer
