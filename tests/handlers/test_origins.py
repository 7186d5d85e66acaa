"""For whom the bot works: deliveries of the installation, from people who are at home there."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.domain.approvals import Group, Outcome
from bot.domain.jobs import JobState
from bot.usecases.decide import UNKNOWN_PROMPT
from handlers.origins import NOT_INSTALLED, NOT_KNOWN_YET, Installation, Origin
from handlers.views.forms import REASON, reason_form
from sandbox.slack.workspace import Message
from tests.handlers.edge import ADA, BORA, CHANNEL, TEAM, Edge, edge

ELSEWHERE, PARTNER, SISTER = "T0OTHER001", "T0PARTNER1", "T0SISTER01"
ORG, OTHER_ORG = "E0ACME0001", "E0OTHER001"

ALONE = Installation(team=TEAM, bot="U0BOT")
IN_A_GRID = Installation(team=TEAM, bot="U0BOT", enterprise=ORG)
WITH_KIN = Installation(team=TEAM, bot="U0BOT", enterprise=ORG, kin=frozenset({SISTER}))
ORG_WIDE = Installation(team=ORG, bot="U0BOT", enterprise=ORG, is_org_wide=True)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as made:
        yield made


# -- the rule ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "origin", "serves"),
    [
        (ALONE, Origin(team=TEAM), True),
        (ALONE, Origin(team=ELSEWHERE), False),
        (ALONE, Origin(team=""), False),
        (ALONE, Origin(team="", enterprise=ORG), False),
        (ALONE, Origin(team=TEAM.lower()), False),
        (IN_A_GRID, Origin(team=TEAM, enterprise=ORG), True),
        (IN_A_GRID, Origin(team=TEAM), True),
        (IN_A_GRID, Origin(team=TEAM, enterprise=OTHER_ORG), False),
        (IN_A_GRID, Origin(team=SISTER, enterprise=ORG), False),
        (WITH_KIN, Origin(team=SISTER, enterprise=ORG), False),
        (ORG_WIDE, Origin(team=SISTER, enterprise=ORG), True),
        (ORG_WIDE, Origin(team="", enterprise=ORG), True),
        (ORG_WIDE, Origin(team=SISTER), False),
        (ORG_WIDE, Origin(team=SISTER, enterprise=OTHER_ORG), False),
        (Installation(team="", bot="U", is_org_wide=True), Origin(), False),
    ],
)
def test_an_installation_serves_its_own_deliveries(own: Installation, origin: Origin, serves: bool) -> None:
    """One workspace where it was installed in one, every workspace of the organisation where that installed it."""
    assert own.serves(origin) is serves


@pytest.mark.parametrize(
    ("own", "origin", "is_home"),
    [
        (ALONE, Origin(team=TEAM, home=TEAM), True),
        (ALONE, Origin(team=TEAM, home=PARTNER), False),
        (ALONE, Origin(team=TEAM, home=""), False),
        (ALONE, Origin(team=TEAM, home=ORG), False),
        (IN_A_GRID, Origin(team=TEAM, home=ORG), True),
        (IN_A_GRID, Origin(team=TEAM, home=SISTER), False),
        (WITH_KIN, Origin(team=TEAM, home=SISTER), True),
        (ORG_WIDE, Origin(team=SISTER, enterprise=ORG, home=SISTER), True),
        (ORG_WIDE, Origin(team=SISTER, enterprise=ORG, home=PARTNER), False),
        (ORG_WIDE, Origin(team="", enterprise=ORG, home=SISTER), False),
        (ORG_WIDE, Origin(team="", enterprise=ORG, home=""), False),
    ],
)
def test_people_from_elsewhere_are_told_apart(own: Installation, origin: Origin, is_home: bool) -> None:
    """In a shared conversation Slack names the app's workspace as `team` and the person's as `user.team_id`."""
    assert own.is_home_of(origin) is is_home


# -- commands ---------------------------------------------------------------------------------------------------------


def command(text: str, key: str = "key-1", **changes: Any) -> dict[str, Any]:
    usual = {
        "command": "/train",
        "text": text,
        "team_id": TEAM,
        "channel_id": CHANNEL,
        "user_id": ADA,
        "trigger_id": key,
    }
    return usual | changes


async def answer(here: Edge, body: Mapping[str, Any]) -> str:
    response = await here.dispatch(body, "form")
    assert response.status == 200
    return str(json.loads(response.body)["text"])


@pytest.mark.parametrize(
    "changes",
    [{"team_id": ELSEWHERE}, {"team_id": ""}, {"team_id": ELSEWHERE, "enterprise_id": ORG}],
)
async def test_a_command_of_another_workspace_is_refused(here: Edge, changes: Mapping[str, Any]) -> None:
    """Whoever installs the same app elsewhere starts nothing here, and reads nothing either."""
    for line in ("sestek my-model en-US", "help", "status"):
        assert await answer(here, command(line, **changes)) == NOT_INSTALLED
    assert await here.jobs() == []


async def test_an_organisation_s_command_is_taken_from_any_of_its_workspaces(tmp_path: Path) -> None:
    """Installed by the organisation, the app serves all of it, and nobody else."""
    async with edge(tmp_path, installed={"team": ORG, "enterprise": ORG, "is_org_wide": True}) as here:
        ours = command("sestek my-model en-US", team_id=SISTER, enterprise_id=ORG, is_enterprise_install="true")
        assert "Got it" in await answer(here, ours)
        theirs = command("sestek my-model en-US", "key-2", team_id=SISTER, enterprise_id=OTHER_ORG)
        assert await answer(here, theirs) == NOT_INSTALLED
        assert len(await here.jobs()) == 1


# -- clicks and forms -------------------------------------------------------------------------------------------------


def action(prompt: Message, label: str) -> tuple[str, str]:
    for block in prompt.blocks or ():
        for element in block.get("elements", ()):
            if element.get("text", {}) and element["type"] == "button" and element["text"]["text"] == label:
                return element["action_id"], element["value"]
    raise AssertionError(f"no button {label}")


async def told(here: Edge, click: Mapping[str, Any], user: str = BORA) -> str:
    assert (await here.dispatch(click)).status == 200
    await here.run()
    return here.told(user)[-1].text


async def is_undecided(here: Edge) -> bool:
    [job] = await here.jobs()
    [prompt] = await here.store.prompts(job.id)
    return job.state is JobState.PROPOSED and prompt.outcome is Outcome.OPEN


async def test_an_approver_s_click_from_another_workspace_decides_nothing(here: Edge) -> None:
    """Also where the id of an approver and everything else is right."""
    prompt = await here.prompt()
    click = here.click(*action(prompt, "Approve"), BORA)
    click["team"] = {"id": ELSEWHERE, "domain": "other"}
    click["user"]["team_id"] = ELSEWHERE
    assert await told(here, click) == NOT_INSTALLED
    assert await is_undecided(here)


@pytest.mark.parametrize("home", [PARTNER, OTHER_ORG, None, "", "<!channel>"])
@pytest.mark.parametrize("label", ["Approve", "Reject"])
async def test_nobody_from_another_organisation_decides(here: Edge, home: str | None, label: str) -> None:
    """In a conversation that is shared with another organisation its people see the buttons, and cannot use them."""
    prompt = await here.prompt()
    click = here.click(*action(prompt, label), BORA)
    click["user"]["team_id"] = home
    said = await told(here, click)
    assert "only people of the organisation" in said
    assert "SWITCHYARD_SLACK__TEAMS" in said
    assert "<!channel>" not in said
    assert await is_undecided(here)
    assert not here.slack.calls_of("views.open")


async def test_an_outsider_in_a_group_of_approvers_decides_nothing(here: Edge) -> None:
    """A user group may hold people of the other organisation; being a member of it is not enough."""
    prompt = await here.prompt()
    members = frozenset({"U0STRANGER"})
    await here.store.save_group(Group(id="S0MLOPS001", members=members, read_at=here.time.now()))
    click = here.click(*action(prompt, "Approve"), BORA)
    click["user"] = {"id": "U0STRANGER", "team_id": PARTNER}
    await here.dispatch(click)
    assert await is_undecided(here)


async def test_a_form_from_another_organisation_rejects_nothing(here: Edge) -> None:
    """The form is checked like the click that opened it; of a shared conversation its view names the installation."""
    prompt = await here.prompt()
    _, value = action(prompt, "Reject")
    form = {
        "type": "view_submission",
        "user": {"id": BORA, "team_id": PARTNER},
        "team": {"id": PARTNER, "domain": "partner"},
        "view": {
            "type": "modal",
            "callback_id": reason_form("")["callback_id"],
            "app_installed_team_id": TEAM,
            "private_metadata": json.dumps({"value": value, "url": ""}),
            "state": {"values": {REASON: {REASON: {"value": "no"}}}},
        },
    }
    response = await here.dispatch(form)
    assert "only people of the organisation" in response.body
    assert await is_undecided(here)


async def test_people_of_a_named_workspace_are_our_own(tmp_path: Path) -> None:
    """On an Enterprise Grid somebody may be at home in a sister workspace: the operator names it."""
    async with edge(tmp_path, installed={"enterprise": ORG, "kin": frozenset({SISTER})}) as here:
        prompt = await here.prompt()
        click = here.click(*action(prompt, "Approve"), BORA)
        click["user"]["team_id"] = SISTER
        click["enterprise"] = {"id": ORG, "name": "Acme"}
        assert "Thank you" in await told(here, click)


async def test_a_prompt_stays_in_its_workspace_also_within_an_organisation(tmp_path: Path) -> None:
    """What was asked for in one workspace is decided there, whoever else the organisation has."""
    async with edge(tmp_path, installed={"team": ORG, "enterprise": ORG, "is_org_wide": True}) as here:
        body = command("sestek my-model en-US", team_id=TEAM, enterprise_id=ORG)
        assert "Got it" in await answer(here, body)
        await here.run()
        prompt = here.slack.messages(CHANNEL)[-1]
        click = here.click(*action(prompt, "Approve"), BORA)
        click["team"], click["enterprise"] = {"id": SISTER, "enterprise_id": ORG}, {"id": ORG}
        click["user"]["team_id"] = SISTER
        assert await told(here, click) == UNKNOWN_PROMPT
        assert await is_undecided(here)


# -- events -----------------------------------------------------------------------------------------------------------


def changed_group(**wrapping: Any) -> dict[str, Any]:
    event = {"type": "subteam_members_changed", "subteam_id": "S0MLOPS001"}
    return {"type": "event_callback", "team_id": TEAM, "event_id": "Ev1", "event": event, **wrapping}


async def test_an_event_of_another_workspace_is_passed_over(here: Edge) -> None:
    """It is acknowledged, so that Slack does not repeat it, and changes nothing."""
    await here.store.save_group(Group(id="S0MLOPS001", members=frozenset({BORA}), read_at=here.time.now()))
    foreign = {"authorizations": [{"team_id": ELSEWHERE, "enterprise_id": None, "is_bot": True}]}
    for wrapping in ({"team_id": ELSEWHERE}, foreign):
        assert (await here.dispatch(changed_group(**wrapping), "json")).status == 200
    kept = await here.store.groups(["S0MLOPS001"])
    assert kept["S0MLOPS001"].read_at is not None


async def test_an_event_in_a_shared_conversation_is_judged_by_its_installation(here: Edge) -> None:
    """There the outer `team_id` may be the other organisation's; `authorizations` names the installation."""
    await here.store.save_group(Group(id="S0MLOPS001", members=frozenset({BORA}), read_at=here.time.now()))
    ours = {"team_id": PARTNER, "authorizations": [{"team_id": TEAM, "enterprise_id": None, "is_bot": True}]}
    assert (await here.dispatch(changed_group(**ours), "json")).status == 200
    kept = await here.store.groups(["S0MLOPS001"])
    assert kept["S0MLOPS001"].read_at is None


# -- before Slack told ------------------------------------------------------------------------------------------------


async def test_nothing_is_let_in_before_slack_told_who_we_are(tmp_path: Path) -> None:
    """A command or click of that time is answered and does nothing; an event is not acknowledged, so it comes again."""
    async with edge(tmp_path, installed={"team": ""}) as here:
        assert await answer(here, command("sestek my-model en-US")) == NOT_KNOWN_YET
        assert await told(here, here.click("approve", "p|d", BORA)) == NOT_KNOWN_YET
        assert (await here.dispatch(changed_group(), "json")).status != 200
        assert await here.jobs() == []
