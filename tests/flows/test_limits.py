"""How much one person may have and ask: what is too much is refused in a sentence that names the setting."""

from __future__ import annotations

from pathlib import Path

from bot.domain.jobs import ENDS
from tests.flows.lab import CHANNEL, lab


async def test_one_person_has_only_so_many_trainings(tmp_path: Path) -> None:
    """The limit and its setting are named, it holds over a restart, and others are not held up."""
    async with lab(tmp_path, training_seconds=60, SWITCHYARD_LIMITS__LIVING_PER_PERSON="2") as here:
        for number in (1, 2):
            assert "Got it" in await here.type(f"/train deepopinion 1 reviews-{number} sessions=1,2")
        await here.restart()
        said = await here.type("/train deepopinion 1 reviews-3 sessions=1,2")
        assert "SWITCHYARD_LIMITS__LIVING_PER_PERSON" in said
        assert "may have 2 trainings" in said
        oldest = (await here.jobs())[-1]
        assert f"`{oldest.id}`" in said
        assert "Got it" in await here.type("/train deepopinion 1 reviews-4 sessions=1,2", who="bora")
        assert len(await here.jobs()) == 3


async def test_a_training_from_elsewhere_counts_like_another(tmp_path: Path) -> None:
    """Who presses Watch has one training more."""
    async with lab(tmp_path, training_seconds=60, SWITCHYARD_LIMITS__LIVING_PER_PERSON="1") as here:
        await here.type("/train deepopinion 1 reviews-1 sessions=1,2")
        job = await here.job(lambda one: one.remote_id is not None)
        await here.type("/train deepopinion 1 reviews-2 sessions=1,2", who="bora")
        theirs = await here.job(lambda one: one.request.model != job.request.model and one.remote_id is not None)
        await here.restart(SWITCHYARD_DATABASE_URL=f"sqlite:///{tmp_path / 'other.db'}")
        await here.type("/train deepopinion 1 reviews-3 sessions=1,2")
        await here.job(lambda one: one.remote_id is not None)
        await here.type(f"/status deepopinion 1 {theirs.remote_id}")
        offer = await here.told("ada", "It was not started here.")
        refused = await here.press(offer, "Watch", "ada")
        assert "SWITCHYARD_LIMITS__LIVING_PER_PERSON" in refused.text
        assert len(await here.jobs()) == 1


async def test_one_person_asks_only_so_often_a_minute(tmp_path: Path) -> None:
    """Trainings and questions to services count together, over a restart; reading what is kept here is free."""
    async with lab(tmp_path, SWITCHYARD_LIMITS__COMMANDS_PER_MINUTE="2") as here:
        assert "Got it" in await here.type("/train sestek my-model en-US")
        assert "Asking" in await here.type("/status deepopinion 1 11")
        await here.restart()
        for line in ("/train deepopinion 1 reviews sessions=1,2", "/status deepopinion 1 11"):
            said = await here.type(line)
            assert "SWITCHYARD_LIMITS__COMMANDS_PER_MINUTE" in said
            assert "2 commands a minute" in said
        assert "Trainings: 1" in await here.type("/jobs")
        assert "Asking" in await here.type("/status deepopinion 1 11", who="bora")
        here.time.advance(seconds=61)
        assert "Got it" in await here.type("/train deepopinion 1 reviews sessions=1,2", channel=CHANNEL)
        assert len(await here.jobs()) == 2
        await here.all_reach(*ENDS)
