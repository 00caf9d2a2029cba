"""The vectors that a run has paid for, on this machine, until the index that they belong to is visible.

Owns the files `NUMBER.vectors` in a folder of its own, and their form: the data key, sealed by the account's default key,
then frames `length (4 bytes) | sealed`, each of some vectors with the hashes of what was embedded. They are written within
a tenth of a second, so a killed process pays for few of them twice; a last frame that was cut is forgotten. A
journal that cannot be read or written is as good as none. It must not know models or documents.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import struct
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from craton.infra.cipher import gcm
from craton.infra.cipher.port import Cipher, CipherError, Tampered

if TYPE_CHECKING:
    from craton.infra.vectors.port import Vector

PURPOSE = "ingestion-scratch"
WRITE_EVERY_S = 0.1
_FRAME_VECTORS = 512
_FRAMES_HELD = 8
_LENGTH = struct.Struct(">I")


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    content: str
    dtype: str
    data: bytes


class _Place(msgspec.Struct, frozen=True):
    """A frame: its file, where it begins, how long it is."""

    file: int
    at: int
    size: int


_FRAME = msgspec.msgpack.Decoder(list[_Kept])


class Journal:
    """One loop; what blocks runs in threads, one write at a time. `context` is what the files are bound to."""

    def __init__(self, folder: Path, cipher: Cipher, account: str, context: Mapping[str, str]) -> None:
        self._folder = folder
        self._cipher = cipher
        self._account = account
        self._context = context
        self._files: list[tuple[BinaryIO, bytes]] = []
        self._places: dict[str, _Place] = {}
        self._held: OrderedDict[_Place, dict[str, Vector]] = OrderedDict()
        self._fresh: dict[str, Vector] = {}
        self._turn = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._broken = False

    async def open(self) -> None:
        """Learn what earlier attempts left, and take further vectors from now on."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            names = [path for path in self._folder.glob("*.vectors") if path.stem.isdecimal()]
            paths = sorted(names, key=lambda path: int(path.stem))
            for path in paths:
                await self._learn(path)
            number = int(paths[-1].stem) + 1 if paths else 1
            key = secrets.token_bytes(gcm.KEY_BYTES)
            sealed = await self._cipher.seal(self._account, PURPOSE, None, key, self._context)
            self._files.append((_begun(self._folder / f"{number}.vectors", sealed), key))
        except (OSError, CipherError):
            # A full disk or a key that rests costs what a crash would have to embed again, and nothing else.
            self._broken = True

    async def _learn(self, path: Path) -> None:
        stream = path.open("rb")
        spans = list(_spans(stream))
        try:
            first = spans[0] if spans else (0, 0)
            key = await self._cipher.open(self._account, PURPOSE, _cut(stream, *first), self._context)
        except CipherError:
            stream.close()
            return
        self._files.append((stream, key))
        number = len(self._files) - 1
        for at, size in spans[1:]:
            place = _Place(number, at, size)
            self._places.update(dict.fromkeys(await asyncio.to_thread(self._read, place), place))

    async def find(self, contents: Iterable[str]) -> dict[str, Vector]:
        """The vectors that are known of these, by the hash of what was embedded."""
        found: dict[str, Vector] = {}
        for content in contents:
            vector = self._fresh.get(content)
            place = self._places.get(content)
            if vector is None and place is not None:
                frame = self._held.get(place)
                vector = (frame if frame is not None else await asyncio.to_thread(self._read, place)).get(content)
            if vector is not None:
                found[content] = vector
        return found

    def keep(self, vectors: Mapping[str, Vector]) -> None:
        """Take vectors; they are on the disk shortly after."""
        if self._broken:
            return
        self._fresh.update(vectors)
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._fresh and not self._broken:
                if len(self._fresh) < _FRAME_VECTORS:
                    await asyncio.sleep(WRITE_EVERY_S)
                await self._flush()
        finally:
            self._writer = None

    async def _flush(self) -> None:
        async with self._turn:
            if not self._fresh or self._broken:
                return
            batch = dict(self._fresh)
            try:
                place = await asyncio.to_thread(self._append, batch)
            except OSError:
                self._broken = True
                return
            self._places.update(dict.fromkeys(batch, place))
            for content in batch:
                del self._fresh[content]

    def _append(self, batch: Mapping[str, Vector]) -> _Place:
        stream, key = self._files[-1]
        kept = [_Kept(content, vector.dtype.str, vector.tobytes()) for content, vector in batch.items()]
        sealed = gcm.sealed(key, msgspec.msgpack.encode(kept), b"")
        stream.seek(0, os.SEEK_END)
        at = stream.tell() + _LENGTH.size
        stream.write(_LENGTH.pack(len(sealed)) + sealed)
        stream.flush()
        os.fdatasync(stream.fileno())
        return _Place(len(self._files) - 1, at, len(sealed))

    def _read(self, place: _Place) -> dict[str, Vector]:
        """A frame's vectors; none if it is not what was written."""
        import numpy as np

        stream, key = self._files[place.file]
        found: dict[str, Vector] = {}
        with suppress(Tampered, msgspec.DecodeError, OSError):
            kept = _FRAME.decode(gcm.opened(key, _cut(stream, place.at, place.size), b""))
            found = {one.content: np.frombuffer(one.data, dtype=one.dtype) for one in kept}
        self._held[place] = found
        while len(self._held) > _FRAMES_HELD:
            self._held.popitem(last=False)
        return found

    async def close(self, *, remove: bool) -> None:
        """Write what waits and end; with `remove` there is nothing left of it."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        if not remove:
            await self._flush()
        for stream, _ in self._files:
            stream.close()
        self._files = []
        if remove:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


def _begun(path: Path, sealed: bytes) -> BinaryIO:
    """A new file, which only its owner may read."""
    stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b")
    stream.write(_LENGTH.pack(len(sealed)) + sealed)
    stream.flush()
    return stream


def _cut(stream: BinaryIO, at: int, size: int) -> bytes:
    """Bytes of a file, whatever position its other users have."""
    return os.pread(stream.fileno(), size, at)


def _spans(stream: BinaryIO) -> Iterable[tuple[int, int]]:
    """Where the frames of a file lie; one that was cut off ends them."""
    end = os.fstat(stream.fileno()).st_size
    at = 0
    while at + _LENGTH.size <= end:
        (size,) = _LENGTH.unpack(_cut(stream, at, _LENGTH.size))
        at += _LENGTH.size
        if at + size > end:
            return
        yield at, size
        at += size
