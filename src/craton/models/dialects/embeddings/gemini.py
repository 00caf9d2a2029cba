"""Google's `batchEmbedContents`, the schema `google.gemini-embed`. Texts alone; the vendor tells no usage.

Vectors shorter than the model's own come unnormalised, so all are brought to length one here. Quirk `dimensions`
(false: the model cannot shorten). Source, from memory: Gemini API reference, "Embeddings".
"""

from __future__ import annotations

from typing import Any

import msgspec

from craton.models.canon.embedding import EmbedReply, EmbedRequest, Item, Names, Purpose, Vector, normalized
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.embeddings.dialect import drop_limits, drop_purpose, texts_alone
from craton.models.dialects.malformed import decode_native, decode_reply

_PER_CALL = 100
_LONGEST = 3072
_TASKS: dict[Purpose, str] = {
    "document": "RETRIEVAL_DOCUMENT",
    "query": "RETRIEVAL_QUERY",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "similarity": "SEMANTIC_SIMILARITY",
}
_PURPOSES = {task: purpose for purpose, task in _TASKS.items()}


class Part(msgspec.Struct):
    text: str


class Content(msgspec.Struct):
    parts: list[Part]


class One(msgspec.Struct, rename="camel"):
    content: Content
    task_type: str | None = None
    output_dimensionality: int | None = None


class Body(msgspec.Struct):
    requests: list[One]


class Values(msgspec.Struct):
    values: Vector


class Reply(msgspec.Struct):
    embeddings: list[Values]


_BODY = msgspec.json.Decoder(Body)
_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode


class GeminiEmbed:
    name = "google.gemini-embed"
    dimensions = None

    def per_call(self, request: EmbedRequest) -> int:
        return _PER_CALL

    def read_request(self, body: bytes) -> EmbedRequest:
        native = decode_native(_BODY, body)
        first = native.requests[0] if native.requests else One(Content([]))
        return EmbedRequest(
            items=[Item("\n".join(part.text for part in one.content.parts)) for one in native.requests],
            purpose=_PURPOSES.get(first.task_type or ""),
            dimensions=first.output_dimensionality,
            names=Names(dimensions="outputDimensionality", purpose="taskType", text="requests"),
        )

    def write_request(self, request: EmbedRequest, out: Outgoing) -> bytes:
        model = out.model if "/" in out.model else f"models/{out.model}"
        shared: dict[str, Any] = {"model": model}
        task = _TASKS.get(request.purpose) if request.purpose is not None else None
        if task is not None:
            shared["taskType"] = task
        else:
            drop_purpose(request, out.ledger)
        if request.dimensions is not None and request.dimensions <= _LONGEST and out.quirks.get("dimensions", True):
            shared["outputDimensionality"] = request.dimensions
        drop_limits(request, out.ledger, None)
        texts = texts_alone(request, out.ledger)
        return _encode({"requests": [{**shared, "content": {"parts": [{"text": text}]}} for text in texts]})

    def read_reply(self, body: bytes) -> EmbedReply:
        native = decode_reply(_REPLY, body)
        return EmbedReply(vectors={"float": [normalized(one.values) for one in native.embeddings]})

    def write_reply(self, reply: EmbedReply, request: EmbedRequest) -> bytes:
        return _encode({"embeddings": [{"values": vector} for vector in reply.vectors["float"]]})
