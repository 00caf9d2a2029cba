"""The keys of KMS, sealed under another root key; and what of earlier root keys is still needed.

Owns the change itself, in a transaction that is given, and the row that tells which root key the store is under. What
was encrypted with the keys stays as it is, wherever it lies: only its MAC is an earlier root key's, so that one derived
key of each goes on in the row, sealed. With it nothing can be opened. It must not know where root keys lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from craton.infra.cipher import rows
from craton.infra.cipher.keyring import USE_BLOB, USE_MATERIAL, Material, bound_to
from craton.infra.cipher.root import RootKey
from craton.infra.store.port import GLOBAL, Query, Reader, Resource, Transaction

_KIND = "kms-root"
_ARN = "arn:craton:kms:::root"
"""Ours, not AWS's: it never leaves the store."""
_USE = "kms earlier roots"
_PAGE = 200


class _Mark(msgspec.Struct):
    """`ident` is that of the root key; `earlier` are keys of MACs, packed and sealed under it."""

    ident: bytes
    earlier: bytes


def is_under(reader: Reader, root: RootKey) -> bool:
    """Whether the store's keys were last sealed anew under this root key."""
    row = reader.get(_ARN)
    return row is not None and row.read(_Mark).ident == root.ident


def earlier(reader: Reader, root: RootKey) -> tuple[bytes, ...]:
    """The keys under which blobs were MACed before. Raises RootUnavailable, Tampered."""
    row = reader.get(_ARN)
    if row is None:
        return ()
    return msgspec.msgpack.decode(root.open(_USE, row.read(_Mark).earlier, _ARN.encode()), type=tuple[bytes, ...])


def reseal(transaction: Transaction, old: RootKey, new: RootKey, now: datetime) -> int:
    """Seal all keys anew; how many there are. Nothing is done to a store that is under the new root key already.

    Raises RootUnavailable where another root key than the old one sealed something, Tampered.
    """
    if is_under(transaction, new):
        return 0
    count = 0
    for row in list(_keys(transaction)):
        body = row.read(rows.KeyBody)
        body.materials = [_moved(row.arn, material, old, new) for material in body.materials]
        transaction.update(msgspec.structs.replace(row, body=msgspec.json.encode(body), updated_at=now))
        count += 1
    _mark(transaction, (old.key_for(USE_BLOB), *earlier(transaction, old)), new, now)
    return count


def _moved(arn: str, material: Material, old: RootKey, new: RootKey) -> Material:
    bound = bound_to(arn, material.id)
    secret = old.open(USE_MATERIAL, material.sealed, bound)
    return msgspec.structs.replace(material, sealed=new.seal(USE_MATERIAL, secret, bound))


def _mark(transaction: Transaction, macs: tuple[bytes, ...], root: RootKey, now: datetime) -> None:
    sealed = root.seal(_USE, msgspec.msgpack.encode(macs), _ARN.encode())
    body = msgspec.json.encode(_Mark(root.ident, sealed))
    row = transaction.get(_ARN)
    if row is not None:
        transaction.update(msgspec.structs.replace(row, body=body, updated_at=now))
        return
    transaction.create(
        Resource(
            account="", region=GLOBAL, kind=_KIND, id="root", arn=_ARN, created_at=now, updated_at=now, body=body
        )
    )  # fmt: skip


def _keys(transaction: Transaction) -> Iterator[Resource]:
    query = Query(kind=rows.KEY, sort="id", limit=_PAGE)
    while True:
        page = transaction.list(query)
        yield from page.items
        if page.after is None:
            return
        query = msgspec.structs.replace(query, after=page.after)
