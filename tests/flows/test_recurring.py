"""Trainings that recur, through Slack's door: planned, run at their time, stopped."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.jobs import JobState
from tests.flows import test_home as homes
from tests.flows.lab import CHANNEL, Lab, lab, shown
from tests.flows.test_forms import opened, pick, send

EVERY_DAY = 'every="day 09:00"'


async def planned(here: Lab, line: str, who: str = "ada") -> str:
    """Plan it; what is told once the times are known, or at once where they are."""
    said = await here.type(line, who)
    if "follow" in said:
        said = shown(await here.told(who, "Planned:"))
    return said


async def to_the_next(here: Lab, hour: int = 9) -> None:
    """Move the clock to the next such time in Istanbul, where Ada is."""
    now = here.time.now() + timedelta(hours=3)
    then = now.replace(hour=hour, minute=0, second=1, microsecond=0)
    here.later(seconds=(then - now).total_seconds() % timedelta(days=1).total_seconds())


async def test_a_training_is_planned_runs_and_is_stopped(tmp_path: Path) -> None:
    """The answer says when and under which name; each run is an ordinary training, and its card can end it."""
    async with lab(tmp_path) as here:
        said = await planned(here, f"/train deepopinion 1 reviews-{{date}} sessions=1,2 {EVERY_DAY}")
        assert "(Europe/Istanbul)" in said
        assert "The first run is called `reviews-2" in said
        assert await here.jobs() == []
        await to_the_next(here)
        job = await here.reaches(JobState.DONE)
        today = f"{here.time.now() + timedelta(hours=3):%Y-%m-%d}"
        assert job.request.model == f"reviews-{today}"
        card = await here.world.slack.wait_for_message(CHANNEL, lambda one: "Run 1 of" in shown(one), timeout=30)
        listed = await here.ask("/jobs every")
        assert "1 run" in shown(listed)
        told = await here.press(card, "Stop recurring", "ada")
        assert "Stopped:" in told.text
        assert "Nothing recurs" in shown(await here.ask("/jobs every"))
        await here.quiet()
        assert [one for one in here.world.slack.messages(CHANNEL) if "stopped" in one.text]


@pytest.mark.proof
async def test_a_name_that_would_be_the_same_is_refused_with_the_line_to_paste(tmp_path: Path) -> None:
    """What is pasted is taken."""
    async with lab(tmp_path) as here:
        refused = await here.type(f"/train decthings mdl-sentiment r1 train=dataset:ds/a launcher=l-1 {EVERY_DAY}")
        assert "put `{date}` or `{n}` into it" in refused
        line = refused.partition("Paste this: `")[2].partition("`")[0]
        assert "r1-{date}" in line
        assert "Planned" in await planned(here, line)


@pytest.mark.proof
async def test_the_form_plans_too(tmp_path: Path) -> None:
    """Under its field, with the same refusals; what was planned is told where the form was opened."""
    async with lab(tmp_path) as here:
        await here.type("/train")
        await opened(here)
        view = await pick(here, "deepopinion", "every")
        refused = await send(here, view, project="1", name="reviews", every="mon 09:00")
        assert "{date}" in str(refused.response)
        refused = await send(here, view, project="1", name="reviews-{n}", every="monday")
        assert "deepopinion.every" in str(refused.response)
        await send(here, view, project="1", name="reviews-{n}", every="mon 09:00")
        assert "Planned:" in (await here.told("ada", "reviews-1")).text


@pytest.mark.proof
async def test_it_goes_on_after_a_restart_and_others_do_not_stop_it(tmp_path: Path) -> None:
    """What was planned is on disk; only who planned it and approvers end it."""
    async with lab(tmp_path) as here:
        await planned(here, f"/train sestek my-model en-US {EVERY_DAY}")
        await here.restart()
        listed = await here.ask("/jobs every", "dan")
        [stop] = [block["accessory"] for block in listed.blocks or [] if "accessory" in block]
        outcome = await here.person("dan").click(listed, stop["action_id"])
        assert outcome.ok
        await here.told("dan", "an approver can stop it")
        await to_the_next(here)
        job = await here.reaches(JobState.DONE, JobState.LIVE)
        assert job.request.run is not None


@pytest.mark.proof
async def test_a_run_that_may_not_be_posted_is_told_to_who_planned_it(tmp_path: Path) -> None:
    """Nobody typed it a moment ago, so the direct message says that it is held."""
    async with lab(tmp_path) as here:
        await planned(here, f"/train sestek my-model en-US {EVERY_DAY}")
        here.world.slack.workspace.kick(CHANNEL, here.world.slack.lab.bot)
        await to_the_next(here)
        job = await here.job(lambda one: one.state is JobState.APPROVED)

        def is_told() -> bool:
            places = here.world.slack.workspace.messages
            return any(
                job.id in one.text for place in places if place.startswith("D") for one in places[place].values()
            )

        await here.world.slack.wait_for(is_told, timeout=30, what="a direct message")


@pytest.mark.proof
async def test_the_home_tab_lists_and_stops(tmp_path: Path) -> None:
    """With the button beside it; the answer stands on the tab."""
    async with lab(tmp_path) as here:
        await planned(here, f"/train sestek my-model en-US {EVERY_DAY}")
        view = await homes.opened(here, "ada", lambda text: "Recurring trainings (1)" in text)
        [stop] = [
            block["accessory"] for block in view.view["blocks"] if "stop_recurring" in str(block.get("accessory"))
        ]
        outcome = await here.person("ada").click_in_view(view, stop["action_id"])
        assert outcome.ok, outcome
        await homes.home(here, "ada", lambda text: "Stopped:" in text and "Recurring trainings" not in text)
