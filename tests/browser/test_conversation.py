"""The conversation: commands, cards, threads, buttons, forms, and who sees what."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from sandbox.world import World
from tests.browser.card_bot import TRAININGS, CardBot, card_bot, section
from tests.browser.conftest import OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def bot(world: World) -> AsyncIterator[CardBot]:
    async with card_bot(world.slack) as connected:
        yield connected


def composer(page: Page) -> Locator:
    return page.get_by_role("main").get_by_role("textbox")


def messages(page: Page) -> Locator:
    return page.get_by_role("main").get_by_role("article")


def the_card(page: Page) -> Locator:
    return messages(page).filter(has_text="Training my-model")


async def switch_to(page: Page, name: str) -> None:
    await page.get_by_role("button", name="Switch person").click()
    await page.get_by_role("menuitemradio", name=name).click()


async def test_a_command_is_completed_and_its_card_is_edited_in_place(page: Page, bot: CardBot) -> None:
    """Typing "/" offers the commands; the card that follows is one row that changes, with the focus kept in it."""
    await composer(page).press_sequentially("/tra")
    await expect(page.get_by_role("option").first).to_contain_text("/train")
    await composer(page).press("Tab")
    await composer(page).press_sequentially("sestek my-model en-US")
    await composer(page).press("Enter")
    await expect(messages(page).filter(has_text="Only visible to you")).to_contain_text(
        "checking sestek my-model en-US"
    )
    await expect(the_card(page)).to_contain_text("queued")
    row = await the_card(page).element_handle()
    await the_card(page).get_by_role("button", name="Cancel").focus()
    await bot.edit_card("running")
    await expect(the_card(page)).to_contain_text("running")
    assert await the_card(page).evaluate("(now, before) => now === before", row)
    await expect(the_card(page).get_by_role("button", name="Cancel")).to_be_focused()


async def test_arrow_keys_choose_a_command_and_a_reserved_name_says_so(page: Page) -> None:
    """The list is steered by the keyboard, Escape closes it, and what Slack would never deliver is marked."""
    await composer(page).press_sequentially("/")
    options = page.get_by_role("option")
    await expect(options.filter(has_text="/status")).to_contain_text(
        "Slack reserves this name; the sandbox delivers it"
    )
    await composer(page).press("ArrowDown")
    await expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    chosen = await options.nth(1).get_attribute("id")
    await expect(composer(page)).to_have_attribute("aria-activedescendant", chosen or "none")
    await composer(page).press("Escape")
    await expect(options).to_have_count(0)
    await expect(composer(page)).to_have_value("/")


@pytest.mark.proof
async def test_what_was_sent_comes_back_with_arrow_up(page: Page, world: World) -> None:
    """Enter sends, Shift+Enter breaks the line, arrow up brings back the last lines."""
    await composer(page).press_sequentially("one")
    await composer(page).press("Shift+Enter")
    await composer(page).press_sequentially("two")
    await composer(page).press("Enter")
    await world.slack.wait_for_message(TRAININGS, lambda said: said.text == "one\ntwo")
    await composer(page).press_sequentially("three")
    await composer(page).press("Enter")
    await expect(messages(page)).to_have_count(2)
    await composer(page).press("ArrowUp")
    await expect(composer(page)).to_have_value("three")
    await composer(page).press("ArrowUp")
    await expect(composer(page)).to_have_value("one\ntwo")


async def test_a_command_that_fails_is_explained_as_slack_does(page: Page) -> None:
    """Without an app, Slackbot says that it did not respond; an unknown command is named. Only its author sees it."""
    await composer(page).fill("/train help")
    await composer(page).press("Enter")
    slackbot = messages(page).filter(has_text="Slackbot")
    await expect(slackbot).to_contain_text("/train failed")
    await expect(slackbot).to_contain_text("Only visible to you")
    await composer(page).fill("/nonsense")
    await composer(page).press("Enter")
    await expect(messages(page).last).to_contain_text("is not a valid command")
    await expect(messages(page)).to_have_count(2)
    await expect(page.get_by_text("Only visible to you")).to_have_count(2)


async def test_a_thread_opens_beside_the_channel_and_by_its_address(page: Page, bot: CardBot) -> None:
    """Replies are counted under their message and shown in a panel; a broadcast one stands in the channel too."""
    await bot.post_card("running")
    await bot.post("queued, then running", thread_ts=bot.card_ts)
    await bot.post("<@U0ADA00001> it is trained", thread_ts=bot.card_ts, reply_broadcast=True)
    await expect(messages(page).filter(has_text="replied to a thread")).to_contain_text("@Ada Yılmaz it is trained")
    await page.get_by_role("button", name="2 replies").click()
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread.get_by_role("article")).to_have_count(3)
    await thread.get_by_role("textbox").fill("thank you")
    await thread.get_by_role("textbox").press("Enter")
    await expect(thread.get_by_role("article")).to_have_count(4)
    await expect(page.get_by_role("button", name="3 replies")).to_be_visible()
    assert page.url.endswith(f"#{TRAININGS}/{bot.card_ts}")
    await page.reload()
    await expect(thread.get_by_role("article")).to_have_count(4)
    await page.keyboard.press("Escape")
    await expect(thread).to_be_hidden()


async def test_a_file_in_a_thread_opens_for_members(page: Page, bot: CardBot) -> None:
    """It is shown with its size below the card, and its bytes come to the person whose screen this is."""
    await bot.post_card("trained")
    await bot.client.files_upload_v2(
        channel=TRAININGS, thread_ts=bot.card_ts, content="a result", filename="result.zip", initial_comment="left"
    )
    await page.get_by_role("button", name="1 reply").click()
    thread = page.get_by_role("complementary", name="Thread")
    file = thread.get_by_role("link", name="result.zip")
    await expect(file).to_contain_text("8 bytes")
    address = await file.get_attribute("href")
    reply = await page.request.get(f"{bot.slack.base_url}{address}")
    assert (reply.status, await reply.body()) == (200, b"a result")


@pytest.mark.proof
async def test_slash_commands_are_refused_in_threads(page: Page, bot: CardBot) -> None:
    """Slack supports no app's commands in threads, and says so there."""
    await bot.post_card("running")
    await the_card(page).hover()
    await page.get_by_role("button", name="Reply in thread").click()
    thread = page.get_by_role("complementary", name="Thread")
    await thread.get_by_role("textbox").fill("/train help")
    await thread.get_by_role("textbox").press("Enter")
    await expect(thread).to_contain_text("/train is not supported in threads. Sorry!")


