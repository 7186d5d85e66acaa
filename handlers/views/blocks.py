"""Block Kit, as far as it is used here, within Slack's limits.

Limits: https://docs.slack.dev/reference/block-kit/blocks and the message that bolt-js#2509 measured (13,200 characters
a message); the budgets below stay under them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.changes import Button, Say
from bot.domain.text import cut

Block = dict[str, Any]

MOST_BLOCKS = 50
MOST_TEXT = 3000
MOST_FIELDS = 10
MOST_FIELD = 2000
MOST_BUTTONS = 25
MOST_LABEL = 75
MOST_VALUE = 2000
MOST_CONTEXT = 10
MOST_TOTAL = 12_000
MOST_PLAIN = 3900
"""chat.update refuses a text of more than 4,000 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message: blocks, and always the text that notifications and screen readers take."""

    text: str
    blocks: tuple[Block, ...] = ()

    def plain(self) -> str:
        """What is sent when Slack refuses the blocks."""
        return cut(self.text, MOST_PLAIN)


def message(text: str, blocks: Iterable[Block]) -> Message:
    """A message within all limits; what does not fit is said to be missing."""
    kept: list[Block] = []
    left = MOST_TOTAL
    for block in blocks:
        left -= _weight(block)
        if left < 0 or len(kept) == MOST_BLOCKS - 1:
            kept.append(context(["Something more did not fit into this message."]))
            break
        kept.append(block)
    return Message(text=cut(text, MOST_PLAIN), blocks=tuple(kept))


def section(text: str, fields: Sequence[tuple[str, str]] = ()) -> Block:
    """A paragraph, and pairs of a label and a text in two columns."""
    block: Block = {"type": "section", "text": _mrkdwn(cut(text, MOST_TEXT))}
    if fields:
        block["fields"] = [_mrkdwn(cut(f"*{label}*\n{value}", MOST_FIELD)) for label, value in fields[:MOST_FIELDS]]
    return block


def context(texts: Sequence[str]) -> Block:
    """Small print."""
    return {"type": "context", "elements": [_mrkdwn(cut(text, MOST_TEXT)) for text in texts[:MOST_CONTEXT]]}


def buttons(elements: Sequence[Block], block_id: str | None = None) -> Block:
    block: Block = {"type": "actions", "elements": list(elements[:MOST_BUTTONS])}
    return {**block, "block_id": block_id} if block_id else block


def button(label: str, action: str, value: str, *, style: str = "", confirm: Block | None = None) -> Block:
    """A button. `style` is "primary" or "danger"; `confirm` asks once more."""
    block: Block = {
        "type": "button",
        "text": {"type": "plain_text", "text": cut(label, MOST_LABEL)},
        "action_id": action,
        "value": cut(value, MOST_VALUE),
    }
    return {**block, **({"style": style} if style else {}), **({"confirm": confirm} if confirm else {})}


def confirmation(title: str, text: str, yes: str) -> Block:
    return {
        "title": {"type": "plain_text", "text": cut(title, 100)},
        "text": _mrkdwn(cut(text, 300)),
        "confirm": {"type": "plain_text", "text": cut(yes, 30)},
        "deny": {"type": "plain_text", "text": "Back"},
    }


def say(answer: Say) -> Message:
    """An answer that one person sees."""
    shown = [section(answer.text)] if answer.text else []
    if answer.buttons:
        shown.append(buttons([_say_button(one, place) for place, one in enumerate(answer.buttons)]))
    return message(answer.text, shown)


def say_text(text: str) -> Message:
    return say(Say(text=text))


def _say_button(one: Button, place: int) -> Block:
    # Buttons of one action need ids of their own.
    action = one.action if place == 0 else f"{one.action}:{place}"
    return button(one.label, action, one.value, style="primary" if one.is_primary else "")


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text or " "}


def _weight(block: Block) -> int:
    texts = [block.get("text", {}), *block.get("fields", ()), *block.get("elements", ())]
    return sum(_length(text) for text in texts)


def _length(part: Block) -> int:
    text = part.get("text", "")
    return len(text) if isinstance(text, str) else len(text.get("text", ""))
