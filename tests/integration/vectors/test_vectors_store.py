"""Indices of chunks: what is written, what is seen, and by whom."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from craton.infra.vectors.port import Access, Compare, Found, Gone, Reach, Shape, VectorsError, Version
from craton.infra.vectors.structures import Sizes
from tests.integration.vectors.chunks import DIMENSIONS, FORWARD, SHAPE, chunk, filled, ids, store, vector

ALL_INDEXED = Sizes(indexed_from=1, few_bytes=0)


def test_a_chunk_comes_back_as_it_was_put(tmp_path: Path) -> None:
    """With its text, its place and its attributes, and a score of 1 for its own vector."""

    async def scenario() -> None:
        vectors = store(tmp_path)
        metadata = {"name": "é\0'", "year": 1843.0, "open": False, "tags": ("a", "b")}
        entry = replace(
            chunk(3, text="naïve\0 text", metadata=metadata), page=2, parent="a larger text", parent_id="p1"
        )
        shelf = await vectors.open(await filled(vectors, entry, chunk(4)))
        best = (await shelf.nearest(vector(3), 1, Reach()))[0]
        assert best.score == pytest.approx(1.0, abs=1e-6)
        assert best == Found(
            best.score, "c3", "doc", "SOURCE", "naïve\0 text", b'{"type":"CUSTOM"}', 30, 41, 2, "a larger text", "p1",
            metadata,
        )  # fmt: skip

    asyncio.run(scenario())


@pytest.mark.parametrize("sizes", [Sizes(), ALL_INDEXED], ids=["looking at all", "with indices"])
def test_the_nearest_come_first(tmp_path: Path, sizes: Sizes) -> None:
    """In the order of the exact cosine, with (1 + cosine) / 2 as the score, whatever the vectors' lengths."""

    async def scenario() -> None:
        vectors = store(tmp_path, sizes=sizes)
        directions = {f"c{number}": vector(number) * (number + 1) for number in range(40)}
        entries = [chunk(number, direction=directions[f"c{number}"]) for number in range(40)]
        found = await (await vectors.open(await filled(vectors, *entries))).nearest(FORWARD, 10, Reach())
        cosines = {
            name: float(one @ FORWARD / np.linalg.norm(one) / np.linalg.norm(FORWARD))
            for name, one in directions.items()
        }
        assert [one.id for one in found] == sorted(cosines, key=lambda name: -cosines[name])[:10]
        assert [one.score for one in found] == pytest.approx([(1 + cosines[one.id]) / 2 for one in found], abs=1e-5)

    asyncio.run(scenario())


@pytest.mark.parametrize("sizes", [Sizes(), ALL_INDEXED], ids=["looking at all", "with indices"])
def test_binary_vectors_are_near_by_their_bits(tmp_path: Path, sizes: Sizes) -> None:
    """The score is the share of bits that are the same."""

    async def scenario() -> None:
        vectors = store(tmp_path, sizes=sizes)
        entries = [
            chunk(number, direction=np.array([0xFF, bits], dtype=np.uint8))
            for number, bits in enumerate([0, 1, 3, 15, 255])
        ]
        shelf = await vectors.open(await filled(vectors, *entries, shape=Shape(16, "binary")))
        found = await shelf.nearest(np.array([0xFF, 0], dtype=np.uint8), 3, Reach())
        assert [(one.id, one.score) for one in found] == [("c0", 1.0), ("c1", 15 / 16), ("c2", 14 / 16)]

    asyncio.run(scenario())


def test_words_are_found_in_every_script_and_form(tmp_path: Path) -> None:
    """English words by their stems, others by themselves, without regard to case and accents."""

    async def scenario() -> None:
        vectors = store(tmp_path)
        texts = [
            "The dogs were running",
            "Ein Café in der Straße",
            "東京都に住んでいます",
            "Проверка связи",
            "call get_user(id)",
        ]
        shelf = await vectors.open(
            await filled(vectors, *(chunk(number, text=text) for number, text in enumerate(texts)))
        )
        sought = {"a DOG": "c0", "runs": "c0", "cafe": "c1", "東京": "c2", "проверка": "c3", "user": "c4"}
        for text, wanted in sought.items():
            assert [one.id for one in await shelf.matching(text, 3, Reach())] == [wanted], text

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "text", ['"', "dog AND (", "dog~2", "text:dog", "dog*", "-dog", "+dog ^9", "dog\0", "', 1) --", "\\"]
)
def test_a_question_is_not_a_query_language(tmp_path: Path, text: str) -> None:
    """Signs have no meaning: what has the word is found, and nothing fails."""

    async def scenario() -> None:
        vectors = store(tmp_path)
        shelf = await vectors.open(await filled(vectors, chunk(1, text="a dog"), chunk(2, text="a cat")))
        assert {one.id for one in await shelf.matching(text, 5, Reach())} == ({"c1"} if "dog" in text else set())

    asyncio.run(scenario())


