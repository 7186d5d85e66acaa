"""Planning a recurring training: one durable commit, no network, and nothing that starts now."""

from dataclasses import replace

from bot.domain.changes import Say
from bot.domain.recurring import (
    Schedule,
    ScheduleState,
    Timetable,
    fixed_names,
    holds_mark,
    refusal_of_names,
)
from bot.domain.requests import TrainRequest
from bot.domain.shared_files import id_in
from bot.errors import RefusedError, UsageError
from bot.ports import Deps, PlanAnswer, Planned, Provider
from bot.sentences import _
from bot.usecases.cards import stop_button
from bot.usecases.people import known_person
from bot.usecases.request import check_asker, checked, job_id, say_too_fast
from bot.usecases.schedules import next_request, record_of, say_schedule, tell_planned, title_of


async def plan_recurring(deps: Deps, request: TrainRequest, timetable: Timetable, *, url: str = "") -> Say:
    """Keep the wish, to be asked for at these times. Nothing starts before the first of them.

    Raises UsageError or DataError for what can be seen at once, with the names of the first run, and RefusedError for
    more than one person or channel may have; then nothing is kept.
    """
    provider = deps.providers.get(request.provider)
    _refuse_slack_files(request)
    _refuse_fixed_names(provider, request)
    schedule = Schedule(id=_schedule_id(deps), request=request, timetable=timetable, created_at=deps.now())
    known = await known_person(deps, request.actor.user)
    begun = schedule.activated(known.zone if known else "", deps.now())
    await _check_first(deps, provider, begun)
    kept = replace(begun, version=0) if known and known.zone else schedule
    notices = [tell_planned(deps, kept)] if kept.state is ScheduleState.ACTIVE else []
    records = [record_of(deps, kept, "made", request.actor)]
    answer = await deps.store.plan(kept, url=url, caps=deps.limits.caps, notices=notices, records=records)
    deps.nudge("recur")
    deps.nudge("deliver")
    return _say(deps, answer)


def _schedule_id(deps: Deps) -> str:
    """As short as a training's, and unlike one."""
    return f"r{job_id(deps.new_id())[1:]}"


def _refuse_slack_files(request: TrainRequest) -> None:
    for role, source in request.data.items():
        if id_in(source):
            raise UsageError(
                _(
                    "`{role}={file}` is a file in Slack, which may be gone by the next run. Put it into the data "
                    "folder, and name it there: `{role}=NAME`.",
                    role=role,
                    file=source[:60],
                ),
                word=source,
            )


def _refuse_fixed_names(provider: Provider, request: TrainRequest) -> None:
    for argument in fixed_names(provider.arguments, request):
        value = str(request.params[argument.name])
        say = _say_same_time if holds_mark(value) else _say_same_name
        raise UsageError(say(provider.title, argument.label), word=value)


def _say_same_time(service: str, name: str) -> str:
    return _(
        "{service} needs another {name} for each training, and `{{time}}` is the same in each run: put `{{date}}` or "
        "`{{n}}` into it.",
        service=service,
        name=name,
    )


def _say_same_name(service: str, name: str) -> str:
    return _(
        "{service} needs another {name} for each training, and this one would be the same in each run: put `{{date}}` "
        "or `{{n}}` into it.",
        service=service,
        name=name,
    )


async def _check_first(deps: Deps, provider: Provider, schedule: Schedule) -> None:
    """The first run as far as it can be seen today: a file that is named after the run may come later."""
    first = next_request(schedule)
    refuse_names(provider, first)
    await check_asker(deps, first)
    if any(holds_mark(text) for text in (*schedule.request.data.values(), schedule.request.model)):
        provider.check(first)
    else:
        await checked(deps, provider, first)


def refuse_names(provider: Provider, request: TrainRequest) -> None:
    """Raise UsageError for a name that the service does not take once a run has filled it."""
    found = refusal_of_names(provider.arguments, request)
    if found is not None:
        argument, sentence = found
        raise UsageError(sentence, word=str(request.params[argument.name]))


def _say(deps: Deps, answer: PlanAnswer) -> Say:
    schedule, caps = answer.schedule, deps.limits.caps
    match answer.planned:
        case Planned.TOO_FAST:
            raise RefusedError(say_too_fast(deps))
        case Planned.FULL:
            raise RefusedError(
                _(
                    "One person may have {count} recurring trainings here (SWITCHYARD_LIMITS__RECURRING_PER_PERSON), "
                    "and you have as many. `/jobs every mine` lists them, each with a button that stops it.",
                    count=caps.schedules,
                )
            )
        case Planned.CROWDED:
            raise RefusedError(
                _(
                    "One channel may have {count} recurring trainings (SWITCHYARD_LIMITS__RECURRING_PER_CHANNEL), and "
                    "this one has as many. `/jobs every` lists them, each with a button that stops it.",
                    count=caps.schedules_here,
                )
            )
        case Planned.SAME:
            training = title_of(deps, schedule)
            text = _("Nothing new was planned: {training}, goes on already.", training=training)
            return Say(text=text, buttons=(stop_button(schedule),))
        case _new:
            return say_schedule(deps, schedule)
