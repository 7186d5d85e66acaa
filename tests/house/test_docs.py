"""What the documents name is there: commands, settings, places, links and examples; and their blocks are current."""

from __future__ import annotations

import asyncio
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import distribution
from inspect import getmodule
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import BaseModel

from bot import docs, sources
from bot.cli import cli
from bot.errors import UsageError
from bot.ports import Provider
from bot.providers.registry import GROUP
from bot.settings import SHORT_NAMES, Settings
from handlers.commands import attention
from handlers.grammar import parse_history, parse_reference, parse_train, split, take_export
from tests.proof import report

ROOT = docs.ROOT
PAGES = [*docs.documents(ROOT), ROOT / "CONTRIBUTING.md"]
ANYWHERE = ("SWITCHYARD_CONFIG", "SWITCHYARD_SECRETS_FOLDER", *SHORT_NAMES)
"""Variables that are no key of a section."""

_FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^ {4}.*$", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_VARIABLE = re.compile(r"SWITCHYARD_[A-Z0-9_]*(?:<NAME>[A-Z0-9_]*)?[A-Z0-9](?![A-Z0-9_<])")
_PLACEHOLDER = re.compile(r"…|\[|\||<|(?<![\w-])[A-Z]+(?:-[A-Z]+)+(?![\w-])|(?<![\w-])[A-Z]{3,}(?![\w-])")
"""Stands for something that a reader fills in: such a line shows a form and is no example."""

of_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def codes(page: Path) -> list[str]:
    """What is set as code: lines of blocks, and spans."""
    text = page.read_text("utf-8")
    blocks = [block.group() for block in _FENCED.finditer(text)]
    text = _FENCED.sub("", text)
    lines = [line.strip() for block in [*blocks, *_INDENTED.findall(text)] for line in block.splitlines()]
    return [*lines, *(span.replace("\\|", "|") for span in _SPAN.findall(text))]


# -- commands -----------------------------------------------------------------------------------------------------


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


@of_each_page
def test_every_target_of_make_is_there(page: Path) -> None:
    """`make` knows what a page tells people to type."""
    named = {word for one in codes(page) for word in re.findall(r"(?:^|\s)make ([a-z]+)\b", one)}
    assert named <= targets()


