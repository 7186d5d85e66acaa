"""Who the bot is in Slack: asked for at the start, and kept for a start during an outage of Slack's."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import StoreError
from bot.ports import Identity, Store
from handlers.messenger import SHUT, code_of
from handlers.origins import Doorkeeper, Installation

log = logging.getLogger(__name__)

SLACK_FAILURES = (SlackApiError, aiohttp.ClientError, TimeoutError, OSError)
ASK_AGAIN_AFTER = 2.0
"""Seconds between two questions to Slack who the bot is."""


class Acquaintance:
    """Asks Slack beside the start: Bolt by itself would ask before the first ack. `door` is told the answer."""

    def __init__(self, client: AsyncWebClient, store: Store, *, kin: frozenset[str] = frozenset()) -> None:
        self.door = Doorkeeper()
        self._client, self._store, self._kin = client, store, kin
        self._known: Identity | None = None

    def result(self, enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            bot_token=self._client.token,
            bot_id=self._known.bot if self._known else None,
            bot_user_id=self._known.user if self._known else None,
        )

    async def recall(self) -> None:
        """Take up what Slack told a former process, if it was told for this very token."""
        kept = await self._store.identity()
        if kept is not None and kept.token == self._token():
            self._learn(kept)

    async def read(self) -> None:
        """Ask until Slack tells. Without anything kept nothing is let in before, see `handlers.origins`."""
        while not await self._is_told():  # noqa: ASYNC110  it is asked for
            await asyncio.sleep(ASK_AGAIN_AFTER)

    async def _is_told(self) -> bool:
        try:
            told = _read(self._token(), (await self._client.auth_test()).data)
        except SLACK_FAILURES as error:
            log.warning("Slack does not tell who the bot is: %s", _code(error))
            if _code(error) in SHUT:
                await self._forget()
            return False
        except (AttributeError, KeyError, ValueError):
            # slack_sdk takes every answer for a JSON object in UTF-8.
            log.warning("Slack does not tell who the bot is: its answer cannot be read")
            return False
        await self._take(told)
        return True

    async def _take(self, told: Identity) -> None:
        former = self._known
        if former is not None and (former.team, former.enterprise) != (told.team, told.enterprise):
            log.warning("Slack names another installation for this token: %s instead of %s", told.team, former.team)
        self._learn(told)
        if told != former:
            await self._keep(told)

    async def _forget(self) -> None:
        """Slack does not take the token any more, so that what it was good for holds no longer."""
        if self._known is not None:
            self._known = None
            self.door.forget()
            await self._keep(None)

    async def _keep(self, identity: Identity | None) -> None:
        try:
            await self._store.keep_identity(identity)
        except StoreError as error:
            log.warning("what Slack told of the bot cannot be kept: %s", error)

    def _learn(self, known: Identity) -> None:
        self._known = known
        self.door.learn(
            Installation(
                team=known.team,
                bot=known.user,
                enterprise=known.enterprise,
                is_org_wide=known.is_org_wide,
                kin=self._kin,
            )
        )

    def _token(self) -> str:
        """A digest, so that the token itself is written nowhere."""
        return hashlib.sha256(f"switchyard identity {self._client.token}".encode()).hexdigest()[:32]


def _read(token: str, data: dict[str, Any] | bytes) -> Identity:
    """KeyError where it names no workspace or no bot."""
    told: Mapping[str, Any] = data if isinstance(data, dict) else {}
    team, enterprise = str(told["team_id"]), str(told.get("enterprise_id") or "")
    is_org_wide = told.get("is_enterprise_install") is True
    return Identity(
        token=token,
        team=team,
        user=str(told["user_id"]),
        bot=str(told.get("bot_id") or ""),
        enterprise=enterprise or (team if is_org_wide else ""),
        is_org_wide=is_org_wide,
    )


def _code(error: Exception) -> str:
    """What went wrong, in a word. Of an answer that could not be read, the SDK hands on whatever it has."""
    return code_of(error) if isinstance(error, SlackApiError) else type(error).__name__
