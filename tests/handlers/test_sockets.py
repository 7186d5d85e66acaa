"""Connections that are watched from outside: what breaks inside slack_sdk's client, and what Slack does at its door."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.poller import contain
from handlers.sockets import SHUT_OUT, Connection, Patience, Sockets
from sandbox.slack import Outcome, Slack
from sandbox.slack.places import APP_TOKEN
from sandbox.slack.socket_mode import SocketMode
from tests.sandbox.slack_app import bolt_app

QUICK = Patience(silence=1.2)
CHANNEL = "C0TRAIN001"
OPEN = "apps.connections.open"


REFUSALS = (aiohttp.ClientError, TimeoutError, OSError)


def sockets_for(app: AsyncApp, count: int = 2, **options: Any) -> Sockets:
    usual: dict[str, Any] = {"patience": QUICK, "refusals": REFUSALS, "contain": contain}
    return Sockets(app, APP_TOKEN, count=count, **(usual | options))


@dataclass
class Place:
    """A local Slack, an app that answers `/jobs`, and the app's connections. `answered` counts; `gate` holds back."""

    slack: Slack
    sockets: Sockets
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    answered: int = 0

    async def answer(self, ack: Callable[..., Awaitable[Any]]) -> None:
        await self.gate.wait()
        self.answered += 1
        await ack("here")

    async def ask(self) -> Outcome:
        return await self.slack.person("ada").command("/jobs", CHANNEL)

    async def stand(self, count: int) -> None:
        def enough() -> bool:
            return len(self.open) == count and all(one not in self.leaving for one in self.open)

        await until(enough)

    @property
    def open(self) -> list[Connection]:
        return [slot.connection for slot in self.sockets._slots if slot.connection is not None]

    @property
    def leaving(self) -> list[Connection]:
        return [one for one in self.sockets._open if one not in self.open]

    @property
    def opens(self) -> int:
        return len(self.slack.calls_of(OPEN))


