"""The vector store: LanceDB, one table for each index, in a folder or under a prefix of an S3 bucket.

    <place>/<index>.lance/…

Owns the connection, the tables' names, and the shelves that are open. Every commit to a table is a version of its own, and
a version's files never change: readers of one see no difference while a draft goes on. LanceDB is loaded at the first call.
It must not know filters or rows.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from craton.infra.vectors.answers import Answers
from craton.infra.vectors.columns import schema_of
from craton.infra.vectors.draft import LanceDraft, Terms
from craton.infra.vectors.faults import faults
from craton.infra.vectors.plain import FOLDER, Plain
from craton.infra.vectors.port import Gone, Shape, Version
from craton.infra.vectors.shelf import LanceShelf
from craton.infra.vectors.structures import Sizes

if TYPE_CHECKING:
    from lancedb.db import AsyncConnection
    from lancedb.table import AsyncTable

_NAME = re.compile(r"[A-Za-z0-9-]{1,128}")
_SHELVES = 64
"""Versions that are kept open; what they have read is bounded by the caches, not by this."""
_MIB = 1024 * 1024
_ANSWERS = 32 * _MIB
"""What is remembered of conditions: about 4,000 that keep 1,000 rows each."""
_SIZES = Sizes()


class Place(msgspec.Struct, frozen=True):
    """Where: a folder's path, or `s3://BUCKET/PREFIX` with `options` of Lance's object store."""

    url: str
    options: Mapping[str, str] = {}

    @property
    def folder(self) -> Path | None:
        return None if "://" in self.url else Path(self.url)

    def of(self, index: str) -> Path | None:
        """The folder of an index."""
        return self.folder / f"{_named(index)}.lance" if self.folder else None

    def __repr__(self) -> str:
        return f"Place({self.url})"


class LanceVectors:
    """`port.Vectors`. `keep_s` is how long a version stays readable after the next one; `cache_bytes` bounds what is held
    of indices and files' headers.
    """

    def __init__(
        self, place: Place, *, keep_s: float = 600.0, cache_bytes: int = 512 * _MIB, sizes: Sizes = _SIZES
    ) -> None:
        self._place, self._keep_s, self._cache_bytes, self._sizes = place, keep_s, cache_bytes, sizes
        self._connected: AsyncConnection | None = None
        self._shelves: OrderedDict[tuple[str, int], LanceShelf] = OrderedDict()
        self._answers = Answers(_ANSWERS)

    async def prepare(self) -> None:
        with faults():
            await asyncio.to_thread(_loaded)

    async def draft(self, index: str, shape: Shape, visible: Version | None) -> LanceDraft:
        fresh = visible is None or visible.shape != shape
        with faults():
            connection = await self._connection(make=True)
            left = await self._left(connection, index, visible)
            if folder := self._place.of(index):
                folder.mkdir(mode=0o700, exist_ok=True)
            if fresh or visible is None:
                # Overwriting is a version like any other: an older one that is visible stays as it is.
                table = await connection.create_table(_named(index), schema=schema_of(shape), mode="overwrite")
            else:
                left.append(await connection.open_table(_named(index), version=visible.number))
                table = await connection.open_table(_named(index))
                if await table.version() != visible.number:
                    await table.checkout(visible.number)
                    await table.restore()
        kinds = schema_of(shape).field("vector").type
        known = [old for old in left if (await old.schema()).field("vector").type == kinds]
        return LanceDraft(table, Terms(index, shape, visible, self._keep_s, self._sizes, self._place.of(index)), known)

    async def open(self, version: Version) -> LanceShelf:
        key = (version.index, version.number)
        shelf = self._shelves.get(key)
        if shelf is None:
            with faults():
                table = await self._table(version)
                folder = self._place.of(version.index)
                plain = (
                    await asyncio.to_thread(Plain.of, folder / FOLDER, version, self._sizes.few_bytes)
                    if folder
                    else None
                )
                shelf = self._shelves.setdefault(key, await LanceShelf.of(table, version, plain, self._answers))
            for other in [one for one in self._shelves if one[0] == version.index and one[1] < version.number]:
                self._shelves.pop(other, None)
            while len(self._shelves) > _SHELVES:
                self._shelves.popitem(last=False)
        elif len(self._shelves) > 1:
            self._shelves.move_to_end(key)
        return shelf

    async def drop(self, index: str) -> None:
        for key in [key for key in self._shelves if key[0] == index]:
            del self._shelves[key]
        if self._place.folder and not self._place.folder.exists():
            return
        with faults():
            await (await self._connection()).drop_table(_named(index), ignore_missing=True)

    async def close(self) -> None:
        self._shelves.clear()
        if self._connected is not None:
            self._connected.close()  # type: ignore[no-untyped-call]
            self._connected = None

    async def _table(self, version: Version) -> AsyncTable:
        if self._place.folder and not self._place.folder.exists():
            raise Gone("The index is gone")
        return await (await self._connection()).open_table(_named(version.index), version=version.number)

    async def _left(self, connection: AsyncConnection, index: str, visible: Version | None) -> list[AsyncTable]:
        """What a draft before left unfinished: not to go on with, but its vectors need not be made again."""
        try:
            with faults():
                latest = await connection.open_table(_named(index))
                number = await latest.version()
                await latest.checkout(number)  # stays there
        except Gone:
            return []
        return [] if visible and visible.number == number else [latest]

    async def _connection(self, *, make: bool = False) -> AsyncConnection:
        """Connected once. A folder is made by the first draft alone."""
        folder = self._place.folder
        if make and folder:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._connected is None:
            lancedb = await asyncio.to_thread(_loaded)
            headers = self._cache_bytes // 4
            self._connected = await lancedb.connect_async(
                self._place.url,
                storage_options=dict(self._place.options) or None,
                session=lancedb.Session(
                    index_cache_size_bytes=self._cache_bytes - headers, metadata_cache_size_bytes=headers
                ),
            )
        return self._connected


def _named(index: str) -> str:
    if not _NAME.fullmatch(index):
        raise ValueError("An index's name has letters, digits and hyphens")
    return index


def _loaded() -> Any:
    """The library. Its own log goes to stderr and warns of what is usual here (cells that are few, a commit tried again):
    whoever wants to see that says so in its variable, which it reads once.
    """
    os.environ.setdefault("LANCEDB_LOG", "error")
    import lancedb

    return lancedb
