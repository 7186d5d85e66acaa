"""What is told once Slack takes messages again, or takes one not: each once, as things are then, none in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.doctor import examine
from bot.domain.approvals import Outcome
from bot.domain.jobs import AT_SERVICE, Job, JobState
from bot.settings import load
from bot.usecases.moves import amend, remind
from sandbox.slack.workspace import Message
from tests.flows.lab import CHANNEL, Lab, lab, shown, until
from tests.handlers.edge import Edge, edge
from tests.short import short

ALARMS = "C0ALARMS01"
TRAIN = "/train deepopinion 1 reviews-2026"
LOOKS = ("invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text")
PLACES = ("channel_not_found", "not_in_channel", "is_archived", "restricted_action_read_only_channel")
UNKNOWN = "a_word_that_nobody_knows"
SHUT = ("account_inactive", "token_revoked")


async def running(here: Lab) -> Job:
    """A training whose card stands, and of which nothing waits to be told."""
    await here.type(TRAIN)
    await here.job(lambda one: one.state in AT_SERVICE and one.remote_id is not None and one.look.status is not None)
    await here.quiet()
    return await here.job()


async def refused_at_its_end(here: Lab, error: str, times: int) -> Job:
    """The training ends while Slack refuses every post with this word, so many times."""
    job = await running(here)
    here.refusals.add(error)
    await here.world.slack.switch("fail", {"method": "chat.postMessage", "error": error, "times": times})
    here.world.services.deepopinion.act("finish", training=job.remote_id)
    return await here.job(lambda one: one.state is JobState.DONE)


def ends(here: Lab, channel: str = CHANNEL) -> list[Message]:
    return [
        one for one in here.world.slack.messages(channel) if "*trained*" in one.text and "<@U0ADA00001>" in one.text
    ]


async def dropped(here: Lab) -> list[str]:
    return [error for (error,) in await here.rows("SELECT error FROM notices WHERE state = 'dropped'")]


async def refused(here: Lab, error: str) -> None:
    slack = here.world.slack
    await slack.wait_for(lambda: [one for one in slack.calls if one.error == error], timeout=30, what="the refusal")


async def is_over(here: Lab) -> None:
    """Slack refuses no more, and what it refused last is put back: the pause of a message begins when that is read."""
    await here.world.slack.switch("fail", None)

    async def has_none_on_the_way() -> bool:
        return not await here.rows("SELECT 1 FROM notices WHERE state = 'pending' AND taken_at IS NOT NULL")

    await until(has_none_on_the_way)


# -- each refusal has its way -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", short([*LOOKS, UNKNOWN], "invalid_blocks", UNKNOWN))
async def test_blocks_that_are_refused_go_out_as_plain_text(tmp_path: Path, error: str) -> None:
    """Whatever Slack has against the looks of an end, its words are told, once; also where the reason is unknown."""
    async with lab(tmp_path, training_seconds=600) as here:
        await refused_at_its_end(here, error, times=1)
        await here.quiet()
        [end] = ends(here)
        assert end.blocks is None
        assert await dropped(here) == []


@pytest.mark.parametrize("error", short(PLACES, "is_archived"))
async def test_a_place_that_takes_nothing_holds_the_end(tmp_path: Path, error: str) -> None:
    """The end waits, its requester is told the ways on, and it stands there once when one of them is taken."""
    async with lab(tmp_path, training_seconds=600) as here:
        job = await refused_at_its_end(here, error, times=1)
        told = await here.told("ada", "what there is to say of training")
        assert job.id in shown(told)
        assert ends(here) == []
        await here.press(told, "Post here", "ada")
        await here.world.slack.wait_for(lambda: ends(here), timeout=30, what="the end")
        await here.quiet()
        assert len(ends(here)) == 1
        assert await dropped(here) == []


@pytest.mark.parametrize("error", short(SHUT, "token_revoked"))
async def test_a_bot_that_is_shut_out_keeps_what_there_is_to_tell(tmp_path: Path, error: str) -> None:
    """Nothing is dropped for a token; when its operator has been there, the end is told once."""
    async with lab(tmp_path, training_seconds=600) as here:
        await refused_at_its_end(here, error, times=100_000)
        await refused(here, error)
        assert ends(here) == []
        await is_over(here)
        here.time.advance(minutes=2)
        await here.quiet()
        assert len(ends(here)) == 1
        assert await dropped(here) == []


async def test_a_card_that_was_deleted_takes_no_end_with_it(tmp_path: Path) -> None:
    """A thread without its first message takes no reply: the end then stands by itself, once."""
    async with lab(tmp_path, training_seconds=600) as here:
        here.refusals |= {"cannot_reply_to_message", "message_not_found"}
        job = await running(here)
        [card] = here.cards()
        del here.world.slack.workspace.messages[CHANNEL][card.ts]
        here.world.services.deepopinion.act("finish", training=job.remote_id)
        await here.reaches(JobState.DONE)
        [end] = ends(here)
        assert end.thread_ts is None


async def test_a_message_that_is_dropped_is_seen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Refused in every form, an end is given up: the log has a warning with the reason, and the doctor shows it."""
    async with lab(tmp_path, training_seconds=600) as here:
        job = await refused_at_its_end(here, "ekm_access_denied", times=100_000)
        await here.quiet()
        assert await dropped(here) == ["Slack refused: ekm_access_denied."] * len(await dropped(here))
        assert await dropped(here)
        await here.world.slack.switch("fail", None)
        findings = {one.what: one for one in await examine(load(here.environ))}
        assert "ekm_access_denied" in findings["messages"].says
        assert job.id in findings["messages"].says


