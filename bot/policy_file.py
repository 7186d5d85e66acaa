"""The policy in force: the rules of the policy file, and those of the settings after them.

A file with mistakes is refused with all of them, each with its line; so it is at start, and so it is when it changes
while the bot runs, where the former policy then stays in force. docs/policy.md explains every key.
"""

import asyncio
import difflib
import hashlib
import json
import logging
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from bot.domain.policy import (
    DAYS,
    WORDS,
    Act,
    Clause,
    Policy,
    Quiet,
    Reasons,
    Rule,
    StandIn,
    covers,
    people_in,
    settings_clauses,
)
from bot.domain.requests import Json
from bot.errors import ConfigurationError
from bot.providers.registry import GROUP
from bot.settings import LONGEST_HOURS, Settings
from bot.toml_lines import Lines, find_lines

log = logging.getLogger(__name__)

MOST_BYTES = 256 * 1024
MOST_MISTAKES = 50
"""So many are told; the rest is counted."""

_SWITCHES = frozenset({Act.SWITCH, Act.ACTIVATE})
_LONGEST = timedelta(hours=LONGEST_HOURS)
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
_SPAN = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,6})?[wdhm])+")
_SPAN_PART = re.compile(r"([0-9.]+)([wdhm])")
_ID = re.compile(r"[UWSCG][A-Z0-9]{2,}")
_PERSON = re.compile(r"[UW][A-Z0-9]{2,}")
_NAME = re.compile(r"[^<>&\x00-\x1f\x7f\x85\u2028\u2029]{1,80}")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in the file, and where."""

    line: int
    sentence: str


# -- the keys of the file ---------------------------------------------------------------------------------------------


def _problem(sentence: str) -> PydanticCustomError:
    # Braces are placeholders in pydantic's templates.
    return PydanticCustomError("sentence", "{sentence}", {"sentence": sentence})


def _read_span(value: object) -> timedelta:
    text = value.replace(" ", "") if isinstance(value, str) else ""
    if not _SPAN.fullmatch(text):
        raise _problem('has to be a time like "4h", "7d", "90m" or "1d12h".')
    try:
        span = sum((timedelta(**{_UNITS[unit]: float(n)}) for n, unit in _SPAN_PART.findall(text)), timedelta())
    except OverflowError:
        span = timedelta.max
    if not timedelta(minutes=1) <= span <= _LONGEST:
        raise _problem("has to be between a minute and ten years.")
    return span


def _read_pause(value: object) -> timedelta | Literal["never"]:
    return "never" if value == "never" else _read_span(value)


def _read_clock(value: object) -> time:
    if isinstance(value, time) and not (value.second or value.microsecond):
        return value
    if isinstance(value, str) and re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        return time.fromisoformat(value)
    raise _problem('has to be a time of day like "20:00", to the minute.')


def _read_day(value: object) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise _problem("has to be a date without quotes, like 2026-12-24.")
    return value


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found; no path; the name of a folder
        known = "they are called like Europe/Berlin, America/New_York or UTC"
        raise _problem(f"{_quoted(name)} is no time zone; {known}.") from None
    return name


def _check_id(id_: str) -> str:
    if not _ID.fullmatch(id_):
        raise _problem(
            f"{_quoted(id_)} is not the id of a person (U… or W…), of a user group (S…) or of a channel (C… or G…)."
        )
    return id_


def _check_asker(id_: str) -> str:
    if id_ in WORDS or _ID.fullmatch(id_):
        return id_
    known = ", ".join(sorted(WORDS))
    raise _problem(f"{_quoted(id_)} is neither an id (U…, W…, S…, C…, G…) nor one of {known}.{_near(id_, WORDS)}")


def _check_person(id_: str) -> str:
    if not _PERSON.fullmatch(id_):
        raise _problem(f"{_quoted(id_)} is not the id of a person (U… or W…).")
    return id_


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name) or not name.strip():
        raise _problem("has to be 1 to 80 characters without <, > and &, on one line.")
    return name.strip()


def _one_of(known: Iterable[str]) -> BeforeValidator:
    names = tuple(known)

    def check(value: object) -> object:
        if isinstance(value, str) and value in names:
            return value
        said = f"{_quoted(value)} is not one of" if isinstance(value, str) else "has to be one of"
        raise _problem(f"{said} {', '.join(names)}.{_near(value, names)}")

    return BeforeValidator(check)


def _quoted(text: str) -> str:
    shown = text if len(text) <= 60 else f"{text[:60]}…"
    return f"“{shown}”" if shown.isprintable() else ascii(shown)


def _near(word: object, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(word)[:80].lower(), list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""


Span = Annotated[timedelta, BeforeValidator(_read_span)]
Pause = Annotated[timedelta | Literal["never"], BeforeValidator(_read_pause)]
Clock = Annotated[time, BeforeValidator(_read_clock)]
Day = Annotated[date, BeforeValidator(_read_day)]
Person = Annotated[str, AfterValidator(_check_person)]
Ids = list[Annotated[str, AfterValidator(_check_id)]]


class Table(BaseModel):
    """A table of the file: nothing unknown, nothing converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class QuietTable(Table):
    """`quiet`: hours without reminders."""

    begins: Clock = Field(alias="from")
    ends: Clock = Field(alias="to")
    zone: Annotated[str, AfterValidator(_check_zone)] = "UTC"
    days: list[Annotated[str, _one_of(DAYS)]] = []

    @model_validator(mode="after")
    def _is_ever(self) -> Self:
        if self.begins == self.ends and not self.days:
            raise _problem("ends when it begins.")
        return self

    def value(self) -> Quiet:
        days = tuple(sorted({DAYS.index(day) for day in self.days}))
        return Quiet(begins=self.begins, ends=self.ends, zone=self.zone, days=days)


