"""A click on a prompt: who may answer is decided now, and the answer holds for exactly what was shown."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.approvals import (
    ANSWERS,
    GATES,
    WITHDRAWN,
    Answer,
    Electorate,
    Outcome,
    Prompt,
    Standing,
    Subject,
    Verdict,
    Vote,
    is_approver_or,
    may_decide,
)
from bot.domain.changes import Change, Say
from bot.domain.jobs import AT_SERVICE, BEFORE_THE_START, TRANSITIONS, Event, Job
from bot.domain.requests import Actor
from bot.ports import Click, Deps
from bot.sentences import _, joined, ngettext
from bot.usecases.auditing import note_denial
from bot.usecases.evidence import gather
from bot.usecases.moves import MOOT, amend, close, is_moot, move, note, prompt_key, redraw, withdraw_open
from bot.usecases.prompting import ask, ask_gate, electorate, rule_of, shown_digest, with_question

_MOVES: Mapping[tuple[Subject, Answer], Event] = {
    (Subject.START, Answer.APPROVE): Event.APPROVE,
    (Subject.START, Answer.REJECT): Event.REJECT,
    (Subject.START, Answer.WITHDRAW): Event.CANCEL,
    (Subject.PROMOTE, Answer.APPROVE): Event.PROMOTE,
    (Subject.PROMOTE, Answer.REJECT): Event.REJECT,
    (Subject.PROMOTE, Answer.WITHDRAW): Event.REJECT,
    (Subject.DID_START, Answer.RUNS): Event.FIND,
    (Subject.DID_START, Answer.AGAIN): Event.AGAIN,
    (Subject.DID_START, Answer.GIVE_UP): Event.GIVE_UP,
    (Subject.DID_SWITCH, Answer.APPLIED): Event.APPLY,
    (Subject.DID_SWITCH, Answer.NOT_APPLIED): Event.NOT_APPLIED,
    (Subject.GO_ON, Answer.GIVE_UP): Event.LOSE,
}

SAID: Mapping[Answer, str] = {
    # NOTE: What was done with a question, as in "this was already approved by …" and "Thank you: approved."
    Answer.APPROVE: _("approved"),
    Answer.REJECT: _("rejected"),
    Answer.RUNS: _("answered “it runs”"),
    Answer.AGAIN: _("answered “start again”"),
    Answer.GIVE_UP: _("given up"),
    Answer.APPLIED: _("answered “it was applied”"),
    Answer.NOT_APPLIED: _("answered “it was not applied”"),
    Answer.KEEP: _("answered “keep watching”"),
    Answer.WITHDRAW: _("withdrawn"),
}

_REASONS: Mapping[Event, str] = {
    Event.APPLY: _("A person saw that it was applied."),
    Event.CANCEL: _("Nothing was started."),
}
UNKNOWN_PROMPT = _("This button does not belong to anything that Switchyard keeps here, so nothing was done.")
WAITS_ALREADY = _("Nothing was done: an earlier click of yours on this prompt is waiting already, and that one counts.")
MOVED_ON = Say(text=_("Nothing was done: the training has moved on. Look at its card."))
CHANGED = _("What it showed, or the rule that applies, has changed since; there is a new prompt.")
_LOST = _("Approvals given here do not count for it.")
TRIES = 5
"""Reminders and votes of others may come in between; each makes an answer read the prompt once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """Whether somebody may answer a prompt, with the prompt and job that were read for it.

    `is_by_rule_shown`: the rule that says so is the one that the prompt was asked under.
    """

    prompt: Prompt
    job: Job
    verdict: Verdict
    is_by_rule_shown: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits(Say):
    """The click could not be decided yet and is kept, or an earlier one of the same person is."""


async def decide(deps: Deps, click: Click) -> Say:
    """Take an answer. The first that may answer wins; everybody else is told how it stands."""
    for _attempt in range(TRIES):
        closed = await explain_closed(deps, click.prompt_id)
        if closed is not None:
            return closed
        standings = await _standings(deps, click.prompt_id, click.actor, click.answer)
        if standings is None:
            return Say(text=UNKNOWN_PROMPT)
        said = await _take(deps, click, standings)
        if said is not None:
            return said
    return MOVED_ON


