"""Who may ask, approve and cancel what: rules in order, the first that fits decides."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo

from bot.domain.requests import Json


class Act(StrEnum):
    """What a rule is about."""

    START = "start"
    SWITCH = "switch"  # a service begins to serve the trained model
    ACTIVATE = "activate"  # the same, where the service calls it so
    CANCEL = "cancel"


class Reasons(StrEnum):
    """Which answers need a reason."""

    NEVER = "never"
    REJECT = "reject"
    APPROVE = "approve"
    ALWAYS = "always"


EVERYBODY, REQUESTER, APPROVERS = "everybody", "requester", "approvers"
WORDS = frozenset({EVERYBODY, REQUESTER, APPROVERS})
"""What may stand among ids in `Rule.askers`."""

GROUP_LETTERS = ("S", "C", "G")
"""First letters of the ids of user groups and of channels, whose members count."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of `Quiet`, as people write them."""

_DAY = timedelta(days=1)
_WEEK = range(7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Hours in which nobody is reminded: from `begins` to `ends` (over midnight where it ends earlier) on every day,
    and the whole of `days` (0 is Monday), in the time zone called `zone`."""

    begins: time
    ends: time
    zone: str = "UTC"
    days: tuple[int, ...] = ()

    def holds(self, at: datetime) -> bool:
        local = at.astimezone(ZoneInfo(self.zone))
        if local.weekday() in self.days:
            return True
        clock = local.time()
        if self.begins <= self.ends:
            return self.begins <= clock < self.ends
        return clock >= self.begins or clock < self.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """From the day `since` to the day `until`, both included (UTC), `by` may decide what `absent` may."""

    absent: str
    by: str
    since: date
    until: date

    def holds(self, at: datetime) -> bool:
        return self.since <= at.date() <= self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds for one act. `name` is that of the policy file, "" for the settings.

    `approvers` and `second` are ids of people (U…, W…), user groups (S…) and channels (C…, G…), `askers` the same and
    `WORDS`. `needed` are so many different approvers, 0 where no approval is needed. `second` are approvers too once a
    prompt was open for `second_after`. The first reminder comes `remind_after` the question, each further one after
    `remind_factor` times the last pause. With `pass_quiet` a question mentions its approvers also in quiet hours of
    their own, and is told then to who follows approvals.
    """

    name: str = ""
    approvers: tuple[str, ...] = ()
    askers: tuple[str, ...] = (REQUESTER, APPROVERS)
    needed: int = 1
    may_approve_own: bool = False
    reasons: Reasons = Reasons.REJECT
    expires_after: timedelta = timedelta(hours=168)
    remind_after: timedelta | None = None
    remind_factor: float = 2.0
    second: tuple[str, ...] = ()
    second_after: timedelta | None = None
    quiet: Quiet | None = None
    pass_quiet: bool = False
    stand_ins: tuple[StandIn, ...] = ()

    @property
    def people(self) -> tuple[str, ...]:
        return people_in(self.approvers)

    @property
    def groups(self) -> tuple[str, ...]:
        """Everything whose members have to be known to say who may decide or ask."""
        return groups_in((*self.approvers, *self.second, *(id_ for id_ in self.askers if id_ not in WORDS)))

    def needs_reason(self, *, approves: bool) -> bool:
        return self.reasons in (Reasons.ALWAYS, Reasons.APPROVE if approves else Reasons.REJECT)

    def pause_before(self, reminder: int) -> timedelta | None:
        """The pause before the reminder of this number, which counts from 0; None where nobody is reminded."""
        if self.remind_after is None:
            return None
        pause = self.remind_after
        for _ in range(reminder):
            if pause >= self.expires_after:
                break
            pause *= self.remind_factor
        return min(pause, self.expires_after)

    def as_json(self) -> Mapping[str, Json]:
        """Every value of the rule, for a digest.

        One that came later is left out where it is the usual: what was asked before it came stays as it was asked.
        """
        values = {one.name: _plain(getattr(self, one.name)) for one in fields(self)}
        return values if self.pass_quiet else {name: value for name, value in values.items() if name != "pass_quiet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A rule and the acts, providers and models to which it applies; an empty field means all.

    `models` are patterns with `*`, `?` and `[…]`, compared without case. `line` is the one of the policy file, 0 for a
    rule of the settings.
    """

    rule: Rule
    acts: frozenset[Act] = frozenset()
    providers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    line: int = 0

    def fits(self, act: Act, provider: str, model: str) -> bool:
        is_about = (not self.acts or act in self.acts) and (not self.providers or provider in self.providers)
        return is_about and self._fits_model(model)

    def _fits_model(self, model: str) -> bool:
        return not self.models or any(fits_pattern(one, model) for one in self.models)


def fits_pattern(pattern: str, name: str) -> bool:
    """Does a name fit a pattern with `*`, `?` and `[…]`? Without case."""
    return fnmatchcase(name.casefold(), pattern.casefold())


def settings_clauses(rule: Rule = Rule(), gated_starts: Iterable[str] = ()) -> tuple[Clause, ...]:
    """What holds without a policy file: the gates after a training need one yes, and so do the starts of some
    providers; the requester or an approver cancels."""
    gated = tuple(gated_starts)
    start = replace(rule, askers=(EVERYBODY,))
    first = [Clause(rule=start, acts=frozenset({Act.START}), providers=gated)] if gated else []
    free = Clause(rule=replace(start, needed=0), acts=frozenset({Act.START}))
    cancel = Clause(rule=replace(rule, needed=0), acts=frozenset({Act.CANCEL}))
    return (*first, free, cancel, Clause(rule=rule))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All rules in force. The last clauses come from the settings and fit everything, so that one always decides.

    `source` is the policy file, "" without one; `digest` is a checksum over all that it and the settings say.
    """

    clauses: tuple[Clause, ...] = field(default_factory=settings_clauses)
    source: str = ""
    digest: str = ""

    def clause_for(self, act: Act, provider: str, model: str) -> Clause:
        """The first that fits."""
        return next(clause for clause in self.clauses if clause.fits(act, provider, model))

    def rule_for(self, act: Act, provider: str, model: str) -> Rule:
        return self.clause_for(act, provider, model).rule

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(id_ for clause in self.clauses for id_ in clause.rule.groups))


def people_in(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(id_ for id_ in ids if not id_.startswith(GROUP_LETTERS))


def groups_in(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(id_ for id_ in ids if id_.startswith(GROUP_LETTERS)))


def covers(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    """Does every model that one of the narrow patterns fits surely fit a wide one too? No patterns fit all."""
    return not wide or (bool(narrow) and all(any(_is_within(one, other) for other in wide) for one in narrow))


def _is_within(narrow: str, wide: str) -> bool:
    inner, outer = narrow.casefold(), wide.casefold()
    if inner == outer:
        return True
    if not _WILD.search(inner):
        return fnmatchcase(inner, outer)
    # Only the * of the wide pattern may take in what is wild in the narrow one; a set there is one unknown letter.
    return not _ONE_LETTER.search(outer) and fnmatchcase(_SET.sub("?", inner), outer)


_WILD, _ONE_LETTER, _SET = re.compile(r"[*?[]"), re.compile(r"[?[]"), re.compile(r"\[!?\]?[^\]]*\]")


def end_of_quiet(quiet: Quiet | None, at: datetime) -> datetime:
    """The first moment from `at` on that is not quiet, to the minute; `at` itself where all of a week is."""
    if quiet is None or len(set(quiet.days)) == len(_WEEK):
        return at
    moment = at
    while quiet.holds(moment) and moment - at < 8 * _DAY:
        moment = _next_minute(moment)
    return moment


def _next_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _plain(value: Any) -> Json:
    """A value of a rule as JSON has it."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Quiet | StandIn):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    return value if isinstance(value, str | int | float | None) else str(value)
