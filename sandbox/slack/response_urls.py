"""response_url: what an app says later to a command or a click, also where its bot is no member.

Source: https://docs.slack.dev/interactivity/handling-user-interaction (message responses). The words for a used and an
outdated address are those that Slack is seen to send; the status of a refused body is a guess.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sandbox.slack import content, web_api
from sandbox.slack.content import Content
from sandbox.slack.lab import Lab
from sandbox.slack.methods import chat
from sandbox.slack.tickets import Response
from sandbox.slack.web_api import Call, DroppedError, RateLimitError
from sandbox.slack.wire import JSON, SlackError
from sandbox.slack.workspace import Message

NAME = "response_url"
_GONE = {"used_url", "expired_url", "no_service"}


class ResponseUrls:
    def __init__(self, lab: Lab, api: web_api.WebApi) -> None:
        self._lab, self._api = lab, api

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body: JSON = {}
        headers: dict[str, str] = {}
        try:
            body = await _body(request)
            await web_api.suffer(self._lab, NAME)
            answer_to(self._lab, self._lab.responses.use(request.path), body)
            status, reply = 200, {"ok": True}
        except RateLimitError as refusal:
            status, reply, headers = 429, refusal.reply(), {"Retry-After": str(refusal.seconds)}
        except SlackError as refusal:
            status, reply = (404 if refusal.code in _GONE else 400), refusal.reply()
        except DroppedError:
            self._record(body, 0, {}, "request")
            return web_api.cut(request)
        if await web_api.loses_reply(self._lab, NAME):
            self._record(body, status, reply, "reply")
            return web_api.cut(request)
        self._record(body, status, reply, None)
        return web.json_response(reply, status=status, headers=headers)

    def _record(self, body: JSON, status: int, reply: JSON, dropped: str | None) -> None:
        now = self._lab.workspace.clock.time()
        self._api.calls.append(Call(method=NAME, args=body, time=now, status=status, reply=reply, dropped=dropped))
        self._lab.feed.stir()


def answer_to(lab: Lab, response: Response, body: JSON) -> None:
    """Does what an answer asks for: delete or replace the original, or say something new."""
    if _is_true(body.get("delete_original")):
        _delete_original(lab, response)
        return
    said = content.read(body, most_text=content.MOST_POSTED, truncate=True)
    if said.is_empty:
        raise SlackError("no_text")
    if _is_true(body.get("replace_original")) and _replace_original(lab, response, said):
        return
    _say(lab, response, said, body)


def _say(lab: Lab, response: Response, said: Content, body: JSON) -> None:
    thread_ts = body.get("thread_ts") or response.thread_ts
    channel = lab.workspace.channel(response.channel)
    if channel.archived:
        raise SlackError("is_archived")
    if body.get("response_type", "ephemeral") == "in_channel":
        message = chat.post(lab, channel, said, thread_ts=thread_ts, broadcast=False)
        response.message_ts = response.message_ts or message.ts
    else:
        shown = chat.whisper(lab, channel.id, response.user, said, thread_ts=thread_ts)
        response.ephemeral_id = response.ephemeral_id or shown.id


def _original(lab: Lab, response: Response) -> Message | None:
    return lab.workspace.in_channel(response.channel).get(response.message_ts or "")


def _delete_original(lab: Lab, response: Response) -> None:
    message = _original(lab, response)
    if message is not None:
        lab.workspace.delete(message)
    elif response.ephemeral_id in lab.workspace.ephemerals:
        lab.workspace.hide(response.ephemeral_id)
    else:
        raise SlackError("message_not_found")


def _replace_original(lab: Lab, response: Response, said: Content) -> bool:
    """Whether there was something to replace."""
    message = _original(lab, response)
    if message is not None:
        chat.edit(lab, message, said)
        return True
    ephemeral = lab.workspace.ephemerals.get(response.ephemeral_id or "")
    if ephemeral is None:
        return False
    lab.workspace.show(chat.same_whisper(ephemeral, said))
    return True


async def _body(request: web.Request) -> JSON:
    try:
        body: Any = await request.json()
    except ValueError:
        raise SlackError("invalid_payload") from None
    if not isinstance(body, dict):
        raise SlackError("invalid_payload")
    return body


def _is_true(value: Any) -> bool:
    """Slack takes the word as well as the value."""
    return value is True or value == "true"
