"""The Decthings provider: from typed words to captured bytes, and from replies to what a job is told."""

import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

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
from bot.ports import Found, Gate, Provider, Watched
from bot.providers.decthings import BASE_URL, build
from bot.providers.decthings.parameters import parse_parameter, shown, to_tensor
from bot.providers.decthings.refusals import SENTENCES, to_error
from bot.providers.decthings.statuses import WORDS, to_status, to_time
from bot.providers.decthings.wire import decode_request, decode_tensors, encode_reply, encode_tensor
from bot.providers.http import Tools, open_sessions
from sandbox.clock import Clock
from sandbox.services.decthings import Decthings as Service
from tests.providers.scripted import Answer, Asked, Scripted, hang_up, page, scripted

VECTORS = Path(__file__).parents[1] / "vectors" / "decthings"
FOLDERS = {"states": "states-0.5.15", "versions": "versions-5d0361e"}
KEY = "test-api-key"
MODEL = "11111111-1111-4111-8111-111111111111"
SESSION = "22222222-2222-4222-8222-222222222222"
VERSION = "33333333-3333-4333-8333-333333333333"
LAUNCHER = "44444444-4444-4444-8444-444444444444"
DATASET = "55555555-5555-4555-8555-555555555555"
TRAIN, STATUS, MODELS = "/v0/Model/train", "/v0/Model/getTrainingStatus", "/v0/Model/getModels"
METRICS, CANCEL, ACTIVATE = (
    f"/v0/Model/{name}" for name in ("getTrainingMetrics", "cancelTrainingSession", "setActiveModelState")
)


def captured(contract: str, name: str) -> Mapping[str, Any]:
    cases = json.loads((VECTORS / FOLDERS[contract] / "manifest.json").read_text(encoding="utf-8"))
    found: Mapping[str, Any] = next(case for case in cases if case["name"] == name)
    return found


# -- a provider and a service -----------------------------------------------------------------------------------------


@pytest.fixture
async def service() -> AsyncIterator[Scripted]:
    async with scripted() as service:
        yield service


@pytest.fixture
async def tools() -> AsyncIterator[Tools]:
    async with open_sessions() as sessions:
        yield Tools(sessions=sessions, now=lambda: datetime.now(UTC))


Make = Callable[..., Provider]


@pytest.fixture
def make(tools: Tools, service: Scripted) -> Make:
    """A provider that calls the scripted service."""

    def make(**section: Any) -> Provider:
        return build({"base_url": f"{service.url}/v0", "api_key": KEY, "launcher": "ln-1", **section}, tools)

    return make


@pytest.fixture
def states(make: Make) -> Provider:
    return make()


@pytest.fixture
def versions(make: Make) -> Provider:
    return make(contract="versions")


def framed(body: Mapping[str, Any], *blobs: bytes, status: int = 200) -> web.Response:
    return web.Response(body=encode_reply(body, blobs), status=status, content_type="application/octet-stream")


def result(**fields: Any) -> web.Response:
    return framed({"result": fields})


def error(code: str, **fields: Any) -> web.Response:
    return framed({"error": {"code": code, **fields}})


def replies(contract: str, name: str) -> web.Response:
    """The reply of a captured exchange."""
    body = bytes.fromhex(captured(contract, name)["response_hex"])
    return web.Response(body=body, content_type="application/octet-stream")


def sent(asked: Asked) -> Mapping[str, Any]:
    return decode_request(asked.body).body


def request_for(*, model: str = MODEL, name: str = "state-1", **params: Any) -> TrainRequest:
    """A request; of `parameters`, values are given as text and read as the grammar has them read."""
    texts = params.pop("parameters", {})
    parsed = {key: parse_parameter(key, text) for key, text in texts.items()}
    family = {"parameters": parsed} if parsed else {}
    all_params = {"model": model, "name": name, **params, **family}
    return TrainRequest(request_key="key", provider="decthings", model=model, params=all_params)


def plan_of(provider: Provider, request: TrainRequest) -> Plan:
    provider.check(request)
    plan = provider.plan(request, None)
    # A plan is kept as JSON between being shown and being sent.
    return Plan(provider=plan.provider, model=plan.model, body=json.loads(json.dumps(plan.body)), summary=plan.summary)


def watched(*, left: str | None = None, session: str | None = SESSION) -> Watched:
    last = RemoteStatus(phase=Phase.TRAINED, word="completed", result={"createdStateId": left}) if left else None
    return Watched(job_id="j-1", model=MODEL, remote_id=session, last=last)


# -- configuration ----------------------------------------------------------------------------------------------------


async def test_without_a_key_it_is_not_configured(tools: Tools) -> None:
    """A provider without credentials says which setting would give it some."""
    for section in ({}, {"api_key": "  \n"}, {"contract": "versions"}):
        with pytest.raises(NotConfiguredError) as caught:
            build(section, tools)
        assert caught.value.keys == ("SWITCHYARD_DECTHINGS__API_KEY",)


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"contract": "both"}, "CONTRACT"),
        ({"base_url": "api.decthings.com"}, "BASE_URL"),
        ({"api_key": "two words"}, "API_KEY"),
        ({"launchr": "x"}, "LAUNCHR"),
    ],
)
async def test_a_wrong_setting_is_named_without_its_value(tools: Tools, section: Mapping[str, str], named: str) -> None:
    """The operator reads which variable is wrong, and no log gets a key."""
    with pytest.raises(ConfigurationError, match=f"SWITCHYARD_DECTHINGS__{named}") as caught:
        build({"api_key": KEY, **section}, tools)
    assert KEY not in str(caught.value)
    assert "two words" not in str(caught.value)


async def test_the_documented_address_is_the_default(tools: Tools) -> None:
    """With a key alone it can be used; the gate follows from the contract."""
    assert build({"api_key": KEY}, tools).powers.gate is Gate.AFTER
    assert build({"api_key": KEY, "contract": "versions"}, tools).powers.gate is Gate.NONE
    assert BASE_URL == "https://api.decthings.com/v0"


# -- what people type -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "shape", "elements", "line"),
    [
        ("f64:0.001", "f64", [], [0.001], "f64 0.001"),
        ("F32:-1e3, .5", "f32", [2], [-1000.0, 0.5], "f32 -1000.0, 0.5 (2 values)"),
        ("u32:10", "u32", [], [10], "u32 10"),
        ("i8:-128,127", "i8", [2], [-128, 127], "i8 -128, 127 (2 values)"),
        ("u64:18446744073709551615", "u64", [], [2**64 - 1], "u64 18446744073709551615"),
        ("boolean:True,false", "boolean", [2], [True, False], "boolean true, false (2 values)"),
        ("string:red,green", "string", [2], ["red", "green"], 'string "red", "green" (2 values)'),
        ("string:a: b\\, c", "string", [], ["a: b, c"], 'string "a: b, c"'),
        ("string:", "string", [], [""], 'string ""'),
        ("binary:00FF", "binary", [], ["00ff"], 'binary "00ff"'),
        ("u8:1,2,3,4,5,6,7", "u8", [7], [1, 2, 3, 4, 5, 6, 7], "u8 1, 2, 3, 4, 5, 6, … (7 values)"),
    ],
)
def test_values_are_read_as_they_are_meant(
    text: str, kind: str, shape: list[int], elements: list[Any], line: str
) -> None:
    """One value is a tensor without dimensions, several are one dimension; people read back what they typed."""
    value = parse_parameter("x", text)
    assert value == {"type": kind, "shape": shape, "elements": elements}
    assert shown(value) == line


