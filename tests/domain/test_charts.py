"""What charts are drawn of: only what was told and seen, and nothing that would have to be made up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.charts import Per, durations, scales, scoreboard, scores_of, spells_of
from bot.domain.history import Story
from bot.domain.jobs import Event, Job, JobState, Look, Phase, RemoteStatus, Transition
from bot.domain.requests import SWITCHYARD, TrainRequest

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)


def job(number: int = 0, provider: str = "deepopinion", phase: Phase = Phase.TRAINED, **metrics: Any) -> Job:
    """The training of a day, whose service told these metrics."""
    at = AT + timedelta(days=number)
    request = TrainRequest(request_key=f"k{number}", provider=provider, model="m")
    look = Look(status=RemoteStatus(phase=phase, word="x", metrics=metrics))
    state = JobState.DONE if phase is Phase.TRAINED else JobState.RUNNING
    return Job(id=f"j{number:03}", request=request, state=state, created_at=at, state_at=at, look=look)


def story(number: int = 0, hours: float = 1, provider: str = "sestek", *, is_seen: bool = True) -> Story:
    """A training that took so many hours from its acceptance to its end."""
    one = job(number, provider)
    ends = [(one.created_at, Event.ACCEPT), (one.created_at + timedelta(hours=hours), Event.FINISH)]
    moves = [
        Transition(job_id=one.id, seq=seq, at=at, old=None, new=JobState.DONE, event=event, actor=SWITCHYARD)
        for seq, (at, event) in enumerate(ends if is_seen else ends[1:], 1)
    ]
    return Story(job=one, moves=tuple(moves))


def test_a_score_is_a_fraction() -> None:
    """An id, a count and what is no number are told by services beside scores, and belong into no chart."""
    told = job(f1=0.5, model_id=7, epochs=3, note="0.5", bad=float("nan"), far=float("inf"))
    assert scores_of(told) == {"f1": 0.5}


def test_the_newest_trainings_that_share_a_score_stand_oldest_first() -> None:
    """Every line of a chart has a value for each training: what some lack is named and not drawn, and what is left out
    is counted."""
    some: list[dict[str, Any]] = [{}, {"recall": 0.5}]
    jobs = [job(number, f1=0.01 * number, **some[number % 2]) for number in range(30, 0, -1)]
    jobs.insert(5, job(31, loss=3.0))
    board = scoreboard(jobs, 20)
    assert [one.job.id for one in board.trainings] == [f"j{number:03}" for number in range(11, 31)]
    assert (board.names, board.partly, board.left) == (("f1",), ("recall",), 11)
    assert scoreboard([job(1), job(2, epochs=3)], 20).trainings == ()


def test_scores_of_a_training_that_runs_are_not_final() -> None:
    """A training in the middle of its way, or one that failed, is no point of the line."""
    running = [job(number, phase=phase, loss=0.9) for number, phase in enumerate((Phase.RUNNING, Phase.FAILED))]
    assert [one.job.id for one in scoreboard([*running, job(7, loss=0.1)], 20).trainings] == ["j007"]


def test_shares_and_larger_scores_have_a_chart_each() -> None:
    """An accuracy beside a loss of 300 is a flat line."""
    board = scoreboard([job(1, f1=0.5, loss=300.0, auc=1.0), job(2, f1=0.6, loss=200.0, auc=0.9)], 20)
    assert scales(board) == (("f1", "auc"), ("loss",))
    assert scales(scoreboard([job(1, f1=-0.5)], 20)) == (("f1",),)


def test_a_duration_needs_both_ends() -> None:
    """Where the acceptance was not seen, nothing is known of how long it took; a clock set back makes it zero."""
    spells = spells_of([story(1), story(2, is_seen=False), story(3, hours=-1)])
    assert [(one.job.id, one.lasted) for one in spells] == [("j001", timedelta(hours=1)), ("j003", timedelta())]


@pytest.mark.parametrize(
    ("numbers", "per", "labels", "left"),
    [
        (range(3, 0, -1), Per.TRAINING, ["j001", "j002", "j003"], 0),
        (range(20, -1, -1), Per.WEEK, ["2026-11-02", "2026-11-09", "2026-11-16"], 0),
        (range(20 * 7 + 6, -1, -1), Per.WEEK, [], 7),
    ],
)
def test_one_service_is_told_by_training_or_by_week(numbers: range, per: Per, labels: list[str], left: int) -> None:
    """Few trainings stand for themselves, many are told by their weeks; the oldest that do not fit are counted."""
    found = durations(spells_of(story(number) for number in numbers), 20)
    assert (found.per, found.left) == (per, left)
    assert len(found.bars) <= 20
    assert [str(bar.of) for bar in found.bars] == labels or not labels


def test_services_stand_beside_each_other() -> None:
    """Of several services each has one bar: its median and its longest training."""
    told = [
        story(number, hours, name) for number, (hours, name) in enumerate([(1, "sony"), (9, "sony"), (2, "sestek")])
    ]
    found = durations(spells_of([*told, story(4, 2, "sony")]), 20)
    assert found.per is Per.PROVIDER
    assert [(bar.of, bar.middle, bar.longest) for bar in found.bars] == [
        ("sestek", timedelta(hours=2), timedelta(hours=2)),
        ("sony", timedelta(hours=2), timedelta(hours=9)),
    ]
