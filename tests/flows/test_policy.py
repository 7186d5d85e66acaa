"""What a policy file says happens in Slack: several approvals, stand-ins, reminders, a second group, who may ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.domain.jobs import AT_SERVICE, JobState
from sandbox.slack import Person
from sandbox.slack.workspace import Message
from tests.flows.lab import BORA, CHANNEL, CHIE, DAN, Lab, buttons_of, lab, shown, until
from tests.flows.test_approvals import START, SWITCH, offered

CANCEL = "May this training be cancelled?"
ALARMS = "C0ALARMS01"
TWO = f"""
[[rule]]
name = "production"
providers = ["sony"]
acts = ["switch"]
approve = ["{BORA}", "{CHIE}", "{DAN}"]
approvals = 2
"""


@asynccontextmanager
async def under(policy: str, folder: Path, **options: Any) -> AsyncIterator[Lab]:
    """A lab with this policy file."""
    path = folder / "policy.toml"
    path.write_text(policy, "utf-8")
    async with lab(folder, SWITCHYARD_APPROVALS__POLICY=str(path), **options) as here:
        yield here


async def typed_reason(person: Person, here: Lab, reason: str) -> None:
    """Fill in the form that opens."""
    await here.world.slack.wait_for(lambda: person.view, timeout=30, what="the form to open")
    assert person.view is not None
    await person.submit(person.view, {"reason": {"reason": {"type": "plain_text_input", "value": reason}}})


def thread_of(here: Lab, prompt: Message) -> list[Message]:
    return [one for one in here.world.slack.messages(CHANNEL) if one.thread_ts == prompt.ts and one.ts != prompt.ts]


# -- several approvals ------------------------------------------------------------------------------------------------


async def test_two_of_three_have_to_approve(tmp_path: Path) -> None:
    """One yes is counted and shown, a second one of another person decides; the same person counts once."""
    async with under(TWO, tmp_path) as here:
        prompt = await offered(here)
        assert "2 of them have to approve" in shown(prompt)
        assert "1 of 2 are there, 1 more is needed" in shown(await here.press(prompt, "Approve", "bora"))
        counted = await here.changed(prompt, "1 of 2 approvals: <@U0BORA0001>. 1 more needed.")
        assert "You have approved this already" in shown(await here.press(counted, "Approve", "bora"))
        assert here.switches() == 0
        assert "somebody else has to decide" in shown(await here.press(counted, "Approve", "ada"))
        assert "Thank you: approved" in shown(await here.press(counted, "Approve", "dan"))
        closed = await here.changed(prompt, "Approved by <@U0BORA0001> and <@U0DAN00001>.")
        assert "May decide" not in shown(closed)
        assert "2 of 2 approvals: <@U0BORA0001>, <@U0DAN00001>." in shown(closed)
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


@pytest.mark.proof
async def test_two_yeses_at_once_both_count(tmp_path: Path) -> None:
    """Neither of two approvals of one moment is lost, and together they switch once."""
    async with under(TWO, tmp_path) as here:
        prompt = await offered(here)
        said = await asyncio.gather(here.press(prompt, "Approve", "bora"), here.press(prompt, "Approve", "chie"))
        texts = sorted(map(shown, said))
        assert "Thank you: approved" in texts[0]
        assert "1 of 2 are there, 1 more is needed" in texts[1]
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


async def test_one_no_ends_it_whatever_was_approved(tmp_path: Path) -> None:
    """A rejection takes one person, also after an approval; nothing is switched."""
    async with under(TWO, tmp_path) as here:
        prompt = await offered(here)
        await here.press(prompt, "Approve", "bora")
        await here.reject(prompt, "chie", "Worse on Tuesdays")
        closed = await here.changed(prompt, "Rejected by <@U0CHIE0001>. Reason: Worse on Tuesdays")
        assert "1 of 2 approvals: <@U0BORA0001>." in shown(closed)
        await here.reaches(JobState.REJECTED)
        assert here.switches() == 0


@pytest.mark.proof
async def test_votes_outlive_a_restart(tmp_path: Path) -> None:
    """What was approved before a restart counts after it."""
    async with under(TWO, tmp_path) as here:
        prompt = await offered(here)
        await here.press(prompt, "Approve", "bora")
        await here.restart()
        await here.press(prompt, "Approve", "chie")
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


# -- who --------------------------------------------------------------------------------------------------------------


async def test_who_stands_in_uses_the_right_of_the_absent_once(tmp_path: Path) -> None:
    """On the days that are set, a stand-in decides for the absent; both together are one approval."""
    policy = f"""
    [[rule]]
    name = "holidays"
    approve = ["{BORA}", "{CHIE}"]
    approvals = 2
    stand_ins = [{{ for = "{BORA}", by = "{DAN}", from = 2000-01-01, until = 2999-12-31 }}]
    """
    async with under(policy, tmp_path) as here:
        prompt = await offered(here)
        assert "1 of 2 are there, 1 more is needed" in shown(await here.press(prompt, "Approve", "dan"))
        await here.changed(prompt, "1 of 2 approvals: <@U0DAN00001> for <@U0BORA0001>.")
        assert "somebody has for you" in shown(await here.press(prompt, "Approve", "bora"))
        assert "Thank you: approved" in shown(await here.press(prompt, "Approve", "chie"))
        await here.reaches(JobState.LIVE)


async def test_the_members_of_a_channel_decide(tmp_path: Path) -> None:
    """A channel may be the approver: whoever is in it decides, and nobody else."""
    async with lab(tmp_path / "world") as probe:
        place = probe.world.slack.workspace.channels[CHANNEL]
        assert DAN in place.members
    policy = f'[[rule]]\nname = "the channel decides"\napprove = ["{CHANNEL}"]\n'
    async with under(policy, tmp_path) as here:
        prompt = await offered(here)
        assert f"<#{CHANNEL}>" in shown(prompt)
        await here.press(prompt, "Approve", "dan")
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


async def test_who_may_not_ask_starts_nothing(tmp_path: Path) -> None:
    """A start is asked for by those whom the rule names, a group among them; others are told which rule says so."""
    policy = """
    [[rule]]
    name = "only the group trains"
    providers = ["sestek"]
    acts = ["start"]
    ask = ["S0MLOPS001"]
    approvals = 0
    """
    async with under(policy, tmp_path) as here:
        await here.type("/train sestek my-model en-US", "chie")
        refused = await here.reaches(JobState.FAILED)
        [card] = here.cards()
        assert "only the group trains" in shown(card)
        assert refused.request.actor.user == CHIE
        assert here.world.services.sestek.requests == []
        assert "only the group trains" in await here.type("/train sestek my-model en-US", "chie")
        await here.type("/train sestek my-model en-US", "bora")
        await here.reaches(JobState.LIVE)


async def test_why_names_the_rule_and_what_it_says_of_who_asks(tmp_path: Path) -> None:
    """The button tells the rule, its line, and whether the person who presses may decide."""
    async with under(TWO, tmp_path) as here:
        prompt = await offered(here)
        mine = shown(await here.press(prompt, "Why?", "ada"))
        assert "production" in mine
        assert "line 2" in mine
        assert "somebody else has to decide" in mine
        assert "is named" in shown(await here.press(prompt, "Why?", "bora"))


# -- reasons and withdrawal -------------------------------------------------------------------------------------------


async def test_an_approval_may_need_a_reason(tmp_path: Path) -> None:
    """Where the rule wants one, Approve opens the form, and the reason stands on the prompt."""
    policy = f'[[rule]]\nname = "say why"\napprove = ["{BORA}"]\nreason = "always"\n'
    async with under(policy, tmp_path) as here:
        prompt = await offered(here)
        bora = here.person("bora")
        await bora.click(prompt, "approve")
        await typed_reason(bora, here, "Better on all slices")
        await here.changed(prompt, "Approved by <@U0BORA0001>. Reason: Better on all slices")
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


async def test_who_asked_takes_a_switch_back(tmp_path: Path) -> None:
    """The requester withdraws the question, nobody else does; afterwards it can be offered again."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        assert "Only the person who asked" in shown(await here.press(prompt, "Withdraw", "bora"))
        assert "Thank you: withdrawn" in shown(await here.press(prompt, "Withdraw", "ada"))
        closed = await here.changed(prompt, "Withdrawn by <@U0ADA00001>, who had asked.")
        assert buttons_of(closed) == []
        assert "this prompt is closed" in shown(await here.press(prompt, "Approve", "bora"))
        await here.reaches(JobState.REJECTED)
        assert here.switches() == 0
        await here.press(await here.changed(here.cards()[0], "*withdrawn* by <@U0ADA00001>"), "Offer again", "ada")
        await here.press(await here.asked(SWITCH, after=prompt), "Approve", "bora")
        await here.reaches(JobState.LIVE)


