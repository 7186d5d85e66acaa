"""What comes in from Slack: every command, click, form and event gets an answer, whatever it holds."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from bot.domain.approvals import Group, Outcome
from bot.domain.jobs import JobState
from bot.usecases.decide import UNKNOWN_PROMPT
from handlers.guard import NOT_SAVED, SORRY
from handlers.ids import Action, Callback, Command
from handlers.payloads import ActionPayload, CommandPayload, MessagePayload, SubmissionPayload
from handlers.views.forms import REASON
from sandbox.slack.workspace import Ephemeral, Message
from tests.handlers.edge import ADA, BORA, CHANNEL, CHIE, TEAM, Edge, edge
from tests.short import short


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as made:
        yield made


# -- payloads ---------------------------------------------------------------------------------------------------------

NEEDS_CONTRACTS = pytest.mark.skipif("SLACK_CONTRACTS" not in os.environ, reason="needs SLACK_CONTRACTS, the samples")
MODELS: Mapping[str, type[BaseModel]] = {
    "payload/SlashCommandPayload": CommandPayload,
    "payload/BlockActionPayload": ActionPayload,
    "payload/ViewSubmissionPayload": SubmissionPayload,
    "payload/MessageShortcutPayload": MessagePayload,
}


def contract(name: str) -> Any:
    return json.loads(Path(os.environ["SLACK_CONTRACTS"], name).read_text("utf-8"))


def filled(shape: Any) -> Any:
    """A payload of a recorded shape, which names the type of each value."""
    if isinstance(shape, dict):
        return {key: filled(value) for key, value in shape.items()}
    if isinstance(shape, list):
        return [filled(value) for value in shape]
    return {"string": "x", "number": 1, "boolean": False}.get(shape)


@pytest.mark.contracts
@NEEDS_CONTRACTS
@pytest.mark.parametrize("name", MODELS)
def test_recorded_shapes_are_read(name: str) -> None:
    """Slack's own samples (slackapi/java-slack-sdk 86ff7ca) are read, and what is read exists in them."""
    shape = contract("payload-shapes.json")["shapes"][name]
    MODELS[name].model_validate(filled(shape))
    assert [key for key in MODELS[name].model_fields if key not in shape] == []
    optional = ("enterprise", "enterprise_id", "team", "channel")
    without = {
        key: value for key, value in filled(shape).items() if key not in optional or name not in list(MODELS)[1:]
    }
    MODELS[name].model_validate(without)


@pytest.mark.contracts
@NEEDS_CONTRACTS
def test_recorded_frames_are_read() -> None:
    """Commands as Socket Mode delivers them: fixtures of slackapi/python-slack-sdk ae87985 and bolt-python a2f21ae."""
    frames = [one for one in contract("socket-mode-frames.json")["frames"] if one["type"] == "slash_commands"]
    assert frames
    for frame in frames:
        payload = CommandPayload.model_validate(frame["payload"])
        assert payload.actor.team == "T111"
        assert payload.actor.user == "U111"
        assert payload.typed == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["user", "team", "id", "view", "state", "values", "actions", "action_id", "value", "channel", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(body=st.dictionaries(st.sampled_from(["user", "team", "view", "actions", "command", "user_id"]), JSON))
@settings(max_examples=150, deadline=None)
def test_rubbish_is_a_validation_error(body: dict[str, Any]) -> None:
    """What Slack would never send is refused where it comes in, by one kind of exception."""
    for model in MODELS.values():
        try:
            read = model.model_validate(body)
        except ValidationError:
            continue
        if isinstance(read, SubmissionPayload):
            assert isinstance(read.value("reason", "reason"), str)
        assert getattr(read, "actor").user is not None  # noqa: B009  the models have no common type


def test_what_was_typed_is_unescaped() -> None:
    """Slack escapes three characters of a command; what was typed comes back, once."""
    payload = CommandPayload(
        command="/train", text="a &lt;b&gt; &amp;lt; &quot;", channel_id="C1", user_id="U1", trigger_id="1"
    )
    assert payload.typed == "a <b> &lt; &quot;"


# -- commands ---------------------------------------------------------------------------------------------------------


async def test_every_command_is_answered(here: Edge) -> None:
    """/status too, although no manifest may register it: it is answered wherever it is delivered."""
    for command in Command:
        body = {
            "command": command.value,
            "text": "help" if command is Command.TRAIN else "",  # alone, it opens the form
            "team_id": TEAM,
            "channel_id": CHANNEL,
            "user_id": ADA,
            "trigger_id": command.value,
            "response_url": f"{here.slack.base_url}/commands/x",
        }
        response = await here.dispatch(body, "form")
        assert response.status == 200
        answer = json.loads(response.body)
        assert answer["response_type"] == "ephemeral"
        assert answer["text"]


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("/train help", "What can be trained here"),
        ("/train help sestek", "How to train with Sestek"),
        ("/train HELP sestec", "Did you mean `sestek`?"),
        ("/train sestek my-model en-EN", "Did you mean `en-US`?"),
        ("/train sestek=my-model en-US", "`sestek=my-model` is no provider"),
        ("/train <!channel>", "`&lt;!channel&gt;` is no provider"),
        ("/train `x`", "`'x'` is no provider"),
        ("/train status", "No training is alive in this channel."),
        ("/status jzzzzzz", "keeps no training `jzzzzzz`"),
        ("/status jzzzzzz now", "`now` is one word too many"),
        ("/train status sestek", "MODEL-ID is missing"),
        ("/jobs", "No training fits."),
        ("/jobs since=soon", "is not a time: write 12h, 7d or 4w"),
        (f"/jobs {'x' * 1600}", "That is too long to look for"),
        (f"/train {'x' * 3000}", "is no provider"),
        ('/train "', "is never closed"),
    ],
)
async def test_commands_lead_to_an_answer(here: Edge, line: str, part: str) -> None:
    """No word dead-ends, and none of them can mention or link."""
    assert part in await here.type(line)
    assert await here.jobs() == []


