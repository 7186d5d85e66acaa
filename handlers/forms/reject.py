"""Rejecting asks for a reason, in a form.

`views.open` needs the click's trigger, which is good for three seconds and never stored. It is the one network call
that starts in a handler, in a task that the app holds, so that the ack does not wait for it.
"""

import json
import logging

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.approvals import Answer
from bot.domain.changes import NOTHING, Say
from bot.ports import Click, Deps
from bot.usecases.decide import decide, may_answer
from bot.usecases.moves import tell_person
from handlers.ids import Action, Callback
from handlers.payloads import ActionPayload, SubmissionPayload
from handlers.views.blocks import Block, section

log = logging.getLogger(__name__)
REASON = "reason"
MOST_REASON = 500


async def press_reject(deps: Deps, client: AsyncWebClient, payload: ActionPayload) -> Say:
    """Open the form, if this person may reject."""
    prompt_id, _, _ = payload.pressed.value.partition("|")
    denied = await may_answer(deps, prompt_id, payload.actor)
    if denied is not None:
        return denied
    deps.spawn(f"form:{deps.new_id()}", _open(deps, client, payload))
    return NOTHING


async def _open(deps: Deps, client: AsyncWebClient, payload: ActionPayload) -> None:
    form = reason_form(payload.pressed.value, payload.response_url)
    try:
        await client.views_open(trigger_id=payload.trigger_id, view=form)
    except (SlackApiError, OSError, TimeoutError) as error:
        code = error.response.get("error", "") if isinstance(error, SlackApiError) else type(error).__name__
        log.warning("the form did not open: %s", code)
        await _offer_the_button_again(deps, payload)


async def _offer_the_button_again(deps: Deps, payload: ActionPayload) -> None:
    """The trigger had run out: a fresh button, seen only by who pressed, brings a fresh trigger."""
    if not payload.response_url:
        return
    button = {"label": "Reject …", "action": Action.REJECT.value, "value": payload.pressed.value}
    body = {"text": "Slack was too slow to open the form. Press once more:", "buttons": [button]}
    await deps.store.tell([tell_person(deps, payload.response_url, body)])
    deps.nudge("deliver")


def reason_form(value: str, url: str) -> Block:
    """The form; it carries what the button carried, and where to answer."""
    return {
        "type": "modal",
        "callback_id": Callback.REJECT_REASON.value,
        "private_metadata": json.dumps({"value": value, "url": url}),
        "title": {"type": "plain_text", "text": "Reject"},
        "submit": {"type": "plain_text", "text": "Reject"},
        "close": {"type": "plain_text", "text": "Back"},
        "blocks": [
            {
                "type": "input",
                "block_id": REASON,
                "label": {"type": "plain_text", "text": "Why?"},
                "hint": {"type": "plain_text", "text": "Everybody who sees the card can read it."},
                "element": {
                    "type": "plain_text_input",
                    "action_id": REASON,
                    "multiline": True,
                    "max_length": MOST_REASON,
                },
            }
        ],
    }


async def submit_reason(deps: Deps, payload: SubmissionPayload) -> Say:
    """Reject with the reason that was typed."""
    carried = json.loads(payload.view.private_metadata or "{}")
    prompt_id, _, digest = str(carried.get("value", "")).partition("|")
    click = Click(
        id=deps.new_id(),
        prompt_id=prompt_id,
        digest=digest,
        answer=Answer.REJECT,
        actor=payload.actor,
        at=deps.now(),
        reason=payload.value(REASON, REASON).strip()[:MOST_REASON],
        url=str(carried.get("url", "")),
    )
    return await decide(deps, click)


def told(text: str) -> Block:
    """The form turned into an answer."""
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": "Reject"},
        "close": {"type": "plain_text", "text": "Close"},
        "blocks": [section(text)],
    }
