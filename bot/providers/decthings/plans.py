"""What is said to Decthings to start a training: the arguments, the body, the lines for people, the frame."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.arguments import Argument, Arguments, Family, Kind
from bot.domain.recurring import EVERY
from bot.domain.requests import Json, TrainRequest
from bot.errors import UsageError
from bot.providers.decthings.contracts import CONTRACTS, OTHER, Contract
from bot.providers.decthings.parameters import is_dataset, parse_parameter, shown, to_tensor, written
from bot.providers.decthings.refusals import NAME
from bot.providers.decthings.wire import MOST_BLOBS, encode_tensor
from bot.providers.section import setting
from bot.sentences import _

PARAMETERS = "parameters"
OPTIONS = ("launcher", "cpus", "memory", "gpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How people are told of what a training makes, and of what it starts from."""

    name_what: str
    source_what: str
    made: str
    active: str


WORDINGS: Mapping[str, Wording] = {
    "states": Wording(
        name_what=_("the name of the state that the training makes"),
        source_what=_("the state to start from; else the active one"),
        made=_("New state"),
        active=_("the active state"),
    ),
    "versions": Wording(
        name_what=_("the name of the version that the training makes"),
        source_what=_("the version to start from"),
        made=_("New version"),
        active=_("the active version"),
    ),
}
"""By the name of the contract."""

# -- arguments --------------------------------------------------------------------------------------------------------


def arguments_of(contract: Contract) -> Arguments:
    """The arguments under a contract: they differ in what a training starts from."""
    model = Argument(name="model", label="MODEL-ID", what=_("the id of the model"), refuse=_refuse_blank)
    session = Argument(
        name="session", label="SESSION-ID", what=_("the id of the training session"), refuse=_refuse_blank
    )
    return Arguments(
        positionals=(model, _new_name(contract)),
        options=(_source(contract), *_LOCATION, EVERY),
        families=(_parameters(contract),),
        model="model",
        examples=_examples(contract),
        reference=(model, session),
        reference_example="/status decthings mdl-sentiment 22222222-2222-4222-8222-222222222222",
    )


def _examples(contract: Contract) -> tuple[str, ...]:
    start = (
        f"/train decthings mdl-sentiment reviews-2 {'version=st-sentiment-1 ' if contract.option == 'version' else ''}"
    )
    return (
        f"{start}train=dataset:ds-reviews/train labels=dataset:ds-reviews/labels epochs=u32:10",
        f"{start}rate=f64:0.001 layers=u16:128,64,32 cpus=2 memory=4096",
    )


def _new_name(contract: Contract) -> Argument:
    return Argument(
        name="name",
        label=f"NEW-{contract.option.upper()}-NAME",
        what=WORDINGS[contract.name].name_what,
        refuse=_refuse_blank,
        unique=True,
    )


def _source(contract: Contract) -> Argument:
    return Argument(
        name=contract.option,
        label=f"{contract.option}=ID",
        what=WORDINGS[contract.name].source_what,
        required=_is_required(contract),
        refuse=_refuse_blank,
    )


def _is_required(contract: Contract) -> bool:
    return contract.option == "version"


def _parameters(contract: Contract) -> Family:
    return Family(
        name=PARAMETERS,
        prefix="param.",
        label="NAME=dataset:ID/KEY | NAME=TYPE:VALUE[,VALUE]",
        what=_("a parameter of the model's train function: a key of a data set, or values such as `f64:0.001`"),
        parse=_parser(contract),
        write=written,
        is_open=True,
    )


def _parser(contract: Contract) -> Callable[[str, str], Json]:
    def parse(name: str, text: str) -> Json:
        if ":" not in text:
            _refuse_other_contract(name, contract)
            _refuse_misspelt(name, text, (contract.option, *OPTIONS))
        return parse_parameter(name, text)

    return parse


def _refuse_other_contract(name: str, contract: Contract) -> None:
    if name == OTHER[contract.name].option:
        raise UsageError(_belongs_elsewhere(contract), word=name)


def _belongs_elsewhere(contract: Contract) -> str:
    other = OTHER[contract.name]
    return _(
        "`{option}=` belongs to Decthings' contract `{theirs}`, but {setting} is `{ours}`. There is `{instead}=` "
        "instead.",
        option=other.option,
        theirs=other.name,
        setting=setting(NAME, "contract"),
        ours=contract.name,
        instead=contract.option,
    )


def _refuse_misspelt(name: str, text: str, options: Sequence[str]) -> None:
    near = difflib.get_close_matches(name.lower(), options, n=1, cutoff=0.7)
    if near:
        sentence = _("There is no option `{name}`.", name=name)
        raise UsageError(sentence, word=name, suggestion=f"{near[0]}={text}")


def _refuse_blank(text: str) -> str | None:
    return None if text.strip() else _("It cannot be empty.")


def _refuse_gpu(text: str) -> str | None:
    model, colon, count = text.rpartition(":")
    if not colon and text.strip():
        return None
    if model.strip() and re.fullmatch("[1-9][0-9]{0,3}", count):
        return None
    return _('`{text}` is not written MODEL:COUNT, such as `L4:1` or `"A100 80GB:2"`.', text=text)


_LOCATION = (
    Argument(
        name="launcher",
        label="launcher=ID",
        what=_("the persistent launcher to run on; else the configured one"),
        required=False,
        refuse=_refuse_blank,
    ),
    Argument(
        name="cpus",
        label="cpus=N",
        what=_("CPUs of a temporary launcher; with memory="),
        kind=Kind.DECIMAL,  # 0.125 to 2 in older, any number in newer versions of the client (src/types.ts)
        required=False,
    ),
    Argument(
        name="memory",
        label="memory=MIB",
        what=_("memory of a temporary launcher in MiB; with cpus="),
        kind=Kind.INTEGER,
        required=False,
    ),
    Argument(
        name="gpu",
        label="gpu=MODEL[:COUNT]",
        what=_("graphics processors of a temporary launcher"),
        required=False,
        refuse=_refuse_gpu,
    ),
)


