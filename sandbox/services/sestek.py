"""Sestek's Knovvu ML: an identity server and the training API for text classification.

Pages: https://docs.knovvu.com/docs/ml-training-access-token, ml-text-classification-send-training-request,
ml-text-classification-check-training-inference-status. The shapes of errors are guesses from the ABP framework and
OpenIddict, on which the service is built; its pages show none.
"""

import asyncio
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from aiohttp import web

from sandbox.clock import Clock
from sandbox.services.course import Course
from sandbox.services.multipart import MalformedFormError, Part, read_parts
from sandbox.services.service import Entry, Json, NoSuchActError, Refused, Service, json_reply, parse_json

API = "/sestekai-api/api/external/trainings"
FORMER_API = "/sestekai-api/api/app/external-trainings"
SCOPE = "SestekAI_External"
LANGUAGES = (
    "en-US", "tr-TR", "ar-SA", "lv-LV", "ru-RU", "es-ES", "ur-PK", "fr-FR", "nl-NL", "de-DE", "it-IT",
)  # fmt: skip
MODEL_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
FIELDS = ("modelId", "productName", "languageCode", "dataSchema", "dataFile")
STAGES = (
    (0.0, "Initialized"),
    (0.05, "PendingTraining"),
    (0.1, "DatasetUploading"),
    (0.2, "DataProcessing"),
    (0.3, "TrainingStarted"),
    (0.35, "Training"),
    (0.85, "Trained"),
    (0.9, "ModelUploading"),
    (1.0, "Completed"),
)
PUBLISHING_SHARE = 0.2  # of the training's time; how long publishing takes is not documented


@dataclass(kw_only=True, slots=True)
class Experiment:
    """One training of a model id; a later one of the same id takes its place."""

    model: str
    product: str
    language: str
    rows: int
    course: Course
    id: str = field(default_factory=lambda: str(uuid4()))
    project: str = field(default_factory=lambda: str(uuid4()))
    looked_at: float | None = None

    @property
    def percent(self) -> int:
        """0..100."""
        return int(self.course.fraction() * 100)


