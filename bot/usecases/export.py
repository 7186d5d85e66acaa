"""The history as a file: asked for with a click, written beside the ticks, put once into the asker's direct message.

What an export holds is recorded in the audit log before its first byte leaves. The file lies in a private folder until
Slack has it, or has refused it. Its id at Slack is committed before it is shown, as for any file (see
`bot.usecases.share`).
"""

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol

from bot.domain.audit import AuditKind, Record, plain
from bot.domain.changes import Notice, NoticeKind, Say
from bot.domain.history import Story
from bot.domain.job_exports import Form, head, lines
from bot.domain.jobs import Job, JobState
from bot.domain.requests import Actor, Json
from bot.errors import MessengerBusyError, MessengerError, RefusedError, StoreError
from bot.ports import Deps, JobFilter, Shared
from bot.sentences import _, ngettext
from bot.usecases.moves import tell_channel
from bot.usecases.request import say_too_fast
from bot.usecases.share import forget_upload, say_refusal, shared_before

PAGE = 200
"""Trainings that are read, and held, at once."""
TITLES: Mapping[Form, str] = {Form.CSV: "CSV", Form.JSONL: _("JSON lines")}


class Shelf(Protocol):
    """What of a store is needed to write a history out."""

    async def stories(self, wanted: JobFilter, *, after: Job | None = None, limit: int = 200) -> list[Story]:
        """See `bot.ports.Store`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWish:
    """What somebody wants to have. `key` is the delivery's, so that a repeated delivery asks once."""

    key: str
    actor: Actor
    wanted: JobFilter
    form: Form


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file that is complete: how many trainings, its size in bytes, its SHA-256 in hex."""

    rows: int
    size: int
    sha256: str


async def ask_export(deps: Deps, wish: ExportWish) -> Say:
    """Keep the wish; the file follows. Raises RefusedError where the person asks too much within a minute."""
    if not await deps.store.jobs(wish.wanted, limit=1):
        return Say(text=_("No training fits, so there is nothing to export."))
    user = wish.actor.user
    notice = Notice(
        id=deps.new_id(),
        key=f"export:{wish.key}",
        kind=NoticeKind.EXPORT,
        lane=f"export:{user}",
        try_at=deps.now(),
        channel=user,
        body={"form": wish.form.value, "team": wish.actor.team, "user": user, "filter": _kept(wish.wanted)},
    )
    if not await deps.store.ask_export(notice, wish.actor, caps=deps.limits.caps):
        raise RefusedError(say_too_fast(deps))
    deps.nudge("deliver")
    return Say(
        text=_(
            "Everything that fits is being written as {form}. It comes as a file into your direct message with "
            "Switchyard, and is recorded in the audit log.",
            form=TITLES[wish.form],
        )
    )


async def share_export(deps: Deps, notice: Notice, channel: str) -> Shared:
    """Put it into this conversation, unless an earlier attempt has. What the messenger raises tells how it failed."""
    shared = await shared_before(deps, notice)
    if shared is None:
        shared = await _share_now(deps, notice, channel)
    await _remove(deps, notice)
    return shared


async def give_up_export(deps: Deps, notice: Notice, error: MessengerError) -> None:
    """Slack does not take it, or it cannot be written: said where the file was to come."""
    await _remove(deps, notice)
    problem = say_refusal(error)
    text = _("The export that you asked for could not be made: {problem} Nothing was shared.", problem=problem)
    user = notice.body["user"]
    await deps.store.tell([tell_channel(deps, user, text, key=f"{notice.key}:refused")])


async def write_stories(
    shelf: Shelf, wanted: JobFilter, form: Form, target: Path, now: Callable[[], datetime]
) -> Written:
    """Write all that fits into a file that only we can read, holding one page at a time.

    Raises StoreError for a row that cannot be read, OSError for a file that cannot be written.
    """
    with await asyncio.to_thread(_open, target) as file:
        seen, rows, after = hashlib.sha256(), 0, None
        await asyncio.to_thread(_append, file, seen, [head(form)])
        while page := await shelf.stories(wanted, after=after, limit=PAGE):
            await asyncio.to_thread(_append, file, seen, lines(form, page, now()))
            rows, after = rows + len(page), page[-1].job
        size = await asyncio.to_thread(_end, file)
    return Written(rows=rows, size=size, sha256=seen.hexdigest())


def told_filter(wanted: JobFilter) -> dict[str, Json]:
    """What a filter asks for, without what it leaves open."""
    return {key: value for key, value in plain(wanted).items() if value not in ("", [], None)}


async def _share_now(deps: Deps, notice: Notice, channel: str) -> Shared:
    body = (await _uploaded(deps, notice)).body
    comment = ngettext(
        "The history that you asked for: {count:,} training, newest first, as {form}.",
        "The history that you asked for: {count:,} trainings, newest first, as {form}.",
        body["rows"],
        form=TITLES[Form(body["form"])],
    )
    try:
        return await deps.messenger.share(
            body["file_id"],
            channel,
            title=body["name"],
            comment=comment,
            thread_ts=None,
        )
    except MessengerError as error:
        if error.code == "file_not_found" and notice.body.get("file_id"):
            await forget_upload(deps, notice)
            raise MessengerBusyError(str(error), retry_after=1.0) from None
        raise


async def _uploaded(deps: Deps, notice: Notice) -> Notice:
    """The notice with the id of its uploaded file, committed; sent before, it is not sent again."""
    if notice.body.get("file_id"):
        return notice
    made = await _made(deps, notice)
    body = made.body
    file_id = await deps.messenger.upload(body["name"], deps.files.export(notice.id), body["size"])
    uploaded = replace(made, body={**body, "file_id": file_id})
    await deps.store.keep_body(uploaded)
    return uploaded


async def _made(deps: Deps, notice: Notice) -> Notice:
    """The notice of a file that lies there, and is on record. One that an earlier attempt has left is not made anew."""
    path = await asyncio.to_thread(deps.files.export, notice.id)
    if await asyncio.to_thread(_is_complete, path, notice.body.get("size")):
        return notice
    form = Form(notice.body["form"])
    try:
        written = await write_stories(deps.store, _filter(notice.body["filter"]), form, path, deps.now)
    except StoreError as error:
        raise MessengerError(str(error), code="not_written") from None
    except OSError:
        raise MessengerError(_("The file cannot be written at the moment."), code="not_written") from None
    name = f"switchyard-jobs-{deps.now():%Y%m%d-%H%M%S}.{form.value}"
    facts = {"rows": written.rows, "size": written.size, "sha256": written.sha256, "name": name}
    made = replace(notice, body={**notice.body, **facts})
    await deps.store.keep_body(made, records=[_record(deps, made)])
    return made


def _record(deps: Deps, notice: Notice) -> Record:
    body = notice.body
    return Record(
        at=deps.now(),
        kind=AuditKind.EXPORT,
        actor=Actor(team=body["team"], user=body["user"]),
        facts={
            "what": "jobs",
            "to": "direct message",
            "format": body["form"],
            "filter": told_filter(_filter(body["filter"])),
            **{key: body[key] for key in ("name", "rows", "size", "sha256")},
        },
    )


async def _remove(deps: Deps, notice: Notice) -> None:
    path = await asyncio.to_thread(deps.files.export, notice.id)
    await asyncio.to_thread(path.unlink, missing_ok=True)


def _kept(wanted: JobFilter) -> dict[str, Json]:
    """A filter as JSON keeps it."""
    return {
        **{key: getattr(wanted, key) for key in _TEXTS},
        "states": sorted(state.value for state in wanted.states),
        "since": wanted.since.isoformat() if wanted.since else None,
    }


def _filter(kept: Mapping[str, Any]) -> JobFilter:
    since = kept["since"]
    return JobFilter(
        **{key: kept[key] for key in _TEXTS},
        states=frozenset(map(JobState, kept["states"])),
        since=datetime.fromisoformat(since) if since else None,
    )


_TEXTS = ("team", "place", "user", "provider", "model", "remote_id", "text")


# -- the file; everything from here on blocks -------------------------------------------------------------------------


def _open(target: Path) -> IO[bytes]:
    """For our account alone, and through no link that somebody has put there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    return os.fdopen(os.open(target, flags, 0o600), "wb")


def _append(file: IO[bytes], seen: "hashlib._Hash", texts: Iterable[str]) -> None:
    """Half a character, which no encoding has, is written as JSON escapes it."""
    data = "".join(texts).encode("utf-8", "backslashreplace")
    seen.update(data)
    file.write(data)


def _end(file: IO[bytes]) -> int:
    """On the disk before anybody is told that it is complete; its size."""
    file.flush()
    os.fsync(file.fileno())
    return file.tell()


def _is_complete(path: Path, size: int | None) -> bool:
    try:
        return size is not None and path.stat().st_size == size
    except FileNotFoundError:
        return False
