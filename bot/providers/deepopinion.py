"""DeepOpinion Studio: a new model of a project, trained on its labeling sessions.

Pages: https://docs.deepopinion.ai/api/train-a-new-model, /api/log-in,
/api/retrieve-a-specific-model-that-belongs-to-a-project, /getting-started/authentication, and the vendor's generated
client on GitHub, deepopinion/studio-api-client-python (docs/ModelsApi.md, Studio API v1.6.2).
"""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from bot.domain.arguments import Argument, Arguments, Choice, Kind
from bot.domain.jobs import Phase, RemoteStatus
from bot.domain.recurring import EVERY
from bot.domain.requests import Json, Payload, Plan, TrainRequest
from bot.domain.text import listed
from bot.errors import (
    ConfigurationError,
    CredentialsError,
    Effect,
    NotConfiguredError,
    NotFoundError,
    ProviderError,
    RejectedError,
    UnreadableError,
    UsageError,
)
from bot.ports import Found, Gate, Powers, Provider, Reference, Watched
from bot.providers.defaults import Defaults
from bot.providers.http import Http, Reply, Tools, read_json, read_object
from bot.providers.section import Address, Secret, Section, given, read_section, setting
from bot.providers.tokens import MARGIN, Access, Key, Token, Tokens, is_sendable, read_token
from bot.sentences import _, joined, ngettext

NAME = "deepopinion"
TITLE = "DeepOpinion Studio"
BASE_URL = "https://api.deepopinion.ai"  # getting-started/authentication
LANGUAGES = ("en", "de", "ar")  # api/train-a-new-model
ACCEPT = {"Accept": "application/json"}

# api/train-a-new-model lists the words. Their order is nowhere documented; that ACTIVE and PUBLISHED come after READY,
# by other means than a training, is inferred.
WORDS: Mapping[str, Phase] = {
    "created": Phase.QUEUED,
    "queued": Phase.QUEUED,
    "training": Phase.RUNNING,
    "failed": Phase.FAILED,
    "ready": Phase.TRAINED,
    "active": Phase.TRAINED,
    "published": Phase.TRAINED,
}

Model = Mapping[str, Json]
"""A model as the service shows it."""


# -- configuration ----------------------------------------------------------------------------------------------------


class Config(Section):
    """The section `deepopinion`: a key of long life, or a log-in. The key is taken where both are given."""

    base_url: Address = BASE_URL
    api_key: Secret | None = None
    email: str = ""
    password: Secret | None = None


def build(section: Mapping[str, Any], tools: Tools) -> Provider:
    """The provider. NotConfiguredError names the settings that lack, ConfigurationError those that are wrong."""
    found = given(section)
    if lacking := _lacking(found):
        raise NotConfiguredError(TITLE, lacking)
    config = read_section(Config, NAME, found)
    if config.api_key and not is_sendable(config.api_key.get_secret_value()):
        raise ConfigurationError(f"{setting(NAME, 'api_key')}: has characters that no key can have.")
    return DeepOpinion(config, tools)


def _lacking(found: Mapping[str, Any]) -> tuple[str, ...]:
    missing = tuple(setting(NAME, key) for key in ("email", "password") if key not in found)
    if "api_key" in found or not missing:
        return ()
    return missing if len(missing) == 1 else (setting(NAME, "api_key"),)


# -- what can be said to it -------------------------------------------------------------------------------------------


def _refuse_blanks(text: str) -> str | None:
    if not text.strip():
        return _("A name cannot be empty.")
    return _("`{text}` begins or ends with a space. Leave it out.", text=text) if text != text.strip() else None


