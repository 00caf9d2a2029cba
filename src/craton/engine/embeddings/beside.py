"""What nobody waits for, computed beside everything else: a session of its own, by threads that give way to all others.

Owns when that session is opened and let go, and by how much its threads give way. Two sessions and not one, because
whoever waits would wait for a whole batch of the others' texts, and because a thread that has given way cannot be told
to come forward again. It must not know requests; the queue is `batches`', as in front.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from craton.engine.backend import EngineFault, Stats
from craton.engine.embeddings.batches import Batches
from craton.engine.embeddings.session import Results
from craton.engine.embeddings.tokens import Row
from craton.engine.memory import free_bytes

NICE = 19
"""The least share there is: a sixtieth of that of a thread that does not give way, where both want the same core."""
KEPT_S = 60.0
FIRST_TEXTS = 128
"""So many that nobody waits for are computed in front, in their turn: opening a session is worth that much work."""
MOST_WEIGHTS_BYTES = 512 << 20
"""Of a larger model there is no second copy: what nobody waits for comes last in the one queue."""
_FREE_FACTOR = 4
_WEIGHTS = frozenset({".onnx", ".data", ".safetensors"})


class Runs(Protocol):
    """What of a `session.Session` is needed here."""

    def run(self, rows: Sequence[Row]) -> Results: ...


class Yielding:
    """A session that is opened by the first thread that needs it. Every thread that computes with it gives way.

    `otherwise`: the one in front, for where there is no room for another.
    """

    def __init__(self, opening: Callable[[], Runs], otherwise: Runs) -> None:
        self._opening = opening
        self._otherwise = otherwise
        self._session: Runs | None = None
        self._turn = threading.Lock()
        self._giving = threading.local()

    def __call__(self, rows: Sequence[Row]) -> Results:
        if not getattr(self._giving, "way", False):
            self._giving.way = True
            with suppress(OSError):  # where the system does not let it, it is a session like the other
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        with self._turn:
            session = self._session = self._session or self._opened()
        return session.run(rows)

    def _opened(self) -> Runs:
        try:
            return self._opening()
        except (EngineFault, OSError, MemoryError):
            return self._otherwise

    def let_go(self) -> None:
        """Have its memory back as soon as nothing is computed."""
        self._session = None


class Beside:
    """`Batches` whose session is held only as long as there is work."""

    def __init__(self, yielding: Yielding, width: int, threads: int, loop: asyncio.AbstractEventLoop) -> None:
        self._yielding = yielding
        # A batch for each thread: none waits for another's part, which computes a tenth more than one batch for all.
        self._batches = Batches(yielding, width, 1, loop, lanes=threads)
        self._loop = loop
        self._rest: asyncio.TimerHandle | None = None
        self._seen = 0

    def takes(self, texts: int) -> bool:
        """Whether it is worth while: these texts, and all others since there was nothing to do, are many."""
        self._seen += texts
        self._wait()
        return self._seen > FIRST_TEXTS

    def start(self) -> None:
        """Begin to wait for work."""
        self._batches.start()

    def submit(self, rows: Sequence[Row], *, unhurried: bool = True) -> asyncio.Future[Results]:
        """See Batches.submit."""
        future = self._batches.submit(rows, unhurried=unhurried)
        future.add_done_callback(self._wait)
        return future

    def look(self) -> Stats:
        """See Batches.look."""
        return self._batches.look()

    def added(self, stats: Stats) -> Stats:
        """The figures of the queue in front, with what is done here."""
        here = self._batches.look()
        if not here.requests:
            return stats
        return replace(
            stats,
            state=here.state if stats.state == "ready" else stats.state,
            running=stats.running + here.running,
            waiting=stats.waiting + here.waiting,
            requests=stats.requests + here.requests,
            prompt_tokens=stats.prompt_tokens + here.prompt_tokens,
        )

    def stop(self, timeout_s: float) -> None:
        """End the threads; what waits is refused."""
        self._batches.stop(timeout_s)

    def _wait(self, _: object = None) -> None:
        """Rest from some time after the last that was heard of."""
        if self._rest is not None:
            self._rest.cancel()
        self._rest = self._loop.call_later(KEPT_S, self._let_go)

    def _let_go(self) -> None:
        if not self._batches.stats.waiting:
            self._seen = 0
            self._yielding.let_go()


def has_room(directory: Path) -> bool:
    """Whether this machine should hold a model's weights twice."""
    weights = sum(one.stat().st_size for one in directory.iterdir() if one.suffix in _WEIGHTS and one.is_file())
    return weights <= MOST_WEIGHTS_BYTES and weights * _FREE_FACTOR <= free_bytes()
