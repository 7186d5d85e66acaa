"""What an approver is shown of the model that serves now, and the prepared way back where its service has none."""

from __future__ import annotations

import asyncio
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.jobs import Job, JobState
from bot.errors import RefusedError
from bot.usecases.retrain import Wish, retrain
from sandbox.slack.workspace import Message
from sandbox.world import DATA
from tests.flows.lab import Lab, data_folder, deeds_of, lab, shown
from tests.flows.test_policy import TWO, under

SWITCH = "May the trained model go live?"
BACK = "Retrain with the previous data"
DECTHINGS = "/train decthings mdl-sentiment {name} data=dataset:ds-reviews/train epochs=u32:{epochs} launcher=ln-small"
ENDED = {JobState.LIVE, JobState.PROMOTED}


async def offered(here: Lab, line: str = "/train sony churn", who: str = "ada") -> Message:
    """A switch that waits for a yes."""
    said = await here.type(line, who)
    job = await here.job(lambda one: f"`{one.id}`" in said and one.state is JobState.OFFERED)
    return await here.asked(SWITCH, job.id)


async def switched(here: Lab, line: str = "/train sony churn", who: str = "ada", by: str = "chie") -> Job:
    """A training that was switched to."""
    prompt = await offered(here, line, who)
    await here.press(prompt, "Approve", by)
    [asked] = re.findall(r"\n.*, training `(\w+)`", shown(prompt))[:1]
    job = await here.job(lambda one: one.state in ENDED and one.id == asked)
    await here.quiet()
    return job


def labels(message: Message) -> list[str]:
    return [one["text"]["text"] for one in deeds_of(message)]


def card_of(here: Lab, job: Job) -> Message:
    """The card as it stands."""
    found = [one for one in here.cards() if f"Training `{job.id}`" in shown(one)]
    return found[0]


def trains_with_data_of(former: Job) -> Callable[[Job], bool]:
    return lambda one: one.request.kept_from == former.id


def later_data(tmp_path: Path) -> Path:
    """The sandbox's data folder, and a `new.csv` for the model `churn` with ten rows less."""
    lines = (DATA / "churn.csv").read_text("utf-8").splitlines(keepends=True)
    return data_folder(tmp_path, new__csv="".join(lines[:-10]))


# -- what is compared -------------------------------------------------------------------------------------------------


async def test_a_model_that_was_never_switched_here_is_said_to_be_unknown(tmp_path: Path) -> None:
    """Without a former training nothing is compared and nothing is invented."""
    async with lab(tmp_path) as here:
        text = shown(await offered(here))
        assert "*Serving now* not known: no training of this model went live through Switchyard" in text
        assert "*Way back* none at Sony Easy Predictive Analytics, and nothing that served before" in text
        assert "Data rows" not in text


async def test_sony_old_and_new_stand_side_by_side(tmp_path: Path) -> None:
    """Rows, columns, balance and duration then and now, who trained, and who switched when."""
    async with lab(tmp_path, data=later_data(tmp_path)) as here:
        first = await switched(here, by="chie")
        prompt = await offered(here, "/train sony churn data=new.csv", who="bora")
        text = shown(prompt)
        assert f"*Serving now* training `{first.id}`, version 2.0.0, model id 201" in text
        assert re.search(
            r"\*Last switch\* \d{4}-\d\d-\d\d \d\d:\d\d UTC, asked by <@U0ADA00001>, approved by "
            r"<@U0CHIE0001>",
            text,
        )
        assert "*Trained by* <@U0ADA00001> → <@U0BORA0001>" in text
        assert "*Data* `churn.csv` → `new.csv`" in text
        assert "*Data rows* 240 → 230 (-10)" in text
        assert "*Columns* 6, as before" in text
        assert re.search(r"\*Balance of churned\* `no` \d+, `yes` \d+ → `no` \d+, `yes` \d+", text)
        assert re.search(r"\*Training took\* \d+ s( → \d+ s|, as before)", text)
        assert "*Scores* none: Sony Easy Predictive Analytics gives no scores" in text


@pytest.mark.proof
async def test_all_who_approved_the_last_switch_are_named(tmp_path: Path) -> None:
    """Where several approvals were needed, the next approver reads all the names."""
    async with under(TWO, tmp_path) as here:
        prompt = await offered(here)
        await here.press(prompt, "Approve", "dan")
        await here.press(await here.changed(prompt, "1 of 2 approvals"), "Approve", "bora")
        await here.reaches(JobState.LIVE)
        assert "approved by <@U0DAN00001>, <@U0BORA0001>" in shown(await offered(here, who="chie"))


