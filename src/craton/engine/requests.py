"""One request while it is with the scheduler: its place, its sampling, and the stream its deltas leave by.

Owns the hand-over between the two threads: the scheduler's thread fills `Job`s, the event loop's thread reads
`JobStream`s. Knows neither rows nor HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from craton.engine.backend import Delta, Finish, Generation, TokenLogprob
from craton.engine.guidance import Grammar
from craton.engine.sampling import Sampler


class JobStream:
    """The deltas of one job, for one reader on the event loop. Deltas that were not read yet are joined into one."""

    __slots__ = ("_cancel", "_ended", "_pending", "_waiter")

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._pending: Delta | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False

    def push(self, delta: Delta) -> None:
        """Add what happened; called on the event loop's thread."""
        held = self._pending
        if held is None:
            self._pending = delta
        else:
            held.tokens += delta.tokens
            held.finish = held.finish or delta.finish
            held.error = held.error or delta.error
            if delta.logprobs:
                held.logprobs = (held.logprobs or []) + delta.logprobs
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def cancel(self) -> None:
        """Give the place back; harmless after the end."""
        if not self._ended:
            self._ended = True
            self._cancel()

    def __aiter__(self) -> JobStream:
        return self

    async def __anext__(self) -> Delta:
        if self._ended:
            raise StopAsyncIteration
        if self._pending is None:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._waiter = None
        delta, self._pending = self._pending, None
        if delta is None:
            raise StopAsyncIteration
        self._ended = delta.finish is not None
        return delta


class Job:
    """A request on the scheduler's thread: waiting, being filled in, or decoding in a row."""

    __slots__ = (
        "adapter",
        "cached",
        "cancelled",
        "filled",
        "generated",
        "generation",
        "grammar",
        "logprobs",
        "out",
        "row",
        "sampler",
        "stream",
        "token",
    )

    def __init__(
        self,
        generation: Generation,
        grammar: Grammar | None,
        cancel: Callable[[Job], None],
        adapter: object | None = None,
    ) -> None:
        self.generation = generation
        # As the runtime reads it: the very one, though its name be forgotten or given to another meanwhile.
        self.adapter = adapter
        self.grammar = grammar
        self.sampler = Sampler(generation.sampling)
        self.stream = JobStream(lambda: cancel(self))
        self.row = -1
        # Prompt positions computed so far, and how many of them came from another request's cache.
        self.filled = 0
        self.cached = 0
        # The token picked last, which the next step will append.
        self.token = 0
        self.generated = 0
        self.out: list[int] = []
        self.logprobs: list[TokenLogprob] = []
        self.cancelled = False

    def take(self, token: int, logprob: TokenLogprob | None, eos: frozenset[int], room: int) -> Finish | None:
        """Account for a picked token; the reason why the answer ends here, if it does.

        `room` is how many positions of the context are left after this token.
        """
        if token in eos and not self.generation.ignore_eos:
            return "stop"
        self.token = token
        self.generated += 1
        self.out.append(token)
        if logprob is not None:
            self.logprobs.append(logprob)
        if self.grammar is not None:
            if not self.grammar.advance(token):
                return "error"
            if self.grammar.finished:
                return "stop"
        return "length" if self.generated >= self.generation.max_tokens or room <= 0 else None

    def delta(self, finish: Finish | None, error: str | None = None) -> Delta:
        """What gathered since the last delta."""
        delta = Delta(self.out, finish, self.cached, self.logprobs or None, error)
        self.out, self.logprobs = [], []
        return delta
