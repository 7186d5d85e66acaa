"""A restored bot does not know what happened after its backup: it looks and asks, and sends nothing by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot import backup
from bot.domain.approvals import Outcome, Prompt, Subject
from bot.domain.jobs import ENDS, Job, JobState
from bot.domain.requests import Plan
from bot.errors import StoreError
from bot.ports import Deps, Work
from bot.settings import load
from bot.usecases.restore import distrust
from storage.sqlite import connect, connect_read_only
from storage.store import SqliteStore
from tests.contract.samples import NOW, a_click, a_job, a_prompt, at, birth
from tests.flows.lab import Lab, button, data_folder, lab, shown

PLAN = Plan(provider="sony", model="churn", body={})
SESTEK = "/train sestek my-model en-US"
SONY = "/train sony churn data=churn.csv"


# -- each state by itself ------------------------------------------------------------------------------------------


@pytest.fixture
async def deps(tmp_path: Path) -> AsyncIterator[Deps]:
    """What the use case is given at a restore, an hour after the backup."""
    store = SqliteStore(tmp_path / "switchyard.db")
    await store.open()
    settings = load({"SWITCHYARD_DATABASE_URL": f"sqlite:///{tmp_path / 'switchyard.db'}"})
    async with backup._deps(settings, store, lambda: at(hours=1)) as made:
        yield made
    await store.close()


async def restored(deps: Deps, job: Job, *opens: Prompt) -> Job:
    """The job as it is held after a restore, with its questions open as they were."""
    await deps.store.request(birth(job, opens=opens), same_since=NOW, is_exclusive=False)
    await distrust(deps, NOW)
    found = await deps.store.job(job.id)
    assert found is not None
    return found


async def open_subjects(deps: Deps) -> list[Subject]:
    return [prompt.subject for prompt in await deps.store.open_prompts()]


SEEN, UNSEEN = {"before": {"version": 3}, "sees": True}, {"before": {}, "sees": False}
STATES: list[tuple[JobState, dict[str, Any], Subject | None, JobState]] = [
    (JobState.CHECKING, {"plan": None}, None, JobState.CANCELLED),
    (JobState.PROPOSED, {}, Subject.START, JobState.CANCELLED),
    (JobState.APPROVED, {}, None, JobState.UNSURE),
    (JobState.STARTING, {"claim": {"retrain_job_id": "r1"}}, None, JobState.STARTING),
    (JobState.UNSURE, {"claim": {"retrain_job_id": "r1"}}, Subject.DID_START, JobState.UNSURE),
    (JobState.UNSURE, {"claim": None}, Subject.DID_START, JobState.UNSURE),
    (JobState.QUEUED, {"remote_id": "r1"}, Subject.GO_ON, JobState.QUEUED),
    (JobState.RUNNING, {"remote_id": "r1"}, None, JobState.RUNNING),
    (JobState.CANCELLING, {"remote_id": "r1"}, None, JobState.CANCELLING),
    (JobState.OFFERED, {"remote_id": "r1"}, Subject.PROMOTE, JobState.EXPIRED),
    (JobState.PROMOTING, {"remote_id": "r1", "switch": None}, None, JobState.UNSURE_SWITCH),
    (JobState.PROMOTING, {"remote_id": "r1", "switch": SEEN}, None, JobState.PROMOTING),
    (JobState.UNSURE_SWITCH, {"remote_id": "r1", "switch": UNSEEN}, Subject.DID_SWITCH, JobState.UNSURE_SWITCH),
]


@pytest.mark.parametrize(("state", "fields", "asked", "held"), STATES)
async def test_each_state_is_settled_so_that_nothing_is_sent_by_itself(
    deps: Deps, state: JobState, fields: dict[str, Any], asked: Subject | None, held: JobState
) -> None:
    """No start and no switch is due; no question of before is open; what can be looked at is due now."""
    opens = [a_prompt(subject=asked)] if asked else []
    job = await restored(deps, a_job("j1", state, **{"plan": PLAN, **fields}), *opens)
    assert job.state is held
    assert await deps.store.claim_due(Work.LAUNCH, at(days=30), at(days=31), 10) == []
    due = await deps.store.claim_due(Work.PROMOTE, at(days=30), at(days=31), 10)
    assert [one.switch is not None for one in due] == [True] * len(due)
    assert [prompt.outcome for prompt in await deps.store.prompts("j1") if prompt.id == "p1"] == [
        Outcome.WITHDRAWN for _ in opens
    ]
    is_asked = held is JobState.UNSURE and job.claim is None
    assert await open_subjects(deps) == ([Subject.DID_START] if is_asked else [])
    assert (job.act_at == at(hours=1)) is (held not in ENDS and not is_asked)


def test_every_living_state_is_settled() -> None:
    """A state that is added to the table gets its line above."""
    assert {state for state, *_ in STATES} == set(JobState) - ENDS


@pytest.mark.parametrize("state", sorted(ENDS))
async def test_what_has_ended_is_left_alone(deps: Deps, state: JobState) -> None:
    """An end does not change after a backup, unless a person revives it."""
    job = a_job("j1", state, act_at=None)
    assert await restored(deps, job) == job


async def test_a_click_that_waited_for_its_group_decides_nothing(deps: Deps) -> None:
    """It may have been decided after the backup; its question is closed, so it finds nothing to decide."""
    await deps.store.keep_click(a_click(prompt_id="p1"))
    await restored(deps, a_job("j1", JobState.OFFERED, plan=PLAN), a_prompt(subject=Subject.PROMOTE))
    prompt = await deps.store.prompt("p1")
    assert prompt is not None
    assert prompt.outcome is Outcome.WITHDRAWN


# -- whole stories -------------------------------------------------------------------------------------------------


def back_up(here: Lab, name: str = "a.tar") -> Path:
    """Beside the running bot."""
    settings = load(here.environ)
    archive = settings.database_path.parent / name
    backup.back_up(settings, archive, may_replace=False, now=here.time.now)
    return archive


async def restore(here: Lab, archive: Path) -> None:
    """Stop the bot, put the backup back, start the bot."""
    await here.stop()
    await backup.restore(load(here.environ), archive, now=here.time.now)
    await here.start()


async def held_by_an_outage(here: Lab) -> Job:
    """A training that is ready to start at a service that cannot be reached."""
    here.world.services.sestek.faults.outage = "refused"
    await here.type(SESTEK)
    return await here.reaches(JobState.APPROVED)


async def test_a_training_that_had_not_started_goes_on_on_an_empty_machine(tmp_path: Path) -> None:
    """Nothing happened since: one question, one press, and the file that was checked is sent as it was."""
    data = data_folder(tmp_path)
    async with lab(tmp_path, data=data) as here:
        await held_by_an_outage(here)
        archive = back_up(here)
        checked = (data / "my-model.jsonl").read_bytes()
        (data / "my-model.jsonl").write_text("something else by now")
        here.environ["SWITCHYARD_DATABASE_URL"] = f"sqlite:///{tmp_path / 'new' / 'switchyard.db'}"
        await restore(here, archive)
        here.world.services.sestek.faults.outage = None
        question = await here.asked("Did this training start?")
        assert here.starts() == 0
        await here.person("ada").click(question, button(question, "Start again"))
        await here.reaches(JobState.LIVE)
        assert here.starts() == 1
        assert any(checked in request.body for request in here.world.services.sestek.requests)


async def test_a_training_that_started_since_is_not_started_again(tmp_path: Path) -> None:
    """The backup says "ready to start"; a person who looks says that it runs, and it is watched to its end."""
    async with lab(tmp_path) as here:
        await held_by_an_outage(here)
        archive = back_up(here)
        here.world.services.sestek.faults.outage = None
        await here.reaches(JobState.LIVE)
        await restore(here, archive)
        question = await here.asked("Did this training start?")
        await here.person("ada").click(question, button(question, "It runs"))
        await here.reaches(JobState.LIVE)
        assert here.starts() == 1


@pytest.mark.proof
async def test_a_start_under_way_is_found(tmp_path: Path) -> None:
    """What the backup knows to be starting has its claim, by which it is found without a question."""
    async with lab(tmp_path, training_seconds=1.0) as here:
        here.world.services.deepopinion.faults.slow = 0.3
        await here.type("/train deepopinion 1 reviews-2026 language=en sessions=1,2")
        await here.job(lambda one: one.state is JobState.STARTING)
        archive = back_up(here)
        here.world.services.deepopinion.faults.slow = 0.0
        await here.reaches(JobState.RUNNING)
        await restore(here, archive)
        await here.reaches(JobState.DONE)
        assert here.starts() == 1
        assert not any("Did this training start?" in shown(one) for one in here.cards())


@pytest.mark.proof
async def test_a_training_that_ended_since_is_looked_at_again(tmp_path: Path) -> None:
    """The backup says "training": the next look finds the end, and the card says it."""
    async with lab(tmp_path, training_seconds=1.0) as here:
        await here.type("/train deepopinion 1 reviews-2026 language=en sessions=1,2")
        await here.reaches(JobState.RUNNING)
        archive = back_up(here)
        await here.reaches(JobState.DONE)
        await restore(here, archive)
        await here.reaches(JobState.DONE)
        assert here.starts() == 1
        assert any("Restored from a backup" in line for line in here.thread())


async def test_a_switch_that_was_approved_since_is_not_sent_again(tmp_path: Path) -> None:
    """The offer of the backup is closed, its buttons are gone, and [Offer again] is a new decision of a person."""
    async with lab(tmp_path) as here:
        await here.type(SONY)
        await here.reaches(JobState.OFFERED)
        archive = back_up(here)
        offer = await here.asked("go live?")
        await here.person("bora").click(offer, button(offer, "Approve"))
        await here.reaches(JobState.LIVE)
        await restore(here, archive)
        await here.reaches(JobState.EXPIRED)
        late = await here.press(offer, "Approve", "bora")
        assert "Nothing was done" in shown(late)
        assert here.switches() == 1
        [card, *_] = here.cards()
        assert "expired" in shown(card)
        await here.press(card, "Offer again", "ada")
        fresh = await here.asked("go live?")
        assert fresh.ts != offer.ts
        await here.person("bora").click(fresh, button(fresh, "Approve"))
        await here.reaches(JobState.LIVE)
        assert here.switches() == 2


@pytest.mark.proof
async def test_a_raw_copy_that_is_put_back_is_distrusted_too(tmp_path: Path) -> None:
    """A copy of the file, past `switchyard restore`: what was sent since is noted beside the database."""
    async with lab(tmp_path) as here:
        await here.type(SONY)
        await here.reaches(JobState.OFFERED)
        database = load(here.environ).database_path
        copy = tmp_path / "copy.db"
        source, target = connect_read_only(database), connect(copy)
        source.conn.backup(target.conn)
        source.close()
        target.close()
        offer = await here.asked("go live?")
        await here.person("bora").click(offer, button(offer, "Approve"))
        await here.reaches(JobState.LIVE)
        await here.stop()
        copy.replace(database)
        await here.start()
        await here.reaches(JobState.EXPIRED)
        assert "Nothing was done" in shown(await here.press(offer, "Approve", "bora"))
        assert here.switches() == 1
        lines = here.thread()
        await here.restart()
        await here.quiet()
        assert here.thread() == lines


@pytest.mark.proof
async def test_a_start_that_waited_for_a_yes_is_closed(tmp_path: Path) -> None:
    """It may have been approved and started since; who asked is told to look, and to type it again."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__START='["sestek"]') as here:
        await here.type(SESTEK)
        await here.reaches(JobState.PROPOSED)
        archive = back_up(here)
        asked = await here.asked("May this training start?")
        await here.person("bora").click(asked, button(asked, "Approve"))
        await here.reaches(JobState.LIVE)
        await restore(here, archive)
        await here.reaches(JobState.CANCELLED)
        late = await here.press(asked, "Approve", "bora")
        assert "Nothing was done" in shown(late)
        assert here.starts() == 1
        [end] = [line for line in here.thread() if "type the command again" in line]
        assert "<@U0ADA00001>" in end


