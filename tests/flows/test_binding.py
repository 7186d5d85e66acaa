"""What an approval is bound to: everything that was shown, and nothing that looks alone change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.approvals import GATES, Subject
from bot.domain.jobs import Job, JobState, Look
from bot.domain.policy import Policy, Quiet, Rule, StandIn, settings_clauses
from bot.domain.requests import Payload, Plan
from bot.ports import Deps
from bot.usecases.prompting import shown_digest
from tests.handlers import samples
from tests.handlers.edge import edge

RULE = Rule(approvers=("U0BORA0001",))
PAYLOAD = Payload(name="demand.csv", sha256="3f" * 32, size=1234, rows=500)
PLAN = Plan(
    provider="sony", model="churn", body={"retrain_job_id": None}, summary=(("Data", "demand.csv"),), payload=PAYLOAD
)
SCORE = samples.status("job_finished", metrics={"score": 0.91}, result={"id": "r1"})


def a_job() -> Job:
    made = samples.job(JobState.OFFERED, plan=PLAN, look=Look(status=SCORE))
    return replace(made, request=replace(made.request, provider="sony", model="churn"))


@pytest.fixture
async def deps(tmp_path: Path) -> AsyncIterator[Deps]:
    async with edge(tmp_path, policy=Policy(clauses=settings_clauses(RULE, ["sony"]))) as here:
        yield here.deps


def planned(**changes: Any) -> Callable[[Job], Job]:
    return lambda job: replace(job, plan=replace(PLAN, **changes))


def sent(**changes: Any) -> Callable[[Job], Job]:
    return planned(payload=replace(PAYLOAD, **changes))


def left(**changes: Any) -> Callable[[Job], Job]:
    return lambda job: replace(job, look=replace(job.look, status=replace(SCORE, **changes)))


CHANGES: dict[str, Callable[[Job], Job]] = {
    "job": lambda job: replace(job, id="jother0"),
    "provider": lambda job: replace(job, request=replace(job.request, provider="decthings")),
    "model": lambda job: replace(job, request=replace(job.request, model="uplift")),
    "body": planned(body={"retrain_job_id": "other"}),
    "summary": planned(summary=(("Data", "other.csv"),)),
    "checksum of the data": sent(sha256="4a" * 32),
    "name of the data": sent(name="other.csv"),
    "rows": sent(rows=501),
    "warning": sent(warnings=("3 rows are twice there",)),
    "metric": left(metrics={"score": 0.19}),
    "result": left(result={"id": "r2"}),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_a_click_on_something_else_is_not_one_on_this(deps: Deps, what: str) -> None:
    """Whatever of it changes, the digest is another one, and an earlier click does not fit."""
    shown = shown_digest(deps, a_job(), Subject.PROMOTE)
    assert shown_digest(deps, CHANGES[what](a_job()), Subject.PROMOTE) != shown


async def test_evidence_is_bound_too(deps: Deps) -> None:
    """The lines about the model that serves now were read for the decision."""
    lines = [(), (("Last switch", "2026-11-01"),), (("Last switch", "2026-11-20"),)]
    assert len({shown_digest(deps, a_job(), Subject.PROMOTE, line) for line in lines}) == 3


@pytest.mark.parametrize("subject", sorted(GATES))
async def test_gates_are_told_apart(deps: Deps, subject: Subject) -> None:
    """A yes to one question about a training is none to another."""
    others = [shown_digest(deps, a_job(), one) for one in GATES - {subject}]
    assert shown_digest(deps, a_job(), subject) not in others


TODAY = samples.AT.date()
AWAY = StandIn(absent="U0BORA0001", by="U0DAN00001", since=TODAY, until=TODAY)
RULES: dict[str, Rule] = {
    "name": replace(RULE, name="another"),
    "approvers": replace(RULE, approvers=("U0BORA0001", "U0CHIE0001")),
    "number": replace(RULE, needed=2),
    "own": replace(RULE, may_approve_own=True),
    "second group": replace(RULE, second=("U0DAN00001",), second_after=timedelta(hours=1)),
    "expiry": replace(RULE, expires_after=timedelta(hours=1)),
    "stand-in": replace(RULE, stand_ins=(AWAY,)),
    "quiet hours": replace(RULE, quiet=Quiet(begins=samples.AT.time(), ends=samples.AT.time())),
}


@pytest.mark.parametrize("what", RULES)
async def test_the_rule_is_bound(deps: Deps, what: str) -> None:
    """Under another rule the question is another one."""
    changed = Policy(clauses=settings_clauses(RULES[what], ["sony"]))
    under_it = replace(deps, policies=lambda: changed)
    assert shown_digest(under_it, a_job(), Subject.PROMOTE) != shown_digest(deps, a_job(), Subject.PROMOTE)


async def test_other_rules_are_not(deps: Deps) -> None:
    """The digest covers the rule that applied, not the whole of the policy."""
    elsewhere = Policy(clauses=settings_clauses(RULE, ["sony", "sestek"]))
    other = replace(deps, policies=lambda: elsewhere)
    assert shown_digest(other, a_job(), Subject.PROMOTE) == shown_digest(deps, a_job(), Subject.PROMOTE)


@pytest.mark.parametrize("subject", sorted(GATES))
async def test_looks_make_no_click_stale(deps: Deps, subject: Subject) -> None:
    """Bookkeeping goes on while a person thinks: when the next look is due, how often it failed, where the card is."""
    job = a_job()
    look = replace(
        job.look, at=samples.AT, looks=7, failures=2, error="no answer", told=("odd",), notes={"result_bytes": 3}
    )
    later = replace(job, look=look, act_at=samples.AT, version=job.version + 3, place="D0DIRECT01")
    assert shown_digest(deps, later, subject) == shown_digest(deps, job, subject)


async def test_a_training_that_runs_may_show_new_numbers(deps: Deps) -> None:
    """Whether it may be cancelled does not hang on the metrics of the moment."""
    running = left(metrics={"loss": 0.5})(replace(a_job(), state=JobState.RUNNING))
    on = left(metrics={"loss": 0.4})(running)
    assert shown_digest(deps, on, Subject.CANCEL) == shown_digest(deps, running, Subject.CANCEL)
