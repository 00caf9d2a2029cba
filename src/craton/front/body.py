"""Reads a request's body from the server under a cap and a deadline, and writes answers back.

Knows ASGI messages and nothing of AWS but the two faults that a body can earn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from craton.aws.wire.faults import Fault, too_large

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class ClientGone(Exception):
    """The client left before its answer was complete; nobody is there to be told."""


async def read(receive: Receive, declared: bytes | None, max_bytes: int, timeout_s: float) -> bytes:
    """The whole body. Raises RequestEntityTooLarge before reading more than `max_bytes`, a 408 when it is too slow."""
    if declared is not None and declared.isdigit() and int(declared) > max_bytes:
        raise too_large()
    try:
        async with asyncio.timeout(timeout_s):
            message = await receive()
            body: bytes = message.get("body", b"")
            if not message.get("more_body"):
                left(message)
                return body
            return await read_rest(receive, [body], max_bytes)
    except TimeoutError:
        raise Fault("RequestTimeoutException", "The request body was not received in time.") from None


async def read_rest(receive: Receive, parts: list[bytes], max_bytes: int) -> bytes:
    size = len(parts[0])
    more = True
    while more:
        if size > max_bytes:
            raise too_large()
        message = await receive()
        left(message)
        part: bytes = message.get("body", b"")
        parts.append(part)
        size += len(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def left(message: dict[str, Any]) -> None:
    if message["type"] == "http.disconnect":
        raise ClientGone


async def answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """A whole answer."""
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
