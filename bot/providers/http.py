"""The one way to call a service: timeouts, what a failure may have done, redaction.

aiohttp repeats a PUT by itself when the server hangs up (`ClientSession._request`, aiohttp 3.14): a switch or an
upload would be sent twice. A call marked `once` therefore goes out on a connection of its own and through
`_send_once`, which turns a hang-up into an error that aiohttp does not repeat.
"""

import asyncio
import ipaddress
import json
import math
import os
import re
import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, quote_plus

import aiohttp
from aiohttp import abc
from aiolimiter import AsyncLimiter
from yarl import URL

from bot.domain.requests import Json
from bot.domain.text import find_unfit, in_one_line
from bot.errors import (
    BrokenError,
    CredentialsError,
    Effect,
    ProviderError,
    RateLimitedError,
    RejectedError,
    UnreachableError,
    UnreadableError,
)
from bot.sentences import _

MOST_BYTES = 8 * 1024 * 1024
MOST_RESULT_BYTES = 512 * 1024 * 1024
MOST_WORDS = 300
MOST_READ = 4000
CALL_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=900, connect=10, sock_read=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """`pooled` for what may be repeated, `single` for what may not (a fresh connection each), `guarded` like `single`
    for addresses that a service names: it refuses to connect to private and loopback addresses."""

    pooled: aiohttp.ClientSession
    single: aiohttp.ClientSession
    guarded: aiohttp.ClientSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What `build(section, tools)` of a provider is given."""

    sessions: Sessions
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer with its body read. `headers` compare without case."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Json:
        """The body as JSON. Raises ValueError where it is none, or is nested beyond reading."""
        try:
            return _without_half_pairs(json.loads(self.body), self.body)
        except RecursionError:
            raise ValueError("nested beyond reading") from None


def _without_half_pairs(value: Json, body: bytes) -> Json:
    """JSON can escape half of a surrogate pair, which no database and no message takes: it becomes a question mark."""
    if b"\\ud" not in body.lower():
        return value
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def is_public(address: str) -> bool:
    """Is this IP address one of the open internet? Raises ValueError where it is none."""
    ip = ipaddress.ip_address(address)
    return ip.is_global and not ip.is_multicast and all(each.is_global for each in _embedded(ip))


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _embedded(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Iterable[ipaddress.IPv4Address]:
    """The IPv4 addresses to which a gateway may carry packets for this IPv6 address."""
    if isinstance(ip, ipaddress.IPv4Address):
        return []
    translated = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
    return [each for each in (ip.ipv4_mapped, ip.sixtofour, translated) if each is not None]


def is_private_host(host: str | None) -> bool:
    """Is this host, as written, on a private or loopback address? Names are judged by what they resolve to.

    Raises OSError where a name cannot be looked up: nothing is known of it then.
    """
    if host is None or host == "localhost":
        return True
    try:
        return not is_public(host)
    except ValueError:
        return any(not is_public(str(info[4][0])) for info in socket.getaddrinfo(host, None))


class _PrivateAddressError(OSError):
    """A name leads to private addresses only."""


class _PublicResolver(abc.AbstractResolver):
    """Resolves names, and drops every address that is not public: the address that is really connected to decides."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[abc.ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = [result for result in found if is_public(result["host"])]
        if not public:
            raise _PrivateAddressError
        return public

    async def close(self) -> None:
        await self._resolver.close()


@asynccontextmanager
async def open_sessions() -> AsyncIterator[Sessions]:
    """The sessions of a process. No cookies, no proxies from the environment, no netrc."""
    pooled = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit_per_host=50), cookie_jar=aiohttp.DummyCookieJar()
    )
    single = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True), cookie_jar=aiohttp.DummyCookieJar()
    )
    guarded = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, resolver=_PublicResolver()),
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    async with pooled, single, guarded:
        yield Sessions(pooled=pooled, single=single, guarded=guarded)


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Middleware: hang-ups leave as errors outside aiohttp's tree, so that it cannot repeat the request."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _HungUpError from error


class _HungUpError(Exception):
    """The connection ended after the request may have been sent."""


