"""A replica: continuous batching with a fixed number of rows, prefill before decoding, a cache of prefixes.

All rows decode at one pace, which falls with their number; while a prompt is read in, decoding rests. So a row's end is
known in decoded tokens, not in time: `turned` counts the tokens that a row which was there all along would have. A
request that finds no row free waits in the replica's own line, up to `LINE`.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from math import inf

from bench.simulation.traffic import Request

STEP_S = 0.025
STEP_PER_ROW_S = 0.001
PREFILL_PER_S = 4_000.0
CACHE_TOKENS = 60_000
LINE = 64


def step_s(rows: int) -> float:
    """Seconds for one token of each row."""
    return STEP_S + STEP_PER_ROW_S * rows


class Replica:
    """One replica. `next_at` is when something happens in it without anything from outside."""

    __slots__ = (
        "at", "begins", "begun", "cache", "cached", "decoding", "hits", "line", "next_at", "reading", "rows", "slots", "turned",
        "version",
    )  # fmt: skip

    def __init__(self, slots: int, begins: list[float]) -> None:
        """`begins` is filled with when each request's prompt began to be read."""
        self.slots = slots
        self.begins = begins
        self.at = 0.0
        self.turned = 0.0
        self.rows = 0
        self.decoding: list[tuple[float, int, Request]] = []
        self.reading: Request | None = None
        self.begun = 0
        self.line: deque[Request] = deque()
        self.cache: dict[int, int] = {}
        self.cached = 0
        self.hits = 0
        self.next_at = inf
        self.version = 0

    def take(self, now: float, request: Request) -> bool:
        """Give it a request; False if its line is full."""
        if self.rows < self.slots and self.reading is None:
            self.advance(now)
            self.read(now, request)
        elif len(self.line) < LINE:
            self.line.append(request)
        else:
            return False
        return True

    def advance(self, now: float) -> None:
        """Decode until now."""
        if self.reading is None and self.decoding:
            self.turned += (now - self.at) / step_s(len(self.decoding))
        self.at = now

    def read(self, now: float, request: Request) -> None:
        """Begin with a prompt; decoding rests until it is read."""
        self.rows += 1
        self.reading = request
        self.begins[request.number] = now
        tokens = request.prompt
        if request.prefix:
            tokens -= self.known(request)
        self.next_at = now + tokens / PREFILL_PER_S
        self.version += 1

    def known(self, request: Request) -> int:
        """How many tokens of a prompt are in the cache; they are from now on."""
        cache = self.cache
        tokens = cache.pop(request.prefix, 0)
        if tokens:
            self.hits += 1
        else:
            self.cached += request.prefix_tokens
            while self.cached > CACHE_TOKENS and cache:
                self.cached -= cache.pop(next(iter(cache)))
        cache[request.prefix] = request.prefix_tokens
        return tokens

    def happen(self, now: float) -> tuple[Request | None, Request | None]:
        """What is due: a prompt that was read (its first token is out) or an answer that ended. Begins what follows."""
        self.advance(now)
        read, ended = self.reading, None
        if read is not None:
            self.reading = None
            self.begun += 1
            heappush(self.decoding, (self.turned + read.answer, self.begun, read))
        else:
            ended = heappop(self.decoding)[2]
            self.rows -= 1
        if self.line and self.rows < self.slots:
            self.read(now, self.line.popleft())
        else:
            self.version += 1
            left = self.decoding
            self.next_at = now + max(0.0, left[0][0] - self.turned) * step_s(len(left)) if left else inf
        return read, ended
