"""Blobs in files: damage is told and never handed out, a full disk and a killed writer leave nothing half."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from craton.infra.blobs.files import FileBlobs
from craton.infra.blobs.port import BlobDamaged, BlobError, BlobsFull, BlobsUnavailable

T = TypeVar("T")
MIB = 1024 * 1024
# Writes blob after blob and tells each id after it was acknowledged; then it is killed.
WRITER = """
import asyncio, os, sys
from pathlib import Path
from craton.infra.blobs.files import FileBlobs

async def pieces(size):
    for _ in range(0, size, 65536):
        yield bytes([size % 251]) * min(65536, size)

async def one(blobs, size):
    while True:
        made = await blobs.write(pieces(size))
        os.write(1, f"{made.id} {size}\\n".encode())

async def main():
    blobs = FileBlobs(Path(sys.argv[1]))
    await asyncio.gather(*(one(blobs, size) for size in (10, 1000, 65536, 3 << 20)))

asyncio.run(main())
"""
# Writes and reads 200 MB, and tells by how much its memory grew over that.
LARGE = """
import asyncio, resource, sys
from pathlib import Path
from craton.infra.blobs.files import FileBlobs

async def pieces(count):
    for number in range(count):
        yield bytes([number % 251]) * 1_000_000

async def main():
    blobs = FileBlobs(Path(sys.argv[1]))
    small = await blobs.write(pieces(1))
    async for _ in blobs.read(small.id): pass
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = await blobs.write(pieces(200))
    size = 0
    async for piece in blobs.read(made.id):
        size += len(piece)
    print(made.size, size, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)

