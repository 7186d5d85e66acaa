"""The people's side over HTTP: what the page reads, hears and does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession
from slack_bolt.app.async_app import AsyncApp
from yarl import URL

from sandbox.slack import Slack, manifest
from tests.sandbox.slack_app import client_for, running

BUTTON = {"type": "button", "text": {"type": "plain_text", "text": "Go"}, "action_id": "go"}
ROW = {"type": "actions", "block_id": "row", "elements": [BUTTON]}
FORM: dict[str, Any] = {
    "type": "modal",
    "callback_id": "form",
    "title": {"type": "plain_text", "text": "Form"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [
        {
            "type": "input",
            "block_id": "name",
            "label": {"type": "plain_text", "text": "Name"},
            "element": {"type": "plain_text_input", "action_id": "text"},
        }
    ],
}


class Page:
    """The page's own calls."""

    def __init__(self, slack: Slack, session: ClientSession) -> None:
        self.slack, self.session = slack, session

    async def get(self, path: str) -> dict[str, Any]:
        async with self.session.get(f"{self.slack.base_url}/page/{path}") as reply:
            body: dict[str, Any] = await reply.json()
        return body

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        async with self.session.post(f"{self.slack.base_url}/page/{path}", json=body) as reply:
            assert reply.status == 200
            answer: dict[str, Any] = await reply.json()
        return answer

    @asynccontextmanager
    async def listening(self, after: int | str = "") -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        async with self.session.get(f"{self.slack.base_url}/page/events?after={after}") as reply:
            assert reply.content_type == "text/event-stream"

            async def changes() -> AsyncIterator[dict[str, Any]]:
                async for line in reply.content:
                    if line.startswith(b"data: "):
                        yield json.loads(line.removeprefix(b"data: "))

            yield changes()


@pytest.fixture
async def party() -> AsyncIterator[tuple[Slack, AsyncApp, Page]]:
    async with ClientSession() as session, running("socket", manifest=manifest.default()) as (slack, app):
        yield slack, app, Page(slack, session)


Party = tuple[Slack, AsyncApp, Page]


async def test_the_state_shows_the_places_that_everybody_knows(party: Party) -> None:
    """Ids and names are fixed, so that the page, the tests and the documents can write them down."""
    state = await party[2].get("state")
    assert state["team"] == {"id": "T0SWITCHYD", "name": "Switchyard Lab", "domain": "switchyard-lab"}
    assert [(one["id"], one["name"]) for one in state["people"]] == [
        ("U0ADA00001", "ada"),
        ("U0BORA0001", "bora"),
        ("U0CHIE0001", "chie"),
        ("U0DAN00001", "dan"),
    ]
    assert state["usergroups"] == [{"id": "S0MLOPS001", "handle": "ml-ops", "members": ["U0BORA0001"]}]
    assert {key: state["bot"][key] for key in ("user_id", "bot_id", "name", "connected", "mode")} == {
        "user_id": "U0SWITCHY1",
        "bot_id": "B0SWITCHY1",
        "name": "switchyard",
        "connected": True,
        "mode": "socket",
    }
    channels = {one["name"]: (one["id"], one["archived"], "U0SWITCHY1" in one["members"]) for one in state["channels"]}
    assert channels == {
        "trainings": ("C0TRAIN001", False, True),
        "general": ("C0GENERAL1", False, False),
        "alarms": ("C0ALARMS01", False, True),
        "old-lab": ("C0OLD00001", True, True),
    }
    reserved = [one["command"] for one in state["commands"] if one["reserved"]]
    assert reserved == ["/status"]


