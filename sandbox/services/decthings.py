"""Decthings: models with a `train` function, called by binary-framed POSTs; two contracts that exclude each other.

Pages: https://decthings.com/reference/http, reference/model-train, docs/states. Field names follow the types of the
official JavaScript client: 0.5.15 for the contract "states", commit 5d0361e for "versions".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn
from uuid import uuid4

from aiohttp import web

from sandbox.clock import Clock
from sandbox.services.course import Course
from sandbox.services.decthings_frames import Call, MalformedFrameError, read_call, read_shapes, write_f32, write_reply
from sandbox.services.service import Entry, Json, NoSuchActError, Refused, Service

Contract = Literal["states", "versions"]
Outcome = tuple[Json, list[bytes]]
Method = Callable[[Call], Outcome]

BINARY = "application/octet-stream"
CANCEL_SHARE = 0.1  # of the training's time; the model's code ends when it next looks at its cancel callback
METRIC_STEPS = 20
MOST_PARAMETERS = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What the two contracts call differently."""

    source: str
    new_name: str
    getting: str
    getting_duration: str
    created: str
    instantiate: str


WORDS: Mapping[str, Words] = {
    "states": Words(
        source="stateId",
        new_name="newStateName",
        getting="gettingState",
        getting_duration="getStateDuration",
        created="createdStateId",
        instantiate="createInstantiatedModel",
    ),
    "versions": Words(
        source="versionId",
        new_name="newVersionName",
        getting="gettingWeights",
        getting_duration="getWeightsDuration",
        created="createdVersionId",
        instantiate="instantiateModel",
    ),
}


@dataclass(kw_only=True, slots=True)
class State:
    """A state, or in the other contract a version. A version under training names its `session`."""

    id: str
    name: str
    created_at: int
    session: str | None = None
    operations: list[str] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class Session:
    """A training session."""

    id: str
    model: str
    source: str
    new_name: str
    location: Json
    course: Course
    created_at: int
    result: str = field(default_factory=lambda: str(uuid4()))
    reason: Json | None = None
    cancel_at: float | None = None
    cancelling: bool = False


@dataclass(kw_only=True, slots=True)
class Model:
    """A model with its states and sessions. `access` is "read" or "readwrite"."""

    id: str
    name: str
    states: list[State]
    active: str
    created_at: int
    access: str = "readwrite"
    sessions: dict[str, Session] = field(default_factory=dict)


class CallError(Exception):
    """A call ends with a coded error, inside a 200."""

    def __init__(self, code: str, **more: str) -> None:
        """Carry the error object as it goes over the wire."""
        super().__init__(code)
        self.error = {"code": code, **more}