async def until(fits: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not fits():  # noqa: ASYNC110  nothing says when the inside of a connection has changed
            await asyncio.sleep(0.01)


@asynccontextmanager
async def place(count: int = 1, patience: Patience = QUICK, **options: Any) -> AsyncIterator[Place]:
    async with aiohttp.ClientSession() as session, Slack(mode="socket", limits="off", **options) as slack:
        app = bolt_app(slack, session)
        made = Place(slack, sockets_for(app, count, patience=patience))
        made.gate.set()

        # Bolt hands arguments over by the names of a plain function.
        async def answer(ack: Any) -> None:
            await made.answer(ack)

        app.command("/jobs")(answer)
        async with made.sockets.open():
            await made.stand(count)
            yield made
        assert left_behind() == []


async def ask_in_vain(here: Place, fits: Callable[[], object]) -> None:
    """Some of this is not answered: a connection that is deaf shows itself by what it leaves lying."""
    async with asyncio.timeout(10):
        while not fits():
            asking = asyncio.create_task(here.ask())
            await asyncio.wait([asking], timeout=0.05)
            asking.cancel()


async def stop_reading(connection: Connection) -> None:
    assert connection.message_receiver is not None
    connection.message_receiver.cancel()


async def stop_handing_on(connection: Connection) -> None:
    connection.message_processor.cancel()


async def stop_watching_itself(connection: Connection) -> None:
    """And then the wire is cut, which nothing inside notices any more."""
    assert connection.current_session_monitor is not None
    connection.current_session_monitor.cancel()
    await stop_reading(connection)


async def stop_reading_while_the_clock_is_set_back(connection: Connection) -> None:
    """slack_sdk reckons with the time of day, by which the last answer to its pings now lies ahead."""
    await stop_reading(connection)
    connection.last_ping_pong_time = time.time() + 1e6
    connection.silent_for()


async def lose_its_session(connection: Connection) -> None:
    await connection.aiohttp_client_session.close()


BREAKS = [
    stop_reading,
    stop_reading_while_the_clock_is_set_back,
    stop_handing_on,
    stop_watching_itself,
    lose_its_session,
]


@pytest.mark.parametrize("breaks", BREAKS)
async def test_a_client_that_is_broken_inside_is_replaced(breaks: Callable[[Connection], Awaitable[None]]) -> None:
    """slack_sdk's own tasks and session may die while the socket looks open: a new client is made, and answers."""
    async with place() as here:
        [first] = here.open
        await breaks(first)
        await ask_in_vain(here, lambda: here.open != [first])
        await here.stand(1)
        assert (await here.ask()).ok
        assert first.closed
        assert first.aiohttp_client_session.closed


async def test_a_client_that_hands_nothing_on_is_found_before_a_click_is_lost() -> None:
    """Nobody types: a frame of our own goes the way of a click, and where it does not arrive, no click would."""
    async with place() as here:
        [first] = here.open
        await stop_handing_on(first)
        await until(lambda: first.closed and here.open not in ([], [first]))
        assert (await here.ask()).ok
        assert here.answered == 1


async def test_our_own_frames_are_answered_by_nobody() -> None:
    """They reach neither the app nor Slack, wait for nothing, and are no envelope that was handled."""
    async with place() as here:
        [first] = here.open
        for _ in range(20):
            await first.probe()
            await until(lambda: not first.received)
        signs = here.sockets.signs()
        assert (here.answered, signs.handled, signs.failures, signs.unanswered) == (0, None, 0, 0.0)
        assert here.open == [first]


async def test_signs_tell_what_was_handled_and_what_was_not() -> None:
    """Readiness rests on envelopes that were acknowledged: a handler that breaks shows, one that works clears it."""
    async with place() as here:

        async def breaks() -> None:
            raise LookupError

        here.sockets._app.command("/train")(breaks)
        assert here.sockets.signs().handled is None
        assert (await here.ask()).ok
        assert here.sockets.signs().handled is not None
        for count in (1, 2, 3):
            asking = asyncio.create_task(here.slack.person("ada").command("/train", CHANNEL))
            await until(lambda count=count: here.sockets.signs().failures == count)  # type: ignore[misc]
            asking.cancel()
        assert (await here.ask()).ok
        assert here.sockets.signs().failures == 0


async def test_what_is_being_answered_is_answered_on_its_own_connection() -> None:
    """Slack announces the end while a command is in hand: the old connection goes only after the answer."""
    async with place() as here:
        here.gate.clear()
        [first] = here.open
        asking = asyncio.create_task(here.ask())
        await until(lambda: here.sockets.signs().unanswered > 0)
        await here.slack.switch("disconnect", {"reason": "warning"})
        await until(lambda: here.open not in ([], [first]))
        assert here.leaving == [first]
        assert not first.closed
        here.gate.set()
        assert (await asking).ok
        await until(lambda: first.closed)
        assert here.opens == 2


async def test_what_is_being_answered_is_answered_before_the_end() -> None:
    """A bot that is stopped with a command in hand acknowledges it first."""
    async with place() as here:
        here.gate.clear()
        asking = asyncio.create_task(here.ask())
        await until(lambda: here.sockets.signs().unanswered > 0)
        asyncio.get_running_loop().call_later(0.1, here.gate.set)
    assert (await asking).ok


async def test_an_answer_that_comes_too_late_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The wire is cut while a command is in hand: what was done is done, and nothing else suffers."""
    async with place() as here:
        here.gate.clear()
        asking = asyncio.create_task(here.ask())
        await until(lambda: here.sockets.signs().unanswered > 0)
        await here.slack.switch("disconnect", {"abort": True})
        await until(lambda: here.opens == 2)
        here.gate.set()
        await until(lambda: here.sockets.signs().unanswered == 0)
        assert here.answered == 1
        assert "an answer found its connection closed" in caplog.text
        await here.stand(1)
        assert (await here.ask()).ok
        asking.cancel()


async def test_signs_tell_silence_and_what_waits() -> None:
    """One age for each connection that is open, and the age of the oldest envelope without an acknowledgement."""
    async with place(2) as here:
        signs = here.sockets.signs()
        assert (signs.wanted, len(signs.silences), signs.unanswered) == (2, 2, 0.0)
        here.gate.clear()
        asking = [asyncio.create_task(here.ask()) for _ in range(3)]
        await until(lambda: here.sockets.signs().unanswered > 0.05)
        here.gate.set()
        assert all(outcome.ok for outcome in await asyncio.gather(*asking))
        assert here.sockets.signs().unanswered == 0.0


async def test_pongs_alone_are_signs_of_life() -> None:
    """Nobody types, and the server sends nothing by itself for longer than silence is allowed: nothing moves."""
    async with place(ping_seconds=1000) as here:
        [first] = here.open
        seen = 0
        while seen < 4:
            before = first.last_ping_pong_time
            await until(lambda before=before: first.last_ping_pong_time != before)  # type: ignore[misc]
            assert here.sockets.signs().silences[0] < QUICK.silence
            seen += 1
        assert here.open == [first]
        assert here.opens == 1


async def test_too_many_connections_are_not_fought_over() -> None:
    """Nine of ten places are taken: one connection serves, the other one's tries become as rare as they ever get."""
    async with aiohttp.ClientSession() as session, Slack(mode="socket", limits="off") as slack:
        transport = slack.transport
        assert isinstance(transport, SocketMode)
        others = [
            await session.ws_connect(f"{slack.base_url}/link/?ticket={transport.links.issue()}") for _ in range(9)
        ]
        sockets = sockets_for(bolt_app(slack, session))
        async with sockets.open():
            await until(lambda: any(slot.failures > 2 for slot in sockets._slots))
            await until(lambda: any(slot.connection for slot in sockets._slots))
            [shut_out] = [slot for slot in sockets._slots if slot.connection is None]
            assert QUICK.pause(shut_out.failures, 1) == QUICK.longest_pause
            assert len(slack.calls_of(OPEN)) == 2
            await others[0].close()
            await until(lambda: shut_out.connection)
        for other in others:
            await other.close()


async def test_the_end_does_not_wait_for_slack() -> None:
    """A bot that never reached Slack stops cleanly, and so does one in the middle of an attempt: no task is left."""
    async with aiohttp.ClientSession() as session, Slack(mode="socket", limits="off") as slack:
        await slack.switch("silent", True)
        sockets = sockets_for(bolt_app(slack, session))
        async with sockets.open():
            await slack.wait_for(lambda: len(slack.calls_of(OPEN)) == 2)
        await slack.switch("fail", {"method": "*", "times": 1000})
        async with sockets_for(bolt_app(slack, session)).open():
            await slack.wait_for(lambda: len(slack.calls_of(OPEN)) >= 5)
        assert left_behind() == []


async def test_nothing_is_left_of_connections_that_are_over() -> None:
    """Neither of one that was replaced nor of the last one: no task of slack_sdk's and none of ours."""
    async with place(2) as here:
        old = here.open
        await here.slack.switch("disconnect", {"reason": "warning"})
        await until(lambda: all(one.closed for one in old) and not here.leaving)
        await here.stand(2)
        await until(lambda: len(left_behind()) == 2 * len(("keeper", "receiver", "monitor", "processor")))
        new = here.open
    assert all(one.aiohttp_client_session.closed for one in [*old, *new])


def left_behind() -> list[str]:
    """The tasks of connections that are not done."""
    ours = ("SocketModeClient.", "AsyncBaseSocketModeClient.", "Sockets.", "Connection.")
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith(ours)]


