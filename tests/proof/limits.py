"""A bot as a process of its own, what people do meanwhile, and faults that are done to it from outside."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path

from sqlite_utils.utils import sqlite3

from sandbox.slack.people import Outcome
from sandbox.slack.workspace import Message
from tests.flows.lab import text_of
from tests.proof.conductor import Conductor
from tests.proof.leaks import leaked
from tests.proof.stage import SEEN_EVERY, Stage, Starter, labels, stage
from tests.proof.verdict import Verdict, _judge_file, _judge_messages, _judge_views

PATIENCE = 40.0
SLACK_WAITS = 3.0
Fault = Callable[[Stage], AbstractContextManager[None]]


# -- the bot and the people ----------------------------------------------------------------------------------------


@asynccontextmanager
async def staged(folder: Path, starter: Starter, **environ: str) -> AsyncIterator[Stage]:
    """A world with a bot that runs in it and that nobody starts again; its people are as patient as Slack. At the end
    no secret is seen anywhere."""
    async with stage(folder, starter, Conductor()) as here:
        here.environ |= environ
        here.world.slack.transport._ack_seconds = SLACK_WAITS
        async with running(here):
            yield here
        assert await leaked(here) == []


@asynccontextmanager
async def running(here: Stage) -> AsyncIterator[None]:
    """A bot, killed at the end; one that has ended by itself is a finding."""
    here.conductor.pid = here.launcher.launch(here.environ, here.folder)
    try:
        await here.connected()
        yield
        assert here.launcher.reap(here.conductor.pid) is None, here.log()
    finally:
        os.kill(here.conductor.pid, signal.SIGKILL)
        await ended(here)


async def ended(here: Stage) -> int:
    """How the bot ended, once it has."""
    async with asyncio.timeout(PATIENCE):
        while (status := here.launcher.reap(here.conductor.pid)) is None:  # noqa: ASYNC110  it is no child of ours
            await asyncio.sleep(SEEN_EVERY)
    return status


async def refuses_to_run(here: Stage) -> str:
    """The sentence with which the bot ends at once."""
    here.conductor.pid = here.launcher.launch(here.environ, here.folder)
    assert await ended(here) == 1
    last = here.log().splitlines()[-1]
    assert "Traceback" not in last
    return last


async def types(here: Stage, line: str, who: str = "ada") -> Outcome:
    return await here.world.slack.person(who).command(line)


async def is_taken(here: Stage, line: str, who: str = "ada") -> None:
    said = text_of(await types(here, line, who))
    assert said.startswith("Got it"), said


async def presses(here: Stage, shown: Message, label: str, who: str) -> None:
    assert (await here.world.slack.person(who).click(shown, labels(shown)[label])).ok


async def is_told(here: Stage, who: str, part: str) -> None:
    await here.world.slack.wait_for_ephemeral(who, lambda one: part in one.text, timeout=PATIENCE)


def with_button(here: Stage, label: str) -> list[Message]:
    """The messages that have this button, oldest first."""
    return [one for one in here.shown() if label in labels(one)]


async def asked(here: Stage, label: str) -> Message:
    """The newest message that has this button, once everything is told."""
    await until(lambda: not here.kept.waiting() and with_button(here, label))
    return with_button(here, label)[-1]


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110  the database is asked, as an operator would ask it
            await asyncio.sleep(SEEN_EVERY)


def states(here: Stage) -> list[str]:
    return [str(job["state"]) for job in here.kept.jobs()]


async def all_are(here: Stage, *wanted: str) -> None:
    """Wait until the jobs, oldest first, are in these states, and everything about them is told."""
    try:
        await until(lambda: (states(here), here.kept.waiting()) == (list(wanted), 0))
    except TimeoutError:
        raise AssertionError(f"{states(here)}, {here.kept.waiting()} wait\n{here.log()[-4000:]}") from None


def judge_all(here: Stage) -> None:
    """Each message once, each card equal to its state, the file whole."""
    verdict = Verdict()
    for look in (_judge_messages, _judge_views, _judge_file):
        look(here, verdict)
    assert verdict.is_good, verdict


# -- the faults ----------------------------------------------------------------------------------------------------


@contextmanager
def limited(here: Stage, what: int, most: int) -> Iterator[None]:
    """The process's own limit, set from outside while it runs."""
    pid = here.conductor.pid
    soft, hard = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (most, hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, what, (soft, hard))


def no_room_for_a_page(here: Stage) -> AbstractContextManager[None]:
    """The write-ahead log may not grow by a page: the next one is written in part, then the disk refuses."""
    log = here.kept.path.with_name(f"{here.kept.path.name}-wal")
    return limited(here, resource.RLIMIT_FSIZE, log.stat().st_size + 2000)


@contextmanager
def locked(here: Stage) -> Iterator[None]:
    """Another process writes to the database and does not come to an end."""
    other = sqlite3.connect(str(here.kept.path), isolation_level=None, timeout=5)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def no_more_descriptors(here: Stage) -> AbstractContextManager[None]:
    """Not one file, connection or socket more than are open now."""
    opened = {int(path.name) for path in Path(f"/proc/{here.conductor.pid}/fd").iterdir()}
    lowest_free = next(number for number in range(len(opened) + 1) if number not in opened)
    return limited(here, resource.RLIMIT_NOFILE, lowest_free)
