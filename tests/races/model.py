"""What may happen to questions that people answer, in plain words, and a journal of what did: each write is judged.

An answer takes effect at one moment between its click and its end. So it may count only if there was a moment in
between at which the person was allowed, in time, and shown what held; and it has to count if all moments were so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.approvals import Answer, Group, Outcome, Prompt, Subject, Vote
from bot.domain.changes import Amendment, Change, Notice
from bot.domain.jobs import Event, JobState
from bot.domain.policy import Act, Reasons, Rule
from bot.ports import Click
from bot.sentences import unpack
from bot.usecases.decide import TRIES
from tests.races.stage import ADA, MODEL, PROVIDER, Journal, Stage
from tests.races.turns import ACTOR

ACTS = {Subject.START: Act.START, Subject.PROMOTE: Act.SWITCH, Subject.CANCEL: Act.CANCEL}
CALLS = {Event.PROMOTE: "switch", Event.APPROVE: "start", Event.STOP: "cancel"}
CANCELLED_IN = (JobState.PROPOSED, JobState.APPROVED, JobState.QUEUED, JobState.RUNNING)
"""States in which there is something to cancel."""
GROUP_IS_GOOD_FOR = timedelta(seconds=120)
GROUP_IS_GIVEN_UP_AFTER = timedelta(minutes=5)


class Can(StrEnum):
    """May somebody decide at this moment?"""

    YES = "yes"
    NO = "no"
    ASK = "a group has to be read first"


def can_decide(user: str, asker: str, rule: Rule, asked_at: datetime, copies: dict[str, Group], now: datetime) -> Can:
    """The rules in plain words: by name, through a group that was read lately, or for somebody absent."""
    approvers = set(rule.approvers)
    if rule.second_after is not None and now >= asked_at + rule.second_after:
        approvers |= set(rule.second)
    if not approvers or (user == asker and not rule.may_approve_own):
        return Can.NO
    seats = seats_of(user, asker, rule, now)
    if seats & approvers:
        return Can.YES
    groups = [copies.get(id_, Group(id=id_)) for id_ in approvers if id_[0] in "SCG"]
    fresh = [one for one in groups if one.read_at and now - one.read_at <= GROUP_IS_GOOD_FOR]
    if any(seats & one.members for one in fresh):
        return Can.YES
    is_open = [one for one in groups if one not in fresh and not is_given_up(one, now)]
    return Can.ASK if is_open else Can.NO


def can_sit(seat: str, rule: Rule, asked_at: datetime, copies: dict[str, Group], now: datetime) -> bool:
    """Is this seat's own holder among those who may approve?"""
    alone = replace(rule, may_approve_own=True, stand_ins=())
    return can_decide(seat, "", alone, asked_at, copies, now) is Can.YES


def seats_of(user: str, asker: str, rule: Rule, now: datetime) -> set[str]:
    today = now.date()
    absent = {one.absent for one in rule.stand_ins if one.by == user and one.since <= today <= one.until}
    return {user} | {one for one in absent if one != asker or rule.may_approve_own}


def is_given_up(group: Group, now: datetime) -> bool:
    return group.failing_since is not None and now >= group.failing_since + GROUP_IS_GIVEN_UP_AFTER


@dataclass(slots=True)
class Press:
    """A click under way, with what was so at one moment of it or at all of them."""

    click: Click
    was: set[str] = field(default_factory=set)
    was_always_good: bool = True
    wrote: list[str] = field(default_factory=list)
    overtaken: int = 0
    """How often something else was written over the prompt meanwhile."""

    def sees(self, facts: set[str]) -> None:
        self.was |= facts
        self.was_always_good &= "good" in facts


