"""What every provider must pass, against its service in the sandbox. A subclass names the provider.

Its own first example is the training that is started, so a provider's help is proved with it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bot.domain.arguments import usage
from bot.domain.jobs import Phase, RemoteStatus
from bot.domain.requests import Actor, Payload, Plan, TrainRequest
from bot.errors import Effect, ProviderError, SwitchyardError, UsageError
from bot.files import DataFolder
from bot.ports import Gate, Provider, Watched
from bot.providers import registry
from bot.providers.http import Tools, open_sessions
from bot.settings import load
from handlers.grammar import parse_reference, parse_train, split
from sandbox.clock import Clock
from sandbox.services import Services
from sandbox.world import DATA

UNREADABLE = ("html", "half", "empty", "redirect", "500", "503", "reset")
"""Answers to a start after which nobody knows whether it took effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A provider with its service, and the plan of its first example."""

    provider: Provider
    service: Any
    services: Services
    clock: Clock
    plan: Plan
    files: DataFolder

    async def reserve(self) -> Mapping[str, Any]:
        return await self.provider.reserve(self.plan, "j234567")

    async def start(self, claim: Mapping[str, Any]) -> str | None:
        payload = self.plan.payload
        return await self.provider.start(self.plan, claim, self.files.spooled(payload.sha256) if payload else None)

    async def effect_of_start(self, claim: Mapping[str, Any]) -> Effect | None:
        """What a start that fails says of itself; None where it does not fail."""
        try:
            await self.start(claim)
        except ProviderError as error:
            return error.effect
        return None

    async def id_of(self, claim: Mapping[str, Any], given: str | None) -> str:
        """The service's id, looked for where the start did not name one."""
        self.clock.advance(5)
        id_ = given or (await self.provider.find(self.plan, claim, None)).remote_id
        assert id_ is not None
        return id_

    async def look(self, id_: str, claim: Mapping[str, Any]) -> RemoteStatus:
        params = parse_train(self.provider, split(self.provider.arguments.examples[0])[2:]).params
        watched = Watched(job_id="j234567", model=self.plan.model, params=params, claim=claim, remote_id=id_)
        return await self.provider.status(watched)


def plan_of(provider: Provider, files: DataFolder) -> Plan:
    """The plan of the provider's first example, made as the check makes it."""
    wish = parse_train(provider, split(provider.arguments.examples[0])[2:])
    request = TrainRequest(
        request_key="key", provider=wish.provider, model=wish.model, params=wish.params, data=wish.data,
        actor=Actor(team="T1", user="U1"), channel="C1",
    )  # fmt: skip
    provider.check(request)
    rule = provider.data
    chosen: dict[str, str] = {}
    if rule is not None:
        chosen = {rule.roles[0]: files.choose(wish.data.get(rule.roles[0]), wish.model, rule.suffixes)}
    spooled = {role: files.copy(role, name) for role, name in chosen.items()}
    payload: Payload | None = provider.prepare(request, spooled, files.spool)
    return provider.plan(request, payload)


