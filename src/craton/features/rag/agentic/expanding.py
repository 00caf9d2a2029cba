"""A document read as a whole for an agentic retrieval, out of the index that its passages came from.

Owns how much of a document is read, and that who may not see it reads nothing of it. It must not know planning.
"""

from __future__ import annotations

import msgspec

from craton.aws.wire.faults import internal
from craton.context import Call
from craton.features.rag.agentic.asked import Expansion, Item, Retriever
from craton.features.rag.documents import key_of
from craton.features.rag.retrieval.access import may_see
from craton.features.rag.retrieval.passages import CHUNK_ID, PAGE_NUMBER, passage
from craton.features.rag.retrieval.whole import whole_text
from craton.infra.vectors.port import VectorsError

MAX_CHARACTERS = 100_000


async def expanded(call: Call, retriever: Retriever, asked: Expansion, user: str | None) -> Item | None:
    """The document's text; None if it is gone, or not for this user. Raises InternalServerException."""
    version = retriever.base.body.index
    if version is None:
        return None
    key = key_of(asked.source, asked.document)
    try:
        shelf = await call.app.vectors.open(version)
        if not may_see(await shelf.access(key), user):
            return None
        chunks = await shelf.document(key)
    except VectorsError as error:
        call.report(error)
        raise internal() from None
    if not chunks:
        return None
    first = passage(chunks[0])
    metadata = {name: value for name, value in first.metadata.items() if name not in (CHUNK_ID, PAGE_NUMBER)}
    text = whole_text(chunks)[:MAX_CHARACTERS]
    return Item(asked.retriever, msgspec.structs.replace(first, text=text, metadata=metadata, score=1.0), whole=True)
