"""The audit log in the shell: verified, and written out. Both read beside a running bot."""

import getpass
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.app import slack_client, utc_now
from bot.domain.audit import Anchor, AuditKind, Entry, Record
from bot.domain.audit_check import Report
from bot.domain.exports import csv_line
from bot.errors import ConfigurationError, MessengerError, StoreError, UsageError
from bot.identity import SLACK_FAILURES
from bot.settings import Settings, variable
from bot.usecases.auditing import ANCHOR
from storage import audit

Now = Callable[[], datetime]
_GIVEN = re.compile(r"(\d{1,18}):([0-9a-f]{64})")
_POSTED = re.compile(r"row (\d{1,18}), ([0-9a-f]{64})")
_PAGE = 200
_CSV = ("seq", "time", "kind", "team", "user", "job_id", "prompt_id", "facts", "previous", "hash")


# -- verifying --------------------------------------------------------------------------------------------------------


def parse_anchor(text: str) -> Anchor:
    """`SEQ:HASH`, as an auditor wrote it down. Raises UsageError."""
    found = _GIVEN.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(f"`{text[:80]}` is no anchor: write SEQ:HASH, with the 64 signs of the hash.", word=text)
    return Anchor(seq=int(found[1]), hash=found[2])


def verify(settings: Settings, anchors: Iterable[Anchor]) -> Report:
    """Blocks. Raises StoreError where the log cannot be read."""
    return audit.verify_log(settings.database_path, anchors)


async def posted_anchors(settings: Settings) -> list[Anchor]:
    """The anchors that the bot has posted into its channel, read there. Raises MessengerError."""
    if settings.audit.channel is None:
        raise ConfigurationError(f"{variable('audit', 'channel')} is not set: no anchors are posted.")
    try:
        async with slack_client(settings) as client:
            return [one async for message in _messages(client, settings.audit.channel) for one in _anchors_in(message)]
    except SLACK_FAILURES as error:
        code = str(error.response.get("error")) if isinstance(error, SlackApiError) else type(error).__name__
        raise MessengerError(f"The anchors cannot be read from Slack: {code}.", code=code) from None


async def _messages(client: AsyncWebClient, channel: str) -> Any:
    """Every message of the bot in the channel: nobody else can post an anchor."""
    own = (await client.auth_test())["user_id"]
    cursor = ""
    while True:
        response = await client.conversations_history(channel=channel, limit=_PAGE, cursor=cursor or None)
        for message in response["messages"]:
            if message.get("user") == own:
                yield message
        cursor = (response.get("response_metadata") or {}).get("next_cursor", "")
        if not cursor:
            return


def _anchors_in(message: Mapping[str, Any]) -> list[Anchor]:
    """An anchor's message names the one before it too, so that a message that was taken away is not missed."""
    text = str(message.get("text", ""))
    if not text.startswith(ANCHOR):
        return []
    at = datetime.fromtimestamp(float(message["ts"]), UTC)
    return [Anchor(seq=int(seq), hash=hash_, at=at) for seq, hash_ in _POSTED.findall(text)]


def say(report: Report, waiting: int) -> list[str]:
    """The report for people."""
    verdict = "is sound" if report.is_sound else "is DAMAGED"
    head = f", the last one {report.head.seq}:{report.head.hash}" if report.head else ""
    found = [f"PROBLEM  {one.says}" for one in report.findings]
    notes = [*report.notes, *_covering(report), *_waiting(waiting)]
    return [f"The audit log {verdict}: {report.rows:,} rows{head}.", *found, *notes]


def as_json(report: Report, waiting: int) -> str:
    """The report for machines, in one line."""
    read = {
        "sound": report.is_sound,
        "rows": report.rows,
        "last": {"seq": report.head.seq, "hash": report.head.hash} if report.head else None,
        "findings": [asdict(one) for one in report.findings],
        "covered_from_outside": report.outside,
        "covered_by_database": report.inside,
        "uncovered": report.uncovered,
        "waiting": waiting,
        "notes": report.notes,
    }
    return json.dumps(read, ensure_ascii=False)


def _covering(report: Report) -> Iterator[str]:
    if report.outside:
        yield f"Rows 1 to {report.outside} are those that an anchor from outside tells of."
    if report.uncovered:
        first, last = report.uncovered
        yield (
            f"No anchor from outside covers rows {first} to {last}: whether they were all written anew, or rows after "
            "them cut off, cannot be seen from the database alone."
        )
    if report.inside > report.outside:
        yield f"The database's own anchors, which who rewrites it can rewrite, agree up to row {report.inside}."


def _waiting(waiting: int) -> list[str]:
    return [f"Exports that the bot has not taken into the log yet: {waiting}."] if waiting else []


def count_waiting(settings: Settings) -> int:
    return len(list(audit.inbox(settings.database_path).glob("*.json")))


# -- taking out -------------------------------------------------------------------------------------------------------


def record_export(settings: Settings, what: str, to: str, now: Now = utc_now, **facts: Any) -> None:
    """Leave word of an export before it is made; the bot takes it into the log. After a StoreError export nothing."""
    if settings.database_path.exists():
        facts = {"what": what, "to": to, "by": _who(), **facts}
        audit.leave(settings.database_path, Record(at=now(), kind=AuditKind.EXPORT, facts=facts))


def _who() -> str:
    """The account of the shell, as far as the system tells it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def export(
    settings: Settings,
    target: Path | None,
    *,
    since: datetime | None,
    as_csv: bool,
    may_replace: bool,
    now: Now = utc_now,
) -> int:
    """Write the log to a file, None is the standard output; how many rows. Blocks. Raises StoreError."""
    if target is not None and target.exists():
        _check_replaceable(target, may_replace=may_replace)
    with audit.exported(settings.database_path, since) as entries:
        form = "csv" if as_csv else "jsonl"
        to = target.name if target else "standard output"
        record_export(settings, "audit log", to, now, format=form, since=since)
        lines = _as_csv(entries) if as_csv else map(_as_line, entries)
        return _write(sys.stdout, lines) if target is None else _write_file(target, lines)


def _check_replaceable(target: Path, *, may_replace: bool) -> None:
    if not target.is_file():
        raise StoreError(f"{target} is no ordinary file; `-` writes to the standard output. Nothing was exported.")
    if not may_replace:
        raise StoreError(f"{target} exists already; `--force` replaces it. Nothing was exported.")


def _write_file(target: Path, lines: Iterable[str]) -> int:
    """The file gets its name once it is complete."""
    part = target.with_name(f".{target.name}.part")
    try:
        part.touch(mode=0o600)
        with part.open("w", encoding="utf-8", newline="") as file:
            count = _write(file, lines)
        part.replace(target)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}.") from error
    return count


def _write(file: TextIO, lines: Iterable[str]) -> int:
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007  the last number is how many there were
        file.write(line)
    return count


def _as_line(entry: Entry) -> str:
    return json.dumps({**asdict(entry), "facts": _facts(entry), "time": _time(entry)}, ensure_ascii=False) + "\n"


def _as_csv(entries: Iterable[Entry]) -> Iterator[str]:
    yield csv_line(_CSV)
    for entry in entries:
        cells = {**asdict(entry), "time": _time(entry)}
        yield csv_line(cells[name] for name in _CSV)


def _facts(entry: Entry) -> Any:
    """As values; of a damaged row as the text that stands there."""
    try:
        return entry.told()
    except (TypeError, ValueError):
        return str(entry.facts)


def _time(entry: Entry) -> str:
    try:
        return entry.time.isoformat(timespec="milliseconds")
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