async def test_who_asked_takes_a_start_back(tmp_path: Path) -> None:
    """Withdrawn before the start, a training is cancelled, and nothing was sent."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__START='["sestek"]') as here:
        await here.type("/train sestek my-model en-US")
        await here.reaches(JobState.PROPOSED)
        await here.press(await here.asked(START), "Withdraw", "ada")
        await here.reaches(JobState.CANCELLED)
        assert here.world.services.sestek.requests == []
        await here.changed(here.cards()[0], "*withdrawn* by <@U0ADA00001>")


# -- cancelling -------------------------------------------------------------------------------------------------------

ASK_TO_CANCEL = f"""
[[rule]]
name = "do not waste hours"
providers = ["decthings"]
acts = ["cancel"]
approve = ["{BORA}"]
approvals = 1
"""


async def running(here: Lab) -> Message:
    """The card of a training that runs, with its button."""
    await here.type("/train decthings mdl-sentiment st-2 epochs=u32:2")
    await here.reaches(*AT_SERVICE)
    return here.cards()[0]


async def test_cancelling_may_need_a_yes(tmp_path: Path) -> None:
    """Where the rule wants it, Cancel asks the approvers; their yes has the service stop, once."""
    async with under(ASK_TO_CANCEL, tmp_path, training_seconds=600) as here:
        card = await running(here)
        assert "The approvers are asked" in shown(await here.press(card, "Cancel", "ada"))
        prompt = await here.asked(CANCEL)
        assert "have been asked already" in shown(await here.press(card, "Cancel", "ada"))
        assert "somebody else has to decide" in shown(await here.press(prompt, "Approve", "ada"))
        assert "Thank you: approved" in shown(await here.press(prompt, "Approve", "bora"))
        await here.job(lambda one: one.state is JobState.CANCELLING)
        await here.looked(here.world.services.decthings, 3)
        assert len(here.world.services.decthings.arrivals("POST", "cancelTrainingSession")) == 1
        here.world.clock.advance(120)
        await here.reaches(JobState.CANCELLED)


@pytest.mark.proof
async def test_a_cancelling_that_is_rejected_lets_the_training_go_on(tmp_path: Path) -> None:
    """A no, or a training that ends first, closes the question; the training ends as it would have."""
    async with under(ASK_TO_CANCEL, tmp_path, training_seconds=600) as here:
        card = await running(here)
        await here.press(card, "Cancel", "ada")
        prompt = await here.asked(CANCEL)
        await here.reject(prompt, "bora", "Nearly done")
        await here.changed(prompt, "Rejected by <@U0BORA0001>. Reason: Nearly done")
        assert (await here.job()).state in AT_SERVICE
        await here.press(card, "Cancel", "ada")
        again = await here.asked(CANCEL, after=prompt)
        decthings = here.world.services.decthings
        decthings.act("finish", training=decthings.sessions()[0].id)
        await here.reaches(JobState.OFFERED)
        closed = await here.changed(again, "The training has moved on.")
        assert buttons_of(closed) == []


# -- time -------------------------------------------------------------------------------------------------------------


async def test_a_reminder_comes_with_growing_pauses(tmp_path: Path) -> None:
    """After its time a line in the prompt's thread calls the approvers; the next one comes after a longer pause."""
    policy = f'[[rule]]\nname = "patient"\napprove = ["{BORA}"]\nremind = "4h"\nremind_factor = 2\n'
    async with under(policy, tmp_path) as here:
        prompt = await offered(here)
        assert thread_of(here, prompt) == []
        here.time.advance(hours=4)
        await here.world.slack.wait_for(lambda: len(thread_of(here, prompt)) == 1, timeout=30, what="a reminder")
        assert "<@U0BORA0001>: this still waits for you" in shown(thread_of(here, prompt)[0])
        here.time.advance(hours=4)
        await here.restart()
        here.time.advance(hours=4)
        await here.world.slack.wait_for(lambda: len(thread_of(here, prompt)) == 2, timeout=30, what="a second reminder")
        await here.press(prompt, "Approve", "bora")
        await here.reaches(JobState.LIVE)
        here.time.advance(hours=40)
        await here.restart()
        await here.quiet()
        assert len(thread_of(here, prompt)) == 2


