"""Files for Sony's retraining: what goes through, what is refused with its line, what is only warned of."""

import hashlib
import io
import time
import zipfile
from functools import partial
from pathlib import Path

import pytest

from bot.domain.requests import Payload, SourceFile
from bot.errors import DataError
from bot.providers.sony_data import prepare
from bot.providers.sony_tables import CHUNK, check_table
from tests.short import short

SAMPLES = Path(__file__).parents[2] / "sandbox" / "data"
BOM = b"\xef\xbb\xbf"


def rows(count: int = 120, columns: int = 3, header: str | None = None) -> str:
    names = header or ",".join(f"c{number}" for number in range(columns))
    return "\n".join([names, *(",".join(str(row) for _ in range(columns)) for row in range(count))]) + "\n"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


def spooled(spool: Path, name: str, content: bytes, role: str = "data") -> SourceFile:
    sha256 = hashlib.sha256(content).hexdigest()
    (spool / sha256).write_bytes(content)
    return SourceFile(role=role, name=name, path=spool / sha256, size=len(content), sha256=sha256)


def prepared(spool: Path, content: bytes | str, name: str = "churn.csv", evaluation: bytes | None = None) -> Payload:
    raw = content.encode() if isinstance(content, str) else content
    judge = spooled(spool, "judge.csv", evaluation, "eval") if evaluation is not None else None
    return prepare(spooled(spool, name, raw), judge, spool)


def refusal(spool: Path, content: bytes | str, name: str = "churn.csv", evaluation: bytes | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        prepared(spool, content, name, evaluation)
    return caught.value


# Tables


def test_a_good_table_goes_out_as_it_is(spool: Path) -> None:
    """The payload is the very file: its name, its digest, its size; rows count without the header."""
    content = rows().encode()
    payload = prepared(spool, content)
    assert payload.sha256 == hashlib.sha256(content).hexdigest()
    assert (payload.name, payload.size, payload.rows, payload.columns) == ("churn.csv", len(content), 120, 3)
    assert payload.warnings == ()


@pytest.mark.parametrize("name", ["churn.csv", "demand.csv"])
def test_the_good_samples_pass(spool: Path, name: str) -> None:
    """The sample files that people try first are good."""
    assert prepared(spool, (SAMPLES / name).read_bytes(), name).warnings == ()


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("unequal-columns.csv", 58, "5 columns where the first row has 6"),
        ("few-rows.csv", None, "42 rows"),
        ("latin1.csv", 1, "UTF-8 or Shift_JIS"),
    ],
)
def test_the_broken_samples_are_refused(spool: Path, name: str, line: int | None, said: str) -> None:
    """The broken sample files are refused for the reason that their description gives, with the line at fault."""
    error = refusal(spool, (SAMPLES / name).read_bytes(), name)
    assert said in str(error)
    assert name in str(error)
    assert error.line == line


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_line_endings_of_all_systems(spool: Path, ending: str, last: bool) -> None:
    """Rows are rows, however a line ends, and whether or not the last one does."""
    text = rows().replace("\n", ending)
    assert prepared(spool, text if last else text.removesuffix(ending)).rows == 120


def test_quoted_fields_may_hold_anything(spool: Path) -> None:
    """Commas, quotes and line breaks in quotes are part of a field; the line named is that where the row begins."""
    odd = 'a,"x, ""y""\nnext line",c\n'
    assert prepared(spool, rows() + odd).rows == 121
    assert refusal(spool, rows() + odd + "only,two\n").line == 124


def test_a_quote_that_is_never_closed(spool: Path) -> None:
    """The reader does not swallow the rest of the file as one field without end."""
    error = refusal(spool, rows() + 'a,"never closed,c\n' + "x,y,z\n" * 40_000)
    assert error.line == 122
    assert "quote" in str(error)


