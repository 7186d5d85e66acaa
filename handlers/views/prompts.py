"""The questions to people, with exactly what an answer is about."""

from collections.abc import Callable, Iterable, Iterator, Mapping

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
from bot.domain.text import code, each_of, when
from bot.sentences import _, by_name, speak
from handlers.ids import Action, action_id
from handlers.marks import clipped, foreign
from handlers.views import blocks
from handlers.views.blocks import Block, Message
from handlers.views.words import NOBODY, called_one, ended, named, person

HEADINGS: Mapping[Subject, str] = {
    Subject.START: _("May this training start?"),
    Subject.PROMOTE: _("May the trained model go live?"),
    Subject.CANCEL: _("May this training be cancelled?"),
    Subject.DID_START: _("Did this training start?"),
    Subject.DID_SWITCH: _("Was the switch applied?"),
    Subject.GO_ON: _("Shall this training be watched any longer?"),
}

_LABELS: Mapping[Answer, str] = {
    Answer.APPROVE: _("Approve"),
    Answer.REJECT: _("Reject"),
    Answer.RUNS: _("It runs"),
    Answer.AGAIN: _("Start again"),
    Answer.GIVE_UP: _("Give up"),
    Answer.APPLIED: _("It was applied"),
    Answer.NOT_APPLIED: _("It was not"),
    Answer.KEEP: _("Keep watching"),
    Answer.WITHDRAW: _("Withdraw"),
}

_OUTCOMES: Mapping[Answer, Callable[[str], str]] = {
    Answer.APPROVE: lambda who: _("Approved by {who}.", who=who),
    Answer.REJECT: lambda who: _("Rejected by {who}.", who=who),
    # NOTE: Somebody answered that the training runs.
    Answer.RUNS: lambda who: _("Answered by {who}: it runs.", who=who),
    # NOTE: Somebody answered that the training shall be started again.
    Answer.AGAIN: lambda who: _("Answered by {who}: start again.", who=who),
    # NOTE: Somebody gave the training up.
    Answer.GIVE_UP: lambda who: _("Given up by {who}.", who=who),
    # NOTE: Somebody answered that the switch was applied.
    Answer.APPLIED: lambda who: _("Answered by {who}: it was applied.", who=who),
    # NOTE: Somebody answered that the switch was not applied.
    Answer.NOT_APPLIED: lambda who: _("Answered by {who}: it was not applied.", who=who),
    # NOTE: Somebody answered that the training shall be watched on.
    Answer.KEEP: lambda who: _("Answered by {who}: keep watching.", who=who),
    Answer.WITHDRAW: lambda who: _("Withdrawn by {who}.", who=who),
}

_STYLES: Mapping[Answer, str] = {Answer.APPROVE: "primary", Answer.REJECT: "danger"}


def question(content: Question, without: frozenset[Answer] = frozenset()) -> Message:
    """A prompt with exactly what it is about; without buttons once it is closed, and `without` some answers."""
    job, prompt = content.job, content.prompt
    heading, name = HEADINGS[prompt.subject], named(content.title, job)
    is_open = prompt.outcome is Outcome.OPEN
    facts: list[tuple[str, str]] = [(_("Asked by"), person(prompt.asker or job.request.actor, content.names))]
    facts += [(foreign(by_name(label), 80), foreign(fact)) for label, fact in content.facts]
    training = _("{training}, training {id}", training=name, id=code(job.id))
    shown = [blocks.section(f":raised_hand: *{heading}*\n{training}"), *blocks.columns(facts)]
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
    return [_("*Beside what serves now* (then → now)"), *found] if found else []


def _after(one: Button) -> Block:
    return blocks.button(one.label, one.action, one.value)


def outcome(prompt: Prompt) -> str:
    """How a closed prompt ended."""
    if prompt.outcome is Outcome.ANSWERED and prompt.answer and prompt.actor:
        told = _OUTCOMES[prompt.answer](_deciders(prompt, prompt.actor))
        why = _("Reason: {reason}", reason=foreign(prompt.reason, 600))
        return f"{told} {why}" if prompt.reason else told
    if prompt.outcome is Outcome.EXPIRED:
        return _("Expired: nobody answered in time, and nothing was done.")
    if prompt.answer is Answer.WITHDRAW and prompt.actor:
        return _("Withdrawn by {who}, who had asked.", who=person(prompt.actor))
    closed = _("Closed.")
    return f"{closed} {foreign(prompt.reason, 600)}" if prompt.reason else closed


def _deciders(prompt: Prompt, last: Actor) -> str:
    """Of several approvals no one alone decided."""
    together = [vote.actor for vote in prompt.votes] if prompt.answer is Answer.APPROVE else []
    return each_of(dict.fromkeys(person(one) for one in [*together, last]))


