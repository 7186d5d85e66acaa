"""NAVER Cloud AiTEMS: recommendations, trained on a service's datasets, live by themselves when they are finished.

The pages named here are under https://api.ncloud-docs.com/docs/en/ai-application-service-aitems-service-…; common facts
are on https://api.ncloud-docs.com/docs/en/aitems-overview, the gateway's errors on
https://api-gov.ncloud-docs.com/docs/api-call-lgc-errorhandling. "Recorded" are replies that a customer published in
April 2022 (github.com/seung-seok/AiTEMS).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field
from yarl import URL

from bot.domain.arguments import Argument, Arguments, Choice, Family, Kind
from bot.domain.jobs import RemoteStatus
from bot.domain.recurring import EVERY
from bot.domain.requests import Json, Payload, Plan, TrainRequest
from bot.errors import (
    BrokenError,
    CredentialsError,
    Effect,
    NotConfiguredError,
    NotFoundError,
    ProviderError,
    RateLimitedError,
    RejectedError,
    UnreachableError,
    UnreadableError,
    UsageError,
)
from bot.ports import Found, Gate, Powers, Provider, Reference, Watched
from bot.providers.aitems_trains import (
    TITLE,
    TYPES,
    Train,
    pick_ours,
    read_train,
    read_trains,
    to_keys,
    to_remote_id,
    to_status,
)
from bot.providers.defaults import Defaults
from bot.providers.http import Http, Reply, Tools, read_object
from bot.providers.ncloud_signature import signed_headers
from bot.providers.section import Address, Secret, Section, read_section, setting
from bot.sentences import _, joined, ngettext

NAME = "aitems"
DOCUMENTED_BASE = "https://aitems.apigw.ntruss.com/api/v1"  # aitems-overview

# create and read: the states of a service, of which only `learnable` is explained as "can train".
UNFIT: Mapping[str, str] = {
    "datasetRequired": _("it has no datasets yet; attach a user, an item and an interaction dataset first"),
    "drafted": _("it is a draft; finish it in the console first"),
    "disable": _("it cannot be trained (`disable`)"),
    "requestLearning": _("a training was just requested there; start again when that has ended"),
    "learning": _("it is in training, and a second start is not documented; start again when that has ended"),
    "scheduled": _("it trains by its own schedule"),
    "scheduledLearning": _("it trains by its own schedule"),
    "deleting": _("it is being deleted"),
    "deleted": _("it was deleted"),
}

MOST_IN_DESCRIPTION = 100
"""Documented for the description of a service (create); that it holds for a training's (learning) is assumed."""
ROOM_FOR_MARKER = 16

# learning: these three have ranges there; the names of others are cut off in every copy of the page.
HP_RANGES: Mapping[str, tuple[int, int]] = {
    "session_max_timestamp": (10, 86_400),
    "item_top_n": (1_000, 500_000),
    "min_item_cut": (1, 1_000),
}

MANAGER = "NCP_AITEMS_MANAGER"  # https://guide.ncloud-docs.com/docs/en/aitems-subaccount
AUTHENTICATION_FAILED, NOT_SUBSCRIBED, QUOTA_EXCEEDED = "200", "210", "400"
CLOCK_WINDOW = timedelta(minutes=5)  # aitems-overview
QUOTA_PAUSE = 600.0


# -- configuration ----------------------------------------------------------------------------------------------------


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone; one is called Asia/Seoul") from None
    return name


class Config(Section):
    """The section `aitems`.

    `timezone` is that of times without an offset: no page names it, recorded ones fit Korea's. No page names a rate
    either; NAVER's sibling services state one call a second.
    """

    base_url: Address = DOCUMENTED_BASE
    access_key: Secret
    secret_key: Secret
    timezone: Annotated[str, AfterValidator(_check_zone)] = "Asia/Seoul"
    per_second: float = Field(default=1.0, gt=0, allow_inf_nan=False)


def build(section: Mapping[str, Any], tools: Tools) -> Provider:
    """The provider. NotConfiguredError names the settings that lack, ConfigurationError those that are wrong."""
    lacking = tuple(setting(NAME, key) for key in ("access_key", "secret_key") if not section.get(key))
    if lacking:
        raise NotConfiguredError(TITLE, lacking)
    return AiTems(read_section(Config, NAME, section), tools)


# -- what can be said to it -------------------------------------------------------------------------------------------


def _refuse_id(text: str) -> str | None:
    # Recorded ids are 11 small letters and digits. Only what would change the address is refused.
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        return None
    return _("`{text}` is no id of {title}; one looks like `svcmovies01`.", text=text, title=TITLE)


