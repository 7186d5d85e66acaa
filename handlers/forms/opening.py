"""How a form is opened, and how it answers once it is closed."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from slack_sdk.errors import SlackApiError

from bot.domain.changes import Say
from bot.domain.requests import Actor
from bot.ports import Deps
from bot.sentences import _
from bot.usecases.home import answer_at_home
from bot.usecases.moves import body_of, tell_person
from handlers.messenger import code_of

log = logging.getLogger(__name__)

PRESS_ONCE_MORE = _("Slack did not open the form in time. Please press once more:")
"""Stands above the button that opens it."""


@asynccontextmanager
async def or_else(otherwise: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Around `views.open`, whose trigger is good for three seconds: where it opened nothing, do the other."""
    is_open = False
    try:
        yield
        is_open = True
    except SlackApiError as error:
        log.warning("the form did not open: %s", code_of(error))
    finally:
        # Whatever else it was, the connection or Slack's answer, is logged by who holds the task.
        if not is_open:
            await otherwise()


async def answer_where_opened(deps: Deps, actor: Actor, url: str, said: Say, *, key: str = "") -> None:
    """Answer in the conversation, or on the Home tab where there is no response_url."""
    if not url:
        await answer_at_home(deps, actor, said)
        return
    await deps.store.tell([tell_person(deps, url, body_of(said), reader=actor, key=key)])
    deps.nudge("deliver")
