"""The program of a child process that runs one query: sealed blocks with their keys in, rows out.

Owns the form of what goes over its two pipes (a length, u32 little-endian, and msgpack: an `Order`, then `Share`s each
answered with a `Tally`, then an `Ending` answered with a `Result`), and that no expression holds the query up: a record
that takes longer than a second is left out and counted. Blocks may come twice, merged with others: their runs are known.
It runs at a lower priority and in bounded memory. It must not know the store.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from typing import Any, BinaryIO

import msgspec

from craton.features.logs.insights.pipeline import Cells, Running
from craton.features.logs.insights.record import Record
from craton.infra.cipher import gcm
from craton.infra.cipher.port import Tampered
from craton.infra.series.block import Block, Damaged, Run, expand
from craton.infra.series.port import ident_of
from craton.infra.series.search_program import LENGTH_BYTES, Sealed

_NICE = 5
_TICK_S = 1.0
_MOST_SLOW = 30
"""Records that took too long, after which the query is given up."""
_MEMORY_BYTES = 2 << 30


class Order(msgspec.Struct, tag=True, array_like=True):
    """What is asked, of events up to but not including `stop_ms`, and after how long it is enough."""

    query: str
    limit: int | None
    stop_ms: int
    time_s: float


class Share(msgspec.Struct, tag=True, array_like=True):
    """Blocks of a log group (`account:name`). `lasting` tells of each whether it will never be merged.

    Events before `start_ms` are not the query's, or no longer the group's.
    """

    log: str
    blocks: list[Sealed]
    lasting: list[bool]
    start_ms: int


class Ending(msgspec.Struct, tag=True, array_like=True):
    """There are no more blocks."""


class Tally(msgspec.Struct, array_like=True):
    """How far the query is. `is_over`: it is not worth going on."""

    scanned: int = 0
    scanned_bytes: int = 0
    matched: int = 0
    skipped: int = 0
    is_over: bool = False
    is_damaged: bool = False


class Result(msgspec.Struct, array_like=True):
    """The rows, and the last word on how many records there were."""

    rows: list[Cells]
    tally: Tally


class Slow(Exception):
    """One record takes too long."""


class Reader:
    """Feeds the events of blocks to a query."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._running = Running(order.query, order.limit)
        self._seen: set[tuple[int, int]] = set()
        self._slow = 0
        self._at = self._watched = 0
        self._may_interrupt = False
        self._late_at = time.monotonic() + order.time_s
        self._is_over = False
        self._tally = Tally()

    def tick(self, *_: Any) -> None:
        """Called now and then: raises Slow when the record is the same as the last time."""
        is_stuck = self._may_interrupt and self._at == self._watched
        self._watched = self._at
        self._is_over = self._slow >= _MOST_SLOW or time.monotonic() > self._late_at
        if is_stuck:
            raise Slow

    def read(self, share: Share) -> Tally:
        """Blocks of one round."""
        for sealed, lasting in zip(share.blocks, share.lasting, strict=True):
            try:
                block = Block(expand(gcm.opened(sealed.key, sealed.data, sealed.belongs)), sealed.batch)
            except (Damaged, Tampered):
                self._tally.is_damaged = True
                continue
            self._read(block, sealed.series, share, lasting=lasting)
        return self.tally()

    def tally(self) -> Tally:
        tally = self._tally
        tally.matched, tally.skipped = self._running.matched, self._running.skipped + self._slow
        tally.is_over = self._is_over
        return tally

    def result(self) -> Result:
        self._may_interrupt = False
        rows = self._running.rows()
        return Result(rows, self.tally())

    def _read(self, block: Block, series: str, share: Share, *, lasting: bool) -> None:
        place = 0
        for run in block.header.runs:
            key = (run.batch, run.start)
            if key not in self._seen:
                self._read_run(block, place, run, series, share)
                if not lasting:
                    self._seen.add(key)
            place += run.count

    def _read_run(self, block: Block, place: int, run: Run, series: str, share: Share) -> None:
        tally, start_ms, stop_ms = self._tally, share.start_ms, self._order.stop_ms
        base_ms, moments, starts, plain = block.header.base_ms, block.moments, block.starts, block.plain
        for index in range(run.count):
            at_ms = base_ms + moments[place + index]
            if not start_ms <= at_ms < stop_ms or self._is_over:
                continue
            data = plain[starts[place + index] : starts[place + index + 1] - 1]
            tally.scanned += 1
            tally.scanned_bytes += len(data)
            ident = ident_of(at_ms, run.batch, run.start + index)
            self._feed(Record(ident, at_ms, run.kept_ms, series, share.log, data))

    def _feed(self, record: Record) -> None:
        self._at += 1
        try:
            self._may_interrupt = True
            self._running.feed(record)
            self._may_interrupt = False
        except Slow:
            self._may_interrupt = False
            self._slow += 1


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Run one query."""
    decoder = msgspec.msgpack.Decoder(Order | Share | Ending)
    reader: Reader | None = None
    while len(length := source.read(LENGTH_BYTES)) == LENGTH_BYTES:
        message = decoder.decode(source.read(int.from_bytes(length, "little")))
        if isinstance(message, Order):
            reader = Reader(message)
            signal.signal(signal.SIGALRM, reader.tick)
            signal.setitimer(signal.ITIMER_REAL, _TICK_S, _TICK_S)
            continue
        if reader is None:
            return
        answer = reader.read(message) if isinstance(message, Share) else reader.result()
        body = msgspec.msgpack.encode(answer)
        sink.write(len(body).to_bytes(LENGTH_BYTES, "little") + body)
        sink.flush()
        if isinstance(message, Ending):
            return


if __name__ == "__main__":
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    serve(sys.stdin.buffer, sys.stdout.buffer)
