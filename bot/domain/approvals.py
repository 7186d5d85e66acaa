"""Questions that a person answers with a click: approvals of the two gates, and what no service can tell us."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.policy import APPROVERS, EVERYBODY, REQUESTER, WORDS, Rule, groups_in
from bot.domain.requests import Actor
from bot.sentences import Text, _, joined


class Subject(StrEnum):
    """What a prompt asks."""

    START = "start"  # may this training start?
    PROMOTE = "promote"  # may the trained model go live?
    CANCEL = "cancel"  # may this training be cancelled?
    DID_START = "did_start"  # the answer to the start was lost: does it run?
    DID_SWITCH = "did_switch"  # the answer to the switch was lost: was it applied?
    GO_ON = "go_on"  # it takes longer than the limit: keep watching?


class Answer(StrEnum):
    """What can be answered."""

    APPROVE = "approve"
    REJECT = "reject"
    RUNS = "runs"
    AGAIN = "again"
    GIVE_UP = "give_up"
    APPLIED = "applied"
    NOT_APPLIED = "not_applied"
    KEEP = "keep"
    WITHDRAW = "withdraw"  # by who asked: the question is taken back


ANSWERS: Mapping[Subject, tuple[Answer, ...]] = {
    Subject.START: (Answer.APPROVE, Answer.REJECT, Answer.WITHDRAW),
    Subject.PROMOTE: (Answer.APPROVE, Answer.REJECT, Answer.WITHDRAW),
    Subject.CANCEL: (Answer.APPROVE, Answer.REJECT, Answer.WITHDRAW),
    Subject.DID_START: (Answer.RUNS, Answer.AGAIN, Answer.GIVE_UP),
    Subject.DID_SWITCH: (Answer.APPLIED, Answer.NOT_APPLIED),
    Subject.GO_ON: (Answer.KEEP, Answer.GIVE_UP),
}

WITHDRAWN = _("Withdrawn by the person who asked.")
"""The reason of a move that takes back what was asked for."""

GATES = frozenset({Subject.START, Subject.PROMOTE, Subject.CANCEL})
"""What only approvers answer; everything else is answered by the requester too."""


class Outcome(StrEnum):
    """How a prompt stands."""

    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"  # what it asked about was settled elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's approval. `seat` is whose right was used: the person's own id, or that of somebody absent."""

    actor: Actor
    at: datetime
    seat: str
    reason: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question to people. `digest` covers what was shown and the rule that applied.

    `version` counts what is written over while it is open; `votes` are the approvals so far, of which the rule may need
    several. `asker` is who asked for the act where that is not the job's requester. `evidence` are the lines that were
    read when it was asked, and are shown for it. `reminders` were sent so far; the next is due at `remind_at`.
    """

    id: str
    job_id: str
    subject: Subject
    digest: str
    rule: Rule
    asked_at: datetime
    expires_at: datetime | None = None
    outcome: Outcome = Outcome.OPEN
    answer: Answer | None = None
    actor: Actor | None = None
    reason: Text = ""
    closed_at: datetime | None = None
    version: int = 1
    votes: tuple[Vote, ...] = ()
    asker: Actor | None = None
    evidence: tuple[tuple[Text, Text], ...] = ()
    reminders: int = 0
    remind_at: datetime | None = None
    escalated_at: datetime | None = None

    @property
    def missing(self) -> int:
        """How many approvals it still takes."""
        return max(0, self.rule.needed - len(self.votes))

    def second_at(self) -> datetime | None:
        """When the second group joins; None where there is none."""
        if not self.rule.second or self.rule.second_after is None:
            return None
        return self.asked_at + self.rule.second_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The members of a Slack user group as last read. `failing_since` is set while it cannot be read.

    `changes` counts how often Slack told that it changed: what was asked for before the last time is out of date.
    """

    id: str
    members: frozenset[str] = frozenset()
    read_at: datetime | None = None
    failing_since: datetime | None = None
    changes: int = 0

    def is_fresh(self, now: datetime, within: timedelta) -> bool:
        """Read lately. A copy from the future is of any age: the clock was set back since."""
        return self.read_at is not None and timedelta() <= now - self.read_at <= within


class Standing(StrEnum):
    """What the rules say of a person who wants to decide."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"  # a group has to be read first


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A standing and the sentence that explains it. `stale`: groups to read first; `seat`: whose right is used."""

    standing: Standing
    why: str
    stale: tuple[str, ...] = ()
    seat: str = ""


GROUP_COPY_IS_GOOD_FOR = timedelta(seconds=120)
GROUP_IS_GIVEN_UP_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Electorate:
    """A rule as of now, with what is known of its groups. `asked_at`: since when the question is open."""

    rule: Rule
    groups: Mapping[str, Group] = field(default_factory=dict)
    asked_at: datetime | None = None

    def approvers(self, now: datetime) -> tuple[str, ...]:
        """Who may approve at this moment; the second group joins after its time."""
        rule = self.rule
        is_late = self.asked_at is not None and rule.second_after is not None
        if is_late and now - self.asked_at >= rule.second_after:  # type: ignore[operator]
            return tuple(dict.fromkeys((*rule.approvers, *rule.second)))
        return rule.approvers


