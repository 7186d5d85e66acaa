"""Sentences that remember how they were made, so that they can be said in another language later.

A `Sentence` is its English text, a `str` like any other: it can be compared, logged, searched and stored. Besides, it
keeps its template and the values that stand in it. Wherever it is put into a text by an f-string or a template, or
given to `speak`, it is said in the language of the moment, which `speaking` sets at the doors to people; elsewhere that
is English. What takes it apart (a slice, `lower`, `" ".join`) leaves plain English.

Templates are the messages of the catalogues in `bot/catalogues`, extracted by Babel from calls of `_` and `ngettext`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from string import Formatter
from typing import Annotated, Any, Protocol

from pydantic_core import CoreSchema, core_schema


class Language(Protocol):
    """What a sentence is said in."""

    code: str
    """As in BCP 47: `tr`, `ko`."""

    def gettext(self, message: str) -> str:
        """The message in this language; itself where the catalogue has none."""
        ...

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """The form of the message for so many."""
        ...

    def number(self, text: str) -> str:
        """A number that Python formatted (`1,234.5`), with the signs of this language."""
        ...


_LANGUAGE: ContextVar[Language | None] = ContextVar("language", default=None)


@contextmanager
def speaking(language: Language | None) -> Iterator[None]:
    """Say every sentence in a language until the end of the block; None is English."""
    token = _LANGUAGE.set(language)
    try:
        yield
    finally:
        _LANGUAGE.reset(token)


def language_spoken() -> Language | None:
    """The language of the moment; None is English."""
    return _LANGUAGE.get()


class Sentence(str):
    """A text with its template, as `str.format` reads it, and its values; `plural` and `number` choose a form."""

    template: str
    values: Mapping[str, Any]
    plural: str
    number: int

    __slots__ = ("number", "plural", "template", "values")

    def __new__(cls, template: str, values: Mapping[str, Any], plural: str = "", number: int = 0) -> "Sentence":
        chosen = plural if plural and number != 1 else template
        self = super().__new__(cls, _filled(chosen, values, None))
        self.template, self.values, self.plural, self.number = template, values, plural, number
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.template, self.values, self.plural, self.number

    def __str__(self) -> str:
        """Itself: `str(error)` still knows how it was made."""
        return self

    def __format__(self, spec: str) -> str:
        return format(speak(self), spec)


def _(template: str, **values: Any) -> Sentence:
    """A sentence. Values are texts, numbers and other sentences."""
    return Sentence(template, values)


def ngettext(singular: str, plural: str, count: int, **values: Any) -> Sentence:
    """A sentence about so many of something; both forms may hold `{count}`."""
    return Sentence(singular, {"count": count, **values}, plural, count)


def joined(separator: str, texts: Iterable[str]) -> str:
    """`separator.join(texts)` that still knows its sentences."""
    values = {f"part{place}": text for place, text in enumerate(texts)}
    if len(values) == 1:
        return values["part0"]
    bare = separator.replace("{", "{{").replace("}", "}}")
    return Sentence(bare.join(f"{{{name}}}" for name in values), values) if values else ""


def speak(text: str) -> str:
    """A text in the language of the moment, as a plain `str`."""
    if not isinstance(text, Sentence):
        return text
    language = _LANGUAGE.get()
    return str.__str__(text) if language is None else _said(text, language)


def by_name(label: str) -> str:
    """A label that was kept as a plain text, such as the key of a mapping, in the language of the moment."""
    language = _LANGUAGE.get()
    if isinstance(label, Sentence) or language is None or not label:
        return speak(label)
    return language.gettext(label)


def _said(sentence: Sentence, language: Language) -> str:
    if sentence.plural:
        template = language.ngettext(sentence.template, sentence.plural, sentence.number)
    else:
        template = language.gettext(sentence.template) if sentence.template else ""
    try:
        return _filled(template, sentence.values, language)
    except (LookupError, ValueError, TypeError, AttributeError):
        # A translation with a placeholder of its own: a test finds it, and until then English is better than nothing.
        return str.__str__(sentence)


class _Filling(Formatter):
    """`str.format` that writes numbers as a language does."""

    def __init__(self, language: Language | None) -> None:
        self._language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Sentence):
            return format(str.__str__(value) if self._language is None else _said(value, self._language), format_spec)
        text: str = format(value, format_spec)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and format_spec
        return self._language.number(text) if is_number and self._language is not None else text


def _filled(template: str, values: Mapping[str, Any], language: Language | None) -> str:
    if language is None and not any(isinstance(one, Sentence) for one in values.values()):
        return template.format_map(values)  # the usual case, and several times as fast
    return _Filling(language).vformat(template, (), values)


# -- kept in a database -----------------------------------------------------------------------------------------------


def pack(text: str) -> Any:
    """A text as JSON can hold it: a sentence with all that it is made of."""
    if not isinstance(text, Sentence):
        return text
    kept: dict[str, Any] = {"say": text.template, "with": {name: _packed(one) for name, one in text.values.items()}}
    return {**kept, "plural": text.plural, "number": text.number} if text.plural else kept


def _packed(value: Any) -> Any:
    return pack(value) if isinstance(value, str) else value if isinstance(value, int | float) else str(value)


def unpack(kept: Any) -> str:
    """What `pack` made of a text. Raises ValueError for anything else."""
    if isinstance(kept, str):
        return kept
    try:
        values = {name: unpack(one) if isinstance(one, str | dict) else one for name, one in kept["with"].items()}
        return Sentence(str(kept["say"]), values, str(kept.get("plural", "")), int(kept.get("number", 0)))
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError("neither a text nor a sentence") from error


class _Kept:
    """Tells pydantic to keep a text as `pack` writes it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            unpack, serialization=core_schema.plain_serializer_function_ser_schema(pack)
        )


Text = Annotated[str, _Kept()]
"""A `str` that is kept with its template where it is a `Sentence`."""


__all__ = [
    "Language",
    "Sentence",
    "Text",
    "_",
    "by_name",
    "joined",
    "language_spoken",
    "ngettext",
    "pack",
    "speak",
    "speaking",
    "unpack",
]
