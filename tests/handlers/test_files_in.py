"""`data=` takes a file in Slack: downloaded after the command is on disk, for those who may read it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.jobs import Event, Job, JobState
from bot.usecases.check import check
from bot.usecases.moves import move
from bot.usecases.tidy import tidy_due
from handlers.ids import Callback
from sandbox.slack.places import BOT_TOKEN
from sandbox.world import DATA
from tests.flows.lab import until
from tests.handlers.edge import CHANNEL, Edge, edge

CHURN = (DATA / "churn.csv").read_bytes()
REACHED = {JobState.APPROVED, JobState.FAILED}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as made:
        yield made


async def upload(here: Edge, who: str = "bora", name: str = "my churn.csv", channel: str = CHANNEL) -> dict[str, Any]:
    message = await here.slack.person(who).upload(name, CHURN, channel)
    assert message.files
    return dict(message.files[0])


async def checked(here: Edge, line: str, who: str = "ada") -> Job:
    """The job of a command, once it was checked."""
    said = await here.type(line, who)
    assert "Got it" in said, said
    await here.run()
    return (await here.jobs())[0]


async def test_a_file_of_the_conversation_becomes_the_data(here: Edge) -> None:
    """By its id or by its link; what is kept and sent are its bytes, under its name, and no name of the data folder."""
    file = await upload(here)
    for source in (file["id"], file["permalink"], f"<{file['permalink']}|churn>"):
        job = await checked(here, f"/train sony churn data={source}")
        assert (job.state, job.request.data) == (JobState.APPROVED, {"data": file["id"]})
        payload = job.plan.payload if job.plan else None
        assert payload is not None
        assert (payload.name, here.deps.files.spooled(payload.sha256).read_bytes()) == ("my churn.csv", CHURN)
        here.time.ahead += here.deps.limits.same
    assert [path.read_bytes() for path in here.deps.files.spool.iterdir()] == [CHURN]


async def test_both_roles_take_a_file_of_slack(here: Edge) -> None:
    """Training and evaluation, from Slack or from the data folder alike."""
    file, judged = await upload(here), await upload(here, name="judge.csv")
    job = await checked(here, f"/train sony churn data={file['id']} eval={judged['id']}")
    assert (job.state, job.plan and job.plan.payload and job.plan.payload.name) == (JobState.APPROVED, "my churn.zip")
    job = await checked(here, f"/train sony churn data=churn.csv eval={judged['id']}")
    assert job.state is JobState.APPROVED


async def refused(here: Edge, source: str, who: str = "ada") -> str:
    job = await checked(here, f"/train sony churn data={source}", who)
    assert job.state is JobState.FAILED
    reason = (await here.store.transitions(job.id))[-1].reason
    assert reason.endswith("Nothing was sent.")
    assert BOT_TOKEN not in reason
    return reason


async def test_nobody_reads_through_the_bot_what_they_could_not_read(here: Edge) -> None:
    """A file of another conversation that the bot is in is refused, name and all, but to whoever uploaded it."""
    secret = here.slack.create_channel("secret", "bora", "switchyard", private=True)
    file = await upload(here, channel=secret.id)
    reason = await refused(here, file["id"])
    assert "You may not train with the file" in reason
    assert "my churn" not in reason
    assert not [call for call in here.slack.calls if call.method == "download"]
    assert (await checked(here, f"/train sony churn data={file['id']}", "bora")).state is JobState.APPROVED


async def test_what_is_not_to_be_had_is_said(here: Edge) -> None:
    """No such file, one that the bot cannot see, one that is gone, one of another kind, one that is too large."""
    assert "in no conversation that Switchyard is in" in await refused(here, "F0NOBODY01")
    elsewhere = await upload(here, channel="C0GENERAL1")
    assert "in no conversation that Switchyard is in" in await refused(here, elsewhere["id"])
    gone = await upload(here)
    here.slack.person("bora").delete_file(gone["id"])
    assert "was deleted in Slack" in await refused(here, gone["id"])
    notes = await upload(here, name="notes.pdf")
    assert "`notes.pdf` cannot be sent: this service takes files called `*.csv`" in await refused(here, notes["id"])
    large = await here.slack.person("bora").upload("large.csv", b"x" * ((1 << 20) + 1))
    assert large.files
    assert "`large.csv` is larger than 1 MB" in await refused(here, large.files[0]["id"])


@pytest.mark.parametrize("is_told", [True, False])
async def test_a_lacking_scope_is_said(tmp_path: Path, is_told: bool) -> None:
    """By Slack's word, or by the page to sign in on that comes instead of the file."""
    lacking = frozenset({"chat:write", "commands"})
    async with edge(tmp_path, scopes=lacking if is_told else None) as here:
        file = await upload(here)
        if not is_told:
            here.slack.lab.files.get(file["id"]).data = b"<!DOCTYPE html><html>Sign in</html>"
        assert "grant the scope `files:read`" in await refused(here, file["id"])


