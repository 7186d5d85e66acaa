"""What a message or a view holds, as Slack checks it on arrival and as it stores it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.slack import blockkit
from sandbox.slack.mrkdwn import normalised
from sandbox.slack.wire import JSON, SlackError, decoded

MOST_POSTED = 40_000
MOST_UPDATED = 4_000
MOST_ATTACHMENTS = 100
# Slack publishes that metadata can be too large, not how large: this bound is a guess.
MOST_METADATA = 16_000
# What Slack puts where an app sends blocks and no text.
NO_FALLBACK = "This content can't be displayed."

_names = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """None means: the caller did not say. An empty tuple means: none."""

    text: str | None
    blocks: tuple[JSON, ...] | None
    attachments: tuple[JSON, ...] | None
    metadata: JSON | None
    truncated: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.blocks or self.attachments)


def read(values: JSON, *, most_text: int, truncate: bool) -> Content:
    """The content of a call's arguments or of a response_url's body; SlackError where Slack would refuse it."""
    text = values.get("text")
    text = None if text is None else str(text)
    too_long = text is not None and len(text) > most_text
    if too_long and not truncate:
        raise SlackError("msg_too_long")
    blocks = _blocks(values)
    return Content(
        text=normalised(text[:most_text]) if text is not None else None,
        blocks=blocks,
        attachments=_attachments(values.get("attachments")),
        metadata=_metadata(values.get("metadata")),
        truncated=too_long,
    )


def read_view(value: Any) -> JSON:
    """A view as Slack stores it; SlackError `invalid_arguments` with the findings, or `view_too_large`."""
    unreadable = SlackError.with_messages("invalid_arguments", ["invalid view [json-pointer:/view]"])
    view = decoded(value, unreadable)
    if not isinstance(view, dict):
        raise unreadable
    if len(json.dumps(view, ensure_ascii=False).encode()) > blockkit.VIEW_BYTES:
        raise SlackError("view_too_large")
    if findings := blockkit.view_findings(view):
        raise SlackError.with_messages("invalid_arguments", findings)
    return {**_with_defaults(view), "blocks": _stored(view["blocks"])}


def _blocks(values: JSON) -> tuple[JSON, ...] | None:
    markdown = values.get("markdown_text")
    if markdown is not None and (values.get("text") is not None or values.get("blocks") is not None):
        raise SlackError("markdown_text_conflict")
    raw = [{"type": "markdown", "text": markdown}] if markdown is not None else values.get("blocks")
    blocks = decoded(raw, SlackError("invalid_blocks_format"))
    if blocks is None:
        return None
    return tuple(_checked(blocks)) if blocks else ()


def _checked(blocks: Any) -> list[JSON]:
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    if findings := blockkit.message_findings(blocks):
        raise SlackError.with_messages("invalid_blocks", findings)
    if blockkit.total_text(blocks) > blockkit.MOST_TEXT:
        raise SlackError("msg_blocks_too_long")
    return _stored(blocks)


def _attachments(raw: Any) -> tuple[JSON, ...] | None:
    attachments = decoded(raw, SlackError("invalid_attachments"))
    if attachments is None:
        return None
    if not isinstance(attachments, list) or not all(isinstance(entry, dict) for entry in attachments):
        raise SlackError("invalid_attachments")
    if len(attachments) > MOST_ATTACHMENTS:
        raise SlackError("too_many_attachments")
    return tuple(_attachment(entry, number) for number, entry in enumerate(attachments, 1))


def _attachment(entry: JSON, number: int) -> JSON:
    blocks = {"blocks": _checked(entry["blocks"])} if entry.get("blocks") else {}
    return {"id": number, **entry, **blocks}


def _metadata(raw: Any) -> JSON | None:
    metadata = decoded(raw, SlackError("invalid_metadata_format"))
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        raise SlackError("invalid_metadata_format")
    if not metadata:
        return {}
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_schema")
    if len(json.dumps(metadata)) > MOST_METADATA:
        raise SlackError("metadata_too_large")
    return {"event_type": metadata["event_type"], "event_payload": metadata["event_payload"]}


def _stored(blocks: list[JSON]) -> list[JSON]:
    """Blocks with the names and defaults that Slack adds to what an app left out."""
    return [_named_block(block) for block in _with_defaults(blocks)]


def _named_block(block: JSON) -> JSON:
    block = {"block_id": _next_name(), **block}
    for part in ("elements", "actions"):
        if isinstance(block.get(part), list) and block["type"] in {"actions", "context_actions", "card"}:
            block[part] = [_named_element(element) for element in block[part]]
    for part in ("accessory", "element"):
        if part in block:
            block[part] = _named_element(block[part])
    if "child_blocks" in block:
        block["child_blocks"] = [_named_block(child) for child in block["child_blocks"]]
    if block["type"] == "carousel":
        block["elements"] = [_named_block(card) for card in block["elements"]]
    return block


def _named_element(element: JSON) -> JSON:
    return element if element["type"] == "image" else {"action_id": _next_name(), **element}


def _with_defaults(part: Any) -> Any:
    if isinstance(part, list):
        return [_with_defaults(entry) for entry in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") == "mrkdwn":
        return {"verbatim": False, **part, "text": normalised(part["text"])}
    if part.get("type") == "plain_text":
        return {"emoji": True, **part}
    return {key: _with_defaults(value) for key, value in part.items()}


def _next_name() -> str:
    return f"auto{next(_names)}"


def pressable(
    message_blocks: tuple[JSON, ...] | None, attachments: tuple[JSON, ...] | None
) -> Iterator[tuple[JSON, JSON]]:
    """Every (block, element) of a message, those of its attachments too."""
    inner = [block for attachment in attachments or () for block in attachment.get("blocks") or ()]
    for block in blockkit.walk([*(message_blocks or ()), *inner]):
        for element in blockkit.elements(block):
            yield block, element
