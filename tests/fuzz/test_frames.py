"""Whatever bytes come as a frame of Decthings: a message, tensors, or a FrameError that is a short line."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.providers.decthings import wire
from bot.providers.decthings.wire import FrameError, Message, Tensor
from tests.fuzz.effort import effort
from tests.fuzz.fitness import is_storable, sentence_faults
from tests.fuzz.shapes import mutated, written
from tests.fuzz.tally import Tally

VECTORS = Path(__file__).parents[1] / "vectors" / "decthings"
MOST_MEMORY = 4_000_000
"""Bytes that reading a frame of at most some kilobytes may take, whatever lengths it announces."""


def recorded(kind: str) -> list[bytes]:
    """Frames that the official client sent and was sent."""
    return [path.read_bytes() for path in sorted(VECTORS.glob(f"*/*.{kind}-body.bin"))]


def tensors_of(frames: list[bytes]) -> list[bytes]:
    """The blobs of recorded requests: each holds the tensors of one parameter."""
    return [blob for frame in frames for blob in wire.decode_request(frame).blobs]


REQUESTS, REPLIES = recorded("request"), recorded("response")
BLOBS = tensors_of(REQUESTS)
LENGTHS = st.sampled_from([0, 1, 252, 253, 2**16 - 1, 2**16, 2**32, 2**63, 2**64 - 1])


@st.composite
def near(draw: st.DrawFn, frames: list[bytes]) -> bytes:
    """A recorded frame with up to three places cut out, overwritten, or announcing another length."""
    frame = draw(st.sampled_from(frames))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(frame)))
        put = draw(st.binary(max_size=3) | LENGTHS.map(wire.encode_varint))
        frame = frame[:at] + put + frame[at + draw(st.integers(0, 4)) :]
    return frame


@st.composite
def framed(draw: st.DrawFn) -> bytes:
    """JSON of any kind in a frame whose lengths are right: what is wrong lies deeper."""
    text = draw(mutated({"result": {"id": "a", "tensors": [1, 2.5, None]}}).flatmap(written))
    blobs = draw(st.lists(st.binary(max_size=5), max_size=3))
    return b"".join(wire.encode_varint(len(part)) + part for part in (text, *blobs))


def held(read: Callable[[bytes], Any], frame: bytes) -> object:
    """What it gives, or the FrameError, within the memory that its bytes justify; any other exception leaves."""
    tracemalloc.start()
    try:
        return read(frame)
    except FrameError as error:
        said = error
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MOST_MEMORY, f"{peak} bytes for {len(frame)}"
    assert sentence_faults(said) == [], repr(str(said))
    return said


def check_message(found: object, write: Callable[..., bytes], read: Callable[[bytes], Message]) -> None:
    """What was read can be stored, and is written so that it reads the same."""
    if isinstance(found, Message):
        assert is_storable(found.body)
        assert read(write(found.body, found.blobs)) == found


@effort(150)
@given(frame=near(REPLIES) | framed() | st.binary(max_size=40))
@example(frame=wire.encode_varint(60_000) + b'{"a":' + b"[" * 59_995)
@example(frame=b"\xff" * 9)
def test_any_bytes_are_a_reply_or_a_frame_error(frame: bytes, tally: Tally) -> None:
    """No length that is announced, and no JSON within, gets through as another exception."""
    found = held(wire.decode_reply, frame)
    tally.add(found)
    check_message(found, wire.encode_reply, wire.decode_reply)


@effort(150)
@given(frame=near(REQUESTS) | st.binary(max_size=40))
def test_any_bytes_are_a_request_or_a_frame_error(frame: bytes, tally: Tally) -> None:
    """The same of the other direction, which the bot reads of itself in tests alone."""
    found = held(wire.decode_request, frame)
    tally.add(found)
    check_message(found, wire.encode_request, wire.decode_request)


@effort(200)
@given(
    blob=near(BLOBS) | st.tuples(st.integers(0, 17), st.binary(max_size=30)).map(lambda one: bytes([one[0]]) + one[1])
)
@example(blob=bytes((wire.CODES[wire.ElementType.STRING], 2)) + wire.encode_varint(2**64 - 1) * 2 + b"\x00")
@example(blob=bytes((wire.CODES[wire.ElementType.U8], 255)) + b"\xff" * 9 * 255)
@example(blob=bytes((wire.CODES[wire.ElementType.F64], 3)) + wire.encode_varint(0) * 3)
def test_any_bytes_are_tensors_or_a_frame_error(blob: bytes, tally: Tally) -> None:
    """A shape is believed only as far as there are bytes for it."""
    found = held(wire.decode_tensors, blob)
    tally.add(found)
    if isinstance(found, tuple):
        assert all(isinstance(one, Tensor) for one in found)
        assert wire.decode_tensors(wire.encode_tensors(found)) == found or "nan" in repr(found)


@effort(60)
@given(data=st.binary(max_size=10))
def test_any_bytes_are_a_number_or_a_frame_error(data: bytes, tally: Tally) -> None:
    """One number and nothing behind it; a longer spelling than needed is read as well."""
    found = held(wire.decode_varint, data)
    tally.add(found)
    assert isinstance(found, FrameError) or 0 <= int(str(found)) <= wire.MOST_VARINT


@pytest.mark.parametrize("frames", [REQUESTS, REPLIES, BLOBS], ids=["requests", "replies", "blobs"])
def test_there_are_frames_to_begin_with(frames: list[bytes]) -> None:
    """Near-frames are made of what the official client recorded."""
    assert len(frames) >= 3
