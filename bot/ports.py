"""What the engine needs of the outside: providers, a store, Slack, the data folder. Written down as protocols."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from bot.domain.approvals import Answer, Group, Prompt
from bot.domain.arguments import Arguments, Choice, DataRule
from bot.domain.attention import Follow, Habits
from bot.domain.audit import Anchor, AuditKind, Entry, Record
from bot.domain.changes import Amendment, Change, Notice, NoticeKind, Say
from bot.domain.contents import Content, HomePage
from bot.domain.forecast import Earlier
from bot.domain.health import ServiceHealth
from bot.domain.history import Story
from bot.domain.jobs import AT_SERVICE, Job, JobState, RemoteStatus, Transition
from bot.domain.pace import Allowance, Pace
from bot.domain.people import Person
from bot.domain.policy import Act, Policy
from bot.domain.recurring import Schedule
from bot.domain.requests import Actor, Json, Payload, Plan, SourceFile, TrainRequest
from bot.domain.shared_files import SharedFile
from bot.errors import ProviderError
from bot.sentences import Text


class Gate(StrEnum):
    """The last moment before something changes for users."""

    BEFORE = "before"  # the start: what is trained goes live by itself
    AFTER = "after"  # the switch to the trained model
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Powers:
    """What a provider can do, as data: a card shows no button that the service lacks.

    `many` answers for many trainings in one call. `watches_live`: after the training, looks can see it serving.
    `one_at_a_time`: the service refuses a second training of the same model. `look_publishes`: looking at a finished
    training changes what users get. `failed_is_a_reading`: FAILED is our reading of an undocumented word. `switch` is
    what the policy calls the switch to the trained model; `one_way`: the service has no way back from it.
    `compared_by` is the argument that trainings with comparable scores have in common: "" is the model.
    """

    gate: Gate
    cancel: bool = False
    many: bool = False
    watches_live: bool = False
    one_at_a_time: bool = False
    look_publishes: bool = False
    failed_is_a_reading: bool = False
    switch: Act = Act.SWITCH
    one_way: bool = False
    compared_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A training as a provider is asked about it.

    `params` are those of the request (for a training started elsewhere: those of its reference), `last` what the last
    look saw. `remote_id` None: it was accepted, its id has still to be found.
    """

    job_id: str
    model: str
    params: Mapping[str, Json] = field(default_factory=dict)
    claim: Mapping[str, Json] = field(default_factory=dict)
    remote_id: str | None = None
    last: RemoteStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What was seen serving after a switch. `is_new`: the switch took effect.

    `parts` compare what identifies a model there: a label, what is served now, and what was before ("" where that is
    not known).
    """

    is_new: bool
    parts: tuple[tuple[Text, str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A training named in the service's own words."""

    model: str
    params: Mapping[str, Json]
    remote_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What `find` saw. `remote_id` only if exactly one candidate fits; `word` is shown to the person who is asked.

    `settle_after` (seconds) asks for more patience than usual before a person is asked.
    """

    remote_id: str | None = None
    word: Text = ""
    settle_after: float | None = None


class Provider(Protocol):
    """One training service. Every call raises ProviderError (see `bot.errors`) and nothing else.

    `name` is the word people type, `title` the vendor's, `listed` are the arguments and families for which it can say
    what there is. Pure members never touch the network or the disk.
    """

    name: str
    title: str
    arguments: Arguments
    powers: Powers
    data: DataRule | None
    listed: tuple[str, ...]

    def check(self, request: TrainRequest) -> None:
        """Pure: raise UsageError for what no data is needed to see (combinations of arguments, unknown models)."""

    def prepare(self, request: TrainRequest, files: Mapping[str, SourceFile], spool: Path) -> Payload | None:
        """Read the spooled files, by role, and say what will be sent; None for a service that takes no file.

        Runs in a thread. May write what it packs into `spool`, named by its sha-256. Raises DataError with the line.
        """

    async def held_data(self, plan: Plan) -> Sequence[tuple[str, str]]:
        """What the service tells of the data that it holds itself and that is trained with, as lines for people."""

    async def choices(self, argument: str, given: Mapping[str, str]) -> Sequence[Choice]:
        """What the service offers for one of `listed`; for a family, whole options `NAME=VALUE`.

        `given` are the texts of the other arguments so far. Empty where one that it takes is not among them.
        """

    def plan(self, request: TrainRequest, payload: Payload | None) -> Plan:
        """Pure: exactly what will be sent, and the lines that say so."""

    async def reserve(self, plan: Plan, job_id: str) -> Mapping[str, Json]:
        """Read, before the start, what `find` will need. Starts nothing. RejectedError refuses the training."""

    async def start(self, plan: Plan, claim: Mapping[str, Json], file: Path | None) -> str | None:
        """Start once; never repeat. The service's id, or None where it accepts without naming one."""

    def known_id(self, plan: Plan, claim: Mapping[str, Json]) -> str | None:
        """Pure: the service's id, where it is known before the start's answer; None where only the answer names it."""

    async def find(self, plan: Plan, claim: Mapping[str, Json], last: Found | None) -> Found:
        """Look whether a start with an unclear answer took effect; also for an accepted one without an id."""

    async def status(self, watched: Watched) -> RemoteStatus:
        """Look once. NotFoundError only for the documented not-found."""

    async def statuses(self, watched: Sequence[Watched]) -> Mapping[str, RemoteStatus | ProviderError]:
        """Look at many, by job id. Only with `powers.many`."""

    def group(self, watched: Watched) -> str:
        """Pure: trainings of one group can be answered by one call of `statuses`."""

    async def cancel(self, watched: Watched) -> None:
        """Ask the service to stop. Only with `powers.cancel`."""

    def can_see(self, watched: Watched) -> bool:
        """Pure: can it be seen, for this model, that the switch took effect?"""

    async def survey(self, watched: Watched) -> Mapping[str, Json]:
        """Read what is live before the switch. Empty where it cannot be read."""

    async def promote(self, watched: Watched) -> None:
        """Switch to the trained model, once; never repeat. Only with `Gate.AFTER`."""

    async def serving(self, watched: Watched, before: Mapping[str, Json]) -> Serving:
        """Look whether the switch took effect, and what serves now beside `before`. Only where `can_see`."""

    async def fetch_result(self, watched: Watched, target: Path) -> int | None:
        """Save the result file that the finished training left; its size in bytes, None where there is none."""

    def references(self, words: Mapping[str, str]) -> tuple[Reference, ...]:
        """Pure: the trainings that the words of `/status PROVIDER REF…` may mean, in the order to try them."""