async def test_a_button_with_a_question_is_pressed_only_after_yes(page: Page, bot: CardBot) -> None:
    """ "Keep it" and Escape send nothing, "Cancel it" sends the press with its value."""
    await bot.post_card("running")
    for way_out in ("Keep it", "Escape"):
        await the_card(page).get_by_role("button", name="Cancel").click()
        dialog = page.get_by_role("dialog", name="Cancel this training?")
        if way_out == "Escape":
            await page.keyboard.press("Escape")
        else:
            await dialog.get_by_role("button", name=way_out).click()
        await expect(dialog).to_have_count(0)
    await the_card(page).get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Cancel it").click()
    await bot.slack.wait_for(lambda: bot.pressed, what="the press")
    assert [(press["action_id"], press["value"]) for press in bot.pressed] == [("cancel", "7")]
    await expect(the_card(page).get_by_role("button", name="Cancel")).not_to_have_attribute("aria-busy", "true")


@pytest.mark.proof
async def test_menus_of_a_card_send_the_chosen_option(page: Page, bot: CardBot) -> None:
    """A select and an overflow menu carry the option as the app wrote it."""
    await bot.post_card("running")
    await the_card(page).get_by_role("combobox").select_option("rarely")
    await the_card(page).get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Show the plan").click()
    await bot.slack.wait_for(lambda: len(bot.pressed) == 2, what="two presses")
    assert [press["selected_option"]["value"] for press in bot.pressed] == ["60", "plan"]


