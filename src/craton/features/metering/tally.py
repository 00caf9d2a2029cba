"""The supervisor's tally: what all workers counted, kept in the store every few seconds.

Owns the methods `metrics.add`, by which workers tell, `metrics.read`, the totals since the server began, and
`metrics.keep`; when counts are kept, as metrics and as usage; and the age at which metrics grow coarser and both are given
up. A batch has a number under which the store keeps it once, so an hour's sum is what was served. What was counted and not kept yet is lost when the machine ends: some seconds.
It must not know how metrics are kept, nor what Prometheus reads.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from craton.features.metering.record import NOBODYS, Record, Row, Use, add
from craton.features.metering.totals import Totals
from craton.infra.control.server import Call, Methods
from craton.infra.control.wire import ControlFault
from craton.infra.store.port import Store, StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEEP_EVERY_S = 5.0
SWEEP_EVERY_S = 3600.0
DAY_S = 86_400
# Older than so many days → steps of so many seconds. Minutes outlive the two weeks in which samples may come late.
THINNING = ((15, 300), (63, 3600))
KEEP_DAYS = 90
USAGE_KEEP_DAYS = 400
_THIN_AT_ONCE = 200
_KEEP_AT_ONCE = 100
_MOST_WAITING = 50_000
# While so much waits, uses are told apart no more.
_MOST_USES = 25_000

Ask = Callable[[Callable[[Store], Any]], Awaitable[Any]]
Key = tuple[int, str, str, str, Use]


class Tally:
    """Counts of one server. `ask` runs work with the store, off the loop; `exists` tells whether there is one yet."""

    def __init__(self, ask: Ask, exists: Callable[[], bool]) -> None:
        self.totals = Totals()
        self.lost = 0
        self.heard: Callable[[list[Row]], None] = lambda _rows: None  # who else is told of counts: budgets
        self.budgets: Callable[[], dict[str, tuple[float, float]]] = dict  # what was spent of how much
        self.exported: Callable[[], dict[str, dict[str, int]]] = dict  # what became of telemetry, by signal
        self._ask = ask
        self._exists = exists
        self._waiting: dict[Key, Record] = {}
        self._batch: list[Row] = []
        self._number = 0
        self._writer = secrets.token_hex(8)
        self._heard: dict[int, int] = {}
        self._turn = asyncio.Lock()
        self._swept_at = time.monotonic()
        self._complained = False

    @property
    def methods(self) -> Methods:
        return {"metrics.add": self._add, "metrics.read": self._read, "metrics.keep": self._keep_now}

    async def run(self) -> None:
        """Keep what there is, now and then, until it is cancelled."""
        while True:
            await asyncio.sleep(KEEP_EVERY_S)
            await self.keep()
            if time.monotonic() - self._swept_at > SWEEP_EVERY_S and self._exists():
                self._swept_at = time.monotonic()
                await self.sweep()

    async def keep(self) -> None:
        """Keep what there is, some at a time, since others wait for the store. While it is away all waits here."""
        async with self._turn:
            await self._keep()

    async def at_rest(self, mark: Callable[[], None], work: Callable[[Store], Any]) -> Any:
        """The result of work with the store at a moment, told by `mark`, when it holds all that was told.

        None where there is no such moment: no store yet, or it is away.
        """
        async with self._turn:
            await self._keep()
            if self._batch or self._waiting or not self._exists():
                return None
            mark()
            return await self._ask(work)

    async def _keep(self) -> None:
        while self._batch or self._waiting:
            if not self._batch:
                keys = list(islice(self._waiting, _KEEP_AT_ONCE))
                self._batch = [Row(*key[:4], self._waiting.pop(key), key[4]) for key in keys]
                self._number += 1
            try:
                await self._ask(partial(kept, self._writer, self._number, self._batch))
            except StoreError as error:
                self._complain(error)
                return
            self._batch, self._complained = [], False

    async def sweep(self) -> None:
        """Make old metrics coarser and give up older ones, a little at a time."""
        now_s = int(time.time())
        try:
            for days, step_s in THINNING:
                more = _THIN_AT_ONCE
                while more == _THIN_AT_ONCE:
                    more = await self._ask(partial(thinned, now_s - days * DAY_S, step_s))
            await self._ask(partial(expired, now_s))
        except StoreError as error:
            self._complain(error)

    async def clear(self) -> None:
        """Forget everything that is not kept yet, and the totals."""
        async with self._turn:
            self.totals.clear()
            self._waiting, self._batch, self.lost = {}, [], 0

    async def _add(self, call: Call) -> None:
        """`{number, rows}` → None. A number that was heard from this worker already adds nothing."""
        try:
            rows = msgspec.convert(call.params["rows"], list[Row], strict=False)
            number = int(call.params["number"])
        except (KeyError, TypeError, ValueError):
            raise ControlFault("bad_params", "'number' and 'rows' are needed") from None
        if number <= self._heard.get(call.peer.pid, 0):
            return
        self._heard[call.peer.pid] = number
        for row in rows:
            self.totals.add(row)
            self._wait(row)
        self.heard(rows)

    def _wait(self, row: Row) -> None:
        use = row.use if len(self._waiting) < _MOST_USES else NOBODYS
        key = (row.minute_s, row.account, row.region, row.model, use)
        found = self._waiting.get(key)
        if found is None:
            if len(self._waiting) >= _MOST_WAITING:
                self.lost += row.record.invocations
                return
            found = self._waiting[key] = Record()
        add(found, row.record)

    async def _read(self, call: Call) -> dict[str, Any]:
        """`{}` → what `/metrics` shows of the server as a whole."""
        alive = {peer.pid for peer in call.server.peers}
        self._heard = {pid: number for pid, number in self._heard.items() if pid in alive}
        jobs = await self._ask(job_states) if self._exists() else {}
        workers = {str(peer.index): peer.pid for peer in call.server.peers if peer.role == "worker"}
        return {
            "totals": self.totals.packed, "lost": self.lost, "jobs": jobs, "workers": workers,
            "exported": self.exported(), "budgets": self.budgets(),
        }  # fmt: skip

    async def _keep_now(self, _call: Call) -> None:
        """`{}` → None once what was told is in the store, if that can be reached: for who reads usage there."""
        await self.keep()

    def _complain(self, error: StoreError) -> None:
        if not self._complained:
            print(f"craton: metrics could not be kept and wait: {error}", file=sys.stderr, flush=True)
        self._complained = True


# --- work with the store, in its thread: what imports the SQL toolkit is loaded there ---


def kept(writer: str, number: int, rows: list[Row], store: Store) -> None:
    from craton.features.metering import usage
    from craton.features.metering.samples import samples_of
    from craton.infra.series.metrics_index import add_once

    samples, now_s = samples_of(rows), int(time.time())

    def keep(connection: Connection) -> None:
        if add_once(connection, writer, number, samples, now_s):
            usage.add(connection, rows)

    with store.transaction() as transaction:
        transaction.run(keep)


def thinned(before_s: int, step_s: int, store: Store) -> int:
    from craton.infra.series.metrics_index import thin

    with store.transaction() as transaction:
        return transaction.run(lambda connection: thin(connection, before_s, step_s, _THIN_AT_ONCE))


def expired(now_s: int, store: Store) -> None:
    from craton.features.metering import usage
    from craton.infra.series.metrics_index import expire

    with store.transaction() as transaction:
        transaction.run(lambda connection: expire(connection, now_s - KEEP_DAYS * DAY_S, now_s - DAY_S))
        transaction.run(lambda connection: usage.expire(connection, now_s - USAGE_KEEP_DAYS * DAY_S))


def job_states(store: Store) -> dict[str, int]:
    """How many runs of jobs there are by state."""
    from craton.infra.jobs.census import states

    return store.run(states)
