"""A replica's door on the network: a TCP port that leads to its Unix socket, for those alone who know its secret.

Owns the gate (each request's path must begin with the secret, which is taken off before the replica sees it), the two
directions of a connection, and their backpressure. It reads request heads and lengths and nothing else; answers pass
unread. Requests have a Content-Length, as Craton's own always do: what could be framed in two ways is refused. Must not
know: who keeps the replica, what it answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets

_MAX_HEAD_BYTES = 64 * 1024
_HELD_BYTES = 1 << 20
"""What a client may have sent before the replica's socket takes it; reading stops above."""
_REFUSALS = {
    400: b"Bad Request",
    404: b"Not Found",
    411: b"Length Required",
    431: b"Request Header Fields Too Large",
}


class Refused(Exception):
    """The request does not pass; `status` is what the client is told."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def new_secret() -> str:
    """A secret that can stand in a path: 256 random bits."""
    return secrets.token_urlsafe(32)


class Gate:
    """The requests of one connection: bytes in, bytes for the replica out."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._head = b""
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        """What of this goes on to the replica. Raises Refused; the connection must end then."""
        out: list[bytes] = []
        while data:
            if self._left:
                body, data = data[: self._left], data[self._left :]
                self._left -= len(body)
                out.append(body)
                continue
            head, found, rest = (self._head + data).partition(b"\r\n\r\n")
            if len(head) > _MAX_HEAD_BYTES:
                raise Refused(431)
            if not found:
                self._head = head
                break
            self._head, data = b"", rest
            out.append(self._admitted(head))
        return b"".join(out)

    def _admitted(self, head: bytes) -> bytes:
        line, _, fields = head.partition(b"\r\n")
        words = line.split(b" ")
        if len(words) != 3 or not words[1].startswith(b"/"):
            raise Refused(400)
        said, slash, path = words[1][1:].partition(b"/")
        if not hmac.compare_digest(said, self._secret) or not slash:
            raise Refused(404)
        self._left = _body_bytes(fields)
        return b"%b /%b %b\r\n%b\r\n\r\n" % (words[0], path, words[2], fields)


def _body_bytes(fields: bytes) -> int:
    """The length of a request's body. Raises Refused where it has no length, or two, or lines that could hide one."""
    lengths: list[bytes] = []
    for field in fields.split(b"\r\n") if fields else ():
        name, colon, value = field.partition(b":")
        if not colon or name != name.strip() or b"\n" in field or b"\r" in field:
            raise Refused(400)
        if name.lower() == b"transfer-encoding":
            raise Refused(411)
        if name.lower() == b"content-length":
            lengths.append(value.strip())
    if not lengths:
        return 0
    if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 15:
        raise Refused(400)
    return int(lengths[0])


class _Inner(asyncio.Protocol):
    """The replica's end: what it says goes to the client."""

    def __init__(self, client: asyncio.Transport) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        self._client.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        # An answer that broke off must not look whole: a clean end is handed on as one, anything else is not.
        (self._client.abort if exc is not None else self._client.close)()

    def pause_writing(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._client.pause_reading()

    def resume_writing(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._client.resume_reading()


class _Outer(asyncio.Protocol):
    """A client's end: what passes the gate goes to the replica."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._gate = Gate(relay.secret.encode())
        self._transport: asyncio.Transport | None = None
        self._inner: asyncio.Transport | None = None
        self._held = b""
        self._dialling: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):  # a stream's always is
            self._transport = transport
            self._relay.clients.add(transport)

    def data_received(self, data: bytes) -> None:
        client = self._transport
        if client is None or client.is_closing():
            return
        try:
            passed = self._gate.feed(data)
        except Refused as refused:
            status = refused.status
            client.write(
                b"HTTP/1.1 %d %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % (status, _REFUSALS[status])
            )
            client.close()
            return
        if self._inner is not None:
            self._inner.write(passed)
        elif passed:
            self._held += passed
            if len(self._held) > _HELD_BYTES:
                client.pause_reading()
            if self._dialling is None:
                self._dialling = asyncio.create_task(self._dial(client))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._relay.clients.discard(self._transport)
        if self._dialling is not None:
            self._dialling.cancel()
        if self._inner is not None:
            self._inner.abort()  # the replica stops computing for a client that has gone

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_reading()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_reading()

    async def _dial(self, client: asyncio.Transport) -> None:
        try:
            inner = await self._relay.dial(client)
        except OSError:
            client.abort()  # nothing was answered: the gateway asks another replica
            return
        self._inner = inner
        inner.write(self._held)
        self._held = b""
        client.resume_reading()


class Relay:
    """One replica's port: `await start(host)`, then `address` is what gateways call."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.clients: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None
        self._to = ""
        self._url = ""

    @property
    def address(self) -> str:
        """`http://host:port/SECRET`: not to be shown."""
        return f"{self._url}/{self.secret}"

    async def start(self, host: str) -> None:
        """Listen on any free port of this address. Raises OSError."""
        self._server = await asyncio.get_running_loop().create_server(lambda: _Outer(self), host, 0)
        port = self._server.sockets[0].getsockname()[1]
        self._url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def lead(self, address: str) -> None:
        """From now on connections lead to `unix:/path` or `http://host:port`; those that are open stay as they are."""
        self._to = address

    async def dial(self, client: asyncio.Transport) -> asyncio.Transport:
        """A connection to the replica. Raises OSError."""
        loop = asyncio.get_running_loop()
        scheme, _, place = self._to.partition(":")
        if scheme == "unix":
            inner, _ = await loop.create_unix_connection(lambda: _Inner(client), place)
            return inner
        host, _, port = place.removeprefix("//").rpartition(":")
        if not port.isdigit():
            raise ConnectionRefusedError(0, "the replica has no address yet")
        tcp, _ = await loop.create_connection(lambda: _Inner(client), host.strip("[]"), int(port))
        return tcp

    async def close(self) -> None:
        """Listen no more, and end what is open."""
        if self._server is not None:
            self._server.close()
        for client in list(self.clients):
            client.abort()