# A door of our own, for what the sandbox's Slack never says

Answer = tuple[int, dict[str, str], str]
REFUSED = json.dumps({"ok": False, "error": "ratelimited"})
CUT: Answer = (0, {}, "")


@dataclass
class Door:
    """Answers apps.connections.open with `answers`, then with addresses; `upgrades` are the statuses of the sockets.

    `lives` says after how many seconds the sockets are told to go; a mute door hears nothing after its hello.
    """

    answers: list[Answer] = field(default_factory=list)
    upgrades: list[int] = field(default_factory=list)
    opens: int = 0
    greeted: asyncio.Event = field(default_factory=asyncio.Event)
    lives: list[float] = field(default_factory=list)
    is_mute: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)
    first_frames: list[str] = field(default_factory=list)

    async def open(self, request: web.Request) -> web.Response:
        self.opens += 1
        if self.answers:
            status, headers, text = self.answers.pop(0)
            if not status and request.transport is not None:
                request.transport.abort()
            return web.Response(status=status or 200, headers=headers, text=text)
        return web.json_response({"ok": True, "url": f"ws://{request.host}/api/link?ticket={self.opens}"})

    async def link(self, request: web.Request) -> web.StreamResponse:
        status = self.upgrades.pop(0) if self.upgrades else 101
        if status != 101:
            return web.Response(status=status)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for frame in [*self.first_frames, '{"type": "hello"}']:
            await socket.send_str(frame)
        self.greeted.set()
        if self.is_mute:
            await self.released.wait()
        elif self.lives:
            asyncio.get_running_loop().call_later(self.lives.pop(0), self._end, socket)
        async for _ in socket:
            pass
        return socket

    def _end(self, socket: web.WebSocketResponse) -> None:
        self.ending = asyncio.create_task(socket.send_str('{"type": "disconnect", "reason": "refresh_requested"}'))


