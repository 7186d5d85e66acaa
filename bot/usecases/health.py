"""Whether the services answer: told once in each channel that has a job there, once again when it is back."""

from datetime import datetime

from bot.domain.health import Back, ServiceHealth, Went, failed, speaks_of_absence, succeeded
from bot.domain.jobs import ENDS, JobState
from bot.errors import ProviderError
from bot.ports import Deps
from bot.usecases.moves import tell_channel

_ALIVE = frozenset(JobState) - ENDS


async def note_answer(deps: Deps, provider: str) -> None:
    """The service answered a look."""
    known = await _known(deps, provider)
    if known.failures:
        health, back = succeeded(known, deps.now())
        await _save(deps, health, _back_text(deps, back) if back else "")


async def note_failure(deps: Deps, provider: str, error: ProviderError) -> None:
    """A look failed; said at the third failure in a row that speaks of the service rather than of the training."""
    if not speaks_of_absence(error):
        return
    health, went = failed(await _known(deps, provider), str(error), deps.now())
    await _save(deps, health, _went_text(deps, went) if went else "")


async def _known(deps: Deps, provider: str) -> ServiceHealth:
    return (await deps.store.health()).get(provider, ServiceHealth(name=provider))


async def _save(deps: Deps, health: ServiceHealth, text: str) -> None:
    channels = await _channels(deps, health.name) if text else []
    await deps.store.save_health(health, [tell_channel(deps, channel, text) for channel in channels])
    if channels:
        deps.nudge("deliver")


async def _channels(deps: Deps, provider: str) -> list[str]:
    if deps.alarm_channel:
        return [deps.alarm_channel]
    alive = await deps.store.in_states(_ALIVE)
    return sorted({job.place for job in alive if job.request.provider == provider})


def _went_text(deps: Deps, went: Went) -> str:
    return (
        f"{_title(deps, went.name)} has not answered since {_clock(went.since)}: {went.sentence} "
        "Its trainings are kept and looked at again; nothing is lost."
    )


def _back_text(deps: Deps, back: Back) -> str:
    return f"{_title(deps, back.name)} answers again; it had been away since {_clock(back.since)}."


def _title(deps: Deps, name: str) -> str:
    return deps.providers.get(name).title


def _clock(at: datetime) -> str:
    """Slack shows this in the reader's own time zone."""
    return f"<!date^{int(at.timestamp())}^{{time}}|{at:%H:%M} UTC>"
