"""What recurs, on a real database with a clock that is moved by hand: each planned time is at most one training."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from bot.domain.audit import AuditKind
from bot.domain.changes import NoticeKind, Say
from bot.domain.jobs import Job, JobState
from bot.domain.pace import Pace
from bot.domain.people import Person
from bot.domain.policy import Act, Clause, Policy, Rule
from bot.domain.recurring import ScheduleState, parse_every
from bot.domain.requests import digest
from bot.errors import DataError, MessengerBusyError, MessengerError, RefusedError, UsageError
from bot.files import DataFolder
from bot.ports import Caps, Deps, JobFilter, Limits, Messenger, Providers
from bot.providers.registry import Registry
from bot.sentences import unpack
from bot.usecases.cards import card
from bot.usecases.home import home_page, open_home
from bot.usecases.plan import plan_recurring
from bot.usecases.recover import recover
from bot.usecases.recur import recur, recur_due
from bot.usecases.request import request_training
from bot.usecases.restore import distrust
from bot.usecases.stop import stop_recurring
from storage.store import SqliteStore
from tests.contract.samples import ADA, BORA, HERE, a_wish
from tests.handlers.registered import providers

FRIDAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 6, tzinfo=UTC)
"""Monday, 09:00 in Istanbul."""
WEEK = timedelta(days=7)
REVIEWS = {"project": 1, "name": "reviews-{date}"}
SESTEK: dict[str, Any] = {
    "provider": "sestek",
    "model": "my-model",
    "params": {"model": "my-model", "language": "en-US"},
}


@dataclass(slots=True)
class Slack:
    """What Slack tells of people. Nothing is posted here: the outbox holds what would be."""

    zone: str = "Europe/Istanbul"
    has_left: bool = False
    error: MessengerError | None = None
    asked: int = 0

    async def person(self, user: str) -> Person:
        self.asked += 1
        if self.error:
            raise self.error
        return Person(id=user, zone=self.zone, has_left=self.has_left)

    async def members(self, group: str) -> frozenset[str]:
        return frozenset()


@dataclass(slots=True)
class Bench:
    """The use cases on a store of their own, with the five services' own rules."""

    store: SqliteStore
    folder: Path
    now: datetime = FRIDAY
    slack: Slack = field(default_factory=Slack)
    policy: Policy = field(default_factory=Policy)
    limits: Limits = field(default_factory=lambda: Limits(pace=Pace(shortest=WEEK, longest=WEEK)))
    providers: Providers = field(default_factory=providers)
    deps: Deps = field(init=False)
    _steps: list[Coroutine[Any, Any, None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        ids = count(1)
        self.deps = Deps(
            store=self.store,
            providers=self.providers,
            messenger=cast("Messenger", self.slack),
            files=DataFolder(self.folder, self.folder / "spool", 10**6),
            policies=lambda: self.policy,
            limits=self.limits,
            now=lambda: self.now,
            new_id=lambda: digest(next(ids))[:16],
            nudge=lambda tick: None,
            spawn=lambda name, work: self._steps.append(work),
        )

    async def plan(self, every: str = "mon 09:00", key: str = "k1", **fields: Any) -> Say:
        wish = a_wish(key, **{"provider": "deepopinion", "model": REVIEWS["name"], "params": REVIEWS, **fields})
        return await plan_recurring(self.deps, wish, parse_every(every), url="https://hooks.example/answer")

    async def tick(self, at: datetime | None = None) -> None:
        self.now = at or self.now
        await recur_due(self.deps)
        steps, self._steps[:] = list(self._steps), []
        for step in steps:
            await step

    async def planned(self, every: str = "mon 09:00", **fields: Any) -> None:
        """A schedule whose first time is known."""
        await self.plan(every, **fields)
        await self.tick()

    async def jobs(self) -> list[Job]:
        """Oldest first."""
        return [*reversed(await self.store.jobs(JobFilter()))]

    async def names(self) -> list[str]:
        return [job.request.model for job in await self.jobs()]

    async def schedule(self) -> Any:
        [row] = await self.rows("SELECT id FROM schedules")
        return await self.store.schedule(row[0])

    async def rows(self, sql: str) -> list[Any]:
        found: list[Any] = await self.store._read(lambda db: db.execute(sql).fetchall())
        return found

    async def told(self, kind: NoticeKind = NoticeKind.HEALTH) -> list[str]:
        """The texts of what was told so far."""
        sql = f"SELECT body -> 'text' FROM notices WHERE kind = '{kind}' ORDER BY number"
        return [unpack(json.loads(text)) for (text,) in await self.rows(sql)]

    async def ended(self, job: Job) -> None:
        await self.store._write(lambda db: db.execute("UPDATE jobs SET state = 'done' WHERE id = ?", [job.id]))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    store = SqliteStore(tmp_path / "switchyard.db")
    await store.open()
    (tmp_path / "my-model.jsonl").write_text("{}")
    yield Bench(store=store, folder=tmp_path)
    await store.close()


# -- planning ---------------------------------------------------------------------------------------------------------


async def test_the_times_follow_once_the_zone_is_known(bench: Bench) -> None:
    """Whoever plans waits for no network; then the next three times are told, and the first run's name."""
    said = await bench.plan()
    assert "first times follow" in said.text
    assert bench.slack.asked == 0
    await bench.tick()
    [answer] = await bench.told(NoticeKind.TOLD)
    for part in ("Mon 2026-11-23 09:00, Mon 2026-11-30 09:00, Mon 2026-12-07 09:00 (Europe/Istanbul)",
                 "`reviews-2026-11-23`", "Nothing starts now"):  # fmt: skip
        assert part in answer
    [line] = await bench.told()
    assert "planned" in line
    assert await bench.jobs() == []


async def test_a_known_zone_answers_at_once(bench: Bench) -> None:
    """Of somebody who planned something today, Slack is not asked again."""
    await bench.planned()
    said = await bench.plan("tue 09:00", "k2")
    assert "Tue 2026-11-24 09:00" in said.text
    assert said.buttons[0].action == "stop_recurring"
    assert bench.slack.asked == 1


async def test_without_a_zone_the_times_are_utc_and_said_to_be(bench: Bench) -> None:
    """An app without the scope, or an account without a time zone."""
    bench.slack.error = MessengerError("Slack refused: missing_scope.", code="missing_scope")
    await bench.planned()
    [answer] = await bench.told(NoticeKind.TOLD)
    assert "Mon 2026-11-23 09:00" in answer
    assert "UTC, because Slack does not tell your time zone" in answer
    assert (await bench.schedule()).next_at == datetime(2026, 11, 23, 9, tzinfo=UTC)


async def test_a_silent_slack_is_asked_again(bench: Bench) -> None:
    """A zone is not guessed because of an outage of a minute."""
    bench.slack.error = MessengerBusyError("Slack cannot be reached.", retry_after=2)
    await bench.planned()
    assert (await bench.schedule()).state is ScheduleState.NEW
    bench.slack.error = None
    await bench.tick(FRIDAY + timedelta(minutes=2))
    assert (await bench.schedule()).zone == "Europe/Istanbul"


async def test_the_same_delivery_and_the_same_wish_are_planned_once(bench: Bench) -> None:
    """However often it is sent; another time is another wish."""
    await bench.planned()
    await bench.plan()
    again = await bench.plan(key="k2")
    assert "Nothing new was planned" in again.text
    await bench.plan("tue 09:00", "k3")
    assert len(await bench.store.schedules(ADA.team)) == 2


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"params": {**REVIEWS, "name": "reviews"}}, "put `{date}` or `{n}` into it"),
        ({"params": {**REVIEWS, "name": "r-{time}"}}, "`{time}` is the same in each run"),
        ({"provider": "sestek", "model": "my-model", "params": {}, "data": {"data": "F0ABCDEF12"}}, "file in Slack"),
        ({"provider": "sestek", "model": "My_Model{n}", "params": {"model": "My_Model{n}"}}, "My_Model1"),
    ],
)
async def test_what_cannot_recur_is_refused(bench: Bench, fields: dict[str, Any], part: str) -> None:
    """With the reason; nothing is kept of it."""
    with pytest.raises(UsageError) as refused:
        await bench.plan(**fields)
    assert part in str(refused.value)
    assert await bench.store.schedules(ADA.team) == []


