"""The switch to a trained model: read what is live, send the switch once, and afterwards only look.

What was live before is committed before the switch is sent; a switch whose answer is lost is never sent again.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bot.domain.approvals import Outcome, Prompt, Subject
from bot.domain.changes import Change
from bot.domain.jobs import Event, Job, JobState
from bot.domain.pace import next_look
from bot.domain.requests import Json
from bot.domain.text import cut, in_one_line
from bot.errors import Effect, ProviderError, RejectedError
from bot.ports import Deps, Provider, Serving, Work
from bot.sentences import _, joined, pack
from bot.usecases.health import note_answer, note_failure
from bot.usecases.looking import failed_look, wait_after, watched, within
from bot.usecases.moves import card_key, move, note, redraw, withdraw_open
from bot.usecases.prompting import ask, ask_gate, with_question

AT_ONCE = 4
LOOKS = 3
_SWITCHING = frozenset({JobState.PROMOTING, JobState.UNSURE_SWITCH})


async def promote_due(deps: Deps) -> None:
    """Tick: carry approved switches on."""
    lease = deps.now() + 4 * deps.limits.step
    for job in await deps.store.claim_due(Work.PROMOTE, deps.now(), lease, AT_ONCE):
        deps.spawn(job.id, promote(deps, job))


async def promote(deps: Deps, job: Job) -> None:
    """One step of one switch, as it stands now: it was claimed before an earlier step had come to its end."""
    current = await deps.store.job(job.id)
    if current is None or current.state not in _SWITCHING:
        return
    job, provider = current, deps.providers.get(current.request.provider)
    if job.switch is None:
        await _prepare_and_send(deps, provider, job)
    elif job.state is JobState.PROMOTING and not job.switch.get("accepted_at"):
        # The switch was about to be sent, or was sent, by a process that is gone.
        await deps.store.apply([move(deps, job, Event.DOUBT, reason=_("Switchyard was stopped while it switched."))])
        deps.nudge("promote")
    else:
        await deps.store.apply([await _look(deps, provider, job)])
    deps.nudge("deliver")


async def _prepare_and_send(deps: Deps, provider: Provider, job: Job) -> None:
    if await _is_another_switching(deps, job):
        await deps.store.apply([note(deps, job, look=job.look, act_at=deps.now() + deps.limits.pace.shortest)])
        return
    try:
        before = await _survey(deps, provider, job)
    except ProviderError as error:
        await note_failure(deps, provider.name, error)
        await deps.store.apply([failed_look(deps, job, error)])
        return
    sees = bool(before) and provider.can_see(watched(job))
    switch = {"before": before, "sees": sees, "sent_at": deps.now().isoformat()}
    change = note(deps, job, look=job.look, switch=switch, act_at=deps.now() + 4 * deps.limits.step)
    # Whoever else claimed it, after its lease ran out: of all of them one sends.
    [is_ours] = await deps.store.apply([replace(change, begins_switch=True)])
    if is_ours:
        await deps.store.apply([await _send(deps, provider, change.job)])
        deps.nudge("promote")


async def _is_another_switching(deps: Deps, job: Job) -> bool:
    """Switches of one model go one at a time: the earlier approval first."""
    for other in await deps.store.in_states(_SWITCHING):
        is_same_model = (other.request.provider, other.request.model) == (job.request.provider, job.request.model)
        is_earlier = (other.state_at, other.id) < (job.state_at, job.id)
        if other.id != job.id and is_same_model and (other.switch is not None or is_earlier):
            return True
    return False


async def _survey(deps: Deps, provider: Provider, job: Job) -> Mapping[str, Json]:
    """What is live now; nothing where that cannot be read, so that the switch is then "applied, not seen"."""
    if not provider.can_see(watched(job)):
        return {}
    try:
        return await within(deps.limits.step, provider.title, provider.survey(watched(job)))
    except RejectedError:
        return {}


async def _send(deps: Deps, provider: Provider, job: Job) -> Change:
    return await with_question(deps, await _switch(deps, provider, job))


async def _switch(deps: Deps, provider: Provider, job: Job) -> Change:
    try:
        await within(deps.limits.step, provider.title, provider.promote(watched(job)))
    except ProviderError as error:
        return await _not_applied(deps, job, error)
    if not _sees(job):
        reason = _("Accepted by the service; that it serves cannot be seen from here.")
        return move(deps, job, Event.APPLY, reason=reason)
    switch = {**(job.switch or {}), "accepted_at": deps.now().isoformat()}
    drawn = [redraw(deps, job.id, card_key(job.id))]
    return note(deps, job, look=job.look, switch=switch, act_at=deps.now() + deps.limits.pace.shortest, notices=drawn)


async def _not_applied(deps: Deps, job: Job, error: ProviderError) -> Change:
    if error.effect is Effect.UNKNOWN:
        return move(deps, job, Event.DOUBT, reason=str(error))
    offered = replace(job, switch=None)
    reason = _("{problem} The switch was not applied.", problem=str(error))
    asked = await ask_gate(deps, offered, Subject.PROMOTE)
    return move(deps, offered, Event.NOT_APPLIED, reason=reason, opens=[asked], act_at=None)


async def _look(deps: Deps, provider: Provider, job: Job) -> Change:
    return await with_question(deps, await _look_again(deps, provider, job))


async def _look_again(deps: Deps, provider: Provider, job: Job) -> Change:
    prompts = await deps.store.prompts(job.id)
    if not _sees(job):
        return _ask_what_happened(deps, job, prompts)
    try:
        before = (job.switch or {}).get("before", {})
        seen = await within(deps.limits.step, provider.title, provider.serving(watched(job), before))
    except ProviderError as error:
        await note_failure(deps, provider.name, error)
        return _after_failed_look(deps, job, prompts, error)
    await note_answer(deps, provider.name)
    if not seen.is_new:
        return _not_seen_yet(deps, job, prompts, still=say_still(seen))
    closes = withdraw_open(deps, prompts, _("The new model was seen serving."))
    switch = {**(job.switch or {}), "seen": [[pack(label), now, was] for label, now, was in seen.parts]}
    return move(deps, job, Event.SEE, reason=say_serving(seen), switch=switch, closes=closes)


def say_serving(seen: Serving) -> str:
    """What serves now beside what served before, "" where that cannot be read."""
    if not seen.parts:
        return ""
    return _("Seen serving: {versions}.", versions=joined("; ", [_say_part(*part) for part in seen.parts]))


def _say_part(label: str, now: str, before: str) -> str:
    version = joined(" ", [label, _shown(now)])
    if now == before:
        # NOTE: what serves now: "version 7 as before"; stands in "Seen serving: …"
        return _("{version} as before", version=version)
    return _("{version}, before it was {before}", version=version, before=_shown(before)) if before else version


def say_still(seen: Serving) -> str:
    """What serves although it was switched."""
    return joined(", ", [joined(" ", [label, _shown(now)]) for label, now, _before in seen.parts])


def _shown(value: str) -> str:
    """An identifier of the service, which is of any length."""
    return cut(in_one_line(value), 60)


def _after_failed_look(deps: Deps, job: Job, prompts: list[Prompt], error: ProviderError) -> Change:
    failed = failed_look(deps, job, error)
    wait = wait_after(deps, failed.job.look.failures, error)
    counted = _not_seen_yet(deps, failed.job, prompts)
    if counted.transition is not None:
        return counted
    return replace(counted, job=replace(counted.job, act_at=deps.now() + wait))


def _not_seen_yet(deps: Deps, job: Job, prompts: list[Prompt], *, still: str = "") -> Change:
    look = replace(job.look, at=deps.now(), looks=job.look.looks + 1)
    looked = replace(job, look=look)
    if job.state is JobState.UNSURE_SWITCH and look.looks >= LOOKS:
        return _ask_what_happened(deps, looked, prompts)
    if job.state is JobState.PROMOTING and deps.now() - job.state_at >= deps.limits.live:
        # NOTE: follows on "the service still shows", as a version may
        shows = still or _("the former version")
        reason = _("Applied, not seen: the service still shows {version}.", version=shows)
        return move(deps, looked, Event.APPLY, reason=reason)
    pause = deps.limits.settle / LOOKS if job.state is JobState.UNSURE_SWITCH else _pause(deps, job)
    return note(deps, looked, look=look, act_at=deps.now() + min(pause, _pause(deps, job)))


def _pause(deps: Deps, job: Job) -> timedelta:
    return next_look(deps.limits.pace, deps.now() - job.state_at)


def _ask_what_happened(deps: Deps, job: Job, prompts: list[Prompt]) -> Change:
    """Ask one person, once. Where it can be seen, looking goes on while the person thinks."""
    is_asked = any(one.subject is Subject.DID_SWITCH and one.outcome is Outcome.OPEN for one in prompts)
    opens = [] if is_asked else [ask(deps, job, Subject.DID_SWITCH)]
    act_at = deps.now() + deps.limits.pace.longest if _sees(job) else None
    return note(deps, job, look=job.look, act_at=act_at, opens=opens)


def _sees(job: Job) -> bool:
    return bool((job.switch or {}).get("sees"))
