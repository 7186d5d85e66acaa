"""Logs: where they go, what they carry, and what never appears in them."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.web.async_client import AsyncWebClient

from bot import logs
from bot.logs import Redactor

SECRET = "hunter2/Correct+Horse"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_is_put_back() -> Iterator[None]:
    """Logging belongs to the whole process."""
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs.QUIET}
    yield
    root.handlers[:], sys.excepthook = handlers, hook
    root.setLevel(level)
    for name, former in levels.items():
        logging.getLogger(name).setLevel(former)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_json_with_its_time_in_utc() -> None:
    """A machine reads it: one object a line, ISO time with Z, level, logger, and the facts beside the words."""
    stream = io.StringIO()
    logs.configure(stream=stream)
    structlog.get_logger("bot.poller").info("looked", provider="sestek", jobs=3)
    [line] = lines(stream)
    moment = datetime.fromisoformat(str(line.pop("timestamp")))
    assert moment.tzinfo is not None
    assert abs(datetime.now(UTC) - moment).total_seconds() < 3600
    assert line == {"event": "looked", "provider": "sestek", "jobs": 3, "level": "info", "logger": "bot.poller"}


def test_a_terminal_gets_lines_for_people() -> None:
    """Nobody reads JSON at a prompt; `as_json` overrules."""
    stream, forced = Terminal(), Terminal()
    logs.configure(stream=stream)
    structlog.get_logger().info("looked", provider="sestek")
    assert "looked" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
    logs.configure(stream=forced, as_json=True)
    structlog.get_logger().info("looked")
    assert lines(forced)[0]["event"] == "looked"


@pytest.mark.parametrize("name", ["slack_bolt", "slack_sdk.web", "aiohttp.server", "asyncio"])
def test_libraries_log_the_same_way(name: str) -> None:
    """One format for everything, with the library's arguments put in and its secrets taken out."""
    stream = io.StringIO()
    logs.configure([SECRET], stream=stream)
    logging.getLogger(name).warning("reached %s with %s", "Slack", SECRET)
    [line] = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("reached Slack with …", name, "warning")


@pytest.mark.parametrize("name", ["apscheduler.executors.default", "aiohttp.access"])
def test_what_libraries_say_at_every_tick_is_left_out(name: str) -> None:
    """A log in which something is written each second is read by nobody; level debug brings it back."""
    quiet, loud = io.StringIO(), io.StringIO()
    logs.configure(stream=quiet)
    logging.getLogger(name).info("Running job")
    logs.configure(stream=loud, level="debug")
    logging.getLogger(name).info("Running job")
    assert (quiet.getvalue(), len(lines(loud))) == ("", 1)


