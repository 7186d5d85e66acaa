"""What every store must pass, whatever it keeps its rows in.

A subclass brings the fixture `store`, and `stores`: two on one database where two may write, else the same one twice.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any, TypeAlias

import pytest

from bot.domain.approvals import Answer, Group, Outcome, Prompt, Subject, Vote
from bot.domain.attention import About, Habits, Mute, Topic
from bot.domain.audit import AuditKind, Record
from bot.domain.changes import OVERTAKEN, Amendment, Notice, NoticeKind
from bot.domain.health import ServiceHealth
from bot.domain.jobs import ENDS, Event, Job, JobState, Look, Phase, RemoteStatus
from bot.domain.pace import Allowance
from bot.domain.people import Person
from bot.domain.policy import Quiet
from bot.domain.recurring import Schedule, parse_every
from bot.domain.requests import Actor, Payload, Plan
from bot.errors import StoreError
from bot.ports import DUE_IN, Answered, Asked, Caps, DueRun, Identity, JobFilter, Store, Work
from tests.contract.samples import (
    ADA,
    BORA,
    HERE,
    NOW,
    a_click,
    a_follow,
    a_job,
    a_notice,
    a_prompt,
    a_redraw,
    a_wish,
    an_inquiry,
    answered,
    at,
    birth,
    bookkeeping,
    step,
)

Pair: TypeAlias = tuple[Store, Store]
A_MINUTE_AGO = at(seconds=-60)
PLAN = Plan(
    provider="sestek",
    model="my-model",
    body={"z": 1, "a": [1.5, None, True, "ü", {"k": -7}], "big": 2**60},
    summary=(("Language", "en-US"), ("Ürün", "“smart” 字 🚂")),
    payload=Payload(
        name="my-model.jsonl", sha256="ab" * 32, size=10, rows=3, columns=2, facts={"labels": "3"}, warnings=("w",)
    ),
)
LOOK = Look(
    at=at(seconds=5),
    looks=7,
    failures=2,
    error="Sestek cannot be reached.",
    status=RemoteStatus(
        phase=Phase.RUNNING,
        word="Training",
        detail="epoch 3",
        progress=37.5,
        metrics={"f1": 0.91},
        parts=(("pop", "running"), ("relatedItem", "ready")),
        result={"model": 12},
        is_live=False,
    ),
    told=("Hmm",),
    lost=1,
    lost_since=NOW,
    limit_at=at(hours=72),
    notes={"launches": 2, "nested": {"b": 1, "a": 2}},
)
FULL = a_job(
    state=JobState.RUNNING,
    previous=JobState.QUEUED,
    version=6,
    request=a_wish(params={"z": "ü", "a": [1, 2], "hp": {"lr": 0.001}}, data={"data": "my-model.jsonl"}),
    plan=PLAN,
    claim={"ids": [1, 2], "empty": {}},
    remote_id="r-1",
    switch={"version": "3"},
    look=LOOK,
)


async def keep(store: Store, job: Job, *notices: Notice) -> Job:
    """Keep a job, whatever other jobs there are."""
    answer = await store.request(birth(job, *notices), same_since=NOW, is_exclusive=False, is_again=True)
    assert answer.asked is Asked.NEW
    return job


async def found(store: Store, job_id: str = "j1") -> Job:
    job = await store.job(job_id)
    assert job is not None
    return job


async def ask(store: Store, key: str, id_: str, *, since: datetime = A_MINUTE_AGO, exclusive: bool = False) -> Answered:
    """Ada's usual wish, delivered under this key."""
    job = a_job(id_, request=a_wish(key))
    return await store.request(birth(job), same_since=since, is_exclusive=exclusive)


async def capped(store: Store, key: str, id_: str, *, actor: Actor = ADA, **caps: int) -> Answered:
    """A wish of its own, where one person may have or ask only so much."""
    job = a_job(id_, request=a_wish(key, actor=actor))
    return await store.request(birth(job), same_since=NOW, is_exclusive=False, is_again=True, caps=Caps(**caps))


def ids(jobs: Sequence[Job]) -> list[str]:
    return [job.id for job in jobs]


def keys(notices: Sequence[Notice]) -> list[str]:
    return [notice.key for notice in notices]


async def told(store: Store, *notices: Notice) -> None:
    await store.tell(notices)


async def taken(store: Store, when: datetime = NOW, limit: int = 100) -> list[str]:
    return keys(await store.take_notices(when, limit))


async def take(store: Store, when: datetime = NOW) -> Notice:
    """The one notice whose turn it is."""
    [notice] = await store.take_notices(when, 100)
    return notice


async def stored(store: Store, key: str) -> Notice:
    notice = await store.notice(key)
    assert notice is not None
    return notice


def voted(prompt: Prompt, actor: Actor) -> Amendment:
    """One approval more."""
    vote = Vote(actor=actor, at=NOW, seat=actor.user)
    return Amendment(writes=(replace(prompt, votes=(*prompt.votes, vote), version=prompt.version + 1),))


class Requests:
    """A wish becomes a job at most once."""

    async def test_a_wish_is_kept_with_everything_that_came_with_it(self, store: Store) -> None:
        """Once the answer is there, job, transition, prompt and messages are there too."""
        card, prompt = a_notice("j1:card", "j1", NoticeKind.CARD, job_id="j1"), a_prompt()
        change = birth(FULL, card, opens=[prompt])
        answer = await store.request(change, same_since=NOW, is_exclusive=False)
        assert answer == Answered(asked=Asked.NEW, job=FULL)
        assert await store.job("j1") == FULL
        assert await store.transitions("j1") == [change.transition]
        assert await store.prompts("j1") == [prompt]
        assert await store.notice("j1:card") == card

    async def test_what_is_read_has_the_order_in_which_it_was_written(self, store: Store) -> None:
        """Options and bodies go to the services in the order in which people wrote them."""
        await keep(store, FULL)
        job = await found(store)
        assert list(job.request.params) == ["z", "a", "hp"]
        assert job.plan is not None
        assert list(job.plan.body) == ["z", "a", "big"]
        assert job.plan.digest() == PLAN.digest()
        assert job.request.fingerprint() == FULL.request.fingerprint()

    async def test_an_unknown_job_is_none(self, store: Store) -> None:
        """Nobody guesses at a job."""
        assert await store.job("j404") is None
        assert await store.transitions("j404") == []

    async def test_one_delivery_makes_one_job(self, store: Store) -> None:
        """Slack delivers again what it thinks was lost; the second delivery is answered like the first."""
        first, second = await ask(store, "k1", "j1"), await ask(store, "k1", "j2")
        assert (first, second) == (Answered(asked=Asked.NEW, job=first.job), first)
        assert await store.job("j2") is None

    async def test_a_delivery_is_answered_the_same_even_later(self, store: Store) -> None:
        """A late repetition of a delivery starts nothing, also when its job has long ended."""
        job = (await ask(store, "k1", "j1")).job
        await store.apply([step(job, Event.CANCEL)])
        again = await ask(store, "k1", "j2", since=at(days=1))
        assert (again.asked, again.job.id, again.job.state) == (Asked.NEW, "j1", JobState.CANCELLED)
        assert await store.job("j2") is None

    async def test_deliveries_at_one_moment_make_one_job(self, store: Store) -> None:
        """The key is unique however many deliveries race."""
        answers = await asyncio.gather(*(ask(store, "k1", f"j{number}") for number in range(20)))
        assert {answer.asked for answer in answers} == {Asked.NEW}
        assert len({answer.job.id for answer in answers}) == 1
        assert len(await store.jobs(JobFilter(), limit=100)) == 1

    async def test_an_equal_wish_of_a_moment_ago_is_the_same(self, store: Store) -> None:
        """Who presses return twice has started one training, and is shown it."""
        await ask(store, "k1", "j1")
        second = await ask(store, "k2", "j2")
        assert (second.asked, second.job.id) == (Asked.SAME, "j1")
        assert await store.job("j2") is None

    async def test_equal_wishes_at_one_moment_make_one_job(self, store: Store) -> None:
        """Also where the two deliveries race."""
        answers = await asyncio.gather(*(ask(store, f"k{number}", f"j{number}") for number in range(20)))
        assert sorted(answer.asked for answer in answers) == [Asked.NEW, *[Asked.SAME] * 19]
        assert len({answer.job.id for answer in answers}) == 1

    @pytest.mark.parametrize(("since", "asked"), [(NOW, Asked.SAME), (at(milliseconds=1), Asked.NEW)])
    async def test_a_wish_is_the_same_only_within_the_window(self, store: Store, since: datetime, asked: Asked) -> None:
        """A minute later people mean it: the border belongs to the window."""
        await ask(store, "k1", "j1")
        assert (await ask(store, "k2", "j2", since=since)).asked is asked

    @pytest.mark.parametrize("state", JobState)
    async def test_a_job_that_has_ended_never_blocks(self, store: Store, state: JobState) -> None:
        """Who corrected the file may try again at once; a job that lives is shown instead."""
        await keep(store, a_job("j1", state, request=a_wish("k1")))
        equal = await ask(store, "k2", "j2")
        exclusive = await store.request(
            birth(a_job("j3", request=a_wish("k3", actor=BORA))), same_since=NOW, is_exclusive=True
        )
        if state in ENDS:
            assert (equal.asked, exclusive.asked) == (Asked.NEW, Asked.BUSY)
            assert exclusive.job.id == "j2"
        else:
            assert (equal.asked, exclusive.asked) == (Asked.SAME, Asked.BUSY)
            assert (equal.job.id, exclusive.job.id) == ("j1", "j1")

    @pytest.mark.parametrize(
        "fields",
        [{"actor": BORA}, {"channel": "C0OTHER"}, {"params": {"a": 1}}, {"model": "other"}, {"data": {"data": "x"}}],
    )
    async def test_another_wish_is_another_job(self, store: Store, fields: dict[str, object]) -> None:
        """Only the same person, place and parameters make the same wish."""
        await ask(store, "k1", "j1")
        other = a_job("j2", request=a_wish("k2", **fields))
        assert (await store.request(birth(other), same_since=NOW, is_exclusive=False)).asked is Asked.NEW

    async def test_start_another_starts_one_more_and_only_once(self, store: Store) -> None:
        """The button is a wish of its own: it does not look for equals, and pressing it twice is one wish."""

        async def press(id_: str) -> Answered:
            change = birth(a_job(id_, request=a_wish("again:k2")))
            return await store.request(change, same_since=at(seconds=-60), is_exclusive=False, is_again=True)

        await ask(store, "k1", "j1")
        await ask(store, "k2", "j2")
        first, second = await press("j3"), await press("j4")
        assert (first.asked, first.job.id) == (Asked.NEW, "j3")
        assert second == first

    async def test_an_answer_that_was_the_same_stays_the_same(self, store: Store) -> None:
        """A repeated delivery links the job that it linked before, also when that has ended meanwhile."""
        job = (await ask(store, "k1", "j1")).job
        await ask(store, "k2", "j2")
        await store.apply([step(job, Event.CANCEL)])
        later = await ask(store, "k2", "j3")
        assert (later.asked, later.job.id) == (Asked.SAME, "j1")

    async def test_the_wish_behind_an_answer_is_kept(self, store: Store) -> None:
        """The button "Start another" starts what was typed, not what the earlier job was."""
        await ask(store, "k1", "j1")
        await ask(store, "k2", "j2")
        assert await store.asked_for("k2") == a_wish("k2")
        assert await store.asked_for("k404") is None

    async def test_a_model_in_training_is_busy_where_its_service_takes_one_at_a_time(self, store: Store) -> None:
        """Whoever started it and wherever: the second training would be refused, or spoil the first."""
        await keep(store, a_job("j1", JobState.RUNNING, request=a_wish("k1", actor=BORA, channel="C0OTHER")))
        busy = await ask(store, "k2", "j2", exclusive=True)
        assert (busy.asked, busy.job.id) == (Asked.BUSY, "j1")
        assert (await ask(store, "k3", "j3", exclusive=False)).asked is Asked.NEW

    @pytest.mark.parametrize("fields", [{"model": "other"}, {"provider": "aitems"}])
    async def test_another_model_is_not_busy(self, store: Store, fields: dict[str, object]) -> None:
        """Busy is one model at one service."""
        await keep(store, a_job("j1", JobState.RUNNING, request=a_wish("k1", **fields)))
        assert (await ask(store, "k2", "j2", exclusive=True)).asked is Asked.NEW

    async def test_start_another_does_not_get_round_busy(self, store: Store) -> None:
        """What the service would refuse is not started by any button."""
        await ask(store, "k1", "j1")
        change = birth(a_job("j2", request=a_wish("k2")))
        answer = await store.request(change, same_since=NOW, is_exclusive=True, is_again=True)
        assert (answer.asked, answer.job.id) == (Asked.BUSY, "j1")

    async def test_a_training_from_elsewhere_is_watched_by_one_job(self, store: Store) -> None:
        """Whoever presses [Watch] and at what moment: one card follows it, and after its end a new one may."""

        async def watch(id_: str) -> Answered:
            job = a_job(id_, JobState.QUEUED, remote_id="r1", request=a_wish(id_, actor=Actor(team="T", user=id_)))
            return await store.request(birth(job), same_since=NOW, is_exclusive=False, is_again=True)

        await keep(store, a_job("other", JobState.RUNNING, remote_id="r2"))
        answers = await asyncio.gather(*(watch(f"j{number}") for number in range(9)))
        assert sorted(answer.asked for answer in answers) == [Asked.NEW, *[Asked.SAME] * 8]
        [id_] = {answer.job.id for answer in answers}
        await store.apply([step(await found(store, id_), Event.FAIL)])
        assert (await watch("later")).asked is Asked.NEW

    async def test_busy_stays_the_answer_of_its_delivery(self, store: Store) -> None:
        """A repeated delivery does not start, later, what was refused at first."""
        job = await keep(store, a_job("j1", request=a_wish("k1", actor=BORA)))
        await ask(store, "k2", "j2", exclusive=True)
        await store.apply([step(job, Event.CANCEL)])
        later = await ask(store, "k2", "j3", exclusive=True)
        assert (later.asked, later.job.id) == (Asked.BUSY, "j1")


