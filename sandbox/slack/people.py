"""What a person does at the screen. The page and the tests use the same verbs, so there is one path only."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.slack import actions, attachments, content, file_shapes
from sandbox.slack.delivery import Ack, Courier, DeliveryError
from sandbox.slack.events import Events
from sandbox.slack.files import File, Share
from sandbox.slack.lab import Lab
from sandbox.slack.methods import chat
from sandbox.slack.mrkdwn import escaped, with_mentions
from sandbox.slack.payloads import Payloads
from sandbox.slack.views import OpenView
from sandbox.slack.wire import JSON, SlackError, without_nothing
from sandbox.slack.workspace import Channel, Ephemeral, Message, User

_LOCALE = re.compile(r"[a-z]{2,3}-[A-Z]{2}")
TROUBLE = "We had some trouble connecting. Try again?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a person's deed led to. `message` is what Slack shows where it failed."""

    ok: bool
    ack_ms: float | None = None
    response: Any = None
    error: str | None = None
    message: str | None = None
    errors: dict[str, str] | None = field(default=None)

    def page(self) -> JSON:
        return without_nothing(
            {
                "ok": self.ok,
                "ack_ms": self.ack_ms,
                "response": self.response,
                "error": self.error,
                "message": self.message,
                "errors": self.errors,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """What people need to act: the workspace, and the way to the app."""

    lab: Lab
    payloads: Payloads
    courier: Courier
    events: Events


class Person:
    """One member of the workspace, acting."""

    def __init__(self, user: User, street: Street) -> None:
        self.user, self._street, self._lab = user, street, street.lab

    @property
    def id(self) -> str:
        return self.user.id

    # What the person sees

    @property
    def view(self) -> OpenView | None:
        """The modal on top of the person's screen."""
        return self._lab.views.top(self.id)

    def ephemerals(self, channel: str | None = None) -> list[Ephemeral]:
        """What only this person sees, oldest first."""
        place = self._lab.workspace.find_channel(channel).id if channel else None
        shown = self._lab.workspace.ephemerals.values()
        return [one for one in shown if one.user == self.id and place in {None, one.channel}]

    def dm(self, other: str | None = None) -> Channel:
        """The direct conversation with the bot, or with another person."""
        partner = self._lab.workspace.find_user(other).id if other else self._lab.bot
        return self._lab.workspace.open_dm(self.id, partner)

    def speak(self, locale: str) -> None:
        """Chooses the language of one's own Slack, as in BCP 47: `ko-KR`."""
        if not _LOCALE.fullmatch(locale):
            raise SlackError("invalid_arguments")
        self.user = replace(self.user, locale=locale)
        self._lab.workspace.change_user(self.user)

    # Commands and messages

    async def command(self, line: str, channel: str = "C0TRAIN001", *, thread_ts: str | None = None) -> Outcome:
        """Types a whole line such as `/train sestek my-model en-US`."""
        place = self._composer(channel)
        name, _, rest = " ".join(line.split(maxsplit=1)).partition(" ")
        if not name.startswith("/"):
            raise SlackError("invalid_arguments")
        if thread_ts is not None:
            return self._told(place, "not_supported_in_thread", f"{name} is not supported in threads. Sorry!")
        if name not in self._lab.manifest.commands:
            return self._told(place, "unknown_command", _unknown(name))
        path = self._lab.responses.issue("commands", channel=place.id, user=self.id)
        payload = self._street.payloads.slash_command(
            self.user,
            place,
            command=name,
            text=self._command_text(name, rest.strip()),
            response_url=self._lab.base_url + path,
            trigger_id=self._lab.triggers.issue(self.id),
        )
        return await self._deliver_command(name, place, payload)

    async def say(self, text: str, channel: str = "C0TRAIN001", *, thread_ts: str | None = None) -> Message:
        """Writes a message; `@name` and `#name` become mentions."""
        place = self._composer(channel)
        if place.kind == "dm" and self._lab.bot in place.members and self._lab.manifest.messages_read_only:
            raise SlackError("restricted_action_read_only_channel")
        people = {user.name: user.id for user in self._lab.workspace.users.values()}
        people[self._lab.workspace.app.name] = self._lab.bot
        shown = with_mentions(escaped(text), people, self._public_names(), named=False)
        message = self._lab.workspace.say(place.id, self.id, shown, thread_ts=thread_ts)
        self._street.events.said(message, place)
        return message

    # Files

    async def upload(
        self, name: str, data: bytes, channel: str = "C0TRAIN001", *, text: str = "", thread_ts: str | None = None
    ) -> Message:
        """Puts a file into a conversation."""
        return self.share([attachments.upload(self._lab, self.id, name, data)], channel, text=text, thread_ts=thread_ts)

    def share(
        self, files: list[File], channel: str = "C0TRAIN001", *, text: str = "", thread_ts: str | None = None
    ) -> Message:
        """Shows files in a conversation, in one message."""
        place = self._composer(channel)
        ts = self._lab.workspace.next_ts()
        for file in files:
            file.shares.append(Share(channel=place.id, ts=ts, thread_ts=thread_ts))
        shown = tuple(file_shapes.shape(self._lab, file, with_shares=False) for file in files)
        message = Message(ts=ts, channel=place.id, user=self.id, text=escaped(text), thread_ts=thread_ts, files=shown)
        return self._lab.workspace.put(message)

    def delete_file(self, file_id: str) -> None:
        """Takes one of one's own files away."""
        file = self._lab.files.get(file_id)
        if file.user != self.id:
            raise SlackError("cant_delete_file")
        file.is_deleted = True

    # Messages' buttons and choices

    async def click(
        self,
        shown: Message | Ephemeral,
        action_id: str,
        *,
        block_id: str | None = None,
        value: str | None = None,
        selected: Any = None,
    ) -> Outcome:
        """Presses a button of a message as it is shown in `shown`, which may be outdated, or chooses in its select.

        `value` tells buttons of one action id apart; `selected` is an option, its value, or what a picker yields.
        """
        pairs = [pair for pair in content.pressable(shown.blocks, shown.attachments) if _fits(pair[1], value)]
        block, element = actions.find(pairs, action_id, block_id)
        action = actions.action(block, element, selected)
        state = {"values": actions.with_change(actions.initial_state(pairs), action)}
        payload = self._click_payload(shown, action, state)
        return await self._deliver_click(payload, shown.channel)

    async def message_shortcut(self, message: Message, callback_id: str) -> Outcome:
        """Chooses one of the app's entries in a message's menu."""
        self._shortcut(callback_id, "message")
        payload = self._street.payloads.message_shortcut(
            self.user,
            message,
            callback_id=callback_id,
            response_url=self._response_url(message),
            trigger_id=self._lab.triggers.issue(self.id),
        )
        return await self._deliver_click(payload, message.channel)

    async def global_shortcut(self, callback_id: str) -> Outcome:
        """Chooses one of the app's entries in the workspace's own menu."""
        self._shortcut(callback_id, "global")
        trigger_id = self._lab.triggers.issue(self.id)
        payload = self._street.payloads.global_shortcut(self.user, callback_id=callback_id, trigger_id=trigger_id)
        return await self._deliver_click(payload, None)

    # Modals and the Home tab

    async def click_in_view(
        self,
        view: OpenView,
        action_id: str,
        *,
        block_id: str | None = None,
        selected: Any = None,
        values: JSON | None = None,
    ) -> Outcome:
        """Presses or chooses in a modal or the Home tab; a choice stays in the view's state, as do `values`."""
        view = self._mine(view)
        block, element = actions.find(actions.form(view.view), action_id, block_id)
        action = actions.action(block, element, selected)
        given = attachments.with_files(self._lab, self.id, view.view, values or {})
        state = actions.with_change(actions.filled(view.view, self._state(view), given), action)
        view = self._lab.views.put(replace(view, state=state))
        if block["type"] == "input" and not block.get("dispatch_action"):
            return Outcome(ok=True)
        payload = self._street.payloads.click_in_view(
            self.user,
            view,
            action,
            state={"values": state},
            trigger_id=self._lab.triggers.issue(self.id, view_id=view.id),
        )
        return await self._deliver_click(payload, None)

    async def submit(self, view: OpenView, values: JSON | None = None) -> Outcome:
        """Fills in a modal ({block_id: {action_id: value}}) and sends it."""
        view = self._mine(view)
        given = attachments.with_files(self._lab, self.id, view.view, values or {})
        state = actions.filled(view.view, self._state(view), given)
        view = self._lab.views.put(replace(view, state=state, errors=None, trouble=None))
        if complaints := actions.complaints(view.view, state):
            self._lab.views.put(replace(view, errors=complaints))
            return Outcome(ok=False, error="invalid_input", errors=complaints)
        trigger_id = self._lab.triggers.issue(self.id, view_id=view.id)
        payload = self._street.payloads.view_submission(self.user, view, state, trigger_id)
        return await self._deliver_submission(view, payload)

    async def close(self, view: OpenView, *, everything: bool = False) -> Outcome:
        """Closes a modal; the app hears of it only where it asked to."""
        view = self._mine(view)
        everything = everything or bool(view.view.get("clear_on_close"))
        if everything:
            self._lab.views.clear(self.id)
        else:
            self._lab.views.pop(view)
        if not view.view.get("notify_on_close"):
            return Outcome(ok=True)
        payload = self._street.payloads.view_closed(self.user, view, is_cleared=everything)
        return await self._deliver_click(payload, None)

    async def open_home(self, tab: str = "home") -> OpenView | None:
        """Opens the app's Home (or Messages) tab; what the app publishes then comes as a change of its own."""
        self._street.events.home_opened(self.user, self.dm(), tab, self._lab.views.homes.get(self.id))
        return self._lab.views.homes.get(self.id)

    # Delivery, and what the answer leads to

    async def _deliver_command(self, name: str, place: Channel, payload: JSON) -> Outcome:
        try:
            ack = await self._street.courier.deliver("slash_commands", payload, accepts_response=True)
        except DeliveryError as failure:
            return self._told(place, failure.error, _failed(name, failure.error))
        try:
            self._show_answer(place, ack.payload)
        except SlackError as refusal:
            return self._told(place, refusal.code, _failed(name, refusal.code))
        return Outcome(ok=True, ack_ms=ack.ms, response=ack.payload)

    def _show_answer(self, place: Channel, answer: Any) -> None:
        """The words that came with the acknowledgement: for this person alone unless the app says `in_channel`."""
        if not answer:
            return
        if not isinstance(answer, dict):
            raise SlackError("dispatch_unknown_response")
        said = content.read(answer, most_text=content.MOST_POSTED, truncate=True)
        if said.is_empty:
            return
        if answer.get("response_type") == "in_channel":
            chat.post(self._lab, place, said, thread_ts=None, broadcast=False)
        else:
            chat.whisper(self._lab, place.id, self.id, said, thread_ts=None)

    async def _deliver_click(self, payload: JSON, channel: str | None) -> Outcome:
        try:
            ack = await self._street.courier.deliver("interactive", payload)
        except DeliveryError as failure:
            self._lab.feed.publish("notice", {"user": self.id, "channel": channel, "text": TROUBLE})
            return Outcome(ok=False, error=failure.error, message=TROUBLE)
        return Outcome(ok=True, ack_ms=ack.ms)

    async def _deliver_submission(self, view: OpenView, payload: JSON) -> Outcome:
        try:
            ack = await self._street.courier.deliver("interactive", payload, accepts_response=True)
            return self._follow(view, ack)
        except DeliveryError as failure:
            return self._trouble(view, failure.error)
        except SlackError as refusal:
            return self._trouble(view, refusal.code)

    def _follow(self, view: OpenView, ack: Ack) -> Outcome:
        """Does what a submission's answer asks for; no answer closes the view."""
        views, answer = self._lab.views, ack.payload or {}
        match answer.get("response_action") if isinstance(answer, dict) else "":
            case None:
                views.pop(view)
            case "clear":
                views.clear(self.id)
            case "update":
                views.update(view, content.read_view(answer.get("view")))
            case "push":
                views.push(self.id, content.read_view(answer.get("view")))
            case "errors":
                return self._wrong(view, answer.get("errors"), ack)
            case _:
                raise SlackError("dispatch_unknown_response")
        return Outcome(ok=True, ack_ms=ack.ms, response=ack.payload)

    def _wrong(self, view: OpenView, errors: Any, ack: Ack) -> Outcome:
        """Errors name input blocks of this view; anything else Slack refuses."""
        inputs = {block["block_id"] for block in view.view["blocks"] if block["type"] == "input"}
        if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
            raise SlackError("dispatch_unknown_response")
        self._lab.views.put(replace(view, errors=errors))
        return Outcome(ok=False, ack_ms=ack.ms, response=ack.payload, error="errors", errors=errors)

    def _trouble(self, view: OpenView, error: str) -> Outcome:
        if self._lab.views.top(self.id):
            self._lab.views.put(replace(view, trouble=TROUBLE))
        return Outcome(ok=False, error=error, message=TROUBLE)

    def _told(self, place: Channel, error: str, text: str) -> Outcome:
        """Slackbot says why nothing came of it."""
        self._lab.workspace.whisper(place.id, self.id, text)
        return Outcome(ok=False, error=error, message=text)

    # Particulars

    def _composer(self, channel: str) -> Channel:
        """A conversation in which this person may type."""
        place = self._lab.workspace.find_channel(channel)
        if self.id not in place.members:
            raise SlackError("channel_not_found" if place.kind != "channel" else "not_in_channel")
        if place.archived:
            raise SlackError("is_archived")
        return place

    def _command_text(self, name: str, text: str) -> str:
        """Names become ids only for a command that asked for it.

        That `&`, `<` and `>` are escaped for every command, as in messages, is the careful guess: Slack does not say.
        """
        if not self._lab.manifest.commands[name].should_escape:
            return escaped(text)
        people = {user.name: user.id for user in self._lab.workspace.users.values()}
        return with_mentions(escaped(text), people, self._public_names(), named=True)

    def _public_names(self) -> dict[str, str]:
        return {place.name: place.id for place in self._lab.workspace.channels.values() if place.kind == "channel"}

    def _click_payload(self, shown: Message | Ephemeral, action: JSON, state: JSON) -> JSON:
        known: JSON = {
            "state": state,
            "response_url": self._response_url(shown),
            "trigger_id": self._lab.triggers.issue(self.id),
        }
        if isinstance(shown, Ephemeral):
            return self._street.payloads.click_in_ephemeral(self.user, shown, action, **known)
        return self._street.payloads.click_in_message(self.user, shown, action, **known)

    def _response_url(self, shown: Message | Ephemeral) -> str:
        is_message = isinstance(shown, Message)
        name = shown.ts if isinstance(shown, Message) else shown.id
        path = self._lab.responses.issue(
            "actions",
            channel=shown.channel,
            user=self.id,
            message_ts=name if is_message else None,
            ephemeral_id=None if is_message else name,
        )
        return self._lab.base_url + path

    def _shortcut(self, callback_id: str, kind: str) -> None:
        known = self._lab.manifest.shortcuts
        if not any(one.callback_id == callback_id and one.kind == kind for one in known):
            raise SlackError("no_such_element")

    def _state(self, view: OpenView) -> dict[str, dict[str, JSON]]:
        return actions.kept_state(actions.initial_state(actions.form(view.view)), view.state)

    def _mine(self, view: OpenView) -> OpenView:
        """The view as it stands now, if it is on this person's screen."""
        current = self._lab.views.by_id(view.id)
        if current.user != self.id:
            raise SlackError("not_found")
        return current


def _fits(element: JSON, value: str | None) -> bool:
    """Buttons of one action id differ in their value; what is filled in has no value of its own yet."""
    return value is None or element["type"] in actions.FILLED or element.get("value") == value


def _unknown(name: str) -> str:
    return (
        f"`{name}` is not a valid command. In Slack, all messages that start with the “/” character are interpreted "
        "as slash commands. If you are trying to send a message and not run a slash command, try preceding the “/” "
        "with an empty space."
    )


def _failed(name: str, error: str) -> str:
    if error == "dispatch_failed":
        return f"{name} failed because the app did not respond."
    return f'{name} failed with the error "{error}"'
