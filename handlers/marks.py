"""Slack's marks in a text: which of them may mean something, and how a text is cut without breaking one.

Only what stands in angle brackets means something to Slack, and `&`, `<`, `>` are written as `&amp;`, `&lt;`, `&gt;`
(https://docs.slack.dev/messaging/formatting-message-text).
"""

import re

from bot.domain.text import cut, in_one_line, readable
from bot.sentences import speak

_OURS = re.compile(
    r"<(?:@[UW][A-Z0-9]+|#[CG][A-Z0-9]+|!subteam\^S[A-Z0-9]+|!date\^[0-9]+\^(?:\{\w+\}| )+\|[0-9: -]+ UTC)>",
)
"""A person, a channel, a user group, a time: nothing else is ever marked by us."""

_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt);)")
_HALF_A_MARK = re.compile(r"(?:<[^<>]{0,100}|&[a-z]{0,3})$")


def is_person(word: str) -> bool:
    """Whether a word has the form of somebody's id."""
    return re.fullmatch(r"[UW][A-Z0-9]+", word) is not None


def foreign(text: str, most: int = 300) -> str:
    """Words from outside as part of a line: they mention nobody, link nothing, and end no code mark but their own.

    A text that is escaped already stays as it is.
    """
    line = cut(in_one_line(speak(text)), most)
    return _escaped_once(line.replace("`", "'") if line.count("`") % 2 else line)


def literal(text: str) -> str:
    """A sentence that quotes what somebody typed, and in which nothing is meant to mention anybody."""
    return _escaped_once(readable(speak(text)))


def tamed(text: str) -> str:
    """The last gate of every text that goes out: marks that are not ours mean nothing, and every sign can be seen."""
    text = readable(speak(text))
    parts: list[str] = []
    end = 0
    for mark in _OURS.finditer(text):
        parts += [_escaped_once(text[end : mark.start()]), mark.group()]
        end = mark.end()
    return "".join([*parts, _escaped_once(text[end:])])


def clipped(text: str, most: int) -> str:
    """At most so many characters, with a sign where something is missing; no mark is cut in two or left open."""
    text = speak(text)
    if len(text) <= most:
        return text
    kept = _HALF_A_MARK.sub("", text[: most - 2])
    return f"{kept}…`" if kept.rpartition("\n")[2].count("`") % 2 else f"{kept}…"


def _escaped_once(text: str) -> str:
    return _BARE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")
