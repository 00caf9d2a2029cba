"""A document that was ingested, as the operations on one document find it: in the ledger, and in the visible index.

Owns the look-up and its faults. Who may ask was judged before. It must not know what is shown of a document.
"""

from __future__ import annotations

from typing import NoReturn

import msgspec

from craton.aws.wire.faults import internal, not_found
from craton.context import Call
from craton.features.rag.documents import Document, key_of
from craton.features.rag.resources import SHOWN_SOURCE, source_arn
from craton.features.rag.retrieval.acting import Base
from craton.infra.store.port import Reader
from craton.infra.vectors.port import Shelf, VectorsError
from craton.services import stored
from craton.services.bedrock_agent import rows

NO_DOCUMENT = "The document {id} does not exist in the data source {source}, or has not been indexed."
_SHOWN = "document"


class Ingested(msgspec.Struct, frozen=True):
    """A document, and the index in which its chunks are."""

    document: Document
    shelf: Shelf

    @property
    def key(self) -> str:
        return key_of(self.document.source, self.document.identifier)


async def ingested(call: Call, base: Base, source: str, ident: str) -> Ingested:
    """A document by its identifier (an `s3://` URI, a web address or a custom id).

    Raises ResourceNotFoundException (the data source, the document), InternalServerException.
    """
    from craton.features.rag import ledger  # with the SQL toolkit

    arn = source_arn(base.account, base.region, base.id, source)

    def look(store: Reader) -> tuple[bool, Document | None]:
        if store.get(arn) is None:
            return False, None
        found = store.run(lambda connection: ledger.find(connection, base.arn, source, [ident]))
        return True, found.get(ident)

    with stored.faults(_SHOWN):
        there, document = await call.app.storage.read(look)
    if not there:
        raise rows.missing(SHOWN_SOURCE, source)
    if document is None or base.body.index is None:
        raise not_found(NO_DOCUMENT.format(id=ident, source=source))
    try:
        return Ingested(document, await call.app.vectors.open(base.body.index))
    except VectorsError as error:
        away(call, error)


def away(call: Call, error: VectorsError) -> NoReturn:
    """The store of vectors cannot do it now."""
    call.report(error)
    raise internal() from None
