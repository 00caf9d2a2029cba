"""Asks the targets of a route until one answers: which, in which order, when again, and when no more.

Another target, or the same one again, is asked only while the caller has seen no byte, the fault is one that another
try may not meet, and the deadline has not come. A target that said how long to wait is not asked before. A route of
one target that is well takes the short way, one call. Which target comes next is `targets.choice`'s decision, what is
known of each is `targets.state`'s.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from math import inf
from time import monotonic
from types import TracebackType
from typing import Any, Generic, TypeVar

from craton.aws.wire.faults import Fault, model_timeout, throttled, unavailable
from craton.context import Call
from craton.features.inference import tiers
from craton.features.inference.routing.routes import Route, Target
from craton.features.inference.targets.choice import choose
from craton.features.inference.targets.hedge import first_of_two
from craton.features.inference.targets.state import Standing, TargetState, Ticket
from craton.models.canon.request import ServiceTier

# Not worth a second try at the same place, but another upstream may well answer.
ONE_UPSTREAMS_OWN = frozenset({"ModelErrorException"})
PLAIN = Ticket.PLAIN
NO_TARGET = "This model has no target that takes requests."

T = TypeVar("T")
E = TypeVar("E")

Ask = Callable[[Target], Coroutine[Any, Any, T]]


def first_answer(
    route: Route, ask: Ask[T], call: Call | None = None, tier: ServiceTier | None = None
) -> Coroutine[Any, Any, T]:
    """The first answer that a target gives. Raises the Fault of the last that was asked if none does.

    Args:
        route: where the request may go.
        ask: asks one target; may be called again, and with hedging twice at once.
        call: whose request it is; its start counts for the route's deadline.
        tier: the tier as Converse has it in its body.
    """
    sole = route.sole
    if sole is not None and sole.state.calm:
        return asked(sole, ask)
    return Search(route, partial(asked, ask=ask), call, tier).run()


def first_stream(
    route: Route,
    open_stream: Callable[[Target], Opening[E]],
    call: Call | None = None,
    tier: ServiceTier | None = None,
) -> Coroutine[Any, Any, Opened[E]]:
    """The first stream that begins: faults before its first piece are the caller's HTTP error, or the next target's turn."""
    begin = partial(opened, open_stream)
    sole = route.sole
    if sole is not None and sole.state.calm:
        return asked(sole, begin, stays=True)
    return Search(route, partial(asked, ask=begin, stays=True), call, tier, unwanted=Opened.aclose).run()


async def asked(target: Target, ask: Ask[T], *, stays: bool = False) -> T:
    """One target's answer, taken note of. `stays`: an answer that has begun holds its place until it is closed."""
    state = target.state
    state.outstanding += 1
    ticket = PLAIN if state.calm else state.begin(monotonic())
    try:
        answer = await ask(target)
    except BaseException as error:
        if isinstance(error, Fault):
            state.failed_with(error, ticket, monotonic())
        else:
            state.dropped(ticket)
        state.leave()
        raise
    # Written out, for every request passes here.
    state.answered += 1
    state.consecutive = 0
    if ticket is not PLAIN:
        state.close_breaker()
    if not stays:
        state.outstanding -= 1
        if state.gate is not None:
            state.gate.leave()
    return answer