@pytest.mark.parametrize(("text", "key"), [("dataset:ds-1/train", "train"), ("DATASET:ds-1/a/b", "a/b")])
def test_a_data_set_is_named_with_its_key(text: str, key: str) -> None:
    """The first slash ends the id, so that keys may hold others."""
    value = parse_parameter("x", text)
    assert value == {"type": "dataset", "datasetId": "ds-1", "datasetKey": key}
    assert shown(value) == f"data set ds-1, key {key}"


@pytest.mark.parametrize(
    ("text", "says", "suggestion"),
    [
        ("0.001", "does not say of which type it is", ""),
        ("u8:300", "u8 does not hold: 0 to 255", "x=u16:300"),
        ("u8:-1", "u8 does not hold: 0 to 255", "x=i8:-1"),
        ("i8:128,-1", "-128 to 127", "x=i16:128,-1"),
        ("u32:4294967296", "0 to 4294967295", "x=u64:4294967296"),
        ("u64:18446744073709551616", "u64 does not hold", ""),
        ("f32:1e39", "f32 does not hold", "x=f64:1e39"),
        ("u8:1.5", "`1.5` is not a whole number", ""),
        ("u8:1_0", "not a whole number", ""),
        ("u8:١", "not a whole number", ""),
        (f"u8:{'9' * 5000}", "is too large", ""),
        ("u8:", "a value is missing", ""),
        ("u8:1,", "a value is missing", ""),
        ("f64:nan", "not a number", ""),
        ("f64:1e999", "too large", ""),
        ("boolean:yes", "neither true nor false", ""),
        ("binary:abc", "pairs of hex digits", ""),
        ("string:\ud800", "string does not hold", ""),
        ("int32:5", "there is not", "x=i32:5"),
        ("bool:true", "there is not", "x=boolean:true"),
        ("datset:ds/key", "there is not", "x=dataset:ds/key"),
        ("zzz:1", "there is not", ""),
        ("image:cat.png", "put image data into a data set", ""),
        ("dataset:ds-1", "names no key", ""),
        ("dataset:/train", "names no key", ""),
        ("dataset:ds-1/", "names no key", ""),
    ],
)
def test_a_wrong_parameter_is_explained(text: str, says: str, suggestion: str) -> None:
    """The sentence names the word that is wrong and the way out."""
    with pytest.raises(UsageError) as caught:
        parse_parameter("x", text)
    assert says in str(caught.value)
    assert caught.value.word == f"x={text}"
    assert caught.value.suggestion == suggestion


@given(st.text(max_size=40), st.sampled_from(["", "u8:", "f32:", "i64:", "string:", "boolean:", "binary:", "dataset:"]))
def test_whatever_is_typed_is_read_or_explained(text: str, head: str) -> None:
    """No text of a parameter ends in anything but a value that can be sent, or a sentence."""
    try:
        value = parse_parameter("x", head + text)
    except UsageError:
        return
    assert json.loads(json.dumps(value)) == value
    assert value["type"] == "dataset" or decode_tensors(encode_tensor(to_tensor(value)))


async def test_a_misspelt_option_is_not_taken_for_a_parameter(states: Provider, versions: Provider) -> None:
    """Parameters have any name, so a slip in an option's name is caught by its value; the other contract's too."""
    [states_family], [versions_family] = states.arguments.families, versions.arguments.families
    for text in ("luancher", "memroy", "stat"):
        with pytest.raises(UsageError, match=r"Did you mean `(launcher|memory|state)="):
            states_family.parse(text, "4096")
    with pytest.raises(UsageError, match="contract `versions`"):
        states_family.parse("version", "v-1")
    with pytest.raises(UsageError, match="contract `states`"):
        versions_family.parse("state", "st-1")
    assert states_family.parse("memroy", "u32:1") == parse_parameter("memroy", "u32:1")


async def test_the_arguments_are_those_of_the_contract(states: Provider, versions: Provider) -> None:
    """A form asks for a state or for a version, never for both, and the version is required."""
    assert {option.name: option.required for option in states.arguments.options}["state"] is False
    assert {option.name: option.required for option in versions.arguments.options}["version"] is True
    assert "version" not in {option.name for option in states.arguments.options}
    assert [one.label for one in versions.arguments.positionals] == ["MODEL-ID", "NEW-VERSION-NAME"]
    for provider in (states, versions):
        assert all(example.startswith("/train decthings ") for example in provider.arguments.examples)


@pytest.mark.parametrize(
    ("option", "text", "is_fine"),
    [
        ("gpu", "L4", True),
        ("gpu", "A100 80GB:2", True),
        ("gpu", "L4:0", False),
        ("gpu", "L4:many", False),
        ("gpu", ":1", False),
        ("gpu", " ", False),
        ("launcher", "", False),
        ("state", " ", False),
    ],
)
async def test_single_values_are_judged(states: Provider, option: str, text: str, is_fine: bool) -> None:
    """What can be seen in one word is said about that word."""
    argument = next(one for one in states.arguments.options if one.name == option)
    assert argument.refuse is not None
    assert (argument.refuse(text) is None) is is_fine


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"launcher": "ln-2", "cpus": 2.0, "memory": 4096}, "say one of them"),
        ({"cpus": 2.0}, "`cpus=` needs `memory=`"),
        ({"memory": 4096}, "`memory=` needs `cpus=`"),
        ({"gpu": "L4"}, "`gpu=` needs `cpus=`"),
        ({"gpu": "L4", "cpus": 2.0}, "needs `memory=`"),
        ({"cpus": 0.0, "memory": 4096}, "`cpus=` needs more than none"),
        ({"version": "v-1"}, "contract `versions`"),
        ({"parameters": {f"p{n}": "u8:1" for n in range(256)}}, "at most 255 parameters; these are 256"),
    ],
)
async def test_what_does_not_go_together_is_refused(states: Provider, params: Mapping[str, Any], says: str) -> None:
    """Before anything is stored, combinations that cannot be sent are explained."""
    with pytest.raises(UsageError, match=says):
        states.check(request_for(**params))


async def test_somewhere_it_has_to_run(make: Make) -> None:
    """Without a launcher in the command or the settings, the person is told the three ways out."""
    provider = make(launcher="")
    with pytest.raises(UsageError, match="SWITCHYARD_DECTHINGS__LAUNCHER"):
        provider.check(request_for())
    provider.check(request_for(launcher="ln-2"))
    provider.check(request_for(cpus=0.5, memory=512))


async def test_the_versions_contract_needs_a_version(versions: Provider) -> None:
    """There is no active version to start from."""
    with pytest.raises(UsageError, match="Add `version=ID`"):
        versions.check(request_for())
    with pytest.raises(UsageError, match="contract `states`"):
        versions.check(request_for(version="v-1", state="st-1"))
    versions.check(request_for(version="v-1"))


# -- the plan ---------------------------------------------------------------------------------------------------------


