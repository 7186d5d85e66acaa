"""Things that Slack hands out for a short time: trigger ids, response addresses, socket addresses."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from sandbox.slack.wire import SlackError

TRIGGER_SECONDS = 3.0
RESPONSE_SECONDS = 30 * 60.0
RESPONSE_USES = 5
LINK_SECONDS = 30.0


@dataclass(slots=True, kw_only=True)
class Trigger:
    id: str
    user: str
    until: float
    view_id: str | None = None
    taken: bool = False


class Triggers:
    """Trigger ids: each opens one view within three seconds.

    Source: https://docs.slack.dev/interactivity/handling-user-interaction.
    """

    def __init__(self, time: Callable[[], float], pace: Callable[[], float]) -> None:
        self._time, self._pace = time, pace
        self._known: dict[str, Trigger] = {}

    def issue(self, user: str, *, view_id: str | None = None) -> str:
        now = self._time()
        name = f"{int(now * 1000)}.{len(self._known)}.{secrets.token_hex(16)}"
        self._known[name] = Trigger(id=name, user=user, until=now + TRIGGER_SECONDS * self._pace(), view_id=view_id)
        return name

    def look(self, trigger_id: str) -> Trigger:
        """The trigger if it can still be taken; else the refusal that Slack sends."""
        trigger = self._known.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.taken:
            raise SlackError("exchanged_trigger_id")
        if self._time() > trigger.until:
            raise SlackError("expired_trigger_id")
        return trigger


@dataclass(slots=True, kw_only=True)
class Response:
    """One response_url: where it posts, and which message it may replace or delete."""

    path: str
    channel: str
    user: str
    until: float
    message_ts: str | None = None
    ephemeral_id: str | None = None
    thread_ts: str | None = None
    uses: int = field(default=0)


class Responses:
    """response_urls: five uses in thirty minutes.

    Source: https://docs.slack.dev/interactivity/handling-user-interaction.
    """

    def __init__(self, time: Callable[[], float], team_id: str) -> None:
        self._time, self._team_id = time, team_id
        self._known: dict[str, Response] = {}

    def issue(
        self,
        kind: Literal["commands", "actions", "app"],
        *,
        channel: str,
        user: str,
        message_ts: str | None = None,
        ephemeral_id: str | None = None,
        thread_ts: str | None = None,
    ) -> str:
        """A new path under the address of this server."""
        path = f"/{kind}/{self._team_id}/{len(self._known) + 1}/{secrets.token_hex(12)}"
        self._known[path] = Response(
            path=path,
            channel=channel,
            user=user,
            until=self._time() + RESPONSE_SECONDS,
            message_ts=message_ts,
            ephemeral_id=ephemeral_id,
            thread_ts=thread_ts,
        )
        return path

    def use(self, path: str) -> Response:
        response = self._known.get(path)
        if response is None:
            raise SlackError("no_service")
        if response.uses >= RESPONSE_USES:
            raise SlackError("used_url")
        if self._time() > response.until:
            raise SlackError("expired_url")
        response.uses += 1
        return response


class Links:
    """Socket addresses: each carries one connection, soon."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._until: dict[str, float] = {}

    def issue(self) -> str:
        ticket = secrets.token_hex(16)
        self._until[ticket] = self._time() + LINK_SECONDS
        return ticket

    def take(self, ticket: str) -> bool:
        """Whether the ticket opens a connection now; it never does twice."""
        return self._until.pop(ticket, 0.0) >= self._time()
