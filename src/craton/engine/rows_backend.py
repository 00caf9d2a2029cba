"""The one backend of models that write text: a table of rows, a scheduler, grammars and adapters.

Owns the scheduler's life and what a request needs before it is queued. Which runtime computes the rows is `opening`'s
business. Knows no HTTP and no text.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from craton.engine.adapters import Adapters
from craton.engine.backend import (
    AdapterUnsupported,
    Busy,
    EngineFault,
    Generation,
    ModelSpec,
    Stats,
    Unavailable,
)
from craton.engine.guidance import Grammar
from craton.engine.opening import open_rows
from craton.engine.requests import Job, JobStream
from craton.engine.rows import UNSUPPORTED, Rows
from craton.engine.scheduler import FAILURES_TO_BREAK, Scheduler
from craton.engine.tokenizer import Tokenizer

# Compiled grammars kept for the next request that brings the same tools or schema.
KEPT_GRAMMARS = 32


class RowsBackend:
    """See Backend. One model, one scheduler, one process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tokenizer: Tokenizer, eos: frozenset[int]) -> None:
        self._loop = loop
        self._tokenizer = tokenizer
        self._eos = eos
        self._stats = Stats(state="loading")
        self._scheduler: Scheduler | None = None
        self._max_waiting = 0
        self._grammars: dict[str, Grammar] = {}
        # None: a runtime that serves none.
        self._adapters: Adapters | None = None

    def load(self, spec: ModelSpec) -> None:
        """See Backend."""
        self.serve(open_rows(spec), spec)

    def serve(self, rows: Rows, spec: ModelSpec) -> None:
        """Warm an opened model and begin. Raises EngineFault when it computes no token."""
        logits = rows.prefill(0, [min(1, rows.vocabulary - 1)] * 2, 0)
        if logits.shape != (rows.vocabulary,) or bool(np.isnan(logits).any()):
            raise EngineFault("the model's first logits are not numbers: its files are damaged")
        self._max_waiting = spec.max_waiting
        if rows.adapts:
            self._adapters = Adapters(rows.read_adapter, spec.max_adapters)
        self._stats.context_tokens = rows.context_tokens
        self._stats.max_batch = rows.capacity
        self._stats.threads = spec.threads
        self._stats.kind = rows.kind
        self._scheduler = Scheduler(rows, self._eos, self._loop, self._stats)
        self._scheduler.start()
        self._stats.state = "ready"

    async def submit(self, generation: Generation) -> JobStream:
        """See Backend."""
        scheduler = self._scheduler
        if scheduler is None or self.stats().state != "ready":
            raise Unavailable(f"the model is {self._stats.state}")
        if self._stats.waiting >= self._max_waiting:
            raise Busy(f"{self._stats.waiting} requests are waiting already")
        grammar = await self._grammar(generation.grammar) if generation.grammar is not None else None
        adapter = await self._known().get(generation.adapter) if generation.adapter is not None else None
        job = Job(generation, grammar, scheduler.cancel, adapter)
        scheduler.add(job)
        return job.stream

    async def _grammar(self, lark: str) -> Grammar:
        """A fresh matcher. Compiling takes from milliseconds to a second, so it happens once and off the loop."""
        compiled = self._grammars.pop(lark, None)
        if compiled is None:
            compiled = await asyncio.to_thread(Grammar, self._tokenizer.ll, lark)
        self._grammars[lark] = compiled
        while len(self._grammars) > KEPT_GRAMMARS:
            del self._grammars[next(iter(self._grammars))]
        return compiled.fresh()

    async def load_adapter(self, name: str, path: Path, *, replace: bool = False) -> None:
        """See Backend."""
        await self._known().load(name, path, replace=replace)
        self._stats.adapters = len(self._known())

    async def unload_adapter(self, name: str) -> None:
        """See Backend."""
        await self._known().unload(name)
        self._stats.adapters = len(self._known())

    def adapters(self) -> dict[str, Path]:
        """See Backend."""
        return self._adapters.paths if self._adapters is not None else {}

    def _known(self) -> Adapters:
        if self._adapters is None:
            raise AdapterUnsupported(UNSUPPORTED)
        return self._adapters

    def stats(self) -> Stats:
        """See Backend. `state` is loading, ready or broken."""
        scheduler = self._scheduler
        if scheduler is not None:
            self._stats.step_s = scheduler.step_s()
            self._stats.tokens_per_s = scheduler.tokens_per_s()
            if not scheduler.alive or self._stats.failures_in_a_row >= FAILURES_TO_BREAK:
                self._stats.state = "broken"
        return self._stats

    def close(self) -> None:
        """See Backend."""
        if self._scheduler is not None:
            self._scheduler.stop(2.0)
