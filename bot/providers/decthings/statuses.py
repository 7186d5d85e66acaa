"""What a training session says of itself, in our words. Shapes: src/rpc/model.ts of the official JavaScript client."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from bot.domain.jobs import Phase, RemoteStatus
from bot.domain.requests import Json
from bot.errors import UnreadableError
from bot.providers.decthings.contracts import CONTRACTS
from bot.providers.decthings.refusals import TITLE
from bot.providers.decthings.wire import FrameError, Message, decode_tensors
from bot.sentences import _, joined

WORDS: Mapping[str, Phase] = {
    "starting": Phase.QUEUED,
    "running": Phase.RUNNING,
    "gettingState": Phase.RUNNING,  # contract `states`
    "gettingWeights": Phase.RUNNING,  # contract `versions`
    "completed": Phase.TRAINED,
    "failed": Phase.FAILED,  # also a cancelled one: there is no state of its own for it
}

REASONS: Mapping[str, str] = {
    "cancelled": _("cancelled"),
    "launcher_terminated": _("its launcher was terminated"),
    "server_overloaded": _("the server was overloaded"),
    "invalid_executable_file": _("its executable file is not valid"),
    "read_executable_file_failed": _("its executable file could not be read"),
    "unknown": _("Decthings gives no reason"),
    "exception": _("an exception"),
    "code_terminated": _("its code ended"),
    "max_duration_exceeded": _("it took too long"),
}

MOST_METRICS = 8
MILLISECONDS_FROM = 1e11
"""The unit of times is not documented; a number above this cannot be seconds (it would be the year 5138)."""


def to_status(session: Mapping[str, Json], clean: Callable[[str], str] = str) -> RemoteStatus:
    """Read the result of getTrainingStatus. UnreadableError where it has no state in words."""
    status = session.get("status")
    word = status.get("state") if isinstance(status, dict) else None
    if not isinstance(status, dict) or not isinstance(word, str):
        raise UnreadableError(_("{title} answered without the state of the training.", title=TITLE))
    phase = WORDS.get(word)
    return RemoteStatus(
        phase=Phase.CANCELLED if phase is Phase.FAILED and _reason(status) == "cancelled" else phase,
        word=word if phase else clean(word),
        is_known=phase is not None,
        detail=_detail(phase, status, clean),
        progress=_percent(status.get("progress")) if phase is Phase.RUNNING else None,
        result=_result(status) if phase is Phase.TRAINED else {},
    )


def _detail(phase: Phase | None, status: Mapping[str, Json], clean: Callable[[str], str]) -> str:
    if phase is Phase.FAILED:
        return _failure(status, clean)
    progress = _number(status.get("progress"))
    if phase is Phase.RUNNING and progress is not None and _percent(progress) is None:
        return _("progress {progress:g}", progress=progress)
    return ""


def _percent(progress: Json) -> float | None:
    """Progress is whatever the model's code reports, unchecked; that 0 to 1 is a share of the whole is a guess."""
    share = _number(progress)
    return share * 100 if share is not None and 0 <= share <= 1 else None


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _reason(status: Mapping[str, Json]) -> str:
    code = _failed(status).get("code")
    return code if isinstance(code, str) else ""


def _failed(status: Mapping[str, Json]) -> Mapping[str, Json]:
    reason = status.get("failReason")
    return reason if isinstance(reason, dict) else {}


def _failure(status: Mapping[str, Json], clean: Callable[[str], str]) -> str:
    """The reason, where it arose, and what is said of it: `an exception in train: ValueError: x`."""
    reason, code = _failed(status), _reason(status)
    at, said = reason.get("at"), reason.get("exceptionDetails")
    why = REASONS.get(code, clean(code))
    if isinstance(at, str) and at:
        why = _("{reason} in {function}", reason=why, function=clean(at))
    if isinstance(said, str) and said.strip():
        return joined(": ", [why, clean(_essence(said))])
    facts = _ending(reason)
    return _("{reason} ({facts})", reason=why, facts=facts) if facts else why


def _essence(exception: str) -> str:
    """The telling line: the last of Python's traceback, else all of it from the front."""
    text = exception.strip()
    return text.splitlines()[-1] if text.startswith("Traceback") else text


def _ending(reason: Mapping[str, Json]) -> str:
    """How the code ended; "" where nothing is told of it."""
    code, signal = _number(reason.get("exitCode")), reason.get("signal")
    facts = [
        _("exit code {code:g}", code=code) if code is not None else "",
        _("signal {signal}", signal=signal[:20]) if isinstance(signal, str) and signal else "",
        _("out of memory") if reason.get("oom") is True else "",
    ]
    return joined(", ", filter(None, facts))


def _result(status: Mapping[str, Json]) -> dict[str, Json]:
    """What the training left: `createdStateId` or `createdVersionId`, and `finishedAt` in ISO 8601."""
    keys = [contract.created for contract in CONTRACTS.values()]
    left = {key: status[key] for key in keys if isinstance(status.get(key), str) and status[key]}
    finished_at = to_time(status.get("finishedAt"))
    return left | ({"finishedAt": finished_at.isoformat()} if finished_at else {})


def to_time(value: Json) -> datetime | None:
    """Epoch seconds or milliseconds, told apart by their size; None for anything else."""
    moment = _number(value)
    if moment is None:
        return None
    try:
        return datetime.fromtimestamp(moment / 1000 if moment > MILLISECONDS_FROM else moment, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def wanted_metrics(session: Mapping[str, Json]) -> list[dict[str, Json]]:
    """What getTrainingMetrics is to be asked for: the last entry of each metric."""
    listed = session.get("metrics")
    metrics = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [
        {"name": each["name"], "startIndex": int(amount) - 1, "amount": 1}
        for each in metrics[:MOST_METRICS]
        if isinstance(each.get("name"), str) and (amount := _number(each.get("amount"))) and amount >= 1
    ]


def to_metrics(reply: Message) -> dict[str, float]:
    """The last value by name, of metrics that are single numbers. Blob k belongs to the kth entry in reading order."""
    values = map(_single, reply.blobs)
    return {name: value for name, value in zip(_entries(reply.body), values, strict=False) if value is not None}


def _entries(body: Mapping[str, Json]) -> list[str]:
    """The name of the metric of each entry, in reading order."""
    metrics = body.get("metrics")
    names = []
    for metric in metrics if isinstance(metrics, list) else ():
        entries = metric.get("entries") if isinstance(metric, dict) else None
        names += [str(metric.get("name"))] * len(entries) if isinstance(entries, list) else []
    return names


def _single(blob: bytes) -> float | None:
    try:
        tensors = decode_tensors(blob)
    except FrameError:
        return None
    elements = tensors[0].elements if tensors else ()
    return _number(elements[0]) if len(elements) == 1 else None
