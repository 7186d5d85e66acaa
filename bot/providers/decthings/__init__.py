"""Decthings: models with a `train` function of their own, called through binary-framed POSTs.

A finished training leaves a state (contract `states`) that is stored but not used until it is made the active one:
https://decthings.com/docs/states. Under the contract `versions` there is nothing to switch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from bot.domain.arguments import Choice
from bot.domain.jobs import Phase, RemoteStatus
from bot.domain.policy import Act
from bot.domain.requests import Json, Payload, Plan, TrainRequest
from bot.errors import (
    ConfigurationError,
    NotConfiguredError,
    NotFoundError,
    ProviderError,
    RejectedError,
    UnreadableError,
)
from bot.ports import Found, Gate, Powers, Provider, Reference, Serving, Watched
from bot.providers.decthings.client import Client
from bot.providers.decthings.contracts import CONTRACTS, OTHER, STATES, Contract
from bot.providers.decthings.plans import PARAMETERS, arguments_of, check, to_blobs, to_body, to_summary
from bot.providers.decthings.refusals import NAME, TITLE
from bot.providers.decthings.statuses import to_metrics, to_status, wanted_metrics
from bot.providers.defaults import Defaults
from bot.providers.http import Tools
from bot.providers.section import Address, Secret, Section, read_section, setting
from bot.providers.tokens import is_sendable
from bot.sentences import _, joined, ngettext

BASE_URL = "https://api.decthings.com/v0"  # decthings.com/reference/http
MOST_NEW = 50


class Config(Section):
    """The section `decthings`. `launcher` is the persistent launcher for trainings that name none."""

    base_url: Address = BASE_URL
    api_key: Secret
    contract: Literal["states", "versions"] = "states"
    launcher: str = ""


def build(section: Mapping[str, Any], tools: Tools) -> Provider:
    """The provider. NotConfiguredError names the settings that lack, ConfigurationError those that are wrong."""
    given = {key: value for key, value in section.items() if not isinstance(value, str) or value.strip()}
    if "api_key" not in given:
        raise NotConfiguredError(TITLE, (setting(NAME, "api_key"),))
    config = read_section(Config, NAME, given)
    if not is_sendable(config.api_key.get_secret_value()):
        raise ConfigurationError(f"{setting(NAME, 'api_key')}: has characters that no key can have.")
    return Decthings(config, tools)


class Decthings(Defaults):
    """One training session is one job; its id is the service's."""

    name = NAME
    title = TITLE
    listed: tuple[str, ...] = ("model", "launcher", PARAMETERS)

    def __init__(self, config: Config, tools: Tools) -> None:
        self._contract = CONTRACTS[config.contract]
        self._launcher = config.launcher
        self._client = Client(config.base_url, config.api_key.get_secret_value(), tools.sessions)
        self.arguments = arguments_of(self._contract)
        gate = Gate.AFTER if self._contract is STATES else Gate.NONE
        self.powers = Powers(gate=gate, cancel=True, switch=Act.ACTIVATE)

    # The wish

    def check(self, request: TrainRequest) -> None:
        check(request, self._contract, self._launcher)

    async def choices(self, argument: str, given: Mapping[str, str]) -> Sequence[Choice]:
        """Models and launchers by id; for parameters, a line for each key of each data set."""
        if argument == "launcher":
            launchers = await self._page("PersistentLauncher", "getPersistentLaunchers", "persistentLaunchers")
            return _choices(launchers)
        if argument == "model":
            return _choices(await self._page("Model", "getModels", "models"))
        datasets = await self._page("Dataset", "getDatasets", "datasets")
        return [choice for dataset in datasets for choice in _dataset_choices(dataset)]

    async def held_data(self, plan: Plan) -> Sequence[tuple[str, str]]:
        """How much the data sets hold (api-client-js, Dataset/getDatasets); of labels it tells nothing."""
        wanted = [one["data"]["datasetId"] for one in plan.body["params"]["params"] if "data" in one]
        if not wanted:
            return ()
        asked = {"offset": 0, "limit": 100, "filter": {"ids": list(dict.fromkeys(wanted))}}
        listed = (await self._client.call("getDatasets", asked, api="Dataset")).body.get("datasets")
        found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        return [(_("Data set {dataset}", dataset=_id(one)), _held(one)) for one in found if _id(one) in wanted]

    async def _page(self, api: str, method: str, key: str) -> list[Mapping[str, Json]]:
        """The first hundred: that is as many as a form offers."""
        listed = (await self._client.call(method, {"offset": 0, "limit": 100}, api=api)).body.get(key)
        return [one for one in listed if isinstance(one, dict) and _id(one)] if isinstance(listed, list) else []

    def plan(self, request: TrainRequest, payload: Payload | None) -> Plan:
        body = to_body(request, self._contract, self._launcher)
        return Plan(provider=self.name, model=request.model, body=body, summary=to_summary(body))

    # The start

    async def reserve(self, plan: Plan, job_id: str) -> Mapping[str, Json]:
        """What is there already, so that what comes can be told from it."""
        contract = CONTRACTS[plan.body["contract"]]
        model = await self._known_model(plan.model)
        _refuse_other_contract(model, contract)
        if contract is STATES:
            return {"sessions": _sessions(model)}
        return {"versions": [_id(version) for version in _called(model, _new_name(plan))]}

    async def start(self, plan: Plan, claim: Mapping[str, Json], file: Path | None) -> str:
        reply = await self._client.call("train", plan.body["params"], to_blobs(plan.body), once=True)
        session = reply.body.get("trainingSessionId")
        if not isinstance(session, str) or not session:
            raise UnreadableError(_("{title} answered the start without a training session.", title=TITLE))
        return session

    async def find(self, plan: Plan, claim: Mapping[str, Json], last: Found | None) -> Found:
        model = await self._model(plan.model)
        if model is None:
            return Found(word=_("{title} no longer shows the model", title=TITLE))
        if CONTRACTS[plan.body["contract"]] is STATES:
            return await self._find_session(plan, claim, model)
        return _find_version(plan, claim, model)

    async def _find_session(self, plan: Plan, claim: Mapping[str, Json], model: Mapping[str, Json]) -> Found:
        before, now = claim.get("sessions"), _sessions(model)
        if not isinstance(before, list) or now is None:
            return Found(word=_("{title} does not list the training sessions of the model", title=TITLE))
        new = [session for session in now if session not in before]
        if len(new) > MOST_NEW:
            return Found(
                word=ngettext("{count} training session is new", "{count} training sessions are new", len(new))
            )
        ours = [session for session in new if await self._is_called(plan.model, session, _new_name(plan))]
        counted = ngettext(
            "{count} new training session for a state called {name}",
            "{count} new training sessions for a state called {name}",
            len(ours),
            name=_new_name(plan),
        )
        return _found(ours, counted)

    async def _is_called(self, model: str, session: str, name: str) -> bool:
        try:
            seen = await self._session(model, session)
        except NotFoundError:
            return False  # cleared since it was listed
        return bool(seen.get(STATES.new_name) == name)

    # The looks

    async def status(self, watched: Watched) -> RemoteStatus:
        session = await self._session(watched.model, _remote_id(watched))
        status = to_status(session, self._client.clean)
        if status.phase is not Phase.TRAINED:
            return status
        return replace(status, metrics=await self._last_metrics(watched, session))

    async def _last_metrics(self, watched: Watched, session: Mapping[str, Json]) -> Mapping[str, float]:
        """The last value of each metric; nothing where that fails, as it is not what was asked for."""
        wanted = wanted_metrics(session)
        if not wanted:
            return {}
        try:
            return to_metrics(await self._client.call("getTrainingMetrics", {**_names(watched), "metrics": wanted}))
        except ProviderError:
            return {}

    async def _session(self, model: str, session: str) -> Mapping[str, Json]:
        reply = await self._client.call("getTrainingStatus", {"modelId": model, "trainingSessionId": session})
        return reply.body

    async def _model(self, model: str) -> Mapping[str, Json] | None:
        """The model; None where it does not exist or our key has no access, which getModels does not tell apart."""
        reply = await self._client.call("getModels", {"offset": 0, "limit": 20, "filter": {"ids": [model]}})
        models = reply.body.get("models")
        if not isinstance(models, list):
            raise UnreadableError(_("{title} answered without a list of models.", title=TITLE))
        return next((each for each in models if isinstance(each, dict) and each.get("id") == model), None)

    async def _known_model(self, model: str) -> Mapping[str, Json]:
        found = await self._model(model)
        if found is None:
            sentence = _(
                "{title} shows no model `{model}`: there is none, or this API key has no access to it.",
                title=TITLE,
                model=model,
            )
            raise RejectedError(sentence, code="model_not_found")
        return found

    # The powers

    async def cancel(self, watched: Watched) -> None:
        """Cooperative: the model's code is asked to stop, and the training goes on until it does."""
        try:
            await self._client.call("cancelTrainingSession", _names(watched))
        except RejectedError as error:
            if error.code != "training_session_not_running":
                raise

    def can_see(self, watched: Watched) -> bool:
        return self._contract is STATES

    async def survey(self, watched: Watched) -> Mapping[str, Json]:
        model = await self._model(watched.model)
        return {"activeState": _active_state(model)} if model else {}

    async def promote(self, watched: Watched) -> None:
        state = _created_state(watched)
        if self._contract is not STATES:
            raise RejectedError(_("{title} cannot switch to a model under the contract `versions`.", title=TITLE))
        if not state:
            raise RejectedError(
                _("{title} named no state that the training left; there is nothing to switch to.", title=TITLE)
            )
        await self._client.call("setActiveModelState", {"modelId": watched.model, "stateId": state}, once=True)

    async def serving(self, watched: Watched, before: Mapping[str, Json]) -> Serving:
        state, model = _created_state(watched), await self._model(watched.model)
        active = _active_state(model) if model else ""
        former = before.get("activeState")
        parts = ((_("state"), active, former if isinstance(former, str) else ""),) if active else ()
        return Serving(is_new=bool(state) and active == state, parts=parts)

    def references(self, words: Mapping[str, str]) -> tuple[Reference, ...]:
        return (Reference(model=words["model"], params={}, remote_id=words["session"]),)


