"""Files in this Slack: an address for the bytes, the bytes, the completion; and who may open what was shared."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import Slack, manifest
from tests.sandbox.slack_app import client_for

TRAININGS, GENERAL, OLD = "C0TRAIN001", "C0GENERAL1", "C0OLD00001"
AUTHORIZATION = "Authorization"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A Slack, the app's client, and a session for everything else."""

    slack: Slack
    client: AsyncWebClient
    session: ClientSession

    async def upload(self, data: bytes = b"abc", *, length: int | None = None) -> str:
        """The id of a file whose bytes were sent."""
        announced = await self.client.files_getUploadURLExternal(filename="r.zip", length=length or len(data))
        assert await self.send(announced["upload_url"], data) == 200
        return str(announced["file_id"])

    async def send(self, address: str, data: bytes) -> int:
        async with self.session.post(address, data=data) as reply:
            return reply.status

    async def complete(self, file_id: str, channel: str = TRAININGS, **where: Any) -> Any:
        return await self.client.files_completeUploadExternal(files=[{"id": file_id}], channel_id=channel, **where)

    async def get(self, address: str, **options: Any) -> tuple[int, bytes]:
        async with self.session.get(address, allow_redirects=False, **options) as reply:
            return reply.status, await reply.read()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with Slack(limits="off", manifest=manifest.default()) as slack, ClientSession() as session:
        yield Desk(slack=slack, client=client_for(slack, session), session=session)


async def refusal(call: Any) -> str:
    with pytest.raises(SlackApiError) as raised:
        await call
    return str(raised.value.response["error"])


async def test_the_official_clients_own_upload_works(desk: Desk) -> None:
    """The three steps as the SDK makes them."""
    await desk.client.files_upload_v2(channel=TRAININGS, content="hello", filename="a.txt", initial_comment="see")
    [message] = desk.slack.messages(TRAININGS)
    assert message.text == "see"
    assert message.files is not None
    assert message.files[0]["size"] == 5


async def test_nothing_is_there_before_the_completion(desk: Desk) -> None:
    """A file that was announced or sent is seen by nobody, files.info included."""
    file_id = await desk.upload()
    assert desk.slack.messages(TRAININGS) == []
    assert await refusal(desk.client.files_info(file=file_id)) == "file_not_found"
    await desk.complete(file_id)
    told = (await desk.client.files_info(file=file_id))["file"]["shares"]["public"][TRAININGS]
    assert told[0]["ts"] == desk.slack.messages(TRAININGS)[0].ts


async def test_shares_are_told_by_files_info_alone(desk: Desk) -> None:
    """The completion does not wait for them, so nobody may count on them in its answer."""
    reply = await desk.complete(await desk.upload())
    assert reply["files"][0]["shares"] == {}


async def test_it_stands_in_a_thread_without_metadata(desk: Desk) -> None:
    """A share is a message of its own form."""
    root = (await desk.client.chat_postMessage(channel=TRAININGS, text="card"))["ts"]
    await desk.complete(await desk.upload(), thread_ts=root, initial_comment="below")
    listed = (await desk.client.conversations_replies(channel=TRAININGS, ts=root, include_all_metadata=True))[
        "messages"
    ]
    assert listed[1]["text"] == "below"
    assert listed[1]["upload"] is True
    assert "metadata" not in listed[1]


@pytest.mark.parametrize("length", [0, -1, "many"])
async def test_a_length_is_a_number_above_zero(desk: Desk, length: Any) -> None:
    """An upload is announced with its size."""
    assert await refusal(desk.client.files_getUploadURLExternal(filename="a", length=length)) == "invalid_arguments"


async def test_a_file_of_more_than_a_gigabyte_is_refused(desk: Desk) -> None:
    """At once, before anything is sent."""
    call = desk.client.files_getUploadURLExternal(filename="a", length=1024**3 + 1)
    assert await refusal(call) == "file_upload_size_restricted"


async def test_an_address_takes_the_announced_length_once(desk: Desk) -> None:
    """More or fewer bytes, a second time, or an address of nobody: refused."""
    announced = await desk.client.files_getUploadURLExternal(filename="a", length=3)
    assert await desk.send(announced["upload_url"], b"abcd") == 400
    assert await desk.send(announced["upload_url"], b"abc") == 200
    assert await desk.send(announced["upload_url"], b"abc") == 400
    assert await desk.send(announced["upload_url"] + "0", b"abc") == 400


