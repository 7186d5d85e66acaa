"""api.test, auth.test, apps.connections.open."""

from __future__ import annotations

from sandbox.slack.arguments import Arguments
from sandbox.slack.lab import Lab
from sandbox.slack.wire import JSON, SlackError


def api_test(_lab: Lab, args: Arguments) -> JSON:
    sent = {name: value for name, value in args.values.items() if isinstance(value, str)}
    if "error" in sent:
        raise SlackError(sent["error"], args=sent)
    return {"args": sent} if sent else {}


def auth_test(lab: Lab, _args: Arguments) -> JSON:
    team, app = lab.workspace.team, lab.workspace.app
    return {
        "url": f"{lab.base_url}/",
        "team": team.name,
        "user": app.name,
        "team_id": team.id,
        "user_id": app.user_id,
        "bot_id": app.bot_id,
        "is_enterprise_install": False,
    }


def connections_open(lab: Lab, _args: Arguments) -> JSON:
    """A socket's address, good for one connection. An app that is not in Socket Mode gets none; the word is a guess."""
    if lab.links is None:
        raise SlackError("forbidden_team")
    address = lab.base_url.replace("http", "ws", 1)
    return {"url": f"{address}/link/?ticket={lab.links.issue()}&app_id={lab.workspace.app.id}"}
