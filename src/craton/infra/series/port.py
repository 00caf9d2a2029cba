"""The port of what is kept by time: spaces of named series, each a sequence of (moment, bytes).

Owns the records, the order of points and the errors. A log group is a space and its streams are series; metrics are to
use the same. It must not know how points are kept or what their bytes mean. Times are whole ms since 1970.

The order of all points of a space is that of their `ident`, a number made of the moment, the place among everything
that was ever appended, and the place in its batch. It never changes, so it is also where a page ended.

Errors::

    SeriesError
    ├── NoSuchSeries   the series or its space is not there (any more)
    └── SeriesExists   a series of that name is there

What the store and the cipher raise passes through: a space whose key was disabled raises KeyUnusable.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.infra.series.search_program import Sealed

MOST_POINTS = 1 << 14
"""Points of one batch; the rest of an ident's low half counts batches."""
_BATCH_BITS = 14
_MOMENT_BITS = 64
DAY_MS = 24 * 3600 * 1000
MOST_SPAN_MS = DAY_MS
"""How far apart the points of one batch may lie. Readers rely on it to find all that reaches into a span of time."""


class SeriesError(Exception):
    """Something about series that cannot be done; the text holds no point."""


class NoSuchSeries(SeriesError):
    """There is no such series, or no such space."""


class SeriesExists(SeriesError):
    """The name is taken."""


Also = Callable[["Connection", "Kept"], None]
"""What is written in the same commit as an append."""


class Space(msgspec.Struct, frozen=True):
    """Whose points, and what seals them: `key` is a KMS key of the account, None for its default key."""

    id: str
    account: str
    region: str
    key: str | None = None


class Point(msgspec.Struct, frozen=True, array_like=True):
    """One point to be kept."""

    at_ms: int
    data: bytes


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One point that was kept; `kept_ms` is when."""

    ident: int
    at_ms: int
    kept_ms: int
    series: str
    data: bytes


class Series(msgspec.Struct, frozen=True):
    """A series as it stands; without points its times are None. `size_bytes` is what its points were counted as."""

    name: str
    created_ms: int
    first_ms: int | None
    last_ms: int | None
    kept_ms: int | None
    size_bytes: int


class Listed(msgspec.Struct, frozen=True):
    """One page of series; `after` is None on the last, else the sort value and name of the last row."""

    items: tuple[Series, ...]
    after: tuple[int, str] | None


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Which points: of these series or of all, from `start_ms` up to but not including `stop_ms`.

    `prefix` is how the names of the series begin. `beyond` is an ident that was reached before: only what lies past it, in the direction of reading.
    """

    series: tuple[str, ...] | None = None
    prefix: str = ""
    start_ms: int = 0
    stop_ms: int = 1 << 62
    beyond: int | None = None
    newest_first: bool = False


class Found(msgspec.Struct, frozen=True):
    """Points in the order of reading. `reached` is where to go on (`Where.beyond`); None when nothing is left."""

    entries: list[Entry]
    reached: int | None


class Kept(msgspec.Struct, frozen=True):
    """What an append is told to those who write something in the same commit: the number of its batch, its moments."""

    batch: int
    first_ms: int
    last_ms: int


class Blocks(msgspec.Struct, frozen=True):
    """Some sealed blocks of a space; `lasting` tells of each that it will never be merged with others."""

    sealed: list[Sealed]
    lasting: list[bool]


class Recipe(msgspec.Struct, frozen=True):
    """How another process makes the same sieve: `maker` is `module:function`, called with the text."""

    maker: str
    text: str


class Sieve(Protocol):
    """Which points are wanted. Without a recipe they are looked for in the process that asks."""

    @property
    def recipe(self) -> Recipe | None: ...

    @property
    def needles(self) -> tuple[bytes, ...] | None:
        """Every wanted point holds at least one of these (none of them empty); None where nothing can be said."""
        ...

    def matches(self, data: bytes) -> bool: ...


class SeriesStore(Protocol):
    """The port. Everything may raise StoreError; reading and writing of points CipherError."""

    async def create(self, space: Space, name: str, now_ms: int) -> None:
        """Raises SeriesExists."""
        ...

    async def append(
        self, space: Space, name: str, points: Sequence[Point], size_bytes: int, now_ms: int,
        also: Also | None = None,
    ) -> None:  # fmt: skip
        """Keep points, in order of time and at most MOST_POINTS and MOST_SPAN_MS of them; when it returns they are kept.

        `also` writes more in the same commit; it may be called again, and must not raise. Raises NoSuchSeries.
        """
        ...

    async def scan(
        self, space: Space, where: Where, sieve: Sieve | None, *, limit: int, most_bytes: int, overhead_bytes: int
    ) -> Found:
        """Some points that the sieve lets through, at most `limit` and (beyond the first) `most_bytes` of them.

        May return early, with few or none and a place to go on from, when it has read much.
        """
        ...

    def blocks(self, space: Space, start_ms: int, stop_ms: int) -> AsyncGenerator[Blocks]:
        """All blocks with points in a span of time, for a reader that opens them elsewhere.

        Blocks that are merged meanwhile come again within others: a run of points is known by its batch and start.
        """
        ...

    async def get(self, space: Space, name: str) -> Series | None: ...

    async def listed(
        self, space: Space, *, prefix: str = "", by_time: bool = False, descending: bool = False, limit: int,
        after: tuple[int, str] | None = None,
    ) -> Listed:  # fmt: skip
        """Series by name, or by the moment of their last point."""
        ...

    async def sizes(self, spaces: Sequence[str]) -> dict[str, int]:
        """What the points of each space are counted as."""
        ...

    async def delete(self, space: Space, name: str) -> None:
        """Remove a series with its points. Raises NoSuchSeries."""
        ...

    async def close(self) -> None:
        """Let helpers go."""
        ...


def ident_of(at_ms: int, batch: int, index: int) -> int:
    """The place of a point in the order of its space."""
    return at_ms << _MOMENT_BITS | batch << _BATCH_BITS | index


def moment_of(ident: int) -> int:
    """The ms of an ident."""
    return ident >> _MOMENT_BITS


def batch_of(ident: int) -> int:
    """The number of the append that an ident is of."""
    return (ident & ((1 << _MOMENT_BITS) - 1)) >> _BATCH_BITS


def before_moment(at_ms: int) -> int:
    """The ident just before everything of that moment."""
    return (at_ms << _MOMENT_BITS) - 1


def left_of(where: Where) -> tuple[int, int]:
    """The moments that are left to read: from the first up to but not including the second."""
    start_ms, stop_ms = where.start_ms, where.stop_ms
    if where.beyond is not None and where.newest_first:
        stop_ms = min(stop_ms, moment_of(where.beyond) + 1)
    elif where.beyond is not None:
        start_ms = max(start_ms, moment_of(where.beyond))
    return start_ms, stop_ms


def lies_beyond(ident: int, where: Where) -> bool:
    """Whether a reader that came as far as `where.beyond` has this point still before it."""
    if where.beyond is None:
        return True
    return ident < where.beyond if where.newest_first else ident > where.beyond
