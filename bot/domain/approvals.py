"""Questions that a person answers with a click: approvals of the two gates, and what no service can tell us."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.requests import Actor


class Subject(StrEnum):
    """What a prompt asks."""

    START = "start"  # may this training start?
    PROMOTE = "promote"  # may the trained model go live?
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


ANSWERS: Mapping[Subject, tuple[Answer, ...]] = {
    Subject.START: (Answer.APPROVE, Answer.REJECT),
    Subject.PROMOTE: (Answer.APPROVE, Answer.REJECT),
    Subject.DID_START: (Answer.RUNS, Answer.AGAIN, Answer.GIVE_UP),
    Subject.DID_SWITCH: (Answer.APPLIED, Answer.NOT_APPLIED),
    Subject.GO_ON: (Answer.KEEP, Answer.GIVE_UP),
}

GATES = frozenset({Subject.START, Subject.PROMOTE})


class Outcome(StrEnum):
    """How a prompt stands."""

    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"  # what it asked about was settled elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who may decide. `approvers` are user ids (U…, W…) and user-group ids (S…)."""

    approvers: tuple[str, ...] = ()
    may_approve_own: bool = False

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(id_ for id_ in self.approvers if id_.startswith("S"))

    @property
    def people(self) -> tuple[str, ...]:
        return tuple(id_ for id_ in self.approvers if not id_.startswith("S"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question to people. `digest` covers what was shown and the rule that applied."""

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
    reason: str = ""
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The members of a Slack user group as last read. `failing_since` is set while it cannot be read."""

    id: str
    members: frozenset[str] = frozenset()
    read_at: datetime | None = None
    failing_since: datetime | None = None

    def is_fresh(self, now: datetime, within: timedelta) -> bool:
        return self.read_at is not None and now - self.read_at <= within


class Standing(StrEnum):
    """What the rules say of a person who wants to decide."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"  # a group has to be read first


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A standing and the sentence that explains it. `stale` are the groups to read first."""

    standing: Standing
    why: str
    stale: tuple[str, ...] = ()


GROUP_COPY_IS_GOOD_FOR = timedelta(seconds=120)
GROUP_IS_GIVEN_UP_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Electorate:
    """The rule as of now, with what is known of its groups."""

    rule: Rule
    groups: Mapping[str, Group] = field(default_factory=dict)


def may_decide(actor: Actor, requester: Actor, electorate: Electorate, now: datetime) -> Verdict:
    """May this person approve or reject what the requester asked for, at this moment?"""
    rule = electorate.rule
    if not rule.approvers:
        return _denied("Nobody may approve here: the setting SWITCHYARD_APPROVALS__APPROVERS is empty.")
    # On an Enterprise Grid one person comes in through many teams, always under the same id.
    if actor.user == requester.user and not rule.may_approve_own:
        return _denied("You asked for this training yourself, so somebody else has to decide.")
    if actor.user in rule.people:
        return Verdict(standing=Standing.ALLOWED, why=f"<@{actor.user}> is named as an approver.")
    return _through_group(actor, electorate, now)


def is_approver_or(actor: Actor, requester: Actor, electorate: Electorate, now: datetime) -> Verdict:
    """May this person act on a job: the requester always, else who may approve?"""
    if actor == requester:
        return Verdict(standing=Standing.ALLOWED, why="You asked for this training.")
    verdict = may_decide(actor, requester, electorate, now)
    if verdict.standing is Standing.DENIED:
        return _denied("Only the person who asked for this training or an approver can do that.")
    return verdict


def _through_group(actor: Actor, electorate: Electorate, now: datetime) -> Verdict:
    known = [electorate.groups.get(id_, Group(id=id_)) for id_ in electorate.rule.groups]
    fresh = [group for group in known if group.is_fresh(now, GROUP_COPY_IS_GOOD_FOR)]
    for group in fresh:
        if actor.user in group.members:
            return Verdict(standing=Standing.ALLOWED, why=f"<@{actor.user}> is in <!subteam^{group.id}>.")
    stale = [group for group in known if group not in fresh and not is_given_up(group, now)]
    if stale:
        names = ", ".join(f"<!subteam^{group.id}>" for group in stale)
        return Verdict(
            standing=Standing.UNKNOWN,
            why=f"Checking who is in {names}; your click is kept.",
            stale=tuple(group.id for group in stale),
        )
    unreadable = [group for group in known if group not in fresh]
    if unreadable:
        return _denied(say_unreadable(unreadable))
    return _denied("You may not decide this: you are not among the approvers.")


def is_given_up(group: Group, now: datetime) -> bool:
    """Could it not be read for so long that nobody is approved through it?"""
    return group.failing_since is not None and now - group.failing_since >= GROUP_IS_GIVEN_UP_AFTER


def say_unreadable(groups: Sequence[Group]) -> str:
    """The sentence on groups that are given up."""
    names = ", ".join(f"<!subteam^{group.id}>" for group in groups)
    return f"{names} cannot be read at the moment, so nobody is approved through it."


def _denied(why: str) -> Verdict:
    return Verdict(standing=Standing.DENIED, why=why)
