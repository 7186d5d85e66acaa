"""A small app on the real Bolt, in Socket Mode, with all that the page has to show: cards, threads, buttons, a form."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import Slack
from tests.sandbox.slack_app import bolt_app, client_for, in_socket_mode

JSON = dict[str, Any]
TRAININGS = "C0TRAIN001"


def plain(text: str) -> JSON:
    return {"type": "plain_text", "text": text}


def section(text: str) -> JSON:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(text: str, action_id: str, **more: Any) -> JSON:
    return {"type": "button", "text": plain(text), "action_id": action_id, "value": "7", **more}


def card(state: str) -> list[JSON]:
    confirm = {
        "title": plain("Cancel this training?"),
        "text": plain("What was trained so far is lost."),
        "confirm": plain("Cancel it"),
        "deny": plain("Keep it"),
    }
    menu = {
        "type": "static_select",
        "action_id": "pace",
        "placeholder": plain("Look how often?"),
        "options": [{"text": plain("often"), "value": "1"}, {"text": plain("rarely"), "value": "60"}],
    }
    more = {"type": "overflow", "action_id": "more", "options": [{"text": plain("Show the plan"), "value": "plan"}]}
    actions = [button("Cancel", "cancel", style="danger", confirm=confirm), button("Reject", "reject"), menu, more]
    return [section(f"Training *my-model*: {state}"), {"type": "actions", "elements": actions}]


def reject_form() -> JSON:
    reason = {"type": "plain_text_input", "action_id": "text", "multiline": True}
    return {
        "type": "modal",
        "callback_id": "reject",
        "title": plain("Reject the switch"),
        "submit": plain("Send"),
        "close": plain("Back"),
        "blocks": [{"type": "input", "block_id": "reason", "label": plain("Reason"), "element": reason}],
    }


class CardBot:
    """What the app was asked, and its way to talk."""

    def __init__(self, slack: Slack, client: AsyncWebClient) -> None:
        self.slack, self.client = slack, client
        self.pressed: list[JSON] = []
        self.reasons: list[str] = []
        self.card_ts = ""

    async def post(self, text: str, **more: Any) -> str:
        """Post to #trainings; the message's ts."""
        reply = await self.client.chat_postMessage(channel=TRAININGS, text=text, **more)
        ts: str = reply["ts"]
        return ts

    async def post_card(self, state: str) -> str:
        self.card_ts = await self.post(f"my-model: {state}", blocks=card(state))
        return self.card_ts

    async def edit_card(self, state: str) -> None:
        await self.client.chat_update(channel=TRAININGS, ts=self.card_ts, text=f"my-model: {state}", blocks=card(state))

    # What it listens to

    async def train(self, ack: Any, command: JSON) -> None:
        await ack(f"Job k7m2: checking `{command['text']}`")
        await self.post_card("queued")

    async def press(self, ack: Any, body: JSON) -> None:
        self.pressed.append(body["actions"][0])
        await ack()

    async def ask_reason(self, ack: Any, body: JSON) -> None:
        await ack()
        await self.client.views_open(trigger_id=body["trigger_id"], view=reject_form())

    async def take_reason(self, ack: Any, view: JSON) -> None:
        reason = view["state"]["values"]["reason"]["text"]["value"]
        if len(reason) < 5:
            await ack(response_action="errors", errors={"reason": "Say it in five letters or more."})
            return
        self.reasons.append(reason)
        await ack()


@asynccontextmanager
async def card_bot(slack: Slack) -> AsyncIterator[CardBot]:
    """The app, connected for as long as the context lasts."""
    async with ClientSession() as session:
        app = bolt_app(slack, session)
        bot = CardBot(slack, client_for(slack, session))
        app.command("/train")(bot.train)
        for action in ("cancel", "pace", "more"):
            app.action(action)(bot.press)
        app.action("reject")(bot.ask_reason)
        app.view("reject")(bot.take_reason)
        async with in_socket_mode(slack, app):
            yield bot