class Sestek(Service):
    """The identity server and the API. `switches` lists what was published, each time by looking at it."""

    name = "sestek"
    title = "Sestek Knovvu ML"

    def __init__(self, clock: Clock, *, host: str = "127.0.0.1", training_seconds: float = 20.0) -> None:
        """No model id is known at first."""
        super().__init__(clock, host=host, training_seconds=training_seconds)
        self.client_id = "switchyard-sandbox"
        self.client_secret = "sandbox-sestek-secret"
        self.expires_in = 86_400
        self.tokens: dict[str, float] = {}
        self.experiments: dict[str, Experiment] = {}
        self._published: dict[str, str] = {}

    # The page and the tests

    @property
    def base_url(self) -> str:
        """The API's address."""
        return self.url()

    @property
    def identity_url(self) -> str:
        """The identity server's address."""
        return self.url(1)

    def environment(self) -> dict[str, str]:
        """Addresses, client and product."""
        return {
            "SWITCHYARD_SESTEK__BASE_URL": self.base_url,
            "SWITCHYARD_SESTEK__IDENTITY_URL": self.identity_url,
            "SWITCHYARD_SESTEK__CLIENT_ID": self.client_id,
            "SWITCHYARD_SESTEK__CLIENT_SECRET": self.client_secret,
            "SWITCHYARD_SESTEK__PRODUCT": "CA",
        }

    def trainings(self) -> list[Json]:
        """The newest training of each model id."""
        return [self._training(experiment) for experiment in reversed(self.experiments.values())]

    def live(self) -> list[Json]:
        """The models with a running inference endpoint."""
        self._publish_what_is_due()
        return [
            {"id": model, "label": model, "facts": {"experiment": experiment}}
            for model, experiment in self._published.items()
        ]

    def course_of(self, training: str) -> Course:
        """By model id."""
        return self._experiment_of(training).course

    def act_fail(self, training: str) -> Json:
        """Let the training end as Failed now."""
        self.course_of(training).fail("Failed")
        return {"training": training}

    def act_forget(self, training: str) -> Json:
        """Let the service no longer know the model id."""
        del self.experiments[self._experiment_of(training).model]
        return {"training": training}

    def act_expire_tokens(self) -> Json:
        """Let every token that was given out be expired."""
        expired = len(self.tokens)
        self.tokens = dict.fromkeys(self.tokens, self.clock.time())
        return {"expired": expired}

    def publishing(self, experiment: Experiment) -> str | None:
        """inferenceStatus: None until a look found the training completed, then Pending, then Running."""
        # While a published model is retrained its status starts anew: a guess.
        if experiment.looked_at is None:
            return None
        passed = self.clock.time() - experiment.looked_at
        return "Running" if passed >= self.training_seconds * PUBLISHING_SHARE else "Pending"

    def _training(self, experiment: Experiment) -> Json:
        over = experiment.course.is_over()
        return {
            "id": experiment.model,
            "label": f"{experiment.model} ({experiment.language})",
            "status": experiment.course.word(),
            "progress": experiment.course.fraction(),
            "facts": {"inferenceStatus": self.publishing(experiment), "rows": experiment.rows},
            "actions": ["forget"] if over else ["finish", "fail", "forget"],
        }

    def _experiment_of(self, model: str) -> Experiment:
        if model not in self.experiments:
            raise NoSuchActError(f"no training of {model!r}")
        return self.experiments[model]

    def _publish_what_is_due(self) -> None:
        for experiment in self.experiments.values():
            if self.publishing(experiment) == "Running":
                self._published[experiment.model] = experiment.id

    # The wire

    def routes(self) -> list[web.RouteDef]:
        """The API, and the path that is gone since 2025."""
        return [
            web.post(f"{API}/train", self._train),
            web.get(f"{API}/{{model}}/progress", self._progress, allow_head=False),
            web.post(f"{FORMER_API}/train", self._gone),
            web.get(f"{FORMER_API}/{{model}}/progress", self._gone, allow_head=False),
        ]

    def side_routes(self) -> list[list[web.RouteDef]]:
        """The identity server."""
        return [[web.post("/connect/token", self._token)]]

    def refusal(self, status: int, text: str) -> web.Response:
        """ABP answers an unknown path or method with an empty body."""
        return web.Response(status=status, reason=text)

    def rate_limited_reply(self) -> web.Response:
        """No limit is documented; the shape is a guess."""
        return _abp_error(429, "Too many requests", {"Retry-After": "1"})

    def unauthorized_reply(self) -> web.Response:
        """What ASP.NET's bearer check says: no body (guess from the framework)."""
        return web.Response(status=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})

    async def _token(self, request: web.Request) -> web.Response:
        if request.content_type != "application/x-www-form-urlencoded":
            return _oauth_error("invalid_request", "The specified 'Content-Type' header is not valid.")
        form = dict(parse_qsl((await request.read()).decode("utf-8", "replace"), keep_blank_values=True))
        if "grant_type" not in form or "client_id" not in form:
            return _oauth_error("invalid_request", "A mandatory parameter is missing.")
        if form["grant_type"] != "client_credentials":
            return _oauth_error("unsupported_grant_type", "The specified 'grant_type' is not supported.")
        if (form["client_id"], form.get("client_secret")) != (self.client_id, self.client_secret):
            return _oauth_error("invalid_client", "The specified client credentials are invalid.", 401)
        if form.get("scope", SCOPE) != SCOPE:
            return _oauth_error("invalid_scope", "The specified 'scope' is not supported.")
        return self._give_token()

    def _give_token(self) -> web.Response:
        token = secrets.token_urlsafe(32)
        self.tokens[token] = self.clock.time() + self.expires_in
        reply = {"access_token": token, "expires_in": self.expires_in, "token_type": "Bearer", "scope": SCOPE}
        return json_reply(reply, headers={"Cache-Control": "no-store"})

    def _check_token(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or self.tokens.get(token, 0.0) <= self.clock.time():
            raise Refused(self.unauthorized_reply())

    async def _gone(self, request: web.Request) -> web.Response:
        # Deprecated since 2025-01-01; that it is gone by now, and how it says so, is a guess.
        self._check_token(request)
        return _abp_error(404, "This address is deprecated. Use /api/external/trainings instead.")

    async def _train(self, request: web.Request) -> web.Response:
        self._check_token(request)
        # A thread reads it: a large file would keep everybody else in this process waiting.
        form, rows = await asyncio.to_thread(_read_form, request, await request.read())
        experiment = self._accept(form, rows)
        self.starts.append(Entry(at=self.clock.now(), id=experiment.id, model=experiment.model))
        return json_reply(_experiment_object(experiment))

    def _accept(self, form: dict[str, Part], rows: int) -> Experiment:
        model = form["modelId"].text
        former = self.experiments.get(model)
        if former and not former.course.is_over():
            # The text is documented; 403 and the shape are ABP's for a broken business rule.
            message = f"The training is still in progress for the same model ID: {model}"
            raise Refused(_abp_error(403, message))
        self._publish_what_is_due()
        self.experiments.pop(model, None)
        self.experiments[model] = Experiment(
            model=model,
            product=form["productName"].text,
            language=form["languageCode"].text,
            rows=rows,
            course=Course(clock=self.clock, seconds=self.training_seconds, stages=STAGES),
        )
        return self.experiments[model]

    async def _progress(self, request: web.Request) -> web.Response:
        self._check_token(request)
        model = request.match_info["model"]
        experiment = self.experiments.get(model)
        if experiment is None:
            raise Refused(_abp_error(404, f"There is no entity Experiment with id = {model}!"))
        seen = {
            "percent": experiment.percent,
            "trainingStatus": experiment.course.word(),
            "inferenceStatus": self.publishing(experiment),
        }
        self._publish_by_looking(experiment)
        return json_reply(seen)

    def _publish_by_looking(self, experiment: Experiment) -> None:
        if experiment.course.is_finished() and experiment.looked_at is None:
            experiment.looked_at = self.clock.time()
            self.switches.append(Entry(at=self.clock.now(), id=experiment.id, model=experiment.model))


def _abp_error(status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> web.Response:
    error = {"code": None, "message": message, "details": None, "data": {}, "validationErrors": None, **more}
    return json_reply({"error": error}, status, headers)


def _oauth_error(error: str, description: str, status: int = 400) -> web.Response:
    return json_reply({"error": error, "error_description": description}, status, {"Cache-Control": "no-store"})


def _invalid(member: str, message: str) -> Refused:
    errors = [{"message": message, "members": [member]}]
    return Refused(_abp_error(400, "Your request is not valid!", details=message, validationErrors=errors))


def _read_form(request: web.Request, body: bytes) -> tuple[dict[str, Part], int]:
    """The fields, and the rows of the data file. Raises Refused."""
    try:
        form = _check_form(read_parts(request, body))
    except MalformedFormError as error:
        raise Refused(_abp_error(400, str(error))) from error
    return form, _count_rows(form["dataFile"].content)


def _check_form(parts: list[Part]) -> dict[str, Part]:
    form = {part.name: part for part in parts}
    for name in FIELDS:
        if name not in form or not (form[name].content or name == "dataFile"):
            raise _invalid(name, f"The {name} field is required.")
    if len(form) != len(parts):
        raise _invalid("dataFile", "A field is given more than once.")
    _check_values(form)
    return form


def _check_values(form: dict[str, Part]) -> None:
    if not MODEL_ID.fullmatch(form["modelId"].text):
        raise _invalid(
            "modelId", "modelId can only contain lowercase letters (a-z), numbers (0-9), and hyphens (-), up to 63."
        )
    if form["languageCode"].text not in LANGUAGES:
        raise _invalid("languageCode", "The languageCode is not supported.")
    if form["dataSchema"].text != "utterance":
        raise _invalid("dataSchema", "The dataSchema of a text classification is utterance.")
    if form["dataFile"].filename is None:
        raise _invalid("dataFile", "dataFile is not a file.")


def _count_rows(content: bytes) -> int:
    """Rows of a data file. When the real service finds bad data, and what it says then, is not documented."""
    lines = [line for line in content.splitlines() if line.strip()]
    if not lines:
        raise _invalid("dataFile", "The data file is empty.")
    for number, line in enumerate(lines, start=1):
        if not _is_row(line):
            raise _invalid("dataFile", f"Line {number} is not an object with Label and Text.")
    return len(lines)


def _is_row(line: bytes) -> bool:
    try:
        row = parse_json(line)
    except ValueError:
        return False
    return isinstance(row, dict) and set(row) == {"Label", "Text"} and all(isinstance(row[key], str) for key in row)


def _experiment_object(experiment: Experiment) -> Json:
    """The "Experiment Object"; its fields are shown only on the page external-training-for-generative-qa."""
    mapping = {
        "datasetColumn": "Text",
        "experimentId": experiment.id,
        "datasetId": str(uuid4()),
        "moduleDatasetColumnId": str(uuid4()),
        "isDeleted": False,
        "deleterId": None,
        "deletionTime": None,
        "lastModificationTime": None,
    }
    return {
        "name": experiment.model,
        "description": experiment.product,
        "status": 0,
        "statusMessage": "Initialized",
        "percent": 0,
        "trainingParams": {},
        "endpoints": [],
        "experimentMetrics": [],
        "documentationPath": None,
        "projectId": experiment.project,
        "moduleVersionId": str(uuid4()),
        "experimentDatasetMappings": [mapping],
    }
