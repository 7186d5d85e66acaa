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
from bot.domain.text import changed, code, cut, escape, in_one_line
from bot.ports import Deps, Gate
from bot.sentences import Sentence, _, joined, unpack
from bot.usecases.cards import about
from bot.usecases.former import kept_data, say_way_back, served_before

Evidence: TypeAlias = tuple[tuple[str, str], ...]
"""Labels with their texts, as they are shown."""

UNKNOWN = _("not known")
NOTHING = _("not known: no training of this model went live through Switchyard, so there is nothing to compare with")
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
        return ((_("Serving now"), NOTHING), *way_back)
    return (
        (_("Serving now"), _serving(former)),
        (_LAST[powers.gate], _last(former, await deps.store.prompts(former.id), _GATE_OF[powers.gate])),
        (_("Trained by"), _both(_person(former.request.actor), _person(job.request.actor))),
        *_data(former, job),
        *(await _trained(deps, title, former, job) if subject is Subject.PROMOTE else ()),
        *way_back,
    )


_LAST: Mapping[Gate, str] = {Gate.AFTER: _("Last switch"), Gate.BEFORE: _("Last went live")}


async def _way_back(deps: Deps, title: str, former: Job | None) -> Evidence:
    return ((_("Way back"), escape(say_way_back(title, former, await kept_data(deps, former)))),)


# -- what serves now --------------------------------------------------------------------------------------------------


def _serving(former: Job) -> str:
    """What the former training is, in the service's words where it was seen."""
    seen = (former.switch or {}).get("seen") or ()
    named = [_part(label, now) for label, now, *_before in seen if isinstance(now, str)]
    id_ = code(former.id)
    if named:
        return _("training {id}, {parts}", id=id_, parts=joined(", ", named))
    if former.state is JobState.LIVE:
        return _("training {id}, seen serving", id=id_)
    return _("training {id}, applied, not seen serving", id=id_)


def _part(label: str, now: str) -> str:
    return _("{label} {now}", label=_label(unpack(label)), now=_foreign(now, 60))


def _last(former: Job, prompts: Sequence[Prompt], gate: Subject) -> str:
    """When it went live, who had asked, and all who approved."""
    when, who = f"{former.state_at:%Y-%m-%d %H:%M}", _person(former.request.actor)
    approvers = joined(", ", [f"<@{user}>" for user in _approvers(prompts, gate)])
    if not approvers:
        return _("{when} UTC, asked by {who}, without an approval", when=when, who=who)
    return _("{when} UTC, asked by {who}, approved by {approvers}", when=when, who=who, approvers=approvers)


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
    yield _("Data"), _same_bytes(then, now) or _both(_file(then), _file(now))
    if then is not None and now is not None:
        yield _("Data rows"), _numbers(then.rows, now.rows)
        if then.columns is not None and now.columns is not None:
            yield _("Columns"), _numbers(then.columns, now.columns)
        yield from _pairs(then.facts, now.facts)
        for heading, told in compare(then.balances, now.balances, then.facts):
            yield _label(heading), told


def _payload(job: Job) -> Payload | None:
    return job.plan.payload if job.plan else None


def _same_bytes(then: Payload | None, now: Payload | None) -> str:
    is_same = then and now and then.sha256 == now.sha256
    return _("{file}, the same bytes as then", file=_file(now)) if is_same else ""


def _file(payload: Payload | None) -> str:
    return code(cut(payload.name, 60)) if payload else _("not known, started elsewhere")


def _sent(former: Job, job: Job) -> Iterator[tuple[str, str]]:
    """The lines of what was sent, where they differ."""
    if former.plan is None or job.plan is None:
        this = _("not known: this training was started elsewhere")
        yield _("Data"), this if job.plan is None else _("not known: the former training was started elsewhere")
        return
    then, now = dict(former.plan.summary), dict(job.plan.summary)
    yield from _pairs(then, {key: text for key, text in now.items() if then.get(key) != text})


def _pairs(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for label, text in now.items():
        yield _label(label), _both(_foreign(then.get(label, _("none")), 120), _foreign(text, 120))


# -- the training -----------------------------------------------------------------------------------------------------


async def _trained(deps: Deps, title: str, former: Job, job: Job) -> Evidence:
    """Scores and durations, as far as they are told."""
    then = training_time(former, await deps.store.transitions(former.id))
    now = training_time(job, await deps.store.transitions(job.id))
    return (*_scores(title, former, job), (_("Training took"), _durations(then, now)))


def _scores(title: str, former: Job, job: Job) -> Iterator[tuple[str, str]]:
    """Each score then and now; what is no fraction (an id, a count) is no score."""
    then, now = scores_of(former), scores_of(job)
    if not then and not now:
        yield _("Scores"), _("none: {title} gives no scores of its trainings", title=escape(title))
    for name in list(dict.fromkeys((*now, *then)))[:_MOST_METRICS]:
        yield _label(name), _score(then.get(name), now.get(name))


def _score(then: float | None, now: float | None) -> str:
    if then is None or now is None:
        return _both(*(_("not given") if one is None else _("{score:.6g}", score=one) for one in (then, now)))
    if then == now:
        return _("{score:.6g}, as before", score=now)
    return _("{then:.6g} → {now:.6g} ({change:+.4g})", then=then, now=now, change=now - then)


def _durations(then: timedelta | None, now: timedelta | None) -> str:
    return _both(*(UNKNOWN if span is None else say_duration(span) for span in (then, now)))


# -- words ------------------------------------------------------------------------------------------------------------


def _both(then: str, now: str) -> str:
    return _("{now}, as before", now=now) if then == now else _("{then} → {now}", then=then, now=now)


def _numbers(then: int, now: int) -> str:
    if then == now:
        return _("{count:,}, as before", count=now)
    return _("{then:,} → {now:,} ({change:+,})", then=then, now=now, change=now - then)


def _foreign(text: str, most: int) -> str:
    """Words of others as a part of a line: no marks, no open code."""
    return escape(changed(cut(in_one_line(text), most), lambda one: one.replace("`", "'")))


def _label(text: str) -> str:
    """The same of a label. One that was kept as a plain text is said by its message, where it has one."""
    label = _foreign(text, 60)
    return label if isinstance(label, Sentence) else Sentence(label.replace("{", "{{").replace("}", "}}"), {})
