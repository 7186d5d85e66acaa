"""Whatever a job, a prompt, a history or an answer holds: a message that Slack takes, with all that must be there.

The judge is the sandbox's Slack, and beside it the types that Slack publishes where SLACK_CONTRACTS names their folder.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from bot.domain.approvals import Prompt
from bot.domain.balances import Balance, weigh
from bot.domain.changes import Button, Say
from bot.domain.contents import Card, Content, Line, Note, Question
from bot.domain.history import Story
from bot.domain.jobs import Job, JobState, Look, Phase, RemoteStatus, Transition
from bot.domain.requests import Actor, Payload, Plan, TrainRequest
from handlers.ids import Action
from handlers.views import blocks, forms, history
from handlers.views.blocks import Message
from handlers.views.cards import render
from sandbox.slack import blockkit
from tests.fuzz.effort import effort
from tests.fuzz.fitness import is_readable, message_faults
from tests.fuzz.shapes import NASTY
from tests.fuzz.tally import Tally
from tests.handlers import samples

CONTRACTS = "SLACK_CONTRACTS"
MOST_PLAIN = 4000
"""Of a text that replaces another (https://docs.slack.dev/reference/methods/chat.update)."""

MARKED = ("&" * 3000, "<" * 3000, "`" * 401, "<@U0ADA00001>" * 300, "a\n" * 900, "👩‍🔬" * 1500, "﷽" * 800)
TEXTS = NASTY | st.sampled_from(MARKED) | st.text(max_size=30)
FIT = TEXTS.map(lambda text: "".join(sign for sign in text if is_readable(sign)))
"""What the grammar lets through, and so all that a button ever carries."""

NAMES = TEXTS.map(lambda text: text or "x")
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=8) | st.tuples(TEXTS, TEXTS).map(lambda one: [one] * 70)
STATES = st.sampled_from(list(JobState))
PROMPTS = list(samples.prompts())


@st.composite
def payloads(draw: st.DrawFn) -> Payload:
    return Payload(
        name=draw(NAMES),
        sha256="3f" * 32,
        size=draw(st.integers(0, 2**63)),
        rows=draw(st.integers(0, 2**63)),
        facts=dict(draw(PAIRS)),
        warnings=tuple(draw(st.lists(TEXTS, max_size=12))),
        balances=tuple(draw(st.lists(balances(), max_size=4))),
    )


def balances() -> st.SearchStrategy[Balance]:
    counts = st.dictionaries(TEXTS, st.integers(1, 10**9), min_size=1, max_size=8)
    return st.builds(weigh, TEXTS, counts, is_label=st.booleans(), part=st.sampled_from(["data", "eval"]))


@st.composite
def statuses(draw: st.DrawFn) -> RemoteStatus:
    return RemoteStatus(
        phase=draw(st.sampled_from(list(Phase))),
        word=draw(TEXTS),
        detail=draw(TEXTS),
        progress=draw(st.none() | st.floats(0, 100)),
        metrics=dict(draw(PAIRS)),
        parts=tuple(draw(PAIRS)),
    )


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    """Words from outside in the place of everything that comes from there, as long as anything lets them be."""
    model, provider = draw(NAMES), draw(st.sampled_from(["sestek", "sony"]) | NAMES)
    plan = Plan(
        provider=provider,
        model=model,
        body={},
        summary=tuple(draw(PAIRS)),
        payload=draw(st.none() | payloads()),
    )
    request = TrainRequest(request_key="k1", provider=provider, model=model, actor=draw(actors()), channel="C0TRAIN001")
    return samples.job(
        draw(STATES),
        request=request,
        plan=draw(st.just(plan) | st.none()),
        remote_id=draw(st.none() | NAMES),
        look=Look(status=draw(st.none() | statuses()), error=draw(TEXTS)),
    )


def actors() -> st.SearchStrategy[Actor]:
    return st.sampled_from([samples.ADA, samples.BORA]) | NAMES.map(lambda user: Actor(team="T0SWITCHYD", user=user))


@st.composite
def moves(draw: st.DrawFn) -> Transition:
    return samples.move(draw(STATES), draw(TEXTS), actor=draw(actors()), old=draw(st.none() | STATES))


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    prompt = draw(st.sampled_from(PROMPTS))
    return replace(
        prompt, reason=draw(TEXTS), actor=draw(st.none() | actors()) if prompt.actor is None else prompt.actor
    )


@st.composite
def buttons(draw: st.DrawFn, most: int = 9999) -> tuple[Button, ...]:
    values = FIT.map(lambda text: text[:most])
    made = st.builds(Button, label=NAMES, action=st.sampled_from(list(Action)).map(str), value=values)
    return tuple(draw(st.lists(made, max_size=3, unique_by=lambda one: one.action)))


@st.composite
def contents(draw: st.DrawFn) -> Content:
    """Everything that the engine has posted or edited, full of words from outside."""
    job, title = draw(jobs()), draw(NAMES)
    match draw(st.sampled_from(["card", "card", "line", "question", "note"])):
        case "card":
            notes = tuple(draw(st.lists(TEXTS, max_size=12)))
            last = draw(st.none() | moves())
            return Card(job=job, title=title, last=last, notes=notes, buttons=draw(buttons(blocks.MOST_VALUE)))
        case "line":
            return Line(job=job, title=title, transition=draw(moves()), is_end=draw(st.booleans()))
        case "question":
            facts, consequence = tuple(draw(PAIRS)), draw(TEXTS)
            return Question(prompt=draw(prompts()), job=job, title=title, facts=facts, consequence=consequence)
        case _:
            return Note(text=draw(NAMES))


