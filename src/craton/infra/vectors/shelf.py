"""A version of an index, opened for reading.

Owns the three searches: how much of the index each looks at, and what the store's distances are as scores. Where the rows
lie in files (`plain.py`), the store says which rows a condition keeps or which are near, and the rest is done there. It must
not know drafts, nor how a filter is said to the store (`pushdown.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from craton.infra.vectors import columns
from craton.infra.vectors.answers import Answer, Answers
from craton.infra.vectors.columns import SHOWN, column_of, found_of, kept_of, metadata_of
from craton.infra.vectors.faults import faults
from craton.infra.vectors.filters import matches
from craton.infra.vectors.fusion import fused
from craton.infra.vectors.plain import Plain, rows_of
from craton.infra.vectors.port import Access, Compare, Found, Reach, Vector, VectorsError, Version
from craton.infra.vectors.pushdown import ALL, NONE, comparisons, condition, positive, quoted_ids
from craton.infra.vectors.structures import cells_of

if TYPE_CHECKING:
    from lancedb.table import AsyncTable

    from craton.infra.vectors.plain import Rows

_PROBES = 6
"""Cells that are looked at without a filter, at least; of a large index one in `_ONE_IN`."""
_ONE_IN = 20
_ALL_CELLS = 32
"""Up to so many cells a narrowed search looks at all; beyond, at more the fewer rows its condition lets through."""
_REFINE = 2
"""For how many times the results the true distance is computed: cells hold vectors in 8 bits a dimension. By the store it is
a third of a search's time, and left out where ranks alone count."""
_FUSED_FROM = 50
"""Of how many of each ranking a fused one is made, at least."""


