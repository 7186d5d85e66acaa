"""How long the Home tab takes to open beside a long history: `make bench`.

Prints medians, each as a ratio to a floor that is measured in the same run: one read of one training by its id. The
same is measured with a short history, so that what grows with the history shows. Nothing is asserted.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from sqlite_utils import Database

from bot.domain.jobs import ENDS, Job, JobState
from bot.domain.policy import Act
from bot.domain.requests import Actor
from bot.ports import Visit
from bot.usecases.deliver import deliver_due
from bot.usecases.home import MOST_ENDED, MOST_MINE, MOST_OTHERS, home_page
from handlers.views.home import home
from storage.rows import job_row, prompt_row
from storage.statements import insert
from tests.handlers import samples
from tests.handlers.edge import ADA, BORA, CHIE, GATED, TEAM, Edge, edge

HISTORIES = (100, 10_000)
ALIVE, OPEN = 200, 20
PEOPLE = (ADA, BORA, CHIE)
ENDED_IN, ALIVE_IN = sorted(ENDS), sorted(frozenset(JobState) - ENDS)

Work = Callable[[], Awaitable[object]]


def a_job(number: int, state: JobState, at: datetime) -> Job:
    """A training as large as they are: a plan with its data, a status with its figures."""
    made = samples.job(state)
    # Every other one at a service without a way back, for whose switches the former one is looked up.
    asker, provider = Actor(team=TEAM, user=PEOPLE[number % len(PEOPLE)]), ("sestek", "sony")[number % 2]
    asked = replace(made.request, request_key=f"k{number}", actor=asker, provider=provider)
    return replace(made, id=f"j{number:06}", request=asked, created_at=at, state_at=at, act_at=None)


def fill(db: Database, history: int, now: datetime) -> None:
    """A history, what is alive, and questions that are open."""
    chance = random.Random(1)  # noqa: S311  the same history in each run
    for number in range(history + ALIVE):
        is_alive = number >= history
        state = chance.choice(ALIVE_IN if is_alive else ENDED_IN)
        at = now - timedelta(minutes=chance.randrange(60 if is_alive else 500_000))
        insert(db, "jobs", job_row(a_job(number, state, at)))
    for number in range(OPEN):
        rule = GATED.rule_for(Act.START, "sestek", "my-model")
        asked = replace(samples.prompt(rule=rule), id=f"p{number}", job_id=f"j{history + number:06}")
        insert(db, "prompts", prompt_row(replace(asked, asked_at=now, expires_at=now + timedelta(days=7))))


async def milliseconds(work: Work, times: int) -> float:
    """The median over so many runs, after one that warms up."""
    await work()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - started) * 1000)
    return median(taken)


@asynccontextmanager
async def filled(history: int) -> AsyncIterator[Edge]:
    with tempfile.TemporaryDirectory() as folder:
        async with edge(Path(folder)) as where:
            await where.store._write(lambda db: fill(db, history, where.time.now()))  # noqa: SLF001  faster than to ask for each
            yield where


def works(where: Edge, history: int) -> dict[str, tuple[Work, int]]:
    """What is measured, and how often."""
    actor = Actor(team=TEAM, user=BORA)
    visit = Visit(actor=actor, opened_at=datetime.now(UTC))
    event = {"type": "app_home_opened", "user": BORA, "channel": "D0X", "tab": "home", "event_ts": "1.1"}
    opened = {"type": "event_callback", "team_id": TEAM, "event_id": "Ev1", "event": event}

    async def draw() -> object:
        return home(await home_page(where.deps, visit))

    async def open_it() -> None:
        before = len(where.slack.calls)
        response = await where.dispatch(opened, "json")
        await deliver_due(where.deps)
        await where.crew.idle()
        if response.status != 200 or len(where.slack.calls) == before:
            raise RuntimeError("the tab was not published")

    return {
        "one training, by its id (the floor)": (lambda: where.store.job(f"j{history // 2:06}"), 300),
        "everything that the tab shows, read": (
            lambda: where.store.overview(actor, mine=MOST_MINE, others=MOST_OTHERS, ended=MOST_ENDED),
            40,
        ),
        "read and drawn": (draw, 20),
        "opened: from Slack's event to the page at Slack": (open_it, 20),
    }


async def measure(history: int) -> None:
    async with filled(history) as where:
        floor = 0.0
        sys.stdout.write(f"\nThe Home tab with {history:,} trainings ended, {ALIVE} alive and {OPEN} questions open\n")
        for name, (work, times) in works(where, history).items():
            taken = await milliseconds(work, times)
            floor = floor or taken
            sys.stdout.write(f"  {name:<50} {taken:>9.2f} ms {taken / floor:>9.1f} floors\n")


async def main() -> None:
    for history in HISTORIES:
        await measure(history)


if __name__ == "__main__":
    asyncio.run(main())
