"""HTTP mode: signed requests to the app's address.

Sources: https://docs.slack.dev/authentication/verifying-requests-from-slack (signature),
https://docs.slack.dev/apis/events-api/using-http-request-urls (challenge, repeats).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import aiohttp

from sandbox.slack.delivery import DeliveryError, Envelope
from sandbox.slack.faults import Faults
from sandbox.slack.feed import Feed
from sandbox.slack.payloads import TOKEN
from sandbox.slack.wire import JSON

VERIFY_SECONDS = 0.5
FORM = "application/x-www-form-urlencoded"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of X-Slack-Signature: `v0=` and the HMAC-SHA256 of `v0:TIMESTAMP:BODY`."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


class HttpMode:
    """Delivers over HTTP. `time` is the wall clock: a receiver refuses stamps that are five minutes off."""

    def __init__(
        self,
        *,
        events_url: str,
        signing_secret: str,
        time: Callable[[], float],
        feed: Feed,
        faults: Faults,
        ack_seconds: float,
    ) -> None:
        self._url, self._secret, self._time = events_url, signing_secret, time
        self._feed, self._faults, self._ack_seconds = feed, faults, ack_seconds
        self._session = aiohttp.ClientSession()
        self._answered = False
        self._watch = asyncio.get_running_loop().create_task(self._keep_verified())

    @property
    def is_connected(self) -> bool:
        return self._answered

    async def deliver(self, envelope: Envelope) -> Any:
        content_type, body = _body(envelope)
        status, text, headers = await self._post(content_type, body, _retry_headers(envelope))
        if status != 200:
            wants_more = headers.get("X-Slack-No-Retry") != "1"
            raise DeliveryError("dispatch_failed", "http_error", retry=wants_more)
        return _reply(envelope, text)

    async def verify_url(self) -> bool:
        """The challenge that Slack sends when somebody enters the address; true where the app gives it back."""
        challenge = secrets.token_hex(16)
        body = json.dumps({"token": TOKEN, "challenge": challenge, "type": "url_verification"}).encode()
        try:
            status, text, _headers = await self._post("application/json", body, {})
        except DeliveryError:
            return False
        return status == 200 and challenge in text

    async def stop(self) -> None:
        self._watch.cancel()
        await asyncio.wait({self._watch})
        await self._session.close()

    async def _keep_verified(self) -> None:
        """While the app does not listen, the challenge is sent again and again."""
        while True:
            if not self._answered:
                await self.verify_url()
            await asyncio.sleep(VERIFY_SECONDS)

    async def _post(self, content_type: str, body: bytes, more: dict[str, str]) -> tuple[int, str, Any]:
        headers = {**self._signed(body), "Content-Type": content_type, "User-Agent": "Slackbot 1.0", **more}
        try:
            async with asyncio.timeout(self._ack_seconds):
                await self._hold_while_silent()
                async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as reply:
                    text = await reply.text()
        except TimeoutError:
            raise DeliveryError("operation_timeout", "http_timeout") from None
        except aiohttp.ClientError:
            self._notice(answered=False)
            raise DeliveryError("dispatch_failed", "connection_failed") from None
        self._notice(answered=True)
        return reply.status, text, reply.headers

    async def _hold_while_silent(self) -> None:
        if self._faults.silent:
            await asyncio.Event().wait()

    def _signed(self, body: bytes) -> dict[str, str]:
        stamp = str(int(self._time()))
        return {
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": signature(self._secret, stamp, body),
        }

    def _notice(self, *, answered: bool) -> None:
        if answered != self._answered:
            self._answered = answered
            self._feed.publish("bot", {"connected": answered, "connections": int(answered)})


def _body(envelope: Envelope) -> tuple[str, bytes]:
    if envelope.kind == "events_api":
        return "application/json", json.dumps(envelope.payload).encode()
    form: JSON = envelope.payload
    if envelope.kind == "interactive":
        form = {"payload": json.dumps(envelope.payload)}
    return FORM, urlencode(form).encode()


def _retry_headers(envelope: Envelope) -> dict[str, str]:
    if not envelope.retry_attempt:
        return {}
    return {"X-Slack-Retry-Num": str(envelope.retry_attempt), "X-Slack-Retry-Reason": envelope.retry_reason}


def _reply(envelope: Envelope, text: str) -> Any:
    """The body of the answer: JSON where it is some, else plain text, which only a command may send."""
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except ValueError:
        return {"text": text} if envelope.kind == "slash_commands" else None
