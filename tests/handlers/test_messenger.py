"""What is said to Slack, and what is told of it: nothing twice, nothing lost, nothing before its time."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, web
from slack_sdk.web.async_client import AsyncWebClient

from bot.app import TRANSPORT
from bot.domain import contents
from bot.domain.changes import Button, Say
from bot.domain.contents import Note
from bot.domain.people import Person
from bot.errors import AmbiguousSendError, MessengerBusyError, MessengerError
from handlers.ids import NOTICE
from handlers.messenger import SlackMessenger
from handlers.views import blocks
from sandbox.clock import Clock
from sandbox.slack import Slack
from tests.handlers import samples
from tests.providers.scripted import BROKEN, Answer, Scripted, says, scripted

TRAININGS, GENERAL, OLD = "C0TRAIN001", "C0GENERAL1", "C0OLD00001"
HELLO = Note(text="hello")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A Slack and somebody who speaks to it, as fast as he likes unless a rate is given."""

    slack: Slack
    messenger: SlackMessenger

    async def post(self, notice_id: str = "n1", channel: str = TRAININGS, **where: Any) -> str:
        return await self.messenger.post(channel, HELLO, notice_id=notice_id, **where)

    async def find(self, notice_id: str = "n1", channel: str = TRAININGS, thread_ts: str | None = None) -> str | None:
        since = datetime.now(UTC) - timedelta(minutes=1)
        return await self.messenger.find(channel, notice_id, since=since, thread_ts=thread_ts)

    def url(self) -> str:
        path = self.slack.lab.responses.issue("commands", channel=TRAININGS, user=samples.ADA.user)
        return self.slack.base_url + path


def messenger_for(url: str, token: str, session: ClientSession, **options: Any) -> SlackMessenger:
    client = AsyncWebClient(token=token, base_url=url, session=session, retry_handlers=[])
    return SlackMessenger(client, TRANSPORT, **{"posts_per_second": 1000.0, **options})


@asynccontextmanager
async def connected(*, rate: float = 1000.0, now: Any = None, **options: Any) -> AsyncIterator[Line]:
    clocks = {"now": now} if now else {}
    async with Slack(limits="off", **options) as slack, ClientSession() as session:
        messenger = messenger_for(slack.api_url, slack.bot_token, session, posts_per_second=rate, **clocks)
        yield Line(slack=slack, messenger=messenger)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with connected() as made:
        yield made


# -- posts and edits --------------------------------------------------------------------------------------------------


async def test_a_post_carries_its_notice(line: Line) -> None:
    """The id in the metadata is how a message of unclear fate is found again; nothing in it unfurls."""
    ts = await line.post("n7")
    [message] = line.slack.messages(TRAININGS)
    assert message.ts == ts
    assert message.metadata == {"event_type": NOTICE, "event_payload": {"id": "n7"}}
    assert message.text == "hello"
    [call] = line.slack.calls_of("chat.postMessage")
    assert [str(call.args[key]).lower() for key in ("unfurl_links", "unfurl_media")] in (["false"] * 2, ["0"] * 2)


async def test_replies_stand_in_the_thread_and_ends_in_the_channel_too(line: Line) -> None:
    """A line belongs to its card; an end is broadcast."""
    root = await line.post("card")
    await line.post("line", thread_ts=root)
    await line.post("end", thread_ts=root, broadcast=True)
    _, reply, end = line.slack.messages(TRAININGS)
    assert (reply.thread_ts, reply.broadcast) == (root, False)
    assert (end.thread_ts, end.broadcast) == (root, True)


async def test_every_content_is_taken_by_slack(line: Line) -> None:
    """All cards, lines and questions go through as blocks: Slack's own checks refuse none of them."""
    for number, content in enumerate(samples.contents("모델 <!channel> `x`")):
        ts = await line.messenger.post(TRAININGS, content, notice_id=f"n{number}")
        await line.messenger.edit(TRAININGS, ts, content)
    assert all(call.ok for call in line.slack.calls)
    assert all(message.blocks for message in line.slack.messages(TRAININGS))


