"""What this Slack sends has no key that Slack's own recorded samples lack.

The samples are read from the folder named by SLACK_CONTRACTS: key supersets condensed from slackapi/java-slack-sdk
86ff7ca9915e21882def04c2d579ac02503f95fe (json-logs/samples), Socket Mode frames from the fixtures of
slackapi/python-slack-sdk ae87985e2c3811ead978f31ea5a1e4a7ca5c3515 and slackapi/bolt-python
a2f21ae4b1d1d63a6a5dc533aa53a8c4badd103d (all MIT), methods from slack-ruby/slack-api-ref
f4837c0cb6dba1b1122ce66a5b69195ce47213f8 (MIT).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from sandbox.slack import Slack, manifest
from sandbox.slack.methods import registry
from tests.sandbox.slack_app import client_for

pytestmark = [
    pytest.mark.contracts,
    pytest.mark.skipif("SLACK_CONTRACTS" not in os.environ, reason="needs SLACK_CONTRACTS, the folder of samples"),
]

# Bodies of these are left out of the samples, or their keys are the app's own.
OPAQUE = {"blocks", "attachments", "event_payload", "values", "prefs", "topic", "icons", "args"}
# Documented by Slack and sent by it, yet in no recorded sample.
# https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload names response_urls,
# https://docs.slack.dev/reference/interaction-payloads/block_actions-payload the thread of a container.
ALSO_SENT = {"payload/ViewSubmissionPayload/response_urls", "payload/ViewSubmissionPayload/view/blocks"}
ALSO_SENT |= {"payload/BlockActionPayload/view/blocks", "payload/ViewClosedPayload/view/blocks"}
TEXT = {"type": "plain_text", "text": "x"}
BUTTON = {"type": "button", "text": TEXT, "action_id": "go", "value": "1", "style": "primary"}
SELECT = {
    "type": "static_select",
    "action_id": "pick",
    "placeholder": TEXT,
    "options": [{"text": TEXT, "value": "1"}],
}
ROW = {"type": "actions", "block_id": "row", "elements": [BUTTON, SELECT]}
INPUT = {"type": "input", "block_id": "i", "label": TEXT, "element": {"type": "plain_text_input", "action_id": "t"}}
FORM = {
    "type": "modal",
    "callback_id": "form",
    "notify_on_close": True,
    "title": TEXT,
    "submit": TEXT,
    "blocks": [INPUT, ROW],
}


def contract(name: str) -> Any:
    return json.loads(Path(os.environ["SLACK_CONTRACTS"], name).read_text("utf-8"))


def unknown_keys(sent: Any, shape: Any, where: str) -> Iterator[str]:
    """The paths of keys that the shape lacks."""
    if isinstance(sent, list):
        for entry in sent:
            yield from unknown_keys(entry, shape[0] if isinstance(shape, list) and shape else {}, where)
    elif isinstance(sent, dict) and isinstance(shape, dict):
        for key, value in sent.items():
            path = f"{where}/{key}"
            if path in ALSO_SENT:
                continue
            if where.endswith(("/shares/public", "/shares/private")):
                # These keys are ids of conversations; any sample shows what stands below one.
                yield from unknown_keys(value, next(iter(shape.values())), path)
                continue
            if key not in shape:
                yield path
            elif key not in OPAQUE and isinstance(shape[key], dict | list) and shape[key]:
                yield from unknown_keys(value, shape[key], path)


class App:
    """Takes whatever comes over a bare socket, and acknowledges it."""

    def __init__(self, slack: Slack, session: ClientSession) -> None:
        self.slack, self.client = slack, client_for(slack, session)
        self.frames: list[dict[str, Any]] = []

    async def serve(self, session: ClientSession) -> None:
        opened = await self.client.apps_connections_open(app_token=self.slack.app_token)
        async with session.ws_connect(opened["url"]) as socket:
            while True:
                frame = await socket.receive_json()
                self.frames.append(frame)
                if "envelope_id" in frame:
                    await socket.send_json({"envelope_id": frame["envelope_id"]})

    def last(self) -> dict[str, Any]:
        payload: dict[str, Any] = self.frames[-1]["payload"]
        return payload


@pytest.fixture
async def app() -> AsyncIterator[App]:
    default = manifest.default()
    events = default.events | {"app_mention", "message.channels"}
    shortcut = manifest.Shortcut(callback_id="m", name="x", kind="message")
    known = manifest.Manifest(commands=default.commands, scopes=default.scopes, events=events, shortcuts=(shortcut,))
    async with Slack(manifest=known, limits="off") as slack, ClientSession() as session:
        app = App(slack, session)
        serving = asyncio.ensure_future(app.serve(session))
        await slack.wait_until_connected()
        yield app
        serving.cancel()
        await asyncio.wait({serving})


def check(app: App, name: str) -> None:
    shape = contract("payload-shapes.json")["shapes"][name]
    assert list(unknown_keys(app.last(), shape, name)) == []


async def test_interactions_have_recorded_keys_only(app: App) -> None:
    """Commands, clicks in messages, ephemerals and modals, submissions, closings and shortcuts."""
    slack, ada = app.slack, app.slack.person("ada")
    await ada.command("/train x")
    check(app, "payload/SlashCommandPayload")
    await app.client.views_open(trigger_id=app.last()["trigger_id"], view=FORM)
    assert ada.view is not None
    await ada.click_in_view(ada.view, "go")
    check(app, "payload/BlockActionPayload")
    await ada.submit(ada.view, {"i": {"t": "x"}})
    check(app, "payload/ViewSubmissionPayload")
    await ada.command("/train x")
    await app.client.views_open(trigger_id=app.last()["trigger_id"], view=FORM)
    assert ada.view is not None
    await ada.close(ada.view)
    check(app, "payload/ViewClosedPayload")
    metadata = {"event_type": "x", "event_payload": {"id": 1}}
    root = (await app.client.chat_postMessage(channel="C0TRAIN001", text="x", metadata=metadata))["ts"]
    await app.client.chat_postMessage(channel="C0TRAIN001", text="y", blocks=[ROW], thread_ts=root)
    await app.client.chat_postEphemeral(channel="C0TRAIN001", user="U0ADA00001", text="z", blocks=[ROW])
    for shown in (slack.messages("trainings")[1], slack.ephemerals("ada")[0]):
        await ada.click(shown, "go")
        check(app, "payload/BlockActionPayload")
        await ada.click(shown, "pick", selected="1")
        check(app, "payload/BlockActionPayload")
    await ada.message_shortcut(slack.messages("trainings")[0], "m")
    check(app, "payload/MessageShortcutPayload")


async def test_events_have_recorded_keys_only(app: App) -> None:
    """Joining, opening the Home tab, writing and mentioning."""
    slack, ada = app.slack, app.slack.person("ada")
    await app.client.views_publish(user_id=ada.id, view={"type": "home", "blocks": [ROW]})
    slack.invite("general", "switchyard", by="U0ADA00001")
    await ada.open_home()
    await ada.say("hello @switchyard")
    await slack.wait_for(lambda: len(slack.deliveries) == 4)
    names = {
        "member_joined_channel": "MemberJoinedChannelPayload",
        "app_home_opened": "AppHomeOpenedPayload",
        "app_mention": "AppMentionPayload",
        "message": "MessagePayload",
    }
    shapes = contract("payload-shapes.json")["shapes"]
    for delivery in slack.deliveries:
        name = f"event/{names.pop(delivery.payload['event']['type'])}"
        found = [path for path in unknown_keys(delivery.payload, shapes[name], name) if "view/blocks" not in path]
        assert found == []
    assert names == {}


async def test_replies_of_the_web_api_have_recorded_keys_only(app: App) -> None:
    """What the official client reads is what Slack would have sent."""
    call = app.client
    of: dict[str, Any] = {"channel": "C0TRAIN001"}
    ts = (await call.chat_postMessage(**of, text="x", blocks=[ROW]))["ts"]
    address = await call.files_getUploadURLExternal(filename="result.zip", length=3)
    async with ClientSession() as session, session.post(address["upload_url"], data=b"abc") as upload:
        assert upload.status == 200
    file = {"id": address["file_id"], "title": "x"}
    replies = {
        "files.getUploadURLExternal": address,
        "files.completeUploadExternal": await call.files_completeUploadExternal(
            files=[file], channel_id="C0TRAIN001", thread_ts=ts, initial_comment="x"
        ),
        "files.info": await call.files_info(file=address["file_id"]),
        "auth.test": await call.auth_test(),
        "chat.postMessage": await call.chat_postMessage(**of, text="y", thread_ts=ts),
        "chat.update": await call.chat_update(**of, ts=ts, text="z"),
        "chat.postEphemeral": await call.chat_postEphemeral(**of, user="U0ADA00001", text="x"),
        "chat.getPermalink": await call.chat_getPermalink(**of, message_ts=ts),
        "conversations.open": await call.conversations_open(users="U0ADA00001", return_im=True),
        "conversations.info": await call.conversations_info(**of),
        "conversations.list": await call.conversations_list(types="public_channel,im"),
        "conversations.members": await call.conversations_members(**of),
        "users.info": await call.users_info(user="U0ADA00001"),
        "users.list": await call.users_list(),
        "usergroups.list": await call.usergroups_list(include_users=True, include_count=True),
        "usergroups.users.list": await call.usergroups_users_list(usergroup="S0MLOPS001"),
        "views.publish": await call.views_publish(user_id="U0ADA00001", view={"type": "home", "blocks": []}),
        "chat.delete": await call.chat_delete(**of, ts=ts),
    }
    shapes = contract("payload-shapes.json")["shapes"]
    for method, reply in replies.items():
        assert list(unknown_keys(reply.data, shapes[f"api/{method}"], method)) == []


async def test_frames_are_those_that_were_recorded(app: App) -> None:
    """hello, each kind of envelope, and disconnect."""
    await app.slack.person("ada").command("/train x")
    await app.slack.person("ada").say("hello")
    await app.slack.wait_for(lambda: len(app.slack.deliveries) == 2)
    await app.slack.switch("disconnect", {"reason": "warning"})
    await app.slack.person("ada").command("/jobs")
    recorded: dict[str, dict[str, Any]] = {}
    for frame in contract("socket-mode-frames.json")["frames"]:
        recorded.setdefault(frame["type"], frame)
    seen = {frame["type"]: frame for frame in app.frames}
    assert set(seen) == {"hello", "slash_commands", "events_api", "disconnect"}
    for kind, frame in seen.items():
        assert set(frame) == set(recorded[kind])
        for part in ("debug_info", "connection_info"):
            assert set(frame.get(part, {})) == set(recorded[kind].get(part, {}))


def test_a_key_too_many_would_be_found() -> None:
    """The comparison goes down into objects and lists."""
    shape = {"a": [{"b": "string"}], "c": {"d": "string"}}
    sent = {"a": [{"b": "x", "e": 1}], "c": {"d": "x", "f": {}}, "g": 1}
    assert list(unknown_keys(sent, shape, "x")) == ["x/a/e", "x/c/f", "x/g"]


def test_every_method_asks_for_what_slack_asks_for() -> None:
    """Required arguments, scopes and tiers are those of the published method pages."""
    published = contract("web-api-methods.json")["methods"]
    tiers = {"t2": "tier 2", "t3": "tier 3", "t4": "tier 4", "t5": "special"}
    for name, method in registry.methods().items():
        known = published[name]
        assert set(method.required) == set(known["required"]), name
        assert set(method.scopes) == set(known["scopes"].get("bot", ())), name
        assert method.tier == ("posting" if name == "chat.postMessage" else tiers[known["tier"]]), name
