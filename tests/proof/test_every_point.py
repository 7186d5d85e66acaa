"""Every boundary of every story: recorded once, then a run for each, with the bot killed there.

Three kinds of repetition are left out. Where two stories go the same way, that part is tried in one of them: until the
first command comes in all are the same, and more of it stands with each story. A look that sees nothing new is like the
look before it: of equal boundaries between two moves of a training, the first is tried. And what the next bot finds is
the database and the world: of deaths between which neither has changed, one is tried.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.proof.conductor import Moment, Point, is_schema
from tests.proof.report import Row, Tell, tell
from tests.proof.runs import Run, run, run_all
from tests.proof.stage import Launcher
from tests.proof.stories import BESIDE, STORIES, Story

SHARES = 2
ALIKE = 1
TWICE = (
    (
        "sestek",
        Point(moment=Moment.SENT, label="sestek POST /sestekai-api/api/external/trainings/train"),
        "job becomes queued",
    ),
    (
        "sony, applied",
        Point(moment=Moment.DONE, label="sony PUT /v1/external/retrain_jobs/*/update_model"),
        "job becomes promoted",
    ),
)
"""Deaths that leave something to be settled, and the move that settles it; the next bot dies at every boundary up to
there. What comes afterwards is a story that nothing has befallen."""

FROM_THE_START = ("sestek", "sestek over http")
OF_SLACK = ("Slack to bot", "bot acknowledges")
"""What Slack and the bot send each other by themselves; the rest is asked by the bot."""

pytestmark = pytest.mark.proof


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("story", [*STORIES, *BESIDE], ids=lambda story: story.name)
async def test_a_death_at_any_boundary(
    story: Story, share: int, launcher: Launcher, tmp_path: Path, record_property: Tell
) -> None:
    """Nothing is lost, doubled or wrong, and at most one question is asked, wherever the bot is killed."""
    recorded = await _recorded(launcher, tmp_path, story)
    points = recorded.lives[0] if story.name in FROM_THE_START else _since_the_command(recorded.lives[0])
    if story.mode == "http":  # how it is called matters to a bot from the end of its migrations on
        points = [point for point in points if not is_schema(point.label)]
    if story.since:
        points = _from(points, story.since)
    if story.until:
        points = _up_to(points, story.until)
    if story.beyond:
        known = await _recorded(launcher, tmp_path / "beyond", next(one for one in STORIES if one.name == story.beyond))
        points = [point for point in points if point not in known.lives[0]]
    plans = [(point,) for point in _of_share(_without_equal(_without_alike(points)), share)]
    runs = await run_all(launcher, tmp_path, story, plans)
    _report(story.name, runs, record_property)


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize(("name", "first", "settled"), TWICE, ids=[name for name, *_ in TWICE])
async def test_a_second_death_while_the_first_is_settled(
    name: str, first: Point, settled: str, share: int, launcher: Launcher, tmp_path: Path, record_property: Tell
) -> None:
    """A bot that dies while it takes up what another left takes nothing up twice."""
    story = next(one for one in STORIES if one.name == name)
    recorded = await _recorded(launcher, tmp_path, story, first)
    points = _up_to(recorded.lives[1], settled)
    plans = [(first, point) for point in _of_share(_without_equal(_without_alike(points)), share)]
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


def _from(points: Sequence[Point], label: str) -> Sequence[Point]:
    return points[_place(points, label) :]


def _up_to(points: Sequence[Point], label: str) -> Sequence[Point]:
    return points[: _place(points, label) + 1]


def _place(points: Sequence[Point], label: str) -> int:
    """Where a move is committed."""
    return next(n for n, one in enumerate(points) if one.move == label and one.moment is Moment.AFTER_COMMIT)


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


def _without_equal(points: Sequence[Point]) -> list[Point]:
    """The first of deaths between which neither the database nor the world has changed.

    A request that has not arrived has changed nothing since the commit, or the request that arrived, before it; that
    its reply is read nobody knows but the bot that dies. A death before a commit stays: a bot that acts before it has
    committed is found there.
    """
    kept: list[Point] = []
    is_known = False
    for point in points:
        is_asked = not point.label.startswith(OF_SLACK)
        if is_asked and point.moment is Moment.READ:
            continue
        if not (is_asked and point.moment is Moment.SENT and is_known):
            kept.append(point)
        is_known |= point.moment is not Moment.BEFORE_COMMIT
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
