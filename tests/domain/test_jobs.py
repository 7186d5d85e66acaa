"""The states of a job: the table, the one function that moves along it, and what a look stands for."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.jobs import (
    AT_SERVICE,
    ENDS,
    TRANSITIONS,
    Event,
    Job,
    JobState,
    Look,
    Phase,
    RemoteStatus,
    advance,
    observe,
)
from bot.domain.requests import SWITCHYARD, Actor, TrainRequest
from bot.errors import IllegalMoveError, SwitchyardError

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
BORA = Actor(team="T0YARD", user="U0BORA")

TABLE: Final[Mapping[str, set[str]]] = {
    "checking": {"proposed", "approved", "failed", "cancelled"},
    "proposed": {"approved", "rejected", "expired", "cancelled"},
    "approved": {"starting", "cancelled", "expired"},
    "starting": {"queued", "approved", "unsure", "failed"},
    "unsure": {"queued", "approved", "failed"},
    "queued": {"running", "cancelling", "offered", "done", "failed", "cancelled", "lost"},
    "running": {"queued", "cancelling", "offered", "done", "failed", "cancelled", "lost"},
    "cancelling": {"running", "offered", "done", "failed", "cancelled", "lost"},
    "offered": {"promoting", "rejected", "expired"},
    "promoting": {"live", "promoted", "offered", "unsure_switch"},
    "unsure_switch": {"live", "promoted", "offered"},
    "done": {"live"},
    "expired": {"offered"},
    "rejected": {"offered"},
    "failed": {"running"},
    "promoted": set(),
    "live": set(),
    "cancelled": set(),
    "lost": set(),
}

WORN = Look(
    at=NOW,
    looks=7,
    failures=3,
    error="Sestek cannot be reached.",
    status=RemoteStatus(phase=Phase.RUNNING, word="Training", progress=40.0),
    told=("Hmm",),
    lost=2,
    lost_since=NOW,
    limit_at=LATER,
    notes={"launches": 2},
)


def a_job(state: JobState, **fields: object) -> Job:
    request = TrainRequest(request_key="k1", provider="sestek", model="my-model", actor=BORA, channel="C0TRAIN")
    job = Job(id="jabc234", request=request, state=state, created_at=NOW, state_at=NOW, look=WORN)
    return replace(job, **fields)  # type: ignore[arg-type]  # the fields of a job, by name


@pytest.mark.parametrize("state", JobState)
def test_a_state_leads_exactly_where_the_table_says(state: JobState) -> None:
    """The table is the contract of the product: a row more or less is a decision, not an accident."""
    assert {new.value for new in TRANSITIONS[state].values()} == TABLE[state.value]


def test_every_state_has_a_row() -> None:
    """No state is forgotten, in the code or here."""
    assert set(TRANSITIONS) == set(JobState)
    assert {state.value for state in JobState} == set(TABLE)


def test_terminal_rows_are_empty_and_all_of_them_are_ends() -> None:
    """Nothing follows a switch that was seen or accepted, a cancellation, or a loss."""
    terminal = {state for state, row in TRANSITIONS.items() if not row}
    assert {state.value for state in terminal} == {"promoted", "live", "cancelled", "lost"}
    assert terminal < ENDS


def test_every_state_can_be_reached_from_the_first() -> None:
    """A state to which no way leads would be dead code."""
    reached, frontier = {JobState.CHECKING}, [JobState.CHECKING]
    while frontier:
        fresh = set(TRANSITIONS[frontier.pop()].values()) - reached
        reached |= fresh
        frontier += fresh
    assert reached == set(JobState)


@pytest.mark.parametrize("state", JobState)
def test_a_state_is_an_end_or_has_a_way_to_one(state: JobState) -> None:
    """No job is caught in states that never end."""
    ways, seen = [state], set[JobState]()
    while ways:
        here = ways.pop()
        if here in ENDS:
            return
        seen.add(here)
        ways += set(TRANSITIONS[here].values()) - seen
    pytest.fail(f"{state} never ends")


LEGAL = [(state, event) for state in JobState for event in TRANSITIONS[state]]


@pytest.mark.parametrize("state", JobState)
def test_an_illegal_move_raises_and_changes_nothing(state: JobState) -> None:
    """What the table does not hold cannot happen, and it is said in a sentence that names job and state."""
    job = a_job(state)
    for event in set(Event) - set(TRANSITIONS[state]):
        with pytest.raises(IllegalMoveError, match=rf"jabc234 is {state.value}.*{event.value}") as raised:
            advance(job, event, at=LATER, actor=BORA)
        assert isinstance(raised.value, SwitchyardError)
    assert job == a_job(state)


@pytest.mark.parametrize(("state", "event"), LEGAL)
def test_a_move_is_one_version_and_one_transition(state: JobState, event: Event) -> None:
    """The moved job and its transition tell the same story; the job that was moved stays as it was."""
    job = a_job(state, version=4)
    moved, transition = advance(job, event, at=LATER, actor=BORA, reason="because")
    assert moved.state is TRANSITIONS[state][event]
    assert (moved.version, moved.previous, moved.state_at) == (5, state, LATER)
    assert (transition.job_id, transition.seq, transition.at) == (job.id, 5, LATER)
    assert (transition.old, transition.new, transition.event) == (state, moved.state, event)
    assert (transition.actor, transition.reason) == (BORA, "because")
    assert job == a_job(state, version=4)


def test_a_moved_job_is_due_at_once() -> None:
    """Whatever comes next need not wait for the pace of the former state."""
    moved, _ = advance(a_job(JobState.QUEUED, act_at=NOW + timedelta(hours=1)), Event.RUN, at=LATER, actor=SWITCHYARD)
    assert moved.act_at == LATER


def test_a_move_starts_the_counters_anew_and_keeps_what_was_seen() -> None:
    """Failures and looks count within a state; words that were told, limits and notes belong to the job."""
    moved, _ = advance(a_job(JobState.QUEUED), Event.RUN, at=LATER, actor=SWITCHYARD)
    assert moved.look == replace(WORN, looks=0, failures=0, error="", lost=0, lost_since=None)


def test_a_move_keeps_everything_else_of_the_job() -> None:
    """The plan that was approved, the claim and the service's id go with the job through all states."""
    job = a_job(JobState.QUEUED, place="D0BORA", claim={"a": 1}, remote_id="r1", switch={"v": 2})
    moved, _ = advance(job, Event.RUN, at=LATER, actor=SWITCHYARD)
    kept = ("id", "request", "created_at", "place", "plan", "claim", "remote_id", "switch")
    assert [getattr(moved, name) for name in kept] == [getattr(job, name) for name in kept]


