"""Nova's segmented embeddings: each piece of a text embedded by itself, and the files that lead to the vectors.

Owns the order of asking and how much of it is journaled: a block of pieces at a time. It must not know the schema,
which is `models.dialects.embeddings.nova_segments`.
"""

from __future__ import annotations

import asyncio
import base64
from functools import partial
from typing import Any

import msgspec

from craton.models.dialects.embeddings import nova_segments as nova
from craton.models.dialects.embeddings.nova_segments import Params, Piece
from craton.workflows.async_invoke.asking import answered
from craton.workflows.async_invoke.output import JSON, LINES, Output
from craton.workflows.tools import ModelCaller
from craton.workflows.workflow import Job, JobFailed

MAX_TEXT_BYTES = 634 * 1024 * 1024
MAX_IMAGE_BYTES = 50 * 1024 * 1024
_BLOCK = 16
"""Pieces that are asked at once and journaled together."""


class _Found(msgspec.Struct):
    embedding: msgspec.Raw


class _Reply(msgspec.Struct):
    embeddings: list[_Found]


_REPLY = msgspec.json.Decoder(_Reply)


async def made(job: Job, models: ModelCaller, model_id: str, plain: bytes, output: Output) -> dict[str, Any]:
    """Embed and write; what the manifest tells of it. Raises JobFailed."""
    params = nova.read(plain)
    place = nova.location(params)
    if params.text is not None:
        lines = await _text(job, models, model_id, params, output)
    else:
        lines = await _image(job, models, model_id, params, output)
    name = nova.FILES[params.kind]
    await output.put(name, lines, LINES if name.endswith("l") else JSON)
    source = place.uri if place is not None else ""
    await output.put(nova.RESULT, nova.result(params, source, output.uri(name)), JSON)
    return {"outputs": [nova.RESULT, name]}


async def _text(job: Job, models: ModelCaller, model_id: str, params: Params, output: Output) -> bytes:
    assert params.text is not None  # noqa: S101 - the caller has looked
    text = params.text.value or await _read(params, output)
    found = list(nova.pieces(text, params.text.segmentation_config.max_length_chars))
    if len(found) > nova.MAX_SEGMENTS:
        raise JobFailed(
            f"The text falls into {len(found)} segments; {nova.MAX_SEGMENTS} are the most. Raise maxLengthChars, or send "
            "the text in parts."
        )

    async def one(piece: Piece) -> bytes:
        body = nova.text_body(params, text[piece.start : piece.stop])
        return nova.line(await _vector(models, model_id, body), piece)

    async def block(pieces: list[Piece]) -> bytes:
        return b"".join(await asyncio.gather(*map(one, pieces)))

    lines: list[bytes] = []
    for start in range(0, len(found), _BLOCK):
        part = found[start : start + _BLOCK]
        lines.append(await job.step(f"segments-{start}", partial(block, part), bytes, sealed=True))
        job.progress(start + len(part), len(found), "segments")
    return b"".join(lines)


async def _image(job: Job, models: ModelCaller, model_id: str, params: Params, output: Output) -> bytes:
    assert params.image is not None  # noqa: S101 - the caller has looked
    data = params.image.source.bytes
    place = params.image.source.s3_location
    if place is not None:
        data = base64.b64encode(await output.fetched(place.uri, place.bucket_owner, MAX_IMAGE_BYTES)).decode()
    body = nova.image_body(params, data or "")

    async def ask() -> bytes:
        return nova.line(await _vector(models, model_id, body), None)

    return await job.step("image", ask, bytes, sealed=True)


async def _vector(models: ModelCaller, model_id: str, body: bytes) -> msgspec.Raw:
    reply, _ = await answered(models, model_id, body)
    found = _REPLY.decode(reply).embeddings
    if not found:
        raise JobFailed("The model gave no embedding.")
    return found[0].embedding


async def _read(params: Params, output: Output) -> str:
    """The text in S3. Raises JobFailed for one that is no UTF-8."""
    place = nova.location(params)
    assert place is not None  # noqa: S101 - the schema has one of the two
    try:
        return (await output.fetched(place.uri, place.bucket_owner, MAX_TEXT_BYTES)).decode()
    except UnicodeDecodeError:
        raise JobFailed(f"The object {place.uri} is not a text in UTF-8.") from None
