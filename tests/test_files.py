"""The data folder and the spool: which file is meant, and that exactly its bytes are kept."""

import hashlib
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.errors import DataError
from bot.files import CHUNK, DataFolder

CSV = (".csv", ".tsv", ".zip")
JSONL = (".jsonl", ".json")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spool"


@pytest.fixture
def files(data: Path, spool: Path) -> DataFolder:
    return DataFolder(data, spool, 1000)


def put(folder: Path, *names: str, content: bytes = b"a,b\n1,2\n") -> None:
    for name in names:
        (folder / name).write_bytes(content)


def refusal(files: DataFolder, source: str | None, model: str = "churn", suffixes: tuple[str, ...] = CSV) -> str:
    """The sentence with which a choice is refused."""
    with pytest.raises(DataError) as raised:
        files.choose(source, model, suffixes)
    return str(raised.value)


class TestNamed:
    """`data=NAME` names a file of the data folder and nothing else."""

    @pytest.mark.parametrize("name", ["churn.csv", "CHURN.CSV", "my data.tsv", "şubat 字.zip", "a.b.csv", "-rf.csv"])
    def test_a_file_is_taken_by_its_name(self, files: DataFolder, data: Path, name: str) -> None:
        """Whatever else lies there, and whatever the model is called."""
        put(data, name, "other.csv")
        assert files.choose(name, "model", CSV) == name

    @pytest.mark.parametrize(
        "source",
        [
            "../secret.csv",
            "..",
            ".",
            "sub/inner.csv",
            "sub/../churn.csv",
            "./churn.csv",
            "churn.csv/",
            "/etc/passwd.csv",
            "..\\secret.csv",
            "sub\\inner.csv",
            ".hidden.csv",
            "churn.csv\x00.csv",
            "churn\n.csv",
            "churn\u202e.csv",
            "~/secret.csv\x7f",
        ],
    )
    def test_what_is_more_than_a_name_is_refused(self, files: DataFolder, data: Path, source: str) -> None:
        """No folder, nothing hidden, and nothing that a terminal or a message would hide, also where it exists."""
        put(data, "churn.csv", ".hidden.csv")
        (data / "sub").mkdir()
        put(data / "sub", "inner.csv")
        put(data.parent, "secret.csv")
        assert (
            "is not the name of a file in the data folder: write its name alone, or the link of a file in Slack."
            in refusal(files, source)
        )

    def test_a_name_that_mentions_people_mentions_nobody(self, files: DataFolder) -> None:
        """Answers go into a conversation."""
        assert "<!channel>" not in refusal(files, "<!channel>.csv")

    @pytest.mark.parametrize("source", ["churn.xlsx", "churn", "csv", "", " ", "churn.csv.exe", "churn.csv "])
    def test_a_file_of_another_kind_is_refused_with_the_kinds(self, files: DataFolder, data: Path, source: str) -> None:
        """The service would refuse it later; here the way out is named."""
        put(data, "churn.xlsx", "churn", "csv", "churn.csv.exe")
        assert "this service takes files called `*.csv` or `*.tsv` or `*.zip`" in refusal(files, source)

    @pytest.mark.parametrize(
        ("source", "hint"),
        [
            ("chrun.csv", " Did you mean `churn.csv`?"),
            ("CHURN.CSV", " Did you mean `churn.csv`?"),
            ("churn.tsv", " Did you mean `churn.csv`?"),
            ("upsell.csv", ""),
        ],
    )
    def test_a_missing_file_is_said_with_the_nearest(
        self, files: DataFolder, data: Path, source: str, hint: str
    ) -> None:
        """Only a file that could be sent is suggested."""
        put(data, "churn.csv", "upsell.jsonl", "CHURN.txt")
        assert refusal(files, source) == f"There is no `{source}` in the data folder.{hint}"

    def test_a_folder_is_no_file(self, files: DataFolder, data: Path) -> None:
        """Whatever it is called."""
        (data / "churn.csv").mkdir()
        assert refusal(files, "churn.csv") == "There is no `churn.csv` in the data folder."


