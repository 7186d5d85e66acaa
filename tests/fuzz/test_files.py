"""Whatever lies in the data folder: a payload that can be shown and sent, or a sentence with the line at fault."""

import hashlib
import io
import tracemalloc
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.contents import Card
from bot.domain.jobs import JobState, Look
from bot.domain.requests import Payload, Plan, SourceFile
from bot.errors import DataError
from bot.files import DataFolder
from bot.providers.sestek_rows import count_rows
from bot.providers.sony_data import prepare
from handlers.views.cards import render
from storage.rows import PLAN, dump
from tests.fuzz.effort import effort
from tests.fuzz.fitness import message_faults, sentence_faults
from tests.fuzz.shapes import NASTY, mutated, written
from tests.fuzz.tally import Tally
from tests.handlers import samples

MOST_KEPT = 20_000
"""Characters of a plan as it is stored, with each change of its job."""

ROW = {"Label": "billing", "Text": "I was charged twice"}
BLANKS = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r", b" ", b"\x00", b""])
NAMES = st.sampled_from(["churn.csv", "churn.tsv", "모델.csv", "a b.CSV", "a.csv.zip", "`x`.csv", "x" * 200 + ".csv"])


def source(folder: Path, content: bytes, name: str, role: str = "data") -> SourceFile:
    sha256 = hashlib.sha256(content).hexdigest()
    path = folder / sha256
    path.write_bytes(content)
    return SourceFile(role=role, name=name, path=path, size=len(content), sha256=sha256)


def check_payload(payload: Payload) -> None:
    """It can be kept with its job, and shown to who decides."""
    plan = Plan(provider="sony", model="churn", body={}, payload=payload)
    kept = dump(PLAN, plan)
    assert PLAN.validate_json(kept).digest() == plan.digest()
    assert len(kept) < MOST_KEPT
    job = samples.job(JobState.PROPOSED, plan=plan, look=Look())
    assert message_faults(render(Card(job=job, title="Sony", last=samples.move()))) == []


# -- Sestek's rows ----------------------------------------------------------------------------------------------------


@st.composite
def row_files(draw: st.DrawFn) -> bytes:
    rows = draw(st.lists(mutated(ROW).flatmap(written) | st.binary(max_size=20), max_size=5))
    return b"".join(part for row in rows for part in (row, draw(BLANKS)))


@effort(120)
@given(content=row_files())
@example(content=b'{"Label": "a", "Text": "b"}' + b"\x85")
@example(content=b'{"Label": "' + b"x" * 70_000 + b'", "Text": "b"}\n')
@example(content=b"\xef\xbb\xbf{}")
def test_any_rows_are_counted_or_refused_with_their_line(content: bytes, tmp_path: Path, tally: Tally) -> None:
    """A line that is no object with two texts is named; of what is counted no fact is too long for a card."""
    path = tmp_path / "rows"
    path.write_bytes(content)
    try:
        counted = count_rows(path)
    except DataError as error:
        tally.add(error)
        check_sentence(error)
    else:
        tally.add(counted)
        shown = Payload(
            name="rows.jsonl",
            sha256="0" * 64,
            size=1,
            rows=counted.rows,
            facts=counted.facts(),
            balances=counted.balances(),
            warnings=counted.warnings(),
        )
        check_payload(shown)


def check_sentence(error: DataError) -> None:
    assert sentence_faults(error) == [], str(error)
    assert error.line is None or error.line >= 1


# -- Sony's tables ----------------------------------------------------------------------------------------------------

ENCODINGS = st.sampled_from(["ascii", "utf-8", "utf-8-sig", "cp932", "utf-16", "latin-1", "utf-32", "euc-kr"])
CELLS = NASTY | st.text(max_size=6) | st.sampled_from(["1", "2.5", '"a""b"', '"a\nb"', '"', "ア", "é", ""])


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A table that is large enough, with a few lines changed; or anything."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.binary(max_size=80))
    delimiter = draw(st.sampled_from([",", ",", ",", "\t", ";"]))
    header = draw(st.lists(CELLS, min_size=1, max_size=4))
    odd = draw(st.lists(st.lists(CELLS, max_size=5), max_size=3))
    lines = [header, *(["1"] * len(header) for _ in range(110)), *odd]
    text = draw(st.sampled_from(["\n", "\r\n", "\r"])).join(delimiter.join(line) for line in lines)
    return text.encode(draw(ENCODINGS), "replace") + draw(st.sampled_from([b"", b"\n", b"\x00", b"\xff", b'"']))


@effort(60)
@given(content=tables(), evaluation=st.none() | tables(), name=NAMES, other=NAMES)
def test_any_table_is_a_payload_or_a_sentence(
    content: bytes, evaluation: bytes | None, name: str, other: str, tmp_path: Path, tally: Tally
) -> None:
    """What is refused is named with its line; what is packed is all that is left in the spool."""
    judged = None if evaluation is None else source(tmp_path, evaluation, other, "eval")
    data = source(tmp_path, content, name)
    before = set(tmp_path.iterdir())
    made = prepared(data, judged, tmp_path, tally)
    left = {path.name for path in set(tmp_path.iterdir()) - before}
    assert left <= ({made.sha256} if made else set())


def prepared(data: SourceFile, judged: SourceFile | None, spool: Path, tally: Tally) -> Payload | None:
    try:
        payload = prepare(data, judged, spool)
    except DataError as error:
        tally.add(error)
        check_sentence(error)
        return None
    tally.add(payload)
    check_payload(payload)
    return payload


# -- ZIPs -------------------------------------------------------------------------------------------------------------

