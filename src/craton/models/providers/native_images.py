"""Pictures of upstreams that speak a native schema of Bedrock's: the real Bedrock, endpoints and containers.

Owns the writing and reading by the schema's dialect around a provider's own exchange, which is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.images.all import image_dialect
from craton.models.dialects.images.dialect import cannot_do
from craton.models.providers.provider import Attempt

ANY_SCHEMA = "*"
_OF_ANY = "openai.images"


async def paint_by_schema(
    schema: str,
    send: Callable[[bytes, Attempt], Awaitable[bytes]],
    request: ImageRequest,
    attempt: Attempt,
    out: Outgoing,
) -> ImageReply:
    """What the upstream's own schema makes of a request. Raises Fault; ValidationException for one that paints nothing.

    `schema` `*` is an upstream that takes whatever body comes: asked without one, it gets OpenAI's.
    """
    dialect = image_dialect(_OF_ANY if schema == ANY_SCHEMA else schema)
    if dialect is None:
        raise cannot_do(request.task)
    body = await asyncio.to_thread(dialect.write_request, request, out)
    return dialect.read_reply(await send(body, attempt))
