"""What Slack sends to an app: commands, clicks, submissions, events.

The keys are those of Slack's own samples (java-slack-sdk, json-logs/samples/app-backend) and Socket Mode frames.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from sandbox.slack import shapes
from sandbox.slack.views import OpenView
from sandbox.slack.wire import JSON, without_nothing
from sandbox.slack.workspace import Channel, Ephemeral, Message, User, Workspace

# The old verification token still travels with every payload; nobody should look at it.
TOKEN = "sandbox-verification-token"


@dataclass(slots=True)
class Payloads:
    """Builds payloads of one workspace and app."""

    workspace: Workspace
    _events: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def slash_command(
        self, user: User, channel: Channel, *, command: str, text: str, response_url: str, trigger_id: str
    ) -> JSON:
        team = self.workspace.team
        return {
            "token": TOKEN,
            "team_id": team.id,
            "team_domain": team.domain,
            "channel_id": channel.id,
            "channel_name": _channel_name(channel),
            "user_id": user.id,
            "user_name": user.name,
            "command": command,
            "text": text,
            "api_app_id": self.workspace.app.id,
            # A string also in Socket Mode, as on HTTP, where everything is form-encoded.
            "is_enterprise_install": "false",
            "response_url": response_url,
            "trigger_id": trigger_id,
        }

    def click_in_message(
        self, user: User, message: Message, action: JSON, *, state: JSON, response_url: str, trigger_id: str
    ) -> JSON:
        container = without_nothing(
            {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": message.channel,
                "is_ephemeral": False,
                "thread_ts": message.thread_ts,
            }
        )
        return {
            **self._block_actions(user, container, action, state=state, trigger_id=trigger_id),
            "channel": self._place(message.channel),
            "message": shapes.message(self.workspace, message),
            "response_url": response_url,
        }

    def click_in_ephemeral(
        self, user: User, ephemeral: Ephemeral, action: JSON, *, state: JSON, response_url: str, trigger_id: str
    ) -> JSON:
        """Slack keeps no ephemeral message, so the payload holds none."""
        container = without_nothing(
            {
                "type": "message",
                "message_ts": ephemeral.id,
                "channel_id": ephemeral.channel,
                "is_ephemeral": True,
                "thread_ts": ephemeral.thread_ts,
            }
        )
        return {
            **self._block_actions(user, container, action, state=state, trigger_id=trigger_id),
            "channel": self._place(ephemeral.channel),
            "response_url": response_url,
        }

    def click_in_view(self, user: User, view: OpenView, action: JSON, *, state: JSON, trigger_id: str) -> JSON:
        container = {"type": "view", "view_id": view.id}
        payload = self._block_actions(user, container, action, state=state, trigger_id=trigger_id)
        del payload["state"]
        return {**payload, "view": shapes.view(self.workspace, view, state["values"])}

    def view_submission(self, user: User, view: OpenView, values: JSON, trigger_id: str) -> JSON:
        return {
            "type": "view_submission",
            **self._common(user),
            "trigger_id": trigger_id,
            "view": shapes.view(self.workspace, view, values),
            "response_urls": [],
        }

    def view_closed(self, user: User, view: OpenView, *, is_cleared: bool) -> JSON:
        shown = shapes.view(self.workspace, view)
        return {"type": "view_closed", **self._common(user), "view": shown, "is_cleared": is_cleared}

    def message_shortcut(
        self, user: User, message: Message, *, callback_id: str, response_url: str, trigger_id: str
    ) -> JSON:
        return {
            "type": "message_action",
            "token": TOKEN,
            "team": self._team(),
            "user": {"id": user.id, "name": user.name, "team_id": self.workspace.team.id},
            "channel": self._place(message.channel),
            "is_enterprise_install": False,
            "enterprise": None,
            "callback_id": callback_id,
            "trigger_id": trigger_id,
            "response_url": response_url,
            "action_ts": self.workspace.next_ts(),
            "message_ts": message.ts,
            "message": shapes.message(self.workspace, message),
        }

    def global_shortcut(self, user: User, *, callback_id: str, trigger_id: str) -> JSON:
        return {
            "type": "shortcut",
            "token": TOKEN,
            "action_ts": self.workspace.next_ts(),
            "team": self._team(),
            "user": {"id": user.id, "username": user.name, "team_id": self.workspace.team.id},
            "is_enterprise_install": False,
            "enterprise": None,
            "callback_id": callback_id,
            "trigger_id": trigger_id,
        }

    def event(self, event: JSON) -> JSON:
        """An event in its callback, with an id of its own."""
        team_id, app = self.workspace.team.id, self.workspace.app
        authorization = {
            "enterprise_id": None,
            "team_id": team_id,
            "user_id": app.user_id,
            "is_bot": True,
            "is_enterprise_install": False,
        }
        return {
            "token": TOKEN,
            "team_id": team_id,
            "api_app_id": app.id,
            "event": event,
            "type": "event_callback",
            "event_id": f"Ev0SY{next(self._events):06d}",
            "event_time": int(self.workspace.clock.time()),
            "authorizations": [authorization],
            "is_ext_shared_channel": False,
            "event_context": f"4-{event['type']}-{team_id}-{app.id}",
        }

    def _block_actions(self, user: User, container: JSON, action: JSON, *, state: JSON, trigger_id: str) -> JSON:
        return {
            "type": "block_actions",
            **self._common(user),
            "container": container,
            "trigger_id": trigger_id,
            "state": state,
            "actions": [{**action, "action_ts": self.workspace.next_ts()}],
        }

    def _common(self, user: User) -> JSON:
        return {
            "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": self.workspace.team.id},
            "api_app_id": self.workspace.app.id,
            "token": TOKEN,
            "team": self._team(),
            "enterprise": None,
            "is_enterprise_install": False,
        }

    def _team(self) -> JSON:
        return {"id": self.workspace.team.id, "domain": self.workspace.team.domain}

    def _place(self, channel_id: str) -> JSON:
        channel = self.workspace.channel(channel_id)
        return {"id": channel.id, "name": _channel_name(channel)}


def _channel_name(channel: Channel) -> str:
    """Slack names no conversation that is not public."""
    return {"dm": "directmessage", "private": "privategroup"}.get(channel.kind, channel.name)