async def test_a_file_that_is_missing_today_is_refused_unless_it_is_named_after_the_run(bench: Bench) -> None:
    """`calls-{date}.jsonl` comes with its day; `calls.jsonl` has to be there."""
    with pytest.raises(DataError):
        await bench.plan(data={"data": "calls.jsonl"}, **SESTEK)
    await bench.plan(data={"data": "calls-{date}.jsonl"}, **SESTEK)
    await bench.plan("tue 09:00", "k2", **SESTEK)


async def test_one_person_and_one_channel_have_so_many(bench: Bench) -> None:
    """Those that ended do not count."""
    bench.deps = replace(bench.deps, limits=replace(bench.limits, caps=Caps(schedules=1, schedules_here=2)))
    await bench.planned()
    with pytest.raises(RefusedError, match="RECURRING_PER_PERSON"):
        await bench.plan("tue 09:00", "k2")
    await bench.plan("tue 09:00", "k3", actor=BORA)
    with pytest.raises(RefusedError, match="RECURRING_PER_CHANNEL"):
        await bench.plan("tue 09:00", "k4", actor=replace(BORA, user="U0CHIE"))
    [mine] = await bench.store.schedules(ADA.team, user=ADA.user)
    await stop_recurring(bench.deps, mine.id, ADA)
    await bench.plan("wed 09:00", "k5")