def parse_hp(name: str, text: str) -> Json:
    """The value of `hp.NAME=TEXT`: JSON where it is some, else the text. UsageError where it cannot be meant."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name):
        raise UsageError(_("`hp.{name}` is no name of an option.", name=name), word=f"hp.{name}")
    if not text:
        raise UsageError(_("`hp.{name}=` lacks its value.", name=name), word=f"hp.{name}")
    value = _read_value(text)
    _refuse_out_of_range(name, text, value)
    if name == "is_enabled" and value is not True:
        raise UsageError(_("HPO is off by itself where no `hp.` option is given."), word=f"hp.{name}={text}")
    return value


def write_hp(value: Json) -> str:
    """What `parse_hp` reads as this value."""
    is_plain = isinstance(value, str) and _read_value(value) == value
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)


def _read_value(text: str) -> Json:
    try:
        value = json.loads(text)
        # What cannot be written again, as JSON in UTF-8, was none: NaN, 1e999, half a character.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return text
    return value


def _refuse_out_of_range(name: str, text: str, value: Json) -> None:
    if name not in HP_RANGES:
        return
    least, most = HP_RANGES[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        sentence = _(
            "`hp.{name}` is a number from {least:,} to {most:,}, not `{text}`.",
            name=name,
            least=least,
            most=most,
            text=text,
        )
        raise UsageError(sentence, word=text)


SERVICE_ID = Argument(
    name="service", label="SERVICE-ID", what=_("the AiTEMS service, of type batch"), refuse=_refuse_id
)
ARGUMENTS = Arguments(
    positionals=(
        SERVICE_ID,
        Argument(
            name="types",
            label="TYPE[,TYPE]",
            what=_("what to train: personalRecommend, relatedItem, pop"),
            kind=Kind.WORDS,
            choices=TYPES,
        ),
    ),
    options=(
        Argument(
            name="description",
            label='description="…"',
            what=_("a note of up to {most} characters, our own mark included", most=MOST_IN_DESCRIPTION),
            required=False,
        ),
        EVERY,
    ),
    families=(
        Family(
            name="hp",
            prefix="hp.",
            label="hp.NAME=VALUE",
            what=_("an option of the hyperparameter optimization (HPO), which any of them turns on"),
            parse=parse_hp,
            write=write_hp,
        ),
    ),
    model="service",
    examples=("/train aitems svcmovies01 pop", "/train aitems svcmovies01 pop,relatedItem hp.item_top_n=20000"),
    reference=(
        SERVICE_ID,
        Argument(name="type", label="TYPE", what=_("the type of the training"), choices=TYPES),
        Argument(name="version", label="VERSION", what=_("the version of the training"), refuse=_refuse_id),
    ),
    reference_example="/status aitems svcmovies01 pop v0pop000001",
)


def to_body(request: TrainRequest) -> dict[str, Json]:
    """The body of the start as documented on learning, without our mark: that is put in when the job starts."""
    options = dict(request.params.get("hp") or {})
    body: dict[str, Json] = {
        "types": list(dict.fromkeys(request.params["types"])),
        "hpConfig": {"is_enabled": bool(options), **options},
    }
    description = (request.params.get("description") or "").strip()
    return {**body, "description": description} if description else body


def to_marker(job_id: str) -> str:
    """What makes a training recognisable as that of one job: no other field of it can carry a text of ours."""
    return f"[sy:{job_id}]"


def describe(text: str, marker: str) -> str:
    """The description that is sent: the user's text, cut where needed, and the whole mark.

    Counted in UTF-16 units, the longest count that a service may mean by "characters".
    """
    room = MOST_IN_DESCRIPTION - len(marker) - 1
    cut = text.encode("utf-16-le")[: 2 * max(room, 0)].decode("utf-16-le", "ignore").rstrip()
    return f"{cut} {marker}" if cut else marker


def _summary(body: Mapping[str, Json]) -> tuple[tuple[str, str], ...]:
    options = {name: value for name, value in body["hpConfig"].items() if name != "is_enabled"}
    shown = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in options.items())
    lines = [(_("Types"), ", ".join(body["types"]))]
    if shown:
        lines.append((_("HPO"), shown))
    if "description" in body:
        lines.append((_("Description"), _shown(body["description"])))
    return tuple(lines)


def _shown(description: str) -> str:
    if describe(description, "x" * ROOM_FOR_MARKER).startswith(description):
        return description
    return _(
        "{description} (its end is cut: {most} characters fit with our mark)",
        description=description,
        most=MOST_IN_DESCRIPTION,
    )


# -- errors -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error body. The gateway's codes are numbers that are no HTTP statuses; the backend's are words."""

    code: str = ""
    said: str = ""
    is_backends: bool = False


