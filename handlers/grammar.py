"""The words that people type become requests. Shared by the slash commands and the shell; pure.

Options are `name=value`; a value may be quoted, and the quotes that Slack makes of plain ones count as quotes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher, get_close_matches

from bot.domain.arguments import Argument, Family, Kind, usage
from bot.domain.job_exports import Form
from bot.domain.jobs import ENDS, JobState
from bot.domain.recurring import EVERY, Timetable, fill, parse_every
from bot.domain.requests import Actor, Json, Run, TrainRequest
from bot.domain.text import find_unfit, in_one_line
from bot.errors import UsageError
from bot.ports import JobFilter, Provider
from bot.sentences import _, joined
from handlers.marks import clipped
from handlers.views.words import PHRASES

QUOTES: tuple[str, ...] = ('"“”„‟', "'‘’‚‛", "«»", "‹›")
"""Each sign of a family opens and closes with every other: keyboards set „x“, “x”, ”x” and »x« alike."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*=")
_JOB_ID = re.compile(r"j[0-9a-z]{6}")
_SINCE = re.compile(r"([0-9]{1,4})([hdw])")
_SPACE = re.compile(r"\s")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
SCOPES = ("here", "mine", "all")
"""Whose trainings are meant: those of the conversation, of who asks, of the workspace."""
MOST_CHARACTERS = 4000
MOST_IN_A_SENTENCE = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of a command; of an option, `name` is what stands before the `=`."""

    text: str
    name: str = ""

    def whole(self) -> str:
        return f"{self.name}={self.text}" if self.name else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What `/train PROVIDER …` asks for; with `every`, again and again, and names may hold `{date}` and the like."""

    provider: str
    model: str
    params: Mapping[str, Json] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    every: Timetable | None = None

    def request(self, key: str, actor: Actor, channel: str) -> TrainRequest:
        """As somebody asks for it in a conversation; `key` is that of the delivery."""
        return TrainRequest(
            request_key=key,
            provider=self.provider,
            model=self.model,
            params=self.params,
            data=self.data,
            actor=actor,
            channel=channel,
        )


def split(text: str) -> list[Word]:
    """The words of a command line. Raises UsageError for a quote that is never closed, and for unreadable signs."""
    refuse_unfit(text)
    words: list[Word] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        name = _NAME.match(text, at)
        at = name.end() if name else at
        value, at = _value(text, at)
        words.append(Word(text=_SPACE.sub(" ", value), name=name.group()[:-1] if name else ""))
    return words


