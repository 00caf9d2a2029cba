"""One health question to a model server: `GET /health` over its Unix socket.

Owns: the few bytes of HTTP that this takes. Must not know: what follows from the answer. The reply may be JSON with
counts of `running` and `waiting` requests (as the shipped engine gives); they are read if they are there.
"""

from __future__ import annotations

import asyncio

import msgspec

_REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
_MAX_REPLY_BYTES = 64 * 1024


class Load(msgspec.Struct):
    """What a model server may tell of itself in its health reply."""

    running: int = 0
    waiting: int = 0


class Health(msgspec.Struct, frozen=True):
    """The answer: `ok` for status 200, `busy` when requests are in flight, `reason` when not ok."""

    ok: bool
    busy: bool = False
    reason: str = ""


async def ask_health(path: str, timeout_s: float) -> Health:
    """Ask the server at the Unix socket `path`; every failure is an answer, never an error."""
    try:
        async with asyncio.timeout(timeout_s):
            return _judge(await _exchange(path))
    except TimeoutError:
        return Health(ok=False, reason=f"no answer to /health within {timeout_s:g} s")
    except OSError as error:
        return Health(ok=False, reason=f"no connection: {error.strerror or error}")


async def _exchange(path: str) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(_REQUEST)
        reply = bytearray()
        while len(reply) < _MAX_REPLY_BYTES:
            piece = await reader.read(_MAX_REPLY_BYTES)
            reply += piece
            if not piece or _is_whole(reply):
                break
        return bytes(reply)
    finally:
        writer.transport.abort()


def _is_whole(reply: bytearray) -> bool:
    """Tell whether head and body are complete, for a server that keeps the connection although asked to close it."""
    head, found, body = bytes(reply).partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return len(body) >= int(value)
    return False


def _judge(reply: bytes) -> Health:
    head, _, body = reply.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        return Health(ok=False, reason="/health gave no HTTP")
    if words[1] != b"200":
        return Health(ok=False, reason=f"/health gave status {int(words[1])}")
    try:
        load = msgspec.json.decode(body, type=Load)
    except msgspec.MsgspecError:
        return Health(ok=True)
    return Health(ok=True, busy=load.running + load.waiting > 0)
