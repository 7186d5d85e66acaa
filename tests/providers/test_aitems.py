"""NAVER Cloud AiTEMS: what is sent, how its words are read, and what its errors may have done."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.domain.jobs import Phase, RemoteStatus
from bot.domain.requests import Plan, TrainRequest
from bot.errors import (
    BrokenError,
    ConfigurationError,
    CredentialsError,
    Effect,
    NotConfiguredError,
    NotFoundError,
    ProviderError,
    RateLimitedError,
    RejectedError,
    UnreachableError,
    UnreadableError,
    UsageError,
)
from bot.ports import Gate, Provider, Watched
from bot.providers.aitems import build, describe, parse_hp, to_body, to_marker
from bot.providers.aitems_trains import Train, read_time, to_keys, to_remote_id, to_status
from bot.providers.http import Sessions, Tools, open_sessions
from bot.providers.ncloud_signature import sign
from sandbox.clock import Clock
from sandbox.services.aitems import AiTems as AiTemsService
from tests.providers.raw_server import Line, RawServer, Seen, raw_server, scripted

ACCESS, SECRET = "AKTEST0001", "SKTESTSECRET0001"
SEOUL = ZoneInfo("Asia/Seoul")
JOB = "jabc234"
MARK = f"[sy:{JOB}]"
SERVICE = {"serviceId": "svc00000001", "status": "learnable", "type": "batch"}
LIST = "GET /api/v1/services/svc00000001/trains"
VIEW = "GET /api/v1/services/svc00000001"
START = "POST /api/v1/services/svc00000001"
LEARNING = Line(status=201, body={**SERVICE, "status": "learning"})


def request(types: tuple[str, ...] = ("pop",), model: str = "svc00000001", **params: Any) -> TrainRequest:
    return TrainRequest(request_key="k", provider="aitems", model=model, params={"types": list(types), **params})


def train(kind: str = "pop", version: str = "v1", status: object = "learning", **rest: object) -> dict[str, object]:
    return {"type": kind, "version": version, "status": status, **rest}


def trains(*rows: object) -> Line:
    return Line(body={"trains": list(rows), "offset": 0, "limit": 1000})


def seen(*rows: tuple[str, str], last: RemoteStatus | None = None, results: bool | None = None) -> RemoteStatus:
    read = [
        Train(type=kind, version=f"v{number}", word=word, has_results=results)
        for number, (kind, word) in enumerate(rows)
    ]
    return to_status(read, last, SEOUL)


class Hands:
    """A clock whose hands move a second with every look, so that no two instants are equal."""

    def __init__(self, at: datetime | None = None) -> None:
        self.at = at or datetime.now(UTC)

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    async with open_sessions() as opened:
        yield opened


def provider_at(url: str, sessions: Sessions, now: Callable[[], datetime] | None = None, **section: Any) -> Provider:
    settings = {"base_url": f"{url}/api/v1", "access_key": ACCESS, "secret_key": SECRET, "per_second": "1000"}
    return build({**settings, **section}, Tools(sessions=sessions, now=now or Hands().now))


Scene = Callable[..., AbstractAsyncContextManager[tuple[Provider, RawServer]]]


@pytest.fixture
def scene(sessions: Sessions) -> Scene:
    """A provider in front of a scripted service."""

    @asynccontextmanager
    async def play(script: dict[str, Any], **section: Any) -> AsyncIterator[tuple[Provider, RawServer]]:
        async with raw_server(scripted(script)) as server:
            yield provider_at(server.url, sessions, **section), server

    return play


def planned(provider: Provider, *types: str, **params: Any) -> Plan:
    return provider.plan(request(types or ("pop",), **params), None)


def watching(remote_id: str, job: str = JOB, last: RemoteStatus | None = None) -> Watched:
    return Watched(job_id=job, model="svc00000001", remote_id=remote_id, last=last)


async def failure(coroutine: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await coroutine
    return caught.value


# Configuration


def test_without_keys_it_is_not_configured(sessions: Sessions) -> None:
    """A missing key is no error of the configuration: the sentence names the settings that lack, and only those."""
    with pytest.raises(NotConfiguredError) as caught:
        build({"access_key": ACCESS}, Tools(sessions=sessions, now=Hands().now))
    assert caught.value.keys == ("SWITCHYARD_AITEMS__SECRET_KEY",)


@pytest.mark.parametrize(
    ("key", "value"),
    [("timezone", "Mars/Olympus"), ("timezone", "../etc"), ("base_url", "nowhere"), ("per_second", "0"), ("zone", "x")],
)
def test_wrong_settings_are_named(sessions: Sessions, key: str, value: str) -> None:
    """A wrong value is told with its setting, and no sentence holds a key."""
    section: dict[str, Any] = {key: value}
    with pytest.raises(ConfigurationError) as caught:
        provider_at("http://127.0.0.1", sessions, **section)
    assert f"SWITCHYARD_AITEMS__{key.upper()}" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_powers_say_what_the_service_can(sessions: Sessions) -> None:
    """The gate is before the start, since results go live by themselves; nothing can be cancelled or switched."""
    provider = provider_at("http://127.0.0.1", sessions)
    assert provider.powers.gate is Gate.BEFORE
    assert (provider.powers.many, provider.powers.watches_live, provider.powers.cancel) == (True, True, False)
    assert provider.data is None


# The request


def test_the_body_is_the_documented_one() -> None:
    """Types, and HPO off; no description where none was given."""
    assert to_body(request(("pop", "relatedItem"))) == {
        "types": ["pop", "relatedItem"],
        "hpConfig": {"is_enabled": False},
    }


def test_any_option_turns_hpo_on() -> None:
    """The options keep their order and their JSON types."""
    body = to_body(request(hp={"item_top_n": 20000, "group_column": ["GENRE"], "note": "as text"}, description=" x "))
    assert list(body["hpConfig"].items()) == [
        ("is_enabled", True), ("item_top_n", 20000), ("group_column", ["GENRE"]), ("note", "as text"),
    ]  # fmt: skip
    assert body["description"] == "x"


def test_a_type_named_twice_is_sent_once() -> None:
    """The service trains each type once."""
    assert to_body(request(("pop", "relatedItem", "pop")))["types"] == ["pop", "relatedItem"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), ("0.5", 0.5), ("true", True), ("null", None), ('["a", 1]', ["a", 1]), ('{"a": 1}', {"a": 1}),
        ("adam", "adam"), ("1,2", "1,2"), ('"quoted"', "quoted"), ("NaN", "NaN"), ("1e999", "1e999"),
        ("[NaN]", "[NaN]"), ('"\\ud800"', '"\\ud800"'), ("[" * 100_000, "[" * 100_000), ("9" * 5000, "9" * 5000),
    ],
)  # fmt: skip
def test_options_are_json_where_they_parse(text: str, value: object) -> None:
    """What is no JSON that could be sent again is taken as the text that it is."""
    assert parse_hp("other", text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("item_top_n", "999"), ("item_top_n", "many"), ("item_top_n", "true"), ("min_item_cut", "1001"),
        ("session_max_timestamp", "9"), ("session_max_timestamp", "1800.5"), ("", "1"), ("a b", "1"), ("x", ""),
        ("is_enabled", "false"), ("is_enabled", "yes"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_meant_are_refused(name: str, text: str) -> None:
    """Out of the documented range, without a name or a value, or against HPO itself: a sentence names the option."""
    with pytest.raises(UsageError, match=r"`hp\.|HPO"):
        parse_hp(name, text)


def test_known_ranges_hold_their_ends() -> None:
    """The documented limits themselves are allowed."""
    assert [parse_hp("item_top_n", text) for text in ("1000", "500000")] == [1000, 500000]
    assert parse_hp("is_enabled", "true") is True


@pytest.mark.parametrize("text", ["svc/../other", "a?b", "a b", "", "x" * 65, "ünï", "%2e"])
def test_ids_that_would_change_the_address_are_refused(sessions: Sessions, text: str) -> None:
    """On one path POST trains, PUT renames and DELETE destroys: an id is never more than an id."""
    (service, _) = provider_at("http://127.0.0.1", sessions).arguments.positionals
    assert service.refuse is not None
    assert service.refuse("6wxgu1a2b3c") is None
    assert f"`{text}`" in (service.refuse(text) or "")


@pytest.mark.parametrize(
    "text",
    ["", "weekly", "x" * 87, "x" * 88, "y" * 300, "한국어 " * 60, "🎬" * 60, "🎬" * 43 + "x", "tail space" + " " * 200],
)
def test_the_mark_is_never_cut(text: str) -> None:
    """The user's text gives way to the mark; both fit into 100 characters, however these are counted."""
    sent = describe(text, MARK)
    assert sent.endswith(MARK)
    assert len(sent.encode("utf-16-le")) // 2 <= 100
    assert text.startswith(sent.removesuffix(MARK).rstrip())


