"""What every look at a service shares: how a training is named to it, and what a failed look leaves."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from bot.domain.changes import Change
from bot.domain.jobs import Job
from bot.domain.pace import after_failure
from bot.errors import ProviderError, RateLimitedError, UnreachableError
from bot.ports import Deps, Watched
from bot.sentences import _
from bot.usecases.moves import card_key, note, redraw

T = TypeVar("T")


def watched(job: Job) -> Watched:
    """The training as its provider is asked about it."""
    return Watched(
        job_id=job.id,
        model=job.request.model,
        params=job.request.params,
        claim=job.claim or {},
        remote_id=job.remote_id,
        last=job.look.status,
    )


def failed_look(deps: Deps, job: Job, error: ProviderError) -> Change:
    """A failed look moves nothing: it is noted, shown on the card, and tried again later."""
    failures = job.look.failures + 1
    look = replace(job.look, at=deps.now(), failures=failures, error=str(error))
    is_news = str(error) != job.look.error
    drawn = [redraw(deps, job.id, card_key(job.id))] if is_news else []
    return note(deps, job, look=look, act_at=deps.now() + wait_after(deps, failures, error), notices=drawn)


def wait_after(deps: Deps, failures: int, error: ProviderError) -> timedelta:
    """How long to wait after so many failures in a row: what the service asks for, else longer and longer."""
    if isinstance(error, RateLimitedError):
        return timedelta(seconds=error.retry_after)
    return after_failure(deps.limits.pace, failures)


async def within(limit: timedelta, title: str, call: Awaitable[T]) -> T:
    """Await a call to a service, at most so long. A call that was cut off may have taken effect."""
    try:
        return await asyncio.wait_for(call, limit.total_seconds())
    except TimeoutError:
        raise UnreachableError(_("{service} did not answer in time.", service=title)) from None
