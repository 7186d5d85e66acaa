"""What a person asks for, and what will be sent because of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from bot.domain.balances import Balance
from bot.sentences import Text

Json: TypeAlias = Any
"""A value that JSON can hold. Mappings of it keep the order in which they were written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person in a Slack workspace, or Switchyard itself where `user` is empty."""

    team: str = ""
    user: str = ""


SWITCHYARD = Actor()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a recurring training: the id of its schedule, its number from 1 on, and when it was planned for."""

    schedule: str
    number: int
    planned_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """One wish to train, as parsed.

    `params` holds the arguments under their names, `data` the sources of files under their roles ("data",
    "eval"). `request_key` is unique per delivery, so that the same delivery makes the same job. `kept` are the SHA-256
    of files, under their roles, that are taken from the spool instead of the data folder: those of the training
    `kept_from`. `run` is set where no person asked at this moment but a schedule.
    """

    request_key: str
    provider: str
    model: str
    params: Mapping[str, Json] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    actor: Actor = SWITCHYARD
    channel: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)
    kept_from: str = ""
    run: Run | None = None

    def fingerprint(self) -> str:
        """Equal for equal wishes of the same person in the same channel, whatever the delivery.

        To train again with kept data is the same wish whoever presses the button, and wherever.
        """
        if self.kept:
            return digest([self.provider, self.model, self.params, self.data, self.kept, self.actor.team])
        wish = [self.provider, self.model, self.params, self.data, self.actor.team, self.actor.user, self.channel]
        return digest(wish)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of the data folder, copied into the spool. `size` in bytes, `sha256` in hex."""

    role: str
    name: str
    path: Path
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The file that will be sent, unchanged, under `name`; it lies in the spool under `sha256`.

    `rows` counts records without a header; `balances` say how they are spread over labels, `facts` are further lines
    for the card ("Encoding": "ASCII"); `warnings` do not stop a training but are shown.
    """

    name: str
    sha256: str
    size: int
    rows: int
    columns: int | None = None
    facts: Mapping[str, Text] = field(default_factory=dict)
    warnings: tuple[Text, ...] = ()
    balances: tuple[Balance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Exactly what will be sent: shown to approvers, stored with the job, sent unchanged.

    `body` is what the provider's start makes its call of, `summary` the lines that people read.
    """

    provider: str
    model: str
    body: Mapping[str, Json]
    summary: tuple[tuple[Text, Text], ...] = ()
    payload: Payload | None = None

    def digest(self) -> str:
        """A checksum over everything that is sent, hex."""
        file = [self.payload.name, self.payload.sha256] if self.payload else None
        return digest([self.provider, self.model, self.body, file])


def digest(value: Json) -> str:
    """SHA-256 over the canonical JSON of a value, hex."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