class Search(Generic[T]):
    """One request on its way through the targets of a route."""

    def __init__(
        self,
        route: Route,
        ask: Ask[T],
        call: Call | None,
        tier: ServiceTier | None,
        unwanted: Callable[[T], Awaitable[None]] | None = None,
    ) -> None:
        self.route = route
        self.ask = ask
        self.unwanted = unwanted
        self.rank = tiers.rank(call, tier)
        begun_at = call.started_at if call is not None else monotonic()
        self.until = begun_at + route.retrying.deadline_s if route.retrying.deadline_s else inf
        self.hopeless: set[Target] = set()
        self.last: Fault | None = None

    async def run(self) -> T:
        """The first answer. Raises Fault."""
        usable = [target for target in self.route.targets if target.fallback or target.weight > 0]
        for turn in range(self.route.retrying.retries + 1):
            left = [target for target in usable if target not in self.hopeless]
            # An open breaker spares a request only where another target is; but to knock once must do.
            while (target := self.next(left, last_resort=turn == 0)) is not None:
                left.remove(target)
                try:
                    return await self.try_one(target, left)
                except Fault as fault:
                    self.note(target, fault)
            wait_s = self.pause_s(turn, usable)
            if wait_s is None:
                break
            await asyncio.sleep(wait_s)
        raise self.verdict(usable)

    def next(self, left: list[Target], *, last_resort: bool) -> Target | None:
        """Who is asked now; None where nobody may be, or the time is over."""
        now = monotonic()
        return choose(left, now, last_resort=last_resort) if now < self.until else None

    async def try_one(self, target: Target, left: list[Target]) -> T:
        """Ask a target; where the route hedges and the target is slow, the next one beside it."""
        hedge_s = self.route.retrying.hedge_s
        if not hedge_s or not left:
            return await self.enter(target)

        def beside() -> Coroutine[Any, Any, T] | None:
            other = self.next(left, last_resort=False)
            if other is None:
                return None
            left.remove(other)
            return self.enter(other)

        return await first_of_two(self.enter(target), hedge_s, beside, self.unwanted)

    async def enter(self, target: Target) -> T:
        """Ask a target when it has a place free. Raises Fault."""
        gate = target.state.gate
        if gate is not None:
            await gate.enter(self.rank, self.until)
            if target.state.standing(monotonic()) is Standing.RESTING:  # it said so while this request was in line
                gate.leave()
                raise self.resting([target])
        return await self.ask(target)

    def note(self, target: Target, fault: Fault) -> None:
        """Raise the fault again unless another try may fare better."""
        if not (fault.retryable or fault.name in ONE_UPSTREAMS_OWN):
            raise fault
        original = fault.fields.get("originalStatusCode")
        if isinstance(original, int) and 400 <= original < 500:  # a wrong key or name stays wrong
            self.hopeless.add(target)
        self.last = fault

    def pause_s(self, turn: int, usable: list[Target]) -> float | None:
        """How long to wait before all are asked again; None if that is not to be."""
        retrying, now = self.route.retrying, monotonic()
        if turn >= retrying.retries or not usable:
            return None
        wait_s = min(retrying.backoff_max_s, retrying.backoff_s * 2.0**turn) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load
        rest_s = self.rest_s(usable, now)
        if rest_s > retrying.backoff_max_s:
            return None
        wait_s = max(wait_s, rest_s)
        return wait_s if now + wait_s < self.until else None

    @staticmethod
    def rest_s(usable: list[Target], now: float) -> float:
        """Seconds until the first target may be asked again, where every one wants to be left alone; else 0."""
        return max(0.0, min((target.state.rest_until for target in usable), default=0.0) - now)

    def verdict(self, usable: list[Target]) -> Fault:
        """What the caller hears: the last fault, or how long those that were not asked want to rest."""
        if self.last is not None:
            return self.last
        return model_timeout() if monotonic() >= self.until else self.resting(usable)

    def resting(self, targets: list[Target]) -> Fault:
        """The fault of targets that want to be left alone, with the time until the first may be asked."""
        wait_s = self.rest_s(targets, monotonic())
        if not wait_s:
            return Fault("ServiceUnavailableException", NO_TARGET)
        names = {target.state.rest_name for target in targets}
        return throttled(retry_after_s=wait_s) if "ThrottlingException" in names else unavailable(retry_after_s=wait_s)


Opening = tuple[AsyncGenerator[list[E]], Callable[[], None]]
"""A stream, and what is to be done once its first piece has come and its target is the one that serves."""


class Opened(AsyncIterator[list[E]]):
    """A stream whose first piece has come. Iterate once, within `async with`; the block's Fault is its target's.

    It is no generator: each piece would pay for it. `begun` is to be called by whoever takes it.
    """

    __slots__ = ("_first", "_rest", "_state", "begun")

    def __init__(
        self, first: list[E], rest: AsyncGenerator[list[E]], state: TargetState, begun: Callable[[], None]
    ) -> None:
        self._first: list[E] | None = first
        self._rest = rest
        self._state: TargetState | None = state
        self.begun = begun

    def __anext__(self) -> Coroutine[Any, Any, list[E]]:
        return self._rest.__anext__() if self._first is None else self._begin(self._first)

    async def _begin(self, first: list[E]) -> list[E]:
        self._first = None
        return first

    async def __aenter__(self) -> Opened[E]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        state = self._state
        if state is not None and isinstance(error, Fault):
            state.failed_with(error, Ticket.PLAIN, monotonic())
        await self.aclose()

    async def aclose(self) -> None:
        """End the stream, which frees its place at the target."""
        self._leave()
        await self._rest.aclose()

    def _leave(self) -> None:
        state, self._state = self._state, None
        if state is not None:
            state.leave()

    def __del__(self) -> None:  # its reader went before it read anything
        self._leave()


async def opened(open_stream: Callable[[Target], Opening[E]], target: Target) -> Opened[E]:
    """A target's stream once its first piece is here. Raises Fault."""
    stream, begun = open_stream(target)
    try:
        async for first in stream:
            return Opened(first, stream, target.state, begun)
    except BaseException:
        await stream.aclose()
        raise
    raise Fault("ModelErrorException", "The model ended its answer before it began.")
