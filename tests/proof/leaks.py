"""Looks for secrets in everything that leaves a bot: its log and output, its files, Slack, and what its shell prints.

The secrets are the ones that the bot was configured with, the ones that the services gave out on the way, and the
addresses and tickets of Slack. Some hold characters that other spellings replace, so that these are seen too.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from bot import history
from bot.settings import load
from tests.flows.test_secrets import everything_said, secrets_of_services, secrets_of_slack
from tests.proof.stage import Stage

MOST_SHOWN = 50


async def leaked(here: Stage) -> list[str]:
    """Which secrets are seen where, one phrase each."""
    theirs = spellings(secrets_of_services(here))
    slacks = spellings(secrets_of_slack(here))
    if not theirs or not slacks:
        return ["nothing was looked for"]
    # Where to answer is kept in the database for as long as it works, and nowhere else.
    searched = {
        "the log": (here.log().encode(), {**theirs, **slacks}),
        "Slack": (everything_said(here).encode(), {**theirs, **slacks}),
        "an export": (await exported(here), {**theirs, **slacks}),
        "the database": (_bytes_of(here.kept.path.parent.glob(f"{here.kept.path.name}*")), theirs),
        "the spool": (_bytes_of((here.kept.path.parent / "spool").rglob("*")), theirs),
    }
    return [f"{name} in {place}" for place, (text, canaries) in searched.items() for name in found_in(text, canaries)]


async def exported(here: Stage) -> bytes:
    """What `switchyard jobs`, in both forms, and `switchyard status` print."""
    settings = load(here.environ)
    lists = [await history.list_jobs(settings, (), limit=MOST_SHOWN, as_json=as_json) for as_json in (True, False)]
    stories = [await history.tell_job(settings, str(job["id"])) for job in here.kept.jobs()]
    return "\n".join(chain(*lists, *stories)).encode()


def found_in(text: bytes, canaries: Mapping[str, frozenset[bytes]]) -> list[str]:
    """The names of the secrets that a text holds in any spelling."""
    return [name for name, spelt in canaries.items() if any(one in text for one in spelt)]


def spellings(canaries: Mapping[str, str]) -> dict[str, frozenset[bytes]]:
    """Each secret as it is, in an address, in JSON, and in base64 wherever it may stand in what was encoded."""
    return {name: frozenset(one for one in _spelt(value) if len(one) > 5) for name, value in canaries.items()}


def _spelt(value: str) -> Iterable[bytes]:
    plain = value.encode()
    yield from (plain, quote(value, safe="").encode(), quote(value).encode(), json.dumps(value)[1:-1].encode())
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + plain).rstrip(b"=")
        # The letters at both ends hold bits of what stands beside the secret.
        middle = coded[(0, 2, 3)[before] : None if (before + len(plain)) % 3 == 0 else -1]
        yield from (middle, middle.replace(b"+", b"-").replace(b"/", b"_"))


def _bytes_of(paths: Iterable[Path]) -> bytes:
    return b"\n".join(path.read_bytes() for path in paths if path.is_file())
