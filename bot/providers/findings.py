"""What a check of a data file finds, with the lines: faults that refuse it, and rows that repeat one another."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NoReturn

from bot.domain.text import listed, some_of
from bot.errors import DataError
from bot.sentences import Sentence, _, joined, ngettext

MOST_LINES = 3
MOST_KINDS = 5

COMPARED = 1_000_000
"""So many rows are compared with each other; what repeats after them is not looked for."""


@dataclass(slots=True)
class Lines:
    """How many there are, and the first few of them: each a line, with the earlier one that it repeats, or 0."""

    count: int = 0
    first: list[tuple[int, int]] = field(default_factory=list)

    def add(self, line: int, earlier: int = 0) -> None:
        self.count += 1
        if len(self.first) < MOST_LINES:
            self.first.append((line, earlier))

    def __str__(self) -> str:
        """`line 7`, `lines 3, 9 (as on 2) and 12`, `lines 3, 9, 12 and 1,204 more`."""
        said = [_as_on(line, earlier) for line, earlier in self.first]
        lines = listed(said) if self.count <= len(said) else some_of(said, len(said), of=self.count)
        # NOTE: stands in other sentences, as in "Blank lines: 3, lines 4, 7 and 9." and "The same on line 4."
        return ngettext("line {lines}", "lines {lines}", self.count, lines=lines)


def _as_on(line: int, earlier: int) -> str:
    if earlier:
        # NOTE: two numbers of lines, of which the later one repeats the earlier one
        return _("{line:,} (as on {earlier:,})", line=line, earlier=earlier)
    return Sentence("{line:,}", {"line": line})  # no message: there is nothing to translate in a number


class Fault(Exception):  # noqa: N818  it becomes a part of an error
    """Something wrong on one line. Faults of one `kind` are told once, with the sentence of the first.

    `say` makes that sentence: a file may have a million faults, and to make sentences takes longer than to read lines.
    """

    def __init__(self, kind: str, say: Callable[[], str]) -> None:
        super().__init__(kind)
        self.kind = kind
        self.say = say


@dataclass(slots=True)
class Faults:
    """The faults of a file by kind, so that one look at the answer shows all there is to do."""

    _sentences: dict[str, str] = field(default_factory=dict)
    _begins: dict[str, int] = field(default_factory=dict)
    _rest: dict[str, Lines] = field(default_factory=dict)

    def add(self, fault: Fault, line: int) -> None:
        if fault.kind in self._rest:
            self._rest[fault.kind].add(line)
            return
        self._sentences[fault.kind] = fault.say()
        self._begins[fault.kind] = line
        self._rest[fault.kind] = Lines()

    def refuse_any(self) -> None:
        """Raises DataError where there is a fault."""
        if self._sentences:
            self.refuse()

    def refuse(self) -> NoReturn:
        """The faults as one error: it begins with the first of them, and names its line."""
        said = list(self._say())
        more = len(said) - MOST_KINDS
        rest = ngettext("There is {count} more kind of faults.", "There are {count} more kinds of faults.", more)
        shown = [*said[:MOST_KINDS], *([rest] if more > 0 else [])]
        raise DataError(joined(" ", shown), line=next(iter(self._begins.values())))

    def _say(self) -> Iterator[str]:
        for kind, sentence in self._sentences.items():
            rest = self._rest[kind]
            yield joined(" ", [sentence, _("The same on {lines}.", lines=str(rest))]) if rest.count else sentence


@dataclass(frozen=True, slots=True)
class Repeated:
    """`rows` equal an earlier one as a whole; `keys` equal an earlier one in what counts and differ in the other."""

    rows: Lines
    keys: Lines
    left_out: int


@dataclass(slots=True)
class Repeats:
    """Finds equal rows by hashes of 8 bytes: 20 bytes a row for COMPARED rows, and as much again while they are found.

    By chance, two different rows of a million count as equal once in some ten million files.
    """

    rows: int = 0
    _keys: "array[int]" = field(default_factory=lambda: array("q"))
    _others: "array[int]" = field(default_factory=lambda: array("q"))
    _lines: "array[int]" = field(default_factory=lambda: array("I"))

    def add(self, key: int, other: int, line: int) -> None:
        """One row: the hash of what counts (its text), the hash of the rest (its label), the line."""
        self.rows += 1
        if self.rows <= COMPARED:
            self._keys.append(key)
            self._others.append(other)
            self._lines.append(line)

    def add_all(self, keys: Iterable[int], lines: Sequence[int]) -> None:
        """Rows in which everything counts, with their lines."""
        room = COMPARED - len(self._keys)
        self.rows += len(lines)
        self._keys.extend(islice(keys, room))
        self._lines.extend(lines[:room])

    def find(self) -> Repeated:
        """Compare what was added."""
        # One half after the other, which halves the memory that it takes.
        again = _again(filter((0).__gt__, self._keys)) | _again(filter((0).__le__, self._keys))
        rows, contradicting = self._compare(again)
        return Repeated(rows, contradicting, max(0, self.rows - COMPARED))

    def _compare(self, again: set[int]) -> tuple[Lines, Lines]:
        """The rows that repeat one, and those that contradict the first of their key."""
        rows, contradicting = Lines(), Lines()
        first: dict[int, int] = {}
        pairs: set[tuple[int, int]] = set()
        for place, key in enumerate(self._keys):
            if key not in again or (begin := first.setdefault(key, place)) == place:
                continue
            other, line = self._other(place), self._lines[place]
            if other == self._other(begin):
                rows.add(line, self._lines[begin])
            elif (key, other) in pairs:
                rows.add(line)
            else:
                pairs.add((key, other))
                contradicting.add(line, self._lines[begin])
        return rows, contradicting

    def _other(self, place: int) -> int:
        return self._others[place] if self._others else 0


def _again(keys: Iterable[int]) -> set[int]:
    """Those of the keys that come more than once."""
    seen: set[int] = set()
    again: set[int] = set()
    for key in keys:
        (again if key in seen else seen).add(key)
    return again


def say_repeated(found: Repeated) -> list[str]:
    """Warnings. What counts in the rows are their texts, and what they differ in is the label."""
    again = _("Rows that repeat an earlier one: {rows:,}, on {lines}.", rows=found.rows.count, lines=str(found.rows))
    under_another = _(
        "Rows whose text stands under another label too: {rows:,}, on {lines}.",
        rows=found.keys.count,
        lines=str(found.keys),
    )
    limit = _(
        "Repeated rows are looked for among the first {compared:,} only; {rows:,} more were not compared.",
        compared=COMPARED,
        rows=found.left_out,
    )
    told = ((found.rows.count, again), (found.keys.count, under_another), (found.left_out, limit))
    return [sentence for rows, sentence in told if rows]
