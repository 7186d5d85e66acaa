"""What an operator may write into a provider's section, and what is said about the rest."""

import pytest

from bot.errors import ConfigurationError
from bot.providers.section import Address, Secret, Section, given, read_section, setting


class Acme(Section):
    base_url: Address = "https://acme.example"
    api_key: Secret
    rate: float = 1.0


def read(**values: object) -> Acme:
    return read_section(Acme, "acme", {"api_key": "k", **values})


def fault(**values: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(**values)
    return str(caught.value)


def test_settings_are_named_as_the_operator_writes_them() -> None:
    """A sentence about a setting names the variable that sets it, nested ones too."""
    assert setting("acme", "api_key") == "SWITCHYARD_ACME__API_KEY"
    assert setting("acme", "models", "churn", "api_key") == "SWITCHYARD_ACME__MODELS__CHURN__API_KEY"


def test_addresses_and_secrets_lose_what_a_file_adds() -> None:
    """A slash at the end of an address and a line break after a secret are no part of them."""
    config = read(base_url=" https://acme.example/v1/ ", api_key="key\n")
    assert config.base_url == "https://acme.example/v1"
    assert config.api_key.get_secret_value() == "key"


@pytest.mark.parametrize(
    "address", ["acme.example", "ftp://acme.example", "http://", "https://acme.example?a=1", "https://[", "/v1", "x"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """An address that cannot be the beginning of others is refused, naming its setting."""
    assert fault(base_url=address) == "SWITCHYARD_ACME__BASE_URL: needs an address that begins with https://."


def test_every_fault_is_named_and_no_value() -> None:
    """All wrong settings are told in one message, none of their values is."""
    said = fault(base_url="hunter2", api_key=["hunter2"], rate="hunter2", colour="hunter2")
    for name in ("BASE_URL", "API_KEY", "RATE", "COLOUR"):
        assert f"SWITCHYARD_ACME__{name}: " in said
    assert "SWITCHYARD_ACME__COLOUR: there is no such setting." in said
    assert "hunter2" not in said


def test_blank_settings_count_as_none() -> None:
    """A variable that is set to nothing is as good as one that is not set."""
    assert given({"a": "", "b": " \n", "c": "x", "d": {}, "e": 0}) == {"c": "x", "d": {}, "e": 0}