class Decthings(Service):
    """The API with `mdl-sentiment`, the read-only `mdl-shared`, data set `ds-reviews` and launcher `ln-small`."""

    name = "decthings"
    title = "Decthings"

    def __init__(
        self,
        clock: Clock,
        *,
        host: str = "127.0.0.1",
        training_seconds: float = 20.0,
        contract: Contract = "states",
    ) -> None:
        """Speak one contract, until `act("contract", …)`."""
        super().__init__(clock, host=host, training_seconds=training_seconds)
        self.api_key = "sandbox-decthings-key"
        self.contract: Contract = contract
        self.heeds_cancel = True
        self.cancel_share = CANCEL_SHARE
        self.datasets = {"ds-reviews": ("Hotel reviews", ("train", "labels"))}
        self.launchers = {"ln-small": "Small launcher"}
        self.models = {
            "mdl-sentiment": self._new_model("mdl-sentiment", "Sentiment", "readwrite"),
            "mdl-shared": self._new_model("mdl-shared", "Somebody else's model", "read"),
        }

    # The page and the tests

    @property
    def base_url(self) -> str:
        """The API's address with its version."""
        return f"{self.url()}/v0"

    def environment(self) -> dict[str, str]:
        """Address, key, contract and launcher."""
        return {
            "SWITCHYARD_DECTHINGS__BASE_URL": self.base_url,
            "SWITCHYARD_DECTHINGS__API_KEY": self.api_key,
            "SWITCHYARD_DECTHINGS__CONTRACT": self.contract,
            "SWITCHYARD_DECTHINGS__LAUNCHER": next(iter(self.launchers)),
        }

    def sessions(self) -> list[Session]:
        """Every training session, oldest first."""
        self._settle()
        return [session for model in self.models.values() for session in model.sessions.values()]

    def trainings(self) -> list[Json]:
        """Every training session."""
        ordered = sorted(self.sessions(), key=lambda session: session.created_at, reverse=True)
        return [self._training(session) for session in ordered]

    def live(self) -> list[Json]:
        """The active state of each model; in the contract "versions" nothing is active, each created version serves."""
        self._settle()
        return [{"id": model.id, "label": model.name, "facts": self._served(model)} for model in self.models.values()]

    def course_of(self, training: str) -> Course:
        """By session id."""
        return self._known(training).course

    def act_finish(self, training: str) -> Json:
        """Complete the session now, also one whose cancellation was asked for."""
        session = self._known(training)
        session.cancel_at = None
        return super().act_finish(session.id)

    def act_fail(self, training: str, code: str = "exception") -> Json:
        """Fail now: let the model's code raise, or give another documented reason without details."""
        details = {"at": "train", "exceptionDetails": "ValueError: loss is not a number"} if code == "exception" else {}
        self._fail(self._known(training), {"code": code, **details})
        return {"training": training}

    def act_forget(self, training: str) -> Json:
        """Clear the session."""
        session = self._known(training)
        del self.models[session.model].sessions[session.id]
        return {"training": training}

    def act_contract(self, contract: str | None = None) -> Json:
        """Speak this contract from now on, without a name the other one."""
        wanted = contract or ("versions" if self.contract == "states" else "states")
        if wanted not in WORDS:
            raise NoSuchActError(f"no contract is called {contract!r}")
        self.contract = "states" if wanted == "states" else "versions"
        return {"contract": wanted}

    def act_heed_cancel(self, on: bool | None = None) -> Json:
        """Let the model's code heed or ignore cancellations; it is free to."""
        self.heeds_cancel = not self.heeds_cancel if on is None else on
        return {"heed_cancel": self.heeds_cancel}

    def _training(self, session: Session) -> Json:
        over = session.course.is_over()
        cancelling = {"cancelling": True} if session.cancelling and not over else {}
        return {
            "id": session.id,
            "label": f"{session.model} → {session.new_name}",
            "status": self._state_word(session),
            "progress": session.course.fraction(),
            "facts": {"model": session.model, "reason": session.reason, **cancelling},
            "actions": ["forget"] if over else ["finish", "fail", "forget"],
        }

    def _served(self, model: Model) -> Json:
        names = {state.id: state.name for state in model.states if state.session is None}
        if self.contract == "versions":
            return {"versions": list(names.values())}
        return {"activeState": model.active, "name": names.get(model.active)}

    def _known(self, training: str) -> Session:
        for session in self.sessions():
            if session.id == training:
                return session
        raise NoSuchActError(f"no training session {training!r}")

    def _new_model(self, model_id: str, name: str, access: str) -> Model:
        first = State(id=f"st-{model_id.removeprefix('mdl-')}-1", name="initial", created_at=self._millis())
        return Model(id=model_id, name=name, states=[first], active=first.id, created_at=self._millis(), access=access)

    # Time

    def _millis(self, moment: float | None = None) -> int:
        return int((self.clock.time() if moment is None else moment) * 1000)

    def _settle(self) -> None:
        """Let happen what time has brought: cancelled sessions end, completed ones leave a state behind."""
        for model in self.models.values():
            for session in model.sessions.values():
                self._end_cancelled(session)
                self._keep_result(model, session)

    def _end_cancelled(self, session: Session) -> None:
        if session.cancel_at is not None and session.cancel_at <= self.clock.time():
            self._fail(session, {"code": "cancelled"})

    def _fail(self, session: Session, reason: Json) -> None:
        if not session.course.is_over():
            session.course.fail("failed")
            session.reason = reason

    def _keep_result(self, model: Model, session: Session) -> None:
        known = next((state for state in model.states if state.id == session.result), None)
        if session.course.is_finished() and (known is None or known.session):
            self._create_state(model, session, known)
        elif session.course.failed_with and known and known.session:
            model.states.remove(known)  # what becomes of a version whose training failed is a guess

    def _create_state(self, model: Model, session: Session, known: State | None) -> None:
        if known is None:
            known = State(id=session.result, name=session.new_name, created_at=self._millis())
            model.states.append(known)
        known.session = None
        known.operations.append(session.id)

    # The wire

    def routes(self) -> list[web.RouteDef]:
        """Every call has the form `/v0/<Api>/<method>`; whether case matters is not known, here it does."""
        return [web.post("/v0/{api}/{method}", self._call)]

    def refusal(self, status: int, text: str) -> web.Response:
        """Documented: 404 for what does not exist, 500 for what failed; a body is not."""
        return web.Response(status=404 if status == 405 else status, text=text)

    def rate_limited_reply(self) -> web.Response:
        """A documented code inside a 200."""
        return _error_reply({"code": "too_many_requests"})

    def unauthorized_reply(self) -> web.Response:
        """A documented code inside a 200."""
        return _error_reply({"code": "bad_credentials"})

    def calls(self) -> dict[str, Method]:
        """The methods of the present contract by path."""
        both: dict[str, Method] = {
            "Model/train": self._train,
            "Model/getTrainingStatus": self._status,
            "Model/getTrainingMetrics": self._metrics,
            "Model/getTrainingSysinfo": self._sysinfo,
            "Model/cancelTrainingSession": self._cancel,
            "Model/clearPreviousTrainingSession": self._clear,
            "Model/getModels": self._get_models,
            "Dataset/getDatasets": self._get_datasets,
            "PersistentLauncher/getPersistentLaunchers": self._get_launchers,
            "User/getQuotas": self._get_quotas,
        }
        if self.contract == "states":
            both["Model/setActiveModelState"] = self._activate
        return both

    async def _call(self, request: web.Request) -> web.Response:
        method = self.calls().get(f"{request.match_info['api']}/{request.match_info['method']}")
        if method is None:
            raise Refused(self.refusal(404, "Not Found"))
        if request.headers.get("Content-Type") != BINARY:
            # A text variant exists, its format is not known; what an unknown type gets is a guess.
            raise Refused(web.Response(status=400, text=f"Expected Content-Type: {BINARY}"))
        if request.headers.get("Authorization") != f"Bearer {self.api_key}":
            return self.unauthorized_reply()
        return self._carry_out(method, await request.read())

    def _carry_out(self, method: Method, body: bytes) -> web.Response:
        self._settle()
        try:
            result, blobs = method(read_call(body))
        except MalformedFrameError as error:
            return web.Response(status=400, text=str(error))  # a guess
        except CallError as error:
            return _error_reply(error.error)
        return web.Response(body=write_reply({"result": result}, blobs), content_type=BINARY)

    def _train(self, call: Call) -> Outcome:
        words = WORDS[self.contract]
        needed = {"modelId", words.new_name, "params", "executionLocation"}
        optional = set() if self.contract == "versions" else {words.source}
        _check_names(call.params, needed | ({words.source} - optional), optional)
        model = self._model(call, for_writing=True)
        source = self._source(model, call.params)
        new_name = _text(call.params, words.new_name)
        self._check_parameters(call)
        self._check_location(call.params["executionLocation"])
        session = self._open(model, source, new_name, call.params["executionLocation"])
        self.starts.append(Entry(at=self.clock.now(), id=session.id, model=model.id))
        return {"trainingSessionId": session.id}, []

    def _open(self, model: Model, source: str, new_name: str, location: Json) -> Session:
        getting = WORDS[self.contract].getting
        session = Session(
            id=str(uuid4()),
            model=model.id,
            source=source,
            new_name=new_name,
            location=location,
            created_at=self._millis(),
            course=Course(
                clock=self.clock,
                seconds=self.training_seconds,
                stages=((0.0, "starting"), (0.1, "running"), (0.9, getting), (1.0, "completed")),
            ),
        )
        model.sessions[session.id] = session
        if self.contract == "versions":
            model.states.append(
                State(id=session.result, name=new_name, created_at=session.created_at, session=session.id)
            )
        return session

    def _status(self, call: Call) -> Outcome:
        session = self._session(call)
        words = WORDS[self.contract]
        source = {"versionId": session.source} if self.contract == "versions" else {}
        result = {
            "id": session.id,
            "modelId": session.model,
            **source,
            words.new_name: session.new_name,
            "createdAt": session.created_at,
            "metrics": [{"name": "loss", "amount": self._measured(session)}],
            "executionLocation": session.location,
            "status": self._status_object(session),
        }
        return result, []

    def _status_object(self, session: Session) -> Json:
        state, words = self._state_word(session), WORDS[self.contract]
        status: Json = {"state": state}
        if state == "starting":
            return status
        status["startDurations"] = {"createLauncher": 10, "codeStartup": 20, words.instantiate: 30}
        if state == "running":
            return status | {"progress": round(min(1.0, max(0.0, (session.course.fraction() - 0.1) / 0.8)), 3)}
        status["trainDuration"] = int(session.course.fraction() * session.course.seconds * 1000)
        if state == "failed":
            return status | {"finishedAt": self._finished_at(session), "failReason": session.reason}
        if state == "completed":
            ended = {words.getting_duration: 40, "finishedAt": self._finished_at(session)}
            return status | ended | {words.created: session.result}
        return status

    def _state_word(self, session: Session) -> str:
        """The state; a session that was begun under the other contract uses the present one's words."""
        word = session.course.word()
        return WORDS[self.contract].getting if word.startswith("getting") else word

    def _finished_at(self, session: Session) -> int:
        return self._millis(session.course.ended())

    def _metrics(self, call: Call) -> Outcome:
        _check_names(call.params, {"modelId", "trainingSessionId", "metrics"}, set())
        session = self._session(call, checked=True)
        found, blobs = [], []
        for name, first, amount in _wanted_metrics(call.params["metrics"]):
            steps = range(first, min(first + amount, self._measured(session))) if name == "loss" else range(0)
            entries = [{"timestamp": session.created_at + step * 1000} for step in steps]
            found.append({"name": name, "startIndex": first, "entries": entries})
            blobs += [write_f32(1.0 / (1 + step)) for step in steps]
        return {"metrics": found}, blobs

    def _measured(self, session: Session) -> int:
        return int(session.course.fraction() * METRIC_STEPS)

    def _sysinfo(self, call: Call) -> Outcome:
        _check_names(call.params, {"modelId", "trainingSessionId"}, {"fromTimestamp"})
        session = self._session(call, checked=True)
        return {"sysinfo": [{"timestamp": session.created_at, "cpus": 1.5, "memory": 512 * 1024 * 1024}]}, []

    def _cancel(self, call: Call) -> Outcome:
        session = self._session(call, for_writing=True)
        if session.course.is_over():
            raise CallError("training_session_not_running")
        session.cancelling = True
        if self.heeds_cancel:
            session.cancel_at = self.clock.time() + self.training_seconds * self.cancel_share
        return {}, []

    def _clear(self, call: Call) -> Outcome:
        session = self._session(call, for_writing=True)
        if not session.course.is_over():
            raise CallError("training_session_running")
        del self.models[session.model].sessions[session.id]
        return {}, []

    def _activate(self, call: Call) -> Outcome:
        _check_names(call.params, {"modelId", "stateId"}, set())
        model = self._model(call, for_writing=True)
        state_id = _text(call.params, "stateId")
        if state_id not in {state.id for state in model.states}:
            raise CallError("state_not_found")
        model.active = state_id
        self.switches.append(Entry(at=self.clock.now(), id=state_id, model=model.id))
        return {}, []

    def _get_models(self, call: Call) -> Outcome:
        models = [self._model_object(model) for model in self.models.values()]
        return _page(call, "models", models), []

    def _get_datasets(self, call: Call) -> Outcome:
        datasets = [
            {
                "id": dataset_id,
                "name": name,
                "description": "",
                "access": "readwrite",
                "keys": [{"name": key, "required": True, "rules": {}} for key in keys],
                "entries": {"count": 1200, "totalByteSize": 480_000},
                "versionId": "1",
            }
            for dataset_id, (name, keys) in self.datasets.items()
        ]
        return _page(call, "datasets", datasets), []

    def _get_launchers(self, call: Call) -> Outcome:
        launchers = [
            {
                "id": launcher_id,
                "name": name,
                "createdAt": 1_700_000_000_000,
                "spec": {"cpus": 2, "memoryMebibytes": 4096},
                "state": {"type": "active"},
                "running": [],
            }
            for launcher_id, name in self.launchers.items()
        ]
        return _page(call, "persistentLaunchers", launchers), []

    def _get_quotas(self, call: Call) -> Outcome:
        _check_names(call.params, set(), set())
        return {"quotas": []}, []

    # What is looked up and checked

    def _model(self, call: Call, *, for_writing: bool = False) -> Model:
        model = self.models.get(_text(call.params, "modelId"))
        if model is None:
            raise CallError("model_not_found")
        if for_writing and model.access != "readwrite":
            raise CallError("access_denied")
        return model

    def _session(self, call: Call, *, for_writing: bool = False, checked: bool = False) -> Session:
        if not checked:
            _check_names(call.params, {"modelId", "trainingSessionId"}, set())
        model = self._model(call, for_writing=for_writing)
        session = model.sessions.get(_text(call.params, "trainingSessionId"))
        if session is None:
            raise CallError("training_session_not_found")
        return session

    def _source(self, model: Model, params: Json) -> str:
        name = WORDS[self.contract].source
        if name not in params:
            return model.active
        source = _text(params, name)
        if source in {state.id for state in model.states if state.session is None}:
            return source
        # Of the two only the second is documented for this call; the first is what other calls say.
        raise CallError("state_not_found" if self.contract == "states" else "model_version_not_found")

    def _check_parameters(self, call: Call) -> None:
        params = call.params["params"]
        if not isinstance(params, list) or len(params) > MOST_PARAMETERS:
            _refuse("params", f"not a list of at most {MOST_PARAMETERS}")
        inline = [param for param in params if not self._is_dataset(param)]
        if len({param["name"] for param in params}) != len(params):
            _refuse("params", "a name is given twice")
        if len(inline) != len(call.blobs):
            _refuse("params", f"{len(inline)} parameters without data, {len(call.blobs)} blobs")
        for param, blob in zip(inline, call.blobs, strict=True):
            _check_tensors(param["name"], blob)

    def _is_dataset(self, param: Any) -> bool:
        if not isinstance(param, dict) or not isinstance(param.get("name"), str) or not set(param) <= {"name", "data"}:
            _refuse("params", "a parameter is not {name, data?}")
        if "data" not in param:
            return False
        self._check_dataset(param["data"])
        return True

    def _check_dataset(self, data: Any) -> None:
        match data:
            case {"type": "dataset", "datasetId": str(dataset), "datasetKey": str(key), **more} if not more:
                self._check_dataset_key(dataset, key)
            case _:
                _refuse("params", "data is not {type: dataset, datasetId, datasetKey}")

    def _check_dataset_key(self, dataset: str, key: str) -> None:
        if dataset not in self.datasets:
            raise CallError("dataset_not_found", datasetId=dataset)
        if key not in self.datasets[dataset][1]:
            raise CallError("dataset_key_not_found", datasetId=dataset, datasetKey=key)

    def _check_location(self, location: Any) -> None:
        match location:
            case {"type": "persistentLauncher", "persistentLauncherId": str(launcher), **more} if not more:
                if launcher not in self.launchers:
                    raise CallError("persistent_launcher_not_found")
            case {"type": "temporaryLauncher", "spec": dict(spec), **more} if not more:
                _check_spec(spec)
            case _:
                _refuse("executionLocation", "neither a persistentLauncher nor a temporaryLauncher")

    def _model_object(self, model: Model) -> Json:
        about = {
            "id": model.id,
            "name": model.name,
            "description": "",
            "createdAt": model.created_at,
            "tags": [],
            "access": model.access,
        }
        return about | (self._states_object(model) if self.contract == "states" else _versions_object(model))

    def _states_object(self, model: Model) -> Json:
        return {
            "ongoingTrainingSessions": [key for key, one in model.sessions.items() if not one.course.is_over()],
            "trainingSessions": [key for key, one in model.sessions.items() if one.course.is_over()],
            "states": [
                {
                    "id": state.id,
                    "name": state.name,
                    "trainingOperations": state.operations,
                    "createdAt": state.created_at,
                    "beingDeleted": False,
                    "state": [{"key": "weights", "byteSize": 4096}],
                    "mountedModels": [],
                }
                for state in model.states
                if state.session is None
            ],
            "activeState": model.active,
        }


