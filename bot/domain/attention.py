"""Who is told what beside the conversation of a training, and when somebody is not to be called. Pure.

A message of a training stands in its own conversation, whoever follows it. What is decided here is who hears of it
elsewhere, and whom it calls by a name instead of a mention.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.approvals import GATES, Prompt
from bot.domain.changes import Change, NoticeKind
from bot.domain.jobs import ENDS, Job, JobState, Transition
from bot.domain.policy import Quiet, fits_pattern
from bot.domain.requests import Json

MOST_FOLLOWS = 20
"""So many wishes one person, or one channel, can have."""
MOST_MUTES = 20

FAILURES = frozenset({JobState.FAILED, JobState.LOST})
_TOLD_WITH = frozenset({NoticeKind.CARD, NoticeKind.LINE, NoticeKind.END})
"""A move with such a message is told; another one is bookkeeping that the card shows."""


class Topic(StrEnum):
    """What of a training somebody wants to hear of."""

    ALL = "all"
    ENDS = "ends"
    FAILURES = "failures"
    APPROVALS = "approvals"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Which trainings: of one service, with a pattern for the model (`*`, `?`, `[…]`, without case). Empty is any."""

    provider: str = ""
    model: str = ""

    def fits(self, provider: str, model: str) -> bool:
        return self.provider in ("", provider) and (not self.model or fits_pattern(self.model, model))


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """The wish to be told. `target` is a person (U…, W…), told in the direct message, or a channel (C…, G…).

    `by` is who wished it at `at`; it holds for the trainings of one workspace.
    """

    id: str
    team: str
    target: str
    about: About = About()
    topic: Topic = Topic.ENDS
    by: str = ""
    at: datetime | None = None

    def fits(self, news: "News") -> bool:
        return self.team == news.team and self.topic in news.topics and self.about.fits(news.provider, news.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """From `since` until `until` somebody is not called about one training, or about those that `about` fits."""

    id: str
    until: datetime
    since: datetime
    job_id: str = ""
    about: About = About()

    def holds(self, job: Job, at: datetime) -> bool:
        is_meant = job.id == self.job_id if self.job_id else self.about.fits(job.request.provider, job.request.model)
        return is_meant and self.since <= at < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """When one person is not to be called. `quiet` counts in the person's own time zone, whatever its `zone` says."""

    user: str
    mutes: tuple[Mute, ...] = ()
    quiet: Quiet | None = None

    def is_muted(self, job: Job, at: datetime) -> bool:
        return any(mute.holds(job, at) for mute in self.mutes)

    def is_quiet(self, at: datetime, zone: str) -> bool:
        return self.quiet is not None and replace(self.quiet, zone=zone or "UTC").holds(at)

    def is_silent(self, job: Job, at: datetime, zone: str, *, passes: bool) -> bool:
        """Is this person named instead of mentioned? `passes`: the policy lets this through quiet hours."""
        return self.is_muted(job, at) or (not passes and self.is_quiet(at, zone))

    def at_work(self, now: datetime) -> "Habits":
        """Without the mutes that are over."""
        return replace(self, mutes=tuple(mute for mute in self.mutes if mute.until > now))


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What came of a training at `at`: a move, or a question. `key` is unique to it.

    `body` leads back to it. `calls` are the people whom its own message mentions by name: they are told elsewhere only
    of what they were not called for in their quiet hours.
    """

    key: str
    team: str
    provider: str
    model: str
    place: str
    at: datetime
    topics: frozenset[Topic] = frozenset()
    body: Mapping[str, Json] = field(default_factory=dict)
    calls: tuple[str, ...] = ()

    def targets(self, follows: Iterable[Follow]) -> tuple[str, ...]:
        """Each once who follows it; not the conversation in which it stands."""
        found = dict.fromkeys(one.target for one in follows if one.fits(self))
        return tuple(target for target in found if target != self.place)


def news_of(change: Change) -> tuple[News, ...]:
    """What a change brings that can be followed."""
    move = change.transition
    moves = [news_of_move(change.job, move)] if move is not None and _is_told(change) else []
    return (*moves, *(news_of_question(change.job, prompt) for prompt in change.opens))


def _is_told(change: Change) -> bool:
    return any(notice.kind in _TOLD_WITH for notice in change.notices)


def news_of_move(job: Job, move: Transition) -> News:
    return replace(
        _about(job),
        key=f"{job.id}:{move.seq}",
        topics=topics_of(move.new),
        at=move.at,
        body={"job": job.id, "seq": move.seq},
        calls=(job.request.actor.user,) if move.new in ENDS else (),
    )


def news_of_question(job: Job, prompt: Prompt) -> News:
    return replace(
        _about(job),
        key=f"prompt:{prompt.id}",
        topics=frozenset({Topic.ALL, Topic.APPROVALS} if prompt.subject in GATES else {Topic.ALL}),
        at=prompt.asked_at,
        body={"job": job.id, "prompt": prompt.id},
        calls=called_by(job, prompt),
    )


def _about(job: Job) -> News:
    wish = job.request
    return News(
        key=job.id, team=wish.actor.team, provider=wish.provider, model=wish.model, place=job.place, at=job.state_at
    )


def topics_of(state: JobState) -> frozenset[Topic]:
    """Under which topics a move to this state falls."""
    ends = {Topic.ENDS} if state in ENDS else set()
    failures = {Topic.FAILURES} if state in FAILURES else set()
    return frozenset({Topic.ALL, *ends, *failures})


def called_by(job: Job, prompt: Prompt) -> tuple[str, ...]:
    """The people whom a question mentions by name: who is asked, and who asked."""
    asker = prompt.asker or job.request.actor
    people = prompt.rule.people if prompt.subject in GATES else ()
    return tuple(dict.fromkeys(id_ for id_ in (*people, asker.user) if id_))


def is_person(target: str) -> bool:
    return target.startswith(("U", "W"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """All that one person wished for: what is followed, in the direct message or by the channels where they asked for
    it, and the habits. `zone` is their time zone, "" where it was not read yet."""

    follows: tuple[Follow, ...] = ()
    habits: Habits
    zone: str = ""
