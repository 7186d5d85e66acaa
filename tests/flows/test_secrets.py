"""No secret leaves: not in a message, a call, a log line, an error, the database, or the settings when printed."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

import structlog

from bot import logs
from bot.domain.jobs import JobState
from bot.settings import load, secrets
from sandbox.world import World
from tests.flows.lab import Lab, lab, until

SWITCH = "May the trained model go live?"


class Place(Protocol):
    """A world and the environment of the bot in it."""

    @property
    def environ(self) -> Mapping[str, str]: ...

    @property
    def world(self) -> World: ...


@contextmanager
def captured_logs(here: Lab) -> Iterator[io.StringIO]:
    """Everything that is logged, configured as the command line does it, but with the libraries' every word."""
    root, stream = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in logs.QUIET}
    logs.configure(secrets(load(here.environ)), level="debug", stream=stream, as_json=True)
    try:
        yield stream
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        for name, was in quiet.items():
            logging.getLogger(name).setLevel(was)
        structlog.reset_defaults()


async def live_through_everything(here: Lab) -> None:
    """All five services from command to end, with failures of every kind on the way."""
    services = here.world.services
    services.sestek.fail_next("unauthorized", path_contains="/train")
    services.deepopinion.fail_next("html", method="POST", path_contains="/models", after_work=True)
    services.decthings.fail_next("unauthorized", path_contains="getTrainingStatus", times=4)
    services.aitems.fail_next("half", method="GET", path_contains="/trains", times=2)
    services.sony.fail_next("500", method="GET", path_contains="retrain_jobs/", times=3)
    services.sony.fail_next("html", method="GET", path_contains="results", times=1)
    for line in (
        "/train sestek my-model en-US",
        "/train deepopinion 1 reviews-2026 sessions=1,2",
        "/train decthings mdl-sentiment st-2 epochs=u32:2",
        "/train aitems svcmovies01 pop",
        "/train sony churn data=churn.csv",
    ):
        await here.type(line)
        await here.ask(line)
    await here.type("/train sestek other en-US data=my-model.jsonl", channel="C0GENERAL1")
    await here.told("ada", "is held and nothing was started")
    await services.sony.arrived("PUT", "uploads")
    services.sony.fail_next("reset", method="PUT", path_contains="uploads")
    await here.type("/train sony demand data=demand.csv")
    for model, who in (("mdl-sentiment", "bora"), ("churn", "chie")):
        prompt = await here.asked(SWITCH, f"`{model}`")
        if who == "chie":
            await here.reject(prompt, who, "not yet")
            # The move may be read before the state is: the card is complete once it has the button.
            card = await here.world.slack.wait_for_message(
                "C0TRAIN001", lambda one: "Offer again" in str(one.blocks) and not one.thread_ts, timeout=30
            )
            await here.press(card, "Offer again", "ada")
            prompt = await here.asked(SWITCH, f"`{model}`", after=prompt)
        await here.press(prompt, "Approve", who)
    await here.job(lambda one: one.request.model == "churn" and one.state is JobState.LIVE)
    await here.job(lambda one: one.request.model == "demand" and one.state is JobState.UNSURE)
    await here.type("/status aitems svcmovies01 pop v0pop000001")
    await here.told("ada", "says `completed`")
    await here.type("/train-status")
    await here.type("/jobs all")


def secrets_of_services(here: Place) -> dict[str, str]:
    """Every secret of the services: what is configured, and what they gave out."""
    services = here.world.services
    found = {f"configured {number}": secret for number, secret in enumerate(secrets(load(here.environ)))}
    found |= {f"token of Sestek {number}": token for number, token in enumerate(services.sestek.tokens)}
    found |= {f"token of DeepOpinion {number}": token for number, token in enumerate(services.deepopinion.callers)}
    for number, account in enumerate(services.sony.accounts.values()):
        found |= {f"prediction key of Sony {number}": account.classifier.secret} if account.classifier else {}
    for job in services.sony.jobs.values():
        for link in filter(None, (job.upload, job.download)):
            found[f"signature of {link[:24]}"] = urlsplit(link).query.rpartition("=")[2]
    for arrival in services.aitems.requests:
        signature = arrival.headers.get("x-ncp-apigw-signature-v2", "")
        found[f"signature {signature[:4]}"] = signature
    return {name: secret for name, secret in found.items() if secret}