class Urls:
    """The response_url of a command is a secret that works for 30 minutes."""

    async def test_a_response_url_is_known_while_it_works(self, store: Store) -> None:
        """Slack takes answers through it for 30 minutes; later there is no use in trying."""
        url = "https://hooks.example/commands/1"
        await store.request(birth(a_job()), same_since=NOW, is_exclusive=False, url=url)
        assert await store.reply_url("j1", at(minutes=29, seconds=59)) == url
        assert await store.reply_url("j1", at(minutes=30)) is None
        assert await store.reply_url("j404", NOW) is None

    async def test_a_command_without_an_url_has_none(self, store: Store) -> None:
        """What did not come through a command cannot be answered through one."""
        await keep(store, a_job())
        assert await store.reply_url("j1", NOW) is None

    async def test_only_the_command_that_made_the_job_is_answered(self, store: Store) -> None:
        """A later command that was answered with this job is not the one to be told how it goes on."""
        await ask(store, "k1", "j1")
        same = a_job("j2", request=a_wish("k2"))
        answer = await store.request(birth(same), same_since=NOW, is_exclusive=False, url="https://hooks.example/2")
        assert (answer.asked, answer.job.id) == (Asked.SAME, "j1")
        assert await store.reply_url("j1", NOW) is None

    async def test_old_urls_are_forgotten_and_young_ones_are_not(self, store: Store) -> None:
        """No secret is kept longer than it is of use."""
        for id_, made in (("old", at(minutes=-31)), ("new", NOW)):
            job = a_job(id_, created_at=made, request=a_wish(id_, model=id_))
            await store.request(birth(job), same_since=NOW, is_exclusive=False, url=f"https://hooks.example/{id_}")
        await store.forget_urls(at(minutes=-30))
        assert await store.reply_url("old", at(minutes=-31)) is None
        assert await store.reply_url("new", NOW) == "https://hooks.example/new"


class Due:
    """Work is handed out once."""

    @pytest.mark.parametrize("work", Work)
    async def test_a_tick_gets_exactly_the_states_of_its_work(self, store: Store, work: Work) -> None:
        """A job that waits for people, or has ended, is nobody's work."""
        for state in JobState:
            await keep(store, a_job(state.value, state))
        assert set(ids(await store.claim_due(work, NOW, at(minutes=1), 100))) == DUE_IN[work]

    async def test_the_earliest_come_first_and_no_more_than_asked_for(self, store: Store) -> None:
        """Under load nobody is forgotten: the one that waits longest is next."""
        states = sorted(DUE_IN[Work.POLL]) * 2
        for number, (second, state) in enumerate(zip([5, 1, 4, 2, 3, 0], states, strict=False)):
            await keep(store, a_job(f"j{number}", state, act_at=at(seconds=second)))
        claimed = [await store.claim_due(Work.POLL, at(seconds=9), at(minutes=1), limit) for limit in (2, 3, 9)]
        assert [ids(jobs) for jobs in claimed] == [["j5", "j1"], ["j3", "j4", "j2"], ["j0"]]

    async def test_a_job_is_handed_out_whole(self, store: Store) -> None:
        """Who gets a job needs no second look into the store."""
        await keep(store, replace(FULL, act_at=NOW))
        [job] = await store.claim_due(Work.POLL, NOW, at(minutes=1), 9)
        assert replace(job, act_at=NOW) == replace(FULL, act_at=NOW)

    async def test_what_is_not_due_waits(self, store: Store) -> None:
        """Neither early, nor a job that nobody has to do anything about."""
        await keep(store, a_job("later", act_at=at(milliseconds=1)))
        await keep(store, a_job("never", act_at=None))
        assert await store.claim_due(Work.CHECK, NOW, at(minutes=1), 9) == []
        assert ids(await store.claim_due(Work.CHECK, at(milliseconds=1), at(minutes=1), 9)) == ["later"]

    async def test_a_lease_keeps_a_job_until_it_is_over(self, store: Store) -> None:
        """A step that died gives its job back, and not before its time."""
        await keep(store, a_job())
        assert ids(await store.claim_due(Work.CHECK, NOW, at(minutes=1), 9)) == ["j1"]
        assert await store.claim_due(Work.CHECK, at(seconds=59), at(minutes=2), 9) == []
        assert ids(await store.claim_due(Work.CHECK, at(minutes=1), at(minutes=2), 9)) == ["j1"]

    async def test_no_job_is_handed_out_twice(self, store: Store) -> None:
        """However many ask at one moment: a training is not started by two steps."""
        for number in range(30):
            await keep(store, a_job(f"j{number}", JobState.APPROVED))
        claims = [store.claim_due(Work.LAUNCH, NOW, at(minutes=1), 4) for _ in range(12)]
        claimed = [job.id for jobs in await asyncio.gather(*claims) for job in jobs]
        assert sorted(claimed) == sorted(f"j{number}" for number in range(30))

    async def test_bookkeeping_says_when_the_next_look_is_due(self, store: Store) -> None:
        """The step that ends puts its own time in the place of the lease."""
        await keep(store, a_job(state=JobState.RUNNING))
        [job] = await store.claim_due(Work.POLL, NOW, at(hours=1), 9)
        await store.apply([bookkeeping(job, act_at=at(seconds=15))])
        assert ids(await store.claim_due(Work.POLL, at(seconds=15), at(hours=1), 9)) == ["j1"]

    async def test_a_restart_takes_up_what_the_former_process_held(self, store: Store) -> None:
        """Leases die with their process; what nobody has to do stays so."""
        await keep(store, a_job("leased"))
        await keep(store, a_job("waits", JobState.OFFERED, act_at=None))
        await store.claim_due(Work.CHECK, NOW, at(hours=1), 9)
        await store.resume(at(seconds=1))
        assert ids(await store.claim_due(Work.CHECK, at(seconds=1), at(hours=1), 9)) == ["leased"]
        assert (await found(store, "waits")).act_at is None


