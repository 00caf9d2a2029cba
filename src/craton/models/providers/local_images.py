"""Pictures of Craton's own model processes: OpenAI's images API with all of the canon's members.

The engine says which members its pipeline could not carry and which it carried by other means; both go to the ledger
after the fact, since only it knows its pipeline.
"""

from __future__ import annotations

import asyncio

import msgspec

from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.dialects.images.openai_images import NAMES, OpenAIImages, canonical, read_extended
from craton.models.providers.exchange import Exchange, json_headers
from craton.models.providers.provider import Attempt

PATH = b"/v1/images/generations"
_DIALECT = OpenAIImages()


async def paint(exchange: Exchange, request: ImageRequest, attempt: Attempt) -> ImageReply:
    """Raises Fault; in strict mode also for what the model's pipeline could not carry."""
    out = exchange.outgoing(attempt, stream=False)
    out = msgspec.structs.replace(out, quirks={**out.quirks, "extended": True})
    body = await asyncio.to_thread(_DIALECT.write_request, request, out)
    reply = read_extended(await exchange.post(PATH, json_headers(), body, attempt))
    for name in reply.ignored:
        attempt.ledger.drop(request.path(NAMES.get(name, name)))
    for name in reply.emulated:
        attempt.ledger.emulate(request.path(NAMES.get(name, name)))
    return canonical(reply)
