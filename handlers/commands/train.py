"""`/train …`: start a training, or be told how."""

from collections.abc import Sequence

from bot.domain.changes import Button, Say
from bot.domain.jobs import Job
from bot.domain.recurring import Timetable, fixed_names
from bot.domain.requests import TrainRequest
from bot.domain.text import code, readable
from bot.errors import DataError, UsageError
from bot.ports import Answered, Asked, Deps
from bot.sentences import _
from bot.usecases.plan import plan_recurring
from bot.usecases.request import request_training
from handlers.commands.status import answer_status
from handlers.grammar import Word, parse_train, shown, split
from handlers.ids import Action
from handlers.lines import with_marks
from handlers.marks import clipped, literal
from handlers.payloads import CommandPayload
from handlers.views import help as help_views
from handlers.views.blocks import Message
from handlers.views.words import PHRASES, named

MOST_IN_AN_ANSWER = 1500


async def answer_train(deps: Deps, payload: CommandPayload) -> Say | Message:
    """What `/train` answers. Starts nothing by itself: what is kept here is started by the ticks."""
    try:
        words = split(payload.typed)
    except UsageError as error:
        return _with_form(payload, error)
    first = words[0].whole().casefold() if words else ""
    if not words or first == "help":
        return _help(deps, words[1:])
    if first == "status":
        return await answer_status(deps, payload, words[1:])
    try:
        return await _request(deps, payload, words)
    except (UsageError, DataError) as error:
        return _with_form(payload, error)


def _with_form(payload: CommandPayload, error: Exception) -> Say:
    """What is wrong, which quotes what was typed, and the form with the rest of it."""
    said = clipped(literal(str(error)), MOST_IN_AN_ANSWER)
    return Say(text=said, buttons=(form_button(payload.typed),))


def form_button(typed: str) -> Button:
    """Opens the form with what was typed, without the signs for which a command is refused: it would show them."""
    return Button(label=_("Open the form"), action=Action.FORM, value=readable(typed))


def _help(deps: Deps, words: Sequence[Word]) -> Message:
    if words:
        return help_views.about(deps.providers.get(shown(words[0].whole())))
    return help_views.overview(deps.providers.configured(), deps.providers.missing())


async def _request(deps: Deps, payload: CommandPayload, words: Sequence[Word]) -> Say:
    provider = deps.providers.get(shown(words[0].whole()))
    wish = parse_train(provider, words[1:])
    request = wish.request(payload.trigger_id, payload.actor, payload.channel_id)
    if wish.every is not None:
        return await _plan(deps, request, wish.every, words[1:], url=payload.response_url)
    answered = await request_training(deps, request, url=payload.response_url)
    return tell_request(provider.title, answered, payload.trigger_id)


async def _plan(deps: Deps, request: TrainRequest, every: Timetable, words: Sequence[Word], *, url: str) -> Say:
    """Plan it; where names would be the same in each run, with the command that says it right."""
    provider = deps.providers.get(request.provider)
    try:
        return await plan_recurring(deps, request, every, url=url)
    except UsageError as error:
        line = with_marks(provider, words) if fixed_names(provider.arguments, request) else None
        if line is None:
            raise
        told = _("{problem} Paste this: `{command}`", problem=str(error), command=line)
        raise UsageError(told, word=error.word) from None


def tell_request(title: str, answered: Answered, request_key: str) -> Say:
    """What somebody who asked for a training is told."""
    job = answered.job
    name, id_ = named(title, job), code(job.id)
    if answered.asked is Asked.NEW:
        text = _("Got it: {training}, as training {id}. Its card follows in this conversation.", training=name, id=id_)
        return Say(text=text)
    if answered.asked is Asked.BUSY:
        return Say(text=_busy(title, job))
    text = _(
        "You asked for exactly this a moment ago: {training} is {id} ({state}). Nothing new was started.",
        training=name,
        id=id_,
        state=PHRASES[job.state],
    )
    again = Button(label=_("Start another"), action=Action.START_ANOTHER, value=request_key)
    return Say(text=text, buttons=(again,))


def _busy(title: str, job: Job) -> str:
    return _(
        "{training} is in training already, as {id} ({state}). {service} trains a model once at a time. "
        "Nothing new was started; wait for its end, or cancel it.",
        training=named(title, job),
        id=code(job.id),
        state=PHRASES[job.state],
        service=title,
    )
