"""What people see is said in their language: nothing stays English, and everything fits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from bot.domain.jobs import JobState
from bot.languages import TRANSLATED, language_called
from bot.sentences import speak, speaking
from handlers.views.blocks import Block, Message
from handlers.views.words import PHRASES
from sandbox.slack import blockkit
from tests.handlers import samples, test_access
from tests.handlers.test_views import LONG, every_message, faults
from tests.pseudo import Pseudo

KEPT = re.compile(r"`[^`]*`|<[^>]*>|:[a-z_]+:|https?://\S+")
WORD = re.compile(r"[A-Za-z]{3,}")
VISIBLE = ("text", "title", "label", "x_label", "y_label", "name", "alt_text", "fallback")

SAID_BY_SAMPLES = (
    "The service's result file is kept (1,234 bytes).",
    "Sestek Knovvu ML has not answered: my-model",
    "The sixth is not configured here.",
    "Nothing was done.",
)
"""Sentences that the samples have from elsewhere, in English."""

PRODUCTS = {"Switchyard", "Sestek", "Knovvu", "DeepOpinion", "Studio", "Decthings", "NAVER", "Cloud", "AiTEMS"}
PRODUCTS |= {"Sony", "Easy", "Predictive", "Analytics"}
TYPED = {"sestek", "sony", "train", "mon", "thu", "weekday", "day", "date", "time", "personalRecommend", "relatedItem"}
SETTINGS = {"SWITCHYARD", "APPROVALS", "APPROVERS", "UTC", "Asia", "Seoul", "Europe", "Istanbul"}
SAMPLES = {"sixth", "churn", "demand", "model", "modelmy", "pop", "learning", "other"}
SAMPLES |= {"Again", "Cancel", "Offer", "again"}
NAMES = PRODUCTS | TYPED | SETTINGS | SAMPLES
"""Of products, settings, time zones, and what is typed; and the samples' words for models, states and buttons."""


def visible(part: Any) -> Iterator[str]:
    """Every text of a message or a view that somebody reads."""
    for one in test_access.walk(part):
        if one.get("type") == "emoji":
            continue
        yield from (one[key] for key in VISIBLE if isinstance(one.get(key), str))


def shown() -> Iterator[str]:
    for message in test_access.messages():
        yield message.text
        yield from visible(message.blocks)
    for view in test_access.views():
        yield from visible(view)


def without_samples(text: str) -> str:
    for said in SAID_BY_SAMPLES:
        text = text.replace(said, "")
    return text


def test_nothing_stays_english() -> None:
    """But for names, for what people and services said, and for what is typed."""
    with speaking(Pseudo()):
        left = {(word, text) for text in shown() for word in WORD.findall(KEPT.sub("", without_samples(text)))}
    assert {(word, text) for word, text in left if word not in NAMES} == set()


def labels(shown: Message | Block) -> list[str]:
    """What stands in titles, on buttons and at fields, where Slack has hard limits."""
    part = shown.blocks if isinstance(shown, Message) else shown
    return [one["text"] for one in test_access.walk(part) if one.get("type") == "plain_text"]


def spoken() -> list[list[str]]:
    """The labels of each message and view, in the language of the moment."""
    return [*map(labels, test_access.messages()), *map(labels, test_access.views())]


def are_cut(labels: list[str]) -> list[bool]:
    return [label.endswith("…") for label in labels]


@pytest.mark.parametrize(
    "language", ["de", *(pytest.param(one, marks=pytest.mark.proof) for one in ("ja", "ko", "tr"))]
)
def test_no_label_is_cut(language: str) -> None:
    """A translation fits where English does."""
    english = spoken()
    with speaking(language_called(language)):
        translated = spoken()
    longer = [there for here, there in zip(english, translated, strict=True) if are_cut(here) != are_cut(there)]
    assert longer == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_states_are_told_apart(language: str) -> None:
    """Accepted, trained, applied and live are different words, and so are all others."""
    with speaking(language_called(language)):
        said = [speak(phrase) for phrase in PHRASES.values()]
    assert len(set(said)) == len(JobState)


@pytest.mark.parametrize("word", ["my-model", LONG], ids=["ordinary", "long"])
@pytest.mark.parametrize("language", [pytest.param(one, marks=pytest.mark.proof) for one in TRANSLATED])
def test_everything_is_within_slacks_limits(language: str, word: str) -> None:
    """However much longer a language is."""
    with speaking(language_called(language)):
        found = [fault for message in every_message(word) for fault in faults(message)]
        found += [fault for view in samples.views(word) for fault in blockkit.view_findings(view)]
    assert found == []