@st.composite
def answers(draw: st.DrawFn) -> Message:
    """Everything that one person is answered: lists, stories, sentences with buttons."""
    match draw(st.sampled_from(["alive", "page", "story", "say"])):
        case "alive":
            return history.alive(draw(many_jobs(history.MOST_ALIVE + 1)))
        case "page":
            query = draw(FIT)[: history.MOST_QUERY]
            number, has_more = draw(st.integers(0, 999_999)), draw(st.booleans())
            return history.page(draw(many_jobs(history.PAGE)), query=query, number=number, has_more=has_more)
        case "story":
            told = draw(st.lists(moves(), max_size=5)) * draw(st.sampled_from([1, 1, 12]))
            asked = tuple(draw(st.lists(prompts(), max_size=6)))
            whole = Story(job=draw(jobs()), moves=tuple(told), prompts=asked)
            return history.story(whole, draw(NAMES), samples.AT, number=draw(st.integers(0, 3)))
        case _:
            return blocks.say(Say(text=draw(NAMES), buttons=draw(buttons())))


@st.composite
def many_jobs(draw: st.DrawFn, most: int) -> list[Job]:
    some = draw(st.lists(jobs(), max_size=3))
    found = (some * most)[: draw(st.integers(0, most))]
    return [replace(job, id=f"{job.id[:-2]}{number:02}") for number, job in enumerate(found)]


@cache
def published() -> Mapping[str, Any]:
    """Slack's own types of blocks as a JSON schema, where there is one."""
    source = Path(os.environ[CONTRACTS], "blockkit.from-slack-types-3.2.0.schema.json")
    read: Mapping[str, Any] = json.loads(source.read_text("utf-8"))
    return read


@cache
def rules_of(definition: str) -> Draft7Validator:
    return Draft7Validator({"$ref": f"#/definitions/{definition}", "definitions": published()["definitions"]})


def unlike_published(shown: Any) -> Iterator[str]:
    """What Slack's own types say of blocks. Nothing without SLACK_CONTRACTS: then the sandbox judges alone."""
    if CONTRACTS not in os.environ:
        return
    for block in shown:
        definition = published()["x-type-to-definition"][block["type"]]
        yield from (f"{error.json_path}: {error.message}" for error in rules_of(definition).iter_errors(block))


def faults(message: Message) -> list[str]:
    """Also of the plain text that goes out where Slack refuses the blocks."""
    plain = message.plain()
    length = [] if 0 < len(plain) <= MOST_PLAIN else [f"{len(plain)} characters of plain text"]
    hidden = [f"plain: U+{ord(sign):04X}" for sign in set(plain) if not is_readable(sign) and sign != "\n"]
    return [*message_faults(message), *unlike_published(message.blocks), *length, *hidden]


@effort(150)
@given(content=contents())
@example(content=Card(job=samples.job(), title="A service", last=None, notes=("&" * 3000,) * 12))
def test_any_content_is_a_message_that_slack_takes(content: Content, tally: Tally) -> None:
    """Fifty blocks, the sizes of texts, twelve thousand characters in all; and nothing hides or turns what is read."""
    message = render(content)
    tally.add(content)
    assert faults(message) == []


@effort(80)
@given(message=answers())
def test_any_answer_is_a_message_that_slack_takes(message: Message, tally: Tally) -> None:
    """Lists, pages, stories and sentences, whatever the jobs in them are called."""
    tally.add(message)
    assert faults(message) == []


@effort(60)
@given(job=jobs(), asked=prompts(), title=NAMES, facts=PAIRS, consequence=TEXTS)
def test_a_question_keeps_its_buttons_whatever_it_shows(
    job: Job, asked: Prompt, title: str, facts: list[tuple[str, str]], consequence: str, tally: Tally
) -> None:
    """What is too much is left out of the middle: an open question can be answered, whatever stands above."""
    shown = Question(prompt=asked, job=job, title=title, facts=tuple(facts), consequence=consequence)
    bare = Question(prompt=asked, job=samples.job(), title="A service", facts=(), consequence="x")
    tally.add(shown)
    assert pressed(render(shown)) == pressed(render(bare))


@effort(60)
@given(carried=FIT, text=TEXTS)
def test_any_form_is_a_view_that_slack_takes(carried: str, text: str, tally: Tally) -> None:
    """A form carries what its click brought, and turns into any sentence."""
    for view in (forms.reason_form(carried[:3000]), forms.told(text)):
        tally.add(view)
        assert blockkit.view_findings(view) == []
        assert all(is_readable(sign) or sign == "\n" for sign in json.dumps(view["blocks"], ensure_ascii=False))
        assert list(unlike_published(view["blocks"])) == []


def pressed(message: Message) -> list[tuple[str, str]]:
    """The buttons of a message: what they do, and what about."""
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return [(element["action_id"], element["value"]) for row in rows for element in row]


@pytest.mark.contracts
@pytest.mark.skipif(CONTRACTS not in os.environ, reason=f"needs {CONTRACTS}, the folder of Slack's schemas")
def test_the_published_types_refuse_what_is_wrong() -> None:
    """The second judge is awake."""
    assert list(unlike_published([{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]))
    assert list(unlike_published([blocks.section("x")])) == []
