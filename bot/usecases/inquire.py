"""Asking a service about one training, also one that was started elsewhere, and following it from then on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import quote

from bot.domain.approvals import Standing, may_ask, may_decide
from bot.domain.changes import Button, Say
from bot.domain.jobs import AT_SERVICE, Job, JobState, Look, Phase, RemoteStatus, say_state
from bot.domain.policy import Act
from bot.domain.requests import Actor, TrainRequest, digest
from bot.domain.text import code, escape
from bot.errors import NotFoundError, ProviderError, RefusedError, UsageError
from bot.ports import Answered, Asked, Deps, Inquiry, JobFilter, Provider, Reference, Watched
from bot.sentences import _, joined, pack
from bot.usecases.auditing import denied
from bot.usecases.looking import within
from bot.usecases.moves import first_change, tell_person
from bot.usecases.prompting import electorate, read_first
from bot.usecases.request import check_caps, new_job, say_too_fast

_READINGS: Mapping[Phase, str] = {
    # NOTE: what a service's word for a training means; this and the following stand after a colon
    Phase.QUEUED: _("it waits"),
    Phase.RUNNING: _("it runs"),
    Phase.STOPPING: _("it is being stopped"),
    Phase.TRAINED: _("it is trained"),
    Phase.FAILED: _("it failed"),
    Phase.CANCELLED: _("it was cancelled"),
}
_TOO_LATE = timedelta(minutes=30)
FORCED = "look"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One question to a service. `key` is the delivery's, so that a repeated delivery asks once."""

    key: str
    provider: str
    words: Mapping[str, str]
    actor: Actor
    channel: str
    url: str


async def inquire(deps: Deps, asking: Asking, *, may_publish: bool = False) -> Say:
    """Take the question; the answer follows through the response_url. Raises UsageError for wrong words.

    A service whose looks may publish is not asked without a further click, unless a living training of ours looks
    there anyway: what is kept here is told instead.
    """
    provider = deps.providers.get(asking.provider)
    first = provider.references(asking.words)[0]
    if provider.powers.look_publishes and not may_publish and not await _is_looked_at(deps, provider, first):
        return await _history_instead(deps, provider, first, asking)
    if may_publish:
        await _check_start_rule(deps, asking, first.model)
    inquiry = Inquiry(
        id=asking.key,
        provider=asking.provider,
        words=asking.words,
        actor=asking.actor,
        channel=asking.channel,
        url=asking.url,
        asked_at=deps.now(),
    )
    if not await deps.store.inquire(inquiry, caps=deps.limits.caps):
        raise RefusedError(say_too_fast(deps))
    deps.nudge("inquire")
    return Say(text=_("Asking {service} …", service=provider.title))


async def inquire_due(deps: Deps) -> None:
    """Tick: put the waiting questions to the services."""
    lease = deps.now() + 4 * deps.limits.step
    for inquiry in await deps.store.claim_inquiries(deps.now(), lease):
        deps.spawn(f"inquiry:{inquiry.id}", _answer(deps, inquiry))


async def watch(deps: Deps, asking: Asking, index: int) -> tuple[Say, Job | None]:
    """Follow a training that was started elsewhere, as a job of whoever pressed."""
    provider = deps.providers.get(asking.provider)
    references = provider.references(asking.words)
    if not 0 <= index < len(references):
        raise UsageError(_("That training cannot be watched: its name is not complete."))
    reference = references[index]
    answer = await _keep(deps, asking, provider, reference)
    check_caps(deps, answer)
    if answer.asked is not Asked.NEW:
        return Say(text=_("It is watched already, as {job}.", job=code(answer.job.id))), answer.job
    deps.nudge("poll")
    deps.nudge("deliver")
    return Say(text=_("Watching it as {job}; its card follows.", job=code(answer.job.id))), answer.job


async def _keep(deps: Deps, asking: Asking, provider: Provider, reference: Reference) -> Answered:
    wish = [asking.channel, provider.name, reference.model, reference.remote_id, asking.key]
    request = TrainRequest(
        request_key=f"watch:{digest(wish)}",
        provider=provider.name,
        model=reference.model,
        params=reference.params,
        actor=asking.actor,
        channel=asking.channel,
    )
    look = Look(limit_at=deps.now() + deps.limits.watch)
    job = replace(new_job(deps, request, JobState.QUEUED), remote_id=reference.remote_id, look=look)
    change = first_change(deps, job, actor=asking.actor, reason=_("Started elsewhere; watched from now on."))
    return await deps.store.request(
        change, same_since=deps.now(), is_exclusive=False, is_again=True, url=asking.url, caps=deps.limits.caps
    )


async def _is_looked_at(deps: Deps, provider: Provider, reference: Reference) -> bool:
    living = await deps.store.watched(provider.name, reference.remote_id, reference.model)
    return living is not None and living.state in AT_SERVICE


async def _check_start_rule(deps: Deps, asking: Asking, model: str) -> None:
    """Looking publishes here, so it falls under the rule for starts: who may approve one may look."""
    rule = deps.policy.rule_for(Act.START, asking.provider, model)
    voters = await electorate(deps, rule)
    judge = may_decide if rule.needed else may_ask
    verdict = judge(asking.actor, Actor(), voters, deps.now())
    if verdict.standing is Standing.UNKNOWN:
        raise RefusedError(await read_first(deps, verdict))
    if verdict.standing is not Standing.ALLOWED:
        facts = {"act": "look", "provider": asking.provider, "model": model}
        raise await denied(deps, asking.actor, verdict.why, **facts)


