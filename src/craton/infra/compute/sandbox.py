"""The walls around a model process: no network, nobody to talk to, no file to change but its scratch folder.

Owns which of the kernel's means are used: namespaces of its own for users and networks, no capabilities, no_new_privs,
limits, Landlock (`landlock`), a filter of system calls (`seccomp`). `entering` binds the new process to them. None needs a
privilege. Some systems refuse some of them; `Sandbox.walls` says what holds here, found out by trying in a child. A home is not readable either, but for the model's own files. It must not know models.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from craton.infra.compute import landlock, seccomp

Mode = Literal["auto", "required", "off"]

_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
# -I -S: no site packages, nothing of the environment; it starts fast.
_ENTERING: Final = (sys.executable, "-I", "-S", str(Path(__file__).with_name("entering.py")))
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
    ) -> Iterator[Entry]:
        """Walls for one new process, which the block must start.

        Raises:
            Refused: the mode is `required`, and there are gaps.
            OSError: the kernel refused what it had allowed.
        """
        walls = self.walls
        if self._mode == "required" and walls.gaps:
            raise Refused(0, f'[compute] sandbox = "required", but a model process could {", ".join(walls.gaps)}')
        rules = -1
        if walls.landlock and _LIBC is not None:
            readable = [*beside(self._hidden), *own_files(), *model_files(reads)]
            rules = landlock.ruleset(_LIBC, writable=[scratch, *devices()], readable=readable)
        entry = Entry(walls, rules, largest_file_bytes)
        try:
            yield entry
        finally:
            entry.close()


class Entry:
    """What stands before a command so that it begins within walls. The block around it must hold the start.

    Attributes:
        words: the beginning of the command line.
        handles: what the new process has to inherit.
    """

    def __init__(self, walls: Walls, rules: int, largest_file_bytes: int | None) -> None:
        machine = seccomp.machine() if walls.seccomp else None
        self._heard, self._told = os.pipe()
        self._rules = rules
        self.handles = tuple(handle for handle in (rules, self._told) if handle >= 0)
        self.words = [
            *_ENTERING,
            "1" if walls.namespaces else "0",
            "-" if largest_file_bytes is None else str(largest_file_bytes),
            str(rules),
            "-" if machine is None else seccomp.program(machine).hex(),
            str(self._told),
        ]

    def settle(self) -> None:
        """Wait, once the process is started, until it is what it should be: some 20 ms. Raises OSError."""
        os.close(self._told)
        self._told = -1
        where, _, number = os.read(self._heard, 64).partition(b" ")
        if where == b"walls":
            raise OSError(int(number), f"its sandbox could not be entered: {os.strerror(int(number))}")
        if where:
            raise OSError(int(number), os.strerror(int(number)))

    def close(self) -> None:
        """Let go of what it holds."""
        for handle in (self._heard, self._told, self._rules):
            if handle >= 0:
                os.close(handle)


@contextlib.contextmanager
def unwalled() -> Iterator[Entry]:
    """For what makes walls of its own: it ends with the process that starts it, and has all rights."""
    entry = Entry(Walls(), -1, None)
    try:
        yield entry
    finally:
        entry.close()


# --- what this system allows ---


def tried() -> Walls:
    """Every layer tried by a process of its own."""
    if sys.platform != "linux":
        return Walls()
    each = {name: Walls(**{name: True}) for name in ("namespaces", "landlock", "seccomp")}
    if seccomp.machine() is None:
        del each["seccomp"]
    if landlock.version(_LIBC) == 0:
        del each["landlock"]
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(_trial(walls)) for name, walls in each.items()}
        return Walls(**{name: process.wait() == 0 for name, process in running.items()})


@contextlib.contextmanager
def _trial(walls: Walls) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with 0 where the walls can be entered."""
    rules = landlock.ruleset(_LIBC, writable=(), readable=()) if walls.landlock and _LIBC is not None else -1
    entry = Entry(walls, rules, _LARGEST_FILE_BYTES)
    try:
        with subprocess.Popen(entry.words, pass_fds=entry.handles, cwd="/", env={}) as process:
            yield process
    finally:
        entry.close()


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
