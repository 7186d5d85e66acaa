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

NAME = "decthings"
TITLE = "Decthings"
NOT_FOUND = frozenset({"model_not_found", "training_session_not_found"})

SENTENCES: Mapping[str, str] = {
    "bad_credentials": "does not accept SWITCHYARD_DECTHINGS__API_KEY",
    "too_many_requests": "asks us to slow down",
    "payment_required": "wants to be paid first: look at the account's billing",
    "unknown": "answers with an error of its own (`unknown`)",
    "invalid_parameter": "does not take the parameter `{parameterName}`: {reason}",
    "access_denied": "does not let this API key do that; it may have read access only",
    "quota_exceeded": "says that a quota of the account is used up",
    "model_not_found": "knows no model of this id, or does not show it to this API key",
    "training_session_not_found": "does not know this training session",
    "training_session_running": "says that the training still runs",
    "training_session_not_running": "says that the training does not run",
    "state_not_found": "knows no such state of this model",
    "state_is_active": "says that this state is the active one",
    "model_version_not_found": "knows no such version of this model",
    "snapshot_no_longer_exists": "says that the snapshot this model is based on no longer exists",
    "model_to_mount_no_longer_exists": "says that a model mounted by this one no longer exists",
    "persistent_launcher_not_found": "knows no such launcher: name another with `launcher=ID`",
    "dataset_not_found": "knows no data set `{datasetId}`",
    "dataset_key_not_found": "knows no key `{datasetKey}` in the data set `{datasetId}`",
}


def to_error(error: Mapping[str, Json], clean: Callable[[str], str], status: int = 200) -> ProviderError:
    """The error object of a reply as one of ours. `clean` takes secrets out of the service's own words.

    Codes that are not documented leave open what happened.
    """
    code = _text(error.get("code"), clean)
    sentence = f"{TITLE} {_sentence(code, error, clean)}."
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


def _sentence(code: str, error: Mapping[str, Json], clean: Callable[[str], str]) -> str:
    pattern = SENTENCES.get(code, f"refused with a code that is not documented (`{_braced(code)}`)")
    return pattern.format_map(_Words({key: _text(value, clean) for key, value in error.items()}))


def _braced(code: str) -> str:
    return code.replace("{", "{{").replace("}", "}}")


class _Words(dict[str, str]):
    """The fields of an error; one that lacks is shown as a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


def _text(value: Json, clean: Callable[[str], str]) -> str:
    return clean(value).rstrip(".") if isinstance(value, str) else "?"
