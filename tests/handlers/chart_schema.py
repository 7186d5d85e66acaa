"""The data_visualization block as a JSON schema, written by hand: @slack/types 3.2.0 lacks it.

Read off https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block (one to six segments or series, a
title of 50 characters, labels of 20, weights above zero); at most twenty categories by
https://github.com/CopilotKit/CopilotKit/pull/6342. What no schema says is in `disagreements`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_LABEL = {"type": "string", "minLength": 1, "maxLength": 20}
_AXIS = {"type": "string", "maxLength": 50}


def _object(**properties: Any) -> dict[str, Any]:
    wanted = [name for name in properties if name not in {"x_label", "y_label", "block_id"}]
    return {"type": "object", "properties": properties, "required": wanted, "additionalProperties": False}


def _list(item: Any, most: int) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": most}


_POINT = _object(label=_LABEL, value={"type": "number"})
_SEGMENT = _object(label=_LABEL, value={"type": "number", "exclusiveMinimum": 0})
_PLOT = _object(
    type={"enum": ["bar", "area", "line"]},
    series=_list(_object(name=_LABEL, data=_list(_POINT, 20)), 6),
    axis_config=_object(categories=_list(_LABEL, 20), x_label=_AXIS, y_label=_AXIS),
)
_PIE = _object(type={"const": "pie"}, segments=_list(_SEGMENT, 6))

CHART: Mapping[str, Any] = _object(
    type={"const": "data_visualization"},
    block_id={"type": "string", "maxLength": 255},
    title={"type": "string", "minLength": 1, "maxLength": 50},
    chart={"oneOf": [_PLOT, _PIE]},
)


def disagreements(block: Mapping[str, Any]) -> Iterator[str]:
    """Names that are not unique, and series without exactly one value for each category, in their order."""
    if block["chart"]["type"] == "pie":
        return
    categories = block["chart"]["axis_config"]["categories"]
    names = [one["name"] for one in block["chart"]["series"]]
    for listed in (categories, names):
        if len(set(listed)) < len(listed):
            yield f"not unique: {listed}"
    for one in block["chart"]["series"]:
        if [point["label"] for point in one["data"]] != categories:
            yield f"{one['name']} has other labels"
