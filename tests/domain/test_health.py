"""A service that goes away is told of once, and once when it is back."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.health import Back, ServiceHealth, Went, failed, speaks_of_absence, succeeded
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


def gone(health: ServiceHealth, looks: int = 3) -> tuple[ServiceHealth, list[Went | None]]:
    told = []
    for count in range(looks):
        health, went = failed(health, SENTENCE, minute(count))
        told.append(went)
    return health, told


WELL = ServiceHealth(name="sestek")


def test_two_failed_looks_tell_nothing() -> None:
    """A hiccup is nobody's news."""
    health, told = gone(WELL, 2)
    assert told == [None, None]
    assert not health.is_away


def test_the_third_failed_look_in_a_row_is_told_once() -> None:
    """Three failures in a row are an outage; what fails on is not told again."""
    health, told = gone(WELL, 20)
    assert told[2] == Went(name="sestek", sentence=SENTENCE, since=START, at=minute(2))
    assert [one for one in told if one] == [told[2]]
    assert health.is_away


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    """Only failures in a row count."""
    health, back = succeeded(gone(WELL, 2)[0], minute(2))
    assert (health, back) == (WELL, None)


def test_the_return_is_told_once_and_only_after_the_absence_was() -> None:
    """Whoever heard of the outage hears of its end, with the time of its beginning."""
    health, back = succeeded(gone(WELL)[0], minute(9))
    assert back == Back(name="sestek", since=START, at=minute(9))
    assert succeeded(health, minute(10)) == (WELL, None)


def test_a_second_outage_is_told_again() -> None:
    """Once per outage, not once for ever."""
    health, _ = succeeded(gone(WELL)[0], minute(9))
    assert [type(one) for one in gone(health)[1]] == [type(None), type(None), Went]


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
