"""What is told to whom beside the conversation of a training, decided at the moment at which it would go out.

The news lie in the outbox from the change on that brings them (see `storage.attention`). Who has quiet hours gets them
afterwards, in one digest; a training that not everybody in the workspace can see is told to nobody elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog

from bot.domain.approvals import Outcome, Prompt
from bot.domain.attention import Habits, News, called_by, is_person, news_of_move, news_of_question
from bot.domain.changes import Notice, NoticeKind
from bot.domain.contents import Digest, Names, Told
from bot.domain.jobs import Job, Transition
from bot.domain.people import Person
from bot.domain.requests import Json
from bot.errors import MessengerBusyError, MessengerError
from bot.ports import Deps
from bot.usecases.cards import about
from bot.usecases.moves import card_key, prompt_key
from bot.usecases.people import person_called

log = structlog.get_logger()
MOST_IN_A_DIGEST = 20
_SOON = 1.0


class Fate(StrEnum):
    """What becomes of news when they would go out."""

    TELL = "tell"
    KEEP = "keep"  # for the digest after quiet hours
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a notice is about, as of now."""

    job: Job
    news: News
    move: Transition | None = None
    prompt: Prompt | None = None

    @property
    def is_over(self) -> bool:
        """A question that somebody has answered is no news any more."""
        return self.prompt is not None and self.prompt.outcome is not Outcome.OPEN

    @property
    def passes(self) -> bool:
        """Does the policy let it through quiet hours?"""
        return self.prompt is not None and self.prompt.rule.pass_quiet


async def fate_of(deps: Deps, notice: Notice) -> Fate:
    """Whether news are told to whom they are for."""
    found = await _find(deps, notice.body)
    if found is None or found.is_over:
        return Fate.DROP
    if not is_person(notice.channel):
        return Fate.TELL if await _may_be_told(deps, notice.channel, found) else Fate.DROP
    return await _fate_for(deps, notice.channel, found)


async def _fate_for(deps: Deps, user: str, found: _Found) -> Fate:
    """A person who is mentioned where the training stands is told nothing besides, unless that was in quiet hours."""
    habits, person = await _known(deps, user)
    did_it = found.move is not None and found.move.actor.user == user
    if did_it or person.has_left or habits.is_muted(found.job, deps.now()):
        return Fate.DROP
    is_called = user in found.news.calls
    if not is_called and not await _follows(deps, user, person, found):
        return Fate.DROP
    is_quiet = habits.is_quiet(found.news.at if is_called else deps.now(), person.zone) and not found.passes
    if is_quiet:
        return Fate.KEEP
    return Fate.DROP if is_called else Fate.TELL


async def _follows(deps: Deps, user: str, person: Person, found: _Found) -> bool:
    """Guests see some channels alone, so they are told of none; of whom Slack tells nothing it is not known."""
    if person.read_at is None:
        log.warning("news are told to nobody of whom Slack tells nothing", user=user)
        return False
    if person.is_guest or await _is_called_in_a_group(deps, user, found):
        return False
    return await _may_be_told(deps, user, found)


async def _is_called_in_a_group(deps: Deps, user: str, found: _Found) -> bool:
    prompt = found.prompt
    groups = [id_ for id_ in prompt.rule.approvers if id_.startswith("S")] if prompt else []
    return any(user in group.members for group in (await deps.store.groups(groups)).values())


async def _may_be_told(deps: Deps, target: str, found: _Found) -> bool:
    """Is it followed still, is it not where the training stands, and may everybody in the workspace know of it?"""
    wishes = await deps.store.follows(found.news.team, target=target)
    if target not in found.news.targets(wishes):
        return False
    try:
        return await deps.messenger.is_public(found.job.place)
    except MessengerBusyError:
        raise
    except MessengerError:
        return False


async def _known(deps: Deps, user: str) -> tuple[Habits, Person]:
    habits = await deps.store.habits([user])
    return habits.get(user, Habits(user=user)), await person_called(deps, user)