async def test_an_edit_changes_the_message_in_place(line: Line) -> None:
    """A card is one message from its first version to its last, and stays findable."""
    ts = await line.post("n1")
    await line.messenger.edit(TRAININGS, ts, Note(text="changed"))
    [message] = line.slack.messages(TRAININGS)
    assert message.text == "changed"
    assert await line.find("n1") == ts


@pytest.mark.parametrize("code", ["invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long"])
async def test_blocks_that_slack_refuses_go_out_as_plain_text(line: Line, code: str) -> None:
    """A mistake in the looks of a message must not swallow the message."""
    await line.slack.switch("fail", {"method": "chat.postMessage", "error": code})
    content = samples.question(samples.prompt())
    ts = await line.messenger.post(TRAININGS, content, notice_id="n1")
    await line.slack.switch("fail", {"method": "chat.update", "error": code})
    await line.messenger.edit(TRAININGS, ts, content)
    [message] = line.slack.messages(TRAININGS)
    assert message.blocks is None
    assert "May the trained model go live?" in message.text
    assert "*my-model 3*" in message.text
    assert await line.find() == ts


# -- a message of unclear fate ----------------------------------------------------------------------------------------


async def test_a_lost_answer_is_told_and_the_message_is_found(line: Line) -> None:
    """The message stands there once although its answer never came: who looks, finds it, and posts no second one."""
    await line.slack.switch("drop_reply", {"method": "chat.postMessage"})
    with pytest.raises(AmbiguousSendError):
        await line.post()
    [message] = line.slack.messages(TRAININGS)
    assert await line.find() == message.ts
    assert len(line.slack.calls_of("chat.postMessage")) == 1


async def test_a_lost_request_is_told_and_nothing_is_found(line: Line) -> None:
    """From here it looks the same as a lost answer; the look-up tells that it may be said again."""
    await line.slack.switch("drop_request", {"method": "chat.postMessage"})
    with pytest.raises(AmbiguousSendError):
        await line.post()
    assert await line.find() is None
    assert line.slack.messages(TRAININGS) == []


async def test_an_answer_that_comes_too_late_is_a_lost_one() -> None:
    """A time-out says nothing about what happened."""
    impatient = ClientSession(timeout=ClientTimeout(total=0.1))
    async with Slack(limits="off") as slack, impatient as session:
        await slack.switch("delay", {"method": "chat.postMessage", "seconds": 0.3})
        with pytest.raises(AmbiguousSendError):
            await messenger_for(slack.api_url, slack.bot_token, session).post(TRAININGS, HELLO, notice_id="n1")


@pytest.mark.parametrize("code", ["internal_error", "fatal_error", "service_unavailable", "request_timeout"])
async def test_slacks_own_failures_leave_it_unclear(line: Line, code: str) -> None:
    """Slack says that something went wrong, not that nothing was posted."""
    await line.slack.switch("fail", {"method": "chat.postMessage", "error": code})
    with pytest.raises(AmbiguousSendError):
        await line.post()


async def test_a_look_goes_through_all_pages_of_a_channel(line: Line) -> None:
    """The message may lie far back: hundreds of others were written since."""
    ts = await line.post("n1")
    await line.post("n2")
    for number in range(430):
        line.slack.workspace.say(TRAININGS, samples.ADA.user, f"chatter {number}")
    assert await line.find("n1") == ts
    assert len(line.slack.calls_of("conversations.history")) == 3
    assert await line.find("n3") is None


async def test_a_look_goes_through_all_pages_of_a_thread(line: Line) -> None:
    """Thread lines are not part of the channel's history; those of a long thread come in pages as well."""
    root = await line.post("card")
    for number in range(430):
        line.slack.workspace.say(TRAININGS, samples.ADA.user, f"chatter {number}", thread_ts=root)
    ts = await line.post("line", thread_ts=root)
    assert await line.find("line", thread_ts=root) == ts
    assert len(line.slack.calls_of("conversations.replies")) == 3
    assert await line.find("line") is None
    assert await line.find("other", thread_ts=root) is None


