"""Files that are made to fill the memory or the disk: each is refused with a sentence while the process stays small."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from bot.domain.requests import SourceFile
from bot.errors import DataError
from bot.providers.sestek_rows import MOST_LABELS, count_rows
from bot.providers.sony_data import prepare
from bot.providers.sony_tables import MOST_IN_ROW, check_table

MEGABYTE = 1 << 20
HEADER = b"value,label\n"
ROWS = HEADER + b"1,yes\n2,no\n" * 100


class Endless(io.RawIOBase):
    """A file of as many megabytes as wanted, made while it is read."""

    def __init__(self, beginning: bytes, piece: bytes, megabytes: int) -> None:
        self._begin, self._piece = beginning, piece * (MEGABYTE // len(piece))
        self._left = megabytes
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the buffers that io gives
        if not self._rest and self._left:
            self._left -= 1
            self._rest, self._begin = self._begin + self._piece, b""
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def peak_of(work: Callable[[], object]) -> tuple[str, float]:
    """What was said against it, and how many megabytes it took at most."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as raised:
            work()
        return str(raised.value), tracemalloc.get_traced_memory()[1] / MEGABYTE
    finally:
        tracemalloc.stop()


TABLES = {
    "columns without end": (HEADER, b",", "Line 2 has more than"),
    "columns without end in the header": (b"a", b",b", "Line 1 has more than"),
    "a field without end": (HEADER, b"x", "Line 2 has more than"),
    "a quote without end": (HEADER + b'"', b"x\n", "is a quote not closed?"),
    "a row over lines without end": (HEADER + b'"x\n', b'","' + b"x" * 1020 + b"\n", "line 2 has more than"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_row_cannot_fill_the_memory(name: str) -> None:
    """Megabytes in one row: the reader would make a list of its fields, however many there are."""
    beginning, piece, said = TABLES[name]
    sentence, peak = peak_of(lambda: check_table(lambda: io.BufferedReader(Endless(beginning, piece, 12)), ","))
    assert said in sentence
    assert peak < 60


def test_a_long_row_is_still_a_row() -> None:
    """The border is far above what 999 columns of words need."""
    wide = b",".join([b"x" * 4000] * 999) + b"\n"
    assert len(wide) < MOST_IN_ROW
    assert check_table(lambda: io.BytesIO(wide * 2), ",", least_rows=1).rows == 1


def lines_of_labels() -> Iterator[bytes]:
    yield from (b'{"Label":"%d","Text":"x"}\n' % number for number in range(MOST_LABELS + 10))


def test_labels_cannot_fill_the_memory(tmp_path: Path) -> None:
    """They are all kept until the end of the file, so their number has a limit."""
    path = tmp_path / "many.jsonl"
    path.write_bytes(b"".join(lines_of_labels()))
    with pytest.raises(DataError, match=r"more than 100,000 labels.*mixed up") as raised:
        count_rows(path)
    assert raised.value.line == MOST_LABELS + 1


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return packed.getvalue()


def taken(spool: Path, content: bytes) -> bool:
    """Was the ZIP taken as it is? It was refused with a sentence otherwise."""
    digest = sha256(content).hexdigest()
    (spool / digest).write_bytes(content)
    data = SourceFile(role="data", name="churn.zip", path=spool / digest, size=len(content), sha256=digest)
    try:
        return prepare(data, None, spool).sha256 == digest
    except DataError:
        return False


INNER = zipped({"train_src/a.csv": bytes(8 * MEGABYTE)})
ZIPS = {
    "tables": (True, {"train_src/a.csv": ROWS, "eval_src/b.csv": ROWS}),
    "a ZIP in a ZIP": (False, {"train_src/a.csv": INNER, "eval_src/b.csv": ROWS}),
    "a ZIP that is called a ZIP": (False, {"train_src/a.zip": INNER, "eval_src/b.csv": ROWS}),
    "a row without end": (False, {"train_src/a.csv": HEADER + b"," * (16 * MEGABYTE), "eval_src/b.csv": ROWS}),
    "folders without end": (False, {"a/" * 20_000 + "train_src/a.csv": ROWS, "eval_src/b.csv": ROWS}),
    "names that lead out": (False, {"../train_src/a.csv": ROWS, "/eval_src/b.csv": ROWS}),
    "thousands of members": (False, {f"train_src/{number}.csv": b"" for number in range(3000)}),
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_zip_is_never_unpacked_to_disk_and_not_twice(name: str, tmp_path: Path) -> None:
    """Members are read in pieces and sent as they are; a ZIP in them is not opened, and no name of theirs is a path."""
    is_taken, members = ZIPS[name]
    content, outside = zipped(members), set(tmp_path.parent.iterdir())
    tracemalloc.start()
    try:
        assert taken(tmp_path, content) is is_taken
        assert tracemalloc.get_traced_memory()[1] < 8 * MEGABYTE
    finally:
        tracemalloc.stop()
    assert len(list(tmp_path.iterdir())) == 1
    assert set(tmp_path.parent.iterdir()) == outside
