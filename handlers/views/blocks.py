"""Block Kit, as far as it is used here, within Slack's limits.

Limits: https://docs.slack.dev/reference/block-kit/blocks and the message that bolt-js#2509 measured (13,200 characters
a message); the budgets below stay under them.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count
from typing import Any, Literal

from bot.domain.changes import Button, Say
from bot.domain.contents import Attachment
from bot.domain.text import cut, in_one_line, readable
from bot.sentences import _, speak
from handlers.marks import clipped, foreign, is_person, tamed

Block = dict[str, Any]

MOST_BLOCKS = 50
MOST_TEXT = 3000
MOST_FIELDS = 10
MOST_FIELD = 2000
MOST_BUTTONS = 25
MOST_LABEL = 75
MOST_VALUE = 2000
MOST_URL = 3000
MOST_CONTEXT = 10
MOST_ROWS = 100
MOST_CELLS = 20
MOST_CHART_TITLE = 50
MOST_SERIES = 6
MOST_CATEGORIES = 20
MOST_CHART_LABEL = 20
MOST_TOTAL = 12_000
MOST_PLAIN = 3900
"""chat.update refuses a text of more than 4,000 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message: blocks, and always the text that notifications and screen readers take."""

    text: str
    blocks: tuple[Block, ...] = ()

    def plain(self) -> str:
        """Everything that can be read of it: what is sent when Slack refuses the blocks."""
        read = list(dict.fromkeys(_readable(self.blocks)))
        is_repeated = any(_bare(self.text) in _bare(one) for one in read)
        return clipped("\n".join(read if is_repeated else [self.text, *read]), MOST_PLAIN)


def _bare(text: str) -> str:
    return text.replace("*", "")


def message(text: str, shown: Iterable[Block], last: Sequence[Block] = ()) -> Message:
    """A message within all limits. What does not fit is said to be missing; `last` is never left out."""
    kept: list[Block] = []
    more = context([_("Something more did not fit into this message.")])
    left = MOST_TOTAL - _weight([*last, more])
    for block in shown:
        left -= _weight(block)
        if left < 0 or len(kept) + len(last) == MOST_BLOCKS - 1:
            kept.append(more)
            break
        kept.append(block)
    return Message(text=clipped(tamed(text), MOST_PLAIN) or "…", blocks=(*kept, *last))


def section(text: str) -> Block:
    """A paragraph."""
    return {"type": "section", "text": _mrkdwn(text, MOST_TEXT)}


def lines(texts: Iterable[str]) -> list[Block]:
    """Lines below each other, in as few paragraphs as hold them."""
    paragraphs: list[str] = []
    for text in map(speak, texts):
        if paragraphs and len(paragraphs[-1]) + len(text) < MOST_TEXT:
            paragraphs[-1] += f"\n{text}"
        else:
            paragraphs.append(text)
    return [section(paragraph) for paragraph in paragraphs]


def columns(pairs: Sequence[tuple[str, str]]) -> list[Block]:
    """Labels with their texts in two columns; all of them, in as many blocks as it takes."""
    fields = [_mrkdwn(f"*{label}*\n{text}", MOST_FIELD) for label, text in pairs]
    groups = [fields[start : start + MOST_FIELDS] for start in range(0, len(fields), MOST_FIELDS)]
    return [{"type": "section", "fields": group} for group in groups]


def attachment(file: Attachment) -> Block:
    """A file of the conversation, as a link: in rich text, where nothing else is a mark."""
    link = {"type": "link", "url": file.url[:MOST_URL], "text": cut(in_one_line(file.name), 200)}
    size, marker = file.size, _LINK
    told = _("Result file: {file} ({bytes:,} bytes), for those who may read this conversation", file=marker, bytes=size)
    before, _marker, after = ({"type": "text", "text": text} for text in speak(told).partition(_LINK))
    parts = [part for part in (before, link, after) if part["text"]]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": parts}]}


_LINK = "\uffff"
"""Stands in a sentence where its link belongs."""


def link(url: str, label: str) -> Block:
    """An address behind words: in rich text, where nothing else is a mark."""
    run = {"type": "link", "url": url[:MOST_URL], "text": cut(speak(label), 200)}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [run]}]}


def context(texts: Sequence[str]) -> Block:
    """Small print."""
    return {"type": "context", "elements": [_mrkdwn(text, MOST_TEXT) for text in texts[:MOST_CONTEXT]]}


def table(
    head: Sequence[str], rows: Iterable[Sequence[Block]], *, numbers: Sequence[int] = (), wrapped: Sequence[int] = ()
) -> Block:
    """A table, of which a message may have one.

    `numbers` are the columns that stand at the right, `wrapped` those whose texts may be long.
    """
    columns = [
        {"align": "right" if place in numbers else "left", "is_wrapped": place in wrapped} for place in range(len(head))
    ]
    lines = [[cell(title) for title in head], *(list(row) for row in rows)]
    return {"type": "table", "rows": lines[:MOST_ROWS], "column_settings": columns[:MOST_CELLS]}


def cell(text: str, most: int = 80) -> Block:
    """A cell of a table, in which nothing is a mark."""
    return {"type": "raw_text", "text": cut(in_one_line(speak(text)), most) or "–"}


def marked_cell(*elements: Block) -> Block:
    """A cell of what Slack writes itself: a person, a time, a sign."""
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(elements)}]}


def person_cell(user: str) -> Block:
    """Somebody, or Switchyard itself where that is nobody. What is no id of Slack's stays a word."""
    if is_person(user):
        return marked_cell({"type": "user", "user_id": user})
    return cell(user or "Switchyard")


