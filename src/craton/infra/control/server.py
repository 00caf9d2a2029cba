"""The supervisor's end of the control channel: calls in, generations out.

Owns: the listening socket (mode 0600, peers of this user alone), the peers, dispatch over a table of methods given
at construction, and `publish`, which returns only when every connected worker has taken up the new generation.
Must not know: what a method does or what a generation holds. Off the path of requests: clarity before speed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from craton.infra.control.wire import (
    Ack,
    ControlFault,
    ControlLost,
    Fault,
    Frame,
    Hello,
    Push,
    Reply,
    Request,
    encode,
    read_frame,
)

_log = logging.getLogger(__name__)
_HELLO_TIMEOUT_S = 5.0
_MAX_CALLS = 1024  # of one peer at once


class Peer:
    """One connected client: who it is, the generation that it lives in, and how to write to it."""

    def __init__(self, hello: Hello, writer: asyncio.StreamWriter) -> None:
        """Take the client's word for role and index; the kernel vouches for the user."""
        self.role = hello.role
        self.index = hello.index
        self.pid = hello.pid
        self.generation = 0
        self.moved = asyncio.Event()
        """Set at each acknowledgement and when the peer goes."""
        self.gone = False
        self._writer = writer

    def send(self, frame: Frame) -> None:
        """Queue a frame; a peer that has gone misses it."""
        if not self.gone:
            self._writer.write(encode(frame))

    def advance(self, number: int) -> None:
        """Note an acknowledgement."""
        self.generation = max(self.generation, number)
        self.moved.set()

    def leave(self) -> None:
        """Note that the connection has ended."""
        self.gone = True
        self.moved.set()
        self._writer.transport.abort()


class Call(msgspec.Struct, frozen=True):
    """What a method gets: the parameters, who asks, and the server, to publish with."""

    params: dict[str, Any]
    peer: Peer
    server: ControlServer

    def text(self, name: str) -> str:
        """Return the text parameter `name`.

        Raises:
            ControlFault: `bad_params`.
        """
        value = self.params.get(name)
        if not isinstance(value, str) or not value:
            raise ControlFault("bad_params", f"{name!r} must be a text")
        return value


Method = Callable[[Call], Awaitable[Any]]
"""Returns what msgpack can carry, msgspec Structs included; raises `ControlFault` to refuse."""
Methods = Mapping[str, Method]


def listen_unix(path: Path, backlog: int = 128) -> socket.socket:
    """Bind and listen at `path`, mode 0600; a client may connect before a loop serves it."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # The folder is 0700 already; the mode of the socket is the second door.
        sock.bind(str(path))
        path.chmod(0o600)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


class ControlServer:
    """Serves one listening socket until `close`."""

    def __init__(self, methods: Methods, on_stuck: Callable[[Peer], None] | None = None) -> None:
        """Serve `methods` besides the built-in ones; `on_stuck` hears of a worker that did not take up a generation."""
        self._methods = {**_BUILT_IN, **methods}
        self._on_stuck = on_stuck
        self._peers: set[Peer] = set()
        self._generation = Push(0, b"")
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def generation(self) -> int:
        """The number of the newest generation; 0 before the first."""
        return self._generation.number

    @property
    def peers(self) -> list[Peer]:
        """Who is connected, workers by index first."""
        return sorted(self._peers, key=lambda peer: (peer.role != "worker", peer.index))

    async def start(self, sock: socket.socket) -> None:
        """Serve the listening socket `sock`, which is the server's from now on."""
        self._server = await asyncio.start_unix_server(self._meet, sock=sock)

    async def close(self) -> None:
        """End all connections and forget the socket."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    async def publish(self, payload: bytes, timeout_s: float = 5.0) -> int:
        """Raise the generation and return its number once every connected worker lives in it.

        A worker that does not take it up in time would serve what is no longer true: `on_stuck` is told, which ends
        it, and it is not waited for.
        """
        self._generation = push = Push(self._generation.number + 1, payload)
        workers = [peer for peer in self._peers if peer.role == "worker"]
        for peer in workers:
            peer.send(push)
        await asyncio.gather(*(self._settle(peer, push.number, timeout_s) for peer in workers))
        return push.number

    async def _settle(self, peer: Peer, number: int, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while peer.generation < number and not peer.gone:
                    peer.moved.clear()
                    await peer.moved.wait()
        except TimeoutError:
            _log.warning("worker %d (process %d) did not take up generation %d", peer.index, peer.pid, number)
            peer.leave()
            if self._on_stuck is not None:
                self._on_stuck(peer)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            if _is_same_user(writer):
                await self._converse(reader, writer)
        except (ControlLost, TimeoutError, asyncio.CancelledError):
            # Cancelled only by `close`; a cancelled handler would make asyncio log an error.
            return
        finally:
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HELLO_TIMEOUT_S):
            hello = await read_frame(reader)
        if not isinstance(hello, Hello):
            raise ControlLost("no greeting")
        peer = Peer(hello, writer)
        self._peers.add(peer)
        if peer.role == "worker" and self._generation.number:
            peer.send(self._generation)
        calls: set[asyncio.Task[None]] = set()
        try:
            while True:
                frame = await read_frame(reader)
                if isinstance(frame, Ack):
                    peer.advance(frame.number)
                elif isinstance(frame, Request) and len(calls) < _MAX_CALLS:
                    call = asyncio.create_task(self._answer(frame, peer, writer))
                    calls.add(call)
                    call.add_done_callback(calls.discard)
                else:
                    raise ControlLost("unexpected frame")
        finally:
            self._peers.discard(peer)
            peer.leave()
            for call in calls:
                call.cancel()

    async def _answer(self, request: Request, peer: Peer, writer: asyncio.StreamWriter) -> None:
        peer.send(await self._result(request, peer))
        with contextlib.suppress(OSError):
            await writer.drain()

    async def _result(self, request: Request, peer: Peer) -> Frame:
        method = self._methods.get(request.method)
        if method is None:
            return Fault(request.id, "unknown_method", f"there is no method {request.method}")
        try:
            return Reply(
                request.id, msgspec.to_builtins(await method(Call(request.params, peer, self)), builtin_types=_KEPT)
            )
        except ControlFault as fault:
            return Fault(request.id, fault.code, str(fault), fault.retry_after_s)
        except Exception:  # the loop must live: one method's fault is one caller's fault
            _log.exception("control method %s failed", request.method)
            return Fault(request.id, "internal", f"{request.method} failed in the supervisor; its log says why")


_KEPT = (bytes,)  # msgpack carries bytes as they are; without this they would become base64


def _is_same_user(writer: asyncio.StreamWriter) -> bool:
    sock = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the folder's and the socket's modes stand alone
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return bool(uid == os.getuid())


async def _ping(call: Call) -> dict[str, object]:
    return {"pid": os.getpid(), "generation": call.server.generation}


async def _publish(call: Call) -> int:
    payload = call.params.get("payload", b"")
    if not isinstance(payload, bytes):
        raise ControlFault("bad_params", "'payload' must be bytes")
    return await call.server.publish(payload)


async def _peers(call: Call) -> list[dict[str, object]]:
    return [
        {"role": peer.role, "index": peer.index, "pid": peer.pid, "generation": peer.generation}
        for peer in call.server.peers
    ]


_BUILT_IN: Methods = {"ping": _ping, "publish": _publish, "peers": _peers}
