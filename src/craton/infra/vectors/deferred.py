"""A vector store that is opened when it is first asked: most processes that could ask it never do.

Owns that moment alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from craton.infra.vectors.port import Draft, Shape, Shelf, Vectors, Version


class DeferredVectors:
    """`port.Vectors`; `opened` makes the store, at most once."""

    def __init__(self, opened: Callable[[], Vectors]) -> None:
        self._opened = opened

    async def prepare(self) -> None:
        await self._vectors.prepare()

    async def draft(self, index: str, shape: Shape, visible: Version | None) -> Draft:
        return await self._vectors.draft(index, shape, visible)

    async def open(self, version: Version) -> Shelf:
        return await self._vectors.open(version)

    async def drop(self, index: str) -> None:
        await self._vectors.drop(index)

    async def close(self) -> None:
        if "_vectors" in self.__dict__:
            await self._vectors.close()

    @cached_property
    def _vectors(self) -> Vectors:
        return self._opened()