@pytest.mark.parametrize(("count", "is_good"), [(99, False), (100, True)])
def test_the_least_number_of_rows(spool: Path, count: int, is_good: bool) -> None:
    """A hundred rows is the documented least."""
    if is_good:
        assert prepared(spool, rows(count)).rows == count
    else:
        assert "99 rows" in str(refusal(spool, rows(count)))


@pytest.mark.parametrize(("count", "is_good"), [(1, False), (2, True), (999, True), (1000, False)])
def test_the_number_of_columns(spool: Path, count: int, is_good: bool) -> None:
    """From 2 to 999 columns are documented."""
    if is_good:
        assert prepared(spool, rows(100, count)).columns == count
    else:
        assert refusal(spool, rows(100, count)).line == 1


@pytest.mark.proof
def test_the_greatest_number_of_rows(spool: Path) -> None:
    """A million rows pass, one more does not, and both are read in pieces."""
    million = b"a,b\n" + b"1,2\n" * 1_000_000
    assert prepared(spool, million).rows == 1_000_000
    assert "1,000,000" in str(refusal(spool, million + b"1,2\n"))


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_another_separator_is_guessed(spool: Path, sign: str) -> None:
    """A table with the wrong separator looks like one column: the sentence says what it probably is."""
    assert "set apart by" in str(refusal(spool, rows().replace(",", sign)))


def test_tsv_is_read_with_tabs(spool: Path) -> None:
    """A TSV is a table too; that this call takes it is not documented, so it is warned of."""
    payload = prepared(spool, rows().replace(",", "\t"), "churn.TSV")
    assert (payload.rows, payload.columns) == (120, 3)
    assert any("TSV" in warning for warning in payload.warnings)


@pytest.mark.parametrize(("content", "said"), [("\n" + rows(), "Line 1 is empty"), ("", "empty"), ("a,b", "0 rows")])
def test_a_table_needs_its_header(spool: Path, content: str, said: str) -> None:
    """The first row holds the names of the columns."""
    assert said in str(refusal(spool, content))


def test_oddities_are_warned_of(spool: Path) -> None:
    """Blank lines, columns without a name, names that come twice: told, not refused."""
    lines = [f"{number},,3," for number in range(120)]
    lines[3:3], lines[70:70] = [""], ["", lines[5], ",,,"]
    payload = prepared(spool, "\n".join(["a,a,,e", *lines]))
    assert payload.rows == 122
    assert payload.warnings == (
        "Column names that come twice: `a`.",
        "Columns without a name: 1.",
        "Columns without any value: `a`, `e`.",
        "Blank lines: 2, lines 5 and 72.",
        "Rows without any value: 1, on line 74.",
        "Rows that repeat an earlier one: 1, on line 73 (as on 8).",
    )


def test_every_uneven_row_is_told_at_once(spool: Path) -> None:
    """One answer names the first lines and how many there are; what cannot be read any more comes last."""
    error = refusal(spool, rows() + "1,2\n" * 5 + "x\n" + '"never closed,c\n' + "x,y,z\n" * 40_000)
    assert error.line == 122
    assert "Line 122 has 2 columns where the first row has 3. The same on lines 123, 124, 125 and 2 more." in str(error)
    assert "The row that begins on line 128 cannot be read" in str(error)


# Encodings

JAPANESE = "名前,年齢,解約\n" + "".join(f"佐藤{number},{number},はい\n" for number in range(120))
LATE = "a,b,c\n" + "".join(f"{number},b,c\n" for number in range(300)) + "佐藤,1,2\n"


@pytest.mark.parametrize(
    ("content", "encoding", "warned"),
    [
        (rows().encode(), "ASCII", False),
        (BOM + rows().encode(), "UTF-8 with BOM", False),
        (BOM + JAPANESE.encode(), "UTF-8 with BOM", False),
        (JAPANESE.encode(), "UTF-8", True),
        (JAPANESE.encode("cp932"), "Shift_JIS", False),
        (LATE.encode("cp932"), "Shift_JIS", True),
        (LATE.encode(), "UTF-8", True),
    ],
)
def test_encodings_that_sony_reads(spool: Path, content: bytes, encoding: str, warned: bool) -> None:
    """UTF-8 with BOM and Shift_JIS are documented, read off the first 1,000 bytes; what may be misread is warned of."""
    payload = prepared(spool, content)
    assert payload.facts["Encoding"] == encoding
    assert bool(payload.warnings) is warned


