"""`/jobs follow …`, `unfollow`, `mute`, `unmute`, `quiet`: who is told what, and when nobody is called."""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from difflib import get_close_matches

from bot.domain.attention import About, Topic
from bot.domain.changes import Say
from bot.domain.explaining import DAYS as NAMES
from bot.domain.policy import DAYS, Quiet
from bot.errors import UsageError
from bot.ports import Deps
from bot.sentences import _
from bot.usecases import following
from handlers.grammar import Word, duration, given_twice, is_job_id, nearest, one_too_many, shown, with_usage
from handlers.payloads import CommandPayload
from handlers.views import wishes
from handlers.views.blocks import Message

FOLLOW = "`/jobs follow PROVIDER [MODEL] [all|ends|failures|approvals] [here|me]`"
UNFOLLOW = "`/jobs unfollow PROVIDER|all [MODEL] [all|ends|failures|approvals] [here|me]`"
MUTE = "`/jobs mute JOB|PROVIDER|all [MODEL] [for=8h]`"
UNMUTE = "`/jobs unmute [JOB|PROVIDER|all] [MODEL]`"
QUIET = _("`/jobs quiet 22:00-07:00 [sat,sun]`, or `/jobs quiet off`")

LONGEST_MUTE = timedelta(days=366)
MOST_PATTERN = 200
EACH = "all"
"""Stands for every service."""
_SHORT_DAYS = {name.casefold(): short for name, short in zip(NAMES, DAYS, strict=True)}
_HOURS = re.compile(r"([01]?[0-9]|2[0-3])(?::([0-5][0-9]))?[-–—]([01]?[0-9]|2[0-3])(?::([0-5][0-9]))?")
_PLACES = ("here", "me")
_CLOSE = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What the words after a verb name. `topic` and `is_here` are None where nothing was said."""

    about: About
    topic: Topic | None = None
    is_here: bool | None = None


async def answer(deps: Deps, payload: CommandPayload, verb: str, words: Sequence[Word]) -> Say | Message:
    """What one of VERBS answers. Raises UsageError."""
    return await VERBS[verb](deps, payload, words)


async def _follow(deps: Deps, payload: CommandPayload, words: Sequence[Word]) -> Say | Message:
    if not words:
        place = payload.channel_id if is_channel(payload.channel_id) else ""
        return wishes.listed(await following.wishes_of(deps, payload.actor, place))
    meant = read_meant(words, _names(deps), FOLLOW)
    target = _target(payload, meant.is_here)
    return await following.follow(deps, payload.actor, target, meant.about, meant.topic or Topic.ENDS)


async def _unfollow(deps: Deps, payload: CommandPayload, words: Sequence[Word]) -> Say:
    if not words:
        raise UsageError(with_usage(_("What is no longer to be told?"), UNFOLLOW))
    meant = read_meant(words, _names(deps), UNFOLLOW)
    target = _target(payload, meant.is_here)
    return await following.unfollow(deps, payload.actor, target, meant.about, meant.topic)


async def _mute(deps: Deps, payload: CommandPayload, words: Sequence[Word]) -> Say:
    rest, lasts = take_lasting(words)
    if not rest:
        raise UsageError(with_usage(_("What is to be muted?"), MUTE))
    job_id, about = read_muted(rest, _names(deps), MUTE)
    return await following.mute(deps, payload.actor, job_id=job_id, about=about, lasts=lasts)


async def _unmute(deps: Deps, payload: CommandPayload, words: Sequence[Word]) -> Say:
    if not words:
        return await following.unmute(deps, payload.actor)
    job_id, about = read_muted(words, _names(deps), UNMUTE)
    return await following.unmute(deps, payload.actor, job_id=job_id, about=None if about == About() else about)


async def _quiet(deps: Deps, payload: CommandPayload, words: Sequence[Word]) -> Say:
    is_off = [word.whole().casefold() for word in words] == ["off"]
    return await following.keep_quiet(deps, payload.actor, None if is_off else read_quiet(words))


VERBS: Mapping[str, Callable[[Deps, CommandPayload, Sequence[Word]], Awaitable[Say | Message]]] = {
    "follow": _follow,
    "unfollow": _unfollow,
    "mute": _mute,
    "unmute": _unmute,
    "quiet": _quiet,
}


def _names(deps: Deps) -> Sequence[str]:
    return deps.providers.names


def is_channel(place: str) -> bool:
    """Is it a channel, public or private, rather than a direct message?"""
    return place.startswith(("C", "G"))


def _target(payload: CommandPayload, is_here: bool | None) -> str:
    """A member who types in a channel may have it told there; the usual is the own direct message."""
    if not is_here:
        return payload.user_id
    if not is_channel(payload.channel_id):
        raise UsageError(_("`here` is a direct message: leave it out, or type this in a channel."), word="here")
    return payload.channel_id


# -- reading ----------------------------------------------------------------------------------------------------------


def read_meant(words: Sequence[Word], providers: Collection[str], usage: str) -> Meant:
    """PROVIDER [MODEL] [TOPIC] [here|me]. Raises UsageError that names the word and the nearest right one."""
    topics = {topic.value: topic for topic in Topic}
    found: dict[str, str] = {"provider": _provider(words[0], providers, usage)}
    for word in words[1:]:
        name, text = _kind(word, topics)
        if name in found:
            raise given_twice(name) if word.name else one_too_many(word.text, usage)
        found[name] = text
    topic, place = found.get("topic"), found.get("place")
    about = About(provider=found["provider"], model=found.get("model", ""))
    return Meant(about=about, topic=topics[topic] if topic else None, is_here=place == "here" if place else None)


def _kind(word: Word, topics: Collection[str]) -> tuple[str, str]:
    key = word.text.casefold()
    if word.name:
        if word.name != "model":
            raise UsageError(_("`{option}=` is not known here: `model=` is.", option=shown(word.name)), word=word.name)
        return "model", read_pattern(word.text)
    if key in topics:
        return "topic", key
    if key in _PLACES:
        return "place", key
    near = get_close_matches(key, [*topics, *_PLACES], n=1, cutoff=_CLOSE)
    if near:
        sentence = _(
            "`{word}` is nearly a word of this command; a model of that name is `model={word}`.", word=shown(word.text)
        )
        raise UsageError(sentence, word=word.text, suggestion=near[0])
    return "model", read_pattern(word.text)


def read_pattern(text: str) -> str:
    """A pattern for models. Raises UsageError."""
    if not text.strip() or len(text) > MOST_PATTERN:
        raise UsageError(_("A model's name has 1 to {most} characters.", most=MOST_PATTERN), word=text)
    return text.strip()


def _provider(word: Word, providers: Collection[str], usage: str) -> str:
    key = word.whole().casefold()
    if key == EACH:
        return ""
    if key in providers:
        return key
    raise UsageError(
        with_usage(_("`{word}` is no service here.", word=shown(word.whole())), usage),
        word=word.whole(),
        suggestion=nearest(key, [*providers, EACH]),
    )


def take_lasting(words: Sequence[Word]) -> tuple[list[Word], timedelta]:
    """The words besides `for=8h`, and how long that is. Raises UsageError."""
    said = [word for word in words if word.name == "for"]
    if len(said) > 1:
        raise given_twice("for")
    lasts = duration(said[0].text, "for") if said else following.MUTED_FOR
    if not timedelta() < lasts <= LONGEST_MUTE:
        problem = _("`for={word}` is not between an hour and a year.", word=shown(said[0].text))
        raise UsageError(problem, word=said[0].text)
    return [word for word in words if word.name != "for"], lasts


def read_muted(words: Sequence[Word], providers: Collection[str], usage: str) -> tuple[str, About]:
    """A job's id, or which trainings. Raises UsageError."""
    first = words[0].whole().casefold()
    if is_job_id(first):
        if len(words) > 1:
            raise one_too_many(words[1].text, usage)
        return first, About()
    provider = _provider(words[0], providers, usage)
    if len(words) > 2:
        raise one_too_many(words[2].text, usage)
    model = read_pattern(words[1].text if words[1].name == "model" else words[1].whole()) if len(words) > 1 else ""
    return "", About(provider=provider, model=model)


