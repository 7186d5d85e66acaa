"""A question that nobody answers is asked for again, with growing pauses, and after a time of a second group too."""

from dataclasses import replace
from datetime import datetime

from bot.domain.approvals import GATES, Prompt
from bot.ports import Deps
from bot.usecases.moves import amend, is_moot, remind
from bot.usecases.prompting import next_reminder


async def remind_due(deps: Deps) -> None:
    """Tick: remind of open gates, outside of their quiet hours. What was missed while nothing ran is told once."""
    now = deps.now()
    for prompt in await deps.store.open_prompts():
        quiet = prompt.rule.quiet
        if prompt.subject not in GATES or _is_over(prompt, now) or (quiet and quiet.holds(now)):
            continue
        if _is_due(prompt.second_at(), now) and prompt.escalated_at is None:
            await _write(deps, _escalated(prompt, now), "second", {"is_second": True})
        elif _is_due(prompt.remind_at, now):
            await _write(deps, _reminded(prompt, now), f"reminder:{prompt.reminders + 1}", {})


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


async def _write(deps: Deps, prompt: Prompt, key: str, body: dict[str, bool]) -> None:
    job = await deps.store.job(prompt.job_id)
    if job is None or is_moot(prompt, job.state):
        return
    await deps.store.amend(amend(deps, prompt, notices=[remind(deps, prompt, key, body)]))
    deps.nudge("deliver")