async def test_a_mark_that_nothing_fills_is_refused(bench: Bench) -> None:
    """`every=` was forgotten: nothing starts under a name with a mark in it."""
    with pytest.raises(UsageError, match="is filled in only with `every=`"):
        await request_training(bench.deps, a_wish("k1", provider="deepopinion", model=REVIEWS["name"], params=REVIEWS))
    assert await bench.jobs() == []


async def test_two_presses_at_once_stop_it_once(bench: Bench) -> None:
    """One stops it, the other reads that it has ended; a plan that never ran is not said to have run."""
    await bench.planned()
    schedule = await bench.schedule()
    both = await asyncio.gather(*(stop_recurring(bench.deps, schedule.id, ADA) for _ in range(2)))
    assert sorted(("Stopped" in one.text, "has ended already" in one.text) for one in both) == [
        (False, True),
        (True, False),
    ]
    [line] = [one for one in await bench.told() if "stopped" in one]
    assert line.endswith("It has not run; no run starts.")


async def test_who_may_not_start_may_not_plan(bench: Bench) -> None:
    """The rules for starts hold, and what they refuse is on record."""
    bench.policy = only_bora()
    with pytest.raises(RefusedError):
        await bench.plan()
    assert (await last_record(bench)).kind == AuditKind.DENIED


def only_bora() -> Policy:
    rule = Rule(name="bora alone", askers=(BORA.user,), needed=0)
    return Policy(clauses=(Clause(rule=rule, acts=frozenset({Act.START})), *Policy().clauses))


async def last_record(bench: Bench) -> Any:
    return await bench.store.latest()


# -- its time ---------------------------------------------------------------------------------------------------------


async def test_each_planned_time_is_an_ordinary_training(bench: Bench) -> None:
    """Under the name of its day and the name of who planned it, with its number on record."""
    await bench.planned()
    await bench.tick(MONDAY - timedelta(minutes=1))
    assert await bench.jobs() == []
    await bench.tick(MONDAY)
    [first] = await bench.jobs()
    await bench.ended(first)
    await bench.tick(MONDAY + WEEK)
    assert await bench.names() == ["reviews-2026-11-23", "reviews-2026-11-30"]
    [_, second] = await bench.jobs()
    assert (second.request.actor, second.place, second.state) == (ADA, HERE, JobState.CHECKING)
    assert second.request.run is not None
    assert (second.request.run.number, second.request.run.planned_at) == (2, MONDAY + WEEK)
    [birth] = await bench.store.transitions(second.id)
    assert "Run 2 of" in birth.reason


async def test_the_card_of_the_latest_run_says_when_the_next_is_and_ends_it(bench: Bench) -> None:
    """Those of earlier runs say which run they were, and nothing that time has overtaken."""
    await bench.planned()
    await bench.tick(MONDAY)
    [first] = await bench.jobs()
    [note, *_] = (await card(bench.deps, first)).notes
    assert note.endswith("every mon 09:00 (Europe/Istanbul): next Mon 2026-11-30 09:00.")
    await bench.ended(first)
    await bench.tick(MONDAY + WEEK)
    [_, second] = await bench.jobs()
    shown = [await card(bench.deps, job) for job in (first, second)]
    assert [one.notes[0].partition(" of")[0] for one in shown] == ["Run 1", "Run 2"]
    assert ["next" in one.notes[0] for one in shown] == [False, True]
    assert ["Stop recurring" in [button.label for button in one.buttons] for one in shown] == [False, True]
    await stop_recurring(bench.deps, (await bench.schedule()).id, ADA)
    [note, *_] = (await card(bench.deps, second)).notes
    assert note.endswith(": ended.")