PROJECT = Argument(
    name="project", label="PROJECT-ID", what=_("the number of the project"), kind=Kind.INTEGER, steers=True
)
ARGUMENTS = Arguments(
    positionals=(
        PROJECT,
        Argument(
            name="name",
            label="NAME",
            what=_("the new model's name, which nothing else in the workspace may have"),
            refuse=_refuse_blanks,
            unique=True,
        ),
    ),
    options=(
        Argument(
            name="language",
            label="language=en|de|ar",
            what=_("the language of the model"),
            choices=LANGUAGES,
            required=False,
        ),
        Argument(name="base", label="base=ID", what=_("the model to begin with"), kind=Kind.INTEGER, required=False),
        Argument(
            name="sessions",
            label="sessions=1,2",
            what=_("labeling sessions, to be divided into a training set and a test set"),
            kind=Kind.INTEGERS,
            required=False,
        ),
        Argument(
            name="train",
            label="train=1,2",
            what=_("labeling sessions for the training set, where the sets are divided by hand"),
            kind=Kind.INTEGERS,
            required=False,
        ),
        Argument(
            name="test",
            label="test=3",
            what=_("labeling sessions for the test set, where the sets are divided by hand"),
            kind=Kind.INTEGERS,
            required=False,
        ),
        Argument(
            name="title",
            label='title="…"',
            what=_("the name that people see, where it is another one"),
            required=False,
            refuse=_refuse_blanks,
        ),
        EVERY,
    ),
    model="name",
    examples=(
        "/train deepopinion 1 reviews-2026 language=en sessions=1,2",
        '/train deepopinion 1 reviews-2026 base=7 train=1,2 test=3 title="Reviews 2026"',
    ),
    reference=(PROJECT, Argument(name="id", label="MODEL-ID", what=_("the number of the model"), kind=Kind.INTEGER)),
    reference_example="/status deepopinion 1 11",
)

FIELDS: Mapping[str, str] = {
    "language": "language",
    "base": "base_id",
    "sessions": "annotation_ids",
    "train": "trainset_annotation_ids",
    "test": "testset_annotation_ids",
}
HELD: Mapping[str, str] = {
    "sessions": _("Documents"),
    "train": _("Training documents"),
    "test": _("Test documents"),
}
MOST_SESSIONS = 5
LABELS: Mapping[str, str] = {
    "language": _("Language"),
    "base": _("Base model"),
    "sessions": _("Sessions"),
    "train": _("Training sessions"),
    "test": _("Test sessions"),
}


def to_body(request: TrainRequest) -> dict[str, Json]:
    """The body of the training call; what was not given is absent."""
    names = {"display_name": request.params.get("title") or request.model, "name": request.model}
    options = {field: request.params[option] for option, field in FIELDS.items() if option in request.params}
    return {**names, **options}


def to_summary(request: TrainRequest) -> tuple[tuple[str, str], ...]:
    """The lines that say what will be sent."""
    params = request.params
    options = [(label, _listed(params[option])) for option, label in LABELS.items() if option in params]
    twice = sorted(set(params.get("train", ())) & set(params.get("test", ())))
    both = _("In both sets, which flatters the score: {sessions}", sessions=_listed(twice))
    note = [(_("Note"), both)] if twice else []
    title = [(_("Title"), params["title"])] if "title" in params else []
    return ((_("Project"), str(params["project"])), (_("Name"), request.model), *title, *options, *note)


def _listed(value: Json) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)


# -- what it says -----------------------------------------------------------------------------------------------------


def to_status(model: Model) -> RemoteStatus:
    """Read a model. UnreadableError where its status is no word."""
    word = model.get("status")
    if not isinstance(word, str):
        raise UnreadableError(_("{title} answered with a model without a status.", title=TITLE))
    phase = WORDS.get(word.strip().casefold())
    return RemoteStatus(
        phase=phase,
        word=word,
        is_known=phase is not None,
        progress=_progress(model.get("progress")),
        metrics=_metrics(model),
        result=_result(model) if phase is Phase.TRAINED else {},
    )


def _progress(value: Json) -> float | None:
    # No scale is documented; the sample shows 6.78 beside a score of 0.68, so it is taken for a percentage.
    if not _is_number(value):
        return None
    return float(min(max(value, 0), 100))


def _is_number(value: Json) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def _metrics(model: Model) -> dict[str, Json]:
    """The numbers among the metrics, of which no page names any, and the score."""
    found = model.get("metrics")
    numbers = {key: value for key, value in found.items() if _is_number(value)} if isinstance(found, dict) else {}
    return {**numbers, "score": model["score"]} if _is_number(model.get("score")) else numbers


