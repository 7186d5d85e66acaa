"""The binary framing against bytes that the official clients made, and against itself."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.providers.decthings import wire
from bot.providers.decthings.wire import ElementType, FrameError, Image, Message, Tensor

VECTORS = Path(__file__).parents[1] / "vectors" / "decthings"
CONTRACTS = ("states-0.5.15", "versions-5d0361e")
BINARY = "application/octet-stream"


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def exchanges() -> list[Any]:
    cases = [(contract, case) for contract in CONTRACTS for case in load(f"{contract}/manifest.json")]
    return [pytest.param(case, id=f"{contract}:{case['name']}") for contract, case in cases]


HTTP = [case for case in exchanges() if case.values[0]["transport"] == "http"]
SENT = [case for case in HTTP if case.values[0]["request_hex"]]
READ = [case for case in HTTP if "returned" in case.values[0]["client"]]
SOCKET = [case for case in exchanges() if case.values[0]["transport"] == "websocket"]
TENSORS = load("tensors.json")
GOOD_TENSORS = [pytest.param(entry, id=entry["label"]) for entry in TENSORS if "NON-ASCII" not in entry["label"]]


def compact(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def number(shown: Any) -> Any:
    """Elements of the vectors: JavaScript's big integers end in n, bytes are written `hex:…`."""
    if isinstance(shown, dict):
        return Image(format=shown["format"], data=number(shown["data"]))
    if isinstance(shown, str) and shown.startswith("hex:"):
        return bytes.fromhex(shown.removeprefix("hex:"))
    if isinstance(shown, str) and shown[-1:] == "n" and shown[:-1].lstrip("-").isdigit():
        return int(shown[:-1])
    return shown


def tensor_of(entry: Mapping[str, Any]) -> Tensor:
    elements = tuple(number(element) for element in entry["elements"])
    return Tensor(kind=ElementType(entry["type"]), shape=tuple(entry["shape"]), elements=elements)


# Bytes of the official clients


def test_the_vectors_are_all_there() -> None:
    """A case that got lost would be a check that got lost: 23 exchanges of one contract, 22 of the other."""
    assert [len(load(f"{contract}/manifest.json")) for contract in CONTRACTS] == [23, 22]
    assert (len(SENT), len(READ), len(SOCKET), len(GOOD_TENSORS)) == (41, 35, 2, 17)


@pytest.mark.parametrize("case", SENT)
def test_every_request_of_the_official_client_is_written_byte_for_byte(case: Mapping[str, Any]) -> None:
    """What we send cannot be told from what the official client sends."""
    sent = bytes.fromhex(case["request_hex"])
    message = wire.decode_request(sent)
    assert wire.encode_request(message.body, message.blobs) == sent
    assert case["headers"]["Content-Length"] == str(len(sent))


@pytest.mark.parametrize("case", SENT)
def test_a_request_is_what_the_layout_says(case: Mapping[str, Any]) -> None:
    """The lengths in front are those of the JSON and of each blob, counted without our reader."""
    sent = bytes.fromhex(case["request_hex"])
    message = wire.decode_request(sent)
    tail = compact(message.body) + b"".join(message.blobs)
    assert sent[0] == len(message.blobs)
    assert sent.endswith(tail)
    lengths = [len(compact(message.body)), *map(len, message.blobs)]
    assert sent[1 : -len(tail)] == b"".join(map(wire.encode_varint, lengths))


@pytest.mark.parametrize("case", SENT)
def test_each_inline_parameter_has_its_blob_of_tensors(case: Mapping[str, Any]) -> None:
    """A parameter without data owns the next blob, and each blob holds readable tensors."""
    message = wire.decode_request(bytes.fromhex(case["request_hex"]))
    inline = [param for param in message.body.get("params", ()) if "data" not in param]
    assert len(inline) == len(message.blobs)
    for blob in message.blobs:
        assert wire.encode_tensors(wire.decode_tensors(blob)) == blob


@pytest.mark.parametrize("case", READ)
def test_every_reply_is_read_as_the_official_client_reads_it(case: Mapping[str, Any]) -> None:
    """The JSON of a reply is what the official client returned; tensors come as blobs, in reading order."""
    message = wire.decode_reply(bytes.fromhex(case["response_hex"]))
    assert with_tensors(message) == case["client"]["returned"]
    assert wire.encode_reply(message.body, message.blobs) == bytes.fromhex(case["response_hex"])


