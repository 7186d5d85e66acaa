"""Pictures through Slack's door: scores beside a story, durations below a page, words where Slack takes none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.domain.jobs import JobState
from bot.ports import JobFilter
from sandbox.slack.workspace import Ephemeral
from tests.flows.lab import lab, shown


def pictures(message: Ephemeral) -> list[dict[str, Any]]:
    return [block for block in message.blocks or () if block["type"] == "data_visualization"]


async def test_the_history_is_drawn(tmp_path: Path) -> None:
    """Two presses lead from the list to a picture; where Slack refuses it, its numbers come as text all the same."""
    async with lab(tmp_path) as here:
        for name in ("summer", "autumn"):
            await here.type(f"/train deepopinion 1 {name} language=en sessions=1,2")
            await here.all_reach(JobState.DONE)
        newer, older = await here.bot.deps.store.jobs(JobFilter())
        page = await here.ask("/jobs deepopinion")
        story = await here.press(page, f"Story {newer.id}", "ada")
        [scores] = pictures(await here.press(story, "Scores", "ada"))
        assert scores["chart"]["axis_config"]["categories"] == [older.id, newer.id]
        assert {one["name"] for one in scores["chart"]["series"]} == {"f1", "score"}
        took = await here.press(page, "Durations", "ada")
        assert [one["chart"]["type"] for one in pictures(took)] == ["bar"]
        assert "`/jobs deepopinion`, 2 finished trainings: " in shown(took)
        here.refusals.add("invalid_blocks")
        await here.world.slack.switch("fail", {"method": "response_url", "times": 1, "error": "invalid_blocks"})
        plain = await here.press(page, "Durations", "ada")
        assert not plain.blocks
        assert f"{newer.id} | autumn | " in plain.text


@pytest.mark.proof
async def test_the_labels_of_a_file_are_drawn(tmp_path: Path) -> None:
    """The card of a training has the balance of its labels a press away, and so has its story."""
    async with lab(tmp_path) as here:
        await here.type("/train sestek my-model en-US")
        job = await here.reaches(JobState.LIVE)
        card = await here.changed(here.cards()[0], "*live*")
        story = await here.ask(f"/status {job.id}")
        for pressed in (card, story):
            [drawn] = pictures(await here.press(pressed, "Label balance", "bora"))
            assert drawn["title"].startswith("Rows per label: ")


@pytest.mark.proof
async def test_a_picture_of_nothing_is_a_sentence(tmp_path: Path) -> None:
    """Where no training fits, or none was finished, that is said."""
    async with lab(tmp_path) as here:
        await here.type("/train sestek mine en-US data=missing-text.jsonl")
        await here.all_ended()
        page = await here.ask("/jobs sestek failed")
        for pressed in (page, await here.ask("/jobs all")):
            assert "Of none of the trainings of" in (await here.press(pressed, "Durations", "ada")).text
