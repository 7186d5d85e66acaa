"""The sandbox's AiTEMS: signatures over the exact target, trainings that are found only in a list."""

import base64
import hashlib
import hmac
import json
import string
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from yarl import URL

from sandbox.clock import Clock
from sandbox.services import AiTems
from sandbox.services.aitems import sign

MOVIES = "/services/svcmovies01"
TRAIN = {"types": ["pop"], "hpConfig": {"is_enabled": False}}
STAMP = "1700000000000"
# The first from a public third-party test, the others computed with openssl and Python's hmac; the keys are dummies.
VECTORS = [
    ("POST", "/vserver/v2/createServerInstances?regionCode=KR", "xBcE26XFU55BMjppdPT7ZY3oDrqoOedfPyAn3Cq4lUw="),
    ("GET", "/api/v1/services/svc0000test/trains?isRecent=true", "wNRSozMuWzKDtIeTyaXfS8lLakGzwOCRzBq+ath0N/4="),
    ("GET", "/api/v1/services/svc0000test/trains", "QKJwTtzYgXxJ8I+AsPO+RJ7KpDMixjjnShRNafDAtgk="),
    ("POST", "/api/v1/services/svc0000test", "ip+M8DBDJmyZTWamCs9ovCXqZeQOEJS6ZOBVmJAmlJ8="),
    (
        "GET",
        "/api/v1/services/svc0000test/trains/personalRecommend/versions/abc123def45",
        "ChaT00ggmqwMFuQLMTM8j+CGujTEOoh8YsDttjjz+Bg=",
    ),
    ("PUT", "/api/v1/services/svc0000test/schedule?action=stop", "8F0Gi2EwG1JTXqoal/yjfEOPIrDixBmO14iKCPpvFQs="),
    (
        "GET",
        "/api/v1/services/svc0000test/infers/lookup?type=pop&targetId=a%20b",
        "kgIp44uBpkqXUlmTOh1pV99Uu/93mI5MI0vYHJauuGs=",
    ),
    ("GET", "/photos/puppy.jpg?query1=&query2", "rndetT5Z2jxTEOqo9bI28kBqpVdMJzrZcnN5yWD22aE="),
]


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock(speed=0)


@pytest.fixture
async def aitems(clock: Clock) -> AsyncIterator[AiTems]:
    """A running service whose trainings take 100 seconds."""
    service = AiTems(clock, training_seconds=100)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


def headers(aitems: AiTems, method: str, target: str, *, late: float = 0.0) -> dict[str, str]:
    """Signed headers, written out here so that the service is not checked with its own function."""
    stamp = str(int((aitems.clock.time() - late) * 1000))
    text = f"{method} {target}\n{stamp}\n{aitems.access_key}".encode()
    digest = hmac.new(aitems.secret_key.encode(), text, hashlib.sha256).digest()
    return {
        "x-ncp-apigw-timestamp": stamp,
        "x-ncp-iam-access-key": aitems.access_key,
        "x-ncp-apigw-signature-v2": base64.b64encode(digest).decode(),
        "Content-Type": "application/json",
    }


async def send(
    http: aiohttp.ClientSession, aitems: AiTems, method: str, path: str, signed: dict[str, str], body: bytes = b""
) -> tuple[int, Any]:
    """Send exactly this target; status and JSON."""
    url = URL(aitems.base_url + path, encoded=True)
    async with http.request(method, url, headers=signed, data=body) as reply:
        assert reply.headers["x-ncp-trace-id"]
        return reply.status, await reply.json()


async def call(
    http: aiohttp.ClientSession, aitems: AiTems, method: str, path: str, body: Any = None
) -> tuple[int, Any]:
    """A well signed call."""
    data = b"" if body is None else json.dumps(body).encode()
    return await send(http, aitems, method, path, headers(aitems, method, f"/api/v1{path}"), data)


async def newest(http: aiohttp.ClientSession, aitems: AiTems) -> Any:
    """The first training of the list."""
    return (await call(http, aitems, "GET", f"{MOVIES}/trains"))[1]["trains"][0]


