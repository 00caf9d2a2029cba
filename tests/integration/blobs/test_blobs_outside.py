"""Blobs in an outside S3: where they lie there, and what its failures are called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

import pytest

from craton.config import ConfigError
from craton.config_tables import BlobsTable
from craton.infra.blobs.opening import check_blobs, open_blobs
from craton.infra.blobs.outside import OutsideBlobs, Place
from craton.infra.blobs.port import BlobsUnavailable
from tests.third_party_s3 import KEYS, ThirdPartyS3

T = TypeVar("T")
PLACE = Place("bucket", "", "http://127.0.0.1:1", "us-east-1", *KEYS)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


async def pieces(data: bytes) -> AsyncGenerator[bytes]:
    yield data


def test_a_blob_is_one_object_under_the_prefix(outside: ThirdPartyS3, bucket: str, place: Place) -> None:
    """Others' objects in the bucket are neither listed nor read."""
    client = outside.client()
    client.put_object(Bucket=bucket, Key="some/where/else.txt", Body=b"not ours")

    async def write() -> tuple[str, list[str]]:
        blobs = OutsideBlobs(place)
        ident = (await blobs.write(pieces(b"content"))).id
        return ident, [found async for found, _ in blobs.ids()]

    ident, listed = run(write())
    assert listed == [ident]
    assert client.get_object(Bucket=bucket, Key=f"some/where/{ident}")["Body"].read() == b"content"


@pytest.mark.parametrize("how", ["raise", "cancel"])
def test_an_upload_that_is_given_up_is_aborted(outside: ThirdPartyS3, bucket: str, place: Place, how: str) -> None:
    """No unfinished upload stays in the bucket when its source fails or its writer is cancelled in the middle."""

    async def give_up() -> None:
        half = asyncio.Event()

        async def source() -> AsyncGenerator[bytes]:
            for _ in range(12):
                yield bytes(1024 * 1024)
            half.set()
            if how == "raise":
                raise ConnectionResetError
            await asyncio.Event().wait()

        task = asyncio.create_task(OutsideBlobs(place).write(source()))
        await half.wait()
        if how == "cancel":
            task.cancel()
        with pytest.raises((ConnectionResetError, asyncio.CancelledError)):
            await task

    run(give_up())
    found = outside.client().list_multipart_uploads(Bucket=bucket)
    assert found.get("Uploads", []) == []


def test_a_bucket_that_is_not_there_is_no_missing_blob(outside: ThirdPartyS3) -> None:
    """Reading, writing and listing say that the place cannot be used."""
    nowhere = Place("no-such-bucket", "", outside.url, "us-east-1", *KEYS)

    async def each() -> None:
        blobs = OutsideBlobs(nowhere)
        with pytest.raises(BlobsUnavailable):
            await blobs.write(pieces(b"content"))
        with pytest.raises(BlobsUnavailable):
            await anext(blobs.read("0" * 32))
        with pytest.raises(BlobsUnavailable):
            await anext(blobs.ids())

    run(each())


def test_a_server_that_is_away_is_told_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names no key and no address."""
    monkeypatch.setattr("craton.infra.blobs.outside._RETRIES", 0)
    with pytest.raises(BlobsUnavailable) as caught:
        run(OutsideBlobs(PLACE).write(pieces(b"content")))
    assert not any(word in str(caught.value) for word in ("127.0.0.1", *KEYS))


def test_the_place_hides_its_keys() -> None:
    """A record of the place can be printed."""
    assert repr(PLACE) == "Place(s3://bucket/ at http://127.0.0.1:1)"


def test_the_configured_place_is_opened(
    outside: ThirdPartyS3, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """`[blobs]` with a URL, an endpoint and keys in the environment opens that place, whatever AWS_ENDPOINT_URL says."""
    monkeypatch.setenv("OUTSIDE_ID", KEYS[0])
    monkeypatch.setenv("OUTSIDE_SECRET", KEYS[1])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    table = BlobsTable(
        url=f"s3://{bucket}/deep/prefix/", endpoint_url=outside.url,
        access_key="env:OUTSIDE_ID", secret_key="env:OUTSIDE_SECRET",
    )  # fmt: skip
    ident = run(open_blobs(table, tmp_path).write(pieces(b"content"))).id
    listed = outside.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert [found["Key"] for found in listed] == [f"deep/prefix/{ident}"]
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_is_not_there_ends_the_start(tmp_path: Any) -> None:
    """A named secret that does not exist is a mistake in the configuration."""
    table = BlobsTable(url="s3://bucket", access_key="env:NOT_THERE_1", secret_key="env:NOT_THERE_2")
    with pytest.raises(ConfigError, match="NOT_THERE_1"):
        open_blobs(table, tmp_path)


WRONG = {
    "ftp://host/folder": "neither",
    "s3:///prefix": "neither",
    "s3://bucket/prefix?versionId=1": "neither",
    "file://relative/folder": "neither",
    "/folder": "neither",
}


@pytest.mark.parametrize(("url", "words"), WRONG.items())
def test_a_place_of_another_kind_is_refused(url: str, words: str) -> None:
    """A URL that is no folder and no bucket is a mistake in the configuration."""
    with pytest.raises(ConfigError, match=words):
        check_blobs(BlobsTable(url=url))


@pytest.mark.parametrize(
    "table",
    [
        BlobsTable(endpoint_url="https://s3.example.com"),
        BlobsTable(url="file:///folder", region="eu-west-1"),
        BlobsTable(url="s3://bucket", access_key="AKIA", secret_key="env:SECRET"),
        BlobsTable(url="s3://bucket", access_key="env:ID"),
        BlobsTable(url="s3://bucket", endpoint_url="s3.example.com"),
    ],
)
def test_keys_that_do_not_fit_are_refused(table: BlobsTable) -> None:
    """What belongs to S3 alone, literal secrets and half a pair of keys are mistakes in the configuration."""
    with pytest.raises(ConfigError, match=r"\[blobs\]"):
        check_blobs(table)


def test_a_folder_elsewhere_is_used(tmp_path: Any) -> None:
    """`file:///FOLDER` puts blobs there and nothing in the home."""
    folder = tmp_path / "else where"
    blobs = open_blobs(BlobsTable(url=folder.as_uri()), tmp_path / "home")
    run(blobs.write(pieces(b"content")))
    assert len(list(folder.rglob("*.blob"))) == 1
    assert not (tmp_path / "home").exists()