asyncio.run(main())
"""


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


async def pieces(data: bytes) -> AsyncGenerator[bytes]:
    for at in range(0, len(data), 50_000):
        yield data[at : at + 50_000]


async def whole(blobs: FileBlobs, ident: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([piece async for piece in blobs.read(ident, start, stop)])


def written(root: Path, data: bytes) -> tuple[str, Path]:
    """A blob's id and its file."""
    ident = run(FileBlobs(root).write(pieces(data))).id
    [path] = root.rglob(f"{ident}*")
    return ident, path


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [1, 1000, 65_536, 200_000, 700_000])
def test_no_flipped_bit_is_handed_out(tmp_path: Path, size: int) -> None:
    """Wherever a bit of the file is flipped, reading the whole blob raises, and what came before was right."""
    data = os.urandom(size)
    ident, path = written(tmp_path, data)
    sound = path.read_bytes()
    for at in sorted({0, size // 2, size - 1, *range(size, len(sound))}):
        path.write_bytes(sound[:at] + bytes((sound[at] ^ 4,)) + sound[at + 1 :])
        came = bytearray()

        async def read(came: bytearray = came) -> None:
            async for piece in FileBlobs(tmp_path).read(ident):
                came.extend(piece)

        with pytest.raises(BlobDamaged):
            run(read())
        assert data.startswith(came)


def test_damage_is_only_where_it_is(tmp_path: Path) -> None:
    """A flipped bit makes its own 64 KiB unreadable, not the rest; the scrub names the place."""
    data = os.urandom(900_000)
    ident, path = written(tmp_path, data)
    sound = path.read_bytes()
    path.write_bytes(sound[:70_000] + bytes((sound[70_000] ^ 1,)) + sound[70_001:])

    async def look() -> list[str]:
        blobs = FileBlobs(tmp_path)
        assert await whole(blobs, ident, 131_072) == data[131_072:]
        with pytest.raises(BlobDamaged):
            await whole(blobs, ident, 100_000, 100_001)
        return [found.damage async for found in blobs.scrub()]

    assert run(look()) == ["bytes 65536 and following"]


@pytest.mark.parametrize("size", [0, 10, 70_000, 600_000])
def test_a_file_that_was_cut_short_is_damaged(tmp_path: Path, size: int) -> None:
    """A file without its end, of whatever length, is never taken for a shorter blob."""
    ident, path = written(tmp_path, os.urandom(size))
    length = path.stat().st_size
    for left in sorted({0, 1, 15, 16, size // 2, size, length - 17, length - 16, length - 1} - {-1, -2}):
        if 0 <= left < length:
            os.truncate(path, left)
            with pytest.raises(BlobDamaged):
                run(whole(FileBlobs(tmp_path), ident))


def test_a_blob_under_anothers_name_is_damaged(tmp_path: Path) -> None:
    """A file that lies where another blob belongs is not that blob."""
    first, path = written(tmp_path, b"first")
    second, other = written(tmp_path, b"other")
    other.write_bytes(path.read_bytes())
    with pytest.raises(BlobDamaged):
        run(whole(FileBlobs(tmp_path), second))
    assert run(whole(FileBlobs(tmp_path), first)) == b"first"


def test_only_the_owner_reads_files(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600."""
    root = tmp_path / "home" / "blobs"
    _, path = written(root, b"content")
    assert [stat.S_IMODE(each.stat().st_mode) for each in (root, path.parent, path)] == [0o700, 0o700, 0o600]


@pytest.mark.parametrize("size", [200_000, 3 * MIB])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    """Where there is no room for a blob it is refused as such, nothing of it stays, and smaller ones still go in."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def fill() -> bytes:
        blobs = FileBlobs(tmp_path)
        old = await blobs.write(pieces(b"old"))
        with pytest.raises(BlobsFull):
            await blobs.write(pieces(bytes(size)))
        assert len(files(tmp_path)) == 1
        return await whole(blobs, old.id) + await whole(blobs, (await blobs.write(pieces(b" new"))).id)

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        assert run(fill()) == b"old new"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A root that is no folder is an error with the system's own words."""
    root = tmp_path / "blobs"
    root.write_text("a file")
    with pytest.raises(BlobsUnavailable, match="Not a directory|File exists"):
        run(FileBlobs(root).write(pieces(b"content")))


def test_a_killed_writer_leaves_nothing_half(tmp_path: Path) -> None:
    """After kill -9 every acknowledged blob is whole, every other file is a draft, and the drafts are tidied when old."""
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    told = [child.stdout.readline() for _ in range(40)]
    child.send_signal(signal.SIGKILL)
    told += child.stdout.read().splitlines(keepends=True)
    child.wait()
    acknowledged = [line.split() for line in told if line.endswith(b"\n")]

    async def look() -> tuple[int, int]:
        blobs = FileBlobs(tmp_path)
        for ident, size in acknowledged:
            data = await whole(blobs, ident.decode())
            assert data == bytes([int(size) % 251]) * int(size)
        assert [found.damage async for found in blobs.scrub() if found.damage] == []
        soon = await blobs.tidy(datetime.now(UTC) - timedelta(hours=1))
        later = await blobs.tidy(datetime.now(UTC) + timedelta(minutes=1))
        return soon, later

    drafts = [path for path in files(tmp_path) if path.suffix == ".draft"]
    assert run(look()) == (0, len(drafts))
    assert [path for path in files(tmp_path) if path.suffix != ".blob"] == []


def test_large_blobs_pass_through_little_memory(tmp_path: Path) -> None:
    """200 MB written and read grow the process by no more than 20 MiB."""
    told = subprocess.run([sys.executable, "-c", LARGE, str(tmp_path)], capture_output=True, check=True).stdout.split()
    written_bytes, read_bytes, grown_mib = map(int, told)
    assert (written_bytes, read_bytes) == (200_000_000, 200_000_000)
    assert grown_mib <= 20


def test_a_disk_that_fails_in_the_middle_is_no_short_blob(tmp_path: Path) -> None:
    """A file that shrinks while it is read ends the reading with an error."""
    data = os.urandom(3 * MIB)
    ident, path = written(tmp_path, data)

    async def read() -> None:
        reading = FileBlobs(tmp_path).read(ident)
        await anext(reading)
        os.truncate(path, 1 * MIB)
        async for _ in reading:
            pass

    with pytest.raises(BlobError):
        run(read())
