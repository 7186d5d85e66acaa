"""Whatever Slack, or somebody in its place, delivers: an acknowledgement with a sentence, and nothing that breaks.

Deliveries near real ones go through the real Bolt app to a real store; what is answered goes on to the sandbox's Slack.
"""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier

from bot.app import _heard as heard
from bot.health_page import Pulse
from handlers.ids import REQUEST_PATH, Action, Callback, Command, SlackEvent
from handlers.views.blocks import Message
from handlers.views.forms import REASON
from sandbox.slack import blockkit
from tests.fuzz.effort import effort
from tests.fuzz.fitness import is_readable, message_faults
from tests.fuzz.shapes import NASTY, mutated
from tests.fuzz.tally import Tally
from tests.handlers.edge import ADA, BORA, CHANNEL, TEAM, Edge, edge

COMMANDS = ("", "help", "status", "sestek my-model en-US", "status sestek a", "decthings m st-1", "alive since=1d x")
VALUES = (
    "",
    "|",
    "p1|d",
    "j2345ab",
    "0|alive",
    "sestek|a",
    "sestek|0|a",
    "sony|1|churn|j-1",
    "sony|-1|%00|%ff",
    "9" * 30,
)
OURS = {*(command.value for command in Command)}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Edge]:
    """With a training that waits for an approval, so that real buttons exist."""
    async with edge(tmp_path) as made:
        await made.prompt()
        yield made


