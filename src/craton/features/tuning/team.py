"""Several processes that train one model together, each on its part of every step's records.

Owns how they are made, how they wait for each other and how they add up numbers. They are forks of one process, which is
rank 0 and leads: it alone says anything, writes files and decides when to end. What they share is memory, and a pair of
pipes between each of them and the leader, and no socket: so they train within the same walls as one process alone
(`infra.compute.sandbox`), where neither gloo nor NCCL finds a network. Sums are taken in the order of the ranks, each
part by one of them, so all have the same bits, and a run that goes on after a cut has those of one that was not cut.

Whoever dies is noticed by the end of its pipe. If it was killed, the leader ends in the same way: then the whole run is
taken up again from its last checkpoint, as that of one process is. It must not know models.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn

import msgspec
import numpy as np
from numpy.typing import NDArray

from craton.features.tuning.progress import Failed, TuningFault, tell
from craton.infra.compute.process import die_with_parent

GO, END = b"go", b"end"
_HERE = b"\n"


class Alone:
    """One process: it waits for nobody, and its sums are its own."""

    rank, size = 0, 1

    def meet(self, word: bytes = GO) -> bytes:
        """Wait until all are here; what the leader has to say."""
        return word

    def add(self, values: NDArray[Any]) -> None:
        """Make these the sum over all, in place; every rank calls it with as many."""

    def fail(self, failed: Failed) -> None:
        """Say why the run cannot go on."""
        tell(failed)

    def mine(self, things: Sequence[int]) -> list[int]:
        """Which of these are this rank's."""
        return list(things[self.rank :: self.size])


ALONE = Alone()


class Team(Alone):
    """One rank of several. The leader has pipes to and from each of the others, these to and from the leader alone."""

    def __init__(self, rank: int, size: int, memory: int, pipes: Sequence[Pipes]) -> None:
        self.rank, self.size = rank, size
        self._memory, self._pipes = memory, pipes
        self._map: mmap.mmap | None = None

    def meet(self, word: bytes = GO) -> bytes:
        """Raises TuningFault where another rank could not go on."""
        if self.rank:
            return self._follow()
        for pipes in self._pipes:
            said = pipes.heard.readline()
            if said != _HERE:
                raise TuningFault(*_fault(said, pipes.process))
        for pipes in self._pipes:
            try:
                pipes.told.write(word + b"\n")
                pipes.told.flush()
            except OSError:  # it died while it waited for the others
                raise TuningFault(*_fault(b"", pipes.process)) from None
        return word

    def _follow(self) -> bytes:
        (pipes,) = self._pipes
        try:
            pipes.told.write(_HERE)
            pipes.told.flush()
        except OSError:
            os._exit(0)  # the leader has ended
        word = pipes.heard.readline().strip()
        if not word:
            os._exit(0)
        return word

    def add(self, values: NDArray[Any]) -> None:
        flat = values.reshape(-1)
        parts, whole = self._shared(flat)
        parts[self.rank] = flat
        self.meet()
        edges = np.linspace(0, len(flat), self.size + 1).astype(int)
        part = slice(edges[self.rank], edges[self.rank + 1])
        whole[part] = parts[0, part]
        for other in parts[1:]:
            whole[part] += other[part]
        self.meet()
        flat[:] = whole

    def _shared(self, like: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Room for what each rank brings, and for the sum: the first rank that needs more makes the file longer."""
        room = (self.size + 1) * like.nbytes
        if self._map is None or len(self._map) < room:
            if not self.rank:
                os.ftruncate(self._memory, room)
            self.meet()
            self._map = mmap.mmap(self._memory, room)
        held = np.frombuffer(self._map, like.dtype, (self.size + 1) * len(like)).reshape(self.size + 1, len(like))
        return held[:-1], held[-1]

    def fail(self, failed: Failed) -> None:
        """The leader says it for all; a rank tells the leader."""
        if not self.rank:
            return tell(failed)
        (pipes,) = self._pipes
        with suppress(OSError):  # the leader has ended
            pipes.told.write(msgspec.json.encode(failed) + b"\n")
            pipes.told.flush()
        return None


class Pipes(msgspec.Struct):
    """Both ends that a rank has of its pipes to another, whose process this is (0: the leader's)."""

    heard: IO[bytes]
    told: IO[bytes]
    process: int = 0


def gathered(size: int, work: Path) -> Alone:
    """The rank that this process is from here on. Call it before anything is loaded that has threads."""
    if size == 1:
        return ALONE
    memory, led = _memory(work), list[Pipes]()
    for rank in range(1, size):
        up, down, leader = os.pipe(), os.pipe(), os.getpid()
        process = os.fork()
        if not process:
            for other in led:  # of ranks before: an end that stays open here would hide that theirs is closed
                other.heard.close()
                other.told.close()
            os.close(up[0])
            os.close(down[1])
            _follow(leader)
            return Team(rank, size, memory, [Pipes(os.fdopen(down[0], "rb"), os.fdopen(up[1], "wb"))])
        os.close(up[1])
        os.close(down[0])
        led.append(Pipes(os.fdopen(up[0], "rb"), os.fdopen(down[1], "wb"), process))
    return Team(0, size, memory, led)


def _follow(leader: int) -> None:
    """What a rank is beside the leader: it says nothing, is not asked to stop, and ends with it."""
    die_with_parent(leader)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)


def _memory(work: Path) -> int:
    """A file that lies in memory, where the system has such."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("gradients")
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryFile(dir=work) as file:
        return os.dup(file.fileno())


def _fault(said: bytes, process: int) -> tuple[Any, str]:
    """Why a rank could not go on. What ended without a word ends this process in the same way."""
    if not said:
        _, status = os.waitpid(process, 0)
        _end_like(os.waitstatus_to_exitcode(status))
    failed = msgspec.json.decode(said, type=Failed)
    return failed.kind, failed.why


def _end_like(code: int) -> NoReturn:
    if code < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stderr.flush()
    os._exit(code or 1)
