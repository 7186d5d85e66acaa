"""What people put into a form's file field: it is uploaded as theirs, and the form holds it.

Source: https://docs.slack.dev/reference/block-kit/block-elements/file-input-element (at most ten files of 10 MB).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from sandbox.slack import file_shapes
from sandbox.slack.actions import form
from sandbox.slack.files import File
from sandbox.slack.lab import Lab
from sandbox.slack.wire import JSON, SlackError

MOST_FILES = 10
MOST_BYTES = 10 * 1024 * 1024


def with_files(lab: Lab, user: str, view: JSON, values: JSON) -> JSON:
    """The values with what is in a file field uploaded: `{"name", "content"}` (base64) or `{"id"}` of one uploaded."""
    fields = {(block["block_id"], one["action_id"]): one for block, one in form(view) if one["type"] == "file_input"}
    return {
        block: {
            action: _held(lab, user, fields[block, action], entry) if (block, action) in fields else entry
            for action, entry in entries.items()
        }
        for block, entries in values.items()
    }


def _held(lab: Lab, user: str, element: JSON, entry: Any) -> JSON:
    given = (entry.get("files") if isinstance(entry, dict) else entry) or []
    if len(given) > element.get("max_files", MOST_FILES):
        raise SlackError("too_many_files")
    files = [_file(lab, user, element, one) for one in given]
    for file in files:
        file.is_given = True
    shown = [file_shapes.shape(lab, file, with_shares=False) for file in files]
    return {"type": "file_input", "files": shown}


def _file(lab: Lab, user: str, element: JSON, given: JSON) -> File:
    """One that is uploaded already, or a new one of a kind that the field takes."""
    if given.get("id"):
        file = lab.files.get(given["id"])
        if file.user != user:
            raise SlackError("file_not_found")
        return file
    name, data = str(given.get("name", "")), read_content(given.get("content"))
    kinds = element.get("filetypes")
    if kinds and name.rpartition(".")[2].lower() not in kinds:
        raise SlackError("filetype_not_allowed")
    if len(data) > MOST_BYTES:
        raise SlackError("file_too_large")
    return upload(lab, user, name, data)


def upload(lab: Lab, user: str, name: str, data: bytes) -> File:
    """A person's new file, which nobody else sees yet."""
    if not name or not data:
        raise SlackError("no_file_data")
    return lab.files.add(name, data, int(lab.workspace.clock.time()), user)


def read_content(text: Any) -> bytes:
    """The bytes that the page sends in base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise SlackError("invalid_arguments", message="content is no base64") from None
