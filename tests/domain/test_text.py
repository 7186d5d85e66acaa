"""Words from outside stay words: they mention nobody, link nowhere, and fit."""

import html
import re
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.domain.history import say_duration
from bot.domain.text import code, cut, each_of, either, escape, find_unfit, in_one_line, listed, readable, some_of
from bot.sentences import _, speak, speaking

WORDS = st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None)
@given(WORDS)
@example("<!channel> & <@U0ADA> <https://evil.example|ok>")
def test_nothing_that_slack_reads_as_control_survives(text: str) -> None:
    """Slack reads mentions, links and dates between angle brackets; without these there are none."""
    escaped = escape(text)
    assert "<" not in escaped
    assert ">" not in escaped


@settings(deadline=None)
@given(WORDS)
@example("&lt;")
def test_people_read_what_was_written(text: str) -> None:
    """Escaping loses nothing, also where the text holds entities already."""
    assert escape(text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text
    assert html.unescape(escape("&amp;")) == "&amp;"


@settings(deadline=None)
@given(WORDS)
@example("")
@example("`")
@example("a`b``c")
@example("one\ntwo")
@example("\r\n")
@example("a\tb\x1fc\x00\x1b[31m\u202e")
def test_code_is_one_span_whatever_it_holds(text: str) -> None:
    """Exactly two backticks on one line: a name cannot end the span and go on as formatted text."""
    span = code(text)
    assert span.startswith("`")
    assert span.endswith("`")
    assert len(span) > 2
    assert span.count("`") == 2
    assert len(span.splitlines()) == 1
    assert re.search("[<\x00-\x1f\x7f\u202a-\u202e]", span) is None


@settings(deadline=None)
@given(st.text())
@example("a\tb\r\nc\nd\x85e\x1ff\x00\x1b[31m\u202eg\ud800")
def test_readable_text_keeps_its_lines_and_hides_nothing(text: str) -> None:
    """Only signs that nobody can see are lost; a text that holds none stays as it is."""
    shown = readable(text)
    assert find_unfit(shown) is None
    assert not set(shown) & set("\t\r\x0b\x0c\x1c\x1d\x1e\x1f\x85")
    assert shown.count("\n") == text.replace("\r\n", " ").count("\n")
    assert readable(shown) == shown


@settings(deadline=None)
@given(st.text(st.sampled_from("abc-_.019ü字")).filter(bool))
def test_a_plain_name_stands_in_code_as_it_is(name: str) -> None:
    """Whoever copies a name out of an answer gets the name."""
    assert code(name) == f"`{name}`"


@settings(deadline=None)
@given(WORDS, st.integers(0, 50))
@example("abc", 0)
@example("abc", 1)
@example("", 0)
def test_a_cut_text_fits_and_shows_that_it_was_cut(text: str, most: int) -> None:
    """At most so many characters, the beginning kept, and a sign where something is missing."""
    short = cut(text, most)
    assert len(short) <= most
    assert text.startswith(short.removesuffix("…") if short != text else short)
    if len(text) <= most:
        assert short == text
    elif most > 0:
        assert short.endswith("…")


class Loud:
    """A language that writes what it translates in capital letters, and numbers with points."""

    code = "xx"

    def gettext(self, message: str) -> str:
        return re.sub(r"(?<![{\w:])[a-z]+(?![\w:,]*\})", lambda word: word.group().upper(), message)

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return self.gettext(plural if n != 1 else singular)

    def number(self, text: str) -> str:
        return text.replace(",", ".")


def spoken(text: str) -> str:
    with speaking(Loud()):
        return speak(text)


def test_lists_are_said_as_people_say_them() -> None:
    """Commas, and a word before the last one; the parts keep their own sentences."""
    day = _("day")
    assert [listed(["a", "b", day][:count]) for count in range(4)] == ["", "a", "a and b", "a, b and day"]
    assert [either(["a", "b", day][:count]) for count in range(4)] == ["", "a", "a or b", "a or b or day"]
    assert [each_of(["a", "b", day][:count]) for count in range(4)] == ["", "a", "a and b", "a and b and day"]
    assert [some_of(["a", "b", day], most) for most in (1, 2, 3)] == ["a and 2 more", "a, b and 1 more", "a, b, day"]
    assert some_of(["a", "b"], 2, of=1236) == "a, b and 1,234 more"
    assert [spoken(listed(["a", day])), spoken(either(["a", day]))] == ["a AND DAY", "a OR DAY"]
    assert spoken(some_of([day], 1, of=1235)) == "DAY AND 1.234 MORE"


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(), "0 S"),
        (timedelta(seconds=59.6), "1 MIN"),
        (timedelta(hours=2), "2 H"),
        (timedelta(days=3, seconds=7), "3 D"),
        (timedelta(days=3, hours=4, minutes=5), "3 D 4 H"),
    ],
)
def test_durations_are_said_in_the_language_of_the_reader(span: timedelta, said: str) -> None:
    """The two largest units; a unit of which there is none is left out."""
    assert say_duration(span) == said.lower()
    assert spoken(say_duration(span)) == said


def test_a_sentence_stays_one_where_its_values_are_escaped() -> None:
    """What a service said is escaped within; words that hold markup of their own are escaped as a plain text."""
    said = _("it says {word} of {who}", word="<!here> & more", who=_("day"))
    assert escape(said) == "it says &lt;!here&gt; &amp; more of day"
    assert spoken(escape(said)) == "IT SAYS &lt;!here&gt; &amp; more OF DAY"
    assert spoken(escape(_("<!here> {count}", count=2))) == "&lt;!here&gt; 2"


def test_a_sentence_is_made_safe_in_its_values() -> None:
    """It can still be said in another language; one whose own words would change is left as English."""
    said = _("{count:,} of {name}", count=1234, name=_("the {file}", file="<b>\n&"))
    assert escape(in_one_line(said)) == "1,234 of the &lt;b&gt; &amp;"
    assert spoken(escape(in_one_line(said))) == "1.234 OF THE &lt;b&gt; &amp;"