async def _find(deps: Deps, body: Mapping[str, Json]) -> _Found | None:
    job = await deps.store.job(body["job"])
    if job is None:
        return None
    if "prompt" in body:
        prompt = await deps.store.prompt(body["prompt"])
        return _Found(job=job, news=news_of_question(job, prompt), prompt=prompt) if prompt else None
    moves = [one for one in await deps.store.transitions(job.id) if one.seq == body["seq"]]
    return _Found(job=job, news=news_of_move(job, moves[0]), move=moves[0]) if moves else None


async def news(deps: Deps, notice: Notice) -> Told | None:
    """What a notice tells; None where there is nothing to tell of any more."""
    found = await _find(deps, notice.body)
    return await _told(deps, found) if found else None


async def _told(deps: Deps, found: _Found) -> Told:
    title, _ = about(deps, found.job.request.provider)
    return Told(job=found.job, title=title, move=found.move, prompt=found.prompt, url=await _url(deps, found))


async def _url(deps: Deps, found: _Found) -> str:
    """The address of the question, or of the card; "" where it stands nowhere."""
    posted = await deps.store.notice(prompt_key(found.prompt.id) if found.prompt else card_key(found.job.id))
    if posted is None or posted.is_held or (posted.error and not posted.sent_ts):
        return ""
    if not posted.sent_ts:
        raise MessengerBusyError("What it leads to is not there yet.", retry_after=_SOON)
    try:
        return await deps.messenger.permalink(posted.sent_to, posted.sent_ts)
    except MessengerBusyError:
        raise
    except MessengerError:
        return ""


# -- quiet hours ------------------------------------------------------------------------------------------------------


async def digest_due(deps: Deps) -> None:
    """Tick: whose quiet hours are over is told in one message what came in them."""
    held: dict[str, list[Notice]] = {}
    for notice in await deps.store.kept_news():
        held.setdefault(notice.channel, []).append(notice)
    for user, kept in held.items():
        try:
            habits, person = await _known(deps, user)
        except MessengerBusyError as error:
            log.info("a digest waits", user=user, error=str(error))
            continue
        if not habits.is_quiet(deps.now(), person.zone):
            await deps.store.digest(_digest(deps, user, kept), kept)
            deps.nudge("deliver")


def _digest(deps: Deps, user: str, kept: Sequence[Notice]) -> Notice:
    id_ = deps.new_id()
    key, lane, body = f"digest:{kept[0].key}", f"news:{user}", {"news": [dict(one.body) for one in kept]}
    return Notice(id=id_, key=key, kind=NoticeKind.DIGEST, lane=lane, try_at=deps.now(), channel=user, body=body)


async def digest(deps: Deps, notice: Notice) -> Digest | None:
    """The last news of each training that still are some; None where none are."""
    user = notice.channel
    habits, person = await _known(deps, user)
    last: dict[str, _Found] = {}
    for body in notice.body["news"]:
        found = await _find(deps, body)
        if found is None or found.is_over or habits.is_muted(found.job, deps.now()):
            continue
        if user in found.news.calls or await _follows(deps, user, person, found):
            last[found.job.id] = found
    kept = list(last.values())
    told = [await _told(deps, found) for found in kept[:MOST_IN_A_DIGEST]]
    return Digest(told=tuple(told), more=len(kept) - len(told)) if told else None


# -- names instead of mentions ----------------------------------------------------------------------------------------


async def names_at(deps: Deps, job: Job, users: Iterable[str], at: datetime, *, passes: bool = False) -> Names:
    """Those of these people who are not to be called at that time, each with a name."""
    found = await deps.store.habits(list(users))
    people = {user: await person_called(deps, user) for user in found}
    return {
        user: people[user].name or user
        for user, habits in found.items()
        if habits.is_silent(job, at, people[user].zone, passes=passes)
    }


async def names_of_question(deps: Deps, job: Job, prompt: Prompt) -> Names:
    """As of the moment at which it was asked, so that no later edit mentions somebody."""
    return await names_at(deps, job, called_by(job, prompt), prompt.asked_at, passes=prompt.rule.pass_quiet)
