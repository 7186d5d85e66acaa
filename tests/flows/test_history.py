"""The history through Slack's door: pages and filters, a story of each training, and all of it as a file."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from bot.domain.audit import AuditKind
from bot.domain.exports import safe
from bot.domain.job_exports import COLUMNS
from bot.domain.jobs import JobState
from sandbox.slack.workspace import Ephemeral, Message
from tests.flows.lab import BORA, CHANNEL, Lab, buttons_of, lab, shown, until
from tests.flows.test_secrets import leaks, live_through_everything, secrets_of_services, secrets_of_slack
from tests.short import short

COMPLETE, UPLOAD_URL, INFO = "files.completeUploadExternal", "files.getUploadURLExternal", "files.info"
LOST = [(fault, method) for fault in ("drop_request", "drop_reply") for method in (UPLOAD_URL, "upload", COMPLETE)]
FAILS = "/train sestek {} en-US data=missing-text.jsonl"


def direct(here: Lab, who: str) -> list[Message]:
    """The messages in somebody's direct message with the bot that show a file."""
    return [one for one in here.world.slack.messages(here.person(who).dm().id) if one.files]


async def exported(here: Lab, who: str = "ada", count: int = 1) -> bytes:
    """The last of so many files that came into somebody's direct message."""
    await here.world.slack.wait_for(lambda: len(direct(here, who)) >= count, timeout=30, what="the export")
    await here.quiet()
    assert len(direct(here, who)) == count
    [file] = direct(here, who)[-1].files or ()
    data = here.world.slack.lab.files.get(file["id"]).data
    assert data is not None
    return data


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def objects_of(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.decode("utf-8").split("\n")[:-1]]


def left(here: Lab) -> list[Path]:
    """What lies in the folder of exports."""
    folder = here.bot.deps.files.export("any").parent
    return list(folder.iterdir())


def elements(message: Ephemeral | Message) -> list[dict[str, Any]]:
    """Every button, also those beside a line."""
    beside = [block["accessory"] for block in message.blocks or () if "accessory" in block]
    return [*buttons_of(message), *beside]


async def click(here: Lab, message: Ephemeral, action: str, who: str = "ada") -> Ephemeral:
    """Press the button of this id; the answer to it."""
    seen = {one.id for one in here.world.slack.ephemerals(who)}
    outcome = await here.person(who).click(message, action)
    assert outcome.ok, outcome
    return await here.world.slack.wait_for_ephemeral(who, lambda one: one.id not in seen, timeout=30)


async def decided(here: Lab) -> str:
    """A training that was rejected, offered again, approved and seen serving; its id."""
    await here.type("/train sony churn data=churn.csv")
    job = await here.reaches(JobState.OFFERED)
    await here.reject(await here.prompt(), "chie", "=Too few rows")
    await here.reaches(JobState.REJECTED)
    await here.press(await here.changed(here.cards()[0], "*rejected*"), "Offer again", "ada")
    await here.press(await here.prompt(), "Approve", "bora")
    await here.reaches(JobState.LIVE)
    return job.id


# -- pages and stories ------------------------------------------------------------------------------------------------


async def test_a_line_of_the_history_leads_to_its_story_and_back_to_other_scopes(tmp_path: Path) -> None:
    """Nobody has to know the words: each training has its story beside it, and whose trainings are shown is pressed."""
    async with lab(tmp_path) as here:
        await here.type(FAILS.format("mine"))
        await here.type(FAILS.format("theirs"), "bora", "C0ALARMS01")
        await here.all_ended()
        page = await here.ask("/jobs")
        assert (" mine " in shown(page), " theirs " in shown(page)) == (True, False)
        everything = await here.press(page, "Everybody's", "ada")
        assert (" mine " in shown(everything), " theirs " in shown(everything)) == (True, True)
        assert "`/jobs all` lists this." in shown(everything)
        own = await here.press(everything, "Mine", "ada")
        assert (" mine " in shown(own), " theirs " in shown(own)) == (True, False)
        job = await here.job(lambda one: one.request.model == "theirs")
        story = shown(await click(here, everything, f"story:{job.id}"))
        for part in (f"<@{BORA}>", f"`{job.id}`", "*failed*", "Took "):
            assert part in story
        none = await here.ask("/jobs mine", "dan")
        assert "No training fits" in shown(none)
        assert " theirs " in shown(await here.press(none, "Everybody's", "dan"))


