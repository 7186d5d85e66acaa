"""The Home tab: what waits for whoever looks, what is alive and what ended last, and what is pressed there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.domain.jobs import AT_SERVICE, Job, JobState
from bot.domain.requests import Actor, TrainRequest
from bot.usecases.moves import first_change
from sandbox.slack import blockkit
from sandbox.slack.views import OpenView
from tests.flows.lab import ADA, BORA, CHANNEL, CHIE, DAN, PATIENCE, Lab, Mode, lab, until
from tests.short import short

SESTEK = "/train sestek my-model en-US"
START: dict[str, Any] = {"SWITCHYARD_APPROVALS__START": '["sestek"]'}
PARTS = ("Waiting for you", "Your trainings", "Everything else alive", "Recent ends", "What you are told")


async def opened(world: Lab, who: str, fits: Callable[[str], bool] = lambda text: True) -> OpenView:
    """Open the tab; the view as soon as it fits."""
    await world.person(who).open_home()
    return await home(world, who, fits)


async def home(world: Lab, who: str, fits: Callable[[str], bool] = lambda text: True, *, step: float = 1) -> OpenView:
    """The tab that stands open, as soon as it fits. The clock goes on: changes that come close are drawn together."""
    homes, user = world.world.slack.views.homes, world.person(who).id

    async def is_so() -> bool:
        world.time.advance(seconds=step)
        return user in homes and fits(read(homes[user].view["blocks"]))

    try:
        await until(is_so, PATIENCE)
    except TimeoutError:
        raise AssertionError(read(homes[user].view["blocks"]) if user in homes else "no Home") from None
    assert blockkit.view_findings(homes[user].view) == []
    return homes[user]


def read(part: Any) -> str:
    """Every text of blocks, in their order, buttons too."""
    if isinstance(part, dict):
        return "\n".join(
            value if key == "text" and isinstance(value, str) else read(value) for key, value in part.items()
        )
    return "\n".join(map(read, part)) if isinstance(part, list | tuple) else ""


def parts(view: OpenView) -> dict[str, str]:
    """The text of each part, by the beginning of its heading."""
    found: dict[str, list[str]] = {name: [] for name in PARTS}
    name = ""
    for block in view.view["blocks"]:
        if block["type"] == "header":
            name = next(part for part in PARTS if block["text"]["text"].startswith(part))
        if name:
            found[name].append(read(block))
    return {name: "\n".join(texts) for name, texts in found.items()}


def elements(view: OpenView) -> list[tuple[str, dict[str, Any]]]:
    """Every button with the id of its block."""
    found = []
    for block in view.view["blocks"]:
        inside = [*block.get("elements", []), *([block["accessory"]] if "accessory" in block else [])]
        found += [(block["block_id"], one) for one in inside if one.get("type") == "button"]
    return found


def labels(view: OpenView) -> list[str]:
    """What stands on the buttons, but for those that the tab always has."""
    always = ("Start a training", "Change what you are told")
    return [one["text"]["text"] for _, one in elements(view) if one["text"]["text"] not in always]


async def press(world: Lab, view: OpenView, label: str, who: str) -> None:
    block_id, element = next((id_, one) for id_, one in elements(view) if one["text"]["text"] == label)
    outcome = await world.person(who).click_in_view(view, element["action_id"], block_id=block_id)
    assert outcome.ok, outcome


@pytest.mark.parametrize("mode", short(["socket", "http"], "socket"))
async def test_a_question_is_decided_on_the_tab(tmp_path: Path, mode: Mode) -> None:
    """It stands there for whom it waits, with the buttons of its message; a press is answered on the tab itself."""
    async with lab(tmp_path, mode=mode, **START) as world:
        await world.type(SESTEK)
        await world.reaches(JobState.PROPOSED)
        view = await opened(world, "bora")
        waiting = parts(view)["Waiting for you"]
        assert "Waiting for you (1)" in waiting
        assert "May this training start?" in waiting
        assert "SHA-256" in waiting
        assert {"Approve", "Reject", "Why?"} <= set(labels(view))
        assert "Withdraw" not in labels(view)  # that is for who asked
        await press(world, view, "Why?", "bora")
        view = await home(world, "bora", lambda text: "To what you pressed here last" in text)
        assert f"<@{BORA}>" in read(view.view["blocks"])
        assert "You may decide this now:" in read(view.view["blocks"])
        await press(world, view, "Approve", "bora")
        view = await home(world, "bora", lambda text: "Thank you: approved." in text)
        assert "Nothing waits for your decision." in parts(view)["Waiting for you"]
        view = await home(world, "bora", lambda text: ": live" in text)
        assert "my-model" in parts(view)["Recent ends"]
        assert len(world.world.services.sestek.starts) == 1


async def test_the_asker_sees_the_own_training_and_cannot_decide_it(tmp_path: Path) -> None:
    """What waits for others does not wait for who asked; the own training can be cancelled, as on its card."""
    async with lab(tmp_path, **START) as world:
        await world.type(SESTEK)
        job = await world.reaches(JobState.PROPOSED)
        view = await opened(world, "ada")
        shown = parts(view)
        assert "Nothing waits for your decision." in shown["Waiting for you"]
        assert "Your trainings (1)" in shown["Your trainings"]
        assert job.id in shown["Your trainings"]
        assert "No training of anybody else" in shown["Everything else alive"]
        assert labels(view) == ["Cancel"]
        await press(world, view, "Cancel", "ada")
        view = await home(world, "ada", lambda text: "Cancelled; nothing was started." in text)
        await world.reaches(JobState.CANCELLED)
        view = await home(world, "ada", lambda text: "None of yours is alive" in text)
        assert job.id in parts(view)["Recent ends"]


async def test_somebody_else_sees_what_is_alive_without_buttons_that_would_be_refused(tmp_path: Path) -> None:
    """Dan is no approver: the training is listed for him, and nothing can be pressed that he may not do."""
    async with lab(tmp_path, **START) as world:
        await world.type(SESTEK)
        job = await world.reaches(JobState.PROPOSED)
        view = await opened(world, "dan")
        shown = parts(view)
        assert "Nothing waits for your decision." in shown["Waiting for you"]
        assert job.id in shown["Everything else alive"]
        assert labels(view) == []


async def test_a_rejection_asks_for_its_reason_and_answers_on_the_tab(tmp_path: Path) -> None:
    """The form opens over the tab; closed, the tab says what became of it."""
    async with lab(tmp_path, **START) as world:
        await world.type(SESTEK)
        await world.reaches(JobState.PROPOSED)
        view = await opened(world, "chie")
        await press(world, view, "Reject", "chie")
        person = world.person("chie")
        await world.world.slack.wait_for(lambda: person.view, timeout=PATIENCE, what="the form")
        assert person.view is not None
        typed = {"reason": {"reason": {"type": "plain_text_input", "value": "the data is stale"}}}
        assert (await person.submit(person.view, typed)).ok
        await home(world, "chie", lambda text: "Thank you: rejected." in text and "Recent ends" in text)
        assert (await world.reaches(JobState.REJECTED)).id
        assert world.starts() == 0


async def test_an_outdated_tab_is_answered(tmp_path: Path) -> None:
    """A press on a question that somebody else has decided meanwhile does nothing, and the tab says who decided."""
    async with lab(tmp_path, training_seconds=60, **START) as world:
        await world.type(SESTEK)
        await world.reaches(JobState.PROPOSED)
        old = await opened(world, "chie")
        await press(world, await opened(world, "bora"), "Approve", "bora")
        await home(world, "bora", lambda text: "Thank you: approved." in text)
        block_id, element = next((id_, one) for id_, one in elements(old) if one["text"]["text"] == "Approve")
        kept = world.world.slack.views.homes[old.user]
        world.world.slack.views.homes[old.user] = replace(kept, view=old.view)  # what still stands on her screen
        outcome = await world.person("chie").click_in_view(kept, element["action_id"], block_id=block_id)
        assert outcome.ok
        await home(world, "chie", lambda text: f"already approved by <@{BORA}>" in text)


async def test_a_tab_follows_for_ten_minutes(tmp_path: Path) -> None:
    """What changes is drawn while somebody may be looking; a tab opened long ago is drawn when it is opened."""
    async with lab(tmp_path, training_seconds=60, **START) as world:
        await opened(world, "bora", lambda text: "No training of anybody else" in text)
        await world.type(SESTEK)
        await home(world, "bora", lambda text: "Waiting for you (1)" in text)
        world.later(minutes=11)
        job = await world.reaches(JobState.PROPOSED)
        await world.quiet()
        published = publications(world)
        prompt = await world.asked("May this training start?")
        await world.press(prompt, "Approve", "chie")
        await world.reaches(JobState.QUEUED, JobState.RUNNING)
        await world.quiet()
        assert publications(world) == published
        view = await opened(world, "bora", lambda text: "Nothing waits" in text)
        assert job.id in parts(view)["Everything else alive"]


def publications(world: Lab) -> int:
    return sum(call.method == "views.publish" for call in world.world.slack.calls)


async def test_the_messages_tab_draws_nothing(tmp_path: Path) -> None:
    """Slack tells of both tabs with one event; only one of them is ours to draw."""
    async with lab(tmp_path) as world:
        await world.person("ada").open_home("messages")
        await opened(world, "bora")
        assert set(world.world.slack.views.homes) == {BORA}


async def test_a_group_is_read_before_it_is_known_for_whom_a_question_waits(tmp_path: Path) -> None:
    """Until then the question is listed with a word on it; the press is kept, and answered on the tab."""
    approvers = {**START, "SWITCHYARD_APPROVALS__APPROVERS": '["S0MLOPS001"]'}
    async with lab(tmp_path, **approvers) as world:
        unreadable = {"method": "usergroups.users.list", "times": 100_000, "error": "internal_error"}
        world.refusals.add("internal_error")
        await world.world.slack.switch("fail", unreadable)
        await world.type(SESTEK)
        await world.reaches(JobState.PROPOSED)
        await world.person("bora").open_home()
        view = await home(world, "bora", lambda text: "Checking who is in <!subteam^S0MLOPS001>" in text, step=0)
        await press(world, view, "Approve", "bora")
        await home(world, "bora", lambda text: "your click is kept" in text, step=0)
        await world.world.slack.switch("fail", None)
        await home(world, "bora", lambda text: "Thank you: approved." in text)
        await world.job(lambda one: one.state is not JobState.PROPOSED)


@pytest.mark.proof
async def test_a_group_is_read_for_the_buttons_of_the_tab(tmp_path: Path) -> None:
    """No question is open, so nobody has its members read: whoever opens the tab has, and sees what one may press."""
    approvers: dict[str, Any] = {"SWITCHYARD_APPROVALS__APPROVERS": '["S0MLOPS001"]'}
    line = "/train decthings mdl-sentiment st-new data=dataset:ds-reviews/train epochs=u32:2 launcher=ln-small"
    async with lab(tmp_path, training_seconds=60, **approvers) as world:
        await world.type(line)
        await world.job(lambda one: one.state in AT_SERVICE)
        await opened(world, "bora")
        view = await home(world, "bora", lambda text: "Cancel" in text)
        await opened(world, "dan")
        assert "Cancel" not in labels(await home(world, "dan"))
        await press(world, view, "Cancel", "bora")
        await home(world, "bora", lambda text: "asked to stop" in text)


async def test_another_policy_changes_what_waits_for_whom(tmp_path: Path) -> None:
    """Somebody who may decide from now on finds the question on the open tab."""
    policy = tmp_path / "policy.toml"
    policy.write_text(rule(BORA), "utf-8")
    async with lab(tmp_path, SWITCHYARD_APPROVALS__POLICY=str(policy), **START) as world:
        await world.type(SESTEK)
        await world.reaches(JobState.PROPOSED)
        await opened(world, "chie", lambda text: "Nothing waits" in text)
        policy.write_text(rule(CHIE), "utf-8")
        await home(world, "chie", lambda text: "Waiting for you (1)" in text)


@pytest.mark.proof
async def test_what_somebody_has_approved_waits_for_others(tmp_path: Path) -> None:
    """Of two approvals the first is counted; from then on it waits for whoever has not approved."""
    policy = tmp_path / "policy.toml"
    policy.write_text(rule(BORA, CHIE) + "approvals = 2\n", "utf-8")
    async with lab(tmp_path, SWITCHYARD_APPROVALS__POLICY=str(policy), **START) as world:
        await world.type(SESTEK)
        await world.reaches(JobState.PROPOSED)
        await opened(world, "chie", lambda text: "Waiting for you (1)" in text)
        await press(world, await opened(world, "bora"), "Approve", "bora")
        await home(world, "bora", lambda text: "Nothing waits" in text and "1 more is needed" in text)
        await home(world, "chie", lambda text: f"1 of 2 approvals: <@{BORA}>" in text)


@pytest.mark.proof
async def test_who_asked_and_may_decide_can_withdraw_there(tmp_path: Path) -> None:
    """The question of an approver's own training has the third answer, for nobody but the one who asked."""
    async with lab(tmp_path, SWITCHYARD_APPROVALS__SELF="true", **START) as world:
        await world.type(SESTEK, "chie")
        await world.reaches(JobState.PROPOSED)
        view = await opened(world, "chie")
        assert "Withdraw" in labels(view)
        assert "Withdraw" not in labels(await opened(world, "bora"))
        await press(world, view, "Withdraw", "chie")
        await home(world, "chie", lambda text: "Thank you: withdrawn." in text)
        assert (await world.job(lambda one: one.state is JobState.CANCELLED)).id


