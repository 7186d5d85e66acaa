"""Wrong words, wrong files, wrong people, wrong buttons: each gets its sentence, and nothing starts by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from bot.domain.jobs import AT_SERVICE, JobState
from sandbox.slack.workspace import Message
from tests.flows.lab import Lab, button, buttons_of, data_folder, deeds_of, lab, shown, with_button

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = '{"Label": "billing", "Text": "I was charged twice"}\n{"Label": "refund", "Text": "Money back please"}\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """One world for all that is only refused. DeepOpinion has no credentials in it."""
    folder = tmp_path_factory.mktemp("bad-input")
    data = data_folder(folder, large__jsonl=GOOD * 2000, bom__jsonl=b"\xef\xbb\xbf" + GOOD.encode())
    (data.parent / "outside.jsonl").write_text(GOOD)
    (data / "link.jsonl").symlink_to(data.parent / "outside.jsonl")
    async with lab(folder, data=data, SWITCHYARD_DEEPOPINION__API_KEY="", SWITCHYARD_DATA__MAX_MB="0.1") as made:
        yield made
        assert made.starts() == 0


WRONG_WORDS = {
    "provider": ("/train sestec my-model en-US", ["`sestec`", "Did you mean `sestek`?"]),
    "provider, far from all": ("/train gpu my-model", ["`gpu`", "`sestek`", "`sony`"]),
    "provider not configured": ("/train deepopinion 1 x", ["not configured", "SWITCHYARD_DEEPOPINION__API_KEY"]),
    "argument missing": ("/train sestek my-model", ["LANGUAGE is missing", "en-US", "/train sestek MODEL-ID LANGUAGE"]),
    "all arguments missing": ("/train sony", ["MODEL is missing", "churn, demand", "/train sony MODEL"]),
    "argument too many": ("/train sestek my-model en-US now", ["`now`", "one word too many", "/train sestek MODEL-ID"]),
    "option unknown": ("/train sestek my-model en-US dat=x.jsonl", ["`dat=`", "Did you mean `data=`?"]),
    "option twice": ("/train sony churn data=a.csv data=b.csv", ["`data=`", "twice"]),
    "quote open": ('/train aitems svcmovies01 pop description="weekly', ["weekly", "never closed"]),
    "language": ("/train sestek my-model en-EN", ["`en-EN`", "Did you mean `en-US`?"]),
    "language, only its beginning": ("/train sestek my-model tr", ["`tr`", "tr-TR"]),
    "type": ("/train aitems svcmovies01 popp", ["`popp`", "Did you mean `pop`?"]),
    "Sony's model": ("/train sony chrun", ["`chrun`", "Did you mean `churn`?"]),
    "tensor": ("/train decthings mdl-sentiment s epochs=u32:ten", ["ten", "epochs"]),
    "cpus alone": ("/train decthings mdl-sentiment s cpus=2", ["`cpus=`", "`memory=`"]),
    "AiTEMS' number": ("/train aitems svcmovies01 pop hp.item_top_n=5", ["hp.item_top_n", "1,000", "500,000"]),
    "model id, capitals": ("/train sestek My-Model en-US", ["`My-Model`", "capital", "`my-model`"]),
    "model id, hyphen": ("/train sestek -model en-US", ["`-model`", "hyphen", "Try `model`"]),
    "model id, 64 characters": (f"/train sestek {'m' * 64} en-US", ["64 characters", "63"]),
    "model id, Turkish": ("/train sestek müşteri en-US", ["Turkish letters", "`ü`", "`musteri`"]),
    "data outside": ("/train sestek my-model en-US data=../outside.jsonl", ["`../outside.jsonl`", "its name alone"]),
    "data absolute": ("/train sestek my-model en-US data=/etc/passwd", ["`/etc/passwd`", "write its name alone"]),
    "data of another kind": ("/train sestek my-model en-US data=churn.csv", ["`churn.csv`", "`*.jsonl`"]),
    "data not there": ("/train sestek my-model en-US data=my-modl.jsonl", ["my-modl.jsonl", "`my-model.jsonl`?"]),
    "data, several files": ("/train sestek twice en-US", ["`twice.json`", "`twice.jsonl`", "`data=NAME`"]),
    "data, none": ("/train sestek no-such en-US", ["`no-such.jsonl`", "`data=NAME`"]),
    "job": ("/train-status jzzzzzz", ["`jzzzzzz`", "/jobs"]),
    "reference too short": ("/train-status aitems svcmovies01 pop", ["VERSION is missing", "/status aitems"]),
    "reference too long": ("/train-status sestek my-model 12", ["`12`", "one word too many", "/status sestek"]),
    "reference to nobody": ("/train-status deepopinion 1 11", ["not configured", "SWITCHYARD_DEEPOPINION__API_KEY"]),
    "history": ("/jobs since=soon", ["`since=soon`", "7d"]),
    "sign that hides": ("/train sestek my\u202emodel en-US", ["U+202E"]),
}


@pytest.mark.parametrize("case", WRONG_WORDS)
async def test_a_wrong_word_is_named_with_the_way_out(here: Lab, case: str) -> None:
    """The answer to a wrong command names the word, and what to write instead; no job is made of it."""
    line, parts = WRONG_WORDS[case]
    before = await here.states()
    said = await here.type(line)
    assert [part for part in parts if part not in said] == [], said
    assert await here.states() == before


WRONG_FILES = {
    "no Text": ("sestek m1 en-US data=missing-text.jsonl", ["Line 3", "`Text`"]),
    "not JSON": ("sestek m2 en-US data=not-json.jsonl", ["Line 3", "not JSON"]),
    "JSON list": ("sestek m3 en-US data=array.json", ["one JSON list", "one object a line"]),
    "empty": ("sestek m4 en-US data=empty.jsonl", ["`empty.jsonl`", "empty"]),
    "byte order mark": ("sestek m5 en-US data=bom.jsonl", ["Line 1", "byte order mark"]),
    "too large": ("sestek m6 en-US data=large.jsonl", ["`large.jsonl`", "0.1 MB", "SWITCHYARD_DATA__MAX_MB"]),
    "a link that leads out": ("sestek m7 en-US data=link.jsonl", ["`link.jsonl`", "not a file of the data folder"]),
    "columns": ("sony churn data=unequal-columns.csv", ["Line 58", "5 columns", "6"]),
    "rows": ("sony churn data=few-rows.csv", ["42 rows", "100 or more"]),
    "encoding": ("sony churn data=latin1.csv", ["`latin1.csv`", "UTF-8 with BOM"]),
    "evaluation": ("sony churn data=churn.csv eval=unequal-columns.csv", ["`unequal-columns.csv`", "Line 58"]),
}


@pytest.mark.parametrize("case", WRONG_FILES)
async def test_a_wrong_file_ends_the_job_before_anything_is_sent(here: Lab, case: str) -> None:
    """What is in a file is read after the answer; the card then names the file or the line, and nothing was sent."""
    line, parts = WRONG_FILES[case]
    said = await here.type(f"/train {line}")
    job = await here.job(lambda one: f"`{one.id}`" in said)
    job = await here.job(lambda one: one.id == job.id and one.state is JobState.FAILED)
    await here.quiet()
    card = next(one for one in here.cards() if job.id in shown(one))
    assert [part for part in [*parts, "Nothing was sent"] if part not in shown(card)] == [], shown(card)
    assert deeds_of(card) == []
    assert any("<@U0ADA00001>" in one and parts[0] in one for one in here.thread())


async def test_a_model_in_training_is_not_started_twice(tmp_path: Path) -> None:
    """Sestek trains a model id once at a time: another wish for it is answered with the job, and starts nothing."""
    async with lab(tmp_path, training_seconds=60) as here:
        await here.type("/train sestek my-model en-US")
        job = await here.reaches(JobState.QUEUED, JobState.RUNNING)
        said = await here.type("/train sestek my-model tr-TR", "bora")
        assert f"`{job.id}`" in said
        assert "in training already" in said
        assert "wait for its end" in said
        assert len(await here.states()) == 1
        assert here.starts() == 1


@pytest.mark.proof
async def test_a_model_in_training_elsewhere_is_left_alone(tmp_path: Path) -> None:
    """What another Switchyard started is refused by the service; its words are told, its training goes on."""
    async with lab(tmp_path, training_seconds=60) as here:
        await here.type("/train sestek my-model en-US")
        await here.reaches(JobState.QUEUED, JobState.RUNNING)
        await here.restart(SWITCHYARD_DATABASE_URL=f"sqlite:///{tmp_path / 'another.db'}")
        await here.type("/train sestek my-model en-US")
        await here.reaches(JobState.FAILED)
        assert "still trains `my-model`" in shown(here.cards()[-1])
        assert "take another model id" in shown(here.cards()[-1])
        assert here.starts() == 1
        assert not here.world.services.sestek.course_of("my-model").is_over()


async def offered(here: Lab, line: str = "/train sony churn") -> Message:
    """A switch that waits for a yes."""
    await here.type(line)
    await here.reaches(JobState.OFFERED)
    return await here.prompt()


async def test_who_may_not_decide_is_told_why(tmp_path: Path) -> None:
    """Neither the requester nor a bystander decides or cancels: each is told, and the prompt stays as it was."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        for who, why in (("ada", "somebody else has to decide"), ("dan", "not among the approvers")):
            for label in ("Approve", "Reject"):
                assert why in shown(await here.press(prompt, label, who))
            assert here.person(who).view is None
        assert buttons_of(await here.prompt()) == buttons_of(prompt)
        assert here.switches() == 0


