"""The prepared way back where a service has none: train once more with the data of what served before a switch."""

from dataclasses import dataclass

from bot.domain.changes import Say
from bot.domain.jobs import ENDS, SWITCHED, Job
from bot.domain.requests import Actor, Payload, TrainRequest
from bot.domain.text import code
from bot.errors import RefusedError
from bot.ports import Answered, Asked, Deps, JobFilter
from bot.sentences import _, joined
from bot.usecases.cards import about
from bot.usecases.former import kept_data, say_way_back, served_before
from bot.usecases.request import request_training

_ROLE = "data"
_MOST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A press of the button: `key` names its delivery, `url` answers it later."""

    key: str
    actor: Actor
    channel: str
    url: str = ""


async def retrain(deps: Deps, job_id: str, wish: Wish) -> Say:
    """Ask for an ordinary training with the bytes that were sent for the former one, unchanged.

    It goes through the check, the policy and the gates like any other. As long as one lives, another press, by
    whomever, is answered with it.
    """
    job = await deps.store.job(job_id)
    if job is None or job.request.actor.team != wish.actor.team or job.state not in SWITCHED:
        raise RefusedError(_("This button belongs to no switch that Switchyard keeps here, so nothing was done."))
    title, powers = about(deps, job.request.provider)
    former = await served_before(deps, job)
    kept = await kept_data(deps, former)
    if former is None or kept is None or not powers.one_way:
        way = _("Way back: {way}", way=say_way_back(title, former, kept))
        raise RefusedError(joined(" ", [_("Nothing was started."), way]))
    request = _request(job, former, kept, wish)
    alive = await _alive(deps, request)
    if alive is not None:
        return _say_same(alive)
    return _say(await request_training(deps, request, url=wish.url), former, kept)


def _request(job: Job, former: Job, kept: Payload, wish: Wish) -> TrainRequest:
    """The former's wish with its bytes: what was packed is not packed again."""
    return TrainRequest(
        request_key=f"retrain:{job.id}:{wish.key}",
        provider=former.request.provider,
        model=former.request.model,
        params=former.request.params,
        data={_ROLE: kept.name},
        actor=wish.actor,
        channel=wish.channel,
        kept={_ROLE: kept.sha256},
        kept_from=former.id,
    )


async def _alive(deps: Deps, request: TrainRequest) -> Job | None:
    """A training with the same kept data that has not ended, whoever asked for it."""
    wanted = JobFilter(provider=request.provider, model=request.model)
    found = await deps.store.jobs(wanted, limit=_MOST)
    return next((one for one in found if one.request.kept == request.kept and one.state not in ENDS), None)


def _say(answered: Answered, former: Job, kept: Payload) -> Say:
    if answered.asked is not Asked.NEW:
        return _say_same(answered.job)
    return Say(
        text=_(
            "Got it: {job} trains with {file}, the data of training {former}. Its card follows in this conversation.",
            job=code(answered.job.id),
            file=code(kept.name),
            former=code(former.id),
        )
    )


def _say_same(job: Job) -> Say:
    return Say(
        text=_(
            "Nothing new was started: {job} trains with this data already, asked by {who}.",
            job=code(job.id),
            who=f"<@{job.request.actor.user}>",
        )
    )
