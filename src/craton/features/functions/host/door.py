"""The host's socket: invocations of workers in, answers out, and how long a host without work lives.

Owns the routes of `features.functions.line` and the counting of what is under way. It must not know environments, but for
the pool that has them.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from typing import Any, Final

import msgspec

from craton.features.functions.host.http import Connection, Exchange
from craton.features.functions.host.instance import Task
from craton.features.functions.host.making import Unable
from craton.features.functions.host.pool import Pool
from craton.features.functions.line import INVOKE, READY, REFUSED, Ask, Invoked, Refusal, Want, frame

_MOST_BYTES: Final = 32 * 1024 * 1024
_PACK: Final = ((b"content-type", b"application/msgpack"),)
_REFUSED: Final = (*_PACK, (REFUSED, b"1"))
_LOOK_EVERY_S: Final = 0.5
_BROKEN: Final = Refusal(name="ServiceException", message="The service encountered an internal error.")


class Door:
    """Serves one listening socket."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._busy_until = time.monotonic()

    async def start(self, listening: socket.socket) -> None:
        def made() -> Connection:
            connection = Connection(self._serve, _MOST_BYTES)
            connection.users = self._connections
            return connection

        self._server = await asyncio.get_running_loop().create_unix_server(made, sock=listening, backlog=1024)

    async def idle(self, idle_s: float) -> None:
        """Return when there has been nothing to do for so long, and nothing is kept."""
        while True:
            await asyncio.sleep(min(_LOOK_EVERY_S, idle_s))
            if self._tasks or not self._pool.is_empty:
                self._busy_until = time.monotonic()
            elif time.monotonic() - self._busy_until >= idle_s:
                return

    async def close(self) -> None:
        """Take no more, finish what is under way, and let connections go."""
        if self._server is not None:
            self._server.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for connection in list(self._connections):
            connection.close()

    def _serve(self, exchange: Exchange) -> None:
        task = asyncio.create_task(self._answer(exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, exchange: Exchange) -> None:
        exchange.take_up()
        try:
            if exchange.path == INVOKE:
                await self._invoke(exchange, msgspec.msgpack.decode(exchange.body, type=Ask))
            elif exchange.path == READY:
                await self._pool.ready(msgspec.msgpack.decode(exchange.body, type=Want).plan)
                exchange.answer(200, b"", _PACK)
            else:
                exchange.answer(200, msgspec.msgpack.encode(_BROKEN), _REFUSED)
        except Unable as unable:
            exchange.answer(200, msgspec.msgpack.encode(unable.refusal), _REFUSED)
        except Exception as error:  # the loop must live: one invocation's fault is one caller's
            print(f"craton: functions: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            if exchange.answered:
                exchange.abort()
            else:
                exchange.answer(200, msgspec.msgpack.encode(_BROKEN), _REFUSED)

    async def _invoke(self, exchange: Exchange, ask: Ask) -> None:
        task = Task(ask)
        if not ask.streamed:
            done = await self._pool.invoke(task)
            exchange.answer(200, msgspec.msgpack.encode(done), _PACK)
            return
        running = asyncio.create_task(self._pool.invoke(task))
        try:
            both: list[asyncio.Future[Any]] = [running, task.begun]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            version = ask.plan.configuration.version
            if not task.begun.done():  # it answered whole, or not at all
                done = running.result()
                head = Invoked(version=version, content_type=done.content_type, error=done.error)
                whole = b"" if done.error else done.payload
                exchange.begin(200, _PACK)
                exchange.piece(frame(msgspec.msgpack.encode(head)) + (frame(whole) if whole else b""))
            else:
                stream = task.begun.result()
                exchange.begin(200, _PACK)
                head = Invoked(version=version, content_type=stream.content_type)
                exchange.piece(frame(msgspec.msgpack.encode(head)))
                async for piece in stream.pieces():
                    exchange.piece(frame(piece))
                    await exchange.room()
                done = await running
            exchange.piece(frame(b"") + frame(msgspec.msgpack.encode(done)))
            exchange.end()
        finally:
            await asyncio.wait([running])