def refuse_unfit(text: str) -> None:
    """Raise UsageError for a text that is too long, or holds what cannot be shown."""
    if len(text) > MOST_CHARACTERS:
        raise UsageError(_("That is too long: a command takes at most {most:,} characters.", most=MOST_CHARACTERS))
    unfit = find_unfit(text)
    if unfit is not None:
        sign = f"U+{ord(unfit):04X}"
        raise UsageError(_("The command holds a sign that cannot be shown ({sign}). Please type it anew.", sign=sign))


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins here, and where it ends."""
    family = next((signs for signs in QUOTES if text[at:] and text[at] in signs), None)
    if family is not None:
        return _quoted(text, at, family)
    end = next((place for place in range(at, len(text)) if text[place].isspace()), len(text))
    return text[at:end], end


def _quoted(text: str, at: int, family: str) -> tuple[str, int]:
    """A closing quote stands before a space or at the end; one inside a word belongs to the word."""
    for end in range(at + 1, len(text)):
        is_last = end + 1 == len(text) or text[end + 1].isspace()
        if text[end] in family and is_last:
            return text[at + 1 : end], end + 1
    raise UsageError(_("The quote in `{words}` is never closed.", words=shown(text[at:])), word=text[at:])


def parse_train(provider: Provider, words: Sequence[Word]) -> Wish:
    """What is asked of a provider. Raises UsageError that names the word and the way out."""
    arguments = provider.arguments
    every, words = _take_every(provider, words)
    positionals = [word for word in words if not word.name]
    params = _positionals(provider, positionals, recurs=every is not None)
    data: dict[str, str] = {}
    for word in words:
        if word.name:
            _take_option(provider, word, params, data, recurs=every is not None)
    _refuse_missing_options(provider, params, data)
    return Wish(provider=provider.name, model=str(params[arguments.model]), params=params, data=data, every=every)


def _take_every(provider: Provider, words: Sequence[Word]) -> tuple[Timetable | None, list[Word]]:
    """When to train again, at a service that can, and the words besides."""
    option = next((one for one in provider.arguments.options if one.kind is Kind.EVERY), None)
    given = [word for word in words if option and word.name == option.name]
    if len(given) > 1:
        raise given_twice(given[0].name)
    try:
        every = parse_every(given[0].text) if given else None
    except UsageError as error:
        told = joined(" ", [str(error), *_parameter_instead(provider)])
        raise UsageError(told, word=error.word) from None
    return every, [word for word in words if word not in given]


def _parameter_instead(provider: Provider) -> list[str]:
    families = [one for one in provider.arguments.families if one.is_open][:1]
    return [
        _("A parameter that is called so is written `{option}=`.", option=f"{family.prefix}{EVERY.name}")
        for family in families
    ]


def of_a_run(argument: Argument) -> Argument:
    """The argument of a recurring training: what is refused of a name is so of one that a run has filled."""
    refuse = argument.refuse
    if refuse is None or argument.kind not in (Kind.TEXT, Kind.SOURCE):
        return argument
    return replace(argument, refuse=lambda text: refuse(fill(text, _ANY_RUN, "")))


_ANY_RUN = Run(schedule="", number=1, planned_at=datetime(2026, 1, 1, tzinfo=UTC))


def _positionals(provider: Provider, words: Sequence[Word], *, recurs: bool) -> dict[str, Json]:
    expected = provider.arguments.positionals
    line = f"`{usage(provider.name, provider.arguments)}`"
    if len(words) > len(expected):
        raise one_too_many(words[len(expected)].text, line)
    if len(words) < len(expected):
        missing = expected[len(words)]
        raise UsageError(with_usage(_missing(missing, missing.label), line), word=missing.label)
    meant = [of_a_run(argument) if recurs else argument for argument in expected]
    pairs = zip(meant, words, strict=True)
    return {argument.name: read_value(argument, word.text, label=argument.label) for argument, word in pairs}


def _take_option(
    provider: Provider, word: Word, params: dict[str, Json], data: dict[str, str], *, recurs: bool
) -> None:
    option = next((one for one in provider.arguments.options if one.name == word.name), None)
    if option is None:
        take_family(provider, word, params)
        return
    if word.name in params or word.name in data:
        raise given_twice(word.name)
    value = read_value(of_a_run(option) if recurs else option, word.text, label=f"{word.name}=")
    if option.kind is Kind.SOURCE:
        data[option.name] = value
    else:
        params[option.name] = value


def take_family(provider: Provider, word: Word, params: dict[str, Json]) -> None:
    """Take an option whose name is the user's own into `params`. Raises UsageError."""
    families = provider.arguments.families
    family = next((one for one in families if word.name.startswith(one.prefix)), None)
    family = family or next((one for one in families if one.is_open), None)
    if family is None:
        raise _unknown_option(provider, word)
    name = word.name.removeprefix(family.prefix)
    values = dict(params.get(family.name, {}))
    if not name:
        raise UsageError(
            _("`{option}=` names nothing: write `{usage}`.", option=word.name, usage=family.label), word=word.name
        )
    if name in values:
        raise given_twice(word.name)
    params[family.name] = {**values, name: _parsed(family, name, word.text)}


def _parsed(family: Family, name: str, text: str) -> Json:
    """The value as its provider reads it; what it says of a wrong one may quote all of a long word."""
    try:
        return family.parse(name, text)
    except UsageError as error:
        if len(str(error)) <= MOST_IN_A_SENTENCE:
            raise
        raise UsageError(clipped(str(error), MOST_IN_A_SENTENCE), word=error.word) from None


def with_usage(problem: str, line: str) -> str:
    """What is wrong, and how the command goes; `line` is in code marks."""
    return joined(" ", [problem, _("It goes: {usage}.", usage=line)])


def given_twice(name: str) -> UsageError:
    return UsageError(_("`{option}=` is given twice.", option=shown(name)), word=name)


def one_too_many(text: str, line: str) -> UsageError:
    """About a word for which a command has no place; `line` is how it goes, in code marks."""
    return UsageError(with_usage(_("`{word}` is one word too many.", word=shown(text)), line), word=text)