def with_tensors(message: Message) -> Any:
    """The reply as the client shows it: the tensor of each entry of each metric put in its place."""
    body = json.loads(json.dumps(message.body))
    tensors = [wire.decode_tensors(blob) for blob in message.blobs]
    for metric in body.get("result", {}).get("metrics", ()):
        for entry in metric.get("entries", ()):
            (tensor,) = tensors.pop(0)
            entry["data"] = {
                "type": tensor.kind.value, "shape": list(tensor.shape), "elements": list(tensor.elements)
            }  # fmt: skip
    assert not tensors
    return body


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_raw_files_hold_the_same_bytes(contract: str) -> None:
    """The `.bin` files next to a manifest are its own bytes."""
    cases = {case["name"]: case for case in load(f"{contract}/manifest.json")}
    for path in sorted((VECTORS / contract).glob("*-body.bin")):
        name, _, kind = path.name.removesuffix("-body.bin").rpartition(".")
        assert path.read_bytes().hex() == cases[name][f"{kind}_hex"]


@pytest.mark.parametrize("case", SOCKET)
def test_the_frames_of_the_socket_hold_the_same_messages(case: Mapping[str, Any]) -> None:
    """The socket wraps the same messages: four bytes in front of a request, five of a reply, a name in an event."""
    frame = case["frames"][-1]
    sent = wire.decode_request(bytes.fromhex(frame["client_frame_hex"])[4:])
    assert (sent.body["api"], sent.body["method"], len(sent.blobs)) == ("Model", "train", 1)
    assert wire.encode_request(sent.body, sent.blobs).hex() == frame["client_frame_hex"][8:]
    reply = wire.decode_reply(bytes.fromhex(frame["server_response_hex"])[5:])
    assert reply.body["result"] == case["client"]["result"]
    event = bytes.fromhex(frame["server_event_hex"])
    seen = wire.decode_reply(event[2 + event[1] :])
    assert [{"api": event[2 : 2 + event[1]].decode(), **seen.body}] == case["events_seen_by_client"]


@pytest.mark.parametrize("case", [case for case in SENT if case.values[0]["name"] == "train-inline-params"][:1])
def test_the_python_client_sends_the_same_message(case: Mapping[str, Any]) -> None:
    """Two independent clients agree but for the spaces in the JSON."""
    other = load("python-0.0.4-train-inline-params.json")
    theirs = wire.decode_request(bytes.fromhex(other["request_hex"]))
    ours = wire.decode_request(bytes.fromhex(case["request_hex"]))
    assert theirs == ours
    assert other["path"] == case["path"]
    for value, shown in other["varints"].items():
        if shown != "OverflowError":  # its known fault, at exactly 65536 and 2^32
            assert wire.encode_varint(int(value)).hex() == shown


@pytest.mark.parametrize("entry", load("varints.json"), ids=lambda entry: str(entry["value"]))
def test_varints(entry: Mapping[str, str]) -> None:
    """Each boundary of the varint is written and read like the official client does."""
    assert wire.encode_varint(int(entry["value"])).hex() == entry["hex"]
    assert wire.decode_varint(bytes.fromhex(entry["hex"])) == int(entry["decoded"])


@pytest.mark.parametrize("entry", GOOD_TENSORS)
def test_tensors(entry: Mapping[str, Any]) -> None:
    """A tensor of each element type is written and read like the official client does."""
    written = bytes.fromhex(entry["hex"])
    assert wire.encode_tensor(tensor_of(entry)) == written
    assert wire.decode_tensors(written) == (tensor_of(entry["round_trip"]),)


def test_text_is_measured_in_bytes_where_the_javascript_client_miscounts() -> None:
    """The JavaScript client's "é" is broken: we write what the Python client writes and refuse the broken one."""
    (wrong,) = [entry for entry in TENSORS if "NON-ASCII" in entry["label"]]
    right = load("python-0.0.4-train-inline-params.json")["string_tensor_é_hex"]
    tensor = Tensor(kind=ElementType.STRING, shape=(1,), elements=("é",))
    assert wire.encode_tensor(tensor).hex() == right != wrong["hex"]
    assert wire.decode_tensors(bytes.fromhex(right)) == (tensor,)
    with pytest.raises(FrameError):
        wire.decode_tensors(bytes.fromhex(wrong["hex"]))


# There and back


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
bodies = st.dictionaries(st.text(), json_values, max_size=5)
blob_lists = st.lists(st.binary(max_size=300), max_size=6)

