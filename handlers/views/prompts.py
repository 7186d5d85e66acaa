"""The questions to people, with exactly what an answer is about."""

from collections.abc import Iterable, Mapping

from bot.domain.approvals import (
    ANSWERS,
    GATES,
    Answer,
    Outcome,
    Prompt,
    Subject,
    Vote,
    named_group,
    say_nobody,
)
from bot.domain.changes import Button
from bot.domain.contents import Names, Question, Reminder
from bot.domain.policy import groups_in, people_in
from bot.domain.requests import Actor
from bot.domain.text import code, when
from handlers.ids import Action, action_id
from handlers.marks import clipped, foreign
from handlers.views import blocks
from handlers.views.blocks import Block, Message
from handlers.views.words import NOBODY, called_one, named, person

HEADINGS: Mapping[Subject, str] = {
    Subject.START: "May this training start?",
    Subject.PROMOTE: "May the trained model go live?",
    Subject.CANCEL: "May this training be cancelled?",
    Subject.DID_START: "Did this training start?",
    Subject.DID_SWITCH: "Was the switch applied?",
    Subject.GO_ON: "Shall this training be watched any longer?",
}

_LABELS: Mapping[Answer, str] = {
    Answer.APPROVE: "Approve",
    Answer.REJECT: "Reject",
    Answer.RUNS: "It runs",
    Answer.AGAIN: "Start again",
    Answer.GIVE_UP: "Give up",
    Answer.APPLIED: "It was applied",
    Answer.NOT_APPLIED: "It was not",
    Answer.KEEP: "Keep watching",
    Answer.WITHDRAW: "Withdraw",
}

_OUTCOMES: Mapping[Answer, str] = {
    Answer.APPROVE: "Approved",
    Answer.REJECT: "Rejected",
    Answer.RUNS: "Answered: it runs",
    Answer.AGAIN: "Answered: start again",
    Answer.GIVE_UP: "Given up",
    Answer.APPLIED: "Answered: it was applied",
    Answer.NOT_APPLIED: "Answered: it was not applied",
    Answer.KEEP: "Answered: keep watching",
    Answer.WITHDRAW: "Withdrawn",
}

_STYLES: Mapping[Answer, str] = {Answer.APPROVE: "primary", Answer.REJECT: "danger"}


def question(content: Question, without: frozenset[Answer] = frozenset()) -> Message:
    """A prompt with exactly what it is about; without buttons once it is closed, and `without` some answers."""
    job, prompt = content.job, content.prompt
    heading, name = HEADINGS[prompt.subject], named(content.title, job)
    is_open = prompt.outcome is Outcome.OPEN
    facts = [("Asked by", person(prompt.asker or job.request.actor, content.names))]
    facts += [(foreign(label, 80), foreign(fact)) for label, fact in content.facts]
    shown = [blocks.section(f":raised_hand: *{heading}*\n{name}, training {code(job.id)}"), *blocks.columns(facts)]
    shown += blocks.lines(_compared(content.evidence))
    shown += [blocks.attachment(content.result)] if content.result else []
    last = [
        blocks.section(foreign(content.consequence, 1500)),
        _answers(content, without) if is_open else blocks.section(f"*{outcome(prompt)}*"),
        *([blocks.buttons([_after(one) for one in content.buttons])] if content.buttons and not is_open else []),
        *_below(content),
    ]
    return blocks.message(f"{name}: {heading}{'' if is_open else f' {outcome(prompt)}'}", shown, last)


def _below(content: Question) -> list[Block]:
    """Who may decide and who has approved; of a closed question only the latter."""
    prompt = content.prompt
    is_open = prompt.outcome is Outcome.OPEN
    found = [*_votes(prompt), *([_who(content), *content.notes] if is_open else [])]
    return [blocks.context(found)] if found else []


def _compared(evidence: Iterable[tuple[str, str]]) -> list[str]:
    """Then → now, a line each: columns would stand below each other on a phone. The texts are escaped already."""
    found = [f"• *{label}* {clipped(text, 600)}" for label, text in evidence]
    return ["*Beside what serves now* (then → now)", *found] if found else []


def _after(one: Button) -> Block:
    return blocks.button(one.label, one.action, one.value)


def outcome(prompt: Prompt) -> str:
    """How a closed prompt ended."""
    if prompt.outcome is Outcome.ANSWERED and prompt.answer and prompt.actor:
        reason = f" Reason: {foreign(prompt.reason, 600)}" if prompt.reason else ""
        return f"{_OUTCOMES[prompt.answer]} by {_deciders(prompt, prompt.actor)}.{reason}"
    if prompt.outcome is Outcome.EXPIRED:
        return "Expired: nobody answered in time, and nothing was done."
    if prompt.answer is Answer.WITHDRAW and prompt.actor:
        return f"Withdrawn by {person(prompt.actor)}, who had asked."
    return f"Closed. {foreign(prompt.reason, 600)}".strip()


