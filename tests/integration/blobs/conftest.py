"""The places for blobs that the port's suite runs on. A further one is one line in BACKENDS."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from craton.infra.blobs.files import FileBlobs
from craton.infra.blobs.outside import OutsideBlobs, Place
from craton.infra.blobs.port import Blobs
from tests.third_party_s3 import KEYS, ThirdPartyS3

BACKENDS = ("files", "outside")


@pytest.fixture(scope="session")
def outside() -> Iterator[ThirdPartyS3]:
    """One server for all tests; each takes a bucket of its own."""
    with ThirdPartyS3() as server:
        yield server


@pytest.fixture
def bucket(outside: ThirdPartyS3) -> str:
    """An empty bucket there."""
    name = f"blobs-{secrets.token_hex(4)}"
    outside.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def place(outside: ThirdPartyS3, bucket: str) -> Place:
    """A prefix in the bucket."""
    return Place(bucket, "some/where", outside.url, "us-east-1", *KEYS)


@pytest.fixture(params=BACKENDS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Blobs]:
    """Opens the same empty place each time it is called: each event loop has an object of its own."""
    if request.param == "outside":
        found: Place = request.getfixturevalue("place")
        return lambda: OutsideBlobs(found)
    return lambda: FileBlobs(tmp_path / "home" / "blobs")
