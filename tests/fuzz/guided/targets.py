"""What is tried with any bytes: the two parsers that read what others write, held to the rules of this folder."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from bot.errors import UsageError
from bot.providers.decthings import wire
from bot.providers.decthings.wire import FrameError
from handlers.grammar import parse_history, parse_reference, parse_train, split
from tests.fuzz.fitness import NOW, is_readable, is_storable, sentence_faults
from tests.handlers.registered import NAMES, provider

SEEDS = Path(__file__).parent / "seeds" / "commands"
VECTORS = Path(__file__).parents[2] / "vectors" / "decthings"


class BrokenRuleError(Exception):
    """An input was taken, or refused, in a way that it must not be."""


def _insist(holds: bool, rule: str) -> None:
    if not holds:
        raise BrokenRuleError(rule)


def try_frames(data: bytes) -> None:
    """The framing of Decthings: what is read is written so that it reads the same, the rest is a FrameError."""
    pairs: Iterable[tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = (
        (wire.decode_reply, lambda one: wire.encode_reply(one.body, one.blobs)),
        (wire.decode_request, lambda one: wire.encode_request(one.body, one.blobs)),
        (wire.decode_tensors, wire.encode_tensors),
        (wire.decode_varint, wire.encode_varint),
    )
    for decode, encode in pairs:
        try:
            found = decode(data)
        except FrameError as error:
            _insist(not sentence_faults(error), f"the error is no sentence: {error!s:.200}")
        else:
            again = decode(encode(found))
            _insist(again == found or "nan" in repr(found), "it is written as something else")


def try_commands(data: bytes) -> None:
    """The grammar of the commands: every parser gives a result that can be stored, or a sentence."""
    line = data.decode("utf-8", "surrogateescape")
    _hold(lambda: [word.whole() for word in split(line)])
    _hold(lambda: parse_history(split(line), providers=NAMES, place="C1", user="U1", now=NOW).text)
    first, _, rest = line.partition(" ")
    asked = provider(first if first in NAMES else NAMES[0])
    _hold(lambda: _kept(parse_train(asked, split(rest)).params))
    _hold(lambda: _kept(parse_reference(asked, split(rest))))


def _kept(params: Mapping[str, Any]) -> str:
    _insist(is_storable(params), "it cannot be stored")
    return str(list(params))


def _hold(read: Callable[[], object]) -> None:
    try:
        found = read()
    except UsageError as error:
        _insist(not sentence_faults(error), f"the error is no sentence: {error!s:.200}")
    else:
        texts = found if isinstance(found, list) else [str(found)]
        _insist(all(is_readable(sign) for text in texts for sign in text), "it holds a sign that cannot be seen")


TARGETS: Mapping[str, Callable[[bytes], None]] = {"frames": try_frames, "commands": try_commands}


def seeds(name: str) -> list[Path]:
    """The folders with what a run begins with: recorded frames, and lines that people type."""
    return sorted({path.parent for path in VECTORS.rglob("*.bin")}) if name == "frames" else [SEEDS]
