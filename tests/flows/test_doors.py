"""The door of HTTP mode: only what Slack signed lately comes in, and what comes in again does nothing."""

from __future__ import annotations

import hmac
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession

from bot.domain.jobs import JobState
from sandbox.slack.workspace import Message
from tests.flows.lab import ADA, BORA, CHANNEL, Lab, buttons_of, data_folder, lab

TEAM = "T0SWITCHYD"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request as it goes over the wire."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: str


def sealed(body: str, secret: str, *, age: float = 0.0) -> Envelope:
    """Signed as https://docs.slack.dev/authentication/verifying-requests-from-slack describes; `age` in seconds."""
    stamp = str(int(datetime.now(UTC).timestamp() - age))
    signature = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), sha256).hexdigest()
    return Envelope(
        body.encode(),
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={signature}",
        },
    )


async def send(here: Lab, envelope: Envelope) -> Answer:
    async with (
        ClientSession() as session,
        session.post(here.bot.address, data=io.BytesIO(envelope.body), headers=dict(envelope.headers)) as response,
    ):
        return Answer(response.status, await response.text())


def command(text: str, key: str = "1.2.3") -> str:
    fields = {"command": "/train", "text": text, "team_id": TEAM, "channel_id": CHANNEL, "user_id": ADA}
    return urlencode({**fields, "trigger_id": key, "response_url": ""})


def interactive(payload: Mapping[str, Any]) -> str:
    return urlencode({"payload": json.dumps(payload)})


def click(message: Message, label: str, user: str) -> str:
    [element] = [one for one in buttons_of(message) if one["text"]["text"] == label]
    return interactive(
        {
            "type": "block_actions",
            "user": {"id": user, "team_id": TEAM},
            "team": {"id": TEAM},
            "channel": {"id": CHANNEL},
            "trigger_id": "4.5.6",
            "response_url": "",
            "actions": [{"type": "button", "action_id": element["action_id"], "value": element["value"]}],
        }
    )


TRAIN = command("sestek my-model en-US")
FORGERIES: Mapping[str, Callable[[str], Envelope]] = {
    "no signature": lambda secret: Envelope(TRAIN.encode(), {"Content-Type": "application/x-www-form-urlencoded"}),
    "another secret": lambda secret: sealed(TRAIN, secret + "x"),
    "an empty secret": lambda secret: sealed(TRAIN, ""),
    "six minutes old": lambda secret: sealed(TRAIN, secret, age=360),
    "six minutes ahead": lambda secret: sealed(TRAIN, secret, age=-360),
    "another body": lambda secret: Envelope(TRAIN.replace("en-US", "tr-TR").encode(), sealed(TRAIN, secret).headers),
    "another time": lambda secret: Envelope(
        TRAIN.encode(),
        {
            **sealed(TRAIN, secret, age=360).headers,
            "X-Slack-Request-Timestamp": str(int(datetime.now(UTC).timestamp())),
        },
    ),
    "no time": lambda secret: Envelope(
        TRAIN.encode(), {**sealed(TRAIN, secret).headers, "X-Slack-Request-Timestamp": ""}
    ),
    "a time that is none": lambda secret: Envelope(
        TRAIN.encode(), {**sealed(TRAIN, secret).headers, "X-Slack-Request-Timestamp": "now"}
    ),
    "a signature of half its length": lambda secret: Envelope(
        TRAIN.encode(), {**sealed(TRAIN, secret).headers, "X-Slack-Signature": "v0=00"}
    ),
}


async def test_what_slack_did_not_sign_lately_is_turned_away(tmp_path: Path) -> None:
    """A forged, altered or old request is refused before it is read; the same one, signed now, is taken."""
    async with lab(tmp_path, mode="http") as here:
        secret = here.environ["SLACK_SIGNING_SECRET"]
        for name, forge in FORGERIES.items():
            answer = await send(here, forge(secret))
            assert 400 <= answer.status < 600, name
            assert secret not in answer.body
        assert await here.jobs() == []
        assert not here.starts()
        answer = await send(here, sealed(TRAIN, secret))
        assert (answer.status, "Got it" in answer.body) == (200, True)


async def test_a_command_that_is_played_again_starts_nothing(tmp_path: Path) -> None:
    """Byte for byte, within the five minutes of its signature, also after a restart: the same answer, one training."""
    async with lab(tmp_path, mode="http") as here:
        envelope = sealed(TRAIN, here.environ["SLACK_SIGNING_SECRET"])
        first = await send(here, envelope)
        assert first == await send(here, envelope)
        await here.restart()
        assert (await send(here, envelope)).status == 200
        await here.all_ended()
        assert (len(await here.jobs()), here.starts()) == (1, 1)
        assert (await send(here, envelope)).status == 200
        assert len(await here.jobs()) == 1


