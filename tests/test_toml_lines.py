"""The lines of a TOML document's values, found with tomllib alone."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.toml_lines import Path, find_lines

DOCUMENT = '''# A comment
top = 1

[defaults]
quiet.from = "20:00"
quiet.to = "08:00"
text = """
[[rule]]
name = "not a rule"
"""

[[rule]]
name = "first"
approve = [
  "U1",   # "]" in a comment
  "U2", "U3",

  "[",
]
[rule.quiet]
zone = "UTC"
[[rule.stand_ins]]
for = "U1"
[[rule.stand_ins]]
for = "U2"

[[rule]]
name = "second"
stand_ins = [
  { for = "U1", by = "U2" },
  { for = "U3", by = "U4" },
]
'nested' = [ [ 1,
  2 ], [3] ]
raw = \'\'\'
]\'\'\'
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("defaults",), 4),
        (("defaults", "quiet", "from"), 5),
        (("defaults", "quiet", "to"), 6),
        (("defaults", "text"), 7),
        (("rule", 0), 12),
        (("rule", 0, "name"), 13),
        (("rule", 0, "approve"), 14),
        (("rule", 0, "approve", 0), 15),
        (("rule", 0, "approve", 1), 16),
        (("rule", 0, "approve", 2), 16),
        (("rule", 0, "approve", 3), 18),
        (("rule", 0, "quiet"), 20),
        (("rule", 0, "quiet", "zone"), 21),
        (("rule", 0, "stand_ins", 0), 22),
        (("rule", 0, "stand_ins", 1, "for"), 25),
        (("rule", 1), 27),
        (("rule", 1, "stand_ins", 1, "by"), 31),
        (("rule", 1, "nested"), 33),
        (("rule", 1, "nested", 0), 34),
        (("rule", 1, "raw"), 35),
        (("rule", 1, "lacks"), 27),
        (("nowhere",), 1),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_the_line_of_each_value(path: Path, line: int, ending: str) -> None:
    """Keys, dotted keys, tables, tables in lists and elements of lists, whatever stands in strings and comments."""
    assert find_lines(DOCUMENT.replace("\n", ending)).of(path) == line


WORDS = st.sampled_from(["a", "b", "rule", '"q.k"', "'l'"])
SCALARS = st.sampled_from(
    [
        "1",
        "true",
        '"]"',
        "'}'",
        '"""\n[x]\n"""',
        "'''\ny = 1\n'''",
        "2026-01-01",
        "20:00:00",
        '"#"',
        "{ x = 1, y = [2] }",
    ]
)
LISTS = st.lists(SCALARS, max_size=4).flatmap(
    lambda items: st.sampled_from([", ", ",\n", ", # ]\n  "]).map(lambda sep: f"[{sep.join(items)}\n]")
)
KEYS = st.lists(WORDS, min_size=1, max_size=3).map(".".join)
STATEMENTS = st.one_of(
    st.tuples(KEYS, SCALARS | LISTS).map(" = ".join),
    KEYS.map("[{}]".format),
    KEYS.map("[[{}]]".format),
    st.sampled_from(["", "# [c]", "  "]),
)


@given(st.lists(STATEMENTS, max_size=12))
def test_each_line_is_that_of_its_statement(statements: list[str]) -> None:
    """Put a mark into any statement: the value that changes is the one that is found on its line."""
    text = "\n".join(statements)
    try:
        said = tomllib.loads(text)
    except ValueError:
        return
    lines = find_lines(text)
    begins = [1 + sum(one.count("\n") + 1 for one in statements[:place]) for place in range(len(statements))]
    for place, statement in enumerate(statements):
        key, equals, _ = statement.partition(" = ")
        if not equals or statement.startswith("#"):
            continue
        changed = tomllib.loads("\n".join([*statements[:place], f'{key} = "changed"', *statements[place + 1 :]]))
        [path] = differences(said, changed)
        assert lines.of(path) == begins[place]


def differences(one: Any, other: Any, path: Path = ()) -> Iterator[Path]:
    """The paths at which two documents differ, as far up as one is changed whole."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from differences(one[key], other[key], (*path, key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, (*path, place))
    elif one != other:
        yield path
