"""The host's end of the launcher: it asks for environments, and hears of their ends.

Owns the launcher's process, the descriptors that travel, and whom an end concerns. It must not know what is started.
"""

from __future__ import annotations

import array
import asyncio
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

_PROGRAM: Final = str(Path(__file__).with_name("launcher.py"))
_START_S: Final = 10.0
_MOST_BYTES: Final = 64 * 1024
_MOST_HANDLES: Final = 4


class Limits(msgspec.Struct, frozen=True):
    """The kernel's limits of each process; 0: none. `file_bytes` bounds one file."""

    data: int = 0
    processes: int = 0
    files: int = 1024
    file_bytes: int = 0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to start. `handles` are handed down as descriptors from 3; `filter` is bubblewrap's filter of system calls."""

    words: list[str]
    env: Mapping[str, str]
    ports: tuple[int, ...]
    network: bool = True
    at: str = "/"
    limits: Limits = Limits()
    output: int
    handles: Sequence[int] = ()
    filter: bytes = b""


class Started(msgspec.Struct, frozen=True):
    """What was started: its process, the ports inside, and the sockets that listen there."""

    pid: int
    ports: list[int]
    sockets: list[socket.socket]


class LaunchFailed(OSError):
    """The system refused; the text says what."""


class Launcher:
    """Starts processes. `ended` of each is called once, with its exit status (the code, or minus the signal)."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._starting: dict[int, asyncio.Future[Started]] = {}
        self._living: dict[int, Callable[[int], None]] = {}

    async def start(self, order: Order, ended: Callable[[int], None]) -> Started:
        """Raises LaunchFailed."""
        line = self._opened()
        number = next(self._numbers)
        waiting = self._starting[number] = asyncio.get_running_loop().create_future()
        self._living[number] = ended
        handles = [order.output, *order.handles]
        made = -1
        try:
            if order.filter:
                made = _held(order.filter)
                handles.append(made)
            asked = {
                "id": number, "words": order.words, "env": dict(order.env), "ports": order.ports,
                "network": order.network, "keep": len(order.handles), "at": order.at,
                **msgspec.structs.asdict(order.limits),
            }  # fmt: skip
            rights = array.array("i", handles)
            line.sendmsg([json.dumps(asked).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            async with asyncio.timeout(_START_S):
                started: Started = await waiting
                return started
        except TimeoutError:
            raise LaunchFailed(0, "the system is too busy to start a process") from None
        except OSError as error:
            self._living.pop(number, None)
            if isinstance(error, LaunchFailed):
                raise
            raise LaunchFailed(0, f"the launcher of environments is gone: {error.strerror}") from error
        finally:
            self._starting.pop(number, None)
            if made >= 0:
                os.close(made)

    def close(self) -> None:
        """End the launcher, and with it all that it started."""
        self._lost()

    def _opened(self) -> socket.socket:
        if self._line is not None:
            return self._line
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                # -I -S: no site packages, nothing of the environment; it starts fast and stays small.
                [sys.executable, "-I", "-S", _PROGRAM, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                cwd="/",
                env={},
            )
        ours.setblocking(False)
        self._line = ours
        asyncio.get_running_loop().add_reader(ours, self._hear)
        return ours

    def _hear(self) -> None:
        """Take one message; when there will be none, all that lived has died."""
        if self._line is None:
            return
        try:
            data, handles, _, _ = socket.recv_fds(self._line, _MOST_BYTES, _MOST_HANDLES)
        except BlockingIOError:
            return
        except OSError:
            data, handles = b"", []
        if not data:
            self._lost()
            return
        told: dict[str, Any] = json.loads(data)
        number = told["id"]
        waiting = self._starting.get(number)
        if "ended" in told:
            ended = self._living.pop(number, None)
            if waiting is not None and not waiting.done():
                waiting.set_exception(LaunchFailed(0, "it ended before it began"))
            elif ended is not None:
                ended(told["ended"])
        elif waiting is None or waiting.done():
            for handle in handles:
                os.close(handle)
        elif "error" in told:
            waiting.set_exception(LaunchFailed(0, told["error"]))
        else:
            sockets = [socket.socket(fileno=handle) for handle in handles]
            for one in sockets:
                one.setblocking(False)
            waiting.set_result(Started(told["pid"], told["ports"], sockets))

    def _lost(self) -> None:
        if self._line is not None:
            asyncio.get_running_loop().remove_reader(self._line)
            self._line.close()
            self._line = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for waiting in self._starting.values():
            if not waiting.done():
                waiting.set_exception(LaunchFailed(0, "the launcher of environments died"))
        living, self._living = self._living, {}
        for ended in living.values():
            ended(-int(signal.SIGKILL))


def _held(content: bytes) -> int:
    """A file without a name that holds this, to be read from its beginning."""
    handle = os.memfd_create("filter", os.MFD_CLOEXEC)
    os.write(handle, content)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle
