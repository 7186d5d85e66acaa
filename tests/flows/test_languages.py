"""Who reads what in which language: channels as configured, people as their own Slack."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.domain.jobs import JobState
from bot.languages import language_called
from bot.sentences import Sentence, speak, speaking
from tests.flows.lab import CHIE, Lab, data_folder, lab, shown, until

BROKEN = "this is no JSON\n"
YES = "承認"
KANA = re.compile(r"[\u3040-\u30ff]|\\u30[4-9a-f]")
"""What hardly a sentence in Japanese does without, as it is or as JSON escapes it; nobody else says it here."""


def said(text: str, code: str) -> str:
    """The same sentence in another language."""
    with speaking(language_called(code)):
        told = speak(text)
    assert isinstance(text, Sentence)
    assert told != str(text)
    return told


async def reads_japanese(world: Lab) -> bool:
    person = await world.bot.deps.store.person(CHIE)
    return person is not None and person.locale == "ja-JP"


async def test_a_channel_and_each_person_read_their_own_language(tmp_path: Path) -> None:
    """One failure, told in Turkish in its channel, in Japanese and in English to who asks; what is kept is English."""
    data = data_folder(tmp_path, broken__jsonl=BROKEN)
    async with lab(tmp_path, data=data, SWITCHYARD_LANGUAGE__CHANNELS='{"C0TRAIN001": "tr"}') as world:
        world.person("chie").speak("ja-JP")
        assert "What can be trained here" in await world.type("/train help", "chie")
        await until(lambda: reads_japanese(world))
        assert "What can be trained here" not in await world.type("/train help", "chie")
        await world.type("/train sestek my-model en-US data=broken.jsonl")
        job = await world.reaches(JobState.FAILED)
        await world.restart()
        [reason] = [move.reason for move in await world.bot.deps.store.transitions(job.id) if move.reason]
        [line] = world.thread()
        assert said(reason, "tr") in line
        story = shown(await world.ask(f"/train-status {job.id}", "chie"))
        assert said(reason, "ja") in story
        assert reason in shown(await world.ask(f"/train-status {job.id}", "ada"))
        assert await world.rows(f"SELECT reason FROM transitions WHERE reason <> '' AND job_id = '{job.id}'") == [
            (reason,)
        ]


async def kept(world: Lab) -> dict[str, str]:
    """Everything that the database holds, by table."""
    tables = await world.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name: str(await world.rows(f'SELECT * FROM "{name}"')) for (name,) in tables}


@pytest.mark.proof
async def test_nothing_that_is_kept_is_in_the_language_of_who_acts(tmp_path: Path) -> None:
    """Asked for, shown, approved and applied in Japanese: the database holds English, and what it is made of."""
    async with lab(tmp_path, SWITCHYARD_LANGUAGE__DEFAULT="ja") as world:
        assert KANA.search(await world.type("/train sony churn"))
        job = await world.reaches(JobState.OFFERED)
        question = await world.prompt(lambda one: job.id in shown(one))
        assert KANA.search(shown(question))
        assert KANA.search(shown(await world.press(question, YES, "chie")))
        await world.reaches(JobState.LIVE)
        tables = await kept(world)
        assert [name for name, rows in tables.items() if KANA.search(rows)] == []
        assert '"say"' in tables["jobs"]
        assert '"say"' in tables["prompts"]
