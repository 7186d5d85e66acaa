"""What the five services have in common: ports, the record of requests, faults, switches, news for the page."""

import asyncio
import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, NoReturn
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.clock import Clock
from sandbox.services.course import Course
from sandbox.services.faults import KINDS, OUTAGES, Accident, Faults
from sandbox.services.listener import Listener, reset

MOST_REQUESTS = 20_000
MOST_BYTES = 1 << 30
PAGE = "<!doctype html><title>Scheduled maintenance</title><h1>We'll be back soon</h1>"
HALF = b'{"status": "runni'

Json = dict[str, Any]


class Refused(Exception):
    """A request is answered with a refusal; carries the reply."""

    def __init__(self, reply: web.StreamResponse) -> None:
        """Carry the whole reply, so that each service keeps its own shapes."""
        super().__init__(reply.status)
        self.reply = reply


class NoSuchActError(ValueError):
    """The page or a test asked for an act that is not offered, or not with these words."""


@dataclass(kw_only=True, slots=True)
class Arrival:
    """A request as it came in. `path` is the raw target with its query; `status` is None where no reply went out."""

    at: datetime
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Something that happened once: a training that started, a model that went live. `model` is what it belongs to."""

    at: datetime
    id: str
    model: str


def json_reply(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON reply."""
    return web.json_response(data, status=status, headers=headers)


