"""What no service can tell is asked of a person, once; and what a service says is never made more of than it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from bot.domain.jobs import AT_SERVICE, Job, JobState
from sandbox.slack.workspace import Message
from tests.flows.lab import Lab, buttons_of, deeds_of, lab, shown
from tests.short import short

DID_START, DID_SWITCH = "Did this training start?", "Was the switch applied?"
SWITCH, GO_ON = "May the trained model go live?", "Shall this training be watched any longer?"

LINES = {
    "sestek": "/train sestek my-model en-US",
    "deepopinion": "/train deepopinion 1 reviews-2026",
    "decthings": "/train decthings mdl-sentiment st-2 epochs=u32:2",
    "aitems": "/train aitems svcmovies01 pop",
    "sony": "/train sony churn data=churn.csv",
}
STARTS = {
    "sestek": ("POST", "/train"),
    "deepopinion": ("POST", "/models"),
    "decthings": ("POST", "Model/train"),
    "aitems": ("POST", "/services/"),
    "sony": ("PUT", "uploads"),
}
ENDS = {
    "sestek": JobState.LIVE,
    "deepopinion": JobState.DONE,
    "decthings": JobState.OFFERED,
    "aitems": JobState.LIVE,
    "sony": JobState.OFFERED,
}


async def job_at(here: Lab, service: str, *states: JobState) -> Job:
    """The newest job of a service, once it is in one of these states."""
    return await here.job(lambda one: one.request.provider == service and (not states or one.state in states))


def questions(here: Lab, heading: str, job: Job) -> list[Message]:
    return [one for one in here.cards() if heading in shown(one) and job.id in shown(one)]


async def asked_of_all(here: Lab) -> dict[str, Message]:
    """At each service the start is cut off before it was carried out; the question that follows, by service."""
    for service in here.world.services.all:
        method, path = STARTS[service.name]
        service.fail_next("reset", method=method, path_contains=path)
        await here.type(LINES[service.name])
    prompts = {}
    for name in LINES:
        job = await job_at(here, name, JobState.UNSURE)
        if name == "sony":
            await here.looked(here.world.services.sony, 4, "GET", "retrain_jobs/")
            assert questions(here, DID_START, job) == []
            here.later(minutes=31)
        prompts[name] = await here.asked(DID_START, job.id)
    return prompts


# -- did it start? ----------------------------------------------------------------------------------------------------


async def test_a_start_in_doubt_is_asked_about_once_and_given_up(tmp_path: Path) -> None:
    """Looked for and not found, each start is asked about, once; [Give up] ends it, and nothing was started."""
    async with lab(tmp_path) as here:
        for name, prompt in (await asked_of_all(here)).items():
            job = await job_at(here, name)
            assert "can do that" in shown(await here.press(prompt, "Give up", "dan"))
            await here.restart()
            assert questions(here, DID_START, job) == [prompt], name
            assert "Thank you: given up" in shown(await here.press(prompt, "Give up", "bora"))
            await job_at(here, name, JobState.FAILED)
            closed = await here.changed(prompt, "Given up by <@U0BORA0001>")
            assert buttons_of(closed) == []
            assert "given up" in shown(await here.press(prompt, "Start again", "ada"))
        assert here.starts() == 0


@pytest.mark.proof
async def test_start_again_starts_once_more(tmp_path: Path) -> None:
    """[Start again] starts what was not started, once; Sony's reserved job stays behind, and that was said."""
    async with lab(tmp_path) as here:
        prompts = await asked_of_all(here)
        [behind] = here.world.services.sony.jobs
        assert f"{behind} stays behind" in shown(prompts["sony"])
        assert "waiting_for_upload" in shown(prompts["sony"])
        for name, prompt in prompts.items():
            await here.press(prompt, "Start again", "ada")
            await job_at(here, name, ENDS[name])
        assert [len(service.starts) for service in here.world.services.all] == [1, 1, 1, 1, 1]
        assert len(here.world.services.sony.jobs) == 2
        assert (await job_at(here, "sony")).remote_id != behind


@pytest.mark.proof
async def test_it_runs_is_believed_and_watched(tmp_path: Path) -> None:
    """[It runs] has the training watched: under its id where that is known, else it is looked for on and on."""
    async with lab(tmp_path) as here:
        prompts = await asked_of_all(here)
        for name, prompt in prompts.items():
            await here.press(prompt, "It runs", "ada")
            job = await job_at(here, name, *AT_SERVICE)
            assert (job.remote_id is not None) is (name in ("sestek", "sony"))
        await deepopinion_by_hand(here)
        await job_at(here, "deepopinion", JobState.DONE)
        assert len(here.world.services.deepopinion.starts) == 1
        for name in LINES:
            assert len(questions(here, DID_START, await job_at(here, name))) == 1