def test_every_target_is_shown_by_help() -> None:
    """And `make` without a word lists them all."""
    shown = re.findall(r"^([a-z]+):.*## .+", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert sorted(shown) == sorted(targets())


@of_each_page
def test_every_subcommand_is_there(page: Path) -> None:
    """The command line knows what a page tells people to type, with its second word where it takes one."""
    found = [re.search(r"(?:^|bin/)switchyard ((?:[a-z]+(?: |$))+)", one) for one in codes(page)]
    unknown = [one[1] for one in found if one and not is_command(cli, one[1].split())]
    assert unknown == []


def is_command(group: click.Group, words: Sequence[str]) -> bool:
    command = group.commands.get(words[0])
    return command is not None and (
        not isinstance(command, click.Group) or len(words) == 1 or is_command(command, words[1:])
    )


def test_what_is_no_subcommand_is_noticed() -> None:
    """The check above can fail."""
    assert is_command(cli, ["run"])
    assert not is_command(cli, ["walk"])


# -- settings -----------------------------------------------------------------------------------------------------


def variables(model: type[BaseModel], above: str) -> Iterator[str]:
    """What every key of a section is called in the environment; `<NAME>` is for the operator to choose."""
    for name, field in model.model_fields.items():
        key = f"{above}__{(field.alias or name).upper()}"
        yield key
        for inner, is_named in models_in(field.annotation):
            yield from variables(inner, f"{key}__<NAME>" if is_named else key)


def models_in(annotation: Any) -> Iterator[tuple[type[BaseModel], bool]]:
    """The models within an annotation, and whether they stand in a table under names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, False
    is_table = typing.get_origin(annotation) in (dict, Mapping)
    for inner in typing.get_args(annotation):
        yield from ((model, is_named or is_table) for model, is_named in models_in(inner))


def settings() -> set[str]:
    """Every variable that is read, apart from ANYWHERE."""
    found: set[str] = set()
    for name, field in Settings.model_fields.items():
        for model, _ in models_in(field.annotation):
            found |= set(variables(model, f"SWITCHYARD_{name.upper()}"))
    for entry in distribution("switchyard").entry_points.select(group=GROUP):
        config = vars(getmodule(entry.load()) or object)["Config"]
        found |= set(variables(config, f"SWITCHYARD_{entry.name.upper()}"))
    return found


def is_read(variable: str, known: set[str]) -> bool:
    """Is it a key, or one that says where a secret stands? A name in an example stands for any name."""
    stem, _ = sources.split(variable)
    plain = {variable, stem.upper(), re.sub(r"__MODELS__[A-Z]+__", "__MODELS__<NAME>__", variable)}
    return bool(plain & {*known, *ANYWHERE})


@of_each_page
def test_every_setting_is_read(page: Path) -> None:
    """A setting that a page names has an effect."""
    known = settings()
    named = set(_VARIABLE.findall(page.read_text("utf-8"))) - {"SWITCHYARD_SECTION__KEY"}
    assert [one for one in sorted(named) if not is_read(one, known)] == []


def test_a_setting_that_is_not_read_is_noticed() -> None:
    """The check above can fail, and knows keys of every depth."""
    known = settings()
    for variable in ("SWITCHYARD_POLL__TICK_SECONDS", "SWITCHYARD_SONY__MODELS__CHURN__API_KEY"):
        assert is_read(variable, known)
    for variable in ("SWITCHYARD_POLL__TOCK_SECONDS", "SWITCHYARD_SONY__MODELS__CHURN__KEY", "SWITCHYARD_POLL"):
        assert not is_read(variable, known)


# -- examples -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def providers() -> Mapping[str, Provider]:
    """Sony is asked for the models that are configured: the one of the examples."""
    model = {"SWITCHYARD_SONY__MODELS__CHURN__API_KEY": "a-key"}
    return {provider.name: provider for provider in asyncio.run(docs.installed(model))}


def examples(page: Path) -> list[str]:
    """Lines that somebody may type as they stand; what is explained beside one stands after a gap."""
    typed = [re.split(r" {2,}", one)[0] for one in codes(page) if re.match(r"/(train|train-status|status|jobs)\b", one)]
    return [line for line in typed if not is_a_form(line)]


def is_a_form(line: str) -> bool:
    """Values of options are anything, and are not looked at."""
    return "…" in line or _PLACEHOLDER.search(re.sub(r"=\S+|\"[^\"]*\"", "", line)) is not None


@of_each_page
def test_every_example_can_be_typed(page: Path, providers: Mapping[str, Provider]) -> None:
    """The grammar takes it, for a service that there is."""
    for line in examples(page):
        read(line, providers)


def read(line: str, providers: Mapping[str, Provider]) -> None:
    """Read a line as the bot does. Raises UsageError, or KeyError for an unknown service."""
    command, *words = split(line)
    match command.text, [word.whole() for word in words[:1]]:
        case "/train", ["help"]:
            assert [word.text for word in words[1:] if word.text not in providers] == []
        case "/train", [name] if name != "status":
            parse_train(providers[name], words[1:])
        case "/jobs", ["follow" | "unfollow" as verb]:
            assert not words[1:] or attention.read_meant(words[1:], list(providers), verb).about is not None
        case "/jobs", ["mute" | "unmute" as verb]:
            rest, _ = attention.take_lasting(words[1:])
            assert not rest or attention.read_muted(rest, list(providers), verb)
        case "/jobs", ["quiet"]:
            assert words[1].text == "off" or attention.read_quiet(words[1:]) is not None
        case "/jobs", _:
            parse_history(take_export(words)[1], providers=list(providers), place="", user="", now=datetime.now(UTC))
        case "/train", _ if words[1:]:
            parse_reference(providers[words[1].text], words[2:])
        case "/status" | "/train-status", [name]:
            parse_reference(providers[name], words[1:])


def test_there_are_examples_and_wrong_ones_are_noticed(providers: Mapping[str, Provider]) -> None:
    """The check above reads something, and can fail."""
    assert len([line for page in PAGES for line in examples(page)]) > 12
    for line in ("/train sestek my-model xx-XX", "/train sony churn daat=churn.csv", "/jobs since=yesterday"):
        with pytest.raises(UsageError):
            read(line, providers)


# -- places and links ---------------------------------------------------------------------------------------------


@of_each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file of this tree, and to a heading of it where one is named. Links to other hosts are not followed."""
    found = [next(filter(None, groups)) for groups in _LINK.findall(_FENCED.sub("", page.read_text("utf-8")))]
    assert [link for link in found if "://" not in link and not leads(page, link)] == []


def leads(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """The headings as GitHub calls them: https://docs.github.com/en/get-started/writing-on-github."""
    headings = _HEADING.findall(_FENCED.sub("", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_a_link_that_leads_nowhere_is_noticed() -> None:
    """The check above can fail."""
    readme = ROOT / "README.md"
    assert leads(readme, "docs/proof.md#the-last-run")
    assert not leads(readme, "docs/proof.md#the-first-run")
    assert not leads(readme, "docs/disproof.md")


@of_each_page
def test_every_place_is_there(page: Path) -> None:
    """A file or folder that a page names below one of the tree's own folders."""
    tree = ("bot/", "handlers/", "storage/", "sandbox/", "tests/", "docs/")
    named = [one for one in codes(page) if one.startswith(tree) and re.fullmatch(r"[\w./-]+", one)]
    assert [one for one in named if "NAME" not in one and not (ROOT / one).exists()] == []


@of_each_page
def test_no_page_names_a_place_of_one_machine(page: Path) -> None:
    """What is written down holds on every machine."""
    assert str(ROOT) not in page.read_text("utf-8")


# -- generated blocks ---------------------------------------------------------------------------------------------


async def test_every_generated_block_is_current() -> None:
    """`make docs` would change nothing."""
    assert [str(page.relative_to(ROOT)) for page in docs.outdated(ROOT, await docs.installed())] == []


def test_every_planted_bug_is_in_the_list() -> None:
    """The page on the proof names what is planted; `make docs` writes that list too."""
    assert report.planted(ROOT / "tests" / "proof" / "mutants") in (ROOT / "docs" / "proof.md").read_text("utf-8")