async def test_a_training_is_kept_before_the_answer(here: Edge) -> None:
    """What was acknowledged is on disk; the equal wish of the same minute is answered with it, and may be repeated."""
    said = await here.type("/train sestek my-model en-US")
    [job] = await here.jobs()
    assert f"Got it: Sestek Knovvu ML `my-model`, as training `{job.id}`" in said
    assert "check" in here.nudged
    again = await here.type("/train sestek my-model en-US")
    assert f"is `{job.id}`" in again
    assert len(await here.jobs()) == 1
    assert job.id in await here.type("/status")
    assert f"`{job.id}`" in await here.type(f"/status {job.id.upper()}")
    assert job.id in await here.type("/jobs mine sestek checking since=1d my-model")


async def test_starting_another_works_once_and_for_its_owner(here: Edge) -> None:
    """The button under the answer to an equal wish starts one more; pressed again it starts nothing more."""
    await here.type("/train deepopinion 1 reviews")
    await here.type("/train deepopinion 1 reviews")
    answer = here.told(ADA)[-1]
    [button] = (answer.blocks or ())[-1]["elements"]
    assert "somebody else's command" in await here.press(button["action_id"], button["value"], BORA)
    assert "Got it" in await here.press(button["action_id"], button["value"])
    assert len(await here.jobs()) == 2
    await here.press(button["action_id"], button["value"])
    assert len(await here.jobs()) == 2


async def test_a_command_without_a_database_is_told_so(here: Edge) -> None:
    """Nothing is started that could not be kept."""
    await here.store.close()
    assert await here.type("/train sestek my-model en-US") == NOT_SAVED


async def test_a_command_of_a_broken_shape_is_answered(here: Edge, caplog: pytest.LogCaptureFixture) -> None:
    """A payload without its channel is a fault to be logged, and still a sentence for the person."""
    response = await here.dispatch({"command": "/train", "user_id": ADA, "team_id": TEAM}, "form")
    assert json.loads(response.body)["text"] == SORRY
    assert "a handler failed" in caplog.text


# -- clicks -----------------------------------------------------------------------------------------------------------

MALFORMED = (
    *("", "|", "|||", "|||||||", "x" * 2000, "sestek", "sestek|", "sestek|0|", "sestek|x|my-model", "sestek|0|a|b|c"),
    *(
        "sony|9|a|b",
        "nobody|0|x",
        "j2345ab",
        "p1|digest",
        "-1|all",
        "٣|all",
        f"{'9' * 1900}|all",
        '0|"open',
        "0|since=1",
    ),
    *("<!channel>", "\x00", "\ud7ff|`|`"),
)


OPENERS = (Action.FORM, Action.ATTENTION)
"""What opens a form whatever the button carries."""


