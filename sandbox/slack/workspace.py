"""The state of one workspace: people, channels, messages, ephemerals. It knows no HTTP and no app's rights."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from sandbox.slack.feed import Feed
from sandbox.slack.wire import JSON, SlackError, without_nothing

Kind = Literal["channel", "private", "dm"]


class Clock(Protocol):
    """Where the sandbox takes its time from."""

    def time(self) -> float:
        """Seconds since 1970."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    id: str
    name: str
    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The installed app and its bot user."""

    id: str
    user_id: str
    bot_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: str
    name: str
    real_name: str
    title: str
    color: str
    guest: bool = False
    zone: str = "Europe/Istanbul"
    locale: str = "en-US"
    has_left: bool = False

    def page(self) -> JSON:
        return {
            "id": self.id,
            "name": self.name,
            "real_name": self.real_name,
            "title": self.title,
            "color": self.color,
            "locale": self.locale,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGroup:
    id: str
    handle: str
    name: str
    members: tuple[str, ...]
    updated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    id: str
    name: str
    members: tuple[str, ...]
    kind: Kind = "channel"
    topic: str = ""
    archived: bool = False

    def page(self) -> JSON:
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            "members": list(self.members),
            "archived": self.archived,
            "topic": self.topic,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it stands now; an edit makes a new value under the same `ts`."""

    ts: str
    channel: str
    user: str
    text: str
    bot_id: str | None = None
    thread_ts: str | None = None
    blocks: tuple[JSON, ...] | None = None
    attachments: tuple[JSON, ...] | None = None
    metadata: JSON | None = None
    edited_ts: str | None = None
    subtype: str | None = None
    broadcast: bool = False
    files: tuple[JSON, ...] | None = None

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts

    @property
    def in_channel(self) -> bool:
        """Shown in the channel itself, not only in a thread."""
        return self.broadcast or not self.is_reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Ephemeral:
    """A message that one person sees until he reloads; Slack keeps it nowhere."""

    id: str
    channel: str
    user: str
    text: str
    created: float
    blocks: tuple[JSON, ...] | None = None
    attachments: tuple[JSON, ...] | None = None
    thread_ts: str | None = None
    author: Literal["app", "slackbot"] = "app"

    def page(self) -> JSON:
        return without_nothing(
            {
                "id": self.id,
                "channel": self.channel,
                "user": self.user,
                "text": self.text,
                "blocks": list(self.blocks) if self.blocks is not None else None,
                "attachments": list(self.attachments) if self.attachments is not None else None,
                "thread_ts": self.thread_ts,
                "author": self.author,
                "created": self.created,
            }
        )


