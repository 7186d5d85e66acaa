"""What Sony's retraining says: its one word, its errors, its links, and the published models.

Pages: https://easy-predictive-analytics.sony.com/cloud_manual/en/operating_instruction/re_train_api/ with
re_train_data_upload, re_train_status_check and switch_model; for published models
https://predictionone.sony.biz/cloud_manual/operating_instruction/model_api/get_classifier (Japanese only).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from yarl import URL

from bot.domain.jobs import Phase, RemoteStatus
from bot.domain.requests import Json
from bot.errors import (
    BrokenError,
    CredentialsError,
    NotFoundError,
    ProviderError,
    RejectedError,
    UnreadableError,
)
from bot.providers.http import Reply
from bot.sentences import _, joined

TITLE = "Sony Easy Predictive Analytics"

WORDS: Mapping[str, Phase] = {"job_finished": Phase.TRAINED}
"""re_train_status_check: the only word that is published."""
FAILED = re.compile("fail|error|cancel|abort|delet|timeout", re.IGNORECASE)
"""Our reading of words that are not published."""
READING = _("our reading of the word: only job_finished is documented")

Clean = Callable[[str], str]
"""Makes a text of the service fit to be shown: one line, no secrets, no queries of addresses."""


# -- the status -------------------------------------------------------------------------------------------------------


def to_status(reply: Mapping[str, Json], clean: Clean) -> RemoteStatus:
    """Read the status of a retrain job. UnreadableError where it has no word.

    The link to the result stays out of it: that is a secret, and asked for anew when it is needed.
    """
    word = reply.get("status")
    if not isinstance(word, str) or not word.strip():
        raise UnreadableError(_("{title} answered without a status.", title=TITLE))
    phase = _phase(word)
    message = clean(_text(reply.get("message")))
    return RemoteStatus(
        phase=phase,
        word=clean(word),
        is_known=phase is not Phase.RUNNING,
        detail=joined("; ", [part for part in (READING if phase is Phase.FAILED else "", message) if part]),
        metrics=_evidence(reply) if phase is Phase.TRAINED else {},
        result=_result(reply) if phase is Phase.TRAINED else {},
    )


def _phase(word: str) -> Phase:
    known = WORDS.get(word.strip().casefold())
    return known or (Phase.FAILED if FAILED.search(word) else Phase.RUNNING)


def _evidence(reply: Mapping[str, Json]) -> dict[str, Json]:
    """What an approver sees of the result."""
    left = _result(reply)
    return {"New model id": left["model_id"]} if "model_id" in left else {}


def _result(reply: Mapping[str, Json]) -> dict[str, Json]:
    """`model_id` is probably that of the newly trained model (the page does not say), and may be absent."""
    model_id = reply.get("model_id")
    known = {"model_id": model_id} if isinstance(model_id, int | str) and not isinstance(model_id, bool) else {}
    return {**known, "has_file": bool(_text(reply.get("download_url")))}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


# -- errors -----------------------------------------------------------------------------------------------------------

BAD_KEY = ("invalid_api_key", "inactive_credential", "not_found_credential")
NO_JOB = ("not found retrain job", "this job may be deleted")
REFUSALS: Mapping[str, str] = {
    # NOTE: why something was refused, after "refused:"
    "retrain job is not finished": _("the retraining is not finished"),
    "not found classifier": _("the model has no prediction API any more, so there is nothing to switch"),
    "this user may be deleted": _("the user whose key this is may be deleted"),
    "this model may be deleted": _("the model may be deleted"),
    # NOTE: why something was refused, after "refused:"; it is what was sent
    "model id is required": _("it lacks a model id"),
}
"""The messages of the three pages. All of them come under one code, so only the message tells them apart."""

KEYS_LAST = _("A key lasts 30 days; after that a new one is fetched in the console, on the model's API tab.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error body. Its JSON shape is not documented: `code error message` are looked for where they may be."""

    code: str = ""
    message: str = ""

    @property
    def said(self) -> str:
        """The message as it is compared: trimmed, small, without a full stop."""
        return self.message.strip().rstrip(".").casefold()

    @property
    def is_one(self) -> bool:
        """Ten digits whose first three look like an HTTP status, as all documented codes."""
        return re.fullmatch(r"[45]\d{9}", self.code) is not None


def read_fault(reply: Reply) -> Fault:
    """The fault at the top, under `error`, or first under `errors`; from an error's text that is no JSON, what it says.

    A success that is no JSON says nothing, whatever digits are in it: a page or half an answer is no refusal.
    """
    try:
        value = reply.json()
    except ValueError:
        return Fault() if reply.status < 400 else _read_text(reply.body[:2000].decode("utf-8", "replace"))
    for place in _places(value):
        fault = Fault(code=_code(place.get("code")), message=_text(place.get("message")))
        if fault.message or fault.code:
            return fault
    return Fault()


def _places(value: Json) -> list[Mapping[str, Json]]:
    if not isinstance(value, dict):
        return []
    errors = value.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return [place for place in (value, value.get("error"), first) if isinstance(place, dict)]


def _read_text(text: str) -> Fault:
    known = (message for message in (*BAD_KEY, *NO_JOB, *REFUSALS) if message in text.casefold())
    code = re.search(r"\b[45]\d{9}\b", text)
    # A web page says nothing, and a piece of JSON may hold the keys that some replies hold.
    is_plain = not text.lstrip().startswith(("<", "{", "["))
    return Fault(code=code[0] if code else "", message=next(known, text.strip() if is_plain else ""))


