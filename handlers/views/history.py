"""Lists of jobs and the story of one."""

from collections.abc import Sequence

from bot.domain.approvals import Outcome, Prompt
from bot.domain.jobs import Job, Transition
from bot.domain.text import code, cut, escape
from handlers.ids import Action, action_id
from handlers.views import blocks
from handlers.views.blocks import Message
from handlers.views.words import PHRASES, because, by, sign, when

PAGE = 10


def job_line(job: Job) -> str:
    """One job in a list."""
    progress = job.look.status.progress if job.look.status else None
    share = f" {progress:.0f} %" if progress is not None and not job.has_ended else ""
    return (
        f"{sign(job.state)} {code(job.id)} *{escape(job.request.provider)}* {code(cut(job.request.model, 80))}: "
        f"{PHRASES[job.state]}{share}, <@{job.request.actor.user}>, {when(job.created_at)}"
    )


def alive(jobs: Sequence[Job]) -> Message:
    """The answer to `/status`."""
    if not jobs:
        return blocks.say_text("No training is alive in this channel. `/train help` shows how to start one.")
    shown = [blocks.section(f"*Alive in this channel: {len(jobs)}*"), *(blocks.section(job_line(job)) for job in jobs)]
    return blocks.message(f"{len(jobs)} trainings are alive in this channel.", shown)


def page(jobs: Sequence[Job], *, query: str, number: int, has_more: bool) -> Message:
    """One page of `/jobs`; `query` is what was typed, so that the next page asks the same."""
    if not jobs:
        return blocks.say_text("No training fits. `/jobs all` lists every one, newest first.")
    shown = [blocks.section(f"*Trainings, newest first* (page {number + 1})")]
    shown += [blocks.section(job_line(job)) for job in jobs]
    turns = [("Newer", number - 1)] if number else []
    turns += [("Older", number + 1)] if has_more else []
    if turns:
        elements = [
            blocks.button(label, action_id(Action.JOBS_PAGE, str(to)), f"{to}|{cut(query, 1500)}")
            for label, to in turns
        ]
        shown.append(blocks.buttons(elements))
    return blocks.message(f"{len(jobs)} trainings", shown)


def story(job: Job, transitions: Sequence[Transition], prompts: Sequence[Prompt], title: str) -> Message:
    """Everything that is kept of one job: its moves, its data, who decided what."""
    heading = f"{sign(job.state)} *{title} {code(job.request.model)}*: {PHRASES[job.state]}"
    facts = [f"Asked by <@{job.request.actor.user}>, {when(job.created_at)}, training {code(job.id)}"]
    facts += [f"{escape(label)}: {escape(cut(value, 300))}" for label, value in (job.plan.summary if job.plan else ())]
    if job.plan and job.plan.payload:
        payload = job.plan.payload
        facts.append(f"Data: {code(payload.name)}, {payload.rows:,} rows, SHA-256 {code(payload.sha256)}")
    if job.remote_id:
        facts.append(f"At the service: {code(job.remote_id)}")
    if job.look.error:
        facts.append(escape(job.look.error))
    moves = [f"{when(one.at)} *{PHRASES[one.new]}*{by(one)}.{because(one)}" for one in transitions]
    shown = [blocks.section(heading), blocks.section("\n".join(facts)), *(blocks.section(move) for move in moves)]
    shown += [blocks.section(_decision(prompt)) for prompt in prompts if prompt.outcome is Outcome.ANSWERED]
    return blocks.message(f"{title} {job.request.model}: {PHRASES[job.state]}", shown)


def _decision(prompt: Prompt) -> str:
    who = f"<@{prompt.actor.user}>" if prompt.actor else "somebody"
    answer = prompt.answer.value.replace("_", " ") if prompt.answer else ""
    reason = f": {escape(prompt.reason)}" if prompt.reason else ""
    return f"Asked “{prompt.subject.value.replace('_', ' ')}”, {who} answered *{answer}*{reason}"
