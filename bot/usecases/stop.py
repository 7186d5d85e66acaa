"""The end of a recurring training: somebody stopped it, or it may not go on."""

from bot.domain.approvals import Standing, is_approver_or
from bot.domain.changes import Say
from bot.domain.jobs import ENDS
from bot.domain.policy import Act
from bot.domain.recurring import Schedule, ScheduleState
from bot.domain.requests import SWITCHYARD, Actor
from bot.domain.text import code
from bot.errors import RefusedError
from bot.ports import Deps
from bot.sentences import _, joined, ngettext
from bot.usecases.auditing import denied
from bot.usecases.moves import card_key, redraw
from bot.usecases.prompting import electorate, read_first
from bot.usecases.schedules import record_of, say_schedule, tell, title_of


async def end(deps: Deps, schedule: Schedule, why: str, by: Actor = SWITCHYARD) -> bool:
    """End a schedule, on record and in its channel; False where it has moved on."""
    ended = schedule.ended(why, by)
    text = joined(" ", filter(None, [_say_ended(title_of(deps, schedule), by), why, _ran(schedule)]))
    former = schedule.last_job
    notices = [tell(deps, ended, "ended", text), *([redraw(deps, former, card_key(former))] if former else [])]
    is_ours = await deps.store.amend_schedule(ended, notices=notices, records=[record_of(deps, ended, "ended", by)])
    deps.nudge("deliver")
    return is_ours


def _say_ended(training: str, by: Actor) -> str:
    if not by.user:
        return _(":black_square_for_stop: This has ended: {training}.", training=training)
    return _(":black_square_for_stop: {who} stopped {training}.", who=f"<@{by.user}>", training=training)


def _ran(schedule: Schedule) -> str:
    if not schedule.runs:
        return _("It has not run; no run starts.")
    return ngettext(
        "It ran once; no further run starts.", "It ran {count:,} times; no further run starts.", schedule.runs
    )


async def stop_recurring(deps: Deps, schedule_id: str, actor: Actor) -> Say:
    """Stop a schedule: whoever planned it may, and whoever may approve its starts. A run that lives goes on."""
    schedule = await deps.store.schedule(schedule_id)
    if schedule is None or schedule.request.actor.team != actor.team:
        raise RefusedError(_("Switchyard keeps no such recurring training here. `/jobs every all` lists them."))
    if schedule.state is ScheduleState.ENDED:
        return say_schedule(deps, schedule)
    await _check_stopper(deps, schedule, actor)
    if not await end(deps, schedule, "", actor):
        return await _say_moved_on(deps, schedule)
    stopped = _("Stopped: {training}.", training=title_of(deps, schedule))
    return Say(text=joined(" ", [stopped, await _left_alive(deps, schedule)]))


async def _say_moved_on(deps: Deps, schedule: Schedule) -> Say:
    """Something else was quicker: another press of the button, or a run."""
    now = await deps.store.schedule(schedule.id)
    if now is not None and now.state is ScheduleState.ENDED:
        return say_schedule(deps, now)
    return Say(text=_("It was being run at this very moment; please press once more."))


async def _check_stopper(deps: Deps, schedule: Schedule, actor: Actor) -> None:
    request = schedule.request
    rule = deps.policy.rule_for(Act.START, request.provider, request.model)
    verdict = is_approver_or(actor, request.actor, await electorate(deps, rule), deps.now())
    if verdict.standing is Standing.UNKNOWN:
        raise RefusedError(await read_first(deps, verdict))
    if verdict.standing is Standing.DENIED:
        why = _("Only the person who planned this or an approver can stop it.")
        raise await denied(deps, actor, why, schedule=schedule.id, act=Act.START)


async def _left_alive(deps: Deps, schedule: Schedule) -> str:
    former = await deps.store.job(schedule.last_job) if schedule.last_job else None
    if former is None or former.state in ENDS:
        return _("No further run starts.")
    return _(
        "No further run starts; the one that lives, {job}, goes on until it is cancelled on its card.",
        job=code(former.id),
    )