async def test_decthings_metrics_are_compared(tmp_path: Path) -> None:
    """Where the service gives scores, each stands then and now with the difference; what was sent is compared too."""
    async with lab(tmp_path) as here:
        await switched(here, DECTHINGS.format(name="st-one", epochs=2))
        text = shown(await offered(here, DECTHINGS.format(name="st-two", epochs=4)))
        assert re.search(r"• \*(loss|accuracy)\* [\d.]+( → [\d.]+ \([+-][\d.e-]+\)|, as before)", text)
        assert "st-one" in text
        assert "Way back" not in text


async def test_sestek_says_before_the_start_what_is_live(tmp_path: Path) -> None:
    """Its results go live by themselves, so rows and labels then and now stand on the question about the start."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__START='["sestek"]') as here:
        await here.type("/train sestek my-model en-US")
        prompt = await here.asked("May this training start?")
        assert "no training of this model went live through Switchyard" in shown(prompt)
        await here.press(prompt, "Approve", "bora")
        await here.reaches(JobState.LIVE)
        await here.type("/train sestek my-model en-US", "chie")
        text = shown(await here.asked("May this training start?", after=prompt))
        assert "*Last went live*" in text
        assert "approved by <@U0BORA0001>" in text
        assert "the same bytes as then" in text
        assert re.search(r"\*Labels\* \d+[:,] .+, as before", text)


@pytest.mark.proof
async def test_another_switch_in_between_makes_the_question_anew(tmp_path: Path) -> None:
    """What serves has changed since the prompt was shown: the click is refused, a fresh prompt shows the new state."""
    async with lab(tmp_path) as here:
        old = await offered(here)
        other = await offered(here, who="bora")
        await here.press(other, "Approve", "chie")
        live = await here.reaches(JobState.LIVE)
        told = await here.press(old, "Approve", "chie")
        assert "what this prompt showed has changed since" in shown(told)
        assert here.switches() == 1
        fresh = await here.asked(SWITCH, after=other)
        assert f"*Serving now* training `{live.id}`" in shown(fresh)
        await here.press(fresh, "Approve", "chie")
        await here.all_reach(JobState.LIVE)
        assert here.switches() == 2


@pytest.mark.proof
async def test_a_prompt_stays_good_over_a_restart(tmp_path: Path) -> None:
    """The same store gives the same evidence: nothing that was shown has changed, so the click counts."""
    async with lab(tmp_path) as here:
        await switched(here)
        prompt = await offered(here, who="bora")
        await here.restart()
        told = await here.press(prompt, "Approve", "chie")
        assert "Thank you: approved" in shown(told)
        await here.all_reach(JobState.LIVE)


async def test_names_in_the_data_mean_nothing_to_slack(tmp_path: Path) -> None:
    """A column may be called like a mention; on the prompt it is text."""
    rows = "".join(f"{number},{'a' if number % 2 else 'b'}\n" for number in range(120))
    data = data_folder(tmp_path, odd__csv="id,<@U0DAN00001> & `x\n" + rows)
    async with lab(tmp_path, data=data) as here:
        await switched(here, "/train sony churn data=odd.csv")
        text = shown(await offered(here, "/train sony churn data=odd.csv", who="bora"))
        assert "<@U0DAN00001>" not in text
        assert "&lt;@U0DAN00001&gt; &amp; 'x" in text


# -- after the switch -------------------------------------------------------------------------------------------------


async def test_the_live_line_says_which_version_serves_and_which_did(tmp_path: Path) -> None:
    """The version is read before the switch and after it, and both are told."""
    async with lab(tmp_path) as here:
        await switched(here)
        line = next(one for one in here.thread() if "*live*" in one)
        assert "Seen serving: version 2.0.0, before it was 1.0.0; model id 201, before it was 101." in line


@pytest.mark.proof
async def test_decthings_says_which_state_is_active_and_which_was(tmp_path: Path) -> None:
    """The same for a state that was made the active one."""
    async with lab(tmp_path) as here:
        await switched(here, DECTHINGS.format(name="st-one", epochs=2))
        line = next(one for one in here.thread() if "*live*" in one)
        assert re.search(r"Seen serving: state \S+, before it was \S+\.", line)


@pytest.mark.proof
async def test_applied_but_not_seen_names_the_version_that_is_still_shown(tmp_path: Path) -> None:
    """An hour after the switch the service still shows the former version: said with that version."""
    async with lab(tmp_path, training_seconds=0.3) as here:
        prompt = await offered(here)
        here.world.services.sony.training_seconds = 10**7
        await here.press(prompt, "Approve", "bora")
        await here.looked(here.world.services.sony, 2, "GET", "classifiers")
        here.time.advance(hours=2)
        await here.reaches(JobState.PROMOTED)
        assert any("still shows version 1.0.0, model id 101" in line for line in here.thread())


# -- the way back -----------------------------------------------------------------------------------------------------


async def test_one_click_trains_with_the_previous_data(tmp_path: Path) -> None:
    """The bytes of the training that served before go out unchanged, as an ordinary training with its own gate."""
    async with lab(tmp_path, data=later_data(tmp_path)) as here:
        first = await switched(here)
        prompt = await offered(here, "/train sony churn data=new.csv", who="bora")
        assert f"prepared: train once more with churn.csv, the data of training {first.id}" in shown(prompt)
        assert BACK not in labels(prompt)
        await here.press(prompt, "Approve", "chie")
        second = await here.job(lambda one: one.state is JobState.LIVE and one.id != first.id)
        await here.quiet()
        closed = await here.changed(prompt, "Approved by <@U0CHIE0001>")
        assert labels(closed) == [BACK]
        card = card_of(here, second)
        assert labels(card) == [BACK]
        (here.world.data_folder / "churn.csv").unlink()
        told = shown(await here.press(card, BACK, "dan"))
        again = await here.job(lambda one: one.state is JobState.OFFERED and one.request.kept_from == first.id)
        assert f"`{again.id}` trains with `churn.csv`, the data of training `{first.id}`" in told
        uploads = [job.data for job in here.world.services.sony.jobs.values()]
        assert uploads[2] == uploads[0] == (DATA / "churn.csv").read_bytes()
        assert again.request.actor.user == "U0DAN00001"
        assert f"With the kept data of training {first.id}." in shown(card_of(here, again))
        await here.press(await here.asked(SWITCH, again.id), "Approve", "chie")
        await here.all_reach(JobState.LIVE)
        assert here.starts() == here.switches() == 3


@pytest.mark.proof
async def test_the_packed_file_goes_out_again_unchanged(tmp_path: Path) -> None:
    """Data and evaluation data were packed once; what is sent again is that package."""
    async with lab(tmp_path) as here:
        await switched(here, "/train sony churn eval=churn-eval.csv")
        second = await switched(here, who="bora")
        await here.press(card_of(here, second), BACK, "ada")
        await here.job(lambda one: one.state is JobState.OFFERED and bool(one.request.kept))
        first, _, again = here.world.services.sony.jobs.values()
        assert (again.filename, again.data) == (first.filename, first.data)
        assert zipfile.is_zipfile(here.bot.deps.files.spooled((await here.jobs())[0].request.kept["data"]))


async def test_many_presses_make_one_training(tmp_path: Path) -> None:
    """A double click, and clicks of two people at once or one after the other, start one training."""
    async with lab(tmp_path, training_seconds=0.3) as here:
        await switched(here)
        second = await switched(here, who="bora")
        here.world.services.sony.training_seconds = 600.0
        card = card_of(here, second)
        ada, bora = here.person("ada"), here.person("bora")
        await asyncio.gather(*(one.click(card, "retrain") for one in (ada, ada, bora, bora)))
        await here.job(lambda one: one.state in (JobState.QUEUED, JobState.RUNNING))
        here.time.advance(minutes=5)
        told = shown(await here.press(card, BACK, "chie"))
        assert "Nothing new was started" in told
        assert "trains with this data already, asked by <@U0" in told
        assert len([job for job in await here.jobs() if job.request.kept]) == 1
        assert here.starts() == 3


@pytest.mark.proof
async def test_a_repeated_delivery_makes_one_training(tmp_path: Path) -> None:
    """The same click over two sockets, or delivered again after its training has ended, is the same training."""
    async with lab(tmp_path) as here:
        first = await switched(here)
        second = await switched(here, who="bora")
        deps = here.bot.deps
        wish = Wish(key="trigger-1", actor=first.request.actor, channel=first.place)
        one = await retrain(deps, second.id, wish)
        job = await here.job(lambda one: one.state is JobState.OFFERED and bool(one.request.kept))
        await here.reject(await here.asked(SWITCH, job.id), "bora", "No")
        await here.job(lambda one: one.id == job.id and one.state is JobState.REJECTED)
        assert await retrain(deps, second.id, wish) == one
        assert here.starts() == 3


@pytest.mark.proof
async def test_the_start_gate_holds_for_the_way_back(tmp_path: Path) -> None:
    """Where the policy wants a yes before a start, this start is no exception."""
    async with lab(tmp_path) as here:
        await switched(here)
        second = await switched(here, who="bora")
        await here.restart(SWITCHYARD_APPROVALS__START='["sony"]')
        await here.press(card_of(here, second), BACK, "ada")
        prompt = await here.asked("May this training start?")
        assert here.starts() == 2
        await here.press(prompt, "Approve", "bora")
        await here.job(lambda one: one.state is JobState.OFFERED)
        assert here.starts() == 3


@pytest.mark.proof
async def test_without_the_data_there_is_no_button(tmp_path: Path) -> None:
    """The spool was emptied: prompt and card say so, and a button that is still shown somewhere does nothing."""
    async with lab(tmp_path, data=later_data(tmp_path)) as here:
        first = await switched(here)
        second = await switched(here, "/train sony churn data=new.csv", who="bora")
        shown_before = card_of(here, second)
        assert labels(shown_before) == [BACK]
        assert first.plan is not None
        assert first.plan.payload is not None
        here.bot.deps.files.spooled(first.plan.payload.sha256).unlink()
        told = shown(await here.press(shown_before, BACK, "ada"))
        assert f"the data of training {first.id}, which served before, is not kept here any more" in told
        third = await switched(here, "/train sony churn data=new.csv", who="chie", by="bora")
        assert labels(card_of(here, third)) == [BACK]
        assert here.starts() == 3


@pytest.mark.proof
async def test_data_that_goes_between_prompt_and_click_makes_the_question_anew(tmp_path: Path) -> None:
    """The way back was a part of what was shown."""
    async with lab(tmp_path) as here:
        first = await switched(here)
        prompt = await offered(here, who="bora")
        assert first.plan is not None
        assert first.plan.payload is not None
        here.bot.deps.files.spooled(first.plan.payload.sha256).rename(tmp_path / "elsewhere")
        assert "has changed since" in shown(await here.press(prompt, "Approve", "chie"))
        fresh = await here.asked(SWITCH, after=prompt)
        assert "is not kept here any more" in shown(fresh)


@pytest.mark.proof
async def test_a_spoiled_copy_is_not_sent(tmp_path: Path) -> None:
    """What lies in the spool is read anew: bytes that are not those of then start nothing."""
    async with lab(tmp_path, data=later_data(tmp_path)) as here:
        first = await switched(here)
        second = await switched(here, "/train sony churn data=new.csv", who="bora")
        assert first.plan is not None
        assert first.plan.payload is not None
        copy = here.bot.deps.files.spooled(first.plan.payload.sha256)
        copy.write_bytes(copy.read_bytes().replace(b"no", b"on"))
        await here.press(card_of(here, second), BACK, "ada")
        failed = await here.reaches(JobState.FAILED)
        assert "is not what it was" in shown(card_of(here, failed))
        assert here.starts() == 2


@pytest.mark.proof
async def test_what_is_kept_is_the_data_of_what_served_before_this_switch(tmp_path: Path) -> None:
    """Each switch has its own way back: an older card leads further back than the newest."""
    async with lab(tmp_path, data=later_data(tmp_path)) as here:
        first = await switched(here)
        second = await switched(here, "/train sony churn data=new.csv", who="bora")
        third = await switched(here, who="chie", by="bora")
        for newer, older in ((third, second), (second, first)):
            await here.press(card_of(here, newer), BACK, "ada")
            again = await here.job(trains_with_data_of(older))
            assert older.plan is not None
            assert older.plan.payload is not None
            assert again.request.kept == {"data": older.plan.payload.sha256}
        await here.all_reach(JobState.OFFERED, *ENDED)
        assert here.starts() == 5


@pytest.mark.proof
async def test_the_first_switch_has_no_way_back(tmp_path: Path) -> None:
    """What served before it was not trained here: the card says so."""
    async with lab(tmp_path) as here:
        job = await switched(here)
        card = card_of(here, job)
        assert labels(card) == []
        assert "nothing that served before was trained through Switchyard" in shown(card)


async def test_a_button_of_another_workspace_does_nothing(tmp_path: Path) -> None:
    """A training is only known in the workspace in which it was asked for."""
    async with lab(tmp_path) as here:
        await switched(here)
        second = await switched(here, who="bora")
        stranger = Wish(key="k", actor=replace(second.request.actor, team="T0OTHER001"), channel=second.place)
        with pytest.raises(RefusedError, match="nothing was done"):
            await retrain(here.bot.deps, second.id, stranger)
