"""What people do at one moment, through both sockets: one outcome, and everybody hears which."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.domain.jobs import AT_SERVICE, JobState
from sandbox.slack.socket_mode import SocketMode
from sandbox.slack.workspace import Ephemeral, Message
from tests.flows.lab import BORA, CHIE, DAN, Lab, buttons_of, lab, shown
from tests.flows.test_approvals import GROUP, members_are, offered
from tests.flows.test_policy import CANCEL, under

TWO = f"""
[[rule]]
name = "it"
providers = ["sony"]
acts = ["switch"]
approve = ["{BORA}", "{CHIE}", "{DAN}"]
approvals = 2
"""
ASKED_TO_CANCEL = f"""
[[rule]]
name = "it"
acts = ["cancel"]
ask = ["everybody"]
approve = ["{CHIE}"]
approvals = 1
"""
DECIDED_BY_A_GROUP = f"""
[[rule]]
name = "it"
providers = ["sony"]
acts = ["switch"]
approve = ["{GROUP}", "{CHIE}"]
"""


def over_two_sockets(here: Lab) -> bool:
    """Slack delivers to its connections in turn, so that two deliveries of one moment take both."""
    transport = here.world.slack.transport
    assert isinstance(transport, SocketMode)
    return len(transport.connections) == 2


async def at_once(here: Lab, prompt: Message, *presses: tuple[str, str]) -> list[str]:
    """Labels with who presses them, all at one moment; what each of them is told."""
    assert over_two_sockets(here)
    said: list[Ephemeral] = await asyncio.gather(*(here.press(prompt, label, who) for label, who in presses))
    return [shown(one) for one in said]


async def test_of_three_at_once_two_complete_the_number(tmp_path: Path) -> None:
    """Two of three approvals are needed and all come together: one counts, one decides, one is told who did."""
    async with under(TWO, tmp_path) as here:
        prompt = await offered(here)
        said = await at_once(here, prompt, ("Approve", "bora"), ("Approve", "chie"), ("Approve", "dan"))
        found = [sum(part in text for text in said) for part in ("your approval counts", "Thank you: approved")]
        assert found == [1, 1], said
        assert sum("already approved by <@U0" in text for text in said) == 1
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


@pytest.mark.proof
async def test_of_a_yes_and_a_withdrawal_at_once_one_holds(tmp_path: Path) -> None:
    """The requester takes it back while it is approved: what the switch does is what both are told."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        yes, back = await at_once(here, prompt, ("Approve", "bora"), ("Withdraw", "ada"))
        job = await here.reaches(JobState.LIVE, JobState.REJECTED)
        if job.state is JobState.LIVE:
            assert "Thank you: approved" in yes
            assert "already approved by <@U0BORA0001>" in back
        else:
            assert "this prompt is closed. Withdrawn by the person who asked." in yes
            assert "Thank you: withdrawn" in back
        assert here.switches() == (1 if job.state is JobState.LIVE else 0)
        assert buttons_of(await here.changed(prompt, "by <@U0")) == []


async def test_of_a_yes_and_the_end_of_the_time_at_once_one_holds(tmp_path: Path) -> None:
    """The time runs out while it is approved: it is switched and said, or it has expired and is said."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)

        async def runs_out() -> None:
            here.time.advance(hours=168)

        said, _ = await asyncio.gather(here.press(prompt, "Approve", "bora"), runs_out())
        job = await here.reaches(JobState.LIVE, JobState.EXPIRED)
        is_live = job.state is JobState.LIVE
        assert ("Thank you: approved" if is_live else "the time for this answer has run out") in shown(said)
        assert here.switches() == (1 if is_live else 0)


@pytest.mark.proof
async def test_one_click_delivered_again_over_both_sockets_counts_once(tmp_path: Path) -> None:
    """The same delivery, word for word, comes twice more: it is answered, and nothing is done again."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        assert "Thank you: approved" in shown(await here.press(prompt, "Approve", "bora"))
        same = next(one for one in reversed(here.world.slack.deliveries) if one.type == "interactive")
        assert over_two_sockets(here)
        courier = here.world.slack.courier
        await asyncio.gather(*(courier.deliver("interactive", same.payload) for _ in range(2)))
        await here.told("bora", "already approved by <@U0BORA0001>")
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1
        assert sum("approved, applying the switch" in line for line in here.thread()) == 1


async def test_who_asks_to_cancel_at_once_asks_one_question(tmp_path: Path) -> None:
    """Several press Cancel where it needs an approval: the approvers get one question, and all are told."""
    async with under(ASKED_TO_CANCEL, tmp_path, training_seconds=600) as here:
        await here.type("/train decthings mdl-sentiment st-2 epochs=u32:2")
        await here.reaches(*AT_SERVICE)
        card = next(one for one in here.cards() if any(b["text"]["text"] == "Cancel" for b in buttons_of(one)))
        said = await at_once(here, card, *(("Cancel", who) for who in ("ada", "bora", "dan")))
        assert sorted(text.split(" ")[1] for text in said) == ["approvers"] * 3, said
        assert sum("The approvers are asked whether" in text for text in said) == 1, said
        await here.quiet()
        assert sum(CANCEL in shown(one) for one in here.cards()) == 1


async def test_a_click_that_waits_is_answered_although_another_decided(tmp_path: Path) -> None:
    """While the group is not known, somebody named decides: who waited hears so, and no click is kept for ever."""
    async with under(DECIDED_BY_A_GROUP, tmp_path) as here:
        here.refusals.add("internal_error")
        prompt = await offered(here)
        await members_are(here, BORA)
        failing = {"method": "usergroups.users.list", "times": 1000, "error": "internal_error"}
        await here.world.slack.switch("fail", failing)
        here.time.advance(minutes=3)
        assert "Checking who is in" in shown(await here.press(prompt, "Approve", "bora"))
        assert "an earlier click of yours" in shown(await here.press(prompt, "Approve", "bora"))
        assert "Thank you: approved" in shown(await here.press(prompt, "Approve", "chie"))
        await here.told("bora", "already approved by <@U0CHIE0001>")
        await here.reaches(JobState.LIVE)
        assert await here.rows("SELECT id FROM clicks") == []
        assert here.switches() == 1