async def test_a_story_tells_everything(tmp_path: Path) -> None:
    """Each move with its time, its person and its reason; data, questions, votes, digests, result, durations."""
    async with lab(tmp_path) as here:
        job_id = await decided(here)
        story = shown(await here.ask(f"/status {job_id}", "dan"))
        job = await here.job()
        assert job.plan is not None
        assert job.plan.payload is not None
        prompts = await here.bot.deps.store.prompts(job_id)
        assert len(prompts) == 2
        for part in (
            f"`churn.csv`, 240 rows in {job.plan.payload.columns} columns, {job.plan.payload.size:,} bytes",
            f"SHA-256 `{job.plan.payload.sha256}`",
            "Rejected by <@U0CHIE0001>. Reason: =Too few rows",
            "Approved by <@U0BORA0001>.",
            *(f"digest `{one.digest[:12]}`" for one in prompts),
            "1 of 1 approvals: <@U0BORA0001>",
            "The service said last: `job_finished`",
            "Live before the switch: version 1.0.0",
            "Result file: ",
            "Took ",
            "in all",
        ):
            assert part in story, part
        moves = await here.bot.deps.store.transitions(job_id)
        assert len(re.findall(r"^<!date\^[^>]+> \*", story, re.MULTILINE)) == len(moves)
        for move in moves:
            assert str(int(move.at.timestamp())) in story


@pytest.mark.proof
async def test_a_long_story_turns_its_pages(tmp_path: Path) -> None:
    """Offered, rejected and offered again many times over: how much more there is stands on a button."""
    async with lab(tmp_path) as here:
        await here.type("/train sony churn data=churn.csv")
        job = await here.reaches(JobState.OFFERED)
        for number in range(12):
            await here.reject(await here.asked("May the trained model go live?"), "chie", f"{number} {'because ' * 60}")
            await here.reaches(JobState.REJECTED)
            await here.press(await here.changed(here.cards()[0], "*rejected*"), "Offer again", "ada")
            await here.reaches(JobState.OFFERED)
        page = await here.ask(f"/status {job.id}")
        pages = [shown(page)]
        while more := [one for one in elements(page) if one["text"]["text"].endswith(" more")]:
            assert f"{more[0]['text']['text']} lines of this story" in shown(page)
            page = await click(here, page, more[0]["action_id"])
            pages.append(shown(page))
        assert len(pages) > 1
        assert all("did not fit" not in one for one in pages)
        told = sum(len(re.findall(r"^<!date\^[^>]+> \*", one, re.MULTILINE)) for one in pages)
        assert told == len(await here.bot.deps.store.transitions(job.id))
        assert shown(await here.press(page, "Back", "ada")) == pages[-2]


async def test_of_another_workspace_nothing_is_listed_told_or_exported(tmp_path: Path) -> None:
    """In an organisation, a workspace's history is its own: the list, the story and the file agree."""
    async with lab(tmp_path) as here:
        await here.type(FAILS.format("ours"))
        job = await here.reaches(JobState.FAILED)
        await here.bot.deps.store._write(  # type: ignore[attr-defined]  # as if it had been asked for elsewhere
            lambda db: db.execute("UPDATE jobs SET team = 'T0OTHER'")
        )
        assert job.id not in shown(await here.ask("/jobs all"))
        assert "nothing to export" in await here.type("/jobs all export=csv")


# -- files ------------------------------------------------------------------------------------------------------------


