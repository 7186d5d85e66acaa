"""What is asked of people, and what exactly an answer is bound to."""

from collections.abc import Mapping

from bot.domain.approvals import GATES, Electorate, Prompt, Rule, Subject, is_given_up, say_unreadable
from bot.domain.contents import Question
from bot.domain.jobs import Job
from bot.domain.requests import digest
from bot.ports import Deps, Gate
from bot.usecases.cards import about

_CONSEQUENCES: Mapping[Subject, str] = {
    Subject.DID_START: (
        "The answer to the start was lost and {title} cannot tell whether it took effect. "
        "Starting again may train twice; please look at {title} first."
    ),
    Subject.DID_SWITCH: (
        "The answer to the switch was lost and it cannot be seen whether it was applied. "
        "Please look at {title} and say what you see; nothing is sent by either answer."
    ),
    Subject.GO_ON: "This takes longer than the limit. Giving up only ends the watching; at {title} it may go on.",
}


def ask(deps: Deps, job: Job, subject: Subject) -> Prompt:
    """A new prompt, bound to what it will show and to the rule that holds now."""
    now = deps.now()
    return Prompt(
        id=deps.new_id(),
        job_id=job.id,
        subject=subject,
        digest=shown_digest(deps, job, subject),
        rule=deps.policy.rule,
        asked_at=now,
        expires_at=now + deps.policy.expires_after if subject in GATES else None,
    )


def shown_digest(deps: Deps, job: Job, subject: Subject) -> str:
    """A checksum over what a prompt shows of a job, and over the rule that applies."""
    rule = rule_as_list(deps.policy.rule)
    if subject not in GATES:
        # The service is looked at while a person thinks, so what it says may change; the state of the job may not.
        return digest([job.id, subject.value, job.version, rule])
    left = job.look.status.result if job.look.status else {}
    return digest([job.id, subject.value, facts(job), left, consequence(deps, job, subject), rule])


def rule_as_list(rule: Rule) -> list[object]:
    return [list(rule.approvers), rule.may_approve_own]


async def question(deps: Deps, prompt: Prompt, job: Job) -> Question:
    """The prompt as it is shown."""
    return Question(
        prompt=prompt,
        job=job,
        title=about(deps, job.request.provider)[0],
        facts=(*facts(job), *_last_word(job, prompt.subject)),
        consequence=consequence(deps, job, prompt.subject),
        notes=await _hindrances(deps, prompt),
    )


async def _hindrances(deps: Deps, prompt: Prompt) -> tuple[str, ...]:
    """A group that cannot be read approves nobody: said where people would press."""
    if prompt.subject not in GATES:
        return ()
    known = await deps.store.groups(prompt.rule.groups)
    given_up = [group for group in known.values() if is_given_up(group, deps.now())]
    return (say_unreadable(given_up),) if given_up else ()


def facts(job: Job) -> tuple[tuple[str, str], ...]:
    """The lines that an approver reads: what is sent, and what the training left."""
    sent = job.plan.summary if job.plan else ()
    data = _data_facts(job)
    status = job.look.status
    left = [(key, str(value)) for key, value in status.metrics.items()] if status else []
    return (*sent, *data, *left)


def _last_word(job: Job, subject: Subject) -> tuple[tuple[str, str], ...]:
    """What the service says of a start in doubt, which the person who is asked should see."""
    word = job.look.notes.get("found")
    return (("the service says", str(word)),) if subject is Subject.DID_START and word else ()


def _data_facts(job: Job) -> list[tuple[str, str]]:
    if job.plan is None or job.plan.payload is None:
        return []
    payload = job.plan.payload
    size = f"{payload.rows:,} rows, SHA-256 {payload.sha256[:12]}"
    return [("Data", f"{payload.name} ({size})"), *(("Warning", warning) for warning in payload.warnings)]


def consequence(deps: Deps, job: Job, subject: Subject) -> str:
    """One or two sentences: what exactly an answer does."""
    title, powers = about(deps, job.request.provider)
    if subject is Subject.START:
        goes_live = " Its result goes live by itself: this is the last moment to stop it."
        return f"Approving starts this training at {title}." + goes_live * (powers.gate is Gate.BEFORE)
    if subject is Subject.PROMOTE:
        return f"Approving tells {title} to serve the newly trained model as {job.request.model} from then on."
    return _CONSEQUENCES[subject].format(title=title) + _left_behind(deps, job, subject)


def _left_behind(deps: Deps, job: Job, subject: Subject) -> str:
    """Starting again reserves a new id where the service gives ids before the start."""
    provider = deps.providers.configured().get(job.request.provider)
    if subject is not Subject.DID_START or provider is None or job.plan is None:
        return ""
    reserved = provider.known_id(job.plan, job.claim or {})
    if reserved is None or reserved == job.request.model:
        return ""
    return f" Starting again takes a new id; {reserved} stays behind there."


async def electorate(deps: Deps, rule: Rule) -> Electorate:
    """The rule with what is known of its groups."""
    return Electorate(rule=rule, groups=await deps.store.groups(rule.groups))
