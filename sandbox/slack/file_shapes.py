"""Files as the Web API shows them. The keys are those that Slack's own Java SDK records (json-logs/samples/api)."""

from __future__ import annotations

from sandbox.slack.files import File
from sandbox.slack.lab import Lab
from sandbox.slack.wire import JSON


def shape(lab: Lab, file: File, *, with_shares: bool) -> JSON:
    """A file as files.info answers it. Its shares come with that method alone: a completion does not wait for them."""
    kinds: dict[str, dict[str, list[JSON]]] = {}
    for share in file.shares if with_shares else ():
        place = lab.workspace.channel(share.channel)
        told = {"ts": share.ts, "channel_name": place.name, "team_id": lab.workspace.team.id, "share_user_id": lab.bot}
        told |= {"thread_ts": share.thread_ts} if share.thread_ts else {}
        kind = "public" if place.kind == "channel" else "private"
        kinds.setdefault(kind, {}).setdefault(place.id, []).append(told)
    return {**_facts(lab, file), "shares": kinds, "has_more_shares": False}


def _facts(lab: Lab, file: File) -> JSON:
    suffix = file.name.rpartition(".")[2] if "." in file.name else "binary"
    private = f"{lab.base_url}/files-pri/{file.id}/{file.name}"
    return {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "title": file.title or file.name,
        "mimetype": "application/zip" if suffix == "zip" else "application/octet-stream",
        "filetype": suffix,
        "pretty_type": suffix.capitalize(),
        "user": lab.bot,
        "user_team": lab.workspace.team.id,
        "editable": False,
        "size": file.length,
        "mode": "hosted",
        "is_external": False,
        "external_type": "",
        "is_public": any(lab.workspace.channel(one.channel).kind == "channel" for one in file.shares),
        "public_url_shared": False,
        "display_as_bot": False,
        "username": "",
        "url_private": private,
        "url_private_download": private,
        "permalink": f"{lab.base_url}/files/{lab.bot}/{file.id}/{file.name}",
        "file_access": "visible",
    }