async def _history_instead(deps: Deps, provider: Provider, reference: Reference, asking: Asking) -> Say:
    kept = await deps.store.jobs(JobFilter(provider=provider.name), limit=200)
    ours = [job for job in kept if job.request.model == reference.model]
    known = _last_known(provider, ours[0]) if ours else [_NOT_OURS]
    button = Button(
        label=_("Look: publishes the model if it is finished"),
        action=FORCED,
        value=_in_value(provider.name, *asking.words.values()),
    )
    named = f"*{provider.title} {code(reference.model)}*"
    warning = _("Asking {service} would publish a finished model.", service=provider.title)
    return Say(text=joined(" ", [named, *known, warning]), buttons=(button,))


_NOT_OURS = _("It was not started here.")


def _last_known(provider: Provider, job: Job) -> Iterator[str]:
    yield _("Switchyard's last training of it is {job}, {state}.", job=code(job.id), state=say_state(job.state))
    if job.look.status:
        yield _("{service} last said {word}.", service=provider.title, word=code(job.look.status.word))


def _in_value(*words: str) -> str:
    """The words in the value of a button; bars separate them, and none is inside one."""
    return "|".join(quote(word, safe="") for word in words)


async def _answer(deps: Deps, inquiry: Inquiry) -> None:
    if deps.now() - inquiry.asked_at >= _TOO_LATE:
        await deps.store.end_inquiry(inquiry.id, None)
        return
    body = await _find_out(deps, inquiry)
    notice = tell_person(deps, inquiry.url, body, reader=inquiry.actor, key=f"inquiry:{inquiry.id}")
    await deps.store.end_inquiry(inquiry.id, notice)
    deps.nudge("deliver")


async def _find_out(deps: Deps, inquiry: Inquiry) -> dict[str, object]:
    """The answer as the body of a notice: a text, and a button to watch what runs."""
    provider = deps.providers.get(inquiry.provider)
    references = await _likeliest_first(deps, provider, provider.references(inquiry.words))
    error: ProviderError | None = None
    for index, reference in references:
        try:
            status = await within(deps.limits.step, provider.title, provider.status(_as_watched(reference)))
        except ProviderError as failure:
            error = failure if error is None or not isinstance(failure, NotFoundError) else error
        else:
            return await _told(deps, inquiry, provider, (index, reference), status)
    said = str(error) if error else _("{service} knows no such training.", service=provider.title)
    return {"text": pack(said)}


async def _likeliest_first(
    deps: Deps, provider: Provider, references: tuple[Reference, ...]
) -> list[tuple[int, Reference]]:
    """Where the words may mean several trainings, the one that our history knows."""
    numbered = list(enumerate(references))
    if len(numbered) == 1:
        return numbered
    kept = await deps.store.jobs(JobFilter(provider=provider.name), limit=1000)
    known = {(job.request.model, job.remote_id) for job in kept}
    return sorted(numbered, key=lambda pair: (pair[1].model, pair[1].remote_id) not in known)


def _as_watched(reference: Reference) -> Watched:
    return Watched(job_id="", model=reference.model, params=reference.params, remote_id=reference.remote_id)


async def _told(
    deps: Deps, inquiry: Inquiry, provider: Provider, numbered: tuple[int, Reference], status: RemoteStatus
) -> dict[str, object]:
    index, reference = numbered
    living = await deps.store.watched(provider.name, reference.remote_id, reference.model)
    where = _say_watched(living) if living else await _elsewhere(deps, provider, reference)
    value = _in_value(provider.name, str(index), *inquiry.words.values())
    watchable = living is None and status.phase not in (Phase.FAILED, Phase.CANCELLED)
    buttons = [{"label": pack(_("Watch")), "action": "watch", "value": value}] if watchable else []
    said = joined(" ", [_sentence(provider, reference, status), *_detail(status), where])
    return {"text": pack(said), "buttons": buttons}


def _say_watched(living: Job) -> str:
    return _("It is watched as {job}.", job=code(living.id))


async def _elsewhere(deps: Deps, provider: Provider, reference: Reference) -> str:
    ours = await deps.store.jobs(JobFilter(provider=provider.name, remote_id=reference.remote_id), limit=1)
    return _("It was started here as {job}.", job=code(ours[0].id)) if ours else _NOT_OURS


def _sentence(provider: Provider, reference: Reference, status: RemoteStatus) -> str:
    parts = {
        "training": f"{provider.title} {code(reference.model)}",
        "word": code(status.word),
        "reading": _READINGS[status.phase] if status.phase else _("a word that we do not know"),
    }
    if status.progress is None:
        return _("*{training}* says {word}: {reading}.", **parts)
    return _("*{training}* says {word}: {reading}, {percent:.0f} %.", percent=status.progress, **parts)


def _detail(status: RemoteStatus) -> list[str]:
    return [escape(status.detail)] if status.detail else []
