"""The words for states, one meaning each: accepted, trained, approved, applied and live are never mixed up."""

from collections.abc import Mapping
from types import MappingProxyType

from bot.domain.approvals import WITHDRAWN
from bot.domain.contents import Names
from bot.domain.jobs import Job, JobState, Transition
from bot.domain.requests import Actor
from bot.domain.text import code, cut, in_one_line
from bot.sentences import _, language_spoken, speak
from handlers.marks import foreign

NOBODY: Names = MappingProxyType({})

PHRASES: Mapping[JobState, str] = {
    JobState.CHECKING: _("being checked, nothing is sent yet"),
    JobState.PROPOSED: _("waiting for an approval of the start"),
    JobState.APPROVED: _("ready to start"),
    JobState.STARTING: _("starting"),
    JobState.UNSURE: _("unclear whether it started"),
    JobState.QUEUED: _("accepted"),
    # NOTE: The state of a training that runs; also the label of a duration, "training 3 min".
    JobState.RUNNING: _("training"),
    JobState.CANCELLING: _("being cancelled"),
    JobState.OFFERED: _("trained, waiting for a decision on the switch"),
    JobState.PROMOTING: _("approved, applying the switch"),
    JobState.UNSURE_SWITCH: _("unclear whether the switch was applied"),
    JobState.DONE: _("trained"),
    JobState.PROMOTED: _("applied"),
    JobState.LIVE: _("live"),
    JobState.REJECTED: _("rejected"),
    JobState.EXPIRED: _("expired"),
    JobState.FAILED: _("failed"),
    JobState.CANCELLED: _("cancelled"),
    JobState.LOST: _("no longer known"),
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
    if move.reason == WITHDRAWN:
        return _brought(_("withdrawn"), move)
    reason = foreign(speak(move.reason).strip(), most)
    told = _brought(PHRASES[move.new], move)
    return f"{ended(told)} {ended(capital(reason))}" if reason else told


def _brought(state: str, move: Transition) -> str:
    if not move.old or not move.actor.user:
        return f"*{state}*"
    return speak(_("*{state}* by {who}", state=state, who=person(move.actor)))


def ended(text: str) -> str:
    """The text with the full stop of its language, where nothing else ends it."""
    said = speak(text)
    # NOTE: only the full stop with which a sentence ends
    return said if said.endswith(_ENDS) else speak(_("{sentence}.", sentence=said))


_ENDS = (".", "!", "?", "…", "。", "！", "？")


def capital(text: str) -> str:
    """The text with a capital at its beginning, as its language writes it: in Turkish that of i keeps its dot."""
    said, language = speak(text), language_spoken()
    is_turkish = language is not None and language.code == "tr" and said != text
    first = "İ" if is_turkish and said.startswith("i") else said[:1].upper()
    return f"{first}{said[1:]}"


def numeral(value: float, spec: str) -> str:
    """A number, formatted by `spec`, as the language of the moment writes it."""
    text, language = format(value, spec), language_spoken()
    return text if language is None else language.number(text)


def typed(query: str) -> str:
    """The command that asks for the same again."""
    return code(cut(f"/jobs {query}".strip(), 200))
