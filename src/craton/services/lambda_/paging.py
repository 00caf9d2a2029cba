"""Listings by Marker and MaxItems, as all of Lambda's are.

Owns the sizes of pages and the errors of markers. It must not know what is listed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from craton.context import Call
from craton.infra.store.port import BadPageToken, Query, Resource, select
from craton.services import stored
from craton.services.lambda_.faults import as_faults, invalid

MOST: Final = 50


async def rows(
    call: Call, query: Query, marker: str | None, most: int | None, *filters: object,
    keep: Callable[[Resource], bool] | None = None,
) -> tuple[tuple[Resource, ...], str | None]:  # fmt: skip
    """One page of the caller's rows in this region, and the next one's marker.

    `filters` are what else shapes the listing. Raises InvalidParameterValueException for a marker of another one.
    """
    shape = stored.listing(call, query.kind, query.id_prefix, *filters)
    try:
        after = call.app.storage.pages.open(shape, marker or None)
    except BadPageToken:
        raise invalid("The provided Marker is invalid.") from None
    full = msgspec.structs.replace(
        query, account=call.account, region=call.region, limit=min(most or MOST, MOST), after=after
    )
    with as_faults():
        if keep is None:
            page = await call.app.storage.read(lambda store: store.list(full))
        else:
            page = await call.app.storage.read(lambda store: select(store, full, keep))
    return page.items, stored.issued(call, shape, page.after)


def paged(told: dict[str, Any], marker: str | None) -> dict[str, Any]:
    """An answer, with the next page's marker if there is one."""
    return told if marker is None else {**told, "NextMarker": marker}
