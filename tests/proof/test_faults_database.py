"""What happens to the disk, the file and the process's limits while people type: nothing is taken that is not kept.

The bot is a process of its own; every fault is done to it from outside, and taken back while it runs. A command is
acknowledged as taken only when it is on disk; afterwards nothing is lost and nothing doubled.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils.utils import sqlite3

from handlers.guard import NOT_SAVED
from tests.flows.lab import data_folder, text_of
from tests.proof.conductor import Conductor, Moment, Point
from tests.proof.leaks import leaked
from tests.proof.limits import (
    PATIENCE,
    SLACK_WAITS,
    Fault,
    all_are,
    asked,
    ended,
    is_taken,
    is_told,
    judge_all,
    limited,
    locked,
    no_more_descriptors,
    no_room_for_a_page,
    presses,
    refuses_to_run,
    running,
    staged,
    states,
    types,
    until,
    with_button,
)
from tests.proof.report import Row, Tell, tell
from tests.proof.runs import AT_ONCE, run
from tests.proof.stage import (
    ROOT,
    SEEN_EVERY,
    BotEndedError,
    Kept,
    Launcher,
    PlainStarter,
    Stage,
    stage,
)
from tests.proof.stories import STORIES, People
from tests.proof.verdict import judge

TRAIN = "/train deepopinion 1 reviews-{name} language=en sessions=1,2"
SONY = "/train sony churn data=churn.csv"
TIMED_OUT = "operation_timeout"
FAULT_SECONDS, CALM_SECONDS = 0.5, 0.5
SHARES = 4
STORY = next(story for story in STORIES if story.name == "sony, seen")

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process are set as Linux does it")


# -- a disk that is full -------------------------------------------------------------------------------------------


@linux
async def test_what_cannot_be_kept_is_not_taken(launcher: Launcher, tmp_path: Path) -> None:
    """Commands and clicks are answered "nothing was done", and that is true; the same works when there is room."""
    async with staged(tmp_path, launcher) as here:
        await is_taken(here, SONY)
        await all_are(here, "offered")
        offer = await asked(here, "Approve")
        with no_room_for_a_page(here):
            for _ in range(3):
                assert text_of(await types(here, TRAIN.format(name="one"), "bora")) == NOT_SAVED
            await presses(here, offer, "Approve", "bora")
            await is_told(here, "bora", NOT_SAVED)
        assert states(here) == ["offered"]
        await is_taken(here, TRAIN.format(name="one"), "bora")
        await presses(here, offer, "Approve", "bora")
        await all_are(here, "live", "done")
        assert len(here.world.services.sony.switches) == 1
        assert len(here.world.services.deepopinion.starts) == 1
        judge_all(here)


@linux
async def test_a_start_whose_outcome_cannot_be_written_is_found_later(launcher: Launcher, tmp_path: Path) -> None:
    """The service has accepted, the disk has not: the training is looked for, and neither lost nor started again."""
    async with staged(tmp_path, launcher) as here:
        service = here.world.services.deepopinion
        service.faults.slow = 0.3
        await is_taken(here, TRAIN.format(name="one"))
        await until(lambda: states(here) == ["starting"])
        with no_room_for_a_page(here):
            await until(lambda: service.starts)
            await until(lambda: "cannot be written" in here.log())
        assert states(here) == ["starting"]
        service.faults.slow = 0.0
        here.let_time_pass()
        await all_are(here, "done")
        assert len(service.starts) == 1
        judge_all(here)


class SmallDisk(PlainStarter):
    """Starts bots whose folder `disk` is a file system of their own, of 8 MB, that nobody else sees."""

    MOUNT = 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"'

    def launch(self, environ: Mapping[str, str], folder: Path) -> int:
        disk = folder / "disk"
        disk.mkdir(exist_ok=True)
        command = ["unshare", "-rm", "sh", "-c", self.MOUNT, str(disk), sys.executable, "-m", "bot", "run"]
        with (folder / "bot.log").open("ab") as log:
            bot = subprocess.Popen(command, cwd=ROOT, env=dict(environ), stdout=log, stderr=log)
        self._bots[bot.pid] = bot
        return bot.pid

    @classmethod
    def is_possible(cls, folder: Path) -> bool:
        """Are namespaces of one's own allowed here?"""
        command = ["unshare", "-rm", "sh", "-c", cls.MOUNT, str(folder), "true"]
        return shutil.which("unshare") is not None and subprocess.run(command, check=False).returncode == 0


