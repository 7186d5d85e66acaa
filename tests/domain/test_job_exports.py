"""Trainings as CSV and as JSON lines: any text in any field comes back as it was, and nothing calculates."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.approvals import Answer, Outcome, Prompt, Subject, Vote
from bot.domain.exports import safe
from bot.domain.history import Span, Story, spans
from bot.domain.job_exports import COLUMNS, Form, head, line
from bot.domain.jobs import Event, Job, JobState, Look, Phase, RemoteStatus, Transition
from bot.domain.policy import Rule
from bot.domain.requests import SWITCHYARD, Actor, Payload, Plan, TrainRequest

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
CALCULATES = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
TEXTS = st.text(max_size=40) | st.builds(
    "{}{}".format,
    st.sampled_from([*CALCULATES, "'", '"', ",", ";", "\x00", "\x85", "\u2028", "\ufeff", "{", "字 🚂 "]),
    st.text(max_size=20),
)
VALUES = st.dictionaries(TEXTS, TEXTS | st.integers() | st.none() | st.lists(TEXTS, max_size=2), max_size=3)
ACTORS = st.builds(Actor, team=TEXTS, user=TEXTS)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """A story in which every text comes from outside."""
    texts = iter(draw(st.lists(TEXTS, min_size=24, max_size=24)))
    payload = Payload(name=next(texts), sha256="3f" * 32, size=7, rows=3, columns=2, facts={next(texts): next(texts)})
    plan = Plan(provider=next(texts), model=next(texts), body={}, summary=((next(texts), next(texts)),))
    status = RemoteStatus(
        phase=Phase.TRAINED,
        word=next(texts),
        detail=next(texts),
        progress=draw(st.none() | st.floats(0, 100)),
        metrics=draw(VALUES),
        result=draw(VALUES),
    )
    request = TrainRequest(
        request_key="k", provider=next(texts), model=next(texts), params=draw(VALUES), actor=draw(ACTORS)
    )
    job = Job(
        id=next(texts),
        request=request,
        state=JobState.LIVE,
        created_at=AT,
        state_at=AT,
        place=next(texts),
        plan=replace(plan, payload=payload),
        remote_id=next(texts),
        look=Look(status=status, error=next(texts), notes={"result_bytes": 12}),
    )
    prompt = Prompt(
        id="p1",
        job_id=job.id,
        subject=Subject.PROMOTE,
        digest=next(texts),
        rule=Rule(name=next(texts)),
        asked_at=AT,
        outcome=Outcome.ANSWERED,
        answer=Answer.APPROVE,
        actor=draw(ACTORS),
        reason=next(texts),
        closed_at=AT,
        votes=(Vote(actor=draw(ACTORS), at=AT, seat=next(texts), reason=next(texts)),),
    )
    move = Transition(
        job_id=job.id, seq=1, at=AT, old=None, new=JobState.LIVE, event=None, actor=draw(ACTORS), reason=next(texts)
    )
    return Story(job=job, moves=(move,), prompts=(prompt,))


def table(*told: Story) -> list[dict[str, str]]:
    """The file as bytes, read by the standard library, and each cell as it stands there."""
    written = head(Form.CSV) + "".join(line(Form.CSV, one, AT) for one in told)
    text = io.TextIOWrapper(io.BytesIO(written.encode()), encoding="utf-8", newline="")
    reader = csv.DictReader(text, strict=True)
    return list(reader)


@given(told=st.lists(stories(), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back_from_a_table(told: list[Story]) -> None:
    """One row a training, one cell a column: whatever a text holds, it stays in its cell, and is not calculated."""
    rows = table(*told)
    assert len(rows) == len(told)
    for row, one in zip(rows, told, strict=True):
        job, [prompt], [move] = one.job, one.prompts, one.moves
        assert job.look.status is not None
        expected = {
            "job": job.id,
            "provider": job.request.provider,
            "model": job.request.model,
            "requested_by": job.request.actor.user,
            "team": job.request.actor.team,
            "conversation": job.place,
            "service_id": job.remote_id,
            "service_word": job.look.status.word,
            "error": job.look.error,
            "data_name": job.plan.payload.name if job.plan and job.plan.payload else "",
            "decided_by": prompt.actor.user if prompt.actor else "",
            "decision_reason": prompt.reason,
            "decision_rule": prompt.rule.name,
            "decision_digest": prompt.digest,
            "last_reason": move.reason,
        }
        assert {key: row[key] for key in expected} == {key: safe(text or "") for key, text in expected.items()}
        assert json.loads(row["parameters"] or "{}") == job.request.params
        assert json.loads(row["result"] or "{}") == job.look.status.result
        assert set(row) == set(COLUMNS)
        assert not [cell for cell in row.values() if cell.startswith(CALCULATES)]


@given(told=stories())
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back_from_a_line_of_json(told: Story) -> None:
    """Word for word, in one line for every reader, whatever counts as the end of a line elsewhere."""
    written = line(Form.JSONL, told, AT)
    assert written.endswith("\n")
    assert len(written.splitlines()) == 1
    read, [prompt], [move] = json.loads(written), told.prompts, told.moves
    job = told.job
    assert job.look.status is not None
    assert (read["job"], read["model"], read["service_id"]) == (job.id, job.request.model, job.remote_id)
    assert read["parameters"] == job.request.params
    assert (read["service"]["word"], read["service"]["metrics"]) == (job.look.status.word, job.look.status.metrics)
    assert (read["moves"][0]["reason"], read["moves"][0]["by"]) == (move.reason, move.actor.user or None)
    [decision], [vote] = read["decisions"], prompt.votes
    assert (decision["reason"], decision["digest"], decision["rule"]) == (
        prompt.reason,
        prompt.digest,
        prompt.rule.name,
    )
    assert decision["votes"] == [
        {"by": vote.actor.user or None, "for": vote.seat, "at": "2026-11-20T09:00:00.000+00:00", "reason": vote.reason}
    ]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_is_a_text(number: float) -> None:
    """A service may say that a score is no number; every reader of JSON takes the line all the same."""

    def refuse(name: str) -> Any:
        raise AssertionError(name)

    status = RemoteStatus(phase=Phase.TRAINED, word="done", metrics={"f1": number})
    job = Job(
        id="j1",
        request=TrainRequest(request_key="k", provider="sony", model="churn"),
        state=JobState.DONE,
        created_at=AT,
        state_at=AT,
        look=Look(status=status),
    )
    read = json.loads(line(Form.JSONL, Story(job=job), AT), parse_constant=refuse)
    assert read["service"]["metrics"] == {"f1": str(number)}


# -- durations --------------------------------------------------------------------------------------------------------


def went(*moves: tuple[float, JobState]) -> Story:
    """A job that came into these states so many minutes after it was asked for."""
    made = [
        Transition(
            job_id="j1", seq=seq, at=AT + timedelta(minutes=at), old=None, new=new, event=Event.RUN, actor=SWITCHYARD
        )
        for seq, (at, new) in enumerate(moves, 1)
    ]
    request = TrainRequest(request_key="k", provider="sony", model="churn")
    job = Job(id="j1", request=request, state=made[-1].new, created_at=AT, state_at=made[-1].at)
    return Story(job=job, moves=tuple(made))


def test_each_part_of_a_training_has_its_time() -> None:
    """A training that was preempted, waited for people twice, and was revived after its end: ends count for nothing."""
    told = went(
        (0, JobState.CHECKING),
        (1, JobState.PROPOSED),
        (4, JobState.APPROVED),
        (5, JobState.QUEUED),
        (7, JobState.RUNNING),
        (10, JobState.QUEUED),
        (11, JobState.RUNNING),
        (15, JobState.OFFERED),
        (20, JobState.REJECTED),
        (100, JobState.OFFERED),
        (101, JobState.PROMOTING),
        (103, JobState.LIVE),
    )
    minutes = {span: spent / timedelta(minutes=1) for span, spent in spans(told, AT + timedelta(days=9)).items()}
    assert minutes == {
        Span.CHECKING: 1,
        Span.PEOPLE: 3 + 5 + 1,
        Span.STARTING: 1,
        Span.QUEUED: 3,
        Span.TRAINING: 7,
        Span.SWITCHING: 2,
        Span.TOTAL: 103,
    }


def test_a_living_training_is_measured_until_now() -> None:
    """What has not ended goes on; a clock that was set back takes no time away from the rest."""
    told = went((0, JobState.CHECKING), (2, JobState.RUNNING))
    assert spans(told, AT + timedelta(minutes=9))[Span.TRAINING] == timedelta(minutes=7)
    assert spans(told, AT + timedelta(minutes=9))[Span.TOTAL] == timedelta(minutes=9)
    back = went((3, JobState.CHECKING), (2, JobState.RUNNING))
    assert spans(back, AT)[Span.CHECKING] == spans(back, AT)[Span.TRAINING] == timedelta()


def test_every_state_that_is_no_end_is_spent_on_something() -> None:
    """A state that is added later counts somewhere, or this says so."""
    for state in JobState:
        told = went((0, state))
        spent = spans(told, AT + timedelta(minutes=1))
        assert sum(spent[span] > timedelta() for span in Span if span is not Span.TOTAL) == (not told.job.has_ended)


# -- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_names_each_column_in_its_order() -> None:
    """Whoever reads a file finds every column, and nothing that is not there."""
    page = (Path(__file__).parents[2] / "docs" / "history.md").read_text("utf-8")
    section = page.partition("## The columns of the CSV")[2].partition("\n## ")[0]
    first_cells = [row.split(" | ")[0] for row in section.splitlines() if row.startswith("| `")]
    assert tuple(re.findall(r"`(\w+)`", " ".join(first_cells))) == COLUMNS


def test_the_page_names_each_key() -> None:
    """Of a line of JSON, and of the moves and decisions in it."""
    page = (Path(__file__).parents[2] / "docs" / "history.md").read_text("utf-8")
    told = json.loads(line(Form.JSONL, went((0, JobState.LIVE)), AT))
    move = told["moves"][0]
    known = set(re.findall(r"`(\w+)`", page))
    assert {*told, *move} - known == set()