async def test_only_our_own_metadata_counts(line: Line) -> None:
    """Another event's payload with the same id is another message."""
    await line.post("n2")
    [ours] = line.slack.messages(TRAININGS)
    metadata = {"event_type": "another_notice", "event_payload": {"id": "n1"}}
    line.slack.workspace.put(replace(ours, ts=line.slack.workspace.next_ts(), metadata=metadata))
    assert await line.find("n1") is None


async def test_a_look_goes_by_slacks_clock() -> None:
    """A machine whose clock is an hour ahead would otherwise look after the message, and post it again."""
    ahead = timedelta(hours=1)
    async with connected(now=lambda: datetime.now(UTC) + ahead) as line:
        await line.slack.switch("drop_reply", {"method": "chat.postMessage"})
        since = datetime.now(UTC) + ahead - timedelta(minutes=1)
        with pytest.raises(AmbiguousSendError):
            await line.post()
        [message] = line.slack.messages(TRAININGS)
        assert await line.messenger.find(TRAININGS, "n1", since=since, thread_ts=None) == message.ts


async def test_what_cannot_be_looked_up_stays_unclear(line: Line) -> None:
    """Without an answer to the look-up nobody may conclude that the message is not there."""
    for channel in (GENERAL, "C0NOWHERE1"):
        with pytest.raises(AmbiguousSendError, match="cannot be looked up"):
            await line.find(channel=channel)
    with pytest.raises(AmbiguousSendError, match="thread_not_found"):
        await line.find(thread_ts="1.000001")
    # aiohttp repeats a GET by itself where the connection had been used before.
    await line.slack.switch("drop_reply", {"method": "conversations.history", "times": 9})
    with pytest.raises(AmbiguousSendError):
        await line.find()
    async with connected(scopes=frozenset({"chat:write", "im:history"})) as blind:
        await blind.post()
        with pytest.raises(AmbiguousSendError, match="missing_scope"):
            await blind.find()


async def test_a_look_that_has_to_wait_waits(line: Line) -> None:
    """A look-up that Slack puts off is put off: neither an answer nor a refusal."""
    await line.slack.switch("rate_limited", {"method": "conversations.history", "retry_after": 7})
    with pytest.raises(MessengerBusyError) as caught:
        await line.find()
    assert caught.value.retry_after == 7


# -- when Slack cannot or will not ------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_nothing_was_posted_where_nobody_listens() -> None:
    """A refused connection is surely no post, so no look-up is needed before the next try."""
    async with ClientSession() as session:
        messenger = messenger_for(f"http://127.0.0.1:{closed_port()}/api/", "xoxb-1", session)
        for call in (
            messenger.post(TRAININGS, HELLO, notice_id="n1"),
            messenger.edit(TRAININGS, "1.000001", HELLO),
            messenger.find(TRAININGS, "n1", since=datetime.now(UTC), thread_ts=None),
            messenger.open_dm(samples.ADA.user),
            messenger.answer(f"http://127.0.0.1:{closed_port()}/commands/T/1/x", Say(text="x")),
        ):
            with pytest.raises(MessengerBusyError):
                await call


@pytest.mark.parametrize(
    ("channel", "code"), [(GENERAL, "not_in_channel"), ("C0NOWHERE1", "channel_not_found"), (OLD, "is_archived")]
)
async def test_a_refusal_is_told_with_slacks_word(line: Line, channel: str, code: str) -> None:
    """Whether a training is held is decided by this word."""
    with pytest.raises(MessengerError) as caught:
        await line.post(channel=channel)
    assert caught.value.code == code
    assert not isinstance(caught.value, AmbiguousSendError | MessengerBusyError)


async def test_an_edit_of_a_message_that_is_gone_is_refused(line: Line) -> None:
    """Somebody deleted the card: that is told, and not tried for ever."""
    with pytest.raises(MessengerError) as caught:
        await line.messenger.edit(TRAININGS, "1.000001", HELLO)
    assert caught.value.code == "message_not_found"


@pytest.mark.parametrize("code", ["token_revoked", "account_inactive", "invalid_auth", "missing_scope"])
async def test_a_bot_that_is_shut_out_waits_for_its_operator(line: Line, code: str) -> None:
    """Nothing is dropped because of a token: it is said later, when it can be."""
    await line.slack.switch("fail", {"method": "*", "error": code, "times": 2})
    for call in (line.post(), line.messenger.edit(TRAININGS, "1.000001", HELLO)):
        with pytest.raises(MessengerBusyError, match=code) as caught:
            await call
        assert caught.value.retry_after >= 60
    assert await line.post()


