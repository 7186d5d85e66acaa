"""The five providers, each with what it may be asked, what its service documents, and what it must never tell.

Documents are the samples of the vendors' pages, or built after them where a page shows none; the modules of the
providers name the pages.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from bot.domain.jobs import Phase, RemoteStatus
from bot.domain.requests import Payload, Plan, TrainRequest
from bot.ports import Found, Provider, Watched
from bot.providers import aitems, decthings, deepopinion, sestek, sony
from bot.providers.decthings.parameters import parse_parameter
from bot.providers.decthings.wire import ElementType, Tensor, encode_reply, encode_tensor, encode_varint
from bot.providers.http import Tools
from tests.fuzz.replies import JSON, Frames, Reply
from tests.fuzz.shapes import KEY, SECOND, SIGNATURE, TOKEN
from tests.providers.raw_server import Seen

JOB = "j2345ab"
FILE = Payload(name="churn.csv", sha256="0" * 64, size=8, rows=100, columns=2)
Op = Callable[["Asked"], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A provider about to be asked. `claim` is what a reservation that was well answered brought."""

    provider: Provider
    plan: Plan
    claim: Mapping[str, Any]
    watched: Watched
    last: Found | None
    file: Path
    target: Path


OPERATIONS: Mapping[str, Op] = {
    "reserve": lambda asked: asked.provider.reserve(asked.plan, JOB),
    "start": lambda asked: asked.provider.start(asked.plan, asked.claim, asked.file),
    "find": lambda asked: asked.provider.find(asked.plan, asked.claim, asked.last),
    "status": lambda asked: asked.provider.status(asked.watched),
    "statuses": lambda asked: asked.provider.statuses([asked.watched, unnamed(asked.watched)]),
    "cancel": lambda asked: asked.provider.cancel(asked.watched),
    "survey": lambda asked: asked.provider.survey(asked.watched),
    "promote": lambda asked: asked.provider.promote(asked.watched),
    "serving": lambda asked: asked.provider.serving(asked.watched, {"version": "1.0", "activeState": "s"}),
    "fetch_result": lambda asked: asked.provider.fetch_result(asked.watched, asked.target),
}


def unnamed(watched: Watched) -> Watched:
    """Another job, whose id has still to be found."""
    return Watched(job_id="j9999zz", model=watched.model, params=watched.params)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Bench:
    """`documents` are what the service may answer, by operation; `errors` what it may answer to all of them.

    `changes` tells the requests that start or switch something. `secrets` maps each secret to a word that a request
    holds once the provider has it, "" for what is configured.
    """

    name: str
    build: Callable[[str, Tools], Provider]
    request: TrainRequest
    watched: Watched
    documents: Mapping[str, tuple[Any, ...]]
    answers: Callable[[Seen], Reply]
    changes: Callable[[Seen], bool]
    errors: tuple[Any, ...]
    secrets: tuple[str, ...]
    payload: Payload | None = None
    last: Found | None = None
    kind: str = JSON
    frame: Frames | None = None


def document(value: Any, status: int = 200, kind: str = JSON) -> Reply:
    return Reply(status=status, headers=(("Content-Type", kind),), body=json.dumps(value).encode())


def first_fitting(table: Mapping[tuple[str, str], Any], seen: Seen) -> Any:
    """The answer whose method and piece of the target fit."""
    return next(value for (method, part), value in table.items() if method == seen.method and part in seen.target)


# -- Sestek -----------------------------------------------------------------------------------------------------------

