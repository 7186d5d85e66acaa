"""A wish to train becomes a job: one durable commit, no network."""

import asyncio
from dataclasses import replace

from bot.domain.approvals import Standing, Verdict, may_ask
from bot.domain.jobs import Job, JobState
from bot.domain.policy import Act
from bot.domain.recurring import refuse_marks
from bot.domain.requests import Actor, TrainRequest
from bot.domain.shared_files import id_in
from bot.domain.text import code
from bot.errors import RefusedError
from bot.ports import Answered, Asked, Deps, Provider
from bot.sentences import _, joined
from bot.usecases.auditing import denied
from bot.usecases.moves import first_change
from bot.usecases.prompting import electorate

AGAIN = "again:"
_HOW = _("`switchyard policy explain` tells who may.")


async def request_training(deps: Deps, request: TrainRequest, *, url: str = "") -> Answered:
    """Keep the wish. Raises UsageError or DataError for what can be seen at once; then nothing is kept.

    The same `request_key` gets the same answer. An equal wish of the last minute that still lives is answered with
    its job (`Asked.SAME`); so is a model that is in training where the service takes one at a time (`Asked.BUSY`).
    Raises RefusedError for more than one person may have or ask.
    """
    return await _request(deps, request, is_again=False, url=url)


async def request_another(deps: Deps, request_key: str, actor: Actor, *, url: str = "") -> Answered:
    """Start one more of an equal wish; the button works once, and only for who made the wish."""
    wish = await deps.store.asked_for(request_key)
    if wish is None or wish.actor != actor:
        why = _("This button belongs to somebody else's command. Type the command yourself.")
        raise await denied(deps, actor, why)
    again = replace(wish, request_key=AGAIN + request_key)
    return await _request(deps, again, is_again=True, url=url)


async def _request(deps: Deps, request: TrainRequest, *, is_again: bool, url: str) -> Answered:
    provider = deps.providers.get(request.provider)
    refuse_marks(provider.arguments, request)
    await check_asker(deps, request)
    request = await checked(deps, provider, request)
    answer = await deps.store.request(
        first_change(deps, new_job(deps, request, JobState.CHECKING), actor=request.actor),
        same_since=deps.now() - deps.limits.same,
        is_exclusive=provider.powers.one_at_a_time,
        is_again=is_again,
        url=url,
        caps=deps.limits.caps,
    )
    check_caps(deps, answer)
    if answer.asked is Asked.NEW:
        deps.nudge("check")
        deps.nudge("deliver")
    return answer


async def checked(deps: Deps, provider: Provider, request: TrainRequest) -> TrainRequest:
    """The wish with the names of its files. Raises UsageError or DataError for what can be seen at once."""
    provider.check(request)
    return replace(request, data=await asyncio.to_thread(choose_data, deps, provider, request))


async def check_asker(deps: Deps, request: TrainRequest) -> None:
    """Who surely may not ask is told at once; where a group has to be read first, `check` decides."""
    verdict = await standing_of_asker(deps, request)
    if verdict.standing is Standing.DENIED:
        facts = {"act": Act.START, "provider": request.provider, "model": request.model}
        raise await denied(deps, request.actor, verdict.why, **facts)


async def standing_of_asker(deps: Deps, request: TrainRequest) -> Verdict:
    """What the policy says of whoever wants to train."""
    rule = deps.policy.rule_for(Act.START, request.provider, request.model)
    verdict = may_ask(request.actor, request.actor, await electorate(deps, rule), deps.now())
    if verdict.standing is not Standing.DENIED:
        return verdict
    if rule.name:
        why = _("You may not start this training by the rule “{rule}”.", rule=rule.name)
    else:
        why = _("You may not start this training.")
    return replace(verdict, why=joined(" ", [why, _HOW]))


def check_caps(deps: Deps, answer: Answered) -> None:
    """Raise RefusedError where the person has or asks more than one may."""
    if answer.asked is Asked.TOO_FAST:
        raise RefusedError(say_too_fast(deps))
    if answer.asked is Asked.FULL:
        raise RefusedError(
            _(
                "One person may have {count} trainings here that have not ended "
                "(SWITCHYARD_LIMITS__LIVING_PER_PERSON), and you have as many. Nothing new was started: wait for an "
                "end, or cancel one. The oldest is {job}; `/jobs mine` lists them.",
                count=deps.limits.caps.living,
                job=code(answer.job.id),
            )
        )


def say_too_fast(deps: Deps) -> str:
    """The sentence on too many commands."""
    return _(
        "One person may send {count} commands a minute here that start a training or ask a service "
        "(SWITCHYARD_LIMITS__COMMANDS_PER_MINUTE), and you sent as many. Nothing was done: please try again in a "
        "minute.",
        count=deps.limits.caps.commands,
    )


def new_job(deps: Deps, request: TrainRequest, state: JobState) -> Job:
    now = deps.now()
    return Job(
        id=job_id(deps.new_id()),
        request=request,
        state=state,
        created_at=now,
        state_at=now,
        act_at=now,
        place=request.channel,
    )


def job_id(random_hex: str) -> str:
    """A short id that is easy to read aloud and unlike any provider's name: `j` and six of 32 signs."""
    signs = "23456789abcdefghjkmnpqrstuvwxyz0"
    number = int(random_hex[:12], 16)
    return "j" + "".join(signs[(number >> (5 * place)) & 31] for place in range(6))


def choose_data(deps: Deps, provider: Provider, request: TrainRequest) -> dict[str, str]:
    """What is meant, by role: ids of files in Slack, names in the data folder, kept data as it is. Blocks."""
    if provider.data is None:
        return {}
    if request.kept:
        return dict(request.data)
    first, *others = provider.data.roles
    suffixes = provider.data.suffixes
    wanted = {first: request.data.get(first), **{role: request.data[role] for role in others if role in request.data}}
    return {role: _choose(deps, request.model, suffixes, source) for role, source in wanted.items()}


def _choose(deps: Deps, model: str, suffixes: tuple[str, ...], source: str | None) -> str:
    return (id_in(source) if source else None) or deps.files.choose(source, model, suffixes)
