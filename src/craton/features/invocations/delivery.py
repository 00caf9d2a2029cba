"""From the spool to the customer's bucket and log group: one segment after the other, each removed once all have it.

Owns the order of a segment's delivery and what of it is done, which is kept beside the segment: whoever takes it up
after a crash leaves out what has arrived. An object that is written twice takes its own place; a batch of log events
whose answer was lost may stand in the group twice. It must not know how anything is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import msgspec

from craton.features.invocations import layout
from craton.features.invocations.entry import PURPOSE, Entry, decode
from craton.features.invocations.record import Paths, Record, Side, compose, line
from craton.features.invocations.terms import CloudWatchConfig, S3Config, Terms, read
from craton.infra.cipher.port import Cipher, NoSuchKey, Tampered
from craton.infra.spool import folder, segment
from craton.infra.spool.port import Damaged, Group

STREAM = "aws/bedrock/modelinvocations"
# PutLogEvents' bounds, each event counting 26 bytes besides its text (CloudWatch Logs API reference).
_EVENT_BYTES = 26
_BATCH_BYTES = 1_048_576
_BATCH_EVENTS = 10_000

S3, CLOUD_WATCH, LARGE = "S3Delivery", "CloudWatchDelivery", "LargeDataS3Delivery"


class SinkFailed(Exception):
    """A bucket or a log group did not take something; the text says which and why, and holds no record."""


class Sinks(Protocol):
    """Where records go. Every method raises SinkFailed."""

    async def put_object(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """Write an object, which is gzipped, in the customer's bucket."""
        ...

    async def put_events(self, group: str, role_arn: str, events: list[tuple[int, str]]) -> None:
        """Add events (milliseconds, text) in order to the stream `STREAM`, which is made if it is not there."""
        ...


class Progress(msgspec.Struct):
    """What of a segment has arrived. `batches`: of log events."""

    s3: bool = False
    batches: int = 0


class Counted(msgspec.Struct):
    """Deliveries by their metric, `ModelInvocationLogsS3DeliverySuccess` and the like, since the spool was made."""

    counts: dict[str, int] = {}
    error: str = ""

    def count(self, sink: str, *, good: bool) -> None:
        start = "ModelInvocation" if sink == LARGE else "ModelInvocationLogs"
        name = f"{start}{sink}{'Success' if good else 'Failure'}"
        self.counts[name] = self.counts.get(name, 0) + 1