def _unknown_option(provider: Provider, word: Word) -> UsageError:
    known = [option.name for option in provider.arguments.options]
    prefixes = [f"{family.prefix}NAME" for family in provider.arguments.families]
    named = ", ".join(f"`{name}=`" for name in (*known, *prefixes))
    suggestion = nearest(word.name, known)
    return UsageError(
        _not_an_option(shown(word.name), provider.name, named),
        word=word.name,
        suggestion=f"{suggestion}=" if suggestion else "",
    )


def _not_an_option(option: str, service: str, options: str) -> str:
    if not options:
        return _("`{option}=` is not an option of {service}; its options are: none.", option=option, service=service)
    return _(
        "`{option}=` is not an option of {service}; its options are: {options}.",
        option=option,
        service=service,
        options=options,
    )


def _refuse_missing_options(provider: Provider, params: Mapping[str, Json], data: Mapping[str, str]) -> None:
    for option in provider.arguments.options:
        if option.required and option.name not in params and option.name not in data:
            line = f"`{usage(provider.name, provider.arguments)}`"
            raise UsageError(with_usage(_missing(option, f"`{option.name}=`"), line), word=option.name)


def _missing(argument: Argument, label: str) -> str:
    if not argument.choices:
        return _("{label} is missing.", label=label)
    return _("{label} is missing: it is one of {choices}.", label=label, choices=_choices(argument))


def _empty(argument: Argument, label: str) -> str:
    if not argument.choices:
        return _("{label} is empty.", label=label)
    return _("{label} is empty: it is one of {choices}.", label=label, choices=_choices(argument))


def read_value(argument: Argument, text: str, *, label: str) -> Json:
    """The value of one argument. Raises UsageError that names the word, what was expected, and the nearest value."""
    if not text.strip():
        raise UsageError(_empty(argument, label), word=label)
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
        problem = _(
            "`{word}` is not a list for {label}: write different values with commas between.",
            word=shown(text),
            label=label,
        )
        raise UsageError(problem, word=text)
    return words


def _one(argument: Argument, text: str, label: str) -> str:
    if argument.choices:
        text = _choice(argument, text, label)
    sentence = argument.refuse(text) if argument.refuse else None
    if sentence:
        is_short = len(sentence) <= MOST_IN_A_SENTENCE
        raise UsageError(sentence if is_short else clipped(sentence, MOST_IN_A_SENTENCE), word=text)
    return text


def _choice(argument: Argument, text: str, label: str) -> str:
    """The choice that is meant, as its provider writes it: without case, and `_` is `-`."""
    same = [choice for choice in argument.choices if _folded(choice) == _folded(text)]
    if same:
        return text if text in same else same[0]
    choices = _choices(argument)
    raise UsageError(
        _("`{word}` is not a valid {label}: it is one of {choices}.", word=shown(text), label=label, choices=choices),
        word=text,
        suggestion=nearest(text, argument.choices),
    )


def _folded(text: str) -> str:
    return text.casefold().replace("_", "-")


