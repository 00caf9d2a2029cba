"""The delivery of a spool: nothing is lost while a sink is away, nothing waits for a place that nobody wants any more."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from craton.features.invocations import delivery
from craton.features.invocations.delivery import Counted, Delivery, SinkFailed, batches
from craton.features.invocations.entry import Entry, encode
from craton.infra.cipher.port import KeyUnusable, NoSuchKey
from craton.infra.spool import folder
from craton.infra.spool.port import Group
from craton.infra.spool.segment import Writer, new_key

ACCOUNT, REGION = "111122223333", "us-east-1"
BUCKET = b'{"s3Config":{"bucketName":"logs"}}'
BOTH = (
    b'{"s3Config":{"bucketName":"logs"},"cloudWatchConfig":{"logGroupName":"group",'
    b'"roleArn":"arn:aws:iam::111122223333:role/r","largeDataDeliveryS3Config":{"bucketName":"large"}}}'
)


def entry(number: int, size: int = 10) -> Entry:
    body = json.dumps({"messages": "x" * size}).encode()
    return Entry(1_768_478_400.0 + number, f"id-{number}", "Converse", b"/model/m/converse", "arn", "", "chat", False,
                 "", b"", b"application/json", (1, 2, None, None), body, b"{}")  # fmt: skip


class PlainCipher:
    """Opens what was never sealed, or raises."""

    error: Exception | None = None

    async def open(self, account: str, purpose: str, sealed: bytes, context: Mapping[str, str]) -> bytes:
        assert (account, purpose) == (ACCOUNT, "invocation-logs")
        assert context["segment"].endswith(".spool")
        if self.error is not None:
            raise self.error
        return sealed


class FakeSinks:
    """Takes everything, or fails as often as it is told."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.writes: list[str] = []
        self.events: list[tuple[str, list[tuple[int, str]]]] = []
        self.bucket_fails = self.group_fails = 0

    async def put_object(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        if self.bucket_fails:
            self.bucket_fails -= 1
            raise SinkFailed(f"the bucket {bucket}: AccessDenied")
        self.objects[f"{bucket}/{key}"] = body
        self.writes.append(key)

    async def put_events(self, group: str, role_arn: str, events: list[tuple[int, str]]) -> None:
        if self.group_fails:
            self.group_fails -= 1
            raise SinkFailed(f"the log group {group}: ResourceNotFoundException")
        self.events.append((group, events))

    def lines(self) -> list[dict[str, Any]]:
        found = [gzip.decompress(body) for key, body in self.objects.items() if "/data/" not in key]
        return [json.loads(line) for body in found for line in body.splitlines()]


class Place:
    """A spool, its sinks and the terms in force."""

    def __init__(self, path: Path, terms: bytes | None = BUCKET) -> None:
        self.path = path
        self.cipher, self.sinks, self.terms = PlainCipher(), FakeSinks(), terms

    def spool(self, *entries: Entry, terms: bytes = BUCKET, blocks: int = 1) -> Path:
        key = new_key()
        name = folder.new_name(ACCOUNT, REGION)
        writer = Writer(self.path / name, key, key, Group(ACCOUNT, REGION, terms), durable=False)
        for _ in range(blocks):
            writer.append(encode(list(entries)))
        writer.close()
        return writer.path

    def empty(self) -> int:
        async def terms() -> bytes | None:
            return self.terms

        made = Delivery(self.path, self.cipher, self.sinks, terms)  # type: ignore[arg-type] # opens alone
        return asyncio.run(made.empty(ACCOUNT, REGION))

    def counts(self) -> dict[str, int]:
        found = folder.read(self.path / folder.DELIVERED, Counted)
        return {} if found is None else found.counts


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_segment_is_delivered_and_gone(place: Place) -> None:
    """All blocks of a segment are one object; then the segment is removed and the delivery counted."""
    place.spool(entry(1), entry(2), blocks=2)
    assert place.empty() == 1
    assert [line["requestId"] for line in place.sinks.lines()] == ["id-1", "id-1", "id-2", "id-2"]
    assert folder.segments(place.path) == []
    assert place.counts() == {"ModelInvocationLogsS3DeliverySuccess": 1}


def test_other_accounts_are_left_alone(place: Place) -> None:
    """A run delivers what is its own account's and region's."""
    place.spool(entry(1))
    (path,) = folder.segments(place.path)
    path.rename(path.with_name(path.name.replace(ACCOUNT, "999999999999")))
    assert place.empty() == 0
    assert len(folder.segments(place.path)) == 1


def test_a_bucket_that_is_away_loses_nothing(place: Place) -> None:
    """Failures are counted, the segment waits, and once the bucket is back it has everything once."""
    place.spool(entry(1))
    place.sinks.bucket_fails = 2
    for _ in range(2):
        with pytest.raises(SinkFailed):
            place.empty()
        assert len(folder.segments(place.path)) == 1
    assert place.empty() == 1
    assert len(place.sinks.lines()) == 1
    assert place.counts() == {"ModelInvocationLogsS3DeliveryFailure": 2, "ModelInvocationLogsS3DeliverySuccess": 1}


def test_what_arrived_is_not_sent_again(place: Place) -> None:
    """A bucket that has a segment does not get it again because the log group is away."""
    place.terms = BOTH
    place.spool(entry(1), terms=BOTH)
    place.sinks.group_fails = 1
    with pytest.raises(SinkFailed):
        place.empty()
    assert place.empty() == 1
    assert len(place.sinks.writes) == 1
    ((group, events),) = place.sinks.events
    assert group == "group"
    assert json.loads(events[0][1])["requestId"] == "id-1"
    assert events[0][0] == 1_768_478_401_000
    assert place.counts()["ModelInvocationLogsCloudWatchDeliveryFailure"] == 1
    assert [path.name for path in place.path.iterdir()] == [folder.DELIVERED]


def test_a_crash_before_the_end_repeats_the_same_names(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes up a segment after a crash writes the same objects, so none is there twice."""
    path = place.spool(entry(1, size=200_000))

    def killed(self: object, reading: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Delivery, "_forget", killed)
    with pytest.raises(KeyboardInterrupt):
        place.empty()
    path.with_suffix(".progress").unlink()  # as if the crash had come before even that was kept
    monkeypatch.undo()
    assert place.empty() == 1
    assert len(place.sinks.objects) == 2
    assert len(place.sinks.writes) == 4


def test_large_bodies_of_a_group_lie_in_its_own_bucket(place: Place) -> None:
    """CloudWatch's record names the object in largeDataDeliveryS3Config's bucket, S3's the one in its own."""
    place.terms = BOTH
    place.spool(entry(1, size=200_000), terms=BOTH)
    place.empty()
    named = json.loads(place.sinks.events[0][1][0][1])["input"]["inputBodyS3Path"]
    assert named.startswith("s3://large/AWSLogs/")
    assert place.sinks.lines()[0]["input"]["inputBodyS3Path"].startswith("s3://logs/AWSLogs/")
    assert place.counts()["ModelInvocationLargeDataS3DeliverySuccess"] == 2


def test_terms_of_now_hold_for_what_waits(place: Place) -> None:
    """A configuration that was mended delivers what could not be delivered before."""
    place.spool(entry(1))
    place.terms = b'{"s3Config":{"bucketName":"mended"}}'
    place.empty()
    assert all(key.startswith("mended/") for key in place.sinks.objects)


def test_after_the_end_of_logs_what_waits_goes_where_it_was_meant_to(place: Place) -> None:
    """Records of before the deletion are delivered once; a place that takes no more is not waited for."""
    place.terms = None
    place.spool(entry(1))
    place.empty()
    assert len(place.sinks.lines()) == 1
    place.spool(entry(2))
    place.sinks.bucket_fails = 1
    assert place.empty() == 1
    assert folder.segments(place.path) == []


@pytest.mark.parametrize("error", [NoSuchKey("gone"), None])
def test_what_nobody_can_read_does_not_stop_the_rest(place: Place, error: Exception | None) -> None:
    """A segment whose key is gone, or that is damaged, is given up; the next one is delivered."""
    path = place.spool(entry(1))
    if error is None:
        data = bytearray(path.read_bytes())
        data[-20] ^= 1
        path.write_bytes(data)
        place.spool(entry(2))
        place.empty()
        assert [line["requestId"] for line in place.sinks.lines()] == ["id-2"]
    else:
        place.cipher.error = error
        place.empty()
    assert folder.segments(place.path) == []


def test_a_disabled_key_is_waited_for(place: Place) -> None:
    """What is unreadable for now stays."""
    place.spool(entry(1))
    place.cipher.error = KeyUnusable("arn", "Disabled")
    with pytest.raises(KeyUnusable):
        place.empty()
    place.cipher.error = None
    assert place.empty() == 1


def test_batches_keep_to_cloudwatchs_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many bytes, 26 counted for each event, and so many events."""
    assert [len(batch) for batch in batches([(1, "x" * 500_000)] * 5)] == [2, 2, 1]
    monkeypatch.setattr(delivery, "_BATCH_EVENTS", 3)
    assert [len(batch) for batch in batches([(1, "x")] * 7)] == [3, 3, 1]
    assert batches([]) == []


def test_entries_of_a_bigger_form_are_refused() -> None:
    """A segment of another version is damage, not a wrong record."""
    from craton.features.invocations.entry import decode

    with pytest.raises(msgspec.DecodeError):
        decode(msgspec.msgpack.encode([{"at": 1}]))