def _answers(content: Question, without: frozenset[Answer]) -> Block:
    prompt = content.prompt
    offered = [answer for answer in ANSWERS[prompt.subject] if answer not in without]
    why = [blocks.button(_("Why?"), action_id(Action.WHY), prompt.id)] if prompt.subject in GATES else []
    return blocks.buttons([*(_answer_button(answer, content) for answer in offered), *why])


def _answer_button(answer: Answer, content: Question) -> Block:
    value = f"{content.prompt.id}|{content.prompt.digest}"
    return blocks.button(
        _LABELS[answer], _action(answer), value, style=_STYLES.get(answer, ""), confirm=_confirmation(answer, content)
    )


def _confirmation(answer: Answer, content: Question) -> Block | None:
    """What cannot be taken back is asked once more."""
    if answer is Answer.APPROVE and content.prompt.subject is Subject.PROMOTE:
        # NOTE: At most 30 characters, on a button.
        yes = _("Approve the switch")
        return blocks.confirmation(_("Switch the model?"), foreign(content.consequence, 1500), yes)
    if answer is Answer.AGAIN:
        risk = _("If the first start took effect, two trainings run.")
        return blocks.confirmation(_("Start once more?"), risk, _("Start again"))
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
        return _("{who} or an approver can answer.", who=asker)
    rule = prompt.rule
    if not rule.approvers:
        return say_nobody(rule)
    return " ".join(map(speak, _may_decide(prompt, asker, names)))


def _may_decide(prompt: Prompt, asker: str, names: Names) -> Iterator[str]:
    rule = prompt.rule
    yield _("May decide: {people}.", people=called(rule.approvers, names))
    if rule.needed > 1:
        yield _("{needed} of them have to approve.", needed=rule.needed)
    if prompt.escalated_at:
        # NOTE: They may decide too.
        yield _("{people} since {when} as well.", people=called(rule.second, names), when=when(prompt.escalated_at))
    if not rule.may_approve_own:
        # NOTE: They may not decide.
        yield _("{who} asked for it and may not.", who=asker)
    if prompt.expires_at:
        yield _("Until {when}.", when=when(prompt.expires_at))


def _votes(prompt: Prompt) -> list[str]:
    """Who has approved so far, where it takes several."""
    if not prompt.votes or prompt.rule.needed < 2:
        return []
    given = ", ".join(by_vote(vote) for vote in prompt.votes)
    votes, needed = len(prompt.votes), prompt.rule.needed
    told = _("{votes} of {needed} approvals: {people}.", votes=votes, needed=needed, people=given)
    missing = _("{count} more needed.", count=prompt.missing)
    return [f"{told} {missing}" if prompt.outcome is Outcome.OPEN and prompt.missing else told]


def by_vote(vote: Vote) -> str:
    """Who approved, in whose place, and why."""
    voter = person(vote.actor)
    # NOTE: Somebody approved in the place of somebody else.
    who = speak(_("{who} for <@{other}>", who=voter, other=vote.seat)) if vote.seat != vote.actor.user else voter
    return f"{who} ({foreign(vote.reason, 200)})" if vote.reason else who


def called(ids: Iterable[str], names: Names = NOBODY) -> str:
    """People, groups and channels, in Slack's markup; by name who is not to be mentioned."""
    people, groups = people_in(ids), groups_in(ids)
    return ", ".join([*(called_one(id_, names) for id_ in people), *(named_group(id_) for id_ in groups)])


def reminder(content: Reminder) -> Message:
    """A line that calls those who can decide."""
    prompt, job = content.prompt, content.job
    name = named(content.title, job)
    heading = HEADINGS[prompt.subject]
    calls = f"{called(content.calls, content.names)}: " if content.calls else ""
    training = _("{training}, training {id}", training=name, id=code(job.id))
    asked = ended(f":bell: {calls}{_urge(content)} {heading} {training}")
    text = " ".join([asked, *map(speak, _standing(prompt))])
    short = _("{training}: {question} It still waits.", training=name, question=heading)
    return blocks.message(short, [blocks.section(text)])


def _urge(content: Reminder) -> str:
    # NOTE: These two follow the names of those who are called: "@ada, @ben: this still waits for you."
    if content.is_second:
        return _("you are asked too, since this is not decided yet.")
    return _("this still waits for you.")


def _standing(prompt: Prompt) -> Iterator[str]:
    """How far a question is. Without their names: who has approved is not to be called again."""
    if prompt.votes:
        yield _("{votes} of {needed} have approved.", votes=len(prompt.votes), needed=prompt.rule.needed)
    if prompt.expires_at:
        yield _("It expires {when}.", when=when(prompt.expires_at))
