"""The card of a job, and the lines in its thread."""

from collections.abc import Iterator, Mapping

from bot.domain.balances import tell
from bot.domain.changes import Button
from bot.domain.contents import Card, Content, Digest, Line, Note, Question, Reminder, Told
from bot.domain.forecast import Forecast
from bot.domain.history import say_duration
from bot.domain.jobs import AT_SERVICE, Event, Job, JobState, RemoteStatus
from bot.domain.requests import Payload
from bot.domain.text import code, when
from bot.sentences import _, by_name
from handlers.ids import Action
from handlers.marks import clipped, foreign
from handlers.views import attention, blocks, recurring
from handlers.views.blocks import Block, Message
from handlers.views.prompts import question, reminder
from handlers.views.words import PHRASES, moved, named, person, sign, verbatim

_CELLS = 20
_SPEAKS_IN = AT_SERVICE | {JobState.OFFERED, JobState.DONE}
"""States in which the card shows what the service said last."""


def render(content: Content) -> Message:
    """Any content as a message."""
    if isinstance(content, Card):
        return card(content)
    if isinstance(content, Line):
        return line(content)
    if isinstance(content, Question):
        return question(content)
    if isinstance(content, Told | Digest):
        return attention.render(content)
    return reminder(content) if isinstance(content, Reminder) else note(content)


def note(content: Note) -> Message:
    return blocks.message(content.text, [blocks.section(content.text)])


def card(content: Card) -> Message:
    """The one card of a job."""
    job = content.job
    name = named(content.title, job)
    move = moved(content.last) if content.last else f"*{PHRASES[job.state]}*"
    shown = [blocks.section(f"{sign(job.state)} *{name}*\n{move}"), *blocks.columns(_fields(content))]
    shown += blocks.lines([*_said(job), *_foretold(content), *_warnings(job), *_twin(content.twin)])
    shown += [blocks.attachment(content.result)] if content.result else []
    shown += [blocks.link(content.page, _("Open at {service}", service=content.title))] if content.page else []
    last = [blocks.context([_("Training {id}", id=code(job.id)), *(_small(note) for note in content.notes)])]
    last += [blocks.buttons([card_button(one) for one in content.buttons])] if content.buttons else []
    return blocks.message(f"{name}: {PHRASES[job.state]}", shown, last)


def _small(note: str) -> str:
    """Small print is never left out, so all of it together has to leave room: escaping makes a text longer."""
    return clipped(foreign(note, 800), 1000)


def _fields(content: Card) -> list[tuple[str, str]]:
    job = content.job
    facts = [*job.plan.summary, *_data(job)] if job.plan else []
    told = ((foreign(label, 80), foreign(fact)) for label, fact in facts)
    return [(_("Asked by"), person(job.request.actor)), *_age(content), *told]


_SINCE: Mapping[Event | None, str] = {
    # NOTE: A time follows.
    Event.ACCEPT: _("Accepted"),
    # NOTE: A time follows: when a training was found at the service.
    Event.FIND: _("Found there"),
    # NOTE: A time follows.
    None: _("Watched since"),
}


def _age(content: Card) -> Iterator[tuple[str, str]]:
    """A time rather than an age, which would be wrong a minute later."""
    if content.since is not None:
        yield _SINCE[content.since.event], when(content.since.at)
    if content.took is not None:
        yield _("Training took"), say_duration(content.took)


def _data(job: Job) -> Iterator[tuple[str, str]]:
    payload = job.plan.payload if job.plan else None
    if payload is not None:
        rows, digest = rows_of(payload), payload.sha256[:12]
        yield _("Data"), _("{file} ({rows}, SHA-256 {digest})", file=payload.name, rows=rows, digest=digest)
        yield from ((by_name(label), fact) for label, fact in payload.facts.items())
        yield from tell(payload.balances)


def rows_of(payload: Payload) -> str:
    if payload.columns:
        return _("{rows:,} rows in {columns:,} columns", rows=payload.rows, columns=payload.columns)
    return _("{rows:,} rows", rows=payload.rows)


def _warnings(job: Job) -> Iterator[str]:
    warnings = job.plan.payload.warnings if job.plan and job.plan.payload else ()
    return (_(":warning: Warning: {problem}", problem=foreign(warning, 500)) for warning in warnings)


def _twin(twin: Job | None) -> Iterator[str]:
    """The same file twice for the same model is no mistake of its own, but worth a look."""
    if twin is not None:
        yield _(
            ":repeat: The same file as in training {id}, asked for {when} by {who}: *{state}*.",
            id=code(twin.id),
            when=when(twin.created_at),
            who=person(twin.request.actor),
            state=PHRASES[twin.state],
        )


