"""Every method that this Slack answers: arguments, scopes, tokens and rate tiers as Slack publishes them.

Source: the method pages under https://docs.slack.dev/reference/methods, as collected by slack-ruby/slack-api-ref.
"""

from __future__ import annotations

from sandbox.slack.methods import apps, chat, conversations, files, people, views
from sandbox.slack.methods.method import Method

_READ = ("channels:read", "groups:read", "im:read", "mpim:read")
_HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")
_OPEN = ("channels:manage", "groups:write", "im:write", "mpim:write")
_WRITE = ("chat:write",)
_USERS = ("users:read",)
_GROUPS = ("usergroups:read",)


def methods() -> dict[str, Method]:
    return {**_apps(), **_chat(), **_conversations(), **_people(), **_files(), **_views()}


def _apps() -> dict[str, Method]:
    return {
        "api.test": Method(call=apps.api_test, tier="tier 4", token="none"),
        "auth.test": Method(call=apps.auth_test, tier="special"),
        "apps.connections.open": Method(call=apps.connections_open, tier="tier 3", token="app"),
    }


def _chat() -> dict[str, Method]:
    return {
        "chat.postMessage": Method(call=chat.post_message, tier="posting", required=("channel",), scopes=_WRITE),
        "chat.update": Method(call=chat.update, tier="tier 3", required=("channel", "ts"), scopes=_WRITE),
        "chat.delete": Method(call=chat.delete, tier="tier 3", required=("channel", "ts"), scopes=_WRITE),
        "chat.postEphemeral": Method(
            call=chat.post_ephemeral, tier="tier 4", required=("channel", "user"), scopes=_WRITE
        ),
        "chat.getPermalink": Method(call=chat.get_permalink, tier="special", required=("channel", "message_ts")),
    }


def _conversations() -> dict[str, Method]:
    of = ("channel",)
    return {
        "conversations.open": Method(call=conversations.open_, tier="tier 3", scopes=_OPEN),
        "conversations.info": Method(call=conversations.info, tier="tier 3", required=of, scopes=_READ),
        "conversations.members": Method(call=conversations.members, tier="tier 4", required=of, scopes=_READ),
        "conversations.list": Method(call=conversations.list_, tier="tier 2", scopes=_READ),
        "conversations.history": Method(call=conversations.history, tier="tier 3", required=of, scopes=_HISTORY),
        "conversations.replies": Method(
            call=conversations.replies, tier="tier 3", required=("channel", "ts"), scopes=_HISTORY
        ),
    }


def _people() -> dict[str, Method]:
    return {
        "users.info": Method(call=people.user_info, tier="tier 4", required=("user",), scopes=_USERS),
        "users.list": Method(call=people.user_list, tier="tier 2", scopes=_USERS),
        "usergroups.list": Method(call=people.usergroup_list, tier="tier 2", scopes=_GROUPS),
        "usergroups.users.list": Method(
            call=people.usergroup_users, tier="tier 2", required=("usergroup",), scopes=_GROUPS
        ),
        "bots.info": Method(call=people.bot_info, tier="tier 3", scopes=_USERS),
        "team.info": Method(call=people.team_info, tier="tier 3", scopes=("team:read",)),
    }


def _files() -> dict[str, Method]:
    return {
        "files.getUploadURLExternal": Method(
            call=files.get_upload_url, tier="tier 4", required=("filename", "length"), scopes=("files:write",)
        ),
        "files.completeUploadExternal": Method(
            call=files.complete_upload, tier="tier 4", required=("files",), scopes=("files:write",)
        ),
        "files.info": Method(call=files.info, tier="tier 4", required=("file",), scopes=("files:read",)),
    }


def _views() -> dict[str, Method]:
    return {
        "views.open": Method(call=views.open_, tier="tier 4", required=("view",)),
        "views.push": Method(call=views.push, tier="tier 4", required=("view",)),
        "views.update": Method(call=views.update, tier="tier 4", required=("view",)),
        "views.publish": Method(call=views.publish, tier="tier 4", required=("user_id", "view")),
    }
