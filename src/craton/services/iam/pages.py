"""Listings by page, as IAM has them: MaxItems, Marker, IsTruncated.

Owns the marker, which only the listing that issued it accepts, for rows of the store and for lists inside a row. It must
not know what is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.store.pages import Listing
from craton.infra.store.port import GLOBAL, After, BadPageToken, Page, Query, Resource, fingerprint, select
from craton.services.iam.nouns import faults

DEFAULT = 100
T = TypeVar("T")
Tail = dict[str, Any]
"""What each page ends in: whether there is more, and where it goes on."""


async def of_rows(
    call: Call, req: Any, kind: str, keep: Callable[[Resource], bool], *filters: object
) -> tuple[tuple[Resource, ...], Tail]:
    """A page of the account's rows of a kind that `keep` accepts, in the order of their names."""
    shape = _listing(call, filters)
    query = Query(
        kind=kind,
        account=call.account,
        region=GLOBAL,
        sort="name",
        limit=req.MaxItems or DEFAULT,
        after=_opened(call, shape, req.Marker),
    )
    with faults():
        page: Page = await call.app.storage.read(lambda store: select(store, query, keep))
    return page.items, _tail(call, shape, page.after)


def of_list(
    call: Call, req: Any, items: Iterable[T], key: Callable[[T], str], *filters: object
) -> tuple[list[T], Tail]:
    """A page of a list that is at hand, ordered by `key`, which is different for each."""
    shape = _listing(call, filters)
    after = _opened(call, shape, req.Marker)
    most = req.MaxItems or DEFAULT
    left = sorted((item for item in items if after is None or key(item) > str(after[0])), key=key)
    return left[:most], _tail(call, shape, (key(left[most - 1]), "") if len(left) > most else None)


def under(path_prefix: str | None, shape: type[Any]) -> Callable[[Resource], bool]:
    """Whether a row's path begins so."""
    if path_prefix in (None, "/"):
        return lambda _: True
    return lambda row: row.read(shape).path.startswith(path_prefix)


def _listing(call: Call, filters: tuple[object, ...]) -> Listing:
    return Listing(call.account, GLOBAL, call.operation.name, fingerprint(filters))


def _opened(call: Call, shape: Listing, marker: str | None) -> After | None:
    try:
        return call.app.storage.pages.open(shape, marker)
    except BadPageToken:
        raise Fault("ValidationError", "Invalid Marker.", status=400) from None


def _tail(call: Call, shape: Listing, after: After | None) -> Tail:
    marker = call.app.storage.pages.issue(shape, after)
    return {"IsTruncated": marker is not None, **({"Marker": marker} if marker is not None else {})}
