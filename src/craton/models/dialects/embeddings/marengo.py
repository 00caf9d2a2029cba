"""TwelveLabs Marengo as InvokeModel takes it: version 2.7 (`twelvelabs.marengo`, 1,024 dimensions), flat, and 3.0
(`twelvelabs.marengo-3`, 512 dimensions), with a member per kind of input. Text, a picture, or (3.0) both.

Sound and film are StartAsyncInvoke's alone. Source: AWS's pages "TwelveLabs Marengo Embed 2.7" and "3.0".
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import model_error, validation
from craton.models.canon.embedding import EmbedReply, EmbedRequest, Item, Media, Names, Vector
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.embeddings.dialect import NO_MEDIA, drop_limits, drop_purpose, refuse_media
from craton.models.dialects.malformed import decode_native, decode_reply, malformed

ASYNC_ONLY = "The input types audio and video are supported by StartAsyncInvoke only."
_NAMES = Names(truncate="textTruncate", media="mediaSource", text="inputText")

Filled = Annotated[str, Meta(min_length=1)]


class Location(msgspec.Struct, rename="camel"):
    uri: str
    bucket_owner: str | None = None


class Source(msgspec.Struct, rename={"base64": "base64String", "s3_location": "s3Location"}):
    base64: str | None = None
    s3_location: Location | None = None


class Body2(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    input_type: Literal["text", "image", "audio", "video"]
    input_text: Filled | None = None
    text_truncate: Literal["end", "none"] | None = None
    media_source: Source | None = None


class Text(msgspec.Struct, rename="camel"):
    input_text: Filled


class Image(msgspec.Struct, rename="camel"):
    media_source: Source


class Both(msgspec.Struct, rename="camel"):
    input_text: Filled
    media_source: Source


class Body3(msgspec.Struct, forbid_unknown_fields=True):
    input_type: Literal["text", "image", "text_image", "audio", "video"] = msgspec.field(name="inputType")
    text: Text | None = None
    image: Image | None = None
    text_image: Both | None = None


class Found(msgspec.Struct):
    embedding: Vector


class Reply(msgspec.Struct):
    data: list[Found]


_BODY_2 = msgspec.json.Decoder(Body2)
_BODY_3 = msgspec.json.Decoder(Body3)
_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode
Given = TypeVar("Given")


class Marengo2:
    name = "twelvelabs.marengo"
    dimensions = 1024

    def per_call(self, request: EmbedRequest) -> int:
        return 1

    def read_request(self, body: bytes) -> EmbedRequest:
        native = decode_native(_BODY_2, body)
        if native.input_type in ("audio", "video"):
            raise validation(ASYNC_ONLY)
        if native.input_type == "text":
            item = Item(_needed(native.input_text, "inputText"))
        else:
            item = Item(media=(read_source(_needed(native.media_source, "mediaSource")),))
        return EmbedRequest(items=[item], dimensions=self.dimensions, truncate=native.text_truncate, names=_NAMES)

    def write_request(self, request: EmbedRequest, out: Outgoing) -> bytes:
        item = checked_item(request, out, together=False)
        if item.media:
            return _encode({"inputType": "image", "mediaSource": write_source(item.media[0])})
        body: dict[str, Any] = {"inputType": "text", "inputText": item.text}
        if request.truncate in ("end", "none"):
            body["textTruncate"] = request.truncate
        elif request.truncate is not None:
            out.ledger.drop(request.names.truncate)
        return _encode(body)

    def read_reply(self, body: bytes) -> EmbedReply:
        native = decode_reply(_REPLY, body)
        if not native.data:
            raise model_error()
        return EmbedReply(vectors={"float": [native.data[0].embedding]})

    def write_reply(self, reply: EmbedReply, request: EmbedRequest) -> bytes:
        return _encode({"data": [{"embedding": reply.vectors["float"][0]}]})


class Marengo3(Marengo2):
    name = "twelvelabs.marengo-3"
    dimensions = 512

    def read_request(self, body: bytes) -> EmbedRequest:
        native = decode_native(_BODY_3, body)
        if native.input_type in ("audio", "video"):
            raise validation(ASYNC_ONLY)
        if native.input_type == "text":
            item = Item(_needed(native.text, "text").input_text)
        elif native.input_type == "image":
            item = Item(media=(read_source(_needed(native.image, "image").media_source),))
        else:
            both = _needed(native.text_image, "text_image")
            item = Item(both.input_text, (read_source(both.media_source),))
        return EmbedRequest(items=[item], dimensions=self.dimensions, names=_NAMES)

    def write_request(self, request: EmbedRequest, out: Outgoing) -> bytes:
        item = checked_item(request, out, together=True)
        drop_limits(request, out.ledger, "end")
        if not item.media:
            return _encode({"inputType": "text", "text": {"inputText": item.text}})
        source = {"mediaSource": write_source(item.media[0])}
        if item.text is None:
            return _encode({"inputType": "image", "image": source})
        return _encode({"inputType": "text_image", "text_image": {"inputText": item.text, **source}})


def checked_item(request: EmbedRequest, out: Outgoing, *, together: bool) -> Item:
    """The item, if the model takes it. Raises ValidationException."""
    drop_purpose(request, out.ledger)
    item = request.items[0]
    if item.media and (
        len(item.media) > 1 or item.media[0].kind != "image" or (item.text is not None and not together)
    ):
        raise refuse_media(NO_MEDIA, item.media[0])
    return item


def read_source(source: Source) -> Media:
    if (source.base64 is None) == (source.s3_location is None):
        raise malformed("#: exactly one of [base64String, s3Location] must be set")
    return Media(
        "image", data=source.base64 or "", uri=source.s3_location.uri if source.s3_location is not None else ""
    )


def write_source(media: Media) -> dict[str, Any]:
    return {"s3Location": {"uri": media.uri}} if media.uri else {"base64String": media.data}


def _needed(value: Given | None, name: str) -> Given:
    if value is None:
        raise malformed(f"#: required key [{name}] not found")
    return value
