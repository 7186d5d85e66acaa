"""The files that Sony's retraining takes: a table, or a ZIP of a table to train with and one to evaluate with.

Facts are from the manual of Prediction One (https://predictionone.sony.biz/cloud_manual/), `tips/specification` for
form and size, `trouble/createmodel/data_encoding` for encodings, and for the ZIP from
https://easy-predictive-analytics.sony.com/cloud_manual/en/operating_instruction/re_train_api/re_train_data_upload.
"""

import codecs
import csv
import hashlib
import io
import os
import shutil
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, NoReturn, TextIO

from bot.domain.requests import Payload, SourceFile
from bot.domain.text import cut, in_one_line
from bot.errors import DataError

SUFFIXES = (".csv", ".tsv", ".zip")
DELIMITERS: Mapping[str, str] = {".csv": ",", ".tsv": "\t"}

# tips/specification; another page says 200 columns, and time series have limits of their own (from 20 rows on).
LEAST_ROWS, MOST_ROWS = 100, 1_000_000
LEAST_COLUMNS, MOST_COLUMNS = 2, 999
SNIFFED_BYTES = 1000

TRAIN, EVALUATE = "train_src/", "eval_src/"
MOST_IN_ROW = 4 * 1024**2  # characters; ours, so that no row fills the memory
MOST_MEMBERS = 100
MOST_UNPACKED = 4 * 1024**3
MOST_RATIO = 200
RATIO_COUNTS_FROM = 100 * 1024**2
MOST_DIRECTORY = 1024**2
ZIP_TIME = (1980, 1, 1, 0, 0, 0)

MOST_VALUES, MOST_SHOWN = 5, 2
"""A column of so many values at most has a balance; so many of them are shown."""
BALANCED_FROM, MOST_BALANCED = 1000, 4
"""From so many rows on, only so many columns are counted, so that wide tables are read as fast as others."""

