"""The binary framing that Decthings speaks: varints, requests, replies, tensors. Nothing here touches a network.

Sources: https://decthings.com/reference/http (the varint), the official JavaScript client (GitHub
decthings/api-client-js, src/protocol.ts and src/tensor at 61d1ca7 and 5d0361e) and bytes captured from it.

    varint    below 253 one byte; else 253, 254 or 255 and an unsigned 16, 32 or 64 bit number, big-endian
    request   u8 number of blobs, varint length of the JSON, a varint length per blob, the JSON, the blobs
    reply     varint length of the JSON, the JSON, then per blob a varint length and the bytes, until the end
    tensor    u8 type, u8 number of dimensions, a varint per dimension, the elements

Numbers in tensors are little-endian, unlike those in varints. Reading is strict: every byte is accounted for, and
whatever does not fit raises FrameError and nothing else.
"""

import json
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import UnionType
from typing import Any, NoReturn, TypeVar

from bot.sentences import _, ngettext

MOST_BLOBS = 255
MOST_DIMENSIONS = 255
MOST_VARINT = 2**64 - 1

R = TypeVar("R")

Element = Any
"""float, int, bool, str, bytes or Image, as the type of the tensor says."""


class FrameError(ValueError):
    """Bytes that are not of the form, or a value that the form cannot hold."""


class ElementType(StrEnum):
    """What a tensor holds. Audio and video are missing: the client's own encoding of them is broken."""

    F32 = "f32"
    F64 = "f64"
    I8 = "i8"
    I16 = "i16"
    I32 = "i32"
    I64 = "i64"
    U8 = "u8"
    U16 = "u16"
    U32 = "u32"
    U64 = "u64"
    STRING = "string"
    BINARY = "binary"
    BOOLEAN = "boolean"
    IMAGE = "image"


T = ElementType

CODES: Mapping[ElementType, int] = {kind: code for code, kind in enumerate(ElementType, start=1)}
"""The first byte of a tensor; 15 and 16 are audio and video."""

_KINDS: Mapping[int, ElementType] = {code: kind for kind, code in CODES.items()}

