"""files.*: an upload in three steps, and what became of it. Source: docs.slack.dev/reference/methods?family=files."""

from __future__ import annotations

from typing import Any

from sandbox.slack import file_shapes
from sandbox.slack.arguments import Arguments
from sandbox.slack.files import File, Share
from sandbox.slack.lab import Lab
from sandbox.slack.methods import chat
from sandbox.slack.wire import JSON, SlackError, decoded
from sandbox.slack.workspace import Channel, Message

MOST_BYTES = 1024**3
"""A gigabyte a file (https://slack.com/help/articles/201330736-Add-files-to-Slack)."""


def get_upload_url(lab: Lab, args: Arguments) -> JSON:
    length = args.text("length") or ""
    if not length.isdecimal() or not int(length):
        raise SlackError.with_messages("invalid_arguments", ["length must be a number above 0"])
    if int(length) > MOST_BYTES:
        raise SlackError("file_upload_size_restricted")
    file = lab.files.expect(args.required("filename"), int(length), int(lab.workspace.clock.time()), lab.bot)
    return {"upload_url": f"{lab.base_url}/upload/v1/{file.ticket}", "file_id": file.id}


def complete_upload(lab: Lab, args: Arguments) -> JSON:
    """Share what was uploaded. Whoever completes twice shares twice: what Slack does then is not published."""
    wanted = _wanted(args)
    found = [_uploaded(lab, one) for one in wanted]
    channel = _place(lab, args.text("channel_id")) if args.given("channel_id") else None
    thread_ts = args.text("thread_ts")
    root = chat.root_of(lab, channel.id, thread_ts) if channel and thread_ts else None
    for file, one in zip(found, wanted, strict=True):
        file.is_complete, file.title = True, str(one.get("title") or file.name)
    if channel:
        _share(lab, channel, found, args.text("initial_comment") or "", root)
    return {"files": [file_shapes.shape(lab, file, with_shares=False) for file in found]}


def info(lab: Lab, args: Arguments) -> JSON:
    """A file that was uploaded and never completed is none, and so is one that the app has no way to see."""
    file = lab.files.get(args.required("file"))
    if not file.is_complete or not file_shapes.app_sees(lab, file):
        raise SlackError("file_not_found")
    if file.is_deleted:
        raise SlackError("file_deleted")
    return {"file": file_shapes.shape(lab, file, with_shares=True)}


def _wanted(args: Arguments) -> list[JSON]:
    given: Any = decoded(args.values["files"], SlackError("invalid_arguments"))
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) and one.get("id") for one in given):
        raise SlackError.with_messages("invalid_arguments", ["files must be a list of objects with an id"])
    return given


def _uploaded(lab: Lab, wanted: JSON) -> File:
    file = lab.files.get(str(wanted["id"]))
    if file.data is None:
        raise SlackError("file_not_found")
    return file


def _place(lab: Lab, channel_id: str | None) -> Channel:
    """Where the bot may share: its own conversations; for an archived one the word is a guess."""
    channel = lab.joined(channel_id or "")
    if channel.archived:
        raise SlackError("posting_to_channel_denied")
    return channel


def _share(lab: Lab, channel: Channel, files: list[File], comment: str, thread_ts: str | None) -> None:
    ts = lab.workspace.next_ts()
    for file in files:
        file.shares.append(Share(channel=channel.id, ts=ts, thread_ts=thread_ts))
    lab.workspace.put(
        Message(
            ts=ts,
            channel=channel.id,
            user=lab.bot,
            bot_id=lab.workspace.app.bot_id,
            text=comment,
            thread_ts=thread_ts,
            files=tuple(file_shapes.shape(lab, file, with_shares=False) for file in files),
        )
    )