class Work(StrEnum):
    """What may be due for a job, each with the states in which it is."""

    CHECK = "check"
    LAUNCH = "launch"
    SETTLE = "settle"
    POLL = "poll"
    PROMOTE = "promote"
    COLLECT = "collect"


DUE_IN: Mapping[Work, frozenset[JobState]] = {
    Work.CHECK: frozenset({JobState.CHECKING}),
    Work.LAUNCH: frozenset({JobState.APPROVED}),
    Work.SETTLE: frozenset({JobState.UNSURE, JobState.STARTING}),
    Work.POLL: frozenset({*AT_SERVICE, JobState.DONE}),
    Work.PROMOTE: frozenset({JobState.PROMOTING, JobState.UNSURE_SWITCH}),
    Work.COLLECT: frozenset({JobState.OFFERED}),
}


class Asked(StrEnum):
    """What became of a request."""

    NEW = "new"
    SAME = "same"  # an equal wish is at most a minute old and still alive
    BUSY = "busy"  # the service trains this model already, and takes one training at a time
    FULL = "full"  # the person has as many living trainings as one may have; the job is the oldest of them
    TOO_FAST = "too_fast"  # the person sent too many commands within a minute; nothing was kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """How a request was answered, and the job that was made or stands in the way (TOO_FAST: that would be made)."""

    asked: Asked
    job: Job


