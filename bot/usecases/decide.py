"""A click on a prompt: who may answer is decided now, and the answer holds for exactly what was shown."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.approvals import (
    ANSWERS,
    GATES,
    Answer,
    Outcome,
    Prompt,
    Standing,
    Subject,
    Verdict,
    is_approver_or,
    may_decide,
)
from bot.domain.changes import Change, Say
from bot.domain.jobs import TRANSITIONS, Event, Job
from bot.domain.requests import Actor
from bot.ports import Click, Deps
from bot.usecases.moves import close, move, note, prompt_key, redraw
from bot.usecases.prompting import ask, electorate, shown_digest

_MOVES: Mapping[tuple[Subject, Answer], Event] = {
    (Subject.START, Answer.APPROVE): Event.APPROVE,
    (Subject.START, Answer.REJECT): Event.REJECT,
    (Subject.PROMOTE, Answer.APPROVE): Event.PROMOTE,
    (Subject.PROMOTE, Answer.REJECT): Event.REJECT,
    (Subject.DID_START, Answer.RUNS): Event.FIND,
    (Subject.DID_START, Answer.AGAIN): Event.AGAIN,
    (Subject.DID_START, Answer.GIVE_UP): Event.GIVE_UP,
    (Subject.DID_SWITCH, Answer.APPLIED): Event.APPLY,
    (Subject.DID_SWITCH, Answer.NOT_APPLIED): Event.NOT_APPLIED,
    (Subject.GO_ON, Answer.GIVE_UP): Event.LOSE,
}

SAID: Mapping[Answer, str] = {
    Answer.APPROVE: "approved",
    Answer.REJECT: "rejected",
    Answer.RUNS: "answered “it runs”",
    Answer.AGAIN: "answered “start again”",
    Answer.GIVE_UP: "given up",
    Answer.APPLIED: "answered “it was applied”",
    Answer.NOT_APPLIED: "answered “it was not applied”",
    Answer.KEEP: "answered “keep watching”",
}

UNKNOWN_PROMPT = "This button does not belong to anything that Switchyard keeps here, so nothing was done."
MOVED_ON = Say(text="Nothing was done: the training has moved on. Look at its card.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """Whether somebody may answer a prompt, with the prompt and job that were read for it."""

    prompt: Prompt
    job: Job
    verdict: Verdict


async def decide(deps: Deps, click: Click) -> Say:
    """Take an answer. The first that may answer wins; everybody else is told how it stands."""
    closed = await explain_closed(deps, click.prompt_id)
    if closed is not None:
        return closed
    standings = await _standings(deps, click.prompt_id, click.actor)
    if standings is None:
        return Say(text=UNKNOWN_PROMPT)
    return await _take(deps, click, standings)


async def may_answer(deps: Deps, prompt_id: str, actor: Actor) -> Say | None:
    """Before a reason is asked for: why this person cannot answer, None if it looks as if they can."""
    closed = await explain_closed(deps, prompt_id)
    if closed is not None:
        return closed
    standings = await _standings(deps, prompt_id, actor)
    if standings is None:
        return Say(text=UNKNOWN_PROMPT)
    return Say(text=standings.verdict.why) if standings.verdict.standing is Standing.DENIED else None


async def standing_of(deps: Deps, prompt_id: str, actor: Actor) -> Standing | None:
    """What the rules say of this person now; None where the prompt is not known."""
    standings = await _standings(deps, prompt_id, actor)
    return standings.verdict.standing if standings else None


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
        return f"Nothing was done: this was already {SAID[prompt.answer]} by <@{prompt.actor.user}>."
    if prompt.outcome is Outcome.WITHDRAWN:
        return f"Nothing was done: this prompt is closed. {prompt.reason}".strip()
    return "Nothing was done: the time for this answer has run out."


def _has_run_out(deps: Deps, prompt: Prompt) -> bool:
    return prompt.expires_at is not None and deps.now() >= prompt.expires_at


async def _standings(deps: Deps, prompt_id: str, actor: Actor) -> Standings | None:
    prompt = await deps.store.prompt(prompt_id)
    job = await deps.store.job(prompt.job_id) if prompt else None
    if prompt is None or job is None or job.request.actor.team != actor.team:
        return None
    voters = await electorate(deps, deps.policy.rule)
    judge = may_decide if prompt.subject in GATES else is_approver_or
    return Standings(prompt=prompt, job=job, verdict=judge(actor, job.request.actor, voters, deps.now()))


async def _take(deps: Deps, click: Click, standings: Standings) -> Say:
    prompt, job, verdict = standings.prompt, standings.job, standings.verdict
    if click.answer not in ANSWERS[prompt.subject]:
        return Say(text=UNKNOWN_PROMPT)
    if verdict.standing is Standing.DENIED:
        return Say(text=verdict.why)
    if click.digest != prompt.digest or prompt.digest != shown_digest(deps, job, prompt.subject):
        return await _ask_afresh(deps, prompt, job)
    if verdict.standing is Standing.UNKNOWN:
        await deps.store.keep_click(click)
        deps.nudge("groups")
        return Say(text=verdict.why)
    return await _commit(deps, click, prompt, job)


async def _commit(deps: Deps, click: Click, prompt: Prompt, job: Job) -> Say:
    answered = close(prompt, Outcome.ANSWERED, deps, answer=click.answer, actor=click.actor, reason=click.reason)
    change = _change(deps, click, answered, job)
    if change is None:
        return await explain_closed(deps, prompt.id) or MOVED_ON
    [is_first] = await deps.store.apply([change])
    for tick in ("launch", "promote", "poll", "deliver"):
        deps.nudge(tick)
    if is_first:
        return Say(text=f"Thank you: {SAID[click.answer]}.")
    return await explain_closed(deps, prompt.id) or MOVED_ON


def _change(deps: Deps, click: Click, answered: Prompt, job: Job) -> Change | None:
    if click.answer is Answer.KEEP:
        return _keep_watching(deps, answered, job)
    event = _MOVES[answered.subject, click.answer]
    if event not in TRANSITIONS[job.state]:
        return None
    job = replace(job, **_rewritten(event, job))
    reopens = event is Event.NOT_APPLIED
    opens = [ask(deps, job, Subject.PROMOTE)] if reopens else []
    return move(
        deps,
        job,
        event,
        actor=click.actor,
        reason=click.reason or _reason(event),
        opens=opens,
        closes=[answered],
        **_after(deps, event, job),
    )


def _rewritten(event: Event, job: Job) -> dict[str, Any]:
    """What a move starts anew with: a start again claims anew, a switch not applied may be sent again."""
    if event is Event.AGAIN:
        return {"claim": None, "look": replace(job.look, notes={})}
    return {"switch": None} if event in (Event.NOT_APPLIED, Event.PROMOTE) else {}


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


def _reason(event: Event) -> str:
    return "A person saw that it was applied." if event is Event.APPLY else ""


def _keep_watching(deps: Deps, answered: Prompt, job: Job) -> Change:
    look = replace(job.look, limit_at=deps.now() + deps.limits.watch)
    drawn = [redraw(deps, job.id, prompt_key(answered.id))]
    return replace(note(deps, job, look=look, act_at=deps.now(), notices=drawn), closes=(answered,))


async def _ask_afresh(deps: Deps, prompt: Prompt, job: Job) -> Say:
    """What was shown has changed since: the old prompt is closed and a new one asked."""
    reason = "What it showed, or the rule that applies, has changed since; there is a new prompt."
    closed = close(prompt, Outcome.WITHDRAWN, deps, reason=reason)
    fresh = ask(deps, job, prompt.subject)
    drawn = [redraw(deps, job.id, prompt_key(prompt.id))]
    change = note(deps, job, look=job.look, opens=[fresh], notices=drawn)
    [is_first] = await deps.store.apply([replace(change, closes=(closed,))])
    deps.nudge("deliver")
    if not is_first:
        return await explain_closed(deps, prompt.id) or MOVED_ON
    return Say(text="Nothing was done: what this prompt showed has changed since. A new prompt is being posted.")
