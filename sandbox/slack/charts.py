"""The rules of the data_visualization block, by hand: no published types have it.

Source: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block. That a chart has at most twenty
categories, that series share them, and that a message holds two charts is what apps found Slack to refuse
(https://github.com/vercel/chat/pull/696, https://github.com/CopilotKit/CopilotKit/pull/6342).
"""

import math
from typing import Any

from sandbox.slack.checks import Check, Findings, both, by_type, listing, record, string

MOST_PARTS = 6
MOST_CATEGORIES = 20
MOST_LABEL = 20
MOST_TITLE = 50


def chart() -> Check:
    """The `chart` of a block: a pie of segments, or series along an axis."""
    plotted = both(_plotted(), _agree)
    return by_type({"pie": _pie(), "bar": plotted, "area": plotted, "line": plotted})


def _pie() -> Check:
    segment = record({"label": _label(), "value": _weight}, ("label", "value"))
    return record({"segments": listing(segment, MOST_PARTS, 1)}, ("segments",))


def _plotted() -> Check:
    point = record({"label": _label(), "value": _finite}, ("label", "value"))
    series = record({"name": _label(), "data": listing(point, MOST_CATEGORIES, 1)}, ("name", "data"))
    axes = record(
        {
            "categories": listing(_label(), MOST_CATEGORIES, 1),
            "x_label": string(MOST_TITLE),
            "y_label": string(MOST_TITLE),
        },
        ("categories",),
    )
    return record({"series": listing(series, MOST_PARTS, 1), "axis_config": axes}, ("series", "axis_config"))


def _label() -> Check:
    return string(MOST_LABEL, 1)


def _finite(value: Any, where: str, found: Findings) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        found.add("must be a number", where)


def _weight(value: Any, where: str, found: Findings) -> None:
    _finite(value, where, found)
    if isinstance(value, int | float) and not value > 0:
        found.add("must be more than 0", where)


def _agree(value: Any, where: str, found: Findings) -> None:
    """Names tell series apart, and each series has one value for every category."""
    try:
        names = [one["name"] for one in value["series"]]
        labels = [sorted(point["label"] for point in one["data"]) for one in value["series"]]
        categories = sorted(value["axis_config"]["categories"])
    except (KeyError, TypeError):
        return  # said above
    if len(set(names)) < len(names):
        found.add("series names must be unique", f"{where}/series")
    if len(set(categories)) < len(categories):
        found.add("categories must be unique", f"{where}/axis_config/categories")
    if any(one != categories for one in labels):
        found.add("data labels must match axis_config.categories", f"{where}/series")
