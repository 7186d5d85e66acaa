"""What commands answer: help, lists, stories, questions to the services, and the same command once more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.domain.jobs import JobState
from sandbox.slack.workspace import Ephemeral
from tests.flows.lab import Lab, buttons_of, lab, shown
from tests.short import short

TRAIN = "/train sestek my-model en-US"
DECTHINGS = "/train decthings mdl-sentiment st-2 epochs=u32:2"


def labels(message: Ephemeral) -> list[str]:
    return [one["text"]["text"] for one in buttons_of(message)]


async def asked(here: Lab, line: str, who: str = "ada") -> Ephemeral:
    """Ask a service about a training; its answer, which follows the first one."""
    seen = {one.id for one in here.world.slack.ephemerals(who)}
    assert "Asking" in await here.type(line, who)
    return await here.world.slack.wait_for_ephemeral(
        who, lambda one: one.id not in seen and "says `" in shown(one), timeout=30
    )


# -- help and lists ---------------------------------------------------------------------------------------------------


async def test_help_shows_what_can_be_trained_here(tmp_path: Path) -> None:
    """Help names every service with an example, those without credentials with the setting that lacks."""
    async with lab(tmp_path, SWITCHYARD_AITEMS__SECRET_KEY="") as here:
        for line in ("/train help", "/train HELP"):
            said = shown(await here.ask(line))
            for part in ("/train sestek MODEL-ID LANGUAGE", "/train sony churn", "SWITCHYARD_AITEMS__SECRET_KEY"):
                assert part in said
        said = shown(await here.ask("/train help sony"))
        assert "eval=SOURCE" in said
        assert "goes live only after an approval" in said
        assert "Did you mean `sestek`?" in await here.type("/train help sestec")
        assert here.starts() == 0


async def test_status_lists_what_is_alive_in_this_channel(tmp_path: Path) -> None:
    """`/status`, `/train-status` and `/train status` are one: the living trainings of the channel, and no others."""
    async with lab(tmp_path, training_seconds=60) as here:
        assert "No training is alive" in await here.type("/status")
        await here.type(TRAIN)
        await here.type("/train sestek gone en-US data=missing-text.jsonl")
        await here.type("/train deepopinion 1 reviews-2026", channel="C0ALARMS01")
        await here.reaches(JobState.FAILED)
        for line in ("/status", "/train-status", "/train status"):
            said = shown(await here.ask(line))
            assert "Alive in this channel: 1" in said
            assert " my-model " in said
            assert "gone" not in said
            assert "reviews-2026" not in said


async def test_a_story_tells_who_decided_what(tmp_path: Path) -> None:
    """`/status JOB` tells the moves, the data with its checksum, and each decision with its reason."""
    async with lab(tmp_path) as here:
        await here.type("/train sony churn data=churn.csv")
        job = await here.reaches(JobState.OFFERED)
        await here.reject(await here.prompt(), "chie", "Too few rows")
        await here.reaches(JobState.REJECTED)
        await here.press(await here.changed(here.cards()[0], "*rejected*"), "Offer again", "ada")
        await here.press(await here.prompt(), "Approve", "bora")
        await here.reaches(JobState.LIVE)
        for line in (f"/status {job.id}", f"/train-status {job.id.upper()}", f"/train status {job.id}"):
            story = shown(await here.ask(line, "dan"))
            for part in ("<@U0ADA00001>", "churn.csv", "240 rows", "Rejected by <@U0CHIE0001>", "Too few rows"):
                assert part in story
            assert job.plan is not None
            assert job.plan.payload is not None
            assert job.plan.payload.sha256 in story
            assert "Approved by <@U0BORA0001>" in story
            assert "*live*" in story
        assert "one word too many" in await here.type(f"/status {job.id} now")


async def test_the_history_is_filtered_and_turns_pages(tmp_path: Path) -> None:
    """`/jobs` shows ten a page, newest first, by place, person, service, state, age and text, in any order."""
    async with lab(tmp_path) as here:
        for number in range(1, 25):
            who, channel = ("bora", "C0ALARMS01") if number % 3 == 0 else ("ada", "C0TRAIN001")
            await here.type(f"/train sestek m-{number:02} en-US data=missing-text.jsonl", who, channel)
        await here.type("/train deepopinion 1 reviews-2026")
        await here.reaches(JobState.DONE)
        await here.all_ended()

        page = await here.ask("/jobs all")
        assert models(page) == ["reviews-2026", *(f"m-{number:02}" for number in range(24, 15, -1))]
        assert turns(page) == ["Older"]
        page = await here.press(page, "Older", "ada")
        assert models(page) == [f"m-{number:02}" for number in range(15, 5, -1)]
        assert turns(page) == ["Newer", "Older"]
        page = await here.press(page, "Older", "ada")
        assert models(page) == [f"m-{number:02}" for number in range(5, 0, -1)]
        assert turns(page) == ["Newer"]
        assert models(await here.press(page, "Newer", "ada"))[0] == "m-15"

        assert len(models(await here.ask("/jobs"))) == 10
        assert "m-24" not in models(await here.ask("/jobs here"))
        assert models(await here.ask("/jobs mine", "bora"))[:2] == ["m-24", "m-21"]
        assert models(await here.ask("/jobs all trained")) == ["reviews-2026"]
        assert models(await here.ask("/jobs deepopinion all done since=1h")) == ["reviews-2026"]
        assert models(await here.ask("/jobs m-07")) == ["m-07"]
        assert models(await here.ask('/jobs all "data": "missing-text"', "dan")) == []
        here.time.advance(hours=2)
        assert "No training fits" in shown(await here.ask("/jobs all since=1h"))


def turns(page: Ephemeral) -> list[str]:
    return [label for label in labels(page) if label in ("Newer", "Older")]


def models(page: Ephemeral) -> list[str]:
    [rows] = [block["rows"][1:] for block in page.blocks or () if block["type"] == "table"] or [[]]
    return [row[2]["text"] for row in rows]


# -- asking the services ----------------------------------------------------------------------------------------------

STARTS = (
    "/train deepopinion 1 reviews-2026",
    DECTHINGS,
    "/train aitems svcmovies01 pop",
    "/train sony churn",
)


async def references(here: Lab) -> dict[str, tuple[str, str]]:
    """Every training that runs, as `/status` is asked about it, with what ends it at its service."""
    services = here.world.services
    [model] = [one for one in services.deepopinion.models() if one.name == "reviews-2026"]
    [session] = services.decthings.sessions()
    [train] = [one for one in services.aitems.services["svcmovies01"].trains if one.version != "v0pop000001"]
    [job] = services.sony.jobs
    return {
        "deepopinion": (f"1 {model.id}", str(model.id)),
        "decthings": (f"mdl-sentiment {session.id}", session.id),
        "aitems": (f"svcmovies01 pop {train.version}", train.key),
        "sony": (job, job),
    }


async def test_trainings_from_elsewhere_are_asked_about_and_watched_to_their_end(tmp_path: Path) -> None:
    """`/status PROVIDER REF` asks the service, says whether it was started here, and [Watch] follows it to its end."""
    async with lab(tmp_path, training_seconds=600) as here:
        for line in STARTS:
            await here.type(line)
        for service in here.world.services.all[1:]:
            await here.looked(service, 2)
        known = await references(here)
        for name, (words, _) in known.items():
            answer = await asked(here, f"/status {name} {words}", "bora")
            assert "It is watched as `j" in shown(answer)
            assert labels(answer) == []

        await here.restart(SWITCHYARD_DATABASE_URL=f"sqlite:///{tmp_path / 'another.db'}")
        starts = here.starts()
        for name, (words, _) in known.items():
            answer = await asked(here, f"/status {name} {words}")
            assert "It was not started here." in shown(answer)
            said, twin = await asyncio.gather(here.press(answer, "Watch", "ada"), here.press(answer, "Watch", "bora"))
            assert sorted("already" in shown(one) for one in (said, twin)) == [False, True]
            again = await asked(here, f"/train status {name} {words}", "chie")
            assert "It is watched as `j" in shown(again)
            assert "already" in shown(await here.press(answer, "Watch", "chie"))
        assert len(await here.states()) == len(known)

        for name, (_, training) in known.items():
            here.world.slack.act_on_service(name, "finish", training=training)
        here.later(seconds=600)
        await here.job(lambda one: one.state is JobState.OFFERED and one.request.provider == "sony")
        await here.press(await here.asked("May the trained model go live?", "`churn`"), "Approve", "chie")
        here.later(seconds=600)
        await here.press(await here.asked("May the trained model go live?", "`mdl-sentiment`"), "Approve", "chie")
        here.later(seconds=600)
        await here.all_ended()
        ended = {job.request.provider: job.state for job in await here.jobs()}
        assert ended == {
            "deepopinion": JobState.DONE,
            "decthings": JobState.LIVE,
            "aitems": JobState.LIVE,
            "sony": JobState.LIVE,
        }
        assert here.starts() == starts


UNKNOWN = {
    "deepopinion": ("1 4711", "The model does not exist"),
    "decthings": ("mdl-sentiment 22222222-2222-4222-8222-222222222222", "does not know this training session"),
    "aitems": ("svcmovies01 pop nosuchtrain", "The training does not exist"),
    "sony": ("0d3c6f3a-1f7e-4a55-9a0e-5b3f0d6f6f11", "does not know this retrain job"),
}


@pytest.mark.parametrize("service", short(UNKNOWN, "aitems"))
async def test_a_service_that_knows_no_such_training_is_quoted(tmp_path: Path, service: str) -> None:
    """What nobody knows is said in the service's words, and there is nothing to watch."""
    words, said = UNKNOWN[service]
    async with lab(tmp_path) as here:
        assert "Asking" in await here.type(f"/status {service} {words}")
        answer = await here.told("ada", said)
        assert labels(answer) == []


