"""The people's side: what the page reads and does, JSON in and out, without a token.

    GET  /page/state                     everything (see `state`)
    GET  /page/events?after=SEQ          server-sent events, `data: {"seq": n, "type": TYPE, TYPE: object}` (see below)
    POST /page/command                   {user, channel, text, thread_ts?}
    POST /page/message                   {user, channel, text, thread_ts?} -> {ok, ts}
    POST /page/file                      {user, channel, name, content, text?, thread_ts?} -> {ok, ts, file}; content is
                                          base64
    POST /page/click                     {user, channel, message_ts | ephemeral_id, action_id, block_id?, value?,
                                          CHOICE?}
    POST /page/ephemeral/dismiss         {user, ephemeral_id}
    POST /page/shortcut                  {user, callback_id, channel?, message_ts?}
    POST /page/view/click                {user, view_id, action_id, block_id?, value?, CHOICE?, values?} (as for submit)
    POST /page/view/submit               {user, view_id, values: {block_id: {action_id: {type, value | selected_…}}}}
                                          (a file field has files: {id} of one uploaded, or {name, content})
    POST /page/view/close                {user, view_id, everything?}
    POST /page/home                      {user, tab?} -> {ok, view?}
    POST /page/channel/create            {name, private?, members?} -> {ok, channel}
    POST /page/channel/invite | kick     {channel, user, by?}
    POST /page/channel/archive           {channel}
    POST /page/dm                        {user, with?} -> {ok, channel}: with the bot, or with another person
    POST /page/usergroup                 {id, members}
    GET  /page/services                  […], the services' snapshots
    POST /page/services/{service}/act    {action, …}
    GET  /page/slack/switches            {ok, silent, switches: […]}
    POST /page/slack/switch              {name, value}

Types of events: message, message_deleted {channel, ts}, ephemeral, ephemeral_deleted {id, channel, user}, view,
view_closed {view_id, user}, channel, service, bot {connected, connections}, notice {user, channel, text}, home (a Home
tab, in the form of a view), usergroup {id, handle, members}, reload (too much was missed: read the state again).

CHOICE is `selected_option` (an option or its value) or another `selected…` key of the element's kind, as in the
payloads that Slack sends: selected_options, selected_user, selected_date, selected_time, …

A view has, beside the agreed keys, `trouble` (Slack could not reach the app) and `state` (what is filled in); an
ephemeral has `author`: "app" or "slackbot", and `thread_ts`; a deed's reply has `errors` where a form was refused.
A refused deed answers {"ok": false, "error": code}, with status 200 as Slack does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.slack.attachments import read_content
from sandbox.slack.people import Person
from sandbox.slack.wire import JSON, SlackError, without_nothing
from sandbox.slack.workspace import Ephemeral, Message

if TYPE_CHECKING:
    from sandbox.slack.server import Slack

STATIC = Path(__file__).parent / "page"
# A comment now and then shows the server whether the page is still there.
HEARTBEAT_SECONDS = 15.0

Deed = Callable[[JSON], Awaitable[JSON]]


class Body(dict[str, Any]):
    """What the page sent; a key that is not there is refused by its name."""

    def __missing__(self, name: str) -> Any:
        raise SlackError("invalid_arguments", message=f"{name} is missing")


class PageApi:
    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    def routes(self) -> list[web.RouteDef]:
        posts = [web.post(f"/page/{path}", _answering(deed)) for path, deed in self._deeds().items()]
        return [
            web.get("/", self._index),
            web.get("/page/static/{path:.+}", self._static),
            web.get("/page/state", self._state),
            web.get("/page/events", self._events),
            web.get("/page/services", self._services),
            web.get("/page/slack/switches", self._switches),
            web.post("/page/services/{service}/act", self._act),
            *posts,
        ]

    def _deeds(self) -> dict[str, Deed]:
        return {
            "command": self._command,
            "message": self._message,
            "file": self._file,
            "click": self._click,
            "ephemeral/dismiss": self._dismiss,
            "shortcut": self._shortcut,
            "view/click": self._view_click,
            "view/submit": self._view_submit,
            "view/close": self._view_close,
            "home": self._home,
            "locale": self._locale,
            "channel/create": self._create,
            "channel/invite": self._invite,
            "channel/kick": self._kick,
            "channel/archive": self._archive,
            "dm": self._dm,
            "usergroup": self._usergroup,
            "slack/switch": self._switch,
        }

    # Reading

    async def _index(self, _request: web.Request) -> web.StreamResponse:
        return _file("index.html")

    async def _static(self, request: web.Request) -> web.StreamResponse:
        return _file(request.match_info["path"])

    async def _state(self, _request: web.Request) -> web.Response:
        return web.json_response(state(self._slack))

    async def _services(self, _request: web.Request) -> web.Response:
        return web.json_response(self._slack.services_snapshot())

    async def _switches(self, _request: web.Request) -> web.Response:
        faults = self._slack.faults
        return web.json_response({"ok": True, "silent": faults.silent, "switches": faults.page()})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        after = request.query.get("after", "")
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        seq = int(after) if after.isdecimal() else self._slack.feed.seq
        with suppress(ConnectionError):
            await self._stream(response, seq)
        return response

    async def _stream(self, response: web.StreamResponse, seq: int) -> None:
        changes = self._slack.feed.follow(seq)
        upcoming = asyncio.ensure_future(anext(changes))
        try:
            while not self._slack.is_stopping:
                ready, _ = await asyncio.wait({upcoming}, timeout=HEARTBEAT_SECONDS)
                if not ready:
                    await response.write(b": still here\n\n")
                    continue
                await response.write(_event(upcoming.result()))
                upcoming = asyncio.ensure_future(anext(changes))
        finally:
            upcoming.cancel()

    # Doing

    async def _command(self, body: JSON) -> JSON:
        return (await self._person(body).command(body["text"], body["channel"], thread_ts=body.get("thread_ts"))).page()

    async def _message(self, body: JSON) -> JSON:
        said = await self._person(body).say(body["text"], body["channel"], thread_ts=body.get("thread_ts"))
        return {"ok": True, "ts": said.ts}

    async def _file(self, body: JSON) -> JSON:
        data, said = read_content(body["content"]), {"text": body.get("text", ""), "thread_ts": body.get("thread_ts")}
        message = await self._person(body).upload(body["name"], data, body["channel"], **said)
        return {"ok": True, "ts": message.ts, "file": message.files[0]["id"] if message.files else None}

    async def _click(self, body: JSON) -> JSON:
        outcome = await self._person(body).click(
            self._shown(body),
            body["action_id"],
            block_id=body.get("block_id"),
            value=body.get("value"),
            selected=_selected(body),
        )
        return outcome.page()

    async def _dismiss(self, body: JSON) -> JSON:
        self._slack.workspace.hide(self._ephemeral(body).id)
        return {"ok": True}

    async def _shortcut(self, body: JSON) -> JSON:
        person = self._person(body)
        if "message_ts" not in body:
            return (await person.global_shortcut(body["callback_id"])).page()
        message = self._slack.workspace.message(body["channel"], body["message_ts"])
        return (await person.message_shortcut(message, body["callback_id"])).page()

    async def _view_click(self, body: JSON) -> JSON:
        view = self._slack.views.by_id(body["view_id"])
        outcome = await self._person(body).click_in_view(
            view,
            body["action_id"],
            block_id=body.get("block_id"),
            selected=_selected(body),
            values=body.get("values"),
        )
        return outcome.page()

    async def _view_submit(self, body: JSON) -> JSON:
        view = self._slack.views.by_id(body["view_id"])
        return (await self._person(body).submit(view, body.get("values") or {})).page()

    async def _view_close(self, body: JSON) -> JSON:
        view = self._slack.views.by_id(body["view_id"])
        return (await self._person(body).close(view, everything=bool(body.get("everything")))).page()

    async def _home(self, body: JSON) -> JSON:
        view = await self._person(body).open_home(body.get("tab", "home"))
        return without_nothing({"ok": True, "view": view.page() if view else None})

    async def _locale(self, body: JSON) -> JSON:
        self._person(body).speak(body["locale"])
        return {"ok": True}

    async def _create(self, body: JSON) -> JSON:
        members = tuple(body.get("members") or self._slack.workspace.users)
        channel = self._slack.create_channel(body["name"], *members, private=bool(body.get("private")))
        return {"ok": True, "channel": channel.page()}

    async def _invite(self, body: JSON) -> JSON:
        self._slack.invite(body["channel"], body["user"], by=body.get("by"))
        return {"ok": True}

    async def _kick(self, body: JSON) -> JSON:
        self._slack.kick(body["channel"], body["user"])
        return {"ok": True}

    async def _archive(self, body: JSON) -> JSON:
        self._slack.workspace.archive(body["channel"])
        return {"ok": True}

    async def _dm(self, body: JSON) -> JSON:
        return {"ok": True, "channel": self._person(body).dm(body.get("with")).page()}

    async def _usergroup(self, body: JSON) -> JSON:
        self._slack.change_group(body["id"], *body["members"])
        return {"ok": True}

    async def _switch(self, body: JSON) -> JSON:
        await self._slack.switch(body["name"], body.get("value"))
        return {"ok": True}

    async def _act(self, request: web.Request) -> web.Response:
        service = request.match_info["service"]

        async def act(body: JSON) -> JSON:
            params = {name: value for name, value in body.items() if name != "action"}
            return self._slack.act_on_service(service, body["action"], **params)

        return await _answering(act)(request)

    # Finding

    def _person(self, body: JSON) -> Person:
        return self._slack.person(body["user"])

    def _shown(self, body: JSON) -> Message | Ephemeral:
        if body.get("ephemeral_id"):
            return self._ephemeral(body)
        return self._slack.workspace.message(body["channel"], body["message_ts"])

    def _ephemeral(self, body: JSON) -> Ephemeral:
        found = self._slack.workspace.ephemerals.get(body["ephemeral_id"])
        if found is None or found.user != self._person(body).id:
            raise SlackError("message_not_found")
        return found


def state(slack: Slack) -> JSON:
    """Everything that the page shows, in one object; `seq` is where its events go on."""
    workspace, app = slack.workspace, slack.workspace.app
    return {
        "seq": slack.feed.seq,
        "team": {"id": workspace.team.id, "name": workspace.team.name, "domain": workspace.team.domain},
        "people": [one.page() for one in workspace.users.values()],
        "usergroups": [
            {"id": group.id, "handle": group.handle, "members": list(group.members)}
            for group in workspace.usergroups.values()
        ],
        "bot": {
            "user_id": app.user_id,
            "bot_id": app.bot_id,
            "name": app.name,
            "connected": slack.is_connected,
            "mode": slack.mode,
        },
        "commands": [command.page() for command in slack.manifest.commands.values()],
        "shortcuts": [
            {"callback_id": one.callback_id, "name": one.name, "type": one.kind} for one in slack.manifest.shortcuts
        ],
        "channels": [channel.page() for channel in workspace.channels.values()],
        "messages": {
            channel: [workspace.page_message(message) for message in workspace.in_channel(channel).values()]
            for channel in workspace.channels
        },
        "ephemerals": [ephemeral.page() for ephemeral in workspace.ephemerals.values()],
        "views": [view.page() for view in slack.views.all_open()],
        "homes": [view.page() for view in slack.views.homes.values()],
        "services": slack.services_snapshot(),
    }


def _event(change: JSON) -> bytes:
    return f"data: {json.dumps(change)}\n\n".encode()


def _answering(deed: Deed) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            return web.json_response(await deed(await _body(request)))
        except SlackError as refusal:
            return web.json_response(refusal.reply())

    return answer


async def _body(request: web.Request) -> JSON:
    """JSON only: a browser asks before it lets a foreign page send that."""
    if request.content_type != "application/json":
        raise SlackError("invalid_content_type")
    try:
        body: Any = await request.json()
    except ValueError:
        raise SlackError("invalid_json") from None
    if not isinstance(body, dict):
        raise SlackError("json_not_object")
    return Body(body)


def _file(name: str) -> web.StreamResponse:
    """A file of the page's folder, and of no other."""
    root = STATIC.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        raise web.HTTPNotFound(text="There is no such file on this page.")
    return web.FileResponse(path, headers={"Cache-Control": "no-cache"})


def _selected(body: JSON) -> Any:
    """`selected_option`, any other `selected…` key of the element's kind, or what was typed."""
    return next((value for key, value in body.items() if key.startswith("selected")), body.get("value"))