SESTEK_TOKEN = {"access_token": TOKEN, "expires_in": 86400, "token_type": "Bearer", "scope": "Portal"}
EXPERIMENT = {"name": "my-model", "description": "CA", "status": 0, "statusMessage": "Initialized", "percent": 0}
PROGRESS = {"modelId": "my-model", "trainingStatus": "Completed", "inferenceStatus": "Running", "percent": 100}
ABP: Mapping[str, Any] = {
    "error": {
        "code": "Portal:1", "message": "Your request is not valid!", "details": None, "data": {},
        "validationErrors": [{"message": "The field modelId is required.", "members": ["modelId"]}],
    }
}  # fmt: skip
BUSY = {"error": {"code": None, "message": "The training is still in progress for the same model ID: my-model"}}
OAUTH = {"error": "invalid_client", "error_description": f"The secret {KEY} is wrong."}


def sestek_answers(seen: Seen) -> Reply:
    table = {("POST", "/connect/token"): SESTEK_TOKEN, ("POST", "/train"): EXPERIMENT, ("GET", "/progress"): PROGRESS}
    return document(first_fitting(table, seen))


SESTEK = Bench(
    name="sestek",
    build=lambda url, tools: sestek.build(
        {"base_url": url, "identity_url": url, "client_id": "switch", "client_secret": KEY, "product": "CA"}, tools
    ),
    request=TrainRequest(request_key="k", provider="sestek", model="my-model", params={"language": "en-US"}),
    payload=Payload(name="모델.jsonl", sha256="0" * 64, size=8, rows=2),
    watched=Watched(job_id=JOB, model="my-model", remote_id="my-model"),
    documents={
        "start": (EXPERIMENT, SESTEK_TOKEN),
        "find": (PROGRESS, SESTEK_TOKEN),
        "status": (PROGRESS, SESTEK_TOKEN),
        "statuses": (PROGRESS, SESTEK_TOKEN),
    },
    answers=sestek_answers,
    changes=lambda seen: seen.target.endswith("/train"),
    errors=(ABP, BUSY, OAUTH),
    secrets=(KEY, TOKEN),
)

# -- DeepOpinion ------------------------------------------------------------------------------------------------------

MODEL = {
    "base": "Hotel Pre-Trained", "created": "2023-11-02", "display_name": "My model 1", "id": 12, "language": "en",
    "uuid": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "name": "reviews", "owner": "John Doe", "progress": 6.78,
    "project_id": 1, "score": 0.68, "metrics": {"f1": 0.5, "loss": 12}, "status": "READY", "type": "ABSA",
}  # fmt: skip
OTHER_MODEL = {**MODEL, "id": 7, "name": "hotels"}
SAID = {"message": f"The name is taken, {KEY}.", "errors": {"name": ["taken"]}}


def deepopinion_answers(seen: Seen) -> Reply:
    table = {
        ("POST", "/auth/login"): document({"auth_token": TOKEN}),
        ("POST", "/models"): document(MODEL, 201),
        ("GET", "/models/"): document(MODEL),
        ("GET", "/models"): document([OTHER_MODEL]),
    }
    reply: Reply = first_fitting(table, seen)
    return reply


def deepopinion_bench(name: str, **section: str) -> Bench:
    return Bench(
        name=name,
        build=lambda url, tools: deepopinion.build({"base_url": url, **section}, tools),
        request=TrainRequest(
            request_key="k", provider="deepopinion", model="reviews", params={"project": 1, "name": "reviews"}
        ),
        watched=Watched(job_id=JOB, model="reviews", params={"project": 1}, remote_id="12"),
        documents={
            "reserve": ([OTHER_MODEL], {"models": [OTHER_MODEL], "has_more": False}, {"auth_token": TOKEN}),
            "start": (MODEL, {**MODEL, "id": 0}, {"auth_token": TOKEN}),
            "find": ([MODEL, OTHER_MODEL], {"models": [MODEL], "has_more": False}),
            "status": (MODEL, {"auth_token": TOKEN}),
            "statuses": (MODEL,),
        },
        answers=deepopinion_answers,
        changes=lambda seen: seen.method == "POST" and seen.target.endswith("/models"),
        errors=(SAID, {"detail": "Not found."}),
        secrets=(KEY, TOKEN),
    )


