"""What an error, and what a result, has to be like: the rules that every test of this folder holds them to."""

import json
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus

from bot.domain.contents import Card
from bot.domain.jobs import JobState, Look, RemoteStatus
from handlers.views.blocks import Message
from handlers.views.cards import render
from sandbox.slack import blockkit
from storage.rows import LOOK, dump
from tests.handlers import samples

LONGEST = 1000
TURNING = ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI", "FSI", "PDF", "PDI")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def is_readable(sign: str) -> bool:
    """Not a control character, not half a character, and none that turns the order of reading."""
    return unicodedata.category(sign) not in ("Cc", "Cs") and unicodedata.bidirectional(sign) not in TURNING


def sentence_faults(error: Exception | str, *, most: int = LONGEST, lines: int = 1) -> list[str]:
    """What keeps an error from being shown to a person as it is."""
    said = str(error)
    unreadable = {f"U+{ord(sign):04X}" for sign in said.replace("\n", "") if not is_readable(sign)}
    return [
        *(["it says nothing"] if not said.strip() else []),
        *([f"it has {len(said)} characters"] if len(said) > most else []),
        *(["it has several lines"] if said.count("\n") >= lines else []),
        *([f"it holds {', '.join(sorted(unreadable))}"] if unreadable else []),
    ]


def leaks(texts: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """The secrets that a text holds, as they are or as addresses, forms and JSON write them."""
    joined = "\n".join(texts)
    return [secret for secret in secrets if any(written in joined for written in _spellings(secret))]


def _spellings(secret: str) -> set[str]:
    in_json = json.dumps(secret)[1:-1]
    return {secret, quote(secret, safe=""), quote_plus(secret), in_json, in_json.replace("/", "\\/")}


def status_faults(status: RemoteStatus) -> list[str]:
    """What keeps a status from being stored, compared and shown."""
    kept = LOOK.validate_json(dump(LOOK, Look(status=status)))
    return [
        *([f"it is stored as something else: {kept.status}"] if kept.status != status else []),
        *(["its progress is none"] if status.progress is not None and not 0 <= status.progress <= 100 else []),
        *message_faults(_card(status)),
    ]


def _card(status: RemoteStatus) -> Message:
    job = samples.job(JobState.RUNNING, look=Look(status=status))
    return render(Card(job=job, title="A service", last=samples.move()))


def message_faults(message: Message) -> list[str]:
    """What Slack would refuse of a message, and signs in it that hide or turn a part of it."""
    blocks: list[Any] = list(message.blocks)
    found = blockkit.message_findings(blocks)
    if blockkit.total_text(blocks) > 12_000 or not 0 < len(message.text) <= 4000:
        found.append("it is too long, or without a text")
    shown = json.dumps([message.text, blocks], ensure_ascii=False)
    return [*found, *(f"it holds U+{ord(sign):04X}" for sign in set(shown) if not is_readable(sign))]


def is_storable(value: Any) -> bool:
    """Is it JSON that reads back as it was, in UTF-8?"""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    return bool(json.loads(text.encode()) == value)
