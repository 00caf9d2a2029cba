"""OpenAI's images API for the provider `openai`: generations as JSON, edits as a form with files.

Owns paths, the form of an edit, and what a refusal by the vendor's safety system means. Source: OpenAI's API
reference, Images.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from craton.aws.wire.faults import Fault
from craton.models.canon.image import ImageReply, ImageRequest, Painted
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.images.dialect import cannot_do
from craton.models.dialects.images.masks import mask_painting
from craton.models.dialects.images.openai_images import OpenAIImages, openai_fields
from craton.models.providers import multipart
from craton.models.providers.exchange import Exchange, json_headers
from craton.models.providers.multipart import Part
from craton.models.providers.provider import Attempt
from craton.models.providers.transport import Headers

EDITED = ("image-to-image", "variation", "inpaint", "style-guide")
_DIALECT = OpenAIImages()
_REFUSED = "safety system"
_IN_FORM = frozenset({"image", "further_images", "style_image", "mask", "mask_paints"})


async def paint(exchange: Exchange, prefix: bytes, key: Headers, request: ImageRequest, attempt: Attempt) -> ImageReply:
    """Ask for the pictures; one at a time of a model that makes only one. Raises Fault."""
    out = exchange.outgoing(attempt, stream=False)
    count = request.count or 1
    if count > 1 and attempt.model.startswith("dall-e-3"):
        one = msgspec.structs.replace(request, count=None)
        attempt.ledger.emulate(request.path("count"))
        replies = [await _asked(exchange, prefix, key, one, attempt, out) for _ in range(count)]
        return ImageReply(pictures=[picture for reply in replies for picture in reply.pictures])
    return await _asked(exchange, prefix, key, request, attempt, out)


async def _asked(
    exchange: Exchange, prefix: bytes, key: Headers, request: ImageRequest, attempt: Attempt, out: Outgoing
) -> ImageReply:
    if request.image is None:
        path, headers = b"/images/generations", json_headers(*key)
        body = _DIALECT.write_request(request, out)
    else:
        kind, body = await asyncio.to_thread(_form, request, out)
        path = b"/images/edits"
        headers = (*json_headers(*key)[1:], (b"content-type", kind))
    try:
        return _DIALECT.read_reply(await exchange.post(prefix + path, headers, body, attempt))
    except Fault as fault:
        if fault.name == "ValidationException" and _REFUSED in fault.message:
            return ImageReply(pictures=[Painted(base64="", finish="filtered prompt")])
        raise


def _form(request: ImageRequest, out: Outgoing) -> tuple[bytes, bytes]:
    """The form of an edit; transparent pixels of its mask are painted anew."""
    if request.task not in EDITED:
        raise cannot_do(request.task)
    fields = openai_fields(request, out, carried=_IN_FORM)
    fields.setdefault("prompt", "")
    parts = [Part(name, _shown(value)) for name, value in fields.items()]
    files = [picture for picture in (request.image, *(request.further_images or ()), request.style_image) if picture]
    name = "image" if len(files) == 1 else "image[]"
    parts += [Part(name, data, f"image{index}.png") for index, data in enumerate(files)]
    mask = mask_painting(request, "alpha") if request.task == "inpaint" and request.mask is not None else None
    return multipart.encode([*parts, Part("mask", mask, "mask.png")] if mask is not None else parts)


def _shown(value: Any) -> bytes:
    return str(value).encode()
