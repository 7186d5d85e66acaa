"""The Home tabs in the store: for whom a change draws one, what one shows, and that a long history costs nothing."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from bot.domain.approvals import Group
from bot.domain.changes import Notice, NoticeKind, Say
from bot.domain.jobs import Event, JobState
from bot.domain.requests import Actor
from bot.ports import Visit
from storage import homes
from storage.store import SqliteStore
from tests.contract.samples import ADA, BORA, NOW, a_job, a_notice, a_prompt, a_redraw, a_wish, at, birth, step

LIMITS = {"mine": 15, "others": 15, "ended": 8, "schedules": 8}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path / "switchyard.db")
    await made.open()
    yield made
    await made.close()


def drawing(key: str = "h", actor: Actor = BORA, when: datetime = NOW) -> Notice:
    return a_notice(key, f"home:{actor.user}", NoticeKind.HOME, body={"user": actor.user}, try_at=when)


async def visit(store: SqliteStore, actor: Actor = BORA, when: datetime = NOW, **fields: Any) -> None:
    """Open the tab and draw it."""
    await store.keep_visit(Visit(actor=actor, opened_at=when, **fields), drawing(f"{actor.user} {when}", actor, when))
    for one in await store.take_notices(when, 99):
        if one.kind is NoticeKind.HOME:
            await store.published(one, "as drawn")


async def draws(store: SqliteStore, when: datetime) -> list[tuple[str, bool]]:
    """For whom something is drawn at that time, whoever else is told something."""
    taken = await store.take_notices(when, 99)
    return [(str(one.body["user"]), one.in_doubt) for one in taken if one.kind is NoticeKind.HOME]


async def ask(store: SqliteStore, *changes: Any) -> None:
    for change in changes:
        await store.request(change, same_since=NOW, is_exclusive=False)


# -- for whom it is drawn ---------------------------------------------------------------------------------------------


async def test_what_is_drawn_in_a_conversation_is_drawn_on_open_tabs(store: SqliteStore) -> None:
    """A card, a question or an edit changes what a tab shows; several that come close are drawn once."""
    await visit(store)
    await ask(store, birth(a_job(), a_notice("card", "j1", NoticeKind.CARD, job_id="j1", try_at=at(seconds=1))))
    await store.tell([a_redraw("r", "other", try_at=at(seconds=2)), a_notice("line", try_at=at(seconds=2))])
    assert await draws(store, at(seconds=3)) == []
    assert await draws(store, at(seconds=5)) == [(BORA.user, False)]
    assert await draws(store, at(seconds=60)) == []


async def test_a_line_alone_draws_nothing(store: SqliteStore) -> None:
    """What a thread is told besides is no part of the tab."""
    await visit(store)
    await store.tell([a_notice("line", try_at=at(seconds=1))])
    assert await draws(store, at(seconds=60)) == []


@pytest.mark.parametrize(("minutes", "count"), [(9, 1), (10, 0)])
async def test_a_tab_is_followed_for_ten_minutes(store: SqliteStore, minutes: int, count: int) -> None:
    """Nobody says when a tab is closed."""
    await visit(store)
    await store.tell([a_redraw("r", "card", try_at=at(minutes=minutes))])
    assert len(await draws(store, at(minutes=30))) == count


async def test_many_open_tabs_are_drawn_less_often_each(store: SqliteStore) -> None:
    """Slack takes so many pages a minute of the whole app, and a press shall not wait behind them."""
    for number in range(20):
        await visit(store, Actor(team="T0YARD", user=f"U{number}"))
    await store.tell([a_redraw("r", "card")])
    assert await draws(store, at(seconds=39)) == []
    await store.keep_visit(Visit(actor=BORA, opened_at=at(seconds=39)), drawing("now", when=at(seconds=39)))
    assert await draws(store, at(seconds=39)) == [(BORA.user, False)]
    assert len(await draws(store, at(seconds=40))) == 20


async def test_one_that_waits_stands_for_all_and_goes_out_at_the_earliest_time(store: SqliteStore) -> None:
    """A press is answered at once, although a drawing for a change waits already."""
    await visit(store)
    await store.tell([a_redraw("r", "card", try_at=at(seconds=1))])
    await store.keep_visit(Visit(actor=BORA, opened_at=NOW, said=Say(text="Done.")), drawing("now", when=at(seconds=1)))
    assert await draws(store, at(seconds=1)) == [(BORA.user, False)]
    assert await draws(store, at(seconds=60)) == []


async def test_what_changes_while_it_is_drawn_is_drawn_afterwards(store: SqliteStore) -> None:
    """What is being rendered at this moment may lack it."""
    await store.keep_visit(Visit(actor=BORA, opened_at=NOW), drawing())
    [taken] = await store.take_notices(NOW, 9)
    await store.tell([a_redraw("r", "card", try_at=NOW)])
    assert await draws(store, at(seconds=10)) == []
    await store.published(taken, "as drawn")
    assert await draws(store, at(seconds=10)) == [(BORA.user, False)]


async def test_what_was_drawn_leaves_nothing_behind(store: SqliteStore) -> None:
    """A tab is drawn often, and no history is made of that; what it shows is known, so that it is not sent again."""
    await visit(store)
    assert await store.notice(f"{BORA.user} {NOW}") is None
    known = await store.visit(BORA.user)
    assert known is not None
    assert known.shown == "as drawn"
    assert await store.visit(ADA.user) is None


async def test_who_was_not_let_in_is_not_followed(store: SqliteStore) -> None:
    """They are told so, once."""
    await visit(store, is_shut=True)
    await store.tell([a_redraw("r", "card", try_at=at(seconds=1))])
    assert await draws(store, at(minutes=1)) == []


async def test_members_of_a_group_that_were_read_are_drawn(store: SqliteStore) -> None:
    """Who is in it decides what waits for whom; a group that cannot be read says nothing new."""
    await visit(store)
    await store.save_group(Group(id="S0OPS", failing_since=NOW))
    assert await draws(store, at(minutes=1)) == []
    await store.save_group(Group(id="S0OPS", members=frozenset({BORA.user}), read_at=at(minutes=1)))
    assert await draws(store, at(minutes=2)) == [(BORA.user, False)]


async def test_all_that_are_open_can_be_drawn(store: SqliteStore) -> None:
    """As after a change of the policy."""
    await visit(store)
    await visit(store, ADA, at(seconds=1))
    await store.draw_homes(at(seconds=2))
    assert await draws(store, at(minutes=1)) == [(BORA.user, False), (ADA.user, False)]


# -- what it is made of -----------------------------------------------------------------------------------------------


async def test_an_overview_tells_mine_from_others_and_the_living_from_the_ended(store: SqliteStore) -> None:
    """Newest first; the counts are of all there are; what another workspace has is not among them."""
    stranger = Actor(team="T0OTHER", user="U0ADA")
    running: dict[str, Any] = {"state": JobState.RUNNING, "act_at": None}
    for number in range(4):
        own = a_wish(f"m{number}", params={"n": number})
        await ask(store, birth(a_job(f"m{number}", request=own, created_at=at(seconds=number), **running)))
        wish = a_wish(f"o{number}", actor=BORA, params={"n": number})
        await ask(store, birth(a_job(f"o{number}", request=wish, created_at=at(seconds=number), **running)))
    await ask(store, birth(a_job("x", request=a_wish("x", actor=stranger), **running)))
    for number in range(3):
        ended = a_job(f"e{number}", JobState.FAILED, created_at=at(hours=-number), act_at=None)
        await ask(store, birth(replace(ended, state_at=at(minutes=number))))
    found = await store.overview(ADA, mine=2, others=3, ended=2)
    assert ([one.id for one in found.mine], found.mine_count) == (["m3", "m2"], 4)
    assert ([one.id for one in found.others], found.others_count) == (["o3", "o2", "o1"], 4)
    assert [one.id for one in found.ended] == ["e2", "e1"]


async def test_an_overview_holds_what_is_asked(store: SqliteStore) -> None:
    """Open questions with their trainings, oldest first; an answered one is gone."""
    await ask(store, birth(a_job("j1"), opens=[a_prompt("p2", asked_at=at(seconds=2)), a_prompt("p1")]))
    found = await store.overview(BORA, **LIMITS)
    assert [(prompt.id, job.id) for prompt, job in found.asked] == [("p1", "j1"), ("p2", "j1")]
    closed = replace(a_prompt("p1"), version=2, outcome=found.asked[0][0].outcome.EXPIRED)
    await store.apply([step(a_job("j1"), Event.PROPOSE, closes=[closed])])
    assert [prompt.id for prompt, _ in (await store.overview(BORA, **LIMITS)).asked] == ["p2"]


# -- a long history ---------------------------------------------------------------------------------------------------


async def lengthen(store: SqliteStore, count: int, id_: str = "old") -> None:
    """So many more rows like this one, each a little older."""

    def work(db: Database) -> None:
        columns = [column.name for column in db["jobs"].columns]
        picked = {"id": "id || n", "created_at": "created_at - n", "state_at": "state_at - n"}
        select = ", ".join(picked.get(name, name) for name in columns)
        numbers = "WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < :count) SELECT n FROM up"
        sql = f"INSERT INTO jobs ({', '.join(columns)}) SELECT {select} FROM jobs, ({numbers}) WHERE id = :id"
        db.execute(sql, {"count": count, "id": id_})

    await store._write(work)


async def steps(store: SqliteStore) -> int:
    """How many steps of SQLite's machine an overview takes, in hundreds."""

    def work(db: Database) -> int:
        counted = [0]

        def count() -> int:
            counted[0] += 1
            return 0

        db.conn.set_progress_handler(count, 100)
        homes.overview(db, ADA, LIMITS)
        db.conn.set_progress_handler(None, 100)
        return counted[0]

    return await store._read(work)


