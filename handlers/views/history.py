"""Lists of jobs and the story of one."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from bot.domain.approvals import Outcome, Prompt
from bot.domain.balances import tell
from bot.domain.charts import final_scores_of
from bot.domain.history import Span, Story, say_duration, spans
from bot.domain.job_exports import Form
from bot.domain.jobs import Job
from bot.domain.requests import Payload
from bot.domain.text import code, when
from bot.sentences import _, by_name, speak
from handlers.ids import Action, action_id
from handlers.marks import foreign
from handlers.views import blocks
from handlers.views.blocks import Block, Message
from handlers.views.cards import rows_of, say_percent
from handlers.views.prompts import HEADINGS, by_vote, outcome
from handlers.views.words import PHRASES, moved, named, person, sign, typed, verbatim

PAGE = 10
MOST_ALIVE = 40
MOST_QUERY = 1500
"""A longer one would not fit into the button that turns the page."""

_MOST_ON_A_PAGE = 9000
"""Characters of a story in one message, which leaves room for its heading and its buttons."""
_WORTH_TELLING = timedelta(seconds=1)
_DIGEST = 12
"""Signs of a digest that tell it from every other here."""
_MOST_LABELS = 30
_SCOPES = {"here": _("Here"), "mine": _("Mine"), "all": _("Everybody's")}
_SCOPE = re.compile(r"(?:^|\s+)(?:here|mine|all)$", re.IGNORECASE)
_FORMS: Mapping[Form, str] = {Form.CSV: _("Export CSV"), Form.JSONL: _("Export JSON lines")}
_SPANS: Mapping[Span, str] = {
    # NOTE: A duration follows: "checking 3 min".
    Span.CHECKING: _("checking"),
    Span.PEOPLE: _("waiting for people"),
    Span.STARTING: _("starting"),
    Span.QUEUED: _("waiting at the service"),
    Span.TRAINING: _("training"),
    Span.SWITCHING: _("switching"),
}


def job_line(job: Job) -> str:
    """One job in a list."""
    return (
        f"{sign(job.state)} {code(job.id)} *{foreign(job.request.provider, 40)}* {verbatim(job.request.model)}: "
        f"{PHRASES[job.state]}{_share(job)}, {person(job.request.actor)}, {when(job.created_at)}"
    )


def _share(job: Job) -> str:
    progress = job.look.status.progress if job.look.status else None
    return f" {say_percent(progress)}" if progress is not None and not job.has_ended else ""


def alive(jobs: Sequence[Job]) -> Message:
    """The answer to `/status`; of more than MOST_ALIVE jobs the newest are shown."""
    if not jobs:
        return blocks.say_text(_("No training is alive in this channel. `/train help` shows how to start one."))
    count = _("more than {most}", most=MOST_ALIVE) if len(jobs) > MOST_ALIVE else str(len(jobs))
    shown = [blocks.section(_("*Alive in this channel: {count}*", count=count)), _table(jobs[:MOST_ALIVE])]
    more = [blocks.context([_("`/jobs alive` turns the pages of all of them.")])] if len(jobs) > MOST_ALIVE else []
    return blocks.message(_("Trainings alive in this channel: {count}", count=count), shown, more)


def page(jobs: Sequence[Job], *, query: str, number: int, has_more: bool) -> Message:
    """One page of `/jobs`; `query` is what was typed, so that the next page, and the file, are of the same."""
    if not jobs and not number:
        return blocks.message(_NONE, [blocks.section(_NONE)], [blocks.buttons(list(_scopes(query)))])
    shown = [blocks.section(_("*Trainings, newest first* (page {page})", page=number + 1))]
    shown += [_table(jobs), _stories(jobs)] if jobs else [blocks.section(_("There are no more."))]
    picture = blocks.button(_("Durations"), action_id(Action.DURATIONS), query)
    turns = [*_turns(query, number, has_more=has_more), *_exports(query), picture]
    last = [
        blocks.buttons(turns),
        blocks.buttons(list(_scopes(query))),
        blocks.context([_("{command} lists this.", command=typed(query))]),
    ]
    return blocks.message(_("Trainings: {count}", count=len(jobs)), shown, last)


_NONE = _("No training fits. `/jobs all` lists every one, newest first.")


def _table(jobs: Sequence[Job]) -> Block:
    head = (_("Training"), _("Service"), _("Model"), _("State"), _("Asked by"), _("Asked"))
    return blocks.table(head, map(_row, jobs), wrapped=(2, 3))


def _row(job: Job) -> list[Block]:
    state = blocks.marked_cell(blocks.sign(sign(job.state)), blocks.run(f" {PHRASES[job.state]}{_share(job)}"))
    words = [blocks.cell(job.id), blocks.cell(job.request.provider, 40), blocks.cell(job.request.model)]
    return [*words, state, blocks.person_cell(job.request.actor.user), blocks.time_cell(job.created_at)]


def _stories(jobs: Sequence[Job]) -> Block:
    """A cell holds no button, so the stories stand below the table."""
    return blocks.buttons([_story_button(_("Story {id}", id=job.id), job.id, job.id) for job in jobs])


def _story_button(label: str, which: str, value: str) -> Block:
    return blocks.button(label, action_id(Action.STORY, which), value)


def _turns(query: str, number: int, *, has_more: bool) -> Iterator[Block]:
    """The buttons to the pages beside this one."""
    for label, to, is_there in ((_("Newer"), number - 1, number > 0), (_("Older"), number + 1, has_more)):
        if is_there:
            yield blocks.button(label, action_id(Action.JOBS_PAGE, str(to)), f"{to}|{query}")


def _exports(query: str) -> Iterator[Block]:
    """The buttons that make a file of everything that fits."""
    for form, label in _FORMS.items():
        yield blocks.button(label, action_id(Action.EXPORT, form.value), query)


def _scopes(query: str) -> Iterator[Block]:
    """The buttons that ask the same of other people's trainings: of those words the last one holds."""
    for scope, label in _SCOPES.items():
        rest = _SCOPE.sub("", query)
        yield blocks.button(label, action_id(Action.JOBS_PAGE, scope), f"0|{rest} {scope}".replace("| ", "|"))