async def test_what_was_started_here_is_recognised_after_its_end(tmp_path: Path) -> None:
    """A training of the history is named with its job, though nobody watches it any more."""
    async with lab(tmp_path) as here:
        await here.type("/train deepopinion 1 reviews-2026")
        job = await here.reaches(JobState.DONE)
        answer = await asked(here, f"/status deepopinion 1 {job.remote_id}")
        assert f"It was started here as `{job.id}`." in shown(answer)
        assert "`READY`: it is trained" in shown(answer)


async def test_sony_is_asked_with_the_key_that_knows_the_job(tmp_path: Path) -> None:
    """Without MODEL the history names it, else each configured key is tried; with MODEL only that one."""
    async with lab(tmp_path, training_seconds=600) as here:
        await here.type("/train sony demand")
        job = await here.reaches(JobState.QUEUED, JobState.RUNNING)
        answer = await asked(here, f"/status sony {job.remote_id}")
        assert f"It is watched as `{job.id}`." in shown(answer)
        assert "`demand`" in shown(answer)
        await here.type(f"/status sony churn {job.remote_id}")
        await here.told("ada", "does not know this retrain job")
        await here.restart(SWITCHYARD_DATABASE_URL=f"sqlite:///{tmp_path / 'another.db'}")
        answer = await asked(here, f"/status sony {job.remote_id}", "bora")
        assert "`demand`" in shown(answer)
        assert "not started here" in shown(answer)
        assert "Did you mean `demand`?" in await here.type(f"/status sony demnad {job.remote_id}")


