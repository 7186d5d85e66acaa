"""Block Kit's limits: what is at the limit passes, what is one beyond it is named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from sandbox.slack import blockkit

Block = dict[str, Any]


def plain(text: str = "x") -> Block:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str = "x") -> Block:
    return {"type": "mrkdwn", "text": text}


def option(number: int = 0, **more: Any) -> Block:
    return {"text": plain(f"option {number}"), "value": str(number), **more}


def button(**more: Any) -> Block:
    return {"type": "button", "text": plain("Go"), "action_id": "go", **more}


def actions(*elements: Block, **more: Any) -> Block:
    return {"type": "actions", "elements": list(elements), **more}


def section(**more: Any) -> Block:
    return {"type": "section", **(more or {"text": mrkdwn()})}


def select(**more: Any) -> Block:
    return {"type": "static_select", "action_id": "pick", "placeholder": plain(), "options": [option()], **more}


def asking(element: Block, **more: Any) -> Block:
    return {"type": "input", "block_id": "b", "label": plain("Label"), "element": element, **more}


def overflow(options: int) -> Block:
    return {"type": "overflow", "action_id": "more", "options": [option(number) for number in range(options)]}


def typed(**more: Any) -> Block:
    return {"type": "plain_text_input", "action_id": "t", **more}


def modal(*blocks: Block, **more: Any) -> Block:
    return {"type": "modal", "title": plain("Title"), "blocks": list(blocks), **more}


def confirm(**more: Any) -> Block:
    return {"title": plain(), "text": mrkdwn(), "confirm": plain("Yes"), "deny": plain("No"), **more}


def rich_text() -> Block:
    words = {"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}
    return {"type": "rich_text", "elements": [words]}


def cell(text: str = "x") -> Block:
    return {"type": "raw_text", "text": text}


IMAGE = {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a picture"}
TASK = {"type": "task_card", "task_id": "t", "title": "Deploy", "status": "in_progress"}
PIE = {"type": "data_visualization", "title": "x", "chart": {"type": "pie", "segments": [{"label": "a", "value": 1}]}}


def chart(kind: str = "line", **fields: Any) -> list[Block]:
    """A message of one chart at the limits of its block."""
    names = [f"{number:02}{'k' * 18}" for number in range(20)]
    points = [{"label": name, "value": -0.5} for name in names]
    made: Block = {
        "series": [{"name": f"{number}{'s' * 19}", "data": points} for number in range(6)],
        "axis_config": {"categories": names, "x_label": "x" * 50, "y_label": "y" * 50},
    }
    if kind == "pie":
        made = {"segments": [{"label": "p" * 20, "value": 0.5}] * 6}
    return [{"type": "data_visualization", "title": "t" * 50, "chart": {"type": kind, **made, **fields}}]


def named(*labels: str, **points: Any) -> Block:
    """Series of one name and one value for each label, beside the categories a and b."""
    series = [{"name": "s", "data": [{"label": label, "value": 1, **points} for label in labels]}]
    return {"series": series, "axis_config": {"categories": ["a", "b"]}}


GOOD_MESSAGES: dict[str, list[Block]] = {
    "fifty blocks": [{"type": "divider"}] * 50,
    "a section of 3,000": [section(text=mrkdwn("x" * 3000))],
    "ten fields": [section(fields=[mrkdwn("x" * 1000)] * 10)],
    "a header of 150": [{"type": "header", "text": plain("x" * 150)}],
    "ten in a context": [{"type": "context", "elements": [IMAGE, *[mrkdwn()] * 9]}],
    "twenty-five buttons": [actions(*[button(action_id=str(n)) for n in range(25)])],
    "a full button": [actions(button(text=plain("x" * 75), value="v" * 2000, style="danger", confirm=confirm()))],
    "a hundred options": [actions(select(options=[option(n) for n in range(100)]))],
    "groups": [actions({"type": "static_select", "option_groups": [{"label": plain(), "options": [option()]}]})],
    "an overflow of five": [section(text=mrkdwn(), accessory=overflow(5))],
    "an image": [IMAGE],
    "a table": [{"type": "table", "rows": [[cell()] * 20] * 100}],
    "a data table": [{"type": "data_table", "caption": "x", "rows": [[cell()], [rich_text()]]}],
    "a pie": [PIE, PIE],
    **{f"a {kind} chart at its limits": chart(kind) for kind in ("line", "bar", "area", "pie")},
    "markdown": [{"type": "markdown", "text": "x" * 12_000}],
    "rich text": [rich_text()],
    "a container": [{"type": "container", "title": plain(), "child_blocks": [section()] * 10, "is_collapsible": True}],
    "a carousel": [{"type": "carousel", "elements": [{"type": "card", "title": mrkdwn()}] * 10}],
    "a plan": [{"type": "plan", "title": "x", "tasks": [TASK]}, TASK],
    "the same action id in two blocks": [actions(button(), block_id="a"), actions(button(), block_id="b")],
}

BAD_MESSAGES: dict[str, tuple[list[Block] | Any, str]] = {
    "no blocks at all": ([], "no fewer than 1 items"),
    "no list": ({"type": "divider"}, "must be an array"),
    "fifty-one blocks": ([{"type": "divider"}] * 51, "no more than 50 items"),
    "an unknown block": ([{"type": "banner"}], "unsupported type: banner"),
    "a block without a type": ([{"text": mrkdwn()}], "missing required field: type"),
    "an unknown key": ([section(text=mrkdwn(), colour="red")], "invalid additional property: colour"),
    "a section of 3,001": ([section(text=mrkdwn("x" * 3001))], "less than 3001 characters"),
    "an empty text": ([section(text=mrkdwn(""))], "more than 0 characters"),
    "an empty section": ([{"type": "section"}], "must provide one of: text, fields"),
    "eleven fields": ([section(fields=[mrkdwn()] * 11)], "no more than 10 items"),
    "a field of 2,001": ([section(fields=[mrkdwn("x" * 2001)])], "less than 2001 characters"),
    "a header of 151": ([{"type": "header", "text": plain("x" * 151)}], "less than 151 characters"),
    "a header in mrkdwn": ([{"type": "header", "text": mrkdwn()}], "unsupported type: mrkdwn"),
    "eleven in a context": ([{"type": "context", "elements": [mrkdwn()] * 11}], "no more than 10 items"),
    "a button in a context": ([{"type": "context", "elements": [button()]}], "unsupported type: button"),
    "twenty-six buttons": ([actions(*[button(action_id=str(n)) for n in range(26)])], "no more than 25 items"),
    "a button of 76": ([actions(button(text=plain("x" * 76)))], "less than 76 characters"),
    "a button in mrkdwn": ([actions(button(text=mrkdwn()))], "unsupported type: mrkdwn"),
    "a value of 2,001": ([actions(button(value="v" * 2001))], "less than 2001 characters"),
    "a value that is no text": ([actions(button(value=7))], "must be a string"),
    "a style of its own": ([actions(button(style="warning"))], "must be one of: primary, danger"),
    "an action id of 256": ([actions(button(action_id="a" * 256))], "less than 256 characters"),
    "a block id of 256": ([section(text=mrkdwn(), block_id="b" * 256)], "less than 256 characters"),
    "a text input in actions": ([actions(typed())], "unsupported type: plain_text_input"),
    "two buttons of one action id": ([actions(button(), button())], "`action_id` already exists for block: go"),
    "two blocks of one id": ([{"type": "divider", "block_id": "a"}] * 2, "`block_id` already exists: a"),
    "a hundred and one options": ([actions(select(options=[option(n) for n in range(101)]))], "no more than 100 items"),
    "options and groups": ([actions(select(option_groups=[]))], "exactly one of: options, option_groups"),
    "a long option": ([actions(select(options=[option(text=plain("x" * 76))]))], "less than 76 characters"),
    "a long option value": ([actions(select(options=[option(value="v" * 151)]))], "less than 151 characters"),
    "a long placeholder": ([actions(select(placeholder=plain("x" * 151)))], "less than 151 characters"),
    "six in an overflow": ([actions(overflow(6))], "no more than 5 items"),
    "eleven radio buttons": (
        [actions({"type": "radio_buttons", "options": [option(n) for n in range(11)]})],
        "no more than 10 items",
    ),
    "a confirm without its texts": ([actions(button(confirm={"text": mrkdwn()}))], "missing required field: title"),
    "a long confirm": ([actions(button(confirm=confirm(text=mrkdwn("x" * 301))))], "less than 301 characters"),
    "a long deny": ([actions(button(confirm=confirm(deny=plain("x" * 31))))], "less than 31 characters"),
    "an image without a source": ([{"type": "image", "alt_text": "x"}], "exactly one of: image_url, slack_file"),
    "an image without words": ([{"type": "image", "image_url": "x"}], "missing required field: alt_text"),
    "two tables": ([{"type": "table", "rows": [[cell()]]}] * 2, "only one table allowed"),
    "a wide table": ([{"type": "table", "rows": [[cell()] * 21]}], "no more than 20 items"),
    "a long table": ([{"type": "table", "rows": [[cell()]] * 101}], "no more than 100 items"),
    "a data table without a caption": (
        [{"type": "data_table", "rows": [[cell()], [cell()]]}],
        "missing required field: caption",
    ),
    "rich text in a data table's head": (
        [{"type": "data_table", "caption": "x", "rows": [[rich_text()], [cell()]]}],
        "unsupported type: rich_text",
    ),
    "three charts": ([PIE] * 3, "no more than two data_visualization"),
    "a chart of another kind": (chart("radar"), "unsupported type: radar"),
    "a chart without a title": (
        [{"type": "data_visualization", "chart": PIE["chart"]}],
        "missing required field: title",
    ),
    "a pie of nothing": (chart("pie", segments=[{"label": "a", "value": 0}]), "must be more than 0"),
    "a pie of seven": (chart("pie", segments=[{"label": "a", "value": 1}] * 7), "no more than 6 items"),
    "a long label": (chart("pie", segments=[{"label": "a" * 21, "value": 1}]), "less than 21 characters"),
    "a value that is a text": (chart(**named("a", "b", value="1")), "must be a number"),
    "a value that is missing": (chart(**named("a")), "data labels must match"),
    "a label that is no category": (chart(**named("a", "c")), "data labels must match"),
    "the same series twice": (chart(series=named("a", "b")["series"] * 2), "series names must be unique"),
    "the same category twice": (chart(axis_config={"categories": ["a", "a"]}), "categories must be unique"),
    "21 categories": (chart(axis_config={"categories": [str(one) for one in range(21)]}), "no more than 20 items"),
    "a chart without axes": (chart("bar", axis_config={}), "missing required field: categories"),
    "too much markdown": ([{"type": "markdown", "text": "x" * 7000}] * 2, "markdown blocks must be less than 12001"),
    "an alert": ([{"type": "alert", "text": plain()}], "unsupported type: alert"),
    "a file input": ([asking({"type": "file_input", "action_id": "f"})], "unsupported type: file_input"),
    "an empty card": ([{"type": "card"}], "must provide one of"),
    "a state that no task has": ([{**TASK, "status": "done"}], "must be one of: pending"),
    "a nested container": (
        [{"type": "container", "title": plain(), "child_blocks": [{"type": "container", "child_blocks": []}]}],
        "unsupported type: container",
    ),
}

SUBMIT = {"submit": plain("Send")}
GOOD_VIEWS: dict[str, Block] = {
    "a form": modal(asking(typed(min_length=1, max_length=3000)), **SUBMIT),
    "a hundred blocks": modal(*[{"type": "divider"}] * 100),
    "a file": modal(asking({"type": "file_input", "action_id": "f", "max_files": 1}), **SUBMIT),
    "an alert": modal({"type": "alert", "text": plain(), "level": "warning"}),
    "everything at its limit": modal(
        title=plain("x" * 24), submit=plain("x" * 24), private_metadata="m" * 3000, callback_id="c" * 255
    ),
    "a home tab": {"type": "home", "blocks": [section(), actions(button())]},
}
BAD_VIEWS: dict[str, tuple[Any, str]] = {
    "no view": ("x", "must be an object"),
    "another type": ({"type": "sheet", "blocks": []}, "unsupported type: sheet"),
    "no title": ({"type": "modal", "blocks": []}, "missing required field: title"),
    "a long title": (modal(title=plain("x" * 25)), "less than 25 characters"),
    "a long submit": (modal(submit=plain("x" * 25)), "less than 25 characters"),
    "much metadata": (modal(private_metadata="m" * 3001), "less than 3001 characters"),
    "a form without submit": (modal(asking(typed())), "missing required field: submit"),
    "a label in mrkdwn": (modal(asking(typed(), label=mrkdwn()), **SUBMIT), "unsupported type: mrkdwn"),
    "a button as an input": (modal(asking(button()), **SUBMIT), "unsupported type: button"),
    "a hundred and one blocks": (modal(*[{"type": "divider"}] * 101), "no more than 100 items"),
    "a table": (modal({"type": "table", "rows": [[cell()]]}), "unsupported type: table"),
    "markdown": (modal({"type": "markdown", "text": "x"}), "unsupported type: markdown"),
    "eleven files": (modal(asking({"type": "file_input", "max_files": 11}), **SUBMIT), "must be at most 10"),
    "a number without its kind": (modal(asking({"type": "number_input"}), **SUBMIT), "is_decimal_allowed"),
    "a title on a home tab": ({"type": "home", "title": plain(), "blocks": []}, "invalid additional property: title"),
    "a date that is none": (modal(asking({"type": "datepicker", "initial_date": "soon"}), **SUBMIT), "does not match"),
}


@pytest.mark.parametrize("name", GOOD_MESSAGES)
def test_what_is_at_the_limit_passes(name: str) -> None:
    """A message that Slack takes must not be refused here."""
    assert blockkit.message_findings(GOOD_MESSAGES[name]) == []


@pytest.mark.parametrize("name", BAD_MESSAGES)
def test_what_is_beyond_the_limit_is_named(name: str) -> None:
    """A message that Slack refuses must not pass here, and the reason is said."""
    blocks, reason = BAD_MESSAGES[name]
    assert any(reason in finding for finding in blockkit.message_findings(blocks))


@pytest.mark.parametrize("name", GOOD_VIEWS)
def test_a_proper_view_passes(name: str) -> None:
    """A view that Slack takes must not be refused here."""
    assert blockkit.view_findings(GOOD_VIEWS[name]) == []


@pytest.mark.parametrize("name", BAD_VIEWS)
def test_an_improper_view_is_named(name: str) -> None:
    """A view that Slack refuses must not pass here, and the reason is said."""
    view, reason = BAD_VIEWS[name]
    assert any(reason in finding for finding in blockkit.view_findings(view))


# The published types lack the chart block.
PUBLISHED = [name for name in (*GOOD_MESSAGES, *GOOD_VIEWS) if name != "a pie" and "chart" not in name]


@pytest.mark.contracts
@pytest.mark.skipif("SLACK_CONTRACTS" not in os.environ, reason="needs SLACK_CONTRACTS, the folder of Slack's schemas")
@pytest.mark.parametrize("name", PUBLISHED)
def test_what_passes_here_passes_slacks_published_types(name: str) -> None:
    """These rules allow nothing that @slack/types forbids: every good example is good there too."""
    source = Path(os.environ["SLACK_CONTRACTS"], "blockkit.from-slack-types-3.2.0.schema.json")
    schema = json.loads(source.read_text("utf-8"))
    value: Any = GOOD_MESSAGES.get(name) or GOOD_VIEWS[name]
    root = "blocks" if isinstance(value, list) else value["type"]
    rules = {"$ref": f"#/definitions/Roots/properties/{root}", "definitions": schema["definitions"]}
    assert [error.message for error in Draft7Validator(rules).iter_errors(value)] == []