@pytest.mark.parametrize("action", OPENERS)
async def test_a_malformed_button_opens_the_form(here: Edge, action: Action) -> None:
    """Whatever a button carries of a command: the form opens with what can be read of it."""
    for value in MALFORMED:
        here.slack.lab.views.clear(ADA)
        response = await here.dispatch(here.click(action.value, value))
        assert response.status == 200
        await here.crew.idle()
        assert here.slack.lab.views.top(ADA) is not None, value


@pytest.mark.parametrize(
    "action",
    short(
        [
            *(one for one in Action if one not in OPENERS),
            "answer:runs",
            "answer:nothing",
            "jobs_page:1",
            "use_dm:1",
            "of_a_later_version",
            "",
        ],
        *(Action.APPROVE, Action.CANCEL, Action.WATCH, Action.EXPORT, "answer:nothing", "of_a_later_version", ""),
    ),
)
async def test_a_malformed_button_is_answered(here: Edge, action: str, caplog: pytest.LogCaptureFixture) -> None:
    """A button of an older version, another installation or nobody: a sentence, nothing done, no mistake logged."""
    for value in MALFORMED:
        response = await here.dispatch(here.click(str(action), value))
        assert response.status == 200
    await here.run()
    told = here.told(ADA)
    assert len(told) == len(MALFORMED)
    assert all(one.text and one.text not in (SORRY, NOT_SAVED) for one in told)
    assert all("<" not in one.text and len(one.text) < 1600 for one in told)
    assert "a handler failed" not in caplog.text
    assert [job for job in await here.jobs() if action != Action.WATCH or job.request.provider != "sestek"] == []


VALUES = st.lists(
    st.sampled_from(
        ["|", "sestek", "sony", "aitems", "0", "1", "99999999999999999999", "my-model", "churn", "p1", "\n", "`", "all"]
    )
    | st.text(max_size=4),
    max_size=8,
).map("".join)


