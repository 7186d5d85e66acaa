"""The Store that the engine sees, on one SQLite file."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database

from bot.domain.approvals import Group, Prompt
from bot.domain.attention import Follow, Habits
from bot.domain.audit import Anchor, AuditKind, Entry, Record, may_switch, records_of, records_of_prompts
from bot.domain.changes import Amendment, Change, Notice
from bot.domain.forecast import Earlier
from bot.domain.health import ServiceHealth
from bot.domain.history import Story
from bot.domain.jobs import ENDS, SWITCHED, Event, Job, JobState, Transition
from bot.domain.pace import Allowance
from bot.domain.people import Person
from bot.domain.recurring import Schedule
from bot.domain.requests import Actor, TrainRequest
from bot.errors import StoreError
from bot.ports import (
    DUE_IN,
    Answered,
    Asked,
    Caps,
    Click,
    DueRun,
    Identity,
    Inquiry,
    JobFilter,
    Overview,
    PlanAnswer,
    Planned,
    Undelivered,
    Visit,
    Work,
)
from storage import asks, attention, audit, durations, history, homes, mark, outbox, schedules
from storage.migrations import migrations
from storage.rows import (
    REQUEST,
    Row,
    click_row,
    dump,
    group_row,
    health_row,
    identity_row,
    inquiry_row,
    job_row,
    looked_columns,
    moved_columns,
    person_row,
    prompt_row,
    readable,
    to_asked,
    to_click,
    to_group,
    to_health,
    to_identity,
    to_inquiry,
    to_job,
    to_ms,
    to_person,
    to_prompt,
    to_schedule,
    to_transition,
    to_wish,
    transition_row,
)
from storage.sqlite import Readers, Writer
from storage.statements import first, insert, listed, put, rows, update

T = TypeVar("T")

ALL = -1
"""SQLite's word for no limit."""
NO_CAPS = Caps()
URL_IS_GOOD_FOR = timedelta(minutes=30)
"""A response_url takes five answers within 30 minutes."""


