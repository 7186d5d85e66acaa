"""What is said of a recurring training, where it is told, and what is written down of it."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from bot.domain.audit import AuditKind, Record
from bot.domain.changes import Notice, Say
from bot.domain.people import zone_called
from bot.domain.recurring import Schedule, ScheduleState, filled, next_times
from bot.domain.requests import Actor, Json, TrainRequest
from bot.domain.text import code
from bot.ports import Deps
from bot.sentences import _, joined
from bot.usecases.cards import about, stop_button
from bot.usecases.moves import tell_channel

SHOWN = 3
"""How many of the next times are told when a training is planned."""


def title_of(deps: Deps, schedule: Schedule) -> str:
    """`r2345ab`, Sestek Knovvu ML `my-model`, every mon 09:00."""
    title, _powers = about(deps, schedule.request.provider)
    model, name = schedule.request.model, schedule.name
    parts = {"schedule": code(schedule.id), "service": title, "model": code(model), "times": schedule.timetable.said()}
    if name == model:
        # NOTE: a recurring training: "`r2345ab`, Sestek Knovvu ML `my-model`, every mon 09:00"
        return _("{schedule}, {service} {model}, {times}", **parts)
    return _("{schedule}, {service} {model} as {name}, {times}", name=code(name), **parts)


def say_schedule(deps: Deps, schedule: Schedule) -> Say:
    """What who planned it is told: the next times, how the first run is called, and that nothing starts before."""
    if schedule.state is ScheduleState.ENDED:
        return Say(text=_("{training}, has ended already.", training=title_of(deps, schedule)))
    training = title_of(deps, schedule)
    if schedule.state is ScheduleState.NEW:
        text: str = _("Got it: {training}. Reading your time zone; the first times follow.", training=training)
    else:
        text = joined(" ", [_("Planned: {training}.", training=training), *_outlook(schedule)])
    return Say(text=text, buttons=(stop_button(schedule),))


def _outlook(schedule: Schedule) -> Iterator[str]:
    before = (schedule.next_at or schedule.created_at) - timedelta(seconds=1)
    moments = islice(next_times(schedule.timetable, zone_called(schedule.zone), before), SHOWN)
    yield _(
        "Nothing starts now; the next times are {times} ({zone}).",
        times=joined(", ", map(schedule.local, moments)),
        # NOTE: stands in brackets, instead of the name of a time zone
        zone=schedule.zone or _("UTC, because Slack does not tell your time zone"),
    )
    first = schedule.name_in(next_request(schedule))
    if first != schedule.name:
        yield _("The first run is called {name}.", name=code(first))
    else:
        yield _("Each run trains {name}.", name=code(first))


def next_request(schedule: Schedule) -> TrainRequest:
    """The wish of the next run."""
    planned_at = schedule.next_at or schedule.created_at
    return filled(schedule.request, schedule.run_at(planned_at), schedule.zone)


def tell_planned(deps: Deps, schedule: Schedule) -> Notice:
    """The line in the channel: what will begin here by itself."""
    who, training = f"<@{schedule.request.actor.user}>", title_of(deps, schedule)
    planned = _(":calendar: {who} planned {training}.", who=who, training=training)
    lists = _("`/jobs every` lists what is planned here.")
    return tell(deps, schedule, "planned", joined(" ", [planned, _first_run(schedule), lists]))


def _first_run(schedule: Schedule) -> str:
    if schedule.next_at is None:
        return ""
    time = schedule.local(schedule.next_at)
    return _("The first run is on {time} ({zone}).", time=time, zone=schedule.zone or "UTC")


def tell(deps: Deps, schedule: Schedule, key: str, text: str) -> Notice:
    """A line in the schedule's channel, once per `key`."""
    return tell_channel(deps, schedule.request.channel, text, key=f"schedule:{schedule.id}:{key}")


def record_of(deps: Deps, schedule: Schedule, step: str, by: Actor) -> Record:
    """What the audit log keeps of it."""
    request = schedule.request
    facts: dict[str, Json] = {
        "step": step,
        "schedule": schedule.id,
        "every": schedule.timetable.text(),
        "zone": schedule.zone,
        "provider": request.provider,
        "model": request.model,
        "runs": schedule.runs,
        "why": schedule.why,
    }
    return Record(at=deps.now(), kind=AuditKind.PLANNED, actor=by, facts=facts)
