"""Tokens are fetched once for all, used as long as they are good, and renewed once when they are refused."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.errors import BrokenError, CredentialsError, Effect, ProviderError, RejectedError, UnreadableError
from bot.providers.http import Reply
from bot.providers.tokens import MARGIN, Key, Token, Tokens, is_sendable, lasting, read_token

OK = Reply(status=200, body=b"{}", headers={})
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Issuer:
    """Gives out token-1, token-2, … and fails while `failure` is set; each fetch waits until `gate` is open."""

    def __init__(self, life: timedelta | None = timedelta(days=1)) -> None:
        self.fetched = 0
        self.failure: ProviderError | None = None
        self.now = NOON
        self.gate = asyncio.Event()
        self.gate.set()
        self.life = life
        self.tokens = Tokens(self.fetch, lambda: self.now, "password")

    async def fetch(self) -> Token:
        self.fetched += 1
        await self.gate.wait()
        if self.failure:
            raise self.failure
        value = f"token-{self.fetched}"
        return lasting(value, self.life.total_seconds() if self.life else None, self.now)


class Calls:
    """A service that remembers the tokens it was called with and refuses some of them."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)
        self.seen: list[str] = []

    async def send(self, token: str) -> Reply:
        self.seen.append(token)
        await asyncio.sleep(0)
        if token in self.refused:
            raise CredentialsError("no", status=401)
        return OK


async def test_a_token_is_reused() -> None:
    """One fetch serves all calls while the token is good."""
    issuer, calls = Issuer(), Calls()
    for _ in range(3):
        assert await issuer.tokens.use(calls.send) is OK
    assert (issuer.fetched, calls.seen) == (1, ["token-1"] * 3)


async def test_callers_at_the_same_time_share_a_fetch() -> None:
    """However many calls begin without a token, the service is asked for one once."""
    issuer, calls = Issuer(), Calls()
    issuer.gate.clear()
    waiting = [asyncio.create_task(issuer.tokens.use(calls.send)) for _ in range(20)]
    await asyncio.sleep(0)
    issuer.gate.set()
    assert await asyncio.gather(*waiting) == [OK] * 20
    assert issuer.fetched == 1


async def test_callers_share_a_failure_and_the_next_one_tries_again() -> None:
    """A fetch that fails fails for all who waited for it, and is not remembered."""
    issuer, calls = Issuer(), Calls()
    issuer.failure = BrokenError("down")
    failed = await asyncio.gather(*(issuer.tokens.use(calls.send) for _ in range(5)), return_exceptions=True)
    assert (issuer.fetched, {type(one) for one in failed}) == (1, {BrokenError})
    issuer.failure = None
    assert await issuer.tokens.use(calls.send) is OK


async def test_a_caller_that_gives_up_leaves_the_token_to_the_others() -> None:
    """Cancelling one call does not take away the fetch that others wait for."""
    issuer, calls = Issuer(), Calls()
    issuer.gate.clear()
    first, second = (asyncio.create_task(issuer.tokens.use(calls.send)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    issuer.gate.set()
    assert await second is OK
    assert (first.cancelled(), issuer.fetched) == (True, 1)


async def test_a_failure_that_nobody_waits_for_is_silent() -> None:
    """A fetch that fails after all callers gave up leaves no unread error behind."""
    issuer, said = Issuer(), list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context))
    issuer.gate.clear()
    issuer.failure = BrokenError("down")
    caller = asyncio.create_task(issuer.tokens.use(Calls().send))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])
    issuer.gate.set()
    for _ in range(5):
        await asyncio.sleep(0)
    del caller
    assert (said, issuer.fetched) == ([], 1)


async def test_a_token_is_renewed_shortly_before_its_end() -> None:
    """The margin before the end is a minute, so that no call goes out with a token that ends on its way."""
    issuer, calls = Issuer(), Calls()
    await issuer.tokens.use(calls.send)
    issuer.now = NOON + timedelta(days=1) - MARGIN - timedelta(seconds=1)
    await issuer.tokens.use(calls.send)
    issuer.now += timedelta(seconds=1)
    await issuer.tokens.use(calls.send)
    assert calls.seen == ["token-1", "token-1", "token-2"]


async def test_a_token_without_an_end_is_used_until_it_is_refused() -> None:
    """Where no life is told, only a refusal renews."""
    issuer, calls = Issuer(life=None), Calls()
    await issuer.tokens.use(calls.send)
    issuer.now += timedelta(days=4000)
    await issuer.tokens.use(calls.send)
    assert calls.seen == ["token-1", "token-1"]


