"""Every sentence that people see can be read in each language, and says there what it says here."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message

from bot.languages import TRANSLATED
from tests.house.catalogues import catalogue, messages

CODE = re.compile(r"`[^`]*`")
SIGNS = re.compile(r":[a-z_]+:|<[^>]*>|[*\n•]")

read = cache(catalogue)


def ids(of: Catalog) -> set[object]:
    return {one.id for one in of if one.id}


def forms(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def translations(message: Message | None) -> tuple[str, ...]:
    text = message.string if message is not None else ""
    return (text,) if isinstance(text, str) else tuple(text or ())


def placeholders(text: str) -> set[tuple[str, str, str]]:
    found = Formatter().parse(text)
    return {(name, spec or "", conversion or "") for _, name, spec, conversion in found if name is not None}


def pairs(language: str) -> list[tuple[str, str]]:
    """Each form of each message beside the form that it came from: the last one where a language has fewer forms."""
    found = []
    for message in read(language):
        if message.id:
            sources, targets = forms(message), translations(message)
            last = len(sources) - len(targets)
            found += [(sources[min(place + last, len(sources) - 1)], text) for place, text in enumerate(targets)]
    return found


def test_nothing_is_missing_and_nothing_left_over() -> None:
    """`make messages` brings in what is new; a person translates it."""
    said = ids(messages())
    for language in TRANSLATED:
        kept = read(language)
        assert (language, said - ids(kept), ids(kept) - said) == (language, set(), set())
        assert [one.id for one in kept if one.id and (one.fuzzy or not all(translations(one)))] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_each_language_has_its_number_of_forms(language: str) -> None:
    """As many as its rule of plurals chooses among."""
    kept = read(language)
    wrong = [one.id for one in kept if not isinstance(one.id, str) and len(translations(one)) != kept.num_plurals]
    assert wrong == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_placeholders_are_the_same(language: str) -> None:
    """All of them, with the way in which numbers are written, and no other."""
    assert [(source, text) for source, text in pairs(language) if placeholders(source) != placeholders(text)] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_marks_are_the_same(language: str) -> None:
    """Code is left alone, signs and bold letters stand around the same, and spaces at the ends stay."""

    def marks(text: str) -> tuple[Counter[str], Counter[str]]:
        return Counter(CODE.findall(text)), Counter(SIGNS.findall(CODE.sub("", text)))

    def ends(text: str) -> tuple[str, str]:
        return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]

    wrong = [
        (source, text) for source, text in pairs(language) if (marks(source), ends(source)) != (marks(text), ends(text))
    ]
    assert wrong == []