class Moves:
    """A change is written whole or not at all."""

    async def test_a_move_brings_everything_that_follows_from_it(self, store: Store) -> None:
        """Job, transition, prompts and messages are one step: no reader sees one without the others."""
        job = await keep(store, a_job(state=JobState.RUNNING))
        prompt, line = a_prompt(), a_notice("j1:move:2", "j1", job_id="j1")
        change = step(
            job,
            Event.OFFER,
            when=at(minutes=5),
            plan=PLAN,
            claim={"a": 1},
            remote_id="r1",
            look=LOOK,
            act_at=at(minutes=6),
            opens=(prompt,),
            notices=(line,),
        )
        assert await store.apply([change]) == [True]
        assert await store.job("j1") == change.job
        assert (await store.transitions("j1"))[1:] == [change.transition]
        assert await store.prompts("j1") == [prompt]
        assert await store.notice("j1:move:2") == line

    async def test_a_change_to_a_job_that_moved_on_leaves_no_trace(self, store: Store) -> None:
        """Who comes too late changes nothing, and tells nobody."""
        job = await keep(store, a_job(state=JobState.RUNNING))
        await store.apply([step(job, Event.FAIL)])
        late = step(job, Event.OFFER, opens=(a_prompt(),), notices=(a_notice("late"),), remote_id="r2")
        assert await store.apply([late]) == [False]
        assert await store.job("j1") == step(job, Event.FAIL).job
        assert [one.new for one in await store.transitions("j1")] == [JobState.RUNNING, JobState.FAILED]
        assert (await store.prompts("j1"), await store.notice("late")) == ([], None)

    async def test_each_change_stands_for_itself(self, store: Store) -> None:
        """One job that moved on does not hold up the others of a tick."""
        jobs = [await keep(store, a_job(f"j{number}", JobState.RUNNING)) for number in range(3)]
        await store.apply([step(jobs[1], Event.FAIL)])
        assert await store.apply([step(job, Event.FINISH) for job in jobs]) == [True, False, True]
        states = [(await found(store, job.id)).state for job in jobs]
        assert states == [JobState.DONE, JobState.FAILED, JobState.DONE]

    async def test_changes_are_written_in_their_order(self, store: Store) -> None:
        """A step may take a job two moves on: the second builds on the first."""
        job = await keep(store, a_job(state=JobState.APPROVED))
        starting = step(job, Event.START)
        refused = step(starting.job, Event.REFUSE)
        assert await store.apply([starting, refused]) == [True, True]
        assert (await found(store)).state is JobState.FAILED
        assert [one.seq for one in await store.transitions("j1")] == [1, 2, 3]

    async def test_what_builds_on_a_lost_change_is_lost_too(self, store: Store) -> None:
        """The second of two moves does not come without the first."""
        job = await keep(store, a_job(state=JobState.APPROVED))
        await store.apply([step(job, Event.CANCEL)])
        starting = step(job, Event.START)
        assert await store.apply([starting, step(starting.job, Event.REFUSE)]) == [False, False]
        assert (await found(store)).state is JobState.CANCELLED

    async def test_no_changes_are_no_work(self, store: Store) -> None:
        """A tick that found nothing may say so."""
        assert await store.apply([]) == []

    async def test_a_change_to_an_unknown_job_is_refused(self, store: Store) -> None:
        """Nothing is written about a job that is not there."""
        assert await store.apply([step(a_job("j404"), Event.PASS)]) == [False]
        assert await store.transitions("j404") == []

    async def test_of_many_who_move_a_job_one_wins(self, store: Store) -> None:
        """Two people click at one moment: one decided, the other hears of it."""
        job = await keep(store, a_job(state=JobState.OFFERED))
        racing = [step(job, Event.PROMOTE, notices=(a_notice(f"n{number}"),)) for number in range(20)]
        outcomes = await asyncio.gather(*(store.apply([change]) for change in racing))
        assert sorted(outcomes) == [[False]] * 19 + [[True]]
        assert len(await store.transitions("j1")) == 2
        assert [bool(await store.notice(f"n{number}")) for number in range(20)] == [won for [won] in outcomes]

    async def test_bookkeeping_keeps_the_version(self, store: Store) -> None:
        """What a look saw makes no waiting click stale."""
        job = await keep(store, a_job(state=JobState.RUNNING))
        looked = bookkeeping(job, look=LOOK, act_at=at(seconds=15), remote_id="r1", switch={"v": 1})
        assert await store.apply([looked]) == [True]
        assert await store.job("j1") == looked.job
        assert await store.apply([step(job, Event.STOP)]) == [True]
        assert len(await store.transitions("j1")) == 2

    async def test_bookkeeping_of_a_job_that_moved_on_is_dropped(self, store: Store) -> None:
        """A slow look does not put its view over what happened meanwhile."""
        job = await keep(store, a_job(state=JobState.RUNNING))
        moved = step(job, Event.FINISH)
        await store.apply([moved])
        assert await store.apply([bookkeeping(job, look=LOOK, notices=(a_notice("late"),))]) == [False]
        assert await store.job("j1") == moved.job
        assert await store.notice("late") is None

    async def test_a_message_is_told_once_whichever_change_brings_it(self, store: Store) -> None:
        """The key of a notice is its meaning: the same meaning is not told again, and the change stands."""
        job = await keep(store, a_job(state=JobState.RUNNING), a_notice("once", body={"text": "first"}))
        change = bookkeeping(job, notices=(a_notice("once", id="other", body={"text": "second"}), a_notice("more")))
        assert await store.apply([change]) == [True]
        assert (await stored(store, "once")).body == {"text": "first"}
        assert await store.notice("more") is not None

    async def test_jobs_are_found_by_their_states(self, store: Store) -> None:
        """Oldest first, whatever was kept first."""
        for minute, state in ((3, JobState.STARTING), (1, JobState.STARTING), (2, JobState.RUNNING)):
            await keep(store, a_job(f"j{minute}", state, created_at=at(minutes=minute)))
        assert ids(await store.in_states(frozenset({JobState.STARTING}))) == ["j1", "j3"]
        assert ids(await store.in_states(frozenset({JobState.RUNNING, JobState.STARTING}))) == ["j1", "j2", "j3"]
        assert await store.in_states(frozenset()) == []

    async def test_the_living_job_that_follows_a_training_is_found(self, store: Store) -> None:
        """Watching the same training twice is answered with the card that there is."""
        await keep(store, a_job("ended", JobState.FAILED, remote_id="r1"))
        await keep(store, a_job("other", JobState.RUNNING, remote_id="r2"))
        assert await store.watched("sestek", "r1", "my-model") is None
        alive = await keep(store, a_job("alive", JobState.RUNNING, remote_id="r1"))
        assert await store.watched("sestek", "r1", "my-model") == alive
        assert await store.watched("sestek", "r1", "r1") == alive, "an id is no name of a model"
        assert await store.watched("sestek", "r1", "else") is None
        assert await store.watched("aitems", "r1", "my-model") is None

    async def test_an_earlier_training_with_the_same_file_is_found(self, store: Store) -> None:
        """The newest earlier one of the same model and team, whatever became of it; nothing without a file."""

        async def trained(id_: str, minute: int, sha256: str = "a" * 64, **wish: Any) -> Job:
            payload = Payload(name="a.jsonl", sha256=sha256, size=1, rows=1)
            plan = Plan(provider="sestek", model="my-model", body={}, payload=payload)
            request = a_wish(f"key of {id_}", **wish)
            job = a_job(id_, JobState.FAILED, created_at=at(minutes=minute), request=request, plan=plan)
            return await keep(store, job)

        first, second = await trained("first", 1), await trained("second", 2)
        await trained("other file", 3, "b" * 64)
        await trained("other model", 3, model="else")
        await trained("other team", 3, actor=Actor(team="T0OTHER", user="U0ADA"))
        late = await trained("late", 9)
        assert await store.same_data(late) == second
        assert await store.same_data(second) == first
        assert await store.same_data(first) is None
        assert await store.same_data(replace(late, plan=None)) is None


class Prompts:
    """A question is answered once."""

    async def test_prompts_come_back_as_they_were_asked(self, store: Store) -> None:
        """With the rule, the digest and the times that held."""
        prompt = a_prompt(expires_at=at(hours=168))
        await store.request(birth(a_job(), opens=[prompt]), same_since=NOW, is_exclusive=False)
        assert await store.prompt("p1") == prompt
        assert await store.prompts("j1") == await store.open_prompts() == [prompt]
        assert await store.prompt("p404") is None
        assert await store.prompts("j404") == []

    async def test_an_answer_closes_its_prompt(self, store: Store) -> None:
        """With who, what and why, for the record."""
        prompt = a_prompt()
        job = a_job(state=JobState.OFFERED)
        await store.request(birth(job, opens=[prompt]), same_since=NOW, is_exclusive=False)
        closed = replace(answered(prompt, Answer.REJECT), reason="“Too early”, says Öykü")
        assert await store.apply([step(job, Event.REJECT, closes=(closed,))]) == [True]
        assert await store.prompt("p1") == closed
        assert await store.open_prompts() == []

    async def test_a_closed_prompt_takes_no_answer(self, store: Store) -> None:
        """Also where the version would still fit: the second answer to one question changes nothing."""
        prompt, job = a_prompt(), a_job(state=JobState.RUNNING)
        await store.request(birth(job, opens=[prompt]), same_since=NOW, is_exclusive=False)
        kept = answered(prompt, Answer.KEEP)
        second = answered(prompt, Answer.GIVE_UP, ADA)
        assert await store.apply([bookkeeping(job, closes=(kept,))]) == [True]
        assert await store.apply([bookkeeping(job, closes=(second,), notices=(a_notice("n"),))]) == [False]
        assert await store.apply([step(job, Event.LOSE, closes=(second,))]) == [False]
        assert await store.prompt("p1") == kept
        assert (await found(store)).state is JobState.RUNNING
        assert await store.notice("n") is None

    async def test_a_prompt_that_was_never_asked_cannot_be_answered(self, store: Store) -> None:
        """A made-up question decides nothing."""
        job = await keep(store, a_job(state=JobState.OFFERED))
        assert await store.apply([step(job, Event.PROMOTE, closes=(answered(a_prompt("p404")),))]) == [False]
        assert (await found(store)).state is JobState.OFFERED

    async def test_of_many_answers_at_one_moment_one_counts(self, store: Store) -> None:
        """Also where the answers move nothing."""
        prompt, job = a_prompt(), a_job(state=JobState.RUNNING)
        await store.request(birth(job, opens=[prompt]), same_since=NOW, is_exclusive=False)
        closing = [answered(prompt, Answer.KEEP, Actor(team="T", user=f"U{number}")) for number in range(10)]
        outcomes = await asyncio.gather(*(store.apply([bookkeeping(job, closes=(one,))]) for one in closing))
        assert sorted(outcomes) == [[False]] * 9 + [[True]]
        [[winner]] = [[one] for one, [won] in zip(closing, outcomes, strict=True) if won]
        assert await store.prompt("p1") == winner

    async def test_prompts_stand_in_the_order_of_asking(self, store: Store) -> None:
        """Closing an older question does not make it the newest."""
        first, second = a_prompt("p9"), a_prompt("p1")
        job = a_job(state=JobState.RUNNING)
        await store.request(birth(job, opens=[first, second]), same_since=NOW, is_exclusive=False)
        early = a_prompt("p5", asked_at=at(seconds=-1))
        await store.apply([bookkeeping(job, opens=(early,), closes=(answered(first),))])
        assert [prompt.id for prompt in await store.prompts("j1")] == ["p5", "p9", "p1"]
        assert [prompt.id for prompt in await store.open_prompts()] == ["p5", "p1"]

    async def test_a_withdrawn_prompt_makes_room_for_a_fresh_one(self, store: Store) -> None:
        """One change closes the outdated question and asks anew."""
        prompt, job = a_prompt(), a_job(state=JobState.OFFERED)
        await store.request(birth(job, opens=[prompt]), same_since=NOW, is_exclusive=False)
        withdrawn = replace(prompt, outcome=Outcome.WITHDRAWN, reason="changed", closed_at=NOW, version=2)
        assert await store.apply([bookkeeping(job, closes=(withdrawn,), opens=(a_prompt("p2"),))]) == [True]
        assert await store.open_prompts() == [a_prompt("p2")]

    async def test_the_data_that_is_needed(self, store: Store) -> None:
        """That of what lives or is asked about, and of the last two switched trainings of each model; no other."""

        async def ended(id_: str, state: JobState, days: int, model: str = "my-model", sha256: str = "") -> None:
            plan = replace(PLAN, payload=Payload(name="a", sha256=sha256 or id_, size=1, rows=1))
            wish = a_wish(key=f"key of {id_}", model=model)
            await keep(store, a_job(id_, state, request=wish, plan=plan, created_at=at(days=days)))

        for day, id_ in enumerate(("live1", "live2", "live3"), 1):
            await ended(id_, JobState.LIVE, day)
        await ended("other1", JobState.PROMOTED, 1, model="other")
        await ended("failed", JobState.FAILED, 9)
        await ended("done", JobState.DONE, 9)
        await ended("running", JobState.RUNNING, 1)
        assert await store.needed_data() == {"live2", "live3", "other1", "running"}
        kept = a_wish(key="k9", kept={"data": "live1"}, data={"data": "a"}, kept_from="live1")
        await keep(store, a_job("again", request=kept))
        question = a_prompt("p9", "failed", subject=Subject.GO_ON)
        job = await found(store, "failed")
        assert await store.apply([bookkeeping(job, opens=(question,))]) == [True]
        assert await store.needed_data() == {"live1", "live2", "live3", "other1", "running", "failed"}


