"""The words after `/jobs` that say what somebody is told, and what comes of them, at an engine that stands still."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.domain.approvals import Group
from bot.domain.attention import About, Topic
from bot.domain.changes import Amendment, Notice, NoticeKind
from bot.domain.contents import Line
from bot.domain.jobs import Event, Job, JobState
from bot.domain.people import Person
from bot.domain.policy import Policy, Quiet, Rule, settings_clauses
from bot.domain.requests import SWITCHYARD, Actor
from bot.errors import RefusedError, UsageError
from bot.usecases.attention import MOST_IN_A_DIGEST, Fate, digest_due, fate_of
from bot.usecases.following import follow, keep_quiet, mute, unfollow
from handlers.commands.attention import Meant, read_meant, read_muted, read_quiet, take_lasting
from handlers.grammar import split
from handlers.marks import foreign
from handlers.views.cards import render
from tests.contract.samples import a_job, a_notice, a_prompt, answered, birth, step
from tests.handlers import samples
from tests.handlers.edge import ADA, BORA, CHANNEL, TEAM, Edge, edge
from tests.handlers.test_views import dangers

PROVIDERS = ["sestek", "sony"]
CHURN = About(provider="sony", model="churn*")
ALARMS = "C0ALARMS01"


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("sestek", Meant(about=About(provider="sestek"))),
        (
            "SONY churn* Failures here",
            Meant(about=About(provider="sony", model="churn*"), topic=Topic.FAILURES, is_here=True),
        ),
        ("all me approvals", Meant(about=About(), topic=Topic.APPROVALS, is_here=False)),
        ("sestek all", Meant(about=About(provider="sestek"), topic=Topic.ALL)),
        ("sestek model=ends ends", Meant(about=About(provider="sestek", model="ends"), topic=Topic.ENDS)),
        ("sestek “my model”", Meant(about=About(provider="sestek", model="my model"))),
    ],
)
def test_what_is_followed(line: str, meant: Meant) -> None:
    """A service first, then a model, a topic and a place in any order; `model=` where it is called like another."""
    assert read_meant(split(line), PROVIDERS, "usage") == meant


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("sestke", "Did you mean `sestek`?"),
        ("sestek faliures", "Did you mean `failures`?"),
        ("sestek faliures", "`model=faliures`"),
        ("sestek a b", "`b` is one word too many"),
        ("sestek ends failures", "one word too many"),
        ("sestek topic=ends", "`model=` is"),
        ("sestek model=a model=b", "`model=` is given twice"),
        ("sestek model=", "1 to 200 characters"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(line: str, says: str) -> None:
    """Which word, what was expected, and the nearest."""
    with pytest.raises(UsageError) as refused:
        read_meant(split(line), PROVIDERS, "usage")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("line", "quiet"),
    [
        ("22:00-07:00", Quiet(begins=time(22), ends=time(7))),
        ("22-7", Quiet(begins=time(22), ends=time(7))),
        ("19:30–08:15 sat,Sunday", Quiet(begins=time(19, 30), ends=time(8, 15), days=(5, 6))),
        ("days=sun", Quiet(begins=time(0), ends=time(0), days=(6,))),
    ],
)
def test_quiet_hours(line: str, quiet: Quiet) -> None:
    """Hours, days that are quiet as a whole, or both."""
    assert read_quiet(split(line)) == quiet


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "When is it to be quiet?"),
        ("22:00-22:00", "end when they begin"),
        ("25:00-07:00", "neither hours nor days"),
        ("22:00-07:00 satt-sun", "neither hours nor days"),
        ("mno", "Did you mean `mon`?"),
        ("mon,tue,wed,thu,fri,sat,sun", "`/jobs mute all`"),
    ],
)
def test_hours_that_are_none(line: str, says: str) -> None:
    """Never, always, and what cannot be read."""
    with pytest.raises(UsageError) as refused:
        read_quiet(split(line))
    assert says in str(refused.value)


async def test_unfollowing_a_service_takes_back_all_of_it(here: Edge) -> None:
    """A model that is not said stands for each, however the pattern was written; other services stay."""
    for about in (About(provider="sony"), CHURN, About(provider="sestek")):
        await follow(here.deps, person(BORA), BORA, about, Topic.ENDS)
    said = await unfollow(here.deps, person(BORA), BORA, About(provider="sony", model="CHURN*"), None)
    assert said.text == "You are no longer told the ends of the trainings at `sony` whose model fits `churn*`."
    await follow(here.deps, person(BORA), BORA, CHURN, Topic.FAILURES)
    await unfollow(here.deps, person(BORA), BORA, About(provider="sony"), None)
    left = await here.store.follows(TEAM, target=BORA)
    assert [one.about for one in left] == [About(provider="sestek")]


async def test_taking_quiet_hours_back_says_what_was_there(here: Edge) -> None:
    """Nothing is promised to come where there were no quiet hours."""
    assert "nothing was changed" in (await keep_quiet(here.deps, person(BORA), None)).text
    await keep_quiet(here.deps, person(BORA), Quiet(begins=time(22), ends=time(7)))
    assert "any more" in (await keep_quiet(here.deps, person(BORA), None)).text


def test_what_is_muted_and_for_how_long() -> None:
    """A training, a service with or without a model, or everything; a day unless something is said."""
    words, lasts = take_lasting(split("sestek my-model for=8h"))
    assert (read_muted(words, PROVIDERS, ""), lasts) == (
        ("", About(provider="sestek", model="my-model")),
        timedelta(hours=8),
    )
    assert take_lasting(split("all"))[1] == timedelta(days=1)
    assert read_muted(split("j2345ab"), PROVIDERS, "") == ("j2345ab", About())
    assert read_muted(split("all"), PROVIDERS, "") == ("", About())
    for line in ("all for=0h", "all for=99w", "all for=soon", "all for=1h for=2h"):
        with pytest.raises(UsageError):
            take_lasting(split(line))
    for line in ("j2345ab more", "sestek a b", "nobody"):
        with pytest.raises(UsageError):
            read_muted(split(line), PROVIDERS, "")


# -- what becomes of news ---------------------------------------------------------------------------------------------


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as made:
        yield made


def person(user: str) -> Actor:
    return Actor(team=TEAM, user=user)


async def an_end(here: Edge, who: str = ADA, place: str = CHANNEL) -> list[Notice]:
    """A training of somebody that has failed, and the news of it."""
    await fail(here, "j1", who, place)
    return await news(here)


async def fail(here: Edge, id_: str, who: str = ADA, place: str = CHANNEL) -> None:
    now = here.deps.now()
    job = _of(a_job(id_, JobState.RUNNING, created_at=now, place=place), who)
    await here.store.request(birth(job), same_since=now, is_exclusive=False)
    end = a_notice(f"{id_}:end", job_id=id_, lane=id_, kind=NoticeKind.END, body={"seq": 2}, try_at=now)
    await here.store.apply([step(job, Event.FAIL, when=now, notices=[end])])


def _of(job: Job, who: str) -> Job:
    return replace(job, request=replace(job.request, actor=person(who)))


async def news(here: Edge) -> list[Notice]:
    taken = await here.store.take_notices(here.deps.now(), 99)
    return [one for one in taken if one.kind is NoticeKind.NEWS]


async def fates(here: Edge, found: list[Notice]) -> dict[str, Fate]:
    return {one.channel: await fate_of(here.deps, one) for one in found}


async def test_everybody_who_follows_is_told_but_who_is_called(here: Edge) -> None:
    """A channel and a person; not where it stands, and not who asked for it."""
    for who in (ADA, BORA):
        await follow(here.deps, person(who), who, About(), Topic.ENDS)
    for place in (CHANNEL, ALARMS):
        await follow(here.deps, person(BORA), place, About(), Topic.ALL)
    assert await fates(here, await an_end(here)) == {BORA: Fate.TELL, ALARMS: Fate.TELL, ADA: Fate.DROP}


async def test_what_was_taken_back_meanwhile_is_not_told(here: Edge) -> None:
    """The wish counts at the moment at which the news go out."""
    await follow(here.deps, person(BORA), BORA, About(), Topic.ENDS)
    found = await an_end(here)
    await here.store.unfollow([one.id for one in await here.store.follows(TEAM, target=BORA)])
    assert await fates(here, found) == {BORA: Fate.DROP}


@pytest.mark.parametrize("place", ["D0DIRECT01", "G0PRIVATE1", "C0NOTHERE1"])
async def test_only_trainings_of_public_channels_are_told(here: Edge, place: str) -> None:
    """What stands elsewhere, or cannot be read, is nobody's news."""
    await follow(here.deps, person(BORA), BORA, About(), Topic.ENDS)
    assert await fates(here, await an_end(here, place=place)) == {BORA: Fate.DROP}