@asynccontextmanager
async def at(door: Door, **options: Any) -> AsyncIterator[Sockets]:
    """One connection, that tries this door."""
    async with standing(door) as client:
        sockets = sockets_for(AsyncApp(client=client, signing_secret="unused", authorize=nobody), 1, **options)
        async with sockets.open():
            yield sockets
        assert left_behind() == []


@asynccontextmanager
async def standing(door: Door) -> AsyncIterator[AsyncWebClient]:
    page = web.Application()
    page.add_routes([web.post("/api/apps.connections.open", door.open), web.get("/api/link", door.link)])
    runner = web.AppRunner(page)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
        async with aiohttp.ClientSession() as session:
            yield AsyncWebClient(token="xoxb-door", base_url=base_url, session=session, retry_handlers=[])
    finally:
        door.released.set()
        await runner.cleanup()


async def nobody() -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=None, team_id=None)


NO_ADDRESS = [
    pytest.param((502, {"Content-Type": "text/html"}, "<p>bad gateway</p>"), id="a page"),
    pytest.param((200, {"Content-Type": "application/json"}, "[]"), id="a list"),
    pytest.param((200, {"Content-Type": "application/json"}, "{"), id="half an object"),
    pytest.param((200, {"Content-Type": "application/json"}, '{"ok": true}'), id="no address"),
    pytest.param((200, {"Content-Type": "application/json"}, '{"ok": true, "url": 7}'), id="a number"),
    pytest.param((200, {"Content-Type": "text/plain"}, "ok"), id="plain text"),
    pytest.param(CUT, id="nothing"),
    pytest.param((429, {"Content-Type": "application/json", "Retry-After": "0.1"}, REFUSED), id="too often"),
    pytest.param((429, {"Content-Type": "application/json", "Retry-After": "soon"}, REFUSED), id="no number"),
    pytest.param((429, {"Content-Type": "text/html"}, "slow down"), id="too often, as a page"),
]


@pytest.mark.parametrize("answer", NO_ADDRESS)
async def test_any_answer_but_an_address_is_followed_by_one_more_try(answer: Answer) -> None:
    """Proxies and captive portals answer too: none of it ends the tries, none of it is taken for an address."""
    door = Door([answer, answer])
    async with at(door):
        await until(door.greeted.is_set)
        assert door.answers == []
        assert door.opens >= 3  # on a busy machine a first greeting may come too late


async def test_the_time_that_slack_asks_for_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    """Retry-After is longer than our own pause: the next try is not made before."""
    later = (429, {"Content-Type": "application/json", "Retry-After": "3600"}, REFUSED)
    door = Door([later])
    async with at(door) as sockets:
        await until(lambda: sockets._slots[0].wait)
        assert sockets._slots[0].wait == 3600
        await asyncio.sleep(0.2)
        assert door.opens == 1
        assert "connection 1 to Slack does not open: ratelimited" in caplog.text


async def test_a_refused_socket_needs_a_new_address() -> None:
    """An address serves once: after a refused upgrade the next one is asked for, not the same one tried again."""
    door = Door(upgrades=[403])
    async with at(door):
        await until(door.greeted.is_set)
        assert door.opens == 2


