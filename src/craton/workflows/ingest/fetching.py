"""Documents fetched with their metadata, as material for the index: objects of a source, and what single requests name.

Owns where content and metadata of each kind of document come from, and who may see it. It must not know what becomes of
the material.
"""

from __future__ import annotations

from craton.features.rag.access import BadMetadata
from craton.features.rag.documents import Asked, Document, opened
from craton.features.rag.sidecar import MAX_BYTES as MAX_SIDECAR_BYTES
from craton.features.rag.sidecar import Sidecar, read_sidecar
from craton.workflows.ingest.buckets import Object, Restless, TooLarge, Withheld
from craton.workflows.ingest.guarding import Guard
from craton.workflows.ingest.ingestion import Ingestion
from craton.workflows.ingest.material import Material
from craton.workflows.ingest.sources import split

LARGE_SIDECAR = "The metadata file is larger than 10 KB."
TOO_LARGE = "The document is larger than {most} bytes."
RESTLESS = "The document changed while it was read."
VANISHED = "The document does not exist."
NO_SIDECAR = "The metadata file does not exist."


class Unfetched(Exception):
    """A document or its metadata cannot be had; the message is the document's status reason."""


class Missing(Unfetched):
    """There is no such object (any more)."""


class Fetching:
    """For one run and data source."""

    def __init__(self, ingestion: Ingestion, guard: Guard) -> None:
        self._it = ingestion
        self._guard = guard
        self._most = ingestion.job.tools.settings.file.rag.document_bytes

    async def listed(self, identifier: str, file: Object, beside: Object | None, tag_mark: str, turn: int) -> Material:
        """A document of the source as it was listed, or in a newer state. Raises Unfetched."""
        sidecar = await self.sidecar(identifier, beside)
        state, data = await self._object(identifier, self._owner, file)
        return self._material(identifier, data, sidecar, turn, mark=state.mark, tag_mark=tag_mark)

    async def sidecar(self, identifier: str, beside: Object | None) -> Sidecar:
        """A document's metadata, with its effective access list; `beside` is its metadata file. Raises Unfetched."""
        bucket, _ = split(identifier)
        found = await self._tags(bucket, beside.key, self._owner, beside) if beside is not None else None
        return self._guarded(identifier, found or Sidecar())

    async def asked(self, document: Document) -> Material:
        """A document that somebody asked for by itself. Raises Unfetched, CipherError."""
        asked = await opened(self._it.job.tools.cipher, self._it.job.account, document)
        identifier, mark, name = document.identifier, "", asked.uri
        data, tag_mark = asked.data, ""
        if asked.uri:
            state, data = await self._object(asked.uri, asked.owner or self._owner)
            mark = state.mark if document.kind == "S3" else ""
        if len(data) > self._most:
            raise Unfetched(TOO_LARGE.format(most=self._most))
        if document.kind == "S3" and not asked.metadata_uri:
            sidecar, tag_mark = await self._beside(identifier)
        else:
            sidecar = await self._given(asked)
        return self._material(
            identifier, data, sidecar, document.turn, mark=mark, tag_mark=tag_mark, name=name, mime=asked.mime or None
        )

    # --- pieces of these ---

    async def _given(self, asked: Asked) -> Sidecar:
        """Metadata that came with the request, or lies where it says."""
        attributes = {one.key: one.value for one in asked.attributes}
        if not asked.metadata_uri:
            return Sidecar(attributes, access=asked.access)
        found = await self._tags(*split(asked.metadata_uri), asked.metadata_owner)
        if found is None:
            raise Missing(NO_SIDECAR)
        return found if self._it.source.guarded else Sidecar(found.attributes, found.embedded, found.structure)

    async def _beside(self, identifier: str) -> tuple[Sidecar, str]:
        """The metadata of an object of the source, with the mark that a listing would give it."""
        place = self._it.source.place
        assert place is not None  # noqa: S101 - the document is the source's
        bucket, key = split(identifier)
        try:
            there = await self._it.buckets.read(bucket, place.sidecar(key), self._owner, most=MAX_SIDECAR_BYTES)
            found = read_sidecar(there[1]) if there is not None else Sidecar()
        except TooLarge:
            raise Unfetched(LARGE_SIDECAR) from None
        except (BadMetadata, Restless, Withheld) as error:
            raise Unfetched(str(error) or RESTLESS) from None
        return self._guarded(identifier, found), (there[0].mark if there is not None else "") + self._guard.mark(
            identifier
        )

    async def _tags(self, bucket: str, key: str, owner: str, listed: Object | None = None) -> Sidecar | None:
        try:
            there = await self._it.buckets.read(bucket, key, owner, most=MAX_SIDECAR_BYTES, listed=listed)
            return read_sidecar(there[1]) if there is not None else None
        except TooLarge:
            raise Unfetched(LARGE_SIDECAR) from None
        except (BadMetadata, Restless, Withheld) as error:
            raise Unfetched(str(error) or RESTLESS) from None

    async def _object(self, uri: str, owner: str, listed: Object | None = None) -> tuple[Object, bytes]:
        bucket, key = split(uri)
        try:
            there = await self._it.buckets.read(bucket, key, owner, most=self._most, listed=listed)
        except TooLarge:
            raise Unfetched(TOO_LARGE.format(most=self._most)) from None
        except (Restless, Withheld) as error:
            raise Unfetched(str(error) or RESTLESS) from None
        if there is None:
            raise Missing(VANISHED)
        return there

    def _guarded(self, identifier: str, found: Sidecar) -> Sidecar:
        access = self._guard.access(identifier, found)
        return Sidecar(found.attributes, found.embedded, found.structure, access)

    def _material(
        self, identifier: str, data: bytes, sidecar: Sidecar, turn: int, *, mark: str, tag_mark: str, name: str = "",
        mime: str | None = None,
    ) -> Material:  # fmt: skip
        it = self._it
        return Material(
            base=it.base.arn, source=it.source_id, identifier=identifier, kind=it.source.kind, data=data,
            sidecar=sidecar, run=it.job.arn, turn=turn, name=name if mime or name else identifier, mime=mime,
            mark=mark, tag_mark=tag_mark,
        )  # fmt: skip

    @property
    def _owner(self) -> str:
        place = self._it.source.place
        return place.owner if place is not None else ""