def test_a_description_that_fits_is_whole() -> None:
    """Nothing is cut that need not be."""
    assert describe("x" * 87, MARK) == f"{'x' * 87} {MARK}"


def test_the_plan_says_what_an_approver_must_know(sessions: Sessions) -> None:
    """The summary holds the types, the options, and what of the description is sent."""
    provider = provider_at("http://127.0.0.1", sessions)
    summary = dict(planned(provider, "pop", "relatedItem", hp={"item_top_n": 5000}, description="z" * 99).summary)
    assert summary["Types"] == "pop, relatedItem"
    assert summary["HPO"] == "item_top_n=5000"
    assert "cut" in summary["Description"]


# The signature on the wire


def is_signed(request: Seen) -> bool:
    stamp, key = request.headers["x-ncp-apigw-timestamp"], request.headers["x-ncp-iam-access-key"]
    return request.headers["x-ncp-apigw-signature-v2"] == sign(request.method, request.target, int(stamp), key, SECRET)


async def test_every_call_is_signed_as_it_is_sent(scene: Scene) -> None:
    """The signature holds for the very target that arrives, on reading and on starting."""
    script = {VIEW: Line(body=SERVICE), LIST: trains(), START: LEARNING}
    async with scene(script) as (provider, server):
        plan = planned(provider)
        await provider.start(plan, await provider.reserve(plan, JOB), None)
    assert [request.method for request in server.seen] == ["GET", "GET", "POST"]
    assert all(is_signed(request) for request in server.seen)
    assert all(request.headers["content-type"] == "application/json" for request in server.seen)


async def test_strange_versions_are_signed_encoded(scene: Scene) -> None:
    """A version with a slash or a space is sent encoded, and signed as sent."""
    target = "/api/v1/services/svc00000001/trains/pop/versions/a%2Fb%20%EF%BC%81"
    script = {LIST: trains(), f"GET {target}": Line(body=train(version="a/b ！"))}
    async with scene(script) as (provider, server):
        status = await provider.status(watching(to_remote_id([("pop", "a/b ！")])))
    assert status.phase is Phase.RUNNING
    assert all(is_signed(request) for request in server.seen)


