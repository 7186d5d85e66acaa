"""The targets of coverage-guided fuzzing hold for what it begins with, so that `make fuzz` finds them in order."""

import pytest

from tests.fuzz.guided import targets
from tests.fuzz.guided.targets import TARGETS, BrokenRuleError, seeds
from tests.fuzz.tally import Tally


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_keeps_the_rules(name: str, tally: Tally) -> None:
    """Recorded frames and real commands, whole and cut anywhere near their beginning."""
    files = [path for folder in seeds(name) for path in sorted(folder.iterdir()) if path.is_file()]
    assert len(files) >= 5
    for path in files:
        data = path.read_bytes()
        for cut in (len(data), *range(min(len(data), 12))):
            TARGETS[name](data[:cut])
            tally.note(name)


def test_a_broken_rule_would_be_seen() -> None:
    """A target that cannot fail would fuzz for nothing."""
    with pytest.raises(BrokenRuleError):
        targets._hold(lambda: "a\x00b")
    with pytest.raises(BrokenRuleError):
        targets._kept({"a": {1: 2}})
