"""Block Kit's rules, by hand: which blocks and elements stand where, and how long each part may be.

Sources: https://docs.slack.dev/reference/block-kit (blocks, elements, composition objects) and the types that Slack
publishes (@slack/types 3.2.0). `messages()` and `view()` return what is wrong in the words of Slack's replies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

from sandbox.slack import charts
from sandbox.slack.checks import (
    Check,
    Findings,
    anything,
    at_least_one,
    boolean,
    both,
    by_type,
    choice,
    exactly_one,
    listing,
    number,
    record,
    string,
)
from sandbox.slack.wire import JSON

Surface = Literal["message", "modal", "home"]

MOST_TEXT = 13_200
MOST_MARKDOWN = 12_000
MOST_BLOCKS: dict[Surface, int] = {"message": 50, "modal": 100, "home": 100}
VIEW_BYTES = 250_000


def message_findings(blocks: Any) -> list[str]:
    """What Slack would find in the blocks of a message; empty where they are fine."""
    found = Findings()
    _list_of_blocks("message")(blocks, "/blocks", found)
    if not found.messages:
        _rules_of_a_message(blocks, found)
        _unique_ids(blocks, "/blocks", found)
    return found.messages


def view_findings(view: Any) -> list[str]:
    """What Slack would find in a modal or a Home tab."""
    found = Findings()
    by_type({"modal": _modal(), "home": _home()})(view, "/view", found)
    if not found.messages:
        _unique_ids(view["blocks"], "/view/blocks", found)
        _submit_for_inputs(view, found)
    return found.messages


def total_text(blocks: list[JSON]) -> int:
    """Characters of text in these blocks, the measure of `msg_blocks_too_long`."""
    return sum(len(text) for block in blocks for text in _texts(block))


def walk(blocks: Any) -> Iterator[JSON]:
    """Every block, those inside containers and carousels too."""
    for block in blocks or ():
        yield block
        yield from walk(block.get("child_blocks"))
        if block.get("type") == "carousel":
            yield from walk(block.get("elements"))


def elements(block: JSON) -> Iterator[JSON]:
    """The elements of one block that somebody can press or fill in."""
    kind = block.get("type")
    if kind in {"actions", "context_actions"}:
        yield from block["elements"]
    elif kind == "card":
        yield from block.get("actions") or ()
    elif kind == "section" and "accessory" in block:
        yield block["accessory"]
    elif kind == "input":
        yield block["element"]


# Composition objects


def plain(most: int, least: int = 1) -> Check:
    return by_type({"plain_text": _plain_text(most, least)})


def text(most: int, least: int = 1) -> Check:
    return by_type({"plain_text": _plain_text(most, least), "mrkdwn": _mrkdwn(most, least)})


def mrkdwn(most: int) -> Check:
    return by_type({"mrkdwn": _mrkdwn(most, 1)})


def _plain_text(most: int, least: int) -> Check:
    return record({"text": string(most, least), "emoji": boolean}, ("text",))


def _mrkdwn(most: int, least: int) -> Check:
    return record({"text": string(most, least), "verbatim": boolean}, ("text",))


def _confirm() -> Check:
    keys = {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)}
    return record({**keys, "style": choice("primary", "danger")}, tuple(keys))


def _option(words: Callable[[int], Check]) -> Check:
    keys = {"text": words(75), "value": string(150), "description": words(75), "url": string(3000)}
    return record(keys, ("text", "value"))


def _groups() -> Check:
    return listing(
        record({"label": plain(75), "options": listing(_option(plain), 100, 1)}, ("label", "options")), 100, 1
    )


# Elements


def _element(*required: str, **keys: Check) -> Check:
    return record({"action_id": string(255), **keys}, required)


def _asking(*required: str, **keys: Check) -> Check:
    """An element that may ask back and take the cursor."""
    return _element(*required, confirm=_confirm(), focus_on_load=boolean, **keys)


def _picking(*required: str, **keys: Check) -> Check:
    return _asking(*required, placeholder=plain(150), **keys)


def _typing(*required: str, **keys: Check) -> Check:
    dispatch = record({"trigger_actions_on": listing(choice("on_enter_pressed", "on_character_entered"))})
    return _element(*required, placeholder=plain(150), focus_on_load=boolean, dispatch_action_config=dispatch, **keys)


def _button() -> Check:
    return _element(
        "text",
        text=plain(75),
        value=string(2000),
        url=string(3000),
        style=choice("primary", "danger"),
        confirm=_confirm(),
        accessibility_label=string(75),
    )


def _static(**more: Check) -> Check:
    options = listing(_option(plain), 100, 1)
    return both(_picking(options=options, option_groups=_groups(), **more), exactly_one("options", "option_groups"))


def _conversation_filter() -> Check:
    return record(
        {
            "include": listing(choice("im", "mpim", "private", "public"), least=1),
            "exclude_external_shared_channels": boolean,
            "exclude_bot_users": boolean,
        }
    )


def _selects() -> dict[str, Check]:
    several = {"max_selected_items": number(1)}
    conversations = {"default_to_current_conversation": boolean, "filter": _conversation_filter()}
    answering = {"response_url_enabled": boolean}
    external = {"min_query_length": number(0)}
    return {
        "static_select": _static(initial_option=_option(plain)),
        "multi_static_select": _static(initial_options=listing(_option(plain), 100, 1), **several),
        "users_select": _picking(initial_user=string()),
        "multi_users_select": _picking(initial_users=listing(string()), **several),
        "channels_select": _picking(initial_channel=string(), **answering),
        "multi_channels_select": _picking(initial_channels=listing(string()), **several),
        "conversations_select": _picking(initial_conversation=string(), **conversations, **answering),
        "multi_conversations_select": _picking(initial_conversations=listing(string()), **conversations, **several),
        "external_select": _picking(initial_option=_option(plain), **external),
        "multi_external_select": _picking(initial_options=listing(_option(plain)), **external, **several),
    }


def _pickers() -> dict[str, Check]:
    options = {"options": listing(_option(text), 10, 1)}
    return {
        "checkboxes": _asking("options", initial_options=listing(_option(text), 10, 1), **options),
        "radio_buttons": _asking("options", initial_option=_option(text), **options),
        "datepicker": _picking(initial_date=string(pattern=r"\d{4}-\d\d-\d\d")),
        "timepicker": _picking(initial_time=string(pattern=r"\d\d:\d\d"), timezone=string()),
        "datetimepicker": _asking(initial_date_time=number(10**9, 10**10)),
    }


def _pressed() -> dict[str, Check]:
    """What stands in actions blocks and beside sections, but in no input block."""
    trigger = record({"url": string(3000), "customizable_input_parameters": anything}, ("url",))
    workflow = record({"trigger": trigger}, ("trigger",))
    return {
        "button": _button(),
        "overflow": _element("options", options=listing(_option(plain), 5, 1), confirm=_confirm()),
        "workflow_button": _element(
            "text",
            "workflow",
            text=plain(75),
            workflow=workflow,
            style=choice("primary", "danger"),
            accessibility_label=string(75),
        ),
    }


def _rich_text_input() -> Check:
    return _typing(initial_value=_rich_text())


def _inputs(surface: Surface) -> dict[str, Check]:
    """What stands in an input block."""
    kinds = {
        **_selects(),
        **_pickers(),
        "plain_text_input": _typing(
            initial_value=string(3000), multiline=boolean, min_length=number(0, 3000), max_length=number(1, 3000)
        ),
        "email_text_input": _typing(initial_value=string()),
        "url_text_input": _typing(initial_value=string()),
        "number_input": _typing(
            "is_decimal_allowed",
            is_decimal_allowed=boolean,
            initial_value=string(),
            min_value=string(),
            max_value=string(),
        ),
        "rich_text_input": _rich_text_input(),
    }
    if surface == "modal":
        kinds["file_input"] = _element(filetypes=listing(string()), max_files=number(1, 10))
    return kinds


def _image_element() -> Check:
    return both(
        record({"image_url": string(3000), "slack_file": _slack_file(), "alt_text": string(2000)}, ("alt_text",)),
        exactly_one("image_url", "slack_file"),
    )


def _slack_file() -> Check:
    return both(record({"id": string(), "url": string()}), exactly_one("id", "url"))


# Blocks


def _block(*required: str, **keys: Check) -> Check:
    return record({"block_id": string(255), **keys}, required)


def _section() -> Check:
    accessory = by_type({**_selects(), **_pickers(), **_pressed(), "image": _image_element()})
    return both(
        _block(text=text(3000), fields=listing(text(2000), 10, 1), accessory=accessory, expand=boolean),
        at_least_one("text", "fields"),
    )


def _actions() -> Check:
    kinds = {**_selects(), **_pickers(), **_pressed(), "rich_text_input": _rich_text_input()}
    return _block("elements", elements=listing(by_type(kinds), 25, 1))


def _context() -> Check:
    kinds = {"image": _image_element(), "plain_text": _plain_text(3000, 1), "mrkdwn": _mrkdwn(3000, 1)}
    return _block("elements", elements=listing(by_type(kinds), 10, 1))


def _context_actions() -> Check:
    feedback = record({"text": plain(75), "value": string(2000), "accessibility_label": string(75)}, ("text", "value"))
    kinds = {
        "feedback_buttons": _element(
            "positive_button", "negative_button", positive_button=feedback, negative_button=feedback
        ),
        "icon_button": _element(
            "icon",
            "text",
            icon=choice("trash"),
            text=plain(75),
            value=string(2000),
            confirm=_confirm(),
            accessibility_label=string(75),
            visible_to_user_ids=listing(string()),
        ),
    }
    return _block("elements", elements=listing(by_type(kinds), 5, 1))


def _input(surface: Surface) -> Check:
    return _block(
        "label",
        "element",
        label=plain(2000),
        element=by_type(_inputs(surface)),
        hint=plain(2000),
        optional=boolean,
        dispatch_action=boolean,
    )


def _image() -> Check:
    return both(
        _block("alt_text", image_url=string(3000), slack_file=_slack_file(), alt_text=string(2000), title=plain(2000)),
        exactly_one("image_url", "slack_file"),
    )


def _video() -> Check:
    return _block(
        "alt_text",
        "title",
        "thumbnail_url",
        "video_url",
        alt_text=string(),
        title=plain(199),
        thumbnail_url=string(),
        video_url=string(),
        title_url=string(),
        description=plain(200),
        author_name=string(49),
        provider_name=string(),
        provider_icon_url=string(),
    )


def _rich_text() -> Check:
    sections = {"rich_text_section": anything, "rich_text_list": anything, "rich_text_quote": anything}
    kinds = {**sections, "rich_text_preformatted": anything}
    return by_type({"rich_text": _block("elements", elements=listing(by_type(kinds), least=1))})


def _cell(*, with_rich_text: bool) -> Check:
    raw: dict[str, Check] = {
        "raw_text": record({"text": string()}, ("text",)),
        "raw_number": record({"text": string(), "value": number()}, ("text", "value")),
    }
    return by_type({**raw, "rich_text": _rich_text()} if with_rich_text else raw)


def _table() -> Check:
    setting = record({"align": choice("left", "center", "right"), "is_wrapped": boolean})
    return _block(
        "rows",
        rows=listing(listing(_cell(with_rich_text=True), 20, 1), 100, 1),
        column_settings=listing(setting, 20),
    )


def _data_table() -> Check:
    def header(rows: Any, where: str, found: Findings) -> None:
        if isinstance(rows, list) and rows:
            listing(_cell(with_rich_text=False), 20, 1)(rows[0], f"{where}/0", found)

    rows = both(listing(listing(_cell(with_rich_text=True), 20, 1), 101, 2), header)
    return _block(
        "caption",
        "rows",
        caption=string(),
        rows=rows,
        page_size=number(1, 100),
        row_header_column_index=number(0),
    )


def _chart() -> Check:
    return _block("title", "chart", title=string(charts.MOST_TITLE, 1), chart=charts.chart())


def _card() -> Check:
    image = by_type({"image": _image_element()})
    return both(
        _block(
            title=mrkdwn(150),
            subtitle=mrkdwn(150),
            body=mrkdwn(200),
            icon=image,
            hero_image=image,
            actions=listing(by_type({"button": _button()})),
        ),
        at_least_one("hero_image", "title", "actions", "body"),
    )


def _carousel() -> Check:
    return _block("elements", elements=listing(by_type({"card": _card()}), 10, 1))


def _container() -> Check:
    inner = {name: _blocks("message")[name] for name in ("actions", "context", "divider", "header", "image", "input")}
    inner |= {"rich_text": _rich_text(), "section": _section(), "table": _table(), "video": _video()}
    return both(
        _block(
            "child_blocks",
            child_blocks=listing(by_type(inner), 10, 1),
            title=plain(150),
            rich_text_title=_rich_text(),
            subtitle=text(150),
            icon=by_type({"image": _image_element()}),
            is_collapsible=boolean,
            default_collapsed=boolean,
            has_header_divider=boolean,
            width=choice("narrow", "standard", "wide", "full"),
        ),
        at_least_one("title", "rich_text_title"),
    )


def _task_card() -> Check:
    source = by_type({"url": record({"url": string(), "text": string()}, ("url", "text"))})
    return _block(
        "task_id",
        "title",
        "status",
        task_id=string(),
        title=string(),
        status=choice("pending", "in_progress", "complete", "error"),
        details=_rich_text(),
        output=_rich_text(),
        sources=listing(source),
    )


def _blocks(surface: Surface) -> dict[str, Check]:
    """The plain blocks, which other blocks may hold."""
    return {
        "actions": _actions(),
        "context": _context(),
        "divider": _block(),
        "header": _block("text", text=plain(150)),
        "image": _image(),
        "input": _input(surface),
        "rich_text": _rich_text(),
        "section": _section(),
        "video": _video(),
    }


def _special_blocks() -> dict[str, Check]:
    task = _task_card()
    return {
        "card": _card(),
        "carousel": _carousel(),
        "container": _container(),
        "context_actions": _context_actions(),
        "data_table": _data_table(),
        "data_visualization": _chart(),
        "markdown": _block("text", text=string(MOST_MARKDOWN, 1)),
        "plan": _block("title", title=string(), tasks=listing(by_type({"task_card": task}))),
        "table": _table(),
        "task_card": task,
    }


@lru_cache
def _list_of_blocks(surface: Surface) -> Check:
    kinds = {**_blocks(surface), **_only_on(surface)}
    least = 1 if surface == "message" else 0
    return listing(by_type(kinds), MOST_BLOCKS[surface], least)


def _only_on(surface: Surface) -> Mapping[str, Check]:
    if surface == "message":
        return _special_blocks()
    if surface == "modal":
        levels = choice("default", "info", "warning", "error", "success")
        return {"card": _card(), "alert": _block("text", text=text(3000), level=levels)}
    return {"card": _card(), "carousel": _carousel()}


# Views


def _view(surface: Surface, *required: str, **keys: Check) -> Check:
    common = {"blocks": _list_of_blocks(surface), "private_metadata": string(3000), "callback_id": string(255)}
    return record({**common, "external_id": string(255), **keys}, ("blocks", *required))


def _modal() -> Check:
    return _view(
        "modal",
        "title",
        title=plain(24),
        submit=plain(24),
        close=plain(24),
        clear_on_close=boolean,
        notify_on_close=boolean,
    )


def _home() -> Check:
    return _view("home")


# Rules across blocks


def _submit_for_inputs(view: JSON, found: Findings) -> None:
    has_input = any(block["type"] == "input" for block in view["blocks"])
    if view["type"] == "modal" and has_input and "submit" not in view:
        found.add("missing required field: submit (a view with an input block needs it)", "/view")


def _rules_of_a_message(blocks: list[JSON], found: Findings) -> None:
    count = Counter(block["type"] for block in walk(blocks))
    if count["table"] > 1:
        found.add("only one table allowed", "/blocks")
    if count["data_visualization"] > 2:
        found.add("no more than two data_visualization blocks allowed", "/blocks")
    if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > MOST_MARKDOWN:
        found.add(f"markdown blocks must be less than {MOST_MARKDOWN + 1} characters in all", "/blocks")


def _unique_ids(blocks: list[JSON], where: str, found: Findings) -> None:
    for name in _twice(block.get("block_id") for block in walk(blocks)):
        found.add(f"`block_id` already exists: {name}", where)
    for index, block in enumerate(walk(blocks)):
        for name in _twice(element.get("action_id") for element in elements(block)):
            found.add(f"`action_id` already exists for block: {name}", f"{where}/{index}")


def _twice(names: Iterator[str | None]) -> list[str]:
    return [name for name, count in Counter(name for name in names if name).items() if count > 1]


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "text" and isinstance(value, str):
                yield value
            else:
                yield from _texts(value)
    elif isinstance(part, list):
        for value in part:
            yield from _texts(value)