@pytest.mark.parametrize(("method", "target", "signature"), VECTORS)
def test_signatures_are_those_of_the_vectors(method: str, target: str, signature: str) -> None:
    """Method, raw target with its query, milliseconds, access key; neither decoded nor reordered."""
    first = target.startswith("/vserver")
    keys = ("AK_TEST", "SK_TEST") if first else ("AK_TEST_0001", "SK_TEST_0001")

    assert sign(method, target, STAMP, *keys) == signature


async def test_the_target_is_signed_as_it_was_sent(http: aiohttp.ClientSession, aitems: AiTems) -> None:
    """A query that was signed decoded, or not at all, is refused."""
    path = f"{MOVIES}/infers/lookup?type=pop&targetId=a%20b"
    good = headers(aitems, "GET", f"/api/v1{path}")
    decoded = headers(aitems, "GET", f"/api/v1{path.replace('%20', ' ')}")
    without = headers(aitems, "GET", f"/api/v1{path.partition('?')[0]}")

    assert (await send(http, aitems, "GET", path, good))[0] == 200
    for wrong in (decoded, without, headers(aitems, "POST", f"/api/v1{path}"), headers(aitems, "GET", path)):
        status, error = await send(http, aitems, "GET", path, wrong)
        assert (status, error["error"]["errorCode"]) == (401, "200")


@pytest.mark.parametrize(("late", "status"), [(299, 200), (-299, 200), (301, 401), (-301, 401)])
async def test_a_timestamp_is_good_for_five_minutes(
    http: aiohttp.ClientSession, aitems: AiTems, late: float, status: int
) -> None:
    """In both directions, by the gateway's clock."""
    signed = headers(aitems, "GET", "/api/v1/services", late=late)

    assert (await send(http, aitems, "GET", "/services", signed))[0] == status


@pytest.mark.parametrize(
    "change",
    [
        {"x-ncp-apigw-timestamp": "1700000000"},
        {"x-ncp-apigw-timestamp": "now"},
        {"x-ncp-iam-access-key": "other"},
        {"x-ncp-apigw-signature-v2": ""},
    ],
)
async def test_wrong_headers_are_a_gateway_error(
    http: aiohttp.ClientSession, aitems: AiTems, change: dict[str, str]
) -> None:
    """401 with errorCode 200, printed as text unless told otherwise."""
    signed = headers(aitems, "GET", "/api/v1/services") | change
    status, error = await send(http, aitems, "GET", "/services", signed)
    assert (status, error["error"]["errorCode"]) == (401, "200")

    aitems.act("integer_codes", on=True)
    assert (await send(http, aitems, "GET", "/services", signed))[1]["error"]["errorCode"] == 200


async def test_a_call_without_its_content_type_is_refused(http: aiohttp.ClientSession, aitems: AiTems) -> None:
    """The header is listed as required on every call, also on GET."""
    signed = headers(aitems, "GET", "/api/v1/services") | {"Content-Type": "text/plain"}

    assert (await send(http, aitems, "GET", "/services", signed))[0] == 400


async def test_an_unknown_path_is_the_gateways_404(http: aiohttp.ClientSession, aitems: AiTems) -> None:
    """errorCode 300, which is no HTTP status."""
    status, error = await call(http, aitems, "GET", "/nothing")

    assert (status, error["error"]["errorCode"]) == (404, "300")


