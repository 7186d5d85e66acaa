"""The people and places of the sandbox: fixed, so that everybody can write their ids down."""

from __future__ import annotations

from sandbox.slack.workspace import App, Channel, Team, User, UserGroup, Workspace

BOT_TOKEN = "xoxb-sandbox-1-switchyard"
APP_TOKEN = "xapp-1-A0SWITCHY1-1-sandbox"
SIGNING_SECRET = "sandbox-signing-secret"
EVERYBODY = ("U0ADA00001", "U0BORA0001", "U0CHIE0001", "U0DAN00001")
APPROVERS = ("U0BORA0001", "U0CHIE0001")


def fill(workspace: Workspace) -> None:
    for user in _users():
        workspace.users[user.id] = user
    workspace.usergroups["S0MLOPS001"] = UserGroup(
        id="S0MLOPS001", handle="ml-ops", name="ML operations", members=("U0BORA0001",)
    )
    for channel in _channels(workspace.app.user_id):
        workspace.channels[channel.id] = channel


def team() -> Team:
    return Team(id="T0SWITCHYD", name="Switchyard Lab", domain="switchyard-lab")


def app() -> App:
    return App(id="A0SWITCHY1", user_id="U0SWITCHY1", bot_id="B0SWITCHY1", name="switchyard")


def _users() -> list[User]:
    return [
        User(id="U0ADA00001", name="ada", real_name="Ada Yılmaz", title="Data scientist", color="#4a154b"),
        User(
            id="U0BORA0001",
            name="bora",
            real_name="Bora Kim",
            title="ML engineer, approves",
            color="#1264a3",
            zone="Asia/Seoul",
        ),
        User(
            id="U0CHIE0001",
            name="chie",
            real_name="Chie Tanaka",
            title="Product owner, approves",
            color="#2bac76",
            zone="Asia/Tokyo",
        ),
        User(
            id="U0DAN00001",
            name="dan",
            real_name="Dan Weber",
            title="Guest",
            color="#cd7b00",
            guest=True,
            zone="Europe/Berlin",
        ),
    ]


def _channels(bot: str) -> list[Channel]:
    with_bot = (*EVERYBODY, bot)
    return [
        Channel(id="C0TRAIN001", name="trainings", members=with_bot, topic="Model trainings: start, watch, approve"),
        Channel(id="C0GENERAL1", name="general", members=EVERYBODY, topic="The bot is not a member here"),
        Channel(id="C0ALARMS01", name="alarms", members=with_bot, topic="What the bot must tell somebody"),
        Channel(id="C0OLD00001", name="old-lab", members=with_bot, topic="Archived", archived=True),
    ]
