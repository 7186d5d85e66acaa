"""The floors of the house: who may import whom, and which library lives where.

The sources are read, not run, so an import inside a function or under TYPE_CHECKING counts like any other.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("bot", "handlers", "storage", "sandbox")

GROUND = {"bot.domain", "bot.errors", "bot.sentences"}
PORTS = GROUND | {"bot.ports", "bot.languages", "bot.logs", "structlog"}
EVERYTHING = PORTS | {"bot.settings", "bot.providers", "storage", "bot.usecases", "handlers", "bot.poller", "bot.files"}

# Room -> the rooms and the libraries outside the standard library that it may import. A new module needs a room here.
ROOMS: dict[str, set[str]] = {
    # 5: the only rooms that know everything
    "bot.__main__": {"bot.cli"},
    "bot.cli": EVERYTHING
    | {"bot.app", "bot.doctor", "bot.history", "bot.manifest", "bot.docs", "bot.backup", "click"}
    | {"bot.policy_shell", "bot.audit"},
    "bot.app": EVERYTHING
    | {"bot.health_page", "bot.identity", "bot.policy_file", "aiohttp", "slack_bolt", "slack_sdk"},
    "bot.identity": PORTS | {"handlers", "aiohttp", "slack_bolt", "slack_sdk"},
    "bot.doctor": EVERYTHING | {"bot.app", "bot.identity", "bot.policy_file", "slack_sdk"},
    "bot.history": EVERYTHING | {"bot.app", "bot.audit_log"},
    "bot.backup": EVERYTHING | {"bot.app", "bot.audit_log", "bot.policy_file"},
    "bot.audit": {"bot.audit_log", "bot.settings", "click"},
    "bot.audit_log": EVERYTHING | {"bot.app", "bot.identity", "slack_sdk"},
    "bot.policy_shell": EVERYTHING | {"bot.app", "bot.policy_file"},
    "bot.policy_file": GROUND | {"bot.settings", "bot.providers", "bot.toml_lines", "pydantic", "pydantic_core"},
    "bot.manifest": GROUND | {"handlers", "yaml"},
    "bot.docs": EVERYTHING,
    "bot.health_page": PORTS | {"handlers", "aiohttp"},
    # 4: two doors, one for people and one for the clock
    "handlers": PORTS | {"bot.usecases", "slack_bolt", "slack_sdk", "pydantic"},
    "bot.poller": PORTS | {"bot.usecases", "apscheduler"},
    # 3: what the product does
    "bot.usecases": PORTS,
    # 2: the two worlds outside, strangers to each other
    "bot.providers": PORTS | {"aiohttp", "aiolimiter", "pydantic", "pydantic_core", "yarl"},
    "storage": PORTS | {"pydantic", "pysqlite3", "sqlite3", "sqlite_utils"},
    # 1: what the floors above agree on
    "bot.ports": GROUND,
    "bot.files": GROUND,
    "bot.toml_lines": set(),
    "bot.settings": GROUND | {"bot.languages", "bot.sources", "pydantic", "pydantic_core"},
    "bot.sources": {"keyring"},
    "bot.logs": GROUND | {"structlog"},
    "bot.languages": {"bot.sentences", "babel"},
    # 0: the standard library alone, but for the shape in which pydantic keeps a sentence
    "bot.domain": {"bot.errors", "bot.sentences"},
    "bot.errors": {"bot.sentences"},
    "bot.sentences": {"pydantic_core"},
    "bot": set(),
    # the outside world
    "sandbox": {"aiohttp", "yaml", "yarl"},
}

# Of the standard library, but as much a way to the database as the drivers are.
DRIVERS = {"sqlite3"}

# Libraries whose distribution is called otherwise.
DISTRIBUTIONS = {"pydantic_core": "pydantic", "yaml": "pyyaml"}


def room_of(module: str) -> str:
    """The narrowest room that holds a module; a library's top-level name; an unplaced module's own name."""
    top = module.partition(".")[0]
    inside = [room for room in ROOMS if module == room or (room != "bot" and module.startswith(f"{room}."))]
    if inside:
        return max(inside, key=len)
    return module if top in PACKAGES else top


def imports_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a module imports, `from x import y` as `x.y`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in names)
            case ast.ImportFrom():
                yield node.lineno, "a relative import"
            case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]) if is_import_call(function):
                yield node.lineno, name


def is_import_call(function: ast.expr) -> bool:
    """Whether a call loads a module by name while the program runs."""
    return ast.unparse(function) in {"__import__", "import_module", "importlib.import_module"}


def may_import(room: str, target: str) -> bool:
    """Whether a room may import another room or a library."""
    if target == room or target in ROOMS[room]:
        return True
    return target in sys.stdlib_module_names and target not in DRIVERS


def module_name(path: Path, root: Path) -> str:
    """The dotted name under which a file is imported."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def breaches_of(path: Path, root: Path) -> Iterator[str]:
    """Each import of a file that the floors forbid, as a sentence."""
    module = module_name(path, root)
    room = room_of(module)
    if room not in ROOMS:
        yield f"{module} has no room: place it in ROOMS"
        return
    for line, name in imports_of(ast.parse(path.read_text(encoding="utf-8"))):
        if not may_import(room, room_of(name)):
            yield f"{path.relative_to(root)}:{line}: {room} may not import {name}"


def breaches(root: Path) -> list[str]:
    """Every forbidden import of a tree."""
    files = sorted(file for package in PACKAGES for file in (root / package).rglob("*.py"))
    return [breach for file in files for breach in breaches_of(file, root)]


