"""The outer process of a container: it starts the thing, joins a Unix socket to a port in its network, and watches it.

A program of its own, run as `python -I -S relay.py PLAN COMMAND …`; it imports nothing of Craton. PLAN is JSON:

    socket     the path of the Unix socket to listen on
    port       the TCP port inside; 0: the command itself listens on the socket
    hold       make the network here, before the command: nothing in it but a loopback device of its own
    runtime    words of an OCI runtime whose container `name` makes the network, which is joined once it is there
    memory     resident bytes of all that the command started above which it is ended; 0: no limit
    at         the folder in which the command begins, if that is not this process's own
    bounded    the memory limit that the runtime keeps itself, for what is said of an end
    processes  how many of them there may be; 0: no limit
    filter     a system call filter in base64; `{filter}` in COMMAND becomes the file descriptor that it is read from

It ends as the command ends, hands SIGTERM down, and takes everything with it: its children die with it, and what an OCI
runtime would leave behind is removed by a process that outlives it for that moment alone. Owns bytes on their way and
processes; must not know HTTP, models or files.
"""

from __future__ import annotations

import base64
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
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NEW_USER, NEW_NET = 0x10000000, 0x40000000  # unshare(2), setns(2)
_DEATH_SIGNAL = 1  # prctl(2)
_SET_FLAGS, _UP_AND_RUNNING = 0x8914, 0x41  # netdevice(7)
_PIECE_BYTES = 64 * 1024
_LOOK_EVERY_S = 0.25
_ASK_EVERY_S = 0.2
_LEAST_DATA_BYTES = 256 * 1024 * 1024
_KILLED = 137

_LIBC = ctypes.CDLL(None, use_errno=True)


class Way:
    """Bytes from one socket to the other: at most one piece is held, so a slow reader slows the writer."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.held = memoryview(b"")
        self.ended = False

    def move(self) -> None:
        """Take what there is and give what is taken. Raises OSError when a side is broken."""
        try:
            if not self.held and not self.ended:
                self.held = memoryview(self.source.recv(_PIECE_BYTES))
                if not self.held:
                    self.ended = True
                    self.sink.shutdown(socket.SHUT_WR)
            while self.held:
                self.held = self.held[self.sink.send(self.held) :]
        except (BlockingIOError, InterruptedError):
            return


class Joint:
    """One connection of the gateway's, and its other half inside."""

    def __init__(self, relay: Relay, outer: socket.socket, port: int) -> None:
        self.relay = relay
        self.inner = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.inner.setblocking(False)
        self.inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.outer = outer
        outer.setblocking(False)
        self.ways = (Way(outer, self.inner), Way(self.inner, outer))
        self.connected = self.inner.connect_ex(("127.0.0.1", port)) == 0
        self.watched: dict[socket.socket, int] = {}
        self.watch()

    def __call__(self) -> None:
        """Something became possible: do it, and wait for what is next."""
        try:
            if not self.connected:
                self.connected = self.inner.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
                if not self.connected:
                    raise ConnectionRefusedError
            for way in self.ways:
                way.move()
        except OSError:
            self.close()
            return
        if all(way.ended and not way.held for way in self.ways):
            self.close()
        else:
            self.watch()

    def watch(self) -> None:
        """Ask to be called when a side can be read, if nothing of it is held, or written, if something is."""
        wanted: dict[socket.socket, int] = {self.outer: 0, self.inner: 0}
        if not self.connected:
            wanted[self.inner] = selectors.EVENT_WRITE
        else:
            for way in self.ways:
                if way.held:
                    wanted[way.sink] |= selectors.EVENT_WRITE
                elif not way.ended:
                    wanted[way.source] |= selectors.EVENT_READ
        for side, events in wanted.items():
            self.relay.want(side, self.watched.get(side, 0), events, self)
        self.watched = wanted

    def close(self) -> None:
        for side, events in self.watched.items():
            self.relay.want(side, events, 0, self)
        self.watched = {}
        self.outer.close()
        self.inner.close()