@pytest.mark.proof
async def test_a_press_that_nobody_answers_says_so_on_the_card(page: Page, bot: CardBot, world: World) -> None:
    """Where the app is away, the person reads it beside the button and can press again."""
    await bot.post_card("running")
    await world.slack.person("ada").say("ready", TRAININGS)
    await expect(messages(page).last).to_contain_text("ready")
    await world.slack.switch("refuse", {"times": 100})
    await world.slack.switch("disconnect", {"abort": True})
    await expect(page.get_by_role("status")).to_contain_text("switchyard is not connected")
    await the_card(page).get_by_role("combobox").select_option("rarely")
    await expect(the_card(page).get_by_role("alert")).to_contain_text("trouble connecting")


async def test_a_form_shows_its_errors_and_keeps_what_was_typed(page: Page, bot: CardBot, open_page: OpenPage) -> None:
    """Slack's own check comes first, then the app's; the form is on the screen of the person who opened it alone."""
    await bot.post_card("running")
    other = await open_page("bora")
    await the_card(page).get_by_role("button", name="Reject").click()
    dialog = page.get_by_role("dialog", name="Reject the switch")
    await expect(dialog.get_by_role("textbox", name="Reason")).to_be_focused()
    await dialog.get_by_role("button", name="Send").click()
    await expect(dialog.get_by_role("alert")).to_have_text("Please complete this required field.")
    await dialog.get_by_role("textbox").fill("no")
    await dialog.get_by_role("button", name="Send").click()
    await expect(dialog.get_by_role("alert")).to_have_text("Say it in five letters or more.")
    await expect(dialog.get_by_role("textbox")).to_have_value("no")
    await expect(dialog.get_by_role("textbox")).to_be_focused()
    await expect(the_card(other)).to_be_visible()
    await expect(other.get_by_role("dialog")).to_have_count(0)
    await dialog.get_by_role("textbox").fill("recall fell")
    await dialog.get_by_role("button", name="Send").click()
    await expect(dialog).to_have_count(0)
    assert bot.reasons == ["recall fell"]


async def test_the_focus_stays_inside_a_form(page: Page, bot: CardBot) -> None:
    """Tab goes round inside the dialog, and Escape closes the form for good."""
    await bot.post_card("running")
    await the_card(page).get_by_role("button", name="Reject").click()
    dialog = page.get_by_role("dialog")
    await dialog.wait_for()
    for _ in range(6):
        await page.keyboard.press("Tab")
        assert await dialog.evaluate("(dialog) => dialog.contains(document.activeElement)")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await bot.slack.wait_for(lambda: bot.slack.person("ada").view is None, what="the form to close")


async def test_what_is_for_one_person_is_seen_by_nobody_else(page: Page, bot: CardBot) -> None:
    """An ephemeral message shows after switching to its person, only there, and can be dismissed."""
    await bot.client.chat_postEphemeral(channel=TRAININGS, user="U0BORA0001", text="You may approve this.")
    await bot.post("for everybody")
    await expect(messages(page)).to_have_count(1)
    await switch_to(page, "Bora Kim")
    private = messages(page).filter(has_text="Only visible to you")
    await expect(private).to_contain_text("You may approve this.")
    await expect(composer(page)).to_have_attribute("placeholder", "Message #trainings as Bora Kim")
    await private.get_by_role("button", name="Dismiss message").click()
    await expect(private).to_have_count(0)


@pytest.mark.proof
async def test_unread_channels_are_marked_for_each_person(page: Page, bot: CardBot) -> None:
    """A dot for news, a number where the person was named, nothing where he has looked."""
    sidebar = page.get_by_role("navigation")
    await sidebar.get_by_role("link", name="alarms").click()
    await bot.post("<!subteam^S0MLOPS001> please look")
    await expect(sidebar.get_by_role("img", name="unread")).to_be_visible()
    await switch_to(page, "Bora Kim")
    await expect(page.get_by_role("separator", name="New")).to_be_hidden()
    await expect(sidebar.get_by_label("1 unread for you")).to_be_visible()
    await sidebar.get_by_role("link", name="trainings").click()
    await expect(page.get_by_role("separator", name="New")).to_have_count(1)
    await expect(sidebar.get_by_label("1 unread for you")).to_have_count(0)