def secrets_of_slack(here: Place) -> dict[str, str]:
    """Where to answer, and the tickets of the sockets."""
    urls = [str(one.payload.get("response_url", "")) for one in here.world.slack.deliveries]
    found = {f"response_url {number}": urlsplit(url).path for number, url in enumerate(filter(None, urls))}
    opened = [call.reply.get("url", "") for call in here.world.slack.calls_of("apps.connections.open")]
    return found | {
        f"ticket {number}": urlsplit(url).query.partition("ticket=")[2] for number, url in enumerate(opened)
    }


def leaks(text: str, canaries: dict[str, str]) -> list[str]:
    """The names of the secrets that a text holds, however they are written."""
    spelt = {name: {value, quote(value, safe=""), json.dumps(value)[1:-1]} for name, value in canaries.items()}
    return [name for name, spellings in spelt.items() if any(one and one in text for one in spellings)]


def everything_said(here: Place) -> str:
    """All that Slack was told, and all that people see of it."""
    calls = []
    for call in here.world.slack.calls:
        args = dict(call.args)
        if call.method == "views.open":
            # Slack's own place for what a form needs when it is sent: nobody but Slack and the app reads it.
            args["view"] = {key: value for key, value in _view(args).items() if key != "private_metadata"}
        calls.append(args)
    workspace = here.world.slack.workspace
    seen = [workspace.page_message(one) for place in workspace.messages.values() for one in place.values()]
    whispered = [one.page() for one in workspace.ephemerals.values()]
    return json.dumps([calls, seen, whispered], default=str, ensure_ascii=False)


def _view(args: dict[str, object]) -> dict[str, object]:
    view = args["view"]
    read = json.loads(view) if isinstance(view, str) else view
    assert isinstance(read, dict)
    return read


async def database_as_text(here: Lab) -> str:
    tables = [name for (name,) in await here.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return "\n".join([repr(await here.rows(f"SELECT * FROM {table}")) for table in tables])


async def test_no_secret_leaves(tmp_path: Path) -> None:
    """After all five stories with failures, no secret is in anything that a person, a log or a file ever shows."""
    async with lab(
        tmp_path,
        training_seconds=0.6,
        SWITCHYARD_DEEPOPINION__API_KEY="",
        SWITCHYARD_DEEPOPINION__EMAIL="ada@switchyard.example",
        SWITCHYARD_DEEPOPINION__PASSWORD="sandbox-deepopinion-password",
    ) as here:
        with captured_logs(here) as log:
            await here.restart()
            await live_through_everything(here)
            await here.restart()
            await here.quiet()
        theirs, slacks = secrets_of_services(here), secrets_of_slack(here)
        assert len(theirs) > 15
        assert len(slacks) > 10

        assert leaks(log.getvalue(), theirs | slacks) == []
        assert "sony" in log.getvalue()
        assert leaks(everything_said(here), theirs | slacks) == []
        assert leaks(repr(load(here.environ)), theirs) == []
        errors = "\n".join(error for _, _, error in await here.states())
        assert leaks(errors, theirs | slacks) == []

        assert leaks(await database_as_text(here), theirs) == []
        assert leaks(await database_as_text(here), slacks) != []
        on_disk = b"".join(path.read_bytes() for path in tmp_path.glob("switchyard.db*")).decode("latin-1")
        assert leaks(on_disk, theirs) == []
        here.time.advance(minutes=31)

        async def are_forgotten() -> bool:
            return leaks(await database_as_text(here), slacks) == []

        await until(are_forgotten)


async def test_answers_that_cannot_be_given_are_forgotten(tmp_path: Path) -> None:
    """Slack takes no answers for half an hour: their addresses are not kept any longer than they work."""
    async with lab(tmp_path) as here:
        await here.world.slack.switch("drop_request", {"method": "response_url", "times": 100_000})
        await here.type("/status deepopinion 1 11")
        await here.world.slack.wait_for(
            lambda: [call for call in here.world.slack.calls if call.method == "response_url"],
            timeout=30,
            what="an answer",
        )
        urls = secrets_of_slack(here)
        assert leaks(await database_as_text(here), urls) != []
        here.time.advance(minutes=31)

        async def are_forgotten() -> bool:
            return leaks(await database_as_text(here), urls) == []

        await until(are_forgotten)
