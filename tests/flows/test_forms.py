"""The form of a training: opened in time, filled by the services, checked field by field, sent like a command."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.domain.jobs import Job, JobState
from sandbox.slack import Outcome
from sandbox.slack.views import OpenView
from sandbox.slack.workspace import Ephemeral, Message
from tests.flows.lab import CHANNEL, Lab, Mode, button, data_folder, lab, shown
from tests.short import short

PATIENCE = 30


async def opened(here: Lab, who: str = "ada", *, field: str = "provider") -> OpenView:
    """The form on somebody's screen, once it has this field."""
    person = here.person(who)

    def is_there() -> bool:
        return person.view is not None and field in fields(person.view)

    await here.world.slack.wait_for(is_there, timeout=PATIENCE, what=f"a form with {field}")
    assert person.view is not None
    return person.view


def fields(view: OpenView) -> dict[str, dict[str, Any]]:
    """The elements of the form's inputs, by their blocks."""
    return {block["block_id"]: block["element"] for block in view.view["blocks"] if block["type"] == "input"}


def offered(view: OpenView, block: str) -> list[str]:
    return [option["value"] for option in fields(view)[block].get("options", [])]


def filled(view: OpenView) -> dict[str, str]:
    """What the form shows before anything is typed into it."""
    found = {}
    for block, element in fields(view).items():
        chosen = [
            *([element["initial_option"]] if "initial_option" in element else []),
            *element.get("initial_options", []),
        ]
        found[block] = element.get("initial_value") or ",".join(option["value"] for option in chosen)
    return {block: text for block, text in found.items() if text}


def said(view: OpenView) -> str:
    texts = [block for block in view.view["blocks"] if block["type"] in {"section", "context"}]
    return "\n".join(str(block.get("text", {}).get("text", "") or block.get("elements")) for block in texts)


async def pick(here: Lab, provider: str, field: str, who: str = "ada") -> OpenView:
    """Choose a service in the open form."""
    view = await opened(here, who)
    outcome = await here.person(who).click_in_view(view, "fill:provider", selected=provider)
    assert outcome.ok, outcome
    return await opened(here, who, field=f"{provider}.{field}")


async def send(here: Lab, view: OpenView, who: str = "ada", **texts: Any) -> Outcome:
    """Fill in fields of the chosen service and send the form; `data__typed` is the field beside a choice."""
    elements = fields(view)
    provider = here.person(who).view and next(name for name in elements if "." in name).partition(".")[0]
    blocks = {f"{provider}.{name.replace('__', '.')}": text for name, text in texts.items()}
    values = {block: {elements[block]["action_id"]: text} for block, text in blocks.items()}
    return await here.person(who).submit(view, values)


async def newest(here: Lab) -> Job:
    return (await here.jobs())[0]


# -- five services ----------------------------------------------------------------------------------------------------

STORIES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "sestek": ("model", {"model": "my-model", "language": "tr-TR"}, {"model": "my-model", "language": "tr-TR"}),
    "deepopinion": (
        "project",
        {"project": "1", "name": "리뷰 2026", "language": "en", "title": 'The "new" one'},
        {"project": 1, "name": "리뷰 2026", "language": "en", "title": 'The "new" one'},
    ),
    "decthings": (
        "model",
        {"model": "mdl-sentiment", "name": "st-2", "launcher": "ln-small", "parameters": "epochs=u32:10\nrate=f64:0.1"},
        {"model": "mdl-sentiment", "name": "st-2", "launcher": "ln-small"},
    ),
    "aitems": (
        "service",
        {"service": "svcmovies01", "types": ["pop", "relatedItem"], "description": "a note", "hp": "item_top_n=20000"},
        {"service": "svcmovies01", "types": ["pop", "relatedItem"], "hp": {"item_top_n": 20000}},
    ),
    "sony": ("model", {"model": "churn", "data": "churn.csv"}, {"model": "churn"}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "mode"),
    short(
        [*((name, "socket") for name in STORIES), ("sestek", "http"), ("aitems", "http")],
        ("decthings", "socket"),
        ("sony", "socket"),
        ("aitems", "http"),
    ),
)
async def test_a_training_is_started_without_knowing_the_grammar(tmp_path: Path, provider: str, mode: Mode) -> None:
    """`/train` alone opens the form; a service, its fields, Start: the same training as by the command."""
    first, texts, params = STORIES[provider]
    async with lab(tmp_path, mode=mode) as here:
        assert await here.type("/train") == ""
        view = await pick(here, provider, first)
        outcome = await send(here, view, **texts)
        assert outcome.ok, outcome
        assert here.person("ada").view is None
        assert "Got it" in shown(await here.told("ada", "Got it"))
        job = await here.job()
        assert (job.request.provider, job.place, job.request.actor.user) == (provider, CHANNEL, here.person("ada").id)
        assert {name: job.request.params.get(name) for name in params} == params
        await here.job(
            lambda one: one.state in {JobState.DONE, JobState.LIVE, JobState.OFFERED, JobState.QUEUED, JobState.RUNNING}
        )
        await here.quiet()
        assert here.starts() == 1


