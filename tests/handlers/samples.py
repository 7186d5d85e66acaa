"""What the engine hands to the edge, with one text in the place of everything that comes from outside."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from bot.domain.approvals import ANSWERS, GATES, Answer, Outcome, Prompt, Subject, Vote
from bot.domain.attention import About, Follow, Habits, Mute, Topic, Wishes
from bot.domain.balances import weigh
from bot.domain.changes import Button
from bot.domain.charts import durations, scoreboard, spells_of
from bot.domain.contents import Card, Content, Digest, Line, Note, Question, Reminder, Told
from bot.domain.forecast import Forecast
from bot.domain.history import Story
from bot.domain.jobs import ENDS, Event, Job, JobState, Look, Phase, RemoteStatus, Transition
from bot.domain.policy import Quiet, Rule
from bot.domain.recurring import Schedule, parse_every
from bot.domain.requests import Actor, Payload, Plan, TrainRequest
from handlers.marks import foreign as safe
from handlers.views import charts, forms, history
from handlers.views.blocks import Message
from handlers.views.wishes import listed
from handlers.views.wishes_form import wishes_form

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
ADA, BORA, CHIE = (Actor(team="T0SWITCHYD", user=user) for user in ("U0ADA00001", "U0BORA0001", "U0CHIE0001"))
RULE = Rule(approvers=(BORA.user, "S0MLOPS001"))
OURS = (
    r"<@U0(?:ADA0000|BORA000|CHIE000|ABSENT0)1>|<#C0ALARM001>|<!subteam\^S0(?:MLOPS|LEADS)001>|"
    r"<!date\^[0-9]+\^\{date_short_pretty\} \{time\}\|[0-9: -]+ UTC>"
)
"""Every mark that the samples below may bring into a message."""


def plan(foreign: str = "my-model", lines: int = 3) -> Plan:
    payload = Payload(
        name=foreign,
        sha256="3f" * 32,
        size=1234,
        rows=56_789,
        facts={"labels": foreign},
        warnings=(foreign, foreign),
        balances=(
            weigh(foreign, {f"{foreign} {number}": number for number in range(1, 61)}, is_label=True),
            weigh(foreign, {foreign: 3, "": 2}, part="eval"),
        ),
    )
    summary = tuple((f"{foreign} {number}", foreign) for number in range(lines))
    return Plan(provider="sestek", model=foreign, body={}, summary=summary, payload=payload)


def status(foreign: str = "Training", **fields: Any) -> RemoteStatus:
    seen: dict[str, Any] = {
        "phase": Phase.RUNNING,
        "word": foreign,
        "detail": foreign,
        "progress": 42.0,
        "metrics": {foreign: foreign, "loss": 0.5},
        "parts": ((foreign, foreign), ("pop", "learning")),
    }
    return RemoteStatus(**{**seen, **fields})


def job(state: JobState = JobState.RUNNING, foreign: str = "my-model", **fields: Any) -> Job:
    request = TrainRequest(request_key="k1", provider="sestek", model=foreign, actor=ADA, channel="C0TRAIN001")
    made: dict[str, Any] = {
        "id": "j2345ab",
        "request": request,
        "state": state,
        "created_at": AT,
        "state_at": AT,
        "place": "C0TRAIN001",
        "plan": plan(foreign),
        "remote_id": foreign,
        "look": Look(status=status(foreign), error=foreign),
    }
    return Job(**{**made, **fields})


def move(new: JobState = JobState.RUNNING, reason: str = "", **fields: Any) -> Transition:
    made: dict[str, Any] = {"old": JobState.QUEUED, "seq": 2, "at": AT, "event": None, "actor": BORA}
    return Transition(job_id="j2345ab", new=new, reason=reason, **{**made, **fields})


def prompt(subject: Subject = Subject.PROMOTE, **fields: Any) -> Prompt:
    made: dict[str, Any] = {"rule": RULE, "asked_at": AT, "expires_at": AT + timedelta(days=7)}
    return Prompt(id="p1", job_id="j2345ab", subject=subject, digest="d" * 64, **{**made, **fields})


def question(asked: Prompt, foreign: str = "my-model", facts: int = 4) -> Question:
    lines = tuple((f"{foreign} {number}", foreign) for number in range(facts))
    return Question(prompt=asked, job=job(foreign=foreign), title="Sestek Knovvu ML", facts=lines, consequence=foreign)


def prompts(foreign: str = "a reason") -> Iterator[Prompt]:
    """Every subject, open, answered in each way, expired and withdrawn."""
    for subject in Subject:
        yield prompt(subject)
        yield prompt(subject, rule=Rule())
        yield prompt(subject, outcome=Outcome.EXPIRED)
        yield prompt(subject, outcome=Outcome.WITHDRAWN, reason=foreign)
        for answer in ANSWERS[subject]:
            yield prompt(subject, outcome=Outcome.ANSWERED, answer=answer, actor=BORA, reason=foreign)


def halfway(foreign: str = "a reason") -> Iterator[Prompt]:
    """A question that takes three approvals, with two; open, answered, taken back, and with the second group called."""
    second = ("S0LEADS001", "C0ALARM001")
    rule = replace(RULE, name="production", needed=3, second=second, second_after=timedelta(hours=8))
    votes = (Vote(actor=BORA, at=AT, seat=BORA.user), Vote(actor=CHIE, at=AT, seat="U0ABSENT01", reason=foreign))
    asked = prompt(rule=rule, votes=votes, evidence=((safe(foreign), safe(foreign)),))
    yield asked
    yield replace(asked, escalated_at=AT)
    yield replace(asked, outcome=Outcome.ANSWERED, answer=Answer.APPROVE, actor=BORA, votes=votes * 2)
    yield replace(asked, outcome=Outcome.WITHDRAWN, answer=Answer.WITHDRAW, actor=BORA)


def reminders() -> Iterator[Reminder]:
    """Of every gate, to the first and to the second group."""
    for subject in sorted(GATES):
        for is_second in (False, True):
            calls = ("U0BORA0001", "S0MLOPS001", "C0ALARM001")
            asked = prompt(subject)
            yield Reminder(prompt=asked, job=job(), title="Sestek Knovvu ML", calls=calls, is_second=is_second)


def cards(foreign: str = "my-model") -> Iterator[Card]:
    """The card of every state."""
    buttons = (Button(label="Cancel", action="cancel", value="j2345ab"),)
    for state in JobState:
        notes = (foreign, "The service's result file is kept (1,234 bytes).")
        yield Card(
            job=job(state, foreign), title="Sestek Knovvu ML", last=move(state, foreign), notes=notes, buttons=buttons
        )


def aged(foreign: str = "my-model") -> Iterator[Card]:
    """The card of a training that is at the service for a while, and of one that has been."""
    bare = Card(job=job(foreign=foreign), title="Sestek Knovvu ML", last=move(reason=foreign))
    for event in (Event.ACCEPT, Event.FIND, None):
        yield replace(bare, since=move(event=event), twin=job(JobState.LIVE, foreign, id="jearlier"))
    yield from (replace(bare, since=move(event=Event.ACCEPT), forecast=one) for one in forecasts())
    yield replace(bare, page="https://knovvu.example.com/models/my-model")
    done = move(JobState.DONE, foreign)
    yield replace(bare, job=job(JobState.DONE, foreign), last=done, took=timedelta(minutes=23, seconds=5))


def forecasts() -> Iterator[Forecast]:
    """By few and by many, by this model and by others; with some that ended sooner, with all."""
    bounds = {"shortest": timedelta(minutes=20), "longest": timedelta(minutes=35)}
    for is_same_model in (True, False):
        for count, left in ((5, 5), (5, 2), (12, 12), (12, 9), (12, 0)):
            yield Forecast(since=AT, count=count, left=left, is_half=left > 7, is_same_model=is_same_model, **bounds)


def contents(foreign: str = "my-model") -> Iterator[Content]:
    """Everything that the engine has posted or edited."""
    yield from cards(foreign)
    yield from aged(foreign)
    yield Card(job=job(JobState.CHECKING, foreign, plan=None, look=Look()), title="Sestek Knovvu ML", last=None)
    for state in JobState:
        yield Line(
            job=job(state, foreign), title="Sestek Knovvu ML", transition=move(state, foreign), is_end=state in ENDS
        )
    yield from (question(asked, foreign) for asked in prompts(foreign))
    yield from (question(asked, foreign) for asked in halfway(foreign))
    yield from reminders()
    yield from elsewhere(foreign)
    yield Note(text=f"Sestek Knovvu ML has not answered: {safe(foreign)}")


def elsewhere(foreign: str = "my-model") -> Iterator[Content]:
    """What is told to who follows, and what names somebody whom it does not call."""
    names = {ADA.user: safe(foreign) or "ada", BORA.user: foreign or "bora"}
    news = [
        Told(
            job=job(state, foreign, place="C0ALARM001"),
            title="Sestek Knovvu ML",
            move=move(state, foreign),
            url="https://example.com/p1",
        )
        for state in JobState
    ]
    asked = [Told(job=job(foreign=foreign, place="D1"), title="Sestek Knovvu ML", prompt=one) for one in prompts()]
    yield from (*news, *asked)
    yield Digest(told=(news[0],))
    yield Digest(told=(*news, *asked)[:20], more=7)
    yield replace(question(prompt(), foreign), names=names)
    yield replace(next(reminders()), names=names)


def wishes(foreign: str = "my-model", count: int = 3) -> Wishes:
    """What somebody wished for, as much of it as `count`."""
    about = About(provider="sestek", model=foreign[:200])
    targets = [ADA.user, "C0ALARM001"]
    follows = [
        Follow(id=f"f{number}", team=ADA.team, target=targets[number % 2], about=about, topic=topic)
        for number, topic in zip(range(count), [*Topic] * count, strict=False)
    ]
    mutes = [
        Mute(id=f"m{number}", since=AT, until=AT, job_id="j2345ab" * (number % 2), about=about)
        for number in range(count)
    ]
    quiet = Quiet(begins=time(22, 15), ends=time(7), days=(5, 6)) if count else None
    habits = Habits(user=ADA.user, mutes=tuple(mutes), quiet=quiet)
    return Wishes(follows=tuple(follows), habits=habits, zone="Europe/Istanbul")


def histories(foreign: str = "my-model") -> Iterator[Message]:
    """Every answer that lists jobs or tells of one."""
    yield from (listed(wishes(foreign, count)) for count in (0, 3, 20))
    jobs = [job(state, foreign, id=f"j2345{number:02}") for number, state in enumerate(JobState)]
    yield history.alive([])
    yield history.alive(jobs)
    yield history.alive(jobs * 3)
    yield history.page([], query=foreign[:1500], number=0, has_more=False)
    yield history.page([], query=foreign[:1500], number=3, has_more=False)
    yield history.page(jobs[: history.PAGE], query=foreign[:1500], number=1, has_more=True)
    moves = [move(state, foreign, seq=seq) for seq, state in enumerate(JobState, 1)]
    for one in jobs:
        told = Story(job=one, moves=tuple(moves * 3), prompts=tuple(prompts(foreign)))
        yield history.story(told, "Sestek Knovvu ML", AT)
        yield history.story(told, "Sestek Knovvu ML", AT, number=1)
    yield from pictures(foreign)


def scored(number: int, foreign: str, **scores: float) -> Job:
    """A training with these scores, and one under a name from outside."""
    seen = status(foreign, phase=Phase.TRAINED, metrics={foreign: 0.5, **scores})
    return job(
        JobState.DONE, foreign, id=f"j23{number:04}", created_at=AT + timedelta(days=number), look=Look(status=seen)
    )


def finished(number: int, foreign: str = "my-model", provider: str = "sestek", hours: float | None = None) -> Story:
    """A training that took so many hours, else one to seven."""
    told = scored(number, foreign)
    told = replace(told, request=replace(told.request, provider=provider))
    moves = [
        move(JobState.QUEUED, event=Event.ACCEPT, at=AT),
        move(JobState.DONE, event=Event.FINISH, at=AT + timedelta(hours=hours or 1 + number % 7)),
    ]
    return Story(job=told, moves=tuple(moves))


def weighed(foreign: str, labels: int = 40, **fields: Any) -> Payload:
    """A file with so many labels in a column, and two more columns of few values."""
    counted = {f"{foreign} {number}": 1 + number for number in range(labels)}
    label = weigh(foreign, counted, is_label=True)
    balances = (weigh("", {"": 3, foreign: 1}), label, weigh(foreign, counted, part="eval"))
    return Payload(name=foreign, sha256="3f" * 32, size=1234, rows=99, **{"balances": balances, **fields})


def pictures(foreign: str = "my-model", counts: Sequence[int] = (2,)) -> Iterator[Message]:
    """Every chart, of so many trainings."""
    yield charts.balance(weighed(foreign))
    yield charts.balance(weighed(foreign, balances=()))
    many = {f"{foreign} {number}": 0.1 * number for number in range(12)}
    for count in counts:
        jobs = [scored(number, foreign, **many, loss=3.0) for number in range(count, 0, -1)]
        yield charts.scores(scoreboard([*jobs, *jobs[:1], scored(999, "other")], charts.MOST), foreign, foreign)
        spells = spells_of(finished(number, foreign) for number in range(count, 0, -1))
        others = spells_of(finished(number, foreign, f"{foreign}-{number}") for number in range(min(count, 30)))
        for found in (spells, [*spells, *others]):
            told = durations(found, charts.MOST)
            yield charts.durations(told, foreign[:1500], lambda name: name, is_cut=count > 2)


def views(foreign: str = "my-model") -> Iterator[dict[str, Any]]:
    """Every form."""
    yield forms.reason_form(f'{{"value": "p1|{"d" * 64}", "url": "https://hooks.slack.com/actions/T0/1/x"}}')
    yield forms.told(safe(foreign))
    for count in (0, 3, 20):
        yield wishes_form("{}", wishes(foreign, count), {"sestek": safe(foreign)}, has_channel=count > 0)


def schedule(foreign: str = "my-model", number: int = 0) -> Schedule:
    """A training that recurs, after two runs."""
    made = Schedule(
        id=f"r23456{number % 10}",
        request=job(foreign=foreign).request,
        timetable=parse_every("mon,thu 09:00"),
        created_at=AT,
        runs=2,
        last_job="j2345ab",
    )
    return made.activated("Europe/Istanbul", AT)
