"""One HTTP worker process: granian around the application, from the first line to the last open stream.

Owns: everything about granian, uvloop and the order of a worker's life (bind to the parent, reach the supervisor, open
the application, serve, drain). Must not know: the application, which `target` names and whose factory opens it, nor
how workers are kept alive (`fleet`).

Facts about granian 2.8 that shape this: its own process manager ends everything when a worker dies twice within 5.5 s
and forks beside its watcher threads, so its embeddable server is used under our own supervisor; on Linux it binds with
SO_REUSEPORT (a second server on the port goes unnoticed, a dead worker takes its queue along), so it gets a listening
socket that all workers share; it puts `server: granian` on replies that bring no `server` header of their own.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec
import uvloop
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels
from granian.server.embed import Server

from craton.infra.compute.process import die_with_parent
from craton.infra.control.client import ControlClient

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_CLOSE_S = 2.0
_LAST_WORDS_S = 0.5
# Requests leave no cycles but those of errors: to look for them at every 700 objects costs more than it finds.
_GC_THRESHOLDS = (10_000, 20, 50)
_HEADER_TIMEOUT_MS = 75_000  # also ends idle keep-alive connections, so longer than the 60 s that SDKs keep theirs
_PING_MS = 30_000  # finds HTTP/2 peers that vanished without a word
_MAX_HEADERS_BYTES = 64 * 1024
_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"}},
    "loggers": {"_granian": {"handlers": ["console"], "level": "ERROR", "propagate": False}},
}


_SocketHolder: Any = SocketHolder  # its stub lacks the constructor (handle, is it a Unix socket, backlog)


ENDING = (signal.SIGTERM, signal.SIGINT)
"""The signals that ask for the end. The supervisor holds them back until somebody listens for them."""


class WorkerApp(Protocol):
    """The application in one worker: a bare ASGI callable for `http` scopes that can be closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        ...

    async def close(self) -> None:
        """Let go of everything, after the last request."""
        ...


class Seat(msgspec.Struct, frozen=True):
    """What an application gets to begin with.

    `index` counts workers from 0; `settings` is what `serve` was given; `control` is connected. An application that
    holds what generations change subscribes to them in its factory, before it reads anything.
    """

    index: int
    settings: bytes
    control: ControlClient


OpenApp = Callable[[Seat], Awaitable[WorkerApp]]


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process is to do; `listener` is the number of an inherited listening socket."""

    index: int
    parent_pid: int
    settings: bytes
    target: str
    control: str
    listener: int
    is_unix: bool
    backlog: int
    max_connections: int
    drain_s: float


class _Embedded(Server):
    """granian in this loop, on a socket that exists already."""

    def __init__(self, app: WorkerApp, assignment: Assignment) -> None:
        self._holder = _SocketHolder(assignment.listener, assignment.is_unix, assignment.backlog)
        super().__init__(
            app,
            interface=Interfaces.ASGINL,
            http=HTTPModes.auto,
            websockets=False,
            backlog=assignment.backlog,
            backpressure=assignment.max_connections,
            http1_settings=HTTP1Settings(header_read_timeout=_HEADER_TIMEOUT_MS),
            http2_settings=HTTP2Settings(max_headers_size=_MAX_HEADERS_BYTES, keep_alive_interval=_PING_MS),
            log_level=LogLevels.error,
            log_dictconfig=_LOGGING,
            log_access=False,
        )

    def _init_shared_socket(self) -> None:
        self._shd: Any = self._holder


def run_worker(assignment: Assignment) -> int:
    """Be a worker until SIGTERM or the parent's end; return the exit code."""
    die_with_parent(assignment.parent_pid)
    uvloop.run(_work(assignment))
    return 0


async def _work(assignment: Assignment) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in ENDING:
        loop.add_signal_handler(signum, stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    control = ControlClient(Path(assignment.control), index=assignment.index)
    await control.open()
    opening = asyncio.ensure_future(_load(assignment.target)(Seat(assignment.index, assignment.settings, control)))
    await _first(opening, stop)
    if not opening.done():
        return  # the end was asked for before the application was open
    app = opening.result()
    if not control.has_subscriber:
        control.subscribe(_ignore)
    # What is loaded now stays: the collector need not walk it again at each full collection.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    server: Any = _Embedded(app, assignment)  # its `stop` has no types
    serving = asyncio.create_task(server.serve(), name="http")
    await asyncio.sleep(0)
    lasting = asyncio.all_tasks()  # granian's, the control channel's, the application's own; later ones are requests'
    await control.call("worker.ready", {"index": assignment.index, "pid": os.getpid()})
    await _first(serving, stop)
    if serving.done():
        raise RuntimeError(f"the HTTP server ended by itself: {serving.exception()}")
    server.stop()
    await asyncio.wait([serving], timeout=assignment.drain_s)
    await _cut_short(serving, lasting)
    async with asyncio.timeout(_CLOSE_S):
        await app.close()
    await control.close()


async def _first(other: asyncio.Future[Any], stop: asyncio.Event) -> None:
    """Wait until `other` is done or the end is asked for."""
    asked = asyncio.create_task(stop.wait())
    both: list[asyncio.Future[Any]] = [other, asked]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()


async def _cut_short(serving: asyncio.Task[None], lasting: set[asyncio.Task[Any]]) -> None:
    """End what outlived the drain, or its client: each task that a request made gets a moment for its last words."""
    # granian reports each of these cancellations as a fault of the application.
    logging.getLogger("_granian").handlers[:] = [logging.NullHandler()]
    requests = asyncio.all_tasks() - lasting
    for task in requests:
        task.cancel()
    await asyncio.wait([*requests, serving], timeout=_LAST_WORDS_S)


async def _ignore(number: int, payload: bytes) -> None:
    """Take up a generation that holds nothing for this application."""


def _load(target: str) -> OpenApp:
    module, _, name = target.partition(":")
    return cast("OpenApp", getattr(importlib.import_module(module), name))


def main() -> None:
    """Run as `python -m craton.front.worker HANDLE`: the assignment lies in the inherited file HANDLE."""
    handle = int(sys.argv[1])
    with os.fdopen(handle, "rb") as file:
        file.seek(0)
        assignment = msgspec.msgpack.decode(file.read(), type=Assignment)
    code = 1
    try:
        code = run_worker(assignment)
    finally:
        leave(code)


def leave(code: int) -> None:
    """End this process without the interpreter's farewell, which would wait for granian's threads."""
    if sys.exc_info()[0] is not None:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