async def pause(call: Awaitable[object]) -> float:
    """The seconds that Slack is to be left alone, as a call tells that did not get through."""
    with pytest.raises(MessengerBusyError) as caught:
        await call
    return caught.value.retry_after


async def test_a_pause_that_slack_asks_for_holds_for_its_lane() -> None:
    """After a 429 no further call of that method and channel goes out before its time; others are not held up."""
    async with connected() as line:
        ts = await line.post("before")
        await line.slack.switch("rate_limited", {"method": "chat.postMessage", "retry_after": 30})
        await line.slack.switch("rate_limited", {"method": "chat.update", "retry_after": 20})
        pauses = [await pause(line.post("later")) for _ in range(3)]
        assert all(0 < seconds <= 30 for seconds in pauses)
        pauses = [await pause(line.messenger.edit(TRAININGS, ts, HELLO)) for _ in range(3)]
        assert all(0 < seconds <= 20 for seconds in pauses)
        assert len(line.slack.calls_of("chat.postMessage")) == 2
        assert len(line.slack.calls_of("chat.update")) == 1
        dm = await line.messenger.open_dm(samples.ADA.user)
        assert await line.post("elsewhere", channel=dm)


async def test_calls_that_wait_for_their_turn_hear_of_the_pause_too() -> None:
    """Seven posts at once: five go out, and the two that wait for the pace are stopped by the first one's 429."""
    async with connected(rate=4.0) as line:
        await line.slack.switch("rate_limited", {"method": "chat.postMessage", "retry_after": 30})
        posts = (line.post(f"n{number}") for number in range(7))
        ended = await asyncio.gather(*posts, return_exceptions=True)
        assert [isinstance(one, MessengerBusyError) for one in ended] == [True, *[False] * 4, True, True]
        assert len(line.slack.calls_of("chat.postMessage")) == 5


async def test_ends_and_questions_go_before_what_waits_for_the_same_channel() -> None:
    """A channel takes one message a second: behind many lines nobody would hear of an end or a question for minutes."""
    async with connected(rate=20.0) as line:
        end = next(one for one in samples.contents() if isinstance(one, contents.Line) and one.is_end)
        asked = samples.question(samples.prompt())
        names = [*(f"n{number}" for number in range(12)), "end", "asked"]
        told: list[contents.Content] = [*[HELLO] * 12, end, asked]
        shown = dict(zip(names, told, strict=True))
        posts = (line.messenger.post(TRAININGS, content, notice_id=name) for name, content in shown.items())
        await asyncio.gather(*posts)
        posted = [_notice_of(call.args) for call in line.slack.calls_of("chat.postMessage")]
        assert sorted(posted[:5]) == names[:5]
        assert posted[5:] == ["end", "asked", *names[5:12]]


def _notice_of(args: Mapping[str, Any]) -> str:
    metadata = args["metadata"]
    found = json.loads(metadata) if isinstance(metadata, str) else metadata
    return str(found["event_payload"]["id"])


async def test_after_the_pause_it_goes_on(line: Line) -> None:
    """A pause ends; what had to wait is posted."""
    await line.slack.switch("rate_limited", {"method": "chat.postMessage", "retry_after": 0})
    with pytest.raises(MessengerBusyError) as caught:
        await line.post()
    await asyncio.sleep(caught.value.retry_after + 0.01)
    assert await line.post()


async def test_ratelimited_in_a_body_is_the_same(line: Line) -> None:
    """Slack also says it with HTTP 200."""
    await line.slack.switch("fail", {"method": "chat.update", "error": "ratelimited"})
    with pytest.raises(MessengerBusyError):
        await line.messenger.edit(TRAININGS, "1.000001", HELLO)