class StandInTable(Table):
    """An element of `stand_ins`."""

    absent: Person = Field(alias="for")
    by: Person
    since: Day = Field(alias="from")
    until: Day

    @field_validator("by")
    @classmethod
    def _is_another(cls, by: str, info: ValidationInfo) -> str:
        if by == info.data.get("absent"):
            raise _problem(f"{by} cannot stand in for themselves.")
        return by

    @field_validator("until")
    @classmethod
    def _is_after(cls, until: date, info: ValidationInfo) -> date:
        since = info.data.get("since")
        if since and until < since:
            raise _problem(f"{until} is before {since}, when it begins.")
        return until

    def value(self) -> StandIn:
        return StandIn(absent=self.absent, by=self.by, since=self.since, until=self.until)


class Keys(Table):
    """What `[defaults]` and every rule may say."""

    ask: list[Annotated[str, AfterValidator(_check_asker)]] | None = Field(default=None, min_length=1)
    approve: Ids | None = Field(default=None, min_length=1)
    approvals: int | None = Field(default=None, ge=0, le=100)
    requester_counts: bool | None = None
    reason: Annotated[str, _one_of(Reasons)] | None = None
    expire: Span | None = None
    remind: Pause | None = None
    remind_factor: float | None = Field(default=None, ge=1, le=100, allow_inf_nan=False)
    escalate_to: Ids | None = Field(default=None, min_length=1)
    escalate_after: Span | None = None
    quiet: QuietTable | None = None
    pass_quiet: bool | None = None
    stand_ins: list[StandInTable] | None = None


class RuleTable(Keys):
    """A `[[rule]]`."""

    name: Annotated[str, AfterValidator(_check_name)]
    acts: list[Annotated[str, _one_of(Act)]] | None = Field(default=None, min_length=1)
    providers: list[str] | None = Field(default=None, min_length=1)
    models: list[Annotated[str, Field(min_length=1, max_length=200)]] | None = Field(default=None, min_length=1)


_TABLES: Mapping[str, type[Table]] = {
    "defaults": Keys,
    "rule": RuleTable,
    "quiet": QuietTable,
    "stand_ins": StandInTable,
}
_TOP = ("defaults", "rule")

OneTable = TypeVar("OneTable", bound=Table)


_SAID: Mapping[str, str] = {
    "missing": "is missing.",
    "int_type": "has to be a whole number.",
    "float_type": "has to be a number.",
    "finite_number": "has to be a number that ends.",
    "bool_type": "has to be true or false.",
    "string_type": "has to be a text.",
    "string_too_short": "is empty.",
    "string_too_long": "is too long.",
    "list_type": 'has to be a list, like ["U0123456789"].',
    "too_short": "is an empty list; leave the key out, or name somebody.",
    "model_type": "has to be a table of keys.",
    "greater_than_equal": "has to be {ge:g} or more.",
    "less_than_equal": "has to be {le:g} or less.",
}


# -- reading ----------------------------------------------------------------------------------------------------------


