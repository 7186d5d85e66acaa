"""Every boundary of every story: recorded once, then a run for each, with the bot killed there.

Two kinds of repetition are left out. Until the first command comes in, all stories are the same one: these boundaries
are tried in one story a mode. And a look that sees nothing new is like the look before it: of equal boundaries between
two moves of a training, the first two are tried.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.proof.conductor import Moment, Point
from tests.proof.report import Row, Tell, tell
from tests.proof.runs import Run, run, run_all
from tests.proof.stage import Launcher
from tests.proof.stories import BESIDE, STORIES, Story

SHARES = 4
ALIKE = 1
TWICE = (
    ("sestek", Point(moment=Moment.SENT, label="sestek POST /sestekai-api/api/external/trainings/train")),
    ("sony, applied", Point(moment=Moment.DONE, label="sony PUT /v1/external/retrain_jobs/*/update_model")),
)
"""Deaths that leave something to be settled; the next bot dies at every boundary of settling it."""

FROM_THE_START = ("sestek", "sestek over http")

pytestmark = pytest.mark.proof


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("story", [*STORIES, *BESIDE], ids=lambda story: story.name)
async def test_a_death_at_any_boundary(
    story: Story, share: int, launcher: Launcher, tmp_path: Path, record_property: Tell
) -> None:
    """Nothing is lost, doubled or wrong, and at most one question is asked, wherever the bot is killed."""
    recorded = await _recorded(launcher, tmp_path, story)
    points = recorded.lives[0] if story.name in FROM_THE_START else _since_the_command(recorded.lives[0])
    if story.until:
        points = _up_to(points, story.until)
    if story.beyond:
        known = await _recorded(launcher, tmp_path / "beyond", next(one for one in STORIES if one.name == story.beyond))
        points = [point for point in points if point not in known.lives[0]]
    plans = [(point,) for point in _of_share(_without_alike(points), share)]
    runs = await run_all(launcher, tmp_path, story, plans)
    _report(story.name, runs, record_property)


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize(("name", "first"), TWICE, ids=[name for name, _ in TWICE])
async def test_a_second_death_while_the_first_is_settled(
    name: str, first: Point, share: int, launcher: Launcher, tmp_path: Path, record_property: Tell
) -> None:
    """A bot that dies while it takes up what another left takes nothing up twice."""
    story = next(one for one in STORIES if one.name == name)
    recorded = await _recorded(launcher, tmp_path, story, first)
    plans = [(first, point) for point in _of_share(_without_alike(recorded.lives[1]), share)]
    runs = await run_all(launcher, tmp_path, story, plans)
    _report(f"{name}, killed twice", runs, record_property)


async def _recorded(launcher: Launcher, folder: Path, story: Story, *points: Point) -> Run:
    place = folder / "recorded"
    place.mkdir(parents=True)
    recorded = await run(launcher, place, story, *points)
    assert recorded.verdict.is_good, f"{recorded}\n{recorded.log}"
    return recorded


def _since_the_command(points: Sequence[Point]) -> Sequence[Point]:
    first = next(number for number, point in enumerate(points) if point.label.startswith("Slack to bot"))
    return points[first:]


def _up_to(points: Sequence[Point], label: str) -> Sequence[Point]:
    last = next(n for n, one in enumerate(points) if one.move == label and one.moment is Moment.AFTER_COMMIT)
    return points[: last + 1]


def _without_alike(points: Sequence[Point]) -> list[Point]:
    """The first ALIKE of equal boundaries between two moves."""
    kept, last, seen = [], "", Counter[tuple[str, str, str]]()
    for point in points:
        if point.moment is Moment.AFTER_COMMIT and point.label.startswith(("job becomes", "prompt is")):
            last = str(point)
        seen[last, point.label, point.moment] += 1
        if seen[last, point.label, point.moment] <= ALIKE:
            kept.append(point)
    return kept


def _of_share(points: Sequence[Point], share: int) -> list[Point]:
    """Each point is in one share by its name, since every share records for itself."""
    return [point for point in dict.fromkeys(points) if zlib.crc32(str(point).encode()) % SHARES == share]


def _report(story: str, runs: Sequence[Run], record_property: Tell) -> None:
    verdicts = [one.verdict for one in runs]
    row = Row(
        part="crash points",
        what=story,
        runs=len(runs),
        points=sum(one.is_met for one in runs),
        lost=sum(bool(verdict.lost) for verdict in verdicts),
        doubled=sum(bool(verdict.doubled) for verdict in verdicts),
        wrong=sum(bool(verdict.wrong) for verdict in verdicts),
        leaked=sum(bool(verdict.leaked) for verdict in verdicts),
        questions=sum(verdict.questions for verdict in verdicts),
        seconds=round(sum(one.seconds for one in runs)),
    )
    tell(record_property, row)
    bad = [str(one) for one in runs if not one.verdict.is_good]
    assert not bad, "\n".join(bad)