class LanceShelf:
    """`port.Shelf`."""

    def __init__(self, table: AsyncTable, version: Version, names: frozenset[str], cells: int) -> None:
        self._table, self._version, self._names, self._cells = table, version, names, cells
        self._guarded = self._spills = False
        self._plain: Plain | None = None
        self._answers, self._self = Answers(0), object()

    @classmethod
    async def of(cls, table: AsyncTable, version: Version, plain: Plain | None, answers: Answers) -> LanceShelf:
        """`table` is at the version, `plain` has its rows if they lie in files. Whether any chunk has an access list, or
        attributes without columns, is asked once.
        """
        version = replace(version, chunks=await table.count_rows())  # a number may come without the rest of its version
        shelf = cls(table, version, frozenset((await table.schema()).names), await cells_of(table))
        shelf._plain, shelf._answers = plain, answers
        if version.chunks:
            shelf._guarded = await table.count_rows("guarded = true") > 0
            shelf._spills = await table.count_rows("array_length(more) > 0") > 0
        return shelf

    @property
    def version(self) -> Version:
        return self._version

    async def nearest(self, vector: Vector, limit: int, reach: Reach) -> list[Found]:
        with faults():
            where = await self._where(reach)
            if plain := self._plain:
                near = await self._candidates(plain, vector, limit, where)
                return await asyncio.to_thread(lambda: _shown(plain, plain.nearest(vector, limit, near)))
            rows = await self._by_vector(vector, limit, where, SHOWN, refine=_REFINE)
        return [found_of(shown, score) for shown, score in rows]

    async def matching(self, text: str, limit: int, reach: Reach) -> list[Found]:
        with faults():
            if self._plain:
                return await self._taken(await self._by_words(text, limit, await self._where(reach), "_rowid"))
            rows = await self._by_words(text, limit, await self._where(reach), SHOWN)
        return [found_of(shown, score) for shown, score in rows]

    async def hybrid(self, vector: Vector, text: str, limit: int, reach: Reach) -> list[Found]:
        deep = max(limit, _FUSED_FROM)
        with faults():
            where = await self._where(reach)
            rankings = await asyncio.gather(
                self._nearest(vector, deep, where), self._by_words(text, deep, where, "_rowid")
            )
            best = fused([[number for number, _ in ranking] for ranking in rankings], limit)
            return await self._taken(list(best.items()))

    async def document(self, key: str) -> list[Found]:
        if not self._version.chunks:
            return []
        with faults():
            rows = await self._table.query().where(quoted_ids("document", [key])).select([SHOWN]).to_arrow()
        found = [found_of(shown, 0.0) for shown in rows[SHOWN].to_pylist()]
        return sorted(found, key=lambda one: (one.start, one.end, one.id))

    async def access(self, key: str) -> Access | None:
        if not self._guarded:
            return None
        with faults():
            query = self._table.query().where(quoted_ids("document", [key])).select(["guarded", "allowed", "denied"])
            rows = (await query.limit(1).to_arrow()).to_pylist()
        return next((Access(tuple(row["allowed"]), tuple(row["denied"])) for row in rows if row["guarded"]), None)

    async def _by_vector(
        self, vector: Vector, limit: int, where: str, column: str, *, refine: int = 0
    ) -> list[tuple[Any, float]]:
        """One column of the nearest rows, with their scores, which are near the true ones where nothing is refined."""
        shape = self._version.shape
        self._fitting(vector)
        if where == NONE:
            return []
        query = self._table.query().nearest_to(vector).limit(limit).select([column, "_distance"])
        query = query.distance_type("cosine" if shape.kind == "float" else "hamming")
        if self._cells:
            query = query.nprobes(await self._probes(where))
            query = query.refine_factor(refine) if refine else query
        rows = await _asked(_narrowed(query, where))
        if shape.kind == "float":
            scores = [min(max(1 - distance / 2, 0.0), 1.0) for distance in rows["_distance"].to_pylist()]
        else:
            scores = [1 - distance / shape.dimensions for distance in rows["_distance"].to_pylist()]
        return list(zip(rows[column].to_pylist(), scores, strict=True))

    async def _nearest(self, vector: Vector, limit: int, where: str) -> list[tuple[int, float]]:
        """The numbers of the nearest rows, with their scores."""
        if not self._plain:
            return await self._by_vector(vector, limit, where, "_rowid")
        rows = await self._candidates(self._plain, vector, limit, where)
        return await asyncio.to_thread(self._plain.nearest, vector, limit, rows)

    async def _candidates(self, plain: Plain, vector: Vector, limit: int, where: str) -> Rows:
        """The rows to compare truly: all that the condition keeps where these are few, else what cells hold to be near."""
        self._fitting(vector)
        rows = await self._few(plain, where)
        if rows is None:
            rows = rows_of([number for number, _ in await self._by_vector(vector, limit * _REFINE, where, "_rowid")])
        return rows

    async def _few(self, plain: Plain, where: str) -> Rows | None:
        """The rows that a condition keeps, unless there are many."""
        if where == NONE:
            return []
        if where == ALL and self._version.chunks > plain.most:
            return None
        answer = self._answers.get(self._self, where)
        if answer is None:
            count, rows = await self._count(where), None
            if count <= plain.most:
                found = await _asked(_narrowed(self._table.query(), where).select(["_rowid"]))
                rows = rows_of(found["_rowid"].to_numpy())
            answer = Answer(count, rows)
            self._answers.keep(self._self, where, answer)
        return answer.rows

    async def _count(self, where: str) -> int:
        """How many rows a condition keeps."""
        answer = self._answers.get(self._self, where)
        return answer.count if answer else await self._table.count_rows(where)

    def _fitting(self, vector: Vector) -> None:
        shape = self._version.shape
        if len(vector) != (shape.dimensions if shape.kind == "float" else (shape.dimensions + 7) // 8):
            raise VectorsError("The vector has other dimensions than the index")

    async def _probes(self, where: str) -> int:
        """In how many cells to look, so that what a condition leaves of them is about as much as without one."""
        usual = max(_PROBES, self._cells // _ONE_IN)
        if where == ALL or self._cells <= usual:
            return min(usual, self._cells)
        if self._cells <= _ALL_CELLS:
            return self._cells
        share = await self._count(where) / self._version.chunks
        return min(self._cells, ceil(usual / share)) if share else 1

    async def _by_words(self, text: str, limit: int, where: str, column: str) -> list[tuple[Any, float]]:
        """One column of the rows whose words fit best, with their scores."""
        from lancedb.query import MatchQuery

        if where == NONE or not text.strip():
            return []
        query: Any = self._table.query().nearest_to_text(_match(MatchQuery, text)).limit(limit)
        rows = await _asked(_narrowed(query.select([column, "_score"]), where))
        scores = [score / (score + 1) for score in rows["_score"].to_pylist()]
        return list(zip(rows[column].to_pylist(), scores, strict=True))

    async def _taken(self, ranked: Sequence[tuple[int, float]]) -> list[Found]:
        """Rows by their numbers, which are those of this version."""
        if not ranked:
            return []
        if self._plain:
            return await asyncio.to_thread(_shown, self._plain, ranked)
        best = dict(ranked)
        rows = await self._table.take_row_ids(list(best)).with_row_id().select([SHOWN, "_rowid"]).to_arrow()
        shown = dict(zip(rows["_rowid"].to_pylist(), rows[SHOWN].to_pylist(), strict=True))
        return [found_of(shown[number], score) for number, score in best.items()]

    async def _where(self, reach: Reach) -> str:
        if not self._version.chunks:
            return NONE
        spilled = {}
        if self._spills and reach.where is not None:
            spilled = {repr(one): await self._without_column(one) for one in map(positive, comparisons(reach.where))}
        return condition(reach, self._names, guarded=self._guarded, spilled=spilled)

    async def _without_column(self, where: Compare) -> Sequence[str]:
        """The ids of chunks that have the attribute, but no column for it, and fulfil the comparison."""
        named = [column for letter in columns.LETTERS if (column := column_of(where.key, letter)) not in self._names]
        if not named:
            return ()
        listed = ", ".join(f"'{column}'" for column in named)
        query = self._table.query().where(f"array_has_any(more, [{listed}])").select([SHOWN])
        rows = map(kept_of, (await query.to_arrow())[SHOWN].to_pylist())
        return [row.id for row in rows if matches(where, metadata_of(row))]


def _shown(plain: Plain, ranked: Iterable[tuple[int, float]]) -> list[Found]:
    return [found_of(plain.shown(number), score) for number, score in ranked]


async def _asked(query: Any) -> Any:
    """The rows of a query. The wrapper's look for columns of another storage, which ours are not, costs a tenth of it."""
    query._table = None  # noqa: SLF001
    return await query.to_arrow()


def _narrowed(query: Any, where: str) -> Any:
    return query if where == ALL else query.where(where)


def _match(kind: Any, text: str) -> Any:
    """The text as words to find, any of them; nothing in it is an operator."""
    return kind(text, "text")
