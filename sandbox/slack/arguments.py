"""The arguments of a Web API call, wherever the caller put them: query, form, JSON or multipart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox.slack.wire import JSON, SlackError

_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}
_TRUE = {"1", "true", "True"}


@dataclass(frozen=True, slots=True)
class Arguments:
    values: Mapping[str, Any]

    def given(self, name: str) -> bool:
        return self.values.get(name) is not None and self.values[name] != ""

    def text(self, name: str) -> str | None:
        return _text(self.values[name]) if self.given(name) else None

    def required(self, name: str) -> str:
        return _text(self.values[name])

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.values.get(name)
        return default if value is None else str(value) in _TRUE

    def number(self, name: str, *, default: int, most: int) -> int:
        raw = self.text(name)
        if raw is None:
            return default
        if not raw.isdecimal() or int(raw) < 1:
            raise SlackError("invalid_limit")
        return min(int(raw), most)

    def missing(self, names: tuple[str, ...]) -> list[str]:
        return [name for name in names if not self.given(name)]


async def read(request: web.Request) -> JSON:
    """Query and body together; the body wins."""
    return {**request.query, **await _body(request)}


async def _body(request: web.Request) -> JSON:
    if request.content_type == "application/json":
        return await _json(request)
    if request.content_type in _FORMS:
        return {name: _decoded(value) for name, value in (await request.post()).items()}
    return {}


async def _json(request: web.Request) -> JSON:
    try:
        values = await request.json()
    except ValueError:
        raise SlackError("invalid_json") from None
    if not isinstance(values, dict):
        raise SlackError("json_not_object")
    return values


def _decoded(value: Any) -> Any:
    """A part of a multipart body that names its own content type arrives as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else value


def _text(value: Any) -> str:
    """A list of names may also come as an array."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
