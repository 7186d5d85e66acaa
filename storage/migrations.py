"""The tables, step by step. A migration that was released is never edited: a later one follows it.

Times are integers: milliseconds since the epoch, UTC. Values that are only read whole are JSON.
"""

import json

from sqlite_utils import Database, Migrations

from storage import durations
from storage.attention import TABLES as ATTENTION_TABLES
from storage.audit import TABLES as AUDIT_TABLES
from storage.audit import begin
from storage.rows import searched
from storage.statements import rows, update

migrations = Migrations("switchyard")


@migrations()
def m001_first_tables(db: Database) -> None:
    """Jobs with their moves, prompts, the outbox, and what must survive a restart besides."""
    for statement in _FIRST_TABLES:
        db.execute(statement)


@migrations()
def m002_words_to_search(db: Database) -> None:
    """The words of a job by which the history finds it, in one case; SQLite's own lower() knows ASCII alone."""
    db.execute("ALTER TABLE jobs ADD COLUMN searched TEXT NOT NULL DEFAULT ''")
    for row in rows(db, "SELECT id, model, request FROM jobs WHERE json_valid(request)"):
        wish = json.loads(row["request"])
        words = searched(row["id"], row["model"], wish.get("params", {}), wish.get("data", {}))
        update(db, "jobs", {"searched": words}, "id = :id", id=row["id"])


@migrations()
def m003_audit_log(db: Database) -> None:
    """The audit log and its anchors. Its first row covers the moves that were kept before it."""
    for statement in AUDIT_TABLES:
        db.execute(statement)
    begin(db)


@migrations()
def m004_asks_of_a_minute(db: Database) -> None:
    """Who sent how many commands lately, by delivery, so that the limit holds over a restart."""
    db.execute("CREATE TABLE asks (key TEXT PRIMARY KEY, user TEXT NOT NULL, at INTEGER NOT NULL)")
    db.execute("CREATE INDEX asks_user ON asks (user, at)")


@migrations()
def m005_homes(db: Database) -> None:
    """Who opened the Home tab when, and the ways to what it shows in a long history."""
    db.execute("CREATE TABLE homes (user TEXT PRIMARY KEY, opened_at INTEGER NOT NULL, visit TEXT NOT NULL)")
    db.execute("CREATE INDEX homes_opened ON homes (opened_at)")
    db.execute("CREATE INDEX jobs_states ON jobs (state, team, user, created_at)")
    db.execute("CREATE INDEX jobs_moved ON jobs (state_at)")


@migrations()
def m006_changes_of_groups(db: Database) -> None:
    """How often a group was told to have changed, so that no answer from before is taken for the new members."""
    db.execute("ALTER TABLE groups ADD COLUMN changes INTEGER NOT NULL DEFAULT 0")


@migrations()
def m007_people(db: Database) -> None:
    """What Slack tells of somebody: the time zone."""
    db.execute("CREATE TABLE people (id TEXT PRIMARY KEY, person TEXT NOT NULL)")


@migrations()
def m008_identity(db: Database) -> None:
    """Who Slack said that the bot is, for which token (by its digest); one row at most."""
    db.execute("CREATE TABLE identity (token TEXT PRIMARY KEY, identity TEXT NOT NULL)")


@migrations()
def m009_durations(db: Database) -> None:
    """What each training took, beside its provider, model and the size of its data."""
    for statement in durations.TABLES:
        db.execute(statement)
    db.execute(durations.FROM_MOVES)


@migrations()
def m010_attention(db: Database) -> None:
    """Who follows what, and when somebody is not to be called."""
    for statement in ATTENTION_TABLES:
        db.execute(statement)


@migrations()
def m011_pace_of_edits(db: Database) -> None:
    """When messages were edited last, so that a restart is no reason for a burst."""
    times = "spent_until INTEGER NOT NULL, paused_until INTEGER NOT NULL"
    db.execute(f"CREATE TABLE paces (name TEXT PRIMARY KEY, {times})")


@migrations()
def m012_data_of_trainings(db: Database) -> None:
    """The file of each training, worked out of its plan, and the way from a file to its trainings."""
    db.execute(
        """ALTER TABLE jobs ADD COLUMN data_sha256 TEXT GENERATED ALWAYS AS (
            CASE WHEN typeof(plan) = 'text' AND json_valid(plan) THEN plan ->> '$.payload.sha256' END) VIRTUAL"""
    )
    db.execute(
        """CREATE INDEX jobs_data ON jobs (data_sha256, provider, model, team, created_at, id)
           WHERE data_sha256 IS NOT NULL"""
    )


