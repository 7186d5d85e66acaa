"""What the card of a job shows, and which buttons it has: only what its service can do now."""

from bot.domain.changes import Button
from bot.domain.contents import Card
from bot.domain.jobs import AT_SERVICE, BEFORE_THE_START, ENDS, Job, JobState
from bot.domain.policy import Act
from bot.errors import SwitchyardError
from bot.ports import Deps, Gate, Powers


async def card(deps: Deps, job: Job) -> Card:
    """The card as of now."""
    title, powers = about(deps, job.request.provider)
    transitions = await deps.store.transitions(job.id)
    return Card(
        job=job,
        title=title,
        last=transitions[-1] if transitions else None,
        notes=_notes(deps, job, title, powers),
        buttons=_buttons(job, powers),
    )


def about(deps: Deps, provider: str) -> tuple[str, Powers]:
    """A provider's title and powers; also of one that is no longer configured, whose history stays readable."""
    try:
        found = deps.providers.get(provider)
    except SwitchyardError:
        return provider, Powers(gate=Gate.NONE)
    return found.title, found.powers


def _buttons(job: Job, powers: Powers) -> tuple[Button, ...]:
    if job.state in BEFORE_THE_START or (powers.cancel and job.state in AT_SERVICE - {JobState.CANCELLING}):
        return (Button(label="Cancel", action="cancel", value=job.id),)
    if job.was_offered:
        return (Button(label="Offer again", action="offer_again", value=job.id),)
    if job.state is JobState.FAILED and powers.failed_is_a_reading and job.remote_id:
        return (Button(label="Keep watching", action="keep_watching", value=job.id),)
    return ()


def _notes(deps: Deps, job: Job, title: str, powers: Powers) -> tuple[str, ...]:
    notes = [_publishing(deps, job, title, powers), job.look.error, *_left(job)]
    return tuple(text for text in notes if text)


def _publishing(deps: Deps, job: Job, title: str, powers: Powers) -> str:
    """Said from the first version of the card on, where no further question comes."""
    if job.state in ENDS - {JobState.DONE} or powers.gate is not Gate.BEFORE:
        return ""
    rule = deps.policy.rule_for(Act.START, job.request.provider, job.request.model)
    gated = "It was approved before the start. " if rule.needed else ""
    if powers.look_publishes:
        return f"{gated}{title} publishes a finished model as soon as it is looked at, without another question."
    return f"{gated}At {title}, results go live by themselves when the training completes."


def _left(job: Job) -> list[str]:
    notes = job.look.notes
    size = notes.get("result_bytes")
    kept = f"The service's result file is kept ({size:,} bytes)." if isinstance(size, int) else ""
    missing = notes.get("result_missing", "")
    if job.state is JobState.PROMOTING and (job.switch or {}).get("accepted_at"):
        return [kept, str(missing), "The service accepted the switch; it is not seen serving yet."]
    return [kept, str(missing)]
