"""Sealed data, whole and as a stream: nothing can be changed, cut, reordered or moved elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.infra.cipher import envelope
from craton.infra.cipher.port import Tampered

KEY = bytes(range(32))
WRAPPED = b"wrapped data key"
PIECE = envelope.PIECE_BYTES


async def pieces_of(data: bytes, size: int) -> AsyncGenerator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def joined(pieces: AsyncIterable[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


def sealed_stream(data: bytes, size: int = 1000) -> bytes:
    return asyncio.run(joined(envelope.seal_stream(KEY, WRAPPED, pieces_of(data, size), b"mine")))


def opened_stream(sealed: bytes, size: int = 1000, belongs: bytes = b"mine") -> bytes:
    async def run() -> bytes:
        head, rest = await envelope.split(pieces_of(sealed, size))
        return await joined(envelope.open_stream(KEY, head, rest, belongs))

    return asyncio.run(run())


def frames(sealed: bytes) -> tuple[bytes, list[bytes]]:
    """A sealed stream's header and its pieces."""
    _, start = envelope.read(sealed)
    step = PIECE + 16
    return sealed[:start], [sealed[at : at + step] for at in range(start, len(sealed), step)]


@given(st.binary(max_size=2000), st.binary(max_size=20))
@settings(max_examples=60, deadline=None)
def test_a_whole_comes_back(plaintext: bytes, belongs: bytes) -> None:
    """What was sealed is opened under what it belongs to, and names its wrapped key."""
    sealed = envelope.seal(KEY, WRAPPED, plaintext, belongs)
    assert envelope.read(sealed)[0].wrapped == WRAPPED
    assert envelope.open_whole(KEY, sealed, belongs) == plaintext
    with pytest.raises(Tampered):
        envelope.open_whole(KEY, sealed, belongs + b"!")


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_changed_byte_of_a_whole_is_noticed(data: st.DataObject) -> None:
    """One changed byte, in the header or behind it."""
    sealed = bytearray(envelope.seal(KEY, WRAPPED, b"content of a customer", b"mine"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Tampered):
        envelope.open_whole(KEY, bytes(sealed), b"mine")


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 17])
@pytest.mark.parametrize("step", [7_919, 200_000])
def test_a_stream_comes_back(size: int, step: int) -> None:
    """Sizes around the pieces', in network reads of any size."""
    plaintext = bytes(at % 251 for at in range(size))
    assert opened_stream(sealed_stream(plaintext, step), step) == plaintext


def test_a_stream_may_come_byte_by_byte() -> None:
    """The header is found however small the reads are."""
    assert opened_stream(sealed_stream(b"short"), 1) == b"short"


def test_pieces_cannot_be_left_out_moved_or_added() -> None:
    """A stream that was cut at a piece's end, reordered, repeated or joined to another is refused."""
    head, parts = frames(sealed_stream(bytes(3 * PIECE), 100_000))
    _, others = frames(sealed_stream(bytes(3 * PIECE), 100_000))
    for wrong in (
        parts[:-1],
        parts[1:],
        [parts[1], parts[0], *parts[2:]],
        [*parts, parts[-1]],
        [others[0], *parts[1:]],
    ):
        with pytest.raises(Tampered):
            opened_stream(head + b"".join(wrong), 50_000)


def test_a_stream_belongs_to_its_place() -> None:
    """Under another account, purpose or context it opens nothing."""
    with pytest.raises(Tampered):
        opened_stream(sealed_stream(b"content"), belongs=b"other")


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_rubbish_is_refused(rubbish: bytes) -> None:
    """Bytes of any kind end in the one error, as a whole and as a stream."""
    for data in (rubbish, envelope.MAGIC + rubbish):
        with pytest.raises(Tampered):
            envelope.open_whole(KEY, data, b"")
        with pytest.raises(Tampered):
            opened_stream(data, 64)


def test_a_whole_is_no_stream() -> None:
    """The kinds are told apart before anything is decrypted."""
    with pytest.raises(Tampered):
        opened_stream(envelope.seal(KEY, WRAPPED, b"x", b"mine"))
    with pytest.raises(Tampered):
        envelope.open_whole(KEY, sealed_stream(b"x"), b"mine")
