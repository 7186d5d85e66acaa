"""NAVER Cloud AiTEMS behind its API gateway: signed calls, services whose trainings are found only in a list.

Pages: https://api.ncloud-docs.com/docs/en/aitems-overview, ai-application-service-aitems-service-learning, -trainlist,
-trainread, -read; https://api.ncloud-docs.com/docs/en/common-ncpapi for the signature;
https://api-gov.ncloud-docs.com/docs/api-call-lgc-errorhandling for the gateway's errors. The backend's flat shape of
errors was seen in one recorded reply.
"""

import base64
import hashlib
import hmac
import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

from aiohttp import web

from sandbox.clock import Clock
from sandbox.services.course import Course
from sandbox.services.service import Entry, Json, NoSuchActError, Refused, Service, json_reply, parse_json, query_number

KST = timezone(timedelta(hours=9))
CLOCK_WINDOW_SECONDS = 300
TYPES = {"pop": 0.8, "relatedItem": 0.9, "personalRecommend": 1.0}  # each with its share of the training's time
STAGES = ((0.0, "requesting"), (0.1, "waiting"), (0.25, "learning"), (1.0, "completed"))
FAILED_WORDS = {"requesting": "requestFailed", "waiting": "refinedFailed", "learning": "learningFailed"}
INFER_SHARE = 0.2  # of the training's time; results were recorded some minutes after the training
STOP_SHARE = 0.1
UNSEEN_POLLS = 2
UNSEEN_SHARE = 0.15
HP_RANGES = {"session_max_timestamp": (10, 86_400), "item_top_n": (1_000, 500_000), "min_item_cut": (1, 1_000)}
MOST_DESCRIPTION = 100  # documented for a service's description; for a training's it is a guess

ServiceKind = Literal["batch", "interval"]


@dataclass(kw_only=True, slots=True)
class Train:
    """One training: a type and a version of a service."""

    service: str
    type: str
    version: str
    description: str | None
    hp_config: Json
    created: float
    course: Course
    stopped_at: float | None = None
    seen_polls: int = 0

    @property
    def key(self) -> str:
        """What the page calls it."""
        return f"{self.service}/{self.type}/{self.version}"


@dataclass(kw_only=True, slots=True)
class Recommender:
    """What the API calls a service. `status` is its word while nothing is trained."""

    id: str
    name: str
    status: str
    created: float
    updated: float
    kind: ServiceKind = "batch"
    description: str = ""
    trains: list[Train] = field(default_factory=list)
    infers: dict[str, Json] = field(default_factory=dict)


