"""The Home tab: it is drawn when somebody opens it, and answers there what is pressed there."""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from bot.domain.changes import NOTHING, Say
from bot.domain.contents import HomePage
from bot.domain.requests import Actor
from bot.errors import StoreError
from bot.ports import Deps
from bot.usecases.home import answer_at_home, open_home
from handlers.guard import Ack, explained
from handlers.origins import Doorkeeper, Origin
from handlers.payloads import ActionPayload
from handlers.views.blocks import Message

log = logging.getLogger(__name__)

_PERSON = re.compile(r"[UW][A-Z0-9]{1,30}")
HOME = "home"
"""The tab, of the two that the event is sent for: the other holds the messages."""


async def opened(deps: Deps, event: dict[str, Any], origin: Origin) -> None:
    """Somebody opened one of the app's tabs (https://docs.slack.dev/reference/events/app_home_opened)."""
    user = str(event.get("user", ""))
    if event.get("tab") == HOME and _PERSON.fullmatch(user):
        await open_home(deps, Actor(team=origin.team or origin.enterprise, user=user))


async def answer_press(
    deps: Deps, ack: Ack, door: Doorkeeper, payload: ActionPayload, work: Callable[[], Awaitable[Say | Message]]
) -> None:
    """Ack a press on the tab, whose answer stands there when it is drawn next. Who is not let in sees that alone."""
    refused = await explained(lambda: _admitted(door, payload.origin))
    is_shut = refused != NOTHING
    answer = refused if is_shut else await explained(work)
    if answer != NOTHING:
        await _tell(deps, payload.actor, _said(answer), is_shut=is_shut)
    await ack()


async def _admitted(door: Doorkeeper, origin: Origin) -> Say | Message:
    await door.check(origin)
    return NOTHING


def _said(answer: Say | Message) -> Say:
    return answer if isinstance(answer, Say) else Say(text=answer.plain())


async def _tell(deps: Deps, actor: Actor, said: Say, *, is_shut: bool) -> None:
    """Through the outbox; where the database does not take it, at once, beside the handler."""
    try:
        await answer_at_home(deps, actor, said, is_shut=is_shut)
    except StoreError:
        log.exception("an answer could not be kept")
        page = HomePage(said=said, said_at=deps.now(), is_shut=True)
        deps.spawn(f"home:{actor.user}", _publish(deps, actor.user, page))


async def _publish(deps: Deps, user: str, page: HomePage) -> None:
    await deps.messenger.publish(user, page)
