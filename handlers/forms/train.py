"""The form of a training: opened at once, filled when it is known what there is to choose, and sent like a command.

`views.open` needs a trigger that is good for three seconds, so it runs in a task that the app holds, before anything is
asked of a service; what is found then comes with `views.update`, which Slack refuses where the form has changed
meanwhile (https://docs.slack.dev/surfaces/modals).
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.changes import NOTHING, Button, Say
from bot.domain.recurring import Timetable
from bot.domain.requests import Actor, TrainRequest, digest
from bot.errors import DataError, RefusedError, UsageError
from bot.ports import Asked, Deps, Provider
from bot.sentences import _
from bot.usecases.choices import Offers, again, read_offers
from bot.usecases.decide import UNKNOWN_PROMPT
from bot.usecases.home import answer_at_home
from bot.usecases.moves import body_of, tell_person
from bot.usecases.plan import plan_recurring
from bot.usecases.request import request_training
from handlers.actions import require_job
from handlers.commands.train import answer_train, form_button, tell_request
from handlers.forms.attention import open_wishes
from handlers.forms.files import file_of, offered, remembered, with_only_file
from handlers.forms.opening import PRESS_ONCE_MORE, answer_where_opened, or_else
from handlers.grammar import MOST_IN_A_SENTENCE, Word, parse_train, split
from handlers.ids import Action
from handlers.lines import Draft, draft_of_request, draft_of_words, problems_of, words_of
from handlers.marks import clipped, literal
from handlers.messenger import code_of
from handlers.payloads import ActionPayload, CommandPayload, FormState, SubmissionPayload, View
from handlers.views.blocks import MOST_VALUE, Block, Message
from handlers.views.training_forms import MOST_METADATA, PROVIDER, besides, block_of, skeleton, training_form

log = logging.getLogger(__name__)

TOO_LATE = _("Slack did not open the form in time.")
NOT_THERE = _("The fields of this service are not there yet. Wait a moment, or choose it once more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A form that is to be opened. `button` is pressed to try once more."""

    trigger_id: str
    actor: Actor
    state: FormState
    draft: Draft = field(default_factory=Draft)
    says: str = ""
    button: Button


# -- opening ----------------------------------------------------------------------------------------------------------


async def answer_train_or_open(deps: Deps, client: AsyncWebClient, payload: CommandPayload) -> Say | Message:
    """What `/train` answers; alone, it opens the form."""
    if payload.typed.strip() or not deps.providers.configured():
        return await answer_train(deps, payload)
    state = FormState(channel=payload.channel_id, url=payload.response_url)
    start_opening(
        deps, client, Opening(trigger_id=payload.trigger_id, actor=payload.actor, state=state, button=form_press(""))
    )
    return NOTHING


def form_press(typed: str) -> Button:
    button = form_button(typed)
    return button if len(button.value) <= MOST_VALUE else replace(button, value="")


async def _open_typed(deps: Deps, client: AsyncWebClient, payload: ActionPayload) -> Say:
    """Open it with whatever of a command was understood, and say what was not."""
    typed = payload.pressed.value
    draft, says = _understood(deps, typed)
    start_opening(deps, client, _opening(payload, draft, form_press(typed), says))
    return NOTHING


def _understood(deps: Deps, typed: str) -> tuple[Draft, str]:
    try:
        words = split(typed)
        provider = _meant(deps, words)
    except UsageError as error:
        return Draft(), _said(error)
    if provider is None:
        return Draft(), ""
    return draft_of_words(provider, words[1:]), _fault(provider, words[1:])


def _meant(deps: Deps, words: list[Word]) -> Provider | None:
    """The provider that a command names, or nearly names."""
    if not words:
        return None
    try:
        return deps.providers.get(words[0].whole())
    except UsageError as error:
        if not error.suggestion:
            raise
        return deps.providers.get(error.suggestion)


def _fault(provider: Provider, words: list[Word]) -> str:
    try:
        parse_train(provider, words)
    except UsageError as error:
        return _said(error)
    return ""


def _said(error: Exception) -> str:
    return clipped(literal(str(error)), MOST_IN_A_SENTENCE)


async def _open_again(deps: Deps, client: AsyncWebClient, payload: ActionPayload) -> Say:
    """Open it with the wish of a training."""
    job = await require_job(deps, payload)
    provider = deps.providers.get(job.request.provider)
    draft = draft_of_request(provider, await again(deps, provider, job))
    button = Button(label=_("Again"), action=Action.AGAIN, value=job.id)
    opening = _opening(payload, draft, button)
    state = opening.state.model_copy(update={"files": file_of(job)})
    start_opening(deps, client, replace(opening, state=state))
    return NOTHING


