"""One table of all that was proved: what was tried, and how often a promise was broken.

A test hands in its rows with `tell`; rows of one name are added up, whichever worker they come from. A test of the
proof that fails without having found what is broken counts as one that went wrong, so that no table looks clean by
what it leaves out.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

PROOF = "proof"
FUZZ = "fuzz"
INPUTS = "inputs"
PARTS = ("crash points", "network faults", "database faults", "restore", INPUTS, "races", "mutants")
"""The order of the table; other parts come after these."""

FOLDERS = ("tests/proof/", "tests/fuzz/", "tests/races/")
PLUGIN = "report-of-the-proof"
ROOT = Path(__file__).parents[2]
WRITE = "PROOF_WRITE"
"""Set it, and the table is written into the documents."""

PROMISES = ("lost", "doubled", "wrong", "leaked")
Tell = Callable[[str, object], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How often something was tried, and in how many of these `runs` a promise was broken.

    `points` are boundaries at which the bot was killed, `faults` those done to it from outside, `inputs` what was
    made up for it, `interleavings` the orders in which things that happen at once were tried. `questions` were asked
    of a person because the service could not tell. `seconds` add up over runs that went on beside each other.
    """

    part: str
    what: str
    runs: int = 0
    points: int = 0
    faults: int = 0
    inputs: int = 0
    interleavings: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    leaked: int = 0
    questions: int = 0
    seconds: float = 0

    @property
    def is_clean(self) -> bool:
        return not any(getattr(self, name) for name in PROMISES)


NUMBERS = tuple(field.name for field in fields(Row) if field.name not in ("part", "what"))


def tell(record_property: Tell, row: Row) -> None:
    """Hand a row to the table: `record_property` is pytest's fixture of that name."""
    record_property(PROOF, json.dumps(asdict(row)))


# -- the rows -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Told:
    """What is known of one test when all its phases are over. A row may be told as late as in the last of them."""

    nodeid: str
    has_run: bool = False
    has_failed: bool = False
    seconds: float = 0.0
    properties: Sequence[tuple[str, Any]] = ()

    def add(self, report: Any) -> None:
        self.has_failed |= report.failed
        self.has_run |= report.failed or report.when == "call"
        self.seconds += getattr(report, "duration", 0.0)
        self.properties = max(self.properties, getattr(report, "user_properties", ()), key=len)


def gathered(reports: Iterable[Any]) -> list[Row]:
    """The rows of all tests, added up by name, in the order of PARTS. `reports` are pytest's, of all phases."""
    tests: dict[str, Told] = {}
    for report in reports:
        tests.setdefault(report.nodeid, Told(report.nodeid)).add(report)
    return folded([row for test in tests.values() if test.has_run for row in rows_of(test)])


def rows_of(test: Told) -> list[Row]:
    """What one test told; a test of the proof that told nothing is a run of its own."""
    told = [_read(name, value) for name, value in test.properties if name in (PROOF, FUZZ)]
    rows = told or _untold(test)
    if rows and not any(row.seconds for row in rows):
        rows[0] = replace(rows[0], seconds=round(test.seconds, 1))
    if rows and test.has_failed and all(row.is_clean for row in rows):
        rows[0] = replace(rows[0], wrong=1)
    return rows


def _read(name: str, value: str) -> Row:
    told = json.loads(value)
    if name == PROOF:
        return Row(**told)
    return Row(part=INPUTS, what=told["what"], runs=1, inputs=told["inputs"], seconds=told["seconds"])


def _untold(test: Told) -> list[Row]:
    """The module says what was tried, the name of the test which of it. The proof kit's own tests try nothing."""
    path, _, name = test.nodeid.partition("::")
    part, what = _part_of(PurePosixPath(path)), name.partition("[")[0].removeprefix("test_").replace("_", " ")
    if not path.startswith(FOLDERS) or (part not in PARTS and not test.has_failed):
        return []
    if part == INPUTS:
        what = PurePosixPath(path).stem.removeprefix("test_")
    return [Row(part=part, what=what, runs=1, faults=int(part.endswith("faults")))]


def _part_of(path: PurePosixPath) -> str:
    if path.parent.name == "fuzz":
        return INPUTS
    match path.stem.removeprefix("test_").split("_"):
        case ["faults", where]:
            return f"{where} faults"
        case ["crash", "points"] | ["every", "point"]:
            return "crash points"
        case ["races", *_]:
            return "races"
        case words:
            return " ".join(words)


def folded(rows: Sequence[Row]) -> list[Row]:
    """One row for each part and name."""
    names = sorted(dict.fromkeys((row.part, row.what) for row in rows), key=lambda name: _place(name[0]))
    return [added(part, what, [row for row in rows if (row.part, row.what) == (part, what)]) for part, what in names]


