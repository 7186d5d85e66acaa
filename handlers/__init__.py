"""The Slack edge: what arrives is parsed, kept and answered; nothing here waits for a network."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import ValidationError
from slack_bolt.async_app import AsyncApp

from bot.domain.attention import is_person
from bot.domain.changes import Say
from bot.ports import Deps
from bot.sentences import speaking
from bot.usecases.groups import forget_members
from bot.usecases.languages import language_known
from bot.usecases.place import joined
from handlers import home
from handlers.commands import jobs, status
from handlers.forms.attention import submit_wishes
from handlers.forms.reason import press_or_ask, submit_reason
from handlers.forms.shortcut import open_with_files
from handlers.forms.train import FORM_PRESSES, answer_train_or_open, submit_training
from handlers.guard import Ack, answer_click, answer_command, answer_fields, answer_form
from handlers.ids import Callback, Command, SlackEvent, action_of
from handlers.origins import Doorkeeper, Origin
from handlers.payloads import ActionPayload, CommandPayload, MessagePayload, SubmissionPayload
from handlers.views.blocks import Message
from handlers.views.training_forms import PROVIDER
from handlers.views.wishes_form import FOLLOW

_COMMANDS = {
    Command.TRAIN_STATUS: status.answer,
    Command.STATUS: status.answer,
    Command.JOBS: jobs.answer,
}


def register(app: AsyncApp, deps: Deps, door: Doorkeeper) -> None:
    """Register one listener a kind: each costs every request a little, so words and ids are told apart inside."""
    _register_commands(app, deps, door)
    _register_clicks(app, deps, door)
    _register_events(app, deps, door)


@asynccontextmanager
async def _speaking_to(deps: Deps, body: Mapping[str, Any]) -> AsyncIterator[None]:
    """What a listener answers is read by whoever asked, so it is said in their language."""
    user = _who(body)
    with speaking(await language_known(deps, user) if user else None):
        yield


def _who(body: Mapping[str, Any]) -> str:
    """Who typed or pressed; "" for an event, and for what has no shape of Slack's."""
    pressed = body.get("user")
    user = body.get("user_id") or (pressed.get("id") if isinstance(pressed, Mapping) else "")
    return user if isinstance(user, str) and is_person(user) else ""


def _register_commands(app: AsyncApp, deps: Deps, door: Doorkeeper) -> None:
    async def on_command(ack: Ack, body: dict[str, Any]) -> None:
        async with _speaking_to(deps, body):
            await answer_command(ack, lambda: _answer_command(app, deps, door, body))

    app.command(re.compile("|".join(f"^{re.escape(command)}$" for command in Command)))(on_command)


async def _answer_command(app: AsyncApp, deps: Deps, door: Doorkeeper, body: dict[str, Any]) -> Say | Message:
    payload = CommandPayload.model_validate(body)
    await door.check(payload.origin)
    if payload.command == Command.TRAIN:
        return await answer_train_or_open(deps, app.client, payload)
    return await _COMMANDS[Command(payload.command)](deps, payload)


def _register_clicks(app: AsyncApp, deps: Deps, door: Doorkeeper) -> None:
    async def on_click(ack: Ack, body: dict[str, Any]) -> None:
        try:
            payload = ActionPayload.model_validate(body)
        except ValidationError:
            # Something else than one of our buttons was touched.
            await ack()
            return
        async with _speaking_to(deps, body):
            if payload.is_at_home:
                await home.answer_press(deps, ack, door, payload, lambda: _act(app, deps, payload))
            else:
                await answer_click(deps, ack, payload.response_url, lambda: _press(app, deps, door, payload))

    async def on_submission(ack: Ack, body: dict[str, Any]) -> None:
        async with _speaking_to(deps, body):
            await answer_form(ack, lambda: _submit(deps, door, body))

    app.action(re.compile(".*"))(on_click)

    async def on_training(ack: Ack, body: dict[str, Any]) -> None:
        async with _speaking_to(deps, body):
            await answer_fields(ack, lambda: _submit_training(deps, door, body), PROVIDER)

    async def on_message(ack: Ack, body: dict[str, Any]) -> None:
        url = str(body.get("response_url") or "")
        async with _speaking_to(deps, body):
            await answer_click(deps, ack, url, lambda: _open_with_files(app, deps, door, body))

    app.message_shortcut(Callback.TRAIN_WITH_FILE.value)(on_message)

    async def on_wishes(ack: Ack, body: dict[str, Any]) -> None:
        async with _speaking_to(deps, body):
            await answer_fields(ack, lambda: _submit_wishes(deps, door, body), FOLLOW)

    app.view(Callback.REASON.value)(on_submission)
    app.view(Callback.ATTENTION.value)(on_wishes)
    app.view(Callback.TRAIN.value)(on_training)


