"""Who reads what in which language: channels as configured, people as their own Slack."""

from __future__ import annotations

from pathlib import Path

from bot.domain.jobs import JobState
from bot.languages import language_called
from bot.sentences import Language
from tests.flows.lab import CHIE, Lab, lab, shown, until


def tongue(code: str) -> Language:
    found = language_called(code)
    assert found is not None
    return found


async def is_known(world: Lab) -> bool:
    person = await world.bot.deps.store.person(CHIE)
    return person is not None and person.locale == "ja-JP"


async def test_a_channel_and_each_person_read_their_own_language(tmp_path: Path) -> None:
    """One training, told in Turkish in its channel, its story in Japanese and in English; what is kept is English."""
    turkish, japanese = tongue("tr"), tongue("ja")
    async with lab(tmp_path, SWITCHYARD_LANGUAGE__CHANNELS='{"C0TRAIN001": "tr"}') as world:
        world.person("chie").speak("ja-JP")
        assert "Services" in await world.type("/train help", "chie")
        await until(lambda: is_known(world))
        await world.type("/train sestek my-model en-US data=nothing-there.jsonl")
        job = await world.reaches(JobState.FAILED)
        [card] = world.cards()
        assert turkish.gettext("Asked by") in shown(card)
        assert "Asked by" not in shown(card)
        [line] = world.thread()
        [reason] = {move.reason for move in await world.bot.deps.store.transitions(job.id) if move.reason}
        assert reason.isascii()
        assert str(reason) not in line
        story = await world.ask(f"/jobs {job.id}", "chie")
        assert japanese.gettext("Asked by") in shown(story)
        assert str(reason) not in shown(story)
        assert str(reason) in shown(await world.ask(f"/jobs {job.id}", "ada"))
