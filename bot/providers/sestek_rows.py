"""Sestek's training file: one JSON object with `Label` and `Text` on each line.

The page https://docs.knovvu.com/docs/ml-text-classification-send-training-request shows neither a list nor commas, and
no other keys. What the service makes of other files is not documented.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from bot.domain.balances import Balance, weigh
from bot.domain.requests import Json
from bot.domain.text import some_of
from bot.errors import DataError
from bot.providers.findings import Fault, Faults, Repeats, say_repeated
from bot.sentences import _, joined

MOST_IN_LINE = 1 << 20
MOST_LABELS = 100_000
MOST_LISTED = 5
ENOUGH = 5
"""Fewer examples of a label are warned of. The number is ours: no page names one."""

LAST = frozenset({"long", "labels"})
"""Faults after which reading on means nothing."""

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
KINDS: Mapping[type, str] = {str: _("a text"), list: _("a list"), dict: _("an object")}


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
        return {_("Encoding"): "ASCII" if self.is_ascii else "UTF-8"}

    def balances(self) -> tuple[Balance, ...]:
        """That of the labels."""
        return (weigh("Label", self.labels, is_label=True),)

    def warnings(self) -> tuple[str, ...]:
        """What does not stop a training but makes it worse."""
        return (*self._label_warnings(), *self._text_warnings(), *self._other_keys())

    def _label_warnings(self) -> list[str]:
        if len(self.labels) == 1:
            only = listed(self.labels)
            return [_("All rows have the label {label}: there is nothing to tell apart.", label=only)]
        return [*self._rare_labels(), *self._similar_labels()]

    def _rare_labels(self) -> list[str]:
        few = sorted((rows, label) for label, rows in self.labels.items() if rows < ENOUGH)
        rare = [
            # NOTE: a label of a data file, how many rows have it, and where the first of them stands
            _("{label} {rows} (line {line:,})", label=shown(label), rows=rows, line=self._begins[label])
            for rows, label in few[:MOST_LISTED]
        ]
        told = some_of(rare, MOST_LISTED, of=len(few))
        return [_("Labels with fewer than {enough} examples: {labels}.", enough=ENOUGH, labels=told)] if few else []

    def _similar_labels(self) -> list[str]:
        folded = Counter(map(_folded, self.labels))
        alike = sorted((label for label in self.labels if folded[_folded(label)] > 1), key=_folded)
        similar = [
            _("{label} (line {line:,})", label=shown(label), line=self._begins[label]) for label in alike[:MOST_LISTED]
        ]
        told = some_of(similar, MOST_LISTED, of=len(alike))
        said = _("Labels that differ only in capitals, spaces or composed letters: {labels}.", labels=told)
        return [said] if alike else []

    def _text_warnings(self) -> list[str]:
        return say_repeated(self._repeats.find())

    def _other_keys(self) -> list[str]:
        others = listed(self.others)
        said = _("Sent along, though only Label and Text are documented: {keys}.", keys=others)
        return [said] if others else []


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
        raise DataError(_("The file is empty: it needs one object with Label and Text on each line."))
    return tally


def _count(tally: Tally, line: bytes, number: int) -> None:
    row = _parse_row(line, number)
    tally.is_ascii = tally.is_ascii and line.isascii()
    tally.add(_value(row, "Label", number), _value(row, "Text", number), row, number)
    if len(tally.labels) > MOST_LABELS:
        # The limit is ours: labels are all kept until the end of the file, and nobody tells so many apart.
        raise Fault("labels", lambda: _say_many_labels(number))


def _say_many_labels(number: int) -> str:
    return _(
        "Up to line {line} there are more than {most:,} labels. Are `Label` and `Text` mixed up?",
        line=number,
        most=MOST_LABELS,
    )


def _refuse_other_files(file: BinaryIO) -> None:
    beginning = file.read(256)
    file.seek(0)
    if beginning.startswith(b"\xef\xbb\xbf"):
        raise DataError(_("Line 1 begins with a byte order mark. Save the file as UTF-8 without one."), line=1)
    if beginning.lstrip().startswith(b"["):
        said = _(
            "The file is one JSON list. Sestek takes one object a line, without brackets and commas: "
            "`jq -c '.[]' FILE` writes it that way."
        )
        raise DataError(said, line=1)


def _parse_row(line: bytes, number: int) -> Mapping[str, Json]:
    if len(line) > MOST_IN_LINE:
        raise Fault("long", lambda: _say_long(number))
    row = _parse(line, number)
    if not isinstance(row, dict):
        raise Fault("object", lambda: _say_no_object(row, number))
    return row


def _say_long(number: int) -> str:
    return _(
        "Line {line} is longer than {most:,} bytes. Is each row on a line of its own?", line=number, most=MOST_IN_LINE
    )


def _say_no_object(row: Json, number: int) -> str:
    return _("Line {line} is {what}, not an object with Label and Text.", line=number, what=_kind(row))


def _parse(line: bytes, number: int) -> Json:
    try:
        return DECODER.decode(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise Fault("utf-8", lambda: _("Line {line} is not UTF-8. Save the file as UTF-8.", line=number)) from None
    except (ValueError, RecursionError):
        raise Fault("json", lambda: _say_no_json(line, number)) from None


def _say_no_json(line: bytes, number: int) -> str:
    return joined(" ", [_("Line {line} is not JSON.", line=number), *_hint(line)])


def _hint(line: bytes) -> list[str]:
    if line.rstrip().endswith(b","):
        return [_("It ends in a comma; the lines stand on their own, without one.")]
    return [_("The object must stand on one line.")] if line.strip() == b"{" else []


def _value(row: Mapping[str, Json], key: str, number: int) -> str:
    """The text under a key of a row. Raises Fault where it is missing, empty or no text."""
    if key not in row:
        raise Fault(f"{key} missing", lambda: _say_missing(row, key, number))
    value = row[key]
    if not isinstance(value, str):
        raise Fault(f"{key} no text", lambda: _say_no_text(value, key, number))
    if not value.strip():
        raise Fault(f"{key} empty", lambda: _("`{key}` on line {line} is empty.", key=key, line=number))
    if LONE_SURROGATE.search(value):
        raise Fault(f"{key} half", lambda: _say_half(key, number))
    return value


def _say_missing(row: Mapping[str, Json], key: str, number: int) -> str:
    return joined(" ", [_("Line {line} has no `{key}`.", line=number, key=key), *_near(row, key)])


def _say_no_text(value: Json, key: str, number: int) -> str:
    what = _kind(value)
    return _("`{key}` on line {line} is {what}, not a text in quotes.", key=key, line=number, what=what)


def _say_half(key: str, number: int) -> str:
    return _("`{key}` on line {line} holds half a character (a lone surrogate).", key=key, line=number)


def _near(row: Mapping[str, Json], key: str) -> list[str]:
    near = next((other for other in row if other.strip().casefold() == key.casefold()), None)
    if near is None:
        return []
    return [_("It has {other}: the key is written exactly `{key}`.", other=shown(near), key=key)]


def _kind(value: Json) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return KINDS.get(type(value), _("a number"))


def shown(word: str) -> str:
    """A word out of a file, fit for one line of a message."""
    return "`" + "".join(letter if letter.isprintable() and letter != "`" else "\ufffd" for letter in word[:40]) + "`"


def listed(words: Collection[str]) -> str:
    """The first of the words, and how many more there are."""
    return some_of([shown(word) for word in islice(words, MOST_LISTED)], MOST_LISTED, of=len(words))
