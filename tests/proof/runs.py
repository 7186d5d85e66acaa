"""One run of a story, with or without a bot that is killed on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.proof.conductor import Conductor, Point
from tests.proof.leaks import leaked
from tests.proof.stage import BotEndedError, Stage, Starter, stage
from tests.proof.stories import People, Story
from tests.proof.verdict import Verdict, judge

AT_ONCE = 2
"""More of them make each one slower, and a bot that waits costs something too."""
TRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How one run went: `lives` are the boundaries that each bot crossed. `is_met`: all bots were killed as planned."""

    points: tuple[Point, ...]
    verdict: Verdict
    lives: tuple[tuple[Point, ...], ...]
    is_met: bool
    seconds: float
    log: str

    def __str__(self) -> str:
        return f"{' and then '.join(map(str, self.points)) or 'no crash'}: {self.verdict}"


async def run(launcher: Starter, folder: Path, story: Story, *points: Point) -> Run:
    """Tell a story in a world of its own, killing its bots at these points, and judge how it ended."""
    conductor = Conductor(targets=points)
    began = time.monotonic()
    async with stage(folder, launcher, conductor, mode=story.mode, training_seconds=story.training_seconds) as here:
        here.environ |= story.settings
        people = People(here, story)
        trouble = await _play(here, people)
        verdict = judge(here, story, people)
        verdict.lost += trouble
        verdict.leaked += await leaked(here)
        return Run(
            points=points,
            verdict=verdict,
            lives=tuple(map(tuple, conductor.lives)),
            is_met=conductor.hits == len(points),
            seconds=time.monotonic() - began,
            log=here.log(),
        )


async def _play(here: Stage, people: People) -> list[str]:
    """What kept the story from its end."""
    try:
        await here.play(people.live())
    except TimeoutError:
        return ["the story has no end"]
    except BotEndedError as error:
        return [str(error)]
    return []


async def run_all(launcher: Starter, folder: Path, story: Story, plans: Sequence[tuple[Point, ...]]) -> list[Run]:
    """A run for each plan of one or more points, a few at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, plan: tuple[Point, ...]) -> Run:
        async with places:
            return await run_again(launcher, folder / str(number), story, *plan)

    return await asyncio.gather(*(one(number, plan) for number, plan in enumerate(plans)))


async def run_again(launcher: Starter, folder: Path, story: Story, *plan: Point) -> Run:
    """Run; where its points were not met, a few times more: the pace of a story is not exact."""
    runs: list[Run] = []
    while len(runs) < TRIES and not (runs and (runs[-1].is_met or not runs[-1].verdict.is_good)):
        place = folder / str(len(runs))
        place.mkdir(parents=True)
        runs.append(await run(launcher, place, story, *plan))
    return runs[-1]
