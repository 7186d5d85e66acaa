"""A provider's own section of the configuration."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from yarl import URL

from bot.errors import ConfigurationError


class Section(BaseModel):
    """Nothing unknown, nothing changed afterwards, no value in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)


S = TypeVar("S", bound=Section)


def _check_address(text: str) -> str:
    try:
        url = URL(text.rstrip("/"))
    except ValueError:
        raise ValueError("needs an address that begins with https://") from None
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise ValueError("needs an address that begins with https://")
    return str(url)


def _strip(value: Any) -> Any:
    # A line break at the end of a secret, which files often have, could not be sent in a header.
    return value.strip() if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_check_address)]
"""The beginning of a service's addresses, without a slash at its end."""

Secret = Annotated[SecretStr, BeforeValidator(_strip)]


def setting(provider: str, *keys: int | str) -> str:
    """The variable that an operator sets: `SWITCHYARD_SESTEK__CLIENT_ID`."""
    return "__".join([f"SWITCHYARD_{provider}", *(str(key) for key in keys)]).upper()


def given(section: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given: a blank one counts as none."""
    return {key: value for key, value in section.items() if not isinstance(value, str) or value.strip()}


def read_section(kind: type[S], provider: str, section: Mapping[str, Any]) -> S:
    """The section as its model. ConfigurationError, naming every wrong setting and no value, where it does not fit."""
    try:
        return kind.model_validate(dict(section))
    except ValidationError as error:
        faults = [_sentence(provider, fault) for fault in error.errors(include_input=False, include_url=False)]
        raise ConfigurationError(" ".join(faults)) from None


def _sentence(provider: str, fault: ErrorDetails) -> str:
    name = setting(provider, *fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{name}: there is no such setting."
    said = str(fault.get("ctx", {}).get("error", "")) or fault["msg"][:1].lower() + fault["msg"][1:]
    return f"{name}: {said}."
