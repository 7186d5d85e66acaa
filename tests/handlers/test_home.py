"""The Home tab at Slack's edge: its view within Slack's limits, who is let in, and that every press is answered."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from bot.domain.changes import Button, Say
from bot.domain.contents import Entry, HomePage, Recurring, Waiting
from bot.domain.jobs import ENDS, JobState
from bot.errors import StoreError
from bot.usecases.home import MOST_ENDED, MOST_MINE, MOST_OTHERS, MOST_RECURRING, MOST_WAITING
from handlers.views.blocks import Block
from handlers.views.home import MOST_BYTES, MOST_VIEW_BLOCKS, home, mark_of
from handlers.views.words import PHRASES
from sandbox.slack import blockkit
from tests.handlers import samples
from tests.handlers.edge import ADA, BORA, TEAM, Edge, edge
from tests.handlers.test_views import FOREIGN, LONG, dangers, marked_texts, unlike_published

PARTS = ["Waiting for you", "Your trainings", "Everything else alive", "Recent ends"]
BUTTONS = (
    Button(label="Cancel", action="cancel", value="j2345ab"),
    Button(label="Offer again", action="offer_again", value="j2345ab"),
)


def entries(state: JobState, foreign: str, count: int, buttons: int = 1) -> tuple[Entry, ...]:
    return tuple([Entry(job=samples.job(state, foreign), buttons=BUTTONS[:buttons])] * count)


def full(foreign: str = "my-model", facts: int = 4, **fields: Any) -> HomePage:
    """As much as the engine ever hands over."""
    asked = [*samples.halfway(foreign), *samples.prompts(foreign)][: MOST_WAITING - 1]
    waiting = [Waiting(question=samples.question(one, foreign, facts)) for one in (samples.prompt(), *asked)]
    waiting[0] = replace(waiting[0], checking=("S0MLOPS001",))
    made: dict[str, Any] = {
        "said": Say(text=foreign * 10, buttons=BUTTONS),
        "said_at": samples.AT,
        "waiting": tuple(waiting),
        "waiting_count": 40,
        "mine": entries(JobState.RUNNING, foreign, MOST_MINE, 2),
        "mine_count": 100,
        "others": entries(JobState.OFFERED, foreign, MOST_OTHERS),
        "others_count": 200,
        "ended": entries(JobState.REJECTED, foreign, MOST_ENDED),
        "recurring": tuple(
            Recurring(schedule=samples.schedule(foreign), title=foreign, may_stop=True) for _ in range(MOST_RECURRING)
        ),
        "recurring_count": 30,
        "wishes": samples.wishes(foreign, 20),
    }
    return HomePage(**{**made, **fields})


def pages(foreign: str = "my-model") -> Iterator[HomePage]:
    yield HomePage()
    yield HomePage(wishes=samples.wishes(count=0))
    yield HomePage(said=Say(text=foreign), said_at=samples.AT, is_shut=True)
    yield full(foreign)
    yield full(foreign, facts=40)
    for state in JobState:
        yield HomePage(mine=entries(state, foreign, 1), mine_count=1, ended=entries(state, foreign, 2, 0))


def headings(view: Block) -> list[str]:
    return [block["text"]["text"] for block in view["blocks"] if block["type"] == "header"]


@pytest.mark.parametrize("word", ["my-model", "", "&" * 5000, LONG], ids=["ordinary", "empty", "escapes", "long"])
def test_every_page_is_within_slacks_limits(word: str) -> None:
    """100 blocks and 250 KB, whatever the trainings are called; every part has its heading, and some words."""
    for page in pages(word):
        view = home(page)
        assert blockkit.view_findings(view) == []
        assert len(view["blocks"]) <= MOST_VIEW_BLOCKS
        assert len(json.dumps(view)) <= MOST_BYTES + 40_000
        shown = headings(view)
        assert [part for part in PARTS if not any(one.startswith(part) for one in shown)] == [] or page.is_shut


@pytest.mark.contracts
@pytest.mark.skipif("SLACK_CONTRACTS" not in os.environ, reason="needs SLACK_CONTRACTS, the folder of Slack's schemas")
@pytest.mark.parametrize("word", ["my-model", LONG], ids=["ordinary", "long"])
def test_every_page_is_as_slacks_published_types_say(word: str) -> None:
    """The second opinion: npm's @slack/types 3.2.0, turned into a JSON schema."""
    for page in islice(pages(word), 4):
        assert unlike_published(home(page), "Roots/properties/home") == []