class TestAfterModel:
    """Without `data=`, the one file that is named after the model is meant."""

    @pytest.mark.parametrize(
        ("model", "name", "suffixes"),
        [
            ("my-model", "my-model.jsonl", JSONL),
            ("my-model", "my-model.json", JSONL),
            ("churn", "Churn.CSV", CSV),
            ("Churn", "churn.csv", CSV),
        ],
    )
    def test_the_file_named_after_the_model_is_meant(
        self, files: DataFolder, data: Path, model: str, name: str, suffixes: tuple[str, ...]
    ) -> None:
        """In any case of letters, and with any suffix that the service takes."""
        put(data, name, "other.csv", f"{name}.bak", f"old-{name}", f"{model}.txt")
        assert files.choose(None, model, suffixes) == name

    def test_none_is_said_with_what_was_looked_for(self, files: DataFolder, data: Path) -> None:
        """And how a file is named."""
        put(data, "other.csv")
        sentence = refusal(files, None)
        assert sentence == (
            "The data folder has no file named after `churn` (`churn.csv`, `churn.tsv`, `churn.zip`). "
            "Name one with `data=NAME`, or a file in Slack with `data=` and its link."
        )

    @pytest.mark.parametrize("names", [("churn.csv", "churn.tsv"), ("Churn.csv", "churn.csv")])
    def test_several_are_refused_by_their_names(self, files: DataFolder, data: Path, names: tuple[str, str]) -> None:
        """Nobody guesses which one was meant."""
        put(data, *reversed(names))
        assert refusal(files, None) == (
            f"Several files are named after `churn`: `{names[0]}`, `{names[1]}`. Say which with `data=NAME`."
        )
        assert files.choose(names[1], "churn", CSV) == names[1]

    @pytest.mark.parametrize("model", ["../secret", "sub/churn", "", ".hidden"])
    def test_a_model_is_no_path(self, files: DataFolder, data: Path, model: str) -> None:
        """A model's name finds only what lies in the folder, in the open."""
        put(data, ".hidden.csv", ".csv")
        put(data.parent, "secret.csv")
        assert "has no file named after" in refusal(files, None, model)

    def test_a_folder_named_after_the_model_is_not_meant(self, files: DataFolder, data: Path) -> None:
        """Only files count, so a folder beside them makes nothing ambiguous."""
        (data / "churn.csv").mkdir()
        put(data, "churn.tsv")
        assert files.choose(None, "churn", CSV) == "churn.tsv"


class TestFolder:
    """A folder that cannot be used is the operator's matter, and said so."""

    @pytest.mark.parametrize("source", ["churn.csv", None])
    def test_a_missing_folder_names_the_setting(self, tmp_path: Path, spool: Path, source: str | None) -> None:
        """Whoever types a command learns that it is not their fault."""
        files = DataFolder(tmp_path / "nowhere", spool, 1000)
        assert refusal(files, source) == "The data folder does not exist; its operator sets SWITCHYARD_DATA__FOLDER."

    def test_a_folder_that_is_none_names_the_setting(self, tmp_path: Path, spool: Path) -> None:
        """A file where a folder should be is no different."""
        put(tmp_path, "file")
        sentence = refusal(DataFolder(tmp_path / "file", spool, 1000), None)
        assert (
            sentence == "The data folder cannot be read (Not a directory); its operator sets SWITCHYARD_DATA__FOLDER."
        )

    def test_an_empty_folder_is_no_error_of_its_own(self, files: DataFolder) -> None:
        """There simply is no such file."""
        assert refusal(files, "churn.csv") == "There is no `churn.csv` in the data folder."


def in_spool(spool: Path) -> list[str]:
    return sorted(file.name for file in spool.iterdir()) if spool.exists() else []


