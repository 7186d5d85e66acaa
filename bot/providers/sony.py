"""Sony Easy Predictive Analytics: retraining of a published model by an upload, and the one-way switch to the result.

Pages: https://easy-predictive-analytics.sony.com/cloud_manual/en/operating_instruction/re_train_api/ with
re_train_data_upload, re_train_status_check and switch_model.
"""

import asyncio
import difflib
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import quote

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from yarl import URL

from bot.domain.arguments import Argument, Arguments, DataRule, Kind
from bot.domain.jobs import Phase, RemoteStatus
from bot.domain.recurring import EVERY
from bot.domain.requests import Json, Payload, Plan, SourceFile, TrainRequest
from bot.errors import (
    BrokenError,
    ConfigurationError,
    CredentialsError,
    Effect,
    NotConfiguredError,
    NotFoundError,
    ProviderError,
    RejectedError,
    UnreachableError,
    UnreadableError,
    UsageError,
)
from bot.ports import Found, Gate, Powers, Provider, Reference, Serving, Watched
from bot.providers import sony_data
from bot.providers.defaults import Defaults
from bot.providers.http import NOT_KNOWN, Http, Reply, Tools, is_private_host, read_object, unreachable
from bot.providers.section import Address, Secret, Section, read_section, setting
from bot.providers.sony_replies import (
    KEYS_LAST,
    TITLE,
    compare_published,
    is_switched,
    judge,
    read_link,
    read_published,
    to_status,
)
from bot.sentences import _, joined

NAME = "sony"
DOCUMENTED_BASE = "https://developer-api.easy-predictive-analytics.sony.com/v1/external"

SETTLE_AFTER = 1800.0
"""How long a constant unknown word is looked at before a person is asked: half an hour."""
MOST_UPLOADS = 32
UNKNOWN_JOB = _("not known to Sony")


# -- configuration ----------------------------------------------------------------------------------------------------


