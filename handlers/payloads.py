"""The few fields of Slack's payloads that are read, checked where they come in.

Shapes: https://docs.slack.dev/interactivity/implementing-slash-commands and …/reference/interaction-payloads.
"""

from pydantic import BaseModel, ConfigDict, Field

from bot.domain.approvals import Answer
from bot.domain.requests import Actor
from handlers.origins import Origin


class _Payload(BaseModel):
    # What is wrong may be a response_url, and errors end in the log.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class CommandPayload(_Payload):
    """A slash command."""

    command: str
    text: str = ""
    team_id: str = ""
    enterprise_id: str | None = None
    channel_id: str
    user_id: str
    trigger_id: str
    response_url: str = ""

    @property
    def actor(self) -> Actor:
        return Actor(team=self.team_id or self.enterprise_id or "", user=self.user_id)

    @property
    def origin(self) -> Origin:
        return Origin(team=self.team_id, enterprise=self.enterprise_id or "", has_home=False)

    @property
    def typed(self) -> str:
        """The text as it was typed, whether or not Slack escaped its three control characters."""
        return self.text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


class _Id(_Payload):
    id: str
    team_id: str | None = None


class _Team(_Payload):
    id: str
    enterprise_id: str | None = None


class _Pressed(_Payload):
    action_id: str
    value: str = ""


class _Option(_Payload):
    value: str = ""


class _File(_Payload):
    """A file in Slack, in a form or in a message (https://docs.slack.dev/reference/objects/file-object)."""

    id: str = ""
    name: str | None = None
    mode: str | None = None


class _Input(_Payload):
    value: str | None = None
    files: list[_File] | None = None
    selected_option: _Option | None = None
    selected_options: list[_Option] = Field(default_factory=list)

    @property
    def text(self) -> str:
        """What was typed or chosen, with commas between several; the id of a file; "" for nothing."""
        if self.files:
            return self.files[0].id
        chosen = [self.selected_option] if self.selected_option else self.selected_options
        return self.value or ",".join(option.value for option in chosen)


class _State(_Payload):
    values: dict[str, dict[str, _Input]] = Field(default_factory=dict)


class View(_Payload):
    """A form, or the Home tab, as it stood when something was done in it."""

    id: str = ""
    type: str = ""
    hash: str = ""
    private_metadata: str = ""
    app_installed_team_id: str | None = None
    state: _State = _State()

    @property
    def texts(self) -> dict[str, str]:
        """What each field holds, by its block: "" where nothing was typed."""
        return {block: "".join(one.text for one in found.values()) for block, found in self.state.values.items()}

    @property
    def files(self) -> dict[str, str]:
        """The names of the files that were put into it, by their ids."""
        inputs = [one for found in self.state.values.values() for one in found.values()]
        return {file.id: file.name or file.id for one in inputs for file in one.files or () if file.id}


class _Interaction(_Payload):
    """What somebody did with something that stands in Slack."""

    user: _Id
    team: _Team | None = None
    enterprise: _Id | None = None

    @property
    def actor(self) -> Actor:
        return Actor(team=(self.team.id if self.team else None) or self.user.team_id or "", user=self.user.id)

    @property
    def installed(self) -> str:
        """The workspace in which the app is installed."""
        return self.team.id if self.team else ""

    @property
    def origin(self) -> Origin:
        organisation = self.enterprise.id if self.enterprise else self.team.enterprise_id if self.team else None
        return Origin(team=self.installed, enterprise=organisation or "", home=self.user.team_id or "")


class ActionPayload(_Interaction):
    """A click on a button of a message or of the Home tab."""

    channel: _Id | None = None
    trigger_id: str = ""
    response_url: str = ""
    view: View | None = None
    actions: list[_Pressed] = Field(min_length=1)

    @property
    def is_at_home(self) -> bool:
        """Pressed on the Home tab, where there is neither a conversation nor a response_url."""
        return self.view is not None and self.view.type == "home"

    @property
    def pressed(self) -> _Pressed:
        return self.actions[0]


class Carried(_Payload):
    """What a form carries from the click that opened it: the button's value and its answer, and the response_url (a
    secret)."""

    value: str
    url: str
    answer: Answer = Answer.REJECT


class FormState(_Payload):
    """What the form of a training carries: where it was opened, the response_url that answers there (a secret), what
    was typed for services whose fields are not shown, and the names of files in Slack that can be chosen, by their
    ids."""

    channel: str
    url: str = ""
    drafts: dict[str, dict[str, str]] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)


class _Message(_Payload):
    files: list[_File] | None = None


class MessagePayload(_Interaction):
    """An entry of a message's menu that was chosen."""

    channel: _Id | None = None
    trigger_id: str
    response_url: str = ""
    message: _Message = _Message()

    @property
    def files(self) -> dict[str, str]:
        """The names of the files that it shows, by their ids; those that were deleted leave a stone behind."""
        shown = [file for file in self.message.files or () if file.id and file.mode != "tombstone"]
        return {file.id: file.name or file.id for file in shown}


class SubmissionPayload(_Interaction):
    """A form that was sent."""

    view: View

    @property
    def installed(self) -> str:
        """Sent from a shared conversation, a form says in its view where the app is installed, and else in `team`."""
        return self.view.app_installed_team_id or super().installed

    def value(self, block: str, action: str) -> str:
        """What was typed into an input; "" where nothing was."""
        return self.view.state.values.get(block, {}).get(action, _Input()).value or ""
