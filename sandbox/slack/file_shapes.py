"""Files as the Web API shows them. The keys are those that Slack's own Java SDK records (json-logs/samples/api)."""

from __future__ import annotations

from urllib.parse import quote

from sandbox.slack.files import File
from sandbox.slack.lab import Lab
from sandbox.slack.wire import JSON


def shape(lab: Lab, file: File, *, with_shares: bool) -> JSON:
    """A file as files.info answers it. Its shares come with that method alone: a completion does not wait for them."""
    kinds: dict[str, dict[str, list[JSON]]] = {}
    team = lab.workspace.team.id
    for share in file.shares if with_shares else ():
        place = lab.workspace.channel(share.channel)
        told = {"ts": share.ts, "channel_name": place.name, "team_id": team, "share_user_id": file.user}
        told |= {"thread_ts": share.thread_ts} if share.thread_ts else {}
        kind = "public" if place.kind == "channel" else "private"
        kinds.setdefault(kind, {}).setdefault(place.id, []).append(told)
    places = _places(lab, file) if with_shares else {}
    return {**_facts(lab, file), **places, "shares": kinds, "has_more_shares": False}


def _places(lab: Lab, file: File) -> dict[str, list[str]]:
    """Where it is shared, by the kind of conversation."""
    found: dict[str, list[str]] = {"channels": [], "groups": [], "ims": []}
    names = {"channel": "channels", "private": "groups", "dm": "ims"}
    for id_ in dict.fromkeys(share.channel for share in file.shares):
        found[names[lab.workspace.channel(id_).kind]].append(id_)
    return found


def app_sees(lab: Lab, file: File) -> bool:
    """Its own files, those of conversations that the bot is in, and those that were put into its forms."""
    is_near = any(lab.bot in lab.workspace.channel(share.channel).members for share in file.shares)
    return file.user == lab.bot or file.is_given or is_near


def _facts(lab: Lab, file: File) -> JSON:
    suffix = file.name.rpartition(".")[2] if "." in file.name else "binary"
    name = quote(file.name, safe="")
    private = f"{lab.base_url}/files-pri/{lab.workspace.team.id}-{file.id}"
    return {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "title": file.title or file.name,
        "mimetype": "application/zip" if suffix == "zip" else "application/octet-stream",
        "filetype": suffix,
        "pretty_type": suffix.capitalize(),
        "user": file.user,
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
        "url_private": f"{private}/{name}",
        "url_private_download": f"{private}/download/{name}",
        "permalink": f"{lab.base_url}/files/{file.user}/{file.id}/{name}",
        "file_access": "visible",
    }
