"""The words that people type become requests. Shared by the slash commands and the shell; pure.

Options are `name=value`; a value may be quoted, and the quotes that Slack makes of plain ones count as quotes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches

from bot.domain.arguments import Argument, Kind, usage
from bot.domain.jobs import ENDS, JobState
from bot.domain.requests import Json
from bot.errors import UsageError
from bot.ports import JobFilter, Provider

_QUOTES: Mapping[str, str] = {
    '"': '"“”„‟',
    "“": '”"“',
    "„": '“”"',
    "‟": '”"',
    "«": "»",
    "'": "'’‘",
    "‘": "’'",
    "’": "’'",
}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*=")
_JOB_ID = re.compile(r"j[0-9a-z]{6}")
_SINCE = re.compile(r"(\d{1,4})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
MOST_CHARACTERS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of a command; of an option, `name` is what stands before the `=`."""

    text: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What `/train PROVIDER …` asks for."""

    provider: str
    model: str
    params: Mapping[str, Json] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)


def split(text: str) -> list[Word]:
    """The words of a command line. Raises UsageError for a quote that is never closed."""
    if len(text) > MOST_CHARACTERS:
        raise UsageError(f"That is too long: a command takes at most {MOST_CHARACTERS:,} characters.")
    words: list[Word] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        name = _NAME.match(text, at)
        at = name.end() if name else at
        value, at = _value(text, at)
        words.append(Word(text=value, name=name.group()[:-1] if name else ""))
    return words


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins here, and where it ends."""
    if at < len(text) and text[at] in _QUOTES:
        return _quoted(text, at)
    end = next((place for place in range(at, len(text)) if text[place].isspace()), len(text))
    return text[at:end], end


def _quoted(text: str, at: int) -> tuple[str, int]:
    closing = _QUOTES[text[at]]
    for end in range(at + 1, len(text)):
        is_last = end + 1 == len(text) or text[end + 1].isspace()
        if text[end] in closing and is_last:
            return text[at + 1 : end], end + 1
    raise UsageError(f"The quote in `{_shown(text[at:])}` is never closed.", word=text[at:])


def parse_train(provider: Provider, words: Sequence[Word]) -> Wish:
    """What is asked of a provider. Raises UsageError that names the word and the way out."""
    arguments = provider.arguments
    positionals = [word for word in words if not word.name]
    params = _positionals(provider, positionals)
    data: dict[str, str] = {}
    for word in words:
        if word.name:
            _take_option(provider, word, params, data)
    _refuse_missing_options(provider, params, data)
    return Wish(provider=provider.name, model=str(params[arguments.model]), params=params, data=data)


def _positionals(provider: Provider, words: Sequence[Word]) -> dict[str, Json]:
    expected = provider.arguments.positionals
    line = usage(provider.name, provider.arguments)
    if len(words) > len(expected):
        extra = words[len(expected)].text
        raise UsageError(f"`{_shown(extra)}` is one word too many. It goes: `{line}`.", word=extra)
    if len(words) < len(expected):
        missing = expected[len(words)]
        raise UsageError(f"{missing.label} is missing{_choices(missing)}. It goes: `{line}`.", word=missing.label)
    pairs = zip(expected, words, strict=True)
    return {argument.name: read_value(argument, word.text, label=argument.label) for argument, word in pairs}


def _take_option(provider: Provider, word: Word, params: dict[str, Json], data: dict[str, str]) -> None:
    option = next((one for one in provider.arguments.options if one.name == word.name), None)
    if option is None:
        _take_family(provider, word, params)
        return
    if word.name in params or word.name in data:
        raise UsageError(f"`{word.name}=` is given twice.", word=word.name)
    value = read_value(option, word.text, label=f"{word.name}=")
    if option.kind is Kind.SOURCE:
        data[option.name] = value
    else:
        params[option.name] = value


def _take_family(provider: Provider, word: Word, params: dict[str, Json]) -> None:
    families = provider.arguments.families
    family = next((one for one in families if word.name.startswith(one.prefix)), None)
    family = family or next((one for one in families if one.is_open), None)
    if family is None:
        raise _unknown_option(provider, word)
    name = word.name.removeprefix(family.prefix)
    values = dict(params.get(family.name, {}))
    if not name or name in values:
        raise UsageError(
            f"`{word.name}=` is given twice." if name else f"`{word.name}=` names nothing.", word=word.name
        )
    params[family.name] = {**values, name: family.parse(name, word.text)}


def _unknown_option(provider: Provider, word: Word) -> UsageError:
    known = [option.name for option in provider.arguments.options]
    prefixes = [f"{family.prefix}NAME" for family in provider.arguments.families]
    named = ", ".join(f"`{name}=`" for name in (*known, *prefixes)) or "none"
    suggestion = nearest(word.name, known)
    return UsageError(
        f"`{_shown(word.name)}=` is not an option of {provider.name}; its options are: {named}.",
        word=word.name,
        suggestion=f"{suggestion}=" if suggestion else "",
    )


def _refuse_missing_options(provider: Provider, params: Mapping[str, Json], data: Mapping[str, str]) -> None:
    for option in provider.arguments.options:
        if option.required and option.name not in params and option.name not in data:
            line = usage(provider.name, provider.arguments)
            raise UsageError(f"`{option.name}=` is missing. It goes: `{line}`.", word=option.name)


