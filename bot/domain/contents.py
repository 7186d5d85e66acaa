"""What a message shows, as values: the edge turns them into Slack's blocks at the moment of sending."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from bot.domain.approvals import Prompt
from bot.domain.attention import Wishes
from bot.domain.changes import Button, Say
from bot.domain.forecast import Forecast
from bot.domain.jobs import Job, Transition
from bot.domain.recurring import Schedule

Names: TypeAlias = Mapping[str, str]
"""The people who are not to be mentioned, by their ids: each with the name that stands there instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file in a conversation. `url` opens it there, for those who may read the conversation; `size` in bytes."""

    name: str
    size: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The one card of a job. `notes` are sentences on what the state means here; `last` is the latest move.

    `since` is the move by which the training came to be at the service, while it is there; `took` how long it was
    there, once it is trained; `forecast` when it may end. `twin` is the latest earlier training of the same model with
    the same file. `page` is its address at the service, "" where none is known.
    """

    job: Job
    title: str
    last: Transition | None
    since: Transition | None = None
    took: timedelta | None = None
    forecast: Forecast | None = None
    twin: Job | None = None
    notes: tuple[str, ...] = ()
    buttons: tuple[Button, ...] = ()
    result: Attachment | None = None
    page: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One move, as a line in the card's thread. An end mentions who asked, but for those whom `names` has."""

    job: Job
    title: str
    transition: Transition
    is_end: bool
    names: Names = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt with what it is about; closed in place when it is no longer open.

    `evidence` compares with what serves now, its texts escaped already; `notes` say what hinders an answer; `buttons`
    are what can be done once it is closed; `result` is the file that the training left; `names` as in a Line.
    """

    prompt: Prompt
    job: Job
    title: str
    facts: tuple[tuple[str, str], ...]
    consequence: str
    notes: tuple[str, ...] = ()
    evidence: tuple[tuple[str, str], ...] = ()
    buttons: tuple[Button, ...] = ()
    result: Attachment | None = None
    names: Names = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A prompt that still waits, told in its thread. `calls` are the ids of those who are to look at it; `names` as
    in a Line."""

    prompt: Prompt
    job: Job
    title: str
    calls: tuple[str, ...]
    is_second: bool = False
    names: Names = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of a training, for who follows it: a move or a question. `url` leads to its message, "" where it has
    none. It mentions nobody."""

    job: Job
    title: str
    move: Transition | None = None
    prompt: Prompt | None = None
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The news of somebody's quiet hours, one of each training; `more` are those that do not fit."""

    told: tuple[Told, ...]
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A plain sentence."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An open question on somebody's Home. `checking` are the groups to read before it is known who decides it.

    `may_withdraw`: this person is the one who asked.
    """

    question: Question
    checking: tuple[str, ...] = ()
    may_withdraw: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A training in a list, with what this reader can do with it."""

    job: Job
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurring:
    """A recurring training in a list. `may_stop`: this reader may end it, as far as that is known."""

    schedule: Schedule
    title: str
    may_stop: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """Somebody's Home tab. The counts are of all that there are, of which the lists hold the first.

    `said` answers what was pressed here last, at `said_at`. Somebody who is not let in (`is_shut`) sees nothing else.
    """

    said: Say | None = None
    said_at: datetime | None = None
    is_shut: bool = False
    waiting: tuple[Waiting, ...] = ()
    waiting_count: int = 0
    mine: tuple[Entry, ...] = ()
    mine_count: int = 0
    others: tuple[Entry, ...] = ()
    others_count: int = 0
    ended: tuple[Entry, ...] = ()
    wishes: Wishes | None = None
    recurring: tuple[Recurring, ...] = ()
    recurring_count: int = 0


Content: TypeAlias = Card | Line | Question | Reminder | Told | Digest | Note