async def test_what_may_be_repeated_is_busy_not_unclear(line: Line) -> None:
    """The same edit twice is one edit, and a direct message that is open opens once more."""
    ts = await line.post()
    await line.slack.switch("drop_reply", {"method": "chat.update"})
    with pytest.raises(MessengerBusyError):
        await line.messenger.edit(TRAININGS, ts, HELLO)
    await line.slack.switch("drop_reply", {"method": "conversations.open"})
    with pytest.raises(MessengerBusyError):
        await line.messenger.open_dm(samples.ADA.user)


# -- people and groups ------------------------------------------------------------------------------------------------


async def test_people_and_groups(line: Line) -> None:
    """A person is reached through the conversation with him, and a group is who is in it now."""
    dm = await line.messenger.open_dm(samples.ADA.user)
    assert dm.startswith("D")
    assert await line.messenger.open_dm(samples.ADA.user) == dm
    assert await line.messenger.members("S0MLOPS001") == {samples.BORA.user}
    with pytest.raises(MessengerError):
        await line.messenger.members("S0NOBODY01")


async def test_where_somebody_is(line: Line) -> None:
    """The name and the time zone that Slack has of a person, and whether they are a guest or one of the past."""
    users, bora = line.slack.workspace.users, samples.BORA.user
    assert await line.messenger.person(bora) == Person(id=bora, name="bora", zone="Asia/Seoul", locale="en-US")
    users[bora] = replace(users[bora], has_left=True)
    assert (await line.messenger.person(bora)).has_left
    users[bora] = replace(users[bora], guest=True)
    assert (await line.messenger.person(bora)).is_guest
    with pytest.raises(MessengerError):
        await line.messenger.person("U0NOBODY01")


async def test_which_conversations_everybody_may_read(line: Line) -> None:
    """A public channel, and neither a private one nor a direct message nor one that there is not."""
    channels = line.slack.workspace.channels
    channels["C0PRIVATE1"] = replace(channels[TRAININGS], id="C0PRIVATE1", name="private", kind="private")
    assert await line.messenger.is_public(TRAININGS)
    assert not await line.messenger.is_public("C0PRIVATE1")
    assert not await line.messenger.is_public(await line.messenger.open_dm(samples.ADA.user))
    with pytest.raises(MessengerError):
        await line.messenger.is_public("C0NOTHERE1")


async def test_the_address_of_a_message(line: Line) -> None:
    """Slack gives it for a message that stands, and refuses it for none."""
    ts = await line.post()
    assert ts.replace(".", "") in await line.messenger.permalink(TRAININGS, ts)
    with pytest.raises(MessengerError):
        await line.messenger.permalink(TRAININGS, "1.000000")


async def test_without_the_scope_nobody_is_waited_for(stage: tuple[Scripted, SlackMessenger]) -> None:
    """An app that was installed before may not read time zones: that is known at once."""
    service, messenger = stage
    service.on("GET", "/api/users.info", says({"ok": False, "error": "missing_scope"}))
    with pytest.raises(MessengerError) as refused:
        await messenger.person(samples.ADA.user)
    assert not isinstance(refused.value, MessengerBusyError)


async def test_everybody_in_a_channel_however_many(line: Line) -> None:
    """The members of a channel are read page by page, to the last."""
    channels = line.slack.workspace.channels
    many = tuple(f"U0PERSON{number:03}" for number in range(450))
    channels[TRAININGS] = replace(channels[TRAININGS], members=channels[TRAININGS].members + many)
    assert set(many) < await line.messenger.members(TRAININGS)
    assert len(line.slack.calls_of("conversations.members")) > 1
    with pytest.raises(MessengerError):
        await line.messenger.members("C0NOWHERE1")


# -- answers through a response_url -----------------------------------------------------------------------------------


async def test_an_answer_is_seen_by_one_person(line: Line) -> None:
    """It adds a message that only the asker sees, with its buttons, and replaces none."""
    button = Button(label="Use my DM", action="use_dm", value="j2345ab", is_primary=True)
    await line.messenger.answer(line.url(), Say(text="Held.", buttons=(button,)))
    [told] = line.slack.ephemerals(samples.ADA.user)
    assert told.text == "Held."
    assert told.blocks is not None
    assert told.blocks[-1]["elements"][0]["value"] == "j2345ab"
    page = [{"type": "section", "text": {"type": "mrkdwn", "text": "a page"}}]
    await line.messenger.answer(line.url(), Say(text="Trainings"), page)
    [_, shown] = line.slack.ephemerals(samples.ADA.user)
    assert shown.blocks is not None
    assert shown.blocks[0]["text"]["text"] == "a page"


