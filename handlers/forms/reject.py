"""Rejecting asks for a reason, in a form.

`views.open` needs the click's trigger, which is good for three seconds and never stored. It is the one network call
that starts in a handler, in a task that the app holds, so that the ack does not wait for it.
"""

import logging

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.approvals import Answer, Outcome
from bot.domain.changes import NOTHING, Say
from bot.ports import Click, Deps
from bot.usecases.decide import decide, may_answer
from bot.usecases.moves import tell_person
from handlers.actions import click_on
from handlers.ids import Action
from handlers.messenger import code_of
from handlers.payloads import ActionPayload, Carried, SubmissionPayload
from handlers.views.forms import MOST_REASON, REASON, reason_form

log = logging.getLogger(__name__)


async def press_reject(deps: Deps, client: AsyncWebClient, payload: ActionPayload) -> Say:
    """Open the form, if this person may reject."""
    prompt_id, _, _ = payload.pressed.value.partition("|")
    denied = await may_answer(deps, prompt_id, payload.actor)
    if denied is not None:
        return denied
    deps.spawn(f"form:{deps.new_id()}", _open(deps, client, payload))
    return NOTHING


async def _open(deps: Deps, client: AsyncWebClient, payload: ActionPayload) -> None:
    carried = Carried(value=payload.pressed.value, url=payload.response_url)
    is_open = False
    try:
        await client.views_open(trigger_id=payload.trigger_id, view=reason_form(carried.model_dump_json()))
        is_open = True
    except SlackApiError as error:
        log.warning("the form did not open: %s", code_of(error))
    finally:
        # Whatever else it was, the connection or Slack's answer, is logged by who holds the task.
        if not is_open:
            await _offer_the_button_again(deps, payload)


async def _offer_the_button_again(deps: Deps, payload: ActionPayload) -> None:
    """A fresh button, seen only by who pressed, brings a fresh trigger."""
    if not payload.response_url:
        return
    button = {"label": "Reject", "action": Action.REJECT.value, "value": payload.pressed.value}
    body = {"text": "Slack did not open the form in time. Please press once more:", "buttons": [button]}
    await deps.store.tell([tell_person(deps, payload.response_url, body)])
    deps.nudge("deliver")


async def submit_reason(deps: Deps, payload: SubmissionPayload) -> Say:
    """Reject with the reason that was typed. NOTHING is left to say once the rejection stands."""
    carried = Carried.model_validate_json(payload.view.private_metadata)
    reason = payload.value(REASON, REASON).strip()[:MOST_REASON]
    if not reason:
        denied = await may_answer(deps, carried.value.partition("|")[0], payload.actor)
        return denied or Say(text="Nothing was done: a rejection needs a reason. Please press *Reject* once more.")
    click = click_on(deps, carried.value, Answer.REJECT, payload.actor, url=carried.url, reason=reason)
    said = await decide(deps, click)
    return NOTHING if await _stands(deps, click) else said


async def _stands(deps: Deps, click: Click) -> bool:
    """Is what this person answered now the answer that is kept?"""
    prompt = await deps.store.prompt(click.prompt_id)
    if prompt is None or prompt.outcome is not Outcome.ANSWERED:
        return False
    return (prompt.answer, prompt.actor) == (click.answer, click.actor)
