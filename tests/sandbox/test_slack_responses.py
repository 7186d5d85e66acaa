"""response_urls: five uses in thirty minutes, also where the bot is no member; and the people's modals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.clock import Clock
from sandbox.slack import Slack, manifest
from tests.sandbox.slack_app import client_for, running

GO = {"type": "button", "text": {"type": "plain_text", "text": "Go"}, "action_id": "go", "value": "1"}
ROW = {"type": "actions", "block_id": "row", "elements": [GO]}
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
            "element": {"type": "plain_text_input", "action_id": "text", "initial_value": "ada", "max_length": 5},
        },
        {
            "type": "input",
            "block_id": "kind",
            "optional": True,
            "label": {"type": "plain_text", "text": "Kind"},
            "element": {
                "type": "static_select",
                "action_id": "pick",
                "options": [
                    {"text": {"type": "plain_text", "text": "Fast"}, "value": "fast"},
                    {"text": {"type": "plain_text", "text": "Slow"}, "value": "slow"},
                ],
            },
        },
    ],
}


class Party:
    """Slack, an app that notes what reaches it, and a session to post with."""

    def __init__(self, slack: Slack, app: AsyncApp, clock: Clock, session: ClientSession) -> None:
        self.slack, self.app, self.clock, self.session = slack, app, clock, session
        self.client: AsyncWebClient = client_for(slack, session)
        self.heard: list[dict[str, Any]] = []
        self.answer: dict[str, Any] = {}
        app.command("/train")(self._note)
        app.action("go")(self._note)
        app.view("form")(self._note)
        app.view_closed("form")(self._note)

    async def _note(self, ack: Any, body: dict[str, Any]) -> None:
        self.heard.append(body)
        await ack(**self.answer) if self.answer else await ack()

    async def command(self, channel: str = "trainings") -> dict[str, Any]:
        """Ada types a command; its payload."""
        assert (await self.slack.person("ada").command("/train x", channel)).ok
        return self.heard[-1]

    async def post(self, url: str, **body: Any) -> tuple[int, dict[str, Any]]:
        async with self.session.post(url, json=body) as reply:
            return reply.status, await reply.json()


@pytest.fixture
async def party() -> AsyncIterator[Party]:
    clock = Clock()
    async with ClientSession() as session, running("socket", clock=clock, manifest=manifest.default()) as (slack, app):
        yield Party(slack, app, clock, session)


# response_url


async def test_an_answer_is_ephemeral_unless_it_says_otherwise(party: Party) -> None:
    """Also in a channel that the bot is no member of, where chat.postMessage fails."""
    url = (await party.command("general"))["response_url"]
    assert url.startswith(party.slack.base_url)
    assert await party.post(url, text="for you") == (200, {"ok": True})
    assert await party.post(url, text="for all", response_type="in_channel") == (200, {"ok": True})
    assert [one.text for one in party.slack.ephemerals("ada", "general")] == ["for you"]
    assert party.slack.ephemerals("bora") == []
    assert [(one.text, one.user) for one in party.slack.messages("general")] == [("for all", "U0SWITCHY1")]


async def test_an_address_is_good_for_five_uses_in_thirty_minutes(party: Party) -> None:
    """The sixth use, and any use after half an hour, is refused."""
    url = (await party.command())["response_url"]
    for number in range(5):
        assert (await party.post(url, text=str(number)))[0] == 200
    assert await party.post(url, text="6") == (404, {"ok": False, "error": "used_url"})
    second = (await party.command())["response_url"]
    party.clock.advance(30 * 60 + 1)
    assert await party.post(second, text="late") == (404, {"ok": False, "error": "expired_url"})
    assert (await party.post(second + "0", text="wrong"))[0] == 404


async def test_an_answer_can_replace_or_delete_the_message_that_was_clicked(party: Party) -> None:
    """The message keeps its place; a deleted one is gone."""
    posted = await party.client.chat_postMessage(channel="C0TRAIN001", text="go?", blocks=[ROW])
    card = party.slack.messages("trainings")[0]
    await party.slack.person("bora").click(card, "go")
    url = party.heard[-1]["response_url"]
    await party.post(url, text="gone", replace_original=True)
    changed = party.slack.messages("trainings")[0]
    assert (changed.ts, changed.text, changed.blocks) == (posted["ts"], "gone", None)
    await party.post(url, delete_original="true")
    assert party.slack.messages("trainings") == []
    assert (await party.post(url, delete_original=True))[0] == 400


async def test_an_ephemeral_message_can_be_clicked_replaced_and_deleted(party: Party) -> None:
    """Only through its own response_url: Slack keeps no ephemeral message, and its payload carries none."""
    await party.client.chat_postEphemeral(channel="C0TRAIN001", user="U0ADA00001", text="go?", blocks=[ROW])
    ada = party.slack.person("ada")
    assert (await ada.click(ada.ephemerals()[0], "go")).ok
    body = party.heard[-1]
    assert (body["container"]["is_ephemeral"], "message" in body) == (True, False)
    await party.post(body["response_url"], text="done", replace_original=True)
    assert [(one.text, one.blocks) for one in ada.ephemerals()] == [("done", None)]
    await party.post(body["response_url"], delete_original=True)
    assert ada.ephemerals() == []


async def test_an_answer_can_go_into_a_thread(party: Party) -> None:
    """thread_ts is honoured, for all and for one."""
    root = (await party.client.chat_postMessage(channel="C0TRAIN001", text="root"))["ts"]
    url = (await party.command())["response_url"]
    await party.post(url, text="reply", response_type="in_channel", thread_ts=root)
    await party.post(url, text="psst", thread_ts=root)
    assert [one.text for one in party.slack.messages("trainings", thread=root)] == ["root", "reply"]
    assert party.slack.ephemerals("ada")[0].thread_ts == root


async def test_an_answer_keeps_to_slacks_rules(party: Party) -> None:
    """Nothing to say, broken blocks, no JSON, and the switches."""
    url = (await party.command())["response_url"]
    assert (await party.post(url))[1]["error"] == "no_text"
    assert (await party.post(url, blocks=[{"type": "banner"}]))[1]["error"] == "invalid_blocks"
    async with party.session.post(url, data=b"[") as reply:
        assert (await reply.json())["error"] == "invalid_payload"
    await party.slack.switch("rate_limited", {"method": "response_url"})
    assert (await party.post(url, text="x"))[0] == 429
    await party.slack.switch("drop_reply", {"method": "response_url"})
    with pytest.raises(ClientConnectionError):
        await party.post(url, text="seen")
    assert [one.text for one in party.slack.ephemerals("ada")] == ["seen"]


async def test_bolts_respond_reaches_the_person(party: Party) -> None:
    """The official client's respond() works as it does on Slack."""

    @party.app.command("/jobs")
    async def jobs(ack: Any, respond: Any) -> None:
        await ack()
        await respond("three jobs")

    await party.slack.person("ada").command("/jobs")
    assert (await party.slack.wait_for_ephemeral("ada", lambda one: one.text == "three jobs")).channel == "C0TRAIN001"


