"""The check of a new job: copy its data, read it, make the plan. Nothing starts before it passed."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bot.domain.approvals import Standing, Subject
from bot.domain.changes import Change
from bot.domain.jobs import Event, Job
from bot.domain.requests import Payload, Plan, SourceFile, TrainRequest
from bot.domain.text import cut, in_one_line
from bot.errors import DataError, MessengerError, ProviderError, UsageError
from bot.ports import Deps, Work
from bot.sentences import _
from bot.usecases.fetch import fetch
from bot.usecases.groups import read_now
from bot.usecases.moves import card_key, move, note, redraw
from bot.usecases.prompting import ask_gate, rule_of
from bot.usecases.request import standing_of_asker

AT_ONCE = 4
_MOST_WARNINGS, _MOST_IN_WARNING = 10, 400
_HELD_SECONDS = 5


async def check_due(deps: Deps) -> None:
    """Tick: check the jobs that wait for it."""
    lease = deps.now() + deps.limits.upload
    for job in await deps.store.claim_due(Work.CHECK, deps.now(), lease, AT_ONCE):
        deps.spawn(job.id, check(deps, job))


async def check(deps: Deps, job: Job) -> None:
    """Check one job and move it on."""
    hindrance = await _asker_hinders(deps, job)
    if hindrance is not None:
        await deps.store.apply([hindrance])
        deps.nudge("deliver")
        return
    try:
        fetched = await fetch(deps, job)
        plan = await asyncio.to_thread(make_plan, deps, job, fetched)
    except (DataError, UsageError) as error:
        change = move(deps, job, Event.REFUSE, reason=_("{problem} Nothing was sent.", problem=str(error)))
    except MessengerError as error:
        change = _later(
            deps, job, _("The data cannot be fetched from Slack at the moment. {problem}", problem=str(error))
        )
    except OSError as error:
        change = _later(deps, job, _("The data cannot be read at the moment ({problem}).", problem=str(error.strerror)))
    else:
        change = await _passed(deps, job, await _with_held_data(deps, plan))
    await deps.store.apply([change])
    deps.nudge("launch")
    deps.nudge("deliver")


async def _asker_hinders(deps: Deps, job: Job) -> Change | None:
    """Who asked may turn out not to be allowed once the groups are read that the command could not wait for."""
    verdict = await standing_of_asker(deps, job.request)
    if verdict.standing is Standing.UNKNOWN:
        await read_now(deps, verdict.stale)
        verdict = await standing_of_asker(deps, job.request)
    if verdict.standing is Standing.UNKNOWN:
        return _later(deps, job, _("The groups that may start this training cannot be read at the moment."))
    if verdict.standing is Standing.DENIED:
        return move(deps, job, Event.REFUSE, reason=_("{problem} Nothing was sent.", problem=verdict.why))
    return None


def make_plan(deps: Deps, job: Job, fetched: Mapping[str, SourceFile]) -> Plan:
    """What exactly will be sent. Blocks: reads the whole of the data, but for what was `fetched` already."""
    provider = deps.providers.get(job.request.provider)
    files = {role: fetched.get(role) or _source(deps, job.request, role) for role in job.request.data}
    payload = provider.prepare(job.request, files, deps.files.spool)
    if payload is not None:
        deps.files.renew(payload.sha256, deps.now())
    return provider.plan(job.request, bounded(payload) if payload else None)


async def _with_held_data(deps: Deps, plan: Plan) -> Plan:
    """The plan with what the service tells of data that it holds; where it does not, nobody waits for that."""
    try:
        async with asyncio.timeout(_HELD_SECONDS):
            told = await deps.providers.get(plan.provider).held_data(plan)
    except (ProviderError, TimeoutError):
        return plan
    return replace(plan, summary=(*plan.summary, *told))


def bounded(payload: Payload) -> Payload:
    """With so few and so short warnings that they are read; what is left out is counted."""
    warnings = [cut(in_one_line(warning), _MOST_IN_WARNING) for warning in payload.warnings[:_MOST_WARNINGS]]
    more = len(payload.warnings) - _MOST_WARNINGS
    if more > 0:
        warnings.append(_("{count:,} more warnings are not shown.", count=more))
    return replace(payload, warnings=tuple(warnings))


def _source(deps: Deps, request: TrainRequest, role: str) -> SourceFile:
    """A file of the data folder, copied; or one that an earlier training left in the spool."""
    name = request.data[role]
    if role in request.kept:
        return deps.files.kept(role, name, request.kept[role])
    return deps.files.copy(role, name)


async def _passed(deps: Deps, job: Job, plan: Plan) -> Change:
    planned = replace(job, plan=plan)
    if rule_of(deps, job, Subject.START).needed:
        return move(deps, planned, Event.PROPOSE, opens=[await ask_gate(deps, planned, Subject.START)])
    return move(deps, planned, Event.PASS)


def _later(deps: Deps, job: Job, error: str) -> Change:
    look = replace(job.look, failures=job.look.failures + 1, error=error)
    drawn = redraw(deps, job.id, card_key(job.id))
    return note(deps, job, look=look, act_at=deps.now() + timedelta(seconds=30), notices=[drawn])
