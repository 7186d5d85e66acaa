"""All five services, each from a slash command to its end, through Slack's door: Socket Mode and signed HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.jobs import JobState
from tests.flows.lab import Mode, button, lab, shown
from tests.short import short

MODES = pytest.mark.parametrize("mode", ["socket", "http"])
SOCKET_FIRST = pytest.mark.parametrize("mode", short(["socket", "http"], "socket"))


@MODES
async def test_sestek_from_command_to_seen_serving(tmp_path: Path, mode: Mode) -> None:
    """The card moves by itself from the command to live; the file is the one named after the model."""
    async with lab(tmp_path, mode=mode) as here:
        said = await here.type("/train sestek my-model en-US")
        assert "Got it" in said
        job = await here.reaches(JobState.LIVE)
        [card] = here.cards()[:1]
        assert "live" in shown(card)
        assert len(here.world.services.sestek.starts) == 1
        assert job.plan is not None
        assert job.plan.payload is not None
        assert job.plan.payload.name == "my-model.jsonl"


@SOCKET_FIRST
async def test_deepopinion_from_command_to_trained(tmp_path: Path, mode: Mode) -> None:
    """A model of a project is trained; there is no switch, so trained is the end."""
    async with lab(tmp_path, mode=mode) as here:
        await here.type("/train deepopinion 1 reviews-2026 language=en sessions=1,2")
        await here.reaches(JobState.DONE)
        assert len(here.world.services.deepopinion.starts) == 1
        assert "<@U0ADA00001>" in here.thread()[-1]


@SOCKET_FIRST
async def test_decthings_is_activated_after_an_approval(tmp_path: Path, mode: Mode) -> None:
    """The new state is stored by the training and activated only by the approval; then it is seen to be active."""
    async with lab(tmp_path, mode=mode) as here:
        await here.type(
            "/train decthings mdl-sentiment st-new data=dataset:ds-reviews/train epochs=u32:2 launcher=ln-small"
        )
        await here.reaches(JobState.OFFERED)
        assert here.world.services.decthings.switches == []
        prompt = await here.prompt()
        await here.person("bora").click(prompt, button(prompt, "Approve"))
        await here.reaches(JobState.LIVE)
        assert len(here.world.services.decthings.starts) == 1
        assert len(here.world.services.decthings.switches) == 1


@SOCKET_FIRST
async def test_aitems_trains_several_types_in_one_job(tmp_path: Path, mode: Mode) -> None:
    """One command, one POST, one card with a line per type; live once results are seen for all of them."""
    async with lab(tmp_path, mode=mode) as here:
        await here.type('/train aitems svcmovies01 pop,relatedItem description="weekly run"')
        await here.reaches(JobState.LIVE, timeout=15)
        assert len(here.world.services.aitems.starts) == 1
        card = here.cards()[0]
        assert "relatedItem" in shown(card)


@SOCKET_FIRST
async def test_sony_switch_is_approved_by_another_person_and_seen(tmp_path: Path, mode: Mode) -> None:
    """Retrained is not live: somebody else approves, the switch is sent once, and its effect is seen."""
    async with lab(tmp_path, mode=mode) as here:
        await here.type("/train sony churn data=churn.csv")
        await here.reaches(JobState.OFFERED)
        prompt = await here.prompt()
        await here.person("ada").click(prompt, button(prompt, "Approve"))
        assert "somebody else" in shown(await here.told("ada", "somebody else"))
        await here.person("bora").click(prompt, button(prompt, "Approve"))
        await here.reaches(JobState.LIVE)
        assert len(here.world.services.sony.starts) == 1
        assert len(here.world.services.sony.switches) == 1


async def test_sony_without_a_deploy_key_is_applied_but_not_called_live(tmp_path: Path) -> None:
    """Live is only said when it was seen: where the classifier cannot be read, the end is "applied"."""
    async with lab(tmp_path) as here:
        await here.type("/train sony demand data=demand.csv")
        await here.reaches(JobState.OFFERED)
        prompt = await here.prompt()
        await here.person("chie").click(prompt, button(prompt, "Approve"))
        await here.reaches(JobState.PROMOTED)
        assert "*applied*" in shown(here.cards()[0])
        assert not any("*live*" in line for line in here.thread())
        assert len(here.world.services.sony.switches) == 1


async def test_every_example_of_the_help_works_when_pasted(tmp_path: Path) -> None:
    """What the help shows can be typed as it stands, and a training comes of it."""
    async with lab(tmp_path) as here:
        files = [here.world.data_folder / name for name in ("my-model.jsonl", "churn.csv", "churn-eval.csv")]
        assert all(file.is_file() for file in files)
        for provider in here.bot.deps.providers.configured().values():
            example = provider.arguments.examples[0]
            assert "Got it" in await here.type(example), example


async def test_sony_evaluates_with_a_file_of_its_own(tmp_path: Path) -> None:
    """With `eval=` both files are packed into one ZIP, which the service takes."""
    async with lab(tmp_path) as here:
        await here.type("/train sony churn data=churn.csv eval=churn-eval.csv")
        await here.reaches(JobState.OFFERED)
        [job] = here.world.services.sony.jobs.values()
        assert job.filename == "churn.zip"
        assert job.message is None
        assert "churn-eval.csv, 120 rows" in shown(here.cards()[0])


@pytest.mark.proof
async def test_decthings_without_states_has_nothing_to_switch(tmp_path: Path) -> None:
    """Under the contract `versions` a finished training serves by itself: trained is the end, nothing is offered."""
    async with lab(tmp_path, SWITCHYARD_DECTHINGS__CONTRACT="versions") as here:
        line = "/train decthings mdl-sentiment v-new version=st-sentiment-1 epochs=u32:2"
        await here.type(line)
        await here.reaches(JobState.FAILED)
        assert "SWITCHYARD_DECTHINGS__CONTRACT=states" in shown(here.cards()[0])
        here.world.services.decthings.act("contract", contract="versions")
        await here.type(line)
        await here.reaches(JobState.DONE)
        assert len(here.world.services.decthings.starts) == 1
        assert here.world.services.decthings.switches == []


FAILURES = {
    "sestek": ("/train sestek my-model en-US", "`Failed`"),
    "deepopinion": ("/train deepopinion 1 reviews-2026", "`FAILED`"),
    "decthings": ("/train decthings mdl-sentiment st-2 epochs=u32:2", "ValueError: loss is not a number"),
    "aitems": ("/train aitems svcmovies01 pop", "Failed`"),
    "sony": ("/train sony churn", "`job_failed`"),
}


@pytest.mark.parametrize("name", short(FAILURES, "decthings", "sony"))
async def test_a_failed_training_is_told_in_the_services_words(tmp_path: Path, name: str) -> None:
    """The end mentions the requester and says what the service says; nothing is offered, nothing is switched."""
    line, word = FAILURES[name]
    async with lab(tmp_path, training_seconds=600) as here:
        service = next(one for one in here.world.services.all if one.name == name)
        await here.type(line)
        await here.job(lambda one: one.look.status is not None)
        assert service.act("fail", training=service.trainings()[0]["id"])["ok"]
        await here.reaches(JobState.FAILED)
        assert "<@U0ADA00001>" in here.thread()[-1]
        assert word in here.thread()[-1]
        assert service.switches == []


async def test_aitems_tells_which_of_several_types_failed(tmp_path: Path) -> None:
    """One job with two types, of which one fails: it ends when both have ended, failed, naming which."""
    async with lab(tmp_path, training_seconds=600) as here:
        aitems = here.world.services.aitems
        await here.type("/train aitems svcmovies01 pop,relatedItem")
        await here.job(lambda one: one.look.status is not None)
        pop, related = (
            next(one for one in aitems.services["svcmovies01"].trains if one.type == kind and one.version[:2] != "v0")
            for kind in ("pop", "relatedItem")
        )
        aitems.act("fail", training=related.key, word="learningFailed")
        await here.looked(aitems, 3)
        assert not (await here.job()).has_ended
        aitems.act("finish", training=pop.key)
        await here.reaches(JobState.FAILED)
        assert "pop: completed, relatedItem: learningFailed" in here.thread()[-1]


async def test_aitems_stopped_by_its_operator_is_cancelled(tmp_path: Path) -> None:
    """`ready` is an end only after `stopping` was seen: somebody stopped the training at the service."""
    async with lab(tmp_path, training_seconds=100) as here:
        aitems = here.world.services.aitems
        await here.type("/train aitems svcmovies01 pop")
        await here.job(lambda one: one.look.status is not None)
        aitems.act("stop", training=aitems.trainings()[0]["id"])
        await here.changed(here.cards()[0], "`stopping`")
        here.world.clock.advance(20)
        await here.reaches(JobState.CANCELLED)
