"""What is asked of people, and what exactly an answer is bound to."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from bot.domain.approvals import (
    GATES,
    Answer,
    Electorate,
    Group,
    Prompt,
    Subject,
    Verdict,
    is_given_up,
    say_unreadable,
)
from bot.domain.balances import Balance, tell
from bot.domain.changes import Button, Change
from bot.domain.contents import Question
from bot.domain.jobs import SWITCHED, Job
from bot.domain.policy import Act, Rule, end_of_quiet, groups_in
from bot.domain.requests import Actor, Json, digest
from bot.ports import Deps, Gate, Powers
from bot.sentences import _, joined, unpack
from bot.usecases.attention import names_of_question
from bot.usecases.cards import about, result_of, retrain_buttons
from bot.usecases.evidence import Evidence, gather
from bot.usecases.moves import prompt_key, redraw


def ask(deps: Deps, job: Job, subject: Subject, *, evidence: Evidence = (), asker: Actor | None = None) -> Prompt:
    """A new prompt, bound to what it will show and to the rule that holds now. A gate is asked with `ask_gate`."""
    now, rule = deps.now(), rule_of(deps, job, subject)
    is_gate = subject in GATES
    return Prompt(
        id=deps.new_id(),
        job_id=job.id,
        subject=subject,
        digest=shown_digest(deps, job, subject, evidence),
        rule=rule,
        asked_at=now,
        expires_at=now + rule.expires_after if is_gate else None,
        asker=asker,
        evidence=evidence,
        remind_at=next_reminder(rule, 0, now) if is_gate else None,
    )


async def ask_gate(deps: Deps, job: Job, subject: Subject, *, asker: Actor | None = None) -> Prompt:
    """A new prompt of a gate, with the evidence of this moment."""
    return ask(deps, job, subject, evidence=await gather(deps, job, subject), asker=asker)


def act_of(deps: Deps, job: Job, subject: Subject) -> Act:
    """What the policy calls that which a prompt is about."""
    if subject is Subject.CANCEL:
        return Act.CANCEL
    if subject in (Subject.PROMOTE, Subject.DID_SWITCH):
        return about(deps, job.request.provider)[1].switch
    return Act.START


def rule_of(deps: Deps, job: Job, subject: Subject) -> Rule:
    """The rule that holds now for what a prompt of this job asks."""
    return deps.policy.rule_for(act_of(deps, job, subject), job.request.provider, job.request.model)


def next_reminder(rule: Rule, sent: int, now: datetime) -> datetime | None:
    """When to remind after so many reminders; never in quiet hours."""
    pause = rule.pause_before(sent)
    return None if pause is None else end_of_quiet(rule.quiet, now + pause)


def shown_digest(deps: Deps, job: Job, subject: Subject, evidence: Evidence = ()) -> str:
    """A checksum over what a prompt shows of a job, what will be sent, and the rule that applies."""
    rule = rule_of(deps, job, subject).as_json()
    if subject not in GATES:
        # The service is looked at while a person thinks, so what it says may change; the state of the job may not.
        return digest([job.id, subject.value, job.version, rule])
    return digest(
        {
            "job": [job.id, job.request.provider, job.request.model],
            "act": [subject.value, consequence(deps, job, subject)],
            "sent": [job.plan.digest() if job.plan else None, facts(job, subject)],
            "left": _left(job, subject),
            "evidence": evidence,
            "rule": rule,
        }
    )


def _left(job: Job, subject: Subject) -> Mapping[str, Json]:
    """What the training left at the service; while it runs, that still changes."""
    is_ended = subject is Subject.PROMOTE and job.look.status is not None
    return job.look.status.result if is_ended and job.look.status else {}


async def question(deps: Deps, prompt: Prompt, job: Job) -> Question:
    """The prompt as it is shown."""
    return Question(
        prompt=prompt,
        job=job,
        title=about(deps, job.request.provider)[0],
        facts=(*_facts_beside(prompt, job), *_last_word(job, prompt.subject)),
        consequence=consequence(deps, job, prompt.subject),
        notes=await _hindrances(deps, prompt),
        evidence=prompt.evidence,
        buttons=await _afterwards(deps, prompt, job),
        result=await result_of(deps, job) if prompt.subject is Subject.PROMOTE else None,
        names=await names_of_question(deps, job, prompt),
    )


def _facts_beside(prompt: Prompt, job: Job) -> Iterator[tuple[str, str]]:
    """The facts, but for balances that the evidence shows already, then and now."""
    compared = {heading for heading, _ in prompt.evidence}
    counted = {heading for heading, _ in tell(_balances(job))}
    yield from (pair for pair in facts(job, prompt.subject) if pair[0] not in compared & counted)


def _balances(job: Job) -> tuple[Balance, ...]:
    return job.plan.payload.balances if job.plan and job.plan.payload else ()


async def _afterwards(deps: Deps, prompt: Prompt, job: Job) -> tuple[Button, ...]:
    """What the closed question about a switch offers once that was applied."""
    if prompt.subject is not Subject.PROMOTE or prompt.answer is not Answer.APPROVE or job.state not in SWITCHED:
        return ()
    return await retrain_buttons(deps, job)


async def _hindrances(deps: Deps, prompt: Prompt) -> tuple[str, ...]:
    """A group that cannot be read approves nobody: said where people would press."""
    if prompt.subject not in GATES:
        return ()
    known = await deps.store.groups(groups_in(prompt.rule.approvers))
    given_up = [group for group in known.values() if is_given_up(group, deps.now())]
    return (say_unreadable(given_up),) if given_up else ()


async def with_question(deps: Deps, change: Change) -> Change:
    """After a switch that cannot be taken back, the closed question shows the way that is prepared."""
    job = change.job
    if job.state not in SWITCHED or not about(deps, job.request.provider)[1].one_way:
        return change
    asked = [one for one in await deps.store.prompts(job.id) if one.subject is Subject.PROMOTE][-1:]
    drawn = [redraw(deps, job.id, prompt_key(one.id)) for one in asked]
    return replace(change, notices=(*change.notices, *drawn))


def facts(job: Job, subject: Subject) -> tuple[tuple[str, str], ...]:
    """The lines that an approver reads: what is sent, and what the training left."""
    sent = job.plan.summary if job.plan else ()
    status = job.look.status if subject is Subject.PROMOTE else None
    left = [(key, str(value)) for key, value in status.metrics.items()] if status else []
    return (*sent, *_data_facts(job), *left)


def _last_word(job: Job, subject: Subject) -> tuple[tuple[str, str], ...]:
    """What the service says of a start in doubt, which the person who is asked should see."""
    word = job.look.notes.get("found")
    # NOTE: a heading; what the service says of the training stands beside it
    return ((_("the service says"), unpack(word)),) if subject is Subject.DID_START and word else ()


def _data_facts(job: Job) -> list[tuple[str, str]]:
    if job.plan is None or job.plan.payload is None:
        return []
    payload = job.plan.payload
    data = _(
        "{file} ({rows:,} rows, SHA-256 {sha256})", file=payload.name, rows=payload.rows, sha256=payload.sha256[:12]
    )
    # NOTE: a heading, as is "Data"
    warnings = [(_("Warning"), warning) for warning in payload.warnings]
    return [(_("Data"), data), *tell(payload.balances), *warnings]


def consequence(deps: Deps, job: Job, subject: Subject) -> str:
    """One or two sentences: what exactly an answer does."""
    title, powers = about(deps, job.request.provider)
    match subject:
        case Subject.START:
            return joined(" ", _if_started(title, powers))
        case Subject.PROMOTE:
            return joined(" ", _if_switched(title, powers, job))
        case Subject.CANCEL:
            return _(
                "Approving cancels this training; what it has learned so far may be lost. Rejecting lets it go on."
            )
        case Subject.DID_START:
            return joined(" ", [_if_started_again(title), *_left_behind(deps, job)])
        case Subject.DID_SWITCH:
            return _(
                "The answer to the switch was lost and it cannot be seen whether it was applied. Please look at "
                "{service} and say what you see; nothing is sent by either answer.",
                service=title,
            )
        case Subject.GO_ON:
            return _(
                "This takes longer than the limit. Giving up only ends the watching; at {service} it may go on.",
                service=title,
            )


def _if_started(service: str, powers: Powers) -> Iterator[str]:
    yield _("Approving starts this training at {service}.", service=service)
    if powers.gate is Gate.BEFORE:
        yield _("Its result goes live by itself: this is the last moment to stop it.")


def _if_switched(service: str, powers: Powers, job: Job) -> Iterator[str]:
    yield _(
        "Approving tells {service} to serve the newly trained model as {model} from then on.",
        service=service,
        model=job.request.model,
    )
    if powers.one_way:
        yield _(
            "{service} has no way back: the model that serves now cannot be restored there. To return to it, it has to "
            "be trained again and switched to.",
            service=service,
        )


def _if_started_again(service: str) -> str:
    return _(
        "The answer to the start was lost and {service} cannot tell whether it took effect. Starting again may train "
        "twice; please look at {service} first.",
        service=service,
    )


def _left_behind(deps: Deps, job: Job) -> Iterator[str]:
    """Starting again reserves a new id where the service gives ids before the start."""
    provider = deps.providers.configured().get(job.request.provider)
    reserved = provider.known_id(job.plan, job.claim or {}) if provider and job.plan else None
    if reserved is not None and reserved != job.request.model:
        yield _("Starting again takes a new id; {id} stays behind there.", id=reserved)


async def read_first(deps: Deps, verdict: Verdict) -> str:
    """Have the groups read that decide; the sentence for somebody who has to press once more after that."""
    known = await deps.store.groups(verdict.stale)
    for id_ in verdict.stale:
        # A copy without a time is read at the next tick, also where no prompt is open.
        await deps.store.save_group(replace(known.get(id_, Group(id=id_)), read_at=None))
    deps.nudge("groups")
    return _("The groups that decide this are being read; please try again in a moment.")


async def electorate(deps: Deps, rule: Rule, asked_at: datetime | None = None) -> Electorate:
    """The rule with what is known of its groups."""
    return Electorate(rule=rule, groups=await deps.store.groups(rule.groups), asked_at=asked_at)
