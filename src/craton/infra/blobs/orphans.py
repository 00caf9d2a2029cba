"""Blobs that nobody names: found, and removed.

A writer keeps its blob first and names it in a row afterwards; a deleter takes the row away first. Whoever is killed
between the two leaves a blob that nothing leads to. Owns the search for them, the age from which one counts (its writer
may be about to name it), and the doubt: where most of a place is unknown to the store, the store is more likely the
wrong one than the blobs, and nothing is removed but by a person's word. It must not know what rows are.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from craton.infra.blobs.port import Blobs

Held: TypeAlias = Callable[[list[str]], Awaitable[set[str]]]
"""Which of these ids a row names. Raises what the store raises."""

AGE = timedelta(hours=1)
_AT_ONCE = 500
_MOST_PER_SWEEP = 10_000
_FEW = 1_000


class Swept(msgspec.Struct, frozen=True):
    """What a sweep found. `drafts` were left by writers that died; `doubted` orphans were left where they are."""

    seen: int = 0
    removed: int = 0
    doubted: int = 0
    drafts: int = 0


async def orphans(blobs: Blobs, held: Held, before: datetime) -> AsyncGenerator[tuple[list[str], int]]:
    """Of the blobs that were written before a moment those that no row names, by pages, with each page's length."""
    page: list[str] = []
    async for ident, at in blobs.ids():
        if at < before:
            page.append(ident)
        if len(page) >= _AT_ONCE:
            yield await _unnamed(page, held), len(page)
            page = []
    if page:
        yield await _unnamed(page, held), len(page)


async def sweep(blobs: Blobs, held: Held, now: datetime, *, doubt: bool = True) -> Swept:
    """Remove what no row names, some thousands at a time. Raises BlobError, and what `held` raises."""
    before = now - AGE
    drafts = await blobs.tidy(before)
    found: list[str] = []
    seen = count = 0
    async for lost, length in orphans(blobs, held, before):
        seen, count = seen + length, count + len(lost)
        found += lost[: _MOST_PER_SWEEP - len(found)]
    if doubt and count > _FEW and count * 2 > seen:
        return Swept(seen=seen, doubted=count, drafts=drafts)
    await remove(blobs, held, found)
    return Swept(seen=seen, removed=len(found), drafts=drafts)


async def remove(blobs: Blobs, held: Held, found: list[str]) -> None:
    """Delete these, asking once more whether nobody names them."""
    for first in range(0, len(found), _AT_ONCE):
        await blobs.delete(*await _unnamed(found[first : first + _AT_ONCE], held))


async def _unnamed(page: list[str], held: Held) -> list[str]:
    named = await held(page)
    return [ident for ident in page if ident not in named]
