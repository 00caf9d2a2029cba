"""What the processes of an environment take, and their standstill between invocations.

Owns the look at a tree of processes (memory, number) and the signals that stop and wake all of it. The figures come from
/proc; where there is none, they are 0. It must not know functions.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from craton.infra.compute.process import signal_process, tree

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_STOPS: Final = 3


class Taken(msgspec.Struct, frozen=True):
    """`pids`: all there are, the walls' own first. `bytes_used`: what they hold in memory."""

    pids: list[int]
    bytes_used: int


def look(pid: int) -> Taken:
    """What a tree of processes takes now."""
    pids = tree(pid)
    return Taken(pids, sum(map(resident_bytes, pids)))


def used(pids: Sequence[int]) -> int:
    """The memory of processes that are known."""
    return sum(map(resident_bytes, pids))


def resident_bytes(pid: int) -> int:
    """What a process holds in memory, shared pages of files left out: many environments have those once."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_bytes().split()
        return (int(resident) - int(shared)) * _PAGE
    return 0


def freeze(pid: int) -> list[int]:
    """Stop all processes of a tree; which ones. What a process makes while it is stopped is found by looking again."""
    stopped: list[int] = []
    for _ in range(_STOPS):
        found = [one for one in tree(pid) if one not in stopped]
        if not found:
            break
        for one in found:
            signal_process(one, signal.SIGSTOP)
        stopped += found
    return stopped


def thaw(pids: Sequence[int]) -> None:
    """Wake what `freeze` stopped."""
    for pid in reversed(pids):
        signal_process(pid, signal.SIGCONT)