class ProviderContract:
    """The promises of `bot.ports.Provider`. `name` is the word that people type."""

    name: str
    start_method = "POST"
    start_path = ""
    settings: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    async def bench(self, tmp_path: Path) -> AsyncIterator[Bench]:
        clock = Clock()
        services = Services(clock, training_seconds=20.0)
        await services.start()
        try:
            settings = load(services.environment(), Path(os.devnull))
            sections = {**settings.providers, self.name: {**settings.providers[self.name], **self.settings}}
            async with open_sessions() as sessions:
                tools = Tools(sessions=sessions, now=lambda: datetime.fromtimestamp(clock.time(), UTC))
                provider = registry.load(sections, tools).get(self.name)
                files = DataFolder(DATA, tmp_path / "spool", 10**7)
                yield Bench(
                    provider=provider,
                    service=getattr(services, self.name),
                    services=services,
                    clock=clock,
                    plan=plan_of(provider, files),
                    files=files,
                )
        finally:
            await services.stop()

    async def test_what_it_declares_fits_together(self, bench: Bench) -> None:
        """Words and powers are data that grammar, help and cards can rely on."""
        provider = bench.provider
        names = [one.name for one in (*provider.arguments.positionals, *provider.arguments.options)]
        assert provider.name == self.name
        assert len(set(names)) == len(names)
        assert provider.arguments.model in [one.name for one in provider.arguments.positionals]
        assert usage(provider.name, provider.arguments).startswith(f"/train {self.name} ")
        assert all(example.startswith(f"/train {self.name} ") for example in provider.arguments.examples)
        assert provider.arguments.reference_example.startswith(f"/status {self.name} ")
        assert not (provider.powers.look_publishes and provider.powers.gate is not Gate.BEFORE)

    async def test_its_reference_example_names_a_training(self, bench: Bench) -> None:
        """What the help shows for asking the service is understood."""
        words = parse_reference(bench.provider, split(bench.provider.arguments.reference_example)[2:])
        references = bench.provider.references(words)
        assert references
        assert all(reference.remote_id for reference in references)

    async def test_a_plan_is_pure_and_its_digest_stays(self, bench: Bench) -> None:
        """The same wish makes the same plan: what is approved is what is sent."""
        again = plan_of(bench.provider, bench.files)
        assert again == bench.plan
        assert again.digest() == bench.plan.digest()

    async def test_it_starts_once_and_is_watched_to_its_end(self, bench: Bench) -> None:
        """Reserve, start once, look: one training at the service, trained in the end."""
        claim = await bench.reserve()
        assert bench.service.starts == []
        id_ = await bench.id_of(claim, await bench.start(claim))
        assert (await bench.look(id_, claim)).phase in (Phase.QUEUED, Phase.RUNNING)
        bench.clock.advance(60)
        assert (await bench.look(id_, claim)).phase is Phase.TRAINED
        assert len(bench.service.starts) == 1

    @pytest.mark.parametrize("kind", UNREADABLE)
    async def test_an_unreadable_answer_to_the_start_leaves_it_open(self, bench: Bench, kind: str) -> None:
        """Whatever came back, it may have started: never said to be refused, never sent again."""
        claim = await bench.reserve()
        bench.service.fail_next(kind, method=self.start_method, path_contains=self.start_path, after_work=True)
        effect = await bench.effect_of_start(claim)
        # Nothing of an upload's answer is documented, so there any 2xx is an acceptance.
        assert effect is Effect.UNKNOWN or (effect is None and self.start_method == "PUT")
        assert len(bench.service.starts) == 1

    async def test_a_service_that_is_not_there_was_surely_not_reached(self, bench: Bench) -> None:
        """A refused connection proves that nothing was sent."""
        claim = await bench.reserve()
        bench.services.act(self.name, "outage", kind="refused")
        with pytest.raises(ProviderError) as raised:
            await bench.start(claim)
        assert raised.value.effect is Effect.NONE
        assert bench.service.starts == []

    async def test_an_unknown_word_moves_nothing_and_raises_nothing(self, bench: Bench) -> None:
        """A new word of the service is shown, and never ends a training."""
        claim = await bench.reserve()
        id_ = await bench.id_of(claim, await bench.start(claim))
        [mine] = [one for one in bench.services.snapshot() if one["name"] == self.name]
        [running] = [one for one in mine["trainings"] if "fail" in one["actions"]]
        said = bench.services.act(self.name, "word", training=running["id"], word="frobnicating")
        assert said["ok"], said
        seen = await bench.look(id_, claim)
        assert seen.word == "frobnicating"
        assert not seen.is_known
        assert seen.phase in (None, Phase.RUNNING)

    async def test_refused_credentials_are_a_sentence_without_them(self, bench: Bench) -> None:
        """The sentence names the setting to mend and no secret."""
        bench.services.act(self.name, "unauthorized", on=True)
        with pytest.raises(SwitchyardError) as raised:
            await bench.start(await bench.reserve())
        secrets = [value for key, value in bench.services.environment().items() if "KEY" in key or "SECRET" in key]
        assert not any(secret in str(raised.value) for secret in secrets)
        assert bench.service.starts == []

    async def test_rubbish_for_a_reference_is_a_usage_error(self, bench: Bench) -> None:
        """Too many words name the line that would be right."""
        with pytest.raises(UsageError):
            parse_reference(bench.provider, split("a b c d e f g h"))