@dataclass(slots=True)
class KeptElsewhere(Kept):
    """A database on a file system that only the bot sees: copied out, then read."""

    seen: Path = Path()

    @contextmanager
    def _open(self) -> Any:
        copy = self.path.with_name("copy.db")
        for ending in ("", "-wal"):
            shutil.copy(f"{self.seen}{ending}", f"{copy}{ending}")
        db = sqlite3.connect(str(copy))
        try:
            yield db
        finally:
            db.close()


@pytest.mark.proof
@linux
async def test_a_file_system_without_a_byte_left(tmp_path: Path) -> None:
    """The same on a disk that is really full, with the spool on it: SQLite says so, and so does the bot."""
    if not SmallDisk.is_possible(tmp_path):
        pytest.skip("this machine allows no file systems of one's own")
    async with stage(tmp_path, SmallDisk(), Conductor()) as here:
        here.environ["SWITCHYARD_DATABASE_URL"] = f"sqlite:///{tmp_path / 'disk' / 'switchyard.db'}"
        here.world.slack.transport._ack_seconds = SLACK_WAITS
        async with running(here):
            disk = Path(f"/proc/{here.conductor.pid}/root{tmp_path}/disk")
            here.kept = KeptElsewhere(tmp_path / "switchyard.db", seen=disk / "switchyard.db")
            await is_taken(here, TRAIN.format(name="one"))
            await all_are(here, "done")
            fill(disk / "filler")
            for line in (TRAIN.format(name="two"), SONY):
                assert text_of(await types(here, line, "bora")) == NOT_SAVED
            assert "disk is full" in here.log()
            (disk / "filler").unlink()
            await is_taken(here, TRAIN.format(name="two"), "bora")
            await all_are(here, "done", "done")
            assert len(here.world.services.deepopinion.starts) == 2
            judge_all(here)


def fill(path: Path) -> None:
    """Write until not even a byte fits."""
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue


# -- a database that somebody else holds, or that may not be written -----------------------------------------------


@pytest.mark.proof
async def test_a_lock_that_lasts_costs_no_command(launcher: Launcher, tmp_path: Path) -> None:
    """Longer than the bot's patience: nobody is told "got it" for what is not kept, and nothing is kept twice."""
    async with staged(tmp_path, launcher) as here:
        await is_taken(here, TRAIN.format(name="one"))
        await all_are(here, "done")
        with locked(here):
            for name in ("two", "three", "four"):
                outcome = await types(here, TRAIN.format(name=name), "bora")
                assert text_of(outcome) == NOT_SAVED or outcome.error == TIMED_OUT
                assert states(here) == ["done"]
        for name in ("two", "three", "four"):
            said = text_of(await types(here, TRAIN.format(name=name), "bora"))
            # Slack may have given up waiting for an answer that came in time for the database.
            assert said.startswith(("Got it", "You asked for exactly this"))
        here.let_time_pass()
        await all_are(here, *["done"] * 4)
        assert len(here.world.services.deepopinion.starts) == 4
        judge_all(here)


BOW = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, out of the bounding set
    os.geteuid() or ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "bot", "run"])
