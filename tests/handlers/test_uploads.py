"""A file on its way into a conversation: sent to Slack alone, shown once, and looked up where that is not clear."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from bot.errors import AmbiguousSendError, MessengerBusyError, MessengerError
from bot.ports import Shared
from bot.sentences import _, speaking
from handlers.messenger import SlackMessenger
from tests.domain.test_text import Loud
from tests.handlers.test_messenger import messenger_for
from tests.providers.scripted import BROKEN, Answer, Scripted, says, scripted

URL_FOR, COMPLETE, INFO = (
    "/api/files.getUploadURLExternal",
    "/api/files.completeUploadExternal",
    "/api/files.info",
)
LINK = "https://lab.slack.com/files/U1/F1/r.zip"
SHARES = {"private": {"G0SECRET01": [{"ts": "1700000000.000100"}]}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A Slack that answers as it is told, and somebody who sends files to it."""

    slack: Scripted
    messenger: SlackMessenger
    file: Path

    async def upload(self) -> str:
        return await self.messenger.upload("r.zip", self.file, 3)

    async def share(self) -> Shared:
        return await self.messenger.share("F1", "G0SECRET01", title="r.zip", comment="left", thread_ts=None)

    def names(self, address: str) -> None:
        self.slack.on("POST", URL_FOR, says({"ok": True, "file_id": "F1", "upload_url": address}))


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    file = tmp_path / "result"
    file.write_bytes(b"abc")
    async with scripted() as slack, ClientSession() as session:
        messenger = messenger_for(f"{slack.url}/api/", "xoxb-1", session)
        yield Line(slack=slack, messenger=messenger, file=file)


def info(**told: Any) -> web.Response:
    return says({"ok": True, "file": {"id": "F1", **told}})


async def test_the_bytes_go_out_as_they_are_without_the_token(line: Line) -> None:
    """The address is the key to itself; nothing is chunked."""
    line.names(f"{line.slack.url}/upload/v1/abc")
    line.slack.on("POST", "/upload/v1/abc", web.Response(text="OK - 3"))
    assert await line.upload() == "F1"
    sent = line.slack.asked[-1]
    assert sent.body == b"abc"
    assert sent.headers["Content-Length"] == "3"
    assert "Authorization" not in sent.headers


@pytest.mark.parametrize(
    "address", ["http://storage.example/upload", "ftp://127.0.0.1/x", "http://127.0.0.1@evil.example/", "", 7]
)
async def test_bytes_go_to_slack_alone(line: Line, address: Any) -> None:
    """An address on another host than the API's is not used."""
    line.names(address)
    with pytest.raises(AmbiguousSendError, match="no address of its own"):
        await line.upload()


@pytest.mark.parametrize(
    ("status", "error"), [(413, MessengerError), (302, AmbiguousSendError), (500, AmbiguousSendError)]
)
async def test_an_upload_that_is_not_taken_is_told(line: Line, status: int, error: type[MessengerError]) -> None:
    """Too large is too large; anything else may go through another time. No redirect is followed."""
    line.names(f"{line.slack.url}/upload/v1/abc")
    line.slack.on("POST", "/upload/v1/abc", web.Response(status=status, headers={"Location": "/elsewhere"}))
    with pytest.raises(MessengerError) as raised:
        await line.upload()
    assert type(raised.value) is error
    assert (raised.value.code == "file_upload_size_restricted") is (status == 413)
    assert "/upload/v1/abc" not in str(raised.value)


async def test_a_lost_answer_to_the_address_asks_for_another(line: Line) -> None:
    """Nothing was shown, so it may be asked again without a look."""
    line.slack.on("POST", URL_FOR, BROKEN["a reset"])
    with pytest.raises(MessengerBusyError):
        await line.upload()


async def test_a_completion_that_names_the_link_is_enough(line: Line) -> None:
    """Its answer may lack the shares, which come later."""
    line.slack.on("POST", COMPLETE, says({"ok": True, "files": [{"id": "F1", "permalink": LINK, "shares": {}}]}))
    assert await line.share() == Shared(permalink=LINK)
    assert line.slack.count("GET", INFO) == 0


async def test_a_completion_that_names_an_id_alone_is_looked_up(line: Line) -> None:
    """The documented answer holds nothing but id and title."""
    line.slack.on("POST", COMPLETE, says({"ok": True, "files": [{"id": "F1", "title": "r.zip"}]}))
    line.slack.on("GET", INFO, info(permalink=LINK, shares=SHARES))
    assert await line.share() == Shared(permalink=LINK, ts="1700000000.000100")


@pytest.mark.parametrize("kind", ["a web page", "half a document", "nothing", "HTTP 500", "a reset"])
async def test_a_completion_of_unclear_fate_is_never_called_refused(line: Line, kind: str) -> None:
    """It may have been carried out."""
    answer: Answer = BROKEN[kind]
    line.slack.on("POST", COMPLETE, answer)
    with pytest.raises(AmbiguousSendError):
        await line.share()
    assert line.slack.count("POST", COMPLETE) == 1


async def test_a_look_tells_what_was_shared_and_what_surely_was_not(line: Line) -> None:
    """Found with its share; unknown to Slack."""
    line.slack.on("GET", INFO, info(permalink=LINK, shares=SHARES), says({"ok": False, "error": "file_not_found"}))
    assert await line.messenger.find_share("F1") == Shared(permalink=LINK, ts="1700000000.000100")
    assert await line.messenger.find_share("F1") is None


@pytest.mark.parametrize(
    "answer",
    [
        info(permalink=LINK, shares={}),
        info(permalink=LINK),
        info(permalink=LINK, shares={"private": {"G0SECRET01": []}}),
        info(shares=SHARES),
        says({"ok": True}),
        says({"ok": False, "error": "access_denied"}),
        says({"ok": False, "error": "missing_scope"}),
    ],
)
async def test_a_look_that_does_not_tell_leaves_it_in_doubt(line: Line, answer: web.Response) -> None:
    """Neither shared nor surely not: it is looked at again, and not completed once more."""
    line.slack.on("GET", INFO, answer)
    with pytest.raises(AmbiguousSendError):
        await line.messenger.find_share("F1")


async def test_a_scope_that_lacks_is_a_refusal_of_the_file_alone(line: Line) -> None:
    """An app that was installed before files were shared: nobody waits for its operator because of them."""
    line.slack.on("POST", URL_FOR, says({"ok": False, "error": "missing_scope"}))
    with pytest.raises(MessengerError) as raised:
        await line.upload()
    assert type(raised.value) is MessengerError
    assert raised.value.code == "missing_scope"


async def test_the_words_at_a_file_are_said_in_the_language_of_the_moment(line: Line) -> None:
    """A comment is a sentence until it goes out."""
    heard: list[str] = []

    def complete(request: web.Request) -> web.Response:
        heard.append(request.query["initial_comment"])
        return says({"ok": True, "files": [{"id": "F1", "permalink": LINK, "shares": SHARES}]})

    line.slack.on("POST", COMPLETE, complete)
    comment = _("left by {who}", who="ada")
    with speaking(Loud()):
        await line.messenger.share("F1", "G0SECRET01", title="r.zip", comment=comment, thread_ts=None)
    assert heard == ["LEFT BY ada"]
