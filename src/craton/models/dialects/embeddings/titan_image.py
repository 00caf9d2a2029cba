"""Amazon Titan's multimodal embeddings, the schema `amazon.titan-embed-image`: a text, a picture, or both as one vector.

Source: reference invoke-bodies-media.md; AWS's page "Amazon Titan Multimodal Embeddings G1".
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import model_error
from craton.models.canon.embedding import EmbedReply, EmbedRequest, Item, Media, Names, Vector
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.embeddings.dialect import NO_MEDIA, NO_S3, drop_limits, drop_purpose, refuse_media
from craton.models.dialects.malformed import decode_native, decode_reply, malformed

_NAMES = Names(
    dimensions="embeddingConfig.outputEmbeddingLength",
    media="inputImage",
    text="inputText",
    tokens="inputTextTokenCount",
)
_SIZES = (256, 384, 1024)

Filled = Annotated[str, Meta(min_length=1)]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    output_embedding_length: Literal[256, 384, 1024] = 1024


class Body(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    input_text: Filled | None = None
    input_image: Filled | None = None
    embedding_config: Config = Config()


class Reply(msgspec.Struct, rename="camel"):
    embedding: Vector | None = None
    input_text_token_count: int | None = None
    message: str | None = None


_BODY = msgspec.json.Decoder(Body)
_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode


class TitanImage:
    name = "amazon.titan-embed-image"
    dimensions = 1024

    def per_call(self, request: EmbedRequest) -> int:
        return 1

    def read_request(self, body: bytes) -> EmbedRequest:
        native = decode_native(_BODY, body)
        if native.input_text is None and native.input_image is None:
            raise malformed("#: required key [inputText] or [inputImage] not found")
        media = (Media("image", data=native.input_image),) if native.input_image is not None else ()
        return EmbedRequest(
            items=[Item(native.input_text, media)],
            dimensions=native.embedding_config.output_embedding_length,
            names=_NAMES,
        )

    def write_request(self, request: EmbedRequest, out: Outgoing) -> bytes:
        item = request.items[0]
        body: dict[str, Any] = {"inputText": item.text} if item.text is not None else {}
        for media in item.media:
            if media.kind != "image" or "inputImage" in body:
                raise refuse_media(NO_MEDIA, media)
            if media.uri:
                raise refuse_media(NO_S3, media)
            body["inputImage"] = media.data
        if request.dimensions in _SIZES:
            body["embeddingConfig"] = {"outputEmbeddingLength": request.dimensions}
        drop_purpose(request, out.ledger)
        drop_limits(request, out.ledger, "none")
        return _encode(body)

    def read_reply(self, body: bytes) -> EmbedReply:
        native = decode_reply(_REPLY, body)
        if native.embedding is None:
            raise model_error()
        return EmbedReply(vectors={"float": [native.embedding]}, input_tokens=native.input_text_token_count)

    def write_reply(self, reply: EmbedReply, request: EmbedRequest) -> bytes:
        native = {
            "embedding": reply.vectors["float"][0],
            "inputTextTokenCount": reply.input_tokens or 0,
            "message": None,
        }
        return _encode(native)
