"""The document that a question of RetrieveAndGenerate brings along: its bytes, or where in S3 they lie.

Owns the way to the bytes, with the caller's own rights, and how the document is named beside a citation. It must not know
how a document is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.features.rag.parsing.parse import MAX_BYTES

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent_runtime import ExternalSource

MEMBER = "The external source of the type {type} must have {needed}, and no {other}."
ELSEWHERE = (
    "This server's S3 is another one, from which RetrieveAndGenerate does not read. "
    "Send the document as byteContent instead."
)
_DENIED = "AccessDenied"


class Document(msgspec.Struct, frozen=True):
    """`reference` is where it lies, as the members of a RetrievedReference; empty for bytes, which lie nowhere."""

    data: bytes
    name: str
    mime: str | None
    reference: dict[str, Any]


async def document(call: Call, source: ExternalSource) -> Document:
    """Raises ValidationException, AccessDeniedException."""
    content, place = source.byteContent, source.s3Location
    if source.sourceType == "BYTE_CONTENT":
        if content is None or place is not None:
            raise validation(MEMBER.format(type=source.sourceType, needed="byteContent", other="s3Location"))
        return Document(bytes(content.data), content.identifier, content.contentType, {})
    if place is None or content is not None:
        raise validation(MEMBER.format(type=source.sourceType, needed="s3Location", other="byteContent"))
    data = await _fetched(call, place.uri)
    return Document(data, place.uri, None, {"location": {"type": "S3", "s3Location": {"uri": place.uri}}})


async def _fetched(call: Call, uri: str) -> bytes:
    if call.app.settings.file.s3.endpoint_url:
        raise validation(ELSEWHERE)
    from craton.services.s3.fetching import fetched  # most servers never need it

    try:
        return await fetched(call, uri, None, MAX_BYTES)
    except Fault as error:
        if error.name == _DENIED:
            raise Fault("AccessDeniedException", error.message, status=403) from None
        if not error.client_fault:
            raise
        raise validation(f"The S3 object {uri} cannot be read: {error.message}") from None
