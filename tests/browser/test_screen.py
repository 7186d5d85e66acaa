"""The page on its screens: narrow, dark, with Block Kit and mrkdwn as Slack draws them, and the services beside it."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import ClientSession, FormData
from playwright.async_api import Page, ViewportSize, expect

from sandbox.services.course import Course
from sandbox.services.sestek import API
from sandbox.world import World
from tests.browser.card_bot import TRAININGS, card_bot, plain
from tests.browser.conftest import NARROW, OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

RENDER = """async (text) => {
  const { renderMrkdwn } = await import('/page/static/scripts/mrkdwn.js');
  const known = { U1: { label: '@Ada', isMe: true } };
  const names = { person: (id) => known[id] ?? null, channel: () => null, group: () => ({ label: '@ml-ops' }) };
  const holder = document.createElement('div');
  holder.append(renderMrkdwn(text, names));
  return holder.innerHTML.replace(/ (target|rel|role|title|tabindex|datetime|aria-label)="[^"]*"/g, '');
}"""

TEXTS = {
    "*bold* _italic_ ~struck~ `code`": "<strong>bold</strong> <em>italic</em> <s>struck</s> <code>code</code>",
    "*bold _and italic_*": "<strong>bold <em>and italic</em></strong>",
    "2*3*4 snake_case_name a * b": "2*3*4 snake_case_name a * b",
    "`*not bold*` *`code` in bold*": "<code>*not bold*</code> <strong><code>code</code> in bold</strong>",
    "```one\n*two*```": "<pre>one\n*two*</pre>",
    "&gt; quoted\n&gt; twice\nplain": "<blockquote>quoted<br>twice</blockquote>plain",
    "&lt;b&gt; &amp;amp;": "&lt;b&gt; &amp;amp;",
    "<@U1> <@U2|bob> <!channel> <!subteam^S1>": (
        '<span class="mention mention-me">@Ada</span> <span class="mention">@bob</span> '
        '<span class="mention mention-me">@channel</span> <span class="mention">@ml-ops</span>'
    ),
    "<https://example.com/a?b=1&amp;c=2|*docs*>": '<a href="https://example.com/a?b=1&amp;c=2"><strong>docs</strong></a>',
    "see https://example.com/x.": 'see <a href="https://example.com/x">https://example.com/x</a>.',
    "<javascript:alert(1)|press>": "&lt;javascript:alert(1)|press&gt;",
    ":tada: :no_such_emoji: 12:30:45": '<span class="emoji">🎉</span> :no_such_emoji: 12:30:45',
    "<!date^0^{date_num}|then>": "<time>1970-01-01</time>",
    "a < b *open": "a &lt; b *open",
}


async def test_mrkdwn_reads_as_in_slack(page: Page) -> None:
    """Styles need word boundaries, code holds everything, escapes are three, and unknown things stay as typed."""
    assert {text: await page.evaluate(RENDER, text) for text in TEXTS} == TEXTS


def everything() -> list[dict[str, Any]]:
    runs = [{"type": "text", "text": "rich ", "style": {"bold": True}}, {"type": "emoji", "name": "rocket"}]
    cells = [[{"type": "raw_text", "text": "Job"}], [{"type": "raw_text", "text": "k7m2"}]]
    points = [{"label": "one", "value": 1}, {"label": "two", "value": 3}]
    plotted = {"series": [{"name": "f1", "data": points}], "axis_config": {"categories": ["one", "two"]}}
    image = {"type": "image", "image_url": "https://example.com/logo.png", "alt_text": "a logo elsewhere"}
    return [
        {"type": "header", "text": plain("Head :rocket:")},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "*State*\nrunning"}], "accessory": image},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "job `k7m2`"}]},
        {"type": "divider"},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": runs}]},
        {"type": "table", "rows": cells},
        {"type": "data_visualization", "title": "Scores", "chart": {"type": "line", **plotted}},
        {"type": "data_visualization", "title": "Labels", "chart": {"type": "pie", "segments": points}},
        {"type": "markdown", "text": "# unknown here"},
    ]


async def test_block_kit_is_drawn_and_what_is_not_supported_says_so(page: Page, world: World) -> None:
    """Pictures from elsewhere are named and not fetched, and a block without a picture says so."""
    async with card_bot(world.slack) as bot:
        await bot.post("all", blocks=everything())
        row = page.get_by_role("main").get_by_role("article")
        await expect(row.get_by_role("heading", name="Head 🚀")).to_be_visible()
        await expect(row.get_by_text("a logo elsewhere")).to_be_visible()
        await expect(row.get_by_role("columnheader", name="Job")).to_be_visible()
        await expect(row.get_by_role("cell", name="k7m2")).to_be_visible()
        await expect(row.get_by_role("img", name="Scores. line chart. f1: one 1, two 3")).to_be_visible()
        await expect(row.get_by_role("img", name="Labels. pie chart. one 1 (25 %), two 3 (75 %)")).to_be_visible()
        await expect(row.get_by_role("listitem").filter(has_text="two 75 %")).to_be_visible()
        await expect(row.get_by_text("rich")).to_have_css("font-weight", "900")
        await expect(row.get_by_text("unsupported block markdown")).to_be_visible()
        await bot.client.chat_update(channel=TRAININGS, ts=world.slack.messages(TRAININGS)[0].ts, text="plain now")
        await expect(row).to_contain_text("plain now (edited)")


async def test_a_narrow_screen_has_drawers(open_page: OpenPage, world: World) -> None:
    """At 390 pixels nothing is cut off: sidebar and services are drawers, a thread takes the channel's place."""
    async with card_bot(world.slack) as bot:
        await bot.post_card("running")
        await bot.post("a reply", thread_ts=bot.card_ts)
        page = await open_page("ada", screen=NARROW)
        assert await page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
        sidebar, services = page.get_by_role("navigation"), page.get_by_role("complementary", name="Services")
        await expect(sidebar).to_be_hidden()
        await page.get_by_role("button", name="Channels and people").click()
        await expect(sidebar).to_be_in_viewport()
        await sidebar.get_by_role("link", name="trainings").click()
        await expect(sidebar).to_be_hidden()
        await page.get_by_role("button", name="Services").click()
        await expect(services.get_by_text("DeepOpinion Studio")).to_be_in_viewport()
        await page.keyboard.press("Escape")
        await expect(services).to_be_hidden()
        await page.get_by_role("button", name="1 reply").click()
        await expect(page.get_by_role("complementary", name="Thread")).to_be_in_viewport(ratio=1)
        await expect(page.get_by_role("main")).to_be_hidden()


