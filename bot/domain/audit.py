"""The audit log: what was asked, decided, refused, done and taken out, each row sealed to the one before it.

A row's hash is SHA-256 over the canonical JSON of `[FORMAT, seq, at, kind, team, user, job_id, prompt_id, facts,
previous]`, where `facts` is the text as it is kept, itself canonical JSON of an object, and `previous` the hash of the
row before. Canonical: sorted keys, no blanks, everything beyond ASCII escaped. Times are milliseconds since the epoch,
UTC.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any

from bot.domain.approvals import Outcome, Prompt, Vote
from bot.domain.changes import Change
from bot.domain.jobs import Event, Job, JobState, Transition
from bot.domain.requests import SWITCHYARD, Actor, Json, digest

FORMAT = 1
"""Of the text that is hashed. A later one stands beside it and never in its place."""
BEGINNING = "0" * 64
"""Stands for the hash before the first row."""


class AuditKind(StrEnum):
    """What a row tells."""

    BEGIN = "begin"  # the log begins; a digest covers the moves that were kept before it
    MOVE = "move"  # a training moved
    START = "start"  # a training is about to be started at its service
    SWITCH = "switch"  # a switch is about to be sent, or was accepted
    ASKED = "asked"  # a question was put to people
    VOTED = "voted"  # one approval of several
    DECIDED = "decided"  # a question was answered
    CLOSED = "closed"  # a question ran out, or was withdrawn
    DENIED = "denied"  # a click that the rules, or the digest of what was shown, refused
    POLICY = "policy"  # the rules in force, whenever they differ from those before
    EXPORT = "export"  # somebody took data out
    PLANNED = "planned"  # a recurring training was set up, or has ended
    RESTORED = "restored"  # a backup took the place of the database


OF_MOVES = frozenset({AuditKind.MOVE, AuditKind.START})
"""Each of these tells of one move in the history of jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is to be written down. `facts` are ours: ids, digests, sentences that were shown; never a secret."""

    at: datetime
    kind: AuditKind
    actor: Actor = SWITCHYARD
    job_id: str = ""
    prompt_id: str = ""
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row as it is kept, cell by cell; a damaged cell may hold anything. `at` in ms, `facts` canonical JSON."""

    seq: int
    at: int
    kind: str
    team: str
    user: str
    job_id: str
    prompt_id: str
    facts: str
    previous: str
    hash: str

    @property
    def time(self) -> datetime:
        """When it happened, UTC. Raises ValueError or OverflowError for a damaged cell."""
        return datetime.fromtimestamp(self.at / 1000, UTC)

    def told(self) -> Mapping[str, Json]:
        """The facts as values. Raises ValueError for a damaged cell."""
        found = json.loads(self.facts)
        if not isinstance(found, dict):
            raise TypeError("the facts are no object")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The hash of a row as it was seen once. `is_outside`: kept where whoever writes the database cannot write."""

    seq: int
    hash: str
    at: datetime | None = None
    is_outside: bool = True


# -- sealing ----------------------------------------------------------------------------------------------------------


def canonical(value: Json) -> str:
    """The one text of a JSON value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def to_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def seal(record: Record, seq: int, previous: str) -> Entry:
    """The row that follows the one with the hash `previous`."""
    facts = canonical(plain(record.facts))
    actor, at = record.actor, to_ms(record.at)
    cells = (seq, at, record.kind.value, actor.team, actor.user, record.job_id, record.prompt_id, facts, previous)
    return Entry(
        seq=seq,
        at=at,
        kind=record.kind.value,
        team=actor.team,
        user=actor.user,
        job_id=record.job_id,
        prompt_id=record.prompt_id,
        facts=facts,
        previous=previous,
        hash=_hash(cells),
    )


def hash_of(entry: Entry, seq: int | None = None) -> str:
    """The hash that the cells of a row lead to, under its own number or another. "" where a cell cannot be hashed."""
    number = entry.seq if seq is None else seq
    cells = (number, entry.at, entry.kind, entry.team, entry.user, entry.job_id, entry.prompt_id, entry.facts)
    try:
        return _hash((*cells, entry.previous))
    except (TypeError, ValueError):
        return ""


def _hash(cells: Iterable[Any]) -> str:
    return hashlib.sha256(canonical([FORMAT, *cells]).encode()).hexdigest()


def plain(value: Any) -> Json:
    """A value as JSON has it: a dataclass by its fields, a time in ms, a duration in seconds, a set in order."""
    match value:
        case Enum():
            return value.value
        case str() | int() | float() | None:
            return value
        case datetime():
            return to_ms(value)
        case Mapping():
            return {str(plain(key)): plain(one) for key, one in value.items()}
        case set() | frozenset():
            return sorted(map(plain, value))
        case list() | tuple():
            return [plain(one) for one in value]
        case _ if is_dataclass(value):
            return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
        case _:
            return str(value)


