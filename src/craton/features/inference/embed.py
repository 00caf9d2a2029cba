"""Embeddings: a request to the targets of its model, and vectors brought into the form that was asked for.

InvokeModel, the doors and knowledge bases come through here. Owns what an upstream may have left to do: the length of
the vectors, their normalisation, their quantisation. Native bodies are the dialects' business, vendors the providers'.
"""

from __future__ import annotations

import asyncio
from typing import cast

from craton.aws.wire.faults import model_error, validation
from craton.context import Call
from craton.features.inference import balance, run
from craton.features.inference.kinds import Counted, check_route, no_such_schema
from craton.features.inference.quotas.quota import hold_tokens
from craton.features.inference.routing.routes import Resolved, Target
from craton.models.canon.embedding import EmbedReply, EmbedRequest, Vector, is_unit, normalized, quantized, resized
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.embeddings.all import embed_dialect
from craton.models.providers.provider import Embeds

_QUICK = 8  # so many vectors are shaped in about a millisecond
TOO_SHORT = (
    "The target of this model gives vectors of {found} dimensions, and {wanted} were asked for ({path}). Ask for fewer, "
    "or use the lenient translation, which fills up with zeros."
)


async def invoke(call: Call, resolved: Resolved, model_id: str, body: bytes) -> tuple[bytes, Counted]:
    """A native body's native reply, and what its headers tell."""
    check_route(resolved.route, "embedding")
    dialect = embed_dialect(resolved.route.native)
    if dialect is None:
        raise no_such_schema(resolved.route)
    request = dialect.read_request(body)
    request.model_id, request.schema, request.native = model_id, dialect.name, body
    reply = await embed(call, resolved, request)
    return reply.native or dialect.write_reply(reply, request), Counted(reply.input_tokens)


async def embed(call: Call, resolved: Resolved, request: EmbedRequest) -> EmbedReply:
    """Vectors in every encoding that was asked for, or the native reply where `request.native` could pass through.

    `request.dimensions` None becomes the length of the model's own vectors. Raises ValidationException for a model of
    another kind, ResourceNotFoundException where nothing here embeds, and what the target raises.
    """
    check_route(resolved.route, "embedding")
    if request.dimensions is None:  # whichever way a model is asked, its vectors are equally long
        dialect = embed_dialect(resolved.route.native)
        request.dimensions = dialect.dimensions if dialect is not None else None

    async def ask(target: Target) -> tuple[EmbedReply, Target, Ledger]:
        ledger = run.ledger_of(call)
        provider = cast("Embeds", target.provider)  # the compiler has looked
        reply = await provider.embed(request, run.attempt(call, resolved, target, ledger))
        if not reply.native:
            if reply.input_tokens is None and request.names.tokens:
                ledger.drop(request.names.tokens)
            await shaped(reply, request, ledger)
        return reply, target, ledger

    with await hold_tokens(call, resolved, (item.text for item in request.items)):
        reply, target, ledger = await balance.first_answer(resolved.route, ask, call)
    call.used = Counted(reply.input_tokens)
    run.tell(call, target, ledger)
    return reply


async def shaped(reply: EmbedReply, request: EmbedRequest, ledger: Ledger) -> None:
    """`shape`, beside the loop where it takes milliseconds."""
    if len(request.items) > _QUICK:
        await asyncio.to_thread(shape, reply, request, ledger)
    else:
        shape(reply, request, ledger)


def shape(reply: EmbedReply, request: EmbedRequest, ledger: Ledger) -> None:
    """Give the vectors the length, the norm and the encodings that were asked for.

    Encodings that the upstream made itself stay as they came; it was asked for them only where their length is right.
    """
    floats = reply.vectors.get("float")
    if floats is not None:
        check_norm(floats, request, ledger)
        reply.vectors["float"] = [sized(vector, request, ledger) for vector in floats]
    for encoding in request.encodings:
        if encoding in reply.vectors or encoding == "base64":
            continue
        if floats is None:
            raise model_error()
        reply.vectors[encoding] = [quantized(vector, encoding) for vector in reply.vectors["float"]]


def sized(vector: Vector, request: EmbedRequest, ledger: Ledger) -> Vector:
    """The vector in the length asked for: its beginning, or filled up with zeros, which changes no cosine."""
    wanted, path = request.dimensions, request.names.dimensions
    if wanted is None or wanted == len(vector):
        return normalized(vector) if request.normalize else vector
    if wanted > len(vector):
        if ledger.strict:
            raise validation(TOO_SHORT.format(found=len(vector), wanted=wanted, path=path))
        ledger.drop(path)
        return resized(normalized(vector) if request.normalize else vector, wanted)
    ledger.emulate(path)
    shortened = resized(vector, wanted)
    return shortened if request.normalize is False else normalized(shortened)


def check_norm(vectors: list[Vector], request: EmbedRequest, ledger: Ledger) -> None:
    """Who wants vectors as the model made them cannot have them from an upstream that normalises always."""
    if request.normalize is False and vectors and is_unit(vectors[0]):
        ledger.drop(request.names.normalize)
