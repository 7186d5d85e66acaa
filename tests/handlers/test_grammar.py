"""What people type: quotes, options, names, and the sentence that follows a wrong word."""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.arguments import Argument, Arguments, Family, Kind
from bot.domain.job_exports import Form
from bot.domain.jobs import ENDS, JobState
from bot.domain.recurring import EVERY
from bot.errors import UsageError
from bot.ports import JobFilter, Provider
from bot.sentences import speak, speaking
from handlers.grammar import (
    MOST_CHARACTERS,
    Wish,
    Word,
    is_job_id,
    nearest,
    parse_history,
    parse_reference,
    parse_train,
    split,
    states_called,
    take_export,
)
from handlers.views.words import PHRASES
from tests.domain.test_text import Loud
from tests.handlers.registered import NAMES, provider

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def words(line: str) -> list[tuple[str, str]]:
    return [(word.name, word.text) for word in split(line)]


def parse(line: str) -> Wish:
    """The line without `/train`, by the provider that it names."""
    name, *rest = split(line)
    return parse_train(provider(name.text), rest)


def refusal(line: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse(line)
    return caught.value


class Small:
    """A provider as far as the grammar sees one."""

    name = "small"
    arguments = Arguments(
        positionals=(Argument(name="model", label="MODEL", what="the model"),),
        options=(
            Argument(name="kind", label="kind=a|b", what="the kind", choices=("a", "b")),
            Argument(name="size", label="size=N", what="a size", kind=Kind.DECIMAL, required=False),
            Argument(name="count", label="count=N", what="a count", kind=Kind.INTEGER, required=False),
            Argument(name="file", label="file=SOURCE", what="a file", kind=Kind.SOURCE, required=False),
        ),
        families=(Family(name="more", prefix="x.", label="x.NAME=VALUE", what="anything", parse=lambda _, text: text),),
        model="model",
        examples=("/train small m kind=a",),
        reference=(
            Argument(name="group", label="GROUP", what="a group", required=False),
            Argument(name="id", label="ID", what="an id"),
        ),
        reference_example="/status small 7",
    )


SMALL: Any = Small()


# -- words and quotes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pair", ['""', "“”", "””", "““", "„“", "„”", "‟”", "''", "‘’", "’’", "‚‘", "‛’", "«»", "»«", "‹›", '“"']
)
def test_every_kind_of_quotes_holds_a_value_together(pair: str) -> None:
    """Slack and keyboards make all kinds of quotes of a plain one: each holds the same words together."""
    first, last = pair[0], pair[1]
    assert words(f"one title={first}two  words{last} four") == [("", "one"), ("title", "two  words"), ("", "four")]
    assert words(f"{first}two words{last}") == [("", "two words")]


def test_a_quote_inside_a_word_belongs_to_the_word() -> None:
    """Names and notes have apostrophes; only a quote before a space or the end closes."""
    assert words("don't Ada’s 5” disk") == [("", "don't"), ("", "Ada’s"), ("", "5”"), ("", "disk")]
    assert words("note='Ada's model' x") == [("note", "Ada's model"), ("", "x")]
    assert words('note="the "new" one"') == [("note", 'the "new'), ("", 'one"')]


@pytest.mark.parametrize("line", ['title="Reviews 2026', "“open", "'", 'a b "', "x=«no end»x"])
def test_an_open_quote_is_named(line: str) -> None:
    """A quote that is never closed would swallow the rest of the command unseen."""
    with pytest.raises(UsageError, match="is never closed"):
        split(line)


def test_line_breaks_are_spaces() -> None:
    """A command is one line wherever it was broken, also inside of quotes: no value can begin a line in a message."""
    assert words("a\nb\tc\u2028d") == [("", "a"), ("", "b"), ("", "c"), ("", "d")]
    assert words('note="a\nb"') == [("note", "a b")]


@pytest.mark.parametrize("sign", ["\x00", "\x1b", "\x7f", "\u202e", "\u2066", "\ud800"])
def test_signs_that_cannot_be_shown_are_refused(sign: str) -> None:
    """A control character, half a character, or a sign that turns the text would lie to an approver."""
    with pytest.raises(UsageError, match=f"U\\+{ord(sign):04X}"):
        split(f"sestek my{sign}model en-US")