async def may_answer(deps: Deps, prompt_id: str, actor: Actor) -> Say | None:
    """Before a reason is asked for: why this person cannot answer, None if it looks as if they can."""
    closed = await explain_closed(deps, prompt_id)
    if closed is not None:
        return closed
    standings = await _standings(deps, prompt_id, actor)
    if standings is None:
        return Say(text=UNKNOWN_PROMPT)
    if standings.verdict.standing is not Standing.DENIED:
        return None
    return await _denied(deps, standings, actor)


async def _denied(deps: Deps, standings: Standings, actor: Actor, **facts: str) -> Say:
    prompt, why = standings.prompt, standings.verdict.why
    ids = {"job_id": prompt.job_id, "prompt_id": prompt.id}
    await note_denial(deps, actor, why, **ids, subject=prompt.subject, digest=prompt.digest, **facts)
    return Say(text=why)


async def wants_reason(deps: Deps, prompt_id: str, answer: Answer) -> bool:
    """Does the rule ask for a reason with this answer?"""
    prompt = await deps.store.prompt(prompt_id)
    if prompt is None or prompt.subject not in GATES:
        return False
    return _needs_reason(prompt, answer)


async def explain_closed(deps: Deps, prompt_id: str) -> Say | None:
    """How a prompt ended; None while it is open. Its message is drawn again, in case it still shows buttons."""
    prompt = await deps.store.prompt(prompt_id)
    if prompt is None:
        return Say(text=UNKNOWN_PROMPT)
    if prompt.outcome is Outcome.OPEN and not _has_run_out(deps, prompt):
        return None
    await deps.store.tell([redraw(deps, prompt.job_id, prompt_key(prompt.id))])
    deps.nudge("deliver")
    return Say(text=how_it_ended(prompt))


def how_it_ended(prompt: Prompt) -> str:
    """One sentence on a prompt that takes no answers any more."""
    if prompt.outcome is Outcome.ANSWERED and prompt.answer and prompt.actor:
        said, user = SAID[prompt.answer], prompt.actor.user
        return _("Nothing was done: this was already {said} by <@{user}>.", said=said, user=user)
    if prompt.outcome is Outcome.WITHDRAWN:
        closed = _("Nothing was done: this prompt is closed.")
        return joined(" ", [closed, prompt.reason] if prompt.reason else [closed])
    return _("Nothing was done: the time for this answer has run out.")


def _has_run_out(deps: Deps, prompt: Prompt) -> bool:
    return prompt.expires_at is not None and deps.now() >= prompt.expires_at


async def _standings(deps: Deps, prompt_id: str, actor: Actor, answer: Answer | None = None) -> Standings | None:
    prompt = await deps.store.prompt(prompt_id)
    job = await deps.store.job(prompt.job_id) if prompt else None
    if prompt is None or job is None or job.request.actor.team != actor.team:
        return None
    asker = prompt.asker or job.request.actor
    if answer is Answer.WITHDRAW:
        return Standings(prompt=prompt, job=job, verdict=_may_withdraw(actor, asker))
    voters = await _voters(deps, job, prompt)
    judge = may_decide if prompt.subject in GATES else is_approver_or
    verdict = judge(actor, asker, voters, deps.now())
    return Standings(prompt=prompt, job=job, verdict=verdict, is_by_rule_shown=voters.rule == prompt.rule)


async def _voters(deps: Deps, job: Job, prompt: Prompt) -> Electorate:
    """The rule of this moment with its groups of this moment."""
    while True:
        voters = await electorate(deps, rule_of(deps, job, prompt.subject), prompt.asked_at)
        if voters.rule == rule_of(deps, job, prompt.subject):
            return voters


def _may_withdraw(actor: Actor, asker: Actor) -> Verdict:
    if actor.user == asker.user:
        return Verdict(standing=Standing.ALLOWED, why=_("You asked for this."), seat=actor.user)
    return Verdict(standing=Standing.DENIED, why=_("Only the person who asked for this can withdraw it."))