_NETWORK_ERRORS = (aiohttp.ClientError, _HungUpError, TimeoutError, OSError)
_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """Calls one service. `secrets` (which may grow: tokens come and go) never leave in an error; `judge` may map a
    reply to the service's own error.

    `per_second` and `at_once` bound the rate and the number of calls under way.
    """

    title: str
    sessions: Sessions
    secrets: Collection[str] = field(default=(), repr=False)
    judge: Callable[[Reply], ProviderError | None] = field(default=lambda reply: None)
    per_second: float = 10.0
    at_once: int = 8
    _limiter: AsyncLimiter = field(init=False, repr=False)
    _places: asyncio.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_limiter", AsyncLimiter(max(self.per_second, 1.0), max(1.0, 1.0 / self.per_second)))
        object.__setattr__(self, "_places", asyncio.Semaphore(self.at_once))

    async def call(
        self,
        method: str,
        url: str | URL,
        *,
        once: bool = False,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json_body: Json = None,
        data: Any = None,
        timeout: aiohttp.ClientTimeout = CALL_TIMEOUT,
    ) -> Reply:
        """Call and read the whole answer (at most MOST_BYTES). Raises ProviderError for everything but a 2xx.

        A URL given as `yarl.URL(…, encoded=True)` goes out verbatim. `once` is for calls that must not be repeated.
        """
        session = self.sessions.single if once else self.sessions.pooled
        async with self._places, self._limiter:
            reply = await self._exchange(
                session,
                method,
                url,
                once=once,
                headers=headers,
                params=params,
                json=json_body,
                data=data,
                timeout=timeout,
            )
        return self._check(reply)

    async def put_file(self, url: URL, path: Path, *, is_trusted: bool) -> Reply:
        """PUT the bytes of a file to a signed address: nothing but the bytes and their length, never repeated.

        `is_trusted`: the address may be private, because the service itself is on one.
        """
        session = self._session_for(url, is_trusted=is_trusted)
        with self._opened(path) as file:
            reply = await self._exchange(
                session,
                "PUT",
                url,
                once=True,
                headers={"Content-Length": str(os.fstat(file.fileno()).st_size)},
                data=file,
                timeout=UPLOAD_TIMEOUT,
                skip_auto_headers=("Content-Type", "User-Agent", "Accept", "Accept-Encoding"),
            )
        return self._check(reply)

    async def save(self, url: URL, target: Path, *, is_trusted: bool) -> int:
        """GET a signed address into a file, at most MOST_RESULT_BYTES; the size in bytes. A broken file is removed."""
        session = self._session_for(url, is_trusted=is_trusted)
        try:
            async with session.get(url, allow_redirects=False, timeout=UPLOAD_TIMEOUT) as response:
                if response.status != 200:
                    raise UnreadableError(
                        _(
                            "{title}'s result link answered with HTTP {status}.",
                            title=self.title,
                            status=response.status,
                        )
                    )
                return await _write(response, target, self.title)
        except _NETWORK_ERRORS as error:
            raise self._network_error(error) from None

    async def _exchange(
        self, session: aiohttp.ClientSession, method: str, url: str | URL, *, once: bool, **options: Any
    ) -> Reply:
        address = self._address(url)
        self._refuse_unsendable(options.get("headers") or {})
        try:
            async with session.request(
                method, address, allow_redirects=False, middlewares=(_send_once,) if once else (), **options
            ) as response:
                return Reply(status=response.status, body=await _body(response), headers=response.headers)
        except _NETWORK_ERRORS as error:
            raise self._network_error(error) from None

    def _network_error(self, error: Exception) -> ProviderError:
        # `from None` at the callers and no str(error) here: aiohttp puts whole URLs, signatures too, into its messages.
        if isinstance(error, aiohttp.ClientConnectorDNSError) and isinstance(error.os_error, _PrivateAddressError):
            return self._private_address()
        if isinstance(error, _NOT_SENT):
            return unreachable(self.title, _reason(error))
        if isinstance(error, TimeoutError):
            return UnreachableError(_("{title} did not answer in time.", title=self.title))
        return UnreachableError(_("{title} hung up before it had answered (the connection broke).", title=self.title))

    def _session_for(self, url: URL, *, is_trusted: bool) -> aiohttp.ClientSession:
        """The session for an address that the service named."""
        self._address(url)
        if is_trusted:
            return self.sessions.single
        # A resolver is not asked about literal addresses, so these are judged here.
        if _is_private_literal(url.host):
            raise self._private_address()
        return self.sessions.guarded

    def _private_address(self) -> RejectedError:
        return RejectedError(_("{title} named a private address, which is not called.", title=self.title))

    def _address(self, url: str | URL) -> URL:
        """The URL, if it can be called at all: aiohttp lets some mistakes out as a ValueError."""
        try:
            address = URL(url)
            (address.host or "").encode("idna")
            if address.host and address.port is not None:
                return address
        except ValueError:
            pass
        raise unreachable(self.title, NOT_VALID)

    def _refuse_unsendable(self, headers: Mapping[str, str]) -> None:
        """aiohttp lets a header with a line break, as a badly copied key may hold, out as a ValueError."""
        wrong = [name for name, value in headers.items() if not value.isprintable()]
        if wrong:
            sentence = _(
                "{title} cannot be called: what goes into its header {header} holds a control character.",
                title=self.title,
                header=wrong[0],
            )
            raise ProviderError(sentence, effect=Effect.REFUSED)

    def _opened(self, path: Path) -> BinaryIO:
        try:
            return path.open("rb")
        except OSError as error:
            # Nothing was sent, and the file does not come back by itself.
            sentence = _("The file for {title} cannot be read ({reason}).", title=self.title, reason=error.strerror)
            raise ProviderError(sentence, effect=Effect.REFUSED) from None

    def _check(self, reply: Reply) -> Reply:
        """The reply, if it is a 2xx that the service itself does not call an error."""
        error = self.judge(reply) or (None if 200 <= reply.status < 300 else self._by_status(reply))
        if error is not None:
            raise error
        return reply

    def _by_status(self, reply: Reply) -> ProviderError:
        title, status, words = self.title, reply.status, self.quote(reply)
        if status < 400:
            elsewhere = _(
                "{title} sends us elsewhere (HTTP {status}); redirects are not followed.", title=title, status=status
            )
            return UnreadableError(elsewhere)
        if status == 401:
            return CredentialsError(_say_not_accepted(title, words), status=status)
        if status == 429:
            return RateLimitedError(_("{title} asks us to slow down.", title=title), retry_after=_retry_after(reply))
        if status >= 500:
            return BrokenError(_say_broken(title, status, words))
        return RejectedError(_say_refused(title, status, words), status=status)

    def quote(self, reply: Reply) -> str:
        """The reply's own words, fit for a sentence; nothing of a web page or bytes."""
        text = reply.body[: 2 * MOST_READ].decode("utf-8", "replace").strip()
        if len(reply.body) > 2 * MOST_READ:
            text = text.removesuffix("\ufffd")  # a character that was cut in two
        if not text or text.startswith("<") or "\ufffd" in text or find_unfit(text):
            return ""
        return self.clean(text)

    def clean(self, text: str) -> str:
        """One line of at most MOST_WORDS characters that can be read, without secrets and the queries of addresses."""
        if len(text) > MOST_READ:
            head, _, tail = text[:MOST_READ].rpartition(" ")
            text = head or tail  # without the last word: half a secret would not be known for one
        return redact(in_one_line(text), self.secrets)[:MOST_WORDS]