def sign(name: str) -> Block:
    """A sign as it stands in rich text; `name` with its colons."""
    return {"type": "emoji", "name": name.strip(":")}


def run(text: str) -> Block:
    """Words of rich text, in which nothing is a mark."""
    return {"type": "text", "text": readable(speak(text))}


def time_cell(at: datetime) -> Block:
    """A time in the reader's own zone."""
    moment = {"type": "date", "timestamp": int(at.timestamp()), "format": "{date_short_pretty} {time}"}
    return marked_cell({**moment, "fallback": f"{at:%Y-%m-%d %H:%M} UTC"})


def chart(
    kind: Literal["line", "bar"],
    title: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    across: str,
    up: str,
) -> Block:
    """A picture of numbers (https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block).

    A message may have two. Each series has a number for every label. What it shows has to be said in words beside it:
    the block has no other text.
    """
    categories = distinct(labels[:MOST_CATEGORIES])
    names = distinct(list(series)[:MOST_SERIES])
    drawn = [
        {
            "name": name,
            "data": [
                {"label": label, "value": value}
                for label, value in zip(categories, values[:MOST_CATEGORIES], strict=True)
            ],
        }
        for name, values in zip(names, series.values(), strict=False)
    ]
    axes = {
        "categories": categories,
        "x_label": cut(speak(across), MOST_CHART_TITLE),
        "y_label": cut(speak(up), MOST_CHART_TITLE),
    }
    return {
        "type": "data_visualization",
        "title": cut(in_one_line(speak(title)), MOST_CHART_TITLE),
        "chart": {"type": kind, "series": drawn, "axis_config": axes},
    }


def distinct(names: Sequence[str]) -> list[str]:
    """Names as they fit below a chart; those that are the same by then are counted."""
    found: dict[str, None] = {}
    for name in names:
        found[_free(cut(in_one_line(speak(name)), MOST_CHART_LABEL) or "–", found)] = None
    return list(found)


def _free(name: str, taken: Container[str]) -> str:
    counted = (f"{cut(name, MOST_CHART_LABEL - len(end))}{end}" for end in (f" {number}" for number in count(2)))
    return next(one for one in chain([name], counted) if one not in taken)


def buttons(elements: Sequence[Block]) -> Block:
    return {"type": "actions", "elements": list(elements[:MOST_BUTTONS])}


def button(label: str, action: str, value: str, *, style: str = "", confirm: Block | None = None) -> Block:
    """A button. `style` is "primary" or "danger"; `confirm` asks once more."""
    block: Block = {"type": "button", "text": plain_text(label, MOST_LABEL), "action_id": action, "value": value}
    return {**block, **({"style": style} if style else {}), **({"confirm": confirm} if confirm else {})}


def confirmation(title: str, text: str, yes: str) -> Block:
    return {
        "title": plain_text(title, 100),
        "text": _mrkdwn(text, 300),
        "confirm": plain_text(yes, 30),
        "deny": plain_text(_("Back"), 30),
    }


def plain_text(text: str, most: int) -> Block:
    """A text in which nothing is a mark."""
    return {"type": "plain_text", "text": cut(readable(speak(text)), most) or "…"}


def say(answer: Say) -> Message:
    """An answer that one person sees. A button that carries more than Slack takes is left out, not cut."""
    pressable = [one for one in answer.buttons if len(one.value) <= MOST_VALUE]
    last = [buttons([_say_button(one, place) for place, one in enumerate(pressable)])] if pressable else []
    return message(answer.text, [section(answer.text)] if answer.text else [], last)


def say_text(text: str) -> Message:
    return say(Say(text=text))


def _say_button(one: Button, place: int) -> Block:
    # Buttons of one action need ids of their own.
    action = one.action if place == 0 else f"{one.action}:{place}"
    return button(one.label, action, one.value, style="primary" if one.is_primary else "")


def _mrkdwn(text: str, most: int) -> Block:
    """`verbatim`: an address or a name in the text becomes no link (…/composition-objects/text-object)."""
    return {"type": "mrkdwn", "text": clipped(tamed(text), most) or "…", "verbatim": True}


def _weight(part: Any) -> int:
    """Characters of text in blocks, those of buttons and their confirmations too."""
    return sum(len(text) for text in _texts(part))


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            yield from [value] if key == "text" and isinstance(value, str) else _texts(value)
    elif isinstance(part, list | tuple):
        for each in part:
            yield from _texts(each)


def _readable(shown: Iterable[Block]) -> Iterator[str]:
    """The texts of blocks without what stands on their buttons: in a plain text nothing can be pressed."""
    for block in shown:
        if block["type"] != "actions":
            yield from _lines(block)


def _lines(block: Block) -> Iterator[str]:
    if block["type"] == "table":
        # One text, in which two lines may be alike.
        yield "\n".join(" | ".join(map(_cell_text, row)) for row in block["rows"])
    else:
        yield from _texts({key: part for key, part in block.items() if key != "accessory"})


def _cell_text(part: Block) -> str:
    """A cell in words; in a plain text, what stands in it could be taken for a mark."""
    if part["type"] == "raw_text":
        return foreign(part["text"])
    return " ".join(map(_run_text, part["elements"][0]["elements"]))


def _run_text(run: Block) -> str:
    if run["type"] == "user":
        return f"<@{run['user_id']}>"
    if run["type"] == "emoji":
        return f":{run['name']}:"
    return foreign(run["text"] if run["type"] == "text" else run["fallback"])
