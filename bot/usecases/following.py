"""Who wants to be told what: wishes are kept, listed and taken back. Nothing here waits for a network."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain.attention import MOST_FOLLOWS, MOST_MUTES, About, Follow, Habits, Mute, Topic, Wishes, is_person
from bot.domain.changes import Say
from bot.domain.explaining import say_days
from bot.domain.policy import Quiet
from bot.domain.requests import Actor
from bot.domain.text import code, each_of, when
from bot.errors import RefusedError
from bot.ports import Deps
from bot.sentences import _, joined

EVERYTHING = About()
MUTED_FOR = timedelta(days=1)
"""How long a mute holds where nothing else is said."""


def say_about(about: About) -> str:
    """Which trainings, as part of a sentence."""
    service, model = code(about.provider), code(about.model)
    if about.provider and about.model:
        # NOTE: stands in sentences such as "You are told the ends of the trainings at …" and "… called about …"
        return _("the trainings at {service} whose model fits {model}", service=service, model=model)
    if about.provider:
        return _("the trainings at {service}", service=service)
    return _("the trainings whose model fits {model}", model=model) if about.model else _("all trainings")


def say_follow(wish: Follow) -> str:
    news = _say_wish(wish)
    if is_person(wish.target):
        return _("You are told {news}", news=news)
    return _("{channel} is told {news}", channel=f"<#{wish.target}>", news=news)


def _say_wish(wish: Follow) -> str:
    trainings = say_about(wish.about)
    match wish.topic:
        case Topic.ENDS:
            # NOTE: stands in "You are told …" and "You are no longer told …"; so do the three that follow
            return _("the ends of {trainings}", trainings=trainings)
        case Topic.FAILURES:
            return _("the failures of {trainings}", trainings=trainings)
        case Topic.APPROVALS:
            return _("the approvals that are asked for about {trainings}", trainings=trainings)
        case _all:
            return _("everything that comes of {trainings}", trainings=trainings)


def say_muted(mute: Mute) -> str:
    if mute.job_id:
        # NOTE: stands in "you are not called about …" and in "Muted until …: …"
        return _("training {job}", job=code(mute.job_id))
    return _("any training") if mute.about == EVERYTHING else say_about(mute.about)


def say_quiet(quiet: Quiet, zone: str) -> str:
    """When it is quiet, and by whose clock."""
    hours = _quiet_hours(quiet)
    if zone:
        return _("{hours} ({zone}, the time zone of your Slack profile)", hours=hours, zone=zone)
    return _("{hours} in the time zone of your Slack profile", hours=hours)


def _quiet_hours(quiet: Quiet) -> str:
    begins, ends, days = f"{quiet.begins:%H:%M}", f"{quiet.ends:%H:%M}", say_days(quiet.days)
    if begins == ends:
        # NOTE: when it is quiet: "the whole of Saturday, Sunday (Europe/Istanbul, the time zone of …)"
        return _("the whole of {days}", days=days)
    if quiet.days:
        return _("from {begins} to {ends} and the whole of {days}", begins=begins, ends=ends, days=days)
    return _("from {begins} to {ends}", begins=begins, ends=ends)


# -- following --------------------------------------------------------------------------------------------------------


async def follow(deps: Deps, actor: Actor, target: str, about: About, topic: Topic) -> Say:
    """Keep the wish of a person for themselves, or for the channel in which they asked."""
    wish = Follow(
        id=deps.new_id(), team=actor.team, target=target, about=about, topic=topic, by=actor.user, at=deps.now()
    )
    if not await deps.store.follow(wish, MOST_FOLLOWS):
        raise RefusedError(_say_full(target))
    await deps.store.draw_homes(deps.now())
    deps.nudge("deliver")
    # NOTE: a sentence, "You are told … the trainings …", and its full stop
    told = _("{followed}.", followed=say_follow(wish))
    return Say(text=joined(" ", [told, _WHERE if is_person(target) else _WHERE_HERE, _SHOWN]))


_WHERE = _("That comes in your direct message with Switchyard.")
_WHERE_HERE = _("That is posted where Switchyard is a member: if it is not one here, type `/invite @switchyard`.")
_SHOWN = _("Only trainings in public channels are told of elsewhere.")


def _say_full(target: str) -> str:
    if is_person(target):
        has = _("You have {count} such wishes already, so nothing was added.", count=MOST_FOLLOWS)
    else:
        has = _("This channel has {count} such wishes already, so nothing was added.", count=MOST_FOLLOWS)
    return joined(" ", [has, _("`/jobs follow` lists them.")])


async def unfollow(deps: Deps, actor: Actor, target: str, about: About, topic: Topic | None) -> Say:
    """Take back what is named: all of a service where no model is, of every one where none is, of each topic."""
    known = await deps.store.follows(actor.team, target=target)
    meant = [one for one in known if _is_named(one.about, about) and topic in (None, one.topic)]
    if not meant:
        raise RefusedError(_("Nothing like that is followed here. `/jobs follow` lists what is."))
    return await _take_back(deps, meant)


def _is_named(about: About, named: About) -> bool:
    """What is left open in `named` stands for everything; a pattern is compared as it is written, without case."""
    is_there = named.provider in ("", about.provider)
    return is_there and named.model.casefold() in ("", about.model.casefold())


async def _take_back(deps: Deps, meant: Sequence[Follow]) -> Say:
    await deps.store.unfollow([one.id for one in meant])
    await deps.store.draw_homes(deps.now())
    deps.nudge("deliver")
    news = joined("; ", map(_say_wish, meant))
    if is_person(meant[0].target):
        return Say(text=_("You are no longer told {news}.", news=news))
    return Say(text=_("{channel} is no longer told {news}.", channel=f"<#{meant[0].target}>", news=news))


async def stop(deps: Deps, id_: str, actor: Actor, place: str = "") -> Say:
    """Take one wish back, or one mute: a person's own, what they asked for, or one of the channel in which they are."""
    wishes = await wishes_of(deps, actor, place)
    if id_ in {mute.id for mute in wishes.habits.mutes}:
        return await _unmute(deps, actor, lambda mute: mute.id == id_)
    meant = [one for one in wishes.follows if one.id == id_]
    if not meant:
        raise RefusedError(_("That is not there any more, so nothing was changed."))
    return await _take_back(deps, meant)