async def test_a_click_that_is_played_again_switches_nothing(tmp_path: Path) -> None:
    """The first one decides; the prompt is closed for all that follow, also for the same bytes."""
    async with lab(tmp_path, mode="http") as here:
        await here.type("/train sony churn data=churn.csv")
        prompt = await here.asked("May the trained model go live?")
        envelope = sealed(click(prompt, "Approve", BORA), here.environ["SLACK_SIGNING_SECRET"])
        assert (await send(here, envelope)).status == 200
        await here.reaches(JobState.LIVE)
        for _ in range(2):
            assert (await send(here, envelope)).status == 200
            await here.restart()
        await here.quiet()
        assert here.switches() == 1
        [job] = await here.jobs()
        assert job.state is JobState.LIVE


async def test_a_form_that_is_played_again_rejects_nothing(tmp_path: Path) -> None:
    """Also where the rejected switch was offered again meanwhile: the form belongs to the prompt that it was for."""
    async with lab(tmp_path, mode="http") as here:
        await here.type("/train sony churn data=churn.csv")
        prompt = await here.asked("May the trained model go live?")
        await here.reject(prompt, "bora", "not yet")
        await here.reaches(JobState.REJECTED)
        [sent] = [one.payload for one in here.world.slack.deliveries if one.payload.get("type") == "view_submission"]
        card = await here.world.slack.wait_for_message(
            CHANNEL, lambda one: "*rejected*" in str(one.blocks) and not one.thread_ts, timeout=30
        )
        await here.press(card, "Offer again", "ada")
        await here.asked("May the trained model go live?", after=prompt)
        answer = await send(here, sealed(interactive(sent), here.environ["SLACK_SIGNING_SECRET"]))
        assert answer.status == 200
        await here.quiet()
        [job] = await here.jobs()
        assert job.state is JobState.OFFERED


async def test_a_body_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    """Slack's payloads have some kilobytes; megabytes are refused before they are signed or parsed."""
    async with lab(tmp_path, mode="http") as here:
        envelope = sealed("x" * (2 << 20), here.environ["SLACK_SIGNING_SECRET"])
        assert (await send(here, envelope)).status == 413


async def test_no_word_from_outside_calls_anybody(tmp_path: Path) -> None:
    """Names of models and files, services' words and reasons stand in messages, and ping, link and format nothing."""
    bait = "<!channel> <https://evil.example|click> <@U0DAN00001>"
    table = "".join(f"{number},{'yes' if number % 2 else 'no'}\n" for number in range(200))
    name = "<!here>&<U0DAN00001>.csv"
    folder = data_folder(tmp_path)
    (folder / name).write_text("value,label\n" + table, "utf-8")
    async with lab(tmp_path, mode="http", data=folder) as here:
        await here.type(f'/train deepopinion 1 "{bait}" title="{bait}" sessions=1,2')
        await here.type(f'/train sony churn data="{name}"')
        prompt = await here.asked("May the trained model go live?", "`churn`")
        await here.reject(prompt, "bora", f"{bait} *bold* `code`")
        await here.job(lambda one: one.state is JobState.REJECTED)
        here.world.services.deepopinion.fail_next("500")
        await here.type(f'/status deepopinion "{bait}" 7')
        await here.type(f'/train sestek "{bait}" en-US')
        await here.type(f'/jobs "{bait}"')
        await here.quiet()
        said = json.dumps(
            [call.args for call in here.world.slack.calls if call.method.startswith("chat.")], default=str
        )
        whispered = json.dumps(
            _shown([one.page() for one in here.world.slack.workspace.ephemerals.values()]), default=str
        )
        assert "evil.example" in said
        for text in (said, whispered):
            for mark in ("<!channel>", "<!here>", "<https://evil", "<@U0DAN00001>", "<U0DAN"):
                assert mark not in text, mark


def _shown(value: Any) -> Any:
    """A message without that in which Slack reads no mark: what its buttons carry, which comes back as it is when they
    are pressed, and the raw text of a table's cells."""
    if isinstance(value, dict) and value.get("type") == "raw_text":
        return {}
    if isinstance(value, dict):
        return {key: _shown(one) for key, one in value.items() if key != "value"}
    return [_shown(one) for one in value] if isinstance(value, list | tuple) else value