@given(FOREIGN)
@settings(max_examples=10, deadline=None)
def test_nothing_foreign_mentions_links_or_breaks_out(word: str) -> None:
    """As in every message."""
    for page in (HomePage(mine=entries(JobState.RUNNING, word, 1), mine_count=1), full(word, said=None)):
        assert dangers(marked_texts(home(page))) == []


def test_lists_say_how_much_is_missing_and_where_it_stands() -> None:
    """The number stands in the heading, and the command that lists the rest below."""
    view = home(full())
    text = "\n".join(marked_texts(view))
    assert headings(view)[:3] == ["Waiting for you (40)", "Your trainings (100)", "Everything else alive (200)"]
    assert "`/jobs mine alive`" in text
    assert "`/jobs all alive`" in text
    assert "more wait for you" in text


def test_an_empty_page_says_so_in_words() -> None:
    """Nobody has to guess whether it is still loading."""
    text = "\n".join(marked_texts(home(HomePage())))
    assert "Nothing waits for your decision." in text
    assert "`/train help`" in text


@pytest.mark.parametrize("count", [0, 1, 2])
def test_buttons_stand_with_their_training(count: int) -> None:
    """One beside its line, several below it; what cannot be taken back is asked once more."""
    view = home(HomePage(mine=entries(JobState.RUNNING, "m", 1, count), mine_count=1))
    found = [block.get("accessory") or block for block in view["blocks"] if block["type"] in ("section", "actions")]
    pressable = [one for block in found for one in [block, *block.get("elements", [])] if one.get("type") == "button"]
    assert [one["text"]["text"] for one in pressable] == ["Start a training", *(one.label for one in BUTTONS[:count])]
    assert all("confirm" in one for one in pressable[1:2])


def test_no_state_is_told_by_its_sign_alone() -> None:
    """A sign stands beside the words for it, never instead of them."""
    for state in JobState:
        page = HomePage(ended=entries(state, "m", 1, 0)) if state in ENDS else HomePage(mine=entries(state, "m", 1, 0))
        line = next(text for text in marked_texts(home(page)) if "j2345ab" in text)
        assert PHRASES[state] in line
        assert (", ended <!date^" in line) is (state in ENDS)


def test_a_mark_stands_for_all_of_a_page() -> None:
    """Equal pages are sent once; any other is another."""
    made = [mark_of(home(page)) for page in (full(), full(), full(waiting_count=41), HomePage())]
    assert made[0] == made[1]
    assert len(set(made)) == 3


# -- the door ---------------------------------------------------------------------------------------------------------


def event(user: str = ADA, *, team: str = TEAM, tab: Any = "home") -> dict[str, Any]:
    return {
        "type": "event_callback",
        "team_id": team,
        "api_app_id": "A0SWITCHY1",
        "event_id": "Ev1",
        "authorizations": [{"enterprise_id": None, "team_id": team, "user_id": "U0SWITCHY1", "is_bot": True}],
        "event": {"type": "app_home_opened", "user": user, "channel": "D0X", "tab": tab, "event_ts": "1.1"},
    }


def press(where: Edge, action: str, value: str, user: str = ADA, **fields: Any) -> dict[str, Any]:
    """A press on the tab: there is no channel, no message and no response_url."""
    payload = where.click(action, value, user)
    for key in ("channel", "response_url"):
        del payload[key]
    view = {"id": "V1", "type": "home", "blocks": [], "hash": "1.x"}
    return {**payload, "container": {"type": "view", "view_id": "V1"}, "view": view, **fields}


def shown(where: Edge, user: str = ADA) -> str:
    view = where.slack.views.homes.get(user)
    return "\n".join(marked_texts(view.view)) if view else ""


async def test_opening_the_tab_draws_it(tmp_path: Path) -> None:
    """At once, and only for who opened it."""
    async with edge(tmp_path) as where:
        assert (await where.dispatch(event(), "json")).status == 200
        await where.run()
        assert "Nothing waits for your decision." in shown(where)
        assert list(where.slack.views.homes) == [ADA]
        assert "deliver" in where.nudged


ELSEWHERE = [{"team": "T0OTHER"}, {"tab": "messages"}, {"tab": None}, {"user": "nobody"}, {"user": ""}, {"user": None}]


