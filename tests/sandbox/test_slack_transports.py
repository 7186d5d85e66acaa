"""How envelopes travel: sockets and signed requests, three seconds, one connection each, repeats for events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError, web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from sandbox.clock import Clock
from sandbox.slack import Slack, manifest
from tests.sandbox.slack_app import client_for, running

FAST: dict[str, Any] = {"ack_seconds": 0.3, "event_retries": (0.0, 0.05), "manifest": manifest.default()}


async def open_address(slack: Slack, session: ClientSession) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {slack.app_token}"}
    async with session.post(slack.api_url + "apps.connections.open", headers=headers) as reply:
        body: dict[str, Any] = await reply.json()
    return body


@asynccontextmanager
async def socket(slack: Slack, session: ClientSession) -> AsyncIterator[ClientWebSocketResponse]:
    """A bare connection, past its hello."""
    address = (await open_address(slack, session))["url"]
    async with session.ws_connect(address) as connection:
        assert (await connection.receive_json())["type"] == "hello"
        yield connection


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


async def ack(connection: ClientWebSocketResponse, payload: Any = None) -> dict[str, Any]:
    """Receives one envelope and acknowledges it."""
    envelope: dict[str, Any] = await connection.receive_json()
    answer = {"envelope_id": envelope["envelope_id"]} | ({"payload": payload} if payload is not None else {})
    await connection.send_json(answer)
    return envelope


# Socket Mode


async def test_an_address_opens_one_connection(session: ClientSession) -> None:
    """The address of a socket is good for once; a used or made-up one is refused."""
    async with Slack() as slack:
        address = (await open_address(slack, session))["url"]
        async with session.ws_connect(address) as connection:
            hello = await connection.receive_json()
            assert hello["connection_info"] == {"app_id": "A0SWITCHY1"}
            assert hello["num_connections"] == 1
            with pytest.raises(WSServerHandshakeError):
                await session.ws_connect(address)


async def test_each_envelope_goes_to_exactly_one_connection(session: ClientSession) -> None:
    """Several connections take turns."""
    async with Slack(**FAST) as slack, socket(slack, session) as first, socket(slack, session) as second:
        ada = slack.person("ada")
        for turn, connection in enumerate((first, second, first)):
            outcome, envelope = await asyncio.gather(ada.command(f"/train {turn}"), ack(connection))
            assert outcome.ok
            assert envelope["payload"]["text"] == str(turn)
            assert envelope["accepts_response_payload"] is True
        assert [one.ack for one in slack.deliveries] == [None] * 3


async def test_a_command_without_an_ack_fails_visibly(session: ClientSession) -> None:
    """Slack shows its author a sentence of its own."""
    async with Slack(**FAST) as slack, socket(slack, session):
        outcome = await slack.person("ada").command("/train x")
        assert (outcome.ok, outcome.error) == (False, "operation_timeout")
        shown = slack.ephemerals("ada")[0]
        assert (shown.text, shown.author) == ('/train failed with the error "operation_timeout"', "slackbot")


async def test_a_command_without_any_app_fails_at_once() -> None:
    """Nobody is connected, so nobody is waited for."""
    async with Slack() as slack:
        outcome = await slack.person("ada").command("/train x")
        assert outcome.message == "/train failed because the app did not respond."


async def test_an_event_is_repeated_until_it_is_acked(session: ClientSession) -> None:
    """The same event comes again with its number and reason, and under a new envelope."""
    async with Slack(**FAST) as slack, socket(slack, session) as connection:
        slack.invite("general", "switchyard", by="U0ADA00001")
        lost = await connection.receive_json()
        again = await ack(connection)
        assert lost["payload"] == again["payload"]
        assert lost["envelope_id"] != again["envelope_id"]
        assert (lost["retry_attempt"], again["retry_attempt"], again["retry_reason"]) == (0, 1, "timeout")
        assert again["payload"]["event"]["type"] == "member_joined_channel"
        await slack.wait_for(lambda: slack.deliveries[-1].ack_ms is not None)
        assert [one.error for one in slack.deliveries] == ["operation_timeout", None]


async def test_clicks_and_commands_are_not_repeated(session: ClientSession) -> None:
    """Only events are."""
    async with Slack(**FAST) as slack, socket(slack, session):
        await slack.person("ada").command("/train x")
        assert [one.retry_attempt for one in slack.deliveries] == [0]


async def test_there_are_at_most_ten_connections(session: ClientSession) -> None:
    """The eleventh is sent away with the reason."""
    async with Slack() as slack:
        held = [await session.ws_connect((await open_address(slack, session))["url"]) for _ in range(10)]
        async with session.ws_connect((await open_address(slack, session))["url"]) as surplus:
            frame = await surplus.receive_json()
            assert (frame["type"], frame["reason"]) == ("disconnect", "too_many_websockets")
            assert (await surplus.receive()).type is WSMsgType.CLOSE
        for connection in held:
            await connection.close()


async def test_a_warning_leaves_the_socket_open_and_other_reasons_close_it(session: ClientSession) -> None:
    """Both announce themselves in a frame."""
    async with Slack() as slack, socket(slack, session) as connection:
        await slack.switch("disconnect", {"reason": "warning"})
        assert (await connection.receive_json())["reason"] == "warning"
        await slack.switch("disconnect", {"reason": "refresh_requested"})
        assert (await connection.receive_json())["reason"] == "refresh_requested"
        assert (await connection.receive()).type is WSMsgType.CLOSE


@pytest.mark.parametrize("fault", [{"reason": "warning"}, {"reason": "refresh_requested"}, {"abort": True}])
async def test_slack_sdk_comes_back_after_a_disconnect(session: ClientSession, fault: dict[str, Any]) -> None:
    """The official client opens a new connection, and commands reach it there."""

    async def answer(client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))

    async with Slack(manifest=manifest.default()) as slack:
        client = SocketModeClient(
            app_token=slack.app_token, web_client=client_for(slack, session), ping_interval=0.05, trace_enabled=False
        )
        client.socket_mode_request_listeners.append(answer)
        await client.connect()  # type: ignore[no-untyped-call]  # slack_sdk leaves it untyped
        await slack.wait_until_connected()
        await slack.switch("disconnect", fault)
        await slack.wait_for(lambda: len(slack.calls_of("apps.connections.open")) == 2)
        await slack.wait_until_connected()
        assert (await slack.person("ada").command("/train x")).ok
        await client.close()  # type: ignore[no-untyped-call]  # the same
        await client.aiohttp_client_session.close()


async def test_silence_keeps_the_socket_and_carries_nothing(session: ClientSession) -> None:
    """The worst kind of network: the wire is there, neither envelopes nor pongs come."""
    async with Slack(**FAST) as slack, socket(slack, session) as connection:
        await slack.switch("silent", True)
        assert (await slack.person("ada").command("/train x")).error == "operation_timeout"
        assert not connection.closed
        await slack.switch("silent", False)
        outcome, _ = await asyncio.gather(slack.person("ada").command("/train y"), ack(connection))
        assert outcome.ok


async def test_slack_pings_and_answers_pings(session: ClientSession) -> None:
    """Both ends can tell that the other is there."""
    async with Slack(ping_seconds=0.01) as slack:
        address = (await open_address(slack, session))["url"]
        async with session.ws_connect(address, autoping=False) as connection:
            await connection.ping(b"sdk")
            frames = [await connection.receive() for _ in range(3)]
            assert {frame.type for frame in frames} == {WSMsgType.TEXT, WSMsgType.PING, WSMsgType.PONG}


async def test_an_ack_of_something_else_is_ignored(session: ClientSession) -> None:
    """Frames that answer nothing do no harm."""
    async with Slack(**FAST) as slack, socket(slack, session) as connection:
        for frame in ("no json", "[]", '{"envelope_id": "unknown"}', '{"envelope_id": 7}'):
            await connection.send_str(frame)
        outcome, _ = await asyncio.gather(slack.person("ada").command("/train x"), ack(connection))
        assert outcome.ok


async def test_an_app_may_be_refused_a_connection(session: ClientSession) -> None:
    """The switch hits apps.connections.open; in HTTP mode there is no socket at all."""
    async with Slack() as slack:
        await slack.switch("refuse", {"times": 1})
        assert (await open_address(slack, session))["error"] == "internal_error"
        assert (await open_address(slack, session))["ok"]
    async with Slack(mode="http") as slack:
        assert not (await open_address(slack, session))["ok"]


# HTTP


class Receiver:
    """An app that looks at the bare requests. `answers` is taken from the front; when it is empty, an empty 200."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[web.Response] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        if b"url_verification" in body:
            return web.Response(text=json.loads(body)["challenge"])
        self.requests.append((dict(request.headers), body))
        return self.answers.pop(0) if self.answers else web.Response()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    place, server = Receiver(), web.Application()
    server.router.add_post("/slack/events", place.answer)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    place.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    yield place
    await runner.cleanup()