# -- one story --------------------------------------------------------------------------------------------------------


def story(told: Story, title: str, now: datetime, *, number: int = 0, is_kept: bool = True) -> Message:
    """A page of everything that is kept of one job: its data, what came of it, who decided what, its latest moves.

    `is_kept`: the bytes that were sent lie here still.
    """
    job, name = told.job, named(title, told.job)
    facts = [*_facts(job, is_kept=is_kept), *_outcome(job), took(told, now), *map(_decision, told.prompts)]
    moves = [f"{when(one.at)} {moved(one, 500)}" for one in reversed(told.moves)]
    pages = list(_pages(map(speak, [*facts, *moves])))
    number = min(number, len(pages) - 1)
    start = sum(map(len, pages[:number]))
    left = len(facts) + len(moves) - start - len(pages[number])
    shown = [blocks.section(f"{sign(job.state)} *{name}*: {PHRASES[job.state]}")]
    shown += blocks.lines(_in_order(pages[number], len(facts) - start))
    return blocks.message(f"{name}: {PHRASES[job.state]}", shown, _leaves(job, number, left))


def _pages(texts: Iterable[str]) -> Iterator[list[str]]:
    """The lines of each page, as many as fit; at least one page."""
    rest = list(texts)
    while rest:
        weights = [sum(map(len, rest[: end + 1])) for end in range(len(rest))]
        fits = len(list(takewhile(lambda weight: weight <= _MOST_ON_A_PAGE, weights))) or 1
        yield rest[:fits]
        rest = rest[fits:]


def _in_order(texts: Sequence[str], facts: int) -> list[str]:
    """Facts first, then the moves of this page as they followed each other; of a long story the latest come first."""
    facts = max(0, min(facts, len(texts)))
    return [*texts[:facts], *reversed(texts[facts:])]


def _leaves(job: Job, number: int, left: int) -> list[Block]:
    """What is on other pages is said, and a press away."""
    turns = []
    if number:
        turns.append(_story_button(_("Back"), str(number - 1), f"{job.id}|{number - 1}"))
    if left:
        turns.append(_story_button(_("{more} more", more=left), str(number + 1), f"{job.id}|{number + 1}"))
    turns += _pictures(job)
    more = _("{more} more lines of this story, of earlier moves, are on the next page.", more=left)
    said = [blocks.context([more])] if left else []
    return [*said, *([blocks.buttons(turns)] if turns else [])]


def _pictures(job: Job) -> Iterator[Block]:
    """The buttons to the pictures that there is something for."""
    if final_scores_of(job):
        yield blocks.button(_("Scores"), action_id(Action.SCORES), job.id)
    if job.plan and job.plan.payload and job.plan.payload.balances:
        yield blocks.button(_("Label balance"), action_id(Action.LABELS), job.id)


