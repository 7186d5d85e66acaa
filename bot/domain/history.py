"""What is kept of one training, as a whole, and how long each part of it took."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from bot.domain.approvals import Outcome, Prompt
from bot.domain.jobs import ENDS, Job, JobState, Transition


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
