"""Lists of jobs and the story of one."""

from collections.abc import Iterator, Sequence

from bot.domain.approvals import Outcome, Prompt
from bot.domain.jobs import Job, Transition
from bot.domain.text import code
from handlers.ids import Action, action_id
from handlers.marks import foreign
from handlers.views import blocks
from handlers.views.blocks import Block, Message
from handlers.views.prompts import HEADINGS, outcome
from handlers.views.words import PHRASES, moved, named, person, sign, verbatim, when

PAGE = 10
MOST_ALIVE = 40
MOST_QUERY = 1500
"""A longer one would not fit into the button that turns the page."""

_MOST_MOVES = 30


def job_line(job: Job) -> str:
    """One job in a list."""
    progress = job.look.status.progress if job.look.status else None
    share = f" {progress:.0f} %" if progress is not None and not job.has_ended else ""
    return (
        f"{sign(job.state)} {code(job.id)} *{foreign(job.request.provider, 40)}* {verbatim(job.request.model)}: "
        f"{PHRASES[job.state]}{share}, {person(job.request.actor)}, {when(job.created_at)}"
    )


def alive(jobs: Sequence[Job]) -> Message:
    """The answer to `/status`; of more than MOST_ALIVE jobs the newest are shown."""
    if not jobs:
        return blocks.say_text("No training is alive in this channel. `/train help` shows how to start one.")
    count = f"more than {MOST_ALIVE}" if len(jobs) > MOST_ALIVE else str(len(jobs))
    shown = [blocks.section(f"*Alive in this channel: {count}*")]
    shown += [blocks.section(job_line(job)) for job in jobs[:MOST_ALIVE]]
    more = [blocks.context(["`/jobs alive` turns the pages of all of them."])] if len(jobs) > MOST_ALIVE else []
    return blocks.message(f"Trainings alive in this channel: {count}", shown, more)


def page(jobs: Sequence[Job], *, query: str, number: int, has_more: bool) -> Message:
    """One page of `/jobs`; `query` is what was typed, so that the next page asks the same."""
    if not jobs and not number:
        return blocks.say_text("No training fits. `/jobs all` lists every one, newest first.")
    shown = [blocks.section(f"*Trainings, newest first* (page {number + 1})")]
    shown += [blocks.section(job_line(job)) for job in jobs] or [blocks.section("There are no more.")]
    turns = list(_turns(query, number, has_more=has_more))
    return blocks.message(f"Trainings: {len(jobs)}", shown, [blocks.buttons(turns)] if turns else [])


def _turns(query: str, number: int, *, has_more: bool) -> Iterator[Block]:
    """The buttons to the pages beside this one."""
    for label, to, is_there in (("Newer", number - 1, number > 0), ("Older", number + 1, has_more)):
        if is_there:
            yield blocks.button(label, action_id(Action.JOBS_PAGE, str(to)), f"{to}|{query}")


def story(job: Job, transitions: Sequence[Transition], prompts: Sequence[Prompt], title: str) -> Message:
    """Everything that is kept of one job: its data, who decided what, its moves."""
    name = named(title, job)
    shown = [blocks.section(f"{sign(job.state)} *{name}*: {PHRASES[job.state]}")]
    shown += blocks.lines(_facts(job))
    shown += blocks.lines(_decision(prompt) for prompt in prompts if prompt.outcome is Outcome.ANSWERED)
    shown += blocks.lines(_moves(transitions))
    return blocks.message(f"{name}: {PHRASES[job.state]}", shown)


def _facts(job: Job) -> Iterator[str]:
    yield f"Asked by {person(job.request.actor)}, {when(job.created_at)}, training {code(job.id)}"
    if job.plan:
        yield from (f"{foreign(label, 80)}: {foreign(value)}" for label, value in job.plan.summary)
    if job.plan and job.plan.payload:
        payload = job.plan.payload
        yield f"Data: {verbatim(payload.name)}, {payload.rows:,} rows, SHA-256 {code(payload.sha256)}"
    if job.remote_id:
        yield f"At the service: {verbatim(job.remote_id, 200)}"
    if job.look.error:
        yield foreign(job.look.error, 800)


def _decision(prompt: Prompt) -> str:
    return f"*{HEADINGS[prompt.subject]}* {outcome(prompt)}"


def _moves(transitions: Sequence[Transition]) -> Iterator[str]:
    hidden = len(transitions) - _MOST_MOVES
    if hidden > 0:
        yield f"… {hidden} earlier moves are left out."
    yield from (f"{when(one.at)} {moved(one, 200)}" for one in transitions[-_MOST_MOVES:])
