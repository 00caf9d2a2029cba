"""The rows of a version laid plainly in files beside its table: vectors one after another, and what each row shows.

    <index>.lance/_plain/<number>.json                      which parts version `number` is made of
    <index>.lance/_plain/<part>.vectors, .shown, .spans     the rows of one fragment of the table

Owns these files: how a draft writes them, which of them go, and how a search reads them, mapped into memory, so that all
processes share one copy in the page cache. A few thousand vectors are compared here in less time than the store needs to
plan a query; it answers which rows a condition keeps, and searches where these are many.

A row's number is its fragment's, and its place in there. A fragment never changes but for rows that are taken away, so its
part is written once and serves every later version that still has it. A version is complete when its list is there, which
comes last; without one (an S3 bucket, an index of an older server) the store does all of it. This must not know filters.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from craton.infra.vectors.columns import SHOWN, matrix_of
from craton.infra.vectors.port import Shape

if TYPE_CHECKING:
    import numpy as np
    from lancedb.table import AsyncTable
    from numpy.typing import NDArray

    from craton.infra.vectors.port import Vector, Version

FOLDER = "_plain"
_VECTORS, _SHOWN, _SPANS = "vectors", "shown", "spans"
_KINDS = (_VECTORS, _SHOWN, _SPANS)
_PLACE = 32
"""Bits of a row's number that tell its place in the fragment."""

Rows = list[tuple[int, "NDArray[np.int64]"]]
"""Rows by fragment: places in it, rising."""


class Parts(msgspec.Struct, frozen=True):
    """The list of a version: what its vectors are, and the name of the part of each fragment."""

    shape: Shape
    files: dict[int, str]


class Plain:
    """The rows of one version. Up to `most` of them are worth comparing one by one: their vectors are `few_bytes`.

    Everything here blocks: pages may have to come from the disk.
    """

    def __init__(self, folder: Path, parts: Parts, few_bytes: int) -> None:
        import numpy as np

        bits = parts.shape.kind == "binary"
        kind, width = np.uint8 if bits else np.float32, _width(parts.shape)
        self.most = few_bytes // (width * np.dtype(kind).itemsize)
        self._shape = parts.shape
        self._vectors = {
            fragment: _mapped(folder / f"{part}.{_VECTORS}", kind).reshape(-1, width)
            for fragment, part in parts.files.items()
        }
        self._spans = {
            fragment: _mapped(folder / f"{part}.{_SPANS}", np.int64).reshape(-1, 2)
            for fragment, part in parts.files.items()
        }
        self._shown = {
            fragment: _mapped(folder / f"{part}.{_SHOWN}", np.uint8) for fragment, part in parts.files.items()
        }
        if any(len(self._vectors[fragment]) != len(self._spans[fragment]) for fragment in parts.files):
            raise ValueError("A part is not whole")

    @classmethod
    def of(cls, folder: Path, version: Version, few_bytes: int) -> Plain | None:
        """None where the version has no such files, not all of them, or those of another shape than it says."""
        try:
            listed = msgspec.json.decode((folder / f"{version.number}.json").read_bytes(), type=Parts)
            return cls(folder, listed, few_bytes) if listed.shape == version.shape else None
        except (FileNotFoundError, ValueError):  # the latter of a file that was cut
            return None

    def nearest(self, vector: Vector, limit: int, rows: Rows) -> list[tuple[int, float]]:
        """The numbers of those of the rows that are nearest to a vector, with their scores, best first."""
        import numpy as np

        found: list[tuple[int, float]] = []
        asked = _unit(np.asarray(vector, dtype=np.float32)[None])[0] if self._shape.kind == "float" else vector
        for fragment, places in rows:
            scores = self._scores(self._vectors[fragment].take(places, axis=0), asked)
            best = np.argpartition(-scores, limit)[:limit] if len(scores) > limit else np.arange(len(scores))
            numbers = (places[best] + (fragment << _PLACE)).tolist()
            found += zip(numbers, scores[best].tolist(), strict=True)
        return sorted(found, key=lambda one: (-one[1], one[0]))[:limit]

    def shown(self, number: int) -> bytes:
        """What a row shows, packed."""
        fragment, place = number >> _PLACE, number & ((1 << _PLACE) - 1)
        start, stop = self._spans[fragment][place].tolist()
        shown: bytes = self._shown[fragment][start:stop].tobytes()
        return shown

    def _scores(self, vectors: Any, asked: Any) -> Any:
        import numpy as np

        if self._shape.kind == "float":
            # Not `@`: a product of many rows would wake threads that wait busily, on cores that others need.
            return np.clip((1 + np.vecdot(vectors, asked)) / 2, 0.0, 1.0)
        differing = np.bitwise_count(vectors ^ np.asarray(asked, dtype=np.uint8))
        return 1 - differing.sum(axis=1, dtype=np.int64) / self._shape.dimensions


def rows_of(numbers: NDArray[np.uint64] | Sequence[int]) -> Rows:
    """Rows by the numbers that the store gives them."""
    import numpy as np

    ordered = np.sort(np.asarray(numbers, dtype=np.int64))
    if not len(ordered):
        return []
    fragments, places = ordered >> _PLACE, ordered & ((1 << _PLACE) - 1)
    return [(fragment, places[fragments == fragment]) for fragment in np.unique(fragments).tolist()]