INTEGERS = {"i8": 8, "i16": 16, "i32": 32, "i64": 64, "u8": 8, "u16": 16, "u32": 32, "u64": 64}


def elements_of(kind: ElementType) -> st.SearchStrategy[Any]:
    match kind:
        case ElementType.F32 | ElementType.F64:
            return st.floats(width=32 if kind is ElementType.F32 else 64, allow_nan=False)
        case ElementType.STRING:
            return st.text()
        case ElementType.BINARY:
            return st.binary()
        case ElementType.BOOLEAN:
            return st.booleans()
        case ElementType.IMAGE:
            return st.builds(Image, format=st.text(max_size=20), data=st.binary())
    bits = INTEGERS[kind.value]
    low = -(2 ** (bits - 1)) if kind.value.startswith("i") else 0
    return st.integers(low, low + 2**bits - 1)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    kind = draw(st.sampled_from(ElementType))
    shape = tuple(draw(st.lists(st.integers(0, 5), max_size=3)))
    count = math.prod(shape)
    elements = draw(st.lists(elements_of(kind), min_size=count, max_size=count))
    return Tensor(kind=kind, shape=shape, elements=tuple(elements))


@given(st.integers(0, 2**64 - 1))
def test_every_number_survives_a_varint(value: int) -> None:
    """A length is read as it was written, in the shortest of the four forms."""
    written = wire.encode_varint(value)
    assert wire.decode_varint(written) == value
    assert len(written) == next(size for size, end in ((1, 253), (3, 2**16), (5, 2**32), (9, 2**64)) if value < end)


@settings(max_examples=40)
@given(bodies, blob_lists)
def test_every_message_survives(body: dict[str, Any], blobs: list[bytes]) -> None:
    """Requests and replies are read as they were written, in the same order of keys."""
    for message in (
        wire.decode_request(wire.encode_request(body, blobs)),
        wire.decode_reply(wire.encode_reply(body, blobs)),
    ):
        assert message == Message(body=body, blobs=tuple(blobs))
        assert list(message.body) == list(body)


@given(st.lists(tensors(), max_size=3))
def test_every_tensor_survives(several: list[Tensor]) -> None:
    """Tensors of all types are read as they were written, several back to back."""
    assert list(wire.decode_tensors(wire.encode_tensors(several))) == several


# Bytes that are wrong


@given(bodies, blob_lists, st.data())
def test_a_request_that_is_cut_or_too_long_is_noticed(
    body: dict[str, Any], blobs: list[bytes], data: st.DataObject
) -> None:
    """Every byte of a request is accounted for."""
    whole = wire.encode_request(body, blobs)
    end = data.draw(st.integers(0, len(whole) - 1))
    for broken in (whole[:end], whole + b"\0"):
        with pytest.raises(FrameError):
            wire.decode_request(broken)


@given(bodies, blob_lists, st.data())
def test_a_reply_that_is_cut_is_noticed_unless_whole_blobs_are_missing(
    body: dict[str, Any], blobs: list[bytes], data: st.DataObject
) -> None:
    """A reply carries no number of blobs: only a cut between two of them stays unseen."""
    ends = [len(wire.encode_reply(body, blobs[:count])) for count in range(len(blobs) + 1)]
    whole = wire.encode_reply(body, blobs)
    cut = data.draw(st.integers(0, len(whole)))
    if cut in ends:
        assert wire.decode_reply(whole[:cut]).body == body
    else:
        with pytest.raises(FrameError):
            wire.decode_reply(whole[:cut])


@given(tensors(), st.data())
def test_a_tensor_that_is_cut_is_noticed(tensor: Tensor, data: st.DataObject) -> None:
    """Every byte of a tensor is accounted for."""
    whole = wire.encode_tensor(tensor)
    with pytest.raises(FrameError):
        wire.decode_tensors(whole[: data.draw(st.integers(1, len(whole) - 1))])


@pytest.mark.parametrize("decode", [wire.decode_varint, wire.decode_request, wire.decode_reply, wire.decode_tensors])
def test_any_bytes_are_read_or_refused_and_nothing_else(decode: Any) -> None:
    """Whatever a service sends, reading it raises FrameError or nothing."""

    @given(st.binary(max_size=200))
    def read(data: bytes) -> None:
        try:
            decode(data)
        except FrameError:
            return

    read()