async def test_a_start_answers_a_service_without_a_version(http: aiohttp.ClientSession, aitems: AiTems) -> None:
    """201, "learning" at once, and nothing that names the training."""
    status, service = await call(http, aitems, "POST", MOVIES, TRAIN)

    assert (status, service["serviceId"], service["status"]) == (201, "svcmovies01", "learning")
    assert "version" not in json.dumps({key: service[key] for key in service if key != "infers"})
    assert [(entry.model, entry.id) for entry in aitems.starts] == [("svcmovies01", "pop")]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"hpConfig": {"is_enabled": False}},
        {"types": [], "hpConfig": {"is_enabled": False}},
        {"types": ["pop", "pop"], "hpConfig": {"is_enabled": False}},
        {"types": ["top"], "hpConfig": {"is_enabled": False}},
        {"types": ["pop"]},
        {"types": ["pop"], "hpConfig": {"is_enabled": "false"}},
        {"types": ["pop"], "hpConfig": {"is_enabled": True, "item_top_n": 5}},
        {"types": ["pop"], "hpConfig": {"is_enabled": False}, "trainTypes": ["pop"]},
        {"types": ["pop"], "hpConfig": {"is_enabled": False}, "description": "x" * 101},
    ],
)
async def test_a_wrong_start_is_a_flat_backend_error(http: aiohttp.ClientSession, aitems: AiTems, body: object) -> None:
    """The specific code is in `error`, the general one in `errorCode`, and the path lacks the version."""
    status, error = await call(http, aitems, "POST", MOVIES, body)

    assert (status, error["status"], error["errorCode"], error["path"]) == (
        400, 400, "BAD_REQUEST", "/api/services/svcmovies01",
    )  # fmt: skip
    assert not aitems.starts


async def test_only_a_learnable_service_is_trained(http: aiohttp.ClientSession, aitems: AiTems) -> None:
    """Not one without data sets, not one that learns already, not an unknown one."""
    assert (await call(http, aitems, "POST", "/services/svcempty001", TRAIN))[0] == 400
    assert (await call(http, aitems, "POST", "/services/svcnothing1", TRAIN))[0] == 404
    assert (await call(http, aitems, "POST", MOVIES, TRAIN))[0] == 201
    assert (await call(http, aitems, "POST", MOVIES, TRAIN))[0] == 400
    assert len(aitems.starts) == 1


async def test_a_new_training_appears_in_the_list_only_later(http: aiohttp.ClientSession, aitems: AiTems) -> None:
    """After two looks that do not show it."""
    await call(http, aitems, "POST", MOVIES, TRAIN | {"description": "ours"})
    counts = [len((await call(http, aitems, "GET", f"{MOVIES}/trains"))[1]["trains"]) for _ in range(3)]
    train = await newest(http, aitems)

    assert counts == [1, 1, 2]
    assert len(train["version"]) == 11
    assert set(train["version"]) <= set(string.ascii_lowercase + string.digits)
    assert (train["description"], train["status"]) == ("ours", "requesting")


async def test_a_new_training_appears_after_some_time_too(
    http: aiohttp.ClientSession, aitems: AiTems, clock: Clock
) -> None:
    """Whoever looks late sees it at the first look."""
    await call(http, aitems, "POST", MOVIES, TRAIN)
    clock.advance(15)

    assert (await newest(http, aitems))["version"] != "v0pop000001"


async def test_several_types_make_a_version_each(http: aiohttp.ClientSession, aitems: AiTems, clock: Clock) -> None:
    """One request, one start, one version a type; `isRecent` keeps the newest of each."""
    types = ["pop", "relatedItem", "personalRecommend"]
    await call(http, aitems, "POST", MOVIES, TRAIN | {"types": types})
    clock.advance(15)
    _, everything = await call(http, aitems, "GET", f"{MOVIES}/trains")
    _, recent = await call(http, aitems, "GET", f"{MOVIES}/trains?isRecent=true")

    assert len(everything["trains"]) == 4
    assert sorted(train["type"] for train in recent["trains"]) == sorted(types)
    assert "v0pop000001" not in [train["version"] for train in recent["trains"]]
    assert len(aitems.starts) == 1


async def test_results_come_some_time_after_the_training(
    http: aiohttp.ClientSession, aitems: AiTems, clock: Clock
) -> None:
    """First `completed` without `inference`, then with it; only then the new results replace the former ones."""
    await call(http, aitems, "POST", MOVIES, TRAIN)
    seen = []
    for pause in (15, 10, 56, 20):
        clock.advance(pause)
        train = await newest(http, aitems)
        lookup = await call(http, aitems, "GET", f"{MOVIES}/infers/lookup?type=pop&targetId=u1")
        _, service = await call(http, aitems, "GET", MOVIES)
        served = lookup[1]["values"][0].startswith(train["version"])
        seen.append((train["status"], train["inference"], served, service["status"]))

    assert seen == [
        ("waiting", False, False, "learning"),
        ("learning", False, False, "learning"),
        ("completed", False, False, "learning"),
        ("completed", True, True, "learnable"),
    ]