async def test_a_failure_that_nobody_foresaw_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its trace, and the next round follows."""
    door = Door([CUT])
    async with at(door, refusals=()):
        await until(door.greeted.is_set)
        assert door.opens == 2
    assert "connection 1 to Slack failed" in caplog.text


async def test_a_connection_that_dies_young_is_a_failure_and_one_that_lived_is_none() -> None:
    """A door that greets and shows out at once is not stormed; who stayed for a while is let in at once again."""
    silence = QUICK.silence
    door = Door(lives=[0, 0, 0, 0, silence + 0.1])
    async with at(door) as sockets:
        [slot] = sockets._slots
        await until(lambda: slot.failures >= 5)
        await until(lambda: slot.failures == 1)
        assert not door.lives


async def test_a_goodbye_that_nobody_answers_holds_nothing_up() -> None:
    """The other side reads no more, and aiohttp alone would wait ten seconds for its goodbye."""
    door = Door(is_mute=True)
    async with standing(door) as client:
        connection = Connection(client, APP_TOKEN, f"{client.base_url.replace('http', 'ws', 1)}link", QUICK)
        async with asyncio.timeout(5):
            await connection.connect()  # type: ignore[no-untyped-call]  # slack_sdk leaves it untyped
            await connection.close()
        assert connection.aiohttp_client_session.closed


async def test_an_answer_that_never_comes_does_not_keep_the_bot_from_stopping() -> None:
    """What hangs longer than Slack would wait for it is given up, and its task ends."""
    async with place(patience=Patience(silence=QUICK.silence, answer=0.1)) as here:
        here.gate.clear()
        asking = asyncio.create_task(here.ask())
        await until(lambda: here.sockets.signs().unanswered > 0)
    assert here.answered == 0
    assert not (await asking).ok


async def test_a_cut_wire_is_seen_at_the_next_look() -> None:
    """Not only by the ping that finds nobody, a third of the silence later."""
    async with place() as here:
        [first] = here.open
        assert first.current_session_monitor is not None
        first.current_session_monitor.cancel()
        await here.slack.switch("disconnect", {"abort": True})
        await until(lambda: first.current_session is None or first.current_session.closed)
        assert await first.trouble() == "closed"


async def test_a_client_that_never_connected_leaves_nothing() -> None:
    """Its task and its session end with it."""
    connection = Connection(AsyncWebClient(), APP_TOKEN, "ws://127.0.0.1:9/", QUICK)
    await connection.close()
    assert connection.message_processor.done()
    assert connection.aiohttp_client_session.closed


async def test_frames_that_make_no_sense_are_passed_over() -> None:
    """Whatever comes, the connection lives and the hello behind it is heard."""
    frames = ["", "nonsense", "[1]", "null", '{"type": 1}', '{"type": "x", "envelope_id": "e", "payload": 7}']
    door = Door(first_frames=frames)
    async with at(door) as sockets:
        await until(lambda: sockets.signs().silences)
        assert sockets.signs().unanswered == 0.0
        assert door.opens == 1


# The pace


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_pauses_double_up_to_the_longest(chance: float) -> None:
    """The first try waits for nothing; failures in a row make tries rare, never endlessly so, and never by overflow."""
    patience = Patience()
    assert patience.pause(0, chance) == 0
    pauses = [patience.pause(failures, chance) for failures in range(1, 200)]
    assert pauses == sorted(pauses)
    assert pauses[1] == 2 * pauses[0]
    assert pauses[-1] == patience.longest_pause * (1 + chance) / 2
    assert pauses[0] >= 0.5


def test_the_default_pace_stays_far_below_slack_s_limit() -> None:
    """Even ten connections that never succeed stay within the fifty calls a minute of a method of tier 3."""
    patience = Patience()
    assert 10 * 60 / patience.pause(100, 0) <= 20
    assert (patience.ping, patience.look, patience.begin, patience.longest_pause) == (10, 1, 3, 60)


def test_reasons_that_shut_out_are_known() -> None:
    """These two are in Slack's list of reasons for a `disconnect`."""
    assert frozenset({"too_many_websockets", "link_disabled"}) == SHUT_OUT