"""


class Unprivileged(PlainStarter):
    """Starts bots that heed the permissions of files, also where root runs the tests."""

    def launch(self, environ: Mapping[str, str], folder: Path) -> int:
        with (folder / "bot.log").open("ab") as log:
            bot = subprocess.Popen([sys.executable, "-c", BOW], cwd=ROOT, env=dict(environ), stdout=log, stderr=log)
        self._bots[bot.pid] = bot
        return bot.pid


@contextmanager
def only_readable(path: Path) -> Iterator[None]:
    former = path.stat().st_mode
    path.chmod(former & ~0o222)
    try:
        yield
    finally:
        path.chmod(former)
        for beside in path.parent.glob(f"{path.name}-*"):  # SQLite made them with the rights of the database
            beside.chmod(former)


@pytest.mark.proof
@linux
@pytest.mark.parametrize("what", ["file", "folder"])
async def test_a_database_that_may_only_be_read_is_refused_at_the_start(tmp_path: Path, what: str) -> None:
    """The bot does not run half: a sentence, and the story goes on once it may write."""
    async with stage(tmp_path, Unprivileged(), Conductor()) as here:
        kept = tmp_path / "kept"
        kept.mkdir()
        here.environ["SWITCHYARD_DATABASE_URL"] = f"sqlite:///{kept / 'switchyard.db'}"
        here.kept = Kept(kept / "switchyard.db")
        here.conductor.pid = here.launcher.launch(here.environ, here.folder)
        await here.connected()
        await is_taken(here, TRAIN.format(name="one"))
        await all_are(here, "done")
        os.kill(here.conductor.pid, signal.SIGTERM)
        assert await ended(here) == 0
        with only_readable(kept if what == "folder" else kept / "switchyard.db"):
            said = await refuses_to_run(here)
        assert "database" in said
        assert re.search(r"read-?only|Permission denied", said)
        async with running(here):
            await is_taken(here, TRAIN.format(name="two"))
            await all_are(here, "done", "done")
            judge_all(here)


# -- a page that is damaged ----------------------------------------------------------------------------------------


def switchyard(here: Stage, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line beside the bot, with the bot's own configuration."""
    command = [sys.executable, "-m", "bot", *words]
    return subprocess.run(command, cwd=ROOT, env=here.environ, capture_output=True, text=True, check=False)


@pytest.mark.proof
async def test_a_damaged_page_is_found_and_the_backup_goes_on(launcher: Launcher, tmp_path: Path) -> None:
    """Made beside the running bot, put back after the disk broke: what had run since is not run again."""
    archive = str(tmp_path / "monday.tar")
    async with stage(tmp_path, launcher, Conductor(), training_seconds=1.0) as here:
        async with running(here):
            await is_taken(here, SONY)
            await until(lambda: states(here) in (["running"], ["queued"]))
            here.world.services.sony.faults.outage = "503"  # so that it is still at work in the backup
            made = await asyncio.to_thread(switchyard, here, "backup", archive)
            assert made.returncode == 0, made.stderr
            beside = await asyncio.to_thread(switchyard, here, "restore", archive)
            assert beside.returncode == 1
            assert "Stop it first" in beside.stderr
            here.world.services.sony.faults.outage = None
            await all_are(here, "offered")
        overwrite_a_page(here.kept.path)
        said = await refuses_to_run(here)
        assert "is damaged" in said
        assert "switchyard restore" in said
        restored = await asyncio.to_thread(switchyard, here, "restore", archive)
        assert restored.returncode == 0, restored.stderr
        assert "1 training" in restored.stdout
        async with running(here):
            await all_are(here, "offered")
            unknown, offer = with_button(here, "Approve")
            await presses(here, unknown, "Approve", "bora")
            await is_told(here, "bora", "does not belong to anything")
            await presses(here, offer, "Approve", "bora")
            await all_are(here, "live")
            assert len(here.world.services.sony.starts) == 1
            assert len(here.world.services.sony.switches) == 1


def overwrite_a_page(path: Path) -> None:
    """What a dying disk leaves: a page in the middle that means nothing. The log is taken in first."""
    db = sqlite3.connect(str(path))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 4096 // 2 * 4096)
        file.write(b"\xa5" * 4096)


# -- limits of the process -----------------------------------------------------------------------------------------


@linux
async def test_without_descriptors_the_bot_waits(launcher: Launcher, tmp_path: Path) -> None:
    """What it takes is on disk; what it cannot reach for want of a socket or a file is reached later."""
    async with staged(tmp_path, launcher) as here:
        await is_taken(here, SONY)
        await all_are(here, "offered")
        with no_more_descriptors(here):
            await is_taken(here, TRAIN.format(name="one"), "bora")
            assert len(here.kept.jobs()) == 2
            await until(lambda: states(here)[-1] != "checking")
            # Its data cannot be opened now; whatever is answered, it is no promise that is not kept.
            kept = len(here.kept.jobs())
            said = text_of(await types(here, "/train sestek my-model en-US", "bora"))
            assert (len(here.kept.jobs()) > kept) is said.startswith("Got it")
        here.let_time_pass()
        await until(lambda: states(here)[1] == "done" and not here.kept.waiting())
        judge_all(here)