async def deepopinion_by_hand(here: Lab) -> None:
    """Somebody starts the training of that name in the service itself."""
    service = here.world.services.deepopinion
    headers = {"Authorization": f"Bearer {service.api_key}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        body = {"name": "reviews-2026", "display_name": "reviews-2026"}
        async with session.post(f"{service.base_url}/projects/1/models", json=body) as reply:
            assert reply.status == 201


async def test_two_answers_at_once_have_one_outcome(tmp_path: Path) -> None:
    """The requester and an approver answer differently at the same moment: one holds, the other is told which."""
    async with lab(tmp_path) as here:
        here.world.services.deepopinion.fail_next("reset", method="POST", path_contains="/models")
        await here.type(LINES["deepopinion"])
        prompt = await here.asked(DID_START)
        again, given_up = await asyncio.gather(
            here.press(prompt, "Start again", "ada"), here.press(prompt, "Give up", "bora")
        )
        job = await here.reaches(JobState.DONE, JobState.FAILED)
        is_given_up = job.state is JobState.FAILED
        first, second = (given_up, again) if is_given_up else (again, given_up)
        assert "Thank you" in shown(first)
        told = "given up by <@U0BORA0001>" if is_given_up else "answered “start again” by <@U0ADA00001>"
        assert f"already {told}" in shown(second)
        assert len(here.world.services.deepopinion.starts) == (0 if is_given_up else 1)


async def test_what_is_found_later_closes_the_question(tmp_path: Path) -> None:
    """Looking goes on while a person thinks: found by itself, the question is closed and says so."""
    async with lab(tmp_path) as here:
        deepopinion = here.world.services.deepopinion
        deepopinion.fail_next("reset", method="POST", path_contains="/models")
        await here.type(LINES["deepopinion"])
        job = await job_at(here, "deepopinion", JobState.UNSURE)
        prompt = await here.asked(DID_START, job.id)
        await deepopinion_by_hand(here)
        await job_at(here, "deepopinion", JobState.DONE)
        closed = await here.changed(prompt, "It was found running.")
        assert buttons_of(closed) == []
        assert "found running" in shown(await here.press(prompt, "Start again", "ada"))
        assert len(deepopinion.starts) == 1


@pytest.mark.proof
async def test_an_ended_training_may_be_the_former_one(tmp_path: Path) -> None:
    """Sestek names no experiment: a finished one may be that of the last training, so a person is asked."""
    async with lab(tmp_path) as here:
        await here.type(LINES["sestek"])
        await here.reaches(JobState.LIVE)
        here.time.advance(minutes=2)
        here.world.services.sestek.fail_next("reset", method="POST", path_contains="/train")
        await here.type(LINES["sestek"])
        job = await job_at(here, "sestek", JobState.UNSURE)
        prompt = await here.asked(DID_START, job.id)
        assert "may belong to the former training" in shown(prompt)
        await here.press(prompt, "Start again", "ada")
        await here.all_reach(JobState.LIVE)
        assert len(here.world.services.sestek.starts) == 2


@pytest.mark.proof
async def test_a_service_that_cannot_be_asked_is_left_to_a_person(tmp_path: Path) -> None:
    """Where even looking fails for long, the question comes; when the service is back, what was started is found."""
    async with lab(tmp_path) as here:
        deepopinion = here.world.services.deepopinion
        deepopinion.fail_next("hang", method="POST", path_contains="/models", after_work=True)
        await here.type(LINES["deepopinion"])
        await deepopinion.arrived("POST", "/models")
        deepopinion.act("outage", kind="500")
        for _ in range(12):
            here.time.advance(minutes=1)
            await here.looked(deepopinion, 1)
        prompt = await here.asked(DID_START)
        deepopinion.act("outage", kind=None)
        here.time.advance(minutes=1)
        await here.reaches(JobState.DONE)
        await here.changed(prompt, "It was found running.")
        assert len(deepopinion.starts) == 1


# -- was the switch applied? ------------------------------------------------------------------------------------------


async def approved(here: Lab, line: str) -> Job:
    await here.type(line)
    job = await here.reaches(JobState.OFFERED)
    await here.press(await here.asked(SWITCH, job.id), "Approve", "bora")
    return job


async def test_a_switch_that_cannot_be_seen_is_asked_about(tmp_path: Path) -> None:
    """Without a deploy key nobody sees whether a cut-off switch was applied: a person says, and nothing is sent.

    Once it is said to be applied, the closed question about the switch has the prepared way back.
    """
    async with lab(tmp_path) as here:
        sony = here.world.services.sony
        await approved(here, "/train sony demand")
        await here.reaches(JobState.PROMOTED)
        sony.fail_next("reset", method="PUT", path_contains="update_model", after_work=True)
        job = await approved(here, "/train sony demand")
        prompt = await here.asked(DID_SWITCH, job.id)
        assert all(one["action_id"] != "retrain" for one in buttons_of(questions(here, SWITCH, job)[0]))
        await here.restart()
        assert "can do that" in shown(await here.press(prompt, "It was applied", "dan"))
        await here.press(prompt, "It was applied", "ada")
        await here.all_reach(JobState.PROMOTED)
        assert any("A person saw that it was applied." in shown(one) for one in here.cards())
        assert questions(here, DID_SWITCH, job)[0].ts == prompt.ts
        assert len(questions(here, DID_SWITCH, job)) == 1
        assert [one["value"] for one in buttons_of(questions(here, SWITCH, job)[0])] == [job.id]
        assert len(sony.switches) == 2


async def test_a_switch_that_was_not_applied_is_offered_anew(tmp_path: Path) -> None:
    """[It was not] opens a new offer: only a new yes sends the switch, and it is sent once."""
    async with lab(tmp_path) as here:
        sony = here.world.services.sony
        sony.fail_next("reset", method="PUT", path_contains="update_model")
        job = await approved(here, "/train sony demand")
        old = questions(here, SWITCH, job)[0]
        await here.press(await here.asked(DID_SWITCH, job.id), "It was not", "ada")
        await here.reaches(JobState.OFFERED)
        assert sony.switches == []
        fresh = await here.asked(SWITCH, after=old)
        await here.press(fresh, "Approve", "chie")
        await here.reaches(JobState.PROMOTED)
        assert len(sony.switches) == 1


@pytest.mark.parametrize("line", short(["/train sony churn", LINES["decthings"]], "/train sony churn"))
async def test_a_switch_that_can_be_seen_needs_no_question(tmp_path: Path, line: str) -> None:
    """Where the service shows what is live, looking answers: the cut-off switch is seen, nobody is asked."""
    async with lab(tmp_path) as here:
        service = here.world.services.sony if "sony" in line else here.world.services.decthings
        path = "update_model" if "sony" in line else "setActiveModelState"
        service.fail_next("reset", path_contains=path, after_work=True)
        job = await approved(here, line)
        await here.reaches(JobState.LIVE)
        assert questions(here, DID_SWITCH, job) == []
        assert len(service.switches) == 1


@pytest.mark.proof
async def test_a_switch_that_is_not_seen_is_asked_about_while_looking_goes_on(tmp_path: Path) -> None:
    """Three looks see the former version: a person is asked. Seen after all, the question is closed."""
    async with lab(tmp_path, training_seconds=1.5) as here:
        sony = here.world.services.sony
        sony.fail_next("reset", method="PUT", path_contains="update_model", after_work=True)
        here.world.clock.speed = 0
        await here.type("/train sony churn")
        await here.looked(sony, 1, "PUT")
        here.world.clock.advance(2)
        job = await here.reaches(JobState.OFFERED)
        await here.press(await here.asked(SWITCH, job.id), "Approve", "bora")
        prompt = await here.asked(DID_SWITCH, job.id)
        here.world.clock.advance(2)
        await here.reaches(JobState.LIVE)
        closed = await here.changed(prompt, "The new model was seen serving.")
        assert buttons_of(closed) == []
        assert len(sony.switches) == 1


async def test_a_switch_that_is_refused_is_offered_anew(tmp_path: Path) -> None:
    """The service says no: surely not applied, said in its words, and only a new click sends it again."""
    async with lab(tmp_path) as here:
        sony = here.world.services.sony
        sony.fail_next("unauthorized", method="PUT", path_contains="update_model")
        job = await approved(here, "/train sony demand")
        await here.world.slack.wait_for_message(
            "C0TRAIN001", lambda one: "The switch was not applied." in shown(one), timeout=30
        )
        await here.reaches(JobState.OFFERED)
        assert sony.switches == []
        first = questions(here, SWITCH, job)[0]
        fresh = await here.asked(SWITCH, after=first)
        await here.press(fresh, "Approve", "bora")
        await here.reaches(JobState.PROMOTED)
        assert len(sony.switches) == 1


@pytest.mark.proof
async def test_what_is_accepted_and_not_seen_in_time_is_not_called_live(tmp_path: Path) -> None:
    """The switch was accepted, but an hour later the former version still serves: applied, not seen."""
    async with lab(tmp_path, training_seconds=1.5) as here:
        here.world.clock.speed = 0
        await here.type("/train sony churn")
        await here.looked(here.world.services.sony, 1, "PUT")
        here.world.clock.advance(2)
        job = await here.reaches(JobState.OFFERED)
        await here.press(await here.asked(SWITCH, job.id), "Approve", "bora")
        await here.looked(here.world.services.sony, 3, "GET", "classifiers")
        assert (await here.job()).state is JobState.PROMOTING
        here.time.advance(minutes=61)
        await here.reaches(JobState.PROMOTED)
        assert "Applied, not seen" in shown(here.cards()[0])


# -- how long? --------------------------------------------------------------------------------------------------------


async def test_a_long_training_is_asked_about_and_not_ended(tmp_path: Path) -> None:
    """After 72 hours a person says whether it is watched on; giving up ends the watching, not the training."""
    async with lab(tmp_path, training_seconds=600) as here:
        decthings = here.world.services.decthings
        await here.type(LINES["decthings"])
        job = await here.reaches(JobState.QUEUED, JobState.RUNNING)
        here.time.advance(hours=73)
        first = await here.asked(GO_ON, job.id)
        await here.looked(decthings, 3)
        assert len(questions(here, GO_ON, job)) == 1
        assert "can do that" in shown(await here.press(first, "Give up", "dan"))
        await here.press(first, "Keep watching", "ada")
        await here.changed(first, "Answered by <@U0ADA00001>: keep watching")
        await here.looked(decthings, 3)
        assert len(questions(here, GO_ON, job)) == 1
        here.time.advance(hours=73)
        second = await here.asked(GO_ON, after=first)
        await here.press(second, "Give up", "ada")
        await here.reaches(JobState.LOST)
        assert not decthings.sessions()[0].cancelling
        assert not decthings.sessions()[0].course.is_over()


async def test_an_end_answers_the_question_whether_to_go_on(tmp_path: Path) -> None:
    """The training ended while a person thought: the question is closed by that."""
    async with lab(tmp_path, training_seconds=600) as here:
        await here.type(LINES["deepopinion"])
        job = await here.reaches(JobState.QUEUED, JobState.RUNNING)
        here.time.advance(hours=73)
        prompt = await here.asked(GO_ON, job.id)
        here.world.services.deepopinion.act("finish", training=str(job.remote_id or "12"))
        await here.reaches(JobState.DONE)
        assert buttons_of(await here.changed(prompt, "Closed.")) == []


async def test_lost_only_after_not_found_on_three_looks_over_ten_minutes(tmp_path: Path) -> None:
    """A training that its service denies is not given up at once, however often it is looked at."""
    async with lab(tmp_path, training_seconds=600) as here:
        deepopinion = here.world.services.deepopinion
        await here.type(LINES["deepopinion"])
        job = await here.reaches(JobState.QUEUED, JobState.RUNNING)
        deepopinion.act("forget", training=job.remote_id)
        await here.looked(deepopinion, 5, "GET")
        assert (await here.job()).state in AT_SERVICE
        await here.changed(here.cards()[0], "The model does not exist")
        here.time.advance(minutes=9)
        await here.looked(deepopinion, 2, "GET")
        assert (await here.job()).state in AT_SERVICE
        here.time.advance(minutes=2)
        await here.reaches(JobState.LOST)
        assert "no longer known" in shown(here.cards()[0])


@pytest.mark.proof
async def test_an_outage_loses_nothing(tmp_path: Path) -> None:
    """Pages, errors and silence are no answer: however long they last, the training is kept."""
    async with lab(tmp_path, training_seconds=600) as here:
        deepopinion = here.world.services.deepopinion
        await here.type(LINES["deepopinion"])
        job = await here.reaches(JobState.QUEUED, JobState.RUNNING)
        deepopinion.act("outage", kind="html")
        for _ in range(5):
            here.time.advance(minutes=10)
            await here.looked(deepopinion, 1, "GET")
        assert (await here.job()).state in AT_SERVICE
        deepopinion.act("outage", kind=None)
        deepopinion.act("finish", training=job.remote_id)
        here.time.advance(minutes=10)
        await here.reaches(JobState.DONE)


@pytest.mark.proof
async def test_looking_for_a_served_model_ends_where_it_is_gone(tmp_path: Path) -> None:
    """A trained model that its service no longer knows is looked for during its hour, and not for ever."""
    async with lab(tmp_path, training_seconds=0.3) as here:
        aitems = here.world.services.aitems
        aitems.training_seconds = 30_000
        await here.type(LINES["aitems"])
        await here.looked(aitems, 4, "GET")
        job = await here.job(lambda one: one.remote_id is not None)
        [train] = [one for one in aitems.services["svcmovies01"].trains if one.version != "v0pop000001"]
        aitems.act("finish", training=train.key)
        await here.job(lambda one: one.state is JobState.DONE)
        aitems.act("forget", training=train.key)
        await here.looked(aitems, 3, "GET")
        here.later(minutes=61)
        job = await here.job(lambda one: one.act_at is None)
        assert job.state is JobState.DONE


# -- words ------------------------------------------------------------------------------------------------------------


def told(here: Lab, word: str) -> int:
    return sum(f"`{word}`" in line for line in here.thread())


async def test_an_unknown_word_moves_nothing_and_is_told_once(tmp_path: Path) -> None:
    """A word that is not documented stands on the card as it is, once in the thread, and nothing moves by it."""
    async with lab(tmp_path, training_seconds=600) as here:
        sestek = here.world.services.sestek
        await here.type(LINES["sestek"])
        job = await here.reaches(JobState.QUEUED, JobState.RUNNING)
        for word in ("Rebalancing", None, "Rebalancing", "Failed?"):
            sestek.act("word", training="my-model", word=word)
            await here.looked(sestek, 3, "GET")
        await here.changed(here.cards()[0], "`Failed?`")
        assert (await here.job()).state is job.state
        assert told(here, "Rebalancing") == 1
        assert told(here, "Failed?") == 1
        await here.restart()
        await here.looked(sestek, 3, "GET")
        await here.quiet()
        assert told(here, "Failed?") == 1
        sestek.act("word", training="my-model", word=None)
        sestek.act("finish", training="my-model")
        await here.reaches(JobState.DONE)
        here.world.clock.advance(600)
        await here.reaches(JobState.LIVE)


@pytest.mark.proof
async def test_sonys_words_are_told_once_each(tmp_path: Path) -> None:
    """Sony documents one word; every other one stands for running, and is told once, verbatim."""
    async with lab(tmp_path, training_seconds=600) as here:
        sony = here.world.services.sony
        await here.type("/train sony churn")
        job = await here.reaches(JobState.RUNNING)
        for word in ("warming_up", "phase 2 <of> 3", "warming_up"):
            sony.act("word", training=job.remote_id, word=word)
            await here.looked(sony, 3, "GET", "retrain_jobs/")
        await here.quiet()
        assert told(here, "job_accepted") == 1
        assert told(here, "warming_up") == 1
        assert told(here, "phase 2 &lt;of&gt; 3") == 1
        assert not any("nothing moves by it" in line for line in here.thread())
        assert (await here.job()).state is JobState.RUNNING


async def test_sonys_failed_word_is_our_reading(tmp_path: Path) -> None:
    """A word that we read as failed is shown verbatim as our reading; [Keep watching] does not fail by it again."""
    async with lab(tmp_path, training_seconds=600) as here:
        sony = here.world.services.sony
        await here.type("/train sony churn")
        job = await here.reaches(JobState.RUNNING)
        sony.act("word", training=job.remote_id, word="retry_after_error_3")
        await here.reaches(JobState.FAILED)
        card = await here.changed(here.cards()[0], "ur reading")
        assert "`retry_after_error_3`" in shown(card)
        assert [one["text"]["text"] for one in deeds_of(card)] == ["Keep watching"]
        assert "Only the person who asked" in shown(await here.press(card, "Keep watching", "dan"))
        assert "watched on" in shown(await here.press(card, "Keep watching", "ada"))
        await here.looked(sony, 4, "GET", "retrain_jobs/")
        assert (await here.job()).state is JobState.RUNNING
        assert "nothing to keep watching" in shown(await here.press(card, "Keep watching", "ada"))
        sony.act("word", training=job.remote_id, word="job_aborted")
        await here.reaches(JobState.FAILED)
        await here.press(await here.changed(here.cards()[0], "job_aborted"), "Keep watching", "bora")
        sony.act("word", training=job.remote_id, word=None)
        sony.act("finish", training=job.remote_id)
        await here.reaches(JobState.OFFERED)
        assert len(sony.starts) == 1
