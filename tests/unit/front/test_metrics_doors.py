"""The doors of metrics: bodies that are compressed, and who may read the page from elsewhere."""

from __future__ import annotations

import asyncio
import gzip
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from craton.aws.access.credentials import Credentials
from craton.aws.wire.faults import Fault
from craton.front.cloudwatch_request import MOST_BYTES, unzipped
from craton.front.metrics_door import MetricsDoor

ZIPPED = {b"content-encoding": b"gzip"}


def test_bodies_are_unzipped() -> None:
    """As the header says; without it they are what they are."""
    assert unzipped(ZIPPED, gzip.compress(b"body")) == b"body"
    assert unzipped({}, b"body") == b"body"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"", "SerializationException"),
        (b"plain", "SerializationException"),
        (gzip.compress(b"body")[:-3], "SerializationException"),
        (gzip.compress(bytes(MOST_BYTES + 1)), "RequestEntityTooLargeException"),
        (gzip.compress(bytes(64 * MOST_BYTES)), "RequestEntityTooLargeException"),
    ],
    ids=["nothing", "plain", "cut", "large", "bomb"],
)
def test_bodies_that_are_not_what_they_say(body: bytes, name: str) -> None:
    """Are refused, and never unpacked beyond the cap."""
    with pytest.raises(Fault) as caught:
        unzipped(ZIPPED, body)
    assert caught.value.name == name


def test_the_page_is_for_who_signs() -> None:
    """From another machine nobody reads it without a signature, and nobody else is asked."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def read() -> Any:
        raise AssertionError

    app: Any = SimpleNamespace(
        live=SimpleNamespace(credentials=Credentials()),
        clock=SimpleNamespace(now=lambda: datetime.now(UTC), monotonic=time.monotonic),
        settings=SimpleNamespace(region="us-east-1"),
    )
    door = MetricsDoor(app, read, (), lambda _: False, Path("/nowhere"), lambda _: None)
    scope: dict[str, Any] = {
        "method": "GET", "raw_path": b"/metrics", "query_string": b"", "headers": {b"host": b"x"}, "path": "/metrics",
    }  # fmt: skip
    asyncio.run(door(scope, None, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 403