class AiTems(Service):
    """The API with the batch services `svcmovies01` (learnable, trained before) and `svcempty001` (no data sets)."""

    name = "aitems"
    title = "NAVER Cloud AiTEMS"

    def __init__(self, clock: Clock, *, host: str = "127.0.0.1", training_seconds: float = 20.0) -> None:
        """One account with one key pair."""
        super().__init__(clock, host=host, training_seconds=training_seconds)
        self.access_key = "SANDBOXACCESSKEY0001"
        self.secret_key = "sandboxSecretKey000000000000000000000001"
        self.integer_codes = False
        self.tells_descriptions = True
        self.services: dict[str, Recommender] = {}
        self.deleted: list[str] = []
        self._add_examples()

    # The page and the tests

    @property
    def base_url(self) -> str:
        """The API's address; its path is part of what is signed."""
        return f"{self.url()}/api/v1"

    def environment(self) -> dict[str, str]:
        """Address, key pair and time zone."""
        return {
            "SWITCHYARD_AITEMS__BASE_URL": self.base_url,
            "SWITCHYARD_AITEMS__ACCESS_KEY": self.access_key,
            "SWITCHYARD_AITEMS__SECRET_KEY": self.secret_key,
            "SWITCHYARD_AITEMS__TIMEZONE": "Asia/Seoul",
        }

    def trainings(self) -> list[Json]:
        """Every training, newest first."""
        self._settle()
        trains = [train for service in self.services.values() for train in service.trains]
        return [self._training(train) for train in sorted(trains, key=lambda train: -train.created)]

    def live(self) -> list[Json]:
        """The results that each service answers with, one row a type."""
        self._settle()
        return [
            {
                "id": f"{service.id}/{kind}",
                "label": f"{service.name}: {kind}",
                "facts": {"version": row["trainVersion"]},
            }
            for service in self.services.values()
            for kind, row in service.infers.items()
        ]

    def course_of(self, training: str) -> Course:
        """By `SERVICE/TYPE/VERSION`."""
        return self._train_of(training).course

    def act_fail(self, training: str, word: str | None = None) -> Json:
        """Let the training fail now: with the failure of its stage, or with `word`."""
        course = self.course_of(training)
        course.fail(word or FAILED_WORDS.get(course.stage(), "learningFailed"))
        return {"training": training}

    def act_stop(self, training: str) -> Json:
        """Stop the training as an operator of the service would: `stopping`, then `ready`."""
        train = self._train_of(training)
        if not train.course.is_over():
            train.course.fail("stopping")
            train.stopped_at = self.clock.time()
        return {"training": training}

    def act_forget(self, training: str) -> Json:
        """Let the training be gone."""
        train = self._train_of(training)
        self.services[train.service].trains.remove(train)
        return {"training": training}

    def act_descriptions(self, on: bool | None = None) -> Json:
        """Tell or leave out the descriptions of trainings; the documented sample has none."""
        self.tells_descriptions = not self.tells_descriptions if on is None else on
        return {"descriptions": self.tells_descriptions}

    def act_integer_codes(self, on: bool | None = None) -> Json:
        """Write the gateway's errorCode as a number (documented) or as text (as its samples are printed)."""
        self.integer_codes = not self.integer_codes if on is None else on
        return {"integer_codes": self.integer_codes}

    def _training(self, train: Train) -> Json:
        over = train.course.is_over()
        return {
            "id": train.key,
            "label": f"{train.service}: {train.type}",
            "status": train.course.word(),
            "progress": train.course.fraction(),
            "facts": {"version": train.version, "inference": self.has_results(train), "listed": self._is_listed(train)},
            "actions": ["forget"] if over else ["finish", "fail", "stop", "forget"],
        }

    def _train_of(self, training: str) -> Train:
        for service in self.services.values():
            for train in service.trains:
                if train.key == training:
                    return train
        raise NoSuchActError(f"no training {training!r}")

    def _add_examples(self) -> None:
        before = self.clock.time() - 30 * 86_400
        movies = Recommender(id="svcmovies01", name="movies", status="learnable", created=before, updated=before)
        self.services[movies.id] = movies
        empty = Recommender(id="svcempty001", name="empty", status="datasetRequired", created=before, updated=before)
        self.services[empty.id] = empty
        course = Course(clock=self.clock, seconds=600.0, stages=STAGES)
        course.started = before
        movies.trains.append(
            Train(
                service=movies.id, type="pop", version="v0pop000001", description="first one", created=before,
                hp_config={"is_enabled": False}, course=course, seen_polls=UNSEEN_POLLS,
            )
        )  # fmt: skip
        self._settle()

    # Time

    def _settle(self) -> None:
        """Let happen what time has brought: stopped trainings are ready again, results replace the former ones."""
        for service in self.services.values():
            for train in service.trains:
                self._end_stopped(train)
                self._serve_results(service, train)

    def _end_stopped(self, train: Train) -> None:
        if train.stopped_at is None or self.clock.time() < train.stopped_at + self.training_seconds * STOP_SHARE:
            return
        train.course.failed_with = "ready"

    def has_results(self, train: Train) -> bool:
        """The flag `inference`: results exist. Documented beside a failed training too: the former ones are there."""
        if train.course.is_finished():
            return self.clock.time() >= self._results_at(train)
        return train.course.failed_with is not None and train.type in self.services[train.service].infers

    def _results_at(self, train: Train) -> float:
        return (train.course.ended() or 0.0) + self.training_seconds * INFER_SHARE

    def _serve_results(self, service: Recommender, train: Train) -> None:
        row = service.infers.get(train.type)
        if not (train.course.is_finished() and self.has_results(train)) or (row and row["_of"] >= train.created):
            return
        moment = self._results_at(train)
        service.updated = max(service.updated, moment)
        service.infers[train.type] = {
            "dataType": train.type,
            "trainVersion": train.version,
            "status": "enable",
            "rowCount": 1000,
            "createdDate": _local(moment),
            "updatedDate": _local(moment),
            "_of": train.created,
        }

    def _is_busy(self, train: Train) -> bool:
        """Whether the service is learning because of this training: until its results are stored."""
        if not train.course.is_over() or train.course.failed_with == "stopping":
            return True
        return train.course.is_finished() and not self.has_results(train)

    def status_of(self, service: Recommender) -> str:
        """The service's word."""
        return "learning" if any(self._is_busy(train) for train in service.trains) else service.status

    def _is_listed(self, train: Train) -> bool:
        """A new training appears in the list after some looks or some time."""
        age = self.clock.time() - train.created
        return train.seen_polls >= UNSEEN_POLLS or age >= self.training_seconds * UNSEEN_SHARE

    # The wire

    def routes(self) -> list[web.RouteDef]:
        """The calls on services and their trainings. On one path POST trains, PUT renames, DELETE destroys."""
        one = "/api/v1/services/{service}"
        return [
            web.get("/api/v1/services", self._signed(self._list_services), allow_head=False),
            web.get(one, self._signed(self._view_service), allow_head=False),
            web.post(one, self._signed(self._train)),
            web.put(one, self._signed(self._rename)),
            web.delete(one, self._signed(self._delete)),
            web.get(f"{one}/trains", self._signed(self._list_trains), allow_head=False),
            web.get(f"{one}/trains/{{type}}/versions/{{version}}", self._signed(self._view_train), allow_head=False),
            web.get(f"{one}/infers/lookup", self._signed(self._look_up), allow_head=False),
        ]

    def refusal(self, status: int, text: str) -> web.Response:
        """The gateway knows no such path or method."""
        return self._gateway_error(404, 300, "Not Found Exception", text)

    def rate_limited_reply(self) -> web.Response:
        """Documented; that there is no Retry-After is what the pages suggest."""
        return self._gateway_error(429, 420, "Rate Limited", "Too many requests")

    def unauthorized_reply(self) -> web.Response:
        """Documented."""
        return self._gateway_error(401, 200, "Authentication Failed", "Invalid authentication information.")

    def _gateway_error(self, status: int, code: int, message: str, details: str) -> web.Response:
        error = {"errorCode": code if self.integer_codes else str(code), "message": message, "details": details}
        return json_reply({"error": error}, status, _trace() | {"x-ncp-apigw-response-origin": "APIGW"})

    def _backend_error(self, request: web.Request, status: int, error: str, message: str) -> Refused:
        """The flat shape; the specific code is in `error`, and the path lacks the version."""
        codes = {400: "BAD_REQUEST", 404: "NOT_FOUND"}
        body = {
            "timestamp": self.clock.now().isoformat(timespec="milliseconds"),
            "path": request.path.replace("/api/v1", "/api", 1),
            "status": status,
            "error": error,
            "requestId": secrets.token_hex(4),
            "errorCode": codes[status],
            "message": message,
        }
        return Refused(json_reply(body, status, _trace()))

    def _signed(self, handler: Any) -> Any:
        """Let `handler` see only calls with a good signature."""

        async def check_and_handle(request: web.Request) -> web.StreamResponse:
            self._check_gateway(request)
            self._settle()
            reply: web.StreamResponse = await handler(request)
            reply.headers.update(_trace())
            return reply

        return check_and_handle

    def _check_gateway(self, request: web.Request) -> None:
        stamp = request.headers.get("x-ncp-apigw-timestamp", "")
        if not self._is_fresh(stamp) or request.headers.get("x-ncp-iam-access-key") != self.access_key:
            raise Refused(self.unauthorized_reply())
        expected = sign(request.method, request.raw_path, stamp, self.access_key, self.secret_key)
        if not hmac.compare_digest(expected, request.headers.get("x-ncp-apigw-signature-v2", "")):
            raise Refused(self.unauthorized_reply())
        if request.headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
            # Listed as required on every call; what its absence gets is a guess.
            raise Refused(self._gateway_error(400, 100, "Bad Request Exception", "Content-Type"))

    def _is_fresh(self, stamp: str) -> bool:
        """Milliseconds since 1970, at most five minutes from the gateway's clock."""
        if not (stamp.isascii() and stamp.isdigit()):
            return False
        return abs(int(stamp) / 1000 - self.clock.time()) <= CLOCK_WINDOW_SECONDS

    def _service(self, request: web.Request) -> Recommender:
        service = self.services.get(request.match_info["service"])
        if service is None:
            raise self._backend_error(request, 404, "SERVICE_NOT_FOUND", "The service does not exist.")  # a guess
        return service

    async def _body(self, request: web.Request) -> Json:
        try:
            body = parse_json(await request.read())
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self._backend_error(request, 400, "INVALID_BODY", "The body is not a JSON object.")
        return body

    async def _list_services(self, request: web.Request) -> web.Response:
        offset, limit = query_number(request, "offset", 0), query_number(request, "limit", 1000)
        rows = [self._service_row(service) for service in self.services.values()]
        return json_reply({"services": rows[offset : offset + limit], "offset": offset, "limit": limit})

    async def _view_service(self, request: web.Request) -> web.Response:
        return json_reply(self._service_object(self._service(request)))

    async def _rename(self, request: web.Request) -> web.Response:
        service, body = self._service(request), await self._body(request)
        service.name = str(body.get("name", service.name))
        service.description = str(body.get("description", service.description))
        return json_reply(self._service_object(service))

    async def _delete(self, request: web.Request) -> web.Response:
        service = self._service(request)
        del self.services[service.id]
        self.deleted.append(service.id)
        return json_reply({"result": "ok"})

    async def _train(self, request: web.Request) -> web.Response:
        service, body = self._service(request), await self._body(request)
        problem = _problem_with(body)
        if problem:
            raise self._backend_error(request, 400, "INVALID_PARAMETER", problem)
        if service.kind != "batch" or self.status_of(service) != "learnable":
            # What a start gets while the service cannot learn is not documented: a guess.
            message = f"The service cannot be trained. status={self.status_of(service)}"
            raise self._backend_error(request, 400, "INVALID_SERVICE_STATUS", message)
        for kind in body["types"]:
            self._begin(service, kind, body)
        self.starts.append(Entry(at=self.clock.now(), id=",".join(body["types"]), model=service.id))
        # The word was recorded as "learning" at once; no version is told.
        return json_reply(self._service_object(service), 201)

    def _begin(self, service: Recommender, kind: str, body: Json) -> None:
        seconds = self.training_seconds * TYPES[kind]
        service.updated = self.clock.time()
        service.trains.append(
            Train(
                service=service.id,
                type=kind,
                version=_new_version(train.version for train in service.trains),
                description=body.get("description"),
                hp_config=body["hpConfig"],
                created=service.updated,
                course=Course(clock=self.clock, seconds=seconds, stages=STAGES),
            )
        )

    async def _list_trains(self, request: web.Request) -> web.Response:
        service = self._service(request)
        trains = [train for train in reversed(service.trains) if self._is_listed(train)]
        for train in service.trains:
            train.seen_polls += 1
        if request.query.get("isRecent", "false").lower() != "false":
            trains = list({train.type: train for train in reversed(trains)}.values())
        return json_reply({"trains": [self._train_object(train) for train in trains], "offset": 0, "limit": 1000})

    async def _view_train(self, request: web.Request) -> web.Response:
        service, wanted = self._service(request), request.match_info
        for train in service.trains:
            if (train.type, train.version) == (wanted["type"], wanted["version"]):
                return json_reply(self._train_object(train))
        raise self._backend_error(request, 404, "TRAIN_NOT_FOUND", "The training does not exist.")  # a guess

    async def _look_up(self, request: web.Request) -> web.Response:
        service = self._service(request)
        if request.query.get("type") not in TYPES or "targetId" not in request.query:
            raise self._backend_error(request, 400, "INVALID_PARAMETER", "type and targetId are required.")
        row = service.infers.get(request.query["type"])
        return json_reply({"field": "ITEM_ID", "values": [f"{row['trainVersion']}-item-1"] if row else []})

    def _train_object(self, train: Train) -> Json:
        described = self.tells_descriptions and train.description is not None
        return {
            "serviceId": train.service,
            "type": train.type,
            "hpConfig": train.hp_config,
            "version": train.version,
            **({"description": train.description} if described else {}),
            "status": train.course.word(),
            "createdDate": _local(train.created),
            "inference": self.has_results(train),
        }

    def _service_row(self, service: Recommender) -> Json:
        return {
            "serviceId": service.id,
            "name": service.name,
            "status": self.status_of(service),
            "createdDate": _local(service.created),
            "updatedDate": _local(service.updated),
            "actionName": "",
            "permission": "",
        }

    def _service_object(self, service: Recommender) -> Json:
        has_data = service.status != "datasetRequired"
        return {
            "serviceId": service.id,
            "name": service.name,
            "description": service.description,
            "status": self.status_of(service),
            "datasets": [_dataset_row(service, kind) for kind in ("user", "item", "interaction")] if has_data else [],
            "infers": [{key: row[key] for key in row if key != "_of"} for row in service.infers.values()],
            "createdDate": _local(service.created),
            "updatedDate": _local(service.updated),
            "type": service.kind,
        }


