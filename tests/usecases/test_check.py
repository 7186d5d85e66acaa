"""What the check makes of what a provider found."""

from bot.domain.requests import Payload
from bot.usecases.check import bounded


def test_warnings_are_few_and_short() -> None:
    """However much is odd in a file, the card stays readable, and what is left out is counted."""
    odd = Payload(
        name="a.csv", sha256="0" * 64, size=1, rows=1, warnings=tuple(f"{n}\n" + "경고 " * 300 for n in range(40))
    )
    warnings = bounded(odd).warnings
    assert len(warnings) == 11
    assert warnings[-1] == "30 more warnings are not shown."
    assert all(len(warning) <= 400 and "\n" not in warning for warning in warnings)
    few = Payload(name="a.csv", sha256="0" * 64, size=1, rows=1, warnings=("One.",))
    assert bounded(few) == few