class Planned(StrEnum):
    """What became of a wish to train again and again."""

    NEW = "new"
    SAME = "same"  # an equal one of the same person in the same channel goes on already
    FULL = "full"  # the person has as many as one may have
    CROWDED = "crowded"  # as many as may be end in this channel
    TOO_FAST = "too_fast"  # the person sent too many commands within a minute; nothing was kept


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAnswer:
    """How it was answered, and the schedule that was made or stands in the way."""

    planned: Planned
    schedule: Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRun:
    """A run of a schedule whose time has come: `change` brings its job into the world.

    `started` is the schedule afterwards; `skipped` where something stands in the way, which `otherwise` tells of.
    """

    change: Change
    started: Schedule
    skipped: Schedule
    notices: tuple[Notice, ...] = ()
    otherwise: Mapping[Asked, Notice] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs of the history. `text` is looked for in model, id and parameters; empty fields do not filter."""

    team: str = ""
    place: str = ""
    user: str = ""
    provider: str = ""
    model: str = ""
    remote_id: str = ""
    states: frozenset[JobState] = frozenset()
    since: datetime | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """A message that does not stand where it should: `is_dropped` for good, `is_held` until its conversation takes it.

    What is neither waits for its next attempt. `error` is Slack's word, or ours.
    """

    kind: NoticeKind
    job_id: str | None
    is_dropped: bool
    is_held: bool
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """An answer to a prompt. `digest` is what the button carried; `url` (a secret) lets us answer later."""

    id: str
    prompt_id: str
    digest: str
    answer: Answer
    actor: Actor
    at: datetime
    reason: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """A question to a service about one training, to be answered through `url` (a secret, good for 30 minutes)."""

    id: str
    provider: str
    words: Mapping[str, str]
    actor: Actor
    channel: str
    url: str
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What is kept of somebody's Home tab: when it was opened last, and the answer to what was pressed there since.

    `shown` stands for what was published last, "" where that is not known. `is_shut`: pressed by somebody who was not
    let in, who is told that and nothing else.
    """

    actor: Actor
    opened_at: datetime
    said: Say | None = None
    said_at: datetime | None = None
    is_shut: bool = False
    shown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What somebody's Home is made of, read at one moment. The counts are of all, the lists hold the first.

    `asked` are all open questions, oldest first; `mine` and `others` live, newest first; `ended` the last ones first.
    """

    asked: tuple[tuple[Prompt, Job], ...] = ()
    mine: tuple[Job, ...] = ()
    mine_count: int = 0
    others: tuple[Job, ...] = ()
    others_count: int = 0
    ended: tuple[Job, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    schedule_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How much one person may have and ask: living trainings, commands a minute, and recurring trainings; of these
    also how many a channel may have. None is no limit."""

    living: int | None = None
    commands: int | None = None
    schedules: int | None = None
    schedules_here: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the bot is, in Slack's ids: its user and bot, its workspace and organisation. `token` is a digest of the
    token for which Slack told this."""

    token: str
    team: str
    user: str
    bot: str = ""
    enterprise: str = ""
    is_org_wide: bool = False


class Store(Protocol):
    """Everything that is kept. Each method is one transaction; when it returns, it is on disk."""

    async def request(
        self,
        change: Change,
        *,
        same_since: datetime,
        is_exclusive: bool,
        is_again: bool = False,
        url: str = "",
        caps: Caps = Caps(),
    ) -> Answered:
        """Keep a new job. The same request key is answered the same; `is_again` skips the look for an equal wish.

        A job that follows a training from its beginning (`remote_id`) is SAME as the living one that follows it.
        """

    async def asked_for(self, request_key: str) -> TrainRequest | None:
        """The wish that was answered with SAME under this key."""

    async def plan(
        self,
        schedule: Schedule,
        *,
        url: str = "",
        caps: Caps = Caps(),
        notices: Sequence[Notice] = (),
        records: Sequence[Record] = (),
    ) -> PlanAnswer:
        """Keep a schedule, with what is told of it. The same delivery (`request_key`) gets the same one.

        `url` (a secret) lets it be answered once its first time is known.
        """

    async def schedule(self, schedule_id: str) -> Schedule | None: ...

    async def schedules(self, team: str, *, place: str = "", user: str = "", limit: int = 20) -> list[Schedule]:
        """Those that have not ended, by their next time; empty texts do not filter, and a limit of -1 is none."""

    async def claim_schedules(self, now: datetime, lease_until: datetime, limit: int) -> list[Schedule]:
        """Those whose turn it is; nobody else gets them until the lease is over."""

    async def put_off(self, schedule_id: str, until: datetime) -> None:
        """Have its turn later, without a change."""

    async def answer_url(self, schedule_id: str) -> str:
        """Where who planned it can be answered; "" where that is too late."""

    async def amend_schedule(
        self, schedule: Schedule, *, notices: Sequence[Notice] = (), records: Sequence[Record] = ()
    ) -> bool:
        """Write a schedule over the version before; False, and nothing is written, where it has moved on."""

    async def run_schedule(
        self, run: DueRun, *, same_since: datetime, is_exclusive: bool, caps: Caps
    ) -> Answered | None:
        """Keep the job of a run together with the next time. None, and nothing is written, where the schedule has moved
        on: its run was somebody else's. What stands in the way of a request does here too."""

    async def claim_due(self, work: Work, now: datetime, lease_until: datetime, limit: int) -> list[Job]:
        """The jobs whose turn it is, earliest first; nobody else gets them until the lease is over."""

    async def apply(self, changes: Sequence[Change]) -> list[bool]:
        """Write all changes in one transaction; False for each whose job had moved on, which then leaves no trace."""

    async def resume(self, now: datetime) -> None:
        """After a restart: leases and taken notices of the former process are free, what was in flight is in doubt."""

    async def job(self, job_id: str) -> Job | None: ...

    async def jobs(self, wanted: JobFilter, *, offset: int = 0, limit: int = 20) -> list[Job]:
        """Newest first."""

    async def stories(self, wanted: JobFilter, *, after: Job | None = None, limit: int = 200) -> list[Story]:
        """Jobs with all that is kept of them, newest first: those that follow `after` in that order.

        Whatever is made or moves between two pages, each job that was there is on one of them, once.
        """

    async def in_states(self, states: frozenset[JobState]) -> list[Job]: ...

    async def needed_data(self) -> frozenset[str]:
        """The SHA-256 of the data that has to stay in the spool.

        That of trainings that have not ended or have an open question, and for each model that of the last training
        that was switched to and of the one before it, to which the prepared way back leads.
        """

    async def watched(self, provider: str, remote_id: str, model: str) -> Job | None:
        """The living job that follows this training; a `model` equal to the id is no name, and is not compared."""

    async def same_data(self, job: Job) -> Job | None:
        """The newest earlier training of the same model, of the same team, that was to send the very same file."""

    async def transitions(self, job_id: str) -> list[Transition]: ...

    async def earlier(self, job: Job) -> list[Earlier]:
        """What earlier trainings like this one took: of the same team and service, with data of about the same size.

        Those of the same model first, the latest first among them.
        """

    async def prompts(self, job_id: str) -> list[Prompt]:
        """Oldest first."""

    async def prompt(self, prompt_id: str) -> Prompt | None: ...

    async def open_prompts(self) -> list[Prompt]: ...

    async def amend(self, amendment: Amendment) -> bool:
        """Write prompts alone; False, and nothing is written, where one of them has moved on."""

    async def keep_click(self, click: Click) -> bool:
        """Hold a click until the groups that decide it are read; False where one of the same person on the same
        prompt is held already, which stays."""

    async def kept_clicks(self) -> list[Click]: ...

    async def drop_click(self, click_id: str) -> None: ...

    async def groups(self, ids: Sequence[str]) -> Mapping[str, Group]: ...

    async def save_group(self, group: Group) -> bool:
        """Keep what was read; False, and nothing is written, where the group changed since (see `Group.changes`)."""

    async def forget_group(self, id_: str) -> None:
        """The group has changed: the copy of its members is no longer good, nor what is being read of it now."""

    async def person(self, user: str) -> Person | None:
        """What was kept of somebody."""

    async def keep_person(self, person: Person) -> None: ...

    async def identity(self) -> Identity | None:
        """Who the bot was when Slack told it last."""

    async def keep_identity(self, identity: Identity | None) -> None:
        """Instead of what was kept; None forgets it."""

    async def health(self) -> Mapping[str, ServiceHealth]: ...

    async def save_health(self, health: ServiceHealth, notices: Sequence[Notice]) -> None: ...

    async def inquire(self, inquiry: Inquiry, *, caps: Caps = Caps()) -> bool:
        """Keep a question; False, and nothing is kept, where the person sent too many commands within a minute."""

    async def claim_inquiries(self, now: datetime, lease_until: datetime) -> list[Inquiry]: ...

    async def end_inquiry(self, inquiry_id: str, notice: Notice | None) -> None: ...

    async def tell(self, notices: Sequence[Notice]) -> None: ...

    async def take_notices(self, now: datetime, limit: int, edits: Allowance | None = None) -> list[Notice]:
        """Due notices. From now on each counts as possibly sent.

        Of what is posted the next one of each lane: ends and questions first, then the oldest. Then edits, which hold
        up nothing that is posted: one a message, no more than `edits` leaves, those of questions first, then those of
        trainings that have ended or are offered, then those that wait longest.
        """

    async def notice(self, key: str) -> Notice | None: ...

    async def sent(self, notice: Notice, *, ts: str, channel: str) -> None: ...

    async def keep_body(self, notice: Notice, *, records: Sequence[Record] = ()) -> None:
        """Write what a notice says: what its delivery has to know of itself when it is tried again.

        With it, what is to be on record before the delivery goes on.
        """

    async def ask_export(self, notice: Notice, actor: Actor, *, caps: Caps = Caps()) -> bool:
        """Keep the wish for an export; False, and nothing is kept, where the person sent too many commands."""

    async def put_back(self, notice: Notice, *, try_at: datetime, in_doubt: bool, error: str) -> None:
        """To be tried again. After an edit no other edit is taken before that time either."""

    async def hold(self, notice: Notice, error: str, told: Notice | None) -> None:
        """The conversation does not take it: keep it, with all that follows in its lane, until `release`."""

    async def drop(self, notice: Notice, error: str) -> None: ...

    async def undelivered(self, limit: int) -> list[Undelivered]:
        """Newest first: what was dropped (but for what was overtaken), is held, or was tried in vain so far."""

    async def release(self, place: str, *, job_id: str | None = None, to: str = "") -> list[str]:
        """Free what is held for a conversation (or one job), moved `to` another where given; the jobs' ids."""

    async def move_to(self, job_id: str, place: str) -> None:
        """The job's messages go to this conversation from now on."""

    async def reply_url(self, job_id: str, now: datetime) -> str | None:
        """The response_url of the command that made the job, while it still works."""

    async def forget_urls(self, before: datetime) -> int:
        """Forget the response_urls of commands older than that, and of answers tried in vain since then.

        How many answers were given up with them.
        """

    async def follow(self, wish: Follow, most: int) -> bool:
        """Keep a wish to be told; one that is kept already stays. False where its target has `most` of them."""

    async def unfollow(self, ids: Sequence[str]) -> int:
        """Forget these wishes; how many there were."""

    async def follows(self, team: str, *, target: str = "", by: str = "") -> list[Follow]:
        """What a target follows, and what somebody wished for any; the oldest first."""

    async def habits(self, users: Sequence[str]) -> Mapping[str, Habits]:
        """Those of these people who have any."""

    async def keep_habits(self, habits: Habits) -> None: ...

    async def keep_news(self, notice: Notice) -> None:
        """Hold it for the digest of who it is for."""

    async def kept_news(self) -> list[Notice]:
        """All that is held for digests, oldest first; of nobody for whom more is on its way."""

    async def digest(self, notice: Notice, of: Sequence[Notice]) -> None:
        """Tell what was held in one message, which each is part of once."""

    async def touch(self) -> None:
        """Write something that nobody reads: only a commit shows that the disk takes one."""

    async def keep_visit(self, visit: Visit, notice: Notice) -> None:
        """Somebody opened the Home tab or pressed something there; `notice` draws it."""

    async def visit(self, user: str) -> Visit | None: ...

    async def overview(self, actor: Actor, *, mine: int, others: int, ended: int, schedules: int = 0) -> Overview:
        """At most so many of each list, of the workspace of this person."""

    async def published(self, notice: Notice, shown: str) -> None:
        """A Home tab was drawn; `shown` stands for what it shows."""

    async def draw_homes(self, now: datetime) -> None:
        """Have those Home tabs drawn again that were opened lately. A change that draws anything does so by itself."""

    async def record(self, records: Sequence[Record]) -> None:
        """Append to the audit log what no change brings by itself. A store that only reads leaves it to the writer."""

    async def take_in(self) -> int:
        """Append what other processes left for the audit log, each once; how many."""

    async def entries(self, after: int = 0, limit: int = 100) -> list[Entry]:
        """The rows of the audit log that follow a number."""

    async def latest(self, kind: AuditKind | None = None) -> Entry | None:
        """The last row of the audit log, of this kind where one is given."""

    async def last_anchor(self) -> Anchor | None: ...

    async def anchor(self, anchor: Anchor, now: datetime, notice: Notice) -> None:
        """Keep an anchor together with the message that posts it. StoreError if that row has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A file that stands in a conversation. `ts` is the message that shows it, "" where that was not told yet."""

    permalink: str
    ts: str = ""


