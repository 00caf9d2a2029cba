"""Where queries are run: in child processes, two at once in each process that serves, the others wait their turn.

Owns the life of a query from Scheduled to its end: its child, the time and bytes that it may take, that it is told of
every second, and that it ends when somebody has stopped it. A process that is killed takes its queries along, and they
are found lost. It must not know AWS's operations.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from craton.features.logs.insights.query import COMPLETE, FAILED, PURPOSE, RUNNING, SCHEDULED, TIMEOUT, About, Task
from craton.infra.cipher.port import CipherError
from craton.infra.series.port import NoSuchSeries
from craton.infra.store.port import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.features.logs.insights.program import Ending, Order, Result, Share, Tally
    from craton.infra.cipher.port import Cipher
    from craton.infra.series.port import SeriesStore
    from craton.infra.series.sealing import Rows

T = TypeVar("T")

_PROGRAM = "craton.features.logs.insights.program"
_AT_ONCE = 2
_BEAT_S = 1.0
_LAST_WORDS_S = 20.0
"""How much longer than its time a query may take to say what it has."""
_LENGTH_BYTES = 4


class Stopped(Exception):
    """Somebody has ended the query."""


class Limits(msgspec.Struct, frozen=True):
    """What one query may take."""

    time_s: float
    scan_bytes: int


class Desk:
    """One for each process that serves."""

    def __init__(
        self, rows: Rows, series: SeriesStore, cipher: Cipher, now_ms: Callable[[], int], limits: Limits,
        report: Callable[[BaseException], None],
    ) -> None:  # fmt: skip
        self._rows = rows
        self._series = series
        self._cipher = cipher
        self._now_ms = now_ms
        self._limits = limits
        self._report = report
        self._seats = asyncio.Semaphore(_AT_ONCE)
        self._running: set[asyncio.Task[None]] = set()

    def start(self, task: Task) -> None:
        """Run a query whose row is kept; it goes on by itself."""
        running = asyncio.create_task(self._run(task), name="log query")
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """End all queries."""
        for running in self._running:
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _run(self, task: Task) -> None:
        asking = Asking(task, self._series, self._limits)
        try:
            async with self._told(asking, SCHEDULED):
                await self._seats.acquire()
            try:
                await self._ask(task, asking)
            finally:
                self._seats.release()
        except Stopped:
            return
        except asyncio.CancelledError:  # the process ends
            with contextlib.suppress(Stopped, StoreError):
                await self._tell(task, FAILED, asking.about)
            raise
        except (
            StoreError, CipherError, NoSuchSeries, OSError, asyncio.IncompleteReadError, msgspec.DecodeError,
        ) as error:  # fmt: skip
            self._report(error)
            with contextlib.suppress(Stopped, StoreError):
                await self._tell(task, FAILED, asking.about)

    async def _ask(self, task: Task, asking: Asking) -> None:
        await self._tell(task, RUNNING, asking.about)
        try:
            async with self._told(asking, RUNNING), asyncio.timeout(self._limits.time_s + _LAST_WORDS_S):
                result = await asking.run()
        except TimeoutError:
            await self._tell(task, TIMEOUT, asking.about)
            return
        key = next((source.space.key for source in task.sources if source.space.key is not None), None)
        asked = task.asked
        sealed = await self._cipher.seal(
            asked.account, PURPOSE, key, msgspec.msgpack.encode(result.rows), {"query": asked.id}, region=asked.region
        )
        status = FAILED if result.tally.is_damaged else TIMEOUT if asking.was_cut else COMPLETE
        await self._tell(task, status, asking.about, sealed)

    @contextlib.asynccontextmanager
    async def _told(self, asking: Asking, status: str) -> AsyncGenerator[None]:
        """While something goes on, say every second that it does; raises Stopped in it once somebody ended the query."""
        owner = asyncio.current_task()
        was_stopped = False

        async def tell() -> None:
            nonlocal was_stopped
            while True:
                await asyncio.sleep(_BEAT_S)
                try:
                    await self._tell(asking.task, status, asking.about)
                except Stopped:
                    was_stopped = True
                    if owner is not None:
                        owner.cancel()
                    return
                except StoreError as error:
                    self._report(error)

        telling = asyncio.create_task(tell(), name="log query told")
        try:
            yield
        except asyncio.CancelledError:
            if was_stopped and owner is not None:
                owner.uncancel()
                raise Stopped from None
            raise
        finally:
            telling.cancel()

    async def _tell(self, task: Task, status: str, about: About, sealed: bytes = b"") -> None:
        """Raises Stopped."""
        from craton.features.logs.insights import rows

        ident, now_ms = task.asked.id, self._now_ms()

        def work(connection: Connection) -> bool:
            return rows.tell(connection, ident, status, about, now_ms, sealed)

        if not await self._rows.keep(lambda tx: tx.run(work)):
            raise Stopped


class Asking:
    """One query and its child. `about` is how far it is."""

    def __init__(self, task: Task, series: SeriesStore, limits: Limits) -> None:
        self.about = task.asked.about
        self.was_cut = False
        self.task = task
        self._series = series
        self._limits = limits
        self._clock = asyncio.get_running_loop().time
        self._started_at = 0.0

    async def run(self) -> Result:
        """Raises Stopped, and what reading raises."""
        from craton.features.logs.insights.program import Ending, Order, Result, Share, Tally

        task, self._started_at = self.task, self._clock()
        child = await asyncio.create_subprocess_exec(
            # -I: nothing of the environment or of the working directory.
            sys.executable, "-I", "-m", _PROGRAM,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            await _send(child, Order(task.asked.about.query, task.limit, task.stop_ms, self._limits.time_s))
            for source in task.sources:
                start_ms = max(task.start_ms, source.oldest_ms)
                async with contextlib.aclosing(self._series.blocks(source.space, start_ms, task.stop_ms)) as blocks:
                    async for some in blocks:
                        share = Share(f"{task.asked.account}:{source.name}", some.sealed, some.lasting, start_ms)
                        await _send(child, share)
                        if self._is_enough(await _received(child, Tally)):
                            break
                if self.was_cut:
                    break
            await _send(child, Ending())
            result = await _received(child, Result)
            self._note(result.tally)
            return result
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    def _is_enough(self, tally: Tally) -> bool:
        self._note(tally)
        is_late = self._clock() - self._started_at > self._limits.time_s
        if tally.is_over or is_late or tally.scanned_bytes > self._limits.scan_bytes:
            self.was_cut = True
        return self.was_cut

    def _note(self, tally: Tally) -> None:
        self.about = msgspec.structs.replace(
            self.about, scanned=tally.scanned, scanned_bytes=tally.scanned_bytes, matched=tally.matched,
            skipped=tally.skipped, took_ms=round((self._clock() - self._started_at) * 1000),
        )  # fmt: skip


async def _send(child: asyncio.subprocess.Process, message: Order | Share | Ending) -> None:
    assert child.stdin is not None  # noqa: S101 - it was started with pipes
    body = msgspec.msgpack.encode(message)
    child.stdin.writelines((len(body).to_bytes(_LENGTH_BYTES, "little"), body))
    await child.stdin.drain()


async def _received(child: asyncio.subprocess.Process, kind: type[T]) -> T:
    assert child.stdout is not None  # noqa: S101 - likewise
    length = int.from_bytes(await child.stdout.readexactly(_LENGTH_BYTES), "little")
    return msgspec.msgpack.decode(await child.stdout.readexactly(length), type=kind)
