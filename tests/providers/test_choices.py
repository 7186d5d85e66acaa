"""What a form offers: the services' own lists, read when it opens."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.domain.requests import Plan, TrainRequest
from bot.errors import ProviderError
from bot.ports import Provider
from bot.providers import registry
from bot.providers.http import Tools, open_sessions
from bot.providers.registry import Registry
from bot.settings import load
from sandbox.clock import Clock
from sandbox.services import Services
from tests.handlers.registered import NAMES


@asynccontextmanager
async def services() -> AsyncIterator[tuple[Registry, Services]]:
    running = Services(Clock(), training_seconds=20.0)
    await running.start()
    try:
        sections: Mapping[str, Any] = load(running.environment(), Path(os.devnull)).providers
        async with open_sessions() as sessions:
            yield registry.load(sections, Tools(sessions=sessions, now=lambda: datetime.now(UTC))), running
    finally:
        await running.stop()


@pytest.mark.parametrize(
    ("name", "argument", "given", "value", "label"),
    [
        ("deepopinion", "base", {}, "7", "Hotel Pre-Trained"),
        ("deepopinion", "base", {"project": "1"}, "11", "Reviews 2025 (READY)"),
        ("deepopinion", "sessions", {"project": "1"}, "2", "Session 2 (FINISHED)"),
        ("decthings", "model", {}, "mdl-sentiment", "Sentiment"),
        ("decthings", "launcher", {}, "ln-small", "Small launcher"),
        ("decthings", "parameters", {}, "train=dataset:ds-reviews/train", "Hotel reviews: train"),
        ("aitems", "service", {}, "svcempty001", "(datasetRequired)"),
    ],
)
async def test_what_a_service_has_is_offered_by_name(
    name: str, argument: str, given: dict[str, str], value: str, label: str
) -> None:
    """Nobody knows ids by heart: each comes with the name and the state that the service shows."""
    async with services() as (known, _):
        found = {one.value: one.label for one in await known.get(name).choices(argument, given)}
        assert label in found[value]


async def test_sessions_belong_to_a_project() -> None:
    """Before the project is named there is nothing to offer, and nothing is asked of the service."""
    async with services() as (known, running):
        for given in ({}, {"project": "mine"}, {"project": "../users"}):
            assert await known.get("deepopinion").choices("sessions", given) == ()
        assert running.deepopinion.requests == []


async def test_a_service_that_does_not_answer_says_so() -> None:
    """The form then takes typed text; whoever opens it is not let down by an error of another kind."""
    async with services() as (known, running):
        for name in ("deepopinion", "decthings", "aitems"):
            getattr(running, name).faults.outage = "503"
            provider = known.get(name)
            with pytest.raises(ProviderError):
                await provider.choices(provider.listed[0], {"project": "1"})


async def test_services_without_lists_say_so() -> None:
    """What cannot be listed is typed, and no call is made for it."""
    async with services() as (known, _):
        assert {name for name in NAMES if known.get(name).listed} == {"deepopinion", "decthings", "aitems"}
        assert await known.get("sestek").choices("model", {}) == ()


def a_plan(provider: Provider, model: str, **params: Any) -> Plan:
    request = TrainRequest(request_key="k", provider=provider.name, model=model, params=params)
    return provider.plan(request, None)


async def test_services_tell_how_much_data_they_hold() -> None:
    """DeepOpinion counts the documents of sessions, Decthings the entries of data sets; neither tells labels."""
    async with services() as (known, _):
        opinion, things = known.get("deepopinion"), known.get("decthings")
        both = a_plan(opinion, "m", project=1, train=[1, 2], test=[99])
        assert await opinion.held_data(both) == [
            ("Training documents", "750 in all; session 1: 250, 2: 500"),
            ("Test documents", "session 99: not told"),
        ]
        parameters = {"train": {"type": "dataset", "datasetId": "ds-reviews", "datasetKey": "train"}}
        plan = a_plan(things, "mdl-sentiment", name="s", launcher="ln-small", parameters=parameters)
        assert await things.held_data(plan) == [("Data set ds-reviews", "Hotel reviews, 1,200 entries, 480,000 bytes")]


async def test_nothing_is_asked_of_a_service_about_data_that_is_not_named() -> None:
    """A training that names no data of the service costs no call."""
    async with services() as (known, running):
        opinion, things = known.get("deepopinion"), known.get("decthings")
        assert await opinion.held_data(a_plan(opinion, "m", project=1)) == ()
        assert await things.held_data(a_plan(things, "mdl-sentiment", name="s", launcher="ln-small")) == ()
        assert running.deepopinion.requests == running.decthings.requests == []
