"""Calls of Slack's that may go out twice: what they do is the same the second time, or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import AmbiguousSendError, MessengerBusyError

AGAIN_SOON = 2.0
"""Seconds until a call is made once more whose answer was lost or could not be read."""


@contextmanager
def may_be_repeated() -> Iterator[None]:
    """An unclear outcome is no reason to look for it: MessengerBusyError says when to try again."""
    try:
        yield
    except AmbiguousSendError as error:
        raise MessengerBusyError(str(error), retry_after=AGAIN_SOON) from None