def _result(model: Model) -> dict[str, Json]:
    created = read_created(model.get("created"))
    found = {
        "model_id": _id(model),
        "score": model.get("score") if _is_number(model.get("score")) else None,
        "created": created.isoformat() if created else None,
    }
    return {key: value for key, value in found.items() if value is not None}


def read_created(value: Json) -> datetime | date | None:
    """The day or the moment of creation: the type says date-time, the sample of the same page is a bare date."""
    try:
        return date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _id(model: Model) -> int | None:
    """Its id: 1 or more by its type, but 0 in the sample of the page, which is then none."""
    value = model.get("id")
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else None


def read_models(reply: Reply) -> list[Model]:
    """The models of a project.

    The type of the list is generated without properties. A plain list is expected, the envelope that `GET /models`
    answers with is understood if it is the whole; from a part nothing could be concluded.
    """
    value = read_json(reply, TITLE)
    if isinstance(value, dict) and not value.get("has_more"):
        value = value.get("models")
    if not isinstance(value, list) or not all(isinstance(model, dict) for model in value):
        raise UnreadableError(
            _("{title} answered with something that is not the list of a project's models.", title=TITLE)
        )
    return value


def _named(models: Sequence[Model], name: str) -> list[Model]:
    return [model for model in models if model.get("name") == name]


def _shown(models: Sequence[Model]) -> str:
    return joined(", ", map(_shown_model, models))


def _shown_model(model: Model) -> str:
    number, status = _id(model), model.get("status", _("no status"))
    if number is None:
        return _("model without an id ({status})", status=status)
    return _("model {number} ({status})", number=number, status=status)


# -- access -----------------------------------------------------------------------------------------------------------


class Login:
    """Logs in with e-mail and password (api/log-in)."""

    def __init__(self, config: Config, password: str, tools: Tools) -> None:
        self._url = f"{config.base_url}/auth/login"
        self._body = {"email": config.email, "password": password}
        self._now = tools.now
        self._http = Http(title=TITLE, sessions=tools.sessions, secrets=(password,), judge=self._judge)

    async def fetch(self) -> Token:
        reply = await self._http.call("POST", self._url, headers=ACCEPT, json_body=self._body)
        value = read_token(read_object(reply, TITLE), "auth_token", TITLE)
        return Token(value=value, renew_at=_renew_at(value, self._now()))

    def _judge(self, reply: Reply) -> ProviderError | None:
        if reply.status != 401:
            return None
        sentence = _(
            "{title} does not accept {email} with {password}.",
            title=TITLE,
            email=setting(NAME, "email"),
            password=setting(NAME, "password"),
        )
        return CredentialsError(sentence, status=401)


def _renew_at(token: str, now: datetime) -> datetime | None:
    """A minute before the `exp` of a JWT, None where it has none that can be read: it is then used until refused.

    A token that would be over at once by our clock is used until refused, too: one of the two clocks is wrong.
    """
    try:
        segment = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
        renew_at = datetime.fromtimestamp(claims["exp"], UTC) - MARGIN
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, OSError, RecursionError):
        return None
    return renew_at if renew_at > now else None


def _access(config: Config, tools: Tools) -> Access:
    if config.api_key:
        return Key(config.api_key.get_secret_value())
    password = config.password.get_secret_value() if config.password else ""
    return Tokens(Login(config, password, tools).fetch, tools.now, password)


# -- the provider -----------------------------------------------------------------------------------------------------


