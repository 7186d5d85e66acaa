"""The Home tabs: who opened one lately, and everything that one shows, read in one go."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from bot.domain.changes import Notice, NoticeKind
from bot.domain.jobs import ENDS, Job, JobState
from bot.domain.requests import Actor
from bot.ports import Overview, Visit
from storage import schedules
from storage.rows import Row, readable, to_job, to_ms, to_prompt, to_visit, visit_row
from storage.statements import first, listed, put, rows

LATELY = timedelta(minutes=10)
"""A tab that was opened so long ago is drawn again when it is opened."""
PAUSE = timedelta(seconds=3)
"""Changes that come close together are drawn together."""
SHARE = timedelta(seconds=2)
"""Many open tabs are drawn less often each: Slack takes some 100 pages a minute of one app in a workspace, and whoever
opens a tab or presses something there comes first (https://docs.slack.dev/reference/methods/views.publish, tier 4)."""
DRAWN_BY = frozenset({NoticeKind.CARD, NoticeKind.PROMPT, NoticeKind.REDRAW})
"""What is told of a change to something that a Home tab shows."""

_ALIVE = f"state IN ({listed(frozenset(JobState) - ENDS)}) AND team = :team"
# Named, because the planner cannot know that of a long history few jobs are alive, and those that moved last few.
MINE = f"FROM jobs INDEXED BY jobs_states WHERE {_ALIVE} AND user = :user"
OTHERS = f"FROM jobs INDEXED BY jobs_states WHERE {_ALIVE} AND user != :user"
ENDED = f"FROM jobs INDEXED BY jobs_moved WHERE state IN ({listed(ENDS)}) AND team = :team"
ASKED = """FROM prompts INDEXED BY prompts_open JOIN jobs ON jobs.id = prompts.job_id
           WHERE prompts.outcome = 'open' AND jobs.team = :team"""


def keep(db: Database, visit: Visit) -> None:
    put(db, "homes", visit_row(visit))


def find(db: Database, user: str) -> Visit | None:
    row = first(db, "SELECT * FROM homes WHERE user = :user", {"user": user})
    return to_visit(row) if row else None


def note_shown(db: Database, user: str, shown: str) -> None:
    visit = find(db, user)
    if visit is not None:
        keep(db, replace(visit, shown=shown))


def redraws(db: Database, cause: Notice) -> list[Notice]:
    """A drawing of each tab that was opened lately, because of another notice."""
    return _drawings(db, cause.try_at, cause.id)


def drawings(db: Database, now: datetime) -> list[Notice]:
    """A drawing of each tab that was opened lately."""
    return _drawings(db, now, f"home:{to_ms(now)}")


def _drawings(db: Database, now: datetime, cause: str) -> list[Notice]:
    visits = _lately(db, now)
    at = now + max(PAUSE, len(visits) * SHARE)
    return [_drawing(visit.actor.user, at, f"{cause}:{visit.actor.user}") for visit in visits]


def _lately(db: Database, now: datetime) -> list[Visit]:
    found = rows(db, "SELECT * FROM homes WHERE opened_at > :since", {"since": to_ms(now - LATELY)})
    return [visit for visit in readable(to_visit, found) if not visit.is_shut]


def _drawing(user: str, at: datetime, id_: str) -> Notice:
    return Notice(id=id_, key=id_, kind=NoticeKind.HOME, lane=f"home:{user}", try_at=at, body={"user": user})


def overview(db: Database, actor: Actor, limits: Mapping[str, int]) -> Overview:
    """See `bot.ports.Store.overview`; `limits` are the lengths of the lists."""
    values = {"team": actor.team, "user": actor.user}
    asked = rows(db, f"SELECT jobs.*, prompts.prompt AS prompt {ASKED} ORDER BY prompts.asked_at", values)
    return Overview(
        asked=tuple(readable(lambda row: (to_prompt(row), to_job(row)), asked)),
        mine=_newest(db, MINE, {**values, "limit": limits["mine"]}),
        mine_count=_count(db, MINE, values),
        others=_newest(db, OTHERS, {**values, "limit": limits["others"]}),
        others_count=_count(db, OTHERS, values),
        schedules=tuple(schedules.listed(db, actor.team, "", "", limits["schedules"])),
        schedule_count=schedules.count(db, actor.team),
        ended=_jobs(db, f"SELECT * {ENDED} ORDER BY state_at DESC LIMIT :limit", {**values, "limit": limits["ended"]}),
    )


def _newest(db: Database, which: str, values: Mapping[str, Any]) -> tuple[Job, ...]:
    # The index is sorted and cut first, so that of a long list only the rows that are shown are read.
    wanted = f"SELECT rowid {which} ORDER BY created_at DESC LIMIT :limit"
    return _jobs(db, f"SELECT * FROM jobs WHERE rowid IN ({wanted}) ORDER BY created_at DESC, id", values)


def _jobs(db: Database, sql: str, values: Mapping[str, Any]) -> tuple[Job, ...]:
    found: list[Row] = rows(db, sql, values)
    return tuple(readable(to_job, found))


def _count(db: Database, which: str, values: Mapping[str, Any]) -> int:
    row = first(db, f"SELECT count(*) AS number {which}", values)
    return int(row["number"]) if row else 0
