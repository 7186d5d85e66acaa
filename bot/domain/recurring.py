"""Recurring trainings: when the next run is, in somebody's local time, and what it is called."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from bot.domain.arguments import Argument, Arguments, Kind
from bot.domain.people import zone_called
from bot.domain.requests import SWITCHYARD, Actor, Run, TrainRequest, digest
from bot.errors import UsageError
from bot.sentences import Text, _, joined

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONG = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS = {name: number for names in (DAYS, _LONG) for number, name in enumerate(names)}
_GROUPS: Mapping[str, frozenset[int]] = {"day": frozenset(range(7)), "weekday": frozenset(range(5))}
_EVERY = re.compile(r"\s*(?P<days>[^0-9]*[^0-9\s])\s+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})\s*")
_MARK = re.compile(r"\{(date|time|n)\}")
_VARIES = re.compile(r"\{(date|n)\}")
_MINUTE = timedelta(minutes=1)

_OFFERED = _(
    'Write days and a 24-hour time: `every="mon 09:00"`, `every="mon,thu 09:00"`, `every="weekday 18:00"` or '
    '`every="day 06:30"`. Days of the month, and several times a day, are not offered.'
)
MARKS = _("`{{date}}`, `{{time}}` or `{{n}}`")
# NOTE: Monday, as in "every mon,thu 09:00"; likewise the other days.
_SAID = (_("mon"), _("tue"), _("wed"), _("thu"), _("fri"), _("sat"), _("sun"))
# NOTE: Monday, as in "Mon 2026-11-23 09:00"; likewise the other days.
_BEGUN = (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))


# -- when -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """Days of the week (0 is Monday) and a local time to the minute."""

    days: frozenset[int]
    at: time

    def text(self) -> str:
        """How it is written; `parse_every` reads it as the same."""
        group = next((name for name, days in _GROUPS.items() if days == self.days), "")
        return f"{group or ','.join(DAYS[number] for number in sorted(self.days))} {self.at:%H:%M}"

    def said(self) -> str:
        """How people say it: `every mon,thu 09:00`."""
        at = f"{self.at:%H:%M}"
        if self.days == _GROUPS["day"]:
            return _("every day {time}", time=at)
        if self.days == _GROUPS["weekday"]:
            # NOTE: From Monday to Friday.
            return _("every weekday {time}", time=at)
        # NOTE: {days} are "mon", "thu" and the like.
        return _("every {days} {time}", days=joined(",", [_SAID[number] for number in sorted(self.days)]), time=at)


def parse_every(text: str) -> Timetable:
    """`mon 09:00`, `mon,thu 09:00`, `weekday 18:00`, `day 06:30`. Raises UsageError with examples."""
    found = _EVERY.fullmatch(text.casefold())
    if found is None:
        raise UsageError(joined(" ", [_refuse(text), _OFFERED]), word=text)
    hour, minute = int(found["hour"]), int(found["minute"])
    if hour > 23 or minute > 59:
        wrong = _("`{time}` is no time of a day.", time=f"{hour}:{minute:02}")
        raise UsageError(joined(" ", [wrong, _OFFERED]), word=text)
    return Timetable(days=_days(found["days"], text), at=time(hour, minute))


def _refuse(text: str) -> str:
    if not text.strip():
        return _("`every=` names no time to train again.")
    return _("`{text}` is no time to train again.", text=text[:60])


def _days(words: str, text: str) -> frozenset[int]:
    if words in _GROUPS:
        return _GROUPS[words]
    numbers = [_NUMBERS.get(word.strip()) for word in words.split(",")]
    known = frozenset(number for number in numbers if number is not None)
    if None in numbers or len(known) < len(numbers):
        wrong = _("`{text}` is no list of days, each named once.", text=words[:60])
        raise UsageError(joined(" ", [wrong, _OFFERED]), word=text)
    return known


def refuse_every(text: str) -> str | None:
    """The sentence on a text that says no time to train again."""
    try:
        parse_every(text)
    except UsageError as error:
        return str(error)
    return None


EVERY = Argument(
    name="every",
    label='every="mon 09:00"',
    what=_(
        "train again at these times, in your time zone, as in `mon,thu 09:00`, `weekday 18:00` or `day 06:30`; "
        "names may hold {marks}",
        marks=MARKS,
    ),
    kind=Kind.EVERY,
    required=False,
    refuse=refuse_every,
)
"""The option of a service whose input can be taken again. A provider that lists it can recur."""


def next_time(timetable: Timetable, zone: tzinfo, after: datetime) -> datetime:
    """The first planned moment after another one, UTC.

    A local time that the change to summer time leaves out is the first moment after it; one that comes twice in autumn
    is the first of both.
    """
    first = after.astimezone(zone).date() - timedelta(days=1)
    days = (first + timedelta(days=number) for number in range(10))
    moments = (_moment(day, timetable.at, zone) for day in days if day.weekday() in timetable.days)
    return min(moment for moment in moments if moment > after)


def next_times(timetable: Timetable, zone: tzinfo, after: datetime) -> Iterator[datetime]:
    """The planned moments after another one, without end."""
    while True:
        after = next_time(timetable, zone, after)
        yield after


def _moment(day: date, at: time, zone: tzinfo) -> datetime:
    """When clocks there first show this time of this day, or have passed over it."""
    wall = datetime.combine(day, at)
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    # In a gap the two readings stand on either side of the change of the clocks.
    before, behind = min(first, second), max(first, second)
    while behind - before > _MINUTE:
        middle = before + (behind - before) // 2
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            behind = middle
    return behind.replace(second=0, microsecond=0)


# -- the schedule -----------------------------------------------------------------------------------------------------


class ScheduleState(StrEnum):
    """Where a schedule stands."""

    NEW = "new"  # the time zone of who asked is still to be read
    ACTIVE = "active"
    ENDED = "ended"  # somebody stopped it, or it may not go on; `why` tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A wish that is asked for again and again.

    `request` is the wish as it was typed, with `{date}` and the like in it; its `request_key` is the delivery's.
    `zone` is fixed when the schedule is made. `runs` are the trainings that came of it, `last_job` is the latest.
    """

    id: str
    request: TrainRequest
    timetable: Timetable
    created_at: datetime
    zone: str = ""
    state: ScheduleState = ScheduleState.NEW
    next_at: datetime | None = None
    runs: int = 0
    last_job: str = ""
    why: Text = ""
    ended_by: Actor = SWITCHYARD
    version: int = 0

    @property
    def fingerprint(self) -> str:
        """Equal for equal wishes at equal times of the same person in the same channel."""
        return digest([self.request.fingerprint(), self.timetable.text()])

    def activated(self, zone: str, now: datetime) -> "Schedule":
        """As of now, in this time zone."""
        first = next_time(self.timetable, zone_called(zone), now)
        return replace(self, state=ScheduleState.ACTIVE, zone=zone, next_at=first, version=self.version + 1)

    def ended(self, why: str, by: Actor = SWITCHYARD) -> "Schedule":
        fields = {"state": ScheduleState.ENDED, "why": why, "ended_by": by, "next_at": None}
        return replace(self, **fields, version=self.version + 1)  # type: ignore[arg-type]  # fields of this class

    def passed(self, now: datetime, job_id: str = "") -> "Schedule":
        """With the next time after now; a training that came of the present one counts."""
        following = next_time(self.timetable, zone_called(self.zone), now)
        runs, last = (self.runs + 1, job_id) if job_id else (self.runs, self.last_job)
        return replace(self, next_at=following, runs=runs, last_job=last, version=self.version + 1)

    @property
    def name(self) -> str:
        """What the runs are called; where each is called otherwise, with `{date}` and the like in it."""
        return next((text for text in _texts(self.request) if holds_mark(text)), self.request.model)

    def name_in(self, run: TrainRequest) -> str:
        """The same of one run."""
        pairs = zip(_texts(self.request), _texts(run), strict=False)
        return next((after for before, after in pairs if before == self.name), run.model)

    def run_at(self, planned_at: datetime) -> Run:
        return Run(schedule=self.id, number=self.runs + 1, planned_at=planned_at)

    def local(self, at: datetime) -> str:
        """A time as people there read it: `Mon 2026-11-23 09:00`."""
        there = at.astimezone(zone_called(self.zone))
        day, date, time = _BEGUN[there.weekday()], f"{there:%Y-%m-%d}", f"{there:%H:%M}"
        return _("{day} {date} {time}", day=day, date=date, time=time)

    def rhythm(self) -> str:
        """`every mon 09:00 (Europe/Istanbul)`."""
        return _("{rhythm} ({zone})", rhythm=self.timetable.said(), zone=self.zone or "UTC")

    def outlook(self) -> str:
        """What comes: the next time, or why there is none."""
        if self.next_at is not None:
            return _("next {when}", when=self.local(self.next_at))
        return _("ended") if self.state is ScheduleState.ENDED else _("its time zone is being read")