class DeepOpinion(Defaults):
    """Every training makes a new model; a name that is taken is refused before anything is sent."""

    name = NAME
    title = TITLE
    arguments = ARGUMENTS
    # The project's list could answer for many, but what its items hold is not documented: one look per model.
    # Each training needs a name of its own, so those of a project are the ones to compare.
    powers = Powers(gate=Gate.NONE, compared_by=PROJECT.name)
    listed: tuple[str, ...] = ("base", "sessions", "train", "test")

    def __init__(self, config: Config, tools: Tools) -> None:
        self._config = config
        self._access = _access(config, tools)
        self._http = Http(title=TITLE, sessions=tools.sessions, secrets=self._access.secrets, judge=self._judge)

    def check(self, request: TrainRequest) -> None:
        others = [f"`{option}=`" for option in ("train", "test") if option in request.params]
        if others and "sessions" in request.params:
            # With annotation_ids the service ignores the two others (api/train-a-new-model).
            sentence = _(
                "`sessions=` makes {title} ignore {options}: give either `sessions=`, or `train=` and `test=`.",
                title=TITLE,
                options=listed(others),
            )
            raise UsageError(sentence, word="sessions=")

    async def choices(self, argument: str, given: Mapping[str, str]) -> Sequence[Choice]:
        """Base models, also the project's own, and its labeling sessions (docs/ModelsApi.md, docs/LabelingApi.md).

        That models of type BASE are those to begin with is inferred from the word.
        """
        project = given.get("project", "").strip()
        if argument == "base":
            bases = read_object(await self._call("GET", "models?type=BASE&limit=100"), TITLE).get("models")
            own = read_models(await self._call("GET", "projects", project, "models")) if project.isdecimal() else []
            return _choices([*(bases if isinstance(bases, list) else []), *own], "display_name", "status")
        if not project.isdecimal():
            return ()
        found = read_json(await self._call("GET", "projects", project, "annotations"), TITLE)
        return _choices(found if isinstance(found, list) else [], "name", "status")

    async def held_data(self, plan: Plan) -> Sequence[tuple[str, str]]:
        """How many documents the labelling sessions hold (docs/LabelingSession.md); of labels it tells nothing."""
        wanted = {label: plan.body["model"].get(FIELDS[option]) for option, label in HELD.items()}
        if not any(wanted.values()):
            return ()
        path = ("projects", str(plan.body["project_id"]), "annotations")
        found = read_json(await self._call("GET", *path), TITLE)
        sessions = {_id(one): one for one in found if isinstance(one, dict)} if isinstance(found, list) else {}
        return [(label, _documents(ids, sessions)) for label, ids in wanted.items() if ids]

    def plan(self, request: TrainRequest, payload: Payload | None) -> Plan:
        body = {"project_id": request.params["project"], "model": to_body(request)}
        return Plan(provider=self.name, model=request.model, body=body, summary=to_summary(request))

    async def reserve(self, plan: Plan, job_id: str) -> Mapping[str, Json]:
        taken = _named(await self._list(plan), plan.model)
        if taken:
            raise RejectedError(
                _(
                    "The name `{name}` is taken by {models}. Nothing was sent; pick another.",
                    name=plan.model,
                    models=_shown(taken),
                )
            )
        return {"name": plan.model, "ids": []}

    async def start(self, plan: Plan, claim: Mapping[str, Json], file: Path | None) -> str | None:
        reply = await self._call("POST", *_project(plan), body=plan.body["model"])
        model = read_object(reply, TITLE)
        number = _id(model)
        if number is None and model.get("name") != plan.model:
            raise UnreadableError(
                _("{title} answered the start with something that is not the new model.", title=TITLE)
            )
        return str(number) if number else None

    async def find(self, plan: Plan, claim: Mapping[str, Json], last: Found | None) -> Found:
        """One new model of the name is ours: the name was free right before the start."""
        known = claim.get("ids", [])
        new = [model for model in _named(await self._list(plan), plan.model) if _id(model) not in known]
        if len(new) == 1 and _id(new[0]):
            return Found(remote_id=str(_id(new[0])), word=str(new[0].get("status", "")))
        return Found(word=_shown(new))

    async def status(self, watched: Watched) -> RemoteStatus:
        if watched.remote_id is None:
            sentence = _("{title} has not named the id of `{model}` yet.", title=TITLE, model=watched.model)
            raise UnreadableError(sentence, effect=Effect.NONE)
        reply = await self._call("GET", "projects", str(watched.params["project"]), "models", watched.remote_id)
        model = read_object(reply, TITLE)
        return replace(to_status(model), detail=_name_unless_known(model, watched))

    def references(self, words: Mapping[str, str]) -> tuple[Reference, ...]:
        """The name cannot be told from the words, so the id stands for it."""
        number = str(int(words["id"]))
        return (Reference(model=number, params={"project": int(words["project"])}, remote_id=number),)

    async def _list(self, plan: Plan) -> list[Model]:
        return read_models(await self._call("GET", *_project(plan)))

    async def _call(self, method: str, *path: str, body: Json = None) -> Reply:
        url = "/".join([self._config.base_url, *path])

        async def send(token: str) -> Reply:
            headers = {**ACCEPT, "Authorization": f"Bearer {token}"}
            return await self._http.call(method, url, once=method == "POST", headers=headers, json_body=body)

        return await self._access.use(send)

    def _judge(self, reply: Reply) -> ProviderError | None:
        """The service's own words. The pages name no shape; `message` is taken over from the log-in's reply."""
        if reply.status == 401:
            return CredentialsError(self._refused_access(), status=401)
        if reply.status == 404:
            return self._not_found(reply)
        said = _message(reply)
        if not said or reply.status == 429 or not 400 <= reply.status < 500:
            return None
        sentence = _("{title} refused: {said}", title=TITLE, said=self._http.clean(said))
        return RejectedError(sentence, status=reply.status)

    def _not_found(self, reply: Reply) -> ProviderError | None:
        # Documented on api/retrieve-a-specific-model-that-belongs-to-a-project; a web page comes from another server.
        said = _message(reply)
        if said is None:
            return None
        sentence = _("{title} does not know it: {said}", title=TITLE, said=self._http.clean(said) or "HTTP 404")
        return NotFoundError(sentence, status=404)

    def _refused_access(self) -> str:
        if self._config.api_key:
            return _("{title} does not accept {setting}.", title=TITLE, setting=setting(NAME, "api_key"))
        return _("{title} does not accept the token of {setting}.", title=TITLE, setting=setting(NAME, "email"))