@pytest.mark.parametrize("call", [LIST, START])
async def test_a_refused_signature_is_renewed_once(scene: Scene, call: str) -> None:
    """401 with code 200 surely did nothing: it is tried once more with a new timestamp, a start too."""
    denied = Line(status=401, body={"error": {"errorCode": "200", "message": "Authentication Failed"}})
    answer = trains(train()) if call == LIST else LEARNING
    async with scene({call: [denied, answer]}) as (provider, server):
        if call == LIST:
            await provider.status(watching("pop:v1"))
        else:
            await provider.start(planned(provider), {"marker": MARK}, None)
    assert len(server.seen) == 2
    assert len({request.headers["x-ncp-apigw-timestamp"] for request in server.seen}) == 2
    assert all(is_signed(request) for request in server.seen)


async def test_no_signature_is_sent_twice(scene: Scene) -> None:
    """A look that meets a hang-up is not repeated with the timestamp and signature of the first."""
    async with scene({LIST: [Line(hangs_up=True), trains(train())]}) as (provider, server):
        assert isinstance(await failure(provider.status(watching("pop:v1"))), UnreachableError)
        assert (await provider.status(watching("pop:v1"))).word == "learning"
    assert len({request.headers["x-ncp-apigw-signature-v2"] for request in server.seen}) == len(server.seen) == 2


async def test_twice_refused_says_check_the_clock_then_the_keys(scene: Scene) -> None:
    """After the second refusal a person is told what to check, in the order that helps; the effect is none."""
    denied = Line(status=401, body={"error": {"errorCode": 200, "message": "Authentication Failed", "details": "x"}})
    async with scene({START: denied}) as (provider, server):
        error = await failure(provider.start(planned(provider), {"marker": MARK}, None))
    assert len(server.seen) == 2
    assert isinstance(error, CredentialsError)
    assert error.effect is Effect.REFUSED
    said = str(error)
    assert said.index("clock") < said.index("SWITCHYARD_AITEMS__ACCESS_KEY") < said.index("__SECRET_KEY")
    assert ACCESS not in said
    assert SECRET not in said


async def test_a_wrong_clock_is_seen(sessions: Sessions) -> None:
    """Where the reply's own date tells that our clock is off, the sentence says so and by how much; it is no refusal
    of the keys, and what was asked for waits until the clock is right."""
    date = format_datetime(datetime(2026, 5, 1, 12, 0, tzinfo=UTC), usegmt=True)
    denied = Line(status=401, body={"error": {"errorCode": "200"}}, headers=(f"Date: {date}",))
    late = Hands(datetime(2026, 5, 1, 11, 45, tzinfo=UTC))
    async with raw_server(scripted({LIST: denied})) as server:
        error = await failure(provider_at(server.url, sessions, late.now).status(watching("pop:v1")))
    assert "15 minutes behind" in str(error)
    assert not isinstance(error, RejectedError)
    assert error.effect is Effect.NONE


async def test_a_missing_subscription_is_said(scene: Scene) -> None:
    """401 with code 210 is no matter of keys or clocks: it is not tried again, and the console is named."""
    body = {"error": {"errorCode": "210", "message": "Permission Denied", "details": "API subscription required"}}
    async with scene({LIST: Line(status=401, body=body)}) as (provider, server):
        error = await failure(provider.status(watching("pop:v1")))
    assert len(server.seen) == 1
    assert isinstance(error, CredentialsError)
    assert "subscribes" in str(error)


# Errors

GATEWAY_400 = {"error": {"errorCode": "100", "message": "Bad Request Exception", "details": "not UTF-8"}}
BACKEND_400 = {  # the shape as recorded, April 2022
    "timestamp": "2022-04-13T06:01:29.035+00:00",
    "path": "/api/services",
    "status": 400,
    "error": "DUPLICATE_NAME",
    "requestId": "5f7d21c0",
    "errorCode": "BAD_REQUEST",
    "message": "The name is taken.",
}
BACKEND_404 = {**BACKEND_400, "status": 404, "error": "TRAIN_NOT_FOUND", "errorCode": "NOT_FOUND", "message": "Gone."}
XML = b"<?xml version='1.0'?><error><errorCode>100</errorCode><message>Bad</message><details>Why</details></error>"