def _said(job: Job) -> Iterator[str]:
    """The service's own word, its progress, and a line per part."""
    status = job.look.status
    if status is None or job.state not in _SPEAKS_IN:
        return
    yield _word(status)
    if status.progress is not None:
        yield progress_bar(status.progress)
    yield from (f"• {foreign(label, 80)}: {verbatim(word)}" for label, word in status.parts)
    yield from (f"• {foreign(by_name(key), 80)}: {foreign(str(value), 200)}" for key, value in status.metrics.items())


def _foretold(content: Card) -> Iterator[str]:
    """When it may end, and by what that is said; where it takes longer than ever, that."""
    seen = content.forecast
    if seen is None:
        return
    others = _alike(content, seen)
    if not seen.left:
        # NOTE: {trainings} is such as "7 earlier trainings of this model"; these took up to {longest}.
        yield _(
            "*Expected end* not known: this takes longer than all {trainings}, which took up to {longest}.",
            trainings=others,
            longest=say_duration(seen.longest),
        )
        return
    expected = _("*Expected end* {time}.", time=_between(when(seen.earliest), when(seen.latest)))
    yield f"{expected} {_compared(seen, others)}"


def _compared(seen: Forecast, others: str) -> str:
    """By what the end is foretold: all of the others, or of these the ones that took longer than this has so far."""
    span = _between(say_duration(seen.shortest), say_duration(seen.longest))
    if seen.left < seen.count:
        return _those_left(seen, others, span)
    if seen.is_half:
        # NOTE: {trainings} is such as "7 earlier trainings of this model".
        return _("The middle half of {trainings} took {span} in all.", trainings=others, span=span)
    # NOTE: {trainings} is such as "7 earlier trainings of this model".
    return _("The {trainings} took {span} in all.", trainings=others, span=span)


def _those_left(seen: Forecast, others: str, span: str) -> str:
    ended, left = seen.count - seen.left, seen.left
    if seen.is_half:
        # NOTE: {trainings} is such as "7 earlier trainings of this model".
        return _(
            "Of {trainings}, {ended} had ended by now; the middle half of the other {left} took {span} in all.",
            trainings=others,
            ended=ended,
            left=left,
            span=span,
        )
    # NOTE: {trainings} is such as "7 earlier trainings of this model".
    return _(
        "Of {trainings}, {ended} had ended by now; the other {left} took {span} in all.",
        trainings=others,
        ended=ended,
        left=left,
        span=span,
    )


def _alike(content: Card, seen: Forecast) -> str:
    """With how many this training is compared; never a single one."""
    has_data = content.job.plan is not None and content.job.plan.payload is not None
    count, title = seen.count, content.title
    # NOTE: These stand for {trainings} in the sentences on the expected end.
    if seen.is_same_model and has_data:
        return _("{count} earlier trainings of this model with about as much data", count=count)
    if seen.is_same_model:
        return _("{count} earlier trainings of this model", count=count)
    if has_data:
        return _("{count} earlier trainings at {service} with about as much data", count=count, service=title)
    return _("{count} earlier trainings at {service}", count=count, service=title)


def _between(first: str, last: str) -> str:
    # NOTE: Times, or durations.
    return _("about {time}", time=first) if first == last else _("{first} to {last}", first=first, last=last)


def _word(status: RemoteStatus) -> str:
    silent = _("The service has not said anything yet.")
    said = _("The service says {word}.", word=verbatim(status.word)) if status.word else silent
    return f"{said} {foreign(status.detail, 500)}" if status.detail else said


def progress_bar(percent: float) -> str:
    """Twenty cells and the number itself."""
    full = round(min(max(percent, 0.0), 100.0) / 100 * _CELLS)
    return f"`{'█' * full}{'░' * (_CELLS - full)}` {say_percent(percent)}"


def say_percent(percent: float) -> str:
    return _("{percent:.0f} %", percent=percent)


def card_button(one: Button) -> Block:
    """A button as it stands on a card: what cannot be taken back is asked once more."""
    confirm = None
    if one.action == Action.STOP_RECURRING:
        return recurring.stop_button(one.label, one.value)
    if one.action == Action.CANCEL:
        risk = _("What has been trained so far is lost.")
        confirm = blocks.confirmation(_("Cancel this training?"), risk, _("Cancel it"))
    return blocks.button(one.label, one.action, one.value, confirm=confirm)


def line(content: Line) -> Message:
    """One move in the thread; an end mentions who asked, and stands in the channel too."""
    job, move = content.job, content.transition
    text = f"{sign(move.new)} {moved(move)}"
    if content.is_end:
        text = f"{person(job.request.actor, content.names)} {named(content.title, job)}: {text}"
    return blocks.message(text, [blocks.section(text)])
