"""The scratch of a job: answers that are not yet in a part of the output, sealed, on this machine.

Owns the files `NUMBER.spool` in a folder of its own, and their form: the data key, sealed by the account's default
key, then frames of answers, each `length (4 bytes) | sealed`. Answers are written within a tenth of a second and
synced, so a killed process pays for none of them twice; those of a last frame that was cut are asked again. A spool
that cannot be opened is as good as none. It must not know models or what answers mean beyond their number.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from craton.features.batch.records import NOWHERE, Outcome, Place
from craton.infra.cipher import gcm
from craton.infra.cipher.port import Cipher, CipherError, Tampered

PURPOSE = "batch-scratch"
WRITE_EVERY_S = 0.1
_WRITE_FROM_BYTES = 1024 * 1024
_FORGOTTEN_S = 8 * 86400.0
_LENGTH = struct.Struct(">I")
_OUTCOMES: msgspec.msgpack.Decoder[list[Outcome]] = msgspec.msgpack.Decoder(list[Outcome])


class Spool:
    """Answers that wait for their part. One loop; what blocks runs in threads, one write at a time."""

    def __init__(self, folder: Path, cipher: Cipher, account: str, context: Mapping[str, str]) -> None:
        self._folder = folder
        self._cipher = cipher
        self._account = account
        self._context = context
        self._files: list[_File] = []
        self._waiting: list[Outcome] = []
        self._size = 0
        self._writer: asyncio.Task[None] | None = None
        self._due = asyncio.Event()
        self._turn = asyncio.Lock()
        self._closing = self._broken = False

    async def open(self, after: Place) -> dict[Place, Outcome]:
        """The answers that are here to records behind `after`; the spool takes further ones from now on."""
        found: dict[Place, Outcome] = {}
        paths = sorted(self._folder.glob("*.spool"), key=lambda path: int(path.stem)) if self._folder.is_dir() else []
        for path in paths:
            answers = await self._read(path)
            kept = {one.place: one for one in answers if one.place > after}
            found.update(kept)
            self._files.append(_File(path, b"", None, max(kept, default=NOWHERE)))
        await self._begin()
        return found

    async def _read(self, path: Path) -> list[Outcome]:
        data = await asyncio.to_thread(path.read_bytes)
        frames = framed(data)
        try:
            key = await self._cipher.open(self._account, PURPOSE, next(frames, b""), self._context)
        except CipherError:
            return []
        return await asyncio.to_thread(lambda: [one for frame in frames for one in opened(key, frame)])

    async def _begin(self) -> None:
        """Go on in a new file, so that the old ones can go as soon as their answers are in the output."""
        key = secrets.token_bytes(gcm.KEY_BYTES)
        number = int(self._files[-1].path.stem) + 1 if self._files else 1
        path = self._folder / f"{number}.spool"
        try:
            sealed = await self._cipher.seal(self._account, PURPOSE, None, key, self._context)
            self._files.append(await asyncio.to_thread(begun, path, key, sealed))
        except (OSError, CipherError):
            # A full disk or a key that rests costs what a crash would have to ask again, and nothing else.
            self._broken = True

    def add(self, outcome: Outcome) -> None:
        """Keep an answer; it is on the disk shortly after."""
        if self._broken:
            return
        self._waiting.append(outcome)
        self._size += len(outcome.line)
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())
        if self._size >= _WRITE_FROM_BYTES:
            self._due.set()

    async def _write(self) -> None:
        try:
            while self._waiting and not self._broken:
                if not self._closing:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(WRITE_EVERY_S):
                            await self._due.wait()
                self._due.clear()
                async with self._turn:
                    batch, self._waiting, self._size = self._waiting, [], 0
                    await asyncio.to_thread(self._files[-1].append, batch)
        except OSError:
            self._broken = True
        finally:
            self._writer = None

    async def settled(self, upto: Place) -> None:
        """The answers up to `upto` are in the output: files that hold no other ones go."""
        async with self._turn:
            await self._begin()
            if self._broken:
                return
            gone = [one for one in self._files[:-1] if one.last <= upto]
            self._files = [one for one in self._files if one not in gone]
            for one in gone:
                await asyncio.to_thread(one.remove)

    async def close(self, *, remove: bool) -> None:
        """Write what waits and end; with `remove` there is nothing left of it."""
        self._closing = True
        self._due.set()
        if self._writer is not None:
            await self._writer
        for one in self._files:
            one.end()
        if remove:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


class _File:
    """One file of the spool, and the last place of an answer in it."""

    def __init__(self, path: Path, key: bytes, stream: BinaryIO | None, last: Place = NOWHERE) -> None:
        self.path = path
        self.last = last
        self._key = key
        self._stream = stream

    def append(self, batch: list[Outcome]) -> None:
        """Write a frame and sync it. Raises OSError."""
        if self._stream is None:
            return
        sealed = gcm.sealed(self._key, msgspec.msgpack.encode(batch), b"")
        self._stream.write(_LENGTH.pack(len(sealed)) + sealed)
        self._stream.flush()
        os.fdatasync(self._stream.fileno())
        self.last = max(self.last, *(one.place for one in batch))

    def end(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def remove(self) -> None:
        self.end()
        self.path.unlink(missing_ok=True)


def begun(path: Path, key: bytes, sealed: bytes) -> _File:
    """A new file of the spool, which only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    stream.write(_LENGTH.pack(len(sealed)) + sealed)
    stream.flush()
    return _File(path, key, stream)


def framed(data: bytes) -> Iterator[bytes]:
    """The frames of a file; one that was cut off ends them."""
    at = 0
    while at + _LENGTH.size <= len(data):
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + size > len(data):
            return
        yield data[at : at + size]
        at += size


def opened(key: bytes, frame: bytes) -> list[Outcome]:
    """The answers of a frame, none if it is not what was written."""
    try:
        return _OUTCOMES.decode(gcm.opened(key, frame, b""))
    except (Tampered, msgspec.DecodeError):
        return []


def sweep(folder: Path) -> None:
    """Remove the scratch of jobs that ended elsewhere, known by its age: no job lives so long."""
    if not folder.is_dir():
        return
    for one in folder.iterdir():
        with suppress(OSError):
            if time.time() - one.stat().st_mtime > _FORGOTTEN_S:
                shutil.rmtree(one, ignore_errors=True)