def test_what_can_be_shown_is_kept() -> None:
    """Korean names and emoji of several parts are ordinary words."""
    assert words("모델 👩‍🔬=x 👩‍🔬") == [("", "모델"), ("", "👩‍🔬=x"), ("", "👩‍🔬")]


def test_an_endless_command_is_refused() -> None:
    """A bound keeps every later step small."""
    assert split("x" * MOST_CHARACTERS)
    with pytest.raises(UsageError, match="at most 4,000 characters"):
        split("x" * (MOST_CHARACTERS + 1))


def test_an_empty_line_has_no_words() -> None:
    """The bare command is a question of its own."""
    assert split("") == split(" \n ") == []


# -- what is asked of a provider --------------------------------------------------------------------------------------


def test_positionals_and_options_of_the_real_providers() -> None:
    """The grammar knows no provider: what each declares decides what its words become."""
    assert parse("sestek my-model en-us data=calls.jsonl") == Wish(
        provider="sestek",
        model="my-model",
        params={"model": "my-model", "language": "en-US"},
        data={"data": "calls.jsonl"},
    )
    wish = parse("deepopinion 1 reviews sessions=1,2 title=”Reviews 2026” base=7 language=DE")
    assert wish.model == "reviews"
    assert wish.params == {
        "project": 1, "name": "reviews", "sessions": [1, 2], "title": "Reviews 2026", "base": 7, "language": "de",
    }  # fmt: skip
    wish = parse('aitems 6wxgu1a2b3c POP,relateditem hp.item_top_n=20000 hp.note="a b"')
    assert wish.params["types"] == ["pop", "relatedItem"]
    assert wish.params["hp"] == {"item_top_n": 20000, "note": "a b"}
    assert parse("sony CHURN eval=e.csv data=d.csv") == Wish(
        provider="sony", model="churn", params={"model": "churn"}, data={"eval": "e.csv", "data": "d.csv"}
    )


def test_an_open_family_takes_every_other_name() -> None:
    """Decthings' parameters are the model's own names; one that is called like an option is written with its prefix."""
    wish = parse("decthings m s launcher=ln-1 cpus=0.5 epochs=u32:10 param.launcher=string:x data=dataset:ds/key")
    assert wish.params["launcher"] == "ln-1"
    assert wish.params["cpus"] == 0.5
    assert list(wish.params["parameters"]) == ["epochs", "launcher", "data"]
    assert wish.params["parameters"]["data"] == {"type": "dataset", "datasetId": "ds", "datasetKey": "key"}


def test_options_may_stand_anywhere() -> None:
    """People do not remember an order of words with names."""
    assert parse("sestek data=a.jsonl my-model product=CA en-US") == parse(
        "sestek my-model en-US product=CA data=a.jsonl"
    )


def test_a_choice_is_taken_without_case_and_with_either_dash() -> None:
    """`en_us` can only mean en-US, and the service gets it as it writes it."""
    for typed in ("en-US", "EN-us", "en_us"):
        assert parse(f"sestek my-model {typed}").params["language"] == "en-US"


# -- wrong words ------------------------------------------------------------------------------------------------------


def test_the_nearest_language_is_suggested() -> None:
    """The same language first, then the fewest edits: `en-EN` never becomes `de-DE`."""
    error = refusal("sestek my-model en-EN")
    assert str(error).endswith("Did you mean `en-US`?")
    assert (error.word, error.suggestion) == ("en-EN", "en-US")
    assert nearest("en-GBR", ["en-US", "en-GB", "de-DE"]) == "en-GB"
    assert nearest("EN", ["de-DE", "en-US"]) == "en-US"
    assert nearest("relatedItems", ["pop", "relatedItem"]) == "relatedItem"
    assert nearest("xyz", ["pop", "relatedItem"]) == ""


def test_an_unknown_option_is_named_with_those_there_are() -> None:
    """A slip of one letter is put right, and nothing is ignored in silence."""
    error = refusal("sestek my-model en-US prodct=CA")
    assert "`prodct=` is not an option of sestek; its options are: `product=`, `data=`, `every=`." in str(error)
    assert error.suggestion == "product="
    assert "`hp.NAME=`" in str(refusal("aitems 6wxgu1a2b3c pop description2=x"))


