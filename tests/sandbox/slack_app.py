"""A small app on the real Bolt, in Socket Mode or on HTTP, against the sandbox's Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import Slack


def client_for(slack: Slack, session: ClientSession, token: str | None = None) -> AsyncWebClient:
    return AsyncWebClient(token=token or slack.bot_token, base_url=slack.api_url, session=session)


def bolt_app(slack: Slack, session: ClientSession) -> AsyncApp:
    async def authorize(**_: Any) -> AuthorizeResult:
        app = slack.workspace.app
        return AuthorizeResult(
            enterprise_id=None,
            team_id=slack.workspace.team.id,
            bot_user_id=app.user_id,
            bot_id=app.bot_id,
            bot_token=slack.bot_token,
        )

    return AsyncApp(
        client=client_for(slack, session),
        signing_secret=slack.signing_secret,
        authorize=authorize,
        process_before_response=True,
    )


@asynccontextmanager
async def in_socket_mode(slack: Slack, app: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
    handler = AsyncSocketModeHandler(app, slack.app_token)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
    await slack.wait_until_connected()
    try:
        yield handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]  # the same
        await handler.client.aiohttp_client_session.close()


class HttpApp:
    """Where the app listens in HTTP mode; `app` may be set after the address is known."""

    def __init__(self) -> None:
        self.app: AsyncApp | None = None
        self.requests: list[web.Request] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        assert self.app is not None
        body = await request.text()
        headers: dict[str, str | Sequence[str]] = dict(request.headers.items())
        answer = await self.app.async_dispatch(AsyncBoltRequest(body=body, headers=headers))
        first = {name: values[0] for name, values in answer.headers.items()}
        return web.Response(status=answer.status, text=answer.body, headers=first)


@asynccontextmanager
async def listening() -> AsyncIterator[HttpApp]:
    place = HttpApp()
    server = web.Application()
    server.router.add_post("/slack/events", place.answer)
    runner = web.AppRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    place.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    try:
        yield place
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running(mode: str, **options: Any) -> AsyncIterator[tuple[Slack, AsyncApp]]:
    """A Slack and an app that is connected to it. Listeners may be added to the app at any time."""
    async with ClientSession() as session:
        if mode == "socket":
            async with Slack(mode="socket", **options) as slack:
                app = bolt_app(slack, session)
                async with in_socket_mode(slack, app):
                    yield slack, app
        else:
            async with listening() as place, Slack(mode="http", events_url=place.url, **options) as slack:
                place.app = app = bolt_app(slack, session)
                await slack.wait_until_connected()
                yield slack, app