async def test_people_read_exactly_what_will_be_sent(make: Make) -> None:
    """The lines of the card: name, source, each parameter in its order, the place."""
    parameters = {"rate": "f64:0.001", "x": "dataset:ds-1/train", "layers": "u16:64,32"}
    request = request_for(state="st-7", parameters=parameters, cpus=2.0, memory=4096, gpu="A100 80GB:2")
    plan = plan_of(make(), request)
    assert plan.summary == (
        ("New state", "state-1"),
        ("Starts from", "st-7"),
        ("Parameter rate", "f64 0.001"),
        ("Parameter x", "data set ds-1, key train"),
        ("Parameter layers", "u16 64, 32 (2 values)"),
        ("Runs on", "a temporary launcher: 2 CPU, 4,096 MiB, 2 × A100 80GB"),
    )
    spec = plan.body["params"]["executionLocation"]["spec"]
    assert spec == {"cpus": 2, "memoryMebibytes": 4096, "gpus": {"model": "A100 80GB", "count": 2}}


async def test_the_configured_launcher_is_part_of_the_plan(make: Make) -> None:
    """What an approver sees is what will run, also where the setting decided."""
    assert dict(plan_of(make(), request_for()).summary)["Runs on"] == "launcher ln-1"
    assert dict(plan_of(make(), request_for(launcher="ln-2")).summary)["Runs on"] == "launcher ln-2"
    assert dict(plan_of(make(), request_for()).summary)["Starts from"] == "the active state"
    versions = plan_of(make(contract="versions"), request_for(version="v-1"))
    assert dict(versions.summary)["New version"] == "state-1"


async def test_another_order_of_parameters_is_another_plan(states: Provider) -> None:
    """A model may read its parameters by position, so the order is kept and is part of the digest."""
    one, two = {"a": "u8:1", "b": "u8:2"}, {"b": "u8:2", "a": "u8:1"}
    digests = {plan_of(states, request_for(parameters=each)).digest() for each in (one, two)}
    assert len(digests) == 2


TEMPORARY = {"cpus": 2.0, "memory": 4096}
TYPED: Mapping[str, Mapping[str, Any]] = {
    "train-dataset-param": {"parameters": {"x": f"dataset:{DATASET}/text"}, **TEMPORARY},
    "train-inline-300-byte-tensor": {"parameters": {"a": "u8:" + ",".join(["42"] * 300)}, **TEMPORARY},
    "train-no-params-utf8-name": {"name": "Öl-1", **TEMPORARY},
    "train-error-plain": TEMPORARY,
}


@pytest.mark.parametrize("case", TYPED)
@pytest.mark.parametrize("contract", FOLDERS)
async def test_typed_words_become_the_bytes_of_the_official_client(
    make: Make, service: Scripted, contract: str, case: str
) -> None:
    """A start goes out byte for byte as the official client sends it, with the same headers."""
    expected = captured(contract, case)
    service.on("POST", TRAIN, replies("states", "train-dataset-param"))
    named: dict[str, Any] = {"name": "version-1", "version": VERSION} if contract == "versions" else {}
    provider = make(contract=contract, api_key=f" {KEY}\n")
    session = await provider.start(plan_of(provider, request_for(**{**named, **TYPED[case]})), {}, None)
    assert session == SESSION
    [asked] = service.asked
    assert asked.body.hex() == expected["request_hex"]
    for header in ("Content-Type", "Authorization"):
        assert asked.headers[header] == expected["headers"][header]
    assert asked.headers["Content-Length"] == expected["headers"]["Content-Length"]


async def test_each_inline_parameter_sends_one_blob_in_its_order(states: Provider, service: Scripted) -> None:
    """Parameters with values own the blobs one after the other; a data set between them takes none."""
    service.on("POST", TRAIN, result(trainingSessionId="s-1"))
    parameters = {
        "a": "f32:1.5,-2",
        "b": f"dataset:{DATASET}/label",
        "c": "binary:00ff",
        "d": "boolean:true",
        "e": "string:é",
    }
    await states.start(plan_of(states, request_for(launcher=LAUNCHER, parameters=parameters)), {}, None)
    message = decode_request(service.asked[0].body)
    assert [param["name"] for param in message.body["params"]] == list(parameters)
    assert [param["name"] for param in message.body["params"] if "data" in param] == ["b"]
    tensors = [tensor for blob in message.blobs for tensor in decode_tensors(blob)]
    assert [tensor.elements for tensor in tensors] == [(1.5, -2.0), (b"\x00\xff",), (True,), ("é",)]
    assert [tensor.shape for tensor in tensors] == [(2,), (), (), ()]


async def test_255_parameters_can_be_sent(states: Provider, service: Scripted) -> None:
    """The most that the frame holds."""
    service.on("POST", TRAIN, result(trainingSessionId="s-1"))
    parameters = {f"p{n}": "u8:1" for n in range(255)}
    await states.start(plan_of(states, request_for(parameters=parameters)), {}, None)
    assert len(decode_request(service.asked[0].body).blobs) == 255


# -- the start --------------------------------------------------------------------------------------------------------

AMBIGUOUS: Mapping[str, Answer] = {
    "a web page": page(),
    "half a frame": web.Response(body=encode_reply({"result": {"trainingSessionId": "s-1"}})[:20],
                                 content_type="application/octet-stream"),
    "nothing": web.Response(content_type="application/octet-stream"),
    "JSON without a frame": web.json_response({"result": {"trainingSessionId": "s-1"}}),
    "another content type": web.Response(body=encode_reply({"result": {"trainingSessionId": "s-1"}}),
                                         content_type="application/json"),
    "no session": result(),
    "a session that is no text": result(trainingSessionId=7),
    "neither result nor error": framed({}),
    "a result that is no object": framed({"result": []}),
    "an error without a code": framed({"error": {}}),
    "an undocumented code": error("cosmic_rays"),
    "unknown": error("unknown"),
    "HTTP 500": web.Response(status=500, text="oops"),
    "HTTP 503": page(503),
    "a redirect": web.Response(status=302, headers={"Location": "/elsewhere"}),
    "bottomless": web.Response(body=b"\xfe\x00\x03\x0d\x40" + b"[" * 200_000, content_type="application/octet-stream"),
    "a reset": hang_up,
}  # fmt: skip


