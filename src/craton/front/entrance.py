"""Where a worker lets connections in: the listening socket that all workers share, with TLS or without.

Owns the asyncio server on that socket, and its renewal: when certificate files change, a new server with a new context
takes the same socket, and connections that are open go on as they are. Must not know: HTTP, which `Http1` speaks.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from functools import partial
from typing import Any

from craton.front import tls
from craton.front.connections import Connections
from craton.front.http1 import Http1

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 1.0


class Entrance:
    """`listener` is the number of the inherited socket, which is this object's from now on."""

    def __init__(
        self, connections: Connections, listener: int, backlog: int, files: tls.Files | None, *, is_unix: bool
    ) -> None:
        self._connections = connections
        self._listener = socket.socket(fileno=listener)
        self._backlog = backlog
        self._files = files
        self._is_unix = is_unix
        self._server: asyncio.Server | None = None
        self._stamp: object = None
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Accept from now on. Raises tls.Unusable."""
        if self._files is None:
            self._server = await self._serve(self._listener)
            return
        self._stamp = self._files.stamp()
        await self._renew(self._files)
        self._watching = asyncio.create_task(self._watch(self._files), name="certificate watch")

    def close(self) -> None:
        """Accept nothing more; the queue is the other workers', or is refused if there is none."""
        if self._watching is not None:
            self._watching.cancel()
        if self._server is not None:
            self._server.close()
        self._listener.close()

    async def _renew(self, files: tls.Files) -> None:
        """Put a server with the files as they are now in the place of the one before."""
        fresh = tls.context(files)
        before = self._server
        self._server = await self._serve(
            socket.socket(fileno=os.dup(self._listener.fileno())),
            ssl=fresh,
            ssl_handshake_timeout=tls.HANDSHAKE_S,
            ssl_shutdown_timeout=tls.FAREWELL_S,
        )
        if before is not None:
            before.close()

    async def _watch(self, files: tls.Files) -> None:
        """Take up changed files within a second or two; what cannot be used leaves the last good ones in force."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            now = files.stamp()
            if now == self._stamp:
                continue
            self._stamp = now
            try:
                await self._renew(files)
            except (tls.Unusable, OSError) as error:
                _log.error("the new TLS certificate is not taken up: %s", error)

    async def _serve(self, sock: socket.socket, **options: Any) -> asyncio.Server:
        loop, make = self._connections.loop, partial(Http1, self._connections)
        if self._is_unix:
            return await loop.create_unix_server(make, sock=sock, backlog=self._backlog, **options)
        return await loop.create_server(make, sock=sock, backlog=self._backlog, **options)
