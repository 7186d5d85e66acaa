"""The five services together: their addresses, what the page is told, and the sample data."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from sandbox.clock import Clock
from sandbox.services import Services

DATA = Path(__file__).parents[2] / "sandbox" / "data"
SAMPLES = [path.name for path in sorted(DATA.iterdir()) if path.name != "README.md"]


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock(speed=0)


@pytest.fixture
async def services(clock: Clock) -> AsyncIterator[Services]:
    """All five, with trainings of 100 seconds."""
    five = Services(clock, training_seconds=100)
    await five.start()
    yield five
    await five.stop()


async def begin_sony(services: Services) -> str:
    """Start a retraining of churn; the job's id."""
    sony = services.sony
    async with aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as http:
        headers = {"x-api-key": sony.accounts["churn"].api_key}
        url = f"{sony.base_url}/retrain_jobs/upload_url?filename=churn.csv"
        async with http.get(url, headers=headers) as reply:
            job = await reply.json()
        data = (DATA / "churn.csv").read_bytes()
        async with http.put(URL(job["upload_url"], encoded=True), data=data) as reply:
            assert reply.status == 200
    return str(job["retrain_job_id"])


async def test_each_service_has_its_own_port(services: Services) -> None:
    """A wrong base URL meets another service's refusal, not its own reply."""
    addresses = [value for key, value in services.environment().items() if key.endswith("_URL")]

    assert len({URL(address).port for address in addresses}) == len(addresses) == 6
    assert all(URL(address).host == "127.0.0.1" for address in addresses)


async def test_the_environment_has_the_stable_names(services: Services) -> None:
    """The names that the bot's configuration documents; Sony's demand has no way to be looked at."""
    environment = services.environment()

    assert environment["SWITCHYARD_AITEMS__BASE_URL"].endswith("/api/v1")
    assert environment["SWITCHYARD_SONY__BASE_URL"].endswith("/v1/external")
    assert environment["SWITCHYARD_DECTHINGS__BASE_URL"].endswith("/v0")
    assert environment["SWITCHYARD_DECTHINGS__LAUNCHER"] == "ln-small"
    assert {key for key in environment if "SONY__MODELS" in key} == {
        "SWITCHYARD_SONY__MODELS__CHURN__API_KEY",
        "SWITCHYARD_SONY__MODELS__CHURN__CLASSIFIER_ID",
        "SWITCHYARD_SONY__MODELS__CHURN__DEPLOY_KEY",
        "SWITCHYARD_SONY__MODELS__DEMAND__API_KEY",
    }


async def test_a_snapshot_is_json_and_has_no_secret(services: Services) -> None:
    """The page gets it as it is."""
    await begin_sony(services)
    shown = services.snapshot()
    text = json.dumps(shown)
    words = ("KEY", "SECRET")
    secrets = [value for key, value in services.environment().items() if any(word in key for word in words)]

    assert [seen["name"] for seen in shown] == ["sestek", "deepopinion", "decthings", "aitems", "sony"]
    assert not [secret for secret in secrets if secret in text]
    for seen in shown:
        assert set(seen) == {"name", "title", "base_url", "switches", "trainings", "live", "actions"}
        for training in seen["trainings"]:
            assert set(training) == {"id", "label", "status", "progress", "facts", "actions"}
        for model in seen["live"]:
            assert set(model) == {"id", "label", "facts"}


async def test_shown_actions_can_be_taken(services: Services) -> None:
    """Every name in a snapshot works, of a service with nothing more, of a training with its id."""
    await begin_sony(services)
    for shown in services.snapshot():
        for action in shown["actions"]:
            assert services.act(shown["name"], action)["ok"], (shown["name"], action)
        for training in shown["trainings"]:
            for action in training["actions"]:
                assert services.act(shown["name"], action, training=training["id"])["ok"]


async def test_changes_are_told_as_they_happen(services: Services, clock: Clock) -> None:
    """Requests, acts and the passing of time; nothing is told twice."""
    told: list[dict[str, Any]] = []
    services.on_change(told.append)
    clock.advance(0)
    told.clear()

    job = await begin_sony(services)
    assert {seen["name"] for seen in told} == {"sony"}
    assert told[-1]["trainings"][0]["id"] == job

    clock.advance(50)
    assert told[-1]["trainings"][0]["status"] == "job_running"
    services.act("sony", "finish", training=job)
    assert told[-1]["trainings"][0]["status"] == "job_finished"
    before = len(told)
    clock.advance(0)
    assert len(told) == before


async def test_time_that_passes_by_itself_is_told_too() -> None:
    """Without any request, within a second or so."""
    services = Services(Clock(speed=0), training_seconds=0.3)
    await services.start()
    finished = asyncio.Event()
    await begin_sony(services)

    def look(shown: dict[str, Any]) -> None:
        if any(training["status"] == "job_finished" for training in shown["trainings"]):
            finished.set()

    services.on_change(look)
    services.sony.clock.speed = 1
    await asyncio.wait_for(finished.wait(), 5)
    await services.stop()


async def test_everything_stops_while_requests_hang(services: Services) -> None:
    """A hanging service does not keep the sandbox from ending."""
    services.act("sony", "outage", kind="hang")
    async with aiohttp.ClientSession() as http:
        waiting = asyncio.create_task(http.post(f"{services.sony.base_url}/classifiers"))
        await services.sony.arrived("POST")
        await services.stop()
        with pytest.raises(aiohttp.ClientError):
            await waiting


def rows(name: str, encoding: str = "utf-8") -> list[list[str]]:
    """The rows of a CSV sample."""
    return list(csv.reader(io.StringIO((DATA / name).read_text(encoding))))


def test_the_good_samples_are_good() -> None:
    """JSON lines with Label and Text; CSVs of equal columns and at least 100 rows."""
    lines = [json.loads(line) for line in (DATA / "my-model.jsonl").read_text("utf-8").splitlines()]

    assert len(lines) >= 60
    assert all(set(line) == {"Label", "Text"} for line in lines)
    assert len({line["Label"] for line in lines}) >= 5
    for name in ("churn.csv", "churn-eval.csv", "demand.csv"):
        table = rows(name)
        assert len(table) > 100
        assert {len(row) for row in table} == {6}
    assert rows("churn.csv")[0] == rows("churn-eval.csv")[0]


def test_the_broken_samples_are_broken_as_their_names_say() -> None:
    """Each has exactly its one fault."""
    third = json.loads((DATA / "missing-text.jsonl").read_text("utf-8").splitlines()[2])

    assert set(third) == {"Label"}
    assert (DATA / "empty.jsonl").read_bytes() == b""
    assert isinstance(json.loads((DATA / "array.json").read_text("utf-8")), list)
    with pytest.raises(json.JSONDecodeError):
        json.loads((DATA / "not-json.jsonl").read_text("utf-8").splitlines()[2])
    assert [number for number, row in enumerate(rows("unequal-columns.csv"), 1) if len(row) != 6] == [58]
    assert len(rows("few-rows.csv")) == 43
    for encoding in ("utf-8", "shift_jis"):
        with pytest.raises(UnicodeDecodeError):
            (DATA / "latin1.csv").read_text(encoding)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_explained(name: str) -> None:
    """The table of the README names each file."""
    assert f"`{name}`" in (DATA / "README.md").read_text("utf-8")