def _say_not_accepted(title: str, words: str) -> str:
    if not words:
        return _("{title} does not accept our credentials.", title=title)
    return _("{title} does not accept our credentials ({words}).", title=title, words=words)


def _say_broken(title: str, status: int, words: str) -> str:
    if not words:
        return _("{title} answers with HTTP {status}.", title=title, status=status)
    return _("{title} answers with HTTP {status} ({words}).", title=title, status=status, words=words)


def _say_refused(title: str, status: int, words: str) -> str:
    if not words:
        return _("{title} refused with HTTP {status}.", title=title, status=status)
    return _("{title} refused with HTTP {status} ({words}).", title=title, status=status, words=words)


_NAMED_SECRET = re.compile(r"""("[^"]*(?:token|secret|password|api_?key)"\s*:\s*")(?:[^"\\]|\\.)*""", re.IGNORECASE)

_NAMED_VALUE = re.compile(
    r"""((?<![\w.-])[\w.-]*(?:signature|token|secret|password|credential|api_?key)[\w.-]*=)[^\s&"'<>]+""", re.IGNORECASE
)
"""As in the query of an address, also of one without its host."""


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret, every query and every password of an address, and what JSON calls one, replaced by …"""
    for secret in filter(None, secrets):
        for written in _ways_to_write(secret):
            text = text.replace(written, "…")
    text = _NAMED_SECRET.sub(r"\1…", text)
    text = _NAMED_VALUE.sub(r"\1…", text)
    text = re.sub(r"(https?://)[^\s/?#@\"'<>]+@", r"\1…@", text)
    text = re.sub(r"(/[^\s?\"'<>]+)\?[^\s\"'<>=]+=[^\s\"'<>]*", r"\1?…", text)
    return re.sub(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]+", r"\1?…", text)


def _ways_to_write(secret: str) -> tuple[str, ...]:
    """A secret as it is, in an address, in a form, and in JSON, whose writers may escape slashes too."""
    in_json = json.dumps(secret)[1:-1]
    return secret, quote(secret, safe=""), quote_plus(secret), in_json, in_json.replace("/", "\\/")


def read_json(reply: Reply, title: str) -> Json:
    """The reply's JSON; UnreadableError, which leaves open what happened, where it is none."""
    try:
        return reply.json()
    except ValueError:
        sentence = _("{title} answered with something that is not JSON ({what}).", title=title, what=_kind(reply))
        raise UnreadableError(sentence) from None


