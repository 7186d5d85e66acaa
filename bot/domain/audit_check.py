"""Verifying the audit log: what was changed, moved, taken out or cut off, and where.

A chain proves nothing against who can write all of it anew; that is what anchors are for, hashes of rows that were
noted down elsewhere.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeAlias

from bot.domain.audit import BEGINNING, OF_MOVES, Anchor, AuditKind, Entry, canonical, hash_of, to_ms
from bot.domain.requests import Json
from bot.sentences import unpack

Move: TypeAlias = tuple[Any, ...]
"""A row of the history of jobs: job, number, time in ms, old and new state, event, team, user, reason."""


class Damage(StrEnum):
    """What is wrong."""

    MISSING = "missing"  # numbers that are not there
    CHANGED = "changed"  # the row is not what was sealed
    MOVED = "moved"  # the row was sealed under another number
    BROKEN = "broken"  # the row does not follow the one before it: that one was written anew
    ANCHOR = "anchor"  # the row is not the one that an anchor tells of
    CUT = "cut"  # an anchor tells of a row beyond the end
    HISTORY = "history"  # what the bot shows is not what the log tells
    GUARD = "guard"  # what keeps rows from being changed is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One damage: the number of the first row that it concerns, and a sentence."""

    seq: int
    damage: Damage
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What verifying found. `head` is the last row; `outside` and `inside` are the last rows that agree with an anchor
    from outside and with one of the database itself, 0 where there is none. `notes` are no damage, but to be known."""

    rows: int
    head: Anchor | None
    findings: tuple[Finding, ...]
    outside: int = 0
    inside: int = 0
    notes: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        return not self.findings

    @property
    def uncovered(self) -> tuple[int, int] | None:
        """The first and the last row that no anchor from outside covers; None where all are covered."""
        last = self.head.seq if self.head else 0
        return (self.outside + 1, last) if self.outside < last else None


class Kept:
    """What else the database keeps and the log tells of. This one keeps nothing, so nothing is compared."""

    def moves(self) -> Iterator[Move] | None:
        """All moves of all jobs, in the order in which they were written; None where they are not to be compared."""
        return None

    def prompt(self, prompt_id: str) -> Mapping[str, Json] | None:
        """How a prompt stands, None where it is not kept."""
        return None

    @property
    def is_compared(self) -> bool:
        return False


MOST_FINDINGS = 100
"""After so many the rest is only counted: a log that was rewritten is damaged in every row."""
_REACH = 10_000


def verify(entries: Iterable[Entry], anchors: Iterable[Anchor] = (), kept: Kept | None = None) -> Report:
    """Read the log once, in the order of its numbers, and say what does not fit. Keeps no rows in memory."""
    reading = _Reading(anchors=tuple(anchors), history=_History(kept or Kept()))
    for entry in entries:
        reading.take(entry)
    return reading.report()


@dataclass(slots=True, kw_only=True)
class _Reading:
    """How far the log was read, and what was found on the way."""

    anchors: tuple[Anchor, ...]
    history: "_History"
    anchored: Mapping[int, list[Anchor]] = field(default_factory=dict)
    rows: int = 0
    seq: int = 0
    hash: str = BEGINNING
    at: int = 0
    agreed: set[Anchor] = field(default_factory=set)
    differing: list[Anchor] = field(default_factory=list)
    restored: list[tuple[int, int, int]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    left_out: int = 0

    def __post_init__(self) -> None:
        self.anchored = {seq: [one for one in self.anchors if one.seq == seq] for seq in {a.seq for a in self.anchors}}

    def take(self, entry: Entry) -> None:
        damages = list(self._look_at(entry))
        for finding in damages:
            self._note(finding)
        if damages:
            self.history.stop()
        else:
            self._compare(entry)
        self._meet_anchors(entry)
        self.rows, self.seq, self.hash, self.at = self.rows + 1, entry.seq, entry.hash, entry.at

    def _note(self, finding: Finding) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)
        else:
            self.left_out += 1

    def _look_at(self, entry: Entry) -> Iterator[Finding]:
        expected = self.seq + 1
        if entry.seq != expected:
            yield _missing(expected, entry.seq)
        if hash_of(entry) != entry.hash:
            yield _not_as_sealed(entry)
        elif entry.previous != self.hash and entry.seq == expected:
            yield _does_not_follow(entry.seq)

    def _compare(self, entry: Entry) -> None:
        for finding in self.history.take(entry):
            self._note(finding)
        if entry.kind == AuditKind.RESTORED:
            self.restored.append((entry.seq, _made_at(entry), entry.at))

    def _meet_anchors(self, entry: Entry) -> None:
        for anchor in self.anchored.get(entry.seq, ()):
            if anchor.hash == entry.hash:
                self.agreed.add(anchor)
            else:
                self.differing.append(anchor)

    def report(self) -> Report:
        excused, strange = self._sort_out([*self.differing, *(one for one in self.anchors if one.seq > self.seq)])
        for anchor in strange:
            self._note(_differs(anchor, self.seq))
        for finding in [] if self.findings else self.history.end(self.seq):
            self._note(finding)
        return Report(
            rows=self.rows,
            head=Anchor(seq=self.seq, hash=self.hash, is_outside=False) if self.rows else None,
            findings=tuple(sorted(self.findings, key=lambda one: one.seq)),
            outside=self._last_agreed(is_outside=True),
            inside=self._last_agreed(is_outside=False),
            notes=tuple(self._notes(excused)),
        )

    def _last_agreed(self, *, is_outside: bool) -> int:
        return max((one.seq for one in self.agreed if one.is_outside is is_outside), default=0)

    def _sort_out(self, anchors: list[Anchor]) -> tuple[list[Anchor], list[Anchor]]:
        """Anchors of rows that a restore took back, and anchors that nothing explains."""
        excused = [one for one in anchors if self._was_taken_back(one)]
        return excused, [one for one in anchors if one not in excused]

    def _was_taken_back(self, anchor: Anchor) -> bool:
        if anchor.at is None:
            return False
        at = to_ms(anchor.at)
        return any(anchor.seq >= seq and made <= at <= restored for seq, made, restored in self.restored)

    def _notes(self, excused: list[Anchor]) -> Iterator[str]:
        for seq, made, _ in self.restored:
            when = datetime.fromtimestamp(made / 1000, UTC)
            yield f"Row {seq} tells of a restore: what came after {when:%Y-%m-%d %H:%M:%S}Z was lost before it."
        if excused:
            rows = ", ".join(str(one.seq) for one in excused)
            yield f"Anchors of rows that a restore took back are left out: {rows}."
        if self.left_out:
            yield f"{self.left_out} more findings are not listed."


def _made_at(entry: Entry) -> int:
    """Of when the backup was that a restore put back, in ms."""
    try:
        return int(entry.told()["made_at"])
    except (KeyError, TypeError, ValueError):
        return entry.at


def _missing(expected: int, found: int) -> Finding:
    if found < expected:
        return Finding(seq=found, damage=Damage.MOVED, says=f"Row {found} stands after row {expected - 1}.")
    if found == expected + 1:
        return Finding(seq=expected, damage=Damage.MISSING, says=f"Row {expected} is missing.")
    return Finding(seq=expected, damage=Damage.MISSING, says=f"Rows {expected} to {found - 1} are missing.")


def _not_as_sealed(entry: Entry) -> Finding:
    number = _sealed_as(entry)
    if number is None:
        return Finding(seq=entry.seq, damage=Damage.CHANGED, says=f"Row {entry.seq} is not what was written.")
    says = f"Row {entry.seq} is what was written as row {number}: rows were moved, put in or taken out."
    return Finding(seq=entry.seq, damage=Damage.MOVED, says=says)


def _sealed_as(entry: Entry) -> int | None:
    """The number under which a row was sealed, if it is near; the nearest numbers are tried first."""
    for distance in range(1, _REACH):
        for number in (entry.seq + distance, entry.seq - distance):
            if number > 0 and hash_of(entry, number) == entry.hash:
                return number
    return None


def _does_not_follow(seq: int) -> Finding:
    if seq == 1:
        says = "Row 1 does not begin the log: it was written anew."
    else:
        says = f"Row {seq} does not follow row {seq - 1}: one of the two was written anew."
    return Finding(seq=max(1, seq - 1), damage=Damage.BROKEN, says=says)


def _differs(anchor: Anchor, last: int) -> Finding:
    if anchor.seq > last:
        says = f"An anchor tells of row {anchor.seq}, but the log ends with row {last}: its end was cut off."
        return Finding(seq=last + 1, damage=Damage.CUT, says=says)
    says = f"Row {anchor.seq} is not the one of its anchor, {anchor.hash[:12]}…: the log was written anew up to there."
    return Finding(seq=anchor.seq, damage=Damage.ANCHOR, says=says)


# -- comparing with what is shown -------------------------------------------------------------------------------------


def fold_moves(moves: Iterable[Move]) -> tuple[int, str]:
    """How many moves there are, and one digest over them and their order."""
    count, folded = 0, hashlib.sha256()
    for move in moves:
        folded.update(canonical([*move]).encode() + b"\n")
        count += 1
    return count, folded.hexdigest()


@dataclass(slots=True)
class _History:
    """Walks through the history of jobs beside the log: both were written in one order, each move with its row.

    It stops at the first difference, and at the first damaged row, because from there on the two are out of step.
    """

    kept: Kept
    _moves: Iterator[Move] | None = None
    _is_stopped: bool = False

    def __post_init__(self) -> None:
        self._moves = self.kept.moves() if self.kept.is_compared else None
        self._is_stopped = not self.kept.is_compared

    def stop(self) -> None:
        self._is_stopped = True

    def take(self, entry: Entry) -> list[Finding]:
        if self._is_stopped:
            return []
        try:
            says = self._difference(entry)
        except (KeyError, TypeError, ValueError):
            says = f"What row {entry.seq} tells cannot be compared with what is kept."
        if not says:
            return []
        self.stop()
        return [Finding(seq=entry.seq, damage=Damage.HISTORY, says=says)]

    def end(self, last: int) -> list[Finding]:
        """A move of which no row tells."""
        extra = next(self._moves, None) if self._moves is not None and not self._is_stopped else None
        if extra is None:
            return []
        says = f"The history holds {_named(extra)}, of which no row tells."
        return [Finding(seq=last, damage=Damage.HISTORY, says=says)]

    def _difference(self, entry: Entry) -> str:
        if entry.kind == AuditKind.BEGIN:
            return self._before(entry.told())
        if entry.kind in OF_MOVES:
            return self._of_move(entry, entry.told())
        if entry.kind in (AuditKind.DECIDED, AuditKind.CLOSED):
            return self._of_prompt(entry, entry.told())
        return ""

    def _before(self, told: Mapping[str, Json]) -> str:
        moves = self._moves or iter(())
        former = (move for _, move in zip(range(told["moves"]), moves, strict=False))
        if fold_moves(former) != (told["moves"], told["digest"]):
            return f"The {told['moves']} moves from before the log began are not what they were then."
        return ""

    def _of_move(self, entry: Entry, told: Mapping[str, Json]) -> str:
        cells = (entry.job_id, told["move"], entry.at, told["old"], told["new"], told["event"])
        wanted = (*cells, entry.team, entry.user, told["reason"])
        found = next(self._moves, None) if self._moves is not None else None
        if found is None:
            return f"The history lacks {_named(wanted)}, of which row {entry.seq} tells."
        if tuple(found) == wanted:
            return ""
        if tuple(found[:2]) == wanted[:2]:
            return f"The history tells {_named(wanted)} otherwise than row {entry.seq}."
        return f"The history holds {_named(found)} where row {entry.seq} tells of {_named(wanted)}."

    def _of_prompt(self, entry: Entry, told: Mapping[str, Json]) -> str:
        found = self.kept.prompt(entry.prompt_id)
        if found is None:
            return f"The question {entry.prompt_id} of row {entry.seq} is not kept any more."
        shown = {name: found.get(name) for name in ("outcome", "answer", "reason", "digest", "subject")}
        shown["reason"] = _text(shown["reason"])
        shown["votes"] = [vote["actor"]["user"] for vote in found.get("votes", ())]
        actor = found.get("actor") or {"team": "", "user": ""}
        wanted = {name: told[name] for name in shown}
        if shown != wanted or (actor["team"], actor["user"]) != (entry.team, entry.user):
            return f"The question {entry.prompt_id} is kept otherwise than row {entry.seq} tells."
        return ""


def _text(kept: Json) -> Json:
    """A text that is kept with what it is made of, as it reads; anything else as it is."""
    try:
        return unpack(kept)
    except ValueError:
        return kept


def _named(move: Move) -> str:
    return f"move {move[1]} of training {move[0]}"
