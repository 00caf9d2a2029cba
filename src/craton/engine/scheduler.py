"""Continuous batching: the thread that decides which rows are computed next, and picks their tokens.

Owns the queue, the rows' assignment, prefix reuse and the loop. A request joins between any two steps and leaves the
moment it ends or its reader goes; long prompts are computed in pieces between the others' steps, so that nobody's
answer stands still. Knows no text and no HTTP; a model runtime only as `Rows`.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import deque

import numpy as np
from numpy.typing import NDArray

from craton.engine.backend import Delta, Finish, Stats, TokenLogprob
from craton.engine.requests import Job
from craton.engine.rows import Logits, Rows

# Between two decoding steps prompts are computed in pieces (`Rows.piece_tokens`), at least one, and further ones while
# this much time has not passed: new requests begin soon, and running answers never stand still for long.
FILL_S = 0.08
# A shared beginning shorter than this is not worth the copy.
SHORTEST_PREFIX = 16
# So many failed steps in a row, and the runtime is held to be broken.
FAILURES_TO_BREAK = 3


class Scheduler:
    """Drives one `Rows` on a thread of its own and hands deltas to `loop`."""

    def __init__(self, rows: Rows, eos: frozenset[int], loop: asyncio.AbstractEventLoop, stats: Stats) -> None:
        self._rows = rows
        self._eos = eos
        self._loop = loop
        self._stats = stats
        self._wake = threading.Condition()
        self._inbox: deque[Job] = deque()
        self._stopping = False
        self._waiting: deque[Job] = deque()
        self._active: list[Job] = []
        self._filling: Job | None = None
        # Tokens whose positions in a row's cache are valid, whether the row is in use or only remembers them.
        self._held: list[list[int]] = [[] for _ in range(rows.capacity)]
        # What each row was computed with: tokens alone do not make two beginnings alike.
        self._worn: list[object | None] = [None] * rows.capacity
        self._ready: list[tuple[Job, Delta]] = []
        self._step_began = 0.0
        self._rate: deque[tuple[float, int]] = deque(maxlen=64)
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Begin; deltas of jobs that were added before flow from now on."""
        self._thread.start()

    def add(self, job: Job) -> None:
        """Queue a job (any thread)."""
        with self._wake:
            self._inbox.append(job)
            self._stats.waiting += 1
            self._wake.notify()

    def cancel(self, job: Job) -> None:
        """Drop a job wherever it is; its row is free before the next step (any thread)."""
        job.cancelled = True

    def stop(self, timeout_s: float) -> bool:
        """End the loop; False when it does not come back in time."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def step_s(self) -> float:
        """How long the step that is now computed has taken, 0 between steps."""
        began = self._step_began
        return time.monotonic() - began if began else 0.0

    def tokens_per_s(self) -> float:
        """Tokens generated per second of the last five seconds."""
        now = time.monotonic()
        recent = [(at, count) for at, count in list(self._rate) if now - at <= 5]
        return sum(count for _, count in recent) / max(0.05, now - recent[0][0]) if recent else 0.0

    def _run(self) -> None:
        while self._take_inbox():
            self._step_began = time.monotonic()
            try:
                self._turn()
                self._stats.failures_in_a_row = 0
            except Exception as fault:  # the loop must live: one bad request must not end the others' server
                self._fail_all(fault)
            self._step_began = 0.0
            self._hand_over()
        self._end_all("the engine stops")
        self._hand_over()

    def _take_inbox(self) -> bool:
        """Wait for work; False when the loop must end."""
        with self._wake:
            while not (self._inbox or self._stopping or self._waiting or self._active or self._filling):
                self._wake.wait()
            self._collect()
            return not self._stopping

    def _collect(self) -> None:
        """Move what arrived to the queue: a deque's own operations need no lock."""
        while self._inbox:
            self._waiting.append(self._inbox.popleft())

    def _turn(self) -> None:
        """One round: drop who left, compute some prompt, one step for all rows."""
        for job in [each for each in self._active if each.cancelled]:
            self._release(job)
        if self._filling is not None and self._filling.cancelled:
            self._filling = None
        self._fill()
        self._count()
        if self._active:
            self._decode()
        self._count()

    def _count(self) -> None:
        self._stats.running = len(self._active) + (self._filling is not None)
        with self._wake:
            self._stats.waiting = len(self._waiting) + len(self._inbox)

    def _fill(self) -> None:
        """Compute prompts for a while; see FILL_S."""
        began = time.monotonic()
        while True:
            job = self._filling or self._next_waiting()
            if job is None:
                return
            prompt = job.generation.prompt
            piece = prompt[job.filled : job.filled + self._rows.piece_tokens]
            logits = self._rows.prefill(job.row, piece, job.filled)
            self._held[job.row] += piece
            job.filled += len(piece)
            if job.filled == len(prompt):
                self._filling = None
                self._activate(job, logits)
            if time.monotonic() - began > FILL_S or job.cancelled:
                return
            # First tokens leave at once; they do not wait for the prompts behind them.
            self._hand_over()
            self._collect()

    def _next_waiting(self) -> Job | None:
        """The next job that gets a row, placed and with what can be reused of other rows' caches."""
        while self._waiting and len(self._active) < self._rows.capacity:
            job = self._waiting.popleft()
            if job.cancelled:
                continue
            job.row = len(self._active)
            self._dress(job)
            job.filled = job.cached = self._reuse(job)
            self._held[job.row] = job.generation.prompt[: job.filled]
            self._filling = job
            self._stats.prompt_tokens += len(job.generation.prompt)
            self._stats.cached_prompt_tokens += job.cached
            self._stats.requests += 1
            return job
        return None

    def _dress(self, job: Job) -> None:
        if self._worn[job.row] is not job.adapter:
            self._rows.wear(job.row, job.adapter)
            self._worn[job.row], self._held[job.row] = job.adapter, []

    def _reuse(self, job: Job) -> int:
        """Bring the longest beginning that any row shares with the prompt into the job's row; its length."""
        # The last token is always computed: its logits are what the first pick needs.
        prompt = job.generation.prompt[:-1]
        all_rows = range(self._rows.capacity) if self._rows.copies else (job.row,)
        rows = (row for row in all_rows if self._worn[row] is job.adapter)
        best, length = max(((row, shared(self._held[row], prompt)) for row in rows), key=lambda found: found[1])
        if length < SHORTEST_PREFIX:
            return 0
        if best != job.row:
            self._rows.copy(best, job.row, length)
        return length

    def _activate(self, job: Job, logits: Logits) -> None:
        """Pick the first token of a job whose prompt is computed, and let it decode from now on."""
        row = len(self._active)
        if job.row != row:
            # Rows left while this prompt was being computed; those that decode must stay side by side.
            self._swap(job.row, row)
            job.row = row
        self._active.append(job)
        self._picked(job, *job.sampler.pick(logits, job.grammar.mask() if job.grammar else None))

    def _decode(self) -> None:
        """One step: append every row's last token, pick the next ones."""
        jobs = list(self._active)
        tokens = np.fromiter((job.token for job in jobs), np.int64, len(jobs))
        lengths = np.fromiter((len(self._held[job.row]) for job in jobs), np.int64, len(jobs))
        logits = self._rows.decode(tokens, lengths)
        for job in jobs:
            self._held[job.row].append(job.token)
        likeliest: NDArray[np.int64] | None = None
        if any(job.sampler.plain and job.grammar is None for job in jobs):
            likeliest = logits.argmax(axis=1)
        # Backwards: a job that ends is exchanged with the last one, whose logits were looked at before.
        for at in range(len(jobs) - 1, -1, -1):
            job = jobs[at]
            if likeliest is not None and job.sampler.plain and job.grammar is None:
                self._picked(job, int(likeliest[at]), None)
            else:
                self._picked(job, *job.sampler.pick(logits[at], job.grammar.mask() if job.grammar else None))
        self._rate.append((time.monotonic(), len(jobs)))
        self._stats.generated_tokens += len(jobs)

    def _picked(self, job: Job, token: int, logprob: TokenLogprob | None) -> None:
        room = self._rows.context_tokens - len(self._held[job.row]) - 1
        finish = job.take(token, logprob, self._eos, room)
        error = "the grammar is too complex to follow" if finish == "error" else None
        if finish is not None:
            self._release(job)
        self._ready.append((job, job.delta(finish, error)))

    def _release(self, job: Job) -> None:
        """Take a job out of the batch: the last row moves into its place, so that the batch has no hole."""
        last = self._active[-1]
        if last is not job:
            self._swap(job.row, last.row)
            self._active[job.row] = last
            last.row = job.row
        self._active.pop()

    def _swap(self, one: int, other: int) -> None:
        self._rows.swap(one, other, len(self._held[one]), len(self._held[other]))
        self._held[one], self._held[other] = self._held[other], self._held[one]
        self._worn[one], self._worn[other] = self._worn[other], self._worn[one]

    def _hand_over(self) -> None:
        """Give the round's deltas to the event loop: one wake-up for all of them."""
        ready, self._ready = self._ready, []
        if ready and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_deliver, ready)

    def _fail_all(self, fault: Exception) -> None:
        """End what was being computed; caches are no longer trusted."""
        self._stats.failures_in_a_row += 1
        sys.stderr.write(f"craton-engine state=step-failed reason={type(fault).__name__}\n")
        self._end_all("the model runtime failed", waiting=self._stats.failures_in_a_row >= FAILURES_TO_BREAK)
        self._held = [[] for _ in range(self._rows.capacity)]

    def _end_all(self, reason: str, *, waiting: bool = True) -> None:
        ending = [*self._active, *([self._filling] if self._filling else [])]
        if waiting:
            with self._wake:
                ending += [*self._waiting, *self._inbox]
                self._waiting.clear()
                self._inbox.clear()
        self._active, self._filling = [], None
        finish: Finish = "error"
        self._ready += [(job, job.delta(finish, reason)) for job in ending]
        self._stats.running = 0


def _deliver(ready: list[tuple[Job, Delta]]) -> None:
    for job, delta in ready:
        if not job.cancelled:
            job.stream.push(delta)


def shared(held: list[int], prompt: list[int]) -> int:
    """How many tokens both begin with."""
    length = min(len(held), len(prompt))
    if held[:length] == prompt[:length]:
        return length
    low, high = 0, length
    # Slices compare in C: halving beats a loop over thousands of tokens.
    while low < high - 1:
        middle = (low + high) // 2
        if held[low:middle] == prompt[low:middle]:
            low = middle
        else:
            high = middle
    return low