# Clicks


async def test_what_is_not_on_the_screen_cannot_be_pressed(party: Party) -> None:
    """Neither another action id nor another block id nor another value."""
    await party.client.chat_postMessage(channel="C0TRAIN001", text="go?", blocks=[ROW])
    card, ada = party.slack.messages("trainings")[0], party.slack.person("ada")
    for wrong in ({"action_id": "stop"}, {"action_id": "go", "block_id": "x"}, {"action_id": "go", "value": "2"}):
        with pytest.raises(Exception, match="no_such_element"):
            await ada.click(card, **wrong)
    assert party.heard == []


async def test_an_outdated_screen_can_still_be_pressed(party: Party) -> None:
    """Somebody may click what was edited away a moment ago; the app has to cope."""
    ts = (await party.client.chat_postMessage(channel="C0TRAIN001", text="go?", blocks=[ROW]))["ts"]
    before = party.slack.messages("trainings")[0]
    await party.client.chat_update(channel="C0TRAIN001", ts=ts, text="decided")
    assert (await party.slack.person("ada").click(before, "go")).ok
    assert party.heard[-1]["actions"][0]["value"] == "1"


async def test_a_choice_names_the_option_as_it_was_listed(party: Party) -> None:
    """A select in a message sends the whole option, and the message's state holds it."""
    select = {**FORM["blocks"][1]["element"], "action_id": "go"}
    row = {"type": "actions", "block_id": "row", "elements": [select]}
    await party.client.chat_postMessage(channel="C0TRAIN001", text="which?", blocks=[row])
    card = party.slack.messages("trainings")[0]
    assert (await party.slack.person("ada").click(card, "go", selected="slow")).ok
    body = party.heard[-1]
    assert body["actions"][0]["selected_option"]["text"]["text"] == "Slow"
    assert body["state"]["values"]["row"]["go"]["selected_option"]["value"] == "slow"
    with pytest.raises(Exception, match="no_such_option"):
        await party.slack.person("ada").click(card, "go", selected="other")


async def test_a_click_that_nobody_takes_is_told(party: Party) -> None:
    """The person sees that Slack had trouble."""
    await party.client.chat_postMessage(channel="C0TRAIN001", text="go?", blocks=[ROW])
    await party.slack.switch("refuse", {"times": 1000})
    await party.slack.switch("disconnect", {"abort": True})
    await party.slack.wait_for(lambda: not party.slack.is_connected)
    outcome = await party.slack.person("ada").click(party.slack.messages("trainings")[0], "go")
    assert (outcome.ok, outcome.message) == (False, "We had some trouble connecting. Try again?")


