"""The form of a training, of every service: within Slack's limits, each field labelled, whatever stands in it."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from bot.domain.arguments import Choice
from bot.usecases.choices import Offers, next_name
from handlers.commands.train import form_button
from handlers.lines import Draft
from handlers.payloads import FormState
from handlers.views import help as help_views
from handlers.views.blocks import Block
from handlers.views.training_forms import skeleton, training_form
from sandbox.slack import blockkit
from tests.fuzz.fitness import is_readable
from tests.handlers.registered import NAMES, provider, providers
from tests.handlers.test_views import LONG, faults, published, unlike_published
from tests.short import short

CARRIED = FormState(channel="C0TRAIN001", url="https://hooks.slack.com/actions/T0/1/x").model_dump_json()
WORDS = {"ordinary": "my-model", "empty": "", "korean": "모델이름" * 20, "escapes": "<&>`" * 900, "long": LONG}


def drafts(name: str, word: str) -> Iterator[tuple[Draft, Offers]]:
    """Nothing offered, everything offered in masses, and a service that is silent."""
    arguments = provider(name).arguments
    names = [one.name for one in (*arguments.positionals, *arguments.options)]
    names += [family.name for family in arguments.families]
    draft = Draft(provider=name, texts=dict.fromkeys(names, word))
    choices = [Choice(value=f"{word[:140]}{number}", label=word) for number in range(200)]
    yield draft, Offers()
    yield draft, Offers(found=dict.fromkeys(names, choices))
    yield draft, Offers(found={key: (Choice(value=word, label=word),) for key in names})
    yield draft, Offers(silent=tuple(names))


def forms(word: str) -> Iterator[Block]:
    known = providers().configured()
    yield training_form(CARRIED, known, Draft(), Offers(), says=word)
    for name in NAMES:
        yield skeleton(CARRIED, known, name)
        for draft, offers in drafts(name, word):
            yield training_form(CARRIED, known, draft, offers, says=word)


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_every_form_is_within_slacks_limits(word: str) -> None:
    """Options, texts, blocks and ids: Slack takes the form whatever was typed and however much is offered."""
    for view in forms(word):
        assert blockkit.view_findings(view) == []


@pytest.mark.contracts
@pytest.mark.skipif("SLACK_CONTRACTS" not in os.environ, reason="needs SLACK_CONTRACTS, the folder of Slack's schemas")
@pytest.mark.parametrize("kind", short(WORDS, "ordinary"))
def test_every_form_is_as_slacks_published_types_say(kind: str) -> None:
    """The second opinion: npm's @slack/types 3.2.0, turned into a JSON schema."""
    word = WORDS[kind]
    for view in forms(word):
        assert unlike_published(view, "Roots/properties/modal") == []
    kinds = published()["x-type-to-definition"]
    for block in help_views.command(f"/train sestek {word}").blocks:
        assert unlike_published(block, kinds[block["type"]]) == []


def test_nothing_in_a_form_hides_or_turns_a_line() -> None:
    """What a service lists, and what was typed and refused for such a sign: it is taken out before it is shown."""
    for view in forms("\u202egnp.exe\x00"):
        shown = json.dumps(drawn(view), ensure_ascii=False)
        assert [sign for sign in shown if not is_readable(sign)] == []
    offered = form_button("sestek \u202egnp.exe\x00 en-US")
    assert offered.value == "sestek gnp.exe en-US"


def drawn(value: Any) -> Any:
    """A form without what it carries along unseen: the values of options, and its metadata."""
    if isinstance(value, dict):
        return {key: drawn(one) for key, one in value.items() if key not in ("value", "private_metadata")}
    return [drawn(one) for one in value] if isinstance(value, list) else value


def test_no_hint_shows_the_marks_of_code() -> None:
    """A hint is plain text: Slack shows a backtick in it as it is."""
    hints = [block["hint"]["text"] for view in forms("") for block in view["blocks"] if "hint" in block]
    assert any("{date}" in hint for hint in hints)
    assert [hint for hint in hints if "`" in hint] == []


def test_every_field_says_what_it_is() -> None:
    """A screen reader reads the label and the hint; required fields are those of the command."""
    for name in NAMES:
        arguments = provider(name).arguments
        view = training_form(CARRIED, providers().configured(), Draft(provider=name), Offers())
        inputs = {block["block_id"]: block for block in view["blocks"] if block["type"] == "input"}
        for argument in (*arguments.positionals, *arguments.options):
            block = inputs[f"{name}.{argument.name}"]
            assert block["label"]["text"]
            assert argument.what[1:20] in block["hint"]["text"]
            assert block["optional"] is not argument.required
        assert {f"{name}.{family.name}" for family in arguments.families} <= set(inputs)


def test_a_command_is_shown_letter_for_letter() -> None:
    """What is copied from the answer is the command itself: nothing in it is a mark, and nothing is replaced."""
    line = "/train deepopinion 1 `x` title='<!channel> & \"y\"'"
    shown = help_views.command(line)
    assert shown.blocks[1]["elements"][0]["elements"] == [{"type": "text", "text": line}]
    assert faults(shown) == []


@pytest.mark.parametrize(
    ("name", "following"),
    [
        ("reviews", "reviews-2"),
        ("reviews-2", "reviews-3"),
        ("st-9", "st-10"),
        ("v1.09", "v1.10"),
        ("reviews-2026", "reviews-2026-2"),
        ("reviews-2026-11-23", "reviews-2026-11-23-2"),
        ("reviews-2026-11-23-2", "reviews-2026-11-23-3"),
        ("7", "7-2"),
        ("모델", "모델-2"),
    ],
)
def test_the_next_name_counts_on(name: str, following: str) -> None:
    """A count at the end goes on, a year or a date does not: the next day is that of a recurring training."""
    assert next_name(name) == following
