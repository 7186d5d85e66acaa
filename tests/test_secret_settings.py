"""Every setting that holds a secret is one wherever it goes: by its type, by its name, and by what is known of it."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import traceback
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest
from pydantic import BaseModel, SecretStr

import bot.providers
from bot import logs
from bot.doctor import examine
from bot.errors import ConfigurationError, SwitchyardError
from bot.history import list_jobs
from bot.providers import registry
from bot.providers.http import Tools, open_sessions
from bot.settings import load, secrets, variable
from bot.sources import is_secret
from tests.flows.lab import lab


def models() -> Iterator[type[BaseModel]]:
    """Every model of a section of the configuration, ours and the providers'."""
    for module in pkgutil.walk_packages(bot.providers.__path__, "bot.providers."):
        importlib.import_module(module.name)
    waiting: list[type[BaseModel]] = [BaseModel]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith(("bot.providers", "bot.settings")):
            yield kind


def holds_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(holds_secret(one) for one in get_args(annotation))


def fields() -> list[tuple[str, str, bool]]:
    return [
        (kind.__qualname__, field.alias or name, holds_secret(field.annotation))
        for kind in models()
        for name, field in kind.model_fields.items()
    ]


def test_every_secret_is_one_by_its_name_and_by_its_type() -> None:
    """By its name it is found for the log and read from files, by its type it is not printed: always both."""
    found = fields()
    named = {(kind, name) for kind, name, _ in found if is_secret(name)}
    typed = {(kind, name) for kind, name, is_hidden in found if is_hidden}
    assert typed == named
    assert len(typed) > 8


CANARIES = {
    "SLACK_BOT_TOKEN": "xoxb-canary-1",
    "SLACK_APP_TOKEN": "xapp-canary-2",
    "SLACK_SIGNING_SECRET": "canary-signing-3",
    "SWITCHYARD_SESTEK__BASE_URL": "http://127.0.0.1:9",
    "SWITCHYARD_SESTEK__IDENTITY_URL": "http://127.0.0.1:9",
    "SWITCHYARD_SESTEK__CLIENT_ID": "an-id",
    "SWITCHYARD_SESTEK__CLIENT_SECRET": 'canary-"4"-ü',
    "SWITCHYARD_DEEPOPINION__EMAIL": "ada@switchyard.example",
    "SWITCHYARD_DEEPOPINION__PASSWORD": "canary 5 <&>",
    "SWITCHYARD_DECTHINGS__API_KEY": "canary/6=",
    "SWITCHYARD_AITEMS__ACCESS_KEY": "canary-7",
    "SWITCHYARD_AITEMS__SECRET_KEY": "canary-8",
    "SWITCHYARD_SONY__MODELS__CHURN__API_KEY": "canary-9",
    "SWITCHYARD_SONY__MODELS__CHURN__DEPLOY_KEY": "canary-10",
    "SWITCHYARD_SONY__MODELS__CHURN__CLASSIFIER_ID": "clf",
    "SWITCHYARD_SLACK__API_URL": "http://127.0.0.1:9/api/",
    "SWITCHYARD_DECTHINGS__BASE_URL": "http://127.0.0.1:9",
    "SWITCHYARD_APPROVALS__APPROVERS": '["U0BORA0001"]',
}
HIDDEN = {name: value for name, value in CANARIES.items() if "canary" in value}


def seen(text: str) -> list[str]:
    return [name for name, value in HIDDEN.items() if value in text]


def test_the_canaries_are_every_secret_that_can_be_set() -> None:
    """No setting that holds a secret is without one in the tests below."""
    ours = {variable("slack", name) for kind, name, hidden in fields() if hidden and kind == "SlackSettings"}
    others = {name for kind, name, hidden in fields() if hidden and kind != "SlackSettings"}
    seeded = {name.rpartition("__")[2].lower() for name in HIDDEN}
    assert ours <= HIDDEN.keys()
    # Either a key or a password: with both DeepOpinion could not tell what is meant.
    assert others <= seeded | {"api_key"}