# -- what there is ----------------------------------------------------------------------------------------------------


def _choices(things: Sequence[Mapping[str, Json]]) -> list[Choice]:
    return [Choice(value=_id(thing), label=f"{thing.get('name', '')} ({_id(thing)})") for thing in things]


def _dataset_choices(dataset: Mapping[str, Json]) -> list[Choice]:
    keys = dataset.get("keys")
    names = [key.get("name") for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
    return [
        Choice(value=f"{name}=dataset:{_id(dataset)}/{name}", label=f"{dataset.get('name', '')}: {name}")
        for name in names
    ]


def _held(dataset: Mapping[str, Json]) -> str:
    entries = dataset.get("entries")
    counts = [entries.get(key) for key in ("count", "totalByteSize")] if isinstance(entries, dict) else [None, None]
    count, size = (one if isinstance(one, int) and not isinstance(one, bool) else None for one in counts)
    name = dataset.get("name")
    told = [
        *([name] if isinstance(name, str) and name else []),
        _("entries not told") if count is None else ngettext("{count:,} entry", "{count:,} entries", count),
        *([ngettext("{count:,} byte", "{count:,} bytes", size)] if size is not None else []),
    ]
    return joined(", ", told)


# -- reading a model --------------------------------------------------------------------------------------------------


def _refuse_other_contract(model: Mapping[str, Json], contract: Contract) -> None:
    other = OTHER[contract.name]
    if contract.mark not in model and other.mark in model:
        sentence = _(
            "{title} speaks the contract `{theirs}`, this Switchyard `{ours}`. Have its operator set "
            "{setting}={theirs}, then ask for the training again.",
            title=TITLE,
            theirs=other.name,
            ours=contract.name,
            setting=setting(NAME, "contract"),
        )
        raise RejectedError(sentence)


def _sessions(model: Mapping[str, Json]) -> list[str] | None:
    """The ids of all sessions, going on and ended; None where the model does not list them."""
    lists = [model.get("ongoingTrainingSessions"), model.get("trainingSessions")]
    if not all(isinstance(each, list) for each in lists):
        return None
    return list(dict.fromkeys(filter(None, (_id(session) for each in lists for session in each or ()))))


def _called(model: Mapping[str, Json], name: str) -> list[Mapping[str, Json]]:
    versions = model.get("versions")
    if not isinstance(versions, list):
        raise UnreadableError(_("{title} answered without the versions of the model.", title=TITLE))
    return [version for version in versions if isinstance(version, dict) and version.get("name") == name]


def _id(thing: Json) -> str:
    """An id, given as such or as the `id` of an object."""
    value = thing.get("id") if isinstance(thing, dict) else thing
    return value if isinstance(value, str) else ""


def _active_state(model: Mapping[str, Json]) -> str:
    return _id(model.get("activeState"))


def _find_version(plan: Plan, claim: Mapping[str, Json], model: Mapping[str, Json]) -> Found:
    before, name = claim.get("versions"), _new_name(plan)
    if not isinstance(before, list):
        return Found(word=_("which versions were there before the start is not known"))
    new = [version for version in _called(model, name) if _id(version) not in before]
    sessions = [_training_session(version) for version in new]
    if all(sessions):
        return _found(sessions, _versions_in_training(len(sessions), name))
    return Found(
        word=_(
            "of the new versions called {name} not all are in training: {versions}",
            name=name,
            versions=_listed(map(_id, new)),
        )
    )


def _versions_in_training(count: int, name: str) -> str:
    return ngettext(
        "{count} new version called {name} is in training",
        "{count} new versions called {name} are in training",
        count,
        name=name,
    )


def _training_session(version: Mapping[str, Json]) -> str:
    """The session that trains a version; empty where it is `created` already, which may be somebody else's doing."""
    status = version.get("status")
    if not isinstance(status, dict) or status.get("state") != "training":
        return ""
    return _id(status.get("trainingSessionId"))


def _found(candidates: list[str], counted: str) -> Found:
    """Exactly one is the one; several are shown to the person who is asked, after the words that count them."""
    if len(candidates) == 1:
        return Found(remote_id=candidates[0])
    return Found(word=joined(": ", [counted, _listed(candidates)]) if candidates else counted)


def _listed(ids: Any) -> str:
    return ", ".join(list(ids)[:5])


def _new_name(plan: Plan) -> str:
    name: str = plan.body["params"][CONTRACTS[plan.body["contract"]].new_name]
    return name


# -- reading what is watched ------------------------------------------------------------------------------------------


def _remote_id(watched: Watched) -> str:
    if watched.remote_id is None:
        raise RejectedError(_("The id of this training at {title} is not known.", title=TITLE))
    return watched.remote_id


def _names(watched: Watched) -> dict[str, Json]:
    return {"modelId": watched.model, "trainingSessionId": _remote_id(watched)}


def _created_state(watched: Watched) -> str:
    left = watched.last.result.get(STATES.created) if watched.last else None
    return left if isinstance(left, str) else ""
