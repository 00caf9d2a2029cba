"""The search itself: which way is taken, and what is done when a version of the index is gone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from craton.aws.wire.faults import Fault
from craton.features.rag.resources import KnowledgeBase
from craton.features.rag.retrieval.acting import Base
from craton.features.rag.retrieval.query import Query, Start
from craton.features.rag.retrieval.search import search
from craton.infra.vectors.port import Gone, Reach, Shape, VectorsError, Version

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Shelves:
    """Vectors of which some versions are gone; tells which searches were made."""

    def __init__(self, *there: int) -> None:
        self.there = there
        self.made: list[tuple[str, int, Reach]] = []

    async def open(self, version: Version) -> Any:
        if version.number not in self.there:
            raise Gone("gone") if self.there else VectorsError("away")

        async def nearest(vector: Any, limit: int, reach: Reach) -> list[Any]:
            self.made.append(("nearest", version.number, reach))
            return []

        async def hybrid(vector: Any, text: str, limit: int, reach: Reach) -> list[Any]:
            self.made.append(("hybrid", version.number, reach))
            return []

        return SimpleNamespace(nearest=nearest, hybrid=hybrid)


def call_with(shelves: Shelves, newest: Version | None) -> tuple[Any, list[BaseException]]:
    reported: list[BaseException] = []
    body = msgspec.json.encode(KnowledgeBase(role_arn="r", configuration={}, index=newest)) if newest else None

    async def read(work: Any) -> Any:
        kept = None if body is None else SimpleNamespace(read=lambda shape: msgspec.json.decode(body, type=shape))
        return work(SimpleNamespace(get=lambda arn: kept))

    app = SimpleNamespace(vectors=shelves, storage=SimpleNamespace(read=read))
    return SimpleNamespace(app=app, report=reported.append), reported


def searched(shelves: Shelves, query: Query, newest: Version | None) -> Any:
    async def embed(*given: Any) -> Any:
        return [0.0]

    call, reported = call_with(shelves, newest)
    body = KnowledgeBase(role_arn="r", configuration={}, index=Version("i", 3, Shape(4)))
    base = Base("KB", "arn:kb", "0", "r", body, cast("Any", None))
    return asyncio.run(search(call, base, query, None, embed)), reported


@pytest.mark.parametrize(("mode", "way"), [(None, "hybrid"), ("HYBRID", "hybrid"), ("SEMANTIC", "nearest")])
def test_the_way_of_searching(mode: Any, way: str) -> None:
    """Both where nothing is asked for; the user goes along."""
    shelves = Shelves(3)
    searched(shelves, Query(text="q", mode=mode, user="ann"), None)
    assert shelves.made == [(way, 3, Reach(user="ann"))]


def test_a_version_that_is_gone() -> None:
    """The one that is visible now is searched, and named as the one of which the results are."""
    shelves = Shelves(5)
    newest = Version("i", 5, Shape(4))
    (version, _), _ = searched(shelves, Query(text="q", start=Start(2, 1)), newest)
    assert (version.number, [number for _, number, _ in shelves.made]) == (5, [5])


def test_a_knowledge_base_that_was_deleted_meanwhile() -> None:
    """It is not there any more."""
    with pytest.raises(Fault, match="ResourceNotFoundException"):
        searched(Shelves(9), Query(text="q"), None)


def test_the_store_is_away() -> None:
    """InternalServerException, which clients try again."""
    with pytest.raises(Fault, match="InternalServerException"):
        searched(Shelves(), Query(text="q"), None)
