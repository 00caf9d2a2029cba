"""The sweep of alarms: each is looked at, and whose state changes is written down with what follows.

Rereads what there is, so that a sweep that was cut short is simply done again; a change is one transaction, which gives way
to whatever changed the alarm meanwhile. Metric alarms see nothing new before another minute has ended, so between these only
those that were changed are looked at. They come first, then composite ones as often as their states move.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta

import msgspec

from craton.features.events.alarm_change import tell
from craton.features.metrics.alarms import history
from craton.features.metrics.alarms.alarm import KIND, Alarm
from craton.features.metrics.alarms.change import change_state
from craton.features.metrics.alarms.examine import of_metrics
from craton.features.metrics.alarms.follow import DEEPEST, combine, is_due
from craton.features.metrics.alarms.reading import window_of
from craton.features.metrics.queries import Origin
from craton.infra.store.port import GLOBAL, Query, Reader, Resource, StoreError, Transaction
from craton.workflows.toolbox import Shop

_MOST = 1_000_000
_WINDOW = "craton:cloudwatch:window"
_FRESH = timedelta(seconds=90)
"""Alarms that changed so lately are looked at whether there is anything new to see or not."""


async def look_at_alarms(shop: Shop) -> None:
    """Bring every alarm to the state that it should be in."""
    rows = await shop.storage.read(lambda store: store.list(Query(kind=KIND, limit=_MOST)).items)
    now = shop.clock.now()
    window_s = window_of(now)
    moved = await shop.storage.read(_window) != window_s
    combined = []
    for row in rows:
        alarm = row.read(Alarm)
        if alarm.combination is not None:
            combined.append(row.arn)
        elif moved or abs(now - row.updated_at) < _FRESH:
            await _look(shop, row, alarm)
    if moved:
        await shop.storage.keep(lambda transaction: _keep_window(transaction, window_s, now))
    for _ in range(DEEPEST):
        moved = False
        for arn in combined:
            moved = await _combine(shop, arn) or moved
        if not moved:
            return


def _window(store: Reader) -> int:
    """The end of the span that was looked at the last time."""
    row = store.get(_WINDOW)
    return 0 if row is None else row.read(int)


def _keep_window(transaction: Transaction, window_s: int, now: datetime) -> None:
    body = msgspec.json.encode(window_s)
    row = transaction.get(_WINDOW)
    if row is not None:
        transaction.update(msgspec.structs.replace(row, body=body, updated_at=now))
        return
    transaction.create(
        Resource(
            account="", region=GLOBAL, kind="cloudwatch-window", id="window", arn=_WINDOW, created_at=now,
            updated_at=now, body=body,
        )
    )  # fmt: skip


async def forget_old(shop: Shop) -> None:
    """Give up history that is older than it is kept."""
    before = shop.clock.now() - history.KEPT
    await shop.storage.keep(lambda transaction: transaction.run(lambda c: history.expire(c, before)))


async def _look(shop: Shop, row: Resource, alarm: Alarm) -> None:
    watch = alarm.watch
    if watch is None:
        return
    now = shop.clock.now()
    try:
        state = await of_metrics(Origin(row.account, row.region, shop.storage, now), watch, alarm.state)
    except StoreError:
        raise
    except Exception as error:  # one alarm that cannot be looked at must not keep the others from it
        print(f"craton: alarms: {row.arn}: {type(error).__name__}", file=sys.stderr, flush=True)
        return
    if state is None:
        return

    def work(transaction: Transaction) -> None:
        found = transaction.get(row.arn)
        if found is not None and found.version == row.version:
            change_state(transaction, found, alarm, state, now, tell)

    await shop.storage.keep(work)


async def _combine(shop: Shop, arn: str) -> bool:
    """Whether the composite alarm changed its state."""
    now = shop.clock.now()
    if not await shop.storage.read(lambda store: is_due(store, arn, now)):
        return False
    return await shop.storage.keep(lambda transaction: combine(transaction, arn, now, tell))
