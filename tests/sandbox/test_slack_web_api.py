"""The Web API alone: who may call, with what, and what Slack answers to the rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession, FormData

from sandbox.clock import Clock
from sandbox.slack import Slack, manifest
from sandbox.slack.limits import Limits
from tests.sandbox.slack_app import client_for

TRAININGS, GENERAL, OLD = "C0TRAIN001", "C0GENERAL1", "C0OLD00001"


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack(limits="off", manifest=manifest.default()) as slack:
        yield slack


class Caller:
    """Calls as the bot does, with JSON, and gives back the body."""

    def __init__(self, slack: Slack, session: ClientSession) -> None:
        self.slack, self.session = slack, session

    async def __call__(self, method: str, **args: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.slack.bot_token}"}
        async with self.session.post(self.slack.api_url + method, json=args, headers=headers) as reply:
            body: dict[str, Any] = await reply.json()
        return body


@pytest.fixture
def call(slack: Slack, session: ClientSession) -> Caller:
    return Caller(slack, session)


# Who calls


@pytest.mark.parametrize(
    ("method", "token", "error"),
    [
        ("auth.test", None, "not_authed"),
        ("auth.test", "xoxb-wrong", "invalid_auth"),
        ("auth.test", "app", "not_allowed_token_type"),
        ("apps.connections.open", "bot", "not_allowed_token_type"),
        ("chat.postMessage", "app", "not_allowed_token_type"),
        ("chat.makeCoffee", "bot", "unknown_method"),
    ],
)
async def test_each_method_takes_its_own_token_only(
    slack: Slack, session: ClientSession, method: str, token: str | None, error: str
) -> None:
    """The bot's token opens no socket and the app's token posts nothing; without a token nothing goes."""
    known = {"app": slack.app_token, "bot": slack.bot_token}
    headers = {"Authorization": f"Bearer {known.get(token, token)}"} if token else {}
    async with session.post(slack.api_url + method, headers=headers) as reply:
        assert reply.status == 200
        assert (await reply.json())["error"] == error


async def test_a_missing_scope_is_named_and_the_granted_ones_are_listed(session: ClientSession) -> None:
    """An app finds in the refusal what it lacks, and in a header what it has."""
    granted = frozenset({"chat:write", "commands"})
    async with Slack(scopes=granted) as slack:
        headers = {"Authorization": f"Bearer {slack.bot_token}"}
        async with session.get(slack.api_url + "users.info?user=U0ADA00001", headers=headers) as reply:
            body = await reply.json()
            assert (body["error"], body["needed"], body["provided"]) == (
                "missing_scope",
                "users:read",
                "chat:write,commands",
            )
            assert reply.headers["x-oauth-scopes"] == "chat:write,commands"
            assert reply.headers["x-accepted-oauth-scopes"] == "users:read"


async def test_the_kind_of_conversation_decides_the_scope(session: ClientSession) -> None:
    """With channels:history alone, a direct conversation cannot be read."""
    async with Slack(scopes=frozenset({"channels:history", "chat:write"}), limits="off") as slack:
        call = Caller(slack, session)
        dm = (await call("chat.postMessage", channel="U0ADA00001", text="hello"))["channel"]
        assert (await call("conversations.history", channel=TRAININGS))["ok"]
        refusal = await call("conversations.history", channel=dm)
        assert (refusal["error"], refusal["needed"]) == ("missing_scope", "im:history")


async def test_arguments_arrive_however_they_are_sent(slack: Slack, session: ClientSession) -> None:
    """slack_sdk mixes query, form, JSON and multipart; the token may be an argument too."""
    url, bearer = slack.api_url + "chat.postMessage", {"Authorization": f"Bearer {slack.bot_token}"}
    blocks = json.dumps([{"type": "divider"}])
    multipart = FormData()
    multipart.add_field("channel", TRAININGS)
    multipart.add_field("text", "multipart")
    multipart.add_field("blocks", blocks, content_type="application/json")
    sent: list[dict[str, Any]] = [
        {"params": {"channel": TRAININGS, "text": "query", "blocks": blocks}, "headers": bearer},
        {"data": {"channel": TRAININGS, "text": "form", "blocks": blocks, "token": slack.bot_token}},
        {"json": {"channel": TRAININGS, "text": "json", "blocks": [{"type": "divider"}]}, "headers": bearer},
        {"data": multipart, "headers": bearer},
    ]
    for arguments in sent:
        async with session.post(url, **arguments) as reply:
            assert (await reply.json())["ok"]
    said = slack.messages("trainings")
    assert [one.text for one in said] == ["query", "form", "json", "multipart"]
    assert all(one.blocks and one.blocks[0]["type"] == "divider" for one in said)
    assert all("token" not in one.args for one in slack.calls)


async def test_a_missing_argument_is_named(call: Caller) -> None:
    """Slack says which required field was not there."""
    refusal = await call("chat.update", channel=TRAININGS, text="x")
    assert refusal["error"] == "invalid_arguments"
    assert refusal["response_metadata"]["messages"] == ["[ERROR] missing required field: ts"]


# Where the bot may write


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        (GENERAL, "not_in_channel"),
        (OLD, "is_archived"),
        ("C0NOWHERE1", "channel_not_found"),
    ],
)
async def test_the_bot_posts_only_where_it_is(call: Caller, channel: str, error: str) -> None:
    """Posting needs membership in a living channel."""
    assert (await call("chat.postMessage", channel=channel, text="hello"))["error"] == error


async def test_a_private_channel_without_the_bot_does_not_exist_for_it(slack: Slack, call: Caller) -> None:
    """Slack does not give away that a private channel is there."""
    place = slack.create_channel("secret", "ada", "bora", private=True)
    for method in ("chat.postMessage", "conversations.info", "conversations.members", "conversations.history"):
        assert (await call(method, channel=place.id, text="x"))["error"] == "channel_not_found"
    slack.invite("secret", "switchyard")
    assert (await call("chat.postMessage", channel=place.id, text="x"))["ok"]


async def test_the_conversation_of_two_people_is_closed_to_the_bot(slack: Slack, call: Caller) -> None:
    """A command may be typed there, but the bot cannot post."""
    place = slack.person("ada").dm("bora")
    assert (await call("chat.postMessage", channel=place.id, text="x"))["error"] == "channel_not_found"


async def test_a_users_id_opens_a_direct_conversation(slack: Slack, call: Caller) -> None:
    """conversations.open and chat.postMessage to a person lead to the same place."""
    opened = await call("conversations.open", users="U0ADA00001", return_im=True)
    assert opened["channel"]["user"] == "U0ADA00001"
    posted = await call("chat.postMessage", channel="U0ADA00001", text="psst")
    assert posted["channel"] == opened["channel"]["id"] == slack.person("ada").dm().id
    assert posted["channel"].startswith("D")
    assert (await call("conversations.open", users="U0ADA00001"))["already_open"]
    assert (await call("conversations.open", users="U0NOBODY01"))["error"] == "user_not_found"


async def test_an_app_without_a_messages_tab_has_no_direct_messages(session: ClientSession) -> None:
    """The manifest decides whether people can be written to."""
    closed = manifest.Manifest(
        commands={}, scopes=frozenset({"chat:write"}), events=frozenset(), messages_tab=False, home_tab=False
    )
    async with Slack(manifest=closed) as slack:
        call = Caller(slack, session)
        refusal = await call("chat.postMessage", channel="U0ADA00001", text="x")
        assert refusal["error"] == "messages_tab_disabled"
        home = {"type": "home", "blocks": []}
        assert (await call("views.publish", user_id="U0ADA00001", view=home))["error"] == "not_enabled"


# What is said


async def test_text_is_stored_as_slack_stores_it(call: Caller) -> None:
    """Mentions and links stay as they are; the three special characters are escaped once."""
    sent = "<@U0ADA00001> R&D: a < b > c, &amp; <https://example.com|link> <!here>"
    posted = await call("chat.postMessage", channel=TRAININGS, text=sent)
    stored = "<@U0ADA00001> R&amp;D: a &lt; b &gt; c, &amp; <https://example.com|link> <!here>"
    assert posted["message"]["text"] == stored


async def test_nothing_to_say_is_refused_and_too_much_is_cut(call: Caller) -> None:
    """An empty post is refused; 40,000 characters are the end of a text, 4,000 that of an edit."""
    assert (await call("chat.postMessage", channel=TRAININGS))["error"] == "no_text"
    long = await call("chat.postMessage", channel=TRAININGS, text="x" * 40_001)
    assert (long["warning"], len(long["message"]["text"])) == ("message_truncated", 40_000)
    refusal = await call("chat.update", channel=TRAININGS, ts=long["ts"], text="x" * 4_001)
    assert refusal["error"] == "msg_too_long"


async def test_blocks_without_a_text_get_slacks_sentence(call: Caller) -> None:
    """A notification of such a message would say nothing, and so does its text."""
    posted = await call("chat.postMessage", channel=TRAININGS, blocks=[{"type": "divider"}])
    assert posted["message"]["text"] == "This content can't be displayed."
    assert posted["message"]["blocks"][0]["block_id"]


async def test_a_block_that_breaks_the_rules_is_named(call: Caller) -> None:
    """The refusal says what is wrong and where."""
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
    refusal = await call("chat.postMessage", channel=TRAININGS, text="x", blocks=blocks)
    assert refusal["error"] == "invalid_blocks"
    assert refusal["response_metadata"]["messages"] == [
        "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    ]
    assert (await call("chat.postMessage", channel=TRAININGS, blocks="[{"))["error"] == "invalid_blocks_format"
    many = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2800}}] * 5
    assert (await call("chat.postMessage", channel=TRAININGS, blocks=many))["error"] == "msg_blocks_too_long"


async def test_an_edit_keeps_what_it_does_not_speak_of(slack: Slack, call: Caller) -> None:
    """Blocks give way to a text alone, metadata stays; only words without blocks count as edited."""
    metadata = {"event_type": "notice", "event_payload": {"id": 7}}
    divider = [{"type": "divider"}]
    ts = (await call("chat.postMessage", channel=TRAININGS, text="a", blocks=divider, metadata=metadata))["ts"]
    kept = await call("chat.update", channel=TRAININGS, ts=ts, text="b", blocks=divider)
    assert "edited" not in kept["message"]
    plain = await call("chat.update", channel=TRAININGS, ts=ts, text="c")
    assert "blocks" not in plain["message"]
    assert plain["message"]["edited"]["user"] == "U0SWITCHY1"
    assert slack.messages("trainings")[0].metadata == metadata


async def test_only_the_bots_own_messages_can_be_changed(slack: Slack, call: Caller) -> None:
    """Somebody else's words are not the bot's."""
    said = await slack.person("ada").say("hello", TRAININGS)
    assert (await call("chat.update", channel=TRAININGS, ts=said.ts, text="x"))["error"] == "cant_update_message"
    assert (await call("chat.delete", channel=TRAININGS, ts=said.ts))["error"] == "cant_delete_message"
    assert (await call("chat.update", channel=TRAININGS, ts="1.000001", text="x"))["error"] == "message_not_found"


async def test_a_deleted_root_holds_its_replies(slack: Slack, call: Caller) -> None:
    """A message with a thread leaves a stone; one without goes for good."""
    root = (await call("chat.postMessage", channel=TRAININGS, text="root"))["ts"]
    reply = (await call("chat.postMessage", channel=TRAININGS, text="reply", thread_ts=root))["ts"]
    assert (await call("chat.delete", channel=TRAININGS, ts=root))["ok"]
    assert [one.subtype for one in slack.messages("trainings")] == ["tombstone", None]
    assert (await call("chat.delete", channel=TRAININGS, ts=reply))["ok"]
    assert [one.ts for one in slack.messages("trainings")] == [root]


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ("{", "invalid_metadata_format"),
        ([], "invalid_metadata_format"),
        ({"event_type": "x"}, "invalid_metadata_schema"),
        ({"event_payload": {}}, "invalid_metadata_schema"),
        ({"event_type": "x", "event_payload": {"long": "x" * 17_000}}, "metadata_too_large"),
    ],
)
async def test_metadata_has_a_type_and_a_payload(call: Caller, metadata: Any, error: str) -> None:
    """A look-up relies on metadata, so half of it is refused."""
    refusal = await call("chat.postMessage", channel=TRAININGS, text="x", metadata=metadata)
    assert refusal["error"] == error


async def test_an_ephemeral_reaches_a_member_alone(slack: Slack, call: Caller) -> None:
    """Nobody outside the channel can be whispered to."""
    shown = await call("chat.postEphemeral", channel=TRAININGS, user="U0DAN00001", text="psst")
    assert [one.id for one in slack.ephemerals("dan")] == [shown["message_ts"]]
    slack.kick("trainings", "dan")
    refusal = await call("chat.postEphemeral", channel=TRAININGS, user="U0DAN00001", text="psst")
    assert refusal["error"] == "user_not_in_channel"


async def test_a_permalink_names_channel_and_message(call: Caller) -> None:
    """The link of a reply also names its thread."""
    root = (await call("chat.postMessage", channel=TRAININGS, text="root"))["ts"]
    reply = (await call("chat.postMessage", channel=TRAININGS, text="reply", thread_ts=root))["ts"]
    link = (await call("chat.getPermalink", channel=TRAININGS, message_ts=reply))["permalink"]
    assert f"/archives/{TRAININGS}/p{reply.replace('.', '')}?thread_ts={root}" in link


# Reading


async def test_history_is_paged_newest_first_without_replies(call: Caller) -> None:
    """A reply is part of its thread alone, unless it was broadcast."""
    stamps = [(await call("chat.postMessage", channel=TRAININGS, text=str(n)))["ts"] for n in range(5)]
    await call("chat.postMessage", channel=TRAININGS, text="hidden", thread_ts=stamps[0])
    await call("chat.postMessage", channel=TRAININGS, text="shown", thread_ts=stamps[0], reply_broadcast=True)
    first = await call("conversations.history", channel=TRAININGS, limit=4)
    assert [one["text"] for one in first["messages"]] == ["shown", "4", "3", "2"]
    assert first["has_more"]
    assert first["messages"][0]["subtype"] == "thread_broadcast"
    assert first["messages"][0]["root"]["ts"] == stamps[0]
    cursor = first["response_metadata"]["next_cursor"]
    rest = await call("conversations.history", channel=TRAININGS, limit=4, cursor=cursor)
    assert [one["text"] for one in rest["messages"]] == ["1", "0"]
    assert (rest["has_more"], rest["messages"][1]["reply_count"]) == (False, 2)
    refusal = await call("conversations.history", channel=TRAININGS, cursor="no cursor")
    assert refusal["error"] == "invalid_cursor"


async def test_the_ends_of_a_span_count_only_where_asked(call: Caller) -> None:
    """`oldest` and `latest` are outside the answer unless `inclusive`; microseconds matter."""
    stamps = [(await call("chat.postMessage", channel=TRAININGS, text=str(n)))["ts"] for n in range(4)]
    span = {"channel": TRAININGS, "oldest": stamps[0], "latest": stamps[3]}
    inside = await call("conversations.history", **span)
    assert [one["text"] for one in inside["messages"]] == ["2", "1"]
    both = await call("conversations.history", **span, inclusive=True)
    assert [one["text"] for one in both["messages"]] == ["3", "2", "1", "0"]
    assert (await call("conversations.history", channel=TRAININGS, oldest="noon"))["error"] == "invalid_ts_oldest"


async def test_metadata_is_shown_only_to_those_who_ask(call: Caller) -> None:
    """Without include_all_metadata neither history nor a thread shows any."""
    metadata = {"event_type": "notice", "event_payload": {"id": 7}}
    root = (await call("chat.postMessage", channel=TRAININGS, text="root", metadata=metadata))["ts"]
    await call("chat.postMessage", channel=TRAININGS, text="reply", thread_ts=root, metadata=metadata)
    for method in ("conversations.history", "conversations.replies"):
        plain = await call(method, channel=TRAININGS, ts=root)
        assert all("metadata" not in one for one in plain["messages"])
        asked = await call(method, channel=TRAININGS, ts=root, include_all_metadata=True)
        assert all(one["metadata"] == metadata for one in asked["messages"])


async def test_a_thread_is_paged_oldest_first_below_its_root(call: Caller) -> None:
    """Every page begins with the root."""
    root = (await call("chat.postMessage", channel=TRAININGS, text="root"))["ts"]
    for number in range(3):
        await call("chat.postMessage", channel=TRAININGS, text=str(number), thread_ts=root)
    first = await call("conversations.replies", channel=TRAININGS, ts=root, limit=2)
    assert [one["text"] for one in first["messages"]] == ["root", "0", "1"]
    cursor = first["response_metadata"]["next_cursor"]
    rest = await call("conversations.replies", channel=TRAININGS, ts=root, limit=2, cursor=cursor)
    assert [one["text"] for one in rest["messages"]] == ["root", "2"]
    assert (await call("conversations.replies", channel=TRAININGS, ts="1.1"))["error"] == "thread_not_found"


async def test_reading_needs_membership(call: Caller) -> None:
    """The history of a channel that the bot is not in is closed to it."""
    assert (await call("conversations.history", channel=GENERAL))["error"] == "not_in_channel"


# People, groups, places


async def test_people_groups_and_channels_are_listed(call: Caller) -> None:
    """What the bot looks up is there under the ids that everybody knows."""
    members = (await call("users.list"))["members"]
    assert {one["id"]: one["is_bot"] for one in members}["U0SWITCHY1"]
    assert (await call("users.info", user="U0ADA00001"))["user"]["real_name"] == "Ada Yılmaz"
    assert (await call("users.info", user="U0NOBODY01"))["error"] == "user_not_found"
    assert (await call("usergroups.users.list", usergroup="S0MLOPS001"))["users"] == ["U0BORA0001"]
    assert (await call("usergroups.users.list", usergroup="S0NOBODY01"))["error"] == "no_such_subteam"
    assert (await call("usergroups.list", include_users=True))["usergroups"][0]["users"] == ["U0BORA0001"]
    names = [one["name"] for one in (await call("conversations.list", exclude_archived=True))["channels"]]
    assert names == ["trainings", "general", "alarms"]
    assert len((await call("conversations.members", channel=TRAININGS, limit=2))["members"]) == 2
    assert (await call("bots.info", bot="B0SWITCHY1"))["bot"]["user_id"] == "U0SWITCHY1"
    assert (await call("team.info"))["team"]["id"] == "T0SWITCHYD"
    assert (await call("files.info", file="F1"))["error"] == "file_not_found"


async def test_slack_sdk_reads_every_page(slack: Slack, session: ClientSession) -> None:
    """The official client pages through a history of its own accord."""
    client = client_for(slack, session)
    for number in range(5):
        await client.chat_postMessage(channel=TRAININGS, text=str(number))
    texts: list[str] = []
    async for page in await client.conversations_history(channel=TRAININGS, limit=2):
        texts += [one["text"] for one in page["messages"]]
    assert texts == ["4", "3", "2", "1", "0"]


async def test_stamps_are_never_used_twice() -> None:
    """Two messages of one microsecond still have two names."""
    async with Slack(clock=Clock(speed=0)) as slack:
        said = [await slack.person("ada").say(str(number)) for number in range(3)]
        assert len({one.ts for one in said}) == 3
        assert sorted(one.ts for one in said) == [one.ts for one in said]


# Faults and limits


async def test_posts_to_one_channel_are_limited(session: ClientSession) -> None:
    """A burst passes, then Slack answers 429 and says how long to wait; another channel is not concerned."""
    async with Slack(manifest=manifest.default()) as slack:
        headers = {"Authorization": f"Bearer {slack.bot_token}"}
        url = slack.api_url + "chat.postMessage"
        for number in range(5):
            async with session.post(url, json={"channel": TRAININGS, "text": str(number)}, headers=headers) as reply:
                assert reply.status == 200
        async with session.post(url, json={"channel": TRAININGS, "text": "6"}, headers=headers) as reply:
            assert (reply.status, reply.headers["Retry-After"]) == (429, "1")
            assert await reply.json() == {"ok": False, "error": "ratelimited"}
        async with session.post(url, json={"channel": "C0ALARMS01", "text": "x"}, headers=headers) as reply:
            assert reply.status == 200
        assert [call.status for call in slack.calls_of("chat.postMessage")] == [200] * 5 + [429, 200]


async def test_the_switches_wear_off(slack: Slack, call: Caller) -> None:
    """A switch hits as many calls as it says and only those of its method."""
    await slack.switch("fail", {"method": "chat.postMessage", "error": "is_archived", "times": 2})
    await slack.switch("rate_limited", {"method": "chat.update", "retry_after": 7})
    errors = [(await call("chat.postMessage", channel=TRAININGS, text="x")).get("error") for _ in range(3)]
    assert errors == ["is_archived", "is_archived", None]
    headers = {"Authorization": f"Bearer {slack.bot_token}"}
    async with call.session.post(slack.api_url + "chat.update", headers=headers) as reply:
        assert (reply.status, reply.headers["Retry-After"]) == (429, "7")
    assert slack.faults.page() == []


async def test_a_dropped_reply_did_the_work_and_a_dropped_request_did_not(slack: Slack, call: Caller) -> None:
    """The caller sees the same cut wire in both cases: that is what makes a post ambiguous."""
    await slack.switch("drop_request", {"method": "chat.postMessage"})
    await slack.switch("drop_reply", {"method": "chat.postMessage"})
    for text in ("lost", "kept"):
        with pytest.raises(ClientConnectionError):
            await call("chat.postMessage", channel=TRAININGS, text=text)
    assert [one.text for one in slack.messages("trainings")] == ["kept"]
    assert [one.dropped for one in slack.calls] == ["request", "reply"]


async def test_a_late_reply_comes_behind_the_work(slack: Slack, call: Caller) -> None:
    """The message is there while the caller still waits: the moment at which a crash makes a post ambiguous."""
    await slack.switch("delay", {"method": "chat.postMessage", "seconds": 30, "after": True})
    posting = asyncio.ensure_future(call("chat.postMessage", channel=TRAININGS, text="there"))
    await slack.wait_for_message("trainings", lambda one: one.text == "there")
    assert not posting.done()
    posting.cancel()
    await asyncio.wait({posting})


def test_a_minutes_calls_are_counted_as_they_age() -> None:
    """Twenty a minute means twenty in any minute; the refusal says when the oldest call leaves it."""
    now = [0.0]
    limits = Limits(lambda: now[0])
    for second in range(20):
        now[0] = float(second)
        assert limits.wait_for("users.list", "tier 2", None) == 0
    assert limits.wait_for("users.list", "tier 2", None) == 41
    assert limits.wait_for("conversations.list", "tier 2", None) == 0
    now[0] = 60.0
    assert limits.wait_for("users.list", "tier 2", None) == 0
    assert limits.wait_for("users.list", "tier 2", None) == 1
    assert Limits(lambda: 0.0, on=False).wait_for("users.list", "tier 2", None) == 0


def test_posts_refill_one_a_second() -> None:
    """Five at once, then one a second and channel."""
    now = [0.0]
    limits = Limits(lambda: now[0])
    assert [limits.wait_for("chat.postMessage", "posting", "C1") for _ in range(6)] == [0, 0, 0, 0, 0, 1]
    now[0] = 1.0
    assert [limits.wait_for("chat.postMessage", "posting", "C1") for _ in range(2)] == [0, 1]
    assert limits.wait_for("chat.postMessage", "posting", "C2") == 0