# -- what is told of a change -----------------------------------------------------------------------------------------


def records_of(change: Change, votes: Mapping[str, int], *, is_new_switch: bool = False) -> list[Record]:
    """Everything that a change does, in the order in which it follows: answers, the move, the switch, new questions.

    `votes` are how many each question had before, by its id.
    """
    return [
        *records_of_prompts(change.closes, (), votes),
        *([_of_move(change.job, change.transition)] if change.transition else []),
        *([_of_switch(change.job)] if is_new_switch else []),
        *records_of_prompts((), change.opens, votes),
    ]


def records_of_prompts(writes: Sequence[Prompt], opens: Sequence[Prompt], votes: Mapping[str, int]) -> list[Record]:
    """What happened to questions: further votes, ends, and new ones. A reminder decides nothing and is left out."""
    return [record for prompt in writes for record in _written(prompt, votes.get(prompt.id, 0))] + [
        opening(prompt) for prompt in opens
    ]


def _written(prompt: Prompt, votes: int) -> list[Record]:
    """Where one approval is enough, the answer says it all."""
    further = prompt.votes[votes:] if prompt.rule.needed > 1 else ()
    return [
        *(_of_vote(prompt, vote) for vote in further),
        *([closing(prompt)] if prompt.outcome is not Outcome.OPEN else []),
    ]


def _of_vote(prompt: Prompt, vote: Vote) -> Record:
    return Record(
        at=vote.at,
        kind=AuditKind.VOTED,
        actor=vote.actor,
        job_id=prompt.job_id,
        prompt_id=prompt.id,
        facts={**_of_prompt(prompt), "seat": vote.seat, "reason": vote.reason, "needed": prompt.rule.needed},
    )


def may_switch(change: Change) -> bool:
    """May this bookkeeping have written that a switch is about to be sent, or was accepted?"""
    job = change.job
    return change.transition is None and job.state is JobState.PROMOTING and job.switch is not None


def _of_move(job: Job, move: Transition) -> Record:
    return Record(
        at=move.at,
        kind=AuditKind.START if move.event is Event.START else AuditKind.MOVE,
        actor=move.actor,
        job_id=job.id,
        facts={
            "move": move.seq,
            "old": move.old,
            "new": move.new,
            "event": move.event,
            "reason": move.reason,
            "provider": job.request.provider,
            "model": job.request.model,
            **({"remote": job.remote_id} if job.remote_id else {}),
            **(_of_plan(job) if move.event is Event.START else {}),
        },
    )


def _of_plan(job: Job) -> Mapping[str, Json]:
    """What is about to be sent."""
    if job.plan is None:
        return {}
    return {"plan": job.plan.digest(), **({"data": job.plan.payload.sha256} if job.plan.payload else {})}


def _of_switch(job: Job) -> Record:
    switch = job.switch or {}
    accepted_at = switch.get("accepted_at")
    at = accepted_at or switch.get("sent_at")
    return Record(
        at=datetime.fromisoformat(at) if at else job.state_at,
        kind=AuditKind.SWITCH,
        job_id=job.id,
        facts={
            "step": "accepted" if accepted_at else "about to be sent",
            "provider": job.request.provider,
            "model": job.request.model,
            "remote": job.remote_id,
            "switch": switch,
        },
    )


def opening(prompt: Prompt) -> Record:
    """A question that is asked, with all of the rule that applies to it."""
    return Record(
        at=prompt.asked_at,
        kind=AuditKind.ASKED,
        job_id=prompt.job_id,
        prompt_id=prompt.id,
        facts={**_of_prompt(prompt), "rule": prompt.rule, "expires_at": prompt.expires_at},
    )


def closing(prompt: Prompt) -> Record:
    """A question that is answered, ran out, or was withdrawn."""
    is_answered = prompt.outcome is Outcome.ANSWERED
    return Record(
        at=prompt.closed_at or prompt.asked_at,
        kind=AuditKind.DECIDED if is_answered else AuditKind.CLOSED,
        actor=prompt.actor or SWITCHYARD,
        job_id=prompt.job_id,
        prompt_id=prompt.id,
        facts={
            **_of_prompt(prompt),
            "outcome": prompt.outcome,
            "answer": prompt.answer,
            "reason": prompt.reason,
            "rule": prompt.rule.name,
            "rule_digest": digest(plain(prompt.rule)),
            "votes": [vote.actor.user for vote in prompt.votes],
        },
    )


def _of_prompt(prompt: Prompt) -> Mapping[str, Json]:
    return {"subject": prompt.subject, "digest": prompt.digest}
