"""The names that Slack and Switchyard share: commands, actions, forms, events, methods, scopes.

Views, handlers and manifest.yml use the same ones; a test of the house holds them together.
"""

from collections.abc import Mapping
from enum import StrEnum

REQUEST_PATH = "/slack/events"
"""Where commands, clicks and events arrive in HTTP mode."""

NOTICE = "switchyard_notice"
"""The event_type of the metadata by which a message of ours is found again."""


class Command(StrEnum):
    """Every slash command that is answered wherever it is delivered."""

    TRAIN = "/train"
    TRAIN_STATUS = "/train-status"
    STATUS = "/status"  # reserved, see RESERVED: the manifest does not register it
    JOBS = "/jobs"


RESERVED = frozenset(
    {
        # built into Slack, as gathered in https://github.com/openclaw/openclaw/issues/29032
        "/away", "/collapse", "/dnd", "/expand", "/feed", "/join", "/leave", "/me", "/msg", "/mute", "/open", "/pro",
        "/remind", "/search", "/shortcuts", "/shrug", "/status", "/topic", "/who",
        # refused as well, by reports of others; a guess that costs nothing
        "/apps", "/archive", "/call", "/commands", "/debug", "/help", "/invite", "/kill", "/send", "/star",
    }
)  # fmt: skip
"""Names that Slack keeps for itself: one of them makes it refuse all commands of a manifest."""


class Action(StrEnum):
    """What a button does. A button's action_id is made with `action_id` and read with `action_of`."""

    APPROVE = "approve"
    REJECT = "reject"  # asks for the reason first
    ANSWER = "answer"  # a question that no service can answer; qualified by the answer
    WHY = "why"  # which rule decides about a prompt, and what it says of who presses
    CANCEL = "cancel"
    OFFER_AGAIN = "offer_again"
    KEEP_WATCHING = "keep_watching"
    RETRAIN = "retrain"  # train once more with the data of what served before a switch
    START_ANOTHER = "start_another"
    POST_HERE = "post_here"
    USE_DM = "use_dm"
    WATCH = "watch"
    LOOK = "look"
    JOBS_PAGE = "jobs_page"  # qualified by the page, or by whose trainings
    SCORES = "scores"  # a picture of the scores of a training's model
    LABELS = "labels"  # a picture of how the rows of a training's data are spread over labels
    DURATIONS = "durations"  # a picture of how long the trainings that fit took
    STOP_RECURRING = "stop_recurring"  # no further run of a training that recurs
    EXPORT = "export"  # all that fits, as a file; qualified by its form
    FORM = "form"  # opens the form, filled with what was understood of a command
    AGAIN = "again"  # opens the form, filled with the wish of a training
    FILL = "fill"  # in the form: what the fields depend on has changed; qualified by what
    AS_COMMAND = "as_command"  # the command that asks for the same
    ATTENTION = "attention"  # opens the form of what somebody is told
    STOP_TELLING = "stop_telling"  # takes back one wish to be told, or one mute; qualified by it
    STORY = "story"  # what is kept of one training; qualified by the training, or by the page


def action_id(action: Action, which: str = "") -> str:
    """The id of a button: unique in its message, so buttons of one action are told apart by `which`."""
    return f"{action}:{which}" if which else action.value


def action_of(id_: str) -> tuple[Action, str] | None:
    """The action and what qualifies it; None for a button of an older message that nobody knows any more."""
    name, _, which = id_.partition(":")
    return (Action(name), which) if name in Action.__members__.values() else None


class Callback(StrEnum):
    """What a form is for."""

    REASON = "reason"
    TRAIN = "train"
    TRAIN_WITH_FILE = "train_with_file"  # no form: the entry in a message's menu that opens one
    ATTENTION = "attention"


class SlackEvent(StrEnum):
    """What Slack tells the bot without being asked."""

    APP_HOME_OPENED = "app_home_opened"  # somebody looks at the Home tab, which is drawn then
    MEMBER_JOINED_CHANNEL = "member_joined_channel"  # the bot was invited: what was held there goes on
    SUBTEAM_MEMBERS_CHANGED = "subteam_members_changed"  # a group of approvers has other members


METHODS = (
    "apps.connections.open",
    "auth.test",
    "chat.getPermalink",
    "chat.postMessage",
    "chat.update",
    "conversations.history",
    "conversations.info",
    "conversations.members",
    "conversations.open",
    "conversations.replies",
    "files.completeUploadExternal",
    "files.getUploadURLExternal",
    "files.info",
    "usergroups.users.list",
    "users.info",
    "views.open",
    "views.publish",
    "views.update",
)
"""Every method of the Web API that is called."""

SCOPES: Mapping[str, str] = {
    "commands": "the slash commands",
    "chat:write": "posts and edits cards, prompts and thread lines where the bot was invited",
    "im:write": "opens the direct message of somebody who wants the card or news there",
    "channels:history": "looks in a public channel for a message of which Slack's answer was lost, before repeating it",
    "groups:history": "the same in a private channel",
    "im:history": "the same in a direct message",
    "mpim:history": "the same in a direct message of several people",
    "channels:read": "hears that it was invited to a public channel, reads that it is one, and who may approve in it",
    "groups:read": "the same for a private channel",
    "files:write": "puts the file that a training left into the conversation of its card",
    "files:read": "reads the data files that trainings are asked for with, and looks whether its own were shared",
    "usergroups:read": "reads who is in a user group that may approve, and hears of changes",
    "users:read": (
        "reads the language of who types, name and time zone of who plans or wants quiet, and whether they are a guest "
        "or have left"
    ),
}
"""The bot's scopes, each with its reason. Posting without an invitation and joining by itself are not among them."""
