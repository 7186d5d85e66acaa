"""What a machine may ask of a running bot: does the loop answer, and can it do its work?"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from bot.errors import ConfigurationError, StoreError
from bot.ports import Store
from handlers.sockets import ANSWER_WITHIN, Signs

LATE_AFTER = 120.0
"""Seconds after which a tick is late. One of them waits for Slack, for up to half a minute a call."""

WRITE_WITHIN = 3.0
TOO_MANY_FAILURES = 3
"""In a row: a single one may be something that Slack sent in a shape that nobody knows."""

WRITE, REQUEST = "write", "request"


@dataclass(slots=True)
class Pulse:
    """When each thing last went well, on the monotonic clock."""

    _at: dict[str, float] = field(default_factory=dict)

    def beat(self, name: str) -> None:
        self._at[name] = time.monotonic()

    def age(self, name: str) -> float | None:
        """Seconds since then; None if it never did."""
        return time.monotonic() - self._at[name] if name in self._at else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What is known at one moment; ages in seconds, None for what never was.

    `refusal` is why the database took no write just now, "" where it did. `late_after` and `silent_after` are the ages
    from which a tick and a connection count as lost. `signs` is None in HTTP mode.
    """

    refusal: str
    written: float | None
    ticks: Mapping[str, float | None]
    late_after: float
    signs: Signs | None
    silent_after: float
    requested: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One sentence of the answer, and the age in seconds that it rests on."""

    name: str
    is_well: bool
    says: str
    age: float | None


def judge(vitals: Vitals) -> tuple[Part, ...]:
    """Ready is a bot all of whose parts are well."""
    if vitals.signs is None:
        return (_database(vitals), _ticks(vitals), _http(vitals.requested))
    return (_database(vitals), _ticks(vitals), _sockets(vitals.signs, vitals.silent_after), _answers(vitals.signs))


def _database(vitals: Vitals) -> Part:
    if vitals.refusal:
        says = f"The database takes no write: {vitals.refusal} The last one: {_ago(vitals.written)}."
        return Part(name="database", is_well=False, says=says, age=vitals.written)
    return Part(name="database", is_well=True, says="The database takes writes.", age=vitals.written)


def _ticks(vitals: Vitals) -> Part:
    late = {name: age for name, age in vitals.ticks.items() if age is None or age > vitals.late_after}
    named = ", ".join(f"{name} ({_ago(age)})" for name, age in late.items())
    says = f"Late: {named}." if late else "Every tick ran lately."
    ages = [age for age in vitals.ticks.values() if age is not None]
    return Part(name="ticks", is_well=not late, says=says, age=max(ages, default=None))


def _sockets(signs: Signs, silent_after: float) -> Part:
    alive = [silence for silence in signs.silences if silence <= silent_after]
    says = f"Connections to Slack that are alive: {len(alive)} of {signs.wanted}."
    return Part(name="sockets", is_well=bool(alive), says=says, age=min(signs.silences, default=None))


def _answers(signs: Signs) -> Part:
    """A quiet team sends nothing; then it counts that nothing waits and that what came last was acknowledged."""
    last = f"The last thing that Slack sent was answered: {_ago(signs.handled)}."
    if signs.unanswered > ANSWER_WITHIN:
        says = f"Something that Slack sent waits too long for its answer. {last}"
        return Part(name="answers", is_well=False, says=says, age=signs.unanswered)
    if signs.failures >= TOO_MANY_FAILURES:
        says = f"The {signs.failures} things that Slack sent last were not answered. {last}"
        return Part(name="answers", is_well=False, says=says, age=signs.handled)
    return Part(name="answers", is_well=True, says=last, age=signs.handled)


def _http(requested: float | None) -> Part:
    """For information: a quiet team is no fault."""
    says = f"The last request of Slack's that was accepted: {_ago(requested)}."
    return Part(name="requests", is_well=True, says=says, age=requested)


def _ago(age: float | None) -> str:
    return "none yet" if age is None else f"{age:.0f} s ago"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Where the vitals come from. `ticks` names the ticks, `signs` is None in HTTP mode."""

    store: Store
    pulse: Pulse
    ticks: Sequence[str]
    late_after: float
    signs: Callable[[], Signs] | None
    silent_after: float

    async def vitals(self) -> Vitals:
        refusal = await _try_to_write(self.store)
        if not refusal:
            self.pulse.beat(WRITE)
        return Vitals(
            refusal=refusal,
            written=self.pulse.age(WRITE),
            ticks={name: self.pulse.age(name) for name in self.ticks},
            late_after=self.late_after,
            signs=self.signs() if self.signs else None,
            silent_after=self.silent_after,
            requested=self.pulse.age(REQUEST),
        )


async def _try_to_write(store: Store) -> str:
    try:
        async with asyncio.timeout(WRITE_WITHIN):
            await store.touch()
    except StoreError as error:
        return str(error)
    except TimeoutError:
        return f"it did not answer within {WRITE_WITHIN:g} s."
    return ""


@asynccontextmanager
async def serving(host: str, port: int, vitals: Callable[[], Awaitable[Vitals]]) -> AsyncIterator[str]:
    """`GET /healthz` and `GET /readyz`; yields the address. ConfigurationError where nothing can listen there."""

    async def ready(_: web.Request) -> web.Response:
        return _answer(judge(await vitals()))

    page = web.Application()
    page.add_routes([web.get("/healthz", _alive), web.get("/readyz", ready)])
    runner = web.AppRunner(page, access_log=None)
    await runner.setup()
    try:
        await _listen(runner, host, port)
        name, number, *_ = runner.addresses[0]
        yield f"http://{name}:{number}"
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise ConfigurationError(
            f"SWITCHYARD_HEALTH__PORT: nobody can listen on {host}:{port}: {error.strerror}."
        ) from None


async def _alive(_: web.Request) -> web.Response:
    return web.json_response({"alive": True})


def _answer(parts: Sequence[Part]) -> web.Response:
    is_ready = all(part.is_well for part in parts)
    told = {part.name: {"well": part.is_well, "says": part.says, "age_seconds": _rounded(part.age)} for part in parts}
    return web.json_response({"ready": is_ready, "parts": told}, status=200 if is_ready else 503)


def _rounded(age: float | None) -> float | None:
    return None if age is None else round(age, 3)