@pytest.mark.parametrize("kind", AMBIGUOUS)
async def test_an_unclear_answer_to_a_start_is_never_taken_for_a_no(
    states: Provider, service: Scripted, kind: str
) -> None:
    """The training may run: the start is sent once, and looked for afterwards."""
    service.on("POST", TRAIN, AMBIGUOUS[kind])
    with pytest.raises(ProviderError) as caught:
        await states.start(plan_of(states, request_for()), {}, None)
    assert caught.value.effect is Effect.UNKNOWN
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "effect", "says"),
    [
        (error("quota_exceeded"), RejectedError, Effect.REFUSED, "quota"),
        (error("access_denied"), RejectedError, Effect.REFUSED, "read access only"),
        (error("model_not_found"), NotFoundError, Effect.REFUSED, "no model of this id"),
        (error("persistent_launcher_not_found"), RejectedError, Effect.REFUSED, "`launcher=ID`"),
        (error("dataset_not_found", datasetId="ds-1"), RejectedError, Effect.REFUSED, "no data set `ds-1`"),
        (error("dataset_key_not_found", datasetId="ds-1", datasetKey="k"), RejectedError, Effect.REFUSED,
         "no key `k` in the data set `ds-1`"),
        (error("dataset_not_found"), RejectedError, Effect.REFUSED, "no data set `?`"),
        (error("invalid_parameter", parameterName="params", reason="Too few."), RejectedError, Effect.REFUSED,
         "`params`: Too few."),
        (error("bad_credentials"), CredentialsError, Effect.REFUSED, "SWITCHYARD_DECTHINGS__API_KEY"),
        (error("payment_required"), RejectedError, Effect.REFUSED, "billing"),
        (error("too_many_requests"), RateLimitedError, Effect.NONE, "slow down"),
        (framed({"error": {"code": "quota_exceeded"}}, status=500), RejectedError, Effect.REFUSED, "quota"),
        (framed({"error": {"code": "bad_credentials"}}, status=401), CredentialsError, Effect.REFUSED, "API_KEY"),
        (web.Response(status=401), CredentialsError, Effect.REFUSED, "credentials"),
        (web.Response(status=429, headers={"Retry-After": "7"}), RateLimitedError, Effect.NONE, "slow down"),
        (web.Response(status=404), RejectedError, Effect.REFUSED, "/v0"),
        (page(404), RejectedError, Effect.REFUSED, "/v0"),
        (web.Response(status=403, text="no"), RejectedError, Effect.REFUSED, "no"),
    ],
)  # fmt: skip
async def test_a_clear_no_to_a_start_is_one(
    states: Provider, service: Scripted, answer: web.Response, kind: type[ProviderError], effect: Effect, says: str
) -> None:
    """Coded errors come inside a 200, and are understood in any other reply too."""
    service.on("POST", TRAIN, answer)
    with pytest.raises(ProviderError, match="Decthings") as caught:
        await states.start(plan_of(states, request_for()), {}, None)
    assert type(caught.value) is kind
    assert caught.value.effect is effect
    assert says in str(caught.value)
    assert len(service.asked) == 1


async def test_a_service_that_is_not_there_got_nothing(tools: Tools) -> None:
    """A refused connection is surely not a start."""
    provider = build({"base_url": "http://127.0.0.1:9/v0", "api_key": KEY, "launcher": "ln-1"}, tools)
    with pytest.raises(UnreachableError) as caught:
        await provider.start(plan_of(provider, request_for()), {}, None)
    assert caught.value.effect is Effect.NONE


async def test_what_cannot_be_written_is_not_sent(states: Provider, service: Scripted) -> None:
    """Half a surrogate pair in a name fits into no frame; nothing but a ProviderError leaves."""
    with pytest.raises(RejectedError, match="cannot be sent") as caught:
        await states.start(plan_of(states, request_for(name="\ud800")), {}, None)
    assert caught.value.effect is Effect.REFUSED
    assert not service.asked


async def test_an_error_shows_neither_the_key_nor_a_signed_address(states: Provider, service: Scripted) -> None:
    """What a service quotes back is cleaned before anybody reads it."""
    reason = f"Bearer {KEY} at https://files.example/x?sig=abc is not it"
    service.on("POST", TRAIN, error("invalid_parameter", parameterName="p", reason=reason))
    with pytest.raises(RejectedError) as caught:
        await states.start(plan_of(states, request_for()), {}, None)
    assert KEY not in str(caught.value)
    assert "sig" not in str(caught.value)


@pytest.mark.parametrize("code", [*SENTENCES, "cosmic_rays", "", "{reason}", None, 7])
def test_every_code_has_a_sentence(code: Any) -> None:
    """Known or not, of the right type or not: one sentence that ends once."""
    found = to_error({"code": code, "other": ["x"]}, str)
    assert str(found).startswith("Decthings ")
    assert str(found).endswith(".")
    assert found.effect is (Effect.UNKNOWN if code == "unknown" or code not in SENTENCES else found.effect)


# -- reserve and find -------------------------------------------------------------------------------------------------


def model_of(**fields: Any) -> web.Response:
    return result(models=[{"id": "other"}, {"id": MODEL, **fields}], total=2, offset=0, limit=20)


def with_sessions(ongoing: Sequence[Any] = (), former: Sequence[Any] = ()) -> web.Response:
    return model_of(ongoingTrainingSessions=list(ongoing), trainingSessions=list(former), states=[], activeState="st-0")


def version(ident: str, name: str, **status: Any) -> dict[str, Any]:
    return {"id": ident, "name": name, "status": status}


async def find_after(provider: Provider, service: Scripted, request: TrainRequest, *models: web.Response) -> Found:
    """Reserve with the first look at the model, find with the next."""
    service.on("POST", MODELS, *models)
    plan = plan_of(provider, request)
    claim = json.loads(json.dumps(await provider.reserve(plan, "j-1")))
    return await provider.find(plan, claim, None)


def naming(names: Mapping[str, str]) -> Callable[[web.Request], Any]:
    """Answers getTrainingStatus with a session that makes a state of the given name."""

    async def answer(request: web.Request) -> web.Response:
        session = decode_request(await request.read()).body["trainingSessionId"]
        if session not in names:
            return error("training_session_not_found")
        return result(id=session, newStateName=names[session], status={"state": "starting"})

    return answer


async def test_the_claim_asks_for_the_one_model(states: Provider, service: Scripted) -> None:
    """The look before the start goes out byte for byte as the official client sends it."""
    service.on("POST", MODELS, with_sessions(["s-2"], ["s-1"]))
    claim = await states.reserve(plan_of(states, request_for()), "j-1")
    assert claim == {"sessions": ["s-2", "s-1"]}
    assert service.asked[0].body.hex() == captured("states", "get-models-by-id")["request_hex"]


async def test_a_start_is_found_by_the_one_new_session_of_its_name(states: Provider, service: Scripted) -> None:
    """Sessions that were there before, and new ones for other states, are not ours."""
    service.on("POST", STATUS, naming({"s-1": "state-1", "s-2": "other", "s-3": "state-1"}))
    found = await find_after(
        states, service, request_for(), with_sessions([], ["s-1"]), with_sessions(["s-2", "s-3"], ["s-1"])
    )
    assert found.remote_id == "s-3"
    assert service.count("POST", STATUS) == 2


@pytest.mark.parametrize(
    ("ongoing", "former", "says"),
    [
        ([], ["s-1"], "0 new training sessions"),
        (["s-2"], ["s-1"], "0 new training sessions"),
        (["s-3"], ["s-4", "s-1"], "2 new training sessions for a state called state-1: s-3, s-4"),
        (["gone"], ["s-1"], "0 new training sessions"),
        ([f"n-{n}" for n in range(51)], ["s-1"], "51 training sessions are new"),
    ],
)
async def test_without_exactly_one_candidate_nothing_is_found(
    states: Provider, service: Scripted, ongoing: list[str], former: list[str], says: str
) -> None:
    """Never the newest, never the first: a person is asked, and reads what there is."""
    service.on("POST", STATUS, naming({"s-2": "other", "s-3": "state-1", "s-4": "state-1"}))
    found = await find_after(states, service, request_for(), with_sessions([], ["s-1"]), with_sessions(ongoing, former))
    assert found.remote_id is None
    assert says in found.word