class Workspace:
    """Everything that people see. Each change is published to the feed in the page's form."""

    def __init__(self, *, team: Team, app: App, feed: Feed, clock: Clock) -> None:
        self.team, self.app, self.feed, self.clock = team, app, feed, clock
        self.users: dict[str, User] = {}
        self.usergroups: dict[str, UserGroup] = {}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, dict[str, Message]] = {}
        self.ephemerals: dict[str, Ephemeral] = {}
        self._threads: dict[tuple[str, str], dict[str, Message]] = {}
        self._last_ts = 0
        self._dms = itertools.count(1)

    def next_ts(self) -> str:
        """A message's name: the time in microseconds, never twice the same."""
        self._last_ts = max(self._last_ts + 1, int(self.clock.time() * 1_000_000))
        seconds, micros = divmod(self._last_ts, 1_000_000)
        return f"{seconds}.{micros:06d}"

    # People and channels

    def user(self, user_id: str) -> User:
        if user_id not in self.users:
            raise SlackError("user_not_found")
        return self.users[user_id]

    def find_user(self, name_or_id: str) -> User:
        by_name = {user.name: user for user in self.users.values()}
        return by_name.get(name_or_id) or self.user(name_or_id)

    def change_user(self, user: User) -> None:
        self.users[user.id] = user
        self.feed.publish("person", user.page())

    def channel(self, channel_id: str) -> Channel:
        if channel_id not in self.channels:
            raise SlackError("channel_not_found")
        return self.channels[channel_id]

    def find_channel(self, name_or_id: str) -> Channel:
        by_name = {channel.name: channel for channel in self.channels.values() if channel.kind != "dm"}
        return by_name.get(name_or_id.removeprefix("#")) or self.channel(name_or_id)

    def change_channel(self, channel: Channel) -> None:
        self.channels[channel.id] = channel
        self.feed.publish("channel", channel.page())

    def add_channel(self, name: str, *, members: tuple[str, ...], kind: Kind = "channel") -> Channel:
        channel = Channel(id=f"C0NEW{len(self.channels):05d}", name=name, members=members, kind=kind)
        self.change_channel(channel)
        return channel

    def invite(self, channel_id: str, user_id: str) -> Channel:
        channel = self.channel(channel_id)
        changed = replace(channel, members=(*channel.members, user_id))
        self.change_channel(changed)
        self.say(channel_id, user_id, f"<@{user_id}> has joined the channel", subtype="channel_join")
        return changed

    def kick(self, channel_id: str, user_id: str) -> Channel:
        channel = self.channel(channel_id)
        changed = replace(channel, members=tuple(member for member in channel.members if member != user_id))
        self.change_channel(changed)
        self.say(channel_id, user_id, f"<@{user_id}> has left the channel", subtype="channel_leave")
        return changed

    def archive(self, channel_id: str) -> Channel:
        changed = replace(self.channel(channel_id), archived=True)
        self.change_channel(changed)
        return changed

    def find_dm(self, *people: str) -> Channel | None:
        wanted = set(people)
        return next((c for c in self.channels.values() if c.kind == "dm" and set(c.members) == wanted), None)

    def open_dm(self, *people: str) -> Channel:
        """The direct conversation of these two, made where there is none yet."""
        found = self.find_dm(*people)
        if found is None:
            found = Channel(id=f"D0DIRECT{next(self._dms):02d}", name="directmessage", kind="dm", members=people)
            self.change_channel(found)
        return found

    # Messages

    def in_channel(self, channel_id: str) -> dict[str, Message]:
        return self.messages.setdefault(channel_id, {})

    def message(self, channel_id: str, ts: str) -> Message:
        found = self.in_channel(channel_id).get(ts)
        if found is None:
            raise SlackError("message_not_found")
        return found

    def say(
        self, channel_id: str, user_id: str, text: str, *, thread_ts: str | None = None, subtype: str | None = None
    ) -> Message:
        """Somebody writes a plain message."""
        message = Message(
            ts=self.next_ts(), channel=channel_id, user=user_id, text=text, thread_ts=thread_ts, subtype=subtype
        )
        return self.put(message)

    def put(self, message: Message) -> Message:
        """Stores a new or changed message and shows it; a reply also changes what its root shows."""
        self.in_channel(message.channel)[message.ts] = message
        if message.is_reply:
            self._thread(message)[message.ts] = message
        self.feed.publish("message", self.page_message(message))
        self._show_root(message)
        return message

    def delete(self, message: Message) -> None:
        """Takes a message away; the root of a thread leaves a stone behind that holds the replies."""
        if self.replies(message.channel, message.ts):
            self.put(_tombstone(message))
            return
        del self.in_channel(message.channel)[message.ts]
        self._thread(message).pop(message.ts, None)
        self.feed.publish("message_deleted", {"channel": message.channel, "ts": message.ts})
        self._show_root(message)

    def replies(self, channel_id: str, thread_ts: str) -> list[Message]:
        return list(self._threads.get((channel_id, thread_ts), {}).values())

    def page_message(self, message: Message) -> JSON:
        """A message in the page's form."""
        return without_nothing(
            {
                "ts": message.ts,
                "thread_ts": message.thread_ts,
                "channel": message.channel,
                "user": message.user,
                "bot_id": message.bot_id,
                "username": self._username(message.user),
                "text": message.text,
                "blocks": list(message.blocks) if message.blocks is not None else None,
                "attachments": list(message.attachments) if message.attachments is not None else None,
                "metadata": message.metadata,
                "edited": {"ts": message.edited_ts} if message.edited_ts else None,
                "reply_count": len(self.replies(message.channel, message.ts)) or None,
                "broadcast": message.broadcast or None,
                "subtype": message.subtype,
                "files": list(message.files) if message.files else None,
            }
        )

    def _username(self, user_id: str) -> str:
        return self.app.name if user_id == self.app.user_id else self.user(user_id).name

    def _thread(self, message: Message) -> dict[str, Message]:
        return self._threads.setdefault((message.channel, message.thread_ts or message.ts), {})

    def _show_root(self, message: Message) -> None:
        root = self.in_channel(message.channel).get(message.thread_ts or "") if message.is_reply else None
        if root is not None:
            self.feed.publish("message", self.page_message(root))

    # Ephemerals

    def show(self, ephemeral: Ephemeral) -> Ephemeral:
        self.ephemerals[ephemeral.id] = ephemeral
        self.feed.publish("ephemeral", ephemeral.page())
        return ephemeral

    def hide(self, ephemeral_id: str) -> None:
        ephemeral = self.ephemerals.pop(ephemeral_id, None)
        if ephemeral is not None:
            gone = {"id": ephemeral.id, "channel": ephemeral.channel, "user": ephemeral.user}
            self.feed.publish("ephemeral_deleted", gone)

    def whisper(self, channel_id: str, user_id: str, text: str) -> Ephemeral:
        """Slackbot tells one person something."""
        stamp = self.next_ts()
        return self.show(
            Ephemeral(id=stamp, channel=channel_id, user=user_id, text=text, created=float(stamp), author="slackbot")
        )


def _tombstone(message: Message) -> Message:
    return Message(
        ts=message.ts,
        thread_ts=message.ts,
        channel=message.channel,
        user=message.user,
        text="This message was deleted.",
        subtype="tombstone",
    )