async def wishes_of(deps: Deps, actor: Actor, place: str = "") -> Wishes:
    """All that somebody wished for; with a `place`, what that channel follows instead of what they asked for in any."""
    follows = await deps.store.follows(actor.team, target=actor.user, by="" if place else actor.user)
    follows += await deps.store.follows(actor.team, target=place) if place else []
    habits = (await deps.store.habits([actor.user])).get(actor.user, Habits(user=actor.user))
    person = await deps.store.person(actor.user)
    return Wishes(follows=tuple(follows), habits=habits.at_work(deps.now()), zone=person.zone if person else "")


# -- muting -----------------------------------------------------------------------------------------------------------


async def mute(
    deps: Deps, actor: Actor, *, job_id: str = "", about: About = EVERYTHING, lasts: timedelta = MUTED_FOR
) -> Say:
    """Nobody calls this person about that for a while."""
    if job_id:
        await _require(deps, actor, job_id)
    habits = await _habits(deps, actor)
    now = deps.now()
    added = Mute(id=deps.new_id(), since=now, until=now + lasts, job_id=job_id, about=about)
    others = [one for one in habits.mutes if (one.job_id, one.about) != (job_id, about)]
    if len(others) >= MOST_MUTES:
        full = _("{count} mutes are the most that can hold at once, so nothing was added.", count=MOST_MUTES)
        raise RefusedError(full)
    await _keep(deps, replace(habits, mutes=(*others, added)))
    return Say(
        text=_(
            "Until {time} you are not called about {what}: ends and questions give your name instead of a mention, "
            "and nothing of it comes in your direct message.",
            time=when(added.until),
            what=say_muted(added),
        )
    )


async def unmute(deps: Deps, actor: Actor, *, job_id: str = "", about: About | None = None) -> Say:
    """Take mutes back: that of a job, those of what is named, or all."""
    if job_id:
        return await _unmute(deps, actor, lambda one: one.job_id == job_id)
    return await _unmute(deps, actor, lambda one: about is None or (not one.job_id and one.about == about))


async def _unmute(deps: Deps, actor: Actor, is_meant: Callable[[Mute], bool]) -> Say:
    habits = await _habits(deps, actor)
    meant = [one for one in habits.mutes if is_meant(one)]
    if not meant:
        raise RefusedError(_("Nothing like that is muted. `/jobs follow` lists what is."))
    await _keep(deps, replace(habits, mutes=tuple(one for one in habits.mutes if one not in meant)))
    return Say(text=_("You are called again about {what}.", what=each_of(map(say_muted, meant))))


async def _require(deps: Deps, actor: Actor, job_id: str) -> None:
    job = await deps.store.job(job_id)
    if job is None or job.request.actor.team != actor.team:
        raise RefusedError(_("There is no training {job} here. `/jobs` lists them.", job=code(job_id)))


# -- quiet hours ------------------------------------------------------------------------------------------------------


async def keep_quiet(deps: Deps, actor: Actor, quiet: Quiet | None) -> Say:
    """Set the hours in which this person is not called, or take them back."""
    former = await _habits(deps, actor)
    await _keep(deps, replace(former, quiet=quiet))
    deps.nudge("digest")
    if quiet is None:
        return Say(text=_OFF if former.quiet else _("You have no quiet hours, so nothing was changed."))
    person = await deps.store.person(actor.user)
    hours = say_quiet(quiet, person.zone if person else "")
    return Say(text=_("Quiet hours: {hours}. What comes in them is told afterwards, in one message.", hours=hours))


_OFF = _("You have no quiet hours any more. What they held, if anything, comes now in one message.")


async def _habits(deps: Deps, actor: Actor) -> Habits:
    found = await deps.store.habits([actor.user])
    return found.get(actor.user, Habits(user=actor.user)).at_work(deps.now())


async def _keep(deps: Deps, habits: Habits) -> None:
    await deps.store.keep_habits(habits)
    await deps.store.draw_homes(deps.now())
    deps.nudge("deliver")
