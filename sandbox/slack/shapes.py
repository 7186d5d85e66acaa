"""People, conversations, messages and views as the Web API shows them.

The keys are those that Slack's own Java SDK records in its samples (json-logs/samples/api).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.slack.views import OpenView
from sandbox.slack.wire import JSON, without_nothing
from sandbox.slack.workspace import App, Channel, Message, User, UserGroup, Workspace

CREATED = 1_704_067_200


def team_info(workspace: Workspace) -> JSON:
    team = workspace.team
    return {"id": team.id, "name": team.name, "domain": team.domain, "email_domain": "", "icon": {}}


def user(workspace: Workspace, person: User) -> JSON:
    profile = {
        "title": person.title,
        "real_name": person.real_name,
        "real_name_normalized": person.real_name,
        "display_name": person.name,
        "display_name_normalized": person.name,
        "team": workspace.team.id,
    }
    return {**_account(workspace, person.id, person.name, profile), "is_restricted": person.guest, "is_bot": False} | {
        "deleted": person.has_left,
        **_zone(workspace, person.zone),
    }


def bot_user(workspace: Workspace) -> JSON:
    app = workspace.app
    profile = {
        "real_name": app.name,
        "real_name_normalized": app.name,
        "display_name": "",
        "api_app_id": app.id,
        "bot_id": app.bot_id,
        "always_active": True,
        "team": workspace.team.id,
    }
    return {**_account(workspace, app.user_id, app.name, profile), "is_restricted": False, "is_bot": True}


def _account(workspace: Workspace, user_id: str, name: str, profile: JSON) -> JSON:
    return {
        "id": user_id,
        "team_id": workspace.team.id,
        "name": name,
        "deleted": False,
        "color": "4a154b",
        "real_name": profile["real_name"],
        **_zone(workspace, "Europe/Istanbul"),
        "profile": profile,
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_ultra_restricted": False,
        "is_app_user": False,
        "updated": CREATED,
    }


def _zone(workspace: Workspace, name: str) -> JSON:
    now = datetime.fromtimestamp(workspace.clock.time(), ZoneInfo(name))
    offset = now.utcoffset() or timedelta()
    return {"tz": name, "tz_label": name.replace("_", " "), "tz_offset": int(offset.total_seconds())}


def usergroup(workspace: Workspace, group: UserGroup, *, with_users: bool, with_count: bool) -> JSON:
    return without_nothing(
        {
            "id": group.id,
            "team_id": workspace.team.id,
            "is_usergroup": True,
            "is_subteam": True,
            "name": group.name,
            "description": "",
            "handle": group.handle,
            "is_external": False,
            "date_create": CREATED,
            "date_update": group.updated or CREATED,
            "date_delete": 0,
            "prefs": {"channels": [], "groups": []},
            "users": list(group.members) if with_users else None,
            "user_count": len(group.members) if with_count else None,
        }
    )


def channel(workspace: Workspace, place: Channel, *, with_count: bool = False) -> JSON:
    """A conversation as the bot sees it."""
    if place.kind == "dm":
        return direct(workspace, place)
    bot_is_in = workspace.app.user_id in place.members
    return without_nothing(
        {
            "id": place.id,
            "name": place.name,
            "name_normalized": place.name,
            "is_channel": place.kind == "channel",
            "is_group": place.kind == "private",
            "is_im": False,
            "is_mpim": False,
            "is_private": place.kind == "private",
            "created": CREATED,
            "creator": "U0ADA00001",
            "is_archived": place.archived,
            "is_general": place.name == "general",
            "is_shared": False,
            "is_ext_shared": False,
            "is_org_shared": False,
            "is_member": bot_is_in and not place.archived,
            "topic": {"value": place.topic, "creator": "", "last_set": 0},
            "purpose": {"value": "", "creator": "", "last_set": 0},
            "previous_names": [],
            "num_members": len(place.members) if with_count else None,
        }
    )


def direct(workspace: Workspace, place: Channel) -> JSON:
    others = [member for member in place.members if member != workspace.app.user_id]
    return {
        "id": place.id,
        "created": CREATED,
        "is_archived": False,
        "is_im": True,
        "is_org_shared": False,
        "user": others[0],
        "priority": 0,
    }


def bot_profile(app: App, team_id: str) -> JSON:
    return {
        "id": app.bot_id,
        "app_id": app.id,
        "name": app.name,
        "deleted": False,
        "updated": CREATED,
        "icons": {},
        "team_id": team_id,
    }


def message(workspace: Workspace, said: Message, *, with_metadata: bool = True) -> JSON:
    """A message alone, as chat.postMessage answers it and as a click carries it."""
    app, team_id = workspace.app, workspace.team.id
    root = workspace.in_channel(said.channel).get(said.thread_ts or "")
    return without_nothing(
        {
            "type": "message",
            "subtype": said.subtype,
            "user": said.user,
            "text": said.text,
            "ts": said.ts,
            "team": team_id,
            "bot_id": said.bot_id,
            "app_id": app.id if said.bot_id else None,
            "bot_profile": bot_profile(app, team_id) if said.bot_id else None,
            "thread_ts": said.thread_ts,
            "parent_user_id": root.user if root and said.is_reply else None,
            "blocks": _list(said.blocks),
            "attachments": _list(said.attachments),
            "files": _list(said.files),
            "upload": True if said.files else None,
            "metadata": said.metadata if with_metadata else None,
            "edited": {"user": said.user, "ts": said.edited_ts} if said.edited_ts else None,
        }
    )


def listed_message(workspace: Workspace, said: Message, *, with_metadata: bool) -> JSON:
    """A message in a conversation's history: a root also says what its thread holds."""
    shown = message(workspace, said, with_metadata=with_metadata)
    replies = workspace.replies(said.channel, said.ts)
    if said.broadcast and (root := workspace.in_channel(said.channel).get(said.thread_ts or "")):
        shown["root"] = message(workspace, root, with_metadata=with_metadata)
    return {**shown, **_thread_of(said, replies)} if replies else shown