def size_of(pid: int) -> int:
    """The address space in use, in bytes."""
    return int(re.findall(r"VmSize:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[0]) * 1024


def write_texts(path: Path, size: int) -> None:
    """Labelled texts, no two alike."""
    number = 0
    with path.open("w") as file:
        while file.tell() < size:
            number += 1
            row = {"Label": f"label {number % 50}", "Text": f"{number} " + "word " * 40}
            file.write(json.dumps(row) + "\n")


def write_rows(path: Path, size: int) -> None:
    """A table for retraining, with wide cells: the service takes a million rows at most."""
    row = f"{{}},{{}},{'x' * 199},{{}}\n"
    number = 0
    with path.open("w") as file:
        file.write("customer_id,tenure_months,note,churned\n")
        while file.tell() < size:
            number += 1
            file.write(row.format(number, number % 70, ("yes", "no")[number % 2]))


LARGE = 199 * 1024 * 1024
ROOM = 176 * 1024 * 1024


@pytest.mark.proof
@linux
@pytest.mark.parametrize(
    ("write", "name", "line"),
    [
        (write_texts, "large.jsonl", "/train sestek large en-US"),
        (write_rows, "large.csv", "/train sony churn data=large.csv"),
    ],
    ids=["sestek", "sony"],
)
async def test_a_file_larger_than_the_memory_is_checked_and_sent(
    write: Callable[[Path, int], None], name: str, line: str, launcher: Launcher, tmp_path: Path
) -> None:
    """The process may grow by less than the file is long: it is read, checked, copied and sent piece by piece."""
    data = data_folder(tmp_path)
    write(data / name, LARGE)
    async with stage(tmp_path, launcher, Conductor()) as here:
        # The wires of the stage carry no requests of this size.
        here.environ |= here.world.services.environment() | {"SWITCHYARD_DATA__FOLDER": str(data)}
        here.world.slack.transport._ack_seconds = SLACK_WAITS
        async with running(here):
            most = size_of(here.conductor.pid) + ROOM
            with limited(here, resource.RLIMIT_AS, most):
                await is_taken(here, line)
                await ends_while_others_type(here)
            assert sum(len(service.starts) for service in here.world.services.all) == 1
    for folder in (data, tmp_path / "spool"):
        shutil.rmtree(folder)  # pytest keeps what is left for a while, and this is much


async def ends_while_others_type(here: Stage) -> None:
    """Wait for the end of the training; everybody is answered all the while."""
    async with asyncio.timeout(3 * PATIENCE):
        while here.kept.state() not in ("live", "offered"):
            assert here.kept.state() != "failed", here.kept.rows("SELECT reason FROM transitions")
            assert (await types(here, "/jobs", "bora")).ok
            await asyncio.sleep(0.2)


# -- at every moment of a story ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Trouble(Conductor):
    """A fault that begins exactly when the bot comes to a point, and ends a while later."""

    begins: Point | None = None
    fault: Fault = no_room_for_a_page
    here: Stage | None = None
    people: Patient | None = None
    has_begun: bool = False
    _undo: ExitStack = field(default_factory=ExitStack)

    def reach(self, moment: Moment, label: str) -> bool:
        is_ended = Conductor.reach(self, moment, label)
        if not self.has_begun and self.here is not None and self.lives[-1][-1:] == [self.begins]:
            self.has_begun = True
            self._undo.enter_context(self.fault(self.here))
            asyncio.get_running_loop().call_later(FAULT_SECONDS, self.end)
        return is_ended

    def end(self) -> None:
        """All is well again, and people press anew."""
        self._undo.close()
        if self.people is not None:
            self.people.pressed.clear()
        asyncio.get_running_loop().call_later(CALM_SECONDS, self.end_the_bot)

    def end_the_bot(self) -> None:
        """What a step that failed has claimed is due after its lease, or with the next bot."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


@dataclass(slots=True)
class Patient(People):
    """Somebody who reads the answer: a command counts as acknowledged when it says so."""

    async def _type(self) -> None:
        while not self.acknowledged:
            await self.stage.connected()
            said = text_of(await self.stage.world.slack.person("ada").command(self.story.line, self.story.channel))
            self.acknowledged += said.startswith(("Got it", "You asked for exactly this"))
            await asyncio.sleep(SEEN_EVERY)

    def is_told(self) -> bool:
        return People.is_told(self) or (has_said_why(self.stage) and not self.stage.kept.waiting())

    def _wait_for_sony(self, state: str) -> None:
        """A retrain job without data shows one word for ever; nobody is asked before half an hour of it."""
        now = asyncio.get_running_loop().time()
        if state != "unsure":
            self.unsure_since = now
        elif now - self.unsure_since > 1.0:
            self.unsure_since = now
            self.stage.let_time_pass()


async def troubled(launcher: Launcher, folder: Path, fault: Fault, point: Point, begun: list[Point]) -> str:
    """A story with a fault in it, noted in `begun` if it came to it; what was wrong at its end."""
    folder.mkdir()
    conductor = Trouble(begins=point, fault=fault)
    async with stage(folder, launcher, conductor, training_seconds=STORY.training_seconds) as here:
        people = Patient(here, STORY)
        conductor.here, conductor.people = here, people
        try:
            await here.play(people.live())
        except TimeoutError:
            return f"{point}: no end, {states(here)}, {here.kept.waiting()} wait\n{here.log()[-3000:]}"
        except BotEndedError as error:
            return f"{point}: {error}"
        finally:
            begun += [point] * conductor.has_begun
        if has_said_why(here):
            return f"{point}: started all the same" * len(here.world.services.sony.starts)
        verdict = judge(here, STORY, people)
        verdict.lost = [one for one in verdict.lost if one not in excused(here)]
        verdict.leaked += await leaked(here)
        return "" if verdict.is_good else f"{point}: {verdict}"


def has_said_why(here: Stage) -> bool:
    """A file that cannot be opened at the start ends the training with a sentence, before anything is sent."""
    last = here.kept.rows("SELECT new, reason FROM transitions ORDER BY seq DESC LIMIT 1")
    return [row["new"] for row in last if "cannot be read" in row["reason"]] == ["failed"]


def excused(here: Stage) -> set[str]:
    """What is not told: further tries of a start that was surely not sent, and answers whose address has run out."""
    moves = here.kept.rows("SELECT job_id, seq FROM transitions WHERE new = 'starting' OR old = 'starting'")
    told = here.kept.rows("SELECT key, error FROM notices WHERE kind = 'told' AND state = 'dropped'")
    tries = {f"message {move['job_id']}:move:{move['seq']}" for move in moves[2:]}
    return tries | {f"told {one['key']} is dropped ({one['error']})" for one in told}


def while_it_runs(points: Sequence[Point]) -> list[Point]:
    """The first of each kind since the first command: a fault at the start is another story."""
    first = next(number for number, point in enumerate(points) if point.label.startswith("Slack to bot"))
    return [point for point in dict.fromkeys(points[first:]) if point.nth == 1]


@pytest.mark.proof
@linux
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("fault", [no_room_for_a_page, no_more_descriptors], ids=lambda fault: fault.__name__)
async def test_a_fault_that_begins_at_any_moment(
    fault: Fault, share: int, launcher: Launcher, tmp_path: Path, record_property: Tell
) -> None:
    """At each kind of commit, request and reply: one training, one switch, each message once."""
    (tmp_path / "recorded").mkdir()
    recorded = await run(launcher, tmp_path / "recorded", STORY)
    points = [one for one in while_it_runs(recorded.lives[0]) if zlib.crc32(str(one).encode()) % SHARES == share]
    places = asyncio.Semaphore(AT_ONCE)
    begun: list[Point] = []

    async def one(number: int, point: Point) -> str:
        async with places:
            return await troubled(launcher, tmp_path / str(number), fault, point, begun)

    found = await asyncio.gather(*(one(number, point) for number, point in enumerate(points)))
    bad = [line for line in found if line]
    what = f"{fault.__name__.replace('_', ' ')} from any moment on"
    tell(record_property, Row(part="database faults", what=what, runs=len(points), faults=len(begun), wrong=len(bad)))
    assert points
    assert not bad, "\n".join(bad)