def _versions_object(model: Model) -> Json:
    return {
        "versions": [
            {
                "id": state.id,
                "name": state.name,
                "createdAt": state.created_at,
                "trainingOperations": state.operations,
                "status": _version_status(state),
            }
            for state in model.states
        ]
    }


def _version_status(state: State) -> Json:
    if state.session:
        return {"state": "training", "trainingSessionId": state.session}
    return {"state": "created", "weights": [{"key": "weights", "byteSize": 4096}]}


def _error_reply(error: Json) -> web.Response:
    """Coded errors come inside a 200 (inferred: every client throws on another status without reading the body)."""
    return web.Response(body=write_reply({"error": error}), content_type=BINARY)


def _refuse(parameter: str, reason: str) -> NoReturn:
    raise CallError("invalid_parameter", parameterName=parameter, reason=reason)


def _check_names(params: Json, needed: set[str], optional: set[str]) -> None:
    """Every needed parameter and no unknown one; that unknown ones are refused is a guess, on the strict side."""
    for name in sorted(needed - set(params)):
        _refuse(name, "missing")
    for name in sorted(set(params) - needed - optional):
        _refuse(name, "unknown")


def _text(params: Json, name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not value:
        _refuse(name, "not a text")
    return value


def _check_tensors(name: str, blob: bytes) -> None:
    try:
        shapes = read_shapes(blob)
    except MalformedFrameError as error:
        _refuse("params", f"{name}: {error}")
    if not shapes:
        _refuse("params", f"{name}: no tensor")


def _check_spec(spec: Json) -> None:
    _check_names(spec, {"cpus", "memoryMebibytes"}, {"diskMebibytes", "swapMebibytes", "gpus"})
    for name in set(spec) - {"gpus"}:
        if not _is_number(spec[name]) or spec[name] <= 0:
            _refuse("executionLocation", f"{name} is not a positive number")
    gpus = spec.get("gpus", [])
    if not isinstance(gpus, list) or not all(_is_gpu(gpu) for gpu in gpus):
        _refuse("executionLocation", "gpus are not a list of {model, count}")


def _is_gpu(gpu: object) -> bool:
    match gpu:
        case {"model": str(), "count": int(count), **more} if not more:
            return count > 0
    return False


def _wanted_metrics(metrics: object) -> list[tuple[str, int, int]]:
    """Name, first index and amount of each metric that is asked for."""
    wanted = []
    for metric in metrics if isinstance(metrics, list) else [None]:
        match metric:
            case {"name": str(name), "startIndex": int(first), "amount": int(amount)} if first >= 0:
                wanted.append((name, first, amount))
            case _:
                _refuse("metrics", "not a list of {name, startIndex, amount}")
    return wanted


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _page(call: Call, key: str, items: list[Json]) -> Json:
    """One page of a list; `offset` 0 and `limit` 20 by default."""
    _check_names(call.params, set(), {"offset", "limit", "filter", "sort", "sortDirection"})
    offset, limit = _whole(call.params, "offset", 0), _whole(call.params, "limit", 20)
    wanted = _checked_filter(call.params.get("filter", {}))
    found = [item for item in items if _matches(item, wanted)]
    return {key: found[offset : offset + limit], "total": len(found), "offset": offset, "limit": limit}


def _whole(params: Json, name: str, default: int) -> int:
    value = params.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        _refuse(name, "not a whole number")
    return value


def _checked_filter(wanted: object) -> Json:
    match wanted:
        case {"searchName": other} if not isinstance(other, str):
            _refuse("filter", "searchName is not a text")
        case dict():
            _check_names(wanted, set(), {"owners", "tags", "ids", "names", "searchName"})
        case _:
            _refuse("filter", "not an object")
    for name in {"owners", "tags", "ids", "names"} & set(wanted):
        if not isinstance(wanted[name], list):
            _refuse("filter", f"{name} is not a list")
    return wanted


def _matches(item: Json, wanted: Json) -> bool:
    return (
        item["id"] in wanted.get("ids", [item["id"]])
        and item["name"] in wanted.get("names", [item["name"]])
        and wanted.get("searchName", "").lower() in item["name"].lower()
    )