async def test_looking_at_sestek_is_a_deed(tmp_path: Path) -> None:
    """A look would publish a finished model, so `/status` tells the history, and only the button looks."""
    async with lab(tmp_path, training_seconds=600) as here:
        sestek = here.world.services.sestek
        await here.type(TRAIN)
        job = await here.reaches(JobState.QUEUED, JobState.RUNNING)
        answer = await asked(here, "/status sestek my-model")
        assert f"It is watched as `{job.id}`." in shown(answer)

        await here.restart(SWITCHYARD_DATABASE_URL=f"sqlite:///{tmp_path / 'another.db'}")
        sestek.act("finish", training="my-model")
        seen = len(sestek.requests)
        said = await here.ask("/status sestek my-model")
        assert "not started here" in shown(said)
        assert labels(said) == ["Look: publishes the model if it is finished"]
        assert len(sestek.requests) == seen
        assert sestek.switches == []
        assert "Asking" in shown(await here.press(said, labels(said)[0], "ada"))
        looked = await here.told("ada", "`Completed`: it is trained")
        assert len(sestek.switches) == 1
        await here.press(looked, "Watch", "ada")
        here.later(seconds=600)
        await here.reaches(JobState.LIVE)


@pytest.mark.proof
async def test_looking_at_sestek_falls_under_the_rule_for_starts(tmp_path: Path) -> None:
    """Where a start needs an approval, only who may approve one may look at what a look would publish."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__START='["sestek"]') as here:
        said = await here.ask("/status sestek my-model", "dan")
        look = labels(said)[0]
        assert "not among the approvers" in shown(await here.press(said, look, "dan"))
        assert here.world.services.sestek.requests == []
        said = await here.ask("/status sestek my-model", "chie")
        assert "Asking" in shown(await here.press(said, look, "chie"))
        await here.told("chie", "There is no entity Experiment")


# -- the same once more -----------------------------------------------------------------------------------------------


async def test_a_command_that_is_delivered_twice_makes_one_training(tmp_path: Path) -> None:
    """The same trigger gets the same answer, at once or later, also from the next process."""
    async with lab(tmp_path) as here:
        said = await here.ask(TRAIN)
        [delivery] = [one for one in here.world.slack.deliveries if one.type == "slash_commands"]
        courier = here.world.slack.courier
        twins = await asyncio.gather(
            *(courier.deliver("slash_commands", delivery.payload, accepts_response=True) for _ in range(3))
        )
        assert {twin.payload["text"] for twin in twins} == {said.text}
        await here.reaches(JobState.LIVE)
        await here.restart()
        late = await courier.deliver("slash_commands", delivery.payload, accepts_response=True)
        assert late.payload["text"] == said.text
        assert len(await here.states()) == 1
        assert here.starts() == 1


@pytest.mark.proof
async def test_the_same_wish_within_a_minute_starts_nothing_new(tmp_path: Path) -> None:
    """Typed again it is answered with the living job and [Start another], which starts one more, once."""
    async with lab(tmp_path, training_seconds=600) as here:
        line = "/train sony churn data=churn.csv"
        await here.type(line)
        job = await here.reaches(JobState.QUEUED, JobState.RUNNING)
        same = await here.ask(line.replace("churn data", "CHURN  data"))
        assert f"`{job.id}`" in shown(same)
        assert "Nothing new was started" in shown(same)
        assert labels(same) == ["Start another"]
        assert "somebody else's command" in shown(await here.press(same, "Start another", "bora"))
        assert here.starts() == 1
        ada = here.person("ada")
        await asyncio.gather(ada.click(same, "start_another"), ada.click(same, "start_another"))
        assert "Got it" in shown(await here.press(same, "Start another", "ada"))
        await here.looked(here.world.services.sony, 1, "PUT", "uploads")
        [(one,), (other,)] = await here.rows("SELECT id FROM jobs")
        assert one != other
        await here.quiet()
        assert here.starts() == 2


async def test_enter_pressed_twice_makes_one_training(tmp_path: Path) -> None:
    """Two equal commands at the same instant: one is kept, the other is answered with its job."""
    async with lab(tmp_path) as here:
        said = await asyncio.gather(here.type(TRAIN), here.type(TRAIN))
        assert sorted("Got it" in one for one in said) == [False, True]
        await here.reaches(JobState.LIVE)
        assert len(await here.states()) == 1
        assert here.starts() == 1


async def test_what_is_watched_where_the_bot_may_not_post_is_told(tmp_path: Path) -> None:
    """[Watch] in a channel without the bot: the ways on are told, since there is no card to see."""
    async with lab(tmp_path) as here:
        await here.type("/status deepopinion 1 11", channel="C0GENERAL1")
        answer = await here.told("ada", "`READY`: it is trained")
        await here.press(answer, "Watch", "ada")
        told = await here.told("ada", "Switchyard may not post here")
        assert labels(told) == ["Post here", "Use my DM"]
        await here.press(told, "Use my DM", "ada")
        await here.reaches(JobState.DONE)
        assert "*trained*" in shown(here.cards(here.person("ada").dm().id)[0])


@pytest.mark.proof
async def test_a_wish_of_somebody_else_or_later_is_a_new_one(tmp_path: Path) -> None:
    """Only the same person's equal wish of the last minute stands in the way, and only while its job lives."""
    async with lab(tmp_path) as here:
        assert "Got it" in await here.type("/train deepopinion 1 reviews-2026")
        await here.reaches(JobState.DONE)
        assert "Got it" in await here.type("/train deepopinion 1 reviews-2026")
        await here.reaches(JobState.FAILED)
        assert "taken by" in shown(here.cards()[-1])
        assert "Got it" in await here.type("/train sony churn")
        assert "Got it" in await here.type("/train sony churn", "bora")
        here.time.advance(seconds=61)
        assert "Got it" in await here.type("/train sony churn")
        assert here.world.services.deepopinion.arrivals("POST", "models") != []
        assert len(here.world.services.deepopinion.starts) == 1


async def test_another_of_what_trains_once_at_a_time_is_refused(tmp_path: Path) -> None:
    """[Start another] starts nothing that its service would refuse."""
    async with lab(tmp_path, training_seconds=600) as here:
        await here.type(TRAIN)
        await here.reaches(JobState.QUEUED, JobState.RUNNING)
        same = await here.ask(TRAIN)
        assert "trains a model once at a time" in shown(await here.press(same, "Start another", "ada"))
        assert len(await here.states()) == 1
        assert here.starts() == 1