class SqliteStore:
    """See `bot.ports.Store`. `open` before use, `close` at the end."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        path = self._path = path.resolve()  # one file has one lock, whichever link leads to it
        self._writer = None if read_only else Writer(path)
        self._readers = Readers(path)
        self._marking = asyncio.Lock()

    async def open(self) -> None:
        """Migrate and start writing. A store that only reads needs a database that is there, and up to date."""
        if self._writer is not None:
            await asyncio.to_thread(self._writer.open, migrations.apply)
        else:
            await self._read(self._require_tables)

    def _require_tables(self, db: Database) -> None:
        """Raise StoreError where a migration has still to run, which only a bot may do."""
        if not migrations.pending(db):
            return
        which = (
            "was written by an earlier Switchyard" if migrations.applied(db) else "holds nothing of Switchyard's yet"
        )
        raise StoreError(f"The database {self._path.name} {which}: it is brought up to date when the bot starts.")

    async def close(self) -> None:
        """Write what waits, then close. The writer leaves last: who does so tidies the write-ahead log up."""
        await self._readers.close()
        if self._writer is not None:
            await self._writer.close()

    async def _write(self, work: Callable[[Database], T]) -> T:
        if self._writer is None:
            raise StoreError("This database was opened to be read only.")
        return await self._writer.submit(work)

    async def _read(self, work: Callable[[Database], T]) -> T:
        return await self._readers.submit(work)

    # -- requests and moves ------------------------------------------------------------------------------------------

    async def request(
        self,
        change: Change,
        *,
        same_since: datetime,
        is_exclusive: bool,
        is_again: bool = False,
        url: str = "",
        caps: Caps = NO_CAPS,
    ) -> Answered:
        def work(db: Database) -> Answered:
            wish = change.job.request
            known = _known_answer(db, wish.request_key)
            if known:
                return known
            if not asks.takes(db, wish.request_key, wish.actor.user, change.job.created_at, caps.commands):
                return Answered(asked=Asked.TOO_FAST, job=change.job)
            answer = _in_the_way(db, change.job, same_since, is_exclusive=is_exclusive, is_again=is_again)
            return _answer(db, change, answer, url, caps)

        return await self._write(work)

    async def asked_for(self, request_key: str) -> TrainRequest | None:
        row = await self._read(
            lambda db: first(db, "SELECT request FROM requests WHERE key = :key", {"key": request_key})
        )
        return to_wish(row) if row else None

    # -- recurring trainings -----------------------------------------------------------------------------------------

    async def plan(
        self,
        schedule: Schedule,
        *,
        url: str = "",
        caps: Caps = NO_CAPS,
        notices: Sequence[Notice] = (),
        records: Sequence[Record] = (),
    ) -> PlanAnswer:
        def work(db: Database) -> PlanAnswer:
            request = schedule.request
            known = schedules.of_delivery(db, request.request_key)
            if known:
                return PlanAnswer(planned=Planned.NEW, schedule=known)
            if not asks.takes(db, request.request_key, request.actor.user, schedule.created_at, caps.commands):
                return PlanAnswer(planned=Planned.TOO_FAST, schedule=schedule)
            hindrance = schedules.in_the_way(db, schedule, caps)
            if hindrance:
                return PlanAnswer(planned=hindrance[0], schedule=hindrance[1])
            schedules.add(db, schedule, url)
            _add_all(db, notices)
            audit.append(db, records)
            _draw_homes(db, schedule.created_at)
            return PlanAnswer(planned=Planned.NEW, schedule=schedule)

        return await self._write(work)

    async def schedule(self, schedule_id: str) -> Schedule | None:
        return await self._read(lambda db: schedules.find(db, schedule_id))

    async def schedules(self, team: str, *, place: str = "", user: str = "", limit: int = 20) -> list[Schedule]:
        return await self._read(lambda db: schedules.listed(db, team, place, user, limit))

    async def claim_schedules(self, now: datetime, lease_until: datetime, limit: int) -> list[Schedule]:
        return readable(to_schedule, await self._claim("schedules", schedules.DUE, now, lease_until, limit))

    async def put_off(self, schedule_id: str, until: datetime) -> None:
        await self._write(lambda db: schedules.put_off(db, schedule_id, until))

    async def answer_url(self, schedule_id: str) -> str:
        return await self._read(lambda db: schedules.url_of(db, schedule_id))

    async def amend_schedule(
        self, schedule: Schedule, *, notices: Sequence[Notice] = (), records: Sequence[Record] = ()
    ) -> bool:
        def work(db: Database) -> bool:
            if not schedules.write(db, schedule):
                return False
            _add_all(db, notices)
            if notices:
                _draw_homes(db, notices[0].try_at)
            audit.append(db, records)
            return True

        return await self._write(work)

    async def run_schedule(
        self, run: DueRun, *, same_since: datetime, is_exclusive: bool, caps: Caps
    ) -> Answered | None:
        return await self._write(lambda db: _run(db, run, same_since, caps, is_exclusive=is_exclusive))

    # -- moves -------------------------------------------------------------------------------------------------------

    async def claim_due(self, work: Work, now: datetime, lease_until: datetime, limit: int) -> list[Job]:
        due = f"state IN ({listed(DUE_IN[work])}) AND act_at <= :now ORDER BY act_at, rowid LIMIT :limit"
        return readable(to_job, await self._claim("jobs", due, now, lease_until, limit))

    async def _claim(self, table: str, due: str, now: datetime, lease_until: datetime, limit: int) -> list[Row]:
        """Lease the rows that are due, in the order in which they are; a look beforehand saves most ticks a commit."""
        sql, values = f"SELECT * FROM {table} WHERE {due}", {"now": to_ms(now), "limit": limit}

        def work(db: Database) -> list[Row]:
            found: list[Row] = [{**row, "act_at": to_ms(lease_until)} for row in rows(db, sql, values)]
            for row in found:
                update(db, table, {"act_at": row["act_at"]}, "id = :id", id=row["id"])
            return found

        is_due = await self._read(lambda db: first(db, sql, {**values, "limit": 1}))
        return await self._write(work) if is_due else []

    async def apply(self, changes: Sequence[Change]) -> list[bool]:
        def work(db: Database) -> tuple[list[bool], str]:
            written = _apply_all(db, changes)
            return written, mark.head(db) if any(map(_lets_send, changes)) else ""

        written, head = await self._write(work)
        if head:
            await self._mark(head)
        return written

    async def _mark(self, head: str) -> None:
        """One after the other, in the order of the commits."""
        async with self._marking:
            await asyncio.to_thread(mark.write, self._path, head)

    async def older_than_sent(self) -> datetime | None:
        """The time of this database, where more was sent from here than it knows: it is a copy that was put back."""
        return await self._read(lambda db: mark.missing_since(db, self._path))

    async def doubt_messages(self, made_at: datetime) -> None:
        """Look each waiting message up before it is sent: it may have been, since that time."""
        await self._write(lambda db: outbox.doubt_waiting(db, made_at))

    async def note_sent(self) -> None:
        """Note beside the database how far it is, whatever was noted there before."""
        await self._mark(await self._read(mark.head))

    async def resume(self, now: datetime) -> None:
        def work(db: Database) -> None:
            db.execute("UPDATE jobs SET act_at = :now WHERE act_at > :now", {"now": to_ms(now)})
            db.execute("UPDATE inquiries SET act_at = :now", {"now": to_ms(now)})
            schedules.resume(db)
            outbox.resume(db)

        await self._write(work)

    # -- reading jobs ------------------------------------------------------------------------------------------------

    async def job(self, job_id: str) -> Job | None:
        row = await self._read(lambda db: first(db, "SELECT * FROM jobs WHERE id = :id", {"id": job_id}))
        return to_job(row) if row else None

    async def jobs(self, wanted: JobFilter, *, offset: int = 0, limit: int = 20) -> list[Job]:
        conditions, values = _conditions(wanted)
        sql = f"SELECT * FROM jobs WHERE {conditions} ORDER BY created_at DESC, id LIMIT :limit OFFSET :offset"
        found = await self._read(lambda db: rows(db, sql, {**values, "limit": limit, "offset": offset}))
        return [to_job(row) for row in found]

    async def stories(self, wanted: JobFilter, *, after: Job | None = None, limit: int = 200) -> list[Story]:
        conditions, values = _conditions(wanted)
        return await self._read(lambda db: history.page(db, conditions, values, after, limit))

    async def in_states(self, states: frozenset[JobState]) -> list[Job]:
        sql = f"SELECT * FROM jobs WHERE state IN ({listed(states)}) ORDER BY created_at"
        return [to_job(row) for row in await self._read(lambda db: rows(db, sql))]

    async def needed_data(self) -> frozenset[str]:
        sql = f"""
            SELECT plan ->> '$.payload.sha256' AS sha256 FROM jobs
            WHERE state NOT IN ({listed(ENDS)}) OR id IN (SELECT job_id FROM prompts WHERE outcome = 'open')
            UNION SELECT kept.value FROM jobs, json_each(request, '$.kept') AS kept WHERE state NOT IN ({listed(ENDS)})
            UNION SELECT sha256 FROM (
                SELECT plan ->> '$.payload.sha256' AS sha256, row_number() OVER (
                    PARTITION BY provider, model ORDER BY state_at DESC, id DESC) AS place
                FROM jobs WHERE state IN ({listed(SWITCHED)})) WHERE place <= 2"""
        return frozenset(row["sha256"] for row in await self._read(lambda db: rows(db, sql)) if row["sha256"])

    async def watched(self, provider: str, remote_id: str, model: str) -> Job | None:
        return await self._read(lambda db: _watched(db, provider, remote_id, model))

    async def same_data(self, job: Job) -> Job | None:
        payload = job.plan.payload if job.plan else None
        return await self._read(lambda db: _same_data(db, job, payload.sha256)) if payload else None

    async def transitions(self, job_id: str) -> list[Transition]:
        sql = "SELECT * FROM transitions WHERE job_id = :id ORDER BY seq"
        return [to_transition(row) for row in await self._read(lambda db: rows(db, sql, {"id": job_id}))]

    async def earlier(self, job: Job) -> list[Earlier]:
        return await self._read(lambda db: durations.earlier(db, job))

    # -- prompts, clicks, groups -------------------------------------------------------------------------------------

    async def prompts(self, job_id: str) -> list[Prompt]:
        sql = "SELECT id, prompt FROM prompts WHERE job_id = :id ORDER BY asked_at, rowid"
        return [to_prompt(row) for row in await self._read(lambda db: rows(db, sql, {"id": job_id}))]

    async def prompt(self, prompt_id: str) -> Prompt | None:
        sql = "SELECT id, prompt FROM prompts WHERE id = :id"
        row = await self._read(lambda db: first(db, sql, {"id": prompt_id}))
        return to_prompt(row) if row else None

    async def open_prompts(self) -> list[Prompt]:
        sql = "SELECT id, prompt FROM prompts WHERE outcome = 'open' ORDER BY asked_at, rowid"
        return [to_prompt(row) for row in await self._read(lambda db: rows(db, sql))]

    async def amend(self, amendment: Amendment) -> bool:
        return await self._write(lambda db: _amend(db, amendment))

    async def keep_click(self, click: Click) -> bool:
        return await self._write(lambda db: insert(db, "clicks", click_row(click), or_ignore=True))

    async def kept_clicks(self) -> list[Click]:
        return readable(to_click, await self._read(lambda db: rows(db, "SELECT * FROM clicks ORDER BY rowid")))

    async def drop_click(self, click_id: str) -> None:
        await self._write(lambda db: db.execute("DELETE FROM clicks WHERE id = :id", {"id": click_id}))

    async def groups(self, ids: Sequence[str]) -> Mapping[str, Group]:
        found = await self._read(lambda db: rows(db, "SELECT * FROM groups"))
        return {row["id"]: to_group(row) for row in found if row["id"] in ids}

    async def save_group(self, group: Group) -> bool:
        def work(db: Database) -> bool:
            known = first(db, "SELECT changes FROM groups WHERE id = :id", {"id": group.id})
            if known and known["changes"] != group.changes:
                return False
            put(db, "groups", group_row(group))
            # Who is in a group decides what waits for whom.
            _add_all(db, homes.drawings(db, group.read_at) if group.read_at else [])
            return True

        return await self._write(work)

    async def forget_group(self, id_: str) -> None:
        sql = """INSERT INTO groups (id, members, changes) VALUES (:id, '', 1) ON CONFLICT DO UPDATE
                 SET members = '', read_at = NULL, failing_since = NULL, changes = changes + 1"""
        await self._write(lambda db: db.execute(sql, {"id": id_}))

    # -- services ----------------------------------------------------------------------------------------------------

    async def person(self, user: str) -> Person | None:
        row = await self._read(lambda db: first(db, "SELECT * FROM people WHERE id = :id", {"id": user}))
        return to_person(row) if row else None

    async def keep_person(self, person: Person) -> None:
        await self._write(lambda db: put(db, "people", person_row(person)))

    async def identity(self) -> Identity | None:
        found = await self._read(lambda db: rows(db, "SELECT * FROM identity"))
        return next(iter(readable(to_identity, found)), None)

    async def keep_identity(self, identity: Identity | None) -> None:
        def work(db: Database) -> None:
            db.execute("DELETE FROM identity")
            if identity is not None:
                insert(db, "identity", identity_row(identity))

        await self._write(work)

    async def health(self) -> Mapping[str, ServiceHealth]:
        found = await self._read(lambda db: rows(db, "SELECT * FROM health"))
        return {row["provider"]: to_health(row) for row in found}

    async def save_health(self, health: ServiceHealth, notices: Sequence[Notice]) -> None:
        def work(db: Database) -> None:
            put(db, "health", health_row(health))
            _add_all(db, notices)

        await self._write(work)

    async def inquire(self, inquiry: Inquiry, *, caps: Caps = NO_CAPS) -> bool:
        def work(db: Database) -> bool:
            if not asks.takes(db, inquiry.id, inquiry.actor.user, inquiry.asked_at, caps.commands):
                return False
            insert(db, "inquiries", inquiry_row(inquiry), or_ignore=True)
            return True

        return await self._write(work)

    async def claim_inquiries(self, now: datetime, lease_until: datetime) -> list[Inquiry]:
        due = "act_at <= :now ORDER BY act_at, rowid LIMIT :limit"
        return readable(to_inquiry, await self._claim("inquiries", due, now, lease_until, ALL))

    async def end_inquiry(self, inquiry_id: str, notice: Notice | None) -> None:
        def work(db: Database) -> None:
            db.execute("DELETE FROM inquiries WHERE id = :id", {"id": inquiry_id})
            _add_all(db, [notice] if notice else [])

        await self._write(work)

    # -- the audit log -----------------------------------------------------------------------------------------------

    async def record(self, records: Sequence[Record]) -> None:
        if self._writer is not None:
            await self._write(lambda db: audit.append(db, records))
        else:
            for record in records:
                await asyncio.to_thread(audit.leave, self._path, record)

    async def take_in(self) -> int:
        left = await asyncio.to_thread(audit.waiting, self._path)
        if left:
            await self._write(lambda db: audit.take_in(db, left.values()))
            await asyncio.to_thread(_remove, list(left))
        return len(left)

    async def entries(self, after: int = 0, limit: int = 100) -> list[Entry]:
        return await self._read(lambda db: audit.entries(db, after, limit))

    async def latest(self, kind: AuditKind | None = None) -> Entry | None:
        return await self._read(lambda db: audit.latest(db, kind))

    async def last_anchor(self) -> Anchor | None:
        return await self._read(audit.last_anchor)

    async def anchor(self, anchor: Anchor, now: datetime, notice: Notice) -> None:
        def work(db: Database) -> None:
            audit.add_anchor(db, anchor, now)
            _add_all(db, [notice])

        await self._write(work)

    # -- the outbox --------------------------------------------------------------------------------------------------

    async def tell(self, notices: Sequence[Notice]) -> None:
        await self._write(lambda db: _add_all(db, notices))

    async def take_notices(self, now: datetime, limit: int, edits: Allowance | None = None) -> list[Notice]:
        if not await self._read(lambda db: outbox.is_due(db, now, edits)):
            return []
        return await self._write(lambda db: outbox.take(db, now, limit, edits))

    async def notice(self, key: str) -> Notice | None:
        return await self._read(lambda db: outbox.find(db, key))

    async def sent(self, notice: Notice, *, ts: str, channel: str) -> None:
        await self._write(lambda db: outbox.end(db, notice, "sent", sent_ts=ts, sent_to=channel))

    async def keep_body(self, notice: Notice, *, records: Sequence[Record] = ()) -> None:
        def work(db: Database) -> None:
            outbox.keep_body(db, notice)
            audit.append(db, records)

        await self._write(work)

    async def ask_export(self, notice: Notice, actor: Actor, *, caps: Caps = NO_CAPS) -> bool:
        def work(db: Database) -> bool:
            if not asks.takes(db, notice.key, actor.user, notice.try_at, caps.commands):
                return False
            outbox.add(db, notice)
            return True

        return await self._write(work)

    async def put_back(self, notice: Notice, *, try_at: datetime, in_doubt: bool, error: str) -> None:
        await self._write(lambda db: outbox.put_back(db, notice, try_at, in_doubt=in_doubt, error=error))

    async def hold(self, notice: Notice, error: str, told: Notice | None) -> None:
        def work(db: Database) -> None:
            outbox.hold(db, notice, error)
            _add_all(db, [told] if told else [])

        await self._write(work)

    async def drop(self, notice: Notice, error: str) -> None:
        await self._write(lambda db: outbox.end(db, notice, "dropped", error=error))

    async def undelivered(self, limit: int) -> list[Undelivered]:
        return await self._read(lambda db: outbox.undelivered(db, limit))

    async def release(self, place: str, *, job_id: str | None = None, to: str = "") -> list[str]:
        def work(db: Database) -> list[str]:
            freed = _held_jobs(db, place, job_id)
            for id_ in freed if to else []:
                update(db, "jobs", {"place": to}, "id = :id", id=id_)
            outbox.release(db, freed)
            return freed

        return await self._write(work)

    async def move_to(self, job_id: str, place: str) -> None:
        await self._write(lambda db: update(db, "jobs", {"place": place}, "id = :id", id=job_id))

    async def reply_url(self, job_id: str, now: datetime) -> str | None:
        sql = "SELECT url FROM requests WHERE job_id = :id AND asked = 'new' AND at > :since AND url != ''"
        values = {"id": job_id, "since": to_ms(now - URL_IS_GOOD_FOR)}
        row = await self._read(lambda db: first(db, sql, values))
        return row["url"] if row else None

    async def forget_urls(self, before: datetime) -> int:
        def work(db: Database) -> int:
            db.execute("UPDATE requests SET url = '' WHERE url != '' AND at < :before", {"before": to_ms(before)})
            schedules.forget_urls(db, before)
            return outbox.forget_told(db, before)

        return await self._write(work)

    # -- who is told what --------------------------------------------------------------------------------------------

    async def follow(self, wish: Follow, most: int) -> bool:
        return await self._write(lambda db: attention.follow(db, wish, most))

    async def unfollow(self, ids: Sequence[str]) -> int:
        return await self._write(lambda db: attention.unfollow(db, ids))

    async def follows(self, team: str, *, target: str = "", by: str = "") -> list[Follow]:
        return await self._read(lambda db: attention.found(db, team, target=target, by=by))

    async def habits(self, users: Sequence[str]) -> Mapping[str, Habits]:
        return await self._read(lambda db: attention.habits_of(db, users))

    async def keep_habits(self, habits: Habits) -> None:
        await self._write(lambda db: attention.keep_habits(db, habits))

    async def keep_news(self, notice: Notice) -> None:
        await self._write(lambda db: attention.keep_news(db, notice))

    async def kept_news(self) -> list[Notice]:
        return await self._read(attention.kept)

    async def digest(self, notice: Notice, of: Sequence[Notice]) -> None:
        await self._write(lambda db: attention.digest(db, notice, of))

    # -- the Home tabs -----------------------------------------------------------------------------------------------

    async def keep_visit(self, visit: Visit, notice: Notice) -> None:
        def work(db: Database) -> None:
            homes.keep(db, visit)
            outbox.add(db, notice)

        await self._write(work)

    async def visit(self, user: str) -> Visit | None:
        return await self._read(lambda db: homes.find(db, user))

    async def overview(self, actor: Actor, *, mine: int, others: int, ended: int, schedules: int = 0) -> Overview:
        limits = {"mine": mine, "others": others, "ended": ended, "schedules": schedules}
        return await self._read(lambda db: homes.overview(db, actor, limits))

    async def published(self, notice: Notice, shown: str) -> None:
        def work(db: Database) -> None:
            homes.note_shown(db, str(notice.body["user"]), shown)
            outbox.end(db, notice, "sent")

        await self._write(work)

    async def draw_homes(self, now: datetime) -> None:
        await self._write(lambda db: _add_all(db, homes.drawings(db, now)))

    async def touch(self) -> None:
        await self._write(lambda db: db.execute("PRAGMA user_version = 1"))


def _answer(db: Database, change: Change, in_the_way: Answered | None, url: str, caps: Caps) -> Answered:
    """Make the job, unless something stands in its way, and keep what was answered."""
    answer = in_the_way or _without_room(db, change.job.request.actor.user, caps.living)
    if answer is None:
        _insert_job(db, change)
        answer = Answered(asked=Asked.NEW, job=change.job)
    _keep_answer(db, change.job, answer, url)
    return answer


def _run(db: Database, run: DueRun, same_since: datetime, caps: Caps, *, is_exclusive: bool) -> Answered | None:
    """The schedule first: whoever wrote it has the run."""
    job = run.change.job
    if not schedules.write(db, run.started):
        return None
    answer = _known_answer(db, job.request.request_key)
    if answer is None:
        in_the_way = _in_the_way(db, job, same_since, is_exclusive=is_exclusive, is_again=False)
        answer = _answer(db, run.change, in_the_way, "", caps)
    if answer.asked is Asked.NEW:
        schedules.rewrite(db, replace(run.started, last_job=answer.job.id))
        _add_all(db, run.notices)
    else:
        schedules.rewrite(db, run.skipped)
        _add_all(db, [run.otherwise[answer.asked]])
    _draw_homes(db, job.created_at)
    return answer


def _draw_homes(db: Database, now: datetime) -> None:
    _add_all(db, homes.drawings(db, now))


def _known_answer(db: Database, key: str) -> Answered | None:
    row = first(db, "SELECT asked, job_id FROM requests WHERE key = :key", {"key": key})
    return Answered(asked=to_asked(row), job=_job(db, row["job_id"])) if row else None


def _job(db: Database, job_id: str) -> Job:
    return to_job(rows(db, "SELECT * FROM jobs WHERE id = :id", {"id": job_id})[0])


def _in_the_way(db: Database, job: Job, same_since: datetime, *, is_exclusive: bool, is_again: bool) -> Answered | None:
    watched = _watched(db, job.request.provider, job.remote_id, job.request.model) if job.remote_id else None
    if watched:
        return Answered(asked=Asked.SAME, job=watched)
    alive = f"state NOT IN ({listed(ENDS)}) ORDER BY created_at DESC LIMIT 1"
    same = (
        None
        if is_again
        else first(
            db,
            f"SELECT * FROM jobs WHERE fingerprint = :fingerprint AND created_at >= :since AND {alive}",
            {"fingerprint": job.request.fingerprint(), "since": to_ms(same_since)},
        )
    )
    if same:
        return Answered(asked=Asked.SAME, job=to_job(same))
    busy = first(
        db,
        f"SELECT * FROM jobs WHERE provider = :provider AND model = :model AND {alive}",
        {"provider": job.request.provider, "model": job.request.model},
    )
    return Answered(asked=Asked.BUSY, job=to_job(busy)) if busy and is_exclusive else None


def _without_room(db: Database, user: str, most: int | None) -> Answered | None:
    oldest = asks.oldest_of_full(db, user, most)
    return Answered(asked=Asked.FULL, job=_job(db, oldest)) if oldest else None


def _watched(db: Database, provider: str, remote_id: str, model: str) -> Job | None:
    sql = f"""SELECT * FROM jobs WHERE provider = :provider AND remote_id = :remote_id
              AND (model = :model OR :model = :remote_id) AND state NOT IN ({listed(ENDS)})
              ORDER BY created_at DESC LIMIT 1"""
    row = first(db, sql, {"provider": provider, "remote_id": remote_id, "model": model})
    return to_job(row) if row else None


SAME_DATA = """SELECT * FROM jobs WHERE data_sha256 = :sha256 AND provider = :provider AND model = :model
    AND team = :team AND created_at <= :at AND id != :id ORDER BY created_at DESC, id DESC LIMIT 1"""


def _same_data(db: Database, job: Job, sha256: str) -> Job | None:
    wish = job.request
    wanted = {"provider": wish.provider, "model": wish.model, "team": wish.actor.team, "at": to_ms(job.created_at)}
    row = first(db, SAME_DATA, {**wanted, "sha256": sha256, "id": job.id})
    return to_job(row) if row else None


def _keep_answer(db: Database, job: Job, answer: Answered, url: str) -> None:
    row = {
        "key": job.request.request_key,
        "at": to_ms(job.created_at),
        "asked": answer.asked.value,
        "job_id": answer.job.id,
        "request": dump(REQUEST, job.request),
        "url": url,
    }
    insert(db, "requests", row)


def _insert_job(db: Database, change: Change) -> None:
    insert(db, "jobs", job_row(change.job))
    _write_effects(db, change)


def _apply_all(db: Database, changes: Sequence[Change]) -> list[bool]:
    """One after the other. What follows a lost change of the same job builds on it and is lost too."""
    lost: set[str] = set()
    written = []
    for change in changes:
        # The version alone does not tell: whoever moved the job meanwhile may have brought it to the one expected here.
        written.append(change.job.id not in lost and _apply(db, change))
        if not written[-1]:
            lost.add(change.job.id)
    return written


def _lets_send(change: Change) -> bool:
    """May a start or a switch be sent once this is committed?"""
    is_start = change.transition is not None and change.transition.event is Event.START
    return is_start or may_switch(change)


def _apply(db: Database, change: Change) -> bool:
    if not all(_is_open(db, prompt) for prompt in change.closes):
        return False
    if change.asks_once and any(_is_asked(db, prompt) for prompt in change.opens):
        return False
    row = looked_columns(change.job)
    if change.transition is not None:
        row |= moved_columns(change.job)
    values: dict[str, Any] = {"job": change.job.id, "expected": change.expected}
    former = _switch_of(db, change) if may_switch(change) else row["switch"]
    if not update(db, "jobs", row, f"id = :job AND version = :expected{_unswitched(change)}", **values):
        return False
    _write_effects(db, change, is_new_switch=former != row["switch"])
    return True


def _unswitched(change: Change) -> str:
    """The condition that no switch was noted, for what must not be written over one."""
    is_blind = change.transition is None and change.job.switch is None
    return " AND switch IS NULL" if change.begins_switch or is_blind else ""


def _switch_of(db: Database, change: Change) -> str | None:
    found = first(db, "SELECT switch FROM jobs WHERE id = :id", {"id": change.job.id})
    return found["switch"] if found else None


def _amend(db: Database, amendment: Amendment) -> bool:
    if not all(_is_open(db, prompt) for prompt in amendment.writes):
        return False
    votes = _votes(db, amendment.writes)
    for prompt in (*amendment.opens, *amendment.writes):
        put(db, "prompts", prompt_row(prompt))
    _add_all(db, amendment.notices)
    for prompt in amendment.opens:
        attention.tell_question(db, _job(db, prompt.job_id), prompt)
    audit.append(db, records_of_prompts(amendment.writes, amendment.opens, votes))
    return True


def _votes(db: Database, prompts: Sequence[Prompt]) -> dict[str, int]:
    """How many votes stand in the store for those that now have some."""
    sql = "SELECT json_array_length(prompt, '$.votes') AS votes FROM prompts WHERE id = :id"
    found = {one.id: first(db, sql, {"id": one.id}) for one in prompts if one.votes}
    return {id_: row["votes"] or 0 for id_, row in found.items() if row}


def _is_asked(db: Database, prompt: Prompt) -> bool:
    """Is such a question about the job open already?"""
    sql = """SELECT 1 FROM prompts WHERE job_id = :job AND outcome = 'open' AND prompt ->> 'subject' = :subject"""
    return first(db, sql, {"job": prompt.job_id, "subject": prompt.subject.value}) is not None


def _is_open(db: Database, prompt: Prompt) -> bool:
    """Is it open still, and nothing written over it since it was read?"""
    row = first(db, "SELECT id, prompt FROM prompts WHERE id = :id AND outcome = 'open'", {"id": prompt.id})
    return row is not None and to_prompt(row).version == prompt.version - 1


def _write_effects(db: Database, change: Change, *, is_new_switch: bool = False) -> None:
    if change.transition is not None:
        insert(db, "transitions", transition_row(change.transition))
        durations.add(db, change)
    votes = _votes(db, change.closes)
    for prompt in (*change.opens, *change.closes):
        put(db, "prompts", prompt_row(prompt))
    _add_all(db, change.notices)
    attention.tell(db, change)
    audit.append(db, records_of(change, votes, is_new_switch=is_new_switch))


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _add_all(db: Database, notices: Sequence[Notice]) -> None:
    for notice in notices:
        outbox.add(db, notice)


def _held_jobs(db: Database, place: str, job_id: str | None) -> list[str]:
    sql = """SELECT DISTINCT jobs.id FROM jobs JOIN notices ON notices.job_id = jobs.id
             WHERE notices.state = 'held' AND (jobs.id = :job OR (:job IS NULL AND jobs.place = :place))"""
    return [row["id"] for row in rows(db, sql, {"job": job_id, "place": place})]


def _conditions(wanted: JobFilter) -> tuple[str, dict[str, Any]]:
    """A WHERE clause and its values. The clauses are constants; what people typed is bound."""
    clauses = ["1"]
    values: dict[str, Any] = {}
    for column in ("team", "place", "user", "provider", "model", "remote_id"):
        if getattr(wanted, column):
            clauses.append(f"{column} = :{column}")
            values[column] = getattr(wanted, column)
    if wanted.states:
        clauses.append(f"state IN ({listed(wanted.states)})")
    if wanted.since:
        clauses.append("created_at >= :since")
        values["since"] = to_ms(wanted.since)
    if wanted.text:
        clauses.append("instr(searched, :text) > 0")
        values["text"] = wanted.text.casefold()
    return " AND ".join(clauses), values