async def test_the_export_holds_all_that_fits_and_not_only_the_page(tmp_path: Path) -> None:
    """Pressed below a page of ten, it brings every training of the filter, newest first, and none besides."""
    async with lab(tmp_path) as here:
        for number in range(23):
            await here.type(FAILS.format(f"m-{number:02}"))
        await here.type("/train deepopinion 1 reviews-2026")
        await here.all_ended()
        page = await here.ask("/jobs sestek all")
        assert "comes as a file" in shown(await here.press(page, "Export CSV", "ada"))
        rows = rows_of(await exported(here))
        assert [row["model"] for row in rows] == [f"m-{number:02}" for number in range(22, -1, -1)]
        assert tuple(rows[0]) == COLUMNS
        assert {row["state"] for row in rows} == {"failed"}
        assert "23 trainings, newest first, as CSV" in direct(here, "ada")[0].text


@pytest.mark.proof
async def test_both_forms_tell_who_decided_what(tmp_path: Path) -> None:
    """CSV: the last decision, and no cell that calculates. JSON lines: every move and every decision, word for word."""
    async with lab(tmp_path) as here:
        job_id = await decided(here)
        await here.type("/jobs all export=csv")
        [row] = rows_of(await exported(here))
        await here.type("/jobs all export=jsonl")
        [told] = objects_of(await exported(here, count=2))
        moves = await here.bot.deps.store.transitions(job_id)
        job = await here.job()
        assert job.plan is not None
        assert job.plan.payload is not None
        assert (row["job"], row["state"], row["data_sha256"]) == (job_id, "live", job.plan.payload.sha256)
        assert (row["decision"], row["decided_by"], row["decisions"]) == ("approve", BORA, "2")
        assert (row["moves"], row["data_rows"]) == (str(len(moves)), "240")
        assert float(row["seconds_total"]) >= float(row["seconds_training"]) >= 0
        assert [one["new"] for one in told["moves"]] == [move.new.value for move in moves]
        assert [one["at"] for one in told["moves"]] == [move.at.isoformat(timespec="milliseconds") for move in moves]
        assert [(one["answer"], one["reason"]) for one in told["decisions"]] == [
            ("reject", "=Too few rows"),
            ("approve", ""),
        ]
        assert told["decisions"][1]["votes"][0]["by"] == BORA
        assert told["data"]["sha256"] == job.plan.payload.sha256
        assert all(not cell or cell == safe(cell) or re.fullmatch(r"-?[\d.]+", cell) for cell in row.values())


@pytest.mark.parametrize(
    "asked_in", short(["a channel", "their direct message", "a direct message of two people"], "a channel")
)
async def test_the_file_comes_into_the_askers_direct_message_alone(tmp_path: Path, asked_in: str) -> None:
    """What all of a team did is nothing for a channel: whoever asks gets it where only they and the bot are."""
    async with lab(tmp_path) as here:
        await here.type(FAILS.format("m"))
        await here.all_ended()
        places = {"a channel": CHANNEL, "their direct message": here.person("bora").dm().id}
        place = places.get(asked_in) or here.person("bora").dm("dan").id
        await here.type("/jobs all export=csv", "bora", place)
        assert len(rows_of(await exported(here, "bora"))) == 1
        own = here.person("bora").dm().id
        everywhere = {one.channel for found in here.world.slack.workspace.messages.values() for one in found.values()}
        assert {place for place in everywhere if any(one.files for one in here.world.slack.messages(place))} == {own}


async def test_an_export_is_on_record_before_it_leaves(tmp_path: Path) -> None:
    """Who took out what, of which filter, how much of it and in which form: also where it never arrives."""
    async with lab(tmp_path) as here:
        here.refusals |= {"file_uploads_disabled"}
        await here.type(FAILS.format("m"))
        await here.all_ended()
        await here.world.slack.switch("fail", {"method": UPLOAD_URL, "error": "file_uploads_disabled"})
        await here.type("/jobs all sestek failed m export=jsonl", "bora")

        async def is_told() -> bool:
            told = here.world.slack.messages(here.person("bora").dm().id)
            return any("the workspace allows no files" in one.text for one in told)

        await until(is_told)
        [entry] = [one for one in await here.bot.deps.store.entries(limit=1000) if one.kind == AuditKind.EXPORT]
        facts = entry.told()
        assert (entry.user, facts["what"], facts["to"]) == (BORA, "jobs", "direct message")
        assert (facts["rows"], facts["format"]) == (1, "jsonl")
        assert {key: facts["filter"][key] for key in ("provider", "states", "text")} == {
            "provider": "sestek",
            "states": ["failed"],
            "text": "m",
        }
        assert re.fullmatch(r"[0-9a-f]{64}", facts["sha256"])
        assert direct(here, "bora") == []
        assert left(here) == []


