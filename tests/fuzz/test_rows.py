"""Rows that a broken disk, a careless hand or a later version left: a value, or a StoreError that names the row."""

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.approvals import Group
from bot.domain.audit import AuditKind, Record, seal
from bot.domain.health import ServiceHealth
from bot.domain.jobs import JobState, Look, Phase, RemoteStatus
from bot.domain.people import Person
from bot.domain.recurring import Schedule, parse_every
from bot.domain.requests import Payload, Plan
from bot.errors import StoreError
from bot.ports import JobFilter, Work
from storage import audit, rows
from storage.store import SqliteStore
from tests.contract.samples import (
    NOW,
    a_click,
    a_job,
    a_notice,
    a_prompt,
    a_wish,
    an_inquiry,
    at,
    birth,
)
from tests.fuzz.effort import effort
from tests.fuzz.fitness import sentence_faults
from tests.fuzz.shapes import mutated
from tests.fuzz.tally import Tally

PLAN = Plan(
    provider="sony",
    model="churn",
    body={"model": "churn"},
    summary=(("Goes live", "later"),),
    payload=Payload(name="churn.csv", sha256="0" * 64, size=8, rows=100, columns=2),
)
STATUS = RemoteStatus(phase=Phase.RUNNING, word="learning", parts=(("pop", "learning"),), metrics={"loss": 0.5})
JOB = replace(
    a_job("j2345ab", JobState.PROMOTING),
    previous=JobState.OFFERED,
    plan=PLAN,
    claim={"retrain_job_id": "r"},
    switch={"version": "1.0"},
    remote_id="r",
    look=Look(status=STATUS),
)
BIRTH = birth(a_job())
SCHEDULE = Schedule(id="r234567", request=a_wish(), timetable=parse_every("mon 09:00"), created_at=NOW)
DENIED = seal(Record(at=NOW, kind=AuditKind.DENIED, job_id="j1", facts={"why": "No."}), 1, "0" * 64)
assert BIRTH.transition is not None

Row = Mapping[str, Any]
READERS: Mapping[str, tuple[Row, Callable[[Row], object]]] = {
    "job": (rows.job_row(JOB), rows.to_job),
    "wish": ({"request": rows.dump(rows.REQUEST, a_wish(params={"types": ["pop"]}))}, rows.to_wish),
    "transition": (rows.transition_row(BIRTH.transition), rows.to_transition),
    "prompt": (rows.prompt_row(a_prompt()), rows.to_prompt),
    "click": (rows.click_row(a_click()), rows.to_click),
    "inquiry": (rows.inquiry_row(an_inquiry()), rows.to_inquiry),
    "health": (rows.health_row(ServiceHealth(name="sony")), rows.to_health),
    "schedule": (rows.schedule_row(SCHEDULE), rows.to_schedule),
    "person": (rows.person_row(Person(id="U0ADA", zone="Asia/Seoul", read_at=NOW)), rows.to_person),
    "earlier": ({"took": 60_000, "is_same_model": 1}, rows.to_earlier),
    "notice": (rows.notice_row(a_notice("k", body={"text": "x"})), rows.to_notice),
    "group": (rows.group_row(Group(id="S0OPS", members=frozenset({"U0BORA"}))), rows.to_group),
    "audit": ({name: getattr(DENIED, name) for name in audit.COLUMNS}, audit.to_entry),
}

CELLS = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([2**62, -(2**62), 10**15, 253402300800000, -62135596800001, 0, 1, 1e300, -1.5, math.inf]),
    st.binary(max_size=6),
    st.text(max_size=6),
    st.sampled_from(["", "{}", "[]", "null", "1", '"x"', "{", "[" * 5000, "checking", "ended", "\x00", "2026-11-20"]),
)
"""What a cell of SQLite can hold: its columns keep whatever they are given."""


@st.composite
def damaged(draw: st.DrawFn, row: Row) -> Row:
    """The row with one or two cells changed: JSON within, or the whole cell."""
    broken = dict(row)
    for column in draw(st.lists(st.sampled_from(sorted(row)), min_size=1, max_size=2, unique=True)):
        cell = broken[column]
        is_json = isinstance(cell, str) and cell.startswith("{")
        broken[column] = json.dumps(draw(mutated(json.loads(cell)))) if is_json and draw(st.booleans()) else draw(CELLS)
    return broken


def result_or_error(read: Callable[[], object]) -> object:
    """What it gives, or the StoreError that it raises; any other exception leaves."""
    try:
        return read()
    except StoreError as error:
        return error


async def answer_or_error(call: Callable[[], Awaitable[object]]) -> object:
    """The same of a question to the store."""
    try:
        return await call()
    except StoreError as error:
        return error


@pytest.mark.parametrize("kind", READERS)
@effort(60)
@given(data=st.data())
def test_a_damaged_row_is_a_value_or_a_store_error(kind: str, data: st.DataObject, tally: Tally) -> None:
    """No other exception leaves, and what is read can be written again."""
    row, read = READERS[kind]
    broken = data.draw(damaged(row))
    said = result_or_error(lambda: read(broken))
    tally.add(said)
    if isinstance(said, StoreError):
        assert sentence_faults(said) == [], str(said)
        assert "https://hooks.example" not in str(said)
    assert read(row) is not None


# -- a whole database -------------------------------------------------------------------------------------------------