class AtOnce:
    """Two processes on one database, each with a store of its own (`stores`; one twice, where only one may write)."""

    async def test_of_two_votes_at_one_moment_none_writes_over_the_other(self, stores: Pair) -> None:
        """Both read a prompt without votes: one is kept, the other has to be given again upon it."""
        left, right = stores
        prompt = a_prompt()
        await left.request(birth(a_job(), opens=[prompt]), same_since=NOW, is_exclusive=False)
        outcomes = await asyncio.gather(left.amend(voted(prompt, ADA)), right.amend(voted(prompt, BORA)))
        assert sorted(outcomes) == [False, True]
        read = await right.prompt("p1")
        assert read is not None
        assert len(read.votes) == 1
        assert await right.amend(voted(read, BORA if outcomes[0] else ADA))
        kept = await left.prompt("p1")
        assert kept is not None
        assert {vote.actor for vote in kept.votes} == {ADA, BORA}

    async def test_a_vote_does_not_open_again_what_was_decided(self, stores: Pair) -> None:
        """An answer with its move, a vote and a reminder at one moment: one is first, the others leave no trace."""
        left, right = stores
        prompt, job = a_prompt(), a_job(state=JobState.OFFERED)
        await left.request(birth(job, opens=[prompt]), same_since=NOW, is_exclusive=False)
        reminded = replace(prompt, version=2, reminders=1)
        [is_moved], is_voted, is_reminded = await asyncio.gather(
            left.apply([step(job, Event.PROMOTE, closes=(answered(prompt),), notices=(a_notice("moved"),))]),
            right.amend(replace(voted(prompt, ADA), notices=(a_notice("voted"),))),
            right.amend(Amendment(writes=(reminded,), notices=(a_notice("reminded"),))),
        )
        assert [is_moved, is_voted, is_reminded].count(True) == 1
        told_of = {"moved": is_moved, "voted": is_voted, "reminded": is_reminded}
        assert {key: await left.notice(key) is not None for key in told_of} == told_of
        assert (await found(right)).state is (JobState.PROMOTING if is_moved else JobState.OFFERED)

    async def test_of_an_answer_and_an_end_at_one_moment_one_holds(self, stores: Pair) -> None:
        """Approved by one process and expired by another: the job makes one of the two moves."""
        left, right = stores
        prompt, job = a_prompt(), a_job(state=JobState.OFFERED)
        await left.request(birth(job, opens=[prompt]), same_since=NOW, is_exclusive=False)
        expired = replace(prompt, outcome=Outcome.EXPIRED, closed_at=NOW, version=2)
        outcomes = await asyncio.gather(
            left.apply([step(job, Event.PROMOTE, closes=(answered(prompt),))]),
            right.apply([step(job, Event.EXPIRE, closes=(expired,))]),
        )
        assert sorted(outcomes) == [[False], [True]]
        assert len(await left.transitions("j1")) == 2
        assert (await found(right)).state is (JobState.PROMOTING if outcomes[0] == [True] else JobState.EXPIRED)

    async def test_of_several_who_ask_at_one_moment_one_does(self, stores: Pair) -> None:
        """Two open questions on one thing could be answered differently."""
        left, right = stores
        job = await keep(left, a_job(state=JobState.RUNNING))
        changes = [replace(bookkeeping(job, opens=(a_prompt(f"p{one}"),)), asks_once=True) for one in range(6)]
        outcomes = await asyncio.gather(*((left, right)[one % 2].apply([changes[one]]) for one in range(6)))
        assert sorted(outcomes) == [[False]] * 5 + [[True]]
        [prompt] = await right.open_prompts()
        await left.apply([bookkeeping(job, closes=(answered(prompt),))])
        assert await right.apply([replace(bookkeeping(job, opens=(a_prompt("p9"),)), asks_once=True)]) == [True]
        other = replace(bookkeeping(job, opens=(a_prompt("p10", subject=Subject.CANCEL),)), asks_once=True)
        assert await right.apply([other]) == [True]

    async def test_of_several_who_would_switch_one_does(self, stores: Pair) -> None:
        """A lease may run out under its holder, while a machine sleeps: who claimed the job meanwhile sends nothing."""
        left, right = stores
        job = await keep(left, a_job(state=JobState.PROMOTING))
        sends = [replace(bookkeeping(job, switch={"before": {"n": one}}), begins_switch=True) for one in range(6)]
        outcomes = await asyncio.gather(*((left, right)[one % 2].apply([sends[one]]) for one in range(6)))
        assert sorted(outcomes) == [[False]] * 5 + [[True]]
        switch = {"before": {"n": outcomes.index([True])}}
        assert (await found(right)).switch == switch
        assert await left.apply([bookkeeping(job, look=LOOK)]) == [False]
        assert (await found(right)).switch == switch
        accepted = bookkeeping(job, switch={**switch, "accepted_at": NOW.isoformat()})
        assert await left.apply([accepted]) == [True]
        assert await right.apply([step(job, Event.NOT_APPLIED, switch=None)]) == [True]
        assert (await found(left)).switch is None

    async def test_no_job_is_handed_to_two_processes(self, stores: Pair) -> None:
        """Neither is one forgotten between them."""
        for number in range(30):
            await keep(stores[0], a_job(f"j{number}", JobState.PROMOTING))
        claims = [stores[one % 2].claim_due(Work.PROMOTE, NOW, at(minutes=1), 4) for one in range(12)]
        claimed = [job.id for jobs in await asyncio.gather(*claims) for job in jobs]
        assert sorted(claimed) == sorted(f"j{number}" for number in range(30))

    async def test_no_message_is_handed_to_two_processes(self, stores: Pair) -> None:
        """It would be posted twice."""
        await told(stores[0], *(a_notice(f"n{number}", f"lane {number}") for number in range(30)))
        takes = await asyncio.gather(*(stores[one % 2].take_notices(NOW, 7) for one in range(8)))
        assert sorted(one.key for batch in takes for one in batch) == sorted(f"n{number}" for number in range(30))

    async def test_one_click_delivered_to_two_processes_is_kept_once(self, stores: Pair) -> None:
        """Slack delivers to another connection what it thinks was lost on the first."""
        kept = await asyncio.gather(*(stores[one % 2].keep_click(a_click(f"c{one}")) for one in range(6)))
        assert sorted(kept) == [False] * 5 + [True]
        [click] = await stores[0].kept_clicks()
        assert click.id == f"c{kept.index(True)}"

    async def test_one_delivery_to_two_processes_makes_one_job(self, stores: Pair) -> None:
        """The key is unique over all processes."""
        answers = await asyncio.gather(*(ask(stores[one % 2], "k1", f"j{one}") for one in range(8)))
        assert len({answer.job.id for answer in answers}) == 1
        assert len(await stores[1].jobs(JobFilter(), limit=100)) == 1


class Outbox:
    """What is to be told is told in order, once, and never in two attempts at one time."""

    async def test_a_notice_comes_back_as_it_was_told(self, store: Store) -> None:
        """A lane's message carries what its rendering needs."""
        await keep(store, a_job())
        notice = a_notice("n", job_id="j1", channel=HERE, body={"b": "ü", "a": [1, {"x": None}]})
        await told(store, notice)
        assert await store.notice("n") == notice
        assert await store.take_notices(NOW, 9) == [notice]
        assert await store.notice("n404") is None

    async def test_the_same_thing_is_told_once(self, store: Store) -> None:
        """The first wording stays; the second is the same message."""
        await told(store, a_notice("n", id="one", body={"text": "first"}), a_notice("n", id="two"))
        await told(store, a_notice("n", id="three"))
        assert (await stored(store, "n")).id == "one"
        assert await taken(store) == ["n"]

    async def test_one_lane_goes_in_order_and_one_at_a_time(self, store: Store) -> None:
        """A thread line does not overtake its card, nor leave while the card is still on its way."""
        await told(store, a_notice("first"), a_notice("second"), a_notice("third"))
        for key in ("first", "second", "third"):
            notice = await take(store)
            assert notice.key == key
            assert await taken(store) == []
            await store.sent(notice, ts="1.1", channel=HERE)
        assert await taken(store) == []

    async def test_lanes_do_not_wait_for_each_other(self, store: Store) -> None:
        """One conversation that takes nothing stops no other; the oldest come first."""
        await told(store, a_notice("a1", "a"), a_notice("b1", "b"), a_notice("a2", "a"), a_notice("c1", "c"))
        assert await taken(store, limit=2) == ["a1", "b1"]
        assert await taken(store) == ["c1"]

    async def test_the_order_is_that_of_telling_whatever_the_times_say(self, store: Store) -> None:
        """A message whose time has not come holds back what was told after it in its lane."""
        await told(store, a_notice("first", try_at=at(seconds=9)), a_notice("second"), a_notice("other", "b"))
        assert await taken(store) == ["other"]
        assert await taken(store, at(seconds=9)) == ["first"]

    async def test_nothing_is_taken_twice(self, store: Store) -> None:
        """However many look at one moment."""
        await told(store, *(a_notice(f"n{number}", f"lane {number}") for number in range(30)))
        takes = await asyncio.gather(*(store.take_notices(NOW, 7) for _ in range(8)))
        assert sorted(one.key for batch in takes for one in batch) == sorted(f"n{number}" for number in range(30))

    async def test_from_the_taking_on_a_notice_counts_as_possibly_sent(self, store: Store) -> None:
        """A process that dies between taking and noting must look before it repeats; the taker sees how it stood."""
        await told(store, a_notice("n"))
        notice = await take(store, at(seconds=3))
        assert (notice.in_doubt, notice.attempts, notice.first_tried_at) == (False, 0, None)
        now = await stored(store, "n")
        assert (now.in_doubt, now.attempts, now.first_tried_at) == (True, 1, at(seconds=3))

    async def test_what_was_sent_is_known_by_its_place_and_time(self, store: Store) -> None:
        """An edit needs the message's ts and the conversation that really took it."""
        await told(store, a_notice("n", channel="U0ADA"))
        await store.sent(await take(store), ts="1700.0001", channel="D0ADA")
        sent = await stored(store, "n")
        assert (sent.sent_ts, sent.sent_to, sent.in_doubt) == ("1700.0001", "D0ADA", False)
        await store.resume(at(hours=1))
        assert await taken(store, at(days=9)) == []

    @pytest.mark.parametrize("in_doubt", [True, False])
    async def test_what_is_put_back_comes_again_in_its_time(self, store: Store, in_doubt: bool) -> None:
        """Surely not sent: simply again. Perhaps sent: looked up first, from the first attempt on."""
        await told(store, a_notice("n"), a_notice("next"))
        await store.put_back(await take(store), try_at=at(seconds=30), in_doubt=in_doubt, error="Slack asked to wait.")
        assert await taken(store, at(seconds=29)) == []
        again = await take(store, at(seconds=30))
        assert (again.key, again.in_doubt, again.attempts) == ("n", in_doubt, 1)
        assert (again.first_tried_at, again.error) == (NOW, "Slack asked to wait.")
        await store.put_back(again, try_at=at(seconds=60), in_doubt=in_doubt, error="")
        assert (await take(store, at(seconds=60))).first_tried_at == NOW

    async def test_what_a_delivery_writes_down_is_there_when_it_is_tried_again(self, store: Store) -> None:
        """The id of a file that was sent outlives the process that sent it; nothing else of the notice changes."""
        await told(store, a_notice("n", kind=NoticeKind.FILE, body={"size": 3}))
        sent = await take(store)
        await store.keep_body(replace(sent, body={**sent.body, "file_id": "F1"}, error="not written"))
        await store.resume(at(seconds=5))
        again = await take(store, at(seconds=5))
        assert again.body == {"size": 3, "file_id": "F1"}
        assert (again.in_doubt, again.error) == (True, "")

    async def test_after_a_restart_what_was_under_way_is_in_doubt(self, store: Store) -> None:
        """The former process may have posted it: it is handed out again, to be looked up."""
        await told(store, a_notice("n"), a_notice("waiting", "b", try_at=at(seconds=1)))
        await take(store)
        await store.resume(at(seconds=5))
        again = await store.take_notices(at(seconds=5), 9)
        assert [(one.key, one.in_doubt, one.attempts) for one in again] == [("n", True, 1), ("waiting", False, 0)]

    async def test_what_is_dropped_makes_way_and_is_not_told_again(self, store: Store) -> None:
        """Slack will never take it; the lane goes on, and the reason is kept."""
        await told(store, a_notice("n"), a_notice("next"))
        await store.drop(await take(store), "invalid_blocks")
        assert (await stored(store, "n")).error == "invalid_blocks"
        await told(store, a_notice("n", id="again"))
        assert await taken(store) == ["next"]

    @pytest.mark.parametrize("end", ["sent", "dropped"])
    async def test_what_only_one_person_should_see_is_not_kept(self, store: Store, end: str) -> None:
        """An answer holds a response_url, which is a secret, and words for one reader."""
        await told(store, a_notice("n", "x", NoticeKind.TOLD, body={"url": "https://hooks.example/1", "text": "t"}))
        notice = await take(store)
        await (store.sent(notice, ts="", channel="") if end == "sent" else store.drop(notice, "gone"))
        assert (await stored(store, "n")).body == {}


