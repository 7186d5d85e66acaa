"""The states of a job. Everything that moves a job lives here, and nothing here knows who is asking.

Two vocabularies stay apart: `Phase` is all that a *service* can say of a training, `JobState` is what *we* hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.requests import Actor, Json, Plan, TrainRequest
from bot.errors import IllegalMoveError
from bot.sentences import Text, _


class Phase(StrEnum):
    """What a service says of a training."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    TRAINED = "trained"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """What we hold of a job."""

    CHECKING = "checking"
    PROPOSED = "proposed"  # waits for a yes before the start
    APPROVED = "approved"
    STARTING = "starting"  # the one start may be under way
    UNSURE = "unsure"  # it may have started: look, then ask
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    OFFERED = "offered"  # trained, waits for a yes before the switch
    PROMOTING = "promoting"
    UNSURE_SWITCH = "unsure_switch"  # the switch may have happened: look, then ask
    DONE = "done"
    PROMOTED = "promoted"  # the service accepted the switch; that it serves was not seen
    LIVE = "live"  # seen serving
    REJECTED = "rejected"
    EXPIRED = "expired"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"


_STATES: Mapping[JobState, str] = {
    # NOTE: what a training is; this and the following words stand alone, or after a comma
    JobState.CHECKING: _("checking"),
    JobState.PROPOSED: _("proposed"),
    JobState.APPROVED: _("approved"),
    JobState.STARTING: _("starting"),
    JobState.UNSURE: _("unsure"),
    JobState.QUEUED: _("queued"),
    JobState.RUNNING: _("running"),
    JobState.CANCELLING: _("cancelling"),
    JobState.OFFERED: _("offered"),
    JobState.PROMOTING: _("promoting"),
    # NOTE: it is not clear whether the switch was applied
    JobState.UNSURE_SWITCH: _("unsure_switch"),
    JobState.DONE: _("done"),
    JobState.PROMOTED: _("promoted"),
    JobState.LIVE: _("live"),
    JobState.REJECTED: _("rejected"),
    JobState.EXPIRED: _("expired"),
    JobState.FAILED: _("failed"),
    JobState.CANCELLED: _("cancelled"),
    JobState.LOST: _("lost"),
}


def say_state(state: JobState) -> str:
    """The word for a state as it stands in a sentence."""
    return _STATES[state]


class Event(StrEnum):
    """What can happen to a job."""

    PASS = "passes"
    PROPOSE = "needs an approval"
    REFUSE = "is refused"
    APPROVE = "is approved"
    REJECT = "is rejected"
    EXPIRE = "expires"
    CANCEL = "is cancelled"
    START = "starts"
    ACCEPT = "is accepted"
    NOT_SENT = "was surely not sent"
    DOUBT = "has an unclear answer"
    FIND = "is found running"
    AGAIN = "is to be started again"
    GIVE_UP = "is given up"
    QUEUE = "waits at the service"
    RUN = "runs"
    STOP = "is to be cancelled"
    OFFER = "is trained, offered"
    FINISH = "is trained"
    FAIL = "fails"
    LOSE = "is not known to the service"
    PROMOTE = "is to be switched"
    SEE = "is seen serving"
    APPLY = "is applied"
    NOT_APPLIED = "was surely not applied"
    OFFER_AGAIN = "is offered again"
    WATCH_ON = "is watched on"


S, E = JobState, Event

_AT_SERVICE: dict[Event, JobState] = {
    E.OFFER: S.OFFERED,
    E.FINISH: S.DONE,
    E.FAIL: S.FAILED,
    E.CANCEL: S.CANCELLED,
    E.LOSE: S.LOST,
}

TRANSITIONS: Mapping[JobState, Mapping[Event, JobState]] = {
    S.CHECKING: {E.PROPOSE: S.PROPOSED, E.PASS: S.APPROVED, E.REFUSE: S.FAILED, E.CANCEL: S.CANCELLED},
    S.PROPOSED: {E.APPROVE: S.APPROVED, E.REJECT: S.REJECTED, E.EXPIRE: S.EXPIRED, E.CANCEL: S.CANCELLED},
    S.APPROVED: {E.START: S.STARTING, E.CANCEL: S.CANCELLED, E.EXPIRE: S.EXPIRED},
    S.STARTING: {E.ACCEPT: S.QUEUED, E.NOT_SENT: S.APPROVED, E.DOUBT: S.UNSURE, E.REFUSE: S.FAILED},
    S.UNSURE: {E.FIND: S.QUEUED, E.AGAIN: S.APPROVED, E.GIVE_UP: S.FAILED},
    S.QUEUED: {E.RUN: S.RUNNING, E.STOP: S.CANCELLING, **_AT_SERVICE},
    S.RUNNING: {E.QUEUE: S.QUEUED, E.STOP: S.CANCELLING, **_AT_SERVICE},
    S.CANCELLING: {E.RUN: S.RUNNING, **_AT_SERVICE},
    S.OFFERED: {E.PROMOTE: S.PROMOTING, E.REJECT: S.REJECTED, E.EXPIRE: S.EXPIRED},
    S.PROMOTING: {E.SEE: S.LIVE, E.APPLY: S.PROMOTED, E.NOT_APPLIED: S.OFFERED, E.DOUBT: S.UNSURE_SWITCH},
    S.UNSURE_SWITCH: {E.SEE: S.LIVE, E.APPLY: S.PROMOTED, E.NOT_APPLIED: S.OFFERED},
    S.DONE: {E.SEE: S.LIVE},
    S.EXPIRED: {E.OFFER_AGAIN: S.OFFERED},
    S.REJECTED: {E.OFFER_AGAIN: S.OFFERED},
    S.FAILED: {E.WATCH_ON: S.RUNNING},
    S.PROMOTED: {},
    S.LIVE: {},
    S.CANCELLED: {},
    S.LOST: {},
}

ENDS = frozenset({S.DONE, S.PROMOTED, S.LIVE, S.REJECTED, S.EXPIRED, S.FAILED, S.CANCELLED, S.LOST})
"""States that end a job: nothing happens any more unless a person (or, after DONE, a look) revives it."""

SWITCHED = frozenset({S.PROMOTED, S.LIVE})
"""States of a training that was switched to: what serves, or served once."""

BEFORE_THE_START = frozenset({S.CHECKING, S.PROPOSED, S.APPROVED})
"""States in which nothing was sent yet."""

AT_SERVICE = frozenset({S.QUEUED, S.RUNNING, S.CANCELLING})
"""States in which the service is asked how the training goes."""


TRAINED_AT = "trained_at"
"""The note of when a look first saw the training finished, ISO 8601."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStatus:
    """What a service said when it was looked at.

    `phase` None is a word that we do not know: no move. `word` is the service's own, verbatim; `is_known` False has
    it told once. `progress` is a percentage, 0 to 100, where the scale is certain. `parts` are the lines of a job that
    holds several trainings. `result` is what a finished training left (a state id, a model id, a score). `is_live`
    None says nothing, True that the result was seen serving.
    """

    phase: Phase | None
    word: str
    is_known: bool = True
    detail: Text = ""
    progress: float | None = None
    metrics: Mapping[str, Json] = field(default_factory=dict)
    parts: tuple[tuple[Text, Text], ...] = ()
    result: Mapping[str, Json] = field(default_factory=dict)
    is_live: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the last looks saw: bookkeeping, which never makes a waiting click stale.

    `looks` and `failures` count since the state was entered, `failures` in a row; `told` are the words and notes that
    were already told; `lost_since` is the time of the first not-found in a row of `lost` of them; `limit_at` is when a
    person is asked whether to go on; `notes` is what the launch, the switch and the result leave for later steps.
    """

    at: datetime | None = None
    looks: int = 0
    failures: int = 0
    error: Text = ""
    status: RemoteStatus | None = None
    told: tuple[str, ...] = ()
    lost: int = 0
    lost_since: datetime | None = None
    limit_at: datetime | None = None
    notes: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One training, from the wish to its end.

    `claim` is what was read at the service right before the start, so that it can be found afterwards; `remote_id` is
    the service's id once known; `switch` is what was live before the switch (empty: nothing was sent yet).
    `act_at` is when the next step is due, None when nobody has to do anything. `place` is the conversation that holds
    its card (`U…` until that person's direct message is opened). `look` is unversioned.
    """

    id: str
    request: TrainRequest
    state: JobState
    created_at: datetime
    state_at: datetime
    place: str = ""
    version: int = 1
    previous: JobState | None = None
    plan: Plan | None = None
    claim: Mapping[str, Json] | None = None
    remote_id: str | None = None
    switch: Mapping[str, Json] | None = None
    act_at: datetime | None = None
    look: Look = Look()

    @property
    def has_ended(self) -> bool:
        return self.state in ENDS

    @property
    def was_offered(self) -> bool:
        """An offer that was rejected or ran out can be made again."""
        return self.state in (S.REJECTED, S.EXPIRED) and self.previous is S.OFFERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One move of a job; append-only. `seq` counts from 1 within the job."""

    job_id: str
    seq: int
    at: datetime
    old: JobState | None
    new: JobState
    event: Event | None
    actor: Actor
    reason: Text = ""


def advance(job: Job, event: Event, *, at: datetime, actor: Actor, reason: str = "") -> tuple[Job, Transition]:
    """Move a job one step along the table. Raises IllegalMoveError, and nothing changes, where the table has no row.

    The moved job is due at once; its counters start anew.
    """
    new = TRANSITIONS[job.state].get(event)
    if new is None:
        raise IllegalMoveError(f"Job {job.id} is {job.state.value}; it cannot be said that it {event.value}.")
    look = replace(job.look, looks=0, failures=0, error="", lost=0, lost_since=None)
    moved = replace(job, state=new, previous=job.state, state_at=at, version=job.version + 1, act_at=at, look=look)
    transition = Transition(
        job_id=job.id, seq=moved.version, at=at, old=job.state, new=new, event=event, actor=actor, reason=reason
    )
    return moved, transition


_OBSERVED: Mapping[JobState, Mapping[Phase, Event]] = {
    S.QUEUED: {Phase.RUNNING: E.RUN},
    S.RUNNING: {Phase.QUEUED: E.QUEUE},
    S.CANCELLING: {},
}

_ENDED: Mapping[Phase, Event] = {Phase.FAILED: E.FAIL, Phase.CANCELLED: E.CANCEL}


def observe(job: Job, seen: RemoteStatus, *, has_switch: bool) -> Event | None:
    """The event that a look stands for, None where nothing moves. `has_switch`: the gate comes after the training."""
    if job.state is S.DONE:
        return E.SEE if seen.is_live else None
    if job.state not in AT_SERVICE or seen.phase is None:
        return None
    if seen.phase is Phase.TRAINED:
        return E.OFFER if has_switch else E.FINISH
    return _ENDED.get(seen.phase) or _OBSERVED[job.state].get(seen.phase)
