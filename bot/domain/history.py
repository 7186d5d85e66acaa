"""What is kept of one training, as a whole, and how long each part of it took."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from bot.domain.approvals import Outcome, Prompt
from bot.domain.jobs import ENDS, TRAINED_AT, Event, Job, JobState, Transition
from bot.sentences import _, joined


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A job with its moves, by number, and its questions, oldest first."""

    job: Job
    moves: tuple[Transition, ...] = ()
    prompts: tuple[Prompt, ...] = ()

    @property
    def ended_at(self) -> datetime | None:
        return self.job.state_at if self.job.has_ended else None

    def decisions(self) -> list[Prompt]:
        """The questions that somebody answered, in the order of their answers."""
        answered = [prompt for prompt in self.prompts if prompt.outcome is Outcome.ANSWERED]
        return sorted(answered, key=lambda prompt: prompt.closed_at or prompt.asked_at)


class Span(StrEnum):
    """What the time of a training is spent on."""

    CHECKING = "checking"
    PEOPLE = "people"  # waiting for an approval
    STARTING = "starting"  # also while it is unclear whether it started
    QUEUED = "queued"
    TRAINING = "training"
    SWITCHING = "switching"
    TOTAL = "total"  # from the command to the end, else to now


_SPENT_ON: Mapping[JobState, Span] = {
    JobState.CHECKING: Span.CHECKING,
    JobState.PROPOSED: Span.PEOPLE,
    JobState.APPROVED: Span.STARTING,
    JobState.STARTING: Span.STARTING,
    JobState.UNSURE: Span.STARTING,
    JobState.QUEUED: Span.QUEUED,
    JobState.RUNNING: Span.TRAINING,
    JobState.CANCELLING: Span.TRAINING,
    JobState.OFFERED: Span.PEOPLE,
    JobState.PROMOTING: Span.SWITCHING,
    JobState.UNSURE_SWITCH: Span.SWITCHING,
}
"""The time after an end counts for nothing, also where the training was taken up again."""


def spans(story: Story, now: datetime) -> dict[Span, timedelta]:
    """How long each part took so far. A clock that was set back makes a part shorter, never negative."""
    spent = dict.fromkeys(Span, timedelta())
    for state, since, until in _stays(story, now):
        if state not in ENDS:
            spent[_SPENT_ON[state]] += max(until - since, timedelta())
    spent[Span.TOTAL] = max((story.ended_at or now) - story.job.created_at, timedelta())
    return spent


def _stays(story: Story, now: datetime) -> Iterator[tuple[JobState, datetime, datetime]]:
    """Each state in which the job was, since when and until when."""
    for move, following in pairwise(story.moves):
        yield move.new, move.at, following.at
    if story.moves:
        yield story.moves[-1].new, story.moves[-1].at, now


def training_time(job: Job, transitions: Iterable[Transition]) -> timedelta | None:
    """From the acceptance to the end of a training; None where one of them was not seen.

    The end is the one that the look noted: the move that follows it may not be written yet.
    """
    moves = list(transitions)
    began = next((one.at for one in reversed(moves) if one.event in (Event.ACCEPT, Event.FIND)), None)
    moved = next((one.at for one in moves if one.event in (Event.OFFER, Event.FINISH)), None)
    noted = job.look.notes.get(TRAINED_AT)
    ended = datetime.fromisoformat(noted) if isinstance(noted, str) else moved
    return ended - began if began and ended else None


def say_duration(span: timedelta) -> str:
    """A span as people say it: its two largest units."""
    seconds = max(0, round(span.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [
        # NOTE: Days, as in "3 d 4 h".
        (days, _("{count} d", count=days)),
        (hours, _("{count} h", count=hours)),
        (minutes, _("{count} min", count=minutes)),
        # NOTE: Seconds.
        (seconds, _("{count} s", count=seconds)),
    ]
    first = next((place for place, (count, _text) in enumerate(parts) if count), len(parts) - 1)
    return joined(" ", [text for count, text in parts[first : first + 2] if count]) or _("{count} s", count=0)
