"""The page in a real browser. `world` runs a whole sandbox, `page` is its page, opened as Ada on a wide screen.

Tests with another bot define their own `world` fixture, or start their bot beside this one; `open_page` opens further
tabs, as other people and in other sizes. A test fails where the browser's console reports an error, and so where the
page asks for anything outside this machine: its content security policy forbids that.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Error, Page, ViewportSize, async_playwright, expect

from sandbox.world import World

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
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
PATIENCE_MILLISECONDS = 15_000
"""Far more than it takes, for machines that have much else to do."""

Theme = Literal["light", "dark"]
Window = tuple[str, int, int, Theme]
OpenPage = Callable[..., Awaitable[Page]]


class Tabs:
    """One window a person and screen, as if each sat at a machine of his own; tests get the windows one after another.

    What a page stores is kept apart by the port of its world.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: dict[Window, list[Page]] = {}

    async def take(self, window: Window) -> Page:
        """A window that nobody uses."""
        free = self._free.get(window)
        return free.pop() if free else await self._open(window)

    async def give_back(self, window: Window, page: Page) -> None:
        """Leave the world, so that the next test finds nothing of it."""
        await page.unroute_all()
        await page.emulate_media(color_scheme=window[-1], reduced_motion="reduce")
        await page.goto("about:blank")
        self._free.setdefault(window, []).append(page)

    async def _open(self, window: Window) -> Page:
        _, width, height, theme = window
        screen = ViewportSize(width=width, height=height)
        context = await self._browser.new_context(
            viewport=screen, color_scheme=theme, locale="en-US", reduced_motion="reduce", has_touch=screen == NARROW
        )
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        return await context.new_page()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tabs() -> AsyncIterator[Tabs]:
    """One Chromium for all tests of a run."""
    chromium = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if chromium is None:
        pytest.skip(f"no Chromium is installed (looked for {', '.join(PROGRAMS)})")
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
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
    taken: list[tuple[Window, Page]] = []

    def hear(line: ConsoleMessage) -> None:
        if line.type in {"error", "warning"}:
            complaints.append(line.text)

    def catch(error: Error) -> None:
        complaints.append(str(error))

    async def open_it(
        person: str = "ada", *, screen: ViewportSize = WIDE, place: str = "", theme: Theme = "light"
    ) -> Page:
        window: Window = (person, screen["width"], screen["height"], theme)
        opened = await tabs.take(window)
        taken.append((window, opened))
        opened.on("console", hear)
        opened.on("pageerror", catch)
        await opened.goto(f"{world.page}?as={person}#{place}")
        await opened.get_by_role("log").first.wait_for()
        return opened

    yield open_it
    for window, opened in taken:
        opened.remove_listener("console", hear)
        opened.remove_listener("pageerror", catch)
        await tabs.give_back(window, opened)
    assert complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page: OpenPage) -> Page:
    """The page as Ada sees it on a wide screen."""
    return await open_page("ada")
