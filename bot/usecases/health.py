"""Whether the services answer: told once in each channel that has a job there, once again when it is back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.health import Back, ServiceHealth, Went, failed, speaks_of_absence, succeeded
from bot.domain.jobs import ENDS, JobState
from bot.domain.text import escape
from bot.errors import ProviderError
from bot.ports import Deps
from bot.sentences import _
from bot.usecases.moves import tell_channel

_ALIVE = frozenset(JobState) - ENDS


async def note_answer(deps: Deps, provider: str) -> None:
    """The service answered a look."""
    known = await _known(deps, provider)
    if known.failures:
        health, back = succeeded(known, deps.now())
        await _save(deps, health, _back_text(deps, back) if back else "", known.told_in, since=known.since)


async def note_failure(deps: Deps, provider: str, error: ProviderError) -> None:
    """A look failed; said at the third failure in a row that speaks of the service rather than of the training."""
    known = await _known(deps, provider)
    if not speaks_of_absence(error) or _counts_already(deps, known):
        return
    health, went = failed(known, str(error), deps.now())
    channels = await _channels(deps, provider) if went else ()
    told = replace(health, told_in=channels) if went else health
    await _save(deps, told, _went_text(deps, went) if went else "", channels, since=health.since)


async def _known(deps: Deps, provider: str) -> ServiceHealth:
    return (await deps.store.health()).get(provider, ServiceHealth(name=provider))


def _counts_already(deps: Deps, known: ServiceHealth) -> bool:
    """Several trainings that fail at one moment are one failure of their service."""
    return known.since is not None and deps.now() < known.since + known.failures * deps.limits.pace.shortest / 2


async def _save(
    deps: Deps, health: ServiceHealth, text: str, channels: Sequence[str], *, since: datetime | None
) -> None:
    """Keep it, and tell what there is to tell: that it is back where it was said to be away."""
    # Two looks may come to the same conclusion at once: what they tell has the same key.
    away, back = (f"health:{health.name}:{word}:{since}" for word in ("away", "back"))
    notices = [
        tell_channel(deps, channel, text, key=f"{away}:{channel}", away=health.name, since=str(since))
        if health.is_away
        else tell_channel(deps, channel, text, key=f"{back}:{channel}", after=f"{away}:{channel}")
        for channel in channels
        if text
    ]
    await deps.store.save_health(health, notices)
    if notices:
        deps.nudge("deliver")


async def _channels(deps: Deps, provider: str) -> tuple[str, ...]:
    if deps.alarm_channel:
        return (deps.alarm_channel,)
    alive = await deps.store.in_states(_ALIVE)
    return tuple(sorted({job.place for job in alive if job.request.provider == provider}))


def _went_text(deps: Deps, went: Went) -> str:
    return _(
        "{service} has not answered since {time}: {problem} Its trainings are kept and looked at again; nothing is "
        "lost.",
        service=_title(deps, went.name),
        time=_clock(went.since),
        problem=escape(went.sentence),
    )


def _back_text(deps: Deps, back: Back) -> str:
    return _(
        "{service} answers again; it had been away since {time}.",
        service=_title(deps, back.name),
        time=_clock(back.since),
    )


def _title(deps: Deps, name: str) -> str:
    return deps.providers.get(name).title


def _clock(at: datetime) -> str:
    """Slack shows this in the reader's own time zone."""
    return f"<!date^{int(at.timestamp())}^{{time}}|{at:%H:%M} UTC>"
