"""The tables that Sony's retraining takes: read in pieces, checked, and counted.

Facts are from the manual of Prediction One (https://predictionone.sony.biz/cloud_manual/), `tips/specification` for
form and size, `trouble/createmodel/data_encoding` for encodings.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import IO, TextIO

from bot.domain.balances import Balance, as_code, weigh
from bot.domain.text import code, cut, in_one_line, some_of
from bot.errors import DataError
from bot.providers.findings import Fault, Faults, Lines, Repeats, say_repeated
from bot.sentences import _, joined, ngettext

DELIMITERS: Mapping[str, str] = {".csv": ",", ".tsv": "\t"}

# tips/specification; another page says 200 columns, and time series have limits of their own (from 20 rows on).
LEAST_ROWS, MOST_ROWS = 100, 1_000_000
LEAST_COLUMNS, MOST_COLUMNS = 2, 999
SNIFFED_BYTES = 1000

MOST_IN_ROW = 4 * 1024**2
"""Characters of a row, and bytes of a line; ours, so that neither fills the memory."""

MOST_NUMBERS, MOST_VALUES, MOST_SHOWN = 5, 50, 2
"""So many different numbers or texts a column has at most to have a balance; so many columns with one are shown."""
ROWS_A_VALUE = 5
BALANCED_FROM, MOST_BALANCED = 1000, 4
"""From so many rows on, only so many columns are counted, so that wide tables are read as fast as others."""
ENOUGH = 5

MOST_LISTED = 5

OTHER_SIGNS: Mapping[str, str] = {
    ";": _("Are they set apart by semicolons?"),
    "\t": _("Are they set apart by tabs (then it is a .tsv)?"),
    ",": _("Are they set apart by commas (then it is a .csv)?"),
    "|": _("Are they set apart by bars?"),
}

CHUNK = 1024 * 1024
PIECE = 256 * 1024
ADVICE = _("Save it as UTF-8 with BOM or as Shift_JIS.")

Opens = Callable[[], IO[bytes]]
"""Opens the file from its beginning, as often as it is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a table is: `rows` without the header, its column names, its encoding as people call it."""

    rows: int
    header: tuple[str, ...]
    encoding: str
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    balances: tuple[Balance, ...] = ()


def check_table(opens: Opens, delimiter: str, *, least_rows: int = LEAST_ROWS, part: str = "data") -> Table:
    """Read a whole table, in pieces. DataError, with the lines, where Sony could not read it as one."""
    encoding = find_encoding(opens)
    with opens() as binary, io.TextIOWrapper(binary, encoding=encoding.codec, newline="") as text:
        tally = _count(text, delimiter)
    check_size(tally.rows, least_rows)
    return Table(
        rows=tally.rows,
        header=tally.header,
        encoding=encoding.name,
        warnings=(*encoding.warnings, *_header_warnings(tally.header), *tally.warnings(), *_of_form(delimiter)),
        facts=tally.facts(),
        balances=tally.balances(part),
    )


def check_size(rows: int, least_rows: int = LEAST_ROWS) -> None:
    """Refuse what has too few or too many rows."""
    if rows < least_rows:
        raise DataError(_say_too_few(rows, least_rows))
    if rows > MOST_ROWS:
        raise DataError(_("There are {rows:,} rows; Sony takes {most:,} at most.", rows=rows, most=MOST_ROWS))


def _say_too_few(rows: int, least: int) -> str:
    return ngettext(
        "There is {count:,} row below the header; Sony needs {least:,} or more.",
        "There are {count:,} rows below the header; Sony needs {least:,} or more.",
        rows,
        least=least,
    )


# -- counting ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What is counted while a table is read.

    Sony is not told which column is to be predicted, so the balance is that of columns with few values: the last of
    them, where there are many.
    """

    header: tuple[str, ...]
    rows: int = 0
    empty: int = 0
    blanks: Lines = field(default_factory=Lines)
    bare: Lines = field(default_factory=Lines)
    values: dict[int, Counter[str]] = field(init=False)
    hollow: list[int] = field(init=False)
    batch: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    _repeats: Repeats = field(default_factory=Repeats)

    def __post_init__(self) -> None:
        self.values = {column: Counter() for column in range(len(self.header))}
        self.hollow = list(self.values)

    def settle(self) -> None:
        """Count the rows of `batch`, which begin on `lines`: column by column, which is much faster."""
        self.rows += len(self.batch)
        if self.rows > MOST_ROWS:
            said = _("There are more than {most:,} rows, the most that Sony takes.", most=MOST_ROWS)
            raise DataError(said, line=self.lines[MOST_ROWS - self.rows - 1])
        if self.batch:
            self._count_rows()
            self._count_cells(list(zip(*self.batch, strict=True)))
        self.batch, self.lines = [], []

    def _count_rows(self) -> None:
        for line in [line for line, row in zip(self.lines, self.batch, strict=True) if not any(row)]:
            self.bare.add(line)
        self._repeats.add_all(map(hash, map(tuple, self.batch)), self.lines)

    def _count_cells(self, columns: list[tuple[str, ...]]) -> None:
        self.empty += sum(column.count("") for column in columns)
        self.hollow = [column for column in self.hollow if not any(columns[column])]
        for column, counted in list(self.values.items()):
            counted.update(columns[column])
            if not _is_few(counted):
                del self.values[column]
        if self.rows >= BALANCED_FROM:
            self.values = dict(list(self.values.items())[-MOST_BALANCED:])

    def facts(self) -> dict[str, str]:
        """The lines for the card."""
        cells = self.rows * len(self.header)
        return {_("Empty cells"): f"{100 * self.empty / cells:.2g} %"} if self.empty and cells else {}

    def balances(self, part: str) -> tuple[Balance, ...]:
        """Those of the last columns with few values."""
        return tuple(weigh(self._name(column), counted, part=part) for column, counted in self._shown())

    def _shown(self) -> list[tuple[int, Counter[str]]]:
        most = max(MOST_NUMBERS, self.rows // ROWS_A_VALUE)
        return [(column, counted) for column, counted in self.values.items() if 1 < len(counted) <= most][-MOST_SHOWN:]

    def warnings(self) -> list[str]:
        hollow = [self._code(column) for column in self.hollow] if self.rows else []
        columns = _("Columns without any value: {columns}.", columns=some_of(hollow, MOST_LISTED))
        blanks = _("Blank lines: {count:,}, {lines}.", count=self.blanks.count, lines=str(self.blanks))
        bare = _("Rows without any value: {rows:,}, on {lines}.", rows=self.bare.count, lines=str(self.bare))
        return [
            *(
                said
                for said, found in ((columns, hollow), (blanks, self.blanks.count), (bare, self.bare.count))
                if found
            ),
            *say_repeated(self._repeats.find()),
            *(said for column, counted in self._shown() for said in self._rare(column, counted)),
        ]

    def _rare(self, column: int, counted: Counter[str]) -> Iterator[str]:
        rare = sorted((rows, value) for value, rows in counted.items() if rows < ENOUGH and value.strip())
        if rare:
            told = [joined(" ", [as_code(in_one_line(value)), str(rows)]) for rows, value in rare[:MOST_LISTED]]
            values = some_of(told, MOST_LISTED, of=len(rare))
            yield _(
                "Values of {column} in fewer than {enough} rows: {values}.",
                column=self._code(column),
                enough=ENOUGH,
                values=values,
            )

    def _code(self, column: int) -> str:
        return (
            code(self._name(column)) if in_one_line(self.header[column]) else _("`column {number}`", number=column + 1)
        )

    def _name(self, column: int) -> str:
        return cut(in_one_line(self.header[column]), 40) or f"column {column + 1}"


def _is_few(counted: Counter[str]) -> bool:
    return len(counted) <= MOST_NUMBERS or (len(counted) <= MOST_VALUES and not all(map(_is_number, counted)))


def _is_number(value: str) -> bool:
    try:
        float(value or 0)
    except ValueError:
        return False
    return True


def _count(text: TextIO, delimiter: str) -> _Tally:
    lines = _Lines(text)
    rows = _numbered(lines, delimiter)
    tally, faults = _Tally(header=_header(rows, delimiter)), Faults()
    try:
        _add_all(tally, faults, rows, lines)
    except DataError as last:
        faults.add(Fault("unreadable", partial(str, last)), last.line or 1)
    faults.refuse_any()
    return tally


def _add_all(tally: _Tally, faults: Faults, rows: Iterator[tuple[int, list[str]]], lines: "_Lines") -> None:
    width, settled = len(tally.header), lines.pieces
    for line, row in rows:
        if len(row) == width:
            tally.batch.append(row)
            tally.lines.append(line)
        elif row:
            faults.add(Fault("width", partial(_say_width, line, len(row), width)), line)
        else:
            tally.blanks.add(line)
        if lines.pieces != settled:
            settled = lines.pieces
            tally.settle()
    tally.settle()


def _say_width(line: int, columns: int, width: int) -> str:
    return ngettext(
        "Line {line:,} has {count:,} column where the first row has {width:,}.",
        "Line {line:,} has {count:,} columns where the first row has {width:,}.",
        columns,
        line=line,
        width=width,
    )


# -- reading ----------------------------------------------------------------------------------------------------------


def _numbered(lines: "_Lines", delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line on which it begins; a quoted field may go over several."""
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        line = reader.line_num + 1
        lines.in_row = 0
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except _EndlessRowError:
            said = _(
                "The row that begins on line {line:,} has more than {most:,} characters: it is no row of a table.",
                line=line,
                most=MOST_IN_ROW,
            )
            raise DataError(said, line=line) from None
        except csv.Error:
            # The reader's only limits: 131,072 characters in a field, which a quote that is never closed exceeds.
            said = _("The row that begins on line {line:,} cannot be read: is a quote not closed?", line=line)
            raise DataError(said, line=line) from None


class _EndlessRowError(Exception):
    """A row that would fill the memory: the reader makes a list of its fields, however many there are."""


class _Lines:
    """The lines of a text, read in `pieces` of many. `in_row` are the characters of those that a row took so far."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.in_row = 0
        self.pieces = 0

    def __iter__(self) -> Iterator[str]:
        # No line is endless: `find_encoding` has seen them all.
        while lines := self._text.readlines(PIECE):
            if self.in_row > MOST_IN_ROW:
                raise _EndlessRowError
            self.in_row += sum(map(len, lines))
            self.pieces += 1
            yield from lines


def _header(rows: Iterator[tuple[int, list[str]]], delimiter: str) -> tuple[str, ...]:
    _line, header = next(rows, (1, None))
    if header is None:
        raise DataError(_("The file is empty: its first row holds the names of the columns."))
    if not header:
        raise DataError(_("Line 1 is empty: the first row holds the names of the columns."), line=1)
    if len(header) < LEAST_COLUMNS:
        single = _("There is a single column, and Sony needs {least}.", least=LEAST_COLUMNS)
        raise DataError(joined(" ", [single, *_hint(header[0], delimiter)]), line=1)
    if len(header) > MOST_COLUMNS:
        said = _("There are {columns:,} columns; Sony takes {most} at most.", columns=len(header), most=MOST_COLUMNS)
        raise DataError(said, line=1)
    return tuple(header)


def _hint(header: str, delimiter: str) -> Iterator[str]:
    """Which other sign may set the columns apart."""
    return islice((said for sign, said in OTHER_SIGNS.items() if sign in header and sign != delimiter), 1)


def _header_warnings(header: tuple[str, ...]) -> list[str]:
    repeated = [code(cut(name, 40)) for name, count in Counter(header).items() if count > 1 and name.strip()]
    nameless = sum(not name.strip() for name in header)
    return [
        *([_("Column names that come twice: {columns}.", columns=some_of(repeated, MOST_LISTED))] if repeated else []),
        *([_("Columns without a name: {count}.", count=nameless)] if nameless else []),
    ]


def _of_form(delimiter: str) -> list[str]:
    return [_("Sony documents TSV for data in general, but not for this call.")] if delimiter == "\t" else []


# -- encodings --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """`codec` is Python's name, `name` the one for people."""

    codec: str
    name: str
    warnings: tuple[str, ...] = ()


ASCII = Encoding(codec="ascii", name="ASCII")
WITH_BOM = Encoding(codec="utf-8-sig", name=_("UTF-8 with BOM"))
SHIFT_JIS = Encoding(codec="cp932", name="Shift_JIS")
LATE_SHIFT_JIS = Encoding(
    codec="cp932",
    name="Shift_JIS",
    warnings=(
        _(
            "Sony reads the encoding off the first {count:,} bytes, and there is no Japanese among them.",
            count=SNIFFED_BYTES,
        ),
    ),
)


def _without_bom(line: int) -> Encoding:
    warning = _(
        "It is UTF-8 without BOM, with letters outside ASCII from line {line:,} on; Sony documents UTF-8 with BOM and "
        "Shift_JIS, so letters may be misread.",
        line=line,
    )
    return Encoding(codec="utf-8", name="UTF-8", warnings=(warning,))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """A whole file read as one codec: the lines where that failed, and where the first letter outside ASCII is."""

    failed_at: int | None
    foreign_at: int | None


def find_encoding(opens: Opens) -> Encoding:
    """The encoding of a whole file. DataError where it is none that Sony reads."""
    with opens() as file:
        beginning = file.read(SNIFFED_BYTES)
    _refuse_other_files(beginning)
    utf8 = _try(opens, "utf-8")
    if beginning.startswith(codecs.BOM_UTF8):
        if utf8.failed_at is None:
            return WITH_BOM
        sentence = _("Line {line:,} is not UTF-8, though it begins as such.", line=utf8.failed_at)
        raise _advise(sentence, utf8.failed_at)
    if utf8.failed_at is None:
        return ASCII if utf8.foreign_at is None else _without_bom(utf8.foreign_at)
    japanese = _try(opens, "cp932")
    if japanese.failed_at is None:
        return LATE_SHIFT_JIS if beginning.isascii() else SHIFT_JIS
    line = max(utf8.failed_at, japanese.failed_at)
    raise _advise(_("Line {line:,} is not UTF-8 or Shift_JIS.", line=line), line)


def _try(opens: Opens, codec: str) -> _Trial:
    """Decode a whole file, or as far as it goes. DataError where it is no text, or has a line without end."""
    line, unended, decoder = 1, 0, codecs.getincrementaldecoder(codec)()
    failed_at: int | None = None
    foreign_at: int | None = None
    with opens() as file:
        while chunk := file.read(CHUNK):
            _refuse_zeros(chunk, line)
            if foreign_at is None and not chunk.isascii():
                foreign_at = line + _before_foreign(chunk).count(b"\n")
            if failed_at is None and foreign_at is not None:
                failed_at = _fault(decoder, chunk, line)
            line += chunk.count(b"\n")
            unended = _unended(chunk, unended, line)
    return _Trial(failed_at=failed_at or _fault(decoder, b"", line), foreign_at=foreign_at)


def _unended(chunk: bytes, before: int, line: int) -> int:
    """How many bytes the last line has so far, of which there were some before this chunk."""
    end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
    unended = len(chunk) - end - 1 if end >= 0 else before + len(chunk)
    if unended > MOST_IN_ROW:
        said = _("Line {line:,} has more than {most:,} bytes: it is no row of a table.", line=line, most=MOST_IN_ROW)
        raise DataError(said, line=line)
    return unended


def _before_foreign(chunk: bytes) -> bytes:
    return re.split(rb"[\x80-\xff]", chunk, maxsplit=1)[0]


def _fault(decoder: codecs.IncrementalDecoder, chunk: bytes, line: int) -> int | None:
    """The line on which decoding fails; `line` is the one on which `chunk` begins, an empty one is the end."""
    try:
        decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as error:
        return line + chunk[: error.start].count(b"\n")
    return None


def _refuse_zeros(chunk: bytes, line: int) -> None:
    if b"\0" in chunk:
        at = line + chunk[: chunk.index(b"\0")].count(b"\n")
        raise _advise(_("Line {line:,} holds a zero byte: it is no text, or UTF-16.", line=at), at)


def _refuse_other_files(beginning: bytes) -> None:
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _advise(_("The file is UTF-16."))
    if beginning.startswith(b"PK\x03\x04"):
        raise DataError(_("The file is a ZIP or an Excel workbook, whatever it is called. Save the table as CSV."))


def _advise(sentence: str, line: int | None = None) -> DataError:
    return DataError(joined(" ", [sentence, ADVICE]), line=line)
