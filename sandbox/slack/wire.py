"""What goes over Slack's wire: JSON objects, and the errors that Slack answers with."""

from __future__ import annotations

import json
from typing import Any

JSON = dict[str, Any]


class SlackError(Exception):
    """A refusal in Slack's form: `{"ok": false, "error": code, …extra}`."""

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra

    @classmethod
    def with_messages(cls, code: str, messages: list[str]) -> SlackError:
        """A refusal that names its reasons in `response_metadata.messages`, as Slack does for blocks and arguments."""
        return cls(code, response_metadata={"messages": [f"[ERROR] {message}" for message in messages]})

    def reply(self) -> JSON:
        return {"ok": False, "error": self.code, **self.extra}


def decoded(value: Any, error: SlackError) -> Any:
    """The value itself, or what its JSON text holds; `error` where the text is no JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise error from None


def without_nothing(values: JSON) -> JSON:
    """The object without the keys that have no value: Slack leaves such keys out."""
    return {key: value for key, value in values.items() if value is not None}