async def test_only_what_was_sent_is_completed(desk: Desk) -> None:
    """An unknown id, and one whose bytes are missing."""
    announced = await desk.client.files_getUploadURLExternal(filename="a", length=3)
    assert await refusal(desk.complete(announced["file_id"])) == "file_not_found"
    assert await refusal(desk.complete("F0NOBODY01")) == "file_not_found"


@pytest.mark.parametrize(
    ("channel", "code"),
    [(GENERAL, "not_in_channel"), (OLD, "posting_to_channel_denied"), ("C0NOWHERE1", "channel_not_found")],
)
async def test_it_is_shared_where_the_bot_is(desk: Desk, channel: str, code: str) -> None:
    """A bot shares in its own conversations."""
    assert await refusal(desk.complete(await desk.upload(), channel)) == code


async def test_a_file_opens_for_members_and_for_the_app(desk: Desk) -> None:
    """Its permalink leads to the message; the bytes go to members, and to the app's token."""
    secret = desk.slack.create_channel("secret", "ada", "switchyard", private=True)
    reply = await desk.complete(await desk.upload(b"abc"), secret.id)
    file = reply["files"][0]
    assert (await desk.get(file["permalink"]))[0] == 302
    assert await desk.get(file["permalink"], params={"as": "U0ADA00001"}) == (200, b"abc")
    assert (await desk.get(file["permalink"], params={"as": "U0DAN00001"}))[0] == 403
    status, page = await desk.get(file["url_private"])
    assert (status, b"Sign in" in page) == (200, True)
    token = {"Authorization": f"Bearer {desk.slack.bot_token}"}
    assert await desk.get(file["url_private"], headers=token) == (200, b"abc")


async def given(desk: Desk, channel: str = TRAININGS) -> Any:
    """A file of Ada's in a conversation, as the message shows it."""
    message = await desk.slack.person("ada").upload("churn data.csv", b"a,b\n1,2\n", channel)
    assert message.files is not None
    return message.files[0]


async def test_a_person_uploads_a_file(desk: Desk) -> None:
    """The message shows it, files.info tells where it is and whose, and its address hands it to the app's token."""
    file = await given(desk)
    told = (await desk.client.files_info(file=file["id"]))["file"]
    assert (told["name"], told["user"], told["size"]) == ("churn data.csv", "U0ADA00001", 8)
    assert (told["channels"], told["groups"], told["ims"]) == ([TRAININGS], [], [])
    token = {AUTHORIZATION: f"Bearer {desk.slack.bot_token}"}
    assert await desk.get(told["url_private_download"], headers=token) == (200, b"a,b\n1,2\n")
    wrong = {AUTHORIZATION: "Bearer xoxb-other"}
    assert b"Sign in" in (await desk.get(told["url_private_download"], headers=wrong))[1]


async def test_the_app_sees_the_files_of_its_conversations(desk: Desk) -> None:
    """One that is shared elsewhere is none for it; a deleted one is told as such, and hands out nothing."""
    elsewhere = await given(desk, GENERAL)
    assert await refusal(desk.client.files_info(file=elsewhere["id"])) == "file_not_found"
    token = {AUTHORIZATION: f"Bearer {desk.slack.bot_token}"}
    assert (await desk.get(elsewhere["url_private_download"], headers=token))[0] == 404
    here = await given(desk)
    desk.slack.person("ada").delete_file(here["id"])
    assert await refusal(desk.client.files_info(file=here["id"])) == "file_deleted"
    assert (await desk.get(here["url_private_download"], headers=token))[0] == 404


async def test_each_step_needs_its_scope() -> None:
    """Writing for the upload, reading for the look."""
    scopes = frozenset({"chat:write"})
    async with Slack(limits="off", scopes=scopes) as slack, ClientSession() as session:
        client = client_for(slack, session)
        assert await refusal(client.files_getUploadURLExternal(filename="a", length=3)) == "missing_scope"
        assert await refusal(client.files_completeUploadExternal(files=[{"id": "F1"}])) == "missing_scope"
        assert await refusal(client.files_info(file="F1")) == "missing_scope"
