"""A process of its own that writes to a database: `python -m tests.storage.writer_process WHAT PATH`."""

import asyncio
import resource
import sys
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from pathlib import Path

from bot.domain.changes import NoticeKind
from bot.errors import StoreError
from storage.store import SqliteStore
from tests.contract.samples import NOW, a_job, a_notice, birth

WRITERS = 8


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def write_one(store: SqliteStore, id_: str) -> None:
    """A job with its transition and card."""
    card = a_notice(f"{id_}:card", id_, NoticeKind.CARD, job_id=id_)
    await store.request(birth(a_job(id_), card), same_since=NOW, is_exclusive=False, is_again=True)


async def hold(store: SqliteStore) -> None:
    """Write one job, say so, and stay until killed."""
    await write_one(store, "held")
    say("ready")
    await asyncio.Event().wait()


async def write(store: SqliteStore) -> None:
    """Write jobs without end, and say the id of each that was acknowledged."""

    async def go_on(number: int) -> None:
        for step in count():
            await write_one(store, f"j{number}-{step}")
            say(f"j{number}-{step}")

    await asyncio.gather(*(go_on(number) for number in range(WRITERS)))


async def fill(store: SqliteStore) -> None:
    """Write where no file may grow any more, then where it may again; say what became of each write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    ids = [f"full{number}" for number in range(5)]
    for outcome in await asyncio.gather(*(write_one(store, id_) for id_ in ids), return_exceptions=True):
        say("StoreError" if isinstance(outcome, StoreError) else repr(outcome))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await write_one(store, "after")
    say("written" if await store.job("after") else "lost")
    say(f"{sum([await store.job(id_) is not None for id_ in ids])} of the others")


STORIES: Mapping[str, Callable[[SqliteStore], Awaitable[None]]] = {"hold": hold, "write": write, "fill": fill}


async def main(what: str, path: str) -> None:
    store = SqliteStore(Path(path))
    await store.open()
    await STORIES[what](store)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
