"""The sandbox's Decthings: its framing against captured bytes, its two contracts, its coded errors inside a 200."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.clock import Clock
from sandbox.services import Decthings
from sandbox.services.decthings import Model
from sandbox.services.decthings_frames import (
    MalformedFrameError,
    Reader,
    read_call,
    read_shapes,
    write_f32,
    write_reply,
    write_varint,
)

VECTORS = Path(__file__).parent / "decthings-vectors"
TEMPORARY = {"type": "temporaryLauncher", "spec": {"cpus": 2, "memoryMebibytes": 4096}}
TRAIN = {"modelId": "mdl-sentiment", "newStateName": "second", "params": [], "executionLocation": TEMPORARY}
VERSION_TRAIN = {
    "modelId": "mdl-sentiment",
    "versionId": "st-sentiment-1",
    "newVersionName": "second",
    "params": [],
    "executionLocation": {"type": "persistentLauncher", "persistentLauncherId": "ln-small"},
}


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock(speed=0)


@pytest.fixture
async def decthings(clock: Clock) -> AsyncIterator[Decthings]:
    """A running service of the contract "states" whose trainings take 100 seconds."""
    service = Decthings(clock, training_seconds=100)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


def vector(name: str) -> bytes:
    """The bytes of a captured body."""
    return (VECTORS / name).read_bytes()


def frame(params: Any, *blobs: bytes) -> bytes:
    """A request's body."""
    text = json.dumps(params).encode()
    lengths = b"".join(write_varint(len(part)) for part in (text, *blobs))
    return bytes([len(blobs)]) + lengths + text + b"".join(blobs)


async def post(
    http: aiohttp.ClientSession,
    decthings: Decthings,
    method: str,
    body: bytes,
    *,
    key: str = "",
    kind: str = "application/octet-stream",
) -> tuple[int, bytes]:
    """Post a body; status and the reply's bytes."""
    headers = {"Authorization": f"Bearer {key or decthings.api_key}", "Content-Type": kind}
    async with http.post(f"{decthings.base_url}/{method}", data=body, headers=headers) as reply:
        if reply.status == 200:
            assert reply.headers["Content-Type"] == "application/octet-stream"
        return reply.status, await reply.read()


def unframe(body: bytes) -> tuple[Any, list[bytes]]:
    """JSON and blobs of a reply."""
    reader = Reader(body)
    value = json.loads(reader.take(reader.varint()))
    blobs = []
    while reader.left:
        blobs.append(reader.take(reader.varint()))
    return value, blobs


async def call(
    http: aiohttp.ClientSession, decthings: Decthings, method: str, params: Any, *blobs: bytes, **more: str
) -> Any:
    """Carry out a call; its JSON."""
    status, body = await post(http, decthings, method, frame(params, *blobs), **more)
    assert status == 200
    return unframe(body)[0]


async def begin(http: aiohttp.ClientSession, decthings: Decthings, params: Any = None) -> dict[str, str]:
    """Start a training; the parameters that name it."""
    reply = await call(http, decthings, "Model/train", params or TRAIN)
    return {"modelId": "mdl-sentiment", "trainingSessionId": reply["result"]["trainingSessionId"]}


async def state(http: aiohttp.ClientSession, decthings: Decthings, session: dict[str, str]) -> Any:
    """The status object of a session."""
    return (await call(http, decthings, "Model/getTrainingStatus", session))["result"]["status"]


async def view(http: aiohttp.ClientSession, decthings: Decthings) -> Any:
    """The model as getModels shows it."""
    reply = await call(http, decthings, "Model/getModels", {"filter": {"ids": ["mdl-sentiment"]}})
    return reply["result"]["models"][0]


def test_varints_have_the_bytes_of_the_official_client() -> None:
    """Boundaries included, up to 64 bits."""
    for case in json.loads(vector("varints.json")):
        data = bytes.fromhex(case["hex"])

        assert write_varint(int(case["value"])) == data
        assert Reader(data).varint() == int(case["value"])


def test_tensors_of_the_official_client_are_read() -> None:
    """Every element type; its one wrong encoding (a string's length in UTF-16 units) is refused."""
    *good, wrong = json.loads(vector("tensors.json"))
    for case in good:
        [(_, shape)] = read_shapes(bytes.fromhex(case["hex"]))
        assert list(shape) == case["shape"]
    with pytest.raises(MalformedFrameError):
        read_shapes(bytes.fromhex(wrong["hex"]))
    assert write_f32(1.5, -2.0, 0.0, 4.0)[3:] == bytes.fromhex(good[0]["hex"])[4:]