DEEPOPINION = deepopinion_bench("deepopinion", api_key=KEY)
DEEPOPINION_LOGIN = deepopinion_bench("deepopinion by login", email="ada@acme.example", password=KEY)

# -- Decthings --------------------------------------------------------------------------------------------------------

BINARY = "application/octet-stream"
BLOB = encode_tensor(Tensor(kind=ElementType.F32, elements=(0.5,)))


def framed(draw: st.DrawFn, text: bytes) -> bytes:
    """A reply's frame, with blobs, sometimes with a byte changed."""
    blobs = draw(st.lists(st.just(BLOB) | st.binary(max_size=20), max_size=3))
    frame = b"".join(encode_varint(len(part)) + part for part in (text, *blobs))
    if draw(st.integers(0, 5)) == 0 and len(frame) < 4000:
        at = draw(st.integers(0, len(frame) - 1))
        return frame[:at] + draw(st.binary(max_size=2)) + frame[at + 1 :]
    return frame


def result(**fields: Any) -> dict[str, Any]:
    return {"result": fields}


STATES_MODEL = {
    "id": "m-1", "name": "m", "ongoingTrainingSessions": ["s-0"], "trainingSessions": [{"id": "s-9"}],
    "activeState": {"id": "st-1", "name": "first"}, "states": [{"id": "st-1", "name": "first"}],
}  # fmt: skip
VERSIONS_MODEL = {
    "id": "m-1", "name": "m",
    "versions": [
        {"id": "v-0", "name": "before", "status": {"state": "created"}},
        {"id": "v-2", "name": "state-1", "status": {"state": "training", "trainingSessionId": "s-2"}},
    ],
}  # fmt: skip
TRAINED = {"state": "completed", "finishedAt": 1_700_000_000_000, "createdStateId": "st-2", "createdVersionId": "v-2"}
FAILED = {
    "state": "failed",
    "failReason": {
        "code": "code_terminated", "at": "train", "exitCode": 137, "signal": "SIGKILL", "oom": True,
        "exceptionDetails": "Traceback (most recent call last):\n  x\nValueError: bad",
    },
}  # fmt: skip
SESSION = {"newStateName": "state-1", "newVersionName": "state-1", "metrics": [{"name": "loss", "amount": 3}]}
SESSIONS = tuple(result(status=one, **SESSION) for one in (TRAINED, FAILED, {"state": "running", "progress": 0.5}))
METRICS = result(metrics=[{"name": "loss", "entries": [{"timestamp": 1}]}])


def decthings_error(code: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"code": code, **fields}}


REFUSALS = (
    *(
        decthings_error(code)
        for code in ("bad_credentials", "too_many_requests", "model_not_found", "unknown", "strange")
    ),
    decthings_error("invalid_parameter", parameterName="epochs", reason=f"with {KEY}"),
    decthings_error("dataset_key_not_found", datasetId="ds", datasetKey="k"),
)


def decthings_answers(model: Mapping[str, Any]) -> Callable[[Seen], Reply]:
    table: Mapping[tuple[str, str], Any] = {
        ("POST", "/getModels"): result(models=[model]),
        ("POST", "/train"): result(trainingSessionId="s-1"),
        ("POST", "/getTrainingStatus"): SESSIONS[0],
        ("POST", "/getTrainingMetrics"): METRICS,
        ("POST", "/cancelTrainingSession"): result(),
        ("POST", "/setActiveModelState"): result(),
    }

    def answers(seen: Seen) -> Reply:
        return Reply(headers=(("Content-Type", BINARY),), body=encode_reply(first_fitting(table, seen), [BLOB]))

    return answers


