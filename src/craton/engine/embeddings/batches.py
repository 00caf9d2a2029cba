"""Texts of many requests computed together: the threads that decide which, and hand the results back.

Owns the queue and the choice. Rows that are computed together should be of like length (padding is wasted work) and not
too many (a processor's cache is small); a request of thousands of texts must not keep a short one waiting, so the
request that has had least so far comes first, and one that nobody waits for only when there is no other. Knows no text and no HTTP; the model only as a function.
"""

from __future__ import annotations

import asyncio
import bisect
import sys
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count

import numpy as np

from craton.engine.backend import EngineFault, Stats
from craton.engine.embeddings.session import Results
from craton.engine.embeddings.tokens import Row

# Tokens per batch and thread, padding included. Measured on all-MiniLM-L6-v2, 2 threads of a core pair with 1 MiB of
# L2: 8 texts of 29 tokens give 104 per CPU-second, one alone 88, 32 give 89, 128 give 51.
BATCH_TOKENS = 256
# A row shorter than this share of the longest beside it waits for a better batch.
FILLED = 0.75
FAILURES_TO_BREAK = 3
Run = Callable[[Sequence[Row]], Results]


class Job:
    """One request: its rows, what of them is computed, and the future that its handler waits for."""

    __slots__ = ("future", "left", "queued", "results", "rows", "served", "unhurried")

    def __init__(
        self, rows: Sequence[Row], width: int, future: asyncio.Future[Results], *, unhurried: bool = False
    ) -> None:
        self.rows = rows
        # Rows that are not computed, and of them those that nobody computes at the moment.
        self.left = self.queued = len(rows)
        self.results: Results = np.empty((len(rows), width), np.float32)
        self.future = future
        # Tokens computed for it, counted from what the others had when it came.
        self.served = 0
        self.unhurried = unhurried


# (length, order of arrival, request, row of it): sorted by length.
Entry = tuple[int, int, Job, int]


