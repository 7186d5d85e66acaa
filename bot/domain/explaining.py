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
from bot.domain.text import code
from bot.sentences import _, joined, ngettext

_ACTS: Mapping[Act, str] = {
    Act.START: "a start",
    Act.SWITCH: "a switch",
    Act.ACTIVATE: "an activation",
    Act.CANCEL: "a cancelling",
}
_WORDS = {EVERYBODY: "everybody", REQUESTER: "who asked for the training", APPROVERS: "the approvers"}
_REASONS: Mapping[Reasons, str] = {
    Reasons.NEVER: "No reason is needed.",
    Reasons.REJECT: "A rejection needs a reason.",
    Reasons.APPROVE: "An approval needs a reason.",
    Reasons.ALWAYS: "An approval and a rejection need a reason.",
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
        f"{say_which(policy, clause)} It is about {_ACTS[act]} of {code(model)} at {provider}.",
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
        return f"The rule “{clause.rule.name}” decides ({policy.source} line {clause.line})."
    why = f", since no rule of {policy.source} fits" if policy.source else ""
    return f"The settings decide (SWITCHYARD_APPROVALS__…){why}."


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
    yield f"May ask: {_named(rule.askers) or 'nobody'}."
    if not rule.needed:
        yield "No approval is needed."
        return
    yield f"May approve: {_named(rule.approvers) or 'nobody'}; {_say_needed(rule)}."
    yield "Who asked may approve too." if rule.may_approve_own else "Who asked may not approve."
    if rule.second and rule.second_after is not None:
        yield f"After {say_span(rule.second_after)} also: {_named(rule.second)}."
    yield from (_say_stand_in(one) for one in rule.stand_ins if one.until >= now.date())
    yield _REASONS[rule.reasons]
    yield _say_times(rule)
    if rule.quiet is not None and rule.remind_after is not None:
        yield _say_quiet(rule.quiet)
    if rule.pass_quiet:
        yield "Questions mention people in quiet hours of their own, too."


def _say_needed(rule: Rule) -> str:
    return "one yes is needed" if rule.needed == 1 else f"{rule.needed} have to"


def _say_times(rule: Rule) -> str:
    expires = f"It expires after {say_span(rule.expires_after)}"
    if rule.remind_after is None:
        return f"{expires}; nobody is reminded."
    further = f"each further pause is {rule.remind_factor:g} times as long" if rule.remind_factor != 1 else "then again"
    return f"{expires}; a reminder comes after {say_span(rule.remind_after)}, {further}."


def _say_quiet(quiet: Quiet) -> str:
    days = say_days(quiet.days)
    hours = "" if quiet.begins == quiet.ends else f"from {_clock(quiet.begins)} to {_clock(quiet.ends)}"
    return f"Nobody is reminded {' and on '.join(filter(None, [hours, days])) or 'later'} ({quiet.zone})."


def say_days(days: Sequence[int]) -> str:
    """Days of the week by their names; 0 is Monday."""
    return joined(", ", [DAYS[day] for day in days])


def _clock(at: time) -> str:
    return at.isoformat("minutes") if not at.second else at.isoformat("seconds")


def _say_stand_in(one: StandIn) -> str:
    return f"<@{one.by}> stands in for <@{one.absent}> from {one.since} to {one.until}."


def _say_group(id_: str, group: Group | None) -> str:
    if group is None or group.read_at is None:
        return f"Who is in {named_group(id_)} was not read yet."
    people = f"{len(group.members)} {'member' if len(group.members) == 1 else 'members'}"
    broken = "; since then it cannot be read" if group.failing_since is not None else ""
    return f"{named_group(id_)} has {people}, read {group.read_at:%Y-%m-%d %H:%M:%S} UTC{broken}."


def _named(ids: Sequence[str]) -> str:
    return ", ".join(
        _WORDS.get(id_) or (named_group(id_) if id_.startswith(GROUP_LETTERS) else f"<@{id_}>") for id_ in ids
    )


# -- one person -------------------------------------------------------------------------------------------------------


def _rights(rule: Rule, actor: Actor, requester: Actor, known: Mapping[str, Group], now: datetime) -> Iterator[str]:
    who = f"<@{actor.user}>"
    asks = may_ask(actor, requester, Electorate(rule=rule, groups=known), now)
    if EVERYBODY in rule.askers or (REQUESTER in rule.askers and actor == requester):
        asks = replace(asks, why="everybody may." if EVERYBODY in rule.askers else "who asked for the training may.")
    yield _say_right(f"{who} may ask for it", f"{who} may not ask for it", asks)
    if rule.needed:
        yield _say_vote(rule, actor, requester, known, now)


def _say_vote(rule: Rule, actor: Actor, requester: Actor, known: Mapping[str, Group], now: datetime) -> str:
    yes, no = f"<@{actor.user}> may approve it", f"<@{actor.user}> may not approve it"
    if actor.user == requester.user and not rule.may_approve_own:
        return f"{no}: who asked does not count."
    first = may_decide(actor, requester, Electorate(rule=rule, groups=known), now)
    if first.standing is Standing.ALLOWED or rule.second_after is None:
        return _say_right(yes, no, first)
    late = Electorate(rule=rule, groups=known, asked_at=now - rule.second_after)
    later = may_decide(actor, requester, late, now)
    if later.standing is Standing.ALLOWED:
        before = ", not before" if first.standing is Standing.DENIED else f", before only {_say_if(first)}"
        return f"{yes} after {say_span(rule.second_after)}{before}: {later.why}"
    return _say_right(yes, no, later if first.standing is Standing.DENIED else first)


def _say_right(yes: str, no: str, verdict: Verdict) -> str:
    if verdict.standing is Standing.UNKNOWN:
        return f"{yes} {_say_if(verdict)}, which was not read yet."
    if verdict.standing is Standing.DENIED:
        return f"{no}: neither named, nor in a named group, nor a stand-in."
    return f"{yes}: {verdict.why}"


def _say_if(verdict: Verdict) -> str:
    return f"if they are in {' or '.join(map(named_group, verdict.stale))}"
