"""How sentences are written in the code, so that each of them comes into the catalogues."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKERS = frozenset({"_", "ngettext"})


def made_within(source: str) -> Iterator[int]:
    """The lines of f-strings in which a sentence is made."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FormattedValue) and any(map(_makes, ast.walk(node))):
            yield node.lineno


def _makes(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS


@pytest.mark.parametrize("package", ["bot", "handlers", "storage"])
def test_no_sentence_is_made_within_an_f_string(package: str) -> None:
    """Up to Python 3.11 an f-string is one token, in which Babel finds no message: it would stay English unseen."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line in made_within(path.read_text())
    ]
    assert found == []


def test_such_a_sentence_is_found() -> None:
    """Also within a call, and only where it is made: a sentence that has a name may stand in an f-string."""
    assert list(made_within("f\"{name}: {speak(_('yes'))}\"")) == [1]
    assert list(made_within("said = _('yes')\nf'{said}'")) == []
