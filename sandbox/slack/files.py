"""The files of the workspace: announced, uploaded, completed, shared."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from sandbox.slack.wire import SlackError


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A message that shows a file."""

    channel: str
    ts: str
    thread_ts: str | None


@dataclass(slots=True, kw_only=True)
class File:
    """A file from the moment its address was handed out. Only what `is_complete` can be seen by anybody.

    `user` uploaded it. `is_given`: it was put into a form of the app, which may read it wherever it is shared.
    """

    id: str
    name: str
    length: int
    ticket: str
    created: int
    user: str
    title: str = ""
    data: bytes | None = None
    is_complete: bool = False
    is_given: bool = False
    is_deleted: bool = False
    shares: list[Share] = field(default_factory=list)


class Files:
    """Every file of the workspace, by id."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}

    def expect(self, name: str, length: int, created: int, user: str) -> File:
        """A new file whose bytes are still to come."""
        id_ = f"F0FILE{len(self._files) + 1:04d}"
        ticket = secrets.token_hex(16)
        self._files[id_] = File(id=id_, name=name, length=length, ticket=ticket, created=created, user=user)
        return self._files[id_]

    def add(self, name: str, data: bytes, created: int, user: str) -> File:
        """A file that a person uploaded."""
        file = self.expect(name, len(data), created, user)
        file.data, file.is_complete = data, True
        return file

    def get(self, file_id: str) -> File:
        if file_id not in self._files:
            raise SlackError("file_not_found")
        return self._files[file_id]

    def by_ticket(self, ticket: str) -> File | None:
        return next((one for one in self._files.values() if one.ticket == ticket), None)
