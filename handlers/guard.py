"""The edge that nothing gets past: a handler's answer is acked last, and a person always gets a sentence.

A listener that acks and then raises makes Slack wait three seconds and then show a failure; so handlers return what to
say, and only the guard acks.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bot.domain.changes import NOTHING, Say
from bot.errors import StoreError, SwitchyardError
from bot.ports import Deps
from bot.usecases.moves import tell_person
from handlers.views import blocks
from handlers.views.blocks import Message

log = logging.getLogger(__name__)
Ack = Callable[..., Awaitable[Any]]

SORRY = "Something went wrong in Switchyard itself; nothing was done by this. Its operator finds the cause in the log."
NOT_SAVED = "Switchyard cannot write to its database at the moment, so nothing was done. Please try again in a minute."


async def explained(work: Callable[[], Awaitable[Say | Message]]) -> Say | Message:
    """The answer of a handler, or the sentence of what went wrong. No exception leaves."""
    try:
        return await work()
    except StoreError:
        log.exception("the database refused")
        return Say(text=NOT_SAVED)
    except SwitchyardError as error:
        return Say(text=str(error))
    except Exception:  # the one place at Slack's edge: whatever it was, the person gets a sentence
        log.exception("a handler failed")
        return Say(text=SORRY)


async def answer_command(ack: Ack, work: Callable[[], Awaitable[Say | Message]]) -> None:
    """Ack a slash command with its answer, which only the person who typed it sees."""
    answer = await explained(work)
    message = blocks.say(answer) if isinstance(answer, Say) else answer
    await ack(text=message.text, blocks=list(message.blocks), response_type="ephemeral")


async def answer_click(deps: Deps, ack: Ack, url: str, work: Callable[[], Awaitable[Say | Message]]) -> None:
    """Ack a click; an ack cannot carry words, so the answer goes out through the outbox and the response_url."""
    answer = await explained(work)
    if answer != NOTHING and url:
        await explained(lambda: _queue(deps, url, answer))
    await ack()


async def _queue(deps: Deps, url: str, answer: Say | Message) -> Say:
    await deps.store.tell([tell_person(deps, url, _body(answer))])
    deps.nudge("deliver")
    return NOTHING


def _body(answer: Say | Message) -> dict[str, Any]:
    if isinstance(answer, Message):
        return {"text": answer.text, "blocks": list(answer.blocks)}
    buttons: list[Mapping[str, Any]] = [
        {"label": one.label, "action": one.action, "value": one.value, "is_primary": one.is_primary}
        for one in answer.buttons
    ]
    return {"text": answer.text, "buttons": buttons}
