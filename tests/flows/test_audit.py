"""What an auditor finds afterwards: each act with its row, the refused ones too, and the anchors in their channel."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from bot import audit_log, backup
from bot.domain.audit import Anchor, Entry
from bot.domain.audit_check import Report
from bot.domain.jobs import JobState
from bot.errors import ConfigurationError, MessengerError, StoreError, UsageError
from bot.settings import load
from sandbox.slack.workspace import Message
from storage.audit import inbox, verify_log
from storage.backup import alone
from tests.flows.lab import ADA, BORA, CHIE, DAN, Lab, lab, shown, until
from tests.test_cli import switchyard

SWITCH = "May the trained model go live?"
ANCHORS = "C0ALARMS01"
SECRETS = ("TOKEN", "KEY", "SECRET")
AT_THE_SERVICE = {"runs", "waits at the service"}
"""How often a look catches the training at these is chance."""


async def log_of(here: Lab, *kinds: str) -> list[Entry]:
    """All rows, or those of these kinds."""
    return [one for one in await here.bot.deps.store.entries(0, 1000) if not kinds or one.kind in kinds]


async def deeds(here: Lab) -> list[tuple[str, str, str]]:
    """Kind, person and deed of each row of a training."""
    rows = [(one.kind, one.user, _deed(one.told())) for one in await log_of(here) if one.job_id]
    return [row for row in rows if row[2] not in AT_THE_SERVICE]


def _deed(facts: Any) -> str:
    return str(facts.get("answer") or facts.get("event") or facts.get("step") or facts.get("subject") or "")


async def offered(here: Lab) -> Message:
    await here.type("/train sony churn")
    job = await here.job(lambda one: one.state is JobState.OFFERED)
    return await here.asked(SWITCH, job.id)


def verified(here: Lab, *anchors: Anchor) -> Report:
    return audit_log.verify(load(here.environ), anchors)


async def anchors_in(here: Lab, count: int) -> list[str]:
    """The anchors in their channel, as soon as there are so many."""
    texts: list[str] = []

    async def are_there() -> bool:
        texts[:] = [one.text for one in here.world.slack.messages(ANCHORS) if one.text.startswith("Audit anchor")]
        return len(texts) >= count

    await until(are_there)
    return texts


# -- what is recorded -------------------------------------------------------------------------------------------------


async def test_a_switch_leaves_exactly_the_rows_that_an_auditor_expects(tmp_path: Path) -> None:
    """From the wish to the model that serves: who asked, who was refused, who decided, and what was sent."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        assert "somebody else has to decide" in shown(await here.press(prompt, "Approve", "ada"))
        await here.press(prompt, "Approve", "bora")
        job = await here.reaches(JobState.LIVE)
        assert await deeds(here) == [
            ("move", ADA, ""),
            ("move", "", "passes"),
            ("start", "", "starts"),
            ("move", "", "is accepted"),
            ("move", "", "is trained, offered"),
            ("asked", "", "promote"),
            ("denied", ADA, "approve"),
            ("decided", BORA, "approve"),
            ("move", BORA, "is to be switched"),
            ("switch", "", "about to be sent"),
            ("switch", "", "accepted"),
            ("move", "", "is seen serving"),
        ]
        assert {one.job_id for one in await log_of(here) if one.job_id} == {job.id}
        [start], [decided] = await log_of(here, "start"), await log_of(here, "decided")
        kept = await here.bot.deps.store.prompt(decided.prompt_id)
        assert kept is not None
        assert decided.told()["digest"] == kept.digest
        assert job.plan is not None
        assert job.plan.payload is not None
        assert (start.told()["plan"], start.told()["data"]) == (job.plan.digest(), job.plan.payload.sha256)
        assert verified(here).is_sound


