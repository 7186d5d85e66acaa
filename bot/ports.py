"""What the engine needs of the outside: providers, a store, Slack, the data folder. Written down as protocols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from bot.domain.arguments import Arguments, DataRule
from bot.domain.jobs import RemoteStatus
from bot.domain.requests import Json, Payload, Plan, SourceFile, TrainRequest
from bot.errors import ProviderError


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
    training changes what users get. `failed_is_a_reading`: FAILED is our reading of an undocumented word.
    """

    gate: Gate
    cancel: bool = False
    many: bool = False
    watches_live: bool = False
    one_at_a_time: bool = False
    look_publishes: bool = False
    failed_is_a_reading: bool = False


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
    word: str = ""
    settle_after: float | None = None


class Provider(Protocol):
    """One training service. Every call raises ProviderError (see `bot.errors`) and nothing else.

    `name` is the word people type, `title` the vendor's. Pure members never touch the network or the disk.
    """

    name: str
    title: str
    arguments: Arguments
    powers: Powers
    data: DataRule | None

    def check(self, request: TrainRequest) -> None:
        """Pure: raise UsageError for what no data is needed to see (combinations of arguments, unknown models)."""

    def prepare(self, request: TrainRequest, files: Mapping[str, SourceFile], spool: Path) -> Payload | None:
        """Read the spooled files, by role, and say what will be sent; None for a service that takes no file.

        Runs in a thread. May write what it packs into `spool`, named by its sha-256. Raises DataError with the line.
        """

    def plan(self, request: TrainRequest, payload: Payload | None) -> Plan:
        """Pure: exactly what will be sent, and the lines that say so."""

    async def reserve(self, plan: Plan, job_id: str) -> Mapping[str, Json]:
        """Read, before the start, what `find` will need. Starts nothing. RejectedError refuses the training."""

    async def start(self, plan: Plan, claim: Mapping[str, Json], file: Path | None) -> str | None:
        """Start once; never repeat. The service's id, or None where it accepts without naming one."""

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

    async def is_live(self, watched: Watched, before: Mapping[str, Json]) -> bool:
        """Look whether the switch took effect. Only where `can_see`."""

    async def fetch_result(self, watched: Watched, target: Path) -> int | None:
        """Save the result file that the finished training left; its size in bytes, None where there is none."""

    def references(self, words: Mapping[str, str]) -> tuple[Reference, ...]:
        """Pure: the trainings that the words of `/status PROVIDER REF…` may mean, in the order to try them."""