@pytest.mark.proof
async def test_a_thread_and_the_services_take_turns_where_both_do_not_fit(open_page: OpenPage, world: World) -> None:
    """On a screen of 1100 pixels a thread hides the services, and the services' button brings them back."""
    async with card_bot(world.slack) as bot:
        await bot.post_card("running")
        await bot.post("a reply", thread_ts=bot.card_ts)
        page = await open_page("ada", screen=ViewportSize(width=1100, height=760))
        thread = page.get_by_role("complementary", name="Thread")
        services = page.get_by_role("complementary", name="Services")
        await expect(services).to_be_visible()
        await page.get_by_role("button", name="1 reply").click()
        await expect(thread.get_by_role("textbox")).to_be_focused()
        await expect(services).to_be_hidden()
        await page.get_by_role("button", name="Services").click()
        await expect(services).to_be_visible()
        await expect(thread).to_be_hidden()


async def test_the_services_are_steered_beside_the_conversation(page: Page, world: World) -> None:
    """Trainings are finished, faults switched on and off; what is on is seen on the service's head."""
    sestek = world.services.sestek
    panel = page.get_by_role("complementary", name="Services").get_by_role("region", name=sestek.title)
    await panel.get_by_role("button", name="Make it misbehave").click()
    await panel.get_by_label("Outage").select_option("503")
    await expect(panel.get_by_text("503", exact=True)).to_be_visible()
    await panel.get_by_label("Answers 429").check()
    await panel.get_by_label("Slow, seconds").fill("2.5")
    await panel.get_by_label("Slow, seconds").press("Enter")
    await expect(panel.get_by_text("2.5 s slow")).to_be_visible()
    assert (sestek.faults.outage, sestek.faults.rate_limited, sestek.faults.slow) == ("503", True, 2.5)
    await panel.get_by_label("Outage").select_option("None")
    await expect(panel.get_by_text("503", exact=True)).to_have_count(0)
    assert sestek.faults.outage is None


