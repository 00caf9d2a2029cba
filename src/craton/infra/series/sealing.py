"""How blocks are sealed: one data key for much of a space, and a key derived from it for each block.

Owns the data keys' life. A space's KMS key seals data keys, not blocks, so that a search opens one key and not
thousands; readers ask it each time, so that what was sealed under a disabled key is unreadable from the next call on,
writers every two seconds. A data key is replaced daily, and when the space gets another KMS key. It must not know what
a block is.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol, TypeVar

from craton.infra.cipher import gcm
from craton.infra.series.port import DAY_MS, NoSuchSeries, Space

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from craton.infra.cipher.port import Cipher
    from craton.infra.series.index import SealedKey
    from craton.infra.store.port import Reader, Transaction

T = TypeVar("T")

PURPOSE = "series"
_LIFE_MS = DAY_MS
_ID_BYTES = 16
_HELD_S = 2.0
_MOST_HELD = 256


class Rows(Protocol):
    """The store, off the loop (`context.Storage`)."""

    def read(self, work: Callable[[Reader], T]) -> Awaitable[T]: ...

    def keep(self, work: Callable[[Transaction], T]) -> Awaitable[T]: ...


class DataKey:
    """A data key, open. `id` names its row."""

    __slots__ = ("_secret", "id")

    def __init__(self, ident: str, secret: bytes) -> None:
        self.id = ident
        self._secret = secret

    def seal(self, block_id: str, belongs: bytes, plain: bytes) -> bytes:
        """`block_id` is fresh: the key that is derived from it is used for this alone."""
        return gcm.sealed(self.of(block_id), plain, belongs)

    def open(self, block_id: str, belongs: bytes, sealed: bytes) -> bytes:
        """Raises Tampered."""
        return gcm.opened(self.of(block_id), sealed, belongs)

    def of(self, block_id: str) -> bytes:
        """The key of one block."""
        return gcm.derived(self._secret, block_id.encode())


def fresh_id() -> str:
    return secrets.token_hex(_ID_BYTES)


def belongs(space: Space, series: str) -> bytes:
    """What a block is bound to."""
    return f"{space.account}/{space.id}/{series}".encode()


class DataKeys:
    """The data keys of all spaces, by way of the store and the cipher."""

    def __init__(self, rows: Rows, cipher: Cipher) -> None:
        self._rows = rows
        self._cipher = cipher
        self._held: dict[tuple[str, str | None], tuple[float, DataKey]] = {}

    async def current(self, space: Space, now_ms: int) -> DataKey:
        """The key to seal with. Raises NoSuchKey, KeyUnusable, RootUnavailable, Tampered."""
        until, key = self._held.get((space.id, space.key), (0.0, None))
        if key is None or until < time.monotonic():
            key = await self._current(space, now_ms)
            if len(self._held) >= _MOST_HELD:
                self._held.clear()
            self._held[space.id, space.key] = (time.monotonic() + _HELD_S, key)
        return key

    async def _current(self, space: Space, now_ms: int) -> DataKey:
        from craton.infra.series import index

        kept = await self._rows.read(lambda store: store.run(lambda connection: index.newest_key(connection, space.id)))
        if kept is not None and kept.kms_key == (space.key or "") and now_ms - kept.made_ms < _LIFE_MS:
            return await self._opened(space, kept)
        secret = secrets.token_bytes(gcm.KEY_BYTES)
        context = {"space": space.id}
        sealed = await self._cipher.seal(space.account, PURPOSE, space.key, secret, context, region=space.region)
        made = index.SealedKey(fresh_id(), space.key or "", now_ms, sealed)
        # Of several at once each keeps its own; all of them stay known.
        await self._rows.keep(lambda tx: tx.run(lambda connection: index.add_key(connection, space.id, made)))
        return DataKey(made.id, secret)

    async def opened(self, space: Space, ids: Collection[str]) -> dict[str, DataKey]:
        """The keys to read with. Raises as `current`, and NoSuchSeries when the space is gone."""
        from craton.infra.series import index

        wanted = sorted(ids)
        kept = await self._rows.read(lambda store: store.run(lambda connection: index.keys(connection, wanted)))
        if len(kept) < len(wanted):
            raise NoSuchSeries
        return {key.id: await self._opened(space, key) for key in kept}

    async def _opened(self, space: Space, key: SealedKey) -> DataKey:
        return DataKey(key.id, await self._cipher.open(space.account, PURPOSE, key.sealed, {"space": space.id}))
