"""Sony's Easy Predictive Analytics: retraining of a published model by an upload, and the switch to the retrained one.

Pages: https://easy-predictive-analytics.sony.com/cloud_manual/en/operating_instruction/re_train_api/ with
re_train_data_upload, re_train_status_check and switch_model, and
https://predictionone.sony.biz/cloud_manual/operating_instruction/model_api/get_classifier. The manual publishes one
status word, `job_finished`; every other word here is a guess, and so are the JSON shape and the HTTP status of errors.
"""

import hashlib
import io
import secrets
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from aiohttp import web

from sandbox.clock import Clock
from sandbox.services.course import Course
from sandbox.services.service import Entry, Json, NoSuchActError, Refused, Service, json_reply

API = "/v1/external"
FINISHED = "job_finished"
# Guesses from here on: the manual has no other word.
WAITING_FOR_DATA = "waiting_for_upload"
STAGES = ((0.0, "job_accepted"), (0.2, "job_running"), (1.0, FINISHED))
FAILED = "job_failed"

BAD_REQUEST = (4001000204, "PREDA_EXTERNAL_BAD_REQUEST")
KEY_SECONDS = 30 * 86_400.0
LINK_SECONDS = 3600.0
SWITCH_SHARE = 0.3  # of the training's time; how long a switch takes is not documented
FORBIDDEN_ON_LINKS = ("x-api-key", "Authorization", "Content-Type")
ERROR_SHAPES: Mapping[str, Callable[[int, str, str], Any]] = {
    "plain": lambda code, error, message: {"code": code, "error": error, "message": message},
    "text_code": lambda code, error, message: {"code": str(code), "error": error, "message": message},
    "nested": lambda code, error, message: {"error": {"code": code, "error": error, "message": message}},
    "listed": lambda code, error, message: {"errors": [{"code": code, "error": error, "message": message}]},
    "not_json": lambda code, error, message: f"{code} {error} {message}",
}


@dataclass(kw_only=True, slots=True)
class Classifier:
    """A published model: the prediction API of a model id."""

    id: str
    model_id: int
    version: str
    updated: float
    secret: str
    active: bool = True
    next_version: str | None = None
    next_model_id: int | None = None
    switched_at: float | None = None


@dataclass(kw_only=True, slots=True)
class Account:
    """A model as the bot's configuration names it, with its retrain key and what it publishes."""

    name: str
    api_key: str
    key_expires: float
    classifier: Classifier | None
    deploy_key: str | None = None


@dataclass(kw_only=True, slots=True)
class Job:
    """A retrain job; it exists before its data, and trains once they are there."""

    id: str
    account: str
    filename: str
    upload: str
    expires: float
    model_id: int
    data: bytes | None = None
    course: Course | None = None
    message: str | None = None
    spoken: str | None = None
    download: str = field(default="")

    def word(self) -> str:
        """The status word."""
        if self.spoken is not None:
            return self.spoken
        return self.course.word() if self.course else WAITING_FOR_DATA

    def is_finished(self) -> bool:
        """Whether there is a result."""
        return self.course is not None and self.course.is_finished()


