"""What people see can also be heard: a text beside all blocks, words beside each sign, labels on what can be pressed.

Slack reads a message's `text` to a screen reader where there are blocks too
(https://docs.slack.dev/reference/methods/chat.postMessage), and the signs of `:names:` by their names.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import time, timedelta
from functools import cache
from itertools import combinations
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, get_args

import pytest

import handlers.views
from bot.domain.approvals import Outcome
from bot.domain.attention import About, Follow, Habits, Mute, Topic, Wishes
from bot.domain.changes import Button, Say
from bot.domain.contents import Card, Content, Digest, Line, Question, Told
from bot.domain.jobs import JobState
from bot.domain.policy import Quiet
from bot.domain.recurring import Schedule, ScheduleState, parse_every
from handlers.views import blocks, wishes, wishes_form
from handlers.views import help as help_views
from handlers.views.blocks import Block, Message
from handlers.views.cards import render
from handlers.views.history import job_line
from handlers.views.home import home, plain_home
from handlers.views.prompts import HEADINGS, outcome
from handlers.views.recurring import listing
from handlers.views.words import PHRASES, SIGNS, sign
from tests.handlers import samples, test_home, test_training_forms
from tests.handlers.registered import providers

VIEWS = Path(handlers.views.__file__).parent
EMOJI = re.compile(r":[a-z_]+:")
MARKS = re.compile(r"<[^>]*>|[*_~`•]")
SAYS: Mapping[str, tuple[str, ...]] = {
    **{sign(state): tuple(PHRASES[one] for one in JobState if sign(one) == sign(state)) for state in JobState},
    ":warning:": ("Warning:", "Please note:"),
    ":repeat:": ("The same file",),
    ":bell:": ("this still waits", "you are asked too"),
}
"""What a sign stands for is said in one of these words beside it. A question says itself, see below."""


# -- everything that is sent ------------------------------------------------------------------------------------------


def told() -> Iterator[Told]:
    """News of a move, of a question, and of a training of which neither is left."""
    for state in JobState:
        job = samples.job(state)
        yield Told(job=job, title="Sony", move=samples.move(state), url="https://team.slack.com/archives/C0/p1")
        yield Told(job=job, title="Sony", prompt=samples.prompt())
        yield Told(job=job, title="Sony")


def attentive() -> Wishes:
    """Somebody who follows, mutes and sleeps."""
    about = About(provider="sony", model="churn")
    ada = samples.ADA
    follow = Follow(id="f1", team=ada.team, target=ada.user, about=about, topic=Topic.FAILURES)
    mute = Mute(id="m1", about=about, since=samples.AT, until=samples.AT + timedelta(days=1))
    quiet = Quiet(begins=time(22), ends=time(7), zone="Asia/Seoul")
    return Wishes(follows=(follow,), habits=Habits(user=ada.user, mutes=(mute,), quiet=quiet), zone="Asia/Seoul")


def recurring() -> Iterator[Message]:
    """Nothing, one that goes on, one that has ended, more than fit."""
    wish, every = samples.job().request, parse_every("mon 09:00")
    plan = Schedule(id="s1", request=wish, timetable=every, created_at=samples.AT, zone="Asia/Seoul")
    active = replace(plan, state=ScheduleState.ACTIVE, next_at=samples.AT, runs=3, last_job="j2345ab")
    ended = replace(plan, state=ScheduleState.ENDED, why="It was stopped.")
    for scope, found in (("here", []), ("mine", [active]), ("all", [plan, ended, *[active] * 40])):
        yield listing(found, {"sestek": "Sestek Knovvu ML"}, scope=scope)


def contents() -> Iterator[Content]:
    yield from samples.contents()
    yield from told()
    yield Digest(told=tuple(told()), more=3)


def messages() -> Iterator[Message]:
    """Every message that is posted, edited in, or answered with."""
    yield from map(render, contents())
    yield from samples.histories()
    yield from samples.pictures(counts=(0, 1, 3))
    yield wishes.listed(Wishes(habits=Habits(user=samples.ADA.user), zone="UTC"))
    yield wishes.listed(attentive())
    yield from recurring()
    yield help_views.overview(providers().configured(), {"sixth": "The sixth is not configured here."})
    yield help_views.command("/train sony churn")
    yield from map(help_views.about, providers().configured().values())
    yield blocks.say(Say(text="Nothing was done.", buttons=(Button(label="Again", action="again", value="j1"),)))


def views() -> Iterator[Block]:
    """Every form and every Home tab."""
    yield from samples.views()
    yield from test_training_forms.forms("my-model")
    yield wishes_form.wishes_form("{}", attentive(), {"sony": "Sony"}, has_channel=True)
    yield from map(home, test_home.pages())
    yield from map(plain_home, test_home.pages())


@cache
def all_messages() -> tuple[Message, ...]:
    return tuple(messages())


@cache
def all_views() -> tuple[Block, ...]:
    return tuple(views())


def walk(part: Any) -> Iterator[dict[str, Any]]:
    """Every object in it, itself included."""
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from walk(value)
    elif isinstance(part, list | tuple):
        for each in part:
            yield from walk(each)


def texts(part: Any) -> Iterator[str]:
    """Every text, whatever it stands in."""
    for one in walk(part):
        if isinstance(one.get("text"), str):
            yield one["text"]


def bare(text: str) -> str:
    """What is left to hear without signs and marks."""
    return MARKS.sub("", EMOJI.sub("", text)).strip()


def in_words(text: str) -> bool:
    return any(letter.isalpha() for letter in bare(text))


# -- the samples are all there are ------------------------------------------------------------------------------------


def made_by_name() -> set[tuple[str, str]]:
    """The public functions of the views that make a message or a view, by file and name."""
    found = set()
    for path in VIEWS.glob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.returns:
                kind = ast.unparse(node.returns)
                is_view = kind == "Block" and any(word in ast.unparse(node) for word in ("'modal'", "'home'", "_view("))
                if kind == "Message" or is_view:
                    found.add((path.name, node.name))
    return found


def test_every_kind_of_message_and_view_is_looked_at() -> None:
    """A new one that nobody looks at would be found by those who cannot read it."""
    ran: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            ran.add(frame.f_code)

    sys.setprofile(note)
    try:
        list(messages())
        list(views())
    finally:
        sys.setprofile(None)
    called = {(Path(one.co_filename).name, one.co_name) for one in ran if Path(one.co_filename).parent == VIEWS}
    assert made_by_name() - called == set()
    assert {type(one) for one in contents()} == set(get_args(Content))


# -- texts beside blocks ----------------------------------------------------------------------------------------------


def test_every_message_says_in_its_text_what_it_is() -> None:
    """Notifications and screen readers take that alone."""
    assert [message for message in all_messages() if not in_words(message.text)] == []


def test_the_text_of_a_message_says_the_essence() -> None:
    """The state of a card, the move of a line, the question and how it ended, the news: without looking at blocks."""
    for content in contents():
        text = bare(render(content).text)
        match content:
            case Card(job=job):
                assert PHRASES[job.state] in text
            case Line(transition=move):
                assert PHRASES[move.new] in text
            case Question(prompt=prompt) if prompt.outcome is Outcome.OPEN:
                assert text.endswith(HEADINGS[prompt.subject])
            case Question(prompt=prompt):
                assert bare(HEADINGS[prompt.subject]) in text
                assert bare(outcome(prompt)) in text
            case Told(move=None, prompt=None, job=job):
                assert PHRASES[job.state] in text
            case Told(move=move) if move is not None:
                assert PHRASES[move.new] in text


def test_pictures_have_words() -> None:
    """An image has its alternative text; a chart stands beside a table or a line with its numbers."""
    pictures = [
        (shown, one) for shown in (*all_messages(), *all_views()) for one in walk(getattr(shown, "blocks", shown))
    ]
    images = [one for _, one in pictures if one.get("type") == "image"]
    assert [one for one in images if not in_words(one.get("alt_text", ""))] == []
    charts = [(shown, one) for shown, one in pictures if one.get("type") == "data_visualization"]
    assert charts
    for shown, chart in charts:
        assert isinstance(shown, Message)
        assert in_words(chart["title"])
        numbers = {text for one in shown.blocks if one["type"] != "data_visualization" for text in texts(one)}
        assert any(re.search(r"\d", text) for text in numbers)


# -- no meaning by a sign or a colour alone ---------------------------------------------------------------------------


def test_a_sign_stands_beside_its_words() -> None:
    """Whoever hears `raised hand` or sees no colours is told what it means."""
    said = [text for shown in (*all_messages(), *all_views()) for text in texts(getattr(shown, "blocks", shown))]
    said += [message.text for message in all_messages()]
    questions = tuple(HEADINGS.values())
    for text in dict.fromkeys(said):
        for found in EMOJI.findall(text):
            assert any(word in text for word in (*SAYS[found], *questions)), text


def lined(state: JobState) -> Content:
    return Line(job=samples.job(state), title="Sony", transition=samples.move(state), is_end=False)


def plainly(state: JobState) -> Content:
    return Told(job=samples.job(state), title="Sony")


def test_without_signs_and_styles_the_states_are_still_told_apart() -> None:
    """Cards, lines, news and the lines of lists."""
    cards = {one.job.state: one for one in samples.cards()}
    for make in (cards.__getitem__, lined, plainly):
        read = {state: [bare(text) for text in texts(render(make(state)).blocks)] for state in JobState}
        assert all(read[one] != read[other] for one, other in combinations(JobState, 2))
    listed = {bare(job_line(samples.job(state))) for state in JobState}
    assert len(listed) == len(JobState)
    assert set(SIGNS) < set(JobState)


@pytest.mark.parametrize("kind", ["messages", "views"])
def test_whatever_can_be_pressed_has_words_of_its_own(kind: str) -> None:
    """A colour is only added to a label, and two buttons that stand side by side do not read alike."""
    for shown in all_messages() if kind == "messages" else all_views():
        for block in walk(getattr(shown, "blocks", shown)):
            if block.get("type") == "button":
                assert in_words(block["text"]["text"])
                assert not EMOJI.search(block["text"]["text"])
            if block.get("type") == "actions":
                labels = [one["text"]["text"] for one in block["elements"] if one["type"] == "button"]
                assert len(set(labels)) == len(labels)
            if block.get("type") == "link":
                assert in_words(block["text"])


def test_every_field_of_a_form_has_a_label() -> None:
    """A placeholder is gone as soon as something is typed."""
    for view in all_views():
        assert view["type"] == "home" or in_words(view["title"]["text"])
        for block in walk(view):
            if block.get("type") == "input":
                assert in_words(block["label"]["text"])
            if block.get("type") == "option":
                assert in_words(block["text"]["text"])


def test_progress_is_a_number_too() -> None:
    """A bar of blocks is read as nothing, or as forty words."""
    bars = [text for message in all_messages() for text in texts(message.blocks) if "█" in text]
    assert bars
    assert [text for text in bars if not re.search(r"`[█░]{20}` \d+ %", text)] == []


def test_the_sandbox_draws_each_sign_that_is_sent() -> None:
    """Nobody reads a sign's name between colons there, where Slack draws the sign."""
    page = (VIEWS.parents[1] / "sandbox/slack/page/scripts/emoji.js").read_text(encoding="utf-8")
    drawn = set(re.findall(r"'?([a-z0-9_+-]+)'?: '", page))
    said = [text for message in all_messages() for text in [message.text, *texts(message.blocks)]]
    signs = {name for text in said for name in re.findall(r"(?:^|\s):([a-z][a-z_]+):(?=\s|$)", text)}
    assert "black_square_for_stop" in signs
    assert signs <= drawn
