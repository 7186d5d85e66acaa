"""DeepOpinion Studio: log-in, keys, and the models of a project.

Pages: https://docs.deepopinion.ai/api/train-a-new-model, api/log-in,
api/retrieve-a-specific-model-that-belongs-to-a-project, and the vendor's generated client
deepopinion/studio-api-client-python. The pages give one sentence per error and no shape: `{message, status}` is a guess
after the log-in's reply.
"""

import base64
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web

from sandbox.clock import Clock
from sandbox.services.course import Course
from sandbox.services.service import Entry, Json, NoSuchActError, Refused, Service, json_reply, parse_json, query_number

TOKEN_SECONDS = 14 * 86_400
LANGUAGES = ("en", "de", "ar")
SESSION_FIELDS = ("annotation_ids", "trainset_annotation_ids", "testset_annotation_ids")
BODY_FIELDS = {"display_name": str, "language": str, "name": str, "base_id": int, **dict.fromkeys(SESSION_FIELDS, list)}
# The order is inferred; ACTIVE and PUBLISHED are set by other means (act "word").
STAGES = ((0.0, "CREATED"), (0.1, "QUEUED"), (0.3, "TRAINING"), (1.0, "READY"))
SCORE = 0.68


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Whom a token belongs to."""

    expires: float | None = None
    may_write: bool = True


@dataclass(kw_only=True, slots=True)
class Model:
    """One model of a project."""

    id: int
    project: int
    name: str
    display_name: str
    language: str
    base: str
    sessions: dict[str, list[int]]
    created: str
    course: Course
    uuid: str = field(default_factory=lambda: str(uuid4()))


@dataclass(kw_only=True, slots=True)
class Project:
    """A project with the labeling sessions that can be trained on."""

    id: int
    sessions: tuple[int, ...]
    models: dict[int, Model] = field(default_factory=dict)


class DeepOpinion(Service):
    """The Studio API with project 1: sessions 1, 2, 3, base model 7, and an older model 11."""

    name = "deepopinion"
    title = "DeepOpinion Studio"

    def __init__(self, clock: Clock, *, host: str = "127.0.0.1", training_seconds: float = 20.0) -> None:
        """One key that may write, one that may only read, and one person who can log in."""
        super().__init__(clock, host=host, training_seconds=training_seconds)
        self.api_key = "sandbox-deepopinion-key"
        self.read_only_key = "sandbox-deepopinion-read-only-key"
        self.email = "ada@switchyard.example"
        self.password = "sandbox-deepopinion-password"
        self.callers = {self.api_key: Caller(), self.read_only_key: Caller(may_write=False)}
        self.keys: dict[int, Json] = {}
        self.bases = {7: "Hotel Pre-Trained"}
        self.projects = {1: Project(id=1, sessions=(1, 2, 3))}
        self._add_old_model()

    # The page and the tests

    @property
    def base_url(self) -> str:
        """The API's address; there is no version in it."""
        return self.url()

    def environment(self) -> dict[str, str]:
        """Address and key."""
        return {
            "SWITCHYARD_DEEPOPINION__BASE_URL": self.base_url,
            "SWITCHYARD_DEEPOPINION__API_KEY": self.api_key,
        }

    def models(self) -> list[Model]:
        """Every model of the workspace, oldest first."""
        models = [model for project in self.projects.values() for model in project.models.values()]
        return sorted(models, key=lambda model: model.id)

    def trainings(self) -> list[Json]:
        """Every model of the workspace."""
        return [_training(model) for model in reversed(self.models())]

    def live(self) -> list[Json]:
        """The models that are ready for use."""
        return [
            {"id": str(model.id), "label": model.display_name, "facts": {"status": model.course.word()}}
            for model in self.models()
            if model.course.is_finished()
        ]

    def course_of(self, training: str) -> Course:
        """By model id."""
        return self._model_of(training).course

    def act_fail(self, training: str) -> Json:
        """Let the training end as FAILED now."""
        self.course_of(training).fail("FAILED")
        return {"training": training}

    def act_forget(self, training: str) -> Json:
        """Delete the model."""
        model = self._model_of(training)
        del self.projects[model.project].models[model.id]
        return {"training": training}

    def act_expire_tokens(self) -> Json:
        """Let every token from a log-in be expired; keys live on."""
        moment = self.clock.time()
        expired = {token: Caller(expires=moment) for token, caller in self.callers.items() if caller.expires}
        self.callers |= expired
        return {"expired": len(expired)}

    def _add_old_model(self) -> None:
        course = Course(clock=self.clock, seconds=0.0, stages=STAGES)
        self.projects[1].models[11] = Model(
            id=11, project=1, name="reviews-2025", display_name="Reviews 2025", language="en",
            base=self.bases[7], sessions={"annotation_ids": [1, 2]}, created="2025-11-02", course=course,
        )  # fmt: skip

    def _model_of(self, training: str) -> Model:
        for model in self.models():
            if str(model.id) == str(training):
                return model
        raise NoSuchActError(f"no model {training!r}")

    # The wire

    def routes(self) -> list[web.RouteDef]:
        """The calls that a bot for trainings needs."""
        project = r"/projects/{project:\d+}/models"
        return [
            web.post("/auth/login", self._log_in),
            web.get(r"/users/{user:\d+}/keys", self._list_keys, allow_head=False),
            web.post(r"/users/{user:\d+}/keys", self._create_key),
            web.delete(r"/users/{user:\d+}/keys/{key:\d+}", self._delete_key),
            web.post(project, self._train),
            web.get(project, self._list_project, allow_head=False),
            web.get(project + r"/{model:\d+}", self._view, allow_head=False),
            web.get(r"/projects/{project:\d+}/annotations", self._list_sessions, allow_head=False),
            web.get("/models", self._list_all, allow_head=False),
            web.get(r"/models/{model:\d+}", self._list_one, allow_head=False),
        ]

    def refusal(self, status: int, text: str) -> web.Response:
        """The guessed shape."""
        return _error(status, text)

    def rate_limited_reply(self) -> web.Response:
        """No limit is documented; the shape is a guess."""
        return json_reply({"message": "Too many requests", "status": "ERROR"}, 429, {"Retry-After": "1"})

    def unauthorized_reply(self) -> web.Response:
        """The documented sentence in the guessed shape."""
        return _error(401, "User is not authenticated. This means token is either not present or invalid")

    async def _log_in(self, request: web.Request) -> web.Response:
        body = await _json_object(request)
        if (body.get("email"), body.get("password")) != (self.email, self.password):
            raise Refused(_error(401, "Wrong combination of email and password"))
        token = self._token()
        self.callers[token] = Caller(expires=self.clock.time() + TOKEN_SECONDS)
        return json_reply({"auth_token": token, "message": "Successfully logged in.", "status": "OK"})

    def _token(self) -> str:
        """A token that looks like the documented samples: a JWT with `iat` and `exp` 14 days apart."""
        issued = int(self.clock.time())
        claims = {"iss": "deepopinion.ai", "sub": 1, "iat": issued, "exp": issued + TOKEN_SECONDS}
        return f"{_segment({'alg': 'RS256', 'typ': 'JWT'})}.{_segment(claims)}.{secrets.token_urlsafe(32)}"

    def _caller(self, request: web.Request) -> Caller:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        caller = self.callers.get(token) if scheme == "Bearer" else None
        if caller is None or (caller.expires is not None and caller.expires <= self.clock.time()):
            raise Refused(self.unauthorized_reply())
        return caller

    def _project(self, request: web.Request) -> Project:
        project = self.projects.get(int(request.match_info["project"]))
        if project is None:
            # Documented for GET; that a training on an unknown project gets it too is a guess.
            raise Refused(_error(404, "The project does not exist"))
        return project

    async def _list_keys(self, request: web.Request) -> web.Response:
        self._caller(request)
        return json_reply([{**key, "token": None} for key in self.keys.values()])

    async def _create_key(self, request: web.Request) -> web.Response:
        self._caller(request)
        key_id = max(self.keys, default=0) + 1
        token = secrets.token_urlsafe(24)
        name = (await _json_object(request)).get("name", "")
        self.keys[key_id] = {"id": key_id, "name": name, "token": token, "created": self.clock.now().isoformat()}
        self.callers[token] = Caller()
        return json_reply(self.keys[key_id], 201)

    async def _delete_key(self, request: web.Request) -> web.Response:
        self._caller(request)
        key = self.keys.pop(int(request.match_info["key"]), None)
        if key is None:
            raise Refused(_error(404, "The key does not exist"))
        del self.callers[key["token"]]
        return web.Response()

    async def _train(self, request: web.Request) -> web.Response:
        if not self._caller(request).may_write:
            raise Refused(_error(403, 'User is read-only or does not have the minimal project role "MANAGER"'))
        project = self._project(request)
        body = await _json_object(request)
        _check_body(body)
        model = self._accept(project, body)
        self.starts.append(Entry(at=self.clock.now(), id=str(model.id), model=model.name))
        return json_reply(_model_object(model), 201)

    def _accept(self, project: Project, body: Json) -> Model:
        model_id = max((*self.bases, *(model.id for model in self.models())), default=0) + 1
        name: str = body.get("name", f"model-{model_id}")
        if any(model.name == name for model in self.models()):
            # That a clash is a 400 is a guess; the pages only say that the name should be unique for a workspace.
            raise Refused(_error(400, f"A model with the name '{name}' already exists in this workspace"))
        model = Model(
            id=model_id,
            project=project.id,
            name=name,
            display_name=body.get("display_name", name),
            language=body.get("language", "en"),
            base=self._base_name(body),
            sessions=_used_sessions(project, body),
            created=self.clock.now().date().isoformat(),
            course=Course(clock=self.clock, seconds=self.training_seconds, stages=STAGES),
        )
        project.models[model_id] = model
        return model

    def _base_name(self, body: Json) -> str:
        if "base_id" not in body:
            return next(iter(self.bases.values()))
        if body["base_id"] not in self.bases:
            raise Refused(_error(400, f"The base model {body['base_id']} does not exist"))
        return self.bases[body["base_id"]]

    async def _list_project(self, request: web.Request) -> web.Response:
        self._caller(request)
        return json_reply([_model_object(model) for model in self._project(request).models.values()])

    async def _list_sessions(self, request: web.Request) -> web.Response:
        """The labeling sessions, whose ids a training takes."""
        self._caller(request)
        return json_reply([_session_object(number) for number in self._project(request).sessions])

    async def _view(self, request: web.Request) -> web.Response:
        self._caller(request)
        model = self._project(request).models.get(int(request.match_info["model"]))
        if model is None:
            raise Refused(_error(404, "The model does not exist"))
        return json_reply(_detailed_object(model))

    async def _list_all(self, request: web.Request) -> web.Response:
        self._caller(request)
        offset, limit = query_number(request, "offset", 0), query_number(request, "limit", 20)
        if request.query.get("type") == "BASE":
            bases = [_base_object(number, name) for number, name in self.bases.items()]
            return json_reply({"models": bases, "has_more": False, "offset": 0, "limit": limit, "count": len(bases)})
        return json_reply(_envelope(self.models(), offset, limit))

    async def _list_one(self, request: web.Request) -> web.Response:
        """Documented: a list envelope, although one model was asked for."""
        self._caller(request)
        found = [model for model in self.models() if model.id == int(request.match_info["model"])]
        if not found:
            raise Refused(_error(404, "The model does not exist"))
        return json_reply(_envelope(found, 0, 20))