class Sony(Service):
    """The developer API and, on another port, the storage behind its links. Models `churn` and `demand`."""

    name = "sony"
    title = "Sony Easy Predictive Analytics"

    def __init__(self, clock: Clock, *, host: str = "127.0.0.1", training_seconds: float = 20.0) -> None:
        """A month of validity for each key."""
        super().__init__(clock, host=host, training_seconds=training_seconds)
        self.error_shape = "plain"
        self.jobs: dict[str, Job] = {}
        self.accounts = {
            "churn": self._new_account("churn", 101, deploy_key="sandbox-sony-deploy-key"),
            "demand": self._new_account("demand", 102),
        }
        self._next_model_id = 201

    # The page and the tests

    @property
    def base_url(self) -> str:
        """The API's address with its path."""
        return f"{self.url()}{API}"

    @property
    def storage_url(self) -> str:
        """Where the signed links lead."""
        return self.url(1)

    def environment(self) -> dict[str, str]:
        """Address and keys; only `churn` can be looked at after a switch."""
        churn, demand = self.accounts["churn"], self.accounts["demand"]
        return {
            "SWITCHYARD_SONY__BASE_URL": self.base_url,
            "SWITCHYARD_SONY__MODELS__CHURN__API_KEY": churn.api_key,
            "SWITCHYARD_SONY__MODELS__CHURN__CLASSIFIER_ID": churn.classifier.id if churn.classifier else "",
            "SWITCHYARD_SONY__MODELS__CHURN__DEPLOY_KEY": churn.deploy_key or "",
            "SWITCHYARD_SONY__MODELS__DEMAND__API_KEY": demand.api_key,
        }

    def trainings(self) -> list[Json]:
        """The retrain jobs, newest first."""
        return [self._training(job) for job in reversed(self.jobs.values())]

    def live(self) -> list[Json]:
        """The published models."""
        return [
            {"id": classifier.id, "label": account.name, "facts": self._published(classifier)}
            for account in self.accounts.values()
            if (classifier := account.classifier)
        ]

    def course_of(self, training: str) -> Course:
        """By job id; a job without data has none."""
        job = self._job_of(training)
        if job.course is None:
            raise NoSuchActError("nothing was uploaded to this job yet")
        return job.course

    def act_fail(self, training: str, word: str = FAILED, message: str = "Training failed.") -> Json:
        """Fail a job now, with any word: none is documented."""
        self.course_of(training).fail(word)
        self._job_of(training).message = message
        return {"training": training}

    def act_word(self, training: str, word: str | None = None) -> Json:
        """Let the job have any word, until called with None; also a job without data."""
        self._job_of(training).spoken = word
        return {"training": training, "word": word}

    def act_forget(self, training: str) -> Json:
        """Delete the job."""
        del self.jobs[self._job_of(training).id]
        return {"training": training}

    def act_expire_keys(self, model: str | None = None) -> Json:
        """Let a model's key, or each one, be older than its 30 days."""
        return self._date_keys(model, self.clock.time())

    def act_renew_keys(self, model: str | None = None) -> Json:
        """Make a model's key, or each one, good for 30 days again."""
        return self._date_keys(model, self.clock.time() + KEY_SECONDS)

    def act_delete_classifier(self, model: str) -> Json:
        """Take a model's prediction API away."""
        self._account_of(model).classifier = None
        return {"model": model}

    def act_error_shape(self, shape: str | None = None) -> Json:
        """Write errors in this shape, without a name in the next one: plain, text_code, nested, listed, not_json."""
        shapes = list(ERROR_SHAPES)
        wanted = shape or shapes[(shapes.index(self.error_shape) + 1) % len(shapes)]
        if wanted not in shapes:
            raise NoSuchActError(f"no shape is called {shape!r}; there are {', '.join(shapes)}")
        self.error_shape = wanted
        return {"error_shape": wanted}

    def _training(self, job: Job) -> Json:
        over = job.course is not None and job.course.is_over()
        going = job.course is not None and not over
        return {
            "id": job.id,
            "label": f"{job.account}: {job.filename}",
            "status": job.word(),
            "progress": job.course.fraction() if job.course else None,
            "facts": {"model_id": job.model_id, "bytes": None if job.data is None else len(job.data)},
            "actions": ["finish", "fail", "forget"] if going else ["forget"],
        }

    def _published(self, classifier: Classifier) -> Json:
        self._settle(classifier)
        status = "running" if classifier.switched_at is None else "updating"
        return {"version": classifier.version, "model_id": classifier.model_id, "status": status}

    def _job_of(self, training: str) -> Job:
        if training not in self.jobs:
            raise NoSuchActError(f"no retrain job {training!r}")
        return self.jobs[training]

    def _date_keys(self, model: str | None, moment: float) -> Json:
        accounts = list(self.accounts.values()) if model is None else [self._account_of(model)]
        for account in accounts:
            account.key_expires = moment
        return {"models": [account.name for account in accounts]}

    def _account_of(self, model: str) -> Account:
        if model not in self.accounts:
            raise NoSuchActError(f"no model {model!r}")
        return self.accounts[model]

    def _new_account(self, name: str, model_id: int, deploy_key: str | None = None) -> Account:
        now = self.clock.time()
        classifier = Classifier(
            id=f"cls-{name}-0001",
            model_id=model_id,
            version="1.0.0",
            updated=now - 86_400,
            secret=f"sandbox-sony-{name}-prediction-key",
        )
        return Account(
            name=name,
            api_key=f"sandbox-sony-{name}-retrain-key",
            key_expires=now + KEY_SECONDS,
            classifier=classifier,
            deploy_key=deploy_key,
        )

    def _settle(self, classifier: Classifier) -> None:
        """Let a switch be through when its time has passed."""
        if classifier.switched_at is None or classifier.next_version is None:
            return
        through = classifier.switched_at + self.training_seconds * SWITCH_SHARE
        if self.clock.time() >= through:
            classifier.version, classifier.updated = classifier.next_version, through
            classifier.model_id = classifier.next_model_id or classifier.model_id
            classifier.switched_at = classifier.next_version = classifier.next_model_id = None

    # The wire

    def routes(self) -> list[web.RouteDef]:
        """The developer API."""
        return [
            web.get(f"{API}/retrain_jobs/upload_url", self._reserve, allow_head=False),
            web.get(f"{API}/retrain_jobs/{{job}}", self._status, allow_head=False),
            web.put(f"{API}/retrain_jobs/{{job}}/update_model", self._switch),
            web.get(f"{API}/classifiers", self._list_classifiers, allow_head=False),
        ]

    def side_routes(self) -> list[list[web.RouteDef]]:
        """The storage."""
        return [[web.put("/{key:.*}", self._take_upload), web.get("/{key:.*}", self._give_result, allow_head=False)]]

    def refusal(self, status: int, text: str) -> web.Response:
        """What an unknown path gets is a guess; "not found" of a job is a 400 here."""
        return json_reply({"message": text}, status)

    def rate_limited_reply(self) -> web.Response:
        """No limit is documented; the shape is a guess."""
        return json_reply({"message": "Too Many Requests"}, 429, {"Retry-After": "1"})

    def unauthorized_reply(self) -> web.Response:
        """An expired key; the number begins with 400, so 400 is taken for its HTTP status."""
        return self._error("Inactive_credential.")

    def _error(self, message: str) -> web.Response:
        body = ERROR_SHAPES[self.error_shape](*BAD_REQUEST, message)
        return web.Response(status=400, text=body) if isinstance(body, str) else json_reply(body, 400)

    def _account(self, request: web.Request) -> Account:
        key = request.headers.get("x-api-key")
        for account in self.accounts.values():
            if account.api_key == key:
                return self._unexpired(account)
        raise Refused(self._error("invalid_api_key." if key else "Not_found_credential."))

    def _unexpired(self, account: Account) -> Account:
        if account.key_expires <= self.clock.time():
            raise Refused(self._error("Inactive_credential."))
        return account

    def _job(self, request: web.Request) -> Job:
        account = self._account(request)
        job = self.jobs.get(request.match_info["job"])
        if job is None or job.account != account.name:
            raise Refused(self._error("Not found retrain job."))
        return job

    async def _reserve(self, request: web.Request) -> web.Response:
        account = self._account(request)
        filename = request.query.get("filename", "").strip()
        if not filename:
            raise Refused(self._error("filename is required."))  # a guess
        if account.classifier is None:
            raise Refused(self._error("This model may be deleted."))
        job = Job(
            id=str(uuid4()),
            account=account.name,
            filename=filename,
            upload=_signed_target("uploads", filename),
            expires=self.clock.time() + LINK_SECONDS,
            model_id=self._new_model_id(),
        )
        self.jobs[job.id] = job
        # This reply alone has no `metadata`.
        return json_reply({"retrain_job_id": job.id, "upload_url": f"{self.storage_url}{job.upload}"})

    def _new_model_id(self) -> int:
        self._next_model_id += 1
        return self._next_model_id - 1

    async def _status(self, request: web.Request) -> web.Response:
        job = self._job(request)
        reply: Json = {"status": job.word(), "metadata": {"retrain_job_id": job.id}}
        if job.message:
            reply["message"] = job.message
        if job.is_finished():
            job.download = job.download or _signed_target("results", "result.zip")
            reply |= {"model_id": job.model_id, "download_url": f"{self.storage_url}{job.download}"}
        return json_reply(reply)

    async def _switch(self, request: web.Request) -> web.Response:
        job = self._job(request)
        classifier = self.accounts[job.account].classifier
        if classifier is None:
            raise Refused(self._error("Not found classifier."))
        if not job.is_finished():
            raise Refused(self._error("Retrain job is not finished."))
        self._settle(classifier)
        major = int(classifier.version.partition(".")[0])
        classifier.switched_at = self.clock.time()
        classifier.next_version, classifier.next_model_id = f"{major + 1}.0.0", job.model_id
        self.switches.append(Entry(at=self.clock.now(), id=job.id, model=job.account))
        return json_reply({"metadata": {"retrain_job_id": job.id}})

    async def _list_classifiers(self, request: web.Request) -> web.Response:
        deploy_keys = {account.deploy_key for account in self.accounts.values() if account.deploy_key}
        if request.headers.get("x-api-key") not in deploy_keys:
            raise Refused(self._error("Not_found_credential."))
        found = [account.classifier for account in self.accounts.values() if account.classifier]
        return json_reply({"classifiers": [self._classifier_object(classifier) for classifier in found]})

    def _classifier_object(self, classifier: Classifier) -> Json:
        return {
            "classifier_id": classifier.id,
            **self._published(classifier),
            "api_key": classifier.secret,
            "url": f"{self.url()}/v1/groups/1/classifiers/{classifier.id}/inference",
            "active": classifier.active,
            "is_editable": True,
            "create_datetime": self._moment(classifier.updated - 86_400),
            "update_datetime": self._moment(classifier.updated),
            "rules": [],
        }

    def _moment(self, seconds: float) -> str:
        """The format of dates is not documented."""
        return Clock.moment(seconds).isoformat(timespec="seconds")

    # The storage behind the links; a guess in all it says, after the storages that sign links

    async def _take_upload(self, request: web.Request) -> web.Response:
        _check_bare(request)
        job = next((job for job in self.jobs.values() if job.upload == request.raw_path), None)
        if job is None:
            raise Refused(_storage_error(403, "SignatureDoesNotMatch"))
        if job.expires <= self.clock.time():
            raise Refused(_storage_error(403, "AccessDenied", "Request has expired"))
        if job.data is not None:
            raise Refused(_storage_error(409, "ObjectAlreadyExists"))
        data = await request.read()
        self._begin(job, data)
        return web.Response(headers={"ETag": f'"{hashlib.md5(data).hexdigest()}"'})

    def _begin(self, job: Job, data: bytes) -> None:
        job.data = data
        job.course = Course(clock=self.clock, seconds=self.training_seconds, stages=STAGES)
        self.starts.append(Entry(at=self.clock.now(), id=job.id, model=job.account))
        job.message = _problem_with(job.filename, data)
        if job.message:
            job.course.fail(FAILED)

    async def _give_result(self, request: web.Request) -> web.Response:
        _check_bare(request)
        for job in self.jobs.values():
            if job.download and job.download == request.raw_path:
                return web.Response(body=_result_of(job), content_type="application/zip")
        raise Refused(_storage_error(403, "SignatureDoesNotMatch"))


