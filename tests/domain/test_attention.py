"""Who follows what, whom a mute and quiet hours keep from being called, and by which clock."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from bot.domain.approvals import Subject
from bot.domain.attention import About, Follow, Habits, Mute, Topic, called_by, news_of, topics_of
from bot.domain.changes import NoticeKind
from bot.domain.jobs import ENDS, Event, JobState
from bot.domain.policy import Quiet, Rule, end_of_quiet
from tests.contract.samples import ADA, BORA, HERE, NOW, a_job, a_notice, a_prompt, birth, step

NIGHT = Quiet(begins=time(22), ends=time(7))
OTHER = "C0OTHER"


def wish(target: str = OTHER, topic: Topic = Topic.ENDS, **about: str) -> Follow:
    return Follow(id=f"{target}{topic}{about}", team=ADA.team, target=target, about=About(**about), topic=topic)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("about", "fits"),
    [
        ({}, True),
        ({"provider": "sestek"}, True),
        ({"provider": "sony"}, False),
        ({"provider": "sestek", "model": "My-*"}, True),
        ({"model": "my-mode?"}, True),
        ({"model": "other*"}, False),
    ],
)
def test_what_a_wish_is_about(about: dict[str, str], fits: bool) -> None:
    """A service or each, and a pattern for the model without case, or each."""
    assert About(**about).fits("sestek", "my-model") is fits


@pytest.mark.parametrize("state", JobState)
def test_the_topics_of_a_move(state: JobState) -> None:
    """Every move is one of all; a failure is an end, and neither a rejection nor a cancelling is a failure."""
    topics = topics_of(state)
    assert Topic.ALL in topics
    assert (Topic.ENDS in topics) is (state in ENDS)
    assert (Topic.FAILURES in topics) is (state in {JobState.FAILED, JobState.LOST})


def test_one_move_is_told_once_to_each_and_not_where_it_stands() -> None:
    """Several wishes of one target are one message; the conversation of the training needs none."""
    [news] = news_of(step(a_job(state=JobState.RUNNING), Event.FAIL, notices=[a_notice("e", kind=NoticeKind.END)]))
    wishes = [wish(), wish(topic=Topic.ALL), wish(topic=Topic.FAILURES), wish(target=HERE), wish(target=BORA.user)]
    assert news.targets(wishes) == (OTHER, BORA.user)
    assert news.calls == (ADA.user,)
    assert news.targets([replace(one, team="T0OTHER") for one in wishes]) == ()
    assert news.targets([wish(topic=Topic.APPROVALS), wish(provider="sony")]) == ()


def test_what_is_told_nowhere_is_no_news() -> None:
    """A move without a line in the thread is none; the beginning is one that only those hear who follow all."""
    assert news_of(step(a_job(), Event.PASS)) == ()
    [begun] = news_of(birth(a_job(), a_notice("c", kind=NoticeKind.CARD)))
    assert begun.targets([wish()]) == ()
    assert begun.targets([wish(topic=Topic.ALL)]) == (OTHER,)


def test_a_question_is_news_of_its_own() -> None:
    """Gates are approvals that are asked for; whether something happened at the service is none."""
    job = a_job(state=JobState.RUNNING)
    gate = a_prompt(rule=Rule(approvers=(BORA.user, "S0OPS")))
    doubt = a_prompt("p2", subject=Subject.DID_START)
    asked, unsure = news_of(step(job, Event.OFFER, opens=(gate, doubt)))
    assert Topic.APPROVALS in asked.topics
    assert unsure.topics == {Topic.ALL}
    assert asked.calls == (BORA.user, ADA.user) == called_by(job, gate)
    assert unsure.calls == (ADA.user,)


def test_a_mute_holds_for_what_it_names_and_as_long() -> None:
    """A training, or those of a service and a pattern; from when it was set until it ends."""
    job, hour = a_job(), timedelta(hours=1)
    mine = Mute(id="m", since=NOW, until=NOW + hour, job_id=job.id)
    models = replace(mine, job_id="", about=About(provider="sestek", model="my*"))
    for mute in (mine, models):
        habits = Habits(user=ADA.user, mutes=(mute,))
        assert habits.is_muted(job, NOW)
        assert not habits.is_muted(job, NOW - hour)
        assert not habits.is_muted(job, NOW + hour)
        assert habits.at_work(NOW + hour).mutes == ()
    assert not mine.holds(a_job("j2"), NOW)
    assert not models.holds(replace(job, request=replace(job.request, model="other")), NOW)


@pytest.mark.parametrize(
    ("moment", "zone", "is_quiet"),
    [
        ("2026-07-01T19:59", "Europe/Berlin", False),  # 21:59 in summer
        ("2026-07-01T20:00", "Europe/Berlin", True),
        ("2026-12-01T20:30", "Europe/Berlin", False),  # 21:30 in winter
        ("2026-12-01T21:00", "Europe/Berlin", True),
        ("2026-03-28T21:30", "Europe/Berlin", True),  # the night in which the clock goes forward: 05:00 UTC is 07:00
        ("2026-03-29T04:59", "Europe/Berlin", True),
        ("2026-03-29T05:00", "Europe/Berlin", False),
        ("2026-10-25T05:59", "Europe/Berlin", True),  # the night in which it goes back: 06:00 UTC is 07:00
        ("2026-10-25T06:00", "Europe/Berlin", False),
        ("2026-12-01T13:00", "Asia/Seoul", True),
        ("2026-12-01T12:59", "Asia/Seoul", False),
        ("2026-12-01T22:00", "", True),  # Slack tells no zone: UTC
        ("2026-12-01T21:59", "", False),
    ],
)
def test_quiet_hours_follow_the_clock_of_the_person(moment: str, zone: str, is_quiet: bool) -> None:
    """From 22:00 to 07:00 by the clock on the wall, in summer, in winter and in the nights between."""
    assert Habits(user=ADA.user, quiet=NIGHT).is_quiet(at(moment), zone) is is_quiet


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 8), ("2026-10-24", 10), ("2026-06-01", 9)])
def test_a_night_is_as_long_as_its_clock_says(day: str, hours: int) -> None:
    """The night of the change is an hour shorter, or longer; the digest comes when it is seven."""
    begins = datetime.fromisoformat(f"{day}T22:00+0{1 if day == '2026-03-28' else 2}:00").astimezone(UTC)
    ends = end_of_quiet(replace(NIGHT, zone="Europe/Berlin"), begins)
    assert ends - begins == timedelta(hours=hours)


def test_the_policy_lets_questions_pass_quiet_hours_but_no_mute() -> None:
    """Whoever muted a training is not called about it at any hour."""
    night, job = at("2026-12-01T23:00"), a_job()
    asleep = Habits(user=ADA.user, quiet=NIGHT)
    assert asleep.is_silent(job, night, "UTC", passes=False)
    assert not asleep.is_silent(job, night, "UTC", passes=True)
    mute = Mute(id="m", since=night, until=night + timedelta(hours=1))
    assert replace(asleep, mutes=(mute,)).is_silent(job, night, "UTC", passes=True)


def test_a_rule_that_says_nothing_new_keeps_its_digest() -> None:
    """What was asked before the key came is not asked anew because of it; where it is set, it counts."""
    assert "pass_quiet" not in Rule().as_json()
    assert Rule(pass_quiet=True).as_json()["pass_quiet"] is True
