"""/api/METHOD: who calls, may he, how often, with what; then the method's own work. Every call is recorded."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from sandbox.slack import arguments
from sandbox.slack.arguments import Arguments
from sandbox.slack.lab import Lab
from sandbox.slack.methods import registry
from sandbox.slack.methods.method import Method
from sandbox.slack.wire import JSON, SlackError

KEPT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the Web API, without its token. `dropped` is "request" or "reply" where the wire was cut."""

    method: str
    args: JSON
    time: float
    status: int
    reply: JSON
    dropped: str | None = None

    @property
    def ok(self) -> bool:
        return bool(self.reply.get("ok"))

    @property
    def error(self) -> str | None:
        return self.reply.get("error")


class RateLimitError(SlackError):
    """Answered with 429 and Retry-After."""

    def __init__(self, seconds: int) -> None:
        super().__init__("ratelimited")
        self.seconds = seconds


class DroppedError(Exception):
    """The wire is to be cut: no reply goes out."""


@dataclass(slots=True)
class WebApi:
    lab: Lab
    methods: dict[str, Method] = field(default_factory=registry.methods)
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=KEPT))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Slack answers nearly everything with 200; what went wrong stands in the body."""
        name = request.match_info["method"]
        args: JSON = {}
        try:
            args = await arguments.read(request)
            token = _token(request, args)
            reply = {"ok": True, **await self._reply(name, token, args)}
            response = web.json_response(reply, headers=self._scope_headers(name))
        except RateLimitError as refusal:
            reply = refusal.reply()
            response = web.json_response(reply, status=429, headers={"Retry-After": str(refusal.seconds)})
        except SlackError as refusal:
            reply = refusal.reply()
            response = web.json_response(reply, headers=self._scope_headers(name))
        except DroppedError:
            self._record(name, args, 0, {}, dropped="request")
            return cut(request)
        if await loses_reply(self.lab, name):
            self._record(name, args, response.status, reply, dropped="reply")
            return cut(request)
        self._record(name, args, response.status, reply)
        return response

    async def _reply(self, name: str, token: str | None, args: JSON) -> JSON:
        if name not in self.methods:
            raise SlackError("unknown_method", req_method=name)
        await suffer(self.lab, name)
        method, given = self.methods[name], Arguments(args)
        self._authorise(method, token)
        self._limit(name, method, given)
        if missing := given.missing(method.required):
            raise SlackError.with_messages("invalid_arguments", [f"missing required field: {arg}" for arg in missing])
        return method.call(self.lab, given)

    def _authorise(self, method: Method, token: str | None) -> None:
        if method.token == "none":
            return
        if not token:
            raise SlackError("not_authed")
        known = {self.lab.bot_token: "bot", self.lab.app_token: "app"}
        if token not in known:
            raise SlackError("invalid_auth")
        if known[token] != method.token:
            raise SlackError("not_allowed_token_type")
        if method.scopes and not self.lab.scopes.intersection(method.scopes):
            raise SlackError("missing_scope", needed=",".join(method.scopes), provided=self._provided())

    def _limit(self, name: str, method: Method, args: Arguments) -> None:
        if seconds := self.lab.limits.wait_for(name, method.tier, args.text("channel")):
            raise RateLimitError(seconds)

    def _scope_headers(self, name: str) -> dict[str, str]:
        method = self.methods.get(name)
        if method is None or method.token != "bot":
            return {}
        headers = {"X-OAuth-Scopes": self._provided()}
        return headers | ({"X-Accepted-OAuth-Scopes": ",".join(method.scopes)} if method.scopes else {})

    def _provided(self) -> str:
        return ",".join(sorted(self.lab.scopes))

    def _record(self, name: str, args: JSON, status: int, reply: JSON, *, dropped: str | None = None) -> None:
        now = self.lab.workspace.clock.time()
        shown = {key: value for key, value in args.items() if key != "token"}
        self.calls.append(Call(method=name, args=shown, time=now, status=status, reply=reply, dropped=dropped))
        self.lab.feed.stir()


async def suffer(lab: Lab, name: str) -> None:
    """What the switches do to a call before its work."""
    if late := lab.faults.take("delay", name):
        await asyncio.sleep(float(late.get("seconds", 1)))
    if lab.faults.take("drop_request", name):
        raise DroppedError
    if limited := lab.faults.take("rate_limited", name):
        raise RateLimitError(int(limited.get("retry_after", 1)))
    if failed := lab.faults.take("fail", name):
        raise SlackError(str(failed.get("error", "internal_error")))


async def loses_reply(lab: Lab, name: str) -> bool:
    """What the switches do to a call behind its work: a pause, and whether its reply gets lost."""
    if late := lab.faults.take("delay", name, after=True):
        await asyncio.sleep(float(late.get("seconds", 1)))
    return lab.faults.take("drop_reply", name) is not None


def cut(request: web.Request) -> web.Response:
    """Ends the connection without a word; the response that is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _token(request: web.Request, args: JSON) -> str | None:
    """From the header, or from the arguments as Slack's older clients send it."""
    scheme, _, header = request.headers.get("Authorization", "").partition(" ")
    token: Any = header.strip() if scheme == "Bearer" else args.get("token")
    return str(token) if token else None