def _opening(payload: ActionPayload, draft: Draft, button: Button, says: str = "") -> Opening:
    channel = payload.channel.id if payload.channel else payload.actor.user
    state = FormState(channel=channel, url=payload.response_url)
    return Opening(
        trigger_id=payload.trigger_id, actor=payload.actor, state=state, draft=draft, says=says, button=button
    )


def start_opening(deps: Deps, client: AsyncWebClient, opening: Opening) -> None:
    """In a task that the app holds: the trigger waits for nobody."""
    deps.spawn(f"form:{deps.new_id()}", _open(deps, client, opening))


async def _open(deps: Deps, client: AsyncWebClient, opening: Opening) -> None:
    view = _waiting(deps, opening.state, opening.draft, says=opening.says)
    opened: View | None = None
    async with or_else(partial(_offer_the_button_again, deps, opening)):
        reply = await client.views_open(trigger_id=opening.trigger_id, view=view)
        opened = View.model_validate(reply["view"])
    if opened is not None:
        await _fill(deps, client, opened, opening.state, opening.draft, says=opening.says)


def _waiting(deps: Deps, state: FormState, draft: Draft, *, says: str = "") -> Block:
    providers = deps.providers.configured()
    if not draft.provider:
        return training_form(_carried(state, draft), providers, draft, Offers(), says=says)
    return skeleton(_carried(state, draft), providers, draft.provider)


async def _offer_the_button_again(deps: Deps, opening: Opening) -> None:
    """A fresh button, seen only by who pressed, brings a fresh trigger."""
    if not opening.state.url:
        # The button of the Home tab stands there still.
        await answer_at_home(deps, opening.actor, Say(text=TOO_LATE), is_shut=False)
        return
    body = body_of(Say(text=PRESS_ONCE_MORE, buttons=(opening.button,)))
    await deps.store.tell([tell_person(deps, opening.state.url, body, reader=opening.actor)])
    deps.nudge("deliver")


# -- filling ----------------------------------------------------------------------------------------------------------


async def _fill(
    deps: Deps, client: AsyncWebClient, shown: View, state: FormState, draft: Draft, *, says: str = ""
) -> None:
    """Show the fields with what there is to choose, unless the form has changed or was closed meanwhile."""
    providers = deps.providers.configured()
    provider = providers.get(draft.provider)
    if provider is None:
        return
    offers = offered(await read_offers(deps, provider, draft.texts), provider, state.files)
    view = training_form(_carried(state, draft), providers, draft, offers, says=says)
    await _update(client, shown, view)


async def _update(client: AsyncWebClient, shown: View, view: Block) -> View | None:
    try:
        reply = await client.views_update(view_id=shown.id, hash=shown.hash, view=view)
    except SlackApiError as error:
        log.info("the form was left as it is: %s", code_of(error))
        return None
    return View.model_validate(reply["view"])


def _carried(state: FormState, draft: Draft) -> str:
    """What the form carries, as long as it fits; what was typed for other services gives way first."""
    drafts = {**{name: texts for name, texts in state.drafts.items() if name != draft.provider}}
    if draft.provider:
        drafts[draft.provider] = {name: text for name, text in draft.texts.items() if text}
    while True:
        carried = state.model_copy(update={"drafts": drafts}).model_dump_json()
        if len(carried) <= MOST_METADATA or not drafts:
            return carried
        drafts.pop(next(iter(drafts)))


async def _fill_again(deps: Deps, client: AsyncWebClient, payload: ActionPayload) -> Say:
    """Another service was chosen, or it is to be asked anew for what depends on a field."""
    view = payload.view
    if view is None or not view.private_metadata:
        return Say(text=UNKNOWN_PROMPT)
    state, draft = _read(deps, view)
    is_another = payload.pressed.action_id.endswith(f":{PROVIDER}")
    deps.spawn(f"form:{deps.new_id()}", _refill(deps, client, view, state, draft, is_another=is_another))
    return NOTHING


async def _refill(
    deps: Deps, client: AsyncWebClient, view: View, state: FormState, draft: Draft, *, is_another: bool
) -> None:
    shown = await _update(client, view, _waiting(deps, state, draft)) if is_another else view
    if shown is not None:
        await _fill(deps, client, shown, state, draft)


def _read(deps: Deps, view: View) -> tuple[FormState, Draft]:
    """What the form carries and holds, for the service that is chosen in it now."""
    state = FormState.model_validate_json(view.private_metadata)
    typed = view.texts
    drafts = dict(state.drafts)
    for name, provider in deps.providers.configured().items():
        fields = _fields(provider, typed)
        if fields:
            drafts[name] = {**drafts.get(name, {}), **fields}
    chosen = typed.get(PROVIDER, "")
    common = {name: text for fields in drafts.values() for name, text in fields.items() if text}
    own = drafts.get(chosen) or _shared(deps, chosen, common)
    files = remembered(state.files, view.files)
    texts = _with_only_file(deps, chosen, own, files)
    return state.model_copy(update={"drafts": drafts, "files": files}), Draft(provider=chosen, texts=texts)


