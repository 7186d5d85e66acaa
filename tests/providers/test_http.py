"""The one way to call a service, against servers that misbehave in every way they can."""

import asyncio
import gzip
import socket
import ssl
import subprocess
import traceback
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import abc
from yarl import URL

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
from bot.providers.http import (
    Http,
    Reply,
    Sessions,
    _PublicResolver,
    is_private_host,
    is_public,
    open_sessions,
    read_json,
    read_object,
    redact,
)
from tests.providers.raw_server import Seen, first, raw_server, replying, silence, writing

SIGNED = "/bucket/a%2Fb.csv?X-Amz-Credential=AK%2F20260101%2Fs3&X-Amz-Signature=deadbeef%2Bcafe&x=a+b%20c"
SECRET = "sk-Very/Secret+Key="
HANG_UP = writing(b"")
SHORT = aiohttp.ClientTimeout(total=0.05)


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    async with open_sessions() as opened:
        yield opened


@pytest.fixture
def http(sessions: Sessions) -> Http:
    return Http(title="Acme", sessions=sessions, secrets=(SECRET,), per_second=1000)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_bytes(b"a,b\r\n1,\xff\r\n" * 200_000)
    return path


async def failure(coroutine: object) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await coroutine  # type: ignore[misc]
    return caught.value


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


# What must not be repeated


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
async def test_once_is_once(http: Http, method: str) -> None:
    """A call marked `once` is sent exactly once, also when the server reads it and hangs up: it may have worked."""
    async with raw_server(HANG_UP) as server:
        error = await failure(http.call(method, f"{server.url}/switch", once=True))
    assert len(server.seen) == 1
    assert (type(error), error.effect) == (UnreachableError, Effect.UNKNOWN)


async def test_repeatable_calls_survive_a_hang_up(http: Http) -> None:
    """A GET that meets a hang-up is simply sent again (by aiohttp), which is why `once` is needed for the rest."""
    async with raw_server(first(HANG_UP, replying("200 OK", b"{}"))) as server:
        reply = await http.call("GET", server.url)
    assert (reply.status, len(server.seen)) == (200, 2)


async def test_an_upload_is_sent_once(http: Http, csv: Path) -> None:
    """The PUT that starts a training is never repeated."""
    async with raw_server(HANG_UP) as server:
        error = await failure(http.put_file(URL(server.url), csv, is_trusted=True))
    assert len(server.seen) == 1
    assert error.effect is Effect.UNKNOWN


async def test_once_never_reuses_a_connection(http: Http) -> None:
    """A kept-alive connection may be dead already: what goes out once goes out on a connection of its own."""
    async with raw_server(replying("200 OK", b"{}")) as server:
        for _ in range(2):
            await http.call("POST", server.url, once=True)
    assert [seen.connection for seen in server.seen] == [1, 2]


# What a failure may have done


class Names(abc.AbstractResolver):
    """Answers every name with one address, or not at all."""

    def __init__(self, address: str | None = None, *, hangs: bool = False) -> None:
        self.address, self.hangs = address, hangs

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[abc.ResolveResult]:
        if self.hangs:
            await asyncio.Event().wait()
        if self.address is None:
            raise OSError(None, f"no such name: {host}")
        return [
            abc.ResolveResult(
                hostname=host, host=self.address, port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]

    async def close(self) -> None:
        return None


@pytest.fixture
async def nameless() -> AsyncIterator[Http]:
    """Calls that know no name."""
    async with session_with(Names()) as session:
        yield Http(title="Acme", sessions=Sessions(pooled=session, single=session, guarded=session))


def session_with(resolver: abc.AbstractResolver) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver))


@pytest.mark.parametrize("once", [False, True])
async def test_a_refused_connection_did_nothing(http: Http, once: bool) -> None:
    """Nobody listens: surely nothing was sent, and a later try may succeed."""
    error = await failure(http.call("POST", f"http://127.0.0.1:{free_port()}{SIGNED}", once=once))
    assert (type(error), error.effect) == (UnreachableError, Effect.NONE)
    assert "refused" in str(error)


async def test_an_unknown_name_did_nothing(nameless: Http) -> None:
    """A name that does not resolve: surely nothing was sent."""
    error = await failure(nameless.call("POST", f"http://api.example{SIGNED}", once=True))
    assert (type(error), error.effect) == (UnreachableError, Effect.NONE)
    assert "name is not known" in str(error)