async def test_requests_are_signed_as_slack_signs_them(receiver: Receiver) -> None:
    """Slack's own verifier accepts them; a command is a form, a click a form with one JSON field."""
    async with Slack(mode="http", events_url=receiver.url, manifest=manifest.default()) as slack:
        await slack.wait_until_connected()
        await slack.person("ada").command("/train sestek my-model en-US")
        slack.invite("general", "switchyard")
        await slack.wait_for(lambda: len(receiver.requests) == 2)
        verifier = SignatureVerifier(slack.signing_secret)
        for headers, body in receiver.requests:
            assert verifier.is_valid_request(body, headers)
        command = parse_qs(receiver.requests[0][1].decode())
        assert command["text"] == ["sestek my-model en-US"]
        assert command["is_enterprise_install"] == ["false"]
        assert json.loads(receiver.requests[1][1])["event"]["type"] == "member_joined_channel"


async def test_the_body_of_the_answer_is_honoured(receiver: Receiver) -> None:
    """Plain text and JSON alike; JSON may also speak to the whole channel."""
    async with Slack(mode="http", events_url=receiver.url, manifest=manifest.default()) as slack:
        receiver.answers += [
            web.Response(text="plain"),
            web.json_response({"text": "for all", "response_type": "in_channel"}),
        ]
        ada = slack.person("ada")
        assert (await ada.command("/train 1")).ok
        assert (await ada.command("/train 2")).ok
        assert [one.text for one in ada.ephemerals()] == ["plain"]
        assert [(one.text, one.bot_id) for one in slack.messages("trainings")] == [("for all", "B0SWITCHY1")]