async def test_what_the_services_have_is_offered(tmp_path: Path) -> None:
    """Sessions and base models, data sets and launchers, services, models and files: nobody knows them by heart."""
    async with lab(tmp_path) as here:
        await here.type("/train")
        view = await pick(here, "aitems", "service")
        assert offered(view, "aitems.service") == ["svcmovies01", "svcempty001"]
        view = await pick(here, "decthings", "launcher")
        assert offered(view, "decthings.launcher") == ["ln-small"]
        assert offered(view, "decthings.model") == ["mdl-sentiment", "mdl-shared"]
        assert "train=dataset:ds-reviews/train" in said(view)
        view = await pick(here, "sony", "model")
        assert offered(view, "sony.model") == ["churn", "demand"]
        assert "churn.csv" in offered(view, "sony.data")
        assert "my-model.jsonl" not in offered(view, "sony.data")
        view = await pick(here, "deepopinion", "project")
        assert offered(view, "deepopinion.base") == ["7"]
        assert "options" not in fields(view)["deepopinion.sessions"]
        values = {"deepopinion.project": {"text": "1"}, "deepopinion.name": {"text": "reviews-2026"}}
        await here.person("ada").click_in_view(view, "fill:project", values=values)

        def has_sessions() -> bool:
            top = here.person("ada").view
            return top is not None and offered(top, "deepopinion.sessions") == ["1", "2", "3"]

        await here.world.slack.wait_for(has_sessions, timeout=PATIENCE, what="the sessions")
        outcome = await send(here, await opened(here), sessions=["1", "3"])
        assert outcome.ok, outcome
        assert (await here.job()).request.params == {"project": 1, "name": "reviews-2026", "sessions": [1, 3]}
        await here.all_ended()


async def test_a_service_that_does_not_answer_leaves_fields_to_type_in(tmp_path: Path) -> None:
    """An outage of the service does not keep the form away; it says what could not be read."""
    async with lab(tmp_path) as here:
        here.world.services.decthings.faults.outage = "503"
        await here.type("/train")
        view = await pick(here, "decthings", "model")
        assert "did not say in time" in said(view)
        assert fields(view)["decthings.model"]["type"] == "plain_text_input"


async def test_what_comes_late_does_not_replace_what_is_shown(tmp_path: Path) -> None:
    """A service that answers slowly meets a form that shows another one by then: Slack's hash keeps it out."""
    async with lab(tmp_path) as here:
        here.refusals.add("hash_conflict")
        here.world.services.decthings.faults.slow = 1.2
        await here.type("/train")
        await here.person("ada").click_in_view(await opened(here), "fill:provider", selected="decthings")
        await here.world.slack.wait_for(lambda: "Asking" in said(view_of(here)), timeout=PATIENCE, what="the skeleton")
        await pick(here, "sestek", "model")

        def has_been_refused() -> bool:
            return any(call.error == "hash_conflict" for call in here.world.slack.calls)

        await here.world.slack.wait_for(has_been_refused, timeout=PATIENCE, what="the late update")
        assert "sestek.model" in fields(view_of(here))


def view_of(here: Lab, who: str = "ada") -> OpenView:
    view = here.person(who).view
    assert view is not None
    return view


# -- what was typed ---------------------------------------------------------------------------------------------------


async def test_what_is_wrong_stands_at_its_field(tmp_path: Path) -> None:
    """All faults at once, in the words of the command; what was typed stays, and nothing starts."""
    async with lab(tmp_path) as here:
        await here.type("/train")
        view = await pick(here, "sestek", "model")
        texts = {"model": "My Model", "language": "en-US", "data__typed": "nowhere.jsonl"}
        outcome = await send(here, view, **texts)
        assert outcome.errors is not None
        assert set(outcome.errors) == {"sestek.model"}
        assert "capital letters" in outcome.errors["sestek.model"]
        outcome = await send(here, await opened(here), model="my-model")
        assert outcome.errors is not None
        assert set(outcome.errors) == {"sestek.data.typed"}
        assert "There is no `nowhere.jsonl`" in outcome.errors["sestek.data.typed"]
        assert await here.jobs() == []
        outcome = await send(here, await opened(here), data__typed="my-model.jsonl")
        assert outcome.ok, outcome
        job = await here.job()
        assert (job.request.model, job.request.data) == ("my-model", {"data": "my-model.jsonl"})
        await here.all_ended()