async def test_no_connection_in_time_did_nothing() -> None:
    """The time ran out before there was a connection: surely nothing was sent."""
    async with session_with(Names(hangs=True)) as session:
        http = Http(title="Acme", sessions=Sessions(pooled=session, single=session, guarded=session))
        error = await failure(
            http.call("POST", "http://api.example/", once=True, timeout=aiohttp.ClientTimeout(total=5, connect=0.02))
        )
    assert (type(error), error.effect) == (UnreachableError, Effect.NONE)
    assert "in time" in str(error)


async def test_no_tls_did_nothing(http: Http) -> None:
    """What listens does not speak TLS: the request itself was never sent."""
    async with raw_server(HANG_UP) as server:
        listener = await asyncio.start_server(_speak_plain, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        error = await failure(http.call("POST", f"https://127.0.0.1:{port}{SIGNED}", once=True))
        listener.close()
    assert (type(error), error.effect) == (UnreachableError, Effect.NONE)
    assert server.seen == []


async def _speak_plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


async def test_a_strange_certificate_did_nothing(http: Http, tmp_path: Path) -> None:
    """A certificate that nobody vouches for: the request was not sent, and the sentence says why."""
    context = _self_signed(tmp_path)
    listener = await asyncio.start_server(_speak_plain, "127.0.0.1", 0, ssl=context)
    port = listener.sockets[0].getsockname()[1]
    error = await failure(http.call("POST", f"https://127.0.0.1:{port}/", once=True))
    listener.close()
    assert (type(error), error.effect) == (UnreachableError, Effect.NONE)
    assert "certificate" in str(error)


def _self_signed(folder: Path) -> ssl.SSLContext:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    try:
        subprocess.run(
            [*make, "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("openssl makes the certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"status": ',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a"',
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    ],
)
async def test_a_broken_answer_leaves_open_what_happened(http: Http, raw: bytes) -> None:
    """Once the request was sent, nothing but a whole answer tells what became of it."""
    async with raw_server(writing(raw)) as server:
        error = await failure(http.call("POST", server.url, once=True))
    assert len(server.seen) == 1
    assert (type(error), error.effect) == (UnreachableError, Effect.UNKNOWN)


@pytest.mark.parametrize("once", [False, True])
async def test_a_late_answer_leaves_open_what_happened(http: Http, once: bool) -> None:
    """The time ran out after the request was sent: it may have worked."""
    async with raw_server(silence) as server:
        error = await failure(http.call("POST", server.url, once=once, timeout=SHORT))
        assert len(server.seen) == 1
    assert (type(error), error.effect) == (UnreachableError, Effect.UNKNOWN)
    assert "in time" in str(error)


@pytest.mark.parametrize(
    "address",
    [
        "/only/a/path",
        "http:///x",
        "ftp://files.example/",
        "http://127.0.0.1:99999/",
        "http://a..b/",
        f"http://{'a' * 70}.x/",
    ],
)
async def test_an_impossible_address_did_nothing(http: Http, csv: Path, address: str) -> None:
    """An address that cannot be called, be it configured or named by a service, is an error like any other."""
    for call in (
        http.call("GET", URL(address, encoded=True)),
        http.put_file(URL(address, encoded=True), csv, is_trusted=False),
        http.save(URL(address, encoded=True), csv, is_trusted=True),
    ):
        error = await failure(call)
        assert (type(error), error.effect) == (UnreachableError, Effect.NONE)
        assert "address is not valid" in str(error)


@pytest.mark.parametrize("value", ["key\nInjected: yes", "key\r", "k\0", "k\ud800"])
async def test_a_key_that_is_no_header_is_an_error_of_ours(http: Http, value: str) -> None:
    """A badly copied key neither leaves as a crash nor smuggles a header; the sentence names the header alone."""
    async with raw_server(replying("200 OK")) as server:
        error = await failure(http.call("GET", server.url, headers={"x-api-key": value}))
    assert error.effect is Effect.REFUSED
    assert "x-api-key" in str(error)
    assert "key\n" not in str(error)
    assert server.seen == []


async def test_an_endless_answer_is_cut(http: Http) -> None:
    """No answer of a service is as long as memory."""

    async def pour(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 1_000_000)
            await writer.drain()

    async with raw_server(pour) as server:
        error = await failure(http.call("GET", server.url))
    assert error.effect is Effect.UNKNOWN


async def test_a_packed_answer_cannot_burst(http: Http) -> None:
    """A few kilobytes that unpack to gigabytes are cut as well."""
    bomb = gzip.compress(bytes(32 * 1024 * 1024))
    async with raw_server(replying("200 OK", bomb, "Content-Encoding: gzip")) as server:
        error = await failure(http.call("GET", server.url))
    assert error.effect is Effect.UNKNOWN


# What the service answers

STATUSES = [
    ("204 No Content", None, None),
    ("301 Moved", UnreadableError, Effect.UNKNOWN),
    ("302 Found", UnreadableError, Effect.UNKNOWN),
    ("304 Not Modified", UnreadableError, Effect.UNKNOWN),
    ("307 Temporary Redirect", UnreadableError, Effect.UNKNOWN),
    ("400 Bad Request", RejectedError, Effect.REFUSED),
    ("401 Unauthorized", CredentialsError, Effect.REFUSED),
    ("403 Forbidden", RejectedError, Effect.REFUSED),
    ("404 Not Found", RejectedError, Effect.REFUSED),
    ("409 Conflict", RejectedError, Effect.REFUSED),
    ("429 Too Many Requests", RateLimitedError, Effect.NONE),
    ("500 Internal Server Error", BrokenError, Effect.UNKNOWN),
    ("502 Bad Gateway", BrokenError, Effect.UNKNOWN),
    ("503 Service Unavailable", BrokenError, Effect.UNKNOWN),
    ("504 Gateway Timeout", BrokenError, Effect.UNKNOWN),
]


@pytest.mark.parametrize(("status", "kind", "effect"), STATUSES)
async def test_each_status_has_its_error(
    http: Http, status: str, kind: type[ProviderError] | None, effect: Effect | None
) -> None:
    """Whose fault it is and what may have happened follow from the status alone."""
    async with raw_server(replying(status, b"", "Location: http://127.0.0.1:1/")) as server:
        if kind is None:
            assert (await http.call("POST", server.url, once=True)).body == b""
            return
        error = await failure(http.call("POST", server.url, once=True))
    assert (type(error), error.effect) == (kind, effect)


async def test_redirects_are_not_followed(http: Http, csv: Path) -> None:
    """A redirect could carry keys and data to anybody: neither calls, uploads nor downloads follow one."""
    async with raw_server(replying("200 OK")) as elsewhere:
        hop = replying("307 Temporary Redirect", b"", f"Location: {elsewhere.url}/{SECRET}")
        async with raw_server(hop) as server:
            for call in (
                http.call("GET", server.url),
                http.call("POST", server.url, once=True),
                http.put_file(URL(server.url), csv, is_trusted=True),
                http.save(URL(server.url), csv, is_trusted=True),
            ):
                assert isinstance(await failure(call), UnreadableError)
        assert elsewhere.seen == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 1.0), ("-5", 1.0), ("999999", 3600.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 30.0), ("nan", 30.0)],
)
async def test_retry_after_is_bounded(http: Http, header: str, seconds: float) -> None:
    """Whatever a service asks for, the wait is between a second and an hour."""
    async with raw_server(replying("429 Too Many Requests", b"", f"Retry-After: {header}")) as server:
        error = await failure(http.call("GET", server.url))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == seconds