def read_quiet(words: Sequence[Word]) -> Quiet:
    """`22:00-07:00`, days that are quiet as a whole, or both. Raises UsageError."""
    hours: list[Quiet] = []
    days: set[int] = set()
    for word in words:
        found = _HOURS.fullmatch(word.whole())
        if found and not hours:
            begins, ends = _clock(found.group(1), found.group(2)), _clock(found.group(3), found.group(4))
            hours.append(Quiet(begins=begins, ends=ends))
        else:
            days |= _days(word)
    return as_quiet(hours[0] if hours else None, days)


def as_quiet(hours: Quiet | None, days: Collection[int]) -> Quiet:
    """Hours and whole days together. Raises UsageError where that is never, or always."""
    if hours is not None and hours.begins == hours.ends:
        raise UsageError(_("These hours end when they begin: give two different times, as in 22:00 and 07:00."))
    if len(days) == len(DAYS):
        raise UsageError(
            _("Every day would be quiet, so nothing would ever be told: `/jobs mute all` does that for a while.")
        )
    if hours is None and not days:
        raise UsageError(_("When is it to be quiet? It goes: {usage}. `/jobs follow` says what holds.", usage=QUIET))
    midnight = time(0)
    return Quiet(
        begins=hours.begins if hours else midnight, ends=hours.ends if hours else midnight, days=tuple(sorted(days))
    )


def _clock(hour: str, minute: str | None) -> time:
    return time(int(hour), int(minute or 0))


def _days(word: Word) -> set[int]:
    named = [_SHORT_DAYS.get(day.strip(), day.strip()) for day in word.text.casefold().split(",")]
    wrong = next((day for day in named if day not in DAYS), None)
    if wrong is not None or word.name not in ("", "days"):
        raise UsageError(
            with_usage(_("`{word}` is neither hours nor days.", word=shown(word.whole())), QUIET),
            word=word.whole(),
            suggestion=nearest(wrong or "", DAYS) if len(named) == 1 else "",
        )
    return {DAYS.index(day) for day in named}
