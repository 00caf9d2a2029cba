"""The supervisor's end of the functions' host: a socket that listens from the start, and a process once somebody comes.

Owns the socket, the making of the process when a connection waits, and its end. Connections wait in the socket's queue while
there is no process, so an invocation never finds nobody: a host that ended because it was idle, or died, is made anew by the
next. It must load nothing of what a host needs, since the supervisor loads it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from craton.infra.compute.process import describe_exit, reap, signal_group, signal_process, wait_zombie
from craton.infra.control.server import listen_unix

SOCKET: Final = "functions.sock"
"""The name of the host's socket in the run folder of a home."""
_PROGRAM: Final = "craton.functioning"
_SHORT_LIFE_S: Final = 5.0
_PAUSE_FIRST_S, _PAUSE_MAX_S = 0.1, 10.0
_END_WITHIN_S: Final = 8.0


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What a host is to do. `url`: where the server that makes it listens. `listener`: the number of its socket."""

    parent_pid: int
    settings: bytes
    url: str
    listener: int


def host_functions(settings: bytes, url: str, listener: socket.socket) -> int:
    """Make a host; its id, for whoever reaps it. Raises OSError."""
    assignment = Assignment(parent_pid=os.getpid(), settings=settings, url=url, listener=listener.fileno())
    with tempfile.TemporaryFile() as file:
        file.write(msgspec.msgpack.encode(assignment))
        file.flush()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", _PROGRAM, str(file.fileno())],
            pass_fds=(file.fileno(), listener.fileno()),
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
    process.returncode = 0  # the keeper reaps it; this object must not
    return process.pid


class HostKeeper:
    """Keeps the host of a home.

    Args:
        path: where it listens.
        spawn: makes a host that serves a listening socket; its process id. Raises OSError.
    """

    def __init__(self, path: Path, spawn: Callable[[socket.socket], int]) -> None:
        self._spawn = spawn
        self._path = path
        self._listener = listen_unix(path, backlog=1024)
        self._listener.set_inheritable(False)
        self._pid = 0
        self._minding: asyncio.Task[None] | None = None
        self._pause_s = _PAUSE_FIRST_S
        self._ending = False
        self._await_somebody()

    async def stop(self) -> None:
        """End the host in order, or without."""
        self._ending = True
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        if self._minding is None:
            return
        if not self._pid:  # it has ended already
            self._minding.cancel()
            return
        signal_process(self._pid, signal.SIGTERM)
        await asyncio.wait([self._minding], timeout=_END_WITHIN_S)
        if not self._minding.done() and self._pid:
            signal_group(self._pid, signal.SIGKILL)
            await asyncio.wait([self._minding])

    def renew(self) -> None:
        """End the host and all that it keeps; the next invocation has another one."""
        if self._pid:
            signal_process(self._pid, signal.SIGTERM)

    def _await_somebody(self) -> None:
        if not self._ending:
            asyncio.get_running_loop().add_reader(self._listener, self._come)

    def _come(self) -> None:
        """Somebody waits: a host it takes."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        try:
            self._pid = self._spawn(self._listener)
        except OSError as error:  # no memory, no handles: it is tried again
            print(f"craton: the functions' host cannot be made: {error.strerror}", file=sys.stderr, flush=True)
            loop.call_later(self._paused(), self._await_somebody)
            return
        self._minding = asyncio.create_task(self._mind(self._pid), name="functions' host")

    async def _mind(self, pid: int) -> None:
        born = time.monotonic()
        await wait_zombie(pid)
        signal_group(pid, signal.SIGKILL)
        self._pid = 0
        code = reap(pid)
        if code and not self._ending:
            print(
                f"craton: the functions' host (process {pid}) ended: {describe_exit(code)}", file=sys.stderr, flush=True
            )
        if code and time.monotonic() - born < _SHORT_LIFE_S:
            await asyncio.sleep(self._paused())
        else:
            self._pause_s = _PAUSE_FIRST_S
        self._await_somebody()

    def _paused(self) -> float:
        pause, self._pause_s = self._pause_s, min(self._pause_s * 2, _PAUSE_MAX_S)
        return pause
