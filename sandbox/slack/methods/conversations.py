"""conversations.*: opening, looking up, reading. Source: docs.slack.dev/reference/methods?family=conversations."""

from __future__ import annotations

import re
from collections.abc import Callable

from sandbox.slack import shapes
from sandbox.slack.arguments import Arguments
from sandbox.slack.lab import Lab
from sandbox.slack.methods import paging
from sandbox.slack.wire import JSON, SlackError
from sandbox.slack.workspace import Channel, Kind, Message

_TYPES: dict[str, Kind] = {"public_channel": "channel", "private_channel": "private", "im": "dm"}
_FAMILY: dict[Kind, str] = {"channel": "channels", "private": "groups", "dm": "im"}


def open_(lab: Lab, args: Arguments) -> JSON:
    if args.given("channel"):
        channel = lab.visible(args.required("channel"))
        return _opened(lab, channel, args, existed=True)
    people = [name for name in (args.text("users") or "").split(",") if name]
    if not people:
        raise SlackError("users_list_not_supplied")
    if len(people) > 1:
        # Conversations of more than two are not part of this sandbox; the app would need mpim:write for them.
        raise SlackError("missing_scope", needed="mpim:write", provided=",".join(sorted(lab.scopes)))
    _need(lab, "im:write")
    person = lab.workspace.user(people[0])
    existed = lab.workspace.find_dm(person.id, lab.bot) is not None
    return _opened(lab, lab.workspace.open_dm(person.id, lab.bot), args, existed=existed)


def info(lab: Lab, args: Arguments) -> JSON:
    channel = lab.visible(args.required("channel"))
    _need(lab, f"{_FAMILY[channel.kind]}:read")
    return {"channel": shapes.channel(lab.workspace, channel, with_count=args.flag("include_num_members"))}


def members(lab: Lab, args: Arguments) -> JSON:
    channel = lab.visible(args.required("channel"))
    _need(lab, f"{_FAMILY[channel.kind]}:read")
    found, cursor = paging.page(channel.members, args, default=100, most=1000)
    return {"members": found, "response_metadata": {"next_cursor": cursor}}


def list_(lab: Lab, args: Arguments) -> JSON:
    kinds = [_kind(name) for name in (args.text("types") or "public_channel").split(",")]
    for kind in kinds:
        _need(lab, f"{_FAMILY[kind]}:read")
    hides_archived = args.flag("exclude_archived")
    found = [
        channel
        for channel in lab.workspace.channels.values()
        if channel.kind in kinds and _is_visible(lab, channel) and not (hides_archived and channel.archived)
    ]
    shown, cursor = paging.page(found, args, default=100, most=999)
    channels = [shapes.channel(lab.workspace, channel, with_count=True) for channel in shown]
    return {"channels": channels, "response_metadata": {"next_cursor": cursor}}


def history(lab: Lab, args: Arguments) -> JSON:
    """Newest first; replies are not part of it unless they were broadcast."""
    channel = _readable(lab, args)
    said = [message for message in _between(lab, channel, args) if message.in_channel]
    return _read(lab, said[::-1], args, default=100)


def replies(lab: Lab, args: Arguments) -> JSON:
    """Oldest first, the root at the head of every page."""
    channel = _readable(lab, args)
    root = lab.workspace.in_channel(channel.id).get(args.required("ts"))
    if root is None:
        raise SlackError("thread_not_found")
    said = [message for message in _between(lab, channel, args) if message.is_reply and message.thread_ts == root.ts]
    answer = _read(lab, said, args, default=1000)
    shown = shapes.listed_message(lab.workspace, root, with_metadata=args.flag("include_all_metadata"))
    return {**answer, "messages": [shown, *answer["messages"]]}


def _readable(lab: Lab, args: Arguments) -> Channel:
    channel = lab.joined(args.required("channel"))
    _need(lab, f"{_FAMILY[channel.kind]}:history")
    return channel


def _read(lab: Lab, said: list[Message], args: Arguments, *, default: int) -> JSON:
    shown, cursor = paging.page(said, args, default=default, most=999 if default < 999 else 1000)
    with_metadata = args.flag("include_all_metadata")
    messages = [shapes.listed_message(lab.workspace, message, with_metadata=with_metadata) for message in shown]
    answer: JSON = {"messages": messages, "has_more": bool(cursor)}
    if cursor:
        answer["response_metadata"] = {"next_cursor": cursor}
    return answer


def _between(lab: Lab, channel: Channel, args: Arguments) -> list[Message]:
    """Messages in order of time, between `oldest` and `latest`; the ends themselves only where `inclusive`."""
    inclusive = args.flag("inclusive")
    keep: list[Callable[[int], bool]] = []
    if (oldest := _stamp(args, "oldest")) is not None:
        keep.append(lambda ts: ts > oldest or (inclusive and ts == oldest))
    if (latest := _stamp(args, "latest")) is not None:
        keep.append(lambda ts: ts < latest or (inclusive and ts == latest))
    said = sorted(lab.workspace.in_channel(channel.id).values(), key=lambda message: _micros(message.ts))
    return [message for message in said if all(fits(_micros(message.ts)) for fits in keep)]


def _stamp(args: Arguments, name: str) -> int | None:
    raw = args.text(name)
    if raw is None or raw == "now":
        return None
    if not re.fullmatch(r"\d+(\.\d+)?", raw):
        raise SlackError(f"invalid_ts_{name}")
    return _micros(raw)


def _micros(ts: str) -> int:
    """A stamp as a whole number: a float would lose its last digit."""
    seconds, _, fraction = ts.partition(".")
    return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0")[:6])


def _opened(lab: Lab, channel: Channel, args: Arguments, *, existed: bool) -> JSON:
    whole = args.flag("return_im") and channel.kind == "dm"
    shown = shapes.direct(lab.workspace, channel) if whole else {"id": channel.id}
    return {"channel": shown, **({"no_op": True, "already_open": True} if existed else {})}


def _kind(name: str) -> Kind:
    if name not in {*_TYPES, "mpim"}:
        raise SlackError("invalid_types")
    return _TYPES.get(name, "dm")


def _is_visible(lab: Lab, channel: Channel) -> bool:
    return channel.kind == "channel" or lab.bot in channel.members


def _need(lab: Lab, scope: str) -> None:
    if scope not in lab.scopes:
        raise SlackError("missing_scope", needed=scope, provided=",".join(sorted(lab.scopes)))
