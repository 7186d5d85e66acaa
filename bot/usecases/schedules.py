"""What is said of a recurring training, where it is told, and what is written down of it."""

from datetime import timedelta
from itertools import islice

from bot.domain.audit import AuditKind, Record
from bot.domain.changes import Notice, Say
from bot.domain.people import zone_called
from bot.domain.recurring import Schedule, ScheduleState, filled, next_times
from bot.domain.requests import Actor, Json, TrainRequest
from bot.domain.text import code
from bot.ports import Deps
from bot.usecases.cards import about, stop_button
from bot.usecases.moves import tell_channel

SHOWN = 3
"""How many of the next times are told when a training is planned."""


def title_of(deps: Deps, schedule: Schedule) -> str:
    """`r2345ab`, Sestek Knovvu ML `my-model`, every mon 09:00."""
    title, _ = about(deps, schedule.request.provider)
    model = schedule.request.model
    called = f" as {code(schedule.name)}" if schedule.name != model else ""
    return f"{code(schedule.id)}, {title} {code(model)}{called}, every {schedule.timetable.text()}"


def say_schedule(deps: Deps, schedule: Schedule) -> Say:
    """What who planned it is told: the next times, how the first run is called, and that nothing starts before."""
    if schedule.state is ScheduleState.ENDED:
        return Say(text=f"{title_of(deps, schedule)}, has ended already.")
    if schedule.state is ScheduleState.NEW:
        text = f"Got it: {title_of(deps, schedule)}. Reading your time zone; the first times follow."
    else:
        text = f"Planned: {title_of(deps, schedule)}. {_outlook(schedule)}"
    return Say(text=text, buttons=(stop_button(schedule),))


def _outlook(schedule: Schedule) -> str:
    before = (schedule.next_at or schedule.created_at) - timedelta(seconds=1)
    moments = islice(next_times(schedule.timetable, zone_called(schedule.zone), before), SHOWN)
    times = ", ".join(schedule.local(moment) for moment in moments)
    zone = schedule.zone or "UTC, because Slack does not tell your time zone"
    first = schedule.name_in(next_request(schedule))
    called = f"The first run is called {code(first)}." if first != schedule.name else f"Each run trains {code(first)}."
    return f"Nothing starts now; the next times are {times} ({zone}). {called}"


def next_request(schedule: Schedule) -> TrainRequest:
    """The wish of the next run."""
    planned_at = schedule.next_at or schedule.created_at
    return filled(schedule.request, schedule.run_at(planned_at), schedule.zone)


def tell_planned(deps: Deps, schedule: Schedule) -> Notice:
    """The line in the channel: what will begin here by itself."""
    who, zone = schedule.request.actor.user, schedule.zone or "UTC"
    first = f"The first run is on {schedule.local(schedule.next_at)} ({zone})." if schedule.next_at else ""
    text = f":calendar: <@{who}> planned {title_of(deps, schedule)}. {first} `/jobs every` lists what is planned here."
    return tell(deps, schedule, "planned", text)


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