def test_the_first_letter_that_may_be_misread_is_named(spool: Path) -> None:
    """UTF-8 without BOM is a warning with the line from which on it matters."""
    assert "with letters outside ASCII from line 302 on" in prepared(spool, LATE.encode()).warnings[0]


def test_nothing_is_added_to_the_file(spool: Path) -> None:
    """UTF-8 without BOM goes out without one: what is sent is what was approved."""
    content = JAPANESE.encode()
    assert prepared(spool, content).sha256 == hashlib.sha256(content).hexdigest()


def test_a_bom_is_no_part_of_a_name(spool: Path) -> None:
    """The first column is called as it is called."""
    spooled(spool, "x", b"")
    table = check_table(lambda: io.BytesIO(BOM + rows(header="id,b,c").encode()), ",")
    assert table.header[0] == "id"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (rows(50).encode() + b"caf\xe9,1,2\n" + rows(80).encode(), 52),
        (BOM + rows(50).encode() + b"\x83\x65,1,2\n", 52),
        (rows(5).encode("utf-16"), None),
        (rows(5).encode("utf-16-le"), 1),
        (rows(50).encode() + b"\0,1,2\n", 52),
    ],
)
def test_encodings_that_sony_does_not_read(spool: Path, content: bytes, line: int | None) -> None:
    """Anything else is refused with the line at fault and the way out."""
    error = refusal(spool, content)
    assert error.line == line
    assert "Save it as" in str(error)