def _name_unless_known(model: Model, watched: Watched) -> str:
    # A training that was started elsewhere is only known by its number.
    name = model.get("name")
    return name if isinstance(name, str) and watched.model == watched.remote_id else ""


def _choices(found: Sequence[Json], name: str, state: str) -> list[Choice]:
    things = [thing for thing in found if isinstance(thing, dict) and _id(thing)]
    return [
        Choice(value=str(_id(thing)), label=f"{_id(thing)}: {thing.get(name, '')} ({thing.get(state, '')})")
        for thing in things
    ]


def _documents(ids: Sequence[int], sessions: Mapping[int | None, Model]) -> str:
    """The documents of each session, and of all where each tells them."""
    counts = [_document_count(sessions.get(number)) for number in ids]
    sessions_told = _sessions([_told(number, count) for number, count in zip(ids, counts, strict=True)])
    known = [count for count in counts if count is not None]
    if not len(known) == len(counts) > 1:
        return sessions_told
    return _("{documents:,} in all; {sessions}", documents=sum(known), sessions=sessions_told)


def _told(number: int, count: int | None) -> str:
    if count is None:
        return _("{session}: not told", session=number)
    return _("{session}: {documents:,}", session=number, documents=count)


def _sessions(told: Sequence[str]) -> str:
    shown, more = joined(", ", told[:MOST_SESSIONS]), len(told) - MOST_SESSIONS
    if more <= 0:
        return _("session {sessions}", sessions=shown)
    return ngettext(
        "session {sessions} and {count} more session",
        "session {sessions} and {count} more sessions",
        more,
        sessions=shown,
    )


def _document_count(session: Model | None) -> int | None:
    count = session.get("document_count") if session else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else None


def _project(plan: Plan) -> tuple[str, ...]:
    return ("projects", str(plan.body["project_id"]), "models")


def _message(reply: Reply) -> str | None:
    """The `message` of a JSON object, "" where it has none; None where the reply is no JSON object."""
    try:
        value = reply.json()
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    said = value.get("message")
    return said if isinstance(said, str) else ""
