"""`/jobs …`: the history, newest first, in pages, and as a file."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.changes import Say
from bot.domain.charts import TRAINED, durations, spells_of
from bot.domain.job_exports import Form
from bot.domain.requests import Actor
from bot.errors import UsageError
from bot.ports import Deps, JobFilter
from bot.sentences import _
from bot.usecases.cards import about
from bot.usecases.export import ExportWish, ask_export
from handlers.commands import attention
from handlers.grammar import SCOPES, Word, parse_history, shown, split, take_export, with_usage
from handlers.payloads import CommandPayload
from handlers.views import charts, history, recurring
from handlers.views.blocks import Message

EVERY_WORDS = ("every", "recurring")
"""What stands after `/jobs` to list the recurring trainings."""


async def answer(deps: Deps, payload: CommandPayload) -> Say | Message:
    words = split(payload.typed)
    verb = words[0].whole().casefold() if words else ""
    if verb in attention.VERBS:
        return await attention.answer(deps, payload, verb, words[1:])
    if verb in EVERY_WORDS:
        return await _list_recurring(deps, words[1:], payload.actor, payload.channel_id)
    form, _rest = take_export(words)
    actor, place = payload.actor, payload.channel_id
    if form is not None:
        return await export(deps, payload.typed, form, key=payload.trigger_id, actor=actor, place=place)
    return await show_page(deps, payload.typed, 0, actor=actor, place=place)


async def _list_recurring(deps: Deps, words: Sequence[Word], actor: Actor, place: str) -> Message:
    """`/jobs every [here|mine|all]`."""
    scope = words[0].whole().casefold() if words else "here"
    if len(words) > 1 or scope not in SCOPES:
        wrong = shown(words[-1].whole())
        problem = _("`{word}` is not known here.", word=wrong)
        raise UsageError(with_usage(problem, "`/jobs every [here|mine|all]`"), word=wrong)
    where = {"place": place if scope == "here" else "", "user": actor.user if scope == "mine" else ""}
    found = await deps.store.schedules(actor.team, **where, limit=recurring.MOST + 1)
    titles = {one.request.provider: about(deps, one.request.provider)[0] for one in found}
    return recurring.listing(found, titles, scope=scope)


async def show_page(deps: Deps, query: str, number: int, *, actor: Actor, place: str) -> Message:
    """One page of what `/jobs` + query means to this person in this conversation. Raises UsageError."""
    _check_length(query)
    wanted = _wanted(deps, split(query), actor, place)
    found = await deps.store.jobs(wanted, offset=number * history.PAGE, limit=history.PAGE + 1)
    return history.page(found[: history.PAGE], query=query, number=number, has_more=len(found) > history.PAGE)


async def export(deps: Deps, query: str, form: Form, *, key: str, actor: Actor, place: str) -> Say:
    """All that `/jobs` + query means to this person in this conversation, as a file. Raises UsageError."""
    wanted = _wanted(deps, take_export(split(query))[1], actor, place)
    return await ask_export(deps, ExportWish(key=key, actor=actor, wanted=wanted, form=form))


async def show_durations(deps: Deps, query: str, *, actor: Actor, place: str) -> Message:
    """A picture of how long the finished trainings of `/jobs` + query took. Raises UsageError."""
    _check_length(query)
    wanted = _wanted(deps, take_export(split(query))[1], actor, place)
    states = wanted.states & TRAINED if wanted.states else TRAINED
    fitting = replace(wanted, states=states)
    told = await deps.store.stories(fitting, limit=charts.MOST_READ + 1) if states else []
    found = durations(spells_of(told[: charts.MOST_READ]), charts.MOST)
    return charts.durations(found, query, lambda name: about(deps, name)[0], is_cut=len(told) > charts.MOST_READ)


def _check_length(query: str) -> None:
    """What would not fit into the buttons below an answer is not looked for."""
    if len(query) > history.MOST_QUERY:
        raise UsageError(_("That is too long to look for: write at most {most:,} characters.", most=history.MOST_QUERY))


def _wanted(deps: Deps, words: Sequence[Word], actor: Actor, place: str) -> JobFilter:
    """Of the trainings of this workspace: those of another one of the organisation have no story here either."""
    wanted = parse_history(words, providers=deps.providers.names, place=place, user=actor.user, now=deps.now())
    return replace(wanted, team=actor.team)
