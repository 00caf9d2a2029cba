"""What every place for blobs does; run on each of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from craton.infra.blobs.orphans import sweep
from craton.infra.blobs.port import Blobs, Checked, NoSuchBlob

T = TypeVar("T")
Opened = Callable[[], Blobs]
MIB = 1024 * 1024
SIZES = (0, 1, 65_535, 65_536, 65_537, 524_288, 524_289, 12 * MIB + 1)
STRANGE = ("", "x", "../secret", "/etc/passwd", "a" * 31, "A" * 32, "f" * 32 + "\n", "é" * 32, "\0" * 32)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


async def pieces(data: bytes, size: int = 100_000) -> AsyncGenerator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def whole(blobs: Blobs, ident: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([piece async for piece in blobs.read(ident, start, stop)])


@pytest.mark.parametrize("size", SIZES)
def test_a_blob_reads_as_it_was_written(opened: Opened, size: int) -> None:
    """A blob of any size, at and beside the borders of frames and batches, comes back whole, also to who opens anew."""
    data = os.urandom(size)

    async def write() -> str:
        blobs = opened()
        made = await blobs.write(pieces(data))
        assert (made.size, await whole(blobs, made.id) == data) == (size, True)
        return made.id

    async def read_again(ident: str) -> bytes:
        return await whole(opened(), ident)

    assert run(read_again(run(write()))) == data


def test_ranges_are_slices(opened: Opened) -> None:
    """Any range is what the same slice of the bytes is, across frames and behind the end."""
    data = os.urandom(1_200_000)
    places = (0, 1, 65_535, 65_536, 65_537, 524_287, 524_288, 1_199_999, 1_200_000, 1_300_000)

    async def compare() -> list[tuple[int, int | None]]:
        blobs = opened()
        ident = (await blobs.write(pieces(data))).id
        return [
            (start, stop)
            for start in places
            for stop in (*places, None)
            if await whole(blobs, ident, start, stop) != data[start:stop]
        ]

    assert run(compare()) == []


def test_ids_tell_nothing_and_are_new(opened: Opened) -> None:
    """The same bytes written twice are two blobs under unrelated ids."""

    async def twice() -> set[str]:
        blobs = opened()
        return {(await blobs.write(pieces(b"same"))).id for _ in range(2)}

    assert len(run(twice())) == 2


def test_what_was_deleted_is_gone(opened: Opened) -> None:
    """A deleted blob is not there, its neighbour is; deleting it again, or nothing, is no error."""

    async def delete() -> bytes:
        blobs = opened()
        gone, stays = [(await blobs.write(pieces(text))).id for text in (b"gone", b"stays")]
        for _ in range(2):
            await blobs.delete(gone)
        await blobs.delete()
        with pytest.raises(NoSuchBlob):
            await whole(blobs, gone)
        with pytest.raises(NoSuchBlob):
            await whole(blobs, gone, 2, 2)
        return await whole(blobs, stays)

    assert run(delete()) == b"stays"


@pytest.mark.parametrize("ident", STRANGE)
def test_what_is_no_id_is_no_blob(opened: Opened, ident: str) -> None:
    """An id that is a path, or of another form, names nothing: it is never used as a name."""

    async def look() -> None:
        blobs = opened()
        await blobs.delete(ident)
        with pytest.raises(NoSuchBlob):
            await whole(blobs, ident)

    run(look())


def test_every_blob_is_listed(opened: Opened) -> None:
    """The listing has each blob once, with the time at which it was written."""

    async def listed() -> tuple[list[str], dict[str, datetime]]:
        blobs = opened()
        assert [ident async for ident in blobs.ids()] == []
        made = [(await blobs.write(pieces(b"%d" % number))).id for number in range(20)]
        return made, {ident: at async for ident, at in blobs.ids()}

    made, found = run(listed())
    assert sorted(found) == sorted(made)
    assert all(abs(datetime.now(UTC) - at) < timedelta(minutes=5) for at in found.values())


@pytest.mark.parametrize("size", [10, 600_000, 12 * MIB])
def test_a_source_that_fails_leaves_nothing(opened: Opened, size: int) -> None:
    """An upload that is cut short, small or large, raises what its source raised and keeps nothing."""

    async def cut() -> AsyncGenerator[bytes]:
        async for piece in pieces(os.urandom(size)):
            yield piece
        raise ConnectionResetError("the client left")

    async def write() -> list[str]:
        blobs = opened()
        with pytest.raises(ConnectionResetError):
            await blobs.write(cut())
        return [ident async for ident, _ in blobs.ids()]

    assert run(write()) == []


@pytest.mark.parametrize("size", [10, 600_000, 12 * MIB])
def test_a_writer_that_is_cancelled_leaves_nothing(opened: Opened, size: int) -> None:
    """Cancelling a write in the middle of its source keeps nothing."""

    async def write() -> list[str]:
        blobs, waits = opened(), asyncio.Event()

        async def stalls() -> AsyncGenerator[bytes]:
            async for piece in pieces(os.urandom(size)):
                yield piece
            waits.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(blobs.write(stalls()))
        await waits.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [ident async for ident, _ in blobs.ids()]

    assert run(write()) == []


def test_readers_may_leave(opened: Opened) -> None:
    """Who stops reading in the middle, or never begins, disturbs nobody."""
    data = os.urandom(3 * MIB)

    async def leave() -> bool:
        blobs = opened()
        ident = (await blobs.write(pieces(data))).id
        for _ in range(20):
            reading = blobs.read(ident)
            await anext(reading)
            await reading.aclose()
        await blobs.read(ident).aclose()
        return await whole(blobs, ident) == data

    assert run(leave())


def test_many_at_once(opened: Opened) -> None:
    """Blobs that are written and read at the same time do not mix."""

    async def one(blobs: Blobs, number: int) -> bool:
        data = os.urandom(1000 * number)
        return await whole(blobs, (await blobs.write(pieces(data, 999))).id) == data

    async def all_of_them() -> list[bool]:
        blobs = opened()
        return await asyncio.gather(*(one(blobs, number) for number in range(40)))

    assert all(run(all_of_them()))


def test_scrub_reads_every_blob(opened: Opened) -> None:
    """Where nothing is damaged, the scrub tells of every blob with its size."""

    async def scrub() -> tuple[set[Checked], set[Checked]]:
        blobs = opened()
        made = [await blobs.write(pieces(bytes(size))) for size in (0, 10, 700_000)]
        return {Checked(one.id, one.size) for one in made}, {found async for found in blobs.scrub()}

    made, found = run(scrub())
    assert made == found


def test_orphans_are_swept_when_they_are_old(opened: Opened) -> None:
    """A sweep removes what no row names, once it is an hour old, and nothing else."""

    async def swept() -> tuple[list[int], list[bytes]]:
        blobs = opened()
        named, lost = [(await blobs.write(pieces(text))).id for text in (b"named", b"lost")]

        async def held(idents: list[str]) -> set[str]:
            return {named} & set(idents)

        now = datetime.now(UTC)
        removed = [(await sweep(blobs, held, now + timedelta(minutes=late))).removed for late in (50, 70, 70)]
        assert lost not in [ident async for ident, _ in blobs.ids()]
        return removed, [await whole(blobs, named)]

    assert run(swept()) == ([0, 1, 0], [b"named"])
