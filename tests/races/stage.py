"""The use cases on a real store with a clock that is moved by hand, and a service and a Slack made for it.

Every transaction, and both ways of every call, wait for a turn (see `tests.races.turns`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from sqlite_utils import Database

from bot.domain.approvals import Group, Prompt
from bot.domain.audit import Record
from bot.domain.changes import Amendment, Change, Notice
from bot.domain.jobs import Job, JobState, Phase, RemoteStatus
from bot.domain.pace import Pace
from bot.domain.policy import Act, Policy
from bot.domain.requests import Actor, Json, Plan
from bot.errors import Effect, MessengerError, UnreachableError
from bot.ports import Click, Deps, Files, Found, Gate, Limits, Messenger, Powers, Providers, Serving, Watched
from storage import audit
from storage.migrations import migrations
from storage.rows import to_prompt
from storage.statements import rows
from storage.store import SqliteStore
from tests.contract.samples import NOW, a_job, a_wish
from tests.races.turns import Turns

T = TypeVar("T")
PROVIDER, MODEL = "sony", "churn"
TEAM = "T0YARD"
ADA, BORA, CHIE, DAN, EVE = (Actor(team=TEAM, user=f"U0{name}") for name in ("ADA", "BORA", "CHIE", "DAN", "EVE"))
"""Ada asks for trainings."""
OPS, SECOND = "S0OPS", "S0SECOND"
LIMITS = Limits(pace=Pace(shortest=timedelta(seconds=1), longest=timedelta(seconds=4)), settle=timedelta(seconds=6))


class Journal(Protocol):
    """Is told what was written, by whoever acts, right after it was written."""

    def amended(self, amendment: Amendment) -> None: ...
    def applied(self, change: Change) -> None: ...
    def kept(self, click: Click) -> None: ...
    def told(self, notice: Notice) -> None: ...
    def read(self, group: Group) -> None: ...


class RacedStore(SqliteStore):
    """The store of the product. Each of its transactions waits for a turn, and what it wrote is told to a journal."""

    turns: Turns
    journal: Journal

    async def _write(self, work: Callable[[Database], T]) -> T:
        await self.turns.take("writes")
        return await super()._write(work)

    async def _read(self, work: Callable[[Database], T]) -> T:
        await self.turns.take("reads")
        return await super()._read(work)

    async def _mark(self, head: str) -> None:
        await self.turns.take("marks")
        await self._mark_beside(head)

    async def _mark_beside(self, head: str) -> None:
        await super()._mark(head)

    async def amend(self, amendment: Amendment) -> bool:
        is_done = await super().amend(amendment)
        if is_done:
            self.journal.amended(amendment)
        return is_done

    async def apply(self, changes: Sequence[Change]) -> list[bool]:
        done = await super().apply(changes)
        for change, is_done in zip(changes, done, strict=True):
            if is_done:
                self.journal.applied(change)
        return done

    async def keep_click(self, click: Click) -> bool:
        is_new = await super().keep_click(click)
        if is_new:
            self.journal.kept(click)
        return is_new

    async def tell(self, notices: Sequence[Notice]) -> None:
        await super().tell(notices)
        for notice in notices:
            self.journal.told(notice)

    async def save_group(self, group: Group) -> bool:
        is_saved = await super().save_group(group)
        if is_saved:
            self.journal.read(group)
        return is_saved

    async def forget_group(self, id_: str) -> None:
        await super().forget_group(id_)
        self.journal.read(Group(id=id_))


class MemoryStore(RacedStore):
    """The same statements on one connection, in this thread and in memory: for many interleavings in a short time.

    The turns put all transactions in a row, so that one connection shows what several would. `forget` undoes
    everything since the last time.
    """

    def __init__(self) -> None:
        super().__init__(Path("memory.db"), read_only=True)  # its own threads are never begun
        self._db = Database(sqlite3.connect(":memory:", isolation_level=None))

    async def open(self) -> None:
        migrations.apply(self._db)
        self._db.execute("BEGIN")

    async def close(self) -> None:
        self._db.close()

    def forget(self) -> None:
        self._db.execute("ROLLBACK")
        self._db.execute("BEGIN")

    def stored(self, prompt_id: str) -> Prompt:
        """What stands there at this moment, without a turn."""
        [row] = rows(self._db, "SELECT id, prompt FROM prompts WHERE id = :id", {"id": prompt_id})
        return to_prompt(row)

    async def record(self, records: Sequence[Record]) -> None:
        await self._write(lambda db: audit.append(db, records))

    async def _mark_beside(self, head: str) -> None:
        """No file lies beside a store in memory."""

    async def _write(self, work: Callable[[Database], T]) -> T:
        await self.turns.take("writes")
        return self._transact(work)

    async def _read(self, work: Callable[[Database], T]) -> T:
        await self.turns.take("reads")
        return work(self._db)

    def _transact(self, work: Callable[[Database], T]) -> T:
        self._db.execute("SAVEPOINT one")
        try:
            return work(self._db)
        except Exception:
            self._db.execute("ROLLBACK TO one")
            raise
        finally:
            self._db.execute("RELEASE one")


@dataclass(slots=True)
class Service:
    """A training service. It counts what it is asked to do; `faults` say what becomes of the next switches.

    A fault is `no` (surely not applied), `lost before` or `lost after` (no answer; not applied, or applied).
    """

    turns: Turns
    sees: bool = True
    gate: Gate = Gate.AFTER
    faults: list[str] = field(default_factory=list)
    switches: list[str] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    on_call: Callable[[str, str], None] = lambda call, job_id: None
    version: int = 1
    phase: Phase = Phase.RUNNING
    name: str = PROVIDER
    title: str = "Sony"

    @property
    def powers(self) -> Powers:
        return Powers(gate=self.gate, cancel=True, switch=Act.SWITCH)

    def can_see(self, watched: Watched) -> bool:
        return self.sees

    def known_id(self, plan: Plan, claim: Mapping[str, Json]) -> str | None:
        return None

    async def survey(self, watched: Watched) -> Mapping[str, Json]:
        await self.turns.take("surveys")
        return {"version": self.version}

    async def promote(self, watched: Watched) -> None:
        await self.turns.take("asks to switch")
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "no":
            raise UnreachableError("No connection.", effect=Effect.NONE)
        if fault != "lost before":
            self._switch(watched.job_id)
        await self.turns.take("hears of the switch")
        if fault:
            raise UnreachableError("No answer.")

    def _switch(self, job_id: str) -> None:
        self.version += 1
        self.switches.append(job_id)
        self.on_call("switch", job_id)

    async def serving(self, watched: Watched, before: Mapping[str, Json]) -> Serving:
        await self.turns.take("looks")
        return Serving(is_new=self.version != before.get("version"))

    async def reserve(self, plan: Plan, job_id: str) -> Mapping[str, Json]:
        await self.turns.take("reserves")
        return {"id": job_id}

    async def start(self, plan: Plan, claim: Mapping[str, Json], file: Path | None) -> str | None:
        await self.turns.take("asks to start")
        self.starts.append(claim["id"])
        self.on_call("start", claim["id"])
        await self.turns.take("hears of the start")
        return f"remote {claim['id']}"

    async def find(self, plan: Plan, claim: Mapping[str, Json], last: Found | None) -> Found:
        await self.turns.take("looks for the start")
        return Found(remote_id=f"remote {claim['id']}" if claim["id"] in self.starts else None)

    async def status(self, watched: Watched) -> RemoteStatus:
        await self.turns.take("asks how it goes")
        is_stopped = watched.job_id in self.cancels
        return RemoteStatus(phase=Phase.CANCELLED if is_stopped else self.phase, word="as it is")

    async def cancel(self, watched: Watched) -> None:
        await self.turns.take("asks to cancel")
        self.cancels.append(watched.job_id)
        self.on_call("cancel", watched.job_id)


@dataclass(slots=True)
class Slack:
    """The groups of a workspace; nothing else of it is asked here."""

    turns: Turns
    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    is_down: bool = False

    async def members(self, group: str) -> frozenset[str]:
        await self.turns.take("asks for members")
        is_down, members = self.is_down, self.groups.get(group, frozenset())
        await self.turns.take("hears of members")
        if is_down:
            raise MessengerError("Slack has an internal error.", code="internal_error")
        return members


class _Services:
    """The one service, configured."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def get(self, name: str) -> Service:
        return self._service

    def configured(self) -> Mapping[str, Service]:
        return {PROVIDER: self._service}


