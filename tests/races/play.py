"""One play: a question, people who answer it at once, and everything that may come in between; then the verdict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

from bot.domain.approvals import Answer, Outcome, Prompt, Subject
from bot.domain.changes import Say
from bot.domain.jobs import JobState, Phase
from bot.domain.policy import Clause, Policy, Reasons, Rule, StandIn, settings_clauses
from bot.domain.requests import Actor
from bot.errors import RefusedError
from bot.ports import Click, Gate
from bot.usecases.cancel import cancel, offer_again
from bot.usecases.decide import decide
from bot.usecases.expire import expire_due
from bot.usecases.groups import forget_members, read_groups
from bot.usecases.launch import launch_due
from bot.usecases.moves import first_change
from bot.usecases.poll import poll_due
from bot.usecases.promote import promote_due
from bot.usecases.prompting import ask_gate
from bot.usecases.recover import recover
from bot.usecases.remind import remind_due
from bot.usecases.settle import settle_due
from tests.contract.samples import NOW
from tests.races.model import ACTS, Model
from tests.races.stage import ADA, BORA, CHIE, DAN, EVE, OPS, SECOND, RacedStore, Service, Slack, Stage, a_training
from tests.races.turns import Turns

PEOPLE = (BORA, CHIE, DAN, EVE, ADA)
STATES = {Subject.START: JobState.PROPOSED, Subject.PROMOTE: JobState.OFFERED, Subject.CANCEL: JobState.RUNNING}
TICKS: dict[str, Callable[[Any], Awaitable[None]]] = {
    "promote": promote_due,
    "launch": launch_due,
    "settle": settle_due,
    "poll": poll_due,
    "expire": expire_due,
    "remind": remind_due,
    "groups": read_groups,
}
FEWEST_TURNS = 6
"""An interleaving of fewer steps does not count as one."""
MOST_ROUNDS = 40
DOUBTS = {Subject.DID_START: "start", Subject.DID_SWITCH: "switch"}
SEEN = {
    (Subject.DID_START, True): Answer.RUNS,
    (Subject.DID_START, False): Answer.AGAIN,
    (Subject.DID_SWITCH, True): Answer.APPLIED,
    (Subject.DID_SWITCH, False): Answer.NOT_APPLIED,
}
"""What a person says who sees that it was done, or not."""


@dataclass(slots=True)
class Verdict:
    """What became of a play."""

    turns: int = 0
    answers: Sequence[str] = ()
    wrong: Sequence[str] = ()
    lost: Sequence[str] = ()
    doubled: Sequence[str] = ()
    trace: Sequence[tuple[str, str]] = ()

    @property
    def is_clean(self) -> bool:
        return not (self.wrong or self.lost or self.doubled)

    def tell(self) -> str:
        """What went wrong, and all turns that led there."""
        found = [*(f"wrong: {one}" for one in self.wrong), *(f"lost: {one}" for one in self.lost)]
        found += [f"doubled: {one}" for one in self.doubled]
        return "\n".join([*found, "", *(f"{number:4} {who}: {what}" for number, (who, what) in enumerate(self.trace))])


@dataclass(slots=True)
class Play:
    """Draws what happens, lets it happen, and judges.

    With `rules` (the one in force, and another) only the order is drawn: what happens is for the caller to say.
    """

    store: RacedStore
    random: Random
    rules: tuple[Rule, ...] = ()
    subject: Subject = Subject.PROMOTE
    stage: Stage = field(init=False)
    model: Model = field(init=False)
    turns: Turns = field(init=False)
    jobs: tuple[str, ...] = ("train-a",)
    policies: list[Policy] = field(default_factory=list)
    is_nudged: bool = False
    _begun: int = 0
    _again: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.turns = Turns(self.random.randrange)
        if not self.rules:
            self.subject = self.random.choice((Subject.PROMOTE, Subject.PROMOTE, Subject.START, Subject.CANCEL))
            self.is_nudged = self.one_in(3)
        gate = Gate.BEFORE if self.subject is Subject.START else Gate.AFTER
        service = Service(self.turns, sees=self.one_in(2), gate=gate, faults=self._faults())
        service.phase = Phase.TRAINED if self.subject is Subject.CANCEL and self.one_in(4) else Phase.RUNNING
        slack = Slack(self.turns, groups={OPS: self._some(PEOPLE[:4]), SECOND: self._some(PEOPLE[:4])})
        slack.is_down = not self.rules and self.one_in(12)
        self.policies = [self._policy(rule) for rule in self.rules or (self._rule(), self._rule())]
        self.stage = Stage(self.store, self.turns, service, slack, policy=self.policies[0], nudged=self._nudged)
        self.model = Model(self.stage)
        for group, members in slack.groups.items():
            self.model.members_are(group, members)
        service.on_call, self.turns.after = self.model.called, self.model.look
        self.store.turns, self.store.journal = self.turns, self.model

    # -- drawing ------------------------------------------------------------------------------------------------

    def one_in(self, many: int) -> bool:
        return self.random.randrange(many) == 0

    def _faults(self) -> list[str]:
        faults = ("no", "lost before", "lost after")
        return [self.random.choice(faults)] if not self.rules and self.one_in(6) else []

    def _some(self, people: Sequence[Actor]) -> frozenset[str]:
        return frozenset(one.user for one in people if self.one_in(2))

    def _policy(self, rule: Rule) -> Policy:
        clause = Clause(rule=rule, acts=frozenset({ACTS[self.subject]}))
        return Policy(clauses=(clause, *settings_clauses(Rule(approvers=(BORA.user, CHIE.user)))))

    def _rule(self) -> Rule:
        draw = self.random.choice
        named = tuple(sorted(self._some(PEOPLE))) or (BORA.user, CHIE.user)
        stand_in = StandIn(absent=draw((CHIE, BORA, ADA)).user, by=EVE.user, since=NOW.date(), until=NOW.date())
        return Rule(
            approvers=(*named, OPS) if self.one_in(3) else named,
            needed=draw((1, 1, 1, 2, 2, 3)),
            may_approve_own=self.one_in(4),
            reasons=draw((Reasons.REJECT, Reasons.NEVER, Reasons.ALWAYS)),
            expires_after=timedelta(hours=draw((1, 168))),
            remind_after=draw((None, timedelta(minutes=10))),
            second=draw(((), (DAN.user,), (SECOND,))),
            second_after=timedelta(minutes=30),
            stand_ins=(stand_in,) if self.one_in(4) else (),
        )

    # -- the play -----------------------------------------------------------------------------------------------

    async def run(self) -> Verdict:
        """Everything is drawn."""
        await self.begin()
        for _ in range(self.random.randint(2, 5)):
            self._draw_click()
        for _ in range(self.random.randint(1, 4)):
            self._draw_event()
        if self.one_in(6):
            await self.turns.run(self.random.randrange(40))
            await self.restart()
            self._draw_click()
        await self.turns.run()
        await self.end()
        return self.verdict()

    async def see(self, *begins: Callable[[], None], approved_by: Sequence[Actor] = ()) -> Verdict:
        """All of these begin at once, after so many have approved."""
        await self.begin()
        for who in approved_by:
            self.click(who, Answer.APPROVE, self.jobs[0])
            await self.turns.run()
        for begin in begins:
            begin()
        await self.turns.run()
        await self.end()
        return self.verdict()

    def verdict(self) -> Verdict:
        """As far as it has come."""
        model = self.model
        return Verdict(
            turns=self.turns.count,
            answers=model.answers,
            wrong=[*model.wrong, *(f"{actor} met {error!r}" for actor, error in self.turns.broken)],
            lost=model.lost,
            doubled=model.doubled,
            trace=self.turns.trace,
        )

    async def alone(self, work: Awaitable[Any]) -> None:
        """Something that nothing comes in between of."""

        async def act() -> None:
            await work

        self.turns.start(self.name("alone"), act())
        await self.turns.run()

    def name(self, what: str) -> str:
        self._begun += 1
        return f"{what} {self._begun}"

    async def begin(self) -> None:
        """The trainings, and the questions about them."""
        if not self.rules and self.subject is Subject.PROMOTE and self.one_in(4):
            self.jobs = ("train-a", "train-b")
        for id_ in self.jobs:
            await self.alone(self._keep(id_))

    async def _keep(self, id_: str) -> None:
        deps, job = self.stage.deps, a_training(id_, STATES[self.subject])
        asker = CHIE if self.subject is Subject.CANCEL and self.one_in(2) else None
        prompt = await ask_gate(deps, job, self.subject, asker=asker)
        change = replace(first_change(deps, job, actor=ADA), opens=(prompt,), notices=())
        await self.store.request(change, same_since=NOW, is_exclusive=False, is_again=True)
        self.model.states[id_] = job.state
        self.model._open([prompt])

    # -- people -------------------------------------------------------------------------------------------------

    def _draw_click(self) -> None:
        answer = self.random.choice((Answer.APPROVE,) * 6 + (Answer.REJECT,) * 2 + (Answer.WITHDRAW,))
        asks = answer is Answer.WITHDRAW and not self.one_in(4)
        who = ADA if asks else self._somebody()
        reason = "" if self.one_in(4) else "as agreed"
        job, is_old, is_forged = self.random.choice(self.jobs), self.one_in(6), self.one_in(12)
        for _ in range(2 if self.one_in(4) else 1):
            self.click(who, answer, job, reason=reason, is_old=is_old, is_forged=is_forged)

    def _somebody(self) -> Actor:
        """Mostly one who may decide."""
        known = {*self.policies[0].clauses[0].rule.approvers, *self.stage.slack.groups[OPS]}
        able = [one for one in PEOPLE if one.user in known]
        return self.random.choice(PEOPLE if self.one_in(4) or not able else able)

    def click(
        self, who: Actor, answer: Answer, job: str, *, reason: str = "r", is_old: bool = False, is_forged: bool = False
    ) -> None:
        """Somebody presses a button of the newest prompt, or of the first one; delivered twice, it is two clicks."""
        actor = self.name(f"{who.user} {answer}")

        async def press() -> None:
            shown = [one for one in self.model.prompts.values() if one.job_id == job]
            prompt = shown[0 if is_old else -1]
            digest = "what was never shown" if is_forged else prompt.digest
            click = Click(
                id=actor,
                prompt_id=prompt.id,
                digest=digest,
                answer=answer,
                actor=who,
                at=self.stage.now,
                reason=reason,
                url="https://hooks.example/1",
            )
            self.model.pressed(actor, click)
            said = await decide(self.stage.deps, click)
            self.model.answered(actor, said.text)

        self.turns.start(actor, press())

    def act(self, who: Actor, what: Callable[[Any, str, Actor], Awaitable[Say]], job: str) -> None:
        """Somebody presses a button of the card; a refusal is an answer too."""

        async def press() -> None:
            try:
                said = (await what(self.stage.deps, job, who)).text
            except RefusedError as error:
                said = str(error)
            if not said:
                self.model.wrong.append(f"{who.user} heard nothing")

        self.turns.start(self.name(f"{who.user} {what.__name__}"), press())

    # -- what comes in between ----------------------------------------------------------------------------------

    def _draw_event(self) -> None:
        happens = self.random.choice(
            (self._time, self._expire, self._some_tick, self._some_tick, self.other_policy, self._members, self._card)
        )
        happens()

    def _time(self) -> None:
        by = self.random.choice(
            (timedelta(seconds=61), timedelta(seconds=121), timedelta(minutes=6), timedelta(minutes=31))
        )
        self.passes(by)

    def passes(self, by: timedelta) -> None:
        """So much time, at once."""
        self._once("the clock", lambda: self._pass_time(by))

    def _pass_time(self, by: timedelta) -> None:
        self.stage.now += by

    def _expire(self) -> None:
        by = timedelta(hours=self.random.choice((1, 168)))
        if self.one_in(2):
            self.passes(by)
        self.tick("expire")

    def _some_tick(self) -> None:
        self.tick(self.random.choice(tuple(TICKS)))

    def other_policy(self, times: int = 1) -> None:
        """The other of two policies holds from now on; after two times it is the first one again."""

        async def change() -> None:
            for _ in range(times):
                self._change_policy()
                await self.turns.take("changes again")

        self.turns.start(self.name("the policy"), change())

    def _change_policy(self) -> None:
        self.stage.policy = self.policies[1 if self.stage.policy is self.policies[0] else 0]

    def _members(self) -> None:
        self.members(self.random.choice((OPS, SECOND)), self._some(PEOPLE[:4]), is_told=not self.one_in(4))
        self.tick("groups")

    def members(self, group: str, members: frozenset[str], *, is_told: bool) -> None:
        """A group has other members; Slack may tell so a moment later, or never."""

        async def change() -> None:
            self.stage.slack.groups[group] = members
            self.model.members_are(group, members)
            if is_told:
                await self.turns.take("hears of the event")
                await forget_members(self.stage.deps, group)
                self.model.knows_of_the_change(group)

        self.turns.start(self.name("the group"), change())

    def _card(self) -> None:
        what = cancel if self.subject is not Subject.PROMOTE else offer_again
        self.act(self.random.choice((ADA, ADA, BORA, EVE)), what, self.jobs[0])

    def _once(self, name: str, what: Callable[[], None]) -> None:
        async def act() -> None:
            what()

        self.turns.start(self.name(name), act())

    def _nudged(self, name: str) -> None:
        if self.is_nudged and name in TICKS:
            self.tick(name)

    def nudge(self, name: str) -> None:
        """At some moment a tick is asked for."""
        self._once("a nudge", lambda: self.tick(name))

    def tick(self, name: str) -> None:
        """A tick never runs beside itself: one that is asked for meanwhile runs once more."""
        actor = f"tick {name}"
        if self.turns.is_acting(actor):
            self._again.add(name)
            return

        async def run() -> None:
            self._again.add(name)
            while name in self._again:
                self._again.discard(name)
                if name == "groups":
                    self.model.looks_at_waiting()
                await TICKS[name](self.stage.deps)

        self.turns.start(actor, run())

    async def restart(self) -> None:
        """The process dies wherever it stands, and a new one takes up what it left."""
        await self.turns.end_all()
        self.turns.broken.clear()
        self.stage.forget_steps()
        self._again.clear()
        self.model.cut_off()
        await self.alone(recover(self.stage.deps))

    # -- the end ------------------------------------------------------------------------------------------------

    async def end(self) -> None:
        """Let everything come to its end, and judge that."""
        await self._drain()
        await self._judge_end()

    async def _drain(self) -> None:
        """Slack and the service are well again: whatever is under way comes to its end."""
        self.stage.slack.is_down = False
        self.stage.service.faults.clear()
        for _ in range(MOST_ROUNDS):
            await self._answer_doubts()
            due = self._due()
            if not due:
                return
            for name in due:
                self.tick(name)
                await self.turns.run()
            self._pass_time(timedelta(seconds=5))

    async def _answer_doubts(self) -> None:
        """Ada looks at the service, and says what she sees there."""
        for prompt in list(self.model.prompts.values()):
            if prompt.subject in DOUBTS and prompt.outcome is Outcome.OPEN:
                is_left = self.model.allowed[DOUBTS[prompt.subject], prompt.job_id] > 0
                answer = SEEN[prompt.subject, not is_left]
                click = Click(
                    id=self.name("doubt"),
                    prompt_id=prompt.id,
                    digest=prompt.digest,
                    answer=answer,
                    actor=ADA,
                    at=self.stage.now,
                )
                await self.alone(decide(self.stage.deps, click))

    def _due(self) -> list[str]:
        states = set(self.model.states.values())
        ticks = {
            "promote": bool(states & {JobState.PROMOTING, JobState.UNSURE_SWITCH}),
            "launch": JobState.APPROVED in states,
            "settle": bool(states & {JobState.STARTING, JobState.UNSURE}),
            "poll": JobState.CANCELLING in states,
            "groups": bool(self.model.waiting),
        }
        return [name for name, is_due in ticks.items() if is_due]

    async def _judge_end(self) -> None:
        await self.alone(self._compare())
        model = self.model
        model.lost += [f"{who} of {press.click.prompt_id} was never answered" for who, press in model.waiting.items()]
        for (call, job), left in model.allowed.items():
            if left > 0 and not self._is_settled(call, job):
                model.lost.append(f"{left} {call} of {job}")

    def _is_settled(self, call: str, job: str) -> bool:
        """The training ended before it could be done."""
        ends = {"switch": (), "start": (JobState.CANCELLED,), "cancel": (JobState.OFFERED, JobState.DONE)}
        return self.model.states[job] in ends[call]

    async def _compare(self) -> None:
        """What stands in the store is what the model holds; and what waits for an answer has one open question."""
        for id_ in self.jobs:
            job, stored = await self.store.job(id_), await self.store.prompts(id_)
            assert job is not None
            expected = [one for one in self.model.prompts.values() if one.job_id == id_]
            if job.state is not self.model.states[id_] or _by_id(stored) != _by_id(expected):
                self.model.wrong.append(f"{id_} stands otherwise: {job.state} and {stored}, not {expected}")
            still_open = [one for one in stored if one.outcome is Outcome.OPEN and one.subject is not Subject.CANCEL]
            waits = job.state in (JobState.PROPOSED, JobState.OFFERED)
            if waits and len(still_open) != 1:
                self.model.lost.append(f"{id_} is {job.state}, and {len(still_open)} questions are open")


def _by_id(prompts: Sequence[Prompt]) -> dict[str, Prompt]:
    return {one.id: one for one in prompts}