@pytest.mark.parametrize(
    ("line", "missing"),
    [("sestek", "MODEL-ID"), ("sestek my-model", "LANGUAGE"), ("deepopinion 1", "NAME"), ("sony", "MODEL")],
)
def test_a_missing_word_is_named_and_the_line_shown(line: str, missing: str) -> None:
    """Whoever forgot a word sees which, and how the line goes."""
    error = refusal(line)
    assert str(error).startswith(f"{missing} is missing")
    assert f"It goes: `/train {line.split(maxsplit=1)[0]} " in str(error)


def test_a_word_too_many_is_named_and_the_line_shown() -> None:
    """Two words that were one name show themselves: the second is named."""
    error = refusal("sestek my model en-US")
    assert "`en-US` is one word too many. It goes: `/train sestek MODEL-ID LANGUAGE" in str(error)


def test_the_same_option_twice_is_refused() -> None:
    """Which of the two is meant cannot be known."""
    assert str(refusal("sestek my-model en-US data=a.jsonl data=b.jsonl")) == "`data=` is given twice."
    assert str(refusal("sestek my-model en-US product=A product=A")) == "`product=` is given twice."
    assert str(refusal("aitems 6wxgu1a2b3c pop hp.a=1 hp.a=2")) == "`hp.a=` is given twice."


@pytest.mark.parametrize("line", ['sestek "" en-US', "sestek my-model en-US data=", 'deepopinion 1 n title=" "'])
def test_an_empty_value_is_refused(line: str) -> None:
    """Nothing is not a value; the word is named."""
    assert "is empty" in str(refusal(line))


@pytest.mark.parametrize("line", ["deepopinion 0 n", "deepopinion ١ n", "deepopinion 1 n base=-1", "deepopinion 1e3 n"])
def test_a_number_is_a_whole_number_from_one_on(line: str) -> None:
    """Ids of services are counted from 1 and written with plain digits."""
    assert "write a whole number from 1 on" in str(refusal(line))


@pytest.mark.parametrize("value", ["1,,2", "1,1", ",", "1,"])
def test_a_list_has_different_values_with_commas_between(value: str) -> None:
    """A slip in a list is told, not mended."""
    assert "different values with commas between" in str(refusal(f"deepopinion 1 n sessions={value}"))


def small(line: str) -> Wish:
    return parse_train(SMALL, split(line))


def test_a_required_option_is_asked_for() -> None:
    """An option that a provider cannot do without is as good as a positional."""
    with pytest.raises(UsageError, match=r"`kind=` is missing: it is one of a, b\. It goes: `/train small MODEL kind"):
        small("m")
    assert small("m kind=B size=0.5 count=3 file=f.csv x.y=z") == Wish(
        provider="small",
        model="m",
        params={"model": "m", "kind": "b", "size": 0.5, "count": 3, "more": {"y": "z"}},
        data={"file": "f.csv"},
    )


@pytest.mark.parametrize("value", ["-1", "1e3", "nan", "1.", ".5", "1,5"])
def test_a_decimal_is_written_plainly(value: str) -> None:
    """What could be read in two ways is asked for again."""
    with pytest.raises(UsageError, match=r"write it as 2 or 0\.5"):
        small(f"m kind=a size={value}")


def test_a_family_needs_a_name() -> None:
    """`x.=1` names nothing; the form of the option is shown."""
    with pytest.raises(UsageError, match=r"`x\.=` names nothing: write `x\.NAME=VALUE`"):
        small("m kind=a x.=1")


def test_no_wrong_word_ends_its_code_mark() -> None:
    """A backtick in a word would let the rest of the sentence be read as the bot's own words."""
    error = refusal("sestek my-model `en*US*`")
    assert "`'en*US*'` is not a valid LANGUAGE" in str(error)


# -- references -------------------------------------------------------------------------------------------------------


def test_references_of_the_real_providers() -> None:
    """`/status PROVIDER REF…` takes each service's own words."""
    assert parse_reference(provider("sestek"), split("my-model")) == {"model": "my-model"}
    assert parse_reference(provider("aitems"), split("svc1 POP v1")) == {
        "service": "svc1",
        "type": "pop",
        "version": "v1",
    }
    assert parse_reference(provider("deepopinion"), split("1 11")) == {"project": "1", "id": "11"}


