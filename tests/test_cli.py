"""The command line, run as people run it: processes, their words and their exit codes."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import cli
from bot.domain.job_exports import Form
from bot.domain.jobs import JobState
from bot.errors import StoreError
from bot.history import export_jobs
from bot.settings import load
from storage.migrations import migrations
from storage.sqlite import connect
from tests.flows.lab import lab, until

OURS = ("SLACK_", "SWITCHYARD_")


def switchyard(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in an empty folder, with nothing of this machine's configuration."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *words],
        cwd=folder,
        env=clean(environ),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    root = str(Path(__file__).parents[1])
    kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    return {**kept, "PYTHONPATH": root, **environ}


@pytest.mark.proof
def test_a_database_of_an_earlier_version_is_a_sentence(tmp_path: Path) -> None:
    """The shell reads only, so it cannot bring a database up to date; it says who does."""
    db = connect(tmp_path / "switchyard.db")
    migrations.apply(db, stop_before="m002_words_to_search")
    db.close()
    for words in (("jobs", "churn"), ("status", "j234567"), ("doctor",)):
        ran = switchyard(tmp_path, *words)
        assert ran.returncode == 1
        assert "it is brought up to date when the bot starts." in ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr


@pytest.mark.proof
def test_the_history_without_a_database_is_a_sentence(tmp_path: Path) -> None:
    """No traceback, and no empty database left behind by somebody who only looked."""
    for words in (("jobs",), ("status", "j234567")):
        ran = switchyard(tmp_path, *words)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert "no database" in ran.stderr
        assert "Traceback" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_running_without_tokens_names_every_one_that_lacks(tmp_path: Path) -> None:
    """All problems come at once, each with the place where its value is found."""
    ran = switchyard(tmp_path, "run")
    assert ran.returncode == 2
    assert "SLACK_BOT_TOKEN" in ran.stderr
    assert "SLACK_SIGNING_SECRET" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.proof
def test_the_manifest_and_its_twin_are_printed(tmp_path: Path) -> None:
    """The manifest is for Socket Mode, its twin sends everything to one https address."""
    assert "socket_mode_enabled: true" in switchyard(tmp_path, "manifest").stdout
    twin = switchyard(tmp_path, "manifest", "--http", "https://bot.example.com").stdout
    assert "https://bot.example.com/slack/events" in twin
    refused = switchyard(tmp_path, "manifest", "--http", "http://bot.example.com")
    assert refused.returncode == 1
    assert "https://" in refused.stderr


def test_the_doctor_says_what_lacks_and_ends_badly(tmp_path: Path) -> None:
    """Everything is looked at, what lacks is named, and a script can tell by the exit code."""
    ran = switchyard(tmp_path, "doctor")
    assert ran.returncode == 1
    for part in ("configuration", "data folder", "approvers", "database", "SQLite", "sestek", "sony", "Slack"):
        assert part in ran.stdout


@pytest.mark.proof
def test_the_doctor_reads_the_policy_file(tmp_path: Path) -> None:
    """A mistake in it is told with its line, before a bot refuses to start because of it."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rule]]\nname = "two"\naprove = ["U0BORA0001"]\n', "utf-8")
    broken = switchyard(tmp_path, "doctor", SWITCHYARD_APPROVALS__POLICY=str(policy))
    assert "PROBLEM  policy:" in broken.stdout
    assert "line 3" in broken.stdout
    policy.write_text('[[rule]]\nname = "two"\napprove = ["U0BORA0001"]\n', "utf-8")
    read = switchyard(tmp_path, "doctor", SWITCHYARD_APPROVALS__POLICY=str(policy))
    assert "ok       policy: policy.toml: 1 rules" in read.stdout
    assert "ok       approvers:" in read.stdout


