"""Documents of a knowledge base's other sources, brought along when its index begins anew.

Owns how a document is embedded again without being read again: its chunks' texts are in the old index, what was embedded
with them and who may see them is in the ledger. It must not know how the run's own source is synced.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from craton.features.rag import ledger
from craton.features.rag.documents import Document
from craton.features.rag.resources import DataSource, source_arn
from craton.infra.vectors.port import Entry, Found, Shelf
from craton.workflows.ingest.embedder import CannotEmbed, content_of
from craton.workflows.ingest.indexing import SLICE
from craton.workflows.ingest.ingestion import Ingestion
from craton.workflows.ingest.publishing import Settled
from craton.workflows.ingest.recipe import recipe_of

LOST = "The index was lost; the document has to be taken in again."


async def carry(ingestion: Ingestion, settled: Settled) -> None:
    """Bring them all; where the old index is lost, they have to come again. Raises JobFailed, VectorsError."""
    if not ingestion.anew:
        return
    it = ingestion
    handled = {one.key for ones in settled.kept.values() for one in ones}
    every = await it.job.read(lambda store: store.run(lambda c: ledger.with_chunks(c, it.base.arn)))
    gone = {one.key for ones in settled.gone.values() for one in ones}
    old = await it.job.tools.vectors.open(it.old) if it.old is not None else None
    recipes: dict[str, str] = {}
    for row in every:
        if row.key in handled or row.key in gone:
            continue
        if row.source not in recipes:
            recipes[row.source] = await _recipe(it, row.source)
        settled.keep(await _carried(it, old, row, recipes[row.source]))


async def _carried(ingestion: Ingestion, old: Shelf | None, row: Document, recipe: str) -> Document:
    """The ledger's row of a document that was brought along, or could not be."""
    chunks = await old.document(row.key) if old is not None else []
    lost = replace(row, status="FAILED", etag="", recipe="", chunks=0)
    if not chunks:
        return replace(lost, reason=LOST)
    try:
        for at in range(0, len(chunks), SLICE):
            await ingestion.writing.put(await _entries(ingestion, row, chunks[at : at + SLICE]))
    except CannotEmbed as error:
        await ingestion.writing.remove([row.key])
        return replace(lost, reason=str(error))
    return replace(row, recipe=recipe)


async def _entries(ingestion: Ingestion, row: Document, chunks: Sequence[Found]) -> list[Entry]:
    texts = [row.prefix + chunk.heading + chunk.text for chunk in chunks]
    vectors = await ingestion.embedder.vectors(texts)
    return [
        Entry(
            id=one.id,
            document=one.document,
            source=one.source,
            text=one.text,
            vector=vectors[content],
            location=one.location,
            start=one.start,
            end=one.end,
            page=one.page,
            parent=one.parent,
            parent_id=one.parent_id,
            content=content,
            heading=one.heading,
            metadata=one.metadata,
            access=row.access,
        )
        for one, content in zip(chunks, map(content_of, texts), strict=True)
    ]


async def _recipe(ingestion: Ingestion, source: str) -> str:
    """The recipe by which a document of another source counts as up to date; "" for a source that was deleted."""
    arn = source_arn(ingestion.job.account, ingestion.job.region, ingestion.base.id, source)
    row = await ingestion.job.read(lambda store: store.get(arn))
    return recipe_of(row.read(DataSource).ingestion, ingestion.answering.mark).hash if row is not None else "retained"
