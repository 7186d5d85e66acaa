"""A backup of any moment of a story, put back after its end: nothing that was sent since is sent again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot import backup
from bot.settings import load
from storage.backup import back_up
from tests.proof.conductor import Conductor, Moment, Point, is_schema
from tests.proof.leaks import leaked
from tests.proof.limits import running, until
from tests.proof.report import Row, Tell, tell
from tests.proof.stage import Launcher, Stage, stage
from tests.proof.stories import STORIES, People, Story
from tests.proof.verdict import Verdict, _judge_file, _judge_messages

SHARES = 2
NAMES = ("sony, seen", "gate before the start", "deepopinion")
QUIET_SECONDS = 0.5


@dataclass(slots=True)
class Copyist(Conductor):
    """Makes a backup after each kind of commit, while the bot waits for a word before it goes on."""

    database: Path = Path()
    is_copying: bool = True
    backups: dict[Point, Path] = field(default_factory=dict)

    def reach(self, moment: Moment, label: str) -> bool:
        is_ended = Conductor.reach(self, moment, label)
        point = self.lives[-1][-1]
        if self.is_copying and moment is Moment.AFTER_COMMIT and point.nth == 1 and not is_schema(label):
            target = self.database.parent / f"{len(self.backups)}.tar"
            back_up(self.database, self.database.parent / "spool", target, now=datetime.now(UTC))
            self.backups[point] = target
        return is_ended


@pytest.mark.proof
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("story", [one for one in STORIES if one.name in NAMES], ids=lambda story: story.name)
async def test_a_backup_of_any_moment_sends_nothing_again(
    story: Story, share: int, launcher: Launcher, tmp_path: Path, record_property: Tell
) -> None:
    """The story has come to its end since: one training and at most one switch, whatever the backup believes."""
    conductor = Copyist(database=tmp_path / "switchyard.db")
    async with stage(tmp_path, launcher, conductor, training_seconds=story.training_seconds) as here:
        here.environ |= story.settings
        await here.play(People(here, story).live())
        conductor.is_copying = False
        points = list(conductor.backups)[share::SHARES]
        found = {str(point): await put_back(here, story, conductor.backups[point]) for point in points}
    bad = {point: what for point, what in found.items() if what}
    row = Row(part="restore", what=story.name, runs=len(points), points=len(points), doubled=len(bad))
    tell(record_property, row)
    assert len(points) > 5
    assert bad == {}


async def put_back(here: Stage, story: Story, archive: Path) -> str:
    """Restore, run for a while without anybody who presses; what is sent again then, or seen that should not be."""
    await backup.restore(load(here.environ), archive)
    async with running(here):
        await until(lambda: not here.kept.waiting())
        await asyncio.sleep(QUIET_SECONDS)
        await until(lambda: not here.kept.waiting())
    verdict = Verdict(leaked=await leaked(here))
    _judge_messages(here, verdict)
    _judge_file(here, verdict)
    service = next(one for one in here.world.services.all if one.name == story.service)
    sent = (len(service.starts), len(service.switches))
    # What the lost database has posted is in no outbox any more, and what it told is told again.
    return str(verdict.doubled or verdict.leaked or "" if sent == (story.starts, story.switches) else sent)
