"""One page over HTTP: to an address that was judged, within limits of time and size, following nothing.

Owns the connection. A host's addresses are looked up once, judged, and connected to as judged, so that a name which
changes its mind cannot lead into the server's own network. It is the standard library's client in a thread: a crawl is
some pages a second, and an outbound proxy is not used, since it would look the name up again.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from urllib.parse import urlsplit

import msgspec

CONNECT_S = 10.0
_CHUNK = 256 * 1024
# NAT64 and 6to4 carry an IPv4 address within.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class FetchError(Exception):
    """The page could not be had; the message says why and ends "The page … ". `gone`: it is never to be had."""

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


class Refused(FetchError):
    """Its host may not be asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message, gone=True)


class Reply(msgspec.Struct, frozen=True):
    """`headers` by names in small letters; of repeated ones the last."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Hosts:
    """Which hosts may be asked: those named, or if none is named every one that is on the public internet.

    A name is a host or `host:port`; `*.example.com` stands for every host below example.com. Only a host that is named
    may have an address of a private network.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(name.lower() for name in names)

    def named(self, host: str, port: int) -> bool:
        """Whether whoever runs the server named this host."""
        host = host.lower()
        labels = host.split(".")
        below = (f"*.{'.'.join(labels[number:])}" for number in range(1, len(labels)))
        return any(name in self._names for name in (host, f"{host}:{port}", *below))

    def allow(self, address: str) -> bool:
        """Whether the address's host may be asked at all."""
        host, port = _place(address)
        return not self._names or self.named(host, port)

    def resolve(self, host: str, port: int) -> str:
        """The address to connect to. Raises FetchError."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise FetchError("is on a host that is not known") from None
        addresses = [str(entry[4][0]) for entry in found]
        if not self.named(host, port) and not all(map(is_public, addresses)):
            raise Refused("is on a host of a private network")
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether anybody on the internet has this address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        within = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            within = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        if within is not None:
            return is_public(str(within))
    return found.is_global and not found.is_multicast


def fetch(address: str, hosts: Hosts, headers: Mapping[str, str], *, limit: int, deadline_s: float = 30.0) -> Reply:
    """Ask for a page, in a thread of the caller's. Raises FetchError."""
    host, port = _place(address)
    if not hosts.allow(address):
        raise Refused("is on a host that this server does not crawl")
    parts = urlsplit(address)
    connection = _Judged(host, port, hosts.resolve(host, port), tls=parts.scheme == "https")
    # Ends what a server draws out, wherever it stands: a deadline of the socket is for each read alone.
    alarm = threading.Timer(deadline_s, connection.end)
    alarm.daemon = True
    alarm.start()
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"accept-encoding": "identity", "connection": "close", **headers})
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, _body(answer, limit))
    except ssl.SSLError:
        raise FetchError("is on a host whose certificate is not valid") from None
    except (OSError, http.client.HTTPException, ValueError):
        raise FetchError("could not be read") from None
    finally:
        alarm.cancel()
        connection.close()


def _body(answer: http.client.HTTPResponse, limit: int) -> bytes:
    if answer.status != http.HTTPStatus.OK:
        return b""
    if answer.getheader("content-encoding", "identity").lower() != "identity":
        raise FetchError("is sent in an encoding that was not asked for")
    parts: list[bytes] = []
    size = 0
    while part := answer.read1(_CHUNK):
        size += len(part)
        if size > limit:
            raise FetchError(f"is larger than {limit} bytes", gone=True)
        parts.append(part)
    told = answer.getheader("content-length")
    if told is not None and told.isdecimal() and int(told) != size:
        raise FetchError("could not be read")
    return b"".join(parts)


class _Judged(http.client.HTTPConnection):
    """A connection to an address, with TLS for the host that the address was looked up for."""

    def __init__(self, host: str, port: int, address: str, *, tls: bool) -> None:
        super().__init__(host, port, timeout=CONNECT_S)
        if tls:
            self.default_port = http.client.HTTPS_PORT
        self._address = address
        self._tls = tls
        # The library forgets its own once an answer has begun that ends with the connection.
        self._kept: socket.socket | None = None

    def connect(self) -> None:
        """Connect to the address, not to the name."""
        self.sock = self._kept = socket.create_connection((self._address, self.port), CONNECT_S)
        if self._tls:
            self.sock = self._kept = _trust().wrap_socket(self.sock, server_hostname=self.host)

    def end(self) -> None:
        """Make whoever reads or writes fail, from any thread."""
        if self._kept is not None:
            with contextlib.suppress(OSError):
                self._kept.shutdown(socket.SHUT_RDWR)


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _place(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
