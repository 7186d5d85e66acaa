"""Services and Slack that fail in every way: nothing is started twice, nothing is ended, and it is said once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.jobs import AT_SERVICE, Job, JobState
from sandbox.services import Service
from sandbox.slack.workspace import Message
from tests.flows.lab import CHANNEL, Lab, lab, shown, until
from tests.short import short

ALARMS = "C0ALARMS01"
DID_START = "Did this training start?"
LINES = {
    "sestek": "/train sestek my-model en-US",
    "deepopinion": "/train deepopinion 1 reviews-2026",
    "decthings": "/train decthings mdl-sentiment st-2 epochs=u32:2",
    "aitems": "/train aitems svcmovies01 pop",
    "sony": "/train sony churn data=churn.csv",
}
STARTS = {
    "sestek": ("POST", "trainings/train"),
    "deepopinion": ("POST", "/models"),
    "decthings": ("POST", "Model/train"),
    "aitems": ("POST", "/services/"),
    "sony": ("PUT", "uploads"),
}
ENDS = {
    "sestek": JobState.LIVE,
    "deepopinion": JobState.DONE,
    "decthings": JobState.OFFERED,
    "aitems": JobState.LIVE,
    "sony": JobState.OFFERED,
}
GARBAGE = ("html", "half", "empty", "redirect")


def service_of(here: Lab, name: str) -> Service:
    return next(one for one in here.world.services.all if one.name == name)


def finish(here: Lab, name: str) -> None:
    """The newest training of the service comes to its good end now."""
    training = service_of(here, name).trainings()[0]["id"]
    assert service_of(here, name).act("finish", training=training)["ok"]


def said(here: Lab, part: str, channel: str = CHANNEL) -> list[str]:
    return [one.text for one in here.cards(channel) if part in one.text]


def questions(here: Lab) -> list[Message]:
    return [one for one in here.cards() if DID_START in shown(one)]


async def running(here: Lab, name: str) -> Job:
    """A training that its service goes on with."""
    await here.type(LINES[name])
    return await here.job(
        lambda one: one.state in AT_SERVICE and one.remote_id is not None and one.look.status is not None
    )


# -- credentials ------------------------------------------------------------------------------------------------------

WRONG_KEYS = {
    "sestek": {"SWITCHYARD_SESTEK__CLIENT_SECRET": "not-the-secret-of-sestek"},
    "deepopinion": {"SWITCHYARD_DEEPOPINION__API_KEY": "not-the-key-of-deepopinion"},
    "decthings": {"SWITCHYARD_DECTHINGS__API_KEY": "not-the-key-of-decthings"},
    "aitems": {"SWITCHYARD_AITEMS__SECRET_KEY": "not-the-secret-of-aitems"},
    "sony": {"SWITCHYARD_SONY__MODELS__CHURN__API_KEY": "not-the-key-of-churn"},
}


@pytest.mark.parametrize("name", short(LINES, "sestek", "decthings"))
async def test_wrong_credentials_start_nothing(tmp_path: Path, name: str) -> None:
    """The training fails with a sentence that names the setting, nothing is started, and no secret is shown."""
    async with lab(tmp_path) as here:
        await here.restart(**WRONG_KEYS[name])
        await here.type(LINES[name])
        await here.reaches(JobState.FAILED)
        card = shown(here.cards()[0])
        [(key, value)] = WRONG_KEYS[name].items()
        assert "does not accept" in card
        assert key.rpartition("__")[0] in card
        assert "Nothing was started." in card
        assert value not in card
        assert here.starts() == 0


@pytest.mark.parametrize("name", short(LINES, "deepopinion"))
async def test_credentials_that_expire_on_the_way_move_nothing(tmp_path: Path, name: str) -> None:
    """While a training runs, refused credentials are said once in the channel; mended, the training goes on."""
    async with lab(tmp_path, training_seconds=600) as here:
        await running(here, name)
        service = service_of(here, name)
        service.act("expire_tokens")
        service.act("unauthorized", on=True)
        for _ in range(6):
            await here.looked(service, 1)
            here.time.advance(seconds=2)
        await here.quiet()
        assert (await here.job()).state in AT_SERVICE
        assert len(said(here, "has not answered")) == 1
        assert "does not accept" in said(here, "has not answered")[0]
        service.act("unauthorized", on=False)
        finish(here, name)
        here.time.advance(seconds=5)
        await here.job(lambda one: one.state in (ENDS[name], JobState.DONE))
        await here.quiet()
        assert len(said(here, "answers again")) == 1
        assert len(service.starts) == 1


# -- garbage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    short(
        [(name, kind) for name in LINES for kind in GARBAGE],
        ("deepopinion", "half"),
        ("decthings", "empty"),
        ("aitems", "redirect"),
        ("sony", "html"),
    ),
)
async def test_a_start_whose_answer_is_garbage_is_found(tmp_path: Path, name: str, kind: str) -> None:
    """A web page, half a JSON, nothing or a redirect: the start may have happened, so it is looked for, and found."""
    async with lab(tmp_path, training_seconds=600) as here:
        method, path = STARTS[name]
        service = service_of(here, name)
        service.fail_next(kind, method=method, path_contains=path, after_work=True)
        await here.type(LINES[name])
        await here.looked(service, 3)
        here.world.clock.advance(150)
        await here.job(lambda one: one.state in AT_SERVICE and one.remote_id is not None)
        await here.quiet()
        assert len(service.starts) == 1
        assert len(service.arrivals(method, path)) == 1
        assert questions(here) == []


# For an upload to a storage a 2xx with an unknown body is a yes: what storages answer is not documented.
UNCLEAR = [(name, kind) for name in LINES for kind in GARBAGE if name != "sony" or kind in ("html", "redirect")]


@pytest.mark.parametrize(("name", "kind"), short(UNCLEAR, ("sestek", "html"), ("aitems", "redirect")))
async def test_a_start_that_is_not_found_is_asked_about_once(tmp_path: Path, name: str, kind: str) -> None:
    """The same answers, and nothing was started: it is not started again, and one question is asked."""
    async with lab(tmp_path) as here:
        method, path = STARTS[name]
        service = service_of(here, name)
        service.fail_next(kind, method=method, path_contains=path)
        await here.type(LINES[name])
        await here.job(lambda one: one.state is JobState.UNSURE)
        await here.looked(service, 3)
        here.later(minutes=31)
        prompt = await here.asked(DID_START)
        await here.looked(service, 3)
        await here.quiet()
        assert questions(here) == [prompt]
        assert service.starts == []
        assert len(service.arrivals(method, path)) == 1


@pytest.mark.parametrize("name", short(LINES, "aitems"))
async def test_garbage_on_the_way_moves_nothing(tmp_path: Path, name: str) -> None:
    """While a training runs, no garbage is an answer: no move, one line, and the end is seen when it is over."""
    async with lab(tmp_path, training_seconds=600) as here:
        job = await running(here, name)
        service = service_of(here, name)
        moves = len(await here.bot.deps.store.transitions(job.id))
        for kind in (*GARBAGE, "cut", "500"):
            service.act("outage", kind=kind)
            await here.looked(service, 1)
            here.time.advance(seconds=2)
        await here.looked(service, 1)
        assert len(await here.bot.deps.store.transitions(job.id)) == moves
        service.act("outage", kind=None)
        finish(here, name)
        here.time.advance(seconds=5)
        await here.job(lambda one: one.state in (ENDS[name], JobState.DONE))
        await here.quiet()
        assert len(said(here, "has not answered")) == 1
        assert len(said(here, "answers again")) == 1
        assert len(service.starts) == 1


@pytest.mark.parametrize("name", short(LINES, "sony"))
async def test_a_service_that_is_down_before_the_start_is_tried_again(tmp_path: Path, name: str) -> None:
    """Connections refused: surely nothing was sent, so the start is tried again, and happens once."""
    async with lab(tmp_path) as here:
        service = service_of(here, name)
        service.act("outage", kind="refused")
        await here.type(LINES[name])
        await here.world.slack.wait_for_message(CHANNEL, lambda one: "cannot be reached" in shown(one), timeout=30)
        await here.restart()
        for _ in range(4):
            here.time.advance(seconds=5)
            await here.quiet()
        assert here.starts() == 0
        service.act("outage", kind=None)
        here.time.advance(seconds=5)
        await here.job(lambda one: one.state is ENDS[name])
        assert len(service.starts) == 1


@pytest.mark.parametrize("name", short([name for name in LINES if name != "sestek"], "deepopinion"))
async def test_garbage_before_the_start_starts_nothing(tmp_path: Path, name: str) -> None:
    """What is read before a start cannot be read: nothing is sent, the card says why, and it is tried again."""
    async with lab(tmp_path) as here:
        service = service_of(here, name)
        service.act("outage", kind="html")
        await here.type(LINES[name])
        why = "text/html" if name == "decthings" else "a web page"
        await here.world.slack.wait_for_message(CHANNEL, lambda one: why in shown(one), timeout=30)
        assert [job.state for job in await here.jobs()] == [JobState.APPROVED]
        service.act("outage", kind=None)
        here.time.advance(seconds=5)
        await here.job(lambda one: one.state is ENDS[name])
        assert len(service.starts) == 1


# -- said once --------------------------------------------------------------------------------------------------------


async def test_an_outage_is_told_once_in_each_channel_with_a_job_there(tmp_path: Path) -> None:
    """One line after three failed looks, one when it is back; a restart in between tells nothing twice."""
    async with lab(tmp_path, training_seconds=600) as here:
        deepopinion = here.world.services.deepopinion
        for number, channel in enumerate((CHANNEL, CHANNEL, ALARMS)):
            await here.type(f"/train deepopinion 1 reviews-{number}", channel=channel)
        await here.type(LINES["decthings"], channel="C0ALARMS01")
        await here.looked(deepopinion, 6, "GET")
        deepopinion.act("outage", kind="503")
        for _ in range(4):
            await here.looked(deepopinion, 3)
            here.time.advance(seconds=2)
        await here.restart()
        for _ in range(3):
            await here.looked(deepopinion, 3)
            here.time.advance(seconds=2)
        await here.quiet()
        for channel in (CHANNEL, ALARMS):
            [line] = said(here, "has not answered", channel)
            assert "DeepOpinion Studio" in line
            assert "nothing is lost" in line
        deepopinion.act("outage", kind=None)
        here.time.advance(seconds=10)
        await here.looked(deepopinion, 6)
        await here.restart()
        await here.looked(deepopinion, 6)
        await here.quiet()
        for channel in (CHANNEL, ALARMS):
            assert len(said(here, "answers again", channel)) == 1
            assert len(said(here, "has not answered", channel)) == 1


@pytest.mark.proof
async def test_two_failed_looks_are_not_an_outage(tmp_path: Path) -> None:
    """A hiccup is on the card and nowhere else."""
    async with lab(tmp_path, training_seconds=600) as here:
        await running(here, "deepopinion")
        deepopinion = here.world.services.deepopinion
        deepopinion.fail_next("500", times=2)
        await here.looked(deepopinion, 5)
        await here.quiet()
        assert said(here, "has not answered") == []
        assert said(here, "answers again") == []


@pytest.mark.proof
async def test_with_an_alarm_channel_outages_are_told_there_alone(tmp_path: Path) -> None:
    """SWITCHYARD_SLACK__ALARM_CHANNEL keeps the channels of the trainings quiet; their cards carry the detail."""
    async with lab(tmp_path, training_seconds=600, SWITCHYARD_SLACK__ALARM_CHANNEL=ALARMS) as here:
        await running(here, "deepopinion")
        deepopinion = here.world.services.deepopinion
        deepopinion.act("outage", kind="503")
        for _ in range(4):
            await here.looked(deepopinion, 1)
            here.time.advance(seconds=2)
        await here.changed(here.cards()[0], "HTTP 503")
        deepopinion.act("outage", kind=None)
        here.time.advance(seconds=5)
        await here.looked(deepopinion, 2)
        await here.quiet()
        assert len(said(here, "has not answered", ALARMS)) == 1
        assert len(said(here, "answers again", ALARMS)) == 1
        assert said(here, "has not answered") == []
        assert said(here, "answers again") == []


async def test_a_service_that_asks_to_slow_down_is_not_away(tmp_path: Path) -> None:
    """A rate limit is obeyed, moves nothing and is no outage."""
    async with lab(tmp_path, training_seconds=600) as here:
        job = await running(here, "deepopinion")
        deepopinion = here.world.services.deepopinion
        deepopinion.act("rate_limited", on=True)
        for _ in range(5):
            await here.looked(deepopinion, 1)
            here.time.advance(seconds=2)
        await here.quiet()
        assert said(here, "has not answered") == []
        deepopinion.act("rate_limited", on=False)
        deepopinion.act("finish", training=job.remote_id)
        here.time.advance(seconds=2)
        await here.reaches(JobState.DONE)


# -- Slack, and ourselves ---------------------------------------------------------------------------------------------

CUTS = ("drop_request", "drop_reply")


@pytest.mark.parametrize("cut", short(CUTS, "drop_reply"))
async def test_slack_that_is_down_is_caught_up_with(tmp_path: Path, cut: str) -> None:
    """Slack cuts every call while a training runs to its end: afterwards each message stands there, once."""
    async with lab(tmp_path, training_seconds=1) as here:
        await here.type(LINES["deepopinion"])
        await here.job(lambda one: one.state in AT_SERVICE)
        await here.world.slack.switch(cut, {"method": "*", "times": 100_000})
        await here.job(lambda one: one.state is JobState.DONE)
        await here.world.slack.switch(cut, None)
        here.time.advance(minutes=10)
        await here.quiet()
        assert "*trained*" in shown(here.cards()[0])
        assert len(here.cards()) == 1
        texts = here.thread()
        assert [texts.count(text) for text in texts] == [1] * len(texts)
        assert "<@U0ADA00001>" in texts[-1]
        await here.restart()
        await here.quiet()
        assert here.thread() == texts


def posts_to(here: Lab, channel: str) -> int:
    return sum(call.args["channel"] == channel for call in here.world.slack.calls_of("chat.postMessage"))


async def test_a_restart_while_slack_does_not_say_who_we_are_lets_people_in(tmp_path: Path) -> None:
    """What it said at the start before is known, so that commands and trainings go on."""
    async with lab(tmp_path) as here:
        here.refusals.add("internal_error")

        async def is_known() -> bool:
            return await here.bot.deps.store.identity() is not None

        await until(is_known)
        await here.stop()
        await here.world.slack.switch("fail", {"method": "auth.test", "times": 100_000, "error": "internal_error"})
        await here.start()
        assert "Got it" in await here.type(LINES["sestek"])
        await here.reaches(JobState.LIVE)


async def test_slacks_request_to_wait_is_obeyed(tmp_path: Path) -> None:
    """After a 429 nothing is posted into that channel before its time, while the training and other calls go on."""
    async with lab(tmp_path, training_seconds=600) as here:
        await here.type(LINES["deepopinion"])
        await here.reaches(JobState.QUEUED, JobState.RUNNING)
        slack = here.world.slack
        await slack.switch("rate_limited", {"method": "chat.postMessage", "retry_after": 600})
        here.world.services.deepopinion.act("word", training="12", word="POLISHING")
        await slack.wait_for(lambda: any(call.status == 429 for call in slack.calls), timeout=30, what="the refusal")
        posts = posts_to(here, CHANNEL)
        here.world.services.deepopinion.act("word", training="12", word=None)
        here.world.services.deepopinion.act("finish", training="12")
        await here.job(lambda one: one.state is JobState.DONE)
        await here.type("/train sestek gone en-US data=missing-text.jsonl", channel=ALARMS)
        await slack.wait_for_message(ALARMS, lambda one: "*failed*" in one.text, timeout=30)
        assert posts_to(here, CHANNEL) == posts
        await here.restart()
        here.time.advance(seconds=600)
        await here.quiet()
        assert "*trained*" in here.thread()[-1]


@pytest.mark.parametrize("name", short(LINES, "decthings"))
async def test_an_end_during_our_absence_is_told_once(tmp_path: Path, name: str) -> None:
    """The bot is down while a training ends; the next process catches up, and posts the end once."""
    async with lab(tmp_path, training_seconds=600) as here:
        await running(here, name)
        await here.quiet()
        before = len(here.thread())
        await here.stop()
        finish(here, name)
        here.later(minutes=20)
        await here.start()
        await here.job(lambda one: one.state in (ENDS[name], JobState.DONE))
        here.later(minutes=5)
        await here.job(lambda one: one.state is ENDS[name])
        await here.quiet()
        texts = here.thread()[before:]
        assert texts
        assert [texts.count(text) for text in texts] == [1] * len(texts)
        await here.restart()
        await here.quiet()
        assert here.thread()[before:] == texts
        assert len(service_of(here, name).starts) == 1