async def test_messages_that_went_out_since_are_found_and_not_repeated(tmp_path: Path) -> None:
    """They wait in the backup and stand in the conversation: each is looked up by its metadata first."""
    async with lab(tmp_path) as here:
        busy = {"method": "chat.postMessage", "error": "ratelimited", "times": 100_000}
        await here.world.slack.switch("fail", busy)
        await here.type("/train deepopinion 1 reviews-2026 language=en sessions=1,2")
        await here.job()
        archive = back_up(here)
        await here.world.slack.switch("fail", None)
        await here.reaches(JobState.DONE)
        shown_before = here.cards()
        await restore(here, archive)
        await here.quiet()
        assert len(here.cards()) == len(shown_before)
        assert any(call.method == "conversations.history" for call in here.world.slack.calls)
        # The lab itself checks at its end that no notice stands twice in a conversation.


async def test_a_restore_beside_a_running_bot_is_refused(tmp_path: Path) -> None:
    """The bot goes on as if nothing had been tried."""
    async with lab(tmp_path) as here:
        archive = back_up(here)
        with pytest.raises(StoreError, match="Stop it first"):
            await backup.restore(load(here.environ), archive)
        await here.type("/train deepopinion 1 reviews-2026 language=en sessions=1,2")
        await here.reaches(JobState.DONE)