def decthings_bench(contract: str, model: Mapping[str, Any], params: Mapping[str, Any], *operations: str) -> Bench:
    models = (result(models=[model]), result(models=[]))
    documents = {
        "reserve": models,
        "start": (result(trainingSessionId="s-1"),),
        "find": (*models, *SESSIONS),
        "status": (*SESSIONS, METRICS),
        "statuses": SESSIONS,
        "cancel": (result(), decthings_error("training_session_not_running")),
        "survey": models,
        "promote": (result(),),
        "serving": models,
    }
    left = RemoteStatus(phase=Phase.TRAINED, word="completed", result={"createdStateId": "st-2"})
    return Bench(
        name=f"decthings ({contract})",
        build=lambda url, tools: decthings.build(
            {"base_url": f"{url}/v0", "api_key": KEY, "launcher": "ln-1", "contract": contract}, tools
        ),
        request=TrainRequest(
            request_key="k",
            provider="decthings",
            model="m-1",
            params={"name": "state-1", "parameters": {"rate": parse_parameter("rate", "f64:0.1")}, **params},
        ),
        watched=Watched(job_id=JOB, model="m-1", remote_id="s-1", last=left),
        documents={name: documents[name] for name in operations},
        answers=decthings_answers(model),
        changes=lambda seen: seen.target.endswith(("/train", "/setActiveModelState")),
        errors=REFUSALS,
        secrets=(KEY,),
        kind=BINARY,
        frame=framed,
    )


COMMON = ("reserve", "start", "find", "status", "statuses", "cancel")
DECTHINGS_STATES = decthings_bench("states", STATES_MODEL, {}, *COMMON, "survey", "promote", "serving")
DECTHINGS_VERSIONS = decthings_bench("versions", VERSIONS_MODEL, {"version": "v-0"}, *COMMON)

# -- AiTEMS -----------------------------------------------------------------------------------------------------------

SERVICE = {"serviceId": "svc00000001", "name": "movies", "status": "learnable", "type": "batch", "actionName": "x"}
TRAIN = {
    "type": "pop", "version": "v1", "status": "completed", "inference": True, "description": f"x [sy:{JOB}]",
    "createdDate": "2022-04-13T05:26:44Z",
}  # fmt: skip
RELATED = {**TRAIN, "type": "relatedItem", "version": "r/1", "status": "stopping", "createdDate": "2022-04-13 05:26"}
TRAINS = {"trains": [TRAIN, RELATED], "offset": 0, "limit": 1000}
GATEWAY = {"error": {"errorCode": "200", "message": "Authentication Failed", "details": f"Invalid {SECOND} {KEY}."}}
BACKEND = {"errorCode": "NOT_FOUND", "error": "SERVICE_NOT_FOUND", "message": "No service.", "timestamp": "x"}
AITEMS_ERRORS = (
    GATEWAY, BACKEND, {"error": {"errorCode": 210, "message": "x"}}, {"error": {"errorCode": 400, "message": "x"}},
    "<error><errorCode>300</errorCode><message>Not Found</message></error>",
)  # fmt: skip


def aitems_answers(seen: Seen) -> Reply:
    table = {
        ("GET", "/pop/versions/"): document(TRAIN),
        ("GET", "/relatedItem/versions/"): document(RELATED),
        ("GET", "/trains"): document({"trains": []}),
        ("GET", "/services/"): document(SERVICE),
        ("POST", "/services/"): document({**SERVICE, "status": "learning"}, 201),
    }
    reply: Reply = first_fitting(table, seen)
    return reply


AITEMS = Bench(
    name="aitems",
    build=lambda url, tools: aitems.build(
        {"base_url": f"{url}/api/v1", "access_key": SECOND, "secret_key": KEY, "per_second": "100000"}, tools
    ),
    request=TrainRequest(
        request_key="k", provider="aitems", model="svc00000001", params={"types": ["pop", "relatedItem"]}
    ),
    watched=Watched(
        job_id=JOB,
        model="svc00000001",
        remote_id="pop:v1,relatedItem:r%2F1",
        last=RemoteStatus(phase=Phase.STOPPING, word="stopping", result={"stopping": ["pop:v1"]}),
    ),
    documents={
        "reserve": (SERVICE, TRAINS),
        "start": (SERVICE,),
        "find": (TRAINS,),
        "status": (TRAINS, TRAIN),
        "statuses": (TRAINS, TRAIN),
    },
    answers=aitems_answers,
    changes=lambda seen: seen.method == "POST",
    errors=AITEMS_ERRORS,
    secrets=(KEY, SECOND),
)

