"""The Slack files of a wish, into the spool: looked up, allowed, downloaded once the wish is on disk."""

import asyncio

from bot.domain.jobs import Job
from bot.domain.requests import SourceFile, TrainRequest
from bot.domain.shared_files import SharedFile, id_in, may_use, plain_name
from bot.domain.text import code, cut, either
from bot.errors import DataError, MessengerBusyError, MessengerError
from bot.ports import Deps
from bot.sentences import _

_NO_SCOPE = _(
    "Switchyard may not read files in this Slack: its operator has to grant the scope `files:read` (it stands in "
    "manifest.yml) and to install the app once more."
)


async def fetch(deps: Deps, job: Job) -> dict[str, SourceFile]:
    """The files, by role; a role that names no file in Slack is not among them.

    Raises DataError where they are not to be had, MessengerBusyError where they may be later.
    """
    wanted = {role: id_in(source) for role, source in job.request.data.items() if role not in job.request.kept}
    try:
        async with asyncio.timeout(deps.limits.download.total_seconds()):
            return {role: await _fetch(deps, job.request, role, id_) for role, id_ in wanted.items() if id_}
    except TimeoutError:
        sentence = _(
            "Slack did not hand out the data within {minutes:.4g} minutes (SWITCHYARD_DATA__DOWNLOAD_MINUTES).",
            minutes=deps.limits.download.total_seconds() / 60,
        )
        raise DataError(sentence) from None


async def _fetch(deps: Deps, request: TrainRequest, role: str, file_id: str) -> SourceFile:
    try:
        file = await deps.messenger.file(file_id)
        name = _allowed(deps, request, file)
        return await _download(deps, role, name, file)
    except MessengerBusyError:
        raise
    except MessengerError as error:
        raise DataError(_say(error, file_id)) from None


def _say(error: MessengerError, file_id: str) -> str:
    """What is said for a word of Slack's, or of ours (`handlers.downloads`)."""
    file = code(file_id)
    match error.code:
        case "missing_scope" | "sign_in_page":
            return _NO_SCOPE
        case "file_deleted":
            return _("The file {file} was deleted in Slack.", file=file)
        case "file_not_found":
            return _(
                "Slack shows Switchyard no file {file}: there is none, or it is in no conversation that Switchyard is "
                "in. Share it in this conversation, where Switchyard has to be a member, or choose it in the form of "
                "`/train`.",
                file=file,
            )
        case "not_slacks":
            return _(
                "Slack does not keep {file} itself, so it cannot be read. Upload the file instead of a link to it.",
                file=file,
            )
        case _other:
            return _("Slack does not hand out the file {file} ({error}).", file=file, error=error.code or str(error))


def _allowed(deps: Deps, request: TrainRequest, file: SharedFile) -> str:
    """The name of a file that this person may use here and that the service takes. Raises DataError."""
    if not may_use(file, request.actor, request.channel):
        # Not even its name: whoever asks may know nothing of it but the id.
        raise DataError(
            _(
                "You may not train with the file {file} here: you did not upload it, and it is not shared in this "
                "conversation. Have it shared here first.",
                file=code(file.id),
            )
        )
    rule = deps.providers.get(request.provider).data
    suffixes = rule.suffixes if rule else ()
    name = plain_name(file.name)
    if not name.casefold().endswith(suffixes):
        raise DataError(
            _(
                "{file} cannot be sent: this service takes files called {names}.",
                file=code(cut(name, 100)),
                names=either(code(f"*{suffix}") for suffix in suffixes),
            )
        )
    return name


async def _download(deps: Deps, role: str, name: str, file: SharedFile) -> SourceFile:
    # In this thread: where the time for the download runs out meanwhile, the begun file would be nobody's.
    arrival = deps.files.receive(role, name, file.size)
    try:

        async def take(chunk: bytes) -> None:
            await asyncio.to_thread(arrival.write, chunk)

        await deps.messenger.download(file, take)
        return await asyncio.to_thread(arrival.keep)
    finally:
        await asyncio.to_thread(arrival.close)
