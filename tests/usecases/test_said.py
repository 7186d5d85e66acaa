"""What use cases say in one of several whole sentences."""

from datetime import time

import pytest

from bot.domain.attention import About
from bot.domain.jobs import JobState, say_state
from bot.domain.policy import Quiet
from bot.errors import MessengerError
from bot.sentences import Sentence
from bot.usecases.following import say_about, say_quiet
from bot.usecases.share import say_refusal

OURS = "in the time zone of your Slack profile"


@pytest.mark.parametrize(
    ("quiet", "zone", "said"),
    [
        (Quiet(begins=time(19), ends=time(8)), "", f"from 19:00 to 08:00 {OURS}"),
        (Quiet(begins=time(0), ends=time(0), days=(5,)), "", f"the whole of Saturday {OURS}"),
        (
            Quiet(begins=time(19), ends=time(8), days=(5, 6)),
            "Asia/Seoul",
            "from 19:00 to 08:00 and the whole of Saturday, Sunday (Asia/Seoul, the time zone of your Slack profile)",
        ),
    ],
)
def test_quiet_hours_are_told_with_their_clock(quiet: Quiet, zone: str, said: str) -> None:
    """Hours, whole days or both, and by whose clock."""
    assert say_quiet(quiet, zone) == said


def test_what_is_followed_is_told_by_what_it_names() -> None:
    """A service, a model, both or neither."""
    about = [About(), About(provider="sony"), About(model="churn*"), About(provider="sony", model="churn*")]
    assert list(map(say_about, about)) == [
        "all trainings",
        "the trainings at `sony`",
        "the trainings whose model fits `churn*`",
        "the trainings at `sony` whose model fits `churn*`",
    ]


def test_a_refused_file_is_told_with_one_full_stop() -> None:
    """Whether the words are ours, or Slack's with or without one."""
    ours = MessengerError("no", code="file_uploads_disabled")
    assert say_refusal(ours) == "the workspace allows no files."
    assert [say_refusal(MessengerError(text)) for text in ("It is odd.", "odd_word")] == ["It is odd.", "odd_word."]


def test_each_state_has_a_word_that_can_be_translated() -> None:
    """In English it is the word that filters are given."""
    assert [say_state(state) for state in JobState] == [state.value for state in JobState]
    assert all(isinstance(say_state(state), Sentence) for state in JobState)
