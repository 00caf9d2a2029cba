"""The port's implementation over the store's KMS keys.

Owns the way from a key's name to a fresh data key, wrapped by it, and back. The state of a key is looked at each time
(`held`), so a disabled key's data is unreadable from the next call on. It must not know what is sealed.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Hashable, Mapping
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from craton.infra.cipher import envelope, gcm, rows
from craton.infra.cipher.held import HeldKeys
from craton.infra.cipher.keyring import Keyring, Named, authenticated
from craton.infra.cipher.port import NO_CONTEXT, NoSuchKey, SealedReader, Tampered
from craton.infra.cipher.ranged import open_range
from craton.infra.cipher.resealing import earlier
from craton.infra.store.port import AlreadyExists, Conflict, Reader, Transaction

T = TypeVar("T")


class Rows(Protocol):
    """The store, off the loop (`context.Storage`)."""

    def read(self, work: Callable[[Reader], T]) -> Awaitable[T]: ...

    def write(self, work: Callable[[Transaction], T]) -> Awaitable[T]: ...


class StoredCipher:
    """`port.Cipher`.

    Args:
        region: where keys are that are named without one.
        default_key: the key that is used where none is named; "" for the account's managed key.
    """

    def __init__(
        self, storage: Rows, keyring: Keyring, now: Callable[[], datetime], region: str, default_key: str = ""
    ) -> None:
        self._storage = storage
        self._keyring = keyring
        self._now = now
        self._region = region
        self._default = default_key
        self._keys = HeldKeys(storage, now)

    def follow(self, state: Hashable) -> None:
        """Hold keys while `state` stays the same; for whoever hears of each change to keys (`HeldKeys`)."""
        self._keys.follow(state)

    @property
    def keyring(self) -> Keyring:
        return self._keyring

    async def named(self, blob: bytes) -> Named:
        try:
            return self._keyring.named(blob)
        except Tampered:
            if self._keyring.earlier is not None:
                raise
        # Perhaps made under an earlier root key. Those change between two starts, so to look once is enough.
        self._keyring.earlier = await self._storage.read(lambda reader: earlier(reader, self._keyring.root))
        return self._keyring.named(blob)

    async def seal(
        self, account: str, purpose: str, key: str | None, plaintext: bytes,
        context: Mapping[str, str] = NO_CONTEXT, *, region: str | None = None,
    ) -> bytes:  # fmt: skip
        bound = _bound(account, purpose, context)
        data_key, wrapped = await self._fresh(account, key, region, bound)
        return envelope.seal(data_key, wrapped, plaintext, authenticated(bound))

    async def open(self, account: str, purpose: str, sealed: bytes, context: Mapping[str, str] = NO_CONTEXT) -> bytes:
        bound = _bound(account, purpose, context)
        header, _ = envelope.read(sealed)
        return envelope.open_whole(await self._unwrapped(header.wrapped, bound), sealed, authenticated(bound))

    async def seal_stream(
        self, account: str, purpose: str, key: str | None, pieces: AsyncIterable[bytes],
        context: Mapping[str, str] = NO_CONTEXT, *, region: str | None = None,
    ) -> AsyncGenerator[bytes]:  # fmt: skip
        bound = _bound(account, purpose, context)
        data_key, wrapped = await self._fresh(account, key, region, bound)
        async for piece in envelope.seal_stream(data_key, wrapped, pieces, authenticated(bound)):
            yield piece

    async def open_stream(
        self, account: str, purpose: str, pieces: AsyncIterable[bytes], context: Mapping[str, str] = NO_CONTEXT
    ) -> AsyncGenerator[bytes]:
        bound = _bound(account, purpose, context)
        head, rest = await envelope.split(pieces)
        header, _ = envelope.read(head)
        data_key = await self._unwrapped(header.wrapped, bound)
        async for piece in envelope.open_stream(data_key, head, rest, authenticated(bound)):
            yield piece

    def open_range(
        self, account: str, purpose: str, sealed: SealedReader, start: int = 0, stop: int | None = None,
        context: Mapping[str, str] = NO_CONTEXT,
    ) -> AsyncGenerator[bytes]:  # fmt: skip
        bound = _bound(account, purpose, context)
        return open_range(partial(self._unwrapped, bound=bound), sealed, start, stop, authenticated(bound))

    async def _fresh(
        self, account: str, name: str | None, region: str | None, bound: Mapping[str, str]
    ) -> tuple[bytes, bytes]:
        """A new data key, and the same wrapped by the customer's key."""
        name, place = name or self._default or rows.MANAGED_ALIAS, region or self._region
        now = self._now()
        where = rows.place_of(name, account, place)
        try:
            key: rows.Key | None = await self._keys.find(where)
        except NoSuchKey:
            if name != rows.MANAGED_ALIAS:
                raise
            key = None
        if key is None or key.due(now):
            try:
                key = await self._storage.write(lambda tx: self._ready(tx, where, now))
            except (AlreadyExists, Conflict):  # another process was quicker, with the same in mind
                key = await self._storage.read(lambda reader: rows.find(reader, where, now))
        data_key = secrets.token_bytes(gcm.KEY_BYTES)
        return data_key, self._keyring.encrypt(key.usable().arn, key.material, data_key, bound)

    def _ready(self, transaction: Transaction, where: rows.Place, now: datetime) -> rows.Key:
        """The key, made if it is the managed one, with new material if that is due."""
        if where.resource == rows.MANAGED_ALIAS:
            key = rows.managed(transaction, self._keyring, where.account, where.region, now)
        else:
            key = rows.find(transaction, where, now)
        return rows.renewed(transaction, self._keyring, key, now)

    async def _unwrapped(self, wrapped: bytes, bound: Mapping[str, str]) -> bytes:
        named = await self.named(wrapped)
        where = rows.Place(named.account, named.region, f"key/{named.key_id}")
        key = await self._keys.find(where)
        return self._keyring.decrypt(key.usable().body.materials, wrapped, bound, named)


def _bound(account: str, purpose: str, context: Mapping[str, str]) -> dict[str, str]:
    """What sealed data belongs to; the names before the slash are ours, so a context cannot take their place."""
    return {"craton/account": account, "craton/purpose": purpose, **{f"context/{k}": v for k, v in context.items()}}