async def test_guests_and_who_has_left_are_told_nothing(here: Edge) -> None:
    """A guest sees some channels alone; of whom Slack tells nothing it is not known."""
    await follow(here.deps, person(BORA), BORA, About(), Topic.ENDS)
    found = await an_end(here)
    member = Person(id=BORA, read_at=here.deps.now())
    for known in (replace(member, is_guest=True), replace(member, has_left=True)):
        await here.store.keep_person(known)
        assert await fates(here, found) == {BORA: Fate.DROP}
    await here.store.keep_person(member)
    assert await fates(here, found) == {BORA: Fate.TELL}


async def test_a_mute_and_quiet_hours_keep_news_away(here: Edge) -> None:
    """The one for good, the other until they are over; who asked for the training has its end in the digest too."""
    all_day = Quiet(begins=time(0), ends=time(23, 59))
    for who in (ADA, BORA):
        await keep_quiet(here.deps, person(who), all_day)
    await follow(here.deps, person(BORA), BORA, About(), Topic.ENDS)
    found = await an_end(here)
    assert await fates(here, found) == {BORA: Fate.KEEP, ADA: Fate.KEEP}
    await mute(here.deps, person(BORA), about=About(provider="sestek"))
    assert await fates(here, found) == {BORA: Fate.DROP, ADA: Fate.KEEP}


