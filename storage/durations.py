"""What each training took, for the forecasts of later ones."""

from sqlite_utils import Database

from bot.domain.changes import Change
from bot.domain.forecast import ALIKE, MOST, Earlier
from bot.domain.jobs import Event, Job
from storage.rows import Row, readable, to_earlier
from storage.statements import first, insert, listed, rows

STARTED = listed([Event.ACCEPT, Event.FIND])
TRAINED = listed([Event.OFFER, Event.FINISH])

TABLES = (
    """CREATE TABLE durations (
        job_id TEXT PRIMARY KEY REFERENCES jobs (id), team TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
        size INTEGER, took INTEGER NOT NULL, ended_at INTEGER NOT NULL)""",
    "CREATE INDEX durations_alike ON durations (team, provider, size)",
)
"""`size` of the data in bytes, NULL without any; `took` in milliseconds."""

FROM_MOVES = f"""INSERT INTO durations
    SELECT jobs.id, jobs.team, jobs.provider, jobs.model,
           CASE WHEN json_valid(jobs.plan) THEN jobs.plan ->> '$.payload.size' END, ended.at - began.at, ended.at
    FROM transitions AS ended JOIN jobs ON jobs.id = ended.job_id JOIN transitions AS began ON began.job_id = jobs.id
    WHERE ended.event IN ({TRAINED}) AND ended.at >= began.at AND began.event = '{Event.ACCEPT}' AND began.seq = (
        SELECT max(seq) FROM transitions WHERE job_id = jobs.id AND seq < ended.seq AND event IN ({STARTED}))
    GROUP BY jobs.id"""
"""What is known of the trainings of a database that did not keep this yet."""


def add(db: Database, change: Change) -> None:
    """Keep what a training took that was just seen trained; nothing where its acceptance was not seen."""
    move, job = change.transition, change.job
    if move is None or move.event not in (Event.OFFER, Event.FINISH):
        return
    sql = f"""SELECT event, :at - at AS took FROM transitions
              WHERE job_id = :job AND event IN ({STARTED}) ORDER BY seq DESC LIMIT 1"""
    ended_at = round(move.at.timestamp() * 1000)
    began = first(db, sql, {"job": job.id, "at": ended_at})
    if began and began["event"] == Event.ACCEPT and began["took"] >= 0:
        row = {"took": began["took"], "ended_at": ended_at, **_alike(job), "job_id": job.id}
        insert(db, "durations", row, or_ignore=True)


def earlier(db: Database, job: Job) -> list[Earlier]:
    """The latest trainings of the same team at the same service with about as much data, those of its model first.

    Without data, one training tells of another only where both are of the same model.
    """
    wanted = _alike(job)
    alike = "model = :model AND size IS NULL"
    if wanted["size"] is not None:
        alike = f"size BETWEEN :size / {ALIKE} AND :size * {ALIKE}"
    found = rows(
        db,
        f"""SELECT took, model = :model AS is_same_model FROM durations
            WHERE team = :team AND provider = :provider AND {alike}
            ORDER BY is_same_model DESC, ended_at DESC LIMIT {MOST}""",
        wanted,
    )
    return readable(to_earlier, found)


def _alike(job: Job) -> Row:
    payload = job.plan.payload if job.plan else None
    request = job.request
    return {
        "team": request.actor.team,
        "provider": request.provider,
        "model": request.model,
        "size": payload.size if payload else None,
    }