async def test_a_refused_token_is_renewed_once() -> None:
    """A refused call is made again with a new token, and only once."""
    issuer, calls = Issuer(), Calls("token-1")
    assert await issuer.tokens.use(calls.send) is OK
    assert calls.seen == ["token-1", "token-2"]
    calls.refused |= {"token-2", "token-3"}
    with pytest.raises(CredentialsError):
        await issuer.tokens.use(calls.send)
    assert calls.seen == ["token-1", "token-2", "token-2", "token-3"]


async def test_refusals_at_the_same_time_share_the_renewal() -> None:
    """Many calls refused with one token bring one new token, not one each."""
    issuer, calls = Issuer(), Calls()
    await issuer.tokens.use(calls.send)
    calls.refused = {"token-1"}
    assert await asyncio.gather(*(issuer.tokens.use(calls.send) for _ in range(10))) == [OK] * 10
    assert issuer.fetched == 2


async def test_a_late_refusal_leaves_the_new_token() -> None:
    """A call that is refused with the old token, after another has renewed it, uses the new one."""
    issuer, calls, late = Issuer(), Calls("token-1"), asyncio.Event()

    async def send_slowly(token: str) -> Reply:
        if token == "token-1":
            await late.wait()
        return await calls.send(token)

    slow = asyncio.create_task(issuer.tokens.use(send_slowly))
    await issuer.tokens.use(calls.send)
    late.set()
    assert await slow is OK
    assert (issuer.fetched, calls.seen) == (2, ["token-1", "token-2", "token-1", "token-2"])


@pytest.mark.parametrize(
    ("failure", "effect"),
    [
        (BrokenError("down"), Effect.NONE),
        (UnreadableError("a web page"), Effect.NONE),
        (RejectedError("no"), Effect.REFUSED),
    ],
)
async def test_without_a_token_nothing_was_sent(failure: ProviderError, effect: Effect) -> None:
    """Whatever became of the question for a token: the call itself surely did not happen."""
    issuer, calls = Issuer(), Calls()
    issuer.failure = failure
    with pytest.raises(type(failure)) as caught:
        await issuer.tokens.use(calls.send)
    assert (caught.value.effect, calls.seen) == (effect, [])


async def test_tokens_are_known_as_secrets() -> None:
    """Every token that may still be quoted by the service is known to the redaction, the old ones too."""
    issuer = Issuer()
    await issuer.tokens.use(Calls("token-1").send)
    assert list(issuer.tokens.secrets) == ["password", "token-1", "token-2"]
    assert "token-1" not in repr(Token(value="token-1"))


async def test_the_password_stays_known_among_many_tokens() -> None:
    """Tokens come and go for months; what they are fetched with is never forgotten, the oldest tokens are."""
    issuer = Issuer()
    for number in range(1, 12):
        await issuer.tokens.use(Calls(f"token-{number}").send)
    assert list(issuer.tokens.secrets) == ["password", *(f"token-{number}" for number in range(5, 13))]


async def test_a_key_is_used_as_it_is() -> None:
    """A key cannot be renewed: its refusal is told at once."""
    key, calls = Key("k"), Calls("k")
    with pytest.raises(CredentialsError):
        await key.use(calls.send)
    assert (calls.seen, tuple(key.secrets)) == (["k"], ("k",))


@pytest.mark.parametrize("seconds", [None, True, "3600", -5, 0, 1e12, float("nan"), [], {}])
def test_odd_lives_are_no_lives(seconds: Any) -> None:
    """A life that is no sensible number of seconds is taken as not told."""
    assert lasting("t", seconds, NOON).renew_at is None


def test_short_lives_keep_most_of_their_time() -> None:
    """The margin never eats more than a tenth of a token's life."""
    assert lasting("t", 100, NOON).renew_at == NOON + timedelta(seconds=90)
    assert lasting("t", 86400, NOON).renew_at == NOON + timedelta(seconds=86340)


@pytest.mark.parametrize("value", [None, 7, "", "two words", "line\nbreak", "tökén", ["t"]])
def test_what_a_header_cannot_carry_is_no_token(value: Any) -> None:
    """A token that would break the header it stands in is not used."""
    with pytest.raises(UnreadableError):
        read_token({"t": value}, "t", "Acme")
    assert not is_sendable(str(value)) or not isinstance(value, str)
