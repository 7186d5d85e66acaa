"""Whatever is typed: a request, a question or a filter, or one sentence that can be shown as it is."""

import itertools
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.arguments import Argument, DataRule
from bot.domain.requests import TrainRequest
from bot.errors import UsageError
from bot.ports import JobFilter, Provider
from handlers.grammar import Word, parse_history, parse_reference, parse_train, split
from handlers.views.words import PHRASES
from storage.rows import REQUEST, dump
from tests.fuzz.effort import effort
from tests.fuzz.fitness import NOW, is_readable, is_storable, sentence_faults
from tests.fuzz.shapes import NASTY
from tests.fuzz.tally import Tally
from tests.handlers import samples
from tests.handlers.registered import NAMES, provider

QUOTES = st.sampled_from(list("\"“”„‟'‘’‚‛«»‹›`"))
SPACES = st.sampled_from([" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u2028", "\x85", ""])
VALUES = st.sampled_from(
    [
        "1", "0", "-1", "007", "1,2", "1,,2", "1,1", ",", "0.5", "1e9", "9" * 19, "9" * 5000, "NaN", "١", "²",
        "true", "[1]", '{"a": 1}', "u32:1", "f32:1e999", "i8:300", "image:png", "b:zz", "string:", "u64:1,2,3",
        "en-US", "EN_us", "en-EN", "pop", "churn", "my-model", "data.csv", "../x", "C:\\x", "a=b=c", "=", "==", "v1",
    ]
)  # fmt: skip
WORDS = VALUES | NASTY | st.text(max_size=6)


def known_words(asked: Provider) -> list[str]:
    """What the provider declares: its choices, its options, and the names of its families."""
    every: Sequence[Argument] = (*asked.arguments.positionals, *asked.arguments.options, *asked.arguments.reference)
    families = [f"{family.prefix}{name}=" for family in asked.arguments.families for name in ("", "a", "A.b", "x_1")]
    options = [f"{option.name}=" for option in asked.arguments.options]
    return [*itertools.chain(*(one.choices[:5] for one in every)), *options, *families]


@st.composite
def lines(draw: st.DrawFn, asked: Provider) -> str:
    """Words near those that the provider knows, with values, quotes and spaces as people and keyboards set them."""
    known = st.sampled_from(known_words(asked))
    parts = draw(st.lists(st.tuples(st.just("") | known, WORDS | known, QUOTES | st.just(""), SPACES), max_size=8))
    return "".join(f"{name}{quote}{value}{quote}{space}" for name, value, quote, space in parts)


@st.composite
def near(draw: st.DrawFn, asked: Provider, good: str) -> str:
    """A line that is taken, with a word put in, or in the place of another."""
    words = good.split()
    at = draw(st.integers(0, len(words)))
    known = draw(st.just("") | st.sampled_from(known_words(asked)))
    words[at : at + draw(st.integers(0, 1))] = [f"{known}{draw(WORDS)}"]
    return " ".join(words)


def result_or_sentence(read: Callable[[], object]) -> object:
    """What it gives, or the UsageError, held to the rules of a sentence; any other exception leaves."""
    try:
        return read()
    except UsageError as error:
        said = error
    assert sentence_faults(said) == [], repr(str(said))
    assert all(is_readable(sign) for sign in said.suggestion)
    return said


def check_request(asked: Provider, line: str) -> TrainRequest:
    """What is read can be kept, compared, and looked at by its provider."""
    wish = parse_train(asked, split(line))
    request = TrainRequest(
        request_key="k",
        provider=wish.provider,
        model=wish.model,
        params=wish.params,
        data=wish.data,
        actor=samples.ADA,
        channel="C0TRAIN001",
    )
    assert is_storable(wish.params)
    assert REQUEST.validate_json(dump(REQUEST, request)).fingerprint() == request.fingerprint()
    result_or_sentence(lambda: asked.check(request))
    return request


GOOD = {
    "sestek": "my-model en-US",
    "deepopinion": "1 reviews-2026 language=en sessions=1,2",
    "decthings": "mdl-sentiment st-2 epochs=u32:2",
    "aitems": "svcmovies01 pop hp.epochs=3",
    "sony": "churn data=churn.csv",
}


@pytest.mark.parametrize("name", NAMES)
@effort(100)
@given(data=st.data())
def test_any_line_is_a_request_or_a_sentence(name: str, data: st.DataObject, tally: Tally) -> None:
    """Near-commands of all five services: no other exception, and what is taken can be stored."""
    asked = provider(name)
    line = data.draw(lines(asked) | near(asked, GOOD[name]) | near(asked, GOOD[name]))
    tally.add(result_or_sentence(lambda: check_request(asked, line)))


@pytest.mark.parametrize("name", NAMES)
def test_the_good_lines_are_requests(name: str) -> None:
    """The lines that the others are made of are taken."""
    assert isinstance(check_request(provider(name), GOOD[name]), TrainRequest)


@pytest.mark.parametrize("name", NAMES)
@effort(60)
@given(data=st.data())
def test_any_reference_is_read_or_answered_with_a_sentence(name: str, data: st.DataObject, tally: Tally) -> None:
    """`/status PROVIDER …`: a text under each name that the provider declares, or how it goes."""
    asked = provider(name)
    line = data.draw(lines(asked))

    def read() -> dict[str, str]:
        found = parse_reference(asked, split(line))
        assert set(found) <= {argument.name for argument in asked.arguments.reference}
        assert all(text.strip() for text in found.values())
        return found

    tally.add(result_or_sentence(read))


FILTERS = st.sampled_from(["here", "MINE", "all", "sony", "alive", "ended", *PHRASES.values(), "since=", "since=1d"])
DURATIONS = st.from_regex(r"since=[0-9]{0,5}[hdwmy]?", fullmatch=True)


@effort(200)
@given(parts=st.lists(FILTERS | DURATIONS | WORDS, max_size=6), space=SPACES)
@example(parts=["since=9999w"], space=" ")
def test_any_filter_of_the_history_is_read_or_answered_with_a_sentence(
    parts: list[str], space: str, tally: Tally
) -> None:
    """`/jobs …` and `switchyard jobs …`: a filter that lies in the past, or a sentence."""

    def read() -> JobFilter:
        words = split((space or " ").join(parts))
        found = parse_history(words, providers=NAMES, place="C0TRAIN001", user="U0ADA00001", now=NOW)
        assert found.since is None or found.since <= NOW - timedelta()
        assert all(is_readable(sign) for sign in found.text)
        return found

    tally.add(result_or_sentence(read))


@effort(200)
@given(text=st.lists(QUOTES | SPACES | WORDS | st.characters(), max_size=30).map("".join))
def test_any_text_splits_into_words_or_a_sentence(text: str, tally: Tally) -> None:
    """Nothing of a text is made up: what its words hold stands in it, and each word is on one line."""

    def read() -> list[Word]:
        words = split(text)
        assert all(is_readable(sign) for word in words for sign in word.whole())
        assert sum(len(word.whole()) for word in words) <= len(text)
        return words

    tally.add(result_or_sentence(read))


def test_the_vocabulary_is_that_of_the_services() -> None:
    """Each service brings words of its own into these tests, also one that takes a file."""
    assert all(known_words(provider(name)) for name in NAMES)
    assert any(isinstance(provider(name).data, DataRule) for name in NAMES)