@pytest.mark.parametrize("odd", ELSEWHERE)
async def test_what_is_not_for_the_tab_draws_nothing(tmp_path: Path, odd: dict[str, Any]) -> None:
    """Another workspace, the other tab, or what is no person: acked, and left alone."""
    async with edge(tmp_path) as where:
        assert (await where.dispatch(event(**odd), "json")).status == 200
        await where.run()
        assert where.slack.views.homes == {}


async def test_the_tab_is_drawn_later_where_it_is_not_known_yet_who_we_are(tmp_path: Path) -> None:
    """What is not acked Slack brings again."""
    async with edge(tmp_path, installed={"team": ""}) as where:
        assert (await where.dispatch(event(), "json")).status != 200
        await where.run()
        assert where.slack.views.homes == {}


@pytest.mark.parametrize("action", ["approve", "answer:runs", "why", "cancel", "retrain", "of_another_time", "watch"])
async def test_every_press_is_answered_on_the_tab(tmp_path: Path, action: str) -> None:
    """Also one whose button belongs to nothing any more."""
    async with edge(tmp_path) as where:
        assert (await where.dispatch(press(where, action, "gone|x"))).status == 200
        await where.run()
        assert "To what you pressed here last" in shown(where)
        assert "Nothing waits for your decision." in shown(where)
        assert where.told(ADA) == []


async def test_who_is_not_let_in_sees_that_and_nothing_else(tmp_path: Path) -> None:
    """A person of another organisation presses something: no training is shown for that."""
    async with edge(tmp_path) as where:
        await where.prompt()
        foreign = {"id": BORA, "team_id": "T0OTHER"}
        assert (await where.dispatch(press(where, "why", "gone", BORA) | {"user": foreign})).status == 200
        await where.run()
        assert "only people of the organisation that installed Switchyard" in shown(where, BORA)
        assert "my-model" not in shown(where, BORA)
        assert "Waiting" not in str(where.slack.views.homes[BORA].view)


async def test_a_press_is_answered_where_the_database_takes_nothing(tmp_path: Path) -> None:
    """The sentence goes out beside the database, and nothing else is shown of what cannot be read now."""
    async with edge(tmp_path) as where:
        await where.store.close()
        with pytest.raises(StoreError):
            await where.store.touch()
        assert (await where.dispatch(press(where, "cancel", "j2345ab"))).status == 200
        await where.crew.idle()
        assert "nothing was done" in shown(where)


async def test_a_form_that_does_not_open_is_told_on_the_tab(tmp_path: Path) -> None:
    """A trigger is good for three seconds; a fresh press brings a fresh one."""
    async with edge(tmp_path) as where:
        asked = await where.prompt()
        rejecting = next(
            one for block in asked.blocks or () if block["type"] == "actions" for one in block["elements"]
            if one["action_id"] == "reject"
        )  # fmt: skip
        late = press(where, "reject", rejecting["value"], BORA, trigger_id="1.2.expired")
        assert (await where.dispatch(late)).status == 200
        await where.crew.idle()
        await where.run()
        assert "did not open the form in time" in shown(where, BORA)
        assert "May this training start?" in shown(where, BORA)


async def test_a_view_that_slack_does_not_take_is_sent_without_its_lists(tmp_path: Path) -> None:
    """The answer to a press is told all the same, and where else to look."""
    async with edge(tmp_path) as where:
        await where.slack.switch("fail", {"method": "views.publish", "error": "invalid_arguments"})
        await where.dispatch(press(where, "cancel", "gone"))
        await where.run()
        assert "Switchyard keeps no training `gone`" in shown(where)
        assert "each question stands in the conversation" in shown(where)


@pytest.mark.parametrize("error", ["not_enabled", "user_not_found"])
async def test_a_tab_that_is_not_there_is_left_alone(tmp_path: Path, error: str) -> None:
    """An app that was installed without it: another view would be refused too."""
    async with edge(tmp_path) as where:
        await where.slack.switch("fail", {"method": "views.publish", "error": error, "times": 9})
        await where.dispatch(event(), "json")
        await where.run()
        assert [call.method for call in where.slack.calls].count("views.publish") == 1


@pytest.mark.parametrize("fault", ["drop_reply", "drop_request"])
async def test_a_page_that_slack_did_not_answer_is_sent_again(tmp_path: Path, fault: str) -> None:
    """Sent twice, it is the same page."""
    async with edge(tmp_path) as where:
        await where.slack.switch(fault, {"method": "views.publish"})
        await where.dispatch(event(), "json")
        await where.run()
        where.time.ahead += timedelta(seconds=5)
        await where.run()
        assert "Nothing waits for your decision." in shown(where)