@pytest.mark.parametrize(
    "broken", [model_of(), model_of(trainingSessions=[]), model_of(trainingSessions={}, ongoingTrainingSessions=[])]
)
async def test_lists_that_lack_are_not_taken_for_empty_ones(
    states: Provider, service: Scripted, broken: web.Response
) -> None:
    """Without both lists it cannot be said which session is new."""
    service.on("POST", STATUS, naming({"s-1": "state-1"}))
    for models in ((broken, with_sessions(["s-1"])), (with_sessions(), broken)):
        found = await find_after(states, service, request_for(), *models)
        assert found.remote_id is None
        assert "does not list" in found.word


async def test_a_session_may_be_listed_as_an_object(states: Provider, service: Scripted) -> None:
    """The types say ids; an object with an id is understood as well."""
    service.on("POST", STATUS, naming({"s-2": "state-1"}))
    found = await find_after(
        states, service, request_for(), with_sessions([], [{"id": "s-1"}]), with_sessions([{"id": "s-2"}, 7], ["s-1"])
    )
    assert found.remote_id == "s-2"


async def test_a_failed_look_is_not_a_finding(states: Provider, service: Scripted) -> None:
    """Where the service fails while a candidate is looked at, the look counts as failed."""
    service.on("POST", STATUS, web.Response(status=503))
    with pytest.raises(BrokenError):
        await find_after(states, service, request_for(), with_sessions(), with_sessions(["s-1"]))


async def test_a_version_in_training_is_found(versions: Provider, service: Scripted) -> None:
    """Under the other contract the new version names the session that trains it."""
    before = model_of(versions=[version("v-1", "state-1", state="created"), version("v-0", "x", state="created")])
    after = model_of(versions=[
        version("v-1", "state-1", state="created"),
        version("v-2", "state-1", state="training", trainingSessionId="s-9"),
        version("v-3", "y", state="training", trainingSessionId="s-8"),
    ])  # fmt: skip
    found = await find_after(versions, service, request_for(version="v-0"), before, after)
    assert found.remote_id == "s-9"


@pytest.mark.parametrize(
    "new",
    [
        [],
        [version("v-2", "state-1", state="created")],
        [version("v-2", "state-1", state="initializingWeights")],
        [version("v-2", "state-1", state="training")],
        [{"id": "v-2", "name": "state-1"}],
        [
            version("v-2", "state-1", state="training", trainingSessionId="s-1"),
            version("v-3", "state-1", state="created"),
        ],
        [version(f"v-{n}", "state-1", state="training", trainingSessionId=f"s-{n}") for n in (2, 3)],
    ],
)
async def test_a_version_that_may_be_somebody_elses_is_asked_about(
    versions: Provider, service: Scripted, new: list[Any]
) -> None:
    """One that is created already, several, or one without a session: a person decides."""
    found = await find_after(
        versions, service, request_for(version="v-0"), model_of(versions=[]), model_of(versions=new)
    )
    assert found.remote_id is None
    assert "state-1" in found.word


async def test_a_claim_of_another_kind_finds_nothing(versions: Provider, service: Scripted) -> None:
    """What was there before the start has to be known."""
    service.on(
        "POST", MODELS, model_of(versions=[version("v-2", "state-1", state="training", trainingSessionId="s-1")])
    )
    found = await versions.find(plan_of(versions, request_for(version="v-0")), {}, None)
    assert found.remote_id is None


async def test_an_unknown_model_refuses_the_start(states: Provider, service: Scripted) -> None:
    """getModels leaves out what does not exist or is not ours; nothing is started then."""
    service.on("POST", MODELS, replies("states", "get-models-by-id"))
    with pytest.raises(RejectedError, match=f"no model `{MODEL}`"):
        await states.reserve(plan_of(states, request_for()), "j-1")
    found = await states.find(plan_of(states, request_for()), {"sessions": []}, None)
    assert found.remote_id is None


async def test_the_wrong_contract_is_noticed_before_the_start(
    states: Provider, versions: Provider, service: Scripted
) -> None:
    """Which contract the service speaks is not documented: its own answer tells, and the operator is told."""
    service.on("POST", MODELS, model_of(versions=[]))
    with pytest.raises(RejectedError, match="SWITCHYARD_DECTHINGS__CONTRACT=versions"):
        await states.reserve(plan_of(states, request_for()), "j-1")
    service.on("POST", MODELS, with_sessions())
    with pytest.raises(RejectedError, match="SWITCHYARD_DECTHINGS__CONTRACT=states"):
        await versions.reserve(plan_of(versions, request_for(version="v-1")), "j-1")


@pytest.mark.parametrize("answer", [result(), result(models={}), result(models=None)])
async def test_a_list_of_models_of_another_form_is_unreadable(
    states: Provider, service: Scripted, answer: web.Response
) -> None:
    """A missing list is not an empty one."""
    service.on("POST", MODELS, answer)
    with pytest.raises(UnreadableError):
        await states.reserve(plan_of(states, request_for()), "j-1")


# -- the looks --------------------------------------------------------------------------------------------------------

SEEN = {
    "status-starting": (Phase.QUEUED, "starting", None, ""),
    "status-running": (Phase.RUNNING, "running", 25.0, ""),
    "status-gettingState": (Phase.RUNNING, "gettingState", None, ""),
    "status-gettingWeights": (Phase.RUNNING, "gettingWeights", None, ""),
    "status-completed": (Phase.TRAINED, "completed", None, ""),
    "status-failed": (Phase.FAILED, "failed", None, "an exception in train: ValueError: x"),
}


OF_BOTH = ["status-starting", "status-running", "status-completed", "status-failed"]


@pytest.mark.parametrize(
    ("contract", "case"),
    [
        *((contract, case) for contract in FOLDERS for case in OF_BOTH),
        ("states", "status-gettingState"),
        ("versions", "status-gettingWeights"),
    ],
)
async def test_captured_statuses_are_read(make: Make, service: Scripted, contract: str, case: str) -> None:
    """All five states of both contracts, asked for byte for byte as the official client does."""
    service.on("POST", STATUS, replies(contract, case))
    service.on("POST", METRICS, replies(contract, "metrics-two-blobs"))
    seen = await make(contract=contract).status(watched())
    assert (seen.phase, seen.word, seen.progress, seen.detail) == SEEN[case]
    assert seen.is_known
    assert service.asked[0].body.hex() == captured(contract, case)["request_hex"]


@pytest.mark.parametrize(("contract", "key"), [("states", "createdStateId"), ("versions", "createdVersionId")])
async def test_what_a_training_left_is_kept(make: Make, service: Scripted, contract: str, key: str) -> None:
    """The new state's id, which the switch needs, and when it ended."""
    service.on("POST", STATUS, replies(contract, "status-completed"))
    service.on("POST", METRICS, replies(contract, "metrics-two-blobs"))
    seen = await make(contract=contract).status(watched())
    assert seen.result == {key: VERSION, "finishedAt": "2023-11-14T22:13:29+00:00"}