class Broken(logging.Handler):
    """What was logged as an error while something was handled."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.met: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.met.append(f"{record.name}: {record.getMessage()} {record.exc_info[1] if record.exc_info else ''!r}")


def command(text: str, word: str) -> dict[str, Any]:
    return {
        "command": word,
        "text": text,
        "team_id": TEAM,
        "channel_id": CHANNEL,
        "user_id": ADA,
        "trigger_id": "1.2.x",
        "response_url": "http://127.0.0.1:9/commands/x",
        "api_app_id": "A0SWITCHYD",
        "is_enterprise_install": "false",
    }


def submission(carried: str) -> dict[str, Any]:
    return {
        "type": "view_submission",
        "user": {"id": BORA, "team_id": TEAM},
        "team": {"id": TEAM},
        "view": {
            "id": "V1",
            "type": "modal",
            "callback_id": Callback.REASON.value,
            "private_metadata": carried,
            "state": {"values": {REASON: {REASON: {"type": "plain_text_input", "value": "because"}}}},
        },
    }


def event(kind: str) -> dict[str, Any]:
    told = {"type": kind, "user": BORA, "channel": CHANNEL, "subteam_id": "S0MLOPS001", "team": TEAM}
    return {
        "type": "event_callback",
        "team_id": TEAM,
        "event_id": "Ev1",
        "event": told,
        "authorizations": [{"team_id": TEAM}],
    }


@st.composite
def documents(draw: st.DrawFn, here: Edge, value: str) -> tuple[str, dict[str, Any]]:
    """Something of each kind that arrives: its kind, and the whole of it."""
    values = st.sampled_from([value, *VALUES]) | NASTY
    kind = draw(st.sampled_from(["command", "click", "click", "form", "event"]))
    match kind:
        case "command":
            word = draw(st.sampled_from(list(Command)))
            return kind, command(draw(st.sampled_from(COMMANDS) | NASTY), word.value)
        case "click":
            action = draw(st.sampled_from([*(one.value for one in Action), "answer:it_runs", "gone", ":"]))
            return kind, here.click(action, draw(values), draw(st.sampled_from([ADA, BORA])))
        case "form":
            carried = {"value": draw(values), "url": "", "answer": "reject"}
            return kind, submission(json.dumps(draw(st.just(carried) | mutated(carried))))
        case _:
            return kind, event(draw(st.sampled_from(list(SlackEvent))).value)


@pytest.fixture
async def url(here: Edge) -> AsyncIterator[str]:
    """The door of HTTP mode, as the bot opens it."""
    runner = web.AppRunner(heard(here.app.web_app(path=REQUEST_PATH), Pulse()), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}{REQUEST_PATH}"
    await runner.cleanup()


@pytest.fixture
async def slack() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def written(payload: Any, *, is_command: bool, is_event: bool) -> tuple[bytes, str]:
    """The body as Slack writes such a thing, and its type."""
    if is_event:
        return json.dumps(payload).encode(), "application/json"
    if is_command and isinstance(payload, dict):
        fields = {key: one if isinstance(one, str) else json.dumps(one) for key, one in payload.items()}
        return urlencode(fields, errors="replace").encode(), "application/x-www-form-urlencoded"
    return urlencode({"payload": json.dumps(payload)}).encode(), "application/x-www-form-urlencoded"


def signed(here: Edge, body: bytes, kind: str) -> dict[str, str]:
    stamp = str(int(datetime.now(UTC).timestamp()))
    signature = SignatureVerifier(here.slack.signing_secret).generate_signature(timestamp=stamp, body=body)
    return {"Content-Type": kind, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature or ""}


def is_ours(kind: str, payload: Any) -> bool:
    """Has it what tells Bolt whose it is, in the types that Slack gives it? The rest may be anything."""
    match kind, payload:
        case "command", {"command": str(word), "team_id": str()}:
            return word in OURS and not {"type", "payload", "event"} & payload.keys()
        case "click", {
            "type": "block_actions",
            "actions": [{"action_id": str(), "block_id": str(), "type": str()}, *_],
        }:
            return is_addressed(payload)
        case "form", {"type": "view_submission", "view": {"type": "modal", "callback_id": Callback.REASON.value}}:
            return is_addressed(payload)
        case "event", {"type": "event_callback", "event": {"type": str(name), "user": str(), "channel": str()}}:
            return name in [*SlackEvent] and is_addressed(payload)
        case _:
            return False


def is_addressed(payload: Mapping[str, Any]) -> bool:
    """Does it say, where Bolt looks for that, where it comes from?"""
    if not isinstance(payload.get("channel", {}), dict | str):
        return False
    match payload:
        case {"team": {"id": str()}, "user": {"id": str(), "team_id": str()}, **more}:
            return not {"enterprise", "is_enterprise_install", "team_id"} & more.keys()
        case {"team_id": str(), "authorizations": [{"team_id": str()}], **more}:
            return not {"enterprise", "is_enterprise_install", "team"} & more.keys()
        case _:
            return False


def answer_faults(said: bytes) -> list[str]:
    """What Slack would not take, or a person could not read, of what came with the acknowledgement."""
    if not said:
        return []
    answer = json.loads(said)
    if "view" in answer:
        return blockkit.view_findings(answer["view"])
    return message_faults(Message(text=answer["text"], blocks=tuple(answer["blocks"])))


@effort(150)
@given(data=st.data())
async def test_any_delivery_is_acknowledged(
    data: st.DataObject, here: Edge, url: str, slack: ClientSession, tally: Tally
) -> None:
    """Whatever is ours is answered with what Slack takes; of what has lost its shape nothing breaks."""
    prompts = await here.store.open_prompts()
    value = f"{prompts[0].id}|{prompts[0].digest}" if prompts else "p1|d"
    kind, document = data.draw(documents(here, value))
    payload = data.draw(mutated(document))
    how = {"is_command": kind == "command", "is_event": kind == "event"}
    body, content = written(payload, **how)
    broken = Broken()
    logging.getLogger().addHandler(broken)
    try:
        async with slack.post(url, data=body, headers=signed(here, body, content)) as response:
            status, said = response.status, await response.read()
        await here.crew.idle()
    finally:
        logging.getLogger().removeHandler(broken)
    tally.note(f"{kind} {status}")
    assert status in ((200,) if is_ours(kind, payload) else (200, 400, 404, 500)), (status, payload, broken.met)
    assert status != 200 or answer_faults(said) == []
    assert [line for line in broken.met if not is_of_the_shape(line)] == []


def is_of_the_shape(line: str) -> bool:
    """Does the log speak of what was delivered, and not of what we did with it?"""
    return line.startswith("slack_bolt.") or "validation error" in line or "surrogates not allowed" in line


FORGED = [
    b"",
    b"payload=[1]",
    b"payload=null",
    b"payload=%7B",
    b"[]",
    b"{",
    b"\xff\xfe",
    b"7",
    b"payload=7",
    b"[" * 50_000,
]
STAMPS = ["", "0", "-1", "soon", "9" * 5000, "1e9", "\u0661", "1700000000"]
KINDS = ["application/json", "application/x-www-form-urlencoded", "text/html", "a/b; charset=x", ""]


@effort(60)
@given(
    body=st.sampled_from(FORGED) | st.binary(max_size=30), kind=st.sampled_from(KINDS), stamp=st.sampled_from(STAMPS)
)
async def test_a_forged_request_of_any_shape_is_turned_away(
    body: bytes, kind: str, stamp: str, url: str, slack: ClientSession, tally: Tally
) -> None:
    """Somebody without the secret knocks: no shape of a request gets further than to the door, nor breaks it."""
    broken = Broken()
    logging.getLogger().addHandler(broken)
    try:
        forged = {"X-Slack-Signature": "v0=x", "X-Slack-Request-Timestamp": stamp} if stamp else {}
        async with slack.post(url, data=body, headers={"Content-Type": kind, **forged}) as response:
            tally.note(f"forged {response.status}")
            assert response.status in (400, 401)
    finally:
        logging.getLogger().removeHandler(broken)
    assert broken.met == []


async def test_all_that_was_answered_was_taken(here: Edge) -> None:
    """The answers to clicks go out through response_urls: Slack takes each of them."""
    for action in Action:
        for value in VALUES:
            await here.dispatch(here.click(action.value, value))
    await here.run()
    # A form that gave way to the next one is not there any more when what it offers has come.
    refused = [
        one for one in here.slack.calls if not one.ok and (one.method, one.error) != ("views.update", "not_found")
    ]
    assert [one for one in refused if one.method != "views.open"] == []
    assert all(is_readable(sign) or sign == "\n" for one in here.told(ADA) for sign in one.text)
    assert len(here.told(ADA)) > len(VALUES)
