"""Segmented embeddings of Amazon Nova, a task of StartAsyncInvoke alone: the body, the pieces, the files of the answer.

Owns the schema on both sides and how a text falls into segments. It must not know S3, nor who embeds a piece: each is
a body of a single embedding. Source: the Nova user guide, "Complete embeddings request and response schema".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.models.dialects.embeddings.nova import PurposeName
from craton.models.dialects.malformed import decode_native, malformed

MAX_SEGMENTS = 1900
RESULT = "segmented-embedding-result.json"
_SCHEMA = "nova-multimodal-embed-v1"
_PARAMS = "segmentedEmbeddingParams"
ASYNC_TASK = "SEGMENTED_EMBEDDING"
# Kind → the file of its embeddings. A picture is one piece, and its file no list of lines by its name alone.
FILES = {"text": "embedding-text.jsonl", "image": "embedding-image.json"}
MEDIA_FILES = {"audio": "embedding-audio.jsonl", "video": "embedding-video.jsonl"}

Format = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[int, Meta(ge=1, le=30)]
S3Uri = Annotated[str, Meta(pattern=r"^s3://[a-z0-9][.\-a-z0-9]{1,61}[a-z0-9]/.+\Z")]


class Object(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """An object of the schema."""


class Location(Object):
    uri: S3Uri
    bucket_owner: str | None = None


class Source(Object):
    bytes: str | None = None
    s3_location: Location | None = None


class TextSource(Object):
    s3_location: Location


class ByLength(Object):
    max_length_chars: Annotated[int, Meta(ge=800, le=50_000)] = 32_000


class ByTime(Object):
    duration_seconds: Seconds = 5


class Text(Object):
    truncation_mode: Literal["START", "END", "NONE"]
    segmentation_config: ByLength
    value: Annotated[str, Meta(min_length=1, max_length=8192)] | None = None
    source: TextSource | None = None


class Image(Object):
    format: Literal["png", "jpeg", "gif", "webp"]
    source: Source
    detail_level: Literal["STANDARD_IMAGE", "DOCUMENT_IMAGE"] = "STANDARD_IMAGE"


class Audio(Object):
    format: Literal["mp3", "wav", "ogg"]
    source: Source
    segmentation_config: ByTime


class Video(Object):
    format: Literal["mp4", "mov", "mkv", "webm", "flv", "mpeg", "mpg", "wmv", "3gp"]
    source: Source
    embedding_mode: Literal["AUDIO_VIDEO_COMBINED", "AUDIO_VIDEO_SEPARATE"]
    segmentation_config: ByTime


class Params(Object):
    embedding_purpose: PurposeName
    embedding_dimension: Literal[256, 384, 1024, 3072] = 3072
    text: Text | None = None
    image: Image | None = None
    audio: Audio | None = None
    video: Video | None = None

    @property
    def kind(self) -> str:
        """text, image, audio or video: the one that is there."""
        return next(kind for kind in ("text", "image", "audio", "video") if getattr(self, kind) is not None)


class Body(Object, kw_only=True):
    schema_version: Literal["nova-multimodal-embed-v1"] = "nova-multimodal-embed-v1"
    task_type: Literal["SINGLE_EMBEDDING", "SEGMENTED_EMBEDDING"]
    segmented_embedding_params: Params | None = None
    single_embedding_params: Any = None


class Piece(msgspec.Struct, frozen=True):
    """A segment of a text, from the character `start` to before `stop`."""

    index: int
    start: int
    stop: int


_BODY = msgspec.json.Decoder(Body)
_encode = msgspec.json.Encoder().encode


def read(body: bytes) -> Params:
    """What is to be embedded. Raises ValidationException that names the member at fault."""
    native = decode_native(_BODY, body)
    if native.task_type != ASYNC_TASK:
        raise malformed(f"#/taskType: {native.task_type} is not a valid enum value")
    params = native.segmented_embedding_params
    if params is None:
        raise malformed(f"#: required key [{_PARAMS}] not found")
    if sum(getattr(params, kind) is not None for kind in ("text", "image", "audio", "video")) != 1:
        raise malformed(f"#/{_PARAMS}: exactly one of [text, image, audio, video] must be set")
    if params.text is not None and (params.text.value is None) == (params.text.source is None):
        raise malformed(f"#/{_PARAMS}/text: exactly one of [value, source] must be set")
    medium = params.image or params.audio or params.video
    if medium is not None and (medium.source.bytes is None) == (medium.source.s3_location is None):
        raise malformed(f"#/{_PARAMS}/{params.kind}/source: exactly one of [bytes, s3Location] must be set")
    return params


def location(params: Params) -> Location | None:
    """The S3 object that the content is in, unless the request holds it."""
    if params.text is not None:
        return params.text.source.s3_location if params.text.source is not None else None
    medium = params.image or params.audio or params.video
    return medium.source.s3_location if medium is not None else None


def pieces(text: str, longest: int) -> Iterator[Piece]:
    """The segments of a text, each as long as may be and ending behind a space where there is one."""
    start = index = 0
    while start < len(text):
        stop = min(len(text), start + longest)
        if stop < len(text):
            cut = max(text.rfind(mark, start + 1, stop) for mark in " \n\t")
            stop = cut + 1 if cut > start else stop
        yield Piece(index, start, stop)
        start, index = stop, index + 1


def text_body(params: Params, text: str) -> bytes:
    """The body of a single embedding for a segment of a text."""
    assert params.text is not None  # noqa: S101 - the caller has looked
    return _single(params, "text", {"truncationMode": params.text.truncation_mode, "value": text})


def image_body(params: Params, data: str) -> bytes:
    """The same for the picture, `data` being base64 of its file."""
    assert params.image is not None  # noqa: S101 - the caller has looked
    image = params.image
    given = {"format": image.format, "detailLevel": image.detail_level, "source": {"bytes": data}}
    return _single(params, "image", given)


def _single(params: Params, kind: str, given: dict[str, Any]) -> bytes:
    single = {
        "embeddingPurpose": params.embedding_purpose, "embeddingDimension": params.embedding_dimension, kind: given,
    }  # fmt: skip
    return _encode({"schemaVersion": _SCHEMA, "taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": single})


def line(vector: object, piece: Piece | None) -> bytes:
    """The line of a segment in the file of its kind."""
    where: dict[str, int] = {"segmentIndex": 0}
    if piece is not None:
        where = {
            "segmentIndex": piece.index, "segmentStartCharPosition": piece.start, "segmentEndCharPosition": piece.stop,
        }  # fmt: skip
    return _encode({"embedding": vector, "segmentMetadata": where, "status": "SUCCESS"}) + b"\n"


def result(params: Params, source: str, uri: str) -> bytes:
    """The file that leads to the embeddings, which lie at `uri`. `source`: where the content was, "" for the request."""
    found = {"embeddingType": params.kind.upper(), "status": "SUCCESS", "outputFileUri": uri}
    return _encode(
        {"sourceFileUri": source, "embeddingDimension": params.embedding_dimension, "embeddingResults": [found]}
    )