ERRORS = [
    (400, GATEWAY_400, RejectedError, Effect.REFUSED, "not UTF-8"),
    (400, BACKEND_400, RejectedError, Effect.REFUSED, "DUPLICATE_NAME The name is taken."),
    (400, XML, RejectedError, Effect.REFUSED, "100 Bad: Why"),
    (400, b"<html>", RejectedError, Effect.REFUSED, "no reason given"),
    (400, [], RejectedError, Effect.REFUSED, "no reason given"),
    (400, {"error": None, "errorCode": [], "message": {}}, RejectedError, Effect.REFUSED, "no reason given"),
    (403, {"error": {"errorCode": 210}}, CredentialsError, Effect.REFUSED, "NCP_AITEMS_MANAGER"),
    (404, BACKEND_404, NotFoundError, Effect.REFUSED, "TRAIN_NOT_FOUND"),
    (404, {"error": {"errorCode": "300", "message": "Not Found Exception"}}, RejectedError, Effect.REFUSED, "BASE_URL"),
    (404, {"error": {"errorCode": 300}}, RejectedError, Effect.REFUSED, "BASE_URL"),
    (
        404,
        {"timestamp": "x", "status": 404, "error": "Not Found", "path": "/x"},
        RejectedError,
        Effect.REFUSED,
        "BASE_",
    ),
    (404, b"<html>Not found</html>", RejectedError, Effect.REFUSED, "BASE_URL"),
    (404, b"", RejectedError, Effect.REFUSED, "BASE_URL"),
    (413, {"error": {"errorCode": "430"}}, RejectedError, Effect.REFUSED, "430"),
    (429, {"error": {"errorCode": "400", "message": "Quota Exceeded"}}, RateLimitedError, Effect.NONE, "quota"),
    (429, {"error": {"errorCode": "410"}}, RateLimitedError, Effect.NONE, "slow down"),
    (429, {"error": {"errorCode": 420}}, RateLimitedError, Effect.NONE, "slow down"),
    (429, b"", RateLimitedError, Effect.NONE, "slow down"),
    (500, {"error": {"errorCode": "900", "message": "Unexpected Error"}}, BrokenError, Effect.UNKNOWN, "900"),
    (503, {"error": {"errorCode": "500", "message": "Endpoint Error"}}, BrokenError, Effect.UNKNOWN, "Endpoint Error"),
    (504, {"error": {"errorCode": "510", "message": "Endpoint Timeout"}}, BrokenError, Effect.UNKNOWN, "510"),
    (502, b"<html>", BrokenError, Effect.UNKNOWN, "502"),
    (302, b"", UnreadableError, Effect.UNKNOWN, "302"),
]


@pytest.mark.parametrize(("status", "body", "kind", "effect", "said"), ERRORS)
async def test_each_error_shape_has_its_meaning(
    scene: Scene, status: int, body: object, kind: type[ProviderError], effect: Effect, said: str
) -> None:
    """Gateway or backend, JSON, XML or a web page, code as text or number: on a start, and on a look alike."""
    async with scene({START: Line(status=status, body=body), LIST: Line(status=status, body=body)}) as (provider, _):
        for call in (provider.start(planned(provider), {"marker": MARK}, None), provider.status(watching("pop:v1"))):
            error = await failure(call)
            assert (type(error), error.effect) == (kind, effect)
            assert said in str(error)


async def test_the_trace_of_a_failure_is_told(scene: Scene) -> None:
    """NAVER's support asks for the id of the call; what is no id is not shown."""
    headers = ("x-ncp-trace-id: 4c2f9a", "x-ncp-apigw-response-origin: APIGW")
    async with scene({LIST: Line(status=500, headers=headers), VIEW: Line(status=500)}) as (provider, _):
        assert "trace 4c2f9a APIGW" in str(await failure(provider.status(watching("pop:v1"))))


@pytest.mark.parametrize(
    "line",
    [Line(body=b"<html>OK</html>"), Line(body=b'{"serviceId": '), Line(body=b""), Line(body=[]), Line(hangs_up=True)],
)
async def test_an_unclear_start_is_unknown(scene: Scene, line: Line) -> None:
    """A start whose answer cannot be read may have worked, and it is sent exactly once."""
    async with scene({START: line}) as (provider, server):
        error = await failure(provider.start(planned(provider), {"marker": MARK}, None))
    assert error.effect is Effect.UNKNOWN
    assert len(server.seen) == 1


# The start


async def test_what_is_sent_is_the_plan_and_the_mark(scene: Scene) -> None:
    """The body is the plan's, its description ends in the mark of the claim, and no id comes back."""
    async with scene({VIEW: Line(body=SERVICE), LIST: trains(train("pop", "v0")), START: LEARNING}) as (
        provider,
        server,
    ):
        plan = planned(provider, "pop", "relatedItem", description="주간 weekly", hp={"min_item_cut": 3})
        claim = await provider.reserve(plan, JOB)
        assert await provider.start(plan, claim, None) is None
    assert claim == {"known": {"pop": ["v0"], "relatedItem": []}, "marker": to_marker(JOB)}
    assert json.loads(server.seen[-1].body) == {
        "types": ["pop", "relatedItem"],
        "hpConfig": {"is_enabled": True, "min_item_cut": 3},
        "description": f"주간 weekly {MARK}",
    }


UNFIT = [
    "datasetRequired", "drafted", "disable", "requestLearning", "learning", "scheduled", "scheduledLearning",
    "deleting", "deleted",
]  # fmt: skip


@pytest.mark.parametrize("word", UNFIT)
async def test_a_service_that_cannot_train_is_refused_before(scene: Scene, word: str) -> None:
    """A known word that rules a training out spares the start, and names the service and the way out."""
    async with scene({VIEW: Line(body={**SERVICE, "status": word}), LIST: trains()}) as (provider, server):
        error = await failure(provider.reserve(planned(provider), JOB))
    assert isinstance(error, RejectedError)
    assert "svc00000001" in str(error)
    assert all(request.method == "GET" for request in server.seen)


async def test_a_cyclic_service_is_refused_before(scene: Scene) -> None:
    """The page takes ids of batch services only."""
    async with scene({VIEW: Line(body={**SERVICE, "type": "interval"}), LIST: trains()}) as (provider, _):
        assert "interval" in str(await failure(provider.reserve(planned(provider), JOB)))


async def test_an_unknown_service_is_refused_before(scene: Scene) -> None:
    """A service that AiTEMS denies cannot be trained; the sentence names it."""
    async with scene({VIEW: Line(status=404, body=BACKEND_404), LIST: trains()}) as (provider, _):
        error = await failure(provider.reserve(planned(provider), JOB))
    assert type(error) is RejectedError
    assert "svc00000001" in str(error)


