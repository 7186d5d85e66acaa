"""Lines, faults and repeated rows of a data file."""

import pytest

from bot.errors import DataError
from bot.providers import findings
from bot.providers.findings import Fault, Faults, Lines, Repeats, say_repeated


def lines(*numbers: int) -> Lines:
    found = Lines()
    for number in numbers:
        found.add(number)
    return found


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([7], "line 7"),
        ([3, 9], "lines 3 and 9"),
        ([3, 9, 1200], "lines 3, 9 and 1,200"),
        ([1, 2, 3, 4, 5], "lines 1, 2, 3 and 2 more"),
    ],
)
def test_lines_are_told_as_the_first_few_and_their_number(numbers: list[int], said: str) -> None:
    """A million lines make no longer text than four."""
    assert str(lines(*numbers)) == said


def test_no_fault_refuses_nothing() -> None:
    """A good file passes, and the first fault gives the error its line."""
    faults = Faults()
    faults.refuse_any()
    faults.add(Fault("empty", lambda: "Line 4 is empty."), 4)
    faults.add(Fault("empty", lambda: "Line 6 is empty."), 6)
    with pytest.raises(DataError, match=r"^Line 4 is empty\. The same on line 6\.$") as caught:
        faults.refuse_any()
    assert caught.value.line == 4


def test_rows_are_compared_up_to_a_number_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit nothing is compared, and the warning names the number."""
    monkeypatch.setattr(findings, "COMPARED", 3)
    repeats = Repeats()
    for line, key in enumerate([5, 5, 6, 5, 5], start=1):
        repeats.add(hash(key), 0, line)
    found = repeats.find()
    assert (found.rows.count, found.left_out) == (1, 2)
    assert "the first 3 only; 2 more" in say_repeated(found)[-1]
