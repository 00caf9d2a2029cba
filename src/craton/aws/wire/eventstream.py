"""Frames of ``application/vnd.amazon.eventstream``: values to bytes and bytes to messages. Sans-IO.

    total length (4) | headers length (4) | CRC of those 8 (4) | headers | payload | CRC of all before (4)

This file owns the framing and its two checksums. It must not know what an event means or where bytes go. Encoding one
delta is a join of prebuilt parts and two calls of ``zlib.crc32``. A frame that breaks the format raises
ProtocolFault: the length of what follows is then unknown, so the stream must end.
Source: the Smithy specification "Amazon Event Stream"; checked against botocore.eventstream in the tests.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID
from zlib import crc32

from craton.aws.wire.faults import ProtocolFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    HeaderValue = bool | int | str | bytes | datetime | UUID

# Limits of the format: a peer that claims more is not speaking it.
MAX_HEADERS_BYTES = 128 * 1024
MAX_PAYLOAD_BYTES = 24 * 1024 * 1024
PRELUDE_BYTES = 12
OVERHEAD_BYTES = 16

_lengths = struct.Struct(">II").pack
_crc = struct.Struct(">I").pack
_read_prelude = struct.Struct(">III").unpack_from
_read_crc = struct.Struct(">I").unpack_from


class Message(NamedTuple):
    """One frame. Header values keep their wire types (bool, int, str, bytes, datetime, UUID)."""

    headers: dict[str, HeaderValue]
    payload: bytes

    @property
    def kind(self) -> str:
        """Return ``event``, ``exception`` or ``error``; ``event`` where the header is absent."""
        return str(self.headers.get(":message-type", "event"))

    @property
    def name(self) -> str:
        """Return the event type, exception type or error code, whichever this message has."""
        for header in (":event-type", ":exception-type", ":error-code"):
            if header in self.headers:
                return str(self.headers[header])
        return ""


# --- encoding -----------------------------------------------------------------------------------------------------


def encode_event(event_type: str, payload: bytes) -> bytes:
    """Return the frame of one JSON event, e.g. ``contentBlockDelta``."""
    return frame(event_headers("event", event_type), payload)


def encode_exception(exception_type: str, payload: bytes) -> bytes:
    """Return the frame of a modelled error in mid-stream, e.g. ``throttlingException`` with ``{"message": …}``."""
    return frame(event_headers("exception", exception_type), payload)


def encode_error(code: str, message: str) -> bytes:
    """Return the frame of an error that the stream's model lacks."""
    return encode_message({":message-type": "error", ":error-code": code, ":error-message": message}, b"")


def encode_message(headers: Mapping[str, HeaderValue], payload: bytes) -> bytes:
    """Return the frame for any headers. Integers take the shortest wire type that holds them from 4 bytes up."""
    return frame(b"".join(_header(name, value) for name, value in headers.items()), payload)


def frame(headers: bytes, payload: bytes) -> bytes:
    """Return the frame around encoded headers and a payload."""
    header_bytes = len(headers)
    lengths = _lengths(OVERHEAD_BYTES + header_bytes + len(payload), header_bytes)
    body = b"".join((lengths, _crc(crc32(lengths)), headers, payload))
    return body + _crc(crc32(body))


@lru_cache(maxsize=512)
def event_headers(kind: str, name: str) -> bytes:
    """Return the encoded headers of an event or exception: there are few names, and each is used thousands of times."""
    headers = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    return b"".join(_header(key, value) for key, value in headers.items())


def _header(name: str, value: HeaderValue) -> bytes:
    raw = name.encode()
    if not 0 < len(raw) < 256:
        raise ValueError("a header name has 1 to 255 bytes")
    return bytes((len(raw),)) + raw + _header_value(value)


def _header_value(value: HeaderValue) -> bytes:
    if isinstance(value, bool):
        return b"\0" if value else b"\1"
    if isinstance(value, int):
        return (
            b"\4" + value.to_bytes(4, signed=True)
            if -(2**31) <= value < 2**31
            else b"\5" + value.to_bytes(8, signed=True)
        )
    if isinstance(value, datetime):
        return b"\x08" + round(value.timestamp() * 1000).to_bytes(8, signed=True)
    if isinstance(value, UUID):
        return b"\x09" + value.bytes
    raw = value.encode() if isinstance(value, str) else value
    if len(raw) > 0x7FFF:
        raise ValueError("a header value has at most 32767 bytes")
    return (b"\7" if isinstance(value, str) else b"\6") + len(raw).to_bytes(2) + raw


