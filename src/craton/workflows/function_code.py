"""The sweep of functions' zips that no function, version or layer names any more."""

from __future__ import annotations

from craton.features.functions.code import Keeping, forget
from craton.features.functions.function import FUNCTION, LAYER_VERSION, VERSION, Configuration, Function, LayerVersion
from craton.infra.store.port import Query, Reader, Resource, select
from craton.workflows.toolbox import Shop

_MOST_ROWS = 1_000_000


async def sweep_code(shop: Shop) -> None:
    """Remove what has been unnamed for an hour."""
    named = await shop.storage.read(_named)
    await forget(Keeping(shop.storage, shop.blobs, shop.cipher), named, shop.clock.now())


def _named(store: Reader) -> set[str]:
    """The blobs that rows name."""
    found: set[str] = set()
    for row in _all(store, FUNCTION):
        found |= _of(row.read(Function).latest)
    for row in _all(store, VERSION):
        found |= _of(row.read(Configuration))
    return found | {row.read(LayerVersion).code.blob for row in _all(store, LAYER_VERSION)}


def _of(one: Configuration) -> set[str]:
    return {one.code.blob, *(layer.code.blob for layer in one.layers)}


def _all(store: Reader, kind: str) -> tuple[Resource, ...]:
    return select(store, Query(kind=kind, limit=_MOST_ROWS), bool).items