# -- checks of combinations -------------------------------------------------------------------------------------------


def check(request: TrainRequest, contract: Contract, launcher: str) -> None:
    """Raise UsageError for arguments that do not go together. `launcher` is the configured one."""
    _check_source(request.params, contract)
    _check_location(request.params, launcher)
    count = len(request.params.get(PARAMETERS, {}))
    if count > MOST_BLOBS:
        raise UsageError(
            _("Decthings takes at most {most} parameters; these are {given}.", most=MOST_BLOBS, given=count)
        )


def _check_source(params: Mapping[str, Json], contract: Contract) -> None:
    if OTHER[contract.name].option in params:
        raise UsageError(_belongs_elsewhere(contract), word=OTHER[contract.name].option)
    if _is_required(contract) and not params.get(contract.option):
        raise UsageError(
            _("Add `{option}=ID`: Decthings has to be told which version to start from.", option=contract.option)
        )


def _check_location(params: Mapping[str, Json], launcher: str) -> None:
    temporary = [name for name in ("cpus", "memory", "gpu") if name in params]
    if "launcher" in params and temporary:
        word = temporary[0]
        sentence = _(
            "`launcher=` names a launcher that exists, `{option}=` describes a new one: say one of them.", option=word
        )
        raise UsageError(sentence, word=word)
    for missing in ("cpus", "memory"):
        if temporary and missing not in params:
            sentence = _(
                "`{option}=` needs `{missing}=` beside it, such as `cpus=2 memory=4096`.",
                option=temporary[0],
                missing=missing,
            )
            raise UsageError(sentence, word=temporary[0])
    if "cpus" in params and not params["cpus"] > 0:
        raise UsageError(_("`cpus=` needs more than none, such as `cpus=2` or `cpus=0.5`."), word="cpus")
    if not (temporary or params.get("launcher") or launcher):
        sentence = _(
            "Say where it is to run: `launcher=ID`, or `cpus=2 memory=4096` for a temporary launcher. With {setting} "
            "set, that one is used.",
            setting=setting(NAME, "launcher"),
        )
        raise UsageError(sentence)


# -- body, summary, frame ---------------------------------------------------------------------------------------------


def to_body(request: TrainRequest, contract: Contract, launcher: str) -> dict[str, Json]:
    """Everything the start is made of: `params` go out as JSON, each of `values` as the blob of an inline parameter."""
    named: Mapping[str, Json] = request.params.get(PARAMETERS, {})
    source = request.params.get(contract.option)
    return {
        "contract": contract.name,
        "params": {
            "modelId": request.model,
            **({contract.source: source} if source else {}),
            contract.new_name: request.params["name"],
            "params": [_provider(name, value) for name, value in named.items()],
            "executionLocation": _location(request.params, launcher),
        },
        "values": [value for value in named.values() if not is_dataset(value)],
    }


def _provider(name: str, value: Mapping[str, Json]) -> dict[str, Json]:
    # A parameter without data owns the next blob. The form `data: {type: 'data', …}` of the page is refused by the
    # official client and is not one of the wire.
    return {"name": name, "data": dict(value)} if is_dataset(value) else {"name": name}


def _location(params: Mapping[str, Json], launcher: str) -> dict[str, Json]:
    if "cpus" in params:
        return {"type": "temporaryLauncher", "spec": _spec(params)}
    return {"type": "persistentLauncher", "persistentLauncherId": params.get("launcher") or launcher}


def _spec(params: Mapping[str, Json]) -> dict[str, Json]:
    cpus = float(params["cpus"])
    spec = {"cpus": int(cpus) if cpus.is_integer() else cpus, "memoryMebibytes": params["memory"]}
    return spec | ({"gpus": _gpus(params["gpu"])} if "gpu" in params else {})


def _gpus(text: str) -> dict[str, Json]:
    """One object, not a list (src/types.ts); models are written like "L4" or "A100 80GB"."""
    model, colon, count = text.rpartition(":")
    return {"model": model, "count": int(count)} if colon else {"model": count, "count": 1}


def to_summary(body: Mapping[str, Json]) -> tuple[tuple[str, str], ...]:
    """The lines that people read before they say yes."""
    params, contract, wording = body["params"], CONTRACTS[body["contract"]], WORDINGS[body["contract"]]
    values = iter(body["values"])
    named = [(param["name"], param.get("data") or next(values)) for param in params["params"]]
    return (
        (wording.made, params[contract.new_name]),
        (_("Starts from"), params.get(contract.source) or wording.active),
        *((_("Parameter {name}", name=name), shown(value)) for name, value in named),
        (_("Runs on"), _shown_location(params["executionLocation"])),
    )


def _shown_location(location: Mapping[str, Json]) -> str:
    if "spec" not in location:
        return _("launcher {launcher}", launcher=location["persistentLauncherId"])
    spec = location["spec"]
    cpus, memory = spec["cpus"], spec["memoryMebibytes"]
    if "gpus" not in spec:
        return _("a temporary launcher: {cpus} CPU, {memory:,} MiB", cpus=cpus, memory=memory)
    return _(
        "a temporary launcher: {cpus} CPU, {memory:,} MiB, {gpus} × {gpu}",
        cpus=cpus,
        memory=memory,
        gpus=spec["gpus"]["count"],
        gpu=spec["gpus"]["model"],
    )


def to_blobs(body: Mapping[str, Json]) -> list[bytes]:
    """The tensors of the inline parameters, in their order."""
    return [encode_tensor(to_tensor(value)) for value in body["values"]]
