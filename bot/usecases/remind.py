"""A question that nobody answers is asked for again, with growing pauses, and after a time of a second group too."""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bot.domain.approvals import GATES, Prompt
from bot.domain.changes import OVERTAKEN, Notice
from bot.domain.jobs import Job
from bot.domain.requests import Json
from bot.domain.text import code
from bot.ports import Deps
from bot.sentences import _
from bot.usecases.moves import amend, is_moot, prompt_key, remind, tell_channel
from bot.usecases.place import USE_DM
from bot.usecases.prompting import next_reminder

log = structlog.get_logger()
SECOND = "second"
UNSEEN_AFTER = timedelta(minutes=2)
"""A conversation that has not taken a question for so long may not take it at all."""
_LOST_AFTER = timedelta(hours=1)
"""What waits to be sent has a later time for its next attempt; an alarm that old was refused."""


def reminder(number: int) -> str:
    return f"reminder:{number}"


async def remind_due(deps: Deps) -> None:
    """Tick: remind of open gates, outside of their quiet hours. What was missed while nothing ran is told once."""
    now = deps.now()
    for prompt in await deps.store.open_prompts():
        if deps.alarm_channel and now - prompt.asked_at >= UNSEEN_AFTER:
            await _alarm_if_unseen(deps, prompt)
        quiet = prompt.rule.quiet
        if prompt.subject not in GATES or _is_over(prompt, now) or (quiet and quiet.holds(now)):
            continue
        if _is_due(prompt.second_at(), now) and prompt.escalated_at is None:
            await _write(deps, _escalated(prompt, now), SECOND, {"is_second": True})
        elif _is_due(prompt.remind_at, now):
            number = prompt.reminders + 1
            await _write(deps, _reminded(prompt, now), reminder(number), {"number": number})


async def _alarm_if_unseen(deps: Deps, prompt: Prompt) -> None:
    """A question that its conversation does not take is told in the alarm channel: once, where that takes it."""
    untold = await _untold(deps, prompt)
    job = await deps.store.job(prompt.job_id)
    if untold is None or job is None or is_moot(prompt, job.state):
        return
    key = await _alarm_key(deps, prompt)
    if key is None:
        return
    log.warning("a question cannot be seen", prompt=prompt.id, job=job.id, error=untold.error)
    await deps.store.tell([tell_channel(deps, deps.alarm_channel, _say_unseen(job), key=key)])
    deps.nudge("deliver")


async def _alarm_key(deps: Deps, prompt: Prompt) -> str | None:
    """The key of the alarm that is due, None where it was raised. One that found no place is tried again each day."""
    first, today = f"unseen:{prompt.id}", f"unseen:{prompt.id}:{deps.now():%Y-%m-%d}"
    raised = await deps.store.notice(first)
    if raised is None:
        return first
    is_lost = not raised.sent_ts and deps.now() - raised.try_at >= _LOST_AFTER
    return today if is_lost and await deps.store.notice(today) is None else None


async def _untold(deps: Deps, prompt: Prompt) -> Notice | None:
    """What is not in the conversation of a question: itself, or the last that was to be told of it, where that has
    been archived since, or the bot was removed."""
    posted = await deps.store.notice(prompt_key(prompt.id))
    if posted is None or not posted.sent_ts:
        return posted
    lines = [SECOND] if prompt.escalated_at else []
    lines += [reminder(prompt.reminders)] if prompt.reminders else []
    told = [await deps.store.notice(f"{prompt_key(prompt.id)}:{line}") for line in lines]
    return next((one for one in told if one is not None and _waits(one, deps.now())), None)


def _waits(line: Notice, now: datetime) -> bool:
    """It is held itself, or since long behind what is."""
    return not line.sent_ts and line.error != OVERTAKEN and now - line.try_at >= UNSEEN_AFTER


def _say_unseen(job: Job) -> str:
    if job.place.startswith(("C", "G")):
        return _(
            "Training {job} waits for an answer, and nobody sees the question: Slack does not take it in {channel}. "
            "Invite @switchyard there, or have the requester press *{button}*.",
            job=code(job.id),
            channel=f"<#{job.place}>",
            button=USE_DM,
        )
    return _(
        "Training {job} waits for an answer, and nobody sees the question: Slack does not take it in a direct "
        "message. Invite @switchyard there, or have the requester press *{button}*.",
        job=code(job.id),
        button=USE_DM,
    )


def _is_over(prompt: Prompt, now: datetime) -> bool:
    return _is_due(prompt.expires_at, now)


def _is_due(at: datetime | None, now: datetime) -> bool:
    return at is not None and now >= at


def _reminded(prompt: Prompt, now: datetime) -> Prompt:
    sent = prompt.reminders + 1
    return replace(prompt, reminders=sent, remind_at=next_reminder(prompt.rule, sent, now), version=prompt.version + 1)


def _escalated(prompt: Prompt, now: datetime) -> Prompt:
    """The line that calls the second group reminds the first one too."""
    remind_at = next_reminder(prompt.rule, prompt.reminders, now)
    return replace(prompt, escalated_at=now, remind_at=remind_at, version=prompt.version + 1)


async def _write(deps: Deps, prompt: Prompt, key: str, body: dict[str, Json]) -> None:
    job = await deps.store.job(prompt.job_id)
    if job is None or is_moot(prompt, job.state):
        return
    await deps.store.amend(amend(deps, prompt, notices=[remind(deps, prompt, key, body)]))
    deps.nudge("deliver")
