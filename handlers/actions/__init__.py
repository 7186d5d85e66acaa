"""What the buttons do: a table from action to coroutine; every click is answered, also one on an old message."""

import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import unquote

from bot.domain.approvals import Answer
from bot.domain.changes import Say
from bot.domain.job_exports import Form
from bot.domain.jobs import Job
from bot.domain.requests import Actor
from bot.errors import RefusedError
from bot.ports import Click, Deps
from bot.sentences import _
from bot.usecases.cancel import cancel, keep_watching, offer_again
from bot.usecases.decide import UNKNOWN_PROMPT, decide
from bot.usecases.explain import explain_prompt
from bot.usecases.following import stop
from bot.usecases.inquire import Asking, inquire, watch
from bot.usecases.place import post_here, use_dm
from bot.usecases.request import request_another
from bot.usecases.retrain import Wish, retrain
from bot.usecases.stop import stop_recurring
from handlers.commands.attention import is_channel
from handlers.commands.jobs import export, show_durations, show_page
from handlers.commands.status import show_scores, tell_story
from handlers.commands.train import tell_request
from handlers.grammar import Word, parse_reference, shown
from handlers.ids import Action, action_of
from handlers.lines import to_line
from handlers.payloads import ActionPayload
from handlers.views import charts
from handlers.views import help as help_views
from handlers.views.blocks import Message

Press = Callable[[Deps, ActionPayload], Awaitable[Say | Message]]


async def press(deps: Deps, payload: ActionPayload) -> Say | Message:
    """Do what a button says. A button that nobody knows any more is answered too."""
    known = action_of(payload.pressed.action_id)
    if known is None or known[0] not in PRESSES:
        return Say(text=UNKNOWN_PROMPT)
    return await PRESSES[known[0]](deps, payload)


def click_on(deps: Deps, value: str, answer: Answer, actor: Actor, *, url: str, reason: str = "") -> Click:
    """An answer to a prompt; `value` is what its button carried: the prompt's id and the digest of what it showed."""
    prompt_id, _bar, digest = value.partition("|")
    return Click(
        id=deps.new_id(),
        prompt_id=prompt_id,
        digest=digest,
        answer=answer,
        actor=actor,
        at=deps.now(),
        reason=reason,
        url=url,
    )


async def _approve(deps: Deps, payload: ActionPayload) -> Say:
    return await _decide(deps, payload, Answer.APPROVE)


async def _answer(deps: Deps, payload: ActionPayload) -> Say:
    _action, _colon, which = payload.pressed.action_id.partition(":")
    if which not in Answer.__members__.values():
        return Say(text=UNKNOWN_PROMPT)
    return await _decide(deps, payload, Answer(which))


async def _decide(deps: Deps, payload: ActionPayload, answer: Answer) -> Say:
    click = click_on(deps, payload.pressed.value, answer, payload.actor, url=payload.response_url)
    return await decide(deps, click)


async def _why(deps: Deps, payload: ActionPayload) -> Say:
    return await explain_prompt(deps, payload.pressed.value, payload.actor)


def _on_a_job(act: Callable[[Deps, str, Actor], Awaitable[Say]]) -> Press:
    """What is done to a training, or to one that recurs; its id is what the button carries."""

    async def pressed(deps: Deps, payload: ActionPayload) -> Say:
        return await act(deps, payload.pressed.value, payload.actor)

    return pressed


async def _retrain(deps: Deps, payload: ActionPayload) -> Say:
    place = payload.channel.id if payload.channel else payload.actor.user
    wish = Wish(key=payload.trigger_id or deps.new_id(), actor=payload.actor, channel=place, url=payload.response_url)
    return await retrain(deps, payload.pressed.value, wish)


async def _start_another(deps: Deps, payload: ActionPayload) -> Say:
    key = payload.pressed.value
    answered = await request_another(deps, key, payload.actor, url=payload.response_url)
    return tell_request(deps.providers.get(answered.job.request.provider).title, answered, key)


async def _watch(deps: Deps, payload: ActionPayload) -> Say:
    provider, _bar, rest = payload.pressed.value.partition("|")
    index, _bar, words = rest.partition("|")
    said, _inquiry = await watch(deps, _asking(deps, payload, provider, words), _number(index, otherwise=-1))
    return said