def read_fault(reply: Reply) -> Fault:
    """Both shapes: the gateway's `{"error": {"errorCode", "message", "details"}}` (documented as JSON or XML, the code
    as a number and as text) and the backend's flat one, whose specific code is in `error` (recorded)."""
    try:
        value = reply.json()
    except ValueError:
        return _read_xml(reply.body.decode("utf-8", "replace"))
    if not isinstance(value, dict):
        return Fault()
    error = value.get("error")
    fields = error if isinstance(error, dict) else value
    said = ": ".join(part for part in (fields.get("message"), fields.get("details")) if isinstance(part, str) and part)
    generic = _code(fields.get("errorCode"))
    if isinstance(error, dict) or generic.isdigit():
        return Fault(code=generic, said=said)
    # A web framework's own error has no errorCode: it says nothing of the thing that was asked for.
    return Fault(code=_code(error) or generic, said=said, is_backends=bool(generic))


def _code(value: Json) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _read_xml(text: str) -> Fault:
    found = {name: said.strip() for name, said in re.findall(r"<(errorCode|message|details)>([^<]*)</\1>", text)}
    said = ": ".join(found[name] for name in ("message", "details") if found.get(name))
    return Fault(code=found.get("errorCode", ""), said=said)


# -- the provider -----------------------------------------------------------------------------------------------------


