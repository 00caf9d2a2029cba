"""Which target of a route is tried, in which order, and when the next one is.

The weights choose among the ordinary targets; fallbacks come only after all of those failed. Another target is
tried only while the caller has seen no byte and the fault is one that another upstream may not have.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from craton.aws.wire.faults import Fault
from craton.features.inference.routes import Route, Target

# Not worth a second try at the same place, but another upstream may well answer.
ONE_UPSTREAMS_OWN = frozenset({"ModelErrorException"})

T = TypeVar("T")


def order(route: Route) -> list[Target]:
    """The targets in the order of trying: weighted at random, then the fallbacks as they stand."""
    first = [target for target in route.targets if not target.fallback and target.weight > 0]
    # Exponential keys with rate = weight sort into a weighted random order without replacement.
    first.sort(key=lambda target: random.expovariate(target.weight))
    return first + [target for target in route.targets if target.fallback]


def first_answer(route: Route, ask: Callable[[Target], Coroutine[Any, Any, T]]) -> Coroutine[Any, Any, T]:
    """The first answer that a target gives; the last fault if none does."""
    return ask(route.targets[0]) if len(route.targets) == 1 else _first_of_many(route, ask)


async def _first_of_many(route: Route, ask: Callable[[Target], Awaitable[T]]) -> T:
    targets = order(route)
    for position, target in enumerate(targets, 1):
        try:
            return await ask(target)
        except Fault as fault:
            if position == len(targets) or not (fault.retryable or fault.name in ONE_UPSTREAMS_OWN):
                raise
    raise Fault("ServiceUnavailableException", "This model has no target that takes requests.")


E = TypeVar("E")


Opening = tuple[AsyncGenerator[list[E]], Callable[[], None]]
"""A stream, and what is to be done once its first piece has come."""


class Opened(AsyncIterator[list[E]]):
    """A stream whose first piece has come. Iterate once, and always `aclose`.

    It is no generator: each piece would pay for it.
    """

    __slots__ = ("_first", "_rest")

    def __init__(self, first: list[E], rest: AsyncGenerator[list[E]]) -> None:
        self._first: list[E] | None = first
        self._rest = rest

    def __anext__(self) -> Coroutine[Any, Any, list[E]]:
        return self._rest.__anext__() if self._first is None else self._begin(self._first)

    async def _begin(self, first: list[E]) -> list[E]:
        self._first = None
        return first

    async def aclose(self) -> None:
        await self._rest.aclose()


async def first_stream(route: Route, open_stream: Callable[[Target], Opening[E]]) -> Opened[E]:
    """The first stream that begins: faults before its first piece are the caller's HTTP error, or the next target's turn."""

    async def begin(target: Target) -> Opened[E]:
        stream, begun = open_stream(target)
        try:
            async for first in stream:
                begun()
                return Opened(first, stream)
        except BaseException:
            await stream.aclose()
            raise
        raise Fault("ModelErrorException", "The model ended its answer before it began.")

    return await first_answer(route, begin)
