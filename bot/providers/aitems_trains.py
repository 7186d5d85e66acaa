"""The trainings of NAVER Cloud AiTEMS as it tells them: its words, its lists, and one status for a job of several.

The pages named here are under https://api.ncloud-docs.com/docs/en/ai-application-service-aitems-service-…; "recorded"
are replies that a customer published in April 2022 (github.com/seung-seok/AiTEMS).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

from bot.domain.jobs import Phase, RemoteStatus
from bot.domain.requests import Json
from bot.errors import UnreadableError
from bot.providers.http import Reply, read_object
from bot.sentences import _

TITLE = "NAVER Cloud AiTEMS"
TYPES = ("personalRecommend", "relatedItem", "pop")

# trainread. The page lists states without saying which of them are ends: that is our reading. In its list a backslash
# stands before `learningFailed` where a bar belongs, so that copies of it know a state "stopping \ learningFailed".
WORDS: Mapping[str, Phase] = {
    "requesting": Phase.QUEUED,
    "waiting": Phase.QUEUED,
    "learning": Phase.RUNNING,
    "stopping": Phase.STOPPING,
    "completed": Phase.TRAINED,
    "requestFailed": Phase.FAILED,
    "refinedFailed": Phase.FAILED,
    "learningFailed": Phase.FAILED,
}
STOPPING = "stopping"
READY = "ready"
"""Documented as "training available", and the only word that can follow `stopping`: an end after it, else no move."""
ENDS = frozenset({Phase.TRAINED, Phase.FAILED, Phase.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """One training as the list and the view tell it (trainlist, trainread)."""

    type: str
    version: str
    word: str
    description: str = ""
    created: str = ""
    has_results: bool | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.type, self.version


def read_train(row: Json) -> Train | None:
    """A training object; None where it does not say which training it is, or not in words how it goes."""
    if not isinstance(row, dict):
        return None
    kind, version, word = (row.get(key) for key in ("type", "version", "status"))
    if not (isinstance(kind, str) and isinstance(version, str) and isinstance(word, str) and kind and version):
        return None
    has_results = row.get("inference")
    return Train(
        type=kind,
        version=version,
        word=word,
        description=_text(row.get("description")),
        created=_text(row.get("createdDate")),
        has_results=has_results if isinstance(has_results, bool) else None,
    )


def read_trains(reply: Reply) -> Mapping[tuple[str, str], Train]:
    """The trainings of a list by type and version. UnreadableError where it is no list."""
    rows = read_object(reply, TITLE).get("trains")
    if not isinstance(rows, list):
        raise UnreadableError(_("{title} answered without a list of trainings.", title=TITLE))
    trains = [train for row in rows if (train := read_train(row)) is not None]
    return {train.key: train for train in reversed(trains)}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def to_remote_id(keys: Iterable[tuple[str, str]]) -> str:
    """The id of a job: its trainings as `pop:v1,relatedItem:v2`."""
    return ",".join(f"{quote(kind, safe='')}:{quote(version, safe='')}" for kind, version in keys)


def to_keys(remote_id: str) -> tuple[tuple[str, str], ...]:
    """The trainings (type, version) of a job."""
    pairs = (part.partition(":") for part in remote_id.split(",") if part)
    return tuple((unquote(kind), unquote(version)) for kind, _colon, version in pairs)


def pick_ours(trains: Iterable[Train], kind: str, claim: Mapping[str, Json]) -> Train | None:
    """The training of this type that the start made, if exactly one can be it.

    Where descriptions are told, only our mark counts; where none of the new trainings has one, their number decides.
    """
    known = (claim.get("known") or {}).get(kind) or []
    new = [train for train in trains if train.type == kind and train.version not in known]
    told = [train for train in new if train.description]
    ours = [train for train in told if claim.get("marker") and claim["marker"] in train.description] if told else new
    return ours[0] if len(ours) == 1 else None


def to_status(trains: Sequence[Train], last: RemoteStatus | None, zone: ZoneInfo) -> RemoteStatus:
    """One job from all its trainings. It ends when all have ended: trained, if each is, else failed, saying which."""
    stopped = _stopped_before(last)
    phases = [_phase(train, stopped) for train in trains]
    unknown = list(dict.fromkeys(train.word for train in trains if train.word not in WORDS and train.word != READY))
    seen = RemoteStatus(
        phase=_joined(phases),
        word=", ".join(unknown or dict.fromkeys(train.word for train in trains)),
        is_known=not unknown,
        detail=_detail(trains, phases),
        metrics=_requested_at(trains, zone),
        parts=tuple((train.type, _line(train)) for train in trains) if len(trains) > 1 else (),
        result=_result(trains, stopped, phases),
    )
    return replace(seen, is_live=all(train.has_results for train in trains)) if seen.phase is Phase.TRAINED else seen


def _phase(train: Train, stopped: frozenset[str]) -> Phase | None:
    if train.word == READY and to_remote_id([train.key]) in stopped:
        return Phase.CANCELLED
    return WORDS.get(train.word)


def _joined(phases: Sequence[Phase | None]) -> Phase | None:
    if all(phase in ENDS for phase in phases):
        return phases[0] if len(set(phases)) == 1 else Phase.FAILED
    going = [phase for phase in phases if phase is not None and phase not in ENDS]
    if not going:
        return None
    most = min(going, key=(Phase.RUNNING, Phase.STOPPING, Phase.QUEUED).index)
    # Where one has ended the job has run: another that still waits does not put it back into the queue.
    return Phase.RUNNING if most is Phase.QUEUED and not ENDS.isdisjoint(phases) else most


def _detail(trains: Sequence[Train], phases: Sequence[Phase | None]) -> str:
    """Of several trainings that have all ended, and not all well: which did how."""
    if len(trains) < 2 or _joined(phases) is not Phase.FAILED:
        return ""
    return ", ".join(f"{train.type}: {train.word}" for train in trains)


def _line(train: Train) -> str:
    has_results = train.word == "completed" and train.has_results
    return _("{word}, results ready", word=train.word) if has_results else train.word


def _stopped_before(last: RemoteStatus | None) -> frozenset[str]:
    kept = last.result.get(STOPPING) if last else None
    return frozenset(kept if isinstance(kept, list) else [])


def _result(trains: Sequence[Train], stopped: frozenset[str], phases: Sequence[Phase | None]) -> dict[str, Json]:
    """What later looks need: the trainings that were seen stopping; and what is left in the end, the versions."""
    stopping = stopped | {to_remote_id([train.key]) for train in trains if train.word == STOPPING}
    result: dict[str, Json] = {STOPPING: sorted(stopping)} if stopping else {}
    if _joined(phases) is Phase.TRAINED:
        result["versions"] = {train.type: train.version for train in trains}
    return result


def _requested_at(trains: Sequence[Train], zone: ZoneInfo) -> dict[str, Json]:
    """When the first of the trainings was requested, ISO 8601 in UTC. `createdDate` is glossed as the service's date,
    but recorded values are the training's."""
    times = [at for train in trains if (at := read_time(train.created, zone)) is not None]
    return {"requested at": min(times).isoformat(timespec="seconds")} if times else {}


def read_time(text: str, zone: ZoneInfo) -> datetime | None:
    """A time of the service in UTC; one without an offset counts as local to `zone`."""
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
