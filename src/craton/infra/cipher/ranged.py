"""A range of what was sealed as a stream, opened without reading what lies before it.

Owns which pieces of an envelope (`envelope`, form "stream") hold a range, and the check that each is the piece of its
number. Pure but for the reading, which is given. It must not know keys' names, nor where sealed bytes lie.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import TypeAlias

from craton.infra.cipher import gcm
from craton.infra.cipher.envelope import (
    HEAD_BYTES,
    PIECE_BYTES,
    PREFIX_BYTES,
    SEALED_BYTES,
    Cutter,
    nonce_of,
    read,
    split,
)
from craton.infra.cipher.port import SealedReader, Tampered

Unwrap: TypeAlias = Callable[[bytes], Awaitable[bytes]]
"""Opens a wrapped data key."""


async def open_range(
    unwrap: Unwrap, sealed: SealedReader, start: int, stop: int | None, belongs: bytes
) -> AsyncGenerator[bytes]:
    """The plaintext from `start` to before `stop` (None: the end), in pieces. `unwrap` opens the wrapped data key.

    Raises Tampered; also where the sealed bytes end within the range in a piece that was not the last.
    """
    first = start // PIECE_BYTES
    last = None if stop is None else max(stop - 1, start) // PIECE_BYTES
    window = slice(start, stop)
    if first == 0:  # one reading gives the header and what follows it
        async with aclosing(sealed(0, None if last is None else HEAD_BYTES + (last + 1) * SEALED_BYTES)) as source:
            head, rest = await split(source)
            opening = await _opening(head, unwrap, belongs, window)
            async for piece in _opened(opening, rest, first, last):
                yield piece
        return
    async with aclosing(sealed(0, HEAD_BYTES)) as source:
        head, _ = await split(source)
    opening = await _opening(head, unwrap, belongs, window)
    end = None if last is None else len(head) + (last + 1) * SEALED_BYTES
    async with aclosing(sealed(len(head) + first * SEALED_BYTES, end)) as source:
        async for piece in _opened(opening, source, first, last):
            yield piece


async def _opening(head: bytes, unwrap: Unwrap, belongs: bytes, window: slice) -> _Opening:
    """Raises Tampered for the header of anything but a stream."""
    header, _ = read(head)
    if header.kind != "stream" or len(header.nonce) != PREFIX_BYTES:
        raise Tampered
    return _Opening(await unwrap(header.wrapped), header.nonce, head + belongs, window)


class _Opening:
    """Opens pieces by their number, and gives of each what lies in the window."""

    __slots__ = ("_aad", "_key", "_prefix", "_window")

    def __init__(self, key: bytes, prefix: bytes, aad: bytes, window: slice) -> None:
        self._key, self._prefix, self._aad, self._window = key, prefix, aad, window

    def piece(self, number: int, data: bytes | memoryview, *, last: bool) -> bytes:
        plain = gcm.opened_with(self._key, nonce_of(self._prefix, number, last=last), data, self._aad)
        at, stop = number * PIECE_BYTES, self._window.stop
        return plain[max(0, self._window.start - at) : None if stop is None else max(0, stop - at)]

    def end(self, number: int, data: bytes, *, may_go_on: bool) -> bytes:
        """The piece where reading ended: the stream's last, or, at the border of a range, perhaps not."""
        if may_go_on and len(data) == SEALED_BYTES:
            with suppress(Tampered):
                return self.piece(number, data, last=False)
        return self.piece(number, data, last=True)


async def _opened(
    opening: _Opening, pieces: AsyncIterable[bytes], number: int, last: int | None
) -> AsyncGenerator[bytes]:
    """The opened pieces from `number` to `last`; none where the stream has no piece of that number."""
    cutter = Cutter(SEALED_BYTES)
    async for data in pieces:
        for full in cutter.feed(data):
            if found := opening.piece(number, full, last=False):
                yield found
            if number == last:
                return
            number += 1
    if rest := cutter.rest():
        if found := opening.end(number, rest, may_go_on=number == last):
            yield found
    elif number == 0:
        raise Tampered  # the smallest stream has a piece, if an empty one
