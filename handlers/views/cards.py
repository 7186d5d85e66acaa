"""The card of a job, the lines in its thread, and the questions to people."""

from collections.abc import Mapping, Sequence

from bot.domain.approvals import ANSWERS, GATES, Answer, Outcome, Prompt, Subject
from bot.domain.changes import Button
from bot.domain.contents import Card, Content, Line, Note, Question
from bot.domain.jobs import AT_SERVICE, Job, JobState, RemoteStatus
from bot.domain.text import code, cut, escape
from handlers.ids import Action, action_id
from handlers.views import blocks
from handlers.views.blocks import Block, Message
from handlers.views.words import PHRASES, because, by, named, sign, when

_CELLS = 20


def render(content: Content) -> Message:
    """Any content as a message."""
    if isinstance(content, Card):
        return card(content)
    if isinstance(content, Line):
        return line(content)
    return question(content) if isinstance(content, Question) else note(content)


def note(content: Note) -> Message:
    return blocks.message(content.text, [blocks.section(content.text)])


def card(content: Card) -> Message:
    """The one card of a job."""
    job = content.job
    text = f"{named(content.title, job)}: {PHRASES[job.state]}"
    shown = [blocks.section(f"{sign(job.state)} *{named(content.title, job)}*\n{_headline(content)}", _fields(job))]
    shown += [blocks.section(text) for text in _middle(job)]
    small = [f"Training {code(job.id)}", *(escape(text) for text in content.notes)]
    shown.append(blocks.context(small))
    if content.buttons:
        shown.append(blocks.buttons([_card_button(one) for one in content.buttons]))
    return blocks.message(text, shown)


def _headline(content: Card) -> str:
    phrase = PHRASES[content.job.state]
    last = content.last
    if last is None:
        return f"*{phrase}*"
    return f"*{phrase}*{by(last) if last.old else ''}{because(last) and '.' + because(last)}"


def _fields(job: Job) -> list[tuple[str, str]]:
    fields = [("Asked by", f"<@{job.request.actor.user}>")]
    if job.plan is not None:
        fields += [(escape(label), escape(cut(value, 200))) for label, value in job.plan.summary]
        fields += _data_fields(job)
    return fields


def _data_fields(job: Job) -> list[tuple[str, str]]:
    payload = job.plan.payload if job.plan else None
    if payload is None:
        return []
    rows = f"{payload.rows:,} rows, SHA-256 {code(payload.sha256[:12])}"
    facts = [(escape(label), escape(cut(value, 200))) for label, value in payload.facts.items()]
    return [("Data", f"{code(payload.name)}\n{rows}"), *facts]


def _middle(job: Job) -> list[str]:
    """What the service says, and the warnings of the check."""
    status = job.look.status
    warnings = job.plan.payload.warnings if job.plan and job.plan.payload else ()
    texts = (
        [_said(status)] if status is not None and job.state in (*AT_SERVICE, JobState.OFFERED, JobState.DONE) else []
    )
    return [*texts, *(f":warning: Warning: {escape(cut(warning, 500))}" for warning in warnings[:5])]


def _said(status: RemoteStatus) -> str:
    """The service's own word, its progress, and a line per part."""
    word = f"The service says {code(status.word)}" if status.word else "The service has not said anything yet"
    bar = f"\n{progress_bar(status.progress)}" if status.progress is not None else ""
    detail = f". {escape(status.detail)}" if status.detail else ""
    parts = "".join(f"\n• {escape(label)}: {code(word_)}" for label, word_ in status.parts)
    metrics = "".join(f"\n• {escape(key)}: {escape(cut(str(value), 200))}" for key, value in status.metrics.items())
    return f"{word}{detail}{bar}{parts}{metrics}"


def progress_bar(percent: float) -> str:
    """Twenty cells and the number itself."""
    full = round(min(max(percent, 0.0), 100.0) / 100 * _CELLS)
    return f"`{'█' * full}{'░' * (_CELLS - full)}` {percent:.0f} %"


def _card_button(one: Button) -> Block:
    confirm = None
    if one.action == Action.CANCEL:
        confirm = blocks.confirmation("Cancel this training?", "What has been trained so far is lost.", "Cancel it")
    return blocks.button(one.label, one.action, one.value, confirm=confirm)