def may_decide(actor: Actor, requester: Actor, electorate: Electorate, now: datetime) -> Verdict:
    """May this person approve or reject what the requester asked for, at this moment?"""
    rule = electorate.rule
    approvers = electorate.approvers(now)
    if not approvers:
        return _denied(say_nobody(rule))
    # On an Enterprise Grid one person comes in through many teams, always under the same id.
    if actor.user == requester.user and not rule.may_approve_own:
        return _denied(_("You asked for this yourself, so somebody else has to decide."))
    absent = [
        one.absent for one in rule.stand_ins if one.by == actor.user and one.holds(now) and one.absent != actor.user
    ]
    seats = [actor.user, *(user for user in absent if rule.may_approve_own or user != requester.user)]
    return _first_that_counts([_sits(seat, actor, approvers, electorate.groups, now) for seat in seats])


def may_ask(actor: Actor, requester: Actor, electorate: Electorate, now: datetime) -> Verdict:
    """May this person have the act done, or asked of the approvers?"""
    askers = electorate.rule.askers
    if EVERYBODY in askers:
        return Verdict(standing=Standing.ALLOWED, why=_("Everybody may ask for this."), seat=actor.user)
    if REQUESTER in askers and actor == requester:
        return Verdict(standing=Standing.ALLOWED, why=_("You asked for this training."), seat=actor.user)
    named = tuple(id_ for id_ in askers if id_ not in WORDS)
    verdicts = [_sits(actor.user, actor, named, electorate.groups, now)] if named else []
    if APPROVERS in askers:
        verdicts.append(_may_as_approver(actor, electorate, now))
    return _first_that_counts(verdicts) if verdicts else _denied(_("Nobody may ask for this, says the policy."))


def is_approver_or(actor: Actor, requester: Actor, electorate: Electorate, now: datetime) -> Verdict:
    """May this person act on a job: the requester always, else who may approve?"""
    if actor == requester:
        return Verdict(standing=Standing.ALLOWED, why=_("You asked for this training."), seat=actor.user)
    verdict = may_decide(actor, requester, electorate, now)
    if verdict.standing is Standing.DENIED:
        return _denied(_("Only the person who asked for this training or an approver can do that."))
    return verdict


def say_nobody(rule: Rule) -> str:
    """The sentence on a rule without approvers, with what would name some."""
    if rule.name:
        return _("Nobody may approve here: the rule “{rule}” names no approver.", rule=rule.name)
    return _("Nobody may approve here: the setting {setting} is empty.", setting=_SETTING)


_SETTING = "SWITCHYARD_APPROVALS__APPROVERS"
_WEIGHT = {Standing.ALLOWED: 0, Standing.UNKNOWN: 1, Standing.DENIED: 2}


def _first_that_counts(verdicts: Sequence[Verdict]) -> Verdict:
    """Allowed through any way is allowed; what is not known yet comes before a no."""
    return min(verdicts, key=lambda one: _WEIGHT[one.standing])


def _may_as_approver(actor: Actor, electorate: Electorate, now: datetime) -> Verdict:
    own = replace(electorate, rule=replace(electorate.rule, may_approve_own=True))
    verdict = may_decide(actor, Actor(), own, now)
    if verdict.standing is Standing.DENIED:
        return _denied(_("Only the person who asked for this training or an approver can do that."))
    return verdict


def _sits(seat: str, actor: Actor, allowed: Sequence[str], known: Mapping[str, Group], now: datetime) -> Verdict:
    """Is the holder of this seat among those who are allowed, by name or through a group?"""
    if seat in allowed and seat not in groups_in(allowed):
        return Verdict(standing=Standing.ALLOWED, why=_say_named(actor.user, seat), seat=seat)
    return _through_group(seat, actor.user, [known.get(id_, Group(id=id_)) for id_ in groups_in(allowed)], now)


def _say_named(user: str, seat: str) -> str:
    if user == seat:
        return _("<@{user}> is named.", user=user)
    return _("<@{user}> stands in for <@{absent}>, who is named.", user=user, absent=seat)


def _say_member(user: str, seat: str, group: str) -> str:
    if user == seat:
        return _("<@{user}> is in {group}.", user=user, group=named_group(group))
    group = named_group(group)
    return _("<@{user}> stands in for <@{absent}>, who is in {group}.", user=user, absent=seat, group=group)


def _through_group(seat: str, user: str, groups: Sequence[Group], now: datetime) -> Verdict:
    fresh = [group for group in groups if group.is_fresh(now, GROUP_COPY_IS_GOOD_FOR)]
    for group in fresh:
        if seat in group.members:
            return Verdict(standing=Standing.ALLOWED, why=_say_member(user, seat, group.id), seat=seat)
    stale = [group for group in groups if group not in fresh and not is_given_up(group, now)]
    if stale:
        return Verdict(
            standing=Standing.UNKNOWN,
            why=_("Checking who is in {groups}; your click is kept.", groups=_names(stale)),
            stale=tuple(group.id for group in stale),
        )
    unreadable = [group for group in groups if group not in fresh]
    if unreadable:
        return _denied(say_unreadable(unreadable))
    return _denied(_("You may not decide this: you are not among the approvers."))


def named_group(id_: str) -> str:
    """A group or a channel, in Slack's markup."""
    return f"<!subteam^{id_}>" if id_.startswith("S") else f"<#{id_}>"


def is_given_up(group: Group, now: datetime) -> bool:
    """Could it not be read for so long that nobody is approved through it?"""
    return group.failing_since is not None and now - group.failing_since >= GROUP_IS_GIVEN_UP_AFTER


def say_unreadable(groups: Sequence[Group]) -> str:
    """The sentence on groups that are given up."""
    return _("{groups} cannot be read at the moment, so nobody is approved through it.", groups=_names(groups))


def _names(groups: Sequence[Group]) -> str:
    return joined(", ", [named_group(group.id) for group in groups])


def _denied(why: str) -> Verdict:
    return Verdict(standing=Standing.DENIED, why=why)
