"""The edge that nothing gets past: a handler's answer is acked last, and a person always gets a sentence.

A listener that acks and then raises makes Slack wait three seconds and then show a failure; so handlers return what to
say, and only the guard acks.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bot.domain.changes import NOTHING, Say
from bot.domain.text import cut, readable
from bot.errors import DataError, StoreError, SwitchyardError, UsageError
from bot.ports import Deps
from bot.sentences import _, speak
from bot.usecases.moves import tell_person
from handlers.marks import clipped, literal
from handlers.views import blocks, forms
from handlers.views.blocks import Message

log = logging.getLogger(__name__)
Ack = Callable[..., Awaitable[Any]]

MOST_IN_A_SENTENCE = 1500
MOST_AT_A_FIELD = 500
SORRY = _(
    "Something went wrong in Switchyard itself; its operator finds the cause in the log. "
    "Look at `/train-status` before you try again."
)
NOT_SAVED = _(
    "Switchyard cannot write to its database at the moment, so nothing was done. Please try again in a minute."
)


async def explained(work: Callable[[], Awaitable[Say | Message]]) -> Say | Message:
    """The answer of a handler, or the sentence of what went wrong. No exception leaves."""
    try:
        return await work()
    except StoreError:
        log.exception("the database refused")
        return Say(text=NOT_SAVED)
    except (UsageError, DataError) as error:
        # These quote what was typed, which may look like a mark of ours; the other errors may hold one.
        return Say(text=clipped(literal(str(error)), MOST_IN_A_SENTENCE))
    except SwitchyardError as error:
        return Say(text=clipped(str(error), MOST_IN_A_SENTENCE))
    except Exception:  # the one place at Slack's edge: whatever it was, the person gets a sentence
        log.exception("a handler failed")
        return Say(text=SORRY)


async def answer_command(ack: Ack, work: Callable[[], Awaitable[Say | Message]]) -> None:
    """Ack a slash command with its answer, which only the person who typed it sees."""
    answer = await explained(work)
    if answer == NOTHING:
        await ack()
        return
    message = _message(answer)
    await ack(text=message.text, blocks=list(message.blocks), response_type="ephemeral")


async def answer_form(ack: Ack, work: Callable[[], Awaitable[Say | Message]]) -> None:
    """Ack a form that was sent: it closes where there is NOTHING to say, else it turns into the answer."""
    answer = await explained(work)
    if answer == NOTHING:
        await ack()
    else:
        await ack(response_action="update", view=forms.told(answer.text))


async def answer_fields(ack: Ack, work: Callable[[], Awaitable[Mapping[str, str]]], otherwise: str) -> None:
    """Ack a form that stays open, with all that was typed, until nothing stands against it.

    `work` answers with what does, by the block that shows it; what goes wrong elsewhere stands at `otherwise`.
    """
    faults: dict[str, str] = {}

    async def collect() -> Say | Message:
        faults.update(await work())
        return NOTHING

    said = await explained(collect)
    faults |= {} if said == NOTHING else {otherwise: said.text}
    if faults:
        await ack(response_action="errors", errors={block: _plain(text) for block, text in faults.items()})
    else:
        await ack()


def _plain(text: str) -> str:
    """What stands below a field is no markup."""
    return cut(readable(speak(text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")), MOST_AT_A_FIELD)


async def answer_click(deps: Deps, ack: Ack, url: str, work: Callable[[], Awaitable[Say | Message]]) -> None:
    """Ack a click; an ack cannot carry words, so the answer goes out through the outbox and the response_url."""
    answer = await explained(work)
    if answer != NOTHING and url:
        await _tell(deps, url, answer)
    await ack()


async def _tell(deps: Deps, url: str, answer: Say | Message) -> None:
    """Through the outbox; where the database does not take it, at once, beside the handler."""
    message = _message(answer)
    try:
        await deps.store.tell([tell_person(deps, url, {"text": message.text, "blocks": list(message.blocks)})])
    except StoreError:
        log.exception("an answer could not be kept")
        say = Say(text=message.text)
        deps.spawn(f"answer:{deps.new_id()}", deps.messenger.answer(url, say, message.blocks))
    else:
        deps.nudge("deliver")


def _message(answer: Say | Message) -> Message:
    return blocks.say(answer) if isinstance(answer, Say) else answer
