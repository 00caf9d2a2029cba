"""GetDocumentContent: a link to a document that was ingested, for five minutes.

RAW is the object in S3, signed with the rights of the knowledge base's role, or the page in the web, or the bytes that came
with a request, which are kept sealed while they are in the index. EXTRACTED is what was read of it.
"""

from __future__ import annotations

import mimetypes
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from craton.aws.wire.faults import access_denied, not_found, validation
from craton.aws.wire.presign import presigned_get
from craton.aws.wire.sign import Keys
from craton.config import secret
from craton.context import Call
from craton.features.rag.documents import Document
from craton.features.rag.retrieval import extract
from craton.features.rag.retrieval.access import may_see
from craton.features.rag.retrieval.acting import Base
from craton.infra.cipher.faults import unreadable
from craton.infra.vectors.port import VectorsError
from craton.services import stored
from craton.services.bedrock_agent_runtime.found import RETRIEVE, knowledge_base
from craton.services.bedrock_agent_runtime.ingested import NO_DOCUMENT, Ingested, away, ingested
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent_runtime import GetDocumentContentRequest, GetDocumentContentResponse

ACTION = "bedrock:GetDocumentContent"
SHOWN = "document"
NO_MEDIA = "Images within documents are not kept here: leave out the mediaId."
NOT_KEPT = (
    "The document {id} was ingested before originals were kept. Ingest it again, or ask for the outputFormat EXTRACTED."
)
NOT_YOURS = "The user of userContext does not have access to the document {id}."
_LIFE = timedelta(minutes=5)
_SESSION = timedelta(minutes=15)
_UNKNOWN, _HTML, _JSON = "application/octet-stream", "text/html", "application/json"


@operation("bedrock-agent-runtime", "GetDocumentContent", status="partial")
async def get_document_content(call: Call, req: GetDocumentContentRequest) -> GetDocumentContentResponse:
    base = await knowledge_base(call, req.knowledgeBaseId, RETRIEVE, ACTION)
    if req.mediaId is not None:
        raise validation(NO_MEDIA)
    found = await ingested(call, base, req.dataSourceId, req.documentId)
    user = req.userContext.userId if req.userContext is not None else None
    try:
        if not may_see(await found.shelf.access(found.key), user):
            raise access_denied(NOT_YOURS.format(id=req.documentId))
        if req.outputFormat == "EXTRACTED":
            return await extracted(call, found)
    except VectorsError as error:
        away(call, error)
    if found.document.kind == "CUSTOM":
        return await given(call, base, found.document)
    return raw(call, base, found)


async def extracted(call: Call, found: Ingested) -> GetDocumentContentResponse:
    """A link to what was read of the document. Raises ResourceNotFoundException, VectorsError."""
    document, version = found.document, found.shelf.version
    content = await extract.content_of(found.shelf, found.key)
    if content is None:
        raise not_found(NO_DOCUMENT.format(id=document.identifier, source=document.source))
    url = linked(call, extract.Link(found.key, version))
    return {"presignedUrl": url, "mimeType": _JSON, "documentContentLength": len(content)}


async def given(call: Call, base: Base, document: Document) -> GetDocumentContentResponse:
    """A link to what came with a request, or to the object in S3 that it named.

    Raises ValidationException, AccessDeniedException (a KMS key that cannot be used), InternalServerException.
    """
    link = extract.Original(document.base, document.source, document.place)
    with stored.faults(SHOWN), unreadable(SHOWN):
        found = await extract.original_of(call.app, link)
    if found is None:
        raise validation(NOT_KEPT.format(id=document.identifier))
    asked, link = found
    if asked.uri:
        return in_s3(call, base, asked.uri)
    url = linked(call, link)
    return {"presignedUrl": url, "mimeType": asked.mime, "documentContentLength": len(asked.data)}


def raw(call: Call, base: Base, found: Ingested) -> GetDocumentContentResponse:
    """A link to the document where it lies."""
    if found.document.kind == "WEB":
        return {"presignedUrl": found.document.identifier, "mimeType": _HTML}
    return in_s3(call, base, found.document.identifier)


def in_s3(call: Call, base: Base, uri: str) -> GetDocumentContentResponse:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    endpoint, region, keys = place(call, base)
    now = call.app.clock.now()
    url = presigned_get(
        keys, endpoint=endpoint, region=region, bucket=bucket, key=key, now=now, life_s=int(_LIFE.total_seconds())
    )
    return {"presignedUrl": url, "mimeType": mimetypes.guess_type(key)[0] or _UNKNOWN}


def linked(call: Call, link: extract.Link | extract.Original) -> str:
    """The address of this server's own at which a link is good."""
    return f"{origin(call)}{extract.PATH}?token={quote(extract.token_of(call.app, link, call.app.clock.now()))}"


def place(call: Call, base: Base) -> tuple[str, str, Keys]:
    """Where S3 is, its region, and keys: a session of the knowledge base's role, or the configured ones of another S3."""
    table = call.app.settings.file.s3
    if table.endpoint_url:
        keys = Keys(secret(table.access_key), secret(table.secret_key), secret(table.session_token))
        return table.endpoint_url.rstrip("/"), table.region or call.region, keys
    role = base.role
    ends = call.app.clock.now().replace(microsecond=0) + _SESSION
    session, token = call.app.vault.sessions.issue(role, role.user_id.partition(":")[0], ends)
    return origin(call), call.region, Keys(session.access_key_id, session.secret, token)


def origin(call: Call) -> str:
    """This server's address as the caller wrote it."""
    return f"{call.scope.get('scheme', 'http')}://{call.header(b'host') or ''}"
