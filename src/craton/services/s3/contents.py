"""Objects' bytes on their way: sealed into a blob as they come, opened by range as they go.

Owns that what is sealed is bound to its bucket's owner and its bucket, that small objects lie in their rows, that what a
failed request wrote is deleted, and that an answer's first bytes are had before its headers are sent: a key that is
disabled, or damage at the start, is an error and not half an object. It must not know rows or conditions.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing
from functools import partial

from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_faults import too_large
from craton.context import Call
from craton.infra.blobs.port import NoSuchBlob
from craton.infra.objects.record import MOST_INLINE, Piece, Version
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


async def whole(call: Call, bucket: Opened, way: Way, pieces: AsyncIterable[bytes]) -> Piece:
    """Seal what comes, which is an object, and keep it, or give it back sealed if it is small: its row will hold it.

    So a small object costs one flush of the disk and not three. Raises as `keep`.
    """
    size, source = 0, aiter(pieces)
    head: list[bytes] = []
    async for piece in source:
        head.append(piece)
        size += len(piece)
        if size > MOST_INLINE:
            return await keep(call, bucket, way, _joined(head, source))
    with as_s3():
        return Piece("", size, sealed=b"".join([part async for part in _sealed(call, bucket, way, _joined(head))]))


async def keep(call: Call, bucket: Opened, way: Way, pieces: AsyncIterable[bytes]) -> Piece:
    """Seal and keep what comes in a blob. Raises what `pieces` raises, and Fault; nothing is kept then."""
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
    return Piece(blob.id, size)


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


async def read(call: Call, bucket: Opened, way: Way, version: Version) -> bytes:
    """The whole of an object, which the caller knows to be small enough. Raises as `opened`."""
    async with aclosing(await opened(call, bucket, way, version.pieces, 0, version.size)) as pieces:
        return b"".join([piece async for piece in pieces])


async def _bytes(
    call: Call, bucket: Opened, way: Way, pieces: Sequence[Piece], start: int, stop: int
) -> AsyncGenerator[bytes]:
    base = 0
    for piece in pieces:
        begin, end = max(start - base, 0), min(stop - base, piece.size)
        base += piece.size
        if begin >= end:
            continue
        async with aclosing(_opened(call, bucket, way, piece, begin, end)) as plain:
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


def _opened(call: Call, bucket: Opened, way: Way, piece: Piece, start: int, stop: int) -> AsyncGenerator[bytes]:
    read = partial(call.app.blobs.read, piece.blob) if piece.blob else partial(_slice, piece.sealed)
    if way.key is not None:
        return customer_keys.opened(way.key, read, start, stop, _belongs(bucket))
    context = {"bucket": bucket.name}
    return call.app.cipher.open_range(way.sealing.account, PURPOSE, read, start, stop, context)


async def _slice(sealed: bytes, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes]:
    """What lies in a row, read as a blob is."""
    yield sealed[start:stop]


async def _joined(head: Sequence[bytes], rest: AsyncIterable[bytes] | None = None) -> AsyncGenerator[bytes]:
    for piece in head:
        yield piece
    if rest is not None:
        async for piece in rest:
            yield piece


def _belongs(bucket: Opened) -> bytes:
    return f"{PURPOSE}/{bucket.owner}/{bucket.name}".encode()
