"""A wish as texts: a command, a form and a stored request say the same, and each can be made of the others."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.requests import TrainRequest
from bot.errors import UsageError
from handlers.grammar import Wish, parse_train, split
from handlers.lines import Draft, draft_of_request, draft_of_words, problems_of, to_line, with_marks, words_of
from tests.handlers.registered import NAMES, provider

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
TRICKY = st.sampled_from(
    ['"', "'", 'a "b" c', "it's", "x=1", "« »", " ", "모델 이름", "help", '"a" b\' c’ d» e›', "a\\,b", "12", "null"]
)
ANY = st.one_of(TEXT, TRICKY, st.lists(TRICKY, min_size=2, max_size=4).map("".join))
NUMBER = st.integers(1, 10**17).map(str)
NUMBERS = st.lists(NUMBER, min_size=1, max_size=4, unique=True).map(",".join)
NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,12}", fullmatch=True)


def lines(value: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.dictionaries(NAME, value, max_size=3)
    return pairs.map(lambda found: "\n".join(f"{name}={text}" for name, text in found.items()))


TENSORS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1).map(str), min_size=1, max_size=3).map(
        lambda all_: f"i64:{','.join(all_)}"
    ),
    st.lists(st.floats(allow_nan=False, allow_infinity=False).map(repr), min_size=1, max_size=3).map(
        lambda all_: f"f64:{','.join(all_)}"
    ),
    st.lists(ANY, min_size=1, max_size=3).map(lambda all_: f"string:{','.join(all_)}"),
    st.lists(st.sampled_from(["true", "FALSE"]), min_size=1, max_size=3).map(lambda all_: f"boolean:{','.join(all_)}"),
    st.just("dataset:ds 1/a key"),
    st.just("binary:00ff"),
)
FIELDS: dict[str, dict[str, st.SearchStrategy[str]]] = {
    "sestek": {
        "model": st.just("my-model"),
        "language": st.sampled_from(["en-US", "TR_tr"]),
        "product": ANY,
        "data": ANY,
    },
    "deepopinion": {
        "project": NUMBER, "name": ANY, "language": st.just("de"), "base": NUMBER, "sessions": NUMBERS,
        "train": NUMBERS, "test": NUMBERS, "title": ANY,
    },
    "decthings": {
        "model": ANY, "name": ANY, "state": ANY, "launcher": ANY, "memory": NUMBER, "gpu": ANY,
        "cpus": st.decimals(0, 10**9 - 1, places=9).map(lambda one: f"{one:f}"), "parameters": lines(TENSORS),
    },
    "aitems": {
        "service": st.just("svcmovies01"), "types": st.sampled_from(["pop", "POP,relatedItem"]), "description": ANY,
        "hp": lines(st.one_of(ANY, NUMBER, st.sampled_from(['{"a": [1, 2.5]}', '"12"', "1e5", "null", "true"]))),
    },
    "sony": {"model": st.sampled_from(["churn", "DEMAND"]), "data": ANY, "eval": ANY},
}  # fmt: skip


def request(wish: Wish) -> TrainRequest:
    return TrainRequest(
        request_key="k", provider=wish.provider, model=wish.model, params=wish.params, data=wish.data
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_command_is_read_as_the_request_that_it_was_made_of(name: str, data: st.DataObject) -> None:
    """Whatever a form or a command asked for: the line that is shown for it asks for the same when it is pasted."""
    known = provider(name)
    texts: dict[str, Any] = {
        field: data.draw(values)
        for field, values in FIELDS[name].items()
        if field in {one.name for one in known.arguments.positionals} or data.draw(st.booleans())
    }
    try:
        wish = parse_train(known, words_of(known, Draft(provider=name, texts=texts)))
    except UsageError:
        return
    line = to_line(known, request(wish))
    if line is not None:
        assert parse_train(known, split(line)[2:]) == wish
    draft = draft_of_request(known, request(wish))
    if not any("\n" in text for field, text in draft.texts.items() if field not in {"parameters", "hp"}):
        assert parse_train(known, words_of(known, draft)) == wish


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_shown_as_it_is_typed(name: str) -> None:
    """An ordinary command comes back word for word, if in the order of the help."""
    known = provider(name)
    for example in known.arguments.examples:
        wish = parse_train(known, split(example)[2:])
        assert sorted(str(to_line(known, request(wish))).split()) == sorted(example.split())
        draft = draft_of_words(known, split(example)[2:])
        assert parse_train(known, words_of(known, draft)) == wish
        assert problems_of(known, draft) == {}


def test_quotes_are_chosen_by_what_stands_in_a_word() -> None:
    """A quote in a name does not end it."""
    known = provider("deepopinion")
    wish = parse_train(known, split("""1 "the 'new' one" title='say "yes" now'"""))
    assert to_line(known, request(wish)) == """/train deepopinion 1 "the 'new' one" title='say "yes" now'"""


def test_what_is_understood_of_a_wrong_command_is_kept() -> None:
    """A wrong or missing word does not cost the others."""
    draft = draft_of_words(provider("decthings"), split("mdl-1 st-2 surplus epochs=u32 cpus=many param.cpus=u8:2"))
    assert draft.texts == {"model": "mdl-1", "name": "st-2", "cpus": "many", "parameters": "epochs=u32\ncpus=u8:2"}
    problems = problems_of(provider("decthings"), draft)
    assert set(problems) == {"cpus", "parameters"}
    assert "`many` is not a number" in problems["cpus"]


def test_each_field_is_judged_by_the_sentences_of_the_command() -> None:
    """The same refusals and suggestions, all at once, each where it belongs."""
    texts = {"model": "My Model", "language": "en-EN", "data": "x"}
    problems = problems_of(provider("sestek"), Draft(provider="sestek", texts=texts))
    assert "capital letters" in problems["model"]
    assert "Did you mean `en-US`?" in problems["language"]
    assert set(problems) == {"model", "language"}
    assert set(problems_of(provider("sestek"), Draft())) == {"model", "language"}
    low = Draft(texts={"service": "svc1", "types": "pop", "hp": "hp.item_top_n=1"})
    assert "1,000 to 500,000" in problems_of(provider("aitems"), low)["hp"]
    hp = Draft(texts={"service": "svc1", "types": "pop", "hp": "item_top_n=1000\nnothing"})
    assert "NAME=VALUE" in problems_of(provider("aitems"), hp)["hp"]
    twice = Draft(texts={"service": "svc1", "types": "pop", "hp": "hp.x=1\nx=2"})
    assert "given twice" in problems_of(provider("aitems"), twice)["hp"]


@pytest.mark.parametrize(
    ("typed_", "line"),
    [
        (
            'deepopinion 1 reviews title="A b" every="mon 09:00"',
            '/train deepopinion 1 reviews-{date} title="A b" every="mon 09:00"',
        ),
        (
            'decthings m r-{time} launcher=l x=u8:1 every="day 06:30"',
            '/train decthings m r-{time}-{date} launcher=l x=u8:1 every="day 06:30"',
        ),
        ('deepopinion 1 r{n} every="mon 09:00"', '/train deepopinion 1 r{n} every="mon 09:00"'),
    ],
)
def test_a_name_that_would_be_the_same_is_put_right(typed_: str, line: str) -> None:
    """What is offered to be pasted says the same, with a name that differs from run to run."""
    name, *words = split(typed_)
    assert with_marks(provider(name.text), words) == line


def test_a_parameter_called_every_keeps_its_prefix() -> None:
    """Without it, the line would plan a training instead of setting the parameter."""
    wish = parse_train(provider("decthings"), split("m s launcher=l param.every=u32:10"))
    line = to_line(provider("decthings"), request(wish))
    assert line is not None
    assert "param.every=u32:10" in line


def test_names_of_a_recurring_training_are_judged_as_filled() -> None:
    """In the field as in the command: braces that a service refuses are fine where a run fills them."""
    sestek = provider("sestek")
    texts = {"model": "calls-{n}", "language": "en-US", "every": "mon 09:00"}
    assert problems_of(sestek, Draft(provider="sestek", texts=texts)) == {}
    assert "model" in problems_of(sestek, Draft(provider="sestek", texts={**texts, "every": ""}))
    assert "model" in problems_of(sestek, Draft(provider="sestek", texts={**texts, "model": "Calls {n}"}))
    assert (
        "not offered" in problems_of(sestek, Draft(provider="sestek", texts={**texts, "every": "1st 09:00"}))["every"]
    )