async def test_a_tick_that_comes_twice_starts_one(bench: Bench) -> None:
    """Two ticks that read the same turn, as two processes may: whoever writes first has it."""
    await bench.planned()
    bench.now = MONDAY
    schedule = await bench.schedule()
    await asyncio.gather(*(recur(bench.deps, schedule) for _ in range(3)))
    assert await bench.names() == ["reviews-2026-11-23"]
    assert (await bench.schedule()).runs == 1
    assert len(await bench.told()) == 1, "nothing was told to be skipped"


async def test_a_restart_starts_no_second(bench: Bench) -> None:
    """What was done is done, and what was leased is due again."""
    await bench.planned()
    await bench.tick(MONDAY)
    await recover(bench.deps)
    await bench.tick(MONDAY + timedelta(seconds=1))
    assert await bench.names() == ["reviews-2026-11-23"]
    await bench.store.claim_schedules(MONDAY + WEEK, MONDAY + WEEK + timedelta(days=1), 5)
    [job] = await bench.jobs()
    await bench.ended(job)
    await recover(bench.deps)
    await bench.tick(MONDAY + WEEK)
    assert len(await bench.names()) == 2, "a lease of the former process holds nothing up"


async def test_a_late_run_is_made_up_once(bench: Bench) -> None:
    """Three daily times went by, the last three hours ago: one training, and a line about the others."""
    await bench.planned("day 09:00")
    await bench.tick(MONDAY + timedelta(hours=3))
    assert await bench.names() == ["reviews-2026-11-23"]
    [_, line] = await bench.told()
    assert "2 planned times went by" in line
    await bench.tick(MONDAY + timedelta(hours=4))
    assert len(await bench.jobs()) == 1


async def test_a_run_that_is_too_late_is_skipped_and_said(bench: Bench) -> None:
    """Nobody wants Monday's training on Tuesday."""
    await bench.planned()
    await bench.tick(MONDAY + timedelta(hours=7))
    assert await bench.jobs() == []
    [_, line] = await bench.told()
    for part in (
        "the run of Mon 2026-11-23 09:00 was skipped",
        "6 hours at most",
        "The next is on Mon 2026-11-30 09:00",
    ):
        assert part in line
    await bench.tick(MONDAY + WEEK)
    [job] = await bench.jobs()
    assert job.request.run is not None
    assert job.request.run.number == 1, "what was skipped is no run"


async def test_runs_do_not_pile_up(bench: Bench) -> None:
    """As long as the former lives, or waits for a decision, the next is skipped with a line."""
    await bench.planned()
    await bench.tick(MONDAY)
    await bench.tick(MONDAY + WEEK)
    [job] = await bench.jobs()
    assert f"`{job.id}`, has not ended" in (await bench.told())[-1]
    await bench.ended(job)
    await bench.tick(MONDAY + 2 * WEEK)
    assert await bench.names() == ["reviews-2026-11-23", "reviews-2026-12-07"]


async def test_what_stands_in_the_way_of_a_command_does_here(bench: Bench) -> None:
    """A service that trains a model once at a time, and a person who has as many as one may."""
    await bench.planned(**SESTEK)
    await bench.tick(MONDAY)
    await bench.planned("mon 10:00", key="k2", actor=BORA, **SESTEK)
    await bench.tick(MONDAY + WEEK + timedelta(hours=1))
    skipped = [line for line in await bench.told() if "skipped" in line]
    assert any("once at a time" in line for line in skipped)
    assert len(await bench.jobs()) == 1


async def test_a_service_that_went_away_is_said_and_the_plan_is_kept(bench: Bench) -> None:
    """Its credentials may be back by the next time."""
    await bench.planned()
    bench.deps = replace(bench.deps, providers=Registry({}, {}))
    await bench.tick(MONDAY)
    assert "was skipped" in (await bench.told())[-1]
    assert (await bench.schedule()).state is ScheduleState.ACTIVE