def load_policy(settings: Settings) -> Policy:
    """The policy of this configuration. ConfigurationError names every mistake of its file, each with the line."""
    base, gated = settings_rule(settings), settings.approvals.start
    path = settings.policy_file
    if path is not None:
        return read_policy(path, base, gated, provider_names())
    clauses = settings_clauses(base, gated)
    return Policy(clauses=clauses, digest=digest_of(clauses))


def settings_rule(settings: Settings) -> Rule:
    """What holds where no policy file says otherwise."""
    approvals = settings.approvals
    return Rule(
        approvers=approvals.approvers,
        needed=approvals.needed,
        may_approve_own=approvals.may_approve_own,
        expires_after=timedelta(hours=approvals.expire_hours),
        remind_after=timedelta(hours=approvals.remind_hours) or None,
    )


def provider_names() -> tuple[str, ...]:
    """The word of each provider that is installed, configured or not."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def read_policy(path: Path, base: Rule, gated_starts: Iterable[str], known_providers: Collection[str]) -> Policy:
    """The policy of this file. What its rules leave out is that of the settings, whose rules come last.

    Raises ConfigurationError with every mistake, a line each: "policy.toml line 12: …".
    """
    return parse_policy(_text_of(path), path.name, base, gated_starts, known_providers)


def parse_policy(
    text: str, source: str, base: Rule, gated_starts: Iterable[str], known_providers: Collection[str]
) -> Policy:
    """The same for the text of a file that is called `source`."""
    said, lines = _parse(text, source)
    tables, mistakes = _tables(said, lines)
    behind = settings_clauses(base, gated_starts)
    reading = Reading(tables=tables, behind=behind, lines=lines, known_providers=tuple(known_providers))
    if "defaults" not in tables.broken:
        mistakes += reading.mistakes()
    if not mistakes and not tables.rules:
        # One that was cut off because the disk was full must not take all rules away.
        mistakes = [Mistake(1, _NO_RULE)]
    if mistakes:
        raise refusal(source, mistakes)
    clauses = (*reading.clauses(), *behind)
    return Policy(clauses=clauses, source=source, digest=digest_of(clauses))


def digest_of(clauses: Iterable[Clause]) -> str:
    """A checksum over what the clauses say; where in a file they say it does not count."""
    said = json.dumps([_said(clause) for clause in clauses], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def refusal(source: str, mistakes: Iterable[Mistake]) -> ConfigurationError:
    """All mistakes in the order of their lines, a sentence a line."""
    ordered = sorted(set(mistakes), key=lambda one: (one.line, one.sentence))
    told = [f"{source} line {one.line}: {one.sentence}" for one in ordered[:MOST_MISTAKES]]
    more = len(ordered) - MOST_MISTAKES
    return ConfigurationError("\n".join([*told, *([f"{source}: and {more} mistakes more."] if more > 0 else [])]))


def _text_of(path: Path) -> str:
    raw = _bytes_of(path)
    if len(raw) > MOST_BYTES:
        raise refusal(path.name, [Mistake(1, f"the file is larger than {MOST_BYTES // 1024} KiB.")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise refusal(path.name, [Mistake(line, "is not text in UTF-8.")]) from None


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"The policy file {path} cannot be read ({error.strerror}).") from None


def _parse(text: str, source: str) -> tuple[dict[str, Any], Lines]:
    try:
        return tomllib.loads(text), find_lines(text)
    except ValueError as error:
        raise refusal(source, [_syntax(error, text)]) from None
    except RecursionError:
        raise refusal(source, [Mistake(1, "holds more brackets in each other than can be read.")]) from None


def _syntax(error: ValueError, text: str) -> Mistake:
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
    said = str(error)[: found.start()] if found else "a value that cannot be read"
    line = int(found[1]) if found and found[1] else text.rstrip().count("\n") + 1
    return Mistake(line, f"this is not TOML: {said if said.isprintable() else ascii(said)}.")


def _said(clause: Clause) -> dict[str, Json]:
    return {
        "acts": sorted(clause.acts),
        "providers": sorted(clause.providers),
        "models": sorted(clause.models),
        "rule": dict(clause.rule.as_json()),
    }


# -- what a table alone shows -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables of a file that are right by themselves. `rules` are by their place; `broken` names what is not."""

    defaults: Keys
    rules: Mapping[int, RuleTable]
    broken: frozenset[str] = frozenset()