async def test_a_whole_story_on_the_page(party: Party) -> None:
    """Command, card, click, modal, submission: all through the page's own calls."""
    slack, app, page = party

    @app.command("/train")
    async def train(ack: Any, client: Any, command: dict[str, Any]) -> None:
        await ack(f"got {command['text']}")
        await client.chat_postMessage(channel=command["channel_id"], text="card", blocks=[ROW])

    @app.action("go")
    async def go(ack: Any, client: Any, body: dict[str, Any]) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)

    @app.view("form")
    async def form(ack: Any, client: Any, body: dict[str, Any]) -> None:
        name = body["view"]["state"]["values"]["name"]["text"]["value"]
        await ack()
        await client.chat_postMessage(channel="C0TRAIN001", text=f"by {name}")

    answer = await page.post("command", user="U0ADA00001", channel="C0TRAIN001", text="/train x")
    assert (answer["ok"], answer["response"], answer["ack_ms"] >= 0) == (True, {"text": "got x"}, True)
    card = await slack.wait_for_message("trainings", lambda one: one.text == "card")
    where = {"user": "U0BORA0001", "channel": "C0TRAIN001", "message_ts": card.ts}
    assert (await page.post("click", **where, action_id="go", block_id="row"))["ok"]
    assert (await page.post("click", **where, action_id="stop"))["error"] == "no_such_element"
    await slack.wait_for(lambda: slack.person("bora").view)
    view = (await page.get("state"))["views"][0]
    assert (view["user"], view["view"]["callback_id"]) == ("U0BORA0001", "form")
    empty = await page.post("view/submit", user="U0BORA0001", view_id=view["view_id"], values={})
    assert empty["errors"] == {"name": "Please complete this required field."}
    values = {"name": {"text": {"type": "plain_text_input", "value": "bora"}}}
    assert (await page.post("view/submit", user="U0BORA0001", view_id=view["view_id"], values=values))["ok"]
    await slack.wait_for_message("trainings", lambda one: one.text == "by bora")
    state = await page.get("state")
    assert (state["views"], [one["text"] for one in state["messages"]["C0TRAIN001"]]) == ([], ["card", "by bora"])
    assert [(one["text"], one["user"]) for one in state["ephemerals"]] == [("got x", "U0ADA00001")]


async def test_every_change_is_heard_in_order(party: Party) -> None:
    """The stream goes on where the state ended; each change carries the object under its type."""
    slack, _, page = party
    await slack.person("ada").say("before")
    seq = (await page.get("state"))["seq"]
    await slack.person("ada").say("after the state")
    async with page.listening(seq) as changes:
        first = await anext(changes)
        assert (first["type"], first["message"]["text"], first["seq"]) == ("message", "after the state", seq + 1)
        await slack.switch("fail", {"method": "*", "error": "fatal_error"})
        slack.invite("general", "switchyard")
        seen = [await anext(changes) for _ in range(2)]
        assert [one["type"] for one in seen] == ["channel", "message"]
        assert seen[1]["message"]["subtype"] == "channel_join"


async def test_the_page_hears_of_replies_ephemerals_views_and_connections(party: Party) -> None:
    """Each kind of change has the form that the page was promised."""
    slack, _, page = party
    async with ClientSession() as session, page.listening(slack.feed.seq) as changes:
        client = client_for(slack, session)
        root = (await client.chat_postMessage(channel="C0TRAIN001", text="root"))["ts"]
        reply = await client.chat_postMessage(channel="C0TRAIN001", text="r", thread_ts=root, reply_broadcast=True)
        await client.chat_postEphemeral(channel="C0TRAIN001", user="U0ADA00001", text="psst")
        await client.chat_delete(channel="C0TRAIN001", ts=reply["ts"])
        await slack.switch("disconnect", {"abort": True})
        heard: dict[str, Any] = {}
        async for change in changes:
            heard.setdefault(change["type"], change)
            if change["type"] == "message" and change["message"].get("reply_count"):
                heard["root"] = change
            if change["type"] == "bot":
                break
        assert heard["root"]["message"]["reply_count"] == 1
        assert heard["ephemeral"]["ephemeral"]["text"] == "psst"
        assert heard["message_deleted"]["message_deleted"] == {"channel": "C0TRAIN001", "ts": reply["ts"]}
        assert heard["bot"]["bot"]["connected"] is False


async def test_a_page_that_missed_too_much_is_told_to_read_again(party: Party) -> None:
    """So is one that comes from the time before a restart."""
    _, _, page = party
    async with page.listening(999_999) as changes:
        assert (await anext(changes))["type"] == "reload"