def line(content: Line) -> Message:
    """One move in the thread; an end mentions who asked, and stands in the channel too."""
    job, move = content.job, content.transition
    phrase = f"{sign(move.new)} *{PHRASES[move.new]}*{by(move) if move.old else ''}.{because(move)}"
    if content.is_end:
        phrase = f"<@{job.request.actor.user}> {named(content.title, job)}: {phrase}"
    return blocks.message(phrase, [blocks.section(phrase)])


_HEADINGS: Mapping[Subject, str] = {
    Subject.START: "May this training start?",
    Subject.PROMOTE: "May the trained model go live?",
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
}

_STYLES: Mapping[Answer, str] = {Answer.APPROVE: "primary", Answer.REJECT: "danger"}


def question(content: Question) -> Message:
    """A prompt with exactly what it is about; without buttons once it is closed."""
    job, prompt = content.job, content.prompt
    heading = _HEADINGS[prompt.subject]
    text = f"{named(content.title, job)}: {heading}"
    facts = [(escape(label), escape(cut(value, 300))) for label, value in content.facts]
    about = f":raised_hand: *{heading}*\n{named(content.title, job)}, training {code(job.id)}"
    shown = [blocks.section(about, _asked(job, facts))]
    shown.append(blocks.section(escape(content.consequence)))
    shown.append(_ending(prompt) if prompt.outcome is not Outcome.OPEN else _answers(content))
    shown.append(blocks.context([_who(prompt, job)]))
    return blocks.message(text if prompt.outcome is Outcome.OPEN else f"{text} {_outcome(prompt)}", shown)


def _asked(job: Job, facts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [("Asked by", f"<@{job.request.actor.user}>"), *facts]


def _answers(content: Question) -> Block:
    prompt = content.prompt
    value = f"{prompt.id}|{prompt.digest}"
    return blocks.buttons([_answer_button(answer, value, content) for answer in ANSWERS[prompt.subject]])


def _answer_button(answer: Answer, value: str, content: Question) -> Block:
    confirm = None
    if answer is Answer.APPROVE and content.prompt.subject is Subject.PROMOTE:
        confirm = blocks.confirmation("Switch the model?", escape(content.consequence), "Approve the switch")
    if answer is Answer.AGAIN:
        risk = "If the first start took effect, two trainings run."
        confirm = blocks.confirmation("Start once more?", risk, "Start again")
    return blocks.button(_LABELS[answer], _action(answer), value, style=_STYLES.get(answer, ""), confirm=confirm)


def _action(answer: Answer) -> str:
    """Approve and Reject have actions of their own; the rest are answers."""
    if answer in (Answer.APPROVE, Answer.REJECT):
        return action_id(Action(answer.value))
    return action_id(Action.ANSWER, answer.value)


def _ending(prompt: Prompt) -> Block:
    return blocks.section(f"*{_outcome(prompt)}*")


_OUTCOMES: Mapping[Answer, str] = {
    Answer.APPROVE: "Approved",
    Answer.REJECT: "Rejected",
    Answer.RUNS: "Answered: it runs",
    Answer.AGAIN: "Answered: start again",
    Answer.GIVE_UP: "Given up",
    Answer.APPLIED: "Answered: it was applied",
    Answer.NOT_APPLIED: "Answered: it was not applied",
    Answer.KEEP: "Answered: keep watching",
}


def _outcome(prompt: Prompt) -> str:
    if prompt.outcome is Outcome.ANSWERED and prompt.answer and prompt.actor:
        reason = f" Reason: {escape(prompt.reason)}" if prompt.reason else ""
        return f"{_OUTCOMES[prompt.answer]} by <@{prompt.actor.user}>.{reason}"
    if prompt.outcome is Outcome.EXPIRED:
        return "Expired: nobody answered in time, and nothing was done."
    return f"Closed. {escape(prompt.reason)}"


def _who(prompt: Prompt, job: Job) -> str:
    """Who may answer, as the rule says; without approvers, the key that names them."""
    if prompt.subject not in GATES:
        return f"<@{job.request.actor.user}> or an approver can answer."
    if not prompt.rule.approvers:
        return "Nobody may approve here yet: the setting `SWITCHYARD_APPROVALS__APPROVERS` is empty."
    people = [f"<@{id_}>" for id_ in prompt.rule.people] + [f"<!subteam^{id_}>" for id_ in prompt.rule.groups]
    own = "" if prompt.rule.may_approve_own else f" <@{job.request.actor.user}> asked for it and may not."
    until = f" Until {when(prompt.expires_at)}." if prompt.expires_at else ""
    return f"May decide: {', '.join(people)}.{own}{until}"
