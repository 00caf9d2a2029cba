"""What is noted of one traced invocation, and W3C's headers by which traces cross programs.

Owns the record, which travels from workers to the supervisor, and the reading and writing of `traceparent`. Pure. It must
not know OTLP. Source: W3C "Trace Context", level 1 (a version above 00 is read as 00, ids of zeros are none).
"""

from __future__ import annotations

import re
from random import getrandbits
from typing import Final

import msgspec

_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1
_STATE_BYTES = 512


class Trace(msgspec.Struct, frozen=True):
    """Where a request stands in its trace. Ids are in lower hex; `parent` is the caller's span, "" for none.

    `server` is the span of the request as it was served, `client` that of the model's invocation inside it, whose id goes
    to the upstream. `state` is the caller's `tracestate`, which goes on unread.
    """

    trace_id: str
    server: str
    client: str
    parent: str = ""
    sampled: bool = True
    state: bytes = b""

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """What an upstream is told."""
        said = b"00-%b-%b-%02x" % (self.trace_id.encode(), self.client.encode(), self.sampled)
        return ((b"traceparent", said), (b"tracestate", self.state)) if self.state else ((b"traceparent", said),)


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Moments are in ns since 1970; `first_ns` is 0 but for streams; tokens are None where nobody told them.

    `error` is the name of the fault, "" for an answer; `status` the HTTP status of either.
    """

    trace_id: str
    server: str
    client: str
    parent: str
    state: bytes
    begun_ns: int
    ended_ns: int
    first_ns: int
    operation: str
    kind: str
    named: str
    served: str
    account: str
    region: str
    principal: str
    request_id: str
    error: str = ""
    status: int = 200
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None


def begun(parent: bytes | None, state: bytes | None, *, sampled: bool) -> Trace:
    """A request's place in the caller's trace, or in a new one, of which `sampled` says whether it is kept."""
    found = _PARENT.fullmatch(parent.strip()) if parent is not None else None
    if found is not None and found[1] != b"ff" and (found[1] != b"00" or found[5] is None):
        trace_id, span = found[2].decode(), found[3].decode()
        if int(trace_id, 16) and int(span, 16):
            kept = bool(int(found[4], 16) & _SAMPLED)
            carried = state if state is not None and len(state) <= _STATE_BYTES else b""
            return Trace(trace_id, new_id(64), new_id(64), span, kept, carried)
    return Trace(new_id(128), new_id(64), new_id(64), sampled=sampled)


def new_id(bits: int) -> str:
    """Random digits, never all zero. They are names, not secrets."""
    return f"{getrandbits(bits) or 1:0{bits // 4}x}"
