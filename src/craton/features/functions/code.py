"""The code of functions and layers as it is kept: sealed blobs by what is in them, and unpacked folders for the host.

Owns that the same bytes of an account lie once, that what nobody names any more goes some time later (`forget`), and the
folder in which a zip is unpacked. It must not know functions' rows, nor who may have what.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import tempfile
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from craton.aws.arn import make
from craton.features.functions import archive
from craton.features.functions.function import CODE, Code
from craton.infra.store.port import After, AlreadyExists, Page, Query, Reader, Resource, Transaction

if TYPE_CHECKING:
    from craton.context import Storage
    from craton.infra.blobs.port import Blobs
    from craton.infra.cipher.port import Cipher

PURPOSE: Final = "lambda-code"
AGE: Final = timedelta(hours=1)
"""A zip may wait so long for the row that names it."""
_PIECE: Final = 1024 * 1024


class Keeping(msgspec.Struct, frozen=True):
    """What code is kept with."""

    storage: Storage
    blobs: Blobs
    cipher: Cipher


async def keep(keeping: Keeping, account: str, region: str, key: str | None, data: bytes, now: datetime) -> Code:
    """Look through a zip and keep it, sealed under `key` (None: the account's own), or find it where it lies.

    Raises BadArchive, BlobError, CipherError, StoreError.
    """
    unpacked, digest = await asyncio.to_thread(_looked_through, data)
    arn = code_arn(account, region, digest, key)
    found = await keeping.storage.read(lambda store: store.get(arn))
    if found is not None:
        return await _renewed(keeping.storage, found, now)
    sealed = keeping.cipher.seal_stream(account, PURPOSE, key, _cut(data), {"sha256": digest}, region=region)
    blob = await keeping.blobs.write(sealed)
    code = Code(digest, len(data), unpacked, blob.id)
    row = Resource(
        account=account, region=region, kind=CODE, id=arn.rpartition(":")[2], arn=arn, created_at=now, updated_at=now,
        body=msgspec.json.encode(code),
    )  # fmt: skip

    def work(transaction: Transaction) -> None:
        from craton.infra.objects.index import take

        transaction.create(row)
        transaction.run(lambda connection: take(connection, [blob.id]))

    try:
        await keeping.storage.keep(work)
    except AlreadyExists:  # somebody kept the same just now
        await keeping.blobs.delete(blob.id)
        return await keep(keeping, account, region, key, data, now)
    return code


async def _renewed(storage: Storage, row: Resource, now: datetime) -> Code:
    """The code of a row that is to be named again: its time begins anew."""

    def work(transaction: Transaction) -> Resource:
        current = transaction.get(row.arn)
        return transaction.update(msgspec.structs.replace(current or row, updated_at=now))

    return (await storage.keep(work)).read(Code)


def opened(blobs: Blobs, cipher: Cipher, account: str, code: Code) -> AsyncGenerator[bytes]:
    """The bytes of a zip. Raises BlobError, CipherError."""
    return cipher.open_stream(account, PURPOSE, blobs.read(code.blob), {"sha256": code.sha256})


async def unpacked(blobs: Blobs, cipher: Cipher, account: str, code: Code, root: Path) -> Path:
    """The folder with the code's files, unpacked now if it is not there. Raises BadArchive, BlobError, CipherError."""
    folder = root / account / code.sha256
    if folder.exists():
        return folder
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder.parent) as file:
        async with aclosing(opened(blobs, cipher, account, code)) as pieces:
            async for piece in pieces:
                file.write(piece)
        await asyncio.to_thread(archive.unpack, file, folder)
    return folder


async def forget(keeping: Keeping, named: Collection[str], now: datetime) -> int:
    """Remove the code rows that none of the blobs in `named` stands in, and their blobs; how many.

    What was kept or renewed lately stays: the row that is to name it may be about to come.
    """
    gone = 0
    after: After | None = None
    while True:
        query = Query(kind=CODE, after=after)
        page = await keeping.storage.read(partial(_listed, query))
        for row in page.items:
            blob = row.read(Code).blob
            if blob not in named and row.updated_at < now - AGE:
                await _removed(keeping, row, blob)
                gone += 1
        if page.after is None:
            return gone
        after = page.after


def _listed(query: Query, store: Reader) -> Page:
    return store.list(query)


async def _removed(keeping: Keeping, row: Resource, blob: str) -> None:
    def work(transaction: Transaction) -> None:
        from craton.infra.objects.index import release

        transaction.delete(row.arn, version=row.version)
        transaction.run(lambda connection: release(connection, [blob], []))

    await keeping.storage.keep(work)
    await keeping.blobs.delete(blob)


def code_arn(account: str, region: str, digest: str, key: str | None) -> str:
    """The name of a code row; what two keys seal lies twice."""
    suffix = "" if key is None else f".{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    return make("lambda", region, account, f"code:{digest}{suffix}")


def shown_sha256(code: Code) -> str:
    """CodeSha256 as the API has it."""
    return base64.b64encode(bytes.fromhex(code.sha256)).decode()


def _looked_through(data: bytes) -> tuple[int, str]:
    return archive.measured(data), hashlib.sha256(data).hexdigest()


async def _cut(data: bytes) -> AsyncGenerator[bytes]:
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]
