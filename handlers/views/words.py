"""The words for states, one meaning each: accepted, trained, approved, applied and live are never mixed up."""

from collections.abc import Mapping
from datetime import datetime

from bot.domain.jobs import Job, JobState, Transition
from bot.domain.text import code, escape

PHRASES: Mapping[JobState, str] = {
    JobState.CHECKING: "being checked, nothing is sent yet",
    JobState.PROPOSED: "waiting for an approval of the start",
    JobState.APPROVED: "ready to start",
    JobState.STARTING: "starting",
    JobState.UNSURE: "unclear whether it started",
    JobState.QUEUED: "accepted",
    JobState.RUNNING: "training",
    JobState.CANCELLING: "being cancelled",
    JobState.OFFERED: "trained, waiting for a decision on the switch",
    JobState.PROMOTING: "approved, applying the switch",
    JobState.UNSURE_SWITCH: "unclear whether the switch was applied",
    JobState.DONE: "trained",
    JobState.PROMOTED: "applied",
    JobState.LIVE: "live",
    JobState.REJECTED: "rejected",
    JobState.EXPIRED: "expired",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
    JobState.LOST: "no longer known",
}

SIGNS: Mapping[JobState, str] = {
    JobState.UNSURE: ":grey_question:",
    JobState.UNSURE_SWITCH: ":grey_question:",
    JobState.PROPOSED: ":raised_hand:",
    JobState.OFFERED: ":raised_hand:",
    JobState.DONE: ":white_check_mark:",
    JobState.PROMOTED: ":white_check_mark:",
    JobState.LIVE: ":large_green_circle:",
    JobState.FAILED: ":x:",
    JobState.REJECTED: ":no_entry_sign:",
    JobState.CANCELLED: ":black_square_for_stop:",
    JobState.EXPIRED: ":hourglass:",
    JobState.LOST: ":grey_question:",
}
"""A sign beside the words, never instead of them."""


def sign(state: JobState) -> str:
    return SIGNS.get(state, ":hourglass_flowing_sand:")


def named(title: str, job: Job) -> str:
    """A training as people name it."""
    return f"{title} {code(job.request.model)}"


def by(transition: Transition) -> str:
    """Who did it, in Slack's markup; nothing for Switchyard itself."""
    return f" by <@{transition.actor.user}>" if transition.actor.user else ""


def because(transition: Transition) -> str:
    """The reason, as a sentence of its own."""
    reason = transition.reason.strip()
    if not reason:
        return ""
    return f" {escape(reason[:1].upper() + reason[1:])}{'' if reason.endswith(('.', '!', '?', '…')) else '.'}"


def when(at: datetime) -> str:
    """A time in the reader's own zone."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"