async def test_a_rejection_stands_with_its_reason_and_each_refusal_with_its_sentence(tmp_path: Path) -> None:
    """Also who only opened the form, and who wanted to cancel what is not theirs."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        await here.person("ada").click(prompt, "reject")
        await here.told("ada", "somebody else has to decide")
        assert (await here.reject(prompt, "chie", "Precision fell")).ok
        await here.reaches(JobState.REJECTED)
        [denied], [decided] = await log_of(here, "denied"), await log_of(here, "decided")
        assert (denied.user, denied.prompt_id) == (ADA, decided.prompt_id)
        assert "somebody else has to decide" in denied.told()["why"]
        facts = decided.told()
        assert (decided.user, facts["answer"], facts["reason"]) == (CHIE, "reject", "Precision fell")
        card = await here.changed(here.cards()[0], "Precision fell")
        await here.press(card, "Offer again", "dan")
        [_, other] = await log_of(here, "denied")
        assert (other.user, other.told()["act"]) == (DAN, "promote")
        assert verified(here).is_sound


@pytest.mark.proof
async def test_a_click_on_what_has_changed_is_recorded_as_refused(tmp_path: Path) -> None:
    """With both digests: what was pressed, and what would have been shown."""
    async with lab(tmp_path) as here:
        prompt = await offered(here)
        await here.restart(SWITCHYARD_APPROVALS__APPROVERS=json.dumps([BORA, CHIE, "U0NEW00001"]))
        assert "has changed since" in shown(await here.press(prompt, "Approve", "bora"))
        [denied] = await log_of(here, "denied")
        assert denied.user == BORA
        assert denied.told()["pressed"] == denied.told()["digest"]
        assert [(one.kind, one.prompt_id) for one in await log_of(here, "closed")] == [("closed", denied.prompt_id)]
        assert verified(here).is_sound


async def test_the_rules_in_force_are_recorded_when_they_differ(tmp_path: Path) -> None:
    """Another configuration between two runs is seen; the same one once."""
    async with lab(tmp_path) as here:
        await here.restart()
        assert len(await log_of(here, "policy")) == 1
        await here.restart(SWITCHYARD_APPROVALS__APPROVERS=json.dumps([BORA]))
        first, second = await log_of(here, "policy")
        assert CHIE in first.facts
        assert CHIE not in second.facts
        assert first.told()["rules_digest"] != second.told()["rules_digest"]


async def test_no_row_holds_a_secret(tmp_path: Path) -> None:
    """Neither a token, nor a key of a service, nor an address for answers."""
    async with lab(tmp_path) as here:
        await here.press(await offered(here), "Approve", "bora")
        await here.reaches(JobState.LIVE)
        written = "\n".join(one.facts for one in await log_of(here))
        known = [
            value for key, value in here.environ.items() if any(word in key for word in ("TOKEN", "KEY", "SECRET"))
        ]
        assert known
        assert not [value for value in (*known, "hooks", "response_url", "trigger") if value in written]


# -- taking out -------------------------------------------------------------------------------------------------------


@pytest.mark.proof
async def test_exports_beside_a_running_bot_are_recorded(tmp_path: Path) -> None:
    """The bot holds the database; who takes data out leaves word, and the bot writes it down."""
    async with lab(tmp_path) as here:
        settings = load(here.environ)
        target, copy = tmp_path / "log.jsonl", tmp_path / "backup.tar"
        ran = await asyncio.to_thread(switchyard, tmp_path, "audit", "export", str(target), **here.environ)
        assert ran.returncode == 0, ran.stderr
        await asyncio.to_thread(backup.back_up, settings, copy, may_replace=False)
        here.bot.poller.nudge("audit")

        async def are_known() -> bool:
            return len(await log_of(here, "export")) == 2

        await until(are_known)
        told = [one.told() for one in await log_of(here, "export")]
        assert [(one["what"], one["to"]) for one in told] == [("audit log", "log.jsonl"), ("backup", "backup.tar")]
        assert all(one["by"] for one in told)
        assert list(inbox(settings.database_path).iterdir()) == []
        assert verified(here).is_sound


@pytest.mark.proof
async def test_each_line_of_an_export_can_be_verified_by_itself(tmp_path: Path) -> None:
    """As the page says: the hash is calculated from the line alone."""

    def text(value: Any) -> str:
        return json.dumps(value, sort_keys=True, separators=(",", ":"))

    async with lab(tmp_path) as here:
        await here.press(await offered(here), "Approve", "bora")
        await here.reaches(JobState.LIVE)
        target = tmp_path / "log.jsonl"
        export(here, target)
        rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
        previous = "0" * 64
        for row in rows:
            cells = [row[name] for name in ("seq", "at", "kind", "team", "user", "job_id", "prompt_id")]
            hashed = hashlib.sha256(text([1, *cells, text(row["facts"]), row["previous"]]).encode()).hexdigest()
            assert (row["hash"], row["previous"]) == (hashed, previous)
            previous = row["hash"]
        assert len(rows) == len(await log_of(here))


def export(here: Lab, target: Path, **options: Any) -> int:
    return audit_log.export(
        load(here.environ), target, **{"since": None, "as_csv": False, "may_replace": False, **options}
    )


async def test_a_table_holds_what_people_typed_and_no_formula(tmp_path: Path) -> None:
    """A reason that would be calculated in a spreadsheet stands in the facts, which are a text."""
    async with lab(tmp_path) as here:
        await here.reject(await offered(here), "chie", '=HYPERLINK("https://evil.example","open")')
        await here.reaches(JobState.REJECTED)
        target = tmp_path / "log.csv"
        count = export(here, target, as_csv=True)
        with target.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert count == len(rows) + 1
        assert [row["kind"] for row in rows if "HYPERLINK" in row["facts"]]
        assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
        assert target.stat().st_mode & 0o077 == 0


async def test_an_export_replaces_nothing_by_mistake_and_begins_where_it_is_told(tmp_path: Path) -> None:
    """A file that exists stays, and no word of an export is left for one that was not made."""
    async with lab(tmp_path) as here:
        target = tmp_path / "log.jsonl"
        target.write_text("mine")
        with pytest.raises(StoreError, match="--force"):
            export(here, target)
        assert target.read_text() == "mine"
        with pytest.raises(StoreError, match="no ordinary file"):
            export(here, Path(os.devnull), may_replace=True)
        assert not inbox(load(here.environ).database_path).exists()
        here.later(hours=1)
        assert export(here, target, since=here.time.now(), may_replace=True) == 0
        assert target.read_text() == ""


# -- anchors ----------------------------------------------------------------------------------------------------------


async def test_anchors_are_posted_once_each_and_name_the_one_before(tmp_path: Path) -> None:
    """The first at once, the next after its time and only for new rows; a restart doubles none."""
    async with lab(tmp_path, SWITCHYARD_AUDIT__CHANNEL=ANCHORS) as here:
        [first] = await anchors_in(here, 1)
        assert first.endswith("it is the first one.")
        await here.restart()
        here.later(hours=25)
        await here.type("/train deepopinion 1 reviews-2026")
        await here.reaches(JobState.DONE)
        await anchors_in(here, 2)
        await here.restart()
        await here.quiet()
        second = (await anchors_in(here, 2))[1:]
        assert len(second) == 1
        posted = first.removeprefix("Audit anchor: ").partition(";")[0]
        assert second[0].endswith(f"the last one was {posted}.")


@pytest.mark.proof
async def test_many_rows_are_anchored_before_the_time_is_over(tmp_path: Path) -> None:
    """So that not too much is covered by nothing."""
    async with lab(tmp_path, SWITCHYARD_AUDIT__CHANNEL=ANCHORS, SWITCHYARD_AUDIT__ANCHOR_ROWS="3") as here:
        await here.type("/train deepopinion 1 reviews-2026")
        await here.reaches(JobState.DONE)
        assert len(await anchors_in(here, 2)) >= 2


async def test_a_rewritten_database_does_not_fit_the_channel(tmp_path: Path) -> None:
    """Who owns the file and knows the seal is found by what stands in Slack, and by what the auditor noted."""
    async with lab(tmp_path, SWITCHYARD_AUDIT__CHANNEL=ANCHORS) as here:
        await anchors_in(here, 1)
        await here.quiet()
        settings = load(here.environ)
        posted = await audit_log.posted_anchors(settings)
        report = audit_log.verify(settings, posted)
        assert (report.is_sound, report.outside) == (True, posted[0].seq)
        other = f"{posted[0].seq}:{'ab' * 32}"
        report = audit_log.verify(settings, [audit_log.parse_anchor(other)])
        assert [finding.seq for finding in report.findings] == [posted[0].seq]


@pytest.mark.proof
async def test_the_shell_compares_the_log_with_the_channel(tmp_path: Path) -> None:
    """The same, as an auditor types it: damage is told to scripts, and ends them badly."""
    async with lab(tmp_path, SWITCHYARD_AUDIT__CHANNEL=ANCHORS) as here:
        await anchors_in(here, 1)
        await here.quiet()
        posted = await audit_log.posted_anchors(load(here.environ))
        other = f"{posted[0].seq}:{'ab' * 32}"
        words = ("audit", "verify", "--slack", "--json", "--anchor", other)
        ran = await asyncio.to_thread(switchyard, tmp_path, *words, **here.environ)
        assert ran.returncode == 1
        said = json.loads(ran.stdout)
        assert (said["sound"], said["findings"][0]["damage"]) == (False, "anchor")
        ran = await asyncio.to_thread(switchyard, tmp_path, "audit", "verify", "--slack", **here.environ)
        assert (ran.returncode, "is sound" in ran.stdout) == (0, True), ran.stdout


async def test_anchors_that_only_somebody_else_wrote_are_no_anchors(tmp_path: Path) -> None:
    """Whoever is in the channel can write such a line; only the bot's own count."""
    async with lab(tmp_path, SWITCHYARD_AUDIT__CHANNEL=ANCHORS) as here:
        [text] = await anchors_in(here, 1)
        await here.person("bora").say(text.replace("row 2", "row 1"), ANCHORS)
        await here.quiet()
        assert len(await audit_log.posted_anchors(load(here.environ))) == 1