def read_value(argument: Argument, text: str, *, label: str) -> Json:
    """The value of one argument. Raises UsageError that names the word, what was expected, and the nearest value."""
    if not text.strip():
        raise UsageError(f"{label} is empty{_choices(argument)}.", word=label)
    if argument.kind is Kind.WORDS:
        return [_one(argument, word, label) for word in _unique(text, label)]
    if argument.kind is Kind.INTEGERS:
        return [_integer(word, label) for word in _unique(text, label)]
    if argument.kind is Kind.INTEGER:
        return _integer(text, label)
    if argument.kind is Kind.DECIMAL:
        return _decimal(text, label)
    return _one(argument, text, label)


def _unique(text: str, label: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    if not all(words) or len(set(words)) < len(words):
        raise UsageError(
            f"`{_shown(text)}` is not a list for {label}: write different values with commas between.", word=text
        )
    return words


def _one(argument: Argument, text: str, label: str) -> str:
    if argument.choices:
        text = _choice(argument, text, label)
    sentence = argument.refuse(text) if argument.refuse else None
    if sentence:
        raise UsageError(sentence, word=text)
    return text


def _choice(argument: Argument, text: str, label: str) -> str:
    same = [choice for choice in argument.choices if choice.casefold() == text.casefold()]
    if same:
        return same[0]
    raise UsageError(
        f"`{_shown(text)}` is not a valid {label}{_choices(argument)}.",
        word=text,
        suggestion=nearest(text, argument.choices),
    )


def _integer(text: str, label: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < 1:
        raise UsageError(f"`{_shown(text)}` is not a number for {label}: write a whole number from 1 on.", word=text)
    return int(text)


def _decimal(text: str, label: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise UsageError(f"`{_shown(text)}` is not a number for {label}: write it as 2 or 0.5.", word=text)
    return float(text)


def _choices(argument: Argument) -> str:
    return f": it is one of {', '.join(argument.choices)}" if argument.choices else ""


def nearest(word: str, choices: Iterable[str]) -> str:
    """The valid value that was probably meant: the same language first, then the fewest edits; "" if none is near."""
    known = list(choices)
    language = word.casefold().partition("-")[0].partition("_")[0]
    alike = [choice for choice in known if "-" in choice and choice.casefold().partition("-")[0] == language]
    if alike:
        return alike[0]
    folded = {choice.casefold(): choice for choice in known}
    close = get_close_matches(word.casefold(), folded, n=1, cutoff=0.5)
    return folded[close[0]] if close else ""


def is_job_id(word: str) -> bool:
    """Is this a job's id? None of them is a provider's name."""
    return _JOB_ID.fullmatch(word.casefold()) is not None


def parse_reference(provider: Provider, words: Sequence[Word]) -> dict[str, str]:
    """The words of `/status PROVIDER REF…` under their names; optional ones are missing from the left."""
    wanted = provider.arguments.reference
    given = [f"{word.name}={word.text}" if word.name else word.text for word in words]
    shortest = sum(argument.required for argument in wanted)
    line = " ".join(["/status", provider.name, *(argument.label for argument in wanted)])
    if not shortest <= len(given) <= len(wanted):
        example = provider.arguments.reference_example
        raise UsageError(f"It goes: `{line}`, for example `{example}`.", word=" ".join(given))
    named = zip(wanted[len(wanted) - len(given) :], given, strict=True)
    return {argument.name: str(read_value(argument, text, label=argument.label)) for argument, text in named}


def parse_history(
    words: Sequence[Word], *, providers: Sequence[str], place: str, user: str, now: datetime
) -> JobFilter:
    """`/jobs [here|mine|all] [PROVIDER] [STATE] [since=7d] [TEXT]`, in any order. The default is `here`."""
    fields: dict[str, object] = {"place": place}
    rest: list[str] = []
    for word in words:
        key = word.text.casefold()
        if word.name == "since":
            fields["since"] = now - _duration(word.text)
        elif word.name:
            raise UsageError(f"`{_shown(word.name)}=` is not known here; only `since=` is.", word=word.name)
        elif key in ("here", "mine", "all"):
            fields |= {"place": place if key == "here" else "", "user": user if key == "mine" else ""}
        elif key in providers:
            fields["provider"] = key
        elif states := states_called(key):
            fields["states"] = states
        else:
            rest.append(word.text)
    return JobFilter(**fields, text=" ".join(rest))  # type: ignore[arg-type]  # the fields are set just above


def states_called(word: str) -> frozenset[JobState]:
    """The states that a word means: a state's own name, `alive`, or `ended`; empty where it means none."""
    groups = {"alive": frozenset(JobState) - ENDS, "ended": ENDS}
    by_name = {state.value: frozenset({state}) for state in JobState}
    return {**by_name, **groups}.get(word.replace("-", "_"), frozenset())


def _duration(text: str) -> timedelta:
    match = _SINCE.fullmatch(text.casefold())
    if not match:
        raise UsageError(f"`since={_shown(text)}` is not a time: write 12h, 7d or 4w.", word=text)
    return int(match.group(1)) * _UNITS[match.group(2)]


def _shown(text: str) -> str:
    """A typed word, short enough for a sentence and without the sign that would end its code mark."""
    clean = text.replace("`", "'")
    return clean if len(clean) <= 60 else f"{clean[:57]}…"
