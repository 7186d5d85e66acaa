"""The languages that Switchyard speaks: the catalogues in `bot/catalogues`, and how each writes numbers.

A catalogue is a `.po` file as gettext and Babel have it. It is read when its language is first spoken.
"""

from functools import cache
from gettext import GNUTranslations
from importlib import resources
from io import BytesIO

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from bot.sentences import Language

ENGLISH = "en"
TRANSLATED = ("de", "ja", "ko", "tr")
LANGUAGES = (ENGLISH, *TRANSLATED)


class _Catalogue:
    """One language with its messages."""

    def __init__(self, code: str) -> None:
        self.code = code
        messages = _messages(code)
        self.gettext, self.ngettext = messages.gettext, messages.ngettext
        signs = Locale.parse(code).number_symbols["latn"]
        self._signs = str.maketrans({",": signs["group"], ".": signs["decimal"]})

    def number(self, text: str) -> str:
        return text.translate(self._signs)


def _messages(code: str) -> GNUTranslations:
    with resources.files("bot").joinpath("catalogues", f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


@cache
def language_called(code: str) -> Language | None:
    """The language of a code such as `tr` or of a locale such as `ko-KR`; None, English, where it is none of ours."""
    language = code.replace("_", "-").partition("-")[0].lower()
    return _Catalogue(language) if language in TRANSLATED else None
