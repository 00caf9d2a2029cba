"""What a log group's filters make of its events: metrics, and messages to functions.

Owns the life of a lane's run: it takes off what waits until nothing does, oldest first. Metrics are added in the commit
that takes their events off, so each event counts once; messages go out before, so each goes at least once. A function
that is not there or may not be invoked gets nothing, as at AWS; one that is busy is tried again for a day.
"""

from __future__ import annotations

import asyncio
import base64
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec

from craton.features.logs import due
from craton.features.logs.due import Due, Watched
from craton.features.logs.embedded import Embedded
from craton.features.logs.metric_filter import KIND as METRIC_FILTER
from craton.features.logs.metric_filter import Measure, MetricFilter
from craton.features.logs.patterns.sieve import sieve_of
from craton.features.logs.subscription import KIND as SUBSCRIPTION
from craton.features.logs.subscription import PRINCIPAL, Subscription, messages, row_arn
from craton.infra.cipher.port import CipherError
from craton.infra.series.engine import SealedSeries
from craton.infra.series.port import DAY_MS, Entry, NoSuchSeries, Sieve, Space, Where, batch_of
from craton.infra.store.port import Query, Reader, microseconds
from craton.models.providers.transport import TransportError
from craton.workflows.workflow import Job, Later, workflow

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.infra.series.metrics_index import Sample

_ROUND: Final = 64
_PAGE: Final = 10_000
_PAGE_BYTES: Final = 4 << 20
_LINGER_S: Final = 0.3
_ROOM: Final = 16
_BACKOFF_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
_MOST_AGE_MS: Final = DAY_MS
_BUSY: Final = (408, 429)


async def given_up(job: Job, message: str) -> None:
    """What waits stays: the next append of the group runs the lane again."""
    say(job, f"filters stopped: {message}")


def say(job: Job, text: str) -> None:
    print(f"craton: logs: {job.arn}: {text}", file=sys.stderr, flush=True)


@workflow(due.KIND, failed=given_up, room=_ROOM)
async def work_off(job: Job) -> None:
    """Until nothing waits in the lane. Raises Later where the group's key or a function is out of reach for now."""
    group, lane = due.parts_of(job.arn)
    series = SealedSeries(job.tools.storage, job.tools.cipher)
    lingers = True
    try:
        while not job.stopping:
            row = await job.read(lambda store: store.get(group))
            if row is None:
                return
            watched = row.read(Watched)
            waiting = await job.read(lambda store, space=watched.space: store.run(waiting_in(space, lane)))  # type: ignore[misc]
            if not waiting and not lingers:
                return
            if not waiting:
                lingers = False
                await asyncio.sleep(_LINGER_S)
                continue
            lingers = True
            await one_round(Round(job, series, group, lane, watched, waiting))
    except CipherError as error:
        raise Later(type(error).__name__, _BACKOFF_S[min(job.attempt, len(_BACKOFF_S)) - 1]) from error
    finally:
        await series.close()


def waiting_in(space: str, lane: str) -> Callable[[Connection], list[Due]]:
    from craton.features.logs import due_rows

    return lambda connection: due_rows.waiting(connection, space, lane, _ROUND)


