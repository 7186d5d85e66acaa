"""Who says yes or no to what: one outcome whatever is pressed at once, and nothing happens without it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.domain.jobs import JobState
from sandbox.slack.workspace import Message
from tests.flows.lab import BORA, CHIE, Lab, buttons_of, deeds_of, lab, shown, until
from tests.short import short

SWITCH = "May the trained model go live?"
START = "May this training start?"
GROUP = "S0MLOPS001"


async def offered(here: Lab, line: str = "/train sony churn", who: str = "ada") -> Message:
    """A switch that waits for a yes."""
    said = await here.type(line, who)
    job = await here.job(lambda one: f"`{one.id}`" in said and one.state is JobState.OFFERED)
    return await here.asked(SWITCH, job.id)


async def members_are(here: Lab, *people: str) -> None:
    """Wait until the bot knows the group to have these members."""

    async def are_known() -> bool:
        return (" ".join(people),) in await here.rows("SELECT members FROM groups WHERE read_at IS NOT NULL")

    await until(are_known)


# -- at once ----------------------------------------------------------------------------------------------------------


async def test_two_approvers_at_once_switch_once(tmp_path: Path) -> None:
    """The first of two clicks decides; the other is told who did, and the switch is sent once."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        said = await asyncio.gather(
            here.press(prompt, "Approve", "bora"),
            here.press(prompt, "Approve", "chie"),
        )
        thanked, other = sorted(map(shown, said), key=lambda text: "Thank you" not in text)
        assert "Thank you: approved" in thanked
        assert "already approved by <@U0" in other
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


@pytest.mark.proof
async def test_a_yes_and_a_no_at_once_have_one_outcome(tmp_path: Path) -> None:
    """An approval and a rejection that arrive together: one holds, and the other's author is told so."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        await here.person("chie").click(prompt, "reject")
        await here.world.slack.wait_for(lambda: here.person("chie").view, timeout=30, what="the form")
        form = here.person("chie").view
        assert form is not None
        reason = {"reason": {"reason": {"type": "plain_text_input", "value": "Not this week"}}}
        yes, no = await asyncio.gather(
            here.press(prompt, "Approve", "bora"),
            here.person("chie").submit(form, reason),
        )
        job = await here.reaches(JobState.LIVE, JobState.REJECTED)
        is_rejected = job.state is JobState.REJECTED
        assert here.switches() == (0 if is_rejected else 1)
        told = shown(yes) if is_rejected else str(no.response)
        assert "already rejected by <@U0CHIE0001>" in told if is_rejected else "already approved by" in told


async def test_a_double_click_is_one_answer(tmp_path: Path) -> None:
    """Pressing twice says it once: the second press tells that it was decided."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        bora = here.person("bora")
        await asyncio.gather(bora.click(prompt, "approve"), bora.click(prompt, "approve"))
        await here.told("bora", "Thank you: approved")
        await here.told("bora", "already approved by <@U0BORA0001>")
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1
        assert sum("approved, applying the switch" in line for line in here.thread()) == 1


@pytest.mark.proof
async def test_switches_of_one_model_go_one_at_a_time(tmp_path: Path) -> None:
    """A second approved switch of a model is sent only after the first is through, or nobody could tell which is on."""
    async with lab(tmp_path, training_seconds=600) as here:
        sony = here.world.services.sony
        for who in ("ada", "bora"):
            await here.type("/train sony churn", who)
        await here.looked(sony, 2, "PUT", "uploads")
        for training in sony.jobs:
            sony.act("finish", training=training)
        await here.job(lambda one: one.state is JobState.OFFERED)
        for job, _, _ in await here.states():
            await here.press(await here.asked(SWITCH, job), "Approve", "chie")
        await here.looked(sony, 5, "GET", "classifiers")
        assert len(sony.arrivals("PUT", "update_model")) == 1
        assert [state for _, state, _ in await here.states()] == ["promoting", "promoting"]
        here.world.clock.advance(600)
        await here.looked(sony, 1, "PUT", "update_model")
        assert sorted(state for _, state, _ in await here.states()) == ["live", "promoting"]
        here.world.clock.advance(600)
        await here.all_reach(JobState.LIVE)
        assert here.switches() == 2