def test_optional_words_of_a_reference_are_missing_from_the_left() -> None:
    """Sony's job id says it all; the model's name before it only helps."""
    assert parse_reference(provider("sony"), split("job-1")) == {"job": "job-1"}
    assert parse_reference(provider("sony"), split("churn job-1")) == {"model": "churn", "job": "job-1"}
    assert parse_reference(SMALL, split("a=b")) == {"id": "a=b"}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "ID is missing. It goes: `/status small [GROUP] ID`, for example `/status small 7`."),
        ("a b c", "`c` is one word too many. It goes: `/status small [GROUP] ID`, for example `/status small 7`."),
        ('a b ""', "`` is one word too many. It goes: `/status small [GROUP] ID`, for example `/status small 7`."),
    ],
)
def test_a_wrong_reference_shows_how_it_goes(line: str, sentence: str) -> None:
    """The word at fault, the line and an example, in one sentence."""
    with pytest.raises(UsageError) as caught:
        parse_reference(SMALL, split(line))
    assert str(caught.value) == sentence


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_help_work_when_pasted(name: str) -> None:
    """Help is the first thing that people copy."""
    arguments = provider(name).arguments
    for example in arguments.examples:
        command, line = example.split(" ", 1)
        assert command == "/train"
        assert parse(line).provider == name
    command, shown, line = arguments.reference_example.split(" ", 2)
    assert (command, shown) == ("/status", name)
    assert parse_reference(provider(name), split(line))


def test_job_ids_are_unlike_provider_names() -> None:
    """`/status X` is a job or a service, never a guess."""
    assert is_job_id("j2345ab")
    assert is_job_id("J2345AB")
    assert not any(is_job_id(name) for name in (*NAMES, "j2345a", "j2345abc", "jobs", ""))


# -- history ----------------------------------------------------------------------------------------------------------


def history(line: str) -> JobFilter:
    return parse_history(split(line), providers=NAMES, place="C1", user="U1", now=NOW)


def test_history_filters() -> None:
    """Place, provider, state, time and text, in any order; without a place it is here."""
    assert history("") == history("here") == JobFilter(place="C1")
    assert history("mine") == JobFilter(user="U1")
    assert history("all SONY failed since=7d my model") == JobFilter(
        provider="sony", states=frozenset({JobState.FAILED}), since=NOW - timedelta(days=7), text="my model"
    )
    assert history("since=12h").since == NOW - timedelta(hours=12)
    assert history("since=4W").since == NOW - timedelta(weeks=4)


def test_states_have_the_names_that_cards_show() -> None:
    """People search for the word that they read: trained, applied, accepted; and for alive and ended."""
    assert all(states_called(phrase) == {state} for state, phrase in PHRASES.items())
    assert all(states_called(state.value.replace("_", "-")) == {state} for state in JobState)
    assert history("trained").states == {JobState.DONE}
    assert history("alive").states | history("ended").states == frozenset(JobState)
    assert history("ended").states == ENDS
    assert states_called("nothing") == frozenset()


@pytest.mark.parametrize(
    "line", ["since=soon", "since=", "since=٧d", "since=99999d", "state=failed", "since=1d since=2d"]
)
def test_a_wrong_filter_is_told(line: str) -> None:
    """A filter that is not understood must not look like an empty history."""
    with pytest.raises(UsageError):
        history(line)


def test_a_file_is_asked_for_beside_any_filter() -> None:
    """`export=` says in which form, wherever it stands; what is left is the filter."""
    for line, form, rest in (
        ("all export=csv sony", Form.CSV, "all sony"),
        ("failed export=JSONL", Form.JSONL, "failed"),
        ("export=json", Form.JSONL, ""),
        ("export=", Form.CSV, ""),
        ("all exports", None, "all exports"),
    ):
        found, words = take_export(split(line))
        assert (found, [word.whole() for word in words]) == (form, rest.split())


@pytest.mark.parametrize("line", ["export=xlsx", "export=csv export=jsonl", "export=`*<!channel>"])
def test_a_wrong_form_is_told(line: str) -> None:
    """A word that is not understood makes no file of another kind."""
    with pytest.raises(UsageError, match="export"):
        take_export(split(line))