class AiTems(Defaults):
    """A job is one request for training; it holds a training, with a version of its own, per type."""

    name = NAME
    title = TITLE
    arguments = ARGUMENTS
    powers = Powers(gate=Gate.BEFORE, many=True, watches_live=True)
    listed: tuple[str, ...] = ("service",)

    def __init__(self, config: Config, tools: Tools) -> None:
        self._base = URL(config.base_url)
        self._keys = (config.access_key, config.secret_key)
        self._zone = ZoneInfo(config.timezone)
        self._now: Callable[[], datetime] = tools.now
        self._http = Http(
            title=TITLE,
            sessions=tools.sessions,
            secrets=tuple(key.get_secret_value() for key in self._keys),
            judge=self._judge,
            per_second=config.per_second,
        )

    async def choices(self, argument: str, given: Mapping[str, str]) -> Sequence[Choice]:
        """The services (page list), each with its word: one that cannot be trained now may be ready soon."""
        rows = read_object(await self._send("GET", "/services"), TITLE).get("services")
        found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        return [_choice(row) for row in found if isinstance(row.get("serviceId"), str)]

    def plan(self, request: TrainRequest, payload: Payload | None) -> Plan:
        body = to_body(request)
        return Plan(provider=NAME, model=request.model, body=body, summary=_summary(body))

    # The start

    async def reserve(self, plan: Plan, job_id: str) -> Mapping[str, Json]:
        """The versions that are there before the start, by type, and the mark that ours will carry."""
        await self._refuse_unfit(plan.model)
        trains = await self._list(plan.model)
        known = {
            kind: sorted(train.version for train in trains.values() if train.type == kind)
            for kind in plan.body["types"]
        }
        return {"known": known, "marker": to_marker(job_id)}

    async def _refuse_unfit(self, service: str) -> None:
        """A look ahead that may fail: what it says is only there to spare a start that cannot work."""
        try:
            seen = read_object(await self._send("GET", _path(service)), TITLE)
        except NotFoundError as error:
            sentence = _("{title} knows no service `{service}`.", title=TITLE, service=service)
            raise RejectedError(sentence, status=error.status, code=error.code) from None
        except CredentialsError:
            raise
        except (RejectedError, BrokenError, UnreadableError):
            return
        word = seen.get("status")
        reason = UNFIT.get(word) if isinstance(word, str) else None
        if seen.get("type") == "interval":
            # The page learning takes ids of services of type batch only.
            reason = _(
                "it is of type interval and trains by itself; only services of type batch are trained by request"
            )
        if reason:
            sentence = _("The service `{service}` is not ready: {reason}.", service=service, reason=reason)
            raise RejectedError(sentence, code=str(word or ""))

    async def start(self, plan: Plan, claim: Mapping[str, Json], file: Path | None) -> None:
        """The reply is the service's object and names no training, so there is no id yet."""
        description = describe(plan.body.get("description", ""), claim["marker"])
        reply = await self._send("POST", _path(plan.model), {**plan.body, "description": description})
        read_object(reply, TITLE)

    async def find(self, plan: Plan, claim: Mapping[str, Json], last: Found | None) -> Found:
        """Our trainings in the plain list. They may appear there some time after they were accepted."""
        trains = await self._list(plan.model)
        ours = {kind: pick_ours(trains.values(), kind, claim) for kind in plan.body["types"]}
        found = [train for train in ours.values() if train is not None]
        word = joined(", ", (_seen(kind, train) for kind, train in ours.items()))
        return Found(
            remote_id=to_remote_id(train.key for train in found) if len(found) == len(ours) else None, word=word
        )

    # The watch

    def group(self, watched: Watched) -> str:
        return watched.model

    async def status(self, watched: Watched) -> RemoteStatus:
        seen = (await self.statuses([watched]))[watched.job_id]
        if isinstance(seen, ProviderError):
            raise seen
        return seen

    async def statuses(self, watched: Sequence[Watched]) -> Mapping[str, RemoteStatus | ProviderError]:
        """One plain list answers for all jobs of a service."""
        seen: dict[str, RemoteStatus | ProviderError] = {}
        for service in dict.fromkeys(one.model for one in watched):
            jobs = [one for one in watched if one.model == service]
            try:
                trains = await self._list(service)
            except ProviderError as error:
                seen |= {one.job_id: error for one in jobs}
            else:
                seen |= {one.job_id: await self._status_of(one, trains) for one in jobs}
        return seen

    async def _status_of(
        self, watched: Watched, listed: Mapping[tuple[str, str], Train]
    ) -> RemoteStatus | ProviderError:
        try:
            keys = to_keys(watched.remote_id or "")
            trains = [listed.get(key) or await self._view(watched.model, key) for key in keys]
        except ProviderError as error:
            return error
        if not trains:
            return UnreadableError(_("It is not known yet which training of `{model}` this is.", model=watched.model))
        return to_status(trains, watched.last, self._zone)

    async def _list(self, service: str) -> Mapping[tuple[str, str], Train]:
        return read_trains(await self._send("GET", f"{_path(service)}/trains"))

    async def _view(self, service: str, key: tuple[str, str]) -> Train:
        """One training that the list does not hold; NotFoundError only where the service itself denies it."""
        kind, version = (quote(part, safe="") for part in key)
        train = read_train(
            read_object(await self._send("GET", f"{_path(service)}/trains/{kind}/versions/{version}"), TITLE)
        )
        if train is None or train.key != key:
            raise UnreadableError(
                _(
                    "{title} answered with something that is not the training {type} {version}.",
                    title=TITLE,
                    type=key[0],
                    version=key[1],
                )
            )
        return train

    def references(self, words: Mapping[str, str]) -> tuple[Reference, ...]:
        kind = words["type"]
        remote_id = to_remote_id([(kind, words["version"])])
        return (Reference(model=words["service"], params={"types": [kind]}, remote_id=remote_id),)

    # The wire

    async def _send(self, method: str, path: str, body: Json = None) -> Reply:
        """Send, with a fresh signature; once more with a newer one where the gateway did not accept it, because then
        nothing has happened."""
        try:
            return await self._attempt(method, path, body)
        except CredentialsError as error:
            if error.code != AUTHENTICATION_FAILED:
                raise
        return await self._attempt(method, path, body)

    async def _attempt(self, method: str, path: str, body: Json) -> Reply:
        # What is signed is what is sent, byte for byte. `once` for reading too: aiohttp would repeat a GET with the
        # signature of the first.
        target = self._base.raw_path.rstrip("/") + path
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return await self._http.call(
            method,
            URL(f"{self._base.origin()}{target}", encoded=True),
            once=True,
            headers={**headers, **self._sign(method, target)},
            data=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
        )

    def _sign(self, method: str, target: str) -> Mapping[str, str]:
        access, secret = (key.get_secret_value() for key in self._keys)
        return signed_headers(method, target, self._now(), access, secret)

    def _judge(self, reply: Reply) -> ProviderError | None:
        if reply.status < 400:
            return None
        fault = read_fault(reply)
        said = self._http.clean(" ".join(part for part in (fault.code, fault.said) if part)) or _("no reason given")
        match reply.status:
            case 401:
                return self._refused_keys(reply, fault)
            case 403:
                sentence = _(
                    "{title} does not let these keys do this ({said}). A sub account needs the policy {policy}.",
                    title=TITLE,
                    said=said,
                    policy=MANAGER,
                )
                return CredentialsError(sentence, status=403, code=fault.code)
            case 404:
                return _not_there(fault, said)
            case 429:
                return _too_often(fault)
            case status if status >= 500:
                return BrokenError(_broken(status, said, _trace(reply)))
            case status:
                return RejectedError(_refused(said, _trace(reply)), status=status, code=fault.code)

    def _refused_keys(self, reply: Reply, fault: Fault) -> ProviderError:
        if fault.code == NOT_SUBSCRIBED:
            sentence = _(
                "{title} denies permission. Its operator subscribes to AiTEMS in the NAVER Cloud console, and gives a "
                "sub account the policy {policy}.",
                title=TITLE,
                policy=MANAGER,
            )
            return CredentialsError(sentence, status=401, code=NOT_SUBSCRIBED)
        off = self._off(reply)
        if abs(off) > CLOCK_WINDOW:
            return _wrong_clock(off)
        sentence = _(
            "{title} does not accept our signature. Check this machine's clock, then {access_key} and {secret_key}.",
            title=TITLE,
            access_key=setting(NAME, "access_key"),
            secret_key=setting(NAME, "secret_key"),
        )
        return CredentialsError(sentence, status=401, code=AUTHENTICATION_FAILED)

    def _off(self, reply: Reply) -> timedelta:
        """How far our clock is ahead of the gateway's, by the reply's own date; nothing where that cannot be read."""
        try:
            return self._now() - parsedate_to_datetime(reply.headers.get("Date", ""))
        except (ValueError, TypeError):
            return timedelta()


