"""A service that goes away is told of once, and once when it is back."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.health import Back, Health, ServiceHealth, Went, speaks_of_absence
from bot.errors import (
    BrokenError,
    CredentialsError,
    NotFoundError,
    ProviderError,
    RateLimitedError,
    RejectedError,
    UnreachableError,
    UnreadableError,
)

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SENTENCE = "Sestek cannot be reached (the connection was refused)."


def minute(count: int) -> datetime:
    return START + timedelta(minutes=count)


def gone(health: Health, looks: int = 3) -> list[Went | None]:
    return [health.failed("sestek", SENTENCE, minute(count)) for count in range(looks)]


def test_two_failed_looks_tell_nothing() -> None:
    """A hiccup is nobody's news."""
    assert gone(Health(), 2) == [None, None]


def test_the_third_failed_look_in_a_row_is_told_once() -> None:
    """Three failures in a row are an outage; what fails on is not told again."""
    told = gone(Health(), 20)
    assert told[2] == Went(name="sestek", sentence=SENTENCE, since=START, at=minute(2))
    assert [one for one in told if one] == [told[2]]


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    """Only failures in a row count."""
    health = Health()
    gone(health, 2)
    assert health.succeeded("sestek", minute(2)) is None
    assert [health.failed("sestek", SENTENCE, minute(3 + count)) for count in range(2)] == [None, None]


def test_the_return_is_told_once_and_only_after_the_absence_was() -> None:
    """Whoever heard of the outage hears of its end, with its length."""
    health = Health()
    gone(health)
    assert health.succeeded("sestek", minute(9)) == Back(name="sestek", since=START, at=minute(9))
    assert health.succeeded("sestek", minute(10)) is None


def test_a_second_outage_is_told_again() -> None:
    """Once per outage, not once for ever."""
    health = Health()
    gone(health)
    health.succeeded("sestek", minute(9))
    assert [type(one) for one in gone(health)] == [type(None), type(None), Went]


def test_services_do_not_share_their_count() -> None:
    """Three services that fail once each are no outage."""
    health = Health()
    told = [health.failed(name, SENTENCE, START) for name in ("sestek", "sony", "aitems")]
    assert told == [None, None, None]


@pytest.mark.parametrize("looks", [2, 3, 5])
def test_a_restart_tells_nothing_twice_and_forgets_nothing(looks: int) -> None:
    """What is stored is enough to go on as if nothing had happened, before and after the outage was told."""
    lived, restarted = Health(), Health()
    gone(lived, looks)
    restarted = Health([lived.of("sestek")])
    assert restarted.failed("sestek", SENTENCE, minute(6)) == lived.failed("sestek", SENTENCE, minute(6))
    assert restarted.succeeded("sestek", minute(7)) == lived.succeeded("sestek", minute(7))


def test_a_service_nobody_looked_at_is_well() -> None:
    """An unknown name is not an outage."""
    assert Health().of("sony") == ServiceHealth(name="sony")
    assert not Health().of("sony").is_away


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (UnreachableError("gone"), True),
        (BrokenError("500"), True),
        (UnreadableError("a web page"), True),
        (CredentialsError("expired"), True),
        (RateLimitedError("slower"), False),
        (RejectedError("no"), False),
        (NotFoundError("unknown"), False),
    ],
)
def test_a_refusal_is_an_answer(error: ProviderError, away: bool) -> None:
    """Only a service that cannot be used at all is away; credentials that are not accepted stop everything."""
    assert speaks_of_absence(error) is away
