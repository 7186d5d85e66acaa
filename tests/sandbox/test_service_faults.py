"""What can go wrong with any of the services: switches, single accidents, and what is written down of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import aiohttp
import pytest

from sandbox.clock import Clock
from sandbox.services import DeepOpinion, Services
from sandbox.services.faults import OUTAGES

Answer = tuple[int, bytes]
NAMES = ("sestek", "deepopinion", "decthings", "aitems", "sony")


@pytest.fixture
async def studio() -> AsyncIterator[DeepOpinion]:
    """One service stands for all where the fault has nothing to do with its contract."""
    service = DeepOpinion(Clock(speed=0), training_seconds=100)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    """All five."""
    five = Services(Clock(speed=0), training_seconds=100)
    await five.start()
    yield five
    await five.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps no connection. It repeats a GET or PUT by itself when the server hangs up, a POST never."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        yield session


def key(studio: DeepOpinion) -> dict[str, str]:
    """The header of a call."""
    return {"Authorization": f"Bearer {studio.api_key}"}


async def look(http: aiohttp.ClientSession, studio: DeepOpinion) -> Answer:
    """Get the models; status and bytes."""
    url = f"{studio.base_url}/projects/1/models"
    async with http.get(url, headers=key(studio), allow_redirects=False) as reply:
        return reply.status, await reply.read()


async def arrived(sending: Coroutine[Any, Any, int], studio: DeepOpinion) -> asyncio.Task[int]:
    """The request's task, once the service has the request and has not answered."""
    waiting = asyncio.create_task(sending)
    await studio.arrived("POST")
    await asyncio.sleep(0.02)
    assert not waiting.done()
    return waiting


async def train(http: aiohttp.ClientSession, studio: DeepOpinion, name: str = "hotel") -> int:
    """Start a training; the status."""
    async with http.post(f"{studio.base_url}/projects/1/models", headers=key(studio), json={"name": name}) as reply:
        await reply.read()
        return reply.status


