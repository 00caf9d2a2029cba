"""The frames of the control channel: what they hold, and bytes to frames and back.

Owns: message types and framing (4 bytes of length, big-endian, then msgpack). Must not know: sockets, methods. Both
ends are Craton of one version on one machine, so there is no negotiation; a frame that does not decode ends the
connection.

    client                              server
    Hello(role, index, pid)      ->             once, first
                                 <-     Push(number, payload)         the current generation, then each new one
    Ack(number)                  ->             taken up, this and all before
    Request(id, method, params)  ->
                                 <-     Reply(id, result) | Fault(id, code, message)
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

MAX_FRAME_BYTES = 64 * 1024 * 1024
_LENGTH_BYTES = 4


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Who speaks: `worker` (is told of generations) or `cli`."""

    role: str
    index: int
    pid: int


class Request(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A call; `id` is the client's, answered by one `Reply` or `Fault`."""

    id: int
    method: str
    params: dict[str, Any]


class Reply(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The result of call `id`."""

    id: int
    result: Any


class Fault(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """The failure of call `id`: a code for programs, a message for people, seconds to wait if asking again helps."""

    id: int
    code: str
    message: str
    retry_after_s: float = 0.0


class Push(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """Generation `number` and what it holds."""

    number: int
    payload: bytes


class Ack(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """The client lives in generation `number` now."""

    number: int


Frame = Hello | Request | Reply | Fault | Push | Ack
_DECODER: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


class ControlError(Exception):
    """The control channel did not do what was asked."""


class ControlFault(ControlError):
    """The supervisor refused; codes: `unknown_method`, `bad_params`, `internal`, and each method's own."""

    def __init__(self, code: str, message: str, retry_after_s: float = 0.0) -> None:
        """Keep the code, the message and the seconds to wait."""
        super().__init__(message)
        self.code = code
        self.retry_after_s = retry_after_s


class ControlLost(ControlError):
    """There is no supervisor at the socket, or it went away before it answered."""


def encode(frame: Frame) -> bytes:
    """Turn a frame into bytes, length first."""
    body = msgspec.msgpack.encode(frame)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def decode(body: bytes) -> Frame:
    """Turn the bytes after the length into a frame.

    Raises:
        ControlLost: the bytes are no frame.
    """
    try:
        return _DECODER.decode(body)
    except msgspec.MsgspecError as error:
        raise ControlLost(f"the other end sent no frame: {error}") from error


def body_length(prefix: bytes) -> int:
    """Read the length from its 4 bytes.

    Raises:
        ControlLost: it is over the cap.
    """
    length = int.from_bytes(prefix, "big")
    if length > MAX_FRAME_BYTES:
        raise ControlLost(f"the other end announced a frame of {length} bytes")
    return length


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """Read one frame.

    Raises:
        ControlLost: the connection ended or sent no frame.
    """
    try:
        length = body_length(await reader.readexactly(_LENGTH_BYTES))
        return decode(await reader.readexactly(length))
    except (OSError, EOFError) as error:
        raise ControlLost("the connection ended") from error