@dataclass(slots=True)
class Model(Journal):
    """Every prompt as it must be, and what is allowed to follow. `wrong`, `lost` and `doubled` are sentences."""

    stage: Stage
    prompts: dict[str, Prompt] = field(default_factory=dict)
    states: dict[str, JobState] = field(default_factory=dict)
    copies: dict[str, Group] = field(default_factory=dict)
    members: dict[str, list[frozenset[str]]] = field(default_factory=dict)
    allowed: Counter[tuple[str, str]] = field(default_factory=Counter)
    presses: dict[str, Press] = field(default_factory=dict)
    waiting: dict[str, Press] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    live: dict[str, datetime] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    news: int = 0
    _seen: tuple[int, datetime, int] | None = None

    # -- what the world looks like at this moment ---------------------------------------------------------------

    def rule_now(self, subject: Subject) -> Rule:
        return self.stage.policy.rule_for(ACTS[subject], PROVIDER, MODEL)

    def look(self) -> None:
        """A moment: what is so now, for every click under way."""
        seen = (self.news, self.stage.now, id(self.stage.policy))
        if seen == self._seen:
            return
        self._seen = seen
        for press in (*self.presses.values(), *self.waiting.values()):
            press.sees(self.facts(press.click))

    def facts(self, click: Click) -> set[str]:
        """What is so now of a click; `good` if it has to count."""
        prompt = self.prompts.get(click.prompt_id)
        if prompt is None:
            return {"unknown"}
        asker, now = self.asker(prompt), self.stage.now
        facts = {"open" if prompt.outcome is Outcome.OPEN else "closed"}
        if prompt.subject is Subject.CANCEL and self.states[prompt.job_id] not in CANCELLED_IN:
            facts.add("moot")
        facts.add("late" if prompt.expires_at and now >= prompt.expires_at else "in time")
        if click.answer is Answer.WITHDRAW:
            facts.add(Can.YES if click.actor.user == asker else Can.NO)
            facts.add("fits")
            return self._judged(facts)
        rule = self.rule_now(prompt.subject)
        facts.add(can_decide(click.actor.user, asker, rule, prompt.asked_at, self.copies, now))
        facts.add("fits" if click.digest == prompt.digest and self.holds(prompt) else "outdated")
        if not click.reason and needs_reason(prompt.rule, click.answer):
            facts.add("needs a reason")
        if click.answer is Answer.APPROVE and self._has_voted(prompt, click, asker):
            facts.add("has voted")
        return self._judged(facts)

    @staticmethod
    def _judged(facts: set[str]) -> set[str]:
        bad = {"needs a reason", "has voted", "moot"}
        return facts | {"good"} if {"open", "in time", "fits", Can.YES} <= facts and not bad & facts else facts

    def _has_voted(self, prompt: Prompt, click: Click, asker: str) -> bool:
        rule, now = self.rule_now(prompt.subject), self.stage.now
        seats = seats_of(click.actor.user, asker, rule, now)
        able = {one for one in seats if can_sit(one, rule, prompt.asked_at, self.copies, now)}
        is_twice = any(vote.actor == click.actor for vote in prompt.votes)
        return is_twice or (bool(able) and able <= {vote.seat for vote in prompt.votes})

    def asker(self, prompt: Prompt) -> str:
        return (prompt.asker or ADA).user

    def holds(self, prompt: Prompt) -> bool:
        """Is what the prompt shows, and the rule that it was asked under, still so?"""
        if prompt.rule != self.rule_now(prompt.subject):
            return False
        return prompt.subject is not Subject.PROMOTE or self._shows_what_serves(prompt)

    def _shows_what_serves(self, prompt: Prompt) -> bool:
        others = {job: at for job, at in self.live.items() if job != prompt.job_id}
        serves = max(others, key=lambda job: (others[job], job), default=None)
        shown = dict(prompt.evidence)["Serving now"]
        return all((job in shown) == (job == serves) for job in self.states)

    # -- what was written ---------------------------------------------------------------------------------------

    def amended(self, amendment: Amendment) -> None:
        for prompt in amendment.writes:
            self._written(prompt)
        self._open(amendment.opens)

    def applied(self, change: Change) -> None:
        for prompt in change.closes:
            self._written(prompt)
        if change.transition is not None:
            self._moved(change)
        self._open(change.opens)

    def _open(self, prompts: Iterable[Prompt]) -> None:
        for prompt in prompts:
            others = [one for one in self.prompts.values() if one.job_id == prompt.job_id]
            if any(one.outcome is Outcome.OPEN and one.subject is prompt.subject for one in others):
                self.doubled.append(f"{prompt.id} was asked while the same question was open")
            self.prompts[prompt.id] = prompt
            self.news += 1

    def _written(self, prompt: Prompt) -> None:
        self.news += 1
        before = self.prompts[prompt.id]
        if before.outcome is not Outcome.OPEN:
            self.doubled.append(f"{prompt.id} was closed ({before.outcome}) and is written again ({prompt.outcome})")
        if prompt.votes[: len(before.votes)] != before.votes:
            self.lost.append(f"a vote on {prompt.id} was written over")
        if prompt.reminders not in (before.reminders, before.reminders + 1):
            self.doubled.append(f"a reminder of {prompt.id} was counted over another")
        author = self._author(prompt, before)
        self._overtake(prompt.id, author)
        for vote in prompt.votes[len(before.votes) :]:
            self._voted(before, vote, author)
        if prompt.subject in ACTS:
            self._closed(prompt, author)
        self.prompts[prompt.id] = prompt

    def _author(self, prompt: Prompt, before: Prompt) -> Press | None:
        """Whose click it is; one that waited for a group is decided by the tick that read it."""
        acting = self.presses.get(ACTOR.get())
        if acting is not None and acting.click.prompt_id == prompt.id:
            return acting
        new = [vote.actor for vote in prompt.votes[len(before.votes) :]]
        who = prompt.actor or (new[0] if new else None)
        waiting = [one for one in self.waiting.values() if one.click.prompt_id == prompt.id]
        is_found_outdated = who is None and ACTOR.get() == "tick groups"
        mine = [one for one in waiting if one.click.actor == who or is_found_outdated]
        return mine[0] if mine else None

    def _overtake(self, prompt_id: str, author: Press | None) -> None:
        for press in (*self.presses.values(), *self.waiting.values()):
            if press is not author and press.click.prompt_id == prompt_id:
                press.overtaken += 1

    def _voted(self, before: Prompt, vote: Vote, author: Press | None) -> None:
        if author is None or author.click.actor != vote.actor or author.click.answer is not Answer.APPROVE:
            self.wrong.append(f"a vote of {vote.actor.user} on {before.id} that nobody gave")
        elif "good" not in author.was:
            self.wrong.append(f"{vote.actor.user} may not approve {before.id}: {sorted(author.was)}")
        if any(vote.actor.user == one.actor.user or vote.seat == one.seat for one in before.votes):
            self.doubled.append(f"a second vote of {vote.actor.user} (for {vote.seat}) on {before.id}")
        if author is not None:
            author.wrote.append("vote")

    def _closed(self, prompt: Prompt, author: Press | None) -> None:
        match prompt.outcome:
            case Outcome.OPEN:
                return
            case Outcome.EXPIRED:
                if prompt.expires_at is None or self.stage.now < prompt.expires_at:
                    self.wrong.append(f"{prompt.id} expired before its time")
            case Outcome.ANSWERED:
                self._answered(prompt, author)
            case Outcome.WITHDRAWN if prompt.answer is Answer.WITHDRAW:
                self._answered(prompt, author)
            case Outcome.WITHDRAWN if author is not None:
                # Which of several clicks that waited found it outdated cannot be seen.
                waiting = [one for one in self.waiting.values() if one.click.prompt_id == prompt.id]
                authors = waiting if author in waiting else [author]
                for one in authors:
                    one.wrote.append("afresh")
                if not any("outdated" in one.was for one in authors):
                    self.wrong.append(f"{prompt.id} was asked afresh, and nothing had changed")

    def _answered(self, prompt: Prompt, author: Press | None) -> None:
        if author is None or author.click.actor != prompt.actor or author.click.answer is not prompt.answer:
            self.wrong.append(f"an answer to {prompt.id} that nobody gave")
            return
        author.wrote.append("answer")
        if "good" not in author.was:
            self.wrong.append(f"{prompt.actor} may not answer {prompt.id}: {sorted(author.was)}")
        people, seats = {one.actor.user for one in prompt.votes}, {one.seat for one in prompt.votes}
        if prompt.answer is Answer.APPROVE and min(len(people), len(seats)) < prompt.rule.needed:
            self.wrong.append(f"{prompt.id} was approved by {len(people)} of {prompt.rule.needed}")

    def _moved(self, change: Change) -> None:
        self.news += 1
        assert change.transition is not None
        job_id, event = change.job.id, change.transition.event
        self.states[job_id] = change.job.state
        if change.job.state in (JobState.LIVE, JobState.PROMOTED):
            self.live[job_id] = change.job.state_at
        call = CALLS.get(event) if event else None
        if call is not None:
            self._allow(call, change)
        if event is Event.NOT_APPLIED:
            self.allowed["switch", job_id] = 0
        if event is Event.REJECT and not any(_is_no(one) for one in change.closes):
            self.wrong.append(f"{job_id} was rejected, and nobody had said so")

    def _allow(self, call: str, change: Change) -> None:
        """An approval allows one call; where the policy asks for none, whoever may ask is enough to cancel."""
        is_free = call == "cancel" and not self.rule_now(Subject.CANCEL).needed
        if not is_free and not any(one.answer is Answer.APPROVE for one in change.closes):
            self.wrong.append(f"{change.job.id} is to {call} without an approval")
        self.allowed[call, change.job.id] += 1

    def called(self, call: str, job_id: str) -> None:
        """The service did something."""
        self.allowed[call, job_id] -= 1
        if self.allowed[call, job_id] < 0 and call != "cancel":  # to cancel twice does no harm
            self.doubled.append(f"one {call} too many of {job_id}")

    # -- clicks and what is said to them ------------------------------------------------------------------------

    def pressed(self, actor: str, click: Click) -> None:
        press = Press(click=click)
        press.sees(self.facts(click))
        self.presses[actor] = press

    def answered(self, actor: str, text: str) -> None:
        press = self.presses.pop(actor)
        if self.waiting.get(press.click.id) is not press:
            self.judge(press, text)
        elif "Checking who is in" not in text:
            self.wrong.append(f"{press.click.actor.user} was told {text!r}, and the click was kept")

    def cut_off(self) -> None:
        """The process died: nobody under way hears anything, and what was kept is decided by the next one."""
        self.presses.clear()

    def kept(self, click: Click) -> None:
        """It waits for a group, and is decided as of the moment when that has been read."""
        press = self.presses.get(ACTOR.get())
        if press is not None and press.click.id == click.id:
            self.waiting[click.id] = press

    def looks_at_waiting(self) -> None:
        """Waiting clicks count as pressed anew."""
        for press in self.waiting.values():
            press.was, press.was_always_good, press.overtaken = set(), True, 0
            press.sees(self.facts(press.click))

    def told(self, notice: Notice) -> None:
        """Who waited hears what became of it."""
        press = self.waiting.pop(notice.key.removeprefix("click:"), None)
        if press is None:
            return
        text = unpack(notice.body["text"])
        self.judge(press, text)
        if any(words in text for words, kind in SAYINGS if kind.startswith("waits")):
            self.lost.append(f"{press.click.actor.user} waited, and heard nothing but {text!r}")

    def members_are(self, group: str, members: frozenset[str]) -> None:
        """A group has these members from now on."""
        self.members.setdefault(group, []).append(members)

    def knows_of_the_change(self, group: str) -> None:
        """Slack has told that a group changed: what it was before is not to be believed any more."""
        del self.members[group][:-1]

    def read(self, group: Group) -> None:
        """A group was read, or its copy is no longer good."""
        if group.read_at is not None and group.members not in self.members[group.id]:
            self.wrong.append(f"{group.id} is taken to have members that it had before it was told to have changed")
        self.copies[group.id] = group
        self.news += 1

    def judge(self, press: Press, text: str) -> None:
        """Is what was said true?"""
        kind = next((kind for words, kind in SAYINGS if words in text), None)
        self.answers.append(kind or "nothing")
        if kind is None:
            self.wrong.append(f"{press.click.actor.user} was told {text!r}")
            return
        if not EXPECTED[kind](press):
            self.wrong.append(f"{press.click.actor.user} was told {text!r}: {sorted(press.was)}, {press.wrote}")
        if press.was_always_good and not {"vote", "answer"} & set(press.wrote):
            self.lost.append(f"{press.click.actor.user} on {press.click.prompt_id} counts, and was told {text!r}")
        if kind == "decided already":
            self._check_decision(press, text)

    def _check_decision(self, press: Press, text: str) -> None:
        prompt = self.prompts[press.click.prompt_id]
        who = prompt.actor.user if prompt.actor else "nobody"
        if f"<@{who}>" not in text:
            self.wrong.append(f"{press.click.actor.user} was told {text!r}, and it was {who}")