@pytest.mark.parametrize("shift", short(range(3)))
def test_letters_may_lie_across_pieces(spool: Path, shift: int) -> None:
    """A letter of several bytes at the border of two pieces is still one letter."""
    filler = b"a,b,c\n" * (CHUNK // 6 - 1)
    before = filler + b"x" * (CHUNK - len(filler) - shift)
    assert prepared(spool, before + "佐,1,2\n".encode()).facts["Encoding"] == "UTF-8"
    assert prepared(spool, before + "佐,1,2\n".encode("cp932")).facts["Encoding"] == "Shift_JIS"


def test_a_workbook_is_no_table(spool: Path) -> None:
    """An Excel file that was merely renamed is recognised."""
    assert "Excel" in str(refusal(spool, packed({"xl/workbook.xml": b"x"})))


# With evaluation data


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def test_two_tables_become_one_zip(spool: Path) -> None:
    """Training and evaluation data lie in their documented folders, byte for byte, under the names they have."""
    content, judge = JAPANESE.encode("cp932"), JAPANESE.encode("cp932")[:400].rpartition(b"\n")[0]
    payload = prepared(spool, content, "顧客.csv", judge)
    assert payload.name == "顧客.zip"
    with zipfile.ZipFile(spool / payload.sha256) as archive:
        assert archive.namelist() == ["train_src/顧客.csv", "eval_src/judge.csv"]
        assert archive.read("train_src/顧客.csv") == content
        assert archive.read("eval_src/judge.csv") == judge
        assert all(member.compress_type == zipfile.ZIP_DEFLATED for member in archive.infolist())
    raw = (spool / payload.sha256).read_bytes()
    assert (hashlib.sha256(raw).hexdigest(), len(raw)) == (payload.sha256, payload.size)
    assert payload.rows == 120
    assert payload.facts["Evaluation"].startswith("judge.csv, ")


def test_the_balance_of_columns_with_few_values_is_counted(spool: Path) -> None:
    """Two to five values make a balance, in the order of the values; ids, numbers and constants make none."""
    lines = [f"{number},same,{'ab'[number % 2]},{number % 6},{'' if number % 4 else 'x'}" for number in range(120)]
    payload = prepared(spool, "\n".join(["id,constant,label,six,some", *lines]))
    assert [(one.column, one.counts) for one in payload.balances] == [
        ("label", (("a", 60), ("b", 60))),
        ("some", (("", 90), ("x", 30))),
    ]
    assert payload.facts["Empty cells"] == "15 %"


def test_forty_labels_are_a_balance_and_forty_numbers_are_none(spool: Path) -> None:
    """Up to fifty texts of a column may be labels; numbers are measures, and names that hardly repeat are neither."""
    lines = [f"{number % 40},name {number // 2},환불 {number % 40}" for number in range(400)]
    [balance] = prepared(spool, BOM + "\n".join(["month,name,label", *lines]).encode()).balances
    assert (balance.column, balance.labels, balance.least[1]) == ("label", 40, 10)


def test_rare_values_are_warned_of(spool: Path) -> None:
    """What may be a label with hardly any examples is named."""
    lines = [f"{number},{'no' if number > 2 else 'maybe'}" for number in range(300)]
    assert prepared(spool, "\n".join(["id,label", *lines])).warnings == (
        "Values of `label` in fewer than 5 rows: `maybe` 3.",
    )


def test_the_balance_of_a_long_table_counts_every_row(spool: Path) -> None:
    """A long table is counted to its end, and values too many in late rows take the balance away."""
    lines = [f"{number},{'yes' if number % 4 else 'no'},{number % 2}" for number in range(30_000)]
    assert prepared(spool, "\n".join(["id,label,bit", *lines])).balances[0].counts == (("yes", 22_500), ("no", 7500))
    late = [*lines, *(f"9,late{number},1" for number in range(50))]
    assert [one.column for one in prepared(spool, "\n".join(["id,label,bit", *late])).balances] == ["bit"]


def test_equal_files_make_an_equal_zip(spool: Path) -> None:
    """Order and times are fixed, so that a second check of the same files plans the same upload."""
    first = prepared(spool, rows(), evaluation=rows(10).encode())
    again = prepared(spool, rows(), evaluation=rows(10).encode())
    assert first == again
    with zipfile.ZipFile(spool / first.sha256) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert time.localtime().tm_year > 1980


def test_no_piece_is_left_in_the_spool(spool: Path) -> None:
    """Packing leaves the three files that have a digest for a name, and nothing half done."""
    prepared(spool, rows(), evaluation=rows(10).encode())
    assert sorted(len(path.name) for path in spool.iterdir()) == [64, 64, 64]


def test_evaluation_data_is_checked_too(spool: Path) -> None:
    """A fault in the evaluation data is told with its name and line; few rows are none, other columns are warned of."""
    error = refusal(spool, rows(), evaluation=b"a,b,c\n1,2,3\n1,2\n")
    assert error.line == 3
    assert "judge.csv" in str(error)
    assert "judge.csv" in str(refusal(spool, rows(), evaluation=b"a,b,c\n"))
    payload = prepared(spool, rows(), evaluation="c0,c1,ж\n1,2,3\n".encode())
    assert payload.warnings[0] == "`judge.csv`: it lacks columns of the data to train with: `c2`."
    assert payload.warnings[1] == "`judge.csv`: it has columns that the data to train with has not: `ж`."
    assert payload.warnings[2].startswith("`judge.csv`: It is UTF-8 without BOM")
    turned = prepared(spool, rows(), evaluation=b"c1,c0,c2\n1,2,3\n").warnings
    assert turned == ("`judge.csv`: its columns stand in another order than in the data to train with.",)


def test_the_balance_of_evaluation_data_is_its_own(spool: Path) -> None:
    """Both files have their balance, and it is told which is which."""
    table = "\n".join(["id,label", *(f"{number},{'ab'[number % 2]}" for number in range(120))])
    payload = prepared(spool, table, evaluation=table[:250].rpartition("\n")[0].encode())
    assert [(one.part, one.column, one.labels) for one in payload.balances] == [
        ("data", "label", 2),
        ("eval", "label", 2),
    ]


def test_the_samples_go_together(spool: Path) -> None:
    """The sample evaluation data fits the sample data."""
    payload = prepared(
        spool, (SAMPLES / "churn.csv").read_bytes(), "churn.csv", (SAMPLES / "churn-eval.csv").read_bytes()
    )
    assert payload.warnings == ()
    assert payload.rows == 240


# ZIPs that people bring

GOOD = {"train_src/a.csv": rows(150).encode(), "eval_src/b.csv": rows(20).encode()}


def test_a_good_zip_goes_out_as_it_is(spool: Path) -> None:
    """A ZIP is looked at and not packed anew."""
    content = packed(GOOD)
    payload = prepared(spool, content, "churn.zip")
    assert (payload.name, payload.size, payload.rows) == ("churn.zip", len(content), 150)
    assert payload.sha256 == hashlib.sha256(content).hexdigest()
    assert payload.facts == {"Training": "a.csv", "Encoding": "ASCII", "Evaluation": "b.csv, 20 rows"}
    assert payload.warnings == ()


@pytest.mark.parametrize(
    ("files", "said", "line"),
    [
        ({**GOOD, "train_src/a.csv": rows(99).encode()}, "99 rows", None),
        ({**GOOD, "eval_src/b.csv": b"c0,c1,c2\n"}, "`eval_src/b.csv`: There are 0 rows", None),
        ({**GOOD, "eval_src/b.csv": b"c0,c1,c2\n1,2\n"}, "`eval_src/b.csv`: Line 2 has 2 columns", 2),
        (
            {**GOOD, "train_src/a.csv": rows(120).encode() + b"caf\xe9,1,2\n"},
            "`train_src/a.csv`: Line 122 is not UTF-8",
            122,
        ),
        ({"train_src/a.txt": rows().encode(), "eval_src/b.csv": rows().encode()}, "lacks train_src/", None),
    ],
)
def test_tables_in_a_zip_are_checked_like_others(
    spool: Path, files: dict[str, bytes], said: str, line: int | None
) -> None:
    """A fault is told with the name in the ZIP and its line there."""
    error = refusal(spool, packed(files), "churn.zip")
    assert said in str(error)
    assert error.line == line


def test_several_tables_in_a_folder_are_warned_of(spool: Path) -> None:
    """Their rows count together; one is documented."""
    more = {**GOOD, "train_src/c.csv": rows(60, header="c0,c1,other").encode()}
    payload = prepared(spool, packed(more), "churn.zip")
    assert payload.rows == 210
    assert payload.warnings[0] == "2 tables lie in train_src/, and Sony documents one."
    assert any("`c.csv`: it lacks columns" in warning for warning in payload.warnings)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"train_src/a.csv": b"x"}, "lacks eval_src/"),
        ({"eval_src/a.csv": b"x"}, "lacks train_src/"),
        ({"a.csv": b"x"}, "lacks train_src/ and eval_src/"),
        ({"train_src/": b"", "eval_src/": b""}, "lacks train_src/ and eval_src/"),
        ({"data/train_src/a.csv": b"x", "data/eval_src/b.csv": b"x"}, "pack them without it"),
        ({}, "lacks"),
        ({f"train_src/{number}.csv": b"" for number in range(101)}, "101 files"),
    ],
)
def test_zips_of_another_form_are_refused(spool: Path, files: dict[str, bytes], said: str) -> None:
    """The documented folders must be there, and not a hundred other things."""
    assert said in str(refusal(spool, packed(files), "churn.zip"))