@contextmanager
def most_bytes_in_a_file(most: int) -> Iterator[None]:
    """The disk takes no more than so many bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def as_nobody() -> Iterator[None]:
    """The super-user may read everything, so somebody else has to try."""
    is_super = os.geteuid() == 0
    if is_super:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_super:
            os.seteuid(0)


class TestCopy:
    """What is checked, approved and sent are the bytes in the spool."""

    @pytest.mark.parametrize("content", [b"x", b"\xff\x00\r\n" * 250, b"\xef\xbb\xbfa,b\n"])
    def test_the_copy_has_the_very_bytes_under_their_sha_256(
        self, files: DataFolder, data: Path, spool: Path, content: bytes
    ) -> None:
        """Nothing is added, converted or stripped."""
        put(data, "churn.csv", content=content)
        source = files.copy("eval", "churn.csv")
        assert (source.role, source.name, source.size) == ("eval", "churn.csv", len(content))
        assert source.sha256 == hashlib.sha256(content).hexdigest()
        assert source.path == files.spooled(source.sha256) == spool / source.sha256
        assert source.path.read_bytes() == content
        assert in_spool(spool) == [source.sha256]

    def test_a_file_of_many_chunks_is_one_copy(self, data: Path, spool: Path) -> None:
        """Large files are read in pieces."""
        content = b"0123456789abcdef" * (CHUNK // 16 * 2) + b"end"
        put(data, "large.csv", content=content)
        source = DataFolder(data, spool, 3 * CHUNK).copy("data", "large.csv")
        assert source.sha256 == hashlib.sha256(content).hexdigest()
        assert source.path.stat().st_size == source.size == len(content)

    def test_equal_files_are_one_copy(self, files: DataFolder, data: Path, spool: Path) -> None:
        """The name in the spool is the content."""
        put(data, "one.csv", "two.csv")
        one, two = files.copy("data", "one.csv"), files.copy("data", "two.csv")
        assert one.path == two.path
        assert in_spool(spool) == [one.sha256]

    def test_a_later_change_of_the_file_changes_nothing(self, files: DataFolder, data: Path) -> None:
        """What was approved is what is sent, whatever happens in the data folder."""
        put(data, "churn.csv", content=b"approved")
        source = files.copy("data", "churn.csv")
        put(data, "churn.csv", content=b"something else")
        (data / "churn.csv").unlink()
        assert source.path.read_bytes() == b"approved"

    def test_a_file_that_was_replaced_after_its_choice_is_taken_as_it_is_now(
        self, files: DataFolder, data: Path
    ) -> None:
        """The check looks at the copy, so nothing unchecked slips in."""
        put(data, "churn.csv", content=b"old")
        name = files.choose(None, "churn", CSV)
        put(data, "new.part", content=b"new content")
        (data / "new.part").replace(data / name)
        source = files.copy("data", name)
        assert source.sha256 == hashlib.sha256(b"new content").hexdigest()

    def test_a_file_that_is_gone_is_said(self, files: DataFolder, spool: Path) -> None:
        """Between the command and its check."""
        with pytest.raises(DataError, match=r"^`churn\.csv` is not a file of the data folder any more\.$"):
            files.copy("data", "churn.csv")
        assert in_spool(spool) == []

    def test_an_empty_file_is_refused(self, files: DataFolder, data: Path, spool: Path) -> None:
        """By its name, and nothing of it stays."""
        put(data, "churn.csv", content=b"")
        with pytest.raises(DataError, match=r"^`churn\.csv` is empty\.$"):
            files.copy("data", "churn.csv")
        assert in_spool(spool) == []

    def test_a_file_of_exactly_the_limit_is_taken(self, files: DataFolder, data: Path) -> None:
        """The border belongs to what is allowed."""
        put(data, "churn.csv", content=b"x" * 1000)
        assert files.copy("data", "churn.csv").size == 1000

    def test_a_file_over_the_limit_is_refused_with_the_limit(self, data: Path, spool: Path) -> None:
        """One byte is enough; the setting is named, and nothing of the file stays."""
        put(data, "large.csv", content=b"x" * (2 * CHUNK + 1))
        with pytest.raises(DataError, match=r"^`large\.csv` is larger than 2 MB.*SWITCHYARD_DATA__MAX_MB"):
            DataFolder(data, spool, 2 * CHUNK).copy("data", "large.csv")
        assert in_spool(spool) == []

    @pytest.mark.parametrize("target", ["../secret.csv", "/etc/hostname", "sub/inner.csv"])
    def test_a_link_out_of_the_folder_is_not_followed(
        self, files: DataFolder, data: Path, spool: Path, target: str
    ) -> None:
        """Whoever may write into the data folder gets no other file sent to a service."""
        put(data.parent, "secret.csv")
        (data / "sub").mkdir()
        put(data / "sub", "inner.csv")
        (data / "churn.csv").symlink_to(target)
        with pytest.raises(DataError, match=r"is not a file of the data folder: it is a link that leads out of it\.$"):
            files.copy("data", "churn.csv")
        assert in_spool(spool) == []

    def test_a_link_within_the_folder_is_as_good_as_its_file(self, files: DataFolder, data: Path) -> None:
        """`latest.csv` may point at the newest."""
        put(data, "2026-11.csv", content=b"newest")
        (data / "latest.csv").symlink_to("2026-11.csv")
        source = files.copy("data", files.choose("latest.csv", "churn", CSV))
        assert (source.name, source.path.read_bytes()) == ("latest.csv", b"newest")

    def test_a_data_folder_that_is_a_link_itself_is_fine(self, data: Path, spool: Path, tmp_path: Path) -> None:
        """Operators mount and link; only what lies inside counts."""
        put(data, "churn.csv")
        (tmp_path / "linked").symlink_to(data)
        assert DataFolder(tmp_path / "linked", spool, 1000).copy("data", "churn.csv").size == 8

    def test_a_folder_or_a_pipe_is_not_read(self, files: DataFolder, data: Path) -> None:
        """A pipe would be waited for without end."""
        (data / "folder.csv").mkdir()
        os.mkfifo(data / "pipe.csv")
        for name in ("folder.csv", "pipe.csv"):
            with pytest.raises(DataError, match="is not a file of the data folder"):
                files.copy("data", name)

    def test_a_file_that_may_not_be_read_is_said(self, spool: Path) -> None:
        """Its owner has to change that; no bytes of it are kept."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            put(Path(folder), "churn.csv")
            (Path(folder) / "churn.csv").chmod(0)
            with as_nobody(), pytest.raises(DataError, match=r"^`churn\.csv` may not be read by Switchyard\.$"):
                DataFolder(Path(folder), spool, 1000).copy("data", "churn.csv")
        assert in_spool(spool) == []

    def test_a_disk_that_takes_no_more_leaves_nothing_behind(self, files: DataFolder, data: Path, spool: Path) -> None:
        """It is no fault of the data, so it is tried again later; half a copy is never taken for one."""
        put(data, "churn.csv", content=b"x" * 900)
        with most_bytes_in_a_file(100), pytest.raises(OSError, match="too large"):
            files.copy("data", "churn.csv")
        assert in_spool(spool) == []
        assert files.copy("data", "churn.csv").size == 900

    def test_a_spool_that_cannot_be_made_is_no_fault_of_the_data(self, data: Path, tmp_path: Path) -> None:
        """The caller tries again later, and says so."""
        put(data, "churn.csv")
        put(tmp_path, "state")
        with pytest.raises(OSError, match="state"):
            DataFolder(data, tmp_path / "state" / "spool", 1000).copy("data", "churn.csv")


