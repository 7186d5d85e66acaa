"""An answer with a reason asks for it in a form: a rejection always, an approval where the rule wants it.

`views.open` needs the click's trigger, which is good for three seconds and never stored. It is the one network call
that starts in a handler, in a task that the app holds, so that the ack does not wait for it.
"""

import unicodedata
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.approvals import Answer, Outcome
from bot.domain.changes import NOTHING, Button, Say
from bot.ports import Click, Deps
from bot.sentences import _
from bot.usecases.decide import decide, may_answer, wants_reason
from bot.usecases.home import answer_at_home
from bot.usecases.moves import body_of, tell_person
from handlers.actions import click_on, press
from handlers.forms.opening import PRESS_ONCE_MORE, or_else
from handlers.ids import Action, action_of
from handlers.payloads import ActionPayload, Carried, SubmissionPayload
from handlers.views.blocks import Message
from handlers.views.forms import MOST_REASON, REASON, reason_form

VERBS = {Answer.APPROVE: _("Approve"), Answer.REJECT: _("Reject")}


async def press_or_ask(deps: Deps, client: AsyncWebClient, payload: ActionPayload) -> Say | Message:
    """Do what a button says; where it first wants a reason, open the form, if this person may answer."""
    answer = _asks_for_reason(payload)
    prompt_id = payload.pressed.value.partition("|")[0]
    if answer is None or (answer is Answer.APPROVE and not await wants_reason(deps, prompt_id, answer)):
        return await press(deps, payload)
    denied = await may_answer(deps, prompt_id, payload.actor)
    if denied is not None:
        return denied
    is_optional = not await wants_reason(deps, prompt_id, answer)
    deps.spawn(f"form:{deps.new_id()}", _open(deps, client, payload, answer, is_optional=is_optional))
    return NOTHING


def _asks_for_reason(payload: ActionPayload) -> Answer | None:
    known = action_of(payload.pressed.action_id)
    return {Action.APPROVE: Answer.APPROVE, Action.REJECT: Answer.REJECT}.get(known[0]) if known else None


async def _open(
    deps: Deps, client: AsyncWebClient, payload: ActionPayload, answer: Answer, *, is_optional: bool
) -> None:
    carried = Carried(value=payload.pressed.value, url=payload.response_url, answer=answer)
    view = reason_form(carried.model_dump_json(), VERBS[answer], is_optional=is_optional)
    async with or_else(partial(_offer_the_button_again, deps, payload, answer)):
        await client.views_open(trigger_id=payload.trigger_id, view=view)


async def _offer_the_button_again(deps: Deps, payload: ActionPayload, answer: Answer) -> None:
    """A fresh button, seen only by who pressed, brings a fresh trigger."""
    if payload.is_at_home:
        late = _("Slack did not open the form in time. Please press once more: *{button}*.", button=VERBS[answer])
        await answer_at_home(deps, payload.actor, Say(text=late))
        return
    if not payload.response_url:
        return
    button = Button(label=VERBS[answer], action=answer.value, value=payload.pressed.value)
    body = body_of(Say(text=PRESS_ONCE_MORE, buttons=(button,)))
    await deps.store.tell([tell_person(deps, payload.response_url, body, reader=payload.actor)])
    deps.nudge("deliver")


async def submit_reason(deps: Deps, payload: SubmissionPayload) -> Say:
    """Answer with the reason that was typed. NOTHING is left to say once the answer stands."""
    carried = Carried.model_validate_json(payload.view.private_metadata)
    reason = _readable(payload.value(REASON, REASON))
    prompt_id = carried.value.partition("|")[0]
    if not reason and await wants_reason(deps, prompt_id, carried.answer):
        denied = await may_answer(deps, prompt_id, payload.actor)
        return denied or Say(text=_needs_reason(VERBS[carried.answer]))
    click = click_on(deps, carried.value, carried.answer, payload.actor, url=carried.url, reason=reason)
    said = await decide(deps, click)
    if not carried.url:
        # Asked for on the Home tab, where the next look goes when the form is closed.
        await answer_at_home(deps, payload.actor, said)
    return NOTHING if await _stands(deps, click) else said


def _needs_reason(button: str) -> str:
    return _("Nothing was done: this answer needs a reason. Please press *{button}* once more.", button=button)


def _readable(typed: str) -> str:
    """What was typed; nothing where no sign of it can be seen."""
    is_seen = any(unicodedata.category(sign)[0] in "LNPS" for sign in typed)
    return typed.strip()[:MOST_REASON] if is_seen else ""


async def _stands(deps: Deps, click: Click) -> bool:
    """Is what this person answered now the answer that is kept?"""
    prompt = await deps.store.prompt(click.prompt_id)
    if prompt is None or prompt.outcome is not Outcome.ANSWERED:
        return False
    return (prompt.answer, prompt.actor) == (click.answer, click.actor)