def test_other_files_in_a_zip_are_warned_of(spool: Path) -> None:
    """What packing programs add does no known harm."""
    payload = prepared(spool, packed({**GOOD, "__MACOSX/._a.csv": b"x", ".DS_Store": b"x"}), "churn.zip")
    assert "`._a.csv`, `.DS_Store`" in payload.warnings[0]


def test_a_zip_brings_its_own_evaluation(spool: Path) -> None:
    """Two kinds of evaluation data at once cannot be meant."""
    assert "eval=" in str(refusal(spool, packed(GOOD), "churn.zip", rows().encode()))


def test_evaluation_data_is_no_zip(spool: Path) -> None:
    """Evaluation data is a table, packed by us."""
    data = spooled(spool, "churn.csv", rows().encode())
    with pytest.raises(DataError, match="no table"):
        prepare(data, spooled(spool, "judge.zip", packed(GOOD), "eval"), spool)


def test_encrypted_and_oddly_packed_zips_are_refused(spool: Path) -> None:
    """Deflate without encryption is documented."""
    content = bytearray(packed(GOOD))
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.find(signature) + offset] |= 1
    assert "encrypted" in str(refusal(spool, bytes(content), "churn.zip"))
    assert "deflate" in str(refusal(spool, packed(GOOD, zipfile.ZIP_BZIP2), "churn.zip"))