MEMBERS = st.sampled_from(
    [
        "train_src/a.csv", "train_src/b.csv", "eval_src/a.csv", "eval_src/", "data/train_src/a.csv", "../../etc/passwd",
        "/eval_src/a.csv", "train_src/../../x", "README.txt", "train_src/모델.csv", "eval_src/a\nb\x1b[31m.csv",
        "train_src/" + "x" * 3000, "eval_src/\u202egnp.csv", "__MACOSX/x", "", "train_src\\a.csv",
    ]
)  # fmt: skip
METHODS = st.sampled_from([zipfile.ZIP_DEFLATED] * 4 + [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])


def packed(members: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return made.getvalue()


GOOD = packed([("train_src/a.csv", b"a,b\n1,2\n" * 60), ("eval_src/a.csv", b"a,b\n1,2\n")])
LONG = packed([("train_src/a.csv", b"a,b\n" + (b"x" * 120_000 + b",1\n") * 200), ("eval_src/a.csv", b"a,b\n1,2\n")])


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    """A ZIP of all sorts of members, with bytes changed, lost or put in: mostly where its directory is."""
    members = draw(st.lists(st.tuples(MEMBERS, st.binary(max_size=30)), max_size=4, unique_by=lambda one: one[0]))
    content = bytearray(packed(members, draw(METHODS)) if draw(st.booleans()) else GOOD)
    for _ in range(draw(st.integers(0, 4))):
        at = len(content) - 1 - draw(st.integers(0, max(0, len(content) - 1)))
        match draw(st.sampled_from(["set", "set", "set", "cut", "insert"])):
            case "set" if content:
                content[at] = draw(st.sampled_from([0, 1, 2, 8, 0x40, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
            case "insert":
                content[max(at, 0) : max(at, 0)] = draw(st.sampled_from([b"PK\x05\x06", b"PK\x01\x02", b"\x00" * 20]))
            case _:
                del content[max(at, 0) :]
    return bytes(content)


@effort(250)
@given(content=zips())
@example(content=GOOD)
@example(content=b"PK\x05\x06" + b"\0" * 18)
@example(content=packed([("", b"")]))
@example(content=packed([("train_src/" + "x" * 3000, b"")]).replace(b"PK\x03\x04", b"PK\x03\x03"))
@example(content=packed([("train_src/" + "x" * 3000, b""), ("eval_src/a", b"")]).replace(b"xx", b"yy", 1))
@example(content=packed([(f"train_src/{number}" + "x" * 900, b"") for number in range(60)] + [("eval_src/a", b"")]))
def test_any_zip_is_a_payload_or_a_sentence(content: bytes, tmp_path: Path, tally: Tally) -> None:
    """A broken archive is refused with a sentence, whatever is broken in it."""
    prepared(source(tmp_path, content, "churn.zip"), None, tmp_path, tally)


def lying(content: bytes, size: int) -> bytes:
    """The ZIP with another unpacked size of its first member, in its own header and in the directory."""
    at = content.index(b"PK\x01\x02") + 24
    told = size.to_bytes(4, "little")
    return content[:22] + told + content[26:at] + told + content[at + 4 :]


ZEROS = bytes(24 * 1024**2)
BOMB = packed([("train_src/a.csv", ZEROS), ("eval_src/a.csv", b"a,b\n")])
BOMBS = {
    "unpacks to a thousandfold": (BOMB, DataError),
    "unpacks to long rows": (LONG, Payload),
    "says that it unpacks to little": (lying(BOMB, 100), DataError),
    "says that it unpacks to gigabytes": (lying(BOMB, 0xFFFF_FFF0), DataError),
    "many members": (packed([("train_src/a", ZEROS), *((f"eval_src/{n}", ZEROS) for n in range(5))]), DataError),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_little_memory(name: str, tmp_path: Path, tally: Tally) -> None:
    """What unpacks to far more than its size is refused, or read in pieces: the process stays small."""
    content, outcome = BOMBS[name]
    data = source(tmp_path, content, "churn.zip")
    tracemalloc.start()
    try:
        made = prepared(data, None, tmp_path, tally)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (made is not None) is (outcome is Payload)
    assert peak < 8 * 1024**2


# -- the data folder --------------------------------------------------------------------------------------------------

WAYS_OUT = st.sampled_from(
    ["../secret.csv", "/etc/passwd", "a/../../secret.csv", "churn.csv/", ".", "..", "", ".hidden.csv", "link.csv",
     "folder.csv", "secret.csv", "churn.csv", "churn.CSV", "a\x00.csv", "~/secret.csv", "file:///secret.csv",
     "..\\secret.csv", "C:secret.csv", "churn"]
)  # fmt: skip


@effort(150)
@given(name=WAYS_OUT | NASTY | st.text(max_size=20), is_model=st.booleans())
def test_no_name_leads_out_of_the_data_folder(name: str, is_model: bool, tmp_path: Path, tally: Tally) -> None:
    """Whatever stands in data=, or whatever a model is called: a file of the folder itself, or a sentence."""
    folder = made_folder(tmp_path)
    files = DataFolder(folder, tmp_path / "spool", 1 << 20)
    source, model = (None, name) if is_model else (name, "churn")
    try:
        chosen = files.choose(source, model, (".csv",))
        copied = files.copy("data", chosen)
    except DataError as error:
        tally.add(error)
        check_sentence(error)
    else:
        tally.add(copied)
        assert copied.path.read_bytes() == (folder / "churn.csv").read_bytes()


def made_folder(place: Path) -> Path:
    folder = place / "data"
    if not folder.exists():
        folder.mkdir()
        (folder / "churn.csv").write_bytes(b"a,b\n1,2\n")
        (folder / ".hidden.csv").write_bytes(b"hidden")
        (folder / "folder.csv").mkdir()
        (place / "secret.csv").write_bytes(b"secret")
        (folder / "link.csv").symlink_to(place / "secret.csv")
    return folder
