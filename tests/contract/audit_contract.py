"""What every store must pass as to its audit log. A subclass brings the fixture `store`."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.approvals import Answer, Outcome, Vote
from bot.domain.audit import BEGINNING, Anchor, AuditKind, Entry, Record
from bot.domain.audit_check import Report, verify
from bot.domain.changes import Amendment
from bot.domain.jobs import Event, JobState
from bot.domain.policy import Rule
from bot.domain.requests import Payload, Plan
from bot.errors import StoreError
from bot.ports import Store
from tests.contract.samples import (
    ADA,
    BORA,
    NOW,
    a_job,
    a_notice,
    a_prompt,
    answered,
    at,
    birth,
    bookkeeping,
    step,
)

PAYLOAD = Payload(name="churn.csv", sha256="ab" * 32, size=10, rows=3)


async def log_of(store: Store) -> list[Entry]:
    """All of it, read in pages."""
    found: list[Entry] = []
    while page := await store.entries(found[-1].seq if found else 0, 7):
        found += page
    return found


async def verified(store: Store, *anchors: Anchor) -> Report:
    return verify(await log_of(store), anchors)


async def told(store: Store) -> list[tuple[str, str, str, Mapping[str, Any]]]:
    """Kind, person, question and facts of every row but the first."""
    return [(one.kind, one.user, one.prompt_id, json.loads(one.facts)) for one in (await log_of(store))[1:]]


async def kinds(store: Store) -> list[str]:
    return [kind for kind, *_ in await told(store)]


class AuditContract:
    """Each act leaves its row, and the rows hang together."""

    async def test_the_log_of_a_new_store_begins_with_a_row_that_says_so(self, store: Store) -> None:
        """Nobody can take all rows away and begin anew unseen: the first row has its place."""
        [first] = await log_of(store)
        assert (first.seq, first.kind, first.previous) == (1, AuditKind.BEGIN, BEGINNING)
        assert first.told()["moves"] == 0
        assert (await verified(store)).is_sound

    async def test_a_move_leaves_its_row_by_itself(self, store: Store) -> None:
        """No use case can forget it: who moved the training, from where to where, and why."""
        job = a_job("j1", JobState.RUNNING, remote_id="r1")
        await store.request(birth(job), same_since=NOW, is_exclusive=False)
        await store.apply([step(job, Event.FAIL, when=at(minutes=1))])
        born, failed = (await log_of(store))[1:]
        assert (born.kind, born.team, born.user, born.job_id) == ("move", ADA.team, ADA.user, "j1")
        assert (failed.time, failed.user, failed.previous) == (at(minutes=1), "", born.hash)
        assert failed.told() == {
            "move": 2,
            "old": "running",
            "new": "failed",
            "event": "fails",
            "reason": "because",
            "provider": "sestek",
            "model": "my-model",
            "remote": "r1",
        }

    async def test_a_start_names_what_is_sent(self, store: Store) -> None:
        """The digest of the plan and the checksum of the data: what was approved is what was sent."""
        plan = Plan(provider="sestek", model="my-model", body={"a": 1}, payload=PAYLOAD)
        job = a_job("j1", JobState.APPROVED, plan=plan)
        await store.request(birth(job), same_since=NOW, is_exclusive=False)
        await store.apply([step(job, Event.START)])
        [*_, (kind, _, _, facts)] = await told(store)
        assert (kind, facts["plan"], facts["data"]) == ("start", plan.digest(), PAYLOAD.sha256)

    async def test_a_switch_is_told_when_it_is_sent_and_when_it_is_accepted(self, store: Store) -> None:
        """With what was live before; further looks at it tell nothing more."""
        job = a_job("j1", JobState.PROMOTING)
        await store.request(birth(job), same_since=NOW, is_exclusive=False)
        sent = {"before": {"version": "3"}, "sees": True, "sent_at": at(seconds=1).isoformat()}
        accepted = {**sent, "accepted_at": at(seconds=2).isoformat()}
        for switch in (sent, sent, accepted, accepted):
            assert await store.apply([bookkeeping(job, switch=switch)]) == [True]
        rows = [(one.time, one.told()["step"]) for one in await log_of(store) if one.kind == "switch"]
        assert rows == [(at(seconds=1), "about to be sent"), (at(seconds=2), "accepted")]

    async def test_a_question_leaves_a_row_when_it_is_asked_and_when_it_ends(self, store: Store) -> None:
        """With the rule, the digest of what was shown, the answer, who gave it, and the reason."""
        job, prompt = a_job("j1", JobState.OFFERED), a_prompt(expires_at=at(hours=1))
        await store.request(birth(job, opens=[prompt]), same_since=NOW, is_exclusive=False)
        closed = replace(answered(prompt, Answer.REJECT), reason="too early")
        await store.apply([step(job, Event.REJECT, closes=(closed,))])
        [_, asked, decided, moved] = await told(store)
        assert asked[:3] == ("asked", "", "p1")
        assert asked[3]["rule"]["approvers"] == ["U0BORA", "S0OPS"]
        assert (asked[3]["digest"], asked[3]["subject"]) == ("d1", "promote")
        assert decided[:3] == ("decided", BORA.user, "p1")
        assert (decided[3]["answer"], decided[3]["reason"]) == ("reject", "too early")
        assert moved[0] == "move"

    @pytest.mark.parametrize("outcome", [Outcome.EXPIRED, Outcome.WITHDRAWN])
    async def test_a_question_that_nobody_answered_is_told_as_closed(self, store: Store, outcome: Outcome) -> None:
        """An answer and a lapse are two things."""
        job, prompt = a_job("j1", JobState.OFFERED), a_prompt()
        await store.request(birth(job, opens=[prompt]), same_since=NOW, is_exclusive=False)
        closed = replace(prompt, outcome=outcome, closed_at=NOW, version=2)
        assert await store.apply([bookkeeping(job, closes=(closed,))]) == [True]
        [*_, (kind, user, _, facts)] = await told(store)
        assert (kind, user, facts["outcome"], facts["answer"]) == ("closed", "", outcome.value, None)

    async def test_each_of_several_approvals_leaves_its_row(self, store: Store) -> None:
        """Who gave it and whose seat it was; a reminder in between is no act."""
        rule = Rule(name="two", approvers=("U0BORA", "U0CHIE"), needed=2)
        job, prompt = a_job("j1", JobState.OFFERED), a_prompt(rule=rule)
        await store.request(birth(job, opens=[prompt]), same_since=NOW, is_exclusive=False)
        first = Vote(actor=BORA, at=at(minutes=1), seat="U0DAN", reason="fine")
        voted = replace(prompt, votes=(first,), version=2)
        reminded = replace(voted, reminders=1, version=3)
        votes = (first, Vote(actor=ADA, at=at(minutes=2), seat=ADA.user))
        last = replace(answered(reminded), votes=votes, version=4)
        for written in (voted, reminded):
            assert await store.amend(Amendment(writes=(written,)))
        assert not await store.amend(Amendment(writes=(voted,)))
        assert await store.apply([step(job, Event.PROMOTE, closes=(last,))]) == [True]
        [_, _, one, two, decided, _] = await told(store)
        assert [(one[0], one[1], one[3]["seat"]), two[:2]] == [("voted", BORA.user, "U0DAN"), ("voted", ADA.user)]
        assert (decided[0], decided[3]["rule"], decided[3]["votes"]) == ("decided", "two", [BORA.user, ADA.user])

    async def test_a_question_that_is_withdrawn_without_a_move_is_told(self, store: Store) -> None:
        """One that is outdated is closed, and a fresh one asked."""
        prompt = a_prompt()
        await store.request(birth(a_job(), opens=[prompt]), same_since=NOW, is_exclusive=False)
        closed = replace(prompt, outcome=Outcome.WITHDRAWN, reason="changed", closed_at=NOW, version=2)
        assert await store.amend(Amendment(writes=(closed,), opens=(a_prompt("p2"),)))
        assert [(kind, id_) for kind, _, id_, _ in await told(store)][2:] == [("closed", "p1"), ("asked", "p2")]

    async def test_what_was_not_written_leaves_no_row(self, store: Store) -> None:
        """Who came too late decided nothing, and the log does not say otherwise."""
        job = a_job("j1", JobState.OFFERED)
        await store.request(birth(job), same_since=NOW, is_exclusive=False)
        outcomes = await asyncio.gather(*(store.apply([step(job, Event.PROMOTE)]) for _ in range(9)))
        assert sorted(outcomes) == [[False]] * 8 + [[True]]
        assert await kinds(store) == ["move", "move"]
        assert (await verified(store)).is_sound

    async def test_a_second_delivery_leaves_no_second_row(self, store: Store) -> None:
        """One command, one job, one row."""
        for _ in range(2):
            await store.request(birth(a_job("j1")), same_since=NOW, is_exclusive=False)
        assert await kinds(store) == ["move"]

    async def test_what_no_change_brings_is_recorded_by_itself(self, store: Store) -> None:
        """A denied click: who, on what, and the sentence that was said."""
        facts = {"why": "You may not decide this.", "answer": "approve"}
        record = Record(at=NOW, kind=AuditKind.DENIED, actor=BORA, job_id="j1", prompt_id="p1", facts=facts)
        await store.record([record, record])
        await store.record([])
        assert await told(store) == [("denied", BORA.user, "p1", facts)] * 2
        assert (await verified(store)).is_sound

    async def test_many_at_one_moment_make_one_chain(self, store: Store) -> None:
        """However the writes are grouped, each row follows another one."""
        jobs = [a_job(f"j{number}", JobState.RUNNING) for number in range(30)]
        births = [store.request(birth(job), same_since=NOW, is_exclusive=False, is_again=True) for job in jobs]
        await asyncio.gather(*births, *(store.record([Record(at=NOW, kind=AuditKind.DENIED)]) for _ in range(30)))
        report = await verified(store)
        assert (report.is_sound, report.rows) == (True, 61)

    async def test_the_last_row_is_found_by_its_kind(self, store: Store) -> None:
        """What the rules were at last, however much came since."""
        for digest in ("a", "b"):
            await store.record([Record(at=NOW, kind=AuditKind.POLICY, facts={"digest": digest})])
        await store.record([Record(at=NOW, kind=AuditKind.DENIED)])
        last, policy, none = [await store.latest(kind) for kind in (None, AuditKind.POLICY, AuditKind.EXPORT)]
        assert last is not None
        assert policy is not None
        assert (last.kind, policy.told()["digest"], none) == ("denied", "b", None)

    async def test_an_anchor_is_kept_with_its_message_or_not_at_all(self, store: Store) -> None:
        """A row is anchored once, and what is posted is what is kept."""
        head = await store.latest()
        assert head is not None
        anchor = Anchor(seq=head.seq, hash=head.hash)
        assert await store.last_anchor() is None
        await store.anchor(anchor, NOW, a_notice("anchor:1"))
        assert await store.last_anchor() == Anchor(seq=1, hash=head.hash, at=NOW, is_outside=False)
        with pytest.raises(StoreError):
            await store.anchor(anchor, at(hours=1), a_notice("again"))
        assert await store.notice("again") is None
        assert await store.notice("anchor:1") is not None