@pytest.mark.parametrize("passes", [False, True])
async def test_the_policy_lets_approvals_pass_quiet_hours(here: Edge, passes: bool) -> None:
    """Who follows them is told at once then; an approver who is named is mentioned instead of told."""
    for who in (ADA, BORA):
        await keep_quiet(here.deps, person(who), Quiet(begins=time(0), ends=time(23, 59)))
    await follow(here.deps, person(ADA), ADA, About(), Topic.APPROVALS)
    job = _of(a_job(created_at=here.deps.now(), place=CHANNEL), "U0CHIE0001")
    asked = a_prompt(rule=Rule(approvers=(BORA,), pass_quiet=passes), asked_at=here.deps.now())
    await here.store.request(birth(job, opens=[asked]), same_since=here.deps.now(), is_exclusive=False)
    expected = {ADA: Fate.TELL, BORA: Fate.DROP} if passes else {ADA: Fate.KEEP, BORA: Fate.KEEP}
    assert await fates(here, await news(here)) == expected


async def test_who_is_in_a_group_that_is_called_is_not_told_besides(here: Edge) -> None:
    """The question mentions the group, and each of its members with it."""
    await follow(here.deps, person(BORA), BORA, About(), Topic.APPROVALS)
    await here.store.save_group(Group(id="S0OPS", members=frozenset({BORA}), read_at=here.deps.now()))
    job = _of(a_job(created_at=here.deps.now(), place=CHANNEL), ADA)
    asked = a_prompt(rule=Rule(approvers=("S0OPS",)), asked_at=here.deps.now())
    await here.store.request(birth(job, opens=[asked]), same_since=here.deps.now(), is_exclusive=False)
    found = await news(here)
    assert await fates(here, found) == {BORA: Fate.DROP}
    await here.store.save_group(Group(id="S0OPS", members=frozenset({ADA}), read_at=here.deps.now()))
    assert await fates(here, found) == {BORA: Fate.TELL}


async def test_one_digest_of_what_is_still_news(here: Edge) -> None:
    """After the quiet hours and not before: each training once, questions that were answered not, and the rest
    counted. What found nothing left to tell is no message."""
    local = here.deps.now().astimezone(ZoneInfo("Europe/Istanbul"))
    begins, ends = ((local + timedelta(hours=hours)).time().replace(second=0, microsecond=0) for hours in (-1, 1))
    await keep_quiet(here.deps, person(ADA), Quiet(begins=begins, ends=ends))
    for number in range(MOST_IN_A_DIGEST + 2):
        await fail(here, f"j{number}")
    asked = a_prompt(job_id="j0", rule=Rule(approvers=(ADA,)), asked_at=here.deps.now())
    await here.store.amend(Amendment(writes=(), opens=(asked,)))
    await here.store.amend(Amendment(writes=(answered(asked),)))
    await here.run()
    assert await here.store.kept_news() == []  # the rest may be kept as well, and belongs to the same digest
    while not (kept := await here.store.kept_news()):
        await here.run()
    assert len(kept) == MOST_IN_A_DIGEST + 2
    await digest_due(here.deps)
    await here.run()
    dm = await here.deps.messenger.open_dm(ADA)
    assert here.slack.messages(dm) == []
    here.time.ahead = timedelta(hours=2)
    for _ in range(2):
        await digest_due(here.deps)
        await here.run()
    [told] = here.slack.messages(dm)
    assert f"{MOST_IN_A_DIGEST + 2} trainings" in str(told.blocks)
    assert "and 2 more" in str(told.blocks)
    assert str(told.blocks).count("*failed*") == MOST_IN_A_DIGEST
    assert "May " not in str(told.blocks)


async def test_there_are_only_so_many_wishes(here: Edge) -> None:
    """Nobody fills the outbox of everybody else."""
    for number in range(20):
        await follow(here.deps, person(ADA), ADA, About(model=f"m{number}"), Topic.ENDS)
    with pytest.raises(RefusedError, match="20 such wishes already"):
        await follow(here.deps, person(ADA), ADA, About(model="more"), Topic.ENDS)


def test_the_policy_without_a_file_lets_nothing_pass() -> None:
    """Quiet hours are quiet unless somebody has written that they are not."""
    assert not any(clause.rule.pass_quiet for clause in Policy(clauses=settings_clauses(Rule(), ["sestek"])).clauses)


@pytest.mark.parametrize("name", ["Ada Lovelace", "<!channel> *x* `", "ada"])
def test_who_is_not_called_is_named(name: str) -> None:
    """An end, a question and a reminder give the name, and mention nobody by it."""
    names, asked = {ADA: name, BORA: name}, samples.prompt()
    ended = samples.move(JobState.FAILED, actor=SWITCHYARD)
    line = Line(job=samples.job(), title="Sestek", transition=ended, is_end=True, names=names)
    question = replace(samples.question(asked), names=names)
    reminder = replace(next(samples.reminders()), names=names)
    for content in (line, question, reminder):
        text = render(content).plain()
        assert f"<@{ADA}>" not in text
        assert f"<@{BORA}>" not in text
        assert dangers([text]) == []
        assert f"*{foreign(name)}*" in text
