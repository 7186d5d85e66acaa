"""manifest.yml is what the code registers and calls, no more and no less, and what Slack takes."""

import ast
import inspect
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

from bot import manifest
from bot.errors import UsageError
from bot.manifest import Manifest, http_twin
from handlers.actions import PRESSES
from handlers.forms.train import FORM_PRESSES
from handlers.ids import METHODS, RESERVED, SCOPES, Action, Callback, Command, SlackEvent, action_id, action_of

ROOT = Path(__file__).parents[2]
BASE_URL = "https://switchyard.example.com"
REQUEST_URL = "https://switchyard.example.com/slack/events"


def contract(name: str) -> Any:
    """One of the documents that Slack publishes about itself."""
    folder = os.environ.get("SLACK_CONTRACTS")
    if not folder:
        pytest.skip("SLACK_CONTRACTS names no folder with Slack's published contracts")
    return json.loads((Path(folder) / name).read_text("utf-8"))


@pytest.fixture
def app() -> Manifest:
    return manifest.load()


@pytest.fixture(params=["socket", "http"])
def twin(request: pytest.FixtureRequest, app: Manifest) -> Manifest:
    return app if request.param == "socket" else http_twin(app, BASE_URL)


def scopes(app: Manifest) -> list[str]:
    granted: list[str] = app["oauth_config"]["scopes"]["bot"]
    return granted


def events(app: Manifest) -> list[str]:
    subscribed: list[str] = app["settings"]["event_subscriptions"]["bot_events"]
    return subscribed


def commands(app: Manifest) -> list[Mapping[str, Any]]:
    registered: list[Mapping[str, Any]] = app["features"]["slash_commands"]
    return registered


def nodes(*places: str) -> Iterator[ast.AST]:
    """The syntax of these files and folders, apart from the list of ids itself."""
    files = [file for place in places for file in (ROOT / place).rglob("*.py")]
    files += [ROOT / "bot" / "app.py", ROOT / "bot" / "identity.py"]
    for file in files:
        if file != ROOT / "handlers" / "ids.py":
            yield from ast.walk(ast.parse(file.read_text("utf-8")))


def called_methods() -> set[str]:
    """The methods of the Web API that are called through slack_sdk's client, by their names at Slack."""
    names = {node.attr for node in nodes("handlers") if isinstance(node, ast.Attribute)}
    calls = {name for name in names if inspect.iscoroutinefunction(getattr(AsyncWebClient, name, None))}
    return {name.replace("_", ".") for name in calls}


def test_the_methods_are_those_of_the_code() -> None:
    """The scopes follow from this list, so no call may be missing from it; Socket Mode's own call is the library's."""
    assert called_methods() | {"apps.connections.open"} == set(METHODS)


def test_every_name_is_answered() -> None:
    """A command, an event or a form that no handler mentions would be registered and left without an answer."""
    used = {ast.unparse(node) for node in nodes("handlers") if isinstance(node, ast.Attribute)}
    for names in (Command, SlackEvent, Callback):
        assert {f"{names.__name__}.{one.name}" for one in names} <= used


def test_the_shortcuts_are_those_of_the_code(app: Manifest) -> None:
    """The entry in a message's menu carries the id that is listened for, under a name that Slack has room for."""
    registered = app["features"]["shortcuts"]
    assert [(one["callback_id"], one["type"]) for one in registered] == [(Callback.TRAIN_WITH_FILE.value, "message")]
    assert all(len(one["name"]) <= 24 for one in registered)


def test_every_button_is_answered() -> None:
    """Each action has what it does; a rejection asks for its reason first, others open a form or change it."""
    assert {*PRESSES, *FORM_PRESSES, Action.REJECT} == set(Action)


def test_every_button_of_an_answer_is_known() -> None:
    """What the engine calls a button is an action here."""
    tree = list(nodes("bot/usecases"))
    words = [word.value for word in (*keywords(tree), *entries(tree)) if isinstance(word, ast.Constant)]
    assert words
    assert all(action_of(str(word)) for word in words)


def keywords(tree: list[ast.AST]) -> list[ast.expr]:
    """Values of `action=` in calls."""
    return [node.value for node in tree if isinstance(node, ast.keyword) and node.arg == "action"]


def entries(tree: list[ast.AST]) -> list[ast.expr]:
    """Values of `"action":` in dictionaries."""
    pairs = [pair for node in tree if isinstance(node, ast.Dict) for pair in zip(node.keys, node.values, strict=True)]
    return [value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "action"]


def test_the_id_of_a_button_reads_back() -> None:
    """Buttons of one action stay apart in a message, and one that nobody knows any more is told from them."""
    assert action_of(action_id(Action.ANSWER, "runs")) == (Action.ANSWER, "runs")
    assert action_of(action_id(Action.CANCEL)) == (Action.CANCEL, "")
    assert action_of("of_an_older_version:1") is None


def test_the_commands_are_those_of_the_code(app: Manifest) -> None:
    """What is answered is registered, apart from what Slack keeps for itself."""
    assert [one["command"] for one in commands(app)] == [one.value for one in Command if one not in RESERVED]