async def test_options_that_do_not_go_together_are_refused_at_one_of_them(tmp_path: Path) -> None:
    """What a provider says of combinations stands at the field that it names."""
    async with lab(tmp_path) as here:
        await here.type("/train")
        view = await pick(here, "decthings", "model")
        outcome = await send(here, view, model="mdl-sentiment", name="st-2", launcher="ln-small", cpus="2")
        assert outcome.errors is not None
        assert "say one of them" in outcome.errors["decthings.cpus"]
        assert await here.jobs() == []


async def test_another_service_and_back_keeps_what_was_typed(tmp_path: Path) -> None:
    """Looking at another service costs nothing: fields of the same name are taken over, the rest waits."""
    async with lab(tmp_path) as here:
        await here.type("/train")
        view = await pick(here, "sestek", "model")
        values = {"sestek.model": {"text": "모델"}, "sestek.product": {"text": "CA"}}
        await here.person("ada").click_in_view(view, "fill:provider", selected="decthings", values=values)
        view = await opened(here, field="decthings.name")
        assert filled(view)["decthings.model.typed"] == "모델"
        view = await pick(here, "sestek", "product")
        assert {"sestek.model": "모델", "sestek.product": "CA"}.items() <= filled(view).items()


async def test_what_stands_in_the_way_is_said_in_the_form(tmp_path: Path) -> None:
    """A model that is in training, an equal wish, too many trainings: said where they were asked for."""
    async with lab(tmp_path, training_seconds=60, SWITCHYARD_LIMITS__LIVING_PER_PERSON="2") as here:
        await here.type("/train sestek my-model en-US")
        await here.type("/train")
        view = await pick(here, "sestek", "model")
        outcome = await send(here, view, model="my-model", language="tr-TR")
        assert "is in training already" in str(outcome.errors)
        outcome = await send(here, await opened(here), language="en-US")
        assert outcome.ok, outcome
        same = await here.told("ada", "exactly this a moment ago")
        assert "is in training already" in shown(await here.press(same, "Start another", "ada"))
        await here.type("/train deepopinion 1 reviews-2026")
        await here.type("/train")
        view = await pick(here, "sestek", "model")
        outcome = await send(here, view, model="other", language="en-US", data="my-model.jsonl")
        assert "One person may have 2 trainings" in str(outcome.errors)
        assert len(await here.jobs()) == 2


async def test_sent_twice_it_is_one_training(tmp_path: Path) -> None:
    """A double click on Start, or a form that Slack delivers twice, makes one job and no second answer."""
    async with lab(tmp_path) as here:
        await here.type("/train")
        view = await pick(here, "sestek", "model")
        both = await asyncio.gather(*(send(here, view, model="my-model", language="en-US") for _ in range(2)))
        assert any(one.ok for one in both)
        await here.all_ended()
        assert len(await here.jobs()) == 1
        assert here.starts() == 1
        assert sum("Got it" in shown(one) for one in here.world.slack.ephemerals("ada")) == 1


# -- opened from elsewhere --------------------------------------------------------------------------------------------


async def test_a_usage_error_opens_the_form_with_what_was_understood(tmp_path: Path) -> None:
    """A wrong word never dead-ends: the form has the others, and says what was wrong."""
    async with lab(tmp_path) as here:
        answer = await here.ask("/train sestec my-model en-EN product=“CA & co”")
        assert "Did you mean `sestek`?" in shown(answer)
        await press(here, answer, "Open the form")
        view = await opened(here, field="sestek.model")
        assert filled(view) == {"provider": "sestek", "sestek.model": "my-model", "sestek.product": "CA & co"}
        assert "Did you mean `en-US`?" in said(view)
        await here.person("ada").close(view)
        answer = await here.ask('/train sestek "never closed')
        await press(here, answer, "Open the form")
        view = await opened(here)
        assert filled(view) == {}
        assert "is never closed" in said(view)


async def press(here: Lab, message: Message | Ephemeral, label: str, who: str = "ada") -> None:
    outcome = await here.person(who).click(message, button(message, label))
    assert outcome.ok, outcome


