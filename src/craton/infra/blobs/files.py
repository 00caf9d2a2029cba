"""The port over files of this machine.

Owns the threads in which files are touched, so that the loop never waits for a disk, and what is done when a caller
leaves in the middle: nothing of an unfinished blob stays, no file stays open. A small blob costs one visit to a thread;
of a large one a batch is written while the next one comes, and read while the last one is used. It must not know how a
file is laid out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from craton.infra.blobs.folder import Draft, Folder, worded
from craton.infra.blobs.port import Blob, BlobDamaged, Checked, NoSuchBlob
from craton.infra.blobs.reading import BATCH_BYTES, Reading

T = TypeVar("T")

_THREADS = 16
"""Writers of small blobs wait for the disk together: it settles all that came meanwhile at once."""


class FileBlobs:
    """`port.Blobs`.

    Args:
        root: the folder; made when the first blob is written.
        durable: False where nothing is to survive the process.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self._folder = Folder(root, durable=durable)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="blobs")

    async def write(self, pieces: AsyncIterable[bytes]) -> Blob:
        draft = Draft(self._folder)
        try:
            return Blob(draft.id, await self._write(draft, pieces))
        except BaseException:
            await asyncio.shield(self._run(draft.drop))
            raise

    async def _write(self, draft: Draft, pieces: AsyncIterable[bytes]) -> int:
        waiting: list[bytes] = []
        held = 0
        writing: asyncio.Future[None] | None = None
        try:
            async for piece in pieces:
                waiting.append(piece)
                held += len(piece)
                if held >= BATCH_BYTES:
                    if writing is not None:
                        await writing
                    writing = self._run(partial(draft.write, waiting))
                    waiting, held = [], 0
            if writing is not None:
                await writing
        finally:
            if writing is not None:
                writing.cancel()  # when it was not awaited, nobody is left to hear how it ended
        return await self._run(partial(draft.finish, waiting))

    async def read(self, ident: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes]:
        reading = Reading(self._folder.path(ident), ident, start, stop)
        ahead: Future[bytes] = self._threads.submit(reading.next)
        try:
            while True:
                piece = await asyncio.wrap_future(ahead)
                if not reading.done:
                    ahead = self._threads.submit(reading.next)  # the next batch comes while this one is used
                    yield piece
                    continue
                if piece:
                    yield piece
                return
        finally:
            # A thread may be reading still, when the reader has left.
            ahead.add_done_callback(lambda _: reading.close())

    async def delete(self, *idents: str) -> None:
        try:
            await self._run(lambda: self._folder.delete(idents))
        except OSError as error:
            raise worded(error) from error

    async def ids(self) -> AsyncGenerator[tuple[str, datetime]]:
        try:
            for shard in await self._run(self._folder.shards):
                for found in await self._run(partial(self._folder.listed, shard)):
                    yield found
        except OSError as error:
            raise worded(error) from error

    async def scrub(self) -> AsyncGenerator[Checked]:
        async for ident, _ in self.ids():
            size = 0
            try:
                async for piece in self.read(ident):
                    size += len(piece)
            except NoSuchBlob:
                continue  # deleted meanwhile
            except BlobDamaged as damage:
                yield Checked(ident, size, damage.how)
            else:
                yield Checked(ident, size)

    async def tidy(self, before: datetime) -> int:
        try:
            return await self._run(lambda: self._folder.tidy(before))
        except OSError as error:
            raise worded(error) from error

    async def close(self) -> None:
        if "_threads" in self.__dict__:
            self._threads.shutdown(wait=False)

    def _run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.wrap_future(self._threads.submit(work))
