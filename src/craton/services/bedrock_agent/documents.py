"""IngestKnowledgeBaseDocuments, GetKnowledgeBaseDocuments, ListKnowledgeBaseDocuments and DeleteKnowledgeBaseDocuments.

Owns how documents are asked in and out, and shown. What a request may bring is `document_request`'s; what becomes of it
the workflow's (`workflows.ingest`). They meet in the ledger (`features.rag.ledger`), where content that came with a
request lies sealed until it is in the index.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.features.rag.documents import DOCUMENTS_RUN, Document, documents_run, sealed
from craton.features.rag.resources import SHOWN_BASE, SHOWN_SOURCE, DataSource
from craton.infra.cipher.faults import unreadable
from craton.infra.store.port import Resource, Transaction, moment_of
from craton.services import stored
from craton.services.bedrock_agent import document_request as wanted
from craton.services.bedrock_agent import rows
from craton.services.bedrock_agent.data_sources import check_living
from craton.services.operation import operation

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.aws.shapes.bedrock_agent import (
        DeleteKnowledgeBaseDocumentsRequest,
        DeleteKnowledgeBaseDocumentsResponse,
        GetKnowledgeBaseDocumentsRequest,
        GetKnowledgeBaseDocumentsResponse,
        IngestKnowledgeBaseDocumentsRequest,
        IngestKnowledgeBaseDocumentsResponse,
        KnowledgeBaseDocumentDetail,
        ListKnowledgeBaseDocumentsRequest,
        ListKnowledgeBaseDocumentsResponse,
    )

SHOWN = "document"


# --- ingest, delete ---


@operation("bedrock-agent", "IngestKnowledgeBaseDocuments")
async def ingest_knowledge_base_documents(
    call: Call, req: IngestKnowledgeBaseDocumentsRequest
) -> IngestKnowledgeBaseDocumentsResponse:
    """Each document takes the place of what was there under its identifier; the answer does not wait for it."""
    action = "bedrock:IngestKnowledgeBaseDocuments"
    base, source = await rows.source(call, action, req.knowledgeBaseId, req.dataSourceId)
    body = source.read(DataSource)
    kind, asked = wanted.kind_of(body), wanted.asked_of(body, req.documents)
    with unreadable(SHOWN):
        closed = {
            name: await sealed(call.app.cipher, call.account, call.region, base.arn, source.id, name, one, body.kms_key)
            for name, one in asked.items()
        }

    def ask(connection: Connection) -> list[Document]:
        from craton.features.rag import ledger

        now = call.app.clock.now()
        return [ledger.ask(connection, base.arn, source.id, kind, name, one, now) for name, one in closed.items()]

    known = await asked_once(call, base, source, req.clientToken, asked, list(asked), ask)
    return {"documentDetails": [detail(base, source, one) for one in known.values()]}


@operation("bedrock-agent", "DeleteKnowledgeBaseDocuments")
async def delete_knowledge_base_documents(
    call: Call, req: DeleteKnowledgeBaseDocumentsRequest
) -> DeleteKnowledgeBaseDocumentsResponse:
    """What nobody knows is answered as such; an object in S3 stays, and the next sync takes it in again."""
    action = "bedrock:DeleteKnowledgeBaseDocuments"
    base, source = await rows.source(call, action, req.knowledgeBaseId, req.dataSourceId)
    names = wanted.identified(source.read(DataSource), req.documentIdentifiers)

    def ask(connection: Connection) -> list[Document]:
        from craton.features.rag import ledger

        now = call.app.clock.now()
        told = (ledger.ask_deletion(connection, base.arn, source.id, name, now) for name in names)
        return [one for one in told if one is not None]

    known = await asked_once(call, base, source, req.clientToken, names, names, ask)
    return {"documentDetails": details(base, source, names, known)}


async def asked_once(
    call: Call,
    base: Resource,
    source: Resource,
    token: str | None,
    request: object,
    names: list[str],
    ask: Callable[[Connection], list[Document]],
) -> dict[str, Document]:
    """What the ledger says of the documents after they were asked for, by `ask` and a run, once for each token.

    Raises ValidationException (the token came with something else, or all is being deleted), ResourceNotFoundException.
    """
    from craton.features.rag import ledger
    from craton.infra.jobs import runs

    # What came with a request may be megabytes.
    claim = await asyncio.to_thread(stored.claimed, call, token, (base.id, source.id, request))
    now = call.app.clock.now()

    def work(transaction: Transaction) -> dict[str, Document]:
        for row, what in ((base, SHOWN_BASE), (source, SHOWN_SOURCE)):
            found = transaction.get(row.arn)
            if found is None:
                raise rows.missing(what, row.id)
            check_living(found, what)
        if claim is not None and transaction.claim(claim, source.arn, now) is not None:
            return transaction.run(lambda connection: ledger.find(connection, base.arn, source.id, names))
        told = transaction.run(ask)
        if told:
            run = documents_run(source.arn)
            transaction.run(lambda connection: runs.enqueue(connection, run, DOCUMENTS_RUN, now))
        return {one.identifier: one for one in told}

    try:
        with stored.faults(SHOWN):
            return await call.app.storage.keep(work)
    except Fault as fault:
        if fault.name == "ConflictException":  # which these operations do not have
            raise validation(fault.message) from None
        raise


# --- get, list ---


@operation("bedrock-agent", "GetKnowledgeBaseDocuments")
async def get_knowledge_base_documents(
    call: Call, req: GetKnowledgeBaseDocumentsRequest
) -> GetKnowledgeBaseDocumentsResponse:
    from craton.features.rag import ledger

    action = "bedrock:GetKnowledgeBaseDocuments"
    base, source = await rows.source(call, action, req.knowledgeBaseId, req.dataSourceId)
    names = wanted.identified(source.read(DataSource), req.documentIdentifiers)
    with stored.faults(SHOWN):
        known = await call.app.storage.read(
            lambda store: store.run(lambda connection: ledger.find(connection, base.arn, source.id, names))
        )
    return {"documentDetails": details(base, source, names, known)}


@operation("bedrock-agent", "ListKnowledgeBaseDocuments")
async def list_knowledge_base_documents(
    call: Call, req: ListKnowledgeBaseDocumentsRequest
) -> ListKnowledgeBaseDocumentsResponse:
    """In the order of the ledger, which is none that means anything but stays the same from page to page."""
    from craton.features.rag import ledger

    action = "bedrock:ListKnowledgeBaseDocuments"
    base, source = await rows.source(call, action, req.knowledgeBaseId, req.dataSourceId)
    wanted.kind_of(source.read(DataSource))
    shape = stored.listing(call, base.id, source.id)
    opened = stored.opened(call, shape, req.nextToken)
    limit, after = req.maxResults or stored.DEFAULT_PAGE, str(opened[0]) if opened else None
    with stored.faults(SHOWN):
        found, further = await call.app.storage.read(
            lambda store: store.run(lambda connection: ledger.page(connection, base.arn, source.id, limit, after))
        )
    answer: ListKnowledgeBaseDocumentsResponse = {"documentDetails": [detail(base, source, one) for one in found]}
    token = stored.issued(call, shape, (further, "") if further is not None else None)
    if token is not None:
        answer["nextToken"] = token
    return answer


def details(
    base: Resource, source: Resource, names: list[str], known: dict[str, Document]
) -> list[KnowledgeBaseDocumentDetail]:
    """All that were named, in that order; those that nobody knows are said to be NOT_FOUND."""
    kind = wanted.kind_of(source.read(DataSource))
    unknown = (
        Document(base=base.arn, source=source.id, identifier=name, kind=kind, status="NOT_FOUND") for name in names
    )
    return [detail(base, source, known.get(one.identifier, one)) for one in unknown]


def detail(base: Resource, source: Resource, document: Document) -> KnowledgeBaseDocumentDetail:
    told: KnowledgeBaseDocumentDetail = {
        "knowledgeBaseId": base.id,
        "dataSourceId": source.id,
        "status": document.status,
        "identifier": wanted.shown(document.kind, document.identifier),
    }
    if document.reason:
        told["statusReason"] = document.reason
    if document.updated_at:
        told["updatedAt"] = moment_of(document.updated_at)
    return told