def test_results_lie_beside_the_spool(files: DataFolder, spool: Path) -> None:
    """One file a training, in a folder that is there when it is needed."""
    target = files.result("jabc234")
    assert target == spool.parent / "results" / "jabc234"
    target.write_bytes(b"result")
    assert files.result("jabc234").read_bytes() == b"result"


class TestKept:
    """A file of an earlier training is taken from the spool, if it is still what it was."""

    def test_it_is_the_same_file_under_any_name(self, files: DataFolder, data: Path) -> None:
        """What is sent again are the bytes of then, whatever the data folder holds now."""
        put(data, "churn.csv")
        copied = files.copy("data", "churn.csv")
        put(data, "churn.csv", content=b"other")
        kept = files.kept("data", "churn.csv", copied.sha256)
        assert kept == copied
        assert kept.path.read_bytes() == b"a,b\n1,2\n"

    def test_one_that_is_gone_is_refused(self, files: DataFolder) -> None:
        """The sentence names the file."""
        with pytest.raises(DataError, match=r"`churn\.csv`, is not kept here any more"):
            files.kept("data", "churn.csv", "ab" * 32)

    def test_one_that_was_changed_is_refused(self, files: DataFolder, data: Path) -> None:
        """Its checksum is taken anew."""
        put(data, "churn.csv")
        copied = files.copy("data", "churn.csv")
        copied.path.write_bytes(b"spoiled")
        with pytest.raises(DataError, match="is not what it was"):
            files.kept("data", "churn.csv", copied.sha256)


class TestTidy:
    """What is old and needed by nothing goes; anything else stays."""

    NOW = datetime(2026, 11, 21, tzinfo=UTC)

    def test_old_data_goes_and_what_is_needed_stays(self, files: DataFolder, data: Path, spool: Path) -> None:
        """By the time of the last use, which a new use moves on."""
        kept = {}
        for name in ("old", "new", "needed"):
            put(data, f"{name}.csv", content=name.encode())
            kept[name] = files.copy("data", f"{name}.csv").sha256
            files.renew(kept[name], self.NOW - timedelta(days=40))
        files.renew(kept["new"], self.NOW)
        month_ago = self.NOW - timedelta(days=30)
        assert files.has_old(month_ago)
        assert files.tidy(month_ago, frozenset({kept["needed"]}), self.NOW) == 1
        assert not files.has_old(month_ago)
        assert in_spool(spool) == sorted([kept["new"], kept["needed"]])
        with pytest.raises(FileNotFoundError):
            files.renew(kept["old"], self.NOW)

    def test_what_is_not_ours_stays_and_what_a_crash_left_goes(self, files: DataFolder, spool: Path) -> None:
        """A file that is being written is younger than a day; one without a name of ours may be anybody's."""
        assert not files.has_old(self.NOW)
        spool.mkdir(parents=True)
        for name in ("part-old", "part-new", "notes.txt"):
            (spool / name).write_bytes(b"x")
        for name in ("part-old", "notes.txt"):
            os.utime(spool / name, (0, 0))
        assert files.tidy(self.NOW, frozenset(), self.NOW) == 1
        assert in_spool(spool) == ["notes.txt", "part-new"]
