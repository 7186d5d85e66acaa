"""What an approver should know besides what is sent: what serves now, and how the new training compares with it.

Everything is read from the store and the spool, so the same moment gives the same lines: a click is refused where
they have changed since they were shown. Texts of others are escaped here; the only marks are people.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

from bot.domain.approvals import Answer, Outcome, Prompt, Subject
from bot.domain.balances import compare
from bot.domain.charts import scores_of
from bot.domain.history import say_duration, training_time
from bot.domain.jobs import Job, JobState
from bot.domain.requests import Actor, Payload
from bot.domain.text import code, cut, escape, in_one_line
from bot.ports import Deps, Gate
from bot.usecases.cards import about
from bot.usecases.former import kept_data, say_way_back, served_before

Evidence: TypeAlias = tuple[tuple[str, str], ...]
"""Labels with their texts, as they are shown."""

UNKNOWN = "not known"
NOTHING = "not known: no training of this model went live through Switchyard, so there is nothing to compare with"
_MOST_METRICS = 8
_GATE_OF: Mapping[Gate, Subject] = {Gate.AFTER: Subject.PROMOTE, Gate.BEFORE: Subject.START}
"""The question after which a model goes live: its approval is the one that is told of the former."""


async def gather(deps: Deps, job: Job, subject: Subject) -> Evidence:
    """What is known at this moment of what serves, beside what would."""
    title, powers = about(deps, job.request.provider)
    if subject not in (Subject.START, Subject.PROMOTE) or powers.gate is Gate.NONE:
        return ()
    former = await served_before(deps, job)
    way_back = await _way_back(deps, title, former) if powers.one_way else ()
    if former is None:
        return (("Serving now", NOTHING), *way_back)
    return (
        ("Serving now", _serving(former)),
        (_LAST[powers.gate], _last(former, await deps.store.prompts(former.id), _GATE_OF[powers.gate])),
        ("Trained by", _both(_person(former.request.actor), _person(job.request.actor))),
        *_data(former, job),
        *(await _trained(deps, title, former, job) if subject is Subject.PROMOTE else ()),
        *way_back,
    )


_LAST: Mapping[Gate, str] = {Gate.AFTER: "Last switch", Gate.BEFORE: "Last went live"}


async def _way_back(deps: Deps, title: str, former: Job | None) -> Evidence:
    return (("Way back", escape(say_way_back(title, former, await kept_data(deps, former)))),)


# -- what serves now --------------------------------------------------------------------------------------------------


def _serving(former: Job) -> str:
    """What the former training is, in the service's words where it was seen."""
    seen = (former.switch or {}).get("seen") or ()
    named = [f"{escape(label)} {_foreign(now, 60)}" for label, now, *_ in seen if isinstance(now, str)]
    how = ", ".join(named) or ("seen serving" if former.state is JobState.LIVE else "applied, not seen serving")
    return f"training {code(former.id)}, {how}"


def _last(former: Job, prompts: Sequence[Prompt], gate: Subject) -> str:
    """When it went live, who had asked, and all who approved."""
    approvers = ", ".join(f"<@{user}>" for user in _approvers(prompts, gate))
    approved = f"approved by {approvers}" if approvers else "without an approval"
    return f"{former.state_at:%Y-%m-%d %H:%M} UTC, asked by {_person(former.request.actor)}, {approved}"


def _approvers(prompts: Sequence[Prompt], gate: Subject) -> list[str]:
    """Everybody whose approval counted for the last yes."""
    given = [
        one
        for one in prompts
        if one.subject is gate and one.outcome is Outcome.ANSWERED and one.answer is Answer.APPROVE
    ]
    if not given:
        return []
    last = given[-1]
    actors = [*(vote.actor for vote in last.votes), *([last.actor] if last.actor else [])]
    return list(dict.fromkeys(actor.user for actor in actors if actor.user))


def _person(actor: Actor) -> str:
    return f"<@{actor.user}>" if actor.user else "Switchyard"


# -- the data ---------------------------------------------------------------------------------------------------------


def _data(former: Job, job: Job) -> Iterator[tuple[str, str]]:
    """The data then and now. A service that takes no file has none to compare; what is sent is compared instead."""
    then, now = _payload(former), _payload(job)
    if then is None and now is None:
        yield from _sent(former, job)
        return
    yield "Data", _same_bytes(then, now) or _both(_file(then), _file(now))
    if then is not None and now is not None:
        yield "Data rows", _numbers(then.rows, now.rows)
        if then.columns is not None and now.columns is not None:
            yield "Columns", _numbers(then.columns, now.columns)
        yield from _pairs(then.facts, now.facts)
        for heading, told in compare(then.balances, now.balances, then.facts):
            yield _foreign(heading, 60), told


def _payload(job: Job) -> Payload | None:
    return job.plan.payload if job.plan else None


def _same_bytes(then: Payload | None, now: Payload | None) -> str:
    return f"{_file(now)}, the same bytes as then" if then and now and then.sha256 == now.sha256 else ""


def _file(payload: Payload | None) -> str:
    return code(cut(payload.name, 60)) if payload else f"{UNKNOWN}, started elsewhere"


def _sent(former: Job, job: Job) -> Iterator[tuple[str, str]]:
    """The lines of what was sent, where they differ."""
    if former.plan is None or job.plan is None:
        yield "Data", f"{UNKNOWN}: {'this' if job.plan is None else 'the former'} training was started elsewhere"
        return
    then, now = dict(former.plan.summary), dict(job.plan.summary)
    yield from _pairs(then, {key: text for key, text in now.items() if then.get(key) != text})


def _pairs(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for label, text in now.items():
        yield _foreign(label, 60), _both(_foreign(then.get(label, "none"), 120), _foreign(text, 120))


# -- the training -----------------------------------------------------------------------------------------------------


async def _trained(deps: Deps, title: str, former: Job, job: Job) -> Evidence:
    """Scores and durations, as far as they are told."""
    then = training_time(former, await deps.store.transitions(former.id))
    now = training_time(job, await deps.store.transitions(job.id))
    return (*_scores(title, former, job), ("Training took", _durations(then, now)))


def _scores(title: str, former: Job, job: Job) -> Iterator[tuple[str, str]]:
    """Each score then and now; what is no fraction (an id, a count) is no score."""
    then, now = scores_of(former), scores_of(job)
    if not then and not now:
        yield "Scores", f"none: {escape(title)} gives no scores of its trainings"
    for name in list(dict.fromkeys((*now, *then)))[:_MOST_METRICS]:
        yield _foreign(name, 60), _score(then.get(name), now.get(name))


def _score(then: float | None, now: float | None) -> str:
    if then is None or now is None:
        return _both(*("not given" if value is None else f"{value:.6g}" for value in (then, now)))
    return f"{then:.6g} → {now:.6g} ({now - then:+.4g})" if then != now else f"{now:.6g}, as before"


def _durations(then: timedelta | None, now: timedelta | None) -> str:
    return _both(*(UNKNOWN if span is None else say_duration(span) for span in (then, now)))


# -- words ------------------------------------------------------------------------------------------------------------


def _both(then: str, now: str) -> str:
    return f"{now}, as before" if then == now else f"{then} → {now}"


def _numbers(then: int, now: int) -> str:
    return f"{now:,}, as before" if then == now else f"{then:,} → {now:,} ({now - then:+,})"


def _foreign(text: str, most: int) -> str:
    """Words of others as a part of a line: no marks, no open code."""
    return escape(cut(in_one_line(str(text)), most).replace("`", "'"))