def _tables(said: Mapping[str, Any], lines: Lines) -> tuple[Tables, list[Mistake]]:
    mistakes = [
        Mistake(lines.of((key,)), f"there is no key {_quoted(key)} outside of the rules.{_near(key, _TOP)}")
        for key in said
        if key not in _TOP
    ]
    defaults = _checked(Keys, said.get("defaults", {}), ("defaults",), lines, mistakes)
    rules = {
        place: table
        for place, one in enumerate(_rules(said, lines, mistakes))
        if (table := _checked(RuleTable, one, ("rule", place), lines, mistakes))
    }
    broken = frozenset() if defaults else frozenset({"defaults"})
    return Tables(defaults=defaults or Keys(), rules=rules, broken=broken), mistakes


def _rules(said: Mapping[str, Any], lines: Lines, mistakes: list[Mistake]) -> list[Any]:
    rules = said.get("rule", [])
    if isinstance(rules, list):
        return rules
    mistakes.append(Mistake(lines.of(("rule",)), "a rule begins with two brackets: [[rule]]."))
    return []


def _checked(
    kind: type[OneTable], said: object, path: tuple[str | int, ...], lines: Lines, mistakes: list[Mistake]
) -> OneTable | None:
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        mistakes += [_mistake((*path, *one["loc"]), one, lines) for one in details]
        return None


def _mistake(path: tuple[str | int, ...], error: ErrorDetails, lines: Lines) -> Mistake:
    *above, key = [part for part in path if isinstance(part, str)]
    if error["type"] == "extra_forbidden":
        said = f"there is no key {_quoted(key)} in {above[-1]}.{_near(key, _keys(_TABLES[above[-1]]))}"
        return Mistake(lines.of(path), said)
    known = _SAID.get(error["type"])
    return Mistake(lines.of(path), f"{key}: {known.format(**error.get('ctx', {})) if known else error['msg']}")


def _keys(table: type[Table]) -> list[str]:
    return [field.alias or name for name, field in table.model_fields.items()]


