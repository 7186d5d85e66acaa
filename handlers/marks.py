"""Slack's marks in a text: which of them may mean something, and how a text is cut without breaking one.

Only what stands in angle brackets means something to Slack, and `&`, `<`, `>` are written as `&amp;`, `&lt;`, `&gt;`
(https://docs.slack.dev/messaging/formatting-message-text).
"""

import re

from bot.domain.text import cut

_OURS = re.compile(
    r"<(?:@[UW][A-Z0-9]+|!subteam\^S[A-Z0-9]+|!date\^[0-9]+\^(?:\{\w+\}| )+\|[0-9: -]+ UTC)>",
)
"""A person, a user group, a time: nothing else is ever marked by us."""

_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt);)")
_HALF_A_MARK = re.compile(r"(?:<[^<>]{0,100}|&[a-z]{0,3})$")
_UNFIT = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def find_unfit(text: str) -> str | None:
    """The first control character, half a character, or sign that turns the order in which a line is read."""
    found = _UNFIT.search(text)
    return found.group() if found else None


def in_one_line(text: str) -> str:
    """The text without anything that could begin a new line, or hide or turn a part of it."""
    return _UNFIT.sub("", " ".join(text.split()))


def foreign(text: str, most: int = 300) -> str:
    """Words from outside as part of a line: they mention nobody, link nothing, and end no code mark but their own.

    A text that is escaped already stays as it is.
    """
    line = cut(in_one_line(text), most)
    return _escaped_once(line.replace("`", "'") if line.count("`") % 2 else line)


def tamed(text: str) -> str:
    """The last gate of every text that goes out: marks that are not ours are escaped, so they mean nothing."""
    parts: list[str] = []
    end = 0
    for mark in _OURS.finditer(text):
        parts += [_escaped_once(text[end : mark.start()]), mark.group()]
        end = mark.end()
    return "".join([*parts, _escaped_once(text[end:])])


def clipped(text: str, most: int) -> str:
    """At most so many characters, with a sign where something is missing; no mark is cut in two or left open."""
    if len(text) <= most:
        return text
    kept = _HALF_A_MARK.sub("", text[: most - 2])
    return f"{kept}…`" if kept.rpartition("\n")[2].count("`") % 2 else f"{kept}…"


def _escaped_once(text: str) -> str:
    return _BARE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")