async def test_people_act_only_where_they_may(party: Party) -> None:
    """Nobody types where he is not, or in an archived channel."""
    slack, _, page = party
    slack.create_channel("secret", "ada", private=True)
    secret = slack.workspace.find_channel("secret").id
    cases = {
        "is_archived": {"user": "U0ADA00001", "channel": "C0OLD00001"},
        "channel_not_found": {"user": "U0BORA0001", "channel": secret},
        "user_not_found": {"user": "U0NOBODY01", "channel": "C0TRAIN001"},
    }
    for error, where in cases.items():
        assert (await page.post("message", **where, text="x"))["error"] == error
    assert (await page.post("message", user="U0ADA00001"))["error"] == "invalid_arguments"


async def test_the_workspace_can_be_changed(party: Party) -> None:
    """Channels, members, direct conversations and groups."""
    slack, _, page = party
    made = await page.post("channel/create", name="new-lab", private=True, members=["U0ADA00001"])
    where = {"channel": made["channel"]["id"]}
    assert (await page.post("channel/invite", **where, user="U0SWITCHY1"))["ok"]
    assert (await page.post("channel/invite", **where, user="U0SWITCHY1"))["error"] == "already_in_channel"
    assert (await page.post("channel/kick", **where, user="U0SWITCHY1"))["ok"]
    assert (await page.post("channel/kick", **where, user="U0SWITCHY1"))["error"] == "not_in_channel"
    assert (await page.post("channel/archive", **where))["ok"]
    assert slack.workspace.channel(made["channel"]["id"]).archived
    dm = (await page.post("dm", user="U0ADA00001"))["channel"]
    assert (dm["kind"], dm["members"]) == ("dm", ["U0ADA00001", "U0SWITCHY1"])
    assert (await page.post("dm", user="U0ADA00001"))["channel"]["id"] == dm["id"]
    assert (await page.post("usergroup", id="S0MLOPS001", members=["U0CHIE0001"]))["ok"]
    assert (await page.post("locale", user="U0CHIE0001", locale="ja-JP"))["ok"]
    assert slack.workspace.users["U0CHIE0001"].locale == "ja-JP"
    assert (await page.post("locale", user="U0CHIE0001", locale="Japanese"))["error"] == "invalid_arguments"
    assert slack.workspace.usergroups["S0MLOPS001"].members == ("U0CHIE0001",)


async def test_ephemerals_are_clicked_by_their_reader_alone_and_can_be_dismissed(party: Party) -> None:
    """Nobody else sees them, so nobody else can press them."""
    slack, app, page = party

    @app.action("go")
    async def go(ack: Any, respond: Any) -> None:
        await ack()
        await respond(text="gone", replace_original=True)

    async with ClientSession() as session:
        client = client_for(slack, session)
        await client.chat_postEphemeral(channel="C0TRAIN001", user="U0ADA00001", text="go?", blocks=[ROW])
    shown = slack.ephemerals("ada")[0]
    pressed = {"channel": "C0TRAIN001", "ephemeral_id": shown.id, "action_id": "go"}
    assert (await page.post("click", user="U0BORA0001", **pressed))["error"] == "message_not_found"
    assert (await page.post("click", user="U0ADA00001", **pressed))["ok"]
    await slack.wait_for_ephemeral("ada", lambda one: one.text == "gone")
    assert (await page.post("ephemeral/dismiss", user="U0ADA00001", ephemeral_id=shown.id))["ok"]
    assert slack.ephemerals("ada") == []


async def test_switches_are_set_seen_and_taken_back(party: Party) -> None:
    """The page's switches are those of the tests; an unknown one is refused."""
    _, _, page = party
    await page.post("slack/switch", name="fail", value={"method": "chat.update", "error": "fatal_error", "times": 2})
    await page.post("slack/switch", name="silent", value=True)
    shown = await page.get("slack/switches")
    assert shown == {"ok": True, "silent": True, "switches": [{"name": "fail", "method": "chat.update", "times": 2}]}
    await page.post("slack/switch", name="fail", value=None)
    await page.post("slack/switch", name="silent", value=False)
    assert (await page.get("slack/switches"))["switches"] == []
    assert (await page.post("slack/switch", name="explode", value=None))["error"] == "unknown_switch"


