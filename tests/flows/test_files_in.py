"""A file in Slack becomes the data of a training: by a command, by the form, by the menu of its message."""

from __future__ import annotations

from pathlib import Path

from bot.domain.jobs import JobState
from sandbox.world import DATA
from tests.flows.lab import lab

CHURN = (DATA / "churn.csv").read_bytes()


async def test_a_command_names_a_file_of_the_conversation(tmp_path: Path) -> None:
    """`data=` with a link: what Bora uploaded is what Sony gets, byte for byte, under its name."""
    async with lab(tmp_path) as here:
        message = await here.person("bora").upload("May 2026.csv", CHURN)
        assert message.files
        await here.type(f"/train sony churn data={message.files[0]['permalink']}")
        job = await here.reaches(JobState.OFFERED)
        assert job.plan
        assert job.plan.payload
        assert (job.plan.payload.name, here.starts()) == ("May 2026.csv", 1)
        [sent] = [one for one in here.world.services.sony.requests if one.method == "PUT"]
        assert sent.body == CHURN
        assert [call.status for call in here.world.slack.calls_of("download")] == [200]