async def test_an_answer_that_slack_does_not_take_goes_out_in_words(line: Line) -> None:
    """A picture that Slack refuses must not cost the answer: what its table says is sent as text, without its marks."""
    table = blocks.table(["Model", "Asked by"], [[blocks.cell("<!channel>"), blocks.person_cell(samples.ADA.user)]])
    chart = blocks.chart("bar", "Took", ["one"], {"s": [1.0]}, across="x", up="y")
    await line.slack.switch("fail", {"method": "response_url", "times": 1, "error": "invalid_blocks"})
    await line.messenger.answer(line.url(), Say(text="Durations"), [chart, table])
    [told] = line.slack.ephemerals(samples.ADA.user)
    assert not told.blocks
    assert told.text == f"Durations\nModel | Asked by\n&lt;!channel&gt; | <@{samples.ADA.user}>"
    await line.messenger.answer(line.url(), Say(text="Durations"), [chart, table])
    assert [block["type"] for block in line.slack.ephemerals(samples.ADA.user)[-1].blocks or ()] == [
        "data_visualization",
        "table",
    ]


async def test_a_response_url_wears_off(line: Line) -> None:
    """Five answers, then Slack takes none: it is refused, and not tried for ever."""
    url = line.url()
    for _ in range(5):
        await line.messenger.answer(url, Say(text="x"))
    with pytest.raises(MessengerError) as caught:
        await line.messenger.answer(url, Say(text="x"))
    assert not isinstance(caught.value, MessengerBusyError)
    assert len(line.slack.ephemerals(samples.ADA.user)) == 5


async def test_a_response_url_runs_out() -> None:
    """After thirty minutes the answer has no place any more."""
    clock = Clock()
    async with connected(clock=clock) as line:
        url = line.url()
        clock.advance(31 * 60)
        with pytest.raises(MessengerError, match="404") as caught:
            await line.messenger.answer(url, Say(text="x"))
        assert not isinstance(caught.value, MessengerBusyError)
        assert url not in str(caught.value)


async def test_an_answer_of_unclear_fate_is_given_again(line: Line) -> None:
    """Only its reader sees an answer, so twice is better than never."""
    url = line.url()
    for switch in ("drop_request", "drop_reply"):
        await line.slack.switch(switch, {"method": "response_url"})
        with pytest.raises(MessengerBusyError):
            await line.messenger.answer(url, Say(text="x"))
    await line.slack.switch("rate_limited", {"method": "response_url", "retry_after": 9})
    with pytest.raises(MessengerBusyError) as caught:
        await line.messenger.answer(url, Say(text="x"))
    assert caught.value.retry_after == 9


# -- answers that are none --------------------------------------------------------------------------------------------


@pytest.fixture
async def stage() -> AsyncIterator[tuple[Scripted, SlackMessenger]]:
    """Something that stands where Slack should, and says whatever it is told."""
    async with scripted() as service, ClientSession() as session:
        yield service, messenger_for(f"{service.url}/api/", "xoxb-1", session)


NO_ANSWERS: dict[str, Answer] = {
    **BROKEN,
    "ok with another ts": says({"ok": True, "ts": 12.5}),
    "plain text": web.Response(text="ok"),
    "no text": web.Response(body=b"\xff\xfe\x00", content_type="application/json", charset="utf-8"),
    "null": says(None),
    "not ok without a word": says({"ok": False}),
    "HTTP 404": web.Response(status=404, text="<html></html>", content_type="text/html"),
}


async def test_a_refusal_with_a_good_status_is_one(stage: tuple[Scripted, SlackMessenger]) -> None:
    """Slack says no to a method with HTTP 200, and may to an answer too: the words go out, and where they are refused
    as well, it is no success."""
    service, messenger = stage
    service.on("POST", "/answer", says({"ok": False, "error": "invalid_blocks"}))
    with pytest.raises(MessengerError, match="400"):
        await messenger.answer(f"{service.url}/answer", Say(text="x"), [{"type": "divider"}])
    assert service.count("POST", "/answer") == 2


