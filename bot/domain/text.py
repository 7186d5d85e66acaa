"""Words from outside, made safe to stand in a message: nobody is mentioned and no link is made by a model's name."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from bot.sentences import Sentence, _, joined, ngettext

_SPACE = re.compile(r"\r\n|\s")
_BREAKS = re.compile("\r\n|[\t\x0b\x0c\r\x1c-\x1f\x85]")
_UNFIT = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def find_unfit(text: str) -> str | None:
    """The first control character, half a character, or sign that turns the order in which a line is read."""
    found = _UNFIT.search(text)
    return found.group() if found else None


def changed(text: str, change: Callable[[str], str]) -> str:
    """The changed text. A sentence stays one where all that changes stands in its values."""
    plain = change(text)
    if not isinstance(text, Sentence):
        return plain
    values = {name: changed(one, change) if isinstance(one, str) else one for name, one in text.values.items()}
    sentence = Sentence(text.template, values, text.plural, text.number)
    return sentence if sentence == plain else plain


def in_one_line(text: str) -> str:
    """The text without anything that could begin a new line, or hide or turn a part of it."""
    return changed(text, lambda one: _UNFIT.sub("", " ".join(one.split())))


def readable(text: str) -> str:
    """The text in its lines, without anything that hides or turns a part of it."""
    return changed(text, lambda one: _UNFIT.sub("", _BREAKS.sub(" ", one)))


def escape(text: str) -> str:
    """Slack's three control characters, escaped (https://docs.slack.dev/messaging/formatting-message-text).

    A sentence whose own words hold none of them stays one: what stands in it is escaped.
    """
    return changed(text, lambda one: one.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def code(text: str) -> str:
    """A word as code, whatever it holds: readable and on one line, because a line break would end the code."""
    line = _UNFIT.sub("", _SPACE.sub(" ", text)).replace("`", "'")
    return f"`{escape(line) or ' '}`"


def cut(text: str, most: int) -> str:
    """At most so many characters, with a sign where something is missing."""
    if len(text) <= most:
        return text
    return f"{text[: most - 1]}…" if most > 0 else ""


def when(at: datetime) -> str:
    """A time in the reader's own zone."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def listed(texts: Iterable[str]) -> str:
    """`a, b and c`, each with its sentence; "" of nothing."""
    *most, last = [*texts] or [""]
    return _("{most} and {last}", most=joined(", ", most), last=last) if most else last


def each_of(texts: Iterable[str]) -> str:
    """`a and b and c`, each with its sentence; "" of nothing."""
    first, *others = [*texts] or [""]
    for other in others:
        first = _("{most} and {last}", most=first, last=other)
    return first


def either(texts: Iterable[str]) -> str:
    """`a or b or c`, each with its sentence; "" of nothing."""
    first, *others = [*texts] or [""]
    for other in others:
        first = _("{most} or {last}", most=first, last=other)
    return first


def some_of(texts: Sequence[str], most: int, of: int | None = None) -> str:
    """`a, b and 1,204 more`: at most so many of the texts. `of` is how many there are, where not all are given."""
    shown, count = joined(", ", texts[:most]), (len(texts) if of is None else of) - most
    if count <= 0:
        return shown
    return ngettext("{shown} and {count:,} more", "{shown} and {count:,} more", count, shown=shown)
