"""Sestek Knovvu ML: text classification, trained from a file of JSON lines, published by looking at it.

The pages named here are under https://docs.knovvu.com/docs/. They show no error bodies: the shapes read here are those
of the frameworks the service is seen to be made of, ABP for the API and OpenIddict for the identity server.
"""

import math
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import aiohttp

from bot.domain.arguments import Argument, Arguments, DataRule, Kind
from bot.domain.jobs import Phase, RemoteStatus
from bot.domain.recurring import EVERY
from bot.domain.requests import Json, Payload, Plan, SourceFile, TrainRequest
from bot.errors import (
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
from bot.providers.http import UPLOAD_TIMEOUT, Http, Reply, Tools, read_object
from bot.providers.section import Address, Secret, Section, given, read_section, setting
from bot.providers.sestek_rows import count_rows, listed
from bot.providers.tokens import Token, Tokens, lasting, read_token
from bot.sentences import _, joined

NAME = "sestek"
TITLE = "Sestek Knovvu ML"

# ml-text-classification-send-training-request
TRAININGS = "/sestekai-api/api/external/trainings"
DATA_SCHEMA = "utterance"
LANGUAGES = (
    "en-US", "tr-TR", "ar-SA", "lv-LV", "ru-RU", "es-ES", "ur-PK", "fr-FR", "nl-NL", "de-DE", "it-IT",
)  # fmt: skip
MOST_IN_MODEL_ID = 63
ACCEPT = {"Accept": "application/json"}  # without it ABP may answer a web page
STILL_IN_PROGRESS = b"still in progress"

# ml-text-classification-check-training-inference-status and get-progress-of-external-training-generative-qa; the prose
# there writes the words small, the sample with a capital.
WORDS: Mapping[str, Phase] = {
    "initialized": Phase.QUEUED,
    "pendingtraining": Phase.QUEUED,
    "datasetuploading": Phase.RUNNING,
    "dataprocessing": Phase.RUNNING,
    "trainingstarted": Phase.RUNNING,
    "training": Phase.RUNNING,
    "trained": Phase.RUNNING,  # not yet uploaded: looking is still safe
    "modeluploading": Phase.RUNNING,
    "completed": Phase.TRAINED,
    "failed": Phase.FAILED,
}
NOT_YET_SERVING = ("", "pending")

TURKISH_LETTERS = frozenset("çğıöşüâîûÇĞİÖŞÜÂÎÛ")


# -- configuration ----------------------------------------------------------------------------------------------------


class Config(Section):
    """The section `sestek`. The vendor names no host: on-premises installations each have their own two."""

    base_url: Address
    identity_url: Address
    client_id: str
    client_secret: Secret
    product: str = ""


def build(section: Mapping[str, Any], tools: Tools) -> Provider:
    """The provider. NotConfiguredError names the settings that lack, ConfigurationError those that are wrong."""
    needed = [key for key, value in Config.model_fields.items() if value.is_required()]
    found = given(section)
    lacking = tuple(setting(NAME, key) for key in needed if key not in found)
    if lacking:
        raise NotConfiguredError(TITLE, lacking)
    return Sestek(read_section(Config, NAME, found), tools)


# -- what can be said to it -------------------------------------------------------------------------------------------


def refuse_model_id(text: str) -> str | None:
    """A sentence on the first rule of model ids that is broken (ml-text-classification-send-training-request)."""
    for fault in (_turkish_fault, _capitals_fault, _characters_fault, _hyphens_fault, _length_fault):
        if said := fault(text, unicodedata.normalize("NFC", text)):
            return joined(" ", [said, *_better(text)])
    return None


# Each is given the text as it was written, to name it, and as it is judged.


def _turkish_fault(name: str, text: str) -> str | None:
    letters = listed(dict.fromkeys(letter for letter in text if letter in TURKISH_LETTERS))
    said = _(
        "`{name}` has Turkish letters ({letters}), which Sestek's model ids must not have.", name=name, letters=letters
    )
    return said if letters else None


def _capitals_fault(name: str, text: str) -> str | None:
    said = _("`{name}` has capital letters; Sestek's model ids are written small.", name=name)
    return said if re.search("[A-Z]", text) else None


def _characters_fault(name: str, text: str) -> str | None:
    if not text:
        return _("`{name}` is empty; Sestek needs a model id.", name=name)
    others = listed(dict.fromkeys(re.findall("[^a-z0-9-]", text)))
    said = _(
        "`{name}` has {others} in it; Sestek's model ids are made of a-z, 0-9 and hyphens.", name=name, others=others
    )
    return said if others else None


def _hyphens_fault(name: str, text: str) -> str | None:
    begins, ends = text.startswith("-"), text.endswith("-")
    if begins and ends:
        return _("`{name}` begins and ends with a hyphen, which Sestek's model ids must not.", name=name)
    if begins:
        return _("`{name}` begins with a hyphen, which Sestek's model ids must not.", name=name)
    return _("`{name}` ends with a hyphen, which Sestek's model ids must not.", name=name) if ends else None


def _length_fault(name: str, text: str) -> str | None:
    said = _(
        "`{name}` has {length} characters; Sestek's model ids have {most} at most.",
        name=name,
        length=len(text),
        most=MOST_IN_MODEL_ID,
    )
    return said if len(text) > MOST_IN_MODEL_ID else None


def _better(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text.replace("ı", "i")).encode("ascii", "ignore").decode().lower()
    better = re.sub("[^a-z0-9]+", "-", plain).strip("-")[:MOST_IN_MODEL_ID].strip("-")
    return [_("Try `{name}`.", name=better)] if better else []


def _refuse_blank(text: str) -> str | None:
    return None if text.strip() else _("A product's name cannot be empty.")


MODEL_ID = Argument(
    name="model",
    label="MODEL-ID",
    what=_("the model: a-z, 0-9 and hyphens; a new one gets an inference endpoint of its own"),
    refuse=refuse_model_id,
)
ARGUMENTS = Arguments(
    positionals=(
        MODEL_ID,
        Argument(name="language", label="LANGUAGE", what=_("the language of the texts"), choices=LANGUAGES),
    ),
    options=(
        Argument(
            name="product",
            label="product=NAME",
            what=_("the product name, where the configured one does not fit"),
            required=False,
            refuse=_refuse_blank,
        ),
        Argument(
            name="data",
            label="data=SOURCE",
            what=_(
                "JSON lines with Label and Text: a file in Slack, by its link, or a name in the data folder; without "
                "it the one named after the model"
            ),
            kind=Kind.SOURCE,
            required=False,
        ),
        EVERY,
    ),
    model="model",
    examples=("/train sestek my-model en-US", "/train sestek my-model tr-TR data=calls.jsonl product=CA"),
    reference=(MODEL_ID,),
    reference_example="/status sestek my-model",
)


def to_body(request: TrainRequest, product: str) -> dict[str, Json]:
    """The text fields of the form, in the documented order; the file `dataFile` follows them.

    The page's own curl command puts literal quotes around the model id and the language, which would break its rule
    for model ids: they are taken for a slip of the page and left out.
    """
    return {
        "modelId": request.model,
        "productName": request.params.get("product") or product,
        "languageCode": request.params["language"],
        "dataSchema": DATA_SCHEMA,
    }


# -- what it says -----------------------------------------------------------------------------------------------------


def to_status(reply: Mapping[str, Json]) -> RemoteStatus:
    """Read a progress reply. UnreadableError where its words are none."""
    word, serving = reply.get("trainingStatus"), reply.get("inferenceStatus") or ""
    if not isinstance(word, str) or not isinstance(serving, str):
        raise UnreadableError(_("{title} answered without a trainingStatus in words.", title=TITLE))
    phase = WORDS.get(word.strip().casefold())
    is_trained = phase is Phase.TRAINED
    return RemoteStatus(
        phase=phase,
        word=word,
        is_known=phase is not None,
        detail=_publishing(serving) if is_trained else "",
        progress=_percent(reply.get("percent")),
        is_live=_is_running(serving) if is_trained else None,
    )


def _is_running(serving: str) -> bool:
    return serving.strip().casefold() == "running"


def _publishing(serving: str) -> str:
    if _is_running(serving):
        return ""
    if serving.strip().casefold() in NOT_YET_SERVING:
        # NOTE: the training has ended, and the service is making the model usable
        return _("publishing")
    return _("publishing: {word}", word=serving)


def _percent(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    clamped = min(max(value, 0), 100)
    return float(clamped) if math.isfinite(clamped) else None


def _error_object(reply: Reply) -> Mapping[str, Json] | None:
    """ABP's error object (its docs, Exception-Handling): `{"error": {"message", "validationErrors": […], …}}`."""
    try:
        value = reply.json()
    except ValueError:
        return None
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) else None


def _words_of(error: Mapping[str, Json]) -> str:
    faults = error.get("validationErrors")
    details = [fault.get("message") for fault in faults if isinstance(fault, dict)] if isinstance(faults, list) else []
    return " ".join(word for word in [error.get("message"), *details[:3]] if isinstance(word, str))


def _is_in_progress(reply: Reply, error: Mapping[str, Json] | None) -> bool:
    # The message is documented (v1.70), its HTTP status is not: ABP answers 403 to a broken business rule.
    return (reply.status >= 400 or error is not None) and STILL_IN_PROGRESS in reply.body.lower()


class TrainingBusyError(RejectedError):
    """The service still trains this model id."""


# -- the identity server ----------------------------------------------------------------------------------------------


def judge_token_reply(reply: Reply) -> ProviderError | None:
    """The identity server's refusals in OAuth's words (RFC 6749, 5.2); the page shows none. 429 is none of them."""
    if reply.status < 400 or reply.status == 429:
        return None
    code = _oauth_code(reply)
    if reply.status == 401 or code in ("invalid_client", "unauthorized_client"):
        client, secret = setting(NAME, "client_id"), setting(NAME, "client_secret")
        sentence = _("{title} does not accept {client} with {secret}.", title=TITLE, client=client, secret=secret)
        return CredentialsError(sentence, status=reply.status, code=code)
    if code and reply.status < 500:
        sentence = _("{title} gives us no token ({code}).", title=TITLE, code=code)
        return RejectedError(sentence, status=reply.status, code=code)
    return None


def _oauth_code(reply: Reply) -> str:
    try:
        value = reply.json()
    except ValueError:
        return ""
    code = value.get("error") if isinstance(value, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code) else ""


class TokenSource:
    """Asks the identity server for tokens (ml-training-access-token)."""

    def __init__(self, config: Config, tools: Tools) -> None:
        self._config = config
        self._now = tools.now
        secrets = (config.client_secret.get_secret_value(),)
        self._http = Http(title=TITLE, sessions=tools.sessions, secrets=secrets, judge=judge_token_reply)

    async def fetch(self) -> Token:
        form = {
            "client_id": self._config.client_id,
            "client_secret": self._config.client_secret.get_secret_value(),
            "grant_type": "client_credentials",
        }
        asked_at = self._now()
        reply = await self._http.call("POST", f"{self._config.identity_url}/connect/token", headers=ACCEPT, data=form)
        answer = read_object(reply, TITLE)
        return lasting(read_token(answer, "access_token", TITLE), answer.get("expires_in"), asked_at)


# -- the provider -----------------------------------------------------------------------------------------------------


class Sestek(Defaults):
    """One training at a time per model id, which is also the only id that the service ever names."""

    name = NAME
    title = TITLE
    arguments = ARGUMENTS
    powers = Powers(gate=Gate.BEFORE, watches_live=True, one_at_a_time=True, look_publishes=True)
    data: DataRule | None = DataRule(suffixes=(".jsonl", ".json"))

    def __init__(self, config: Config, tools: Tools) -> None:
        self._config = config
        self._tokens = Tokens(TokenSource(config, tools).fetch, tools.now, config.client_secret.get_secret_value())
        self._http = Http(title=TITLE, sessions=tools.sessions, secrets=self._tokens.secrets, judge=self._judge)

    def check(self, request: TrainRequest) -> None:
        if not to_body(request, self._config.product)["productName"]:
            key = setting(NAME, "product")
            raise UsageError(
                _(
                    "{title} needs a product: add `product=NAME`, or its operator sets {setting}.",
                    title=TITLE,
                    setting=key,
                )
            )

    def prepare(self, request: TrainRequest, files: Mapping[str, SourceFile], spool: Path) -> Payload:
        source = files["data"]
        tally = count_rows(source.path)
        return Payload(
            name=_sendable(source.name),
            sha256=source.sha256,
            size=source.size,
            rows=tally.rows,
            facts=tally.facts(),
            balances=tally.balances(),
            warnings=tally.warnings(),
        )

    def plan(self, request: TrainRequest, payload: Payload | None) -> Plan:
        body = to_body(request, self._config.product)
        summary = ((_("Language"), body["languageCode"]), (_("Product"), body["productName"]))
        return Plan(provider=self.name, model=request.model, body=body, summary=summary, payload=payload)

    async def reserve(self, plan: Plan, job_id: str) -> Mapping[str, Json]:
        """Nothing is read: a look at a finished training would publish it."""
        return {}

    async def start(self, plan: Plan, claim: Mapping[str, Json], file: Path | None) -> str:
        try:
            reply = await self._send(plan, file)
        except TrainingBusyError as busy:
            sentence = _(
                "{title} still trains `{model}`. Try again when that has ended, or take another model id.",
                title=TITLE,
                model=plan.model,
            )
            raise RejectedError(sentence, status=busy.status, code=busy.code) from None
        experiment = read_object(reply, TITLE)
        # Of the reply only its name is documented here, its fields on external-training-for-generative-qa.
        if not {"status", "statusMessage"} & experiment.keys():
            sentence = _("{title} answered the start with something that is not an experiment.", title=TITLE)
            raise UnreadableError(sentence)
        return plan.model

    async def _send(self, plan: Plan, file: Path | None) -> Reply:
        async def send(token: str) -> Reply:
            with _open(file) as data:
                form = _form(plan, data)
                return await self._http.call(
                    "POST", self._url("train"), once=True, headers=_headers(token), data=form, timeout=UPLOAD_TIMEOUT
                )

        return await self._tokens.use(send)

    def known_id(self, plan: Plan, claim: Mapping[str, Json]) -> str | None:
        return plan.model

    async def find(self, plan: Plan, claim: Mapping[str, Json], last: Found | None) -> Found:
        """One look: only a training that goes on is surely ours, an ended one may be the former."""
        try:
            seen = await self._look(plan.model)
        except NotFoundError:
            return Found()
        if seen.phase in (Phase.QUEUED, Phase.RUNNING):
            return Found(remote_id=plan.model, word=seen.word)
        if not seen.is_known:
            return Found(word=seen.word)
        return Found(word=_("{word} (may belong to the former training)", word=seen.word))

    async def status(self, watched: Watched) -> RemoteStatus:
        return await self._look(watched.remote_id or watched.model)

    async def _look(self, model: str) -> RemoteStatus:
        async def send(token: str) -> Reply:
            return await self._http.call("GET", self._url(quote(model, safe=""), "progress"), headers=_headers(token))

        return to_status(read_object(await self._tokens.use(send), TITLE))

    def references(self, words: Mapping[str, str]) -> tuple[Reference, ...]:
        model = words["model"]
        return (Reference(model=model, params={}, remote_id=model),)

    def _url(self, *parts: str) -> str:
        return "/".join([self._config.base_url + TRAININGS, *parts])

    def _judge(self, reply: Reply) -> ProviderError | None:
        error = _error_object(reply)
        if _is_in_progress(reply, error):
            sentence = _("{title} still trains this model.", title=TITLE)
            return TrainingBusyError(sentence, status=reply.status, code="still in progress")
        if reply.status == 401:
            key = setting(NAME, "client_id")
            sentence = _("{title} does not accept the token that it gave to {setting}.", title=TITLE, setting=key)
            return CredentialsError(sentence, status=401)
        if error is None or reply.status == 429 or not 400 <= reply.status < 500:
            return None
        # Inferred: no page says what a model id without a training is answered with; ABP's 404 is taken for it.
        kind = NotFoundError if reply.status == 404 else RejectedError
        said = self._http.clean(_words_of(error)) or f"HTTP {reply.status}"
        return kind(_("{title} refused: {words}", title=TITLE, words=said), status=reply.status)


def _headers(token: str) -> dict[str, str]:
    return {**ACCEPT, "Authorization": f"Bearer {token}"}


def _sendable(name: str) -> str:
    # A line break in a file's name would end the header that carries it.
    return "".join(letter if letter.isprintable() else "_" for letter in name)


def _open(file: Path | None) -> BinaryIO:
    try:
        if file is not None:
            return file.open("rb")
    except OSError:
        pass
    raise ProviderError(_("The checked copy of the data file is gone; nothing was sent."), effect=Effect.REFUSED)


def _form(plan: Plan, data: BinaryIO) -> aiohttp.FormData:
    """Plain values, then the file from the disk; aiohttp knows its size and sends a length."""
    form = aiohttp.FormData(quote_fields=False)  # names go out as UTF-8, as browsers and curl send them
    for name, value in plan.body.items():
        form.add_field(name, value)
    name = plan.payload.name if plan.payload else "data.jsonl"
    form.add_field("dataFile", data, filename=name, content_type="application/octet-stream")
    return form