def test_captured_requests_are_taken_apart() -> None:
    """A parameter without data has a blob, in order; lengths count bytes, not characters."""
    dataset = read_call(vector("train-dataset-param.request-body.bin"))
    inline = read_call(vector("train-inline-params.request-body.bin"))
    large = read_call(vector("train-inline-300-byte-tensor.request-body.bin"))
    named = read_call(vector("train-no-params-utf8-name.request-body.bin"))

    assert (dataset.params["params"][0]["data"]["datasetKey"], dataset.blobs) == ("text", ())
    assert [len(blob) for blob in inline.blobs] == [34, 14]
    assert [kind for kind, _ in read_shapes(inline.blobs[0])] == [1, 11]
    assert read_shapes(large.blobs[0]) == [(7, [300])]
    assert named.params["newStateName"] == "Öl-1"


def test_replies_have_the_framing_that_the_official_client_reads() -> None:
    """The JSON's length, the JSON, then each blob behind its own length."""
    for name in ("train-dataset-param", "status-completed", "metrics-two-blobs"):
        data = vector(f"{name}.response-body.bin")
        value, blobs = unframe(data)

        assert write_reply(value, blobs) == data


@pytest.mark.parametrize(
    "cut", [b"", b"\x00", b"\x00\x02{", b"\x01\x02{}", b"\x00\x02{}x", b"\x00\x02[]", b"\x00\x01x"]
)
def test_a_broken_frame_is_refused(cut: bytes) -> None:
    """Too short, too long, no JSON, no object."""
    with pytest.raises(MalformedFrameError):
        read_call(cut)


async def test_captured_requests_start_trainings(http: aiohttp.ClientSession, decthings: Decthings) -> None:
    """What the official client sends is what the service takes."""
    ids = {number: f"{number * 8}-{number * 4}-4{number * 3}-8{number * 3}-{number * 12}" for number in "145"}
    known = decthings.models["mdl-sentiment"]
    decthings.models[ids["1"]] = Model(id=ids["1"], name="captured", states=known.states, active="", created_at=0)
    decthings.datasets[ids["5"]] = ("captured", ("text", "label"))
    decthings.launchers[ids["4"]] = "captured"

    names = ("train-dataset-param", "train-inline-params", "train-inline-300-byte-tensor", "train-no-params-utf8-name")
    for name in names:
        status, body = await post(http, decthings, "Model/train", vector(f"{name}.request-body.bin"))
        assert status == 200
        assert "trainingSessionId" in unframe(body)[0]["result"]
    assert len(decthings.starts) == len(names)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"modelId": "nothing"}, "model_not_found"),
        ({"modelId": "mdl-shared"}, "access_denied"),
        ({"stateId": "nothing"}, "state_not_found"),
        ({"newStateName": ""}, "invalid_parameter"),
        ({"newVersionName": "x"}, "invalid_parameter"),
        ({"params": [{"name": "a"}]}, "invalid_parameter"),
        ({"params": [{"name": "a", "data": {"type": "data", "data": []}}]}, "invalid_parameter"),
        (
            {"params": [{"name": "a", "data": {"type": "dataset", "datasetId": "x", "datasetKey": "train"}}]},
            "dataset_not_found",
        ),
        (
            {"params": [{"name": "a", "data": {"type": "dataset", "datasetId": "ds-reviews", "datasetKey": "x"}}]},
            "dataset_key_not_found",
        ),
        (
            {"executionLocation": {"type": "persistentLauncher", "persistentLauncherId": "x"}},
            "persistent_launcher_not_found",
        ),
        ({"executionLocation": {"type": "temporaryLauncher", "spec": {"cpus": 2}}}, "invalid_parameter"),
        ({"executionLocation": {"type": "anywhere"}}, "invalid_parameter"),
    ],
)
async def test_a_wrong_training_gets_a_coded_error_inside_a_200(
    http: aiohttp.ClientSession, decthings: Decthings, change: dict[str, Any], code: str
) -> None:
    """`call` asserts the 200; nothing is started."""
    reply = await call(http, decthings, "Model/train", TRAIN | change)

    assert reply["error"]["code"] == code
    assert "result" not in reply
    assert not decthings.starts


async def test_blobs_are_as_many_as_inline_parameters(http: aiohttp.ClientSession, decthings: Decthings) -> None:
    """One blob too many and a blob that is no tensor are refused like one too few."""
    one = TRAIN | {"params": [{"name": "epochs"}]}

    assert "error" in await call(http, decthings, "Model/train", TRAIN, write_f32(1.0))
    assert "error" in await call(http, decthings, "Model/train", one, b"\x01\x05")
    assert "error" in await call(http, decthings, "Model/train", one, b"")
    assert "result" in await call(http, decthings, "Model/train", one, write_f32(1.0))


async def test_a_bad_key_is_a_coded_error(http: aiohttp.ClientSession, decthings: Decthings) -> None:
    """Not a 401."""
    reply = await call(http, decthings, "Model/getModels", {}, key="wrong")

    assert reply == {"error": {"code": "bad_credentials"}}


