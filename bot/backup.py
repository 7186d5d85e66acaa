"""Backup and restore in the shell."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from bot.app import TRANSPORT, limits_of, slack_client, utc_now
from bot.audit_log import record_export
from bot.domain.jobs import Transition
from bot.files import DataFolder
from bot.policy_file import load_policy
from bot.poller import Crew
from bot.ports import Deps, Store
from bot.providers import registry
from bot.providers.http import Tools, open_sessions
from bot.settings import Settings
from bot.usecases.restore import distrust
from handlers.messenger import SlackMessenger
from handlers.views.words import PHRASES
from storage import backup
from storage.backup import Contents, Unpacked
from storage.store import SqliteStore

Now = Callable[[], datetime]


def back_up(settings: Settings, file: Path, *, may_replace: bool, now: Now = utc_now) -> list[str]:
    """Write a backup and say what is in it. Works beside a running bot."""
    record_export(settings, "backup", file.name, now)
    made = backup.back_up(settings.database_path, settings.spool_folder, file, now=now(), may_replace=may_replace)
    said = [f"Backed up {_inventory(made)} to {file} ({_size(file)})."]
    lacking = [f"The data file {name} was to be sent, but is not in the spool any more." for name in made.missing]
    return [*said, *lacking]


async def restore(settings: Settings, file: Path, *, now: Now = utc_now) -> list[str]:
    """Put a backup in the place of the database; what was settled on the way, and where the former one is kept."""
    database = settings.database_path
    async with backup.alone(database):
        with backup.unpacked(file, database) as made:
            moves = await _distrust(settings, made, now)
            kept = await asyncio.to_thread(backup.put_in_place, made, database, settings.spool_folder, now=now())
    made_at = f"{made.contents.made_at:%Y-%m-%d %H:%M:%S}Z"
    former = [f"The former database is kept as {kept.name}."] if kept else []
    return [f"Restored the backup of {made_at}: {_inventory(made.contents)}.", *former, *_settled(moves)]


async def _distrust(settings: Settings, made: Unpacked, now: Now) -> list[Transition]:
    store = SqliteStore(made.database)
    try:
        await store.open()
        async with _deps(settings, store, now) as deps:
            return await distrust(deps, made.contents.made_at)
    finally:
        await store.close()


@asynccontextmanager
async def _deps(settings: Settings, store: Store, now: Now) -> AsyncIterator[Deps]:
    """What a use case is given, with nothing that runs: no ticks, no steps, and nobody writes to Slack."""
    async with slack_client(settings) as client, open_sessions() as sessions:
        yield Deps(
            store=store,
            providers=registry.load(settings.providers, Tools(sessions=sessions, now=now)),
            messenger=SlackMessenger(client, TRANSPORT, posts_per_second=settings.slack.posts_per_second, now=now),
            files=DataFolder(settings.data_folder, settings.spool_folder, settings.data.max_bytes),
            policies=lambda: load_policy(settings),
            limits=limits_of(settings),
            now=now,
            new_id=lambda: secrets.token_hex(8),
            nudge=lambda name: None,
            spawn=Crew().spawn,
            alarm_channel=settings.slack.alarm_channel or "",
        )


def _settled(moves: list[Transition]) -> list[str]:
    """Where each job stands that was moved."""
    last: Mapping[str, Transition] = {move.job_id: move for move in moves}
    return [f"  {job_id}  {PHRASES[move.new]}: {move.reason}" for job_id, move in last.items()]


def _inventory(contents: Contents) -> str:
    alive = f"{contents.alive:,} of them not ended"
    return f"{_count(contents.jobs, 'training')}, {alive}, and {_count(len(contents.files), 'data file')}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _size(file: Path) -> str:
    return f"{file.stat().st_size / (1 << 20):,.1f} MB"