class Service(ABC):
    """One outside service on its own loopback port. What it saw and did is in `requests`, `starts` and `switches`."""

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, clock: Clock, *, host: str = "127.0.0.1", training_seconds: float = 20.0) -> None:
        """Nothing listens before `start`."""
        self.clock = clock
        self.training_seconds = training_seconds
        self.requests: list[Arrival] = []
        self.starts: list[Entry] = []
        self.switches: list[Entry] = []
        self.faults = Faults()
        self._host = host
        self._released = asyncio.Event()
        self._arrival = asyncio.Event()
        self._watchers: list[Callable[[Json], None]] = []
        self._told: Json | None = None
        self._listeners = [self._listener(routes) for routes in (self.routes(), *self.side_routes())]

    # What each service says for itself

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """The calls on the main port."""

    def side_routes(self) -> list[list[web.RouteDef]]:
        """The calls of further hosts that belong to the service, a list a port."""
        return []

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The bot's variables for this service, with dummy credentials."""

    @property
    @abstractmethod
    def base_url(self) -> str:
        """The address that the bot is configured with."""

    @abstractmethod
    def trainings(self) -> list[Json]:
        """The trainings as the page shows them, newest first."""

    @abstractmethod
    def live(self) -> list[Json]:
        """What is served to users now: id, label, facts."""

    @abstractmethod
    def refusal(self, status: int, text: str) -> web.Response:
        """The service's own shape for a refusal that has no shape of its own (no such path, wrong method)."""

    @abstractmethod
    def rate_limited_reply(self) -> web.Response:
        """What it says to somebody who asks too often."""

    @abstractmethod
    def unauthorized_reply(self) -> web.Response:
        """What it says to credentials that it does not take."""

    @abstractmethod
    def course_of(self, training: str) -> Course:
        """The course of a training by the id that the page knows; raises NoSuchActError."""

    # Life

    async def start(self) -> None:
        """Listen."""
        for listener in self._listeners:
            await listener.start()

    async def stop(self) -> None:
        """Let go of hanging requests and close the ports."""
        self._release()
        for listener in self._listeners:
            await listener.stop()

    def url(self, port: int = 0) -> str:
        """Scheme, host and port of the nth port."""
        return self._listeners[port].url

    # For tests and the page

    def fail_next(
        self, kind: str, *, path_contains: str = "", method: str = "", after_work: bool = False, times: int = 1
    ) -> None:
        """Let the next matching requests meet a fault, before or after their work was done; see `faults.OUTAGES`.

        `refused` counts as `reset` here: the connection is there already. With `after_work` the kinds `half` and `cut`
        break the real reply.
        """
        if kind not in KINDS:
            raise NoSuchActError(f"no fault is called {kind!r}")
        accident = Accident(kind=kind, path_contains=path_contains, method=method, after_work=after_work, times=times)
        self.faults.accidents.append(accident)

    def arrivals(self, method: str, path_contains: str = "") -> list[Arrival]:
        """The requests of this kind, in order."""
        return [seen for seen in self.requests if seen.method == method and path_contains in seen.path]

    async def arrived(self, method: str, path_contains: str = "", *, count: int = 1) -> Arrival:
        """Wait for the nth request of this kind, from 1; it may have come before, or still wait for its reply."""
        while len(found := self.arrivals(method, path_contains)) < count:
            await self._arrival.wait()
        return found[count - 1]

    def snapshot(self) -> Json:
        """The service as the page shows it."""
        return {
            "name": self.name,
            "title": self.title,
            "base_url": self.base_url,
            "switches": self.faults.switches(),
            "trainings": self.trainings(),
            "live": self.live(),
            "actions": self.actions(),
        }

    def actions(self) -> list[str]:
        """The acts of this service alone that can be asked for by their name, with nothing else to say."""
        return list(_acts_alone(type(self)))

    def act(self, action: str, **params: Any) -> Json:
        """Carry out an act; the reply says `ok`, and in `message` why not."""
        try:
            done = self._act(action, params)
        except NoSuchActError as error:
            return {"ok": False, "error": "refused", "message": str(error)}
        self.tell()
        return {"ok": True, **done}

    def watch(self, watcher: Callable[[Json], None]) -> None:
        """Call `watcher` with the snapshot after each change."""
        self._watchers.append(watcher)

    def tell(self) -> None:
        """Tell the watchers, if anything changed since they were told last."""
        if not self._watchers:
            return
        seen = self.snapshot()
        if seen != self._told:
            self._told = seen
            for watcher in self._watchers:
                watcher(seen)

    # Acts that every service has

    def act_outage(self, kind: str | None = None) -> Json:
        """Switch an outage on, or off with None."""
        if kind is not None and kind not in OUTAGES:
            raise NoSuchActError(f"no outage is called {kind!r}; there are {', '.join(OUTAGES)}")
        self.faults.outage = kind
        for listener in self._listeners:
            (listener.refuse if kind == "refused" else listener.accept)()
        if kind != "hang":
            self._release()
        return {"outage": kind}

    def act_slow(self, seconds: float = 3.0) -> Json:
        """Let each reply take `seconds`; 0 ends it."""
        self.faults.slow = max(0.0, float(seconds))
        return {"slow": self.faults.slow}

    def act_rate_limited(self, on: bool = True) -> Json:
        """Answer everything as if it were asked too often."""
        self.faults.rate_limited = bool(on)
        return {"rate_limited": self.faults.rate_limited}

    def act_unauthorized(self, on: bool = True) -> Json:
        """Take nobody's credentials."""
        self.faults.unauthorized = bool(on)
        return {"unauthorized": self.faults.unauthorized}

    def act_finish(self, training: str) -> Json:
        """Bring a training to its good end now."""
        self.course_of(training).finish()
        return {"training": training}

    def act_word(self, training: str, word: str | None = None) -> Json:
        """Let the service use any word for this training's state, until called with None."""
        self.course_of(training).spoken = word
        return {"training": training, "word": word}

    # The way of a request

    def _act(self, action: str, params: Json) -> Json:
        method = getattr(self, f"act_{action}", None)
        if method is None:
            raise NoSuchActError(f"{self.title} has no act called {action!r}")
        try:
            inspect.signature(method).bind(**params)
        except TypeError as error:
            raise NoSuchActError(f"{action}: {error}") from error
        done: Json = method(**params)
        return done

    def _listener(self, routes: list[web.RouteDef]) -> Listener:
        app = web.Application(middlewares=[self._serve], client_max_size=MOST_BYTES)
        app.add_routes(routes)
        return Listener(app, self._host)

    @web.middleware
    async def _serve(self, request: web.Request, handler: Any) -> web.StreamResponse:
        arrival = await self._record(request)
        fault = self.faults.take(request.method, request.raw_path)
        if self.faults.slow:
            await self.clock.sleep(self.faults.slow)
        if fault is None:
            reply = await self._work(request, handler)
        else:
            reply = await self._suffer(fault, request, handler)
        arrival.status = None if request.transport is None or request.transport.is_closing() else reply.status
        self.tell()
        return reply

    async def _record(self, request: web.Request) -> Arrival:
        arrival = Arrival(
            at=self.clock.now(),
            method=request.method,
            path=request.raw_path,
            headers=request.headers,
            body=await request.read(),
        )
        self.requests.append(arrival)
        self._arrival.set()
        self._arrival = asyncio.Event()
        if len(self.requests) > MOST_REQUESTS:
            del self.requests[: MOST_REQUESTS // 2]
        return arrival

    async def _work(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            reply: web.StreamResponse = await handler(request)
        except Refused as refused:
            return refused.reply
        except web.HTTPException as error:
            return self.refusal(error.status, error.reason)
        return reply

    async def _suffer(self, fault: Accident, request: web.Request, handler: Any) -> web.StreamResponse:
        real = await self._work(request, handler) if fault.after_work else None
        match fault.kind:
            case "refused" | "reset":
                reset(request.transport)
                return web.Response()
            case "hang":
                await self._released.wait()
                reset(request.transport)
                return web.Response()
            case "half" | "cut":
                return await self._break(fault.kind, request, real)
            case _:
                return self._spoiled(fault.kind)

    async def _break(self, kind: str, request: web.Request, real: web.StreamResponse | None) -> web.StreamResponse:
        whole = real.body if isinstance(real, web.Response) and isinstance(real.body, bytes) else b""
        half = whole[: len(whole) // 2] or HALF
        reply = web.StreamResponse(headers={"Content-Type": real.content_type if real else "application/json"})
        reply.content_length = len(half) * (2 if kind == "cut" else 1)
        reply.force_close()
        await reply.prepare(request)
        await reply.write(half)
        if kind == "cut" and request.transport is not None:
            request.transport.close()
        return reply

    def _spoiled(self, kind: str) -> web.Response:
        match kind:
            case "rate_limited":
                return self.rate_limited_reply()
            case "unauthorized":
                return self.unauthorized_reply()
            case "html":
                return web.Response(text=PAGE, content_type="text/html")
            case "redirect":
                return web.Response(status=302, headers={"Location": self._elsewhere()})
            case "500" | "503":
                return web.Response(status=int(kind), text=f"{kind} upstream error")
            case _:
                return web.Response()

    def _elsewhere(self) -> str:
        """Another origin that still ends here, so that a client which follows is caught in `requests`."""
        return f"http://localhost:{urlsplit(self.url()).port}/elsewhere"

    def _release(self) -> None:
        self._released.set()
        self._released = asyncio.Event()


def query_number(request: web.Request, name: str, default: int) -> int:
    """A whole number from the query; nonsense counts as nothing."""
    text = request.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else default


@cache
def _acts_alone(kind: type[Service]) -> tuple[str, ...]:
    own = {name for name in dir(kind) if name.startswith("act_")} - set(dir(Service))
    return tuple(sorted(name.removeprefix("act_") for name in own if _needs_nothing(getattr(kind, name))))


def _needs_nothing(method: Callable[..., Json]) -> bool:
    _, *parameters = inspect.signature(method).parameters.values()
    return all(one.default is not inspect.Parameter.empty for one in parameters)


def parse_json(body: bytes) -> object:
    """The JSON value of a body; raises ValueError."""
    return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