async def test_a_download_that_broke_off_is_taken_up_again(here: Edge) -> None:
    """After a broken line, and after the bot was ended in the middle of it: nothing of a half file is left."""
    file = await upload(here)
    await here.slack.switch("drop_request", {"method": "download", "times": 2})  # the client tries a GET twice
    job = await checked(here, f"/train sony churn data={file['id']}")
    assert (job.state, "broke off" in job.look.error) == (JobState.CHECKING, True)
    here.time.ahead += here.deps.limits.card
    await here.slack.switch("delay", {"method": "download", "seconds": 0.5})

    async def has_begun() -> bool:
        return not here.slack.faults.page()

    step = asyncio.create_task(check(here.deps, job))
    await until(has_begun)
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    await here.store.resume(here.time.now())
    assert list(here.deps.files.spool.iterdir()) == []
    await here.run()
    assert (await here.jobs())[0].state is JobState.APPROVED


async def test_old_data_is_deleted_and_its_story_says_so(here: Edge) -> None:
    """A month after its last use, unless its training still lives; the same data may come anew."""
    file = await upload(here)
    lives = await checked(here, "/train sony demand")
    ended = await checked(here, f"/train sony churn data={file['id']}")
    await here.store.apply([move(here.deps, ended, Event.CANCEL)])
    here.time.ahead += timedelta(days=29)
    await tidy_due(here.deps)
    assert "data deleted" not in await here.type(f"/status {ended.id}")
    here.time.ahead += timedelta(days=2)
    await tidy_due(here.deps)
    assert lives.plan is not None
    assert lives.plan.payload is not None
    assert [path.name for path in here.deps.files.spool.iterdir()] == [lives.plan.payload.sha256]
    assert "data deleted" in await here.type(f"/status {ended.id}")
    assert "data deleted" not in await here.type(f"/status {lives.id}")


async def test_a_message_without_a_fitting_file_is_told_so(here: Edge) -> None:
    """In the menu of a message without a file, of one with a file that nobody takes, and of one that is gone."""
    ada, bora = here.slack.person("ada"), here.slack.person("bora")
    plain = await bora.say("no file", CHANNEL)
    notes = await bora.upload("notes.pdf", b"x", CHANNEL)
    assert notes.files
    gone = replace(notes, files=({**notes.files[0], "mode": "tombstone"},))
    for message, says in ((plain, "has no file"), (notes, "trains with `notes.pdf`"), (gone, "has no file")):
        assert (await ada.message_shortcut(message, Callback.TRAIN_WITH_FILE)).ok
        await here.run()
        assert says in here.told(ada.id)[-1].text
    assert ada.view is None


async def test_a_download_that_takes_too_long_is_refused(here: Edge) -> None:
    """Within the configured time or not at all: nobody waits for a Slack that sends nothing."""
    file = await upload(here)
    assert "Got it" in await here.type(f"/train sony churn data={file['id']}")
    await here.slack.switch("delay", {"method": "download", "seconds": 0.5})
    [job] = await here.jobs()
    soon = replace(here.deps, limits=replace(here.deps.limits, download=timedelta(milliseconds=50)))
    await check(soon, job)
    [job] = await here.jobs()
    assert job.state is JobState.FAILED
    assert "SWITCHYARD_DATA__DOWNLOAD_MINUTES" in (await here.store.transitions(job.id))[-1].reason
    assert list(here.deps.files.spool.iterdir()) == []
