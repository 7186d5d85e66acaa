"""Files: an address to send bytes to, the bytes, and where each file was shared.

Sources: https://docs.slack.dev/messaging/working-with-files and the pages of files.getUploadURLExternal,
files.completeUploadExternal and files.info. What an upload of another length than was announced gets is not published:
a guess on the strict side.
"""

from __future__ import annotations

from aiohttp import web

from sandbox.slack import web_api
from sandbox.slack.files import File
from sandbox.slack.lab import Lab
from sandbox.slack.web_api import Call, DroppedError, RateLimitError
from sandbox.slack.wire import JSON, SlackError

NAME = "upload"


class Uploads:
    """Where bytes arrive, and where what was shared is read: by members of its conversations, and by the app."""

    def __init__(self, lab: Lab, api: web_api.WebApi) -> None:
        self._lab, self._api = lab, api

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/upload/v1/{ticket}", self._take),
            web.get("/files/{user}/{file}/{name}", self._open, allow_head=False),
            web.get("/files-pri/{file}/{name}", self._give, allow_head=False),
        ]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        """The bytes of one file, raw, of exactly the length that was announced; the address works once."""
        args: JSON = {"ticket": request.match_info["ticket"]}
        try:
            await web_api.suffer(self._lab, NAME)
            size = self._keep(request, await request.content.read())
            status, reply = 200, {"ok": True, "size": size}
        except RateLimitError as refusal:
            status, reply = 429, refusal.reply()
        except SlackError as refusal:
            status, reply = 400, refusal.reply()
        except DroppedError:
            self._record(args, 0, {}, "request")
            return web_api.cut(request)
        if await web_api.loses_reply(self._lab, NAME):
            self._record(args, status, reply, "reply")
            return web_api.cut(request)
        self._record(args, status, reply, None)
        return web.Response(status=status, text=f"OK - {reply['size']}" if status == 200 else str(reply["error"]))

    def _keep(self, request: web.Request, data: bytes) -> int:
        file = self._lab.files.by_ticket(request.match_info["ticket"])
        if file is None or file.data is not None:
            raise SlackError("not_found")
        if len(data) != file.length:
            raise SlackError("length_mismatch")
        file.data = data
        return len(data)

    def _record(self, args: JSON, status: int, reply: JSON, dropped: str | None) -> None:
        now = self._lab.workspace.clock.time()
        self._api.calls.append(Call(method=NAME, args=args, time=now, status=status, reply=reply, dropped=dropped))
        self._lab.feed.stir()

    async def _open(self, request: web.Request) -> web.StreamResponse:
        """A permalink. `as` says who looks; without, it leads to the message, as Slack's own page does."""
        file = self._shared(request)
        person = request.query.get("as")
        if person is None:
            share = file.shares[0]
            raise web.HTTPFound(f"/#{share.channel}/{share.thread_ts or share.ts}")
        if not may_read(self._lab, file, person):
            raise web.HTTPForbidden(text="Only members of its conversations can open this file.")
        return _bytes(file)

    async def _give(self, request: web.Request) -> web.StreamResponse:
        file = self._shared(request)
        if request.headers.get("Authorization") != f"Bearer {self._lab.bot_token}":
            raise web.HTTPForbidden(text="This address wants the app's token.")
        return _bytes(file)

    def _shared(self, request: web.Request) -> File:
        try:
            file = self._lab.files.get(request.match_info["file"])
        except SlackError:
            raise web.HTTPNotFound from None
        if not file.shares:
            raise web.HTTPNotFound
        return file


def may_read(lab: Lab, file: File, person: str) -> bool:
    """Is somebody in one of the conversations where the file was shared?"""
    return any(person in lab.workspace.channel(share.channel).members for share in file.shares)


def _bytes(file: File) -> web.Response:
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=file.data, content_type="application/octet-stream", headers=headers)
