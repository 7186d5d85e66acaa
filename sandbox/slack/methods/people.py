"""users.*, usergroups.*, bots.*, team.*: who and what is there."""

from __future__ import annotations

from sandbox.slack import shapes
from sandbox.slack.arguments import Arguments
from sandbox.slack.lab import Lab
from sandbox.slack.methods import paging
from sandbox.slack.wire import JSON, SlackError


def user_info(lab: Lab, args: Arguments) -> JSON:
    user_id, with_locale = args.required("user"), args.flag("include_locale")
    if user_id == lab.bot:
        return {"user": shapes.bot_user(lab.workspace)}
    person = lab.workspace.user(user_id)
    return {"user": {**shapes.user(lab.workspace, person), **({"locale": person.locale} if with_locale else {})}}


def user_list(lab: Lab, args: Arguments) -> JSON:
    everybody = [shapes.user(lab.workspace, person) for person in lab.workspace.users.values()]
    members, cursor = paging.page([*everybody, shapes.bot_user(lab.workspace)], args, default=1000, most=1000)
    now = int(lab.workspace.clock.time())
    return {"members": members, "cache_ts": now, "response_metadata": {"next_cursor": cursor}}


def usergroup_list(lab: Lab, args: Arguments) -> JSON:
    with_users, with_count = args.flag("include_users"), args.flag("include_count")
    groups = lab.workspace.usergroups.values()
    return {
        "usergroups": [
            shapes.usergroup(lab.workspace, group, with_users=with_users, with_count=with_count) for group in groups
        ]
    }


def usergroup_users(lab: Lab, args: Arguments) -> JSON:
    group = lab.workspace.usergroups.get(args.required("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group.members)}


def bot_info(lab: Lab, args: Arguments) -> JSON:
    app = lab.workspace.app
    if args.text("bot") != app.bot_id:
        raise SlackError("bot_not_found")
    bot = {"id": app.bot_id, "app_id": app.id, "user_id": app.user_id, "name": app.name, "deleted": False}
    return {"bot": {**bot, "updated": shapes.CREATED, "icons": {}}}


def team_info(lab: Lab, args: Arguments) -> JSON:
    if (args.text("team") or lab.workspace.team.id) != lab.workspace.team.id:
        raise SlackError("team_not_found")
    return {"team": shapes.team_info(lab.workspace)}
