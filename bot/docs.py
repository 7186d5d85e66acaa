"""Writes the generated blocks of the documents: `python -m bot.docs`, and `--check` to see whether they are current.

A block stands between `<!-- begin: NAME -->` and `<!-- end -->`. What it shows comes from the code and is not edited.
"""

import argparse
import asyncio
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path

from bot import settings
from bot.domain.arguments import Argument, DataRule, usage
from bot.domain.jobs import ENDS, TRANSITIONS, JobState
from bot.errors import ConfigurationError, NotConfiguredError
from bot.ports import Gate, Powers, Provider
from bot.providers import registry
from bot.providers.http import Tools, open_sessions
from bot.providers.registry import Registry
from handlers.ids import RESERVED, Command
from handlers.views.words import PHRASES

ROOT = Path(__file__).parents[1]
FOLDER = Path("docs")
PLACEHOLDER = "https://example.com"
"""Stands for every setting that a provider needs: an address where one is wanted, a text anywhere else."""

_BEGIN = re.compile(r"<!-- begin: ([\w-]+) -->")
_BLOCK = re.compile(rf"({_BEGIN.pattern}\n).*?(<!-- end -->)", re.DOTALL)
_COMMAND = re.compile(r'- command: (\S+)\n +description: (.+)\n +usage_hint: "(.*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the blocks are made of. `document` is where a block stands, below `root`."""

    root: Path
    providers: Sequence[Provider]
    document: Path


# -- providers --------------------------------------------------------------------------------------------------------


async def installed(given: Mapping[str, str] | None = None) -> list[Provider]:
    """Switchyard's own providers, built to be described and not to be called.

    `given` are variables as an operator would set them; each that still lacks is set to PLACEHOLDER.
    """
    environ = dict(given or {})
    entries = distribution("switchyard").entry_points.select(group=registry.GROUP)
    async with open_sessions() as sessions:
        tools = Tools(sessions=sessions, now=lambda: datetime.now(UTC))
        while True:
            sections = settings.load(environ, Path(os.devnull)).providers
            found = registry.load(sections, tools, entries)
            lacking = set(_lacking(found)) - environ.keys()
            if not lacking:
                return list(found.configured().values())
            environ |= dict.fromkeys(lacking, PLACEHOLDER)


def _lacking(found: Registry) -> Iterator[str]:
    for name in found.missing():
        try:
            found.get(name)
        except NotConfiguredError as error:
            # `<NAME>` in a setting is for the operator to choose.
            yield from (re.sub("[<>]", "", key) for key in error.keys)


# -- blocks -----------------------------------------------------------------------------------------------------------


def commands(facts: Facts) -> str:
    """What can be typed: each provider's words, and the other commands as the manifest describes them."""
    starts = [(f"`{usage(one.name, one.arguments)}`", f"Start a training at {one.title}") for one in facts.providers]
    return _table(("Command", "What it does"), [*starts, *_other_commands(facts.root)])


def _other_commands(root: Path) -> Iterator[tuple[str, str]]:
    described = described_commands(root)
    for command in Command:
        if command in RESERVED:
            yield (
                f"`{command} …`",
                f"The same as `{Command.TRAIN_STATUS}` wherever it is delivered; Slack keeps this name for itself",
            )
        elif command is not Command.TRAIN:
            description, hint = described[command]
            yield f"`{command} {hint}`", description


def described_commands(root: Path) -> Mapping[str, tuple[str, str]]:
    """Command -> description and usage hint, as they stand in the manifest."""
    text = (root / "manifest.yml").read_text("utf-8")
    return {command: (description, hint) for command, description, hint in _COMMAND.findall(text)}


def services(facts: Facts) -> str:
    """The providers and their powers."""
    head = ("Service", "Word", "Data file", "Gate", "Can be cancelled", "Asked for by `/train-status`", "To know")
    return _table(head, [_service(facts, one) for one in facts.providers])


def _service(facts: Facts, provider: Provider) -> tuple[str, ...]:
    page = os.path.relpath(FOLDER / "providers" / f"{provider.name}.md", facts.document.parent)
    return (
        f"[{provider.title}]({Path(page).as_posix()})",
        f"`{provider.name}`",
        _files(provider.data),
        _GATES[provider.powers.gate],
        "yes" if provider.powers.cancel else "no",
        f"`{' '.join(map(_optional, provider.arguments.reference))}`",
        "; ".join(_traits(provider.powers)),
    )


_GATES: Mapping[Gate, str] = {
    Gate.BEFORE: "before the start",
    Gate.AFTER: "after the training",
    Gate.NONE: "none",
}

_TRAITS: Sequence[tuple[Callable[[Powers], bool], str]] = (
    (lambda powers: powers.look_publishes, "a look at a finished training publishes it"),
    (lambda powers: powers.watches_live, "watched until it is seen serving"),
    (lambda powers: powers.one_at_a_time, "trains a model once at a time"),
    (lambda powers: powers.many, "one call looks at many trainings"),
    (lambda powers: powers.failed_is_a_reading, "“failed” is our reading of its word and can be taken back"),
)


def _traits(powers: Powers) -> list[str]:
    return [text for holds, text in _TRAITS if holds(powers)]


def _files(rule: DataRule | None) -> str:
    if rule is None:
        return "none"
    suffixes = ", ".join(f"`{suffix}`" for suffix in rule.suffixes)
    return suffixes + "".join(f"; also `{role}=`" for role in rule.roles[1:])


def _optional(argument: Argument) -> str:
    return argument.label if argument.required else f"[{argument.label}]"


def states() -> str:
    """The table of states as a diagram: an arrow a row, the event on it."""
    moves = [(old, event, new) for old, row in TRANSITIONS.items() for event, new in row.items()]
    lines = [f"{old} --> {new}: {event}" for old, event, new in moves]
    first = [f"[*] --> {JobState.CHECKING}: is asked for", f"[*] --> {JobState.QUEUED}: is watched, started elsewhere"]
    last = [f"{state} --> [*]" for state, row in TRANSITIONS.items() if not row]
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {line}" for line in [*first, *lines, *last]), "```"])


def phrases() -> str:
    """Each state in the words of cards, lines and lists."""
    rows = [(f"`{state}`", phrase, "yes" if state in ENDS else "") for state, phrase in PHRASES.items()]
    return _table(("State", "What people read", "An end"), rows)


BLOCKS: Mapping[str, Callable[[Facts], str]] = {
    "commands": commands,
    "services": services,
    "states": lambda _: states(),
    "phrases": lambda _: phrases(),
}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(map(_row, [head, ["---"] * len(head), *rows]))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


# -- documents --------------------------------------------------------------------------------------------------------


def documents(root: Path) -> list[Path]:
    """The documents that may hold blocks."""
    return [path for path in (root / "README.md", *sorted((root / FOLDER).rglob("*.md"))) if path.is_file()]


def refreshed(text: str, facts: Facts) -> str:
    """A document with its blocks as they are now. ConfigurationError for a block that is unknown or never ends."""
    names = _BEGIN.findall(text)
    unknown = [name for name in names if name not in BLOCKS]
    if unknown:
        raise ConfigurationError(f"{facts.document}: there is no block `{unknown[0]}`; there are {', '.join(BLOCKS)}.")
    written, count = _BLOCK.subn(lambda found: f"{found[1]}{BLOCKS[found[2]](facts)}\n{found[3]}", text)
    if count < len(names):
        raise ConfigurationError(f"{facts.document}: a block begins and never ends.")
    return written


def outdated(root: Path, providers: Sequence[Provider]) -> dict[Path, str]:
    """The documents whose blocks are not current, each with the text that it should have."""
    texts = {path: path.read_text("utf-8") for path in documents(root)}
    written = {
        path: refreshed(text, Facts(root=root, providers=providers, document=path.relative_to(root)))
        for path, text in texts.items()
    }
    return {path: text for path, text in written.items() if text != texts[path]}


def main(words: Sequence[str] | None = None) -> None:
    """Write the blocks, or with `--check` end with a sentence if one is not current."""
    parser = argparse.ArgumentParser(prog="python -m bot.docs", description="Write the generated blocks of documents.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a block is not current")
    is_check = parser.parse_args(words).check
    stale = outdated(ROOT, asyncio.run(installed()))
    if is_check and stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        raise SystemExit(f"Not current: {names}. `make docs` writes the blocks again.")
    for path, text in stale.items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