class Relay:
    """The loop: one thread, woken by sockets, by signals, and by the clock while there is something to watch."""

    def __init__(self, plan: dict[str, Any], command: list[str]) -> None:
        self.plan = plan
        self.command = command
        self.selector = selectors.DefaultSelector()
        self.listener: socket.socket | None = None
        self.child = 0
        self.joined = not plan.get("runtime")
        self.watching = bool(plan.get("memory") or plan.get("processes"))
        self.asked_at = self.looked_at = 0.0
        self.question: subprocess.Popen[bytes] | None = None
        self.ended: int | None = None

    def want(self, side: socket.socket, now: int, events: int, call: object) -> None:
        """Change what a socket is waited for."""
        if events == now:
            return
        if not events:
            self.selector.unregister(side)
        elif not now:
            self.selector.register(side, events, call)
        else:
            self.selector.modify(side, events, call)

    def run(self) -> int:
        """Until the command has ended; its exit status."""
        parent = os.getppid()
        if self.plan["port"]:
            self.listener = listening(self.plan["socket"])
        if self.plan.get("hold"):
            hold_network()
        wake, woken = os.pipe()
        for handle in (wake, woken):
            os.set_blocking(handle, False)
        signal.set_wakeup_fd(woken)
        for signum in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: None)
        # The kernel forgot this when the process got the rights over its own network.
        die_with(parent)
        sweep = outliving(self.plan) if not self.joined else -1
        self.child = started(self.plan, self.command)
        self.selector.register(wake, selectors.EVENT_READ, lambda: self.signalled(wake))
        if self.joined:
            self.open()
        try:
            while self.ended is None:
                self.turn()
        finally:
            if sweep >= 0:
                os.close(sweep)
        return self.ended

    def turn(self) -> None:
        """One round: whatever can be done, then a look at what was started."""
        pause = None if self.joined and not self.watching else _LOOK_EVERY_S if self.joined else _ASK_EVERY_S
        for key, _ in self.selector.select(pause):
            key.data()
        if self.ended is None and not self.joined:
            self.join()
        # Not at each piece that passes: a look costs more than a request.
        if self.ended is None and self.watching and time.monotonic() - self.looked_at >= _LOOK_EVERY_S:
            self.looked_at = time.monotonic()
            self.look()

    def open(self) -> None:
        """From now on connections are taken."""
        if self.listener is not None:
            self.selector.register(self.listener, selectors.EVENT_READ, self.accept)

    def accept(self) -> None:
        if self.listener is not None:
            with contextlib.suppress(BlockingIOError):
                Joint(self, self.listener.accept()[0], self.plan["port"])

    def signalled(self, wake: int) -> None:
        """A child ended, or this process is to end: then so is the command, which may take its time for it."""
        for signum in os.read(wake, 64):
            if signum in (signal.SIGTERM, signal.SIGINT):
                for pid in innermost(self.child) if self.plan.get("hold") else [self.child]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGTERM)
        while self.ended is None:
            try:
                pid, status = os.waitpid(self.child, os.WNOHANG)
            except ChildProcessError:
                pid, status = self.child, 0
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            self.ended = 128 - code if code < 0 else code
            if self.ended == _KILLED and self.plan.get("bounded"):
                say(f"killed, most likely over its memory limit of {self.plan['bounded']} bytes")

    def look(self) -> None:
        """End what takes more than it may."""
        pids = tree(self.child)
        most, limit = self.plan.get("processes"), self.plan.get("memory")
        # The command's own walls are processes as well.
        if most and len(pids) > most + 2:
            self.kill(f"more processes than it may have: {len(pids)} of {most}")
        elif limit and (used := sum(map(resident_bytes, pids))) > limit:
            self.kill(f"over its memory limit: {used} of {limit} bytes")

    def kill(self, why: str) -> None:
        say(why)
        os.kill(self.child, signal.SIGKILL)
        self.ended = _KILLED

    def join(self) -> None:
        """Enter the network of the runtime's container once it runs; asked for now and then, without waiting."""
        question = self.question
        if question is None:
            if time.monotonic() - self.asked_at < _ASK_EVERY_S:
                return
            self.asked_at = time.monotonic()
            words = [*self.plan["runtime"], "inspect", "--format", "{{.State.Pid}}", self.plan["name"]]
            self.question = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            return
        if question.poll() is None or question.stdout is None:
            return
        answer, self.question = question.stdout.read().strip(), None
        question.stdout.close()
        if answer.isdigit() and int(answer) > 0:
            try:
                parent = os.getppid()
                enter_network(int(answer))
                die_with(parent)
            except OSError as error:
                self.kill(f"its network cannot be entered: {error.strerror}; docker needs a server that is root")
                return
            self.joined = True
            self.open()