async def test_a_refused_connection_never_reaches_the_service(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """Surely not sent: the port refuses, keeps its number, and takes connections again."""
    studio.act("outage", kind="refused")
    with pytest.raises(aiohttp.ClientConnectorError):
        await look(http, studio)
    assert studio.requests == []

    studio.act("outage", kind=None)
    assert (await look(http, studio))[0] == 200


async def test_an_open_connection_is_cut_when_the_port_closes(studio: DeepOpinion) -> None:
    """Also a client that keeps its connections meets the refusal."""
    async with aiohttp.ClientSession() as kept:
        await look(kept, studio)
        studio.act("outage", kind="refused")
        with pytest.raises(aiohttp.ClientConnectionError):
            await look(kept, studio)


async def test_a_port_may_close_and_open_many_times(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """Whatever the order of the switches, the last one counts."""
    for kind in ("refused", None, "refused", "refused", "500", None):
        studio.act("outage", kind=kind)

    assert (await look(http, studio))[0] == 200


async def test_a_reset_leaves_the_client_without_an_answer(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """The request arrived, no reply went out, and nothing was done."""
    studio.act("outage", kind="reset")
    with pytest.raises(aiohttp.ClientError):
        await train(http, studio)

    assert [(seen.method, seen.status) for seen in studio.requests] == [("POST", None)]
    assert not studio.starts


@pytest.mark.parametrize(
    ("kind", "status", "begins"),
    [("500", 500, b"500"), ("503", 503, b"503"), ("html", 200, b"<!doctype html>"), ("empty", 200, b"")],
)
async def test_a_broken_server_answers_something_else(
    http: aiohttp.ClientSession, studio: DeepOpinion, kind: str, status: int, begins: bytes
) -> None:
    """None of it is the documented JSON."""
    studio.act("outage", kind=kind)
    got, body = await look(http, studio)

    assert got == status
    assert body.startswith(begins)
    with pytest.raises(ValueError, match=r"Expecting|Extra data"):
        json.loads(body)


async def test_half_a_json_is_complete_http(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """The length is right, the JSON is not."""
    studio.act("outage", kind="half")
    status, body = await look(http, studio)

    assert status == 200
    with pytest.raises(ValueError, match="Unterminated"):
        json.loads(body)


async def test_a_cut_reply_is_shorter_than_announced(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """The connection ends in the middle of the body."""
    studio.act("outage", kind="cut")
    with pytest.raises(aiohttp.ClientPayloadError):
        await look(http, studio)


async def test_a_redirect_leads_to_another_origin(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """Who follows is caught: the other origin is this service under another name."""
    studio.act("outage", kind="redirect")
    assert (await look(http, studio))[0] == 302

    studio.fail_next("redirect", path_contains="/projects")
    studio.act("outage", kind=None)
    async with http.get(f"{studio.base_url}/projects/1/models", headers=key(studio)) as followed:
        assert followed.url.host == "localhost"
    assert len(studio.arrivals("GET", "/elsewhere")) == 1


async def test_a_hanging_service_lets_go_when_the_switch_is_taken_back(
    http: aiohttp.ClientSession, studio: DeepOpinion
) -> None:
    """No reply comes before; then the connection is cut."""
    studio.act("outage", kind="hang")
    waiting = await arrived(train(http, studio), studio)

    studio.act("outage", kind=None)
    with pytest.raises(aiohttp.ClientError):
        await waiting


async def test_a_slow_service_waits_by_the_clock(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """An advance brings the reply."""
    studio.act("slow", seconds=30)
    waiting = await arrived(train(http, studio), studio)

    studio.clock.advance(30)
    assert await waiting == 201


async def test_an_accident_after_the_work_is_an_ambiguous_answer(
    http: aiohttp.ClientSession, studio: DeepOpinion
) -> None:
    """The training runs, and the client cannot know."""
    studio.fail_next("reset", path_contains="/models", method="POST", after_work=True)
    with pytest.raises(aiohttp.ClientError):
        await train(http, studio)

    assert len(studio.starts) == 1
    assert studio.requests[-1].status is None


async def test_an_accident_happens_as_often_as_told_and_only_where_told(
    http: aiohttp.ClientSession, studio: DeepOpinion
) -> None:
    """Other requests pass."""
    studio.fail_next("500", path_contains="/models", method="POST", times=2)

    assert (await look(http, studio))[0] == 200
    assert [await train(http, studio, f"hotel-{number}") for number in range(3)] == [500, 500, 201]


@pytest.mark.parametrize("kind", ["half", "cut"])
async def test_the_real_reply_can_be_broken(http: aiohttp.ClientSession, studio: DeepOpinion, kind: str) -> None:
    """The work is done, half of its answer arrives."""
    studio.fail_next(kind, after_work=True)
    if kind == "cut":
        with pytest.raises(aiohttp.ClientPayloadError):
            await train(http, studio)
    else:
        async with http.post(
            f"{studio.base_url}/projects/1/models", headers=key(studio), json={"name": "hotel"}
        ) as reply:
            assert (await reply.read()).startswith(b'{"base": "Hotel Pre-Trained"')
    assert len(studio.starts) == 1


async def test_what_arrived_is_written_down(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """Method, raw target, headers, bytes and status of each request."""
    await train(http, studio)
    await look(http, studio)
    first, second = studio.requests

    assert (first.method, first.path, first.status) == ("POST", "/projects/1/models", 201)
    assert (first.body, first.headers["authorization"]) == (b'{"name": "hotel"}', f"Bearer {studio.api_key}")
    assert (second.method, second.status, second.at) == ("GET", 200, studio.clock.now())
    assert studio.arrivals("GET", "/models") == [second]


@pytest.mark.parametrize("name", NAMES)
async def test_every_service_has_the_same_switches(services: Services, name: str) -> None:
    """What is switched on is shown, and an unknown word is refused with a sentence."""
    for kind in OUTAGES:
        assert services.act(name, "outage", kind=kind) == {"ok": True, "outage": kind}
    services.act(name, "slow", seconds=2)
    services.act(name, "rate_limited", on=True)
    services.act(name, "unauthorized", on=True)
    shown = next(seen for seen in services.snapshot() if seen["name"] == name)

    assert shown["switches"] == {"outage": "hang", "slow": 2.0, "rate_limited": True, "unauthorized": True}
    assert services.act(name, "outage", kind="flood")["ok"] is False
    assert services.act(name, "outage", sort="flood")["ok"] is False
    assert services.act(name, "explode")["ok"] is False
    assert services.act(name, "finish", training="nothing")["ok"] is False
    assert services.act("nobody", "outage")["ok"] is False


@pytest.mark.parametrize(
    ("name", "limited", "unauthorized"),
    [
        ("sestek", 429, 401),
        ("deepopinion", 429, 401),
        ("decthings", 200, 200),
        ("aitems", 429, 401),
        ("sony", 429, 400),
    ],
)
async def test_each_service_refuses_in_its_own_way(
    http: aiohttp.ClientSession, services: Services, name: str, limited: int, unauthorized: int
) -> None:
    """Statuses differ from service to service; Decthings puts codes inside a 200, Sony says 400 to an old key."""
    service = getattr(services, name)
    services.act(name, "rate_limited", on=True)
    async with http.post(f"{service.base_url}/x/y") as reply:
        assert reply.status == limited
    services.act(name, "rate_limited", on=False)
    services.act(name, "unauthorized", on=True)
    async with http.post(f"{service.base_url}/x/y") as reply:
        assert reply.status == unauthorized


async def test_an_unknown_fault_is_refused(studio: DeepOpinion) -> None:
    """A misspelt fault would make a test that cannot fail."""
    with pytest.raises(ValueError, match="no fault"):
        studio.fail_next("explosion")
