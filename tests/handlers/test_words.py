"""Views in another language than English: what belongs to a language besides its words, and what has to survive it."""

from dataclasses import dataclass
from typing import Any

import pytest

from bot.domain.contents import Attachment
from bot.domain.history import Story
from bot.domain.jobs import JobState
from bot.sentences import _, speaking
from handlers.views import blocks, history
from handlers.views.words import capital, moved, numeral
from tests.handlers import samples


@dataclass
class Other:
    """A language with the messages that a test gives it."""

    messages: dict[str, str]
    code: str = "xx"

    def gettext(self, message: str) -> str:
        return self.messages.get(message, message)

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return self.gettext(singular if n == 1 else plural)

    def number(self, text: str) -> str:
        return text.translate(str.maketrans(",.", ".,"))


@pytest.mark.parametrize(
    ("code", "text", "shown"),
    [("tr", _("the key"), "İmza"), ("tr", "internal error", "Internal error"), ("de", _("the key"), "Imza")],
)
def test_a_capital_is_that_of_the_language(code: str, text: str, shown: str) -> None:
    """Only Turkish words have the dot: what a service said stays as it is."""
    with speaking(Other({"the key": "imza"}, code)):
        assert capital(text) == shown


def test_a_number_alone_is_written_as_in_its_language() -> None:
    """In tables and below pictures no sentence is around it."""
    assert numeral(1234.5, ",.1f") == "1,234.5"
    with speaking(Other({})):
        assert numeral(1234.5, ",.1f") == "1.234,5"


@pytest.mark.parametrize(
    ("template", "runs"),
    [
        ("", ["Result file: ", "model.zip", " (1,234 bytes), for those who may read this conversation"]),
        ("{file} ({bytes:,})", ["model.zip", " (1.234)"]),
        ("({bytes:,}) {file}", ["(1.234) ", "model.zip"]),
        ("{bytes:,}", ["1.234", "model.zip"]),
    ],
)
def test_the_link_of_a_file_stands_where_its_sentence_has_it(template: str, runs: list[str]) -> None:
    """Also at the beginning and the end; a translation that forgets it does not lose the link."""
    message = "Result file: {file} ({bytes:,} bytes), for those who may read this conversation"
    file = Attachment(name="model.zip", url="https://files.slack.com/x", size=1234)
    with speaking(Other({message: template}) if template else None):
        elements: list[Any] = blocks.attachment(file)["elements"][0]["elements"]
    assert [one["text"] for one in elements] == runs
    assert [one["text"] for one in elements if one["type"] == "link"] == ["model.zip"]


def test_a_reason_ends_as_its_language_ends_sentences() -> None:
    """No full stop follows the one that is there."""
    with speaking(Other({"It is over.": "終わりました。"})):
        assert moved(samples.move(JobState.FAILED, _("It is over."))).endswith("終わりました。")


def test_the_pages_of_a_story_are_cut_by_what_is_said() -> None:
    """A language with longer sentences has more pages, not messages out of which something falls."""
    moves = tuple(samples.move(JobState.RUNNING, "waits " * 20, seq=seq) for seq in range(80))
    told = Story(job=samples.job(), moves=moves)
    long = {"Asked by {who}, {when}, training {id}": "x" * 2900, "At the service: {id}": "x" * 2900}
    for language in (None, Other(long)):
        with speaking(language):
            shown = history.story(told, "Sestek", samples.AT)
        assert sum(len(block["text"]["text"]) for block in shown.blocks if block["type"] == "section") < 9500
