"""One segment of a spool: a file of sealed blocks, written by one process and read once it is closed or its writer died.

    magic "CSP1" | u16 length | sealed key | block … ;   block = u32 length | ciphertext (AES-256-GCM)

The key is the segment's own and is sealed by whoever seals customers' content, so a key of the customer's that is
disabled makes the segment unreadable. The number of a block is its nonce; number and place are authenticated, so none
can be left out in the middle or put elsewhere. Block 0 says whose segment it is. What a crash left half written at the
end was never on the disk and is passed over. The writer holds a lock on its file: who gets the lock may read and remove
it. Blocking. It must not know what blocks say, nor where the next segment is.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec

from craton.infra.cipher import gcm
from craton.infra.cipher.port import Tampered
from craton.infra.spool.port import Damaged, Group

MAGIC = b"CSP1"
SUFFIX = ".spool"
_MOST_KEY_BYTES = 16 * 1024
_MOST_BLOCK_BYTES = 256 << 20


def new_key() -> bytes:
    return secrets.token_bytes(gcm.KEY_BYTES)


class Writer:
    """An open segment. `size_bytes` is what it takes on the disk."""

    def __init__(self, path: Path, key: bytes, sealed_key: bytes, group: Group, *, durable: bool) -> None:
        """Make the file. Raises OSError."""
        self.path = path
        self.size_bytes = 0
        self._key = key
        self._durable = durable
        self._number = 0
        made = path.with_suffix(".new")
        self._file = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._put(MAGIC + len(sealed_key).to_bytes(2, "big"), sealed_key)
            self._seal(msgspec.msgpack.encode(group))
            # Under its name from now on; nobody could have locked it before this process had.
            made.rename(path)
            if durable:
                sync_folder(path.parent)
        except BaseException:
            os.close(self._file)
            made.unlink(missing_ok=True)
            raise

    def append(self, plaintext: bytes) -> None:
        """Seal and keep a block; when this returns, it is durable.

        Raises OSError: nothing of the block is kept, and the segment takes no more, since a nonce serves once.
        """
        before = self.size_bytes
        try:
            self._seal(plaintext)
            if self._durable:
                os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, before)
            raise

    def close(self) -> None:
        """Leave the segment to who empties the spool."""
        os.close(self._file)

    def _seal(self, plaintext: bytes) -> None:
        sealed = gcm.sealed_with(self._key, nonce(self._number), plaintext, MAGIC)
        self._put(len(sealed).to_bytes(4, "big"), sealed)
        self._number += 1

    def _put(self, head: bytes, data: bytes) -> None:
        written = os.writev(self._file, (head, data))
        rest = memoryview(data)[written - len(head) :]  # the system takes a few bytes whole
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self.size_bytes += len(head) + len(data)


class Reading:
    """A segment that nobody writes any more, locked for as long as this is open."""

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self._file = file
        self._start = 0

    def sealed_key(self) -> bytes:
        """What `Cipher.open` gives the key for. Raises Damaged, OSError."""
        head = os.pread(self._file, len(MAGIC) + 2, 0)
        length = int.from_bytes(head[len(MAGIC) :], "big")
        if not head.startswith(MAGIC) or not 0 < length <= _MOST_KEY_BYTES:
            raise Damaged("the segment has no head")
        self._start = len(head) + length
        return os.pread(self._file, length, len(head))

    def group(self, key: bytes) -> Group:
        """Whose it is. Raises Damaged."""
        for first in self._blocks(key, 0):
            try:
                return msgspec.msgpack.decode(first, type=Group)
            except msgspec.DecodeError:
                break
        raise Damaged("the segment does not say whose it is")

    def blocks(self, key: bytes, skip: int = 0) -> Iterator[bytes]:
        """The blocks behind the first, without the first `skip` of them. Raises Damaged, OSError."""
        yield from self._blocks(key, 1 + skip)

    def _blocks(self, key: bytes, first: int) -> Iterator[bytes]:
        at, number, size = self._start, 0, os.fstat(self._file).st_size
        while at + 4 <= size:
            length = int.from_bytes(os.pread(self._file, 4, at), "big")
            if at + 4 + length > size:
                return  # cut short by the end of its writer
            if not gcm.TAG_BYTES <= length <= _MOST_BLOCK_BYTES:
                raise Damaged("a block has no length")
            if number >= first:
                sealed = os.pread(self._file, length, at + 4)
                try:
                    yield gcm.opened_with(key, nonce(number), sealed, MAGIC)
                except Tampered:
                    raise Damaged("a block is not what was written") from None
            at, number = at + 4 + length, number + 1

    def remove(self) -> None:
        """The segment has been taken further."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        os.close(self._file)


def take(path: Path) -> Reading | None:
    """The segment, unless its writer still has it or it is gone."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = path.exists()  # another reader may have been quicker
    except BlockingIOError:
        there = False
    if not there:
        os.close(file)
        return None
    return Reading(path, file)


def nonce(number: int) -> bytes:
    return number.to_bytes(gcm.NONCE_BYTES, "big")


def sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