class Redraws:
    """An edit shows what holds when it is made, so one waiting edit stands for all."""

    async def test_a_redraw_is_left_out_while_its_message_waits(self, store: Store) -> None:
        """The message will be rendered with what holds then."""
        await told(store, a_notice("card", kind=NoticeKind.CARD), a_redraw("r1", "card"))
        assert await store.notice("r1") is None

    async def test_a_redraw_is_left_out_while_another_waits(self, store: Store) -> None:
        """A hundred looks between two deliveries are one edit."""
        await told(store, *(a_redraw(f"r{number}", "card") for number in range(100)))
        assert await taken(store) == ["r0"]
        assert await taken(store) == []

    async def test_a_redraw_is_kept_once_its_message_is_on_its_way(self, store: Store) -> None:
        """What is being rendered at this moment may lack what just happened."""
        await told(store, a_notice("card", kind=NoticeKind.CARD))
        card = await take(store)
        await told(store, a_redraw("r1", "card"), a_redraw("r2", "card"))
        await store.sent(card, ts="1.1", channel=HERE)
        assert await taken(store) == ["r1"]

    async def test_a_redraw_is_kept_once_the_other_is_on_its_way(self, store: Store) -> None:
        """Or the last state of a card would never be shown."""
        await told(store, a_redraw("r1", "card"))
        first = await take(store)
        await told(store, a_redraw("r2", "card"), a_redraw("r3", "card"))
        await store.sent(first, ts="", channel="")
        assert await taken(store) == ["r2"]

    @pytest.mark.parametrize("kind", [NoticeKind.CARD, NoticeKind.REDRAW])
    async def test_a_redraw_is_kept_beside_an_attempt_in_doubt(self, store: Store, kind: NoticeKind) -> None:
        """An attempt that is looked up and found shows what held when it was made, not what holds now."""
        await told(store, a_notice("card", kind=kind, body={"target": "card"}))
        await store.put_back(await take(store), try_at=NOW, in_doubt=True, error="")
        await told(store, a_redraw("r1", "card"))
        assert await store.notice("r1") is not None

    async def test_a_redraw_is_left_out_beside_a_message_surely_not_sent(self, store: Store) -> None:
        """It is rendered anew."""
        await told(store, a_notice("card", kind=NoticeKind.CARD))
        await store.put_back(await take(store), try_at=NOW, in_doubt=False, error="")
        await told(store, a_redraw("r1", "card"))
        assert await store.notice("r1") is None

    async def test_a_redraw_is_left_out_while_its_message_is_held(self, store: Store) -> None:
        """It will be rendered when it finds its place."""
        await keep(store, a_job(), a_notice("card", "j1", NoticeKind.CARD, job_id="j1"))
        await store.hold(await take(store), "not_in_channel", None)
        await told(store, a_redraw("r1", "card", "j1", job_id="j1"))
        assert await store.notice("r1") is None

    async def test_redraws_of_different_messages_are_different(self, store: Store) -> None:
        """The card's edit does not stand for the prompt's."""
        await told(store, a_redraw("r1", "card"), a_redraw("r2", "prompt:p1"))
        assert await store.notice("r2") is not None

    async def test_a_redraw_of_what_was_sent_is_kept(self, store: Store) -> None:
        """That is what it is for."""
        await told(store, a_notice("card", kind=NoticeKind.CARD))
        await store.sent(await take(store), ts="1.1", channel=HERE)
        await told(store, a_redraw("r1", "card"))
        assert await taken(store) == ["r1"]


FIFTY = Allowance(per_minute=50)


async def edited(store: Store, when: datetime = NOW, *, limit: int = 100) -> list[str]:
    """What is taken where Slack takes fifty edits a minute; each is sent, and its key told."""
    found = await store.take_notices(when, limit, FIFTY)
    for notice in found:
        await store.sent(notice, ts="", channel="")
    return keys(found)


async def many_cards(store: Store, count: int, state: JobState = JobState.RUNNING) -> None:
    """So many living trainings, the card of each of which is to be drawn again."""
    for number in range(count):
        id_ = f"{state}{number:03}"
        card = a_notice(f"{id_}:card", id_, NoticeKind.CARD, job_id=id_)
        await keep(store, a_job(id_, state), card)
    await edited(store, limit=1000)
    await told(store, *(card_edit(f"{state}{number:03}") for number in range(count)))


def card_edit(job_id: str, mark: str = "r") -> Notice:
    return a_redraw(f"{mark} {job_id}", f"{job_id}:card", job_id, job_id=job_id)


class Pacing:
    """Slack takes so many edits a minute of all cards together; nothing else waits for them."""

    async def test_two_hundred_cards_are_edited_within_the_limit(self, store: Store) -> None:
        """In no minute more than fifty, each within four minutes, and the one that waits longest first."""
        await many_cards(store, 200)
        gone: list[tuple[float, str]] = []
        for second in range(0, 360, 2):
            gone += [(second, key) for key in await edited(store, at(seconds=second))]
        assert [key for _, key in gone] == [f"r running{number:03}" for number in range(200)]
        times = [second for second, _ in gone]
        assert max(sum(start <= one < start + 60 for one in times) for start in range(360)) <= 50
        assert times[-1] <= 290

    async def test_a_card_that_changes_again_while_it_waits_is_edited_once(self, store: Store) -> None:
        """With the newest state; one that was edited just now stands behind all that wait."""
        await many_cards(store, 30)
        first = await edited(store)
        assert len(first) == 10
        await told(store, *(card_edit(f"running{number:03}", "again") for number in range(30)))
        assert len(await edited(store, at(seconds=60))) == 10
        rest = [key for second in range(90, 600, 15) for key in await edited(store, at(seconds=second))]
        assert rest == [
            *(f"r running{one:03}" for one in range(20, 30)),
            *(f"again running{one:03}" for one in range(10)),
        ]

    async def test_ends_and_questions_wait_for_no_edit(self, store: Store) -> None:
        """Not for those of other cards, and not for one of their own that came before; they go first of all."""
        await many_cards(store, 30)
        assert len(await edited(store)) == 10
        id_ = "running029"
        line, end, asked = (
            a_notice(key, lane, kind, job_id=id_)
            for key, lane, kind in (
                ("line", "running028", NoticeKind.LINE),
                ("end", id_, NoticeKind.END),
                ("asked", "running027", NoticeKind.PROMPT),
            )
        )
        await told(store, line, end, asked)
        assert await edited(store) == ["end", "asked", "line"]

    async def test_edits_that_people_wait_for_go_first(self, store: Store) -> None:
        """A question that was decided loses its buttons, an end is shown; then the others have their turn."""
        await many_cards(store, 20)
        await edited(store)
        await many_cards(store, 2, JobState.OFFERED)
        await many_cards(store, 2, JobState.FAILED)
        await told(store, a_notice("prompt:p1", "running019", NoticeKind.PROMPT, job_id="running019"))
        assert await edited(store, at(seconds=1)) == ["prompt:p1"]
        await told(store, a_redraw("closed", "prompt:p1", "running019", job_id="running019"))
        assert await edited(store, at(seconds=9)) == [
            "closed", "r offered000", "r offered001", "r failed000", "r failed001", "r running010",
        ]  # fmt: skip

    async def test_a_message_is_edited_once_at_a_time_and_after_what_was_told_before(self, store: Store) -> None:
        """The later state last, and never into a message that does not stand there yet."""
        await told(store, a_notice("line"), a_redraw("r1", "card"))
        assert await taken(store) == ["line"]
        assert await taken(store) == []
        await store.sent(await stored(store, "line"), ts="1.1", channel=HERE)
        edit = await take(store)
        await told(store, a_redraw("r2", "card"), a_redraw("r3", "prompt:p1"), a_notice("later"))
        assert await taken(store) == ["later", "r3"]
        await store.sent(edit, ts="", channel="")
        await store.sent(await stored(store, "later"), ts="1.2", channel=HERE)
        assert await taken(store) == ["r2"]

    async def test_after_a_refusal_no_card_is_edited_before_its_time(self, store: Store) -> None:
        """Slack names the time for the method, not for the message."""
        await many_cards(store, 12)
        edits = await store.take_notices(NOW, 3, FIFTY)
        for one in edits:
            await store.put_back(one, try_at=at(seconds=30), in_doubt=False, error="Slack asks to wait.")
        await told(store, a_notice("line", "elsewhere"))
        assert await edited(store, at(seconds=29)) == ["line"]
        assert (await edited(store, at(seconds=30)))[:4] == [f"r running00{number}" for number in range(4)]

    async def test_the_pace_is_kept(self, stores: Pair) -> None:
        """Whoever takes next goes on where the other stood, also after a restart."""
        await many_cards(stores[0], 30)
        assert len(await edited(stores[0])) == 10
        await stores[1].resume(at(seconds=1))
        assert await edited(stores[1], at(seconds=1)) == []
        assert await edited(stores[1], at(seconds=3)) == ["r running010", "r running011"]


