"""A file of Slack's, read with the bot's token: from Slack alone, and what comes instead of a file is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession, web

from bot.app import downloader
from bot.domain.shared_files import SharedFile
from bot.errors import MessengerBusyError, MessengerError
from bot.providers.http import open_sessions
from handlers.addresses import is_slacks
from handlers.messenger import SlackMessenger
from tests.handlers.test_messenger import messenger_for
from tests.providers.scripted import Answer, Scripted, hang_up, says, scripted

INFO, PATH = "/api/files.info", "/files-pri/T1-F1/download/a.csv"
PAGE = "<!DOCTYPE html><html><body>Sign in</body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A Slack that answers as it is told, and somebody who reads files of it."""

    slack: Scripted
    messenger: SlackMessenger
    read: bytearray = field(default_factory=bytearray)

    async def download(self, address: str = "") -> bytes:
        file = SharedFile(id="F1", name="a.csv", size=4, user="U1", address=address or f"{self.slack.url}{PATH}")
        await self.messenger.download(file, self._take)
        return bytes(self.read)

    async def _take(self, chunk: bytes) -> None:
        self.read.extend(chunk)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with scripted() as slack, ClientSession() as session:
        yield Desk(slack=slack, messenger=messenger_for(f"{slack.url}/api/", "xoxb-1", session))


async def test_the_bytes_come_for_the_token_in_the_header(desk: Desk) -> None:
    """And nothing is sent besides."""
    desk.slack.on("GET", PATH, web.Response(body=b"a,b\n"))
    assert await desk.download() == b"a,b\n"
    asked = desk.slack.asked[-1]
    assert asked.headers["Authorization"] == "Bearer xoxb-1"
    assert asked.body == b""


@pytest.mark.parametrize(
    "address",
    ["http://storage.example/a.csv", "http://127.0.0.1:1/a.csv", "http://me@127.0.0.1/a.csv", "file:///etc/passwd"],
)
async def test_the_token_goes_to_slack_alone(desk: Desk, address: str) -> None:
    """An address elsewhere, as of a document that Slack only links to, is not called."""
    with pytest.raises(MessengerError) as raised:
        await desk.download(address)
    assert (raised.value.code, desk.slack.asked) == ("not_slacks", [])


def test_slacks_own_hosts() -> None:
    """slack.com and what is below it, encrypted, on its port; for another API its own place alone."""
    api = "https://slack.com/api/"
    assert is_slacks("https://files.slack.com/files-pri/T1-F1/a.csv", api)
    for address in (
        "http://files.slack.com/x",
        "https://evilslack.com/x",
        "https://slack.com.evil.example/x",
        "https://me@files.slack.com/x",
        "https://files.slack.com:8443/x",
        "https://[x",
    ):
        assert not is_slacks(address, api)
    assert is_slacks("https://chat.example/x", "https://chat.example:443/api/")
    assert not is_slacks("https://chat.example/x", "https://evilslack.com/api/")
    assert not is_slacks("https://files.slack.com/x", "https://evilslack.com/api/")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (web.Response(text=PAGE, content_type="text/html"), "sign_in_page"),
        (web.Response(text=f"\n{PAGE}", content_type="application/octet-stream"), "sign_in_page"),
        (web.Response(status=302, headers={"Location": "https://evil.example/"}), "sign_in_page"),
        (web.Response(status=403), "sign_in_page"),
        (web.Response(status=404), "file_not_found"),
        (web.Response(status=418), "http_418"),
        (web.Response(status=500), "ratelimited"),
        (web.Response(status=429), "ratelimited"),
        (hang_up, "ratelimited"),
    ],
)
async def test_what_is_no_file_is_told(desk: Desk, answer: Answer, code: str) -> None:
    """A page to sign in on, with or without its kind, a redirect, a file that is gone, and what may go another time."""
    desk.slack.on("GET", PATH, answer)
    with pytest.raises(MessengerError) as raised:
        await desk.download()
    assert raised.value.code == code
    assert isinstance(raised.value, MessengerBusyError) is (code == "ratelimited")
    assert PATH not in str(raised.value)
    assert desk.read == b""


async def test_what_slack_tells_of_a_file_is_read(desk: Desk) -> None:
    """Where it is shared comes from its lists and its shares; a link to another service's document has no address."""
    told: dict[str, Any] = {"id": "F1", "name": "a.csv", "size": 4, "user": "U1", "url_private": "https://f/x"}
    shares = {"public": {"C3": [{"ts": "1.0"}]}}
    desk.slack.on(
        "GET", INFO, says({"ok": True, "file": {**told, "channels": ["C1"], "ims": ["D2"], "shares": shares}})
    )
    file = await desk.messenger.file("F1")
    assert (file.user, file.places, file.address) == ("U1", frozenset({"C1", "D2", "C3"}), "https://f/x")
    desk.slack.on("GET", INFO, says({"ok": True, "file": {**told, "is_external": True}}))
    assert (await desk.messenger.file("F1")).address == ""


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (says({"ok": False, "error": "file_not_found"}), "file_not_found"),
        (says({"ok": False, "error": "missing_scope"}), "missing_scope"),
        (says({"ok": True, "file": {"id": "F1", "mode": "tombstone"}}), "file_deleted"),
        (says({"ok": True, "file": {"id": "F2"}}), "ratelimited"),
        (says({"ok": True}), "ratelimited"),
        (hang_up, "ratelimited"),
    ],
)
async def test_a_file_that_cannot_be_looked_up_is_told(desk: Desk, answer: Answer, code: str) -> None:
    """By Slack's word, or as something that may go another time."""
    desk.slack.on("GET", INFO, answer)
    with pytest.raises(MessengerError) as raised:
        await desk.messenger.file("F1")
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("api", "is_guarded"),
    [("http://127.0.0.1:3000/api/", False), ("http://localhost/api/", False), ("https://8.8.8.8/api/", True)],
)
async def test_private_addresses_are_for_a_private_slack_alone(api: str, is_guarded: bool) -> None:
    """Whatever name stands in an address: what it leads to is looked at when it is connected to."""
    async with open_sessions() as sessions:
        assert await downloader(api, sessions)() is (sessions.guarded if is_guarded else sessions.single)
