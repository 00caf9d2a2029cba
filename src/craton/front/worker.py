"""One HTTP worker process: the application behind its connections, from the first line to the last open stream.

Owns: the loop and the order of a worker's life (bind to the parent, reach the supervisor, open the application, serve,
drain). Must not know: the application, which `target` names and whose factory opens it, how HTTP is spoken (`http1`,
`http2`), nor how workers are kept alive (`fleet`).
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec
import uvloop

from craton.front.connections import Connections, Limits
from craton.front.entrance import Entrance
from craton.front.tls import Files
from craton.front.turn import Receive, Scope, Send
from craton.infra.compute.process import die_with_parent
from craton.infra.control.client import ControlClient
from craton.infra.heap import settle_heap

_CLOSE_S = 2.0
_LAST_WORDS_S = 0.5

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
    limits: Limits
    drain_s: float
    tls: Files | None = None


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
    settle_heap()
    connections = Connections(app, assignment.limits, secure=assignment.tls is not None)
    entrance = Entrance(
        connections, assignment.listener, assignment.backlog, assignment.tls, is_unix=assignment.is_unix
    )
    await entrance.open()
    await control.call("worker.ready", {"index": assignment.index, "pid": os.getpid()})
    await stop.wait()
    entrance.close()
    await connections.drain(assignment.drain_s)
    await connections.cut_short(_LAST_WORDS_S)
    async with asyncio.timeout(_CLOSE_S):
        await app.close()
    await control.close()


async def _first(other: asyncio.Future[Any], stop: asyncio.Event) -> None:
    """Wait until `other` is done or the end is asked for."""
    asked = asyncio.create_task(stop.wait())
    both: list[asyncio.Future[Any]] = [other, asked]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()


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
    """End this process without the interpreter's farewell, which would wait for threads that hash or decode."""
    if sys.exc_info()[0] is not None:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