class Round(msgspec.Struct):
    """Some appends of a lane."""

    job: Job
    series: SealedSeries
    group: str
    lane: str
    watched: Watched
    waiting: list[Due]

    @property
    def space(self) -> Space:
        return Space(self.watched.space, self.job.account, self.job.region, self.watched.key)

    async def events(self, sieve: Sieve | None) -> AsyncIterator[list[Entry]]:
        """The events of the appends that a sieve lets through, stream by stream, in pages."""
        for stream, some in groupby(sorted(self.waiting, key=lambda one: one.series), key=lambda one: one.series):
            appends = list(some)
            batches = {one.batch for one in appends}
            where = Where(
                series=(stream,),
                start_ms=min(one.first_ms for one in appends),
                stop_ms=max(one.last_ms for one in appends) + 1,
            )
            while True:
                try:
                    found = await self.series.scan(
                        self.space, where, sieve, limit=_PAGE, most_bytes=_PAGE_BYTES, overhead_bytes=0
                    )
                except NoSuchSeries:  # the group was deleted meanwhile
                    break
                entries = [entry for entry in found.entries if batch_of(entry.ident) in batches]
                if entries:
                    yield entries
                if found.reached is None:
                    break
                where = msgspec.structs.replace(where, beyond=found.reached)

    async def settle(self, samples: Sequence[Sample] = ()) -> None:
        """Take the appends off, and keep what was measured of them, in one commit."""
        from craton.features.logs import due_rows
        from craton.infra.series import metrics_index

        batches = [one.batch for one in self.waiting]

        def work(connection: Connection) -> bool:
            if not due_rows.settle(connection, self.watched.space, self.lane, batches):
                return True
            try:
                with connection.begin_nested():
                    metrics_index.add(connection, samples)
            except metrics_index.TooMany:
                return False
            return True

        if not await self.job.write(lambda transaction: transaction.run(work)):
            say(self.job, "the account has as many metrics as it may: samples were dropped")


async def one_round(some: Round) -> None:
    if some.lane == due.METRICS:
        await measure(some)
    elif some.lane == due.EMBEDDED:
        await unfold(some)
    else:
        await deliver(some)


async def measure(some: Round) -> None:
    """Metrics of the appends by all metric filters of the group."""
    job = some.job
    filters = await job.read(lambda store: metric_filters(store, job, some.watched.space))
    measures = [Measure(one, job.account, job.region) for one in filters]
    if measures:
        async for entries in some.events(None):
            for one in measures:
                await asyncio.to_thread(one.add, entries)
    await some.settle([sample for one in measures for sample in one.samples()])


async def unfold(some: Round) -> None:
    """Metrics that events of the appends hold themselves."""
    job = some.job
    found = Embedded(
        job.account, job.region, some.group.rpartition(":")[2], microseconds(job.tools.clock.now()) // 1000
    )
    async for entries in some.events(None):
        await asyncio.to_thread(found.add, entries)
    await some.settle(found.samples())


def metric_filters(store: Reader, job: Job, space: str) -> list[MetricFilter]:
    """The metric filters of a group."""
    query = Query(
        kind=METRIC_FILTER, account=job.account, region=job.region, sort="id", id_prefix=f"{space}/", limit=1000
    )
    return [row.read(MetricFilter) for row in store.list(query).items]


async def deliver(some: Round) -> None:
    """The appends to the function of a subscription filter."""
    job, name = some.job, due.subscription_of(some.lane)
    arn = row_arn(job.account, job.region, some.watched.space, name)
    row = await job.read(lambda store: store.get(arn))
    if row is not None and row.kind == SUBSCRIPTION:
        now_ms = microseconds(job.tools.clock.now()) // 1000
        is_over = now_ms - min(one.noted_ms for one in some.waiting) > _MOST_AGE_MS
        wanted = row.read(Subscription)
        async for entries in some.events(sieve_of(wanted.pattern)):
            for message in messages(wanted, job.account, entries):
                await invoke(some, wanted, message, is_over=is_over)
    await some.settle()


async def invoke(some: Round, wanted: Subscription, message: bytes, *, is_over: bool) -> None:
    """Hand one message to the function. Raises Later where it is worth another try, which `is_over` says it is not."""
    job = some.job
    packed = await asyncio.to_thread(zlib.compress, message, 6, 31)
    payload = msgspec.json.encode({"awslogs": {"data": base64.b64encode(packed).decode()}})
    credentials = job.tools.service(PRINCIPAL, f"{some.group}:*", job.account)
    try:
        status, told, _ = await job.tools.functions(credentials).invoke(
            wanted.destination, payload, headers=((b"x-amz-invocation-type", b"Event"),)
        )
        why = told.get(b"x-amzn-errortype", b"").decode("latin-1") or str(status)
    except TransportError as error:
        status, why = 503, type(error).__name__
    if status < 300:
        return
    if (status >= 500 or status in _BUSY) and not is_over:
        raise Later(why, _BACKOFF_S[min(job.attempt, len(_BACKOFF_S)) - 1])
    say(job, f"events were not delivered to {wanted.destination}: {why}")