SAYINGS = (
    ("Thank you: your approval counts", "vote"),
    ("Thank you: ", "answer"),
    ("You have approved this already", "has voted"),
    ("this was already", "decided already"),
    ("this prompt is closed", "closed"),
    ("has run out", "late"),
    ("Checking who is in", "waits"),
    ("is waiting already", "waits already"),
    ("A new prompt is being posted", "afresh"),
    ("needs a reason", "needs a reason"),
    ("You asked for this yourself", "denied"),
    ("not among the approvers", "denied"),
    ("cannot be read", "denied"),
    ("Only the person who asked", "denied"),
    ("Nobody may approve", "denied"),
    ("the training has moved on", "moved on"),
)
"""What is said to who clicked, by words of it."""

EXPECTED: dict[str, Callable[[Press], bool]] = {
    "vote": lambda press: press.wrote == ["vote"],
    "answer": lambda press: press.wrote in (["answer"], ["vote", "answer"]),
    "has voted": lambda press: "has voted" in press.was,
    "decided already": lambda press: "closed" in press.was,
    "closed": lambda press: "closed" in press.was,
    "late": lambda press: bool({"late", "closed"} & press.was),
    "waits": lambda press: Can.ASK in press.was,
    "waits already": lambda press: Can.ASK in press.was,
    "afresh": lambda press: press.wrote == ["afresh"],
    "needs a reason": lambda press: "needs a reason" in press.was,
    "denied": lambda press: Can.NO in press.was,
    "moved on": lambda press: "moot" in press.was or press.overtaken >= TRIES,
}
"""When each of that may be said."""


def _is_no(prompt: Prompt) -> bool:
    return prompt.answer in (Answer.REJECT, Answer.WITHDRAW)


def needs_reason(rule: Rule, answer: Answer) -> bool:
    if answer is Answer.APPROVE:
        return rule.reasons in (Reasons.APPROVE, Reasons.ALWAYS)
    return answer is Answer.REJECT and rule.reasons in (Reasons.REJECT, Reasons.ALWAYS)