def test_no_reserved_name_is_registered(app: Manifest) -> None:
    """One of them makes Slack refuse every command; `/status` is in the list, the reason is in the file."""
    assert not {one["command"] for one in commands(app)} & RESERVED
    assert Command.STATUS in RESERVED
    assert "`/status` is not here" in manifest.text()


def test_every_command_explains_itself(app: Manifest) -> None:
    """Slack shows both while somebody types."""
    assert all(one["description"] and one["usage_hint"] for one in commands(app))


def test_the_events_are_those_of_the_code(app: Manifest) -> None:
    """Nothing is sent that nobody reads."""
    assert events(app) == [one.value for one in SlackEvent]


def test_buttons_and_direct_messages_work(app: Manifest) -> None:
    """Buttons need interactivity; the way on through a direct message needs a tab in which commands can be typed."""
    assert app["settings"]["interactivity"] == {"is_enabled": True}
    home = app["features"]["app_home"]
    assert (home["messages_tab_enabled"], home["messages_tab_read_only_enabled"]) == (True, False)


def test_the_home_tab_is_there_to_be_drawn(app: Manifest) -> None:
    """Without it Slack refuses every page (`not_enabled`) and sends no event."""
    assert app["features"]["app_home"]["home_tab_enabled"] is ("views.publish" in METHODS) is True
    assert SlackEvent.APP_HOME_OPENED.value in events(app)


def test_every_scope_stands_with_its_reason(app: Manifest) -> None:
    """Whoever installs the app reads why; the code gives the same reasons."""
    written = dict(re.findall(r"^ {6}- ([\w:.]+) # (.+)$", manifest.text(), re.MULTILINE))
    assert written == SCOPES
    assert scopes(app) == list(SCOPES)


def test_the_bot_stays_where_it_was_invited(app: Manifest) -> None:
    """It asks neither to post nor to join anywhere by itself."""
    assert not {"chat:write.public", "channels:join", "channels:manage", "groups:write"} & set(scopes(app))


@pytest.mark.contracts
def test_both_twins_are_valid(twin: Manifest) -> None:
    """Slack's own schema takes the app for Socket Mode and the one for HTTP mode."""
    schema = contract("manifest.schema.2.0.0.json")
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(twin)] == []


@pytest.mark.contracts
def test_the_scopes_are_enough(app: Manifest) -> None:
    """Each method that is called exists and is granted, each event can be heard."""
    methods, heard = contract("web-api-methods.json")["methods"], contract("events.json")["events"]
    for method in METHODS:
        needed = set(methods[method]["scopes"].get("bot", ()))
        assert not needed or needed & set(scopes(app)), method
    for event in events(app):
        needed = set(heard[event]["scopes"])
        assert not needed or needed & set(scopes(app)), event


@pytest.mark.contracts
def test_no_scope_is_superfluous(app: Manifest) -> None:
    """Each belongs to a method that is called, to an event, or to the commands."""
    methods, heard = contract("web-api-methods.json")["methods"], contract("events.json")["events"]
    for_methods = {scope for method in METHODS for scope in methods[method]["scopes"].get("bot", ())}
    for_events = {scope for event in events(app) for scope in heard[event]["scopes"]}
    assert set(scopes(app)) <= for_methods | for_events | {"commands"}


@pytest.mark.parametrize("base_url", [BASE_URL, f"{BASE_URL}/", REQUEST_URL])
def test_the_twin_differs_in_addresses_alone(app: Manifest, base_url: str) -> None:
    """Commands, buttons and events go to one address; everything else stays."""
    twin = http_twin(app, base_url)
    assert {one.pop("url") for one in twin["features"]["slash_commands"]} == {REQUEST_URL}
    assert twin["settings"]["event_subscriptions"].pop("request_url") == REQUEST_URL
    assert twin["settings"]["interactivity"].pop("request_url") == REQUEST_URL
    assert twin["settings"].pop("socket_mode_enabled") is False
    twin["settings"]["socket_mode_enabled"] = True
    assert twin == app == manifest.load()


def test_the_twin_keeps_a_path_before_its_own(app: Manifest) -> None:
    """A proxy may serve the bot below a path."""
    twin = http_twin(app, "https://tools.example.com/switchyard")
    assert twin["settings"]["interactivity"]["request_url"] == "https://tools.example.com/switchyard/slack/events"


@pytest.mark.parametrize(
    "address",
    [
        "http://switchyard.example.com",
        "switchyard.example.com",
        "https://",
        "https://[x",
        "https://a b",
        "https://h?x=1",
        "https://h/#x",
        "https://me:pw@h",
        "",
    ],
)
def test_slack_needs_https(app: Manifest, address: str) -> None:
    """Slack sends to https alone; the sentence shows an address that works."""
    with pytest.raises(UsageError, match="has to begin with https://"):
        http_twin(app, address)


def test_what_is_printed_is_what_is_meant(app: Manifest) -> None:
    """The printed twin reads back as itself, and begins like the file."""
    twin = http_twin(app, BASE_URL)
    assert yaml.safe_load(manifest.dump(twin)) == twin
    assert list(yaml.safe_load(manifest.dump(twin))) == list(app)
