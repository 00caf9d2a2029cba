"""Carries out the lifecycle rules of all buckets: expired objects, old versions, lone delete markers, stale uploads.

Takes no input but what is kept: it rereads the buckets, goes through each by pages, and looks again at every object in
the transaction that takes it away, so a sweep may run at any moment, be cut short, or run twice. What a rule means is
`lifecycle`'s. It must not know requests, nor who asked for the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from craton.features.objects import lifecycle
from craton.features.objects.lifecycle import Rule
from craton.infra.objects import index, listing, uploads
from craton.infra.objects.listing import Place
from craton.infra.objects.record import CURRENT, MARKED, Detail, Entry, Sealing, Upload, Version
from craton.infra.store.port import Query, Reader, Resource, Transaction, microseconds, moment_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.infra.objects.keeper import Keeper

KIND: Final = "s3-bucket"
_PAGE: Final = 250
_EXPIRED, _OLD, _LONE = "expired", "old", "lone"


class Rows(Protocol):
    """The store, off the loop (`context.Storage`)."""

    async def read(self, work: Callable[[Reader], Any]) -> Any: ...


class Swept(msgspec.Struct):
    """How much went: objects that expired, noncurrent versions, delete markers, uploads."""

    objects: int = 0
    versions: int = 0
    markers: int = 0
    uploads: int = 0


class _Kept(msgspec.Struct):
    """What of a bucket's body is read here."""

    versioning: str = ""
    lifecycle: dict[str, Any] | None = None


class _Doomed(msgspec.Struct, frozen=True):
    """A row and why it is to go."""

    entry: Entry
    why: str


async def sweep(storage: Rows, objects: Keeper, now: datetime) -> Swept:
    """Go through all buckets once. Raises StoreError; what was done until then stays done."""
    swept = Swept()
    after = None
    while True:
        query = Query(kind=KIND, sort="id", limit=_PAGE, after=after)
        page = await storage.read(lambda store, query=query: store.list(query))  # type: ignore[misc]
        for row in page.items:
            rules = lifecycle.rules_of(row.read(_Kept).lifecycle)
            if rules:
                await _sweep_objects(objects, row, rules, now, swept)
            if any(rule.abort_days is not None for rule in rules):
                await _sweep_uploads(objects, row, rules, now, swept)
        after = page.after
        if after is None:
            return swept


async def _sweep_objects(objects: Keeper, row: Resource, rules: tuple[Rule, ...], now: datetime, swept: Swept) -> None:
    walk, start = _Walk(rules, now), Place()
    more = True
    while more:
        here = start

        def look(connection: Connection, here: Place = here) -> tuple[list[_Doomed], Place, bool]:
            shown = listing.versions(connection, row.id, b"", b"", here, _PAGE)
            doomed = list(walk.over(shown.entries, lambda entry: _tags(connection, row.id, entry)))
            if not shown.more:
                doomed += walk.end()
            last = shown.last_entry
            return doomed, here if last is None else Place(shown.last, behind=True, within=last.order), shown.more

        doomed, start, more = await objects.read(look)
        if doomed:
            await _take_away(objects, row, doomed, now, swept)


async def _take_away(objects: Keeper, row: Resource, doomed: list[_Doomed], now: datetime, swept: Swept) -> None:
    def work(transaction: Transaction, freed: list[str]) -> list[str]:
        bucket = transaction.get(row.arn)
        if bucket is None:
            return []
        versioning = bucket.read(_Kept).versioning
        return transaction.run(
            lambda connection: [one.why for one in doomed if _gone(connection, row, versioning, one, now, freed)]
        )

    gone = await objects.keep(work)
    swept.objects += gone.count(_EXPIRED)
    swept.versions += gone.count(_OLD)
    swept.markers += gone.count(_LONE)


