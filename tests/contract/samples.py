"""Values for stories about a store: a job, a wish, a prompt, a notice, each with a field or two of the story's own."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.approvals import Answer, Outcome, Prompt, Subject
from bot.domain.attention import About, Follow, Topic
from bot.domain.changes import Change, Notice, NoticeKind
from bot.domain.jobs import Event, Job, JobState, Transition, advance
from bot.domain.policy import Rule
from bot.domain.requests import SWITCHYARD, Actor, TrainRequest
from bot.ports import Click, Inquiry

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ADA, BORA = Actor(team="T0YARD", user="U0ADA"), Actor(team="T0YARD", user="U0BORA")
HERE = "C0TRAIN"


def at(**passed: float) -> datetime:
    """So long after NOW; negative for before."""
    return NOW + timedelta(**passed)


def a_wish(key: str = "k1", **fields: Any) -> TrainRequest:
    wish = TrainRequest(request_key=key, provider="sestek", model="my-model", actor=ADA, channel=HERE)
    return replace(wish, **fields)


def a_job(id_: str = "j1", state: JobState = JobState.CHECKING, **fields: Any) -> Job:
    """A job of Ada's, of a wish of its own, due at once."""
    request = fields.pop("request", None) or a_wish(key=f"key of {id_}")
    created = fields.pop("created_at", NOW)
    job = Job(id=id_, request=request, state=state, created_at=created, state_at=created, act_at=created, place=HERE)
    return replace(job, **fields)


def birth(job: Job, *notices: Notice, opens: Sequence[Prompt] = ()) -> Change:
    """The change that brings a job into the world."""
    transition = Transition(
        job_id=job.id,
        seq=job.version,
        at=job.created_at,
        old=None,
        new=job.state,
        event=None,
        actor=job.request.actor,
    )
    return Change(job=job, expected=0, transition=transition, notices=notices, opens=tuple(opens))


def step(job: Job, event: Event, *, when: datetime = NOW, **fields: Any) -> Change:
    """A move of a job. `fields` are of the change where it has them, else of the moved job."""
    ours = {name: fields.pop(name) for name in ("opens", "closes", "notices") if name in fields}
    moved, transition = advance(job, event, at=when, actor=SWITCHYARD, reason="because")
    return Change(job=replace(moved, **fields), expected=job.version, transition=transition, **ours)


def bookkeeping(job: Job, **fields: Any) -> Change:
    """What a look writes. `fields` as in `step`."""
    ours = {name: fields.pop(name) for name in ("opens", "closes", "notices") if name in fields}
    return Change(job=replace(job, **fields), expected=job.version, **ours)


def a_prompt(id_: str = "p1", job_id: str = "j1", **fields: Any) -> Prompt:
    rule = Rule(approvers=("U0BORA", "S0OPS"))
    prompt = Prompt(id=id_, job_id=job_id, subject=Subject.PROMOTE, digest="d1", rule=rule, asked_at=NOW)
    return replace(prompt, **fields)


def answered(prompt: Prompt, answer: Answer = Answer.APPROVE, actor: Actor = BORA) -> Prompt:
    version = prompt.version + 1
    return replace(prompt, outcome=Outcome.ANSWERED, answer=answer, actor=actor, closed_at=NOW, version=version)


def a_follow(topic: Topic = Topic.ENDS, *, target: str = "U0BORA", **about: str) -> Follow:
    """Bora's wish, of an id of its own."""
    id_ = "|".join((target, topic, *about.values()))
    return Follow(id=id_, team=BORA.team, target=target, about=About(**about), topic=topic, by=BORA.user, at=NOW)


def a_notice(key: str, lane: str = "a", kind: NoticeKind = NoticeKind.LINE, **fields: Any) -> Notice:
    return replace(Notice(id=f"id of {key}", key=key, kind=kind, lane=lane, try_at=NOW), **fields)


def a_redraw(id_: str, target: str, lane: str = "a", **fields: Any) -> Notice:
    return a_notice(id_, lane, NoticeKind.REDRAW, body={"target": target}, **fields)


def a_click(id_: str = "c1", prompt_id: str = "p1", **fields: Any) -> Click:
    click = Click(id=id_, prompt_id=prompt_id, digest="d1", answer=Answer.APPROVE, actor=BORA, at=NOW)
    return replace(click, **fields)


def an_inquiry(id_: str = "i1", **fields: Any) -> Inquiry:
    words = {"project": "12", "model": "7"}
    url = "https://hooks.example/answer/1"
    inquiry = Inquiry(id=id_, provider="deepopinion", words=words, actor=ADA, channel=HERE, url=url, asked_at=NOW)
    return replace(inquiry, **fields)
