"""`/jobs …`: the history, newest first, in pages, and as a file."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.changes import Say
from bot.domain.job_exports import Form
from bot.domain.requests import Actor
from bot.errors import UsageError
from bot.ports import Deps, JobFilter
from bot.usecases.export import ExportWish, ask_export
from handlers.grammar import Word, parse_history, split, take_export
from handlers.payloads import CommandPayload
from handlers.views import history
from handlers.views.blocks import Message


async def answer(deps: Deps, payload: CommandPayload) -> Say | Message:
    form, _ = take_export(split(payload.typed))
    actor, place = payload.actor, payload.channel_id
    if form is not None:
        return await export(deps, payload.typed, form, key=payload.trigger_id, actor=actor, place=place)
    return await show_page(deps, payload.typed, 0, actor=actor, place=place)


async def show_page(deps: Deps, query: str, number: int, *, actor: Actor, place: str) -> Message:
    """One page of what `/jobs` + query means to this person in this conversation. Raises UsageError."""
    if len(query) > history.MOST_QUERY:
        raise UsageError(f"That is too long to look for: write at most {history.MOST_QUERY:,} characters.")
    wanted = _wanted(deps, split(query), actor, place)
    found = await deps.store.jobs(wanted, offset=number * history.PAGE, limit=history.PAGE + 1)
    return history.page(found[: history.PAGE], query=query, number=number, has_more=len(found) > history.PAGE)


async def export(deps: Deps, query: str, form: Form, *, key: str, actor: Actor, place: str) -> Say:
    """All that `/jobs` + query means to this person in this conversation, as a file. Raises UsageError."""
    _, words = take_export(split(query))
    wanted = _wanted(deps, words, actor, place)
    return await ask_export(deps, ExportWish(key=key, actor=actor, wanted=wanted, form=form))


def _wanted(deps: Deps, words: Sequence[Word], actor: Actor, place: str) -> JobFilter:
    """Of the trainings of this workspace: those of another one of the organisation have no story here either."""
    names = [*deps.providers.configured(), *deps.providers.missing()]
    wanted = parse_history(words, providers=names, place=place, user=actor.user, now=deps.now())
    return replace(wanted, team=actor.team)