class Batches:
    """Drives `run` on `lanes` threads of its own, each with a batch of its own that `threads` compute."""

    def __init__(self, run: Run, width: int, threads: int, loop: asyncio.AbstractEventLoop, *, lanes: int = 1) -> None:
        self._run = run
        self._width = width
        self._budget = BATCH_TOKENS * threads
        self._loop = loop
        self._wake = threading.Condition()
        self._inbox: list[Job] = []
        self._stopping = False
        # Held while the queue changes; whoever submits never waits for it.
        self._turn = threading.Lock()
        self._pending: list[Entry] = []
        self._jobs: list[Job] = []
        self._order = count()
        self._began: dict[int, float] = {}
        # A batch is counted in tokens here, padding included.
        self.stats = Stats(state="ready", threads=threads * lanes, max_batch=self._budget)
        self._lanes = [
            threading.Thread(target=self._work, args=(lane,), name=f"batches {lane}", daemon=True)
            for lane in range(lanes)
        ]

    def start(self) -> None:
        """Begin to compute."""
        for lane in self._lanes:
            lane.start()

    def submit(self, rows: Sequence[Row], *, unhurried: bool = False) -> asyncio.Future[Results]:
        """Queue a request's rows, at least one; cancelling the future drops what of them is not computed yet."""
        job = Job(rows, self._width, self._loop.create_future(), unhurried=unhurried)
        self.stats.requests += 1
        self.stats.prompt_tokens += sum(len(row.ids) for row in rows)
        with self._wake:
            self._inbox.append(job)
            self.stats.waiting += 1
            self._wake.notify()
        return job.future

    def look(self) -> Stats:
        """The figures now. `state` is ready or broken."""
        began = list(self._began.values())
        self.stats.step_s = time.monotonic() - min(began) if began else 0.0
        if not all(lane.is_alive() for lane in self._lanes) or self.stats.failures_in_a_row >= FAILURES_TO_BREAK:
            self.stats.state = "broken"
        return self.stats

    def stop(self, timeout_s: float) -> None:
        """End the threads; what waits is refused."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        for lane in self._lanes:
            lane.join(timeout_s)

    def _work(self, lane: int) -> None:
        while self._wait():
            with self._turn:
                self._take_inbox()
                batch = self._next()
                more = bool(self._pending)
            if more and len(self._lanes) > 1:
                with self._wake:
                    self._wake.notify()
            if not batch:
                continue
            self._began[lane] = time.monotonic()
            try:
                results = self._run([job.rows[at] for _, _, job, at in batch])
                self.stats.failures_in_a_row = 0
            except Exception as fault:  # the loop must live: one bad batch must not end the server
                with self._turn:
                    self._fail(batch, fault)
            else:
                with self._turn:
                    self._keep(batch, results)
            del self._began[lane]
        with self._turn:
            self._take_inbox()
            self._end(self._jobs, "the engine stops")

    def _wait(self) -> bool:
        """Wait for work; False when the thread must end."""
        with self._wake:
            while not (self._inbox or self._stopping or self._pending):
                self._wake.wait()
            return not self._stopping

    def _take_inbox(self) -> None:
        with self._wake:
            arrived, self._inbox = self._inbox, []
        least = min((job.served for job in self._jobs), default=0)
        for job in arrived:
            job.served = least
            self._jobs.append(job)
            self._pending += [(len(row.ids), next(self._order), job, at) for at, row in enumerate(job.rows)]
        if arrived:
            self._pending.sort(key=_length)
            self.stats.running = len(self._jobs)

    def _next(self) -> list[Entry]:
        """The next batch, taken out of the queue."""
        if any(job.future.cancelled() for job in self._jobs):
            self._forget([job for job in self._jobs if job.future.cancelled()])
        queued = [job for job in self._jobs if job.queued]
        if not queued:
            return []
        first = min(queued, key=_turn)
        anchor = next(at for at in range(len(self._pending) - 1, -1, -1) if self._pending[at][2] is first)
        low, high = choose([entry[0] for entry in self._pending], anchor, self._budget)
        batch = self._pending[low:high]
        del self._pending[low:high]
        for _, _, job, _ in batch:
            job.queued -= 1
        return batch

    def _keep(self, batch: list[Entry], results: Results) -> None:
        done: list[Job] = []
        for (length, _, job, at), result in zip(batch, results, strict=True):
            job.results[at] = result
            job.left -= 1
            job.served += length
            if not job.left:
                done.append(job)
        if done:
            self._forget(done)
            self._tell(_deliver, done)

    def _fail(self, batch: list[Entry], fault: Exception) -> None:
        self.stats.failures_in_a_row += 1
        sys.stderr.write(f"craton-engine state=step-failed reason={type(fault).__name__}\n")
        self._end(list({id(entry[2]): entry[2] for entry in batch}.values()), "the model runtime failed")

    def _end(self, jobs: list[Job], reason: str) -> None:
        self._forget(jobs)
        self._tell(_refuse, jobs, reason)

    def _forget(self, jobs: list[Job]) -> None:
        gone = set(map(id, jobs))
        left = [job for job in self._jobs if id(job) not in gone]
        forgotten, self._jobs = len(self._jobs) - len(left), left
        self._pending = [entry for entry in self._pending if id(entry[2]) not in gone]
        with self._wake:
            self.stats.waiting -= forgotten
        self.stats.running = len(self._jobs)

    def _tell(self, callback: Callable[..., None], *values: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *values)


def choose(lengths: Sequence[int], anchor: int, budget: int) -> tuple[int, int]:
    """A stretch of sorted lengths around one that must be in it: [low, high).

    Downwards first, which makes no row longer, then upwards; rows times the longest stay within `budget`, and no row is
    shorter than FILLED of the longest. One row alone may be longer than the budget.
    """
    longest = lengths[anchor]
    floor = bisect.bisect_left(lengths, longest * FILLED)
    low = max(floor, anchor + 1 - max(1, budget // max(1, longest)), 0)
    high = anchor + 1
    while high < len(lengths) and (high + 1 - low) * lengths[high] <= budget and lengths[low] >= lengths[high] * FILLED:
        high += 1
    return low, high


def _length(entry: Entry) -> int:
    return entry[0]


def _turn(job: Job) -> tuple[bool, int]:
    # Of those that nobody waits for the first that came: shared out evenly all would end at once, and whoever sent them
    # would bring the next only then.
    return job.unhurried, 0 if job.unhurried else job.served


def _deliver(jobs: list[Job]) -> None:
    for job in jobs:
        if not job.future.done():
            job.future.set_result(job.results)


def _refuse(jobs: list[Job], reason: str) -> None:
    for job in jobs:
        if not job.future.done():
            job.future.set_exception(EngineFault(reason))