async def test_somebody_else_may_not_cancel(tmp_path: Path) -> None:
    """Ending a training is for its requester and the approvers."""
    async with lab(tmp_path, training_seconds=60) as here:
        await here.type("/train decthings mdl-sentiment st-2 epochs=u32:2")
        await here.reaches(JobState.QUEUED, JobState.RUNNING)
        card = here.cards()[0]
        assert "Only the person who asked" in shown(await here.press(card, "Cancel", "dan"))
        await here.looked(here.world.services.decthings)
        assert not here.world.services.decthings.sessions()[0].cancelling
        assert (await here.job()).state in AT_SERVICE


@pytest.mark.proof
async def test_the_requester_may_decide_where_that_is_configured(tmp_path: Path) -> None:
    """SWITCHYARD_APPROVALS__SELF lets an approver say yes to what he asked for himself."""
    async with lab(
        tmp_path, SWITCHYARD_APPROVALS__SELF="true", SWITCHYARD_APPROVALS__APPROVERS='["U0ADA00001"]'
    ) as here:
        prompt = await offered(here)
        assert "may not" not in shown(prompt)
        assert "Thank you: approved" in shown(await here.press(prompt, "Approve", "ada"))
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


@pytest.mark.proof
async def test_without_approvers_nobody_decides(tmp_path: Path) -> None:
    """An empty list of approvers approves nothing; the prompt and the answer name the key."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__APPROVERS="[]") as here:
        prompt = await offered(here)
        assert "SWITCHYARD_APPROVALS__APPROVERS" in shown(prompt)
        assert "SWITCHYARD_APPROVALS__APPROVERS" in shown(await here.press(prompt, "Approve", "bora"))
        assert here.switches() == 0


async def test_a_prompt_of_other_approvers_is_asked_anew(tmp_path: Path) -> None:
    """Who approves is decided by the rule of now; a prompt that shows another rule is closed, and a fresh one asked."""
    async with lab(tmp_path) as here:
        old = await offered(here)
        await here.restart(SWITCHYARD_APPROVALS__APPROVERS='["U0CHIE0001"]')
        assert "not among the approvers" in shown(await here.press(old, "Approve", "bora"))
        assert "has changed since" in shown(await here.press(old, "Approve", "chie"))
        closed = await here.changed(old, "Closed.")
        assert buttons_of(closed) == []
        assert here.switches() == 0
        fresh = await here.prompt()
        assert "<@U0CHIE0001>" in shown(fresh)
        assert "<@U0BORA0001>" not in shown(fresh)
        await here.press(fresh, "Approve", "chie")
        await here.reaches(JobState.LIVE)
        assert here.switches() == 1


@pytest.mark.proof
async def test_a_decided_prompt_takes_no_second_answer(tmp_path: Path) -> None:
    """A click on buttons that were still shown somewhere tells who decided, and does nothing."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        await here.press(prompt, "Approve", "bora")
        await here.reaches(JobState.LIVE)
        for label in ("Approve", "Reject"):
            said = shown(await here.press(prompt, label, "chie"))
            assert "already approved by <@U0BORA0001>" in said
        assert here.person("chie").view is None
        assert here.switches() == 1


