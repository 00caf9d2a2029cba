"""Two asks at once: where the first is slow, a second target is asked as well, and the first good answer counts.

Owns the race and its end: the loser is cancelled, and what it may have brought all the same is disposed of. Off by
default, since the upstreams work, and bill, for both. It knows no target: both asks are given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from craton.aws.wire.faults import Fault

T = TypeVar("T")


async def first_of_two(
    first: Coroutine[Any, Any, T],
    after_s: float,
    second: Callable[[], Coroutine[Any, Any, T] | None],
    unwanted: Callable[[T], Awaitable[None]] | None = None,
) -> T:
    """The first good answer of the two. Raises the Fault that came last if neither is good.

    Args:
        first: asked at once. If it fails within `after_s`, that is the answer, and no second is asked.
        after_s: seconds after which the second is asked.
        second: gives the second ask, or None if there is nobody left to ask.
        unwanted: disposes of an answer that came too late.
    """
    pending = {asyncio.create_task(first)}
    won: asyncio.Task[T] | None = None
    try:
        done, pending = await asyncio.wait(pending, timeout=after_s)
        if not done:
            other = second()
            if other is not None:
                pending.add(asyncio.create_task(other))
        while not (won := _good(done)) and pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        return won.result() if won else done.pop().result()
    finally:
        await _dispose({*done, *pending} - {won}, unwanted)


def _good(done: set[asyncio.Task[T]]) -> asyncio.Task[T] | None:
    """One that brought an answer, if any did."""
    return next((task for task in done if task.exception() is None), None)


async def _dispose(tasks: set[asyncio.Task[T]], unwanted: Callable[[T], Awaitable[None]] | None) -> None:
    """End those that still run; close what an ended one brought."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        try:
            answer = await task
        except (Fault, asyncio.CancelledError):
            continue
        if unwanted is not None:
            await unwanted(answer)
