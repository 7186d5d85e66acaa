"""What a step writes: a moved job, its transition, the prompt it opens or closes, and the messages to tell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.approvals import Prompt
from bot.domain.jobs import Job, Transition
from bot.domain.requests import Json
from bot.sentences import Text


class NoticeKind(StrEnum):
    """What a message is. All but REDRAW, TOLD and HOME are posted once into a conversation."""

    CARD = "card"  # the one card of a job
    LINE = "line"  # a line in the card's thread
    END = "end"  # the last line: mentions the requester, shown in the channel too
    PROMPT = "prompt"  # a question with buttons
    REMINDER = "reminder"  # in the thread of a prompt that nobody has answered; not sent once it is closed
    FILE = "file"  # the file that a training left, in the card's thread
    EXPORT = "export"  # the history as a file, into the direct message of who asked for it; belongs to no job
    HEALTH = "health"  # a service went away or came back; belongs to no job
    REDRAW = "redraw"  # an edit of a message that was posted before
    TOLD = "told"  # an answer that only one person sees, through a response_url
    NEWS = "news"  # what came of a training, told to who follows it; not where the training's own messages stand
    DIGEST = "digest"  # the news of somebody's quiet hours, in one message after them
    HOME = "home"  # somebody's Home tab is to be drawn; two of them are one


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to be delivered. `key` is unique: the same thing is never told twice.

    A notice of a job goes to the job's place, one without a job to `channel`. `body` says what to render (the seq of a
    transition, the id of a prompt, a text); the rest is read from the store at the moment of sending. `in_doubt`: an
    earlier attempt may have posted it, so it is looked up first. `is_held`: its conversation does not take it. Notices
    of one `lane` go out one after the other.
    """

    id: str
    key: str
    kind: NoticeKind
    lane: str
    try_at: datetime
    job_id: str | None = None
    channel: str = ""
    body: Mapping[str, Json] = field(default_factory=dict)
    attempts: int = 0
    first_tried_at: datetime | None = None
    in_doubt: bool = False
    is_held: bool = False
    sent_ts: str | None = None
    sent_to: str = ""
    error: str = ""


OVERTAKEN = "overtaken"
"""Why a message was not sent that had waited until what it says no longer held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A button in an answer. `action` is what it does, `value` what it is about."""

    label: Text
    action: str
    value: str
    is_primary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """An answer that only the person who asked sees."""

    text: Text
    buttons: tuple[Button, ...] = ()


NOTHING = Say(text="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All of it or none of it, and only if the job still has `expected` as its version.

    Without a transition it is bookkeeping: the job's `look`, `act_at`, `remote_id` and `switch` are written, the
    version stays. A job's `place` is never written by a change (see `bot.ports.Store.release`).

    A prompt that it closes still has to be open, and of the version before. With `asks_once`, no question like those
    that it opens may be open for the job: of several who ask at once one does.

    With `begins_switch`, no switch may have been noted for the job: of several who would send it one does. Bookkeeping
    that knows of no switch never writes over one that was noted.
    """

    job: Job
    expected: int
    transition: Transition | None = None
    opens: tuple[Prompt, ...] = ()
    closes: tuple[Prompt, ...] = ()
    notices: tuple[Notice, ...] = ()
    asks_once: bool = False
    begins_switch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What happens to prompts alone, all of it or none: a vote more, a reminder, a fresh one for an outdated one.

    Each of `writes` still has to be open, and of the version before; it may stay open or be closed.
    """

    writes: tuple[Prompt, ...]
    opens: tuple[Prompt, ...] = ()
    notices: tuple[Notice, ...] = ()