def _deciders(prompt: Prompt, last: Actor) -> str:
    """Of several approvals no one alone decided."""
    together = [vote.actor for vote in prompt.votes] if prompt.answer is Answer.APPROVE else []
    return " and ".join(dict.fromkeys(person(one) for one in [*together, last]))


def _answers(content: Question, without: frozenset[Answer]) -> Block:
    prompt = content.prompt
    offered = [answer for answer in ANSWERS[prompt.subject] if answer not in without]
    why = [blocks.button("Why?", action_id(Action.WHY), prompt.id)] if prompt.subject in GATES else []
    return blocks.buttons([*(_answer_button(answer, content) for answer in offered), *why])


def _answer_button(answer: Answer, content: Question) -> Block:
    value = f"{content.prompt.id}|{content.prompt.digest}"
    return blocks.button(
        _LABELS[answer], _action(answer), value, style=_STYLES.get(answer, ""), confirm=_confirmation(answer, content)
    )


def _confirmation(answer: Answer, content: Question) -> Block | None:
    """What cannot be taken back is asked once more."""
    if answer is Answer.APPROVE and content.prompt.subject is Subject.PROMOTE:
        return blocks.confirmation("Switch the model?", foreign(content.consequence, 1500), "Approve the switch")
    if answer is Answer.AGAIN:
        risk = "If the first start took effect, two trainings run."
        return blocks.confirmation("Start once more?", risk, "Start again")
    return None


def _action(answer: Answer) -> str:
    """Approve and Reject have actions of their own; the rest are answers."""
    if answer in (Answer.APPROVE, Answer.REJECT):
        return action_id(Action(answer.value))
    return action_id(Action.ANSWER, answer.value)


def _who(content: Question) -> str:
    """Who may answer, as the rule says; without approvers, the key that names them."""
    prompt, names = content.prompt, content.names
    asker = person(prompt.asker or content.job.request.actor, names)
    if prompt.subject not in GATES:
        return f"{asker} or an approver can answer."
    rule = prompt.rule
    if not rule.approvers:
        return say_nobody(rule)
    many = f" {rule.needed} of them have to approve." if rule.needed > 1 else ""
    second = f" {called(rule.second, names)} since {when(prompt.escalated_at)} as well." if prompt.escalated_at else ""
    own = "" if rule.may_approve_own else f" {asker} asked for it and may not."
    until = f" Until {when(prompt.expires_at)}." if prompt.expires_at else ""
    return f"May decide: {called(rule.approvers, names)}.{many}{second}{own}{until}"


def _votes(prompt: Prompt) -> list[str]:
    """Who has approved so far, where it takes several."""
    if not prompt.votes or prompt.rule.needed < 2:
        return []
    given = [by_vote(vote) for vote in prompt.votes]
    missing = f" {prompt.missing} more needed." if prompt.outcome is Outcome.OPEN and prompt.missing else ""
    return [f"{len(given)} of {prompt.rule.needed} approvals: {', '.join(given)}.{missing}"]


def by_vote(vote: Vote) -> str:
    """Who approved, in whose place, and why."""
    seat = f" for <@{vote.seat}>" if vote.seat != vote.actor.user else ""
    reason = f" ({foreign(vote.reason, 200)})" if vote.reason else ""
    return f"{person(vote.actor)}{seat}{reason}"


def called(ids: Iterable[str], names: Names = NOBODY) -> str:
    """People, groups and channels, in Slack's markup; by name who is not to be mentioned."""
    people, groups = people_in(ids), groups_in(ids)
    return ", ".join([*(called_one(id_, names) for id_ in people), *(named_group(id_) for id_ in groups)])


def reminder(content: Reminder) -> Message:
    """A line that calls those who can decide."""
    prompt, job = content.prompt, content.job
    name = named(content.title, job)
    calls = f"{called(content.calls, content.names)}: " if content.calls else ""
    first = "you are asked too, since this is not decided yet. " if content.is_second else "this still waits for you. "
    # Without their names: who has approved is not to be called again.
    votes = f" {len(prompt.votes)} of {prompt.rule.needed} have approved." if prompt.votes else ""
    until = f" It expires {when(prompt.expires_at)}." if prompt.expires_at else ""
    text = f":bell: {calls}{first}{HEADINGS[prompt.subject]} {name}, training {code(job.id)}.{votes}{until}"
    return blocks.message(f"{name}: {HEADINGS[prompt.subject]} It still waits.", [blocks.section(text)])