# Modals


async def open_form(party: Party, **more: Any) -> Any:
    trigger_id = (await party.command())["trigger_id"]
    await party.client.views_open(trigger_id=trigger_id, view={**FORM, **more})
    return party.slack.person("ada").view


async def test_a_submission_holds_every_field(party: Party) -> None:
    """Initial values count, an untouched field is there with nothing in it, a choice is a whole option."""
    view = await open_form(party, private_metadata="job 7")
    ada = party.slack.person("ada")
    party.answer = {"response_action": "update", "view": FORM}
    assert (await ada.submit(view)).ok
    sent = party.heard[-1]["view"]
    assert sent["state"]["values"] == {
        "name": {"text": {"type": "plain_text_input", "value": "ada"}},
        "kind": {"pick": {"type": "static_select", "selected_option": None}},
    }
    assert (sent["private_metadata"], sent["callback_id"], sent["id"]) == ("job 7", "form", view.id)
    party.answer = {}
    assert (await ada.submit(view, {"name": {"text": "bora"}, "kind": {"pick": "fast"}})).ok
    values = party.heard[-1]["view"]["state"]["values"]
    assert values["name"]["text"]["value"] == "bora"
    assert values["kind"]["pick"]["selected_option"]["value"] == "fast"
    assert ada.view is None


async def test_slacks_own_checks_come_first(party: Party) -> None:
    """A field that is empty or too long never reaches the app; a place that is not there is refused."""
    view = await open_form(party)
    ada, before = party.slack.person("ada"), len(party.heard)
    for text, sentence in (("", "complete this required field"), ("far too long", "at most 5 characters")):
        outcome = await ada.submit(view, {"name": {"text": text}})
        assert outcome.errors is not None
        assert sentence in outcome.errors["name"]
    with pytest.raises(Exception, match="no_such_element"):
        await ada.submit(view, {"nowhere": {"text": "x"}})
    with pytest.raises(Exception, match="not_found"):
        await party.slack.person("bora").submit(view)
    assert len(party.heard) == before


@pytest.mark.parametrize(
    "answer",
    [
        {"response_action": "errors", "errors": {"nowhere": "wrong"}},
        {"response_action": "update", "view": {"type": "modal", "blocks": []}},
    ],
)
async def test_an_answer_that_slack_cannot_use_leaves_the_modal_open(party: Party, answer: dict[str, Any]) -> None:
    """The person sees a sentence of Slack's, and may try again."""
    view = await open_form(party)
    party.answer = answer
    outcome = await party.slack.person("ada").submit(view)
    assert (outcome.ok, outcome.message) == (False, "We had some trouble connecting. Try again?")
    shown = party.slack.person("ada").view
    assert shown is not None
    assert shown.trouble == outcome.message


async def test_modals_stack_three_deep_and_close_one_by_one(party: Party) -> None:
    """A fourth is refused; closing shows what lies below; clear takes all."""
    ada = party.slack.person("ada")
    view = await open_form(party)
    party.answer = {"response_action": "push", "view": FORM}
    for _ in range(2):
        await ada.submit(view)
        view = ada.view
    assert [one.previous_id is None for one in party.slack.views.all_open()] == [True, False, False]
    assert (await ada.submit(view)).error == "push_limit_reached"
    await ada.close(view)
    assert len(party.slack.views.all_open()) == 2
    party.answer = {"response_action": "clear"}
    assert ada.view is not None
    assert (await ada.submit(ada.view)).ok
    assert ada.view is None


async def test_closing_is_told_only_where_the_app_asked(party: Party) -> None:
    """notify_on_close makes the difference."""
    ada = party.slack.person("ada")
    await ada.close(await open_form(party))
    assert party.heard[-1].get("type") != "view_closed"
    await ada.close(await open_form(party, notify_on_close=True))
    assert (party.heard[-1]["type"], party.heard[-1]["is_cleared"]) == ("view_closed", False)


async def test_an_update_needs_the_hash_that_it_saw(party: Party) -> None:
    """Two writers at once: the second is told that the view has changed."""
    view = await open_form(party)
    updated = await party.client.views_update(view_id=view.id, view=FORM, hash=view.hash)
    assert updated["view"]["id"] == view.id
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await party.client.views_update(view_id=view.id, view=FORM, hash=view.hash)
    await party.slack.person("ada").close(view)
    with pytest.raises(SlackApiError, match="not_found"):
        await party.client.views_update(view_id=view.id, view=FORM)