def _with_only_file(deps: Deps, chosen: str, texts: Mapping[str, str], files: Mapping[str, str]) -> dict[str, str]:
    provider = deps.providers.configured().get(chosen)
    return with_only_file(provider, texts, files) if provider else dict(texts)


def _shared(deps: Deps, chosen: str, typed: Mapping[str, str]) -> dict[str, str]:
    """What was typed for another service into fields that this one calls the same."""
    provider = deps.providers.configured().get(chosen)
    if provider is None:
        return {}
    arguments = (*provider.arguments.positionals, *provider.arguments.options)
    return {one.name: typed[one.name] for one in arguments if one.name in typed}


def _names(provider: Provider) -> list[str]:
    arguments = provider.arguments
    plain = [one.name for one in (*arguments.positionals, *arguments.options)]
    return [*plain, *(family.name for family in arguments.families)]


def _fields(provider: Provider, typed: Mapping[str, str]) -> dict[str, str]:
    """The texts of this service's fields, as far as the form shows them."""
    blocks = {name: block_of(provider.name, name) for name in _names(provider)}
    return {name: _text(typed, block) for name, block in blocks.items() if block in typed}


def _text(typed: Mapping[str, str], block: str) -> str:
    """A file counts instead of what was typed, and that instead of what was chosen."""
    return next((text for one in (*besides(block), block) if (text := typed.get(one, "").strip())), "")


# -- sending ----------------------------------------------------------------------------------------------------------


async def submit_training(deps: Deps, payload: SubmissionPayload) -> Mapping[str, str]:
    """Ask for the training, as the command does. What stands against it, by the block that shows it; else nothing."""
    state, draft = _read(deps, payload.view)
    provider = deps.providers.get(draft.provider)
    if not _fields(provider, payload.view.texts):
        return {PROVIDER: NOT_THERE}
    faults = problems_of(provider, draft)
    if faults:
        return {_block(payload, provider, name): fault for name, fault in faults.items()}
    try:
        request, every = _request(provider, draft, payload, state)
        if every is not None:
            said = await plan_recurring(deps, request, every, url=state.url)
            await answer_where_opened(deps, payload.actor, state.url, said, key=f"form:{request.request_key}")
            return {}
        answered = await request_training(deps, request, url=state.url)
    except (UsageError, DataError) as error:
        return {_block(payload, provider, _culprit(provider, draft, error)): str(error)}
    except RefusedError as error:
        return {_block(payload, provider, provider.arguments.model): str(error)}
    said = tell_request(provider.title, answered, request.request_key)
    if answered.asked not in (Asked.NEW, Asked.SAME):
        return {_block(payload, provider, provider.arguments.model): said.text}
    # A form has no place for the button that starts another training like one that lives: the conversation has.
    if state.url or said.buttons:
        await answer_where_opened(deps, payload.actor, state.url, said, key=f"form:{request.request_key}")
    return {}


def _request(
    provider: Provider, draft: Draft, payload: SubmissionPayload, state: FormState
) -> tuple[TrainRequest, Timetable | None]:
    wish = parse_train(provider, words_of(provider, draft))
    typed = [draft.provider, {name: text for name, text in draft.texts.items() if text}]
    return wish.request(f"{payload.view.id}:{digest(typed)}", payload.actor, state.channel), wish.every


def _culprit(provider: Provider, draft: Draft, error: Exception) -> str:
    """The field that an error is about; the model's where it names none."""
    arguments = provider.arguments
    if isinstance(error, DataError):
        return next((role for role in (provider.data.roles if provider.data else ())), arguments.model)
    word = error.word.removesuffix("=") if isinstance(error, UsageError) else ""
    names = _names(provider)
    by_text = [name for name in names if word and draft.texts.get(name) == word]
    return word if word in names else next(iter(by_text), arguments.model)


def _block(payload: SubmissionPayload, provider: Provider, name: str) -> str:
    """The input that shows what is wrong with a field: where a file or a word stands beside the choice, that."""
    block, typed = block_of(provider.name, name), payload.view.texts
    used = [one for one in besides(block) if typed.get(one)]
    return next(iter(used), block if block in typed else PROVIDER)


FORM_PRESSES: Mapping[Action, Callable[[Deps, AsyncWebClient, ActionPayload], Awaitable[Say]]] = {
    Action.FORM: _open_typed,
    Action.AGAIN: _open_again,
    Action.FILL: _fill_again,
    Action.ATTENTION: open_wishes,
}
"""The buttons that open a form, or change it: they need the click's trigger, or the view that stands."""
