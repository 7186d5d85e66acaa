"""Sentences that are said in another language later: what they are, what keeps them, and what is said of them."""

import copy
import json
import pickle
from dataclasses import dataclass

import pytest
from pydantic import TypeAdapter, ValidationError

from bot.errors import UsageError
from bot.sentences import Sentence, Text, _, by_name, joined, ngettext, pack, speak, speaking, unpack


class Upside:
    """A language in which every message is turned round, and numbers are written with points."""

    code = "xx"

    def gettext(self, message: str) -> str:
        return {"The {x:,} of {y}": "{y} ← {x:,}", "day": "yad", "bad {x}": "{nowhere}"}.get(message, message)

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return "{count} syad"

    def number(self, text: str) -> str:
        return text.replace(",", ".")


def test_a_sentence_is_its_english_text() -> None:
    """It is compared, searched, logged and put into JSON like any other text."""
    said = _("The {x:,} of {y}", x=1234, y="all")
    assert said == "The 1,234 of all"
    assert hash(said) == hash("The 1,234 of all")
    assert json.dumps([said]) == '["The 1,234 of all"]'


def test_it_is_said_in_the_language_of_the_moment() -> None:
    """Sentences in sentences too, numbers with that language's signs, in an f-string and by `speak`."""
    said = _("The {x:,} of {y}", x=1234, y=ngettext("{count} day", "{count} days", 3))
    with speaking(Upside()):
        assert f"{said}!" == "3 syad ← 1.234!"
        assert speak(said) == "3 syad ← 1.234"
        assert type(speak(said)) is str
    assert f"{said}!" == "The 1,234 of 3 days!"


def test_languages_end_with_their_blocks() -> None:
    """Also one within another."""
    with speaking(Upside()):
        with speaking(None):
            assert speak(_("day")) == "day"
        assert speak(_("day")) == "yad"
    assert speak(_("day")) == "day"


def test_values_are_never_templates() -> None:
    """What a service or a person writes may hold braces."""
    said = _("The {x:,} of {y}", x=1, y="{x} {0.__class__} {")
    with speaking(Upside()):
        assert speak(said) == "{x} {0.__class__} { ← 1"


def test_a_translation_that_does_not_fit_is_said_in_english() -> None:
    """Better than nothing at all."""
    with speaking(Upside()):
        assert speak(_("bad {x}", x=1)) == "bad 1"


def test_an_error_keeps_its_sentence() -> None:
    """`str(error)` can still be said in another language."""
    told = str(UsageError(_("The {x:,} of {y}", x=1, y="all")))
    with speaking(Upside()):
        assert speak(told) == "all ← 1"


def test_joined_texts_keep_their_sentences() -> None:
    """Also with braces between them; nothing joined is nothing."""
    with speaking(Upside()):
        assert speak(joined(" {} ", [_("day"), "{x}", _("day")])) == "yad {} {x} {} yad"
        assert speak(joined("; ", [_("day")])) == "yad"
    assert joined("; ", []) == ""


def test_a_label_kept_as_a_plain_text_is_found_by_its_name() -> None:
    """Keys of mappings lose how they were made."""
    with speaking(Upside()):
        assert (by_name("day"), by_name("else"), by_name("")) == ("yad", "else", "")


@dataclass(frozen=True)
class Kept:
    """As values of the domain are kept."""

    text: Text = ""
    pairs: tuple[tuple[Text, Text], ...] = ()


KEPT = TypeAdapter(Kept)


def test_what_is_kept_can_be_said_later() -> None:
    """With everything it is made of, through the database's JSON and through copies."""
    said = _("The {x:,} of {y}", x=1234, y=ngettext("{count} day", "{count} days", 3))
    read = KEPT.validate_json(KEPT.dump_json(Kept(text=said, pairs=((said, "plain"),))))
    assert read == Kept(text=said, pairs=((said, "plain"),))
    copies = [read.text, read.pairs[0][0], copy.deepcopy(said), pickle.loads(pickle.dumps(said)), unpack(pack(said))]
    with speaking(Upside()):
        assert {speak(one) for one in copies} == {"3 syad ← 1.234"}
        assert isinstance(read.pairs[0][1], str)


@pytest.mark.parametrize("kept", [b'{"text": 5}', b'{"text": {"say": "x"}}', b'{"text": {"say": "{x}", "with": {}}}'])
def test_what_is_no_kept_text_is_damage(kept: bytes) -> None:
    """As every cell that does not hold what belongs there."""
    with pytest.raises(ValidationError):
        KEPT.validate_json(kept)


def test_other_values_are_kept_as_they_read() -> None:
    """A sentence may hold whatever can be formatted."""
    assert pack(_("{x} {y}", x=None, y=True)) == {"say": "{x} {y}", "with": {"x": "None", "y": True}}
    assert isinstance(unpack(pack(_("{x}", x=1.5))), Sentence)
