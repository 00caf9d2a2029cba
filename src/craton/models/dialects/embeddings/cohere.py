"""Cohere's embeddings: version 3 (`cohere.embed`) and 4 (`cohere.embed-v4`) as Bedrock has them, and Cohere's own API
(`cohere.embed-api`, version 2 of `/embed`), which asks for the types of vector by name and calls LEFT `START`.

Cohere packs `binary` eight signs to a byte. Quirks of the API: `dimensions` (true: the model can shorten, as version 4
does), `input_type` (what to say where the caller's schema has no such thing; `search_document`). Sources: reference
invoke-bodies.md; for the API, from memory, Cohere's API reference "Embed".
"""

from __future__ import annotations

import re
import uuid
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from craton.models.canon.embedding import (
    EmbedReply,
    EmbedRequest,
    Encoding,
    Item,
    Media,
    Names,
    Purpose,
    Truncate,
    Vector,
)
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.embeddings.dialect import NO_MEDIA, NO_S3, drop_limits, refuse_media
from craton.models.dialects.malformed import decode_native, decode_reply, malformed

_PER_CALL = 96
_SIZES = (256, 512, 1024, 1536)
_NAMES_V3 = Names(media="images", text="texts", dimensions="output_dimension")
_NAMES = Names(media="inputs", text="texts", dimensions="output_dimension")
_DATA_URI = re.compile(r"data:image/([a-z+.-]+);base64,(.*)", re.DOTALL)

_PURPOSES: dict[str, Purpose] = {
    "search_document": "document",
    "search_query": "query",
    "classification": "classification",
    "clustering": "clustering",
    "image": "image",
}
_INPUT_TYPES: dict[Purpose | None, str] = {purpose: name for name, purpose in _PURPOSES.items()}
_INPUT_TYPES["similarity"] = "clustering"
_TRUNCATES: dict[str, Truncate] = {"NONE": "none", "START": "start", "LEFT": "start", "END": "end", "RIGHT": "end"}
_OLD_WORDS: dict[Truncate, str] = {"none": "NONE", "start": "START", "end": "END"}
_NEW_WORDS: dict[Truncate, str] = {"none": "NONE", "start": "LEFT", "end": "RIGHT"}

InputType = Literal["search_document", "search_query", "classification", "clustering", "image"]
Type = Literal["float", "int8", "uint8", "binary", "ubinary"]
Types = Annotated[list[Type], Meta(min_length=1)]
DataUri = Annotated[str, Meta(pattern=r"^data:image/[a-z+.-]+;base64,")]
_TYPES = frozenset(("float", "int8", "uint8", "binary", "ubinary"))


class ImageUrl(msgspec.Struct):
    url: DataUri


class TextPart(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class ImagePart(msgspec.Struct, tag_field="type", tag="image_url"):
    image_url: ImageUrl


class Input(msgspec.Struct, forbid_unknown_fields=True):
    content: Annotated[list[TextPart | ImagePart], Meta(min_length=1)]


class BodyV3(msgspec.Struct, forbid_unknown_fields=True):
    input_type: InputType
    texts: Annotated[list[Annotated[str, Meta(max_length=2048)]], Meta(min_length=1, max_length=96)] | None = None
    images: Annotated[list[DataUri], Meta(min_length=1, max_length=1)] | None = None
    truncate: Literal["NONE", "START", "END"] | None = None
    embedding_types: Types | None = None


class BodyV4(msgspec.Struct, forbid_unknown_fields=True):
    input_type: InputType
    texts: Annotated[list[str], Meta(min_length=1, max_length=96)] | None = None
    images: Annotated[list[DataUri], Meta(min_length=1, max_length=96)] | None = None
    inputs: Annotated[list[Input], Meta(min_length=1, max_length=96)] | None = None
    truncate: Literal["NONE", "LEFT", "RIGHT", "START", "END"] | None = None
    embedding_types: Types | None = None
    output_dimension: Literal[256, 512, 1024, 1536] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=128_000)] | None = None


class ApiBody(BodyV4):
    """What Cohere's own API takes."""

    model: str = ""


