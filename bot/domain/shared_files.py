"""Files in Slack as sources of data: how they are named, and who may train with them. Pure."""

import re
from dataclasses import dataclass, field

from bot.domain.requests import Actor

_ID = re.compile(r"F[A-Z0-9]{5,24}")
_LINK = re.compile(r"https?://[^/\s]+/files/[UWB][A-Z0-9]+/(F[A-Z0-9]{5,24})(?:[/?#|]\S*)?")
_PRIVATE = re.compile(r"https?://[^/\s]+/files-pri/[TE][A-Z0-9]+-(F[A-Z0-9]{5,24})/\S*")
MOST_NAME = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFile:
    """What Slack tells of a file (https://docs.slack.dev/reference/objects/file-object).

    `user` uploaded it, `places` are the conversations in which it is shared, as far as the bot can see them. `address`
    is where its bytes are, for the bot's token alone; "" for what Slack does not keep itself (a link to another
    service's document).
    """

    id: str
    name: str
    size: int
    user: str
    places: frozenset[str] = field(default_factory=frozenset)
    address: str = field(default="", repr=False)


def id_in(source: str) -> str | None:
    """The id of the file that a source names: by itself, or in a link as people copy it and as Slack writes it.

    The link is never followed, so it does not matter where it would lead.
    """
    text = source.strip()
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1].partition("|")[0]
    if _ID.fullmatch(text):
        return text
    found = _LINK.fullmatch(text) or _PRIVATE.fullmatch(text)
    return found.group(1) if found else None


def may_use(file: SharedFile, actor: Actor, channel: str) -> bool:
    """May this person train with the file, who asked for it in this conversation?

    Nobody may read through the bot what they could not read themselves. Who uploaded a file may read it, and so may
    whoever types in a conversation in which it is shared. Of other conversations Slack does not say who is in them,
    and a public one is not open to guests: such a file has to be shared where it is to be used.
    """
    is_shared_there = bool(channel) and channel in file.places
    is_own = bool(actor.user) and file.user == actor.user
    return is_own or is_shared_there


def plain_name(name: str) -> str:
    """The name as a file of ours can be called: no folders, nothing hidden, nothing that a message would hide."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(sign if sign.isprintable() else "_" for sign in last).strip().lstrip(".")
    stem, dot, suffix = shown.rpartition(".")
    return shown if len(shown) <= MOST_NAME else f"{(stem or suffix)[: MOST_NAME - 10]}{dot}{suffix[:9]}"