class Messenger(Protocol):
    """Slack, as far as the engine needs it. Raises MessengerError (see `bot.errors`)."""

    async def post(
        self, channel: str, content: Content, *, notice_id: str, thread_ts: str | None = None, broadcast: bool = False
    ) -> str:
        """Post one message that carries the notice's id as metadata; its ts. AmbiguousSendError: look, then repeat."""

    async def edit(self, channel: str, ts: str, content: Content) -> None: ...

    async def find(self, channel: str, notice_id: str, *, since: datetime, thread_ts: str | None) -> str | None:
        """The ts of the message that carries this notice's id, from `since` on; None if there surely is none."""

    async def open_dm(self, user: str) -> str:
        """The conversation id of a person's direct message."""

    async def answer(self, url: str, say: Say, shown: Sequence[Mapping[str, Json]] = ()) -> None:
        """Answer a command or click through its response_url; `shown` is what the edge has rendered already."""

    async def publish(self, user: str, page: HomePage, *, unless: str = "") -> str:
        """Show a page on somebody's Home tab; what stands for it. Nothing is sent where that is `unless` already."""

    async def upload(self, name: str, file: Path, size: int) -> str:
        """Send a file's bytes; the file's id. Nobody sees it before `share`, so it may be sent again."""

    async def share(self, file_id: str, channel: str, *, title: str, comment: str, thread_ts: str | None) -> Shared:
        """Show an uploaded file to those who may read a conversation. AmbiguousSendError: look, then repeat."""

    async def find_share(self, file_id: str) -> Shared | None:
        """Whether a file was shared; None if it surely was not."""

    async def file(self, file_id: str) -> SharedFile:
        """What Slack tells of a file. MessengerBusyError: later; MessengerError with its code: it is not to be had."""

    async def download(self, file: SharedFile, take: Callable[[bytes], Awaitable[None]]) -> None:
        """Hand a file's bytes to `take`, piece by piece. Errors as for `file`."""

    async def members(self, group: str) -> frozenset[str]:
        """The people in a user group (S…) or in a channel (C…, G…)."""

    async def person(self, user: str) -> Person:
        """Somebody's name, time zone and language, as Slack calls them, and whether they are a guest or have left."""

    async def is_public(self, channel: str) -> bool:
        """May every member of the workspace read this conversation? As it was at most a minute ago."""

    async def permalink(self, channel: str, ts: str) -> str:
        """The address of a message."""


