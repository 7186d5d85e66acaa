"""The parameters of a model's `train` function, as people write them: `labels=dataset:ID/KEY`, `epochs=u32:10`.

One value is a tensor without dimensions, several are one dimension. What is read here can be kept as JSON; `to_tensor`
makes the tensor of it.
"""

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence

from bot.domain.requests import Json
from bot.errors import UsageError
from bot.providers.decthings.wire import ElementType, FrameError, Tensor, encode_tensor
from bot.sentences import _, joined, ngettext

T = ElementType

TYPES: tuple[ElementType, ...] = tuple(kind for kind in ElementType if kind is not T.IMAGE)
"""The element types that can be typed."""

MEDIA = ("image", "audio", "video")
BITS: Mapping[ElementType, int] = {
    T.U8: 8, T.U16: 16, T.U32: 32, T.U64: 64, T.I8: 8, T.I16: 16, T.I32: 32, T.I64: 64,
}  # fmt: skip
MOST_SHOWN = 6
MOST_QUOTED = 60
MOST_DIGITS = 40


def parse_parameter(name: str, text: str) -> Json:
    """The value of `NAME=TEXT`: `{type: dataset, datasetId, datasetKey}` or `{type, shape, elements}`.

    Raises UsageError.
    """
    head, colon, rest = text.partition(":")
    if not colon:
        raise _fault(name, text, joined(" ", [_lacks_type(name, text), _types(name)]))
    if head.lower() == "dataset":
        return _parse_dataset(name, text, rest)
    return _parse_values(name, text, _parse_type(name, text, head), rest)


def to_tensor(value: Mapping[str, Json]) -> Tensor:
    """The tensor of a value that `parse_parameter` read."""
    kind = ElementType(value["type"])
    elements = (bytes.fromhex(each) if kind is T.BINARY else each for each in value["elements"])
    return Tensor(kind=kind, shape=tuple(value["shape"]), elements=tuple(elements))


def is_dataset(value: Mapping[str, Json]) -> bool:
    """Does the parameter name a data set, or carry its values?"""
    return bool(value["type"] == "dataset")


def shown(value: Mapping[str, Json]) -> str:
    """The value in a line for people: `data set ds-1, key train`, `u32 10`, `f64 0.1, 0.2 (2 values)`."""
    if is_dataset(value):
        return _("data set {dataset}, key {key}", dataset=value["datasetId"], key=value["datasetKey"])
    listed = ", ".join(_shown_element(element) for element in value["elements"][:MOST_SHOWN])
    more = ", …" if len(value["elements"]) > MOST_SHOWN else ""
    typed = f"{value['type']} {listed}{more}"
    if not value["shape"]:
        return typed
    return ngettext("{values} ({count} value)", "{values} ({count} values)", len(value["elements"]), values=typed)


def written(value: Mapping[str, Json]) -> str:
    """The text that `parse_parameter` reads as this value."""
    if is_dataset(value):
        return f"dataset:{value['datasetId']}/{value['datasetKey']}"
    return f"{value['type']}:{','.join(map(_written_element, value['elements']))}"


def _written_element(element: Json) -> str:
    if isinstance(element, bool):
        return "true" if element else "false"
    return element.replace(",", "\\,") if isinstance(element, str) else repr(element)


def _shown_element(element: Json) -> str:
    if isinstance(element, bool):
        return "true" if element else "false"
    return (f'"{element[:60]}"' if isinstance(element, str) else str(element))  # fmt: skip


def _types(name: str) -> str:
    return _("The types are {types}; a data set is written `{name}=dataset:ID/KEY`.", types=", ".join(TYPES), name=name)


def _lacks_type(name: str, text: str) -> str:
    return _(
        "`{parameter}` does not say of which type it is: write `{name}=TYPE:{text}`.",
        parameter=_quoted(name, text),
        name=name,
        text=_cut(text),
    )


def _fault(name: str, text: str, sentence: str, suggestion: str = "") -> UsageError:
    return UsageError(sentence, word=f"{name}={text}", suggestion=suggestion)


def _quoted(name: str, text: str) -> str:
    return _cut(f"{name}={text}")


def _cut(text: str) -> str:
    return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]}…"


def _parse_dataset(name: str, text: str, rest: str) -> Json:
    dataset, slash, key = rest.partition("/")
    if not (dataset and slash and key):
        sentence = _(
            "`{parameter}` names no key of a data set: write `{name}=dataset:ID/KEY`.",
            parameter=_quoted(name, text),
            name=name,
        )
        raise _fault(name, text, sentence)
    return {"type": "dataset", "datasetId": dataset, "datasetKey": key}


