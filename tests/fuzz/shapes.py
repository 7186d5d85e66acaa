"""JSON near the real thing: documents with wrong types, lost and doubled keys, huge numbers, halves of characters."""

import copy
import json
import math
from typing import Any

from hypothesis import strategies as st

KEY, TOKEN, SECOND, SIGNATURE = "canaryKey/+1", "canaryToken-2", "canarySecond+/3", "canarySignature4"
"""What must never be told: the configured secret, one that a service hands out, another key, a signed link's query."""

LINKS = tuple(
    f"{{url}}/{path}?X-Signature={SIGNATURE}" for path in ("up/a", "down/b", "redirect", "", "a%2Fb c", "\u00e9")
)
NASTY = st.sampled_from(
    [
        "", " ", "\x00", "\x1b[31mred", "a\nb\r\nc", "\u2028", "\u202egnp.exe", "\u2066x", "<!channel>", "`", "```",
        "<https://evil.example|x>", "&lt;", "모델 학습", "👩‍🔬", "\ud800", "\udfff\ud800", "{0}", "{reason}", "%s",
        "x" * 5000, "모" * 900, "null", "NaN", "1e999", "../..", "a/b", "completed", "failed", "unknown", "-1",
        "2026-02-30", f"said {KEY} aloud", TOKEN, f"{SECOND}!", "javascript:alert(1)", "http://[::1",
        "https://127.0.0.1:1/x", *LINKS,
    ]
)  # fmt: skip
NUMBERS = st.sampled_from(
    [0, -1, 1, 101, 200, 2**31, 2**53 + 1, 2**63, 2**64, -(10**400), 10**400, 10**4000, 1e308, 1e-320, -0.0, 0.999]
) | st.sampled_from([math.nan, math.inf, -math.inf])
TEXTS = NASTY | st.text(max_size=12)
LEAVES = st.none() | st.booleans() | st.integers() | NUMBERS | st.floats() | TEXTS
ODD: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)

Place = tuple[str | int, ...]


@st.composite
def mutated(draw: st.DrawFn, document: Any) -> Any:
    """The document with up to three changes: a value put in the place of another, a key lost, an element doubled."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, 3))):
        changed = _changed(draw, changed)
    return changed


def _changed(draw: st.DrawFn, document: Any) -> Any:
    way: list[Any] = list(draw(st.sampled_from(_places(document))))
    if not way:
        return draw(ODD)
    last, holder = way.pop(), document
    for step in way:
        holder = holder[step]
    match draw(st.sampled_from(["put", "put", "lose", "double", "wrap", "rename"])):
        case "lose":
            del holder[last]
        case "double" if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[last]))
        case "wrap":
            holder[last] = [holder[last]]
        case "rename" if isinstance(holder, dict):
            holder[draw(TEXTS)] = holder.pop(last)
        case _:
            holder[last] = draw(ODD)
    return document


def _places(value: Any) -> list[Place]:
    """The way to every value of a document, the document itself first."""
    found: list[Place] = [()]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        found += [(key, *place) for place in _places(one)]
    return found


@st.composite
def written(draw: st.DrawFn, value: Any) -> bytes:
    """A value as bytes: mostly JSON, escaped or not, sometimes cut, doubled, nested, or in another encoding."""
    text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    match draw(st.sampled_from(["plain"] * 6 + ["slashes", "cut", "more", "bom", "utf-16", "twice", "deep"])):
        case "slashes":
            text = text.replace("/", "\\/")
        case "cut":
            text = text[: draw(st.integers(0, len(text)))]
        case "more":
            text += draw(st.sampled_from(["x", "\x00", "{}", ",", "<html>"]))
        case "bom":
            text = f"\ufeff{text}"
        case "utf-16":
            return text.encode("utf-16", "surrogatepass")
        case "twice" if isinstance(value, dict) and value:
            key = json.dumps(draw(st.sampled_from(sorted(value))))
            again = f"{key}: {json.dumps(draw(LEAVES))}"
            text = f"{{{again}, {text[1:]}" if draw(st.booleans()) else f"{text[:-1]}, {again}}}"
        case "deep":
            text = "[" * 50_000
        case _:
            pass
    return text.encode("utf-8", "surrogatepass")
