"""The providers: found by entry point, built from their sections, asked for by name."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pytest
from pydantic import BaseModel

from bot.errors import ConfigurationError, NotConfiguredError, UsageError
from bot.providers import registry
from bot.providers.http import Tools, open_sessions
from bot.providers.registry import Registry, load

SECRET = "hunter2-Correct-Horse"


class Track:
    """A provider as far as the registry looks at one."""

    def __init__(self, name: str, section: Mapping[str, Any]) -> None:
        self.name = name
        self.section = section


class TrackConfig(BaseModel):
    """A configuration that its provider does not turn into sentences."""

    speed: int


def build_north(section: Mapping[str, Any], tools: Tools) -> Track:
    return Track("north", section)


def build_sony(section: Mapping[str, Any], tools: Tools) -> Track:
    return Track("sony", section)


def build_without_credentials(section: Mapping[str, Any], tools: Tools) -> Track:
    raise NotConfiguredError("The South Line", ("SWITCHYARD_SOUTH__API_KEY",))


def build_refusing(section: Mapping[str, Any], tools: Tools) -> Track:
    raise ConfigurationError("SWITCHYARD_WEST__BASE_URL: needs an address that begins with https://.")


def build_raw(section: Mapping[str, Any], tools: Tools) -> Track:
    TrackConfig(**section)
    return Track("raw", section)


def entry(name: str, function: str) -> EntryPoint:
    return EntryPoint(name=name, value=f"{__name__}:{function}", group=registry.GROUP)


NORTH = entry("north", "build_north")
SOUTH = entry("south", "build_without_credentials")
SONY = entry("sony", "build_sony")


@pytest.fixture
async def tools() -> AsyncIterator[Tools]:
    async with open_sessions() as sessions:
        yield Tools(sessions=sessions, now=lambda: datetime(2026, 11, 20, tzinfo=UTC))


@pytest.fixture
def three(tools: Tools) -> Registry:
    return load({"north": {"speed": 3}}, tools, [SOUTH, NORTH, SONY])


def refused(sections: Mapping[str, Mapping[str, Any]], tools: Tools, *entries: EntryPoint) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load(sections, tools, entries)
    return str(raised.value)


def test_a_provider_is_built_from_its_own_section(three: Registry) -> None:
    """Nobody else's settings reach it."""
    assert three.get("north").section == {"speed": 3}  # type: ignore[attr-defined]  # what Track keeps
    assert three.get("sony").section == {}  # type: ignore[attr-defined]  # what Track keeps


def test_one_without_credentials_is_listed_and_never_an_error_at_start(three: Registry) -> None:
    """Five services come along, and hardly anybody has accounts with all of them."""
    assert list(three.configured()) == ["sony", "north"]
    sentence = "The South Line is not configured here. Its operator sets SWITCHYARD_SOUTH__API_KEY."
    assert three.missing() == {"south": sentence}
    for _ in range(2):
        with pytest.raises(NotConfiguredError) as raised:
            three.get("south")
        assert str(raised.value) == sentence


def test_the_order_stays(tools: Tools) -> None:
    """Help and forms show the vendors' services first and others by name, however they were installed."""
    assert load({}, tools, [SOUTH, NORTH, SONY]).names == ("sony", "north", "south")
    assert load({}, tools, [SONY, NORTH, SOUTH]).names == ("sony", "north", "south")


def test_names_are_found_whatever_their_case(three: Registry) -> None:
    """People write `Sony`."""
    assert three.get("SONY").name == "sony"


def test_an_unknown_name_gets_the_nearest_one(three: Registry) -> None:
    """A typing mistake is answered with what was meant, other words with what there is."""
    with pytest.raises(UsageError) as raised:
        three.get("Nroth")
    assert str(raised.value) == "`Nroth` is no provider. Did you mean `north`?"
    assert (raised.value.word, raised.value.suggestion) == ("Nroth", "north")
    with pytest.raises(UsageError) as raised:
        three.get("train")
    assert str(raised.value) == "`train` is no provider; there are `sony`, `north`, `south`."


def test_a_gate_for_an_unknown_provider_is_refused(three: Registry) -> None:
    """A gate that never shuts is worse than none; one for a provider without credentials is harmless."""
    three.require(["sony", "south"], "SWITCHYARD_APPROVALS__START")
    with pytest.raises(ConfigurationError) as raised:
        three.require(["sony", "nort"], "SWITCHYARD_APPROVALS__START")
    assert str(raised.value) == "SWITCHYARD_APPROVALS__START: `nort` is no provider. Did you mean `north`?"
    with pytest.raises(ConfigurationError, match="START: entry 2 is no provider; there are `") as raised:
        three.require(["sony", SECRET], "SWITCHYARD_APPROVALS__START")
    assert SECRET not in str(raised.value)


def test_all_problems_are_reported_at_once(tools: Tools) -> None:
    """What cannot be imported, is configured wrongly, comes twice or belongs to nobody, in one message by name."""
    message = refused(
        {"nrth": {"api_key": SECRET}},
        tools,
        NORTH,
        EntryPoint(name="gone", value="tests.no_such_module:build", group=registry.GROUP),
        entry("absent", "no_such_function"),
        entry("west", "build_refusing"),
        entry("east", "build_north"),
        SONY,
        SONY,
    )
    assert message.splitlines()[0] == "The providers cannot be used as they are configured:"
    assert len(message.splitlines()) == 7
    for sentence in (
        "Two packages bring a provider called `sony`; only one can be installed.",
        "Settings for `nrth`: `nrth` is no provider. Did you mean `north`?",
        "The provider `gone` (tests.no_such_module:build) cannot be imported: No module named 'tests.no_such_module'.",
        "The provider `absent`",
        "SWITCHYARD_WEST__BASE_URL: needs an address that begins with https://.",
        f"The provider `east` ({__name__}:build_north) calls itself `north`.",
    ):
        assert sentence in message
    assert SECRET not in message


def test_no_message_quotes_a_setting(tools: Tools) -> None:
    """A provider that lets pydantic's own error out would show the value, and that may be a secret."""
    message = refused({"raw": {"speed": SECRET}}, tools, entry("raw", "build_raw"))
    assert "The provider `raw` refuses its settings: speed: Input should be a valid integer" in message
    assert SECRET not in message


def test_the_installed_entry_points_are_taken() -> None:
    """The five services come with the package, under the names that people type."""
    assert {one.name for one in entry_points(group=registry.GROUP)} >= set(registry.FIRST)