async def test_ten_thousand_that_have_ended_cost_no_step(store: SqliteStore) -> None:
    """Every list is found through an index, whatever lies behind it: of Ada's own history too."""
    await ask(store, birth(a_job("old", JobState.FAILED, act_at=None)))
    await ask(store, birth(a_job("new", JobState.RUNNING, created_at=at(hours=1), act_at=None)))
    await lengthen(store, 100)
    short = await steps(store)
    await lengthen(store, 9_900, "old100")
    assert len((await store.overview(ADA, **LIMITS)).ended) == 8
    assert await steps(store) <= short * 1.1


PLANS = {
    homes.MINE: r"SEARCH jobs USING COVERING INDEX jobs_states \(state=\? AND team=\? AND user=\?\)",
    homes.OTHERS: r"SEARCH jobs USING COVERING INDEX jobs_states \(state=\? AND team=\?\)",
    f"{homes.ENDED} ORDER BY state_at DESC LIMIT 8": "SCAN jobs USING INDEX jobs_moved",
    f"{homes.ASKED} ORDER BY prompts.asked_at": "prompts USING .*INDEX prompts_open.*\n.*SEARCH jobs USING",
}


@pytest.mark.parametrize("which", PLANS)
async def test_the_plans_are_those_that_were_meant(store: SqliteStore, which: str) -> None:
    """What is shown of the end of a history is read in the order of its index, and no further than it is shown."""
    columns = "rowid, created_at" if which in (homes.MINE, homes.OTHERS) else "jobs.*"
    sql, values = f"EXPLAIN QUERY PLAN SELECT {columns} {which}", {"team": "T", "user": "U"}
    found = await store._read(lambda db: [row[-1] for row in db.execute(sql, values).fetchall()])
    plan = "\n".join(found)
    assert re.search(PLANS[which], plan), plan
    assert ("ended" not in which and "state_at" not in which) or "TEMP B-TREE" not in plan
