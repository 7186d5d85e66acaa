"""What happens in the workspace, told to the app where its manifest subscribes to it.

Source: https://docs.slack.dev/reference/events; keys as in Slack's samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sandbox.slack import shapes
from sandbox.slack.delivery import Courier
from sandbox.slack.lab import Lab
from sandbox.slack.payloads import Payloads
from sandbox.slack.views import OpenView
from sandbox.slack.wire import JSON, without_nothing
from sandbox.slack.workspace import Channel, Kind, Message, User, UserGroup

_MESSAGE_EVENT: dict[Kind, str] = {"channel": "message.channels", "private": "message.groups", "dm": "message.im"}
_CHANNEL_TYPE: dict[Kind, str] = {"channel": "C", "private": "G", "dm": "D"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    lab: Lab
    payloads: Payloads
    courier: Courier

    def home_opened(self, user: User, dm: Channel, tab: str, view: OpenView | None) -> None:
        shown = shapes.view(self.lab.workspace, view) if view and tab == "home" else None
        self._emit(
            "app_home_opened",
            without_nothing(
                {
                    "type": "app_home_opened",
                    "user": user.id,
                    "channel": dm.id,
                    "tab": tab,
                    "event_ts": self.lab.workspace.next_ts(),
                    "view": shown,
                }
            ),
        )

    def joined(self, channel: Channel, user_id: str, inviter: str | None) -> None:
        """The bot hears of others only in conversations that it is in, and of its own joining."""
        if self.lab.bot in channel.members:
            self._emit("member_joined_channel", self._membership("member_joined_channel", channel, user_id, inviter))

    def left(self, channel: Channel, user_id: str) -> None:
        if self.lab.bot in channel.members:
            self._emit("member_left_channel", self._membership("member_left_channel", channel, user_id, None))

    def said(self, message: Message, channel: Channel) -> None:
        if self.lab.bot not in channel.members:
            return
        if f"<@{self.lab.bot}>" in message.text and channel.kind != "dm":
            self._emit("app_mention", self._words("app_mention", message))
        told = {
            **self._words("message", message),
            "channel_type": {"dm": "im", "private": "group"}.get(channel.kind, "channel"),
        }
        self._emit(_MESSAGE_EVENT[channel.kind], told)

    def change_group(self, group: UserGroup, members: tuple[str, ...]) -> UserGroup:
        """Gives a group other members, and tells the app who came and who went."""
        now = int(self.lab.workspace.clock.time())
        changed = replace(group, members=members, updated=now)
        self.lab.workspace.usergroups[group.id] = changed
        self.lab.feed.publish("usergroup", {"id": group.id, "handle": group.handle, "members": list(members)})
        self._emit("subteam_members_changed", self._members_changed(group, changed))
        return changed

    def _members_changed(self, old: UserGroup, new: UserGroup) -> JSON:
        added = [member for member in new.members if member not in old.members]
        removed = [member for member in old.members if member not in new.members]
        return {
            "type": "subteam_members_changed",
            "subteam_id": new.id,
            "team_id": self.lab.workspace.team.id,
            "date_previous_update": old.updated or shapes.CREATED,
            "date_update": new.updated,
            "added_users": added,
            "added_users_count": len(added),
            "removed_users": removed,
            "removed_users_count": len(removed),
            "event_ts": self.lab.workspace.next_ts(),
        }

    def _membership(self, name: str, channel: Channel, user_id: str, inviter: str | None) -> JSON:
        return without_nothing(
            {
                "type": name,
                "user": user_id,
                "channel": channel.id,
                "channel_type": _CHANNEL_TYPE[channel.kind],
                "team": self.lab.workspace.team.id,
                "inviter": inviter,
                "event_ts": self.lab.workspace.next_ts(),
            }
        )

    def _words(self, kind: str, message: Message) -> JSON:
        return without_nothing(
            {
                "type": kind,
                "user": message.user,
                "text": message.text,
                "ts": message.ts,
                "thread_ts": message.thread_ts,
                "team": self.lab.workspace.team.id,
                "channel": message.channel,
                "event_ts": message.ts,
            }
        )

    def _emit(self, subscription: str, event: JSON) -> None:
        if subscription in self.lab.manifest.events:
            self.courier.send_event(self.payloads.event(event))