class Held:
    """Where the bot may not post, messages wait until there is a place for them."""

    async def hold_card(self, store: Store, id_: str = "j1", place: str = HERE) -> Notice:
        """A job whose card its conversation did not take, with a line that follows it."""
        job = a_job(id_, place=place)
        card = a_notice(f"{id_}:card", id_, NoticeKind.CARD, job_id=id_)
        await keep(store, job, card, a_notice(f"{id_}:line", id_, job_id=id_))
        [notice] = [one for one in await store.take_notices(NOW, 9) if one.job_id == id_]
        await store.hold(notice, "not_in_channel", None)
        return notice

    async def test_what_is_held_waits_with_all_that_follows_it(self, store: Store) -> None:
        """Until it is released, not until a time; a restart changes nothing."""
        await self.hold_card(store)
        held = await stored(store, "j1:card")
        assert (held.is_held, held.in_doubt, held.error) == (True, False, "not_in_channel")
        await store.resume(at(days=1))
        assert await taken(store, at(days=9)) == []

    async def test_the_person_is_told_in_the_same_step(self, store: Store) -> None:
        """Holding and saying so are one."""
        await keep(store, a_job(), a_notice("j1:card", "j1", NoticeKind.CARD, job_id="j1"))
        ways = a_notice("ways", "ways", NoticeKind.TOLD, body={"text": "Two ways on …"})
        await store.hold(await take(store), "not_in_channel", ways)
        assert await taken(store) == ["ways"]

    async def test_an_invitation_releases_what_was_held_there(self, store: Store) -> None:
        """All trainings of that conversation go on, in order, and no others."""
        await self.hold_card(store, "j1")
        await self.hold_card(store, "j2")
        await self.hold_card(store, "j3", "C0OTHER")
        assert sorted(await store.release(HERE)) == ["j1", "j2"]
        assert await taken(store) == ["j1:card", "j2:card"]
        assert (await stored(store, "j3:card")).is_held

    async def test_one_training_can_be_released_alone(self, store: Store) -> None:
        """ "Post here" is about one training."""
        await self.hold_card(store, "j1")
        await self.hold_card(store, "j2")
        assert await store.release(HERE, job_id="j2") == ["j2"]
        assert await taken(store) == ["j2:card"]

    async def test_a_training_can_move_to_another_place(self, store: Store) -> None:
        """ "Use my DM": from now on its messages go there."""
        await self.hold_card(store, "j1")
        await self.hold_card(store, "j2")
        assert await store.release(HERE, job_id="j1", to="U0ADA") == ["j1"]
        assert ((await found(store, "j1")).place, (await found(store, "j2")).place) == ("U0ADA", HERE)
        card = await take(store)
        assert (card.key, card.in_doubt) == ("j1:card", False)

    async def test_a_move_under_way_does_not_take_the_place_back(self, store: Store) -> None:
        """Where a job's messages go is decided by its release, not by a step that began before it."""
        await self.hold_card(store)
        job = await found(store)
        await store.release(HERE, job_id="j1", to="U0ADA")
        await store.move_to("j1", "D0ADA")
        assert await store.apply([step(job, Event.PASS)]) == [True]
        assert (await found(store)).place == "D0ADA"

    async def test_moving_makes_no_click_stale(self, store: Store) -> None:
        """A place is no state: the version stays."""
        await self.hold_card(store)
        await store.move_to("j1", "D0ADA")
        job = await found(store)
        assert (job.version, job.place) == (1, "D0ADA")

    async def test_nothing_held_is_nothing_released(self, store: Store) -> None:
        """Pressing the button a second time changes nothing, nor does an invitation to anywhere."""
        await keep(store, a_job(), a_notice("j1:card", "j1", NoticeKind.CARD, job_id="j1"))
        assert await store.release(HERE) == []
        assert await store.release(HERE, job_id="j1", to="U0ADA") == []
        assert (await found(store)).place == HERE

    async def test_a_message_in_doubt_stays_in_doubt_while_it_is_held(self, store: Store) -> None:
        """An attempt before the bot was thrown out may have succeeded."""
        await keep(store, a_job(), a_notice("n", "j1", job_id="j1"))
        await store.put_back(await take(store), try_at=NOW, in_doubt=True, error="")
        await store.hold(await take(store), "not_in_channel", None)
        await store.release(HERE)
        assert (await take(store)).in_doubt


class Waiting:
    """Clicks and questions that wait for an answer from outside."""

    async def test_a_click_is_kept_once_a_person_and_prompt(self, store: Store) -> None:
        """Impatience is not a second answer: the first of each person counts, in the order of clicking."""
        first = a_click("c9", reason="because “ü”", url="https://hooks.example/1")
        other, elsewhere = a_click("c1", actor=ADA), a_click("c2", "p2")
        clicks = (first, other, elsewhere, a_click("c3"), replace(first, answer=Answer.REJECT))
        assert [await store.keep_click(click) for click in clicks] == [True, True, True, False, False]
        assert await store.kept_clicks() == [first, other, elsewhere]

    async def test_a_click_that_was_decided_is_gone(self, store: Store) -> None:
        """Afterwards the same person may click again, and dropping twice does no harm."""
        await store.keep_click(a_click("c1"))
        await store.drop_click("c1")
        await store.drop_click("c1")
        await store.keep_click(a_click("c2"))
        assert await store.kept_clicks() == [a_click("c2")]

    async def test_an_inquiry_is_handed_out_once_a_lease(self, store: Store) -> None:
        """It is answered once, also if the one that answers dies at it."""
        await store.inquire(an_inquiry())
        await store.inquire(replace(an_inquiry(), words={}))
        assert await store.claim_inquiries(NOW, at(minutes=1)) == [an_inquiry()]
        assert await store.claim_inquiries(at(seconds=59), at(minutes=2)) == []
        assert await store.claim_inquiries(at(minutes=1), at(minutes=2)) == [an_inquiry()]

    async def test_inquiries_are_answered_in_the_order_of_asking(self, store: Store) -> None:
        """And none is given to two."""
        for number in (3, 1, 2):
            await store.inquire(an_inquiry(f"i{number}", asked_at=at(milliseconds=number)))
        claims = await asyncio.gather(*(store.claim_inquiries(at(seconds=1), at(minutes=1)) for _ in range(5)))
        assert [[one.id for one in batch] for batch in claims if batch] == [["i1", "i2", "i3"]]

    async def test_an_answered_inquiry_is_gone_and_its_answer_is_told(self, store: Store) -> None:
        """One step: no answer without an end, no end without the answer."""
        await store.inquire(an_inquiry())
        await store.end_inquiry("i1", a_notice("answer"))
        await store.resume(at(hours=1))
        assert await store.claim_inquiries(at(days=1), at(days=2)) == []
        assert await taken(store) == ["answer"]

    async def test_an_inquiry_may_end_without_a_word(self, store: Store) -> None:
        """Its response_url works no more."""
        await store.inquire(an_inquiry())
        await store.end_inquiry("i1", None)
        assert await store.claim_inquiries(at(days=1), at(days=2)) == []

    async def test_nobody_has_more_living_jobs_than_one_may(self, store: Store) -> None:
        """The oldest living one stands in the way; other people are not held up, and an end makes room."""
        [first, _] = [await keep(store, a_job(f"j{number}", created_at=at(seconds=number))) for number in (1, 2)]
        assert (await capped(store, "k3", "j3", living=2)).asked is Asked.FULL
        assert (await capped(store, "k3", "j3", living=2)).job.id == "j1"
        assert await store.job("j3") is None
        assert (await capped(store, "k4", "j4", living=2, actor=BORA)).asked is Asked.NEW
        await store.apply([step(first, Event.CANCEL)])
        assert (await capped(store, "k5", "j5", living=2)).asked is Asked.NEW
        assert (await capped(store, "k6", "j6", living=2)).asked is Asked.FULL

    async def test_a_refusal_for_want_of_room_stays_one(self, store: Store) -> None:
        """The same delivery starts nothing later, when there is room again."""
        job = await keep(store, a_job("j1"))
        assert (await capped(store, "k2", "j2", living=1)).asked is Asked.FULL
        await store.apply([step(job, Event.CANCEL)])
        assert (await capped(store, "k2", "j2", living=1)).asked is Asked.FULL
        assert await store.job("j2") is None

    async def test_the_room_holds_also_for_commands_at_one_moment(self, store: Store) -> None:
        """Count and insert are one step."""
        answers = await asyncio.gather(*(capped(store, f"k{n}", f"j{n}", living=3) for n in range(12)))
        assert sorted(answer.asked for answer in answers) == [*[Asked.FULL] * 9, *[Asked.NEW] * 3]

    async def test_one_person_asks_only_so_often_a_minute(self, store: Store) -> None:
        """Trainings and questions count together, once a delivery; what was refused is not kept, and not counted."""
        assert (await capped(store, "k1", "j1", commands=2)).asked is Asked.NEW
        assert await store.inquire(an_inquiry("i1"), caps=Caps(commands=2))
        assert await store.inquire(an_inquiry("i1"), caps=Caps(commands=2))
        assert not await store.inquire(an_inquiry("i2"), caps=Caps(commands=2))
        refused = await capped(store, "k3", "j3", commands=2)
        assert (refused.asked, refused.job.id) == (Asked.TOO_FAST, "j3")
        assert await store.asked_for("k3") is None
        assert await store.job("j3") is None
        assert (await capped(store, "k1", "j9", commands=2)).job.id == "j1"
        assert await store.inquire(an_inquiry("i4", actor=BORA), caps=Caps(commands=2))
        assert [one.id for one in await store.claim_inquiries(NOW, at(minutes=1))] == ["i1", "i4"]

    async def test_the_minute_slides(self, store: Store) -> None:
        """What is a minute old does not count any more, and a clock that was wrong holds nobody up for long."""
        caps = Caps(commands=1)
        assert await store.inquire(an_inquiry("i1", asked_at=at(seconds=600)), caps=caps)
        assert await store.inquire(an_inquiry("i2", asked_at=NOW), caps=caps)
        assert not await store.inquire(an_inquiry("i3", asked_at=at(seconds=59)), caps=caps)
        assert await store.inquire(an_inquiry("i4", asked_at=at(seconds=60)), caps=caps)

    async def test_a_restart_takes_up_inquiries(self, store: Store) -> None:
        """Who asked still waits."""
        await store.inquire(an_inquiry())
        await store.claim_inquiries(NOW, at(hours=1))
        await store.resume(at(seconds=2))
        assert await store.claim_inquiries(at(seconds=2), at(hours=1)) == [an_inquiry()]


class Undelivered:
    """What Slack did not take is not out of sight."""

    async def test_what_does_not_stand_where_it_should_is_told_newest_first(self, store: Store) -> None:
        """Dropped, held, or tried in vain; not what was sent, what nobody tried yet, and what was overtaken."""
        lanes = ("sent", "dropped", "held", "again", "overtaken")
        await told(store, *(a_notice(name, lane=name) for name in lanes))
        taken_now = {notice.key: notice for notice in await store.take_notices(NOW, 100)}
        await store.sent(taken_now["sent"], ts="1.2", channel=HERE)
        await store.drop(taken_now["dropped"], "Slack refused: no_text.")
        await store.hold(taken_now["held"], "not_in_channel", None)
        await store.put_back(taken_now["again"], try_at=at(hours=1), in_doubt=False, error="Slack asks to wait.")
        await store.drop(taken_now["overtaken"], OVERTAKEN)
        await told(store, a_notice("fresh"))
        found = await store.undelivered(10)
        assert [(one.error, one.is_dropped, one.is_held) for one in found] == [
            ("Slack asks to wait.", False, False),
            ("not_in_channel", False, True),
            ("Slack refused: no_text.", True, False),
        ]
        assert len(await store.undelivered(2)) == 2

    async def test_answers_that_are_given_up_are_counted(self, store: Store) -> None:
        """Who forgets addresses learns how many answers were lost with them."""
        await told(store, a_notice("k", kind=NoticeKind.TOLD, lane="", body={"text": "x", "url": "https://hooks"}))
        notice = await take(store)
        await store.put_back(notice, try_at=NOW, in_doubt=True, error="")
        assert await store.forget_urls(at(minutes=-1)) == 0
        assert await store.forget_urls(at(minutes=31)) == 1
        assert await store.forget_urls(at(minutes=31)) == 0