def _texts(request: TrainRequest) -> list[str]:
    """The single texts of a wish, of which each may be a name: those of the arguments first."""
    return [*(value for value in request.params.values() if isinstance(value, str)), *request.data.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What is due: the latest planned time that has come, and how many before it went by unused."""

    planned_at: datetime
    missed: int

    def is_late(self, now: datetime, at_most: timedelta) -> bool:
        return now - self.planned_at > at_most


def turn_of(schedule: Schedule, now: datetime) -> Turn | None:
    """What is due of an active schedule; None before its time. However long nobody looked, it is one turn."""
    if schedule.next_at is None or schedule.next_at > now:
        return None
    latest, missed = schedule.next_at, 0
    for moment in next_times(schedule.timetable, zone_called(schedule.zone), latest):
        if moment > now:
            break
        latest, missed = moment, missed + 1
    return Turn(planned_at=latest, missed=missed)


# -- names ------------------------------------------------------------------------------------------------------------


def holds_mark(text: str) -> bool:
    """Does a name say something that depends on the run?"""
    return _MARK.search(text) is not None


def varies(text: str) -> bool:
    """Is a name another one in each run? The time of day alone is the same in all of them."""
    return _VARIES.search(text) is not None


def refuse_marks(arguments: Arguments, request: TrainRequest) -> None:
    """Raise UsageError for a unique name with a mark that nothing would fill: it would be the name, letter for letter.

    Such a name is a slip: `every=` was forgotten.
    """
    for argument in (*arguments.positionals, *arguments.options):
        value = request.params.get(argument.name)
        found = _MARK.search(value) if argument.unique and isinstance(value, str) else None
        if found is not None:
            raise UsageError(
                _(
                    "`{mark}` is filled in only with `every=`, where each run has a name of its own. For a single "
                    "training write {argument} as it is to be.",
                    mark=found.group(),
                    argument=argument.label,
                ),
                word=str(value),
            )


def fill(text: str, run: Run, zone: str) -> str:
    """The text with `{date}`, `{time}` and `{n}` as they are for a run, as of when it was planned."""
    there = run.planned_at.astimezone(zone_called(zone))
    values = {"date": f"{there:%Y-%m-%d}", "time": f"{there:%H%M}", "n": str(run.number)}
    return _MARK.sub(lambda mark: values[mark.group(1)], text)


def filled(request: TrainRequest, run: Run, zone: str) -> TrainRequest:
    """The wish of one run. Only single texts are names: lists, numbers and parameters stay as they are."""
    params = {
        name: fill(value, run, zone) if isinstance(value, str) else value for name, value in request.params.items()
    }
    data = {role: fill(source, run, zone) for role, source in request.data.items()}
    key = f"every:{run.schedule}:{run.planned_at.astimezone(UTC):%Y%m%dT%H%MZ}"
    model = fill(request.model, run, zone)
    return replace(request, request_key=key, model=model, params=params, data=data, run=run)


def refusal_of_names(arguments: Arguments, request: TrainRequest) -> tuple[Argument, str] | None:
    """What a service refuses of names that a run has filled, with the argument; None where they can be taken."""
    for argument in (*arguments.positionals, *arguments.options):
        value = request.params.get(argument.name)
        sentence = argument.refuse(value) if argument.refuse and isinstance(value, str) else None
        if sentence:
            return argument, sentence
    return None


def fixed_names(arguments: Arguments, request: TrainRequest) -> tuple[Argument, ...]:
    """The arguments that each training needs a value of its own for, and that would be the same in each run."""
    unique = [one for one in (*arguments.positionals, *arguments.options) if one.unique]
    return tuple(one for one in unique if one.name in request.params and not varies(str(request.params[one.name])))
