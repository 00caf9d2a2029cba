"""Events as frames of `application/vnd.amazon.eventstream`, for ConverseStream and InvokeModelWithResponseStream.

Each payload carries Bedrock's filler member `p` of random length, so that the length of a frame does not tell the
length of a token to whoever watches an encrypted connection (reference: converse.md).
"""

from __future__ import annotations

import random
from binascii import b2a_base64
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import TypeVar

import msgspec

from craton.aws.wire.eventstream import encode_event, encode_exception, event_headers
from craton.aws.wire.eventstream import frame as wire_frame
from craton.aws.wire.faults import Fault, internal
from craton.features.inference.balance import Opened
from craton.models.canon.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    MessageStart,
    MessageStop,
    StreamEvent,
    StreamMetadata,
)

E = TypeVar("E")

EVENT_TYPES: dict[type, str] = {
    BlockDelta: "contentBlockDelta",
    MessageStart: "messageStart",
    BlockStart: "contentBlockStart",
    BlockStop: "contentBlockStop",
    MessageStop: "messageStop",
    StreamMetadata: "metadata",
}
STREAM_FAULTS = frozenset(
    {
        "InternalServerException",
        "ModelStreamErrorException",
        "ValidationException",
        "ThrottlingException",
        "ServiceUnavailableException",
    }
)
INVOKE_FAULTS = STREAM_FAULTS | {"ModelTimeoutException"}

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
# 64 of them, for six random bits.
_FILLERS = tuple(b',"p":"' + _LETTERS[:length] + b'"}' for length in range(1, 65))
_HEADERS = {kind: event_headers("event", name) for kind, name in EVENT_TYPES.items()}
_encode = msgspec.json.Encoder().encode
_random_bits = random.getrandbits


def padded(payload: bytes) -> bytes:
    """A JSON object with the filler as its last member."""
    if payload == b"{}":
        return payload
    return payload[:-1] + _FILLERS[_random_bits(6)]


def event_frame(event: StreamEvent) -> bytes:
    return wire_frame(_HEADERS[type(event)], _encode(event)[:-1] + _FILLERS[_random_bits(6)])


def chunk_frame(native: bytes) -> bytes:
    """A native JSON chunk as Bedrock wraps it: base64 in the member `bytes`."""
    return encode_event("chunk", padded(b'{"bytes":"' + b2a_base64(native, newline=False) + b'"}'))


def fault_frame(fault: Fault, modelled: frozenset[str]) -> bytes:
    """The last frame of a stream that failed; what the stream does not model becomes ModelStreamErrorException."""
    name = fault.name
    if name not in modelled:
        name = "ModelStreamErrorException" if name.startswith("Model") else "InternalServerException"
    payload = _encode({"message": fault.message, **fault.fields})
    return encode_exception(name[0].lower() + name[1:], payload)


async def framed(
    pieces: Opened[E] | AsyncGenerator[list[E]],
    frame: Callable[[E], bytes],
    modelled: frozenset[str],
    report: Callable[[BaseException], None],
) -> AsyncGenerator[bytes]:
    """One bytes object per piece. A Fault ends the stream as its exception event, anything else as an internal one."""
    try:
        async with pieces if isinstance(pieces, Opened) else aclosing(pieces) as source:
            async for piece in source:
                yield joined(map(frame, piece))
    except Fault as fault:
        yield fault_frame(fault, modelled)
    except Exception as error:
        report(error)
        yield fault_frame(internal(), modelled)


def joined(frames: Iterable[bytes]) -> bytes:
    return b"".join(frames)
