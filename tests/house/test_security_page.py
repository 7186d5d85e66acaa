"""The threat model keeps its word: every test that it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_threat_model_names_exists() -> None:
    """A defence whose test was renamed or removed would be a claim without a proof."""
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    sources += (ROOT / "tests" / "contract" / "store_contract.py").read_text("utf-8")
    there = set(re.findall(r"def (test_\w+)", sources))
    assert len(named) > 40
    assert named - there == set()


def test_every_threat_names_a_test() -> None:
    """A row of the table without one is no defence."""
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    table = page.partition("| Threat | Defence | Held by |")[2].partition("\n\n")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(rows) > 20
    assert [row for row in rows if not re.search(r"`test_\w+`", row.rpartition(" | ")[2])] == []


def test_every_file_that_the_threat_model_names_exists() -> None:
    """Whoever reads it can look."""
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    named = set(re.findall(r"`((?:bot|handlers|storage|tests)/[\w/.]+)`", page))
    assert [name for name in named if not (ROOT / name).exists()] == []
