"""Tables that leave the house: CSV as RFC 4180 has it, in which no cell is a formula."""

from collections.abc import Iterable

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A spreadsheet takes a cell that begins so for a formula, some also the wide forms of the signs
(https://owasp.org/www-community/attacks/CSV_Injection)."""
_QUOTED = frozenset(',"\r\n')


def csv_line(cells: Iterable[object]) -> str:
    """One line with its end. None is an empty cell; numbers stay numbers, negative ones too."""
    return ",".join(_cell(cell) for cell in cells) + "\r\n"


def _cell(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, int | float):
        return str(cell)
    text = safe(str(cell))
    return '"{}"'.format(text.replace('"', '""')) if _QUOTED & set(text) else text


def safe(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would calculate it."""
    return f"'{text}" if text.startswith(_STARTS) else text
