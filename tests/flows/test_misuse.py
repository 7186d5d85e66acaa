"""What somebody tries who wants a model live without the approval that it needs, and what goes wrong by itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.jobs import AT_SERVICE, JobState
from sandbox.slack.workspace import Message
from tests.flows.lab import ADA, BORA, CHANNEL, CHIE, DAN, Lab, Time, buttons_of, lab, shown, until, with_button
from tests.flows.test_approvals import GROUP, SWITCH, members_are, offered
from tests.flows.test_evidence import BACK, card_of, switched
from tests.flows.test_policy import ALARMS, ASK_TO_CANCEL, CANCEL, TWO, running, thread_of, typed_reason, under
from tests.short import short

OWN = "somebody else has to decide"


async def taken_over(here: Lab, path: Path, text: str) -> None:
    """Write the policy file anew, and wait until it is in force."""
    before = here.bot.deps.policy.digest
    path.write_text(text, "utf-8")

    async def is_another() -> bool:
        return here.bot.deps.policy.digest != before

    await until(is_another)


def carried(message: Message, label: str = "Approve") -> str:
    """What a button of the message carries."""
    return next(str(one["value"]) for one in buttons_of(message) if one["text"]["text"] == label)


# -- who --------------------------------------------------------------------------------------------------------------


async def test_who_asked_has_no_way_round(tmp_path: Path) -> None:
    """Neither as a stand-in, nor by a group, nor by a channel joined afterwards, nor through their own stand-in."""
    policy = f"""
    [[rule]]
    name = "every way"
    approve = ["{BORA}", "{ADA}", "{GROUP}", "{ALARMS}"]
    stand_ins = [
      {{ for = "{BORA}", by = "{ADA}", from = 2000-01-01, until = 2999-12-31 }},
      {{ for = "{ADA}", by = "{DAN}", from = 2000-01-01, until = 2999-12-31 }},
    ]
    """
    async with under(policy, tmp_path) as here:
        here.world.slack.change_group(GROUP, "ada")
        for who in (ADA, BORA, CHIE, DAN):
            here.world.slack.workspace.kick(ALARMS, who)
        prompt = await offered(here)
        here.world.slack.workspace.invite(ALARMS, ADA)
        await members_are(here, ADA)
        assert OWN in shown(await here.press(prompt, "Approve", "ada"))
        here.time.advance(minutes=3)
        said = shown(await here.press(prompt, "Approve", "dan"))
        if "Checking" in said:
            await here.told("dan", "not among the approvers")
        else:
            assert "not among the approvers" in said
        assert here.switches() == 0


async def test_a_clock_that_was_set_back_makes_no_copy_of_a_group_fresh(tmp_path: Path) -> None:
    """A copy that seems to come from the future may be of any age: it is read again before it lets anybody in."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__APPROVERS=f'["{GROUP}"]') as here:
        here.time.advance(days=30)
        prompt = await offered(here)
        await members_are(here, BORA)
        groups = here.world.slack.workspace.usergroups
        groups[GROUP] = replace(groups[GROUP], members=(CHIE,))  # an event of it never came
        here.time.advance(days=-30)
        said = shown(await here.press(prompt, "Approve", "bora"))
        assert "Thank you" not in said
        await here.told("bora", "not among the approvers")
        assert here.switches() == 0


async def test_a_vote_counts_for_the_right_of_its_moment(tmp_path: Path) -> None:
    """Who leaves the group after a vote is no approver any more, and the vote that was right when given stays."""
    policy = f'[[rule]]\nname = "two"\napprove = ["{GROUP}"]\napprovals = 2\n'
    async with under(policy, tmp_path) as here:
        here.world.slack.change_group(GROUP, "bora", "chie")
        prompt = await offered(here)
        await members_are(here, BORA, CHIE)
        await here.press(prompt, "Approve", "bora")
        here.world.slack.change_group(GROUP, "chie", "dan")
        await members_are(here, CHIE, DAN)
        assert "not among the approvers" in shown(await here.press(prompt, "Approve", "bora"))
        assert here.switches() == 0
        await here.press(prompt, "Approve", "chie")
        await here.reaches(JobState.LIVE)