async def _take(deps: Deps, click: Click, standings: Standings) -> Say | None:
    """What there is to say; None where the prompt has changed in between, and has to be read once more."""
    prompt, job, verdict = standings.prompt, standings.job, standings.verdict
    if _has_run_out(deps, prompt):
        return None  # the clock went on since it was read, and may have let in who was not allowed before
    if click.answer not in ANSWERS[prompt.subject]:
        return Say(text=UNKNOWN_PROMPT)
    if verdict.standing is Standing.DENIED:
        return await _denied(deps, standings, click.actor, answer=click.answer)
    if await _shows_otherwise(deps, click, standings):
        return await _ask_afresh(deps, click, prompt, job)
    if _needs_reason(prompt, click.answer) and not click.reason:
        return Say(text=_("Nothing was done: this answer needs a reason. Please press the button once more."))
    if verdict.standing is Standing.UNKNOWN:
        return await _keep(deps, click, verdict)
    if click.answer is Answer.APPROVE:
        return await _approve(deps, click, standings)
    return await _commit(deps, click, prompt, job)


async def _shows_otherwise(deps: Deps, click: Click, standings: Standings) -> bool:
    """Has anything changed that the prompt showed, or was the button one of another showing?"""
    if click.answer is Answer.WITHDRAW:
        return False
    prompt, job = standings.prompt, standings.job
    if not standings.is_by_rule_shown:
        return True  # also where the rule shown holds again by now: another one allowed this person
    evidence = await gather(deps, job, prompt.subject)
    return click.digest != prompt.digest or prompt.digest != shown_digest(deps, job, prompt.subject, evidence)


async def _keep(deps: Deps, click: Click, verdict: Verdict) -> Say:
    """Hold a click until it is known who decides. Of several clicks of one person on one prompt the first counts."""
    if not await deps.store.keep_click(click):
        return Waits(text=WAITS_ALREADY)
    deps.nudge("groups")
    return Waits(text=verdict.why)


def _needs_reason(prompt: Prompt, answer: Answer) -> bool:
    if prompt.subject not in GATES or answer not in (Answer.APPROVE, Answer.REJECT):
        return False
    return prompt.rule.needs_reason(approves=answer is Answer.APPROVE)


async def _approve(deps: Deps, click: Click, standings: Standings) -> Say | None:
    """Count the approval; the one that completes the number decides."""
    prompt = standings.prompt
    vote = Vote(actor=click.actor, at=deps.now(), seat=standings.verdict.seat, reason=click.reason)
    if any(one.actor.user == vote.actor.user or one.seat == vote.seat for one in prompt.votes):
        already = _("You have approved this already, or somebody has for you.")
        return Say(text=joined(" ", [already, _say_missing(prompt)]))
    voted = replace(prompt, votes=(*prompt.votes, vote))
    if not voted.missing:
        return await _commit(deps, click, voted, standings.job)
    if not await deps.store.amend(amend(deps, replace(voted, version=voted.version + 1))):
        return None
    deps.nudge("deliver")
    return Say(text=joined(" ", [_("Thank you: your approval counts."), _say_missing(voted)]))


def _say_missing(prompt: Prompt) -> str:
    return ngettext(
        "{given} of {needed} are there, {count} more is needed.",
        "{given} of {needed} are there, {count} more are needed.",
        prompt.missing,
        given=len(prompt.votes),
        needed=prompt.rule.needed,
    )


async def _commit(deps: Deps, click: Click, prompt: Prompt, job: Job) -> Say | None:
    is_first = await _write(deps, click, prompt, job)
    for tick in ("launch", "promote", "poll", "deliver"):
        deps.nudge(tick)
    if is_first:
        return Say(text=_("Thank you: {said}.", said=SAID[click.answer]))
    return await explain_closed(deps, prompt.id)


async def _write(deps: Deps, click: Click, prompt: Prompt, job: Job) -> bool:
    """Close the prompt with its answer, and move the job where the answer moves one."""
    answered = _answered(deps, click, prompt)
    if click.answer is Answer.KEEP:
        [is_first] = await deps.store.apply([_keep_watching(deps, answered, job)])
        return is_first
    event = _event(answered, job)
    if event is None:
        return await deps.store.amend(amend(deps, answered))
    if event not in TRANSITIONS[job.state]:
        return False
    [is_first] = await deps.store.apply([await _change(deps, click, answered, job, event)])
    return is_first


def _answered(deps: Deps, click: Click, prompt: Prompt) -> Prompt:
    is_back = click.answer is Answer.WITHDRAW
    outcome, reason = (Outcome.WITHDRAWN, WITHDRAWN) if is_back else (Outcome.ANSWERED, click.reason)
    return close(prompt, outcome, deps, answer=click.answer, actor=click.actor, reason=reason)


