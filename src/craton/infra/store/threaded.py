"""The store as a worker's event loop uses it: one thread, opened at the first call, every write taken up everywhere.

Owns the thread, the moment of opening, the order of a write (commit, then refresh), and what is done when the database
goes away: work that did not happen is run again for a while, so that a database that is started anew is a pause and no
error; work that may have happened is not. A server whose callers ask for nothing stored never loads the SQL toolkit. It
must not know what rows mean or who refreshes how; both are given.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TypeVar

from craton.infra.store.pages import PageTokens
from craton.infra.store.port import Interrupted, Reader, Store, Transaction

T = TypeVar("T")

PATIENCE_S = 8.0
"""How long after it was asked for a work may begin anew. Clients wait a minute for an answer, most of them."""
_PAUSE_FIRST_S, _PAUSE_MAX_S = 0.05, 0.5


class ThreadedStore:
    """`context.Storage` over a store of this process.

    Args:
        open_store: opens the store; called in the thread, at most once unless it fails.
        refresh: returns when every worker lives by what the store holds.
        page_secret: gives the secret of page tokens, the same for all servers on the store.
        patience_s: how long work that could not happen is tried again.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        refresh: Callable[[], Awaitable[None]],
        page_secret: Callable[[], bytes],
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._open = open_store
        self._refresh = refresh
        self._page_secret = page_secret
        self._patience_s = patience_s
        self._store: Store | None = None

    @cached_property
    def pages(self) -> PageTokens:
        return PageTokens(self._page_secret())

    async def read(self, work: Callable[[Reader], T]) -> T:
        def look() -> T:
            with self._opened().reading() as reader:
                return work(reader)

        return await self._run(look)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        done = await self.keep(work)
        await self._refresh()
        return done

    async def keep(self, work: Callable[[Transaction], T]) -> T:
        def commit() -> T:
            with self._opened().transaction() as transaction:
                return work(transaction)

        return await self._run(commit)

    def close(self) -> None:
        """Let the store go. A write that is under way is finished first, or the process ends with it."""
        if "_thread" in self.__dict__:
            self._thread.shutdown(wait=False)
        if self._store is not None:
            self._store.close()

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    async def _run(self, work: Callable[[], T]) -> T:
        # A caller that leaves meanwhile does not undo the write; the supervisor's own watch then spreads it.
        until = time.monotonic() + self._patience_s
        return await asyncio.get_running_loop().run_in_executor(self._thread, persistent, work, until)

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._open()
        return self._store


def persistent(work: Callable[[], T], until: float) -> T:
    """The result of work that is run again while the database is away, until a moment of the monotonic clock."""
    pause_s = _PAUSE_FIRST_S
    while True:
        try:
            return work()
        except Interrupted:
            if time.monotonic() + pause_s > until:
                raise
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, _PAUSE_MAX_S)