async def test_only_whom_the_policy_lets_ask_has_the_former_data_trained(tmp_path: Path) -> None:
    """The button of the way back is a start like any other: the rule on who may ask holds for it."""
    policy = f"""
    [[rule]]
    name = "who starts"
    acts = ["start"]
    ask = ["{ADA}", "{BORA}"]
    approvals = 0

    [[rule]]
    name = "who switches"
    acts = ["switch"]
    approve = ["{BORA}", "{CHIE}"]
    """
    async with under(policy, tmp_path) as here:
        await switched(here)
        second = await switched(here, who="bora")
        said = shown(await here.press(card_of(here, second), BACK, "dan"))
        assert "Nothing" in said or "may not" in said, said
        assert here.starts() == 2
        assert len(await here.jobs()) == 2


# -- what was shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("needed", short([1, 3], 1))
async def test_a_vote_under_one_rule_is_none_under_another(tmp_path: Path, needed: int) -> None:
    """Between two votes the rule changes: nothing is switched, whichever number was reached."""
    async with under(TWO, tmp_path) as here:
        prompt = await offered(here)
        await here.press(prompt, "Approve", "bora")
        await taken_over(here, tmp_path / "policy.toml", TWO.replace("approvals = 2", f"approvals = {needed}"))
        assert "has changed since" in shown(await here.press(prompt, "Approve", "chie"))
        fresh = await here.asked(SWITCH, after=prompt)
        assert "1 of" not in shown(fresh)
        closed = await here.changed(prompt, "has changed since")
        assert "do not count" in shown(closed)
        assert here.switches() == 0
        for who in ("bora", "chie", "dan")[:needed]:
            await here.press(fresh, "Approve", who)
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


async def test_a_button_carries_nothing_to_another_question(tmp_path: Path) -> None:
    """The id of one prompt with the digest of another, of an older one, of none, or with no sense, switches nothing."""
    async with lab(tmp_path) as here:
        first = await offered(here)
        await here.press(first, "Withdraw", "ada")
        await here.changed(first, "Withdrawn by")
        old = carried(first)
        await here.press(here.cards()[0], "Offer again", "bora")
        fresh = await here.asked(SWITCH, after=first)
        (id_, digest), old_digest = carried(fresh).split("|"), old.split("|")[1]
        assert "closed" in shown(await here.press(with_button(fresh, "approve", old), "Press", "bora"))
        for value in ("", "|", "nobody|" + digest, "x" * 1900, f"{id_}\x00|{digest}", f"{id_} |{digest}"):
            said = shown(await here.press(with_button(fresh, "approve", value), "Press", "bora"))
            assert "nothing was done" in said.lower(), value
        for value in (f"{id_}|", f"{id_}|{digest[:-1]}", f"{id_}|{digest}|{digest}"):
            said = shown(await here.press(with_button(fresh, "approve", value), "Press", "bora"))
            assert "has changed since" in said or "closed" in said, value
        assert old_digest == digest  # the same was shown; the prompts are told apart by their ids
        assert here.switches() == 0


async def test_an_approval_after_a_withdrawal_is_none(tmp_path: Path) -> None:
    """Taken back is taken back, also for a click that was on its way."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        await here.press(prompt, "Withdraw", "ada")
        assert "Nothing was done" in shown(await here.press(prompt, "Approve", "bora"))
        assert here.switches() == 0
        assert (await here.job()).state is JobState.REJECTED


# -- cancelling -------------------------------------------------------------------------------------------------------


async def test_a_question_belongs_to_who_asked_it(tmp_path: Path) -> None:
    """Chie asks whether Ada's training may be cancelled: Ada cannot take that back, and Chie cannot approve it."""
    policy = ASK_TO_CANCEL.replace(f'["{BORA}"', f'["{BORA}", "{CHIE}"')
    async with under(policy, tmp_path, training_seconds=600) as here:
        card = await running(here)
        said = await asyncio.gather(*(here.press(card, "Cancel", who) for who in ("chie", "ada")))
        asked = [one for one in said if "The approvers are asked" in shown(one)]
        assert len(asked) == 1
        prompt = await here.asked(CANCEL)
        asker, other = ("chie", "ada") if f"<@{CHIE}>" in shown(prompt).split("May decide")[0] else ("ada", "chie")
        assert "Only the person who asked" in shown(await here.press(prompt, "Withdraw", other))
        assert OWN in shown(await here.press(prompt, "Approve", asker))
        assert (await here.job()).state in AT_SERVICE
        questions = [one for one in here.world.slack.messages(CHANNEL) if CANCEL in shown(one)]
        assert len(questions) == 1
        await here.press(prompt, "Withdraw", asker)
        assert (await here.job()).state in AT_SERVICE