@pytest.mark.parametrize(
    "content", [b"not a zip", b"PK\x05\x06", b"PK\x05\x06" + bytes(18), b"", b"PK\x03\x04" + b"x" * 100]
)
def test_what_is_no_zip_is_refused(spool: Path, content: bytes) -> None:
    """A file that is only called so is told apart from one with the wrong content, or is found to lack everything."""
    assert "ZIP" in str(refusal(spool, content, "churn.zip"))


def test_broken_zips_are_refused(spool: Path) -> None:
    """A piece is missing, a byte is wrong: a sentence, never a crash."""
    content = packed(GOOD)
    for broken in (content[: len(content) // 2], content[40:], content[:30] + bytes(60) + content[90:]):
        assert "ZIP" in str(refusal(spool, broken, "churn.zip"))
    assert all("ZIP" in said for said in map(partial(_said_of_flipped, spool, content), range(0, len(content), 7)))


def _said_of_flipped(spool: Path, content: bytes, at: int) -> str:
    wrong = bytearray(content)
    wrong[at] ^= 0xFF
    try:
        return f"a ZIP of {prepared(spool, bytes(wrong), 'churn.zip').rows} rows"
    except DataError as error:
        return str(error)


def test_a_bomb_is_not_unpacked(spool: Path) -> None:
    """A small ZIP that would unpack to hundreds of megabytes is refused by its directory alone."""
    content = bytearray(packed(GOOD))
    at = content.find(b"PK\x01\x02") + 24
    content[at : at + 4] = (160 * 1024 * 1024).to_bytes(4, "little")
    assert "160 MB" in str(refusal(spool, bytes(content), "churn.zip"))


def test_a_lying_directory_does_not_help_a_bomb(spool: Path) -> None:
    """A directory that names a smaller size than what is packed does not get more read than it named."""
    content = bytearray(packed({"train_src/a.csv": b"1,2\n" * 1_000_000, "eval_src/b.csv": b"x"}))
    at = content.find(b"PK\x01\x02") + 24
    content[at : at + 4] = (100).to_bytes(4, "little")
    error = refusal(spool, bytes(content), "churn.zip")
    assert "ZIP" in str(error)


def test_a_huge_directory_is_not_read(spool: Path) -> None:
    """Countless empty files cost memory as soon as a ZIP is opened: the size of its directory comes first."""
    content = bytearray(packed(GOOD))
    at = content.rfind(b"PK\x05\x06") + 12
    content[at : at + 4] = (200 * 1024 * 1024).to_bytes(4, "little")
    assert "far more" in str(refusal(spool, bytes(content), "churn.zip"))