async def test_the_last_metrics_come_with_the_end(states: Provider, service: Scripted) -> None:
    """Whoever decides about the switch sees what the training reached; tensors are read in order."""
    service.on("POST", STATUS, replies("states", "status-completed"))
    one = encode_tensor(to_tensor(parse_parameter("x", "f32:0.25")))
    service.on("POST", METRICS, framed({"result": {"metrics": [{"name": "loss", "entries": [{"timestamp": 1}]}]}}, one))
    assert (await states.status(watched())).metrics == {"loss": 0.25}
    assert sent(service.asked[1])["metrics"] == [{"name": "loss", "startIndex": 1, "amount": 1}]


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=503),
        error("unknown"),
        result(),
        result(metrics="loss"),
        result(metrics=[7, {"name": "loss"}, {"entries": [{}]}]),
        framed({"result": {"metrics": [{"name": "loss", "entries": [{}]}]}}),
        framed({"result": {"metrics": [{"name": "loss", "entries": [{}]}]}}, b"\x0f\x00"),
        framed({"result": {"metrics": [{"name": "loss", "entries": [{}]}]}}, b""),
        framed({"result": {"metrics": [{"name": "loss", "entries": [{}]}]}}, bytes.fromhex("0701020102")),
        framed({"result": {"metrics": [{"name": "loss", "entries": [{}]}]}}, bytes.fromhex("0b00020178")),
        hang_up,
    ],
)
async def test_metrics_never_spoil_the_end(states: Provider, service: Scripted, answer: Answer) -> None:
    """They are an addition: where they cannot be had or are no single numbers, the training is trained all the same."""
    service.on("POST", STATUS, replies("states", "status-completed"))
    service.on("POST", METRICS, answer)
    seen = await states.status(watched())
    assert seen.phase is Phase.TRAINED
    assert seen.metrics == {}


def state(word: str, **more: Any) -> Mapping[str, Any]:
    return {"id": SESSION, "status": {"state": word, **more}}


@pytest.mark.parametrize(
    ("progress", "percent", "detail"),
    [
        (0, 0.0, ""),
        (0.5, 50.0, ""),
        (1, 100.0, ""),
        (1.5, None, "progress 1.5"),
        (37, None, "progress 37"),
        (-1, None, "progress -1"),
        (True, None, ""),
        ("half", None, ""),
        (None, None, ""),
        (math.inf, None, ""),
        (10**400, None, ""),
    ],
)
def test_progress_is_a_percentage_only_as_a_share_of_one(progress: Any, percent: float | None, detail: str) -> None:
    """The model's code reports any number; what is no share is shown as it is."""
    seen = to_status(state("running", progress=progress))
    assert (seen.progress, seen.detail) == (percent, detail)


@pytest.mark.parametrize(
    ("reason", "phase", "detail"),
    [
        ({"code": "cancelled"}, Phase.CANCELLED, "cancelled"),
        ({"code": "launcher_terminated"}, Phase.FAILED, "its launcher was terminated"),
        ({"code": "server_overloaded"}, Phase.FAILED, "the server was overloaded"),
        ({"code": "unknown"}, Phase.FAILED, "Decthings gives no reason"),
        ({"code": "max_duration_exceeded", "at": "train"}, Phase.FAILED, "it took too long in train"),
        ({"code": "exception", "at": "getState"}, Phase.FAILED, "an exception in getState"),
        ({"code": "code_terminated", "exitCode": 137, "signal": "SIGKILL", "oom": True}, Phase.FAILED,
         "its code ended (exit code 137, signal SIGKILL, out of memory)"),
        ({"code": "code_terminated", "oom": False}, Phase.FAILED, "its code ended"),
        ({"code": "code_terminated", "exitCode": "1", "signal": 9, "oom": "no"}, Phase.FAILED, "its code ended"),
        ({"code": "eaten_by_bears"}, Phase.FAILED, "eaten_by_bears"),
        ({"code": 7}, Phase.FAILED, ""),
        ("cancelled", Phase.FAILED, ""),
        (None, Phase.FAILED, ""),
    ],
)  # fmt: skip
def test_a_failure_says_why(reason: Any, phase: Phase, detail: str) -> None:
    """A cancelled training is `failed` with the reason `cancelled`; every other reason is a failure, told in words."""
    seen = to_status(state("failed", failReason=reason))
    assert (seen.phase, seen.word, seen.detail) == (phase, "failed", detail)


async def test_an_exception_is_shortened_to_its_telling_line(states: Provider, service: Scripted) -> None:
    """Of a Python traceback the last line, of everything the front, and never our key."""
    trace = f'Traceback (most recent call last):\n  File "train.py", line 1\nKeyError: "{KEY}"\n'
    for details, detail in ((trace, 'an exception in train: KeyError: "…"'), ("x" * 9000, None)):
        reason = {"code": "exception", "at": "train", "exceptionDetails": details}
        service.on("POST", STATUS, framed({"result": state("failed", failReason=reason)}))
        seen = await states.status(watched())
        assert len(seen.detail) < 400
        assert detail in (None, seen.detail)


@pytest.mark.parametrize("word", ["queued", "Running", "COMPLETED", "", "ожидание", "x" * 5000, " running"])
def test_an_unknown_word_moves_nothing(word: str) -> None:
    """It is kept as it came and told; the table knows words exactly."""
    seen = to_status(state(word, progress=0.5))
    assert (seen.phase, seen.word, seen.is_known, seen.progress) == (None, word, False, None)


def test_the_table_has_the_words_of_both_contracts() -> None:
    """The five states of each, two of them shared in meaning only."""
    assert set(WORDS) == {"starting", "running", "gettingState", "gettingWeights", "completed", "failed"}


@pytest.mark.parametrize(
    "session", [{}, {"status": None}, {"status": "running"}, {"status": {}}, state(cast("str", 7))]
)
def test_a_status_without_a_word_is_unreadable(session: Mapping[str, Any]) -> None:
    """Nothing is concluded from what is not there."""
    with pytest.raises(UnreadableError):
        to_status(session)


odd: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=3,
)


@given(
    st.fixed_dictionaries(
        {"state": st.sampled_from(sorted(WORDS)) | odd},
        optional={
            "progress": odd,
            "finishedAt": odd,
            "createdStateId": odd,
            "failReason": st.fixed_dictionaries(
                {"code": st.sampled_from(["cancelled", "exception", "code_terminated"]) | odd},
                optional={"at": odd, "exceptionDetails": odd, "exitCode": odd, "signal": odd, "oom": odd},
            ),
        },
    )
)
def test_odd_json_is_read_or_unreadable(status: Mapping[str, Any]) -> None:
    """Wrong types anywhere end in a status or in UnreadableError; what is kept is JSON."""
    try:
        seen = to_status({"status": status})
    except UnreadableError:
        return
    json.dumps(seen.result, allow_nan=False)
    assert seen.progress is None or 0 <= seen.progress <= 100


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1_700_000_000, "2023-11-14T22:13:20+00:00"),
        (1_700_000_000_000, "2023-11-14T22:13:20+00:00"),
        (1_700_000_000.5, "2023-11-14T22:13:20.500000+00:00"),
        (0, "1970-01-01T00:00:00+00:00"),
        (1e300, None),
        (-1e18, None),
        (math.nan, None),
        (10**400, None),
        (True, None),
        ("1700000000", None),
        (None, None),
    ],
)
def test_times_are_told_apart_by_their_size(value: Any, moment: str | None) -> None:
    """Seconds or milliseconds: no page says which."""
    seen = to_time(value)
    assert (seen.isoformat() if seen else None) == moment


