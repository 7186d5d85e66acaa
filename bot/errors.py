"""The one tree of errors. `str(error)` is always a sentence that may be shown to the person who asked.

Whose fault it is decides the branch: `UsageError` is the person's, `ConfigurationError` the operator's,
`ProviderError` the training service's, `MessengerError` Slack's, `StoreError` the database's.
"""

from enum import StrEnum

from bot.sentences import _, joined


class SwitchyardError(Exception):
    """Anything Switchyard can explain in a sentence."""


class UsageError(SwitchyardError):
    """A word of a command is wrong. `word` is what was typed, `suggestion` the nearest valid value."""

    def __init__(self, sentence: str, *, word: str = "", suggestion: str = "") -> None:
        asked = _("{sentence} Did you mean `{suggestion}`?", sentence=sentence, suggestion=suggestion)
        super().__init__(asked if suggestion else sentence)
        self.word = word
        self.suggestion = suggestion


class DataError(SwitchyardError):
    """A data file cannot be sent. `line` is the 1-based line at fault, where one is."""

    def __init__(self, sentence: str, *, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line


class RefusedError(SwitchyardError):
    """The rules forbid it: who asks may not, or it is too late."""


class IllegalMoveError(SwitchyardError):
    """A job was asked to make a move that the table of states does not hold. Nothing changed."""


class ConfigurationError(SwitchyardError):
    """The configuration cannot be used; the sentence names every problem."""


class NotConfiguredError(ConfigurationError):
    """A provider has no credentials. `keys` are the settings that would give it some."""

    def __init__(self, title: str, keys: tuple[str, ...]) -> None:
        *most, last = keys
        named = _("{most} and {last}", most=joined(", ", most), last=last) if most else last
        super().__init__(_("{title} is not configured here. Its operator sets {named}.", title=title, named=named))
        self.keys = keys


class StoreError(SwitchyardError):
    """The database refused, or another process holds it."""


class Effect(StrEnum):
    """What a failed call may have done at the service."""

    NONE = "none"  # surely nothing happened, and a later try may succeed
    REFUSED = "refused"  # surely nothing happened, and the service says why
    UNKNOWN = "unknown"  # it may have happened: look before anything else


class ProviderError(SwitchyardError):
    """A service could not be used. `effect` says what may have happened there."""

    def __init__(self, sentence: str, *, effect: Effect = Effect.UNKNOWN) -> None:
        super().__init__(sentence)
        self.effect = effect


class UnreachableError(ProviderError):
    """No answer: the connection failed, broke, or took too long."""


class BrokenError(ProviderError):
    """The service answers with an error of its own (HTTP 5xx)."""


class UnreadableError(ProviderError):
    """An answer that is not of the documented form: a web page, half a document, nothing, a redirect."""


class RejectedError(ProviderError):
    """The service understood and said no. `status` is the HTTP status, `code` the service's own word."""

    def __init__(self, sentence: str, *, status: int = 0, code: str = "", effect: Effect = Effect.REFUSED) -> None:
        super().__init__(sentence, effect=effect)
        self.status = status
        self.code = code


class CredentialsError(RejectedError):
    """The service does not accept our credentials."""


class NotFoundError(RejectedError):
    """The service answers, as documented, that it does not know the thing."""


class RateLimitedError(ProviderError):
    """The service asks to wait `retry_after` seconds. Nothing happened."""

    def __init__(self, sentence: str, *, retry_after: float = 30.0) -> None:
        super().__init__(sentence, effect=Effect.NONE)
        self.retry_after = retry_after


class MessengerError(SwitchyardError):
    """A message did not reach Slack, and surely did not. `code` is Slack's word where it gave one."""

    def __init__(self, sentence: str, *, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


class MessengerBusyError(MessengerError):
    """Slack asks to wait `retry_after` seconds, or could not be reached at all. Nothing was posted."""

    def __init__(self, sentence: str, *, retry_after: float) -> None:
        super().__init__(sentence, code="ratelimited")
        self.retry_after = retry_after


class AmbiguousSendError(MessengerError):
    """The message may have been posted: look for it before it is sent again."""
