"""The server's seat: one call that listens, keeps HTTP workers and the control channel alive, and ends in order.

Owns: the listening socket, the order of start and end, the exit code. Must not know: which HTTP library the workers
use (`worker` hides it), what requests mean, or what the supervisor does besides (`Duties`, which `app.py` composes).

This process runs one asyncio loop, which makes all children and never waits for anything else, so that a death of any
child is seen at once (what the duties must wait for, such as a database, they do in a thread of theirs). The first workers are forks made before the loop exists: they share the pages of all that is imported by
then. A worker that dies later is replaced by a fresh interpreter, because forking a process that lives in its loop
would hand its connections down.

    hold the home → listen → fork workers → duties start → control channel → first worker ready → on_ready
    SIGTERM → workers drain (at most `drain_s`) → duties stop → control channel ends → exit code 0
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec

from craton.front.connections import Limits
from craton.front.fleet import Fleet, StartFailed
from craton.front.tls import Files
from craton.front.worker import ENDING, Assignment, leave, run_worker
from craton.infra.compute.process import raise_file_limit
from craton.infra.control.home import RunDir
from craton.infra.control.server import Call, ControlServer, Methods, Peer, listen_unix

_log = logging.getLogger(__name__)
_KILL_AFTER_DRAIN_S = 3.0


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen: `host` and `port` (0: any free one), or the Unix socket `uds` (mode 0600)."""

    host: str = "127.0.0.1"
    port: int = 8765
    uds: Path | None = None
    backlog: int = 2048


class Bound(msgspec.Struct, frozen=True):
    """Where the server listens in fact; `url` is what clients use."""

    url: str
    host: str
    port: int
    pid: int


class ListenFailed(Exception):
    """The address cannot be listened on; the message says why."""


class Duties(Protocol):
    """What the supervisor does besides keeping workers: its methods on the control channel, its children, its timers."""

    @property
    def methods(self) -> Methods:
        """The methods of the control channel."""
        ...

    async def start(self, control: ControlServer) -> None:
        """Begin, in the supervisor's loop, before the first call; workers wait for it, so be quick."""
        ...

    async def stop(self) -> None:
        """End everything, after the last worker has gone."""
        ...


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to serve.

    `target` is `module:name` of an `OpenApp` (see `worker`), `settings` reaches it unread, in memory and never in an
    argument or an environment variable. Open streams have `drain_s` seconds to end after SIGTERM.
    """

    target: str
    settings: bytes
    workers: int = 1
    limits: Limits = Limits()
    """Of each worker."""
    drain_s: float = 10.0
    tls: Files | None = None


def serve(listen: Listen, plan: Plan, run: RunDir, duties: Duties, on_ready: Callable[[Bound], None]) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code: 0, or 1 if the first workers could not start.

    Call it from the main thread, with no other threads running.

    Raises:
        ListenFailed: the address is taken or not this machine's.
    """
    raise_file_limit()
    listener = _bind(listen)
    control_sock = listen_unix(run.control)
    for sock in (listener, control_sock):
        sock.set_inheritable(False)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # until the loop, or the worker's, can hear them
    make = partial(_assignment, listen, plan, run, listener)
    first = {index: _fork(make(index), run.lock_handle, control_sock) for index in range(plan.workers)}
    try:
        return asyncio.run(
            _supervise(
                plan, duties, first, make, listener, control_sock, partial(on_ready, _bound(listen, listener, plan))
            )
        )
    finally:
        listener.close()
        if listen.uds is not None:
            listen.uds.unlink(missing_ok=True)