async def built() -> registry.Registry:
    async with open_sessions() as sessions:
        return registry.load(load(CANARIES).providers, Tools(sessions=sessions, now=settings_now))


def settings_now() -> Any:
    raise AssertionError("nothing is asked for the time")


async def test_nothing_that_is_printed_shows_a_secret() -> None:
    """The settings, their parts, and the providers that are built of them, as `repr`, `str` and JSON."""
    loaded = load(CANARIES)
    assert set(secrets(loaded)) == set(HIDDEN.values())
    providers = await built()
    assert set(providers.configured()) == {"sestek", "deepopinion", "decthings", "aitems", "sony"}
    shown = [repr(loaded), str(loaded), loaded.slack.model_dump_json(), repr(loaded.slack), repr(providers)]
    for provider in providers.configured().values():
        shown += [repr(provider), str(provider), repr(getattr(provider, "_config", "")), repr(vars(provider))]
    assert seen("\n".join(shown)) == []


async def test_a_log_and_a_traceback_show_no_secret() -> None:
    """Whatever a record holds: the settings as a value, a secret in an exception, in its notes, in its cause."""
    stream, root = StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure(secrets(load(CANARIES)), level="debug", stream=stream, as_json=True)
    try:
        for name, value in HIDDEN.items():
            log = logging.getLogger("a.library")
            log.warning("%s is %s", name, value)
            log.error({"headers": {"X-Api-Key": value}, "raw": value.encode()})
            try:
                raise_with(value)
            except ValueError:
                log.exception("it failed")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    assert "it failed" in stream.getvalue()
    assert seen(stream.getvalue()) == []


def raise_with(value: str) -> None:
    error = ValueError(f"cannot use {value}")
    error.add_note(f"it was {value}")
    raise error from KeyError(value)


async def test_the_doctor_and_the_shell_show_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where Slack cannot be reached and nothing is right."""
    monkeypatch.chdir(tmp_path)
    loaded = load(CANARIES)
    said = "\n".join(finding.line() for finding in await examine(loaded))
    assert "auth.test failed" in said
    assert seen(said) == []
    with pytest.raises(SwitchyardError) as raised:
        await list_jobs(loaded, "", limit=5, as_json=True)
    assert seen("".join(traceback.format_exception(raised.value))) == []


ELSEWHERE = (
    "SWITCHYARD_POLL__MIN_SECONDS",
    "SWITCHYARD_LOG__LEVEL",
    "SWITCHYARD_SLACK__TEAMS",
    "SWITCHYARD_APPROVALS__APPROVERS",
    "SWITCHYARD_DATABASE_URL",
    "SLACK_API_URL",
    "SWITCHYARD_SLACK__BOT_TOKENS",
    "SWITCHYARD_SECRETS_FOLDER",
    "SLACK_BOT_TOKEN_FILE",
)


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_secret_in_the_wrong_place_is_not_quoted(name: str, place: str) -> None:
    """Who pastes a token where something else belongs is told which setting is wrong, and the token stays unseen."""
    with pytest.raises(ConfigurationError) as raised:
        load({**CANARIES, place: HIDDEN[name]})
    assert place.rpartition("_")[2] in str(raised.value)
    assert seen("".join(traceback.format_exception(raised.value))) == []


async def test_the_health_page_shows_no_secret(tmp_path: Path) -> None:
    """Neither when all is well, nor when Slack is away."""
    async with lab(tmp_path, SWITCHYARD_HEALTH__PORT="0") as here, aiohttp.ClientSession() as session:
        for path in ("/healthz", "/readyz", "/nothing"):
            async with session.get(here.bot.health + path) as response:
                text = await response.text() + repr(response.headers)
            assert [one for one in secrets(load(here.environ)) if one in text] == []
