"""What the parts of this Slack share: the workspace, the installed app's rights, and what was handed out."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.slack.faults import Faults
from sandbox.slack.feed import Feed
from sandbox.slack.files import Files
from sandbox.slack.limits import Limits
from sandbox.slack.manifest import Manifest
from sandbox.slack.tickets import Links, Responses, Triggers
from sandbox.slack.views import Views
from sandbox.slack.wire import SlackError
from sandbox.slack.workspace import Channel, Workspace


@dataclass(slots=True, kw_only=True)
class Lab:
    """`base_url` is set when the server listens, without a slash at its end. `links` is None in HTTP mode."""

    workspace: Workspace
    feed: Feed
    manifest: Manifest
    scopes: frozenset[str]
    triggers: Triggers
    responses: Responses
    views: Views
    limits: Limits
    faults: Faults
    bot_token: str
    app_token: str
    links: Links | None = None
    base_url: str = ""
    files: Files = field(default_factory=Files)

    @property
    def bot(self) -> str:
        return self.workspace.app.user_id

    def visible(self, channel_id: str) -> Channel:
        """A conversation that the bot can see: public ones, and those that it is in."""
        channel = self.workspace.channel(channel_id)
        if channel.kind != "channel" and self.bot not in channel.members:
            raise SlackError("channel_not_found")
        return channel

    def joined(self, channel_id: str) -> Channel:
        channel = self.visible(channel_id)
        if self.bot not in channel.members:
            raise SlackError("not_in_channel")
        return channel

    def writable(self, channel_id: str) -> Channel:
        """Where the bot may post: conversations that it is in and that live, and its open direct messages."""
        channel = self.visible(channel_id)
        if channel.archived:
            raise SlackError("is_archived")
        if channel.kind == "dm" and not self.manifest.messages_tab:
            raise SlackError("messages_tab_disabled")
        if self.bot not in channel.members and "chat:write.public" not in self.scopes:
            raise SlackError("not_in_channel")
        return channel