@pytest.mark.parametrize(
    "line",
    [
        Line(body=b"<html>"), Line(body={}), Line(body={"status": 7}), Line(body={"status": "brandNewWord"}),
        Line(status=404, body={"error": {"errorCode": "300"}}), Line(status=500), Line(status=400), Line(status=302),
    ],
)  # fmt: skip
async def test_a_look_ahead_that_fails_stops_nothing(scene: Scene, line: Line) -> None:
    """The pre-flight is a kindness: where it is not offered or not readable, the list alone decides."""
    async with scene({VIEW: line, LIST: trains(train())}) as (provider, _):
        assert (await provider.reserve(planned(provider), JOB))["known"] == {"pop": ["v1"]}


@pytest.mark.parametrize(
    "line", [Line(body=b"<html>"), Line(body={}), Line(body={"trains": None}), Line(hangs_up=True)]
)
async def test_without_the_list_nothing_starts(scene: Scene, line: Line) -> None:
    """What was there before must be known, or our training could not be told from it."""
    async with scene({VIEW: Line(body=SERVICE), LIST: line}) as (provider, server):
        error = await failure(provider.reserve(planned(provider), JOB))
    assert not isinstance(error, RejectedError)
    assert all(request.method == "GET" for request in server.seen)


# Finding it

CLAIM = {"known": {"pop": ["old"], "relatedItem": []}, "marker": MARK}
OURS = f"weekly {MARK}"

FINDS: list[tuple[tuple[str, ...], list[object], str | None]] = [
    (("pop",), [], None),
    (("pop",), [train("pop", "old", description=OURS)], None),
    (("pop",), [train("pop", "new", description=OURS)], "pop:new"),
    (("pop",), [train("pop", "new", description="somebody's")], None),
    (("pop",), [train("pop", "new"), train("pop", "old")], "pop:new"),
    (("pop",), [train("pop", "new"), train("pop", "newer")], None),
    (("pop",), [train("pop", "new"), train("pop", "ours", description=OURS)], "pop:ours"),
    (("pop",), [train("pop", "new"), train("pop", "other", description="somebody's")], None),
    (("pop",), [train("pop", "a", description=OURS), train("pop", "b", description=OURS)], None),
    (("pop",), [train("pop", "a", description=f"x {MARK[:-1]}9]")], None),
    (("pop",), [train("relatedItem", "new", description=OURS)], None),
    (("pop",), [train("pop", "new", description=""), train("pop", "old", description="x")], "pop:new"),
    (("pop",), [None, [], "x", {}, {"type": "pop"}, train("pop", "new", status=None), train("pop", "ok")], "pop:ok"),
    (("pop", "relatedItem"), [train("pop", "new", description=OURS)], None),
    (
        ("relatedItem", "pop"),
        [train("pop", "p1", description=OURS), train("relatedItem", "r1", description=OURS)],
        "relatedItem:r1,pop:p1",
    ),
    (
        ("pop", "relatedItem"),
        [train("pop", "p1", description=OURS), train("relatedItem", "r1")],
        "pop:p1,relatedItem:r1",
    ),
]


@pytest.mark.parametrize(("types", "rows", "remote_id"), FINDS)
async def test_only_exactly_one_candidate_is_ours(
    scene: Scene, types: tuple[str, ...], rows: list[object], remote_id: str | None
) -> None:
    """The mark decides; where no candidate has a description, one new version per type; never the newest or first."""
    async with scene({LIST: trains(*rows)}) as (provider, _):
        found = await provider.find(planned(provider, *types), CLAIM, None)
    assert found.remote_id == remote_id


async def test_what_was_seen_is_told(scene: Scene) -> None:
    """A person who is asked sees each type's word, verbatim."""
    async with scene({LIST: trains(train("pop", "p1", "waiting", description=OURS))}) as (provider, _):
        found = await provider.find(planned(provider, "pop", "relatedItem"), CLAIM, None)
    assert found.word == "pop: waiting, relatedItem: not listed"


def test_ids_survive_strange_versions() -> None:
    """A job's id holds every pair, whatever signs a version has."""
    keys = (("pop", "a,b:c/d%"), ("relatedItem", "v2"))
    assert to_keys(to_remote_id(keys)) == keys
    assert to_remote_id([("pop", "v1"), ("relatedItem", "v2")]) == "pop:v1,relatedItem:v2"


# Words

WORDS = [
    ("requesting", Phase.QUEUED), ("waiting", Phase.QUEUED), ("learning", Phase.RUNNING),
    ("stopping", Phase.STOPPING), ("completed", Phase.TRAINED), ("requestFailed", Phase.FAILED),
    ("refinedFailed", Phase.FAILED), ("learningFailed", Phase.FAILED), ("ready", None),
]  # fmt: skip


@pytest.mark.parametrize(("word", "phase"), WORDS)
def test_documented_words(word: str, phase: Phase | None) -> None:
    """Each documented word is known, also the two that a misprint of the page runs into one."""
    status = seen(("pop", word))
    assert (status.phase, status.word, status.is_known) == (phase, word, True)


@pytest.mark.parametrize("word", ["", "stopping \\ learningFailed", "Completed", "done", "finished", "🙂", "x" * 5000])
def test_unknown_words_move_nothing(word: str) -> None:
    """A new word is shown as it is and never raises."""
    status = seen(("pop", word))
    assert (status.phase, status.word, status.is_known) == (None, word, False)