async def _look(deps: Deps, payload: ActionPayload) -> Say:
    provider, _bar, words = payload.pressed.value.partition("|")
    return await inquire(deps, _asking(deps, payload, provider, words), may_publish=True)


def _asking(deps: Deps, payload: ActionPayload, name: str, words: str) -> Asking:
    provider = deps.providers.get(shown(name))
    return Asking(
        key=payload.trigger_id or deps.new_id(),
        provider=provider.name,
        words=parse_reference(provider, [Word(text=unquote(word)) for word in words.split("|")]),
        actor=payload.actor,
        channel=payload.channel.id if payload.channel else payload.actor.user,
        url=payload.response_url,
    )


async def _jobs_page(deps: Deps, payload: ActionPayload) -> Message:
    number, _bar, query = payload.pressed.value.partition("|")
    place = payload.channel.id if payload.channel else ""
    return await show_page(deps, query, _number(number, otherwise=0), actor=payload.actor, place=place)


async def _export(deps: Deps, payload: ActionPayload) -> Say | Message:
    _action, _colon, which = payload.pressed.action_id.partition(":")
    if which not in Form.__members__.values():
        return Say(text=UNKNOWN_PROMPT)
    place = payload.channel.id if payload.channel else ""
    key = payload.trigger_id or deps.new_id()
    return await export(deps, payload.pressed.value, Form(which), key=key, actor=payload.actor, place=place)


async def _durations(deps: Deps, payload: ActionPayload) -> Message:
    place = payload.channel.id if payload.channel else ""
    return await show_durations(deps, payload.pressed.value, actor=payload.actor, place=place)


async def _scores(deps: Deps, payload: ActionPayload) -> Message:
    return await show_scores(deps, await require_job(deps, payload))


async def _labels(deps: Deps, payload: ActionPayload) -> Message:
    job = await require_job(deps, payload)
    if job.plan is None or job.plan.payload is None:
        raise RefusedError(_("No file is sent for this training, or it was not checked yet."))
    return charts.balance(job.plan.payload)


async def _story(deps: Deps, payload: ActionPayload) -> Message:
    job_id, _bar, number = payload.pressed.value.partition("|")
    return await tell_story(deps, shown(job_id), payload.actor.team, _number(number, otherwise=0))


async def _stop_telling(deps: Deps, payload: ActionPayload) -> Say:
    place = payload.channel.id if payload.channel and is_channel(payload.channel.id) else ""
    return await stop(deps, payload.pressed.value, payload.actor, place)


async def require_job(deps: Deps, payload: ActionPayload) -> Job:
    """The training whose id a button carries. Raises RefusedError for one that is not kept in this workspace."""
    job = await deps.store.job(payload.pressed.value)
    if job is None or job.request.actor.team != payload.actor.team:
        raise RefusedError(_("This button belongs to no training that Switchyard keeps here, so nothing was done."))
    return job


async def _as_command(deps: Deps, payload: ActionPayload) -> Message:
    job = await require_job(deps, payload)
    provider = deps.providers.get(job.request.provider)
    line = to_line(provider, job.request)
    if line is None:
        raise RefusedError(_("No command says all of this. *Again* opens the form with what is known of it."))
    return help_views.command(line)


def _number(text: str, *, otherwise: int) -> int:
    """The number in a button's value; nothing larger is ever written into one."""
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else otherwise


PRESSES: Mapping[Action, Press] = {
    Action.APPROVE: _approve,
    Action.ANSWER: _answer,
    Action.WHY: _why,
    Action.CANCEL: _on_a_job(cancel),
    Action.OFFER_AGAIN: _on_a_job(offer_again),
    Action.KEEP_WATCHING: _on_a_job(keep_watching),
    Action.RETRAIN: _retrain,
    Action.POST_HERE: _on_a_job(post_here),
    Action.USE_DM: _on_a_job(use_dm),
    Action.START_ANOTHER: _start_another,
    Action.STOP_RECURRING: _on_a_job(stop_recurring),
    Action.WATCH: _watch,
    Action.LOOK: _look,
    Action.JOBS_PAGE: _jobs_page,
    Action.EXPORT: _export,
    Action.AS_COMMAND: _as_command,
    Action.STORY: _story,
    Action.DURATIONS: _durations,
    Action.SCORES: _scores,
    Action.LABELS: _labels,
    Action.STOP_TELLING: _stop_telling,
}
"""Every action but those that open a form first (see `handlers.forms`)."""