async def test_what_cannot_be_looked_up_is_not_repeated_but_alarms(tmp_path: Path) -> None:
    """The answer to the end's post was lost and Slack shows no history: it waits, and after three tries is told of."""
    async with lab(tmp_path, training_seconds=600, SWITCHYARD_SLACK__ALARM_CHANNEL=ALARMS) as here:
        here.refusals.add("missing_scope")
        job = await running(here)
        slack = here.world.slack
        await slack.switch("fail", {"method": "conversations.replies", "error": "missing_scope", "times": 100_000})
        await slack.switch("drop_reply", {"method": "chat.postMessage", "times": 1})
        here.world.services.deepopinion.act("finish", training=job.remote_id)
        await here.job(lambda one: one.state is JobState.DONE)

        async def is_told() -> bool:
            here.time.advance(minutes=1)
            return any("waits" in one.text and job.id in one.text for one in here.cards(ALARMS))

        await until(is_told)
        assert len(ends(here)) == 1
        await is_over(here)
        here.time.advance(minutes=10)
        await here.quiet()
        assert len(ends(here)) == 1
        assert sum("waits" in one.text for one in here.cards(ALARMS)) == 1


# -- after an outage --------------------------------------------------------------------------------------------------


async def down(here: Lab) -> None:
    """Nobody listens where Slack should: surely nothing is posted."""
    await here.world.slack.switch("fail", {"method": "*", "error": "ratelimited", "times": 100_000})


async def back(here: Lab) -> None:
    await is_over(here)
    here.time.advance(hours=1)
    await here.quiet()


async def test_a_backlog_becomes_one_edit_and_a_line_a_move(tmp_path: Path) -> None:
    """Every move of the day is told in the thread, in order; the card is drawn once, as it is by then."""
    async with lab(tmp_path, training_seconds=600) as here:
        job = await running(here)
        deepopinion = here.world.services.deepopinion
        edits, moves = len(here.world.slack.calls_of("chat.update")), len(here.thread())
        known = len(await here.bot.deps.store.transitions(job.id))
        await down(here)
        for word in ("QUEUED", "TRAINING", "QUEUED", "TRAINING"):
            deepopinion.act("word", training=job.remote_id, word=word)
            await here.looked(deepopinion, 3, "GET")
        deepopinion.act("word", training=job.remote_id, word=None)
        deepopinion.act("finish", training=job.remote_id)
        await here.job(lambda one: one.state is JobState.DONE)
        await back(here)
        passed = [call for call in here.world.slack.calls_of("chat.update") if call.ok][edits:]
        assert len(passed) <= 2
        assert "*trained*" in shown(here.cards()[0])
        assert len(here.cards()) == 1
        assert len(here.thread()) - moves == len(await here.bot.deps.store.transitions(job.id)) - known
        assert len(ends(here)) == 1