# --- what the kernel is asked for ---


def listening(path: str) -> socket.socket:
    """A Unix socket that only this user reaches."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        made.bind(path)
    finally:
        os.umask(before)
    made.listen(512)
    made.setblocking(False)
    return made


def hold_network() -> None:
    """A network of this process's own, with a loopback device and no other. Raises OSError."""
    user, group = os.getuid(), os.getgid()
    checked(_LIBC.unshare(NEW_USER | NEW_NET))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path(f"/proc/self/{name}").write_text(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, _SET_FLAGS, struct.pack("16sh22x", b"lo", _UP_AND_RUNNING))


def enter_network(pid: int) -> None:
    """Be where another process's network is; the users' namespace that owns it comes first. Raises OSError."""
    kinds = [("user", NEW_USER), ("net", NEW_NET)]
    same = [Path(f"/proc/{one}/ns/user").stat().st_ino for one in (pid, "self")]
    handles = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind, _ in kinds]
    for handle, (kind, flag) in zip(handles, kinds, strict=True):
        if kind == "net" or same[0] != same[1]:
            checked(_LIBC.setns(handle, flag))
        os.close(handle)


def die_with(parent: int) -> None:
    """End when the supervisor does, which may have happened before it was asked for."""
    checked(_LIBC.prctl(_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0))
    if os.getppid() != parent:
        os._exit(1)


def checked(answer: int) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


# --- what is started ---


def started(plan: dict[str, Any], command: list[str]) -> int:
    """The command as a child, within the limits that the kernel itself can keep."""
    words, handles = command, []
    if plan.get("filter"):
        handle = os.memfd_create("filter", 0)
        os.write(handle, base64.b64decode(plan["filter"]))
        os.lseek(handle, 0, os.SEEK_SET)
        words = [str(handle) if word == "{filter}" else word for word in command]
        handles.append(handle)
    for kind, limit in limits(plan):
        _, hard = resource.getrlimit(kind)
        least = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (least, least))
    if plan.get("at"):
        os.chdir(plan["at"])
    pid = os.posix_spawnp(words[0], words, os.environ, setsigdef=[signal.SIGPIPE, signal.SIGCHLD])
    for handle in handles:
        os.close(handle)
    return pid


def limits(plan: dict[str, Any]) -> list[tuple[int, int]]:
    """Limits of each process; root's number of processes is not limited so, which is why they are counted as well."""
    found = [(resource.RLIMIT_CORE, 0)]  # a core holds what people asked
    if plan.get("memory"):
        found.append((resource.RLIMIT_DATA, max(plan["memory"] * 5 // 4, plan["memory"] + _LEAST_DATA_BYTES)))
    if plan.get("processes"):
        found.append((resource.RLIMIT_NPROC, plan["processes"]))
    return found


def outliving(plan: dict[str, Any]) -> int:
    """A process that removes the container when the returned file descriptor closes, however this process ends."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        os.dup2(reading, 0)
        nothing = os.open(os.devnull, os.O_RDWR)
        for handle in (1, 2):
            os.dup2(nothing, handle)
        os.closerange(3, 256)
        os.read(0, 1)
        words = [*plan["runtime"], "rm", "--force", plan["name"]]
        os.execvp(words[0], words)  # noqa: S606 - no shell is wanted
    os.close(reading)
    return writing


def innermost(pid: int) -> list[int]:
    """The command itself, behind the two processes of its walls; what there is of them while they start."""
    found = [pid]
    for _ in range(2):
        found = [child for one in found for child in children(one)] or found
    return found


def tree(pid: int) -> list[int]:
    found = [pid]
    for seen in found:  # the list grows while it is walked
        found += children(seen)
    return found


def children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(word) for word in (task / "children").read_bytes().split()]
    return found


def resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def say(text: str) -> None:
    """A line for the log of the replica."""
    os.write(1, f"[container] {text}\n".encode())


def main(arguments: list[str]) -> int:
    """Run; a plan that the system refuses is said in the log."""
    try:
        return Relay(json.loads(arguments[0]), arguments[1:]).run()
    except OSError as error:
        say(f"cannot be started: {error.strerror or error}")
        return 1


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
