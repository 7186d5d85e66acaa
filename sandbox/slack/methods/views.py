"""views.*: modals and Home tabs. Source: https://docs.slack.dev/reference/methods?family=views."""

from __future__ import annotations

from sandbox.slack import content, shapes
from sandbox.slack.arguments import Arguments
from sandbox.slack.lab import Lab
from sandbox.slack.views import OpenView
from sandbox.slack.wire import JSON, SlackError


def open_(lab: Lab, args: Arguments) -> JSON:
    view = _modal(args)
    trigger = lab.triggers.look(_trigger_id(args))
    opened = lab.views.open(trigger.user, view)
    trigger.taken = True
    return _answer(lab, opened)


def push(lab: Lab, args: Arguments) -> JSON:
    view = _modal(args)
    trigger = lab.triggers.look(_trigger_id(args))
    if trigger.view_id is None:
        # A push answers something done inside a modal; Slack refuses other triggers, the word is a guess.
        raise SlackError("not_found")
    pushed = lab.views.push(trigger.user, view)
    trigger.taken = True
    return _answer(lab, pushed)


def update(lab: Lab, args: Arguments) -> JSON:
    view = content.read_view(args.values["view"])
    if args.given("view_id"):
        old = lab.views.by_id(args.required("view_id"))
    elif args.given("external_id"):
        old = lab.views.by_external_id(args.required("external_id"))
    else:
        raise SlackError.with_messages("invalid_arguments", ["missing required field: view_id"])
    if view["type"] != old.view["type"]:
        raise SlackError.with_messages("invalid_arguments", ["a view keeps its type [json-pointer:/view/type]"])
    return _answer(lab, lab.views.update(old, view, guard=args.text("hash")))


def publish(lab: Lab, args: Arguments) -> JSON:
    view = content.read_view(args.values["view"])
    if view["type"] != "home":
        raise SlackError.with_messages("invalid_arguments", ["must be a home view [json-pointer:/view/type]"])
    if not lab.manifest.home_tab:
        raise SlackError("not_enabled")
    person = lab.workspace.user(args.required("user_id"))
    return _answer(lab, lab.views.publish(person.id, view, guard=args.text("hash")))


def _modal(args: Arguments) -> JSON:
    view = content.read_view(args.values["view"])
    if view["type"] != "modal":
        raise SlackError.with_messages("invalid_arguments", ["must be a modal [json-pointer:/view/type]"])
    return view


def _trigger_id(args: Arguments) -> str:
    trigger_id = args.text("trigger_id")
    if trigger_id is None:
        raise SlackError.with_messages("invalid_arguments", ["missing required field: trigger_id"])
    return trigger_id


def _answer(lab: Lab, opened: OpenView) -> JSON:
    return {"view": shapes.view(lab.workspace, opened)}