@given(
    action=st.sampled_from([*(one.value for one in Action if one not in OPENERS), "answer:again", "jobs_page:0"]),
    value=VALUES,
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_value_of_any_button_is_answered(here: Edge, action: str, value: str) -> None:
    """Whatever a button carries, its presser reads a sentence that is not an apology."""
    # A string of Slack's JSON has no half characters.
    said = await here.press(action, value.encode("utf-8", "ignore").decode())
    assert said
    assert SORRY not in said


async def test_an_unknown_button_is_answered(here: Edge) -> None:
    """An old message may show a button of a version that is gone."""
    assert await here.press("approve_v0", "x") == UNKNOWN_PROMPT


async def test_what_is_not_a_button_is_only_acked(here: Edge) -> None:
    """Somebody touched an element without a value: nothing is done, nothing said, and Slack shows no failure."""
    strange = here.click("approve", "x")
    strange["actions"] = [{"type": "static_select", "action_id": "a", "value": None, "selected_option": {"value": "1"}}]
    assert (await here.dispatch(strange)).status == 200
    await here.run()
    assert here.told(ADA) == []


async def test_pages_are_turned(here: Edge) -> None:
    """The next page asks what was typed; a page beyond the end says so."""
    for number in range(12):
        await here.type(f"/train deepopinion 1 reviews-{number}")
    await here.type("/jobs deepopinion")
    answer = here.told(ADA)[-1]
    older = pressed(answer, "jobs_page:1")
    assert (older["text"]["text"], older["value"]) == ("Older", "1|deepopinion")
    await here.press(older["action_id"], older["value"])
    page = here.told(ADA)[-1]
    assert json.dumps(page.blocks).count("reviews-") == 2
    await here.press("jobs_page:7", "7|deepopinion")
    assert "There are no more." in json.dumps(here.told(ADA)[-1].blocks)


def pressed(message: Ephemeral, action: str) -> dict[str, Any]:
    rows = [block["elements"] for block in message.blocks or () if block["type"] == "actions"]
    return next(one for elements in rows for one in elements if one["action_id"] == action)


async def test_a_service_is_asked_or_watched_by_a_button(here: Edge) -> None:
    """The words that a button carries are read like typed ones, with the same complaints."""
    assert "Asking NAVER Cloud AiTEMS" in await here.type("/status aitems svc1 pop v1")
    assert "Watching it as" in await here.press("watch", "aitems|0|svc1|pop|v1")
    assert "It is watched already" in await here.press("watch", "aitems|0|svc1|pop|v1")
    assert "is not a valid TYPE" in await here.press("watch", "aitems|0|svc1|popp|v1")
    assert "is one word too many" in await here.press("look", "sestek|my-model|x")


# -- prompts and forms ------------------------------------------------------------------------------------------------


def action(message: Message, label: str) -> tuple[str, str]:
    elements = [one for block in message.blocks or () if block["type"] == "actions" for one in block["elements"]]
    return next((one["action_id"], one["value"]) for one in elements if one["text"]["text"] == label)


async def test_an_approval_is_taken_once(here: Edge) -> None:
    """The first who may decides; everybody after that is told how it stands."""
    prompt = await here.prompt()
    approve = action(prompt, "Approve")
    assert "somebody else has to decide" in await here.press(*approve)
    assert await here.press(*approve, BORA) == "Thank you: approved."
    assert "already approved by <@U0BORA0001>" in await here.press(*approve, CHIE)
    [job] = await here.jobs()
    assert job.state is JobState.APPROVED


async def reject(here: Edge, prompt: Message, who: str = "bora") -> Any:
    """Press Reject; the form on the screen of who pressed, None where none opened."""
    await here.slack.person(who).click(prompt, "reject")
    await here.crew.idle()
    return here.slack.person(who).view


async def test_a_rejection_needs_a_reason_and_closes_its_form(here: Edge) -> None:
    """The reason is kept with the decision and shown on the card; the form closes when the rejection stands."""
    form = await reject(here, await here.prompt())
    outcome = await here.slack.person("bora").submit(form, {REASON: {REASON: " wrong file <!channel>\n"}})
    assert outcome.ok
    assert here.slack.person("bora").view is None
    [job] = await here.jobs()
    assert job.state is JobState.REJECTED
    [kept] = await here.store.prompts(job.id)
    assert (kept.outcome, kept.reason) == (Outcome.ANSWERED, "wrong file <!channel>")
    await here.run()
    assert "Reason: wrong file &lt;!channel&gt;" in here.slack.messages(CHANNEL)[-2].text + json.dumps(
        [message.blocks for message in here.slack.messages(CHANNEL)]
    )


async def test_who_may_not_reject_gets_no_form(here: Edge) -> None:
    """Nobody types a reason in vain."""
    assert await reject(here, await here.prompt(), "ada") is None
    await here.run()
    assert "somebody else has to decide" in here.told(ADA)[-1].text


async def test_a_form_that_came_too_late_says_why(here: Edge) -> None:
    """Somebody approved while the reason was typed: the form turns into the sentence, and stays open to be read."""
    prompt = await here.prompt()
    form = await reject(here, prompt)
    await here.press(*action(prompt, "Approve"), CHIE)
    await here.slack.person("bora").submit(form, {REASON: {REASON: "no"}})
    told = here.slack.person("bora").view
    assert told is not None
    assert "already approved by <@U0CHIE0001>" in json.dumps(told.view)
    [job] = await here.jobs()
    assert job.state is JobState.APPROVED


async def test_a_form_is_told_that_its_group_is_read_first(here: Edge) -> None:
    """A rejection through a group waits until the group is read: the form says so, and the answer follows."""
    prompt = await here.prompt()
    here.slack.change_group("S0MLOPS001", "dan")
    await here.store.save_group(Group(id="S0MLOPS001"))
    form = await reject(here, prompt, "dan")
    await here.slack.person("dan").submit(form, {REASON: {REASON: "no"}})
    told = here.slack.person("dan").view
    assert told is not None
    assert "your click is kept" in json.dumps(told.view)
    await here.run()
    [job] = await here.jobs()
    assert job.state is JobState.REJECTED


async def test_a_rejection_that_is_sent_twice_closes_as_well(here: Edge) -> None:
    """Slack may deliver a form twice; who rejected is not told that it was in vain."""
    prompt = await here.prompt()
    _, value = action(prompt, "Reject")
    for _ in range(2):
        response = await here.dispatch(submission(json.dumps({"value": value, "url": ""}), "no"))
        assert (response.status, response.body) == (200, "")


def submission(private_metadata: str, reason: str | None, user: str = BORA) -> dict[str, Any]:
    values = {REASON: {REASON: {"type": "plain_text_input", "value": reason}}}
    return {
        "type": "view_submission",
        "user": {"id": user, "team_id": TEAM},
        "team": {"id": TEAM},
        "view": {
            "id": "V1",
            "type": "modal",
            "callback_id": Callback.REASON.value,
            "private_metadata": private_metadata,
            "state": {"values": values},
        },
    }


@pytest.mark.parametrize(
    "metadata", ["", "[]", "{}", '{"value": "|||", "url": ""}', '{"value": "p1|d", "url": 7}', "{"]
)
async def test_a_strange_form_is_answered(here: Edge, metadata: str) -> None:
    """Whatever a form carries, it turns into a sentence and is acknowledged."""
    response = await here.dispatch(submission(metadata, None))
    assert response.status == 200
    answer = json.loads(response.body)
    assert answer["response_action"] == "update"
    assert answer["view"]["blocks"][0]["text"]["text"] in (SORRY, UNKNOWN_PROMPT)
    assert (await here.dispatch({**submission("{}", None), "user": {}})).status == 200


@pytest.mark.parametrize(
    "fault",
    [
        ("fail", {"method": "views.open", "error": "expired_trigger_id"}),
        ("drop_request", {"method": "views.open"}),
        ("drop_reply", {"method": "views.open"}),
    ],
    ids=["trigger ran out", "request lost", "answer lost"],
)
async def test_a_form_that_did_not_open_is_offered_again(here: Edge, fault: tuple[str, dict[str, Any]]) -> None:
    """Slow or broken, the click is not lost: a fresh button brings a fresh trigger, and then the form opens."""
    prompt = await here.prompt()
    await here.slack.switch(*fault)
    await here.slack.person("bora").click(prompt, "reject")
    await here.run()
    offer = here.told(BORA)[-1]
    assert "Please press once more" in offer.text
    await here.slack.person("bora").click(offer, "reject")
    await here.crew.idle()
    assert here.slack.person("bora").view is not None


async def test_an_old_prompt_tells_how_it_ended(here: Edge) -> None:
    """A prompt that ran out decides nothing."""
    prompt = await here.prompt()
    approve = action(prompt, "Approve")
    here.time.ahead = timedelta(days=8)
    assert "has run out" in await here.press(*approve, BORA)
    [job] = await here.jobs()
    assert job.state is JobState.PROPOSED


# -- events -----------------------------------------------------------------------------------------------------------


def event(**fields: Any) -> dict[str, Any]:
    return {"type": "event_callback", "team_id": TEAM, "event_id": "Ev1", "event": fields}


async def test_an_invitation_frees_what_was_held(tmp_path: Path) -> None:
    """A card that was refused by its channel is posted as soon as the bot, and nobody else, is invited there."""
    async with edge(tmp_path) as here:
        await here.slack.person("ada").command("/train sestek my-model en-US", "C0GENERAL1")
        await here.run()
        held = here.told(ADA)[-1]
        assert "Post here" in json.dumps(held.blocks)
        joined = {"type": "member_joined_channel", "channel": "C0GENERAL1"}
        posts = len(here.slack.calls_of("chat.postMessage"))
        await here.dispatch(event(**joined, user=ADA), "json")
        await here.run()
        assert len(here.slack.calls_of("chat.postMessage")) == posts
        here.slack.invite("general", "switchyard", by=ADA)
        await here.slack.wait_for(lambda: len(here.slack.deliveries) >= 2)
        await here.slack.wait_for(lambda: "deliver" in here.nudged)
        await here.run()
        assert "my-model" in here.slack.messages("general")[-1].text


async def test_a_changed_group_is_forgotten(here: Edge) -> None:
    """Who was taken out of a group must not approve by an old copy of it, nor by one that is being read just now."""
    members = frozenset({BORA})
    await here.store.save_group(Group(id="S0MLOPS001", members=members, read_at=here.time.now()))
    for group in ("S0MLOPS001", "S0UNKNOWN1"):
        response = await here.dispatch(event(type="subteam_members_changed", subteam_id=group), "json")
        assert response.status == 200
    kept = await here.store.groups(["S0MLOPS001", "S0UNKNOWN1"])
    assert {name: group.read_at for name, group in kept.items()} == {"S0MLOPS001": None, "S0UNKNOWN1": None}
    assert [group.changes for group in kept.values()] == [1, 1]


async def test_an_event_that_could_not_be_kept_comes_again(here: Edge) -> None:
    """Slack repeats an event that is not acknowledged, so nothing is lost while the database refuses."""
    await here.store.close()
    joined = event(type="member_joined_channel", channel=CHANNEL, user=here.slack.workspace.app.user_id)
    assert (await here.dispatch(joined, "json")).status != 200
