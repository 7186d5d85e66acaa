"""Files: an address to send bytes to, the bytes, and where each file was shared.

Sources: https://docs.slack.dev/messaging/working-with-files and the pages of files.getUploadURLExternal,
files.completeUploadExternal and files.info. What an upload of another length than was announced gets is not published:
a guess on the strict side. The private addresses want the app's token in the header; without one, or without the scope
files:read, Slack answers with a page to sign in on (https://github.com/slackapi/deno-slack-sdk/issues/285).
"""

from __future__ import annotations

from aiohttp import web

from sandbox.slack import file_shapes, web_api
from sandbox.slack.files import File
from sandbox.slack.lab import Lab
from sandbox.slack.web_api import Call, DroppedError, RateLimitError
from sandbox.slack.wire import JSON, SlackError

NAME = "upload"
DOWNLOAD = "download"
SIGN_IN = "<!DOCTYPE html><html><head><title>Sign in to Slack</title></head><body>Please sign in.</body></html>"


class Uploads:
    """Where bytes arrive, and where what was shared is read: by members of its conversations, and by the app."""

    def __init__(self, lab: Lab, api: web_api.WebApi) -> None:
        self._lab, self._api = lab, api

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/upload/v1/{ticket}", self._take),
            web.get("/files/{user}/{file}/{name}", self._open, allow_head=False),
            web.get("/files-pri/{team}-{file}/{name}", self._give, allow_head=False),
            web.get("/files-pri/{team}-{file}/download/{name}", self._give, allow_head=False),
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
            self._record(NAME, args, 0, {}, "request")
            return web_api.cut(request)
        if await web_api.loses_reply(self._lab, NAME):
            self._record(NAME, args, status, reply, "reply")
            return web_api.cut(request)
        self._record(NAME, args, status, reply, None)
        return web.Response(status=status, text=f"OK - {reply['size']}" if status == 200 else str(reply["error"]))

    def _keep(self, request: web.Request, data: bytes) -> int:
        file = self._lab.files.by_ticket(request.match_info["ticket"])
        if file is None or file.data is not None:
            raise SlackError("not_found")
        if len(data) != file.length:
            raise SlackError("length_mismatch")
        file.data = data
        return len(data)

    def _record(self, name: str, args: JSON, status: int, reply: JSON, dropped: str | None) -> None:
        now = self._lab.workspace.clock.time()
        self._api.calls.append(Call(method=name, args=args, time=now, status=status, reply=reply, dropped=dropped))
        self._lab.feed.stir()

    async def _open(self, request: web.Request) -> web.StreamResponse:
        """A permalink. `as` says who looks; without, it leads to the message, as Slack's own page does."""
        file = self._complete(request)
        person = request.query.get("as")
        if person is None and not file.shares:
            raise web.HTTPNotFound
        if person is None:
            share = file.shares[0]
            raise web.HTTPFound(f"/#{share.channel}/{share.thread_ts or share.ts}")
        if not may_read(self._lab, file, person):
            raise web.HTTPForbidden(text="Only members of its conversations can open this file.")
        return _bytes(file)

    async def _give(self, request: web.Request) -> web.StreamResponse:
        args: JSON = {"file": request.match_info["file"]}
        try:
            await web_api.suffer(self._lab, DOWNLOAD)
        except (RateLimitError, SlackError) as refusal:
            status = 429 if isinstance(refusal, RateLimitError) else 500
            self._record(DOWNLOAD, args, status, refusal.reply(), None)
            headers = {"Retry-After": str(refusal.seconds)} if isinstance(refusal, RateLimitError) else {}
            return web.Response(status=status, headers=headers)
        except DroppedError:
            self._record(DOWNLOAD, args, 0, {}, "request")
            return web_api.cut(request)
        self._record(DOWNLOAD, args, 200, {"ok": True}, None)
        is_in = request.headers.get("Authorization") == f"Bearer {self._lab.bot_token}"
        if not is_in or "files:read" not in self._lab.scopes:
            return web.Response(text=SIGN_IN, content_type="text/html")
        file = self._complete(request)
        if not file_shapes.app_sees(self._lab, file):
            raise web.HTTPNotFound
        return _bytes(file)

    def _complete(self, request: web.Request) -> File:
        try:
            file = self._lab.files.get(request.match_info["file"])
        except SlackError:
            raise web.HTTPNotFound from None
        if not file.is_complete or file.is_deleted:
            raise web.HTTPNotFound
        return file


def may_read(lab: Lab, file: File, person: str) -> bool:
    """Is it somebody's own, or shared in a conversation that they are in?"""
    return file.user == person or any(person in lab.workspace.channel(share.channel).members for share in file.shares)


def _bytes(file: File) -> web.Response:
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=file.data, content_type="application/octet-stream", headers=headers)
