"""What a chart is drawn of: the scores of a model's trainings, and how long trainings took."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import Any

from bot.domain.forecast import took
from bot.domain.history import Story
from bot.domain.jobs import Job, JobState, Phase

TRAINED = frozenset(
    {
        JobState.OFFERED,
        JobState.PROMOTING,
        JobState.UNSURE_SWITCH,
        JobState.DONE,
        JobState.PROMOTED,
        JobState.LIVE,
        JobState.REJECTED,
        JobState.EXPIRED,
    }
)
"""States of trainings that their service may have finished: one may be rejected, or run out, before its start too."""


# -- scores -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A training with the scores that its service told."""

    job: Job
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoreboard:
    """Trainings that have a score in common, oldest first.

    `names` are the scores that every one of them has, the one that most trainings told first; `partly` those that some
    lack. `left` counts older trainings with scores that did not fit, and those without the common one.
    """

    trainings: tuple[Scored, ...] = ()
    names: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    left: int = 0


def scores_of(job: Job) -> Mapping[str, float]:
    """What the service told last of a training that is a score: a fraction. An id or a count is none."""
    metrics = job.look.status.metrics if job.look.status else {}
    return {name: value for name, value in metrics.items() if isinstance(value, float) and math.isfinite(value)}


def final_scores_of(job: Job) -> Mapping[str, float]:
    """The scores of a training that its service had finished when it was looked at last."""
    is_final = job.look.status is not None and job.look.status.phase is Phase.TRAINED
    return scores_of(job) if is_final else {}


def scoreboard(jobs: Iterable[Job], most: int) -> Scoreboard:
    """The scores of the newest trainings, at most so many; `jobs` come newest first."""
    told = [Scored(job=job, scores=scores) for job in jobs if (scores := final_scores_of(job))]
    counts = Counter(name for one in told for name in one.scores)
    if not counts:
        return Scoreboard()
    common = max(counts, key=lambda name: counts[name])
    kept = [one for one in told if common in one.scores][:most]
    names = dict.fromkeys([common, *(name for one in kept for name in one.scores)])
    shared = [name for name in names if all(name in one.scores for one in kept)]
    return Scoreboard(
        trainings=tuple(reversed(kept)),
        names=tuple(shared),
        partly=tuple(name for name in names if name not in shared),
        left=len(told) - len(kept),
    )


def scales(board: Scoreboard) -> tuple[tuple[str, ...], ...]:
    """The common scores in one or two groups: those between 0 and 1 are lost beside larger ones."""

    def is_share(name: str) -> bool:
        return all(0 <= one.scores[name] <= 1 for one in board.trainings)

    shares = tuple(name for name in board.names if is_share(name))
    others = tuple(name for name in board.names if name not in shares)
    return tuple(group for group in (shares, others) if group)


# -- durations --------------------------------------------------------------------------------------------------------


class Per(StrEnum):
    """What stands beside each other in a chart of durations."""

    PROVIDER = "provider"
    WEEK = "week"
    TRAINING = "training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """A finished training, and how long its service took for it."""

    job: Job
    lasted: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Trainings that are told as one: `of` is a provider, the Monday of a week in UTC, or a training's id."""

    of: Any
    spells: tuple[Spell, ...] = field(default=())

    @property
    def middle(self) -> timedelta:
        return timedelta(seconds=median(one.lasted.total_seconds() for one in self.spells))

    @property
    def longest(self) -> timedelta:
        return max(one.lasted for one in self.spells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long trainings took, oldest first (providers: by name); `left` counts those that did not fit."""

    per: Per
    bars: tuple[Bar, ...]
    left: int = 0


def spells_of(stories: Iterable[Story]) -> list[Spell]:
    """The trainings of which both the acceptance and the end were seen, in the order of the stories."""
    lasted = ((told.job, took(told.moves)) for told in stories)
    return [Spell(job=job, lasted=time) for job, time in lasted if time is not None]


def durations(spells: Sequence[Spell], most: int) -> Durations:
    """Providers beside each other; of one provider its trainings, where they are many its weeks. Newest first."""
    per = _per(spells, most)
    bars = _grouped(spells, _KEYS[per])
    kept = sorted(bars, key=lambda bar: str(bar.of))[:most] if per is Per.PROVIDER else bars[:most][::-1]
    return Durations(per=per, bars=tuple(kept), left=len(spells) - sum(len(bar.spells) for bar in kept))


def _per(spells: Sequence[Spell], most: int) -> Per:
    if len({one.job.request.provider for one in spells}) > 1:
        return Per.PROVIDER
    return Per.TRAINING if len(spells) <= most else Per.WEEK


def _grouped(spells: Iterable[Spell], key: Callable[[Spell], Any]) -> list[Bar]:
    found: dict[Any, list[Spell]] = {}
    for one in spells:
        found.setdefault(key(one), []).append(one)
    return [Bar(of=of, spells=tuple(those)) for of, those in found.items()]


def week_of(at: datetime) -> date:
    """The Monday of its week."""
    return at.date() - timedelta(days=at.weekday())


_KEYS: Mapping[Per, Callable[[Spell], Any]] = {
    Per.PROVIDER: lambda one: one.job.request.provider,
    Per.WEEK: lambda one: week_of(one.job.created_at),
    Per.TRAINING: lambda one: one.job.id,
}