@given(st.sampled_from(sorted(wire.CODES.values())), st.integers(0, 4), st.binary(max_size=60))
def test_any_bytes_with_a_tensors_head_are_read_or_refused(code: int, dimensions: int, rest: bytes) -> None:
    """Random bytes seldom begin like a tensor, so here they do: what can be read can be written and read again."""
    data = bytes((code, dimensions)) + rest
    try:
        read = wire.decode_tensors(data)
    except FrameError:
        return
    assert wire.decode_tensors(wire.encode_tensors(read)) == read or has_nan(read)


def has_nan(read: tuple[Tensor, ...]) -> bool:
    return any(isinstance(element, float) and math.isnan(element) for tensor in read for element in tensor.elements)


def reply_of(text: bytes) -> bytes:
    return wire.encode_varint(len(text)) + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        reply_of(b""),
        reply_of(b"[]"),
        reply_of(b"null"),
        reply_of(b'"result"'),
        reply_of(b'{"progress":NaN}'),
        reply_of(b'{"progress":-Infinity}'),
        reply_of(b'{"a":1'),
        reply_of(b"\xff\xfe{}"),
        reply_of(b"[" * 100_000),
        reply_of(b'{"a":' * 100_000),
        reply_of(b'{"a":' + b"9" * 5000 + b"}"),
        b"<!doctype html><title>Maintenance</title>",
        b'{"result":{"trainingSessionId":"x"}}',
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ],
    ids=lambda data: repr(data[:24]),
)
def test_a_reply_of_another_form_is_refused(data: bytes) -> None:
    """No JSON, no object, a web page, JSON without a frame, depth without end: one error for all of them."""
    with pytest.raises(FrameError):
        wire.decode_reply(data)


@pytest.mark.parametrize(
    "data",
    [
        "0f000100",  # audio
        "10000100",  # video
        "0000",  # no such type
        "0d000102",  # neither true nor false
        "0700",  # no element
        "0701ffffffffffffffffff",  # more elements than bytes in the world
        "0bff" + "ff" * 9 * 255,  # the same in 255 dimensions
        "0b0102020141",  # two elements announced, one there
        "0b01010401410141",  # one announced, two there
        "0b00020141" + "00",  # a byte too many
        "0e00020570",  # an image format longer than its element
    ],
)
def test_a_tensor_of_another_form_is_refused(data: str) -> None:
    """Sizes are believed only as far as there are bytes."""
    with pytest.raises(FrameError):
        wire.decode_tensors(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("kind", "element"),
    [
        (ElementType.U8, 256),
        (ElementType.I8, -129),
        (ElementType.U64, -1),
        (ElementType.U64, 2**64),
        (ElementType.I32, 1.0),
        (ElementType.F32, 1e39),
        (ElementType.F64, "1"),
        (ElementType.F64, 10**400),
        (ElementType.STRING, b"bytes"),
        (ElementType.STRING, "\ud800"),
        (ElementType.BINARY, "text"),
        (ElementType.BOOLEAN, 1),
        (ElementType.IMAGE, b"png"),
        (ElementType.IMAGE, Image(format="x" * 256, data=b"")),
    ],
)
def test_an_element_that_does_not_fit_is_never_written(kind: ElementType, element: Any) -> None:
    """Out of range or of another type: nothing wrong leaves the house."""
    with pytest.raises(FrameError):
        wire.encode_tensor(Tensor(kind=kind, elements=(element,)))


def test_what_the_form_cannot_hold_is_never_written() -> None:
    """255 blobs and 255 dimensions at most, elements that fill the shape, JSON that is JSON."""
    assert wire.encode_request({}, [b""] * 255)[0] == 255
    wrong: tuple[Callable[[], bytes], ...] = (
        lambda: wire.encode_request({}, [b""] * 256),
        lambda: wire.encode_request({"x": math.nan}),
        lambda: wire.encode_request({"x": "\ud800"}),
        lambda: wire.encode_varint(-1),
        lambda: wire.encode_varint(2**64),
        lambda: wire.encode_tensor(Tensor(kind=ElementType.U8, shape=(2,), elements=(1,))),
        lambda: wire.encode_tensor(Tensor(kind=ElementType.U8, elements=())),
        lambda: wire.encode_tensor(Tensor(kind=ElementType.U8, shape=(1,) * 256, elements=(1,))),
    )
    for write in wrong:
        with pytest.raises(FrameError):
            write()


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    """JSON can escape what no database and no Slack takes; it is replaced where it comes in."""
    message = wire.decode_reply(reply_of(rb'{"a":"x\ud83d","b":"\ud83d\ude00 \u00e9"}'))
    assert message.body == {"a": "x?", "b": "😀 é"}
