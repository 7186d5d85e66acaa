"""Sestek's training file: one JSON object with `Label` and `Text` on each line.

The page https://docs.knovvu.com/docs/ml-text-classification-send-training-request shows neither a list nor commas, and
no other keys. What the service makes of other files is not documented.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from bot.domain.balances import Balance, weigh
from bot.domain.requests import Json
from bot.errors import DataError
from bot.providers.findings import Fault, Faults, Repeats, say_repeated

MOST_IN_LINE = 1 << 20
MOST_LABELS = 100_000
MOST_LISTED = 5
ENOUGH = 5
"""Fewer examples of a label are warned of. The number is ours: no page names one."""

LAST = frozenset({"long", "labels"})
"""Faults after which reading on means nothing."""

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
KINDS: Mapping[type, str] = {str: "a text", list: "a list", dict: "an object"}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(parse_constant=_refuse_constant)  # one for all lines: making it costs more than a line


@dataclass(slots=True, kw_only=True)
class Tally:
    """What is counted while a file is read. Texts are compared by their hashes, see `findings.Repeats`."""

    rows: int = 0
    is_ascii: bool = True
    labels: dict[str, int] = field(default_factory=dict)
    others: dict[str, None] = field(default_factory=dict)
    _begins: dict[str, int] = field(default_factory=dict)
    _repeats: Repeats = field(default_factory=Repeats)

    def add(self, label: str, text: str, keys: Collection[str], line: int) -> None:
        """Count one row; `keys` are all keys of its object."""
        self.rows += 1
        if label in self.labels:
            self.labels[label] += 1
        else:
            self.labels[label], self._begins[label] = 1, line
        if len(keys) > 2 and len(self.others) <= MOST_LISTED:
            self.others.update(dict.fromkeys(key for key in keys if key not in ("Label", "Text")))
        self._repeats.add(hash(text), hash(label), line)

    def facts(self) -> dict[str, str]:
        """Further lines for the card."""
        return {"Encoding": "ASCII" if self.is_ascii else "UTF-8"}

    def balances(self) -> tuple[Balance, ...]:
        """That of the labels."""
        return (weigh("Label", self.labels, is_label=True),)

    def warnings(self) -> tuple[str, ...]:
        """What does not stop a training but makes it worse."""
        return (*self._label_warnings(), *self._text_warnings(), *self._other_keys())

    def _label_warnings(self) -> list[str]:
        if len(self.labels) == 1:
            return [f"All rows have the label {listed(self.labels)}: there is nothing to tell apart."]
        few = sorted((rows, label) for label, rows in self.labels.items() if rows < ENOUGH)
        folded = Counter(map(_folded, self.labels))
        alike = [label for label in self.labels if folded[_folded(label)] > 1]
        said = [f"{shown(label)} {rows} (line {self._begins[label]:,})" for rows, label in few]
        similar = [f"{shown(label)} (line {self._begins[label]:,})" for label in sorted(alike, key=_folded)]
        return [
            *([f"Labels with fewer than {ENOUGH} examples: {_some(said, len(said))}."] if said else []),
            *(
                [f"Labels that differ only in capitals, spaces or composed letters: {_some(similar, len(similar))}."]
                if similar
                else []
            ),
        ]

    def _text_warnings(self) -> list[str]:
        return say_repeated(self._repeats.find(), "Rows whose text stands under another label too")

    def _other_keys(self) -> list[str]:
        others = f"Sent along, though only Label and Text are documented: {listed(self.others)}."
        return [others] if self.others else []


def _folded(label: str) -> str:
    return " ".join(unicodedata.normalize("NFC", label).casefold().split())


def count_rows(path: Path) -> Tally:
    """Read a file line by line. DataError, with the lines, where rows are not objects with Label and Text.

    Blank lines are passed over.
    """
    tally, faults = Tally(), Faults()
    with path.open("rb") as file:
        _refuse_other_files(file)
        for number, line in enumerate(iter(lambda: file.readline(MOST_IN_LINE + 1), b""), start=1):
            if not line.strip():
                continue
            try:
                _count(tally, line, number)
            except Fault as fault:
                faults.add(fault, number)
                if fault.kind in LAST:
                    break
    faults.refuse_any()
    if not tally.rows:
        raise DataError("The file is empty: it needs one object with Label and Text on each line.")
    return tally


def _count(tally: Tally, line: bytes, number: int) -> None:
    row = _parse_row(line, number)
    tally.is_ascii = tally.is_ascii and line.isascii()
    tally.add(_value(row, "Label", number), _value(row, "Text", number), row, number)
    if len(tally.labels) > MOST_LABELS:
        # The limit is ours: labels are all kept until the end of the file, and nobody tells so many apart.
        said = f"Up to line {number} there are more than {MOST_LABELS:,} labels"
        raise Fault("labels", f"{said}. Are `Label` and `Text` mixed up?")


def _refuse_other_files(file: BinaryIO) -> None:
    beginning = file.read(256)
    file.seek(0)
    if beginning.startswith(b"\xef\xbb\xbf"):
        raise DataError("Line 1 begins with a byte order mark. Save the file as UTF-8 without one.", line=1)
    if beginning.lstrip().startswith(b"["):
        raise DataError(
            "The file is one JSON list. Sestek takes one object a line, without brackets and commas: "
            "`jq -c '.[]' FILE` writes it that way.",
            line=1,
        )


def _parse_row(line: bytes, number: int) -> Mapping[str, Json]:
    if len(line) > MOST_IN_LINE:
        raise Fault("long", f"Line {number} is longer than {MOST_IN_LINE:,} bytes. Is each row on a line of its own?")
    row = _parse(line, number)
    if not isinstance(row, dict):
        raise Fault("object", f"Line {number} is {_kind(row)}, not an object with Label and Text.")
    return row


def _parse(line: bytes, number: int) -> Json:
    try:
        return DECODER.decode(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise Fault("utf-8", f"Line {number} is not UTF-8. Save the file as UTF-8.") from None
    except (ValueError, RecursionError):
        raise Fault("json", f"Line {number} is not JSON.{_hint(line)}") from None


def _hint(line: bytes) -> str:
    if line.rstrip().endswith(b","):
        return " It ends in a comma; the lines stand on their own, without one."
    if line.strip() == b"{":
        return " The object must stand on one line."
    return ""


def _value(row: Mapping[str, Json], key: str, number: int) -> str:
    """The text under a key of a row. Raises Fault where it is missing, empty or no text."""
    if key not in row:
        raise Fault(f"{key} missing", f"Line {number} has no `{key}`.{_near(row, key)}")
    value = row[key]
    if not isinstance(value, str):
        raise Fault(f"{key} no text", f"`{key}` on line {number} is {_kind(value)}, not a text in quotes.")
    if not value.strip():
        raise Fault(f"{key} empty", f"`{key}` on line {number} is empty.")
    if LONE_SURROGATE.search(value):
        raise Fault(f"{key} half", f"`{key}` on line {number} holds half a character (a lone surrogate).")
    return value


def _near(row: Mapping[str, Json], key: str) -> str:
    near = next((other for other in row if other.strip().casefold() == key.casefold()), None)
    return f" It has {shown(near)}: the key is written exactly `{key}`." if near is not None else ""


def _kind(value: Json) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return KINDS.get(type(value), "a number")


def shown(word: str) -> str:
    """A word out of a file, fit for one line of a message."""
    return "`" + "".join(letter if letter.isprintable() and letter != "`" else "\ufffd" for letter in word[:40]) + "`"


def listed(words: Collection[str]) -> str:
    """The first of the words, and how many more there are."""
    return _some([shown(word) for word in list(words)[:MOST_LISTED]], len(words))


def _some(said: Sequence[str], count: int) -> str:
    more = count - MOST_LISTED
    return ", ".join(said[:MOST_LISTED]) + (f" and {more:,} more" if more > 0 else "")