def test_ready_ends_only_what_was_stopping() -> None:
    """`ready` means cancelled after `stopping`, whatever was seen in between, and nothing by itself."""
    stopping = seen(("pop", "stopping"))
    assert stopping.phase is Phase.STOPPING
    assert seen(("pop", "ready"), last=stopping).phase is Phase.CANCELLED
    in_between = seen(("pop", "strange"), last=stopping)
    assert seen(("pop", "ready"), last=in_between).phase is Phase.CANCELLED
    assert seen(("pop", "ready"), last=seen(("pop", "learning"))).phase is None


JOINED = [
    (["completed", "completed"], Phase.TRAINED),
    (["completed", "learningFailed"], Phase.FAILED),
    (["requestFailed", "refinedFailed"], Phase.FAILED),
    (["completed", "learning"], Phase.RUNNING),
    (["completed", "waiting"], Phase.RUNNING),
    (["learningFailed", "requesting"], Phase.RUNNING),
    (["waiting", "requesting"], Phase.QUEUED),
    (["waiting", "learning"], Phase.RUNNING),
    (["stopping", "waiting"], Phase.STOPPING),
    (["completed", "stopping"], Phase.STOPPING),
    (["completed", "mystery"], None),
    (["ready", "completed"], None),
    (["mystery", "learning"], Phase.RUNNING),
    (["mystery", "waiting"], Phase.QUEUED),
]


@pytest.mark.parametrize(("words", "phase"), JOINED)
def test_a_job_of_several_ends_when_all_have(words: list[str], phase: Phase | None) -> None:
    """One job, one end: trained when all are, failed when all have ended and not all well; a line for each type."""
    status = seen(*zip(("pop", "relatedItem"), words, strict=True))
    assert status.phase is phase
    assert [label for label, _ in status.parts] == ["pop", "relatedItem"]
    assert status.is_known == ("mystery" not in words)


def test_a_failed_job_names_which() -> None:
    """The detail says which training ended how."""
    status = seen(("pop", "completed"), ("relatedItem", "learningFailed"))
    assert status.detail == "pop: completed, relatedItem: learningFailed"


def test_an_unknown_word_among_known_ones_is_told_alone() -> None:
    """Told once means once: the word of the others must not make it new again."""
    assert seen(("pop", "mystery"), ("relatedItem", "learning")).word == "mystery"
    assert seen(("pop", "mystery"), ("relatedItem", "completed")).word == "mystery"


def test_of_several_all_stopped_is_cancelled_and_some_is_failed() -> None:
    """Only a job whose every training was stopped is cancelled."""
    stopping = seen(("pop", "stopping"), ("relatedItem", "stopping"))
    assert seen(("pop", "ready"), ("relatedItem", "ready"), last=stopping).phase is Phase.CANCELLED
    mixed = seen(("pop", "ready"), ("relatedItem", "completed"), last=stopping)
    assert (mixed.phase, mixed.detail) == (Phase.FAILED, "pop: ready, relatedItem: completed")


LIVE = [
    ("completed", True, True), ("completed", False, False), ("completed", None, False),
    ("learningFailed", True, None), ("learning", True, None), ("ready", True, None),
]  # fmt: skip


@pytest.mark.parametrize(("word", "results", "is_live"), LIVE)
def test_results_count_only_for_what_is_completed(word: str, results: bool | None, is_live: bool | None) -> None:
    """The vendor's own sample is a failed training with `inference: true`: the flag alone proves nothing."""
    assert seen(("pop", word), results=results).is_live is is_live


def test_a_trained_job_leaves_its_versions() -> None:
    """What was trained stays findable."""
    assert seen(("pop", "completed"), ("relatedItem", "completed")).result == {
        "versions": {"pop": "v0", "relatedItem": "v1"}
    }


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2024-07-30T11:25:36.558", "2024-07-30T02:25:36.558000+00:00"),
        ("2024-07-30T11:25:36.558Z", "2024-07-30T11:25:36.558000+00:00"),
        ("2024-07-30T11:25:36+09:00", "2024-07-30T02:25:36+00:00"),
        ("", None),
        ("yesterday", None),
        ("0001-01-01T00:00:00", None),
    ],
)
def test_times_without_offset_are_local(text: str, at: str | None) -> None:
    """A time with an offset is taken as given, one without as local to the configured zone, and no text raises."""
    read = read_time(text, SEOUL)
    assert (read.isoformat() if read else None) == at


async def test_the_configured_zone_counts(scene: Scene) -> None:
    """The zone of times without an offset is a setting, since no page names it."""
    row = train(createdDate="2024-07-30T11:25:36.558")
    for zone, at in (("Asia/Seoul", "2024-07-30T02:25:36+00:00"), ("UTC", "2024-07-30T11:25:36+00:00")):
        async with scene({LIST: trains(row)}, timezone=zone) as (provider, _):
            assert (await provider.status(watching("pop:v1"))).metrics == {"requested at": at}


# Looking


async def test_one_list_answers_for_all(scene: Scene) -> None:
    """Any number of jobs of a service costs one call."""
    rows = [train("pop", f"v{number}", "learning" if number % 2 else "completed") for number in range(40)]
    async with scene({LIST: trains(*rows)}) as (provider, server):
        watched = [watching(f"pop:v{number}", f"j{number}") for number in range(40)]
        answers = await provider.statuses(watched)
    assert len(server.seen) == 1
    assert len({provider.group(one) for one in watched}) == 1
    assert [getattr(answers[f"j{number}"], "word", None) for number in (0, 1)] == ["completed", "learning"]


