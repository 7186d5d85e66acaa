"""How something reaches the app: one envelope, three seconds for the acknowledgement, repeats for events only."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sandbox.slack.feed import Feed
from sandbox.slack.wire import JSON

Kind = Literal["slash_commands", "interactive", "events_api"]
KEPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    id: str
    kind: Kind
    payload: JSON
    accepts_response: bool
    retry_attempt: int = 0
    retry_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """The app's answer. `payload` is what it said with it, None where it only confirmed."""

    payload: Any
    ms: float


class DeliveryError(Exception):
    """The app did not take an envelope; `error` is the word that Slack shows, `reason` the one of its retries."""

    def __init__(self, error: str, reason: str, *, retry: bool = True) -> None:
        super().__init__(error)
        self.error, self.reason, self.retry = error, reason, retry


class Transport(Protocol):
    """Socket Mode or signed HTTP."""

    @property
    def is_connected(self) -> bool:
        """Whether the app listens now, as far as Slack can know."""
        ...

    async def deliver(self, envelope: Envelope) -> Any:
        """The payload of the acknowledgement; raises DeliveryError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One envelope and what became of it, for tests."""

    id: str
    type: Kind
    payload: JSON
    ack_ms: float | None = None
    ack: Any = None
    error: str | None = None
    retry_attempt: int = 0


class Courier:
    """Delivers, measures and keeps a record of it."""

    def __init__(self, transport: Transport, feed: Feed, retry_after: tuple[float, ...]) -> None:
        self._transport, self._feed, self._retry_after = transport, feed, retry_after
        self._running: set[asyncio.Task[None]] = set()
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)

    async def deliver(self, kind: Kind, payload: JSON, *, accepts_response: bool = False) -> Ack:
        """Delivers once; raises DeliveryError. Slack repeats neither commands nor clicks."""
        return await self._attempt(_envelope(kind, payload, accepts_response=accepts_response))

    def send_event(self, payload: JSON) -> None:
        """Delivers an event in the background, again where it is not acknowledged."""
        task = asyncio.get_running_loop().create_task(self._send_event(payload))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def stop(self) -> None:
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _send_event(self, payload: JSON) -> None:
        reason = ""
        for attempt, pause in enumerate((0.0, *self._retry_after)):
            await asyncio.sleep(pause)
            try:
                await self._attempt(_envelope("events_api", payload, attempt=attempt, reason=reason))
            except DeliveryError as failure:
                if not failure.retry:
                    return
                reason = failure.reason
            else:
                return

    async def _attempt(self, envelope: Envelope) -> Ack:
        started = time.perf_counter()
        try:
            answer = await self._transport.deliver(envelope)
        except DeliveryError as failure:
            self._record(envelope, error=failure.error)
            raise
        ack = Ack(payload=answer, ms=round((time.perf_counter() - started) * 1000, 2))
        self._record(envelope, ack=ack)
        return ack

    def _record(self, envelope: Envelope, *, ack: Ack | None = None, error: str | None = None) -> None:
        self.deliveries.append(
            Delivery(
                id=envelope.id,
                type=envelope.kind,
                payload=envelope.payload,
                ack_ms=ack.ms if ack else None,
                ack=ack.payload if ack else None,
                error=error,
                retry_attempt=envelope.retry_attempt,
            )
        )
        self._feed.stir()


def _envelope(
    kind: Kind, payload: JSON, *, accepts_response: bool = False, attempt: int = 0, reason: str = ""
) -> Envelope:
    return Envelope(
        id=str(uuid.uuid4()),
        kind=kind,
        payload=payload,
        accepts_response=accepts_response,
        retry_attempt=attempt,
        retry_reason=reason,
    )