def rule(*people: str) -> str:
    approve = ", ".join(f'"{one}"' for one in people)
    return f'[[rule]]\nname = "starts"\nacts = ["start"]\nproviders = ["sestek"]\napprove = [{approve}]\n'


async def test_a_restart_keeps_who_looks_and_what_was_said(tmp_path: Path) -> None:
    """What was pressed before the end of the process is answered after it."""
    async with lab(tmp_path, **START) as world:
        await world.type(SESTEK)
        await world.reaches(JobState.PROPOSED)
        view = await opened(world, "bora")
        await press(world, view, "Approve", "bora")
        await world.restart()
        await home(world, "bora", lambda text: "Thank you: approved." in text and "Nothing waits" in text)


async def test_two_hundred_trainings_with_long_names_in_korean_fit(tmp_path: Path) -> None:
    """Of long lists the first stand there, with the number of the others and the command that lists them."""
    async with lab(tmp_path) as world:
        await fill(world, 200, "모델 학습 " * 13 + "끝끝")
        view = await opened(world, "ada")
        shown = parts(view)
        assert "Your trainings (100)" in shown["Your trainings"]
        assert "and 85 more: `/jobs mine alive`" in shown["Your trainings"]
        assert "Everything else alive (100)" in shown["Everything else alive"]
        assert "and 85 more: `/jobs all alive`" in shown["Everything else alive"]
        assert "모델 학습" in shown["Everything else alive"]


async def fill(world: Lab, count: int, model: str) -> None:
    """Living trainings, half of them Ada's, that nobody looks at."""
    now = world.time.now()
    for number in range(count):
        asker = Actor(team="T0SWITCHYD", user=(ADA, DAN)[number % 2])
        wish = TrainRequest(
            request_key=f"k{number}", provider="sestek", model=model, params={"n": number}, actor=asker, channel=CHANNEL
        )
        job = Job(
            id=f"jfill{number:03}", request=wish, state=JobState.RUNNING, created_at=now, state_at=now, place=CHANNEL
        )
        change = replace(first_change(world.bot.deps, job, actor=asker), notices=())
        await world.bot.deps.store.request(change, same_since=now, is_exclusive=False)
