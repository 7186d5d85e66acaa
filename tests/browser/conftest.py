"""The page in a real browser. `world` runs a whole sandbox, `page` is its page, opened as Ada on a wide screen.

Tests with another bot define their own `world` fixture, or start their bot beside this one; `open_page` opens further
tabs, as other people and in other sizes. A test fails where the browser's console reports an error, and so where the
page asks for anything outside this machine: its content security policy forbids that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

from sandbox.world import World

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE = ViewportSize(width=1440, height=900)
NARROW = ViewportSize(width=390, height=844)
PATIENCE_MILLISECONDS = 5000

Theme = Literal["light", "dark"]
OpenPage = Callable[..., Awaitable[Page]]


class Tabs:
    """Contexts of the browser, one a person and screen, as if each sat at a machine of his own.

    What a page stores is kept apart by the port of its world.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: dict[tuple[str, int, Theme], BrowserContext] = {}

    async def open(self, person: str, screen: ViewportSize, theme: Theme) -> Page:
        kind = person, screen["width"], theme
        if kind not in self._contexts:
            self._contexts[kind] = await self._context(screen, theme)
        return await self._contexts[kind].new_page()

    async def _context(self, screen: ViewportSize, theme: Theme) -> BrowserContext:
        context = await self._browser.new_context(
            viewport=screen, color_scheme=theme, locale="en-US", reduced_motion="reduce", has_touch=screen == NARROW
        )
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        return context


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tabs() -> AsyncIterator[Tabs]:
    """One Chromium for all tests of a run."""
    if not CHROMIUM.is_file():
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield Tabs(started)
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def world(tabs: Tabs) -> AsyncIterator[World]:  # without a browser no world is needed
    """A running sandbox; nobody is connected to it as its bot."""
    async with World(port=0, training_seconds=60.0, limits="off") as running:
        yield running


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about so far; a test that breaks something on purpose takes its part away."""
    return []


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(tabs: Tabs, world: World, complaints: list[str]) -> AsyncIterator[OpenPage]:
    """Opens the page: `await open_page("bora", screen=NARROW, place="C0TRAIN001", theme="dark")`."""
    pages: list[Page] = []

    async def open_it(
        person: str = "ada", *, screen: ViewportSize = WIDE, place: str = "", theme: Theme = "light"
    ) -> Page:
        opened = await tabs.open(person, screen, theme)
        pages.append(opened)
        opened.on("console", lambda line: complaints.append(line.text) if line.type in {"error", "warning"} else None)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        await opened.goto(f"{world.page}?as={person}#{place}")
        await opened.get_by_role("log").first.wait_for()
        return opened

    yield open_it
    for opened in pages:
        await opened.close()
    assert complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page: OpenPage) -> Page:
    """The page as Ada sees it on a wide screen."""
    return await open_page("ada")