@pytest.mark.parametrize(("fault", "method"), short(LOST, ("drop_reply", COMPLETE)))
async def test_a_lost_request_or_answer_at_any_step_exports_once(tmp_path: Path, method: str, fault: str) -> None:
    """Nobody sees the file before its completion; a completion of unclear fate is looked up, not repeated."""
    async with lab(tmp_path) as here:
        await here.type(FAILS.format("m"))
        await here.all_ended()
        await here.world.slack.switch(fault, {"method": method})
        await here.type("/jobs export=csv")
        await exported(here)
        assert [call for call in here.world.slack.calls_of(method) if call.dropped]
        records = [one for one in await here.bot.deps.store.entries(limit=1000) if one.kind == AuditKind.EXPORT]
        assert len(records) == 1
        assert left(here) == []
        if (method, fault) == (COMPLETE, "drop_reply"):
            assert len(here.world.slack.calls_of(COMPLETE)) == 1


async def test_an_export_survives_the_end_of_the_bot(tmp_path: Path) -> None:
    """Ended before it knew what became of the completion, it looks, removes the file, and shares nothing twice."""
    async with lab(tmp_path) as here:
        await here.type(FAILS.format("m"))
        await here.all_ended()
        await here.world.slack.switch("drop_reply", {"method": COMPLETE})
        await here.world.slack.switch("rate_limited", {"method": INFO, "retry_after": 600})
        await here.type("/jobs export=csv")
        await here.world.slack.wait_for(lambda: direct(here, "ada"), timeout=30, what="the export")
        await here.world.slack.wait_for(lambda: here.world.slack.calls_of(INFO), timeout=30, what="the look")
        assert len(left(here)) == 1
        await here.restart()
        here.time.advance(minutes=11)
        await exported(here)
        assert len(here.world.slack.calls_of(COMPLETE)) == 1
        assert left(here) == []


@pytest.mark.proof
async def test_a_file_that_slack_forgot_is_made_of_what_lies_there(tmp_path: Path) -> None:
    """Uploaded, and no longer known when it is to be shown: it is sent anew, not written and not recorded anew."""
    async with lab(tmp_path) as here:
        await here.type(FAILS.format("m"))
        await here.all_ended()
        await here.world.slack.switch("rate_limited", {"method": COMPLETE, "retry_after": 1})
        await here.type("/jobs export=csv")
        await here.world.slack.wait_for(lambda: here.world.slack.calls_of(COMPLETE), timeout=30, what="a refusal")
        await here.world.slack.switch("fail", {"method": COMPLETE, "error": "file_not_found"})
        here.time.advance(seconds=2)
        await here.world.slack.wait_for(
            lambda: len(here.world.slack.calls_of(COMPLETE)) > 1, timeout=30, what="one more"
        )
        here.time.advance(seconds=2)
        await exported(here)
        assert len(here.world.slack.calls_of("upload")) == 2
        assert len([one for one in await here.bot.deps.store.entries(limit=1000) if one.kind == "export"]) == 1
        assert left(here) == []


async def test_a_history_that_cannot_be_read_is_said_and_not_tried_for_ever(tmp_path: Path) -> None:
    """A damaged row: whoever asked reads which one it is, instead of waiting for a file that lacks it."""
    async with lab(tmp_path) as here:
        for model in ("good", "bad"):
            await here.type(FAILS.format(model))
        await here.all_ended()
        bad = await here.job(lambda one: one.request.model == "bad")
        await here.bot.deps.store._write(lambda db: _damage(db, bad.id))  # type: ignore[attr-defined]  # a failing disk
        await here.type("/jobs good export=csv")
        assert len(rows_of(await exported(here))) == 1
        await here.type("/jobs export=csv")

        async def is_told() -> bool:
            told = here.world.slack.messages(here.person("ada").dm().id)
            return any("Prompt p cannot be read" in one.text and "Nothing was shared" in one.text for one in told)

        await until(is_told)
        await here.quiet()
        assert len(direct(here, "ada")) == 1
        assert left(here) == []