@pytest.mark.parametrize("code", ["training_session_not_found", "model_not_found"])
async def test_only_the_documented_answer_is_a_not_found(states: Provider, service: Scripted, code: str) -> None:
    """A job is called lost by nothing else: not by a 404 of the web server, not by a web page."""
    service.on("POST", STATUS, error(code))
    with pytest.raises(NotFoundError):
        await states.status(watched())
    for answer in (web.Response(status=404), page(404), error("cosmic_rays"), error("state_not_found")):
        service.on("POST", STATUS, answer)
        with pytest.raises(RejectedError) as caught:
            await states.status(watched())
        assert not isinstance(caught.value, NotFoundError)


async def test_a_training_whose_id_is_not_known_is_not_asked_about(states: Provider, service: Scripted) -> None:
    """Without an id there is no question to ask."""
    with pytest.raises(RejectedError):
        await states.status(watched(session=None))
    assert not service.asked


async def test_a_reference_is_a_model_and_a_session(states: Provider) -> None:
    """`/status decthings MODEL-ID SESSION-ID` names one training."""
    assert [one.name for one in states.arguments.reference] == ["model", "session"]
    [reference] = states.references({"model": MODEL, "session": SESSION})
    assert (reference.model, reference.remote_id) == (MODEL, SESSION)


# -- cancel and switch ------------------------------------------------------------------------------------------------


async def test_cancelling_asks_as_the_official_client_does(states: Provider, service: Scripted) -> None:
    """Byte for byte; a training that no longer runs needs no cancelling, which is no error."""
    for name in ("cancel-ok", "cancel-error-not-running"):
        service.on("POST", CANCEL, replies("states", name))
        await states.cancel(watched())
        assert service.asked[-1].body.hex() == captured("states", name)["request_hex"]


@pytest.mark.parametrize(
    ("code", "kind"), [("access_denied", RejectedError), ("training_session_not_found", NotFoundError)]
)
async def test_a_cancelling_may_be_refused(
    states: Provider, service: Scripted, code: str, kind: type[ProviderError]
) -> None:
    """Everything else that it says no with is said."""
    service.on("POST", CANCEL, error(code))
    with pytest.raises(kind):
        await states.cancel(watched())


async def test_the_switch_makes_the_new_state_the_active_one(states: Provider, service: Scripted) -> None:
    """Byte for byte as the official client sends it, once."""
    expected = captured("states", "set-active-state")
    state_id = decode_request(bytes.fromhex(expected["request_hex"])).body["stateId"]
    service.on("POST", ACTIVATE, replies("states", "set-active-state"))
    await states.promote(watched(left=state_id))
    assert [asked.body.hex() for asked in service.asked] == [expected["request_hex"]]


@pytest.mark.parametrize("kind", ["a web page", "half a frame", "HTTP 500", "a redirect", "a reset", "unknown"])
async def test_an_unclear_answer_to_a_switch_is_looked_after(states: Provider, service: Scripted, kind: str) -> None:
    """The switch may have happened: it is never sent again."""
    service.on("POST", ACTIVATE, AMBIGUOUS[kind])
    with pytest.raises(ProviderError) as caught:
        await states.promote(watched(left="st-1"))
    assert caught.value.effect is Effect.UNKNOWN
    assert len(service.asked) == 1


@pytest.mark.parametrize("code", ["state_not_found", "access_denied", "model_not_found"])
async def test_a_refused_switch_surely_did_not_happen(states: Provider, service: Scripted, code: str) -> None:
    """The offer comes back, with the service's reason."""
    service.on("POST", ACTIVATE, error(code))
    with pytest.raises(RejectedError) as caught:
        await states.promote(watched(left="st-1"))
    assert caught.value.effect is Effect.REFUSED


async def test_without_a_new_state_there_is_no_switch(states: Provider, versions: Provider, service: Scripted) -> None:
    """Nothing is sent where the training named no state, or where the contract has no switch."""
    for provider, job in ((states, watched()), (versions, watched(left="st-1"))):
        with pytest.raises(RejectedError) as caught:
            await provider.promote(job)
        assert caught.value.effect is Effect.REFUSED
    assert not service.asked


@pytest.mark.parametrize("active", ["st-1", {"id": "st-1", "name": "state-1"}])
async def test_the_active_state_is_seen(states: Provider, service: Scripted, active: Any) -> None:
    """The types say an id; an object with an id is understood as well."""
    service.on("POST", MODELS, model_of(activeState=active))
    assert states.can_see(watched())
    assert await states.survey(watched()) == {"activeState": "st-1"}
    assert (await states.serving(watched(left="st-1"), {})).is_new
    assert not (await states.serving(watched(left="st-2"), {})).is_new
    assert not (await states.serving(watched(), {})).is_new


@pytest.mark.parametrize(
    "answer", [model_of(), model_of(activeState=None), model_of(activeState={"name": "x"}), result(models=[])]
)
async def test_a_model_without_an_active_state_serves_nothing_new(
    states: Provider, service: Scripted, answer: web.Response
) -> None:
    """Live is said only when it was seen."""
    service.on("POST", MODELS, answer)
    assert not (await states.serving(watched(left="st-1"), {})).is_new
    assert (await states.survey(watched())).get("activeState", "") == ""


async def test_the_versions_contract_has_nothing_to_switch(versions: Provider) -> None:
    """Each created version serves under its own id: nothing is offered, nothing is looked for."""
    assert not versions.can_see(watched())
    assert versions.powers.cancel


# -- against the sandbox ----------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Service]:
    service = Service(clock, training_seconds=100)
    await service.start()
    yield service
    await service.stop()


def of_sandbox(sandbox: Service, tools: Tools, **section: str) -> Provider:
    prefix = "SWITCHYARD_DECTHINGS__"
    given = {key.removeprefix(prefix).lower(): value for key, value in sandbox.environment().items()}
    return build(given | section, tools)


REVIEWS: Mapping[str, Any] = {
    "model": "mdl-sentiment",
    "name": "reviews-2",
    "parameters": {"train": "dataset:ds-reviews/train", "labels": "dataset:ds-reviews/labels", "epochs": "u32:10"},
}


async def begin(provider: Provider, **params: Any) -> tuple[Plan, Mapping[str, Any], Watched]:
    plan = plan_of(provider, request_for(**{**REVIEWS, **params}))
    claim = await provider.reserve(plan, "j-1")
    session = await provider.start(plan, claim, None)
    return plan, claim, Watched(job_id="j-1", model=plan.model, claim=claim, remote_id=session)


async def test_a_training_from_the_start_to_the_new_active_state(sandbox: Service, clock: Clock, tools: Tools) -> None:
    """The whole story: started once, watched through all states, switched once, seen serving."""
    provider = of_sandbox(sandbox, tools)
    _, _, job = await begin(provider)
    phases = [(await provider.status(job)).phase]
    for seconds in (20, 40, 35):
        clock.advance(seconds)
        phases.append((await provider.status(job)).phase)
    clock.advance(10)
    ended = await provider.status(job)
    assert [*phases, ended.phase] == [Phase.QUEUED, *[Phase.RUNNING] * 3, Phase.TRAINED]
    assert ended.metrics
    trained = Watched(job_id="j-1", model=job.model, remote_id=job.remote_id, last=ended)
    before = await provider.survey(trained)
    assert before == {"activeState": "st-sentiment-1"}
    assert not (await provider.serving(trained, before)).is_new
    await provider.promote(trained)
    assert (await provider.serving(trained, before)).is_new
    assert (len(sandbox.starts), len(sandbox.switches)) == (1, 1)