@dataclass(slots=True)
class Stage:
    """One bot on a store. `now` and `policy` are changed by hand; `nudged` has a named tick run, or not."""

    store: RacedStore
    turns: Turns
    service: Service
    slack: Slack
    policy: Policy
    nudged: Callable[[str], None]
    now: datetime = NOW
    deps: Deps = field(init=False)
    _steps: dict[str, list[Coroutine[Any, Any, None]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = count(1)
        self.deps = Deps(
            store=self.store,
            providers=cast("Providers", _Services(self.service)),
            messenger=cast("Messenger", self.slack),
            files=cast("Files", None),  # nothing here has data
            policies=lambda: self.policy,
            limits=LIMITS,
            now=lambda: self.now,
            new_id=lambda: f"id{next(ids)}",
            nudge=self.nudged,
            spawn=self._spawn,
        )

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Steps of one name go one after the other, as in the product."""
        waiting = self._steps.setdefault(name, [])
        waiting.append(work)
        if len(waiting) == 1:
            self.turns.start(f"step {name} {self.turns.count}", self._each(name))

    async def _each(self, name: str) -> None:
        waiting = self._steps[name]
        while waiting:
            await waiting[0]
            del waiting[0]

    def forget_steps(self) -> None:
        """What the former process was about is gone with it."""
        for waiting in self._steps.values():
            for work in waiting:
                work.close()
        self._steps.clear()


def a_training(id_: str, state: JobState) -> Job:
    """A training of the one model, as far as a gate needs it."""
    plan = Plan(provider=PROVIDER, model=MODEL, body={"id": id_}, summary=(("Data", "as before"),))
    wish = a_wish(f"key of {id_}", provider=PROVIDER, model=MODEL, actor=ADA)
    job: Job = a_job(id_, state, request=wish, plan=plan, remote_id=None if state is JobState.PROPOSED else id_)
    return job