class ByType(msgspec.Struct, omit_defaults=True):
    float: list[Vector] | None = None
    int8: list[list[int]] | None = None
    uint8: list[list[int]] | None = None
    binary: list[list[int]] | None = None
    ubinary: list[list[int]] | None = None


class Billed(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    image_tokens: int | None = None


class BilledMeta(msgspec.Struct):
    billed_units: Billed = Billed()


class Reply(msgspec.Struct):
    embeddings: ByType | list[Vector]
    images: list[dict[str, Any]] | None = None
    meta: BilledMeta | None = None


_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode


class CohereEmbedV3:
    name = "cohere.embed"
    body: ClassVar[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(BodyV3)
    words: ClassVar[dict[Truncate, str]] = _OLD_WORDS
    dimensions: ClassVar[int | None] = 1024
    names: ClassVar[Names] = _NAMES_V3

    def per_call(self, request: EmbedRequest) -> int:
        return 1 if any(item.media for item in request.items) else _PER_CALL

    def read_request(self, body: bytes) -> EmbedRequest:
        native = decode_native(self.body, body)
        items = read_items(native)
        if native.input_type == "image" and native.images is None:
            raise malformed("#: required key [images] not found")
        types: list[Encoding] = list(dict.fromkeys(native.embedding_types or ("float",)))
        return EmbedRequest(
            items=items,
            purpose=_PURPOSES[native.input_type],
            dimensions=getattr(native, "output_dimension", None) or self.dimensions,
            encodings=tuple(types),
            typed=native.embedding_types is not None,
            truncate=_TRUNCATES[native.truncate] if native.truncate is not None else None,
            max_tokens=getattr(native, "max_tokens", None),
            names=self.names,
        )

    def write_request(self, request: EmbedRequest, out: Outgoing) -> bytes:
        body = write_items(request, mixed=False)
        self._write_rest(request, out, body)
        drop_limits(msgspec.structs.replace(request, truncate=None), out.ledger, None)
        return _encode(body)

    def _write_rest(self, request: EmbedRequest, out: Outgoing, body: dict[str, Any]) -> None:
        pictures = "images" in body and self.words is _OLD_WORDS
        said = _INPUT_TYPES.get(request.purpose) or str(out.quirks.get("input_type", "search_document"))
        body["input_type"] = "image" if pictures else said
        if request.truncate is not None:
            body["truncate"] = self.words[request.truncate]
        body["embedding_types"] = asked_types(request, sized=request.dimensions in (None, self.dimensions))

    def read_reply(self, body: bytes) -> EmbedReply:
        native = decode_reply(_REPLY, body)
        found = ByType(native.embeddings) if isinstance(native.embeddings, list) else native.embeddings
        vectors = {name: given for name in _TYPES if (given := getattr(found, name)) is not None}
        billed = native.meta.billed_units if native.meta is not None else Billed()
        counts = [count for count in (billed.input_tokens, billed.image_tokens) if count is not None]
        return EmbedReply(
            vectors=vectors,  # type: ignore[arg-type]  # the names of the members are encodings
            input_tokens=sum(counts) if counts else None,
            images=native.images or None,
        )

    def write_reply(self, reply: EmbedReply, request: EmbedRequest) -> bytes:
        by_type = request.typed or request.encodings != ("float",)
        native: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "response_type": "embeddings_by_type" if by_type else "embeddings_floats",
            "embeddings": {one: reply.vectors[one] for one in request.encodings} if by_type else reply.vectors["float"],
            "texts": [item.text for item in request.items if item.text is not None and not item.media],
        }
        if reply.images is not None:
            native["images"] = reply.images
        return _encode(native)


class CohereEmbedV4(CohereEmbedV3):
    name = "cohere.embed-v4"
    body: ClassVar[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(BodyV4)
    words: ClassVar[dict[Truncate, str]] = _NEW_WORDS
    dimensions: ClassVar[int | None] = 1536
    names: ClassVar[Names] = _NAMES

    def per_call(self, request: EmbedRequest) -> int:
        return _PER_CALL

    def write_request(self, request: EmbedRequest, out: Outgoing) -> bytes:
        body = write_items(request, mixed=True)
        self._write_rest(request, out, body)
        if request.dimensions in _SIZES:
            body["output_dimension"] = request.dimensions
            body["embedding_types"] = asked_types(request, sized=True)
        if request.max_tokens is not None:
            body["max_tokens"] = request.max_tokens
        return _encode(body)


class CohereEmbedApi(CohereEmbedV3):
    """Cohere's own service. Only version 4 can shorten vectors and mixes text with pictures."""

    name = "cohere.embed-api"
    body: ClassVar[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(ApiBody)
    dimensions: ClassVar[int | None] = None
    names: ClassVar[Names] = _NAMES

    def write_request(self, request: EmbedRequest, out: Outgoing) -> bytes:
        shortens = bool(out.quirks.get("dimensions", "embed-v4" in out.model))
        body: dict[str, Any] = {"model": out.model, **write_items(request, mixed=shortens)}
        self._write_rest(request, out, body)
        sized = request.dimensions is None or (shortens and request.dimensions in _SIZES)
        if sized and request.dimensions is not None:
            body["output_dimension"] = request.dimensions
        body["embedding_types"] = asked_types(request, sized=sized)
        if request.max_tokens is not None and shortens:
            body["max_tokens"] = request.max_tokens
        elif request.max_tokens is not None:
            out.ledger.drop(request.names.max_tokens)
        return _encode(body)


def asked_types(request: EmbedRequest, *, sized: bool) -> list[str]:
    """The types to ask for: the caller's own where the vectors come in the right length, else floats to work on."""
    types = [one for one in request.encodings if one in _TYPES]
    if not sized:
        return ["float"]
    return [*types] if len(types) == len(request.encodings) or "float" in types else [*types, "float"]


def read_items(native: BodyV3 | BodyV4) -> list[Item]:
    """What is to be embedded. Raises ValidationException unless it stands in exactly one member."""
    inputs = native.inputs if isinstance(native, BodyV4) else None
    given = [one for one in (native.texts, native.images, inputs) if one is not None]
    if len(given) != 1:
        raise malformed(f"#: {len(given)} subschemas matched instead of one")
    if native.texts is not None:
        return [Item(text) for text in native.texts]
    if native.images is not None:
        return [Item(media=(picture(uri),)) for uri in native.images]
    return [_mixed(one) for one in inputs or ()]


def _mixed(one: Input) -> Item:
    texts = [part.text for part in one.content if isinstance(part, TextPart)]
    media = tuple(picture(part.image_url.url) for part in one.content if isinstance(part, ImagePart))
    return Item("\n".join(texts) if texts else None, media)


def picture(uri: str) -> Media:
    """A data URI as media."""
    found = _DATA_URI.fullmatch(uri)
    return Media("image", found[1], found[2]) if found else Media("image", data=uri)


def data_uri(media: Media) -> str:
    """Media as a data URI. Raises ValidationException for what is no picture."""
    if media.kind != "image":
        raise refuse_media(NO_MEDIA, media)
    if media.uri:
        raise refuse_media(NO_S3, media)
    return f"data:image/{media.format or _format_of(media.data)};base64,{media.data}"


def _format_of(data: str) -> str:
    """A picture's format by the first characters of its base64; PNG begins with 89 50 4E."""
    return "png" if data.startswith("iVBOR") else "webp" if data.startswith("UklGR") else "jpeg"


def write_items(request: EmbedRequest, *, mixed: bool) -> dict[str, Any]:
    """Items as the member that holds them. `mixed`: the model takes text and pictures together."""
    if not any(item.media for item in request.items):
        return {"texts": [item.text or "" for item in request.items]}
    if all(item.text is None and len(item.media) == 1 for item in request.items) and (len(request.items) == 1):
        return {"images": [data_uri(request.items[0].media[0])]}
    if not mixed:
        raise refuse_media(NO_MEDIA, next(item.media[0] for item in request.items if item.media))
    inputs = []
    for item in request.items:
        content: list[dict[str, Any]] = [{"type": "text", "text": item.text}] if item.text is not None else []
        content += [{"type": "image_url", "image_url": {"url": data_uri(media)}} for media in item.media]
        inputs.append({"content": content})
    return {"inputs": inputs}