async def test_an_outage_that_is_over_before_it_could_be_told_is_not_told(tmp_path: Path) -> None:
    """The service went and came while Slack was away: neither line is news any more."""
    async with lab(tmp_path, training_seconds=600) as here:
        await running(here)
        deepopinion = here.world.services.deepopinion
        await down(here)
        deepopinion.act("outage", kind="503")
        for _ in range(4):
            await here.looked(deepopinion, 1)
            here.time.advance(seconds=2)
        await until_health(here, is_away=True)
        deepopinion.act("outage", kind=None)
        here.time.advance(seconds=10)
        await until_health(here, is_away=False)
        await back(here)
        assert [one.text for one in here.cards() if "answer" in one.text] == []
        assert await dropped(here) == ["overtaken"] * 2


@pytest.mark.proof
async def test_an_outage_that_goes_on_is_told_late(tmp_path: Path) -> None:
    """The same, but the service is still away when Slack is back: it is told then, and its return too."""
    async with lab(tmp_path, training_seconds=600) as here:
        await running(here)
        deepopinion = here.world.services.deepopinion
        await down(here)
        deepopinion.act("outage", kind="503")
        for _ in range(4):
            await here.looked(deepopinion, 1)
            here.time.advance(seconds=2)
        await until_health(here, is_away=True)
        await back(here)
        assert len([one for one in here.cards() if "has not answered" in one.text]) == 1
        deepopinion.act("outage", kind=None)
        here.time.advance(seconds=10)
        await until_health(here, is_away=False)
        await here.quiet()
        assert len([one for one in here.cards() if "answers again" in one.text]) == 1


async def until_health(here: Lab, *, is_away: bool) -> None:
    async def fits() -> bool:
        known = (await here.bot.deps.store.health()).get("deepopinion")
        return (known is not None and known.is_away) is is_away

    await until(fits)


# -- reminders --------------------------------------------------------------------------------------------------------


async def remind_twice(here: Edge) -> None:
    """Two reminders of the one open prompt that Slack, being away, has not taken yet."""
    [prompt] = await here.store.open_prompts()
    for number in (1, 2):
        prompt = replace(prompt, reminders=number, version=prompt.version + 1)
        told = remind(here.deps, prompt, f"reminder:{number}", {"number": number})
        assert await here.store.amend(amend(here.deps, prompt, notices=[told]))


async def delivered(here: Edge) -> None:
    """Everything that waits has had its turn; what is dropped calls nobody."""
    for _ in range(4):
        await here.run()


def posted(here: Edge) -> int:
    return len(here.slack.messages(CHANNEL))


async def reasons(here: Edge) -> list[str]:
    """Why messages were dropped."""
    sql = "SELECT error FROM notices WHERE state = 'dropped'"
    found: list[tuple[str]] = await here.store._read(lambda db: db.execute(sql).fetchall())
    return [error for (error,) in found]


async def test_of_several_reminders_that_waited_the_last_is_told(tmp_path: Path) -> None:
    """A day without Slack ends with one reminder, not with all of the day."""
    async with edge(tmp_path) as here:
        await here.prompt()
        before = posted(here)
        await remind_twice(here)
        await delivered(here)
        assert posted(here) == before + 1
        assert await reasons(here) == ["overtaken"]


async def test_a_reminder_of_what_was_decided_is_not_told(tmp_path: Path) -> None:
    """Somebody approved before Slack took the reminder: it is dropped, and the doctor is not bothered with it."""
    async with edge(tmp_path) as here:
        await here.prompt()
        before = posted(here)
        [prompt] = await here.store.open_prompts()
        await remind_twice(here)
        answered = replace(prompt, outcome=Outcome.WITHDRAWN, reminders=2, version=prompt.version + 3)
        assert await here.store.amend(amend(here.deps, answered))
        await delivered(here)
        assert posted(here) == before
        assert await reasons(here) == ["overtaken"] * 2
        assert await here.store.undelivered(10) == []
