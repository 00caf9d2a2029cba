"""Segments of a spool: what was written is read, sealed on the disk, and nobody reads what is still written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from craton.infra.spool import folder
from craton.infra.spool.port import Damaged, Group, Losses
from craton.infra.spool.segment import Writer, new_key, take

GROUP = Group("111122223333", "us-east-1", b'{"s3Config":{"bucketName":"logs"}}')
SECRET = b"a prompt that nobody may read " * 10


def written(path: Path, *blocks: bytes, key: bytes | None = None) -> tuple[Writer, bytes]:
    key = key or new_key()
    writer = Writer(path / folder.new_name(GROUP.account, GROUP.region), key, b"sealed", GROUP, durable=True)
    for block in blocks:
        writer.append(block)
    return writer, key


def blocks(path: Path, key: bytes, skip: int = 0) -> list[bytes]:
    reading = take(path)
    assert reading is not None
    try:
        assert reading.sealed_key() == b"sealed"
        assert reading.group(key) == GROUP
        return list(reading.blocks(key, skip))
    finally:
        reading.close()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Blocks come back in their order, with whose they are."""
    writer, key = written(tmp_path, b"one", b"two", b"three")
    writer.close()
    assert blocks(writer.path, key) == [b"one", b"two", b"three"]
    assert blocks(writer.path, key, skip=2) == [b"three"]


def test_nothing_is_readable_on_the_disk(tmp_path: Path) -> None:
    """No word of a block, nor where it goes, lies in the file; the file is its owner's alone."""
    writer, _ = written(tmp_path, SECRET)
    writer.close()
    data = writer.path.read_bytes()
    assert b"prompt" not in data
    assert b"bucketName" not in data
    assert writer.path.stat().st_mode & 0o077 == 0


def test_an_open_segment_is_left_alone(tmp_path: Path) -> None:
    """Who empties the spool gets a segment once its writer has closed it."""
    writer, key = written(tmp_path, b"one")
    assert take(writer.path) is None
    writer.close()
    assert blocks(writer.path, key) == [b"one"]


def test_two_readers_do_not_meet(tmp_path: Path) -> None:
    """While one delivers a segment, no other does; afterwards it is gone."""
    writer, _ = written(tmp_path, b"one")
    writer.close()
    first = take(writer.path)
    assert first is not None
    assert take(writer.path) is None
    first.remove()
    first.close()
    assert take(writer.path) is None


@pytest.mark.parametrize("cut", [1, 3, 5, 20])
def test_a_torn_end_is_passed_over(tmp_path: Path, cut: int) -> None:
    """What a crash left half written was never kept, and the blocks before it are read."""
    writer, key = written(tmp_path, b"one", b"two")
    writer.close()
    os.truncate(writer.path, writer.size_bytes - cut)
    assert blocks(writer.path, key) == [b"one"]


def test_changed_bytes_are_noticed(tmp_path: Path) -> None:
    """A flipped bit in a block is damage, not a record."""
    writer, key = written(tmp_path, b"one" * 100)
    writer.close()
    data = bytearray(writer.path.read_bytes())
    data[-30] ^= 1
    writer.path.write_bytes(data)
    with pytest.raises(Damaged):
        blocks(writer.path, key)


def test_blocks_do_not_change_places(tmp_path: Path) -> None:
    """A block that was left out is noticed by the next."""
    writer, key = written(tmp_path, b"a" * 50)
    first_end = writer.size_bytes
    writer.append(b"b" * 50)
    writer.append(b"c" * 50)
    writer.close()
    data = writer.path.read_bytes()
    size = (len(data) - first_end) // 2
    writer.path.write_bytes(data[:first_end] + data[first_end + size :])
    with pytest.raises(Damaged):
        blocks(writer.path, key)


def test_what_a_killed_writer_left_can_be_taken(tmp_path: Path) -> None:
    """kill -9 of a writer loses nothing that was appended, and nobody waits for its lock."""
    script = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tests.unit.spool.test_spool_segments import written
writer, _ = written(Path({str(tmp_path)!r}), b"one", b"two", key=b"k" * 32)
print(writer.path, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert blocks(Path(done.stdout.strip()), b"k" * 32) == [b"one", b"two"]


def test_the_folder_says_what_waits(tmp_path: Path) -> None:
    """Segments are counted by account and region, with their bytes and the oldest one's time."""
    assert folder.waiting(tmp_path / "none").segments == 0
    writer, _ = written(tmp_path, b"one")
    writer.close()
    waiting = folder.waiting(tmp_path)
    assert (waiting.segments, waiting.size_bytes) == (1, writer.size_bytes)
    assert waiting.oldest_at > 1_700_000_000
    assert folder.owners(tmp_path) == {("111122223333", "us-east-1")}
    assert folder.segments(tmp_path, "111122223333", "us-east-1") == [writer.path]
    assert folder.segments(tmp_path, "111122223333", "us-east-2") == []


def test_losses_of_all_processes_are_added(tmp_path: Path) -> None:
    """Each process has its own count beside the segments."""
    folder.write_losses(tmp_path, Losses(budget=3))
    folder.replace(tmp_path / "lost-1.json", Losses(memory=2, unwritten=1))
    assert folder.read_losses(tmp_path).total == 6