async def test_a_broken_view_is_refused_before_its_trigger_is_used(party: Party) -> None:
    """The trigger stays good for the corrected view."""
    trigger_id = (await party.command())["trigger_id"]
    with pytest.raises(SlackApiError, match="missing required field: submit"):
        await party.client.views_open(trigger_id=trigger_id, view={k: v for k, v in FORM.items() if k != "submit"})
    assert (await party.client.views_open(trigger_id=trigger_id, view=FORM))["ok"]


async def test_a_button_in_a_modal_carries_the_forms_state(party: Party) -> None:
    """The app sees what is filled in so far, and may push a further view."""
    view = await open_form(party, blocks=[*FORM["blocks"], ROW])
    ada = party.slack.person("ada")
    assert (await ada.click_in_view(view, "pick", selected="fast")).ok
    assert (await ada.click_in_view(view, "go")).ok
    body = party.heard[-1]
    assert body["view"]["state"]["values"]["kind"]["pick"]["selected_option"]["value"] == "fast"
    assert (body["container"], "response_url" in body) == ({"type": "view", "view_id": view.id}, False)
    await party.client.views_push(trigger_id=body["trigger_id"], view=FORM)
    assert len(party.slack.views.all_open()) == 2


async def test_a_home_tab_is_published_and_pressed(party: Party) -> None:
    """Each person has a Home tab of their own."""
    home = {"type": "home", "blocks": [ROW]}
    await party.client.views_publish(user_id="U0ADA00001", view=home)
    shown = await party.slack.person("ada").open_home()
    assert shown is not None
    assert await party.slack.person("bora").open_home() is None
    assert (await party.slack.person("ada").click_in_view(shown, "go")).ok
    assert party.heard[-1]["view"]["type"] == "home"


async def test_shortcuts_come_from_the_manifest() -> None:
    """A message's menu sends the message; a name that is not registered cannot be chosen."""
    known = manifest.Manifest(
        commands={},
        scopes=frozenset(),
        events=frozenset(),
        shortcuts=(
            manifest.Shortcut(callback_id="train_file", name="Train with this file", kind="message"),
            manifest.Shortcut(callback_id="start", name="Start a training", kind="global"),
        ),
    )
    async with running("socket", manifest=known) as (slack, app):
        seen: list[dict[str, Any]] = []

        @app.shortcut({"callback_id": "train_file", "type": "message_action"})
        async def train_file(ack: Any, shortcut: dict[str, Any]) -> None:
            seen.append(shortcut)
            await ack()

        @app.shortcut("start")
        async def start(ack: Any, shortcut: dict[str, Any]) -> None:
            seen.append(shortcut)
            await ack()

        ada = slack.person("ada")
        said = await ada.say("take this")
        assert (await ada.message_shortcut(said, "train_file")).ok
        assert (await ada.global_shortcut("start")).ok
        assert [one["type"] for one in seen] == ["message_action", "shortcut"]
        assert seen[0]["message"]["text"] == "take this"
        with pytest.raises(Exception, match="no_such_element"):
            await ada.global_shortcut("train_file")


async def test_a_wait_that_is_in_vain_says_what_was_there(party: Party) -> None:
    """A failing test should show the conversation as it was."""
    await party.slack.person("ada").say("only this")
    with pytest.raises(TimeoutError, match="only this"):
        await party.slack.wait_for_message("trainings", lambda one: one.text == "that", timeout=0.01)


async def test_a_wait_ends_with_the_change(party: Party) -> None:
    """Nobody polls: the change itself wakes the waiter."""
    waiting = asyncio.ensure_future(party.slack.wait_for_message("trainings", lambda one: "now" in one.text))
    await party.slack.person("ada").say("now")
    assert (await waiting).text == "now"


async def test_an_updated_form_keeps_what_was_filled_in(party: Party) -> None:
    """Where block and action keep their names the value stays, what is gone is gone from the state too."""
    view = await open_form(party)
    ada = party.slack.person("ada")
    await ada.click_in_view(view, "text", selected="bora")
    await ada.click_in_view(view, "pick", selected="fast")
    await party.client.views_update(view_id=view.id, view={**FORM, "blocks": FORM["blocks"][:1]})
    assert (await ada.submit(view)).ok
    values = party.heard[-1]["view"]["state"]["values"]
    assert values == {"name": {"text": {"type": "plain_text_input", "value": "bora"}}}


async def test_an_answer_to_a_closed_modal_opens_nothing(party: Party) -> None:
    """Errors for a view that its author closed meanwhile are shown to nobody."""
    view = await open_form(party)
    ada = party.slack.person("ada")

    @party.app.view("late")
    async def late(ack: Any) -> None:
        await ada.close(view)
        await ack(response_action="errors", errors={"name": "wrong"})

    await party.client.views_update(view_id=view.id, view={**FORM, "callback_id": "late"})
    assert not (await ada.submit(view)).ok
    assert party.slack.views.all_open() == []