_LAYOUTS: Mapping[ElementType, str] = {
    T.F32: "f", T.F64: "d",
    T.I8: "b", T.I16: "h", T.I32: "i", T.I64: "q",
    T.U8: "B", T.U16: "H", T.U32: "I", T.U64: "Q",
    T.BOOLEAN: "B",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An element of an image tensor. `format` is a short name such as "png"."""

    format: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """Elements in row-major order. No dimensions: exactly one element."""

    kind: ElementType
    shape: tuple[int, ...] = ()
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The JSON object of a request or reply, and the blobs that came with it."""

    body: Mapping[str, Any]
    blobs: tuple[bytes, ...] = ()


# Varints


def encode_varint(value: int) -> bytes:
    """1, 3, 5 or 9 bytes for 0 to 2^64 - 1."""
    if not 0 <= value <= MOST_VARINT:
        raise FrameError(f"{value} does not fit into a varint")
    if value < 253:
        return bytes((value,))
    if value < 2**16:
        return b"\xfd" + struct.pack(">H", value)
    if value < 2**32:
        return b"\xfe" + struct.pack(">I", value)
    return b"\xff" + struct.pack(">Q", value)


def decode_varint(data: bytes) -> int:
    """The value of bytes that hold one varint and nothing else."""
    return _read_all(data, _Reader.varint)


# Requests and replies


def encode_request(body: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
    """The body of an HTTP request, with at most MOST_BLOBS blobs."""
    if len(blobs) > MOST_BLOBS:
        raise FrameError(f"{len(blobs)} blobs are more than {MOST_BLOBS}")
    text = _encode_json(body)
    lengths = [encode_varint(len(part)) for part in (text, *blobs)]
    return b"".join((bytes((len(blobs),)), *lengths, text, *blobs))


def decode_request(data: bytes) -> Message:
    """The opposite of `encode_request`."""
    return _read_all(data, _read_request)


def encode_reply(body: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
    """The body of an HTTP reply."""
    return b"".join(_with_length(part) for part in (_encode_json(body), *blobs))


def decode_reply(data: bytes) -> Message:
    """The opposite of `encode_reply`. That whole blobs are missing cannot be noticed: a reply has no number of them."""
    return _read_all(data, _read_reply)


def _read_request(reader: "_Reader") -> Message:
    count, size = reader.byte(), reader.varint()
    sizes = [reader.varint() for _blob in range(count)]
    body = _decode_json(reader.take(size))
    return Message(body=body, blobs=tuple(reader.take(size) for size in sizes))


def _read_reply(reader: "_Reader") -> Message:
    return Message(body=_decode_json(reader.sized()), blobs=tuple(reader.until_end(_Reader.sized)))


def _encode_json(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise FrameError(_("not JSON: {problem}", problem=str(error))) from None


def _decode_json(data: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(data.decode(), parse_constant=_refuse_constant)
        # Half of a surrogate pair can be escaped in JSON but stored and sent nowhere.
        value = json.loads(_encode_whole(value)) if b"\\u" in data else value
    except (ValueError, RecursionError) as error:
        raise FrameError(_("not JSON: {problem}", problem=type(error).__name__)) from None
    if not isinstance(value, dict):
        raise FrameError(_("JSON, but not an object"))
    return value


def _encode_whole(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _refuse_constant(name: str) -> NoReturn:
    raise FrameError(f"{name} is not JSON")


# Tensors


def encode_tensor(tensor: Tensor) -> bytes:
    """The bytes of one tensor."""
    if len(tensor.shape) > MOST_DIMENSIONS:
        raise FrameError(f"{len(tensor.shape)} dimensions are more than {MOST_DIMENSIONS}")
    if len(tensor.elements) != math.prod(tensor.shape):
        raise FrameError(f"{len(tensor.elements)} elements do not fill the shape {list(tensor.shape)}")
    head = bytes((CODES[tensor.kind], len(tensor.shape)))
    return b"".join((head, *map(encode_varint, tensor.shape), _encode_elements(tensor)))


def encode_tensors(tensors: Iterable[Tensor]) -> bytes:
    """The blob of one parameter: its tensors, back to back."""
    return b"".join(map(encode_tensor, tensors))


def decode_tensors(data: bytes) -> tuple[Tensor, ...]:
    """The tensors of a blob."""
    return _read_all(data, lambda reader: tuple(reader.until_end(_read_tensor)))


def _encode_elements(tensor: Tensor) -> bytes:
    kind, elements = tensor.kind, tensor.elements
    if not all(isinstance(element, _HELD.get(kind, int)) for element in elements):
        raise FrameError(f"an element is not of the type {kind}")
    if kind in _LAYOUTS:
        return _pack(kind, elements)
    return _with_length(b"".join(_with_length(_encode_element(element)) for element in elements))


def _pack(kind: ElementType, elements: Sequence[Element]) -> bytes:
    try:
        return struct.pack(f"<{len(elements)}{_LAYOUTS[kind]}", *elements)
    except (struct.error, OverflowError) as error:
        raise FrameError(f"an element does not fit into {kind}: {error}") from None


def _encode_element(element: Element) -> bytes:
    if isinstance(element, bytes):
        return element
    if isinstance(element, Image):
        return _encode_image(element)
    return _encode_text(element)


def _encode_image(image: Image) -> bytes:
    name = _encode_text(image.format)
    if len(name) > 255:
        raise FrameError("the name of an image format is longer than 255 bytes")
    return bytes((len(name),)) + name + image.data


def _encode_text(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise FrameError("text with half a surrogate pair") from None


def _read_tensor(reader: "_Reader") -> Tensor:
    code, dimensions = reader.byte(), reader.byte()
    kind = _KINDS.get(code)
    if kind is None:
        raise FrameError(f"tensors of type {code} cannot be read")
    shape = tuple(reader.varint() for _dimension in range(dimensions))
    return Tensor(kind=kind, shape=shape, elements=_read_elements(reader, kind, math.prod(shape)))


def _read_elements(reader: "_Reader", kind: ElementType, count: int) -> tuple[Element, ...]:
    layout = _LAYOUTS.get(kind)
    if layout is None:
        parts = _read_parts(reader.sized(), count)
        return tuple(_DECODERS[kind](part) for part in parts)
    numbers = reader.take(count * struct.calcsize(f"<{layout}"))
    if kind is T.BOOLEAN:
        return tuple(_decode_boolean(number) for number in numbers)
    return struct.unpack(f"<{count}{layout}", numbers)


def _read_parts(data: bytes, count: int) -> tuple[bytes, ...]:
    parts: tuple[bytes, ...] = _read_all(data, lambda reader: tuple(reader.until_end(_Reader.sized)))
    if len(parts) != count:
        raise FrameError(f"{len(parts)} elements where the shape has {count}")
    return parts


def _decode_boolean(byte: int) -> bool:
    if byte > 1:
        raise FrameError(f"{byte} is no boolean")
    return byte == 1


def _decode_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise FrameError("text that is not UTF-8") from None


def _decode_image(data: bytes) -> Image:
    reader = _Reader(data)
    return Image(format=_decode_text(reader.take(reader.byte())), data=reader.rest())


_HELD: Mapping[ElementType, type | UnionType] = {
    T.F32: float | int, T.F64: float | int, T.STRING: str, T.BINARY: bytes, T.BOOLEAN: bool, T.IMAGE: Image,
}  # fmt: skip
"""What an element is in Python, for the types that do not hold integers."""

_DECODERS: Mapping[ElementType, Callable[[bytes], Element]] = {
    T.STRING: _decode_text,
    T.BINARY: bytes,
    T.IMAGE: _decode_image,
}


# Reading


class _Reader:
    """Goes through bytes from the front; raises FrameError where they end too early."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise FrameError(
                ngettext("{count} byte where more are announced", "{count} bytes where more are announced", self.left)
            )
        self._at += size
        return self._data[self._at - size : self._at]

    def rest(self) -> bytes:
        return self.take(self.left)

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        first = self.byte()
        return first if first < 253 else int.from_bytes(self.take(2 << (first - 253)), "big")

    def sized(self) -> bytes:
        """A length and as many bytes."""
        return self.take(self.varint())

    def until_end(self, read: Callable[["_Reader"], R]) -> Iterator[R]:
        while self.left:
            yield read(self)


def _read_all(data: bytes, read: Callable[[_Reader], R]) -> R:
    reader = _Reader(data)
    value = read(reader)
    if reader.left:
        raise FrameError(ngettext("{count} byte too many", "{count} bytes too many", reader.left))
    return value


def _with_length(part: bytes) -> bytes:
    return encode_varint(len(part)) + part
