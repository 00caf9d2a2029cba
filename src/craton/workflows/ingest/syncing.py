"""A sync: what the plan says, done to the draft, and counted.

Owns which documents are fetched and how many at once, what each change of the source becomes in the draft, and the
statistics. Nothing is visible of it before it is published. It must not know how a job begins and ends.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import msgspec
from msgspec.structs import replace

from craton.features.rag import ledger
from craton.features.rag.documents import Document, location_of
from craton.features.rag.resources import Statistics
from craton.features.rag.sidecar import Sidecar
from craton.workflows.ingest.difference import Listed, Plan, plan
from craton.workflows.ingest.fetching import TOO_LARGE, Fetching, Missing, Unfetched
from craton.workflows.ingest.guarding import Guard
from craton.workflows.ingest.indexing import Room
from craton.workflows.ingest.ingestion import Ingestion
from craton.workflows.ingest.listing import Listing, listing_of
from craton.workflows.ingest.material import Material, failed
from craton.workflows.ingest.publishing import Settled

Work = Callable[[], Awaitable[None]]


class Counts(msgspec.Struct):
    """Statistics as they grow, and the documents that failed by reason."""

    scanned: int = 0
    metadata_scanned: int = 0
    new: int = 0
    modified: int = 0
    metadata_modified: int = 0
    deleted: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: dict[str, list[str]] = {}

    def fail(self, identifier: str, reason: str) -> None:
        self.failed += 1
        self.reasons.setdefault(reason, []).append(identifier)

    @property
    def statistics(self) -> Statistics:
        return Statistics(*(getattr(self, name) for name in Statistics.__struct_fields__))


class Progress(ABC):
    """What every kind of sync counts and settles."""

    def __init__(self, ingestion: Ingestion) -> None:
        self._ingestion = ingestion
        self.counts = Counts()
        self.settled = Settled()
        self.planned: int | None = None
        self.done = 0

    @abstractmethod
    async def run(self) -> None:
        """Everything but publishing. Raises JobFailed, VectorsError, StoreError."""

    def settle(self, document: Document, row: Document | None) -> None:
        """Note what became of a document that was read."""
        self.done += 1
        self.settled.keep(document)
        if document.status == "FAILED":
            self.counts.fail(document.identifier, document.reason)
        elif row is None or not row.recipe:
            self.counts.new += 1
        else:
            self.counts.modified += 1
            self.counts.metadata_modified += row.tag_etag != document.tag_etag

    async def remove(self, gone: list[Document]) -> None:
        """Take documents that the source does not have any more."""
        await self._ingestion.writing.remove(one.key for one in gone if one.chunks)
        self.counts.deleted += len(gone)
        self.settled.forget(gone)


class Sync(Progress):
    """One sync of an S3 source."""

    def __init__(self, ingestion: Ingestion, guard: Guard) -> None:
        super().__init__(ingestion)
        self._fetching = Fetching(ingestion, guard)
        self._guard = guard
        self._room = Room()
        self._vanished: list[Document] = []
        self.listing = Listing()

    async def run(self) -> None:
        found = await self._plan()
        work = [*self._works(found)]
        self.planned = len(work)
        await gather(work, self._ingestion.job.tools.settings.file.rag.documents_at_once)
        await self.remove([*found.gone, *self._vanished])

    async def _plan(self) -> Plan:
        it, counts = self._ingestion, self.counts
        place = it.source.place
        assert place is not None  # noqa: S101 - of S3 sources alone
        most = it.job.tools.settings.file.rag.document_bytes
        self.listing = listing = await listing_of(it.buckets, place, most)
        counts.scanned = len(listing.documents) + len(listing.too_large)
        counts.metadata_scanned = len(listing.sidecars)
        base, source = it.base.arn, it.source_id
        known = await it.job.read(lambda store: store.run(lambda c: list(ledger.known(c, base, source))))
        rows = {one.identifier: one for one in known}
        for identifier in listing.too_large:
            reason = TOO_LARGE.format(most=min(most, place.most_bytes or most))
            await self._unusable(Listed(identifier, ""), rows.pop(identifier, None), reason)
        documents = [
            replace(one, tag_mark=one.tag_mark + self._guard.mark(one.identifier)) for one in listing.documents
        ]
        return plan(documents, rows.values(), it.recipe.hash, anew=it.anew)

    def _works(self, found: Plan) -> Iterable[Work]:
        for listed, row in found.moved:
            yield partial(self._move, listed, row)
        for listed in found.new:
            yield partial(self._take, listed, None)
        for listed, row in found.modified:
            yield partial(self._take, listed, row)
        for listed, row in found.retagged:
            yield partial(self._retag, listed, row)

    # --- what one document needs ---

    async def _take(self, listed: Listed, row: Document | None) -> None:
        """A new document, or one that changed."""
        async with self._room.take(self.listing.files[listed.identifier].size):
            try:
                material = await self._fetching.listed(
                    listed.identifier, self.listing.files[listed.identifier],
                    self.listing.sidecars.get(listed.identifier), listed.tag_mark, row.turn if row is not None else 0,
                )  # fmt: skip
            except Missing:  # it is gone since it was listed
                self.counts.scanned -= 1
                self._vanished += [row] if row is not None else []
                self.done += 1
                return
            except Unfetched as error:
                await self._unusable(listed, row, str(error))
                return
            self.settle(await self._ingestion.indexing.index(material, row), row)

    async def _move(self, listed: Listed, row: Document) -> None:
        """The same document under another key: nothing is read or embedded."""
        self.done += 1
        moved = replace(row, identifier=listed.identifier, reason="", turn=0)
        location = msgspec.json.encode(location_of(row.kind, listed.identifier))
        await self._ingestion.writing.move(row.key, moved.key, location)
        self.settled.keep(moved)
        self.settled.forget([row])
        self.counts.new += 1
        self.counts.deleted += 1

    async def _retag(self, listed: Listed, row: Document) -> None:
        """Other metadata. Where that changes what is embedded, or which piece has which, the document is read anew."""
        identifier = listed.identifier
        try:
            sidecar = await self._fetching.sidecar(identifier, self.listing.sidecars.get(identifier))
        except Unfetched as error:
            if self._ingestion.source.guarded:  # what it says of who may see it may be out of date
                await self._unusable(listed, row, str(error))
                return
            self.done += 1
            self.settled.keep(replace(row, status="METADATA_UPDATE_FAILED", reason=str(error)))
            self.counts.fail(identifier, str(error))
            return
        apart = sidecar.structure is not None or identifier.lower().endswith(".csv")
        if sidecar.prefix() != row.prefix or apart or self._ingestion.recipe.transformation is not None:
            await self._take(listed, row)
            return
        self.done += 1
        await self._ingestion.writing.retag(row.key, sidecar.attributes, sidecar.access)
        self.settled.keep(replace(row, status="INDEXED", reason="", tag_etag=listed.tag_mark, access=sidecar.access))
        self.counts.metadata_modified += 1

    async def _unusable(self, listed: Listed, row: Document | None, reason: str) -> None:
        """A document that cannot even be read: nothing of it stays in the index."""
        self.done += 1
        it = self._ingestion
        material = Material(
            base=it.base.arn, source=it.source_id, identifier=listed.identifier, kind=it.source.kind, data=b"",
            sidecar=Sidecar(), run=it.job.arn, turn=row.turn if row is not None else 0,
        )  # fmt: skip
        if row is not None and row.chunks:
            await it.writing.remove([row.key])
        self.settled.keep(failed(material, reason))
        self.counts.fail(listed.identifier, reason)


async def gather(work: Iterable[Work], at_once: int) -> None:
    """Do all of it, so much at a time; the first that raises ends the rest."""
    waiting = deque(work)

    async def one() -> None:
        while waiting:
            await waiting.popleft()()

    tasks = [asyncio.create_task(one()) for _ in range(min(at_once, len(waiting)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
