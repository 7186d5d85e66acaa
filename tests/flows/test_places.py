"""Where the bot may not post, nothing starts: the training is held, and its requester is told the two ways on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.jobs import JobState
from sandbox.slack.web_api import Call
from sandbox.slack.workspace import Ephemeral
from tests.flows.lab import Lab, buttons_of, lab, shown, until
from tests.short import short

ELSEWHERE = "C0GENERAL1"
TRAIN = "/train sestek my-model en-US"


def labels(message: Ephemeral) -> list[str]:
    return [one["text"]["text"] for one in buttons_of(message)]


async def has_a_held_card(here: Lab) -> bool:
    return bool(await here.rows("SELECT 1 FROM notices WHERE state = 'held'"))


async def held(here: Lab, channel: str = ELSEWHERE, who: str = "ada") -> Ephemeral:
    """A training asked for where the bot may not post; what its requester is told, once it is ready to start."""
    await here.type(TRAIN, who, channel)
    told = await here.told(who, "is held and nothing was started")
    await here.job(lambda one: one.state in (JobState.APPROVED, JobState.PROPOSED))
    return told


def refusals(here: Lab) -> list[Call]:
    return [call for call in here.world.slack.calls if call.error == "not_in_channel"]


async def test_a_channel_without_the_bot_holds_the_training(tmp_path: Path) -> None:
    """Refused by Slack, the card waits, and so does the start, also after a [Post here] that came too early."""
    async with lab(tmp_path) as here:
        told = await held(here)
        assert "/invite @switchyard" in shown(told)
        assert labels(told) == ["Post here", "Use my DM"]
        here.time.advance(hours=1)
        again = await here.press(told, "Post here", "ada")
        assert "Trying again" in shown(again)
        assert labels(again) == ["Post here", "Use my DM"]
        await here.world.slack.wait_for(lambda: len(refusals(here)) == 2, timeout=30, what="the second refusal")
        await here.quiet()
        assert here.starts() == 0
        assert "Only the person who asked" in shown(await here.press(told, "Post here", "bora"))
        assert "Only the person who asked" in shown(await here.press(told, "Use my DM", "bora"))


async def test_an_invitation_frees_what_is_held(tmp_path: Path) -> None:
    """As soon as the bot is a member, the card is posted and the training starts, without another press."""
    async with lab(tmp_path) as here:
        await held(here)
        assert here.starts() == 0
        here.world.slack.invite(ELSEWHERE, "switchyard")
        await here.reaches(JobState.LIVE)
        assert here.starts() == 1
        [card] = [one for one in here.cards(ELSEWHERE) if one.metadata and not one.thread_ts]
        assert "my-model" in shown(card)
        assert any("<@U0ADA00001>" in line for line in here.thread(ELSEWHERE))


@pytest.mark.proof
async def test_post_here_goes_on_after_an_invitation_that_was_missed(tmp_path: Path) -> None:
    """The bot was down when it was invited, so no event told it: the button does."""
    async with lab(tmp_path) as here:
        told = await held(here)
        await here.stop()
        here.world.slack.workspace.invite(ELSEWHERE, here.world.slack.lab.bot)
        await here.start()
        await here.press(told, "Post here", "ada")
        await here.told("ada", "Trying again")
        await here.reaches(JobState.LIVE)
        assert here.starts() == 1
        assert "not held any more" in shown(await here.press(told, "Post here", "ada"))
        assert "not held any more" in shown(await here.press(told, "Use my DM", "ada"))


async def test_the_direct_message_is_the_other_way_on(tmp_path: Path) -> None:
    """[Use my DM] moves card, lines and end into the requester's conversation with the bot."""
    async with lab(tmp_path) as here:
        told = await held(here)
        assert "direct messages" in shown(await here.press(told, "Use my DM", "ada"))
        await here.reaches(JobState.LIVE)
        dm = here.person("ada").dm().id
        assert "*live*" in shown(here.cards(dm)[0])
        assert "<@U0ADA00001>" in here.thread(dm)[-1]
        assert here.cards(ELSEWHERE) == []
        assert here.starts() == 1


async def test_between_two_people_only_the_direct_message_is_left(tmp_path: Path) -> None:
    """Nobody can invite a bot into a conversation of two, so that way is not offered there."""
    async with lab(tmp_path) as here:
        private = here.person("ada").dm("bora").id
        told = await held(here, private)
        assert labels(told) == ["Use my DM"]
        assert "/invite" not in shown(told)
        await here.press(told, "Use my DM", "ada")
        await here.reaches(JobState.LIVE)
        assert here.cards(private) == []
        assert here.cards(here.person("ada").dm().id) != []


@pytest.mark.proof
async def test_the_conversation_with_the_bot_needs_no_way_on(tmp_path: Path) -> None:
    """A training that is asked for in the bot's own conversation has its card there."""
    async with lab(tmp_path) as here:
        dm = here.person("ada").dm().id
        await here.type(TRAIN, "ada", dm)
        await here.reaches(JobState.LIVE)
        assert "*live*" in shown(here.cards(dm)[0])


REFUSALS = ["is_archived", "restricted_action", "channel_not_found", "restricted_action_read_only_channel"]