# -- rejecting --------------------------------------------------------------------------------------------------------


async def test_a_rejection_has_a_reason_that_everybody_reads(tmp_path: Path) -> None:
    """Reject asks for the reason in a form; prompt, card and thread show it, and the offer can be made again."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        outcome = await here.reject(prompt, "chie", "Precision fell <below> 0.7 & more")
        assert outcome.ok
        assert here.person("chie").view is None
        await here.reaches(JobState.REJECTED)
        told = "Precision fell &lt;below&gt; 0.7 &amp; more"
        closed = await here.changed(prompt, "Rejected by <@U0CHIE0001>")
        assert told in shown(closed)
        assert buttons_of(closed) == []
        card = await here.changed(here.cards()[0], told)
        assert [one["text"]["text"] for one in deeds_of(card)] == ["Offer again"]
        assert any("*rejected* by <@U0CHIE0001>" in line and told in line for line in here.thread())
        assert here.switches() == 0
        await here.press(card, "Offer again", "ada")
        again = await here.asked(SWITCH, after=prompt)
        await here.press(again, "Approve", "bora")
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


@pytest.mark.proof
async def test_a_rejection_without_a_reason_is_none(tmp_path: Path) -> None:
    """Blanks are no reason: the form says so, and the prompt stays open."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        await here.reject(prompt, "chie", "   ")
        answer = here.person("chie").view
        assert answer is not None
        assert "needs a reason" in str(answer.view)
        assert (await here.job()).state is JobState.OFFERED
        assert buttons_of(await here.prompt()) == buttons_of(prompt)


@pytest.mark.proof
async def test_an_outdated_trigger_brings_a_fresh_button(tmp_path: Path) -> None:
    """Where Slack opens no form any more, whoever pressed gets a button with a fresh trigger, and can go on."""
    async with lab(tmp_path) as here:
        here.refusals.add("expired_trigger_id")
        prompt = await offered(here)
        await here.world.slack.switch("delay", {"method": "views.open", "seconds": 0.2})
        await here.person("chie").click(prompt, "reject")
        here.world.clock.advance(4)
        again = await here.told("chie", "press once more")
        await here.person("chie").click(again, "reject")
        await here.world.slack.wait_for(lambda: here.person("chie").view, timeout=30, what="the form")
        form = here.person("chie").view
        assert form is not None
        reason = {"reason": {"reason": {"type": "plain_text_input", "value": "Later"}}}
        assert (await here.person("chie").submit(form, reason)).ok
        await here.reaches(JobState.REJECTED)


async def test_a_rejection_that_comes_too_late_says_so_in_the_form(tmp_path: Path) -> None:
    """Somebody approved while the reason was typed: the form tells so, and nothing changes."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        await here.person("chie").click(prompt, "reject")
        await here.world.slack.wait_for(lambda: here.person("chie").view, timeout=30, what="the form")
        form = here.person("chie").view
        assert form is not None
        await here.press(prompt, "Approve", "bora")
        reason = {"reason": {"reason": {"type": "plain_text_input", "value": "No"}}}
        await here.person("chie").submit(form, reason)
        answer = here.person("chie").view
        assert answer is not None
        assert "already approved by <@U0BORA0001>" in str(answer.view)
        await here.reaches(JobState.LIVE)


# -- groups -----------------------------------------------------------------------------------------------------------


async def test_a_member_of_a_group_approves(tmp_path: Path) -> None:
    """A user group may be the approver: its members may decide, others may not."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__APPROVERS=f'["{GROUP}"]') as here:
        prompt = await offered(here)
        assert f"<!subteam^{GROUP}>" in shown(prompt)
        await members_are(here, BORA)
        assert "not among the approvers" in shown(await here.press(prompt, "Approve", "chie"))
        assert "Thank you: approved" in shown(await here.press(prompt, "Approve", "bora"))
        await here.reaches(JobState.LIVE)


