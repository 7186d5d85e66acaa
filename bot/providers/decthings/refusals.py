"""What Decthings says no with: error codes, turned into sentences and into what a failed call may have done.

The codes are those of https://decthings.com/reference/model-train and of the official JavaScript client's types
(src/rpc/model.ts at 61d1ca7 and 5d0361e). They come inside a reply with HTTP 200.
"""

from collections.abc import Callable, Mapping

from bot.domain.requests import Json
from bot.errors import (
    BrokenError,
    CredentialsError,
    Effect,
    NotFoundError,
    ProviderError,
    RateLimitedError,
    RejectedError,
)
from bot.sentences import Sentence, _

NAME = "decthings"
TITLE = "Decthings"
NOT_FOUND = frozenset({"model_not_found", "training_session_not_found"})

SENTENCES: Mapping[str, Sentence] = {
    "bad_credentials": _("Decthings does not accept SWITCHYARD_DECTHINGS__API_KEY."),
    "too_many_requests": _("Decthings asks us to slow down."),
    "payment_required": _("Decthings wants to be paid first: look at the account's billing."),
    "unknown": _("Decthings answers with an error of its own (`unknown`)."),
    "invalid_parameter": _(
        "Decthings does not take the parameter `{parameterName}`: {reason}.", parameterName="?", reason="?"
    ),
    "access_denied": _("Decthings does not let this API key do that; it may have read access only."),
    "quota_exceeded": _("Decthings says that a quota of the account is used up."),
    "model_not_found": _("Decthings knows no model of this id, or does not show it to this API key."),
    "training_session_not_found": _("Decthings does not know this training session."),
    "training_session_running": _("Decthings says that the training still runs."),
    "training_session_not_running": _("Decthings says that the training does not run."),
    "state_not_found": _("Decthings knows no such state of this model."),
    "state_is_active": _("Decthings says that this state is the active one."),
    "model_version_not_found": _("Decthings knows no such version of this model."),
    "snapshot_no_longer_exists": _("Decthings says that the snapshot this model is based on no longer exists."),
    "model_to_mount_no_longer_exists": _("Decthings says that a model mounted by this one no longer exists."),
    "persistent_launcher_not_found": _("Decthings knows no such launcher: name another with `launcher=ID`."),
    "dataset_not_found": _("Decthings knows no data set `{datasetId}`.", datasetId="?"),
    "dataset_key_not_found": _(
        "Decthings knows no key `{datasetKey}` in the data set `{datasetId}`.", datasetKey="?", datasetId="?"
    ),
}
"""A field of the error stands in some; one that lacks is shown as a question mark."""


def to_error(error: Mapping[str, Json], clean: Callable[[str], str], status: int = 200) -> ProviderError:
    """The error object of a reply as one of ours. `clean` takes secrets out of the service's own words.

    Codes that are not documented leave open what happened.
    """
    code = _text(error.get("code"), clean)
    sentence = _sentence(code, error, clean)
    if code == "unknown":
        return BrokenError(sentence)
    if code == "too_many_requests":
        return RateLimitedError(sentence)
    if code == "bad_credentials":
        return CredentialsError(sentence, status=status, code=code)
    if code in NOT_FOUND:
        return NotFoundError(sentence, status=status, code=code)
    effect = Effect.REFUSED if code in SENTENCES else Effect.UNKNOWN
    return RejectedError(sentence, status=status, code=code, effect=effect)


def _sentence(code: str, error: Mapping[str, Json], clean: Callable[[str], str]) -> Sentence:
    known = SENTENCES.get(code)
    if known is None:
        return _("Decthings refused with a code that is not documented (`{code}`).", code=code)
    said = {name: _text(error[name], clean) for name in known.values if name in error}
    return Sentence(known.template, {**known.values, **said})


def _text(value: Json, clean: Callable[[str], str]) -> str:
    return clean(value).rstrip(".") if isinstance(value, str) else "?"