async def test_a_service_can_judge_for_itself(sessions: Sessions) -> None:
    """`judge` sees every reply first, a 200 as well: some services wrap their errors in it."""

    def judge(reply: Reply) -> ProviderError | None:
        return RejectedError("no", code="E1") if b"E1" in reply.body else None

    http = Http(title="Acme", sessions=sessions, judge=judge)
    async with raw_server(replying("200 OK", b'{"code": "E1"}')) as server:
        error = await failure(http.call("GET", server.url))
    assert isinstance(error, RejectedError)
    assert error.code == "E1"


@pytest.mark.parametrize("body", [b"", b"   ", b"<html>", b'{"a": ', b"\xff\xfe", b"hello"])
def test_what_is_no_json_is_unreadable(body: bytes) -> None:
    """A reply that is no JSON leaves open what happened, and the sentence shows none of it."""
    with pytest.raises(UnreadableError) as caught:
        read_json(Reply(status=200, body=body, headers={}), "Acme")
    assert caught.value.effect is Effect.UNKNOWN


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"1"])
def test_what_is_no_object_is_unreadable(body: bytes) -> None:
    """JSON of another form is no answer either."""
    with pytest.raises(UnreadableError):
        read_object(Reply(status=200, body=body, headers={}), "Acme")


# What never leaves


