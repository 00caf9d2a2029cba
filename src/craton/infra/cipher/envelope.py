"""Sealed data: a wrapped data key and what was encrypted under it, as one run of bytes or as a stream of pieces.

    magic "CES1" | u16 length | header (msgpack: kind, wrapped data key, nonce) | ciphertext …

Of a whole the ciphertext is one; of a stream it comes in pieces of 64 KiB (and a shorter last one), each with its number
and whether it is the last in its nonce, so that none can be left out, added or put elsewhere, and any can be opened
alone (`ranged`). The header and whatever the sealed data belongs to are authenticated. Pure: the data key is given. It
must not know who wraps it, or how.
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
SEALED_BYTES = PIECE_BYTES + gcm.TAG_BYTES
_LENGTH_BYTES = 2
_MOST_HEADER_BYTES = 8 * 1024
HEAD_BYTES = len(MAGIC) + _LENGTH_BYTES + _MOST_HEADER_BYTES
"""So many bytes of a stream hold its header."""
PREFIX_BYTES = 7  # the rest of a piece's nonce: u32 number, u8 last


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
    prefix = secrets.token_bytes(PREFIX_BYTES)
    head = _written(Header("stream", wrapped, prefix))
    yield head
    number, cutter, aad = 0, Cutter(PIECE_BYTES), head + belongs
    async for piece in pieces:
        for full in cutter.feed(piece):
            yield gcm.sealed_with(key, nonce_of(prefix, number, last=False), full, aad)
            number += 1
    yield gcm.sealed_with(key, nonce_of(prefix, number, last=True), cutter.rest(), aad)


async def open_stream(key: bytes, head: bytes, pieces: AsyncIterable[bytes], belongs: bytes) -> AsyncGenerator[bytes]:
    """The plaintext's pieces. `pieces` begin behind the header, `head` is the header. Raises Tampered."""
    header, _ = read(head)
    if header.kind != "stream" or len(header.nonce) != PREFIX_BYTES:
        raise Tampered
    number, cutter, aad = 0, Cutter(SEALED_BYTES), head + belongs
    async for piece in pieces:
        for full in cutter.feed(piece):
            yield gcm.opened_with(key, nonce_of(header.nonce, number, last=False), full, aad)
            number += 1
    yield gcm.opened_with(key, nonce_of(header.nonce, number, last=True), cutter.rest(), aad)


class Cutter:
    """Pieces of any size as pieces of one size. One that is full is held back until more comes: it may be the last."""

    __slots__ = ("_held", "_parts", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, piece: bytes) -> list[memoryview]:
        """The full pieces that are surely not the last."""
        self._parts.append(piece)
        self._held += len(piece)
        if self._held <= self._size:
            return []
        data = memoryview(self.rest())
        whole = (len(data) - 1) // self._size
        left = bytes(data[whole * self._size :])
        self._parts, self._held = [left], len(left)
        return [data[at * self._size : (at + 1) * self._size] for at in range(whole)]

    def rest(self) -> bytes:
        """What is held, at most one piece after `feed`."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


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


def nonce_of(prefix: bytes, number: int, *, last: bool) -> bytes:
    """The nonce of a stream's piece."""
    return prefix + number.to_bytes(4, "big") + bytes((last,))