def _facts(job: Job, *, is_kept: bool) -> Iterator[str]:
    who, asked = person(job.request.actor), when(job.created_at)
    yield _("Asked by {who}, {when}, training {id}", who=who, when=asked, id=code(job.id))
    if job.plan:
        yield from (f"{foreign(label, 80)}: {foreign(value)}" for label, value in job.plan.summary)
    if job.plan and job.plan.payload:
        yield from _data(job.plan.payload, is_kept=is_kept)
    if job.request.kept_from:
        yield _("Data kept from training {id}", id=code(job.request.kept_from))
    if job.remote_id:
        yield _("At the service: {id}", id=verbatim(job.remote_id, 200))


def _data(payload: Payload, *, is_kept: bool) -> Iterator[str]:
    told = _(
        "Data: {file}, {rows}, {bytes:,} bytes, SHA-256 {digest}",
        file=verbatim(payload.name),
        rows=rows_of(payload),
        bytes=payload.size,
        digest=code(payload.sha256),
    )
    yield told if is_kept else _("{data}, data deleted", data=told)
    yield from (f"{foreign(by_name(label), 80)}: {foreign(fact)}" for label, fact in payload.facts.items())
    yield from (f"{foreign(label, 80)}: {text}" for label, text in tell(payload.balances, _MOST_LABELS))
    yield from (_("Warning: {problem}", problem=foreign(warning, 500)) for warning in payload.warnings)


def _outcome(job: Job) -> Iterator[str]:
    """What the service said last, and what came of it."""
    seen = job.look.status
    if seen is not None:
        said = _("The service said last: {word}", word=verbatim(seen.word))
        yield f"{said} ({foreign(seen.detail)})" if seen.detail else said
        yield from (f"{foreign(part, 80)}: {foreign(word)}" for part, word in seen.parts)
        yield from _pairs(_("Result"), seen.result)
        yield from _pairs(_("The service tells"), seen.metrics)
    size = job.look.notes.get("result_bytes")
    if isinstance(size, int):
        yield _("Result file: {bytes:,} bytes", bytes=size)
    yield from _pairs(_("Live before the switch"), (job.switch or {}).get("before") or {})
    if job.look.error:
        yield foreign(job.look.error, 500)


def _pairs(heading: str, values: Mapping[str, object]) -> Iterator[str]:
    if values:
        told = ", ".join(f"{by_name(key.replace('_', ' '))} {_word(value)}" for key, value in values.items())
        yield f"{heading}: {foreign(told, 500)}"


def _word(value: object) -> str:
    return _WORDS.get(str(value)) or str(value)


_WORDS: Mapping[str, str] = {"True": _("yes"), "False": _("no"), "None": _("none")}


def took(told: Story, now: datetime) -> str:
    """How long each part took, and all of it."""
    spent = spans(told, now)
    time = say_duration(spent[Span.TOTAL])
    total = _("Took {time} in all", time=time) if told.job.has_ended else _("Took {time} so far", time=time)
    parts = [f"{label} {say_duration(spent[span])}" for span, label in _SPANS.items() if spent[span] >= _WORTH_TELLING]
    return f"{total}: {', '.join(parts)}" if parts else total


def _decision(prompt: Prompt) -> str:
    """A question: what was asked when, under which rule, and who answered what and why."""
    answer = _("Not answered yet.") if prompt.outcome is Outcome.OPEN else outcome(prompt)
    return f"*{HEADINGS[prompt.subject]}* {answer} ({', '.join(map(speak, _circumstances(prompt)))})"


def _circumstances(prompt: Prompt) -> Iterator[str]:
    yield _("asked {when}", when=when(prompt.asked_at))
    if prompt.closed_at:
        yield _("closed {when}", when=when(prompt.closed_at))
    if prompt.rule.name:
        yield _("rule “{rule}”", rule=foreign(prompt.rule.name, 80))
    yield _("digest {digest}", digest=_digest(prompt.digest))
    if prompt.votes:
        votes, needed = len(prompt.votes), prompt.rule.needed
        yield _("{votes} of {needed} approvals: {people}", votes=votes, needed=needed, people=_votes(prompt))


def _votes(prompt: Prompt) -> str:
    given = ", ".join(f"{by_vote(vote)} {when(vote.at)}" for vote in prompt.votes[:_MOST_VOTES])
    more = len(prompt.votes) - _MOST_VOTES
    return _("{people}, {more} more", people=given, more=more) if more > 0 else given


_MOST_VOTES = 5


def _digest(digest: str) -> str:
    return code(digest[:_DIGEST])