def _code(value: Json) -> str:
    return str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""


def judge(reply: Reply, clean: Clean) -> ProviderError | None:
    """The error that a reply stands for, None where it is none or says nothing but its HTTP status.

    HTTP statuses are not documented. A known message decides whatever the status, also in a 200 with a code.
    """
    if 300 <= reply.status < 400 or reply.status == 429:
        return None
    fault = read_fault(reply)
    if reply.status < 400 and not fault.is_one:
        return None
    return _known(fault, reply.status) or _unknown(fault, reply.status, clean)


def _known(fault: Fault, status: int) -> ProviderError | None:
    if fault.said in BAD_KEY:
        return CredentialsError(_say_not_accepted(fault.said), status=status, code=fault.said)
    if fault.said in NO_JOB:
        sentence = _("{title} does not know this retrain job ({words}).", title=TITLE, words=fault.said)
        return NotFoundError(sentence, status=status, code=fault.said)
    if fault.said in REFUSALS:
        sentence = _("{title} refused: {reason}.", title=TITLE, reason=REFUSALS[fault.said])
        return RejectedError(sentence, status=status, code=fault.said)
    return None


def _say_not_accepted(words: str) -> str:
    return _("{title} does not accept the key ({words}).", title=TITLE, words=words)


def _unknown(fault: Fault, status: int, clean: Clean) -> ProviderError:
    said = clean(" ".join(part for part in (fault.code, fault.message) if part)) or _("no reason given")
    if status == 401:
        return CredentialsError(_say_not_accepted(said), status=status, code=fault.code)
    if status >= 500 or (fault.is_one and fault.code.startswith("5")):
        sentence = _(
            "{title} answers with an error of its own (HTTP {status}, {words}).", title=TITLE, status=status, words=said
        )
        return BrokenError(sentence)
    if status == 404:
        # "Not found" of a job is documented as a bad request, so this speaks of the address.
        sentence = _(
            "{title} is not at this address ({words}). Check SWITCHYARD_SONY__BASE_URL.", title=TITLE, words=said
        )
        return RejectedError(sentence, status=404, code=fault.code)
    sentence = _("{title} refused with HTTP {status} ({words}).", title=TITLE, status=status, words=said)
    return RejectedError(sentence, status=status, code=fault.code)


# -- links ------------------------------------------------------------------------------------------------------------


def read_link(text: Json, *, may_be_plain: bool, hosts: tuple[str, ...]) -> URL:
    """A signed link of an authenticated reply, ready to go out verbatim.

    It has to be https unless the service itself `may_be_plain`, and to lead to one of `hosts` (or a subdomain of one)
    where these are named. No error holds more of it than its host. UnreadableError, or RejectedError for a link that
    is not followed; whether its host is on a private address is for the call itself to see.
    """
    try:
        url = URL(_text(text), encoded=True)
        host, scheme, user = url.host, url.scheme, url.user or url.password
    except ValueError:
        host, scheme, user = None, "", None
    if not host or scheme not in ("http", "https"):
        raise UnreadableError(_("{title} answered without a link that can be used.", title=TITLE))
    if user:
        raise RejectedError(_("{title} named a link with a password in it, which is not followed.", title=TITLE))
    if scheme == "http" and not may_be_plain:
        sentence = _(
            "{title} named a link to {host} without encryption, which is not followed.", title=TITLE, host=host
        )
        raise RejectedError(sentence)
    if hosts and not any(host == one or host.endswith(f".{one}") for one in hosts):
        sentence = _(
            "{title} named a link to {host}, which SWITCHYARD_SONY__LINK_HOSTS does not hold.", title=TITLE, host=host
        )
        raise RejectedError(sentence)
    return URL(_text(text), encoded=True)


# -- published models -------------------------------------------------------------------------------------------------


def read_published(reply: Mapping[str, Json], classifier_id: str) -> Mapping[str, Json]:
    """Of one published model: `version`, `model_id`, `update_datetime`, `status`. Empty where the list lacks it.

    The reply holds the keys of all of them, so nothing else is taken out of it.
    """
    rows = reply.get("classifiers")
    if not isinstance(rows, list):
        raise UnreadableError(_("{title} answered without a list of published models.", title=TITLE))
    ours = [row for row in rows if isinstance(row, dict) and row.get("classifier_id") == classifier_id]
    if not ours:
        return {}
    kept = ((key, ours[0].get(key)) for key in ("version", "model_id", "update_datetime", "status"))
    return {key: value for key, value in kept if isinstance(value, str | int)}


def compare_published(before: Mapping[str, Json], now: Mapping[str, Json]) -> tuple[tuple[str, str, str], ...]:
    """The version and the model id that are served now, beside those of before."""
    labels = (("version", _("version")), ("model_id", _("model id")))
    return tuple((label, str(now[key]), str(before.get(key, ""))) for key, label in labels if key in now)


def is_switched(before: Mapping[str, Json], now: Mapping[str, Json]) -> bool:
    """Does another model run than before? The time of the last update counts only where nothing better is told: it
    may move by itself."""
    better = [key for key in ("version", "model_id") if key in before and key in now]
    keys = better or [key for key in ("update_datetime",) if key in before and key in now]
    is_running = _text(now.get("status")).strip().casefold() == "running"
    return is_running and any(before[key] != now[key] for key in keys)
