"""All five services, each from a slash command to its end, through Slack's door: Socket Mode and signed HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.jobs import JobState
from tests.flows.lab import Mode, button, lab, shown

MODES = pytest.mark.parametrize("mode", ["socket", "http"])


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


@MODES
async def test_deepopinion_from_command_to_trained(tmp_path: Path, mode: Mode) -> None:
    """A model of a project is trained; there is no switch, so trained is the end."""
    async with lab(tmp_path, mode=mode) as here:
        await here.type("/train deepopinion 1 reviews-2026 language=en sessions=1,2")
        await here.reaches(JobState.DONE)
        assert len(here.world.services.deepopinion.starts) == 1
        assert "<@U0ADA00001>" in here.thread()[-1]


@MODES
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


@MODES
async def test_aitems_trains_several_types_in_one_job(tmp_path: Path, mode: Mode) -> None:
    """One command, one POST, one card with a line per type; live once results are seen for all of them."""
    async with lab(tmp_path, mode=mode) as here:
        await here.type('/train aitems svcmovies01 pop,relatedItem description="weekly run"')
        await here.reaches(JobState.LIVE, timeout=15)
        assert len(here.world.services.aitems.starts) == 1
        card = here.cards()[0]
        assert "relatedItem" in shown(card)


@MODES
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