@pytest.mark.proof
async def test_an_offer_is_made_again_once(tmp_path: Path) -> None:
    """Two press "Offer again" at the same moment: there is one question."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        await here.reject(prompt, "bora", "Not today")
        await here.changed(prompt, "Rejected by")
        await here.quiet()
        card = here.cards()[0]
        await asyncio.gather(*(here.press(card, "Offer again", who) for who in ("ada", "bora", "ada")))
        fresh = await here.asked(SWITCH, after=prompt)
        await here.quiet()
        assert len([one for one in here.cards() if SWITCH in shown(one)]) == 2
        await here.press(fresh, "Approve", "bora")
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


@pytest.mark.proof
async def test_a_switch_under_way_cannot_be_cancelled(tmp_path: Path) -> None:
    """Between approval and effect there is no way back, and the answer says so."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        here.world.services.sony.faults.slow = 0.7
        await here.press(prompt, "Approve", "bora")
        job = await here.job(lambda one: one.state is JobState.PROMOTING)
        said = shown(await here.press(with_button(here.cards()[0], "cancel", job.id), "Press", "ada"))
        assert "cannot be cancelled" in said
        await here.reaches(JobState.LIVE)


# -- words ------------------------------------------------------------------------------------------------------------


async def test_a_long_reason_full_of_marks_calls_nobody(tmp_path: Path) -> None:
    """500 signs of mentions, links and escapes stand as they were typed, on the prompt, the card and in the thread."""
    reason = ("<!channel> <@U0EVE00001> `<https://example.com|x>` *& &lt;!here&gt; " * 9)[:500]
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        await here.reject(prompt, "bora", reason)
        closed = await here.changed(prompt, "Rejected by")
        await here.reaches(JobState.REJECTED)
        for text in [shown(closed), shown(here.cards()[0]), *here.thread()]:
            assert "<!" not in text.replace("<!date", "")
            assert "<@U0EVE" not in text
            assert "<http" not in text


async def test_a_reason_that_nobody_can_see_is_none(tmp_path: Path) -> None:
    """Where the rule wants a reason, blanks and signs that only steer the text are none; a word in any script is."""
    policy = f'[[rule]]\nname = "say why"\napprove = ["{BORA}"]\nreason = "always"\n'
    async with under(policy, tmp_path) as here:
        prompt = await offered(here)
        await here._press(prompt, "Approve", "bora")
        await typed_reason(here.person("bora"), here, " \u202e\u200b\u2060\u3000 ")
        answer = here.person("bora").view
        assert answer is not None
        assert "needs a reason" in str(answer.view)
        assert (await here.job()).state is JobState.OFFERED
        await here.press(prompt, "Why?", "bora")
        await here._press(prompt, "Approve", "bora")
        await here.world.slack.wait_for(lambda: here.person("bora").view is not answer, timeout=30, what="a new form")
        await typed_reason(here.person("bora"), here, "確認済み")
        await here.reaches(JobState.LIVE)


# -- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.proof
async def test_a_week_without_the_bot_brings_one_reminder(tmp_path: Path) -> None:
    """What fell due while nothing ran is told once, and the pause begins anew."""
    rule = f'[[rule]]\nname = "patient"\napprove = ["{BORA}", "{CHIE}"]\nexpire = "30d"\n'
    policy = f'{rule}remind = "1h"\nremind_factor = 1\n'
    async with under(policy, tmp_path) as here:
        prompt = await offered(here)
        await here.stop()
        here.time.advance(days=7)
        await here.start()
        await here.world.slack.wait_for(lambda: thread_of(here, prompt), timeout=30, what="a reminder")
        await here.restart()
        await here.quiet()
        assert len(thread_of(here, prompt)) == 1