async def test_an_old_card_ends_nothing(tmp_path: Path) -> None:
    """The Cancel button of a card as it was once answers that the training has ended."""
    async with lab(tmp_path, training_seconds=60) as here:
        await here.type("/train decthings mdl-sentiment st-2 epochs=u32:2")
        await here.reaches(JobState.QUEUED, JobState.RUNNING)
        old = here.cards()[0]
        here.world.services.decthings.act("fail", training=here.world.services.decthings.sessions()[0].id)
        await here.reaches(JobState.FAILED)
        assert "ended already" in shown(await here.press(old, "Cancel", "ada"))
        assert (await here.job()).state is JobState.FAILED


FOREIGN = {
    "prompt of another installation": ("approve", "0123456789abcdef|" + "0" * 64),
    "question of another installation": ("answer:runs", "0123456789abcdef|" + "0" * 64),
    "rejection of another installation": ("reject", "0123456789abcdef|" + "0" * 64),
    "answer that there is not": ("answer:perhaps", "0123456789abcdef|" + "0" * 64),
    "training of another installation": ("cancel", "jzzzzzz"),
    "offer of another installation": ("offer_again", "jzzzzzz"),
    "place of another installation": ("use_dm", "jzzzzzz"),
    "command of another installation": ("start_another", "1234.5678.abcdef"),
    "reference to nobody": ("watch", "sestec|0|my-model"),
    "reference without an end": ("watch", "aitems|0|svcmovies01"),
    "nothing at all": ("approve", ""),
    "a button of a later version": ("share", "x"),
}


