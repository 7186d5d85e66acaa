"""Somebody's Home tab: what waits for this person, what is alive, and what ended last."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.domain.approvals import (
    GATES,
    Electorate,
    Group,
    Prompt,
    Standing,
    Subject,
    Verdict,
    is_approver_or,
    may_ask,
    may_decide,
)
from bot.domain.attention import Wishes
from bot.domain.changes import Button, Notice, NoticeKind, Say
from bot.domain.contents import Entry, HomePage, Recurring, Waiting
from bot.domain.jobs import Job
from bot.domain.policy import Act
from bot.domain.recurring import Schedule
from bot.domain.requests import Actor
from bot.errors import MessengerError
from bot.ports import Deps, Visit
from bot.usecases.cards import about, buttons_of, look_back
from bot.usecases.following import wishes_of
from bot.usecases.people import person_called
from bot.usecases.prompting import question, read_first, rule_of

MOST_WAITING = 8
MOST_MINE = 15
MOST_OTHERS = 15
MOST_ENDED = 8
MOST_RECURRING = 8

_SUBJECTS = {"cancel": Subject.CANCEL, "offer_again": Subject.PROMOTE, "keep_watching": Subject.GO_ON}
"""What the policy is asked about a button of a card."""


async def open_home(deps: Deps, actor: Actor) -> None:
    """Somebody opened the tab: it is drawn, and for a while again whenever something that it shows changes."""
    await _keep(deps, Visit(actor=actor, opened_at=deps.now()))


async def answer_at_home(deps: Deps, actor: Actor, said: Say, *, is_shut: bool = False) -> None:
    """Answer what was pressed on the tab, where no conversation can be answered: on the tab itself."""
    now = deps.now()
    await _keep(deps, Visit(actor=actor, opened_at=now, said=said, said_at=now, is_shut=is_shut))


async def _keep(deps: Deps, visit: Visit) -> None:
    user, id_ = visit.actor.user, deps.new_id()
    lane, body = f"home:{user}", {"user": user}
    notice = Notice(id=id_, key=id_, kind=NoticeKind.HOME, lane=lane, try_at=deps.now(), body=body)
    await deps.store.keep_visit(visit, notice)
    deps.nudge("deliver")


async def draw_home(deps: Deps, notice: Notice) -> None:
    """Draw the tab as of now. To draw it twice does no harm."""
    user = str(notice.body["user"])
    visit = await deps.store.visit(user)
    shown = visit.shown if visit else ""
    if visit is not None:
        shown = await deps.messenger.publish(user, await home_page(deps, visit), unless=shown)
    await deps.store.published(notice, shown)


async def home_page(deps: Deps, visit: Visit) -> HomePage:
    """Everything that this person sees, from one look into the store."""
    if visit.is_shut:
        return HomePage(said=visit.said, said_at=visit.said_at, is_shut=True)
    reader = _Reader(deps, visit.actor, await deps.store.groups(deps.policy.groups))
    found = await deps.store.overview(
        visit.actor, mine=MOST_MINE, others=MOST_OTHERS, ended=MOST_ENDED, schedules=MOST_RECURRING
    )
    waiting = [one for one in found.asked if reader.is_asked(*one)]
    page = HomePage(
        said=visit.said,
        said_at=visit.said_at,
        waiting=tuple([await reader.waiting(*one) for one in waiting[:MOST_WAITING]]),
        waiting_count=len(waiting),
        mine=await reader.entries(found.mine),
        mine_count=found.mine_count,
        others=await reader.entries(found.others),
        others_count=found.others_count,
        ended=tuple(_with_look_back(one) for one in await reader.entries(found.ended)),
        wishes=await _wishes(deps, visit.actor),
        recurring=tuple(reader.recurring(one) for one in found.schedules),
        recurring_count=found.schedule_count,
    )
    if reader.stale:
        # Without an open question nobody else has them read; what was read draws the page once more.
        await read_first(deps, Verdict(standing=Standing.UNKNOWN, why="", stale=tuple(sorted(reader.stale))))
    return page


def _with_look_back(one: Entry) -> Entry:
    return replace(one, buttons=(*one.buttons, *look_back(one.job)))


async def _wishes(deps: Deps, actor: Actor) -> Wishes:
    """With the time zone by which quiet hours count, read where it was not yet; without one where Slack is away."""
    wishes = await wishes_of(deps, actor)
    if wishes.habits.quiet is None or wishes.zone:
        return wishes
    try:
        return replace(wishes, zone=(await person_called(deps, actor.user)).zone)
    except MessengerError:
        return wishes


class _Reader:
    """What the rules say of one person, with the groups as they are known."""

    def __init__(self, deps: Deps, actor: Actor, groups: Mapping[str, Group]) -> None:
        self._deps, self._actor, self._groups = deps, actor, groups
        self.stale: set[str] = set()
        """The groups that have to be read before it is known what this person may do."""

    def is_asked(self, prompt: Prompt, job: Job) -> bool:
        """Does this wait for this person? What somebody has approved already waits for others."""
        now = self._deps.now()
        if prompt.expires_at is not None and prompt.expires_at <= now:
            return False
        if any(vote.actor.user == self._actor.user for vote in prompt.votes):
            return False
        return self._may_decide(prompt, job).standing is not Standing.DENIED

    def _may_decide(self, prompt: Prompt, job: Job) -> Verdict:
        rule = rule_of(self._deps, job, prompt.subject)
        voters = Electorate(rule=rule, groups=self._groups, asked_at=prompt.asked_at)
        judge = may_decide if prompt.subject in GATES else is_approver_or
        return judge(self._actor, prompt.asker or job.request.actor, voters, self._deps.now())

    async def waiting(self, prompt: Prompt, job: Job) -> Waiting:
        asker = prompt.asker or job.request.actor
        return Waiting(
            question=await question(self._deps, prompt, job),
            checking=self._may_decide(prompt, job).stale,
            may_withdraw=asker.user == self._actor.user,
        )

    async def entries(self, jobs: Sequence[Job]) -> tuple[Entry, ...]:
        return tuple([Entry(job=job, buttons=await self._buttons(job)) for job in jobs])

    def recurring(self, schedule: Schedule) -> Recurring:
        request = schedule.request
        rule = self._deps.policy.rule_for(Act.START, request.provider, request.model)
        voters = Electorate(rule=rule, groups=self._groups)
        verdict = is_approver_or(self._actor, request.actor, voters, self._deps.now())
        title, _ = about(self._deps, request.provider)
        return Recurring(schedule=schedule, title=title, may_stop=verdict.standing is not Standing.DENIED)

    async def _buttons(self, job: Job) -> tuple[Button, ...]:
        """Those of the card that this person may press, as far as it is known."""
        return tuple(one for one in await buttons_of(self._deps, job) if self._may_press(one, job))

    def _may_press(self, one: Button, job: Job) -> bool:
        subject = _SUBJECTS.get(one.action)
        asker = job.request.actor if subject else self._actor
        policy, about = self._deps.policy, job.request
        rule = rule_of(self._deps, job, subject) if subject else policy.rule_for(Act.START, about.provider, about.model)
        voters = Electorate(rule=rule, groups=self._groups)
        # To go on watching is no act of the policy's: the requester may, and whoever approves.
        judge = is_approver_or if subject is Subject.GO_ON else may_ask
        verdict = judge(self._actor, asker, voters, self._deps.now())
        self.stale.update(verdict.stale)
        return verdict.standing is Standing.ALLOWED