@pytest.mark.proof
async def test_the_list_follows_the_newest_message_unless_somebody_reads_above(
    page: Page, bot: CardBot, world: World
) -> None:
    """At the end the list stays at the end; scrolled up it stays where it is, and a button leads down."""
    for number in range(40):
        await world.slack.person("bora").say(f"line {number}", TRAININGS)
    await expect(messages(page).last).to_be_in_viewport()
    log = page.get_by_role("main").get_by_role("log")
    await log.evaluate("(log) => { log.scrollTop = 0 }")
    await expect(page.get_by_role("button", name="Newest")).to_be_visible()
    await bot.post("news")
    await expect(page.get_by_role("button", name="1 new message")).to_be_visible()
    assert await log.evaluate("(log) => log.scrollTop") == 0
    await page.get_by_role("button", name="1 new message").click()
    await expect(messages(page).last).to_be_in_viewport()


async def test_nothing_in_a_message_becomes_markup(page: Page, bot: CardBot, world: World) -> None:
    """Tags, handlers and script addresses stay text, whoever sent them and wherever they stand."""
    attack = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
    await world.slack.person("ada").say(attack, TRAININGS)
    await bot.post("fallback", blocks=[section("<javascript:window.hacked=1|press me> *" + attack + "*")])
    for text in (attack, "press me"):
        await expect(messages(page).filter(has_text=text).first).to_be_visible()
    assert await page.evaluate("window.hacked") is None
    assert await messages(page).locator("img, script, a[href^='javascript']").count() == 0


async def test_what_happened_while_the_line_was_cut_is_caught_up(
    page: Page, bot: CardBot, complaints: list[str]
) -> None:
    """When the events break off the page says so, comes back by itself and shows what it missed."""
    await page.route("**/page/events*", lambda route: route.abort())
    await page.reload()
    await expect(page.get_by_role("status")).to_contain_text("The sandbox is gone")
    await bot.post("said meanwhile")
    await page.unroute("**/page/events*")
    await expect(messages(page)).to_contain_text("said meanwhile")
    await expect(page.get_by_role("status")).to_contain_text("switchyard connected · Socket Mode")
    await bot.post("said afterwards")
    await expect(messages(page).last).to_contain_text("said afterwards")
    complaints.clear()


@pytest.mark.proof
async def test_the_app_is_brought_into_a_channel(page: Page, world: World, bot: CardBot) -> None:
    """Where the app is no member a banner says so; its button, and Slack's own /invite, bring it in."""
    await page.get_by_role("link", name="general").click()
    await page.get_by_role("button", name="Add switchyard").click()
    await expect(messages(page)).to_contain_text("@switchyard has joined the channel")
    await expect(page.get_by_role("button", name="Add switchyard")).to_have_count(0)
    world.slack.kick("general", "switchyard")
    await composer(page).fill("/invite @switchyard")
    await composer(page).press("Enter")
    await world.slack.wait_for(
        lambda: "U0SWITCHY1" in world.slack.workspace.channel("C0GENERAL1").members, what="the app to join"
    )


@pytest.mark.proof
async def test_the_direct_conversation_is_opened_on_demand(page: Page, bot: CardBot) -> None:
    """The app stands under the direct messages; pressing it opens a conversation that others do not see."""
    await page.get_by_role("navigation").get_by_role("button", name="switchyard").click()
    await expect(composer(page)).to_have_attribute("placeholder", "Message switchyard as Ada Yılmaz")
    await composer(page).fill("hello")
    await composer(page).press("Enter")
    await expect(messages(page)).to_contain_text("hello")
    await switch_to(page, "Dan Weber")
    await expect(messages(page)).to_have_count(0)


@pytest.mark.proof
async def test_an_archived_channel_can_only_be_read(page: Page) -> None:
    """There is no message box where nobody can write."""
    await page.get_by_role("link", name="old-lab").click()
    await expect(page.get_by_role("main")).to_contain_text("#old-lab is archived")
    await expect(composer(page)).to_be_hidden()