async def test_what_the_list_lacks_is_asked_for_alone(scene: Scene) -> None:
    """A version that is missing from the list is not lost before the service says so itself."""
    one = f"{LIST}/pop/versions/v2"
    async with scene({LIST: trains(train()), one: Line(body=train("pop", "v2", "completed"))}) as (provider, server):
        status = await provider.status(watching("pop:v2"))
    assert status.word == "completed"
    assert len(server.seen) == 2


async def test_lost_only_when_the_service_denies_it(scene: Scene) -> None:
    """Only the backend's own 404 is a not-found; the other jobs of the same look are answered."""
    one = f"{LIST}/pop/versions/v2"
    for line, kind in (
        (Line(status=404, body=BACKEND_404), NotFoundError),
        (Line(status=404, body={"error": {"errorCode": "300"}}), RejectedError),
        (Line(status=404, body=b"<html>"), RejectedError),
        (Line(body=train("pop", "another")), UnreadableError),
        (Line(body={}), UnreadableError),
        (Line(hangs_up=True), UnreachableError),
    ):
        async with scene({LIST: trains(train()), one: line}) as (provider, _):
            answers = await provider.statuses([watching("pop:v1", "a"), watching("pop:v2", "b")])
        assert isinstance(answers["a"], RemoteStatus)
        assert type(answers["b"]) is kind


async def test_a_list_that_fails_fails_for_all(scene: Scene) -> None:
    """A look that fails concludes nothing about anybody."""
    async with scene({LIST: Line(status=503)}) as (provider, server):
        answers = await provider.statuses([watching("pop:v1", "a"), watching("pop:v2", "b")])
    assert [type(answer) for answer in answers.values()] == [BrokenError, BrokenError]
    assert len(server.seen) == 1


async def test_a_job_without_an_id_says_so(scene: Scene) -> None:
    """Asked too early, it is an answer and not a crash."""
    async with scene({LIST: trains(train())}) as (provider, _):
        assert isinstance(await failure(provider.status(Watched(job_id=JOB, model="svc00000001"))), UnreadableError)


ODD_LISTS: list[object] = [
    b"", b"null", b"[]", b'"x"', b"1", b"{", {}, {"trains": {}}, {"trains": "x"}, {"trains": None}, {"train": []},
]  # fmt: skip


@pytest.mark.parametrize("body", ODD_LISTS)
async def test_odd_lists_are_unreadable(scene: Scene, body: object) -> None:
    """An answer of another form is told as such and concludes nothing."""
    async with scene({LIST: Line(body=body)}) as (provider, _):
        assert isinstance(await failure(provider.status(watching("pop:v1"))), UnreadableError)


ODD_ROWS: list[object] = [
    train(inference="yes"), train(description=7), train(createdDate=5), train(hpConfig=None), train(serviceId={}),
]  # fmt: skip


@pytest.mark.parametrize("row", ODD_ROWS)
async def test_odd_fields_do_not_hide_the_word(scene: Scene, row: object) -> None:
    """Fields that are not needed may be of any form."""
    async with scene({LIST: trains(None, 3, row)}) as (provider, _):
        assert (await provider.status(watching("pop:v1"))).word == "learning"


def test_references_are_the_services_own_words(sessions: Sessions) -> None:
    """`/status aitems SERVICE-ID TYPE VERSION` names one training."""
    provider = provider_at("http://127.0.0.1", sessions)
    (reference,) = provider.references({"service": "svc1", "type": "pop", "version": "v1"})
    assert (reference.model, reference.params, reference.remote_id) == ("svc1", {"types": ["pop"]}, "pop:v1")


# Against the sandbox's service, which was written from the same pages by other hands


@pytest.fixture
async def service() -> AsyncIterator[AiTemsService]:
    service = AiTemsService(Clock(), training_seconds=100.0)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
def aitems(service: AiTemsService, sessions: Sessions) -> Provider:
    prefix = "SWITCHYARD_AITEMS__"
    section = {name.removeprefix(prefix).lower(): value for name, value in service.environment().items()}
    return build({**section, "per_second": 1000}, Tools(sessions=sessions, now=service.clock.now))


def act(service: AiTemsService, action: str, **params: Any) -> None:
    done = service.act(action, **params)
    assert done["ok"], done


async def found_id(provider: Provider, plan: Plan, claim: Any) -> str:
    for _ in range(5):
        if remote_id := (await provider.find(plan, claim, None)).remote_id:
            return remote_id
    raise AssertionError("it was not found")


def movies(provider: Provider, *types: str, **params: Any) -> Plan:
    return provider.plan(request(types, model="svcmovies01", **params), None)


async def test_from_the_start_to_serving(service: AiTemsService, aitems: Provider) -> None:
    """Two types in one start: found by the mark, watched to the end, done before it serves, live when it does."""
    plan = movies(aitems, "pop", "relatedItem", description="주간 weekly", hp={"item_top_n": 20000})
    claim = await aitems.reserve(plan, JOB)
    assert await aitems.start(plan, claim, None) is None
    watched = Watched(job_id=JOB, model="svcmovies01", claim=claim, remote_id=await found_id(aitems, plan, claim))
    phases, lives = [], []
    for _ in range(30):
        status = await aitems.status(watched)
        phases.append(status.phase)
        lives.append(status.is_live)
        service.clock.advance(5)
    assert list(dict.fromkeys(phases)) == [Phase.QUEUED, Phase.RUNNING, Phase.TRAINED]
    assert list(dict.fromkeys(lives)) == [None, False, True]
    assert len(service.arrivals("POST")) == 1