async def test_what_is_no_call_is_an_http_error(http: aiohttp.ClientSession, decthings: Decthings) -> None:
    """404 for an unknown API or method, refused for another Content-Type or a broken frame."""
    good = frame(TRAIN)

    assert (await post(http, decthings, "Model/nothing", good))[0] == 404
    assert (await post(http, decthings, "model/train", good))[0] == 404
    assert (await post(http, decthings, "Model/train", good, kind="application/json"))[0] == 400
    assert (await post(http, decthings, "Model/train", good[:-1]))[0] == 400
    async with http.get(f"{decthings.base_url}/Model/train") as reply:
        assert reply.status == 404


async def test_a_session_goes_through_its_states(
    http: aiohttp.ClientSession, decthings: Decthings, clock: Clock
) -> None:
    """Each state has its own fields; the new state is stored, and is not active."""
    session = await begin(http, decthings)
    seen = []
    for pause in (0, 50, 45, 5):
        clock.advance(pause)
        seen.append(await state(http, decthings, session))

    assert [now["state"] for now in seen] == ["starting", "running", "gettingState", "completed"]
    assert (set(seen[0]), seen[1]["progress"]) == ({"state"}, 0.5)
    assert seen[3]["finishedAt"] == decthings.models["mdl-sentiment"].created_at + 100_000
    model = await view(http, decthings)
    assert [known["name"] for known in model["states"]] == ["initial", "second"]
    assert model["activeState"] == "st-sentiment-1"


async def test_activation_is_the_only_way_to_a_new_active_state(
    http: aiohttp.ClientSession, decthings: Decthings, clock: Clock
) -> None:
    """setActiveModelState changes what is served, and is counted as a switch."""
    session = await begin(http, decthings)
    clock.advance(100)
    created = (await state(http, decthings, session))["createdStateId"]
    wanted = {"modelId": "mdl-sentiment", "stateId": created}

    assert await call(http, decthings, "Model/setActiveModelState", wanted) == {"result": {}}
    assert (await view(http, decthings))["activeState"] == created
    assert [entry.id for entry in decthings.switches] == [created]
    reply = await call(http, decthings, "Model/setActiveModelState", wanted | {"stateId": "x"})
    assert reply["error"]["code"] == "state_not_found"


async def test_sessions_move_from_ongoing_to_former(
    http: aiohttp.ClientSession, decthings: Decthings, clock: Clock
) -> None:
    """There is no list of sessions; the model names them in two fields."""
    session = await begin(http, decthings)
    during = await view(http, decthings)
    clock.advance(100)
    after = await view(http, decthings)

    wanted = session["trainingSessionId"]
    assert (during["ongoingTrainingSessions"], during["trainingSessions"]) == ([wanted], [])
    assert (after["ongoingTrainingSessions"], after["trainingSessions"]) == ([], [wanted])


async def test_a_cancellation_takes_its_time_and_ends_as_failed(
    http: aiohttp.ClientSession, decthings: Decthings, clock: Clock
) -> None:
    """Cancelled is no state: it is `failed` with a reason, after some further running."""
    session = await begin(http, decthings)
    clock.advance(20)

    assert await call(http, decthings, "Model/cancelTrainingSession", session) == {"result": {}}
    assert (await state(http, decthings, session))["state"] == "running"
    clock.advance(10)
    ended = await state(http, decthings, session)
    assert (ended["state"], ended["failReason"]) == ("failed", {"code": "cancelled"})
    reply = await call(http, decthings, "Model/cancelTrainingSession", session)
    assert reply["error"]["code"] == "training_session_not_running"


async def test_a_cancellation_may_come_too_late(
    http: aiohttp.ClientSession, decthings: Decthings, clock: Clock
) -> None:
    """The model's code is free to complete all the same."""
    decthings.act("heed_cancel", on=False)
    session = await begin(http, decthings)
    await call(http, decthings, "Model/cancelTrainingSession", session)
    clock.advance(100)

    assert (await state(http, decthings, session))["state"] == "completed"


async def test_a_cleared_session_is_not_found(http: aiohttp.ClientSession, decthings: Decthings, clock: Clock) -> None:
    """A running one cannot be cleared."""
    session = await begin(http, decthings)
    reply = await call(http, decthings, "Model/clearPreviousTrainingSession", session)
    assert reply["error"]["code"] == "training_session_running"
    clock.advance(100)

    assert await call(http, decthings, "Model/clearPreviousTrainingSession", session) == {"result": {}}
    reply = await call(http, decthings, "Model/getTrainingStatus", session)
    assert reply["error"]["code"] == "training_session_not_found"