class Recurring:
    """A planned time is one training, whoever gets to it."""

    async def test_of_two_who_take_a_turn_one_has_it(self, stores: Pair) -> None:
        """The schedule, the job and what is told are written together, or nothing is."""
        schedule = Schedule(id="r234567", request=a_wish(), timetable=parse_every("day 09:00"), created_at=NOW)
        await stores[0].plan(replace(schedule.activated("UTC", NOW), version=0))
        planned = await stores[1].schedule("r234567")
        assert planned is not None
        runs = []
        for number in (1, 2):
            job = a_job(f"j{number}", request=a_wish(f"every:{number}"))
            told = (a_notice(f"run {number}"),)
            started, skipped = planned.passed(at(days=1), job.id), planned.passed(at(days=1))
            runs.append(DueRun(change=birth(job), started=started, skipped=skipped, notices=told))
        answers = [
            await store.run_schedule(run, same_since=NOW, is_exclusive=False, caps=Caps())
            for store, run in zip(stores, runs, strict=True)
        ]
        assert [answer is not None for answer in answers] == [True, False]
        assert ids(await stores[0].jobs(JobFilter())) == ["j1"]
        assert await stores[0].notice("run 2") is None
        assert not await stores[1].amend_schedule(planned.ended("Too late.")), "a stop that was read before is too late"

    async def test_a_turn_that_failed_is_due_again(self, store: Store) -> None:
        """A run that cannot be written does not use up its time."""
        await keep(store, a_job("j1"))
        schedule = Schedule(id="r234567", request=a_wish(), timetable=parse_every("day 09:00"), created_at=NOW)
        await store.plan(replace(schedule.activated("UTC", NOW), version=0))
        planned = await store.schedule("r234567")
        assert planned is not None
        run = DueRun(
            change=birth(a_job("j1", request=a_wish("every:1", model="another"))),
            started=planned.passed(at(days=1), "j1"),
            skipped=planned.passed(at(days=1)),
        )
        with pytest.raises(StoreError):
            await store.run_schedule(run, same_since=at(hours=1), is_exclusive=False, caps=Caps())
        assert await store.schedule("r234567") == planned

    async def test_what_stands_in_the_way_is_told_and_counts_as_no_run(self, store: Store) -> None:
        """The next time is set all the same."""
        await keep(store, a_job("j1"))
        schedule = Schedule(id="r234567", request=a_wish(), timetable=parse_every("day 09:00"), created_at=NOW)
        await store.plan(replace(schedule.activated("UTC", NOW), version=0))
        planned = await store.schedule("r234567")
        assert planned is not None
        run = DueRun(
            change=birth(a_job("j2", request=a_wish("every:1"))),
            started=planned.passed(at(days=1), "j2"),
            skipped=planned.passed(at(days=1)),
            otherwise={Asked.BUSY: a_notice("busy"), Asked.SAME: a_notice("same")},
        )
        answer = await store.run_schedule(run, same_since=at(hours=1), is_exclusive=True, caps=Caps())
        assert answer is not None
        assert answer.asked is Asked.BUSY
        after = await store.schedule("r234567")
        assert after is not None
        assert (after.runs, after.last_job, after.next_at) == (0, "", planned.passed(at(days=1)).next_at)
        assert await store.notice("busy") is not None
        assert await store.notice("same") is None


class Known:
    """What is known of groups and services survives a restart."""

    async def test_a_group_is_kept_as_last_read(self, store: Store) -> None:
        """Members, when they were read, and since when they cannot be."""
        first = Group(id="S0OPS", members=frozenset({"U0ADA", "W0GRID"}), read_at=NOW)
        failing = replace(first, failing_since=at(minutes=1))
        empty = Group(id="S0NEW")
        for group in (first, empty, failing):
            await store.save_group(group)
        assert await store.groups(["S0OPS", "S0NEW", "S0404"]) == {"S0OPS": failing, "S0NEW": empty}
        assert await store.groups(["S0NEW"]) == {"S0NEW": empty}
        assert await store.groups([]) == {}

    async def test_what_was_read_of_a_group_before_it_changed_is_not_kept(self, store: Store) -> None:
        """However often it changes while it is read; a group that was never read may change too."""
        asked = Group(id="S0OPS")
        await store.forget_group("S0OPS")
        assert not await store.save_group(replace(asked, members=frozenset({"U0ADA"}), read_at=NOW))
        again = (await store.groups(["S0OPS"]))["S0OPS"]
        assert (again.members, again.read_at) == (frozenset(), None)
        await store.forget_group("S0OPS")
        assert not await store.save_group(replace(again, members=frozenset({"U0ADA"}), read_at=NOW))
        now = (await store.groups(["S0OPS"]))["S0OPS"]
        assert await store.save_group(replace(now, members=frozenset({"U0BORA"}), read_at=NOW))
        assert (await store.groups(["S0OPS"]))["S0OPS"].members == {"U0BORA"}

    async def test_a_person_is_kept_as_last_read(self, store: Store) -> None:
        """The time zone is asked for once a day, not with every sentence."""
        ada = Person(id=ADA.user, zone="Europe/Istanbul", read_at=NOW)
        assert await store.person(ADA.user) is None
        await store.keep_person(ada)
        await store.keep_person(replace(ada, has_left=True))
        assert await store.person(ADA.user) == replace(ada, has_left=True)

    async def test_one_identity_is_kept(self, store: Store) -> None:
        """The last one, also where the token was another; nothing is left of one that was forgotten."""
        first = Identity(token="a1", team="T0SWITCHYD", user="U0BOT", bot="B0BOT")
        second = Identity(token="b2", team="E0ACME", user="U0BOT", enterprise="E0ACME", is_org_wide=True)
        assert await store.identity() is None
        for one in (first, second, None):
            await store.keep_identity(one)
            assert await store.identity() == one

    async def test_a_touch_is_a_write_that_nothing_shows(self, store: Store) -> None:
        """It is asked for again and again, and leaves no group, no job and no message."""
        for _ in range(3):
            await store.touch()
        assert await store.jobs(JobFilter()) == []
        assert await store.health() == {}
        assert await store.undelivered(10) == []

    async def test_the_health_of_a_service_is_kept_with_what_is_told_of_it(self, store: Store) -> None:
        """A restart tells no outage twice."""
        away = ServiceHealth(name="sestek", failures=3, since=NOW, told_at=at(minutes=2))
        await store.save_health(away, [a_notice("away")])
        await store.save_health(replace(away, failures=4), [a_notice("away", id="again")])
        await store.save_health(ServiceHealth(name="sony"), [])
        assert await store.health() == {
            "sestek": replace(away, failures=4),
            "sony": ServiceHealth(name="sony"),
        }
        assert await taken(store) == ["away"]


HISTORY = [
    a_job("j1", JobState.DONE, request=a_wish("k1"), created_at=at(days=-3)),
    a_job(
        "j2",
        JobState.FAILED,
        request=a_wish("k2", provider="sony", model="churn", actor=BORA),
        created_at=at(days=-2),
    ),
    a_job(
        "j3",
        JobState.RUNNING,
        request=a_wish("k3", params={"title": "100% Über_fall", "lr": 0.25}),
        created_at=at(days=-1),
    ),
    a_job(
        "j4",
        JobState.DONE,
        request=a_wish("k4", provider="aitems", model="42", params={"hp": {"rate": [1, 'quo"te']}}),
        place="C0OTHER",
    ),
    a_job("j5", JobState.RUNNING, request=a_wish("k5", data={"data": "İstanbul.jsonl"})),
]
TWO_DAYS_AGO = at(days=-2)
FILTERED = [
    (JobFilter(), "j4 j5 j3 j2 j1"),
    (JobFilter(place=HERE), "j5 j3 j2 j1"),
    (JobFilter(place="C0OTHER"), "j4"),
    (JobFilter(user="U0BORA"), "j2"),
    (JobFilter(provider="sestek"), "j5 j3 j1"),
    (JobFilter(states=frozenset({JobState.DONE})), "j4 j1"),
    (JobFilter(states=frozenset({JobState.DONE, JobState.FAILED})), "j4 j2 j1"),
    (JobFilter(since=TWO_DAYS_AGO), "j4 j5 j3 j2"),
    (JobFilter(since=TWO_DAYS_AGO + timedelta(milliseconds=1)), "j4 j5 j3"),
    (JobFilter(place=HERE, user="U0ADA", provider="sestek", states=frozenset({JobState.DONE})), "j1"),
    (JobFilter(place=HERE, user="U0ADA", provider="sony"), ""),
    (JobFilter(provider="sestek", text="my-model", since=TWO_DAYS_AGO), "j5 j3"),
]
SEARCHED = {
    "churn": "j2",
    "CHURN": "j2",
    "my-": "j5 j3 j1",
    "J2": "j2",
    "100%": "j3",
    "%": "j3",
    "_": "j3",
    "über_FALL": "j3",
    "ÜBER": "j3",
    "İSTANBUL": "j5",
    "0.25": "j3",
    "rate": "j4",
    'quo"te': "j4",
    "42": "j4",
    "\\": "",
    "'; DROP TABLE jobs; --": "",
    "request_key": "",
    "channel": "",
    "U0ADA": "",
    HERE: "",
    "sestek": "",
}


