"""The file that a training leaves: in the card's thread, once, for those who may read the conversation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from bot.domain.jobs import JobState
from sandbox.slack.workspace import Message
from tests.flows.lab import CHANNEL, Lab, lab, shown, until
from tests.short import short

COMPLETE, UPLOAD_URL, INFO = "files.completeUploadExternal", "files.getUploadURLExternal", "files.info"
LOST = [(fault, method) for fault in ("drop_request", "drop_reply") for method in (UPLOAD_URL, "upload", COMPLETE)]
LINK = "for those who may read this conversation"


def shared(here: Lab, channel: str = CHANNEL) -> list[Message]:
    """The messages that show a file."""
    return [one for one in here.world.slack.messages(channel) if one.files]


def file_of(message: Message) -> dict[str, Any]:
    [file] = message.files or ()
    return file


async def trained(here: Lab, line: str = "/train sony churn", **where: str) -> None:
    await here.type(line, **where)
    await here.reaches(JobState.OFFERED)
    await here.looked(here.world.services.sony, 0)
    await here.quiet()


async def has_shared(here: Lab, channel: str = CHANNEL) -> Message:
    await here.world.slack.wait_for(lambda: shared(here, channel), timeout=30, what="the file")
    await here.quiet()
    [message] = shared(here, channel)
    return message


def links(message: Message) -> list[str]:
    """The addresses that a message links to."""
    return [part["url"] for part in _parts(message.blocks) if part.get("type") == "link"]


def _parts(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list | tuple):
        return [part for one in value for part in _parts(one)]
    if isinstance(value, dict):
        return [value, *(part for one in value.values() for part in _parts(one))]
    return []


async def opened(here: Lab, link: str, who: str) -> tuple[int, bytes]:
    """What somebody gets who opens the link."""
    async with ClientSession() as session, session.get(link, params={"as": here.person(who).id}) as reply:
        return reply.status, await reply.read()


async def test_the_file_stands_in_the_cards_thread_and_is_linked(tmp_path: Path) -> None:
    """Card and prompt carry the link; behind it are the bytes that the service left."""
    async with lab(tmp_path) as here:
        await trained(here)
        message = await has_shared(here)
        card, prompt = here.cards()[0], await here.asked("May the trained model go live?")
        assert message.thread_ts == card.ts
        job = await here.job()
        kept = here.bot.deps.files.result(job.id).read_bytes()
        file = file_of(message)
        assert (file["name"], file["size"]) == (f"sony-churn-{job.id}-result.zip", len(kept))
        for place in (await here.changed(card, LINK), await here.changed(prompt, LINK)):
            assert links(place) == [file["permalink"]]
        assert await opened(here, file["permalink"], "ada") == (200, kept)


async def test_only_people_of_the_conversation_can_open_it(tmp_path: Path) -> None:
    """In a private channel, nobody else gets the bytes; nothing was made public."""
    async with lab(tmp_path) as here:
        secret = here.world.slack.create_channel("secret", "ada", "bora", "switchyard", private=True)
        await trained(here, channel=secret.id)
        file = file_of(await has_shared(here, secret.id))
        assert (await opened(here, file["permalink"], "bora"))[0] == 200
        assert (await opened(here, file["permalink"], "dan"))[0] == 403
        assert (file["is_public"], file["public_url_shared"]) == (False, False)
        assert shared(here) == []


@pytest.mark.proof
async def test_in_a_direct_message_it_is_shared_there(tmp_path: Path) -> None:
    """The file goes where the card is."""
    async with lab(tmp_path) as here:
        direct = here.person("ada").dm()
        await trained(here, channel=direct.id)
        message = await has_shared(here, direct.id)
        assert message.thread_ts is not None


@pytest.mark.parametrize(("fault", "method"), short(LOST, ("drop_reply", COMPLETE)))
async def test_a_lost_request_or_answer_at_any_step_shares_it_once(tmp_path: Path, method: str, fault: str) -> None:
    """Nobody sees a file before its completion; a completion of unclear fate is looked up before it is repeated."""
    async with lab(tmp_path) as here:
        await here.world.slack.switch(fault, {"method": method})
        await trained(here)
        await has_shared(here)
        dropped = [call for call in here.world.slack.calls_of(method) if call.dropped]
        assert dropped
        if (method, fault) == (COMPLETE, "drop_reply"):
            assert len(here.world.slack.calls_of(COMPLETE)) == 1
            assert len(here.world.slack.calls_of(INFO)) == 1


async def test_the_id_of_the_file_is_committed_before_it_is_shown(tmp_path: Path) -> None:
    """The bot ends before it knows what became of the completion: the next one looks under the id that was kept."""
    async with lab(tmp_path) as here:
        await here.world.slack.switch("drop_reply", {"method": COMPLETE})
        await here.world.slack.switch("rate_limited", {"method": INFO, "retry_after": 600})
        await here.type("/train sony churn")
        await here.world.slack.wait_for(lambda: shared(here), timeout=30, what="the file")
        [(body,)] = await here.rows("SELECT body FROM notices WHERE kind = 'file'")
        assert json.loads(body)["file_id"] == file_of(shared(here)[0])["id"]
        await here.world.slack.wait_for(lambda: here.world.slack.calls_of(INFO), timeout=30, what="the look")
        await here.restart()
        here.time.advance(minutes=11)
        await here.quiet()
        assert len(shared(here)) == len(here.world.slack.calls_of(COMPLETE)) == 1
        assert len(here.world.slack.calls_of(INFO)) == 2
        assert links(await here.changed(here.cards()[0], LINK))


async def test_a_completion_that_cannot_be_looked_up_is_not_repeated(tmp_path: Path) -> None:
    """Where Slack does not tell what became of it, it waits."""
    async with lab(tmp_path) as here:
        here.refusals |= {"access_denied"}
        await here.world.slack.switch("drop_reply", {"method": COMPLETE})
        await here.world.slack.switch("fail", {"method": INFO, "error": "access_denied", "times": 2})
        await here.type("/train sony churn")

        async def was_looked_up() -> bool:
            here.time.advance(seconds=1)
            return len(here.world.slack.calls_of(INFO)) >= 3

        await until(was_looked_up)
        await here.quiet()
        assert len(shared(here)) == len(here.world.slack.calls_of(COMPLETE)) == 1


REFUSED = {
    (UPLOAD_URL, "file_upload_size_restricted"): "it is larger than Slack takes here",
    (UPLOAD_URL, "file_uploads_disabled"): "the workspace allows no files",
    (UPLOAD_URL, "missing_scope"): "its operator installs it anew with the scopes of the manifest",
    (COMPLETE, "file_type_not_allowed"): "the workspace does not allow this kind of file",
    (COMPLETE, "file_not_found"): "Slack refused: file_not_found",
}


@pytest.mark.parametrize(
    ("method", "code"), short(REFUSED, (UPLOAD_URL, "missing_scope"), (COMPLETE, "file_type_not_allowed"))
)
async def test_what_slack_does_not_take_is_said_on_the_card(tmp_path: Path, method: str, code: str) -> None:
    """Nothing is dropped in silence, and the decision on the switch does not wait for a file."""
    async with lab(tmp_path) as here:
        here.refusals |= {code}
        await here.world.slack.switch("fail", {"method": method, "error": code})
        await trained(here)
        card = await here.changed(here.cards()[0], REFUSED[method, code])
        assert "It could not be put into this conversation" in shown(card)
        assert "The service's result file is kept" in shown(card)
        assert shared(here) == []
        await here.press(await here.prompt(), "Approve", "bora")
        await here.reaches(JobState.LIVE)


@pytest.mark.proof
async def test_a_busy_slack_gets_it_later(tmp_path: Path) -> None:
    """A pause that Slack asks for delays the file and nothing else; its bytes are not sent twice."""
    async with lab(tmp_path) as here:
        await here.world.slack.switch("rate_limited", {"method": COMPLETE, "retry_after": 1})
        await trained(here)
        here.time.advance(seconds=2)
        await has_shared(here)
        assert len(here.world.slack.calls_of("upload")) == 1


async def test_a_channel_that_refuses_holds_the_file(tmp_path: Path) -> None:
    """The bot was taken out before the file came: it waits, and comes once the bot is back."""
    async with lab(tmp_path, training_seconds=600) as here:
        sony = here.world.services.sony
        await here.type("/train sony churn")
        await here.job(lambda one: one.look.status is not None)
        await here.quiet()
        here.world.slack.kick(CHANNEL, "switchyard")
        sony.act("finish", training=sony.trainings()[0]["id"])
        await here.job(lambda one: one.state is JobState.OFFERED)

        async def is_held() -> bool:
            return await here.rows("SELECT state FROM notices WHERE kind = 'file'") == [("held",)]

        await until(is_held)
        assert shared(here) == []
        here.world.slack.invite(CHANNEL, "switchyard")
        await has_shared(here)


async def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    """Somebody emptied the folder of results before the file could be shared."""
    async with lab(tmp_path) as here:
        busy = {"method": UPLOAD_URL, "error": "ratelimited", "times": 100_000}
        await here.world.slack.switch("fail", busy)
        await here.type("/train sony churn")
        job = await here.job(lambda one: "result_bytes" in one.look.notes)
        here.bot.deps.files.result(job.id).unlink()
        await here.world.slack.switch("fail", None)
        here.time.advance(seconds=2)
        assert "the kept file is gone" in shown(await here.changed(here.cards()[0], "could not be put"))
