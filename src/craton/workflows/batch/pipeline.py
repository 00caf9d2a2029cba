"""Many records asked at once, their answers handed out in the order of the input.

Owns the line of records that were taken and not yet handed out, the bound on what they hold in memory, and how it all
comes to a halt: what is under way may finish for a while, what has not begun does not. Whether a call may be made is
the pace's business, inside `ask`. It must not know S3, models or parts.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from craton.features.batch.records import Line, Outcome, Place

WINDOW_BYTES = 24 * 1024 * 1024
WINDOW_RECORDS = 20_000
GRACE_S = 20.0
"""How long calls that are under way may go on once all is to halt."""


class EndOfFile(msgspec.Struct, frozen=True):
    """Behind the last record of a file."""

    file: int


Item = Line | EndOfFile


class _Slot:
    """One place in the line, in the order of the input. `size`: what it holds in memory."""

    __slots__ = ("file", "held", "size")

    def __init__(self, file: int, held: Outcome | EndOfFile | None, size: int) -> None:
        self.file = file
        self.held = held
        self.size = size


class Pipeline:
    """Takes `items` as fast as `workers` can ask; `known` answers are not asked for, new ones go to `keep` as well."""

    def __init__(
        self,
        items: AsyncIterator[Item],
        ask: Callable[[Line], Awaitable[Outcome]],
        workers: int,
        known: dict[Place, Outcome],
        keep: Callable[[Outcome], None],
    ) -> None:
        self._items = items
        self._ask = ask
        self._known = known
        self._keep = keep
        self._slots: deque[_Slot] = deque()
        self._held_bytes = 0
        self._halted = self._over = self._drained = False
        self._error: BaseException | None = None
        self._turn = asyncio.Lock()
        self._room = asyncio.Event()
        self._ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._workers = [loop.create_task(self._work()) for _ in range(workers)]

    def halt(self) -> None:
        """Begin no further record."""
        self._halted = True
        self._room.set()
        self._ready.set()

    async def close(self) -> None:
        """End all work at once."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def next(self, file: int) -> Outcome | None:
        """The next answer of this file, None where there is no further one: it ended, or all was halted.

        Raises what `items` or `ask` raised.
        """
        while True:
            if self._error is not None:
                raise self._error
            if self._slots and self._slots[0].held is not None:
                break
            if self._halted and not self._drained:
                await self._drain()
                continue
            if self._over and not self._slots:
                return None
            self._ready.clear()
            await self._ready.wait()
        if self._slots[0].file != file:
            return None
        held = self._pop()
        return None if isinstance(held, EndOfFile) else held

    @property
    def halted(self) -> bool:
        return self._halted

    def _pop(self) -> Outcome | EndOfFile | None:
        slot = self._slots.popleft()
        self._held_bytes -= slot.size
        self._room.set()
        return slot.held

    async def _drain(self) -> None:
        """Give what is under way its time; then leave out what has no answer."""
        _, late = await asyncio.wait(self._workers, timeout=GRACE_S)
        for worker in late:
            worker.cancel()
        if late:
            await asyncio.wait(late)
        self._slots = deque(slot for slot in self._slots if slot.held is not None)
        self._over = self._drained = True

    async def _work(self) -> None:
        try:
            while (taken := await self._take()) is not None:
                line, slot = taken
                outcome = self._known.pop((line.file, line.number), None)
                if outcome is None:
                    if self._halted:
                        continue
                    outcome = await self._ask(line)
                    self._keep(outcome)
                self._fill(slot, outcome)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # it is raised where the answers are awaited
            self._error = self._error or error
            self._ready.set()

    def _fill(self, slot: _Slot, outcome: Outcome) -> None:
        size = len(outcome.line)
        self._held_bytes += size - slot.size
        slot.held, slot.size = outcome, size
        if self._slots and self._slots[0] is slot:
            self._ready.set()

    async def _take(self) -> tuple[Line, _Slot] | None:
        """The next record and its place in the line; None where there is none, or no more shall be begun."""
        async with self._turn:
            while True:
                await self._wait_for_room()
                # Answers that are there already are handed out even so: they are paid for.
                if self._over or self._error is not None or (self._halted and not self._known):
                    return None
                item = await anext(self._items, None)
                if item is None:
                    self._over = True
                    self._ready.set()
                    return None
                if isinstance(item, Line):
                    slot = _Slot(item.file, None, len(item.data))
                    self._slots.append(slot)
                    self._held_bytes += slot.size
                    return item, slot
                self._slots.append(_Slot(item.file, item, 0))
                self._ready.set()

    async def _wait_for_room(self) -> None:
        while self._held_bytes > WINDOW_BYTES or len(self._slots) > WINDOW_RECORDS:
            if self._halted:
                return
            self._room.clear()
            await self._room.wait()
