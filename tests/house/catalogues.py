"""The messages of the code, and the catalogues that translate them. `python -m tests.house.catalogues` renews these."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from bot.languages import TRANSLATED

ROOT = Path(__file__).parents[2]
CATALOGUES = ROOT / "bot" / "catalogues"
PACKAGES = ("bot", "handlers", "storage")
KEYWORDS = {"_": None, "ngettext": (1, 2)}
NOTE = "NOTE:"
"""Begins a comment above a sentence that is meant for translators."""

_WIDTH = 120
_HEADER = """# What Switchyard says, in {name}.
msgid ""
msgstr ""
"Project-Id-Version: Switchyard\\n"
"Language: {language}\\n"
"Plural-Forms: {plurals}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""
"""Without dates and addresses: the history of the file says who and when."""


def messages() -> Catalog:
    """Every message of the code, with the file that holds it and the notes for translators, in the order of files."""
    found = Catalog(project="Switchyard", fuzzy=False)
    for package in PACKAGES:
        for path, _line, message, comments, context in sorted(_extracted(package), key=lambda one: (one[0], one[1])):
            found.add(message, None, [(f"{package}/{path}", 0)], auto_comments=comments, context=context)
    return found


def _extracted(package: str) -> Iterator[tuple[str, int, str | tuple[str, ...], list[str], str | None]]:
    return extract_from_dir(ROOT / package, keywords=KEYWORDS, comment_tags=(NOTE,), strip_comment_tags=True)


def path_of(language: str) -> Path:
    return CATALOGUES / f"{language}.po"


def catalogue(language: str) -> Catalog:
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language)


def renew(language: str) -> None:
    """Bring new messages into a catalogue, and drop those that the code does not say any more."""
    known = catalogue(language)
    known.update(messages(), no_fuzzy_matching=True, update_header_comment=False, update_creation_date=False)
    written = BytesIO()
    write_po(written, known, width=_WIDTH, ignore_obsolete=True, omit_header=True, include_lineno=False)
    header = _HEADER.format(name=known.locale.english_name, language=language, plurals=known.plural_forms)
    path_of(language).write_bytes(header.encode() + written.getvalue())


def main() -> None:
    for language in TRANSLATED:
        renew(language)


if __name__ == "__main__":
    main()