def _damage(db: Any, job_id: str) -> None:
    """A question about the training whose cell holds half of what was written."""
    db.execute(
        "INSERT INTO prompts (id, job_id, outcome, asked_at, prompt) VALUES ('p', ?, 'answered', 1, '{')", (job_id,)
    )


async def test_the_same_delivery_and_the_same_person_ask_only_so_often(tmp_path: Path) -> None:
    """A command that Slack brings twice exports once; exports count among a person's commands of a minute."""
    async with lab(tmp_path, SWITCHYARD_LIMITS__COMMANDS_PER_MINUTE="3") as here:
        await here.type(FAILS.format("m"))
        await here.all_ended()
        assert "comes as a file" in await here.type("/jobs export=csv")
        delivery = [one for one in here.world.slack.deliveries if one.type == "slash_commands"][-1]
        again = await here.world.slack.courier.deliver("slash_commands", delivery.payload, accepts_response=True)
        assert "comes as a file" in again.payload["text"]
        await exported(here)
        assert "comes as a file" in await here.type("/jobs export=jsonl")
        assert "3 commands a minute" in await here.type("/jobs export=jsonl")
        await exported(here, count=2)


async def test_words_of_an_export_that_nobody_knows_are_explained(tmp_path: Path) -> None:
    """The way out is in the answer, and help names it."""
    async with lab(tmp_path) as here:
        assert "write `export=csv` or `export=jsonl`" in await here.type("/jobs export=xlsx")
        assert "given twice" in await here.type("/jobs export=csv export=csv")
        assert "nothing to export" in await here.type("/jobs all export=csv")
        assert "`export=csv` or `export=jsonl` after `/jobs`" in await here.type("/jobs exprt=csv")
        assert "`export=jsonl`" in shown(await here.ask("/train help"))
        assert await here.rows("SELECT 1 FROM notices WHERE kind = 'export'") == []


async def test_what_is_typed_while_it_is_written_is_answered(tmp_path: Path) -> None:
    """The command only leaves a wish: two thousand trainings are written beside whatever else is asked."""
    async with lab(tmp_path) as here:
        await here.type(FAILS.format("first"))
        await here.all_ended()
        await here.bot.deps.store._write(many_more)  # type: ignore[attr-defined]  # far more than can be typed
        here.world.slack.calls.clear()
        assert "comes as a file" in await here.type("/jobs all export=jsonl")
        answers = await asyncio.gather(*(here.type("/train help") for _ in range(10)))
        assert all("What can be trained here" in one for one in answers)
        found = objects_of(await exported(here))
        assert len(found) == len({one["job"] for one in found}) == 2001


def many_more(db: Any) -> None:
    """Two thousand copies of the one training, a second apart."""
    columns = [row[1] for row in db.execute("PRAGMA table_info(jobs)").fetchall()]
    copied = ", ".join({"id": "'c' || n", "created_at": "created_at - 1000 * n"}.get(one, one) for one in columns)
    numbers = "WITH RECURSIVE count (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 2000)"
    db.execute(f"{numbers} INSERT INTO jobs ({', '.join(columns)}) SELECT {copied} FROM jobs, count")


async def test_no_secret_is_in_an_export(tmp_path: Path) -> None:
    """After all five services and failures of every kind, neither form holds a key, a token or a signed address."""
    async with lab(tmp_path, training_seconds=0.6) as here:
        await live_through_everything(here)
        await here.type("/jobs all export=csv")
        table = (await exported(here)).decode()
        await here.type("/jobs all export=jsonl")
        objects = (await exported(here, count=2)).decode()
        canaries = secrets_of_services(here) | secrets_of_slack(here)
        assert len(canaries) > 25
        for text in (table, objects):
            assert "mdl-sentiment" in text
            assert leaks(text, canaries) == []


def test_no_column_is_named_twice() -> None:
    """Scripts go by the names."""
    assert len(set(COLUMNS)) == len(COLUMNS)