async def test_a_click_waits_while_the_group_is_read(tmp_path: Path) -> None:
    """A copy of the members that is too old decides nothing: the click is kept, said so, and decided after the read."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__APPROVERS=f'["{GROUP}"]') as here:
        prompt = await offered(here)
        await members_are(here, BORA)
        await here.world.slack.switch("delay", {"method": "usergroups.users.list", "seconds": 0.3})
        here.time.advance(minutes=3)
        said = await here.press(prompt, "Approve", "bora")
        assert "Checking who is in <!subteam^S0MLOPS001>" in shown(said)
        assert here.switches() == 0
        await here.told("bora", "Thank you: approved")
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


@pytest.mark.proof
async def test_a_rejection_waits_while_the_group_is_read(tmp_path: Path) -> None:
    """The form is answered at once; the rejection is kept with its reason, and counts after the read."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__APPROVERS=f'["{GROUP}"]') as here:
        here.refusals.add("internal_error")
        failing = {"method": "usergroups.users.list", "times": 1000, "error": "internal_error"}
        await here.world.slack.switch("fail", failing)
        prompt = await offered(here)
        await here.reject(prompt, "bora", "Not now")
        answer = here.person("bora").view
        assert answer is not None
        assert "Checking who is in" in str(answer.view)
        await here.world.slack.switch("fail", None)
        await here.told("bora", "Thank you: rejected")
        await here.changed(prompt, "Rejected by <@U0BORA0001>. Reason: Not now")
        assert here.switches() == 0


@pytest.mark.proof
async def test_a_kept_click_survives_a_restart(tmp_path: Path) -> None:
    """A click that waits for the group is on disk: the next process decides it."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__APPROVERS=f'["{GROUP}"]') as here:
        here.refusals.add("internal_error")
        failing = {"method": "usergroups.users.list", "times": 1000, "error": "internal_error"}
        await here.world.slack.switch("fail", failing)
        prompt = await offered(here)
        assert "Checking who is in" in shown(await here.press(prompt, "Approve", "bora"))
        await here.stop()
        await here.world.slack.switch("fail", None)
        await here.start()
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


async def test_nobody_is_approved_through_a_group_that_cannot_be_read(tmp_path: Path) -> None:
    """Unreadable for five minutes: the kept click is refused, and the prompt says so until the group can be read."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__APPROVERS=f'["{GROUP}"]') as here:
        here.refusals.add("no_such_subteam")
        failing = {"method": "usergroups.users.list", "times": 100_000, "error": "no_such_subteam"}
        await here.world.slack.switch("fail", failing)
        prompt = await offered(here)
        assert "Checking who is in" in shown(await here.press(prompt, "Approve", "bora"))
        here.time.advance(minutes=6)
        await here.told("bora", "cannot be read at the moment, so nobody is approved through it")
        unreadable = await here.changed(prompt, "cannot be read")
        assert buttons_of(unreadable) == buttons_of(prompt)
        assert "cannot be read" in shown(await here.press(unreadable, "Approve", "bora"))
        assert here.switches() == 0
        await here.world.slack.switch("fail", None)
        here.time.advance(minutes=2)
        readable = await here.world.slack.wait_for_message(
            prompt.channel, lambda one: one.ts == prompt.ts and "cannot be read" not in shown(one), timeout=30
        )
        assert "Thank you: approved" in shown(await here.press(readable, "Approve", "bora"))
        await here.reaches(JobState.LIVE)


async def test_members_that_change_count_from_the_event_on(tmp_path: Path) -> None:
    """Slack tells that a group has other members: who left decides nothing any more, who came does."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__APPROVERS=f'["{GROUP}"]') as here:
        prompt = await offered(here)
        await members_are(here, BORA)
        here.world.slack.change_group(GROUP, "chie")
        await members_are(here, CHIE)
        assert "not among the approvers" in shown(await here.press(prompt, "Approve", "bora"))
        assert "Thank you: approved" in shown(await here.press(prompt, "Approve", "chie"))
        await here.reaches(JobState.LIVE)


@pytest.mark.proof
async def test_members_that_change_while_they_are_read_are_read_again(tmp_path: Path) -> None:
    """An answer that was on its way when the group changed is not taken for the new members."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__APPROVERS=f'["{GROUP}"]') as here:
        prompt = await offered(here)
        await members_are(here, BORA)
        late = {"method": "usergroups.users.list", "seconds": 0.5, "after": True}
        await here.world.slack.switch("delay", late)
        here.time.advance(seconds=61)
        await until(lambda: is_used_up(here))
        here.world.slack.change_group(GROUP, "chie")
        await members_are(here, CHIE)
        assert len(here.world.slack.calls_of("usergroups.users.list")) == 3
        assert "not among the approvers" in shown(await here.press(prompt, "Approve", "bora"))


