"""Sealed data: a wrapped data key and what was encrypted under it, as one run of bytes or as a stream of pieces.

    magic "CES1" | u16 length | header (msgpack: kind, wrapped data key, nonce) | ciphertext …

Of a whole the ciphertext is one; of a stream it comes in pieces of 64 KiB (and a shorter last one), each with its number
and whether it is the last in its nonce, so that none can be left out, added or put elsewhere. The header and whatever
the sealed data belongs to are authenticated. Pure: the data key is given. It must not know who wraps it, or how.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Literal

import msgspec

from craton.infra.cipher import gcm
from craton.infra.cipher.port import Tampered

MAGIC = b"CES1"
PIECE_BYTES = 64 * 1024
_LENGTH_BYTES = 2
_MOST_HEADER_BYTES = 8 * 1024
_PREFIX_BYTES = 7  # the rest of a piece's nonce: u32 number, u8 last


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What stands before the ciphertext, in the clear."""

    kind: Literal["whole", "stream"]
    wrapped: bytes
    nonce: bytes


def seal(key: bytes, wrapped: bytes, plaintext: bytes, belongs: bytes) -> bytes:
    """The whole at once. `key` must be fresh: it is used for this alone."""
    nonce = secrets.token_bytes(gcm.NONCE_BYTES)
    head = _written(Header("whole", wrapped, nonce))
    return head + gcm.sealed_with(key, nonce, plaintext, head + belongs)


def read(data: bytes) -> tuple[Header, int]:
    """The header and where the ciphertext begins. Raises Tampered."""
    start = len(MAGIC) + _LENGTH_BYTES
    length = int.from_bytes(data[len(MAGIC) : start], "big")
    if not data.startswith(MAGIC) or not 0 < length <= _MOST_HEADER_BYTES or len(data) < start + length:
        raise Tampered
    try:
        return msgspec.msgpack.decode(data[start : start + length], type=Header), start + length
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Tampered from None


def open_whole(key: bytes, data: bytes, belongs: bytes) -> bytes:
    """What `seal` was given. Raises Tampered."""
    header, start = read(data)
    if header.kind != "whole":
        raise Tampered
    return gcm.opened_with(key, header.nonce, data[start:], data[:start] + belongs)


async def seal_stream(
    key: bytes, wrapped: bytes, pieces: AsyncIterable[bytes], belongs: bytes
) -> AsyncGenerator[bytes]:
    """The header, then sealed pieces as the plaintext comes. `key` must be fresh."""
    prefix = secrets.token_bytes(_PREFIX_BYTES)
    head = _written(Header("stream", wrapped, prefix))
    yield head
    number, waiting, aad = 0, bytearray(), head + belongs
    async for piece in pieces:
        waiting += piece
        while len(waiting) > PIECE_BYTES:  # the last piece may be full, so one full piece is held back
            yield gcm.sealed_with(key, _nonce(prefix, number, last=False), bytes(waiting[:PIECE_BYTES]), aad)
            del waiting[:PIECE_BYTES]
            number += 1
    yield gcm.sealed_with(key, _nonce(prefix, number, last=True), bytes(waiting), aad)


async def open_stream(key: bytes, head: bytes, pieces: AsyncIterable[bytes], belongs: bytes) -> AsyncGenerator[bytes]:
    """The plaintext's pieces. `pieces` begin behind the header, `head` is the header. Raises Tampered."""
    header, _ = read(head)
    if header.kind != "stream" or len(header.nonce) != _PREFIX_BYTES:
        raise Tampered
    number, waiting, aad, sealed_bytes = 0, bytearray(), head + belongs, PIECE_BYTES + gcm.TAG_BYTES
    async for piece in pieces:
        waiting += piece
        while len(waiting) > sealed_bytes:
            yield gcm.opened_with(key, _nonce(header.nonce, number, last=False), bytes(waiting[:sealed_bytes]), aad)
            del waiting[:sealed_bytes]
            number += 1
    yield gcm.opened_with(key, _nonce(header.nonce, number, last=True), bytes(waiting), aad)


async def split(pieces: AsyncIterable[bytes]) -> tuple[bytes, AsyncGenerator[bytes]]:
    """The header's bytes and the rest of a sealed stream. Raises Tampered."""
    waiting = b""
    source = aiter(pieces)
    start = len(MAGIC) + _LENGTH_BYTES
    while True:
        wanted = start + int.from_bytes(waiting[len(MAGIC) : start], "big") if len(waiting) >= start else start
        if len(waiting) >= wanted > start:
            break
        if len(waiting) >= start and not (waiting.startswith(MAGIC) and wanted - start <= _MOST_HEADER_BYTES):
            raise Tampered
        try:
            waiting += await anext(source)
        except StopAsyncIteration:
            raise Tampered from None

    async def rest() -> AsyncGenerator[bytes]:
        yield waiting[wanted:]
        async for piece in source:
            yield piece

    read(waiting[:wanted])
    return waiting[:wanted], rest()


def _written(header: Header) -> bytes:
    body = msgspec.msgpack.encode(header)
    return MAGIC + len(body).to_bytes(_LENGTH_BYTES, "big") + body


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes((last,))