async def test_the_page_takes_json_only(party: Party) -> None:
    """A form on a foreign page cannot act in somebody's name: a browser sends JSON only where it is allowed to."""
    slack, _, page = party
    url = f"{slack.base_url}/page/message"
    async with page.session.post(url, data={"user": "U0ADA00001", "channel": "C0TRAIN001", "text": "x"}) as reply:
        assert (await reply.json())["error"] == "invalid_content_type"
    assert slack.messages("trainings") == []


@pytest.mark.parametrize("path", ["../server.py", "..%2fserver.py", "%2e%2e/server.py", "/etc/hostname", "nothing.js"])
async def test_no_file_outside_the_pages_folder_is_served(party: Party, path: str) -> None:
    """Whatever the address says."""
    slack, _, page = party
    url = URL(f"{slack.base_url}/page/static/{path}", encoded=True)
    async with page.session.get(url) as reply:
        assert reply.status == 404


async def test_the_page_and_its_files_are_served(party: Party) -> None:
    """The address alone opens the page; its files are asked for anew after each change."""
    slack, _, page = party
    async with page.session.get(f"{slack.base_url}/") as reply:
        assert (reply.status, reply.content_type) == (200, "text/html")
        assert reply.headers["Cache-Control"] == "no-cache"


async def test_a_press_in_a_modal_brings_the_fields_along(party: Party) -> None:
    """The app sees the form as it stands when one of its buttons is pressed."""
    slack, app, page = party
    seen: list[dict[str, Any]] = []

    @app.command("/train")
    async def train(ack: Any, client: Any, command: dict[str, Any]) -> None:
        await ack()
        view = {**FORM, "blocks": [*FORM["blocks"], ROW]}
        await client.views_open(trigger_id=command["trigger_id"], view=view)

    @app.action("go")
    async def go(ack: Any, body: dict[str, Any]) -> None:
        seen.append(body["view"]["state"]["values"])
        await ack()

    await page.post("command", user="U0ADA00001", channel="C0TRAIN001", text="/train")
    view = await slack.wait_for(lambda: slack.person("ada").view)
    pressed = {"user": "U0ADA00001", "view_id": view.id, "action_id": "go", "block_id": "row"}
    values = {"name": {"text": {"type": "plain_text_input", "value": "half a na"}}}
    assert (await page.post("view/click", **pressed, values=values))["ok"]
    assert seen == [values]
    await page.post("view/close", user="U0ADA00001", view_id=view.id)
    assert (await page.get("state"))["views"] == []


async def test_a_file_goes_into_a_form(party: Party) -> None:
    """It is uploaded as the person's own, the form names it, and the app alone may read it; other kinds are refused."""
    slack, app, page = party
    field = {"type": "file_input", "action_id": "file", "filetypes": ["csv"], "max_files": 1}
    blocks = [{**FORM["blocks"][0], "block_id": "data", "element": field}]
    sent: list[Any] = []

    async def on_form(ack: Any, view: Any) -> None:
        sent.append(view["state"]["values"]["data"]["file"])
        await ack()

    app.view("form")(on_form)
    trigger = slack.lab.triggers.issue("U0BORA0001")
    async with ClientSession() as session:
        client = client_for(slack, session)
        await client.views_open(trigger_id=trigger, view={**FORM, "blocks": blocks})
        view = slack.person("bora").view
        assert view is not None

        async def send(name: str) -> Any:
            values = {"data": {"file": {"type": "file_input", "files": [{"name": name, "content": "YSxiCg=="}]}}}
            return await page.post("view/submit", user="U0BORA0001", view_id=view.id, values=values)

        assert (await send("notes.pdf"))["error"] == "filetype_not_allowed"
        assert (await send("churn.csv"))["ok"]
        [file] = sent[0]["files"]
        told = (await client.files_info(file=file["id"]))["file"]
    assert (sent[0]["type"], file["name"], told["user"]) == ("file_input", "churn.csv", "U0BORA0001")
    assert (told["channels"], told["shares"]) == ([], {})
    posted = await page.post("file", user="U0BORA0001", channel="C0TRAIN001", name="a.csv", content="YSxiCg==")
    assert slack.workspace.message("C0TRAIN001", posted["ts"]).files is not None
