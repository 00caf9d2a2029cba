"""A program of its own that makes execution environments: small, so that a fork costs little. It imports nothing of Craton.

Run as `python -I -S launcher.py HANDLE`: HANDLE is a SOCK_SEQPACKET socket to the host. Each message of the host is JSON with
file descriptors beside it, first the standard output of what is started:

    id         what answers name it by
    words      the command; `{filter}` becomes the number of the descriptor that came last
    env        its whole environment
    ports      TCP ports of the loopback device to listen on, for the host; 0: any free one
    network    make a network of its own, with a loopback device and no other
    keep       how many of the descriptors after the first are handed down, as numbers from 3
    data       RLIMIT_DATA in bytes; processes  RLIMIT_NPROC; files  RLIMIT_NOFILE; file_bytes  RLIMIT_FSIZE
    at         the folder in which the command begins

Answers: `{"id", "pid", "ports"}` with the listening sockets beside it, or `{"id", "error"}`; later `{"id", "ended"}` with the
exit status (minus the signal). When the host goes, so does this process, and by the kernel's word all that it made.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import json
import os
import resource
import selectors
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

NEW_USER, NEW_NET = 0x10000000, 0x40000000  # unshare(2)
_DEATH_SIGNAL, _NO_NEW_PRIVS = 1, 38  # prctl(2)
_SET_FLAGS, _UP_AND_RUNNING = 0x8914, 0x41  # netdevice(7)
_MOST_BYTES = 256 * 1024
_MOST_HANDLES = 8
_BACKLOG = 64

_LIBC = ctypes.CDLL(None, use_errno=True)


class Launcher:
    """The loop: messages of the host, and ends of children."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.names: dict[int, int] = {}

    def run(self) -> None:
        """Until the host goes."""
        wake, woken = os.pipe()
        for handle in (wake, woken):
            os.set_blocking(handle, False)
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        selector = selectors.DefaultSelector()
        selector.register(self.line, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == wake:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake, 4096)
                    self.reap()
                elif not self.hear():
                    return

    def hear(self) -> bool:
        """Take one message; False when there will be none."""
        space = socket.CMSG_LEN(_MOST_HANDLES * array.array("i").itemsize)
        data, beside, _, _ = self.line.recvmsg(_MOST_BYTES, space)
        if not data:
            return False
        handles = array.array("i")
        for level, kind, content in beside:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                handles.frombytes(content[: len(content) - len(content) % handles.itemsize])
        asked = json.loads(data)
        pid = os.fork()
        if pid == 0:
            become(self.line, asked, list(handles))
        self.names[pid] = asked["id"]
        for handle in handles:
            os.close(handle)
        return True

    def reap(self) -> None:
        """Tell the host of every child that has ended."""
        while self.names:
            with contextlib.suppress(ChildProcessError):
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid:
                    name = self.names.pop(pid)
                    self.line.sendall(json.dumps({"id": name, "ended": os.waitstatus_to_exitcode(status)}).encode())
                    continue
            return


def become(line: socket.socket, asked: dict[str, Any], handles: list[int]) -> None:
    """In the new process: its network, its limits, its files, and then the command. Does not return."""
    try:
        parent = os.getppid()
        os.setsid()
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(signum, signal.SIG_DFL)
        if asked["network"]:
            hold_network()
        checked(_LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
        checked(_LIBC.prctl(_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0))
        if os.getppid() != parent:
            os._exit(1)
        listening = [listen(port) for port in asked["ports"]]
        for kind, name in _LIMITS:
            if asked.get(name):
                bound(kind, asked[name])
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core holds what people sent
        told = {"id": asked["id"], "pid": os.getpid(), "ports": [one.getsockname()[1] for one in listening]}
        rights = array.array("i", [one.fileno() for one in listening])
        line.sendmsg([json.dumps(told).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        words = settle(asked, handles)
        os.chdir(asked["at"])
        os.execvpe(words[0], words, asked["env"])  # noqa: S606 - no shell is wanted
    except OSError as error:
        told = {"id": asked["id"], "error": error.strerror or str(error)}
        with contextlib.suppress(OSError):
            line.sendall(json.dumps(told).encode())
    finally:
        os._exit(127)


def settle(asked: dict[str, Any], handles: list[int]) -> list[str]:
    """Put the descriptors where the command expects them; the command's words."""
    moved = [fcntl.fcntl(handle, fcntl.F_DUPFD, 64) for handle in handles]
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(moved[0], 1)
    os.dup2(moved[0], 2)
    kept = asked["keep"]
    rest = moved[1:]
    for place, handle in enumerate(rest):
        os.dup2(handle, 3 + place)
    os.closerange(3 + len(rest), 1024)
    return [str(3 + kept) if word == "{filter}" else word for word in asked["words"]]


def hold_network() -> None:
    """A network of this process's own. Raises OSError."""
    user, group = os.getuid(), os.getgid()
    checked(_LIBC.unshare(NEW_USER | NEW_NET))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path(f"/proc/self/{name}").write_text(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, _SET_FLAGS, struct.pack("16sh22x", b"lo", _UP_AND_RUNNING))


def listen(port: int) -> socket.socket:
    """A port of the loopback device. Raises OSError."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.bind(("127.0.0.1", port))
    made.listen(_BACKLOG)
    return made


_LIMITS = (
    (resource.RLIMIT_DATA, "data"),
    (resource.RLIMIT_NPROC, "processes"),
    (resource.RLIMIT_NOFILE, "files"),
    (resource.RLIMIT_FSIZE, "file_bytes"),
)


def bound(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    least = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (least, least))


def checked(answer: int) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    Launcher(socket.socket(fileno=int(sys.argv[1]))).run()