async def test_a_file_that_is_gone_is_said(bench: Bench) -> None:
    """And the next run looks again."""
    await bench.planned(**SESTEK)
    (bench.folder / "my-model.jsonl").unlink()
    await bench.tick(MONDAY)
    assert "was skipped" in (await bench.told())[-1]
    (bench.folder / "my-model.jsonl").write_text("{}")
    await bench.tick(MONDAY + WEEK)
    assert await bench.names() == ["my-model"]


# -- the end ----------------------------------------------------------------------------------------------------------


async def test_who_lost_the_right_starts_nothing_more(bench: Bench) -> None:
    """The rules of the moment count; it ends, and the channel is told once."""
    await bench.planned()
    bench.policy = only_bora()
    await bench.tick(MONDAY)
    await bench.tick(MONDAY + WEEK)
    assert await bench.jobs() == []
    assert (await bench.schedule()).state is ScheduleState.ENDED
    [_, line] = await bench.told()
    assert "may not start this training any more by the rule “bora alone”" in line


async def test_who_left_starts_nothing_more(bench: Bench) -> None:
    """An account of the past asks for nothing."""
    await bench.planned()
    bench.slack.has_left = True
    await bench.tick(MONDAY)
    assert await bench.jobs() == []
    assert "has left the workspace" in (await bench.told())[-1]


async def test_who_planned_it_stops_it_and_the_record_says_so(bench: Bench) -> None:
    """At once, also while it is asked for at this moment; a run that lives goes on."""
    await bench.planned()
    await bench.tick(MONDAY)
    schedule, [job] = await bench.schedule(), await bench.jobs()
    said = await stop_recurring(bench.deps, schedule.id, ADA)
    assert f"`{job.id}`, goes on" in said.text
    assert f"<@{ADA.user}> stopped" in (await bench.told())[-1]
    record = await last_record(bench)
    assert (record.kind, record.user, record.told()["step"]) == (AuditKind.PLANNED, ADA.user, "ended")
    bench.now = MONDAY + WEEK
    await recur(bench.deps, replace(schedule, next_at=MONDAY + WEEK))
    assert len(await bench.jobs()) == 1, "a turn that began before the stop writes nothing"
    assert "has ended already" in (await stop_recurring(bench.deps, schedule.id, ADA)).text


async def test_only_who_planned_it_or_an_approver_stops_it(bench: Bench) -> None:
    """Somebody else reads why not; another workspace knows nothing of it."""
    await bench.planned()
    schedule = await bench.schedule()
    with pytest.raises(RefusedError, match="an approver can stop it"):
        await stop_recurring(bench.deps, schedule.id, BORA)
    with pytest.raises(RefusedError, match="no such recurring training"):
        await stop_recurring(bench.deps, schedule.id, replace(ADA, team="T0ELSE"))
    rule = Rule(approvers=(BORA.user,), askers=("everybody",), needed=0)
    bench.policy = Policy(clauses=(Clause(rule=rule),))
    assert "Stopped" in (await stop_recurring(bench.deps, schedule.id, BORA)).text


async def test_a_restored_database_starts_nothing_by_itself(bench: Bench) -> None:
    """What ran since the backup is not known there."""
    await bench.planned()
    await distrust(bench.deps, FRIDAY)
    assert (await bench.schedule()).state is ScheduleState.ENDED
    assert "Restored from a backup" in (await bench.told())[-1]
    await bench.tick(MONDAY)
    assert await bench.jobs() == []


async def test_the_home_tab_lists_it_with_its_button(bench: Bench) -> None:
    """For who planned it; others see it without."""
    await bench.planned()
    pages = {}
    for actor in (ADA, BORA):
        await open_home(bench.deps, actor)
        visit = await bench.store.visit(actor.user)
        assert visit is not None
        pages[actor.user] = await home_page(bench.deps, visit)
    assert [one.may_stop for one in pages[ADA.user].recurring] == [True]
    assert [one.may_stop for one in pages[BORA.user].recurring] == [False]
    assert pages[ADA.user].recurring_count == 1


async def test_an_answer_is_owed_for_half_an_hour(bench: Bench) -> None:
    """Its address is a secret, and is not kept longer."""
    bench.slack.error = MessengerBusyError("Slack cannot be reached.", retry_after=2)
    await bench.planned()
    schedule = await bench.schedule()
    assert await bench.store.answer_url(schedule.id)
    await bench.store.forget_urls(FRIDAY + timedelta(minutes=31))
    assert await bench.store.answer_url(schedule.id) == ""
