"""Which language is spoken where: in a conversation the one that is configured, to one person alone that person's."""

from datetime import timedelta

import structlog

from bot.domain.attention import is_person
from bot.domain.changes import Notice, NoticeKind
from bot.domain.people import Person
from bot.errors import MessengerBusyError, StoreError
from bot.languages import LANGUAGES, language_called
from bot.ports import Deps
from bot.sentences import Language
from bot.usecases.people import GOOD_FOR, is_fresh, person_called

log = structlog.get_logger()
_SOON = timedelta(minutes=1)
"""Whoever chose another language in Slack sees it soon; no answer waits for it."""


async def language_of(deps: Deps, user: str, *, within: timedelta = GOOD_FOR) -> Language | None:
    """The language that somebody reads: the one of their locale in Slack, where it is one of ours."""
    try:
        person = await person_called(deps, user, within=within)
    except MessengerBusyError as error:
        log.info("it is not known what somebody reads", user=user, error=str(error))
        person = Person(id=user)
    return _language(deps, person)


async def language_known(deps: Deps, user: str) -> Language | None:
    """The same for whoever may wait for no network: until Slack has told, the language of all. It is asked beside."""
    try:
        person = await deps.store.person(user)
    except StoreError:
        return _language(deps, Person(id=user))
    if person is None or not is_fresh(deps, person, _SOON):
        deps.spawn(f"person:{user}", _read(deps, user))
    return _language(deps, person or Person(id=user))


async def _read(deps: Deps, user: str) -> None:
    await language_of(deps, user, within=_SOON)


def _language(deps: Deps, person: Person) -> Language | None:
    """Somebody with a locale that is none of ours reads the language of all."""
    code = person.locale.partition("-")[0].lower()
    return language_called(code if code in LANGUAGES else deps.tongues.default)


async def language_for(deps: Deps, notice: Notice) -> Language | None:
    """The language of whoever reads a message."""
    reader = notice.body.get("user") if notice.kind is NoticeKind.HOME else notice.body.get("reader")
    if isinstance(reader, str) and reader:
        return await language_of(deps, reader)
    job = await deps.store.job(notice.job_id) if notice.job_id else None
    place = job.place if job else notice.channel
    if is_person(place):
        return await language_of(deps, place)
    if job is not None and place.startswith("D"):
        return await language_of(deps, job.request.actor.user)
    return language_called(deps.tongues.channels.get(place, deps.tongues.default))
