"""The whole product on the page: a person types, watches and decides, with the real bot behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from sandbox.world import World
from tests.browser.conftest import OpenPage, Tabs
from tests.flows.lab import CHANNEL, FAST, Lab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def world(tabs: Tabs) -> AsyncIterator[World]:  # without a browser no world is needed
    """A sandbox whose trainings are short."""
    async with World(port=0, training_seconds=0.4, limits="off") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def bot(world: World, tmp_path: Path) -> AsyncIterator[Lab]:
    """The real bot in this world."""
    database = {"SWITCHYARD_DATABASE_URL": f"sqlite:///{tmp_path / 'switchyard.db'}"}
    made = Lab(world=world, environ={**world.environment(), **FAST, **database})
    await made.start()
    yield made
    await made.stop()


def messages(page: Page) -> Locator:
    return page.get_by_role("main").get_by_role("article")


async def enter(page: Page, line: str) -> None:
    box = page.get_by_role("main").get_by_role("textbox")
    await box.fill(line)
    await box.press("Escape")
    await box.press("Enter")


async def test_a_training_is_typed_and_its_card_moves_to_its_end(bot: Lab, open_page: OpenPage) -> None:
    """`/train sestek my-model en-US` is a whole command: its card appears and moves by itself until it is live."""
    page = await open_page("ada", place=CHANNEL)
    await enter(page, "/train sestek my-model en-US")
    await expect(messages(page).filter(has_text="Got it")).to_be_visible()
    card = messages(page).filter(has_text="Asked by")
    await expect(card).to_contain_text("live")
    await expect(card).to_have_count(1)
    await expect(messages(page).filter(has_text="@Ada Yılmaz").filter(has_text="live").last).to_be_visible()


@pytest.mark.proof
async def test_a_status_is_asked_of_the_service_itself(bot: Lab, open_page: OpenPage) -> None:
    """`/status aitems …` tells the service's own word to the one who asked, and offers to watch."""
    page = await open_page("ada", place=CHANNEL)
    await enter(page, "/status aitems svcmovies01 pop v0pop000001")
    answer = messages(page).filter(has_text="completed")
    await expect(answer).to_contain_text("not started here")
    await expect(answer.get_by_role("button", name="Watch")).to_be_visible()


async def test_a_switch_is_offered_approved_by_another_person_and_applied(bot: Lab, open_page: OpenPage) -> None:
    """Who asked cannot approve; another person can, after one more question; then it is said to be live."""
    page = await open_page("ada", place=CHANNEL)
    await enter(page, "/train sony churn data=churn.csv")
    prompt = messages(page).filter(has_text="May the trained model go live?")
    await expect(prompt).to_contain_text("Result file")  # the last edit that it gets by itself
    await bot.quiet()
    await prompt.get_by_role("button", name="Approve").click()
    await page.get_by_role("dialog").get_by_role("button", name="Approve the switch").click()
    await expect(messages(page).filter(has_text="somebody else has to decide")).to_be_visible()
    assert bot.world.services.sony.switches == []

    other = await open_page("bora", place=CHANNEL)
    question = messages(other).filter(has_text="May the trained model go live?")
    await question.get_by_role("button", name="Approve").click()
    await other.get_by_role("dialog").get_by_role("button", name="Approve the switch").click()
    await expect(question).to_contain_text("Approved by @Bora Kim")
    await expect(question.get_by_role("button", name="Approve")).to_have_count(0)
    await expect(messages(page).filter(has_text="Asked by").first).to_contain_text("live")
    assert len(bot.world.services.sony.switches) == 1


@pytest.mark.proof
async def test_a_reject_asks_for_its_reason_in_a_form(bot: Lab, open_page: OpenPage) -> None:
    """The reason that was typed into the form stands on the prompt and in the thread."""
    page = await open_page("chie", place=CHANNEL)
    await bot.type("/train sony demand data=demand.csv")
    prompt = messages(page).filter(has_text="May the trained model go live?")
    await prompt.get_by_role("button", name="Reject").click()
    form = page.get_by_role("dialog", name="Reject")
    await form.get_by_role("textbox").fill("recall fell by three points")
    await form.get_by_role("button", name="Reject").click()
    await expect(prompt).to_contain_text("recall fell by three points")
    await expect(prompt).to_contain_text("Rejected by @Chie Tanaka")
    assert bot.world.services.sony.switches == []


async def test_the_home_tab_shows_what_waits_and_answers_there(bot: Lab, open_page: OpenPage) -> None:
    """Bora finds the question beside her conversation with the app, decides it there, and reads what became of it."""
    await bot.type("/train sony churn data=churn.csv")
    await bot.type("/train sestek my-model en-US", "chie")
    await bot.asked("May the trained model go live?")
    page = await open_page("bora", place=CHANNEL)
    await page.get_by_role("navigation", name="Channels and people").get_by_text("switchyard", exact=True).click()
    await page.get_by_role("link", name="Home").click()
    home = page.get_by_role("region", name="Home")
    await expect(home.get_by_role("heading", name="Waiting for you (1)")).to_be_visible()
    await expect(home).to_contain_text("no way back")
    await home.get_by_role("button", name="Approve").click()
    await page.get_by_role("dialog").get_by_role("button", name="Approve the switch").click()
    await expect(home).to_contain_text("Thank you: approved.")
    await expect(home).to_contain_text("Nothing waits for your decision.")
    await page.get_by_role("link", name="Messages").click()
    await expect(home).to_be_hidden()
    await expect(page.get_by_role("log", name="Messages in switchyard")).to_be_visible()


async def test_a_training_is_started_in_the_form(bot: Lab, open_page: OpenPage) -> None:
    """`/train` alone: pick a service, fill in its fields, read what is wrong at its field, and it runs."""
    page = await open_page("ada", place=CHANNEL)
    await enter(page, "/train")
    form = page.get_by_role("dialog", name="Start a training")
    await form.get_by_label("Service").select_option(label="Sestek Knovvu ML")
    await form.get_by_label("Model", exact=True).fill("My Model")
    await form.get_by_label("Language").select_option("tr-TR")
    await form.get_by_label("Data (optional)", exact=True).select_option("my-model.jsonl")
    await form.get_by_role("button", name="Start").click()
    await expect(form.get_by_role("alert")).to_contain_text("capital letters")
    await form.get_by_label("Model", exact=True).fill("my-model")
    await form.get_by_role("button", name="Start").click()
    await expect(form).to_have_count(0)
    card = messages(page).filter(has_text="Asked by")
    await expect(card).to_contain_text("live")
    await card.get_by_role("button", name="Again").click()
    await expect(form.get_by_label("Model", exact=True)).to_have_value("my-model")
    await expect(form.get_by_label("Language")).to_have_value("tr-TR")
