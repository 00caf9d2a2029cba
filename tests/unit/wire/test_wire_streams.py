"""Event-stream frames: botocore reads what we write, we read what anyone writes, and rubbish ends a stream."""

from __future__ import annotations

import json
import random
import zlib
from datetime import UTC, datetime
from uuid import UUID

import pytest
from botocore.eventstream import EventStream, EventStreamBuffer
from botocore.exceptions import EventStreamError
from botocore.parsers import create_parser

from craton.aws.wire import eventstream, faults, model, restjson
from tests.unit.wire.generate import SERVICES, Draw, service_model

STREAMS = [
    (service, operation)
    for service in SERVICES
    for operation in service_model(service).operation_names
    if service_model(service).operation_model(operation).has_event_stream_output
]
IDS = [f"{service}.{operation}" for service, operation in STREAMS]
DELTA = b'{"contentBlockIndex":0,"delta":{"text":"Hello"},"p":"abcd"}'


class Raw:
    """The HTTP body as botocore's EventStream wants it."""

    def __init__(self, chunks):
        self.chunks = chunks

    def stream(self):
        return iter(self.chunks)

    def close(self):
        pass


def receive(service, operation, chunks):
    """Yield what a botocore caller gets from a stream of chunks."""
    theirs = service_model(service).operation_model(operation)
    parser = create_parser("rest-json")._event_stream_parser
    return EventStream(Raw(chunks), theirs.get_event_stream_output(), parser, operation)


@pytest.mark.parametrize(("service", "operation"), STREAMS, ids=IDS)
def test_botocore_reads_every_event_of_every_stream(service, operation):
    """Each event that a stream's model lists arrives with its name and members."""
    ours = model.load(service).operations[operation]
    codec = restjson.RestJson()
    theirs = service_model(service).operation_model(operation).get_event_stream_output()
    draw = Draw(zlib.crc32(operation.encode()), 0.7)
    sent, frames = [], []
    for name, shape in theirs.members.items():
        if not shape.metadata.get("exception"):
            value = draw.structure(shape)
            sent.append({name: value})
            frames.append(eventstream.encode_event(name, codec.encode_event(ours, name, value)))
    whole = b"".join(frames)
    assert list(receive(service, operation, [whole])) == sent
    assert list(receive(service, operation, [whole[at : at + 1] for at in range(len(whole))])) == sent


@pytest.mark.parametrize(("service", "operation"), STREAMS, ids=IDS)
def test_botocore_raises_every_modelled_exception_of_a_stream(service, operation):
    """A fault in mid-stream becomes an exception event under the stream's own name for it."""
    ours = model.load(service).operations[operation]
    theirs = service_model(service).operation_model(operation).get_event_stream_output()
    for name, shape in theirs.members.items():
        if shape.metadata.get("exception"):
            event = restjson.exception_event(ours, faults.Fault(shape.name, "it broke"))
            assert event is not None
            with pytest.raises(EventStreamError, match=f"{name}.*it broke"):
                list(receive(service, operation, [eventstream.encode_exception(*event)]))


def test_a_fault_that_the_stream_lacks_has_no_event():
    """An error outside the stream's model is for encode_error, which SDKs raise by its code."""
    ours = model.load("bedrock-runtime").operations["ConverseStream"]
    assert restjson.exception_event(ours, faults.not_found("gone")) is None
    with pytest.raises(EventStreamError, match=r"ResourceNotFoundException.*gone"):
        list(
            receive(
                "bedrock-runtime", "ConverseStream", [eventstream.encode_error("ResourceNotFoundException", "gone")]
            )
        )


VALUES = {
    "true": True,
    "false": False,
    "int": -7,
    "long": 2**40,
    "bytes": b"\x00\xff",
    "text": "naïve",
    "time": datetime(2024, 5, 6, 7, 8, 9, 123000, tzinfo=UTC),
    "uuid": UUID(int=7),
}


