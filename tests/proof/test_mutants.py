"""Planted bugs: each patch in `mutants/` breaks one promise in a copy of the tree, and the tests that it names see it.

A patch begins with what it breaks. `Caught by:` are arguments of pytest, a line each; `Seen as:` is what the tests say.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proof.stage import ROOT

MUTANTS = sorted((Path(__file__).parent / "mutants").glob("*.patch"))
TREE = ("bot", "handlers", "storage", "sandbox", "tests", "pyproject.toml", "manifest.yml")
NOT_COPIED = shutil.ignore_patterns("browser")
NOT_HANDED_ON = ("PYTEST", "COV", "PROOF", "HYPOTHESIS")
EVERY = "proof or not proof"
"""For `-m`: also the tests that are left out unless they are asked for."""

TESTS_FAILED = 1

pytestmark = pytest.mark.proof


def test_there_are_mutants() -> None:
    """Nothing is proved by a list that nobody finds."""
    assert len(MUTANTS) > 30


@pytest.mark.parametrize("patch", MUTANTS, ids=lambda patch: patch.stem)
async def test_a_planted_bug_is_caught(patch: Path, tmp_path: Path) -> None:
    """The tests fail on the copy with the bug, and for the reason that the patch expects."""
    tree = tmp_path / "tree"
    _copy(tree, patch)
    text = patch.read_text("utf-8")
    status, said = await _pytest(tree, _fields(text, "Caught by"))
    assert status == TESTS_FAILED, f"the bug was not caught ({status}):\n{said[-6000:]}"
    for expected in _fields(text, "Seen as"):
        assert re.search(expected, said), f"caught, but not seen as {expected!r}:\n{said[-6000:]}"


def _copy(tree: Path, patch: Path) -> None:
    """The tree with the bug. A patch that does not fit any more is an error: somebody has to write it again.

    Byte code is copied, so that each run does not compile everything anew; but for that of the files with the bug.
    """
    tree.mkdir()
    for name in TREE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=NOT_COPIED)
        else:
            shutil.copy2(ROOT / name, tree / name)
    for name in re.findall(r"^\+\+\+ b/(\S+)$", patch.read_text("utf-8"), re.MULTILINE):
        for compiled in (tree / name).parent.glob(f"__pycache__/{Path(name).stem}.*"):
            compiled.unlink()
    subprocess.run(["git", "apply", "-C1", str(patch)], cwd=tree, check=True)


def _fields(text: str, name: str) -> list[str]:
    return re.findall(rf"^{name}: (.+)$", text, re.MULTILINE)


async def _pytest(tree: Path, caught_by: list[str]) -> tuple[int, str]:
    """How pytest ends in the copy, and what it says. One selection after the other, until one fails."""
    status, said = 0, ""
    for selection in caught_by:
        where, _, which = selection.partition(" -k ")
        arguments = ["-x", "-q", "-p", "no:cacheprovider", "-m", EVERY, where, *(["-k", which] if which else [])]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "pytest", *arguments),
            cwd=tree,
            env=_environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        status, said = process.returncode or 0, said + out.decode("utf-8", "replace")
        if status:
            break
    return status, said


def _environment() -> dict[str, str]:
    """This one without what pytest, its workers and the proof have put into it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(NOT_HANDED_ON)}