TABLES: Mapping[str, tuple[str, ...]] = {
    "jobs": ("state", "previous", "version", "created_at", "state_at", "act_at", "place", "request", "plan", "claim",
             "remote_id", "switch", "look", "provider", "model", "user", "searched", "fingerprint"),
    "requests": ("asked", "request", "at", "url", "job_id"),
    "prompts": ("outcome", "asked_at", "prompt", "job_id"),
    "notices": ("kind", "lane", "channel", "body", "state", "try_at", "taken_at", "attempts", "first_tried_at",
                "in_doubt", "sent_ts", "sent_to", "error"),
    "groups": ("members", "read_at", "failing_since"),
    "clicks": ("click", "prompt_id", "user"),
    "health": ("health",),
    "inquiries": ("act_at", "inquiry"),
    "schedules": ("key", "state", "act_at", "next_at", "version", "url", "schedule"),
}  # fmt: skip
LAST = "ORDER BY rowid DESC LIMIT 1"
PLACES = [(table, column) for table, columns in TABLES.items() for column in columns]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path / "switchyard.db")
    await made.open()
    yield made
    await made.close()


async def fill(store: SqliteStore) -> None:
    """A row in every table, and nothing else but former jobs, which rest: their moves are kept for ever."""

    def empty(db: Any) -> None:
        for table in sorted(TABLES.keys() - {"jobs"}):
            db.execute(f"DELETE FROM {table}")
        db.execute("UPDATE jobs SET act_at = NULL, state = 'live'")

    await store._write(empty)
    job = replace(JOB, id=f"j{await _number(store):06}")
    prompt = a_prompt("p1", job.id)
    told = a_notice("k", job_id=job.id, body={"text": "x"})
    await store.request(
        birth(job, told, opens=[prompt]), same_since=NOW, is_exclusive=False, url="https://hooks.example"
    )
    await store.keep_click(a_click())
    await store.inquire(an_inquiry())
    await store.plan(SCHEDULE, url="https://hooks.example")
    await store.save_health(ServiceHealth(name="sony"), [])
    await store.save_group(Group(id="S0OPS", members=frozenset({"U0BORA"}), read_at=NOW))


async def _number(store: SqliteStore) -> int:
    """Every job is another one."""
    [(count,)] = await ask(store, "SELECT count(*) FROM jobs")
    return int(count)


async def ask(store: SqliteStore, sql: str) -> list[Any]:
    found: list[Any] = await store._read(lambda db: db.execute(sql).fetchall())
    return found


def calls(store: SqliteStore, job_id: str) -> list[Callable[[], Awaitable[object]]]:
    """Everything that the bot may ask of its store."""
    job = replace(JOB, id=job_id)
    return [
        lambda: store.job(job_id),
        lambda: store.jobs(JobFilter(text="churn", place="C0TRAIN"), limit=10),
        lambda: store.jobs(JobFilter()),
        lambda: store.in_states(frozenset(JobState)),
        lambda: store.watched("sestek", "r", "my-model"),
        lambda: store.transitions(job_id),
        lambda: store.earlier(job),
        lambda: store.prompts(job_id),
        lambda: store.prompt("p1"),
        store.open_prompts,
        store.kept_clicks,
        lambda: store.groups(["S0OPS"]),
        store.health,
        lambda: store.notice("k"),
        lambda: store.entries(0, 9),
        store.latest,
        store.last_anchor,
        lambda: store.asked_for(job.request.request_key),
        lambda: store.reply_url(job_id, NOW),
        lambda: store.request(birth(replace(job, id="j9")), same_since=at(days=-1), is_exclusive=True),
        lambda: store.claim_inquiries(at(hours=1), at(hours=2)),
        *(lambda work=work: store.claim_due(work, at(hours=1), at(hours=2), 9) for work in Work),
        lambda: store.schedule(SCHEDULE.id),
        lambda: store.schedules("T0YARD"),
        lambda: store.claim_schedules(at(hours=1), at(hours=2), 9),
        lambda: store.plan(replace(SCHEDULE, id="r9")),
        lambda: store.amend_schedule(SCHEDULE.ended("over")),
        lambda: store.take_notices(at(hours=1), 9),
        lambda: store.release("C0TRAIN"),
        lambda: store.forget_urls(NOW),
        lambda: store.resume(at(hours=3)),
        lambda: store.take_notices(at(hours=4), 9),
    ]


@effort(60)
@given(place=st.sampled_from(PLACES), cell=CELLS)
@example(place=("jobs", "created_at"), cell=2**62)
async def test_a_damaged_database_is_read_or_refused_with_a_sentence(
    place: tuple[str, str], cell: object, store: SqliteStore, tally: Tally
) -> None:
    """Every question to the store ends in an answer or in a StoreError; the writer lives on."""
    await fill(store)
    table, column = place
    [(job_id, row, sound)] = await ask(store, f"SELECT (SELECT max(id) FROM jobs), rowid, {column} FROM {table} {LAST}")
    put = f"UPDATE OR IGNORE {table} SET {column} = ? WHERE rowid = ?"
    try:
        await store._write(lambda db: db.execute(put, [cell, row]))
    except StoreError:
        return  # the table does not take it
    for call in calls(store, job_id):
        said = await answer_or_error(call)
        tally.add(said)
        assert not isinstance(said, StoreError) or sentence_faults(said) == [], str(said)
    await store._write(lambda db: db.execute(put, [sound, row]))
    assert await store.job(job_id) is not None