@pytest.mark.proof
async def test_a_reminder_that_was_overtaken_is_not_sent(tmp_path: Path) -> None:
    """Slack was away when it was due; answered meanwhile, nobody is called any more."""
    policy = f'[[rule]]\nname = "patient"\napprove = ["{BORA}"]\nremind = "4h"\n'
    async with under(policy, tmp_path) as here:
        here.refusals.add("internal_error")
        prompt = await offered(here)
        down = {"method": "chat.postMessage", "times": 10_000, "error": "internal_error"}
        await here.world.slack.switch("fail", down)
        here.time.advance(hours=4)

        async def is_due() -> bool:
            return bool(await here.rows("SELECT 1 FROM notices WHERE kind = 'reminder'"))

        await until(is_due)
        await here.press(prompt, "Approve", "bora")
        await here.world.slack.switch("fail", None)
        here.time.advance(minutes=10)
        await here.reaches(JobState.LIVE)
        assert thread_of(here, prompt) == []


async def test_a_second_group_is_called_after_its_time(tmp_path: Path) -> None:
    """Those of the second group may not decide before, are called in the channel after it, and may then."""
    policy = f"""
    [[rule]]
    name = "escalates"
    approve = ["{BORA}"]
    escalate_to = ["{DAN}"]
    escalate_after = "8h"
    """
    async with under(policy, tmp_path) as here:
        prompt = await offered(here)
        assert "not among the approvers" in shown(await here.press(prompt, "Approve", "dan"))
        assert "may approve it after 8 hours, not before" in shown(await here.press(prompt, "Why?", "dan"))
        assert "after 8 hours, not before" not in shown(await here.press(prompt, "Why?", "chie"))
        here.time.advance(hours=9)
        await here.changed(prompt, "<@U0DAN00001> since")
        await here.world.slack.wait_for(lambda: thread_of(here, prompt), timeout=30, what="the call")
        assert "You may decide this now" in shown(await here.press(prompt, "Why?", "dan"))
        assert "<@U0DAN00001>: you are asked too" in shown(thread_of(here, prompt)[0])
        assert "Thank you: approved" in shown(await here.press(prompt, "Approve", "dan"))
        await here.reaches(JobState.LIVE)


