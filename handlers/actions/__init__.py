"""What the buttons do: a table from action to coroutine; every click is answered, also one on an old message."""

import re
from collections.abc import Awaitable, Callable, Mapping

from bot.domain.approvals import Answer
from bot.domain.changes import Say
from bot.ports import Click, Deps
from bot.usecases.cancel import cancel, keep_watching, offer_again
from bot.usecases.decide import UNKNOWN_PROMPT, decide
from bot.usecases.inquire import Asking, inquire, watch
from bot.usecases.place import post_here, use_dm
from bot.usecases.request import request_another
from handlers.commands.jobs import show_page
from handlers.commands.train import tell_request
from handlers.grammar import Word, parse_reference, shown
from handlers.ids import Action, action_of
from handlers.payloads import ActionPayload
from handlers.views.blocks import Message

Press = Callable[[Deps, ActionPayload], Awaitable[Say | Message]]


async def press(deps: Deps, payload: ActionPayload) -> Say | Message:
    """Do what a button says. A button that nobody knows any more is answered too."""
    known = action_of(payload.pressed.action_id)
    if known is None or known[0] not in PRESSES:
        return Say(text=UNKNOWN_PROMPT)
    return await PRESSES[known[0]](deps, payload)


async def answer_prompt(deps: Deps, payload: ActionPayload, answer: Answer, *, value: str, reason: str = "") -> Say:
    """An answer to a prompt; `value` is what its button carried: the prompt's id and the digest of what it showed."""
    prompt_id, _, digest = value.partition("|")
    click = Click(
        id=deps.new_id(),
        prompt_id=prompt_id,
        digest=digest,
        answer=answer,
        actor=payload.actor,
        at=deps.now(),
        reason=reason,
        url=payload.response_url,
    )
    return await decide(deps, click)


async def _approve(deps: Deps, payload: ActionPayload) -> Say:
    return await answer_prompt(deps, payload, Answer.APPROVE, value=payload.pressed.value)


async def _answer(deps: Deps, payload: ActionPayload) -> Say:
    _, _, which = payload.pressed.action_id.partition(":")
    if which not in Answer.__members__.values():
        return Say(text=UNKNOWN_PROMPT)
    return await answer_prompt(deps, payload, Answer(which), value=payload.pressed.value)


async def _cancel(deps: Deps, payload: ActionPayload) -> Say:
    return await cancel(deps, payload.pressed.value, payload.actor)


async def _offer_again(deps: Deps, payload: ActionPayload) -> Say:
    return await offer_again(deps, payload.pressed.value, payload.actor)


async def _keep_watching(deps: Deps, payload: ActionPayload) -> Say:
    return await keep_watching(deps, payload.pressed.value, payload.actor)


async def _start_another(deps: Deps, payload: ActionPayload) -> Say:
    key = payload.pressed.value
    answered = await request_another(deps, key, payload.actor, url=payload.response_url)
    return tell_request(deps.providers.get(answered.job.request.provider).title, answered, key)


async def _post_here(deps: Deps, payload: ActionPayload) -> Say:
    return await post_here(deps, payload.pressed.value, payload.actor)


async def _use_dm(deps: Deps, payload: ActionPayload) -> Say:
    return await use_dm(deps, payload.pressed.value, payload.actor)


async def _watch(deps: Deps, payload: ActionPayload) -> Say:
    provider, _, rest = payload.pressed.value.partition("|")
    index, _, words = rest.partition("|")
    said, _ = await watch(deps, _asking(deps, payload, provider, words), _number(index, otherwise=-1))
    return said


async def _look(deps: Deps, payload: ActionPayload) -> Say:
    provider, _, words = payload.pressed.value.partition("|")
    return await inquire(deps, _asking(deps, payload, provider, words), may_publish=True)


def _asking(deps: Deps, payload: ActionPayload, name: str, words: str) -> Asking:
    provider = deps.providers.get(shown(name))
    return Asking(
        key=payload.trigger_id or deps.new_id(),
        provider=provider.name,
        words=parse_reference(provider, [Word(text=word) for word in words.split("|")]),
        actor=payload.actor,
        channel=payload.channel.id if payload.channel else payload.actor.user,
        url=payload.response_url,
    )


async def _jobs_page(deps: Deps, payload: ActionPayload) -> Message:
    number, _, query = payload.pressed.value.partition("|")
    place = payload.channel.id if payload.channel else ""
    return await show_page(deps, query, _number(number, otherwise=0), actor=payload.actor, place=place)


def _number(text: str, *, otherwise: int) -> int:
    """The number in a button's value; nothing larger is ever written into one."""
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else otherwise


PRESSES: Mapping[Action, Press] = {
    Action.APPROVE: _approve,
    Action.ANSWER: _answer,
    Action.CANCEL: _cancel,
    Action.OFFER_AGAIN: _offer_again,
    Action.KEEP_WATCHING: _keep_watching,
    Action.START_ANOTHER: _start_another,
    Action.POST_HERE: _post_here,
    Action.USE_DM: _use_dm,
    Action.WATCH: _watch,
    Action.LOOK: _look,
    Action.JOBS_PAGE: _jobs_page,
}
"""Every action but REJECT, which opens a form first (see `handlers.forms.reject`)."""
