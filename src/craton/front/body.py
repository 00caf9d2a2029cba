"""Reads a request's body from the server under a cap, and writes answers back.

Knows ASGI messages and nothing of AWS but the faults of a body: too large, too late, cut short.
"""

from __future__ import annotations

from typing import Any

from craton.aws.wire.faults import Fault, serialization, too_large
from craton.front import turn

Receive = turn.Receive
Send = turn.Send
Headers = list[tuple[bytes, bytes]]


async def read(receive: Receive, declared: bytes | None, max_bytes: int) -> bytes:
    """The whole body.

    Raises RequestEntityTooLargeException before reading more than `max_bytes`, RequestTimeoutException for a body that
    did not come in time, SerializationException for one that ended before it was complete. Of the last, most often
    nobody is there to read it; a body with broken framing looks the same from here.
    """
    if declared is not None and declared.isdigit() and int(declared) > max_bytes:
        raise too_large()
    try:
        message = await receive()
        left(message)
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            return body
        parts, size, more = [body], len(body), True
        while more:
            if size > max_bytes:
                raise too_large()
            message = await receive()
            left(message)
            part: bytes = message.get("body", b"")
            parts.append(part)
            size += len(part)
            more = message.get("more_body", False)
    except turn.BodyLate:
        raise Fault("RequestTimeoutException", "The request body was not received in time.") from None
    return b"".join(parts)


def left(message: dict[str, Any]) -> None:
    if message["type"] == "http.disconnect":
        raise serialization("The request body ended before it was complete.")


async def answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """A whole answer."""
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