def read_object(reply: Reply, title: str) -> Mapping[str, Json]:
    """The reply's JSON object; UnreadableError where it is anything else."""
    value = read_json(reply, title)
    if not isinstance(value, dict):
        raise UnreadableError(_("{title} answered with JSON that is not an object.", title=title))
    return value


def _kind(reply: Reply) -> str:
    if not reply.body.strip():
        # NOTE: what a service answered with
        return _("nothing at all")
    return _("a web page") if reply.body.lstrip().startswith(b"<") else _("broken or other text")


def _retry_after(reply: Reply) -> float:
    try:
        seconds = float(reply.headers.get("Retry-After", "30"))
    except ValueError:
        return 30.0
    return 30.0 if math.isnan(seconds) else min(max(seconds, 1.0), 3600.0)


# NOTE: why a service cannot be reached: the name of its host
NOT_KNOWN = _("its name is not known")
NOT_VALID = _("its address is not valid")
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorCertificateError, _("its certificate is not accepted")),
    (aiohttp.ClientConnectorSSLError, _("no TLS connection came about")),
    (aiohttp.ClientConnectorDNSError, NOT_KNOWN),
    (aiohttp.ClientConnectorError, _("the connection was refused")),
    (aiohttp.ConnectionTimeoutError, _("no connection came about in time")),
)


def _reason(error: Exception) -> str:
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), NOT_VALID)


def unreachable(title: str, reason: str) -> UnreachableError:
    """Nothing was sent, and why."""
    sentence = _("{title} cannot be reached ({reason}).", title=title, reason=reason)
    return UnreachableError(sentence, effect=Effect.NONE)


def _is_private_literal(host: str | None) -> bool:
    try:
        return host is None or host == "localhost" or not is_public(host)
    except ValueError:
        return False


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        body += chunk
        if len(body) > MOST_BYTES:
            raise aiohttp.ClientPayloadError("longer than any answer of a service")
    return bytes(body)


async def _write(response: aiohttp.ClientResponse, target: Path, title: str) -> int:
    with ExitStack() as undo:
        undo.callback(target.unlink, missing_ok=True)
        with target.open("wb") as file:
            size = await _copy(response, file, title)
        undo.pop_all()
    return size


async def _copy(response: aiohttp.ClientResponse, file: BinaryIO, title: str) -> int:
    size = 0
    async for chunk in response.content.iter_chunked(65536):
        size += len(chunk)
        if size > MOST_RESULT_BYTES:
            most = MOST_RESULT_BYTES // 2**20
            raise UnreadableError(_("{title}'s result file is larger than {most} MB.", title=title, most=most))
        file.write(chunk)
    return size