def _integer(text: str, label: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < 1:
        problem = _(
            "`{word}` is not a number for {label}: write a whole number from 1 on.", word=shown(text), label=label
        )
        raise UsageError(problem, word=text)
    return int(text)


def _decimal(text: str, label: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        problem = _("`{word}` is not a number for {label}: write it as 2 or 0.5.", word=shown(text), label=label)
        raise UsageError(problem, word=text)
    return float(text)


def _choices(argument: Argument) -> str:
    return ", ".join(argument.choices)


def nearest(word: str, choices: Iterable[str]) -> str:
    """The valid value that was probably meant: the same language first, then the fewest edits; "" if none is near."""
    known = {_folded(choice): choice for choice in choices}
    typed = _folded(word)
    alike = [choice for choice in known if "-" in choice and choice.partition("-")[0] == typed.partition("-")[0]]
    if alike:
        return known[max(alike, key=lambda choice: SequenceMatcher(None, typed, choice).ratio())]
    close = get_close_matches(typed, known, n=1, cutoff=0.5)
    return known[close[0]] if close else ""


def is_job_id(word: str) -> bool:
    """Is this a job's id? None of them is a provider's name."""
    return _JOB_ID.fullmatch(word.casefold()) is not None


def parse_reference(provider: Provider, words: Sequence[Word]) -> dict[str, str]:
    """The words of `/status PROVIDER REF…` under their names; optional ones are missing from the left."""
    wanted = provider.arguments.reference
    given = [word.whole() for word in words]
    shortest = sum(argument.required for argument in wanted)
    if not shortest <= len(given) <= len(wanted):
        raise _not_a_reference(provider, given)
    named = zip(wanted[len(wanted) - len(given) :], given, strict=True)
    return {argument.name: str(read_value(argument, text, label=argument.label)) for argument, text in named}


def _not_a_reference(provider: Provider, given: Sequence[str]) -> UsageError:
    wanted = provider.arguments.reference
    required = [argument.label for argument in wanted if argument.required]
    extra = given[len(wanted) :]
    if extra:
        problem = _("`{word}` is one word too many.", word=shown(extra[0]))
    else:
        problem = _("{label} is missing.", label=required[len(given)])
    line = " ".join(one.label if one.required else f"[{one.label}]" for one in wanted)
    goes = _(
        "It goes: `/status {service} {words}`, for example `{example}`.",
        service=provider.name,
        words=line,
        example=provider.arguments.reference_example,
    )
    return UsageError(joined(" ", [problem, goes]))


def take_export(words: Sequence[Word]) -> tuple[Form | None, list[Word]]:
    """The form of `export=csv` or `export=jsonl`, None where no file is asked for, and the words besides."""
    asked = [word for word in words if word.name == "export"]
    if len(asked) > 1:
        raise given_twice("export")
    rest = [word for word in words if word.name != "export"]
    return (_form(asked[0].text) if asked else None), rest


def _form(text: str) -> Form:
    forms = {form.value: form for form in Form} | {"json": Form.JSONL, "": Form.CSV}
    if text.casefold() not in forms:
        raise UsageError(
            _("`export={word}` is not known: write `export=csv` or `export=jsonl`.", word=shown(text)), word=text
        )
    return forms[text.casefold()]


def parse_history(
    words: Sequence[Word], *, providers: Sequence[str], place: str, user: str, now: datetime
) -> JobFilter:
    """`/jobs [here|mine|all] [PROVIDER] [STATE] [since=7d] [TEXT]`, in any order. The default is `here`."""
    fields: dict[str, object] = {"place": place}
    rest: list[str] = []
    for word in words:
        key = word.text.casefold()
        if word.name == "since" and "since" in fields:
            raise given_twice(word.name)
        if word.name == "since":
            fields["since"] = now - duration(word.text, "since")
        elif word.name:
            raise _not_a_filter(word.name)
        elif key in SCOPES:
            fields |= {"place": place if key == "here" else "", "user": user if key == "mine" else ""}
        elif key in providers:
            fields["provider"] = key
        elif states := states_called(key):
            fields["states"] = states
        else:
            rest.append(word.text)
    return JobFilter(**fields, text=" ".join(rest))  # type: ignore[arg-type]  # the fields are set just above


def _not_a_filter(name: str) -> UsageError:
    problem = _(
        "`{option}=` is not known here: `since=7d` filters, and `export=csv` or `export=jsonl` after `/jobs` makes a "
        "file.",
        option=shown(name),
    )
    return UsageError(problem, word=name)


def states_called(word: str) -> frozenset[JobState]:
    """The states that a word means: a state's own name or the word on its card, `alive`, or `ended`; else none."""
    groups = {"alive": frozenset(JobState) - ENDS, "ended": ENDS}
    by_phrase = {phrase: frozenset({state}) for state, phrase in PHRASES.items()}
    by_name = {state.value: frozenset({state}) for state in JobState}
    return {**by_phrase, **by_name, **groups}.get(word.replace("-", "_"), frozenset())


def duration(text: str, name: str) -> timedelta:
    """The time that an option says, as 12h, 7d or 4w. Raises UsageError."""
    match = _SINCE.fullmatch(text.casefold())
    if not match:
        problem = _("`{option}={word}` is not a time: write 12h, 7d or 4w.", option=name, word=shown(text))
        raise UsageError(problem, word=text)
    return int(match.group(1)) * _UNITS[match.group(2)]


def shown(text: str) -> str:
    """A typed word, short enough for a sentence and without the sign that would end its code mark."""
    clean = in_one_line(text).replace("`", "'")
    return clean if len(clean) <= 60 else f"{clean[:57]}…"