@pytest.mark.parametrize(
    ("line", "name"),
    short(
        [
            ('/train deepopinion 1 reviews-2026 language=en sessions=1,2 title="Der „neue“"', "deepopinion.name"),
            ("/train decthings mdl-sentiment st-9 epochs=u32:2 train=dataset:ds-reviews/train", "decthings.name"),
            ("/train sestek my-model en-US", ""),
            ("/train aitems svcmovies01 pop,relatedItem hp.item_top_n=20000", ""),
            ("/train sony churn data=churn.csv", ""),
        ],
        ("/train decthings mdl-sentiment st-9 epochs=u32:2 train=dataset:ds-reviews/train", "decthings.name"),
        ("/train sestek my-model en-US", ""),
    ),
)
async def test_every_card_offers_again_and_the_command(tmp_path: Path, line: str, name: str) -> None:
    """[Again] is the form with the same wish, under the next free name; [Show as command] the line to paste."""
    async with lab(tmp_path) as here:
        await here.type(line)
        await here.all_reach(JobState.DONE, JobState.LIVE, JobState.OFFERED)
        (former,) = await here.jobs()
        card = here.cards()[0]
        answer = await here.press(card, "Show as command", "bora")
        (pasted,) = [
            block["elements"][0]["elements"][0]["text"] for block in answer.blocks or [] if block["type"] == "rich_text"
        ]
        here.later(seconds=120)
        await press(here, card, "Again")
        provider = former.request.provider
        view = await opened(here, field=f"{provider}.{STORIES[provider][0]}")
        if name:
            assert (
                filled(view)[name] == {"reviews-2026": "reviews-2026-2", "st-9": "st-10"}[former.request.params["name"]]
            )
        outcome = await send(here, view)
        assert outcome.ok, outcome
        second = await here.job(lambda one: one.id != former.id)
        params = {**former.request.params, **({"name": second.request.params["name"]} if name else {})}
        assert second.request.params == params
        assert second.request.data == former.request.data
        await here.all_reach(JobState.DONE, JobState.LIVE, JobState.OFFERED)
        await here.type(pasted, "bora", "C0ALARMS01")
        third = await here.job(lambda one: one.place == "C0ALARMS01")
        assert (third.request.params, third.request.data) == (former.request.params, former.request.data)
        await here.all_reach(JobState.DONE, JobState.LIVE, JobState.OFFERED, JobState.FAILED)


async def test_a_form_that_slack_does_not_open_in_time_is_a_press_away(tmp_path: Path) -> None:
    """Behind a slow line the trigger is over: a fresh button, seen by one person, brings a fresh one."""
    async with lab(tmp_path) as here:
        here.refusals.add("expired_trigger_id")
        here.world.slack.lab.faults.switch("fail", {"method": "views.open", "error": "expired_trigger_id"})
        await here.type("/train")
        answer = await here.told("ada", "did not open the form in time")
        await press(here, answer, "Open the form")
        await opened(here)


# -- limits -----------------------------------------------------------------------------------------------------------


async def test_long_names_in_korean_stay_within_slacks_limits(tmp_path: Path) -> None:
    """80 characters in every field, 120 files, long file names: the sandbox refuses what Slack would refuse."""
    name = "모델이름" * 20
    files = {f"file-{number:03}.jsonl": '{"Label": "a", "Text": "b"}\n' for number in range(120)}
    folder = data_folder(tmp_path)
    for file, text in {**files, f"{'긴' * 70}.jsonl": "{}\n"}.items():
        (folder / file).write_text(text)
    async with lab(tmp_path, data=folder) as here:
        line = f'/train deepopinion 1 "{name}" title="{name}" language=xx'
        await press(here, await here.ask(line), "Open the form")
        view = await opened(here, field="deepopinion.name")
        assert filled(view)["deepopinion.title"] == name
        view = await pick(here, "sestek", "data")
        assert len(offered(view, "sestek.data")) == 100
        assert "sestek.data.typed" in fields(view)


async def test_the_home_tab_opens_the_form(tmp_path: Path) -> None:
    """Whoever starts there gets the card into the direct message; where Slack is late, the tab says so."""
    async with lab(tmp_path) as here:
        here.refusals.add("expired_trigger_id")
        ada, slack = here.person("ada"), here.world.slack
        await ada.open_home()
        homes = slack.lab.views.homes
        await slack.wait_for(lambda: "Start a training" in str(homes.get(ada.id)), timeout=PATIENCE, what="the tab")
        slack.lab.faults.switch("fail", {"method": "views.open", "error": "expired_trigger_id"})
        await ada.click_in_view(homes[ada.id], "form:home")
        await slack.wait_for(lambda: "in time" in str(homes[ada.id].view), timeout=PATIENCE, what="the sentence")
        await ada.click_in_view(homes[ada.id], "form:home")
        view = await pick(here, "sestek", "model")
        outcome = await send(here, view, model="my-model", language="en-US")
        assert outcome.ok, outcome
        await here.all_ended()
        assert any("my-model" in shown(one) for one in here.cards(ada.dm().id))