@pytest.mark.parametrize("case", FOREIGN)
async def test_a_foreign_button_is_answered_and_does_nothing(here: Lab, case: str) -> None:
    """A button that belongs to nothing that is kept here tells so; no click stays without an answer."""
    action, value = FOREIGN[case]
    before = await here.states()
    message = await here.person("bora").say("Look at this", "C0TRAIN001")
    foreign = with_button(message, action, value)
    said = shown(await here.press(foreign, "Press", "bora"))
    assert said
    assert "Something went wrong" not in said
    assert await here.states() == before


async def test_a_prompt_altered_on_the_way_is_asked_anew(tmp_path: Path) -> None:
    """A click is bound to what was shown: with another digest it does nothing, and a fresh prompt is asked."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        action = button(prompt, "Approve")
        [value] = [one["value"] for one in buttons_of(prompt) if one["action_id"] == action]
        forged = value.partition("|")[0] + "|" + "0" * 64
        blocks = [
            {**block, "elements": [{**one, "value": forged} for one in block["elements"]]}
            if block["type"] == "actions"
            else block
            for block in prompt.blocks or ()
        ]
        said = shown(await here.press(replace(prompt, blocks=tuple(blocks)), "Approve", "bora"))
        assert "has changed since" in said
        await here.changed(prompt, "Closed.")
        assert here.switches() == 0
        fresh = await here.prompt(lambda one: one.ts != prompt.ts)
        await here.press(fresh, "Approve", "bora")
        await here.reaches(JobState.LIVE)