async def test_no_failure_tells_a_secret(http: Http, nameless: Http, csv: Path) -> None:
    """No message, representation or traceback of any failure holds a signature, a query or a key."""
    headers = {"x-api-key": SECRET}
    dead = f"http://127.0.0.1:{free_port()}{SIGNED}"
    errors = [
        await failure(http.call("POST", dead, once=True, headers=headers)),
        await failure(nameless.call("POST", f"http://api.example{SIGNED}", headers=headers)),
        await failure(http.put_file(URL(dead, encoded=True), csv, is_trusted=True)),
        await failure(http.save(URL(dead, encoded=True), csv, is_trusted=True)),
        await failure(http.put_file(URL(f"http://a..b{SIGNED}", encoded=True), csv, is_trusted=True)),
        await failure(http.put_file(URL(f"http://10.0.0.1{SIGNED}", encoded=True), csv, is_trusted=False)),
    ]
    for answer in (HANG_UP, writing(b"HTTP/1.1 2"), writing(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), silence):
        async with raw_server(answer) as server:
            url = URL(server.url + SIGNED, encoded=True)
            errors.append(await failure(http.call("POST", url, once=True, headers=headers, timeout=SHORT)))
    for status in ("302 Found", "400 Bad Request", "401 Unauthorized", "429 Slow", "500 Oops"):
        body = f'{{"message": "bad key {SECRET} for https://api.example{SIGNED}"}}'.encode()
        async with raw_server(replying(status, body, f"Location: https://api.example{SIGNED}")) as server:
            url = URL(server.url + SIGNED, encoded=True)
            errors.append(await failure(http.call("GET", url, headers=headers)))
            errors.append(await failure(http.put_file(url, csv, is_trusted=True)))
            errors.append(await failure(http.save(url, csv, is_trusted=True)))
    for error in errors:
        shown = str(error) + repr(error) + "".join(traceback.format_exception(error))
        for secret in ("deadbeef", "X-Amz", SECRET):
            assert secret not in shown


def test_calls_do_not_show_their_secrets(http: Http) -> None:
    """A representation ends in logs and tracebacks."""
    assert SECRET not in repr(http)


def test_redaction_knows_the_ways_a_secret_is_written() -> None:
    """A key may be echoed percent-encoded, a password may stand in an address, a query is never needed."""
    said = f"k={SECRET} q=sk-Very%2FSecret%2BKey%3D https://bob:pw@h.example/p?sig=1&x=2 end"
    assert redact(said, [SECRET, ""]) == "k=… q=… https://…@h.example/p?… end"


def test_redaction_needs_no_host() -> None:
    """A signed address may be quoted without its beginning, or its query alone; questions of a sentence stay."""
    said = "up/a refused: /up/a?X-Signature=s3cret&x=1, X-Amz-Credential=AKIA1 and retry?or/not?really"
    assert redact(said, ()) == "up/a refused: /up/a?… X-Amz-Credential=… and retry?or/not?really"


@pytest.mark.parametrize(
    "echo", ['pä/ "x"', r"p\u00e4/ \"x\"", r"p\u00e4\/ \"x\"", "p%C3%A4%2F%20%22x%22", "p%C3%A4%2F+%22x%22"]
)
def test_redaction_knows_json_and_forms(echo: str) -> None:
    """A password with letters that JSON, a form or an address escapes does not slip through in their writing."""
    assert redact(f"the password {echo} is wrong", ['pä/ "x"']) == "the password … is wrong"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('{"access_token": "eyJ\\"x", "code": "x"}', '{"access_token": "…", "code": "x"}'),
        ('{"auth_token":"abc', '{"auth_token":"…'),
        ('[{"apiKey" : "k", "clientSecret":"s"}]', '[{"apiKey" : "…", "clientSecret":"…"}]'),
        (
            '{"errorCode": "token expired", "datasetKey": "train"}',
            '{"errorCode": "token expired", "datasetKey": "train"}',
        ),
    ],
)
def test_what_json_calls_a_secret_is_not_quoted(said: str, shown: str) -> None:
    """An error that comes with a new token, or with the keys of published models, tells neither."""
    assert redact(said, ()) == shown


