"""A file into a conversation: an address for its bytes, the bytes, and the completion that shows it.

Until the completion nobody sees anything, so only that may not be repeated blindly. What became of it is read with
files.info: https://docs.slack.dev/reference/methods/files.completeUploadExternal and …/files.info.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import AmbiguousSendError, MessengerBusyError, MessengerError
from bot.ports import Shared
from bot.sentences import _, speak
from handlers.addresses import is_slacks
from handlers.asking import may_be_repeated

SCOPE_LACKS = "missing_scope"
TOO_LARGE = "file_upload_size_restricted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """Which exceptions of the HTTP client mean what; how long it may take to send a file, in the client's own form.

    `session` gives the session for downloads, `download_timeout` is how patient it is.
    """

    not_sent: tuple[type[Exception], ...]
    unclear: tuple[type[Exception], ...]
    upload_timeout: Any = None
    session: Callable[[], Awaitable[Any]] | None = None
    download_timeout: Any = None


class Caller(Protocol):
    """Calls a method of the Web API and tells what happened as errors; `refusals` are words that are no pause."""

    async def __call__(
        self, lane: tuple[str, str], call: Callable[[], Awaitable[Any]], *, refusals: frozenset[str] = ...
    ) -> Any: ...


class Uploads:
    """The three steps, and the look."""

    def __init__(self, client: AsyncWebClient, call: Caller, transport: Transport) -> None:
        self._client, self._call, self._transport = client, call, transport

    async def upload(self, name: str, file: Path, size: int) -> str:
        """Send the bytes; the file's id. Nobody sees it yet, so a failure of any kind may be tried again."""

        async def ask() -> Any:
            return await self._client.files_getUploadURLExternal(filename=name, length=size)

        with may_be_repeated():
            reply = await self._call(("files.getUploadURLExternal", ""), ask, refusals=frozenset({SCOPE_LACKS}))
        file_id, address = reply.get("file_id"), reply.get("upload_url")
        if (
            not isinstance(file_id, str)
            or not isinstance(address, str)
            or not is_slacks(address, self._client.base_url)
        ):
            raise AmbiguousSendError(_("Slack named no address of its own to send the file to."))
        await self._carry(address, file)
        return file_id

    async def _carry(self, address: str, file: Path) -> None:
        """The address is a secret: it goes out as it came, and into no error."""
        session = self._client.session
        if session is None:
            raise MessengerError(_("There is no session to send a file with."))
        try:
            with file.open("rb") as data:
                async with session.post(address, data=data, allow_redirects=False, **self._options()) as reply:
                    status = reply.status
        except FileNotFoundError:
            raise MessengerError(_("The kept file is gone."), code="file_gone") from None
        except (*self._transport.not_sent, *self._transport.unclear):
            raise AmbiguousSendError(_("The file did not get through to Slack.")) from None
        if status == 413:
            raise MessengerError(_("Slack does not take a file of this size."), code=TOO_LARGE)
        if status != 200:
            raise AmbiguousSendError(_("Slack did not take the file (HTTP {status}).", status=status))

    def _options(self) -> dict[str, Any]:
        patience = self._transport.upload_timeout
        return {"headers": {"Content-Type": "application/octet-stream"}, **({"timeout": patience} if patience else {})}

    async def share(self, file_id: str, channel: str, *, title: str, comment: str, thread_ts: str | None) -> Shared:
        """Complete the upload, which shows the file. AmbiguousSendError: look with `find` before it is repeated."""

        async def complete() -> Any:
            return await self._client.files_completeUploadExternal(
                files=[{"id": file_id, "title": speak(title)}],
                channel_id=channel,
                initial_comment=speak(comment),
                thread_ts=thread_ts,
            )

        reply = await self._call(("files.completeUploadExternal", channel), complete, refusals=frozenset({SCOPE_LACKS}))
        files = reply.get("files")
        shown = _shared(files[0]) if isinstance(files, list) and files and isinstance(files[0], Mapping) else None
        found = shown if shown and shown.permalink else await self.find(file_id)
        if found is None:
            raise AmbiguousSendError(_("Slack's answer could not be read."))
        return found

    async def find(self, file_id: str) -> Shared | None:
        """What became of a completion whose answer was lost; None where it surely was not done.

        A file that was completed and shows in no conversation yet is looked at again: AmbiguousSendError.
        """

        async def look() -> Any:
            return await self._client.files_info(file=file_id)

        try:
            reply = await self._call(("files.info", ""), look, refusals=frozenset({SCOPE_LACKS}))
        except (AmbiguousSendError, MessengerBusyError):
            raise
        except MessengerError as error:
            if error.code == "file_not_found":
                return None
            sentence = _("It cannot be looked up whether the file was shared: {problem}", problem=str(error))
            raise AmbiguousSendError(sentence, code=error.code) from None
        found = reply.get("file")
        shown = _shared(found) if isinstance(found, Mapping) else None
        if shown is None or not shown.permalink or not shown.ts:
            raise AmbiguousSendError(_("Slack does not show yet whether the file was shared."))
        return shown


def _shared(file: Mapping[str, Any]) -> Shared:
    link = file.get("permalink")
    return Shared(permalink=link if isinstance(link, str) else "", ts=_first_ts(file.get("shares")))


def _first_ts(shares: Any) -> str:
    """The message of the first share, "" where none is told."""
    for places in shares.values() if isinstance(shares, Mapping) else ():
        for told in places.values() if isinstance(places, Mapping) else ():
            if isinstance(told, list) and told and isinstance(told[0], Mapping):
                return str(told[0].get("ts", ""))
    return ""
