"""Media that a conversation names by their place in S3, put into it.

Owns the walk over the blocks and what a caller is told of an object that cannot be had. The caller's own rights to the
object count, as on Bedrock. Where the configuration names an outside S3, places stay places, for targets that can go there.
It must not know how objects are kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.models.canon.content import DocumentSource, MediaSource
from craton.models.canon.request import ConverseRequest

MOST_BYTES = 100 * 1024 * 1024
"""What a linked film may have: it goes to its target within one request. Pictures and documents have Bedrock's limits."""
_DENIED = "AccessDenied"


async def fetch(call: Call, request: ConverseRequest) -> bool:
    """Put the bytes in the place of each link; whether there was any. Raises ValidationException, AccessDeniedException."""
    linked = [source for source in _sources(request) if source.s3_location is not None]
    if not linked or call.app.settings.file.s3.endpoint_url:
        return False
    from craton.services.s3.fetching import fetched  # most servers never need it

    for source in linked:
        place = source.s3_location
        assert place is not None  # noqa: S101 - chosen so
        try:
            data = await fetched(call, place.uri, place.bucket_owner, MOST_BYTES)
        except Fault as error:
            if error.name == _DENIED:
                raise Fault("AccessDeniedException", error.message, status=403) from None
            if not error.client_fault:
                raise
            raise validation(f"The S3 object {place.uri} cannot be read: {error.message}") from None
        if not data:
            raise validation(f"The S3 object {place.uri} is empty.")
        source.bytes, source.s3_location = data, None
    return True


def _sources(request: ConverseRequest) -> Iterator[MediaSource | DocumentSource]:
    for message in request.messages or ():
        for block in message.content:
            results = block.tool_result.content if block.tool_result is not None else ()
            for part in (block, *results):
                holder = part.image or part.document or part.video or getattr(part, "audio", None)
                if holder is not None:
                    yield holder.source
