"""Keep the result file of a finished training, as long as the service still hands it out."""

from dataclasses import replace

from bot.domain.changes import Change
from bot.domain.jobs import Job
from bot.errors import ProviderError
from bot.ports import Deps, Work
from bot.sentences import _, pack
from bot.usecases.looking import failed_look, watched, within
from bot.usecases.moves import card_key, note, redraw
from bot.usecases.share import tell_result

AT_ONCE = 4
TRIES = 3


async def collect_due(deps: Deps) -> None:
    """Tick: fetch the results that are waiting."""
    lease = deps.now() + deps.limits.upload
    for job in await deps.store.claim_due(Work.COLLECT, deps.now(), lease, AT_ONCE):
        deps.spawn(job.id, collect(deps, job))


async def collect(deps: Deps, job: Job) -> None:
    """Fetch one result. A result that cannot be had is noted; it never stands in the way of the switch."""
    provider = deps.providers.get(job.request.provider)
    target = deps.files.result(job.id)
    try:
        size = await within(deps.limits.upload, provider.title, provider.fetch_result(watched(job), target))
    except (ProviderError, OSError) as error:
        change = _failed(deps, job, error)
    else:
        change = _noted(deps, job, {} if size is None else {"result_bytes": size})
        # By itself, since the training may have moved on while its file was fetched.
        await deps.store.tell([] if size is None else [tell_result(deps, job, size)])
    await deps.store.apply([change])
    deps.nudge("deliver")


def _failed(deps: Deps, job: Job, error: ProviderError | OSError) -> Change:
    if isinstance(error, ProviderError) and job.look.failures + 1 < TRIES:
        return failed_look(deps, job, error)
    return _noted(deps, job, {"result_missing": pack(_("The result file could not be kept."))})


def _noted(deps: Deps, job: Job, notes: dict[str, object]) -> Change:
    look = replace(job.look, failures=0, error="", notes={**job.look.notes, **notes})
    drawn = [redraw(deps, job.id, card_key(job.id))] if notes else []
    return note(deps, job, look=look, act_at=None, notices=drawn)
