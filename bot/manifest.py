"""The Slack app's manifest: as it comes for Socket Mode, and its twin for HTTP mode."""

import copy
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import yaml

from bot.errors import UsageError
from handlers.ids import REQUEST_PATH

Manifest: TypeAlias = dict[str, Any]
FILE_NAME = "manifest.yml"


def text() -> str:
    """The manifest for Socket Mode as it is written, with the reasons in its comments."""
    here = Path(__file__).parent
    # An installed package carries a copy; in the repository the file lies at the top.
    places = (here / FILE_NAME, here.parent / FILE_NAME)
    return next(place for place in places if place.is_file()).read_text("utf-8")


def load() -> Manifest:
    """The manifest for Socket Mode."""
    read: Manifest = yaml.safe_load(text())
    return read


def http_twin(manifest: Manifest, base_url: str) -> Manifest:
    """The same app for HTTP mode: Slack sends everything to one address below `base_url`.

    Raises UsageError unless that is a plain https address.
    """
    url = _request_url(base_url)
    twin = copy.deepcopy(manifest)
    for command in twin["features"]["slash_commands"]:
        command["url"] = url
    twin["settings"]["event_subscriptions"]["request_url"] = url
    twin["settings"]["interactivity"]["request_url"] = url
    twin["settings"]["socket_mode_enabled"] = False
    return twin


def dump(manifest: Manifest) -> str:
    """As YAML, in the order in which it stands."""
    written: str = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=120)
    return written


def _request_url(base_url: str) -> str:
    if not _is_plain_https(base_url):
        raise UsageError(
            f"`{base_url}` is no address that Slack can send to: it has to begin with https:// and name a host, "
            "without a password, a query or a fragment. For example https://switchyard.example.com.",
            word=base_url,
        )
    return base_url.rstrip("/").removesuffix(REQUEST_PATH) + REQUEST_PATH


def _is_plain_https(address: str) -> bool:
    try:
        url = urlsplit(address)
    except ValueError:
        return False
    has_extras = bool(url.query or url.fragment or "@" in url.netloc) or any(sign.isspace() for sign in address)
    return url.scheme == "https" and bool(url.hostname) and not has_extras