async def is_used_up(here: Lab) -> bool:
    return here.world.slack.faults.page() == []


# -- time -------------------------------------------------------------------------------------------------------------


async def test_an_offer_runs_out_and_is_made_again(tmp_path: Path) -> None:
    """After its time a prompt is closed and says so; the requester or an approver has it asked once more."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        here.time.advance(hours=169)
        await here.reaches(JobState.EXPIRED)
        closed = await here.changed(prompt, "Expired: nobody answered in time, and nothing was done.")
        assert buttons_of(closed) == []
        assert "the time for this answer has run out" in shown(await here.press(prompt, "Approve", "bora"))
        assert here.switches() == 0
        card = await here.changed(here.cards()[0], "*expired*")
        assert "Only the person who asked" in shown(await here.press(card, "Offer again", "dan"))
        assert "Offered again" in shown(await here.press(card, "Offer again", "bora"))
        again = await here.asked(SWITCH, after=prompt)
        assert "no offer to make again" in shown(await here.press(card, "Offer again", "bora"))
        await here.press(again, "Approve", "chie")
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


async def test_a_prompt_outlives_a_restart(tmp_path: Path) -> None:
    """What a button is about is on disk: a prompt of a former process is answered by the next one."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        await here.restart()
        assert "Thank you: approved" in shown(await here.press(prompt, "Approve", "chie"))
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


# -- before the start -------------------------------------------------------------------------------------------------

GATED = {
    "sestek": "/train sestek my-model en-US",
    "aitems": "/train aitems svcmovies01 pop",
}


@pytest.mark.parametrize("service", short(GATED, "sestek"))
async def test_a_gated_start_waits_for_a_yes(tmp_path: Path, service: str) -> None:
    """Where a start needs an approval, nothing at all is sent before it; one yes covers what follows by itself."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__START='["sestek", "aitems"]') as here:
        outside = next(one for one in here.world.services.all if one.name == service)
        await here.type(GATED[service])
        await here.reaches(JobState.PROPOSED)
        prompt = await here.asked(START)
        assert "goes live by itself: this is the last moment" in shown(prompt)
        assert outside.requests == []
        assert "somebody else has to decide" in shown(await here.press(prompt, "Approve", "ada"))
        assert "Thank you: approved" in shown(await here.press(prompt, "Approve", "bora"))
        await here.reaches(JobState.LIVE)
        assert len(outside.starts) == 1
        drawn = [str(call.args) for call in here.world.slack.calls_of("chat.update")]
        assert any("It was approved before the start." in one for one in drawn)
        assert sum("May this" in shown(one) for one in here.cards()) == 1


async def test_a_gated_start_that_is_not_wanted_ends(tmp_path: Path) -> None:
    """Rejected, cancelled by its requester, or not answered in time: three ends, and not a byte was sent."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__START='["sestek"]') as here:
        sestek = here.world.services.sestek
        await here.type("/train sestek my-model en-US")
        await here.reaches(JobState.PROPOSED)
        rejected = await here.asked(START)
        await here.reject(rejected, "bora", "Wrong file")
        await here.reaches(JobState.REJECTED)
        card = await here.changed(here.cards()[0], "Wrong file")
        assert deeds_of(card) == []

        await here.type("/train sestek my-model en-US")
        await here.reaches(JobState.PROPOSED)
        withdrawn = await here.asked(START)
        card = next(one for one in here.cards() if "waiting for an approval" in shown(one))
        assert "Cancelled; nothing was started" in shown(await here.press(card, "Cancel", "ada"))
        await here.reaches(JobState.CANCELLED)
        closed = await here.changed(withdrawn, "The training was cancelled.")
        assert buttons_of(closed) == []
        assert "The training was cancelled." in shown(await here.press(withdrawn, "Approve", "bora"))

        await here.type("/train sestek my-model en-US")
        await here.reaches(JobState.PROPOSED)
        await here.asked(START)
        here.time.advance(hours=169)
        await here.reaches(JobState.EXPIRED)
        assert sestek.requests == []
