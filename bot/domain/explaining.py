"""What the policy says of one act, in sentences: which rule decides, what it asks for, and what a person may.

People, groups and channels stand in Slack's markup; `in_plain_text` takes it away.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from html import unescape

from bot.domain.approvals import Electorate, Group, Standing, Verdict, may_ask, may_decide, named_group
from bot.domain.policy import (
    APPROVERS,
    EVERYBODY,
    GROUP_LETTERS,
    REQUESTER,
    Act,
    Clause,
    Policy,
    Quiet,
    Reasons,
    Rule,
    StandIn,
)
from bot.domain.requests import Actor
from bot.domain.text import code, either
from bot.sentences import _, joined, ngettext

_WORDS = {EVERYBODY: _("everybody"), REQUESTER: _("who asked for the training"), APPROVERS: _("the approvers")}
_REASONS: Mapping[Reasons, str] = {
    Reasons.NEVER: _("No reason is needed."),
    Reasons.REJECT: _("A rejection needs a reason."),
    Reasons.APPROVE: _("An approval needs a reason."),
    Reasons.ALWAYS: _("An approval and a rejection need a reason."),
}
DAYS = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))
_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
_MARKUP = re.compile(r"<(?:@|!subteam\^|#)(\w+)>")


def explain(
    policy: Policy,
    act: Act,
    provider: str,
    model: str,
    *,
    actor: Actor,
    requester: Actor | None,
    groups: Mapping[str, Group],
    now: datetime,
) -> list[str]:
    """The sentences, the deciding rule first and the person last. No `requester` means that somebody else asked.

    Copies of groups count however old they are; each is told with its time.
    """
    rule = policy.rule_for(act, provider, model)
    rights = _rights(rule, actor, requester or Actor(), _however_old(groups, now), now)
    return [*say_rule(policy, act, provider, model, groups=groups, now=now), *rights]


def say_rule(
    policy: Policy, act: Act, provider: str, model: str, *, groups: Mapping[str, Group], now: datetime
) -> list[str]:
    """Which rule decides, what it wants, and what is known of its groups."""
    clause = policy.clause_for(act, provider, model)
    return [
        joined(" ", [say_which(policy, clause), _say_act(act, code(model), provider)]),
        *_demands(clause.rule, now),
        *(_say_group(id_, groups.get(id_)) for id_ in clause.rule.groups),
    ]


def say_vote(rule: Rule, actor: Actor, requester: Actor, groups: Mapping[str, Group], now: datetime) -> str:
    """May this person approve, now or after the time of the second group? Copies of groups count however old."""
    return _say_vote(rule, actor, requester, _however_old(groups, now), now)


def _however_old(groups: Mapping[str, Group], now: datetime) -> Mapping[str, Group]:
    return {id_: replace(group, read_at=now) for id_, group in groups.items() if group.read_at is not None}


def say_which(policy: Policy, clause: Clause) -> str:
    """Where the rule stands."""
    if clause.line:
        return _(
            "The rule “{rule}” decides ({file} line {line}).",
            rule=clause.rule.name,
            file=policy.source,
            line=clause.line,
        )
    if policy.source:
        return _("The settings decide (SWITCHYARD_APPROVALS__…), since no rule of {file} fits.", file=policy.source)
    return _("The settings decide (SWITCHYARD_APPROVALS__…).")


def _say_act(act: Act, model: str, provider: str) -> str:
    match act:
        case Act.START:
            return _("It is about a start of {model} at {provider}.", model=model, provider=provider)
        case Act.SWITCH:
            return _("It is about a switch of {model} at {provider}.", model=model, provider=provider)
        case Act.ACTIVATE:
            return _("It is about an activation of {model} at {provider}.", model=model, provider=provider)
        case Act.CANCEL:
            return _("It is about a cancelling of {model} at {provider}.", model=model, provider=provider)


def in_plain_text(sentence: str) -> str:
    """A sentence without Slack's markup: ids alone, and what was escaped as it is."""
    return unescape(_MARKUP.sub(r"\1", sentence))