@migrations()
def m013_schedules(db: Database) -> None:
    """Trainings that are asked for again and again; `act_at` is when one has its turn."""
    db.execute(
        """CREATE TABLE schedules (
            id TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL, team TEXT NOT NULL,
            user TEXT NOT NULL, place TEXT NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL,
            next_at INTEGER, act_at INTEGER,
            version INTEGER NOT NULL, url TEXT NOT NULL, schedule TEXT NOT NULL)"""
    )
    db.execute("CREATE INDEX schedules_due ON schedules (act_at) WHERE act_at IS NOT NULL")


@migrations()
def m014_reasons_in_other_languages(db: Database) -> None:
    """What the reason of a move is made of, as JSON, where it can be said in another language."""
    db.execute("ALTER TABLE transitions ADD COLUMN said TEXT")


_FIRST_TABLES = (
    """CREATE TABLE jobs (
        id TEXT PRIMARY KEY, provider TEXT NOT NULL, model TEXT NOT NULL, state TEXT NOT NULL, previous TEXT,
        version INTEGER NOT NULL, team TEXT NOT NULL, user TEXT NOT NULL, place TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        created_at INTEGER NOT NULL, state_at INTEGER NOT NULL, act_at INTEGER, remote_id TEXT,
        request TEXT NOT NULL, plan TEXT, claim TEXT, switch TEXT, look TEXT NOT NULL)""",
    "CREATE INDEX jobs_due ON jobs (state, act_at) WHERE act_at IS NOT NULL",
    "CREATE INDEX jobs_same ON jobs (fingerprint, created_at)",
    "CREATE INDEX jobs_model ON jobs (provider, model, state)",
    "CREATE INDEX jobs_place ON jobs (place, created_at)",
    "CREATE INDEX jobs_user ON jobs (user, created_at)",
    "CREATE INDEX jobs_age ON jobs (created_at)",
    """CREATE TABLE requests (
        key TEXT PRIMARY KEY, at INTEGER NOT NULL, asked TEXT NOT NULL, job_id TEXT NOT NULL REFERENCES jobs (id),
        request TEXT NOT NULL, url TEXT NOT NULL)""",
    "CREATE INDEX requests_job ON requests (job_id)",
    """CREATE TABLE transitions (
        job_id TEXT NOT NULL REFERENCES jobs (id), seq INTEGER NOT NULL, at INTEGER NOT NULL,
        old TEXT, new TEXT NOT NULL,
        event TEXT, team TEXT NOT NULL, user TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (job_id, seq))""",
    """CREATE TRIGGER transitions_stay BEFORE UPDATE ON transitions
        BEGIN SELECT RAISE(ABORT, 'transitions are append-only'); END""",
    """CREATE TRIGGER transitions_remain BEFORE DELETE ON transitions
        BEGIN SELECT RAISE(ABORT, 'transitions are append-only'); END""",
    """CREATE TABLE prompts (
        id TEXT PRIMARY KEY, job_id TEXT NOT NULL REFERENCES jobs (id), outcome TEXT NOT NULL,
        asked_at INTEGER NOT NULL, prompt TEXT NOT NULL)""",
    "CREATE INDEX prompts_job ON prompts (job_id, asked_at)",
    "CREATE INDEX prompts_open ON prompts (outcome) WHERE outcome = 'open'",
    """CREATE TABLE notices (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
        lane TEXT NOT NULL, job_id TEXT REFERENCES jobs (id), channel TEXT NOT NULL, body TEXT NOT NULL,
        state TEXT NOT NULL, try_at INTEGER NOT NULL, taken_at INTEGER, attempts INTEGER NOT NULL,
        first_tried_at INTEGER, in_doubt INTEGER NOT NULL, sent_ts TEXT, sent_to TEXT NOT NULL, error TEXT NOT NULL)""",
    "CREATE INDEX notices_waiting ON notices (lane, number) WHERE state IN ('pending', 'held')",
    "CREATE INDEX notices_due ON notices (try_at) WHERE state = 'pending'",
    "CREATE TABLE groups (id TEXT PRIMARY KEY, members TEXT NOT NULL, read_at INTEGER, failing_since INTEGER)",
    """CREATE TABLE clicks (
        id TEXT PRIMARY KEY, prompt_id TEXT NOT NULL, user TEXT NOT NULL, click TEXT NOT NULL,
        UNIQUE (prompt_id, user))""",
    "CREATE TABLE health (provider TEXT PRIMARY KEY, health TEXT NOT NULL)",
    "CREATE TABLE inquiries (id TEXT PRIMARY KEY, act_at INTEGER NOT NULL, inquiry TEXT NOT NULL)",
)
