"""What Sony's retraining is sent: a table, or a ZIP of a table to train with and one to evaluate with.

The form of the ZIP is that of
https://easy-predictive-analytics.sony.com/cloud_manual/en/operating_instruction/re_train_api/re_train_data_upload.
"""

import hashlib
import io
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, TypeAlias

from bot.domain.requests import Payload, SourceFile
from bot.domain.text import code, cut, in_one_line, listed, some_of
from bot.errors import DataError
from bot.providers.sony_tables import CHUNK, DELIMITERS, LEAST_ROWS, Opens, Table, check_size, check_table
from bot.sentences import _, joined, ngettext

SUFFIXES = (".csv", ".tsv", ".zip")

TRAIN, EVALUATE = "train_src/", "eval_src/"
MOST_MEMBERS = 100
MOST_UNPACKED = 4 * 1024**3
MOST_RATIO = 200
RATIO_COUNTS_FROM = 100 * 1024**2
MOST_DIRECTORY = 1024**2
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
LEAST_TO_EVALUATE = 1
"""How many rows an evaluation needs is not documented."""


def prepare(data: SourceFile, evaluation: SourceFile | None, spool: Path) -> Payload:
    """Read the files and say what will be sent; with `evaluation`, after packing both into the spool.

    Raises DataError, with the lines, for what Sony's limits rule out.
    """
    if _suffix(data.name) == ".zip":
        return _check_zip(data, evaluation)
    table = _check_file(data, least_rows=LEAST_ROWS)
    if evaluation is None:
        return _payload(data.name, data.sha256, data.size, table)
    judged = _check_file(evaluation, least_rows=LEAST_TO_EVALUATE, part="eval")
    sha256, size = _pack({TRAIN: data, EVALUATE: evaluation}, spool)
    packed = _payload(f"{Path(data.name).stem}.zip", sha256, size, table)
    return _with_evaluation(packed, evaluation.name, judged, table)


def _payload(name: str, sha256: str, size: int, table: Table) -> Payload:
    return Payload(
        name=name,
        sha256=sha256,
        size=size,
        rows=table.rows,
        columns=len(table.header),
        facts={_("Encoding"): table.encoding, **table.facts},
        warnings=table.warnings,
        balances=table.balances,
    )


def _with_evaluation(packed: Payload, name: str, judged: Table, table: Table) -> Payload:
    """What is sent, with what is known of the data to evaluate with."""
    return replace(
        packed,
        facts={**packed.facts, _("Evaluation"): _say_tables(name, judged.rows)},
        warnings=(*packed.warnings, *_compare(name, judged, table)),
        balances=(*packed.balances, *judged.balances),
    )


def _say_tables(names: str, rows: int) -> str:
    return ngettext("{files}, {count:,} row", "{files}, {count:,} rows", rows, files=names)


def _compare(name: str, judged: Table, table: Table) -> list[str]:
    """What is odd in the data to evaluate with; that its columns have to be those to train with is our reading."""
    warnings = (*_other_columns(judged.header, table.header), *judged.warnings)
    return [joined(": ", [code(name), said]) for said in warnings]


def _other_columns(judged: Sequence[str], trained: Sequence[str]) -> Iterator[str]:
    lacking = [column for column in trained if column not in judged]
    others = [column for column in judged if column not in trained]
    if lacking:
        yield _("it lacks columns of the data to train with: {columns}.", columns=_names(lacking))
    if others:
        yield _("it has columns that the data to train with has not: {columns}.", columns=_names(others))
    if not lacking and not others and tuple(judged) != tuple(trained):
        yield _("its columns stand in another order than in the data to train with.")


def _names(names: Sequence[str]) -> str:
    return some_of([code(cut(in_one_line(name), 40)) for name in names[:3]], 3, of=len(names))


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _check_file(file: SourceFile, *, least_rows: int, part: str = "data") -> Table:
    if _suffix(file.name) not in DELIMITERS:
        raise DataError(_("{file} is no table; evaluation data is a CSV or a TSV file.", file=code(file.name)))
    return _check(lambda: file.path.open("rb"), file.name, least_rows, part)


def _check(opens: Opens, name: str, least_rows: int, part: str) -> Table:
    try:
        return check_table(opens, DELIMITERS[_suffix(name)], least_rows=least_rows, part=part)
    except DataError as error:
        raise DataError(joined(": ", [code(cut(name, 200)), str(error)]), line=error.line) from None


# -- ZIPs -------------------------------------------------------------------------------------------------------------


def _check_zip(data: SourceFile, evaluation: SourceFile | None) -> Payload:
    """A ZIP is looked at, not changed: it goes out as it is."""
    if evaluation is not None:
        sentence = _(
            "{file} brings its own evaluation data in `{folder}`; leave `eval=` away, or give a CSV.",
            file=code(data.name),
            folder=EVALUATE,
        )
        raise DataError(sentence)
    with data.path.open("rb") as file, _opened_zip(file) as archive:
        # Not is_dir(), which an entry without a name breaks.
        members = [member for member in archive.infolist() if not member.filename.endswith("/")]
        _check_members(members)
        trained, judged = _tables_in(members, TRAIN), _tables_in(members, EVALUATE)
        _check_folders(members, trained, judged)
        tables = [_member_table(archive, member, "data") for member in trained]
        judging = [_member_table(archive, member, "eval") for member in judged]
    check_size(sum(table.rows for table in tables))
    return _zip_payload(data, members, list(zip(trained, tables, strict=True)), list(zip(judged, judging, strict=True)))


_Checked: TypeAlias = Sequence[tuple[zipfile.ZipInfo, Table]]
"""Tables of a ZIP, with where they lie."""


