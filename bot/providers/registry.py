"""Which training services there are: found by entry point, built from their sections, in an order that stays."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from bot.errors import ConfigurationError, NotConfiguredError, UsageError
from bot.ports import Provider
from bot.providers.http import Tools
from bot.sentences import _

GROUP = "switchyard.providers"
FIRST = ("sestek", "deepopinion", "decthings", "aitems", "sony")
"""Those that Switchyard brings, in the order in which help shows them; others follow by name."""


@dataclass(frozen=True, slots=True)
class Registry:
    """All providers that are installed, by name and in order: those that can be used and those without credentials."""

    _configured: Mapping[str, Provider]
    _missing: Mapping[str, NotConfiguredError]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, configured or not."""
        return tuple(sorted({*self._configured, *self._missing}, key=_place))

    def configured(self) -> Mapping[str, Provider]:
        """Those that can be used."""
        return self._configured

    def missing(self) -> Mapping[str, str]:
        """Those without credentials, each with the sentence that says which settings would give it some."""
        return {name: str(error) for name, error in self._missing.items()}

    def get(self, name: str) -> Provider:
        """By the word that people type. UsageError for an unknown one, NotConfiguredError without credentials."""
        wanted = name.lower()
        if wanted in self._missing:
            raise self._missing[wanted].with_traceback(None)
        if wanted not in self._configured:
            raise _unknown(name, self.names)
        return self._configured[wanted]

    def require(self, names: Iterable[str], setting: str) -> None:
        """Raise ConfigurationError where `setting` names a provider that there is not: a gate that would never shut."""
        places = enumerate(names, 1)
        unknown = [_stray(place, name, self.names) for place, name in places if name not in self.names]
        if unknown:
            raise ConfigurationError(f"{setting}: {' '.join(unknown)}")


def load(
    sections: Mapping[str, Mapping[str, Any]], tools: Tools, entries: Iterable[EntryPoint] | None = None
) -> Registry:
    """Build every installed provider from its section, by name; one without a section gets an empty one.

    `entries` are those of GROUP if not given. Raises ConfigurationError, naming all at once: providers that cannot be
    imported, are configured wrongly or come twice, and sections that belong to none.
    """
    installed = sorted(entry_points(group=GROUP) if entries is None else entries, key=lambda entry: _place(entry.name))
    problems = [*_twice(installed), *_strangers(sections, installed)]
    configured: dict[str, Provider] = {}
    missing: dict[str, NotConfiguredError] = {}
    for entry in installed:
        try:
            configured[entry.name] = _build(entry, sections.get(entry.name, {}), tools)
        except NotConfiguredError as error:
            missing[entry.name] = error
        except ConfigurationError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError(
            "\n".join(["The providers cannot be used as they are configured:", *map(_line, problems)])
        )
    return Registry(configured, missing)


def _build(entry: EntryPoint, section: Mapping[str, Any], tools: Tools) -> Provider:
    try:
        build = entry.load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"The provider `{entry.name}` ({entry.value}) cannot be imported: {error}.") from error
    try:
        provider: Provider = build(section, tools)
    except ValidationError as error:
        # Its own text would quote what was given, and that may be a secret.
        raise ConfigurationError(f"The provider `{entry.name}` refuses its settings: {_wrong(error)}.") from None
    if provider.name != entry.name:
        raise ConfigurationError(f"The provider `{entry.name}` ({entry.value}) calls itself `{provider.name}`.")
    return provider


def _wrong(error: ValidationError) -> str:
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)


def _twice(installed: list[EntryPoint]) -> list[str]:
    names = [entry.name for entry in installed]
    return [
        f"Two packages bring a provider called `{name}`; only one can be installed."
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]


def _strangers(sections: Mapping[str, Mapping[str, Any]], installed: list[EntryPoint]) -> list[str]:
    names = tuple(dict.fromkeys(entry.name for entry in installed))
    return [f"Settings for `{name}`: {_unknown(name, names)}" for name in sections if name not in names]


def _unknown(name: str, names: tuple[str, ...]) -> UsageError:
    near = difflib.get_close_matches(name.lower(), names, n=1)
    if near:
        return UsageError(_("`{word}` is no provider.", word=name), word=name, suggestion=near[0])
    known = _listed(names)
    return UsageError(_("`{word}` is no provider; there are {providers}.", word=name, providers=known), word=name)


def _stray(place: int, name: str, names: tuple[str, ...]) -> str:
    """A wrong word in a list of providers. It is quoted only where it is near a name: else it may be a secret."""
    error = _unknown(name, names)
    return str(error) if error.suggestion else f"entry {place} is no provider; there are {_listed(names)}."


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{one}`" for one in names)


def _place(name: str) -> tuple[int, str]:
    return (FIRST.index(name) if name in FIRST else len(FIRST), name)


def _line(problem: str) -> str:
    return f"  * {problem}"