CHUNK = 1024 * 1024
ADVICE = "Save it as UTF-8 with BOM or as Shift_JIS."


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a table is: `rows` without the header, its column names, its encoding as people call it."""

    rows: int
    header: tuple[str, ...]
    encoding: str
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


Opens = Callable[[], IO[bytes]]
"""Opens the file from its beginning, as often as it is called."""


def prepare(data: SourceFile, evaluation: SourceFile | None, spool: Path) -> Payload:
    """Read the files and say what will be sent; with `evaluation`, after packing both into the spool.

    Raises DataError, with the line, for what Sony's limits rule out.
    """
    if _suffix(data.name) == ".zip":
        return _check_zip(data, evaluation)
    table = _check_file(data, least_rows=LEAST_ROWS)
    if evaluation is None:
        return _payload(data.name, data.sha256, data.size, table)
    # How many rows an evaluation needs is not documented.
    judged = _check_file(evaluation, least_rows=1)
    sha256, size = _pack({TRAIN: data, EVALUATE: evaluation}, spool)
    packed = _payload(f"{Path(data.name).stem}.zip", sha256, size, table)
    facts = {**packed.facts, "Evaluation": f"{evaluation.name}, {judged.rows:,} rows"}
    return replace(packed, facts=facts, warnings=(*packed.warnings, *_compare(evaluation.name, judged, table)))


def _payload(name: str, sha256: str, size: int, table: Table) -> Payload:
    return Payload(
        name=name,
        sha256=sha256,
        size=size,
        rows=table.rows,
        columns=len(table.header),
        facts={"Encoding": table.encoding, **table.facts},
        warnings=table.warnings,
    )


def _compare(name: str, judged: Table, table: Table) -> list[str]:
    differs = judged.header != table.header
    others = [f"The columns of `{name}` are not those of the data to train with."] if differs else []
    return [*(f"`{name}`: {warning}" for warning in judged.warnings), *others]


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


# -- tables -----------------------------------------------------------------------------------------------------------


def _check_file(file: SourceFile, *, least_rows: int) -> Table:
    delimiter = DELIMITERS.get(_suffix(file.name))
    if delimiter is None:
        raise DataError(f"`{file.name}` is no table; evaluation data is a CSV or a TSV file.")
    try:
        return check_table(lambda: file.path.open("rb"), delimiter, least_rows=least_rows)
    except DataError as error:
        raise DataError(f"`{file.name}`: {error}", line=error.line) from None


def check_table(opens: Opens, delimiter: str, *, least_rows: int = LEAST_ROWS) -> Table:
    """Read a whole table, in pieces. DataError, with the line, where Sony could not read it as one."""
    encoding = find_encoding(opens)
    with opens() as binary, io.TextIOWrapper(binary, encoding=encoding.codec, newline="") as text:
        tally = _count(text, delimiter)
    _check_size(tally, least_rows)
    return Table(
        rows=tally.rows,
        header=tally.header,
        encoding=encoding.name,
        warnings=(*encoding.warnings, *_header_warnings(tally.header), *_other_warnings(tally, delimiter)),
        facts=tally.facts(),
    )


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What is counted while a table is read.

    Sony is not told which column is to be predicted, so the balance is that of columns with few values: the last of
    them, where there are many.
    """

    header: tuple[str, ...]
    rows: int = 0
    blanks: int = 0
    empty: int = 0
    values: dict[int, Counter[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.values = {column: Counter() for column in range(len(self.header))}

    def add(self, row: list[str]) -> None:
        self.rows += 1
        self.empty += row.count("")
        for column, counted in list(self.values.items()):
            counted[row[column]] += 1
            if len(counted) > MOST_VALUES:
                del self.values[column]
        if self.rows == BALANCED_FROM:
            self.values = dict(list(self.values.items())[-MOST_BALANCED:])

    def facts(self) -> dict[str, str]:
        """The lines for the card: columns, empty cells, and the balance of columns with few values."""
        cells = self.rows * len(self.header)
        empty = {"Empty cells": f"{100 * self.empty / cells:.2g} %"} if self.empty and cells else {}
        few = [(column, counted) for column, counted in self.values.items() if len(counted) > 1]
        named = {f"Balance of {self._name(column)}": _balance(counted) for column, counted in few[-MOST_SHOWN:]}
        return {**empty, **named}

    def _name(self, column: int) -> str:
        return cut(in_one_line(self.header[column]), 40) or f"column {column + 1}"


def _balance(counted: Counter[str]) -> str:
    """Each value with its rows, in the order of the values, so that then and now compare."""
    return ", ".join(f"{cut(in_one_line(value), 30) or 'empty'} {count:,}" for value, count in sorted(counted.items()))


def _count(text: TextIO, delimiter: str) -> _Tally:
    rows = _numbered(text, delimiter)
    tally = _Tally(header=_header(rows, delimiter))
    for line, row in rows:
        if not row:
            tally.blanks += 1
        elif len(row) != len(tally.header):
            said = f"{len(row):,} columns where the first row has {len(tally.header):,}"
            raise DataError(f"Line {line:,} has {said}.", line=line)
        else:
            tally.add(row)
            if tally.rows > MOST_ROWS:
                raise DataError(f"There are more than {MOST_ROWS:,} rows, the most that Sony takes.", line=line)
    return tally


def _numbered(text: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line on which it begins; a quoted field may go over several."""
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        line = reader.line_num + 1
        lines.in_row = 0
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except _EndlessRowError:
            said = f"The row that begins on line {line:,} has more than {MOST_IN_ROW:,} characters"
            raise DataError(f"{said}: it is no row of a table.", line=line) from None
        except csv.Error:
            # The reader's only limits: 131,072 characters in a field, which a quote that is never closed exceeds.
            raise DataError(
                f"The row that begins on line {line:,} cannot be read: is a quote not closed?", line=line
            ) from None


class _EndlessRowError(Exception):
    """A row that would fill the memory: the reader makes a list of its fields, however many there are."""


class _Lines:
    """The lines of a text, of which the first that would make a row too long is not even read to its end."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.in_row = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MOST_IN_ROW + 1)
        if not line:
            raise StopIteration
        self.in_row += len(line)
        if self.in_row > MOST_IN_ROW:
            raise _EndlessRowError
        return line


def _header(rows: Iterator[tuple[int, list[str]]], delimiter: str) -> tuple[str, ...]:
    _, header = next(rows, (1, None))
    if header is None:
        raise DataError("The file is empty: its first row holds the names of the columns.")
    if not header:
        raise DataError("Line 1 is empty: the first row holds the names of the columns.", line=1)
    if len(header) < LEAST_COLUMNS:
        raise DataError(
            f"There is a single column, and Sony needs {LEAST_COLUMNS}.{_hint(header[0], delimiter)}", line=1
        )
    if len(header) > MOST_COLUMNS:
        raise DataError(f"There are {len(header):,} columns; Sony takes {MOST_COLUMNS} at most.", line=1)
    return tuple(header)


def _hint(header: str, delimiter: str) -> str:
    found = next((sign for sign in (";", "\t", ",", "|") if sign in header and sign != delimiter), "")
    names = {";": "semicolons", "\t": "tabs (then it is a .tsv)", ",": "commas (then it is a .csv)", "|": "bars"}
    return f" Are they set apart by {names[found]}?" if found else ""


def _check_size(tally: _Tally, least_rows: int) -> None:
    if tally.rows < least_rows:
        raise DataError(f"There are {tally.rows:,} rows below the header; Sony needs {least_rows:,} or more.")


def _header_warnings(header: tuple[str, ...]) -> list[str]:
    repeated = [f"`{name}`" for name, count in Counter(header).items() if count > 1 and name.strip()]
    nameless = sum(not name.strip() for name in header)
    return [
        *([f"Column names that come twice: {', '.join(repeated[:5])}."] if repeated else []),
        *([f"Columns without a name: {nameless}."] if nameless else []),
    ]


def _other_warnings(tally: _Tally, delimiter: str) -> list[str]:
    return [
        *([f"Blank lines: {tally.blanks:,}."] if tally.blanks else []),
        *(["Sony documents TSV for data in general, but not for this call."] if delimiter == "\t" else []),
    ]


# -- encodings --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """`codec` is Python's name, `name` the one for people."""

    codec: str
    name: str
    warnings: tuple[str, ...] = ()


ASCII = Encoding(codec="ascii", name="ASCII")
WITH_BOM = Encoding(codec="utf-8-sig", name="UTF-8 with BOM")
WITHOUT_BOM = Encoding(
    codec="utf-8",
    name="UTF-8",
    warnings=("It is UTF-8 without BOM; Sony documents UTF-8 with BOM and Shift_JIS, so letters may be misread.",),
)
SHIFT_JIS = Encoding(codec="cp932", name="Shift_JIS")
LATE_SHIFT_JIS = Encoding(
    codec="cp932",
    name="Shift_JIS",
    warnings=(f"Sony reads the encoding off the first {SNIFFED_BYTES:,} bytes, and there is no Japanese among them.",),
)


@dataclass(slots=True, kw_only=True)
class _Trial:
    """Decodes as far as it goes; `failed_at` is the line where it could not."""

    codec: str
    failed_at: int | None = None
    _decoder: codecs.IncrementalDecoder = field(init=False)

    def __post_init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder(self.codec)()

    def feed(self, chunk: bytes, line: int) -> None:
        """`line` is the one on which `chunk` begins; an empty chunk is the end."""
        if self.failed_at is not None:
            return
        try:
            self._decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            self.failed_at = line + chunk[: error.start].count(b"\n")


def find_encoding(opens: Opens) -> Encoding:
    """The encoding of a whole file. DataError where it is none that Sony reads."""
    with opens() as file:
        beginning = file.read(SNIFFED_BYTES)
    _refuse_other_files(beginning)
    utf8, japanese = _Trial(codec="utf-8"), _Trial(codec="cp932")
    is_ascii = _feed(opens, (utf8, japanese))
    if beginning.startswith(codecs.BOM_UTF8):
        return WITH_BOM if utf8.failed_at is None else _refuse_bytes(utf8.failed_at, "UTF-8, though it begins as such")
    if is_ascii:
        return ASCII
    if utf8.failed_at is None:
        return WITHOUT_BOM
    if japanese.failed_at is None:
        return LATE_SHIFT_JIS if beginning.isascii() else SHIFT_JIS
    return _refuse_bytes(max(utf8.failed_at, japanese.failed_at), "UTF-8 or Shift_JIS")


def _feed(opens: Opens, trials: Iterable[_Trial]) -> bool:
    """Feed a whole file to the trials; whether it is ASCII."""
    line, is_ascii = 1, True
    with opens() as file:
        while chunk := file.read(CHUNK):
            if b"\0" in chunk:
                at = line + chunk[: chunk.index(b"\0")].count(b"\n")
                raise DataError(f"Line {at:,} holds a zero byte: it is no text, or UTF-16. {ADVICE}", line=at)
            is_ascii = is_ascii and chunk.isascii()
            for trial in trials:
                trial.feed(chunk, line)
            line += chunk.count(b"\n")
    for trial in trials:
        trial.feed(b"", line)
    return is_ascii


def _refuse_other_files(beginning: bytes) -> None:
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"The file is UTF-16. {ADVICE}")
    if beginning.startswith(b"PK\x03\x04"):
        raise DataError("The file is a ZIP or an Excel workbook, whatever it is called. Save the table as CSV.")


def _refuse_bytes(line: int, what: str) -> NoReturn:
    raise DataError(f"Line {line:,} is not {what}. {ADVICE}", line=line)


# -- ZIPs -------------------------------------------------------------------------------------------------------------


def _check_zip(data: SourceFile, evaluation: SourceFile | None) -> Payload:
    """A ZIP is looked at, not changed: it goes out as it is."""
    if evaluation is not None:
        raise DataError(
            f"`{data.name}` brings its own evaluation data in `{EVALUATE}`; leave `eval=` away, or give a CSV."
        )
    with data.path.open("rb") as file, _opened_zip(file) as archive:
        # Not is_dir(), which an entry without a name breaks.
        members = [member for member in archive.infolist() if not member.filename.endswith("/")]
        _check_members(members)
        trained = [member for member in members if member.filename.startswith(TRAIN)]
        judged = [member for member in members if member.filename.startswith(EVALUATE)]
        _check_folders(members, trained, judged)
        rows = sum(_rows_of(archive, member) for member in trained)
    return Payload(
        name=data.name,
        sha256=data.sha256,
        size=data.size,
        rows=rows,
        facts={"Training": _names(trained), "Evaluation": _names(judged)},
        warnings=_other_members(members),
    )


@contextmanager
def _opened_zip(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    _refuse_huge_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        # It may quote the names of entries, of up to 65,535 characters each.
        reason = f" ({cut(in_one_line(error.args[0]), 200)})" if error.args and isinstance(error.args[0], str) else ""
        raise DataError(f"The ZIP cannot be read{reason}.") from None


def _refuse_huge_directory(file: BinaryIO) -> None:
    """Reading a ZIP's directory takes memory for each of its entries, so its size is looked at first.

    It stands in the record at the end, which may be followed by a comment of up to 65,535 bytes. ZIP64, where the
    sizes stand elsewhere, is for archives far over our limits.
    """
    file.seek(0, io.SEEK_END)
    file.seek(max(0, file.tell() - (22 + 65_535 + 20)))
    ending = file.read()
    file.seek(0)
    at = ending.rfind(b"PK\x05\x06")
    if at < 0 or len(ending) < at + 22:
        raise DataError("The file is called a ZIP, but it is none, or only a piece of one.")
    directory = int.from_bytes(ending[at + 12 : at + 16], "little")
    if directory > MOST_DIRECTORY or ending[max(0, at - 20) : at].startswith(b"PK\x06\x07"):
        raise DataError(f"The ZIP holds far more than a table or two; {MOST_MEMBERS} files are the most.")


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MOST_MEMBERS:
        raise DataError(f"The ZIP holds {len(members):,} files; {MOST_MEMBERS} are the most.")
    if any(member.flag_bits & 0x1 for member in members):
        raise DataError("The ZIP is encrypted, which Sony does not take.")
    if any(member.compress_type not in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED) for member in members):
        raise DataError("The ZIP is not compressed with deflate, the method that Sony documents.")
    unpacked = sum(member.file_size for member in members)
    packed = max(1, sum(member.compress_size for member in members))
    if unpacked > MOST_UNPACKED or (unpacked > RATIO_COUNTS_FROM and unpacked / packed > MOST_RATIO):
        raise DataError(f"The ZIP would unpack to {unpacked // 1024**2:,} MB, far more than its size lets expect.")


def _check_folders(
    members: list[zipfile.ZipInfo], trained: list[zipfile.ZipInfo], judged: list[zipfile.ZipInfo]
) -> None:
    if trained and judged:
        return
    lacking = " and ".join(folder for folder, found in ((TRAIN, trained), (EVALUATE, judged)) if not found)
    is_nested = any(f"/{TRAIN}" in member.filename or f"/{EVALUATE}" in member.filename for member in members)
    hint = " They lie in a folder of their own: pack them without it." if is_nested else ""
    raise DataError(
        f"The ZIP lacks {lacking}. Sony reads the data from {TRAIN} and the data to evaluate with from {EVALUATE}; "
        f"data to train with alone is sent as a CSV.{hint}"
    )


def _rows_of(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """The rows of a member, counted by its lines; its declared size was checked before."""
    lines, ends_open = 0, False
    with archive.open(member) as file:
        while chunk := file.read(CHUNK):
            lines += chunk.count(b"\n")
            ends_open = not chunk.endswith(b"\n")
    return max(0, lines + ends_open - 1)


def _names(members: list[zipfile.ZipInfo]) -> str:
    names = [PurePosixPath(member.filename).name for member in members]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _other_members(members: list[zipfile.ZipInfo]) -> tuple[str, ...]:
    others = [member for member in members if not member.filename.startswith((TRAIN, EVALUATE))]
    return (f"Sent along, though Sony documents no place for it: {_names(others)}.",) if others else ()


def _pack(files: Mapping[str, SourceFile], spool: Path) -> tuple[str, int]:
    """Pack files into their folders; SHA-256 and size. Order, times and rights are fixed: equal files, equal bytes."""
    with tempfile.NamedTemporaryFile(dir=spool, delete=False) as target, ExitStack() as undo:
        path = Path(target.name)
        undo.callback(path.unlink, missing_ok=True)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for folder, file in files.items():
                _add(archive, folder + PurePosixPath(file.name).name, file)
        target.flush()
        os.fsync(target.fileno())
        sha256, size = _digest(path), path.stat().st_size
        path.replace(spool / sha256)
    return sha256, size


def _add(archive: zipfile.ZipFile, name: str, file: SourceFile) -> None:
    member = zipfile.ZipInfo(name, ZIP_TIME)
    member.compress_type, member.create_system, member.external_attr = zipfile.ZIP_DEFLATED, 3, 0o600 << 16
    member.file_size = file.size
    with file.path.open("rb") as source, archive.open(member, "w") as target:
        shutil.copyfileobj(source, target, CHUNK)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
