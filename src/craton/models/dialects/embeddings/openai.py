"""OpenAI's embeddings, the schema `openai.embeddings`: of OpenAI's relatives, of Mistral, and of Craton's own engine.

Quirks: `dimensions` (the server can shorten vectors itself; without it only OpenAI's third generation is asked to),
`dimensions_name` (what it calls that), `prompts` (a prefix per purpose, such as `{query = "query: "}`, for models that
were trained so), `truncates` (`"end"`: the server shortens a text that is too long; else it refuses it), `packs`
(it answers in base64 as well, which is a quarter of the bytes and quicker to read), `engine` (it is Craton's own),
`unhurried` (nobody waits for the answer: the engine may compute it beside everything else).
Source: OpenAI's API reference, "Create embeddings".
"""

from __future__ import annotations

import base64
import struct
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import model_error
from craton.models.canon.embedding import EmbedReply, EmbedRequest, Item, Names, Truncate, Vector
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.embeddings.dialect import drop_limits, drop_purpose, texts_alone
from craton.models.dialects.malformed import decode_native, decode_reply

_PER_CALL = 2048
_SHORTENS = "text-embedding-3"

Texts = Annotated[list[str], Meta(min_length=1, max_length=_PER_CALL)]


class Body(msgspec.Struct, forbid_unknown_fields=True):
    input: str | Texts
    model: str = ""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    user: str | None = None


class Datum(msgspec.Struct):
    embedding: Vector | str
    index: int = 0


class Used(msgspec.Struct):
    prompt_tokens: int | None = None


class Reply(msgspec.Struct):
    data: list[Datum]
    usage: Used | None = None


_BODY = msgspec.json.Decoder(Body)
_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode


class OpenAIEmbeddings:
    name = "openai.embeddings"
    dimensions = None

    def per_call(self, request: EmbedRequest) -> int:
        return _PER_CALL

    def read_request(self, body: bytes) -> EmbedRequest:
        native = decode_native(_BODY, body)
        texts = [native.input] if isinstance(native.input, str) else native.input
        return EmbedRequest(
            items=[Item(text) for text in texts],
            model_id=native.model,
            dimensions=native.dimensions,
            encodings=(native.encoding_format,),
            names=Names(media="input", text="input"),
        )

    def write_request(self, request: EmbedRequest, out: Outgoing) -> bytes:
        texts = texts_alone(request, out.ledger)
        body: dict[str, Any] = {"model": out.model, "input": texts, "encoding_format": "float"}
        if out.quirks.get("packs"):
            body["encoding_format"] = "base64"
        if out.quirks.get("engine"):
            body.update(told_engine(request, out))
            return _encode(body)
        body["input"] = prompted(request, texts, out)
        if request.dimensions is not None and out.quirks.get("dimensions", out.model.startswith(_SHORTENS)):
            body[str(out.quirks.get("dimensions_name", "dimensions"))] = request.dimensions
        drop_limits(request, out.ledger, cast("Truncate", out.quirks.get("truncates", "none")))
        return _encode(body)

    def read_reply(self, body: bytes) -> EmbedReply:
        native = decode_reply(_REPLY, body)
        data = sorted(native.data, key=lambda one: one.index)
        if [one.index for one in data] != list(range(len(data))):
            raise model_error()
        tokens = native.usage.prompt_tokens if native.usage is not None else None
        return EmbedReply(vectors={"float": [floats_of(one.embedding) for one in data]}, input_tokens=tokens)

    def write_reply(self, reply: EmbedReply, request: EmbedRequest) -> bytes:
        packs = "base64" in request.encodings
        data = [
            {"object": "embedding", "index": index, "embedding": as_base64(vector) if packs else vector}
            for index, vector in enumerate(reply.vectors["float"])
        ]
        native: dict[str, Any] = {"object": "list", "data": data, "model": request.model_id}
        if reply.input_tokens is not None:
            native["usage"] = {"prompt_tokens": reply.input_tokens, "total_tokens": reply.input_tokens}
        return _encode(native)


def told_engine(request: EmbedRequest, out: Outgoing) -> dict[str, str]:
    """What Craton's own engine takes beside OpenAI's members: it has the model's prompts, and shortens on either side."""
    members: dict[str, str] = {}
    if request.purpose in ("document", "query"):
        out.ledger.emulate(request.names.purpose)
        members["input_type"] = request.purpose
    else:
        drop_purpose(request, out.ledger)
    if request.truncate is not None:
        members["truncate"] = request.truncate
    if out.quirks.get("unhurried"):
        members["priority"] = "batch"
    drop_limits(request, out.ledger, request.truncate)
    return members


def prompted(request: EmbedRequest, texts: list[str], out: Outgoing) -> list[str]:
    """The texts with the prefix that the model was trained to tell purposes by; without one the purpose is lost."""
    prompts = out.quirks.get("prompts")
    prompt = prompts.get(request.purpose) if isinstance(prompts, dict) else None
    if not isinstance(prompt, str):
        drop_purpose(request, out.ledger)
        return texts
    out.ledger.emulate(request.names.purpose)
    return [prompt + text for text in texts]


def floats_of(told: Vector | str) -> Vector:
    """A vector as it was told: as numbers, or packed. Raises ModelErrorException."""
    if not isinstance(told, str):
        return told
    try:
        data = base64.b64decode(told)
        return list(struct.unpack(f"<{len(data) // 4}f", data))
    except (ValueError, struct.error):
        raise model_error() from None


def as_base64(vector: Vector) -> str:
    """Little-endian float32, as OpenAI's own clients ask for it."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