def test_the_level_counts_for_both_ways_of_logging() -> None:
    """`warning` leaves out what is less."""
    stream = io.StringIO()
    logs.configure(stream=stream, level="warning")
    structlog.get_logger().info("no")
    logging.getLogger("slack_sdk").info("no")
    structlog.get_logger().warning("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]


async def test_the_job_is_on_every_record_about_it() -> None:
    """Whatever a step calls or starts, a library or a task, its records carry the job; afterwards none does."""
    stream = io.StringIO()
    logs.configure(stream=stream)
    log = structlog.get_logger()

    async def step() -> None:
        logging.getLogger("slack_sdk").info("from a task")

    with logs.bound_job("sw7k2"):
        log.info("inside")
        await asyncio.create_task(step())
        await asyncio.to_thread(log.info, "from a thread")
    log.info("outside")
    assert [(line["event"], line.get("job")) for line in lines(stream)] == [
        ("inside", "sw7k2"),
        ("from a task", "sw7k2"),
        ("from a thread", "sw7k2"),
        ("outside", None),
    ]


@dataclass
class Holder:
    """An object whose text holds what it was given."""

    held: str


def test_a_given_secret_is_taken_out_of_everything() -> None:
    """Out of words, values, keys, containers, bytes and objects, in the spellings of queries, forms and JSON."""
    stream = io.StringIO()
    logs.configure([SECRET, 'with "quotes"'], stream=stream)
    structlog.get_logger().info(
        f"words {SECRET}",
        value=SECRET,
        nested={"list": [f"a {SECRET}", {SECRET: 1}], "pair": (SECRET, 2)},
        raw=SECRET.encode(),
        thing=Holder(SECRET),
        path=Path("/data") / SECRET,
        query="q=hunter2%2FCorrect%2BHorse",
        dumped=json.dumps({"x": 'with "quotes"'}),
        count=7,
        flag=True,
        nothing=None,
    )
    text = stream.getvalue()
    assert "hunter2" not in text
    assert "quotes" not in text
    [line] = lines(stream)
    assert (line["event"], line["count"], line["flag"], line["nothing"]) == ("words …", 7, True, None)
    assert line["nested"] == {"list": ["a …", {"…": 1}], "pair": ["…", 2]}


def fail() -> None:
    error = RuntimeError(f"GET https://s3.example/x?X-Signature={SECRET} failed")
    error.add_note(f"note {SECRET}")
    raise ExceptionGroup("several", [error]) from ValueError(f"cause {SECRET}")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_traceback_holds_no_secret(terminal: bool) -> None:
    """Exceptions quote what they were given: the last one, its cause, its notes, and those of a group."""
    stream = Terminal() if terminal else io.StringIO()
    logs.configure([SECRET], stream=stream)
    try:
        fail()
    except ExceptionGroup as group:
        structlog.get_logger().exception("failed", error=group)
        logging.getLogger("apscheduler").exception("failed")
    text = stream.getvalue()
    assert text.count("Traceback (most recent call last)") >= 2
    assert text.count("ValueError: cause …") == 2
    assert text.count("https://s3.example/x?…") >= 2
    assert "hunter2" not in text


def test_what_ends_the_process_is_logged_without_its_secrets() -> None:
    """The traceback that Python would print by itself is the one that nobody redacts."""
    stream = io.StringIO()
    logs.configure([SECRET], stream=stream)
    try:
        fail()
    except ExceptionGroup as group:
        sys.excepthook(ExceptionGroup, group, group.__traceback__)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    [line] = lines(stream)
    assert line["level"] == "critical"
    assert "ExceptionGroup: several" in str(line["exception"])
    assert "hunter2" not in stream.getvalue()


def test_a_record_that_cannot_be_written_is_not_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    """`logging` would print the record's arguments, whatever they are."""
    stream = io.StringIO()
    logs.configure([SECRET], stream=stream)
    logging.getLogger("clumsy").warning("%d", SECRET)
    printed = capsys.readouterr().err
    assert printed.startswith("A log record of clumsy (test_logs.py:")
    assert "hunter2" not in printed + stream.getvalue()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("token xoxb-123-456-aBc done", "token xoxb-… done"),
        ("xoxe.xoxb-1-ab and xapp-1-A0-9-ff", "xoxe.xoxb-… and xapp-…"),
        ("tokens begin with xoxb-.", "tokens begin with xoxb-."),
        ("sent to https://hooks.slack.com/commands/T1/2/abc now", "sent to https://hooks.slack.com/commands/… now"),
        ("https://hooks.slack.com/commands/1234/5678", "https://hooks.slack.com/commands/…"),
        ("http://127.0.0.1:8765/actions/T1/2/abc", "http://127.0.0.1:8765/actions/…"),
        ("http://127.0.0.1:8765/app/E1/2/abc", "http://127.0.0.1:8765/app/…"),
        ("https://sonar.example/services/list stays", "https://sonar.example/services/list stays"),
        (r"https:\/\/hooks.slack.com\/commands\/T1\/2\/abc", r"https:\/\/hooks.slack.com\/commands\/…"),
        ("https://hooks.slack.com/triggers/T1/2/abc", "https://hooks.slack.com/triggers/…"),
        ("PUT https://s3.example/a/b.csv?X-Sig=1&x=2 ok", "PUT https://s3.example/a/b.csv?… ok"),
        ("wss://wss-primary.slack.com/link/?ticket=12-34&app_id=5", "wss://wss-primary.slack.com/link/?…"),
        ('127.0.0.1 "GET /x/y?sig=abc HTTP/1.1" 200', '127.0.0.1 "GET /x/y?… HTTP/1.1" 200'),
        ("https://docs.slack.dev/apis/web-api stays", "https://docs.slack.dev/apis/web-api stays"),
        ("1111111111.222222222222.0123456789abcdef0123456789abcdef", "…"),
        ("ts 1763625600.000100 stays", "ts 1763625600.000100 stays"),
        ('{"trigger_id":"1.2.x","text":"sestek m en-US"}', '{"trigger_id":"…","text":"sestek m en-US"}'),
        ("{'response_url': 'http://x/y', 'token': 'v1'}", "{'response_url': '…', 'token': '…'}"),
        (r'"payload":"{\"token\":\"abc\",\"user\":\"U1\"}"', r'"payload":"{\"token\":\"…\",\"user\":\"U1\"}"'),
        ('{"apiKey": "abc", "accessToken": "def"}', '{"apiKey": "…", "accessToken": "…"}'),
        ("<CIMultiDict('Authorization': 'Bearer abc.def')>", "<CIMultiDict('Authorization': '…')>"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: …"),
        ("x-ncp-apigw-signature-v2: abc=", "x-ncp-apigw-signature-v2: …"),
        ("trigger_id=12.34.ab&text=x", "trigger_id=…&text=x"),
        ("client_secret=abc&grant_type=y", "client_secret=…&grant_type=y"),
        ("SLACK_BOT_TOKEN: is not set.", "SLACK_BOT_TOKEN: is not set."),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, left: str) -> None:
    """Tokens that were fetched, response addresses, signed addresses: nobody could name them beforehand."""
    assert Redactor().text(text) == left
    assert Redactor().text(left) == left


def test_a_value_with_a_secret_s_name_is_left_out() -> None:
    """Whatever its form is."""
    held = {
        "response_url": "http://x/y",
        "headers": {"X-API-Key": "k"},
        "trigger_id": "1.2.x",
        "model": "m",
        "token": None,
    }
    kept = {"response_url": "…", "headers": {"X-API-Key": "…"}, "trigger_id": "…", "model": "m", "token": None}
    assert Redactor().value(held) == kept


async def test_the_slack_client_at_level_debug_shows_no_token() -> None:
    """slack_sdk logs requests and answers at level debug; a real call leaves neither token nor ticket."""

    async def open_connection(_: web.Request) -> web.Response:
        return web.json_response({"ok": True, "url": "wss://wss-primary.slack.com/link/?ticket=t1cket&app_id=a"})

    application = web.Application()
    application.router.add_post("/api/apps.connections.open", open_connection)
    stream = io.StringIO()
    logs.configure(stream=stream, level="debug")
    async with TestServer(application) as server:
        client = AsyncWebClient(token="xoxb-1-secret", base_url=str(server.make_url("/api/")))
        await client.apps_connections_open(app_token="xapp-1-secret")
    text = stream.getvalue()
    assert "apps.connections.open" in text
    assert not any(secret in text for secret in ("1-secret", "t1cket"))
