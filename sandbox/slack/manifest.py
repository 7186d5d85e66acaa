"""What the installed app may do and hears about: read from the repository's manifest.yml where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

# What the app is granted while there is no manifest: the calls that the sandbox's Slack answers.
DEFAULT_SCOPES = (
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "team:read",
    "usergroups:read",
    "users:read",
)
DEFAULT_EVENTS = ("app_home_opened", "member_joined_channel", "subteam_members_changed")

# Slack refuses a manifest that registers one of its own names; the sandbox delivers this one all the same and says so.
RESERVED = "/status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    name: str
    usage: str
    description: str
    reserved: bool = False
    should_escape: bool = False

    def page(self) -> dict[str, Any]:
        return {
            "command": self.name,
            "usage": self.usage,
            "description": self.description,
            "reserved": self.reserved,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    callback_id: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    commands: Mapping[str, Command]
    scopes: frozenset[str]
    events: frozenset[str]
    shortcuts: tuple[Shortcut, ...] = ()
    home_tab: bool = True
    messages_tab: bool = True
    messages_read_only: bool = False
    source: Path | None = field(default=None, compare=False)


def read(path: Path) -> Manifest:
    """The manifest in that file, or the default one where there is no such file."""
    return _from_document(_parsed(path.read_text("utf-8")), path) if path.is_file() else default()


@lru_cache(maxsize=8)
def _parsed(text: str) -> Mapping[str, Any]:
    """The document, which nobody changes: many a world is made of the same one."""
    document: Mapping[str, Any] = yaml.safe_load(text)
    return document


def default() -> Manifest:
    commands = [
        Command(name="/train", usage="PROVIDER …", description="Start a training"),
        Command(name="/train-status", usage="[JOB | PROVIDER REF…]", description="How trainings stand"),
        Command(name="/jobs", usage="[here|mine|all]", description="The history of trainings"),
    ]
    return Manifest(
        commands=_with_reserved(commands), scopes=frozenset(DEFAULT_SCOPES), events=frozenset(DEFAULT_EVENTS)
    )


def _from_document(document: Mapping[str, Any], path: Path) -> Manifest:
    features, settings = _part(document, "features"), _part(document, "settings")
    home = _part(features, "app_home")
    return Manifest(
        commands=_with_reserved([_command(entry) for entry in features.get("slash_commands") or ()]),
        scopes=frozenset(_part(_part(document, "oauth_config"), "scopes").get("bot") or ()),
        events=frozenset(_part(settings, "event_subscriptions").get("bot_events") or ()),
        shortcuts=tuple(_shortcut(entry) for entry in features.get("shortcuts") or ()),
        home_tab=bool(home.get("home_tab_enabled", False)),
        messages_tab=bool(home.get("messages_tab_enabled", False)),
        messages_read_only=bool(home.get("messages_tab_read_only_enabled", False)),
        source=path,
    )


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return document.get(name) or {}


def _command(entry: Mapping[str, Any]) -> Command:
    return Command(
        name=entry["command"],
        usage=entry.get("usage_hint", ""),
        description=entry.get("description", ""),
        should_escape=bool(entry.get("should_escape", False)),
    )


def _shortcut(entry: Mapping[str, Any]) -> Shortcut:
    return Shortcut(callback_id=entry["callback_id"], name=entry["name"], kind=entry["type"])


def _with_reserved(commands: list[Command]) -> dict[str, Command]:
    known = {command.name: command for command in commands}
    known.setdefault(
        RESERVED,
        Command(
            name=RESERVED,
            usage="[JOB | PROVIDER REF…]",
            description="As /train-status. Slack keeps this name for itself, only the sandbox delivers it",
            reserved=True,
        ),
    )
    return known