# -- anything ---------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *('"', "“", "'", "«", "=", ",", ".", ":", "|", "`", "*", " ", "  ", "\n", "1", "0.5", "en-", "x" * 700),
        *("hp.", "param.", "data=", "since=", "title=", "sessions=", "u32:", "f64:", "dataset:", "my-model", "pop"),
        *("churn", "모델", "👩‍🔬", "<!channel>", "http://x|y"),
    ]
)
LINES = st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=14).map("".join)


def is_fit(text: str) -> bool:
    """Nothing in it that begins a line, or hides or turns a part of it."""
    return not any(
        unicodedata.category(sign) in ("Cc", "Cs") or unicodedata.bidirectional(sign) in ("RLO", "LRO", "RLE", "LRE")
        for sign in text
    )


def sentence_of(use: Callable[[], object]) -> str:
    """What a UsageError says; "" where nothing was wrong. Every other exception passes."""
    try:
        use()
    except UsageError as error:
        return str(error)
    return ""


@given(name=st.sampled_from(NAMES), line=LINES)
@settings(max_examples=250, deadline=None)
def test_any_text_is_a_wish_or_a_sentence(name: str, line: str) -> None:
    """Whatever is typed becomes a request or one short sentence: no other exception leaves the grammar."""
    asked: Provider = provider(name)
    sentences = [
        sentence_of(lambda: [is_fit(word.whole()) or pytest.fail(word.text) for word in split(line)]),
        sentence_of(lambda: parse_train(asked, split(line))),
        sentence_of(lambda: parse_reference(asked, split(line))),
        sentence_of(lambda: history(line)),
    ]
    assert all(is_fit(sentence) and len(sentence) < 1500 for sentence in sentences), sentences


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=("Cc", "Cs", "Z")), max_size=12), max_size=6))
@settings(max_examples=100, deadline=None)
def test_what_is_quoted_is_taken_as_it_is(texts: list[str]) -> None:
    """Quoting protects every sign; only the quotes themselves and what turns the text need care."""
    plain = [re.sub('["“”„‟\u202a-\u202e\u2066-\u2069]', "", text) for text in texts]
    line = " ".join(f'"{text}"' for text in plain)
    assert split(line) == [Word(text=text) for text in plain]


# -- again and again --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_service_can_recur(name: str) -> None:
    """The option is one of the provider's own, so help, form and suggestions have it."""
    assert EVERY in provider(name).arguments.options


def test_when_to_train_again_is_no_parameter() -> None:
    """It makes a plan of the wish; names keep their signs until a run fills them."""
    wish = parse("deepopinion 1 reviews-{date} sessions=1,2 every=“mon, thu 9:00”")
    assert wish.every is not None
    assert wish.every.text() == "mon,thu 09:00"
    assert wish.params == {"project": 1, "name": "reviews-{date}", "sessions": [1, 2]}
    assert parse("sestek calls-{n} en-US every='day 06:30'").model == "calls-{n}"
    with pytest.raises(UsageError):
        parse("sestek calls-{n} en-US")


def test_a_wrong_time_is_answered_with_examples() -> None:
    """And where a model may have a parameter that is called so, with its other name."""
    assert 'every="mon 09:00"' in str(refusal('sestek my-model en-US every="monthly"'))
    assert "`param.every=`" in str(refusal("decthings m s launcher=l every=u32:10"))
    assert "given twice" in str(refusal('sestek my-model en-US every="day 06:30" every="day 07:30"'))
    assert parse("decthings m s launcher=l param.every=u32:10").every is None


# -- languages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sestek", "MODEL-ID IS MISSING. It GOES: `/train sestek MODEL-ID LANGUAGE ["),
        ("sestek m", "LANGUAGE IS MISSING: IT IS ONE OF en-US, "),
        ("sestek m en-US more", "`more` IS ONE WORD TOO MANY. It GOES: `/train sestek MODEL-ID "),
        ("sestek m en-US foo=1", "`foo=` IS NOT AN OPTION OF sestek; ITS OPTIONS ARE: `product=`, "),
        ("sestek m en-US product=", "product= IS EMPTY."),
    ],
)
def test_a_refusal_is_said_in_the_language_of_the_moment(line: str, said: str) -> None:
    """The sentence is translated; words that are typed stay as they are."""
    error = refusal(line)
    with speaking(Loud()):
        assert speak(str(error)).startswith(said)
