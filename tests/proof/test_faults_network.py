"""The stories on bad wires: nothing is lost, doubled or wrong, and nobody is asked what the service can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.proof import roads
from tests.proof.faults import (
    AHEAD,
    BEHIND,
    BROKEN,
    BUSY,
    DOWN,
    EXPIRED,
    HALF,
    LATE,
    NO_NAME,
    RESET,
    RESET_REPLY,
    SLOW,
    TORN,
    Cell,
    Side,
    Surroundings,
    Told,
    of_a_road,
    of_services,
    of_slack,
    of_the_clock,
    of_the_way_in,
    tell,
    tell_all,
)
from tests.proof.report import Row, Tell
from tests.proof.report import tell as report
from tests.proof.stage import Launcher
from tests.proof.stories import STORIES, Story
from tests.short import short

STORY = {story.name: story for story in STORIES}
PLAIN, NAMES, CERTIFICATES = "plain", "names", "certificates"
TRAIN = "sestek POST .*trainings/train"
SWITCH = "update_model"
POSTS = "chat.postMessage"


@pytest.fixture(scope="session")
def plain(launcher: Launcher) -> Surroundings:
    return Surroundings(launcher=launcher)


@pytest.fixture(scope="session")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    with roads.names(tmp_path_factory.mktemp("names")) as found:
        if found is None:
            pytest.skip("this machine allows no file systems of one's own, so no name can be made unknown")
        yield found


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    with roads.certificates(tmp_path_factory.mktemp("certificates")) as found:
        if found is None:
            pytest.skip("no `openssl` is installed, so no certificate can be made")
        yield found


def surroundings(cell: Cell) -> str:
    return {NO_NAME: NAMES, EXPIRED: CERTIFICATES}.get(cell.fault, PLAIN)


# -- one cell of each kind -----------------------------------------------------------------------------------------

SHORT = (
    Cell(story=STORY["deepopinion"], side=Side.SOCKETS, fault=HALF, only="slash_commands"),
    Cell(story=STORY["sestek over http"], side=Side.DOOR, fault=DOWN),
    Cell(story=STORY["deepopinion"], side=Side.SLACK, fault=BUSY, only=POSTS + " card"),
    Cell(story=STORY["decthings"], side=Side.SLACK, fault=TORN, only=POSTS + " prompt"),
    Cell(story=STORY["decthings"], fault=RESET_REPLY, only="train|launch"),
    Cell(story=STORY["sony, seen"], fault=BROKEN, only=SWITCH),
    Cell(story=STORY["deepopinion"], side=Side.SLACK, fault=NO_NAME),
    Cell(story=STORY["sony, seen"], fault=EXPIRED),
    Cell(story=STORY["sony, applied"], side=Side.SLACK, fault=AHEAD, lost=RESET_REPLY, only=POSTS + " card"),
)
MORE = (
    Cell(story=STORY["sony, seen"], side=Side.SOCKETS, fault=RESET, only="acknowledges"),
    Cell(story=STORY["reject"], side=Side.SLACK, fault=LATE),
    Cell(story=STORY["deepopinion"], side=Side.SLACK, fault=TORN, only="auth.test"),
    Cell(story=STORY["sestek"], fault=RESET, only=TRAIN),
    Cell(story=STORY["aitems, two types"], fault=SLOW),
    Cell(story=STORY["sestek over http"], fault=BEHIND, is_set_right=True),
)


@pytest.mark.parametrize("cell", short([*SHORT, *MORE], *SHORT), ids=str)
async def test_a_story_ends_well_on_a_bad_wire(
    cell: Cell, request: pytest.FixtureRequest, tmp_path: Path, record_property: Tell
) -> None:
    """Whatever befalls it, a story comes to its end, and everything about it is told once."""
    told = await tell(cell, request.getfixturevalue(surroundings(cell)), tmp_path)
    _report(_kind(cell), [told], record_property)


# -- all cells -----------------------------------------------------------------------------------------------------

stories = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
GROUPS: dict[str, Callable[[Story], Sequence[Cell]]] = {
    "Slack's API": of_slack,
    "services": of_services,
    "Slack's sockets and requests": of_the_way_in,
    "clock": of_the_clock,
}


CELLS = [(group, story) for group, cells in GROUPS.items() for story in STORIES if cells(story)]


@pytest.mark.proof
@pytest.mark.parametrize(("group", "story"), CELLS, ids=lambda value: getattr(value, "name", value))
async def test_every_cell(group: str, story: Story, plain: Surroundings, tmp_path: Path, record_property: Tell) -> None:
    """Each story with each fault on each side."""
    _report(group, await tell_all(GROUPS[group](story), plain, tmp_path), record_property)


@pytest.mark.proof
@stories
async def test_every_name(story: Story, names: Surroundings, tmp_path: Path, record_property: Tell) -> None:
    """Each story with a Slack, and with a service, whose name cannot be looked up for a while."""
    _report(str(NO_NAME), await tell_all(of_a_road(story, NO_NAME), names, tmp_path), record_property)


@pytest.mark.proof
@stories
async def test_every_certificate(
    story: Story, certificates: Surroundings, tmp_path: Path, record_property: Tell
) -> None:
    """Each story with a Slack, and with a service, whose certificate has ended and is renewed after a while."""
    _report(str(EXPIRED), await tell_all(of_a_road(story, EXPIRED), certificates, tmp_path), record_property)


def _kind(cell: Cell) -> str:
    sides = {Side.SLACK: "Slack's API", Side.SERVICE: "services"}
    if cell.fault in (NO_NAME, EXPIRED):
        return str(cell.fault)
    return "clock" if cell.fault.off else sides.get(cell.side, "Slack's sockets and requests")


def _report(what: str, all_told: Sequence[Told], record_property: Tell) -> None:
    verdicts = [one.verdict for one in all_told]
    row = Row(
        part="network faults",
        what=what,
        runs=len(all_told),
        faults=sum(one.met for one in all_told),
        lost=sum(bool(verdict.lost) for verdict in verdicts),
        doubled=sum(bool(verdict.doubled) for verdict in verdicts),
        wrong=sum(bool(verdict.wrong) for verdict in verdicts),
        leaked=sum(bool(verdict.leaked) for verdict in verdicts),
        questions=sum(verdict.questions for verdict in verdicts),
        seconds=round(sum(one.seconds for one in all_told), 1),
    )
    report(record_property, row)
    bad = [f"{one}\n{one.log[-3000:]}" for one in all_told if not one.is_good]
    assert not bad, "\n".join(bad)