def _wrong_clock(off: timedelta) -> ProviderError:
    """A signature is refused from 5 minutes off the gateway's clock: nothing was done, and the keys may be good."""
    minutes = round(abs(off).total_seconds() / 60)
    if off > timedelta():
        set_it = ngettext(
            "Set this machine's clock, which is {count:,} minute ahead of theirs.",
            "Set this machine's clock, which is {count:,} minutes ahead of theirs.",
            minutes,
        )
    else:
        set_it = ngettext(
            "Set this machine's clock, which is {count:,} minute behind theirs.",
            "Set this machine's clock, which is {count:,} minutes behind theirs.",
            minutes,
        )
    refused = _("{title} does not accept our signature.", title=TITLE)
    return UnreachableError(joined(" ", [refused, set_it]), effect=Effect.NONE)


def _choice(row: Mapping[str, Json]) -> Choice:
    word = f" ({row['status']})" if isinstance(row.get("status"), str) else ""
    return Choice(value=row["serviceId"], label=f"{row.get('name', '')} {row['serviceId']}{word}".strip())


def _seen(kind: str, train: Train | None) -> str:
    """A training that is looked for, and its word where the list has it."""
    return f"{kind}: {train.word}" if train else _("{type}: not listed", type=kind)


def _path(service: str) -> str:
    return f"/services/{quote(service, safe='')}"


def _not_there(fault: Fault, said: str) -> RejectedError:
    """The overview documents 404 as "resource not found": from the backend it is the answer about the thing that was
    asked for. The gateway's own 404 (code 300) and a web page say that the address is wrong, and nothing of a job."""
    if fault.is_backends:
        sentence = _("{title} does not know it ({said}).", title=TITLE, said=said)
        return NotFoundError(sentence, status=404, code=fault.code)
    sentence = _(
        "{title} is not at this address ({said}). Check {setting}.",
        title=TITLE,
        said=said,
        setting=setting(NAME, "base_url"),
    )
    return RejectedError(sentence, status=404, code=fault.code)


def _too_often(fault: Fault) -> RateLimitedError | None:
    if fault.code != QUOTA_EXCEEDED:
        return None
    sentence = _("{title} says that the account's quota is used up.", title=TITLE)
    return RateLimitedError(sentence, retry_after=QUOTA_PAUSE)


def _broken(status: int, said: str, trace: str) -> str:
    if not trace:
        return _("{title} answers with HTTP {status} ({said}).", title=TITLE, status=status, said=said)
    return _(
        "{title} answers with HTTP {status} ({said}), trace {trace}.",
        title=TITLE,
        status=status,
        said=said,
        trace=trace,
    )


def _refused(said: str, trace: str) -> str:
    if not trace:
        return _("{title} refused ({said}).", title=TITLE, said=said)
    return _("{title} refused ({said}), trace {trace}.", title=TITLE, said=said, trace=trace)


def _trace(reply: Reply) -> str:
    """NAVER's id of the call, which its support asks for, and who answered; "" where that cannot be read."""
    trace = reply.headers.get("x-ncp-trace-id", "")
    origin = reply.headers.get("x-ncp-apigw-response-origin", "")
    return " ".join(part for part in (trace, origin) if re.fullmatch(r"[\w.-]{1,64}", part))