# -- what the tables say together -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The tables of a file over the clauses of the settings, which stand `behind` them."""

    tables: Tables
    behind: Sequence[Clause]
    lines: Lines
    known_providers: Sequence[str]

    def clauses(self) -> Iterator[Clause]:
        """The clauses of all rules, in order."""
        for place in self.tables.rules:
            yield from self._clauses_of(place)

    def mistakes(self) -> Iterator[Mistake]:
        if self.tables.defaults.approvals == 0:
            yield Mistake(self.lines.of(("defaults", "approvals")), _NEVER_NONE)
        for place in self.tables.rules:
            yield from self._names(place)
            yield from self._strange_providers(place)
            yield from self._times(place)
            yield from self._counts(place)
            yield from self._shadows(place)

    def _clauses_of(self, place: int) -> Iterator[Clause]:
        """A rule as one clause for each of the settings' that it touches, which says what the rule leaves out."""
        table = self.tables.rules[place]
        named, providers = _acts(table), _providers(table)
        left = frozenset(Act)
        for clause in self.behind:
            acts = (clause.acts or left) & named
            common = tuple(one for one in providers or clause.providers if self._is_for(clause, one))
            left = left if clause.providers else left - clause.acts
            if acts and (common or not providers):
                yield Clause(
                    rule=self._rule(table, clause.rule),
                    acts=acts,
                    providers=common,
                    models=tuple(table.models or ()),
                    line=self.lines.of(("rule", place)),
                )

    def _is_for(self, clause: Clause, provider: str) -> bool:
        """Is this the first of the settings' clauses for its acts that names the provider, or else names none?"""
        if clause.providers:
            return provider in clause.providers
        return not any(provider in one.providers and one.acts == clause.acts for one in self.behind)

    def _rule(self, table: RuleTable, behind: Rule) -> Rule:
        said = self._said(table)
        changes = {ours: _READ[key](said[key]) for key, ours in _FIELDS.items() if said[key] is not None}
        return replace(behind, name=table.name, needed=self._needed(table, behind), **changes)

    def _said(self, table: RuleTable) -> dict[str, Any]:
        """Every key, from the rule or else from `[defaults]`; None where neither says it."""
        return {
            key: getattr(self.tables.defaults, key) if getattr(table, key) is None else getattr(table, key)
            for key in Keys.model_fields
        }

    def _needed(self, table: RuleTable, behind: Rule) -> int:
        """Starts and cancellings that need no approval do not come to need one but by a rule that names these acts."""
        if table.approvals is not None and (table.acts or behind.needed):
            return table.approvals
        usual = self.tables.defaults.approvals
        return behind.needed if usual is None or not behind.needed else usual

    def _line(self, place: int, key: str) -> int:
        """The line of a key in a rule, else in `[defaults]`, else of the rule."""
        if getattr(self.tables.rules[place], key) is None and getattr(self.tables.defaults, key, None) is not None:
            return self.lines.of(("defaults", key))
        return self.lines.of(("rule", place, key))

    def _names(self, place: int) -> Iterator[Mistake]:
        name = self.tables.rules[place].name
        first = next(other for other, table in self.tables.rules.items() if table.name == name)
        if first != place:
            line = self.lines.of(("rule", first))
            yield Mistake(self._line(place, "name"), f"the rule of line {line} is called {_quoted(name)} too.")

    def _strange_providers(self, place: int) -> Iterator[Mistake]:
        known = self.known_providers
        for number, name in enumerate(_providers(self.tables.rules[place])):
            if name not in known:
                line = self.lines.of(("rule", place, "providers", number))
                said = f"there is no provider {_quoted(name)}; there are {', '.join(known)}.{_near(name, known)}"
                yield Mistake(line, said)

    def _times(self, place: int) -> Iterator[Mistake]:
        said = self._said(self.tables.rules[place])
        expire, remind, after = said["expire"], said["remind"], said["escalate_after"]
        if isinstance(remind, timedelta) and expire is not None and expire <= remind:
            yield Mistake(self._line(place, "expire"), "expire: ends before the first reminder.")
        if (after is None) != (said["escalate_to"] is None):
            there, lacks = ("escalate_to", "escalate_after") if after is None else ("escalate_after", "escalate_to")
            yield Mistake(self._line(place, there), f"{there}: needs {lacks} too.")
        ends = {clause.rule.expires_after for clause in self._clauses_of(place)}
        if after is not None and ends and after >= max(ends):
            yield Mistake(self._line(place, "escalate_after"), "escalate_after: comes when the question has expired.")

    def _counts(self, place: int) -> Iterator[Mistake]:
        table = self.tables.rules[place]
        line = self._line(place, "approvals")
        if table.approvals == 0 and _acts(table) & _SWITCHES:
            yield Mistake(line, f'{_NEVER_NONE} Name the others: acts = ["start"], or ["cancel"].')
            return
        rules = [clause.rule for clause in self._clauses_of(place)]
        if table.acts and table.approve and table.approvals is None and any(not rule.needed for rule in rules):
            yield Mistake(
                self._line(place, "approve"),
                "approve: say too how many of them have to approve: approvals = 1, or 0 for nobody.",
            )
        yield from dict.fromkeys(Mistake(line, said) for rule in rules if (said := _impossible(rule)))

    def _shadows(self, place: int) -> Iterator[Mistake]:
        """Nobody would notice a rule that never decides: each of its acts and providers is taken by an earlier one."""
        table = self.tables.rules[place]
        takers = [self._taker(place, act, one) for act in sorted(_acts(table)) for one in self._cells(table)]
        if all(taker is not None for taker in takers):
            names = dict.fromkeys(_quoted(self.tables.rules[one].name) for one in takers if one is not None)
            said = f"{' and '.join(names)} {'fits' if len(names) == 1 else 'fit'} before it"
            yield Mistake(self.lines.of(("rule", place)), f"this rule never decides: {said}.")

    def _cells(self, table: RuleTable) -> tuple[str, ...]:
        return _providers(table) or ("", *self.known_providers)  # "" is one that comes later

    def _taker(self, place: int, act: Act, provider: str) -> int | None:
        models = self.tables.rules[place].models or ()
        for other, table in self.tables.rules.items():
            if other >= place:
                return None
            is_about = act in _acts(table) and (not table.providers or provider in _providers(table))
            if is_about and covers(table.models or (), models):
                return other
        return None


_NO_RULE = "there is no [[rule]] in it, so it decides nothing. To do without a policy file, name none in the settings."
_NEVER_NONE = "approvals: a switch and an activation always need at least one."

_FIELDS: Mapping[str, str] = {
    "ask": "askers",
    "approve": "approvers",
    "requester_counts": "may_approve_own",
    "reason": "reasons",
    "expire": "expires_after",
    "remind": "remind_after",
    "remind_factor": "remind_factor",
    "escalate_to": "second",
    "escalate_after": "second_after",
    "quiet": "quiet",
    "pass_quiet": "pass_quiet",
    "stand_ins": "stand_ins",
}
"""Keys of the file, and what a Rule calls them."""


def _once(ids: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))