def _error(status: int, message: str) -> web.Response:
    return json_reply({"message": message, "status": "ERROR"}, status)


def _invalid(message: str) -> Refused:
    return Refused(_error(400, f"The body sent is invalid. {message}"))


def _segment(claims: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


async def _json_object(request: web.Request) -> Json:
    if request.content_type != "application/json":
        raise _invalid("Content-Type is not application/json")
    try:
        body = parse_json(await request.read())
    except ValueError as error:
        raise _invalid("It is not JSON") from error
    if not isinstance(body, dict):
        raise _invalid("It is not an object")
    return body


def _check_body(body: Json) -> None:
    # That unknown fields are refused is a guess, on the strict side.
    for key, value in body.items():
        if key not in BODY_FIELDS:
            raise _invalid(f"{key}: unknown field")
        if not _is_a(value, BODY_FIELDS[key]):
            raise _invalid(f"{key}: not a {BODY_FIELDS[key].__name__}")
    if body.get("language", "en") not in LANGUAGES:
        raise _invalid(f"language: {body['language']} is not one of {', '.join(LANGUAGES)}")
    for key in SESSION_FIELDS:
        if not all(_is_a(number, int) and number >= 1 for number in body.get(key, [])):
            raise _invalid(f"{key}: not integers of at least 1")


def _is_a(value: object, wanted: type) -> bool:
    return isinstance(value, wanted) and not isinstance(value, bool)


def _used_sessions(project: Project, body: Json) -> dict[str, list[int]]:
    """The sessions by field. Documented: with annotation_ids the two others are ignored."""
    given: dict[str, list[int]] = {key: body[key] for key in SESSION_FIELDS if key in body}
    if "annotation_ids" in given:
        given = {"annotation_ids": given["annotation_ids"]}
    for number in (number for numbers in given.values() for number in numbers):
        if number not in project.sessions:
            raise _invalid(f"The labeling session {number} does not exist")
    return given


def _envelope(models: list[Model], offset: int, limit: int) -> Json:
    page = [_model_object(model) for model in models[offset : offset + limit]]
    more = offset + limit < len(models)
    return {"models": page, "has_more": more, "offset": offset, "limit": limit, "count": len(models)}


def _base_object(number: int, name: str) -> Json:
    return {"id": number, "name": name, "display_name": name, "type": "BASE", "status": "PUBLISHED", "language": "en"}


def _session_object(number: int) -> Json:
    return {
        "id": number,
        "uuid": str(UUID(int=number)),
        "name": f"Session {number}",
        "mode": "ANNOTATION",
        "status": "FINISHED",
        "progress": 100.0,
        "document_count": 250 * number,
    }


def _model_object(model: Model) -> Json:
    return {
        "base": model.base,
        "created": model.created,
        "display_name": model.display_name,
        "uuid": model.uuid,
        "id": model.id,
        "language": model.language,
        "long_description": "",
        "name": model.name,
        "owner": "Ada Yılmaz",
        "progress": round(model.course.fraction() * 100, 2),
        "project_id": model.project,
        "score": SCORE if model.course.is_finished() else None,
        "short_description": "",
        "status": model.course.word(),
        "type": "ABSA",
    }


def _detailed_object(model: Model) -> Json:
    metrics: dict[str, Any] = {"f1": SCORE} if model.course.is_finished() else {}
    more = {"classes": ["praise", "complaint"], "labels": ["room", "food", "staff"], "demoset": [], "metrics": metrics}
    return {**_model_object(model), **more}


def _training(model: Model) -> Json:
    over = model.course.is_over()
    return {
        "id": str(model.id),
        "label": f"{model.display_name} (project {model.project})",
        "status": model.course.word(),
        "progress": model.course.fraction(),
        "facts": {"name": model.name, "language": model.language, **model.sessions},
        "actions": ["forget"] if over else ["finish", "fail", "forget"],
    }