async def _press(app: AsyncApp, deps: Deps, door: Doorkeeper, payload: ActionPayload) -> Say | Message:
    await door.check(payload.origin)
    return await _act(app, deps, payload)


async def _open_with_files(app: AsyncApp, deps: Deps, door: Doorkeeper, body: dict[str, Any]) -> Say:
    payload = MessagePayload.model_validate(body)
    await door.check(payload.origin)
    return await open_with_files(deps, app.client, payload)


async def _act(app: AsyncApp, deps: Deps, payload: ActionPayload) -> Say | Message:
    known = action_of(payload.pressed.action_id)
    if known and known[0] in FORM_PRESSES:
        return await FORM_PRESSES[known[0]](deps, app.client, payload)
    return await press_or_ask(deps, app.client, payload)


async def _submit(deps: Deps, door: Doorkeeper, body: dict[str, Any]) -> Say:
    payload = SubmissionPayload.model_validate(body)
    await door.check(payload.origin)
    return await submit_reason(deps, payload)


async def _submit_training(deps: Deps, door: Doorkeeper, body: dict[str, Any]) -> Mapping[str, str]:
    payload = SubmissionPayload.model_validate(body)
    await door.check(payload.origin)
    return await submit_training(deps, payload)


async def _submit_wishes(deps: Deps, door: Doorkeeper, body: dict[str, Any]) -> Mapping[str, str]:
    payload = SubmissionPayload.model_validate(body)
    await door.check(payload.origin)
    return await submit_wishes(deps, payload)


def _register_events(app: AsyncApp, deps: Deps, door: Doorkeeper) -> None:
    # What raises is not acked, so Slack brings it again: the database refused, or we do not know yet who we are.
    async def on_joined(ack: Ack, event: dict[str, Any], context: dict[str, Any]) -> None:
        own = await door.require()
        if own.serves(_origin(context)) and event.get("user") == own.bot:
            await joined(deps, str(event.get("channel", "")))
        await ack()

    async def on_members_changed(ack: Ack, event: dict[str, Any], context: dict[str, Any]) -> None:
        own = await door.require()
        if own.serves(_origin(context)):
            await forget_members(deps, str(event.get("subteam_id", "")))
        await ack()

    async def on_home_opened(ack: Ack, event: dict[str, Any], context: dict[str, Any]) -> None:
        own, origin = await door.require(), _origin(context)
        if own.serves(origin):
            await home.opened(deps, event, origin)
        await ack()

    app.event(SlackEvent.APP_HOME_OPENED.value)(on_home_opened)
    app.event(SlackEvent.MEMBER_JOINED_CHANNEL.value)(on_joined)
    app.event(SlackEvent.SUBTEAM_MEMBERS_CHANGED.value)(on_members_changed)


def _origin(context: dict[str, Any]) -> Origin:
    """Of an event: Bolt reads it from `authorizations`, which name the installation also in shared conversations."""
    return Origin(team=context.get("team_id") or "", enterprise=context.get("enterprise_id") or "", has_home=False)


__all__ = ["register"]
