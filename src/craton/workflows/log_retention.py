"""The sweep of log events that are older than their group keeps them.

Readers do not see them from the moment on at which they are over; this gives their room back. Rereads what there is, so
that one that was cut short is simply done again.
"""

from __future__ import annotations

import msgspec

from craton.infra.series import index
from craton.infra.series.port import DAY_MS
from craton.infra.store.port import Query, microseconds
from craton.workflows.toolbox import Shop

_GROUP = "log-group"
_PAGE = 200


class Kept(msgspec.Struct):
    """What of a group's row is read here."""

    space: str
    retention_days: int | None = None


async def expire_events(shop: Shop) -> None:
    """Remove what is over, group by group."""
    now_ms = microseconds(shop.clock.now()) // 1000
    query = Query(kind=_GROUP, limit=_PAGE)
    while True:
        page = await shop.storage.read(lambda store, asked=query: store.list(asked))  # type: ignore[misc]
        for row in page.items:
            await _expire(shop, row.read(Kept), now_ms)
        if page.after is None:
            return
        query = msgspec.structs.replace(query, after=page.after)


async def _expire(shop: Shop, group: Kept, now_ms: int) -> None:
    if group.retention_days is None:
        return
    before_ms = now_ms - group.retention_days * DAY_MS
    await shop.storage.keep(lambda tx: tx.run(lambda connection: index.expire(connection, group.space, before_ms)))
