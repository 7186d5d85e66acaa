"""Ending a training before its time, and taking up again what had ended."""

from dataclasses import replace

from bot.domain.approvals import GATES, Outcome, Standing, Subject, is_approver_or, may_ask
from bot.domain.changes import Change, Say
from bot.domain.jobs import AT_SERVICE, BEFORE_THE_START, Event, Job, JobState, say_state
from bot.domain.requests import Actor
from bot.errors import RefusedError
from bot.ports import Deps
from bot.sentences import _
from bot.usecases.auditing import denied
from bot.usecases.decide import without_cancel
from bot.usecases.moves import move, note, withdraw_open
from bot.usecases.poll import PASSED_OVER
from bot.usecases.prompting import ask_gate, electorate, read_first, rule_of

_MOVED_ON = Say(text=_("The training has moved on in the meantime; look at its card."))
_TRIES = 3


async def cancel(deps: Deps, job_id: str, actor: Actor) -> Say:
    """End a training: at once before its start, through the service after it. Whom the policy names may.

    A look that moves the job at this very moment does not swallow the press: it counts for the job as it is then.
    """
    said = _MOVED_ON
    for _attempt in range(_TRIES):
        said = await _cancel(deps, await _job_for(deps, job_id, actor, Subject.CANCEL), actor)
        if said != _MOVED_ON:
            break
    return said


async def _cancel(deps: Deps, job: Job, actor: Actor) -> Say:
    if job.state is JobState.CANCELLING:
        return Say(text=_("It is being cancelled already."))
    if job.state not in BEFORE_THE_START and (job.state not in AT_SERVICE or not _can_cancel(deps, job)):
        raise RefusedError(_why_not(deps, job))
    if rule_of(deps, job, Subject.CANCEL).needed:
        return await _ask_to_cancel(deps, job, actor)
    if job.state in BEFORE_THE_START:
        closes = withdraw_open(deps, await deps.store.prompts(job.id), _("The training was cancelled."))
        change = move(deps, job, Event.CANCEL, actor=actor, reason=_("Nothing was started."), closes=closes)
        return await _write(deps, change, _("Cancelled; nothing was started."))
    change = move(deps, job, Event.STOP, actor=actor, look=replace(job.look, notes=without_cancel(job)))
    return await _write(deps, change, _("The service is asked to stop; the card tells when it has."))


async def _ask_to_cancel(deps: Deps, job: Job, actor: Actor) -> Say:
    """Where the policy wants approvals for it, cancelling is a question like the other gates; one is open at a time."""
    prompts = await deps.store.prompts(job.id)
    if any(one.subject is Subject.CANCEL and one.outcome is Outcome.OPEN for one in prompts):
        return Say(text=_("The approvers have been asked already whether it may be cancelled."))
    asked = await ask_gate(deps, job, Subject.CANCEL, asker=actor)
    # Due now: the time that was read may be the lease of a look that is over by the time this is written.
    change = replace(note(deps, job, look=job.look, opens=[asked], act_at=deps.now()), asks_once=True)
    return await _write(deps, change, _("The approvers are asked whether it may be cancelled."))


async def offer_again(deps: Deps, job_id: str, actor: Actor) -> Say:
    """Offer a switch again that was rejected or ran out."""
    job = await _job_for(deps, job_id, actor, Subject.PROMOTE)
    if not job.was_offered:
        raise RefusedError(_("There is no offer to make again."))
    asked = await ask_gate(deps, job, Subject.PROMOTE)
    change = move(deps, job, Event.OFFER_AGAIN, actor=actor, opens=[asked], act_at=None)
    return await _write(deps, change, _("Offered again."))


async def keep_watching(deps: Deps, job_id: str, actor: Actor) -> Say:
    """Go on watching a training that only our reading of an undocumented word called failed."""
    job = await _job_for(deps, job_id, actor, Subject.GO_ON)
    provider = deps.providers.get(job.request.provider)
    if job.state is not JobState.FAILED or not provider.powers.failed_is_a_reading or job.remote_id is None:
        raise RefusedError(_("There is nothing to keep watching."))
    words = [*job.look.notes.get(PASSED_OVER, ()), *([job.look.status.word] if job.look.status else [])]
    notes = {**job.look.notes, PASSED_OVER: words}
    look = replace(job.look, limit_at=deps.now() + deps.limits.watch, notes=notes)
    change = move(deps, job, Event.WATCH_ON, actor=actor, look=look)
    return await _write(deps, change, _("It is watched on."))


async def _job_for(deps: Deps, job_id: str, actor: Actor, subject: Subject) -> Job:
    """The job, if the policy lets this person act on it so."""
    job = await deps.store.job(job_id)
    if job is None or job.request.actor.team != actor.team:
        raise RefusedError(_("Switchyard keeps no training `{job}`. `/jobs` lists them.", job=job_id))
    voters = await electorate(deps, rule_of(deps, job, subject))
    # To go on watching is no act of the policy's: the requester may, and whoever approves.
    judge = may_ask if subject in GATES else is_approver_or
    verdict = judge(actor, job.request.actor, voters, deps.now())
    if verdict.standing is Standing.UNKNOWN:
        raise RefusedError(await read_first(deps, verdict))
    if verdict.standing is Standing.DENIED:
        raise await denied(deps, actor, verdict.why, job_id=job.id, act=subject)
    return job


def _can_cancel(deps: Deps, job: Job) -> bool:
    return deps.providers.get(job.request.provider).powers.cancel


def _why_not(deps: Deps, job: Job) -> str:
    if job.has_ended:
        return _("It has ended already: {state}.", state=say_state(job.state))
    if job.state in AT_SERVICE:
        title = deps.providers.get(job.request.provider).title
        return _("{title} offers no way to cancel a training that runs.", title=title)
    return _("It cannot be cancelled at this very moment; please look at its card.")


async def _write(deps: Deps, change: Change, done: str) -> Say:
    [is_ours] = await deps.store.apply([change])
    for tick in ("poll", "deliver"):
        deps.nudge(tick)
    return Say(text=done) if is_ours else _MOVED_ON
