"""The card of a job, and the lines in its thread."""

from collections.abc import Iterator, Mapping

from bot.domain.balances import tell
from bot.domain.changes import Button
from bot.domain.contents import Card, Content, Digest, Line, Note, Question, Reminder, Told
from bot.domain.forecast import Forecast
from bot.domain.history import say_duration
from bot.domain.jobs import AT_SERVICE, Event, Job, JobState, RemoteStatus
from bot.domain.text import code, when
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
    last = [blocks.context([f"Training {code(job.id)}", *(_small(note) for note in content.notes)])]
    last += [blocks.buttons([card_button(one) for one in content.buttons])] if content.buttons else []
    return blocks.message(f"{name}: {PHRASES[job.state]}", shown, last)


def _small(note: str) -> str:
    """Small print is never left out, so all of it together has to leave room: escaping makes a text longer."""
    return clipped(foreign(note, 800), 1000)


def _fields(content: Card) -> list[tuple[str, str]]:
    job = content.job
    facts = [*job.plan.summary, *_data(job)] if job.plan else []
    told = ((foreign(label, 80), foreign(fact)) for label, fact in facts)
    return [("Asked by", person(job.request.actor)), *_age(content), *told]


_SINCE: Mapping[Event | None, str] = {Event.ACCEPT: "Accepted", Event.FIND: "Found there", None: "Watched since"}


def _age(content: Card) -> Iterator[tuple[str, str]]:
    """A time rather than an age, which would be wrong a minute later."""
    if content.since is not None:
        yield _SINCE[content.since.event], when(content.since.at)
    if content.took is not None:
        yield "Training took", say_duration(content.took)


def _data(job: Job) -> Iterator[tuple[str, str]]:
    payload = job.plan.payload if job.plan else None
    if payload is not None:
        width = f" in {payload.columns:,} columns" if payload.columns else ""
        yield "Data", f"{payload.name} ({payload.rows:,} rows{width}, SHA-256 {payload.sha256[:12]})"
        yield from payload.facts.items()
        yield from tell(payload.balances)


def _warnings(job: Job) -> Iterator[str]:
    warnings = job.plan.payload.warnings if job.plan and job.plan.payload else ()
    return (f":warning: Warning: {foreign(warning, 500)}" for warning in warnings)


def _twin(twin: Job | None) -> Iterator[str]:
    """The same file twice for the same model is no mistake of its own, but worth a look."""
    if twin is not None:
        asked = f"{when(twin.created_at)} by {person(twin.request.actor)}"
        yield f":repeat: The same file as in training {code(twin.id)}, asked for {asked}: *{PHRASES[twin.state]}*."


def _said(job: Job) -> Iterator[str]:
    """The service's own word, its progress, and a line per part."""
    status = job.look.status
    if status is None or job.state not in _SPEAKS_IN:
        return
    yield _word(status)
    if status.progress is not None:
        yield progress_bar(status.progress)
    yield from (f"• {foreign(label, 80)}: {verbatim(word)}" for label, word in status.parts)
    yield from (f"• {foreign(key, 80)}: {foreign(str(value), 200)}" for key, value in status.metrics.items())


def _foretold(content: Card) -> Iterator[str]:
    """When it may end, and by what that is said; where it takes longer than ever, that."""
    seen = content.forecast
    if seen is None:
        return
    others = f"{seen.count} earlier trainings {_alike(content, seen)}"
    if not seen.left:
        most = say_duration(seen.longest)
        yield f"*Expected end* not known: this takes longer than all {others}, which took up to {most}."
        return
    took = f"took {_between(say_duration(seen.shortest), say_duration(seen.longest))} in all"
    expected = f"*Expected end* {_between(when(seen.earliest), when(seen.latest))}."
    if seen.left == seen.count:
        yield f"{expected} {'The middle half of' if seen.is_half else 'The'} {others} {took}."
    else:
        half = "the middle half of " if seen.is_half else ""
        yield f"{expected} Of {others}, {seen.count - seen.left} had ended by now; {half}the other {seen.left} {took}."


def _alike(content: Card, seen: Forecast) -> str:
    has_data = content.job.plan is not None and content.job.plan.payload is not None
    of = "of this model" if seen.is_same_model else f"at {content.title}"
    return f"{of} with about as much data" if has_data else of


def _between(first: str, last: str) -> str:
    return f"about {first}" if first == last else f"{first} to {last}"


def _word(status: RemoteStatus) -> str:
    word = f"The service says {verbatim(status.word)}" if status.word else "The service has not said anything yet"
    return f"{word}. {foreign(status.detail, 500)}" if status.detail else f"{word}."


def progress_bar(percent: float) -> str:
    """Twenty cells and the number itself."""
    full = round(min(max(percent, 0.0), 100.0) / 100 * _CELLS)
    return f"`{'█' * full}{'░' * (_CELLS - full)}` {percent:.0f} %"


def card_button(one: Button) -> Block:
    """A button as it stands on a card: what cannot be taken back is asked once more."""
    confirm = None
    if one.action == Action.STOP_RECURRING:
        return recurring.stop_button(one.label, one.value)
    if one.action == Action.CANCEL:
        confirm = blocks.confirmation("Cancel this training?", "What has been trained so far is lost.", "Cancel it")
    return blocks.button(one.label, one.action, one.value, confirm=confirm)


def line(content: Line) -> Message:
    """One move in the thread; an end mentions who asked, and stands in the channel too."""
    job, move = content.job, content.transition
    text = f"{sign(move.new)} {moved(move)}"
    if content.is_end:
        text = f"{person(job.request.actor, content.names)} {named(content.title, job)}: {text}"
    return blocks.message(text, [blocks.section(text)])
