"""Landlock, the kernel's own fence of files: what a process may read and write from now on.

Owns how a ruleset is made, and its rights. It is made by who starts a process, and binds whoever restricts itself to it
(`entering`) and all that comes of that one. It must not know what the paths are for. Source: landlock(7).
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_CREATE, _ADD = 444, 445
_ASK_VERSION: Final = 1
_PATH_BENEATH: Final = 1

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
# Removing and making of every kind: bits 4 to 12.
_CHANGE_DIR: Final = sum(1 << bit for bit in range(4, 13))
_REFER: Final = 1 << 13  # since version 2
_TRUNCATE: Final = 1 << 14  # since version 3
_TCP: Final = 0b11  # bind and connect; since version 4
_SCOPES: Final = 0b11  # abstract Unix sockets and signals; since version 6
READ: Final = _READ_FILE | _READ_DIR
_OF_FILES: Final = _WRITE_FILE | _READ_FILE | _TRUNCATE


def version(libc: ctypes.CDLL | None) -> int:
    """The version that the kernel offers; 0 where there is none."""
    if libc is None or sys.platform != "linux":
        return 0
    return max(0, int(libc.syscall(_CREATE, None, 0, _ASK_VERSION)))


def ruleset(libc: ctypes.CDLL, *, writable: Iterable[Path], readable: Iterable[Path]) -> int:
    """A handle of the rules: all below `writable` may be changed, all below it or `readable` read, nothing else.

    TCP, abstract sockets and signals to others are fenced off as well where the kernel can. What does not exist is
    left out. Raises OSError.
    """
    has = version(libc)
    write = _WRITE_FILE | _CHANGE_DIR | (_REFER if has >= 2 else 0) | (_TRUNCATE if has >= 3 else 0)
    asked = [write | READ, _TCP if has >= 4 else 0, _SCOPES if has >= 6 else 0]
    size = 8 if has < 4 else 16 if has < 6 else 24
    handle = _checked(libc.syscall(_CREATE, struct.pack("=QQQ", *asked), size, 0))
    try:
        for rights, paths in ((READ, readable), (write | READ, writable)):
            for path in paths:
                _add(libc, handle, path, rights)
    except OSError:
        os.close(handle)
        raise
    return handle


def _add(libc: ctypes.CDLL, handle: int, path: Path, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # gone, or not ours to see
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            rights &= _OF_FILES
        _checked(libc.syscall(_ADD, handle, _PATH_BENEATH, struct.pack("=Qi", rights, opened), 0))
    finally:
        os.close(opened)


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