def say_span(span: timedelta) -> str:
    """A time in the largest unit that it is a whole number of: 7 days, 36 hours, 90 minutes."""
    if span >= _DAY and not span % _DAY:
        return ngettext("{count} day", "{count} days", span // _DAY)
    if span >= _HOUR and not span % _HOUR:
        return ngettext("{count} hour", "{count} hours", span // _HOUR)
    if span >= _MINUTE and not span % _MINUTE:
        return ngettext("{count} minute", "{count} minutes", span // _MINUTE)
    return _("{seconds:g} seconds", seconds=span.total_seconds())


def _demands(rule: Rule, now: datetime) -> Iterator[str]:
    yield _("May ask: {who}.", who=_named(rule.askers))
    if not rule.needed:
        yield _("No approval is needed.")
        return
    yield ngettext(
        "May approve: {who}; one yes is needed.",
        "May approve: {who}; {count} have to.",
        rule.needed,
        who=_named(rule.approvers),
    )
    yield _("Who asked may approve too.") if rule.may_approve_own else _("Who asked may not approve.")
    if rule.second and rule.second_after is not None:
        yield _("After {span} also: {who}.", span=say_span(rule.second_after), who=_named(rule.second))
    yield from (_say_stand_in(one) for one in rule.stand_ins if one.until >= now.date())
    yield _REASONS[rule.reasons]
    yield _say_times(rule)
    if rule.quiet is not None and rule.remind_after is not None:
        yield _say_quiet(rule.quiet)
    if rule.pass_quiet:
        yield _("Questions mention people in quiet hours of their own, too.")


def _say_times(rule: Rule) -> str:
    span = say_span(rule.expires_after)
    if rule.remind_after is None:
        return _("It expires after {span}; nobody is reminded.", span=span)
    pause, factor = say_span(rule.remind_after), rule.remind_factor
    if factor == 1:
        return _("It expires after {span}; a reminder comes after {pause}, then again.", span=span, pause=pause)
    return _(
        "It expires after {span}; a reminder comes after {pause}, each further pause is {factor:g} times as long.",
        span=span,
        pause=pause,
        factor=factor,
    )


def _say_quiet(quiet: Quiet) -> str:
    begins, ends, days, zone = _clock(quiet.begins), _clock(quiet.ends), say_days(quiet.days), quiet.zone
    if begins == ends:
        return _("Nobody is reminded {days} ({zone}).", days=days or _("later"), zone=zone)
    if not days:
        return _("Nobody is reminded from {begins} to {ends} ({zone}).", begins=begins, ends=ends, zone=zone)
    return _(
        "Nobody is reminded from {begins} to {ends} and on {days} ({zone}).",
        begins=begins,
        ends=ends,
        days=days,
        zone=zone,
    )


def say_days(days: Sequence[int]) -> str:
    """Days of the week by their names; 0 is Monday."""
    return joined(", ", [DAYS[day] for day in days])


def _clock(at: time) -> str:
    return at.isoformat("minutes") if not at.second else at.isoformat("seconds")


def _say_stand_in(one: StandIn) -> str:
    return _(
        "<@{user}> stands in for <@{absent}> from {since} to {until}.",
        user=one.by,
        absent=one.absent,
        since=str(one.since),
        until=str(one.until),
    )


def _say_group(id_: str, group: Group | None) -> str:
    name = named_group(id_)
    if group is None or group.read_at is None:
        return _("Who is in {group} was not read yet.", group=name)
    at, count = f"{group.read_at:%Y-%m-%d %H:%M:%S}", len(group.members)
    if group.failing_since is None:
        return ngettext(
            "{group} has {count} member, read {at} UTC.",
            "{group} has {count} members, read {at} UTC.",
            count,
            group=name,
            at=at,
        )
    return ngettext(
        "{group} has {count} member, read {at} UTC; since then it cannot be read.",
        "{group} has {count} members, read {at} UTC; since then it cannot be read.",
        count,
        group=name,
        at=at,
    )


def _named(ids: Sequence[str]) -> str:
    # NOTE: Stands after "May ask" and "May approve", where nobody may.
    return joined(", ", [_WORDS.get(id_) or _mention(id_) for id_ in ids]) or _("nobody")


def _mention(id_: str) -> str:
    return named_group(id_) if id_.startswith(GROUP_LETTERS) else f"<@{id_}>"


# -- one person -------------------------------------------------------------------------------------------------------


def _rights(rule: Rule, actor: Actor, requester: Actor, known: Mapping[str, Group], now: datetime) -> Iterator[str]:
    asks = may_ask(actor, requester, Electorate(rule=rule, groups=known), now)
    if EVERYBODY in rule.askers or (REQUESTER in rule.askers and actor == requester):
        is_open = EVERYBODY in rule.askers
        asks = replace(asks, why=_("everybody may.") if is_open else _("who asked for the training may."))
    yield _say_asking(actor.user, asks)
    if rule.needed:
        yield _say_vote(rule, actor, requester, known, now)


def _say_asking(user: str, verdict: Verdict) -> str:
    match verdict.standing:
        case Standing.ALLOWED:
            return _("<@{user}> may ask for it: {why}", user=user, why=verdict.why)
        case Standing.DENIED:
            return _("<@{user}> may not ask for it: neither named, nor in a named group, nor a stand-in.", user=user)
        case Standing.UNKNOWN:
            groups = _either_of(verdict)
            return _(
                "<@{user}> may ask for it if they are in {groups}, which was not read yet.", user=user, groups=groups
            )


def _say_vote(rule: Rule, actor: Actor, requester: Actor, known: Mapping[str, Group], now: datetime) -> str:
    if actor.user == requester.user and not rule.may_approve_own:
        return _("<@{user}> may not approve it: who asked does not count.", user=actor.user)
    first = may_decide(actor, requester, Electorate(rule=rule, groups=known), now)
    if first.standing is Standing.ALLOWED or rule.second_after is None:
        return _say_approving(actor.user, first)
    late = Electorate(rule=rule, groups=known, asked_at=now - rule.second_after)
    later = may_decide(actor, requester, late, now)
    if later.standing is Standing.ALLOWED:
        return _say_later(actor.user, first, say_span(rule.second_after), later.why)
    return _say_approving(actor.user, later if first.standing is Standing.DENIED else first)


def _say_approving(user: str, verdict: Verdict) -> str:
    match verdict.standing:
        case Standing.ALLOWED:
            return _("<@{user}> may approve it: {why}", user=user, why=verdict.why)
        case Standing.DENIED:
            return _("<@{user}> may not approve it: neither named, nor in a named group, nor a stand-in.", user=user)
        case Standing.UNKNOWN:
            groups = _either_of(verdict)
            return _(
                "<@{user}> may approve it if they are in {groups}, which was not read yet.", user=user, groups=groups
            )


def _say_later(user: str, before: Verdict, span: str, why: str) -> str:
    if before.standing is Standing.DENIED:
        return _("<@{user}> may approve it after {span}, not before: {why}", user=user, span=span, why=why)
    return _(
        "<@{user}> may approve it after {span}, before only if they are in {groups}: {why}",
        user=user,
        span=span,
        groups=_either_of(before),
        why=why,
    )


def _either_of(verdict: Verdict) -> str:
    return either(map(named_group, verdict.stale))
