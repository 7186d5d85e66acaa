"""Ending a training before its time: only where its service can, and only called ended when it has."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.domain.jobs import AT_SERVICE, JobState
from tests.flows.lab import Lab, deeds_of, lab, shown, with_button
from tests.short import short

TRAIN = "/train decthings mdl-sentiment st-2 epochs=u32:2"


async def running(here: Lab) -> None:
    await here.type(TRAIN)
    await here.reaches(JobState.QUEUED, JobState.RUNNING)


async def test_a_training_is_cancelled_and_seen_to_end(tmp_path: Path) -> None:
    """Cancel asks the service; "cancelled" is said when the service says so, not before."""
    async with lab(tmp_path, training_seconds=600) as here:
        decthings = here.world.services.decthings
        await running(here)
        said = await here.press(here.cards()[0], "Cancel", "ada")
        assert "The service is asked to stop" in shown(said)
        card = await here.changed(here.cards()[0], "*being cancelled*")
        assert deeds_of(card) == []
        await here.looked(decthings, 3)
        assert (await here.job()).state is JobState.CANCELLING
        here.world.clock.advance(120)
        await here.reaches(JobState.CANCELLED)
        assert any("<@U0ADA00001>" in line and "*cancelled*" in line for line in here.thread())
        assert len(decthings.arrivals("POST", "cancelTrainingSession")) == 1


async def test_two_presses_cancel_once(tmp_path: Path) -> None:
    """Pressed by the requester and an approver at once, the service is asked once, and both are answered."""
    async with lab(tmp_path, training_seconds=600) as here:
        await running(here)
        card = here.cards()[0]
        said = await asyncio.gather(here.press(card, "Cancel", "ada"), here.press(card, "Cancel", "bora"))
        assert any("asked to stop" in shown(one) for one in said)
        await here.looked(here.world.services.decthings, 3)
        assert len(here.world.services.decthings.arrivals("POST", "cancelTrainingSession")) == 1
        assert "being cancelled already" in shown(await here.press(card, "Cancel", "ada"))


@pytest.mark.proof
async def test_a_training_that_ends_well_meanwhile_is_offered(tmp_path: Path) -> None:
    """The model's code may ignore a cancellation: a training that completes is trained, whatever was asked for."""
    async with lab(tmp_path, training_seconds=600) as here:
        decthings = here.world.services.decthings
        decthings.act("heed_cancel", on=False)
        await running(here)
        await here.press(here.cards()[0], "Cancel", "ada")
        await here.looked(decthings, 3)
        decthings.act("finish", training=decthings.sessions()[0].id)
        await here.reaches(JobState.OFFERED)


async def test_a_refused_cancellation_is_told_and_the_training_goes_on(tmp_path: Path) -> None:
    """The service says no: the thread tells why, the training is watched on, and can be tried to cancel again."""
    async with lab(tmp_path, training_seconds=600) as here:
        decthings = here.world.services.decthings
        await running(here)
        decthings.models["mdl-sentiment"].access = "read"
        await here.press(here.cards()[0], "Cancel", "ada")
        await here.job(lambda one: one.state in AT_SERVICE - {JobState.CANCELLING})
        await here.quiet()
        [refusal] = [line for line in here.thread() if "The cancelling was refused" in line]
        assert "read access only" in refusal
        decthings.models["mdl-sentiment"].access = "readwrite"
        await here.press(here.cards()[0], "Cancel", "ada")
        await here.looked(decthings, 2)
        here.world.clock.advance(120)
        await here.reaches(JobState.CANCELLED)


async def test_a_service_that_is_away_is_asked_to_stop_when_it_is_back(tmp_path: Path) -> None:
    """A cancellation that did not arrive is no refusal: it is sent when the service answers again."""
    async with lab(tmp_path, training_seconds=600) as here:
        decthings = here.world.services.decthings
        await running(here)
        decthings.act("outage", kind="503")
        await here.press(here.cards()[0], "Cancel", "ada")
        await here.looked(decthings, 2, "POST", "cancelTrainingSession")
        assert (await here.job()).state is JobState.CANCELLING
        decthings.act("outage", kind=None)
        here.time.advance(minutes=1)
        await here.looked(decthings, 2)
        here.world.clock.advance(120)
        await here.reaches(JobState.CANCELLED)


async def test_before_the_start_every_training_can_be_cancelled(tmp_path: Path) -> None:
    """What was not sent yet ends at once, also at a service that cannot cancel; nothing is sent afterwards."""
    async with lab(tmp_path, training_seconds=600) as here:
        deepopinion = here.world.services.deepopinion
        deepopinion.act("outage", kind="503")
        await here.type("/train deepopinion 1 reviews-2026")
        await here.looked(deepopinion, 1)
        card = await here.changed(here.cards()[0], "HTTP 503")
        assert "Cancelled; nothing was started." in shown(await here.press(card, "Cancel", "ada"))
        await here.reaches(JobState.CANCELLED)
        deepopinion.act("outage", kind=None)
        here.time.advance(hours=1)
        await here.restart()
        await here.quiet()
        assert here.starts() == 0
        assert deeds_of(here.cards()[0]) == []


@pytest.mark.parametrize(
    "line",
    short(
        [
            "/train sestek my-model en-US",
            "/train deepopinion 1 reviews-2026",
            "/train aitems svcmovies01 pop",
            "/train sony churn",
        ],
        "/train sony churn",
    ),
)
async def test_no_button_promises_what_the_service_cannot(tmp_path: Path, line: str) -> None:
    """Four of the services document no way to cancel: their cards have no such button, and an old one says why."""
    async with lab(tmp_path, training_seconds=600) as here:
        await here.type(line)
        job = await here.reaches(JobState.RUNNING, JobState.QUEUED)
        await here.quiet()
        assert deeds_of(here.cards()[0]) == []
        old = with_button(here.cards()[0], "cancel", job.id)
        assert "offers no way to cancel a training that runs" in shown(await here.press(old, "Press", "ada"))
        assert (await here.job()).state in AT_SERVICE
