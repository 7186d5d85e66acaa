"""Coverage-guided fuzzing with atheris: `python -m tests.fuzz.guided NAME SECONDS FOLDER`, as `make fuzz` does it.

FOLDER keeps what was found on the way, so that the next run goes on from there, and an input that breaks a rule.
"""

import importlib
import sys
from pathlib import Path

import atheris

PARSERS = ["bot", "handlers"]
"""Packages that are instrumented; of these the targets use the two parsers, and little else."""


def main() -> None:
    name, seconds, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    with atheris.instrument_imports(include=PARSERS):
        targets = importlib.import_module("tests.fuzz.guided.targets")
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        "-max_len=2000",
        f"-artifact_prefix={corpus}-",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    known = [str(path) for path in targets.seeds(name)]
    atheris.Setup([sys.argv[0], *options, str(corpus), *known], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
