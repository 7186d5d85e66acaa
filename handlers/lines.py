"""What is asked of a provider, as texts: of a form's fields, of a command's words, of a stored request. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from bot.domain.arguments import Argument, Family, Kind
from bot.domain.recurring import EVERY, varies
from bot.domain.requests import Json, TrainRequest
from bot.errors import UsageError
from bot.ports import Provider
from bot.sentences import _
from handlers.grammar import (
    MOST_CHARACTERS,
    QUOTES,
    Word,
    of_a_run,
    parse_train,
    read_value,
    refuse_unfit,
    split,
    take_family,
)

_WAYS = (("", ""), ('"', '"'), ("'", "'"), ("«", "»"), ("‹", "›"))
"""No quotes, and one pair of each family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Texts under the names of arguments; under the name of a family, a line `NAME=VALUE` each."""

    provider: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)


def draft_of_words(provider: Provider, words: Sequence[Word]) -> Draft:
    """Whatever of a command fits somewhere; nothing of it is judged."""
    arguments = provider.arguments
    options = {option.name for option in arguments.options}
    positionals = [word.text for word in words if not word.name]
    names = [argument.name for argument in arguments.positionals]
    texts = dict(zip(names, positionals, strict=False))
    texts |= {word.name: word.text for word in words if word.name in options}
    others = [word for word in words if word.name and word.name not in options]
    return Draft(provider=provider.name, texts=texts | _family_lines(provider, others))


def _family_lines(provider: Provider, words: Sequence[Word]) -> dict[str, str]:
    lines: dict[str, list[str]] = {}
    for word in words:
        family = _family_of(provider, word.name)
        if family is not None:
            lines.setdefault(family.name, []).append(_line(word.name.removeprefix(family.prefix), word.text))
    return {name: "\n".join(each) for name, each in lines.items()}


def _family_of(provider: Provider, name: str) -> Family | None:
    families = provider.arguments.families
    prefixed = [one for one in families if name.startswith(one.prefix)]
    return next(iter([*prefixed, *(one for one in families if one.is_open)]), None)


def _line(name: str, text: str) -> str:
    """A line of a family's field; spaces at the ends of a text would be lost without quotes."""
    is_plain = text == text.strip() and not _begins_with_quote(text)
    return f"{name}={text if is_plain else typed(Word(name='x', text=text)).removeprefix('x=') or text}"


def draft_of_request(provider: Provider, request: TrainRequest) -> Draft:
    """The texts that `parse_train` reads as this request."""
    arguments, params = provider.arguments, request.params
    plain = [*arguments.positionals, *arguments.options]
    texts = {one.name: _text(one, params[one.name]) for one in plain if one.name in params}
    texts |= {one.name: request.data[one.name] for one in plain if one.name in request.data}
    for family in arguments.families:
        values = params.get(family.name) or {}
        lines = [_line(name, family.write(value)) for name, value in values.items()]
        texts |= {family.name: "\n".join(lines)} if lines else {}
    return Draft(provider=provider.name, texts=texts)


def _text(argument: Argument, value: Json) -> str:
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    if argument.kind is Kind.DECIMAL:
        return f"{value:.9f}".rstrip("0").rstrip(".")
    return str(value)


def words_of(provider: Provider, draft: Draft) -> list[Word]:
    """The words of the command that says the same. Raises UsageError for a line that is none."""
    arguments, texts = provider.arguments, draft.texts
    words = [Word(text=texts[one.name]) for one in arguments.positionals if texts.get(one.name)]
    words += [Word(name=one.name, text=texts[one.name]) for one in arguments.options if texts.get(one.name)]
    return words + [word for family in arguments.families for word in family_words(family, texts.get(family.name, ""))]


def family_words(family: Family, text: str) -> Iterator[Word]:
    """The options in a family's field, under their whole names."""
    for line in filter(None, map(str.strip, text.splitlines())):
        word = _word(line)
        yield Word(name=family.prefix + word.name.removeprefix(family.prefix), text=word.text)