@pytest.mark.parametrize("error", short(REFUSALS, "channel_not_found"))
async def test_every_refusal_of_a_place_holds(tmp_path: Path, error: str) -> None:
    """Archived, restricted or not visible: nothing is started, and the two ways on are told."""
    async with lab(tmp_path) as here:
        here.refusals.add(error)
        await here.world.slack.switch("fail", {"method": "chat.postMessage", "error": error})
        told = await held(here, "C0TRAIN001")
        assert labels(told) == ["Post here", "Use my DM"]
        assert here.starts() == 0
        await here.press(told, "Post here", "ada")
        await here.reaches(JobState.LIVE)
        assert here.starts() == 1


async def test_a_channel_that_is_archived_behind_the_command_starts_nothing(tmp_path: Path) -> None:
    """Between the command and the card the channel was archived: held, not started, and ended in time."""
    async with lab(tmp_path) as here:
        await here.world.slack.switch("delay", {"method": "chat.postMessage", "seconds": 1})
        await here.type(TRAIN)
        here.world.slack.workspace.archive("C0TRAIN001")
        await here.job(lambda one: one.state is JobState.APPROVED)
        await until(lambda: has_a_held_card(here))
        here.time.advance(hours=25)
        await here.reaches(JobState.EXPIRED)
        assert here.starts() == 0


@pytest.mark.proof
async def test_a_direct_message_that_does_not_open_holds_again(tmp_path: Path) -> None:
    """Where Slack opens no conversation with the requester, nothing starts either, and the ways on are told again."""
    async with lab(tmp_path) as here:
        here.refusals.add("cannot_dm_bot")
        told = await held(here)
        await here.world.slack.switch("fail", {"method": "conversations.open", "error": "cannot_dm_bot"})
        await here.person("ada").click(told, "use_dm:1")
        await here.world.slack.wait_for(
            lambda: [call for call in here.world.slack.calls if call.error == "cannot_dm_bot"],
            timeout=30,
            what="the refusal",
        )
        await here.quiet()
        here.time.advance(minutes=2)
        await here.restart()
        assert here.starts() == 0
        await here.press(told, "Use my DM", "ada")
        await here.reaches(JobState.LIVE)
        assert here.starts() == 1


async def test_an_end_waits_until_the_bot_is_back(tmp_path: Path) -> None:
    """Removed from the channel while a training runs, the bot has its end wait, and tells it once when invited."""
    async with lab(tmp_path, training_seconds=600) as here:
        await here.type(TRAIN)
        await here.reaches(JobState.QUEUED, JobState.RUNNING)
        here.world.slack.kick("C0TRAIN001", "switchyard")
        here.world.services.sestek.act("finish", training="my-model")
        await here.job(lambda one: one.state is JobState.DONE)
        told = await here.told("ada", "what there is to say of training")
        assert "nothing was started" not in shown(told)
        here.world.slack.invite("C0TRAIN001", "switchyard")
        await here.world.slack.wait_for_message("C0TRAIN001", lambda one: "*trained*" in one.text, timeout=30)
        await here.quiet()
        assert sum("*trained*" in line for line in here.thread()) == 1
        assert here.starts() == 1


@pytest.mark.proof
async def test_an_end_can_be_told_elsewhere(tmp_path: Path) -> None:
    """The same, and the requester has it told in the direct message: there is no card's thread there."""
    async with lab(tmp_path, training_seconds=600) as here:
        await here.type(TRAIN)
        await here.reaches(JobState.QUEUED, JobState.RUNNING)
        here.world.slack.kick("C0TRAIN001", "switchyard")
        here.world.services.sestek.act("finish", training="my-model")
        await here.job(lambda one: one.state is JobState.DONE)
        await here.press(await here.told("ada", "what there is to say"), "Use my DM", "ada")
        dm = here.person("ada").dm().id
        end = await here.world.slack.wait_for_message(dm, lambda one: "*trained*" in one.text, timeout=30)
        assert "<@U0ADA00001>" in end.text
        assert end.thread_ts is None


@pytest.mark.parametrize("gated", short(["[]", '["sestek"]'], "[]"))
async def test_what_is_held_ends_after_a_day(tmp_path: Path, gated: str) -> None:
    """Nobody made room within 24 hours: the training expires unstarted, and a later invitation starts nothing."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__START=gated) as here:
        told = await held(here)
        here.time.advance(hours=23)
        await here.restart()
        assert (await here.job()).state in (JobState.APPROVED, JobState.PROPOSED)
        here.time.advance(hours=2)
        await here.reaches(JobState.EXPIRED)
        here.world.slack.invite(ELSEWHERE, "switchyard")
        await here.world.slack.wait_for_message(ELSEWHERE, lambda one: "*expired*" in shown(one), timeout=30)
        assert "not held any more" in shown(await here.press(told, "Post here", "ada"))
        await here.quiet()
        assert here.starts() == 0


async def test_a_slow_slack_does_not_hold_a_start_for_long(tmp_path: Path) -> None:
    """Where Slack is merely slow, the start waits half a minute for the card and then goes ahead."""
    async with lab(tmp_path) as here:
        await here.world.slack.switch("rate_limited", {"method": "chat.postMessage", "times": 1, "retry_after": 600})
        await here.type(TRAIN)
        await here.job(lambda one: one.state is JobState.APPROVED)
        assert here.starts() == 0
        here.time.advance(seconds=31)
        await here.job(lambda one: one.state is JobState.LIVE)
        assert here.starts() == 1
        assert here.cards() == []
