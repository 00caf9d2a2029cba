"""The sweep of lifecycle rules over a real store, with a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from craton.features.objects.lifecycle_sweep import Swept, sweep
from craton.infra.objects import index, listing, uploads
from craton.infra.objects.keeper import Keeper
from craton.infra.objects.listing import Place
from craton.infra.objects.record import Detail, Part, Piece, Sealing, Upload, Version
from craton.infra.store.opening import open_store
from craton.infra.store.port import Resource, microseconds
from craton.infra.store.threaded import ThreadedStore

ACCOUNT, BUCKET = "111122223333", "kept"
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
T = TypeVar("T")


class Blobs:
    """Remembers which blobs were deleted."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    async def delete(self, *ids: str) -> None:
        self.deleted += ids


async def nothing() -> None:
    """No worker has to hear of a write."""


class World:
    """A store with one bucket."""

    def __init__(self, path: Path) -> None:
        self.storage = ThreadedStore(
            lambda: open_store(f"sqlite:///{path}/s.db", durable=False), nothing, lambda: b"x" * 32
        )
        self.blobs = Blobs()
        self.made = 0

    def run(self, work: Callable[[Keeper], Awaitable[T]]) -> T:
        async def running() -> T:
            done = await work(Keeper(self.storage, self.blobs))
            await asyncio.sleep(0.01)  # blobs are deleted behind the caller
            return done

        return asyncio.run(running())

    def bucket(self, *rules: dict[str, Any], versioning: str = "") -> None:
        """The bucket, with these rules."""
        body = {"versioning": versioning, "lifecycle": {"Rules": [{"Status": "Enabled", **rule} for rule in rules]}}
        row = Resource(
            account=ACCOUNT, region="us-east-1", kind="s3-bucket", id=BUCKET, arn=f"arn:aws:s3:::{BUCKET}",
            name=BUCKET, created_at=START, updated_at=START, body=msgspec.json.encode(body),
        )  # fmt: skip
        self.run(lambda keeper: keeper.keep(lambda tx, _: tx.create(row)))

    def put(self, key: str, at: datetime, *, keeps: bool = False, marker: bool = False, tags: Any = None) -> str:
        """A new version of a key, of ten bytes; the id of its blob."""
        self.made += 1
        blob = f"blob-{self.made}"
        new = Version(
            bucket=BUCKET, key=key.encode(), modified_at=microseconds(at), size=0 if marker else 10, marker=marker,
            detail=Detail(Sealing(account=ACCOUNT), tags=tags or {}), pieces=() if marker else (Piece(blob, 10),),
        )  # fmt: skip

        def store(connection: Any, freed: list[str]) -> None:
            before = index.newest(connection, BUCKET, new.key)
            index.store(connection, new, before, freed, keeps=keeps)

        self.run(lambda keeper: keeper.keep(lambda tx, freed: tx.run(lambda c: store(c, freed))))
        return blob

    def begin(self, key: str, at: datetime) -> str:
        """An upload with one part; the id of the part's blob."""
        self.made += 1
        blob, when = f"blob-{self.made}", microseconds(at)
        upload = Upload(bucket=BUCKET, key=key.encode(), upload_id=f"up-{self.made}", started_at=when,
                        detail=Detail(Sealing(account=ACCOUNT)))  # fmt: skip
        part = Part(number=1, size=1, etag="e", modified_at=when, blob=blob, checksums={})

        def store(connection: Any, freed: list[str]) -> None:
            uploads.begin(connection, upload)
            uploads.put_part(connection, upload.upload_id, part, freed)

        self.run(lambda keeper: keeper.keep(lambda tx, freed: tx.run(lambda c: store(c, freed))))
        return blob

    def sweep(self, now: datetime) -> Swept:
        return self.run(lambda keeper: sweep(self.storage, keeper, now))

    def left(self) -> list[tuple[str, bool]]:
        """The keys of all versions, newest first, and which of them are delete markers."""
        shown = self.run(lambda k: k.read(lambda c: listing.versions(c, BUCKET, b"", b"", Place(), 10_000)))
        return [(entry.key.decode(), entry.marker) for entry in shown.entries]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.storage.close()


