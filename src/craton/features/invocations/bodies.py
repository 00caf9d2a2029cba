"""Bodies as records hold them: JSON on one line, whatever came over the wire.

Owns how an answer's bytes are told apart (JSON, frames of an event stream, server-sent events) and what becomes of
each: a stream is the array of its events, as Bedrock logs it. Pure. It must not know records.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import NamedTuple

import msgspec

from craton.aws.wire.eventstream import Decoder, Message
from craton.aws.wire.faults import ProtocolFault

_FILLER = re.compile(rb',?"p":"[A-Za-z0-9]*"\}\Z')
_SSE = (b"data:", b"event:")


class _Chunk(msgspec.Struct):
    bytes: str


_chunk = msgspec.json.Decoder(_Chunk)


class Body(NamedTuple):
    """`json`: on one line; None for bytes that are no JSON. `error`: the exception that ended a stream, "" for none."""

    json: bytes | None
    error: str = ""
    streamed: bool = False


def one_line(body: bytes) -> bytes | None:
    """A JSON text without line breaks; None if it is none."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    # In valid JSON a line break stands between tokens only.
    return body.replace(b"\r", b" ").replace(b"\n", b" ").strip()


def answer(data: bytes) -> Body:
    """What was sent, whichever form it has."""
    if data.startswith(_SSE):
        return Body(sse(data), streamed=True)
    if data[:1] == b"\0":  # a frame begins with its length, which is far from 16 MiB
        return frames(data)
    return Body(one_line(data))


def sse(data: bytes) -> bytes:
    """The data of server-sent events as an array."""
    lines = (line[5:].strip() for line in data.splitlines() if line.startswith(b"data:"))
    return b"[" + b",".join(line for line in lines if line.startswith(b"{")) + b"]"


def frames(data: bytes) -> Body:
    """Events of ConverseStream by their names, chunks of InvokeModelWithResponseStream as the model wrote them."""
    try:
        messages = Decoder().feed(data)
    except ProtocolFault:
        messages = []
    error = next((message.name for message in messages if message.kind == "exception"), "")
    shown = b",".join(event(message) for message in messages)
    return Body(b"[" + shown + b"]", error[:1].upper() + error[1:], streamed=True)


def event(message: Message) -> bytes:
    if message.name == "chunk":
        return a2b_base64(_chunk.decode(message.payload).bytes)
    payload = message.payload
    if message.kind == "event":
        payload = _FILLER.sub(b"}", payload)
    return b'{"%b":%b}' % (message.name.encode(), payload or b"{}")