def _gone(
    connection: Connection, row: Resource, versioning: str, one: _Doomed, now: datetime, freed: list[str]
) -> bool:
    """Take one row away, if it is still what it was."""
    entry = one.entry
    found = index.version(connection, row.id, entry.key, entry.version_id)
    if found is None or found.place != entry.place or found.state != entry.state:
        return False
    if one.why == _LONE and _has_others(connection, row.id, entry.key):
        return False
    if one.why == _EXPIRED and versioning:
        detail = Detail(Sealing(account=row.account))
        at = microseconds(now.replace(microsecond=0))
        marker = Version(bucket=row.id, key=entry.key, modified_at=at, detail=detail, marker=True)
        index.store(connection, marker, found, freed, keeps=versioning == "Enabled")
    else:
        index.remove(connection, found, freed)
    return True


def _has_others(connection: Connection, bucket: str, key: bytes) -> bool:
    """Whether a key has more than one version."""
    shown = listing.versions(connection, bucket, key, b"", Place(), 2)
    return [entry.key for entry in shown.entries] == [key, key]


def _tags(connection: Connection, bucket: str, entry: Entry) -> dict[str, str]:
    found = index.version(connection, bucket, entry.key, entry.version_id)
    return {} if found is None else found.detail.tags


class _Walk:
    """Goes through the versions of a bucket, key by key and newest first, and says which are to go."""

    def __init__(self, rules: tuple[Rule, ...], now: datetime) -> None:
        self._rules = rules
        self._now = now
        self._asks_tags = any(rule.tags for rule in rules)
        self._newer: Entry | None = None  # the version before, if it is of the same key
        self._noncurrent = 0
        self._lone: Entry | None = None  # a current delete marker behind which nothing came yet

    def over(self, entries: list[Entry], tags_of: Callable[[Entry], dict[str, str]]) -> Iterator[_Doomed]:
        for entry in entries:
            if self._newer is None or self._newer.key != entry.key:
                yield from self.end()
            self._lone = entry if entry.state == MARKED else None
            if entry.state != MARKED:
                # Keys are UTF-8; a rule's prefix is held against the text.
                key, tags = entry.key.decode(), tags_of(entry) if self._asks_tags else {}
                yield from self._current(entry, key, tags) if entry.state == CURRENT else self._old(entry, key, tags)
            self._newer = entry

    def end(self) -> Iterator[_Doomed]:
        """A key has come to its end."""
        lone, self._newer, self._noncurrent, self._lone = self._lone, None, 0, None
        if lone is not None:
            key, since = lone.key.decode(), moment_of(lone.modified_at)
            if lifecycle.is_marker_over(self._rules, key, since, self._now):
                yield _Doomed(lone, _LONE)

    def _current(self, entry: Entry, key: str, tags: dict[str, str]) -> Iterator[_Doomed]:
        if lifecycle.is_over(self._rules, key, entry.size, tags, moment_of(entry.modified_at), self._now):
            yield _Doomed(entry, _EXPIRED)

    def _old(self, entry: Entry, key: str, tags: dict[str, str]) -> Iterator[_Doomed]:
        newer = self._newer
        since = moment_of(entry.modified_at if newer is None else newer.modified_at)
        if lifecycle.is_noncurrent_over(self._rules, key, entry.size, tags, since, self._noncurrent, self._now):
            yield _Doomed(entry, _OLD)
        self._noncurrent += 1


async def _sweep_uploads(objects: Keeper, row: Resource, rules: tuple[Rule, ...], now: datetime, swept: Swept) -> None:
    start = Place()
    more = True
    while more:
        here = start
        shown = await objects.read(lambda c, here=here: uploads.listing(c, row.id, b"", b"", here, _PAGE))  # type: ignore[misc]
        stale: list[Upload] = [
            one for one in shown.entries
            if lifecycle.is_upload_over(rules, one.key.decode(), moment_of(one.started_at), now)
        ]  # fmt: skip
        if stale:
            await objects.keep(lambda tx, freed, stale=stale: tx.run(lambda c: _give_up(c, stale, freed)))  # type: ignore[misc]
        swept.uploads += len(stale)
        more = shown.more
        if shown.last_entry is not None:
            start = Place(shown.last, behind=True, within=shown.last_entry.order)


def _give_up(connection: Connection, stale: list[Upload], freed: list[str]) -> None:
    for one in stale:
        found = uploads.find(connection, one.bucket, one.key, one.upload_id)
        if found is not None:
            uploads.finish(connection, found, (), freed)