async def test_a_training_is_brought_to_its_end_from_the_panel(page: Page, world: World) -> None:
    """A running training has a bar and the buttons that its service offers."""
    course = await start_training(world)
    panel = page.get_by_role("complementary", name="Services").get_by_role("region", name=world.services.sestek.title)
    await expect(panel.get_by_role("progressbar", name="Progress of my-model")).to_be_visible()
    await panel.get_by_role("button", name="Finish now").click()
    await expect(panel.get_by_role("progressbar")).to_have_count(0)
    assert course.is_finished()


@pytest.mark.proof
async def test_the_panel_is_folded_away_and_stays_so(page: Page) -> None:
    """The choice outlives a reload."""
    panel = page.get_by_role("complementary", name="Services")
    await page.get_by_role("button", name="Hide the services").click()
    await expect(panel).to_be_hidden()
    await page.reload()
    await expect(page.get_by_role("main")).to_be_visible()
    await expect(panel).to_be_hidden()
    await page.get_by_role("button", name="Services").click()
    await expect(panel).to_be_visible()


ON_PAGE = ["--ground", "--raised", "--hover", "--private"]
GROUNDS = {
    "--ink": [*ON_PAGE, "--sunk"],
    "--ink-soft": [*ON_PAGE, "--sunk"],
    "--ink-faint": ON_PAGE,
    "--link": ON_PAGE,
    "--accent-ink": ["--accent"],
    "--accent": ["--accent-soft"],
    "--good": ["--good-soft", "--raised"],
    "--bad": ["--bad-soft", "--ground", "--raised"],
    "--warn": ["--warn-soft", "--raised"],
    "--new": ["--ground"],
    "--code-ink": ["--code-ground"],
    "--mention-ink": ["--mention-ground"],
    "--me-ink": ["--me-ground"],
    "--rail-ink": ["--rail", "--rail-raised"],
    "--rail-faint": ["--rail", "--rail-raised"],
    "--rail-strong": ["--rail-active", "--good-button", "--bad-button"],
}
COLORS = """(names) => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const style = getComputedStyle(document.documentElement);
  const colorOf = (name) => {
    canvas.fillStyle = style.getPropertyValue(name);
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  return Object.fromEntries(names.map((name) => [name, colorOf(name)]));
}"""


async def test_every_text_can_be_read(page: Page) -> None:
    """Text and ground differ by 4.5 to 1 at least, in both themes (https://www.w3.org/TR/WCAG21/#contrast-minimum)."""
    names = sorted({*GROUNDS, *(ground for grounds in GROUNDS.values() for ground in grounds)})
    faint = {}
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme=theme)
        colors = await page.evaluate(COLORS, names)
        for ink, grounds in GROUNDS.items():
            ratios = {(theme, ink, ground): contrast(colors[ink], colors[ground]) for ground in grounds}
            faint.update({pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < 4.5})
    assert faint == {}


def contrast(one: list[int], other: list[int]) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: list[int]) -> float:
    red, green, blue = (linear(channel / 255) for channel in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


@pytest.mark.proof
async def test_people_are_switched_by_keyboard(page: Page) -> None:
    """The menu opens on the present person, arrows move, Enter chooses; then the message box has the focus."""
    await page.get_by_role("button", name="Switch person").press("Enter")
    await expect(page.get_by_role("menuitemradio", name="Ada Yılmaz")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("textbox", name="Message #trainings as Bora Kim")).to_be_focused()


async def start_training(world: World) -> Course:
    """Start a training of `my-model` as a client of the service would; its course."""
    sestek = world.services.sestek
    secrets = {"client_id": sestek.client_id, "client_secret": sestek.client_secret}
    form = FormData({"modelId": "my-model", "productName": "CA", "languageCode": "en-US", "dataSchema": "utterance"})
    form.add_field("dataFile", b'{"Label": "greeting", "Text": "hello"}', filename="my-model.jsonl")
    async with ClientSession() as session:
        grant = {"grant_type": "client_credentials", **secrets}
        async with session.post(f"{sestek.identity_url}/connect/token", data=grant) as reply:
            bearer = {"Authorization": f"Bearer {(await reply.json())['access_token']}"}
        async with session.post(f"{sestek.base_url}{API}/train", data=form, headers=bearer) as reply:
            assert reply.status == 200
    return sestek.course_of("my-model")
