"""Whatever stands in the file and in the environment: settings, or one message that names keys and quotes no value."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.errors import ConfigurationError
from bot.providers import registry
from bot.providers.http import Sessions, Tools, open_sessions
from bot.providers.registry import Registry
from bot.settings import NESTED, PREFIX, SHORT_NAMES, Section, Settings, load, secrets
from sandbox.clock import Clock
from sandbox.services import Services
from tests.fuzz.effort import effort
from tests.fuzz.fitness import is_readable, leaks
from tests.fuzz.tally import Tally

CANARY = "canary4Value"
"""Stands in values alone, never in a key: a message that holds it has quoted a value."""

LONGEST = 20_000
SECTIONS = {
    name: [field.alias or key for key, field in kind.annotation.model_fields.items()]
    for name, kind in Settings.model_fields.items()
    if isinstance(kind.annotation, type) and issubclass(kind.annotation, Section)
}
SERVICES = {
    "sestek": ["base_url", "identity_url", "client_id", "client_secret", "product"],
    "deepopinion": ["api_key", "email", "password", "base_url"],
    "decthings": ["api_key", "base_url", "contract", "launcher"],
    "aitems": ["access_key", "secret_key", "base_url", "timezone", "per_second"],
    "sony": ["models", "base_url", "link_hosts", "per_second"],
}
ODD_NAMES = st.sampled_from(["", "x", "colour", "bot-token", "BOT_TOKEN", "models", "min_second", "self", "__", "a__b"])
NAMES = st.sampled_from([key for keys in (*SECTIONS.values(), *SERVICES.values()) for key in keys]) | ODD_NAMES
PLACES = st.sampled_from([(name, key) for name, keys in (SECTIONS | SERVICES).items() for key in keys])

TEXTS = st.sampled_from(
    [
        f"xoxb-{CANARY}", f"xapp-{CANARY}", f"https://bot:{CANARY}@slack.com/api", f"https://x.example/?k={CANARY}",
        f"http://[{CANARY}", f"sqlite:///{CANARY}.db", f"postgresql://u:{CANARY}@h/d", f'["{CANARY}"]', f"[{CANARY}",
        f"{CANARY}{{0}}%s{{sentence}}", f"{CANARY}\n{CANARY}", f"\x1b[31m{CANARY}", f"{CANARY}\u202e", f" {CANARY} ",
        CANARY, f'{{"a": "{CANARY}"}}', f"C{CANARY.upper()}", f"U{CANARY.upper()}",
    ]
)  # fmt: skip
PLAIN = st.sampled_from(
    ["", " ", "1", "0", "-1", "1e999", "nan", "9" * 400, "true", "false", "debug", "LOUD", "[]", "null", '["U0BORA"]',
     '["sony"]', "C0ALARMS01", "sqlite:///a.db", "https://slack.com/api/", "127.0.0.1", "Asia/Seoul", "versions"]
)  # fmt: skip
VALUES = st.recursive(
    TEXTS | PLAIN | st.integers() | st.floats() | st.booleans() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=4,
)


def toml(value: Any) -> str:
    """A value as TOML writes it, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file of sections near the known ones; sometimes one that is no TOML, or no UTF-8."""
    lines = [f"{json.dumps(name)} = {toml(draw(VALUES))}" for name in draw(st.lists(NAMES, max_size=1))]
    for name in draw(st.lists(st.sampled_from([*SECTIONS, *SERVICES]) | NAMES, max_size=4, unique=True)):
        keys = draw(st.lists(st.sampled_from((SECTIONS | SERVICES).get(name, ["x"])) | NAMES, max_size=4))
        lines += [
            f"[{json.dumps(name)}]",
            *(f"{json.dumps(key)} = {toml(draw(VALUES))}" for key in dict.fromkeys(keys)),
        ]
    text = "\n".join(lines)
    match draw(st.sampled_from(["plain"] * 8 + ["cut", "more", "latin"])):
        case "cut":
            text = text[: draw(st.integers(0, len(text)))]
        case "more":
            text += draw(st.sampled_from(["\n[", f"\n{CANARY}", f"\nx = {CANARY}", "\x00", "\n[slack]\n[slack]"]))
        case "latin":
            return text.encode("utf-16", "surrogatepass")
        case _:
            pass
    return text.encode("utf-8", "surrogatepass")


@st.composite
def environments(draw: st.DrawFn, most: int = 4) -> dict[str, str]:
    """Variables near the known ones, in any case, with values of any kind."""
    known = PLACES.map(lambda place: PREFIX + NESTED.join(place).upper())
    deeper = st.tuples(st.sampled_from([*SECTIONS, *SERVICES]), NAMES, NAMES).map(lambda way: PREFIX + NESTED.join(way))
    single = PLACES.map(lambda place: PREFIX + "_".join(place))
    names = (
        known | known | known.map(str.lower) | deeper | single | st.sampled_from([*SHORT_NAMES, PREFIX, f"{PREFIX}__"])
    )
    texts = TEXTS | PLAIN | st.text(max_size=6)
    given_names = draw(st.lists(names, max_size=most, unique=True))
    return {name: draw(texts) for name in given_names}


def faults(said: str) -> list[str]:
    """What a message must not do: quote, hide, or never end."""
    hidden = {f"U+{ord(sign):04X}" for sign in said if not is_readable(sign) and sign != "\n"}
    return [
        *leaks([said], [CANARY, CANARY.upper()]),
        *([f"it holds {hidden}"] if hidden else []),
        *(["it says nothing"] if not said.strip() else []),
        *([f"it has {len(said)} characters"] if len(said) > LONGEST else []),
    ]


@pytest.fixture
async def sessions() -> Any:
    async with open_sessions() as opened:
        yield opened


def configure(environ: Mapping[str, str], config: Path, sessions: Sessions) -> tuple[Settings, Registry] | None:
    """As a start does it, up to where Slack would be met."""
    settings = load(environ, config)
    found = registry.load(settings.providers, Tools(sessions=sessions, now=lambda: datetime.now(UTC)))
    found.require(settings.approvals.start, "SWITCHYARD_APPROVALS__START")
    settings.require_slack()
    return settings, found


def settings_or_message(environ: Mapping[str, str], config: Path, sessions: Sessions) -> object:
    """What it gives, or the one message, which keeps the rules; any other exception leaves."""
    try:
        return configure(environ, config, sessions)
    except ConfigurationError as error:
        said = error
    assert faults(str(said).replace(str(config), "FILE")) == [], str(said)
    assert said.__cause__ is None
    return said


@effort(250)
@given(environ=environments(), content=files())
@example(environ={}, content=f'[slack]\nbot_token = "{CANARY}'.encode())
@example(environ={"SWITCHYARD_SLACK__BOT_TOKEN__A": CANARY}, content=b"")
@example(environ={"SWITCHYARD_APPROVALS__APPROVERS": f'["{CANARY}"]'}, content=b"")
@example(environ={"SWITCHYARD_APPROVALS__START": f'["{CANARY}"]'}, content=b"")
async def test_any_configuration_is_taken_or_answered_with_one_message(
    environ: dict[str, str], content: bytes, tmp_path: Path, sessions: Sessions, tally: Tally
) -> None:
    """Also of the five services: every problem under the name of its key, and nothing of what was given."""
    config = tmp_path / "switchyard.toml"
    config.write_bytes(content)
    tally.add(settings_or_message(environ, config, sessions))


GOOD = {
    **Services(Clock()).environment(),
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_APP_TOKEN": "xapp-1",
    "SWITCHYARD_APPROVALS__APPROVERS": '["U0BORA0001"]',
}


@effort(150)
@given(changed=environments(2), content=st.sampled_from([b""] * 3) | files())
async def test_any_change_of_a_good_configuration_is_taken_or_named(
    changed: dict[str, str], content: bytes, tmp_path: Path, sessions: Sessions, tally: Tally
) -> None:
    """What is taken shows no secret when it is printed, and knows its secrets for what is logged."""
    config = tmp_path / "switchyard.toml"
    config.write_bytes(content)
    made = settings_or_message({**GOOD, **changed}, config, sessions)
    tally.add(made)
    if isinstance(made, tuple):
        settings, _ = made
        hidden = [one for one in secrets(settings) if one in GOOD.values() and len(one) > 8]
        assert leaks([repr(settings)], hidden) == []


async def test_a_good_configuration_is_taken(tmp_path: Path, sessions: Sessions) -> None:
    """What the changes are made to works by itself, and a leak would be seen."""
    config = tmp_path / "switchyard.toml"
    config.touch()
    assert isinstance(settings_or_message(GOOD, config, sessions), tuple)
    assert faults(f"x {CANARY}")
    assert faults("")
    assert faults("a\x1b[31m")