def _thread_of(said: Message, replies: list[Message]) -> JSON:
    repliers = list(dict.fromkeys(reply.user for reply in replies))
    return {
        "thread_ts": said.ts,
        "reply_count": len(replies),
        "reply_users_count": len(repliers),
        "latest_reply": replies[-1].ts,
        "reply_users": repliers,
        "is_locked": False,
        "subscribed": False,
    }


def _list(parts: tuple[JSON, ...] | None) -> list[JSON] | None:
    return list(parts) if parts else None


def view(workspace: Workspace, opened: OpenView, values: dict[str, dict[str, JSON]] | None = None) -> JSON:
    """A view as views.open answers it and as a submission carries it."""
    app, given = workspace.app, opened.view
    modal: dict[str, Any] = {
        "title": given.get("title"),
        "submit": given.get("submit"),
        "close": given.get("close"),
        "clear_on_close": given.get("clear_on_close", False),
        "notify_on_close": given.get("notify_on_close", False),
        "submit_disabled": False,
    }
    return {
        "id": opened.id,
        "team_id": workspace.team.id,
        "type": given["type"],
        "blocks": given["blocks"],
        "private_metadata": given.get("private_metadata", ""),
        "callback_id": given.get("callback_id", ""),
        "external_id": given.get("external_id", ""),
        "state": {"values": values if values is not None else opened.state},
        "hash": opened.hash,
        "previous_view_id": opened.previous_id,
        "root_view_id": opened.root_id,
        "app_id": app.id,
        "app_installed_team_id": workspace.team.id,
        "bot_id": app.bot_id,
        **(modal if given["type"] == "modal" else {"title": _no_title()}),
    }


def _no_title() -> JSON:
    """Slack shows this title on every Home tab."""
    return {"type": "plain_text", "text": "View Title", "emoji": True}