def test_hybrid_finds_by_either_way(tmp_path: Path) -> None:
    """First what both rank high, then what one of them finds alone; the filter holds for both."""

    async def scenario() -> None:
        vectors = store(tmp_path)
        entries = [
            chunk(1, text="alpha", direction=FORWARD, metadata={"k": "x"}),
            chunk(2, text="error E4711", direction=-FORWARD, metadata={"k": "x"}),
            chunk(3, text="beta", direction=vector(5), metadata={"k": "x"}),
            chunk(4, text="E4711 alpha", direction=FORWARD, metadata={"k": "other"}),
        ]
        shelf = await vectors.open(await filled(vectors, *entries))
        found = await shelf.hybrid(FORWARD, "alpha", 10, Reach(Compare("equals", "k", "x")))
        assert found[0].id == "c1"
        assert found[0].score == 1.0
        assert {one.id for one in found} == {"c1", "c2", "c3"}
        by_words = await shelf.hybrid(FORWARD, "E4711", 2, Reach(Compare("equals", "k", "x")))
        assert {one.id for one in by_words} == {"c1", "c2"}

    asyncio.run(scenario())


@pytest.mark.parametrize("sizes", [Sizes(), ALL_INDEXED], ids=["looking at all", "with indices"])
def test_access_lists_and_sources_hold_inside_the_search(tmp_path: Path, sizes: Sizes) -> None:
    """What a user may not see takes no place among the results, by vector, by words or by both."""

    async def scenario() -> None:
        vectors = store(tmp_path, sizes=sizes)
        hidden = [chunk(number, direction=FORWARD, access=Access(("bob",))) for number in range(20)]
        entries = [
            *hidden,
            chunk(30, access=Access(("ann", "o'neil"))),
            chunk(31, access=Access(("ann", "bob"), ("ann",))),
            chunk(32, source="OTHER"),
        ]
        shelf = await vectors.open(await filled(vectors, *entries))
        for user, wanted in {None: {"c32"}, "ann": {"c30", "c32"}, "o'neil": {"c30", "c32"}, "eve": {"c32"}}.items():
            reach = Reach(user=user)
            assert await ids(shelf, reach, limit=2) == wanted
            assert {one.id for one in await shelf.matching("text", 2, reach)} == wanted
            assert {one.id for one in await shelf.hybrid(FORWARD, "text", 2, reach)} == wanted
        assert await ids(shelf, Reach(sources=("SOURCE",), user="ann")) == {"c30"}
        assert await ids(shelf, Reach(sources=("OTHER", "SOURCE"), user="ann")) == {"c30", "c32"}
        assert await ids(shelf, Reach(sources=())) == set()

    asyncio.run(scenario())


