"""The file that a training left goes into the conversation of its card, once: who may read that, may open it.

Its bytes are sent, the file's id is committed, and only then the upload is completed, which shows it. After a lost
answer it is looked up under that id.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bot.domain.approvals import Outcome, Subject
from bot.domain.changes import Notice, NoticeKind
from bot.domain.jobs import Job
from bot.domain.text import code
from bot.errors import MessengerBusyError, MessengerError
from bot.ports import Deps, Shared
from bot.sentences import _, pack
from bot.usecases.former import result_key
from bot.usecases.moves import card_key, prompt_key, redraw

_REFUSALS: Mapping[str, str] = {
    # NOTE: why a file could not be shared; this and the following stand after a colon
    "file_upload_size_restricted": _("it is larger than Slack takes here."),
    "storage_limit_reached": _("the workspace has no storage left."),
    "file_uploads_disabled": _("the workspace allows no files."),
    "file_uploads_except_images_disabled": _("the workspace allows pictures alone."),
    "file_type_not_allowed": _("the workspace does not allow this kind of file."),
    "missing_scope": _(
        "the app may not share files yet: its operator installs it anew with the scopes of the manifest."
    ),
    "access_denied": _("the app may not share files here."),
    "file_gone": _("the kept file is gone."),
}
"""Slack's words for files that it does not take, as people read them."""
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_ZIP = b"PK\x03\x04"


def tell_result(deps: Deps, job: Job, size: int) -> Notice:
    """The notice of a file that was kept. It waits for nothing else of its training, and nothing waits for it."""
    key = result_key(job.id)
    return Notice(
        id=deps.new_id(),
        key=key,
        kind=NoticeKind.FILE,
        lane=key,
        try_at=deps.now(),
        job_id=job.id,
        body={"size": size},
    )


async def share_result(deps: Deps, notice: Notice, job: Job, channel: str, thread: str | None) -> Shared:
    """Share it in this conversation, unless an earlier attempt has. What the messenger raises tells how it failed."""
    shared = await shared_before(deps, notice)
    if shared is None:
        notice = await _uploaded(deps, notice, job)
        shared = await deps.messenger.share(
            notice.body["file_id"],
            channel,
            title=notice.body["name"],
            comment=_(
                "What training {job} left at its service ({size:,} bytes), as it is.",
                job=code(job.id),
                size=notice.body["size"],
            ),
            thread_ts=thread,
        )
    await deps.store.keep_body(replace(notice, body={**notice.body, "permalink": shared.permalink}))
    await deps.store.tell(await _drawn(deps, job))
    return shared


async def shared_before(deps: Deps, notice: Notice) -> Shared | None:
    """Has an earlier attempt, whose answer was lost, shared the file of this notice after all?"""
    file_id = notice.body.get("file_id")
    return await deps.messenger.find_share(file_id) if notice.in_doubt and file_id else None


async def _uploaded(deps: Deps, notice: Notice, job: Job) -> Notice:
    """The notice with the id of its uploaded file, committed; sent before, it is not sent again."""
    if notice.body.get("file_id"):
        return notice
    path = deps.files.result(job.id)
    size, suffix = await asyncio.to_thread(_measure, path)
    name = _UNFIT.sub("-", f"{job.request.provider}-{job.request.model}-{job.id}-result")[-120:] + suffix
    file_id = await deps.messenger.upload(name, path, size)
    uploaded = replace(notice, body={**notice.body, "file_id": file_id, "name": name, "size": size})
    await deps.store.keep_body(uploaded)
    return uploaded


def _measure(path: Path) -> tuple[int, str]:
    """Size in bytes, and a suffix: what a service leaves has no documented form, a ZIP can be told."""
    try:
        with path.open("rb") as file:
            return path.stat().st_size, ".zip" if file.read(4) == _ZIP else ".bin"
    except FileNotFoundError:
        raise MessengerError(_("The kept file is gone."), code="file_gone") from None
    except OSError as error:
        # Out of descriptors, or a disk that is away for a moment: the file is still there.
        problem = _("The kept file cannot be read now ({error}).", error=str(error.strerror))
        raise MessengerBusyError(problem, retry_after=5) from None


async def give_up(deps: Deps, notice: Notice, error: MessengerError) -> None:
    """Slack does not take it: said on the card, where the file is missed."""
    job = await deps.store.job(notice.job_id) if notice.job_id else None
    await deps.store.keep_body(replace(notice, body={**notice.body, "refused": pack(say_refusal(error))}))
    if job is not None:
        await deps.store.tell(await _drawn(deps, job))


def say_refusal(error: MessengerError) -> str:
    """Why Slack does not take a file, as the end of a sentence."""
    said = str(error)
    return _REFUSALS.get(error.code) or (said if said.endswith(".") else _("{problem}.", problem=said))


async def forget_upload(deps: Deps, notice: Notice) -> None:
    """Slack no longer knows what was uploaded: it is sent anew."""
    body = {key: value for key, value in notice.body.items() if key != "file_id"}
    await deps.store.keep_body(replace(notice, body=body))


async def _drawn(deps: Deps, job: Job) -> list[Notice]:
    """The card is drawn again, and the open question about the switch."""
    asked = [one for one in await deps.store.prompts(job.id) if one.subject is Subject.PROMOTE]
    open_ = [prompt_key(one.id) for one in asked if one.outcome is Outcome.OPEN]
    return [redraw(deps, job.id, target) for target in (card_key(job.id), *open_)]