class Arrival(Protocol):
    """A file on its way into the spool. Every method blocks."""

    def write(self, chunk: bytes) -> None:
        """The next bytes; DataError where it becomes too large."""

    def keep(self) -> SourceFile:
        """It is complete: keep it under its SHA-256. DataError where it is empty."""

    def close(self) -> None:
        """Leave nothing behind of what was not kept."""


class Files(Protocol):
    """The data folder and the spool. Every method blocks: call it in a thread."""

    spool: Path

    def choose(self, source: str | None, model: str, suffixes: tuple[str, ...]) -> str:
        """The name in the data folder that is meant; DataError where none, several, or none of that name."""

    def names(self, suffixes: tuple[str, ...]) -> list[str]:
        """The files of the data folder with such names, in order. DataError where it cannot be read."""

    def copy(self, role: str, name: str) -> SourceFile:
        """Copy into the spool under the SHA-256 of the content; DataError for an empty or too large file."""

    def receive(self, role: str, name: str, size: int = 0) -> Arrival:
        """A file that comes in pieces; DataError where its announced size is too large."""

    def spooled(self, sha256: str) -> Path: ...

    def renew(self, sha256: str, now: datetime) -> None:
        """What lies in the spool is used now, and as good as new. OSError where it is gone."""

    def has_old(self, before: datetime) -> bool:
        """Does something lie in the spool that was last used before that time, or never completed?"""

    def tidy(self, before: datetime, needed: frozenset[str], now: datetime) -> int:
        """Delete what was last used before that time; what is needed is renewed instead. How many were deleted."""

    def kept(self, role: str, name: str, sha256: str) -> SourceFile:
        """A file that lies in the spool already, read anew; DataError where it is gone or is not what it was."""

    def result(self, job_id: str) -> Path: ...

    def export(self, notice_id: str) -> Path:
        """Where an export lies until Slack has it: in a folder that only our account can read."""


class Providers(Protocol):
    """The configured providers."""

    def get(self, name: str) -> Provider:
        """UsageError for an unknown name, NotConfiguredError for one without credentials."""

    @property
    def names(self) -> Sequence[str]:
        """Every name, configured or not."""

    def configured(self) -> Mapping[str, Provider]: ...

    def missing(self) -> Mapping[str, str]:
        """Those without credentials, with the sentence that says so."""


EDITS = Allowance(per_minute=50)
"""Slack's own figure for chat.update, for each workspace (https://docs.slack.dev/apis/web-api/rate-limits, tier 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Times after which something is done, and how much one person may ask. Each has a setting."""

    pace: Pace
    watch: timedelta = timedelta(hours=72)
    settle: timedelta = timedelta(seconds=120)
    live: timedelta = timedelta(minutes=60)
    lost: timedelta = timedelta(minutes=10)
    held: timedelta = timedelta(hours=24)
    card: timedelta = timedelta(seconds=30)
    same: timedelta = timedelta(seconds=60)
    step: timedelta = timedelta(seconds=60)
    upload: timedelta = timedelta(minutes=20)
    download: timedelta = timedelta(minutes=10)
    keep_data: timedelta = timedelta(days=30)
    offers: timedelta = timedelta(seconds=4)
    late: timedelta = timedelta(hours=6)
    caps: Caps = Caps()
    edits: Allowance = EDITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchoring:
    """Where anchors of the audit log are posted, "" for nowhere, and after how much time or how many rows."""

    channel: str = ""
    every: timedelta = timedelta(hours=24)
    rows: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tongues:
    """The language of each conversation that has one of its own, and that of all others and of whoever has none."""

    default: str = "en"
    channels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """What use cases are given. `nudge` has a named tick run soon; `spawn` runs a step beside the tick.

    `policies` gives the policy that is in force at this moment: it may change while the bot runs. `pages` are the
    addresses of trainings at their services, see `bot.domain.pages`.
    """

    store: Store
    providers: Providers
    messenger: Messenger
    files: Files
    policies: Callable[[], Policy]
    limits: Limits
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    nudge: Callable[[str], None]
    spawn: Callable[[str, Coroutine[Any, Any, None]], None]
    alarm_channel: str = ""
    anchoring: Anchoring = Anchoring()
    tongues: Tongues = Tongues()
    pages: Mapping[str, str] = field(default_factory=dict)

    @property
    def policy(self) -> Policy:
        return self.policies()
