"""A filter of system calls for model processes: no sockets but local streams, nobody to connect to, nobody to signal.

Owns the table of what is refused and its translation into the kernel's BPF. Pure; it must not know what the process is
for. Sources: seccomp(2), the kernel's syscall tables for x86-64 and arm64. Elsewhere there is no
filter (`MACHINES`).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_KILL: Final = 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_OTHER_ABI: Final = 0x40000000  # x32's numbers on x86-64
_TYPE_MASK: Final = 0xF  # of socket(2), below SOCK_CLOEXEC and SOCK_NONBLOCK
_OWN: Final = -1  # stands for the process's own id
UNKNOWN_PID: Final = 0xFFFFFFFF
"""The process for which a filter is made before it is there; `entering` puts its id in this place."""


class Allowed(msgspec.Struct, frozen=True):
    """The values of one argument (from 0) with which a call may pass. `mask` is applied before the comparison."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0


class Machine(msgspec.Struct, frozen=True):
    """One architecture: its audit number, and the number of each system call that has one here."""

    arch: int
    numbers: Mapping[str, int]


# New calls have one number everywhere.
_EVERYWHERE: Final = {
    "pidfd_send_signal": 424,
    "io_uring_setup": 425,
    "pidfd_getfd": 438,
    "fchmodat2": 452,
    "setxattrat": 463,
}
_X86_64: Final = {
    "socket": 41, "connect": 42, "socketpair": 53, "kill": 62, "truncate": 76, "chmod": 90, "fchmod": 91, "chown": 92,
    "fchown": 93, "lchown": 94, "ptrace": 101, "mount": 165, "umount2": 166, "setxattr": 188, "lsetxattr": 189,
    "fsetxattr": 190, "tkill": 200, "tgkill": 234, "keyctl": 250, "fchownat": 260, "fchmodat": 268, "unshare": 272,
    "perf_event_open": 298, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "bpf": 321,
    "userfaultfd": 323,
}  # fmt: skip
_ARM64: Final = {
    "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "umount2": 39, "mount": 40, "truncate": 45, "fchmod": 52,
    "fchmodat": 53, "fchownat": 54, "fchown": 55, "unshare": 97, "ptrace": 117, "kill": 129, "tkill": 130,
    "tgkill": 131, "socket": 198, "socketpair": 199, "connect": 203, "keyctl": 219, "perf_event_open": 241,
    "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "bpf": 280, "userfaultfd": 282,
}  # fmt: skip
MACHINES: Final[Mapping[str, Machine]] = {
    "x86_64": Machine(0xC000003E, _X86_64 | _EVERYWHERE),
    "aarch64": Machine(0xC00000B7, _ARM64 | _EVERYWHERE),
}

_LOCAL: Final = Allowed(0, (socket.AF_UNIX,))
_STREAMS: Final = Allowed(1, (socket.SOCK_STREAM,), mask=_TYPE_MASK)
_ITSELF: Final = Allowed(0, (_OWN, 0))
# What is refused with EPERM, and what of it passes. A model server listens on its Unix socket and asks nobody; the
# modes, owners and attributes of files are no business of its, wherever they lie.
RULES: Final[Mapping[str, tuple[Allowed, ...]]] = {
    "socket": (_LOCAL, _STREAMS),
    "socketpair": (_LOCAL, _STREAMS),
    "kill": (_ITSELF,),
    "tgkill": (_ITSELF,),
    **dict.fromkeys(("connect", "tkill", "pidfd_send_signal", "pidfd_getfd", "ptrace"), ()),
    **dict.fromkeys(("process_vm_readv", "process_vm_writev", "mount", "umount2", "unshare", "setns"), ()),
    **dict.fromkeys(("keyctl", "bpf", "perf_event_open", "userfaultfd", "truncate"), ()),
    **dict.fromkeys(("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat"), ()),
    **dict.fromkeys(("setxattr", "lsetxattr", "fsetxattr", "setxattrat"), ()),
}
# It can do what the calls above can; ENOSYS is what libraries have an answer to.
_ABSENT: Final = ("io_uring_setup",)


def program(machine: Machine, pid: int = UNKNOWN_PID, rules: Mapping[str, tuple[Allowed, ...]] = RULES) -> bytes:
    """The filter for the process `pid`, as an array of `struct sock_filter`."""
    lines = [
        _line(_LOAD, _ARCH_AT),
        _line(_EQUAL, machine.arch, yes=1),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER_AT),
        _line(_AT_LEAST, _OTHER_ABI, no=1),
        _line(_RETURN, _ERRNO | errno.EPERM),
    ]
    for name in _ABSENT:
        lines += _refused(machine.numbers[name], errno.ENOSYS, ())
    for name, passes in rules.items():
        if name in machine.numbers:
            lines += _refused(machine.numbers[name], errno.EPERM, passes, pid)
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _refused(number: int, error: int, passes: Sequence[Allowed], pid: int = 0) -> list[bytes]:
    """The lines for one call: on to the next unless it is this one; else every condition must hold."""
    body: list[bytes] = []
    for allowed in passes:
        values = [pid if value == _OWN else value for value in allowed.values]
        body.append(_line(_LOAD, _ARGUMENTS_AT + 8 * allowed.argument))
        if allowed.mask:
            body.append(_line(_AND, allowed.mask))
        # A value that fits jumps over the other values and the refusal.
        body += [_line(_EQUAL, value, yes=len(values) - place) for place, value in enumerate(values)]
        body.append(_line(_RETURN, _ERRNO | error))
    body.append(_line(_RETURN, _ALLOW if passes else _ERRNO | error))
    return [_line(_EQUAL, number, no=len(body)), *body]


def _line(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def machine() -> Machine | None:
    """The table of this machine, None where there is none."""
    return MACHINES.get(os.uname().machine) if sys.platform == "linux" else None