class History:
    """Old trainings are found again."""

    async def test_filters_narrow_together(self, store: Store) -> None:
        """Newest first; each filter that is given must fit."""
        for job in HISTORY:
            await keep(store, job)
        found_ = [(wanted, " ".join(sorted(ids(await store.jobs(wanted))))) for wanted, _ in FILTERED]
        assert found_ == [(wanted, " ".join(sorted(expected.split()))) for wanted, expected in FILTERED]

    async def test_a_text_is_looked_for_in_model_id_and_parameters(self, store: Store) -> None:
        """As people write it, in any case, with no sign that means something else, and nowhere but there."""
        for job in HISTORY:
            await keep(store, job)
        assert {text: " ".join(ids(await store.jobs(JobFilter(text=text)))) for text in SEARCHED} == SEARCHED

    async def test_newest_come_first(self, store: Store) -> None:
        """Whatever was kept first."""
        for day in (2, 0, 3, 1):
            await keep(store, a_job(f"j{day}", created_at=at(days=day)))
        assert ids(await store.jobs(JobFilter())) == ["j3", "j2", "j1", "j0"]

    async def test_pages_follow_each_other_without_gap_or_overlap(self, store: Store) -> None:
        """Also where many were made at one moment."""
        for number in range(25):
            await keep(store, a_job(f"j{number:02}", created_at=at(seconds=number // 10)))
        pages = [ids(await store.jobs(JobFilter(), offset=offset, limit=10)) for offset in (0, 10, 20, 30)]
        assert [len(page) for page in pages] == [10, 10, 5, 0]
        everything = [id_ for page in pages for id_ in page]
        assert everything == ids(await store.jobs(JobFilter(), limit=100))
        assert sorted(everything) == [f"j{number:02}" for number in range(25)]

    async def test_stories_follow_each_other_without_gap_or_overlap(self, store: Store) -> None:
        """Also where many were made at one moment, and while new ones come."""
        for number in range(25):
            await keep(store, a_job(f"j{number:02}", created_at=at(seconds=number // 10)))
        told, after = [], None
        while page := await store.stories(JobFilter(), after=after, limit=10):
            told += [one.job.id for one in page]
            after = page[-1].job
            await keep(store, a_job(f"new{len(told)}", created_at=at(days=1)))
        assert [id_ for id_ in ids(await store.jobs(JobFilter(), limit=100)) if not id_.startswith("new")] == told

    async def test_a_story_has_all_that_is_kept(self, store: Store) -> None:
        """The moves by number and the questions by age, each with its own job."""
        for id_ in ("j1", "j2"):
            job = await keep(store, a_job(id_, JobState.OFFERED))
            prompts = [a_prompt(f"{id_}-{n}", job_id=id_, asked_at=at(seconds=-n)) for n in range(2)]
            await store.apply([step(job, Event.PROMOTE, opens=prompts)])
        told = await store.stories(JobFilter())
        for one in told:
            assert list(one.moves) == await store.transitions(one.job.id)
            assert list(one.prompts) == await store.prompts(one.job.id)
            assert (len(one.moves), len(one.prompts)) == (2, 2)
        assert [one.job.id for one in await store.stories(JobFilter(), limit=1)] == [told[0].job.id]

    async def test_stories_are_filtered_like_lists(self, store: Store) -> None:
        """Each field of the filter, the workspace too."""
        elsewhere = a_wish(key="k2", actor=replace(ADA, team="T0OTHER"), model="other")
        await keep(store, a_job("j1", JobState.FAILED))
        await keep(store, a_job("j2", request=elsewhere))
        for wanted, expected in (
            (JobFilter(team="T0OTHER"), ["j2"]),
            (JobFilter(team="T0YARD"), ["j1"]),
            (JobFilter(states=frozenset({JobState.FAILED})), ["j1"]),
            (JobFilter(text="OTHER"), ["j2"]),
            (JobFilter(since=at(days=1)), []),
        ):
            assert [one.job.id for one in await store.stories(wanted)] == ids(await store.jobs(wanted)) == expected

    async def test_what_leaves_is_on_record_with_what_it_is(self, store: Store) -> None:
        """Neither without the other."""
        notice = a_notice("export:1", kind=NoticeKind.EXPORT, body={"form": "csv"})
        assert await store.ask_export(notice, ADA)
        record = Record(at=NOW, kind=AuditKind.EXPORT, actor=ADA, facts={"rows": 3})
        await store.keep_body(replace(notice, body={"form": "csv", "rows": 3}), records=[record])
        kept, entry = await store.notice("export:1"), await store.latest(AuditKind.EXPORT)
        assert kept is not None
        assert entry is not None
        assert (kept.body["rows"], entry.told(), entry.user) == (3, {"rows": 3}, ADA.user)

    async def test_exports_count_among_the_commands_of_a_minute(self, store: Store) -> None:
        """The same one is kept once; what is too much is not kept."""
        caps = Caps(commands=2)
        wishes = [a_notice(f"export:{n}", kind=NoticeKind.EXPORT) for n in (1, 1, 2, 3)]
        assert [await store.ask_export(one, ADA, caps=caps) for one in wishes] == [True, True, True, False]
        assert await store.notice("export:3") is None
        assert len(await store.take_notices(at(seconds=1), 10)) == 1
        assert await store.ask_export(a_notice("export:4", kind=NoticeKind.EXPORT), BORA, caps=caps)

    async def test_a_move_changes_no_place_in_the_history(self, store: Store) -> None:
        """Newest is by making, not by moving; pages stay put while trainings run."""
        jobs = [await keep(store, a_job(f"j{day}", created_at=at(days=day))) for day in range(3)]
        await store.apply([step(jobs[0], Event.PASS, when=at(days=9))])
        assert ids(await store.jobs(JobFilter())) == ["j2", "j1", "j0"]


class Attention:
    """Who follows what, what is held for a digest, and what is told of a change with it."""

    async def test_a_wish_is_kept_once_and_as_many_as_there_may_be(self, store: Store) -> None:
        """The same wish again is no second one; another target has a count of its own."""
        wishes = [a_follow(model=f"m{number}") for number in (1, 1, 2, 3)]
        assert [await store.follow(one, 2) for one in wishes] == [True, True, True, False]
        assert await store.follow(a_follow(target="C0OTHER"), 2)
        found = await store.follows(ADA.team, target=BORA.user)
        assert [one.about.model for one in found] == ["m1", "m2"]
        assert len(await store.follows(ADA.team, target="C0NONE", by=BORA.user)) == 3
        assert await store.follows("T0OTHER", target=BORA.user, by=BORA.user) == []
        assert await store.unfollow([one.id for one in found] * 2) == 2
        assert await store.follows(ADA.team, target=BORA.user) == []

    async def test_habits_are_kept_until_there_are_none(self, store: Store) -> None:
        """They read back as they were written."""
        mute = Mute(id="m", since=NOW, until=at(hours=1), about=About(provider="sestek", model="m*"))
        habits = Habits(user=ADA.user, mutes=(mute,), quiet=Quiet(begins=time(22), ends=time(7, 30), days=(5,)))
        await store.keep_habits(habits)
        assert await store.habits([ADA.user, BORA.user]) == {ADA.user: habits}
        await store.keep_habits(Habits(user=ADA.user))
        assert await store.habits([ADA.user]) == {}

    async def test_news_are_told_with_the_move_or_not_at_all(self, store: Store) -> None:
        """Once to each target, however many wishes fit; nothing of a move that lost."""
        await store.follow(a_follow(), 9)
        await store.follow(a_follow(topic=Topic.ALL), 9)
        job = await keep(store, a_job(state=JobState.RUNNING))
        end = step(job, Event.FAIL, notices=[a_notice("end", kind=NoticeKind.END, job_id=job.id)])
        assert await store.apply([end, end]) == [True, False]
        taken = [one for one in await store.take_notices(at(seconds=1), 99) if one.kind is NoticeKind.NEWS]
        assert [(one.channel, one.body["job"]) for one in taken] == [(BORA.user, job.id)]

    async def test_a_question_that_is_asked_anew_is_news(self, store: Store) -> None:
        """Who follows approvals may not have heard of the one before it, which nobody can answer any more."""
        await store.follow(a_follow(Topic.APPROVALS), 9)
        await keep(store, a_job())
        await store.amend(Amendment(writes=(), opens=(a_prompt(),)))
        [told] = [one for one in await store.take_notices(at(seconds=1), 99) if one.kind is NoticeKind.NEWS]
        assert (told.channel, told.body["prompt"]) == (BORA.user, "p1")

    async def test_who_is_called_is_told_only_with_habits(self, store: Store) -> None:
        """The requester of an end has no news of it, unless a mute or quiet hours may have kept the mention away."""
        await store.keep_habits(Habits(user=ADA.user, quiet=Quiet(begins=time(22), ends=time(7))))
        for id_ in ("j1", "j2"):
            job = await keep(store, a_job(id_, JobState.RUNNING))
            await store.apply([step(job, Event.FAIL, notices=[a_notice(f"end {id_}", kind=NoticeKind.END)])])
            await store.keep_habits(Habits(user=ADA.user))
        taken = [one for one in await store.take_notices(at(seconds=1), 99) if one.kind is NoticeKind.NEWS]
        assert [(one.channel, one.body["job"]) for one in taken] == [(ADA.user, "j1")]

    async def test_what_is_held_for_a_digest_is_in_one(self, store: Store) -> None:
        """It holds nothing up, is not taken again, not even after a restart, and is part of one digest."""
        first, second = (a_notice(f"n{n}", lane="l", kind=NoticeKind.NEWS, channel=BORA.user) for n in (1, 2))
        await store.tell([first, second])
        for _ in range(2):
            [taken] = await store.take_notices(NOW, 9)
            await store.keep_news(taken)
        await store.resume(NOW)
        assert await store.take_notices(at(hours=1), 9) == []
        kept = await store.kept_news()
        assert [one.key for one in kept] == ["n1", "n2"]
        await store.digest(a_notice("d1", kind=NoticeKind.DIGEST), kept)
        await store.digest(a_notice("d2", kind=NoticeKind.DIGEST), kept)
        assert await store.kept_news() == []
        assert [one.key for one in await store.take_notices(NOW, 9)] == ["d1"]


DATA = PLAN.payload


async def ended(store: Store, id_: str, took: float, *, event: Event = Event.FINISH, **fields: Any) -> None:
    """A training that was accepted NOW, and ended so many minutes later."""
    size = fields.pop("size", 1000)
    plan = replace(PLAN, payload=replace(DATA, size=size) if DATA and size else None)
    job = await keep(store, a_job(id_, JobState.STARTING, plan=plan, version=3, **fields))
    accepted = step(job, fields.pop("start", Event.ACCEPT))
    assert await store.apply([accepted]) == [True]
    assert await store.apply([step(accepted.job, event, when=at(minutes=took))]) == [True]


async def took(store: Store, size: int | None = 1000, **fields: Any) -> list[tuple[float, bool]]:
    """What earlier trainings took that are like one of Ada's, in minutes, and whether they are of its model."""
    plan = replace(PLAN, payload=replace(DATA, size=size) if DATA and size else None)
    found = await store.earlier(a_job("new", JobState.RUNNING, plan=plan, **fields))
    return [(one.took / timedelta(minutes=1), one.is_same_model) for one in found]


class Durations:
    """What earlier trainings took: only what was seen from the acceptance to the end, and only what is alike."""

    async def test_only_what_was_trained_counts(self, store: Store) -> None:
        """A failure or a cancelled training says nothing of how long one takes."""
        await ended(store, "j1", 20)
        await ended(store, "j2", 21, event=Event.OFFER)
        for event in (Event.FAIL, Event.CANCEL, Event.LOSE):
            await ended(store, f"j {event}", 1, event=event)
        assert await took(store) == [(21, True), (20, True)]

    async def test_the_last_acceptance_counts(self, store: Store) -> None:
        """Started again after a doubt: what was before is another start. What was merely found has no beginning."""
        job = await keep(store, a_job("j1", JobState.STARTING, plan=PLAN, version=3))
        for event, passed in ((Event.ACCEPT, 0), (Event.FAIL, 5), (Event.WATCH_ON, 9), (Event.FINISH, 30)):
            change = step(job, event, when=at(minutes=passed))
            assert await store.apply([change]) == [True]
            job = change.job
        assert await took(store, size=10) == [(30, True)]
        job = await keep(store, a_job("j2", JobState.STARTING, plan=PLAN, version=3))
        for event in (Event.DOUBT, Event.FIND, Event.FINISH):
            change = step(job, event, when=at(minutes=9))
            assert await store.apply([change]) == [True]
            job = change.job
        assert await took(store, size=10) == [(30, True)]

    async def test_only_what_is_alike_counts(self, store: Store) -> None:
        """Of the same team and service, with half to twice as much data; without any, of the same model alone."""
        other = a_wish("other", model="other")
        await ended(store, "j1", 1, size=499)
        await ended(store, "j2", 2, size=500)
        await ended(store, "j3", 3, size=2000)
        await ended(store, "j4", 4, size=2001)
        await ended(store, "j5", 5, size=None)
        await ended(store, "j6", 6, request=other)
        await ended(store, "j7", 7, request=replace(other, request_key="away", provider="sony"))
        await ended(store, "j8", 8, request=a_wish("else", actor=replace(ADA, team="T0ELSE")))
        await ended(store, "j9", 9, size=None, request=replace(other, request_key="bare"))
        assert await took(store) == [(3, True), (2, True), (6, False)]
        assert await took(store, size=None) == [(5, True)]
        assert await took(store, request=other) == [(6, True), (3, False), (2, False)]

    async def test_of_many_the_latest_count(self, store: Store) -> None:
        """What a service takes changes over the years."""
        for number in range(1, 6):
            await ended(store, f"j{number}", number)
        assert await took(store) == [(5, True), (4, True), (3, True), (2, True), (1, True)]


class StoreContract(
    Attention,
    Requests,
    Urls,
    Due,
    Moves,
    Prompts,
    AtOnce,
    Outbox,
    Redraws,
    Pacing,
    Held,
    Undelivered,
    Waiting,
    Known,
    Recurring,
    History,
    Durations,
):
    """All of it, for a subclass whose name begins with Test."""
