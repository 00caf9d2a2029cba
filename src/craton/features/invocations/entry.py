"""One invocation as it waits in the spool: references to bytes as they came and went, and what is known beside them.

Owns the form on the disk. The bodies are unread: whoever delivers makes a record of them (`record`).
"""

from __future__ import annotations

import msgspec

PURPOSE = "invocation-logs"
"""What the keys of segments are sealed for (`Cipher`)."""
Counts = tuple[int | None, int | None, int | None, int | None]
"""Tokens: input, output, read from the cache, written to the cache. None: nobody knows."""


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`at`: when the request came, seconds since 1970. `operation` is the one that the request is a form of.

    `path` is percent-encoded as it was sent. `error`: the name of the fault that was answered, "" for none. `kind` is
    the model's ("chat", "embedding", …; "" where the request did not get as far as a model). `profiled`: an inference
    profile stands before the model. `door`: the vendor whose shape the bodies have, "" for AWS. `metadata`: the header
    of InvokeModel. `answer`: all bytes of the answer's body, of a stream as much as was sent.
    """

    at: float
    request_id: str
    operation: str
    path: bytes
    identity: str
    error: str
    kind: str
    profiled: bool
    door: str
    metadata: bytes
    content_type: bytes
    counts: Counts | None
    body: bytes
    answer: bytes


def encode(entries: list[Entry]) -> bytes:
    return msgspec.msgpack.encode(entries)


_decoder = msgspec.msgpack.Decoder(list[Entry])


def decode(block: bytes) -> list[Entry]:
    """Raises msgspec.DecodeError."""
    return _decoder.decode(block)