# -- Sony -------------------------------------------------------------------------------------------------------------

RETRAIN = "0d3c6f3a-1f7e"
LINK = f"{{url}}/up/a%2Fb?X-Signature={SIGNATURE}&x=a+b%20c"
UPLOAD = {"retrain_job_id": RETRAIN, "upload_url": LINK, "metadata": {"retrain_job_id": RETRAIN}}
FINISHED = {
    "status": "job_finished", "message": "done", "model_id": 42, "download_url": LINK,
    "metadata": {"retrain_job_id": RETRAIN},
}  # fmt: skip
WAITING = {"status": "waiting_upload", "metadata": {"retrain_job_id": RETRAIN}}
SWITCHED = {"metadata": {"retrain_job_id": RETRAIN}}
CLASSIFIERS = {
    "classifiers": [
        {
            "classifier_id": "cls-1", "model_id": 5, "version": "1.0", "status": "running", "api_key": SECOND,
            "update_datetime": "2026-01-01",
        }
    ]
}  # fmt: skip
FAULTS = (
    {"code": 4001000204, "error": "PREDA_EXTERNAL_BAD_REQUEST", "message": "not found retrain job"},
    {"error": {"code": "4031000101", "message": "invalid_api_key"}},
    {"errors": [{"code": "5001000000", "message": f"{KEY} {SECOND} http://x/y?{SIGNATURE}"}]},
)


def sony_answers(seen: Seen) -> Reply:
    here = seen.headers["host"]
    table = {
        ("GET", "/upload_url"): document(json.loads(json.dumps(UPLOAD).replace("{url}", f"http://{here}"))),
        ("PUT", "/update_model"): document(SWITCHED),
        ("PUT", "/up/"): Reply(),
        ("GET", "/classifiers"): document(CLASSIFIERS),
        ("GET", "/retrain_jobs/"): document(json.loads(json.dumps(FINISHED).replace("{url}", f"http://{here}"))),
        ("GET", "/"): Reply(body=b"result"),
    }
    reply: Reply = first_fitting(table, seen)
    return reply


SONY = Bench(
    name="sony",
    build=lambda url, tools: sony.build(
        {
            "base_url": f"{url}/v1/external",
            "models": {"churn": {"api_key": KEY, "classifier_id": "cls-1", "deploy_key": SECOND}},
            # Whatever link is named, nothing but this machine is called.
            "link_hosts": ["127.0.0.1"],
            "per_second": "100000",
        },
        tools,
    ),
    request=TrainRequest(request_key="k", provider="sony", model="churn", params={"model": "churn"}),
    payload=FILE,
    watched=Watched(job_id=JOB, model="churn", remote_id=RETRAIN),
    documents={
        "reserve": (UPLOAD,),
        "start": (SWITCHED, UPLOAD),
        "find": (FINISHED, WAITING),
        "status": (FINISHED, WAITING),
        "statuses": (FINISHED,),
        "survey": (CLASSIFIERS,),
        "promote": (SWITCHED,),
        "serving": (CLASSIFIERS,),
        "fetch_result": (FINISHED,),
    },
    answers=sony_answers,
    changes=lambda seen: seen.method == "PUT",
    errors=FAULTS,
    secrets=(KEY, SECOND, SIGNATURE),
    last=Found(word=f"another (retrain job {RETRAIN})"),
)

BENCHES = (SESTEK, DEEPOPINION, DEEPOPINION_LOGIN, DECTHINGS_STATES, DECTHINGS_VERSIONS, AITEMS, SONY)