async def test_nobody_is_called_in_quiet_hours(tmp_path: Path) -> None:
    """What falls due in quiet hours is told after their end."""
    days = "[" + ", ".join(f'"{day}"' for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")) + "]"
    policy = f"""
    [[rule]]
    name = "sleeps"
    approve = ["{BORA}"]
    remind = "1h"
    quiet = {{ from = 00:00:00, to = 00:00:00, zone = "Asia/Tokyo", days = {days} }}
    """
    async with under(policy, tmp_path) as here:
        prompt = await offered(here)
        here.time.advance(hours=5)
        await here.restart()
        await here.press(prompt, "Why?", "bora")
        await here.quiet()
        assert thread_of(here, prompt) == []


async def test_a_question_that_nobody_can_see_raises_the_alarm(tmp_path: Path) -> None:
    """The channel was archived before the switch was offered: the alarm channel hears of the question that waits."""
    async with lab(tmp_path, SWITCHYARD_SLACK__ALARM_CHANNEL=ALARMS, training_seconds=600) as here:
        here.refusals.add("posting_to_channel_denied")
        await here.type("/train sony churn")
        await here.job(lambda one: one.state in (JobState.QUEUED, JobState.RUNNING))
        await here.quiet()
        here.world.slack.workspace.archive(CHANNEL)
        here.world.clock.advance(600)
        job = await here.job(lambda one: one.state is JobState.OFFERED)
        here.time.advance(minutes=3)
        alarm = await here.world.slack.wait_for_message(
            ALARMS, lambda one: "nobody sees the question" in one.text, timeout=30
        )
        assert job.id in alarm.text


# -- the file changes while the bot runs ------------------------------------------------------------------------------


async def test_a_changed_file_is_taken_over(tmp_path: Path) -> None:
    """Without a restart: the prompt of the old rule decides nothing any more, a fresh one is asked under the new."""
    first = f'[[rule]]\nname = "first"\napprove = ["{BORA}"]\n'
    async with under(first, tmp_path, SWITCHYARD_SLACK__ALARM_CHANNEL=ALARMS) as here:
        prompt = await offered(here)
        (tmp_path / "policy.toml").write_text(f'[[rule]]\nname = "second"\napprove = ["{CHIE}"]\n', "utf-8")

        async def is_known() -> bool:
            return here.bot.deps.policy.clauses[0].rule.name == "second"

        await until(is_known)
        assert "not among the approvers" in shown(await here.press(prompt, "Approve", "bora"))
        assert "has changed since" in shown(await here.press(prompt, "Approve", "chie"))
        fresh = await here.asked(SWITCH, after=prompt)
        await here.press(fresh, "Approve", "chie")
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1
        told = await here.world.slack.wait_for_message(ALARMS, lambda one: "was changed" in one.text, timeout=30)
        assert "Rules new: “second”; gone: “first”" in told.text


async def test_a_broken_file_leaves_the_former_rules_in_force(tmp_path: Path) -> None:
    """A mistake in a changed file is told with its line, and changes nothing."""
    policy = f'[[rule]]\nname = "first"\napprove = ["{BORA}"]\n'
    async with under(policy, tmp_path, SWITCHYARD_SLACK__ALARM_CHANNEL=ALARMS) as here:
        prompt = await offered(here)
        (tmp_path / "policy.toml").write_text(policy + 'aprove = ["U0DAN00001"]\n', "utf-8")
        told = await here.world.slack.wait_for_message(ALARMS, lambda one: "line 4" in one.text, timeout=30)
        assert "former" in told.text
        await here.press(prompt, "Approve", "bora")
        await here.reaches(JobState.LIVE)