@pytest.mark.parametrize("kind", ["half", "cut", "empty", "html", "reset", "500", "redirect"])
@pytest.mark.parametrize("tells", [True, False])
async def test_a_start_with_a_lost_answer_is_found(
    service: AiTemsService, aitems: Provider, kind: str, tells: bool
) -> None:
    """The start worked, its answer did not arrive: it is found, with and without descriptions, and sent once."""
    act(service, "descriptions", on=tells)
    plan = movies(aitems, "pop")
    claim = await aitems.reserve(plan, JOB)
    service.fail_next(kind, method="POST", after_work=True)
    error = await failure(aitems.start(plan, claim, None))
    assert error.effect is Effect.UNKNOWN
    assert (await found_id(aitems, plan, claim)).startswith("pop:")
    assert (len(service.arrivals("POST")), len(service.starts)) == (1, 1)


async def test_a_start_that_never_arrived_is_not_found(service: AiTemsService, aitems: Provider) -> None:
    """Nothing started: looking finds nothing, and certainly not the older training."""
    plan = movies(aitems, "pop")
    claim = await aitems.reserve(plan, JOB)
    service.fail_next("reset", method="POST")
    assert (await failure(aitems.start(plan, claim, None))).effect is Effect.UNKNOWN
    assert [(await aitems.find(plan, claim, None)).remote_id for _ in range(4)] == [None] * 4
    assert service.starts == []


async def test_the_sandbox_checks_the_clock(service: AiTemsService, sessions: Sessions) -> None:
    """A clock that is off by more than five minutes is refused and named, and not tried at once again."""
    off = {"base_url": service.base_url, "access_key": service.access_key, "secret_key": service.secret_key}
    slow = build(
        {**off, "per_second": 1000}, Tools(sessions=sessions, now=lambda: datetime.now(UTC) - timedelta(hours=1))
    )
    error = await failure(slow.reserve(movies(slow, "pop"), JOB))
    assert isinstance(error, UnreachableError)
    assert "60 minutes behind" in str(error)
    assert len(service.requests) == 1


async def test_the_sandbox_refuses_what_cannot_train(service: AiTemsService, aitems: Provider) -> None:
    """No datasets, already in training, unknown: each is refused before the start, with the reason."""
    plan = aitems.plan(request(model="svcempty001"), None)
    assert "datasets" in str(await failure(aitems.reserve(plan, JOB)))
    unknown = aitems.plan(request(model="svcnone0001"), None)
    assert "knows no service" in str(await failure(aitems.reserve(unknown, JOB)))
    plan = movies(aitems, "pop")
    await aitems.start(plan, await aitems.reserve(plan, JOB), None)
    assert "in training" in str(await failure(aitems.reserve(plan, "jother2")))
    assert len(service.starts) == 1


async def test_ends_that_are_not_good(service: AiTemsService, aitems: Provider) -> None:
    """Failed, stopped and forgotten trainings are told apart."""
    plan = movies(aitems, "pop", "relatedItem", "personalRecommend")
    claim = await aitems.reserve(plan, JOB)
    await aitems.start(plan, claim, None)
    keys = to_keys(await found_id(aitems, plan, claim))
    names = [f"svcmovies01/{kind}/{version}" for kind, version in keys]
    act(service, "fail", training=names[0])
    act(service, "stop", training=names[1])
    ids = [to_remote_id([key]) for key in keys]
    look = [Watched(job_id=id_, model="svcmovies01", remote_id=id_) for id_ in ids]
    before = await aitems.statuses(look)
    service.clock.advance(15)
    act(service, "forget", training=names[2])
    look[1] = Watched(job_id=ids[1], model="svcmovies01", remote_id=ids[1], last=before[ids[1]])  # type: ignore[arg-type]
    after = await aitems.statuses(look)
    assert [getattr(after[id_], "phase", None) for id_ in ids[:2]] == [Phase.FAILED, Phase.CANCELLED]
    assert isinstance(after[ids[2]], NotFoundError)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("500", BrokenError), ("503", BrokenError), ("html", UnreadableError), ("half", UnreadableError),
        ("cut", UnreachableError), ("empty", UnreadableError), ("redirect", UnreadableError),
        ("reset", UnreachableError), ("rate_limited", RateLimitedError),
    ],
)  # fmt: skip
async def test_a_look_during_an_outage_moves_nothing(
    service: AiTemsService, aitems: Provider, kind: str, error: type[ProviderError]
) -> None:
    """Whatever an outage looks like, a look raises an error and never ends a training."""
    service.fail_next(kind, times=10)
    watched = Watched(job_id=JOB, model="svcmovies01", remote_id="pop:v0pop000001")
    assert type(await failure(aitems.status(watched))) is error


async def test_both_forms_of_codes(service: AiTemsService, aitems: Provider) -> None:
    """The gateway's code is documented as a number and printed as text; refused keys are refused either way."""
    for on in (True, False):
        act(service, "integer_codes", on=on)
        act(service, "unauthorized", on=True)
        watched = Watched(job_id=JOB, model="svcmovies01", remote_id="pop:v0pop000001")
        assert isinstance(await failure(aitems.status(watched)), CredentialsError)
