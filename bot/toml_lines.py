"""On which line of a TOML document a value stands.

`tomllib` tells no lines, so it is asked piece by piece: a statement ends on the first line on which what began with it
is a document by itself. The grammar is tomllib's alone; only its headers and keys are put together here.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]

_ENDS = ("]", "}", '"""', "'''")
"""One of these is on the last line of each statement of several lines."""
_LONGEST = 200
"""Lines of a statement, above which its elements are not told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A header or a key with its value. `line` counts from 1; `path` leads to what it defines."""

    line: int
    text: str
    path: Path

    def element_lines(self) -> tuple[int, ...]:
        """The line on which each element of a list ends, where the value is a list that is not all on one line."""
        rows = self.text.split("\n")
        return tuple(_element_lines(rows, self.line)) if 1 < len(rows) <= _LONGEST else ()


@dataclass(slots=True)
class Lines:
    """Where the values of a document stand."""

    _statements: dict[Path, Statement] = field(default_factory=dict)
    _counts: dict[Path, int] = field(default_factory=dict)
    _elements: dict[Path, tuple[int, ...]] = field(default_factory=dict)
    _table: Path = ()

    def of(self, path: Sequence[str | int]) -> int:
        """The line of a value, or of the nearest one that holds it: that is where something lacks."""
        whole = tuple(path)
        known = next((whole[:end] for end in range(len(whole), 0, -1) if whole[:end] in self._statements), None)
        if known is None:
            return 1
        return self._of_element(self._statements[known], whole[len(known) :])

    def _of_element(self, statement: Statement, rest: Path) -> int:
        if not rest or not isinstance(rest[0], int):
            return statement.line
        if statement.path not in self._elements:
            self._elements[statement.path] = statement.element_lines()
        lines = self._elements[statement.path]
        return lines[rest[0]] if rest[0] < len(lines) else statement.line

    def add(self, line: int, text: str) -> None:
        """Take in the next statement."""
        said = tomllib.loads(text)
        if not said:
            return  # comments and empty lines
        if text.lstrip().startswith("["):
            self._enter(line, text, said)
        else:
            self._note(line, text, said)

    def _enter(self, line: int, text: str, said: Mapping[str, Any]) -> None:
        *parents, (last, value) = _steps(said)
        path = self._among((), [key for key, _ in parents])
        path = (*path, last)
        if isinstance(value, list):
            count = self._counts.get(path, 0)
            self._counts[path] = count + 1
            self._keep(path, Statement(line=line, text="", path=path))
            path = (*path, count)
        self._table = self._current(path)
        self._keep(self._table, Statement(line=line, text="", path=self._table))

    def _note(self, line: int, text: str, said: Mapping[str, Any]) -> None:
        path = self._table
        for key, _ in _steps(said):
            path = self._current((*path, key))
            self._keep(path, Statement(line=line, text=text, path=path))

    def _keep(self, path: Path, statement: Statement) -> None:
        self._statements.setdefault(path, statement)

    def _among(self, path: Path, keys: Sequence[str]) -> Path:
        for key in keys:
            path = self._current((*path, key))
        return path

    def _current(self, path: Path) -> Path:
        """The element that is being written, where the path leads to tables in a list."""
        return (*path, self._counts[path] - 1) if path in self._counts else path


def find_lines(text: str) -> Lines:
    """Where everything stands in a document that `tomllib` accepts."""
    lines = Lines()
    for line, statement in _statements(text.replace("\r\n", "\n").split("\n")):
        lines.add(line, statement)
    return lines


def _statements(rows: Sequence[str]) -> Iterator[tuple[int, str]]:
    begin = 0
    for end, row in enumerate(rows, 1):
        if end - begin > 1 and not any(sign in row for sign in _ENDS):
            continue
        text = "\n".join(rows[begin:end])
        if _is_document(text):
            yield begin + 1, text
            begin = end


def _steps(said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The keys of one statement from the outside in, each with what it holds."""
    value: Any = said
    while isinstance(value, dict) and len(value) == 1:
        [(key, value)] = value.items()
        yield key, value


def _element_lines(rows: Sequence[str], line: int) -> Iterator[int]:
    told = 0
    for end in range(1, len(rows) + 1):
        count = _length("\n".join(rows[:end]) + "\n]") if end < len(rows) else _length("\n".join(rows))
        yield from [line + end - 1] * (count - told)
        told = max(told, count)


def _length(text: str) -> int:
    """How many elements the list has, 0 for what is none."""
    if not _is_document(text):
        return 0
    *_, (_, value) = _steps(tomllib.loads(text))
    return len(value) if isinstance(value, list) else 0


def _is_document(text: str) -> bool:
    try:
        tomllib.loads(text)
    except ValueError:
        return False
    return True
