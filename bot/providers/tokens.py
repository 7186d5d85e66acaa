"""Access with a token: fetched when it is needed, reused until shortly before its end, renewed once when refused."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from bot.domain.requests import Json
from bot.errors import CredentialsError, Effect, ProviderError, UnreadableError
from bot.providers.http import Reply
from bot.sentences import _

MARGIN = timedelta(seconds=60)
MOST_REMEMBERED = 8

Send: TypeAlias = Callable[[str], Awaitable[Reply]]
"""Makes one call with a token. It is called again where that token is refused, so it builds its body itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token and when to stop using it; `renew_at` None means: use it until it is refused."""

    value: str = field(repr=False)
    renew_at: datetime | None = None


class Access(Protocol):
    """What a call needs to be let in. `secrets` must not leave in an error."""

    @property
    def secrets(self) -> Collection[str]: ...

    async def use(self, send: Send) -> Reply:
        """Call with a valid token. CredentialsError where the service does not accept ours."""


class Key:
    """A key of long life, which is itself the token."""

    def __init__(self, value: str) -> None:
        self._value = value
        self.secrets: Collection[str] = (value,)

    async def use(self, send: Send) -> Reply:
        return await send(self._value)


class Tokens:
    """Tokens of short life. Callers at the same time share one fetch. `password` is what they are fetched with."""

    def __init__(self, fetch: Callable[[], Awaitable[Token]], now: Callable[[], datetime], password: str = "") -> None:
        self._fetch = fetch
        self._now = now
        self._token: Token | None = None
        self._fetching: asyncio.Task[Token] | None = None
        self.secrets = [password]

    async def use(self, send: Send) -> Reply:
        """A 401 surely did nothing, so the call is made once more, with a new token."""
        token = await self._valid()
        try:
            return await send(token.value)
        except CredentialsError:
            self._drop(token)
        return await send((await self._valid()).value)

    async def _valid(self) -> Token:
        if self._token is not None and not self._is_old(self._token):
            return self._token
        return await self._shared_fetch()

    def _is_old(self, token: Token) -> bool:
        return token.renew_at is not None and self._now() >= token.renew_at

    def _drop(self, token: Token) -> None:
        # Another caller may have been refused with the same token and have renewed it already.
        if self._token is token:
            self._token = None

    async def _shared_fetch(self) -> Token:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_and_keep())
            self._fetching.add_done_callback(self._end_fetch)
        # Shielded: a caller that gives up must not take the others' token away.
        return await asyncio.shield(self._fetching)

    def _end_fetch(self, fetching: asyncio.Task[Token]) -> None:
        self._fetching = None
        if not fetching.cancelled():
            fetching.exception()  # read here, because every caller may have given up

    async def _fetch_and_keep(self) -> Token:
        try:
            token = await self._fetch()
        except ProviderError as error:
            # Without a token nothing was sent, whatever became of the question for one.
            if error.effect is Effect.UNKNOWN:
                error.effect = Effect.NONE
            raise
        self._token = token
        self.secrets.append(token.value)
        del self.secrets[1:-MOST_REMEMBERED]
        return token


def is_sendable(token: str) -> bool:
    """Can a header carry it?"""
    return re.fullmatch(r"[\x21-\x7e]+", token) is not None


def read_token(answer: Mapping[str, Json], key: str, title: str) -> str:
    """The token in a service's answer. UnreadableError where there is none that a header can carry."""
    value = answer.get(key)
    if not isinstance(value, str) or not is_sendable(value):
        raise UnreadableError(_("{title} answered without a token that can be used.", title=title))
    return value


def lasting(value: str, seconds: Json, now: datetime) -> Token:
    """A token that is valid for `seconds` from `now`, renewed a minute (at most a tenth of its life) before."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e9:
        return Token(value=value)
    life = timedelta(seconds=seconds)
    return Token(value=value, renew_at=now + life - min(MARGIN, life / 10))