def _signed_target(folder: str, filename: str) -> str:
    """Path and query of a link. The query holds `%2F` and `%2B`, which must come back exactly so."""
    key, credential = f"{folder}/{secrets.token_hex(8)}/{quote(filename)}", quote("SANDBOX/20261121/storage", safe="")
    signature = quote(secrets.token_urlsafe(16) + "+/=", safe="")
    return (
        f"/{key}?X-Storage-Credential={credential}&X-Storage-Expires={LINK_SECONDS:.0f}&X-Storage-Signature={signature}"
    )


def _check_bare(request: web.Request) -> None:
    """A signed link takes no credentials, and no header that was not signed with it."""
    for name in FORBIDDEN_ON_LINKS:
        if name in request.headers:
            raise Refused(_storage_error(403, "SignatureDoesNotMatch", f"{name} was not signed"))
    if "Transfer-Encoding" in request.headers:
        raise Refused(_storage_error(501, "NotImplemented", "A header you provided implies chunked transfer"))
    if request.method == "PUT" and "Content-Length" not in request.headers:
        raise Refused(_storage_error(411, "MissingContentLength"))


def _storage_error(status: int, code: str, message: str = "") -> web.Response:
    text = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


def _problem_with(filename: str, data: bytes) -> str | None:
    """What makes a training fail at once; how the real service says so is not documented."""
    if not data:
        return "The data is empty."
    if not filename.lower().endswith(".zip"):
        return _problem_with_rows(data)
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except zipfile.BadZipFile:
        return "The ZIP cannot be read."
    missing = [folder for folder in ("train_src/", "eval_src/") if not any(name.startswith(folder) for name in names)]
    return f"The ZIP lacks {' and '.join(missing)}." if missing else None


def _problem_with_rows(data: bytes) -> str | None:
    rows = sum(1 for line in data.splitlines() if line.strip())
    return None if rows > 100 else "The data has fewer than 100 rows."


def _result_of(job: Job) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("result.csv", f"retrain_job_id,model_id\n{job.id},{job.model_id}\n")
    return packed.getvalue()