def sign(method: str, target: str, stamp: str, access_key: str, secret_key: str) -> str:
    """Signature v2 over the raw request target, as https://api.ncloud-docs.com/docs/en/common-ncpapi describes it."""
    text = f"{method.upper()} {target}\n{stamp}\n{access_key}"
    digest = hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _trace() -> dict[str, str]:
    return {"x-ncp-trace-id": secrets.token_hex(12)}


def _local(moment: float) -> str:
    """The service's times carry no offset; recorded values fit Korean time."""
    return datetime.fromtimestamp(moment, UTC).astimezone(KST).replace(tzinfo=None).isoformat(timespec="milliseconds")


def _new_version(taken: Iterable[str]) -> str:
    letters = string.ascii_lowercase + string.digits
    version = "".join(secrets.choice(letters) for _ in range(11))
    return version if version not in set(taken) else _new_version(taken)


def _dataset_row(service: Recommender, kind: str) -> Json:
    return {
        "datasetId": f"{service.id[:7]}{kind[:4]:0<4}",
        "type": kind,
        "name": f"{service.name}-{kind}",
        "schemaName": f"{kind}-default",
        "status": "learnable",
        "createdDate": _local(service.created),
        "updatedDate": _local(service.created),
    }


def _problem_with(body: Json) -> str | None:
    """What is wrong with a training request's body, if anything."""
    types, description = body.get("types"), body.get("description", "")
    if not isinstance(types, list) or not types or len(set(map(str, types))) != len(types):
        return "types is required, each once."
    if not all(isinstance(kind, str) and kind in TYPES for kind in types):
        return f"types are {', '.join(TYPES)}."
    if not isinstance(description, str) or len(description) > MOST_DESCRIPTION:
        return f"description is a text of at most {MOST_DESCRIPTION} characters."
    if set(body) - {"types", "description", "hpConfig"}:
        return "An unknown field is given."  # a guess, on the strict side
    return _problem_with_options(body.get("hpConfig"))


def _problem_with_options(options: object) -> str | None:
    if not isinstance(options, dict) or not isinstance(options.get("is_enabled"), bool):
        return "hpConfig.is_enabled is required."
    for name, (least, most) in HP_RANGES.items():
        value = options.get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            return f"hpConfig.{name} is a number from {least} to {most}."
    return None
