"""`/jobs …`: the history, newest first, in pages."""

from bot.domain.requests import Actor
from bot.errors import UsageError
from bot.ports import Deps
from handlers.grammar import parse_history, split
from handlers.payloads import CommandPayload
from handlers.views import history
from handlers.views.blocks import Message


async def answer(deps: Deps, payload: CommandPayload) -> Message:
    return await show_page(deps, payload.typed, 0, actor=payload.actor, place=payload.channel_id)


async def show_page(deps: Deps, query: str, number: int, *, actor: Actor, place: str) -> Message:
    """One page of what `/jobs` + query means to this person in this conversation. Raises UsageError."""
    if len(query) > history.MOST_QUERY:
        raise UsageError(f"That is too long to look for: write at most {history.MOST_QUERY:,} characters.")
    names = [*deps.providers.configured(), *deps.providers.missing()]
    wanted = parse_history(split(query), providers=names, place=place, user=actor.user, now=deps.now())
    found = await deps.store.jobs(wanted, offset=number * history.PAGE, limit=history.PAGE + 1)
    return history.page(found[: history.PAGE], query=query, number=number, has_more=len(found) > history.PAGE)
