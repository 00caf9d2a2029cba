"""Long searches run beside the process that serves: in children, started when one is needed, ended when none was.

Owns the children: how many, how long they wait for work, and that what one could not do is done here. Short searches
stay in this process, in a thread where they are not tiny. It must not know the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence

import msgspec

from craton.infra.cipher.port import Tampered
from craton.infra.series.port import Entry, Sieve, Where
from craton.infra.series.search_program import LENGTH_BYTES, Answer, Sealed, Task, select

_PROGRAM = "craton.infra.series.search_program"
_AT_ONCE = 2
_IDLE_S = 15.0
_IN_PLACE_BYTES = 64 * 1024
"""Up to so much is searched on the loop itself: a thread would cost more."""
_HERE_BYTES = 2 * 1024 * 1024
"""Up to so much in one call is searched in this process: a child takes a tenth of a second to start."""


class Searchers:
    """One for each process that reads."""

    def __init__(self) -> None:
        self._idle: list[asyncio.subprocess.Process] = []
        self._seats = asyncio.Semaphore(_AT_ONCE)
        self._ending: asyncio.TimerHandle | None = None

    async def select(
        self, blocks: list[Sealed], sizes_bytes: Sequence[int], where: Where, sieve: Sieve | None, read_bytes: int
    ) -> list[Entry]:
        """The wanted points of blocks of these plain sizes; `read_bytes` were read in the same call. Raises Tampered."""
        size_bytes = sum(sizes_bytes)
        if size_bytes <= _IN_PLACE_BYTES:
            return select(blocks, where, sieve)
        if read_bytes + size_bytes <= _HERE_BYTES or (sieve is not None and sieve.recipe is None):
            return await asyncio.to_thread(select, blocks, where, sieve)
        shares = [share for share in (blocks[::2], blocks[1::2]) if share]
        found = await asyncio.gather(*(self._beside(share, where, sieve) for share in shares))
        return [entry for entries in found for entry in entries]

    async def close(self) -> None:
        """End the children that wait for work."""
        if self._ending is not None:
            self._ending.cancel()
        while self._idle:
            await _ended(self._idle.pop())

    async def _beside(self, blocks: list[Sealed], where: Where, sieve: Sieve | None) -> list[Entry]:
        async with self._seats:
            child = self._idle.pop() if self._idle else await _started()
            try:
                answer = await _asked(child, task_of(blocks, where, sieve))
            except (
                OSError,
                asyncio.IncompleteReadError,
                msgspec.DecodeError,
            ):  # it was ended by somebody, or by memory
                await _ended(child)
                return await asyncio.to_thread(select, blocks, where, sieve)
            except asyncio.CancelledError:
                child.kill()
                raise
            self._idle.append(child)
            self._end_later()
        if answer.is_damaged:
            raise Tampered
        return [Entry(int(ident), at_ms, kept_ms, name, data) for ident, at_ms, kept_ms, name, data in answer.found]

    def _end_later(self) -> None:
        """End the children when none was asked for a while. A closed pipe ends one; nobody has to wait for it."""
        if self._ending is not None:
            self._ending.cancel()
        self._ending = asyncio.get_running_loop().call_later(_IDLE_S, self._end_idle)

    def _end_idle(self) -> None:
        while self._idle:
            child = self._idle.pop()
            assert child.stdin is not None  # noqa: S101 - it was started with pipes
            child.stdin.close()


def task_of(blocks: list[Sealed], where: Where, sieve: Sieve | None) -> Task:
    beyond = "" if where.beyond is None else str(where.beyond)
    plain = msgspec.structs.replace(where, beyond=None)
    return Task(blocks, plain, beyond, None if sieve is None else sieve.recipe)


async def _started() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        # -I: nothing of the environment or of the working directory.
        sys.executable, "-I", "-m", _PROGRAM,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def _asked(child: asyncio.subprocess.Process, task: Task) -> Answer:
    assert child.stdin is not None  # noqa: S101 - it was started with pipes
    assert child.stdout is not None  # noqa: S101 - likewise
    body = msgspec.msgpack.encode(task)
    child.stdin.writelines((len(body).to_bytes(LENGTH_BYTES, "little"), body))
    await child.stdin.drain()
    length = int.from_bytes(await child.stdout.readexactly(LENGTH_BYTES), "little")
    return msgspec.msgpack.decode(await child.stdout.readexactly(length), type=Answer)


async def _ended(child: asyncio.subprocess.Process) -> None:
    if child.stdin is not None:
        child.stdin.close()
    with contextlib.suppress(ProcessLookupError):
        if child.returncode is None:
            child.kill()
    await child.wait()