# --- decoding -----------------------------------------------------------------------------------------------------


class Decoder:
    """Turns chunks of any size into messages. Keeps at most one unfinished frame.

    Args:
        max_payload_bytes: a frame that claims more is refused before its bytes are gathered.
    """

    def __init__(self, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self._buffer = bytearray()
        self._max_bytes = max_payload_bytes + MAX_HEADERS_BYTES + OVERHEAD_BYTES
        self._broken: str | None = None

    def feed(self, chunk: bytes) -> list[Message]:
        """Take bytes and return the messages that are complete now.

        Raises:
            ProtocolFault: a length or checksum is wrong, and so for every later call and ``close``. Messages that were
                complete before the broken frame in the same chunk are returned first.
        """
        if self._broken is not None:
            raise ProtocolFault(self._broken)
        self._buffer += chunk
        messages: list[Message] = []
        at = 0
        try:
            while len(self._buffer) - at >= PRELUDE_BYTES:
                total = self._total(at)
                if len(self._buffer) - at < total:
                    break
                messages.append(self._message(at, total))
                at += total
        except ProtocolFault as fault:
            self._broken = fault.message
            self._buffer.clear()
            if not messages:
                raise
            return messages
        del self._buffer[:at]
        return messages

    def close(self) -> None:
        """Say that no more bytes come; raises ProtocolFault if a frame is unfinished or the stream was broken."""
        if self._broken is not None:
            raise ProtocolFault(self._broken)
        if self._buffer:
            raise ProtocolFault("The event stream ended inside a message.")

    def _total(self, at: int) -> int:
        total, headers, checksum = _read_prelude(self._buffer, at)
        if crc32(self._buffer[at : at + 8]) != checksum:
            raise ProtocolFault("The checksum of an event stream prelude does not match.")
        if headers > MAX_HEADERS_BYTES or total < OVERHEAD_BYTES + headers or total > self._max_bytes:
            raise ProtocolFault("The lengths of an event stream message are invalid.")
        return int(total)

    def _message(self, at: int, total: int) -> Message:
        raw = bytes(self._buffer[at : at + total])
        if crc32(raw[:-4]) != _read_crc(raw, total - 4)[0]:
            raise ProtocolFault("The checksum of an event stream message does not match.")
        headers_end = PRELUDE_BYTES + int.from_bytes(raw[4:8])
        return Message(_read_headers(raw, headers_end), raw[headers_end:-4])


def _read_headers(raw: bytes, end: int) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = PRELUDE_BYTES
    while at < end:
        name_end = at + 1 + raw[at]
        if name_end >= end:
            raise ProtocolFault("A header of an event stream message is cut short.")
        try:
            name = raw[at + 1 : name_end].decode()
            value, at = _read_value(raw[name_end], raw[name_end + 1 : end])
        except (ValueError, OverflowError) as error:
            raise ProtocolFault("A header of an event stream message is malformed.") from error
        at += name_end + 1
        if name in headers:
            raise ProtocolFault("A header of an event stream message is there twice.")
        headers[name] = value
    return headers


# Wire type → number of bytes of an integer.
_INTEGER_BYTES = {2: 1, 3: 2, 4: 4, 5: 8}


def _read_value(kind: int, rest: bytes) -> tuple[HeaderValue, int]:
    """Return a header's value and how many bytes of ``rest`` it took; raises ValueError for what is malformed."""
    if kind in (0, 1):
        return kind == 0, 0
    if kind in (6, 7):
        length, start = int.from_bytes(rest[:2]), 2
    else:
        length, start = _INTEGER_BYTES.get(kind) or {8: 8, 9: 16}.get(kind, -1), 0
    raw = rest[start : start + length]
    if length < 0 or len(rest) < start or len(raw) != length:
        raise ValueError("cut short or of an unknown type")
    if kind == 6:
        return raw, start + length
    if kind == 7:
        return raw.decode(), start + length
    if kind == 8:
        return datetime.fromtimestamp(int.from_bytes(raw, signed=True) / 1000, UTC), length
    return (UUID(bytes=raw), length) if kind == 9 else (int.from_bytes(raw, signed=True), length)