@pytest.mark.proof
async def test_who_has_approved_is_not_reminded(tmp_path: Path) -> None:
    """Of two who have to approve, the one who has is left in peace, and the line says how many are still missing."""
    policy = f'[[rule]]\nname = "two"\napprove = ["{BORA}", "{CHIE}"]\napprovals = 2\nremind = "4h"\n'
    async with under(policy, tmp_path) as here:
        prompt = await offered(here)
        await here.press(prompt, "Approve", "bora")
        here.time.advance(hours=4, minutes=1)
        await here.world.slack.wait_for(lambda: thread_of(here, prompt), timeout=30, what="a reminder")
        [line] = thread_of(here, prompt)
        assert f"<@{BORA}>" not in shown(line)
        assert f"<@{CHIE}>" in shown(line)
        assert "1 of 2 have approved" in shown(line)


@pytest.mark.proof
async def test_a_second_group_that_is_the_first_changes_nothing(tmp_path: Path) -> None:
    """Nobody comes in by it who may not decide already; the line calls them once more."""
    policy = f'[[rule]]\nname = "same"\napprove = ["{BORA}"]\nescalate_to = ["{BORA}"]\nescalate_after = "2h"\n'
    async with under(policy, tmp_path) as here:
        prompt = await offered(here)
        here.time.advance(hours=2, minutes=1)
        await here.world.slack.wait_for(lambda: thread_of(here, prompt), timeout=30, what="the call")
        assert "not among" in shown(await here.press(prompt, "Approve", "dan"))
        assert OWN in shown(await here.press(prompt, "Approve", "ada"))
        await here.press(prompt, "Approve", "bora")
        await here.reaches(JobState.LIVE)
        assert len(thread_of(here, prompt)) == 1


# -- the policy file --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what", short(["empty", "blank", "only defaults", "gone", "a folder", "huge", "binary"], "empty", "gone")
)
async def test_a_file_that_is_no_policy_changes_nothing(tmp_path: Path, what: str) -> None:
    """Emptied by a full disk, deleted, replaced by what is no policy: the former rules stay, and the alarm says why."""
    path = tmp_path / "policy.toml"
    async with under(TWO, tmp_path, SWITCHYARD_SLACK__ALARM_CHANNEL=ALARMS) as here:
        before = here.bot.deps.policy.digest
        path.unlink()
        match what:
            case "a folder":
                path.mkdir()
            case "gone":
                pass
            case _:
                texts = {"empty": b"", "blank": b"\xef\xbb\xbf\r\n# nothing\r\n", "huge": b"#" * 10_000_000}
                texts |= {"only defaults": b"[defaults]\napprovals = 1\n", "binary": bytes(range(256))}
                path.write_bytes(texts[what])
        told = await here.world.slack.wait_for_message(ALARMS, lambda one: "stays in force" in one.text, timeout=30)
        assert "policy.toml" in told.text
        assert here.bot.deps.policy.digest == before


@pytest.mark.proof
async def test_a_file_of_another_editor_is_the_same_policy(tmp_path: Path) -> None:
    """A byte order mark and lines that end as on Windows change no rule, and so no digest: open prompts stay good."""
    async with under(TWO, tmp_path) as here:
        prompt = await offered(here)
        text = TWO.replace("production", "production") + "# saved elsewhere\n"
        (tmp_path / "policy.toml").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
        await here.press(prompt, "Approve", "bora")
        await asyncio.sleep(0.3)
        await here.press(prompt, "Approve", "chie")
        await here.reaches(JobState.LIVE)


async def is_reminded(here: Lab) -> bool:
    return bool(await here.rows("SELECT 1 FROM notices WHERE kind = 'reminder'"))


# -- places -----------------------------------------------------------------------------------------------------------


@pytest.mark.proof
async def test_a_question_whose_channel_is_archived_later_raises_the_alarm(tmp_path: Path) -> None:
    """It was posted, and nobody can press in an archived channel: a reminder that finds no place is an alarm."""
    policy = f'[[rule]]\nname = "r"\napprove = ["{BORA}"]\nremind = "1h"\n'
    async with under(policy, tmp_path, SWITCHYARD_SLACK__ALARM_CHANNEL=ALARMS) as here:
        await offered(here)
        here.world.slack.workspace.archive(CHANNEL)
        here.time.advance(hours=1, minutes=1)
        await until(lambda: is_reminded(here))
        here.time.advance(minutes=3)
        alarm = await here.world.slack.wait_for_message(
            ALARMS, lambda one: "waits for an answer" in one.text, timeout=30
        )
        assert (await here.job()).id in alarm.text