def _word(line: str) -> Word:
    """One option. Quotes are needed nowhere in a line, and may stand where a command needs them."""
    name, equals, text = (part.strip() for part in line.partition("="))
    if not (equals and name):
        raise UsageError(_("`{line}` is not written NAME=VALUE.", line=line[:60]), word=line)
    if not _begins_with_quote(text):
        return Word(name=name, text=text)
    try:
        words = split(f"x={text}")
    except UsageError:
        words = []
    return Word(name=name, text=words[0].text if len(words) == 1 else text)


def _begins_with_quote(text: str) -> bool:
    return any(text.startswith(tuple(signs)) for signs in QUOTES)


def problems_of(provider: Provider, draft: Draft) -> dict[str, str]:
    """What can be seen of each field alone, by the name of its argument or family: the sentences of a command."""
    arguments, texts = provider.arguments, draft.texts
    found: dict[str, str] = {}
    recurs = bool(texts.get(EVERY.name))
    for argument in (*arguments.positionals, *arguments.options):
        text = texts.get(argument.name, "")
        if text or argument.required:
            found |= _problem(argument.name, partial(_read, of_a_run(argument) if recurs else argument, text))
    for family in arguments.families:
        found |= _problem(family.name, partial(_read_family, provider, family, texts.get(family.name, "")))
    return found


def _problem(name: str, read: Callable[[], None]) -> dict[str, str]:
    try:
        read()
    except UsageError as error:
        return {name: str(error)}
    return {}


def _read(argument: Argument, text: str) -> None:
    refuse_unfit(text)
    read_value(argument, text, label=argument.label)


def _read_family(provider: Provider, family: Family, text: str) -> None:
    refuse_unfit(" ".join(text.splitlines()))
    params: dict[str, Json] = {}
    for word in family_words(family, text):
        take_family(provider, word, params)


def to_line(provider: Provider, request: TrainRequest) -> str | None:
    """The command that asks for the same; None where no command can."""
    try:
        words = [_shortest(provider, word) for word in words_of(provider, draft_of_request(provider, request))]
        line = " ".join(["/train", provider.name, *map(typed, words)])
        again = parse_train(provider, split(line)[2:])
    except UsageError:
        return None
    is_same = (again.params, again.data) == (request.params, request.data)
    return line if is_same and len(line) <= MOST_CHARACTERS else None


def with_marks(provider: Provider, words: Sequence[Word]) -> str | None:
    """The command with `{date}` in each name that has to differ from run to run; None where no such name is taken."""
    for mark in ("-{date}", "_{date}", "{n}"):
        line = " ".join(["/train", provider.name, *map(typed, _marked(provider, words, mark))])
        try:
            parse_train(provider, split(line)[2:])
        except UsageError:
            continue
        return line
    return None


def _marked(provider: Provider, words: Sequence[Word], mark: str) -> list[Word]:
    arguments = provider.arguments
    unique = {one.name for one in (*arguments.positionals, *arguments.options) if one.unique}
    names = iter([one.name for one in arguments.positionals])
    named = [(word.name or next(names, ""), word) for word in words]
    return [
        replace(word, text=word.text + mark) if name in unique and not varies(word.text) else word
        for name, word in named
    ]


def typed(word: Word) -> str:
    """A word as it is typed: in quotes where it needs them, in those that do not stand in it; "" where none serve."""
    name = f"{word.name}=" if word.name else ""
    ways = (f"{name}{opening}{word.text}{closing}" for opening, closing in _WAYS)
    return next((way for way in ways if _reads_as(way, word)), "")


def _reads_as(text: str, word: Word) -> bool:
    try:
        return split(text) == [word]
    except UsageError:
        return False


def _shortest(provider: Provider, word: Word) -> Word:
    """An option of an open family without the prefix, where nothing else is called so."""
    family = _family_of(provider, word.name)
    if family is None or not family.is_open or any(one.name == word.name for one in provider.arguments.options):
        return word
    bare = word.name.removeprefix(family.prefix)
    options = {option.name for option in provider.arguments.options}
    is_clear = bare not in options and not any(bare.startswith(one.prefix) for one in provider.arguments.families)
    return Word(name=bare, text=word.text) if is_clear and typed(Word(name=bare, text=word.text)) else word
