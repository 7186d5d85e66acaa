"""Who is told what: followed trainings, mutes, and quiet hours with one message after them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.domain.jobs import JobState
from sandbox.slack.workspace import Message
from tests.flows.lab import ADA, BORA, CHANNEL, Lab, Mode, lab, shown, until

SESTEK = "/train sestek my-model en-US"
SEOUL = ZoneInfo("Asia/Seoul")
GATED: Any = {"SWITCHYARD_APPROVALS__START": '["sestek"]'}


def told(world: Lab, who: str) -> list[Message]:
    """What stands in somebody's direct message with the bot."""
    return world.world.slack.messages(world.person(who).dm().id)


def read(message: Message) -> str:
    """Its words, and the addresses that it links."""
    links = [
        part["url"]
        for block in message.blocks or ()
        if block["type"] == "rich_text"
        for section in block["elements"]
        for part in section["elements"]
        if part["type"] == "link"
    ]
    return "\n".join([shown(message), *links])


def an_hour_around(world: Lab) -> str:
    """Quiet hours that hold now, and no longer in two hours, by the clock of Seoul."""
    now = world.time.now().astimezone(SEOUL)
    return f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1):%H:%M}"


async def has_kept(world: Lab) -> bool:
    return bool(await world.bot.deps.store.kept_news())


@pytest.mark.parametrize("mode", ["socket", pytest.param("http", marks=pytest.mark.proof)])
async def test_an_end_is_told_once_to_who_follows_it(tmp_path: Path, mode: Mode) -> None:
    """In the direct message, with the training's name and a link; not to who asked, who is mentioned anyway."""
    async with lab(tmp_path, mode=mode) as world:
        assert "You are told the ends of the trainings at `sestek`" in await world.type("/jobs follow sestek", "bora")
        await world.type("/jobs follow sestek my-* all", "bora")
        await world.type("/jobs follow all ends here", "bora")
        await world.type("/jobs follow sestek", "ada")
        await world.type(SESTEK)
        await world.all_ended()
        job = await world.reaches(JobState.LIVE)
        lines = [one for one in told(world, "bora") if "live" in one.text]
        assert len(lines) == 1
        assert job.id in shown(lines[0])
        assert f"<#{CHANNEL}>" in shown(lines[0])
        assert f"/archives/{CHANNEL}/p{world.cards()[0].ts.replace('.', '')}" in read(lines[0])
        assert "<@" not in read(lines[0])
        assert not [one for one in told(world, "ada") if "live" in one.text]
        await world.restart()
        await world.quiet()
        assert len([one for one in told(world, "bora") if "live" in one.text]) == 1


async def test_quiet_hours_hold_what_comes_and_tell_it_once_afterwards(tmp_path: Path) -> None:
    """By the clock of the person, over a restart: the question names them, and one message tells what is still so."""
    async with lab(tmp_path, **GATED) as world:
        assert "Quiet hours: from" in await world.type(f"/jobs quiet {an_hour_around(world)}", "bora")
        await world.type("/jobs follow sestek all", "bora")
        await world.type(SESTEK)
        await world.reaches(JobState.PROPOSED)
        question = await world.asked("May this training start?")
        assert "*bora*" in shown(question)
        assert f"<@{BORA}>" not in shown(question)
        await until(lambda: has_kept(world))
        assert told(world, "bora") == []
        await world.restart()
        await world.quiet()
        assert told(world, "bora") == []
        world.later(hours=2)

        async def is_told() -> bool:
            return bool(told(world, "bora"))

        await until(is_told)
        await world.quiet()
        [digest] = told(world, "bora")
        assert "In your quiet hours: 1 training" in shown(digest)
        assert "May this training start?" in shown(digest)
        await world.restart()
        await world.quiet()
        assert len(told(world, "bora")) == 1


@pytest.mark.proof
async def test_who_muted_a_training_is_named_at_its_end(tmp_path: Path) -> None:
    """The end stands where it always stands, with a name instead of the mention."""
    async with lab(tmp_path, **GATED) as world:
        await world.type(SESTEK)
        job = await world.reaches(JobState.PROPOSED)
        assert "you are not called about" in await world.type(f"/jobs mute {job.id}", "ada")
        await world.reject(await world.asked("May this training start?"), "bora", "not now")
        await world.reaches(JobState.REJECTED)
        [end] = [line for line in world.thread() if "rejected" in line]
        assert f"<@{ADA}>" not in end
        assert "*ada*" in end


@pytest.mark.proof
async def test_nothing_of_a_private_conversation_is_told_elsewhere(tmp_path: Path) -> None:
    """A training in a direct message is nobody's news but of who asked for it."""
    async with lab(tmp_path) as world:
        await world.type("/jobs follow all all", "bora")
        await world.type("/jobs follow all all here", "bora")
        await world.type(SESTEK, channel=world.person("ada").dm().id)
        await world.all_ended()
        assert told(world, "bora") == []
        assert world.cards() == []


@pytest.mark.proof
async def test_the_form_follows_mutes_and_keeps_quiet(tmp_path: Path) -> None:
    """From the list, on a screen: what was filled in holds, and a wrong field says so."""
    async with lab(tmp_path) as world:
        listed = await world.ask("/jobs follow", "bora")
        person = world.person("bora")
        await person.click(listed, "attention")
        await world.world.slack.wait_for(lambda: person.view, what="the form")
        assert person.view is not None

        def choice(value: str) -> dict[str, object]:
            text = {"type": "plain_text", "text": value}
            return {"value": {"type": "static_select", "selected_option": {"text": text, "value": value}}}

        wrong = await person.submit(person.view, {"begins": choice("22:00")})
        assert "need both" in (wrong.errors or {})["begins"]
        typed = {"value": {"type": "plain_text_input", "value": "sony churn"}}
        sent = await person.submit(
            person.view, {"follow": choice("sestek"), "mute": typed, "begins": choice("22:00"), "ends": choice("07:00")}
        )
        assert sent.ok, sent
        said = await world.told("bora", "Quiet hours: from 22:00 to 07:00")
        assert "You are told the ends of the trainings at `sestek`" in said.text
        listed = await world.ask("/jobs follow", "bora")
        assert "trainings at `sony` whose model fits `churn`" in shown(listed)
        await person.click(
            listed, next(one["accessory"]["action_id"] for one in listed.blocks or () if "accessory" in one)
        )
        await world.told("bora", "You are no longer told the ends")
