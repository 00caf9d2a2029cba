"""Objects' bytes on their way: sealed into a blob as they come, opened by range as they go.

Owns that a blob is bound to its bucket's owner and its bucket, that what a failed request wrote is deleted, and that an
answer's first bytes are had before its headers are sent: a key that is disabled, or damage at the start, is an error
and not half an object. It must not know rows or conditions.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing
from functools import partial

import msgspec

from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_faults import too_large
from craton.context import Call
from craton.infra.blobs.port import NoSuchBlob
from craton.infra.objects.record import Piece
from craton.services.s3 import customer_keys
from craton.services.s3.gate import Opened
from craton.services.s3.sealing import Way
from craton.services.s3.trouble import as_s3

PURPOSE = "s3"
MOST_BYTES = 5 * 1024**3
"""What one request may bring: an object as a whole, or one part."""


class Vanished(Fault):
    """The blobs went while they were being opened: the object was overwritten or deleted. Worth another look."""

    __slots__ = ()


class Kept(msgspec.Struct, frozen=True):
    """A blob that was written. `size` in bytes before sealing."""

    blob: str
    size: int


async def keep(call: Call, bucket: Opened, way: Way, pieces: AsyncIterable[bytes]) -> Kept:
    """Seal and keep what comes. Raises what `pieces` raises, and Fault; nothing is kept then."""
    size = 0

    async def counted() -> AsyncGenerator[bytes]:
        nonlocal size
        async for piece in pieces:
            size += len(piece)
            if size > MOST_BYTES:
                raise too_large(size, MOST_BYTES)
            yield piece

    with as_s3():
        blob = await call.app.blobs.write(_sealed(call, bucket, way, counted()))
    return Kept(blob.id, size)


async def opened(
    call: Call, bucket: Opened, way: Way, pieces: Sequence[Piece], start: int, stop: int
) -> AsyncGenerator[bytes]:
    """The bytes of an object from `start` to before `stop`. Raises Fault before the first piece if it can."""
    bytes_ = _bytes(call, bucket, way, pieces, start, stop)
    try:
        with as_s3():
            first = await anext(bytes_, b"")
    except Fault as error:
        if isinstance(error.__cause__, NoSuchBlob):
            raise Vanished(error.name, error.message, status=error.status) from error
        raise
    return _rejoined(first, bytes_)


async def _bytes(
    call: Call, bucket: Opened, way: Way, pieces: Sequence[Piece], start: int, stop: int
) -> AsyncGenerator[bytes]:
    base = 0
    for piece in pieces:
        begin, end = max(start - base, 0), min(stop - base, piece.size)
        base += piece.size
        if begin >= end:
            continue
        async with aclosing(_opened(call, bucket, way, piece.blob, begin, end)) as plain:
            async for part in plain:
                yield part


async def _rejoined(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    try:
        if first:
            yield first
        with as_s3():
            async for piece in rest:
                yield piece
    finally:
        await rest.aclose()


def _sealed(call: Call, bucket: Opened, way: Way, pieces: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    kept = way.sealing
    if way.key is not None:
        return customer_keys.seal(way.key, pieces, _belongs(bucket))
    context = {"bucket": bucket.name}
    return call.app.cipher.seal_stream(kept.account, PURPOSE, kept.key, pieces, context, region=bucket.region)


def _opened(call: Call, bucket: Opened, way: Way, blob: str, start: int, stop: int) -> AsyncGenerator[bytes]:
    read = partial(call.app.blobs.read, blob)
    if way.key is not None:
        return customer_keys.opened(way.key, read, start, stop, _belongs(bucket))
    context = {"bucket": bucket.name}
    return call.app.cipher.open_range(way.sealing.account, PURPOSE, read, start, stop, context)


def _belongs(bucket: Opened) -> bytes:
    return f"{PURPOSE}/{bucket.owner}/{bucket.name}".encode()