async def test_a_failed_training_may_say_that_results_exist(
    http: aiohttp.ClientSession, aitems: AiTems, clock: Clock
) -> None:
    """`inference` is no success: the former results are still there."""
    await call(http, aitems, "POST", MOVIES, TRAIN)
    clock.advance(50)
    aitems.act("fail", training=aitems.trainings()[0]["id"])
    train = await newest(http, aitems)

    assert (train["status"], train["inference"]) == ("learningFailed", True)
    assert (await call(http, aitems, "GET", MOVIES))[1]["status"] == "learnable"


@pytest.mark.parametrize(("after", "word"), [(0, "requestFailed"), (15, "refinedFailed"), (40, "learningFailed")])
async def test_each_stage_has_its_own_failure(
    http: aiohttp.ClientSession, aitems: AiTems, clock: Clock, after: float, word: str
) -> None:
    """The act "fail" says the word of the stage."""
    await call(http, aitems, "POST", MOVIES, TRAIN)
    clock.advance(after)
    training = aitems.trainings()[0]["id"]
    aitems.act("fail", training=training)

    assert aitems.course_of(training).word() == word


async def test_a_stopped_training_is_ready_again(http: aiohttp.ClientSession, aitems: AiTems, clock: Clock) -> None:
    """There is no word for "stopped": after `stopping` comes `ready`."""
    await call(http, aitems, "POST", MOVIES, TRAIN)
    clock.advance(40)
    aitems.act("stop", training=aitems.trainings()[0]["id"])
    first = (await newest(http, aitems))["status"]
    clock.advance(10)

    assert (first, (await newest(http, aitems))["status"]) == ("stopping", "ready")


async def test_one_training_is_viewed_by_type_and_version(http: aiohttp.ClientSession, aitems: AiTems) -> None:
    """The documented fields; times are Korean and carry no offset."""
    path = f"{MOVIES}/trains/pop/versions/v0pop000001"
    _, train = await call(http, aitems, "GET", path)
    created = datetime.fromisoformat(train["createdDate"])

    assert set(train) == {
        "serviceId", "type", "hpConfig", "version", "description", "status", "createdDate", "inference",
    }  # fmt: skip
    assert created.tzinfo is None
    old = aitems.clock.now().replace(tzinfo=None) - timedelta(days=30) + timedelta(hours=9)
    assert abs(created - old) < timedelta(seconds=1)
    assert (await call(http, aitems, "GET", f"{MOVIES}/trains/pop/versions/v0pop000002"))[0] == 404


async def test_descriptions_can_be_left_out(http: aiohttp.ClientSession, aitems: AiTems) -> None:
    """The documented sample has none."""
    assert "description" in await newest(http, aitems)
    aitems.act("descriptions")
    assert "description" not in await newest(http, aitems)


async def test_the_method_alone_tells_training_renaming_and_deleting_apart(
    http: aiohttp.ClientSession, aitems: AiTems
) -> None:
    """The three share one path; a wrong method does a wrong thing and is seen."""
    assert (await call(http, aitems, "PUT", MOVIES, {"name": "films"}))[1]["name"] == "films"
    assert (await call(http, aitems, "DELETE", MOVIES))[1] == {"result": "ok"}
    assert aitems.deleted == ["svcmovies01"]
    _, services = await call(http, aitems, "GET", "/services")
    assert [service["serviceId"] for service in services["services"]] == ["svcempty001"]


async def test_too_many_requests_has_a_code_of_its_own(http: aiohttp.ClientSession, aitems: AiTems) -> None:
    """429 with errorCode 420, as text or as a number."""
    aitems.act("rate_limited")
    status, error = await call(http, aitems, "GET", "/services")
    assert (status, error["error"]["errorCode"]) == (429, "420")

    aitems.act("integer_codes")
    assert (await call(http, aitems, "GET", "/services"))[1]["error"]["errorCode"] == 420