def test_a_draft_changes_documents_and_is_seen_when_it_is_kept(tmp_path: Path) -> None:
    """Removed, replaced, moved, tagged anew: the version before stays as it was."""

    async def scenario() -> None:
        vectors = store(tmp_path)
        entries = [chunk(number, f"doc{number // 2}", metadata={"old": True}) for number in range(8)]
        first = await filled(vectors, *entries, chunk(9, "doc9", source="GONE"))
        before = await vectors.open(first)
        draft = await vectors.draft("kb", SHAPE, first)
        await draft.remove(["doc0", "never there"])
        await draft.put([chunk(10, "doc0", text="anew")])
        await draft.retag("doc1", {"new": "yes"}, Access(("ann",)))
        await draft.move("doc2", "doc2 moved", b"[]")
        await draft.retag("doc2 moved", {}, None)
        await draft.remove_source("GONE")
        second = await draft.finish()
        after = await vectors.open(second)
        assert (first.chunks, second.chunks) == (9, 7)
        assert await ids(before) == {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c9"}
        assert await ids(after) == {"c4", "c5", "c6", "c7", "c10"}
        assert await ids(after, Reach(Compare("equals", "new", "yes"), user="ann")) == {"c2", "c3"}
        assert await ids(after, Reach(Compare("equals", "old", True), user="ann")) == {"c6", "c7"}
        moved = await after.document("doc2 moved")
        assert [(one.id, one.location, one.metadata) for one in moved] == [("c4", b"[]", {}), ("c5", b"[]", {})]
        assert await after.document("doc2") == []
        assert {one.id for one in await after.matching("anew", 5, Reach())} == {"c10"}
        assert await before.matching("anew", 5, Reach()) == []

    asyncio.run(scenario())


def test_a_draft_that_was_not_kept_leaves_nothing(tmp_path: Path) -> None:
    """The next draft begins from the visible version, not from what another left; a draft in two hands is refused."""

    async def scenario() -> None:
        vectors = store(tmp_path, sizes=Sizes(flush_rows=1))
        first = await filled(vectors, chunk(1))
        left = await vectors.draft("kb", SHAPE, first)
        await left.put([chunk(2)])
        await (await vectors.draft("kb", SHAPE, first)).abandon()
        draft = await vectors.draft("kb", SHAPE, first)
        await draft.put([chunk(3)])
        second = await draft.finish()
        assert await ids(await vectors.open(second)) == {"c1", "c3"}
        with pytest.raises(VectorsError):
            await left.put([chunk(4)])

    asyncio.run(scenario())


def test_vectors_are_known_by_what_was_embedded(tmp_path: Path) -> None:
    """Of the visible version, of this draft, and of a draft that died before it."""

    async def scenario() -> None:
        vectors = store(tmp_path, sizes=Sizes(flush_rows=1))
        first = await filled(vectors, chunk(1))
        await (await vectors.draft("kb", SHAPE, first)).put([chunk(2)])
        draft = await vectors.draft("kb", SHAPE, first)
        await draft.remove(["doc"])
        await draft.put([chunk(3, "other")])
        known = await draft.vectors_of(["hash 1", "hash 2", "hash 3", "it's unknown"])
        assert {name: list(one) for name, one in known.items()} == {
            f"hash {number}": list(vector(number)) for number in (1, 2, 3)
        }

    asyncio.run(scenario())


def test_another_shape_begins_from_nothing(tmp_path: Path) -> None:
    """The version of the old shape stays readable meanwhile, and a vector of other dimensions is refused."""

    async def scenario() -> None:
        vectors = store(tmp_path)
        first = await filled(vectors, chunk(1))
        shelf = await vectors.open(first)
        draft = await vectors.draft("kb", Shape(4), first)
        with pytest.raises(VectorsError):
            await draft.put([chunk(2)] * 5000)
        draft = await vectors.draft("kb", Shape(4), first)
        await draft.put([chunk(2, direction=np.ones(4, dtype=np.float32))])
        second = await vectors.open(await draft.finish())
        assert await ids(shelf) == {"c1"}
        assert [one.id for one in await second.nearest(np.ones(4, dtype=np.float32), 5, Reach())] == ["c2"]
        with pytest.raises(VectorsError):
            await second.nearest(np.ones(DIMENSIONS, dtype=np.float32), 5, Reach())

    asyncio.run(scenario())


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    """By no way, and it can be filled afterwards."""

    async def scenario() -> None:
        vectors = store(tmp_path)
        empty = await filled(vectors)
        shelf = await vectors.open(empty)
        assert await shelf.nearest(FORWARD, 5, Reach()) == []
        assert await shelf.matching("text", 5, Reach()) == []
        assert await shelf.hybrid(FORWARD, "text", 5, Reach()) == []
        assert await shelf.document("doc") == []
        draft = await vectors.draft("kb", SHAPE, empty)
        await draft.put([chunk(1)])
        assert await ids(await vectors.open(await draft.finish())) == {"c1"}

    asyncio.run(scenario())


def test_old_versions_go_and_the_visible_one_never(tmp_path: Path) -> None:
    """What nobody has read for `keep_s` is removed by the next draft; who opens it is told that it is gone."""

    async def scenario() -> None:
        vectors = store(tmp_path, keep_s=0.3, sizes=Sizes(flush_rows=1))
        versions: list[Version] = [await filled(vectors, chunk(0))]
        for number in range(1, 5):
            await asyncio.sleep(0.35)
            draft = await vectors.draft("kb", SHAPE, versions[-1])
            await draft.put([chunk(number)])
            assert await ids(await vectors.open(versions[-1])) == {f"c{one}" for one in range(number)}
            versions.append(await draft.finish())
        fresh = store(tmp_path)
        assert len(await ids(await fresh.open(versions[-1]))) == 5
        assert len(await ids(await fresh.open(versions[-2]))) == 4
        with pytest.raises(Gone):
            await fresh.open(versions[0])

    asyncio.run(scenario())


def test_hundreds_of_attributes(tmp_path: Path) -> None:
    """Each document with keys of its own."""

    async def scenario() -> None:
        vectors = store(tmp_path)
        entries = [
            chunk(number, metadata={f"key {number * 10 + one}": f"v{one}" for one in range(10)}) for number in range(40)
        ]
        shelf = await vectors.open(await filled(vectors, *entries))
        assert await ids(shelf, Reach(Compare("equals", "key 255", "v5"))) == {"c25"}
        assert len(await ids(shelf, Reach(Compare("notEquals", "key 255", "v5")))) == 39

    asyncio.run(scenario())


def test_a_dropped_index_is_gone(tmp_path: Path) -> None:
    """With all of its versions; to drop it again, or what never was, is no error."""

    async def scenario() -> None:
        vectors = store(tmp_path)
        version = await filled(vectors, chunk(1))
        await vectors.drop("kb")
        await vectors.drop("kb")
        await store(tmp_path / "never").drop("kb")
        with pytest.raises(Gone):
            await vectors.open(version)
        with pytest.raises(VectorsError):
            await vectors.draft("../kb", SHAPE, None)

    asyncio.run(scenario())
