"""The walls around a model process: no network, nobody to talk to, no file to change but its scratch folder.

Owns which of the kernel's means are used, and the order in which a new process binds itself: namespaces of its own for
users and networks, no capabilities, no_new_privs, limits, Landlock (`landlock`), a filter of system calls (`seccomp`).
None needs a privilege. Some systems refuse some of them; `Sandbox.walls` says what holds here, found out by trying in
a child. A home is not readable either, but for the model's own files. It must not know models.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from craton.infra.compute import landlock, seccomp

Mode = Literal["auto", "required", "off"]

_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
if _LIBC is not None:
    # Looked up now: between fork and exec nothing should have to be.
    _CALLS: Final = (_LIBC.syscall, _LIBC.unshare, _LIBC.prctl, _LIBC.capset)
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # unshare(2)
_NO_NEW_PRIVS: Final = 38  # prctl(2)
_CAPABILITIES_V3: Final = 0x20080522  # capset(2)
_LARGEST_FILE_BYTES: Final = 2 << 30
# What a process without any rights of its own may still write to. Accelerators are driven through their devices.
_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "dri", "kfd", "dxg")
_ACCELERATORS: Final = ("nvidia*", "accel*")
_MAX_LINKS: Final = 1000


class Refused(OSError):
    """The system does not allow the walls that the configuration requires."""


class Walls(msgspec.Struct, frozen=True):
    """What this system allows: each a layer that held when it was tried."""

    namespaces: bool = False
    landlock: bool = False
    seccomp: bool = False

    @property
    def network_closed(self) -> bool:
        return self.namespaces or self.seccomp

    @property
    def files_closed(self) -> bool:
        return self.landlock

    @property
    def gaps(self) -> list[str]:
        """What a model process could still do, in words; empty where all is closed."""
        found = {
            "open network connections": self.network_closed,
            "write wherever this user may": self.files_closed,
            "reach and signal other processes of this user": self.seccomp,
        }
        return [gap for gap, closed in found.items() if not closed]


class Sandbox:
    """Makes walls by the mode that was asked for.

    Args:
        hidden: the folder that no model process may read.
        walls: what holds here, where that is known already.
    """

    def __init__(self, mode: Mode, hidden: Path, walls: Walls | None = None) -> None:
        self._mode = mode
        self._hidden = hidden
        self._walls = walls

    @property
    def mode(self) -> Mode:
        """What was asked for."""
        return self._mode

    @property
    def walls(self) -> Walls:
        """What holds here; the first question tries it."""
        if self._walls is None:
            self._walls = Walls() if self._mode == "off" else tried()
        return self._walls

    @contextlib.contextmanager
    def around(
        self, scratch: Path, reads: Iterable[str], largest_file_bytes: int = _LARGEST_FILE_BYTES
    ) -> Iterator[Callable[[], None]]:
        """What the new process calls between fork and exec; the block must hold the fork.

        Raises:
            Refused: the mode is `required`, and there are gaps.
            OSError: the kernel refused what it had allowed.
        """
        walls = self.walls
        if self._mode == "required" and walls.gaps:
            raise Refused(0, f'[compute] sandbox = "required", but a model process could {", ".join(walls.gaps)}')
        handle = -1
        if walls.landlock and _LIBC is not None:
            readable = [*beside(self._hidden), *own_files(), *model_files(reads)]
            handle = landlock.ruleset(_LIBC, writable=[scratch, *devices()], readable=readable)
        try:
            yield lambda: enter(walls, handle, largest_file_bytes)
        finally:
            if handle >= 0:
                os.close(handle)


def enter(walls: Walls, rules: int, largest_file_bytes: int = _LARGEST_FILE_BYTES) -> None:
    """Bind this process, before it becomes another program. Raises OSError."""
    if _LIBC is None:
        return
    if walls.namespaces:
        _be_alone(_LIBC)
    _shed_rights(_LIBC)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core holds what people asked
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = largest_file_bytes if most == resource.RLIM_INFINITY else min(most, largest_file_bytes)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    if walls.landlock:
        landlock.restrict(_LIBC, rules)
    machine = seccomp.machine()
    if walls.seccomp and machine is not None:
        seccomp.install(_LIBC, machine)


def _be_alone(libc: ctypes.CDLL) -> None:
    """A network without devices, and a world in which this process has no rights over what is outside."""
    user, group = os.getuid(), os.getgid()
    _done(libc.unshare(_NEW_USER | _NEW_NET))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        handle = os.open(f"/proc/self/{name}", os.O_WRONLY)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)


def _shed_rights(libc: ctypes.CDLL) -> None:
    """No capability now, and none to come by exec."""
    _done(libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
    _done(libc.capset(struct.pack("=Ii", _CAPABILITIES_V3, 0), bytes(24)))


def _done(answer: int) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


# --- what this system allows ---


def tried() -> Walls:
    """Every layer tried in a child of its own. Call it where no other thread runs."""
    if _LIBC is None:
        return Walls()
    libc, machine = _LIBC, seccomp.machine()

    def fence() -> None:
        _shed_rights(libc)
        landlock.restrict(libc, landlock.ruleset(libc, writable=(), readable=()))

    def filtered() -> None:
        _shed_rights(libc)
        if machine is not None:
            seccomp.install(libc, machine)

    return Walls(
        namespaces=_holds(lambda: _be_alone(libc)),
        landlock=landlock.version(libc) > 0 and _holds(fence),
        seccomp=machine is not None and _holds(filtered),
    )


def _holds(attempt: Callable[[], None]) -> bool:
    """Whether a child gets through the attempt."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            attempt()
            code = 0
        except OSError:
            pass
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) == 0


# --- what a model process may read and write ---


def beside(hidden: Path) -> list[Path]:
    """The system's folders: all at the root but the one in which the hidden folder is."""
    ours = hidden.resolve().parts[1:2]
    return [Path(one.path) for one in os.scandir("/") if not one.is_symlink() and (one.name,) != ours]


def own_files() -> list[Path]:
    """Where the interpreter and the libraries are, wherever that is."""
    listed = os.environ.get("LD_LIBRARY_PATH", "").split(":") + os.environ.get("PYTHONPATH", "").split(":")
    named = [sys.prefix, sys.base_prefix, str(Path(sys.executable).parent), *sys.path, *listed]
    return [Path(name) for name in dict.fromkeys(named) if name.startswith("/")]


def model_files(reads: Iterable[str]) -> list[Path]:
    """The model's folders, and what links in them lead to, as in caches that keep files by their hash."""
    found: list[Path] = []
    for name in reads:
        folder = Path(name).resolve()
        found.append(folder)
        if folder.is_dir():
            links = (one for place, _, files in os.walk(folder) for one in map(Path(place).joinpath, files))
            found += [one.resolve() for one, _ in zip(links, range(_MAX_LINKS), strict=False) if one.is_symlink()]
    return found


def devices() -> list[Path]:
    folder = Path("/dev")
    named = [folder / name for name in _DEVICES]
    return [*named, *(path for pattern in _ACCELERATORS for path in folder.glob(pattern))]
