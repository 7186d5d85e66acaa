"""Structured logs on stderr: UTC times, the job they are about, and no secret in any of them.

Records of the libraries (`logging`) and of Switchyard (`structlog`) go the same way and are written by one handler.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TextIO
from urllib.parse import quote, quote_plus

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

QUIET = {"apscheduler": logging.WARNING, "aiohttp.access": logging.WARNING}
"""Loggers that say something at every tick and every request; at level debug they are heard too."""

_SLASH = r"(?:\\?/)"  # JSON may write a slash as `\/`
_QUOTE = r"""\\*["']"""  # JSON inside of JSON escapes its quotes
_NAMES = (
    r"(?:[\w-]*token|[\w-]*secret|[\w-]*password|authorization|cookie|signature|ticket|response_url|upload_url|trigger_id"
    r"|request_key|x-[\w-]*(?:key|signature)[\w-]*|[\w-]*(?:api|access|deploy)[_-]?key)"
)
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Slack's tokens, https://docs.slack.dev/authentication/tokens
    (re.compile(r"\b(xox[a-z]\.xox[a-z]-|xox[a-z]-|xapp-)[\w-]+"), r"\1…"),
    (re.compile(r"\b(Bearer)\s+[\w.~+/=-]+", re.IGNORECASE), r"\1 …"),
    (
        re.compile(
            r"\b((?:authorization|x-[\w-]*(?:key|signature)[\w-]*):\s*)(?:basic\s+|bearer\s+)?[^\s\"',]+", re.IGNORECASE
        ),
        r"\1…",
    ),
    # Whoever has a response_url may post: https://docs.slack.dev/interactivity/handling-user-interaction
    (
        re.compile(
            rf"\b(https?:{_SLASH}{{2}}[^\s/\\\"'<>]+{_SLASH}(?:commands|actions|services|app){_SLASH})"
            rf"[TE][A-Z0-9]+{_SLASH}[^\s\"'<>]+"
        ),
        r"\1…",
    ),
    (re.compile(rf"\b(https?:{_SLASH}{{2}}hooks\.slack\.com{_SLASH}(?:\w+{_SLASH})?)[^\s\"'<>]+"), r"\1…"),
    # Signed addresses have their signature in the query, a socket's address its ticket.
    (re.compile(r"\b((?:https?|wss?):[^\s?\"'<>]+)\?[^\s\"'<>]+"), r"\1?…"),
    (re.compile(r"\b((?:GET|HEAD|POST|PUT|PATCH|DELETE) /[^\s?\"']*)\?[^\s\"']+"), r"\1?…"),
    # A trigger_id opens a form in somebody's Slack: number.number.hash
    (re.compile(r"\b\d{6,}\.\d{6,}\.[0-9a-f]{16,}\b"), "…"),
    (re.compile(rf"({_QUOTE}{_NAMES}{_QUOTE}\s*[:,]\s*{_QUOTE})[^\"'\\]+", re.IGNORECASE), r"\1…"),
    (re.compile(rf"\b({_NAMES}=)[^\s&\"',;)]+", re.IGNORECASE), r"\1…"),
)


def _spellings(secret: str) -> set[str]:
    """A secret as it is, in a query, in a form, and in JSON."""
    return {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}


class _Handler(logging.StreamHandler[TextIO]):
    """Writes records; of one that cannot be written it says where it came from, and does not quote it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the name is logging's)
        sys.stderr.write(f"A log record of {record.name} ({record.filename}:{record.lineno}) could not be written.\n")


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes secrets out of texts and of whatever holds texts: those given, and whatever looks like one."""

    secrets: Iterable[str] = ()
    _given: re.Pattern[str] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        spellings = {spelling for secret in self.secrets if secret for spelling in _spellings(secret)}
        longest_first = sorted(spellings, key=len, reverse=True)
        given = re.compile("|".join(re.escape(one) for one in longest_first)) if longest_first else None
        object.__setattr__(self, "_given", given)

    def text(self, text: str) -> str:
        """The text with … for every secret, for the query of every address and for response addresses."""
        if self._given is not None:
            text = self._given.sub("…", text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text

    def value(self, value: object) -> object:
        """The same for a value of any kind: containers keep their form, other objects become their text."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._named(str(key), one) for key, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(one) for one in value]
        return self.text(value if isinstance(value, str) else _text(value))

    def _named(self, name: str, value: object) -> object:
        return "…" if value and _SECRET_NAME.fullmatch(name) else self.value(value)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """As a processor of structlog."""
        return {key: self._named(key, value) for key, value in event.items()}


def configure(
    secrets: Iterable[str] = (),
    *,
    level: str = "info",
    stream: TextIO | None = None,
    as_json: bool | None = None,
) -> None:
    """Send all logs of this process to `stream` (stderr), as JSON unless it is a terminal, without `secrets`.

    What ends the process by an exception is logged too, so that its text goes the same way.
    """
    target = stream or sys.stderr
    handler = _Handler(target)
    handler.setFormatter(_formatter(Redactor(tuple(secrets)), not target.isatty() if as_json is None else as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(logging.NOTSET if level == "debug" else quiet)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_common(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    sys.excepthook = _log_crash


def bound_job(job_id: str) -> AbstractContextManager[object]:
    """Within it, everything that is logged, by whatever it calls and starts, carries `job`."""
    return bound_contextvars(job=job_id)


def _common() -> Sequence[Processor]:
    return (
        merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )


def _formatter(redactor: Redactor, as_json: bool) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_common(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            # Tracebacks become text first, because exceptions quote what they were given.
            structlog.processors.format_exc_info,
            redactor,
            _renderer(as_json),
        ],
    )


def _renderer(as_json: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("switchyard").critical("Switchyard ended unexpectedly.", exc_info=(kind, error, trace))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