async def test_the_shell_reads_beside_a_running_bot_and_a_second_bot_is_refused(tmp_path: Path) -> None:
    """Only a second process that writes is refused; reading the history disturbs nobody."""
    async with lab(tmp_path) as here:
        await here.type("/train deepopinion 1 reviews-2026")
        job = await here.reaches(JobState.DONE)
        listed = await asyncio.to_thread(switchyard, tmp_path, "jobs", "--json", **here.environ)
        assert json.loads(listed.stdout)["id"] == job.id
        story = await asyncio.to_thread(switchyard, tmp_path, "status", job.id, **here.environ)
        assert "trained" in story.stdout
        healthy = await asyncio.to_thread(switchyard, tmp_path, "doctor", **here.environ)
        assert (healthy.returncode, "PROBLEM" in healthy.stdout) == (0, False), healthy.stdout
        second = await asyncio.to_thread(switchyard, tmp_path, "run", **here.environ)
        assert second.returncode == 1
        assert f"process {os.getpid()}" in second.stderr


@pytest.mark.proof
async def test_the_history_is_exported_beside_a_running_bot(tmp_path: Path) -> None:
    """All that fits, whatever the limit of lists is: as CSV, as JSON lines, on the standard output; each on record."""
    async with lab(tmp_path) as here:
        for number in range(3):
            await here.type(f"/train sestek m-{number} en-US data=missing-text.jsonl")
        await here.type("/train deepopinion 1 reviews-2026")
        await here.all_ended()
        work = tmp_path / "work"
        work.mkdir()

        async def ran(*words: str) -> subprocess.CompletedProcess[str]:
            return await asyncio.to_thread(switchyard, work, "jobs", *words, **here.environ)

        async def exported(name: str, *, may_replace: bool = False) -> str:
            settings, target = load(here.environ), work / name
            return await asyncio.to_thread(export_jobs, settings, (), target, Form.JSONL, may_replace=may_replace)

        assert (await ran("sestek", "--limit", "1", "--export", "jobs.csv")).stderr == "3 trainings exported.\n"
        with (work / "jobs.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["model"] for row in rows] == ["m-2", "m-1", "m-0"]
        assert (work / "jobs.csv").stat().st_mode & 0o077 == 0
        with pytest.raises(StoreError, match="exists already"):
            await exported("jobs.csv")
        with pytest.raises(StoreError, match="cannot be written"):
            await exported("nowhere/jobs.csv")
        assert await exported("jobs.csv", may_replace=True) == "4 trainings exported."
        lines = [json.loads(line) for line in (work / "jobs.csv").read_text("utf-8").splitlines()]
        assert [one["model"] for one in lines] == ["reviews-2026", "m-2", "m-1", "m-0"]
        printed = await ran("done", "--format", "jsonl", "--export", "-")
        assert [json.loads(line)["model"] for line in printed.stdout.splitlines()] == ["reviews-2026"]
        assert sorted(path.name for path in work.iterdir()) == ["jobs.csv"]

        async def are_recorded() -> bool:
            return len([one for one in await here.bot.deps.store.entries(limit=1000) if one.kind == "export"]) == 3

        await until(are_recorded)
        told = [one.told() for one in await here.bot.deps.store.entries(limit=1000) if one.kind == "export"]
        assert [(one["what"], one["to"], one["format"], one["rows"]) for one in told] == [
            ("jobs", "jobs.csv", "csv", 3),
            ("jobs", "jobs.csv", "jsonl", 4),
            ("jobs", "standard output", "jsonl", 1),
        ]
        assert told[0]["filter"] == {"provider": "sestek"}
        assert told[0]["by"]


def test_options_of_an_export_alone_are_refused() -> None:
    """Whoever forgets the file is told so, and gets no list that looks like an answer."""
    for words in (("--format", "csv"), ("--force",)):
        ran = CliRunner().invoke(cli, ["jobs", *words])
        assert ran.exit_code == 2
        assert "belong to --export FILE" in ran.output


async def test_the_sandbox_greets_answers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """One command starts the world and the bot; it says where the page is; Ctrl-C ends both."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "sandbox", "--port", "0"),
        cwd=tmp_path,
        env=clean({"TMPDIR": str(tmp_path)}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(30):
        greeting = [await process.stdout.readline() for _ in range(6)]
        said = await process.stderr.readline()
        while said and b"is running" not in said:
            said = await process.stderr.readline()
    assert said, "the bot ended before it ran"
    assert b"http://127.0.0.1:" in b"".join(greeting)
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []
