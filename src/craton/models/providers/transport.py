"""What carries bytes to an upstream and back: the port, its limits, its errors, and the addresses it understands.

Knows HTTP's vocabulary (method, path, headers, status) but no model, dialect or Fault. Two implementations: our own
pool (`http.py`) and aiohttp behind an outbound proxy (`proxy.py`); `dial.py` chooses.

    TransportError        the exchange failed; the text is fixed and never holds a header, body or secret
    ├── ConnectError      no connection was made: refused, unknown host, TLS not verified, no answer in time
    ├── ConnectionLost    it ended in the middle of the exchange
    ├── DeadlineExceeded  nothing (or nothing more) came in time
    ├── Busy              all connections to the origin stayed in use until the deadline
    └── BadReply          what came is no HTTP/1.1 answer, or is over a limit
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

Headers = Sequence[tuple[bytes, bytes]]


class TransportError(Exception):
    """The exchange with the upstream failed."""


class ConnectError(TransportError):
    """No connection to the upstream could be made."""


class ConnectionLost(TransportError):
    """The upstream ended the connection. `received`: whether any byte of the answer had come."""

    def __init__(self, *, received: bool) -> None:
        super().__init__("the upstream closed the connection")
        self.received = received


class DeadlineExceeded(TransportError):
    """The upstream did not answer in time."""


class Busy(TransportError):
    """All connections to the upstream stayed in use until the deadline."""


class BadReply(TransportError):
    """The upstream's answer is not valid HTTP, or is over a limit."""


class Limits(msgspec.Struct, frozen=True):
    """Bounds of a pool. Sizes in bytes, times in seconds.

    `header_bytes` bounds what an answer may send without body: its head, trailers, chunk extensions.
    `high_water_bytes`: reading pauses once so much of a stream waits for its reader.
    `drain_s`, `drain_bytes`: how much of an answer that nobody wants may still pass so that its connection is kept.
    """

    max_connections: int = 2048
    max_idle: int = 256
    idle_timeout_s: float = 30.0
    connect_timeout_s: float = 5.0
    header_bytes: int = 64 * 1024
    body_bytes: int = 64 * 1024 * 1024
    high_water_bytes: int = 256 * 1024
    drain_s: float = 1.0
    drain_bytes: int = 64 * 1024


class Whole(msgspec.Struct, frozen=True):
    """An answer that was read to its end. `raw_headers`: names as the upstream spells them; of repeated ones the last."""

    status: int
    raw_headers: dict[bytes, bytes]
    body: bytes

    @property
    def headers(self) -> dict[bytes, bytes]:
        """With names in lower case; made when asked for, since a good answer's are seldom looked at."""
        return {name.lower(): value for name, value in self.raw_headers.items()}


class Response(Protocol):
    """An answer whose head has come. Whoever holds it ends with `release` or `abort`."""

    status: int

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Names in lower case; of repeated ones the last."""
        ...

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises TransportError, BadReply if it is over `limit` bytes."""
        ...

    async def next_chunk(self) -> bytes:
        """What came since the last call, all of a socket's reads in one piece; empty at the end."""
        ...

    def chunks(self, idle_s: float) -> AsyncIterator[bytes]:
        """The body as it comes. The request's deadline holds up to the first byte, then `idle_s` between bytes."""
        ...

    def idle_after(self, idle_s: float) -> None:
        """The same rule for who calls `next_chunk`."""
        ...

    def release(self) -> None:
        """Done: the connection is kept if the rest of the answer comes shortly, else ended."""
        ...

    def abort(self) -> None:
        """End the connection now."""
        ...


class Transport(Protocol):
    """One origin. `deadline` is in seconds of the loop's clock. Redirects are not followed."""

    async def request(
        self, method: bytes, path: bytes, headers: Headers = (), body: bytes = b"", *, deadline: float
    ) -> Response:
        """Send and wait for the answer's head. Raises TransportError."""
        ...

    async def fetch(
        self,
        method: bytes,
        path: bytes,
        headers: Headers = (),
        body: bytes = b"",
        *,
        deadline: float,
        limit: int | None = None,
    ) -> Whole:
        """Send and wait for the whole answer, of at most `limit` bytes. Raises TransportError."""
        ...

    async def close(self) -> None: ...


class Address(msgspec.Struct, frozen=True):
    """Where an origin is. `socket_path` is set for a Unix socket, `prefix` goes before every path."""

    host: str
    port: int
    tls: bool
    prefix: bytes
    authority: bytes
    socket_path: str = ""


_PORTS = {"http": 80, "https": 443}


def parse_address(base_url: str) -> Address:
    """`http://host[:port][/prefix]`, `https://…`, or `unix:/path.sock[|/prefix]`. ValueError for all else."""
    if base_url.startswith("unix:"):
        path, _, prefix = base_url.removeprefix("unix:").removeprefix("//").partition("|")
        if not path:
            raise ValueError("a base URL with unix: needs the path of a socket")
        return Address("localhost", 0, False, prefix.rstrip("/").encode("ascii"), b"localhost", path)
    url = urlsplit(base_url)
    if url.scheme not in _PORTS or not url.hostname:
        raise ValueError("a base URL must start with http://, https:// or unix: and name a host")
    if url.username is not None or url.query or url.fragment:
        raise ValueError("a base URL must not hold a user, a query or a fragment")
    host, port = url.hostname, url.port or _PORTS[url.scheme]
    shown = f"[{host}]" if ":" in host else host.encode("idna").decode("ascii")
    authority = shown if port == _PORTS[url.scheme] else f"{shown}:{port}"
    return Address(host, port, url.scheme == "https", url.path.rstrip("/").encode("ascii"), authority.encode("ascii"))


def head(method: bytes, address: Address, path: bytes, headers: Headers, size: int) -> bytes:
    """The head of an HTTP/1.1 request. ValueError if a name or value would break out of its line."""
    return b"%b%d\r\n\r\n" % (_up_to_length(method, address.prefix, path, address.authority, tuple(headers)), size)


@lru_cache(maxsize=128)
def _up_to_length(
    method: bytes, prefix: bytes, path: bytes, authority: bytes, headers: tuple[tuple[bytes, bytes], ...]
) -> bytes:
    """Return a head up to its last value; kept, since the requests to one upstream differ in nothing else."""
    lines = [b"%b %b%b HTTP/1.1\r\nhost: %b" % (method, prefix, path, authority)]
    lines += [b"%b: %b" % field for field in headers]
    lines.append(b"content-length: ")
    text = b"\r\n".join(lines)
    expected = len(lines)
    if text.count(b"\n") != expected or text.count(b"\r") != expected or b"\0" in text:
        raise ValueError("a request header holds a line break")
    return text
