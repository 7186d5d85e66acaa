"""The search for secrets finds them: a table with "leaked 0" says something."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.proof.conductor import Conductor
from tests.proof.leaks import found_in, leaked, spellings
from tests.proof.limits import all_are, is_taken, running
from tests.proof.stage import Launcher, stage

SECRET = 'canary+key/"one"=1'
SAID = {
    "plain": SECRET,
    "in an address": f"https://example.com/?key={quote(SECRET, safe='')}&x=1",
    "in JSON": json.dumps({"key": SECRET}),
    "alone in base64": base64.b64encode(SECRET.encode()).decode(),
    "after one letter in base64": base64.b64encode(f"a{SECRET}b".encode()).decode(),
    "after two letters in base64": base64.b64encode(f"ab{SECRET}".encode()).decode(),
    "in base64 for addresses": base64.urlsafe_b64encode(f"user:{SECRET}".encode()).decode(),
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_a_secret_is_found_however_it_is_spelt(said: str) -> None:
    """What is encoded is as secret as what is not."""
    assert found_in(said.encode(), spellings({"key": SECRET})) == ["key"]


async def test_a_secret_is_found_wherever_it_is_written(launcher: Launcher, tmp_path: Path) -> None:
    """In a run that leaks nothing, one secret put in each place is found in that place."""
    async with stage(tmp_path, launcher, Conductor()) as here, running(here):
        await is_taken(here, "/train sony churn data=churn.csv")
        await all_are(here, "offered")
        assert await leaked(here) == []
        token = here.environ["SWITCHYARD_SONY__MODELS__CHURN__API_KEY"]
        for name in ("bot.log", "switchyard.db-wal-copy", "spool/beside"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            with (tmp_path / name).open("a") as file:
                file.write(f"{token}\n")
        slack = here.world.slack.workspace
        slack.say("C0TRAIN001", slack.app.user_id, token)
        found = await leaked(here)
        assert {one.rpartition(" in ")[2] for one in found} == {"the log", "the database", "the spool", "Slack"}
