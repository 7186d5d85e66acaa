"""Data is kept as long as it is needed, and else for a configured time after its last use."""

import asyncio

import structlog

from bot.ports import Deps

log = structlog.get_logger()


async def tidy_due(deps: Deps) -> None:
    """Tick: delete what is old and needed by nothing. A deletion that is cut short goes on with the next tick.

    What is needed is read before anything is deleted, and counts as used now, so that it is not asked about at each
    tick. What comes to need a file afterwards renews it (`check`), or finds it gone and is told so; what a model goes
    back to needs its data from the switch on, so it is never old and unneeded in between.
    """
    before = deps.now() - deps.limits.keep_data
    if not await asyncio.to_thread(deps.files.has_old, before):
        return
    needed = await deps.store.needed_data()
    deleted = await asyncio.to_thread(deps.files.tidy, before, needed, deps.now())
    if deleted:
        log.info("data deleted", count=deleted, unused_for_days=deps.limits.keep_data.days)