def _member_table(archive: zipfile.ZipFile, member: zipfile.ZipInfo, part: str) -> Table:
    # The least number of rows is that of all tables of a folder together.
    return _check(partial(_open, archive, member), member.filename, 0 if part == "data" else LEAST_TO_EVALUATE, part)


def _open(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    return archive.open(member)


def _zip_payload(data: SourceFile, members: list[zipfile.ZipInfo], trained: _Checked, judged: _Checked) -> Payload:
    """The ZIP as it is; what is told of the data is that of its first table, where there are several."""
    table, (other, judge) = trained[0][1], judged[0]
    whole = _with_evaluation(_payload(data.name, data.sha256, data.size, table), _base(other), judge, table)
    evaluation = _say_tables(_bases(judged), _rows_of(judged))
    further = [*_further(trained[1:], table), *_further(judged[1:], table)]
    return replace(
        whole,
        rows=_rows_of(trained),
        facts={_("Training"): _bases(trained), **whole.facts, _("Evaluation"): evaluation},
        warnings=(*_several(trained, judged), *whole.warnings, *further, *_other_members(members, trained, judged)),
    )


def _several(trained: _Checked, judged: _Checked) -> list[str]:
    counts = ((TRAIN, len(trained)), (EVALUATE, len(judged)))
    return [
        _("{count} tables lie in {folder}, and Sony documents one.", count=count, folder=folder)
        for folder, count in counts
        if count > 1
    ]


def _further(checked: _Checked, table: Table) -> list[str]:
    """Warnings on further tables of a folder."""
    return [said for member, one in checked for said in _compare(_base(member), one, table)]


def _rows_of(checked: _Checked) -> int:
    return sum(table.rows for _member, table in checked)


def _base(member: zipfile.ZipInfo) -> str:
    return PurePosixPath(member.filename).name


def _bases(checked: _Checked) -> str:
    return some_of([_base(member) for member, _table in checked], 3)


def _tables_in(members: list[zipfile.ZipInfo], folder: str) -> list[zipfile.ZipInfo]:
    """The tables of a folder; what a packing program hides there is none."""
    found = [member for member in members if member.filename.startswith(folder)]
    return [member for member in found if _suffix(member.filename) in DELIMITERS and not _base(member).startswith(".")]


@contextmanager
def _opened_zip(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    _refuse_huge_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        # It may quote the names of entries, of up to 65,535 characters each.
        reason = cut(in_one_line(error.args[0]), 200) if error.args and isinstance(error.args[0], str) else ""
        raise DataError(_say_unreadable(reason)) from None


def _say_unreadable(reason: str) -> str:
    return _("The ZIP cannot be read ({reason}).", reason=reason) if reason else _("The ZIP cannot be read.")


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
        raise DataError(_("The file is called a ZIP, but it is none, or only a piece of one."))
    directory = int.from_bytes(ending[at + 12 : at + 16], "little")
    if directory > MOST_DIRECTORY or ending[max(0, at - 20) : at].startswith(b"PK\x06\x07"):
        sentence = _("The ZIP holds far more than a table or two; {most} files are the most.", most=MOST_MEMBERS)
        raise DataError(sentence)


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MOST_MEMBERS:
        sentence = _("The ZIP holds {files:,} files; {most} are the most.", files=len(members), most=MOST_MEMBERS)
        raise DataError(sentence)
    if any(member.flag_bits & 0x1 for member in members):
        raise DataError(_("The ZIP is encrypted, which Sony does not take."))
    if any(member.compress_type not in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED) for member in members):
        raise DataError(_("The ZIP is not compressed with deflate, the method that Sony documents."))
    unpacked = sum(member.file_size for member in members)
    packed = max(1, sum(member.compress_size for member in members))
    if unpacked > MOST_UNPACKED or (unpacked > RATIO_COUNTS_FROM and unpacked / packed > MOST_RATIO):
        raise DataError(
            _("The ZIP would unpack to {size:,} MB, far more than its size lets expect.", size=unpacked // 1024**2)
        )


def _check_folders(
    members: list[zipfile.ZipInfo], trained: list[zipfile.ZipInfo], judged: list[zipfile.ZipInfo]
) -> None:
    if trained and judged:
        return
    lacking = listed(folder for folder, found in ((TRAIN, trained), (EVALUATE, judged)) if not found)
    is_nested = any(f"/{TRAIN}" in member.filename or f"/{EVALUATE}" in member.filename for member in members)
    sentence = _(
        "The ZIP lacks {folders}. Sony reads the data from {train} and the data to evaluate with from {evaluate}; "
        "data to train with alone is sent as a CSV.",
        folders=lacking,
        train=TRAIN,
        evaluate=EVALUATE,
    )
    hint = _("They lie in a folder of their own: pack them without it.")
    raise DataError(joined(" ", [sentence, hint] if is_nested else [sentence]))


def _other_members(members: list[zipfile.ZipInfo], *checked: _Checked) -> tuple[str, ...]:
    known = {member.filename for one in checked for member, _table in one}
    others = [_base(member) for member in members if member.filename not in known]
    said = _("Sent along, though Sony documents no place for it: {files}.", files=_names(others))
    return (said,) if others else ()


def _pack(files: Mapping[str, SourceFile], spool: Path) -> tuple[str, int]:
    """Pack files into their folders; SHA-256 and size. Order, times and rights are fixed: equal files, equal bytes."""
    with tempfile.NamedTemporaryFile(dir=spool, prefix="part-", delete=False) as target, ExitStack() as undo:
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