def test_every_header_type_comes_back():
    """All header types of the format survive a round trip, and botocore agrees on those it can read."""
    frame = eventstream.encode_message(VALUES, b"payload")
    assert eventstream.Decoder().feed(frame) == [eventstream.Message(VALUES, b"payload")]
    buffer = EventStreamBuffer()
    buffer.add_data(frame)
    theirs = next(iter(buffer)).headers
    assert {name: theirs[name] for name in ("true", "false", "int", "long", "bytes", "text")} == {
        name: VALUES[name] for name in ("true", "false", "int", "long", "bytes", "text")
    }


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_chunks_of_any_size_give_the_same_messages(size):
    """A decoder does not care where the network cuts."""
    frames = [eventstream.encode_event("contentBlockDelta", DELTA), eventstream.encode_event("messageStop", b"{}")] * 3
    whole, decoder = b"".join(frames), eventstream.Decoder()
    messages = [message for at in range(0, len(whole), size) for message in decoder.feed(whole[at : at + size])]
    assert [(message.kind, message.name) for message in messages] == [
        ("event", "contentBlockDelta"),
        ("event", "messageStop"),
    ] * 3
    decoder.close()


def test_rubbish_between_frames_ends_the_stream():
    """What was whole before the rubbish is kept; after it nothing is believed, however good it looks."""
    frame = eventstream.encode_event("messageStop", b"{}")
    decoder = eventstream.Decoder()
    assert len(decoder.feed(frame + b"rubbish rubbish rubbish" + frame)) == 1
    for _ in range(2):
        with pytest.raises(faults.ProtocolFault):
            decoder.feed(frame)
    with pytest.raises(faults.ProtocolFault):
        decoder.close()


def test_every_flipped_byte_is_noticed():
    """Both checksums together cover every byte of a frame."""
    frame = eventstream.encode_event("contentBlockDelta", DELTA)
    for at in range(len(frame)):
        broken = frame[:at] + bytes((frame[at] ^ 0x41,)) + frame[at + 1 :]
        decoder = eventstream.Decoder()
        with pytest.raises(faults.ProtocolFault):
            decoder.feed(broken)
            decoder.close()


@pytest.mark.parametrize(
    ("total", "headers"), [(15, 0), (0, 0), (2**31, 0), (100, 200), (16, 1), (2**24, 2**20), (0xFFFFFFFF, 0xFFFFFFFF)]
)
def test_lengths_that_can_not_be_are_refused_before_their_bytes_come(total, headers):
    """A prelude with a right checksum and wrong lengths is refused at once, so no memory is gathered for it."""
    lengths = total.to_bytes(4) + headers.to_bytes(4)
    with pytest.raises(faults.ProtocolFault):
        eventstream.Decoder().feed(lengths + zlib.crc32(lengths).to_bytes(4))


@pytest.mark.parametrize(
    "headers",
    [
        b"\x05abc",
        b"\x01a",
        b"\x01a\x0a",
        b"\x01a\x07\x00",
        b"\x01a\x07\x00\x09x",
        b"\x01a\x04\x00",
        b"\x01\xff\x00",
        b"\x01a\x00\x01a\x01",
    ],
)
def test_malformed_headers_are_a_protocol_fault(headers):
    """Headers that are cut short, of no type, not UTF-8 or doubled never raise anything else."""
    with pytest.raises(faults.ProtocolFault):
        eventstream.Decoder().feed(eventstream.frame(headers, b""))


def test_random_bytes_never_raise_anything_but_a_protocol_fault():
    """Any bytes at all give messages or a ProtocolFault, also behind right checksums."""
    rng = random.Random(7)
    for _ in range(300):
        headers = rng.randbytes(rng.randint(0, 40))
        try:
            eventstream.Decoder().feed(eventstream.frame(headers, rng.randbytes(5)))
        except faults.ProtocolFault:
            continue


def test_an_unfinished_frame_is_named_when_the_peer_hangs_up():
    """The end of the bytes inside a frame is an error, between frames it is none."""
    decoder = eventstream.Decoder()
    decoder.feed(eventstream.encode_event("messageStop", b"{}")[:-1])
    with pytest.raises(faults.ProtocolFault, match="ended inside"):
        decoder.close()
    eventstream.Decoder().close()


def test_a_frame_is_what_the_specification_says():
    """The bytes of one delta, by hand: lengths, checksum, headers, payload, checksum."""
    frame = eventstream.encode_event("a", b"{}")
    headers = b"".join(
        bytes((len(name),)) + name + b"\x07" + len(value).to_bytes(2) + value
        for name, value in (
            (b":event-type", b"a"),
            (b":content-type", b"application/json"),
            (b":message-type", b"event"),
        )
    )
    prelude = (16 + len(headers) + 2).to_bytes(4) + len(headers).to_bytes(4)
    body = prelude + zlib.crc32(prelude).to_bytes(4) + headers + b"{}"
    assert frame == body + zlib.crc32(body).to_bytes(4)
    assert json.loads(eventstream.Decoder().feed(frame)[0].payload) == {}
