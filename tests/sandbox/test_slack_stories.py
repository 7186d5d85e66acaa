"""Whole stories between a person, this Slack, and an app on the real Bolt; in Socket Mode and on HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.slack_app import running

MODES = pytest.mark.parametrize("mode", ["socket", "http"])
BUTTON = {"type": "button", "text": {"type": "plain_text", "text": "Approve"}, "action_id": "approve", "value": "7"}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


@MODES
async def test_a_command_is_acked_and_its_answer_is_seen_by_its_author_alone(mode: str) -> None:
    """The words of an acknowledgement are ephemeral unless the app says otherwise."""
    async with running(mode) as (slack, app):

        @app.command("/train")
        async def train(ack: Any, command: dict[str, Any]) -> None:
            await ack(f"understood: {command['text']}")

        outcome = await slack.person("ada").command("/train sestek my-model en-US")
        assert outcome.ok
        assert [one.text for one in slack.ephemerals("ada")] == ["understood: sestek my-model en-US"]
        assert slack.ephemerals("bora") == []
        assert slack.messages("trainings") == []


@MODES
async def test_an_app_posts_edits_and_answers_a_click(mode: str) -> None:
    """A card is posted once and edited in place; a click carries the message that was clicked."""
    async with running(mode) as (slack, app):
        clicked: list[dict[str, Any]] = []

        @app.command("/train")
        async def train(ack: Any, client: Any, command: dict[str, Any]) -> None:
            await ack()
            blocks = [section("*running*"), {"type": "actions", "block_id": "decide", "elements": [BUTTON]}]
            await client.chat_postMessage(channel=command["channel_id"], text="running", blocks=blocks)

        @app.action("approve")
        async def approve(ack: Any, client: Any, body: dict[str, Any]) -> None:
            await ack()
            clicked.append(body)
            await client.chat_update(
                channel=body["channel"]["id"], ts=body["message"]["ts"], text="approved", blocks=[section("approved")]
            )

        await slack.person("ada").command("/train x")
        card = await slack.wait_for_message("trainings", lambda one: one.text == "running")
        outcome = await slack.person("bora").click(card, "approve")
        assert outcome.ok
        edited = await slack.wait_for_message("trainings", lambda one: one.text == "approved")
        assert edited.ts == card.ts
        assert clicked[0]["actions"][0]["value"] == "7"
        assert clicked[0]["user"]["id"] == "U0BORA0001"
        assert clicked[0]["message"]["blocks"][0]["text"]["text"] == "*running*"


@MODES
async def test_a_modal_opens_is_refused_then_closes(mode: str) -> None:
    """A modal lives from views.open to an empty acknowledgement; errors stand under their blocks in between."""
    async with running(mode) as (slack, app):
        view = {
            "type": "modal",
            "callback_id": "why",
            "private_metadata": "job 7",
            "title": {"type": "plain_text", "text": "Reject"},
            "submit": {"type": "plain_text", "text": "Reject"},
            "blocks": [
                {
                    "type": "input",
                    "block_id": "reason",
                    "label": {"type": "plain_text", "text": "Reason"},
                    "element": {"type": "plain_text_input", "action_id": "text"},
                }
            ],
        }
        given: list[str] = []

        @app.command("/train")
        async def train(ack: Any, client: Any, command: dict[str, Any]) -> None:
            await ack()
            await client.views_open(trigger_id=command["trigger_id"], view=view)

        @app.view("why")
        async def why(ack: Any, view: dict[str, Any]) -> None:
            text = view["state"]["values"]["reason"]["text"]["value"]
            given.append(text)
            if len(text) < 5:
                await ack(response_action="errors", errors={"reason": "say more"})
            else:
                await ack()

        ada = slack.person("ada")
        await ada.command("/train")
        opened = await slack.wait_for(lambda: ada.view)
        assert (await ada.submit(opened)).errors == {"reason": "Please complete this required field."}
        assert (await ada.submit(opened, {"reason": {"text": "no"}})).errors == {"reason": "say more"}
        assert [view.errors for view in slack.views.all_open()] == [{"reason": "say more"}]
        assert (await ada.submit(opened, {"reason": {"text": "because"}})).ok
        assert slack.views.all_open() == []
        assert given == ["no", "because"]
