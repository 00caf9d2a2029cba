"""Indices of chunks in a bucket: Craton's own S3, and one that is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from craton.config_tables import VectorsTable
from craton.infra.vectors.opening import open_vectors
from craton.infra.vectors.port import Compare, Gone, Reach, VectorsError
from tests.integration.vectors.chunks import FORWARD, SHAPE, chunk, filled, ids
from tests.running import ACCESS_KEY, SECRET_KEY, Running
from tests.third_party_s3 import KEYS, ThirdPartyS3

BUCKET = "chunks"


@pytest.fixture(scope="module", params=["craton", "third party"])
def outside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str, Any]]:
    """A client of a server with the bucket, its URL and its keys."""
    if request.param == "craton":
        with Running(tmp_path_factory.mktemp("home")) as server:
            server.client("s3").create_bucket(Bucket=BUCKET)
            yield server.client("s3"), server.url, (ACCESS_KEY, SECRET_KEY)
    else:
        with ThirdPartyS3() as server:
            server.client().create_bucket(Bucket=BUCKET)
            yield server.client(), server.url, KEYS


def table(tmp_path: Path, url: str, keys: tuple[str, str], prefix: str) -> VectorsTable:
    """The configuration's table, with the keys in files."""
    for name, value in zip(("id", "secret"), keys, strict=True):
        (tmp_path / name).write_text(value)
    return VectorsTable(
        url=f"s3://{BUCKET}/{prefix}", endpoint_url=url, access_key=f"file:{tmp_path}/id",
        secret_key=f"file:{tmp_path}/secret",
    )  # fmt: skip


def test_an_index_in_a_bucket(tmp_path: Path, outside: tuple[Any, str, Any]) -> None:
    """Written, searched, changed while a reader looks, left half-done and dropped, as in a folder."""
    client, url, keys = outside

    async def scenario() -> None:
        vectors = open_vectors(table(tmp_path, url, keys, "some/where"), tmp_path)
        first = await filled(
            vectors, *(chunk(number, f"doc{number}", metadata={"n": float(number)}) for number in range(9))
        )
        shelf = await vectors.open(first)
        left = await vectors.draft("kb", SHAPE, first)
        await left.put([chunk(90)])
        await left.finish()
        draft = await vectors.draft("kb", SHAPE, first)
        await draft.remove(["doc1", "doc2"])
        await draft.put([chunk(10, "doc10", text="something else")])
        second = await draft.finish()
        assert await ids(shelf) == {f"c{number}" for number in range(9)}
        again = open_vectors(table(tmp_path, url, keys, "some/where"), tmp_path)
        now = await again.open(second)
        assert await ids(now, Reach(Compare("greaterThan", "n", 4.0))) == {"c5", "c6", "c7", "c8"}
        assert [one.id for one in await now.hybrid(FORWARD, "else", 1, Reach())] == ["c10"]
        assert second.chunks == 8
        await again.drop("kb")
        assert "Contents" not in client.list_objects_v2(Bucket=BUCKET)
        with pytest.raises(Gone):
            await open_vectors(table(tmp_path, url, keys, "some/where"), tmp_path).open(second)

    asyncio.run(scenario())
    assert not (tmp_path / "vectors").exists()


def test_two_writers_do_not_overwrite_one_another(tmp_path: Path, outside: tuple[Any, str, Any]) -> None:
    """Of two drafts at once one is told, by the bucket's conditional writes."""
    _, url, keys = outside

    async def scenario() -> None:
        first = open_vectors(table(tmp_path, url, keys, "two"), tmp_path)
        version = await filled(first, chunk(1))
        drafts = [
            await open_vectors(table(tmp_path, url, keys, "two"), tmp_path).draft("kb", SHAPE, version)
            for _ in range(2)
        ]
        ended = []
        for turn in range(2):
            for at, draft in enumerate(drafts):
                try:
                    await draft.remove([f"nothing {turn}"])
                    await draft.put([chunk(10 * at + turn, f"doc{at}{turn}")])
                    await draft._flush()
                except VectorsError:
                    ended.append(at)
        assert ended
        assert await ids(await first.open(version)) == {"c1"}

    asyncio.run(scenario())


def test_a_bucket_that_is_not_there(tmp_path: Path, outside: tuple[Any, str, Any]) -> None:
    """A draft fails and says so without keys or addresses in its words."""
    _, url, keys = outside

    async def scenario() -> None:
        place = VectorsTable(
            url="s3://no-such-bucket/x", endpoint_url=url, access_key=f"file:{tmp_path}/id",
            secret_key=f"file:{tmp_path}/secret",
        )  # fmt: skip
        table(tmp_path, url, keys, "")
        with pytest.raises(VectorsError) as caught:
            await filled(open_vectors(place, tmp_path), chunk(1))
        assert keys[1] not in str(caught.value)
        assert url not in str(caught.value)

    asyncio.run(scenario())
