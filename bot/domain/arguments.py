"""The arguments of a provider, as data: grammar, help, forms and suggestions are all driven by it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.requests import Json


class Kind(StrEnum):
    """How the text of an argument becomes a value."""

    TEXT = "text"  # str
    INTEGER = "integer"  # int, 1 or more
    DECIMAL = "decimal"  # float
    INTEGERS = "integers"  # "1,2" -> [1, 2], each 1 or more
    WORDS = "words"  # "pop,relatedItem" -> ["pop", "relatedItem"]
    SOURCE = "source"  # a name in the data folder, or a file in Slack; ends in TrainRequest.data, not in params
    EVERY = "every"  # when to train again; makes a schedule of the wish, and ends in neither


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One positional or one `name=value` option.

    `refuse` looks at a single value and answers with a sentence when it cannot be taken, else None. `unique`: each
    training needs a value of its own, because what it makes is called so. `steers`: what a form offers for other
    arguments depends on this one.
    """

    name: str
    label: str
    what: str
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    required: bool = True
    refuse: Callable[[str], str | None] | None = None
    unique: bool = False
    steers: bool = False

    def shown(self) -> str:
        """How help writes it: `LANGUAGE`, or `language=en|de|ar`."""
        return self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A value that a service offers for an argument, and how people know it."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Options whose names are the user's own: `hp.NAME=VALUE`, or with `is_open` any other `NAME=VALUE`.

    They end in `params[name]` as an ordered mapping NAME -> `parse(NAME, text)`. `parse` raises UsageError; `write`
    gives back a text that `parse` reads as the same value.
    """

    name: str
    prefix: str
    label: str
    what: str
    parse: Callable[[str, str], Json]
    write: Callable[[Json], str] = str
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """Everything that can be said to a provider after its name.

    `model` names the positional that says which model a job is about. `reference` are the words of
    `/status PROVIDER REF…`; the last `n` of them may be optional from the left (Sony's model).
    """

    positionals: tuple[Argument, ...]
    options: tuple[Argument, ...] = ()
    families: tuple[Family, ...] = ()
    model: str
    examples: tuple[str, ...]
    reference: tuple[Argument, ...]
    reference_example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRule:
    """Which files a provider takes. The first role is the one that a file named after the model fills."""

    roles: tuple[str, ...] = ("data",)
    suffixes: tuple[str, ...]


def usage(provider: str, arguments: Arguments) -> str:
    """The line that help and usage errors show: `/train sestek MODEL-ID LANGUAGE [product=NAME]`."""
    return " ".join(["/train", provider, *_shown(arguments)])


def _shown(arguments: Arguments) -> Sequence[str]:
    positionals = [argument.label for argument in arguments.positionals]
    options = [option.label if option.required else f"[{option.label}]" for option in arguments.options]
    return [*positionals, *options, *(f"[{family.label} …]" for family in arguments.families)]
