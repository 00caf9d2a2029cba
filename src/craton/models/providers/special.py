"""What is neither conversation nor stream: embeddings and rankings, asked of an upstream in one of its schemas.

Owns the order of things (write, send, read, more than one body where the schema holds fewer items than were asked for)
and the native body that passes through as it came. Path and headers are the provider's (`send`), the schema a dialect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from craton.aws.wire.faults import Fault, validation
from craton.models.canon.embedding import EmbedReply, EmbedRequest, Encoding, Vector
from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.embeddings.all import embed_dialect
from craton.models.dialects.embeddings.dialect import EmbedDialect
from craton.models.dialects.rerank.all import rerank_dialect
from craton.models.providers import faults
from craton.models.providers.transport import Whole

Send = Callable[[bytes], Awaitable[Whole]]

_AT_ONCE = 8
# Their bodies name the model, and the upstream's name is not the caller's.
_NAMING = frozenset(
    {"openai.embeddings", "cohere.embed-api", "google.gemini-embed", "jina.rerank", "cohere.rerank-api"}
)
# What the real Bedrock tells of usage beside bodies that have no place for it.
_INPUT_TOKENS = b"x-amzn-bedrock-input-token-count"


async def embed(schema: str, send: Send, request: EmbedRequest, out: Outgoing) -> EmbedReply:
    """Vectors from an upstream that speaks `schema`. Raises Fault."""
    dialect = embed_dialect(schema)
    if dialect is None:
        raise unknown(schema, "embeddings")
    if passes(request, schema):
        whole = await send(request.native)
        reply = dialect.read_reply(whole.body)
        return EmbedReply(native=whole.body, input_tokens=told_tokens(whole.headers, reply.input_tokens))
    size = dialect.per_call(request)
    if len(request.items) <= size:
        return await _ask(dialect, send, request, out)
    starts = range(0, len(request.items), size)
    parts = [msgspec.structs.replace(request, items=request.items[at : at + size]) for at in starts]
    return joined(await _in_turns(dialect, send, parts, out))


async def _ask(dialect: EmbedDialect, send: Send, request: EmbedRequest, out: Outgoing) -> EmbedReply:
    whole = await send(dialect.write_request(request, out))
    reply = dialect.read_reply(whole.body)
    if not reply.vectors or any(len(found) != len(request.items) for found in reply.vectors.values()):
        raise faults.unreadable(out.model)
    if any(not vector for vector in reply.vectors.get("float", ())):
        raise faults.unreadable(out.model)
    reply.input_tokens = told_tokens(whole.headers, reply.input_tokens)
    return reply


async def _in_turns(dialect: EmbedDialect, send: Send, parts: list[EmbedRequest], out: Outgoing) -> list[EmbedReply]:
    """Replies in the parts' order, a few asked for at a time; the first that fails ends the others."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(part: EmbedRequest) -> EmbedReply:
        async with turns:
            return await _ask(dialect, send, part, out)

    tasks = [asyncio.ensure_future(ask(part)) for part in parts]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


def joined(replies: list[EmbedReply]) -> EmbedReply:
    """One reply of several; tokens are known only if every one told its own."""
    vectors: dict[Encoding, list[Vector]] = {}
    for reply in replies:
        for encoding, found in reply.vectors.items():
            vectors.setdefault(encoding, []).extend(found)
    counts = [reply.input_tokens for reply in replies if reply.input_tokens is not None]
    images = [image for reply in replies for image in reply.images or ()]
    return EmbedReply(
        vectors=vectors,
        input_tokens=sum(counts) if len(counts) == len(replies) else None,
        images=images or None,
    )


async def rerank(schema: str, send: Send, request: RerankRequest, out: Outgoing) -> RerankReply:
    """A ranking from an upstream that speaks `schema`. Raises Fault."""
    dialect = rerank_dialect(schema)
    if dialect is None:
        raise unknown(schema, "rankings")
    if passes(request, schema):
        whole = await send(request.native)
        reply = dialect.read_reply(whole.body)
        return RerankReply(native=whole.body, input_tokens=told_tokens(whole.headers, reply.input_tokens))
    whole = await send(dialect.write_request(request, out))
    reply = dialect.read_reply(whole.body)
    known = range(len(request.documents))
    if any(result.index not in known for result in reply.results):
        raise faults.unreadable(out.model)
    reply.results = reply.results[: request.top_n]
    reply.input_tokens = told_tokens(whole.headers, reply.input_tokens)
    return reply


def passes(request: EmbedRequest | RerankRequest, schema: str) -> bool:
    """Whether the caller's own body can go to an upstream of this schema as it came."""
    return bool(request.native) and request.schema == schema and schema not in _NAMING


def told_tokens(headers: Mapping[bytes, bytes], otherwise: int | None) -> int | None:
    """The count in the answer's headers, if it has one."""
    found = headers.get(_INPUT_TOKENS, b"")
    return int(found) if found.isdigit() else otherwise


def unknown(schema: str, made: str) -> Fault:
    """The fault of a target of which nobody said what it speaks."""
    name = f" ({schema})" if schema else ""
    return validation(f"The target of this model speaks no schema of {made} that this server knows{name}.")
