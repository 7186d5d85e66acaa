"""Who somebody is and where: read of Slack when it is needed, and kept for a day."""

from dataclasses import replace
from datetime import timedelta

from bot.domain.people import Person, is_zone
from bot.errors import MessengerBusyError, MessengerError
from bot.ports import Deps

GOOD_FOR = timedelta(hours=24)


async def person_called(deps: Deps, user: str, *, within: timedelta = GOOD_FOR) -> Person:
    """What is known of somebody, read anew where the copy is older than that.

    Where Slack does not tell, the copy counts however old it is. Without one, MessengerBusyError says when to ask
    again; where Slack refuses to tell, the time zone is not known.
    """
    known = await deps.store.person(user)
    if known is not None and is_fresh(deps, known, within):
        return known
    try:
        told = await deps.messenger.person(user)
    except MessengerBusyError:
        if known is None:
            raise
        return known
    except MessengerError:
        return known or Person(id=user)
    read = replace(told, zone=told.zone if is_zone(told.zone) else "", read_at=deps.now())
    await deps.store.keep_person(read)
    return read


async def known_person(deps: Deps, user: str) -> Person | None:
    """What is known of somebody without asking Slack: for whoever may wait for no network."""
    known = await deps.store.person(user)
    return known if known is not None and is_fresh(deps, known, GOOD_FOR) else None


def is_fresh(deps: Deps, known: Person, within: timedelta) -> bool:
    """Is the copy no older than that? A copy from the future is of any age: the clock was set back since."""
    return known.read_at is not None and timedelta() <= deps.now() - known.read_at <= within