async def test_quotes_are_short_and_never_markup(http: Http) -> None:
    """What a service says is quoted on one line; a web page or bytes are not quoted at all."""
    assert http.quote(Reply(status=400, body=b" a\n b ", headers={})) == "a b"
    assert len(http.quote(Reply(status=400, body=b"x" * 9000, headers={}))) <= 300
    for body in (b"<html>", b"\xff\xfe\x00", b"", b"  ", b"\x00", b"ab\x1b[31m", "\u202egnp".encode()):
        assert http.quote(Reply(status=400, body=body, headers={})) == ""


def test_what_hides_or_turns_a_line_is_taken_out_of_a_services_words(http: Http) -> None:
    """An error is shown as it is, in Slack and in a terminal: no control character and no turned line gets into one."""
    assert http.clean("a\x00b\x1b[31m \u202ec\n\ud800d") == "ab[31m c d"


async def test_long_words_are_read_in_part(http: Http) -> None:
    """Megabytes that look like addresses take no time, and no secret is shown because only half of it was read."""
    assert http.clean("http://" * 1_000_000).startswith("http://http://")
    assert http.clean(f"https://a.example/?{'x' * 3970} {SECRET} {SECRET}") == "https://a.example/?…"
    assert http.quote(Reply(status=400, body="모".encode() * 4000, headers={})).startswith("모모모")
    assert http.quote(Reply(status=400, body=b"x" + "모델 ".encode() * 2000, headers={})).startswith("x모델 모델")


# What goes over the wire


async def test_signed_addresses_go_out_verbatim(http: Http, csv: Path) -> None:
    """Each byte of a signed address counts: `%2F`, `%2B`, `+` and `%20` arrive as they were."""
    async with raw_server(replying("200 OK", b"ok")) as server:
        url = URL(server.url + SIGNED, encoded=True)
        await http.call("GET", url)
        await http.put_file(url, csv, is_trusted=True)
        await http.save(url, csv, is_trusted=True)
    assert [seen.target for seen in server.seen] == [SIGNED] * 3


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xef\xbb\xbf" + b"x" * 3_000_000])
async def test_an_upload_is_the_bytes_and_their_length(http: Http, tmp_path: Path, content: bytes) -> None:
    """A signed upload breaks on anything extra: no type, no agent, no key, not in chunks."""
    path = tmp_path / "up.csv"
    path.write_bytes(content)
    async with raw_server(replying("200 OK")) as server:
        await http.put_file(URL(server.url), path, is_trusted=True)
    (seen,) = server.seen
    assert seen.method == "PUT"
    assert seen.body == content
    assert seen.headers == {
        "host": f"127.0.0.1:{server.port}",
        "content-length": str(len(content)),
        "connection": "close",
    }


async def test_a_lost_file_is_an_error_of_ours(http: Http, tmp_path: Path) -> None:
    """Where the file cannot be read nothing was sent, and trying again does not help."""
    async with raw_server(replying("200 OK")) as server:
        error = await failure(http.put_file(URL(server.url), tmp_path / "gone.csv", is_trusted=True))
    assert error.effect is Effect.REFUSED
    assert str(tmp_path) not in str(error)
    assert server.seen == []


async def test_no_cookie_is_kept(http: Http) -> None:
    """A cookie of one call never reaches another one."""
    async with raw_server(replying("200 OK", b"{}", "Set-Cookie: sid=1; Path=/")) as server:
        for once in (False, True, False):
            await http.call("GET", server.url, once=once)
    assert all("cookie" not in seen.headers for seen in server.seen)


async def test_no_proxy_of_the_environment(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys go to the service and not to whatever proxy the environment names."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with raw_server(replying("200 OK", b"{}")) as server:
        await http.call("GET", server.url)
    assert len(server.seen) == 1


async def test_not_too_many_at_once(sessions: Sessions) -> None:
    """`at_once` bounds the calls under way to one service."""
    under_way, most = 0, 0

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.005)
        under_way -= 1
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    http = Http(title="Acme", sessions=sessions, per_second=1000, at_once=3)
    async with raw_server(answer) as server:
        await asyncio.gather(*(http.call("GET", server.url) for _ in range(12)))
    assert (len(server.seen), most) == (12, 3)


# Addresses that a service names

PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_known(address: str) -> None:
    """Every way to write an address of this machine or network counts as private."""
    assert not is_public(address)
    assert is_private_host(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "52.219.1.1", "2606:4700::1111", "64:ff9b::101:101"])
def test_public_addresses_are_known(address: str) -> None:
    """The open internet is not private."""
    assert is_public(address)
    assert not is_private_host(address)


def test_local_names_are_private() -> None:
    """A name counts as what it resolves to; nothing at all is private too."""
    assert is_private_host("localhost")
    assert is_private_host(None)


@pytest.mark.parametrize("host", [*PRIVATE, "localhost", "127.1", "0x7f.1", "2130706433", "0177.0.0.1"])
async def test_private_links_are_not_called(http: Http, csv: Path, host: str) -> None:
    """A link of a service on the open internet cannot point our data, or our look, into the private network."""
    async with raw_server(replying("200 OK", b"inner")) as server:
        written = f"[{host}]" if ":" in host else host
        url = URL(f"http://{written}:{server.port}/", encoded=True)
        for call in (http.put_file(url, csv, is_trusted=False), http.save(url, csv, is_trusted=False)):
            error = await failure(call)
            assert error.effect in (Effect.REFUSED, Effect.NONE)
    assert server.seen == []


async def test_a_name_that_leads_inside_is_not_called(http: Http, csv: Path) -> None:
    """The address that is really connected to decides, not how the name looks."""
    inside = socket.gethostname()
    if not is_private_host(inside):
        pytest.skip("this machine's name leads nowhere private")
    async with raw_server(replying("200 OK")) as server:
        error = await failure(
            http.put_file(URL(f"http://{inside}:{server.port}{SIGNED}", encoded=True), csv, is_trusted=False)
        )
    assert isinstance(error, RejectedError)
    assert "private address" in str(error)


@pytest.mark.parametrize("name", ["localhost", socket.gethostname()])
async def test_the_resolver_gives_no_private_address(name: str) -> None:
    """What a name leads to is asked once and judged there, so a second answer of the DNS changes nothing."""
    resolver = _PublicResolver()
    try:
        found = await resolver.resolve(name, 443, socket.AF_UNSPEC)
    except OSError:
        found = []
    finally:
        await resolver.close()
    assert [one["host"] for one in found if not is_public(one["host"])] == []
    if name == "localhost":
        assert found == []


async def test_trusted_links_may_be_private(http: Http, csv: Path) -> None:
    """Where the service itself is on a private address, so may its storage be."""
    async with raw_server(replying("200 OK")) as server:
        await http.put_file(URL(server.url), csv, is_trusted=True)
    assert len(server.seen) == 1


# Results


async def test_a_result_is_saved_as_it_is(http: Http, tmp_path: Path) -> None:
    """The bytes of the result end in the file, and their number is told."""
    content = bytes(range(256)) * 1000
    async with raw_server(replying("200 OK", content)) as server:
        size = await http.save(URL(server.url), tmp_path / "result", is_trusted=True)
    assert size == len(content)
    assert (tmp_path / "result").read_bytes() == content


async def test_half_a_result_is_none(http: Http, tmp_path: Path) -> None:
    """A download that breaks leaves no file that looks whole."""
    async with raw_server(writing(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")) as server:
        error = await failure(http.save(URL(server.url), tmp_path / "result", is_trusted=True))
    assert isinstance(error, UnreachableError)
    assert not (tmp_path / "result").exists()


@pytest.mark.parametrize("status", ["204 No Content", "403 Forbidden", "404 Not Found", "500 Oops"])
async def test_a_link_that_does_not_work_says_so(http: Http, tmp_path: Path, status: str) -> None:
    """Only a 200 is a result; an expired link is told with its status."""
    async with raw_server(replying(status, b"<Error>AccessDenied</Error>" if status[0] != "2" else b"")) as server:
        error = await failure(http.save(URL(server.url), tmp_path / "result", is_trusted=True))
    assert status[:3] in str(error)
    assert not (tmp_path / "result").exists()


def test_half_of_a_surrogate_pair_does_not_get_in() -> None:
    """JSON can escape what no text can hold; it becomes a question mark, and whole pairs stay."""
    body = rb'{"status": "\ud800 odd", "whole": "\ud83d\ude00"}'
    assert Reply(status=200, body=body, headers={}).json() == {"status": "? odd", "whole": "\U0001f600"}