def _parse_type(name: str, text: str, head: str) -> ElementType:
    if head.lower() in TYPES:
        return ElementType(head.lower())
    if head.lower() in MEDIA:
        media = _(
            "`{parameter}` cannot be typed: put {type} data into a data set, `{name}=dataset:ID/KEY`.",
            parameter=_quoted(name, text),
            type=head.lower(),
            name=name,
        )
        raise _fault(name, text, media)
    near = difflib.get_close_matches(head.lower(), [*TYPES, "dataset"], n=1, cutoff=0.5)
    suggestion = f"{name}={near[0]}{text[len(head) :]}" if near else ""
    unknown = _(
        "`{parameter}` has the type `{type}`, which there is not.", parameter=_quoted(name, text), type=_cut(head)
    )
    raise _fault(name, text, joined(" ", [unknown, _types(name)]), suggestion)


def _parse_values(name: str, text: str, kind: ElementType, rest: str) -> Json:
    parts = _split(kind, rest)
    try:
        elements = [_PARSERS.get(kind, _parse_integer)(part) for part in parts]
    except ValueError as error:
        sentence = _(
            "`{parameter}` is not {type}: {why}.", parameter=_quoted(name, text), type=kind.value, why=str(error)
        )
        raise _fault(name, text, sentence) from None
    value = {"type": kind.value, "shape": [len(parts)] if len(parts) > 1 else [], "elements": elements}
    _check_range(name, text, value)
    return value


def _split(kind: ElementType, rest: str) -> list[str]:
    if kind is not T.STRING:
        return [part.strip() for part in rest.split(",")]
    return [part.replace("\\,", ",") for part in re.split(r"(?<!\\),", rest)]


def _check_range(name: str, text: str, value: Mapping[str, Json]) -> None:
    kind = ElementType(value["type"])
    try:
        encode_tensor(to_tensor(value))
    except FrameError:
        sentence = _out_of_range(kind, _quoted(name, text))
        raise _fault(name, text, sentence, _wider(name, text, value["elements"])) from None


def _out_of_range(kind: ElementType, parameter: str) -> str:
    if kind not in BITS:
        return _("`{parameter}` has a value that {type} does not hold.", parameter=parameter, type=kind.value)
    least, most = _limits(kind)
    return _(
        "`{parameter}` has a value that {type} does not hold: {least} to {most}.",
        parameter=parameter,
        type=kind.value,
        least=least,
        most=most,
    )


def _limits(kind: ElementType) -> tuple[int, int]:
    lowest = -(1 << BITS[kind] - 1) if kind.startswith("i") else 0
    return lowest, lowest + (1 << BITS[kind]) - 1


def _wider(name: str, text: str, elements: Sequence[Json]) -> str:
    """The parameter with the smallest type that holds all elements; empty where none does."""
    values = text.partition(":")[2]
    if all(isinstance(element, float) for element in elements):
        return f"{name}=f64:{values}"
    numbers = [element for element in elements if isinstance(element, int)]
    holding = [kind for kind in BITS if all(_holds(kind, number) for number in numbers)]
    return f"{name}={holding[0]}:{values}" if holding and len(numbers) == len(elements) else ""


def _holds(kind: ElementType, number: int) -> bool:
    lowest, highest = _limits(kind)
    return lowest <= number <= highest


def _parse_integer(part: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", part):
        raise ValueError(_("`{part}` is not a whole number", part=_cut(part)) if part else _("a value is missing"))
    if len(part) > MOST_DIGITS:
        raise ValueError(_("`{part}` is too large", part=_cut(part)))
    return int(part)


def _parse_decimal(part: str) -> float:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", part):
        raise ValueError(_("`{part}` is not a number", part=_cut(part)) if part else _("a value is missing"))
    if not math.isfinite(float(part)):
        raise ValueError(_("`{part}` is too large", part=_cut(part)))
    return float(part)


def _parse_boolean(part: str) -> bool:
    if part.lower() not in ("true", "false"):
        raise ValueError(_("`{part}` is neither true nor false", part=_cut(part)))
    return part.lower() == "true"


def _parse_binary(part: str) -> str:
    if not re.fullmatch(r"([0-9a-fA-F]{2})*", part):
        raise ValueError(_("`{part}` is not made of pairs of hex digits", part=_cut(part)))
    return part.lower()


_PARSERS: Mapping[ElementType, Callable[[str], Json]] = {
    T.F32: _parse_decimal,
    T.F64: _parse_decimal,
    T.STRING: str,
    T.BINARY: _parse_binary,
    T.BOOLEAN: _parse_boolean,
}
"""All other types that can be typed are integers."""