async def test_a_temporary_launcher_and_every_element_type_are_taken(sandbox: Service, tools: Tools) -> None:
    """The sandbox reads frames with a reader of its own, and refuses what the page would refuse."""
    provider = of_sandbox(sandbox, tools)
    texts = [
        "f32:1",
        "f64:1",
        "i8:1",
        "i16:1",
        "i32:1",
        "i64:1",
        "u8:1",
        "u16:1",
        "u32:1",
        "u64:1",
        "string:ä,b",
        "binary:00",
        "boolean:true",
    ]
    parameters = {f"p{number}": text for number, text in enumerate(texts)}
    await begin(provider, parameters=parameters, cpus=0.5, memory=512, state="st-sentiment-1")
    assert len(sandbox.starts) == 1


@pytest.mark.parametrize("kind", ["reset", "html", "half", "empty", "500", "redirect", "cut"])
async def test_a_start_whose_answer_is_lost_is_found(sandbox: Service, tools: Tools, kind: str) -> None:
    """It is sent once; a look afterwards finds it, and only it."""
    provider = of_sandbox(sandbox, tools)
    plan = plan_of(provider, request_for(**REVIEWS))
    await begin(provider)  # an earlier one of the same name
    claim = await provider.reserve(plan, "j-2")
    sandbox.fail_next(kind, path_contains="train", after_work=True)
    with pytest.raises(ProviderError) as caught:
        await provider.start(plan, claim, None)
    assert caught.value.effect is Effect.UNKNOWN
    found = await provider.find(plan, claim, None)
    assert found.remote_id == sandbox.starts[-1].id
    assert len(sandbox.starts) == 2


async def test_a_start_that_did_not_arrive_is_not_found(sandbox: Service, tools: Tools) -> None:
    """A person is asked: it was not started."""
    provider = of_sandbox(sandbox, tools)
    plan = plan_of(provider, request_for(**REVIEWS))
    claim = await provider.reserve(plan, "j-1")
    sandbox.fail_next("reset", path_contains="train")
    with pytest.raises(ProviderError):
        await provider.start(plan, claim, None)
    assert (await provider.find(plan, claim, None)).remote_id is None
    assert not sandbox.starts


async def test_the_versions_contract_in_the_sandbox(sandbox: Service, clock: Clock, tools: Tools) -> None:
    """Started, lost, found by the version in training; once it is created a person is asked."""
    sandbox.act("contract", contract="versions")
    provider = of_sandbox(sandbox, tools)
    plan = plan_of(provider, request_for(**REVIEWS, version="st-sentiment-1"))
    claim = await provider.reserve(plan, "j-1")
    sandbox.fail_next("cut", path_contains="train", after_work=True)
    with pytest.raises(ProviderError):
        await provider.start(plan, claim, None)
    found = await provider.find(plan, claim, None)
    assert found.remote_id == sandbox.starts[0].id
    clock.advance(95)
    job = Watched(job_id="j-1", model=plan.model, remote_id=found.remote_id)
    assert (await provider.status(job)).word == "gettingWeights"
    clock.advance(10)
    assert (await provider.status(job)).result["createdVersionId"]
    later = await provider.find(plan, claim, None)
    assert later.remote_id is None
    assert "not all are in training" in later.word


async def test_a_contract_that_does_not_fit_is_told_before_the_start(sandbox: Service, tools: Tools) -> None:
    """The operator reads which setting to change; nothing was started."""
    provider = of_sandbox(sandbox, tools)
    sandbox.act("contract", contract="versions")
    with pytest.raises(RejectedError, match="CONTRACT=versions"):
        await begin(provider)
    assert not sandbox.starts


async def test_a_cancelled_training_takes_its_time(sandbox: Service, clock: Clock, tools: Tools) -> None:
    """It runs on until the model's code heeds the wish, and then is failed with the reason cancelled."""
    provider = of_sandbox(sandbox, tools)
    _, _, job = await begin(provider)
    clock.advance(20)
    await provider.cancel(job)
    assert (await provider.status(job)).phase is Phase.RUNNING
    clock.advance(15)
    ended = await provider.status(job)
    assert (ended.phase, ended.word, ended.detail) == (Phase.CANCELLED, "failed", "cancelled")
    await provider.cancel(job)


async def test_a_failed_training_tells_why(sandbox: Service, clock: Clock, tools: Tools) -> None:
    """The exception of the model's code reaches the card."""
    provider = of_sandbox(sandbox, tools)
    _, _, job = await begin(provider)
    sandbox.act("fail", training=job.remote_id)
    seen = await provider.status(job)
    assert seen.phase is Phase.FAILED
    assert "ValueError: loss is not a number" in seen.detail


async def test_a_word_put_into_its_mouth_moves_nothing(sandbox: Service, tools: Tools) -> None:
    """A state that no page names is shown as it is."""
    provider = of_sandbox(sandbox, tools)
    _, _, job = await begin(provider)
    sandbox.act("word", training=job.remote_id, word="defragmenting")
    seen = await provider.status(job)
    assert (seen.phase, seen.word, seen.is_known) == (None, "defragmenting", False)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"model": "mdl-nowhere"}, "no model `mdl-nowhere`"),
        ({"model": "mdl-shared"}, "read access only"),
        ({"launcher": "ln-big"}, "no such launcher"),
        ({"state": "st-9"}, "no such state"),
        ({"parameters": {"x": "dataset:ds-9/train"}}, "no data set `ds-9`"),
        ({"parameters": {"x": "dataset:ds-reviews/test"}}, "no key `test`"),
    ],
)
async def test_the_sandbox_refuses_in_sentences(
    sandbox: Service, tools: Tools, params: Mapping[str, Any], says: str
) -> None:
    """Each refusal names the thing that is wrong, and surely started nothing."""
    with pytest.raises(RejectedError, match=says) as caught:
        await begin(of_sandbox(sandbox, tools), **params)
    assert caught.value.effect is Effect.REFUSED
    assert not sandbox.starts


async def test_a_cleared_session_is_not_found(sandbox: Service, tools: Tools) -> None:
    """The documented answer, for the session and for the model."""
    provider = of_sandbox(sandbox, tools)
    _, _, job = await begin(provider)
    sandbox.act("forget", training=job.remote_id)
    with pytest.raises(NotFoundError):
        await provider.status(job)


@pytest.mark.parametrize(("switch", "kind"), [("unauthorized", CredentialsError), ("rate_limited", RateLimitedError)])
async def test_the_switches_of_the_sandbox_are_understood(
    sandbox: Service, tools: Tools, switch: str, kind: type[ProviderError]
) -> None:
    """A key that is no longer taken, and too many calls: coded errors, in a 200."""
    provider = of_sandbox(sandbox, tools)
    _, _, job = await begin(provider)
    sandbox.act(switch, on=True)
    with pytest.raises(kind):
        await provider.status(job)
    sandbox.act(switch, on=False)
    assert (await provider.status(job)).phase is Phase.QUEUED