async def test_metrics_are_tensors_behind_the_json(
    http: aiohttp.ClientSession, decthings: Decthings, clock: Clock
) -> None:
    """One blob an entry, in reading order."""
    session = await begin(http, decthings)
    clock.advance(50)
    wanted = session | {"metrics": [{"name": "loss", "startIndex": 0, "amount": 3}]}
    _, body = await post(http, decthings, "Model/getTrainingMetrics", frame(wanted))
    value, blobs = unframe(body)

    assert len(value["result"]["metrics"][0]["entries"]) == 3
    assert [read_shapes(blob) for blob in blobs] == [[(1, [])]] * 3


async def test_the_other_contract_has_versions_and_nothing_active(
    http: aiohttp.ClientSession, decthings: Decthings, clock: Clock
) -> None:
    """A version is there from the start, under training; no call makes one active."""
    decthings.act("contract", contract="versions")
    session = await begin(http, decthings, VERSION_TRAIN)
    during = await view(http, decthings)
    clock.advance(95)
    getting = await state(http, decthings, session)
    clock.advance(5)
    ended = await state(http, decthings, session)
    after = await view(http, decthings)

    assert "states" not in during
    training = {"state": "training", "trainingSessionId": session["trainingSessionId"]}
    assert during["versions"][1]["status"] == training
    assert (getting["state"], ended["state"]) == ("gettingWeights", "completed")
    assert ended["createdVersionId"] == after["versions"][1]["id"]
    assert after["versions"][1]["status"]["state"] == "created"
    assert (await post(http, decthings, "Model/setActiveModelState", frame({})))[0] == 404


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"versionId": "nothing"}, "model_version_not_found"),
        ({"versionId": None}, "invalid_parameter"),
        ({"newStateName": "x"}, "invalid_parameter"),
    ],
)
async def test_the_contracts_do_not_mix(
    http: aiohttp.ClientSession, decthings: Decthings, change: dict[str, Any], code: str
) -> None:
    """The names of one contract are refused in the other; a version must be given."""
    decthings.act("contract", contract="versions")

    assert (await call(http, decthings, "Model/train", VERSION_TRAIN | change))["error"]["code"] == code
    decthings.act("contract", contract="states")
    assert "error" in await call(http, decthings, "Model/train", VERSION_TRAIN)


async def test_a_version_whose_training_failed_is_gone(http: aiohttp.ClientSession, decthings: Decthings) -> None:
    """Only created versions stay."""
    decthings.act("contract")
    session = await begin(http, decthings, VERSION_TRAIN)
    decthings.act("fail", training=session["trainingSessionId"])

    assert (await state(http, decthings, session))["failReason"]["code"] == "exception"
    assert [version["name"] for version in (await view(http, decthings))["versions"]] == ["initial"]


async def test_data_sets_launchers_and_quotas_are_listed(http: aiohttp.ClientSession, decthings: Decthings) -> None:
    """The lists page and filter alike."""
    datasets = await call(http, decthings, "Dataset/getDatasets", {"filter": {"ids": ["ds-reviews"]}})
    launchers = await call(http, decthings, "PersistentLauncher/getPersistentLaunchers", {"offset": 0, "limit": 5})
    nothing = await call(http, decthings, "Model/getModels", {"filter": {"searchName": "nothing"}})

    assert [key["name"] for key in datasets["result"]["datasets"][0]["keys"]] == ["train", "labels"]
    assert launchers["result"]["persistentLaunchers"][0]["state"] == {"type": "active"}
    assert nothing["result"] == {"models": [], "total": 0, "offset": 0, "limit": 20}
    assert await call(http, decthings, "User/getQuotas", {}) == {"result": {"quotas": []}}


@pytest.mark.parametrize(
    ("method", "params", "named"),
    [
        ("Model/train", TRAIN | {"executionLocation": {"type": "persistentLauncher", "persistentLauncherId": []}}, ""),
        ("Model/train", TRAIN | {"params": [{"name": "a", "data": {"type": "dataset", "datasetId": []}}]}, "params"),
        ("Model/getModels", {"filter": {"ids": "mdl-sentiment"}}, "filter"),
        ("Model/getModels", {"limit": "20"}, "limit"),
        ("Model/getModels", {"page": 2}, "page"),
        ("Model/getTrainingStatus", {"modelId": "mdl-sentiment", "trainingSessionId": 5}, "trainingSessionId"),
    ],
)
async def test_nonsense_is_an_invalid_parameter(
    http: aiohttp.ClientSession, decthings: Decthings, method: str, params: Any, named: str
) -> None:
    """The error names the parameter and the reason."""
    error = (await call(http, decthings, method, params))["error"]

    assert (error["code"], error["parameterName"]) == ("invalid_parameter", named or "executionLocation")
    assert error["reason"]


async def test_too_many_requests_is_a_coded_error(http: aiohttp.ClientSession, decthings: Decthings) -> None:
    """Not a 429."""
    decthings.act("rate_limited")

    assert await call(http, decthings, "Model/getModels", {}) == {"error": {"code": "too_many_requests"}}