OBSERVED: Final[Mapping[str, Mapping[str, str]]] = {
    "queued": {"running": "running", "trained": "done", "failed": "failed", "cancelled": "cancelled"},
    "running": {"queued": "queued", "trained": "done", "failed": "failed", "cancelled": "cancelled"},
    "cancelling": {"trained": "done", "failed": "failed", "cancelled": "cancelled"},
}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("state", JobState)
def test_a_look_moves_only_a_training_at_its_service(state: JobState, phase: Phase) -> None:
    """A cancellation under way is not called off by "running", and nothing that a service says revives an end."""
    event = observe(a_job(state), RemoteStatus(phase=phase, word="word"), has_switch=False)
    new = TRANSITIONS[state][event].value if event else None
    assert new == OBSERVED.get(state.value, {}).get(phase.value)


@pytest.mark.parametrize("state", sorted(AT_SERVICE))
def test_a_training_with_a_switch_is_offered(state: JobState) -> None:
    """Where the gate comes after the training, "trained" asks for a yes."""
    assert observe(a_job(state), RemoteStatus(phase=Phase.TRAINED, word="ok"), has_switch=True) is Event.OFFER


@pytest.mark.parametrize("is_live", [None, False, True])
@pytest.mark.parametrize("state", JobState)
def test_a_word_that_is_not_known_moves_nothing(state: JobState, is_live: bool | None) -> None:
    """A new word of a service is told, not guessed at."""
    seen = RemoteStatus(phase=None, word="Zzz", is_known=False, is_live=is_live)
    event = observe(a_job(state), seen, has_switch=True)
    assert event is (Event.SEE if state is JobState.DONE and is_live else None)


