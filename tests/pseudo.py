"""A language in which every message differs from English, so that what is still English was never translated."""

import re

_LETTERS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "áƀćďéƒǵĥíĵķĺḿńóṕɋŕśťúṽẃẋýźÁƁĆĎÉƑǴĤÍĴĶĹḾŃÓṔɊŔŚŤÚṼẂẊÝŹ",
)
_KEPT = re.compile(r"(\{[^}]*\}|`[^`]*`|<[^>]*>|:[a-z_]+:)")
"""Placeholders, code, marks and signs stay as they are, as in every translation."""


class Pseudo:
    """Letters with accents. Numbers are written as in Switzerland."""

    code = "en-x-pseudo"

    def gettext(self, message: str) -> str:
        parts = _KEPT.split(message)
        return "".join(part if place % 2 else part.translate(_LETTERS) for place, part in enumerate(parts))

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return self.gettext(singular if n == 1 else plural)

    def number(self, text: str) -> str:
        return text.replace(",", "’")