async def _supervise(
    plan: Plan,
    duties: Duties,
    first: dict[int, int],
    make: Callable[[int], Assignment],
    listener: socket.socket,
    control_sock: socket.socket,
    on_ready: Callable[[], None],
) -> int:
    stop, hurry = asyncio.Event(), asyncio.Event()

    def end() -> None:
        (hurry if stop.is_set() else stop).set()

    for signum in (*ENDING, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signum, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    fleet = Fleet(first, lambda index: _spawn(make(index), listener))
    control = ControlServer({**duties.methods, **_worker_methods(fleet)}, on_stuck=partial(_end_stuck, fleet))
    code = 0
    try:
        await duties.start(control)
        await control.start(control_sock)
        if await _first_ready(fleet, stop):
            on_ready()
        await stop.wait()
    except StartFailed as error:
        _log.error("%s", error)
        code = 1
    finally:
        # From here on a new connection is refused, not left hanging: the workers let go of it as well.
        listener.close()
        await fleet.drain(plan.drain_s + _KILL_AFTER_DRAIN_S, hurry)
        await duties.stop()
        await control.close()
    return code


async def _first_ready(fleet: Fleet, stop: asyncio.Event) -> bool:
    """Wait until a worker serves; False when the end was asked for before that."""
    asked = asyncio.create_task(stop.wait())
    both: list[asyncio.Future[Any]] = [fleet.first_ready, asked]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not fleet.first_ready.done():
        return False
    fleet.first_ready.result()
    return True


def _worker_methods(fleet: Fleet) -> Methods:
    async def ready(call: Call) -> None:
        fleet.mark_ready(call.peer.pid)

    async def status(_call: Call) -> list[dict[str, object]]:
        return fleet.rows()

    return {"worker.ready": ready, "workers.status": status}


def _end_stuck(fleet: Fleet, peer: Peer) -> None:
    fleet.kill(peer.index, peer.pid)


def _assignment(listen: Listen, plan: Plan, run: RunDir, listener: socket.socket, index: int) -> Assignment:
    return Assignment(
        index=index,
        parent_pid=os.getpid(),
        settings=plan.settings,
        target=plan.target,
        control=str(run.control),
        listener=listener.fileno(),
        is_unix=listen.uds is not None,
        backlog=listen.backlog,
        limits=plan.limits,
        drain_s=plan.drain_s,
        tls=plan.tls,
    )


def _fork(assignment: Assignment, lock_handle: int, control_sock: socket.socket) -> int:
    """Make a worker that shares this process's pages; only before the loop exists."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setpgid(0, 0)  # a Ctrl-C in the terminal is the supervisor's to hear
        os.close(lock_handle)
        control_sock.close()
        code = run_worker(assignment)
    finally:
        leave(code)
    raise AssertionError  # pragma: no cover - `leave` does not return


def _spawn(assignment: Assignment, listener: socket.socket) -> int:
    """Make a worker in a fresh interpreter; it reads its assignment from an inherited file without a name."""
    with tempfile.TemporaryFile() as file:
        file.write(msgspec.msgpack.encode(assignment))
        file.flush()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "craton.front.worker", str(file.fileno())],
            pass_fds=(file.fileno(), listener.fileno()),
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
    process.returncode = 0  # the fleet reaps it; this object must not
    return process.pid


def _bind(listen: Listen) -> socket.socket:
    if listen.uds is not None:
        try:
            return listen_unix(listen.uds, listen.backlog)
        except OSError as error:
            raise ListenFailed(f"cannot listen on {listen.uds}: {error.strerror}") from error
    try:
        family, _, _, _, address = socket.getaddrinfo(
            listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it; a chunk of a stream must not wait for the one before to be acknowledged.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(address)
        sock.listen(listen.backlog)
    except OSError as error:
        raise ListenFailed(f"cannot listen on {listen.host}:{listen.port}: {error.strerror}") from error
    sock.setblocking(False)
    return sock


def _bound(listen: Listen, sock: socket.socket, plan: Plan) -> Bound:
    if listen.uds is not None:
        return Bound(f"unix:{listen.uds}", "", 0, os.getpid())
    port = sock.getsockname()[1]
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    return Bound(f"{'https' if plan.tls else 'http'}://{host}:{port}", listen.host, port, os.getpid())
