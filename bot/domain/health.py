"""Whether a service answers: said once when it goes away, once when it is back."""

from dataclasses import dataclass, replace
from datetime import datetime

from bot.errors import BrokenError, CredentialsError, ProviderError, UnreachableError, UnreadableError

FAILURES_UNTIL_TOLD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHealth:
    """What is stored of one service, so that a restart tells nothing twice.

    `failures` in a row and `since` when the first of them was; `told_at` is set while people believe it to be away,
    and `told_in` are the channels in which they were told so.
    """

    name: str
    failures: int = 0
    since: datetime | None = None
    told_at: datetime | None = None
    told_in: tuple[str, ...] = ()

    @property
    def is_away(self) -> bool:
        return self.told_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Went:
    """To be told: the service went away. `sentence` is the last failure's, `since` the time of the first."""

    name: str
    sentence: str
    since: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """To be told: the service answers again; it had been away since `since`."""

    name: str
    since: datetime
    at: datetime


def speaks_of_absence(error: ProviderError) -> bool:
    """Does this failure say that the service cannot be used at all? A refusal or a request to slow down does not."""
    return isinstance(error, UnreachableError | BrokenError | UnreadableError | CredentialsError)


def failed(health: ServiceHealth, sentence: str, at: datetime) -> tuple[ServiceHealth, Went | None]:
    """One more look failed. `Went` at the third in a row, once."""
    since = health.since or at
    worse = replace(health, failures=health.failures + 1, since=since)
    if worse.failures < FAILURES_UNTIL_TOLD or worse.is_away:
        return worse, None
    return replace(worse, told_at=at), Went(name=health.name, sentence=sentence, since=since, at=at)


def succeeded(health: ServiceHealth, at: datetime) -> tuple[ServiceHealth, Back | None]:
    """A look was answered. `Back` only where people had been told that the service is away."""
    well = ServiceHealth(name=health.name)
    if health.told_at is None:
        return well, None
    return well, Back(name=health.name, since=health.since or health.told_at, at=at)