async def test_without_a_channel_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    """Said with the name of the setting; what is no anchor is said too."""
    async with lab(tmp_path) as here:
        with pytest.raises(ConfigurationError, match="SWITCHYARD_AUDIT__CHANNEL"):
            await audit_log.posted_anchors(load(here.environ))
    for text in ("", "12", "12:abc", "x:" + "0" * 64):
        with pytest.raises(UsageError, match="SEQ:HASH"):
            audit_log.parse_anchor(text)


async def test_a_channel_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    """With Slack's word for it."""
    async with lab(tmp_path, SWITCHYARD_AUDIT__CHANNEL="C0NOWHERE1") as here:
        with pytest.raises(MessengerError, match="channel_not_found"):
            await audit_log.posted_anchors(load(here.environ))


async def test_a_backup_keeps_the_log_and_a_restore_says_what_it_took_back(tmp_path: Path) -> None:
    """The chain goes on after the restore; anchors of rows that are gone are named and no damage."""
    async with lab(tmp_path, SWITCHYARD_AUDIT__CHANNEL=ANCHORS, SWITCHYARD_AUDIT__ANCHOR_ROWS="2") as here:
        settings, copy = load(here.environ), tmp_path / "backup.tar"
        await anchors_in(here, 1)
        await asyncio.to_thread(backup.back_up, settings, copy, may_replace=False, now=here.time.now)
        await here.type("/train deepopinion 1 reviews-2026")
        await here.reaches(JobState.DONE)
        await anchors_in(here, 2)
        await here.quiet()
        await here.stop()
        async with alone(settings.database_path):
            pass
        await backup.restore(settings, copy, now=here.time.now)
        posted = await audit_log.posted_anchors(settings)
        report = verify_log(settings.database_path, posted)
        assert report.findings == ()
        assert len(report.notes) == 2
        assert "left out" in report.notes[1]
        await here.start()
        assert verified(here).is_sound
