"""Slack's text: three characters are escaped, and only what stands in angle brackets means something.

Source: https://docs.slack.dev/messaging/formatting-message-text (escaping, mentions, links).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_CONTROL = re.compile(r"<(?:[@#!][^<>\n]+|[A-Za-z][A-Za-z0-9+.-]*:[^<>\n]+)>")
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt);)")
_PLACE = re.compile(r"(?<![\w@#])([@#])([\w.-]+)")


def escaped(text: str) -> str:
    """What a person typed, as Slack hands it on."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def normalised(text: str) -> str:
    """What an app sent, as Slack stores it: mentions and links verbatim, every other special character escaped."""
    parts: list[str] = []
    end = 0
    for control in _CONTROL.finditer(text):
        parts += [_escaped_once(text[end : control.start()]), control.group()]
        end = control.end()
    return "".join([*parts, _escaped_once(text[end:])])


def with_mentions(text: str, people: Mapping[str, str], channels: Mapping[str, str], *, named: bool) -> str:
    """`@ada` and `#trainings` as ids; `named` adds the name (`<@U1|ada>`), as commands with `should_escape` get it."""

    def mention(found: re.Match[str]) -> str:
        sign, name = found.groups()
        known = people if sign == "@" else channels
        if name not in known:
            return found.group()
        return f"<{sign}{known[name]}|{name}>" if named else f"<{sign}{known[name]}>"

    return _PLACE.sub(mention, text)


def _escaped_once(text: str) -> str:
    return _BARE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")
