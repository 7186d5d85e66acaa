"""The words for states, one meaning each: accepted, trained, approved, applied and live are never mixed up."""

from collections.abc import Mapping
from types import MappingProxyType

from bot.domain.approvals import WITHDRAWN
from bot.domain.contents import Names
from bot.domain.jobs import Job, JobState, Transition
from bot.domain.requests import Actor
from bot.domain.text import code, cut, in_one_line
from handlers.marks import foreign

NOBODY: Names = MappingProxyType({})

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


def verbatim(text: str, most: int = 80) -> str:
    """A word from outside, as code."""
    return code(cut(in_one_line(text), most))


def named(title: str, job: Job) -> str:
    """A training as people name it."""
    return f"{title} {verbatim(job.request.model)}"


def person(actor: Actor, names: Names = NOBODY) -> str:
    """Somebody, in Slack's markup; by name where `names` says that they are not to be mentioned."""
    return called_one(actor.user, names) if actor.user else "Switchyard"


def called_one(user: str, names: Names = NOBODY) -> str:
    return f"*{foreign(names[user], 80)}*" if user in names else f"<@{user}>"


def moved(move: Transition, most: int = 800) -> str:
    """One move: the new state, who brought it about, and the reason of at most so many characters."""
    who = f" by {person(move.actor)}" if move.old and move.actor.user else ""
    if move.reason == WITHDRAWN:
        return f"*withdrawn*{who}"
    reason = foreign(move.reason.strip(), most)
    return f"*{PHRASES[move.new]}*{who}{f'. {_as_sentence(reason)}' if reason else ''}"


def _as_sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?', '…')) else '.'}"


def typed(query: str) -> str:
    """The command that asks for the same again."""
    return code(cut(f"/jobs {query}".strip(), 200))