def by_part(rows: Sequence[Row]) -> list[Row]:
    """One row for each part."""
    return folded([replace(row, what="") for row in rows])


def added(part: str, what: str, rows: Sequence[Row]) -> Row:
    sums: Mapping[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in NUMBERS}
    return Row(part=part, what=what, **{**sums, "seconds": round(sums["seconds"], 1)})


def _place(part: str) -> int:
    return PARTS.index(part) if part in PARTS else len(PARTS)


# -- the table ----------------------------------------------------------------------------------------------------


class Report:
    """Shows the table when the tests have ended, and writes it down where that is asked for."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._commit = commit(ROOT) if os.environ.get(WRITE) else ""

    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        stats = terminalreporter.stats
        kinds = [kind for kind in stats if kind not in ("skipped", "deselected", "warnings")]
        rows = gathered(one for kind in kinds for one in stats[kind])
        if not rows:
            return
        seconds = time.monotonic() - self._began
        terminalreporter.section(f"the proof, in {seconds:.0f} s")
        for line in lines(rows):
            terminalreporter.write_line(line)
        if os.environ.get(WRITE) and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            skipped = len(stats.get("skipped", []))
            write(ROOT, rows, heading(datetime.now(UTC), self._commit, seconds, skipped))


def lines(rows: Sequence[Row]) -> list[str]:
    """The table as plain text, with a line for all of it at the end."""
    cells = [("", "", *NUMBERS), *map(_cells, [*rows, added("all", "", rows)])]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [_line(row, widths) for row in cells]


def _cells(row: Row) -> tuple[str, ...]:
    return (row.part, row.what, *(_number(getattr(row, name)) for name in NUMBERS))


def _number(value: float) -> str:
    return f"{value:.0f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    texts = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
    return "  ".join(texts + [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)])


# -- in the documents ---------------------------------------------------------------------------------------------


def write(root: Path, rows: Sequence[Row], head: str) -> None:
    """Put the table by parts into the README, and all of it into docs/proof.md, between their marks."""
    parts = [*by_part(rows), added("all", "", rows)]
    _put(root / "README.md", {"last": f"{head}\n\n{markdown(parts, ('part', *NUMBERS[:-1]))}"})
    whole = f"{head}\n\n{markdown([*rows, added('all', '', rows)], ('part', 'what', *NUMBERS))}"
    _put(root / "docs" / "proof.md", {"last": whole, "mutants": planted(root / "tests" / "proof" / "mutants")})


def heading(at: datetime, version: str, seconds: float, skipped: int) -> str:
    """When, of which commit, how long, on what, and how much of it could not be run there."""
    where = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    left_out = f", {skipped} tests skipped" if skipped else ""
    return f"Last run: {at:%Y-%m-%d} at commit `{version}`, {seconds / 60:.1f} minutes on {where}{left_out}."


def commit(root: Path) -> str:
    """The short name of the commit, with "-dirty" where files differ from it."""
    found = [_git(root, "rev-parse", "--short", "HEAD"), _git(root, "status", "--porcelain", "--untracked-files=no")]
    return f"{found[0]}-dirty" if found[1] else found[0] or "unknown"


def _git(root: Path, *words: str) -> str:
    try:
        found = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return found.stdout.strip()


def markdown(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """A table; what was not tried in a row is left empty, a promise that was kept is a 0."""
    heads = ["" if name in ("part", "what") else name for name in columns]
    marks = ["---" if name in ("part", "what") else "---:" for name in columns]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, marks, *(_shown(row, columns) for row in rows)))


def _shown(row: Row, columns: Sequence[str]) -> list[str]:
    return [_cell(name, getattr(row, name)) for name in columns]


def _cell(name: str, value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value or name in PROMISES else ""


def planted(folder: Path) -> str:
    """The list of the bugs that are planted, each with what it breaks."""
    found = [(path.stem, path.read_text("utf-8").partition("\n")[0]) for path in sorted(folder.glob("*.patch"))]
    return "\n".join(f"* `{name}`: {what}" for name, what in found)


def _put(path: Path, blocks: Mapping[str, str]) -> None:
    text = path.read_text("utf-8")
    for name, block in blocks.items():
        begin, end = f"<!-- proof: {name} -->\n", "\n<!-- proof ends -->"
        before, found, rest = text.partition(begin)
        if found:
            text = f"{before}{begin}{block}{end}{rest.partition(end)[2]}"
    path.write_text(text, "utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Called by the conftest of each folder that has rows: one table for all of them."""
    if not config.pluginmanager.has_plugin(PLUGIN):
        config.pluginmanager.register(Report(), PLUGIN)


def main() -> None:
    """Write what of the documents is known without a run: the list of the planted bugs."""
    _put(ROOT / "docs" / "proof.md", {"mutants": planted(ROOT / "tests" / "proof" / "mutants")})


if __name__ == "__main__":
    main()
