"""A start whose answer was lost: look for it, and when looking cannot tell, ask one person one question."""

from dataclasses import replace
from datetime import timedelta

from bot.domain.approvals import Outcome, Prompt, Subject
from bot.domain.changes import Change
from bot.domain.jobs import Event, Job, JobState
from bot.errors import ProviderError
from bot.ports import Deps, Found, Work
from bot.sentences import _, pack, unpack
from bot.usecases.health import note_answer, note_failure
from bot.usecases.looking import failed_look, within
from bot.usecases.moves import move, note, withdraw_open
from bot.usecases.prompting import ask

AT_ONCE = 8
LOOKS = 3
FAILED_LOOKS = 10


async def settle_due(deps: Deps) -> None:
    """Tick: look for the starts that are in doubt."""
    lease = deps.now() + 2 * deps.limits.step
    for job in await deps.store.claim_due(Work.SETTLE, deps.now(), lease, AT_ONCE):
        deps.spawn(job.id, settle(deps, job))


async def settle(deps: Deps, job: Job) -> None:
    """Look once for a start in doubt."""
    if job.state is JobState.STARTING:
        reason = _("What became of the start was not written down.")
        await deps.store.apply([move(deps, job, Event.DOUBT, reason=reason)])
        deps.nudge("settle")
        return
    prompts = await deps.store.prompts(job.id)
    try:
        found = await look_for(deps, job)
    except ProviderError as error:
        await note_failure(deps, job.request.provider, error)
        change = _after_failed_look(deps, job, prompts, error)
    else:
        await note_answer(deps, job.request.provider)
        change = _after_look(deps, job, prompts, found)
    await deps.store.apply([change])
    deps.nudge("deliver")


async def look_for(deps: Deps, job: Job) -> Found:
    """One look of the provider; what the former look found is remembered on the job."""
    provider = deps.providers.get(job.request.provider)
    if job.plan is None:
        return Found()
    former = job.look.notes.get("found")
    last = Found(word=unpack(former)) if former is not None else None
    return await within(deps.limits.step, provider.title, provider.find(job.plan, job.claim or {}, last))


def _after_look(deps: Deps, job: Job, prompts: list[Prompt], found: Found) -> Change:
    if found.remote_id is not None:
        return found_running(deps, job, prompts, found.remote_id)
    looks = job.look.looks + 1
    notes = {**job.look.notes, "found": pack(found.word)}
    look = replace(job.look, at=deps.now(), looks=looks, failures=0, error="", notes=notes)
    patience = timedelta(seconds=found.settle_after) if found.settle_after else timedelta()
    is_time = looks >= LOOKS and deps.now() - job.state_at >= patience
    return _keep_looking(deps, replace(job, look=look), prompts, is_time=is_time)


def _after_failed_look(deps: Deps, job: Job, prompts: list[Prompt], error: ProviderError) -> Change:
    change = failed_look(deps, job, error)
    if change.job.look.failures < FAILED_LOOKS or _is_asked(prompts):
        return change
    return _keep_looking(deps, change.job, prompts, is_time=True)


def _keep_looking(deps: Deps, job: Job, prompts: list[Prompt], *, is_time: bool) -> Change:
    """Look again soon; when it is time and nobody was asked yet, ask. Looking goes on while a person thinks."""
    asks = is_time and not _is_asked(prompts)
    opens = [ask(deps, job, Subject.DID_START)] if asks else []
    is_asked = asks or _is_asked(prompts)
    pause = deps.limits.pace.longest if is_asked else deps.limits.settle / LOOKS
    return note(deps, job, look=job.look, act_at=deps.now() + pause, opens=opens)


def found_running(deps: Deps, job: Job, prompts: list[Prompt], remote_id: str) -> Change:
    look = replace(job.look, limit_at=deps.now() + deps.limits.watch)
    closes = withdraw_open(deps, prompts, _("It was found running."))
    return move(deps, job, Event.FIND, remote_id=remote_id, look=look, closes=closes)


def _is_asked(prompts: list[Prompt]) -> bool:
    return any(prompt.subject is Subject.DID_START and prompt.outcome is Outcome.OPEN for prompt in prompts)
