"""Who follows what, who is not to be called, and the news that come of a change, written together with it."""

from collections.abc import Iterator, Sequence

from sqlite_utils import Database

from bot.domain.approvals import Prompt
from bot.domain.attention import Follow, Habits, News, news_of, news_of_question
from bot.domain.changes import Change, Notice, NoticeKind
from bot.domain.jobs import Job
from storage import outbox
from storage.rows import follow_row, habits_row, readable, to_follow, to_habits, to_notice
from storage.statements import first, insert, put, rows, update

TABLES = (
    """CREATE TABLE follows (
        id TEXT PRIMARY KEY, team TEXT NOT NULL, target TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
        topic TEXT NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL, UNIQUE (team, target, provider, model, topic))""",
    "CREATE INDEX follows_provider ON follows (team, provider)",
    "CREATE INDEX follows_by ON follows (by)",
    "CREATE TABLE habits (user TEXT PRIMARY KEY, habits TEXT NOT NULL)",
    "CREATE INDEX notices_kept ON notices (channel) WHERE state = 'kept'",
)


def tell(db: Database, change: Change) -> None:
    """Put the news of a change into the outbox: once for each who follows it, and for each whom its own message calls
    and who has habits; whether they are told is decided when it goes out."""
    for news in news_of(change):
        _tell(db, news)


def tell_question(db: Database, job: Job, prompt: Prompt) -> None:
    """The same for a question that is asked anew, without a move."""
    _tell(db, news_of_question(job, prompt))


def _tell(db: Database, news: News) -> None:
    for target in _targets(db, news):
        outbox.add(db, _notice(news, target))


def _targets(db: Database, news: News) -> tuple[str, ...]:
    sql = "SELECT * FROM follows WHERE team = :team AND provider IN ('', :provider) ORDER BY at, id"
    followed = news.targets(readable(to_follow, rows(db, sql, {"team": news.team, "provider": news.provider})))
    called = [user for user in news.calls if first(db, "SELECT 1 FROM habits WHERE user = :user", {"user": user})]
    return tuple(dict.fromkeys([*followed, *called]))


def _notice(news: News, target: str) -> Notice:
    key = f"news:{target}:{news.key}"
    return Notice(
        id=key,
        key=key,
        kind=NoticeKind.NEWS,
        lane=f"news:{target}",
        try_at=news.at,
        channel=target,
        body=news.body,
    )


def follow(db: Database, wish: Follow, most: int) -> bool:
    """Keep a wish; one that is kept already stays. False where the target has as many as it can have."""
    known = found(db, wish.team, target=wish.target)
    if any((one.about, one.topic) == (wish.about, wish.topic) for one in known):
        return True
    return len(known) < most and insert(db, "follows", follow_row(wish))


def found(db: Database, team: str, *, target: str = "", by: str = "") -> list[Follow]:
    """Those of a target, and those that somebody wished for any."""
    sql = """SELECT * FROM follows WHERE team = :team AND (target = :target OR (:by != '' AND by = :by))
             ORDER BY at, id"""
    return readable(to_follow, rows(db, sql, {"team": team, "target": target, "by": by}))


def unfollow(db: Database, ids: Sequence[str]) -> int:
    return sum(db.execute("DELETE FROM follows WHERE id = :id", {"id": id_}).rowcount for id_ in ids)


def habits_of(db: Database, users: Sequence[str]) -> dict[str, Habits]:
    return dict(_habits(db, users))


def _habits(db: Database, users: Sequence[str]) -> Iterator[tuple[str, Habits]]:
    for user in users:
        row = first(db, "SELECT * FROM habits WHERE user = :user", {"user": user})
        if row is not None:
            yield user, to_habits(row)


def keep_habits(db: Database, habits: Habits) -> None:
    if habits.mutes or habits.quiet:
        put(db, "habits", habits_row(habits))
    else:
        db.execute("DELETE FROM habits WHERE user = :user", {"user": habits.user})


def keep_news(db: Database, notice: Notice) -> None:
    """Held until the quiet hours of whom it is for are over; nothing else waits behind it."""
    update(db, "notices", {"state": "kept", "taken_at": None, "in_doubt": 0}, "id = :id", id=notice.id)


def kept(db: Database) -> list[Notice]:
    """Oldest first; nothing of a person for whom more is on its way, which may be kept as well."""
    sql = """SELECT * FROM notices AS k WHERE state = 'kept' AND NOT EXISTS (
             SELECT 1 FROM notices AS p WHERE p.lane = k.lane AND p.state = 'pending') ORDER BY number"""
    return readable(to_notice, rows(db, sql))


def digest(db: Database, notice: Notice, of: Sequence[Notice]) -> None:
    """One message instead of those; what is no longer kept was told by another."""
    collected = [update(db, "notices", {"state": "sent"}, "id = :id AND state = 'kept'", id=one.id) for one in of]
    if any(collected):
        outbox.add(db, notice)
