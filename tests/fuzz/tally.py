"""What a test tried, and what became of it."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """`outcomes` are kinds of results and of errors, by how often each came."""

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: object) -> None:
        """One more input: what it gave, or the error that it met."""
        self.note(type(outcome).__name__)

    def note(self, what: str) -> None:
        """One more input: what became of it, in words."""
        self.inputs += 1
        self.outcomes[what] += 1