@pytest.mark.parametrize(("is_live", "event"), [(None, None), (False, None), (True, Event.SEE)])
@pytest.mark.parametrize("phase", [*Phase, None])
def test_live_is_said_only_when_it_was_seen(phase: Phase | None, is_live: bool | None, event: Event | None) -> None:
    """After the end only "seen serving" counts, whatever else the service says."""
    assert (
        observe(a_job(JobState.DONE), RemoteStatus(phase=phase, word="w", is_live=is_live), has_switch=False) is event
    )


@pytest.mark.parametrize("state", [JobState.REJECTED, JobState.EXPIRED])
@pytest.mark.parametrize("previous", [JobState.PROPOSED, JobState.APPROVED, JobState.OFFERED])
def test_only_an_offer_can_be_offered_again(state: JobState, previous: JobState) -> None:
    """A start that was rejected or ran out is over; a trained model still waits."""
    assert a_job(state, previous=previous).was_offered is (previous is JobState.OFFERED)


@pytest.mark.parametrize("state", JobState)
def test_an_offer_that_was_closed_is_an_offer_only_in_its_two_ends(state: JobState) -> None:
    """Having come from an offer is not enough: what was switched cannot be offered again."""
    closed = state in {JobState.REJECTED, JobState.EXPIRED}
    assert a_job(state, previous=JobState.OFFERED).was_offered is closed


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Event), st.timedeltas(timedelta(0), timedelta(days=1))), max_size=40))
def test_any_story_keeps_the_books(steps: list[tuple[Event, timedelta]]) -> None:
    """Whatever happens in whatever order: one version a move, an unbroken chain of transitions, and no other change."""
    job, story, at = a_job(JobState.CHECKING), [], NOW
    for event, passed in steps:
        at += passed
        if event not in TRANSITIONS[job.state]:
            with pytest.raises(IllegalMoveError):
                advance(job, event, at=at, actor=BORA)
            continue
        before, (job, transition) = job, advance(job, event, at=at, actor=BORA)
        story.append(transition)
        assert (job.version, job.previous) == (before.version + 1, before.state)
        assert (job.id, job.request, job.created_at) == (before.id, before.request, before.created_at)
    assert job.version == 1 + len(story)
    assert [one.seq for one in story] == list(range(2, job.version + 1))
    assert [one.new for one in story[:-1]] == [one.old for one in story[1:]]
    assert all(TABLE[one.old.value] >= {one.new.value} for one in story if one.old)
    assert job.has_ended is (job.state in ENDS)


@st.composite
def stories(draw: st.DrawFn) -> list[Event]:
    """Only moves that the table holds, so that long stories are walked to their ends."""
    state, story = JobState.CHECKING, []
    for _ in range(draw(st.integers(0, 30))):
        if not TRANSITIONS[state]:
            break
        event = draw(st.sampled_from(sorted(TRANSITIONS[state])))
        story.append(event)
        state = TRANSITIONS[state][event]
    return story


@settings(deadline=None)
@given(stories())
def test_any_legal_story_can_be_told_from_its_transitions(story: list[Event]) -> None:
    """The transitions alone lead again to the state: history is not a copy that can disagree."""
    job, told = a_job(JobState.CHECKING), []
    for event in story:
        job, transition = advance(job, event, at=LATER, actor=SWITCHYARD)
        told.append(transition)
    assert job.state is (told[-1].new if told else JobState.CHECKING)
    assert [one.event for one in told] == story
    assert job.version == (told[-1].seq if told else 1)