def _event(answered: Prompt, job: Job) -> Event | None:
    """What the answer moves; None where the training goes on as it does."""
    if answered.subject is not Subject.CANCEL:
        return _MOVES[answered.subject, answered.answer or Answer.KEEP]
    if answered.answer is not Answer.APPROVE:
        return None
    if job.state in BEFORE_THE_START:
        return Event.CANCEL
    # Not in one of these states any more, it cannot be stopped: the table has no such move.
    return Event.STOP if job.state in AT_SERVICE else Event.CANCEL


async def _change(deps: Deps, click: Click, answered: Prompt, job: Job, event: Event) -> Change:
    job = replace(job, **_rewritten(event, job))
    opens = [await ask_gate(deps, job, Subject.PROMOTE)] if event is Event.NOT_APPLIED else []
    change = move(
        deps,
        job,
        event,
        actor=click.actor,
        reason=click.reason or _reason(answered, event),
        opens=opens,
        closes=[answered, *withdraw_open(deps, await _left_over(deps, answered, event, job), MOOT)],
        **_after(deps, event, job),
    )
    return await with_question(deps, change)


async def _left_over(deps: Deps, answered: Prompt, event: Event, job: Job) -> list[Prompt]:
    """The other questions about the job that this move leaves without an object."""
    others = [one for one in await deps.store.prompts(job.id) if one.id != answered.id]
    return [one for one in others if is_moot(one, TRANSITIONS[job.state][event])]


def _reason(answered: Prompt, event: Event) -> str:
    return WITHDRAWN if answered.outcome is Outcome.WITHDRAWN else _REASONS.get(event, "")


def _rewritten(event: Event, job: Job) -> dict[str, Any]:
    """What a move starts anew with: a start again claims anew, a switch not applied may be sent again."""
    if event is Event.AGAIN:
        return {"claim": None, "look": replace(job.look, notes={})}
    if event is Event.STOP:
        return {"look": replace(job.look, notes=without_cancel(job))}
    return {"switch": None} if event in (Event.NOT_APPLIED, Event.PROMOTE) else {}


def without_cancel(job: Job) -> dict[str, Any]:
    """The notes of the looks without what an earlier cancelling left."""
    return {key: value for key, value in job.look.notes.items() if key != "cancel_sent"}


def _after(deps: Deps, event: Event, job: Job) -> dict[str, Any]:
    if event is Event.FIND:
        look = replace(job.look, limit_at=deps.now() + deps.limits.watch)
        return {"look": look, "remote_id": job.remote_id or _known_id(deps, job)}
    return {"act_at": None} if event is Event.NOT_APPLIED else {}


def _known_id(deps: Deps, job: Job) -> str | None:
    """The service's id where it was known before the start; else it is looked for on and on."""
    if job.plan is None:
        return None
    return deps.providers.get(job.request.provider).known_id(job.plan, job.claim or {})


def _keep_watching(deps: Deps, answered: Prompt, job: Job) -> Change:
    look = replace(job.look, limit_at=deps.now() + deps.limits.watch)
    drawn = [redraw(deps, job.id, prompt_key(answered.id))]
    return replace(note(deps, job, look=look, act_at=deps.now(), notices=drawn), closes=(answered,))


async def _ask_afresh(deps: Deps, click: Click, prompt: Prompt, job: Job) -> Say | None:
    """What was shown has changed since: the old prompt is closed and a new one asked."""
    reason = joined(" ", [CHANGED, _LOST] if prompt.votes else [CHANGED])
    closed = close(prompt, Outcome.WITHDRAWN, deps, reason=reason)
    is_gate = prompt.subject in GATES
    fresh = await ask_gate(deps, job, prompt.subject, asker=prompt.asker) if is_gate else ask(deps, job, prompt.subject)
    if not await deps.store.amend(amend(deps, closed, opens=[fresh])):
        return None
    deps.nudge("deliver")
    ids = {"job_id": prompt.job_id, "prompt_id": prompt.id}
    await note_denial(deps, click.actor, reason, **ids, answer=click.answer, pressed=click.digest, digest=prompt.digest)
    return Say(text=_("Nothing was done: what this prompt showed has changed since. A new prompt is being posted."))
