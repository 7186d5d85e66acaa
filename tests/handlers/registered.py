"""The real providers, built from the sandbox's settings; nothing is called."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from bot.ports import Provider
from bot.providers import registry
from bot.providers.http import Tools, open_sessions
from bot.providers.registry import Registry
from bot.settings import load
from sandbox.clock import Clock
from sandbox.services import Services

NAMES = ("sestek", "deepopinion", "decthings", "aitems", "sony")


@cache
def providers() -> Registry:
    """All five. Their sessions are closed: only the pure members are good."""
    settings = load(Services(Clock()).environment(), Path(os.devnull))

    async def build() -> Registry:
        async with open_sessions() as sessions:
            return registry.load(settings.providers, Tools(sessions=sessions, now=lambda: datetime.now(UTC)))

    # In a thread of its own: a story that asks for them may be in a loop already.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, build()).result()


def provider(name: str) -> Provider:
    return providers().get(name)