class Delivery:
    """Empties the spool of one account in one region. `terms` gives what holds there now, None for no logs."""

    def __init__(self, path: Path, cipher: Cipher, sinks: Sinks, terms: Callable[[], Awaitable[bytes | None]]) -> None:
        self._path = path
        self._cipher = cipher
        self._sinks = sinks
        self._terms = terms
        self.counted = folder.read(path / folder.DELIVERED, Counted) or Counted()

    async def empty(self, account: str, region: str) -> int:
        """Deliver what is ready; how many segments. Raises SinkFailed, StoreError, CipherError, OSError."""
        done = 0
        for path in await asyncio.to_thread(folder.segments, self._path, account, region):
            reading = await asyncio.to_thread(segment.take, path)
            if reading is None:
                continue
            try:
                await self._deliver(reading)
                done += 1
            finally:
                reading.close()
                await asyncio.to_thread(folder.replace, self._path / folder.DELIVERED, self.counted)
        return done

    async def _deliver(self, reading: segment.Reading) -> None:
        try:
            group, entries = await self._opened(reading)
        except (Damaged, NoSuchKey, Tampered, msgspec.DecodeError) as error:
            # Nobody will ever read it: what it held is lost, and to keep it would only fill the disk.
            self.counted.error = f"{reading.path.name}: {type(error).__name__}"
            self._forget(reading)
            return
        current = await self._terms()
        terms = read(current if current is not None else group.terms)
        records = await asyncio.to_thread(composed, entries, group, terms)
        try:
            await self._send(reading, group, terms, records)
        except SinkFailed as error:
            self.counted.error = str(error)
            if current is not None:
                raise
            # Logs were turned off, and where they went takes no more: there is nobody to wait for.
        else:
            self.counted.error = ""
        self._forget(reading)

    def _forget(self, reading: segment.Reading) -> None:
        reading.remove()
        progress_path(reading).unlink(missing_ok=True)

    async def _opened(self, reading: segment.Reading) -> tuple[Group, list[Entry]]:
        account = reading.path.name.split("_", 3)[1]
        sealed = await asyncio.to_thread(reading.sealed_key)
        key = await self._cipher.open(account, PURPOSE, sealed, {"segment": reading.path.name})

        def read_all() -> tuple[Group, list[Entry]]:
            group = reading.group(key)
            return group, [entry for block in reading.blocks(key) for entry in decode(block)]

        return await asyncio.to_thread(read_all)

    async def _send(self, reading: segment.Reading, group: Group, terms: Terms, records: list[Record]) -> None:
        place = progress_path(reading)
        progress = folder.read(place, Progress) or Progress()
        if terms.s3_config is not None and not progress.s3:
            await self._to_bucket(reading.path.name, group, terms.s3_config, records)
            progress.s3 = True
            await asyncio.to_thread(folder.replace, place, progress)
        if terms.cloud_watch_config is not None:
            await self._to_group(group, terms.cloud_watch_config, records, progress, place)

    async def _to_bucket(self, source: str, group: Group, config: S3Config, records: list[Record]) -> None:
        for hour in layout.by_hour(records):
            paths = [await self._apart(group, config, record) for record in hour]
            packed = await asyncio.to_thread(lambda hour=hour, paths=paths: layout.packed(layout.lines(hour, paths)))  # type: ignore[misc]
            key = layout.object_key(config.key_prefix, group.account, group.region, hour[0].at, source)
            await self._put(S3, config.bucket_name, key, packed, "application/json")

    async def _to_group(
        self, group: Group, config: CloudWatchConfig, records: list[Record], progress: Progress, place: Path
    ) -> None:
        large = config.large_data_delivery_s3_config
        events = []
        for record in sorted(records, key=lambda record: record.at):
            paths = await self._apart(group, large, record) if large is not None else {}
            events.append((int(record.at.timestamp() * 1000), line(record, paths).decode()))
        for number, batch in enumerate(batches(events)):
            if number < progress.batches:
                continue
            try:
                await self._sinks.put_events(config.log_group_name, config.role_arn, batch)
            except SinkFailed:
                self.counted.count(CLOUD_WATCH, good=False)
                raise
            self.counted.count(CLOUD_WATCH, good=True)
            progress.batches = number + 1
            await asyncio.to_thread(folder.replace, place, progress)

    async def _apart(self, group: Group, config: S3Config, record: Record) -> Paths:
        """Write the bodies that do not stand in a record; where they lie."""
        paths: Paths = {}
        sides: list[tuple[str, Side | None]] = [("input", record.input), ("output", record.output)]
        for name, body in sides:
            if body is None or not body.apart:
                continue
            key = layout.data_key(config.key_prefix, group.account, group.region, record, name, body)
            packed = await asyncio.to_thread(layout.packed, body.data)
            await self._put(LARGE, config.bucket_name, key, packed, body.content_type)
            paths[name] = f"s3://{config.bucket_name}/{key}"
        return paths

    async def _put(self, sink: str, bucket: str, key: str, body: bytes, content_type: str) -> None:
        try:
            await self._sinks.put_object(bucket, key, body, content_type)
        except SinkFailed:
            self.counted.count(sink, good=False)
            raise
        self.counted.count(sink, good=True)


def composed(entries: list[Entry], group: Group, terms: Terms) -> list[Record]:
    return [compose(entry, group.account, group.region, terms) for entry in entries]


def progress_path(reading: segment.Reading) -> Path:
    return reading.path.with_suffix(".progress")


def batches(events: list[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """Events in batches that PutLogEvents takes; the same events always make the same batches."""
    made: list[list[tuple[int, str]]] = []
    room = count = 0
    for event in events:
        size = len(event[1].encode()) + _EVENT_BYTES
        if not made or size > room or count >= _BATCH_EVENTS:
            made.append([])
            room, count = _BATCH_BYTES, 0
        made[-1].append(event)
        room, count = room - size, count + 1
    return made