async def test_an_event_is_repeated_with_its_number_unless_the_app_declines(receiver: Receiver) -> None:
    """X-Slack-No-Retry on a refusal ends the repeats."""
    async with Slack(mode="http", events_url=receiver.url, **FAST) as slack:
        await slack.wait_until_connected()
        receiver.answers += [web.Response(status=500), web.Response(status=500, headers={"X-Slack-No-Retry": "1"})]
        slack.invite("general", "switchyard")
        await slack.wait_for(lambda: len(slack.deliveries) == 2)
        retries = [(one[0].get("X-Slack-Retry-Num"), one[0].get("X-Slack-Retry-Reason")) for one in receiver.requests]
        assert retries == [(None, None), ("1", "http_error")]


async def test_a_refusal_and_a_dead_address_are_told_to_the_person(receiver: Receiver) -> None:
    """Neither is silent."""
    async with Slack(mode="http", events_url=receiver.url, **FAST) as slack:
        receiver.answers.append(web.Response(status=404))
        assert (await slack.person("ada").command("/train x")).error == "dispatch_failed"
    async with Slack(mode="http", events_url="http://127.0.0.1:9/slack/events", **FAST) as slack:
        assert not await slack.verify_url()
        assert (await slack.person("ada").command("/train x")).error == "dispatch_failed"
        assert not slack.is_connected


# Commands


async def test_names_that_no_app_registered_are_slacks_own_business(session: ClientSession) -> None:
    """Slack says so itself, and the app hears nothing."""
    async with Slack(manifest=manifest.default()) as slack, socket(slack, session):
        outcome = await slack.person("ada").command("/tarin x")
        assert outcome.error == "unknown_command"
        assert "`/tarin` is not a valid command" in slack.ephemerals("ada")[0].text
        assert slack.deliveries == []


async def test_commands_are_not_for_threads(session: ClientSession) -> None:
    """Slack's composer of a thread knows its own commands only."""
    async with Slack(manifest=manifest.default()) as slack, socket(slack, session):
        outcome = await slack.person("ada").command("/train x", thread_ts="1.1")
        assert outcome.message == "/train is not supported in threads. Sorry!"
        assert slack.deliveries == []


