"""Tables that people open in a spreadsheet: what stands in a cell is shown and never calculated."""

import csv
import io

import pytest

from bot.domain.exports import csv_line, safe


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", '=HYPERLINK("x")'])
def test_what_would_be_a_formula_is_a_text(text: str) -> None:
    """Each sign with which a spreadsheet begins to calculate gets an apostrophe before it."""
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", "1-2", "'x", " ü", "字"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    """Nothing is changed that needs no change."""
    assert safe(text) == text


def test_a_line_is_read_as_it_was_written() -> None:
    """Commas, quotes and line breaks within cells make no cell and no line of their own; numbers stay numbers."""
    line = csv_line(["a,b", 'say "x"', "two\nlines", None, -3, 2.5, "=1,2"])
    assert line.endswith("\r\n")
    [cells] = csv.reader(io.StringIO(line, newline=""))
    assert cells == ["a,b", 'say "x"', "two\nlines", "", "-3", "2.5", "'=1,2"]