async def lay(table: AsyncTable, folder: Path, number: int, shape: Shape, visible: Version | None) -> None:
    """Write what version `number`, at which the table stands, needs beyond what the visible one has; drop what no
    version has. `visible` is what the draft began from. Raises OSError.
    """
    await asyncio.to_thread(folder.mkdir, mode=0o700, exist_ok=True)
    before = _listed(folder, visible.number) if visible and visible.shape == shape else {}
    held = await table.query().select(["_rowid"]).to_arrow()
    fragments = {fragment for fragment, _ in rows_of(held["_rowid"].to_numpy())}
    files = {fragment: before[fragment] for fragment in fragments if fragment in before}
    if new := sorted(fragments - files.keys()):
        files |= {fragment: f"{fragment}-{number}" for fragment in new}
        writing = await asyncio.to_thread(_Writing, folder, {fragment: files[fragment] for fragment in new}, shape)
        try:
            # Fragments' numbers rise: what is new lies behind what is known.
            query = table.query().where(f"_rowid >= {new[0] << _PLACE}").select(["_rowid", "vector", SHOWN])
            async for batch in await query.to_batches():
                await asyncio.to_thread(writing.add, batch)
        finally:
            await asyncio.to_thread(writing.close)
    readable = {version["version"] for version in await table.list_versions()}  # type: ignore[no-untyped-call]
    await asyncio.to_thread(_list, folder, number, Parts(shape, files), readable)


def close_off(folder: Path) -> None:
    """Nobody else may read what lies in a folder: the store makes its files as the process's mask lets it."""
    for within, _, names in os.walk(folder):
        Path(within).chmod(0o700)
        for name in names:
            Path(within, name).chmod(0o600)


class _Writing:
    """Parts while they are written, from batches of neighbouring rows in any order."""

    def __init__(self, folder: Path, parts: dict[int, str], shape: Shape) -> None:
        self._float = shape.kind == "float"
        self._open = {
            fragment: tuple(_created(folder / f"{part}.{kind}") for kind in _KINDS) for fragment, part in parts.items()
        }

    def close(self) -> None:
        """What was written is on the disk afterwards."""
        files = [file for of_one in self._open.values() for file in of_one]
        try:
            for file in files:
                file.flush()
                os.fsync(file.fileno())
        finally:
            for file in files:
                file.close()

    def add(self, batch: Any) -> None:
        """Of what is known already, nothing."""
        import numpy as np
        import pyarrow as pa

        table = pa.Table.from_batches([batch])
        numbers = table["_rowid"].to_numpy().astype(np.int64)
        for fragment in set((numbers >> _PLACE).tolist()) & self._open.keys():
            within = (numbers >> _PLACE) == fragment
            chosen = table if within.all() else table.filter(pa.array(within))
            places = chosen["_rowid"].to_numpy().astype(np.int64) & ((1 << _PLACE) - 1)
            self._append(fragment, places, matrix_of(chosen["vector"]), chosen[SHOWN].to_pylist())

    def _append(self, fragment: int, places: Any, matrix: Any, shown: list[bytes]) -> None:
        """Places that are missing belong to rows that were taken away: zeros, that nobody asks for."""
        import numpy as np

        vectors, texts, spans = self._open[fragment]
        start, count = int(places.min()), int(places.max() - places.min()) + 1
        stops = texts.tell() + np.cumsum([len(one) for one in shown])
        texts.writelines(shown)
        laid, spanned = np.zeros((count, matrix.shape[1]), matrix.dtype), np.zeros((count, 2), np.int64)
        laid[places - start] = _unit(matrix) if self._float else matrix
        spanned[places - start] = np.stack([stops - [len(one) for one in shown], stops], axis=1)
        for file, rows in ((vectors, laid), (spans, spanned)):
            file.seek(start * rows.strides[0])
            file.write(rows.tobytes())


def _width(shape: Shape) -> int:
    return shape.dimensions if shape.kind == "float" else (shape.dimensions + 7) // 8


def _unit(vectors: Any) -> Any:
    """Vectors of the length 1, so that their products are cosines; one of zeros stays as it is."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def _listed(folder: Path, number: int) -> dict[int, str]:
    try:
        return msgspec.json.decode((folder / f"{number}.json").read_bytes(), type=Parts).files
    except FileNotFoundError:
        return {}


def _mapped(path: Path, kind: Any) -> Any:
    import numpy as np

    if not path.stat().st_size:
        return np.empty(0, dtype=kind)
    return np.asarray(np.memmap(path, dtype=kind, mode="r"))


def _created(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _list(folder: Path, number: int, parts: Parts, readable: Iterable[int]) -> None:
    """The list of a version, there as a whole or not at all. Lists of versions that are gone go, and what none names."""
    path = folder / f"{number}.json"
    beside = path.with_suffix(".new")
    with _created(beside) as file:
        file.write(msgspec.json.encode(parts))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    lists = {f"{one}.json" for one in readable}
    used = {name for one in readable for name in _listed(folder, one).values()}
    for left in list(folder.iterdir()):
        if left.name not in lists and left.stem not in used:
            left.unlink(missing_ok=True)
