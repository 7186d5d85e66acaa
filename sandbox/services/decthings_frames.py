"""Decthings' binary framing from the server's side: requests are read, replies are written.

Source: https://decthings.com/reference/http for the frame of a call, the official JavaScript client for tensors.
Varints are big-endian, the numbers inside a tensor little-endian.
"""

import json
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

FIXED_WIDTHS = {1: 4, 2: 8, 3: 1, 4: 2, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 13: 1}
VARIABLE_TYPES = frozenset({11, 12, 14, 15, 16})
STRING = 11
BOOLEAN = 13


class MalformedFrameError(ValueError):
    """The bytes are not a frame, or not all of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """The JSON parameters of a call, and its blobs in order."""

    params: dict[str, Any]
    blobs: tuple[bytes, ...]


class Reader:
    """Takes a byte string apart from the front."""

    def __init__(self, data: bytes) -> None:
        """Stand at the first byte."""
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not yet taken."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next `count` bytes; raises MalformedFrameError when there are fewer."""
        if count > self.left:
            raise MalformedFrameError(f"{count} bytes announced, {self.left} left")
        self._at += count
        return self._data[self._at - count : self._at]

    def varint(self) -> int:
        """One byte below 253; else a mark and 2, 4 or 8 bytes, big-endian."""
        first = self.take(1)[0]
        return first if first < 253 else int.from_bytes(self.take(1 << (first - 252)), "big")


def write_varint(value: int) -> bytes:
    """The shortest form of a number from 0 to 2^64 - 1."""
    if value < 253:
        return bytes([value])
    for mark, width in ((253, 2), (254, 4), (255, 8)):
        if value < 1 << (8 * width):
            return bytes([mark]) + value.to_bytes(width, "big")
    raise ValueError(f"{value} needs more than 64 bits")


def read_call(data: bytes) -> Call:
    """A request's body; raises MalformedFrameError, also for bytes that are left over."""
    reader = Reader(data)
    blob_count = reader.take(1)[0]
    json_length = reader.varint()
    lengths = [reader.varint() for _ in range(blob_count)]
    params = _read_params(reader.take(json_length))
    blobs = tuple(reader.take(length) for length in lengths)
    if reader.left:
        raise MalformedFrameError(f"{reader.left} bytes left over")
    return Call(params=params, blobs=blobs)


def write_reply(value: object, blobs: Iterable[bytes] = ()) -> bytes:
    """A reply's body: the JSON with its length, then each blob with its own."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return b"".join(write_varint(len(part)) + part for part in (text, *blobs))


def write_f32(*numbers: float) -> bytes:
    """A tensor of 32-bit floats: one number has no dimension, several have one."""
    shape = [] if len(numbers) == 1 else [len(numbers)]
    head = bytes([1, len(shape)]) + b"".join(map(write_varint, shape))
    return head + struct.pack(f"<{len(numbers)}f", *numbers)


def read_shapes(blob: bytes) -> list[tuple[int, Sequence[int]]]:
    """Type and dimensions of each tensor in a blob, back to back; raises MalformedFrameError."""
    reader = Reader(blob)
    shapes = []
    while reader.left:
        shapes.append(_read_tensor(reader))
    return shapes


def _read_params(text: bytes) -> dict[str, Any]:
    try:
        params = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise MalformedFrameError("the parameters are not JSON") from error
    if not isinstance(params, dict):
        raise MalformedFrameError("the parameters are not an object")
    return params


def _read_tensor(reader: Reader) -> tuple[int, Sequence[int]]:
    kind, dimensions = reader.take(2)
    shape = [reader.varint() for _ in range(dimensions)]
    count = math.prod(shape)
    if kind in FIXED_WIDTHS:
        _check_fixed(kind, reader.take(count * FIXED_WIDTHS[kind]))
    elif kind in VARIABLE_TYPES:
        _check_elements(kind, count, Reader(reader.take(reader.varint())))
    else:
        raise MalformedFrameError(f"no element type has the number {kind}")
    return kind, shape


def _check_fixed(kind: int, data: bytes) -> None:
    if kind == BOOLEAN and not set(data) <= {0, 1}:
        raise MalformedFrameError("a boolean is neither 0 nor 1")


def _check_elements(kind: int, count: int, elements: Reader) -> None:
    for _ in range(count):
        element = elements.take(elements.varint())
        if kind == STRING:
            _check_text(element)
    if elements.left:
        raise MalformedFrameError(f"{elements.left} bytes of elements left over")


def _check_text(element: bytes) -> None:
    try:
        element.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedFrameError("a string is not UTF-8") from error
