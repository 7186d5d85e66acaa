"""A file in Slack becomes the data of a training: by a command, by the form, by the menu of its message."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from bot.domain.jobs import JobState
from sandbox.slack.workspace import Message
from sandbox.world import DATA
from tests.flows.lab import CHANNEL, Lab, lab, shown
from tests.flows.test_forms import fields, filled, opened, pick

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


def attached(name: str, data: bytes) -> dict[str, Any]:
    """What the page sends of a file that was put into a field."""
    return {"file": {"type": "file_input", "files": [{"name": name, "content": base64.b64encode(data).decode()}]}}


async def test_files_are_put_into_the_form(tmp_path: Path) -> None:
    """Data and evaluation for Sony; another service and back, both are still chosen, by their names."""
    async with lab(tmp_path) as here:
        await here.type("/train")
        view = await pick(here, "sony", "model")
        inputs = fields(view)
        assert inputs["sony.data.file"]["filetypes"] == ["csv", "tsv", "zip"]
        values = {
            "sony.model": {inputs["sony.model"]["action_id"]: "churn"},
            "sony.data.file": attached("may.csv", CHURN),
            "sony.eval.file": attached("june.csv", CHURN),
        }
        ada = here.person("ada")
        await ada.click_in_view(view, "fill:provider", selected="sestek", values=values)
        await opened(here, field="sestek.model")
        view = await pick(here, "sony", "model")
        names = {one["value"]: one["text"]["text"] for one in fields(view)["sony.data"]["options"]}
        kept = {block: names[filled(view)[block]] for block in ("sony.data", "sony.eval")}
        assert kept == {"sony.data": "may.csv (in Slack)", "sony.eval": "june.csv (in Slack)"}
        outcome = await ada.submit(view, {})
        assert outcome.ok, outcome
        job = await here.reaches(JobState.OFFERED)
        assert job.plan is not None
        assert job.plan.payload is not None
        assert (job.plan.payload.name, job.plan.payload.facts["Evaluation"]) == ("may.zip", "june.csv, 240 rows")
        assert here.starts() == 1


async def chosen(here: Lab, message: Message, who: str = "ada") -> None:
    outcome = await here.person(who).message_shortcut(message, "train_with_file")
    assert outcome.ok, outcome


async def test_the_menu_of_a_message_opens_the_form_with_its_file(tmp_path: Path) -> None:
    """One file is chosen already, with the one service that takes it; sending the form trains with it."""
    async with lab(tmp_path) as here:
        message = await here.person("bora").upload("calls.jsonl", (DATA / "my-model.jsonl").read_bytes())
        await chosen(here, message)
        view = await opened(here, field="sestek.model")
        inputs = fields(view)
        assert message.files
        assert filled(view)["sestek.data"] == message.files[0]["id"]
        values = {
            "sestek.model": {"text": "my-model"},
            "sestek.language": {inputs["sestek.language"]["action_id"]: "en-US"},
        }
        outcome = await here.person("ada").submit(view, values)
        assert outcome.ok, outcome
        job = await here.reaches(JobState.LIVE)
        assert (job.place, job.request.data) == (CHANNEL, {"data": message.files[0]["id"]})
        assert "calls.jsonl" in shown(here.cards()[-1])
        await here.person("ada").click(here.cards()[-1], "again")
        view = await opened(here, field="sestek.model")
        assert filled(view)["sestek.data"] == message.files[0]["id"]
        assert fields(view)["sestek.data"]["options"][0]["text"]["text"] == "calls.jsonl (in Slack)"
        await chosen(here, await here.person("bora").say("no file here"))
        assert "This message has no file" in shown(await here.told("ada", "no file"))


@pytest.mark.proof
async def test_several_files_are_choices(tmp_path: Path) -> None:
    """Of which the service that is picked offers those that it takes; what nobody takes is said."""
    async with lab(tmp_path) as here:
        bora = here.person("bora")
        parts = [await bora.upload(name, CHURN) for name in ("may.csv", "june.csv", "calls.jsonl", "notes.pdf")]
        files = [here.world.slack.lab.files.get(one.files[0]["id"]) for one in parts if one.files]
        await chosen(here, bora.share(files))
        view = await pick(here, "sony", "model")
        labels = [one["text"]["text"] for one in fields(view)["sony.data"]["options"]]
        assert labels[:2] == ["may.csv (in Slack)", "june.csv (in Slack)"]
        assert "sony.data" not in filled(view)
        view = await pick(here, "sestek", "model")
        assert filled(view)["sestek.data"] == files[2].id
        await chosen(here, bora.share(files[3:]), "chie")
        assert "No service here trains with `notes.pdf`" in shown(await here.told("chie", "No service"))
