"""Amazon Titan's text embeddings: the first generation (`amazon.titan-embed-text`), which has no parameters, and the
second (`amazon.titan-embed-text-v2`). One text per body.

The reply of the first has 1,536 dimensions, of the second 1,024 unless fewer are asked for. `binary` is a list of 0
and 1. Source: reference invoke-bodies.md; AWS's page "Amazon Titan Embeddings text".
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.models.canon.embedding import EmbedReply, EmbedRequest, Encoding, Item, Names, Vector
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.embeddings.dialect import drop_limits, drop_purpose, texts_alone
from craton.models.dialects.malformed import decode_native, decode_reply

_NAMES = Names(media="inputText", text="inputText", tokens="inputTextTokenCount")
_ENCODINGS: dict[str, Encoding] = {"float": "float", "binary": "bits"}
_TYPES: dict[Encoding, str] = {encoding: name for name, encoding in _ENCODINGS.items()}
_SIZES = (256, 512, 1024)

Text = Annotated[str, Meta(min_length=1, max_length=50_000)]


class BodyV1(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    input_text: Text


class BodyV2(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    input_text: Text
    dimensions: Literal[256, 512, 1024] = 1024
    normalize: bool = True
    embedding_types: Annotated[list[Literal["float", "binary"]], Meta(min_length=1, max_length=2)] | None = None


class ByType(msgspec.Struct, frozen=True):
    float: Vector | None = None
    binary: list[int] | None = None


class Reply(msgspec.Struct, rename="camel"):
    embedding: Vector | None = None
    embeddings_by_type: ByType = ByType()
    input_text_token_count: int | None = None


_BODY_V1 = msgspec.json.Decoder(BodyV1)
_BODY_V2 = msgspec.json.Decoder(BodyV2)
_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode


class TitanTextV1:
    name = "amazon.titan-embed-text"
    dimensions = 1536

    def per_call(self, request: EmbedRequest) -> int:
        return 1

    def read_request(self, body: bytes) -> EmbedRequest:
        native = decode_native(_BODY_V1, body)
        return EmbedRequest(items=[Item(native.input_text)], dimensions=self.dimensions, names=_NAMES)

    def write_request(self, request: EmbedRequest, out: Outgoing) -> bytes:
        drop_purpose(request, out.ledger)
        drop_limits(request, out.ledger, "none")
        return _encode({"inputText": texts_alone(request, out.ledger)[0]})

    def read_reply(self, body: bytes) -> EmbedReply:
        native = decode_reply(_REPLY, body)
        found = ByType(native.embedding or native.embeddings_by_type.float, native.embeddings_by_type.binary)
        vectors: dict[Encoding, list[Vector]] = {}
        if found.float is not None:
            vectors["float"] = [found.float]
        if found.binary is not None:
            vectors["bits"] = [[*found.binary]]
        return EmbedReply(vectors=vectors, input_tokens=native.input_text_token_count)

    def write_reply(self, reply: EmbedReply, request: EmbedRequest) -> bytes:
        return _encode({"embedding": reply.vectors["float"][0], "inputTextTokenCount": reply.input_tokens or 0})


class TitanTextV2(TitanTextV1):
    name = "amazon.titan-embed-text-v2"
    dimensions = 1024

    def read_request(self, body: bytes) -> EmbedRequest:
        native = decode_native(_BODY_V2, body)
        return EmbedRequest(
            items=[Item(native.input_text)],
            dimensions=native.dimensions,
            normalize=native.normalize,
            encodings=tuple(_ENCODINGS[name] for name in dict.fromkeys(native.embedding_types or ("float",))),
            names=_NAMES,
        )

    def write_request(self, request: EmbedRequest, out: Outgoing) -> bytes:
        body: dict[str, Any] = {"inputText": texts_alone(request, out.ledger)[0]}
        drop_purpose(request, out.ledger)
        drop_limits(request, out.ledger, "none")
        types = ["float"]
        if request.dimensions in _SIZES:
            body["dimensions"] = request.dimensions
            types = [_TYPES[one] for one in request.encodings if one in _TYPES]
            if len(types) < len(request.encodings) and "float" not in types:
                types.append("float")
        if request.normalize is not None:
            body["normalize"] = request.normalize
        body["embeddingTypes"] = types
        return _encode(body)

    def write_reply(self, reply: EmbedReply, request: EmbedRequest) -> bytes:
        native: dict[str, Any] = {
            "embeddingsByType": {_TYPES[one]: reply.vectors[one][0] for one in request.encodings},
            "inputTextTokenCount": reply.input_tokens or 0,
        }
        if "float" in request.encodings:
            native["embedding"] = reply.vectors["float"][0]
        return _encode(native)
