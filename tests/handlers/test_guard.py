"""The edge that nothing gets past: whatever happens, one acknowledgement and a sentence."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.domain.changes import NOTHING, Button, Say
from bot.errors import (
    ConfigurationError,
    DataError,
    IllegalMoveError,
    MessengerError,
    NotConfiguredError,
    ProviderError,
    RefusedError,
    StoreError,
    SwitchyardError,
    UsageError,
)
from bot.sentences import _, speaking
from handlers.guard import NOT_SAVED, SORRY, answer_click, answer_command, answer_fields, answer_form, explained
from handlers.views.blocks import Message, section
from sandbox.slack import blockkit
from tests.domain.test_text import Loud
from tests.handlers.edge import ADA, CHANNEL, Edge, edge

Work = Callable[[], Awaitable[Say | Message]]


@dataclass(slots=True)
class Acks:
    """Stands where Bolt's `ack` stands, and remembers."""

    given: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, **answer: Any) -> None:
        self.given.append(answer)


def failing(error: BaseException) -> Work:
    async def work() -> Say:
        raise error

    return work


def saying(answer: Say | Message) -> Work:
    async def work() -> Say | Message:
        return answer

    return work


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as made:
        yield made


def response_url(here: Edge) -> str:
    return here.slack.base_url + here.slack.lab.responses.issue("actions", channel=CHANNEL, user=ADA)


EXPLAINED = (
    UsageError("`x` is wrong.", suggestion="y"),
    DataError("Line 3 lacks `Text`.", line=3),
    RefusedError("Only <@U0BORA0001> can do that."),
    IllegalMoveError("Job j1 is live."),
    ConfigurationError("The configuration cannot be used."),
    NotConfiguredError("Sony", ("SWITCHYARD_SONY__MODELS",)),
    ProviderError("Sony does not answer."),
    MessengerError("Slack refused."),
    SwitchyardError("Anything."),
)


@pytest.mark.parametrize("error", EXPLAINED, ids=lambda error: type(error).__name__)
async def test_an_error_of_ours_is_its_own_sentence(error: SwitchyardError) -> None:
    """What Switchyard can explain is said as it is explained."""
    assert await explained(failing(error)) == Say(text=str(error))


@pytest.mark.parametrize("kind", [UsageError, DataError])
async def test_a_word_that_is_quoted_mentions_nobody(kind: type[UsageError | DataError]) -> None:
    """What was typed stands in the sentence as it was typed, also where it looks like a mark of ours."""
    said = await explained(failing(kind("`<@U0DAN00001> &lt;x <!subteam^S0MLOPS001>` is no name.")))
    assert said == Say(text="`&lt;@U0DAN00001&gt; &lt;x &lt;!subteam^S0MLOPS001&gt;` is no name.")


@pytest.mark.parametrize(
    "error", [ValueError("boom"), KeyError("model"), RuntimeError(), TimeoutError(), OSError(5, "x")]
)
async def test_a_mistake_of_ours_is_a_sentence_too(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is left without a word, nobody reads a traceback, and the operator finds it in the log."""
    assert await explained(failing(error)) == Say(text=SORRY)
    assert "a handler failed" in caplog.text


async def test_a_database_that_refuses_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The person learns that nothing was kept, and not what the database says of itself."""
    assert await explained(failing(StoreError("disk I/O error at /srv/x.db"))) == Say(text=NOT_SAVED)
    assert "disk I/O error" in caplog.text


async def test_the_end_of_the_bot_is_no_mistake() -> None:
    """A handler that is cancelled because the bot stops is not answered with an apology."""
    with pytest.raises(asyncio.CancelledError):
        await explained(failing(asyncio.CancelledError()))


@pytest.mark.parametrize("work", [saying(Say(text="Done.")), *(failing(error) for error in (*EXPLAINED, ValueError()))])
async def test_a_command_is_acked_once_with_words_for_one_person(work: Work) -> None:
    """The answer travels with the acknowledgement, and only who typed sees it."""
    acks = Acks()
    await answer_command(acks, work)
    [given] = acks.given
    assert given["response_type"] == "ephemeral"
    assert given["text"]
    assert blockkit.message_findings(given["blocks"]) == []


async def test_an_endless_sentence_is_cut() -> None:
    """An error may quote a long word; Slack takes 3,000 characters in a paragraph."""
    acks = Acks()
    await answer_command(acks, failing(UsageError(f"`{'x' * 9000}` is wrong.")))
    [given] = acks.given
    assert len(given["text"]) <= 1500
    assert given["text"].endswith("…`")


@pytest.mark.parametrize(
    "work", [saying(Say(text="Done.")), saying(NOTHING), failing(ValueError()), failing(StoreError("x"))]
)
async def test_a_click_is_acked_once_without_words(here: Edge, work: Work) -> None:
    """The acknowledgement of a click carries nothing; words would be lost in it."""
    acks = Acks()
    await answer_click(here.deps, acks, response_url(here), work)
    assert acks.given == [{}]


async def test_the_answer_to_a_click_is_in_the_outbox(here: Edge) -> None:
    """It is on disk when the click is acknowledged, and delivered by the tick; buttons and pages go with it."""
    buttons = (
        Button(label="Post here", action="post_here", value="j1"),
        Button(label="Use my DM", action="use_dm", value="j1"),
    )
    await answer_click(here.deps, Acks(), response_url(here), saying(Say(text="Held.", buttons=buttons)))
    page = Message(text="Trainings", blocks=(section("a page"),))
    await answer_click(here.deps, Acks(), response_url(here), saying(page))
    assert here.told(ADA) == []
    assert here.nudged == ["deliver", "deliver"]
    await here.run()
    held, listed = here.told(ADA)
    assert [one["value"] for one in (held.blocks or ())[-1]["elements"]] == ["j1", "j1"]
    assert (listed.blocks or ())[0]["text"]["text"] == "a page"


async def test_nothing_to_say_is_not_said(here: Edge) -> None:
    """A form opens by itself; no empty message follows it, and none goes where there is no address."""
    await answer_click(here.deps, Acks(), response_url(here), saying(NOTHING))
    await answer_click(here.deps, Acks(), "", saying(Say(text="Done.")))
    await here.run()
    assert here.told(ADA) == []


async def test_a_click_is_answered_without_a_database_too(here: Edge) -> None:
    """The outbox is part of what refuses: the sentence goes out beside the handler, and the click is acknowledged."""
    await here.store.close()
    acks = Acks()
    await answer_click(here.deps, acks, response_url(here), failing(StoreError("The database is closed.")))
    assert acks.given == [{}]
    await here.crew.idle()
    [told] = here.told(ADA)
    assert told.text == NOT_SAVED


async def test_a_form_closes_or_says_why_not() -> None:
    """Where there is nothing to say the form closes; else it turns into the sentence."""
    acks = Acks()
    await answer_form(acks, saying(NOTHING))
    await answer_form(acks, failing(RefusedError("You may not decide this.")))
    closed, told = acks.given
    assert closed == {}
    assert told["response_action"] == "update"
    assert blockkit.view_findings(told["view"]) == []
    assert "You may not decide this." in str(told["view"])


async def test_what_stands_at_a_field_is_said_in_the_language_of_who_typed() -> None:
    """A form is answered for one person alone; what they typed stands in it as it was."""

    async def work() -> dict[str, str]:
        return {"model": _("`{word}` is one word too many.", word="a&lt;b")}

    ack = Acks()
    with speaking(Loud()):
        await answer_fields(ack, work, "model")
    [answer] = ack.given
    assert answer["errors"] == {"model": "`a<b` IS ONE WORD TOO MANY."}
