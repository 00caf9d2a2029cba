"""Short questions to a model server: whether it is healthy, and the few things one may tell it.

Owns: the few bytes of HTTP that this takes, over a Unix socket or TCP. Must not know: what follows from the answer. The
health reply may be JSON with numbers (`running`, `waiting`, `tokens_per_s` …, as the shipped engine gives); they are
read if they are there.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import msgspec

_MAX_REPLY_BYTES = 64 * 1024
_MAX_STATS = 64


class Health(msgspec.Struct, frozen=True):
    """The answer: `ok` for status 200, with the numbers that came with it; `reason` when not ok."""

    ok: bool
    reason: str = ""
    stats: dict[str, float] = {}


class Answer(msgspec.Struct, frozen=True):
    """What a server answered: its status (0: no HTTP) and what came of its body, at most 64 KiB."""

    status: int
    body: bytes = b""


async def ask_health(path: str, timeout_s: float, question: str = "/health") -> Health:
    """Ask the server at the Unix socket `path`; every failure is an answer, never an error."""
    try:
        answer = await ask(f"unix:{path}", "GET", question, timeout_s=timeout_s)
    except TimeoutError:
        return Health(ok=False, reason=f"no answer to {question} within {timeout_s:g} s")
    except OSError as error:
        return Health(ok=False, reason=f"no connection: {error.strerror or error}")
    if answer.status == 0:
        return Health(ok=False, reason=f"{question} gave no HTTP")
    if answer.status != 200:
        return Health(ok=False, reason=f"{question} gave status {answer.status}")
    return Health(ok=True, stats=_numbers(answer.body))


async def ask(address: str, method: str, path: str, body: bytes = b"", *, timeout_s: float) -> Answer:
    """One request to the server at `unix:/path` or `http://host:port/prefix`, on a connection of its own.

    Raises:
        OSError: no connection, or it broke.
        TimeoutError: no whole answer within `timeout_s` seconds.
    """
    prefix = "" if address.startswith("unix:") else urlsplit(address).path.rstrip("/")
    head = f"{method} {prefix}{path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    async with asyncio.timeout(timeout_s):
        return _read(await _exchange(address, head.encode() + b"\r\n" + body))


async def _exchange(address: str, request: bytes) -> bytes:
    if address.startswith("unix:"):
        reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
    else:
        place = urlsplit(address)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(request)
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


def _read(reply: bytes) -> Answer:
    head, _, body = reply.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        return Answer(0)
    return Answer(int(words[1]), body)


def _numbers(body: bytes) -> dict[str, float]:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    if not isinstance(told, dict):
        return {}
    numbers = {name: float(value) for name, value in told.items() if type(value) in (int, float)}
    return dict(list(numbers.items())[:_MAX_STATS])