def test_objects_expire(world: World) -> None:
    """What is past its days goes with its bytes; what is younger, or not of the prefix, stays."""
    world.bucket({"Prefix": "logs/", "Expiration": {"Days": 3}})
    old = world.put("logs/old", START)
    world.put("logs/young", START + 2 * DAY)
    world.put("data/old", START)
    assert world.sweep(START + 3 * DAY - timedelta(seconds=1)) == Swept()
    assert world.sweep(START + 3 * DAY) == Swept(objects=1)
    assert world.left() == [("data/old", False), ("logs/young", False)]
    assert world.blobs.deleted == [old]


def test_many_pages(world: World) -> None:
    """A bucket of more objects than one page holds is swept to its end."""
    world.bucket({"Prefix": "", "Expiration": {"Days": 1}})

    def fill(connection: Any) -> None:
        for number in range(600):
            new = Version(bucket=BUCKET, key=b"k%04d" % number, modified_at=microseconds(START),
                          detail=Detail(Sealing(account=ACCOUNT)))  # fmt: skip
            index.store(connection, new, None, [], keeps=False)

    world.run(lambda keeper: keeper.keep(lambda tx, _: tx.run(fill)))
    assert world.sweep(START + DAY) == Swept(objects=600)
    assert world.left() == []


def test_expiry_hides_where_versions_are_kept(world: World) -> None:
    """An expired object of a bucket that keeps versions gets a delete marker, once."""
    world.bucket({"Prefix": "", "Expiration": {"Days": 1}}, versioning="Enabled")
    world.put("a", START, keeps=True)
    assert world.sweep(START + DAY) == Swept(objects=1)
    assert world.left() == [("a", True), ("a", False)]
    assert world.sweep(START + 9 * DAY) == Swept()
    assert world.blobs.deleted == []


def test_old_versions(world: World) -> None:
    """Noncurrent versions go so many days after they were replaced, but for the newest that are to stay."""
    rule = {"Prefix": "", "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 1}}
    world.bucket(rule, versioning="Enabled")
    blobs = [world.put("a", START + day * DAY, keeps=True) for day in range(4)]
    assert world.sweep(START + 4 * DAY) == Swept(versions=2)
    assert world.left() == [("a", False), ("a", False)]
    assert world.run(lambda keeper: keeper.read(index.blob_ids)) == blobs[2:]


def test_lone_markers(world: World) -> None:
    """A delete marker goes when nothing is behind it, and only then."""
    world.bucket({"Prefix": "", "Expiration": {"ExpiredObjectDeleteMarker": True}}, versioning="Enabled")
    world.put("alone", START, keeps=True, marker=True)
    world.put("hiding", START, keeps=True)
    world.put("hiding", START, keeps=True, marker=True)
    assert world.sweep(START + DAY) == Swept(markers=1)
    assert world.left() == [("hiding", True), ("hiding", False)]


def test_tags(world: World) -> None:
    """A rule that asks for a tag takes only what has it."""
    tag = {"Filter": {"Tag": {"Key": "keep", "Value": "no"}}, "Expiration": {"Days": 1}}
    world.bucket(tag)
    world.put("a", START, tags={"keep": "no"})
    world.put("b", START, tags={"keep": "yes"})
    assert world.sweep(START + DAY) == Swept(objects=1)
    assert world.left() == [("b", False)]


def test_uploads_are_given_up(world: World) -> None:
    """Uploads that were never completed go with their parts."""
    world.bucket({"Prefix": "up/", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}})
    stale = world.begin("up/a", START)
    world.begin("other/a", START)
    assert world.sweep(START + DAY) == Swept()
    assert world.sweep(START + 2 * DAY) == Swept(uploads=1)
    assert world.blobs.deleted == [stale]


def test_no_rules(world: World) -> None:
    """A bucket without rules, or with disabled ones, keeps everything."""
    world.bucket({"Prefix": "", "Expiration": {"Days": 1}, "Status": "Disabled"})
    world.put("a", START)
    assert world.sweep(START + 900 * DAY) == Swept()
    assert world.left() == [("a", False)]