_READ: Mapping[str, Callable[[Any], Any]] = {
    "ask": _once,
    "approve": _once,
    "requester_counts": bool,
    "reason": Reasons,
    "expire": lambda span: span,
    "remind": lambda pause: None if pause == "never" else pause,
    "remind_factor": float,
    "escalate_to": _once,
    "escalate_after": lambda span: span,
    "quiet": lambda table: table.value(),
    "pass_quiet": bool,
    "stand_ins": lambda tables: tuple(table.value() for table in tables),
}


def _acts(table: RuleTable) -> frozenset[Act]:
    return frozenset(Act(one) for one in table.acts) if table.acts else frozenset(Act)


def _providers(table: RuleTable) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.strip().lower() for one in table.providers or ()))


def _impossible(rule: Rule) -> str:
    """Why nothing could ever be approved under this rule, "" where it can."""
    if not rule.needed:
        return ""
    voters = _once((*rule.approvers, *rule.second))
    if not voters:
        return "nobody may approve: `approve` is neither here nor in [defaults], and the settings name nobody."
    if len(people_in(voters)) == len(voters) < rule.needed:
        return f"{rule.needed} have to approve, and only {len(voters)} may."
    return ""


# -- while the bot runs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyNews:
    """What a look at the file brought. With a `mistake` the policy stays, so `now` is `before`."""

    before: Policy
    now: Policy
    mistake: str = ""

    @property
    def is_change(self) -> bool:
        return self.before.digest != self.now.digest

    def sentence(self) -> str:
        """For the log and the alarm channel."""
        if self.mistake:
            return f"The policy file cannot be used, so the former policy stays in force.\n{self.mistake}"
        if self.is_change:
            checksums = f"checksum {self.before.digest[:12]} is now {self.now.digest[:12]}"
            return f"The policy was changed. {_say_changes(self.before, self.now)} ({checksums})."
        return "The policy file can be used again; it says what is in force."


def _say_changes(before: Policy, now: Policy) -> str:
    """Which rules came, went and were changed, by their names; the order counts too."""
    old, new = _by_name(before), _by_name(now)
    told = {
        "new": [name for name in new if name not in old],
        "changed": [name for name in new if name in old and new[name] != old[name]],
        "gone": [name for name in old if name not in new],
    }
    said = [f"{word}: {', '.join(map(_quoted, names[:10]))}" for word, names in told.items() if names]
    return f"Rules {'; '.join(said)}" if said else "The same rules stand in another order"


def _by_name(policy: Policy) -> dict[str, list[dict[str, Json]]]:
    found: dict[str, list[dict[str, Json]]] = {}
    for clause in policy.clauses:
        if clause.line:
            found.setdefault(clause.rule.name, []).append(_said(clause))
    return found


class PolicyWatch:
    """The policy in force, and the file that may change it while the bot runs.

    The file is read once it looks the same at two looks in a row, so that one that is being written is left alone.
    """

    def __init__(self, settings: Settings) -> None:
        """Read the policy. Raises ConfigurationError for a file with mistakes, or none where one is configured."""
        self._settings = settings
        self._read = self._seen = _marks(settings.policy_file)
        self._policy = load_policy(settings)
        self._mistake = ""

    def current(self) -> Policy:
        return self._policy

    async def look(self) -> PolicyNews | None:
        """Take a changed file over. News of a new policy, of mistakes (once), and that a mistake was mended."""
        if self._settings.policy_file is None:
            return None
        marks = await asyncio.to_thread(_marks, self._settings.policy_file)
        is_settled, self._seen = marks == self._seen, marks
        if not is_settled or marks == self._read:
            return None
        self._read = marks
        return self._take(await asyncio.to_thread(_read_again, self._settings))

    def _take(self, read: Policy | ConfigurationError) -> PolicyNews | None:
        before, former = self._policy, self._mistake
        self._mistake = str(read) if isinstance(read, ConfigurationError) else ""
        self._policy = read if isinstance(read, Policy) else before
        if self._mistake == former and self._policy.digest == before.digest:
            return None
        news = PolicyNews(before=before, now=self._policy, mistake=self._mistake)
        log.log(logging.ERROR if news.mistake else logging.INFO, "%s", news.sentence())
        return news


def _marks(path: Path | None) -> tuple[int, ...] | None:
    """What differs once a file was written or replaced; None for one that is not there."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns) if found else None


def _read_again(settings: Settings) -> Policy | ConfigurationError:
    try:
        return load_policy(settings)
    except ConfigurationError as error:
        return error
