"""GetDocumentContent: a link to a document that was ingested, for five minutes.

RAW is the object in S3, signed with the rights of the knowledge base's role, or the page in the web; a document that was
given in a request is not kept as it came, so of it there is the extracted text alone. EXTRACTED is what was read of it.
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
from craton.features.rag.retrieval import extract
from craton.features.rag.retrieval.access import may_see
from craton.features.rag.retrieval.acting import Base
from craton.infra.vectors.port import VectorsError
from craton.services.bedrock_agent_runtime.found import RETRIEVE, knowledge_base
from craton.services.bedrock_agent_runtime.ingested import NO_DOCUMENT, Ingested, away, ingested
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent_runtime import GetDocumentContentRequest, GetDocumentContentResponse

ACTION = "bedrock:GetDocumentContent"
NO_MEDIA = "Images within documents are not kept here: leave out the mediaId."
NOT_KEPT = "The document {id} was given in a request and is not kept as it came. Ask for the outputFormat EXTRACTED."
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
    return raw(call, base, found)


async def extracted(call: Call, found: Ingested) -> GetDocumentContentResponse:
    """A link to what was read of the document. Raises ResourceNotFoundException, VectorsError."""
    document, version = found.document, found.shelf.version
    content = await extract.content_of(found.shelf, found.key)
    if content is None:
        raise not_found(NO_DOCUMENT.format(id=document.identifier, source=document.source))
    token = extract.token_of(call.app, extract.Link(found.key, version), call.app.clock.now())
    url = f"{origin(call)}{extract.PATH}?token={quote(token)}"
    return {"presignedUrl": url, "mimeType": _JSON, "documentContentLength": len(content)}


def raw(call: Call, base: Base, found: Ingested) -> GetDocumentContentResponse:
    """A link to the document where it lies."""
    ident, kind = found.document.identifier, found.document.kind
    if kind == "WEB":
        return {"presignedUrl": ident, "mimeType": _HTML}
    if not ident.startswith("s3://"):
        raise validation(NOT_KEPT.format(id=ident))
    bucket, _, key = ident.removeprefix("s3://").partition("/")
    endpoint, region, keys = place(call, base)
    now = call.app.clock.now()
    url = presigned_get(
        keys, endpoint=endpoint, region=region, bucket=bucket, key=key, now=now, life_s=int(_LIFE.total_seconds())
    )
    return {"presignedUrl": url, "mimeType": mimetypes.guess_type(key)[0] or _UNKNOWN}


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
