"""The pins: complete, hashed, free of addresses, and the same for those who run and those who test."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("requirements.txt", "requirements-dev.txt", "requirements-fuzz.txt")


def pins_of(text: str) -> dict[str, tuple[str, int]]:
    """Distribution -> its version and the number of its hashes."""
    entries = re.split(r"\n(?=\S)", text.strip())
    found = [re.match(r"(?P<name>[\w.-]+)==(?P<version>[\w.+!-]+)", entry) for entry in entries]
    return {
        pin["name"]: (pin["version"], entry.count("--hash=sha256:"))
        for pin, entry in zip(found, entries, strict=True)
        if pin
    }


@pytest.mark.parametrize("name", FILES)
def test_every_line_is_a_pin_or_a_hash(name: str) -> None:
    """No index, no host, no local path, no option: pip takes what it was told elsewhere, the hashes make it safe."""
    pin = r"[\w.-]+==[\w.+!-]+( ; [^\\]+)? \\"
    hash_ = r"    --hash=sha256:[0-9a-f]{64}( \\)?"
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(f"{pin}|{hash_}", line)] == []


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_a_hash(name: str) -> None:
    """A distribution without a hash would let pip refuse all of them, or accept anything."""
    pins = pins_of((ROOT / name).read_text(encoding="utf-8"))
    assert pins
    assert [distribution for distribution, (_, hashes) in pins.items() if not hashes] == []


def test_running_and_testing_use_the_same_versions() -> None:
    """What is tested is what runs: the test tools add pins and change none."""
    running, *others = (pins_of((ROOT / name).read_text(encoding="utf-8")) for name in FILES)
    assert all(running.items() <= testing.items() for testing in others)


def test_every_declared_library_is_pinned() -> None:
    """Nothing that pyproject.toml asks for was forgotten when the pins were written."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    extras = chain(*project["project"]["optional-dependencies"].values())
    wanted = [*project["project"]["dependencies"], *extras, *groups["build"], *groups["dev"]]
    names = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in wanted}
    assert names - pins_of((ROOT / FILES[1]).read_text(encoding="utf-8")).keys() == set()
    assert "atheris" in pins_of((ROOT / FILES[2]).read_text(encoding="utf-8"))
