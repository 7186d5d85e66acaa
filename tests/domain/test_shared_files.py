"""Files in Slack as sources: which words name one, who may use it, and what it is called here."""

import pytest

from bot.domain.requests import Actor
from bot.domain.shared_files import MOST_NAME, SharedFile, id_in, may_use, plain_name

ADA = Actor(team="T1", user="U0ADA00001")
LINK = "https://lab.slack.com/files/U0ADA00001/F0FILE0001"


@pytest.mark.parametrize(
    "source",
    [
        "F0FILE0001",
        " F0FILE0001 ",
        LINK,
        f"{LINK}/churn.csv",
        f"{LINK}/churn%20data.csv?origin_team=T1",
        f"<{LINK}/churn.csv>",
        f"<{LINK}/churn.csv|churn.csv>",
        "https://lab.enterprise.slack.com/files/W0ADA00001/F0FILE0001/churn.csv",
        "https://files.slack.com/files-pri/T1-F0FILE0001/churn.csv",
        "https://files.slack.com/files-pri/T1-F0FILE0001/download/churn.csv",
    ],
)
def test_a_file_is_named_by_its_id_or_a_link(source: str) -> None:
    """As people copy it from Slack, and as Slack writes it."""
    assert id_in(source) == "F0FILE0001"


@pytest.mark.parametrize(
    "source",
    ["", "F", "f0file0001", "F0FILE0001.csv", "churn.csv", "https://lab.slack.com/archives/C1/p1", f"x{LINK}", "<F1|x"],
)
def test_other_words_name_none(source: str) -> None:
    """What has a suffix is a name in the data folder."""
    assert id_in(source) is None


@pytest.mark.parametrize(
    ("user", "places", "channel", "may"),
    [
        ("U0ADA00001", set(), "C1", True),
        ("U0BORA0001", {"C1"}, "C1", True),
        ("U0BORA0001", {"C2"}, "C1", False),
        ("U0BORA0001", set(), "C1", False),
        ("U0BORA0001", {""}, "", False),
        ("", set(), "C1", False),
    ],
)
def test_who_may_use_a_file(user: str, places: set[str], channel: str, may: bool) -> None:
    """Whoever uploaded it, and whoever asks in a conversation in which it is shared: nobody else."""
    file = SharedFile(id="F1", name="a.csv", size=1, user=user, places=frozenset(places))
    assert may_use(file, ADA, channel) is may
    assert not may_use(file, Actor(), "C9")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("churn.csv", "churn.csv"),
        ("../../etc/passwd.csv", "passwd.csv"),
        ("a\\b.csv", "b.csv"),
        (".hidden.csv", "hidden.csv"),
        ("two\nlines.csv", "two_lines.csv"),
        ("\u202evsc.exe.csv", "_vsc.exe.csv"),
        ("리뷰 2026.jsonl", "리뷰 2026.jsonl"),
    ],
)
def test_a_name_of_slacks_becomes_a_plain_one(name: str, plain: str) -> None:
    """Folders, hidden names and signs that cannot be shown do not get in; the suffix stays."""
    assert plain_name(name) == plain


def test_a_long_name_keeps_its_suffix() -> None:
    """By which a provider knows what it is."""
    name = plain_name("x" * 300 + ".jsonl")
    assert (len(name) <= MOST_NAME, name[-6:]) == (True, ".jsonl")
