"""How a training goes along: its words follow one another by the clock, until it ends or somebody ends it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.clock import Clock


@dataclass(kw_only=True, slots=True)
class Course:
    """A timeline of words. Each stage begins at a fraction (0..1) of `seconds`; the last one, at 1, is the good end."""

    clock: Clock
    seconds: float
    stages: Sequence[tuple[float, str]]
    started: float = field(init=False)
    failed_with: str | None = None
    failed_at: float | None = None
    spoken: str | None = None

    def __post_init__(self) -> None:
        """Begin now."""
        self.started = self.clock.time()

    def fraction(self) -> float:
        """How much is done, 0..1; a failed training stands still."""
        until = self.clock.time() if self.failed_at is None else self.failed_at
        return min(1.0, (until - self.started) / self.seconds) if self.seconds > 0 else 1.0

    def stage(self) -> str:
        """The word of the stage that was reached, whatever is spoken."""
        if self.failed_with is not None:
            return self.failed_with
        done = self.fraction()
        return [word for begin, word in self.stages if begin <= done][-1]

    def word(self) -> str:
        """What the service says: the stage, or a word that was put into its mouth."""
        return self.spoken if self.spoken is not None else self.stage()

    def is_finished(self) -> bool:
        """Whether it came to the good end."""
        return self.failed_with is None and self.fraction() >= 1.0

    def is_over(self) -> bool:
        """Whether it ended, well or badly."""
        return self.failed_with is not None or self.fraction() >= 1.0

    def ended(self) -> float | None:
        """Epoch seconds of the end; None while it goes on."""
        if self.failed_at is not None:
            return self.failed_at
        return self.started + self.seconds if self.is_finished() else None

    def finish(self) -> None:
        """Come to the good end now."""
        if not self.is_over():
            self.seconds = self.clock.time() - self.started

    def fail(self, word: str) -> None:
        """Fail now, with the service's word for it."""
        if not self.is_over():
            self.failed_at, self.failed_with = self.clock.time(), word