@pytest.mark.proof
async def test_an_alarm_that_found_no_place_is_raised_again(tmp_path: Path) -> None:
    """The alarm channel was archived too: a day later, with another one configured, the question is told of there."""
    async with lab(tmp_path, SWITCHYARD_SLACK__ALARM_CHANNEL=ALARMS, training_seconds=600) as here:
        here.refusals.add("posting_to_channel_denied")
        await here.type("/train sony churn")
        await here.job(lambda one: one.state in AT_SERVICE)
        await here.quiet()
        here.world.slack.workspace.archive(CHANNEL)
        here.world.slack.workspace.archive(ALARMS)
        here.world.clock.advance(600)
        job = await here.job(lambda one: one.state is JobState.OFFERED)
        here.time.advance(minutes=3)
        await until(lambda: is_alarmed(here))
        another = here.world.slack.workspace.add_channel(
            "alarms-2", members=(ADA, here.world.slack.workspace.app.user_id)
        )
        await here.restart(SWITCHYARD_SLACK__ALARM_CHANNEL=another.id)
        here.time.advance(days=1)
        alarm = await here.world.slack.wait_for_message(another.id, lambda one: job.id in one.text, timeout=30)
        assert "nobody sees the question" in alarm.text
        await here.restart()
        await here.quiet()
        assert len(here.world.slack.messages(another.id)) == 1


async def is_alarmed(here: Lab) -> bool:
    return bool(await here.rows("SELECT 1 FROM notices WHERE kind = 'health' AND state = 'dropped'"))


async def test_an_alarm_channel_that_is_archived_stops_nothing(tmp_path: Path) -> None:
    """No alarm can be told: the bot's log has it, and all the rest goes on."""
    policy = f'[[rule]]\nname = "r"\napprove = ["{BORA}"]\n'
    async with under(policy, tmp_path, SWITCHYARD_SLACK__ALARM_CHANNEL=ALARMS) as here:
        here.world.slack.workspace.archive(ALARMS)
        (tmp_path / "policy.toml").write_text("broken", "utf-8")
        await asyncio.sleep(0.3)
        prompt = await offered(here)
        await here.press(prompt, "Approve", "bora")
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


@pytest.mark.proof
async def test_a_vote_whose_drawing_was_lost_is_drawn_by_the_next_process(tmp_path: Path) -> None:
    """The vote and the order to draw it are one commit: whoever ends between both, the message shows it in the end."""
    async with under(TWO, tmp_path) as here:
        here.refusals.add("internal_error")
        prompt = await offered(here)
        await here.world.slack.switch("fail", {"method": "chat.update", "times": 100_000, "error": "internal_error"})
        await here.press(prompt, "Approve", "bora")
        await here.stop()
        await here.world.slack.switch("fail", None)
        here.time.advance(hours=1)
        await here.start()
        await here.changed(prompt, "1 of 2 approvals: <@U0BORA0001>")
        await here.press(prompt, "Approve", "chie")
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


# -- the last moment --------------------------------------------------------------------------------------------------


@dataclass
class Stopped(Time):
    """A clock that stands."""

    moment: datetime = datetime(2026, 11, 16, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@pytest.mark.parametrize(("early", "said"), short([(1, "Thank you: approved"), (0, "has run out")], (0, "has run out")))
async def test_the_moment_of_expiry_is_too_late(tmp_path: Path, early: int, said: str) -> None:
    """A moment before it a click counts; at it, it does not, whether or not anybody has looked at the clock yet."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        [asked] = await here.bot.deps.store.open_prompts()
        assert asked.expires_at is not None
        await here.stop()
        here.time = Stopped(moment=asked.expires_at - timedelta(milliseconds=early))
        await here.start()
        assert said in shown(await here.press(prompt, "Approve", "bora"))
        await here.reaches(JobState.PROMOTING, JobState.LIVE, JobState.PROMOTED, JobState.EXPIRED)
        assert here.switches() <= early
