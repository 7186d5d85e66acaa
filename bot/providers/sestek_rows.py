"""Sestek's training file: one JSON object with `Label` and `Text` on each line.

The page https://docs.knovvu.com/docs/ml-text-classification-send-training-request shows neither a list nor commas, and
no other keys. What the service makes of other files is not documented.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from bot.domain.requests import Json
from bot.errors import DataError

MOST_IN_LINE = 1 << 20
MOST_REMEMBERED = 500_000
MOST_LABELS = 100_000
MOST_LISTED = 5
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
KINDS: Mapping[type, str] = {str: "a text", list: "a list", dict: "an object"}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(parse_constant=_refuse_constant)  # one for all lines: making it costs more than a line


@dataclass(slots=True, kw_only=True)
class Tally:
    """What is counted while a file is read. Texts are remembered by their hashes, MOST_REMEMBERED at most."""

    rows: int = 0
    repeats: int = 0
    conflicts: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    others: dict[str, None] = field(default_factory=dict)
    _label_of: dict[int, int] = field(default_factory=dict)

    def add(self, label: str, text: str, keys: Collection[str]) -> None:
        """Count one row; `keys` are all keys of its object."""
        self.rows += 1
        self.labels[label] += 1
        if len(keys) > 2 and len(self.others) <= MOST_LISTED:
            self.others.update(dict.fromkeys(key for key in keys if key not in ("Label", "Text")))
        self._compare(hash(label), hash(text))

    def _compare(self, label: int, text: int) -> None:
        known = self._label_of.get(text)
        if known is None:
            if len(self._label_of) < MOST_REMEMBERED:
                self._label_of[text] = label
        elif known == label:
            self.repeats += 1
        else:
            self.conflicts += 1

    def facts(self) -> dict[str, str]:
        """The lines for the card."""
        return {"Labels": f"{len(self.labels):,}", "Balance": self._balance()}

    def _balance(self) -> str:
        ranked = self.labels.most_common()
        if len(ranked) <= MOST_LISTED:
            return ", ".join(f"{shown(label)} {count:,}" for label, count in ranked)
        (most, most_rows), (least, least_rows) = ranked[0], ranked[-1]
        return f"from {least_rows:,} ({shown(least)}) to {most_rows:,} ({shown(most)})"

    def warnings(self) -> tuple[str, ...]:
        """What does not stop a training but makes it worse."""
        return tuple(filter(None, [*self._label_warnings(), *self._text_warnings(), self._other_keys()]))

    def _label_warnings(self) -> list[str]:
        lonely = [label for label, count in self.labels.items() if count == 1]
        folded = Counter(label.strip().casefold() for label in self.labels)
        alike = [label for label in self.labels if folded[label.strip().casefold()] > 1]
        if len(self.labels) == 1:
            return [f"All rows have the label {listed(self.labels)}: there is nothing to tell apart."]
        return [
            f"Labels with a single example: {listed(lonely)}." if lonely else "",
            f"Labels that differ only in capitals or spaces: {listed(alike)}." if alike else "",
        ]

    def _text_warnings(self) -> list[str]:
        return [
            f"Rows that repeat an earlier one: {self.repeats:,}." if self.repeats else "",
            f"Rows whose text stands under another label too: {self.conflicts:,}." if self.conflicts else "",
        ]

    def _other_keys(self) -> str:
        return f"Sent along, though only Label and Text are documented: {listed(self.others)}." if self.others else ""


def count_rows(path: Path) -> Tally:
    """Read a file line by line. DataError, with the line, where a row is not an object with Label and Text.

    Blank lines are passed over.
    """
    tally = Tally()
    with path.open("rb") as file:
        _refuse_other_files(file)
        for number, line in enumerate(iter(lambda: file.readline(MOST_IN_LINE + 1), b""), start=1):
            if line.strip():
                row = _parse_row(line, number)
                tally.add(_value(row, "Label", number), _value(row, "Text", number), tuple(row))
                _check_labels(tally, number)
    if not tally.rows:
        raise DataError("The file is empty: it needs one object with Label and Text on each line.")
    return tally


def _check_labels(tally: Tally, number: int) -> None:
    # The limit is ours: labels are all kept until the end of the file, and nobody tells so many apart.
    if len(tally.labels) > MOST_LABELS:
        said = f"Up to line {number} there are more than {MOST_LABELS:,} labels"
        raise DataError(f"{said}. Are `Label` and `Text` mixed up?", line=number)


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
        raise DataError(
            f"Line {number} is longer than {MOST_IN_LINE:,} bytes. Is each row on a line of its own?", line=number
        )
    row = _parse(line, number)
    if not isinstance(row, dict):
        raise DataError(f"Line {number} is {_kind(row)}, not an object with Label and Text.", line=number)
    return row


def _parse(line: bytes, number: int) -> Json:
    try:
        return DECODER.decode(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise DataError(f"Line {number} is not UTF-8. Save the file as UTF-8.", line=number) from None
    except (ValueError, RecursionError):
        raise DataError(f"Line {number} is not JSON.{_hint(line)}", line=number) from None


def _hint(line: bytes) -> str:
    if line.rstrip().endswith(b","):
        return " It ends in a comma; the lines stand on their own, without one."
    if line.strip() == b"{":
        return " The object must stand on one line."
    return ""


def _value(row: Mapping[str, Json], key: str, number: int) -> str:
    """The text under a key of a row. Raises DataError where it is missing, empty or no text."""
    if key not in row:
        raise DataError(f"Line {number} has no `{key}`.{_near(row, key)}", line=number)
    value = row[key]
    if not isinstance(value, str):
        raise DataError(f"`{key}` on line {number} is {_kind(value)}, not a text in quotes.", line=number)
    if not value.strip():
        raise DataError(f"`{key}` on line {number} is empty.", line=number)
    if LONE_SURROGATE.search(value):
        raise DataError(f"`{key}` on line {number} holds half a character (a lone surrogate).", line=number)
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
    some = [shown(word) for word in list(words)[:MOST_LISTED]]
    more = len(words) - len(some)
    return ", ".join(some) + (f" and {more:,} more" if more > 0 else "")
