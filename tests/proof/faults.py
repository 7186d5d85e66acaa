"""Faults between the bot, Slack and the services: what befalls whom, and how a story goes on all the same.

A cell of the matrix is a story, a side and a fault. The fault meets every kind of request of that side once, or all of
them for a while, or as long as the story is told; a name that is unknown, a certificate that has ended and a clock that
is wrong are put right once the bot has met them.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from tests.proof.conductor import Conductor
from tests.proof.leaks import leaked
from tests.proof.stage import SEEN_EVERY, BotEndedError, Stage, Starter, stage
from tests.proof.stories import People, Story
from tests.proof.verdict import Verdict, judge
from tests.proof.wires import NOTHING, SOCKETS, Accident, Address

PATIENCE = 60.0
AT_ONCE = 3
OUTAGE_SECONDS = 1.5
OFF = 600.0
A_MOMENT = 0.3
STEP_SECONDS = 1.0
ALWAYS = 1_000_000
KEPT, ACCEPTED = "job becomes checking", "job becomes queued"


class Side(StrEnum):
    """Between whom a fault lies. `DOOR` is the way of Slack's requests to a bot in HTTP mode."""

    SLACK = "slack"
    SOCKETS = SOCKETS
    DOOR = "bot"
    SERVICE = "service"


class Doubt(StrEnum):
    """What a fault at the start or at the switch leaves open for the bot."""

    NONE = "it is known what happened"
    NOT_ARRIVED = "nothing happened, and nobody can tell"
    ARRIVED = "it happened, and only some services show it"


TELLS_NOTHING = ("sestek", "sony")
"""Services whose state may leave it open whether the last start or switch has arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`times`: how often each kind of request meets it. `doubt`: what the bot cannot know afterwards.

    `off`: by how many seconds the bot's clock is wrong.
    """

    name: str
    accident: Accident = NOTHING
    times: int = 1
    doubt: Doubt = Doubt.NONE
    off: float = 0.0

    def __str__(self) -> str:
        return self.name


PAGE = "<html><head><title>Sorry</title></head><body><h1>Something is wrong here</h1></body></html>"
SLOW_DOWN = '{"ok": false, "error": "ratelimited"}'

LATE = Fault(name="latency", accident=Accident(late=0.15), times=ALWAYS)
RESET = Fault(name="reset before it arrives", accident=Accident(arrives=False), doubt=Doubt.NOT_ARRIVED)
RESET_REPLY = Fault(name="reset before the reply", accident=Accident(part=0.0), doubt=Doubt.ARRIVED)
HALF = Fault(name="half a reply, then a reset", accident=Accident(part=0.5), doubt=Doubt.ARRIVED)
TORN = Fault(name="half a reply that seems whole", accident=Accident(part=0.5, seems_whole=True), doubt=Doubt.ARRIVED)
SLOW = Fault(name="slow body", accident=Accident(seconds=0.5))
TOO_SLOW = Fault(name="body slower than patience", accident=Accident(seconds=2 * STEP_SECONDS), doubt=Doubt.ARRIVED)
BUSY = Fault(
    name="429 with Retry-After",
    accident=Accident(arrives=False, status=429, words=SLOW_DOWN, headers={"Retry-After": "1"}),
)
DOWN = Fault(
    name="503 of a gateway",
    accident=Accident(arrives=False, status=503, words=PAGE, headers={"Content-Type": "text/html"}),
    doubt=Doubt.NOT_ARRIVED,
)
BROKEN = Fault(
    name="502 instead of the reply",
    accident=Accident(status=502, words=PAGE, headers={"Content-Type": "text/html"}),
    doubt=Doubt.ARRIVED,
)
NO_NAME = Fault(name="unknown name")
EXPIRED = Fault(name="expired certificate")
AHEAD = Fault(name="clock ten minutes ahead", off=OFF)
BEHIND = Fault(name="clock ten minutes behind", off=-OFF)

