"""A file of Slack's: what Slack tells of it, and its bytes.

The bytes are handed out to the bot's token in the header alone. Where that is not good enough Slack answers 200 and a
page to sign in on, or leads to one: https://github.com/slackapi/deno-slack-sdk/issues/285. Nothing is followed, so the
token goes to no other host.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.shared_files import SharedFile
from bot.errors import MessengerBusyError, MessengerError
from bot.sentences import _
from handlers.addresses import is_slacks
from handlers.asking import AGAIN_SOON, may_be_repeated
from handlers.uploads import SCOPE_LACKS, Caller, Transport

SIGN_IN = "sign_in_page"
"""Our word for a page to sign in on in the place of a file."""
DELETED = "file_deleted"
NOT_FOUND = "file_not_found"
_CHUNK = 1 << 20
_PAUSE = 30.0
_KINDS = ("channels", "groups", "ims", "mpims")
_LEADS_AWAY = frozenset({301, 302, 303, 307, 308, 401, 403})


class Downloads:
    """Looks a file up, and reads it."""

    def __init__(self, client: AsyncWebClient, call: Caller, transport: Transport) -> None:
        self._client, self._call, self._transport = client, call, transport

    async def look_up(self, file_id: str) -> SharedFile:
        """See `bot.ports.Messenger.file`."""

        async def look() -> Any:
            return await self._client.files_info(file=file_id)

        with may_be_repeated():
            reply = await self._call(("files.info", ""), look, refusals=frozenset({SCOPE_LACKS}))
        told = reply.get("file")
        if not isinstance(told, Mapping) or told.get("id") != file_id:
            raise MessengerBusyError(_("Slack's answer could not be read."), retry_after=AGAIN_SOON)
        if told.get("mode") == "tombstone":
            raise MessengerError(_("The file was deleted."), code=DELETED)
        return _shared_file(file_id, told)

    async def read(self, file: SharedFile, take: Callable[[bytes], Awaitable[None]]) -> None:
        """See `bot.ports.Messenger.download`."""
        if not is_slacks(file.address, self._client.base_url):
            raise MessengerError(_("Slack does not keep this file itself."), code="not_slacks")
        headers = {"Authorization": f"Bearer {self._client.token}"}
        patience = self._transport.download_timeout
        options = {"headers": headers, "allow_redirects": False, **({"timeout": patience} if patience else {})}
        try:
            session = await self._session()
            async with session.get(file.address, **options) as reply:
                _refuse(reply.status, reply.content_type)
                await _pass_on(reply, take)
        except (*self._transport.not_sent, *self._transport.unclear):
            # What the client says of it may hold the address.
            raise MessengerBusyError(_("The download from Slack broke off."), retry_after=AGAIN_SOON) from None

    async def _session(self) -> Any:
        return await self._transport.session() if self._transport.session else self._client.session


def _shared_file(file_id: str, told: Mapping[str, Any]) -> SharedFile:
    address = told.get("url_private_download") or told.get("url_private")
    is_elsewhere = told.get("is_external") is True or not isinstance(address, str)
    size = told.get("size")
    return SharedFile(
        id=file_id,
        name=str(told.get("name") or told.get("title") or file_id),
        size=size if isinstance(size, int) else 0,
        user=str(told.get("user") or ""),
        places=frozenset(_places(told)),
        address="" if is_elsewhere else str(address),
    )


def _places(told: Mapping[str, Any]) -> list[str]:
    listed = [one for kind in _KINDS for one in (told.get(kind) or ()) if isinstance(one, str)]
    shares = told.get("shares")
    shown = [place for places in shares.values() for place in places] if isinstance(shares, Mapping) else []
    return [*listed, *shown]


def _refuse(status: int, kind: str) -> None:
    """Raise for everything but the bytes of a file."""
    if status in (404, 410):
        raise MessengerError(_("Slack hands out no such file."), code=NOT_FOUND)
    if status in _LEADS_AWAY or (status == 200 and kind == "text/html"):
        raise _sign_in()
    if status == 429 or status >= 500:
        raise MessengerBusyError(_("Slack does not hand out the file at the moment."), retry_after=_PAUSE)
    if status != 200:
        raise MessengerError(
            _("Slack does not hand out the file (HTTP {status}).", status=status), code=f"http_{status}"
        )


def _sign_in() -> MessengerError:
    return MessengerError(_("Slack answered with its page to sign in on."), code=SIGN_IN)


async def _pass_on(reply: Any, take: Callable[[bytes], Awaitable[None]]) -> None:
    is_first = True
    async for chunk in reply.content.iter_chunked(_CHUNK):
        if is_first and chunk.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
            raise _sign_in()
        is_first = False
        await take(chunk)