def _read_hosts(value: Any) -> Any:
    """A list, or as the environment has it: a JSON list, or names with commas."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [part for part in value.split(",") if part.strip()]
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('has to be a JSON list of hosts, like ["storage.example"]') from None


def _check_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(host.strip().lower().removeprefix("*").removeprefix(".") for host in hosts)
    if any(not re.fullmatch(r"[a-z0-9.-]+|[0-9a-f:]+", name) for name in names):
        raise ValueError('has to name hosts alone, without https:// and paths, like ["storage.example"]')
    return names


def _check_names(models: Mapping[str, Any]) -> Mapping[str, Any]:
    folded = [fold(name) for name in models]
    if any(not re.fullmatch(r"[a-z0-9_]+", name) for name in folded):
        raise ValueError("has a model whose name is not made of letters, digits, `-` and `_`")
    if len(set(folded)) < len(folded):
        raise ValueError("has two models whose names differ only in case, or in `-` and `_`")
    return models


class Model(Section):
    """One model: the key of its retraining, and what is needed to see it serve."""

    api_key: Secret
    classifier_id: str | None = None
    deploy_key: Secret | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.classifier_id is None) is not (self.deploy_key is None):
            raise ValueError("needs CLASSIFIER_ID and DEPLOY_KEY together, or neither")
        return self


class Config(Section):
    """The section `sony`. No page names a rate: calls are kept few."""

    base_url: Address = DOCUMENTED_BASE
    models: Annotated[Mapping[str, Model], AfterValidator(_check_names)]
    link_hosts: Annotated[tuple[str, ...], AfterValidator(_check_hosts), BeforeValidator(_read_hosts)] = ()
    per_second: float = Field(default=5.0, gt=0, allow_inf_nan=False)


def build(section: Mapping[str, Any], tools: Tools) -> Provider:
    """The provider. NotConfiguredError where no model has a key, ConfigurationError for what is wrong."""
    given = _without_empty(section)
    models = given.get("models", {})
    if not isinstance(models, Mapping):
        raise ConfigurationError(f"{setting(NAME, 'models')}: has to be a section with a section for each model.")
    if not any(isinstance(model, Mapping) and model.get("api_key") for model in models.values()):
        raise NotConfiguredError(TITLE, (setting(NAME, "models", "<NAME>", "api_key"),))
    return Sony(read_section(Config, NAME, given), tools)


def _without_empty(section: Mapping[str, Any]) -> dict[str, Any]:
    """What is set to nothing counts as not set."""
    given = {key: _without_empty(value) if isinstance(value, Mapping) else value for key, value in section.items()}
    return {key: value for key, value in given.items() if value not in ("", {})}


def fold(name: str) -> str:
    """A model's name as it is compared: `My-Model` is `my_model`, which is all that a variable's name can hold."""
    return name.strip().casefold().replace("-", "_")


# -- what can be said to it -------------------------------------------------------------------------------------------


def _refuse_job_id(text: str) -> str | None:
    # The ids are shown as texts of hyphens and letters; only what would change the address is refused.
    is_one = re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", text) and text.strip(".")
    return None if is_one else _("`{text}` is no retrain job id.", text=text)


OPTIONS = (
    Argument(
        name="data",
        label="data=SOURCE",
        what=_(
            "CSV, TSV, or a ZIP of training and evaluation data: a file in Slack, by its link, or a name in the data "
            "folder; without it the one named after the model"
        ),
        kind=Kind.SOURCE,
        required=False,
    ),
    Argument(
        name="eval",
        label="eval=SOURCE",
        what=_("CSV or TSV to evaluate the result with: a file in Slack, by its link, or a name in the data folder"),
        kind=Kind.SOURCE,
        required=False,
    ),
    EVERY,
)
JOB_ID = Argument(name="job", label="RETRAIN-JOB-ID", what=_("the id of the retrain job"), refuse=_refuse_job_id)


def arguments_for(models: tuple[str, ...]) -> Arguments:
    """What can be said: the models are those of the configuration, each with a key of its own."""
    first = models[0]
    model = Argument(
        name="model", label="MODEL", what=_("a model of the configuration, each with its own key"), choices=models
    )
    return Arguments(
        positionals=(model,),
        options=OPTIONS,
        model="model",
        examples=(f"/train sony {first}", f"/train sony {first} data={first}.csv eval={first}-eval.csv"),
        reference=(replace(model, required=False), JOB_ID),
        reference_example=f"/status sony {first} 0d3c6f3a-1f7e-4a55-9a0e-5b3f0d6f6f11",
    )


ONE_WAY = ((_("Goes live"), _("only after an approval, by a switch that cannot be taken back")),)
"""The one line that an approver must not miss; what is sent is the file."""


# -- the provider -----------------------------------------------------------------------------------------------------


class Sony(Defaults):
    """The retrain job exists before the upload, the finished upload starts it, and the switch comes at the end.

    Addresses for uploads are held in memory alone, from `reserve` to the `start` that follows it.
    """

    name = NAME
    title = TITLE
    powers = Powers(gate=Gate.AFTER, failed_is_a_reading=True, one_way=True)
    data: DataRule | None = DataRule(roles=("data", "eval"), suffixes=sony_data.SUFFIXES)

    def __init__(self, config: Config, tools: Tools) -> None:
        self.arguments = arguments_for(tuple(config.models))
        self._config = config
        self._names = {fold(name): name for name in config.models}
        self._uploads: OrderedDict[str, URL] = OrderedDict()
        self._is_private: bool | None = None
        self._http = Http(
            title=TITLE,
            sessions=tools.sessions,
            secrets=tuple(_secrets(config)),
            judge=self._judge,
            per_second=config.per_second,
        )

    def check(self, request: TrainRequest) -> None:
        if fold(request.model) not in self._names:
            raise self._unknown_model(request.model)
        if "eval" in request.data and request.data.get("data", "").lower().endswith(".zip"):
            sentence = _("A ZIP brings its own evaluation data: leave `eval=` away, or give `data=` a CSV.")
            raise UsageError(sentence, word="eval=")

    def _unknown_model(self, name: str) -> UsageError:
        near = difflib.get_close_matches(fold(name), self._names, n=1)
        known = ", ".join(f"`{one}`" for one in self._names.values())
        sentence = _("`{name}` is no model of this configuration; there are {models}.", name=name, models=known)
        return UsageError(sentence, word=name, suggestion=self._names[near[0]] if near else "")

    def prepare(self, request: TrainRequest, files: Mapping[str, SourceFile], spool: Path) -> Payload:
        return sony_data.prepare(files["data"], files.get("eval"), spool)

    def plan(self, request: TrainRequest, payload: Payload | None) -> Plan:
        if payload is None:
            raise UsageError(_("{title} needs data: add `data=SOURCE`.", title=TITLE), word="data=")
        model = self._names.get(fold(request.model), request.model)
        body = {"model": model, "filename": payload.name}
        return Plan(provider=NAME, model=model, body=body, summary=ONE_WAY, payload=payload)

    # The start

    async def reserve(self, plan: Plan, job_id: str) -> Mapping[str, Json]:
        """A new retrain job. Its upload address is a secret and stays out of the claim."""
        path = f"/retrain_jobs/upload_url?filename={quote(plan.body['filename'], safe='')}"
        reply = read_object(await self._call("GET", path, plan.model), TITLE)
        retrain_job = reply.get("retrain_job_id")
        if not isinstance(retrain_job, str) or not retrain_job:
            raise UnreadableError(_("{title} answered without a retrain_job_id.", title=TITLE))
        self._uploads[retrain_job] = self._link(reply.get("upload_url"))
        while len(self._uploads) > MOST_UPLOADS:
            self._uploads.popitem(last=False)
        return {"retrain_job_id": retrain_job}

    async def start(self, plan: Plan, claim: Mapping[str, Json], file: Path | None) -> str:
        retrain_job: str = claim["retrain_job_id"]
        address = self._uploads.pop(retrain_job, None)
        if address is None:
            sentence = _(
                "The address for the upload to {title} is not held any more; a new one will be asked for.", title=TITLE
            )
            raise UnreachableError(sentence, effect=Effect.NONE)
        if file is None:
            raise ProviderError(_("The checked copy of the data file is gone."), effect=Effect.REFUSED)
        try:
            reply = await self._http.put_file(address, file, is_trusted=await self._is_trusted())
        except RejectedError as error:
            # Whatever the storage says, it is not about the key of the model.
            sentence = _(
                "The storage behind {title} did not take the upload (HTTP {status}).", title=TITLE, status=error.status
            )
            if error.status >= 500:  # it may have taken it all the same, whatever its words
                raise BrokenError(sentence) from None
            raise RejectedError(sentence if error.status else str(error), status=error.status) from None
        if reply.body.lstrip().startswith(b"<"):
            # What a storage says to an upload that it took is not documented; a page is not from the storage.
            raise UnreadableError(_("The storage behind {title} answered the upload with a page.", title=TITLE))
        return retrain_job

    def known_id(self, plan: Plan, claim: Mapping[str, Json]) -> str | None:
        return claim.get("retrain_job_id")

    async def find(self, plan: Plan, claim: Mapping[str, Json], last: Found | None) -> Found:
        """Found is what has ended, and what changes its word between two looks: a job without data stands still."""
        retrain_job: str = claim["retrain_job_id"]
        try:
            seen = await self._look(plan.model, retrain_job)
        except NotFoundError:
            return Found(word=_told(UNKNOWN_JOB, retrain_job))
        word = _told(seen.word, retrain_job)
        if seen.phase in (Phase.TRAINED, Phase.FAILED) or _has_changed(last, word, retrain_job):
            return Found(remote_id=retrain_job, word=word)
        return Found(word=word, settle_after=SETTLE_AFTER)

    # The watch

    async def status(self, watched: Watched) -> RemoteStatus:
        return await self._look(watched.model, _job_of(watched))

    async def _look(self, model: str, retrain_job: str) -> RemoteStatus:
        return to_status(await self._ask(model, retrain_job), self._http.clean)

    async def _ask(self, model: str, retrain_job: str) -> Mapping[str, Json]:
        return read_object(await self._call("GET", f"/retrain_jobs/{quote(retrain_job, safe='')}", model), TITLE)

    async def fetch_result(self, watched: Watched, target: Path) -> int | None:
        """Ask for a fresh link, and save what is behind it as it is: its form is not documented."""
        link = (await self._ask(watched.model, _job_of(watched))).get("download_url")
        if link in (None, ""):
            return None
        return await self._http.save(self._link(link), target, is_trusted=await self._is_trusted())

    # The switch

    async def promote(self, watched: Watched) -> None:
        retrain_job = _job_of(watched)
        path = f"/retrain_jobs/{quote(retrain_job, safe='')}/update_model"
        reply = read_object(await self._call("PUT", path, watched.model), TITLE)
        metadata = reply.get("metadata")
        switched = metadata.get("retrain_job_id") if isinstance(metadata, dict) else None
        if switched is not None and switched != retrain_job:
            raise UnreadableError(_("{title} answered the switch with another retrain job.", title=TITLE))

    def can_see(self, watched: Watched) -> bool:
        model = self._config.models.get(self._names.get(fold(watched.model), ""))
        return model is not None and model.classifier_id is not None and model.deploy_key is not None

    async def survey(self, watched: Watched) -> Mapping[str, Json]:
        name, model = self._model(watched.model)
        if model.classifier_id is None or model.deploy_key is None:
            return {}
        reply = await self._call_with("GET", "/classifiers", model.deploy_key, _key(name, "deploy_key"))
        return read_published(read_object(reply, TITLE), model.classifier_id)

    async def serving(self, watched: Watched, before: Mapping[str, Json]) -> Serving:
        now = await self.survey(watched)
        return Serving(is_new=is_switched(before, now), parts=compare_published(before, now))

    def references(self, words: Mapping[str, str]) -> tuple[Reference, ...]:
        """With a model, that one; without, each of the configuration, since each has a key of its own."""
        named = words.get("model")
        models = [self._names.get(fold(named), named)] if named else list(self._names.values())
        return tuple(Reference(model=model, params={"model": model}, remote_id=words["job"]) for model in models)

    # The wire

    async def _call(self, method: str, path: str, model: str) -> Reply:
        name, found = self._model(model)
        return await self._call_with(method, path, found.api_key, _key(name, "api_key"))

    async def _call_with(self, method: str, path: str, key: SecretStr, setting_name: str) -> Reply:
        url = URL(f"{self._config.base_url}{path}", encoded=True)
        headers = {"x-api-key": key.get_secret_value()}
        try:
            # `once` for reading too: a repeated question for an upload address would leave a retrain job behind.
            return await self._http.call(method, url, once=True, headers=headers)
        except CredentialsError as error:
            sentence = joined(" ", [str(error), KEYS_LAST, _("Its operator sets {setting}.", setting=setting_name)])
            raise CredentialsError(sentence, status=error.status, code=error.code) from None

    def _model(self, name: str) -> tuple[str, Model]:
        known = self._names.get(fold(name))
        if known is None:
            key = _key(name, "api_key")
            raise CredentialsError(_("`{name}` has no key here. Its operator sets {setting}.", name=name, setting=key))
        return known, self._config.models[known]

    def _judge(self, reply: Reply) -> ProviderError | None:
        return judge(reply, self._http.clean)

    def _link(self, text: Json) -> URL:
        may_be_plain = URL(self._config.base_url).scheme == "http"
        return read_link(text, may_be_plain=may_be_plain, hosts=self._config.link_hosts)

    async def _is_trusted(self) -> bool:
        """Links may lead to private addresses only where the service itself is on one."""
        if self._is_private is None:
            try:
                self._is_private = await asyncio.to_thread(is_private_host, URL(self._config.base_url).host)
            except OSError:
                raise unreachable(TITLE, NOT_KNOWN) from None
        return self._is_private


def _secrets(config: Config) -> list[str]:
    keys = [key for model in config.models.values() for key in (model.api_key, model.deploy_key) if key is not None]
    return [key.get_secret_value() for key in keys]


def _key(model: str, key: str) -> str:
    return setting(NAME, "models", fold(model), key)


def _job_of(watched: Watched) -> str:
    retrain_job = watched.remote_id or watched.claim.get("retrain_job_id")
    if not retrain_job:
        raise UnreadableError(_("It is not known which retrain job this is."))
    return str(retrain_job)


def _told(word: str, retrain_job: str) -> str:
    """A word as the person sees it who is asked; the id also keeps the words of two jobs apart."""
    return _("{word} (retrain job {job})", word=word, job=retrain_job)


def _has_changed(last: Found | None, word: str, retrain_job: str) -> bool:
    """Was there another word of the same job before?"""
    former = last.word if last else ""
    return former.endswith(_told("", retrain_job)) and former not in (word, _told(UNKNOWN_JOB, retrain_job))