async def test_a_command_carries_what_was_typed_escaped(session: ClientSession) -> None:
    """Three characters are escaped and surrounding blanks go; names stay names unless the command asks for ids."""
    asking = manifest.Command(name="/ask", usage="", description="", should_escape=True)
    known = manifest.Manifest(
        commands={**manifest.default().commands, "/ask": asking}, scopes=frozenset(), events=frozenset()
    )
    async with Slack(manifest=known) as slack, socket(slack, session) as connection:
        ada, texts = slack.person("ada"), []
        for line in ("/train   a & b <c> @bora  ", "/ask @bora in #trainings", "/jobs"):
            _, envelope = await asyncio.gather(ada.command(line), ack(connection))
            texts.append(envelope["payload"]["text"])
        assert texts == ["a &amp; b &lt;c&gt; @bora", "<@U0BORA0001|bora> in <#C0TRAIN001|trainings>", ""]


async def test_the_name_of_a_closed_conversation_is_not_given_away(session: ClientSession) -> None:
    """Slack writes directmessage and privategroup instead."""
    async with Slack(manifest=manifest.default()) as slack, socket(slack, session) as connection:
        ada = slack.person("ada")
        secret = slack.create_channel("secret", "ada", private=True)
        names = []
        for place in (ada.dm(), ada.dm("bora"), secret):
            _, envelope = await asyncio.gather(ada.command("/jobs", place.id), ack(connection))
            names.append(envelope["payload"]["channel_name"])
        assert names == ["directmessage", "directmessage", "privategroup"]


async def test_a_reserved_name_is_delivered_and_marked(session: ClientSession) -> None:
    """Real Slack keeps /status for itself; here it works, and the page can say so."""
    async with Slack(manifest=manifest.default()) as slack, socket(slack, session) as connection:
        outcome, envelope = await asyncio.gather(slack.person("ada").command("/status"), ack(connection))
        assert outcome.ok
        assert envelope["payload"]["command"] == "/status"
        reserved = {name for name, command in slack.manifest.commands.items() if command.reserved}
        assert reserved == {"/status"}


async def test_every_subscribed_event_is_told_once() -> None:
    """A mention, a message, a group's new members and a Home tab each make one event."""
    subscribed = frozenset({"app_mention", "message.channels", "subteam_members_changed", "app_home_opened"})
    known = manifest.Manifest(commands={}, scopes=frozenset(), events=subscribed)
    async with running("socket", manifest=known) as (slack, app):
        seen: list[dict[str, Any]] = []
        for name in ("app_mention", "message", "subteam_members_changed", "app_home_opened"):

            @app.event(name)
            async def hear(event: dict[str, Any]) -> None:
                seen.append(event)

        ada = slack.person("ada")
        await ada.say("hello @switchyard", "trainings")
        await ada.say("nobody hears this", "general")
        slack.change_group("S0MLOPS001", "bora", "chie")
        await ada.open_home()
        await slack.wait_for(lambda: len([one for one in slack.deliveries if one.ack_ms is not None]) == 4)
        by_type = {event["type"]: event for event in seen}
        assert by_type["app_mention"]["text"] == "hello <@U0SWITCHY1>"
        assert by_type["subteam_members_changed"]["added_users"] == ["U0CHIE0001"]
        assert by_type["app_home_opened"]["tab"] == "home"


async def test_a_trigger_lives_three_seconds_of_a_persons_time(session: ClientSession) -> None:
    """Used twice, made up, or too late: each refusal has its own word. A faster clock does not hurry people."""
    clock = Clock(speed=50)
    async with Slack(clock=clock, manifest=manifest.default()) as slack, socket(slack, session) as connection:
        client = client_for(slack, session)
        view = {"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": []}

        async def open_view(trigger_id: str) -> str:
            reply = await client.api_call("views.open", json={"trigger_id": trigger_id, "view": view})
            return str(reply.get("error", "opened"))

        triggers = []
        for _ in range(2):
            _, envelope = await asyncio.gather(slack.person("ada").command("/train"), ack(connection))
            triggers.append(envelope["payload"]["trigger_id"])
        assert await open_view(triggers[0]) == "opened"
        for trigger_id, error in ((triggers[0], "exchanged_trigger_id"), ("1.2.3", "invalid_trigger_id")):
            with pytest.raises(Exception, match=error):
                await open_view(trigger_id)
        clock.advance(200)
        with pytest.raises(Exception, match="expired_trigger_id"):
            await open_view(triggers[1])