def plant(root: Path, module: str, source: str) -> None:
    """Write one module into a tree."""
    path = root.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")


def test_imports_go_down_only() -> None:
    """No module of the product imports a room above it, a stranger on its floor, or a library that lives elsewhere."""
    assert breaches(ROOT) == []


def test_every_package_is_read() -> None:
    """The check reads what is shipped: the packages of the wheel, each with modules in it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert tuple(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == PACKAGES
    assert all(list((ROOT / package).rglob("*.py")) for package in PACKAGES)


def test_every_library_is_declared() -> None:
    """What a room may import is a dependency in its own right, not one that another library happens to bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    declared = {re.split(r"[^\w-]", line)[0].replace("-", "_") for line in wanted}
    libraries = set().union(*ROOMS.values()) - ROOMS.keys() - DRIVERS
    assert {DISTRIBUTIONS.get(library, library) for library in libraries} <= declared


def test_rooms_never_import_in_a_circle() -> None:
    """The table itself goes down only: no room can reach itself through the rooms that it may import."""

    def walk(room: str, way: tuple[str, ...]) -> None:
        assert room not in way, f"a circle: {' -> '.join((*way, room))}"
        for lower in ROOMS[room] & ROOMS.keys():
            walk(lower, (*way, room))

    for room in ROOMS:
        walk(room, ())


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bot.domain.jobs", "from bot.ports import Store"),
        ("bot.domain.jobs", "import pydantic"),
        ("bot.domain.jobs", "import structlog"),
        ("bot.domain.jobs", "import sqlite3"),
        ("bot.errors", "from bot.domain import jobs"),
        ("bot.ports", "from bot import settings"),
        ("bot.logs", "import bot.usecases.poll"),
        ("bot.settings", "from bot.ports import Deps"),
        ("bot.providers.sony", "from storage.store import SqliteStore"),
        ("bot.providers.sony", "from slack_sdk.web.async_client import AsyncWebClient"),
        ("bot.providers.sony", "from bot.usecases import launch"),
        ("bot.providers.decthings.wire", "import apscheduler"),
        ("storage.store", "from bot.providers.http import Http"),
        ("storage.store", "import aiohttp"),
        ("bot.usecases.poll", "import aiohttp"),
        ("bot.usecases.poll", "import handlers.views"),
        ("bot.usecases.poll", "from sqlite_utils import Database"),
        ("bot.usecases.poll", "def late():\n    import slack_sdk"),
        (
            "bot.usecases.poll",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from storage.store import SqliteStore",
        ),
        ("bot.poller", "from handlers import messenger"),
        ("bot.poller", "from bot.providers import registry"),
        ("bot.usecases.poll", "from apscheduler.schedulers.asyncio import AsyncIOScheduler"),
        ("handlers.guard", "from storage.store import SqliteStore"),
        ("handlers.guard", "from bot import poller"),
        ("handlers.guard", "from bot.providers import registry"),
        ("handlers.guard", "import aiohttp"),
        ("handlers.guard", "from bot.app import serve"),
        ("handlers.guard", "from .ids import Command"),
        ("handlers.commands.train", "import sandbox"),
        ("bot.app", "from sandbox.world import World"),
        ("bot.cli", "import importlib\nimportlib.import_module('sandbox.__main__')"),
        ("bot.app", "import sqlite3"),
        ("sandbox.world", "from bot.settings import Settings"),
        ("sandbox.world", "from handlers.ids import Command"),
        ("sandbox.slack.wire", "import slack_sdk"),
        ("storage.store", "import requests"),
    ],
)
def test_a_planted_breach_is_found(tmp_path: Path, module: str, source: str) -> None:
    """Each rule of the floors bites: one forbidden import in an empty tree is reported, with its module."""
    plant(tmp_path, module, source)
    (breach,) = breaches(tmp_path)
    assert module.replace(".", "/") in breach


def test_an_unplaced_module_is_found(tmp_path: Path) -> None:
    """Whoever adds a module beside the rooms must say on which floor it stands."""
    plant(tmp_path, "bot.helpers", "")
    assert breaches(tmp_path) == ["bot.helpers has no room: place it in ROOMS"]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bot.domain.jobs", "import datetime\nfrom bot.errors import IllegalMoveError"),
        ("bot.usecases.poll", "from bot.ports import Deps\nfrom bot.domain.jobs import Job"),
        ("handlers.commands.train", "from handlers.ids import Command\nimport slack_bolt"),
        ("storage.sqlite", "from sqlite_utils.utils import sqlite3\nimport sqlite3"),
        ("bot.app", "from storage.store import SqliteStore\nfrom handlers import register\nimport aiohttp"),
        ("sandbox.__main__", "from sandbox.world import World\nfrom aiohttp import web"),
    ],
)
def test_the_way_down_is_free(tmp_path: Path, module: str, source: str) -> None:
    """The check forbids no import that the floors allow."""
    plant(tmp_path, module, source)
    assert breaches(tmp_path) == []


def test_services_are_strangers() -> None:
    """A provider never imports another one, so that a service can be taken out without touching its neighbours."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    services = {
        target.partition(":")[0] for target in project["project"]["entry-points"]["switchyard.providers"].values()
    }
    for path in (ROOT / "bot" / "providers").rglob("*.py"):
        module = module_name(path, ROOT)
        strangers = [f"{service}." for service in services if not f"{module}.".startswith(f"{service}.")]
        if len(strangers) == len(services):
            continue
        found = [name for _, name in imports_of(ast.parse(path.read_text(encoding="utf-8")))]
        assert not [name for name in found if f"{name}.".startswith(tuple(strangers))], module
