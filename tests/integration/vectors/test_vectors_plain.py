"""The rows that lie in files beside a table: written once, found exactly, and not needed."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from craton.infra.vectors.plain import FOLDER
from craton.infra.vectors.port import Compare, Found, Reach, Shape, Shelf, VectorsError, Version
from craton.infra.vectors.structures import Sizes
from tests.integration.vectors.chunks import FORWARD, SHAPE, chunk, filled, store, vector

EVEN = Reach(Compare("equals", "even", True))
WAYS = [Sizes(), Sizes(few_bytes=0), Sizes(indexed_from=1, few_bytes=0)]
CUTS = {"gone": b"", "without an end": b"123"}


async def _seen(shelf: Shelf) -> list[list[tuple[str, float]]]:
    """What every kind of search tells, but for the scores' last digits."""
    searches: list[list[Found]] = [
        await shelf.nearest(FORWARD, 5, Reach()), await shelf.nearest(FORWARD, 5, EVEN),
        await shelf.matching("text", 40, EVEN), await shelf.hybrid(FORWARD, "text", 40, EVEN),
    ]  # fmt: skip
    return [[(one.id, round(one.score, 4)) for one in found] for found in searches]


async def _some(folder: Path, sizes: Sizes | None = None) -> Version:
    return await filled(
        store(folder, sizes=sizes),
        *(chunk(number, f"doc{number // 4}", metadata={"even": number % 2 == 0}) for number in range(40)),
    )


def _plain(folder: Path) -> Path:
    return folder / "kb.lance" / FOLDER


@pytest.mark.parametrize("sizes", WAYS, ids=["all compared", "found by the store", "found by cells"])
def test_every_way_finds_the_same(tmp_path: Path, sizes: Sizes) -> None:
    """With the files, and by the store alone where they are not there, as in a bucket."""

    async def scenario() -> None:
        version = await _some(tmp_path, sizes)
        before = await _seen(await store(tmp_path, sizes=sizes).open(version))
        shutil.rmtree(_plain(tmp_path))
        assert await _seen(await store(tmp_path, sizes=sizes).open(version)) == before

    asyncio.run(scenario())


@pytest.mark.parametrize("content", CUTS.values(), ids=list(CUTS))
def test_a_file_that_is_cut_is_not_used(tmp_path: Path, content: bytes) -> None:
    """The store answers alone, and the next draft writes the files anew when their rows have moved."""

    async def scenario() -> None:
        version = await _some(tmp_path)
        before = await _seen(await store(tmp_path).open(version))
        for path in _plain(tmp_path).glob("*.vectors"):
            path.write_bytes(content) if content else path.unlink()
        assert await _seen(await store(tmp_path).open(version)) == before

    asyncio.run(scenario())


def test_rows_that_were_taken_away_are_not_found(tmp_path: Path) -> None:
    """Nor is the place of one taken for another; files serve as long as a version that is readable has their rows."""

    async def scenario() -> None:
        vectors = store(tmp_path, keep_s=0.2, sizes=Sizes(flush_rows=1))
        version = await _some(tmp_path)
        for number in (0, 3, 9):
            draft = await vectors.draft("kb", SHAPE, version)
            await draft.remove([f"doc{number}"])
            await draft.put([chunk(100 + number, f"new{number}", metadata={"even": True})])
            version = await draft.finish()
            await asyncio.sleep(0.25)
        found = await (await store(tmp_path).open(version)).nearest(FORWARD, 100, EVEN)
        wanted = {n for n in range(40) if n % 2 == 0 and n // 4 not in (0, 3, 9)} | {100, 103, 109}
        cosines = {
            f"c{n}": float(vector(n) @ FORWARD / np.linalg.norm(vector(n)) / np.sqrt(len(FORWARD))) for n in wanted
        }
        assert [one.id for one in found] == sorted(cosines, key=lambda name: -cosines[name])
        lists = {path.stem for path in _plain(tmp_path).glob("*.json")}
        assert str(version.number) in lists
        assert len(lists) <= 3

    asyncio.run(scenario())


def test_an_index_of_the_same_name_has_nothing_of_the_one_before(tmp_path: Path) -> None:
    """Dropped and made anew, with versions of the same numbers: no answer of a condition is taken over."""

    async def scenario() -> None:
        vectors = store(tmp_path)
        first = await vectors.open(await _some(tmp_path))
        assert len(await first.nearest(FORWARD, 100, EVEN)) == 20
        await vectors.drop("kb")
        assert not (tmp_path / "kb.lance").exists()
        again = await filled(vectors, chunk(7, metadata={"even": True}), chunk(8))
        assert [one.id for one in await (await vectors.open(again)).nearest(FORWARD, 100, EVEN)] == ["c7"]

    asyncio.run(scenario())


def test_another_shape_does_not_take_over_files(tmp_path: Path) -> None:
    """The index begins from nothing, and so do its files."""

    async def scenario() -> None:
        vectors = store(tmp_path)
        first = await _some(tmp_path)
        draft = await vectors.draft("kb", Shape(4), first)
        await draft.put(
            [chunk(1, direction=np.eye(4, dtype=np.float32)[0]), chunk(2, direction=np.eye(4, dtype=np.float32)[1])]
        )
        found = await (await vectors.open(await draft.finish())).nearest(np.eye(4, dtype=np.float32)[1], 5, Reach())
        assert [(one.id, one.score) for one in found] == [("c2", 1.0), ("c1", 0.5)]
        mistaken = await store(tmp_path).open(replace(first, shape=Shape(4)))
        with pytest.raises(VectorsError):
            await mistaken.nearest(np.eye(4, dtype=np.float32)[1], 5, Reach())

    asyncio.run(scenario())


def test_answers_of_conditions_are_bounded_by_what_they_take(tmp_path: Path) -> None:
    """The ones asked for last are kept; a condition that is asked for again is answered right all the same."""
    from craton.infra.vectors.answers import Answer, Answers

    answers, version, rows = Answers(10_000), object(), [(0, np.arange(100, dtype=np.int64))]
    for number in range(50):
        answers.keep(version, f"condition {number}", Answer(100, rows))
    kept = [number for number in range(50) if answers.get(version, f"condition {number}")]
    assert kept == list(range(50 - len(kept), 50))
    assert 0 < len(kept) * rows[0][1].nbytes <= 10_000
    assert answers.get(object(), "condition 49") is None