@pytest.mark.parametrize("case", NO_ANSWERS)
async def test_an_unreadable_answer_leaves_a_post_unclear(stage: tuple[Scripted, SlackMessenger], case: str) -> None:
    """A proxy's page or half an answer says nothing about the message: it is looked up before it is said again."""
    service, messenger = stage
    service.on("POST", "/api/chat.postMessage", NO_ANSWERS[case])
    with pytest.raises(AmbiguousSendError):
        await messenger.post(TRAININGS, HELLO, notice_id="n1")
    assert service.count("POST", "/api/chat.postMessage") == 1


@pytest.mark.parametrize("case", NO_ANSWERS)
async def test_an_unreadable_answer_ends_no_tick(stage: tuple[Scripted, SlackMessenger], case: str) -> None:
    """Edits, look-ups, groups and direct messages survive it as well: each says that it did not work."""
    service, messenger = stage
    for method in ("chat.update", "conversations.open"):
        service.on("POST", f"/api/{method}", NO_ANSWERS[case])
    for method in ("conversations.history", "usergroups.users.list", "users.info"):
        service.on("GET", f"/api/{method}", NO_ANSWERS[case])
    if case not in ("no model", "ok with another ts"):
        with pytest.raises(MessengerBusyError):
            await messenger.edit(TRAININGS, "1.000001", HELLO)
    with pytest.raises(MessengerBusyError):
        await messenger.open_dm(samples.ADA.user)
    with pytest.raises(MessengerError):
        await messenger.members("S0MLOPS001")
    with pytest.raises(MessengerError):
        await messenger.person(samples.ADA.user)
    with pytest.raises(AmbiguousSendError):
        await messenger.find(TRAININGS, "n1", since=datetime.now(UTC), thread_ts=None)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "3"}, 3), ({}, 1), ({"Retry-After": "soon"}, 30), ({"Retry-After": "nan"}, 0.1),
     ({"Retry-After": "-5"}, 0.1), ({"Retry-After": "1e300"}, 3600)],
)  # fmt: skip
async def test_any_429_is_a_pause(
    stage: tuple[Scripted, SlackMessenger], headers: dict[str, str], seconds: float
) -> None:
    """Whatever stands beside it, also a web page: a pause within reason."""
    service, messenger = stage
    page = web.Response(status=429, text="<html>slow down</html>", content_type="text/html", headers=headers)
    service.on("POST", "/api/chat.postMessage", page)
    service.on("POST", "/commands/T/1/x", page)
    with pytest.raises(MessengerBusyError) as posting:
        await messenger.post(TRAININGS, HELLO, notice_id="n1")
    with pytest.raises(MessengerBusyError) as answering:
        await messenger.answer(f"{service.url}/commands/T/1/x", Say(text="x"))
    assert posting.value.retry_after == answering.value.retry_after == seconds


@pytest.mark.parametrize("case", ["HTTP 500", "HTTP 503", "a reset"])
async def test_an_answer_is_kept_while_slack_is_broken(stage: tuple[Scripted, SlackMessenger], case: str) -> None:
    """What is wrong with Slack passes; the answer is given then."""
    service, messenger = stage
    service.on("POST", "/commands/T/1/x", NO_ANSWERS[case])
    with pytest.raises(MessengerBusyError):
        await messenger.answer(f"{service.url}/commands/T/1/x", Say(text="x"))


@pytest.mark.parametrize("date", ["Sat, 21 Nov 2026 12:00:00 -0000", "yesterday", "", "99"])
async def test_a_strange_date_of_slack_is_passed_over(stage: tuple[Scripted, SlackMessenger], date: str) -> None:
    """The clocks are compared where they can be; a post does not fail for it."""
    service, messenger = stage
    service.on("POST", "/api/chat.postMessage", says({"ok": True, "ts": "1.000001"}, Date=date))
    assert await messenger.post(TRAININGS, HELLO, notice_id="n1") == "1.000001"
