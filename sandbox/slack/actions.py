"""From what is on the screen to what the payload says: elements, their actions, and the state of a form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sandbox.slack import blockkit
from sandbox.slack.wire import JSON, SlackError, without_nothing

# What each kind of element holds once somebody used it; buttons hold nothing.
FILLED = {
    "plain_text_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "number_input": "value",
    "rich_text_input": "rich_text_value",
    "static_select": "selected_option",
    "external_select": "selected_option",
    "radio_buttons": "selected_option",
    "overflow": "selected_option",
    "multi_static_select": "selected_options",
    "multi_external_select": "selected_options",
    "checkboxes": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "file_input": "files",
}
_PRESSED = {"button", "workflow_button", "overflow", "icon_button", "feedback_buttons"}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def find(pairs: Iterable[tuple[JSON, JSON]], action_id: str, block_id: str | None) -> tuple[JSON, JSON]:
    """The (block, element) that somebody pressed; SlackError `no_such_element` where the screen has none."""
    for block, element in pairs:
        if element.get("action_id") == action_id and block_id in {None, block["block_id"]}:
            return block, element
    raise SlackError("no_such_element")


def action(block: JSON, element: JSON, chosen: Any) -> JSON:
    """The entry of `actions` for one press or choice."""
    kind = element["type"]
    common = {"type": kind, "action_id": element["action_id"], "block_id": block["block_id"]}
    if kind in FILLED:
        placeholder = without_nothing({"placeholder": element.get("placeholder"), "confirm": element.get("confirm")})
        return {**common, **placeholder, FILLED[kind]: _choice(element, chosen)}
    if kind == "feedback_buttons":
        return {**common, **_feedback(element, chosen)}
    shown = {key: element.get(key) for key in ("text", "value", "style", "url", "confirm")}
    return {**common, **without_nothing(shown)}


def with_change(state: dict[str, dict[str, JSON]], change: JSON) -> dict[str, dict[str, JSON]]:
    """The state of a form after one choice in it."""
    kind = change["type"]
    if kind not in FILLED or kind in _PRESSED:
        return state
    entry = {"type": kind, FILLED[kind]: change[FILLED[kind]]}
    block = {**state.get(change["block_id"], {}), change["action_id"]: entry}
    return {**state, change["block_id"]: block}


def initial_state(pairs: Iterable[tuple[JSON, JSON]]) -> dict[str, dict[str, JSON]]:
    """What a form holds before anybody touched it: each fillable element, with its initial value or with nothing."""
    state: dict[str, dict[str, JSON]] = {}
    for block, element in pairs:
        kind = element["type"]
        if kind in FILLED and kind not in _PRESSED:
            entry = {"type": kind, FILLED[kind]: _initial(element)}
            state.setdefault(block["block_id"], {})[element["action_id"]] = entry
    return state


def kept_state(initial: dict[str, dict[str, JSON]], state: dict[str, dict[str, JSON]]) -> dict[str, dict[str, JSON]]:
    """The state of a form that may have been changed: what is filled in stays where its element still is."""
    return {
        block_id: {action_id: _kept(entry, state.get(block_id, {}).get(action_id)) for action_id, entry in row.items()}
        for block_id, row in initial.items()
    }


def filled(view: JSON, state: dict[str, dict[str, JSON]], values: JSON) -> dict[str, dict[str, JSON]]:
    """The state after somebody filled in `values` ({block_id: {action_id: {…}}}); unknown places are refused."""
    pairs = list(form(view))
    for block_id, entries in values.items():
        for action_id, entry in entries.items():
            block, element = find(pairs, action_id, block_id)
            if element["type"] not in FILLED:
                raise SlackError("no_such_element")
            state = with_change(state, action(block, element, _given(element, entry)))
    return state


def form(view: JSON) -> Iterable[tuple[JSON, JSON]]:
    for block in view["blocks"]:
        for element in blockkit.elements(block):
            yield block, element


def complaints(view: JSON, state: dict[str, dict[str, JSON]]) -> dict[str, str]:
    """What Slack's own client finds before it submits anything: {block_id: sentence}."""
    found: dict[str, str] = {}
    for block, element in form(view):
        if block["type"] == "input":
            entry = state.get(block["block_id"], {}).get(element["action_id"], {})
            if complaint := _complaint(block, element, entry.get(FILLED[element["type"]])):
                found[block["block_id"]] = complaint
    return found


def _complaint(block: JSON, element: JSON, value: Any) -> str | None:
    if value in (None, "", []):
        return None if block.get("optional") else "Please complete this required field."
    kind = element["type"]
    if kind == "plain_text_input":
        return _length(element, value)
    if kind == "number_input":
        return _number(element, value)
    if kind == "email_text_input" and not _EMAIL.fullmatch(value):
        return "Enter a valid email address."
    if kind == "url_text_input" and not re.match(r"https?://\S+$", value):
        return "Enter a valid URL."
    return None


def _length(element: JSON, value: str) -> str | None:
    if len(value) < element.get("min_length", 0):
        return f"Please enter at least {element['min_length']} characters."
    if len(value) > element.get("max_length", 3000):
        return f"Please enter at most {element.get('max_length', 3000)} characters."
    return None


def _number(element: JSON, value: str) -> str | None:
    whole = r"-?\d+" + (r"(\.\d+)?" if element["is_decimal_allowed"] else "")
    if not re.fullmatch(whole, value):
        return "Enter a valid number."
    if float(value) < float(element.get("min_value", "-inf")) or float(value) > float(element.get("max_value", "inf")):
        return "This number is outside the allowed range."
    return None


def _kept(initial: JSON, entry: JSON | None) -> JSON:
    return entry if entry is not None and entry["type"] == initial["type"] else initial


def _choice(element: JSON, chosen: Any) -> Any:
    """The chosen option as the element lists it, or the plain value of the others."""
    name = FILLED[element["type"]]
    if name == "selected_option":
        return None if chosen is None else _option(element, chosen)
    if name == "selected_options":
        return [_option(element, one) for one in chosen or ()]
    return chosen


def _option(element: JSON, chosen: Any) -> JSON:
    wanted = chosen.get("value") if isinstance(chosen, dict) else chosen
    if element["type"].endswith("external_select") and isinstance(chosen, dict):
        return chosen
    for option in _options(element):
        if option["value"] == wanted:
            return option
    raise SlackError("no_such_option")


def _options(element: JSON) -> list[JSON]:
    grouped = [option for group in element.get("option_groups") or () for option in group["options"]]
    return [*(element.get("options") or ()), *grouped]


def _feedback(element: JSON, chosen: Any) -> JSON:
    for name in ("positive_button", "negative_button"):
        if element[name]["value"] == chosen:
            return {"text": element[name]["text"], "value": chosen}
    raise SlackError("no_such_option")


def _initial(element: JSON) -> Any:
    kind = element["type"]
    name = FILLED[kind]
    if name in {"value", "rich_text_value"}:
        return element.get("initial_value")
    initial = element.get(name.replace("selected", "initial"))
    return [] if initial is None and name in {"selected_options", "files"} else initial


def _given(element: JSON, entry: Any) -> Any:
    """The value in an entry of the page's form, which may be bare or `{type, value | selected_…}`."""
    if not isinstance(entry, dict):
        return entry
    name = FILLED[element["type"]]
    return entry.get(name, entry.get("value"))
