"""Amazon Nova's multimodal embeddings, the schema `amazon.nova-embed`. One text, picture, sound or film per body.

Segmented embeddings are a task of StartAsyncInvoke alone. Source: reference invoke-bodies-media.md; AWS's page "Complete
embeddings request and response schema", from memory.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import model_error, validation
from craton.models.canon.embedding import EmbedReply, EmbedRequest, Item, Media, Names, Purpose, Truncate, Vector
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.embeddings.dialect import NO_MEDIA, refuse_media
from craton.models.dialects.malformed import decode_native, decode_reply, malformed

ASYNC_ONLY = "The task type SEGMENTED_EMBEDDING is supported by StartAsyncInvoke only."
_GROUP = "singleEmbeddingParams"
_SIZES = (256, 384, 1024, 3072)
_NAMES = Names(
    dimensions=f"{_GROUP}.embeddingDimension",
    purpose=f"{_GROUP}.embeddingPurpose",
    truncate=f"{_GROUP}.text.truncationMode",
    media=_GROUP,
    text=f"{_GROUP}.text.value",
)

# Retrieval has a purpose per kind of thing that is looked for; here all of them are queries.
_RETRIEVALS = ("GENERIC", "TEXT", "IMAGE", "VIDEO", "DOCUMENT", "AUDIO")
_PURPOSES: dict[str, Purpose] = {
    "GENERIC_INDEX": "document",
    "CLASSIFICATION": "classification",
    "CLUSTERING": "clustering",
    **{f"{kind}_RETRIEVAL": "query" for kind in _RETRIEVALS},
}
_NATIVE: dict[Purpose | None, str] = {
    "document": "GENERIC_INDEX",
    "query": "GENERIC_RETRIEVAL",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "similarity": "CLUSTERING",
}
_TRUNCATES: dict[str, Truncate] = {"START": "start", "END": "end", "NONE": "none"}
_MODES: dict[Truncate | None, str] = {truncate: mode for mode, truncate in _TRUNCATES.items()}

PurposeName = Literal[
    "GENERIC_INDEX",
    "GENERIC_RETRIEVAL",
    "TEXT_RETRIEVAL",
    "IMAGE_RETRIEVAL",
    "VIDEO_RETRIEVAL",
    "DOCUMENT_RETRIEVAL",
    "AUDIO_RETRIEVAL",
    "CLASSIFICATION",
    "CLUSTERING",
]


class Location(msgspec.Struct, rename="camel"):
    uri: str
    bucket_owner: str | None = None


class Source(msgspec.Struct, rename="camel"):
    bytes: str | None = None
    s3_location: Location | None = None


class Text(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    truncation_mode: Literal["START", "END", "NONE"]
    value: Annotated[str, Meta(min_length=1)] | None = None
    source: Source | None = None


class File(msgspec.Struct, rename="camel"):
    format: str
    source: Source
    detail_level: str | None = None
    embedding_mode: str | None = None


class Params(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    embedding_purpose: PurposeName
    embedding_dimension: Literal[256, 384, 1024, 3072] = 3072
    text: Text | None = None
    image: File | None = None
    audio: File | None = None
    video: File | None = None


class Body(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    task_type: Literal["SINGLE_EMBEDDING", "SEGMENTED_EMBEDDING"]
    single_embedding_params: Params | None = None
    segmented_embedding_params: Any = None
    schema_version: str = "nova-multimodal-embed-v1"


class Found(msgspec.Struct, rename="camel"):
    embedding: Vector
    embedding_type: str = "TEXT"


class Reply(msgspec.Struct):
    embeddings: list[Found]


_BODY = msgspec.json.Decoder(Body)
_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode


class NovaEmbed:
    name = "amazon.nova-embed"
    dimensions = 3072

    def per_call(self, request: EmbedRequest) -> int:
        return 1

    def read_request(self, body: bytes) -> EmbedRequest:
        native = decode_native(_BODY, body)
        if native.task_type != "SINGLE_EMBEDDING":
            raise validation(ASYNC_ONLY)
        params = native.single_embedding_params
        if params is None:
            raise malformed(f"#: required key [{_GROUP}] not found")
        return EmbedRequest(
            items=[read_item(params)],
            purpose=_PURPOSES[params.embedding_purpose],
            dimensions=params.embedding_dimension,
            truncate=_TRUNCATES[params.text.truncation_mode] if params.text is not None else None,
            names=_NAMES,
        )

    def write_request(self, request: EmbedRequest, out: Outgoing) -> bytes:
        item = request.items[0]
        params: dict[str, Any] = {"embeddingPurpose": _NATIVE.get(request.purpose, "GENERIC_INDEX")}
        if request.dimensions in _SIZES:
            params["embeddingDimension"] = request.dimensions
        if item.text is not None:
            params["text"] = {"truncationMode": _MODES.get(request.truncate, "END"), "value": item.text}
        if len(item.media) + (item.text is not None) != 1:
            raise refuse_media(NO_MEDIA, item.media[0])
        for media in item.media:
            source = {"s3Location": {"uri": media.uri}} if media.uri else {"bytes": media.data}
            params[media.kind] = {"format": media.format or "jpeg", "source": source}
            if media.kind == "video":
                params["video"]["embeddingMode"] = "AUDIO_VIDEO_COMBINED"
        if request.max_tokens is not None:
            out.ledger.drop(request.names.max_tokens)
        body = {"schemaVersion": "nova-multimodal-embed-v1", "taskType": "SINGLE_EMBEDDING", _GROUP: params}
        return _encode(body)

    def read_reply(self, body: bytes) -> EmbedReply:
        native = decode_reply(_REPLY, body)
        if not native.embeddings:
            raise model_error()
        return EmbedReply(vectors={"float": [native.embeddings[0].embedding]})

    def write_reply(self, reply: EmbedReply, request: EmbedRequest) -> bytes:
        item = request.items[0]
        kind = item.media[0].kind.upper() if item.media else "TEXT"
        return _encode({"embeddings": [{"embeddingType": kind, "embedding": reply.vectors["float"][0]}]})


def read_item(params: Params) -> Item:
    """The one thing to embed. Raises ValidationException if there is none, or more."""
    files = {"image": params.image, "audio": params.audio, "video": params.video}
    media = [read_media(kind, file) for kind, file in files.items() if file is not None]
    if len(media) + (params.text is not None) != 1:
        raise malformed(f"#/{_GROUP}: exactly one of [text, image, audio, video] must be set")
    if params.text is None:
        return Item(media=(media[0],))
    if params.text.value is None:
        raise validation(
            "A text in Amazon S3 cannot be read by this server. Send it as singleEmbeddingParams.text.value."
        )
    return Item(params.text.value)


def read_media(kind: str, file: File) -> Media:
    if (file.source.bytes is None) == (file.source.s3_location is None):
        raise malformed(f"#/{_GROUP}/{kind}/source: exactly one of [bytes, s3Location] must be set")
    uri = file.source.s3_location.uri if file.source.s3_location is not None else ""
    return Media(kind, file.format, file.source.bytes or "", uri)  # type: ignore[arg-type]  # one of the three names
