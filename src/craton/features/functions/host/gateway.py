"""The gateway as the host reaches it: bytes of functions on their way there, and the log events of functions.

Owns the relay (a port in an environment's own network leads to the gateway and to nothing else) and signed calls of CloudWatch
Logs. Whether a function may do what it asks for is judged there, by its role. It must not know functions.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

import msgspec

from craton.aws.wire.sign import Keys, Signer
from craton.models.providers.transport import Address, Transport, parse_address

_PIECE_BYTES: Final = 64 * 1024
_CALL_S: Final = 20.0


class Credentials(Protocol):
    """A role's temporary credentials, renewed by whoever made them."""

    @property
    def region(self) -> str: ...

    async def fresh(self) -> Keys:
        """Keys that hold for a quarter of an hour at least. Raises `RoleRefused`."""
        ...

    async def until(self) -> datetime:
        """When the keys of now end."""
        ...


class RoleRefused(Exception):
    """The role is gone, or does not trust Lambda any more; the text says so."""


class Gateway(msgspec.Struct, frozen=True):
    """Where it is. `tls` is the context for an https URL; environments speak plain HTTP to the relay."""

    url: str
    transport: Transport
    now: Callable[[], datetime]
    tls: ssl.SSLContext | None = None

    @property
    def address(self) -> Address:
        return parse_address(self.url)

    async def logs(self, credentials: Credentials, action: str, body: bytes) -> tuple[int, bytes]:
        """Call an operation of CloudWatch Logs: status and body. Raises TransportError, RoleRefused."""
        address = self.address
        sent = (
            (b"content-type", b"application/x-amz-json-1.1"),
            (b"x-amz-target", b"Logs_20140328." + action.encode()),
        )
        signer = Signer(
            await credentials.fresh(), service="logs", region=credentials.region, authority=address.authority
        )
        signed = signer.sign(b"POST", address.prefix + b"/", body, self.now(), headers=sent)
        deadline = asyncio.get_running_loop().time() + _CALL_S
        agent = (b"user-agent", b"craton-functions")
        whole = await self.transport.fetch(b"POST", b"/", (*sent, agent, *signed), body, deadline=deadline)
        return whole.status, whole.body


class Relay:
    """Leads connections on a listening socket to the gateway, until it is closed."""

    def __init__(self, gateway: Gateway) -> None:
        self._address = gateway.address
        self._tls = gateway.tls
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    async def start(self, listening: socket.socket) -> None:
        self._server = await asyncio.start_server(self._meet, sock=listening)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._passing):
            task.cancel()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)
        outer: asyncio.StreamWriter | None = None
        try:
            answers, outer = await self._dial()
            await asyncio.gather(_pass(reader, outer), _pass(answers, writer))
        except (OSError, asyncio.CancelledError):
            return  # cancelled only by `close`
        finally:
            for side in (writer, outer):
                if side is not None:
                    side.transport.abort()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = self._address.host if self._tls is not None else None
        return await asyncio.open_connection(
            self._address.host, self._address.port, ssl=self._tls, server_hostname=name
        )


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_PIECE_BYTES):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError, NotImplementedError):  # TLS has no half close
        if writer.can_write_eof():
            writer.write_eof()