OF_A_CALL = (LATE, RESET, RESET_REPLY, HALF, TORN, SLOW, BUSY, DOWN, BROKEN)
OF_A_FRAME = (LATE, RESET, HALF, DOWN)
OF_A_DOOR = (LATE, RESET, RESET_REPLY, HALF, SLOW, BUSY, DOWN, BROKEN)
OF_AN_OUTAGE = (RESET, DOWN, BUSY)
OF_A_ROAD = (NO_NAME, EXPIRED)
ELSEWHERE = ("sestek over http", "moved to a direct message")
"""Stories that are another one but for what Slack sees of them."""
CUT_SHORT = ("reject",)
"""Stories of which a service sees no more than of another, as long as that goes on."""
CLOCKS = (AHEAD, BEHIND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One story with one fault.

    `only` is a pattern of the labels that meet it. With `since`, the label of a boundary or what is written there, the
    fault begins there and meets everything for OUTAGE_SECONDS. `is_set_right`: a wrong clock is set right when the
    training is queued.
    `lost` besides a wrong clock is what befalls Slack's replies.
    """

    story: Story
    fault: Fault
    side: Side = Side.SERVICE
    only: str = ""
    since: str = ""
    is_set_right: bool = False
    lost: Fault | None = None

    def __str__(self) -> str:
        where = "" if self.fault.off else f", {self.side.value}"
        more = {
            f", {self.lost}": self.lost,
            f", for a while since {self.since!r}": self.since,
            ", then set right": self.is_set_right,
            f", {self.only!r} alone": self.only,
        }
        return f"{self.story.name}{where}: {self.fault}" + "".join(said for said, holds in more.items() if holds)

    @property
    def most_questions(self) -> int:
        """How many doubts only a person can end."""
        doubt = self.fault.doubt if self.side is Side.SERVICE else Doubt.NONE
        tells_nothing = self.story.service in TELLS_NOTHING
        if doubt is Doubt.NONE or (doubt is Doubt.ARRIVED and not tells_nothing):
            return 0
        return ALWAYS if self.since else self.story.starts + self.story.switches


# -- what befalls whom ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Storm:
    """The weather of one cell. `met` counts what it has befallen."""

    cell: Cell
    conductor: Conductor
    met: int = 0
    _seen: Counter[str] = field(default_factory=Counter)
    _ends: float = 0.0

    def meet(self, name: str, label: str) -> Accident:
        fault = self.cell.lost or self.cell.fault
        if not self._is_meant(name) or not (self._rages() if self.cell.since else self._is_its_turn(label, fault)):
            return NOTHING
        self.met += fault.accident is not NOTHING
        return fault.accident

    def _is_meant(self, name: str) -> bool:
        sides = {"slack": Side.SLACK, SOCKETS: Side.SOCKETS, "bot": Side.DOOR}
        return sides.get(name, Side.SERVICE) is self.cell.side

    def _is_its_turn(self, label: str, fault: Fault) -> bool:
        if not re.search(self.cell.only, label):
            return False
        self._seen[label] += 1
        return self._seen[label] <= fault.times

    def _rages(self) -> bool:
        if not self._ends and self.cell.since in self.conductor.crossed:
            self._ends = time.monotonic() + OUTAGE_SECONDS
        return time.monotonic() < self._ends


class Road(Protocol):
    """An address that cannot be reached until it is mended. `signs` are the bot's words for that, and its log's."""

    @property
    def address(self) -> Address: ...

    @property
    def signs(self) -> tuple[str, ...]: ...

    def mend(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where bots live: what starts them, what they are told, and how a new road comes to be, if it is a special one."""

    launcher: Starter
    environ: Mapping[str, str] = field(default_factory=dict)
    build: Callable[[], Road] | None = None


# -- a run ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How one cell went. `met`: how often the bot met the fault, as far as it can be counted."""

    cell: Cell
    verdict: Verdict
    met: int
    seconds: float
    log: str

    @property
    def is_good(self) -> bool:
        return self.verdict.is_good and self.met > 0

    def __str__(self) -> str:
        return f"{self.cell}: {'' if self.met else 'the fault was not met; '}{self.verdict} ({self.seconds:.0f} s)"


async def tell(cell: Cell, here: Surroundings, folder: Path) -> Told:
    """Tell the story of this cell in a world of its own, and judge how it ended."""
    began = time.monotonic()
    conductor, road = Conductor(), here.build() if here.build else None
    storm = Storm(cell, conductor)
    async with _staged(cell, here, folder, conductor, road) as world:
        world.wires.weather = storm
        people = People(world, cell.story, patience=PATIENCE)
        mended: list[bool] = []
        async with _beside(_mend(cell, world, road, mended)):
            trouble = await _play(world, people)
        verdict = judge(world, cell.story, people)
        verdict.lost += trouble
        verdict.leaked += await leaked(world)
        if verdict.questions > cell.most_questions:
            verdict.wrong.append(f"{verdict.questions} questions, {cell.most_questions} of them needed")
        met = storm.met + len(mended)
        return Told(cell=cell, verdict=verdict, met=met, seconds=time.monotonic() - began, log=world.log())


@asynccontextmanager
async def _staged(
    cell: Cell, here: Surroundings, folder: Path, conductor: Conductor, road: Road | None
) -> AsyncIterator[Stage]:
    address = road.address if road else None
    async with stage(
        folder,
        here.launcher,
        conductor,
        mode=cell.story.mode,
        training_seconds=cell.story.training_seconds,
        slack_at=address if cell.side is Side.SLACK else None,
        services_at=address if cell.side is Side.SERVICE else None,
    ) as world:
        world.environ |= {**cell.story.settings, **here.environ}
        if cell.fault is TOO_SLOW:
            world.environ["SWITCHYARD_POLL__STEP_TIMEOUT_SECONDS"] = str(STEP_SECONDS)
        world.wrong = cell.fault.off
        yield world


async def _play(world: Stage, people: People) -> list[str]:
    """What kept the story from its end."""
    try:
        await world.play(people.live())
    except TimeoutError:
        return ["the story has no end"]
    except BotEndedError as error:
        return [str(error)]
    return []


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _mend(cell: Cell, world: Stage, road: Road | None, mended: list[bool]) -> None:
    """Put right what does not end by itself, as soon as it was met and for a moment longer."""
    if cell.fault.off and not cell.is_set_right:
        mended.append(True)
        return
    while not _is_met(cell, world, road):  # noqa: ASYNC110  seen from outside
        await asyncio.sleep(SEEN_EVERY)
    mended.append(True)
    await asyncio.sleep(A_MOMENT)
    if road is not None:
        road.mend()
    else:
        await _set_the_clock(world)


def _is_met(cell: Cell, world: Stage, road: Road | None) -> bool:
    if road is not None:
        return any(sign in world.log() or sign in _written(world) for sign in road.signs)
    if not cell.fault.off:
        return False
    return ACCEPTED in world.conductor.crossed or _is_refused(cell, world)


def _is_refused(cell: Cell, world: Stage) -> bool:
    """Slack's requests carry the time, and so do those to AiTEMS: neither gets anywhere with a wrong clock."""
    if cell.story.mode == "http":
        return "Slack to bot: slash_commands" in world.conductor.crossed
    return "this machine's clock" in _written(world)


def _written(world: Stage) -> str:
    """What the bot has written down about its trainings, sign for sign."""
    rows = [*world.kept.rows("SELECT * FROM jobs"), *world.kept.rows("SELECT * FROM transitions")]
    return "\n".join(str(value) for row in rows for value in row.values())


async def _set_the_clock(world: Stage) -> None:
    """What was due by a clock that was ahead is due when the right one has come so far."""
    is_ahead = world.wrong > 0
    world.set_the_clock()
    if is_ahead:
        await asyncio.sleep(A_MOMENT)
        world.let_time_pass()


async def tell_all(cells: Sequence[Cell], here: Surroundings, folder: Path) -> list[Told]:
    """A run for each cell, a few at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, cell: Cell) -> Told:
        place = folder / str(number)
        place.mkdir()
        async with places:
            return await tell(cell, here, place)

    return await asyncio.gather(*(one(number, cell) for number, cell in enumerate(cells)))


# -- the matrix ----------------------------------------------------------------------------------------------------


def of_slack(story: Story) -> list[Cell]:
    """Every call of the Web API, and answers to a response_url; all of them for a while, in the middle of the story."""
    once = [Cell(story=story, side=Side.SLACK, fault=fault) for fault in OF_A_CALL]
    return once + [Cell(story=story, side=Side.SLACK, fault=fault, since=ACCEPTED) for fault in OF_AN_OUTAGE]


def of_services(story: Story) -> list[Cell]:
    """Every call of a service, and services that are away for a while; no story that they cannot tell from another."""
    if story.name in (*ELSEWHERE, *CUT_SHORT):
        return []
    once = [Cell(story=story, fault=fault) for fault in (*OF_A_CALL, TOO_SLOW)]
    outages = [
        Cell(story=story, fault=fault, since=since)
        for fault in OF_AN_OUTAGE
        for since in ("job becomes checking", ACCEPTED)
    ]
    return once + outages


def of_the_way_in(story: Story) -> list[Cell]:
    """What Slack sends to the bot: frames of its sockets, or requests to its door."""
    if story.mode == "http":
        return [Cell(story=story, side=Side.DOOR, fault=fault) for fault in OF_A_DOOR]
    return [Cell(story=story, side=Side.SOCKETS, fault=fault) for fault in OF_A_FRAME]


def of_a_road(story: Story, fault: Fault) -> list[Cell]:
    return [Cell(story=story, side=side, fault=fault) for side in (Side.SLACK, Side.SERVICE)]


def of_the_clock(story: Story) -> list[Cell]:
    """Wrong for the whole story, where it can be told at all; set right on the way; and answers of Slack's lost."""
    whole = [Cell(story=story, fault=fault) for fault in CLOCKS]
    right = [Cell(story=story, fault=fault, is_set_right=True) for fault in CLOCKS if not _would_be_late(story, fault)]
    lost = [Cell(story=story, side=Side.SLACK, fault=fault, lost=RESET_REPLY) for fault in CLOCKS]
    return right if story.mode == "http" or story.service == "aitems" else whole + right + lost


def _would_be_late(story: Story, fault: Fault) -> bool:
    """While what was due by the wrong clock is waited for, the training that was to be cancelled would end."""
    return bool(story.cancels_in) and fault is AHEAD
